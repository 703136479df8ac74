#!/bin/sh
# status, show, CSV and verify, on a finished sweep and during one.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

small_job job.yaml 3 '[0.05, 1e+30]' 3
run 0 run job.yaml --progress plain
has err 'points to do'
has err 'lambda_max'
run 0 show job.h5
has out learning_rate
has out lambda_max
has out diverged
check "12 rows and a head" [ "$(wc -l <out)" -eq 13 ]
check "columns are aligned" [ "$(awk '{print length($0)}' out | sort -u | wc -l)" -eq 1 ]
run 0 show job.h5 --csv
check "12 rows and a head" [ "$(wc -l <out)" -eq 13 ]
check "every row has all columns" [ "$(awk -F, '{print NF}' out | sort -u | wc -l)" -eq 1 ]
for name in learning_rate batch_size seed status lambda_max lambda_residual hvp_count train_loss train_accuracy test_loss \
    test_accuracy epochs steps train_s curvature_s attempts worker host max_epochs network; do
    check "CSV has $name" [ -n "$(head -1 out | tr ',' '\n' | grep -x "$name")" ]
done
check "a diverged point has no lambda_max" [ "$(awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) {if ($i == "status") s = i; if ($i == "lambda_max") l = i}; next} $s == "diverged" && $l != ""' out | wc -l)" -eq 0 ]
run 0 status job.h5
has out '12 points: 12 finished'
has out 'complete'
has out 'learning_rate'
has out 'batch_size'
run 0 verify job.h5
has out 'no fault found'

# A torn journal tail: found, repaired, nothing lost.
results job.h5 >before
printf 'torn' >>job.h5.journal
run 2 verify job.h5
run 0 verify job.h5 --repair
run 0 verify job.h5
results job.h5 >after
same before after

# During a run.
small_job long.yaml 4000 '{log: [0.01, 0.3, 8]}' 2
"$program" run long.yaml >run.out 2>run.err &
pid=$!
wait_for_file long.h5
sleep 0.5
run 0 status long.h5
has out '32 points'
has out 'running now'
run 0 show long.h5
run 0 plan long.yaml
kill -s TERM "$pid"
wait "$pid"
check "reading does not disturb the writer" [ "$?" -eq 75 ]
run 0 status long.h5
has out 'not running'
finish
