"""bench_peers.py - sharpsweep beside PyTorch on one core: training step, SAM step, gradient, Hessian-vector product.

usage: bench_peers.py BENCH_STEP [--rounds N] [CASE ...]     CASE: mlp-32, cnn-bn-128, ...; best through tests/bench/run.sh

Both run in blocks of about 0.1 s CPU time, turn and turn about, so that the machine's noise hits them alike; a cell shows
the medians and the median of the block-by-block ratios (PyTorch / sharpsweep: above 1 sharpsweep is faster). PyTorch gets
the memory layout (NCHW or channels last) that is faster for its training step.
Exit status 1 if a Hessian-vector product takes more than 3 gradients, its point's activations kept or fresh."""
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

import witness_torch as nets

LIMIT = 3.0
PARTNER = {'step': 'step', 'sam': 'sam', 'gradient': 'gradient', 'hv_cached': 'retained', 'hv_fresh': 'fresh'}
CASES = {f'{net}{"-bn" if bn else ""}-{batch}': (net, bn, batch)
         for net, batches in (('mlp', (32, 128, 512)), ('cnn', (32, 128)), ('vgg11', (32,)), ('resnet18', (32,)))
         for batch in batches for bn in (False, True)}


class Ours:
    def __init__(self, program, net, bn, batch):
        self.process = subprocess.Popen([program, net, str(int(bn)), str(batch)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.parameters = int(self.process.stdout.readline().split()[1])

    def block(self, measure):
        self.process.stdin.write(measure + '\n')
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Torch:
    """The same work in PyTorch, as a user would write it."""
    def __init__(self, net, bn, batch, channels_last):
        torch.manual_seed(0)
        size, channels = (28, 1) if net in ('mlp', 'cnn') else (32, 3)
        if net == 'mlp':
            self.model = nets.mlp('relu', bn, size, channels, (200, 200))
        else:
            self.model = {'cnn': nets.cnn, 'vgg11': nets.VGG11, 'resnet18': nets.ResNet18}[net]('relu', bn, size, channels)
        self.x, self.y = torch.randn(batch, channels, size, size), torch.randint(0, 10, (batch,))
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.params = list(self.model.parameters())
        self.v = [torch.randn_like(p) for p in self.params]
        self.optimizer = torch.optim.SGD(self.params, lr=1e-4, momentum=0.9)
        self.graph = None

    def backward(self):
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.model(self.x), self.y).backward()

    def step(self):
        self.backward()
        self.optimizer.step()

    def sam(self):
        self.backward()
        with torch.no_grad():
            grads = [p.grad for p in self.params]
            scale = 0.05 / (torch.norm(torch.stack([g.norm() for g in grads])).item() + 1e-12)
            ascent = torch._foreach_mul(grads, scale)
            torch._foreach_add_(self.params, ascent)
        self.backward()
        with torch.no_grad():
            torch._foreach_sub_(self.params, ascent)
        self.optimizer.step()

    def gradient(self, graph=False):
        return torch.autograd.grad(F.cross_entropy(self.model(self.x), self.y), self.params, create_graph=graph)

    def fresh(self):
        torch.autograd.grad(self.gradient(graph=True), self.params, grad_outputs=self.v)

    def retained(self):
        torch.autograd.grad(self.graph, self.params, grad_outputs=self.v, retain_graph=True)

    def block(self, measure, block_s=0.1):
        if measure == 'retained':       # the step changes the weights in place: a graph lives for one block
            self.graph = self.gradient(graph=True)
        run = getattr(self, measure)
        run()
        start, n = time.process_time(), 0
        while True:
            run()
            n += 1
            passed = time.process_time() - start
            if passed >= block_s:
                self.graph = None
                return 1e3 * passed / n


def fastest_torch(net, bn, batch):
    plain = Torch(net, bn, batch, False)
    if net == 'mlp':
        return plain, 'nchw'
    other = Torch(net, bn, batch, True)
    times = [min(t.block('step') for _ in range(2)) for t in (plain, other)]
    return (plain, 'nchw') if times[0] <= times[1] else (other, 'nhwc')


def measure_case(program, case, rounds):
    net, bn, batch = CASES[case]
    ours, (theirs, layout) = Ours(program, net, bn, batch), fastest_torch(net, bn, batch)
    count = sum(p.numel() for p in theirs.params)
    if count != ours.parameters:
        sys.exit(f'{case}: {ours.parameters} parameters here, {count} in PyTorch')
    times = {m: ([], []) for m in PARTNER}
    for _ in range(rounds):
        for m, peer in PARTNER.items():
            times[m][0].append(ours.block(m))
            times[m][1].append(theirs.block(peer))
    ours.close()
    cells, hv = [], {}
    for m, (a, b) in times.items():
        ratio = statistics.median(y / x for x, y in zip(a, b))
        cells.append(f'{statistics.median(a):.2f} / {statistics.median(b):.2f} ({ratio:.2f})')
        if m.startswith('hv'):
            hv[m] = statistics.median(x / g for x, g in zip(a, times['gradient'][0]))
    print(f'| {net} | {"on" if bn else "off"} | {batch} | {count} | {layout} | ' + ' | '.join(cells)
          + f' | {hv["hv_cached"]:.2f} | {hv["hv_fresh"]:.2f} |', flush=True)
    return max(hv.values()) <= LIMIT


def main():
    arguments = sys.argv[1:]
    rounds = 7
    if '--rounds' in arguments:
        at = arguments.index('--rounds')
        rounds = int(arguments[at + 1])
        del arguments[at:at + 2]
    if not arguments or any(case not in CASES for case in arguments[1:]):
        print(f'usage: {sys.argv[0]} BENCH_STEP [--rounds N] [{" | ".join(CASES)}] ...', file=sys.stderr)
        return 2
    print('sharpsweep / PyTorch, CPU ms (median of ratios PyTorch / sharpsweep); Hv/gradient: sharpsweep\'s own\n')
    print('| net | BN | batch | parameters | PyTorch layout | step | SAM step | gradient | Hv, kept | Hv, fresh '
          '| Hv kept / gradient | Hv fresh / gradient |\n' + '|---' * 12 + '|')
    slow = [case for case in arguments[1:] or CASES if not measure_case(arguments[0], case, rounds)]
    print(f'\nHv takes more than {LIMIT:g} gradients: {", ".join(slow)}' if slow
          else f'\nevery Hv within {LIMIT:g} gradients')
    return 1 if slow else 0


if __name__ == '__main__':
    sys.exit(main())
