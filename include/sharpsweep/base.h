/* base.h - floor 0: texts, errors, log, clock, memory, counter-based random numbers, hashing.
 * Uses libc only. Everything above stands on this and may call it freely. */
#ifndef SHARPSWEEP_BASE_H
#define SHARPSWEEP_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number type of parameters and activations. Floors num, data, nn, train and sharp build twice: in float for
 * the program, in double (-DSS_REAL_DOUBLE) so that tests can hold derivatives to 1e-9. */
#ifdef SS_REAL_DOUBLE
typedef double ss_real;
#else
typedef float ss_real;
#endif

/* ---- texts: whatever did not come from this program's own source is shown through one of these ------------------------
 * Controls (C0, DEL, C1), line and paragraph separators, marks of direction, what is invisible, and bytes that are no UTF-8
 * become \t, \n, \xNN or \u{NNNN}; all else stays. Shown twice, a text is what it is shown once. */
enum { SS_SHOWN_BYTES = 16 };
const char *ss_text_step(const char *text, char shown[SS_SHOWN_BYTES]); /* one character of a text that is not ""; the rest */
size_t ss_text_utf8(const char *text);       /* bytes of the character that a text begins with; 0: it is no UTF-8 */
size_t ss_text_printable(const char *text, char *out, size_t out_bytes); /* bytes needed, without the final zero; cut in `out` */
void ss_text_show(const char *text, char *out, size_t out_bytes); /* the same, but what is cut ends in "..." (4 bytes or more) */
size_t ss_text_columns(const char *text);    /* of such a text, on a terminal */
/* printf("%s\n", ss_printable_of(path).text); NULL: "". */
enum { SS_PRINTABLE_BYTES = 8192 };
typedef struct ss_printable { char text[SS_PRINTABLE_BYTES]; } ss_printable;
ss_printable ss_printable_of(const char *text);

/* ---- errors ---------------------------------------------------------------------------------------------------
 * A function that can fail returns -1 (or NULL) and leaves one sentence with the offending value in `error`.
 * `error` may be NULL where the caller does not want the sentence. Outcomes (diverged, not converged) are never errors. */
enum { SS_ERROR_BYTES = 1024 };
typedef struct ss_error { char text[SS_ERROR_BYTES]; } ss_error;

