#!/bin/sh
# efficiency.sh SHARPSWEEP [RANKS] - how much of their time workers work: a real sweep of 200 points of mixed cost, run from
# nothing; efficiency = sum of train_s + curvature_s over (working ranks x wall time of the whole command, its start and the
# last rebuild of the results included). Without mpirun or with 1 rank: one process. RANKS default: cores + 1.
set -eu
program=$1 ranks=${2:-$(($(nproc) + 1))}
case $program in /*) ;; *) program=$PWD/$program ;; esac
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-efficiency-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
cat >job.yaml <<'YAML'
model: {network: mlp, widths: [256, 256]}
data: {dataset: synthetic, synthetic_train: 1000, synthetic_test: 200, synthetic_size: 16, synthetic_noise: 2}
training: {max_epochs: 40, target_train_accuracy: 0}
curvature: {curvature_examples: 500}
sweep: {seeds: 5}
grid:
  learning_rate: {log: [0.01, 0.3, 5]}
  batch_size: [10, 100]
  sam_rho: [0, 0.05]
  batch_norm: [false, true]
YAML
now() { date +%s.%N; }
begin=$(now)
if [ "$ranks" -gt 1 ] && command -v mpirun >/dev/null 2>&1; then
    sh "$here/../farm/mpirun.sh" "$ranks" "$program" run job.yaml --progress none >out 2>err || { cat out err; exit 1; }
    workers=$((ranks - 1))
else
    "$program" run job.yaml --progress none >out 2>err || { cat out err; exit 1; }
    workers=1
fi
end=$(now)
"$program" show job.h5 --csv | awk -F, -v begin="$begin" -v end="$end" -v workers="$workers" -v cores="$(nproc)" '
    NR == 1 {for (i = 1; i <= NF; i++) {if ($i == "train_s") t = i; if ($i == "curvature_s") c = i; if ($i == "status") s = i}; next}
    {n++; busy += $t + $c; if ($t + $c > longest) longest = $t + $c; if ($s == "failed") failed++}
    END {
        wall = end - begin
        printf "%d points (%d failed) on %d workers, %d cores: wall %.2f s, busy %.2f s, longest point %.2f s\n", n, failed, workers,
            cores, wall, busy, longest
        printf "efficiency %.1f %% (busy worker time / worker time)\n", 100 * busy / (workers * wall)
        exit !(n == 200 && failed == 0)
    }'
