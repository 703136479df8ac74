#!/bin/sh
# Trials in processes of their own: what they may do to a sweep, which is little; retries, limits, one copy of the data, a rank 0
# that sleeps, a worker that dies.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
unset SHARPSWEEP_FAULT

small_job job.yaml 30 '[0.05, 0.1]' 2
sed -i 's/progress_s: 1/progress_s: 1, trial_silence_s: 1, trial_memory: 150M, stop_grace_s: 2, crash_retries: 2, timeout_retries: 1, memory_retries: 0/' job.yaml
run 0 run job.yaml -o whole.h5
results whole.h5 >whole
run 0 run job.yaml -o in.h5 --in-process
results in.h5 >in
same whole in
lacks err 'rank 0:'

# Each kind of failure: counted apart, retried so often, recorded with its reason; the other points are as ever.
fails() { # KIND PHASE REASON ATTEMPTS TEXT
    rm -f f.h5*
    export SHARPSWEEP_FAULT="$1@point=3,phase=$2"
    run 3 run job.yaml -o f.h5
    has out '7 of 8 points finished, 1 failed'
    unset SHARPSWEEP_FAULT
    check "$1: stop_reason $3" [ "$(column f.h5 stop_reason | sed -n 4p)" = "$3" ]
    check "$1: $4 attempts" [ "$(column f.h5 attempts | sed -n 4p)" = "$4" ]
    check "$1: the others were started once" [ "$(column f.h5 attempts | sed 4d | sort -u)" = 1 ]
    results f.h5 | sed 5d >others
    sed 5d whole >expected
    same expected others
    run 0 status f.h5
    has out "$5"
    has out "in $2"
    run 0 run job.yaml -o f.h5
    results f.h5 >mended
    same whole mended
}
fails segv train crash 3 'signal 11'
fails hang curvature timeout 2 'got nowhere for 1 s'
fails oom train memory 1 'more than the 150 MiB'
fails nan curvature error 1 'not finite'
# A fault that comes once costs a retry and nothing else; a NaN that comes once is found out.
for kind in abort nan stop; do
    rm -f f.h5* once
    export SHARPSWEEP_FAULT="$kind@point=5,phase=train,after=20,once=$dir/once"
    run 0 run job.yaml -o f.h5
    unset SHARPSWEEP_FAULT
    check "the $kind happened" [ -e once ]
    results f.h5 >again
    same whole again
done

