/*
 * Records of application data that may hold whole Tor cells. Whether they do
 * depends on the cipher suite, so that the first lengths are kept until it is
 * known. Most connections are no Tor's, and few records show it: less than
 * half of the first 16, or less than 80 % of the first 64, of a direction,
 * and no more are looked at.
 */
#include "extractors/tls_internal.h"

#define EARLY 16
#define LEAST_LENGTH 100		/* records up to this length are passed over */

static uint32_t
fits_of_first(const jj_tls_cells *c, const jj_fp_shape *shape)
{
	uint32_t	n = c->n < JJ_TLS_CELLS_FIRST ? c->n : JJ_TLS_CELLS_FIRST;
	uint32_t	fit = 0;

	for (uint32_t i = 0; i < n; i++)
		fit += jj_fp_fits_cells(shape, c->first[i]);
	return fit;
}

static size_t
cells_size(uint32_t n)
{
	return offsetof(jj_tls_cells, first) + n * sizeof(uint16_t);
}

bool
jj_tls_cells_add(jj_tls_run *r, uint32_t length, const jj_tls_need *need, const jj_allocator *a)
{
	jj_tls_cells *c = r->cells;

	if (r->no_cells || length <= LEAST_LENGTH)
		return true;
	if (c == NULL)
	{
		c = r->cells = jj_alloc(a, cells_size(JJ_TLS_CELLS_FEW));
		if (c == NULL)
			return false;
		c->n = c->fit = 0;
	}
	else if (c->n == JJ_TLS_CELLS_FEW)
	{
		c = jj_regrow(a, c, cells_size(JJ_TLS_CELLS_FEW), cells_size(JJ_TLS_CELLS_FIRST));
		if (c == NULL)
			return false;
		r->cells = c;
	}
	if (c->n >= JJ_TLS_CELLS_FIRST)
	{
		if (need->shaped)
		{
			c->n++;
			c->fit += jj_fp_fits_cells(&need->shape, length);
		}
		return true;
	}
	c->first[c->n++] = (uint16_t) length;
	if (!need->shaped || (c->n != EARLY && c->n != JJ_TLS_CELLS_FIRST))
		return true;
	if (fits_of_first(c, &need->shape) * 10 < c->n * (c->n == EARLY ? 5 : 8))
	{
		jj_release(a, r->cells);
		r->cells = NULL;
		r->no_cells = true;
	}
	return true;
}

void
jj_tls_cells_read(const jj_tls_run *const run[2], const jj_hello *sh, uint32_t *records, uint32_t *fit)
{
	jj_fp_shape shape;

	*records = *fit = 0;
	if (!jj_fp_suite_shape(sh->cipher, sh->chosen, &shape) || (run[0] != NULL && run[0]->no_cells) || (run[1] != NULL && run[1]->no_cells))
		return;
	for (int d = 0; d < 2; d++)
	{
		if (run[d] == NULL || run[d]->cells == NULL)
			continue;
		*records += run[d]->cells->n;
		*fit += run[d]->cells->fit + fits_of_first(run[d]->cells, &shape);
	}
}
