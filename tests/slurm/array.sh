#!/bin/sh
# Several allocations share a sweep: an array of slices, one of them requeued on the way, and the job that merges them.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm
slow_job job.yaml
run 0 run job.yaml -o whole.h5
array() { # ARGUMENTS... - sets $array and $merge
    n_checks=$((n_checks + 1))
    bash "$scripts/array.sh" "$@" >out 2>err || fail "array.sh $*"
    array=$(sed -n 's/^array \([0-9]*\):.*/\1/p' out)
    merge=$(sed -n 's/.*job \([0-9]*\) merges.*/\1/p' out)
}
log_of() { # TASK
    echo "sharpsweep-$array-$1.log"
}
array 3 job.yaml "$dir/all.h5" --ntasks=1 --time=10
wait_more all.slice-2-of-3.h5 0
scancel --signal=USR1 --batch "${array}_2"
wait_for 300 grep -q "requeueing job ${array}_2" "$(log_of 2)" || fail "task 2 is not requeued: $(cat "$(log_of 2)")"
all_ended() {
    for task in 1 2 3; do has_ended "${array}_$task" || return 1; done
}
wait_for 900 all_ended || fail "the array does not end: $(squeue)"
wait_end "$merge"
ln -s "sharpsweep-merge-$merge.log" "log.$merge"
ended_with "$merge" 0
log_has "$merge" '24 of 24 points finished, from 3 files'
for task in 1 2 3; do check "slice $task" grep -q '8 of 8 points finished' "$(log_of $task)"; done
undisturbed all.h5 whole.h5
check "every point was started once, or again after the requeue" [ "$(column all.h5 attempts | sort -n | tail -1)" -le 2 ]

# The grid grows: what the merged file has is not computed again.
sed -i 's/seeds: 3/seeds: 4/' job.yaml
run 0 run job.yaml -o whole.h5
array 2 job.yaml "$dir/all.h5" --ntasks=2 --time=10
wait_end "$merge" 120
ln -s "sharpsweep-merge-$merge.log" "log.$merge"
ended_with "$merge" 0
log_has "$merge" '32 of 32 points finished'
check "only what is new" grep -q '4 of 4 points finished' "$(log_of 1)"
undisturbed all.h5 whole.h5

for bad in '' '3' '0 job.yaml' 'x job.yaml' '3 none.yaml'; do
    # shellcheck disable=SC2086
    bash "$scripts/array.sh" $bad >out 2>err
    check "array.sh $bad is refused" [ $? -eq 2 ]
    has err 'usage: array.sh'
done
finish
