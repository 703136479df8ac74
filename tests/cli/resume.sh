#!/bin/sh
# Running again: finished points stay, new values are added, changed settings are refused, failed points are tried again.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

small_job job.yaml 3 '[0.05, 0.1]' 2
run 0 plan job.yaml
has out '8 points, 0 done, 8 to do'
has out 'core-hours'
check "plan writes nothing" [ ! -e job.h5 ]
run 0 run job.yaml
has out 'job.h5: 8 of 8 points finished'
results job.h5 >first
check "8 rows" [ "$(wc -l <first)" -eq 9 ]
run 0 plan job.yaml --ranks 4
has out '8 points, 8 done, 0 to do'

# Again: nothing to do, nothing changed, and quick.
cp job.h5.journal journal.before
run 0 run job.yaml
has out 'all 8 points were finished already'
results job.h5 >again
same first again
check "attempts stay 1" [ "$(column job.h5 attempts | sort -u)" = 1 ]

# A grown grid computes only the new points.
small_job job.yaml 3 '[0.05, 0.1, 0.2]' 2
run 0 plan job.yaml
has out '12 points, 8 done, 4 to do'
run 0 run job.yaml
has out '12 of 12 points finished'
has out '4 of them now'
check "attempts stay 1" [ "$(column job.h5 attempts | sort -u)" = 1 ]
small_job whole.yaml 3 '[0.05, 0.1, 0.2]' 2
run 0 run whole.yaml -o deep/er/whole.h5
results job.h5 | sort >grown
results deep/er/whole.h5 | sort >whole
same grown whole

# A changed setting is refused with the difference, and nothing changes.
sha256sum job.h5 job.h5.journal >before
small_job job.yaml 4 '[0.05, 0.1, 0.2]' 2
run 2 run job.yaml
has err 'max_epochs'
has err '3'
has err '4'
grep '^sharpsweep: ' err >refusal
run 2 plan job.yaml
grep '^sharpsweep: ' err >plan
same refusal plan
run 2 submit job.yaml --dry-run
grep '^sharpsweep: ' err >submit
same refusal submit
check "nothing is printed that could be submitted" [ ! -s out ]
mkdir lone
cp job.h5 lone/           # the same of a results file that has lost its journal, and of a journal without its file
(cd lone && "$program" plan ../job.yaml -o job.h5 >../out 2>../err)
check "plan refuses by the results file alone" [ "$?" -eq 2 ]
has err 'max_epochs: 3 in job.h5, 4 in job.yaml'
check "plan writes nothing" [ "$(ls lone)" = job.h5 ]
cp job.h5.journal lone/
rm lone/job.h5
run 2 plan job.yaml -o lone/job.h5
has err 'max_epochs: 3 in job.h5, 4 in job.yaml'
sha256sum job.h5 job.h5.journal >after
same before after
small_job job.yaml 3 '[0.05, 0.1, 0.2]' 2
run 0 plan job.yaml -o lone/job.h5
has out '12 points, 12 done, 0 to do'
run 0 submit job.yaml -o lone/job.h5 --dry-run
has out 'nothing is left to do'
check "plan writes nothing" [ "$(ls lone)" = job.h5.journal ]

# An output that is not ours is refused and left alone.
echo 'my own notes' >notes.h5
small_job job.yaml 3 '[0.05, 0.1, 0.2]' 2
run 2 run job.yaml -o notes.h5
has err notes.h5
check "a foreign file is left alone" [ "$(cat notes.h5)" = 'my own notes' ]
run 2 run job.yaml -o /proc/none/r.h5
has err /proc/none

# Divergence is an outcome: status 0.
cat >wild.yaml <<EOF
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 2, target_train_accuracy: 0, batch_size: 32}
curvature: {curvature_examples: 128}
grid: {learning_rate: [0.1, 1e+30]}
EOF
run 0 run wild.yaml
has out '2 of 2 points finished (1 of this run diverged)'
check "one diverged" [ "$(column wild.h5 status | sort | tr '\n' ' ')" = 'diverged done ' ]
run 0 run wild.yaml
has out 'finished already'
# What was not measured is empty, not 0.
for name in lambda_max lambda_converged hvp_count lambda_fraction curvature_n_examples; do
    check "a diverged point has no $name" [ "$(column wild.h5 $name | grep -c .)" -eq 1 ]
done
check "a diverged point has its steps" [ "$(column wild.h5 steps | grep -c '^[1-9]')" -eq 2 ]

