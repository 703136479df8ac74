/* hash.h - SHA-256's inner loop: in C, and by the processor's own instructions for it. Private to src/base and its tests. */
#ifndef SHARPSWEEP_BASE_HASH_H
#define SHARPSWEEP_BASE_HASH_H

#include "sharpsweep/base.h"

extern const uint32_t ss_sha256_constant[64];
void ss_sha256_compress(uint32_t state[8], const unsigned char *block, size_t n_blocks); /* 64 bytes each */
bool ss_sha256_has_instructions(void);
void ss_sha256_compress_x86(uint32_t state[8], const unsigned char *block, size_t n_blocks); /* only where there are */

#endif
