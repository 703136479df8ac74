"""bench_accuracy.py - loss curves: sharpsweep and PyTorch from the same weights over the same batches in the same order.

usage: bench_accuracy.py BENCH_POINT WORK [--steps N] [CASE ...]         CASE: mlp, mlp-bn, cnn, cnn-bn, vgg11, vgg11-bn

Every curve is held against PyTorch in float64. What float32 makes of it in PyTorch is the yardstick: rounding grows along a
path. Exit status 1 where sharpsweep is farther from float64 than 5 times PyTorch in float32, and than 1e-4."""
import os
import sys

import torch
import torch.nn.functional as F

from bench_torch import Partner, build, head, images, keep, line, option, write_weights

LIMIT, TIMES = 1e-4, 5
N_TRAIN, BATCH, MOMENTUM = 512, 64, 0.9
# Learning rates: lower with batch norm, where rounding grows fast along a path of larger steps.
CASES = {'mlp': 0.02, 'mlp-bn': 0.01, 'cnn': 0.03, 'cnn-bn': 0.002, 'vgg11': 0.002, 'vgg11-bn': 0.0005}


def path(net, bn, start, x, y, rate, rho, steps, dtype):
    """Losses of the batches before each step."""
    model, _, _ = build(net, bn)
    model.load_state_dict(start)
    model = model.to(dtype).train()
    params = list(model.parameters())
    optimizer = torch.optim.SGD(params, lr=rate, momentum=MOMENTUM)
    losses = []
    for k in range(steps):
        take = [(k * BATCH + i) % len(x) for i in range(BATCH)]
        xb, yb = x[take].to(dtype), y[take]
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        losses.append(loss.item())
        if rho > 0:
            saved = [p.detach().clone() for p in params]
            norm = torch.norm(torch.stack([p.grad.double().norm() for p in params])).item()
            with torch.no_grad():
                for p in params:
                    p += rho / (norm + 1e-12) * p.grad
            optimizer.zero_grad()
            F.cross_entropy(model(xb), yb).backward()
            with torch.no_grad():
                for p, s in zip(params, saved):
                    p.copy_(s)
        optimizer.step()
    return losses


def farthest(a, b):
    return max(abs(u - v) / abs(v) for u, v in zip(a, b))


def job_text(net, bn, rate, rho):
    dataset = 'cifar10' if net == 'vgg11' else 'fashion-mnist'
    return (f'model: {{network: {net}, batch_norm: {"true" if bn else "false"}}}\n'
            f'data: {{dataset: {dataset}, train_examples: {N_TRAIN}, train_subset: first, test_examples: 10, '
            'standardise: channel}\n'
            f'training: {{learning_rate: {rate}, momentum: {MOMENTUM}, batch_size: {BATCH}, sam_rho: {rho}}}\n'
            f'curvature: {{curvature_examples: {BATCH}}}\n')


def measure(bench_point, work, case, rho, steps):
    net, bn = case.split('-')[0], case.endswith('-bn')
    rate = CASES[case]
    torch.manual_seed(3)
    model, _, _ = build(net, bn)
    if case == 'vgg11':                         # PyTorch's own start gives it outputs that hardly depend on the image
        for m in model.modules():
            if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear)):
                torch.nn.init.kaiming_normal_(m.weight)
    start = {k: t.clone() for k, t in model.state_dict().items()}
    os.makedirs(work, exist_ok=True)
    job, weights = f'{work}/{case}.yaml', f'{work}/{case}.h5'
    write_weights(weights, model)
    with open(job, 'w', encoding='utf-8') as f:
        f.write(job_text(net, bn, rate, rho))
    x, y = images('cifar10' if net == 'vgg11' else 'fashion-mnist', N_TRAIN)
    ours = Partner(bench_point, job, weights)
    ours.hear()
    mine = [float(a) for a in ours.ask(f'path {steps}')][:steps]
    ours.close()
    double = path(net, bn, start, x, y, rate, rho, steps, torch.float64)
    single = path(net, bn, start, x, y, rate, rho, steps, torch.float32)
    apart, yardstick = farthest(mine, double), farthest(single, double)
    good = apart <= max(LIMIT, TIMES * yardstick)
    keep('loss_curve', case + (' SAM' if rho else ''), apart)
    line(case, 'SAM' if rho else 'SGD', f'{mine[0]:.4f} .. {mine[-1]:.4f}', f'{double[0]:.4f} .. {double[-1]:.4f}',
         f'{apart:.1e}', f'{yardstick:.1e}', 'ok' if good else '**DIFFERS**')
    return good


def main():
    arguments = sys.argv[1:]
    steps = option(arguments, 'steps', 24)
    if len(arguments) < 2 or any(case not in CASES for case in arguments[2:]):
        print(f'usage: {sys.argv[0]} BENCH_POINT WORK [--steps N] [{" | ".join(CASES)}] ...', file=sys.stderr)
        return 2
    print(f'## Accuracy: loss curves over {steps} steps of {BATCH} examples\n\nLargest relative distance to PyTorch in '
          'float64, of sharpsweep and of PyTorch in float32.\n')
    head('case', 'steps', 'loss here', 'loss, PyTorch float64', 'sharpsweep apart', 'PyTorch float32 apart', '')
    wrong = 0
    for case in arguments[2:] or CASES:
        if case.startswith('vgg') and not os.path.isdir(os.environ.get('SHARPSWEEP_DATA', '') + '/cifar-10-batches-bin'):
            print(f'SKIP {case}: CIFAR-10 is not in the folder that SHARPSWEEP_DATA names')
            continue
        for rho in (0, 0.05):
            wrong += not measure(arguments[0], arguments[1], case, rho, steps)
    print()
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
