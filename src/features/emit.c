/*
 * Flows that have ended to rows.
 */
#include "features/engine_internal.h"
#include "features/anonymize.h"

#include <string.h>

bool
jj_engine_fold(jj_engine *e, void *folds, const jj_flow *f, bool whole)
{
	for (unsigned k = 0; k < e->n_folds; k++)
	{
		unsigned	i = e->folds[k];

		if (!e->active[i]->fold(fold_of(e, folds, i), f->sample, f->n_samples, whole, &e->work))
			return false;
	}
	return true;
}

static void
free_folds(jj_engine *e, void *folds)
{
	for (unsigned k = 0; k < e->n_folds; k++)
	{
		unsigned	i = e->folds[k];

		if (e->active[i]->free_fold != NULL)
			e->active[i]->free_fold(fold_of(e, folds, i), &e->work.allocator);
	}
}

void
jj_engine_free_flow(jj_engine *e, jj_flow *f)
{
	for (unsigned k = 0; k < e->n_owners; k++)
		e->active[e->owner[k]]->free_state(state_of(e, f, e->owner[k]), &e->work.allocator);
	if (f->folded != NULL)
	{
		free_folds(e, f->folded);
		jj_release(&e->work.allocator, f->folded);
	}
	jj_release(&e->work.allocator, f->sample);
	jj_engine_note_samples(e, -(int64_t) f->sample_room);
	f->sample = NULL;
	jj_table_forget(&e->table, f);
}

/* Set the columns of an extractor. False without memory. */
static inline bool
emit_group(jj_engine *e, unsigned i, const jj_flow *f, void *folds, jj_row *row)
{
	const jj_extractor *x = e->active[i];

	e->work.capture = e->source[f->capture];
	return x->emit == NULL || x->emit(f, state_of(e, f, i), fold_of(e, folds, i), &e->work, row);
}

/* The columns of the extractors that need a flow's samples. False without memory. */
static bool
emit_samples(jj_engine *e, jj_flow *f, jj_row *row)
{
	bool		whole = f->folded == NULL;
	void	   *folds = whole ? e->fold : f->folded;
	bool		good = true;

	e->work.has_gaps = e->work.has_lengths = false;
	if (whole)
		memset(e->fold, 0, e->fold_size);
	if (f->n_samples > 0)
		good = jj_engine_fold(e, folds, f, whole);
	for (unsigned k = 0; good && k < e->n_folds; k++)
		good = emit_group(e, e->folds[k], f, folds, row);
	if (whole)
		free_folds(e, e->fold);
	return good;
}

/* Flows that have ended have left the processor's caches: fetch the next ones, records before what they point to. */
static void
fetch_ended(jj_engine *e)
{
	const jj_flow *f;

	e->fetched = false;
	for (uint32_t r = 0; r < ROWS && (f = jj_table_ready(&e->table, r)) != NULL; r++)
	{
		e->fetched = true;
		for (size_t o = 0; o < e->table.record_size; o += 64)
			JJ_PREFETCH((const char *) f + o);
	}
}

static void
fetch_owned(const jj_engine *e, const jj_flow *f)
{
	uint32_t	n = f->n_samples < 32 ? f->n_samples : 32;

	for (uint32_t k = 0; k < n; k += 64 / sizeof(jj_sample))
		JJ_PREFETCH(f->sample + k);
	for (unsigned i = 0; i < e->n_active; i++)
		if (e->active[i]->fetch_all != NULL)
			e->active[i]->fetch_all(state_of(e, f, i));
}

static void
fetch_more(const jj_engine *e, const jj_flow *f)
{
	for (unsigned i = 0; i < e->n_active; i++)
		if (e->active[i]->fetch_more != NULL)
			e->active[i]->fetch_more(state_of(e, f, i));
}

/* Make the rows of the next flows that have ended, and release those. False without memory. */
static bool
make_rows(jj_engine *e)
{
	uint32_t	n = 0;
	bool		good = true;
	jj_flow    *f;

	e->n_rows = e->next_row = 0;
	if (!e->fetched)
		fetch_ended(e);
	while (n < ROWS && (f = jj_table_next(&e->table)) != NULL)
	{
		if (JJ_UNLIKELY(f->unwanted))
		{
			jj_engine_free_flow(e, f);
			continue;
		}
		fetch_owned(e, f);
		e->ended[n++] = f;
	}
	fetch_ended(e);
	for (uint32_t r = 0; r < n; r++)
	{
		jj_row_clear(&e->row[r]);
		good = good && (e->fold_size == 0 || emit_samples(e, e->ended[r], &e->row[r]));
	}
	for (uint32_t r = 0; r < n; r++)
		fetch_more(e, e->ended[r]);
	for (unsigned i = 0; i < e->n_active; i++)
		if (e->active[i]->fold_size == 0)
			for (uint32_t r = 0; r < n; r++)
				good = good && emit_group(e, i, e->ended[r], NULL, &e->row[r]);
	for (uint32_t r = 0; r < n; r++)
	{
		good = good && !e->row[r].failed
			&& (e->work.cryptopan == NULL || jj_anonymize_row(e->work.cryptopan, &e->anonymized, &e->row[r]));
		jj_engine_free_flow(e, e->ended[r]);
	}
	e->n_rows = n;
	return good;
}

jj_code
jj_engine_next(jj_engine *e, const jj_row **row, bool *have, jj_error *err)
{
	if (e->next_row == e->n_rows)
	{
		const uint64_t begin = clock_of(e);
		const bool	good = make_rows(e);

		e->counters.features_ns += clock_of(e) - begin;
		if (!good)
			return out_of_memory(err);
		if (e->work.cryptopan != NULL && jj_cryptopan_failed(e->work.cryptopan))
			return jj_fail(err, JJ_ERR_ARGUMENT, "libcrypto failed to encrypt, which anonymization needs");
	}
	*have = e->next_row < e->n_rows;
	*row = *have ? &e->row[e->next_row++] : NULL;
	return JJ_OK;
}
