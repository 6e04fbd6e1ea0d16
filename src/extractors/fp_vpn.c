/*
 * VPN protocols by the structure of their messages, payload by payload.
 */
#include "extractors/fp.h"

#include <string.h>

static inline uint16_t
rd16(const uint8_t *b)
{
	return (uint16_t) (b[0] << 8 | b[1]);
}

static inline uint32_t
rd32(const uint8_t *b)
{
	return (uint32_t) rd16(b) << 16 | rd16(b + 2);
}

/* ---- WireGuard: messages of https://www.wireguard.com/papers/wireguard.pdf, 5.4 */

#define WG_INITIATION 1
#define WG_RESPONSE 2
#define WG_COOKIE 3
#define WG_DATA 4

bool
jj_fp_wireguard_may(const uint8_t *b, uint32_t n, uint32_t wire)
{
	return wire >= 32 && n >= 16 && b[0] >= WG_INITIATION && b[0] <= WG_DATA && (b[1] | b[2] | b[3]) == 0;
}

/* Whether index is the sender of the other side's initiation. */
static bool
answers(const jj_fp_wireguard *s, unsigned dir, uint32_t index)
{
	return (s->initiated & 1 << (1 - dir)) && s->sender[1 - dir] == index;
}

static void
note_receiver(jj_fp_wireguard *s, unsigned dir, uint32_t index)
{
	unsigned	n = s->receivers[dir];

	for (unsigned i = 0; i < n && i < 2; i++)
		if (s->receiver[dir][i] == index)
			return;
	if (n < 2)
		s->receiver[dir][n] = index;
	if (n < 3)
		s->receivers[dir]++;
}

bool
jj_fp_wireguard_add(jj_fp_wireguard *s, unsigned dir, const uint8_t *b, uint32_t n, uint32_t wire, uint32_t *evidence)
{
	if (!jj_fp_wireguard_may(b, n, wire))
		return false;
	switch (b[0])
	{
		case WG_INITIATION:		/* 204: as TunnelBear sends it */
			if (wire != 148 && wire != 204)
				return false;
			s->sender[dir] = rd32(b + 4);
			s->initiated |= (uint8_t) (1 << dir);
			*evidence |= JJ_EV(WG_INIT);
			break;
		case WG_RESPONSE:
			if (wire != 92 && wire != 100)
				return false;
			if (answers(s, dir, rd32(b + 8)))
				*evidence |= JJ_EV(WG_HANDSHAKE);
			break;
		case WG_COOKIE:
			if (wire != 64)
				return false;
			if (answers(s, dir, rd32(b + 4)))
				*evidence |= JJ_EV(WG_HANDSHAKE);
			break;
		default:
			/* padded to 16 bytes; the counter is little-endian and nobody sends 2^40 packets */
			if (wire % 16 != 0 || (b[13] | b[14] | b[15]) != 0)
				return false;
			if (s->data < 3)
				s->data++;
			note_receiver(s, dir, rd32(b + 4));
			if (s->data == 3 && s->receivers[0] <= 2 && s->receivers[1] <= 2)
				*evidence |= JJ_EV(WG_DATA);
	}
	return (*evidence & (JJ_EV(WG_HANDSHAKE) | JJ_EV(WG_DATA))) != (JJ_EV(WG_HANDSHAKE) | JJ_EV(WG_DATA));
}

/* ---- OpenVPN: https://openvpn.net/community-resources/openvpn-protocol/ */

#define OPENVPN_LOOK 12			/* payloads */

/* Control, acknowledgement and reset packets; data packets (6, 9) end the look. */
static bool
is_control(unsigned opcode)
{
	return opcode <= 11 && (0xdb6 >> opcode & 1);
}

/* Opcodes that may open a direction: the resets, and what answers or retries them. */
static bool
is_opening(unsigned opcode)
{
	return opcode <= 10 && (0x586 >> opcode & 1);
}

bool
jj_fp_openvpn_may(bool tcp, const uint8_t *b, uint32_t n, uint32_t wire)
{
	if (tcp)
	{
		if (n < 2 || (uint32_t) rd16(b) + 2 != wire)
			return false;
		b += 2;
		n -= 2;
		wire -= 2;
	}
	return wire >= 14 && wire < 1200 && n >= 9 && (b[0] & 7) == 0 && is_opening(b[0] >> 3);
}

/* Whether a server reset acknowledges the other side's session, whatever its HMAC's size. */
static bool
acknowledges(const uint8_t *b, uint32_t n, const uint8_t session[8])
{
	static const uint8_t hmac[] = {0, 16, 20, 32, 64};

	for (size_t i = 0; i < sizeof(hmac); i++)
	{
		uint32_t	o = 9 + hmac[i] + (hmac[i] != 0 ? 8 : 0);
		uint32_t	q;

		if (o >= n || b[o] < 1 || b[o] > 8)
			continue;
		q = o + 1 + 4 * b[o];
		if (q + 8 <= n && memcmp(b + q, session, 8) == 0)
			return true;
	}
	return false;
}

