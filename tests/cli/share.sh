#!/bin/sh
# shellcheck disable=SC2154 # lib.sh sets them
# share.sh PROGRAM - results that are not one user's alone: two runs on one file where locks do not work (some NFS), and a second
# user who may read, or who may write too. Where two write, one stops and says so, and no point that either finished is lost.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/faults.sh
. "$here/faults.sh"

# ---- two writers ------------------------------------------------------------------------------------------------------
small_job long.yaml 40 '{log: [0.01, 0.3, 20]}' 5 # 200 points of some milliseconds
run 0 run long.yaml -o whole.h5
"$program" show whole.h5 --csv | awk -F, 'NR > 1 {print NR - 2, $1}' >ids # point, id
finished whole.h5 >records

unlocked() { # WHO - a run whose locks do not work, in the background, log in err.WHO; sets $pid
    LD_PRELOAD=$shim SHIM_FAIL="lock:ENOLCK:1+:$dir/*" "$program" run long.yaml -o s/r.h5 --progress plain >"out.$1" 2>"err.$1" &
    pid=$!
}
wait_for_done() { # N WHO
    tries=0
    while [ "$(grep -c ': done,' "err.$2" 2>/dev/null)" -lt "$1" ] && [ "$tries" -lt 400 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}
# Every row of every results file and journal in s, whatever its name: rescued and kept ones too.
all_rows() {
    for file in s/*.h5 s/*.journal; do
        case $file in
        *.journal) file=${file%.journal} && [ ! -e "$file" ] || continue ;;
        esac
        finished "$file" 2>/dev/null
    done | sort -u
}
two_writers() { # N - the second begins when the first has finished N points; both at once for 0
    rm -rf s && mkdir s
    rm -f err.one err.two
    unlocked one
    one=$pid
    wait_for_done "$1" one
    unlocked two
    two=$pid
    wait "$one"
    status_one=$?
    wait "$two"
    status_two=$?
    cat err.one err.two >err
    where="two writers from point $1: status $status_one and $status_two"
    case $status_one-$status_two in
    1-* | 2-* | *-1 | *-2) ;;
    *) fail "$where: one of them must stop" ;;
    esac
    for who in one two; do
        eval "status=\$status_$who"
        case $status in
        0) ;;
        1 | 2) check "$where: $who says why" [ "$(grep -ci 'another\|somebody else\|other process' err.$who)" -ge 1 ] ;;
        *) fail "$where" ;;
        esac
    done
    grep -h ': done,' err.one err.two | sed -n 's/.* point \([0-9]*\) .*/\1/p' | sort -u >said
    all_rows >rows
    # What the run says to do next brings all into one file.
    sed -n 's/.*`\(sharpsweep merge .*\)` joins them.*/\1/p' err | head -1 >printed
    if [ -s printed ]; then
        run_printed
    else
        "$program" verify s/r.h5 >out 2>err || run 0 verify s/r.h5 --repair
    fi
    all_rows | sort -u - rows >now
    lost=0
    while read -r point; do
        id=$(sed -n "s/^$point //p" ids)
        grep -q "$id" now || lost=$((lost + 1))
    done <said
    check "$where: $lost of $(wc -l <said) finished points are nowhere" [ "$lost" -eq 0 ]
    check "$where: a record is not the undisturbed run's" test -z "$(comm -23 now records)"
    run 0 run long.yaml -o s/r.h5
    finished s/r.h5 >now
    check "$where: the next run completes" cmp -s records now
}
run_printed() { # in a shell that finds our program
    mkdir -p bin
    ln -sf "$program" bin/sharpsweep
    PATH=$dir/bin:$PATH sh ./printed >out 2>err
    status=$?
    check "status $status of the printed command" [ "$status" -eq 75 ] || [ "$status" -eq 0 ]
    joined=$(ls s/*.new.h5 2>/dev/null | head -1)
    if [ -n "$joined" ]; then
        finished "$joined" >now
        check "all that was finished is joined" [ "$(wc -l <now)" -ge "$(wc -l <said)" ]
        rm -rf s/r.h5*
        mv "$joined" s/r.h5
        mv "$joined.journal" s/r.h5.journal
    fi
}
if have_shim; then
    for n in 0 3 40; do two_writers $n; done
    # Alone it works, with a warning.
    rm -rf s && mkdir s
    small_job job.yaml 3 '[0.05, 0.1]' 1
    faulty "lock:ENOLCK:1+:$dir/s*" run job.yaml -o s/r.h5
    check "without locks, alone: status $status" [ "$status" -eq 0 ]
    has err 'locks'
else
    echo "skipped: two writers without locks: no shim for this build"
fi

# ---- modes ------------------------------------------------------------------------------------------------------------
small_job job.yaml 3 '[0.05, 0.1]' 1
modes() { # UMASK - modes of all that a sweep leaves
    rm -rf m && mkdir m
    (umask "$1" && sed 's/progress_s: 1/save_weights: true/' job.yaml >m.yaml && "$program" run m.yaml -o m/r.h5 >out 2>err) || fail "umask $1"
    find m -mindepth 1 -type f -printf '%m\n' -o -mindepth 1 -type d -printf 'd%m\n' | sort -u | tr '\n' ' '
}
check "umask 077: $(modes 077)" [ "$(modes 077)" = '600 d700 ' ]
check "umask 022: $(modes 022)" [ "$(modes 022)" = '644 d755 ' ]
check "umask 002: $(modes 002)" [ "$(modes 002)" = '664 d775 ' ]

# ---- a second user ------------------------------------------------------------------------------------------------------
if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
    echo "skipped: a second user: only root can become nobody (setpriv)"
    finish
fi
chmod 755 "$dir"
mkdir -m 1777 tmp
mkdir -p bin
rm -f bin/sharpsweep
cp "$program" bin/sharpsweep
second() { # STATUS COMMAND... - as nobody, of group nogroup
    expected=$1
    shift
    n_checks=$((n_checks + 1))
    TMPDIR=$dir/tmp HOME=$dir/tmp setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/bin/sharpsweep" "$@" >out 2>err
    status=$?
    [ "$status" -eq "$expected" ] || fail "nobody: sharpsweep $*: status $status, not $expected"
}
one_sentence() { # TEXT
    check "one sentence" [ "$(grep -c '^sharpsweep: ' err)" -eq 1 ]
    check "nothing but it" [ "$(wc -l <err)" -eq 1 ]
    has err "$1"
}
second 0 --version
make() { # FOLDER MODE UMASK - a finished sweep of ours there
    mkdir -m "$2" "$1"
    (umask "$3" && "$program" run job.yaml -o "$1/r.h5" >out 2>err) || fail "run in $1"
}
unchanged() { # FOLDER
    (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2) >now
    same before now
}
# May read.
for mode in 755 1777; do
    make read$mode $mode 022
    rm -rf s && cp -rp read$mode s
    (cd s && find . -type f -exec sha256sum {} + | sort -k 2) >before
    for command in show status verify; do
        second 0 $command s/r.h5
        check "$command says nothing else" [ ! -s err ]
    done
    results s/r.h5 >ours
    second 0 show s/r.h5 --csv
    check 'the same rows' [ "$(wc -l <out)" -eq 5 ]
    second 0 merge tmp/merged$mode.h5 s/r.h5
    for command in 'run job2.yaml -o s/r.h5' 'verify s/r.h5 --repair' 'merge s/r.h5 tmp/merged755.h5'; do
        small_job job2.yaml 3 '[0.05, 0.1, 0.2]' 1
        printf torn >>s/r.h5.journal # so that there is something to repair
        (cd s && find . -type f -exec sha256sum {} + | sort -k 2) >before
        # shellcheck disable=SC2086
        second 2 $command
        one_sentence 'Permission denied'
        unchanged s
    done
    check "nothing is left of nobody's attempts" [ -z "$(find s ! -name r.h5 ! -name r.h5.journal -type f)" ]
done
# Has no access.
make closed 755 077
for command in 'show closed/r.h5' 'status closed/r.h5' 'verify closed/r.h5' 'verify closed/r.h5 --repair' 'merge tmp/x.h5 closed/r.h5'; do
    # shellcheck disable=SC2086
    second 2 $command
    one_sentence 'Permission denied'
done
check "nothing was begun" [ ! -e tmp/x.h5 ]
# The report, where nobody can read the program's Python.
second 0 show read755/r.h5
"$program" report read755/r.h5 -o tmp/ours >out 2>err
status=$?
TMPDIR=$dir/tmp HOME=$dir/tmp setpriv --reuid=65534 --regid=65534 --clear-groups "$program" report read755/r.h5 -o tmp/theirs >out 2>err
theirs=$?
if [ $theirs -ge 126 ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$here/../../analysis/report.py"; then
    echo "skipped: the report of a second user: the build folder is closed to nobody"
else
    check "nobody's report: status $theirs, ours $status" [ "$theirs" -eq "$status" ]
    TMPDIR=$dir/tmp HOME=$dir/tmp setpriv --reuid=65534 --regid=65534 --clear-groups "$program" report closed/r.h5 -o tmp/none >out 2>err
    check "a closed file: status $?, not 2" [ $? -eq 2 ]
fi
# May write: a group's folder. Whoever replaces a file leaves it to the others, too.
mkdir -m 2775 group
chgrp 65534 group
(umask 002 && "$program" run job.yaml -o group/r.h5 >out 2>err) || fail 'run in the group folder'
cp job2.yaml tmp/job2.yaml
(umask 002 && second 0 run tmp/job2.yaml -o group/r.h5)
check "nobody goes on: $(cat err)" grep -q '6 of 6 points finished' out
small_job job3.yaml 3 '[0.05, 0.1, 0.2, 0.3]' 1
(umask 002 && "$program" run job3.yaml -o group/r.h5 >out 2>err) || fail 'and we after nobody'
check "all are there" [ "$(finished group/r.h5 | wc -l)" -eq 8 ]
finish
