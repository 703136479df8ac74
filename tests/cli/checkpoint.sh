#!/bin/sh
# checkpoint.sh PROGRAM [KILLS [SEED]] - points that are interrupted go on from their checkpoints: kill -9 at random moments,
# stops, damaged and unwritable checkpoints. Whatever happens, the end is an unbroken run's, curves included.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
kills=${2:-20}
seed=${3:-$(date +%s)}
echo "$kills kills of each network, seed $seed"

draw() { # N - sets $drawn to 0 .. N-1, from the seed
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536 % $1))
}
# Two long points, of a second or two each: SAM, momentum, dropout, batch norm; curvature during training and at the end.
job() { # FILE CHECKPOINT_INTERVAL
    cat >"$1" <<EOF
model: {network: mlp, widths: [32, 32], batch_norm: true}
data: {dataset: synthetic, synthetic_train: 512, synthetic_test: 64, synthetic_noise: 2}
training: {max_epochs: 2400, batch_size: 32, momentum: 0.9, sam_rho: 0.05, target_train_accuracy: 0, learning_rate: 0.05}
curvature: {curvature_examples: all, track_every_epochs: 10, eigenvalues: 8, curvature_tolerance: 1e-6}
sweep: {progress_s: 1, checkpoint_interval_s: $2}
grid: {dropout: [0, 0.3]}
EOF
}
everything() { # FILE.h5 - its results, and its curves where they can be read
    results "$1"
    # Not its first line, the file's name, nor references, which are places within the file.
    if command -v h5dump >/dev/null; then h5dump -g /history -m %.17g "$1" | tail -n +2 | grep -v 'DATASET [0-9]'; fi
}
# Two of a convolutional network, likewise.
cnn_job() { # FILE CHECKPOINT_INTERVAL
    cat >"$1" <<EOF
model: {network: cnn, batch_norm: true}
data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 16, synthetic_size: 4, synthetic_noise: 2}
training: {max_epochs: 2400, batch_size: 32, momentum: 0.9, sam_rho: 0.05, target_train_accuracy: 0, learning_rate: 0.05}
curvature: {curvature_examples: 32, track_every_epochs: 240, eigenvalues: 2, curvature_tolerance: 1e-6, curvature_max_hvp: 40}
sweep: {progress_s: 1, checkpoint_interval_s: $2}
grid: {dropout: [0, 0.3]}
EOF
}
job off.yaml 0
cnn_job off-cnn.yaml 0
job often.yaml 0.01
cnn_job often-cnn.yaml 0.01
run 0 run off-cnn.yaml -o whole-cnn.h5
everything whole-cnn.h5 >whole-cnn
run 0 run off.yaml -o whole.h5
everything whole.h5 >whole
check "without checkpoints no folder is made" [ ! -e whole.h5.checkpoints ]

# kill -9 at random moments of these points, until the sweep ends; saving is as often as its share of the time allows.
kill_and_go_on() { # JOB.yaml UNBROKEN HUNDREDTHS - the latest moment: large states are saved less often
    n_kills=0 n_resumed=0 rounds=0
    while [ "$n_kills" -lt "$kills" ] && [ "$rounds" -lt $((5 * kills)) ]; do
        "$program" run "$1" -o killed.h5 >out 2>err &
        pid=$!
        draw "$3"
        drawn=$((drawn + 20)) # from 0.2 s on
        sleep "$((drawn / 100)).$(printf %02d $((drawn % 100)))"
        if kill -s KILL "$pid" 2>/dev/null; then n_kills=$((n_kills + 1)); fi
        wait "$pid" 2>/dev/null
        status=$?
        n_resumed=$((n_resumed + $(grep -c 'goes on from its checkpoint' err)))
        lacks err 'begins anew'
        rounds=$((rounds + 1))
        [ "$status" -eq 0 ] || continue
        everything killed.h5 >got
        same "$2" got
        check "finished points' checkpoints are gone" [ ! -e killed.h5.checkpoints ]
        rm -rf killed.h5*
    done
    run 0 run "$1" -o killed.h5
    everything killed.h5 >got
    same "$2" got
    run 0 verify killed.h5
    rm -rf killed.h5*
    echo "$1: $n_kills kills in $rounds runs, $n_resumed points went on from checkpoints"
    check "$1: points went on from checkpoints" [ "$n_resumed" -gt 0 ]
}
kill_and_go_on often.yaml whole 100
kill_and_go_on often-cnn.yaml whole-cnn 150

