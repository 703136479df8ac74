#!/bin/sh
# ranks.sh SHARPSWEEP [RANKS [POINTS]] - many real ranks on few cores: a sweep of trivial points (default 2000) on RANKS ranks
# (default 65: 64 workers), oversubscribed. Every point must be finished once, and by most of the workers; prints points and
# messages per second of rank 0 (a task and a result per point).
set -eu
program=$1 ranks=${2:-65} points=${3:-2000}
case $program in /*) ;; *) program=$PWD/$program ;; esac
here=$(cd "$(dirname "$0")" && pwd)
command -v mpirun >/dev/null 2>&1 || {
    echo "skipped: mpirun is not installed"
    exit 77
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-ranks-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
cat >job.yaml <<YAML
model: {network: mlp, widths: [2]}
data: {dataset: synthetic, synthetic_train: 20, synthetic_test: 10, synthetic_size: 4, synthetic_channels: 1}
training: {max_steps: 1, target_train_accuracy: 0}
curvature: {curvature_examples: 10, curvature_max_hvp: 2}
grid: {learning_rate: {linear: [0.01, 0.1, 10]}}
sweep: {seeds: $(((points + 9) / 10))}
YAML
begin=$(date +%s.%N)
sh "$here/../farm/mpirun.sh" "$ranks" "$program" run job.yaml --progress plain >out 2>err || {
    cat out
    tail -20 err
    exit 1
}
end=$(date +%s.%N)
# Rank 0 stamps each finished point's line with the seconds since it began: from the first to the last it did nothing else.
sed -nE 's/^\[ *([0-9.]+) s\] [0-9]+\/[0-9]+ point .*/\1/p' err | awk -v ranks="$ranks" -v wall="$(echo "$end $begin" | awk '{print $1 - $2}')" '
    NR == 1 {first = $1} {last = $1; n++}
    END {
        if (n < 2 || last <= first) {print "no times in the log"; exit 1}
        printf "%d points on %d ranks: %.1f s in all, %.2f s from the first point to the last\n", n, ranks, wall, last - first
        printf "rank 0: %.0f points and %.0f messages per second, each point one durable journal entry\n", (n - 1) / (last - first),
            2 * (n - 1) / (last - first)
    }'
"$program" show job.h5 --csv | awk -F, -v ranks="$ranks" '
    NR == 1 {for (i = 1; i <= NF; i++) {if ($i == "status") s = i; if ($i == "worker") w = i; if ($i == "attempts") a = i}; next}
    {n++; if ($s !~ /^(done|diverged|epoch_limit)$/) bad++; if ($a > 1) again++; if (!seen[$w]++) workers++}
    END {
        printf "%d points in the file, %d not finished, %d run more than once, %d of %d workers had some\n", n, bad, again, workers, ranks - 1
        exit !(n > 0 && bad == 0 && workers * 2 > ranks - 1)
    }'
