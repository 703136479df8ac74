#!/bin/sh
# save_weights and curvature: the same number from the file as from the sweep.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cat >job.yaml <<EOF
model: {network: cnn}
data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 32, synthetic_size: 8}
training: {max_epochs: 1, target_train_accuracy: 0, batch_size: 32}
curvature: {curvature_examples: 32, eigenvalues: 2}
sweep: {save_weights: true}
grid: {batch_norm: [false, true]}
EOF
run 0 run job.yaml
check "two weights files" [ "$(ls job.weights/*.h5 | wc -l)" -eq 2 ]
column job.h5 id >/dev/null
"$program" show job.h5 --csv >all.csv
for point in 0 1; do
    id=$(column job.h5 id | sed -n "$((point + 1))p")
    lambda=$(column job.h5 lambda_max | sed -n "$((point + 1))p")
    run 0 curvature job.yaml --weights "job.weights/$id.h5" --point "$point"
    measured=$(awk '$1 == "lambda_max" {print $2}' out)
    check "lambda_max $measured, the sweep's $lambda" awk -v a="$measured" -v b="$lambda" 'BEGIN {exit !(a != "" && (a - b)^2 <= 1e-12 * b^2)}'
    has out test_accuracy
    has out 'eigenvalue '
done
run 2 curvature job.yaml --weights "job.weights/$id.h5"
has err '--point'
run 2 curvature job.yaml --weights "job.weights/$id.h5" --point 2
has err '--point 2'
run 2 curvature job.yaml --weights "job.weights/$id.h5" --point 0 # batch norm's tensors are in the file, but not in the network
has err "$id.h5"
run 2 curvature job.yaml --weights missing.h5 --point 0
has err missing.h5
finish
