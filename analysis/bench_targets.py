"""bench_targets.py - the targets, and what the benchmarks measured for each: the last value of every case in RESULTS.

usage: bench_targets.py RESULTS          a file of lines that the other bench_*.py wrote; run.sh makes it

Exit status 1 if a case that was measured misses its target."""
import json
import sys

# row of the table, name in RESULTS, which cases, at least (or at most), aim
ROWS = (
    ('training step, MLP, batch 32', 'step', ('mlp-32', 'mlp-bn-32'), 1.8, 2.4),
    ('training step, MLP, batch 128', 'step', ('mlp-128', 'mlp-bn-128'), 1.4, 1.6),
    ('training step, MLP, batch 512', 'step', ('mlp-512', 'mlp-bn-512'), 1.2, 1.4),
    ('training step, small CNN', 'step', ('cnn-32', 'cnn-bn-32', 'cnn-128', 'cnn-bn-128'), 1.5, 2),
    ('training step, VGG-11', 'step', ('vgg11-32', 'vgg11-bn-32', 'vgg11-128', 'vgg11-bn-128'), 1.4, 2),
    ('training step, ResNet-18', 'step', ('resnet18-32', 'resnet18-bn-32'), 1.3, 2),
    ('SAM step over SGD step', 'sam_over_step', None, -2.05, -2.0),
    ('Hv / gradient, kept, MLP', 'hv_over_gradient', 'mlp', -1.6, -1.35),
    ('Hv / gradient, kept, CNN', 'hv_over_gradient', 'cnn', -2.1, -1.85),
    ('Hv / gradient, kept, VGG-11, ResNet-18', 'hv_over_gradient', 'vgg11 resnet18', -2.3, -2.1),
    ('Hv : double backward, graph rebuilt', 'hv_rebuilt', 'no bn', 1.8, 3),
    ('Hv : double backward, graph rebuilt, BN', 'hv_rebuilt', 'bn', 2, 3),
    ('Hv : double backward, graph retained, MLP', 'hv_retained', ('mlp-32', 'mlp-128', 'mlp-512'), 1.1, 2),
    ('Hv : graph retained, convolutions', 'hv_retained', ('cnn-32', 'cnn-128', 'vgg11-32', 'vgg11-128', 'resnet18-32'),
     1.4, 2),
    ('Hv : graph retained, training-mode BN', 'hv_retained', 'bn', 1.8, 2),
    ('lambda_max : eigsh, graph rebuilt', 'lambda_eigsh', None, 5, 8),
    ('lambda_max : PyHessian, graph rebuilt', 'lambda_pyhessian', None, 5, 8),
    ('lambda_max : eigsh, graph retained, ncv 8, MLP', 'lambda_retained', ('mlp',), 1.2, 2),
    ('lambda_max : eigsh, graph retained, ncv 8, convolutions', 'lambda_retained', ('cnn', 'vgg11'), 1.5, 2),
    ('whole sweep, MLP', 'sweep', ('mlp',), 2, 2.7),
    ('whole sweep, small CNN', 'sweep', ('cnn',), 2.5, 4),
    ('lambda_max, true error', 'lambda_error', None, -1e-4, -1e-4),
    ('peak memory of batch full over batch 1000, VGG-11', 'full_over_1000', None, -1.1, -1.0),
)


def chosen(case, cases):
    if cases is None:
        return True
    if isinstance(cases, tuple):
        return case in cases
    if cases in ('bn', 'no bn'):
        return ('-bn' in case) == (cases == 'bn')
    return case.split('-')[0] in cases.split()


def number(value):
    return f'{value:.1e}' if abs(value) < 0.01 else f'{value:.2f}'


def main():
    if len(sys.argv) != 2:
        print(f'usage: {sys.argv[0]} RESULTS', file=sys.stderr)
        return 2
    values = {}
    with open(sys.argv[1], encoding='utf-8') as f:
        for text in f:
            entry = json.loads(text)
            values.setdefault(entry['row'], {})[entry['case']] = entry['value']
    missed = measured = 0
    print('## Targets\n\n| work | target | aim | measured (bold: misses the target) | |\n|---|---|---|---|---|')
    for title, row, cases, target, aim in ROWS:
        sign = -1 if target < 0 else 1              # negative: at most
        found = {case: v for case, v in values.get(row, {}).items() if chosen(case, cases)}
        if not found:
            continue
        worst = min(sign * v for v in found.values())
        measured += 1
        verdict = 'aim' if worst >= aim else 'ok' if worst >= target else 'MISSED'
        missed += verdict == 'MISSED'
        cells = ', '.join(f'{case} {number(v)}' if sign * v >= target else f'{case} **{number(v)}**'
                          for case, v in found.items())
        bound = '>=' if sign > 0 else '<='
        print(f'| {title} | {bound} {number(abs(target))} | {number(abs(aim))} | {cells} | {verdict} |')
    print(f'\n{missed} of {measured} measured rows miss their target; {len(ROWS) - measured} were not measured\n')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
