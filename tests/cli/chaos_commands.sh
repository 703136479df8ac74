# shellcheck shell=sh
# shellcheck disable=SC2034,SC2086,SC2154
# chaos_commands.sh - of chaos.sh: system calls that fail under a run, a second user, kills inside the other commands.

second_user() {
    [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null &&
        setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/bin/sharpsweep" --version >/dev/null 2>&1
}
as_nobody() {
    TMPDIR=$dir/tmp HOME=$dir/tmp exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# ---- calls -----------------------------------------------------------------------------------------------------------------
# Draws what the next run is under: sets $bewitched, its environment, and $spell, a name of it for messages. Short writes, jumps of
# the clock and a narrow umask are harmless: nothing but the log may show them.
bewitch() {
    bewitched='' spell=''
    rm -f calls counts
    draw 6
    [ "$drawn" -ne 4 ] || { umask 077 && spell=' under umask 077'; }
    [ $shims -eq 1 ] || return 0
    case $drawn in
    0)
        pick write sync rename open write
        call=$picked
        draw 400
        [ "$call" = write ] || draw 12
        n=$((drawn + 1))
        pick EIO ENOSPC
        spell=" with $picked at $call $n"
        bewitched="SHIM_FAIL=$call:$picked:$n:$sweep*"
        harmless=0
        ;;
    1) bewitched="SHIM_FAIL=write:SHORT:1+:$sweep*" spell=' with short writes' ;;
    2)
        pick -86400 86400 -3 7200
        draw 150
        spell=" with a clock that jumps by $picked s"
        bewitched="SHIM_CLOCK=$picked@$((drawn / 100)).$(printf %02d $((drawn % 100)))"
        ;;
    esac
    [ -z "$bewitched" ] ||
        bewitched="LD_PRELOAD=$shim SHIM_STATE=$dir/counts SHIM_LOG=$dir/calls SHIM_PATHS=$sweep* $bewitched"
}
unbewitch() {
    umask 000
    chmod -R a+rwX disk
    case $spell in
    *EIO* | *ENOSPC*) ! grep -q '|5$\||28$' calls 2>/dev/null || happened "call:$(echo "${spell#* with}" | sed 's/ [0-9]*$//')" ;;
    *short*) ! grep -q '|SHORT$' calls 2>/dev/null || happened 'short writes' ;;
    *clock*) happened 'clock jump' ;;
    *umask*) happened 'umask 077' ;;
    esac
    bewitched='' spell=''
}

# ---- commands --------------------------------------------------------------------------------------------------------------
kill_after() { # HUNDREDTHS COMMAND... - SIGKILL, unless it ends before; sets $status
    hundredths=$1
    shift
    "$@" >out 2>err &
    job=$!
    nap "$hundredths"
    kill -9 $job 2>/dev/null
    wait $job
    status=$?
    [ $status -ne 137 ] || happened "killed inside ${command%% *}"
}
kill_at() { # N COMMAND... - before its N-th call on a file that it writes
    n=$1
    shift
    LD_PRELOAD=$shim SHIM_FAIL="any:KILL:$n:$sweep*" "$@" >out 2>err &
    wait $!
    status=$?
    [ $status -ne 137 ] || happened "killed inside ${command%% *}"
}
untouched() { # COMMAND - what only reads has changed nothing
    find disk -type f ! -name filler -exec sha256sum {} + | sort >sums.now
    cmp -s sums sums.now || fail "$1 changed files: $(diff sums sums.now | head -3)"
}
# One of the other commands is killed, on the results of an orderly stop; then it is given again.
interrupt() {
    rm -f "$sweep.stop"
    start alone
    draw 60
    nap $((drawn + 20))
    touch "$sweep.stop"
    await 'a stop file'
    rm -f "$sweep.stop"
    [ -e "$sweep" ] || return 0
    look 'an orderly stop'
    find disk -type f ! -name filler -exec sha256sum {} + | sort >sums
    pick merge repair report curvature merge repair
    command=$picked
    draw 300
    point=$((drawn + 1))
    case $command in
    merge)
        rm -rf copy && mkdir copy
        cp "$sweep" copy/sweep.h5 && cp "$sweep.journal" copy/sweep.h5.journal
        [ $shims -eq 0 ] || kill_at $point "$program" merge "$sweep" copy/sweep.h5
        look "killed inside merge at $point"
        "$program" merge "$sweep" copy/sweep.h5 >out 2>err
        status=$?
        case $status in 0 | 3 | 75) ;; *) fail "merge after a killed one: status $status" ;; esac
        ;;
    repair)
        printf torn >>"$sweep.journal"
        [ $((point % 2)) -eq 0 ] || rm "$sweep"
        [ $shims -eq 0 ] || kill_at $point "$program" verify "$sweep" --repair
        look "killed inside verify --repair at $point"
        run 0 verify "$sweep" --repair
        run 0 verify "$sweep"
        ;;
    report)
        kill_after $point "$program" report "$sweep" -o tmp/report
        [ -z "$(pgrep -f -- "$sweep")" ] || { sleep 2 && check "nobody is left of a report" [ -z "$(pgrep -f -- "$sweep")" ]; }
        untouched report
        rm -rf tmp/report*
        ;;
    curvature)
        weights=$(find weights.weights -name '*.h5' | head -1)
        kill_after $((point / 30)) "$program" curvature weights.yaml --weights "$weights"
        untouched curvature
        ;;
    esac
    look "killed inside $command at $point"
}