static unsigned
distinct_bytes(const uint8_t b[8])
{
	unsigned	distinct = 0;

	for (unsigned i = 0; i < 8; i++)
		distinct += memchr(b, b[i], i) == NULL;
	return distinct;
}

bool
jj_fp_openvpn_add(jj_fp_openvpn *s, bool tcp, unsigned dir, const uint8_t *b, uint32_t n, uint32_t wire, uint32_t *evidence)
{
	unsigned	opcode;
	bool		first = s->count[dir] == 0;
	bool		other = s->count[1 - dir] != 0;

	if (s->payloads++ == OPENVPN_LOOK)
		return false;
	if (tcp)
	{
		if (n < 2 || (first && (uint32_t) rd16(b) + 2 != wire))
			return false;
		b += 2;
		n -= 2;
		wire -= 2;
	}
	if (wire < 14 || n < 9)
		return false;
	opcode = b[0] >> 3;
	if ((b[0] & 7) != 0 || !is_control(opcode))
		return false;
	if (first)
	{
		if (!is_opening(opcode) || wire >= 1200)
			return false;
		memcpy(s->session[dir], b + 1, 8);
		s->first_opcode[dir] = (uint8_t) opcode;
	}
	else if (memcmp(s->session[dir], b + 1, 8) != 0)
		return false;
	s->count[dir]++;
	if ((opcode == 2 || opcode == 8) && other && acknowledges(b, n, s->session[1 - dir]))
		*evidence |= JJ_EV(OPENVPN_RESET);
	if (s->count[0] >= 2 && s->count[1] >= 2)
		*evidence |= JJ_EV(OPENVPN_SESSION);
	if (other)
		*evidence &= ~JJ_EV(OPENVPN_ONEWAY);
	else if (s->count[dir] >= 4 && (s->first_opcode[dir] == 7 || s->first_opcode[dir] == 8 || s->first_opcode[dir] == 10)
			 && distinct_bytes(s->session[dir]) >= 4)
		*evidence |= JJ_EV(OPENVPN_ONEWAY);
	return s->payloads < OPENVPN_LOOK;
}

/* ---- IPsec */

bool
jj_fp_is_ike(const uint8_t *b, uint32_t n, uint32_t wire, bool marker)
{
	static const uint8_t zero[8];

	if (marker)
	{
		if (n < 4 || memcmp(b, zero, 4) != 0)
			return false;
		b += 4;
		n -= 4;
		wire -= 4;
	}
	if (n < 28 || memcmp(b, zero, 8) == 0 || rd32(b + 24) != wire)
		return false;
	return (b[17] == 0x10 && b[18] >= 1 && b[18] <= 5) || (b[17] == 0x20 && b[18] >= 34 && b[18] <= 37);
}

/*
 * ESP in UDP (RFC 3948 2.1): an SPI whose sequence numbers rise. Of more SPIs
 * than there is room for, the one longest known is forgotten.
 */
bool
jj_fp_natt_add(jj_fp_natt *s, unsigned dir, const uint8_t *b, uint32_t n, uint32_t *evidence)
{
	uint32_t	spi,
				seq;
	unsigned	i;

	if (n < 8)
		return true;
	spi = rd32(b);
	seq = rd32(b + 4);
	if (spi < 256)				/* the marker before IKE, and SPIs that are reserved (RFC 4303 2.1) */
		return true;
	for (i = 0; i < JJ_FP_SPIS; i++)
		if (s->spi[i] == spi && s->dir[i] == dir)
			break;
	if (i == JJ_FP_SPIS)
	{
		i = s->next;
		s->next = (uint8_t) ((i + 1) % JJ_FP_SPIS);
		s->spi[i] = spi;
		s->dir[i] = (uint8_t) dir;
	}
	else if (seq > s->seq[i] && seq - s->seq[i] <= 64)
	{
		*evidence |= JJ_EV(NATT);
		return false;
	}
	s->seq[i] = seq;
	return true;
}

/* ---- others */

bool
jj_fp_is_l2tp(const uint8_t *b, uint32_t n, uint32_t wire)
{
	/* type, length and sequence bits set, priority and offset clear, version 2; Message Type is AVP 0 of vendor 0 */
	return n >= 20 && (rd16(b) & 0xc80f) == 0xc802 && rd16(b + 2) == wire && rd32(b + 14) == 0;
}

bool
jj_fp_is_gre_pptp(const uint8_t *b, uint32_t n)
{
	return n >= 4 && (b[1] & 7) == 1 && rd16(b + 2) == 0x880b;
}

bool
jj_fp_is_tailscale(const uint8_t *b, uint32_t n)
{
	return n >= 6 && memcmp(b, "TS\xf0\x9f\x92\xac", 6) == 0;
}
