/*
 * Fuzz target: sequences of IP fragments through decoder, flow table and the
 * feature groups. Six bytes of input make one packet, or many; the first three
 * choose options. The same packets in other batches, with another hash seed
 * and unobserved must give the same rows, and in two shares the same packets;
 * each frame is accounted for once; a later fragment has ports only if there
 * is a first that may have given them.
 */
#include "flow/fragment.h"
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 2500			/* more than may wait */
#define FEW_FRAMES 200			/* unless a flood is asked for */
#define SIZE 128

typedef struct fate
{
	bool		told;
	jj_skip		skip;
	bool		first;			/* a fragment with offset 0 */
	bool		later;			/* one with another */
	int32_t		sport;
	uint64_t	flow;
} fate;

typedef struct traffic
{
	jj_frame	frame[MAX_FRAMES];
	uint8_t		bytes[MAX_FRAMES][SIZE];
	uint64_t	datagram[MAX_FRAMES];	/* what identifies it */
	fate		fate[MAX_FRAMES];
	uint32_t	n;
	uint32_t	second_source;	/* number of the frame that begins it */
} traffic;

static void
put16(uint8_t *b, unsigned v)
{
	b[0] = (uint8_t) (v >> 8);
	b[1] = (uint8_t) v;
}

/* The id of a datagram, its hosts, version and encapsulation as a number. */
static uint64_t
datagram_of(unsigned hosts, unsigned id, unsigned how)
{
	return (hosts & 15) + ((uint64_t) id << 4) + ((uint64_t) (how & 0x1f) << 36);
}

/*
 * A packet between two of four hosts. how: 1 IPv6, 2 VLAN, 4 in GRE, 24
 * protocol; part: offset in units of 8 bytes, 128 more fragments follow.
 */
static void
make_packet(traffic *t, int64_t ts, unsigned hosts, unsigned id, unsigned how, unsigned part, unsigned size)
{
	static const uint8_t protocol[4] = {17, 6, 1, 60};
	uint8_t		proto = protocol[how >> 3 & 3];
	uint8_t    *b = t->bytes[t->n];
	jj_frame   *f = &t->frame[t->n];
	unsigned	n = 0;
	unsigned	offset = part & 127;

	memset(b, 0, SIZE);
	size &= 31;
	if (proto == 1 && how & 1)
		proto = 58;
	memset(b, 2, 12);
	n = 12;
	if (how & 2)
		put16(b + n, 0x8100), put16(b + n + 2, 5), n += 4;
	put16(b + n, how & 1 && !(how & 4) ? 0x86dd : 0x0800), n += 2;
	if (how & 4)
	{
		b[n] = 0x45;
		put16(b + n + 2, 24 + (how & 1 ? 48 : 20) + size);
		b[n + 9] = 47;
		b[n + 12] = b[n + 16] = 9;
		put16(b + n + 22, how & 1 ? 0x86dd : 0x0800);
		n += 24;
	}
	if (how & 1)
	{
		b[n] = 0x60;
		put16(b + n + 4, 8 + size);
		b[n + 6] = 44;
		b[n + 8] = b[n + 24] = 0x20;
		b[n + 23] = (uint8_t) (hosts & 3);
		b[n + 39] = (uint8_t) (hosts >> 2 & 3);
		b[n + 40] = proto;
		put16(b + n + 42, offset << 3 | part >> 7);
		put16(b + n + 46, id);
		n += 48;
	}
	else
	{
		b[n] = 0x45;
		put16(b + n + 2, 20 + size);
		put16(b + n + 4, id);
		put16(b + n + 6, (part & 128 ? 0x2000 : 0) | offset);
		b[n + 9] = proto;
		b[n + 12] = b[n + 16] = 10;
		b[n + 15] = (uint8_t) (hosts & 3);
		b[n + 19] = (uint8_t) (hosts >> 2 & 3);
		n += 20;
	}
	for (unsigned i = 0; i < size; i++)
		b[n + i] = (uint8_t) (i % 4 == 1 ? 7 : i == 12 ? 0x50 : i == 13 ? id >> 1 : 0);
	f->data = b;
	f->caplen = n + (hosts & 128 ? size / 2 : size);
	f->wirelen = n + size;
	f->link = 1;
	f->iface = 0;
	f->ts = ts;
	f->index = t->n + 1 - t->second_source;
	t->datagram[t->n] = datagram_of(hosts, id, how);
	t->fate[t->n].first = offset == 0 && part & 128;
	t->fate[t->n].later = offset != 0;
	t->n++;
}

