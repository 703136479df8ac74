"""test_checks.py - what the tests of this folder count: things that hold and things that do not."""
import sys

n_checks = n_faults = 0


def check(what, holds):
    global n_checks, n_faults
    n_checks += 1
    if not holds:
        n_faults += 1
        print(f'FAILED: {what}')


def finish():
    """Says how many there were; the process ends with status 1 if any did not hold, or none was made."""
    print(f'{n_checks} checks, {n_faults} failed')
    sys.exit(1 if n_faults or not n_checks else 0)
