"""test_criteria.py - the five criteria on synthetic sweeps in which the truth is planted, both ways.

usage: test_criteria.py [--sweeps N] [--seed N]
For each finding a sweep is drawn many times with the finding true (detection rate) and with each of its parts false (rate of
"reproduced": at most alpha and chance), then the same with points missing, at the extreme cells too, and as families of
strata. All go the way of a file: results.select, then criteria.judge. Exit status 1 if a rate is out of bounds. Prints the
table of rates."""
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
    combos = zipped
    if combos is None:
        combos = np.stack(np.meshgrid(*axes.values(), indexing='ij'), -1).reshape(-1, len(names))
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
    known = [*base, 'seed', 'lambda_max', 'test_accuracy']
    columns = {k: np.array([r.get(k, base.get(k)) for r in rows], float) for k in known}
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



# ---- the same with points missing: {what: points that reached no target} --------------------------------------------------
def lost(**bounds):
    """Points whose settings lie within the bounds (low, high)."""
    def which(p, rng):
        return np.all([(low <= p[name]) & (p[name] <= high) for name, (low, high) in bounds.items()], axis=0)
    return which


def thinned(rate):
    return lambda p, rng: rng.random(p.n) < rate


FULL, ONE_CELL = (-1, -1), {'learning_rate': (0.2, 1), 'batch_size': (32, 32)}
NEVER, RARE, ANY = (0, 0), (0, 0.07), (0, 1)
WIDE = {'learning_rate': np.geomspace(.01, .16, 5), 'batch_size': np.array([32., 128., 512., 2048., -1.])}   # paper/f1.yaml
FOUR = {'learning_rate': RATES, 'batch_size': np.array([16., *BATCHES])}
RADII = {'sam_rho': [0, .02, .05, .1], 'batch_size': np.array([32., -1.])}
STAYS, TRUE = lr_effect(lam=-2.0, gain=6.0, at_large=6.0), lr_effect(lam=-2.0, gain=6.0)
WRONG_AT_16 = lambda s: ((2 if s['batch_size'] == 16 else -2) * np.log10(s['learning_rate'] / .02), TRUE(s)[1])
BY_RADIUS = lambda s: (-2.0 * (s['sam_rho'] > 0), 40 * s['sam_rho'])
LADDER_TRUE = lambda s: (0.5 * np.log2(s['batch_size'] / 32), 0)
LADDER_WRONG_AT_256 = lambda s: (0.5 * np.log2(s['batch_size'] / 32), -9.0 * (s['batch_size'] > 200))
MISSING = [
    ('F1', 'the gain stays; full batch lacks rates below 0.1', F1, STAYS, lost(batch_size=FULL, learning_rate=(0, .09)),
     RARE, ANY),
    ('F1', 'true; the same missing', F1, TRUE, lost(batch_size=FULL, learning_rate=(0, .09)), (0.3, 1), RARE),
    ('F1', 'the gain stays; full batch lacks the lowest rate', F1, STAYS, lost(batch_size=FULL, learning_rate=(0, .04)),
     RARE, (0.3, 1)),
    ('F1', 'the gain stays; batch 32 lacks the highest rate', F1, STAYS, lost(batch_size=(32, 32), learning_rate=(.15, 1)),
     RARE, (0.3, 1)),
    ('F1', 'true; batch 32 lacks the highest rate', F1, TRUE, lost(batch_size=(32, 32), learning_rate=(.15, 1)),
     (0.3, 1), RARE),
    ('F1', 'the gain stays; full batch lacks 3 of 5 rates', WIDE, lr_effect(lam=-2, gain=4, at_large=4),
     lost(batch_size=FULL, learning_rate=(0, .05)), RARE, ANY),
    ('F1', 'raised at the smallest batch, which is missing', FOUR, WRONG_AT_16, lost(batch_size=(16, 16)), NEVER, RARE),
    ('F1', 'raised there; one rate of it is left', FOUR, WRONG_AT_16, lost(batch_size=(16, 16), learning_rate=(.03, 1)),
     NEVER, RARE),
    ('F1', 'the gain stays at full batch, which is missing', F1, STAYS, lost(batch_size=FULL), NEVER, RARE),
    ('F1', 'true; the middle batch size is missing', F1, TRUE, lost(batch_size=(256, 256)), NEVER, RARE),
    ('F1', 'true; 5 % of the points missing', F1, TRUE, thinned(0.05), (0.5, 1), RARE),
    ('F2', 'accuracy falls on the highest rung, which is missing', F2, LADDER_WRONG_AT_256, lost(batch_size=(200, 300)),
     NEVER, RARE),
    ('F2', 'true; a rung in the middle is missing', F2, LADDER_TRUE, lost(batch_size=(60, 70)), (0.5, 1), RARE),
    ('F3', 'the same gain per radius; full batch lacks the large ones', RADII, BY_RADIUS,
     lost(batch_size=FULL, sam_rho=(.03, 1)), RARE, ANY),
    ('F3', 'true; 5 % of the points missing', F3, sam_effect(lam=-2.0, gain=6.0), thinned(0.05), (0.5, 1), RARE),
    ('F4', 'no harm but at the highest p, which is missing', F4, lambda s: (-2.0 * (s['dropout'] > .55), -9 * HIGH(s)),
     lost(dropout=(.65, 1)), NEVER, RARE),
    ('F4', 'true; a moderate p is missing', F4, lambda s: (-1.0 * HIGH(s), -3.0 * HIGH(s)), lost(dropout=(.2, .2)),
     (0.5, 1), RARE),
    ('F5', 'true; a cell is missing', F5, bn_effect(), lost(**ONE_CELL), NEVER, RARE),
    ('F5', 'accuracy unchanged; 3 % of the points missing', F5, bn_effect(gain=0), thinned(0.03), RARE, RARE),
    ('F5', 'lowered everywhere but in a missing cell', F5, bn_effect(lam_low=-3, lam_high=-3), lost(**ONE_CELL),
     NEVER, NEVER),
]
# ---- families: the finding is asked in 12 strata, and one wrong verdict among them counts ---------------------------------
STRATA = {'learning_rate': [.02, .05, .1, .2], 'batch_size': [16., 32., 256.]}
FAMILIES = [
    ('F4', 'no harm in any of 12 strata', {**F4, **STRATA}, lambda s: (-2.0 * HIGH(s), 0), RARE, RARE),
    ('F4', 'lambda unchanged in any of 12 strata', {**F4, **STRATA}, lambda s: (0, -9.0 * HIGH(s)), RARE, RARE),
]


