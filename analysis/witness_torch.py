"""witness_torch.py - PyTorch as an independent witness of sharpsweep's loss, gradient, Hessian-vector product, lambda_max
and training steps.

usage: /usr/bin/python3 witness_torch.py PROGRAM PROGRAM_DOUBLE [CASE ...]      both: tests/witness/dump.c, built

For each case PyTorch makes the weights, writes them with h5py as a state dict, and lets PROGRAM compute from them; then
  loss, gradient, Hv   in float and in double against PyTorch's double backward in float64, with batch statistics and,
                       with batch norm, running ones;
  Gauss-Newton         its product with v, in both; sharpness, adaptive sharpness, batch sharpness and SAM's edge in double;
  lambda_max           against scipy's eigsh (largest algebraic) over PyTorch's Hv;
  20 steps of SGD and of SAM (momentum 0.9, weight decay 5e-3) against the same steps in PyTorch: the distance of the end
                       points over the distance travelled, in float and in double; the end points are loaded with a
                       strict load_state_dict.
Exit status 0 all agree, 1 something differs, 77 (skipped, to meson) if torch, scipy or h5py is missing."""
import os
import subprocess
import sys
import tempfile

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('OMP_NUM_THREADS', '1')
try:
    import h5py
    import numpy as np
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from scipy.sparse.linalg import LinearOperator, eigsh
except ImportError as missing:
    print(f'SKIP: the PyTorch witness needs python3-torch, python3-scipy and python3-h5py: {missing}')
    sys.exit(77)
torch.set_num_threads(1)

TOL_FLOAT, TOL_DOUBLE = 1e-4, 1e-9              # loss, gradient, Hv, relative
TOL_MEASURE = 1e-7                              # a difference of two losses among them
TOL_LAMBDA = 1e-3                               # what the residual at which both solvers stop guarantees
TOL_PATH, TOL_PATH_DEEP_BN = 2e-2, 1e-1         # of the distance travelled. Rounding grows along a path, most of all where
TOL_PATH_DOUBLE = 1e-9                          # small batches feed many batch norms; double tells rounding from a mistake
N_BATCHES = 12                                  # from which the one farthest from any kink is taken
MOMENTUM, DECAY, STEPS = 0.9, 5e-3, 20


# ---- the presets, written down a second time ------------------------------------------------------------------------------
def act(name):
    return {'relu': nn.ReLU, 'tanh': nn.Tanh, 'gelu': nn.GELU}[name]()


def mlp(activation, bn, size, channels, widths=(48, 32)):
    layers, width = [nn.Flatten()], size * size * channels
    for out in widths:
        layers += [nn.Linear(width, out)] + ([nn.BatchNorm1d(out)] if bn else []) + [act(activation)]
        width = out
    return nn.Sequential(*layers, nn.Linear(width, 10))


def convolutions(plan, channels, bn, activation):
    layers = []
    for out in plan:
        if out == 'M':
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, out, 3, padding=1)] + ([nn.BatchNorm2d(out)] if bn else []) + [act(activation)]
        channels = out
    return layers


