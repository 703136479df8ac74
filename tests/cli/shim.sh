#!/bin/sh
# shim.sh PROGRAM [STEP] - one system call fails, the N-th of its kind on the sweep's files, for N = 1, 2, ... until there is no N-th:
# while a sweep begins, goes on, is merged, is repaired. Each time the exit status is right, a sentence names the cause, nothing that
# was finished is lost, no value is wrong, 2 means that nothing has changed, and the same command once more completes what an
# undisturbed run gives. A kill before each call, too. Of the many reads and writes every STEP-th (90), of the other calls every
# STEP/30-th; 1: all of them.
# Then the order of calls: what replaces a file is synced before it is renamed, and its folder after it.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/faults.sh
. "$here/faults.sh"
have_shim || { echo "skipped: failing calls: no shim for this build"; exit 77; }
step=${2:-90}
stride=$(((step + 29) / 30))

job() { # FILE RATES
    cat >"$1" <<END
model: {network: mlp, widths: [8]}
data: {dataset: synthetic, synthetic_train: 64, synthetic_test: 32}
training: {max_epochs: 2, target_train_accuracy: 0}
curvature: {curvature_examples: 32}
sweep: {seeds: 2, save_weights: true, checkpoint_interval_s: 0.01}
grid: {learning_rate: $2}
END
}
job half.yaml '[0.05]'
job job.yaml '[0.05, 0.1]'
run 0 run job.yaml -o whole.h5
finished whole.h5 >records
check 'four points' [ "$(wc -l <records)" -eq 4 ]
mkdir half.d damaged.d
run 0 run half.yaml -o half.d/r.h5
run 0 run job.yaml --slice 1/2
run 0 run job.yaml --slice 2/2
for half in 1 2; do
    mkdir $half.d
    for end in h5 h5.journal weights; do mv job.slice-$half-of-2.$end $half.d/r.$end; done
done
cp -r whole.h5 damaged.d/r.h5
cp -r whole.h5.journal damaged.d/r.h5.journal
cp -r whole.weights damaged.d/r.weights
# A damaged stretch in the middle of the journal, in its first DONE entry; the results file holds everything.
middle=$(LC_ALL=C grep -abo SSJE damaged.d/r.h5.journal | sed -n '4s/:.*//p')
printf '\252' | dd of=damaged.d/r.h5.journal bs=1 seek=$((middle + 100)) conv=notrunc 2>/dev/null

once() { # SCENARIO - the command
    case $1 in
    fresh | grow) echo run job.yaml -o s/r.h5 ;;
    merge) echo merge s/r.h5 2.d/r.h5 ;;
    repair) echo verify s/r.h5 --repair ;;
    esac
}
prepare() { # SCENARIO FOLDER - what it begins with, and what is known of that: SCENARIO.s, .before, .untouched
    rm -rf s
    mkdir s
    [ -z "$2" ] || cp -r "$2/." s
    finished s/r.h5 >"$1.before" 2>/dev/null
    snapshot >"$1.untouched"
    mv s "$1.s"
}
prepare fresh ''
prepare grow half.d
prepare merge 1.d
prepare repair damaged.d
cp records repair.before
begin() { # SCENARIO - makes s; sets $once, and the files `before` and `untouched`
    rm -rf s
    cp -r "$1.s" s
    cp "$1.before" before
    cp "$1.untouched" untouched
    once=$(once "$1")
}
sentence() { # ACTION - what the failing call's errno reads like; below HDF5 it is not known
    case $1 in EIO) echo 'Input/output error\|driver read request failed' ;; ENOSPC) echo 'No space left on device' ;; esac
}
judge() { # SCENARIO RULE - after the faulty command
    action=$(echo "$2" | cut -d : -f 2)
    where="$1, $2, status $status"
    case $status in
    0 | 1 | 3) ;;
    2)
        snapshot >now
        check "$where, which means that nothing has changed: $(diff untouched now | grep -c '^[<>]') files" cmp -s untouched now
        ;;
    137) check "$where: only kills kill" [ "$action" = KILL ] ;;
    *) fail "$where" ;;
    esac
    if [ "$status" -ne 0 ] && [ "$action" != KILL ]; then
        check "$where: one sentence says what happened" grep -q "$(sentence "$action")" err
    fi
    [ "$status" -ne 2 ] || return 0
    all_known "$where"
}
# The undisturbed end: the same command, and the sweep itself, which has nothing left to do after it.
complete() { # SCENARIO RULE
    # shellcheck disable=SC2086
    cp err faulty.err
    run 0 $once
    [ "$once" = 'run job.yaml -o s/r.h5' ] || run 0 run job.yaml -o s/r.h5
    finished s/r.h5 >now
    check "$1, $2: complete" cmp -s records now
    run 0 verify s/r.h5
    left=$(ls -A s | grep -vx 'r.h5\|r.h5.journal\|r.weights\|.*[.]kept-.*\|.*[.]damaged')
    check "$1, $2: nothing is left behind, but $left" [ -z "$left" ]
    n_weights=$(find s/r.weights -name '????????????????????????????????.h5' | wc -l)
    n_left=$(find s/r.weights -type f ! -name '????????????????????????????????.h5' | wc -l)
    check "$1, $2: $n_left temporary files are left among the weights" [ "$n_left" -eq 0 ]
    grep -q 'weights of a finished point are not kept' faulty.err || check "$1, $2: $n_weights of 4 weights" [ "$n_weights" -eq 4 ]
}
n_cases=0
each() { # SCENARIO OP ACTION PATTERN STEP
    n=1
    while :; do
        begin "$1"
        rule=$2:$3:$n:$dir/$4
        failed_before=$n_failed
        # shellcheck disable=SC2086
        faulty "$rule" $once
        [ "$(cut -d '|' -f 4 calls | grep -cx 'KILL\|5\|28')" -gt 0 ] || break
        n_cases=$((n_cases + 1))
        judge "$1" "$2:$3:$n"
        complete "$1" "$2:$3:$n"
        [ "$n_failed" -eq "$failed_before" ] || grep -a '|KILL$\||5$\||28$' calls | sed "s/^/    $1 $2:$3:$n: /"
        n=$((n + $5))
    done
    check "$1: no $2 to fail" [ "$n" -gt 1 ]
}
for scenario in fresh grow merge repair; do
    for op in sync rename open; do each $scenario $op EIO 's*' $stride; done
    each $scenario write EIO '*journal*' $stride
    each $scenario write ENOSPC '*' "$step"
    each $scenario any KILL 's*' "$step"
