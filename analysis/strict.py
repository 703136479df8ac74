"""strict.py - the one way in which a results file is opened. Everything that reads one begins here.

What the program's own reader checks is checked, and said in its words: that it is a regular file, the checksum behind its end
(SCHEMA.md, section 1; a file without one was changed with HDF5 and is read on), schema and version, and that it belongs to
the journal beside it. layout.py then looks at how it is stored, and entries.py holds its values against its records where no
checksum vouches for them."""
import contextlib
import errno
import os
import re
import stat
import struct
import sys
import zlib

os.environ.setdefault('HDF5_USE_FILE_LOCKING', 'FALSE')     # as the program does: the lock is the journal's
import h5py                                                 # noqa: E402  (it reads the environment)
import numpy as np                                          # noqa: E402

import apart                                                # noqa: E402
import entries                                              # noqa: E402
import layout                                               # noqa: E402
from refusal import BadFile, FOREIGN, OTHER, REPAIR, UNREADABLE, plain   # noqa: E402

layout.forbid_plugins()
SIGNATURE = b'\x89HDF\r\n\x1a\n'
SEAL, SEAL_BYTES = b'SSH5SUM\n', 20
JOURNAL, JOURNAL_BYTES, CRC_AT = b'SSJOURN\n', 256, 28
BLOCK = 1 << 18
SCHEMA, VERSION, MOST_AXES = 'sharpsweep results', 1, 64
ODD = (KeyError, ValueError, TypeError, IndexError, RuntimeError, OverflowError, AttributeError)   # h5py on odd files


@contextlib.contextmanager
def open_results(path, beside=True):
    """An h5py.File that was checked; BadFile says why it is none, also of what h5py finds out later. beside: its journal is
    looked at, too."""
    fd, size = open_regular(path)
    try:
        sealed = check_seal(path, fd, size)
        check_signature(path, fd, size)
        with contextlib.nullcontext(fd) if sealed else apart.copy_of(path, fd) as own:
            with checked(path, own, os.fstat(own).st_size) as file:
                if beside:
                    check_journal(path, file)
                if not sealed:
                    entries.check(path, file)
                yield file
    except BadFile as error:
        if error.way is None:
            error.way = REPAIR
        raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def checked(path, fd, size):
    try:
        with h5_file(path, fd) as file:
            check_schema(path, file)
            layout.check(path, file, fd, size)
            yield file
    except MemoryError:
        raise BadFile(f'{path}: no memory for its columns') from None
    except OSError as error:
        raise BadFile(f'{path}: is damaged: {reason(error)}') from None
    except ODD as error:
        raise BadFile(f'{path}: not laid out as analysis/SCHEMA.md says ({reason(error)})') from None


def reason(error):
    return (str(error).splitlines() or [''])[0][:160]


