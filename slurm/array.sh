#!/bin/bash
# array.sh - several allocations share one sweep: a job array, each task of which computes one slice of the grid into a file
# of its own (RESULTS.slice-I-of-N.h5) and requeues itself, and a job that merges them when all have ended.
#
#   slurm/array.sh SLICES JOB.yaml [RESULTS.h5 [options of sbatch, for each task]]
#
# Points that RESULTS.h5 has already are not computed again, so that a grid that has grown is a matter of the same command.
# Prints the numbers of the two jobs. SWEEP_SCRIPT: another script than sweep.sbatch, such as one that
# `sharpsweep submit --dry-run` wrote. The knobs of sweep.sbatch are taken from the environment.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
script=${SWEEP_SCRIPT:-$here/sweep.sbatch}
usage() {
    echo "usage: array.sh SLICES JOB.yaml [RESULTS.h5 [SBATCH OPTIONS]]; $1" >&2
    exit 2
}
[ $# -ge 2 ] || usage "$# arguments are given"
slices=$1 job=$2
case $slices in '' | *[!0-9]* | 0*) usage "SLICES is a number from 1, not \`$slices\`" ;; esac
[ -f "$job" ] || usage "there is no job file $job"
if [ $# -ge 3 ]; then
    results=$3
    shift 3
else
    shift 2
    program=${SWEEP_PROGRAM:-$(command -v sharpsweep || echo build/sharpsweep)}
    results=$("$program" where -- "$job")
fi
export SWEEP_SLICES="$slices"
array=$(sbatch --parsable --array="1-$slices" --output=%x-%A-%a.log "$@" "$script" "$job" "$results")
array=${array%%;*} # ID;CLUSTER
merge=$(sbatch --parsable --dependency="afterany:$array" "$here/merge.sbatch" "$job" "$results" "$slices")
echo "array $array: $slices slices of $job; job ${merge%%;*} merges them into $results"