# Points that fail for want of memory: status 3 and the reason; run again, they are tried again. The limit is what a small
# point takes, and 100 MB; the large one's weights and gradients alone are more.
cat >fail.yaml <<EOF
model: {network: mlp, widths: [4096, 4096]}
data: {dataset: synthetic, synthetic_train: 16, synthetic_test: 8, synthetic_size: 4}
training: {max_steps: 1, target_train_accuracy: 0, batch_size: 16}
curvature: {curvature_examples: all, curvature_max_hvp: 2}
grid: {learning_rate: [0.01]}
EOF
small_job long.yaml 100000 '[0.1]' 1
"$program" run long.yaml >out 2>err &
pid=$!
wait_for_file long.h5
sleep 0.5
kib=$(awk '$1 == "VmPeak:" {printf "%.0f", $2 + 100000}' "/proc/$pid/status")
kill -s TERM "$pid"
wait "$pid"
if [ "${kib:-9999999}" -lt 4000000 ]; then
    n_checks=$((n_checks + 1))
    (ulimit -v "$kib" && exec "$program" run fail.yaml) >out 2>err
    status=$?
    [ "$status" -eq 3 ] || fail "a point without memory: status $status, not 3"
    has out '0 of 1 points finished, 1 failed'
    run 0 status fail.h5
    has out '1 failed'
    has out 'memory for'
    check "nothing is taken for a result" [ -z "$(column fail.h5 n_parameters)$(column fail.h5 epochs)$(column fail.h5 hvp_count)" ]
    run 0 run fail.yaml
    has out '1 of 1 points finished'
    check "the second attempt is counted" [ "$(column fail.h5 attempts)" = 2 ]
    run 0 run fail.yaml
    has out 'finished already'
else
    echo "skipped: this program does not work under a limit of memory (a sanitizer's does not)"
fi

