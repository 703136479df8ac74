"""refusal.py - why a file is refused, as one sentence that a terminal can show whatever the file says."""


def plain(text, keep=''):
    """The text without what a terminal would obey: control characters and the like as \\x1b and \\u202e."""
    return ''.join(c if c.isprintable() or c in keep else c.encode('unicode_escape').decode() for c in str(text))


class BadFile(Exception):
    """One sentence for the user."""

    def __str__(self):
        return plain(self.args[0])
