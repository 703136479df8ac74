"""folder.py - the report's folder: its files take their places all at once when all are drawn, an earlier report's give way, and
what somebody else has put under one of these names is kept as NAME.kept-TIME."""
import os
import re
import shutil
import tempfile
import time

MADE_BY = 'sharpsweep report'
NAMES = re.compile(r'((F[1-5](-[0-9]+)?|gap)\.(png|pdf)|verdicts\.txt|report\.html)')
# What a report's file begins with, and what stands in it.
SIGNS = {'.png': (b'\x89PNG', b'Software\0' + MADE_BY.encode()), '.pdf': (b'%PDF', f'/Creator ({MADE_BY})'.encode()),
         '.html': (b'<!doctype html>', f'<title>{MADE_BY}</title>'.encode()),
         '.txt': (b'', b'lambda_max and the generalisation gap, Kendall tau')}


def is_ours(path):
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    begins, holds = SIGNS[os.path.splitext(path)[1]]
    with open(path, 'rb') as file:
        data = file.read()
    return data.startswith(begins) and holds in data


def keep(path):
    """Puts it aside under a new name, which is returned."""
    stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
    for again in ('', *(f'-{k}' for k in range(2, 1000))):
        kept = f'{path}.kept-{stamp}{again}'
        if not os.path.lexists(kept):
            os.rename(path, kept)
            return kept
    raise FileExistsError(17, 'too many are kept already', path)


class Folder:
    """with Folder(path) as f: write into f.draft; what lies there is put in place at the end. After an error nothing has changed."""

    def __init__(self, path):
        self.path, self.made, self.kept = path, [], []

    def __enter__(self):
        missing, at = [], os.path.abspath(self.path)
        while not os.path.lexists(at):
            missing.append(at)
            at = os.path.dirname(at)
        try:
            for folder in reversed(missing):
                os.mkdir(folder)
                self.made.append(folder)
            self.draft = tempfile.mkdtemp(prefix='.report-', dir=self.path)
        except OSError:
            self.unmake()
            raise
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.publish()
                self.made = []
        finally:
            shutil.rmtree(self.draft, ignore_errors=True)
            self.unmake()

    def unmake(self):
        for folder in reversed(self.made):
            os.rmdir(folder)

    def publish(self):
        """A report of other files may have drawn more: what it left would pass for this one's."""
        new, old = os.listdir(self.draft), [name for name in os.listdir(self.path) if NAMES.fullmatch(name)]
        try:
            for path in (os.path.join(self.path, name) for name in sorted(old)):
                if not is_ours(path):
                    self.kept.append((path, keep(path)))
        except OSError:
            for path, kept in self.kept:
                os.rename(kept, path)
            raise
        for name in new:
            os.replace(os.path.join(self.draft, name), os.path.join(self.path, name))
        for path in (os.path.join(self.path, name) for name in old if name not in new):
            if os.path.lexists(path):
                os.remove(path)