# ---- the file as bytes --------------------------------------------------------------------------------------------------
def open_regular(path):
    """(descriptor, bytes). Never blocks, as a pipe would."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR) and not os.path.lexists(path):
            there = os.path.lexists(f'{path}.journal')
            raise BadFile(f'{path}: is missing; `sharpsweep report` reads its journal' if there else
                          f'{path}: there is neither a results file nor its journal', '') from None
        known = {errno.ENXIO: 'is not a regular file', errno.ELOOP: 'is a symbolic link that leads back to itself'}
        raise BadFile(f'{path}: {known.get(error.errno, error.strerror)}', UNREADABLE) from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise BadFile(f'{path}: is not a regular file', UNREADABLE)
    return fd, status.st_size


def check_signature(path, fd, size):
    if size == 0:
        raise BadFile(f'{path}: is empty', 'remove it')
    if os.pread(fd, len(SIGNATURE), 0) != SIGNATURE:
        raise BadFile(f'{path}: is not an HDF5 file ({size} bytes), so it is no results file of sharpsweep', FOREIGN)


def check_seal(path, fd, size):
    """True: the checksum is there and right. False: there is none."""
    seal = os.pread(fd, SEAL_BYTES, size - SEAL_BYTES) if size > SEAL_BYTES else b''
    if not seal.startswith(SEAL) or len(seal) < SEAL_BYTES:
        return False
    n, wanted = struct.unpack('<QI', seal[len(SEAL):])
    if n != size - SEAL_BYTES or checksum(fd, n) != wanted:
        raise BadFile(f'{path}: is damaged: its contents do not have the checksum they were written with')
    return True


def checksum(fd, n):
    crc = at = 0
    while at < n:
        block = os.pread(fd, min(BLOCK, n - at), at)
        if not block:
            return None
        crc, at = zlib.crc32(block, crc), at + len(block)
    return crc


@contextlib.contextmanager
def h5_file(path, fd):
    """The very file that was checked, whatever has become of its name."""
    with open(os.dup(fd), 'rb', buffering=0) as own:
        try:
            file = h5py.File(own, 'r')
        except OSError as error:
            why = re.search(r'\((.*)\)', reason(error))
            raise BadFile(f'{path}: is damaged or cut short: H5Fopen: {why[1] if why else reason(error)}') from None
        with file:
            yield file


# ---- attributes ---------------------------------------------------------------------------------------------------------
def attribute(file, name):
    """Its value if it is one text or one number, else None."""
    found = h5py.h5a.open(file.id, name.encode(errors='surrogateescape'))
    single = found.get_space().get_simple_extent_npoints() == 1
    if not single or found.get_type().get_class() not in (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT):
        return None
    value = np.ravel(file.attrs[name])[0]
    if isinstance(value, bytes):
        return value.decode(errors='surrogateescape')
    return value


def text_attribute(path, file, name):
    value = attribute(file, name) if name in file.attrs else ''
    if not isinstance(value, str):
        raise BadFile(f'{path}: attribute {name} is not one text')
    return str(value)


def int_attribute(path, file, name):
    """0 where there is none."""
    value = attribute(file, name) if name in file.attrs else np.int64(0)
    if not isinstance(value, np.integer):
        raise BadFile(f'{path}: attribute {name} is not one integer of at most 64 bits')
    return int(value)


def attributes(path, file):
    """{name: text} of the root's that are one text or one number, for the report's provenance."""
    size, out = file.id.get_filesize(), {}
    for name in file.attrs:
        value = attribute(file, name)
        if value is None:
            continue
        out[name] = str(value)
        size -= len(out[name])
        if size < 0:
            raise BadFile(f'{path}: is damaged: its attributes are longer than the file')
    return out


def check_schema(path, file):
    schema, version = text_attribute(path, file, 'schema'), int_attribute(path, file, 'schema_version')
    if schema != SCHEMA:
        raise BadFile(f"{path}: is an HDF5 file, but no results file of sharpsweep (attribute schema is '{schema[:40]}')",
                      FOREIGN)
    if version < 1:
        raise BadFile(f'{path}: calls itself results of sharpsweep, but its attribute schema_version is missing or not '
                      'positive; it is damaged, or was made by another program', FOREIGN)
    if version > VERSION:
        raise BadFile(f'{path}: has schema version {version}, this program knows {VERSION}; use the newer sharpsweep that '
                      'made it', '')
    names = axes(path, file)
    if len(names) > MOST_AXES or any(len(name) > 63 for name in names):
        raise BadFile(f'{path}: attribute axes is damaged')


def axes(path, file):
    return text_attribute(path, file, 'axes').split(' ') if text_attribute(path, file, 'axes') else []


# ---- the journal beside it ----------------------------------------------------------------------------------------------
def warn(sentence):
    print(f'{os.path.basename(sys.argv[0])}: warning: {plain(sentence)}', file=sys.stderr)


def read_journal(path):
    """(uuid, bytes) of the journal, or None where there is none; an empty file is none."""
    if not os.path.lexists(path):
        return None
    fd, size = open_regular(path)
    head = os.pread(fd, JOURNAL_BYTES, 0)
    os.close(fd)
    if size == 0:
        return None
    if not head.startswith(JOURNAL) or len(head) < JOURNAL_BYTES:
        raise BadFile(f'{path}: is not a journal of sharpsweep')
    version, crc = struct.unpack_from('<I', head, len(JOURNAL))[0], struct.unpack_from('<I', head, CRC_AT)[0]
    if zlib.crc32(head[:CRC_AT]) != crc:
        raise BadFile(f'{path}: the header is damaged')
    if version != 1:
        raise BadFile(f'{path}: has format version {version}, this program knows 1; use the newer sharpsweep that made it', '')
    return head[12:CRC_AT].hex(), size


def check_journal(path, file):
    """What SCHEMA.md's section 5 says of readers, as far as the file alone is read: another sweep's journal or a newer one
    refuses it, one that cannot be read is warned of, and so is one that has gone on."""
    try:
        found = read_journal(f'{os.path.realpath(path)}.journal')
    except BadFile as error:
        if error.way == '':
            raise
        warn(f'{error.args[0]}; what the results file holds is read in its place')
        return
    if not found:
        return
    uuid, n_bytes = text_attribute(path, file, 'journal_uuid'), int_attribute(path, file, 'journal_bytes')
    if uuid != found[0]:
        raise BadFile(f'{path}: does not belong to the journal beside it ({uuid}, the journal is {found[0]})', OTHER)
    if 0 < n_bytes < found[1]:
        warn(f'{path}: its journal holds more than it shows ({found[1]} bytes, {n_bytes} when the file was written); '
             '`sharpsweep report` shows all of it')