def cnn(activation, bn, size, channels):
    return nn.Sequential(*convolutions((32, 32, 'M', 64, 64, 'M'), channels, bn, activation), nn.Flatten(),
                         nn.Linear(64 * (size // 4) ** 2, 128), act(activation), nn.Linear(128, 10))


class VGG11(nn.Module):
    def __init__(self, _activation, bn, _size, channels):
        super().__init__()
        plan = (64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M')
        self.features = nn.Sequential(*convolutions(plan, channels, bn, 'relu'))
        self.classifier = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


class Block(nn.Module):
    def __init__(self, channels, out, stride, bn):
        super().__init__()
        norm = nn.BatchNorm2d if bn else (lambda _: nn.Identity())
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=not bn)
        self.bn1 = norm(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=not bn)
        self.bn2 = norm(out)
        project = stride != 1 or channels != out
        self.relu = nn.ReLU()
        self.shortcut = nn.Sequential(*([nn.Conv2d(channels, out, 1, stride, bias=not bn), norm(out)] if project else []))

    def forward(self, x):
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, _activation, bn, _size, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=not bn)
        self.bn1 = nn.BatchNorm2d(64) if bn else nn.Identity()
        self.relu = nn.ReLU()
        width = 64
        for i, (out, stride) in enumerate(((64, 1), (128, 2), (256, 2), (512, 2))):
            setattr(self, f'layer{i + 1}', nn.Sequential(Block(width, out, stride, bn), Block(out, out, 1, bn)))
            width = out
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


# case: constructor, network, activation, batch norm, loss, size, channels, examples, batch, learning rate, rho
# Rates well below the edge of stability: above it a path is chaotic, and rounding decides where it ends.
CASES = {
    'mlp': (mlp, 'mlp', 'relu', False, 'cross_entropy', 12, 1, 64, 32, 0.02, 0.1),
    'mlp-bn': (mlp, 'mlp', 'relu', True, 'cross_entropy', 12, 1, 64, 32, 0.02, 0.1),
    'mlp-tanh-squared': (mlp, 'mlp', 'tanh', False, 'squared_error', 12, 1, 64, 32, 0.02, 0.1),
    'mlp-gelu-bn': (mlp, 'mlp', 'gelu', True, 'cross_entropy', 12, 1, 64, 32, 0.02, 0.1),
    'cnn': (cnn, 'cnn', 'relu', False, 'cross_entropy', 28, 1, 12, 6, 1e-3, 0.02),
    'cnn-bn': (cnn, 'cnn', 'relu', True, 'cross_entropy', 28, 1, 12, 6, 1e-4, 2e-3),
    'cnn-colour-tanh-bn': (cnn, 'cnn', 'tanh', True, 'squared_error', 32, 3, 12, 6, 1e-3, 0.02),
    'vgg11': (VGG11, 'vgg11', 'relu', False, 'cross_entropy', 32, 3, 6, 3, 1e-3, 0.02),
    'vgg11-bn': (VGG11, 'vgg11', 'relu', True, 'cross_entropy', 32, 3, 6, 3, 2e-5, 5e-4),
    'resnet18': (ResNet18, 'resnet18', 'relu', False, 'cross_entropy', 16, 3, 6, 3, 1e-3, 0.02),
    'resnet18-bn': (ResNet18, 'resnet18', 'relu', True, 'cross_entropy', 16, 3, 6, 3, 2e-5, 5e-4),
}


# ---- files --------------------------------------------------------------------------------------------------------------
def write_h5(path, tensors):
    with h5py.File(path, 'w') as f:
        for name, value in tensors.items():
            f[name] = value.detach().numpy()


def read_h5(path):
    with h5py.File(path, 'r') as f:
        return {name: torch.from_numpy(np.asarray(f[name])) for name in f}


# ---- PyTorch's side -------------------------------------------------------------------------------------------------------
def loss_of(model, loss, x, y):
    z = model(x)
    if loss == 'cross_entropy':
        return F.cross_entropy(z, y)
    return 0.5 * ((z - F.one_hot(y, 10).to(z.dtype)) ** 2).sum(1).mean()


def set_mode(model, mode):
    """batch: train mode without touching the running statistics; running: eval mode."""
    model.train(mode == 'batch')
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.momentum = 0.0


def gradient(model, loss, x, y, graph=False):
    value = loss_of(model, loss, x, y)
    return value, torch.autograd.grad(value, list(model.parameters()), create_graph=graph)


def product(g, params, v, keep=False):
    return torch.autograd.grad(g, params, grad_outputs=v, retain_graph=keep)


def gauss_newton(model, loss, x, y, v):
    """J' (d2 loss / d logits2) J v; Jv as the derivative of u'J along u."""
    params, z = list(model.parameters()), model(x)
    u = torch.zeros_like(z, requires_grad=True)
    back = torch.autograd.grad(z, params, grad_outputs=u, create_graph=True)
    jv = torch.autograd.grad(back, u, grad_outputs=v, retain_graph=True)[0]
    if loss == 'cross_entropy':
        p = z.detach().softmax(1)
        jv = p * (jv - (p * jv).sum(1, keepdim=True))
    return torch.autograd.grad(z, params, grad_outputs=jv / len(x))


def worst_case(model, loss, x, y, rho, adaptive, steps=2):
    """Rise of the loss at the worst of the points w + rho c^2 g / ||c g||, g of the point before."""
    params = list(model.parameters())
    start = [p.detach().clone() for p in params]
    scale = [s.abs() if adaptive else torch.ones_like(s) for s in start]
    values = []
    for _ in range(steps):
        value, g = gradient(model, loss, x, y)
        values.append(value.item())
        size = float(flat([c * a for c, a in zip(scale, g)]).norm())
        with torch.no_grad():
            for p, s, c, a in zip(params, start, scale, g):
                p.copy_(s + rho / size * c * c * a)
    values.append(loss_of(model, loss, x, y).item())
    with torch.no_grad():
        for p, s in zip(params, start):
            p.copy_(s)
    return max(values) - values[0]


def torch_measures(model, loss, x, y, rate, rho):
    params = list(model.parameters())
    _, g = gradient(model, loss, x, y, graph=True)
    hg = flat(product(g, params, [a.detach() for a in g]))
    g = flat(g).detach()
    size = float(g.norm())
    return {'sharpness': worst_case(model, loss, x, y, rho, False),
            'adaptive_sharpness': worst_case(model, loss, x, y, rho, True),
            'batch_sharpness': float(g @ hg) / size ** 2,
            'sam_edge': size / (2 * rho) * ((1 + 8 * rho / (rate * size)) ** 0.5 - 1)}


def flat(tensors):
    return torch.cat([t.reshape(-1) for t in tensors]).double()


def torch_lambda(model, loss, x, y):
    params = list(model.parameters())
    n = sum(p.numel() for p in params)
    _, g = gradient(model, loss, x, y, graph=True)
    sizes = [p.numel() for p in params]

    def matvec(v):
        parts = torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32).reshape(-1)).split(sizes)
        hv = product(g, params, [a.view_as(p) for a, p in zip(parts, params)], keep=True)
        return torch.cat([a.reshape(-1) for a in hv]).numpy()

    operator = LinearOperator((n, n), matvec=matvec, dtype=np.float32)
    start = np.random.RandomState(0).randn(n).astype(np.float32)
    tol, ncv = (1e-5, 20) if n < 10 ** 6 else (1e-3, 12)
    return float(eigsh(operator, k=1, which='LA', tol=tol, ncv=ncv, v0=start, return_eigenvectors=False)[0])


