/*
 * Anonymised rows: which columns carry addresses, and what becomes of them.
 */
#include "features/anonymize.h"

#include <arpa/inet.h>
#include <string.h>

#define NAME "names its peer, or a person"
#define KEY "a key or certificate can be looked up"

/* Those that carry addresses by more than their type. */
static const struct
{
	uint16_t	feature;
	uint8_t		treatment;
	const char *remark;
}			treatments[] = {
	{JJ_F_community_id, JJ_RECOMPUTED, "of the pseudonyms, as tools give it for an anonymised capture"},
	{JJ_F_quic_transport_params, JJ_RECOMPUTED, "pseudonyms in preferred_address"},
	{JJ_F_tls_sni, JJ_SCANNED, NAME},
	{JJ_F_tls_cert_issuer, JJ_SCANNED, NAME},
	{JJ_F_tls_cert_subject_cn, JJ_SCANNED, NAME},
	{JJ_F_tls_cert_san, JJ_SCANNED, NAME},
	{JJ_F_quic_sni, JJ_SCANNED, NAME},
	{JJ_F_http_host, JJ_SCANNED, NAME},
	{JJ_F_dns_query_name, JJ_SCANNED, NAME},
	{JJ_F_dns_query_names, JJ_SCANNED, NAME},
	{JJ_F_dns_svcb, JJ_SCANNED, NAME},
	{JJ_F_capture, JJ_IDENTIFYING, "name of the capture file, chosen by whoever made it"},
	{JJ_F_tls_cert_sha256, JJ_IDENTIFYING, KEY},
	{JJ_F_ssh_host_key_sha256, JJ_IDENTIFYING, KEY},
	{JJ_F_quic_dcid, JJ_IDENTIFYING, "connection ids may hold what a server's load balancer wrote"},
	{JJ_F_quic_scid, JJ_IDENTIFYING, "connection ids may hold what a server's load balancer wrote"},
	{JJ_F_http_user_agent, JJ_IDENTIFYING, "free text of a program; version numbers look like addresses, so it is not scanned"},
	{JJ_F_ssh_version, JJ_IDENTIFYING, "free text of a program"},
	{JJ_F_ssh_client_software, JJ_IDENTIFYING, "free text of a program"},
	{JJ_F_ssh_server_software, JJ_IDENTIFYING, "free text of a program"},
	{JJ_F_app_evidence, JJ_IDENTIFYING, "doh.addr says that the responder is one of few public resolvers"},
	{JJ_F_doh_confidence, JJ_IDENTIFYING, "may rest on doh.addr"},
	{JJ_F_likely_doh, JJ_IDENTIFYING, "may rest on doh.addr"},
	{JJ_F_traffic_type, JJ_IDENTIFYING, "may rest on doh.addr"},
	{JJ_F_conn_src_community, JJ_IDENTIFYING, "numbered in the order of true addresses"},
	{JJ_F_conn_dst_community, JJ_IDENTIFYING, "numbered in the order of true addresses"},
};

const char *const jj_treatment_name[5] = {"untouched", "pseudonym", "recomputed", "scanned", "identifying"};

jj_treatment
jj_treatment_of(jj_feature f, const char **remark)
{
	const int	type = jj_feature_table[f].type;

	*remark = NULL;
	for (size_t i = 0; i < sizeof(treatments) / sizeof(treatments[0]); i++)
		if (treatments[i].feature == f)
		{
			*remark = treatments[i].remark;
			return (jj_treatment) treatments[i].treatment;
		}
	return type == JJ_INET || type == JJ_INET_ARRAY || type == JJ_MACADDR ? JJ_PSEUDONYM : JJ_UNTOUCHED;
}

/* ---- texts */

static void
put(jj_scanned *o, const char *text, size_t size)
{
	if (o->failed || size == 0)
		return;
	if (o->room - o->used < size)
	{
		size_t		room = (o->used + size) * 2 + 64;
		char	   *grown = jj_regrow(&o->allocator, o->text, o->used, room);

		if (grown == NULL)
		{
			o->failed = true;
			return;
		}
		o->text = grown;
		o->room = room;
	}
	memcpy(o->text + o->used, text, size);
	o->used += size;
}

