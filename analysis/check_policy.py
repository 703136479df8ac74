"""check_policy.py PROGRAM SCHEMA.md - walks every cell of the table in SCHEMA.md, section 5: makes a journal and a results file in every pair of
states, runs every command on a copy, and compares exit status, sentence and every byte that was there before.

A letter of a cell is what run, show, merge and verify --repair do: - begins anew, j reads the journal, f the file, b both, ! refuses.
Journal and file of a pair hold different results of the same sweep, so that what a command prints tells what it has read."""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

STATES = ['absent', 'empty', 'whole', 'torn', 'damaged', 'foreign', 'of another sweep', 'newer', 'unreadable']
# What a refusal says of the state that it refuses.
SAYS = {'absent': ['neither'], 'empty': ['is empty'], 'damaged': ['damaged', 'cut short'], 'foreign': ['not a', 'no results file'],
        'of another sweep': ['does not belong'], 'newer': ['newer sharpsweep'], 'unreadable': ['not a regular file']}
WAY_OUT = ['verify --repair', 'move', 'newer sharpsweep', 'neither a results file', 'remove it']
JOB = '''model: {network: mlp, widths: [4]}
data: {dataset: synthetic, synthetic_train: 32, synthetic_test: 16, synthetic_size: 2}
training: {max_epochs: 1, target_train_accuracy: 0}
curvature: {curvature_examples: 16}
grid: {learning_rate: [%s]}
'''
n_checks = n_failed = 0


def check(good, text, more=''):
    global n_checks, n_failed
    n_checks += 1
    if not good:
        n_failed += 1
        print(f'FAILED: {text}\n    {more}')


def call(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def table(path):
    """{(journal state, file state): letters} of the section's table."""
    rows, head, inside = {}, None, False
    for line in open(path, encoding='utf-8'):
        cells = [c.strip() for c in line.strip().strip('|').split('|')]
        if line.startswith('| journal \\ file'):
            head, inside = cells[1:], True
        elif inside and line.startswith('|') and not line.startswith('|-'):
            for state, cell in zip(head, cells[1:]):
                rows[cells[0], state] = cell.strip('`')
        elif inside and not line.startswith('|'):
            break
    return rows


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


def rates(out):
    """Learning rates of the rows of `show --csv` that are done."""
    lines = [line.split(',') for line in out.splitlines()]
    at, status = lines[0].index('learning_rate'), lines[0].index('status')
    return {row[at] for row in lines[1:] if row[status] == 'done'}


def make_parts():
    """A journal that lacks the file's newest result, a file that lacks the journal's: 0.1 is in both, 0.2 in the file's past alone."""
    write('job.yaml', (JOB % '0.1').encode())
    call('run', 'job.yaml', '-o', 'r.h5')
    common = read('r.h5.journal')
    write('more.yaml', (JOB % '0.1, 0.2').encode())
    call('run', 'more.yaml', '-o', 'r.h5')
    file = read('r.h5')
    write('r.h5.journal', common)
    os.unlink('r.h5')
    write('third.yaml', (JOB % '0.1, 0.3').encode())
    call('run', 'third.yaml', '-o', 'r.h5')
    journal = read('r.h5.journal')
    for name in ('r.h5', 'r.h5.journal'):
        os.unlink(name)
    call('run', 'job.yaml', '-o', 'other.h5')
    return journal, file


def as_journal(state, whole):
    if state == 'torn':
        return whole + b'SSJE\x03\0\0\0\x40\0\0\0torn'
    if state == 'damaged':
        at = whole.rindex(b'SSJE') - 40       # within an entry that another follows
        return whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:]
    if state == 'newer':
        head = whole[:8] + struct.pack('<I', 2) + whole[12:28]
        return head + struct.pack('<I', zlib.crc32(head)) + whole[32:]
    return {'absent': None, 'empty': b'', 'whole': whole, 'foreign': b'a list of things to buy\n' * 20, 'unreadable': 'pipe'}[state]


def as_file(state, whole):
    if state == 'damaged':
        return whole[:900] + bytes([whole[900] ^ 4]) + whole[901:]
    if state == 'newer':
        try:
            import h5py
        except ImportError:
            return 'skip'
        write('newer.h5', whole)
        with h5py.File('newer.h5', 'r+') as file:
            file.attrs['schema_version'] = file.attrs['schema_version'] + 1
        return read('newer.h5')
    if state == 'of another sweep':
        return read('other.h5')
    return {'absent': None, 'empty': b'', 'whole': whole, 'foreign': b'a list of things to buy\n' * 20, 'unreadable': 'pipe'}[state]


def put(path, data):
    if data == 'pipe':
        os.mkfifo(path)
    elif data is not None:
        write(path, data)


def contents():
    found = {}
    for name in sorted(os.listdir('.')):
        found[name] = read(name) if os.path.isfile(name) else 'no file'
    return found


def refused(where, before, status, err, states):
    check(status == 2, f'{where}: status {status}, not 2', err)
    check(err.count('\n') == 1, f'{where}: one sentence', err)
    says = [s for state in states for s in SAYS.get(state, [])]
    check(any(s in err for s in says), f'{where}: says none of {says}', err)
    check(any(w in err for w in WAY_OUT), f'{where}: names no way out', err)
    check(contents() == before, f'{where}: nothing has changed')


