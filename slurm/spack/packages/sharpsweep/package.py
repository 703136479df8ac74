# Spack's recipe. It builds the committed state of the checkout that it lies in:
#   spack repo add slurm/spack && spack install sharpsweep
# or, with what is not committed: spack dev-build sharpsweep@main
from pathlib import Path

from spack.package import *

try:  # Spack 1.0 moved the build systems there
    from spack_repo.builtin.build_systems.meson import MesonPackage
except ImportError:
    pass


class Sharpsweep(MesonPackage):
    """Sweeps over training settings that measure the sharpness (largest
    Hessian eigenvalue) of every minimum found, over MPI."""

    git = Path(__file__).resolve().parents[4].as_uri()
    homepage = git

    license("MIT")

    version("main", branch="main")

    variant("blas", default="openblas", values=("openblas", "mkl", "blis"), multi=False, description="Whose BLAS")
    variant("report", default=True, description="The Python that `sharpsweep report` needs")

    depends_on("c", type="build")
    depends_on("meson@1:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10: +hl")
    depends_on("libyaml")
    depends_on("zlib-api")
    depends_on("openblas", when="blas=openblas")
    depends_on("intel-oneapi-mkl", when="blas=mkl")
    depends_on("blis +cblas", when="blas=blis")
    depends_on("cunit", type="test")

    with when("+report"):
        depends_on("python@3.9:", type="run")
        depends_on("py-h5py", type="run")
        depends_on("py-numpy", type="run")
        depends_on("py-scipy", type="run")
        depends_on("py-matplotlib", type="run")

    def setup_build_environment(self, env):
        env.set("MPICC", self.spec["mpi"].mpicc)
        env.set("HDF5_ROOT", self.spec["hdf5"].prefix)

    def meson_args(self):
        return ["-Dblas={0}".format(self.spec.variants["blas"].value)]
