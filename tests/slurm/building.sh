#!/bin/sh
# Building where nobody is root: what is missing is named with the way out, and another MPI library than Open MPI does: MPICH
# builds the program, and its sweep gives the same records.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
root=$2
command -v meson >/dev/null || { echo "skipped: slurm building: no meson here"; exit 77; }

# A PATH of our own with all but the tools named; pkg-config finds nothing but what it is told.
tools() { # FOLDER TOOLS TO LEAVE OUT...
    mkdir "$1"
    for place in /usr/bin /bin /usr/local/bin; do
        for tool in "$place"/*; do
            [ -e "$1/${tool##*/}" ] || ln -s "$tool" "$1/${tool##*/}"
        done
    done
    folder=$1
    shift
    for tool; do rm -f "$folder/$tool" "$folder/$tool".*; done
}
tools none mpicc mpiicc mpiicx h5cc h5pcc
mkdir pc
for package in zlib yaml-0.1 openblas lapacke hdf5 hdf5-serial ompi-c; do
    for place in /usr/lib/*/pkgconfig /usr/lib/pkgconfig /usr/share/pkgconfig; do
        [ ! -e "$place/$package.pc" ] || ln -sf "$place/$package.pc" "pc/$package.pc"
    done
done
n_setups=0
missing() { # TEXT WITHOUT_PACKAGES [VARIABLE=VALUE...] -- OPTIONS
    text=$1 without=$2
    shift 2
    n_setups=$((n_setups + 1))
    rm -rf pc.now
    cp -r pc pc.now
    for package in $without; do rm -f "pc.now/$package.pc"; done
    n_checks=$((n_checks + 1))
    env PATH="$dir/none" PKG_CONFIG_LIBDIR="$dir/pc.now" "$@" meson setup "setup$n_setups" "$root" >out 2>err
    [ $? -ne 0 ] || fail "a setup without $without succeeds"
    has out "$text"
    check "one sentence" [ "$(grep -c 'ERROR' out)" -eq 1 ]
}
missing 'MPI is missing: load a module that puts mpicc into PATH' 'ompi-c'
missing 'MPI is missing (MPICC=mpicc.none): load a module' '' MPICC=mpicc.none
missing 'HDF5 is missing (HDF5_ROOT=/nowhere): load a module' 'hdf5 hdf5-serial' HDF5_ROOT=/nowhere
missing 'HDF5 is missing: load a module' 'hdf5 hdf5-serial'
if [ -n "$(ls pc/openblas.pc 2>/dev/null)" ]; then
    n_checks=$((n_checks + 1))
    env -u MKLROOT PATH="$dir/none" PKG_CONFIG_LIBDIR="$dir/pc" meson setup mkl "$root" -Dblas=mkl >out 2>err && fail "an MKL that is not there"
    has out 'mkl is missing: load a module (`module avail mkl`) that sets MKLROOT'
fi

# h5cc alone is enough, and mpicc alone.
tools wrappers mpiicc mpiicx
rm -rf pc.now
cp -r pc pc.now
rm -f pc.now/hdf5*.pc pc.now/ompi-c.pc
n_checks=$((n_checks + 1))
env PATH="$dir/wrappers" PKG_CONFIG_LIBDIR="$dir/pc.now" meson setup by-wrappers "$root" >out 2>err || fail "h5cc and mpicc are not enough"
has out 'HDF5: h5cc'

command -v mpicc.mpich >/dev/null && command -v mpiexec.mpich >/dev/null || {
    echo "skipped: slurm building: the part with MPICH, for it is not here (packages libmpich-dev and mpich)"
    finish
}
n_checks=$((n_checks + 2))
MPICC=mpicc.mpich meson setup mpich "$root" -Doptimization=0 >out 2>err || fail "meson setup with MPICH"
meson compile -C mpich sharpsweep >out 2>err || fail "the build with MPICH"
check "it is MPICH that is linked" eval 'ldd mpich/sharpsweep | grep -q libmpich'
small_job job.yaml 3 '[0.05, 0.1]' 3
"$dir/mpich/sharpsweep" run job.yaml -o alone.h5 >out 2>err || fail "alone"
mpiexec.mpich -n 3 "$dir/mpich/sharpsweep" run job.yaml -o ranks.h5 >out 2>err || fail "on ranks of MPICH"
has out '12 of 12 points finished'
check "both workers worked" [ "$(column ranks.h5 worker | sort -u | wc -l)" -eq 2 ]
results alone.h5 >alone
results ranks.h5 >ranks
same alone ranks
finish
