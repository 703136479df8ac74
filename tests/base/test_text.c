/* test_text.c - what terminals are shown of any bytes, and how wide it is. */
#include "../suite.h"

#include <string.h>

#include "sharpsweep/base.h"

static const struct { const char *text, *shown; size_t columns; } rows[] = {
    {"", "", 0}, {"plain ~", "plain ~", 7}, {"C:\\a", "C:\\a", 4},
    {"\x1b[31m\a\b\x7f\r", "\\x1b[31m\\x07\\x08\\x7f\\x0d", 24}, {"a\tb\n", "a\\tb\\n", 6},
    {"\xce\xbb\xc3\xa9", "\xce\xbb\xc3\xa9", 2}, {"e\xcc\x81", "e\xcc\x81", 1}, {"\xe5\xad\xa6", "\xe5\xad\xa6", 2},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 2},
    {"\xc2\x9b" "2J", "\\u{9b}2J", 8}, {"\xc2\x80\xc2\xa0", "\\u{80}\xc2\xa0", 7}, /* C1; a blank that does not break stays */
    {"\xe2\x80\xae" "x\xe2\x81\xa6\xe2\x80\x8f", "\\u{202e}x\\u{2066}\\u{200f}", 25},
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}", 16},
    {"\xef\xbb\xbf", "\\u{feff}", 8}, {"\xf3\xa0\x81\x81", "\\u{e0041}", 9},
    {"\x9b" "2J\xff", "\\x9b2J\\xff", 10}, {"\xc3", "\\xc3", 4}, {"\xe2\x82", "\\xe2\\x82", 8}, {"\xe2\x82(", "\\xe2\\x82(", 9},
    {"\xc0\xaf\xc1\x9b", "\\xc0\\xaf\\xc1\\x9b", 16}, {"\xe0\x80\x9b", "\\xe0\\x80\\x9b", 12}, /* overlong */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", 12}, {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 16},
};

static void shown(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[64], again[64];
        CU_ASSERT_EQUAL(ss_text_printable(rows[i].text, out, sizeof out), strlen(rows[i].shown));
        CU_ASSERT_STRING_EQUAL(out, rows[i].shown);
        CU_ASSERT_EQUAL(ss_text_columns(out), rows[i].columns);
        ss_text_printable(out, again, sizeof again);
        CU_ASSERT_STRING_EQUAL(again, out);
        CU_ASSERT_STRING_EQUAL(ss_printable_of(rows[i].text).text, rows[i].shown);
    }
    CU_ASSERT_STRING_EQUAL(ss_printable_of(NULL).text, "");
}

/* All pairs of bytes: nothing that a terminal obeys, valid UTF-8 alone. */
static void any_bytes(void)
{
    for (int a = 1; a < 256; a++)
        for (int b = 1; b < 256; b++) {
            const char text[] = {(char)a, (char)b, 'x', '\0'};
            char out[32];
            ss_text_printable(text, out, sizeof out);
            for (const unsigned char *p = (const unsigned char *)out; *p; p++) {
                CU_ASSERT(*p >= 0x20 && *p != 0x7f);
                if (*p >= 0x80) CU_ASSERT(p[0] >= 0xc2 && p[0] <= 0xdf && p[1] >= (p[0] == 0xc2 ? 0xa0 : 0x80) && *++p <= 0xbf);
            }
        }
}

static void cut(void)
{
    char out[16];
    CU_ASSERT_EQUAL(ss_text_printable("ab\x1b", out, 6), 6);
    CU_ASSERT_STRING_EQUAL(out, "ab"); /* no half of an escape, and nothing behind it */
    CU_ASSERT_EQUAL(ss_text_printable("\x1bz", NULL, 0), 5);
    ss_text_show("abcdefgh", out, 8);
    CU_ASSERT_STRING_EQUAL(out, "abcd...");
    ss_text_show("abcdefg", out, 8);
    CU_ASSERT_STRING_EQUAL(out, "abcdefg");
    ss_text_show("abc\xce\xbb\xce\xbb\xce\xbb", out, 8);
    CU_ASSERT_STRING_EQUAL(out, "abc...");
    ss_text_show("abc\xce\xbb\xce\xbb", out, 8);
    CU_ASSERT_STRING_EQUAL(out, "abc\xce\xbb\xce\xbb");
}

static const ss_case cases[] = {{"shown", shown}, {"any bytes", any_bytes}, {"cut", cut}};
SS_SUITE("text", cases)
