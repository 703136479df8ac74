"""correlations.py - lambda_max, or another measure, and the gap of train and test accuracy: Kendall's tau."""
import numpy as np
from scipy import stats

import results

AXES = ('learning_rate', 'batch', 'sam_rho', 'dropout', 'batch_norm', 'seed')


def gap_of(points):
    return points['train_accuracy'].astype(float) - points['test_accuracy'].astype(float)


def rank_correlation(points, mask):
    """[(axis, tau, groups, points)]: over all usable points, and per axis that varies the mean over groups of points that
    differ in that axis alone (the granulated coefficient of Jiang et al. 2020, "Fantastic generalization measures"); tau is
    NaN where there is no group. A high overall tau with low ones per axis is a correlation that one axis makes."""
    index = np.flatnonzero(mask)
    lam, gap = points['lambda_max'].astype(float), gap_of(points)
    rows = [('all points', kendall(lam[index], gap[index]), 1, len(index))] if len(index) > 1 else []
    for axis in AXES:
        if axis not in points or len(np.unique(points[axis][index].astype(float))) < 2:
            continue
        names = [n for n in points.settings() if n != axis]
        groups = {}
        for i in index:
            groups.setdefault(tuple(str(points[n][i]) for n in names), []).append(i)
        taus = [(kendall(lam[g], gap[g]), len(g)) for g in groups.values()]
        taus = [(tau, n) for tau, n in taus if np.isfinite(tau)]
        mean = float(np.mean([tau for tau, _ in taus])) if taus else float('nan')
        rows.append((axis, mean, len(taus), sum(n for _, n in taus)))
    return rows


def measure_correlations(points, mask, names):
    """[(name, tau, points, points left out)] over the usable points that have the measure; left out are those whose residual
    is over the tolerance."""
    gap, tolerance, rows = gap_of(points), results.tolerances(points), []
    for name in names:
        if name not in points:
            continue
        here = mask & np.isfinite(points[name].astype(float))
        certificate = results.RESIDUALS.get(name)
        good = here
        if certificate in points:
            good = here & (points[certificate].astype(float) <= tolerance)
        if np.any(here):
            tau = kendall(points[name][good].astype(float), gap[good])
            rows.append((name, tau, int(np.sum(good)), int(np.sum(here) - np.sum(good))))
    return rows


def kendall(x, y):
    """NaN where there is nothing to rank: fewer than two points, or all equal in x or in y."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float('nan')
    return float(stats.kendalltau(x, y)[0])
