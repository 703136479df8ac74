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
# What is of no report is kept; what cannot be finished changes nothing, and leaves no folder.
echo notes >out/gap.pdf
rm out/F1.pdf
mkdir out/F1.pdf
"$program" report job.h5 -o out --accuracy-slack 0.1 >said 2>&1
check "two files are kept: $(cat said)" [ "$(grep -c 'is of no report, and is kept as' said)" = 2 ]
check "as they were" [ "$(cat out/gap.pdf.kept-*)" = notes ] && check "a folder, too" [ -d out/F1.pdf.kept-* ]
find out -type f -exec sha256sum {} + | sort >before
for where in out a/b/out; do
    status=0
    (ulimit -f 8 && exec "$program" report job.h5 -o $where --accuracy-slack 0.1) >said 2>&1 || status=$?
    check "$where, a limit on files: status $status: $(cat said)" [ "$status" = 2 ]
done
find out -type f -exec sha256sum {} + | sort >after
check "nothing has changed" cmp -s before after
check "nothing is left" [ ! -e a ]
check "no draft is left" [ -z "$(find out -name '.report-*')" ]
rm -r out/*.kept-*
# A name that is no UTF-8.
name=$(printf 'caf\351\033[31m')
cp job.yaml "$name.yaml"
"$program" run "$name.yaml" -o "$name.h5" --progress none >said 2>&1
status=0
"$program" report "$name.h5" -o "$name" >said 2>&1 || status=$?
check "a name in Latin 1: status $status: $(cat -v said)" [ "$status" = 0 ]
check "its page" [ -s "$name/report.html" ]
check "no escape sequence is printed" sh -c '! grep -q "$(printf "\033")" said'
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
