#!/bin/bash
# array.sh - several allocations share one sweep: a job array, each task of which computes one slice of the grid into a file
# of its own (RESULTS.slice-I-of-N.h5) and requeues itself, and a job that merges them when all have ended.
#
#   slurm/array.sh SLICES JOB.yaml [RESULTS.h5 [options of sbatch, for each task]]
#
# Points that RESULTS.h5 has already are not computed again, so that a grid that has grown is a matter of the same command.
# Prints the numbers of the two jobs. The second is given the array's account, partition, QOS, cluster and reservation. SWEEP_SCRIPT: another script than sweep.sbatch, such as one that
# `sharpsweep submit --dry-run` wrote. The knobs of sweep.sbatch are taken from the environment.
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

# What says where a job may run holds for the merge too; how many tasks and how long does not.
shared=()
take_shared() { # OPTIONS of sbatch
    while [ $# -gt 0 ]; do
        case $1 in
        --account=* | --partition=* | --qos=* | --clusters=* | --reservation=* | -[ApqM]?*) shared+=("$1") ;;
        --account | --partition | --qos | --clusters | --reservation | -[ApqM])
            [ $# -ge 2 ] || return 0 # sbatch will say it
            shared+=("$1" "$2")
            shift
            ;;
        esac
        shift
    done
}
mapfile -t written < <(sed -n 's/^#SBATCH \(--[a-z]*=[^ ]*\) *$/\1/p' "$script")
take_shared ${written+"${written[@]}"}
take_shared "$@" # the later of two wins, as for the script
array=$(sbatch --parsable --array="1-$slices" --output=%x-%A-%a.log "$@" "$script" "$job" "$results")
array=${array%%;*} # ID;CLUSTER
echo "array $array: $slices slices of $job" # first of all: whatever becomes of the merge, it runs now
merge=$(sbatch --parsable --dependency="afterany:$array" ${shared+"${shared[@]}"} "$here/merge.sbatch" "$job" "$results" "$slices") || {
    echo "array.sh: the job that merges the slices is refused; when array $array has ended: sbatch ${shared[*]-}" \
        "$here/merge.sbatch $job $results $slices" >&2
    exit 1
}
echo "job ${merge%%;*} merges them into $results"