def torch_path(model, loss, x, y, batch, rate, rho):
    """20 steps; the second gradient of SAM leaves the running statistics alone, and weight decay stays out of the ascent."""
    model.train()
    params = list(model.parameters())
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    optimizer = torch.optim.SGD(params, lr=rate, momentum=MOMENTUM, weight_decay=DECAY)
    for step in range(STEPS):
        take = [(step * batch + i) % len(x) for i in range(batch)]
        for m in norms:
            m.momentum = 0.1
        _, g = gradient(model, loss, x[take], y[take])
        if rho > 0:
            saved = [p.detach().clone() for p in params]
            factor = rho / (float(flat(g).norm()) + 1e-12)
            with torch.no_grad():
                for p, a in zip(params, g):
                    p += factor * a
            for m in norms:
                m.momentum = 0.0
            _, g = gradient(model, loss, x[take], y[take])
            with torch.no_grad():
                for p, s in zip(params, saved):
                    p.copy_(s)
        for p, a in zip(params, g):
            p.grad = a.clone()
        optimizer.step()


# ---- a batch away from kinks ----------------------------------------------------------------------------------------------
def margin(model, x, modes):
    """How near the pass comes to a kink: the smallest |input| of a ReLU and the smallest lead of a maximum, over the rms.
    In float either side may be taken of a kink nearer than rounding, and the derivatives there are honestly different."""
    nearest = []

    def relu(_module, inputs, _output):
        z = inputs[0].detach()
        nearest.append(float(z.abs().min() / z.square().mean().sqrt()))

    def pool(_module, inputs, _output):
        z = inputs[0].detach()
        windows = z.unfold(2, 2, 2).unfold(3, 2, 2).reshape(-1, 4)
        best = windows.topk(2).values
        lead = (best[:, 0] - best[:, 1])[best[:, 0] != 0]   # windows of zeros pass nothing on
        nearest.append(float(lead.min() / z.square().mean().sqrt()))

    hooks = [m.register_forward_hook(relu if isinstance(m, nn.ReLU) else pool) for m in model.modules()
             if isinstance(m, (nn.ReLU, nn.MaxPool2d))]
    with torch.no_grad():
        for mode in modes:
            set_mode(model, mode)
            model(x)
    for hook in hooks:
        hook.remove()
    return min(nearest, default=1.0)


