/*
 * The rules for the beginning of a TCP stream, one by one. Each is given all
 * bytes so far and says yes, no, or that it needs more.
 */
#include "extractors/fp.h"

#include <string.h>

#define TINC_BYTES 200

typedef enum verdict
{
	NO,
	YES,
	MORE						/* the bytes so far leave it open */
} verdict;

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

static inline bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool
is_letter(uint8_t c)
{
	return is_upper(c & 0xdf);
}

static inline bool
is_word(uint8_t c)
{
	return is_letter(c) || is_digit(c) || c == '_';
}

static inline bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What can't be decided for want of bytes is undecided only while more may come. */
static inline verdict
undecided(bool whole)
{
	return whole ? NO : MORE;
}

static verdict
begins(const uint8_t *b, uint32_t n, bool whole, const void *with, uint32_t length)
{
	if (memcmp(b, with, n < length ? n : length) != 0)
		return NO;
	return n >= length ? YES : undecided(whole);
}

int32_t
jj_fp_first_line(const uint8_t *b, uint32_t n)
{
	uint32_t	look = n < JJ_HEAD_BYTES ? n : JJ_HEAD_BYTES;
	const uint8_t *lf = look == 0 ? NULL : memchr(b, '\n', look);
	int32_t		length;

	if (lf == NULL)
		return -1;
	length = (int32_t) (lf - b);
	while (length > 0 && b[length - 1] == '\r')
		length--;
	return length;
}

/* Whether the first line has ended. */
static verdict
line_ends(const uint8_t *b, uint32_t n, bool whole)
{
	return jj_fp_first_line(b, n) >= 0 ? YES : undecided(whole);
}

/* ---- text */

/* One of the words of four letters, in either case, in front of a line. */
static verdict
command(const uint8_t *b, uint32_t n, bool whole, const char *words)
{
	for (; *words != '\0'; words += 4)
	{
		uint32_t	i = 0;

		while (i < 4 && i < n && (b[i] & 0xdf) == (uint8_t) words[i])
			i++;
		if (i == n)
			return undecided(whole);
		if (i == 4 && !is_word(b[4]))
			return line_ends(b, n, whole);
	}
	return NO;
}

/* A printable tag, a space, a letter (RFC 9051 9). */
static verdict
imap_command(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	i = 0;

	while (i < n && b[i] > ' ' && b[i] <= '~')
		i++;
	if (i + 1 >= n)
		return i < n && (i == 0 || b[i] != ' ') ? NO : undecided(whole);
	if (i == 0 || b[i] != ' ' || !is_letter(b[i + 1]))
		return NO;
	return line_ends(b, n, whole);
}

/* "METHOD target PROTOCOL" or "PROTOCOL ..." */
static verdict
start_line(const uint8_t *b, uint32_t n, bool whole, bool rtsp)
{
	const char *protocol = rtsp ? "RTSP/1.0" : "SIP/2.0";
	uint32_t	length = rtsp ? 8 : 7;
	uint32_t	i = 0,
				target;
	verdict		v;

	v = begins(b, n, whole, rtsp ? "RTSP/1.0 " : "SIP/2.0 ", length + 1);
	if (v == YES)
		return line_ends(b, n, whole);
	if (v == MORE)
		return MORE;
	while (i < n && (is_upper(b[i]) || (rtsp && b[i] == '_')))
		i++;
	if (i == n)
		return undecided(whole);
	if (i == 0 || b[i] != ' ')
		return NO;
	target = ++i;
	while (i < n && !is_space(b[i]))
		i++;
	if (i == n)
		return undecided(whole);
	if (i == target || b[i] != ' ')
		return NO;
	i++;
	v = begins(b + i, n - i, whole, protocol, length);
	if (v != YES)
		return v;
	for (i += length; i < n && b[i] == '\r'; i++)
		;
	return i == n ? undecided(whole) : b[i] == '\n' ? YES : NO;
}

bool
jj_fp_start_line(const uint8_t *b, uint32_t n, bool rtsp)
{
	return start_line(b, n < JJ_HEAD_BYTES ? n : JJ_HEAD_BYTES, true, rtsp) == YES;
}

