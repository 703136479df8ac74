#!/bin/sh
# report.sh PROGRAM - `sharpsweep report` on a real sweep, its refusals, and the page in a real browser where there is one.
set -eu
# shellcheck source=tests/analysis/lib.sh
. "$(dirname "$0")/lib.sh"
cat >job.yaml <<'YAML'
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 128, synthetic_test: 64, synthetic_size: 4, synthetic_noise: 0.5}
training: {max_epochs: 200, target_train_accuracy: 0.9}
curvature: {curvature_examples: 128, trace_probes: 2, spectrum_probes: 1, spectrum_steps: 5, smallest_eigenvalue: true,
            gauss_newton: true, adaptive_eigenvalue: true, gradient_alignment: true, sharpness_rho: 0.05, adaptive_rho: 0.05,
            sharpness_steps: 2, batch_sharpness_batches: 2, lambda_subsets: 2}
sweep: {seeds: 3}
grid: {learning_rate: [0.05, 0.2], batch_size: [16, full], dropout: [0, 0.3, 0.6]}
YAML
"$program" run job.yaml --progress none >run.log 2>&1
"$program" report job.h5 -o exact >said 2>&1 # with so few examples an epoch is a leap in train accuracy
check "points beyond their target are left out" grep -q 'train accuracy beyond its target' said
"$program" report job.h5 -o out --accuracy-slack 0.1 >said 2>&1
check "F1 and F4 are judged" grep -qE '^F1  (REPRODUCED|NOT REPRODUCED|INCONCLUSIVE)' said
check "F4 is judged" grep -qE '^F4  (REPRODUCED|NOT REPRODUCED|INCONCLUSIVE)' said
check "F3 is not covered" grep -q '^F3  NOT COVERED' said
for file in F1.png F1.pdf F4.png gap.png verdicts.txt report.html; do check "$file" [ -s "out/$file" ]; done
check "the measures are set against the gap" grep -q 'adaptive_lambda_max, all points: ' out/verdicts.txt
# A column that the analysis takes for a setting splits the comparison: every one of them must be a key of the job file.
"$program" reference --schema >schema.json
check "settings are keys of the job" "$SHARPSWEEP_PYTHON" - "$SHARPSWEEP_ANALYSIS" <<'PYTHON'
import json, sys
sys.path.insert(0, sys.argv[1])
import results
keys = {key for part in json.load(open('schema.json'))['properties'].values() for key in part.get('properties', {})}
strange = set(results.load(['job.h5']).settings()) - keys - {'batch', 'data_digest'}
print(*(f'{name} is taken for a setting' for name in sorted(strange)), sep='\n', end='')
sys.exit(bool(strange) or len(keys) < 20)
PYTHON
# analysis/README.md's own plot in five lines, as it stands there.
if "$SHARPSWEEP_PYTHON" -c 'import xarray' 2>/dev/null; then
    cp job.h5 results.h5
    sed -n '/^```python/,/^```$/p' "$SHARPSWEEP_ANALYSIS/README.md" | grep -v '^```' >own.py
    check "the README's plot: five lines" [ "$(wc -l <own.py)" = 5 ]
    check "the README's plot is drawn" env MPLBACKEND=Agg "$SHARPSWEEP_PYTHON" own.py
    check "and lies there" [ -s mine.png ]
else
    echo "skipped: the README's own plot: python3-xarray is not installed"
fi
refused() { # status 2 and one sentence
    what=$1
    shift
    status=0
    "$@" >said 2>&1 || status=$?
    check "$what: status $status" [ "$status" = 2 ]
    check "$what: one sentence" [ "$(wc -l <said)" = 1 ]
}
head -c 3000 job.h5 >cut.h5
refused "a truncated file" "$program" report cut.h5 -o none
refused "no file" "$program" report absent.h5 -o none
check "nothing was written" [ ! -e none ]
refused "no such Python" env SHARPSWEEP_PYTHON=./none "$program" report job.h5
refused "no findings.py" env SHARPSWEEP_ANALYSIS=/nonexistent "$program" report job.h5
if command -v chromium >/dev/null; then
    check "the page in a real browser" "$SHARPSWEEP_PYTHON" "$SHARPSWEEP_ANALYSIS/test_page.py" out/report.html 36
else
    echo "skipped: the page in a browser: chromium is not installed"
fi
echo "$n checks, $failed failed"
[ "$failed" = 0 ]
