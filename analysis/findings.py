"""findings.py - the study's five findings from results files: figures, verdicts, report.html.

usage: python3 analysis/findings.py RESULTS.h5 [MORE.h5 ...] [-o REPORT/] [--accuracy-slack 0.01]
Writes into the folder: F1 ... F5 and gap as .png and .pdf, verdicts.txt (also printed), report.html (self-contained).
They take their places when all are drawn. What an earlier report left there under these names is removed; what somebody else
has put there is kept as NAME.kept-TIME.
Exit status 0 whatever the verdicts are, 2 for a bad file or command line, or a folder that cannot be written (nothing changed)."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))     # `sharpsweep report` starts Python without it (-I)
try:
    import numpy as np

    import correlations
    import criteria
    import folder
    import results
except ImportError as missing:
    sys.exit(f'findings.py: Python\'s module {missing.name} is missing; on Debian: '
             'apt-get install python3-h5py python3-numpy python3-scipy python3-matplotlib')


def warnings_of(points, reason, verdicts):
    out = []
    left_out = int(np.sum(reason != ''))
    if left_out:
        out.append(f'{left_out} of {points.n} points are left out of the comparison; the reasons are listed below.')
    beyond = int(np.sum(reason == results.BEYOND))
    if beyond:
        out.append(f'{beyond} of them were trained beyond their target by more than the slack and are not at equal training '
                   'accuracy: evaluate more often, or give a larger --accuracy-slack.')
    waiting = int(np.sum(points['status'] == 0))
    if waiting:
        out.append(f'{waiting} points are not computed yet: the sweep is not complete.')
    seeds = {e.n for found in verdicts.values() for v in found for p in v.parts for e in p.effects}
    if seeds and min(seeds) < 3:
        out.append('Some verdicts rest on 2 seeds: their intervals are very wide.')
    commits = {a.get('sharpsweep_commit') for _, a, _, _ in points.files}
    if len(commits) > 1:
        names = ', '.join(sorted(map(str, commits)))
        out.append(f'The files were written by different versions of sharpsweep: {names}.')
    return out


def correlation(tau):
    return f'{tau:+.2f}' if np.isfinite(tau) else 'none'


def summary(verdicts, rows, measures, reason):
    lines = []
    for name, found in verdicts.items():
        for v in found:
            lines.append(f'{name}  {v.verdict.upper()}{f"  ({v.stratum})" if v.stratum else ""}\n    {v.title}\n    {v.why}')
            for p in v.parts:
                lines.append(f'    - {p.claim}: {p.state}')
                lines += [f'        {e.label}: {e.text()}  ({e.n} seeds)' for e in p.effects]
            lines += [f'    {line}' for line in criteria.remarks(v)]
    lines.append('lambda_max and the generalisation gap, Kendall tau')
    lines += [f'    {axis}: {correlation(tau)}  ({groups} groups, {n} points)' for axis, tau, groups, n in rows]
    for name, tau, n, out in measures:
        left = f', {out} over the tolerance left out' if out else ''
        lines.append(f'    {name}, all points: {correlation(tau)}  ({n} points{left})')
    if not rows and not measures:
        lines.append('    none')
    kinds, count = np.unique(reason[reason != ''].astype(str), return_counts=True)
    lines.append('points left out: ' + (', '.join(f'{n} {k}' for k, n in zip(kinds, count)) or 'none'))
    return '\n'.join(lines) + '\n'


def draw(draft, points, index, verdicts):
    import figures
    pictures = {}
    for name, found in verdicts.items():
        for number, v in enumerate(f for f in found if f.used is not None and len(f.used)):
            path = os.path.join(draft, name if number == 0 else f'{name}-{number + 1}')
            pictures[name, v.stratum] = figures.save(figures.finding(v, points), path)
    if len(index):
        pictures['gap'] = figures.save(figures.gap(points, index), os.path.join(draft, 'gap'))
    return pictures


def snapshot(word):
    """What `sharpsweep report` reads instead of the N-th file: an open file of its own, newer than what lies on disk."""
    number, descriptor = word.split(':')
    return int(number), f'/proc/self/fd/{int(descriptor)}'


def main():
    parser = argparse.ArgumentParser(prog='findings.py', description=__doc__.split('\n\n')[0])
    parser.add_argument('results', nargs='+', help='results files of sharpsweep')
    parser.add_argument('-o', '--output', default='report', help='folder of the report (default: report)')
    parser.add_argument('--accuracy-slack', type=float, default=0.01, metavar='A',
                        help='points further than this off their target train accuracy are left out (default: 0.01)')
    parser.add_argument('--snapshot', action='append', default=[], metavar='N:FD', type=snapshot, help=argparse.SUPPRESS)
    parser.add_argument('--journals-known', action='store_true', help=argparse.SUPPRESS)    # the program has looked at them
    options = parser.parse_args()
    if not 0 <= options.accuracy_slack <= 1:
        print(f'findings.py: --accuracy-slack is a fraction from 0 to 1, not {options.accuracy_slack:g}', file=sys.stderr)
        return 2
    try:
        points = results.load(options.results, dict(options.snapshot), not options.journals_known)
    except results.BadFile as error:
        print(f'findings.py: {error}', file=sys.stderr)
        return 2
    try:
        import report
        import figures  # noqa: F401  (fails here, before anything is written, where matplotlib is missing)
    except ImportError as missing:
        print(f"findings.py: Python's module {missing.name} is missing; on Debian: apt-get install python3-matplotlib",
              file=sys.stderr)
        return 2
    mask, reason = results.select(points, options.accuracy_slack)
    verdicts = criteria.judge(points, mask)
    rows = correlations.rank_correlation(points, mask)
    measures = correlations.measure_correlations(points, mask, results.MEASURES)
    try:
        with folder.Folder(options.output) as out:
            pictures = draw(out.draft, points, np.flatnonzero(mask), verdicts)
            said = summary(verdicts, rows, measures, reason)
            with open(os.path.join(out.draft, 'verdicts.txt'), 'w', encoding='utf-8') as file:
                file.write(results.plain(said, '\n'))
            report.write(os.path.join(out.draft, 'report.html'), points, reason, verdicts, pictures, rows,
                         measures, warnings_of(points, reason, verdicts))
    except OSError as error:
        print(f'findings.py: {results.plain(options.output)}: {error.strerror or error}', file=sys.stderr)
        return 2
    for path, kept in out.kept:
        print(f'findings.py: {results.plain(path)}: is of no report, and is kept as {results.plain(kept)}', file=sys.stderr)
    print(results.plain(said, '\n'), end='')
    print(f'report: {results.plain(os.path.join(options.output, "report.html"))}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
