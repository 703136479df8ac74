"""entries.py - the journal's entries that a results file carries, and whether its columns say what they say.

The group `journal` of a results file holds the entries of its sweep (SCHEMA.md, section 2), each under a checksum of its own.
A file that was changed with HDF5 has lost the checksum over the whole; then each column is held against the record of its
row's latest DONE entry, and the settings against the job's, so that nothing is read that no checksum vouches for."""
import codecs
import struct
import zlib

import h5py
import numpy as np

from record import INCIDENTAL, RECORD
from refusal import BadFile

MAGIC, HEAD = b'SSJE', struct.Struct('<4sIII')
JOB, START, DONE = 1, 2, 3
INT, REAL, TEXT, REALS, TABLE = 1, 2, 3, 4, 5
ID = 16
BLOCK_BYTES = 4 << 20         # of a matrix that is compared at a time
codecs.register_error('sharpsweep', lambda error: ('?', error.start + 1))      # as the program writes what is no UTF-8


class Damaged(Exception):
    """An entry that does not decode."""


# ---- bytes --------------------------------------------------------------------------------------------------------------
class View:
    """Takes numbers and texts from the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Damaged
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), 'little')

    def text(self, n_bytes=4):
        return self.take(self.number(n_bytes)).decode(errors='sharpsweep')

    def left(self):
        return len(self.data) - self.at


def scan(data):
    """(kind, payload) of every whole entry, whatever lies between them."""
    at = data.find(MAGIC)
    while at >= 0:
        end = at
        if len(data) - at >= HEAD.size:
            _, kind, n, crc = HEAD.unpack_from(data, at)
            payload = data[at + HEAD.size:at + HEAD.size + n]
            if len(payload) == n and zlib.crc32(payload, zlib.crc32(data[at + 4:at + 12])) == crc:
                yield kind, payload
                end = at + HEAD.size + n
        at = data.find(MAGIC, max(end, at + 1))


def decode_record(data):
    """{name: value} of a record's fields; a table is {column: values}."""
    view, out = View(data), {}
    if view.take(4) != b'SSR1':
        raise Damaged
    for _ in range(view.number(4)):
        kind, name = view.number(1), view.text(1)
        out[name] = decode_field(kind, View(view.take(view.number(4))))
    return out


def decode_field(kind, view):
    if kind == INT:
        return int.from_bytes(view.take(8), 'little', signed=True)
    if kind == REAL:
        return struct.unpack('<d', view.take(8))[0]
    if kind == TEXT:
        return view.take(view.left()).decode(errors='sharpsweep')
    if kind == REALS:
        return np.frombuffer(view.take(view.left()), '<f8')
    if kind != TABLE:
        return None                                       # a newer program's
    names = [view.text(1) for _ in range(view.number(4))]
    rows = view.number(4)
    values = np.frombuffer(view.take(8 * rows * len(names)), '<f8').reshape(rows, len(names))
    return {name: values[:, c] for c, name in enumerate(names)}


# ---- the sweep ----------------------------------------------------------------------------------------------------------
class Job:
    """What a JOB entry says: settings by name, and per point its axes' values."""

    def __init__(self, payload):
        view = View(payload)
        self.number = view.number(4)
        for _ in range(view.number(4)):
            view.text()
        self.axes = [view.text() for _ in range(view.number(4))]
        self.settings = dict([(view.text(), view.text()) for _ in range(view.number(4))])
        words = [view.text() for _ in range(view.number(4))]
        self.points = []
        for _ in range(view.number(8)):
            key = view.take(ID)
            numbers = [view.number(4) for _ in self.axes]
            if any(i >= len(words) for i in numbers):
                raise Damaged
            self.points.append((key, [words[i] for i in numbers]))


class Row:
    """One point: the job whose settings hold, its axes' values, its record (encoded; None: it has none)."""

    def __init__(self, job, values):
        self.settings, self.record = {**job.settings, **dict(zip(job.axes, values))}, None

    def finish(self, job, axes, record):
        self.settings, self.record = {**(job.settings if job else {}), **axes}, record


def replay(data):
    """{identity: Row} in the file's order."""
    jobs, rows = {}, {}
    for kind, payload in scan(data):
        try:
            if kind == JOB:
                job = Job(payload)
                if job.number in jobs:                    # each stands twice
                    continue
                jobs[job.number] = job
                for key, values in job.points:
                    rows.setdefault(key, Row(job, values))
            elif kind == DONE:
                finish(rows, jobs, View(payload))
        except Damaged:
            continue
    return rows


def finish(rows, jobs, view):
    job, key = jobs.get(view.number(4)), view.take(ID)
    view.take(1 + 3 * 4)                                  # status and lengths, which the record has too
    axes = dict([view.text().partition('=')[::2] for _ in range(view.number(4))])
    record = view.take(view.number(4))
    if key in rows:
        rows[key].finish(job, axes, record)


