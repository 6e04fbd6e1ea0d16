/*
 * Evidence that TLS, DTLS and QUIC give: the client's names, the server's
 * certificate, and what lies at the responder's end.
 */
#include "extractors/fingerprint.h"
#include "extractors/tls_cert.h"

#include <arpa/inet.h>
#include <string.h>

#define NAME_ROOM 256			/* longer names are in no list */

static size_t
lower_copy(char out[NAME_ROOM], const uint8_t *name, size_t n)
{
	if (n > NAME_ROOM)
		return 0;
	for (size_t i = 0; i < n; i++)
		out[i] = (char) (name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
	return n;
}

/* An address written as a server name, with or without brackets. */
static bool
is_literal(const uint8_t *name, uint32_t n)
{
	char		text[INET6_ADDRSTRLEN];
	uint8_t		address[16];

	while (n > 0 && (name[0] == '[' || name[0] == ']'))
	{
		name++;
		n--;
	}
	while (n > 0 && (name[n - 1] == '[' || name[n - 1] == ']'))
		n--;
	if (n == 0 || n >= sizeof(text) || memchr(name, 0, n) != NULL)
		return false;
	memcpy(text, name, n);
	text[n] = 0;
	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* ---- names in the certificate */

typedef bool (*name_list) (const char *host, size_t n);

/* Whether the list has a name that the certificate is for, a leading "*." aside. */
static bool
certificate_names(const jj_cert *c, name_list listed)
{
	char		cn[NAME_ROOM];
	const uint8_t *name;
	uint32_t	size;
	int			attributes = jj_cert_attributes(c, JJ_CERT_SUBJECT);

	for (int i = 0; i < attributes; i++)
	{
		int			n = jj_cert_value(c, JJ_CERT_SUBJECT, JJ_CERT_CN, i, cn, sizeof(cn));
		int			skip = n >= 2 && cn[0] == '*' && cn[1] == '.' ? 2 : 0;

		if (n >= 0 && n <= NAME_ROOM && listed(cn + skip, (size_t) (n - skip)))
			return true;
	}
	for (int i = 0; i < JJ_CERT_NAMES && jj_cert_dns_name(c, i, &name, &size); i++)
	{
		uint32_t	skip = size >= 2 && name[0] == '*' && name[1] == '.' ? 2 : 0;

		if (listed((const char *) name + skip, size - skip))
			return true;
	}
	return false;
}

/* The value of a name that is one commonName and nothing else; its length, 0 if it isn't. */
static size_t
lone_common_name(const jj_cert *c, jj_cert_part part, char out[NAME_ROOM])
{
	int			n;

	if (jj_cert_attributes(c, part) != 1)
		return 0;
	n = jj_cert_value(c, part, JJ_CERT_CN, 0, out, NAME_ROOM);
	return n > 0 && n <= NAME_ROOM ? (size_t) n : 0;
}

/* Issuer and subject as Tor makes them up, and not the same. */
static bool
is_tor_certificate(const jj_cert *c)
{
	char		issuer[NAME_ROOM];
	char		subject[NAME_ROOM];
	size_t		n = lone_common_name(c, JJ_CERT_ISSUER, issuer);
	size_t		m = lone_common_name(c, JJ_CERT_SUBJECT, subject);

	return jj_fp_is_tor_name(issuer, n) && jj_fp_is_tor_name(subject, m) && (n != m || memcmp(issuer, subject, n) != 0);
}

/* Names of providers' own certificate authorities. */
static bool
is_provider_certificate(const jj_cert *c)
{
	static const struct
	{
		jj_cert_attribute attribute;
		const char *value;
		bool		begins;		/* a longer value counts as well */
	}			known[] = {
		{JJ_CERT_O, "Private Internet Access", false},
		{JJ_CERT_O, "Windscribe", true},
		{JJ_CERT_OU, "FortiGate", false},
	};
	char		value[NAME_ROOM];

	for (int part = JJ_CERT_SUBJECT; part <= JJ_CERT_ISSUER; part++)
	{
		int			attributes = jj_cert_attributes(c, (jj_cert_part) part);

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			for (int i = 0; i < attributes; i++)
			{
				int			n = jj_cert_value(c, (jj_cert_part) part, known[k].attribute, i, value, sizeof(value));
				int			length = (int) strlen(known[k].value);

				if (n >= length && (n == length || known[k].begins) && memcmp(value, known[k].value, (size_t) length) == 0)
					return true;
			}
	}
	return false;
}

/* ---- ALPN */

static bool
offers(const jj_hello *h, const char *name, bool begins)
{
	jj_alpn_walk walk = {NULL, 0, false};
	const uint8_t *offered;
	uint32_t	size;
	size_t		n = strlen(name);

	while (h != NULL && jj_hello_alpn_next(h, &walk, &offered, &size))
		if (size >= n && (begins || size == n) && memcmp(offered, name, n) == 0)
			return true;
	return false;
}

bool
jj_fp_offers_dns(const jj_fp_facts *facts, const char *kind)
{
	return offers(facts->client, kind, strcmp(kind, "doq") == 0);
}

/* The first name of a hello's ALPN extension; false if there is none, or it is empty. */
static bool
first_alpn(const jj_hello *h, const uint8_t **name, uint32_t *size)
{
	jj_alpn_walk walk = {NULL, 0, false};

	return h != NULL && jj_hello_alpn_next(h, &walk, name, size) && *size > 0;
}

const char *
jj_fp_inside(const jj_fp_facts *facts)
{
	/* names of the IANA registry TLS ALPN Protocol IDs, and the drafts of h2 and h3 */
	static const struct
	{
		const char *alpn;
		const char *inside;
	}			known[] = {
		{"h2", "http"}, {"h2c", "http"}, {"h3", "http"}, {"http/1.1", "http"}, {"http/1.0", "http"}, {"http/0.9", "http"},
		{"smtp", "smtp"}, {"imap", "imap"}, {"pop3", "pop3"}, {"ftp", "ftp"}, {"xmpp-client", "xmpp"}, {"xmpp-server", "xmpp"},
		{"acme-tls/1", "acme"}, {"mqtt", "mqtt"}, {"sip/2", "sip"}, {"webrtc", "webrtc"}, {"c-webrtc", "webrtc"}
	};
	const uint8_t *name;
	uint32_t	size;

	/* use_srtp (RFC 5764 4.1.1) */
	if (facts->dtls && facts->client != NULL && jj_hello_has(facts->client, 14))
		return "webrtc";
	if (!first_alpn(facts->server, &name, &size) && !first_alpn(facts->client, &name, &size))
		return NULL;
	if (size >= 3 && name[0] == 'h' && (name[1] == '2' || name[1] == '3') && name[2] == '-')
		return "http";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (size == strlen(known[i].alpn) && memcmp(name, known[i].alpn, size) == 0)
			return known[i].inside;
	return NULL;
}

/* ---- the rules */

static uint32_t
tor_evidence(const jj_fp_facts *facts, const jj_flow *f, const jj_cert *c)
{
	uint32_t	evidence = 0;
	char		name[NAME_ROOM];

	if (!facts->tls)
		return 0;
	if (c != NULL && facts->certificates == 1 && is_tor_certificate(c))
		evidence |= JJ_EV(TOR_CERT);
	if (facts->sni != NULL && jj_fp_is_tor_sni(name, lower_copy(name, facts->sni, facts->sni_size)))
		evidence |= JJ_EV(TOR_SNI);
	if (facts->cell_records >= 10 && (uint64_t) facts->cells_fit * 10 >= (uint64_t) facts->cell_records * 8)
		evidence |= JJ_EV(TOR_CELLS);
	if (f->dst_port == 9001)
		evidence |= JJ_EV(TOR_PORT);
	return evidence;
}

/* The length of a host without the port behind it. */
static uint32_t
without_port(const uint8_t *host, uint32_t n)
{
	uint32_t	i = n;

	while (i > 0 && host[i - 1] >= '0' && host[i - 1] <= '9')
		i--;
	return i < n && i > 0 && host[i - 1] == ':' ? i - 1 : n;
}

static uint32_t
provider_evidence(const jj_fp_facts *facts, const jj_cert *c)
{
	uint32_t	evidence = 0;

	if ((facts->sni != NULL && jj_fp_is_provider((const char *) facts->sni, facts->sni_size))
		|| (facts->host != NULL && jj_fp_is_provider((const char *) facts->host, without_port(facts->host, facts->host_size)))
		|| (c != NULL && certificate_names(c, jj_fp_is_provider)))
		evidence |= JJ_EV(PROVIDER_NAME);
	if (c != NULL && is_provider_certificate(c))
		evidence |= JJ_EV(PROVIDER_CERT);
	return evidence;
}

static uint32_t
doh_evidence(const jj_fp_facts *facts, const jj_flow *f, const jj_cert *c)
{
	uint32_t	evidence = 0;
	int32_t		port = f->dst_port;
	bool		nameless = facts->client != NULL && facts->sni == NULL;

	if (!facts->tls && !facts->dtls && !facts->quic)
		return 0;
	if (jj_fp_offers_dns(facts, "dot") || jj_fp_offers_dns(facts, "doq"))
		evidence |= JJ_EV(DOH_ALPN);
	if (facts->sni != NULL && jj_fp_is_resolver((const char *) facts->sni, facts->sni_size))
		evidence |= JJ_EV(DOH_SNI);
	/* RFC 7858 3.1, RFC 9250 4.1.1, and the ports of its drafts */
	if ((facts->tls && port == 853) || (facts->quic && facts->opened && (port == 853 || port == 784 || port == 8853)))
		evidence |= JJ_EV(DOT_PORT);
	if (nameless && c != NULL && certificate_names(c, jj_fp_is_resolver))
		evidence |= JJ_EV(DOH_CERT);
	if (!facts->dtls && port == 443 && facts->client != NULL && (nameless || is_literal(facts->sni, facts->sni_size))
		&& jj_fp_is_resolver_address(jj_flow_responder(f)))
		evidence |= JJ_EV(DOH_ADDR);
	return evidence;
}

bool
jj_fp_tls_evidence(uint32_t *evidence, const jj_fp_facts *facts, const jj_flow *f, jj_work *w)
{
	jj_cert    *c = NULL;

	if (!facts->tls && !facts->dtls && !facts->quic && facts->sni == NULL && facts->host == NULL && facts->certificate == NULL)
		return true;
	if (facts->certificate != NULL && !jj_cert_get(&c, facts->certificate, facts->certificate_size, w))
		return false;
	*evidence |= tor_evidence(facts, f, c) | provider_evidence(facts, c) | doh_evidence(facts, f, c);
	return true;
}
