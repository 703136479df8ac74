"""bench_lambda.py - lambda_max of trained networks: sharpsweep beside what a user would run, at equal true error.

usage: bench_lambda.py SHARPSWEEP BENCH_POINT WORK [--rounds N] [--examples N] [--error E] [NET ...]     NET: mlp cnn vgg11
WORK keeps the trained weights, so that a second run need not train.

sharpsweep trains each network and saves its weights; both sides measure from these. True errors are against eigsh in float64
with tolerance 1e-9. Every method, ours too, runs at its cheapest setting whose true error is at most E (default 1e-5):
  sharpsweep        its residual rule at that tolerance; `default`: at 1e-3, what a job gets that does not say otherwise
  eigsh rebuilt     scipy's eigsh with its default ncv of 20, double backward with the graph rebuilt for every product
  PyHessian         its power iteration (stops when the estimate changes by less than tol), graph rebuilt
  eigsh retained    the best a user writes: the gradient's graph kept, ncv 8
Exit status 1 where sharpsweep's true error at its default exceeds 1e-4."""
import os
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from bench_torch import Partner, build, head, images, keep, line, median_ratio, nets, option, pinned

LIMIT, DEFAULT = 1e-4, 1e-3
LADDER = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)  # tolerances
ERRORS = (1e-3, 1e-4, 1e-5, 1e-6)
ROWS = {'eigsh rebuilt': 'lambda_eigsh', 'PyHessian': 'lambda_pyhessian', 'eigsh retained': 'lambda_retained'}
MOST_PRODUCTS = {'mlp': 1000, 'cnn': 150, 'vgg11': 100}         # of the power iteration, when its products are counted
TIMED_PRODUCTS = 10                                             # of it in a round: every iteration is the same work
# net: data set, training examples, training section, examples of the Hessian, examples per graph
NETS = {
    'mlp': ('fashion-mnist', 5000, 'learning_rate: 0.05, batch_size: 128, max_epochs: 10', 1000, 1000),
    'cnn': ('fashion-mnist', 2000, 'learning_rate: 0.02, momentum: 0.9, batch_size: 64, max_epochs: 6', 200, 100),
    'vgg11': ('cifar10', 2000, 'learning_rate: 0.01, momentum: 0.9, batch_size: 32, max_epochs: 8', 64, 64),
}


def job_text(net, examples):
    dataset, n, training, _, graph = NETS[net]
    return (f'model: {{network: {net}}}\n'
            f'data: {{dataset: {dataset}, train_examples: {n}, train_subset: first, test_examples: 500, '
            f'standardise: channel}}\n'
            f'training: {{{training}, evaluate_every_epochs: 1000, target_train_accuracy: 0, '
            f'micro_batch: {min(graph, 250)}}}\n'
            f'curvature: {{curvature_examples: {examples}, curvature_subset: first}}\n'
            'sweep: {save_weights: true}\n')


