/*
 * The engine: frames in, rows out. Here it is opened, with the extractors that
 * the wanted columns need, and closed.
 */
#include "features/engine_internal.h"
#include "extractors/crypto.h"
#include "features/anonymize.h"

#include <string.h>

void
jj_options_default(jj_options *o)
{
	memset(o, 0, sizeof(*o));
	o->flow_timeout = 60 * JJ_SECOND;
	o->active_timeout = JJ_INFINITE;
	o->flow_end = JJ_FLOW_END_TCP_CLOSE;
	o->eviction = JJ_EVICT_LRU;
	o->inner_tunnels = true;
	o->vlan_in_key = true;
	o->defragment = true;
	o->burst_threshold = JJ_SECOND / 20;
	o->max_sequence_length = 50;
	o->max_samples = 16384;
	o->entropy_sample_bytes = 256;
	o->stream_bytes = 16384;
	o->sampling_rate = 1;
	jj_set_all(&o->features);
}

/* Under AddressSanitizer each block has its own surroundings, so that an access behind it is noticed. */
static jj_allocator
extractor_allocator(jj_engine *e)
{
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
	return e->allocator;
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
	return e->allocator;
#else
	return jj_pool_init(&e->pool, &e->bulk);
#endif
}

static jj_code
check_options(const jj_options *o, jj_error *err)
{
	static const uint8_t no_key[JJ_CRYPTOPAN_KEY] = {0};

	if (o->flow_timeout < 0)
		return jj_fail(err, JJ_ERR_ARGUMENT, "flow_timeout must not be negative");
	if (o->active_timeout < 0)
		return jj_fail(err, JJ_ERR_ARGUMENT, "active_timeout must not be negative");
	if (o->burst_threshold <= 0)
		return jj_fail(err, JJ_ERR_ARGUMENT, "burst_threshold_ms must be positive");
	if (o->max_sequence_length > JJ_MAX_SEQUENCE)
		return jj_fail(err, JJ_ERR_ARGUMENT, "max_sequence_length must be at most %d", JJ_MAX_SEQUENCE);
	if (o->max_samples < JJ_MIN_SAMPLES || o->max_samples > JJ_MAX_SAMPLES)
		return jj_fail(err, JJ_ERR_ARGUMENT, "max_samples_per_flow must be between %d and %d", JJ_MIN_SAMPLES, JJ_MAX_SAMPLES);
	if (o->entropy_sample_bytes < 1 || o->entropy_sample_bytes > JJ_MAX_ENTROPY_SAMPLE)
		return jj_fail(err, JJ_ERR_ARGUMENT, "entropy_sample_bytes must be between 1 and %d", JJ_MAX_ENTROPY_SAMPLE);
	if (o->stream_bytes > JJ_MAX_STREAM)
		return jj_fail(err, JJ_ERR_ARGUMENT, "stream_bytes must be at most %d", JJ_MAX_STREAM);
	if (!(o->sampling_rate > 0 && o->sampling_rate <= 1))
		return jj_fail(err, JJ_ERR_ARGUMENT, "sampling_rate must be above 0 and at most 1");
	if (o->anonymize && memcmp(o->anonymization_key, no_key, sizeof(no_key)) == 0)
		return jj_fail(err, JJ_ERR_ARGUMENT, "anonymize_ips needs a key");
	return JJ_OK;
}

static bool
group_wanted(const jj_feature_set *s, jj_group group)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		if (jj_feature_table[f].group == group && jj_set_has(s, f))
			return true;
	return false;
}

static size_t
aligned(size_t size)
{
	return (size + 7) & ~(size_t) 7;
}

/* Put an extractor into use, after its base; its number. *record is the bytes of a flow record so far. */
static unsigned
activate(jj_engine *e, const jj_extractor *x, size_t *record)
{
	unsigned	i;

	for (i = 0; i < e->n_active; i++)
		if (e->active[i] == x)
			return i;
	if (x->base != NULL)
	{
		size_t		state = e->state_offset[activate(e, x->base, record)];

		i = e->n_active;
		e->state_offset[i] = state;
	}
	else
	{
		e->state_offset[i] = *record;
		*record += aligned(x->state_size);
	}
	e->active[i] = x;
	e->fold_offset[i] = e->fold_size;
	e->fold_size += aligned(x->fold_size);
	for (unsigned kind = 0; x->update != NULL && kind < JJ_KINDS; kind++)
		if (x->kinds == 0 || x->kinds >> kind & 1)
		{
			calls	   *c = &e->calls[kind];

			c->update[c->n] = x->update;
			c->offset[c->n++] = e->state_offset[i];
			if (x->fetch != NULL && c->n_fetch < MAX_FETCH)
			{
				c->fetch[c->n_fetch] = x->fetch;
				c->fetch_offset[c->n_fetch++] = e->state_offset[i];
			}
		}
	if (x->free_state != NULL)
		e->owner[e->n_owners++] = i;
	if (x->fold_size != 0)
		e->folds[e->n_folds++] = i;
	e->n_active++;
	return i;
}

