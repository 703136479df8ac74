#!/bin/sh
# manual.sh ROOT PROGRAM - the manual pages that the program prints: sound mdoc, and nothing that the program knows is
# missing: commands, options, keys, layers, exit status, environment variables. The README names every command, too.
set -eu
cd "$1"
case $2 in /*) program=$2 ;; *) program=$OLDPWD/$2 ;; esac
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
faults=0 n=0
fault() {
    echo "$1"
    faults=$((faults + 1))
}
holds() { # PAGE PATTERN WHAT
    n=$((n + 1))
    grep -qE -- "$2" "$dir/$1" || fault "page $1 lacks $3"
}
for page in 1 5; do
    "$program" reference --man $page >"$dir/$page"
    ! grep -n '@[a-z]*' "$dir/$page" | grep -v 'begin with an at sign' || fault "page $page: a mark was not replaced"
    if command -v man >/dev/null 2>&1; then
        said=$(LC_ALL=C.UTF-8 man -l --warnings "$dir/$page" 2>&1 >"$dir/$page.text" </dev/null)
        [ -z "$said" ] || fault "page $page, groff: $said"
        [ "$(wc -l <"$dir/$page.text")" -gt 100 ] || fault "page $page is empty"
    else
        echo "skipped: page $page in groff: man-db is not installed"
    fi
    if command -v mandoc >/dev/null 2>&1; then # who made the page stands at its foot; the pages it names are not installed yet
        said=$(cd "$dir" && mandoc -T lint $page 2>/dev/null | grep -vE 'operating system explicitly specified|referenced manual not found' || true)
        [ -z "$said" ] || fault "page $page, mandoc: $said"
    else
        echo "skipped: page $page in mandoc: it is not installed"
    fi
done

for command in $("$program" --help | sed -nE 's/^  ([a-z]+) .*/\1/p' | grep -v '^sharpsweep$'); do
    holds 1 "^\.Ss sharpsweep $command( |\\\\)" "the command $command"
    grep -qE "^\| \`sharpsweep ${command}[\` ]" README.md || fault "README.md lacks the command $command"
    for option in $("$program" "$command" --help | sed -nE 's/^ {6}--([a-z-]+).*/\1/p; s/^  -., --([a-z-]+).*/\1/p' | grep -v '^help$'); do
        holds 1 "^\.It (Fl . , )?Fl -$option( |\$)" "--$option of $command"
    done
done
for command in $(sed -nE 's/^\| `sharpsweep ([a-z]+).*/\1/p' README.md); do
    "$program" "$command" --help >/dev/null 2>&1 || fault "README.md: there is no command $command"
done
# What the README's table shows of a command's options.
sed -nE 's/^\| (`sharpsweep [a-z]+[^|]*`) \|.*/\1/p' README.md >"$dir/rows"
while read -r row; do
    command=$(echo "$row" | sed -E 's/^`sharpsweep ([a-z]+).*/\1/')
    for option in $(echo "$row" | grep -oE -- '--?[a-z][a-z-]*'); do
        n=$((n + 1))
        "$program" "$command" --help | grep -qE -- "(^| )${option}[ ,]" || fault "README.md: $command has no $option"
    done
done <"$dir/rows"
for key in $("$program" reference | sed -nE 's/^\| `([a-z0-9_]+)` \|.*/\1/p'); do holds 5 "^\.It Ic $key( |\$)" "the key $key"; done
for layer in $(sed -n '/^static const struct type types/,/^}/s/^ *{"\([a-z0-9_]*\)".*/\1/p' src/sweep/layers.c | grep -v '^end$'); do
    holds 5 "^\.It Ic (.*, )?$layer( |\$)" "the layer $layer"
done
for status in $(sed -nE 's/^ *SS_EXIT_[A-Z_]+ = ([0-9]+).*/\1/p' src/app/app.h); do holds 1 "^\.It $status\$" "exit status $status"; done
# What tells ranks apart is the launchers' business.
for variable in $(sed -nE 's/.*getenv\("([A-Z_]+)"\).*/\1/p' src/*/*.c | grep -vE '^(OMPI|PMI)' | sort -u); do
    holds 1 "^\.It Ev $variable\$" "the environment variable $variable"
done
for variable in $(sed -nE 's/^\.It Ev ([A-Z_]+)$/\1/p' "$dir/1"); do
    grep -qE "getenv\(\"$variable\"\)" src/*/*.c || fault "page 1: the program does not know $variable"
done

# Examples: the job is one, the commands have these options.
sed -n '/^# learning rate x batch/,/^\.Ed/p' "$dir/5" | grep -v '^\.Ed' >"$dir/example.yaml"
n=$((n + 1))
"$program" where "$dir/example.yaml" >/dev/null || fault "page 5: its example is no job"
sed -nE 's/^(mpirun -n [0-9]+ )?sharpsweep ([a-z].*)/\2/p' "$dir/1" | sed 's/ *>.*//' | grep -v '^\.' >"$dir/examples"
[ "$(wc -l <"$dir/examples")" -ge 5 ] || fault "page 1 shows fewer than 5 commands"
while read -r line; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    "$program" $line --help >/dev/null || fault "page 1: sharpsweep $line"
done <"$dir/examples"
echo "$n things looked for, $faults faults"
[ "$n" -gt 100 ] && [ "$faults" -eq 0 ]