int ss_fail(ss_error *error, const char *format, ...) __attribute__((format(printf, 2, 3))); /* always -1 */
/* Puts "CONTEXT: " in front of the sentence already in `error`; always -1. */
int ss_fail_in(ss_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- log: to stderr, for people; never a result channel --------------------------------------------------------- */
typedef enum ss_log_level { SS_LOG_ERROR, SS_LOG_WARNING, SS_LOG_INFO, SS_LOG_DEBUG } ss_log_level;
typedef void ss_log_sink(void *ctx, ss_log_level level, const char *line);

/* Lines above `level` are dropped; `who` ("rank 3", copied) stands in front of every line, NULL for none. */
void ss_log_configure(ss_log_level level, const char *who);
void ss_log_set_sink(ss_log_sink *sink, void *ctx); /* NULL: back to stderr */
void ss_log(ss_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- clock ------------------------------------------------------------------------------------------------------ */
enum { SS_TIME_BYTES = 32 };
double ss_clock_s(void);                     /* monotonic seconds from an arbitrary origin */
void ss_sleep_s(double seconds);             /* returns early on a signal */
void ss_time_now(char out[SS_TIME_BYTES]);   /* "2026-11-24T05:57:56Z" */
void ss_duration_format(double seconds, char out[SS_TIME_BYTES]); /* "42 s", "3 min 05 s", "2 h 10 min", "3 d 04 h" */

/* ---- files: the one place that opens, reads, writes and replaces them ---------------------------------------------
 * Sentences name the path. Nothing here blocks: what is no regular file (a pipe, a device, a folder) is refused. */
enum { SS_PATH_BYTES = 4096 };
int ss_file_open(const char *path, int flags, uint64_t *n_bytes, ss_error *error); /* O_RDONLY, O_RDWR, O_NOFOLLOW; descriptor */
int64_t ss_file_read_at(int fd, void *out, size_t n, uint64_t at); /* bytes read, fewer at the end of the file; -1: errno */
int ss_file_write_at(int fd, const void *bytes, size_t n, uint64_t at); /* all of them; -1: errno */
/* n bytes from `at` on to the same place in `to` (-1: nowhere); *crc: their CRC-32. Sentences do not name the file. */
int ss_file_copy(int from, uint64_t at, uint64_t n, int to, uint32_t *crc, ss_error *error);
/* A whole file of at most `most` bytes; *bytes (ss_free) ends in a zero that *n does not count. */
int ss_file_read(const char *path, size_t most, unsigned char **bytes, size_t *n, ss_error *error);
/* A file that takes its place as a whole: begin opens a temporary one beside `path`, of a name that no other process has; commit
 * syncs it, closes it, puts it in place and syncs the folder; abandon removes it (after commit: nothing). It has the access
 * rights of the plain file that it replaces. */
typedef struct ss_replacement { int fd; char path[SS_PATH_BYTES], temporary[SS_PATH_BYTES]; } ss_replacement; /* fd -1: none */
int ss_replacement_begin(ss_replacement *r, const char *path, ss_error *error);
/* new_only: -1 where the name is taken (errno EEXIST). keep_open: fd stays open and is the caller's on success. On failure what
 * stood at `path` still does and the temporary file is gone. */
int ss_replacement_commit(ss_replacement *r, bool new_only, bool keep_open, ss_error *error);
void ss_replacement_abandon(ss_replacement *r);
int ss_file_replace(const char *path, const void *bytes, size_t n, ss_error *error);
/* Removes what processes of this host that live no more left of `path`; "FOLDER/": of all its files ID.h5. */
void ss_file_remove_temporaries(const char *path);
/* Gives the file the name PATH.kept-TIME too, one that was free: what replaces PATH then destroys nothing. (A file system without
 * hard links: instead of its name.) */
int ss_file_keep(const char *path, char kept[SS_PATH_BYTES], ss_error *error);
void ss_file_unkeep(const char *path, const char *kept); /* undoes it: nothing has replaced PATH */
int ss_folder_sync(const char *path, ss_error *error);   /* fsync of the folder that holds `path` */
int ss_folder_make(const char *path, ss_error *error);   /* the folders that lead to the file `path`; on failure none is left */
size_t ss_folder_missing(const char *path);              /* length of the first of them that is not there; 0: all are */
void ss_folder_unmake(const char *path, size_t from);    /* removes those from that length on, as far as they are empty */

/* ---- memory ----------------------------------------------------------------------------------------------------- */
/* n * size zeroed bytes, aligned to 64; NULL when memory is gone or n * size overflows. n = 0 gives a valid pointer. */
void *ss_alloc(size_t n, size_t size);
void *ss_realloc(void *old, size_t old_n, size_t new_n, size_t size); /* contents kept, growth zeroed; NULL leaves old */
char *ss_strdup(const char *text);
void ss_free(void *p);                       /* NULL is fine */
void ss_alloc_fail_after(long n);            /* tests: the n-th allocation from now (0 = next) and all later fail; < 0: off */
size_t ss_alloc_refused(size_t n);           /* counts n failed allocations of a library; returns all that failed so far */

/* A bump allocator for buffers that live and die together. With base == NULL it only measures: run the same layout
 * function once over a measuring arena, ss_arena_init with its `used`, and again for the real pointers. */
typedef struct ss_arena { unsigned char *base; size_t used, size; } ss_arena;
int ss_arena_init(ss_arena *arena, size_t bytes, ss_error *error);
void *ss_arena_take(ss_arena *arena, size_t n, size_t size); /* 64-byte aligned, zeroed; NULL while measuring */
void ss_arena_finish(ss_arena *arena);       /* a zeroed arena is fine */

/* ---- bytes: little-endian, written and read with checks --------------------------------------------------------- */
typedef struct ss_bytes { unsigned char *p; size_t n, capacity; bool failed; } ss_bytes; /* zeroed = empty; failed: no memory */
void ss_bytes_raw(ss_bytes *b, const void *data, size_t n);
void ss_bytes_u8(ss_bytes *b, uint8_t v);
void ss_bytes_u32(ss_bytes *b, uint32_t v);
void ss_bytes_u64(ss_bytes *b, uint64_t v);
void ss_bytes_text(ss_bytes *b, const char *text); /* u32 length, bytes; NULL is "" */
void ss_bytes_set_u32(unsigned char *p, uint32_t v);
uint32_t ss_bytes_get_u32(const unsigned char *p);
void ss_bytes_finish(ss_bytes *b);
/* A reading position. After a read beyond the end, `bad` is set and everything read is zero or empty. */
typedef struct ss_view { const unsigned char *p, *end; bool bad; } ss_view;
const unsigned char *ss_view_raw(ss_view *v, size_t n); /* NULL when bad */
uint8_t ss_view_u8(ss_view *v);
uint32_t ss_view_u32(ss_view *v);
uint64_t ss_view_u64(ss_view *v);
const char *ss_view_text(ss_view *v, size_t *n);   /* not terminated; free of zero bytes; "" when bad */
size_t ss_view_left(const ss_view *v);

/* ---- pool: many small pieces of memory that never move and live until the pool is finished ------------------------ */
typedef struct ss_pool { struct ss_pool_block *head; } ss_pool; /* zeroed = empty */
void *ss_pool_take(ss_pool *pool, size_t n, size_t size);       /* zeroed; NULL: memory is gone */
char *ss_pool_strdup(ss_pool *pool, const char *text);
void ss_pool_finish(ss_pool *pool);

/* ---- words: texts kept once each, numbered; they never move and live until the words are finished ----------------- */
typedef struct ss_words {                    /* zeroed = empty */
    uint32_t n, capacity, n_slots;
    const char **text;                       /* (n) */
    uint32_t *slot;                          /* (n_slots) 1 + number, 0 free; n_slots is a power of 2 */
    ss_pool pool;                            /* the texts */
} ss_words;
#define SS_NO_WORD UINT32_MAX
uint32_t ss_words_add(ss_words *w, const char *text, size_t n); /* its number; SS_NO_WORD: memory is gone */
const char *ss_words_keep(ss_words *w, const char *text);       /* its only copy; NULL: memory is gone */
void ss_words_finish(ss_words *w);

/* ---- random numbers: Philox4x32-10 (Salmon et al., SC'11), counter-based ----------------------------------------
 * A stream is keyed by what the numbers are for; its i-th number is a pure function of (stream, i), so that no result
 * depends on the order of draws, on the number of ranks or on restarts. */
typedef enum ss_purpose {
    SS_FOR_INIT = 1, SS_FOR_SHUFFLE, SS_FOR_DROPOUT, SS_FOR_LANCZOS, SS_FOR_SYNTHETIC, SS_FOR_PROBE, SS_FOR_TEST
} ss_purpose;
typedef struct ss_stream { uint32_t key[2]; uint32_t high[2]; } ss_stream;

void ss_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
ss_stream ss_stream_make(uint64_t seed, ss_purpose purpose, uint64_t step, uint32_t layer);
uint32_t ss_stream_u32(const ss_stream *s, uint64_t i);
double ss_stream_uniform(const ss_stream *s, uint64_t i); /* [0,1), 32 bits */
double ss_stream_normal(const ss_stream *s, uint64_t i);  /* N(0,1), Box-Muller on the pair (2i, 2i+1) of the stream */
void ss_stream_block(const ss_stream *s, uint64_t block, uint32_t out[4]); /* numbers 4*block .. 4*block+3 */
/* A uniform permutation of 0..n-1 into out (n); Fisher-Yates with unbiased bounded draws. */
void ss_stream_permutation(const ss_stream *s, uint32_t n, uint32_t *out);

/* ---- states as named stretches of memory ------------------------------------------------------------------------
 * Whoever owns a state lists it in pieces; whoever knows files writes them, and later reads them back into their places. */
enum { SS_MAX_PIECES = 48, SS_PIECE_NAME_BYTES = 24 };
typedef struct ss_piece { const char *name; void *data; size_t bytes; } ss_piece;
typedef struct ss_pieces { size_t n; ss_piece piece[SS_MAX_PIECES]; } ss_pieces; /* zeroed = empty */
void ss_pieces_add(ss_pieces *list, const char *name, const void *data, size_t bytes); /* the name is not copied */
size_t ss_pieces_bytes(const ss_pieces *list);

/* A long computation offers its state to a keeper between any two of its steps, and can go on from what a keeper reads. */
typedef struct ss_keeper {
    void *ctx;
    /* The list holds until the call returns. `last`: the computation ends here, interrupted. */
    void (*save)(void *ctx, const ss_pieces *state, bool last);
    int (*read)(void *ctx, const ss_piece *piece, ss_error *error); /* fills data with exactly `bytes` bytes; 0 or -1 */
    bool resume;                  /* go on from what `read` gives, not from the beginning */
    bool refused;                 /* what was read cannot be gone on from: -1 was returned for that reason */
} ss_keeper;
int ss_keeper_read(ss_keeper *keeper, const ss_pieces *state, ss_error *error); /* each into its place; 0, or -1: refused */
int ss_keeper_refuse(ss_keeper *keeper, ss_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* always -1 */

/* ---- pulse: a running trial's signs of life, and the wish that it stops -----------------------------------------
 * In memory that the trial's process shares with its supervisor (farm.h), or in this process's own where nobody watches. */
typedef enum ss_pulse_place { SS_PULSE_LOAD, SS_PULSE_TRAIN, SS_PULSE_CURVATURE, SS_PULSE_SAVE, SS_N_PULSE } ss_pulse_place;
extern const char *const ss_pulse_name[SS_N_PULSE];
typedef struct ss_pulse { uint64_t beats; int32_t place, stop; } ss_pulse;
void ss_pulse_share(ss_pulse *shared);       /* NULL: back to this process's own */
void ss_pulse_beat(void);                    /* something was achieved: a step, a pass over some examples */
void ss_pulse_enter(ss_pulse_place place);   /* and a beat */
ss_pulse_place ss_pulse_where(void);
bool ss_pulse_stop_asked(void);

/* ---- hashing ---------------------------------------------------------------------------------------------------- */
enum { SS_DIGEST_BYTES = 65 };               /* 64 hex digits and the final zero */
typedef struct ss_sha256 { uint32_t state[8]; uint64_t n_bytes; unsigned char block[64]; } ss_sha256;
void ss_sha256_init(ss_sha256 *h);
void ss_sha256_update(ss_sha256 *h, const void *data, size_t n);
void ss_sha256_finish(ss_sha256 *h, char out[SS_DIGEST_BYTES]); /* as `sha256sum` prints it */
uint32_t ss_crc32(uint32_t crc, const void *data, size_t n);    /* zlib's polynomial; start with 0 */

#endif