static void
make_traffic(traffic *t, const uint8_t *data, size_t size, bool two_sources, uint32_t max)
{
	int64_t		ts = INT64_C(1700000000) * JJ_SECOND;

	for (size_t i = 0; i + 6 <= size && t->n < max; i += 6)
	{
		const uint8_t *d = data + i;
		unsigned	times = d[5] & 32 ? 1U << (d[5] >> 6) * 3 : 1;	/* 1, 8, 64 or 512 of them, with ids or offsets that rise */

		/* an exponent and a mantissa of 2^20 to 2^35 ns, some of them back */
		ts += (d[0] & 0x78) == 0x78 && d[0] & 7 ? -(INT64_C(1) << (28 + (d[0] & 7))) : (int64_t) (d[0] & 15) << (20 + (d[0] >> 4));
		if (two_sources && t->second_source == 0 && d[0] == 255)
			t->second_source = t->n;
		for (unsigned k = 0; k < times && t->n < max; k++)
			make_packet(t, ts + k * 1000, d[1], d[2] + (d[1] & 16 ? k : 0), d[3], (d[4] + (d[1] & 64 ? k : 0)) & 255, d[5]);
	}
}

static uint64_t
digest(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
	return h ^ h >> 29;
}

/* What the flow table decides. */
static const jj_feature few[] = {JJ_F_total_packets, JJ_F_packets_fwd, JJ_F_first_frame, JJ_F_start_ns, JJ_F_src_port, JJ_F_fragment_count, JJ_F_flow_end_code, JJ_F_iat_sum};

static uint64_t
digest_value(uint64_t h, const jj_row *row, unsigned f)
{
	uint64_t	bits;

	if (!jj_row_has(row, f) || jj_feature_table[f].type > JJ_TIMESTAMPTZ)
		return h;
	memcpy(&bits, &row->value[f], sizeof(bits));
	return digest(h, bits ^ f);
}

static uint64_t
digest_rows(jj_engine *e, uint64_t h, bool all, uint64_t *packets)
{
	const jj_row *row;
	bool		have;

	while (jj_engine_next(e, &row, &have, NULL) == JJ_OK && have)
	{
		if (all)
			h = digest(h, read_row(row));
		for (unsigned f = 0; all && f < JJ_FEATURES; f++)
			h = digest_value(h, row, f);
		for (size_t i = 0; !all && i < sizeof(few) / sizeof(few[0]); i++)
			h = digest_value(h, row, few[i]);
		*packets += (uint64_t) row->value[JJ_F_total_packets].i;
	}
	return h;
}

static void
note_fate(traffic *t, uint32_t i, const jj_observation *o)
{
	fate	   *x = &t->fate[i];

	assert(i < t->n && !x->told);
	x->told = true;
	x->skip = o->skip;
	if (o->skip != JJ_SKIP_NONE)
		return;
	assert(o->packet != NULL && o->first_frame > 0 && o->number > 0 && o->packet->t >= 0);
	x->sport = o->packet->sport;
	x->flow = o->first_frame;
}

static void
note_settled(traffic *t, jj_engine *e)
{
	const jj_settled *s;

	while ((s = jj_engine_settled(e)) != NULL)
		note_fate(t, (uint32_t) s->frame.index - 1 + (s->capture[0] == 'b' ? t->second_source : 0), &s->seen);
}

/* Run all frames; a digest of the rows, and what was counted. */
static uint64_t
run(traffic *t, const jj_options *o, uint32_t batch, bool fresh, bool observe, jj_counters *c)
{
	jj_allocator a = jj_malloc_allocator();
	jj_observation seen[JJ_BATCH];
	jj_engine  *e;
	uint64_t	h = 0;
	uint64_t	packets = 0;

	if (jj_engine_open(&e, o, NULL, &a, NULL) != JJ_OK || jj_engine_source(e, "a", true, NULL) != JJ_OK)
		abort();
	if (observe)
		jj_engine_observe(e, seen);
	for (uint32_t i = 0, n; i < t->n; i += n)
	{
		n = t->n - i < batch ? t->n - i : batch;
		if (i < t->second_source && i + n > t->second_source)
			n = t->second_source - i;
		if (i == t->second_source && i > 0 && jj_engine_source(e, "b", fresh, NULL) != JJ_OK)
			abort();
		if (observe)
			note_settled(t, e);
		if (jj_engine_feed(e, t->frame + i, n, NULL) != JJ_OK)
			abort();
		for (uint32_t k = 0; observe && k < n; k++)
			if (!seen[k].waits)
				note_fate(t, i + k, &seen[k]);
		if (observe)
			note_settled(t, e);
		h = digest_rows(e, h, jj_set_has(&o->features, JJ_F_ja4), &packets);
	}
	if (jj_engine_finish(e, NULL) != JJ_OK)
		abort();
	if (observe)
		note_settled(t, e);
	h = digest_rows(e, h, jj_set_has(&o->features, JJ_F_ja4), &packets);
	*c = *jj_engine_counters(e);
	assert(packets == c->decoded && c->flows_started == c->flows_ended && c->flows_live == 0);
	jj_engine_close(e);
	return h;
}

