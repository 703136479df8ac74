/* frame_text.c - a cell as people write it: what `show` prints and CSV holds. */
#include "frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double ss_frame_number(const ss_variable *v, size_t i)
{
    if (v->cell == SS_CELL_TEXT) return NAN;
    uint64_t bits = ss_cell_get(v, i);
    int64_t whole = (int64_t)bits;
    double real;
    memcpy(&real, &bits, sizeof real);
    if (v->cell == SS_CELL_REAL) return real;
    if (v->source == SS_FROM_SETTING && v->key && v->key->word && whole == SS_WORD) return NAN;
    return v->source == SS_FROM_FIELD && v->cell == SS_CELL_INT64 && whole == SS_FILL_INT ? (double)NAN : (double)whole;
}

static void setting_text(const ss_variable *v, size_t i, char *out, size_t out_bytes)
{
    ss_settings s;
    memset(&s, 0, sizeof s);
    uint64_t bits = ss_cell_get(v, i);
    bool flag = bits != 0;
    memcpy((char *)&s + v->key->offset, v->cell == SS_CELL_INT8 ? (const void *)&flag : &bits,
           v->cell == SS_CELL_INT8 ? sizeof flag : sizeof bits);
    ss_key_format(v->key, &s, out, out_bytes);
}

static void real_text(double x, char *out, size_t out_bytes)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, out_bytes, "%.*g", digits, x);
        double back = NAN;
        if (sscanf(out, "%lf", &back) == 1 && back == x) return;
    }
    if (isnan(x)) snprintf(out, out_bytes, "nan");
}

void ss_frame_text(const ss_variable *v, size_t i, bool has_record, char *out, size_t out_bytes)
{
    out[0] = '\0';
    if (v->cell == SS_CELL_TEXT) {
        snprintf(out, out_bytes, "%s", ((const char *const *)v->data)[i]);
        return;
    }
    if (v->source == SS_FROM_SETTING) {
        setting_text(v, i, out, out_bytes);
        return;
    }
    int64_t whole = (int64_t)ss_cell_get(v, i);
    if (v->cell == SS_CELL_REAL && has_record) real_text(ss_frame_number(v, i), out, out_bytes);
    if (v->cell == SS_CELL_INT64 && whole != SS_FILL_INT) snprintf(out, out_bytes, "%lld", (long long)whole); /* else unknown */
    if (v->cell != SS_CELL_INT8) return;
    bool status = v->field->type == SS_FIELD_STATUS;
    if (whole >= 0 && whole < (status ? (int)SS_N_STATUS : (int)SS_N_STOP))
        snprintf(out, out_bytes, "%s", status ? ss_status_name[whole] : ss_stop_name[whole]);
}
