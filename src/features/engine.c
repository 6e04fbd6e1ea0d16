/*
 * The engine: frames in, rows out. Frames are decoded in batches, so that the
 * memory of their flows is fetched while others are worked on.
 */
#include "features/engine.h"
#include "extractors/crypto.h"
#include "extractors/stream.h"
#include "features/anonymize.h"
#include "features/pool.h"
#include "flow/select.h"
#include "flow/table.h"

#include <string.h>

#define MAX_ACTIVE 32
#define ROWS 16
#define FIRST_SAMPLES 7			/* with the pool's header two cache lines; twice as many lines follow */

#define MAX_FETCH 4

/* Functions for packets, and the offsets of their states in the flow record. */
typedef struct calls
{
	unsigned	n;
	bool		(*update[MAX_ACTIVE]) (void *state, const jj_packet *p, const jj_work *w);
	size_t		offset[MAX_ACTIVE];
	unsigned	n_fetch;
	void		(*fetch[MAX_FETCH]) (const void *state, const jj_packet *p, int dir);
	size_t		fetch_offset[MAX_FETCH];
} calls;

struct jj_engine
{
	jj_allocator allocator;
	jj_bulk		bulk;			/* flow records, and what the pool hands out */
	jj_pool		pool;			/* behind work.allocator, what extractors allocate */
	jj_table	table;
	jj_work		work;
	jj_hold		hold;
	jj_counters counters;
	jj_filter  *filter;
	uint64_t	(*now) (void);	/* NULL: times are not measured */

	/* rows are made several at a time, group by group: each group's code is in the processor's cache then */
	jj_row		row[ROWS];
	jj_flow    *ended[ROWS];	/* their flows, while they are made */
	uint32_t	n_rows;
	uint32_t	next_row;		/* to be handed out */
	bool		fetched;		/* the next flows that have ended are being loaded */
	jj_early_fragment *told;			/* the frame handed out by jj_engine_settled */

	unsigned	n_active;		/* extractors in use */
	const jj_extractor *active[MAX_ACTIVE];
	size_t		state_offset[MAX_ACTIVE];	/* in the flow record */
	size_t		fold_offset[MAX_ACTIVE];	/* in the block of accumulators */
	calls		calls[JJ_KINDS];	/* for packets of each kind of flow */
	unsigned	n_owners;
	unsigned	owner[MAX_ACTIVE];	/* those whose states own memory */
	unsigned	n_folds;
	unsigned	folds[MAX_ACTIVE];	/* those that need samples */
	size_t		fold_size;		/* of their accumulators, 0 without any */
	void	   *fold;			/* accumulators for flows within max_samples */

	jj_feature_set anonymized;	/* columns to be anonymised, if they are */

	char	  **source;			/* names, by jj_flow.capture */
	uint32_t	sources;

	jj_packet	packet[JJ_BATCH];
	jj_lookup	lookup[JJ_BATCH];
	jj_observation *seen;		/* the caller's; NULL: nobody looks */
	uint8_t		seen_at[JJ_BATCH];	/* for each packet its place there */
};

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

