#!/bin/sh
# Whatever stands in file names, in job files and in journals: the terminal sees it as text. No escape sequence, no control, no
# broken line comes out of any command, and no formula out of CSV.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# clean FILE... - nothing but printable ASCII and whole lines.
clean() {
    for file; do
        n_checks=$((n_checks + 1))
        [ -z "$(LC_ALL=C tr -d '\n\040-\176' <"$file")" ] || fail "$file: $(od -c "$file" | head -20)"
    done
}
# say STATUS COMMAND... - the program, whose every outlet must be clean.
say() {
    run "$@"
    clean out err
}

# ---- names of files, and what a job file says
name=$(printf 'a\033[31m\nb\tc\302\233\342\200\256\377')
shown='a\x1b[31m\nb\tc\u{9b}\u{202e}\xff'
small_job "$name.yaml" 3 '[0.1, 0.2]' 1
say 0 plan "$name.yaml"
has out "$shown.yaml: 4 points"
say 0 run "$name.yaml" --progress plain --status-file "$name.word"
has out "$shown.h5: 4 of 4 points finished"
clean "$name.word"
say 0 run "$name.yaml" --progress plain
say 0 status "$name.h5"
has out "$shown.h5: 4 points"
say 0 show "$name.h5"
say 0 plan "$name.yaml"
say 2 show "$name.none"
has err "$shown.none"
say 2 run "$name.none"
say 2 plan "$name.h5"
say 2 "$name"
say 2 run "--$name"
say 2 run "$name.yaml" "$name"
say 2 run "$name.yaml" --progress "$name"
say 2 run "$name.yaml" --slice "$name"
say 2 plan "$name.yaml" --ranks "$name"
printf 'training: {learning_rate: "\302\233\033[0m"}\n' >bad.yaml
say 2 plan bad.yaml
printf 'training: {"\\e[31m\\n": 1}\n' >bad.yaml
say 2 plan bad.yaml
run 0 where "$name.yaml" # for scripts: the bytes themselves
check "where is exact" [ "$(cat out)" = "$name.h5" ]
if command -v bash >/dev/null 2>&1; then
    say 0 submit "$name.yaml" -o "it's $name.h5" --ranks 1 --dry-run
    # shellcheck disable=SC2016
    { sed '/^SWEEP_PROGRAM=/,$d' out && echo 'printf "%s|%s|" "$1" "$2"'; } >head.sh
    bash head.sh >words
    printf '%s|%s|' "$PWD/$name.yaml" "$PWD/it's $name.h5" >expected
    same words expected
fi

# ---- texts of a journal: what a point's error and host are, only its writer knows
cat >forge.py <<'PYTHON'
import struct, sys, zlib
old = b'its process ended with signal 11 (Segmentation fault)'
new = sys.argv[3].encode().decode('unicode_escape').encode('latin-1')
data = bytearray(open(sys.argv[1], 'rb').read())
assert old in data
at = 256
while data[at:at + 4] == b'SSJE':
    kind, n, crc = struct.unpack('<III', data[at + 4:at + 16])
    body = bytes(data[at + 16:at + 16 + n]).replace(old[:len(new)], new)
    data[at + 16:at + 16 + n] = body
    data[at + 12:at + 16] = struct.pack('<I', zlib.crc32(body, zlib.crc32(bytes(data[at + 4:at + 12]))))
    at += 16 + n
open(sys.argv[2], 'wb').write(data)
PYTHON
if command -v python3 >/dev/null 2>&1; then
    small_job job.yaml 3 '[0.1, 0.2]' 1
    SHARPSWEEP_FAULT=segv@phase=train,point=1 "$program" run job.yaml --progress none >/dev/null 2>&1
    has_fault=$?
    check "one point fails" [ "$has_fault" -eq 3 ]
    host=$(column job.h5 host | head -1)
    forge() { # NEW - in place of the first bytes of the point's error
        rm -f forged.h5*
        python3 forge.py job.h5.journal forged.h5.journal "$1" || fail "forge.py"
    }
    forge '\x1b]0;evil\x07\x1b[2J\n\r\t\x7f\xc2\x85\xe2\x80\xa8'
    say 0 status forged.h5
    has out '\x1b]0;evil\x07\x1b[2J\n\x0d\t\x7f\u{85}\u{2028}'
    say 0 show forged.h5
    say 0 show forged.h5 --csv
    has out '\x1b]0;evil\x07\x1b[2J\n\x0d\t\x7f\u{85}\u{2028}'
    check "a row is a line" [ "$(wc -l <out)" -eq 5 ]
    say 0 plan job.yaml -o forged.h5
    forge '=HYPERLINK("http://x/",1)'
    run 0 show forged.h5 --csv
    has out ',"'"'"'=HYPERLINK(""http://x/"",1)gnal 11'
    forge '@SUM(1+9)*cmd|calc!A0 \x1b['
    run 0 show forged.h5 --csv
    has out ",\"'@SUM(1+9)*cmd|calc!A0 \\x1b["
    check "numbers are plain" [ -z "$(column forged.h5 lambda_residual | grep "['\"]")" ]
    check "the forged file has the host" [ "$(column forged.h5 host | head -1)" = "$host" ]
fi
finish
