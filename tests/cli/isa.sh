#!/bin/sh
# One binary for a mixed cluster: AVX2 and AVX-512 kernels give records that are the same bit for bit, the base ones run too.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cat >job.yaml <<EOF
model:
  network: layers
  layers:
    - {conv2d: {units: 19, kernel: 3, padding: 1}}
    - relu
    - {conv2d: {units: 32, kernel: 3, padding: 1}}
    - {max_pool: 2}
    - {conv2d: {units: 32, kernel: 3, padding: 1}}
    - gelu
    - {avg_pool: 2}
    - flatten
    - {linear: 37}
    - tanh
    - {linear: 4}
data: {dataset: synthetic, synthetic_train: 90, synthetic_test: 30, synthetic_size: 12}
training: {max_epochs: 3, target_train_accuracy: 0, batch_size: 32, momentum: 0.9, weight_decay: 0.001}
curvature: {curvature_examples: all, curvature_max_hvp: 12, eigenvalues: 2}
grid: {batch_norm: [false, true], sam_rho: [0, 0.05], dropout: [0, 0.3]}
EOF
has_all() { # FLAG...
    for flag; do grep -qw "$flag" /proc/cpuinfo || return 1; done
}
SHARPSWEEP_ISA=base run 0 run job.yaml -o base.h5
check "the file says which kernels" grep -qa kernels base.h5
check "8 rows" [ "$(results base.h5 | wc -l)" -eq 9 ]
if ! has_all avx2 fma bmi2; then
    echo "skipped: this processor has no AVX2"
    finish
fi
SHARPSWEEP_ISA=v3 run 0 run job.yaml -o v3.h5
results v3.h5 >v3
check "base rounds differently, or SHARPSWEEP_ISA does nothing" [ "$(results base.h5 | cksum)" != "$(cksum <v3)" ]
if ! has_all avx512f avx512bw avx512cd avx512dq avx512vl; then
    echo "skipped: this processor has no AVX-512"
    finish
fi
SHARPSWEEP_ISA=v4 run 0 run job.yaml -o v4.h5
results v4.h5 >v4
same v3 v4
# OpenBLAS chooses kernels of its own per processor: what is ours does not depend on them, and `exact`, which is theirs, does.
for core in Haswell Nehalem; do
    OPENBLAS_CORETYPE=$core run 0 run job.yaml -o "$core.h5"
    results "$core.h5" >"$core"
    sed 's/^  network: layers/&\n  numerics: exact/' job.yaml >exact.yaml
    OPENBLAS_CORETYPE=$core run 0 run exact.yaml -o "exact-$core.h5"
done
same v4 Haswell
same Haswell Nehalem
check "exact is the BLAS library's" [ "$(results exact-Haswell.h5 | cksum)" != "$(results exact-Nehalem.h5 | cksum)" ]
check "8 points are done" [ "$(column v4.h5 status | grep -c done)" -eq 8 ]
finish
