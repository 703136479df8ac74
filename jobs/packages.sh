# packages.sh - sourced by jobs/quickstart.sh and tests/run.sh: which Debian packages the program, its tests and its
# witnesses need, and how to get what is missing. Says what it installs; uses sudo only where one is not root.

PACKAGES_BUILD="gcc libc6-dev pkg-config meson ninja-build git libopenmpi-dev openmpi-bin libopenblas-dev liblapacke-dev
    libhdf5-dev libyaml-dev zlib1g-dev libcunit1-dev dataset-fashion-mnist"
# What `sharpsweep report` needs; a sweep runs without.
PACKAGES_REPORT="python3-h5py python3-scipy python3-matplotlib"
PACKAGES_TEST="clang valgrind procps"
# A private SLURM, and MPICH beside Open MPI: tests/slurm.
PACKAGES_SLURM="slurm-wlm munge mpich libmpich-dev"
# Independent witnesses: where they cannot be had, the tests that need them are skipped by name.
PACKAGES_WITNESS="python3-torch python3-scipy python3-mpi4py python3-h5py python3-xarray python3-netcdf4 python3-h5netcdf
    python3-matplotlib netcdf-bin hdf5-tools python3-jsonschema python3-yaml shellcheck util-linux libclang-rt-14-dev
    man-db mandoc bash-completion environment-modules chromium"

packages_missing() {
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs what is missing of its arguments; fails where that is not possible.
packages_install() {
    command -v dpkg-query >/dev/null || {
        echo "not a Debian system: install by other means: $*" >&2
        return 0
    }
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    echo "installing Debian packages: $missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The same, one by one where all together fails, and never fatal.
packages_try() {
    command -v dpkg-query >/dev/null || return 0
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    packages_install $missing && return 0
    for package in $missing; do
        packages_install "$package" || echo "not installed: $package; the tests that need it will be skipped"
    done
}
