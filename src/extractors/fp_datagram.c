/*
 * Application protocols by UDP datagrams: the first of each direction, but
 * STUN and RTP by any.
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

bool
jj_fp_is_stun(const uint8_t *b, uint32_t n, uint32_t wire)
{
	return n >= 20 && rd32(b + 4) == 0x2112a442 && (b[0] & 0xc0) == 0 && (uint32_t) rd16(b + 2) + 20 == wire && wire % 4 == 0;
}

/* RFC 5905 7.3 */
static bool
is_ntp(const uint8_t *b, uint32_t n, uint32_t wire)
{
	unsigned	version,
				mode;

	if (wire < 48 || n < 2)
		return false;
	version = b[0] >> 3 & 7;
	mode = b[0] & 7;
	return version >= 1 && version <= 4 && mode >= 1 && mode <= 5 && b[1] <= 16;
}

/* RFC 2131 3 */
static bool
is_dhcp(const uint8_t *b, uint32_t n)
{
	return n >= 240 && (b[0] == 1 || b[0] == 2) && rd32(b + 236) == 0x63825363;
}

/* RFC 8415 8: the options fill the message; relay messages (12, 13) have a longer header. */
static bool
is_dhcpv6(const uint8_t *b, uint32_t n, uint32_t wire)
{
	uint32_t	o;

	if (n < 4 || n != wire || b[0] < 1 || b[0] > 36)
		return false;
	for (o = b[0] == 12 || b[0] == 13 ? 34 : 4; o + 4 <= n;)
		o += 4 + (uint32_t) rd16(b + o + 2);
	return o == n;
}

/* UPnP Device Architecture 2.0, 1.2 and 1.3 */
static bool
is_ssdp(const uint8_t *b, uint32_t n)
{
	int32_t		line = jj_fp_first_line(b, n);

	return (line == 19 && memcmp(b, "M-SEARCH * HTTP/1.1", 19) == 0) || (line == 17 && memcmp(b, "NOTIFY * HTTP/1.1", 17) == 0);
}

/* BEP 5: a query or a response of the DHT */
static bool
is_dht(const uint8_t *b, uint32_t n)
{
	return n >= 12 && (memcmp(b, "d1:ad2:id20:", 12) == 0 || memcmp(b, "d1:rd2:id20:", 12) == 0);
}

/* RFC 1002 4.1, 4.2.1: a name in the first-level encoding, 32 letters from A to P */
static bool
is_nbns(const uint8_t *b, uint32_t n)
{
	unsigned	opcode;

	if (n < 46 || b[12] != 32)
		return false;
	for (unsigned i = 13; i < 45; i++)
		if (b[i] < 'A' || b[i] > 'P')
			return false;
	opcode = b[2] >> 3 & 15;
	return opcode == 0 || (opcode >= 5 && opcode <= 9);
}

/* RFC 3416 and 3412: a SEQUENCE that fills the datagram and begins with the version */
static bool
is_snmp(const uint8_t *b, uint32_t n, uint32_t wire)
{
	jj_fp_ber	x,
				version;

	if (!jj_fp_ber_read(&x, b, n, 0) || x.tag != 0x30 || x.end != wire || !jj_fp_ber_read(&version, b, n, x.start))
		return false;
	if (version.tag != 2 || version.end != version.start + 1 || version.start >= n)
		return false;
	return b[version.start] <= 3 && b[version.start] != 2;
}

/* Whether the bytes are the word, in either case, and a zero. */
static bool
is_mode(const uint8_t *b, uint32_t n, const char *word)
{
	uint32_t	length = (uint32_t) strlen(word);

	if (n <= length || b[length] != 0)
		return false;
	for (uint32_t i = 0; i < length; i++)
		if ((b[i] | 0x20) != (uint8_t) word[i])
			return false;
	return true;
}

/* RFC 1350 5: a read or write request, a printable file name, a mode */
static bool
is_tftp(const uint8_t *b, uint32_t n)
{
	uint32_t	i = 2;

	if (n < 2 || b[0] != 0 || (b[1] != 1 && b[1] != 2))
		return false;
	while (i < n && b[i] >= 0x20 && b[i] <= 0x7e)
		i++;
	if (i == 2 || i >= n || b[i] != 0)
		return false;
	i++;
	return is_mode(b + i, n - i, "netascii") || is_mode(b + i, n - i, "octet") || is_mode(b + i, n - i, "mail");
}

/* RFC 3164 4.1.1: a priority of one to three digits, at most 191 */
static bool
is_syslog(const uint8_t *b, uint32_t n)
{
	unsigned	priority = 0;
	uint32_t	i = 1;

	if (n < 3 || b[0] != '<')
		return false;
	while (i < n && i < 4 && b[i] >= '0' && b[i] <= '9')
		priority = priority * 10 + (b[i++] - '0');
	return i > 1 && i < n && b[i] == '>' && priority <= 191;
}

