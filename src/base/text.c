/* text.c - any bytes as a terminal may show them. What comes out of a file, a name or another program could otherwise move the
 * cursor, change colours or the clipboard, break a line in two, or read in another order than it stands. */
#include "sharpsweep/base.h"

#include <stdio.h>
#include <string.h>

typedef struct range { uint32_t first, last; } range;

static bool is_in(const range *list, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= list[i].first && c <= list[i].last) return true;
    return false;
}

/* The character that begins at p, and its length; 0: there is no UTF-8 (overlong, surrogates and beyond 0x10ffff are none). */
static size_t decode(const unsigned char *p, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4) return 0;
    *c = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0; /* the final zero too */
        *c = *c << 6 | (p[i] & 0x3f);
    }
    return *c >= least[n] && *c <= 0x10ffff && !(*c >= 0xd800 && *c < 0xe000) ? n : 0;
}

size_t ss_text_utf8(const char *text)
{
    uint32_t c;
    return decode((const unsigned char *)text, &c);
}

/* C1 controls; marks, embeddings, overrides and isolates of direction; line and paragraph separators; what nobody sees. */
static bool is_hidden(uint32_t c)
{
    static const range list[] = {{0x80, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
                                 {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    return is_in(list, sizeof list / sizeof *list, c);
}

const char *ss_text_step(const char *text, char shown[SS_SHOWN_BYTES])
{
    uint32_t c = 0;
    size_t n = decode((const unsigned char *)text, &c);
    unsigned byte = (unsigned char)*text;
    if (c == '\t' || c == '\n') strcpy(shown, c == '\t' ? "\\t" : "\\n");
    else if (n == 0 || c < 0x20 || c == 0x7f) snprintf(shown, SS_SHOWN_BYTES, "\\x%02x", byte);
    else if (is_hidden(c)) snprintf(shown, SS_SHOWN_BYTES, "\\u{%x}", (unsigned)c);
    else {
        memcpy(shown, text, n);
        shown[n] = '\0';
    }
    return text + (n ? n : 1);
}

size_t ss_text_printable(const char *text, char *out, size_t out_bytes)
{
    char shown[SS_SHOWN_BYTES];
    size_t n = 0, needed = 0;
    while (*text) {
        text = ss_text_step(text, shown);
        size_t k = strlen(shown);
        if (n == needed && n + k < out_bytes) {
            memcpy(out + n, shown, k);
            n += k;
        }
        needed += k;
    }
    if (out_bytes) out[n] = '\0';
    return needed;
}

void ss_text_show(const char *text, char *out, size_t out_bytes)
{
    if (ss_text_printable(text, out, out_bytes) < out_bytes) return;
    size_t n = strlen(out);       /* whole characters, so many as fit */
    if (n > out_bytes - 4) n = out_bytes - 4;
    while (n > 0 && ((unsigned char)out[n] & 0xc0) == 0x80) n--;
    memcpy(out + n, "...", 4);
}

ss_printable ss_printable_of(const char *text)
{
    ss_printable p;
    ss_text_show(text ? text : "", p.text, sizeof p.text);
    return p;
}

/* As terminals do: combining characters take no column, East Asian wide ones and pictures two. */
size_t ss_text_columns(const char *text)
{
    static const range none[] = {{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x610, 0x61a}, {0x64b, 0x65f}, {0x200b, 0x200d},
                                 {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const range wide[] = {{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0xa4cf},
                                 {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60},
                                 {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
                                 {0x20000, 0x3fffd}};
    size_t columns = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        uint32_t c = 0;
        size_t n = decode(p, &c);
        p += n ? n : 1;
        if (n < 2) columns++;
        else if (!is_in(none, sizeof none / sizeof *none, c)) columns += is_in(wide, sizeof wide / sizeof *wide, c) ? 2 : 1;
    }
    return columns;
}
