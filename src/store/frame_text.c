/* frame_text.c - a cell as people write it: what `show` prints and CSV holds. */
#include "frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double ss_frame_number(const ss_variable *v, size_t i)
{
    int64_t whole;
    switch (v->cell) {
    case SS_CELL_INT8: return ((const int8_t *)v->data)[i];
    case SS_CELL_INT64:
        whole = ((const int64_t *)v->data)[i];
        if (v->source == SS_FROM_SETTING && v->key && v->key->word && whole == SS_WORD) return NAN;
        if (v->source == SS_FROM_FIELD && whole == SS_FILL_INT) return NAN;
        return (double)whole;
    case SS_CELL_REAL: return ((const double *)v->data)[i];
    default: return NAN;
    }
}

static void setting_text(const ss_variable *v, size_t i, char *out, size_t out_bytes)
{
    ss_settings s;
    memset(&s, 0, sizeof s);
    char *member = (char *)&s + v->key->offset;
    bool flag;
    switch (v->cell) {
    case SS_CELL_INT8:
        flag = ((const int8_t *)v->data)[i] != 0;
        memcpy(member, &flag, sizeof flag);
        break;
    case SS_CELL_INT64: memcpy(member, (const int64_t *)v->data + i, sizeof(int64_t)); break;
    default: memcpy(member, (const double *)v->data + i, sizeof(double)); break;
    }
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
    int8_t code;
    out[0] = '\0';
    if (v->cell == SS_CELL_TEXT) {
        snprintf(out, out_bytes, "%s", ((const char *const *)v->data)[i]);
        return;
    }
    if (v->source == SS_FROM_SETTING) {
        setting_text(v, i, out, out_bytes);
        return;
    }
    switch (v->cell) {
    case SS_CELL_INT8:
        code = ((const int8_t *)v->data)[i];
        if (v->field->type == SS_FIELD_STATUS && code >= 0 && code < SS_N_STATUS)
            snprintf(out, out_bytes, "%s", ss_status_name[code]);
        if (v->field->type == SS_FIELD_STOP && code >= 0 && code < SS_N_STOP)
            snprintf(out, out_bytes, "%s", ss_stop_name[code]);
        return;
    case SS_CELL_INT64:
        if (((const int64_t *)v->data)[i] != SS_FILL_INT) /* what is unknown is an empty cell */
            snprintf(out, out_bytes, "%lld", (long long)((const int64_t *)v->data)[i]);
        return;
    default:
        if (has_record) real_text(((const double *)v->data)[i], out, out_bytes);
    }
}
