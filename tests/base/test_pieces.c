/* test_pieces.c - lists of pieces, and a keeper that reads them back. */
#include "sharpsweep/base.h"

#include <string.h>

#include "../suite.h"

typedef struct shelf { const char *name; double value; int n_reads; } shelf;

static int read_shelf(void *ctx, const ss_piece *piece, ss_error *error)
{
    shelf *s = ctx;
    s->n_reads++;
    if (strcmp(piece->name, s->name) != 0) return ss_fail(error, "no %s here", piece->name);
    memcpy(piece->data, &s->value, piece->bytes);
    return 0;
}

static void lists(void)
{
    double a = 1, b[3] = {2, 3, 4};
    ss_pieces list = {0};
    CU_ASSERT_EQUAL(ss_pieces_bytes(&list), 0);
    ss_pieces_add(&list, "a", &a, sizeof a);
    ss_pieces_add(&list, "b", b, sizeof b);
    ss_pieces_add(&list, "nothing", NULL, 0);
    CU_ASSERT(list.n == 3 && ss_pieces_bytes(&list) == 32);
    CU_ASSERT(list.piece[1].data == b && strcmp(list.piece[1].name, "b") == 0 && list.piece[2].bytes == 0);
}

static void keepers(void)
{
    shelf s = {"a", 42, 0};
    double a = 1, b = 2;
    ss_error error = {{0}};
    ss_keeper keeper = {.ctx = &s, .read = read_shelf};
    ss_pieces list = {0};
    ss_pieces_add(&list, "a", &a, sizeof a);
    CU_ASSERT(ss_keeper_read(&keeper, &list, &error) == 0 && a == 42 && !keeper.refused);
    ss_pieces_add(&list, "b", &b, sizeof b);
    ss_pieces_add(&list, "a", &a, sizeof a);
    CU_ASSERT_EQUAL(ss_keeper_read(&keeper, &list, &error), -1);
    CU_ASSERT(keeper.refused && b == 2 && s.n_reads == 3); /* it stops at the first that is not there */
    CU_ASSERT_STRING_EQUAL(error.text, "no b here");
    keeper.refused = false;
    CU_ASSERT_EQUAL(ss_keeper_refuse(&keeper, &error, "%d rows of %d", 7, 3), -1);
    CU_ASSERT(keeper.refused && strcmp(error.text, "7 rows of 3") == 0);
    CU_ASSERT_EQUAL(ss_keeper_refuse(&keeper, NULL, "nobody asks"), -1);
}

static const ss_case cases[] = {{"lists", lists}, {"keepers", keepers}};
SS_SUITE("base/pieces", cases)
