"""results.py - the points of one or several results files as columns, and which of them a comparison may use.

Every column is a numpy array over all points. Words that the file stores as -1 (batch_size: full) become what they meant:
`batch` is the number of examples per batch. Nothing is dropped silently: `select` says why each point is left out."""
import json
import os

import h5py
import numpy as np

import strict
from record import INCIDENTAL, INTEGERS, MEASURES, RECORD, RESIDUALS, STATUS, TEXTS
from refusal import BadFile, plain  # noqa: F401  (plain: for those who print)

# Columns that a comparison needs, and what their values must be; those after them only where they are there.
REQUIRED = ('status', 'lambda_max', 'lambda_residual', 'lambda_converged', 'train_accuracy', 'test_accuracy',
            'learning_rate', 'batch_size', 'seed')
VALUES = {
    'status': ('a code from 0 to 4', lambda v: np.isin(v, range(len(STATUS)))),
    'learning_rate': ('a number above 0', lambda v: np.isfinite(v) & (v > 0)),
    'batch_size': ('a whole number from 1, or -1 for full', lambda v: (v == -1) | ((v >= 1) & (v < 1e15) & (v % 1 == 0))),
    'seed': ('a number', np.isfinite),
    'lambda_max': ('a number below 1e100', lambda v: ~(np.abs(v) >= 1e100)),
    'train_accuracy': ('a fraction', lambda v: np.isnan(v) | ((v >= 0) & (v <= 1))),
    'test_accuracy': ('a fraction', lambda v: np.isnan(v) | ((v >= 0) & (v <= 1))),
    'dropout': ('from 0 to below 1', lambda v: (v >= 0) & (v < 1)),
    'sam_rho': ('a number from 0', lambda v: np.isfinite(v) & (v >= 0)),
    'batch_norm': ('0 or 1', lambda v: np.isin(v, (0, 1))),
    'curvature_tolerance': ('a number above 0', lambda v: np.isfinite(v) & (v > 0)),
}
NUMBERS = {*REQUIRED, *VALUES, *MEASURES, *RESIDUALS.values(), 'target_train_accuracy', 'n_train', 'train_examples'}


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def check_type(path, name, data):
    """A variable of the record is of its own type, as for the program's own reader."""
    is_text = h5py.check_string_dtype(data.dtype) is not None and h5py.check_string_dtype(data.dtype).length is None
    wrong = name in TEXTS and not is_text or name in INTEGERS and data.dtype.kind not in 'iu' or \
        name in RECORD - TEXTS - INTEGERS and data.dtype.kind != 'f'
    if wrong:
        misfit(path, name)


def misfit(path, name):
    raise BadFile(f'{path}: variable {name} does not have the type or the shape that the schema says')


def column(path, name, data):
    """The values of one variable: numbers or texts."""
    check_type(path, name, data)
    if data.dtype.kind in 'biuf':
        values = data[...]
    elif data.dtype.kind == 'S' or h5py.check_string_dtype(data.dtype) is not None:
        values = np.array([text(v) for v in data[...]], dtype=object)
    else:
        raise BadFile(f'{path}: the variable {name} holds neither numbers nor texts ({data.dtype})')
    if name in NUMBERS and values.dtype.kind == 'O':
        raise BadFile(f'{path}: the variable {name} holds texts ("{values[0]}"), not numbers')
    if name in VALUES:
        wanted, good = VALUES[name]
        bad = np.flatnonzero(~good(values.astype(float)))
        if len(bad):
            raise BadFile(f'{path}: {name} of point {bad[0]} is {values[bad[0]]:g}, not {wanted}')
    return values


def check_points(path, file):
    """How many there are: as many as have an identity."""
    point = file.get('point')
    if point is None:
        raise BadFile(f'{path}: dimension point is missing')
    if not isinstance(point, h5py.Dataset) or point.ndim != 1:
        misfit(path, 'point')
    if len(point) == 0:
        raise BadFile(f'{path}: has 0 rows; expected 1 or more')
    if not isinstance(file.get('id'), h5py.Dataset):
        raise BadFile(f'{path}: variable id is missing')
    if file['id'].shape != point.shape:
        misfit(path, 'id')
    check_type(path, 'id', file['id'])
    for i, value in enumerate(file['id'].asstr()[...]):
        if len(value) != 32:
            raise BadFile(f"{path}: id of row {i} is '{value[:40]}', not 32 hex digits")
    return len(point)


