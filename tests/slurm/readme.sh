#!/bin/sh
# Every command of slurm/README.md's ```sh blocks, in its order, as it stands there; each job is waited for.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm
slow_job sweep.yaml 20
mkdir bin
ln -s "$program" bin/sharpsweep
ln -s "$scripts" slurm
PATH=$dir/bin:$PATH
export PATH
unset SWEEP_PROGRAM
sed -n '/^```sh$/,/^```$/p' slurm/README.md | grep -v '^```' >commands
check "the README shows commands" [ "$(wc -l <commands)" -ge 10 ]
queue_is_empty() {
    for waiting in $(squeue -h -o %i); do has_ended "$waiting"; done
    no_jobs
}
while read -r line; do
    n_checks=$((n_checks + 1))
    sh -c "$line" >out 2>err </dev/null || fail "$line: status $?"
    case $line in squeue*) ;; *) wait_for 900 queue_is_empty || fail "$line: its jobs do not end: $(squeue)" ;; esac
done <commands
for file in sweep.h5 all.h5 chained.h5; do check "$file is complete" [ "$(finished $file)" = 24 ]; done

# Messages that the README explains are messages that the scripts know.
for text in 'the time is nearly up' 'requeueing job' 'requeueing is refused here' 'not requeued' 'cancelled or preempted: state saved' \
    'cancelled or preempted before the ranks had saved' 'the sweep was broken off' 'ended by force' 'did not stop within' 'gave up:' \
    'the ranks have not begun to work within' 'but rank 0 does not: ended by force' 'rank 0 was killed, but'; do
    has slurm/README.md "$text"
    has slurm/sweep.sbatch "$text"
done
for text in 'not all ranks arrived within 120 s' 'not all ranks answered within 120 s' 'rank 0 was not heard for 120 s; this rank ends'; do
    has slurm/README.md "$text" # as the program says it, see tests/cli/ranks.sh and crew.sh
done
for knob in $(grep -ow 'SWEEP_[A-Z_]*' slurm/README.md | sort -u); do has slurm/sweep.sbatch "$knob"; done
for option in $(grep -o '`--[a-z]*`' slurm/README.md | tr -d '`' | sort -u); do
    grep -q -- "$option" slurm/sweep.sbatch || "$program" submit --help | grep -q -- "$option" || fail "$option is unknown"
done
finish
