#!/bin/sh
# run.sh NAME - runs analysis/test_NAME.py; 77 where a Python module is missing, by name.
set -eu
analysis=$(cd "$(dirname "$0")/../../analysis" && pwd)
if ! why=$(/usr/bin/python3 -c 'import h5py, scipy, matplotlib' 2>&1); then
    echo "SKIP: analysis $1: $(echo "$why" | tail -1)"
    exit 77
fi
case $1 in criteria) set -- criteria --sweeps 100 ;; esac
name=$1
shift
exec /usr/bin/python3 "$analysis/test_$name.py" "$@"