# Stopped in the middle of a point: saved at once, and said when it goes on.
start_and_stop() { # FILE - leaves one checkpoint, in $saved
    "$program" run job.yaml -o "$1" >out 2>err &
    pid=$!
    wait_for_file "$1"
    sleep 0.3
    kill -s TERM "$pid"
    wait "$pid"
    status=$?
    check "stopped: status $status, not 75" [ "$status" -eq 75 ]
    saved=$(echo "$1".checkpoints/*.checkpoint)
    check "a checkpoint is left" [ -f "$saved" ]
}
job job.yaml 3600 # no other save than that of the stop
start_and_stop stopped.h5
run 0 verify stopped.h5
run 0 run job.yaml -o stopped.h5
has err 'goes on from its checkpoint'
everything stopped.h5 >got
same whole got
check "the folder is gone" [ ! -e stopped.h5.checkpoints ]

# A bit flipped, a file cut: said, and the point begins anew.
start_and_stop flipped.h5
size=$(wc -c <"$saved")
byte=$(od -An -tu1 -j $((size / 2)) -N 1 "$saved")
# shellcheck disable=SC2059
printf "\\$(printf %03o $((byte ^ 4)))" | dd of="$saved" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
run 2 verify flipped.h5
has out 'its point would begin anew'
run 0 run job.yaml -o flipped.h5
has err 'begins anew: its checkpoint is not used'
has err 'is damaged'
everything flipped.h5 >got
same whole got
start_and_stop cut.h5
dd if=/dev/null of="$saved" bs=1 seek=$((size / 3)) 2>/dev/null
run 0 verify cut.h5 --repair
has out 'kept aside, its point begins anew'
run 0 run job.yaml -o cut.h5
lacks err 'begins anew'
everything cut.h5 >got
same whole got

# No room for checkpoints: said once, and nothing is lost but them.
mkdir full.h5.checkpoints
if mount -t tmpfs -o size=16k none full.h5.checkpoints 2>/dev/null; then
    trap 'cd / && umount "$dir/full.h5.checkpoints" 2>/dev/null; rm -rf "$dir"' EXIT
    run 0 run often.yaml -o full.h5
    n_said=$(grep -c 'a checkpoint cannot be saved' err)
    check "said once, not $n_said times" [ "$n_said" -eq 1 ]
    has err 'No space left'
    everything full.h5 >got
    same whole got
    run 0 verify full.h5
    umount full.h5.checkpoints
else
    echo "skipped: disk full: no tmpfs can be mounted here"
fi

# On ranks: every worker saves its point, and whichever gets it goes on.
if have_mpirun; then
    sh "$mpirun_sh" 3 "$program" run job.yaml -o ranks.h5 >out 2>err &
    pid=$!
    tries=0
    while [ "$("$program" status ranks.h5 2>/dev/null | grep -c running)" -eq 0 ] && [ "$tries" -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    sleep 0.3
    touch ranks.h5.stop
    wait "$pid"
    status=$?
    check "stopped on 3 ranks: status $status, not 75" [ "$status" -eq 75 ]
    n_saved=$(find ranks.h5.checkpoints -name '*.checkpoint' | wc -l)
    check "both points are saved, not $n_saved" [ "$n_saved" -eq 2 ]
    run_ranks 2 0 run job.yaml -o ranks.h5
    check "both went on" [ "$(grep -c 'goes on from its checkpoint' err)" -eq 2 ]
    everything ranks.h5 >got
    same whole got
fi
finish
