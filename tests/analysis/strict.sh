#!/bin/sh
# strict.sh PROGRAM - `sharpsweep report` in a stranger's folder runs nothing of it, no program is found there either, and what
# it refuses of a file it refuses in the words of the program's own reader.
set -eu
# shellcheck source=tests/analysis/lib.sh
. "$(dirname "$0")/lib.sh"
status_of() { # STATUS COMMAND...
    want=$1 status=0
    shift
    timeout 60 "$@" >said 2>&1 || status=$?
    check "$*: status $status, expected $want: $(head -3 said)" [ "$status" = "$want" ]
}
cat >job.yaml <<'YAML'
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 128, synthetic_test: 64, synthetic_size: 4, synthetic_noise: 0.5}
training: {max_epochs: 200, target_train_accuracy: 0.9}
curvature: {curvature_examples: 128, trace_probes: 2, spectrum_probes: 1, spectrum_steps: 5, track_every_epochs: 2}
sweep: {seeds: 2}
grid: {learning_rate: [0.05, 0.2], batch_size: [16, full], dropout: [0, 0.3]}
YAML
"$program" run job.yaml --progress none >run.log 2>&1

# ---- a stranger's folder: whatever of it runs leaves a trace ---------------------------------------------------------------
mkdir -p evil/site-packages evil/matplotlib evil/bin
cd evil
cp ../job.h5 ../job.h5.journal ../job.yaml .
printf 'import os\nopen("%s/trace", "a").write(__name__ + " ran\\n")\n' "$scratch" >h5py.py
for name in numpy scipy results figures sitecustomize usercustomize site-packages/h5py matplotlib/__init__ bin/sharpsweep_backend; do
    cp h5py.py $name.py
done
printf 'import os; open("%s/trace", "a").write("a .pth ran\\n")\n' "$scratch" >site-packages/evil.pth
printf 'font.size: 40\nbackend: nonsense\n' >matplotlibrc
printf '#!/bin/sh\necho "$0 ran" >>"%s/trace"\nexec /usr/bin/python3 "$@"\n' "$scratch" >python3
for name in sinfo sbatch fc-list squeue scontrol; do printf '#!/bin/sh\necho "$0 ran" >>"%s/trace"\nexit 1\n' "$scratch" >$name; done
chmod +x python3 sinfo sbatch fc-list squeue scontrol
cp python3 sinfo sbatch fc-list squeue scontrol bin
mkdir ../stub # no cluster is asked
printf '#!/bin/sh\nexit 1\n' >../stub/sbatch
chmod +x ../stub/sbatch
cp ../stub/sbatch ../stub/sinfo
quiet() { # WHAT
    check "$1: $(cat ../trace 2>/dev/null)" [ ! -e ../trace ]
    rm -f ../trace
}
"$program" report ../job.h5 -o ../plain --accuracy-slack 0.1 >said 2>&1 # the figures of this very folder are to be the same
rm -rf ../plain
(cd .. && "$program" report job.h5 -o plain --accuracy-slack 0.1 >said 2>&1)
rm -f ../trace
for how in "" "PYTHONPATH=. PYTHONHOME=. PYTHONSTARTUP=h5py.py PYTHONUSERBASE=." "PYTHONPATH=site-packages HOME=. XDG_CONFIG_HOME=" \
    "MPLCONFIGDIR=. XDG_CACHE_HOME=. MATPLOTLIBRC=matplotlibrc MPLBACKEND=module://sharpsweep_backend HDF5_PLUGIN_PATH=."; do
    # shellcheck disable=SC2086
    status_of 0 env $how "$program" report job.h5 -o "../out" --accuracy-slack 0.1
    quiet "report, $how"
    check "$how: the figures are those of any folder" cmp -s ../out/F1.png ../plain/F1.png
    check "$how: verdicts" cmp -s ../out/verdicts.txt ../plain/verdicts.txt
    rm -rf ../out
done
mkfifo fifo && mv fifo matplotlibrc
status_of 0 "$program" report job.h5 -o ../out
quiet 'report beside a pipe called matplotlibrc'
stubbed=$scratch/stub:$PATH
for path in ":$stubbed" ".:bin:$stubbed" "./bin::$stubbed:" . ""; do
    status_of 0 env -u SHARPSWEEP_PYTHON PATH="$path" "$program" report job.h5 -o ../out
    quiet "report with PATH=$path"
    case $path in *stub*) dry='' ;; *) dry=--dry-run ;; esac
    timeout 60 env PATH="$path" "$program" submit job.yaml -o ../new.h5 $dry >said 2>&1 || true
    quiet "submit with PATH=$path"
