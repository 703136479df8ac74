#!/bin/sh
# What a sweep will take and how it stands: plan before and after, status during a run, failures with their reasons, and no
# point started that the time limit would cut.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# plan: from the work alone, then corrected; what is done no longer counts.
small_job job.yaml 3 '[0.05, 0.1, 0.2]' 2
run 0 plan job.yaml --ranks 3
has out 'no point has been measured yet'
has out 'core-hours'
has out 'MiB per working rank'
has out 'on 3 ranks (2 working'
run 0 run job.yaml --progress plain
has err ' point 0 '
has err '(3 epochs, '
has err "on $(uname -n), rank 0"
sed 's/seeds: 2/seeds: 4/' job.yaml >more.yaml
run 0 plan more.yaml -o job.h5
has out '24 points, 12 done, 12 to do'
has out 'corrected by 12 finished points of job.h5'
# another grid in the same file: its points say something about those of this one
sed 's/\[0.05, 0.1, 0.2\]/[0.3, 0.4]/' job.yaml >other.yaml
run 0 plan other.yaml -o job.h5
has out '8 points, 0 done, 8 to do'
has out 'corrected by 12 finished points of job.h5'

# submit asks for what plan predicts, which is less than all of max_epochs once points are known to reach their target.
sed 's/max_epochs: 3, target_train_accuracy: 0/max_epochs: 100000000, target_train_accuracy: 0.9/' job.yaml >target.yaml
run 0 run target.yaml
sed 's/seeds: 2/seeds: 4/' target.yaml >target4.yaml
run 0 submit target4.yaml -o target.h5 --ranks 2 --dry-run
has err '12 points left on 2 working ranks: about '
has err 'corrected by 12 finished points'
minutes=$(sed -n 's/^#SBATCH --time=//p' out)
check "seconds of work and the start take $minutes minutes" [ "$minutes" -le 12 ]
run 2 submit target4.yaml -o target.h5 --time 2 --dry-run
has err 'a time limit of 2 min is too short'
check "nothing is printed that could be submitted" [ ! -s out ]
# A network that plan does not try out.
printf 'model: {network: mlp, widths: [65536, 65536]}\ndata: {dataset: synthetic}\n' >huge.yaml
run 0 plan huge.yaml
has err 'too large to be timed here'
has out '50 GFLOP/s on one core, assumed'

# How convolutions are computed: what plan says of the points is what their records hold. An MLP has none.
lacks out 'convolutions'
cat >conv.yaml <<'YAML'
data: {dataset: synthetic, synthetic_classes: 4, synthetic_size: 4, synthetic_train: 32, synthetic_test: 8}
model:
  layers:
    - conv2d: {units: 32, kernel: 2, stride: 2}
    - conv2d: {units: 32, kernel: 3, padding: 1}
    - flatten
    - linear: 4
training: {max_steps: 1, target_train_accuracy: 0}
curvature: {curvature_examples: 16, curvature_max_hvp: 2}
grid: {network: [layers, mlp], batch_size: [4, 16, full]}
YAML
run 0 plan conv.yaml
check "a line per answer" [ "$(grep -c ' examples: ' out)" -eq 2 ]
sed -n 's/.* examples: //p' out | sort >said
has out 'layers, passes of 16 to 32 examples: im2col + position'
lacks out 'mlp, passes'
run 0 run conv.yaml
column conv.h5 convolutions | sort -u | sed '/^$/d' >recorded
check "plan's convolutions are the records'" cmp -s said recorded
check "an MLP has none" [ "$(column conv.h5 convolutions | grep -c '^$')" -eq 3 ]

