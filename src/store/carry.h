/* carry.h - what a user added to a results file, carried over to the file that takes its place: groups, variables and attributes
 * of the root, of our groups and of our variables. */
#ifndef SHARPSWEEP_STORE_CARRY_H
#define SHARPSWEEP_STORE_CARRY_H

#include "frame.h"

/* Refuses by name, before anything is written, what cannot be carried over to a file of this table with n_rows points: links,
 * second names, references, external storage, dimensions that may change; where the file is strictly this table's, variables of
 * our names that it would not have. *n (may be NULL): how many objects and attributes are a user's. */
int ss_carry_check(const char *path, const ss_table *t, size_t n_rows, bool strict, size_t *n, ss_error *error);
/* `file` has all that is ours, and is to be closed and put in place of the one at `path`. */
int ss_carry_copy(const char *path, hid_t file, const ss_table *t, ss_error *error);

#endif
