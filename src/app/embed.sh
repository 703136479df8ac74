#!/bin/sh
# embed.sh FILE - the file's bytes as C, for #include in an array.
od -An -v -tx1 "$1" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
