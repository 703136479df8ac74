#!/bin/sh
# mpirun.sh N PROGRAM [ARGS...] - runs a test under mpirun on N ranks; 77 (meson: skipped) where there is no mpirun.
# Debian's Open MPI refuses root unless two variables say otherwise; they are set for root only.
command -v mpirun >/dev/null 2>&1 || { echo "mpirun.sh: no mpirun here, skipped" >&2; exit 77; }
n=$1
shift
if [ "$(id -u)" -eq 0 ]; then
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
fi
exec mpirun --oversubscribe --bind-to none -n "$n" "$@"
