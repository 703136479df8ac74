#!/bin/sh
# packaging.sh ROOT PROGRAM - CITATION.cff against the rules of the Citation File Format 1.2.0, the changelog's form, Spack's
# recipe with a Spack of a few lines, the module file's syntax; and that versions, licence and choices of BLAS agree with meson's.
set -eu
cd "$1"
case $2 in /*) program=$2 ;; *) program=$OLDPWD/$2 ;; esac
if ! why=$(/usr/bin/python3 -c 'import yaml' 2>&1); then
    echo "SKIP: packaging: $(echo "$why" | tail -1)"
    exit 77
fi
if command -v tclsh >/dev/null 2>&1; then # each command of the module file is a known one, and its braces match
    echo 'foreach c {module-whatis conflict prepend-path append-path setenv} { proc $c args {} }; source slurm/modulefile; ModulesHelp' |
        tclsh 2>&1 | grep -q 'man sharpsweep' || { echo "slurm/modulefile: tclsh cannot run it"; exit 1; }
else
    echo "skipped: the module file's syntax: tclsh is not installed"
fi
PROGRAM=$program exec /usr/bin/python3 -B - <<'PYTHON'
import copy, os, re, subprocess, sys, types, yaml

faults = []
n = 0

def check(text, good):
    global n
    n += 1
    if not good:
        faults.append(text)

def read(name):
    return open(name, encoding='utf-8').read()

version = re.search(r"version: '([^']+)'", read('meson.build')).group(1)
license = re.search(r"license: '([^']+)'", read('meson.build')).group(1)
check('LICENSE is meson.build\'s', read('LICENSE').startswith(license + ' License'))
check('the program is that version', version in subprocess.run([os.environ['PROGRAM'], '--version'], capture_output=True, text=True).stdout)

# ---- CITATION.cff: https://github.com/citation-file-format/citation-file-format/blob/1.2.0/schema-guide.md -----------------
TOP = set('''abstract authors cff-version commit contact date-released doi identifiers keywords license license-url message
             preferred-citation references repository repository-artifact repository-code title type url version'''.split())
PERSON = set('address affiliation alias city country email family-names fax given-names name-particle name-suffix orcid post-code region tel website'.split())
ENTITY = set('address alias city country date-end date-start email fax location name orcid post-code region tel website'.split())
REFERENCE = set('''abstract authors collection-title conference doi end identifiers issue journal month pages publisher start
                   title type url volume year'''.split())

def actor_faults(a):
    if not isinstance(a, dict):
        return ['an author is no mapping']
    allowed = ENTITY if 'name' in a else PERSON
    return [f'author: {k}' for k in a if k not in allowed] + ([] if 'name' in a or 'family-names' in a else ['author without a name'])

def cff_faults(c):
    out = [f'{k} is missing' for k in ('cff-version', 'message', 'title', 'authors') if not c.get(k)]
    out += [f'{k} is no key of CFF 1.2.0' for k in c if k not in TOP]
    out += [] if c.get('cff-version') == '1.2.0' else ['cff-version is not the text 1.2.0']
    out += [] if c.get('type', 'software') in ('software', 'dataset') else ['type']
    out += [f'{k} is no text' for k in ('message', 'title', 'abstract', 'version', 'license') if k in c and not isinstance(c[k], str)]
    keywords = c.get('keywords', ['one'])
    out += [] if keywords and all(isinstance(k, str) for k in keywords) and len(set(keywords)) == len(keywords) else ['keywords']
    for a in c.get('authors') or []:
        out += actor_faults(a)
    for r in c.get('references', []):
        out += [f'reference: {k} is missing' for k in ('type', 'title', 'authors') if not r.get(k)]
        out += [f'reference: {k}' for k in r if k not in REFERENCE]
        out += [f'reference: {k} is no number' for k in ('year',) if k in r and not isinstance(r[k], int)]
        for a in r.get('authors') or []:
            out += actor_faults(a)
        for i in r.get('identifiers', []):
            if i.get('type') not in ('doi', 'url', 'swh', 'other') or not isinstance(i.get('value'), str):
                out += ['reference: identifier']
    return out

cff = yaml.safe_load(read('CITATION.cff'))
check(f'CITATION.cff: {cff_faults(cff)}', cff_faults(cff) == [])
check('CITATION.cff: version', cff['version'] == version)
check('CITATION.cff: licence', cff['license'] == license)
check('CITATION.cff: the authors are LICENSE\'s', cff['authors'][0]['name'] in read('LICENSE'))
for name, spoil in {  # the rules do find faults
        'no title': lambda c: c.pop('title'), 'no authors': lambda c: c.update(authors=[]), 'a stray key': lambda c: c.update(author='me'),
        'a number as version': lambda c: c.update(version=0.1), 'old format': lambda c: c.update({'cff-version': '1.1.0'}),
        'nameless author': lambda c: c.update(authors=[{'given-names': 'A.'}]), 'keywords twice': lambda c: c.update(keywords=['a', 'a']),
        'reference without type': lambda c: c['references'][0].pop('type'), 'year as text': lambda c: c['references'][0].update(year='2022')}.items():
    bad = copy.deepcopy(cff)
    spoil(bad)
    check(f'CITATION.cff with {name} passes', cff_faults(bad) != [])

# ---- CHANGELOG.md: https://keepachangelog.com/en/1.1.0/ ----------------------------------------------------------------------
changes = read('src/install/CHANGELOG.md')
heads = re.findall(r'^## (.*)$', changes, re.M)
check('CHANGELOG.md begins with its title', changes.startswith('# Changelog\n'))
check('CHANGELOG.md: [Unreleased] comes first', heads and heads[0] == '[Unreleased]')
for h in heads[1:]:
    check(f'CHANGELOG.md: {h}', re.fullmatch(r'\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}', h))
kinds = re.findall(r'^### (.*)$', changes, re.M)
check(f'CHANGELOG.md: {kinds}', kinds and set(kinds) <= {'Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'})
check('CHANGELOG.md knows this version', version in changes)
shown = subprocess.run([os.environ['PROGRAM'], '--help'], capture_output=True, text=True).stdout
for command in re.findall(r'^  ([a-z]+) ', shown, re.M):
    check(f'CHANGELOG.md: the command {command}', command == 'sharpsweep' or f'`{command}`' in changes or f'sharpsweep {command}`' in changes)

# ---- Spack's recipe ----------------------------------------------------------------------------------------------------------
path = 'slurm/spack/packages/sharpsweep/package.py'
said = {'depends_on': [], 'version': [], 'variant': {}, 'license': []}
whens = []

class When:
    def __init__(self, spec): self.spec = spec
    def __enter__(self): whens.append(self.spec)
    def __exit__(self, *_): whens.pop()

class Env(dict):
    def set(self, name, value): self[name] = str(value)

spack, package = types.ModuleType('spack'), types.ModuleType('spack.package')
package.MesonPackage = type('MesonPackage', (), {})
package.when = When
package.license = lambda name, **_: said['license'].append(name)
package.version = lambda name, **how: said['version'].append((name, how))
package.variant = lambda name, **how: said['variant'].__setitem__(name, how)
package.depends_on = lambda spec, type=('build', 'link'), when=None: said['depends_on'].append((spec, type, when or ' '.join(whens)))
sys.modules.update({'spack': spack, 'spack.package': package})
scope = {'__name__': 'spack_recipe', '__file__': os.path.abspath(path)}
exec(compile(read(path), path, 'exec'), scope)
recipe = scope['Sharpsweep']
# Names of packages and virtual packages in Spack's own repository, looked up there.
KNOWN = set('''c mpi hdf5 libyaml zlib-api openblas intel-oneapi-mkl blis cunit meson ninja pkgconfig python py-h5py py-numpy py-scipy
               py-matplotlib py-xarray'''.split())
needs = {}
for spec, kind, when in said['depends_on']:
    needs[re.split(r'[@+~ ]', spec)[0]] = (spec, kind, when)
check(f'Spack has no {set(needs) - KNOWN}', set(needs) <= KNOWN)
check('the recipe is a MesonPackage', issubclass(recipe, package.MesonPackage) and recipe.__doc__)
check('the recipe has the licence', said['license'] == [license])
check('the recipe builds this checkout', recipe.git == 'file://' + os.getcwd() and ('main', {'branch': 'main'}) in said['version'])
check('the recipe needs what meson looks for', {'mpi', 'hdf5', 'libyaml', 'zlib-api', 'pkgconfig', 'meson', 'c'} <= set(needs))
check('HDF5 with its high-level library', '+hl' in needs['hdf5'][0])
least = re.search(r"meson_version: '>=(\d+)\.", read('meson.build')).group(1)
check('meson is new enough', needs['meson'][0] == f'meson@{least}:')
choices = re.search(r"option\('blas'.*?choices: \[(.*?)\]", read('meson_options.txt'), re.S).group(1)
offered = set(re.findall(r"'(\w+)'", choices)) - {'auto'}
check('the recipe offers meson\'s BLAS', set(said['variant']['blas']['values']) == offered)
for blas in sorted(offered):
    check(f'blas={blas} brings a library', any(when == f'blas={blas}' for _, _, when in said['depends_on']))
    me = recipe()
    me.spec = {'mpi': types.SimpleNamespace(mpicc='/m/mpicc'), 'hdf5': types.SimpleNamespace(prefix='/h')}
    me.spec = type('Spec', (dict,), {'variants': {'blas': types.SimpleNamespace(value=blas)}})(me.spec)
    check(f'blas={blas} reaches meson', me.meson_args() == [f'-Dblas={blas}'])
    env = Env()
    me.setup_build_environment(env)
    check('compiler wrapper and HDF5 reach meson', env == {'MPICC': '/m/mpicc', 'HDF5_ROOT': '/h'})
imports = set(re.findall(r"'(\w+)'", re.search(r"for name in (.*):", read('src/app/cmd_report.c')).group(1)))
check('the report has its Python', {f'py-{name}' for name in imports} <= {k for k, v in needs.items() if v[2] == '+report'})
check('repo.yaml', yaml.safe_load(read('slurm/spack/repo.yaml')) == {'repo': {'namespace': 'sharpsweep'}})

print(*faults, sep='\n')
print(f'{n} checks, {len(faults)} faults')
sys.exit(bool(faults) or n < 40)
PYTHON
