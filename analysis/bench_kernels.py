"""bench_kernels.py - GFLOP/s of matrix products and of the convolution's three passes, beside OpenBLAS and oneDNN.

usage: bench_kernels.py BENCH_KERNELS [--rounds N]

Counted as direct convolution and plain multiplication, whatever algorithm runs: Winograd's can pass the sgemm peak.
OpenBLAS runs inside bench_kernels, oneDNN through PyTorch's convolution in the faster layout."""
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from bench_torch import BLOCK_S, Partner, head, keep, line, median_ratio, option, pinned

MLP = (784, 200, 200, 10)
CONVOLUTIONS = ((28, 1, 32, 32), (28, 32, 32, 32), (14, 32, 64, 32), (14, 64, 64, 32), (32, 3, 64, 32), (32, 64, 64, 32),
                (16, 64, 128, 32), (16, 128, 128, 32), (8, 128, 256, 32), (8, 256, 256, 32), (4, 256, 512, 32),
                (4, 512, 512, 32), (2, 512, 512, 32))
PASSES = ('forward', 'data', 'weight')


def products():
    """The MLP's three products per layer: y = x W', dx = dy W, dW = dy' x."""
    yield 'peak 1024', 'n', 'n', 1024, 1024, 1024
    yield 'peak 2048', 'n', 'n', 2048, 2048, 2048
    for batch in (32, 128, 512):
        for i, (k, n) in enumerate(zip(MLP, MLP[1:])):
            yield f'{k}-{n} forward, {batch}', 'n', 't', batch, n, k
            if i:
                yield f'{k}-{n} data, {batch}', 'n', 'n', batch, k, n
            yield f'{k}-{n} weight, {batch}', 't', 'n', n, k, batch


class Convolution:
    def __init__(self, size, channels, out, batch, last):
        layout = torch.channels_last if last else torch.contiguous_format
        self.x = torch.randn(batch, channels, size, size).contiguous(memory_format=layout)
        self.w = torch.randn(out, channels, 3, 3).contiguous(memory_format=layout)
        self.dy = torch.randn(batch, out, size, size).contiguous(memory_format=layout)

    def run(self, which):
        if which == 'forward':
            return F.conv2d(self.x, self.w, padding=1)
        return torch.ops.aten.convolution_backward(self.dy, self.x, self.w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1,
                                                   [which == 'data', which == 'weight', False])

    def block(self, which):
        self.run(which)
        start, n = time.process_time(), 0
        while True:
            self.run(which)
            n += 1
            passed = time.process_time() - start
            if passed >= BLOCK_S / 2:
                return passed / n


def measure_products(partner, rounds):
    print('### Matrix products\n')
    head('product', 'op', 'm', 'n', 'k', 'ss_gemm', 'OpenBLAS', 'ratio')
    for what, ta, tb, m, n, k in products():
        times = {name: [] for name in ('gemm', 'sgemm')}
        for _ in range(rounds):
            for name, kept in times.items():
                kept.append(float(partner.ask(f'{name} {ta} {tb} {m} {n} {k}')[0]))
        rate = {name: 2e-9 * m * n * k / statistics.median(kept) for name, kept in times.items()}
        line(what, (ta + tb).upper(), m, n, k, f'{rate["gemm"]:.0f}', f'{rate["sgemm"]:.0f}',
             f'{median_ratio(times["sgemm"], times["gemm"]):.2f}')


def measure_convolution(partner, shape, rounds):
    size, channels, out, batch = shape
    count = 2e-9 * 9 * size * size * channels * out * batch
    layouts, cells = [Convolution(*shape, last) for last in (False, True)], []
    for which in PASSES:
        if which == 'data' and channels <= 3:
            cells.append('-')                   # nobody needs the gradient of the images
            continue
        theirs = min(layouts, key=lambda c: min(c.block(which) for _ in range(2)))
        fast, exact, peer = [], [], []
        for _ in range(rounds):
            answer = partner.ask(f'conv {which} 0 {size} {channels} {out} {batch}')
            fast.append(float(answer[0]))
            exact.append(float(partner.ask(f'conv {which} 1 {size} {channels} {out} {batch}')[0]))
            peer.append(theirs.block(which))
        a, e, b = (count / statistics.median(t) for t in (fast, exact, peer))
        ratio = median_ratio(peer, fast)
        keep('convolution', f'{which} {channels}-{out} at {size}', ratio)
        cells.append(f'{a:.0f} / {e:.0f} / {b:.0f} (**{ratio:.2f}**)')
    line(f'{size}x{size}', f'{channels}-{out}', batch, answer[1], *cells)


def main():
    arguments = sys.argv[1:]
    rounds = option(arguments, 'rounds', 5)
    if len(arguments) != 1:
        print(f'usage: {sys.argv[0]} BENCH_KERNELS [--rounds N]', file=sys.stderr)
        return 2
    partner = Partner(arguments[0], 'serve')
    print(f'## Kernels\n\nGFLOP/s on one core ({pinned()}, {rounds} rounds), counted as direct convolution.\n')
    measure_products(partner, rounds)
    print('\n### Convolutions 3x3: sharpsweep / sharpsweep exact / oneDNN (**median of ratios** oneDNN / sharpsweep)\n')
    head('image', 'channels', 'batch', 'method', 'forward', 'data gradient', 'weight gradient')
    for shape in CONVOLUTIONS:
        measure_convolution(partner, shape, rounds)
    print()
    partner.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
