#!/bin/bash
# chain.sh - for clusters that forbid requeueing: N jobs of which each starts when the one before it has ended, goes on with
# the sweep, and ends at once if nothing is left to do.
#
#   slurm/chain.sh N JOB.yaml [RESULTS.h5 [options of sbatch, for each job]]
#
# The knobs of sweep.sbatch are taken from the environment; SWEEP_SCRIPT as in array.sh. `scancel` what it prints to end all.
set -eu
# Programs of absolute folders only: an empty or relative part of PATH is the current folder, which may be a stranger's.
absolute_path() {
    local kept='' part
    while IFS= read -r -d : part; do case $part in /*) kept=$kept:$part ;; esac; done <<<"$PATH:"
    PATH=${kept#:}
}
absolute_path
here=$(cd "$(dirname "$0")" && pwd)
script=${SWEEP_SCRIPT:-$here/sweep.sbatch}
usage() {
    echo "usage: chain.sh N JOB.yaml [RESULTS.h5 [SBATCH OPTIONS]]; $1" >&2
    exit 2
}
[ $# -ge 2 ] || usage "$# arguments are given"
links=$1 job=$2
case $links in '' | *[!0-9]* | 0*) usage "N is a number from 1, not \`$links\`" ;; esac
[ -f "$job" ] || usage "there is no job file $job"
shift 2
arguments=("$job")
if [ $# -gt 0 ]; then
    arguments+=("$1")
    shift
fi
SWEEP_CHAIN=chain-$(date +%s)-$$ # one memory of what was achieved
export SWEEP_CHAIN SWEEP_REQUEUE=no
ids=
for _ in $(seq "$links"); do
    id=$(sbatch --parsable --no-requeue ${ids:+--dependency="afterany:${ids##* }"} "$@" "$script" "${arguments[@]}")
    ids="$ids ${id%%;*}"
done
echo "chain of $links jobs:$ids"