# Weights that cannot be written cost the file, not the point; points finished without weights are counted.
weights_job() { # SAVE
    cat >weights.yaml <<EOF
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 2, target_train_accuracy: 0, batch_size: 32}
curvature: {curvature_examples: 128}
sweep: {save_weights: $1}
grid: {learning_rate: [0.1, 0.2, 1e+30]}
EOF
}
weights_job true
echo 'a file where the folder of weights belongs' >weights.weights
run 2 run weights.yaml
has err 'weights.weights: is not a folder'
check "nothing was begun" [ -z "$(ls weights.h5* 2>/dev/null)" ]
rm weights.weights
weights_job false
run 0 run weights.yaml
for id in $(column weights.h5 id); do mkdir -p "weights.weights/$id.h5"; done
rm weights.h5*
weights_job true
run 0 run weights.yaml
has out '3 of 3 points finished (1 of this run diverged)'
has err 'weights.weights'
rmdir weights.weights/*.h5
run 0 run weights.yaml
has err '2 of 2 trained points have no weights file'
check "the record says so" [ "$(column weights.h5 error | grep -c weights.weights)" -eq 2 ]
check "and keeps its numbers" [ "$(column weights.h5 lambda_max | grep -c '[0-9]')" -eq 2 ]
rm -r weights.weights weights.h5*
weights_job true
run 0 run weights.yaml
for part in weights.h5 weights.h5.journal; do mv $part renamed${part#weights}; done
run 0 run weights.yaml -o renamed.h5 # the folder stayed behind: both names are told
has err 'renamed.weights, but '
has err 'weights.weights has them: it was not renamed along'
rm -r renamed.h5* weights.weights
weights_job false
run 0 run weights.yaml
lacks err 'no weights file'
check "no folder for weights that nobody asked for" [ ! -e weights.weights ]
weights_job true
run 0 run weights.yaml
has out 'all 3 points were finished already'
has err '2 of 2 trained points have no weights file'
has err 'another results file (-o)'
run 0 run weights.yaml -o with.h5
check "two files" [ "$(ls with.weights | wc -l)" -eq 2 ]
lacks err 'no weights file'

# A stop file that was there before stops nothing; one that came too late is gone with its sweep.
small_job idle.yaml 3 '[0.05, 0.1]' 1
touch -d '1 hour ago' idle.h5.stop
run 0 run idle.yaml
has out '4 of 4 points finished'
has err 'idle.h5.stop: older than this run'
check "the old stop file is gone" [ ! -e idle.h5.stop ]
touch -d '1 hour' idle.h5.stop # a clock ahead of ours: nothing is left to stop
run 0 run idle.yaml
has out 'all 4 points were finished already'
check "no stop file outlives a complete sweep" [ ! -e idle.h5.stop ]
small_job idle.yaml 3 '[0.05, 0.1, 0.2]' 1
touch -d '1 hour' idle.h5.stop
run 75 run idle.yaml
has out 'by the stop file'
check "nor a stopped one" [ ! -e idle.h5.stop ]
# What is no small plain file, or is a results file, is no stop file: it stops nothing, and stays.
small_job other.yaml 3 '[0.05]' 1
kept_as() { # WHAT DATE
    rm -f other.h5 other.h5.journal
    touch -d "$2" other.h5.stop
    run 0 run other.yaml
    has out '2 of 2 points finished'
    lacks err 'other.h5.stop'
    check "$1 stays" [ -e other.h5.stop ]
    rm other.h5.stop
}
for date in '1 hour ago' '1 hour'; do
    mkfifo other.h5.stop
    kept_as "a FIFO of $date" "$date"
    cp idle.h5 other.h5.stop
    kept_as "a results file of $date" "$date"
    printf '\211HDF\r\n\032\n and little more' >other.h5.stop
    kept_as "a small HDF5 file of $date" "$date"
    head -c 4097 /dev/zero >other.h5.stop
    kept_as "a large file of $date" "$date"
done
small_job idle.yaml 3 '[0.05, 0.1, 0.2, 0.3]' 1
head -c 4096 /dev/zero >idle.h5.stop
touch -d '1 hour' idle.h5.stop
run 75 run idle.yaml
check "a file with a text stops a run too" [ ! -e idle.h5.stop ]

# A user adds a variable to a group of the program's that this sweep does not have.
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    small_job other.yaml 3 '[0.05, 0.1]' 1
    /usr/bin/python3 - <<'END' || fail "h5py cannot add to other.h5"
import h5py
with h5py.File('other.h5', 'a') as f:
    f['spectrum/mine'] = [1, 2, 3]
    f['spectrum'].attrs['who'] = 'me'
END
    run 0 run other.yaml
    has out '4 of 4 points finished, 2 of them now'
    check "it is carried over" /usr/bin/python3 -c "
import h5py
f = h5py.File('other.h5')
assert list(f['spectrum/mine']) == [1, 2, 3] and f['spectrum'].attrs['who'] == 'me' and len(f['id']) == 4"
    # A user's variable has the name of a column that this sweep does not have.
    for name in trace measure_hvp_count; do
        /usr/bin/python3 -c "
import h5py
f = h5py.File('other.h5', 'a')
f['$name'] = [1., 2, 3, 4] if '$name' == 'trace' else [1, 2, 3, 4]" || fail "h5py cannot add $name"
        sum=$(sha256sum other.h5 other.h5.journal)
        small_job other.yaml 3 '[0.05, 0.1, 0.2]' 1
        run 2 run other.yaml
        has err "other.h5: $name: has a name that is the program's own, and this sweep has no such variable; rename it"
        check "nothing has changed" [ "$sum" = "$(sha256sum other.h5 other.h5.journal)" ]
        /usr/bin/python3 -c "
import h5py
f = h5py.File('other.h5', 'a')
f.move('$name', 'mine')
del f['mine']"
    done
    run 0 run other.yaml
    has out '6 of 6 points finished, 2 of them now'
    # A user adds something while the first run goes on; again, where the run has just put a new file in place.
    small_job late.yaml 4000 '[0.05, 0.1, 0.2]' 4
    "$program" run late.yaml -o late.h5 --progress plain >out 2>err &
    pid=$!
    wait_for_file late.h5
    /usr/bin/python3 - <<'END' || fail "h5py cannot add to late.h5"
import h5py, os
while True:
    with h5py.File('late.h5', 'a') as f:
        f.attrs['note'] = 'hi'
        number = os.fstat(f.id.get_vfd_handle()).st_ino
    if os.stat('late.h5').st_ino == number:
        break
END
    check "the run still went on" kill -0 "$pid"
    wait "$pid"
    status=$?
    check "a run whose file was added to: status $status" [ "$status" -eq 0 ]
    lacks err 'is kept as'
    check "the note is there" /usr/bin/python3 -c "
import h5py
f = h5py.File('late.h5')
assert f.attrs['note'] == 'hi' and len(f['id']) == 24"
else
    echo "skipped: a user's group: no h5py here"
fi
finish
