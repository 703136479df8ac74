"""test_files.py - results files that are odd, old or of several experiments, as findings.py reads and compares them.

usage: test_files.py   Malformed files: one sentence that says what is wrong, status 2, nothing written. Exit status 1 if a
check fails."""
import contextlib
import glob
import io
import os
import re
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
import zlib
from unittest import mock

import h5py
import numpy as np

import correlations
import criteria
import findings
import results
import test_criteria as planted
from test_checks import check, finish
from test_findings import write


def report(*arguments):
    """findings.py in this process: (status, stdout, stderr); a warning of numpy or matplotlib is a failure."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, 'argv', ['findings.py', *arguments]), contextlib.redirect_stdout(out), \
            contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter('error')
        status = findings.main()
    return status, out.getvalue(), err.getvalue()


# ---- malformed files: (what, what is done to a good one, a word of the sentence; None: it is read) -----------------------
def put(name, value):
    """The variable anew; a value per point where `value` is a function of their number."""
    def change(file):
        n = len(file['point'])
        del file[name]
        file[name] = value(n) if callable(value) else value
    return change


def drop(name):
    return lambda file: file.__delitem__(name)


def same(value):
    return lambda n: np.full(n, value)


def extra(kind, fill=None):
    def change(file):
        data = file.create_dataset('extra', (len(file['point']),), kind)
        for i in range(len(data) if fill is not None else 0):
            data[i] = fill
    return change


def emptied(file):
    n = len(file['point'])
    for name in [k for k in file if file[k].shape == (n,)]:
        del file[name]
        file[name] = np.array([], float)


def linked(name, link):
    return lambda file: (file.__delitem__(name), file.__setitem__(name, link))


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def text_twice(file):
    n = len(file['point'])
    file['activation'] = ['<b>$\\frac{</b>'] * (n // 2) + ['x$_^{$y$'] * (n - n // 2)


MALFORMED = [
    ('as it is', lambda file: None, None),
    ('no list of points', drop('point'), 'dimension point is missing'),
    ('a scalar for the points', put('point', 3.0), 'variable point'),
    ('a group for the points', lambda file: (file.__delitem__('point'), file.create_group('point')), 'variable point'),
    ('no points', emptied, '0 rows'),
    *((f'no {name}', drop(name), name) for name in results.REQUIRED),
    ('a full batch of no size', drop('n_train'), None),
    ('no identities', drop('id'), 'variable id is missing'),
    ('identities that are none', put('id', lambda n: ['x'] * n), "id of row 0 is 'x'"),
    ('a table for the learning rates', put('learning_rate', np.eye(3)), 'variable learning_rate does not have the type'),
    ('no version', lambda file: file.attrs.__delitem__('schema_version'), 'schema_version'),
    ('a version in words', attribute('schema_version', 'one'), 'schema_version'),
    ('two versions', attribute('schema_version', [1, 2]), 'schema_version'),
    ('a version to come', attribute('schema_version', 2), 'version 2'),
    ('a schema that is no text', attribute('schema', np.bytes_(b'sharpsweep results\xff')), 'no results file'),
    ('texts for learning rates', put('learning_rate', lambda n: ['a'] * n), 'learning_rate holds texts'),
    ('fixed texts for learning rates', put('learning_rate', lambda n: np.array([b'0.1'] * n)), 'learning_rate holds texts'),
    ('learning rate 0', put('learning_rate', same(0.0)), 'learning_rate of point 0'),
    ('learning rate NaN', put('learning_rate', same(np.nan)), 'learning_rate of point 0'),
    ('batch size 0', put('batch_size', same(0)), 'batch_size of point 0'),
    ('half an example', put('batch_size', same(1.5)), 'batch_size of point 0'),
    ('status NaN', put('status', same(np.nan)), 'variable status does not have the type'),
    ('status in words', put('status', lambda n: ['done'] * n), 'variable status does not have the type'),
    ('status 77', put('status', same(77)), 'status of point 0 is 77'),
    ('test accuracy of 1e300', put('test_accuracy', same(1e300)), 'test_accuracy'),
    ('train accuracy of -1', put('train_accuracy', same(-1.0)), 'train_accuracy'),
    ('a complex lambda_max', put('lambda_max', same(1 + 2j)), 'variable lambda_max does not have the type'),
    ('a huge lambda_max', put('lambda_max', same(1e308)), 'lambda_max of point 0'),
    ('a tiny lambda_max', put('lambda_max', same(5e-324)), None),
    ('dropout 1', put('dropout', same(1.0)), 'dropout'),
    ('batch norm 2', put('batch_norm', same(2)), 'batch_norm'),
    ('a compound column', extra([('a', 'f4'), ('b', 'i4')], (1, 2)), 'extra holds neither'),
    ('a column of lists', extra(h5py.vlen_dtype(np.int32), np.array([1, 2], np.int32)), 'extra holds neither'),
    ('a column that is no UTF-8', extra(h5py.string_dtype('ascii'), b'\xff\xfe<script>'), 'SCHEMA.md'),
    ('a link to nowhere', linked('seed', h5py.SoftLink('/nope')), 'seed is a soft link'),
    ('a link to another file', linked('seed', h5py.ExternalLink('/etc/passwd', '/x')), 'seed is an external link'),
    ('one more link to nowhere', lambda file: file.__setitem__('aaa', h5py.SoftLink('/nope')), 'aaa is a soft link'),
    ('numbers for identities', put('id', np.arange), 'variable id does not have the type'),
    ('an attribute of bytes', attribute('bytes', np.void(b'\xff\x00')), None),
    ("matplotlib's mathematics in a setting", text_twice, None),
]


def malformed(folder):
    path, out = os.path.join(folder, 'bad.h5'), os.path.join(folder, 'none')
    good = planted.sweep(np.random.default_rng(3), planted.F1, planted.TRUE)
    for what, change, word in MALFORMED:
        write(path, good)
        with h5py.File(path, 'a') as file:
            change(file)
        if word is None:
            try:
                results.select(results.load([path]))
                check(what, report(path, '-o', os.path.join(folder, 'read'))[0] == 0)
            except Exception as error:
                check(f'{what} is read: {error!r}', False)
            continue
        status, said, err = report(path, '-o', out)
        check(f'{what}: status {status}', status == 2 and not said)
        check(f'{what}: one sentence: {err}', err.count('\n') == 1 and path in err and word in err)
        check(f'{what}: nothing written', not os.path.exists(out))
    for slack in ('nan', '-1', '2'):
        status, _, err = report(path, '-o', out, f'--accuracy-slack={slack}')
        check(f'slack {slack} is refused: {status} {err}', status == 2 and err.count('\n') == 1)


# ---- what strangers may put into a file (what, what is done to a good one, words of the sentence) -----------------------------
def outside(name, path):
    """Its data in another file."""
    def change(file):
        n = len(file['point'])
        if name in file:
            del file[name]
        file.create_dataset(name, (n,), 'f8', external=[(path, 0, h5py.h5f.UNLIMITED)])
    return change


def virtual(source):
    def change(file):
        layout = h5py.VirtualLayout((len(file['point']),), 'f8')
        layout[:] = h5py.VirtualSource(source, 'lambda_max', shape=(len(file['point']),))
        del file['lambda_max']
        file.create_virtual_dataset('lambda_max', layout)
    return change


def replaced(name, shape=None, kind='f8', value=None, **how):
    def change(file):
        n = len(file['point'])
        if name in file:
            del file[name]
        made = file.create_dataset(name, (n,) if shape is None else shape, kind, **how)
        if value is not None:
            made[...] = value(file, n)
    return change


def twice_deflated(file):
    """A page of zeros becomes a thousand times smaller, twice."""
    del file['lambda_max']
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((len(file['point']),))
    plan.set_deflate(9)
    plan.set_deflate(9)
    space = h5py.h5s.create_simple((len(file['point']),))
    made = h5py.h5d.create(file.id, b'lambda_max', h5py.h5t.IEEE_F64LE, space, plan)
    h5py.Dataset(made)[...] = 1.0


def references(file, n):
    return np.array([file['seed'].ref] * n, h5py.ref_dtype)


def regions(file, n):
    return np.array([file['seed'].regionref[:2]] * n, h5py.regionref_dtype)


HOLLOW = 'but the file holds'
STRANGE = [
    ('data in another file', outside('lambda_max', '/etc/passwd'), 'lambda_max has external storage'),
    ('a setting in another file', outside('extra', '/etc/passwd'), 'extra has external storage'),
    ('data in a pipe', outside('lambda_max', 'PIPE'), 'lambda_max has external storage'),
    ('a link into a pipe', linked('seed', h5py.ExternalLink('PIPE', '/x')), 'seed is an external link'),
    ('a history of another file', lambda file: file.__setitem__('history', h5py.ExternalLink('PIPE', '/x')),
     'history is an external link'),
    ('a curve of another file', lambda file: file.create_group('history').__setitem__('step', h5py.SoftLink('/seed')),
     'history/step is a soft link'),
    ('a virtual dataset', virtual('/etc/passwd'), 'lambda_max is a virtual dataset'),
    ('a virtual dataset of a pipe', virtual('PIPE'), 'lambda_max is a virtual dataset'),
    ('a virtual dataset of the file itself', virtual('.'), 'lambda_max is a virtual dataset'),
    ('references', replaced('extra', kind=h5py.ref_dtype, value=references), 'extra is made of references'),
    ('references to regions', replaced('extra', kind=h5py.regionref_dtype, value=regions), 'extra is made of references'),
    ('a reference as an attribute', lambda file: file.attrs.create('at', file['seed'].ref, dtype=h5py.ref_dtype),
     'attribute at of the root group'),
    ('a filter of h5py', replaced('lambda_max', compression='lzf', value=lambda _, n: np.ones(n)), 'filter 32000'),
    ('a filter that loses bits', replaced('lambda_max', scaleoffset=3, value=lambda _, n: np.ones(n)), 'filter 6'),
    ('a filter twice', twice_deflated, 'a second filter 1'),
    ('50 million points of nothing', replaced('point', (50_000_000,), 'i8', chunks=(1 << 20,), compression='gzip'), HOLLOW),
    ('a huge history', replaced('history/track_lambda_max', (36, 50_000_000), chunks=(1, 1 << 20), compression='gzip'), HOLLOW),
    ('a huge spectrum', replaced('spectrum/weight', (36, 5_000_000)), HOLLOW),
    ('more than 64 bits of size', replaced('history/step', (1 << 33, 1 << 33), chunks=(1, 1 << 10)), HOLLOW),
    ('a huge chunk', replaced('seed', chunks=(1 << 26,), maxshape=(None,), compression='gzip'), HOLLOW),
]


def strange(folder):
    """Refused by name, without a look at what lies elsewhere; signal 14 ends this test if a pipe is opened."""
    path, out, pipe = (os.path.join(folder, name) for name in ('strange.h5', 'none', 'PIPE'))
    good = planted.sweep(np.random.default_rng(3), planted.F1, planted.TRUE)
    os.mkfifo(pipe)
    signal.alarm(120)
    for what, change, word in STRANGE:
        write(path, good)
        with h5py.File(path, 'a') as file:
            change(file)
        begun = time.monotonic()
        status, said, err = report(path, '-o', out)
        check(f'{what}: status {status}', status == 2 and not said)
        check(f'{what}: one sentence: {err}', err.count('\n') == 1 and path in err and word in err)
        check(f'{what}: at once: {time.monotonic() - begun:.2f} s', time.monotonic() - begun < 2)
    same_text(path, good)
    for name in (pipe, folder, '/dev/zero'):
        status, _, err = report(name, '-o', out)
        check(f'{name} is no regular file: {err}', status == 2 and 'is not a regular file' in err and err.count('\n') == 1)
    check('nothing written', not os.path.exists(out))
    signal.alarm(0)


def same_text(path, good):
    """One long text that every row names takes its bytes once in the file and many times in memory."""
    for how in ({}, {'chunks': (5,), 'compression': 'gzip', 'shuffle': True}):
        write(path, good)
        with h5py.File(path, 'a') as file:
            made = file.create_dataset('error', (good.n,), h5py.string_dtype(), **how)
            made[...] = ['x' * 50_000] + [''] * (good.n - 1)
            at = None if how else made.id.get_offset()
            mask, first = made.id.read_direct_chunk((0,)) if how else (0, b'')
            if how:
                page = np.frombuffer(zlib.decompress(first), np.uint8).reshape(16, 5)
                page = zlib.compress(np.repeat(page[:, :1], 5, axis=1).tobytes())
                for i in range(0, good.n, 5):
                    made.id.write_direct_chunk((i,), page, mask)
        if not how:
            with open(path, 'r+b') as file:
                file.seek(at)
                one = file.read(16)
                file.seek(at)
                file.write(one * good.n)
        status, _, err = report(path, '-o', f'{path}.none')
        check(f'one text for all rows {how}: {status} {err}', status == 2 and 'texts' in err and err.count('\n') == 1)


def frugal(folder):
    """A small file of large promises takes no memory."""
    path = os.path.join(folder, 'hollow.h5')
    good = planted.sweep(np.random.default_rng(3), planted.F1, planted.TRUE)
    for name in ('history/track_lambda_max', 'lambda_max'):
        write(path, good)
        with h5py.File(path, 'a') as file:
            replaced(name, (36, 50_000_000), chunks=(1, 1 << 17), compression='gzip')(file)
            file[name][0, :1 << 17] = 1.0
        script = ('import resource, sys; sys.path.insert(0, sys.argv[1]); import results\n'
                  'try: results.read(sys.argv[2])\nexcept results.BadFile as e: print(e, file=sys.stderr)\n'
                  'print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)')
        here = os.path.dirname(os.path.abspath(__file__))
        done = subprocess.run([sys.executable, '-I', '-c', script, here, path], capture_output=True, text=True)
        check(f'{name}: {done.stderr}', HOLLOW in done.stderr)
        check(f'{name}: {int(done.stdout) >> 10} MiB', int(done.stdout) < 256 << 10)


# ---- the checksum, and the journal beside the file --------------------------------------------------------------------------
def flipped(path, copy, bit):
    with open(path, 'rb') as file:
        body = bytearray(file.read())
    body[bit // 8] ^= 1 << bit % 8
    with open(copy, 'wb') as file:
        file.write(body)


def sealed(folder, rng):
    """No bit of a file with its checksum may be another."""
    path, bad = os.path.join(folder, 'sealed.h5'), os.path.join(folder, 'flipped.h5')
    write(path, planted.sweep(rng, planted.F1, planted.TRUE))
    check('a file with its checksum is read', report(path, '-o', os.path.join(folder, 'read'))[0] == 0)
    n = 8 * os.path.getsize(path)
    for bit in [*rng.integers(0, n - 160, 200), *range(n - 96, n)]:
        flipped(path, bad, int(bit))
        try:
            results.read(bad)
            said = 'is read'
        except results.BadFile as error:
            said = error.args[0]
        check(f'bit {bit} of {n}: {said}', said == f'{bad}: is damaged: its contents do not have the checksum they were '
              'written with')
    truth = results.read(path)[0]['lambda_max']
    for bit in range(n - 160, n - 96):
        flipped(path, bad, bit)
        check(f'bit {bit}, without a checksum: as it is', np.array_equal(results.read(bad)[0]['lambda_max'], truth))


def journal(path, uuid, n_bytes=256):
    head = b'SSJOURN\n' + struct.pack('<I', 1) + bytes.fromhex(uuid)
    with open(f'{path}.journal', 'wb') as file:
        file.write((head + struct.pack('<I', zlib.crc32(head))).ljust(n_bytes, b'\0'))


def belonging(folder, rng):
    """The journal beside a file is its own, or nothing is read."""
    os.makedirs(os.path.join(folder, 'deep'))
    path, link, out = (os.path.join(folder, name) for name in ('deep/own.h5', 'link.h5', 'own'))
    ours, theirs = 'ab' * 16, 'cd' * 16
    write(path, planted.sweep(rng, planted.F4, lambda s: (0, 0)), journal_uuid=ours, journal_bytes=np.int64(300))
    os.symlink(path, link)
    for name in (path, link):
        journal(path, ours, 300)
        status, _, err = report(name, '-o', out)
        check(f'{name} and its journal: {status} {err}', status == 0 and not err)
        journal(path, ours, 301)
        status, _, err = report(name, '-o', out)
        check(f'{name}: the journal has gone on: {status} {err}',
              status == 0 and 'journal holds more' in err and err.count('\n') == 1)
        check('nothing to say of an open file instead', not report_of_snapshot(name, out))
        journal(path, theirs)
        status, _, err = report(name, '-o', os.path.join(folder, 'none'))
        check(f"{name} and another sweep's journal: {status} {err}", status == 2 and err == f'findings.py: {name}: does not '
              f'belong to the journal beside it ({ours}, the journal is {theirs}); move one of them away, or write to '
              'another file (-o)\n')
        flipped(f'{path}.journal', f'{path}.journal', 100)
        status, _, err = report(name, '-o', out)
        check(f'{name} and a damaged journal: {status} {err}', status == 0 and 'the header is damaged' in err)
        os.remove(f'{path}.journal')
        open(f'{path}.journal', 'w').close()
        check(f'{name} and an empty journal', report(name, '-o', out)[::2] == (0, ''))
        os.remove(f'{path}.journal')
        os.mkfifo(f'{path}.journal')
        signal.alarm(60)
        status, _, err = report(name, '-o', out)
        signal.alarm(0)
        check(f'{name} and a pipe for a journal: {status} {err}', status == 0 and 'is not a regular file' in err)
        os.remove(f'{path}.journal')


def report_of_snapshot(path, out):
    """What findings.py says of an open file without a name that it is handed in the place of path."""
    with open(path, 'rb') as file, tempfile.TemporaryFile() as copy:
        copy.write(file.read())
        copy.flush()
        status, _, err = report(path, '-o', out, '--snapshot', f'0:{copy.fileno()}')
    with open(os.path.join(out, 'report.html'), encoding='utf-8') as file:
        named = os.path.basename(path) in file.read()
    return err or (status and f'status {status}') or (not named and 'not named')


# ---- which points are compared with which ---------------------------------------------------------------------------------
def verdicts_of(points, finding):
    return criteria.judge(points, results.select(points)[0])[finding]


def selection(rng):
    points = planted.sweep(rng, planted.F1, planted.TRUE)
    points['train_accuracy'][:4] = 1.0, 1.001 - 0.01, 0.985, 0.9
    points['target_train_accuracy'][:] = 0.99
    points['status'][4], points['train_accuracy'][4] = 3, 0.5
    reason = results.select(points)[1]
    check('at the target, and within the slack', list(reason[:3]) == [''] * 3)
    check(f'too low: {reason[3]}', reason[3] == 'unequal train accuracy')
    check(f'an epoch limit is called so: {reason[4]}', reason[4] == 'epoch_limit')
    points['target_train_accuracy'][:] = 0.5
    reason = results.select(points)[1]
    check('beyond the target', set(reason) == {'epoch_limit', results.BEYOND})


def what_is_used(rng):
    points = planted.sweep(rng, planted.F1, planted.TRUE)
    rate, batch, seed = points['learning_rate'], points['batch'], points['seed']
    gone = (batch == 32) & (rate == 0.2) | (batch == 256) & (rate == 0.02) & (seed == 1)
    points['status'][gone] = 2
    verdict = verdicts_of(points, 'F1')[0]
    wanted = ~gone & ~((batch == 256) & (seed == 1))
    check('used: what entered and nothing else', np.array_equal(verdict.used, np.flatnonzero(wanted)))
    check(f'usable and not used are counted: {verdict.unused}', verdict.unused == 3)
    check(f'what is missing is said: {verdict.missing}',
          verdict.missing == ['learning_rate 0.2 at batch size 32', '1 of 3 seeds at batch size 256'])
    label = verdict.parts[2].effects[1].label
    check(f'over which rates is said: {label}', '0.02 to 0.1' in label)
    points['status'][batch == 5000] = 0
    verdict = verdicts_of(points, 'F1')[0]
    check('the largest batch size is missing: inconclusive', verdict.verdict == criteria.INCONCLUSIVE)
    check(f'and that is said: {verdict.missing}', 'batch size 5000: too little is left' in verdict.missing)
    check('its part cannot be asked', verdict.parts[2].state == 'cannot be asked')
    points['status'][:] = 0
    verdict = verdicts_of(points, 'F1')[0]
    check('nothing computed yet: inconclusive', verdict.verdict == criteria.INCONCLUSIVE and not len(verdict.used))
    points = planted.sweep(rng, planted.F5, planted.bn_effect())
    for s, r in ((0, 0.02), (1, 0.2)):
        points['status'][(points['seed'] == s) & (points['learning_rate'] == r) & (points['batch'] == 32)] = 2
    verdict = verdicts_of(points, 'F5')[0]
    check(f'F5 with one complete seed of three: {verdict.verdict}', verdict.verdict == criteria.INCONCLUSIVE)
    check(f'says so: {verdict.missing}', any('2 of 3 are left out' in m for m in verdict.missing))


def several(rng, folder):
    """Two experiments are not pooled; a setting that an older file lacks is at its default; names tell files apart."""
    paths = [os.path.join(folder, name, 'a.h5') for name in ('one', 'two')]
    for path, effect in zip(paths, (planted.lr_effect(lam=-4, gain=12), planted.lr_effect(lam=4, gain=-12))):
        os.makedirs(os.path.dirname(path))
        points = planted.sweep(rng, planted.F1, effect)
        points.columns['data_digest'] = np.array([path[-8:-5] * 8] * points.n, dtype=object)
        points['data_digest'][0], points['status'][0] = '', 0                # pending: nobody knows yet
        write(path, points, tag=path[-8:-5])
    points = results.load(paths)
    found = verdicts_of(points, 'F1')
    check(f'two data sets: {[v.verdict for v in found]}',
          [v.verdict for v in found] == [criteria.REPRODUCED, criteria.NOT_REPRODUCED])
    check(f'their strata: {[v.stratum for v in found]}', len({v.stratum for v in found}) == 2)
    check('at half the level each', all(v.level == criteria.ALPHA / 2 for v in found))
    check('the pending points are theirs', [v.missing for v in found] == [['1 of 3 seeds at batch size 32']] * 2)
    check(f'equal names are told apart: {sorted(set(points["file"]))}', sorted(set(points['file'])) == paths)
    same_data = planted.sweep(rng, planted.F1, planted.TRUE)
    write(paths[0], same_data.subset(same_data['batch'] < 5000), tag='one')
    new = same_data.subset(same_data['batch'] == 5000)
    new.columns.update(momentum=np.zeros(new.n), nesterov=np.zeros(new.n, int), init=np.array(['auto'] * new.n, object),
                       sam_m=np.full(new.n, -1), ghost_batch=np.full(new.n, 1000))
    write(paths[1], new, tag='two')
    found = verdicts_of(results.load(paths), 'F1')
    check(f'an older file is of the same stratum: {[v.stratum for v in found]}', [v.stratum for v in found] == [''])
    new['momentum'][:] = 0.9
    write(paths[1], new, tag='two')
    found = verdicts_of(results.load(paths), 'F1')
    check(f'but not where the setting differs: {[v.stratum for v in found]}', [v.stratum for v in found] == ['momentum=0'])


def correlated(rng):
    points = planted.sweep(rng, planted.F5, planted.bn_effect())
    mask = results.select(points)[0]
    rows = {row[0]: row for row in correlations.rank_correlation(points, mask)}
    check(f'batch norm has groups of two: {rows.get("batch_norm")}', rows['batch_norm'][2:] == (8 * 3, 48))
    gap = correlations.gap_of(points)
    points.columns.update(lambda_min=gap.copy(), lambda_min_residual=np.where(np.arange(points.n) < 20, 0.9, 1e-4))
    points['lambda_min'][:20] *= -1
    name, tau, n, out = correlations.measure_correlations(points, mask, results.MEASURES)[0]
    check(f'uncertified eigenvalues are left out and counted: {tau} {n} {out}', (n, out) == (28, 20) and tau > 0.999)
    zipped = planted.sweep(rng, planted.F2, planted.LADDER_TRUE, zipped=planted.LADDER)
    rows = {row[0]: row for row in correlations.rank_correlation(zipped, results.select(zipped)[0])}
    check(f'an axis without groups is there: {rows.get("batch")}', rows['batch'][2] == 0 and np.isnan(rows['batch'][1]))
    check('and printed so', 'batch: none  (0 groups' in findings.summary({}, list(rows.values()), [], np.array([''])))
    none = correlations.rank_correlation(points, np.zeros(points.n, bool))
    check('no points: none', none == [] and 'tau\n    none\n' in findings.summary({}, [], [], np.array([''])))


def folder_of_reports(rng, folder):
    out, path = os.path.join(folder, 'stale'), os.path.join(folder, 'good.h5')
    os.makedirs(out)
    mine = ('F1.png', 'F3-2.pdf', 'report.html')
    yours = ('F6.png', 'F1.png.txt', 'notes.txt', 'F10.pdf')
    for name in mine + yours:
        with open(os.path.join(out, name), 'w', encoding='utf-8') as file:
            file.write('stale')
    write(path, planted.sweep(rng, planted.F4, lambda s: (0, 0)))
    check('a report over another', report(path, '-o', out)[0] == 0)
    there = os.listdir(out)
    check(f'what an earlier report left is gone: {there}', 'F1.png' not in there and 'F3-2.pdf' not in there)
    check(f'what others left stays: {there}', set(yours) <= set(there))


def kept(folder):
    """Files of earlier programs: no warning either."""
    archives = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'cli', 'kept', '*.tar.gz'))
    check('there are kept files', archives)
    for archive in archives:
        into = os.path.join(folder, re.sub(r'\..*', '', os.path.basename(archive)))
        with tarfile.open(archive) as file:
            file.extractall(into)
        status, said, err = report(os.path.join(into, 'kept.h5'), '-o', os.path.join(into, 'report'))
        check(f'{archive}: {status} {err}', status == 0 and not err)
        check(f'{archive}: correlations: {said}', 'nan' not in said)


def main():
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        malformed(folder)
        strange(folder)
        frugal(folder)
        sealed(folder, rng)
        belonging(folder, rng)
        selection(rng)
        what_is_used(rng)
        several(rng, folder)
        correlated(rng)
        folder_of_reports(rng, folder)
        kept(folder)
    finish()


if __name__ == '__main__':
    main()