if have_mpirun; then
    # Retried on the other rank.
    export SHARPSWEEP_FAULT='segv@point=2'
    run_ranks 3 3 run job.yaml -o ranks.h5
    unset SHARPSWEEP_FAULT
    has err 'point 2 failed on rank 1'
    has err 'point 2 failed on rank 2'
    has err 'that was its last attempt'

    # Points on five ranks so long that none ends here: what does it look like from outside?
    small_job long.yaml 3000000 '{log: [0.01, 0.3, 8]}' 10
    sh "$mpirun_sh" 5 "$program" run long.yaml -o "$dir/long.h5" >out 2>err &
    job=$!
    tries=0
    while [ "$(pgrep -f -- "-o $dir/long.h5" | xargs -r -I{} cat /proc/{}/comm 2>/dev/null | grep -c ss-trial)" -lt 4 ] && [ $tries -lt 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    ours=$(pgrep -f -- "-o $dir/long.h5")
    check "four trials run at once" [ $tries -lt 300 ]
    copies=$(for p in $ours; do awk '/memfd:sharpsweep-data/ {print $5}' "/proc/$p/maps" 2>/dev/null; done)
    n=$(echo "$copies" | wc -l)
    check "five ranks, four servers and four trials map the data (and not $n)" [ "$n" -ge 12 ] # a trial may just have ended
    check "and there is one copy of them" [ "$(echo "$copies" | sort -u | wc -l)" -eq 1 ]
    for p in $ours; do
        [ "$(cat "/proc/$p/comm" 2>/dev/null)" = sharpsweep ] || continue
        tr '\0' '\n' <"/proc/$p/environ" | grep -qx 'OMPI_COMM_WORLD_RANK=0' && root=$p
    done
    used() { awk '{print $14 + $15}' "/proc/$root/stat"; }
    before=$(used)
    sleep 8
    ticks=$(($(used) - before)) # of 800, were it a whole core
    echo "rank 0 used $ticks of 800 ticks while four workers trained"
    check "rank 0 takes less than 2 % of a core" [ $ticks -lt 16 ]
    touch long.h5.stop
    wait $job
    check "it stops: $?" [ $? -eq 75 ]
    has err 'rank 0:'
    tries=0
    while [ -n "$(pgrep -f -- "-o $dir/long.h5")" ] && [ $tries -lt 50 ]; do sleep 0.1 && tries=$((tries + 1)); done
    check "nobody is left" [ -z "$(pgrep -f -- "-o $dir/long.h5")" ]

    # All of it suspended for longer than anybody may be silent or a point may take: nobody is to blame.
    small_job asleep.yaml 800 '[0.02, 0.05]' 10
    sed -i 's/progress_s: 1/progress_s: 1, worker_silence_s: 2, trial_silence_s: 3, trial_time_limit_s: 5/' asleep.yaml
    : >err
    sh "$mpirun_sh" 3 "$program" run asleep.yaml -o "$dir/asleep.h5" >out 2>err &
    job=$!
    tries=0
    while ! grep -q 'points to do' err && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
    sleep 0.3
    ours=$(pgrep -f -- "-o $dir/asleep.h5")
    check "ranks, servers, trials: $(echo "$ours" | wc -l)" [ "$(echo "$ours" | wc -l)" -ge 7 ]
    kill -s STOP $ours
    sleep 6
    kill -s CONT $ours
    wait $job
    check "it goes on to its end: $?" [ $? -eq 0 ]
    has out '40 of 40 points finished'
    lacks err 'was not heard'
    check "and nothing was tried twice" [ "$(column asleep.h5 attempts | sort -u)" = 1 ]

    # A stop that one worker's trial does not hear: the other, which has said that it leaves, is not taken for lost meanwhile.
    small_job deaf.yaml 200 '{log: [0.01, 0.3, 8]}' 20
    sed -i 's/progress_s: 1/progress_s: 1, worker_silence_s: 2, stop_grace_s: 6/' deaf.yaml
    : >err
    SHARPSWEEP_FAULT='hang@point=0,phase=train' sh "$mpirun_sh" 3 "$program" run deaf.yaml -o "$dir/deaf.h5" >out 2>err &
    job=$!
    tries=0
    while [ "$(grep -c 'done, lambda' err)" -lt 3 ] && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
    touch deaf.h5.stop
    wait $job
    check "it stops: $?" [ $? -eq 75 ]
    check "one trial was deaf" [ "$(column deaf.h5 attempts | head -1)" = 1 ]
    lacks err 'was not heard'

    # A worker rank dies; under --enable-recovery that costs its point's progress only.
    small_job job.yaml 1500 '[0.02, 0.05, 0.1]' 2
    sed -i 's/progress_s: 1/progress_s: 1, worker_silence_s: 1/' job.yaml
    run 0 run job.yaml -o long_whole.h5
    results long_whole.h5 >whole
    : >err # or it is the last run that is looked at below
    sh "$mpirun_sh" 4 --enable-recovery "$program" run job.yaml -o "$dir/lost.h5" --status-file state >out 2>err &
    job=$!
    tries=0
    while ! grep -q 'done, lambda' err && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
    for p in $(pgrep -f -- "-o $dir/lost.h5"); do
        [ "$(cat "/proc/$p/comm" 2>/dev/null)" = sharpsweep ] || continue
        tr '\0' '\n' <"/proc/$p/environ" | grep -qx 'OMPI_COMM_WORLD_RANK=2' && kill -s KILL "$p"
    done
    wait $job
    has err 'rank 2 was not heard'
    has out '12 of 12 points finished'
    check "the status file says so" grep -q '^0' state
    results lost.h5 >lost
    same whole lost

    # Rank 0 dies: its workers work on for 4 worker_silence_s and save; a new run begins at once, undisturbed.
    : >err
    sed -i 's/worker_silence_s: 1/worker_silence_s: 1, checkpoint_interval_s: 0.1/' job.yaml
    sh "$mpirun_sh" 4 --enable-recovery "$program" run job.yaml -o "$dir/rootless.h5" --status-file state >out 2>rootless.err &
    job=$!
    tries=0
    while ! grep -q 'done, lambda' rootless.err && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
    check "rank 0 says where it runs" grep -q '^running' state
    kill -s KILL "$(sed 's/^running \([0-9]*\) .*/\1/' state)"
    sleep 0.2
    run 0 run job.yaml -o "$dir/rootless.h5"
    results rootless.h5 >lost
    same whole lost
    tries=0
    while pgrep -f -- "-o $dir/rootless.h5" >/dev/null && [ $tries -lt 300 ]; do sleep 0.1 && tries=$((tries + 1)); done
    check "its workers have ended" [ $tries -lt 300 ]
    [ $tries -lt 300 ] || kill -s KILL $(pgrep -f -- "-o $dir/rootless.h5")
    wait $job
    check "each of them says why" [ "$(grep -c 'rank 0 was not heard for 4 s; this rank ends' rootless.err)" -eq 3 ]
    run 0 run job.yaml -o rootless.h5
    has out 'all 12 points were finished already'
    results rootless.h5 >lost
    same whole lost
    run 0 verify rootless.h5
fi
finish