# ---- columns against records --------------------------------------------------------------------------------------------
CODES = ('status', 'stop_reason')                         # 0 where there is no record
SERIES = {'history': ('history', ''), 'track': ('history', 'track_'), 'spectrum': ('spectrum', '')}
COUNTS = {'n_eigenvalues': 'eigenvalue', 'history/n_epochs': 'history', 'history/n_checks': 'track',
          'spectrum/n_nodes': 'spectrum'}


def check(path, file):
    """The columns of a file without a checksum; one of an earlier program, which carries no entries, is read as it is."""
    if 'journal' not in file:
        return
    data = file.get('journal/entries')
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype != np.uint8:
        raise BadFile(f'{path}: variable journal/entries does not have the type or the shape that the schema says')
    rows = replay(data[...].tobytes())
    n = file['point'].shape[0] if isinstance(file.get('point'), h5py.Dataset) and file['point'].ndim == 1 else 0
    if n != len(rows):
        raise BadFile(f'{path}: has {n} rows, and its entries list {len(rows)}')
    Comparison(path, file, list(rows.items())).run()


class Comparison:
    def __init__(self, path, file, rows):
        self.path, self.file, self.rows = path, file, rows
        n = len(rows)
        self.columns = {name: file[name][...] for name in file
                        if isinstance(file[name], h5py.Dataset) and file[name].shape == (n,) and name != 'point'}
        self.columns.update({name: file[name][...] for name in COUNTS if '/' in name and name in file})
        self.matrices = {name: found for name, found in matrices(file) if found.ndim == 2 and found.shape[0] == n}

    def differs(self, name, row):
        raise BadFile(f'{self.path}: {name} of row {row} is not what its record says')

    def run(self):
        widest = max([m.shape[1] for m in self.matrices.values()], default=1)
        step = max(1, BLOCK_BYTES // (8 * max(1, widest)))
        for first in range(0, len(self.rows), step):
            records = []
            for i, (key, row) in enumerate(self.rows[first:first + step], first):
                records.append(self.record_of(i, row))
                self.check_row(i, key, row, records[-1])
            for name, found in self.matrices.items():
                self.check_matrix(name, found[first:first + step], first, records)

    def record_of(self, i, row):
        try:
            record = decode_record(row.record) if row.record is not None else {}
        except Damaged:
            raise BadFile(f'{self.path}: the record of row {i} does not decode') from None
        if row.settings.get('spectrum_probes', '0') == '0':     # a spectrum nobody asked for is not kept
            record.pop('spectrum', None)
        return record

    def check_row(self, i, key, row, record):
        for name in [*RECORD & record.keys(), *row.settings.keys() - INCIDENTAL]:
            if name not in self.columns:
                raise BadFile(f'{self.path}: variable {name} is missing, which row {i} has a value of')
        for name, values in self.columns.items():
            value = values[i].decode(errors='surrogateescape') if isinstance(values[i], bytes) else values[i]
            if name == 'id':
                same = value == key.hex()
            elif name in COUNTS:
                same = value == length(record.get(COUNTS[name]))
            elif name in record:
                same = alike(value, record[name])
            elif name in row.settings:
                same = says(value, row.settings[name])
            else:
                same = name not in RECORD or name == 'attempts' or value != value or value == unknown(name, value)
            if not same:
                self.differs(name, i)

    def check_matrix(self, name, block, first, records):
        wanted = np.full(block.shape, np.nan)
        for i, record in enumerate(records):
            series = series_of(name, record)
            if series is not None and len(series) <= block.shape[1]:
                wanted[i, :len(series)] = series
            elif series is not None:
                self.differs(name, first + i)
        bad = np.flatnonzero(~np.all((block == wanted) | np.isnan(block) & np.isnan(wanted), axis=1))
        if len(bad):
            self.differs(name, first + bad[0])


def matrices(file):
    yield from [('eigenvalue', file['eigenvalue'])] if 'eigenvalue' in file else []
    for group in ('history', 'spectrum'):
        for name, found in file[group].items() if group in file else []:
            yield f'{group}/{name}', found


def series_of(name, record):
    """The values of a row of this matrix, or None where the record has none."""
    if name == 'eigenvalue':
        return record.get('eigenvalue')
    group, column = name.split('/', 1)
    kind = 'spectrum' if group == 'spectrum' else 'track' if column.startswith('track_') else 'history'
    column = 'epoch' if column == 'epochs' else column.removeprefix('track_')
    return (record.get(kind) or {}).get(column)


def length(value):
    if isinstance(value, dict):
        return max(map(len, value.values()), default=0)
    return 0 if value is None else len(value)


def alike(value, wanted):
    if isinstance(wanted, str):
        return str(value) == wanted
    return value == wanted or (value != value and wanted != wanted)


def unknown(name, value):
    if isinstance(value, str):
        return ''
    return 0 if name in CODES else -1


def says(value, word):
    """Does a setting's column hold what the job says? Words of number keys are -1."""
    if isinstance(value, str):
        return value == word
    if word in ('true', 'false'):
        return value == (word == 'true')
    try:
        return value == (int(word) if isinstance(value, np.integer) and word.lstrip('-').isdigit() else float(word))
    except ValueError:
        return value == -1