def kept_of(before, state_of):
    """Bytes of what was damaged or torn are still there, under their own or another name."""
    after = contents()
    for name, data in before.items():
        if state_of.get(name) in ('damaged', 'torn') and after.get(name) != data:
            yield name, any(other.startswith(name + '.kept-') and value == data for other, value in after.items())


EXPECTED = {'j': {'0.1', '0.3'}, 'f': {'0.1', '0.2'}, 'b': {'0.1', '0.2', '0.3'}}


def try_cell(letters, journal, file, journal_state, file_state):
    commands = [('run', ['run', 'all.yaml', '-o', 'r.h5', '--progress', 'plain']), ('show', ['show', 'r.h5', '--csv']),
                ('merge', ['merge', 'out.h5', 'r.h5']), ('verify --repair', ['verify', '--repair', 'r.h5'])]
    state_of = {'r.h5': file_state, 'r.h5.journal': journal_state}
    # Commands that read by the same letters as others, and never change anything.
    readers = [('status', ['status', 'r.h5'], letters[1], (0,)), ('verify', ['verify', 'r.h5'], letters[3], (0, 2))]
    for letter, (name, arguments) in zip(letters, commands):
        where = f'journal {journal_state}, file {file_state}: {name} ({letter})'
        shutil.rmtree('cell', ignore_errors=True)
        os.mkdir('cell')
        os.chdir('cell')
        write('all.yaml', (JOB % '0.1, 0.2, 0.3').encode())
        put('r.h5', file)
        put('r.h5.journal', journal)
        before = contents()
        status, out, err = call(*arguments)
        if letter == '!':
            refused(where, before, status, err, [s for s in (journal_state, file_state) if s not in ('whole', 'torn')])
        else:
            accepted(where, letter, name, before, status, out, err, state_of)
        if name == 'show' and letter != '!':
            check(contents() == before, f'{where}: reading has changed something')
        for reader, words, same, good in readers if name == 'show' else []:
            where = f'journal {journal_state}, file {file_state}: {reader} ({same})'
            status, out, err = call(*words)
            if same == '!':
                refused(where, before, status, err, [s for s in (journal_state, file_state) if s not in ('whole', 'torn')])
            else:
                check(status in good and contents() == before, f'{where}: status {status}, or something has changed', out + err)
        os.chdir('..')


def accepted(where, letter, name, before, status, out, err, state_of):
    check(status in (0, 75) if name == 'merge' else status == 0, f'{where}: status {status}', out + err)
    for kept, good in kept_of(before, state_of):
        check(good, f'{where}: {kept} was replaced and is not kept')
    if name == 'run':
        n_new = {'-': 3, 'j': 1, 'f': 1, 'b': 0}[letter]
        done = 'finished already' in out and n_new == 0 or f'{n_new} of them now' in out
        check(done, f'{where}: computes other than {n_new} points', out)
        check(rates(call('show', 'r.h5', '--csv')[1]) == EXPECTED['b'], f'{where}: all three are there')
        check(call('verify', 'r.h5')[0] == 0, f'{where}: verify finds faults afterwards', call('verify', 'r.h5')[1])
        return
    csv = out if name == 'show' else call('show', 'out.h5' if name == 'merge' else 'r.h5', '--csv')[1]
    wanted = EXPECTED[letter]
    if state_of['r.h5.journal'] == 'damaged':       # its last but one entry
        check(rates(csv) <= wanted, f'{where}: {rates(csv)}, not within {wanted}')
    else:
        check(rates(csv) == wanted, f'{where}: {rates(csv)}, not {wanted}')
    if name == 'verify --repair':
        check(call('verify', 'r.h5')[0] == 0, f'{where}: verify finds faults after the repair', call('verify', 'r.h5')[1])


def main():
    rows = table(SCHEMA)
    with tempfile.TemporaryDirectory(prefix='sharpsweep-policy-') as folder:
        os.chdir(folder)
        journal, file = make_parts()
        skipped = set()
        for journal_state in [s for s in STATES if s != 'of another sweep']:
            for file_state in [s for s in STATES if s != 'torn']:
                if file_state == 'of another sweep' and journal_state not in ('whole', 'torn', 'damaged'):
                    continue                        # of which other?
                letters = rows.get((journal_state, file_state), '')
                check(re.fullmatch('[-jfb!]{4}', letters), f'{SCHEMA} has no cell {journal_state} / {file_state}', letters)
                data = as_file(file_state, file)
                if data == 'skip':
                    skipped.add(file_state)
                elif len(letters) == 4:
                    try_cell(letters, as_journal(journal_state, journal), data, journal_state, file_state)
        os.chdir('/')
    for state in skipped:
        print(f'skipped: files that are {state}: no h5py here')
    print(f'{n_checks} checks, {n_failed} failed')
    return n_failed > 0 or n_checks < 300


PROGRAM, SCHEMA = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.exit(main())
