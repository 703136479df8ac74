#!/bin/sh
# run.sh - sharpsweep beside PyTorch on one core: ms per step, SAM step, gradient and Hessian-vector product.
# usage: tests/bench/run.sh [--build DIR] [--core N] [bench_peers.py's arguments]     e.g. run.sh --rounds 15 cnn-128
# Leave the other cores idle. Status 1 if a Hessian-vector product costs more than 3 gradients, 77 without PyTorch.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build core=0
while [ $# -gt 0 ]; do
    case $1 in
        --build) build=$2; shift 2 ;;
        --core) core=$2; shift 2 ;;
        *) break ;;
    esac
done
program=$build/tests/bench/bench_step
if [ ! -x "$program" ]; then
    echo "run.sh: $program is missing: ninja -C $build tests/bench/bench_step" >&2
    exit 2
fi
if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
    echo "SKIP: the comparison needs python3-torch"
    exit 77
fi
# One thread for both, and glibc's malloc tuned so that PyTorch does not hand its buffers back at every step.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456
exec taskset -c "$core" /usr/bin/python3 "$root/analysis/bench_peers.py" "$program" "$@"
