#!/bin/sh
# Every public header compiles alone, in both precisions, in C and seen from C11 without GNU extensions.
set -eu
cd "$1"
for header in include/sharpsweep/*.h; do
    for real in "" -DSS_REAL_DOUBLE; do
        printf '#include "%s"\n#include "%s"\nint main(void) { return 0; }\n' "$header" "$header" |
            ${CC:-cc} -std=c11 -I. -Iinclude -Wall -Wextra -pedantic -Werror $real -fsyntax-only -x c -
    done
done
ls include/sharpsweep/*.h | wc -l
