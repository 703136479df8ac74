#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC3044 # lib.sh sets them; complete is a function here
# chaos.sh PROGRAM [FAULTS [SEED [MINUTES]]] - random faults on many short sweeps, until so many have happened (40) or so many
# minutes have passed (60). The long version: tests/cli/chaos.sh build/sharpsweep 300
#
#   in trials     a segfault, an abort, a loop without end (with and without signs of life), memory without end, NaN, an early
#                 exit, a SIGSTOP: through SHARPSWEEP_FAULT, see src/app/fault.h
#   from outside  SIGKILL of a trial, a trial server, a worker rank, rank 0, mpirun, everything; SIGSTOP of a trial, a server, a
#                 worker; a full disk (a small tmpfs)
#   to files      a truncated or bit-flipped journal tail, HDF5 file, checkpoint
#   to calls      EIO, short writes, a clock that jumps, through tests/shim
#   to commands   SIGKILL inside merge, verify --repair, report, curvature
#   of others     umask 077, a second user who goes on with the sweep in the shared folder
#
# After each: nothing hangs, nobody is left, the file opens, no finished point is gone, none differs from the undisturbed run's.
# What cannot cost more than a trial or a worker must not even show in the exit status.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/faults.sh
. "$here/faults.sh"
# shellcheck source=tests/cli/chaos_tools.sh
. "$here/chaos_tools.sh"
# shellcheck source=tests/cli/chaos_commands.sh
. "$here/chaos_commands.sh"
have_mpirun || { echo "skipped: chaos: no mpirun here"; exit 77; }
command -v pgrep >/dev/null || { echo "skipped: chaos: no pgrep here (package procps)"; exit 77; }
faults=${2:-40}
seed=${3:-$(date +%s)}
end=$(($(date +%s) + 60 * ${4:-60}))
echo "$faults faults, seed $seed"
unset SHARPSWEEP_FAULT
export SHARPSWEEP_TOGETHER_S=10 SHARPSWEEP_OPEN_S=30 # how long ranks wait for one that was killed while starting, opening, saving

mkdir disk
if mount -t tmpfs -o size=8m tmpfs disk 2>/dev/null; then
    full_disks=1
    trap 'cd / && { umount "$dir/disk" || umount -l "$dir/disk"; } 2>/dev/null; rm -rf "$dir"' EXIT
else
    full_disks=0
    echo "skipped: full disks: mounting a tmpfs is not allowed here"
fi
sweep=$dir/disk/sweep.h5
umask 000 # what we make, the second user may change
chmod 777 "$dir" disk
mkdir -m 777 tmp bin
cp "$program" bin/sharpsweep
have_shim && cp "$shim" bin/shim.so && shim=$dir/bin/shim.so && shims=1 || { shims=0 && echo "skipped: failing calls: no shim for this build"; }
second_user && users=2 || { users=1 && echo "skipped: a second user: only root can become nobody (setpriv)"; }

cat >job.yaml <<END
model: {network: mlp, widths: [16], batch_norm: true}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 60, target_train_accuracy: 0, sam_rho: 0.05}
curvature: {curvature_examples: 128, track_every_epochs: 20}
sweep: {seeds: 3, checkpoint_interval_s: 0.02, worker_silence_s: 1, trial_silence_s: 1, trial_time_limit_s: 4, stop_grace_s: 2,
        trial_memory: 150M, crash_retries: 50, timeout_retries: 50, memory_retries: 50}
grid:
  learning_rate: [0.02, 0.1]
  batch_size: [32, full]
  dropout: [0, 0.2]
END
run 0 run job.yaml -o reference.h5
results reference.h5 >expected
sort expected >records
sed 's/seeds: 3/seeds: 1, save_weights: true/' job.yaml >weights.yaml # for curvature
run 0 run weights.yaml

