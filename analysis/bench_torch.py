"""bench_torch.py - what the benchmarks share: PyTorch as a user would write it, our programs as partners, data, results.

PyTorch gets its best: one thread, glibc's malloc tuned and OpenBLAS's own choice of kernels (tests/bench/run.sh sets both),
for each measure the faster of NCHW and channels last."""
import gzip
import json
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('OMP_NUM_THREADS', '1')
import numpy as np
import torch
import torch.nn.functional as F

import witness_torch as nets

torch.set_num_threads(1)
BLOCK_S, SLOW_S = 0.1, 0.3


# ---- results ----------------------------------------------------------------------------------------------------------
def keep(row, case, value):
    """One number for bench_targets.py, which reads the file that $BENCH_RESULTS names."""
    path = os.environ.get('BENCH_RESULTS')
    if path:
        with open(path, 'a', encoding='utf-8') as f:
            f.write(json.dumps({'row': row, 'case': case, 'value': value}) + '\n')


def median_ratio(over, under):
    return statistics.median(a / b for a, b in zip(over, under))


def head(*columns):
    print('| ' + ' | '.join(columns) + ' |\n' + '|---' * len(columns) + '|', flush=True)


def line(*cells):
    print('| ' + ' | '.join(str(c) for c in cells) + ' |', flush=True)


def option(arguments, name, default):
    """Takes `--name value` out of the arguments."""
    if '--' + name not in arguments:
        return default
    at = arguments.index('--' + name)
    if at + 1 >= len(arguments):
        sys.exit(f'{sys.argv[0]}: --{name} needs a value')
    value = arguments[at + 1]
    del arguments[at:at + 2]
    return type(default)(value)


def pinned():
    """Everything is compared on one core; run.sh pins it."""
    return f'core {sorted(os.sched_getaffinity(0))}'


# ---- our programs -------------------------------------------------------------------------------------------------------
class Partner:
    """A program that answers a line with a line."""
    def __init__(self, *command):
        self.name = command[0]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self):
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f'{self.name} ended with status {self.process.wait()}')
        return answer.split()

    def ask(self, question):
        self.process.stdin.write(question + '\n')
        self.process.stdin.flush()
        return self.hear()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Step(Partner):
    """bench_step: parameters, macs (of one example's forward pass), block(measure) in ms."""
    def __init__(self, program, net, bn, batch, examples=0):
        super().__init__(program, net, int(bn), batch, 0, examples)
        words = self.hear()
        self.parameters, self.macs = int(words[1]), float(words[3])

    def block(self, measure):
        return float(self.ask(measure)[0])


# ---- networks and data in PyTorch -----------------------------------------------------------------------------------------
def build(net, bn):
    """net: mlp, mlp:400,400, cnn, vgg11, resnet18. Returns the model, image size and channels."""
    name, _, widths = net.partition(':')
    if name == 'mlp':
        return nets.mlp('relu', bn, 28, 1, tuple(int(w) for w in widths.split(',')) if widths else (200, 200)), 28, 1
    size, channels = (28, 1) if name == 'cnn' else (32, 3)
    constructor = {'cnn': nets.cnn, 'vgg11': nets.VGG11, 'resnet18': nets.ResNet18}[name]
    return constructor('relu', bn, size, channels), size, channels


def first_layer_macs(model, size):
    """Of the first layer, whose input gradient nobody needs."""
    layer = next(m for m in model.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear)))
    return layer.weight.numel() * (size * size if isinstance(layer, torch.nn.Conv2d) else 1)


FASHION = '/usr/share/datasets/fashion-mnist'


