"""criteria.py - the study's five findings (Kaur, Cohen & Lipton 2022) as statistical criteria.

Each finding is a claim about contrasts. A contrast is computed once per seed (so that the seed's luck cancels) within one
cell: points that differ in nothing but the treatment. Its mean over seeds has a Student t interval; nothing is pooled and no
equality of variances is assumed. ln(lambda_max) is compared (effects are ratios), and test accuracy in percentage points.

A verdict follows one scheme. A finding is a conjunction of parts:
    reproduced      every part is shown: its confidence bound lies on the claimed side (an intersection-union test: each part
                    at level alpha, so the whole at most alpha);
    not reproduced  for some part the opposite is shown, at alpha divided by the number of such statements in the finding
                    (Bonferroni), so that a true finding is called so with probability at most alpha;
    inconclusive    neither;    not covered   the file has too few levels, cells or seeds to ask.
A part that is claimed of every cell (every batch size) is shown if each cell shows it."""
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, NOT_COVERED = 'reproduced', 'not reproduced', 'inconclusive', 'not covered by this file'
ALPHA = 0.05
MARGIN_POINTS = 1.0        # test accuracy "unchanged": within this many percentage points (F2)
LAMBDA_RATIO = 1.1         # lambda_max "unchanged": within this factor (F2)
VERY_HIGH_DROPOUT = 0.5    # F4: above it is very high, above 0 and up to it moderate


@dataclass
class Effect:
    """A contrast over seeds. `ratio`: value is a difference of ln(lambda_max), shown as a factor."""
    label: str
    values: np.ndarray
    ratio: bool = False

    @property
    def n(self):
        return len(self.values)

    @property
    def mean(self):
        return float(np.mean(self.values))

    @property
    def error(self):
        return float(np.std(self.values, ddof=1) / np.sqrt(self.n))

    def lower(self, level):
        """One-sided: the effect is at least this, with error probability `level`."""
        return self.mean - self.error * float(stats.t.isf(level, self.n - 1))

    def upper(self, level):
        return self.mean + self.error * float(stats.t.isf(level, self.n - 1))

    def interval(self, level=ALPHA):
        return self.lower(level / 2), self.upper(level / 2)

    def text(self):
        low, high = self.interval()
        if self.ratio:
            return f'x{np.exp(self.mean):.3g} [{np.exp(low):.3g}, {np.exp(high):.3g}]'
        return f'{self.mean:+.2f} points [{low:+.2f}, {high:+.2f}]'


@dataclass
class Part:
    """`shown` and `opposed`: None where the file cannot tell because it was not asked."""
    claim: str
    effects: list
    shown: bool
    opposed: bool


@dataclass
class Verdict:
    finding: str
    title: str
    verdict: str
    why: str
    parts: list = field(default_factory=list)
    stratum: str = ''
    used: np.ndarray = None       # indices of the points that entered


TITLES = {
    'F1': 'A larger learning rate lowers lambda_max at every batch size; its benefit to test accuracy vanishes at large batches',
    'F2': 'Scaling batch size and learning rate together changes lambda_max and leaves test accuracy unchanged',
    'F3': 'SAM lowers lambda_max at every batch size; its benefit to test accuracy vanishes at large batches',
    'F4': 'A very high dropout rate lowers lambda_max further while it harms test accuracy',
    'F5': 'Batch norm does not consistently lower lambda_max, yet test accuracy improves',
}
AXES = ('learning_rate', 'batch', 'sam_rho', 'dropout', 'batch_norm')


# ---- cells: points that differ in nothing but the treatment and the seed ------------------------------------------------
def strata(points, mask, free):
    """{text: indices} of the usable points, by every setting that is not in `free` or the seed."""
    names = [n for n in points.settings() if n not in free and n != 'seed']
    index = np.flatnonzero(mask)
    keys = {}
    for i in index:
        keys.setdefault(tuple(str(points[n][i]) for n in names), []).append(i)
    varying = [j for j in range(len(names)) if len({k[j] for k in keys}) > 1]
    return {', '.join(f'{names[j]}={short(k[j])}' for j in varying): np.array(v) for k, v in keys.items()}


