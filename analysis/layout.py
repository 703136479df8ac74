"""layout.py - how an HDF5 file stores what it shows, looked at before anything is read.

A file may come from a stranger. Links and references that lead elsewhere, data in other files, virtual datasets and filters
that are plugins are refused by name, in the words of the program (src/store/h5_strict.c). Sizes are not believed: what is
read is bounded by the bytes that are there. Groups that others added are not looked into: nothing in them is read."""
import itertools
import math
import os
import zlib

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z

from refusal import BadFile

MOST_PACKED = 1100            # deflate makes at most 1032 bytes of one
FILTERS = {h5z.FILTER_DEFLATE: 'deflate', h5z.FILTER_SHUFFLE: 'shuffle', h5z.FILTER_FLETCHER32: 'fletcher32'}
GROUPS = ('history', 'spectrum', 'journal')
SCALES = ('DIMENSION_LIST', 'REFERENCE_LIST')   # attributes by which dimension scales are known; never followed here
ELSEWHERE = 'and data are read only where they lie in this file itself; copy them into it'


def forbid_plugins():
    """HDF5 loads no filter from any folder."""
    try:
        while h5py.h5pl.size():
            h5py.h5pl.remove(0)
    except AttributeError:    # an h5py without; such filters are refused below all the same
        pass


def check(path, file, fd, size):
    """Every object of the file; fd is the file itself, of `size` bytes."""
    stored, texts, seen = 0, 0, set()
    for name, address, found in objects(path, file):
        check_attributes(path, name, found)
        if isinstance(found, h5d.DatasetID):
            data = Data(path, name, found)
            stored += 0 if address in seen else data.stored
            texts += 0 if address in seen else data.text_bytes(fd, size)
        seen.add(address)
    if stored > size:
        raise BadFile(f'{path}: is damaged: its variables say that they take {stored} bytes, the file has {size}')
    if texts > size:
        raise BadFile(f'{path}: is damaged: its texts say that they take {texts} bytes, the file has {size}')


def objects(path, file):
    """(name, address, id) of the root, of its members and of those of the groups that are read."""
    root = h5g.open(file.id, b'/')
    yield 'the root group', address_of(h5o.get_info(root)), root
    for name, address, found in members(path, root, ''):
        yield name, address, found
        if name in GROUPS and isinstance(found, h5g.GroupID):
            yield from members(path, found, name + '/')


def members(path, group, prefix):
    for raw in group:
        name = prefix + raw.decode(errors='backslashreplace')
        check_link(path, name, group.links.get_info(raw).type)
        yield name, address_of(h5o.get_info(group, raw)), h5o.open(group, raw)


def address_of(info):
    return info.fileno, info.addr


def check_link(path, name, kind):
    if kind != h5l.TYPE_HARD:
        word = {h5l.TYPE_SOFT: 'a soft', h5l.TYPE_EXTERNAL: 'an external'}.get(kind, 'a user-defined')
        raise BadFile(f'{path}: {name} is {word} link, {ELSEWHERE}')


def references(kind):
    """The reference types within a type."""
    if isinstance(kind, h5t.TypeReferenceID):
        return [kind]
    if kind.get_class() in (h5t.VLEN, h5t.ARRAY):
        return references(kind.get_super())
    if kind.get_class() == h5t.COMPOUND:
        return [r for i in range(kind.get_nmembers()) for r in references(kind.get_member_type(i))]
    return []


def check_attributes(path, name, found):
    for i in range(h5a.get_num_attrs(found) if not isinstance(found, h5t.TypeID) else 0):
        attribute = h5a.open(found, index=i)
        known = attribute.name.decode(errors='backslashreplace')
        kinds = references(attribute.get_type())
        if known not in SCALES and kinds or any(kind != h5t.STD_REF_OBJ for kind in kinds):
            raise BadFile(f'{path}: attribute {known} of {name} is made of references, which are not followed; remove it')


