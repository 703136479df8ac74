#!/bin/sh
# million.sh SHARPSWEEP - rank 0 with a grid of 1,000,000 points: its peak memory (which must stay under 1 GiB) and how long it
# takes until the first point starts and until the file of a million rows is closed. Needs 2 GB of disk below TMPDIR.
set -eu
program=$1
case $program in /*) ;; *) program=$PWD/$program ;; esac
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-million-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
cp "$here/../cli/million.yaml" job.yaml
begin=$(date +%s)
"$program" run job.yaml --progress plain >out 2>err &
pid=$!
peak=0 first=
while kill -0 "$pid" 2>/dev/null; do
    now=$(awk '$1 == "VmHWM:" {print $2}' "/proc/$pid/status" 2>/dev/null || true)
    [ -z "$now" ] || [ "$now" -le "$peak" ] || peak=$now
    if [ -z "$first" ] && grep -q ' point ' err; then
        first=$(($(date +%s) - begin))
        sleep 5 # some thousand points, their forecast and their ranking
        : >job.h5.stop
    fi
    sleep 0.2
done
status=0
wait "$pid" || status=$?
[ "$status" -eq 75 ] || {
    cat out
    tail -5 err
    exit 1
}
n=$(grep -c ' point ' err)
echo "1000000 points: $((peak / 1024)) MiB at most, first point finished after $first s, $n points in 5 s, closed after $(($(date +%s) - begin)) s"
[ "$peak" -gt 0 ] && [ "$peak" -lt 1048576 ]