def short(text):
    try:
        return f'{float(text):g}'
    except ValueError:
        return text


def table(points, index, treatment, column):
    """(levels, seeds, values (seed, level)) of one cell, without holes: levels that half of the seeds lack go first, then
    seeds that lack any remaining level. A setting and seed that occur twice: the mean."""
    level, seed = points[treatment][index].astype(float), points['seed'][index].astype(float)
    levels, seeds = np.unique(level), np.unique(seed)
    value = np.full((len(seeds), len(levels)), np.nan)
    y = column(points, index)
    for r, s in enumerate(seeds):
        for c, l in enumerate(levels):
            here = (seed == s) & (level == l)
            if here.any():
                value[r, c] = np.mean(y[here])
    full = np.mean(np.isfinite(value), axis=0) > 0.5
    value, levels = value[:, full], levels[full]
    whole = np.all(np.isfinite(value), axis=1) if value.size else np.zeros(len(seeds), bool)
    return levels, seeds[whole], value[whole]


def log_lambda(points, index):
    return np.log(points['lambda_max'][index].astype(float))


def accuracy(points, index):
    return 100 * points['test_accuracy'][index].astype(float)


def slopes(levels, values, per):
    """Least-squares change of each row over `per` units of ln(level)."""
    x = np.log(levels) - np.mean(np.log(levels))
    return values @ x / (x @ x) * per


def treated(levels, values):
    """Mean over levels above 0, minus level 0."""
    return values[:, levels > 0].mean(axis=1) - values[:, levels == 0].mean(axis=1)


@dataclass
class Cell:
    name: str
    place: float                  # the batch size, where cells are ordered by it
    seeds: np.ndarray
    lam: np.ndarray               # one contrast per seed
    acc: np.ndarray
    index: np.ndarray


def cells_of(points, index, treatment, by, contrast, enough):
    """One cell per combination of the settings `by` that has enough levels and at least two seeds."""
    cells = []
    keys = np.array([[float(points[b][i]) for b in by] for i in index]).reshape(len(index), len(by))
    for key in np.unique(keys, axis=0):
        inside = index[np.all(keys == key, axis=1)]
        levels, seeds, lam = table(points, inside, treatment, log_lambda)
        _, _, acc = table(points, inside, treatment, accuracy)
        if len(seeds) < 2 or not enough(levels):
            continue
        name = ', '.join(f'{"batch size" if b == "batch" else b} {v:g}' for b, v in zip(by, key)) or 'all'
        cells.append(Cell(name, float(key[by.index('batch')]) if 'batch' in by else 0.0, seeds, contrast(levels, lam),
                          contrast(levels, acc), inside))
    return cells


# ---- parts -----------------------------------------------------------------------------------------------------------------
def lowered_everywhere(cells, statements):
    effects = [Effect(c.name, c.lam, True) for c in cells]
    return Part('lambda_max is lowered in every cell', effects, all(e.upper(ALPHA) < 0 for e in effects),
                any(e.lower(ALPHA / (statements * len(effects))) > 0 for e in effects))


def benefit_vanishes(cells, statements):
    """Helps at the smallest batch, and at the largest less than half as much."""
    small, large = min(cells, key=lambda c: c.place), max(cells, key=lambda c: c.place)
    both, at_small, at_large = np.intersect1d(small.seeds, large.seeds, return_indices=True)
    first = Effect(small.name, small.acc)
    helps = Part('test accuracy gains at the smallest batch size', [first], first.lower(ALPHA) > 0,
                 first.upper(ALPHA / statements) < 0)
    last = Effect(large.name, large.acc)
    if len(both) < 2:
        return [helps, Part('the gain at the largest batch size is less than half of that', [last], False, False)]
    rest = Effect('half the gain at the smallest, minus the gain at the largest',
                  0.5 * small.acc[at_small] - large.acc[at_large])
    return [helps, Part('the gain at the largest batch size is less than half of that', [last, rest],
                        rest.lower(ALPHA) > 0, rest.upper(ALPHA / statements) < 0)]


