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

# The merge goes where the array goes; the array is told of before anything can go wrong with the merge.
mkdir stub
merger=$(cd "$scripts" && pwd)/merge.sbatch
cat >stub/sbatch <<'END'
#!/bin/sh
printf '%s\n' "$*" >>calls
[ "$(wc -l <calls)" -le "${REFUSED_AFTER:-2}" ] || exit 1
echo "$(wc -l <calls);there"
END
chmod +x stub/sbatch
printf '#!/bin/bash\n#SBATCH --ntasks=3\n#SBATCH --partition=written\n#SBATCH --account=b.c\n' >script.sbatch
passed_on() { # WORDS OPTIONS... - the words that the merge gets for these options of the array
    expected=$1
    shift
    rm -f calls
    n_checks=$((n_checks + 1))
    PATH=$dir/stub:$PATH bash "$scripts/array.sh" 3 job.yaml x.h5 "$@" >out 2>err || fail "array.sh $*"
    same out - <<END
array 1: 3 slices of job.yaml
job 2 merges them into x.h5
END
    sed -n "2s|--parsable --dependency=afterany:1 *\\(.*\\) *$merger job.yaml x.h5 3\$|\\1|p" calls | sed 's/ *$//' >words
    check "the merge gets [$(cat words)] for [$*], not [$expected]" [ "$(cat words)" = "$expected" ]
}
passed_on ''
passed_on '' --ntasks=2 --time=60 --nodes 3 -n 4
passed_on '--account=a --partition=p,r --qos=q --clusters=c --reservation=v' --account=a --partition=p,r --time=1 --qos=q --clusters=c --reservation=v
passed_on '--account a --partition p --qos q --clusters c' --account a --ntasks 2 --partition p --qos q --clusters c
passed_on '-A a -pp -q q -M c' -A a -n 3 -pp -q q -M c
export SWEEP_SCRIPT=script.sbatch
passed_on '--partition=written --account=b.c --partition=p' --partition=p
unset SWEEP_SCRIPT
rm -f calls
REFUSED_AFTER=1 PATH=$dir/stub:$PATH bash "$scripts/array.sh" 3 job.yaml x.h5 -p p >out 2>err
status=$?
check "status $status, not 1, where the merge is refused" [ "$status" -eq 1 ]
has out 'array 1: 3 slices of job.yaml'
has err "when array 1 has ended: sbatch -p p $merger job.yaml x.h5 3"

# Modules of the merge, as of the sweep.
for script in sweep merge; do sed -n '/^load_modules() {/,/^}/p' "$scripts/$script.sbatch" >"$script.modules"; done
check "there is something to load modules with" [ -s merge.modules ]
same sweep.modules merge.modules
SWEEP_MODULES=openmpi/none bash "$scripts/merge.sbatch" job.yaml all.h5 3 >out 2>err
status=$?
check "without its modules there is no merge" [ "$status" -eq 2 ]
grep -q 'there is no `module` here\|module load openmpi/none failed' out || fail "merge.sbatch says nothing of its modules"
mkdir bin
printf '#!/bin/sh\necho "module $*" >>loaded\n' >bin/module
chmod +x bin/module
n_checks=$((n_checks + 1))
SWEEP_MODULES='openmpi hdf5' PATH=$dir/bin:$PATH bash "$scripts/merge.sbatch" job.yaml all.h5 2 >out 2>err || fail 'merge.sbatch with modules'
check "both are loaded" [ "$(tr '\n' ' ' <loaded)" = 'module load openmpi module load hdf5 ' ]

for bad in '' '3' '0 job.yaml' 'x job.yaml' '3 none.yaml'; do
    # shellcheck disable=SC2086
    bash "$scripts/array.sh" $bad >out 2>err
    check "array.sh $bad is refused" [ $? -eq 2 ]
    has err 'usage: array.sh'
done
finish
