#!/bin/sh
# flips.sh PROGRAM [OPTION...] - damaged bytes in results file and journal, one way after the other: analysis/check_flips.py says what
# must hold, and its options (--all for every bit).
python=/usr/bin/python3
[ -x $python ] || { echo "skipped: flips: no $python here"; exit 77; }
exec $python "$(dirname "$0")/../../analysis/check_flips.py" "$@"
