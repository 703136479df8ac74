"""report.py - report.html: figures, verdicts, points and provenance in one file that needs no network."""
import base64
import html
import os

import numpy as np

import criteria
import results

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-top: 1px solid var(--line); padding-top: 1rem; }
img { max-width: 100%; background: #fff; border-radius: 4px; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.scroll { overflow: auto; max-height: 32rem; } .scroll thead th { position: sticky; top: 0; background: Canvas; }
.verdict { font-weight: 600; padding: 0.05rem 0.5rem; border-radius: 4px; border: 1px solid currentColor;
           white-space: nowrap; }
.warning { border-left: 4px solid #D55E00; padding: 0.3rem 0.8rem; margin: 0.5rem 0; }
details { margin: 0.6rem 0; } code, pre { font-size: 0.85rem; } pre { overflow: auto; }
.out { opacity: 0.55; }
"""
# The browser itself sees to it that the page asks nothing of a network.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
MARK = {criteria.REPRODUCED: '✓', criteria.NOT_REPRODUCED: '✗', criteria.INCONCLUSIVE: '?', criteria.NOT_COVERED: '–'}
COLUMNS = ['learning_rate', 'batch', 'sam_rho', 'dropout', 'batch_norm', 'seed', 'lambda_max', 'lambda_residual',
           'lambda_upper', 'hvp_count', 'train_accuracy', 'test_accuracy', 'train_loss', 'epochs', 'train_s', 'curvature_s']


def text(value):
    return html.escape(str(value))


def number(value):
    if isinstance(value, str):
        return text(value)
    return '' if value != value else f'{value:.4g}'


def picture(path):
    with open(path, 'rb') as file:
        data = base64.b64encode(file.read()).decode()
    return f'<img alt="{text(os.path.basename(path))}" src="data:image/png;base64,{data}">'


def badge(verdict):
    return f'<span class="verdict">{MARK[verdict]} {text(verdict)}</span>'


def parts(verdict):
    rows = ''
    for part in verdict.parts:
        effects = '<br>'.join(f'{text(e.label)}: {text(e.text())}, {e.n} seeds' for e in part.effects)
        rows += f'<tr><td>{text(part.claim)}</td><td>{part.state}</td><td>{effects}</td></tr>'
    return ('<table><thead><tr><th>part</th><th></th><th>effect [95 % interval]</th></tr></thead>'
            f'<tbody>{rows}</tbody></table>')


def section(name, verdicts, pictures):
    body = f'<h2 id="{name}">{name}. {text(verdicts[0].title.replace("lambda_max", "λ_max"))}</h2>'
    for v in verdicts:
        where = f' <code>{text(v.stratum)}</code>' if v.stratum else ''
        body += f'<p>{badge(v.verdict)}{where} {text(v.why)}.</p>'
        body += ''.join(f'<p>{text(remark)}.</p>' for remark in criteria.remarks(v))
        if (name, v.stratum) in pictures:
            body += picture(pictures[name, v.stratum])
        body += parts(v) if v.parts else ''
    return body


def exclusions(reason):
    kinds, count = np.unique(reason[reason != ''].astype(str), return_counts=True)
    rows = ''.join(f'<tr><td>{text(k)}</td><td>{n}</td></tr>' for k, n in zip(kinds, count))
    return f'<table><tbody>{rows or "<tr><td>none</td></tr>"}</tbody></table>'


def point_table(points, reason):
    names = [n for n in COLUMNS if n in points]
    head = ''.join(f'<th>{text(n)}</th>' for n in names)
    rows = ''
    for i in range(points.n):
        cells = ''.join(f'<td>{number(points[n][i])}</td>' for n in names)
        rows += f'<tr{" class=out" if reason[i] else ""}>{cells}<td>{text(reason[i])}</td></tr>'
    return (f'<div class=scroll><table><thead><tr>{head}<th>left out because</th></tr></thead>'
            f'<tbody>{rows}</tbody></table></div>')


def provenance(points):
    body = ''
    for path, attributes, _, n in points.files:
        rows = ''.join(f'<tr><td>{text(k)}</td><td>{text(v)}</td></tr>' for k, v in attributes.items() if k != 'job_text')
        body += (f'<h3>{text(path)}, {n} points</h3><table><tbody>{rows}</tbody></table>'
                 f'<details><summary>job file</summary><pre>{text(attributes.get("job_text", ""))}</pre></details>')
    return body


def correlations(rows, measures):
    lines = [(axis, tau, groups, n, 0) for axis, tau, groups, n in rows]
    lines += [(f'all points, {results.MEASURES[m]}', tau, 1, n, out) for m, tau, n, out in measures]
    if not lines:
        return '<p>none</p>'
    body = ''.join(f'<tr><td>{text(a)}</td><td>{number(t) or "none"}</td><td>{g}</td><td>{n}</td><td>{out or ""}</td></tr>'
                   for a, t, g, n, out in lines)
    return ('<table><thead><tr><th>varied</th><th>Kendall τ of λ_max (or the measure named) and gap</th><th>groups</th>'
            '<th>points</th><th>over the tolerance, left out</th></tr></thead>'
            f'<tbody>{body}</tbody></table>')


def write(path, points, reason, verdicts, pictures, rows, measures, warnings):
    """pictures: {(finding, stratum): png, 'gap': png}."""
    summary = ''.join(
        f'<tr><td><a href="#{name}">{name}</a></td><td>{" ".join(badge(v.verdict) for v in found)}</td>'
        f'<td>{text(found[0].title.replace("lambda_max", "λ_max"))}</td></tr>' for name, found in verdicts.items())
    used = int(np.sum(reason == ''))
    body = (f'<h1>Does λ_max explain generalisation?</h1><p>{points.n} points, {used} of them compared. Criteria: '
            f'<code>analysis/criteria.py</code>, level {criteria.ALPHA:g}.</p>'
            + ''.join(f'<p class=warning>{text(w)}</p>' for w in warnings)
            + f'<table><tbody>{summary}</tbody></table>'
            + ''.join(section(name, found, pictures) for name, found in verdicts.items())
            + '<h2>λ_max and the generalisation gap</h2>' + (picture(pictures['gap']) if 'gap' in pictures else '')
            + '<p>“all points” mixes every axis; the rows below vary one axis at a time.</p>'
            + correlations(rows, measures)
            + '<h2>Points left out</h2>' + exclusions(reason) + '<h2>Points</h2>' + point_table(points, reason)
            + '<h2>Provenance</h2>' + provenance(points))
    with open(path, 'w', encoding='utf-8', errors='backslashreplace') as file:      # names of files may be no UTF-8
        file.write('<!doctype html><html lang="en"><head><meta charset="utf-8">'
                   f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
                   '<meta name="viewport" content="width=device-width"><title>sharpsweep report</title>'
                   f'<style>{STYLE}</style></head><body>{body}</body></html>\n')
