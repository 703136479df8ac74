"""findings.py - the study's five findings from results files: figures, verdicts, report.html.

usage: python3 analysis/findings.py RESULTS.h5 [MORE.h5 ...] [-o REPORT/] [--accuracy-slack 0.01]
Writes into the folder: F1 ... F5 and gap as .png and .pdf, verdicts.txt (also printed), report.html (self-contained).
Exit status 0 whatever the verdicts are, 2 for a bad file or command line (then nothing is written)."""
import argparse
import os
import sys

try:
    import numpy as np

    import criteria
    import results
except ImportError as missing:
    sys.exit(f'findings.py: Python\'s module {missing.name} is missing; on Debian: '
             'apt-get install python3-h5py python3-numpy python3-scipy python3-matplotlib')


def warnings_of(points, reason, verdicts):
    out = []
    left_out = int(np.sum(reason != ''))
    if left_out:
        out.append(f'{left_out} of {points.n} points are left out of the comparison; the reasons are listed below.')
    waiting = int(np.sum(points['status'] == 0))
    if waiting:
        out.append(f'{waiting} points are not computed yet: the sweep is not complete.')
    seeds = {len(np.unique(points['seed'][v.used])) for found in verdicts.values() for v in found if v.used is not None}
    if seeds and min(seeds) < 3:
        out.append('Some verdicts rest on 2 seeds: their intervals are very wide.')
    commits = {a.get('sharpsweep_commit') for _, a, _, _ in points.files}
    if len(commits) > 1:
        out.append('The files were written by different versions of sharpsweep: ' + ', '.join(sorted(map(str, commits))) + '.')
    return out


def summary(verdicts, rows, reason):
    lines = []
    for name, found in verdicts.items():
        for v in found:
            lines.append(f'{name}  {v.verdict.upper()}{f"  ({v.stratum})" if v.stratum else ""}\n    {v.title}\n    {v.why}')
            for p in v.parts:
                state = 'shown' if p.shown else 'opposite shown' if p.opposed else 'not shown'
                lines.append(f'    - {p.claim}: {state}')
                lines += [f'        {e.label}: {e.text()}  ({e.n} seeds)' for e in p.effects]
    lines.append('lambda_max and the generalisation gap, Kendall tau')
    lines += [f'    {axis}: {tau:+.2f}  ({groups} groups, {n} points)' for axis, tau, groups, n in rows]
    kinds, count = np.unique(reason[reason != ''].astype(str), return_counts=True)
    lines.append('points left out: ' + (', '.join(f'{n} {k}' for k, n in zip(kinds, count)) or 'none'))
    return '\n'.join(lines) + '\n'


def draw(folder, points, index, verdicts):
    import figures
    pictures = {}
    for name, found in verdicts.items():
        for number, v in enumerate(f for f in found if f.parts):
            path = os.path.join(folder, name if number == 0 else f'{name}-{number + 1}')
            pictures[name, v.stratum] = figures.save(figures.finding(v, points), path)
    if len(index):
        pictures['gap'] = figures.save(figures.gap(points, index), os.path.join(folder, 'gap'))
    return pictures


def main():
    parser = argparse.ArgumentParser(prog='findings.py', description=__doc__.split('\n\n')[0])
    parser.add_argument('results', nargs='+', help='results files of sharpsweep')
    parser.add_argument('-o', '--output', default='report', help='folder of the report (default: report)')
    parser.add_argument('--accuracy-slack', type=float, default=0.01, metavar='A',
                        help='points whose train accuracy is this much below their target are left out (default: 0.01)')
    options = parser.parse_args()
    try:
        points = results.load(options.results)
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
    rows = criteria.rank_correlation(points, mask)
    try:
        os.makedirs(options.output, exist_ok=True)
        pictures = draw(options.output, points, np.flatnonzero(mask), verdicts)
        said = summary(verdicts, rows, reason)
        with open(os.path.join(options.output, 'verdicts.txt'), 'w', encoding='utf-8') as file:
            file.write(said)
        report.write(os.path.join(options.output, 'report.html'), points, reason, verdicts, pictures, rows,
                     warnings_of(points, reason, verdicts))
    except OSError as error:
        print(f'findings.py: {options.output}: {error.strerror}', file=sys.stderr)
        return 2
    print(said, end='')
    print(f'report: {os.path.join(options.output, "report.html")}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
