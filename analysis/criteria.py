"""criteria.py - the study's five findings (Kaur, Cohen & Lipton 2022) as statistical criteria.

Each finding is a claim about contrasts. A contrast is computed once per seed (so that the seed's luck cancels) within one
cell: points that differ in nothing but the treatment. Its mean over seeds has a Student t interval; nothing is pooled and no
equality of variances is assumed. ln(lambda_max) is compared (effects are ratios), and test accuracy in percentage points.

A verdict follows one scheme. A finding is a conjunction of parts:
    reproduced      every part is shown: its confidence bound lies on the claimed side (an intersection-union test: each part
                    at level alpha, so the whole at most alpha);
    not reproduced  for some part the opposite is shown, at alpha divided by the number of such statements in the finding
                    (Bonferroni), so that a true finding is called so with probability at most alpha;
    inconclusive    neither;    not covered   the files were not designed to ask: too few levels, cells or seeds in the grid.
A part that is claimed of every cell (every batch size) is shown if each cell shows it.

What the grid holds and no usable point does is missing, and the verdict lists it. Two cells are compared over the levels and
seeds that both have; a part whose cell is missing (the smallest or the largest batch size, the highest dropout rate) is not
asked; with a designed cell missing nothing is reproduced. A finding judged in m strata is judged at alpha / m in each."""
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from cells import cell, cells_of, strata

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = 'reproduced', 'not reproduced', 'inconclusive'
NOT_COVERED = 'not covered by this file'
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
            with np.errstate(over='ignore'):
                return f'x{np.exp(self.mean):.3g} [{np.exp(low):.3g}, {np.exp(high):.3g}]'
        return f'{self.mean:+.2f} points [{low:+.2f}, {high:+.2f}]'


@dataclass
class Part:
    claim: str
    effects: list
    shown: bool = False
    opposed: bool = False

    @property
    def state(self):
        if not self.effects:
            return 'cannot be asked'
        return 'shown' if self.shown else 'opposite shown' if self.opposed else 'not shown'


@dataclass
class Verdict:
    finding: str
    title: str
    verdict: str
    why: str
    parts: list = field(default_factory=list)
    stratum: str = ''
    used: np.ndarray = None       # the points that entered
    missing: list = field(default_factory=list)   # what the grid holds and `used` does not, in words
    unused: int = 0               # usable points of the stratum that did not enter
    level: float = ALPHA


TITLES = {
    'F1': 'A larger learning rate lowers lambda_max at every batch size; its benefit to test accuracy vanishes at large '
          'batches',
    'F2': 'Scaling batch size and learning rate together changes lambda_max and leaves test accuracy unchanged',
    'F3': 'SAM lowers lambda_max at every batch size; its benefit to test accuracy vanishes at large batches',
    'F4': 'A very high dropout rate lowers lambda_max further while it harms test accuracy',
    'F5': 'Batch norm does not consistently lower lambda_max, yet test accuracy improves',
}


# ---- contrasts: (levels, values (seed, level)) -> one number per seed ----------------------------------------------------
def slopes(levels, values, per):
    """Least-squares change of each row over `per` units of ln(level)."""
    x = np.log(levels) - np.mean(np.log(levels))
    return values @ x / (x @ x) * per


def treated(levels, values):
    """Mean over levels above 0, minus level 0."""
    return values[:, levels > 0].mean(axis=1) - values[:, levels == 0].mean(axis=1)


# ---- parts ---------------------------------------------------------------------------------------------------------------
EVERYWHERE = 'lambda_max is lowered in every cell'
HELPS = 'test accuracy gains at the smallest batch size'
VANISHES = 'the gain at the largest batch size is less than half of that'


def lowered_everywhere(blocks, contrast, complete, statements, alpha):
    effects = [Effect(b.cell.name, contrast(b.levels, b.lam), True) for b in blocks]
    return Part(EVERYWHERE, effects, complete and all(e.upper(alpha) < 0 for e in effects),
                any(e.lower(alpha / (statements * len(effects))) > 0 for e in effects))


def gains(small, contrast, enough, statements, alpha):
    """(part, points): test accuracy at the smallest batch size, over its own levels."""
    block = small.block()
    if not block.holds(enough):
        return Part(HELPS, []), []
    gain = Effect(small.name, contrast(block.levels, block.acc))
    return Part(HELPS, [gain], gain.lower(alpha) > 0, gain.upper(alpha / statements) < 0), block.used()