def images(dataset, n):
    """The first n training images, standardised per channel by the whole file set's mean and deviation, and labels."""
    if dataset == 'fashion-mnist':
        folder = FASHION if os.path.isdir(FASHION) else os.path.join(os.environ.get('SHARPSWEEP_DATA', ''), 'fashion-mnist')
        with gzip.open(folder + '/train-images-idx3-ubyte.gz') as f:
            pixels = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
        with gzip.open(folder + '/train-labels-idx1-ubyte.gz') as f:
            labels = np.frombuffer(f.read(), np.uint8, offset=8)
    else:
        folder, parts = os.environ.get('SHARPSWEEP_DATA', ''), []
        for i in range(1, 6):
            path = f'{folder}/cifar-10-batches-bin/data_batch_{i}.bin'
            if os.path.exists(path):
                parts.append(np.fromfile(path, np.uint8).reshape(-1, 3073))
        records = np.concatenate(parts)
        pixels, labels = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]
    scaled = pixels.astype(np.float64) / 255
    mean, std = scaled.mean((0, 2, 3), keepdims=True), scaled.std((0, 2, 3), keepdims=True)
    x = ((scaled[:n] - mean) / std).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(labels[:n].astype(np.int64))


def write_weights(path, model):
    nets.write_h5(path, {k: v for k, v in model.state_dict().items() if not k.endswith('num_batches_tracked')})


# ---- steps and products -----------------------------------------------------------------------------------------------
class Torch:
    """Training step, SAM step, gradient and Hessian-vector product."""
    def __init__(self, net, bn, batch, channels_last=False, data=None):
        torch.manual_seed(0)
        self.model, size, channels = build(net, bn)
        self.x, self.y = data or (torch.randn(batch, channels, size, size), torch.randint(0, 10, (batch,)))
        self.size = size
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.params = list(self.model.parameters())
        self.v = [torch.randn_like(p) for p in self.params]
        self.optimizer = torch.optim.SGD(self.params, lr=1e-4, momentum=0.9)
        self.graph, self.last_s = None, {}

    def backward(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.x), self.y)
        loss.backward()
        return loss

    def step(self):
        self.backward()
        self.optimizer.step()

    def sam(self, rho=0.05):
        loss = self.backward()
        with torch.no_grad():
            grads = [p.grad for p in self.params]
            scale = rho / (torch.norm(torch.stack([g.norm() for g in grads])).item() + 1e-12)
            ascent = torch._foreach_mul(grads, scale)
            torch._foreach_add_(self.params, ascent)
        self.backward()
        with torch.no_grad():
            torch._foreach_sub_(self.params, ascent)
        self.optimizer.step()
        return loss

    def forward(self):
        with torch.no_grad():
            F.cross_entropy(self.model(self.x), self.y)

    def gradient(self, graph=False):
        return torch.autograd.grad(F.cross_entropy(self.model(self.x), self.y), self.params, create_graph=graph)

    def rebuilt(self):
        torch.autograd.grad(self.gradient(graph=True), self.params, grad_outputs=self.v)

    def retained(self):
        torch.autograd.grad(self.graph, self.params, grad_outputs=self.v, retain_graph=True)

    def block(self, measure):
        """Milliseconds per call over a block of calls; the call that warms up is not counted."""
        if measure == 'retained':       # the step changes the weights in place: a graph lives for one block
            self.graph = self.gradient(graph=True)
        run = getattr(self, measure)
        if self.last_s.get(measure, 0) < SLOW_S:
            run()
        start, n = time.process_time(), 0
        while True:
            run()
            n += 1
            passed = time.process_time() - start
            if passed >= BLOCK_S:
                self.graph = None
                self.last_s[measure] = passed / n
                return 1e3 * passed / n


class BestTorch:
    """Both memory layouts; each measure runs in the one that is faster for it."""
    def __init__(self, net, bn, batch, measures):
        layouts = {'nchw': False} if net.startswith('mlp') else {'nchw': False, 'nhwc': True}
        made = {name: Torch(net, bn, batch, last) for name, last in layouts.items()}
        self.layout, self.chosen = {}, {}
        for m in measures:
            times = {name: min(t.block(m) for _ in range(2)) for name, t in made.items()} if len(made) > 1 else {'nchw': 0}
            self.layout[m] = min(times, key=times.get)
            self.chosen[m] = made[self.layout[m]]
        self.parameters = sum(p.numel() for p in made['nchw'].params)

    def block(self, measure):
        return self.chosen[measure].block(measure)


if __name__ == '__main__':                      # run.sh asks which environment suits PyTorch
    probe = Torch('mlp', False, 128)
    print(min(probe.block('step') for _ in range(7)))
