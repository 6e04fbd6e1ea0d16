/*
 * QUIC packets in a datagram.
 */
#include "extractors/quic_packet.h"

#include <string.h>

#define LONG 0x80				/* header form */

static uint32_t
get32(const uint8_t *b)
{
	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

int
jj_quic_draft(uint32_t version)
{
	if (version == JJ_QUIC_V1)
		return 34;
	if (version == JJ_QUIC_V2)
		return 100;
	if (version >= 0xff000016 && version <= 0xff000022)
		return (int) (version & 0xff);
	if (version >> 8 == 0xfaceb0)	/* mvfst: the first one is draft 22, later ones draft 27 */
		return version == 0xfaceb001 ? 22 : 27;
	return 0;
}

bool
jj_quic_is_ietf(uint32_t version)
{
	return jj_quic_draft(version) != 0 || version == JJ_QUIC_Q050 || version == JJ_QUIC_T050 || version == JJ_QUIC_T051;
}

/* Versions that no endpoint has, to force negotiation (RFC 9000 15). */
static bool
is_reserved(uint32_t version)
{
	return (version & 0x0f0f0f0f) == 0x0a0a0a0a;
}

/* Q024 to Q043: the public header of Google QUIC. */
static bool
has_public_header(uint32_t version)
{
	unsigned	tens = (version >> 8 & 0xff) - '0';
	unsigned	ones = (version & 0xff) - '0';

	return version >> 16 == 0x5130 && tens <= 9 && ones <= 9 && 10 * tens + ones >= 24 && 10 * tens + ones <= 43;
}

/* Where the version of a public header is, 0 if this is none. */
static uint32_t
public_version_at(uint8_t flags)
{
	return (flags & 0xc0) || !(flags & 1) || (flags & 2) ? 0 : flags & 8 ? 9 : 1;
}

bool
jj_quic_begins(const uint8_t *b, uint32_t have)
{
	uint32_t	at;
	uint32_t	version;

	if (have < 6)
		return false;
	if (!(b[0] & LONG))
	{
		at = public_version_at(b[0]);
		return at != 0 && have >= at + 5 && has_public_header(get32(b + at));
	}
	version = get32(b + 1);
	return version == JJ_QUIC_V1 || is_reserved(version) || version == JJ_QUIC_Q046 || jj_quic_is_ietf(version);
}

bool
jj_quic_varint(const uint8_t *b, uint32_t n, uint32_t *at, uint64_t *value)
{
	uint32_t	size;
	uint64_t	v;

	if (*at >= n)
		return false;
	size = 1u << (b[*at] >> 6);
	if (size > n - *at)
		return false;
	v = b[*at] & 0x3f;
	for (uint32_t i = 1; i < size; i++)
		v = v << 8 | b[*at + i];
	*at += size;
	*value = v;
	return true;
}

static jj_quic_kind
kind_of(uint32_t version, uint8_t first)
{
	static const jj_quic_kind kind[] = {JJ_QUIC_INITIAL, JJ_QUIC_0RTT, JJ_QUIC_HANDSHAKE, JJ_QUIC_RETRY};
	unsigned	type = first >> 4 & 3;

	return kind[version == JJ_QUIC_V2 ? (type + 3) & 3 : type];
}

static bool
read_public(const jj_quic_walk *walk, jj_quic_packet *p)
{
	uint32_t	at = public_version_at(walk->b[0]);

	if (at == 0 || walk->have < at + 5 || !has_public_header(get32(walk->b + at)))
		return false;
	p->kind = JJ_QUIC_PUBLIC;
	p->version = get32(walk->b + at);
	p->dcid = walk->b + 1;
	p->dcid_len = (uint8_t) (at - 1);
	return true;
}

/* Q046: lengths of connection IDs in one byte, no Length field. */
static bool
read_q046(const jj_quic_walk *walk, jj_quic_packet *p)
{
	const uint8_t *b = walk->b;
	unsigned	dcid = b[5] >> 4;
	unsigned	scid = b[5] & 15;

	dcid += dcid > 0 ? 3 : 0;
	scid += scid > 0 ? 3 : 0;
	if (walk->at > 0 || !(b[0] & 0x40) || 6 + dcid + scid + 4 > walk->have)
		return false;
	p->dcid = b + 6;
	p->dcid_len = (uint8_t) dcid;
	p->scid = b + 6 + dcid;
	p->scid_len = (uint8_t) scid;
	p->has_scid = true;
	p->kind = kind_of(p->version, b[0]);
	p->number_at = 6 + dcid + scid;
	return true;
}

/* A packet of RFC 9000 from its connection IDs on. */
static bool
read_long(const jj_quic_walk *walk, jj_quic_packet *p, bool *last)
{
	const uint8_t *b = p->raw;
	uint32_t	have = p->have;
	uint32_t	wire = p->size;
	uint32_t	q = 6;
	uint64_t	n;

	*last = true;
	if (b[5] > JJ_QUIC_CID || q + b[5] >= have)
		return false;
	p->dcid = b + q;
	p->dcid_len = b[5];
	q += b[5];
	if (b[q] > JJ_QUIC_CID || q + 1 + b[q] > have)
		return false;
	p->scid = b + q + 1;
	p->scid_len = b[q];
	p->has_scid = true;
	q += 1 + (uint32_t) b[q];
	if (p->version == 0)
	{
		p->kind = JJ_QUIC_NEGOTIATION;
		return walk->at == 0 && wire - q >= 4 && (wire - q) % 4 == 0;
	}
	if (is_reserved(p->version))
	{
		p->kind = JJ_QUIC_RESERVED;
		return true;
	}
	if (!jj_quic_is_ietf(p->version))
		return false;
	p->kind = kind_of(p->version, b[0]);	/* the fixed bit may be greased (RFC 9287) */
	if (p->kind == JJ_QUIC_RETRY)
		return wire - q >= 16 || jj_quic_draft(p->version) < 25;
	if (p->kind == JJ_QUIC_INITIAL)
	{
		if (!jj_quic_varint(b, have, &q, &n) || n > wire - q)
			return false;
		p->token_len = (uint32_t) n;
		p->has_token = true;
		q += (uint32_t) n;
	}
	if (!jj_quic_varint(b, have, &q, &n) || n > wire - q || n < 1)
		return false;
	*last = false;
	p->number_at = q;
	p->size = q + (uint32_t) n;
	if (p->have > p->size)
		p->have = p->size;
	return true;
}

/* Whether there is anything but padding. */
static bool
any_byte(const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (b[i] != 0)
			return true;
	return false;
}

bool
jj_quic_next(jj_quic_walk *walk, jj_quic_packet *p)
{
	const uint8_t *b = walk->b + walk->at;
	uint32_t	have;
	bool		last = true;
	bool		good;

	if (walk->over || walk->at >= walk->have)
		return false;
	have = walk->have - walk->at;
	memset(p, 0, sizeof(*p));
	p->raw = b;
	p->have = have;
	p->size = walk->wire - walk->at;
	if (!(b[0] & LONG))
	{
		walk->over = true;
		if (walk->at == 0)
			return read_public(walk, p);
		p->kind = JJ_QUIC_SHORT;
		return any_byte(b, have);
	}
	if (have < 7)
		return false;
	p->version = get32(b + 1);
	if (p->version == JJ_QUIC_Q046)
		good = read_q046(walk, p);
	else
		good = read_long(walk, p, &last);
	walk->over = !good || last;
	if (good && !last)
		walk->at = p->size < have ? walk->at + p->size : walk->have;
	return good;
}

/* 'Q' or 'T' and three digits. */
static bool
is_google(uint32_t version)
{
	for (int shift = 16; shift >= 0; shift -= 8)
		if ((version >> shift & 0xff) - '0' > 9)
			return false;
	return version >> 24 == 'Q' || version >> 24 == 'T';
}

void
jj_quic_version_name(char out[JJ_QUIC_VERSION_TEXT], uint32_t version)
{
	const char *name = version == JJ_QUIC_V1 ? "QUIC v1"
		: version == JJ_QUIC_V2 ? "QUIC v2"
		: version >> 8 == 0xff0000 ? "QUIC draft-"
		: is_google(version) ? "gQUIC "
		: version >> 8 == 0xfaceb0 ? "mvfst 0x"
		: is_reserved(version) ? "reserved 0x" : "unknown (0x";
	char	   *to = out + strlen(name);

	memcpy(out, name, strlen(name) + 1);
	if (version == JJ_QUIC_V1 || version == JJ_QUIC_V2)
		return;
	if (version >> 8 == 0xff0000)
	{
		unsigned	n = version & 0xff;

		for (unsigned unit = n >= 100 ? 100 : n >= 10 ? 10 : 1; unit > 0; unit /= 10)
			*to++ = (char) ('0' + n / unit % 10);
	}
	else if (is_google(version))
		for (int shift = 24; shift >= 0; shift -= 8)
			*to++ = (char) (version >> shift);
	else
	{
		for (int shift = 28; shift >= 0; shift -= 4)
			*to++ = "0123456789abcdef"[version >> shift & 15];
		if (name[0] == 'u')
			*to++ = ')';
	}
	*to = '\0';
}
