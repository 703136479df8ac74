#!/bin/sh
# Slices of a sweep, and their merge: disjoint, together everything, refused where they are not of one job, of the same data, or
# where a point has two results; at once or not at all; nothing is computed twice when the grid grows.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

job() { # FILE [SED COMMAND]
    cat >"$1" <<END
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 3, target_train_accuracy: 0}
curvature: {curvature_examples: 128, track_every_epochs: 1, eigenvalues: 2}
sweep: {seeds: 3, save_weights: true}
grid:
  learning_rate: [0.05, 0.1, 1e+30]
  batch_size: [32, full]
END
    [ $# -lt 2 ] || sed -i "$2" "$1"
}
job job.yaml
run 0 run job.yaml -o whole.h5
results whole.h5 >whole
for i in 1 2 3 4; do
    run 0 run job.yaml --slice "$i/4" --status-file status
    check "the status file says 0" [ "$(cut -d ' ' -f 1 status)" = 0 ]
    results "job.slice-$i-of-4.h5" | grep -v ',pending,' | grep -v '^,id' >>parts
    check "slice $i has 4 or 5 of 18" [ "$(grep -c ',done,\|,diverged,' parts)" -ge $((4 * i)) ]
done
check "together 18 points" [ "$(wc -l <parts)" -eq 18 ]
check "none of them twice" [ "$(sort -u parts | wc -l)" -eq 18 ]
run 0 where job.yaml --slice 2/4
has out job.slice-2-of-4.h5
run 0 where job.yaml
check "the job's own" [ "$(cat out)" = job.h5 ]

# Some, then all; the order of the rows is the grid's.
run 75 merge all.h5 job.slice-3-of-4.h5
has out 'not yet run, from 1 file'
run 0 merge all.h5 job.slice-*.h5
has out '18 of 18 points finished, from 4 files'
results all.h5 >all
same whole all
run 0 verify all.h5
run 0 merge new/all.h5 job.slice-4-of-4.h5 job.slice-1-of-4.h5 job.slice-2-of-4.h5 job.slice-3-of-4.h5
results new/all.h5 >all
same whole all
check "weights came along" [ "$(ls new/all.weights | wc -l)" -eq 12 ]
# What has taken a weights file's name and is none is kept, or is in the way.
name=$(ls new/all.weights | head -1)
mkdir kept.weights
echo notes >"kept.weights/$name"
run 0 merge kept.h5 new/all.h5
has err "kept.weights/$name: is no weights file of sharpsweep, and is kept as "
check "the notes are kept" grep -q notes kept.weights/*.kept-*
same "new/all.weights/$name" "kept.weights/$name"
rm "kept.weights/$name"
mkfifo "kept.weights/$name"
run 1 merge kept.h5 new/all.h5
has err "kept.weights/$name: is in the way of weights; move it away; the results themselves are merged"
rm -r kept.*
if command -v h5diff >/dev/null 2>&1; then check "curves and eigenvalues too" h5diff whole.h5 all.h5 /history; fi
check "attempts are counted once" [ "$(column all.h5 attempts | sort -u)" = 1 ]
run 0 run job.yaml -o all.h5
has out 'all 18 points were finished already'

# Without a journal; twice the same; itself.
cp job.slice-1-of-4.h5 lone.h5
run 0 merge all.h5 lone.h5 all.h5 whole.h5
has out 'stood in more than one and agreed'
results all.h5 >all
same whole all
check "attempts are counted once" [ "$(column all.h5 attempts | sort -u)" = 1 ]
rm all.h5.journal
run 0 merge all.h5 whole.h5
run 0 verify all.h5

# What is refused changes nothing.
sha256sum all.h5 all.h5.journal >before
refused() { # TEXT FILES...
    text=$1
    shift
    run 2 merge all.h5 "$@"
    has err "$text"
    sha256sum all.h5 all.h5.journal >after
    same before after
    check "nothing is left behind" [ -z "$(ls ./*.new ./*.tmp 2>/dev/null)" ]
}
refused 'merge needs the files to be joined'
refused 'none.h5' none.h5
echo 'no results' >junk.h5
refused 'junk.h5' junk.h5
job other.yaml 's/max_epochs: 3/max_epochs: 4/; s/widths: .16./widths: [8]/'
run 0 run other.yaml
refused 'max_epochs: 3 in all.h5, 4 in other.h5' other.h5
refused 'widths: [16] in all.h5, [8] in other.h5' job.slice-1-of-4.h5 other.h5
# Another sweep of the same points with one number changed: its record is re-made from an altered HDF5 file.
if command -v python3 >/dev/null 2>&1 && /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cp whole.h5 forged.h5
    /usr/bin/python3 -c 'import h5py; f = h5py.File("forged.h5", "r+"); f["lambda_max"][4] *= 1.5; del f["journal"]; f.close()'
    run 75 merge taken.h5 job.slice-1-of-4.h5
    run 2 merge taken.h5 forged.h5 whole.h5
    has err 'has two results: lambda_max is'
    has err 'leave one of the files out'
else
    echo "skipped: two results of one point: no h5py here"
fi
# Data of the same name and another content, shared points and none.
mkdir set
make_set() { # N LETTER
    for split in train t10k; do
        {
            printf '\000\000\010\003\000\000\000\144\000\000\000\006\000\000\000\006'
            awk -v letter="$1" 'BEGIN {for (i = 0; i < 100; i++) for (k = 0; k < 36; k++)
                printf "%s", k == 7 ? letter : sprintf("%c", 33 + (i * 7 + k * (1 + i % 2 * 4)) % 90)}'
        } >"set/$split-images-idx3-ubyte"
        {
            printf '\000\000\010\001\000\000\000\144'
            awk 'BEGIN {for (i = 0; i < 100; i++) printf "%s", i % 2 ? "\001" : "\002"}'
        } >"set/$split-labels-idx1-ubyte"
    done
}
for letter in a b; do
    make_set $letter
    job data.yaml 's/dataset: synthetic, .*/dataset: idx, data_dir: set}/; s/examples: 128/examples: 50/'
    run 0 run data.yaml -o $letter.h5
    sed -i 's/0.05, 0.1, /0.2, /' data.yaml
    run 0 run data.yaml -o more-$letter.h5
done
run 0 merge joined.h5 a.h5 more-a.h5
has out '24 of 24'
for file in b more-b; do
    run 2 merge joined.h5 $file.h5
    has err 'is of other data: digest'
done

# A file that is being written.
small_job long.yaml 100000 '[0.1]' 1
"$program" run long.yaml >out 2>err &
pid=$!
tries=0
until [ -e long.h5 ] || [ "$tries" -ge 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
run 2 merge x.h5 long.h5
has err 'is being written by'
run 2 merge long.h5 all.h5
has err 'is being written by'
kill -s TERM "$pid"
wait "$pid"

# A grid that has grown: what the whole has is nobody's.
job job.yaml 's/seeds: 3/seeds: 4/'
rm -rf job.*h5* job.*weights
cp all.h5 job.h5
cp all.h5.journal job.h5.journal
for i in 1 2; do run 0 run job.yaml --slice "$i/2"; done
has out '3 of 3 points finished'
run 0 merge job.h5 job.slice-*.h5
has out '24 of 24 points finished'
run 0 verify job.h5
run 2 run job.yaml --slice 3/2
has err '--slice 3/2: I/N is expected'
for bad in '' 0/2 1/0 1 /2 1/ a/b 1/2x -1/2 1/1000000; do
    run 2 run job.yaml "--slice=$bad"
    has err 'I/N is expected'
done
finish
