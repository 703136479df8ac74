/* point.c - a point's identity: what determines its result, hashed. Every identity key counts, also one that happens not
 * to matter for this point (the widths of a vgg11): a rule that needs no thought is never wrong, and its price is a point
 * computed twice. Only optional keys at their defaults do not count, so that points keep the identity that they had before
 * there were such keys. Where data lies and how fast it is computed (data_dir, threads) does not count; the data's digest
 * does. */
#include "parts.h"

#include <string.h>

/* To be raised whenever the same settings give other numbers than before: old points are then computed anew. */
#define SS_NUMERICS "2"

static void add_line(ss_sha256 *h, const char *name, const char *value)
{
    ss_sha256_update(h, name, strlen(name));
    ss_sha256_update(h, "=", 1);
    ss_sha256_update(h, value, strlen(value));
    ss_sha256_update(h, "\n", 1);
}

void ss_point_identify(const ss_settings *s, const char *data_digest, char id[SS_ID_BYTES])
{
    size_t n;
    const ss_key *key = ss_keys(&n);
    char value[512], digest[SS_DIGEST_BYTES];
    ss_sha256 h;
    ss_sha256_init(&h);
    for (size_t i = 0; i < n; i++) {
        if (!key[i].identity) continue;
        if (key[i].type == SS_LAYERS) { /* of any length */
            add_line(&h, key[i].name, s->layers ? s->layers : "");
            continue;
        }
        ss_key_format(&key[i], s, value, sizeof value);
        if (key[i].optional && strcmp(value, key[i].fallback) == 0) continue;
        add_line(&h, key[i].name, value);
    }
    add_line(&h, "data_digest", data_digest);
    add_line(&h, "numerics", SS_NUMERICS);
    ss_sha256_finish(&h, digest);
    memcpy(id, digest, SS_ID_BYTES - 1);
    id[SS_ID_BYTES - 1] = '\0';
}