def choose_pixels(model, shape, modes, generator):
    candidates = [torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for _ in range(N_BATCHES)]
    return max(candidates, key=lambda pixels: margin(model, inputs_of(pixels), modes))


def inputs_of(pixels):
    return (4 * (pixels.double() / 255 - 0.5)).permute(0, 3, 1, 2).contiguous()


# ---- comparison -----------------------------------------------------------------------------------------------------------
class Report:
    def __init__(self, case):
        self.case, self.failures = case, 0

    def check(self, what, difference, tolerance):
        good = difference <= tolerance          # False for NaN
        self.failures += not good
        verdict = 'ok' if good else 'DIFFERS'
        print(f'{self.case:20s} {what:24s} {difference:9.2e}  (at most {tolerance:.0e})  {verdict}', flush=True)

    def check_telling(self, apart_by):
        """The perturbation must matter far more than the tolerance, or SAM's path proves no more than SGD's."""
        self.check('1 / (SAM beside SGD)', 1 / apart_by if apart_by > 0 else float('inf'), 100)

    def note(self, what):
        print(f'{self.case:20s} {what}', flush=True)


def relative(ours, theirs):
    return float((flat(ours) - flat(theirs)).norm() / flat(theirs).norm())


def make_model(constructor, activation, bn, size, channels, generator):
    model = constructor(activation, bn, size, channels)
    with torch.no_grad():                       # nothing may sit at a value that hides a mistake: 0 or 1
        for m in model.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.weight += 0.2 * torch.randn(m.weight.shape, generator=generator)
                m.bias += 0.2 * torch.randn(m.bias.shape, generator=generator)
                m.running_mean += 0.2 * torch.randn(m.bias.shape, generator=generator)
                m.running_var *= 0.5 + torch.rand(m.bias.shape, generator=generator)
    return model


def read_raw(path):
    return [torch.from_numpy(np.fromfile(path))]


def compare_mode(report, model, path, v, mode, folder, printed):
    """path: loss, x, y, batch, rate, rho"""
    loss, x, y, _, rate, rho = path
    params = [name for name, _ in model.named_parameters()]
    double = model.double()
    set_mode(double, mode)
    value, g = gradient(double, loss, x, y, graph=True)
    along = [v[name].double() for name in params]
    hv = product(g, list(double.parameters()), along)
    gv = gauss_newton(double, loss, x, y, along)
    for kind, tolerance in (('float', TOL_FLOAT), ('double', TOL_DOUBLE)):
        ours = printed[kind][f'loss_{mode}']
        report.check(f'loss, {mode}, {kind}', abs(ours - value.item()) / abs(value.item()), tolerance)
        for what, theirs in (('gradient', g), ('product', hv), ('gauss_newton', gv)):
            stem = f'{folder}/{kind}/{what}_{mode}'
            ours = read_raw(stem + '.f64') if kind == 'double' else [read_h5(stem + '.h5')[name] for name in params]
            report.check(f'{what}, {mode}, {kind}', relative(ours, theirs), tolerance)
    for what, theirs in torch_measures(double, loss, x, y, rate, rho).items():
        ours = printed['double'][f'{what}_{mode}']
        report.check(f'{what}, {mode}', abs(ours - theirs) / abs(theirs), TOL_MEASURE)
    single, found = double.float(), printed['float']
    if f'lambda_{mode}' not in found:
        return
    theirs = torch_lambda(single, loss, x.float(), y)
    report.check(f'lambda_max, {mode}', abs(found[f'lambda_{mode}'] - theirs) / abs(theirs), TOL_LAMBDA)
    report.note(f'lambda_max, {mode}: {found[f"lambda_{mode}"]:.6g}, eigsh {theirs:.6g}, '
                f'{found[f"products_{mode}"]:.0f} products, residual {found[f"residual_{mode}"]:.1e}')


