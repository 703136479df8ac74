#!/bin/sh
# The whole program without a warning under gcc and clang. $1: source root, $2: build folder (for generated headers).
set -eu
cd "$1"
flags="-std=gnu11 -D_GNU_SOURCE -Iinclude -I$2/src -I$2/src/app -Wall -Wextra -Wshadow -Wconversion -pedantic -Wcast-qual -Wwrite-strings
       -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Wformat=2 -Werror -fsyntax-only"
foreign=$(pkg-config --cflags hdf5 openblas lapacke yaml-0.1 zlib | sed 's/-I/-isystem /g')
mpi=$(pkg-config --cflags ompi-c 2>/dev/null || pkg-config --cflags mpi-c | sed 's/-I/-isystem /g')
mpi=$(echo "$mpi" | sed 's/-I/-isystem /g')
n=0
for cc in gcc clang; do
    if ! command -v $cc >/dev/null; then
        echo "skipped: $cc is not installed"
        continue
    fi
    for file in src/*/*.c; do
        for real in "" -DSS_REAL_DOUBLE; do
            case "$real $file" in
            "-DSS_REAL_DOUBLE src/"[sfa]*) case $file in src/sharp/*) ;; *) continue ;; esac ;;
            esac
            variant=
            case $file in src/num/kernel_*) variant="-DSS_VARIANT=base -Wno-psabi" ;; esac
            # shellcheck disable=SC2086
            $cc $flags $foreign $mpi $real $variant "$file"
            n=$((n + 1))
        done
    done
done
echo "$n compilations without a warning"
[ "$n" -gt 20 ]
