"""test_strict.py RESULTS.h5 - a file that was changed with HDF5 is held against the entries of its journal that it carries.

RESULTS.h5 is a real sweep's, of two finished points or more with tracked curvature and a spectrum, its journal beside it. A
file without a checksum is made of both; then every column, curve and setting is changed in turn, and bits at random. Exit
status 1 if anything is read that is not so."""
import os
import shutil
import struct
import sys
import tempfile

import h5py
import numpy as np

import edges
import entries
import results
from test_checks import check, finish

HEADER = 256


def carry(path, copy, change=lambda data: data):
    """A copy without a checksum that carries the journal's entries, those of jobs twice, as the program writes it."""
    shutil.copy(path, copy)
    with open(f'{path}.journal', 'rb') as file:
        data = file.read()[HEADER:]
    jobs = b''.join(entry_bytes(kind, payload) for kind, payload in entries.scan(data) if kind == entries.JOB)
    with h5py.File(copy, 'a') as file:
        group = file.require_group('journal')
        if 'entries' in group:
            del group['entries']
        made = group.create_dataset('entries', data=np.frombuffer(change(jobs + data), np.uint8))
        made.make_scale('entries')
        file.attrs['journal_bytes'] = np.int64(HEADER + len(data))
    return len(jobs), len(data)


def entry_bytes(kind, payload):
    crc = entries.zlib.crc32(payload, entries.zlib.crc32(struct.pack('<II', kind, len(payload))))
    return entries.HEAD.pack(entries.MAGIC, kind, len(payload), crc) + payload


def everything(path):
    columns = {name: list(map(repr, values)) for name, values in results.read(path)[0].items()}
    curves = repr([(label, *map(list, rest[:2])) for label, *rest in edges.curves(path)])
    return columns, curves, repr([one and tuple(map(list, one)) for one in results.read_spectrum(path)])


def said_of(path):
    """'' where it is read."""
    try:
        results.read(path)
        return ''
    except results.BadFile as error:
        return str(error)


def another(value):
    if isinstance(value, bytes):
        return value + b'x'
    return value + 1 if isinstance(value, np.integer) else 0.5 if np.isnan(value) else value * (1 + 1e-15) + 1e-300


def changes(copy):
    """(name, index) of one value in every column and curve, a finished row's."""
    with h5py.File(copy) as file:
        n = len(file['point'])
        for group in ('', 'history/', 'spectrum/'):
            for name, data in file[group or '/'].items():
                if isinstance(data, h5py.Dataset) and data.shape[0] == n and name != 'point':
                    yield group + name, (n - 1, 0)[:data.ndim]


def columns(copy):
    """Each value in its turn is another: said by name and row."""
    n = 0
    for name, at in list(changes(copy)):
        with h5py.File(copy, 'a') as file:
            kept = file[name][at]
            file[name][at] = another(kept)
            try:
                entries.check(copy, file)
                said = 'is read'
            except results.BadFile as error:
                said = str(error)
            check(f'{name}: {said}', f': {name} of row {at[0]} is not what its record says' in said)
            file[name][at] = kept
            n += 1
    check(f'{n} columns and curves', n > 80)
    check(f'as it was, it is read: {said_of(copy)}', not said_of(copy))


def edits(path, copy):
    """What a user may add is no change of what is there."""
    def add(file):
        file.create_group('mine')['numbers'] = np.arange(5)
        file.attrs['note'] = 'mine'
        file['flag'] = np.zeros(len(file['point']))

    def entries_are(value):
        return lambda file: (file.__delitem__('journal/entries'), file.__setitem__('journal/entries', value))

    for what, change, word in (
            ('what a user adds', add, ''),
            ('a column that is gone', lambda file: file.__delitem__('dropout'), 'variable dropout is missing'),
            ('a record that is gone', lambda file: file.__delitem__('train_loss'), 'variable train_loss is missing'),
            ('a point that is not listed', lambda file: file['id'].__setitem__(0, '0' * 32), 'id of row 0 is not'),
            ('no entries', lambda file: file.__delitem__('journal/entries'), 'variable journal/entries does not have the type'),
            ('numbers for entries', entries_are(np.arange(5.)), 'variable journal/entries does not have the type'),
            ('entries of nothing', entries_are(np.zeros(500, np.uint8)), 'its entries list 0')):
        carry(path, copy)
        with h5py.File(copy, 'a') as file:
            change(file)
        said = said_of(copy)
        check(f'{what}: {said}', word in said and bool(word) == bool(said))


def hit(at):
    def change(data):
        data = bytearray(data)
        data[at] ^= 1
        return bytes(data)
    return change


def broken_entries(path, copy):
    """A job stands twice, so that one may be hit; a record that is hit proves nothing."""
    n_jobs, n_data = carry(path, copy)
    for at in (40, n_jobs // 2, n_jobs + 40):
        carry(path, copy, hit(at))
        check(f'byte {at}, of a job: {said_of(copy)}', not said_of(copy))
    carry(path, copy, hit(n_jobs + n_data - 30))
    check(f'a record: {said_of(copy)}', 'is not what its record says' in said_of(copy))
    carry(path, copy, lambda data: b'SSJE' + data[:50] + data + data[:33])
    check(f'broken pieces between them: {said_of(copy)}', not said_of(copy))


def flips(copy, bad, rng, n):
    """Bits at random: refused, or nothing is read but what was there."""
    truth = everything(copy)
    with open(copy, 'rb') as file:
        body = file.read()
    n_read = 0
    for bit in rng.integers(0, 8 * len(body), n):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        with open(bad, 'wb') as file:
            file.write(flipped)
        try:
            found = everything(bad)
            n_read += 1
            check(f'bit {bit} is read as what it was', found == truth)
        except results.BadFile as error:
            check(f'bit {bit}: {error}', bad in str(error))
    print(f'{n} bits, {n_read} of them read on')


def main():
    path, rng = sys.argv[1], np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as folder:
        copy, bad = os.path.join(folder, 'carry.h5'), os.path.join(folder, 'bad.h5')
        carry(path, copy)
        with open(path, 'rb') as file:
            check('the sweep itself has its checksum', file.read()[-20:-12] == b'SSH5SUM\n')
        check('the same is read with a checksum and without', everything(path) == everything(copy))
        columns(copy)
        edits(path, copy)
        broken_entries(path, copy)
        carry(path, copy)
        flips(copy, bad, rng, int(sys.argv[2]) if len(sys.argv) > 2 else 60)
    finish()


if __name__ == '__main__':
    main()
