#!/bin/sh
# report.sh PROGRAM - `sharpsweep report` on a real sweep, its refusals, and the page in a real browser where there is one.
set -eu
program=$(realpath "$1")
SHARPSWEEP_ANALYSIS=$(cd "$(dirname "$0")/../../analysis" && pwd)
export SHARPSWEEP_ANALYSIS
if ! why=$(/usr/bin/python3 -c 'import h5py, scipy, matplotlib' 2>&1); then
    echo "SKIP: report: $(echo "$why" | tail -1)"
    exit 77
fi
export SHARPSWEEP_PYTHON=/usr/bin/python3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
n=0 failed=0
check() {
    what=$1
    shift
    n=$((n + 1))
    if "$@"; then return; fi
    echo "FAILED: $what"
    failed=$((failed + 1))
}
cat >job.yaml <<'YAML'
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 128, synthetic_test: 64, synthetic_size: 4, synthetic_noise: 0.5}
training: {max_epochs: 200, target_train_accuracy: 0.9}
curvature: {curvature_examples: 128}
sweep: {seeds: 3}
grid: {learning_rate: [0.05, 0.2], batch_size: [16, full], dropout: [0, 0.3, 0.6]}
YAML
"$program" run job.yaml --progress none >run.log 2>&1
"$program" report job.h5 -o out >said 2>&1
check "F1 and F4 are judged" grep -qE '^F1  (REPRODUCED|NOT REPRODUCED|INCONCLUSIVE)' said
check "F4 is judged" grep -qE '^F4  (REPRODUCED|NOT REPRODUCED|INCONCLUSIVE)' said
check "F3 is not covered" grep -q '^F3  NOT COVERED' said
for file in F1.png F1.pdf F4.png gap.png verdicts.txt report.html; do check "$file" [ -s "out/$file" ]; done
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
    # What the browser makes of it: no error, every picture decoded (a broken one has no width), the table filled.
    sed 's|</body>|<script>onload = () => document.title = [...document.images].every(i => i.naturalWidth > 100) + " " +
        document.images.length + " " + document.querySelectorAll(".scroll tbody tr").length</script></body>|' out/report.html >looked.html
    chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync \
        --disable-component-update --user-data-dir="$scratch/profile" --dump-dom "file://$scratch/looked.html" >dom 2>/dev/null
    pictures=$(grep -o '<img' out/report.html | wc -l)
    check "the browser shows $pictures pictures and 36 rows: $(grep -o '<title>[^<]*' dom)" \
        grep -q "<title>true $pictures 36</title>" dom
else
    echo "skipped: the page in a browser: chromium is not installed"
fi
echo "$n checks, $failed failed"
[ "$failed" = 0 ]
