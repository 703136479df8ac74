"""check_xarray.py RESULTS.h5 - does a results file open as netCDF-4, with both of xarray's engines and with ncdump?

Holds the file against analysis/SCHEMA.md: dimensions, attributes, fill values, padding. Prints a line per reader; one that
is not installed is skipped by name. Exit 1 on any fault, 0 otherwise.
"""
import shutil
import subprocess
import sys

STATUS = "pending done diverged epoch_limit failed"
ATTRIBUTES = ["schema", "schema_version", "axes", "created", "updated", "journal_uuid", "job_text", "job_name",
              "sharpsweep_version", "hdf5", "data_path", "data_digest"]
COLUMNS = ["id", "status", "stop_reason", "lambda_max", "lambda_residual", "hvp_count", "train_loss", "train_accuracy",
           "test_loss", "test_accuracy", "epochs", "steps", "n_train", "n_test", "data_digest", "lambda_fraction",
           "curvature_n_examples", "curvature_ghost_examples", "n_threads", "train_s", "curvature_s", "attempts", "worker", "host",
           "eigenvalue", "learning_rate", "batch_size", "sam_rho", "dropout", "batch_norm", "seed"]
faults = []


def check(holds, what):
    if not holds:
        faults.append(what)
        print("fault: " + what)


def check_root(root, np):
    for name in ATTRIBUTES:
        check(name in root.attrs, f"root attribute {name} is missing")
    check(root.attrs.get("schema") == "sharpsweep results", "schema is not 'sharpsweep results'")
    for name in COLUMNS:
        check(name in root.variables, f"variable {name} is missing")
    check(set(root.sizes) == {"point", "k"}, f"dimensions are {dict(root.sizes)}, expected point and k")
    check((root["point"].values == np.arange(root.sizes["point"])).all(), "point is not 0, 1, ...")
    for name, variable in root.variables.items():
        if name not in ("point", "k", "eigenvalue"):
            check(variable.dims == ("point",), f"{name} has dimensions {variable.dims}")
        check(name in ("point", "k") or variable.attrs.get("long_name"), f"{name} has no long_name")
    for axis in root.attrs["axes"].split():
        check(axis in root.variables, f"axis {axis} is no variable")
    check(root["status"].dtype == np.int8, f"status is {root['status'].dtype}, expected int8")
    check(root["status"].attrs.get("flag_meanings") == STATUS, "status: flag_meanings")
    check(list(root["status"].attrs.get("flag_values", [])) == list(range(5)), "status: flag_values")
    check(np.isin(root["status"].values, np.arange(5)).all(), "status holds an unknown code")
    ids = [str(i) for i in root["id"].values]
    check(len(set(ids)) == len(ids) and all(len(i) == 32 for i in ids), "id is not 32 distinct hex digits")
    pending = root["status"].values == 0
    for name in ("lambda_max", "train_loss", "hvp_count"):
        check(np.isnan(root[name].values[pending]).all(), f"{name} of a pending point is not missing")
    done = root["status"].values == 1
    check(np.isfinite(root["lambda_max"].values[done]).all(), "lambda_max of a done point is missing")
    counts = np.isfinite(root["eigenvalue"].values).sum(axis=1)
    check((counts <= root["n_eigenvalues"].values).all(), "eigenvalue is not padded with NaN")


def check_history(history, root, np):
    check(set(history.sizes) == {"point", "epoch", "check"}, f"group history has dimensions {dict(history.sizes)}")
    check(history.sizes["point"] == root.sizes["point"], "group history has another number of points")
    for count, name, dimension in (("n_epochs", "epochs", "epoch"), ("n_checks", "track_epoch", "check")):
        check(history[name].dims == ("point", dimension), f"history/{name} has dimensions {history[name].dims}")
        rows = np.isfinite(history[name].values).sum(axis=1)
        check((rows == history[count].values).all(), f"history/{name} does not have {count} rows per point")
    for name in ("train_loss", "learning_rate", "track_lambda_max", "track_step"):
        check(name in history.variables, f"variable history/{name} is missing")


def check_spectrum(spectrum, root, np):
    check(set(spectrum.sizes) == {"point", "node"}, f"group spectrum has dimensions {dict(spectrum.sizes)}")
    check(spectrum.sizes["point"] == root.sizes["point"], "group spectrum has another number of points")
    for name in ("eigenvalue", "weight"):
        check(spectrum[name].dims == ("point", "node"), f"spectrum/{name} has dimensions {spectrum[name].dims}")
        nodes = np.isfinite(spectrum[name].values).sum(axis=1)
        check((nodes == spectrum["n_nodes"].values).all(), f"spectrum/{name} does not have n_nodes nodes per point")


def read(path, engine):
    try:
        import numpy as np
        import xarray
        __import__({"netcdf4": "netCDF4"}.get(engine, engine))
    except ImportError as missing:
        print(f"skipped: engine {engine} ({missing})")
        return None
    with xarray.open_dataset(path, engine=engine) as root, \
            xarray.open_dataset(path, engine=engine, group="history") as history:
        root.load()
        history.load()
        check_root(root, np)
        check_history(history, root, np)
        if "spectrum_probes" in root.variables and (root["spectrum_probes"] > 0).any():
            with xarray.open_dataset(path, engine=engine, group="spectrum") as spectrum:
                check_spectrum(spectrum.load(), root, np)
        print(f"{engine}: {root.sizes['point']} points, {len(root.variables)} variables, "
              f"{len(history.variables)} in group history")
        return root, history


def compare(one, two):
    for a, b in zip(one, two):
        check(set(a.variables) == set(b.variables), "the two engines see different variables")
        for name in a.variables:
            check(a[name].dims == b[name].dims and a[name].equals(b[name]), f"the two engines differ in {name}")


def dump(path):
    if not shutil.which("ncdump"):
        print("skipped: ncdump (netcdf-bin) is not installed")
        return
    done = subprocess.run(["ncdump", "-h", path], capture_output=True, text=True)
    check(done.returncode == 0, f"ncdump -h: {done.stderr.strip()}")
    for part in ("point = ", "byte status(point)", "double eigenvalue(point, k)", "string id(point)", "group: history"):
        check(part in done.stdout, f"ncdump -h does not show '{part}'")
    print("ncdump: opens it")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    read_by = [r for r in (read(sys.argv[1], e) for e in ("netcdf4", "h5netcdf")) if r]
    if len(read_by) == 2:
        compare(*read_by)
    dump(sys.argv[1])
    if not read_by and not shutil.which("ncdump"):
        sys.exit(77)  # nothing was checked: a skipped test
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