start() { # alone | other | plain | recovery - the sweep, or goes on with it, in the background, under the shim as bewitch has it
    : >err # or it is the last run that is looked at while this one begins
    case $1 in
    alone) env $bewitched "$program" run job.yaml -o "$sweep" >out 2>err & ;;
    other) as_nobody env $bewitched "$dir/bin/sharpsweep" run job.yaml -o "$sweep" >out 2>err & ;;
    plain) env $bewitched sh "$mpirun_sh" 3 "$program" run job.yaml -o "$sweep" >out 2>err & ;;
    recovery) env $bewitched sh "$mpirun_sh" 3 --enable-recovery "$program" run job.yaml -o "$sweep" >out 2>err & ;;
    esac
    job=$!
}
complete() { # - whether all is done; then it is compared and a new sweep begins
    [ "$(results "$sweep" 2>/dev/null | grep -vc ',pending,\|,failed,')" -eq 25 ] || return 1
    results "$sweep" >got
    same expected got
    run 0 verify "$sweep"
    left=$(ls "$sweep.checkpoints" 2>/dev/null | grep -vF .checkpoint.kept-)
    if [ -n "$left" ] && [ "$harmless" -eq 0 ]; then # rank 0 was gone before it could remove the last ones: the next run does
        run 0 run job.yaml -o "$sweep"
        left=$(ls "$sweep.checkpoints" 2>/dev/null | grep -vF .checkpoint.kept-)
    fi
    check "no checkpoint is left of a finished point, but $left" [ -z "$left" ]
    rm -rf "$sweep"* before
    n_sweeps=$((n_sweeps + 1))
}
arm() { # - none to two faults in trials of this run
    SHARPSWEEP_FAULT=
    rm -f once*
    draw 3
    n_armed=$drawn
    i=0
    while [ $i -lt "$n_armed" ]; do
        pick segv abort fpe exit kill stop hang spin oom nan
        kind=$picked
        pick train curvature
        phase=$picked
        draw 24
        point=$drawn
        draw 40
        SHARPSWEEP_FAULT="$SHARPSWEEP_FAULT$kind@point=$point,phase=$phase,after=$((drawn + 1)),once=$dir/once-$i-$kind;"
        i=$((i + 1))
    done
    export SHARPSWEEP_FAULT
}
disarm() {
    for f in once*; do
        [ ! -e "$f" ] || happened "in a trial: ${f#once-?-}"
    done
    unset SHARPSWEEP_FAULT
}
fill_disk() {
    dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null
    sleep 0.5
    pick keep free
    [ "$picked" = keep ] || rm -f disk/filler
    happened "full disk"
}
# One run, with faults in its trials and one from outside. `harmless`: what nobody but the log may notice.
disturb() {
    pick alone plain recovery recovery other
    launcher=$picked
    [ $users -eq 2 ] || [ "$launcher" != other ] || launcher=alone
    harmless=1
    arm
    bewitch
    start "$launcher"
    draw 100
    nap $((drawn + 30))
    pick none KILL-trial KILL-server STOP-trial STOP-server KILL-worker KILL-worker STOP-worker KILL-root KILL-mpirun KILL-any full TERM-mpirun stop-file
    event=$picked
    case $event in
    none) ;;
    full) [ $full_disks -eq 0 ] || { harmless=0 && fill_disk; } ;;
    stop-file) harmless=0 && touch "$sweep.stop" ;; # no fault, but it must get along with those in trials
    *)
        grep -q 'points to do' err && begun=1 || begun=0
        if send "${event%-*}" "${event#*-}"; then
            happened "$event, $launcher"
            [ $begun -eq 1 ] || harmless=0 # somebody is missing from the beginning
            case $event in
            KILL-worker) [ "$launcher" = recovery ] || harmless=0 ;;
            *-trial | *-server | STOP-worker) ;;
            *) harmless=0 ;;
            esac
            draw 2
            if [ "$event" = STOP-worker ] && { [ "$drawn" -eq 0 ] || [ $begun -eq 0 ]; }; then
                sleep 2 # its point has gone to another; now it comes back
                kill -s CONT "$hit" 2>/dev/null
            fi
        fi
        ;;
    esac
    await "$event ($launcher)"
    rm -f disk/filler "$sweep.stop"
    disarm
    event=$event$spell
    unbewitch
    look "$event ($launcher; $SHARPSWEEP_LAST)"
    [ $harmless -eq 0 ] || check "$event ($launcher): status $status, not 0" [ "$status" -eq 0 ]
    [ $harmless -eq 0 ] || check "$event ($launcher): all points are finished" [ "$(cat before 2>/dev/null | wc -l)" -eq 25 ]
    complete
}
# A file is damaged while nobody runs. The HDF5 file and the journal each hold everything then, after an orderly stop.
damage() {
    rm -f "$sweep.stop"
    start alone
    draw 60
    nap $((drawn + 20))
    touch "$sweep.stop"
    await 'a stop file'
    rm -f "$sweep.stop"
    [ -e "$sweep" ] || return
    look 'an orderly stop'
    pick journal journal hdf5 hdf5 checkpoint checkpoint
    kind=$picked
    case $kind in
    journal) file=$sweep.journal ;;
    hdf5) file=$sweep ;;
    checkpoint) file=$(find "$sweep.checkpoints" -name '*.checkpoint' 2>/dev/null | head -1) ;;
    esac
    [ -n "$file" ] && [ -s "$file" ] || return
    size=$(wc -c <"$file")
    pick cut flip
    how=$picked
    reach=$size
    [ $kind != journal ] || [ "$reach" -lt 300 ] || reach=300 # its tail: what a crash of the machine may leave
    draw "$reach"
    at=$((size - reach + drawn))
    if [ $how = cut ]; then
        truncate -s $at "$file"
    else
        byte=$(od -An -tu1 -j $at -N 1 "$file" | tr -d ' ')
        draw 8
        printf "\\$(printf %03o $((byte ^ (1 << drawn))))" | dd of="$file" bs=1 seek=$at conv=notrunc 2>/dev/null
    fi
    happened "$kind: $how"
    "$program" verify "$sweep" >out 2>err || run 0 verify "$sweep" --repair
    look "$kind: $how at $at of $size"
}
bewitched='' spell=''
n_faults=0 n_sweeps=0 orphans=0 rounds=0 harmless=1
SHARPSWEEP_LAST="seed ${3:-as above}"
while [ $n_faults -lt "$faults" ] && [ "$(date +%s)" -lt $end ]; do
    rounds=$((rounds + 1))
    draw 6
    case $drawn in
    0) damage ;;
    1) interrupt ;;
    *) disturb ;;
    esac
    [ $rounds -le $((20 * faults)) ] || { fail "only $n_faults faults in $rounds rounds: nothing happens"; break; }
done
# To the end, undisturbed.
harmless=1
sh "$mpirun_sh" 3 "$program" run job.yaml -o "$sweep" >out 2>err
check "the undisturbed end: status $?" [ $? -eq 0 ]
check "all is complete" complete
sort tally | uniq -c | sort -rn
echo "$n_faults faults in $rounds rounds over $n_sweeps sweeps; $orphans times ranks lost their mpirun in MPI_Init"
check "faults happened" [ $n_faults -ge $((faults < 10 ? faults : 10)) ]
finish
