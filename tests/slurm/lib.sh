# shellcheck shell=sh
# shellcheck disable=SC2034
# lib.sh - a private SLURM of one machine for the scripts of tests/slurm: munged, slurmctld and slurmd in the test's temporary
# folder, on ports of their own, ended with the test. Each script starts with:  . "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
scripts=$here/../../slurm
name=$(basename "$0" .sh)
fail() { # what the last command said, in short
    n_failed=$((n_failed + 1))
    echo "FAILED: $1"
    for stream in out err; do [ ! -s $stream ] || tail -n 5 $stream | cut -c 1-300 | sed "s/^/    $stream: /"; done
}
must() { # TEXT COMMAND... - without it the rest makes no sense
    text=$1
    shift
    "$@" || {
        fail "$text"
        finish
    }
}
skip() {
    echo "skipped: slurm $name: $1"
    exit 77
}
trap '[ "$n_failed" -eq 0 ] || tail -n 20 slurmctld.log slurmd.log; stop_slurm; cd / && rm -rf "$dir"' EXIT
for command in munged slurmctld slurmd sbatch squeue scontrol scancel; do
    [ -n "$(PATH=$PATH:/usr/sbin:/sbin command -v $command)" ] || skip "no $command here (packages slurm-wlm and munge)"
done
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || skip "only root can start the daemons of a private SLURM"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export SWEEP_PROGRAM="$program" SWEEP_STOP_S=20 SWEEP_HANG_S=2 SWEEP_TERM_S=2
unset SLURM_JOB_ID SLURM_NTASKS SLURM_ARRAY_TASK_ID 2>/dev/null

slurm_conf() { # FIRST_PORT EXTRA_LINES
    cat <<END
ClusterName=private
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$(($1 + 1))
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=10
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=8 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
$2
END
}
wait_for() { # TENTHS COMMAND... - until it succeeds
    tries=$1
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}
node_is_idle() {
    sinfo -h -o %T | grep -q idle
}
start_slurm() { # [LINES for slurm.conf]
    mkdir -m 700 munge
    mkdir state spool
    dd if=/dev/urandom of=munge/key bs=1024 count=1 2>/dev/null
    chmod 400 munge/key
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --num-threads=2 2>munged.err || skip "munged does not start: $(cat munged.err)"
    export SLURM_CONF="$dir/slurm.conf"
    for round in 1 2 3 4 5; do # ports may be taken
        slurm_conf $((20000 + ($$ * 7 + round * 1000) % 10000)) "${1:-}" >slurm.conf
        slurmctld -c -f slurm.conf 2>>daemons.err && slurmd -f slurm.conf 2>>daemons.err && wait_for 100 node_is_idle && return
        stop_daemons
    done
    skip "no private SLURM comes up: $(tail -n 2 slurmctld.log slurmd.log 2>/dev/null | tr '\n' ' ')"
}
stop_daemons() {
    for daemon in slurmd slurmctld; do
        [ -s "$dir/$daemon.pid" ] || continue
        pid=$(cat "$dir/$daemon.pid")
        kill "$pid" 2>/dev/null
        wait_for 50 gone "$pid" || kill -9 "$pid" 2>/dev/null
        rm -f "$dir/$daemon.pid"
    done
}
gone() {
    ! kill -0 "$1" 2>/dev/null
}
stop_slurm() {
    if [ -s "$dir/slurmctld.pid" ]; then
        scancel --user=root --state=RUNNING 2>/dev/null
        scancel --user=root 2>/dev/null
        wait_for 150 no_jobs
    fi
    stop_daemons
    [ ! -s "$dir/munge/pid" ] || kill "$(cat "$dir/munge/pid")" 2>/dev/null
}
no_jobs() {
    [ -z "$(squeue -h)" ]
}

# ---- jobs ---------------------------------------------------------------------------------------------------------------
submit() { # SBATCH ARGUMENTS... - sets $id; the log is log.ID
    id=$(sbatch --parsable --time=10 --ntasks=2 --signal=B:USR1@30 --output=log.%j "$@" 2>err) || fail "sbatch $*"
    id=${id%%;*}
}
state() { # ID
    scontrol -o show job "$1" 2>/dev/null | sed -n '1s/.* JobState=\([A-Z_]*\).*/\1/p'
}
exit_code() { # ID
    scontrol -o show job "$1" | sed -n '1s/.* ExitCode=\([0-9]*\):.*/\1/p'
}
has_ended() { # ID - SLURM holds what is requeued back for two minutes; the tests do not wait for that, but let it settle
    case $(state "$1") in
    COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) return 0 ;;
    PENDING)
        if [ "$(squeue -h -j "$1" -o %r)" = BeginTime ]; then
            sleep 2 # sooner, and slurmd takes the new run for the one that was just killed
            scontrol update jobid="$1" StartTime=now
            sleep 1
        fi
        ;;
    esac
    return 1
}
wait_end() { # ID [SECONDS]
    wait_for $((${2:-90} * 10)) has_ended "$1" || {
        squeue
        fail "job $1 has not ended after ${2:-90} s, it is $(state "$1"): $(tail -n 20 "log.$1" 2>/dev/null)"
        scancel "$1"
    }
}
finished() { # FILE - how many points
    "$program" status "$1" 2>/dev/null | sed -n '1s/.*: \([0-9]*\) finished.*/\1/p'
}
more_finished() { # FILE N
    [ "$(finished "$1")" -gt "$2" ] 2>/dev/null
}
wait_more() { # FILE N - until more than N points are finished
    wait_for 600 more_finished "$1" "$2" || fail "$1: no more than $2 points finished"
}
log_has() { # ID TEXT
    n_checks=$((n_checks + 1))
    grep -qF -- "$2" "log.$1" || fail "log.$1 lacks \`$2\`: $(cat "log.$1")"
}
ended_with() { # ID STATUS
    n_checks=$((n_checks + 1))
    [ "$(exit_code "$1")" = "$2" ] || fail "job $1 ended with $(exit_code "$1") ($(state "$1")), not $2: $(tail -n 20 "log.$1")"
}
undisturbed() { # FILE WHOLE - all is there, and as if nothing had happened
    results "$1" | sort >one
    results "$2" | sort >two
    same one two
    run 0 verify "$1"
}
# The sweep that most tests disturb: 24 points of some tenths of a second.
slow_job() { # FILE
    small_job "$1" "${2:-4000}" '{log: [0.01, 0.3, 4]}' 3
}
