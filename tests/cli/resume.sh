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
sha256sum job.h5 job.h5.journal >after
same before after

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

# Points that fail: status 3 and the reason; run again, they are tried again.
cat >fail.yaml <<EOF
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 2, target_train_accuracy: 0, batch_size: 32}
curvature: {curvature_examples: 128}
sweep: {save_weights: true}
grid: {learning_rate: [0.1, 0.2]}
EOF
echo 'a file where the folder of weights belongs' >fail.weights
run 3 run fail.yaml
has out '0 of 2 points finished, 2 failed'
run 0 status fail.h5
has out '2 failed'
has out 'fail.weights'
rm fail.weights
run 0 run fail.yaml
has out '2 of 2 points finished'
check "the second attempt is counted" [ "$(column fail.h5 attempts | sort -u)" = 2 ]
run 0 run fail.yaml
has out 'finished already'
finish
