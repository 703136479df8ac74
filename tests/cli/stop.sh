#!/bin/sh
# Stopping: Ctrl-C, TERM, HUP, USR1 and the stop file end in status 75, resumable; the end equals an unbroken run. Two runs on
# one results file: the second is refused.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

small_job long.yaml 8000 '{log: [0.01, 0.3, 8]}' 10 # points long enough that no machine gets through them in a test
small_job job.yaml 400 '{log: [0.01, 0.3, 8]}' 2
run 0 run job.yaml -o whole.h5
results whole.h5 >whole

finished() { # FILE
    column "$1" status 2>/dev/null | grep -c '^done'
}
# Waits until the run that writes to err has finished more than $1 points: the results file follows at longer intervals.
wait_for_more() {
    tries=0
    while [ "$(grep -c ': done,' err)" -le "$1" ] && [ "$tries" -lt 400 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}
start() { # RANKS FILE - the long sweep, in the background
    : >err
    if [ "$1" -gt 0 ]; then
        sh "$mpirun_sh" "$1" "$program" run long.yaml -o "$2" >out 2>err &
    else
        env --default-signal=HUP "$program" run long.yaml -o "$2" >out 2>err & # these tests may run under nohup
    fi
    pid=$!
}
# stop_with RANKS SIGNAL|file - starts the sweep, or goes on with it, stops it in the middle, checks status and message.
stop_with() {
    ranks=$1 how=$2 file=stop$1.h5 before=$(finished "stop$1.h5")
    start "$ranks" "$file"
    wait_for_more 0
    if [ "$how" = file ]; then touch "$file.stop"; else kill -s "$how" "$pid"; fi
    wait "$pid"
    status=$?
    n_checks=$((n_checks + 1))
    [ "$status" -eq 75 ] || fail "stopped by $how on $ranks ranks: status $status, not 75"
    has out 'run the same command again to go on'
    after=$(finished "$file")
    check "something was finished ($before, then $after)" [ "$after" -gt "${before:-0}" ]
    check "and something is left" [ "$after" -lt 160 ]
    check "the stop file is gone" [ ! -e "$file.stop" ]
}
stop_with 0 INT
stop_with 0 TERM
stop_with 0 USR1
stop_with 0 HUP
stop_with 0 file
if have_mpirun; then
    stop_with 3 USR1
    stop_with 3 file
    # mpirun answers Ctrl-C and TERM itself: after a second it sends the ranks SIGTERM, they save, and after another one it kills
    # them; its own status says that it was interrupted. It gets 5 s for each here, as ten processes may wait for every core where
    # tests run; meanwhile it passes on nothing of what the ranks say. The sweep has to last so much longer: a new one.
    export OMPI_MCA_odls_base_sigkill_timeout=5
    for how in INT TERM; do
        before=$(finished stop.h5)
        start 3 stop.h5
        wait_for_more 0
        kill -s "$how" "$pid"
        wait "$pid"
        status=$?
        check "mpirun stopped by $how: status $status, not 0" [ "$status" -ne 0 ]
        has out 'run the same command again to go on'
        check "what was finished is kept" [ "$(finished stop.h5)" -gt "${before:-0}" ]
        run 0 verify stop.h5
    done
    unset OMPI_MCA_odls_base_sigkill_timeout
fi

# Nobody reads what the run says: its pipe is full.
mkfifo pipe
exec 3<>pipe
timeout 1 dd if=/dev/zero of=pipe bs=65536 count=2 2>/dev/null
for how in TERM HUP USR1; do
    env --default-signal=HUP timeout -s KILL 60 "$program" run long.yaml -o full.h5 --progress plain >out 2>&3 3>&- &
    pid=$!
    wait_for_file full.h5
    sleep 0.5
    kill -s "$how" "$(pgrep -P "$pid" -x sharpsweep || echo "$pid")"
    wait "$pid"
    status=$?
    check "a full pipe, $how: status $status, not 75" [ "$status" -eq 75 ]
done
exec 3>&-

# Under nohup a lost terminal is nothing.
: >err
nohup "$program" run long.yaml -o stop0.h5 >out 2>err &
pid=$!
wait_for_more 0
kill -s HUP "$pid"
wait_for_more "$(($(grep -c ': done,' err) + 1))"
check "nohup keeps it running" kill -0 "$pid"
# Two at once: the second is refused and changes nothing.
"$program" run long.yaml -o stop0.h5 >out2 2>err2
check "the second ends with 2" [ $? -eq 2 ]
has err2 "stop0.h5.journal: is being written by process $pid on "
# A results file that is deleted under it comes back; a journal does not: the run stops, and says where all that it finished is.
rm stop0.h5
for _ in 1 2 3 4; do wait_for_file stop0.h5; done # rebuilding takes 2 % of the time, and here it may take a second
check "the results file is there again" [ -e stop0.h5 ]
rm stop0.h5.journal
wait "$pid"
check "the run stopped with an error" [ "$?" -eq 1 ]
has err 'stop0.h5.journal: was deleted by somebody else while this run was writing it'
check "nothing is lost" [ "$(ls stop0.kept-*.h5.journal | wc -l)" -eq 1 ]

# Killed in the middle, then run to the end: as if nothing had happened. A folder is no stop file.
: >err
"$program" run job.yaml >out 2>err &
pid=$!
wait_for_more 0
kill -s KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
mkdir job.h5.stop
run 0 run job.yaml
check "every point is done" [ "$(finished job.h5)" -eq 32 ]
results job.h5 >job
same whole job
run 0 verify job.h5

# A limit on the size of files (ulimit -f) is an error with a sentence, not a death; what was finished is kept.
mkdir limited
for size in 16 100 400 800; do    # of 512 bytes: too small for the empty results file; for a journal of some points
    (ulimit -f $size && exec "$program" run job.yaml -o "limited/$size.h5" >out 2>err)
    status=$?
    expected=$((size < 200 ? 2 : 1))
    check "files of at most $size blocks: status $status, not $expected" [ "$status" -eq $expected ]
    has err 'File too large'
    check "one sentence ends it" [ "$(grep -c '^sharpsweep: ' err)" -eq 1 ]
    run 0 run job.yaml -o "limited/$size.h5"
    results "limited/$size.h5" >limited/results
    same whole limited/results
done

# Who listened to standard output and error goes away: the night's sweep goes on. Commands that read end quietly.
small_job short.yaml 20 '[0.05, 0.1, 0.2]' 3
for ranks in 0 3; do
    if [ $ranks -eq 0 ]; then set -- "$program"; else set -- sh "$mpirun_sh" $ranks "$program"; fi
    if [ $ranks -gt 0 ] && ! have_mpirun; then continue; fi
    { "$@" run short.yaml -o "deaf$ranks.h5" --progress plain 2>&1; echo $? >deaf.status; } | head -1 >out
    run 0 status "deaf$ranks.h5"
    has out '18 points: 18 finished'
done
{ "$program" run short.yaml -o deaf0.h5 2>&1; echo $? >deaf.status; } | true
check "nobody listens: status $(cat deaf.status), not 0" [ "$(cat deaf.status)" -eq 0 ]
{ "$program" show whole.h5 --csv 2>err; echo $? >deaf.status; } | true
check "show whose reader is gone dies of SIGPIPE: $(cat deaf.status)" [ "$(cat deaf.status)" -eq 141 ]
check "without a word" [ ! -s err ]

# A time limit is a stop too.
sed 's/progress_s: 1/progress_s: 1, time_limit_s: 0.2/' long.yaml >limit.yaml
run 75 run limit.yaml
has out 'its time limit' # or before it, where it is too near for another point
finish
