#!/bin/sh
# The wall clock: SLURM's own signal before the end of the time limit stops the sweep in order, and it is requeued. Its owner
# ends it by the stop file, while it waits and while it runs; what was begun goes on from its checkpoint.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm
slow_job job.yaml 3000000 # no point ends in this test
submit --time=1 --signal=B:USR1@57 "$scripts/sweep.sbatch" job.yaml
wait_for 900 grep -q 'requeueing job' "log.$id" || fail "not requeued: $(cat "log.$id")"
log_has "$id" 'the time is nearly up'
log_has "$id" 'stopped by the stop file'
run 0 verify job.h5
touch job.h5.stop
wait_end "$id"
ended_with "$id" 75
log_has "$id" 'stopped by job.h5.stop: not requeued'
check "the stop file is gone" [ ! -e job.h5.stop ]

submit "$scripts/sweep.sbatch" job.yaml
wait_for 300 grep -q 'goes on from its checkpoint' "log.$id" || fail "no checkpoint: $(cat "log.$id")"
touch job.h5.stop
wait_end "$id"
ended_with "$id" 75
log_has "$id" 'stopped by job.h5.stop: not requeued'
run 0 verify job.h5
finish
