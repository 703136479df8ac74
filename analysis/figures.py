"""figures.py - one figure per finding, and lambda_max against the generalisation gap. Colours are Okabe and Ito's, told
apart by colour-blind readers; markers and line styles say the same again, so that a grey print is readable."""
import os
import textwrap

import numpy as np

from folder import MADE_BY


def absolute(paths):
    return ':'.join(p for p in paths.split(':') if os.path.isabs(p))


def import_matplotlib():
    """Without what anybody's settings say, least of all those of the current folder, which may be a stranger's: matplotlib
    reads ./matplotlibrc, and starts fc-list from PATH."""
    os.environ.update(MATPLOTLIBRC=os.devnull, PATH=absolute(os.environ.get('PATH', '')) or os.defpath)
    for name in ('MPLBACKEND', *(n for n in ('MPLCONFIGDIR', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'HOME')
                                 if not os.path.isabs(os.environ.get(n, '/')))):
        os.environ.pop(name, None)
    here = os.open('.', os.O_PATH | os.O_DIRECTORY)
    os.chdir('/')
    try:
        import matplotlib
        matplotlib.rcdefaults()
        matplotlib.use('Agg')
        import matplotlib.pyplot
        from matplotlib import ticker
        from PIL import Image, PngImagePlugin            # matplotlib needs it too
        made = PngImagePlugin.PngInfo()
        made.add_text('Software', MADE_BY)
        return matplotlib.pyplot, ticker, Image, made
    finally:
        os.fchdir(here)
        os.close(here)


plt, ticker, Image, MADE = import_matplotlib()

COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000']
MARKERS = ['o', 's', '^', 'D', 'v', 'P', 'X']
LINES = ['-', '--', '-.', ':']
LABEL = {'learning_rate': 'learning rate', 'batch': 'batch size', 'sam_rho': 'SAM ρ', 'dropout': 'dropout p',
         'batch_norm': 'batch norm', 'lambda_max': 'λ_max', 'test_accuracy': 'test accuracy (%)'}
plt.rcParams.update({'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False, 'axes.grid': True,
                     'grid.alpha': 0.25, 'savefig.bbox': 'tight', 'svg.fonttype': 'none'})


def save(figure, path):
    """path without its ending; writes .png and .pdf, and returns the name of the .png."""
    figure.savefig(f'{path}.png', dpi=160)
    with Image.open(f'{path}.png') as drawn:       # flat colours: a palette says the same in a third of the bytes
        drawn.convert('RGB').quantize(128).save(f'{path}.png', optimize=True, pnginfo=MADE)
    figure.savefig(f'{path}.pdf', metadata={'Creator': MADE_BY})
    plt.close(figure)
    return f'{path}.png'


def plain_log(axis):
    """Numbers as one writes them, 4 and 40 rather than 4 x 10^1, at as many minor ticks as there is room for."""
    for level, formatter in ((axis.set_major_formatter, ticker.LogFormatter()),
                             (axis.set_minor_formatter, ticker.LogFormatter(minor_thresholds=(1.5, 0.6)))):
        level(formatter)


def over_seeds(points, index, axis, column):
    """x, mean, least and greatest over seeds of `column` at each level of the axis."""
    x = points[axis][index].astype(float)
    y = points[column][index].astype(float) * (100 if column.endswith('accuracy') else 1)
    levels = np.unique(x)
    rows = [y[x == level] for level in levels]
    mean = [np.exp(np.mean(np.log(r))) if column == 'lambda_max' else np.mean(r) for r in rows]
    return levels, np.array(mean), np.array([r.min() for r in rows]), np.array([r.max() for r in rows])


def curve(axes, points, index, axis, column, label, style, evenly=None):
    x, mean, low, high = over_seeds(points, index, axis, column)
    at = x if evenly is None else np.searchsorted(evenly, x)
    hue, line = style if isinstance(style, tuple) else (style, style)
    colour = COLOURS[hue % len(COLOURS)]
    axes.plot(at, mean, color=colour, marker=MARKERS[hue % len(MARKERS)], linestyle=LINES[line % len(LINES)],
              markersize=4, markerfacecolor='white' if isinstance(style, tuple) and line else colour, label=label)
    axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)