def columns_of(path, file):
    n = check_points(path, file)
    known = RECORD | NUMBERS | INCIDENTAL | set(strict.axes(path, file))
    columns = {}
    for name in file:
        data = file[name]
        if name != 'point' and isinstance(data, h5py.Dataset) and data.shape == (n,):
            columns[name] = column(path, name, data)
        elif name in known:
            misfit(path, name)
    lacking = [name for name in REQUIRED if name not in columns]
    if lacking:
        raise BadFile(f'{path}: variable {lacking[0]} is missing')
    return columns


def read(path, beside=True):
    """One file: (columns, attributes). Only one-dimensional variables over `point`."""
    with strict.open_results(path, beside) as file:
        return columns_of(path, file), strict.attributes(path, file)


def read_spectrum(path):
    """Per point of the file the nodes of its spectral density, (eigenvalues, weights); None where it was not measured."""
    with strict.open_results(path) as file:
        if 'spectrum' not in file:
            return [None] * check_points(path, file)
        group = file['spectrum']
        return [(group['eigenvalue'][i, :n], group['weight'][i, :n]) if n else None
                for i, n in enumerate(group['n_nodes'][...])]


class Points:
    """Columns over the points of all files; `files` lists (name, attributes, first point, count)."""

    def __init__(self, columns, files=()):
        self.columns, self.files = columns, list(files)
        self.n = len(columns['status'])
        if 'batch_size' in columns and 'batch' not in columns:
            size = columns['batch_size'].astype(float)
            whole = columns['n_train'].astype(float) if 'n_train' in columns else np.full(self.n, np.nan)
            # A full batch of unknown size (nothing computed yet, or by a program that did not say) is the largest there is.
            columns['batch'] = np.where(size < 0, np.where(whole >= 1, whole, np.inf), size)

    def __getitem__(self, name):
        return self.columns[name]

    def __contains__(self, name):
        return name in self.columns

    def settings(self):
        """What makes two points different experiments: the job's keys, and the data set that was there."""
        other = RECORD | INCIDENTAL | {'batch', 'file', 'batch_size'}
        return [n for n in self.columns if n not in other] + ['batch'] + ['data_digest'] * ('data_digest' in self.columns)

    def subset(self, mask):
        return Points({name: values[mask] for name, values in self.columns.items()}, self.files)


