#!/bin/sh
# kill.sh PROGRAM [KILLS [SEED]] - kill -9 at random moments of a sweep: any rank, mpirun, or the whole job. After each the
# file must open (if it exists by then), journal and file must verify, and no finished point may be missing or differ; the
# sweep is then run again. A sweep that completes is compared with an unbroken one, record by record, and a new one begins.
. "$(dirname "$0")/lib.sh"
have_mpirun || { echo "skipped: kill: no mpirun here"; exit 77; }
command -v pgrep >/dev/null || { echo "skipped: kill: no pgrep here (package procps)"; exit 77; }
kills=${2:-50}
seed=${3:-$(date +%s)}
echo "$kills kills, seed $seed"

small_job job.yaml 600 "[0.01, 0.02, 0.05, 0.1]" 5
run 0 run job.yaml -o reference.h5
results reference.h5 >expected
sort expected >records

draw() { # N - sets $drawn to 0 .. N-1, from the seed; not in a subshell, which would forget the seed
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536 % $1))
}
processes() { # of this sweep: its results file stands on every command line
    pgrep -f -- "-o $dir/sweep.h5" | grep -vx $$
}
finished() { # records of the finished points, from file and journal
    results "$dir/sweep.h5" | grep -v ',pending,' | sort
}
kill_something() {
    all=$(processes)
    n=$(echo "$all" | wc -l)
    [ -n "$all" ] || return 1
    draw 4
    if [ "$drawn" -eq 0 ]; then
        # shellcheck disable=SC2086
        kill -9 $all 2>/dev/null
    else
        draw "$n"
        kill -9 "$(echo "$all" | sed -n "$((drawn + 1))p")" 2>/dev/null
    fi
    return 0
}
done_kills=0 rounds=0 stale=0 orphans=0
while [ "$done_kills" -lt "$kills" ]; do
    sh "$mpirun_sh" 3 "$program" run job.yaml -o "$dir/sweep.h5" >out 2>err &
    job=$!
    draw 120 # 0.2 to 1.4 s: from MPI_Init to the middle of the sweep, which takes a few seconds
    drawn=$((drawn + 20))
    sleep "$((drawn / 100)).$(printf %02d $((drawn % 100)))"
    if kill -0 $job 2>/dev/null && kill_something; then
        done_kills=$((done_kills + 1))
        wait $job
        tries=0
        while [ -n "$(processes)" ]; do # ranks that lost their mpirun
            sleep 0.1
            tries=$((tries + 1))
            [ $tries -ge 100 ] || continue # ranks whose mpirun died while they were in MPI_Init may wait for it for ever
            orphans=$((orphans + 1))
            # shellcheck disable=SC2046
            kill -9 $(processes) 2>/dev/null
        done
        if [ -e sweep.h5 ]; then
            run 0 show sweep.h5 --csv
            finished >now
            check "a record is not the unbroken run's after kill $done_kills" test -z "$(comm -23 now records)"
            [ -e before ] && check "a finished point is gone after kill $done_kills" test -z "$(comm -23 before now)"
            mv now before
        else
            stale=$((stale + 1))
        fi
        continue
    fi
    wait $job
    check "an undisturbed run ends with status $?" test $? -eq 0
    results sweep.h5 >got
    same expected got
    rm -rf sweep.h5* before
    rounds=$((rounds + 1))
    [ "$rounds" -le $((10 * kills)) ] || { fail "only $done_kills kills in $rounds sweeps: they end too soon"; finish; }
done
run_ranks 3 0 run job.yaml -o sweep.h5
results sweep.h5 >got
same expected got
run 0 verify sweep.h5
echo "$done_kills kills over $((rounds + 1)) sweeps; $stale came before the file was there; $orphans times ranks hung in MPI_Init"
check "most kills came when there was something to lose" [ "$stale" -lt $((kills / 2 + 1)) ]
finish
