/*
 * Frames of Initial packets, the CRYPTO stream they make up, and the CHLO of
 * Google QUIC.
 *
 * Sources: RFC 9000 19; Google's QUIC wire layout and QUIC crypto documents.
 */
#include "extractors/quic_packet.h"
#include "extractors/stream.h"

#include <string.h>

#define PADDING 0x00
#define PING 0x01
#define ACK 0x02
#define ACK_ECN 0x03
#define CRYPTO 0x06
#define CLOSE 0x1c
#define CLOSE_APPLICATION 0x1d
#define GOOGLE_PING 0x07
#define GOOGLE_CRYPTO 0x08
#define GOOGLE_ACK 0x40			/* to 0x5f: bits say how long its fields are */
#define MAX_ACK_RANGES 4096
#define FIRST_ROOM 2048
#define MAX_CHLO_TAGS 256

/* Move behind so many integers; false if there are fewer. */
static bool
skip_varints(jj_quic_frames *f, uint32_t count)
{
	uint64_t	v;

	while (count-- > 0)
		if (!jj_quic_varint(f->b, f->n, &f->at, &v))
			return false;
	return true;
}

static bool
skip_ack(jj_quic_frames *f, bool ecn)
{
	uint64_t	ranges;
	uint64_t	first;

	if (!skip_varints(f, 2) || !jj_quic_varint(f->b, f->n, &f->at, &ranges) || !jj_quic_varint(f->b, f->n, &f->at, &first))
		return false;
	if (ranges > MAX_ACK_RANGES)
		ranges = MAX_ACK_RANGES;
	return skip_varints(f, 2 * (uint32_t) ranges + (ecn ? 3 : 0));
}

/* Largest acknowledged and delay, blocks if there are any, time stamps. */
static bool
skip_google_ack(jj_quic_frames *f, uint8_t type)
{
	static const uint8_t bytes[] = {1, 2, 4, 6};
	uint32_t	largest = bytes[type >> 2 & 3];
	uint32_t	block = bytes[type & 3];
	uint32_t	blocks = 0;

	f->at += largest + 2;
	if (type & 0x10)
	{
		if (f->at >= f->n)
			return false;
		blocks = f->b[f->at++];
	}
	f->at += block + blocks * (1 + block);
	if (f->at >= f->n)
		return false;
	if (f->b[f->at] > 0)
		f->at += 5 + 3 * ((uint32_t) f->b[f->at] - 1);
	f->at++;
	return true;
}

static bool
skip_close(jj_quic_frames *f, bool application)
{
	uint64_t	reason;

	if (!skip_varints(f, application ? 1 : 2) || !jj_quic_varint(f->b, f->n, &f->at, &reason) || reason > f->n - f->at)
		return false;
	f->at += (uint32_t) reason;
	return true;
}

bool
jj_quic_crypto_frame(jj_quic_frames *f, uint64_t *offset, const uint8_t **data, uint32_t *size)
{
	while (f->at < f->n)
	{
		uint8_t		type = f->b[f->at++];
		uint64_t	n;

		if (type == PADDING || type == PING || (f->google && type == GOOGLE_PING))
			continue;
		if (type == (f->google ? GOOGLE_CRYPTO : CRYPTO))
		{
			if (!jj_quic_varint(f->b, f->n, &f->at, offset) || !jj_quic_varint(f->b, f->n, &f->at, &n) || n > f->n - f->at)
				break;
			*data = f->b + f->at;
			*size = (uint32_t) n;
			f->at += (uint32_t) n;
			return true;
		}
		if (f->google && type >= GOOGLE_ACK && type <= GOOGLE_ACK + 0x1f ? skip_google_ack(f, type)
			: !f->google && (type == ACK || type == ACK_ECN) ? skip_ack(f, type == ACK_ECN)
			: type == CLOSE || type == CLOSE_APPLICATION ? skip_close(f, type == CLOSE_APPLICATION) : false)
			continue;
		break;
	}
	f->at = f->n;
	return false;
}

/* ---- CRYPTO stream */

static inline uint8_t *
bits_of(const jj_quic_bytes *s)
{
	return s->b + s->room;
}

static inline bool
has_byte(const jj_quic_bytes *s, uint32_t i)
{
	return bits_of(s)[i / 8] >> i % 8 & 1;
}

