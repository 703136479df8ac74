"""test_criteria.py - the five criteria on synthetic sweeps in which the truth is planted, both ways.

usage: test_criteria.py [--sweeps N] [--seed N]
For each finding a sweep is drawn many times with the finding true (detection rate) and with each of its parts false (rate of
"reproduced": at most alpha and chance). Exit status 1 if a rate is out of bounds. Prints the table of rates."""
import argparse
import sys

import numpy as np

import criteria as c
import results

SEEDS = (0, 1, 2)
NOISE_LAMBDA, NOISE_ACCURACY, SEED_LAMBDA, SEED_ACCURACY = 0.15, 0.3, 0.2, 0.4


def sweep(rng, axes, effect, n_seeds=3, zipped=None):
    """Points of the grid `axes` with ln(lambda) and accuracy (points) = effect(settings) + seed's luck + noise."""
    names = list(axes)
    combos = zipped if zipped is not None else np.stack(np.meshgrid(*axes.values(), indexing='ij'), -1).reshape(-1, len(names))
    rows = []
    luck = rng.normal(size=(n_seeds, 2)) * (SEED_LAMBDA, SEED_ACCURACY)
    for s in range(n_seeds):
        for combo in combos:
            setting = dict(zip(names, combo))
            lam, acc = effect(setting)
            noise = rng.normal(size=2) * (NOISE_LAMBDA, NOISE_ACCURACY)
            rows.append({**setting, 'seed': s, 'lambda_max': np.exp(3 + lam + luck[s, 0] + noise[0]),
                         'test_accuracy': 0.8 + (acc + luck[s, 1] + noise[1]) / 100})
    n = len(rows)
    base = {'learning_rate': 0.1, 'batch_size': 32, 'sam_rho': 0.0, 'dropout': 0.0, 'batch_norm': 0}
    columns = {k: np.array([r.get(k, base.get(k)) for r in rows], float) for k in [*base, 'seed', 'lambda_max', 'test_accuracy']}
    columns.update(status=np.ones(n, int), train_accuracy=np.full(n, 0.995), target_train_accuracy=np.full(n, 0.99),
                   lambda_converged=np.ones(n), lambda_residual=np.full(n, 5e-4), curvature_tolerance=np.full(n, 1e-3),
                   n_train=np.full(n, 5000.), file=np.array(['planted'] * n, dtype=object))
    return results.Points(columns)


RATES, BATCHES = np.array([0.02, 0.05, 0.1, 0.2]), np.array([32., 256., -1.])


def lr_effect(lam=-1.0, gain=2.0, at_large=0.0, flat_cell=None):
    """Per decade of learning rate: ln lambda falls by `lam`, accuracy gains `gain` at small batches, `at_large` at full."""
    def effect(s):
        x, full = np.log10(s['learning_rate'] / 0.02), s['batch_size'] < 0
        return (0 if flat_cell == s['batch_size'] else lam * x), (at_large if full else gain) * x
    return effect


def sam_effect(lam=-1.0, gain=2.0, at_large=0.0):
    def effect(s):
        on, full = s['sam_rho'] > 0, s['batch_size'] < 0
        return lam * on, (at_large if full else gain) * on
    return effect


def bn_effect(lam_low=0.8, lam_high=-0.8, gain=2.0):
    return lambda s: (s['batch_norm'] * (lam_low if s['learning_rate'] < 0.06 else lam_high), s['batch_norm'] * gain)