/* "0 NAME 17.MINOR", the ID request of tinc 1.0 and 1.1 (tinc manual, Authentication protocol). */
static verdict
tinc(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	i = 2;
	verdict		v = begins(b, n, whole, "0 ", 2);

	if (v != YES)
		return v;
	if (n >= TINC_BYTES)
	{
		n = TINC_BYTES;
		whole = true;
	}
	while (i < n && is_word(b[i]))
		i++;
	if (i == n)
		return undecided(whole);
	if (i == 2)
		return NO;
	v = begins(b + i, n - i, whole, " 17", 3);
	if (v != YES)
		return v;
	i += 3;
	if (i < n && b[i] == '.')
	{
		uint32_t	minor = ++i;

		while (i < n && is_digit(b[i]))
			i++;
		if (i < n && i == minor)
			return NO;
	}
	return i == n ? undecided(whole) : b[i] == '\n' ? YES : NO;
}

/* RESP: an array of bulk strings (https://redis.io/docs/reference/protocol-spec/). */
static verdict
redis(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	i = 1;

	while (i < n && is_digit(b[i]))
		i++;
	if (i == n)
		return undecided(whole);
	if (i == 1)
		return NO;
	return begins(b + i, n - i, whole, "\r\n$", 3);
}

static verdict
greeting_smtp(const uint8_t *b, uint32_t n, bool whole)
{
	int32_t		line = jj_fp_first_line(b, n);

	if (line < 0)
		return undecided(whole);
	for (int32_t i = 4; i + 4 <= line; i++)
		if (memcmp(b + i, "SMTP", 4) == 0)
			return YES;
	return NO;
}

/* ---- binary */

bool
jj_fp_ber_read(jj_fp_ber *x, const uint8_t *b, uint64_t n, uint64_t o)
{
	uint64_t	length;

	if (o + 2 > n)
		return false;
	x->tag = b[o];
	length = b[o + 1];
	o += 2;
	if (length & 0x80)
	{
		unsigned	k = length & 0x7f;

		if (k < 1 || k > 4 || o + k > n)
			return false;
		for (length = 0; k > 0; k--)
			length = length << 8 | b[o++];
	}
	x->start = o;
	x->end = o + length;
	return true;
}

/* LDAPMessage: SEQUENCE, messageID, and the tag of an operation (RFC 4511 4.1.1). */
bool
jj_fp_is_ldap(const uint8_t *b, uint32_t n)
{
	jj_fp_ber	x,
				id;
	uint8_t		tag;

	if (!jj_fp_ber_read(&x, b, n, 0) || x.tag != 0x30 || !jj_fp_ber_read(&id, b, n, x.start) || id.tag != 2)
		return false;
	if (id.end - id.start < 1 || id.end - id.start > 4 || id.end >= n)
		return false;
	tag = b[id.end];
	switch (tag)
	{
		case 0x42: case 0x4a: case 0x50:	/* unbind, delete, abandon: primitive */
			return true;
		default:
			/* bind request 0 to extended request 23 and intermediate response 25, constructed */
			return (tag >= 0x60 && tag <= 0x6f && tag != 0x62 && tag != 0x6a) || tag == 0x73 || (tag >= 0x77 && tag <= 0x79);
	}
}

bool
jj_fp_is_kerberos(const uint8_t *b, uint32_t n, uint64_t wire)
{
	jj_fp_ber	x;

	if (!jj_fp_ber_read(&x, b, n, 0) || x.end != wire || x.start >= n || b[x.start] != 0x30)
		return false;
	switch (x.tag)
	{
		case 0x6a: case 0x6b: case 0x6c: case 0x6d: case 0x6e: case 0x6f:	/* AS, TGS and AP messages */
		case 0x74: case 0x75: case 0x76: case 0x7e: /* SAFE, PRIV, CRED, ERROR */
			return true;
		default:
			return false;
	}
}

#define BER_BYTES 17			/* no rule over BER looks at more */

static verdict
ldap(const uint8_t *b, uint32_t n, bool whole)
{
	if (jj_fp_is_ldap(b, n))
		return YES;
	return n >= BER_BYTES ? NO : undecided(whole);
}

/* Over TCP a length of four bytes comes first (RFC 4120 7.2.2). */
static verdict
kerberos(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	length;

	if (n < 4)
		return undecided(whole);
	length = rd32(b);
	if (jj_fp_is_kerberos(b + 4, n - 4 < length ? n - 4 : length, length))
		return YES;
	return n >= 4 + BER_BYTES || n - 4 >= length ? NO : undecided(whole);
}