/* Bytes of a block with so much room. */
static uint32_t
block_size(uint32_t room)
{
	return room + room / 8;
}

/* The room that is needed for bytes up to end. */
static uint32_t
room_for(const jj_quic_bytes *s, uint32_t end)
{
	uint32_t	room = s->room == 0 ? FIRST_ROOM : s->room;

	while (room < end)
		room *= 2;
	return room;
}

/* False without memory. */
static bool
grow(jj_quic_bytes *s, uint32_t room, jj_hold *hold, const jj_allocator *a)
{
	uint8_t    *grown = jj_alloc_zero(a, block_size(room));

	if (grown == NULL)
		return false;
	if (s->room > 0)
	{
		memcpy(grown, s->b, s->room);
		memcpy(grown + room, bits_of(s), s->room / 8);
	}
	jj_release(a, s->b);
	hold->bytes += block_size(room) - block_size(s->room);
	s->b = grown;
	s->room = room;
	return true;
}

bool
jj_quic_bytes_add(jj_quic_bytes *s, uint64_t offset, const uint8_t *data, uint32_t size, jj_hold *hold, const jj_allocator *a)
{
	uint32_t	at;
	uint32_t	room;

	if (offset >= JJ_QUIC_CRYPTO)
		return true;
	at = (uint32_t) offset;
	if (size > JJ_QUIC_CRYPTO - at)
		size = JJ_QUIC_CRYPTO - at;
	if (size == 0)
		return true;
	room = room_for(s, at + size);
	if (room > s->room)
	{
		if (hold->bytes + block_size(room) - block_size(s->room) > hold->limit)
		{
			hold->refused += size;
			return true;
		}
		if (!grow(s, room, hold, a))
			return false;
	}
	for (uint32_t i = at < s->done ? (s->done - at < size ? s->done - at : size) : 0; i < size; i++)
		if (!has_byte(s, at + i))
		{
			s->b[at + i] = data[i];
			bits_of(s)[(at + i) / 8] |= (uint8_t) (1u << (at + i) % 8);
		}
	while (s->done < s->room && has_byte(s, s->done))
		s->done++;
	return true;
}

void
jj_quic_bytes_free(jj_quic_bytes *s, jj_hold *hold, const jj_allocator *a)
{
	hold->bytes -= block_size(s->room);
	jj_release(a, s->b);
	memset(s, 0, sizeof(*s));
}

/* ---- Google QUIC */

static uint32_t
little32(const uint8_t *b)
{
	return (uint32_t) b[3] << 24 | (uint32_t) b[2] << 16 | (uint32_t) b[1] << 8 | b[0];
}

static const uint8_t *
find_chlo(const uint8_t *b, uint32_t n)
{
	const uint8_t *end;

	if (n < 4)
		return NULL;
	end = b + n;
	while (n >= 4 && (b = memchr(b, 'C', n - 3)) != NULL)
	{
		if (memcmp(b, "CHLO", 4) == 0)
			return b;
		b++;
		n = (uint32_t) (end - b);
	}
	return NULL;
}

uint32_t
jj_quic_chlo(const uint8_t *b, uint32_t n, const uint8_t **sni, uint32_t *sni_size, bool *more)
{
	const uint8_t *chlo = find_chlo(b, n);
	uint32_t	tags;
	uint32_t	base;
	uint32_t	last = 0;

	*sni = NULL;
	*sni_size = 0;
	*more = true;
	if (chlo == NULL)
		return 0;
	n -= (uint32_t) (chlo - b);
	if (n < 8)
		return 0;
	/* tag, number of tags, padding; of each tag its name and where its value ends; values */
	tags = (uint32_t) chlo[5] << 8 | chlo[4];
	base = 8 + 8 * tags;
	if (tags > MAX_CHLO_TAGS || base > n)
		return 0;
	for (uint32_t i = 0; i < tags; i++)
	{
		const uint8_t *tag = chlo + 8 + 8 * (size_t) i;
		uint32_t	end = little32(tag + 4);

		if (end < last || end > n - base)
			return i;
		if (*sni == NULL && memcmp(tag, "SNI", 4) == 0)
		{
			*sni = chlo + base + last;
			*sni_size = end - last;
		}
		last = end;
	}
	*more = false;
	return tags;
}