def vanishes(small, large, contrast, enough, statements, alpha):
    """(part, points): the gain at the largest batch size against half of that at the smallest, over the levels that both
    have and, paired, the seeds that have them at both."""
    first, last = small.block(), large.block()
    while not np.array_equal(first.levels, last.levels):
        shared = np.intersect1d(first.levels, last.levels)
        first, last = small.block(shared), large.block(shared)
    shared = first.levels
    both, at_first, at_last = np.intersect1d(first.seeds, last.seeds, return_indices=True)
    if len(both) < 2 or len(shared) < 2 or not enough(shared):
        return Part(VANISHES, []), []
    gain = contrast(last.levels, last.acc)[at_last]
    rest = Effect('half the gain at the smallest, minus the gain at the largest',
                  0.5 * contrast(first.levels, first.acc)[at_first] - gain)
    if len(shared) < len(np.union1d(small.levels, large.levels)):
        rest.label += f' (both over {shared[0]:g} to {shared[-1]:g} alone)'
    return (Part(VANISHES, [Effect(large.name, gain), rest], rest.lower(alpha) > 0, rest.upper(alpha / statements) < 0),
            first.used(both) + last.used(both))


def conclude(finding, parts, used, missing, complete, ask):
    """complete: no designed cell is missing."""
    shown = all(p.shown for p in parts)
    if any(p.opposed for p in parts):
        verdict, why = NOT_REPRODUCED, 'the opposite is shown: ' + '; '.join(f'not "{p.claim}"' for p in parts if p.opposed)
    elif shown and complete:
        verdict, why = REPRODUCED, 'every part is shown'
    else:
        left = '; '.join(p.claim for p in parts if not p.shown)
        verdict, why = INCONCLUSIVE, f'not shown: {left}' if left else 'every part is shown of what is there'
        if not complete:
            why += '; part of the grid is missing'
    used = np.unique(np.array(used, int))
    return Verdict(finding, TITLES[finding], verdict, why, parts, ask.stratum, used, [m for m in missing if m],
                   int(np.sum(ask.mask[ask.index])) - len(used), ask.alpha)


# ---- the findings: each a function of one stratum, giving a Verdict, or None where the grid does not cover it -------------
@dataclass
class Ask:
    points: object
    index: np.ndarray             # every point of the stratum, computed or not
    mask: np.ndarray              # over all points: usable
    stratum: str = ''
    alpha: float = ALPHA


def judged(cells, axis, enough):
    """(blocks that can be judged, what is missing in words, whether no cell is)."""
    blocks = [c.block() for c in cells]
    missing = [b.missing(axis) if b.holds(enough) else f'{b.cell.name}: too little is left' for b in blocks]
    good = [b for b in blocks if b.holds(enough)]
    return good, missing, len(good) == len(blocks)


def designed(ask, axis, by, enough):
    cells = cells_of(ask.points, ask.index, ask.mask, axis, by)
    return [c for c in cells if len(c.seeds) >= 2 and enough(c.levels)]


def by_batch(finding, ask, axis, contrast, enough):
    cells = designed(ask, axis, ['batch'], enough)
    if len(cells) < 2:
        return None
    small, large = min(cells, key=lambda c: c.place), max(cells, key=lambda c: c.place)
    blocks, missing, complete = judged(cells, axis, enough)
    lowered = lowered_everywhere(blocks, contrast, complete, 3, ask.alpha) if blocks else Part(EVERYWHERE, [])
    helps, first = gains(small, contrast, enough, 3, ask.alpha)
    fades, both = vanishes(small, large, contrast, enough, 3, ask.alpha)
    used = [i for b in blocks for i in b.used()] + first + both
    return conclude(finding, [lowered, helps, fades], used, missing, complete, ask)


def f1(ask):
    return by_batch('F1', ask, 'learning_rate', lambda l, v: slopes(l, v, np.log(l[-1] / l[0])), lambda l: len(l) >= 2)


def ladder(ask):
    """The cell of the longest designed ladder, learning rate in proportion to batch size; None where there is none."""
    rate, batch = (ask.points[n][ask.index].astype(float) for n in ('learning_rate', 'batch'))
    finite, best = np.isfinite(batch), None
    ratio = np.round(np.log(rate / np.where(finite, batch, 1)), 6)
    for value in np.unique(ratio[finite]):
        rungs = cell(ask.points, ask.index[finite & (ratio == value)], ask.mask, 'batch', 'all')
        if len(rungs.levels) >= 3 and len(rungs.seeds) >= 2 and (best is None or len(rungs.levels) > len(best.levels)):
            best = rungs
    return best


def f2(ask):
    """A ladder: learning rate proportional to batch size. Its changes are fitted from the lowest rung to the highest."""
    rungs = ladder(ask)
    if rungs is None:
        return None
    claims = 'lambda_max changes', f'test accuracy stays within {MARGIN_POINTS:g} points'
    block, alpha = rungs.block(), ask.alpha
    if not block.holds(lambda l: len(l) >= 3):
        return conclude('F2', [Part(c, []) for c in claims], [], [block.missing('batch') or 'all of it'], False, ask)
    low, high = block.levels[0], block.levels[-1]
    change, same = (Effect(f'batch size {low:g} to {high:g}', slopes(block.levels, values, np.log(high / low)), ratio)
                    for values, ratio in ((block.lam, True), (block.acc, False)))
    whole, small = low == rungs.levels[0] and high == rungs.levels[-1], np.log(LAMBDA_RATIO)
    moved = Part(claims[0], [change], change.lower(alpha / 2) > 0 or change.upper(alpha / 2) < 0,
                 whole and change.upper(alpha / 2) < small and change.lower(alpha / 2) > -small)
    kept = Part(claims[1], [same], whole and same.upper(alpha) < MARGIN_POINTS and same.lower(alpha) > -MARGIN_POINTS,
                same.lower(alpha / 4) > MARGIN_POINTS or same.upper(alpha / 4) < -MARGIN_POINTS)
    return conclude('F2', [moved, kept], block.used(), [block.missing('batch')], whole, ask)


