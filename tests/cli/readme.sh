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
commands=$(sed -n '/^```sh$/,/^```$/p' README.md | sed -n 's/^\(jobs\/[^#]*\|mpirun[^#]*\|tests\/[^#]*\).*/\1/p' | sed 's/ *$//')
check "the README shows three commands" [ "$(echo "$commands" | wc -l)" -eq 3 ]
echo "$commands" | grep -v '^tests/run.sh' >"$dir/commands"
check "two of them are run here" [ "$(wc -l <"$dir/commands")" -eq 2 ]
while read -r line; do
    n_checks=$((n_checks + 1))
    sh -c "$line" >"$dir/out" 2>"$dir/err" </dev/null || (cd "$dir" && fail "$line: status $?")
done <"$dir/commands"
results=results/quickstart.h5
cd "$dir" || exit 1
has out 'points were finished already'
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
for job in jobs/*.yaml; do
    case $job in
    *edge-of-stability*)
        if [ ! -d "${SHARPSWEEP_DATA:-/nonexistent}/cifar-10-batches-bin" ]; then
            echo "skipped: plan of $job: CIFAR-10 is not in SHARPSWEEP_DATA"
            continue
        fi
        ;;
    esac
    run 0 plan "$job" -o "$dir/none.h5"
done
finish