/* X.224 connection request or confirm in a TPKT (MS-RDPBCGR 2.2.1.1). */
static verdict
rdp(const uint8_t *b, uint32_t n, bool whole)
{
	verdict		v = begins(b, n, whole, "\3\0", 2);

	if (v != YES)
		return v;
	if (n < 6)
		return undecided(whole);
	return (b[5] == 0xe0 || b[5] == 0xd0) && rd16(b + 2) == b[4] + 5 && rd16(b + 2) >= 11 ? YES : NO;
}

/* SMB 1 or 2 behind a NetBIOS length, after session requests and their answers (RFC 1002 4.3). */
static verdict
smb(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	o = 0;

	while (o + 8 <= n)
	{
		uint32_t	length = rd32(b + o) & 0xffffff;

		if (b[o] >= 0x81 && b[o] <= 0x85 && length < 512)
		{
			o += 4 + length;
			continue;
		}
		return b[o] == 0 && (b[o + 4] == 0xff || b[o + 4] == 0xfe) && memcmp(b + o + 5, "SMB", 3) == 0 && length >= 32 ? YES : NO;
	}
	return undecided(whole);
}

/* StartupMessage of protocol 3.0 (PostgreSQL manual, Message Formats). */
static verdict
postgresql(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	length;

	if (n < 8)
		return n >= 2 && rd16(b) != 0 ? NO : undecided(whole);
	length = rd32(b);
	return (rd32(b + 4) == 0x00030000 && length >= 8 && length <= 10000) ? YES : NO;
}

/* Initial handshake packet, protocol version 10: sequence number 0, printable server version. */
static verdict
mysql(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	length,
				i = 5;

	if (n >= 5 && (b[3] != 0 || b[4] != 10))
		return NO;
	if (n < 6)
		return undecided(whole);
	length = b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16;
	while (i < n && i < 69 && b[i] >= 0x20 && b[i] <= 0x7e)
		i++;
	if (i == n && i < 69)
		return undecided(whole);
	return i < 69 && b[i] == 0 && i > 5 && length >= i ? YES : NO;
}

/* CONNECT of MQTT 3.1.1, 5 or 3.1. */
static verdict
mqtt(const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	o = 1;
	verdict		v;

	if (n < 8)
		return undecided(whole);
	while (o < 5 && o < n && (b[o] & 0x80))
		o++;
	v = begins(b + o + 1, n - o - 1, whole, "\0\4MQTT", 6);
	return v == NO ? begins(b + o + 1, n - o - 1, whole, "\0\6MQIsdp", 8) : v;
}

static verdict
bgp(const uint8_t *b, uint32_t n, bool whole)
{
	static const uint8_t marker[16] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
	};
	verdict		v = begins(b, n, whole, marker, 16);

	if (v != YES)
		return v;
	if (n < 19)
		return undecided(whole);
	return rd16(b + 16) >= 19 && rd16(b + 16) <= 4096 && b[18] >= 1 && b[18] <= 5 ? YES : NO;
}

static verdict
tacacs(const uint8_t *b, uint32_t n, bool whole)
{
	if (b[0] >> 4 != 12 || (n >= 2 && (b[1] < 1 || b[1] > 3)))
		return NO;
	return n >= 12 ? YES : undecided(whole);
}

/* ---- the rules together */

