#!/bin/sh
# Where requeueing is forbidden: a chain of jobs by dependency goes on, each with what the one before it left; a lone job says
# that it is not requeued.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm 'JobRequeue=0'
slow_job job.yaml
run 0 run job.yaml -o whole.h5
bash "$scripts/chain.sh" 3 job.yaml "$dir/chained.h5" --ntasks=2 --time=10 --output=log.%j >out 2>err || fail "chain.sh"
has out 'chain of 3 jobs:'
# shellcheck disable=SC2046
set -- $(sed 's/.*: *//' out)
check "three jobs" [ $# -eq 3 ]
wait_more chained.h5 0
check "the second waits for the first" [ "$(state "$2")" = PENDING ]
scancel --signal=USR1 --batch "$1"
wait_end "$1"
ended_with "$1" 75
log_has "$1" 'submit the same command again to go on'
wait_end "$2"
ended_with "$2" 0
wait_end "$3"
ended_with "$3" 0
log_has "$3" 'all 24 points were finished already'
undisturbed chained.h5 whole.h5

submit --no-requeue "$scripts/sweep.sbatch" job.yaml
wait_more job.h5 0
scancel --signal=USR1 --batch "$id"
wait_end "$id"
ended_with "$id" 75
log_has "$id" 'requeueing is refused here: use slurm/chain.sh'
bash "$scripts/chain.sh" 0 job.yaml >out 2>err
check "chain.sh 0 is refused" [ $? -eq 2 ]
finish
