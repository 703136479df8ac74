"""bench_threads.py - what `threads:` gains: step, gradient and Hessian-vector product on one thread and on as many as there are
cores, turn and turn about.

usage: bench_threads.py BENCH_STEP [--rounds N] [CASE ...]     CASE: mlp-512, vgg11-bn-32, ...; best through tests/bench/run.sh

Wall-clock times, on the cores that the process may use; the bits are the same (tests/num/test_parallel.c, test_app_trial)."""
import os
import statistics
import sys

from bench_torch import Partner, head, keep, line, option

MEASURES = ('step', 'sam', 'gradient', 'hv_cached')
CASES = ('mlp-512', 'cnn-128', 'vgg11-32', 'vgg11-128', 'vgg11-bn-128', 'resnet18-32')


def measure_case(program, case, rounds, threads):
    net, *bn, batch = case.split('-')
    one, many = (Partner(program, net, int(bn == ['bn']), batch, 0, 0, t) for t in (1, threads))
    for partner in (one, many):
        partner.hear()
    cells = []
    for measure in MEASURES:
        pairs = [(float(one.ask(measure)[0]), float(many.ask(measure)[0])) for _ in range(rounds)]
        gain = statistics.median(a / b for a, b in pairs)
        keep(f'threads_{measure}', case, gain)
        cells.append(f'{statistics.median(a for a, _ in pairs):.1f} / {statistics.median(b for _, b in pairs):.1f} '
                     f'(**{gain:.2f}**)')
    for partner in (one, many):
        partner.close()
    line(case, *cells)


def main():
    arguments = sys.argv[1:]
    rounds = option(arguments, 'rounds', 7)
    if not arguments:
        print(f'usage: {sys.argv[0]} BENCH_STEP [--rounds N] [{" | ".join(CASES)}] ...', file=sys.stderr)
        return 2
    threads = len(os.sched_getaffinity(0))
    print('## Threads\n')
    if threads == 1:
        print('SKIP threads: one core to run on; give several, as --core 0,1\n')
        return 0
    print(f'Wall-clock ms on 1 / {threads} threads (**median of ratios**), cores {sorted(os.sched_getaffinity(0))}, '
          f'{rounds} rounds.\n')
    head('case', *MEASURES)
    for case in arguments[1:] or CASES:
        measure_case(arguments[0], case, rounds, threads)
    print()
    return 0


if __name__ == '__main__':
    sys.exit(main())
