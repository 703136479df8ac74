"""apart.py - a file that no checksum vouches for is read by another process, and what it shows is copied.

HDF5 crashes on some damaged files, goes round in circles in others, and may have overwritten its own memory without a word:
that process may end as it likes. What it copies, into a file without a name, is all that is read of such a file."""
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile

import h5py

import layout
from refusal import BadFile

LEAST_S, BYTES_PER_S = 5, 1 << 20     # of processor time
PATIENCE_S = 600                      # however slow the machine is
REFUSED = 3
BLOCK_VALUES = 1 << 20        # that are copied at a time
CODE = 'import sys; sys.path.insert(0, sys.argv[1]); import apart; apart.work(sys.argv[2], *map(int, sys.argv[3:]))'


@contextlib.contextmanager
def copy_of(path, fd):
    """The descriptor of the copy."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryFile() as copy:
        command = [sys.executable, '-I', '-B', '-c', CODE, here, path, str(fd), str(copy.fileno())]
        done = run(path, command, [fd, copy.fileno()])
        if done.returncode == REFUSED:
            has_way, way, sentence = done.stdout.decode(errors='surrogateescape').split('\0', 2)
            raise BadFile(sentence, way if has_way else None)
        if done.returncode == -signal.SIGXCPU:
            endless(path)
        if done.returncode < 0:
            raise BadFile(f'{path}: is damaged: HDF5 crashes on it (signal {-done.returncode})')
        if done.returncode:
            raise BadFile(f'{path}: cannot be copied: {(done.stderr.decode(errors="replace").splitlines() or [""])[-1]}')
        yield copy.fileno()


def run(path, command, descriptors):
    try:
        return subprocess.run(command, pass_fds=descriptors, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return endless(path)


def endless(path):
    raise BadFile(f'{path}: is damaged: HDF5 comes to no end with it') from None


# ---- the other process ------------------------------------------------------------------------------------------------------
def work(path, fd, to):
    import strict             # which imports this
    size = os.fstat(fd).st_size
    used_s = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    most_s = int(used_s + LEAST_S + size / BYTES_PER_S)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s + 1))
    try:
        with strict.checked(path, fd, size) as file, open(to, 'r+b', closefd=False) as bytes_of_copy:
            with h5py.File(bytes_of_copy, 'w') as copy:
                copy_attributes(strict, file, copy)
                for name in file:
                    copy_member(path, file[name], copy, name)
    except BadFile as error:
        said = f'{"" if error.way is None else "way"}\0{error.way or ""}\0{error.args[0]}'
        sys.stdout.buffer.write(said.encode(errors='surrogateescape'))
        sys.stdout.flush()
        os._exit(REFUSED)
    os._exit(0)               # whatever HDF5 still holds


def copy_attributes(strict, file, copy):
    for name in file.attrs:
        value = strict.attribute(file, name)
        if isinstance(value, str):
            copy.attrs.create(name, value.encode(errors='surrogateescape'), dtype=h5py.string_dtype())
        elif value is not None:
            copy.attrs[name] = value


def copy_member(path, found, copy, name):
    if isinstance(found, h5py.Group) and name in layout.GROUPS:
        group = copy.create_group(name)
        for inner in found:
            if isinstance(found[inner], h5py.Dataset):
                copy_data(path, found[inner], group, inner)
    elif isinstance(found, h5py.Group):
        copy.create_group(name)
    elif isinstance(found, h5py.Dataset):
        copy_data(path, found, copy, name)


def copy_data(path, data, to, name):
    if data.dtype.kind == 'O' and h5py.check_string_dtype(data.dtype) is None:
        raise BadFile(f'{path}: the variable {name} holds neither numbers nor texts ({data.dtype})')
    if data.ndim == 0 or data.size == 0:
        to.create_dataset(name, data=data[()], dtype=data.dtype)
        return
    made = to.create_dataset(name, data.shape, data.dtype, chunks=True, compression=1, shuffle=True)
    step = max(1, BLOCK_VALUES * data.shape[0] // data.size)
    for first in range(0, data.shape[0], step):
        made[first:first + step] = data[first:first + step]
