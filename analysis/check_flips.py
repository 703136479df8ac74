"""check_flips.py PROGRAM [--cases N] [--all | --bytes] [--seed N] [--jobs N] [--only KIND] [--keep FOLDER]

Damages a small sweep's results file and journal, one way after the other: single flipped bits of either file, alone and beside
the other one, of both at once, and files cut short. After each: `show --csv`, `status`, `verify`, the report's reader, then
`verify --repair` and `show --csv` again, and once in four times the sweep goes on. What must hold:

  no command crashes or takes more than 10 s, and each exits with 0 or 2; reading changes no file
  every finished row that is printed is the original one, whatever the damage
  after the repair all rows are there of which either file still holds a whole entry; of a single flip in a file that is alone, at
  most the row that was hit is lost; beside the other file none is
  bytes that a repair replaces are kept as NAME.kept-TIME, or every whole entry of them is in what replaces them
  what a repair gives up, it says

N cases (100), drawn with the seed. --all: every bit and every length of each file alone; --bytes: a bit of every byte; both take
hours. Exit 1 on any fault. Only the standard library; without h5py the report's reader is left out by name.
"""
import argparse
import collections
import concurrent.futures
import csv
import glob
import io
import json
import os
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

TIMEOUT_S = 10
FILE, JOURNAL = 'r.h5', 'r.h5.journal'
TIMES = {'train_s', 'curvature_s', 'measure_s', 'peak_memory_bytes', 'finished'}   # of a point that is computed again
VOLATILE = {'attempts', 'worker'}     # they follow from the notes of a start, which no checksum of a record covers
DONE = 3
JOB = """model: {network: mlp, widths: [4]}
data: {dataset: synthetic, synthetic_train: 32, synthetic_test: 16, synthetic_size: 2}
training: {max_epochs: 2, target_train_accuracy: 0}
curvature: {curvature_examples: 16}
sweep: {seeds: 1}
grid: {learning_rate: [0.05, 0.1], batch_size: [8, full]}
"""


def entries(data):
    """Whole entries in any bytes, found by magic and checksum: (first, end, kind, id or None)."""
    found, at = [], data.find(b'SSJE')
    while at >= 0:
        if at + 16 <= len(data):
            kind, n, crc = struct.unpack_from('<III', data, at + 4)
            end = at + 16 + n
            if end <= len(data) and zlib.crc32(data[at + 16:end], zlib.crc32(data[at + 4:at + 12])) == crc:
                row = data[at + 20:at + 36].hex() if kind == DONE and n >= 20 else None
                found.append((at, end, kind, row))
                at = end - 1
        at = data.find(b'SSJE', at + 1)
    return found


def rows_of(data):
    return {row for _, _, kind, row in entries(data) if kind == DONE}


def flipped(data, *bits):
    data = bytearray(data)
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


class Case:
    """What lies in the folder, and which rows must be there after a repair."""

    def __init__(self, kind, what, file, journal, sweep, most_lost=None):
        self.kind, self.what, self.bytes = kind, what, {FILE: file, JOURNAL: journal}
        self.safe = set().union(*(rows_of(b) for b in (file, journal) if b is not None))
        if kind.startswith('beside'):
            self.safe = set(sweep.rows)
        self.goes_on = zlib.crc32(what.encode()) % 4 == 0
        self.most_lost = len(sweep.rows) if most_lost is None else most_lost


class Sweep:
    def __init__(self, program, folder):
        self.program = program
        with open(os.path.join(folder, 'job.yaml'), 'w', encoding='utf-8') as job:
            job.write(JOB)
        subprocess.run([program, 'run', 'job.yaml', '-o', FILE], cwd=folder, check=True, capture_output=True)
        self.file, self.journal = (open(os.path.join(folder, name), 'rb').read() for name in (FILE, JOURNAL))
        done = subprocess.run([program, 'show', FILE, '--csv'], cwd=folder, check=True, capture_output=True, text=True)
        self.rows = parse(done.stdout)
        assert len(self.rows) == 4 and all(row['status'] == 'done' for row in self.rows.values())
        self.self_contained = rows_of(self.file) == set(self.rows)    # the file holds the journal's entries