LADDER = [(0.05 * 2 ** i, 32. * 2 ** i) for i in range(4)]
F1 = {'learning_rate': RATES, 'batch_size': BATCHES}
F2 = {'learning_rate': None, 'batch_size': None}
F3 = {'sam_rho': [0., 0.05, 0.1], 'batch_size': BATCHES}
F4 = {'dropout': [0., .1, .2, .5, .6, .7]}
F5 = {'batch_norm': [0., 1.], 'learning_rate': RATES, 'batch_size': [32., 256.]}
HIGH = lambda s: s['dropout'] > 0.6
# finding, what is planted, axes, effect, bounds on the rates of (reproduced, not reproduced)
CASES = [
    ('F1', 'true', F1, lr_effect(), (0.6, 1), (0, 0.07)),
    ('F1', 'lambda unchanged at one batch size', F1, lr_effect(flat_cell=256.), (0, 0.07), (0, 0.07)),
    ('F1', 'lambda raised', F1, lr_effect(lam=1.0), (0, 0.01), (0.6, 1)),
    ('F1', 'no gain at any batch size', F1, lr_effect(gain=0), (0, 0.07), (0, 0.07)),
    ('F1', 'the gain stays at large batches', F1, lr_effect(at_large=2.0), (0, 0.01), (0.3, 1)),
    ('F2', 'true', F2, lambda s: (0.5 * np.log2(s['batch_size'] / 32), 0), (0.6, 1), (0, 0.07)),
    ('F2', 'lambda unchanged', F2, lambda s: (0, 0), (0, 0.07), (0, 1)),
    ('F2', 'accuracy falls by 3 points', F2, lambda s: (0.5 * np.log2(s['batch_size'] / 32), -np.log2(s['batch_size'] / 32)),
     (0, 0.01), (0.3, 1)),
    ('F2', 'accuracy falls by the margin', F2, lambda s: (0.5 * np.log2(s['batch_size'] / 32),
                                                          -np.log2(s['batch_size'] / 32) / 3), (0, 0.07), (0, 0.07)),
    ('F3', 'true', F3, sam_effect(), (0.6, 1), (0, 0.07)),
    ('F3', 'lambda unchanged', F3, sam_effect(lam=0), (0, 0.07), (0, 0.07)),
    ('F3', 'the gain stays', F3, sam_effect(at_large=2.0), (0, 0.01), (0.3, 1)),
    ('F4', 'true', F4, lambda s: (-1.0 * HIGH(s), -3.0 * HIGH(s)), (0.6, 1), (0, 0.07)),
    ('F4', 'lambda unchanged', F4, lambda s: (0, -3.0 * HIGH(s)), (0, 0.07), (0, 0.07)),
    ('F4', 'no harm', F4, lambda s: (-1.0 * HIGH(s), 0), (0, 0.07), (0, 0.07)),
    ('F4', 'accuracy gains', F4, lambda s: (-1.0 * HIGH(s), 3.0 * HIGH(s)), (0, 0.01), (0.6, 1)),
    ('F5', 'true', F5, bn_effect(), (0.5, 1), (0, 0.07)),
    ('F5', 'lambda lowered everywhere', F5, bn_effect(lam_low=-1.5, lam_high=-1.5), (0, 0.01), (0.3, 1)),
    ('F5', 'lambda unchanged everywhere', F5, bn_effect(lam_low=0, lam_high=0), (0, 0.07), (0, 0.07)),
    ('F5', 'accuracy unchanged', F5, bn_effect(gain=0), (0, 0.07), (0, 0.07)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sweeps', type=int, default=400, help='sweeps per case')
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    rng, faults = np.random.default_rng(options.seed), 0
    chance = 3 * np.sqrt(0.05 * 0.95 / options.sweeps)
    print(f'{options.sweeps} sweeps of 3 seeds per case, seed {options.seed}; level {c.ALPHA}\n')
    print('| finding | planted | reproduced | inconclusive | not reproduced |\n|---|---|---|---|---|')
    for finding, planted, axes, effect, wanted, unwanted in CASES:
        count = dict.fromkeys((c.REPRODUCED, c.INCONCLUSIVE, c.NOT_REPRODUCED, c.NOT_COVERED), 0)
        for _ in range(options.sweeps):
            points = sweep(rng, axes, effect, zipped=LADDER if finding == 'F2' else None)
            mask, _ = results.select(points)
            ask, _, _ = c.FINDINGS[finding]
            verdict = ask(points, np.flatnonzero(mask), '')
            count[verdict.verdict if verdict else c.NOT_COVERED] += 1
        rate = {k: v / options.sweeps for k, v in count.items()}
        bad = count[c.NOT_COVERED] > 0
        for name, (low, high) in ((c.REPRODUCED, wanted), (c.NOT_REPRODUCED, unwanted)):
            bad |= not low - chance <= rate[name] <= high + chance * (high < 1)
        faults += bad
        print(f'| {finding} | {planted} | {rate[c.REPRODUCED]:.3f} | {rate[c.INCONCLUSIVE]:.3f} | {rate[c.NOT_REPRODUCED]:.3f} |'
              f'{"  <-- out of bounds" if bad else ""}')
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
