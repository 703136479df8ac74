#!/bin/sh
# Command lines: help, version, suggestions, exit status 2 with one sentence, nothing on disk.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

run 0 --version
has out "sharpsweep 0."
run 0 --help
for command in run plan status show curvature merge submit where report verify reference; do
    has out "  $command "
    cp out all
    run 0 "$command" --help
    has out "Usage: sharpsweep $command"
    has out "--help"
    cp out short
    run 0 "$command" -h
    same out short
    run 0 help "$command"
    same out short
    cp all out
done
run 2
has err "Usage:"

bad() { # TEXT ARGUMENTS...
    text=$1
    shift
    run 2 "$@"
    has err "sharpsweep: $text"
    check "one sentence, one line: $(cat err)" [ "$(wc -l <err)" -eq 1 ]
    check "nothing on standard output" [ ! -s out ]
}
bad 'unknown command `rum`; did you mean `run`?' rum job.yaml
bad 'unknown command `xyzzyxyzzy`' xyzzyxyzzy
bad 'run needs a file' run
bad 'run has no option --outptu; did you mean --output?' run job.yaml --outptu x
bad '--output needs a value' run job.yaml --output
bad '--progress fast: one of auto, live, plain, none' run job.yaml --progress fast
bad 'run takes one JOB.yaml' run a.yaml b.yaml
bad 'status needs a file' status
bad '--csv takes no value' show r.h5 --csv=yes
bad '--ranks 0: a whole number from 1' plan job.yaml --ranks 0
bad '--ranks two: a whole number from 1' plan job.yaml --ranks two
bad 'merge needs the files to be joined' merge out.h5
bad '--ranks 0: a whole number' submit job.yaml --ranks 0
bad 'curvature needs --weights FILE' curvature job.yaml
bad 'reference takes no file' reference job.yaml
bad '--man 7: 1 (the program) or 5 (the job file)' reference --man 7
bad '--schema, --man and --completion are given together' reference --schema --completion
for command in run plan; do
    run 2 "$command" missing.yaml
    has err missing.yaml
done
for command in status show verify; do
    run 2 "$command" missing.h5
    has err missing.h5
done
echo 'this is no HDF5 file' >junk.h5
for command in status show verify; do
    run 2 "$command" junk.h5
    has err junk.h5
done

printf 'training: {learning_rat: 0.1}\n' >typo.yaml
run 2 run typo.yaml
has err 'typo.yaml:1:'
has err 'learning_rate'
check "a bad job leaves nothing behind" [ ! -e typo.h5 ] && [ ! -e typo.h5.journal ]

cat >shapes.yaml <<EOF
model: {network: layers, layers: [flatten, {linear: {units: 3}}]}
data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 32}
training: {batch_size: 16}
curvature: {curvature_examples: all}
EOF
run 2 run shapes.yaml
has err 'shapes.yaml'
has err '1x1x3'
has err '4 classes'
check "a misfit leaves nothing behind" [ ! -e shapes.h5 ] && [ ! -e shapes.h5.journal ]

run 0 reference
has out learning_rate
has out curvature_tolerance
run 0 reference --schema
has out '"learning_rate"'
if command -v python3 >/dev/null 2>&1; then
    check "the schema is JSON" python3 -c 'import json; json.load(open("out"))'
fi
# Where word of a run's end must not go.
small_job job.yaml 3 '[0.1]' 1
mkdir results
ln -s results link
for file in job.yaml a.h5 ./a.h5 "$dir/a.h5.journal" a.h5.stop; do
    run 2 run job.yaml -o a.h5 --status-file "$file"
    has err "--status-file $file: would overwrite"
done
sed 's/progress_s: 1/output: results\/b.h5/' job.yaml >named.yaml # known only when the job is read
run 2 run named.yaml --status-file link/b.h5
has err 'would overwrite results/b.h5'
run 2 run named.yaml --slice 1/2 --status-file results/b.slice-1-of-2.h5
has err 'would overwrite results/b.slice-1-of-2.h5'
check "nothing is written" [ "$(ls results | wc -l)$(ls a.h5* 2>/dev/null)" = 0 ]
run 0 run job.yaml -o a.h5 --status-file word
check "the word is there" grep -q '^0 ' word
run 0 run job.yaml -o a.h5 --status-file word # which is one of an earlier run
# A job that cannot be read: word of it must not take the place of results, nor of anything else.
printf 'grid: {learning_rate: []}\n' >broken.yaml
run 0 run job.yaml -o z.h5 --slice 1/2
cp z.slice-1-of-2.h5 z.before
run 2 run broken.yaml -o z.h5 --slice 1/2 --status-file z.slice-1-of-2.h5
has err 'would overwrite z.slice-1-of-2.h5'
same z.before z.slice-1-of-2.h5
run 2 run broken.yaml --status-file broken.h5
has err 'would overwrite broken.h5'
check "nothing stands where results would" [ ! -e broken.h5 ]
mkfifo pipe # not a device of the machine: where the check fails, root would replace it
for file in broken.yaml z.before results pipe; do
    run 2 run job.yaml -o other.h5 --status-file $file
    has err "--status-file $file: "
    check "$file is left alone, and nothing is begun" [ -e $file ] && [ ! -e other.h5 ]
