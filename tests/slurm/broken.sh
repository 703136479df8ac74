#!/bin/sh
# What may break: mpirun is killed, rank 0 is killed, mpirun hangs when the sweep is over, the ranks do not stop, nothing
# progresses, requeueing is refused, the job is no job. The batch script goes on or gives up, and passes exit statuses on.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"
start_slurm 'JobRequeue=1'
slow_job job.yaml
run 0 run job.yaml -o whole.h5

of_sweep() { # PATTERN - processes of this test's sweep
    pgrep -f -- "$1.*$dir/job.h5"
}
submit --ntasks=2 "$scripts/sweep.sbatch" job.yaml "$dir/job.h5"
wait_more job.h5 0
kill -9 "$(of_sweep '^[^ ]*mpirun ' | head -1)"
wait_for 300 grep -q 'the sweep was broken off' "log.$id" || fail "mpirun's death went unnoticed: $(cat "log.$id")"
wait_more job.h5 "$(finished job.h5)"
kill -9 "$(sed 's/^running \([0-9]*\) .*/\1/' "job.h5.status.$id")" # rank 0; mpirun keeps the others
wait_end "$id"
ended_with "$id" 0
check "broken off twice" [ "$(grep -c 'the sweep was broken off' "log.$id")" -eq 2 ]
undisturbed job.h5 whole.h5

# Programs that behave as the worst do. where is the real one.
fake() { # NAME BODY OF run
    cat >"$1" <<END
#!/bin/bash
if [ "\$1" = where ]; then exec "$program" "\$@"; fi
while [ \$# -gt 0 ]; do case \$1 in --status-file) file=\$2 ;; -o) results=\$2 ;; esac; shift; done
$2
END
    chmod +x "$1"
}
fake hangs 'echo 3 >"$file"; echo "$OMP_WAIT_POLICY $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS" >threads; sleep 300'
SWEEP_PROGRAM=$dir/hangs SWEEP_LAUNCHER=none submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id" 30
ended_with "$id" 3
log_has "$id" 'the sweep has ended, but none does not: ended by force'
check "threads wait without spinning, as many as SLURM gave" [ "$(cat threads)" = "passive 1 1" ]

# A launcher that ends before rank 0: the next run waits for it, or it would find the results locked.
fake lingers 'setsid sleep 300 & echo "running $! $(uname -n)" >"$file"; echo $! >>lingering; exit 1'
SWEEP_PROGRAM=$dir/lingers SWEEP_LAUNCHER=none SWEEP_HANG_S=1 submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id" 60
ended_with "$id" 75
log_has "$id" 'none has ended, but rank 0 does not: ended by force'
for pid in $(cat lingering); do check "a rank 0 is left" wait_for 50 gone "$pid"; done # until it is reaped

fake waits 'sleep 300' # as ranks do where one has died while starting
SWEEP_PROGRAM=$dir/waits SWEEP_LAUNCHER=none SWEEP_START_S=1 SWEEP_REQUEUE=no submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id" 60
ended_with "$id" 75
log_has "$id" 'the ranks have not begun to work within 1 s, but none does not end: ended by force'
log_has "$id" 'gave up: 2 runs in a row'

fake idle 'until [ -e "$results.stop" ]; do sleep 0.2; done; rm "$results.stop"; echo "75 by the stop file" >"$file"; exit 75'
SWEEP_PROGRAM=$dir/idle SWEEP_LAUNCHER=none submit "$scripts/sweep.sbatch" job.yaml
wait_for 100 grep -q 'run 0 of' "log.$id"
scancel --signal=USR1 --batch "$id"
wait_for 300 grep -q 'requeueing job' "log.$id" || fail "not requeued: $(cat "log.$id")"
wait_for 300 eval "has_ended $id; grep -q 'run 1 of' log.$id"
scancel --signal=USR1 --batch "$id"
wait_end "$id"
ended_with "$id" 75
log_has "$id" 'gave up: 2 runs in a row'

fake stubborn "trap '' TERM; while :; do sleep 0.2; done"
SWEEP_PROGRAM=$dir/stubborn SWEEP_LAUNCHER=none SWEEP_STOP_S=1 SWEEP_REQUEUE=no submit "$scripts/sweep.sbatch" job.yaml
wait_for 100 grep -q 'run 0 of' "log.$id"
scancel --signal=USR1 --batch "$id"
wait_end "$id"
ended_with "$id" 75
log_has "$id" 'did not stop within 1 s: ended by force'

fake dies 'kill -9 $$'
SWEEP_PROGRAM=$dir/dies SWEEP_LAUNCHER=none submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 75
log_has "$id" 'gave up'
for status in 1 2 3; do
    fake ends "[ $status -eq 2 ] || echo $status >\"\$file\"; exit $status"
    SWEEP_PROGRAM=$dir/ends SWEEP_LAUNCHER=none submit "$scripts/sweep.sbatch" job.yaml
    wait_end "$id"
    ended_with "$id" "$status"
done

# Refused before anything runs.
printf 'training: {learning_rat: 0.1}\n' >typo.yaml
for arguments in typo.yaml none.yaml ''; do
    # shellcheck disable=SC2086
    submit "$scripts/sweep.sbatch" $arguments
    wait_end "$id"
    ended_with "$id" 2
done
SWEEP_PROGRAM=$dir/nothing submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 2
log_has "$id" 'no sharpsweep at'
SWEEP_LAUNCHER=rockets submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 2
log_has "$id" 'one of auto, mpirun, srun, none'

# Modules: loaded where there is a module command, missed where there is none.
SWEEP_MODULES='openmpi hdf5' submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 2
refusal='there is no `module` here'
for rc in /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /usr/share/modules/init/bash; do
    [ ! -r $rc ] || refusal='module load openmpi failed' # there is one, and it does not know the name
done
log_has "$id" "$refusal"
mkdir bin
cat >bin/module <<'END'
#!/bin/sh
echo "module $*"
[ "$2" != gone ]
END
chmod +x bin/module
PATH=$dir/bin:$PATH SWEEP_MODULES='openmpi hdf5' submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 0
log_has "$id" 'module load hdf5'
PATH=$dir/bin:$PATH SWEEP_MODULES='gone' submit "$scripts/sweep.sbatch" job.yaml
wait_end "$id"
ended_with "$id" 2
log_has "$id" 'module load gone failed'
finish
