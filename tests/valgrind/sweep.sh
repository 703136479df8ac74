#!/bin/sh
# sweep.sh PROGRAM - a whole sweep under valgrind, alone and on two ranks: no error, nothing definitely lost. The leaks that
# are Open MPI's own are named in its suppressions and in mpi.supp.
here=$(cd "$(dirname "$0")" && pwd)
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed"; exit 77; }
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job.yaml" <<JOB
model:
  network: layers
  layers: [{conv2d: {units: 4, kernel: 3, padding: 1}}, relu, {max_pool: 2}, flatten, {linear: 8}, tanh, {linear: 4}]
data: {dataset: synthetic, synthetic_train: 24, synthetic_test: 8}
training: {max_epochs: 2, target_train_accuracy: 0, batch_size: 12, momentum: 0.9}
curvature: {curvature_examples: all, curvature_max_hvp: 6, eigenvalues: 2, track_every_epochs: 1, track_measures: true,
  trace_probes: 2, spectrum_probes: 1, spectrum_steps: 2, smallest_eigenvalue: true, gauss_newton: true, sharpness_rho: 0.1,
  adaptive_eigenvalue: true, spherical_eigenvalue: true, gradient_alignment: true, adaptive_rho: 0.1, sharpness_steps: 2,
  batch_sharpness_batches: 2, lambda_subsets: 2}
sweep: {save_weights: true}
grid: {batch_norm: [false, true], sam_rho: [0, 0.05], dropout: [0.2]}
JOB
memcheck="valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --suppressions=$here/mpi.supp"
for supp in /usr/share/openmpi/openmpi-valgrind.supp; do
    [ ! -f $supp ] || memcheck="$memcheck --suppressions=$supp"
done
$memcheck "$1" run "$dir/job.yaml" -o "$dir/alone.h5"
$memcheck "$1" show "$dir/alone.h5" --csv >"$dir/alone.csv"
$memcheck "$1" verify "$dir/alone.h5"
$memcheck "$1" plan "$dir/job.yaml" -o "$dir/alone.h5" >"$dir/plan"
sh "$here/../farm/mpirun.sh" 2 $memcheck "$1" run "$dir/job.yaml" -o "$dir/ranks.h5"
echo "no error under valgrind"
