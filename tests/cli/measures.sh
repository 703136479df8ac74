#!/bin/sh
# measures.sh PROGRAM ROOT - jobs/measures.yaml: every measure, as the program, its files and Python see it; on weights that
# exist; on ranks; and in a file of an earlier program, which knew no measures.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
root=$2
python=/usr/bin/python3

sed '/^sweep:/d; $ a sweep: {save_weights: true}' "$root/jobs/measures.yaml" >job.yaml
run 0 plan job.yaml
has out 'curvature'
run 0 run job.yaml -o job.h5 --progress plain
run 0 show job.h5
for head in lambda_min gauss_newton trace sam_edge sharpness adaptive spherical batch_sharp alignment subset_lambda; do
    has out $head
done
run 0 verify job.h5
has out 'no fault found'
if $python -c 'import xarray, netCDF4, h5py' 2>/dev/null; then
    check "relations between the measures" $python -B "$root/analysis/check_measures.py" job.h5
    check "xarray" $python -B "$root/analysis/check_xarray.py" job.h5
else
    echo "skipped: the measures in Python: xarray, netCDF4 or h5py is missing"
fi

# The same numbers on the weights that were saved, without training.
id=$(column job.h5 id | sed -n 3p)
run 0 curvature job.yaml --weights "job.weights/$id.h5" --point 2
check "32 lines of numbers and a spectrum of 200 nodes" [ "$(wc -l <out)" -ge 230 ]
for name in trace trace_error lambda_min gauss_newton_lambda_max adaptive_lambda_max spherical_sharpness sharpness \
    adaptive_sharpness batch_sharpness alignment subset_lambda_mean subset_lambda_deviation sam_edge measure_hvp_count; do
    check "$name of weights" awk -v name=$name -v want="$(column job.h5 $name | sed -n 3p)" \
        '$1 == name {d = $2 - want; if (d < 0) d = -d; found = d <= 1e-7 * (want < 0 ? -want : want)} END {exit !found}' out
done

# Ranks give the same; the file and its journal give each other.
if command -v mpirun >/dev/null; then
    run_ranks 3 0 run job.yaml -o ranks.h5 --progress none
    results job.h5 >want
    results ranks.h5 >got
    same want got
fi
results job.h5 >want
rm job.h5.journal
run 0 verify --repair job.h5
results job.h5 >got
same want got
rm job.h5
run 0 verify --repair job.h5
results job.h5 >got
same want got
if $python -c 'import xarray, netCDF4, h5py' 2>/dev/null; then
    check "relations after both repairs" $python -B "$root/analysis/check_measures.py" job.h5
fi

# A file of an earlier program: its points stay what they are, and measures are asked for beside them.
mkdir kept && (cd kept && tar xzf "$root/tests/cli/kept/f5c2b02.tar.gz") || exit 1
sed 's/curvature: {/curvature: {trace_probes: 4, /' kept/kept.yaml >more.yaml
run 2 run more.yaml -o kept/kept.h5
has err 'trace_probes: 0 in kept.h5, 4 in more.yaml'
sed 's/grid: {/grid: {trace_probes: [0, 4], /' kept/kept.yaml >more.yaml
run 0 run more.yaml -o kept/kept.h5 --progress plain
has out '8 of 8 points finished (2 of this run diverged), 4 of them now'
column kept/kept.h5 trace >traces
check "two of eight points have a trace: trained, and asked for" [ "$(grep -c . traces)" -eq 2 ]
run 0 run kept/kept.yaml -o kept/kept.h5 --progress plain
has out 'all 4 points were finished already'
run 0 verify kept/kept.h5

# Nor do they stand between its points and new ones.
sed 's/0\.05, 1e+30/0.2/' kept/kept.yaml >other.yaml
run 0 run other.yaml -o other.h5 --progress plain
(mkdir again && cd again && tar xzf "$root/tests/cli/kept/f5c2b02.tar.gz") || exit 1
run 0 merge all.h5 again/kept.h5 other.h5
check "six points together" [ "$(column all.h5 id | wc -l)" -eq 6 ]
run 0 verify all.h5
finish
