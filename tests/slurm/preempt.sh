#!/bin/sh
# A job of a better partition takes the processors: SLURM requeues the sweep, which saves what it can and goes on afterwards.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm 'PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=better Nodes=ALL PriorityTier=10 State=UP'
slow_job job.yaml 2000
run 0 run job.yaml -o whole.h5
submit "$scripts/sweep.sbatch" job.yaml
wait_more job.h5 0
other=$(sbatch --parsable --partition=better --ntasks=8 --wrap 'sleep 1' --output=other.log)
wait_end "$other"
check "the better job ran" [ "$(state "$other")" = COMPLETED ]
check "the sweep was not over" [ "$(finished job.h5)" -lt 24 ]
wait_end "$id"
ended_with "$id" 0
log_has "$id" 'PREEMPTION'
log_has "$id" 'cancelled, preempted or requeued: asking the sweep to stop and save'
log_has "$id" "run 1 of job $id"
undisturbed job.h5 whole.h5
finish