class Data:
    """One dataset; refused unless its data lie in the file and their sizes can be."""

    def __init__(self, path, name, found):
        self.path, self.name, self.found = path, name, found
        self.plan = found.get_create_plist()      # before the shape: of a virtual dataset that opens other files
        self.check_storage()
        self.kind, self.stored = found.get_type(), found.get_storage_size()
        if references(self.kind):
            self.refuse(f'is made of references, {ELSEWHERE}')
        space = found.get_space()
        self.dims = space.get_simple_extent_dims() if space.get_simple_extent_type() == h5s.SIMPLE else ()
        is_text = isinstance(self.kind, h5t.TypeStringID) and self.kind.is_variable_str()
        self.width = 8 + address_bytes(found) if is_text else self.kind.get_size()
        self.is_text = is_text
        self.check_size()

    def refuse(self, what):
        raise BadFile(f'{self.path}: {self.name} {what}')

    def check_storage(self):
        if self.plan.get_layout() == h5d.VIRTUAL:
            self.refuse(f'is a virtual dataset, {ELSEWHERE}')
        if self.plan.get_external_count():
            self.refuse(f'has external storage, {ELSEWHERE}')
        self.filters = [self.plan.get_filter(i)[0] for i in range(self.plan.get_nfilters())]
        for i, code in enumerate(self.filters):
            again = code in FILTERS and code in self.filters[:i]
            if code not in FILTERS or again:
                self.refuse(f'is packed by {"a second " if again else ""}filter {code}, and only deflate (gzip), shuffle and '
                            'fletcher32 are read, each once; `h5repack -f GZIP=1` packs it so')

    def check_size(self):
        """What its bytes can become at most: 1:1, or deflate's best. HDF5 unpacks whole chunks, however little is read."""
        chunked = self.plan.get_layout() == h5d.CHUNKED
        n = max(math.prod(self.dims), math.prod(self.plan.get_chunk()) if chunked else 0) * self.width
        if math.prod(self.dims) and n > self.stored * (MOST_PACKED if self.filters else 1):
            self.refuse(f'is said to have {n} bytes, but the file holds {self.stored} of them; it is damaged or hollow')

    def text_bytes(self, fd, size):
        """The lengths of its texts, summed: a text may be named many times, and would be read as often."""
        if isinstance(self.kind, h5t.TypeStringID) and not self.is_text:
            return math.prod(self.dims) * self.width
        if not self.is_text:
            return 0
        length = np.dtype({'names': ['n'], 'formats': ['<u4'], 'offsets': [0], 'itemsize': self.width})
        return sum(int(np.frombuffer(raw, length)['n'].sum(dtype=np.uint64)) for raw in self.pieces(fd, size))

    def pieces(self, fd, size):
        """Its bytes as they are stored, without filters: of texts the places where they lie."""
        if self.plan.get_layout() == h5d.CONTIGUOUS:
            offset, n = self.found.get_offset(), math.prod(self.dims) * self.width
            yield self.missing() if offset is None else whole(os.pread(fd, n, offset), self.width)
            return
        if self.plan.get_layout() == h5d.COMPACT:
            return                                              # in the header, of at most 64 KiB
        step = self.plan.get_chunk()
        grid = [range(0, n, k) for n, k in zip(self.dims, step)]
        if math.prod(map(len, grid)) * 8 > size:    # the place of each chunk takes 8 bytes
            self.refuse(f'has {math.prod(map(len, grid))} chunks, more than the {size} bytes of the file can hold')
        for at in itertools.product(*grid):
            try:
                mask, raw = self.found.read_direct_chunk(at)
            except (OSError, RuntimeError, ValueError):         # not written yet
                yield self.missing()
                continue
            yield whole(self.unfiltered(mask, raw, math.prod(step) * self.width), self.width)

    def missing(self):
        """A text to fill in for those that were not written would be read as often as these are many."""
        if self.plan.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
            self.refuse('fills in a text of its own where none was written; write them all')
        return b''

    def unfiltered(self, mask, raw, n):
        for i, code in reversed(list(enumerate(self.filters))):
            if mask >> i & 1:
                continue
            if code == h5z.FILTER_DEFLATE:
                try:
                    raw = zlib.decompressobj().decompress(raw, n)
                except zlib.error:
                    self.refuse('is damaged: a piece of it does not decompress')
            elif code == h5z.FILTER_FLETCHER32:
                raw = raw[:-4]
            elif len(raw) % self.width == 0:
                raw = np.frombuffer(raw, np.uint8).reshape(self.width, -1).T.tobytes()
        return raw


def address_bytes(found):
    return h5py.h5i.get_file_id(found).get_create_plist().get_sizes()[0]


def whole(raw, width):
    return raw[:len(raw) // width * width]
