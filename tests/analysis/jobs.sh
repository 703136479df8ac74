#!/bin/sh
# jobs.sh PROGRAM ROOT - every job file of jobs/ is read and planned; those of jobs/small and sam-edge, cut down to some
# images and steps, run through to a verdict on their own finding and to their plateaus. CIFAR-10 need not be there: five
# thousand images of noise in its format stand in for it, which is all that a plan asks.
. "$(dirname "$0")/../cli/lib.sh"
root=$2
python=/usr/bin/python3
if [ ! -d /usr/share/datasets/fashion-mnist ]; then
    echo "SKIP: jobs: dataset-fashion-mnist is not installed"
    exit 77
fi
if ! why=$($python -c 'import h5py, scipy, matplotlib' 2>&1); then
    echo "SKIP: jobs: $(echo "$why" | tail -1)"
    exit 77
fi
mkdir -p noise/cifar-10-batches-bin
$python - noise/cifar-10-batches-bin <<'PYTHON'
import random, sys
for name in 'data_batch_1', 'test_batch':
    with open(f'{sys.argv[1]}/{name}.bin', 'wb') as file:
        for i in range(5000):
            file.write(bytes([i % 10]) + random.Random(i).randbytes(3072))
PYTHON
planned=0
for job in "$root"/jobs/*.yaml "$root"/jobs/paper/*.yaml "$root"/jobs/small/*.yaml; do
    if grep -q 'dataset: cifar10' "$job"; then export SHARPSWEEP_DATA="$dir/noise"; else unset SHARPSWEEP_DATA; fi
    run 0 plan "$job" -o none.h5
    has out 'core-hours'
    for part in Asks: Expect: Costs:; do check "$job says what it '$part'" grep -q "^# $part" "$job"; done
    planned=$((planned + 1))
done
check "13 job files or more, found $planned" [ "$planned" -ge 13 ]

# cut FILE - a job of jobs/ with the same grid, but for fewer images, seeds and full-batch steps, and an easier target.
cut() {
    sed -e 's/train_examples: [0-9]*/train_examples: 300/' -e 's/test_examples: [a-z0-9]*/test_examples: 200/' \
        -e 's/seeds: .*/seeds: 2/' -e 's/target_train_accuracy: [0-9.]*/target_train_accuracy: 0.7/' \
        -e 's/learning_rate: \[0.03, 0.1, 0.3\]/learning_rate: [0.1, 0.3]/' \
        -e 's/sam_rho: \[0, 0.05, 0.1\]/sam_rho: [0, 0.05]/' \
        -e 's/interpolation_points: 8/interpolation_points: 2/' -e 's/max_epochs: .*/max_epochs: 400/' \
        -e 's/evaluate_every_epochs: 50/evaluate_every_epochs: 10/' \
        -e 's/curvature_examples: all/curvature_examples: 100/' "$1"
}
for finding in 1 2 3 4 5; do
    cut "$root/jobs/small/f$finding.yaml" >f$finding.yaml
    run 0 run f$finding.yaml --progress none
    n_checks=$((n_checks + 1))
    $python "$root/analysis/findings.py" f$finding.h5 -o report$finding --accuracy-slack 0.3 >out 2>err ||
        fail "findings.py f$finding.h5: $?"
    check "F$finding is judged by its own file: $(grep "^F$finding " out)" \
        grep -qE "^F$finding  (REPRODUCED|NOT REPRODUCED|INCONCLUSIVE)" out
    check "and drawn" [ -s report$finding/F$finding.png ]
done
n_checks=$((n_checks + 1))
$python "$root/analysis/findings.py" f?.h5 -o all --accuracy-slack 0.3 >out 2>err ||
    fail "findings.py on all five files: status $?"
for finding in 1 2 3 4 5; do
    check "all five files together judge F$finding" grep -qE "^F$finding  (REPRODUCED|NOT REPRODUCED|INCONCLUSIVE)" out
done

cut "$root/jobs/sam-edge.yaml" | sed -e 's/accuracy: 0.7/accuracy: 0.9/' -e 's/steps: 25/steps: 5/' >sam-edge.yaml
run 0 run sam-edge.yaml --progress none
n_checks=$((n_checks + 1))
$python "$root/analysis/edges.py" sam-edge.h5 -o edges.png >out 2>err || fail "edges.py: status $?"
has out 'sam rho 0.1: lambda_max'
check "the edges are drawn" [ -s edges.png ]
for bad in f1.h5 f1.yaml none.h5; do # without tracked curvature, no HDF5, not there
    n_checks=$((n_checks + 1))
    $python "$root/analysis/edges.py" $bad >out 2>err && fail "edges.py $bad: status 0"
    check "edges.py $bad: one sentence" [ "$(cat out err | wc -l)" -eq 1 ]
done
finish
