#!/bin/sh
# Stopping: Ctrl-C, TERM, USR1 and the stop file end in status 75, resumable; the end equals an unbroken run. Two runs on one
# results file: the second is refused.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

small_job job.yaml 400 '{log: [0.01, 0.3, 8]}' 10
small_job whole.yaml 400 '{log: [0.01, 0.3, 8]}' 10
run 0 run whole.yaml
results whole.h5 >whole

finished() {
    column job.h5 status 2>/dev/null | grep -c '^done'
}
# Waits until some points more than $1 are finished.
wait_for_more() {
    tries=0
    while [ "$(finished)" -le "$1" ] && [ "$tries" -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}
# stop_with RANKS SIGNAL|file - starts the sweep, stops it in the middle, checks status and message.
stop_with() {
    ranks=$1 how=$2 before=$(finished)
    if [ "$ranks" -gt 0 ]; then
        sh "$mpirun_sh" "$ranks" "$program" run job.yaml >out 2>err &
    else
        "$program" run job.yaml >out 2>err &
    fi
    pid=$!
    wait_for_more "${before:-0}"
    if [ "$how" = file ]; then touch job.h5.stop; else kill -s "$how" "$pid"; fi
    wait "$pid"
    status=$?
    n_checks=$((n_checks + 1))
    [ "$status" -eq 75 ] || fail "stopped by $how on $ranks ranks: status $status, not 75"
    has out 'run the same command again to go on'
    after=$(finished)
    check "something was finished ($before, then $after)" [ "$after" -gt "${before:-0}" ]
    check "and something is left" [ "$after" -lt 160 ]
    check "the stop file is gone" [ ! -e job.h5.stop ]
}
small_job folder.yaml 8 '[0.1]' 1
mkdir folder.h5.stop
run 0 run folder.yaml
has out ' points finished'
stop_with 0 INT
stop_with 0 TERM
stop_with 0 USR1
stop_with 0 file
if have_mpirun; then
    stop_with 3 USR1
    stop_with 3 file
    # mpirun answers Ctrl-C and TERM itself: the ranks save, and mpirun's own status says that it was interrupted.
    for how in INT TERM; do
        before=$(finished)
        sh "$mpirun_sh" 3 "$program" run job.yaml >out 2>err &
        pid=$!
        wait_for_more "$before"
        kill -s "$how" "$pid"
        wait "$pid"
        status=$?
        check "mpirun stopped by $how: status $status, not 0" [ "$status" -ne 0 ]
        has out 'run the same command again to go on'
        check "what was finished is kept" [ "$(finished)" -gt "$before" ]
        run 0 verify job.h5
    done
fi

# Two at once.
"$program" run job.yaml >first.out 2>first.err &
pid=$!
wait_for_more "$(finished)"
run 2 run job.yaml
has err job.h5
kill -s TERM "$pid"
wait "$pid"
check "the first one was not disturbed" [ "$?" -eq 75 ]

# Killed in the middle, then run to the end: as if nothing had happened.
"$program" run job.yaml >out 2>err &
pid=$!
sleep 0.4
kill -s KILL "$pid"
wait "$pid" 2>/dev/null
run 0 run job.yaml
has out '160 of 160 points finished'
results job.h5 >job
same whole job
run 0 verify job.h5

# A time limit is a stop too.
sed 's/progress_s: 1/progress_s: 1, time_limit_s: 0.2/' job.yaml >limit.yaml
run 75 run limit.yaml
has out 'at its time limit'
finish