def names(levels, log_x):
    """The levels in words; on a logarithmic axis those that would overlap the one before stay empty."""
    out, last, room = [], -np.inf, 0.1 * np.log(levels[-1] / levels[0]) if log_x and len(levels) > 1 else 0
    for v in levels:
        free = not log_x or np.log(v) - last >= room
        out.append(f'{v:g}' if free else '')
        last = np.log(v) if free and log_x else last
    return out


def two_panels(points, index, axis, groups, title, log_x, styles=None):
    """lambda_max and test accuracy against the axis, a curve per group {label: indices}. styles: (colour, line) of each."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 2.9), layout='constrained')
    levels = np.unique(points[axis][index].astype(float))
    for panel, column in zip(panels, ('lambda_max', 'test_accuracy')):
        for style, (label, inside) in enumerate(groups.items()):
            curve(panel, points, inside, axis, column, label, styles[style] if styles else style, None if log_x else levels)
        if log_x:
            panel.set_xscale('log')
        panel.set_xticks(levels if log_x else range(len(levels)), names(levels, log_x), minor=False)
        if log_x:
            panel.minorticks_off()
        panel.set_xlabel(LABEL.get(axis, axis))
        panel.set_ylabel(LABEL[column])
        if column == 'lambda_max':
            panel.set_yscale('log')
            plain_log(panel.yaxis)
    if len(groups) > 1:
        figure.legend(*panels[0].get_legend_handles_labels(), loc='upper center', bbox_to_anchor=(0.5, 0),
                      ncols=len(groups) if len(groups) <= 4 else 3, frameon=False)
    figure.suptitle('\n'.join(textwrap.fill(line, 110) for line in title.split('\n')), fontsize=9)
    return figure


def by(points, index, axis, word=None):
    values = points[axis][index].astype(float)
    word = word or LABEL.get(axis, axis)
    return {f'{word} {v:g}'.replace(' inf', ' full'): index[values == v] for v in np.unique(values)}


def finding(verdict, points):
    """The figure of a verdict, of the points that it was judged on (`verdict.used`) and no others."""
    name, index = verdict.finding, np.sort(verdict.used)
    title = f'{name}: {verdict.title.replace("lambda_max", "λ_max")}' + (f'\n{verdict.stratum}' if verdict.stratum else '')
    title = title.replace('$', r'\$')              # a text of the file, not matplotlib's mathematics
    if name in ('F1', 'F3'):
        axis = 'learning_rate' if name == 'F1' else 'sam_rho'
        return two_panels(points, index, axis, by(points, index, 'batch'), title, name == 'F1')
    if name == 'F2':
        return two_panels(points, index, 'batch', {'learning rate in proportion': index}, title, True)
    if name == 'F4':
        return two_panels(points, index, 'dropout', {'dropout': index}, title, False)
    groups, styles = {}, []
    for hue, (batch, inside) in enumerate(by(points, index, 'batch').items()):
        for state, word in ((0, 'off'), (1, 'on')):
            here = inside[points['batch_norm'][inside].astype(int) == state]
            if len(here):
                groups[f'{batch}, batch norm {word}'] = here
                styles.append((hue, state))
    return two_panels(points, index, 'learning_rate', groups, title, True, styles)


def gap(points, index):
    """lambda_max against the generalisation gap, one mark per point, coloured by the batch size."""
    figure, axes = plt.subplots(figsize=(4.6, 3.3), layout='constrained')
    lam = points['lambda_max'].astype(float)
    size = 100 * (points['train_accuracy'].astype(float) - points['test_accuracy'].astype(float))
    for style, (label, inside) in enumerate(by(points, index, 'batch').items()):
        axes.plot(lam[inside], size[inside], MARKERS[style % len(MARKERS)], color=COLOURS[style % len(COLOURS)],
                  markersize=4, alpha=0.75, label=label)
    axes.set_xscale('log')
    plain_log(axes.xaxis)
    axes.set_xlabel('λ_max')
    axes.set_ylabel('train minus test accuracy (points)')
    figure.legend(loc='upper center', bbox_to_anchor=(0.5, 0), ncols=3, frameon=False)
    figure.suptitle('Sharpness and the generalisation gap', fontsize=9)
    return figure
