/*
 * HTTP/2 frames (RFC 9113): walked by their headers; of payloads only header
 * blocks are read, until the first exchange is known.
 */
#include "extractors/h2_frames.h"

#include <string.h>

#define FLAG_END_STREAM 0x01
#define FLAG_ACK 0x01
#define FLAG_END_HEADERS 0x04
#define FLAG_PADDED 0x08
#define FLAG_PRIORITY 0x20

static uint32_t
get31(const uint8_t *b)
{
	return ((uint32_t) (b[0] & 0x7f) << 24) | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static uint32_t
get24(const uint8_t *b)
{
	return (uint32_t) b[0] << 16 | (uint32_t) b[1] << 8 | b[2];
}

bool
jj_h2_settings(const uint8_t h[JJ_H2_HEADER])
{
	uint32_t	n = get24(h);

	return h[3] == JJ_H2_SETTINGS && get31(h + 5) == 0 && n % 6 == 0 && n <= 16384 && (n == 0 || !(h[4] & FLAG_ACK));
}

/* ---- sets of stream identifiers */

/* The first run that ends at number or behind it. */
static unsigned
find_run(const jj_h2_ids *s, uint32_t number)
{
	unsigned	lo = 0;
	unsigned	hi = s->n;

	if (hi > 0 && s->run[hi - 1][1] < number)
		return hi;
	while (lo < hi)
	{
		unsigned	mid = (lo + hi) / 2;

		if (s->run[mid][1] < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
jj_h2_ids_has(const jj_h2_ids ids[2], uint32_t id)
{
	const jj_h2_ids *s = &ids[id & 1];
	unsigned	i = find_run(s, id / 2);

	return i < s->n && s->run[i][0] <= id / 2;
}

static void
remove_run(jj_h2_ids *s, unsigned i)
{
	s->n--;
	memmove(s->run + i, s->run + i + 1, (s->n - i) * sizeof(s->run[0]));
}

bool
jj_h2_ids_add(jj_h2_ids ids[2], uint32_t id, bool *is_new, const jj_allocator *a)
{
	jj_h2_ids  *s = &ids[id & 1];
	uint32_t	number = id / 2;
	unsigned	i = find_run(s, number);
	bool		after;
	bool		before;

	*is_new = i == s->n || s->run[i][0] > number;
	if (!*is_new)
		return true;
	after = i > 0 && s->run[i - 1][1] + 1 == number;
	before = i < s->n && s->run[i][0] == number + 1;
	if (!after && !before && s->n == s->room && s->room < JJ_H2_RUNS + 1)
	{
		uint16_t	room = s->room == 0 ? 4 : 2 * s->room;
		void	   *grown;

		if (room > JJ_H2_RUNS)
			room = JJ_H2_RUNS + 1;
		grown = jj_regrow(a, s->run, s->room * sizeof(s->run[0]), room * sizeof(s->run[0]));
		if (grown == NULL)
			return false;
		s->run = grown;
		s->room = room;
	}
	s->count++;
	if (after && before)
	{
		s->run[i - 1][1] = s->run[i][1];
		remove_run(s, i);
	}
	else if (after)
		s->run[i - 1][1] = number;
	else if (before)
		s->run[i][0] = number;
	else
	{
		memmove(s->run + i + 1, s->run + i, (s->n - i) * sizeof(s->run[0]));
		s->run[i][0] = s->run[i][1] = number;
		if (++s->n > JJ_H2_RUNS)
		{
			s->run[1][0] = s->run[0][0];
			remove_run(s, 0);
		}
	}
	return true;
}

void
jj_h2_ids_free(jj_h2_ids ids[2], const jj_allocator *a)
{
	for (int i = 0; i < 2; i++)
		jj_release(a, ids[i].run);
	memset(ids, 0, 2 * sizeof(ids[0]));
}

void
jj_h2_forget(jj_h2 *h, bool seen, const jj_allocator *a)
{
	h->live = 0;
	h->ended[0] = h->ended[1] = false;
	h->multiplexed = false;
	jj_h2_ids_free(h->closed, a);
	if (seen)
		jj_h2_ids_free(h->ids, a);
}

/* ---- header blocks */

/* The block, or one before it, can't be decoded, so nothing after it can; or nothing is looked for any more. */
static void
give_up(jj_h2_side *s, const jj_allocator *a)
{
	if (s->request == JJ_H2_SEARCHING)
		s->request = JJ_H2_GIVEN_UP;
	if (s->response == JJ_H2_SEARCHING)
		s->response = JJ_H2_GIVEN_UP;
	s->open = false;
	jj_hpack_fields_free(&s->block, a);
	jj_hpack_free(&s->hpack, a);
}

bool
jj_h2_searching(const jj_h2_side *s)
{
	return s->request == JJ_H2_SEARCHING || s->response == JJ_H2_SEARCHING;
}

void
jj_h2_look_for(jj_h2_side *s, bool request, bool response, const jj_allocator *a)
{
	if (!request && s->request == JJ_H2_SEARCHING)
		s->request = JJ_H2_GIVEN_UP;
	if (!response && s->response == JJ_H2_SEARCHING)
		s->response = JJ_H2_GIVEN_UP;
	if (!jj_h2_searching(s))
		give_up(s, a);
}

/* Three digits, or -1. */
static int16_t
status_of(const uint8_t *b, uint32_t n)
{
	int			status = 0;

	if (n != 3)
		return -1;
	for (int i = 0; i < 3; i++)
	{
		if (b[i] < '0' || b[i] > '9')
			return -1;
		status = status * 10 + (b[i] - '0');
	}
	return (int16_t) status;
}

/* A header block is complete: 1xx responses and promises only keep the dynamic table right. */
static void
end_block(jj_h2_side *s, const jj_allocator *a)
{
	const jj_buffer *status = &s->block.of[JJ_HPACK_STATUS].value;

	s->open = false;
	if (!jj_hpack_complete(&s->hpack))
	{
		give_up(s, a);
		return;
	}
	if (s->block_type == JJ_H2_HEADERS)
	{
		int16_t		number = status_of(status->bytes, status->n);

		if (s->response == JJ_H2_SEARCHING && (status->n == 0 || status->bytes[0] != '1' || number == 101))
		{
			s->response = JJ_H2_FOUND;
			s->status = number;
		}
		if (s->request == JJ_H2_SEARCHING)
		{
			s->request = JJ_H2_FOUND;
			s->fields = s->block;
			memset(&s->block, 0, sizeof(s->block));
		}
	}
	jj_hpack_fields_free(&s->block, a);
	if (!jj_h2_searching(s))
		give_up(s, a);
}

/* A frame begins while fields are looked for: is it of a header block, and one that may come here (RFC 9113 6.2, 6.6, 6.10)? */
static void
begin_block(jj_h2_side *s, const jj_allocator *a)
{
	bool		first = s->type == JJ_H2_HEADERS || s->type == JJ_H2_PUSH_PROMISE;

	s->body = s->length;
	s->fixed = 0;
	s->at_pad = false;
	if (s->open && s->type != JJ_H2_CONTINUATION)
		give_up(s, a);
	else if (first)
	{
		s->open = true;
		s->block_type = s->type;
		if (s->type == JJ_H2_PUSH_PROMISE)
			s->fixed = 4;
		else if (s->flags & FLAG_PRIORITY)
			s->fixed = 5;
		if (s->flags & FLAG_PADDED)
		{
			s->at_pad = true;
			if (s->length == 0)
				give_up(s, a);
		}
	}
}

/* Payload of a frame of a header block: the block is what lies between pad length, fixed fields and padding. */
static bool
take_block(jj_h2_side *s, const uint8_t *bytes, uint32_t n, const jj_allocator *a)
{
	jj_hpack_result r;
	uint32_t	skip;

	if (s->at_pad)
	{
		s->at_pad = false;
		if (*bytes >= s->length)
		{
			give_up(s, a);
			return true;
		}
		s->body = s->length - 1 - *bytes++;
		n--;
	}
	skip = s->fixed < s->body ? s->fixed : s->body;
	if (skip > n)
		skip = n;
	s->fixed -= (uint8_t) skip;
	s->body -= skip;
	bytes += skip;
	n -= skip;
	if (n > s->body)
		n = s->body;
	s->body -= n;
	r = jj_hpack_decode(&s->hpack, bytes, n, &s->block, a);
	if (r == JJ_HPACK_BAD)
		give_up(s, a);
	return r != JJ_HPACK_MEMORY;
}

/* ---- frames */

/* Streams of a complete frame, and whether two requests are open at once (RFC 9113 5.1). */
static bool
count_streams(jj_h2 *h, jj_h2_side *s, bool from_client, const jj_allocator *a)
{
	bool		is_new;

	if ((s->type == JJ_H2_DATA || s->type == JJ_H2_HEADERS) && s->stream != 0 && !jj_h2_ids_add(h->ids, s->stream, &is_new, a))
		return false;
	if (s->type == JJ_H2_PUSH_PROMISE)
	{
		unsigned	at = s->flags & FLAG_PADDED ? 1 : 0;

		if (s->n_head >= at + 4 && get31(s->head + at) != 0 && !jj_h2_ids_add(h->ids, get31(s->head + at), &is_new, a))
			return false;
	}
	if (h->multiplexed || s->stream == 0)
		return true;
	if (s->type == JJ_H2_HEADERS && from_client && s->stream != h->live && !jj_h2_ids_has(h->closed, s->stream))
	{
		if (h->live != 0)
		{
			h->multiplexed = true;
			jj_h2_ids_free(h->closed, a);
			return true;
		}
		h->live = s->stream;
		h->ended[0] = h->ended[1] = false;
	}
	if (s->stream != h->live)
		return true;
	if ((s->type == JJ_H2_DATA || s->type == JJ_H2_HEADERS) && (s->flags & FLAG_END_STREAM))
		h->ended[from_client ? 0 : 1] = true;
	if (s->type == JJ_H2_RST_STREAM || (h->ended[0] && h->ended[1]))
	{
		h->live = 0;
		return jj_h2_ids_add(h->closed, s->stream, &is_new, a);
	}
	return true;
}

static bool
end_frame(jj_h2 *h, int dir, const jj_allocator *a)
{
	jj_h2_side *s = &h->side[dir];

	s->in_frame = false;
	if (h->counting)
	{
		s->frames++;
		if (s->type < JJ_H2_TYPES)
			s->count[s->type]++;
		if (!count_streams(h, s, dir == h->client, a))
			return false;
	}
	if (s->open && (s->flags & FLAG_END_HEADERS))
		end_block(s, a);
	return true;
}

static void
begin_frame(jj_h2_side *s, const uint8_t *header, const jj_allocator *a)
{
	s->length = s->left = get24(header);
	s->type = header[3];
	s->flags = header[4];
	s->stream = get31(header + 5);
	s->n_header = 0;
	s->n_head = 0;
	s->in_frame = true;
	if (jj_h2_searching(s))
		begin_block(s, a);
}

bool
jj_h2_walk(jj_h2 *h, int dir, const uint8_t *bytes, uint32_t n, const jj_allocator *a)
{
	jj_h2_side *s = &h->side[dir];

	while (n > 0)
	{
		uint32_t	take;

		if (!s->in_frame)
		{
			if (s->n_header == 0 && n >= JJ_H2_HEADER)
			{
				begin_frame(s, bytes, a);
				take = JJ_H2_HEADER;
			}
			else
			{
				take = JJ_H2_HEADER - s->n_header;
				if (take > n)
					take = n;
				memcpy(s->header + s->n_header, bytes, take);
				s->n_header += (uint8_t) take;
				if (s->n_header == JJ_H2_HEADER)
					begin_frame(s, s->header, a);
			}
		}
		else
		{
			take = s->left < n ? s->left : n;
			if (s->type == JJ_H2_PUSH_PROMISE && s->n_head < sizeof(s->head))
			{
				uint32_t	room = (uint32_t) sizeof(s->head) - s->n_head;
				uint32_t	more = room < take ? room : take;

				memcpy(s->head + s->n_head, bytes, more);
				s->n_head += (uint8_t) more;
			}
			if (s->open && !take_block(s, bytes, take, a))
				return false;
			s->left -= take;
		}
		bytes += take;
		n -= take;
		if (s->in_frame && s->left == 0 && !end_frame(h, dir, a))
			return false;
	}
	return true;
}

void
jj_h2_free(jj_h2 *h, const jj_allocator *a)
{
	for (int d = 0; d < 2; d++)
	{
		jj_hpack_fields_free(&h->side[d].block, a);
		jj_hpack_free(&h->side[d].hpack, a);
		jj_hpack_fields_free(&h->side[d].fields, a);
	}
	jj_h2_forget(h, true, a);
}
