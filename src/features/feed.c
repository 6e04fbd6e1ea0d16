/*
 * Frames to flows: a batch is decoded, so that the memory of its flows is
 * fetched while others are worked on; then each packet goes to its flow and the
 * extractors.
 */
#include "features/engine_internal.h"
#include "flow/select.h"

#include <string.h>

#define FIRST_SAMPLES 7			/* with the pool's header two cache lines; twice as many lines follow */

void
jj_engine_note_samples(jj_engine *e, int64_t packets)
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
		jj_engine_note_samples(e, (int64_t) room - f->sample_room);
		f->sample = grown;
		f->sample_room = room;
		return true;
	}
	if (f->folded == NULL && (f->folded = jj_alloc_zero(&e->work.allocator, e->fold_size)) == NULL)
		return false;
	if (!jj_engine_fold(e, f->folded, f, false))
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

/* The upper bits of the hash say which share a flow is in, the lower ones where the table has it. */
static inline bool
in_share(const jj_engine *e, const jj_lookup *l)
{
	return (uint64_t) l->hash * e->shares >> 32 == e->share;
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
static bool
is_mine(jj_engine *e, const jj_lookup *l, uint32_t packets)
{
	const jj_options *o = &e->work.options;
	const jj_key *key = &l->key;

	if (!in_share(e, l))
	{
		if (e->share == 0 && o->sampling_rate < 1 && (o->select == NULL || jj_selection_possible(o->select, key)) && !in_sample(o, key))
			e->counters.skipped[JJ_SKIP_SAMPLED] += packets;
		return false;
	}
	if (!e->selects || jj_selection_possible(o->select, key))
		return true;
	e->counters.unselected += packets;
	return false;
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
	if (JJ_UNLIKELY(p->fragment || ahead != NULL) && !is_mine(e, l, packets))
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
			jj_table_prefetch_bucket(t, &e->lookup[taken]);
			/* a first fragment may have others ahead of it; add_packet looks at those */
			if (JJ_UNLIKELY(e->packet[taken].fragment) || e->takes_all)
				taken++;
			else if (JJ_UNLIKELY(e->selects || e->work.options.sampling_rate < 1))
				taken += is_mine(e, &e->lookup[taken], 1);
			else
				taken += in_share(e, &e->lookup[taken]);	/* no branch: nothing predicts it */
		}
	}
	decoded = clock_of(e);
	e->counters.decoding_ns += decoded - begin;
	for (uint32_t i = 0; i < taken; i++)
		jj_table_prefetch_flow(t, &e->lookup[i]);
	for (uint32_t i = 0; e->has_blocks && i < taken; i++)
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
