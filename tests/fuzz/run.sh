#!/bin/sh
# run.sh [SECONDS [TARGET...]] - fuzzes every target (or those named) for SECONDS each (default 60) with clang's libFuzzer
# under the address and undefined-behaviour sanitizers, and prints a table. Exit 0: nothing found, 1: findings (the inputs are
# named; put each into corpus/TARGET once it is mended), 77: no libFuzzer here.
# SS_FUZZ_BUILD names the build folder (default build-fuzz); what was learnt stays in its corpus/ and is gone on from.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
[ $# -eq 0 ] || shift
case $seconds in
'' | *[!0-9]*)
    echo "run.sh: $seconds: a number of seconds is expected" >&2
    exit 2
    ;;
esac
build=${SS_FUZZ_BUILD:-$root/build-fuzz}
scratch=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/sharpsweep-fuzz-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

printf 'int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return !p + !n; }\n' >"$scratch/probe.c"
if ! clang -fsanitize=fuzzer,address "$scratch/probe.c" -o "$scratch/probe" 2>"$scratch/why"; then
    echo "skipped: fuzzing needs clang with libFuzzer (Debian: clang and libclang-rt-14-dev): $(head -1 "$scratch/why")"
    exit 77
fi
if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" "$root" -Dfuzz=true --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
        '-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined' >"$scratch/setup.log" 2>&1 || {
        cat "$scratch/setup.log"
        exit 1
    }
fi
all=$(find "$root/tests/fuzz" -name 'fuzz_*.c' | sed -E 's/.*fuzz_([a-z]+)\.c/\1/' | sort)
targets=${*:-$all}
for t in $targets; do
    [ -f "$root/tests/fuzz/fuzz_$t.c" ] || {
        echo "run.sh: $t: no such target; there are:" $all >&2
        exit 2
    }
done
# shellcheck disable=SC2046,SC2086
ninja -C "$build" ${SS_FUZZ_NINJA:-} tests/fuzz/fuzz_seed $(printf 'tests/fuzz/fuzz_%s ' $targets) >"$scratch/ninja.log" 2>&1 || {
    tail -30 "$scratch/ninja.log"
    exit 1
}
mkdir -p "$build/corpus" "$build/findings"
TMPDIR=$scratch
export TMPDIR
echo leak:libhdf5 >"$scratch/leaks" # libhdf5 forgets memory whenever it refuses a file; fuzz_weights counts its handles
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:handle_abort=1:quarantine_size_mb=32 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions="$scratch/leaks":print_suppressions=0
"$build/tests/fuzz/fuzz_seed" "$build/corpus"

# repeatable, hdf5 (the innermost frame that is neither the sanitizers' nor libc's is libhdf5's), or gone: a process of
# libFuzzer's fork mode that died for another reason leaves an input too.
judge() { # TARGET INPUT
    # shellcheck disable=SC2086
    if "$build/tests/fuzz/fuzz_$1" -timeout=10 -rss_limit_mb=$limit "$2" >"$scratch/crash" 2>&1; then
        echo gone
    elif sed -nE 's/^ *#[0-9]+ 0x[0-9a-f]+ (in )?//p' "$scratch/crash" |
        grep -vE '/libc\.so|compiler-rt|^__|^fuzzer::|^(malloc|calloc|realloc|free|strdup|mem[a-z]+|str[a-z]+) ' | head -1 | grep -q libhdf5; then
        echo hdf5
    else
        echo repeatable
    fi
}
findings=0
printf '%-12s %12s %8s %8s findings\n' target executions seconds inputs
for t in $targets; do
    mkdir -p "$build/corpus/$t" "$build/findings/$t"
    log=$scratch/$t.log begin=$(date +%s)
    : >"$scratch/begin"
    # HDF5 crashes on some files: only there does it make sense to go on after a crash, in processes of their own.
    fork=
    case $t in weights | results) fork='-fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1' ;; esac
    # What is bounded by the bytes that are there stays small; the rest of these 700 MiB are the sanitizer's.
    limit=2048 max=16384
    case $t in results | frame) limit='700 -malloc_limit_mb=256' ;; esac
    [ "$t" != results ] || max=262144
    # shellcheck disable=SC2086
    "$build/tests/fuzz/fuzz_$t" $fork -max_total_time="$seconds" -timeout=10 -rss_limit_mb=$limit -max_len=$max \
        -print_final_stats=1 -artifact_prefix="$build/findings/$t/" "$build/corpus/$t" "$root/tests/fuzz/corpus/$t" \
        >"$log" 2>&1 || true
    took=$(($(date +%s) - begin))
    n=$(sed -nE 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
    [ -n "$n" ] || n=$(sed -nE 's/^#([0-9]+): cov:.*/\1/p' "$log" | tail -1) # fork mode
    ours='' theirs=0
    for f in $(find "$build/findings/$t" -type f -newer "$scratch/begin"); do
        case $(judge "$t" "$f") in
        hdf5) theirs=$((theirs + 1)) ;;
        repeatable) ours="$ours $f" ;;
        gone) rm -f "$f" ;;
        esac
    done
    note=none
    [ "$theirs" -eq 0 ] || note="none of ours ($theirs inputs crash inside libhdf5)"
    [ "${n:-0}" -gt 0 ] || note="did not run: $(tail -1 "$log")"
    [ -z "$ours" ] || note="FOUND:$ours"
    printf '%-12s %12s %8s %8s %s\n' "$t" "${n:-0}" "$took" "$(find "$build/corpus/$t" -type f | wc -l)" "$note"
    case $note in
    FOUND:* | 'did not run'*)
        findings=$((findings + 1))
        grep -E 'ERROR:|runtime error|does not hold|SUMMARY' "$log" | head -4 || true
        ;;
    esac
done
[ "$findings" -eq 0 ]