/* Whether a later fragment may have its ports from a first one. */
static bool
may_be_of(const traffic *t, uint32_t later, uint32_t first)
{
	int64_t		gap = t->frame[first].ts - t->frame[later].ts;

	return t->fate[first].first && t->datagram[first] == t->datagram[later] && (first > later ? gap : -gap) <= JJ_FRAGMENT_LIFE;
}

static void
check_fates(const traffic *t)
{
	uint32_t	step = 1 + t->n / 2000;	/* not all of many */

	for (uint32_t i = 0; i < t->n; i++)
	{
		bool		found = false;

		assert(t->fate[i].told);
		if (!t->fate[i].later || t->fate[i].skip != JJ_SKIP_NONE || t->fate[i].sport < 0 || i % step != 0)
			continue;
		for (uint32_t k = 0; k < t->n && !found; k++)
			found = may_be_of(t, i, k);
		assert(found);
	}
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t timeout[4] = {60, 0, 5, 40};
	static traffic room;
	traffic    *t = &room;
	jj_options	o;
	uint64_t	h;
	uint64_t	skipped = 0;
	jj_counters whole;
	jj_counters share[2];

	if (size < 3)
		return 0;
	memset(t->fate, 0, sizeof(t->fate[0]) * t->n);
	t->n = t->second_source = 0;
	jj_options_default(&o);
	o.flow_timeout = timeout[data[0] & 3] * JJ_SECOND;
	o.active_timeout = data[0] & 4 ? 20 * JJ_SECOND : JJ_INFINITE;
	o.flow_end = (jj_flow_end) ((data[0] >> 3 & 3) % 3);
	o.max_concurrent_flows = data[0] & 32 ? 1 + (data[0] >> 6) * 3U : 0;
	o.eviction = data[1] & 1 ? JJ_EVICT_OLDEST : JJ_EVICT_LRU;
	o.vlan_in_key = !(data[1] & 2);
	o.inner_tunnels = !(data[1] & 4);
	o.defragment = (data[1] & 24) != 24;
	o.sampling_rate = data[1] & 32 ? 0.5 : 1;
	o.max_samples = JJ_MIN_SAMPLES;
	if (!(data[2] & 2) || data[1] & 64)	/* assembly alone, which is faster */
	{
		memset(&o.features, 0, sizeof(o.features));
		for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
			jj_set_add_name(&o.features, jj_feature_table[few[i]].name);
	}
	make_traffic(t, data + 3, size - 3, data[2] & 1, data[1] & 64 ? MAX_FRAMES : FEW_FRAMES);
	h = run(t, &o, JJ_BATCH, data[2] & 4, true, &whole);
	for (int i = 0; i < JJ_SKIP_REASONS; i++)
		skipped += whole.skipped[i];
	assert(whole.decoded + skipped == t->n);
	check_fates(t);
	o.hash_seed = UINT64_C(0x123456789abcdef1);
	if (data[1] & 128)
	{
		o.shares = 2;
		run(t, &o, 1 + data[2] / 8, data[2] & 4, false, &share[0]);
		o.share = 1;
		run(t, &o, JJ_BATCH, data[2] & 4, false, &share[1]);
		assert(share[0].decoded + share[1].decoded == whole.decoded);
		assert(o.max_concurrent_flows != 0 || share[0].flows_started + share[1].flows_started == whole.flows_started);
		o.shares = 0;
	}
	if (run(t, &o, 1 + data[2] / 8, data[2] & 4, false, &whole) != h)
		abort();
	return 0;
}
