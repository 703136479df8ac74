"""refusal.py - why a file is refused, as one sentence that a terminal can show whatever the file says."""


def plain(text, keep=''):
    """The text without what a terminal would obey: control characters and the like as \\x1b and \\u202e."""
    return ''.join(c if c.isprintable() or c in keep else c.encode('unicode_escape').decode() for c in str(text))


# The way out of a file's state, behind the sentence that says what it is (src/store/policy.c).
REPAIR = '`sharpsweep verify --repair` saves what can be proven'
FOREIGN = 'move it away and run the job again, or write to another file (-o)'
UNREADABLE = 'make it readable, or move it away and run the job again, or write to another file (-o)'
OTHER = 'move one of them away, or write to another file (-o)'


class BadFile(Exception):
    """One sentence for the user. way: None: whoever knows more may say it; '': there is none."""

    def __init__(self, sentence, way=None):
        super().__init__(sentence)
        self.way = way

    def __str__(self):
        return plain(f'{self.args[0]}; {self.way}' if self.way else self.args[0])
