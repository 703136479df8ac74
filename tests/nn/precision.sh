#!/bin/sh
# Float against double: $1 is the float build of precision.c, $2 the double one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$1" dump "$dir/float"
"$2" dump "$dir/double"
"$1" compare "$dir/float" "$dir/double"