done
check "the pipe is one still" [ -p pipe ]
check "z.before is left alone" [ "$(wc -c <z.before)" -gt 1000 ]
run 2 run broken.yaml --status-file word
check "word of a job that cannot be read" grep -q '^2 ' word
ln -s results/real.h5 linked.h5 # what lies beside a file does so beside the file itself
for ending in '' .journal .stop; do
    run 2 run job.yaml -o linked.h5 --status-file results/real.h5$ending
    has err "would overwrite "
done
check "nothing is written" [ -z "$(ls results)" ]

# Names that no results file can have: all commands say the same, and make nothing.
cp job.yaml new.yaml
mkdir folder
long=$(printf '%0200d' 0)
deep=$(awk 'BEGIN {for (i = 0; i < 2040; i++) printf "d/"}')
nowhere() { # OUTPUT TEXT
    for command in run plan 'submit --dry-run' where 'run --slice 1/2'; do
        # shellcheck disable=SC2086
        run 2 $command new.yaml -o "$1"
        has err "$2"
        check "nothing is made: $(find . -newer new.yaml -name '*new*' -o -newer new.yaml -name d)" [ ! -e newdir ] && [ ! -e d ]
    done
}
nowhere newdir/ 'newdir/: names a folder'
nowhere newdir/a/ 'newdir/a/: names a folder'
nowhere folder 'folder: is a folder'
nowhere "newdir/$long.h5" 'a name of 203 bytes, too long'
nowhere "${deep}x.h5" 'a path of 4084 bytes, too long'
check "the folder is empty" [ -z "$(ls folder)" ]
run 2 run broken.yaml -o newdir/ # the job comes first
has err 'broken.yaml:'
run 0 run new.yaml -o newdir/a/b.h5 --progress none
check "folders are made for good results" [ -s newdir/a/b.h5 ]

# A stop file beside the link, or beside the file that it leads to.
small_job slow.yaml 8000 '{log: [0.01, 0.3, 8]}' 10
for stop in linked.h5.stop results/real.h5.stop; do
    touch -d '1 hour ago' $stop
    : >err
    "$program" run slow.yaml -o linked.h5 --status-file word >out 2>err &
    pid=$!
    tries=0
    while ! grep -q ' points to do' err && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
    has err "$stop: older than this run"
    touch $stop
    tries=0
    while kill -0 $pid 2>/dev/null && [ $tries -lt 200 ]; do sleep 0.1 && tries=$((tries + 1)); done
    kill -s KILL $pid 2>/dev/null
    wait $pid
    check "stopped by $stop: status $?, not 75" [ $? -eq 75 ]
    has out 'stopped by the stop file'
    check "and it is gone" [ ! -e $stop ]
done
run 2 submit job.yaml -o new.h5 --ranks 1000000 --dry-run
has err '--ranks 1000000: only 2 points are left'
run 2 submit job.yaml -o new.h5 --ranks 3 --dry-run
run 0 submit job.yaml -o new.h5 --ranks 2 --dry-run
# A slice without points.
run 0 run job.yaml --slice 3/64
has out 'nothing to do: slice 3/64 of the 2 points has none of them'
run 0 run job.yaml -o a.h5 --slice 1/2
has out 'slice 1/2 of the 2 points has only points that the whole has finished'
# Whole results that cannot be read are found before anything is made for a slice of them.
mkdir bad
sed 's/^output:.*//' job.yaml >bad/b.yaml
echo garbage >bad/b.h5
cp bad/b.h5 garbage
run 2 run bad/b.yaml --slice 1/2
has err 'bad/b.h5: '
check "one sentence: $(cat err)" [ "$(wc -l <err)" -eq 1 ]
same bad/b.h5 garbage
check "nothing is made: $(ls -A bad)" [ "$(ls -A bad | wc -l)" -eq 2 ]
# A program in its build folder finds its sources' analysis/, wherever that folder is. (Python finds no results file.)
run 2 report none.h5
lacks err 'nor beside this program'
if [ -w /dev/full ]; then
    n_checks=$((n_checks + 1))
    "$program" reference >/dev/full 2>err && fail "a full standard output passes unnoticed"
    has err 'cannot write to standard output'
fi
finish
