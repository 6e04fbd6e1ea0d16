/*
 * The rules of a TCP stream, byte by byte and without care for time or memory,
 * to hold src/extractors/stream.c against.
 */
#ifndef JJ_STREAM_MODEL_H
#define JJ_STREAM_MODEL_H

#include "extractors/stream.h"
#include "features/engine.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_BYTES 70000		/* of a stream; no test may reach the end */
#define MODEL_SYNS JJ_STREAM_SYNS	/* with more different ones the model has no answer */

typedef struct model
{
	uint32_t	limit;
	uint32_t	start;
	bool		started;
	bool		start_seen;
	uint32_t	syn[MODEL_SYNS];
	unsigned	n_syns;
	int64_t		next;
	int64_t		far;
	bool		have[MODEL_BYTES];
	uint8_t		byte[MODEL_BYTES];
	uint64_t	carrier[MODEL_BYTES];
} model;

static inline int64_t
model_ahead(uint32_t seq, uint32_t from)
{
	int64_t		d = (int64_t) seq - (int64_t) from;

	while (d >= INT64_C(0x80000000))
		d -= INT64_C(0x100000000);
	while (d < -INT64_C(0x80000000))
		d += INT64_C(0x100000000);
	return d;
}

static inline bool
model_holds(const model *m)
{
	for (int64_t i = m->next; i < m->next + m->limit; i++)
		if (m->have[i])
			return true;
	return false;
}

static inline bool
model_had_syn(const model *m, uint32_t start)
{
	for (unsigned i = 0; i < m->n_syns; i++)
		if (m->syn[i] == start)
			return true;
	return false;
}

/* A segment; false if the model can't say more. */
static inline bool
model_add(model *m, const jj_packet *p)
{
	bool		syn = p->tcp_flags & JJ_TCP_SYN;
	uint32_t	seq = syn ? p->seq + 1 : p->seq;
	bool		zero = true;
	int64_t		off;

	if (syn && m->next == 0)
	{
		if (!m->started || seq != m->start)
		{
			memset(m->have, 0, sizeof(m->have));
			m->far = 0;
		}
		m->start = seq;
		m->started = m->start_seen = true;
		if (!model_had_syn(m, seq))
		{
			if (m->n_syns == MODEL_SYNS)
				return false;
			m->syn[m->n_syns++] = seq;
		}
	}
	for (uint32_t i = 0; i < p->payload_caplen; i++)
		zero = zero && p->payload[i] == 0;
	if ((p->tcp_flags & JJ_TCP_RST) || p->payload_len == 0 || (!(p->tcp_flags & JJ_TCP_PSH) && p->payload_len <= 6 && zero))
		return true;
	if (!m->started)
	{
		m->started = true;
		m->start = seq;
	}
	else if (m->next == 0 && seq != m->start && model_had_syn(m, seq) && !model_holds(m))
	{
		m->start = seq;
		m->far = 0;
	}
	off = m->next + model_ahead(seq, m->start + (uint32_t) m->next);
	if (off + p->payload_len > m->next && off < m->next + (1 << 30) && off + p->payload_len > m->far)
		m->far = off + p->payload_len;
	for (int64_t i = 0; i < p->payload_caplen; i++)
	{
		int64_t		o = off + i;

		if (o < m->next || (off > m->next && o >= m->next + m->limit))
			continue;
		if (o >= MODEL_BYTES - (int64_t) m->limit)
			return false;
		if (m->have[o])
			continue;
		m->have[o] = true;
		m->byte[o] = p->payload[i];
		m->carrier[o] = p->index;
	}
	while (m->have[m->next])
		m->next++;
	return true;
}

/* What a stream passed on so far, and how it broke its promises. */
typedef struct model_check
{
	const model *m;
	const jj_packet *now;
	uint64_t	taken;
	uint64_t	last;			/* carrier of the last byte */
	const char *wrong;
} model_check;

static inline jj_want
model_sink(void *context, const jj_chunk *c)
{
	model_check *k = context;

	if (c->n == 0)
		k->wrong = "empty piece";
	if (c->offset != k->taken)
		k->wrong = "not the next byte";
	if (c->done != k->now || c->dir != k->now->dir)
		k->wrong = "not this packet";
	if (c->offset + c->n > (uint64_t) k->m->next)
		k->wrong = "bytes that are not in order";
	else
		for (uint32_t i = 0; i < c->n; i++)
			if (c->bytes[i] != k->m->byte[c->offset + i] || c->carrier != k->m->carrier[c->offset + i])
				k->wrong = "another copy of a byte";
	k->taken = c->offset + c->n;
	k->last = c->carrier;
	return JJ_WANT_MORE;
}

/* Hold the stream after a packet against the model; NULL or what is wrong. */
static inline const char *
model_compare(const model *m, const jj_stream *s, const jj_hold *hold, const model_check *k)
{
	if (k->wrong != NULL)
		return k->wrong;
	if (k->taken != (uint64_t) m->next || s->next != (uint64_t) m->next)
		return "bytes in order";
	if (s->started != m->started || (m->started && s->start != m->start))
		return "start";
	if (s->start_seen != m->start_seen)
		return "start_seen";
	if (jj_stream_gap(s) != (m->far > m->next))
		return "gap";
	if ((s->first == NULL) != (s->n_held == 0) || (hold->bytes == 0) != (s->n_held == 0))
		return "what is held";
	return NULL;
}

#endif