done
each grow read EIO 's*' "$step"
each repair read EIO 's*' "$step"
each repair read EIO '*journal' $stride
each fresh link EIO 's*' 1
each grow mkdir EIO 's*' 1

# Short writes are no fault at all.
for scenario in fresh grow merge repair; do
    begin $scenario
    # shellcheck disable=SC2086
    faulty "write:SHORT:1+:$dir/s*" $once
    check "$scenario, short writes: status $status, not 0" [ "$status" -eq 0 ]
    check "$scenario, short writes: none was short" grep -q 'SHORT$' calls
    lacks err 'Success'
    complete $scenario 'short writes'
done

# The order of calls, in a sweep with checkpoints and weights.
cat >long.yaml <<END
model: {network: mlp, widths: [16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 60000, target_train_accuracy: 0}
curvature: {curvature_examples: 128}
sweep: {seeds: 2, save_weights: true, checkpoint_interval_s: 0.02}
grid: {learning_rate: [0.05, 0.1]}
END
order() { # WHAT - the calls against the rules; prints what breaks one, and at the end how often each was held
    awk -v dir="$dir" '
    function folder(path) {sub(/\/[^\/]*$/, "", path); return path}
    function bad(what) {print what " (call " NR ": " $0 ")"}
    {split($0, f, "|"); split(f[1], head, " "); pid = head[1]; op = head[2]; path = substr(f[1], length(pid op) + 3)
     to = f[2]; bytes = f[3]; ok = f[4] == "ok" || f[4] == "SHORT"}
    !ok {next}
    # What was renamed or linked is durable when its folder is synced: before this process writes or renames anything else.
    pid in due && (op == "write" || op == "rename" || op == "link") && path != due[pid] && !(to ~ /\.weights\// && folder(to) == folder(due[pid])) {
        bad("after " due[pid] " was put in place its folder was not synced"); delete due[pid]}
    op == "write" && path ~ /\.(h5|checkpoint)$/ {bad("a file is written in its place")}
    op == "open" && bytes != 0 && path ~ /\.(h5|checkpoint)$/ {bad("a file is opened for writing in its place")}
    op == "write" {dirty[path] = 1; last[path] = bytes}
    op == "sync" {
        dirty[path] = 0
        if (pid in due && path == folder(due[pid])) {held["folder synced"]++; delete due[pid]}
    }
    # Everything but notes of a start (48 bytes) is synced at once.
    op == "write" && path ~ /\.journal$/ {if (finished[path] && dirty_entry[path]) bad("a finished point was not synced")
        dirty_entry[path] = bytes > 48; finished[path] = bytes > 400}
    op == "mkdir" {made[path] = 1}
    op == "sync" {for (p in made) if (folder(p) == path) delete made[p]}
    op == "sync" && path ~ /\.journal$/ {
        for (p in made) {bad("a point is durable, but not its folder " p); delete made[p]}
        if (dirty_entry[path] && finished[path]) held["finished point synced"]++; dirty_entry[path] = 0}
    op == "unlink" && path ~ /\.checkpoint$/ {
        if (dirty_entry[folder(folder(path)) "/r.h5.journal"]) bad("a checkpoint is removed before its point is durable")
        held["checkpoint removed after"]++}
    op == "rename" || op == "link" {
        if (to !~ /\.kept-/ && dirty[path]) bad("not synced before it is put in place")
        kind = to; sub(/^.*\./, "", kind); if (to ~ /\.weights\//) kind = "weights"
        if (to !~ /\.kept-/) held[kind " synced"]++
        due[pid] = to; dirty[to] = 0}
    END {for (pid in due) print "at the end: the folder of " due[pid] " was not synced"
         for (what in held) print held[what], what > "/dev/stderr"}' calls >broken 2>held
    check "$1: order of calls: $(head -3 broken)" [ ! -s broken ]
}
held() { # N WHAT - at least so often
    check "$2: $(cat held)" [ "$(sed -n "s/ $2\$//p" held)" -ge "$1" ]
}
rm -rf s && mkdir s
faulty '' run long.yaml -o s/r.h5
check "an orderly run" [ "$status" -eq 0 ]
order run
held 4 'finished point synced'
held 4 'weights synced'
held 1 'checkpoint synced'
held 1 'journal synced'
held 1 'h5 synced'
held 8 'folder synced'
held 1 'checkpoint removed after'
for scenario in grow merge repair; do
    begin $scenario
    # shellcheck disable=SC2086
    faulty '' $once
    order $scenario
done
echo "$n_cases failing calls"
finish
