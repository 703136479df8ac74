"""edges.py - lambda_max during training against the edge at which it should settle.

usage: python3 analysis/edges.py RESULTS.h5 [-o FILE.png]
For every point with tracked curvature: the step at which lambda_max first comes within 5 % of its edge, and the plateau:
lambda_max and its ratio to the edge over the second half of what came after. Draws all points into one figure (also .pdf).
Edges, for full batches and a constant learning rate (Cohen et al. 2021, arXiv 2103.00065; Long & Bartlett 2023, arXiv
2309.12488), g the gradient where lambda_max was measured, beta the momentum:
    gradient descent    2 / lr                       Polyak's momentum    (2 + 2 beta) / lr
    Nesterov's          (2 + 2 beta) / (lr (1 + 2 beta))
    SAM                 (||g|| / 2 rho)(sqrt(1 + 8 rho / (lr ||g||)) - 1); 2 / lr is its limit for rho -> 0"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    import numpy as np

    import results
    import strict
except ImportError as missing:
    sys.exit(f'edges.py: Python\'s module {missing.name} is missing; on Debian: '
             'apt-get install python3-h5py python3-numpy python3-matplotlib')


def edge(lr, rho, momentum, nesterov, g):
    """The edge at each gradient norm of g, or None where no formula is known (SAM with momentum)."""
    if rho > 0:
        if momentum > 0:
            return None
        return g / (2 * rho) * (np.sqrt(1 + 8 * rho / (lr * g)) - 1)
    polyak = (2 + 2 * momentum) / lr
    return np.full_like(g, polyak / (1 + 2 * momentum) if nesterov else polyak)


def curves(path):
    """[(label, step, lambda_max, edge)] of the points with at least 4 converged tracked measurements."""
    out = []
    with strict.open_results(path) as file:
        n = results.check_points(path, file)
        if 'history/track_lambda_max' not in file:
            return out
        track, axes = file['history'], strict.axes(path, file)
        for i in range(n):
            value = {n: track['track_' + n][i] for n in ('step', 'lambda_max', 'gradient_norm', 'lambda_converged')}
            good = np.isfinite(value['lambda_max']) & (value['lambda_converged'] == 1) & (value['gradient_norm'] > 0)
            if np.sum(good) < 4:
                continue
            at = edge(*(float(file[n][i]) for n in ('learning_rate', 'sam_rho', 'momentum')), file['nesterov'][i] == 1,
                      value['gradient_norm'][good])
            numbers = [a for a in axes if a in file and file[a].dtype.kind in 'if']
            label = ', '.join(f'{a.replace("_", " ")} {float(file[a][i]):g}' for a in numbers)
            out.append((label or f'point {i}', value['step'][good], value['lambda_max'][good], at))
    return out


def plateau(step, lam, at):
    """(step of arrival or None, median lambda_max, [0.05, 0.5, 0.95] quantiles of its ratio to the edge). Arrival is the
    first measurement within 5 % of the edge; the rest is taken over the second half of what follows it, or of everything."""
    near = np.flatnonzero(np.abs(np.log(lam / at)) <= np.log(1.05))
    first = near[0] if len(near) else 0
    late = slice(first + (len(lam) - first) // 2, None)
    return step[first] if len(near) else None, np.median(lam[late]), np.quantile(lam[late] / at[late], [0.05, 0.5, 0.95])


def say(label, step, lam, at):
    head = (f'{label}: lambda_max {lam[0]:.4g} at step {step[0]:.0f}, lowest {lam.min():.4g} at step '
            f'{step[np.argmin(lam)]:.0f}')
    if at is None:
        return f'{head}; no formula for the edge of SAM with momentum'
    first, level, (low, middle, high) = plateau(step, lam, at)
    arrived = 'never within 5 % of its edge' if first is None else f'first within 5 % of its edge at step {first:.0f}'
    return (f'{head}; {arrived}; later {level:.4g}, {middle:.3f} of the edge (nine times in ten {low:.3f} to {high:.3f}), '
            f'until step {step[-1]:.0f}')


def draw(found, path):
    import figures
    picture, axes = figures.plt.subplots(figsize=(5.4, 3.4), layout='constrained')
    for k, (label, step, lam, at) in enumerate(found):
        colour = figures.COLOURS[k % len(figures.COLOURS)]
        axes.plot(step, lam, color=colour, linewidth=1, linestyle=figures.LINES[k % len(figures.LINES)], label=label)
        if at is not None:
            axes.plot(step, at, color=colour, linewidth=2.2, alpha=0.35, label='its edge' if k == 0 else None)
    axes.set(yscale='log', xlabel='step', ylabel='λ_max', title='λ_max in training (thin) and its edge (broad)')
    figures.plain_log(axes.yaxis)
    axes.title.set_fontsize(9)
    axes.legend(fontsize=7, frameon=False)
    return figures.save(picture, os.path.splitext(path)[0])


def main():
    parser = argparse.ArgumentParser(prog='edges.py', description=__doc__.split('\n\n')[0])
    parser.add_argument('results', help='results file with tracked curvature')
    parser.add_argument('-o', '--output', default='edges.png', help='figure (default: edges.png)')
    options = parser.parse_args()
    try:
        found = curves(options.results)
    except results.BadFile as error:
        print(f'edges.py: {error}', file=sys.stderr)
        return 2
    if not found:
        print(f'edges.py: {options.results}: no point has 4 tracked measurements that converged; set track_every_steps in '
              'the job', file=sys.stderr)
        return 2
    for one in found:
        print(results.plain(say(*one)))
    print(f'figure: {draw(found, options.output)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