def rates(rng, sweeps, finding, axes, effect, kill=None):
    """How often some verdict of the family is reproduced, how often one is not reproduced, and how often there is none."""
    reproduced = opposed = uncovered = 0
    for _ in range(sweeps):
        points = sweep(rng, axes, effect, zipped=LADDER if finding == 'F2' else None)
        if kill is not None:
            points['status'][kill(points, rng)] = 3
        mask, _ = results.select(points)
        given = [v.verdict for v in c.judge(points, mask, [finding])[finding]]
        reproduced += c.REPRODUCED in given
        opposed += c.NOT_REPRODUCED in given
        uncovered += c.NOT_COVERED in given
    return reproduced / sweeps, opposed / sweeps, uncovered


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sweeps', type=int, default=400, help='sweeps per case')
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    rng, faults = np.random.default_rng(options.seed), 0
    chance = 3 * np.sqrt(0.05 * 0.95 / options.sweeps)
    print(f'{options.sweeps} sweeps of 3 seeds per case, seed {options.seed}; level {c.ALPHA}\n')
    print('| finding | planted | reproduced | not reproduced |\n|---|---|---|---|')
    cases = [(*case[:4], None, *case[4:]) for case in CASES] + MISSING + [(*case[:4], None, *case[4:]) for case in FAMILIES]
    for finding, planted, axes, effect, kill, wanted, unwanted in cases:
        found = rates(rng, options.sweeps, finding, axes, effect, kill)
        bad = found[2] > 0
        for rate, (low, high) in zip(found, (wanted, unwanted)):
            bad |= not low - chance <= rate <= high + chance * (0 < high < 1)
        faults += bad
        print(f'| {finding} | {planted} | {found[0]:.3f} | {found[1]:.3f} |{"  <-- out of bounds" if bad else ""}')
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
