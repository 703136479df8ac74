#!/bin/sh
# kept.sh PROGRAM ROOT - files of earlier programs, as analysis/SCHEMA.md promises: every archive in tests/cli/kept (named by
# the commit whose program made it) is read, verified, merged, rebuilt, reported, its weights measured; it is continued, or
# refused and left as it is. All hold the same four points, of which two diverged.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
root=$2
# near FILE - has its two trained points, within rounding?
near() {
    column "$1" lambda_max | awk 'NR <= 2 {d = $1 - (NR == 1 ? 0.87645524 : 0.97132060); if (d > 1e-6 || d < -1e-6) bad = 1}
        END {exit bad || NR < 4}'
}
sum_of() { # FOLDER, without what these tests write there themselves
    find "$1" -type f ! -path ./out ! -path ./err -exec sha256sum {} + | sort
}
n=0
for archive in "$root"/tests/cli/kept/*.tar.gz; do
    commit=$(basename "$archive" .tar.gz)
    n=$((n + 1))
    mkdir "$dir/$commit" && cd "$dir/$commit" || exit 1
    tar xzf "$archive" || exit 1
    sum_of . >"$dir/before"
    run 0 show kept.h5
    check "$commit: 4 points" [ "$(wc -l <out)" -eq 5 ]
    check "$commit: its numbers" near kept.h5
    run 0 show kept.h5 --csv
    run 0 status kept.h5
    has out '4 points: 4 finished (2 diverged'
    run 0 verify kept.h5
    run 0 merge ../"$commit".all.h5 kept.h5
    check "$commit: merged" near ../"$commit".all.h5
    for weights in kept.weights/*.h5; do
        point=$(column kept.h5 id | grep -n "$(basename "$weights" .h5)" | cut -d: -f1)
        run 0 curvature kept.yaml --weights "$weights" --point $((point - 1))
        check "$commit: lambda_max of $weights" awk -v want="$(column kept.h5 lambda_max | sed -n "${point}p")" \
            '$1 == "lambda_max" {d = $2 - want; if (d < 0) d = -d; found = d <= 1e-6 * want} END {exit !found}' out
    done
    if /usr/bin/python3 -c 'import h5py, scipy, matplotlib' 2>/dev/null; then
        n_checks=$((n_checks + 1))
        /usr/bin/python3 -B "$root/analysis/findings.py" kept.h5 -o "$dir/report-$commit" >out 2>err || fail "$commit: findings.py"
    else
        echo "skipped: findings.py on $commit: Python's h5py, scipy or matplotlib is missing"
    fi
    sum_of . >"$dir/after"
    same "$dir/before" "$dir/after"

    # Either of the two from the other.
    mkdir journal results
    cp kept.h5.journal journal
    run 0 verify --repair journal/kept.h5
    check "$commit: made anew from the journal" near journal/kept.h5
    cp kept.h5 results
    run 0 verify --repair results/kept.h5
    cp results/kept.h5.journal journal/again.h5.journal
    run 0 verify --repair journal/again.h5
    check "$commit: the journal made anew from the results" near journal/again.h5

    # One more learning rate: its two points are computed and the others kept, or nothing happens.
    sed 's/0\.05,/0.05, 0.1,/' kept.yaml >more.yaml
    sum_of . >"$dir/before"
    "$program" run more.yaml -o kept.h5 --progress plain >out 2>err
    case $? in
    0)
        n_checks=$((n_checks + 1))
        has out '6 of 6 points finished, 2 of them now'
        check "$commit: continued" near kept.h5
        continued=yes
        ;;
    2)
        check "$commit: one sentence" [ "$(wc -l <err)" -eq 1 ]
        has err 'write to another file (-o)'
        sum_of . >"$dir/after"
        same "$dir/before" "$dir/after"
        ;;
    *) fail "$commit: one more learning rate: neither continued nor refused" ;;
    esac
done
check "archives: $n" [ "$n" -ge 2 ]
check "the latest numbers are continued" [ "${continued:-no}" = yes ]

# A newer version of the format is refused by name, whatever else is in the file.
cd "$dir" || exit 1
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cp f5c2b02/results/kept.h5 newer.h5
    /usr/bin/python3 - <<'PYTHON'
import h5py
with h5py.File('newer.h5', 'r+') as f:
    f.attrs['schema_version'] = f.attrs['schema_version'] + 1
PYTHON
    for command in show status verify; do
        run 2 $command newer.h5
        has err 'use the newer sharpsweep that made it'
    done
fi
finish
