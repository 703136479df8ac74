#!/bin/sh
# memory.sh SHARPSWEEP [CASE...] - the memory that `plan` predicts, beside the peak that the same point has: within 20 %.
# CASE: mlp, cnn, cnn-bn, vectors (these four by default), vgg11, vgg11-bn, and
#   full: a VGG-11 step over 10,000 images (batch_size: full) peaks hardly above one over 1,000: micro-batches bound it.
# Prints a table; status 1 where a prediction is off or `full` needs more.
set -eu
case $1 in /*) program=$1 ;; *) program=$PWD/$1 ;; esac
shift
[ $# -gt 0 ] || set -- mlp cnn cnn-bn vectors
dir=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-memory-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
failed=0

# job NAME MODEL DATA TRAINING CURVATURE
job() {
    printf 'model: {%s}\ndata: {dataset: synthetic, synthetic_noise: 1, synthetic_classes: 10, %s}\n' "$2" "$3" >"$dir/$1.yaml"
    printf 'training: {target_train_accuracy: 0, learning_rate: 0.001, %s}\ncurvature: {%s}\n' "$4" "$5" >>"$dir/$1.yaml"
}
# MiB that plan predicts, and that the point took
predicted() {
    "$program" plan "$dir/$1.yaml" -o "$dir/$1.h5" | awk '$1 == "memory" {print $2}'
}
measured() {
    "$program" run "$dir/$1.yaml" -o "$dir/$1.h5" >"$dir/log" 2>&1 || { cat "$dir/log" >&2; return 1; }
    "$program" show "$dir/$1.h5" --csv | awk -F, '
        NR == 1 {for (i = 1; i <= NF; i++) if ($i == "peak_memory_bytes") c = i; next}
        {printf "%.1f\n", $c / 1048576}'
}
compare() {
    p=$(predicted "$1") m=$(measured "$1")
    awk -v name="$1" -v p="$p" -v m="$m" 'BEGIN {
        good = m > 0 && p >= 0.8 * m && p <= 1.2 * m
        printf "| %s | %.0f | %.0f | %+.0f %% | %s |\n", name, p, m, 100 * (p / m - 1), good ? "ok" : "**off**"
        exit !good}' || failed=1
}
grey='synthetic_size: 28, synthetic_channels: 1, synthetic_test: 100'
colour='synthetic_size: 32, synthetic_channels: 3'
full() {
    for batch in 1000 full; do
        job "vgg11-$batch" 'network: vgg11' "$colour, synthetic_train: 10000, synthetic_test: 10" \
            "max_steps: 1, batch_size: $batch" 'curvature_examples: 64, curvature_max_hvp: 3'
    done
    a=$(measured vgg11-1000) b=$(measured vgg11-full)
    if [ -n "${BENCH_RESULTS:-}" ]; then
        awk -v a="$a" -v b="$b" \
            'BEGIN {printf "{\"row\": \"full_over_1000\", \"case\": \"vgg11\", \"value\": %.4f}\n", b / a}' >>"$BENCH_RESULTS"
    fi
    awk -v a="$a" -v b="$b" 'BEGIN {
        good = a > 0 && b <= 1.1 * a
        printf "\nVGG-11, one step over 1,000 images: peak %.0f MiB; over 10,000 (full): %.0f MiB: %s\n", a, b,
               good ? "ok" : "**more than micro-batches need**"
        exit !good}' || failed=1
}
printf '| point | predicted MiB | peak MiB | off by | |\n|---|---|---|---|---|\n'
for case; do
    bn=false
    case $case in *-bn) bn=true ;; esac
    case $case in
    mlp*)
        job "$case" "network: mlp, batch_norm: $bn" "$grey, synthetic_train: 20000" 'max_steps: 3, batch_size: 128' \
            'curvature_examples: 10000' ;;
    vectors) # much of everything that is as long as the weights
        job "$case" 'network: mlp, widths: [2000, 2000]' "$grey, synthetic_train: 1000" \
            'max_steps: 2, batch_size: full, micro_batch: 250, sam_rho: 0.05, sam_m: 500' \
            'curvature_examples: 500, curvature_max_hvp: 3, interpolation_points: 2, track_every_steps: 1, eigenvalues: 2' ;;
    cnn*)
        job "$case" "network: cnn, batch_norm: $bn" "$grey, synthetic_train: 1000" 'max_steps: 2, batch_size: 128' \
            'curvature_examples: 500, curvature_max_hvp: 3' ;;
    vgg11*)
        job "$case" "network: vgg11, batch_norm: $bn" "$colour, synthetic_train: 300, synthetic_test: 10" \
            'max_steps: 2, batch_size: 64' 'curvature_examples: 128, curvature_max_hvp: 4' ;;
    full) full; continue ;;
    *)
        echo "memory.sh: $case is not a case" >&2
        exit 2 ;;
    esac
    compare "$case"
done
exit $failed
