/* lanczos_work.c - the solver's memory, where whoever calls it again and again keeps it. */
#include "lanczos.h"

struct ss_lanczos_work { ss_basis basis; };

/* Vectors that the basis holds before a restart. */
size_t ss_solver_basis_limit(size_t n, const ss_lanczos_options *o)
{
    size_t k = (size_t)o->k < n ? (size_t)o->k : n, limit = o->basis > 0 ? (size_t)o->basis : 2 * k + 20;
    if (limit < k + 2) limit = k + 2; /* k kept, one to extend, one more */
    return limit < n ? limit : n;
}

bool ss_lanczos_work_fits(const ss_lanczos_work *work, size_t n, const ss_lanczos_options *options)
{
    return work->basis.n == n && work->basis.rows == ss_solver_basis_limit(n, options) + 2;
}

ss_lanczos_work *ss_lanczos_work_create(size_t n, const ss_lanczos_options *options, ss_error *error)
{
    ss_lanczos_work *work = ss_alloc(1, sizeof *work);
    if (!work) ss_fail(error, "no memory for a solver");
    else if (ss_basis_init(&work->basis, n, ss_solver_basis_limit(n, options) + 2, error) == 0) return work;
    ss_free(work);
    return NULL;
}

void ss_lanczos_work_destroy(ss_lanczos_work *work)
{
    if (work) ss_basis_finish(&work->basis);
    ss_free(work);
}

ss_basis *ss_lanczos_work_basis(ss_lanczos_work *work)
{
    return &work->basis;
}
