#!/bin/sh
# readme.sh PROGRAM ROOT - every command that the README shows, as it stands there, and every job file of jobs/. (tests/run.sh
# is what runs this.) The quickstart needs Debian's Fashion-MNIST; edge-of-stability needs CIFAR-10 and is skipped by name.
. "$(dirname "$0")/lib.sh"
root=$2
if [ ! -d /usr/share/datasets/fashion-mnist ] || ! have_mpirun; then
    echo "skipped: readme: dataset-fashion-mnist or mpirun is not installed"
    exit 77
fi
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
cd "$root" || exit 1
sed -n '/^```sh$/,/^```$/p' README.md | sed '/^```/d; s/ *#.*//' >"$dir/shown"
check "the README shows six commands" [ "$(wc -l <"$dir/shown")" -eq 6 ]
# tests/run.sh runs this; install.sh installs.
grep -vxE 'tests/run.sh|meson (setup|install) .*' "$dir/shown" >"$dir/commands"
check "three of them are run here" [ "$(wc -l <"$dir/commands")" -eq 3 ]
if ! /usr/bin/python3 -c 'import h5py, scipy, matplotlib' 2>/dev/null; then
    echo "skipped: the README's report: Python's h5py, scipy or matplotlib is missing"
    sed -i '/ report /d' "$dir/commands"
fi
while read -r line; do
    n_checks=$((n_checks + 1))
    sh -c "$line" >"$dir/out" 2>"$dir/err" </dev/null || (cd "$dir" && fail "$line: status $?")
    case $line in mpirun*) grep -q 'points were finished already' "$dir/out" || fail "$line: begins anew" ;; esac
done <"$dir/commands"
results=results/quickstart.h5
cd "$dir" || exit 1
ln -s "$root/results" results
ln -s "$root/jobs" jobs
run 0 plan jobs/quickstart.yaml -o $results --ranks 3
has out '96 done, 0 to do'
run 0 status $results
has out '96 finished'
run 0 show $results
check "a line per point" [ "$(wc -l <out)" -ge 97 ]
run 0 show $results --csv
run 0 verify $results
weights=$(ls results/quickstart.weights/*.h5 | head -1)
id=$(basename "$weights" .h5)
lambda=$("$program" show $results --csv | awk -F, -v id="$id" 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "lambda_max") c = i} $1 == id {print NR - 2, $c}')
run 0 curvature jobs/quickstart.yaml --weights "$weights" --point "${lambda% *}"
got=$(awk '$1 == "lambda_max" {print $2}' out)
check "curvature of saved weights: $got, recorded ${lambda#* }" \
    awk -v a="$got" -v b="${lambda#* }" 'BEGIN {d = a - b; if (d < 0) d = -d; exit !(d <= 1e-6 * b)}'
run 0 reference
run 0 reference --schema
# Every job file: of those that the README names, of their folders.
for job in jobs/*.yaml jobs/*/*.yaml; do
    if grep -q '^ *dataset: cifar' "$job" && [ ! -d "${SHARPSWEEP_DATA:-/nonexistent}/cifar-10-batches-bin" ]; then
        echo "skipped: plan of $job: CIFAR-10 is not in SHARPSWEEP_DATA"
        continue
    fi
    run 0 plan "$job" -o "$dir/none.h5"
done
for name in $(grep -o 'jobs/[a-z0-9/-]*\.yaml' "$root/README.md" | grep -vx jobs/x.yaml | sort -u); do check "$name is there" [ -f "$name" ]; done

# One's own data: the README's Python on arrays, its job on what that writes.
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    mkdir own && cd own || exit 1
    sed -n '/^```python$/,/^```$/p' "$root/README.md" | sed '/^```/d' >convert.py
    sed -n '/^```yaml$/,/^```$/p' "$root/README.md" | sed '/^```/d' >job.yaml
    /usr/bin/python3 - <<'PYTHON'
import numpy as np
rng = np.random.default_rng(0)
for split, n in ("train", 1200), ("test", 50):
    y = np.arange(n) % 10
    x = rng.integers(0, 100, (n, 10, 8))
    x[np.arange(n), y, :] += 150
    np.save(f"x_{split}.npy", x)
    np.save(f"y_{split}.npy", y)
PYTHON
    check "the README's Python runs" /usr/bin/python3 convert.py
    run 0 run job.yaml -o own.h5
    has out '18 of 18 points finished'
    check "images and labels are what they were" [ "$(column own.h5 train_accuracy | awk '$1 >= 0.99' | wc -l)" -ge 12 ]
    check "all images are there: $(column own.h5 n_train | sort -u)" [ "$(column own.h5 n_train | sort -u)" = 1200 ]
else
    echo "skipped: the README's conversion of data: Python's numpy is missing"
fi
finish