static void
put_number(jj_scanned *o, unsigned v)
{
	char		digits[3];
	size_t		i = sizeof(digits);

	do
		digits[--i] = (char) ('0' + v % 10);
	while ((v /= 10) > 0);
	put(o, digits + i, sizeof(digits) - i);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
hex(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of at most three digits, up to 255, that ends there; its length, 0 if there is none. */
static size_t
byte_at(const char *t, const char *end, uint8_t *value)
{
	unsigned	v = 0;
	size_t		n = 0;

	while (t + n < end && is_digit(t[n]) && n < 4)
		v = v * 10 + (unsigned) (t[n++] - '0');
	*value = (uint8_t) v;
	return n > 3 || v > 255 ? 0 : n;
}

/* Four numbers joined by '.' or '-'; the length of the text, 0 if it is something else. */
static size_t
ipv4_at(const char *t, const char *end, uint8_t a[4], char *joint)
{
	const char *at = t;

	for (int i = 0; i < 4; i++)
	{
		size_t		n;

		if (i > 0)
		{
			if (at == end || (*at != '.' && *at != '-') || (i > 1 && *at != *joint))
				return 0;
			*joint = *at++;
		}
		n = byte_at(at, end, &a[i]);
		if (n == 0)
			return 0;
		at += n;
	}
	return (size_t) (at - t);
}

static void
put_ipv4(jj_cryptopan *c, const uint8_t a[4], char joint, jj_scanned *out)
{
	uint8_t		p[4];

	jj_cryptopan_ip(c, a, 4, p);
	for (int i = 0; i < 4; i++)
	{
		if (i > 0)
			put(out, &joint, 1);
		put_number(out, p[i]);
	}
}

/* Six pairs of digits joined by ':'. */
static bool
mac_of(const char *t, size_t n, uint8_t mac[6])
{
	if (n != 17)
		return false;
	for (int i = 0; i < 6; i++)
	{
		int			high = hex(t[3 * i]);
		int			low = hex(t[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && t[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t) (high << 4 | low);
	}
	return true;
}

/* The address that a run of hexadecimal digits, ':' and '.' is or begins with; the length of its text, 0 if it is none. */
static size_t
colons_at(jj_cryptopan *c, const char *t, size_t n, jj_scanned *out)
{
	char		text[INET6_ADDRSTRLEN];
	uint8_t		a[16];

	if (n >= 17 && mac_of(t, 17, a) && (n == 17 || hex(t[17]) < 0))
	{
		char		mac[18];

		jj_cryptopan_mac(c, a, a);
		for (int i = 0; i < 6; i++)
		{
			mac[3 * i] = "0123456789abcdef"[a[i] >> 4];
			mac[3 * i + 1] = "0123456789abcdef"[a[i] & 15];
			mac[3 * i + 2] = ':';
		}
		put(out, mac, 17);
		return 17;
	}
	for (size_t m = n; m >= 2; m--)
	{
		memcpy(text, t, m);
		text[m] = '\0';
		if (inet_pton(AF_INET6, text, a) != 1)
			continue;
		jj_cryptopan_ip(c, a, 16, a);
		if (inet_ntop(AF_INET6, a, text, sizeof(text)) == NULL)
			return 0;
		put(out, text, strlen(text));
		return m;
	}
	return 0;
}

/* The length of the run of hexadecimal digits, ':' and '.', as far as an address may go, if it has two ':' at least, otherwise 0. */
static size_t
colons_run(const char *t, const char *end)
{
	size_t		n = 0;
	int			colons = 0;

	while (t + n < end && n < INET6_ADDRSTRLEN - 1 && (hex(t[n]) >= 0 || t[n] == ':' || t[n] == '.'))
		colons += t[n++] == ':';
	return colons >= 2 ? n : 0;
}

/* The length of numbers joined by '.' with '=' behind them: the type of an attribute in a distinguished name. */
static size_t
oid_at(const char *t, const char *end)
{
	size_t		n = 0;

	while (t + n < end && (is_digit(t[n]) || t[n] == '.'))
		n++;
	return n > 0 && t + n < end && t[n] == '=' ? n : 0;
}

/* Put the pseudonym of the address at t; the length of the address, 0 if there is none. first and digits: a run of hexadecimal or other digits begins. */
static size_t
replace_at(jj_cryptopan *c, const char *t, const char *end, bool first, bool digits, jj_scanned *out)
{
	size_t		run = first || *t == ':' ? colons_run(t, end) : 0;
	size_t		n = run > 0 ? colons_at(c, t, run, out) : 0;
	uint8_t		a[4];
	char		joint = '.';

	if (n == 0 && digits && (n = ipv4_at(t, end, a, &joint)) > 0)
		put_ipv4(c, a, joint, out);
	return n;
}

/* Addresses as they are written outside of reverse names. */
static bool
scan_plain(jj_cryptopan *c, const char *text, size_t size, jj_scanned *out)
{
	const char *end = text + size;
	const char *kept = text;	/* from here on nothing is put yet */
	const char *t = text;
	bool		found = false;

	while (t < end)
	{
		bool		first = t == text || hex(t[-1]) < 0;
		bool		digits = is_digit(*t) && (t == text || !is_digit(t[-1]));
		size_t		n;

		if (!digits && *t != ':' && !(first && hex(*t) >= 0))
		{
			t++;
			continue;
		}
		if (digits && (n = oid_at(t, end)) > 0)
		{
			t += n;
			continue;
		}
		put(out, kept, (size_t) (t - kept));
		kept = t;
		n = replace_at(c, t, end, first, digits, out);
		found |= n > 0;
		t += n > 0 ? n : 1;
		kept = n > 0 ? t : kept;
	}
	put(out, kept, (size_t) (end - kept));
	return found;
}

static bool
ends_with(const char *t, size_t n, const char *name, size_t size)
{
	if (n < size)
		return false;
	t += n - size;
	for (size_t i = 0; i < size; i++)
		if ((t[i] | 0x20) != (name[i] | 0x20))
			return false;
	return true;
}

/*
 * The labels of a reverse name, n bytes before its zone, each a number: for
 * IPv4 up to 4 of a byte, for IPv6 up to 32 of a digit. They are read from the
 * end, where the first part of the address is; *labels counts them, and what
 * remains in front is returned.
 */
static size_t
reverse_labels(const char *t, size_t n, bool v6, uint8_t a[16], unsigned *labels)
{
	const unsigned most = v6 ? 32 : 4;

	memset(a, 0, 16);
	*labels = 0;
	while (n > 0 && *labels < most)
	{
		size_t		end = n - 1;	/* where the dot behind the label is */
		size_t		begin = end;
		uint8_t		v;

		while (begin > 0 && t[begin - 1] != '.')
			begin--;
		if (v6)
		{
			if (end - begin != 1 || hex(t[begin]) < 0)
				break;
			a[*labels / 2] |= (uint8_t) (hex(t[begin]) << (*labels % 2 == 0 ? 4 : 0));
		}
		else
		{
			if (end == begin || byte_at(t + begin, t + end, &v) != end - begin)
				break;
			a[*labels] = v;
		}
		(*labels)++;
		n = begin;
	}
	return n;
}

bool
jj_anonymize_text(jj_cryptopan *c, const char *text, size_t size, jj_scanned *out)
{
	static const char v4_zone[] = "in-addr.arpa";
	static const char v6_zone[] = "ip6.arpa";
	size_t		dot = size > 0 && text[size - 1] == '.' ? 1 : 0;
	bool		v4 = ends_with(text, size - dot, v4_zone, sizeof(v4_zone) - 1);
	bool		v6 = ends_with(text, size - dot, v6_zone, sizeof(v6_zone) - 1);
	size_t		zone = size - dot - (v4 ? sizeof(v4_zone) : sizeof(v6_zone)) + 1;
	uint8_t		a[16];
	unsigned	labels;
	size_t		front;
	bool		found;

	if ((!v4 && !v6) || zone == 0 || text[zone - 1] != '.')
		return scan_plain(c, text, size, out);
	front = reverse_labels(text, zone, v6, a, &labels);
	found = scan_plain(c, text, front, out) || labels > 0;
	jj_cryptopan_ip(c, a, v6 ? 16 : 4, a);
	while (labels-- > 0)
	{
		if (v6)
			put(out, &"0123456789abcdef"[a[labels / 2] >> (labels % 2 == 0 ? 4 : 0) & 15], 1);
		else
			put_number(out, a[labels]);
		put(out, ".", 1);
	}
	put(out, text + zone, size - zone);
	return found;
}

/* ---- bytes */

bool
jj_anonymize_preferred(jj_cryptopan *c, uint8_t *value, size_t size)
{
	static const uint8_t none[16] = {0};

	/* IPv4 address and port, IPv6 address and port; zeros where there is none */
	if (size < 4 + 2 + 16 + 2)
		return false;
	if (memcmp(value, none, 4) != 0)
		jj_cryptopan_ip(c, value, 4, value);
	if (memcmp(value + 6, none, 16) != 0)
		jj_cryptopan_ip(c, value + 6, 16, value + 6);
	return true;
}

void
jj_anonymize_tcp_options(jj_cryptopan *c, uint8_t *options, size_t n)
{
	enum
	{
		MPTCP = 30, ADD_ADDR = 3
	};
	size_t		at = 0;

	while (at < n && options[at] != 0)
	{
		uint8_t    *o = options + at;
		size_t		size;
		size_t		address;

		if (*o == 1)
		{
			at++;
			continue;
		}
		if (n - at < 2 || o[1] < 2)
			return;
		size = o[1];
		if (*o == MPTCP && n - at > 4 && o[2] >> 4 == ADD_ADDR)
		{
			/* 8 and 20 bytes; with port, HMAC (version 1) or both 10, 16, 18, 22, 28 and 30 */
			address = size == 8 || size == 10 || size == 16 || size == 18 ? 4 : 16;
			if (n - at < size || size < 4 + address)
				memset(o + 4, 0, n - at - 4);
			else
				jj_cryptopan_ip(c, o + 4, (unsigned) address, o + 4);
		}
		at += size;
	}
}

/* ---- rows */

static bool
scan_column(jj_cryptopan *c, jj_row *row, jj_feature f, jj_scanned *out)
{
	const bool	array = jj_feature_table[f].type == JJ_TEXT_ARRAY;
	uint32_t	size;
	const char *b = (const char *) jj_row_bytes(row, f, &size);
	const char *end = b + size;
	bool		found = false;

	out->used = 0;
	if (!array)
		found = jj_anonymize_text(c, b, size, out);
	while (array && b < end)
	{
		uint32_t	length;
		size_t		at = out->used;

		memcpy(&length, b, sizeof(length));
		put(out, b, sizeof(length));
		b += sizeof(length);
		if (length == JJ_NULL_ELEMENT)
			continue;
		found |= jj_anonymize_text(c, b, length, out);
		b += length;
		if (out->failed)
			break;
		length = (uint32_t) (out->used - at - sizeof(length));
		memcpy(out->text + at, &length, sizeof(length));
	}
	if (out->failed)
		return false;
	if (found)
		jj_row_put(row, f, out->text, out->used);
	return !row->failed;
}

void
jj_anonymize_features(jj_feature_set *s)
{
	const char *remark;

	memset(s, 0, sizeof(*s));
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		jj_treatment t = jj_treatment_of((jj_feature) f, &remark);

		if (t == JJ_PSEUDONYM || t == JJ_SCANNED)
			jj_set_add(s, f);
	}
}

static bool
anonymize_column(jj_cryptopan *c, jj_row *row, jj_feature f, jj_scanned *out)
{
	uint8_t    *b = row->arena + row->value[f].bytes.offset;
	uint32_t	size = row->value[f].bytes.size;

	switch (jj_feature_table[f].type)
	{
		case JJ_INET:
			jj_cryptopan_ip(c, b, size, b);
			return true;
		case JJ_MACADDR:
			jj_cryptopan_mac(c, b, b);
			return true;
		case JJ_INET_ARRAY:
			for (uint32_t at = 0; at < size; at += 1 + (uint32_t) b[at])
				jj_cryptopan_ip(c, b + at + 1, b[at], b + at + 1);
			return true;
		default:
			return scan_column(c, row, f, out);
	}
}

bool
jj_anonymize_row(jj_cryptopan *c, const jj_feature_set *features, jj_row *row)
{
	jj_scanned	out = {.allocator = row->allocator};
	bool		good = true;

	for (unsigned i = 0; i < sizeof(features->word) / sizeof(features->word[0]); i++)
	{
		uint64_t	rest = features->word[i] & row->present.word[i];

		for (unsigned f = 64 * i; good && rest != 0; rest >>= 1, f++)
			if (rest & 1)
				good = anonymize_column(c, row, (jj_feature) f, &out);
	}
	jj_release(&out.allocator, out.text);
	return good;
}
