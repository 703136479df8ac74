# shellcheck shell=sh
# shellcheck disable=SC2034
# lib.sh - what the scripts of tests/cli share. Each starts with:  . "$(dirname "$0")/lib.sh"
# $1 is the binary. The working folder is temporary and goes away at the end.
set -u
case $1 in /*) program=$1 ;; *) program=$PWD/$1 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
mpirun_sh=$here/../farm/mpirun.sh
dir=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-cli-XXXXXX") || exit 1
trap 'cd / && rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir" || exit 1
n_checks=0
n_failed=0

fail() {
    n_failed=$((n_failed + 1))
    echo "FAILED: $1"
    if [ -s out ] || [ -s err ]; then sed 's/^/    out: /' out; sed 's/^/    err: /' err; fi
}
# run STATUS COMMAND... - runs the program; its output goes to the files out and err, its status is checked.
run() {
    expected=$1
    shift
    n_checks=$((n_checks + 1))
    "$program" "$@" >out 2>err
    status=$?
    [ "$status" -eq "$expected" ] || fail "sharpsweep $*: status $status, not $expected"
}
# run_ranks N STATUS COMMAND... - the same under mpirun on N ranks.
run_ranks() {
    ranks=$1 expected=$2
    shift 2
    n_checks=$((n_checks + 1))
    sh "$mpirun_sh" "$ranks" "$program" "$@" >out 2>err
    status=$?
    [ "$status" -eq "$expected" ] || fail "sharpsweep $* on $ranks ranks: status $status, not $expected"
}
wait_for_file() { # FILE - at most 20 s
    tries=0
    while [ ! -e "$1" ] && [ "$tries" -lt 400 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}
has() { # FILE TEXT
    n_checks=$((n_checks + 1))
    grep -qF -- "$2" "$1" || fail "$1 lacks \`$2\`"
}
lacks() { # FILE TEXT
    n_checks=$((n_checks + 1))
    ! grep -qF -- "$2" "$1" || fail "$1 has \`$2\`"
}
same() { # FILE FILE
    n_checks=$((n_checks + 1))
    cmp -s "$1" "$2" || fail "$1 and $2 differ: $(diff "$1" "$2" | head -5)"
}
check() { # TEXT COMMAND...
    text=$1
    shift
    n_checks=$((n_checks + 1))
    "$@" || fail "$text"
}
# Columns of a CSV by name, without the record's incidental ones: what must not depend on ranks, order or interruptions.
results() { # FILE.h5
    "$program" show "$1" --csv | awk -F, '
        NR == 1 {for (i = 1; i <= NF; i++) keep[i] = $i !~ /^(train_s|curvature_s|measure_s|peak_memory_bytes|attempts|worker|host|finished)$/}
        {line = ""; for (i = 1; i <= NF; i++) if (keep[i]) line = line "," $i; print line}'
}
# column FILE.h5 NAME - one column of the CSV, without its head.
column() {
    "$program" show "$1" --csv | awk -F, -v name="$2" 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == name) c = i; next} {print $c}'
}
have_mpirun() {
    command -v mpirun >/dev/null 2>&1
}
finish() {
    echo "$n_checks checks, $n_failed failed"
    [ "$n_failed" -eq 0 ] && [ "$n_checks" -gt 0 ]
    exit
}
# A small sweep over learning rates, two batch sizes and seeds; a point with 3 epochs takes some milliseconds.
small_job() { # FILE EPOCHS RATES SEEDS
    cat >"$1" <<EOF
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: $2, target_train_accuracy: 0}
curvature: {curvature_examples: 128}
sweep: {seeds: $4, progress_s: 1}
grid:
  learning_rate: $3
  batch_size: [32, full]
EOF
}