done
status_of 0 env SHARPSWEEP_ANALYSIS="$(realpath --relative-to=. "$SHARPSWEEP_ANALYSIS")" "$program" report ./job.h5 -o ../out
check "names of files are those of this folder" [ -s ../out/report.html ]
ln -s /usr/bin/python3 bin/mine
status_of 0 env SHARPSWEEP_PYTHON=bin/mine "$program" report job.h5 -o ../out # a name with a slash is the user's own word
quiet 'report by a Python of his choice'
cd ..

# ---- report says what the program says --------------------------------------------------------------------------------------
sentence_of() { # FILE: what stands in `said`, behind its name; HDF5's own reason is its driver's
    sed -e "s|.*$1: ||" -e 's|H5Fopen: [^;]*|H5Fopen|' said
}
same_words() { # FILE: `show`, `report` and findings.py by itself
    "$program" show "$1" >/dev/null 2>said && check "show $1 is refused" false
    sentence_of "$1" >c
    for command in "$program report" "$SHARPSWEEP_PYTHON -I $SHARPSWEEP_ANALYSIS/findings.py"; do
        # shellcheck disable=SC2086
        status_of 2 $command "$1" -o none
        check "$1: one sentence: $(cat said)" [ "$(wc -l <said)" = 1 ]
        sentence_of "$1" >python
        check "$1: '$(cat python)' is what show says: '$(cat c)'" cmp -s python c
    done
}
mkdir words
cp job.h5 words/bit.h5
printf X | dd of=words/bit.h5 bs=1 seek=20000 conv=notrunc 2>/dev/null
head -c 3000 job.h5 >words/cut.h5
echo text >words/text.h5
mkfifo words/pipe.h5
mkdir words/folder.h5
: >words/empty.h5
$SHARPSWEEP_PYTHON - words <<'PYTHON'
import sys
import h5py
def made(name, **attributes):
    with h5py.File(f'{sys.argv[1]}/{name}.h5', 'w') as file:
        file.attrs.update(attributes)
made('foreign', schema='other')
made('newer', schema='sharpsweep results', schema_version=2)
made('unversioned', schema='sharpsweep results')
made('worded', schema='sharpsweep results', schema_version='one')
made('numbered', schema=3.0)
made('bare', schema='sharpsweep results', schema_version=1)
PYTHON
for name in bit cut text pipe folder empty foreign newer unversioned worded numbered bare none; do same_words words/$name.h5; done
cp job.h5 words/other.h5
sed 's/seeds: 2/seeds: 1/' job.yaml >other.yaml
"$program" run other.yaml --progress none >run.log 2>&1
cp other.h5.journal words/other.h5.journal
same_words words/other.h5
check "nothing was written" [ ! -e none ]

# ---- a journal that holds more than the file: both print the same points -------------------------------------------------------
cp job.h5 fewer.h5
cp job.h5.journal fewer.h5.journal
sed 's/seeds: 2/seeds: 3/' job.yaml >more.yaml
cp fewer.h5 kept.h5
"$program" run more.yaml -o fewer.h5 --progress none >run.log 2>&1
cp kept.h5 fewer.h5 # the file as it was before
mkdir tmp
status_of 0 env TMPDIR="$scratch/tmp" "$program" report fewer.h5 -o fewer
check "the report counts all points: $(grep -o '[0-9]* points, [0-9]* of them compared' fewer/report.html)" \
    grep -q '<p>24 points' fewer/report.html
check "under the file's name" grep -q 'fewer.h5, 24 points' fewer/report.html
check "nothing is left behind" rmdir tmp
rm fewer.h5
status_of 0 "$program" report fewer.h5 -o fewer
check "without the file too" grep -q 'fewer.h5, 24 points' fewer/report.html

# ---- files without a checksum, against the entries that they carry -------------------------------------------------------------
if "$SHARPSWEEP_PYTHON" "$SHARPSWEEP_ANALYSIS/test_strict.py" job.h5 >said 2>&1; then status=0; else status=$?; fi
tail -20 said
check "test_strict.py: status $status" [ "$status" = 0 ]
echo "$n checks, $failed failed"
[ "$failed" = 0 ]
