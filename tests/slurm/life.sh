#!/bin/sh
# The life of a sweep under SLURM: submitted by `sharpsweep submit`, watched with status, warned that its time is nearly up,
# requeued, cancelled, submitted again, requeued by its owner in mid-trial, extended. It ends as an undisturbed run.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm
slow_job job.yaml
run 0 run job.yaml -o whole.h5

# Submitted with what plan predicts; watched.
run 0 submit job.yaml --ranks 2 --time 10
id=$(sed -n 's/^Submitted batch job //p' out)
must "submit says the job's number" [ -n "$id" ]
sed '/^Submitted/d' out >printed.sbatch
log=job.yaml-$id.log
wait_more job.h5 0
run 0 status job.h5
has out '24 points'
has out 'running now'
ln -s "$log" "log.$id"

# The time is nearly up: SLURM tells the batch shell alone, as scancel --batch does.
scancel --signal=USR1 --batch "$id"
wait_for 300 grep -q 'requeueing job' "$log" || fail "not requeued: $(cat "$log")"
log_has "$id" 'the time is nearly up'
log_has "$id" 'stopped by the stop file'
before=$(finished job.h5)
check "it stopped in the middle ($before points)" [ "$before" -lt 24 ]
wait_for 600 eval "has_ended $id; more_finished job.h5 $before"
log_has "$id" "run 1 of job $id"

# Cancelled: no requeue, everything finished is kept, and the file is whole.
scancel "$id"
wait_end "$id"
check "cancelled, not requeued" [ "$(state "$id")" = CANCELLED ]
log_has "$id" 'cancelled or preempted'
after=$(finished job.h5)
check "nothing is lost ($before, then $after)" [ "$after" -gt "$before" ]
run 0 verify job.h5

# The printed script, submitted as it is; its owner requeues it in mid-trial.
run 0 show job.h5
id=$(sbatch --parsable printed.sbatch)
ln -s "job.yaml-$id.log" "log.$id"
wait_more job.h5 "$after"
scontrol requeue "$id"
wait_end "$id"
ended_with "$id" 0
log_has "$id" "run 1 of job $id"
log_has "$id" 'every point has been run'
undisturbed job.h5 whole.h5

# Again: nothing is left to do. More seeds: only they are computed.
submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 0
log_has "$id" 'all 24 points were finished already'
run 0 submit job.yaml
has out 'nothing is left to do'
sed -i 's/seeds: 3/seeds: 4/' job.yaml
submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 0
log_has "$id" '32 of 32 points finished, 8 of them now'
check "no helper file stays behind" [ -z "$(ls job.h5.restarts* job.h5.status* job.h5.stop 2>/dev/null)" ]
finish