# status during a run: who runs what since when, and how long it will go on.
small_job long.yaml 8000 '{log: [0.01, 0.3, 8]}' 4
: >run.err
"$program" run long.yaml >run.out 2>run.err &
pid=$!
tries=0
while [ "$(grep -c ' point ' run.err)" -lt 5 ] && [ "$tries" -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
tries=0
run 0 status long.h5
# It may be just between two points, or too young for a rate.
while ! { grep -q 'running points:' out && grep -q 'points per minute' out; } && [ "$tries" -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
    run 0 status long.h5
done
has out 'running now for'
has out 'points per minute'
has out 'left (nine times in ten from'
has out 'measured points'
has out 'running points:'
has out "rank 0 ($(uname -n)), for "
kill -s TERM "$pid"
wait "$pid"
check "reading does not disturb the writer" [ "$?" -eq 75 ]
run 0 status long.h5
has out 'core-hours are left'
lacks out 'running points:'

# A time limit: once the costs are known, no point starts that would be cut, and the run ends before its limit. On a busy
# machine a point may take much longer than the others did, and is then cut: one run of four has to do.
cat >limit.yaml <<'YAML'
model: {network: mlp, widths: [64, 64]}
data: {dataset: synthetic, synthetic_train: 512, synthetic_test: 64}
training: {max_epochs: 200, target_train_accuracy: 0}
curvature: {curvature_examples: 128}
sweep: {seeds: 4000, time_limit_s: 10, checkpoint_interval_s: 0} # more than any machine does in the time
grid: {learning_rate: [0.01]}
YAML
tries=0
while [ "$tries" -lt 4 ]; do
    rm -f limit.h5*
    run 75 run limit.yaml --progress plain
    ! grep -q 'stopped before its time limit' out || break
    tries=$((tries + 1))
done
has err 'points wait for another run: none would reach its first checkpoint'
has out 'stopped before its time limit'
check "no point was cut" [ "$(column limit.h5 attempts | grep -c 1)" -eq "$(column limit.h5 status | grep -c done)" ]
if have_mpirun; then
    tries=0
    while [ "$tries" -lt 4 ]; do
        rm -f limit.h5*
        run_ranks 3 75 run limit.yaml --progress plain
        ! grep -q 'stopped before its time limit' out || break
        tries=$((tries + 1))
    done
    has out 'stopped before its time limit'
fi

# Failures: each reason once with its number of points, and where to look.
cat >fail.yaml <<'YAML'
model: {network: mlp, widths: [3000, 3000]}
data: {dataset: synthetic, synthetic_train: 16, synthetic_test: 8, synthetic_size: 4}
training: {max_steps: 1, target_train_accuracy: 0, batch_size: 16}
curvature: {curvature_examples: all, curvature_max_hvp: 2}
sweep: {seeds: 3, trial_memory: 40M, memory_retries: 0}
grid: {learning_rate: [0.01]}
YAML
"$program" run fail.yaml --progress plain >out 2>err
status=$?
if [ "$status" -eq 0 ]; then
    echo "skipped: failures in status: a trial's memory cannot be limited here"
else
    check "status $status of a sweep with failed points, not 3" [ "$status" -eq 3 ]
    check "a line of the log for each" [ "$(grep -c 'failed: ' err)" -eq 3 ]
    run 0 status fail.h5
    has out '3 failed'
    has out 'failed points (`run` tries them again)'
    has out '  3 points: '
    has out '; and others'
    has out 'show fail.h5 --csv'
    check "one reason, one entry" [ "$(grep -c '^  [0-9]* points*: ' out)" -eq 1 ]
fi
# Whenever it happens: what was measured of one point is no part of a reason that several have.
small_job segv.yaml 4000 '[0.05]' 3
sed -i 's/progress_s: 1/crash_retries: 0/' segv.yaml
SHARPSWEEP_FAULT='segv@point=0,phase=train;segv@point=1,phase=train,after=500;segv@point=2,phase=train,after=900;abort@point=3,phase=train' \
    "$program" run segv.yaml >out 2>err
check "status $?, not 3" [ $? -eq 3 ]
run 0 status segv.h5
check "reasons without what was measured" [ "$(grep -c '^  3 points: its process ended with signal 11 (Segmentation fault), in train$' out)" -eq 1 ]
has out '  1 point: its process ended with signal 6 (Aborted), in train ('
check "two reasons" [ "$(grep -c '^  [0-9]* points*: ' out)" -eq 2 ]
finish
