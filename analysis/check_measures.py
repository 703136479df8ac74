"""check_measures.py RESULTS.h5 - are the measures of jobs/measures.yaml what they must be, as xarray and analysis/results.py see them?

Exact relations between the columns and tables of one file; prints each that does not hold, and exits with their number."""
import sys

import numpy as np
import xarray

import results

MEASURES = ["trace", "trace_error", "lambda_min", "lambda_min_residual", "gauss_newton_lambda_max", "gauss_newton_residual",
            "adaptive_lambda_max", "adaptive_residual", "spherical_sharpness", "spherical_residual", "subset_lambda_mean",
            "subset_lambda_deviation", "sharpness", "adaptive_sharpness", "batch_sharpness", "batch_sharpness_error",
            "alignment", "measure_hvp_count"]
faults = []


def check(holds, what):
    if not np.all(holds):
        faults.append(what)
        print("fault: " + what)


def sam_edge(norm, rho, lr):
    """Long and Bartlett 2023."""
    return norm / (2 * rho) * (np.sqrt(1 + 8 * rho / (lr * norm)) - 1)


def check_end(root):
    for name in MEASURES + ["measure_s"]:
        check(np.isfinite(root[name]), f"{name} is not known everywhere")
    sam = root["sam_rho"] > 0
    check(np.isfinite(root["sam_edge"]) == sam, "sam_edge is not where there is SAM, or elsewhere")
    check(root["lambda_min"] <= root["lambda_max"], "lambda_min is above lambda_max")
    check(root["gauss_newton_lambda_max"] >= 0, "a Gauss-Newton matrix has a negative eigenvalue")
    check((root["alignment"] >= 0) & (root["alignment"] <= 1), "alignment is not in 0..1")
    check(root["sharpness"] > 0, "sharpness is not positive")
    check(root["adaptive_sharpness"] > 0, "adaptive_sharpness is not positive")
    check(root["spherical_sharpness"] > 0, "spherical_sharpness is not positive")
    check(root["batch_sharpness"] <= 2 * root["subset_lambda_mean"] + 1, "batch_sharpness is far above lambda_max")
    check(np.isclose(root["lr_lambda_max"], root["learning_rate"] * root["lambda_max"], rtol=1e-12), "lr_lambda_max")
    products = root["trace_probes"] + root["spectrum_probes"] * root["spectrum_steps"] + root["batch_sharpness_batches"]
    check(root["measure_hvp_count"] > products, "measure_hvp_count is less than the probes alone take")
    check((root["measure_s"] > 0) & (root["measure_s"] <= root["curvature_s"]), "measure_s is no part of curvature_s")
    for name in ("lambda_min", "gauss_newton", "adaptive", "spherical"):
        check(root[name + "_residual"] <= root["curvature_tolerance"], f"{name}: the residual is over the tolerance")


def check_spectrum(root, spectrum):
    check(spectrum["n_nodes"] == root["spectrum_probes"] * root["spectrum_steps"], "n_nodes")
    check(np.isclose(spectrum["weight"].sum("node"), 1, rtol=1e-9), "a spectrum's weights do not sum to 1")
    check(spectrum["weight"] >= 0, "a weight is negative")
    slack = 0.01 * root["lambda_max"]
    check(spectrum["eigenvalue"].max("node") <= root["lambda_max"] + slack, "a node lies above lambda_max")
    check(spectrum["eigenvalue"].min("node") >= root["lambda_min"] - slack, "a node lies below lambda_min")
    mean = root["n_parameters"] * (spectrum["eigenvalue"] * spectrum["weight"]).sum("node")
    check(abs(mean - root["trace"]) <= 5 * root["trace_error"], "the spectrum's mean is not the trace within its error")


def check_track(root, history):
    known = np.isfinite(history["track_lambda_max"])
    check(known.sum("check") == 3, "three checks are expected: at the beginning, in the middle, at the end")
    for name in MEASURES:
        check(np.isfinite(history["track_" + name]) == known, f"track_{name} is not known at every check")
    edge = sam_edge(history["track_gradient_norm"], root["sam_rho"], history["track_learning_rate"])
    has = known & (root["sam_rho"] > 0)
    check(np.isclose(history["track_sam_edge"], edge, rtol=1e-6, equal_nan=True) | ~has, "SAM's edge is not its formula")
    check(np.isfinite(history["track_sam_edge"]) == has, "track_sam_edge is not where there is SAM, or elsewhere")
    last = history.isel(check=2)
    for name in MEASURES[:-1]:    # the same weights, and the same probes; alignment by another start vector
        tolerance = 0.02 if name == "alignment" else 1e-6
        same = np.isclose(last["track_" + name], root[name], rtol=tolerance)
        check(same, f"track_{name} at the end differs from {name}")


def check_package(path, root, spectrum):
    points = results.load([path])
    check(points["trace"] == root["trace"].values, "analysis/results.py reads another trace")
    check(np.array(["trace" not in points.settings()]), "analysis/results.py takes the trace for a setting")
    for i, (eigenvalue, weight) in enumerate(results.read_spectrum(path)):
        check(eigenvalue == spectrum["eigenvalue"].values[i], "analysis/results.py reads another spectrum")
        check(weight == spectrum["weight"].values[i], "analysis/results.py reads other weights")


def main():
    path = sys.argv[1]
    root, history, spectrum = (xarray.load_dataset(path, engine="netcdf4", group=g) for g in (None, "history", "spectrum"))
    check_end(root)
    check_spectrum(root, spectrum)
    check_track(root, history)
    check_package(path, root, spectrum)
    print(f"{root.sizes['point']} points, {len(faults)} faults")
    sys.exit(min(len(faults), 100))


if __name__ == "__main__":
    main()
