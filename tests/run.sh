#!/bin/sh
# tests/run.sh - installs what the tests need, builds, runs every test, fast ones first, and ends with a line
# "N passed, N failed, N skipped". A skipped test is named with its reason. Exit 0 only if nothing failed.
#   tests/run.sh [--fast]   --fast: style and unit tests only (seconds)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
. jobs/packages.sh
packages_install $PACKAGES_BUILD $PACKAGES_TEST
packages_try $PACKAGES_WITNESS $PACKAGES_SLURM
if [ "$(id -u)" -eq 0 ]; then # Open MPI asks root twice whether he means it
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
if [ -z "${SHARPSWEEP_DATA:-}" ] && [ -d ../shared/data/cifar-10-batches-bin ]; then
    SHARPSWEEP_DATA=$(cd ../shared/data && pwd)
    export SHARPSWEEP_DATA
fi

configure() { # FOLDER OPTION...
    folder=$1
    shift
    [ -f "$folder/build.ninja" ] || meson setup "$folder" "$@"
}
passed=0 failed=0 skipped=0
count() { # of one meson run: its log has a line of JSON per test
    log=$(ls "$1"/meson-logs/testlog*.json) || return 1 # no test ran
    passed=$((passed + $(grep -cE '"result": "(OK|EXPECTEDFAIL)"' "$log" || true)))
    skipped=$((skipped + $(grep -c '"result": "SKIP"' "$log" || true)))
    failed=$((failed + $(grep -cE '"result": "(FAIL|ERROR|TIMEOUT|INTERRUPT|UNEXPECTEDPASS)"' "$log" || true)))
    grep -E '"result": "SKIP"' "$log" | sed -nE 's/.*"name": "([^"]*)".*/skipped test: \1/p' || true
    sed -nE 's/.*(skipped: [^"\\]*).*/\1/p' "$log" | sort -u
}
phase() { # FOLDER SUITE [OPTION...]
    folder=$1 suite=$2
    shift 2
    echo "== $suite tests in $folder"
    rm -f "$folder"/meson-logs/testlog*.json
    status=0
    meson test -C "$folder" --no-rebuild --suite "$suite" --print-errorlogs --num-processes 2 "$@" || status=$?
    count "$folder" || status=1
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
}

configure build --buildtype=release
ninja -C build
for suite in style unit; do phase build $suite; done
if [ "${1:-}" != --fast ]; then
    for suite in mpi cli slurm witness bench science analysis fuzz-smoke; do phase build $suite; done
    configure build-sanitize --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
    ninja -C build-sanitize
    export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    phase build-sanitize unit
    # valgrind knows no AVX-512 and says so to the program, which then takes its AVX2 kernels; OpenBLAS has to be told
    export OPENBLAS_CORETYPE=Haswell
    for suite in base sweep; do
        phase build $suite --timeout-multiplier 10 \
            --wrap='valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite'
    done
    phase build valgrind
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
