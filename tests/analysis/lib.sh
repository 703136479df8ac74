# shellcheck shell=sh
# shellcheck disable=SC2034
# lib.sh - what the scripts of tests/analysis that start `sharpsweep report` share. Each starts with `. "$(dirname "$0")/lib.sh"`;
# $1 is the program. The working folder is temporary and goes away at the end.
program=$(realpath "$1")
SHARPSWEEP_ANALYSIS=$(cd "$(dirname "$0")/../../analysis" && pwd)
export SHARPSWEEP_ANALYSIS
if ! why=$(/usr/bin/python3 -c 'import h5py, scipy, matplotlib' 2>&1); then
    echo "SKIP: $(basename "$0" .sh): $(echo "$why" | tail -1)"
    exit 77
fi
export SHARPSWEEP_PYTHON=/usr/bin/python3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
n=0 failed=0
check() { # WHAT COMMAND...
    what=$1
    shift
    n=$((n + 1))
    if "$@"; then return; fi
    echo "FAILED: $what"
    failed=$((failed + 1))
}
