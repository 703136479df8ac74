#!/bin/bash
# completion.sh PROGRAM - what bash offers for command lines that are half typed, by the function that `reference
# --completion` prints; its fixed words are held against what the program accepts.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
run 0 reference --completion
mv out completion
# shellcheck disable=SC1091
. ./completion
mkdir -p sub folder
touch a.yaml b.yml 'with blank.yaml' r.h5 s.h5 r.h5.journal notes.txt sub/c.yaml

# offers 'WORD WORD ...' WORDS - the last word is the one being typed; offers are sorted, with | between them.
offers() {
    expected=$1
    shift
    n_checks=$((n_checks + 1))
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _sharpsweep 2>err
    got=$(printf '%s\n' "${COMPREPLY[@]}" | sort -u | paste -sd '|')
    [ "$got" = "$expected" ] || fail "$*: offered $got, expected $expected"
}
commands=$("$program" --help | sed -nE 's/^  ([a-z]+) .*/\1/p' | grep -v '^sharpsweep$' | sort)
offers "$(printf '%s\n--help\n--version\nhelp\n' "$commands" | sort -u | paste -sd '|')" sharpsweep ''
offers 'show|status|submit' sharpsweep s
offers 'reference|report' sharpsweep re
offers 'plan' sharpsweep pl
offers 'plan' sharpsweep help pl
offers '' sharpsweep rum
offers '' sharpsweep rum ''
# Files: jobs where a job is wanted, results where results are, folders on the way, nothing where the file is there already.
offers 'a.yaml|b.yml|folder|sub|with blank.yaml' sharpsweep run ''
offers 'a.yaml' sharpsweep run a
offers 'with blank.yaml' sharpsweep run 'with\ b'
offers 'sub/c.yaml' sharpsweep run sub/
offers '' sharpsweep run a.yaml ''
offers 'folder|r.h5|s.h5|sub' sharpsweep status ''
offers '' sharpsweep status r.h5 ''
offers 'r.h5' sharpsweep merge all.h5 r
offers 'folder|r.h5|s.h5|sub' sharpsweep report r.h5 ''
offers '' sharpsweep reference ''
# Options: of the command, whole, values where they take one.
offers '--csv|--help' sharpsweep show -
offers '--status-file' sharpsweep run a.yaml --st
offers '--output' sharpsweep plan --o
offers '' sharpsweep plan --progress
offers 'folder|r.h5|s.h5|sub' sharpsweep run a.yaml -o ''
offers 's.h5|sub' sharpsweep run a.yaml --output = s
offers 'folder|r.h5|s.h5|sub' sharpsweep run a.yaml --output =
offers 'folder|sub' sharpsweep report r.h5 -o ''
offers 'r.h5' sharpsweep curvature a.yaml --weights r
offers 'notes.txt' sharpsweep run --status-file no
offers 'a.yaml' sharpsweep run -o r.h5 a
offers 'a.yaml' sharpsweep run --output = r.h5 a
offers 'a.yaml' sharpsweep run --in-process a
offers '' sharpsweep run -- -
offers '' sharpsweep plan --ranks ''
offers 'auto|live|none|plain' sharpsweep run --progress ''
offers 'plain' sharpsweep run --progress = pl
offers '1|5' sharpsweep reference --man ''

# Every command's options are those that its help shows.
for command in $commands; do
    options=$("$program" "$command" --help | sed -nE 's/^ {2}.{4}(--[a-z-]+).*/\1/p' | sort -u | paste -sd '|')
    offers "$options" sharpsweep "$command" --
done
# The words offered for a value are those that the program asks for.
run 2 run a.yaml --progress none-such
offers "$(sed -E 's/.*one of ([a-z, ]+) is expected.*/\1/; s/, /\n/g' err | sort | paste -sd '|')" sharpsweep run --progress ''
run 2 submit a.yaml --launcher none-such
offers "$(sed -E 's/.*one of ([a-z, ]+) is expected.*/\1/; s/, /\n/g' err | sort | paste -sd '|')" sharpsweep submit --launcher ''
# Partitions are SLURM's.
mkdir bin
printf '#!/bin/sh\nprintf "small\\nlarge\\n"\n' >bin/sinfo
chmod +x bin/sinfo
PATH=$dir/bin:$PATH
offers 'large|small' sharpsweep submit --partition ''
offers 'small' sharpsweep submit -p s
offers '' sharpsweep curvature a.yaml -p ''
finish