def conclude(finding, parts, index, stratum):
    if all(p.shown for p in parts):
        verdict, why = REPRODUCED, 'every part is shown'
    elif any(p.opposed for p in parts):
        verdict, why = NOT_REPRODUCED, 'the opposite is shown: ' + '; '.join(f'not "{p.claim}"' for p in parts if p.opposed)
    else:
        verdict, why = INCONCLUSIVE, 'not shown: ' + '; '.join(p.claim for p in parts if not p.shown)
    return Verdict(finding, TITLES[finding], verdict, why, parts, stratum, index)


# ---- the findings: each a function of one stratum, giving a Verdict or None where it does not cover it --------------------
def by_batch(finding, points, index, stratum, treatment, contrast, enough):
    cells = cells_of(points, index, treatment, ['batch'], contrast, enough)
    if len(cells) < 2:
        return None
    used = np.concatenate([c.index for c in cells])
    return conclude(finding, [lowered_everywhere(cells, 3)] + benefit_vanishes(cells, 3), used, stratum)


def f1(points, index, stratum):
    return by_batch('F1', points, index, stratum, 'learning_rate', lambda l, v: slopes(l, v, np.log(l[-1] / l[0])),
                    lambda l: len(l) >= 2)


def f2(points, index, stratum):
    """A ladder: learning rate proportional to batch size. Its changes are fitted from the lowest rung to the highest."""
    rate, batch = points['learning_rate'][index].astype(float), points['batch'][index].astype(float)
    best = None
    for ratio in np.unique(np.round(np.log(rate / batch), 6)):
        rungs = index[np.round(np.log(rate / batch), 6) == ratio]
        levels, seeds, lam = table(points, rungs, 'batch', log_lambda)
        if len(levels) >= 3 and len(seeds) >= 2 and (best is None or len(levels) > len(best[0])):
            best = levels, lam, table(points, rungs, 'batch', accuracy)[2], rungs
    if best is None:
        return None
    levels, lam, acc, rungs = best
    name = f'batch size {levels[0]:g} to {levels[-1]:g}'
    change = Effect(name, slopes(levels, lam, np.log(levels[-1] / levels[0])), True)
    same = Effect(name, slopes(levels, acc, np.log(levels[-1] / levels[0])))
    small = np.log(LAMBDA_RATIO)
    moved = Part('lambda_max changes', [change], change.lower(ALPHA / 2) > 0 or change.upper(ALPHA / 2) < 0,
                 change.upper(ALPHA / 2) < small and change.lower(ALPHA / 2) > -small)
    kept = Part(f'test accuracy stays within {MARGIN_POINTS:g} points', [same],
                same.upper(ALPHA) < MARGIN_POINTS and same.lower(ALPHA) > -MARGIN_POINTS,
                same.lower(ALPHA / 4) > MARGIN_POINTS or same.upper(ALPHA / 4) < -MARGIN_POINTS)
    return conclude('F2', [moved, kept], rungs, stratum)


def f3(points, index, stratum):
    return by_batch('F3', points, index, stratum, 'sam_rho', treated, lambda l: len(l) >= 2 and l[0] == 0)


def f4(points, index, stratum):
    def split(levels, values):
        moderate = (levels > 0) & (levels <= VERY_HIGH_DROPOUT)
        return values[:, levels == levels[-1]].mean(axis=1) - values[:, moderate].mean(axis=1)

    def enough(levels):
        return levels[-1] > VERY_HIGH_DROPOUT and np.any((levels > 0) & (levels <= VERY_HIGH_DROPOUT))

    cells = cells_of(points, index, 'dropout', [], split, enough)
    if not cells:
        return None
    lam, acc = Effect('highest p against moderate p', cells[0].lam, True), Effect('highest p against moderate p', cells[0].acc)
    return conclude('F4', [
        Part('lambda_max is lower at the highest p than at moderate p', [lam], lam.upper(ALPHA) < 0, lam.lower(ALPHA / 2) > 0),
        Part('test accuracy is lower there', [acc], acc.upper(ALPHA) < 0, acc.lower(ALPHA / 2) > 0)], cells[0].index, stratum)


