"""test_findings.py - findings.py from results file to report, and its refusals.

usage: test_findings.py   Writes small results files with h5py, in the shape of SCHEMA.md. Exit status 1 if a check fails."""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

import h5py
import numpy as np

import results
import test_criteria as planted
from test_checks import check, finish

HERE = os.path.dirname(os.path.abspath(__file__))


def write(path, points, **attributes):
    """A results file of `points` as the program lays it out: dimension scale `point`, one variable per column, checksum."""
    with h5py.File(path, 'w') as file:
        file.attrs.update({'schema': 'sharpsweep results', 'schema_version': 1, 'job_text': 'model: <mlp> & co',
                           'sharpsweep_commit': 'planted', **attributes})
        scale = file.create_dataset('point', data=np.arange(points.n))
        scale.make_scale('point')
        for name, column in points.columns.items():
            if name in ('file', 'batch'):
                continue
            if name in results.INTEGERS:
                column = column.astype(int)
            file[name] = column if column.dtype.kind != 'O' else [str(v) for v in column]
            file[name].dims[0].attach_scale(scale)
        file['id'] = [f'{attributes.get("tag", "0"):0>4}{i:028x}' for i in range(points.n)]
        file['id'].dims[0].attach_scale(scale)
    with open(path, 'r+b') as file:                   # the checksum behind its end
        body = file.read()
        file.write(b'SSH5SUM\n' + struct.pack('<QI', len(body), zlib.crc32(body)))


def run(*arguments):
    return subprocess.run([sys.executable, os.path.join(HERE, 'findings.py'), *arguments], capture_output=True, text=True)


def verdict_of(output, finding):
    return next((line for line in output.splitlines() if line.startswith(finding + '  ')), '')


def main():
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, 'f1.h5'), os.path.join(folder, 'report')
        points = planted.sweep(rng, planted.F1, planted.lr_effect(lam=-2.0, gain=6.0))
        points['status'][0], points['lambda_converged'][5], points['train_accuracy'][9] = 2, 0, 0.9
        write(path, points)
        done = run(path, '-o', out)
        check('a sweep with F1 planted runs: ' + done.stderr, done.returncode == 0)
        check('F1 is reproduced', verdict_of(done.stdout, 'F1').startswith('F1  REPRODUCED'))
        check('F4 is not covered', 'NOT COVERED' in verdict_of(done.stdout, 'F4'))
        for reason in ('1 diverged', '1 lambda_max not converged', '1 unequal train accuracy'):
            check(f'counted: {reason}', reason in done.stdout)
        for name in ('F1.png', 'F1.pdf', 'gap.png', 'gap.pdf', 'verdicts.txt', 'report.html'):
            check(f'{name} is written', os.path.getsize(os.path.join(out, name)) > 500)
        check('F4 has no figure', not os.path.exists(os.path.join(out, 'F4.png')))
        with open(os.path.join(out, 'report.html'), encoding='utf-8') as file:
            page = file.read()
        check('the page needs no network', 'src="http' not in page and 'href="http' not in page and 'url(' not in page)
        check('the page escapes what files say', '<mlp>' not in page and '&lt;mlp&gt;' in page)
        check('the page shows its pictures', page.count('data:image/png;base64') == 2)
        twice = run(path, path, '-o', out)
        page = open(os.path.join(out, 'report.html')).read()
        check('the same file twice counts its points once', f'{points.n} points' in page and twice.returncode == 0)
        other = os.path.join(folder, 'f4.h5')
        harm = planted.sweep(rng, planted.F4, lambda s: (-2.0 * (s['dropout'] > .6), -4.0 * (s['dropout'] > .6)))
        write(other, harm, tag='f4')
        both = run(path, other, '-o', out)
        check('two files: both findings', all(' REPRODUCED' in ' ' + verdict_of(both.stdout, f)[4:] for f in ('F1', 'F4')))
        refuse(folder, path)
    finish()


def refuse(folder, good):
    """Bad files: one sentence, status 2, nothing written."""
    cut = os.path.join(folder, 'cut.h5')
    with open(good, 'rb') as file, open(cut, 'wb') as copy:
        copy.write(file.read()[:5000])
    text = os.path.join(folder, 'text.h5')
    with open(text, 'w') as file:
        file.write('not HDF5\n')
    newer, foreign = os.path.join(folder, 'newer.h5'), os.path.join(folder, 'foreign.h5')
    write(newer, planted.sweep(np.random.default_rng(1), planted.F4, lambda s: (0, 0)), schema_version=2)
    with h5py.File(foreign, 'w') as file:
        file['x'] = [1.0]
    for path in (cut, text, newer, foreign, os.path.join(folder, 'absent.h5'), folder):
        out = os.path.join(folder, 'none')
        done = run(path, '-o', out)
        check(f'{os.path.basename(path)} is refused with 2: {done.returncode} {done.stderr}', done.returncode == 2)
        check(f'{os.path.basename(path)}: one sentence: {done.stderr}', done.stderr.count('\n') == 1 and path in done.stderr)
        check(f'{os.path.basename(path)}: nothing written', not os.path.exists(out))


if __name__ == '__main__':
    main()
