#!/bin/sh
# Under the shell's limits on memory (ulimit -v) and on files (ulimit -f) every command ends, within seconds, with a result or
# with a sentence: it neither hangs nor dies by a signal, and nothing that was finished is lost.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# limited LETTER LIMIT COMMAND... - status, out and err of the program; 124: it hung.
limited() {
    letter=$1 limit=$2
    shift 2
    (
        # shellcheck disable=SC3045
        ulimit "$letter" "$limit"
        exec timeout -s KILL 60 "$program" "$@" >out 2>err
    )
    status=$?
    n_checks=$((n_checks + 1))
    case $status in
    0 | 1 | 2 | 3 | 75) ;;
    127) check "the loader says why" [ -s err ] ;; # not even the libraries fit
    *) fail "ulimit $letter $limit; sharpsweep $*: status $status" ;;
    esac
}
small_job job.yaml 3 '[0.1, 0.2]' 1
sed 's/widths: \[16\]/widths: [16], numerics: exact/' job.yaml >exact.yaml
run 0 run job.yaml -o a.h5 --progress none
cp a.h5 whole.h5
cp a.h5.journal whole.h5.journal

# Closed standard streams: nothing of the sweep's own takes their numbers.
"$program" run job.yaml -o closed.h5 --progress plain </dev/null >&- 2>&-
check "without streams: status $?" [ "$(column closed.h5 status | grep -c done)" -eq 4 ]

# A sanitizer takes terabytes of addresses.
# shellcheck disable=SC3045
if (ulimit -v 4000000 && "$program" --version) >/dev/null 2>&1; then
    for limit in 50000 80000 100000 150000 200000 300000 500000 2000000; do
        limited -v "$limit" --version
        loads=$status
        limited -v "$limit" --help
        limited -v "$limit" show a.h5
        limited -v "$limit" plan job.yaml -o none.h5
        limited -v "$limit" plan exact.yaml -o none.h5
        [ "$status" -ne 2 ] || has err 'numerics: exact needs'
        if [ "$limit" -le 300000 ]; then limited -v "$limit" report a.h5 -o rep; fi # numpy's BLAS would wait for memory for ever
        rm -f b.h5*
        limited -v "$limit" run exact.yaml -o b.h5 --progress none
        [ "$status" -eq 0 ] || [ "$loads" -ne 0 ] || has err 'sharpsweep: '
    done
    check "with 2 GB all goes well" [ "$status" -eq 0 ]
fi

# In blocks of 512 bytes, or of 1024, as the shell likes. The journal is the smaller one of the two files.
for limit in 4 16 24 40; do
    rm -f b.h5* c.h5*
    limited -f "$limit" run job.yaml -o deep/er/b.h5 --progress none
    [ "$status" -ne 2 ] || check "a refusal leaves no folder" [ ! -e deep ]
    rm -rf deep
    limited -f "$limit" run job.yaml -o b.h5 --progress none
    [ "$status" -eq 0 ] || has err 'File too large'
    cp whole.h5 c.h5
    cp whole.h5.journal c.h5.journal
    limited -f "$limit" run job.yaml -o c.h5 --progress none # nothing is left to do
    run 0 run job.yaml -o c.h5 --progress none
    has out 'all 4 points were finished already'
    rm -f m.h5*
    limited -f "$limit" merge m.h5 a.h5
    [ "$status" -eq 0 ] || has err 'File too large'
    printf 'xx' | dd of=c.h5 bs=1 seek=3000 conv=notrunc 2>/dev/null
    limited -f "$limit" verify --repair c.h5
    [ "$status" -eq 0 ] || has err 'File too large'
    run 0 verify --repair c.h5
    run 0 run job.yaml -o c.h5 --progress none
    has out 'all 4 points were finished already'
done
finish