def f3(ask):
    return by_batch('F3', ask, 'sam_rho', treated, lambda l: len(l) >= 2 and l[0] == 0)


def f4(ask):
    def moderate(levels):
        return (levels > 0) & (levels <= VERY_HIGH_DROPOUT)

    def split(levels, values):
        return values[:, -1] - values[:, moderate(levels)].mean(axis=1)

    found = designed(ask, 'dropout', [], lambda l: l[-1] > VERY_HIGH_DROPOUT and np.any(moderate(l)))
    if not found:
        return None
    highest, block, alpha = found[0].levels[-1], found[0].block(), ask.alpha
    claims = 'lambda_max is lower at the highest p than at moderate p', 'test accuracy is lower there'
    if not block.holds(lambda l: l[-1] == highest and np.any(moderate(l))):
        return conclude('F4', [Part(c, []) for c in claims], [], [block.missing('dropout')], False, ask)
    name = f'p = {highest:g} against moderate p'
    lam, acc = Effect(name, split(block.levels, block.lam), True), Effect(name, split(block.levels, block.acc))
    return conclude('F4', [Part(claim, [e], e.upper(alpha) < 0, e.lower(alpha / 2) > 0)
                           for claim, e in zip(claims, (lam, acc))], block.used(), [block.missing('dropout')], True, ask)


def f5(ask):
    def enough(levels):
        return len(levels) == 2 and levels[0] == 0

    cells = designed(ask, 'batch_norm', ['batch', 'learning_rate'], enough)
    if len(cells) < 2:
        return None
    blocks, missing, complete = judged(cells, 'batch_norm', enough)
    alpha, better = ask.alpha, Part('test accuracy improves', [])
    effects = [Effect(b.cell.name, treated(b.levels, b.lam), True) for b in blocks]
    raised = Part('in some cell batch norm raises lambda_max', effects,
                  any(e.lower(alpha / len(cells)) > 0 for e in effects),
                  complete and all(e.upper(alpha / 2) < 0 for e in effects))
    seeds = sorted(set.intersection(*[set(b.seeds) for b in blocks])) if blocks else []
    if len(seeds) >= 2:
        rows = [[treated(b.levels, b.acc)[list(b.seeds).index(s)] for b in blocks] for s in seeds]
        gain = Effect('mean over cells', np.mean(rows, axis=1))
        better = Part(better.claim, [gain], gain.lower(alpha) > 0, complete and gain.upper(alpha / 2) < 0)
    elif blocks:
        every = len(set.union(*[set(c.seeds) for c in cells]))
        missing.append(f'too few complete seeds for the mean over cells: {every - len(seeds)} of {every} are left out')
    return conclude('F5', [raised, better], [i for b in blocks for i in b.used()], missing, complete, ask)


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


def judge(points, mask, findings=tuple(FINDINGS)):
    """{finding: [Verdict, ...]}: one per stratum whose grid covers it, or a single `not covered`. With several strata that
    have usable points, each is judged at a level divided by their number (Bonferroni): a wrong verdict among them has
    probability at most alpha."""
    out = {}
    for name in findings:
        ask, free, plain = FINDINGS[name]
        planned = np.ones(points.n, bool)
        for setting in plain:
            if setting in points:
                planned &= points[setting].astype(float) == 0
        asked = [Ask(points, index, mask, text) for text, index in strata(points, planned, free).items()]
        asked = [a for a in asked if ask(a) is not None]
        tests = max(1, sum(np.any(mask[a.index]) for a in asked))
        found = [ask(replace(a, alpha=ALPHA / tests)) for a in asked]
        needs = f'needs {NEEDS[name]}, with at least 2 seeds of each'
        out[name] = found or [Verdict(name, TITLES[name], NOT_COVERED, needs)]
    return out


def remarks(verdict):
    """What did not enter a verdict, a sentence each."""
    out = []
    if verdict.missing:
        out.append(f'missing: {"; ".join(verdict.missing)}')
    if verdict.unused:
        out.append(f'{verdict.unused} usable points of this stratum did not enter')
    if verdict.level < ALPHA:
        out.append(f'judged at level {verdict.level:.3g}, one of {round(ALPHA / verdict.level)} strata')
    return out
