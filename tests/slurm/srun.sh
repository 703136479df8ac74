#!/bin/sh
# srun --mpi=pmix in place of mpirun: stopped in order, requeued, a task killed, complete. pmi2 is for MPI libraries that have
# no PMIx; Debian's Open MPI has it. One process needs neither.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm
srun --mpi=list 2>&1 | grep -qw pmix || skip "this SLURM has no pmix plugin"
slow_job job.yaml
run 0 run job.yaml -o whole.h5
export SWEEP_LAUNCHER=srun
submit "$scripts/sweep.sbatch" job.yaml "$dir/job.h5"
wait_more job.h5 0
log_has "$id" 'srun --mpi=pmix'
scancel --signal=USR1 --batch "$id"
wait_for 300 grep -q 'requeueing job' "log.$id" || fail "not requeued: $(cat "log.$id")"
before=$(finished job.h5)
wait_for 600 eval "has_ended $id; more_finished job.h5 $before"
kill -9 "$(pgrep -f -- "^$program run.*$dir/job.h5" | head -1)" # srun ends the step, the script begins again
wait_end "$id"
ended_with "$id" 0
log_has "$id" 'the sweep was broken off'
check "several ranks worked" [ "$(column job.h5 worker | sort -u | wc -l)" -ge 2 ]
undisturbed job.h5 whole.h5

SWEEP_LAUNCHER=none submit --ntasks=1 "$scripts/sweep.sbatch" job.yaml "$dir/one.h5"
wait_end "$id"
ended_with "$id" 0
undisturbed one.h5 whole.h5
finish
