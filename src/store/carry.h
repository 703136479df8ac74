/* carry.h - what a user added to a results file, carried over to the file that takes its place: groups, variables and attributes
 * of the root, of our groups and of our variables. */
#ifndef SHARPSWEEP_STORE_CARRY_H
#define SHARPSWEEP_STORE_CARRY_H

#include "h5.h"

typedef struct ss_carry ss_carry;
/* Lists it; `old` is a results file that stays open while the list is used. What can never be carried is refused by name: links
 * out of the file, external storage, references, names that this program needs. is_setting: does a job of this sweep name this
 * setting or axis? (those of other versions are not in the table of keys) */
ss_carry *ss_carry_list(hid_t old, bool (*is_setting)(const void *ctx, const char *name), const void *ctx, ss_error *error);
size_t ss_carry_count(const ss_carry *c); /* objects and attributes; 0: nothing is a user's */
/* Refuses, before anything is written, what does not fit a file of n_rows points. */
int ss_carry_check(const ss_carry *c, size_t n_rows, ss_error *error);
/* `file` has all that is ours, and is to be closed and put in place. Sentences name what could not be copied. */
int ss_carry_copy(const ss_carry *c, hid_t file, ss_error *error);
void ss_carry_free(ss_carry *c);

#endif