def f5(points, index, stratum):
    cells = cells_of(points, index, 'batch_norm', ['batch', 'learning_rate'], treated,
                     lambda l: len(l) == 2 and l[0] == 0)
    if len(cells) < 2:
        return None
    effects = [Effect(c.name, c.lam, True) for c in cells]
    seeds = sorted(set.intersection(*[set(c.seeds) for c in cells]))
    if len(seeds) < 2:
        return None
    gain = Effect('mean over cells', np.array([np.mean([c.acc[list(c.seeds).index(s)] for c in cells]) for s in seeds]))
    used = np.concatenate([c.index for c in cells])
    return conclude('F5', [
        Part('in some cell batch norm raises lambda_max', effects, any(e.lower(ALPHA / len(effects)) > 0 for e in effects),
             all(e.upper(ALPHA / 2) < 0 for e in effects)),
        Part('test accuracy improves', [gain], gain.lower(ALPHA) > 0, gain.upper(ALPHA / 2) < 0)], used, stratum)


# What may vary within a stratum of each finding, beside the seed, and what must then be at its plain value.
FINDINGS = {
    'F1': (f1, ('learning_rate', 'batch'), ('sam_rho', 'dropout')),
    'F2': (f2, ('learning_rate', 'batch'), ('sam_rho', 'dropout')),
    'F3': (f3, ('sam_rho', 'batch'), ('dropout',)),
    'F4': (f4, ('dropout',), ('sam_rho',)),
    'F5': (f5, ('batch_norm', 'learning_rate', 'batch'), ('sam_rho', 'dropout')),
}
NEEDS = {
    'F1': 'at least 2 learning rates at 2 batch sizes (sam_rho 0, dropout 0)',
    'F2': 'a ladder of at least 3 batch sizes with learning rate in proportion (sam_rho 0, dropout 0)',
    'F3': 'sam_rho 0 and above at 2 batch sizes (dropout 0)',
    'F4': f'dropout above {VERY_HIGH_DROPOUT:g} and between 0 and {VERY_HIGH_DROPOUT:g} (sam_rho 0)',
    'F5': 'batch norm off and on in at least 2 cells of learning rate and batch size (sam_rho 0, dropout 0)',
}


def judge(points, mask):
    """{finding: [Verdict, ...]}: one per stratum that covers it, or a single `not covered`."""
    out = {}
    for name, (ask, free, plain) in FINDINGS.items():
        usable = mask.copy()
        for setting in plain:
            if setting in points:
                usable &= points[setting].astype(float) == 0
        found = [ask(points, index, stratum) for stratum, index in strata(points, usable, free).items()]
        found = [v for v in found if v is not None]
        out[name] = found or [Verdict(name, TITLES[name], NOT_COVERED, f'needs {NEEDS[name]}, with at least 2 seeds of each')]
    return out


# ---- lambda_max and the generalisation gap -----------------------------------------------------------------------------------
def rank_correlation(points, mask):
    """Kendall's tau of lambda_max and the generalisation gap (train minus test accuracy): over all usable points, and per
    axis the mean over groups of points that differ in that axis alone (the granulated coefficient of Jiang et al. 2020,
    "Fantastic generalization measures"), with the number of groups. A high overall tau with low ones per axis is a
    correlation that one axis makes."""
    index = np.flatnonzero(mask)
    lam = points['lambda_max'].astype(float)
    gap = points['train_accuracy'].astype(float) - points['test_accuracy'].astype(float)
    rows = [('all points', kendall(lam[index], gap[index]), 1, len(index))]
    for axis in AXES + ('seed',):
        if axis not in points or len(np.unique(points[axis][index].astype(float))) < 2:
            continue
        names = [n for n in points.settings() if n != axis]
        groups = {}
        for i in index:
            groups.setdefault(tuple(str(points[n][i]) for n in names), []).append(i)
        taus = [kendall(lam[g], gap[g]) for g in groups.values() if len(g) >= 3]
        taus = [t for t in taus if np.isfinite(t)]
        if taus:
            rows.append((axis, float(np.mean(taus)), len(taus), sum(len(g) for g in groups.values() if len(g) >= 3)))
    return rows


def kendall(x, y):
    if len(x) < 3:
        return float('nan')
    tau = stats.kendalltau(x, y)
    return float(tau[0])
