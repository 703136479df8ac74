#!/bin/sh
# quickstart.sh - from a fresh Debian 12 to a table of results: installs what is missing, builds in release mode, runs
# jobs/quickstart.yaml with mpirun on this machine's cores, prints the table. Run again, it is quick: everything is kept.
set -eu
cd "$(dirname "$0")/.."
. jobs/packages.sh
results=results/quickstart.h5

# shellcheck disable=SC2086
packages_install $PACKAGES_BUILD
# shellcheck disable=SC2086
packages_try $PACKAGES_REPORT
if [ ! -f build/build.ninja ]; then
    echo "configuring build/ (release)"
    meson setup build --buildtype=release >build.log 2>&1 || { cat build.log >&2; exit 1; }
    rm -f build.log
fi
echo "building build/sharpsweep"
meson compile -C build sharpsweep >build/compile.log 2>&1 || { cat build/compile.log >&2; exit 1; }

if [ "$(id -u)" -eq 0 ]; then # Open MPI asks root twice whether he means it
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
fi
# Rank 0 schedules and sleeps in between, so that it shares a core: one rank more than there are cores.
ranks=$(($(nproc) + 1))
status=0
mpirun -n "$ranks" --oversubscribe --bind-to none build/sharpsweep run jobs/quickstart.yaml -o "$results" || status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then
    echo "the sweep ended with status $status; run jobs/quickstart.sh again to go on" >&2
    exit "$status"
fi
echo
build/sharpsweep show "$results"
echo
echo "Results: $results"
echo "  build/sharpsweep show $results --csv      every column"
echo "  build/sharpsweep status $results          progress and failures"
echo "  build/sharpsweep report $results -o results/report    figures and verdicts"
echo "  python3 -c 'import xarray; print(xarray.open_dataset(\"$results\"))'"
exit "$status"