/* RFC 2865 3, 2866, 3576 */
static bool
is_radius(const uint8_t *b, uint32_t n, uint32_t wire)
{
	if (n < 20 || rd16(b + 2) != wire)
		return false;
	return (b[0] >= 1 && b[0] <= 5) || (b[0] >= 11 && b[0] <= 13) || (b[0] >= 40 && b[0] <= 45);
}

static jj_fp_app
by_port(const uint8_t *b, uint32_t n, uint32_t wire, int32_t port)
{
	switch (port)
	{
		case 67: case 68:
			return is_dhcp(b, n) ? JJ_APP_DHCP : JJ_APP_NONE;
		case 69:
			return is_tftp(b, n) ? JJ_APP_TFTP : JJ_APP_NONE;
		case 88:
			return jj_fp_is_kerberos(b, n, wire) ? JJ_APP_KERBEROS : JJ_APP_NONE;
		case 123:
			return is_ntp(b, n, wire) ? JJ_APP_NTP : JJ_APP_NONE;
		case 137:
			return is_nbns(b, n) ? JJ_APP_NBNS : JJ_APP_NONE;
		case 161: case 162:
			return is_snmp(b, n, wire) ? JJ_APP_SNMP : JJ_APP_NONE;
		case 389:
			return jj_fp_is_ldap(b, n) ? JJ_APP_LDAP : JJ_APP_NONE;
		case 514:
			return is_syslog(b, n) ? JJ_APP_SYSLOG : JJ_APP_NONE;
		case 546: case 547:
			return is_dhcpv6(b, n, wire) ? JJ_APP_DHCPV6 : JJ_APP_NONE;
		case 1645: case 1646: case 1812: case 1813:
			return is_radius(b, n, wire) ? JJ_APP_RADIUS : JJ_APP_NONE;
		case 1900:
			return is_ssdp(b, n) ? JJ_APP_SSDP : JJ_APP_NONE;
		default:
			return JJ_APP_NONE;
	}
}

/* The places of the rules; those of one place are put to the initiator's datagram first. */
static unsigned
place(jj_fp_app app)
{
	switch (app)
	{
		case JJ_APP_NTP: case JJ_APP_DHCP: case JJ_APP_DHCPV6:
			return 1;
		case JJ_APP_SIP: case JJ_APP_RTSP:
			return 2;
		case JJ_APP_SSDP:
			return 3;
		case JJ_APP_BITTORRENT:
			return 4;
		case JJ_APP_NBNS:
			return 5;
		case JJ_APP_SNMP:
			return 6;
		case JJ_APP_NONE:
			return 8;
		default:
			return 7;
	}
}

jj_fp_app
jj_fp_datagram_app(jj_fp_app initiator, jj_fp_app responder)
{
	return place(responder) < place(initiator) ? responder : initiator;
}

/* The one of two rules for the same datagram that comes first. */
static jj_fp_app
earlier(jj_fp_app a, jj_fp_app b)
{
	if (place(a) != place(b))
		return place(a) < place(b) ? a : b;
	/* within a place the order of jj_fp_app is that of the rules */
	return a < b ? a : b;
}

jj_fp_app
jj_fp_first_datagram(const uint8_t *b, uint32_t n, uint32_t wire, int32_t port, int32_t other)
{
	jj_fp_app	app;

	if (n == 0)
		return JJ_APP_NONE;
	app = earlier(by_port(b, n, wire, port), by_port(b, n, wire, other));
	if (place(app) > 2 && ((b[0] >= 'A' && b[0] <= 'Z') || b[0] == '_'))
	{
		if (jj_fp_start_line(b, n, false))
			return JJ_APP_SIP;
		if (jj_fp_start_line(b, n, true))
			return JJ_APP_RTSP;
	}
	if (place(app) > 4 && is_dht(b, n))
		return JJ_APP_BITTORRENT;
	return app;
}

bool
jj_fp_rtp_add(jj_fp_rtp *r, const uint8_t *b, uint32_t n)
{
	uint32_t	ssrc;
	uint16_t	seq;
	uint8_t		type;

	if (n < 12 || b[0] >> 6 != 2)
	{
		r->run = 0;
		return false;
	}
	type = b[1] & 0x7f;
	seq = rd16(b + 2);
	ssrc = rd32(b + 8);
	r->run = r->run > 0 && r->type == type && r->ssrc == ssrc && seq == (uint16_t) (r->seq + 1) ? r->run + 1 : 1;
	r->type = type;
	r->seq = seq;
	r->ssrc = ssrc;
	return r->run >= 3;
}
