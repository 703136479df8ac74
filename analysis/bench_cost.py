"""bench_cost.py - cost as a function of batch, width, depth and examples, and the roofline: GFLOP/s of each network's passes
over the sgemm peak of the same run.

usage: bench_cost.py BENCH_STEP BENCH_KERNELS [--rounds N] [roofline | batch | width | depth | examples] ...

Operations are counted as direct convolution and plain multiplication; with M of them in a forward pass and M1 in its first
layer, whose input gradient nobody needs: gradient 3 M - M1, Hv with all of the point kept 6 M - 4 M1."""
import statistics
import sys

from bench_torch import Step, BestTorch, Partner, build, first_layer_macs, head, keep, line, median_ratio, option, pinned

ROOFLINE = (('mlp', 32), ('mlp', 128), ('mlp', 512), ('cnn', 32), ('cnn', 128), ('vgg11', 32), ('vgg11', 128),
            ('resnet18', 32))
TABLES = {
    'batch': [('mlp', b) for b in (8, 32, 128, 512, 2048)] + [('cnn', b) for b in (8, 32, 128, 512)],
    'width': [(f'mlp:{w},{w}', 128) for w in (50, 100, 200, 400, 800, 1600)],
    'depth': [('mlp:' + ','.join(['200'] * d), 128) for d in (1, 2, 4, 8)],
}
EXAMPLES = (('mlp', (250, 500, 1000, 2000, 4000)), ('cnn', (125, 250, 500, 1000)))


def rate(macs, ms):
    return 2e-6 * macs / ms


def peaks(kernels, rounds):
    partner, found = Partner(kernels, 'serve'), {}
    for name in ('gemm', 'sgemm'):
        found[name] = statistics.median(2e-9 * 1024 ** 3 / float(partner.ask(f'{name} n n 1024 1024 1024')[0])
                                        for _ in range(rounds))
    partner.close()
    return found


def blocks(step, measures, rounds):
    times = {m: [] for m in measures}
    for _ in range(rounds):
        for m in measures:
            times[m].append(step.block(m))
    return {m: statistics.median(t) for m, t in times.items()}


def roofline(program, kernels, rounds):
    peak = peaks(kernels, rounds)
    best = max(peak.values())
    print(f'### Roofline\n\nsgemm peak of this run (1024 cubed): ss_gemm {peak["gemm"]:.0f}, OpenBLAS {peak["sgemm"]:.0f} '
          'GFLOP/s; per cent of the larger.\n')
    head('net', 'batch', 'MMAC / example', 'forward: GFLOP/s (% of peak)', 'gradient', 'step', 'Hv kept')
    for net, batch in ROOFLINE:
        ours = Step(program, net, False, batch)
        t = blocks(ours, ('forward', 'gradient', 'step', 'hv_cached'), rounds)
        ours.close()
        model, size, _ = build(net, False)
        m, m1 = ours.macs, first_layer_macs(model, size)
        count = {'forward': m, 'gradient': 3 * m - m1, 'step': 3 * m - m1, 'hv_cached': 6 * m - 4 * m1}
        cells = []
        for p, c in count.items():
            g = rate(batch * c, t[p])
            keep('roofline', f'{net}-{batch} {p}', g / best)
            cells.append(f'{g:.0f} ({100 * g / best:.0f} %)')
        line(net, batch, f'{m / 1e6:.2f}', *cells)
    print()


def cell(ours, theirs):
    return f'{statistics.median(ours):.2f} / {statistics.median(theirs):.2f} (**{median_ratio(theirs, ours):.2f}**)'


def table(program, what, rounds):
    print(f'### By {what}\n\nCPU ms, sharpsweep / PyTorch (**median of ratios**).\n')
    head('net', 'batch', 'parameters', 'step', 'us per example', 'GFLOP/s', 'Hv kept : graph retained')
    for net, batch in TABLES[what]:
        ours, theirs = Step(program, net, False, batch), BestTorch(net, False, batch, ('step', 'retained'))
        mine, other = {m: [] for m in ('step', 'hv_cached')}, {m: [] for m in ('step', 'retained')}
        for _ in range(rounds):
            for m, p in zip(mine, other):
                mine[m].append(ours.block(m))
                other[p].append(theirs.block(p))
        ours.close()
        model, size, _ = build(net, False)
        macs, step_ms = batch * (3 * ours.macs - first_layer_macs(model, size)), statistics.median(mine['step'])
        line(net, batch, ours.parameters, cell(mine['step'], other['step']), f'{1e3 * step_ms / batch:.1f}',
             f'{rate(macs, step_ms):.0f}', cell(mine['hv_cached'], other['retained']))
    print()


def by_examples(program, rounds):
    print('### By examples of the Hessian\n\nCPU ms of one product, taken 125 examples at a time.\n')
    head('net', 'examples', 'Hv kept', 'us per example', 'Hv fresh', 'us per example')
    for net, counts in EXAMPLES:
        for n in counts:
            ours = Step(program, net, False, 125, n)
            t = blocks(ours, ('hv_cached', 'hv_fresh'), rounds)
            ours.close()
            line(net, n, *(cell for m in t for cell in (f'{t[m]:.2f}', f'{1e3 * t[m] / n:.1f}')))
    print()


def main():
    arguments = sys.argv[1:]
    rounds = option(arguments, 'rounds', 5)
    parts = ('roofline', *TABLES, 'examples')
    if len(arguments) < 2 or any(part not in parts for part in arguments[2:]):
        print(f'usage: {sys.argv[0]} BENCH_STEP BENCH_KERNELS [--rounds N] [{" | ".join(parts)}] ...', file=sys.stderr)
        return 2
    print(f'## Cost\n\n{pinned()}, {rounds} rounds.\n')
    for part in arguments[2:] or parts:
        if part == 'roofline':
            roofline(*arguments[:2], rounds)
        elif part == 'examples':
            by_examples(arguments[0], rounds)
        else:
            table(arguments[0], part, rounds)
    return 0


if __name__ == '__main__':
    sys.exit(main())