def parse(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {row['id']: row for row in rows}
    if len(found) != len(rows):
        raise ValueError('a point is printed twice')
    return found


def wrong(rows, sweep, but=()):
    """The first difference from the original rows; None: there is none."""
    for name, row in rows.items():
        original = sweep.rows.get(name)
        if original is None:
            return f'row {name} is of no point'
        unfinished = row['status'] == 'pending'
        if row.keys() != original.keys() and not unfinished:
            return f'row {name} has other columns: {set(row) ^ set(original)}'
        for column, value in row.items():
            same = value == original.get(column) or column in VOLATILE or column in but
            if not same and not (unfinished and (value in ('', 'nan') or column not in sweep.settings)):
                return f'row {name}: {column} is {value}, not {original.get(column)}'
    return None


def finished(rows):
    return {name for name, row in rows.items() if row['status'] not in ('pending', 'failed')}


# ---- the report's reader, in a process of its own that forks per file ------------------------------------------------------

class Reader:
    def __init__(self):
        self.lock = threading.Lock()
        self.server = subprocess.Popen(['/usr/bin/python3', os.path.abspath(__file__), '--reader'], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.there = self.server.stdout.readline() == 'ready\n'
        if not self.there:
            print("skipped: the report's reader: no h5py here")

    def rows(self, path):
        with self.lock:
            self.server.stdin.write(path + '\n')
            self.server.stdin.flush()
            return json.loads(self.server.stdout.readline())


def read_one(results, path):
    try:
        columns, _ = results.read(path)
    except results.BadFile as error:
        return {'refused': str(error)}
    done = [i for i, status in enumerate(columns['status']) if status != 0]
    names = [name for name in columns if name not in VOLATILE and columns[name].ndim == 1]
    return {'rows': {str(columns['id'][i]): {name: str(columns[name][i]) for name in names} for i in done}}


def serve():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    try:
        import results                                                                  # pylint: disable=import-outside-toplevel
    except ImportError:
        sys.exit('no h5py')
    print('ready', flush=True)
    for path in sys.stdin:
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                answer = read_one(results, path.strip())
            except BaseException as error:                          # pylint: disable=broad-except # whatever it is, it is a fault
                answer = {'fault': f'{type(error).__name__}: {error}'[:200]}
            os.write(into, json.dumps(answer).encode())
            os._exit(0)
        os.close(into)
        text = b''
        while select.select([out], [], [], TIMEOUT_S)[0]:
            piece = os.read(out, 1 << 16)
            if not piece:
                break
            text += piece
        else:
            os.kill(child, signal.SIGKILL)
            text = b'{"fault": "takes more than 10 s"}'
        os.close(out)
        status = os.waitpid(child, 0)[1]
        print(text.decode() or json.dumps({'fault': f'the process ended with {status}'}), flush=True)


# ---- one case --------------------------------------------------------------------------------------------------------------

class Trial:
    def __init__(self, sweep, case, folder, reader):
        self.sweep, self.case, self.folder, self.reader, self.faults = sweep, case, folder, reader, []
        for name, data in case.bytes.items():
            if data is not None:
                with open(os.path.join(folder, name), 'wb') as file:
                    file.write(data)

    def fault(self, what, detail=''):
        self.faults.append((what, detail))

    def files(self):
        found = {}
        for path in sorted(glob.glob(os.path.join(self.folder, '*'))):
            with open(path, 'rb') as file:
                found[os.path.basename(path)] = file.read()
        return found

    def run(self, *words):
        name = ' '.join(w for w in words if w != FILE)
        try:
            done = subprocess.run([self.sweep.program, *words], cwd=self.folder, capture_output=True, timeout=TIMEOUT_S,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            self.fault(f'{name}: takes more than {TIMEOUT_S} s')
            return 2, '', ''
        out, err = done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')
        if done.returncode not in (0, 2):
            self.fault(f'{name}: status {done.returncode}', err[-300:])
        elif done.returncode == 2 and not (out + err).strip():
            self.fault(f'{name}: status 2 without a word')
        return done.returncode, out, err

    def show(self, when, but=()):
        code, out, _ = self.run('show', FILE, '--csv')
        try:
            rows = parse(out) if code == 0 else {}
            why = wrong(rows, self.sweep, but)
        except (ValueError, KeyError) as error:
            rows, why = {}, str(error)
        if why:
            self.fault(f'show --csv {when}: wrong value', why)
        return rows

    def read(self):
        rows = finished(self.show('before repair'))
        code, out, _ = self.run('status', FILE)
        said = re.search(r'(\d+) points?: (\d+) finished', out)
        if code == 0 and (not said or int(said[2]) != len(rows)):
            self.fault('status and show --csv disagree', f'{out[:100]!r}, {len(rows)} rows')
        self.run('verify', FILE)
        if self.reader and os.path.exists(os.path.join(self.folder, FILE)):
            self.ask_reader()
        if self.files() != {name: data for name, data in self.case.bytes.items() if data is not None}:
            self.fault('reading changes files')

    def ask_reader(self):
        answer = self.reader.rows(os.path.join(self.folder, FILE))
        if 'fault' in answer:
            self.fault("the report's reader: fault", answer['fault'])
        for name, row in answer.get('rows', {}).items():
            if row != self.sweep.read.get(name):
                original = self.sweep.read.get(name, {})
                other = [(c, v, original.get(c)) for c, v in row.items() if v != original.get(c)]
                self.fault("the report's reader: wrong value", str(other[:2] or f'no {sorted(set(original) - set(row))[:3]}'))

    def repair(self):
        """The number of rows that are lost."""
        code, out, err = self.run('verify', FILE, '--repair')
        rows = finished(self.show('after repair'))
        lost = set(self.sweep.rows) - rows
        if self.case.safe - rows:
            self.fault('rows are lost that a whole entry holds', f'{sorted(self.case.safe - rows)}: {(out + err)[-200:]}')
        elif len(lost) > self.case.most_lost:
            self.fault(f'more than {self.case.most_lost} rows are lost', f'{len(lost)}: {(out + err)[-200:]}')
        if code == 0 and self.run('verify', FILE)[0] != 0:
            self.fault('verify finds faults after --repair')
        if code == 0 and lost and not re.search('given up|lost|bytes cut|can be proven|results saved', out + err):
            self.fault('what is given up is not said', (out + err)[-200:])
        self.check_kept(lost)
        if code == 0 and self.case.goes_on:
            self.go_on()
        return len(lost)

    def go_on(self):
        """The sweep itself after the repair: what is lost is computed again."""
        code, _, err = self.run('run', os.path.join(self.sweep.scratch, 'job.yaml'), '-o', FILE)
        if code == 0 and finished(self.show('after the next run', TIMES)) != set(self.sweep.rows):
            self.fault('the next run does not complete the sweep')
        elif code != 0:
            self.fault('run refuses what was repaired', err[-300:])

    def check_kept(self, lost):
        after = self.files()
        everything = b''.join(after.get(name, b'') for name in (FILE, JOURNAL))
        for name, data in self.case.bytes.items():
            if data is None or after.get(name) == data:
                continue
            if any(kept.startswith(name + '.kept-') and data == bytes_ for kept, bytes_ in after.items()):
                continue
            if name == JOURNAL and name in after and data.startswith(after[name]) and not entries(data[len(after[name]):]):
                continue                                                                            # a torn end was cut
            held = all(data[a:b] in everything for a, b, kind, _ in entries(data) if kind == DONE)
            if lost or not held or name not in after:
                self.fault(f'{name} is replaced and not kept', f'{sorted(after)}')


# ---- the cases -------------------------------------------------------------------------------------------------------------

def cases_of(sweep, kind, draw):
    """One case of this kind; draw(n) gives a number below n."""
    file, journal = sweep.file, sweep.journal
    a, b = draw(8 * len(file)), draw(8 * len(journal))
    if kind.startswith('alone'):
        which, cut = kind.split()[1:]
        data = file if which == 'file' else journal
        place = (a if which == 'file' else b) if cut == 'flip' else draw(len(data))
        damaged = flipped(data, place) if cut == 'flip' else data[:place]
        # A file of the older kind holds no entries: rows can be lost beyond what can be scanned for.
        most = None if cut == 'cut' else 1
        what = f'byte {place // 8} bit {place % 8}' if cut == 'flip' else f'{place} of {len(data)} bytes'
        return Case(kind, what, damaged if which == 'file' else None, damaged if which == 'journal' else None, sweep, most)
    if kind == 'beside file flip':
        return Case(kind, f'bit {a}', flipped(file, a), journal, sweep, 0)
    if kind == 'beside journal flip':
        return Case(kind, f'bit {b}', file, flipped(journal, b), sweep, 0)
    if kind == 'beside file cut':
        return Case(kind, f'{a // 8} of {len(file)} bytes', file[:a // 8], journal, sweep, 0)
    if kind == 'beside journal cut':
        return Case(kind, f'{b // 8} of {len(journal)} bytes', file, journal[:b // 8], sweep, 0)
    if kind == 'both same row':
        rows = sorted(sweep.rows)
        row = rows[draw(len(rows))]
        places = [[(f, e) for f, e, _, r in entries(data) if r == row] for data in (file, journal)]
        a = 8 * places[0][0][0] + draw(8 * (places[0][0][1] - places[0][0][0])) if places[0] else a
        b = 8 * places[1][0][0] + draw(8 * (places[1][0][1] - places[1][0][0]))
    return Case(kind, f'bits {a} and {b}', flipped(file, a), flipped(journal, b), sweep, 1 if sweep.self_contained else None)


KINDS = ['alone file flip', 'alone journal flip', 'beside file flip', 'beside journal flip', 'both flips', 'both same row',
         'alone file cut', 'alone journal cut', 'beside file cut', 'beside journal cut']
WEIGHTS = [5, 5, 2, 2, 2, 1, 2, 2, 1, 1]


def sampled(sweep, n, seed, only):
    random_ = random.Random(seed)
    kinds = [k for k in KINDS if not only or only in k]
    weights = [w for k, w in zip(KINDS, WEIGHTS) if k in kinds]
    hot = [64, 20 * 8]                                                        # the head of a file and its seal: oftener than by size

    def draw(n_):
        if n_ > 4000 and random_.random() < 0.25:
            return random_.choice([random_.randrange(8 * hot[0]), n_ - 1 - random_.randrange(hot[1])])
        return random_.randrange(n_)
    for i in range(n):
        kind = kinds[i % len(kinds)] if i < len(kinds) else random_.choices(kinds, weights)[0]
        yield cases_of(sweep, kind, draw)


def every(sweep, bits, seed, only):
    """Each bit (or a bit of each byte) and each length of either file alone."""
    random_ = random.Random(seed)
    for which, data in ('journal', sweep.journal), ('file', sweep.file):
        for kind in f'alone {which} flip', f'alone {which} cut':
            if only and only not in kind:
                continue
            for at in range(len(data)):
                places = [at] if 'cut' in kind else [8 * at + b for b in range(8)] if bits else [8 * at + random_.randrange(8)]
                for place in places:
                    chosen = iter([place, place] if 'flip' in kind else [0, 0, place])
                    yield cases_of(sweep, kind, lambda n: next(chosen))         # pylint: disable=cell-var-from-loop


def try_one(sweep, case, reader):
    with tempfile.TemporaryDirectory(dir=sweep.scratch) as folder:
        trial = Trial(sweep, case, folder, reader)
        trial.read()
        lost = trial.repair()
        if trial.faults and sweep.keep:
            where = os.path.join(sweep.keep, re.sub('[^a-z0-9]+', '-', f'{case.kind} {case.what}'))
            os.makedirs(where, exist_ok=True)
            for name, data in case.bytes.items():
                if data is not None:
                    with open(os.path.join(where, name), 'wb') as file:
                        file.write(data)
    return case, lost, trial.faults


def report(results):
    n, faults, lost = collections.Counter(), collections.Counter(), collections.Counter()
    most = collections.Counter()
    first = {}
    for case, rows, found in results:
        n[case.kind] += 1
        lost[case.kind] += rows > 0
        most[case.kind] = max(most[case.kind], rows)
        for what in {what for what, _ in found}:
            faults[case.kind, what] += 1
        for what, detail in found:
            first.setdefault((case.kind, what), f'{case.what}: {detail}')
    for kind in [k for k in KINDS if k in n]:
        print(f'{kind:20} {n[kind]:6} cases, {lost[kind]:6} with lost rows, at most {most[kind]} of 4')
    for (kind, what), count in sorted(faults.items(), key=lambda item: -item[1]):
        print(f'FAULT {kind}: {what} ({count} of {n[kind]}); {first[kind, what][:400]}')
    print(f'{sum(n.values())} cases, {sum(faults.values())} faults')
    return 1 if faults or not n else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('program')
    parser.add_argument('--cases', type=int, default=100)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--only', default='', help='kinds of damage with this in their name')
    parser.add_argument('--keep', help='a folder for the files of every case with a fault')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--bytes', action='store_true')
    arguments = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix='sharpsweep-flips-', dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
    try:
        sweep = Sweep(os.path.abspath(arguments.program), scratch)
        sweep.scratch, sweep.keep = scratch, arguments.keep
        columns = list(next(iter(sweep.rows.values())))
        sweep.settings = set(columns[columns.index('error') + 1:]) | {'learning_rate', 'batch_size', 'seed'}
        reader = Reader()
        if reader.there:
            sweep.read = reader.rows(os.path.join(scratch, FILE))['rows']
        print(f'results file {len(sweep.file)} bytes, {"with" if sweep.self_contained else "without"} the journal\'s entries; '
              f'journal {len(sweep.journal)} bytes; seed {arguments.seed}', flush=True)
        cases = every(sweep, arguments.all, arguments.seed, arguments.only) if arguments.all or arguments.bytes else \
            sampled(sweep, arguments.cases, arguments.seed, arguments.only)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            return report(in_turn(pool, cases, sweep, reader if reader.there else None))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def in_turn(pool, cases, sweep, reader):
    """pool.map without holding all the cases at once."""
    waiting = collections.deque()
    for case in cases:
        waiting.append(pool.submit(try_one, sweep, case, reader))
        if len(waiting) >= 16:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


if __name__ == '__main__':
    if sys.argv[1:] == ['--reader']:
        serve()
    else:
        sys.exit(main())
