"""results.py - the points of one or several results files as columns, and which of them a comparison may use.

Every column is a numpy array over all points. Words that the file stores as -1 (batch_size: full) become what they meant:
`batch` is the number of examples per batch. Nothing is dropped silently: `select` says why each point is left out."""
import os

import h5py
import numpy as np

STATUS = ('pending', 'done', 'diverged', 'epoch_limit', 'failed')
RECORD = {
    'id', 'status', 'stop_reason', 'lambda_max', 'lambda_residual', 'lambda_upper', 'lr_lambda_max', 'lambda_fraction',
    'lambda_converged', 'hvp_count', 'curvature_n_examples', 'curvature_ghost_examples', 'train_loss', 'train_accuracy',
    'test_loss', 'test_accuracy', 'gradient_norm', 'epochs', 'steps', 'n_parameters', 'n_train', 'n_test', 'train_s',
    'curvature_s', 'peak_memory_bytes', 'n_threads', 'attempts', 'worker', 'host', 'finished', 'error', 'data_digest',
    'n_eigenvalues'}
# Settings that say how or how long to compute, not what: points that differ in them alone are comparable.
INCIDENTAL = {'threads', 'save_weights', 'data_dir', 'max_epochs', 'max_steps', 'evaluate_every_epochs', 'curvature_risk',
              'curvature_max_hvp', 'curvature_memory', 'checkpoint_interval_s', 'micro_batch', 'track_every_epochs', 'track_every_steps', 'eigenvalues'}


class BadFile(Exception):
    """One sentence for the user."""


def texts(values):
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values], dtype=object)


def read(path):
    """One file: (columns, attributes). Only one-dimensional variables over `point`."""
    try:
        with h5py.File(path, 'r') as file:
            schema = file.attrs.get('schema', b'')
            schema = schema.decode() if isinstance(schema, bytes) else str(schema)
            if not schema.startswith('sharpsweep results'):
                raise BadFile(f'{path}: no results file of sharpsweep (attribute schema is "{schema}")')
            if int(file.attrs['schema_version']) > 1:
                raise BadFile(f'{path}: results of version {int(file.attrs["schema_version"])}; this program reads version 1')
            n = len(file['point'])
            columns = {}
            for name, data in file.items():
                if not isinstance(data, h5py.Dataset) or data.shape != (n,) or name == 'point':
                    continue
                columns[name] = texts(data[...]) if data.dtype.kind == 'O' else data[...]
            if 'status' not in columns or 'lambda_max' not in columns:
                raise BadFile(f'{path}: the variables status and lambda_max are missing; is the file complete?')
            attributes = {k: v.decode() if isinstance(v, bytes) else str(v) for k, v in file.attrs.items()}
            return columns, attributes
    except OSError as error:
        reason = 'no such file' if not os.path.exists(path) else 'not a readable HDF5 file'
        raise BadFile(f'{path}: {reason} ({str(error).splitlines()[0][:80]})') from None


class Points:
    """Columns over the points of all files; `files` lists (path, attributes, first point, count)."""

    def __init__(self, columns, files=()):
        self.columns, self.files = columns, list(files)
        self.n = len(columns['status'])
        if 'batch_size' in columns and 'batch' not in columns:
            size = columns['batch_size'].astype(float)
            whole = columns['n_train'].astype(float) if 'n_train' in columns else np.full(self.n, np.nan)
            columns['batch'] = np.where(size < 0, whole, size)

    def __getitem__(self, name):
        return self.columns[name]

    def __contains__(self, name):
        return name in self.columns

    def settings(self):
        return [n for n in self.columns if n not in RECORD | INCIDENTAL | {'batch', 'file', 'batch_size'}] + ['batch']

    def subset(self, mask):
        return Points({name: column[mask] for name, column in self.columns.items()}, self.files)


def load(paths):
    parts, files, start = [], [], 0
    for path in paths:
        columns, attributes = read(path)
        n = len(columns['status'])
        columns['file'] = np.array([os.path.basename(path)] * n, dtype=object)
        files.append((path, attributes, start, n))
        parts.append(columns)
        start += n
    names = list(dict.fromkeys(name for part in parts for name in part))
    whole = {}
    for name in names:
        kinds = [part[name].dtype.kind for part in parts if name in part]
        missing = (lambda n: np.array([''] * n, dtype=object)) if 'O' in kinds else (lambda n: np.full(n, np.nan))
        whole[name] = np.concatenate([part[name] if name in part else missing(len(part['status'])) for part in parts])
    points = Points(whole, files)
    # The same point in two files counts once (a slice and its merge, a file and its copy).
    if 'id' in points:
        done = points['status'] == 1
        keep = np.zeros(points.n, bool)
        order = np.lexsort((np.arange(points.n), ~done, points['id'].astype(str)))
        ids = points['id'].astype(str)[order]
        keep[order[np.r_[True, ids[1:] != ids[:-1]]]] = True
        points = points.subset(keep)
    return points


def select(points, accuracy_slack=0.01):
    """(mask, reason per point): a point is compared if it is done, trained as far as the others, and its lambda_max is
    certified. Trained as far: train accuracy at least the job's target, or without one the best of its file, minus the
    slack. The reason of a point that stays is ''."""
    reason = np.array([''] * points.n, dtype=object)

    def leave_out(mask, why):
        reason[mask & (reason == '')] = why

    status = points['status'].astype(int)
    for code, name in enumerate(STATUS):
        if name != 'done' and name != 'epoch_limit':
            leave_out(status == code, name)
    accuracy = points['train_accuracy'].astype(float)
    target = points['target_train_accuracy'].astype(float) if 'target_train_accuracy' in points else np.zeros(points.n)
    for path in dict.fromkeys(points['file']):
        here = points['file'] == path
        best = np.nanmax(np.where(here & (status == 1), accuracy, np.nan)) if np.any(here & (status == 1)) else np.nan
        target = np.where(here & ~(target > 0), best, target)
    leave_out(~(accuracy >= target - accuracy_slack), 'unequal train accuracy')
    leave_out(status == 3, 'epoch_limit')
    tolerance = points['curvature_tolerance'].astype(float) if 'curvature_tolerance' in points else np.full(points.n, 1e-3)
    leave_out(~np.isfinite(points['lambda_max'].astype(float)), 'no lambda_max')
    leave_out(points['lambda_converged'].astype(float) != 1, 'lambda_max not converged')
    leave_out(~(points['lambda_residual'].astype(float) <= tolerance), 'residual over the tolerance')
    leave_out(~(points['lambda_max'].astype(float) > 0), 'lambda_max not positive')
    leave_out(~np.isfinite(points['test_accuracy'].astype(float)), 'no test accuracy')
    return reason == '', reason
