"""test_page.py - a report as Debian's chromium shows it, headless: nothing on the console, no request to a network, every
picture decoded, the table of points filled, nothing wider than the window, and a screenshot that is not blank.

usage: test_page.py REPORT.html POINTS   Exit status 1 if a check fails. Pages that are bad on purpose come first: each must
be caught."""
import json
import os
import re
import subprocess
import sys
import tempfile

import matplotlib.image
import numpy as np

WIDTH, HEIGHT = 1100, 3000
# chromium's own errands (updates, time) are told apart from the page's by their initiator, and get nowhere.
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
         '--disable-sync', '--disable-component-update', '--disable-extensions', '--hide-scrollbars',
         '--enable-logging=stderr', '--host-resolver-rules=MAP * ~NOTFOUND', f'--window-size={WIDTH},{HEIGHT}']
# What only the page itself knows; its title carries it out. The page's policy forbids scripts: a copy without it is asked.
ASK = '''<script>onload = () => document.title = JSON.stringify({
    pictures: document.images.length, decoded: [...document.images].filter(i => i.naturalWidth > 100).length,
    rows: document.querySelectorAll(".scroll tbody tr").length,
    width: document.documentElement.scrollWidth})</script></body>'''


def browse(page, folder):
    """(console lines, addresses asked for, document, screenshot) of a file."""
    out = {name: os.path.join(folder, name) for name in ('shot.png', 'net.json', 'profile')}
    where = [f'--user-data-dir={out["profile"]}', f'--log-net-log={out["net.json"]}', f'--screenshot={out["shot.png"]}']
    done = subprocess.run(['chromium', *FLAGS, *where, '--dump-dom', f'file://{page}'], capture_output=True, text=True,
                          timeout=120)
    console = [line for line in done.stderr.splitlines() if ':CONSOLE' in line]
    with open(out['net.json'], encoding='utf-8') as file:
        events = json.load(file)['events']
    asked = [p['url'] for p in (e.get('params') or {} for e in events)
             if re.match('(http|ws)s?:', p.get('url', '')) and p.get('initiator', 'not an origin') != 'not an origin']
    return console, asked, done.stdout, matplotlib.image.imread(out['shot.png'])


def faults_of(page, points):
    """What is wrong with the page, a sentence each."""
    with tempfile.TemporaryDirectory() as folder:
        console, asked, _, shot = browse(page, folder)
        with open(page, encoding='utf-8') as file:
            text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', '', file.read())
        copy = os.path.join(folder, 'asked.html')
        with open(copy, 'w', encoding='utf-8') as file:
            file.write(text.replace('</body>', ASK))
        document = browse(copy, folder)[2]
    title = re.search('<title>({.*})</title>', document)
    if not title:
        return ['the page did not load']
    told, n_pictures = json.loads(title.group(1)), text.count('<img')
    faults = [f'console: {line}' for line in console] + [f'asked the network for {a}' for a in sorted(set(asked))]
    if told['pictures'] != n_pictures or told['decoded'] != n_pictures or not n_pictures:
        faults.append(f'{told["decoded"]} of {n_pictures} pictures are decoded')
    if told['rows'] != points:
        faults.append(f'{told["rows"]} rows of points, not {points}')
    if told['width'] > WIDTH:
        faults.append(f'the page is {told["width"]} pixels wide in a window of {WIDTH}')
    ink = np.any(np.abs(shot[..., :3] - shot[0, 0, :3]) > 0.2, axis=-1)
    if shot.shape[:2] != (HEIGHT, WIDTH) or ink[:HEIGHT // 2].mean() < 0.02:
        faults.append(f'the screenshot is blank: {100 * ink.mean():.2f} % of {shot.shape} pixels are ink')
    return faults


def controls(report):
    """[(what is wrong on purpose, page, a word of the fault that must be found)]"""
    bare = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', '', report)
    wide, remote = '<div style="width: 3000px">wide</div>', '<img src="http://127.0.0.1:9/x.png">'
    return [('a script error', bare.replace('</body>', '<script>nobody_defined_this()</script></body>'), 'console'),
            ('a remote picture', bare.replace('</body>', remote + '</body>'), 'network'),
            ('a broken picture', report.replace('base64,', 'base64,AAAA', 1), 'decoded'),
            ('a point too many', report.replace('</tbody></table></div>', '<tr><td>1</tr></tbody></table></div>'), 'rows'),
            ('too wide', report.replace('</body>', wide + '</body>'), 'wide'),
            ('a blank page', re.sub('<body>.*</body>', '<body></body>', report, flags=re.S), 'blank'),
            ("a remote picture under the page's policy", report.replace('</body>', remote + '</body>'), 'console')]


def main():
    page, points = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    with open(page, encoding='utf-8') as file:
        report = file.read()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for what, text, word in controls(report):
            bad = os.path.join(folder, 'bad.html')
            with open(bad, 'w', encoding='utf-8') as file:
                file.write(text)
            found = faults_of(bad, points)
            if not any(word in fault for fault in found):
                failed += 1
                print(f'FAILED: {what} is not noticed: {found}')
    for fault in faults_of(page, points):
        failed += 1
        print(f'FAILED: {fault}')
    print(f'looked at {os.path.basename(page)} in chromium: {failed} failed')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
