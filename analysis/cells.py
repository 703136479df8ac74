"""cells.py - what a sweep was designed to compare, and how much of it can be: strata, cells and their tables.

A stratum holds points that agree in every setting a finding does not vary; a cell, within it, points that differ in nothing
but the treatment and the seed. Both are made of all points of the files, computed or not: what is missing is known."""
from dataclasses import dataclass

import numpy as np


def strata(points, designed, free):
    """{text: indices} of the designed points, by every setting that is not in `free` or the seed."""
    names = [n for n in points.settings() if n not in free and n != 'seed']
    keys = {}
    for i in np.flatnonzero(designed):
        keys.setdefault(tuple(str(points[n][i]) for n in names), []).append(i)
    varying = [j for j in range(len(names)) if len({k[j] for k in keys}) > 1]
    told = [j for j in varying if names[j] != 'data_digest']
    if len({tuple(k[j] for j in told) for k in keys}) == len(keys):   # the digest says nothing that the others do not
        varying = told
    out = {}
    for key, index in keys.items():
        text = ', '.join(f'{names[j]}={short(key[j])}' for j in varying)
        number = sum(t == text or t.startswith(f'{text} (') for t in out)
        out[f'{text} ({number + 1})' if number else text] = np.array(index)
    return out


def short(value):
    if len(value) > 24:
        return value[:20].rstrip() + ' ...'
    try:
        return f'{float(value):g}'
    except ValueError:
        return value


def log_lambda(points, index):
    return np.log(points['lambda_max'][index].astype(float))


def accuracy(points, index):
    return 100 * points['test_accuracy'][index].astype(float)


def words(axis, value):
    if axis == 'batch':
        return f'batch size {value:g}' if np.isfinite(value) else 'full batch'
    return f'{axis} {value:g}'


@dataclass
class Cell:
    """The designed levels and seeds; lam and acc (seed, level) are NaN where no usable point is."""
    name: str
    place: float                  # the batch size, where cells are ordered by it
    levels: np.ndarray
    seeds: np.ndarray
    lam: np.ndarray
    acc: np.ndarray
    point: dict                   # {(seed, level): usable points}

    def block(self, levels=None):
        """The part without holes, of all levels or of those given: levels that half of the seeds or more lack go
        first (of the seeds that have any), then seeds that lack a level that stays."""
        columns = np.isin(self.levels, self.levels if levels is None else levels)
        there = np.isfinite(self.lam)
        some = there[:, columns].any(axis=1)
        if some.any():
            columns &= there[some].mean(axis=0) > 0.5
        rows = some & there[:, columns].all(axis=1) & columns.any()
        return Block(self, rows, columns & rows.any())


@dataclass
class Block:
    cell: Cell
    rows: np.ndarray
    columns: np.ndarray

    @property
    def levels(self):
        return self.cell.levels[self.columns]

    @property
    def seeds(self):
        return self.cell.seeds[self.rows]

    @property
    def lam(self):
        return self.cell.lam[np.ix_(self.rows, self.columns)]

    @property
    def acc(self):
        return self.cell.acc[np.ix_(self.rows, self.columns)]

    def holds(self, enough):
        return len(self.seeds) >= 2 and len(self.levels) > 0 and bool(enough(self.levels))

    def used(self, seeds=None):
        return [i for s in (self.seeds if seeds is None else seeds) for l in self.levels for i in self.cell.point[s, l]]

    def missing(self, axis):
        """What was designed and is not here, in words; '' where nothing is."""
        lost = [words(axis, l) for l in self.cell.levels[~self.columns]]
        n = len(self.cell.seeds) - len(self.seeds)
        if n:
            lost.append(f'{n} of {len(self.cell.seeds)} seeds')
        return f'{", ".join(lost)} at {self.cell.name}' if lost and self.cell.name != 'all' else ', '.join(lost)


def cells_of(points, index, mask, treatment, by):
    """One cell per combination of the settings `by`, of whatever was designed. A setting and seed that occur twice: the
    mean."""
    keys = np.array([[float(points[b][i]) for b in by] for i in index]).reshape(len(index), len(by))
    out = []
    for key in np.unique(keys, axis=0):
        name = ', '.join(words(b, v) for b, v in zip(by, key)) or 'all'
        place = float(key[by.index('batch')]) if 'batch' in by else 0.0
        out.append(cell(points, index[np.all(keys == key, axis=1)], mask, treatment, name, place))
    return out


def cell(points, index, mask, treatment, name, place=0.0):
    level, seed = points[treatment].astype(float), points['seed'].astype(float)
    levels, seeds = np.unique(level[index]), np.unique(seed[index])
    usable, point = index[mask[index]], {}
    for i in usable:
        point.setdefault((seed[i], level[i]), []).append(i)
    lam, acc = (np.full((len(seeds), len(levels)), np.nan) for _ in range(2))
    for (s, l), here in point.items():
        at = np.searchsorted(seeds, s), np.searchsorted(levels, l)
        lam[at], acc[at] = np.mean(log_lambda(points, here)), np.mean(accuracy(points, here))
    return Cell(name, place, levels, seeds, lam, acc, point)
