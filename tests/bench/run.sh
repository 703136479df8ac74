#!/bin/sh
# run.sh - sharpsweep beside what a user would run instead, on one core: every row of the targets' table, as Markdown.
# usage: tests/bench/run.sh [--build DIR] [--core LIST] [--rounds N] [--shared DIR] [--work DIR] [--openblas WHICH] [--avx2]
#        [PART | PART=CASE,... ]...
#   steps     training and SAM step, gradient, Hv beside PyTorch    steps=mlp-32,cnn-bn-128,vgg11-32,resnet18-32
#   accuracy  loss curves from the same weights                     accuracy=mlp,cnn-bn,vgg11
#   kernels   matrix products and convolutions, GFLOP/s             (OpenBLAS, oneDNN)
#   cost      roofline; by batch, width, depth, examples            cost=roofline,batch
#   lambda    lambda_max at equal true error                        lambda=mlp,cnn,vgg11      (eigsh, PyHessian's rule)
#   sweep     whole sweeps                                          sweep=mlp,cnn      (torch + mpi4py.futures + eigsh)
#   threads   step and Hv on all of --core's cores over one         threads=vgg11-128
#   memory    as predicted; VGG-11 with batch `full`                memory=mlp,cnn,cnn-bn,vgg11,full
# Without a PART: all, three quarters of an hour. --rounds: of each part (each has its own default). --core: one core, for
# sweeps and threads a list. --shared: the folder that holds peers/baseline_sweep.py and data/cifar-10-batches-bin (default:
# `shared` beside the checkout); what is not there is skipped by name. --work: kept files, trained weights (default:
# BUILD/bench).
# Peers take turns with us, ratios are medians of ratios; leave the other cores idle.
# PyTorch gets its best: one thread, glibc's malloc tuned (without it buffers go back to the kernel at every step), in
# steps each measure's faster layout, and where OPENBLAS_CORETYPE forces kernels on OpenBLAS, which does its linear layers,
# the faster of that and OpenBLAS's own choice: measured first. (Haswell's kernels forced on a processor with AVX-512 cost it
# a third.) --openblas own or as-found decides without measuring. Ours runs in the same environment.
# --avx2 holds everybody to AVX2: sharpsweep, OpenBLAS, oneDNN and PyTorch's own loops.
# Status 1 if a target is missed or a result differs, 77 without PyTorch.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build core=0 rounds='' shared=$root/../shared work='' openblas=best isa=''
while [ $# -gt 0 ]; do
    case $1 in
        --build) build=$2; shift 2 ;;
        --core) core=$2; shift 2 ;;
        --rounds) rounds=$2; shift 2 ;;
        --shared) shared=$2; shift 2 ;;
        --work) work=$2; shift 2 ;;
        --openblas) openblas=$2; shift 2 ;;
        --avx2) isa=avx2; shift ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        -*) echo "run.sh: $1 is not an option; see run.sh --help" >&2; exit 2 ;;
        *) break ;;
    esac
done
case $openblas in
    best | own | as-found) ;;
    *) echo "run.sh: --openblas $openblas: it is best, own or as-found" >&2; exit 2 ;;
esac
[ $# -gt 0 ] || set -- steps accuracy kernels cost lambda sweep threads memory
for part; do
    case ${part%%=*} in
        steps | accuracy | kernels | cost | lambda | sweep | threads | memory) ;;
        *) echo "run.sh: $part is not a part: steps accuracy kernels cost lambda sweep threads memory, or steps=mlp-32" >&2; exit 2 ;;
    esac
done
for program in sharpsweep tests/bench/bench_step tests/bench/bench_point tests/bench/bench_kernels; do
    [ -x "$build/$program" ] || { echo "run.sh: $build/$program is missing: ninja -C $build" >&2; exit 2; }
done
if ! /usr/bin/python3 -c 'import torch, scipy, h5py' 2>/dev/null; then
    echo "SKIP: the comparison needs python3-torch, python3-scipy and python3-h5py"
    exit 77
fi
build=$(cd "$build" && pwd)
bin=$build/tests/bench work=${work:-$build/bench}
mkdir -p "$work"
work=$(cd "$work" && pwd)
export BENCH_RESULTS="$work/results.jsonl"
: >"$BENCH_RESULTS"
if [ -z "${SHARPSWEEP_DATA:-}" ] && [ -d "$shared/data" ]; then
    SHARPSWEEP_DATA=$(cd "$shared/data" && pwd)
    export SHARPSWEEP_DATA
