"""test_edges.py - edges.py's formulas against what is exactly true, and its plateaus on planted curves.

usage: test_edges.py   Exit status 1 if a check fails."""
import numpy as np

import edges
from test_checks import check, finish


def formulas():
    one = np.array([1.0])
    known_edges = ((0.01, 0, False, 200), (0.1, 0, True, 20), (0.1, 0.9, False, 38), (0.1, 0.9, True, 38 / 2.8))
    for lr, momentum, nesterov, known in known_edges:
        check(f'edge of lr {lr}, momentum {momentum}, Nesterov {nesterov}',
              abs(edges.edge(lr, 0, momentum, nesterov, one)[0] - known) < 1e-12 * known)
    for lr, lam, rho in ((0.1, 5, 0.05), (0.1, 19, 0.5), (0.01, 150, 0.02)):
        # On 1/2 lam x^2 SAM ends in a 2-cycle of amplitude lr lam rho / (2 - lr lam), where the edge is lam itself.
        g = np.array([lam * lr * lam * rho / (2 - lr * lam)])
        at = edges.edge(lr, rho, 0, False, g)[0]
        check(f"SAM's edge in its 2-cycle, lr {lr}, lambda {lam}: {at}", abs(at - lam) < 1e-9 * lam)
        x = g[0] / lam
        y = x - lr * lam * (x + rho * np.sign(x))
        check('which is one of SAM', abs(x + y) < 1e-12)
    check("SAM's edge tends to 2 / lr", abs(edges.edge(0.1, 1e-9, 0, False, one)[0] - 20) < 1e-5)
    check('SAM with momentum has none', edges.edge(0.1, 0.1, 0.9, False, one) is None)


def plateaus():
    step = np.arange(0, 1000, 10)
    lam = np.minimum(70 + 0.3 * step, 206 + 4 * np.sin(step))
    first, level, (low, middle, high) = edges.plateau(step, lam, np.full(100, 200.0))
    check(f'arrival at step 410, the first above 200 / 1.05: {first}', first == 410)
    check(f'plateau near 206: {level}', 204 < level < 208 and low > 1.005 and high < 1.055)
    first, level, _ = edges.plateau(step, np.full(100, 50.0), np.full(100, 200.0))
    check('a curve far away never arrives', first is None and level == 50)
    check('and that is said', 'never' in edges.say('x', step, np.full(100, 50.0), np.full(100, 200.0)))
    check('no formula is said', 'no formula' in edges.say('x', step, lam, None))


formulas()
plateaus()
finish()
