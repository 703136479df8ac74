#!/bin/sh
# Rules of the house that a machine can see: sizes, languages, printing, allocation, unfinished work, machines' paths.
set -eu
cd "$1"
faults=0
fault() {
    echo "$1"
    faults=$((faults + 1))
}
longer() { # LIMIT FILE...
    limit=$1
    shift
    for f; do
        lines=$(wc -l <"$f")
        [ "$lines" -le "$limit" ] || fault "$f has $lines lines, more than $limit"
    done
}
found() { # WHAT PATTERN FILE...
    what=$1 pattern=$2
    shift 2
    hits=$(grep -nE "$pattern" "$@" /dev/null || true)
    [ -z "$hits" ] || fault "$what:
$hits"
}
longer 500 src/*/*.c tests/*/*.c
longer 200 include/sharpsweep/*.h
found 'words of unfinished work' 'TODO|FIXME|(^|[^X])XXX([^X]|$)|HACK|not implemented|for now' src/*/*.[ch] include/sharpsweep/*.h tests/*/*.[ch]
found 'libc allocation (use ss_alloc)' '(^|[^_[:alnum:]])(malloc|calloc|realloc|strdup)[[:space:]]*\(' $(ls src/*/*.c | grep -v '^src/base/')
found 'printing below app' '(^|[^_[:alnum:]])(printf|puts|putchar)[[:space:]]*\(' $(ls src/*/*.c | grep -v '^src/app/')
found 'exit below app' '(^|[^_[:alnum:]])(exit|abort)[[:space:]]*\(' $(ls src/*/*.c | grep -v '^src/app/')
found 'tabs' "$(printf '\t')" src/*/*.[ch] include/sharpsweep/*.h tests/*/*.[ch]
long=$(awk 'length($0) > 130 {print FILENAME ":" FNR ": " length($0) " columns"}' src/*/*.[ch] include/sharpsweep/*.h)
[ -z "$long" ] || fault "long lines:
$long"
# Functions: from a line that starts in column 1 and ends in ")" to the "}" in column 1.
long=$(awk '/^[a-z].*\)$/ && !/;/ {name = $0; start = FNR} /^}/ {if (start && FNR - start > 60) print FILENAME ":" start ": " FNR - start " lines: " name; start = 0}' src/*/*.c)
[ -z "$long" ] || fault "functions longer than 60 lines:
$long"
python=$(find . -name '*.py' -not -path './analysis/*' -not -path './slurm/spack/*' -not -path './build*' -not -path './.git/*')
[ -z "$python" ] || fault "Python outside analysis/: $python"
found 'paths of a machine' '/(home|root|work)/[a-z]' $(find src include tests jobs slurm analysis README.md meson.build -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.y*ml' -o -name meson.build -o -name '*.sbatch' \) | grep -v '^tests/style/house.sh$')
echo "$faults faults"
[ "$faults" -eq 0 ]