static jj_code
out_of_memory(jj_error *err)
{
	return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
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

static inline void *
state_of(const jj_engine *e, const jj_flow *f, unsigned i)
{
	return (char *) f + e->state_offset[i];
}

static inline void *
fold_of(const jj_engine *e, void *folds, unsigned i)
{
	return e->active[i]->fold_size == 0 ? NULL : (char *) folds + e->fold_offset[i];
}

static bool
fold_samples(jj_engine *e, void *folds, const jj_flow *f, bool whole)
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

static void
note_samples(jj_engine *e, int64_t packets)
{
	e->counters.memory_flows += (uint64_t) (packets * (int64_t) sizeof(jj_sample));
	if (e->counters.memory_flows > e->counters.memory_peak)
		e->counters.memory_peak = e->counters.memory_flows;
}

/* Room for one more sample: a larger block, or the samples so far go into the accumulators. */
static bool
make_sample_room(jj_engine *e, jj_flow *f)
{
	uint32_t	max = e->work.options.max_samples;
	uint32_t	room = f->sample_room == 0 ? FIRST_SAMPLES : f->sample_room * 2 + 1;
	jj_sample  *grown;

	if (f->sample_room < max)
	{
		room = room > max ? max : room;
		grown = jj_regrow(&e->work.allocator, f->sample, sizeof(jj_sample) * f->n_samples, sizeof(jj_sample) * room);
		if (grown == NULL)
			return false;
		note_samples(e, (int64_t) room - f->sample_room);
		f->sample = grown;
		f->sample_room = room;
		return true;
	}
	if (f->folded == NULL && (f->folded = jj_alloc_zero(&e->work.allocator, e->fold_size)) == NULL)
		return false;
	if (!fold_samples(e, f->folded, f, false))
		return false;
	f->n_samples = 0;
	return true;
}

static inline bool
add_sample(jj_engine *e, jj_flow *f, const jj_packet *p)
{
	jj_sample  *s;

	if (e->fold_size == 0)
		return true;
	if (f->n_samples == f->sample_room && !make_sample_room(e, f))
		return false;
	s = &f->sample[f->n_samples++];
	s->t_dir = p->t * 2 + p->dir;
	s->ip_len = p->ip_len;
	s->payload_len = p->payload_len;
	return true;
}

static inline bool
update_states(jj_engine *e, jj_flow *f, const jj_packet *p)
{
	const calls *c = &e->calls[jj_kind_of(&f->key)];

	for (unsigned i = 0; i < c->n; i++)
		if (!c->update[i]((char *) f + c->offset[i], p, &e->work))
			return false;
	return true;
}

/* Show the extractors a packet of a flow. False without memory. */
static inline bool
update_flow(jj_engine *e, jj_flow *f, const jj_packet *p)
{
	return add_sample(e, f, p) && update_states(e, f, p);
}

/*
 * The same with fragments that came before this one, which is their first.
 * Times and lengths are in order of capture; what is read from the packets
 * makes sense only behind the first, and at its time.
 */
static bool
update_flow_ahead(jj_engine *e, jj_flow *f, const jj_packet *p, jj_early_fragment *ahead)
{
	for (const jj_early_fragment *x = ahead; x != NULL; x = jj_early_joining_next(x))
		if (!add_sample(e, f, &x->packet))
			return false;
	if (!update_flow(e, f, p))
		return false;
	for (jj_early_fragment *x = ahead; x != NULL; x = jj_early_joining_next(x))
	{
		int64_t		own = x->packet.t;

		x->packet.t = p->t;
		if (!update_states(e, f, &x->packet))
			return false;
		x->packet.t = own;
	}
	return true;
}

/* Whether the packet's flow is in the sample; by key alone, so that flows stay whole and the choice repeats. */
static bool
in_sample(const jj_options *o, const jj_key *key)
{
	uint64_t	seed = o->sampling_seed ^ UINT64_C(0x5851f42d4c957f2d);
	uint64_t	h = (uint64_t) jj_key_hash(key, seed) << 21 ^ jj_key_hash(key, ~seed);

	return (double) (h & ((UINT64_C(1) << 53) - 1)) < o->sampling_rate * 9007199254740992.0;
}

/*
 * Whether the flow of so many packets with this key is for this engine: in its
 * share, and able to meet the conditions. With a bound on the number of flows
 * those that can't count, too: they may be evicted, or evict. The first share
 * counts what is not sampled of all shares.
 */
static inline bool
is_mine(jj_engine *e, const jj_key *key, uint32_t packets)
{
	const jj_options *o = &e->work.options;

	if (o->shares > 1 && (uint64_t) jj_key_index(key, UINT64_C(0x2545f4914f6cdd1d)) * o->shares >> 32 != o->share)
	{
		if (o->share == 0 && o->sampling_rate < 1 && (o->select == NULL || jj_selection_possible(o->select, key)) && !in_sample(o, key))
			e->counters.skipped[JJ_SKIP_SAMPLED] += packets;
		return false;
	}
	if (o->select == NULL || o->max_concurrent_flows != 0 || jj_selection_possible(o->select, key))
		return true;
	e->counters.unselected += packets;
	return false;
}

void
jj_engine_clock(jj_engine *e, uint64_t (*now) (void))
{
	e->now = now;
}

static inline uint64_t
clock_of(const jj_engine *e)
{
	return JJ_UNLIKELY(e->now != NULL) ? e->now() : 0;
}

/* Decode a frame into slot n; *skip says why it gives no packet. */
static jj_code
take_frame(jj_engine *e, const jj_frame *frame, uint32_t n, jj_skip *skip, jj_error *err)
{
	*skip = JJ_SKIP_NONE;
	e->counters.frames++;
	e->counters.captured_bytes += frame->caplen;
	e->counters.wire_bytes += frame->wirelen;
	if (e->filter != NULL && jj_link_supported(frame->link))
	{
		bool		pass;
		jj_code		code = jj_filter_frame(e->filter, frame, &pass, err);

		if (code != JJ_OK)
			return code;
		if (!pass)
		{
			*skip = JJ_SKIP_FILTERED;
			e->counters.skipped[*skip]++;
			return JJ_OK;
		}
	}
	if (!jj_table_tick(&e->table, frame->ts))
		return out_of_memory(err);
	*skip = jj_decode(frame, e->work.options.inner_tunnels, &e->packet[n]);
	if (*skip != JJ_SKIP_NONE)
	{
		if (*skip == JJ_SKIP_LINK_TYPE && e->counters.skipped[*skip] == 0)
			e->counters.unsupported_link = frame->link;
		e->counters.skipped[*skip]++;
	}
	return JJ_OK;
}

void
jj_engine_observe(jj_engine *e, jj_observation *seen)
{
	e->seen = seen;
}

/* Say that frame i gives the packet in slot n, or why it gives none. */
static void
observe_frame(jj_engine *e, uint32_t i, uint32_t n, jj_skip skip)
{
	memset(&e->seen[i], 0, sizeof(e->seen[i]));
	e->seen[i].skip = skip;
	if (skip == JJ_SKIP_NONE)
	{
		e->seen[i].packet = &e->packet[n];
		e->seen_at[n] = (uint8_t) i;
	}
}

/* Begin to load what the extractors will touch beyond the flow record. */
static inline void
fetch_blocks(const jj_engine *e, const jj_packet *p, const jj_lookup *l)
{
	const jj_flow *f = jj_table_flow(&e->table, l->likely);
	const calls *c = &e->calls[jj_kind_of(&l->key)];

	for (unsigned i = 0; i < c->n_fetch; i++)
		c->fetch[i]((const char *) f + c->fetch_offset[i], p, l->src_is_lo != f->init_is_lo);
}

/* A packet of flow f, the n-th so far, or of none. */
static void
observe_packet(const jj_engine *e, jj_observation *o, const jj_flow *f, uint64_t n)
{
	if (f == NULL)
	{
		o->skip = JJ_SKIP_SAMPLED;
		return;
	}
	o->first_frame = f->first_frame;
	o->capture = e->source[f->capture];
	o->number = n;
}

/* The fragments ahead have joined a packet of flow f, or of none. */
static void
leave_ahead(jj_engine *e, const jj_flow *f, jj_early_fragment *ahead)
{
	uint64_t	n = f == NULL ? 0 : f->packets[0] + f->packets[1] - 1;

	for (const jj_early_fragment *x = ahead; x != NULL; x = jj_early_joining_next(x))
		n--;
	while (ahead != NULL)
	{
		jj_early_fragment *next = jj_early_joining_next(ahead);

		if (f == NULL)
			e->counters.skipped[JJ_SKIP_SAMPLED]++;
		else
		{
			e->counters.decoded++;
			e->counters.truncated += ahead->packet.truncated;
		}
		observe_packet(e, &ahead->settled.seen, f, ++n);
		ahead->settled.capture = e->source[ahead->capture];
		jj_early_added(&e->table.early, e->seen != NULL, &e->allocator);
		ahead = next;
	}
}

/*
 * Give a packet to its flow, behind the fragments that join it, and say in o,
 * unless it is NULL, which flow that is. False without memory.
 */
static bool
add_packet(jj_engine *e, jj_packet *p, const jj_lookup *l, uint32_t capture, jj_early_fragment *ahead, jj_observation *o)
{
	uint32_t	packets = 1;
	bool		ends;
	jj_flow    *f;

	for (const jj_early_fragment *x = ahead; x != NULL; x = jj_early_joining_next(x))
		packets++;
	if (JJ_UNLIKELY(p->fragment || ahead != NULL) && !is_mine(e, &l->key, packets))
	{
		for (jj_early_fragment *next; ahead != NULL; ahead = next)
		{
			next = jj_early_joining_next(ahead);
			jj_early_added(&e->table.early, false, &e->allocator);
		}
		return true;
	}
	if (e->work.options.sampling_rate < 1 && !in_sample(&e->work.options, &l->key))
	{
		e->counters.skipped[JJ_SKIP_SAMPLED]++;
		if (o != NULL)
			observe_packet(e, o, NULL, 0);
		if (ahead != NULL)
			leave_ahead(e, NULL, ahead);
		return true;
	}
	f = jj_table_add(&e->table, p, l, capture, ahead, &ends);
	if (f == NULL)
		return false;
	if (JJ_UNLIKELY(f->unwanted))
		e->counters.unselected += packets;
	else if (!(JJ_LIKELY(ahead == NULL) ? update_flow(e, f, p) : update_flow_ahead(e, f, p, ahead)))
		return false;
	if (JJ_UNLIKELY(o != NULL))
		observe_packet(e, o, f, f->packets[0] + f->packets[1]);
	if (JJ_UNLIKELY(ahead != NULL))
		leave_ahead(e, f, ahead);
	e->counters.decoded++;
	e->counters.truncated += p->truncated;
	return !ends || jj_table_end(&e->table, f, p->tcp_flags & JJ_TCP_RST ? JJ_END_TCP_RESET : JJ_END_TCP_CLOSE, e->table.now);
}

/* Add the fragments that go before the packet in slot n without their first. False without memory. */
static bool
add_due(jj_engine *e, uint32_t n)
{
	jj_early_fragment *x;

	while ((x = jj_early_due(&e->table.early, n)) != NULL)
	{
		if (!add_packet(e, &x->packet, &x->lookup, x->capture, NULL, &x->settled.seen))
			return false;
		x->settled.capture = e->source[x->capture];
		jj_early_added(&e->table.early, e->seen != NULL, &e->allocator);
	}
	return true;
}

/*
 * The packet just looked up in slot n is a fragment, or fragments wait. True
 * if it has to wait, too; it leaves its slot then. Packets without ports
 * share their flow with fragments whose first never comes, so those go first.
 */
static bool
hold_back(jj_engine *e, const jj_frame *frame, uint32_t n, bool *memory)
{
	jj_table   *t = &e->table;
	const jj_packet *p = &e->packet[n];
	jj_lookup  *l = &e->lookup[n];
	uint64_t	seed = t->options.hash_seed;

	/* behind a clock that has run ahead it would wait for long */
	if (l->waits && jj_early_is_over(p, t->clock, t->early_life))
		l->waits = false;
	if (l->waits)
	{
		*memory = jj_early_put(&t->early, frame, p, l, e->sources - 1, n, seed, &e->allocator);
		return true;
	}
	if (t->early.count > 0)
	{
		if (l->ports.src == 0 && l->ports.dst == 0)
			jj_early_release_key(&t->early, l, n);
		if (p->fragment && p->frag_offset == 0 && t->options.defragment)
			jj_early_match(&t->early, p, t->early_life, n, seed);
	}
	return false;
}

/* No fragment waits any longer. */
static bool
release_early(jj_engine *e)
{
	bool		good;

	jj_early_release(&e->table.early, 0);
	good = add_due(e, 0);
	e->counters.stream_refused = e->hold.refused;
	return good;
}

jj_code
jj_engine_source(jj_engine *e, const char *name, bool fresh, jj_error *err)
{
	const jj_allocator *a = &e->allocator;
	size_t		size = strlen(name) + 1;
	char	  **grown;
	char	   *copy;

	if (fresh && e->sources > 0 && (!release_early(e) || !jj_table_finish(&e->table)))
		return out_of_memory(err);
	grown = jj_regrow(a, e->source, sizeof(*grown) * e->sources, sizeof(*grown) * (e->sources + 1));
	if (grown == NULL)
		return out_of_memory(err);
	e->source = grown;
	copy = jj_alloc(a, size);
	if (copy == NULL)
		return out_of_memory(err);
	memcpy(copy, name, size);
	e->source[e->sources++] = copy;
	return JJ_OK;
}

const jj_settled *
jj_engine_settled(jj_engine *e)
{
	jj_release(&e->allocator, e->told);
	e->told = jj_early_settled(&e->table.early);
	return e->told == NULL ? NULL : &e->told->settled;
}

jj_code
jj_engine_feed(jj_engine *e, const jj_frame *frames, uint32_t n, jj_error *err)
{
	jj_table   *t = &e->table;
	uint32_t	taken = 0;
	uint64_t	begin = clock_of(e);
	uint64_t	decoded;

	if (n > JJ_BATCH)
		return jj_fail(err, JJ_ERR_ARGUMENT, "a batch of %u frames is longer than %d", n, JJ_BATCH);
	for (uint32_t i = 0; i < n; i++)
	{
		jj_skip		skip;
		jj_code		code = take_frame(e, &frames[i], taken, &skip, err);

		if (code != JJ_OK)
			return code;
		if (JJ_UNLIKELY(e->seen != NULL))
			observe_frame(e, i, taken, skip);
		if (JJ_UNLIKELY(t->early.count > 0))
			jj_early_expire(&t->early, t->clock, t->early_life, taken);
		if (skip == JJ_SKIP_NONE)
		{
			bool		memory = true;

			if (!jj_table_lookup(t, &e->packet[taken], &e->lookup[taken]))
				return out_of_memory(err);
			if (JJ_UNLIKELY(e->packet[taken].fragment || t->early.count > 0) && hold_back(e, &frames[i], taken, &memory))
			{
				if (!memory)
					return out_of_memory(err);
				if (e->seen != NULL)
				{
					e->seen[i].packet = NULL;
					e->seen[i].waits = true;
				}
				continue;
			}
			/* a first fragment may have others ahead of it; add_packet looks at those */
			if (!e->packet[taken].fragment && !is_mine(e, &e->lookup[taken].key, 1))
				continue;
			jj_table_prefetch_bucket(t, &e->lookup[taken]);
			taken++;
		}
	}
	decoded = clock_of(e);
	e->counters.decoding_ns += decoded - begin;
	for (uint32_t i = 0; i < taken; i++)
		jj_table_prefetch_flow(t, &e->lookup[i]);
	for (uint32_t i = 0; i < taken; i++)
	{
		jj_table_prefetch_rest(t, &e->lookup[i]);
		if (e->lookup[i].likely != JJ_NO_FLOW)
			fetch_blocks(e, &e->packet[i], &e->lookup[i]);
	}
	for (uint32_t i = 0; i < taken; i++)
	{
		jj_observation *o = e->seen == NULL ? NULL : &e->seen[e->seen_at[i]];

		if (JJ_UNLIKELY(jj_early_due(&t->early, i) != NULL) && !add_due(e, i))
			return out_of_memory(err);
		if (!add_packet(e, &e->packet[i], &e->lookup[i], e->sources - 1, jj_early_joining(&t->early, i), o))
			return out_of_memory(err);
	}
	if (!add_due(e, taken))
		return out_of_memory(err);
	e->counters.stream_refused = e->hold.refused;
	e->counters.features_ns += clock_of(e) - decoded;
	return JJ_OK;
}

jj_code
jj_engine_advance(jj_engine *e, int64_t now, jj_error *err)
{
	jj_table   *t = &e->table;

	jj_table_clock(t, now);
	if (t->early.count > 0)
		jj_early_expire(&t->early, t->clock, t->early_life, 0);
	return add_due(e, 0) && jj_table_advance(t, now) ? JJ_OK : out_of_memory(err);
}

jj_code
jj_engine_finish(jj_engine *e, jj_error *err)
{
	const uint64_t begin = clock_of(e);
	const bool	good = release_early(e) && jj_table_finish(&e->table);

	e->counters.features_ns += clock_of(e) - begin;
	return good ? JJ_OK : out_of_memory(err);
}

static void
free_flow(jj_engine *e, jj_flow *f)
{
	for (unsigned k = 0; k < e->n_owners; k++)
		e->active[e->owner[k]]->free_state(state_of(e, f, e->owner[k]), &e->work.allocator);
	if (f->folded != NULL)
	{
		free_folds(e, f->folded);
		jj_release(&e->work.allocator, f->folded);
	}
	jj_release(&e->work.allocator, f->sample);
	note_samples(e, -(int64_t) f->sample_room);
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
		good = fold_samples(e, folds, f, whole);
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
			free_flow(e, f);
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
		free_flow(e, e->ended[r]);
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
			free_flow(e, f);
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
