# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154
# chaos_tools.sh - what chaos.sh draws, finds, kills, waits for and looks at.
draw() { # N - sets $drawn to 0 .. N-1, from the seed; not in a subshell, which would forget the seed
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536 % $1))
}
pick() { # WORDS... - sets $picked
    draw $#
    shift "$drawn"
    picked=$1
}
nap() { # HUNDREDTHS
    sleep "$(($1 / 100)).$(printf %02d $(($1 % 100)))"
}
# ROLE - numbers of this sweep's processes: trial, server, worker, root, mpirun, any. Its results file stands on every command line.
processes() {
    for p in $(pgrep -f -- "-o $sweep"); do
        name=$(cat "/proc/$p/comm" 2>/dev/null) || continue
        rank=$(tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
        case $name in
        ss-trial) role=trial ;;
        ss-server) role=server ;;
        mpirun) role=mpirun ;;
        sharpsweep*) [ "${rank:-0}" -eq 0 ] && role=root || role=worker ;;
        *) continue ;;
        esac
        [ "$1" = any ] || [ "$1" = $role ] && echo "$p"
    done
}
send() { # SIGNAL ROLE - to one process of that role, or to all for `any`; sets $hit
    hit=$(processes "$2")
    n=$(echo "$hit" | wc -l)
    [ -n "$hit" ] || return 1
    draw "$n"
    [ "$2" = any ] || hit=$(echo "$hit" | sed -n "$((drawn + 1))p")
    # shellcheck disable=SC2086
    kill -s "$1" $hit 2>/dev/null || [ "$2" = any ] # of all, some may just have gone by themselves
}
happened() { # NAME
    n_faults=$((n_faults + 1))
    echo "$1" >>tally
}
# What the file and its journal say now, against the undisturbed run and what they said before.
look() { # AFTER
    [ -e "$sweep" ] || return 0
    cp err last.err 2>/dev/null
    run 0 show "$sweep" --csv
    : >out
    cp last.err err
    results "$sweep" | grep -v ',pending,\|,failed,' | sort >now
    check "a record is not the undisturbed run's after $1" test -z "$(comm -23 now records)"
    [ ! -e before ] || check "a finished point is gone after $1" test -z "$(comm -23 before now)"
    mv now before
}
# Waits for the job, but not for ever.
await() { # AFTER
    waited=0
    while kill -0 "$job" 2>/dev/null && [ "$waited" -lt 900 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    if kill -0 "$job" 2>/dev/null; then
        fail "it hangs after $1"
        kill -9 "$job"
    fi
    wait "$job"
    status=$?
    waited=0
    while [ -n "$(processes any)" ]; do
        sleep 0.1
        waited=$((waited + 1))
        [ $waited -ge 150 ] || continue
        # Ranks whose mpirun died while they were in MPI_Init wait for it, until their alarm rings; whatever else is left, is wrong.
        case $1 in *mpirun* | *everything*) orphans=$((orphans + 1)) ;; *) fail "processes are left after $1: $(processes any)" ;; esac
        # shellcheck disable=SC2046
        kill -9 $(processes any) 2>/dev/null
    done
}