def trained(program, net, examples, work):
    """The job file and the weights of its one point, trained unless WORK has them."""
    job, weights = f'{work}/{net}.yaml', f'{work}/{net}-weights.h5'
    os.makedirs(work, exist_ok=True)
    with open(job, 'w', encoding='utf-8') as f:
        f.write(job_text(net, examples))
    if not os.path.exists(weights):
        folder = f'{work}/{net}-run'
        done = subprocess.run([program, 'run', job, '-o', folder + '.h5'], check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode not in (0, 3):
            sys.exit(f'{program} run {job} ended with status {done.returncode}:\n{done.stdout}')
        saved = os.listdir(folder + '.weights')
        os.rename(f'{folder}.weights/{saved[0]}', weights)
    return job, weights


class Hessian:
    """Products by double backward in chunks of examples; numpy in, numpy out."""
    def __init__(self, net, weights, x, y, chunk, retained, dtype=torch.float32):
        model, _, _ = build(net, False)
        model.load_state_dict(nets.read_h5(weights))
        self.model = model.to(dtype)
        self.params = list(self.model.parameters())
        self.sizes = [p.numel() for p in self.params]
        self.n, self.n_examples, self.dtype, self.count = sum(self.sizes), len(x), dtype, 0
        self.chunks = [(x[i:i + chunk].to(dtype), y[i:i + chunk]) for i in range(0, len(x), chunk)]
        self.retained, self.graphs = retained, None

    def graph(self, x, y):
        return torch.autograd.grad(F.cross_entropy(self.model(x), y, reduction='sum'), self.params, create_graph=True)

    def start(self):
        """A solve begins: its graphs are part of its cost."""
        self.count = 0
        self.graphs = [self.graph(*c) for c in self.chunks] if self.retained else None

    def __call__(self, v):
        self.count += 1
        parts = torch.from_numpy(np.ascontiguousarray(v).reshape(-1)).to(self.dtype).split(self.sizes)
        parts = [a.view_as(p) for a, p in zip(parts, self.params)]
        total = torch.zeros(self.n, dtype=self.dtype)
        for i, c in enumerate(self.chunks):
            g = self.graphs[i] if self.retained else self.graph(*c)
            hv = torch.autograd.grad(g, self.params, grad_outputs=parts, retain_graph=self.retained)
            total += torch.cat([a.reshape(-1) for a in hv])
        return (total / self.n_examples).numpy()


def start_vector(n):
    return np.random.RandomState(0).randn(n).astype(np.float32)


def solve(hessian, tol, ncv, v0=None, maxiter=60):
    """eigsh's largest algebraic eigenvalue and vector; NaN where it gives up."""
    hessian.start()
    dtype = np.float32 if hessian.dtype == torch.float32 else np.float64
    v0 = start_vector(hessian.n) if v0 is None else v0
    operator = LinearOperator((hessian.n, hessian.n), matvec=hessian, dtype=dtype)
    try:
        values, vectors = eigsh(operator, k=1, which='LA', tol=tol, ncv=ncv, v0=v0.astype(dtype), maxiter=maxiter)
    except ArpackNoConvergence:
        return float('nan'), None
    return float(values[0]), vectors[:, 0]


def power(hessian, products):
    """PyHessian's iteration for so many products: its estimates one after the other."""
    hessian.start()
    v, estimates = start_vector(hessian.n), []
    v /= np.linalg.norm(v)
    for _ in range(products):
        hv = hessian(v)
        estimates.append(float(v @ hv))
        v = hv / (np.linalg.norm(hv) + 1e-6)
        yield estimates


def power_trials(hessian, true, enough, most):
    """What PyHessian's iteration gives at every tol: (tol, products, error). It stops at the first change below tol, so each
    change that is smaller than all before it is the end of the run for some tol. Of the last two estimates the better."""
    least, trials = float('inf'), []
    for estimates in power(hessian, most):
        if len(estimates) < 2:
            continue
        change = abs(estimates[-2] - estimates[-1]) / (abs(estimates[-2]) + 1e-6)
        if change >= least > 0:
            continue
        least = change
        trials.append((change, len(estimates), min(abs(e / true - 1) for e in estimates[-2:])))
        if trials[-1][2] <= enough or change == 0:  # change 0: rounding; no tol makes it go on
            break
    return trials


def ladder_trials(measure, true, enough):
    """The same of a method with a tolerance, from loose to tight until the error is small enough."""
    trials = []
    for tol in LADDER:
        value, products = measure(tol)
        trials.append((tol, products, abs(value / true - 1)))
        if trials[-1][2] <= enough:
            break
    return trials


def cheapest(trials, error):
    """The first trial whose error is small enough, or None."""
    good = [t for t in trials if t[2] <= error]
    return min(good, key=lambda t: t[1]) if good else None


def seconds(run):
    start = time.process_time()
    run()
    return time.process_time() - start


def reference(hessians):
    """In float64, from float's eigenvector, so that few products are left to do; and what part of v0 it must overlap."""
    _, vector = solve(hessians['retained'], 1e-5, 20)
    double = hessians['double']
    v0 = start_vector(double.n).astype(np.float64)
    if vector is not None:
        v0 = vector.astype(np.float64) + 1e-3 * v0 / np.linalg.norm(v0)
    value, _ = solve(double, 1e-9, 12, v0, maxiter=200)
    return value


def try_all(ours, retained, net, true):
    """Every method's trials. Which products a solver asks for does not depend on whether graphs are rebuilt."""
    def ask(tol):
        answer = ours.ask(f'lambda {tol:g}')
        return float(answer[1]), int(answer[4])

    def eigsh_with(ncv):
        def measure(tol):
            return solve(retained, tol, ncv)[0], retained.count
        return measure

    enough = min(ERRORS)
    found = {'sharpsweep': ladder_trials(ask, true, enough), 'eigsh rebuilt': ladder_trials(eigsh_with(20), true, enough),
             'PyHessian': power_trials(retained, true, enough, MOST_PRODUCTS[net]),
             'eigsh retained': ladder_trials(eigsh_with(8), true, enough)}
    retained.graphs = None
    return found


def print_products(net, trials, times, chosen):
    """With the ratio of the time to ours, as far as products tell: seconds per product as they were in the rounds."""
    each = {name: statistics.median(times[name]) / chosen[name][1] for name in trials}
    ours = [cheapest(trials['sharpsweep'], e) for e in ERRORS]
    print(f'\n{net}: products for a true error of at most (their time over ours)\n')
    head('method', *(f'{e:g}' for e in ERRORS))
    for name, tried in trials.items():
        best = [cheapest(tried, e) for e in ERRORS]
        line(name, *(f'{b[1]} ({b[1] * each[name] / (o[1] * each["sharpsweep"]):.1f})' if b and o else f'> {tried[-1][1]}'
                     for b, o in zip(best, ours)))


def time_all(ours, hessians, chosen, rounds):
    """CPU seconds of whole measurements, turn and turn about. The power iteration is timed over a part of its products."""
    rebuilt, retained = hessians['rebuilt'], hessians['retained']
    n_power = chosen['PyHessian'][1]
    timed = min(TIMED_PRODUCTS, n_power)
    times = {name: [] for name in ('sharpsweep', 'default', *list(chosen)[1:])}
    for _ in range(rounds):
        times['sharpsweep'].append(float(ours.ask(f'lambda {chosen["sharpsweep"][0]:g}')[0]))
        times['eigsh rebuilt'].append(seconds(lambda: solve(rebuilt, chosen['eigsh rebuilt'][0], 20)))
        times['PyHessian'].append(seconds(lambda: list(power(rebuilt, timed))) * n_power / timed)
        times['eigsh retained'].append(seconds(lambda: solve(retained, chosen['eigsh retained'][0], 8)))
        retained.graphs = None
        times['default'].append(float(ours.ask(f'lambda {DEFAULT:g}')[0]))
    return times


def measure_net(program, bench_point, work, net, rounds, examples, error):
    dataset, _, _, usual, chunk = NETS[net]
    examples = examples or usual
    job, weights = trained(program, net, examples, work)
    x, y = images(dataset, examples)
    ours = Partner(bench_point, job, weights)
    ours.hear()
    hessians = {'rebuilt': Hessian(net, weights, x, y, chunk, False), 'retained': Hessian(net, weights, x, y, chunk, True),
                'double': Hessian(net, weights, x, y, chunk, True, torch.float64)}
    true = reference(hessians)
    hessians['double'] = None
    answer = [float(a) for a in ours.ask(f'lambda {DEFAULT:g}')]
    mine = abs(answer[1] / true - 1)
    trials = try_all(ours, hessians['retained'], net, true)
    reached = {name: cheapest(tried, error) for name, tried in trials.items()}
    chosen = {name: reached[name] or tried[-1] for name, tried in trials.items()}
    times = time_all(ours, hessians, chosen, rounds)
    ours.close()
    head('net', 'examples', 'method', 'tolerance', 'products', 'true error', 'CPU s', 'ratio')
    for name, t in times.items():
        tol, products, apart = chosen.get(name, (DEFAULT, int(answer[4]), mine))
        ratio = median_ratio(t, times['sharpsweep'])
        unmet = '' if name == 'default' or reached[name] else ' (error not reached)'
        line(net, examples, name, f'{tol:.1g}', products, f'{apart:.0e}{unmet}', f'{statistics.median(t):.3f}',
             f'**{ratio:.2f}**')
        if name in ROWS:
            keep(ROWS[name], net, ratio)
    keep('lambda_error', net, mine)
    print_products(net, trials, times, chosen)
    print(f'\n{net}: lambda_max {answer[1]:.8g} at the default tolerance, float64 {true:.10g}, true error {mine:.1e}, bound '
          f'by the residual {answer[2]:.1e}; upper bound {answer[3]:.5g}\n', flush=True)
    return mine <= LIMIT


def main():
    arguments = sys.argv[1:]
    rounds, examples = option(arguments, 'rounds', 3), option(arguments, 'examples', 0)
    error = option(arguments, 'error', 1e-5)
    if len(arguments) < 3 or any(net not in NETS for net in arguments[3:]):
        print(f'usage: {sys.argv[0]} SHARPSWEEP BENCH_POINT WORK [--rounds N] [--examples N] [--error E] '
              f'[{" | ".join(NETS)}] ...', file=sys.stderr)
        return 2
    program, bench_point, work = arguments[:3]
    print(f'## lambda_max at equal true error\n\nCPU seconds of a whole measurement ({pinned()}, {rounds} rounds, '
          f'interleaved), each method at its cheapest tolerance with a true error of at most {error:g}; ratio: over ours.\n')
    wrong = []
    for net in arguments[3:] or NETS:
        if NETS[net][0] == 'cifar10' and not os.path.isdir(os.environ.get('SHARPSWEEP_DATA', '') + '/cifar-10-batches-bin'):
            print(f'SKIP {net}: CIFAR-10 is not in the folder that SHARPSWEEP_DATA names\n')
            continue
        if not measure_net(program, bench_point, work, net, rounds, examples, error):
            wrong.append(net)
    if wrong:
        print(f'true error above {LIMIT:g}: {", ".join(wrong)}\n')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
