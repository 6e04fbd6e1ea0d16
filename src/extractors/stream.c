/*
 * Reassembly of one TCP direction.
 */
#include "extractors/stream.h"

#include <string.h>

#define LINE 64					/* what a block costs is counted in cache lines */
#define PADDING 6				/* so many zero bytes without PSH are no data */
#define REACH (INT64_C(1) << 30)	/* payload farther ahead is not of this stream */

/* Bytes behind a gap. */
struct jj_held
{
	jj_held    *next;
	uint64_t	start;			/* offset in the stream */
	uint64_t	carrier;
	uint32_t	n;
	uint8_t		bytes[];
};

static uint64_t
cost(uint32_t n)
{
	return (sizeof(jj_held) + n + sizeof(uint64_t) + LINE - 1) / LINE * LINE;
}

/* Most pieces held of a stream: full segments fit limit bytes into far fewer. */
static uint32_t
max_held(uint32_t limit)
{
	uint32_t	n = limit / 32 + 64;

	return n < UINT16_MAX ? n : UINT16_MAX;
}

static void
pop(jj_stream *s, jj_hold *hold, const jj_allocator *a)
{
	jj_held    *h = s->first;

	s->first = h->next;
	if (s->first == NULL)
		s->last = NULL;
	s->n_held--;
	hold->bytes -= cost(h->n);
	jj_release(a, h);
}

void
jj_stream_drop(jj_stream *s, jj_hold *hold, const jj_allocator *a)
{
	while (s->first != NULL)
		pop(s, hold, a);
}

/* A SYN before the first byte in order: the stream starts behind it. */
static void
take_syn(jj_stream *s, uint32_t first, jj_hold *hold, const jj_allocator *a)
{
	if (s->started && first != s->start)
	{
		jj_stream_drop(s, hold, a);
		s->far = 0;
	}
	if (s->start_seen && first != s->start)
	{
		unsigned	i = 0;

		/* the start so far becomes the latest of the earlier ones, of which first is none any more */
		while (i < s->n_syns && s->syn[i] != first)
			i++;
		if (i == s->n_syns && i < JJ_STREAM_SYNS - 1)
			s->n_syns++;
		else if (i == s->n_syns)
			i--;
		memmove(s->syn + 1, s->syn, sizeof(s->syn[0]) * i);
		s->syn[0] = s->start;
	}
	s->start = first;
	s->started = s->start_seen = true;
}

/* The first payload, at seq: of several SYNs the one that fits it counts. */
static void
choose_syn(jj_stream *s, uint32_t seq)
{
	for (unsigned i = 0; i < s->n_syns; i++)
		if (s->syn[i] == seq)
		{
			s->syn[i] = s->start;
			s->start = seq;
			s->far = 0;
			return;
		}
}

bool
jj_stream_padding(const jj_packet *p)
{
	if ((p->tcp_flags & JJ_TCP_PSH) || p->payload_len > PADDING)
		return false;
	for (uint32_t i = 0; i < p->payload_caplen; i++)
		if (p->payload[i] != 0)
			return false;
	return true;
}

/* Keep [start, end) of the packet, whose payload begins at off, between *link and what follows it. False without memory. */
static bool
hold_piece(jj_stream *s, jj_held **link, const jj_packet *p, int64_t off, uint64_t start, uint64_t end, jj_hold *hold, const jj_allocator *a)
{
	uint32_t	n = (uint32_t) (end - start);
	jj_held    *h;

	if (hold->bytes + cost(n) > hold->limit)
	{
		hold->refused += n;
		return true;
	}
	h = jj_alloc(a, sizeof(*h) + n);
	if (h == NULL)
		return false;
	h->start = start;
	h->carrier = p->index;
	h->n = n;
	memcpy(h->bytes, p->payload + (start - (uint64_t) off), n);
	h->next = *link;
	*link = h;
	if (h->next == NULL)
		s->last = h;
	s->n_held++;
	hold->bytes += cost(n);
	return true;
}