/* Choose the extractors whose columns are wanted and lay out their memory; the bytes of a flow record. */
static size_t
choose_extractors(jj_engine *e)
{
	size_t		record = JJ_FLOW_BYTES;

	for (unsigned i = 0; i < jj_extractor_count; i++)
		if (e->work.groups >> jj_extractor_table[i]->group & 1)
			activate(e, jj_extractor_table[i], &record);
	return record;
}

size_t
jj_engine_flow_bytes(const jj_options *o)
{
	size_t		record = JJ_FLOW_BYTES;

	for (unsigned i = 0; i < jj_extractor_count; i++)
	{
		const jj_extractor *x = jj_extractor_table[i];
		bool		counted = false;

		if (!group_wanted(&o->features, x->group))
			continue;
		for (unsigned k = 0; k < i; k++)
			counted = counted || (x->base != NULL && jj_extractor_table[k]->base == x->base
								  && group_wanted(&o->features, jj_extractor_table[k]->group));
		if (!counted)
			record += aligned(x->base != NULL ? x->base->state_size : x->state_size);
	}
	return (record + 63) / 64 * 64;
}

jj_code
jj_engine_open(jj_engine **out, const jj_options *options, jj_filter *filter, const jj_allocator *a, jj_error *err)
{
	jj_engine  *e;
	jj_code		code = check_options(options, err);
	size_t		record;

	*out = NULL;
	if (code != JJ_OK)
		return code;
	e = jj_alloc_zero(a, sizeof(*e));
	if (e == NULL)
		return out_of_memory(err);
	e->filter = filter;
	e->work.options = *options;
	e->allocator = *a;
	jj_bulk_init(&e->bulk, a);
	e->work.allocator = extractor_allocator(e);
	/* the sequence columns need the first samples of a flow */
	if (e->work.options.max_samples <= options->max_sequence_length)
		e->work.options.max_samples = options->max_sequence_length + 1;
	e->hold.limit = JJ_STREAM_TOTAL;
	e->work.hold = &e->hold;
	jj_work_prepare(&e->work);
	record = choose_extractors(e);
	e->shares = options->shares > 1 ? options->shares : 1;
	e->share = options->shares > 1 ? options->share : 0;
	e->selects = options->select != NULL && options->max_concurrent_flows == 0;
	e->takes_all = e->shares == 1 && !e->selects;
	e->has_blocks = e->fold_size > 0;
	for (unsigned kind = 0; kind < JJ_KINDS; kind++)
		e->has_blocks = e->has_blocks || e->calls[kind].n_fetch > 0;
	for (int i = 0; i < ROWS; i++)
		jj_row_init(&e->row[i], &e->work.options.features, a);
	if (e->fold_size > 0 && (e->fold = jj_alloc_zero(a, e->fold_size)) == NULL)
	{
		jj_release(a, e);
		return out_of_memory(err);
	}
	if (!jj_table_init(&e->table, &e->work.options, record, a, &e->bulk, &e->counters))
	{
		jj_release(a, e->fold);
		jj_release(a, e);
		return out_of_memory(err);
	}
	e->work.crypto = jj_crypto_open(&e->work.allocator);
	if (e->work.crypto == NULL)
	{
		jj_engine_close(e);
		return out_of_memory(err);
	}
	if (options->anonymize)
	{
		code = jj_cryptopan_open(&e->work.cryptopan, options->anonymization_key, a, err);
		if (code != JJ_OK)
		{
			jj_engine_close(e);
			return code;
		}
		jj_anonymize_features(&e->anonymized);
	}
	*out = e;
	return jj_engine_source(e, "", true, err);
}

jj_cryptopan *
jj_engine_cryptopan(const jj_engine *e)
{
	return e->work.cryptopan;
}

void
jj_engine_clock(jj_engine *e, uint64_t (*now) (void))
{
	e->now = now;
}

const jj_counters *
jj_engine_counters(const jj_engine *e)
{
	return &e->counters;
}

void
jj_engine_close(jj_engine *e)
{
	jj_allocator a;

	if (e == NULL)
		return;
	a = e->allocator;

	/* flows that never came out still own memory */
	for (uint32_t i = 0; i < e->table.next_flow; i++)
	{
		jj_flow    *f = jj_table_flow(&e->table, i);

		if (f->used)
			jj_engine_free_flow(e, f);
	}
	jj_table_free(&e->table);
	jj_release(&a, e->told);
	for (uint32_t i = 0; i < e->sources; i++)
		jj_release(&a, e->source[i]);
	jj_release(&a, e->source);
	for (int i = 0; i < ROWS; i++)
		jj_row_free(&e->row[i]);
	jj_release(&a, e->fold);
	jj_cryptopan_close(e->work.cryptopan);
	jj_work_free(&e->work);
	jj_bulk_free(&e->bulk);
	jj_release(&a, e);
}
