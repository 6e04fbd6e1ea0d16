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

static void
give_up(jj_tls_cells *c, const jj_allocator *a)
{
	jj_tls_cells_free(c, a);
	c->over = true;
}

void
jj_tls_cells_shape(jj_tls_cells *c, const jj_hello *sh, const jj_allocator *a)
{
	if (c->known || c->over)
		return;
	c->known = jj_fp_suite_shape(sh->cipher, sh->chosen, &c->shape);
	if (!c->known)
		give_up(c, a);
}

bool
jj_tls_cells_add(jj_tls_cells *c, uint32_t length, const jj_allocator *a)
{
	if (c->over || length <= LEAST_LENGTH)
		return true;
	if (c->n >= JJ_TLS_CELLS_FIRST)
	{
		if (c->known)
		{
			c->n++;
			c->fit += jj_fp_fits_cells(&c->shape, length);
		}
		return true;
	}
	if (c->first == NULL && (c->first = jj_alloc(a, sizeof(*c->first) * JJ_TLS_CELLS_FIRST)) == NULL)
		return false;
	c->first[c->n++] = (uint16_t) length;
	if (!c->known || (c->n != EARLY && c->n != JJ_TLS_CELLS_FIRST))
		return true;
	if (fits_of_first(c, &c->shape) * 10 < c->n * (c->n == EARLY ? 5 : 8))
		give_up(c, a);
	return true;
}

void
jj_tls_cells_read(const jj_tls_cells *const c[2], const jj_hello *sh, uint32_t *records, uint32_t *fit)
{
	jj_fp_shape shape;

	*records = *fit = 0;
	if (!jj_fp_suite_shape(sh->cipher, sh->chosen, &shape) || (c[0] != NULL && c[0]->over) || (c[1] != NULL && c[1]->over))
		return;
	for (int d = 0; d < 2; d++)
	{
		if (c[d] == NULL)
			continue;
		*records += c[d]->n;
		*fit += c[d]->fit + fits_of_first(c[d], &shape);
	}
}

void
jj_tls_cells_free(jj_tls_cells *c, const jj_allocator *a)
{
	jj_release(a, c->first);
	c->first = NULL;
}