/* Hold [at, end) of the packet where no earlier copy is held. */
static bool
hold_segment(jj_stream *s, const jj_packet *p, int64_t off, uint64_t at, uint64_t end, uint32_t limit, jj_hold *hold, const jj_allocator *a)
{
	jj_held   **link = &s->first;

	if (s->last != NULL && s->last->start + s->last->n <= at)
		link = &s->last->next;
	while (at < end && s->n_held < max_held(limit))
	{
		jj_held    *h = *link;

		if (h != NULL && h->start + h->n <= at)
			link = &h->next;
		else if (h != NULL && h->start <= at)
		{
			at = h->start + h->n;
			link = &h->next;
		}
		else
		{
			uint64_t	stop = h != NULL && h->start < end ? h->start : end;

			if (!hold_piece(s, link, p, off, at, stop, hold, a))
				return false;
			at = stop;
		}
	}
	return true;
}

/* Pass on what is in order now: the packet's bytes up to end, and what was held. */
static jj_want
pass_on(jj_stream *s, const jj_packet *p, int64_t off, uint64_t end, jj_hold *hold, const jj_allocator *a, jj_stream_sink sink, void *context)
{
	jj_want		want = JJ_WANT_MORE;
	jj_chunk	c = {.dir = p->dir, .done = p};

	while (want == JJ_WANT_MORE)
	{
		jj_held    *h = s->first;

		c.offset = s->next;
		if (h != NULL && h->start == s->next)
		{
			c.bytes = h->bytes;
			c.n = h->n;
			c.carrier = h->carrier;
			s->next += c.n;
			want = sink(context, &c);
			pop(s, hold, a);
		}
		else if (s->next < end)
		{
			c.bytes = p->payload + (s->next - (uint64_t) off);
			c.n = (uint32_t) ((h != NULL && h->start < end ? h->start : end) - s->next);
			c.carrier = p->index;
			s->next += c.n;
			want = sink(context, &c);
		}
		else
			break;
	}
	return want;
}

jj_want
jj_stream_add(jj_stream *s, const jj_packet *p, uint32_t limit, jj_hold *hold, const jj_allocator *a, jj_stream_sink sink, void *context)
{
	uint32_t	seq = p->seq;
	int64_t		next;
	int64_t		off;
	int64_t		end;
	uint32_t	ahead;

	if (p->tcp_flags & JJ_TCP_SYN)
	{
		seq++;
		if (s->next == 0)
			take_syn(s, seq, hold, a);
	}
	if ((p->tcp_flags & JJ_TCP_RST) || p->payload_len == 0 || jj_stream_padding(p))
		return JJ_WANT_MORE;
	if (!s->started)
	{
		s->start = seq;
		s->started = true;
	}
	else if (s->next == 0 && s->first == NULL && seq != s->start)
		choose_syn(s, seq);

	/* offset of the payload; may be negative */
	next = (int64_t) s->next;
	ahead = seq - (s->start + (uint32_t) s->next);
	off = next + (ahead < UINT32_C(0x80000000) ? (int64_t) ahead : (int64_t) ahead - (INT64_C(1) << 32));
	end = off + p->payload_len;
	if (end > next && off < next + REACH && end > (int64_t) s->far)
		s->far = (uint64_t) end;
	end = off + p->payload_caplen;
	if (end <= next)
		return JJ_WANT_MORE;
	if (off <= next)
		return pass_on(s, p, off, (uint64_t) end, hold, a, sink, context);
	if (end > next + limit)
		end = next + limit;
	if (off < end && !hold_segment(s, p, off, (uint64_t) off, (uint64_t) end, limit, hold, a))
		return JJ_WANT_MEMORY;
	return JJ_WANT_MORE;
}

bool
jj_buffer_add(jj_buffer *b, const uint8_t *bytes, uint32_t n, const jj_allocator *a)
{
	if (n == 0)
		return true;
	if (n > b->room - b->n)
	{
		uint32_t	room = b->room == 0 ? 248 : b->room;
		uint8_t    *grown;

		while (room < b->n + n)
			room = room * 2 + 8;
		grown = jj_regrow(a, b->bytes, b->n, room);
		if (grown == NULL)
			return false;
		b->bytes = grown;
		b->room = room;
	}
	memcpy(b->bytes + b->n, bytes, n);
	b->n += n;
	return true;
}

void
jj_buffer_free(jj_buffer *b, const jj_allocator *a)
{
	jj_release(a, b->bytes);
	memset(b, 0, sizeof(*b));
}
