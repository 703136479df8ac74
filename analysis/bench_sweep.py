"""bench_sweep.py - a whole sweep: sharpsweep beside torch + mpi4py.futures + eigsh (baseline_sweep.py), equal work.

usage: bench_sweep.py SHARPSWEEP BASELINE_SWEEP.py WORK [--rounds N] [--few] [mlp | cnn] ...
--few: a quarter of the grid.

Both run under mpirun with one worker per core of this process's affinity, on the same cores. Turns: ours, theirs, ours, ...;
CPU seconds are those of all processes of the run. The baseline drops an epoch's short last batch, sharpsweep trains on it
too. Initial weights and orders differ, so the results are held against each other as samples: mean test accuracy, and
lambda_max point by point.
Exit status 1 where they do not agree."""
import csv
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import time

from bench_torch import head, keep, line, median_ratio, option, pinned

# Constants of the baseline's head. The CNN's lambda_max on all 5,000 examples would take PyTorch an hour and a half.
GRIDS = {
    'mlp': {},
    'cnn': {'NET': "'cnn'", 'LRS': '(0.02,)', 'BATCHES': '(32, 128)', 'N_TRAIN': '500', 'N_TEST': '2000',
            'HVP_CHUNK': '125'},
}
FEW = {'mlp': {'LRS': '(0.05,)'}, 'cnn': {'BATCHES': '(128,)', 'RHOS': '(0.0,)'}}
ACCURACY, LOG_LAMBDA = 0.03, math.log(1.35)     # what the means over the grid, and the median point, may differ by


def configure(text, settings):
    for name, value in settings.items():
        text, n = re.subn(rf'(?m)^{name}(\s*)=[^#\n]*', rf'{name}\1= {value} ', text)
        if n != 1:
            sys.exit(f'{name} is not a setting of the baseline')
    return text


def constants(text):
    """The settings at the baseline's head, as Python reads them."""
    found = {}
    exec(compile(text[:text.index('\nimport')], 'baseline', 'exec'), found)     # noqa: its head alone
    return found


def job_text(c):
    return f'''model: {{network: {c["NET"]}, widths: [{c["HIDDEN"]}, {c["HIDDEN"]}], activation: {c["ACT"]}}}
data: {{dataset: fashion-mnist, train_examples: {c["N_TRAIN"]}, test_examples: {c["N_TEST"]}, train_subset: first,
       test_subset: first, standardise: channel}}
training: {{momentum: {c["MOMENTUM"]}, max_epochs: {c["EPOCHS"]}, evaluate_every_epochs: {c["EPOCHS"]},
           target_train_accuracy: 0, sam_update_statistics_twice: true}}
curvature: {{curvature_examples: all, curvature_batch_norm: running, curvature_tolerance: {c["LMAX_TOL"]:g}}}
grid:
  learning_rate: [{", ".join(map(str, c["LRS"]))}]
  batch_size: [{", ".join(map(str, c["BATCHES"]))}]
  batch_norm: [{", ".join("true" if b else "false" for b in c["BNS"])}]
  sam_rho: [{", ".join(map(str, c["RHOS"]))}]
'''