fi
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=68719476736 MALLOC_TOP_PAD_=67108864

failed=0
python() { # SCRIPT ARGUMENTS...
    script=$1
    shift
    taskset -c "$core" /usr/bin/python3 "$root/analysis/$script" "$@" || failed=1
}
probe() { # ms of PyTorch's step, best of blocks
    taskset -c "$core" "$@" /usr/bin/python3 "$root/analysis/bench_torch.py"
}
choose_kernels() {
    if [ "$isa" = avx2 ]; then
        export SHARPSWEEP_ISA=v3 OPENBLAS_CORETYPE=Haswell ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
        echo "everybody held to AVX2"
        return
    fi
    name=${OPENBLAS_CORETYPE:-}
    case $openblas in
        own) unset OPENBLAS_CORETYPE; name= ;;
        as-found) [ -z "$name" ] || { echo "OPENBLAS_CORETYPE=$name, as found"; return; } ;;
    esac
    [ -n "$name" ] || { echo "OpenBLAS chooses its kernels"; return; }
    forced=$(probe env) free=$(probe env -u OPENBLAS_CORETYPE)
    again=$(probe env) free_again=$(probe env -u OPENBLAS_CORETYPE)
    verdict=$(echo "$forced $again $free $free_again" |
        awk '{f = $1 < $2 ? $1 : $2; o = $3 < $4 ? $3 : $4; printf "%s %.2f %.2f", (o <= f ? "own" : "forced"), f, o}')
    [ "${verdict%% *}" = forced ] || unset OPENBLAS_CORETYPE
    echo "$verdict" | awk -v name="$name" '{printf "OPENBLAS_CORETYPE=%s: PyTorch'"'"'s step (MLP, batch 128) takes %s ms with it, " \
        "%s ms without: %s\n", name, $2, $3, $1 == "own" ? "unset" : "left as it is"}'
}
echo "# Benchmarks of $("$build/sharpsweep" --version), $(date -u +%Y-%m-%d)"
echo
echo "- $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), core $core; load before: $(cut -d' ' -f1-3 /proc/loadavg)"
/usr/bin/python3 -c 'import torch, scipy; print(f"- PyTorch {torch.__version__}, scipy {scipy.__version__}")'
choose_kernels >"$work/kernels.txt" # not in a subshell: it unsets a variable
sed 's/^/- /' "$work/kernels.txt"
echo

for part; do
    cases=$(echo "$part" | sed -n 's/^[a-z]*=//p' | tr ',' ' ')
    more=${rounds:+--rounds $rounds}
    # shellcheck disable=SC2086
    case ${part%%=*} in
        steps) python bench_peers.py "$bin/bench_step" $more $cases ;;
        accuracy) python bench_accuracy.py "$bin/bench_point" "$work/accuracy" $cases ;;
        kernels) python bench_kernels.py "$bin/bench_kernels" $more ;;
        cost) python bench_cost.py "$bin/bench_step" "$bin/bench_kernels" $more $cases ;;
        lambda) python bench_lambda.py "$build/sharpsweep" "$bin/bench_point" "$work/lambda" $more $cases ;;
        sweep)
            if [ ! -f "$shared/peers/baseline_sweep.py" ]; then
                printf 'SKIP sweep: no peers/baseline_sweep.py in %s; see --shared\n\n' "$shared"
            elif ! /usr/bin/python3 -c 'import mpi4py' 2>/dev/null; then
                printf 'SKIP sweep: it needs python3-mpi4py\n\n'
            else
                python bench_sweep.py "$build/sharpsweep" "$shared/peers/baseline_sweep.py" "$work/sweep" $more $cases
            fi ;;
        threads) python bench_threads.py "$bin/bench_step" $more $cases ;;
        memory) # with malloc as users have it
            printf '## Memory\n\n'
            env -u MALLOC_MMAP_MAX_ -u MALLOC_TRIM_THRESHOLD_ -u MALLOC_TOP_PAD_ \
                taskset -c "$core" "$root/tests/bench/memory.sh" "$build/sharpsweep" \
                ${cases:-mlp cnn cnn-bn vgg11 vgg11-bn full} || failed=1
            echo ;;
    esac
done
python bench_targets.py "$BENCH_RESULTS"
exit $failed