static verdict
decide(unsigned rule, const uint8_t *b, uint32_t n, bool whole)
{
	verdict		v;

	switch (rule)
	{
		case JJ_HEAD_PPTP:		/* message type 1, magic cookie */
			if (n >= 4 && rd16(b + 2) != 1)
				return NO;
			return n < 8 ? undecided(whole) : rd32(b + 4) == 0x1a2b3c4d ? YES : NO;
		case JJ_HEAD_TINC:
			return tinc(b, n, whole);
		case JJ_HEAD_220:
			v = begins(b, n, whole, "220", 3);
			return v != YES ? v : n == 3 ? undecided(whole) : b[3] == ' ' || b[3] == '-' ? YES : NO;
		case JJ_HEAD_220_SMTP:
			v = decide(JJ_HEAD_220, b, n, whole);
			return v != YES ? v : greeting_smtp(b, n, whole);
		case JJ_HEAD_STAR_OK:
			v = begins(b, n, whole, "* OK", 4);
			return v != YES ? v : n > 4 ? (is_word(b[4]) ? NO : YES) : whole ? YES : MORE;
		case JJ_HEAD_PLUS_OK:
			return begins(b, n, whole, "+OK", 3);
		case JJ_HEAD_EHLO:
			return command(b, n, whole, "EHLOHELO");
		case JJ_HEAD_FTP:
			return command(b, n, whole, "USERAUTH");
		case JJ_HEAD_IMAP:
			return imap_command(b, n, whole);
		case JJ_HEAD_POP3:
			return command(b, n, whole, "USERAPOPCAPASTLSAUTH");
		case JJ_HEAD_SIP:
			return start_line(b, n, whole, false);
		case JJ_HEAD_RTSP:
			return start_line(b, n, whole, true);
		case JJ_HEAD_BITTORRENT:
			return begins(b, n, whole, "\x13" "BitTorrent protocol", 20);
		case JJ_HEAD_RDP:
			return rdp(b, n, whole);
		case JJ_HEAD_SMB:
			return smb(b, n, whole);
		case JJ_HEAD_POSTGRESQL:
			return postgresql(b, n, whole);
		case JJ_HEAD_SSLREQUEST:
			return begins(b, n, whole, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
		case JJ_HEAD_MYSQL:
			return mysql(b, n, whole);
		case JJ_HEAD_REDIS:
			return redis(b, n, whole);
		case JJ_HEAD_MQTT:
			return mqtt(b, n, whole);
		case JJ_HEAD_LDAP:
			return ldap(b, n, whole);
		case JJ_HEAD_KERBEROS:
			return kerberos(b, n, whole);
		case JJ_HEAD_BGP:
			return bgp(b, n, whole);
		case JJ_HEAD_TACACS:
			return tacacs(b, n, whole);
		default:
			return NO;
	}
}

uint32_t
jj_fp_head_candidates(const uint8_t *b, uint32_t n)
{
	uint8_t		first = b[0];
	uint32_t	open = 0;

	if (n < 4 || rd16(b + 2) == 1)
		open |= JJ_HEAD(PPTP);
	if (n < 5 || (b[3] == 0 && b[4] == 10))
		open |= JJ_HEAD(MYSQL);
	if (first > ' ' && first <= '~')
		open |= JJ_HEAD(IMAP);

	switch (first)
	{
		case 0x00:
			return open | JJ_HEAD(SMB) | JJ_HEAD(POSTGRESQL) | JJ_HEAD(SSLREQUEST) | JJ_HEAD(KERBEROS);	/* lengths below 2^24 */
		case 0x03:
			return open | JJ_HEAD(RDP);
		case 0x10:
			return open | JJ_HEAD(MQTT);
		case 0x13:
			return open | JJ_HEAD(BITTORRENT);
		case '*':
			return open | JJ_HEAD(STAR_OK) | JJ_HEAD(REDIS);
		case '+':
			return open | JJ_HEAD(PLUS_OK);
		case '0':
			return open | JJ_HEAD(TINC) | JJ_HEAD(LDAP);
		case '2':
			return open | JJ_HEAD(220) | JJ_HEAD(220_SMTP);
		case 0x81: case 0x82: case 0x83: case 0x84: case 0x85:
			return open | JJ_HEAD(SMB);
		case 0xff:
			return open | JJ_HEAD(BGP);
		default:
			if (is_letter(first) || first == '_')
				open |= JJ_HEAD(EHLO) | JJ_HEAD(FTP) | JJ_HEAD(POP3) | JJ_HEAD(SIP) | JJ_HEAD(RTSP);
			return first >> 4 == 12 ? open | JJ_HEAD(TACACS) : open;
	}
}

uint32_t
jj_fp_head_rules(uint32_t *open, const uint8_t *b, uint32_t n, bool whole)
{
	uint32_t	found = 0;
	uint32_t	rules = *open;

	for (unsigned rule = 0; rules != 0; rule++, rules >>= 1)
	{
		verdict		v;

		if (!(rules & 1))
			continue;
		v = decide(rule, b, n, whole);
		if (v != MORE)
			*open &= ~(UINT32_C(1) << rule);
		if (v == YES)
			found |= UINT32_C(1) << rule;
	}
	return found;
}