def run(command, folder, n_workers):
    """CPU and wall seconds of a command under mpirun, all of its processes included."""
    root = ['--allow-run-as-root'] if os.geteuid() == 0 else []
    mpirun = ['mpirun', *root, '--oversubscribe', '--bind-to', 'none', '-n', str(n_workers + 1)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with open(f'{folder}/log', 'a', encoding='utf-8') as log:
        done = subprocess.run(mpirun + command, cwd=folder, stdout=log, stderr=log, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f'{" ".join(command)} ended with status {done.returncode}: see {folder}/log')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - start


def run_ours(program, folder, n_workers):
    for name in os.listdir(folder):
        if name.startswith('ours.h5'):
            os.remove(f'{folder}/{name}')
    return run([program, 'run', 'job.yaml', '-o', 'ours.h5'], folder, n_workers)


def run_theirs(folder, n_workers):
    return run(['/usr/bin/python3', '-m', 'mpi4py.futures', 'baseline.py'], folder, n_workers)


def read_ours(program, folder):
    shown = subprocess.run([program, 'show', 'ours.h5', '--csv'], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    rows = {}
    for r in csv.DictReader(shown.stdout.splitlines()):
        key = (float(r['learning_rate']), int(r['batch_size']), r['batch_norm'] in ('1', 'true'), float(r['sam_rho']))
        rows[key] = (float(r['test_accuracy']), float(r['lambda_max']), int(r['hvp_count']))
    return rows


def read_theirs(folder):
    with open(f'{folder}/baseline_sweep.csv', encoding='utf-8') as f:
        return {(float(r['lr']), int(r['batch']), r['bn'] == '1', float(r['rho'])):
                (float(r['test_acc']), float(r['lmax']), int(r['hvps'])) for r in csv.DictReader(f)}


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    return [order.index(i) for i in range(len(values))]


def agree(net, ours, theirs):
    """Prints how the two sets of results compare; False where they contradict each other."""
    if ours.keys() != theirs.keys():
        print(f'{net}: the grids differ: {sorted(ours.keys() ^ theirs.keys())}')
        return False
    both = [(ours[k], theirs[k]) for k in ours if all(math.isfinite(r[k][1]) and r[k][1] > 0 for r in (ours, theirs))]
    accuracy = [statistics.mean(pair[i][0] for pair in both) for i in (0, 1)]
    apart = statistics.median(abs(math.log(a[1] / b[1])) for a, b in both)
    lambdas = [[pair[i][1] for pair in both] for i in (0, 1)]
    order = statistics.correlation(ranks(lambdas[0]), ranks(lambdas[1])) if len(both) > 2 else float('nan')
    good = abs(accuracy[0] - accuracy[1]) <= ACCURACY and apart <= LOG_LAMBDA and len(both) >= 0.9 * len(ours)
    print(f'\n{net}: {len(both)} of {len(ours)} points finite on both sides; mean test accuracy {accuracy[0]:.4f} / '
          f'{accuracy[1]:.4f}; lambda_max {min(lambdas[0]):.3g} .. {max(lambdas[0]):.3g} / {min(lambdas[1]):.3g} .. '
          f'{max(lambdas[1]):.3g}, median point apart by {100 * (math.exp(apart) - 1):.0f} %, rank correlation {order:.2f}; '
          f'products {sum(r[2] for r in ours.values())} / {sum(r[2] for r in theirs.values())}: '
          f'{"they agree" if good else "THEY DO NOT AGREE"}\n', flush=True)
    keep('sweep_accuracy', net, accuracy[0] - accuracy[1])
    return good


def measure(program, baseline, work, net, rounds, few):
    folder = f'{work}/{net}'
    os.makedirs(folder, exist_ok=True)
    with open(baseline, encoding='utf-8') as f:
        text = configure(f.read(), {**GRIDS[net], **(FEW[net] if few else {})})
    with open(f'{folder}/baseline.py', 'w', encoding='utf-8') as f:
        f.write(text)
    with open(f'{folder}/job.yaml', 'w', encoding='utf-8') as f:
        f.write(job_text(constants(text)))
    n_workers = len(os.sched_getaffinity(0))
    ours, theirs = [run_ours(program, folder, n_workers)], []
    for _ in range(rounds):
        theirs.append(run_theirs(folder, n_workers))
        ours.append(run_ours(program, folder, n_workers))
    mine, other = read_ours(program, folder), read_theirs(folder)
    ratios = []
    for which in (0, 1):        # every one of theirs between the two of ours around it
        around = [(a[which] + b[which]) / 2 for a, b in zip(ours, ours[1:])]
        ratios.append(median_ratio([t[which] for t in theirs], around))
    keep('sweep', net, ratios[0])
    cells = [f'{statistics.median(o[i] for o in ours):.1f} / {statistics.median(t[i] for t in theirs):.1f} '
             f'(**{ratios[i]:.2f}**)' for i in (0, 1)]
    line(net, len(mine), n_workers, *cells)
    return agree(net, mine, other)


def main():
    arguments = sys.argv[1:]
    rounds, few = option(arguments, 'rounds', 1), '--few' in arguments
    arguments = [a for a in arguments if a != '--few']
    if len(arguments) < 3 or any(net not in GRIDS for net in arguments[3:]):
        print(f'usage: {sys.argv[0]} SHARPSWEEP BASELINE_SWEEP.py WORK [--rounds N] [--few] [mlp | cnn] ...',
              file=sys.stderr)
        return 2
    program, baseline, work = arguments[:3]
    program = os.path.abspath(program)
    print(f'## Whole sweep\n\nsharpsweep / torch + mpi4py.futures + eigsh, {pinned()}, {rounds} rounds.\n')
    wrong = []
    for net in arguments[3:] or GRIDS:
        head('sweep', 'points', 'workers', 'CPU s', 'wall s')
        if not measure(program, baseline, work, net, rounds, few):
            wrong.append(net)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
