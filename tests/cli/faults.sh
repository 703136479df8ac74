# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154
# faults.sh - for scripts that let system calls fail, after lib.sh. tests/shim/shim.c says what a rule is.
shim=${SHARPSWEEP_SHIM:-${program%/*}/tests/shim/shim.so}
case $shim in /*) ;; *) shim=$OLDPWD/$shim ;; esac
have_shim() {
    [ -e "$shim" ] && nm -D "$program" 2>/dev/null | grep -q __asan_init && return 1 # the sanitizer wants to be first
    [ -e "$shim" ] && LD_PRELOAD=$shim "$program" --version >/dev/null 2>&1
}
# faulty RULES COMMAND... - runs the program under the shim; sets $status, and $fired: how often a rule took effect. The log of calls
# below $dir/s stands in the file calls.
faulty() {
    rules=$1
    shift
    rm -f calls
    LD_PRELOAD=$shim SHIM_FAIL=$rules SHIM_LOG=$dir/calls SHIM_PATHS="$dir/s*" timeout 60 "$program" "$@" >out 2>err
    status=$?
}
# Rows that are finished, sorted, without the columns that differ from run to run, `error` among them: that the weights of a finished
# point could not be written stands there. Nothing where there are no results at all.
finished() { # FILE.h5
    if [ -e "$1" ] || [ -e "$1.journal" ]; then
        results "$1" 2>>finished.err | awk -F, '
            NR == 1 {for (i = 1; i <= NF; i++) {if ($i == "error") e = i; if ($i == "status") s = i}; next}
            $s != "pending" && $s != "failed" {$e = ""; print}' | sort
    fi
}
# all_known AFTER - of the results s/r.h5: every finished row is the undisturbed run's (file records), those of the file `before` and
# those that the log calls done are among them.
all_known() {
    : >finished.err
    finished s/r.h5 >now
    check "$1: it can be read: $(head -1 finished.err)" [ "$(grep -c '^sharpsweep: ' finished.err)" -eq 0 ]
    check "$1: a record is not the undisturbed run's" test -z "$(comm -23 now records)"
    check "$1: a finished point is gone" test -z "$(comm -23 before now)"
    n_said=$(($(wc -l <before) + $(grep -c ': done,' err)))
    check "$1: $n_said points were said to be finished, $(wc -l <now) are there" [ "$(wc -l <now)" -ge "$n_said" ]
}
# What lies in s, with its checksums.
snapshot() {
    (cd s && find . -type f -exec sha256sum {} + -o -type d -print | sort -k 2)
}