def defaults():
    """{key: default} of the job's keys, as jobs/schema.json words them."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'jobs', 'schema.json')
    try:
        with open(path, encoding='utf-8') as file:
            parts = json.load(file)['properties'].values()
    except (OSError, ValueError, KeyError):
        raise BadFile(f'{path}: cannot be read, and a file lacks settings whose defaults it lists') from None
    keys = [(key, said.get('description', '')) for part in parts for key, said in part.get('properties', {}).items()]
    return {key: words.rsplit('Default: ', 1)[1] for key, words in keys if 'Default: ' in words}


def filler(name, kind, known):
    """The value of a column that a file lacks: a setting is at its default there, anything else is unknown."""
    if name not in known:
        return '' if kind == 'O' else np.nan
    word = known[name]
    if kind == 'O':
        return '' if word == 'none' else word
    try:
        return {'true': 1.0, 'false': 0.0}[word] if word in ('true', 'false') else float(word)
    except ValueError:
        return -1.0             # full, all, auto: as the file stores words of number keys


def join(parts):
    """One set of columns of several files."""
    names = list(dict.fromkeys([name for part in parts for name in part] + ['sam_rho', 'dropout', 'batch_norm']))
    lacking = [n for n in names if n not in RECORD and any(n not in part for part in parts)]
    known, whole = defaults() if lacking else {}, {}
    for name in names:
        kinds = ['O' if part[name].dtype.kind == 'O' else 'f' for part in parts if name in part]
        kind = 'O' if 'O' in kinds else 'f'
        value = filler(name, kind, known)
        whole[name] = np.concatenate([part[name] if name in part else
                                      np.full(len(part['status']), value, dtype=object if kind == 'O' else float)
                                      for part in parts])
    return whole


def complete(columns, name, unknown):
    """A point that is not computed lacks what the data set tells (its digest, its size): taken from the points of its file
    with the same data settings, where these agree."""
    alike = [columns[k] for k in columns if k == 'file' or k in ('dataset', 'standardise') or
             k.startswith(('train_', 'test_', 'synthetic_')) and k not in RECORD]
    keys = list(zip(*[values.astype(str) for values in alike]))
    told = {}
    for key, value, blank in zip(keys, columns[name], unknown):
        if not blank:
            told.setdefault(key, set()).add(value)
    for i in np.flatnonzero(unknown):
        if len(told.get(keys[i], ())) == 1:
            columns[name][i] = next(iter(told[keys[i]]))


def names_of(paths):
    """What the files are called in the report: their last names, whole paths where those are equal."""
    last = [os.path.basename(p) for p in paths]
    return [name if last.count(name) == 1 else path for name, path in zip(last, paths)]


def load(paths, instead=None, beside=True):
    """The points of all files; instead: {number of a file: the path to read in its place}; beside: as for open_results."""
    parts, files, start = [], [], 0
    for i, (path, name) in enumerate(zip(paths, names_of(paths))):
        columns, attributes = read((instead or {}).get(i, path), beside)
        n = len(columns['status'])
        columns['file'] = np.array([name] * n, dtype=object)
        files.append((name, attributes, start, n))
        parts.append(columns)
        start += n
    whole = join(parts)
    if 'data_digest' in whole:
        complete(whole, 'data_digest', whole['data_digest'] == '')
        for _, attributes, first, n in files:       # nothing of the file is computed yet: what its job found
            here, digest = slice(first, first + n), attributes.get('data_digest', ',')
            if ',' not in digest and np.all(whole['data_digest'][here] == ''):
                whole['data_digest'][here] = digest
    if 'n_train' in whole:
        complete(whole, 'n_train', ~(whole['n_train'].astype(float) >= 1))
    points = Points(whole, files)
    # The same point in two files counts once (a slice and its merge, a file and its copy).
    if 'id' in points:
        ids, done = points['id'].astype(str), points['status'] == 1
        order = np.lexsort((np.arange(points.n), ~done, ids))
        first = np.r_[True, ids[order][1:] != ids[order][:-1]]
        keep = ids == ''
        keep[order[first]] = True
        points = points.subset(keep)
    return points


def targets(points):
    """Train accuracy at which each point is compared: the job's target, or without one the best of its file."""
    accuracy, done = points['train_accuracy'].astype(float), points['status'] == 1
    target = points['target_train_accuracy'].astype(float) if 'target_train_accuracy' in points else np.zeros(points.n)
    for name in dict.fromkeys(points['file']):
        here = points['file'] == name
        there = accuracy[here & done & np.isfinite(accuracy)]
        target = np.where(here & ~(target > 0), np.max(there, initial=-np.inf), target)
    return target


BEYOND = 'train accuracy beyond its target'


def select(points, accuracy_slack=0.01):
    """(mask, reason per point): a point is compared if it is done, trained as far as the others and no further (train
    accuracy within the slack of its target), and its lambda_max is certified. The reason of a point that stays is ''."""
    reason = np.array([''] * points.n, dtype=object)

    def leave_out(mask, why):
        reason[mask & (reason == '')] = why

    for code, name in enumerate(STATUS):
        if name != 'done':
            leave_out(points['status'] == code, name)
    beyond, slack = points['train_accuracy'].astype(float) - targets(points), accuracy_slack + 1e-9
    leave_out(~(beyond >= -slack), 'unequal train accuracy')
    leave_out(beyond > slack, BEYOND)
    tolerance = tolerances(points)
    leave_out(~np.isfinite(points['lambda_max'].astype(float)), 'no lambda_max')
    leave_out(points['lambda_converged'].astype(float) != 1, 'lambda_max not converged')
    leave_out(~(points['lambda_residual'].astype(float) <= tolerance), 'residual over the tolerance')
    leave_out(~(points['lambda_max'].astype(float) > 0), 'lambda_max not positive')
    leave_out(~np.isfinite(points['test_accuracy'].astype(float)), 'no test accuracy')
    return reason == '', reason


def tolerances(points):
    known = 'curvature_tolerance' in points
    return points['curvature_tolerance'].astype(float) if known else np.full(points.n, 1e-3)
