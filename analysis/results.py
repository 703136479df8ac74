"""results.py - the points of one or several results files as columns, and which of them a comparison may use.

Every column is a numpy array over all points. Words that the file stores as -1 (batch_size: full) become what they meant:
`batch` is the number of examples per batch. Nothing is dropped silently: `select` says why each point is left out."""
import json
import os

import h5py
import numpy as np

STATUS = ('pending', 'done', 'diverged', 'epoch_limit', 'failed')
# Measures beside lambda_max, in the file where the job asked for them; compared with the generalisation gap like lambda_max.
MEASURES = {'trace': 'trace', 'lambda_min': 'smallest eigenvalue', 'gauss_newton_lambda_max': 'Gauss-Newton λ_max',
            'adaptive_lambda_max': 'adaptive λ_max', 'spherical_sharpness': 'spherical sharpness',
            'subset_lambda_mean': 'λ_max, mean over subsets', 'sharpness': 'sharpness',
            'adaptive_sharpness': 'adaptive sharpness', 'batch_sharpness': 'batch sharpness',
            'alignment': 'gradient alignment', 'sam_edge': "SAM's edge"}
# The residuals that certify those of them that are eigenvalues.
RESIDUALS = {'lambda_min': 'lambda_min_residual', 'gauss_newton_lambda_max': 'gauss_newton_residual',
             'adaptive_lambda_max': 'adaptive_residual', 'spherical_sharpness': 'spherical_residual',
             'subset_lambda_mean': 'subset_lambda_residual'}
RECORD = {
    'id', 'status', 'stop_reason', 'lambda_max', 'lambda_residual', 'lambda_upper', 'lr_lambda_max', 'lambda_fraction',
    'lambda_converged', 'hvp_count', 'curvature_n_examples', 'curvature_ghost_examples', 'train_loss', 'train_accuracy',
    'test_loss', 'test_accuracy', 'gradient_norm', 'epochs', 'steps', 'n_parameters', 'n_train', 'n_test', 'train_s',
    'curvature_s', 'peak_memory_bytes', 'n_threads', 'attempts', 'worker', 'host', 'finished', 'error', 'data_digest',
    'convolutions', 'n_eigenvalues', 'measure_hvp_count', 'measure_s', 'trace_error', 'subset_lambda_deviation',
    'subset_examples', 'batch_sharpness_error', *MEASURES, *RESIDUALS.values()}
# Settings that say how or how long to compute, not what: points that differ in them alone are comparable.
INCIDENTAL = {'threads', 'save_weights', 'data_dir', 'max_epochs', 'max_steps', 'evaluate_every_epochs', 'curvature_risk',
              'curvature_max_hvp', 'curvature_memory', 'checkpoint_interval_s', 'micro_batch',
              'track_every_epochs', 'track_every_steps', 'eigenvalues', 'trial_memory',
              'trace_probes', 'spectrum_probes', 'spectrum_steps', 'smallest_eigenvalue', 'gauss_newton',
              'adaptive_eigenvalue', 'spherical_eigenvalue', 'gradient_alignment', 'sharpness_rho', 'sharpness_m',
              'adaptive_rho', 'sharpness_steps', 'batch_sharpness_batches', 'lambda_subsets', 'track_measures'}


class BadFile(Exception):
    """One sentence for the user."""


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


def column(path, name, data):
    """The values of one variable: numbers or texts."""
    if data.dtype.kind in 'biuf':
        values = data[...]
    elif data.dtype.kind == 'S' or h5py.check_string_dtype(data.dtype) is not None:
        values = np.array([text(v) for v in data[...]], dtype=object)
    else:
        raise BadFile(f'{path}: the variable {name} holds neither numbers nor texts ({data.dtype})')
    if name in NUMBERS and values.dtype.kind == 'O':
        raise BadFile(f'{path}: the variable {name} holds texts ("{values[0]}"), not numbers' if len(values) else
                      f'{path}: the variable {name} holds texts, not numbers')
    if name in VALUES:
        wanted, good = VALUES[name]
        bad = np.flatnonzero(~good(values.astype(float)))
        if len(bad):
            raise BadFile(f'{path}: {name} of point {bad[0]} is {values[bad[0]]:g}, not {wanted}')
    return values


def check_schema(path, attributes):
    schema, version = text(attributes.get('schema', '')), attributes.get('schema_version')
    if not schema.startswith('sharpsweep results'):
        raise BadFile(f'{path}: no results file of sharpsweep (attribute schema is "{schema}")')
    if np.size(version) != 1 or not isinstance(np.ravel(version)[0], (int, np.integer)):
        raise BadFile(f'{path}: the attribute schema_version is not one whole number ({version})')
    if int(np.ravel(version)[0]) > 1:
        raise BadFile(f'{path}: results of version {int(np.ravel(version)[0])}; this program reads version 1')


def columns_of(path, file):
    if not isinstance(file.get('point'), h5py.Dataset) or file['point'].ndim != 1:
        raise BadFile(f'{path}: the list of points (the variable point) is missing; is the file complete?')
    n = len(file['point'])
    if n == 0:
        raise BadFile(f'{path}: holds no points')
    columns = {name: column(path, name, file[name]) for name in file if name != 'point' and
               isinstance(file.get(name), h5py.Dataset) and file[name].shape == (n,)}
    lacking = [name for name in REQUIRED if name not in columns]
    if lacking:
        raise BadFile(f'{path}: no variable {", ".join(lacking)} with a value per point; is the file complete?')
    return columns


def read(path):
    """One file: (columns, attributes). Only one-dimensional variables over `point`."""
    try:
        with h5py.File(path, 'r') as file:
            check_schema(path, file.attrs)
            return columns_of(path, file), {k: attribute(v) for k, v in file.attrs.items()}
    except OSError as error:
        reason = 'no such file' if not os.path.exists(path) else 'not a readable HDF5 file'
        raise BadFile(f'{path}: {reason} ({str(error).splitlines()[0][:80]})') from None
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError, OverflowError) as error:   # h5py on odd files
        raise BadFile(f'{path}: not laid out as analysis/SCHEMA.md says ({str(error).splitlines()[0][:80]})') from None


def attribute(value):
    """For the report's provenance only: what is no text in UTF-8 is shown as far as it is."""
    return value.decode(errors='replace') if isinstance(value, bytes) else str(value)


def read_spectrum(path):
    """Per point of the file the nodes of its spectral density, (eigenvalues, weights); None where it was not measured."""
    with h5py.File(path, 'r') as file:
        if 'spectrum' not in file:
            return [None] * len(file['point'])
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


def load(paths):
    parts, files, start = [], [], 0
    for path, name in zip(paths, names_of(paths)):
        columns, attributes = read(path)
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
