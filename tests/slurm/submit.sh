#!/bin/sh
# sharpsweep submit: ranks, memory and time that fit the plan and the partition; no name becomes a command; what cannot be is
# refused. Hostile names go through the real sbatch.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

# Without a SLURM: this machine's cores, and no submission.
slow_job job.yaml 3
mkdir empty
n_checks=$((n_checks + 2))
env PATH="$dir/empty" "$program" submit job.yaml --dry-run >out 2>err || fail "no dry run without a SLURM"
has err 'no answer from sinfo'
has out '#SBATCH --requeue'
has out "set -- '$dir/job.yaml' '$dir/job.h5'"
check "the script is a script" bash -n out
env PATH="$dir/empty" "$program" submit job.yaml >out 2>err
[ $? -eq 2 ] || fail "no sbatch: status is not 2"
has err 'sbatch cannot be started'
check "nothing was begun" [ ! -e job.h5 ]

start_slurm "PartitionName=short Nodes=ALL MaxTime=00:07:00 State=UP
PartitionName=long Nodes=ALL MaxTime=2-00:00:00 State=UP"
run 2 submit job.yaml --partition none
has err 'sbatch refused the script'
run 0 submit job.yaml --dry-run
has out '#SBATCH --ntasks=8' # the node's cores
has out '#SBATCH --cpus-per-task=1'
has out '#SBATCH --mem-per-cpu='
has out '#SBATCH --time=1'   # 10 or 11 minutes: seconds of work, and the start
has out '#SBATCH --signal=B:USR1@1'
lacks out '#SBATCH --nodes'
run 0 submit job.yaml --dry-run --partition short --account a.b_c --qos high --launcher srun --modules "it's"
has out '#SBATCH --partition=short'
has out '#SBATCH --account=a.b_c'
has out '#SBATCH --qos=high'
has out '#SBATCH --time=7' # no more than the partition allows
has out 'SWEEP_LAUNCHER=srun'
has out "SWEEP_MODULES='it'\\''s'"
run 0 submit job.yaml --dry-run --ranks 3 --time 1-02:03 --nodes 2
has out '#SBATCH --ntasks=3'
has out '#SBATCH --nodes=2'
has out '#SBATCH --time=1563'
has out '#SBATCH --signal=B:USR1@300'
small_job few.yaml 3 '[0.1]' 1
run 0 submit few.yaml --dry-run
has out '#SBATCH --ntasks=2' # two points have no use for more
cat >big.yaml <<END
model: {network: mlp, widths: [4096, 4096]}
data: {dataset: synthetic, synthetic_train: 4000, synthetic_test: 64, synthetic_size: 32}
training: {max_epochs: 20}
curvature: {curvature_examples: 128}
sweep: {threads: 2}
grid: {learning_rate: {log: [0.01, 1, 40]}}
END
run 0 submit big.yaml --dry-run
has out '#SBATCH --cpus-per-task=2'
check "no more ranks than CPUs" [ "$(sed -n 's/^#SBATCH --ntasks=//p' out)" -le 4 ]
check "memory of the large network" [ "$(sed -n 's/^#SBATCH --mem-per-cpu=\([0-9]*\)M/\1/p' out)" -ge 150 ]
run 0 submit few.yaml --dry-run --time 30
ranks_in_time=$(sed -n 's/^#SBATCH --ntasks=//p' out)
check "a long time needs one rank" [ "$ranks_in_time" -eq 1 ]

bad() { # TEXT ARGUMENTS...
    text=$1
    shift
    run 2 submit job.yaml "$@"
    has err "$text"
    check "nothing is printed that could be submitted" [ ! -s out ]
}
for word in 'a b' 'a;b' "a
#SBATCH --wrap=x" '' '-x' '$(id)' '`id`' "a'b" 'a"b' 'a>b' 'a\b' 'ä'; do
    for option in partition account qos; do bad 'letters, digits and any of' "--$option=$word"; done
done
bad '--launcher rockets: one of' --launcher rockets
bad '--launcher ;id' --launcher ';id'
for time in x '' 1: :1 1:2:3:4 -1 1-2:3:4:5 0 '1;id' 1e3; do bad "--time" "--time=$time"; done
bad '--nodes 0' --nodes 0
bad '--nodes 30: only' --nodes 30
bad '--ranks 1;id' --ranks '1;id'
run 2 submit none.yaml
has err none.yaml
printf 'training: {learning_rat: 0.1}\n' >typo.yaml
run 2 submit typo.yaml

# Names from hell: each would leave a file `pwned` if any shell or sbatch read it. The sweep runs under all of them.
hostile() { # NAME
    mkdir "$1" || return
    cp few.yaml "$1/$1.yaml"
    run 0 submit "$1/$1.yaml" -o "$1/$1.h5" --ranks 1 --time 5 --launcher none
    id=$(sed -n 's/^Submitted batch job //p' out)
    wait_end "$id" 30
    n_checks=$((n_checks + 1))
    [ "$(exit_code "$id")" = 0 ] || fail "the sweep of [$1] ended with $(exit_code "$id"): $(tail -n 3 ./*-"$id".log)"
    check "[$1] was run" [ "$("$program" show "$1/$1.h5" --csv | grep -c ',done,')" -eq 2 ]
    check "[$1] is one job" [ "$(scontrol -o show job "$id" | wc -l)" -eq 1 ]
}
hostile "it's"
hostile '$(touch pwned)'
hostile '`touch pwned`; touch pwned #'
hostile "'; touch pwned; '"
hostile 'a
#SBATCH --array=1-3
touch pwned
'
hostile '"$HOME" \ & | > pwned *'
hostile '-rf %j %A ${IFS}'
check "nothing was executed" [ -z "$(find . -name pwned)" ]
finish
