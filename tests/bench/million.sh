#!/bin/sh
# million.sh SHARPSWEEP - rank 0 with a grid of 1,000,000 points: its peak memory (which must stay under 1 GiB) and how long it
# takes until the first point starts and until the file of a million rows is closed. Needs 2 GB of disk below TMPDIR.
set -eu
program=$1
case $program in /*) ;; *) program=$PWD/$program ;; esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-million-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
cat >job.yaml <<'YAML'
model: {network: mlp, widths: [2]}
data: {dataset: synthetic, synthetic_train: 20, synthetic_test: 10, synthetic_size: 4, synthetic_channels: 1}
training: {max_steps: 1, target_train_accuracy: 0}
curvature: {curvature_examples: 10, curvature_max_hvp: 2}
grid:
  learning_rate: {log: [0.001, 1, 10]}
  batch_size: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  sam_rho: {linear: [0.01, 0.1, 10]}
sweep: {seeds: 1000}
YAML
begin=$(date +%s)
"$program" run job.yaml --progress plain >out 2>err &
pid=$!
peak=0 first=
while kill -0 "$pid" 2>/dev/null; do
    now=$(awk '$1 == "VmHWM:" {print $2}' "/proc/$pid/status" 2>/dev/null || true)
    [ -z "$now" ] || [ "$now" -le "$peak" ] || peak=$now
    if [ -z "$first" ] && grep -q ' point ' err; then
        first=$(($(date +%s) - begin))
        sleep 5 # some thousand points, their forecast and their ranking
        : >job.h5.stop
    fi
    sleep 0.2
done
status=0
wait "$pid" || status=$?
[ "$status" -eq 75 ] || {
    cat out
    tail -5 err
    exit 1
}
n=$(grep -c ' point ' err)
echo "1000000 points: $((peak / 1024)) MiB at most, first point finished after $first s, $n points in 5 s, closed after $(($(date +%s) - begin)) s"
[ "$peak" -gt 0 ] && [ "$peak" -lt 1048576 ]
