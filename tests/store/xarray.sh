#!/bin/sh
# A results file as xarray (both engines) and ncdump see it, small and with chunked columns. $1: store_sample,
# $2: analysis/check_xarray.py, $3: python
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/sharpsweep-xarray-XXXXXX")
trap 'rm -rf "$folder"' EXIT
for seeds in 2 520; do
    "$1" "$folder/$seeds.h5" "$seeds"
    "$3" "$2" "$folder/$seeds.h5"
done
# A file that is none must be found out.
head -c 2000 "$folder/2.h5" >"$folder/cut.h5"
if "$3" "$2" "$folder/cut.h5" >/dev/null 2>&1; then
    echo "a file cut short passed the check"
    exit 1
fi