def compare_path(report, model, start, path, name, rho, folder, tolerance):
    """path: loss, x, y, batch, rate. Returns where PyTorch ends."""
    loss, x, y, batch, rate = path
    params = [k for k, _ in model.named_parameters()]
    stats = [k for k in start if k not in params and not k.endswith('num_batches_tracked')]
    ours, theirs = read_h5(f'{folder}/float/{name}.h5'), {}
    kinds = ('float', 'double') if os.path.exists(f'{folder}/double/{name}.f64') else ('float',)
    for kind in kinds:
        model = model.double() if kind == 'double' else model.float()
        model.load_state_dict(start)
        torch_path(model, loss, x.to(next(model.parameters()).dtype), y, batch, rate, rho)
        theirs[kind] = {k: t.clone() for k, t in model.state_dict().items()}
    model.float().load_state_dict(ours)         # strict: every name and shape is PyTorch's
    for what, keys in (('weights', params), ('statistics', stats)):
        if keys:
            report.check(f'20 {name} steps, {what}', apart(ours, theirs['float'], start, keys), tolerance)
    end, begin = (flat([t[k] for k in params]) for t in (theirs[kinds[-1]], start))
    if 'double' in kinds:
        raw = read_raw(f'{folder}/double/{name}.f64')[0]
        report.check(f'20 {name} steps, double', float((raw - end).norm() / (end - begin).norm()), TOL_PATH_DOUBLE)
    return end


def apart(ours, theirs, start, keys):
    a, b, begin = (flat([t[k] for k in keys]) for t in (ours, theirs, start))
    return float((a - b).norm() / (b - begin).norm())


def run_programs(report, programs, arguments, folder):
    """The float program in folder/float, the double one in folder/double, from the same files; what each printed."""
    printed = {}
    for kind, program in zip(('float', 'double'), programs):
        os.mkdir(f'{folder}/{kind}')
        for name in ('weights.h5', 'v.h5', 'pixels.u8', 'labels.u8'):
            os.symlink(f'{folder}/{name}', f'{folder}/{kind}/{name}')
        run = subprocess.run([program] + [str(a) for a in arguments] + [f'{folder}/{kind}'], stdout=subprocess.PIPE,
                             text=True, check=False)
        if run.returncode != 0:
            report.note(f'{program} failed with status {run.returncode}')
            report.failures += 1
        printed[kind] = {k: float(value) for k, value in (line.split() for line in run.stdout.splitlines())}
    return printed


def run_case(programs, case):
    constructor, network, activation, bn, loss, size, channels, examples, batch, rate, rho = CASES[case]
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    report, model = Report(case), make_model(constructor, activation, bn, size, channels, generator)
    start = {k: t.clone() for k, t in model.state_dict().items()}
    v = {k: torch.randn(p.shape, generator=generator) for k, p in model.named_parameters()}
    modes = ('batch', 'running') if bn else ('batch',)
    pixels = choose_pixels(model.double(), (examples, size, size, channels), modes, generator)
    model.float()
    y = torch.randint(0, 10, (examples,), generator=generator)
    x = inputs_of(pixels)
    with tempfile.TemporaryDirectory(prefix='sharpsweep-witness-') as folder:
        write_h5(f'{folder}/weights.h5', start)
        write_h5(f'{folder}/v.h5', v)
        pixels.numpy().tofile(f'{folder}/pixels.u8')
        y.numpy().astype(np.uint8).tofile(f'{folder}/labels.u8')
        arguments = (network, activation, int(bn), loss, size, channels, examples, batch, rate, rho)
        deep = network in ('vgg11', 'resnet18')
        printed = run_programs(report, programs, arguments, folder)
        if report.failures:
            return report.failures
        for mode in modes:
            compare_mode(report, model, (loss, x, y, batch, rate, rho), v, mode, folder, printed)
        path = (loss, x, y, batch, rate)
        tolerance = TOL_PATH_DEEP_BN if bn and deep else TOL_PATH
        sgd, sam = (compare_path(report, model, start, path, name, ascent, folder, tolerance)
                    for name, ascent in (('sgd', 0.0), ('sam', rho)))
        begin = flat([start[k] for k, _ in model.named_parameters()])
        report.check_telling(float((sam - sgd).norm() / (sgd - begin).norm()))
    return report.failures


def main():
    if len(sys.argv) < 3 or any(case not in CASES for case in sys.argv[3:]):
        print(f'usage: {sys.argv[0]} PROGRAM PROGRAM_DOUBLE [{" | ".join(CASES)}] ...', file=sys.stderr)
        return 2
    failures = sum(run_case(sys.argv[1:3], case) for case in sys.argv[3:] or CASES)
    print(f'{failures} differences' if failures else 'PyTorch agrees')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
