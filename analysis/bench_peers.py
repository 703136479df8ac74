"""bench_peers.py - sharpsweep beside PyTorch on one core: training step, SAM step, gradient, Hessian-vector product.

usage: bench_peers.py BENCH_STEP [--rounds N] [CASE ...]     CASE: mlp-32, cnn-bn-128, ...; best through tests/bench/run.sh

Both run in blocks of about 0.1 s CPU time, turn and turn about, so that the machine's noise hits them alike; a cell shows
the medians and the median of the block-by-block ratios (PyTorch / sharpsweep: above 1 sharpsweep is faster). For each
measure PyTorch gets the memory layout (NCHW or channels last) that is faster for it.
Exit status 1 if a Hessian-vector product takes more than 3 gradients, its point's activations kept or fresh."""
import statistics
import sys

from bench_torch import BestTorch, Step, head, keep, line, median_ratio, option, pinned

LIMIT = 3.0
OURS = ('step', 'sam', 'gradient', 'hv_cached', 'hv_fresh')
THEIRS = ('step', 'sam', 'gradient', 'retained', 'rebuilt')
OVER = {'sam': 'step', 'hv_cached': 'gradient', 'hv_fresh': 'gradient'} # our own, in units of
# what is compared: title, row of the targets, ours, theirs
PAIRS = (('step', 'step', 'step', 'step'), ('SAM step', 'sam', 'sam', 'sam'),
         ('gradient', 'gradient', 'gradient', 'gradient'),
         ('Hv kept : graph retained', 'hv_retained', 'hv_cached', 'retained'),
         ('Hv kept : graph rebuilt', 'hv_rebuilt', 'hv_cached', 'rebuilt'),
         ('Hv fresh : graph rebuilt', 'hv_fresh', 'hv_fresh', 'rebuilt'))
CASES = {f'{net}{"-bn" if bn else ""}-{batch}': (net, bn, batch)
         for net, batches in (('mlp', (32, 128, 512)), ('cnn', (32, 128)), ('vgg11', (32, 128)), ('resnet18', (32,)))
         for batch in batches for bn in (False, True)}


def measure_case(program, case, rounds):
    net, bn, batch = CASES[case]
    ours, theirs = Step(program, net, bn, batch), BestTorch(net, bn, batch, THEIRS)
    if theirs.parameters != ours.parameters:
        sys.exit(f'{case}: {ours.parameters} parameters here, {theirs.parameters} in PyTorch')
    a, b, over = {m: [] for m in OURS}, {m: [] for m in THEIRS}, {m: [] for m in OVER}
    for _ in range(rounds):
        for mine, other in zip(OURS, THEIRS):
            a[mine].append(ours.block(mine))
            b[other].append(theirs.block(other))
        for m, unit in OVER.items():            # the unit before and after, so that a drift of the machine cancels
            first, measured, last = (ours.block(k) for k in (unit, m, unit))
            over[m].append(2 * measured / (first + last))
    ours.close()
    cells = []
    for _, row, mine, other in PAIRS:
        ratio = median_ratio(b[other], a[mine])
        keep(row, case, ratio)
        cells.append(f'{statistics.median(a[mine]):.2f} / {statistics.median(b[other]):.2f} (**{ratio:.2f}**)')
    sam, kept, fresh = (statistics.median(over[m]) for m in OVER)
    keep('sam_over_step', case, sam)
    keep('hv_over_gradient', case, kept)
    layouts = ''.join(theirs.layout[m][1] for m in THEIRS)
    line(case, ours.parameters, layouts, *cells, f'{sam:.2f}', f'{kept:.2f}', f'{fresh:.2f}')
    return kept <= LIMIT and fresh <= LIMIT


def main():
    arguments = sys.argv[1:]
    rounds = option(arguments, 'rounds', 7)
    if not arguments or any(case not in CASES for case in arguments[1:]):
        print(f'usage: {sys.argv[0]} BENCH_STEP [--rounds N] [{" | ".join(CASES)}] ...', file=sys.stderr)
        return 2
    print(f'## Steps and products\n\nsharpsweep / PyTorch, CPU ms (**median of ratios** PyTorch / sharpsweep), {pinned()}, '
          f'{rounds} rounds. Layout: PyTorch\'s for step, SAM, gradient, retained, rebuilt (c: NCHW, h: channels last).\n')
    head('case', 'parameters', 'layout', *(p[0] for p in PAIRS), 'SAM / step', 'Hv kept / gradient', 'Hv fresh / gradient')
    slow = [case for case in arguments[1:] or CASES if not measure_case(arguments[0], case, rounds)]
    print(f'\nHv takes more than {LIMIT:g} gradients: {", ".join(slow)}\n' if slow
          else f'\nevery Hv within {LIMIT:g} gradients\n')
    return 1 if slow else 0


if __name__ == '__main__':
    sys.exit(main())
