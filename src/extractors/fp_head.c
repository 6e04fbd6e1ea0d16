/*
 * Application protocols by the beginning of both TCP streams. Most rules are
 * decided by the first bytes; as long as one is not, the bytes are kept.
 */
#include "extractors/fp.h"

#include <string.h>

#define XMPP_BYTES 512			/* where the stream tag may be; what comes before it is XML too (RFC 6120 4.2) */

/* Look for the stream tag in the next n bytes, of which the first is the stream's byte h->n. */
static void
look_for_xmpp(jj_fp_head *h, const uint8_t *b, uint32_t n)
{
	static const char tag[] = "<stream:stream";
	uint32_t	i = 0;

	if (h->n == 0)
		h->xml = b[0] == '<';
	if (!h->xml)
		return;
	if (h->n + n > XMPP_BYTES)
		n = XMPP_BYTES - h->n;
	while (i < n)
	{
		if (h->tag == 0)
		{
			const uint8_t *next = memchr(b + i, '<', n - i);

			if (next == NULL)
				break;
			i = (uint32_t) (next - b);
		}
		/* "<" is nowhere else in the tag, so that a match that fails can only begin anew */
		if (b[i] == (uint8_t) tag[h->tag])
			h->tag++;
		else
			h->tag = b[i] == '<';
		if (h->tag == sizeof(tag) - 1)
		{
			h->found |= JJ_HEAD(XMPP);
			h->xml = false;
			return;
		}
		i++;
	}
	h->xml = h->n + n < XMPP_BYTES;
}

bool
jj_fp_head_add(jj_fp_head *h, const uint8_t *b, uint32_t n, bool *more, const jj_allocator *a)
{
	const uint8_t *all = b;
	bool		first = h->n == 0;

	if (n > JJ_HEAD_BYTES - (uint32_t) h->n)
		n = JJ_HEAD_BYTES - (uint32_t) h->n;
	*more = false;
	if (n == 0)
		return true;
	if (first || h->xml)
		look_for_xmpp(h, b, n);
	if (first)
		h->open = jj_fp_head_candidates(b, n);
	else if (h->open != 0)
	{
		if (!jj_buffer_add(&h->held, b, n, a))
			return false;
		all = h->held.bytes;
	}
	h->found |= jj_fp_head_rules(&h->open, all, h->n + n, h->n + n == JJ_HEAD_BYTES);
	if (h->open == 0)
		jj_fp_head_free(h, a);
	else if (first && !jj_buffer_add(&h->held, b, n, a))
		return false;
	h->n = (uint16_t) (h->n + n);
	*more = h->open != 0 || h->xml;
	return true;
}

uint32_t
jj_fp_head_found(const jj_fp_head *h)
{
	uint32_t	open = h->open;

	return open == 0 ? h->found : h->found | jj_fp_head_rules(&open, h->held.bytes, h->n, true);
}

void
jj_fp_head_free(jj_fp_head *h, const jj_allocator *a)
{
	jj_buffer_free(&h->held, a);
}

/* smtp, ftp, imap or pop3 by a server's greeting and a client's first line */
static jj_fp_app
mail(uint32_t server, uint32_t client)
{
	if (server & JJ_HEAD(220) && client & JJ_HEAD(EHLO))
		return JJ_APP_SMTP;
	if (server & JJ_HEAD(220) && client & JJ_HEAD(FTP))
		return JJ_APP_FTP;
	if (server & JJ_HEAD(STAR_OK) && client & JJ_HEAD(IMAP))
		return JJ_APP_IMAP;
	if (server & JJ_HEAD(PLUS_OK) && client & JJ_HEAD(POP3))
		return JJ_APP_POP3;
	return JJ_APP_NONE;
}

static jj_fp_app
mail_either_way(const uint32_t head[2])
{
	jj_fp_app	app = mail(head[0], head[1]);

	return app != JJ_APP_NONE ? app : mail(head[1], head[0]);
}

jj_fp_app
jj_fp_stream_app(const uint32_t head[2], int32_t src_port, int32_t dst_port)
{
	/* the rules in their order, and whose stream they look at: 1 initiator's, 2 responder's */
	static const struct
	{
		uint32_t	rule;
		uint8_t		app;
		uint8_t		side;
		uint8_t		port;		/* either end's, 0 = any */
	}			rules[] = {
		{JJ_HEAD(BITTORRENT), JJ_APP_BITTORRENT, 3, 0},
		{JJ_HEAD(RDP), JJ_APP_RDP, 3, 0},
		{JJ_HEAD(SMB), JJ_APP_SMB, 3, 0},
		{JJ_HEAD(POSTGRESQL) | JJ_HEAD(SSLREQUEST), JJ_APP_POSTGRESQL, 1, 0},
		{JJ_HEAD(MYSQL), JJ_APP_MYSQL, 2, 0},
		{JJ_HEAD(REDIS), JJ_APP_REDIS, 1, 0},
		{JJ_HEAD(MQTT), JJ_APP_MQTT, 1, 0},
		{JJ_HEAD(LDAP), JJ_APP_LDAP, 3, 0},
		{JJ_HEAD(KERBEROS), JJ_APP_KERBEROS, 3, 88},
		{JJ_HEAD(BGP), JJ_APP_BGP, 3, 0},
		{JJ_HEAD(TACACS), JJ_APP_TACACS, 3, 49},
	};
	jj_fp_app	app = mail_either_way(head);

	if (app != JJ_APP_NONE)
		return app;
	for (int side = 0; side < 2; side++)
	{
		if (head[side] & JJ_HEAD(SIP))
			return JJ_APP_SIP;
		if (head[side] & JJ_HEAD(RTSP))
			return JJ_APP_RTSP;
	}
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
	{
		uint32_t	found = (rules[i].side & 1 ? head[0] : 0) | (rules[i].side & 2 ? head[1] : 0);

		if ((found & rules[i].rule) && (rules[i].port == 0 || rules[i].port == src_port || rules[i].port == dst_port))
			return (jj_fp_app) rules[i].app;
	}
	return JJ_APP_NONE;
}

jj_fp_app
jj_fp_before_tls(const uint32_t head[2], bool http)
{
	static const struct
	{
		uint32_t	rule;
		uint8_t		app;
	}			rules[] = {
		{JJ_HEAD(PLUS_OK), JJ_APP_POP3},
		{JJ_HEAD(STAR_OK), JJ_APP_IMAP},
		{JJ_HEAD(220_SMTP), JJ_APP_SMTP},
		{JJ_HEAD(220), JJ_APP_FTP},
		{JJ_HEAD(SSLREQUEST), JJ_APP_POSTGRESQL},
		{JJ_HEAD(XMPP), JJ_APP_XMPP},
		{JJ_HEAD(LDAP), JJ_APP_LDAP},
		{JJ_HEAD(RDP), JJ_APP_RDP},
	};
	jj_fp_app	app = mail_either_way(head);

	if (app != JJ_APP_NONE)
		return app;
	if (http)
		return JJ_APP_HTTP;
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
			if (head[side] & rules[i].rule)
				return (jj_fp_app) rules[i].app;
	return JJ_APP_NONE;
}
