/*
 * Group fingerprint: Tor, VPN and DNS over something, with the evidence, and
 * the application protocol.
 */
#include "extractors/fingerprint.h"

#include <string.h>

typedef enum family
{
	TOR,
	VPN,
	DOH
} family;

/* Every code of evidence, its weight, and for VPN the type that it speaks for. */
static const struct
{
	const char *code;
	double		weight;
	const char *type;
	const char *app;			/* the application protocol, if it has a name of its own */
	uint8_t		family;
}			evidence_table[JJ_EV_CODES] = {
	[JJ_EV_TOR_CERT] = {"tor.cert", 0.95, NULL, NULL, TOR},
	[JJ_EV_TOR_SNI] = {"tor.sni", 0.5, NULL, NULL, TOR},
	[JJ_EV_TOR_CELLS] = {"tor.cells", 0.4, NULL, NULL, TOR},
	[JJ_EV_TOR_PORT] = {"tor.port", 0.2, NULL, NULL, TOR},
	[JJ_EV_WG_HANDSHAKE] = {"wg.handshake", 0.99, "wireguard", "wireguard", VPN},
	[JJ_EV_WG_DATA] = {"wg.data", 0.9, "wireguard", "wireguard", VPN},
	[JJ_EV_WG_INIT] = {"wg.init", 0.7, "wireguard", "wireguard", VPN},
	[JJ_EV_OPENVPN_RESET] = {"openvpn.reset", 0.95, "openvpn", "openvpn", VPN},
	[JJ_EV_OPENVPN_SESSION] = {"openvpn.session", 0.85, "openvpn", "openvpn", VPN},
	[JJ_EV_OPENVPN_ONEWAY] = {"openvpn.oneway", 0.6, "openvpn", "openvpn", VPN},
	[JJ_EV_IKE] = {"ike", 0.95, "ipsec-ike", "ike", VPN},
	[JJ_EV_ESP] = {"esp", 0.9, "ipsec-esp", NULL, VPN},
	[JJ_EV_AH] = {"ah", 0.9, "ipsec-ah", NULL, VPN},
	[JJ_EV_NATT] = {"natt", 0.9, "ipsec-natt", NULL, VPN},
	[JJ_EV_L2TP] = {"l2tp", 0.9, "l2tp", "l2tp", VPN},
	[JJ_EV_PPTP] = {"pptp", 0.95, "pptp", "pptp", VPN},
	[JJ_EV_GRE_PPTP] = {"gre.pptp", 0.8, "pptp", "pptp", VPN},
	[JJ_EV_TAILSCALE] = {"tailscale", 0.95, "tailscale", "tailscale", VPN},
	[JJ_EV_TINC] = {"tinc", 0.8, "tinc", "tinc", VPN},
	[JJ_EV_SOFTETHER] = {"softether", 0.9, "softether", NULL, VPN},
	[JJ_EV_PROVIDER_NAME] = {"provider.name", 0.5, "provider", NULL, VPN},
	[JJ_EV_PROVIDER_CERT] = {"provider.cert", 0.5, "provider", NULL, VPN},
	[JJ_EV_DOH_ALPN] = {"doh.alpn", 0.95, NULL, NULL, DOH},
	[JJ_EV_DOH_SNI] = {"doh.sni", 0.9, NULL, NULL, DOH},
	[JJ_EV_DOT_PORT] = {"dot.port", 0.85, NULL, NULL, DOH},
	[JJ_EV_DOH_CERT] = {"doh.cert", 0.7, NULL, NULL, DOH},
	[JJ_EV_DOH_ADDR] = {"doh.addr", 0.6, NULL, NULL, DOH},
};

/* Names of the protocols that are known by their messages, and the weight of their rules. */
static const struct
{
	const char *name;
	double		weight;
}			app_table[JJ_APPS] = {
	[JJ_APP_STUN] = {"stun", 0.9}, [JJ_APP_NTP] = {"ntp", 0.9}, [JJ_APP_DHCP] = {"dhcp", 0.9},
	[JJ_APP_DHCPV6] = {"dhcpv6", 0.9}, [JJ_APP_SMTP] = {"smtp", 0.9}, [JJ_APP_FTP] = {"ftp", 0.9},
	[JJ_APP_IMAP] = {"imap", 0.9}, [JJ_APP_POP3] = {"pop3", 0.9}, [JJ_APP_SIP] = {"sip", 0.9},
	[JJ_APP_RTSP] = {"rtsp", 0.9}, [JJ_APP_SSDP] = {"ssdp", 0.9}, [JJ_APP_BITTORRENT] = {"bittorrent", 0.9},
	[JJ_APP_RDP] = {"rdp", 0.9}, [JJ_APP_SMB] = {"smb", 0.9}, [JJ_APP_NBNS] = {"nbns", 0.9},
	[JJ_APP_SNMP] = {"snmp", 0.9}, [JJ_APP_POSTGRESQL] = {"postgresql", 0.9}, [JJ_APP_MYSQL] = {"mysql", 0.9},
	[JJ_APP_REDIS] = {"redis", 0.9}, [JJ_APP_MQTT] = {"mqtt", 0.9}, [JJ_APP_LDAP] = {"ldap", 0.7},
	[JJ_APP_KERBEROS] = {"kerberos", 0.7}, [JJ_APP_BGP] = {"bgp", 0.7}, [JJ_APP_TACACS] = {"tacacs", 0.7},
	[JJ_APP_TFTP] = {"tftp", 0.7}, [JJ_APP_SYSLOG] = {"syslog", 0.7}, [JJ_APP_RADIUS] = {"radius", 0.7},
	[JJ_APP_RTP] = {"rtp", 0.7}, [JJ_APP_HTTP] = {"http", 0.9}, [JJ_APP_XMPP] = {"xmpp", 0.9},
};

/* How a protocol shows in traffic_type. */
typedef enum visibility
{
	CLEAR,
	ENCRYPTED,
	UNTOLD						/* a port says nothing, and SSH says it by its NEWKEYS */
} visibility;

/* The application rule that holds first. */
typedef struct application
{
	const char *name;			/* NULL: none */
	const char *code;			/* of the rule; NULL: the VPN codes say it */
	double		weight;
	visibility	shows;
	bool		carrier;		/* TLS, DTLS or QUIC, which has something inside */
} application;

/* Everything about a flow that the columns are made of. */
typedef struct verdict
{
	jj_fp_facts facts;
	uint32_t	head[2];		/* TCP: what the streams begin with */
	uint32_t	evidence;
	double		confidence[3];	/* by family */
	bool		known[3];		/* whether the confidence is */
	bool		likely[3];
	const char *vpn_type;
	const char *doh_kind;		/* doh, dot or doq, if likely */
	bool		opaque_known;
	bool		opaque;
	application app;
} verdict;

/* 1 - (1 - w1)(1 - w2)..., in the order of the codes. */
static double
confidence(uint32_t evidence, family family)
{
	double		doubt = 1;

	for (unsigned i = 0; evidence >> i != 0; i++)
		if ((evidence >> i & 1) && evidence_table[i].family == family)
			doubt *= 1 - evidence_table[i].weight;
	return 1 - doubt;
}

/* The type of the heaviest VPN evidence, the first one on a tie; NULL without any. */
static const char *
vpn_type(uint32_t evidence)
{
	const char *type = NULL;
	double		top = 0;

	for (unsigned i = 0; evidence >> i != 0; i++)
		if ((evidence >> i & 1) && evidence_table[i].family == VPN && evidence_table[i].weight > top)
		{
			top = evidence_table[i].weight;
			type = evidence_table[i].type;
		}
	return type;
}

/* Gather v->evidence. False without memory. */
static bool
find_evidence(verdict *v, const jj_flow *f, const void *state, const jj_fp_state *s, jj_work *w)
{
	uint32_t	evidence = s == NULL ? 0 : s->evidence;

	if (evidence & JJ_EV(WG_HANDSHAKE))
		evidence &= ~JJ_EV(WG_INIT);
	if (f->key.proto == JJ_PROTO_ESP)
		evidence |= JJ_EV(ESP);
	if (f->key.proto == JJ_PROTO_AH || jj_app_saw_ah(state))
		evidence |= JJ_EV(AH);
	if ((v->head[0] | v->head[1]) & JJ_HEAD(PPTP))
		evidence |= JJ_EV(PPTP);
	if ((v->head[0] | v->head[1]) & JJ_HEAD(TINC))
		evidence |= JJ_EV(TINC);
	if (v->facts.softether)
		evidence |= JJ_EV(SOFTETHER);
	v->evidence = evidence;
	return jj_fp_tls_evidence(&v->evidence, &v->facts, f, w);
}

/* ---- the application protocol */

static application
rule(const char *name, const char *code, double weight, visibility shows)
{
	application a = {name, code, weight, shows, false};

	return a;
}

/* TLS, DTLS or QUIC. */
static application
carrier(const jj_fp_facts *x)
{
	application a = {NULL, NULL, 0, ENCRYPTED, true};
	bool		hello = x->client != NULL || x->server != NULL;

	a.weight = x->quic ? (x->opened ? 1.0 : 0.9) : x->client != NULL && x->server != NULL ? 1.0 : hello ? 0.9 : 0.7;
	a.name = x->quic ? "quic" : x->dtls ? "dtls" : "tls";
	if (x->quic)
		a.code = x->opened ? "quic.initial" : "quic.header";
	else if (x->dtls)
		a.code = hello ? "dtls.hello" : "dtls.records";
	else
		a.code = hello ? "tls.hello" : "tls.records";
	return a;
}

/* A VPN protocol with a name of its own; a.name is NULL if there is none. */
static application
vpn_protocol(uint32_t evidence)
{
	application a = {NULL, NULL, 0, ENCRYPTED, false};

	for (unsigned i = 0; evidence >> i != 0; i++)
	{
		if (!(evidence >> i & 1) || evidence_table[i].app == NULL || (a.name != NULL && strcmp(a.name, evidence_table[i].app) != 0))
			continue;
		a.name = evidence_table[i].app;
		if (evidence_table[i].weight > a.weight)
			a.weight = evidence_table[i].weight < 0.9 ? evidence_table[i].weight : 0.9;
	}
	if (a.name == NULL && (evidence & (JJ_EV(ESP) | JJ_EV(AH))))
	{
		a.name = evidence & JJ_EV(ESP) ? "esp" : "ah";
		a.weight = 1.0;
	}
	return a;
}

/* DNS, mDNS or LLMNR, by the port that the messages were read for. */
static application
dns(const jj_flow *f)
{
	static const struct
	{
		int32_t		port;
		const char *name;
	}			ports[] = {{53, "dns"}, {5353, "mdns"}, {5355, "llmnr"}};
	size_t		i = 0;

	while (i < 2 && f->src_port != ports[i].port && f->dst_port != ports[i].port)
		i++;
	return rule(ports[i].name, ports[i].name, 0.9, CLEAR);
}

static jj_fp_app
message_app(const verdict *v, const jj_flow *f, const jj_fp_state *s)
{
	jj_fp_app	app = JJ_APP_NONE;

	if (s == NULL)
		return JJ_APP_NONE;
	if (s->stun)
		return JJ_APP_STUN;
	if (f->key.proto == JJ_PROTO_TCP)
		return jj_fp_stream_app(v->head, f->src_port, f->dst_port);
	if (f->key.proto == JJ_PROTO_UDP)
		app = jj_fp_datagram_app((jj_fp_app) s->first[0], (jj_fp_app) s->first[1]);
	return app == JJ_APP_NONE && s->rtp ? JJ_APP_RTP : app;
}

/* Protocols that their number in the IP header names. */
static const char *
ip_protocol(uint8_t proto)
{
	switch (proto)
	{
		case JJ_PROTO_ICMP:
			return "icmp";
		case 2:
			return "igmp";
		case JJ_PROTO_GRE:
			return "gre";
		case JJ_PROTO_ICMPV6:
			return "icmpv6";
		case 89:
			return "ospf";
		case JJ_PROTO_SCTP:
			return "sctp";
		default:
			return NULL;
	}
}

/* The rules in their order; the first that holds. */
static application
application_of(const verdict *v, const jj_flow *f, const jj_fp_state *s)
{
	const jj_fp_facts *x = &v->facts;
	application a;
	jj_fp_app	app;
	const char *name;

	if (x->quic || x->dtls || x->tls)
		return carrier(x);
	if (x->ssh)
		return rule("ssh", "ssh.line", x->ssh_both ? 1.0 : 0.9, UNTOLD);
	a = vpn_protocol(v->evidence);
	if (a.name != NULL)
		return a;
	if (x->http2)
		return rule("http2", "http2", 1.0, CLEAR);
	if (x->http_request || x->http_response)
		return rule("http", "http", x->http_request && x->http_response ? 0.9 : 0.7, CLEAR);
	if (x->dns)
		return dns(f);
	app = message_app(v, f, s);
	if (app != JJ_APP_NONE)
		return rule(app_table[app].name, app_table[app].name, app_table[app].weight, app == JJ_APP_RTP ? ENCRYPTED : CLEAR);
	name = ip_protocol(f->key.proto);
	if (name != NULL)
		return rule(name, name, 1.0, CLEAR);
	name = f->dst_port < 0 ? NULL : jj_port_name(f->dst_port);
	return rule(name, "port", 0.2, UNTOLD);
}

/* What is inside TLS, DTLS or QUIC; NULL if it is not known. */
static const char *
inside(const verdict *v)
{
	const jj_fp_facts *x = &v->facts;

	if (v->likely[TOR])
		return "tor";
	if (v->likely[DOH])
		return v->doh_kind;
	if (v->likely[VPN])
		return "vpn";
	if (x->starttls)
		return app_table[jj_fp_before_tls(v->head, x->http_request || x->http_response)].name;
	return jj_fp_inside(x);
}

static const char *
doh_kind(const verdict *v)
{
	bool		port = (v->evidence & JJ_EV(DOT_PORT)) != 0;

	if (v->facts.quic)
		return port || jj_fp_offers_dns(&v->facts, "doq") ? "doq" : "doh";
	return port || jj_fp_offers_dns(&v->facts, "dot") ? "dot" : "doh";
}

/* ---- the columns */

static void
emit_app(const verdict *v, jj_row *row)
{
	char		name[32];
	size_t		size;
	const char *within;

	if (v->app.name == NULL)
		return;
	size = strlen(v->app.name);
	memcpy(name, v->app.name, size);
	within = v->app.carrier ? inside(v) : NULL;
	if (within != NULL)
	{
		size_t		more = strlen(within);

		name[size++] = '.';
		memcpy(name + size, within, more);
		size += more;
	}
	jj_row_put(row, JJ_F_app_protocol, name, size);
	jj_row_double(row, JJ_F_app_confidence, v->app.weight);
}

/* Append an element to a text array; the bytes written. */
static size_t
put_element(uint8_t *b, const char *code)
{
	uint32_t	size = (uint32_t) strlen(code);

	memcpy(b, &size, sizeof(size));
	memcpy(b + sizeof(size), code, size);
	return sizeof(size) + size;
}

static void
emit_evidence(const verdict *v, jj_row *row)
{
	uint8_t		b[(JJ_EV_CODES + 1) * 20];	/* no code is longer than 15 bytes */
	const char *first = v->app.name == NULL ? NULL : v->app.code;
	size_t		n = 0;

	if (first != NULL)
		n += put_element(b, first);
	for (unsigned i = 0; v->evidence >> i != 0; i++)
		if (v->evidence >> i & 1)
			n += put_element(b + n, evidence_table[i].code);
	if (n > 0)
		jj_row_put(row, JJ_F_app_evidence, b, n);
}

static void
emit_traffic_type(const verdict *v, jj_row *row)
{
	const char *type = NULL;
	char		text[32];

	if (v->likely[TOR])
		type = "tor";
	else if (v->likely[VPN])
	{
		size_t		size = strlen(v->vpn_type);

		memcpy(text, "vpn:", 4);
		memcpy(text + 4, v->vpn_type, size + 1);
		type = text;
	}
	else if (v->likely[DOH])
		type = v->doh_kind;
	else if ((v->app.name != NULL && v->app.shows == ENCRYPTED) || v->facts.ssh_newkeys)
		type = "encrypted";
	else if (v->opaque)
		type = "opaque";
	else if (v->app.name != NULL && v->app.shows == CLEAR)
		type = "cleartext";
	if (type != NULL)
		jj_row_text(row, JJ_F_traffic_type, type);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_app *app = jj_app_of(state);
	const jj_fp_state *s = jj_app_parser(app, JJ_P_FINGERPRINT);
	bool		blind = jj_app_blind(f, state);
	uint8_t		proto = f->key.proto;
	verdict		v;

	(void) fold;
	memset(&v, 0, sizeof(v));
	jj_fp_gather(&v.facts, f, app);
	if (s != NULL && s->tcp)
		for (int d = 0; d < 2; d++)
			v.head[d] = s->u.tcp.found[d] | (s->u.tcp.open != NULL ? jj_fp_head_found(&s->u.tcp.open[d]) : 0);
	if (!find_evidence(&v, f, state, s, w))
		return false;
	v.known[TOR] = !blind || proto != JJ_PROTO_TCP;
	v.known[VPN] = !blind || proto == JJ_PROTO_ESP || proto == JJ_PROTO_AH;
	v.known[DOH] = !blind;
	for (int i = TOR; i <= DOH; i++)
	{
		v.confidence[i] = confidence(v.evidence, (family) i);
		v.likely[i] = v.known[i] && v.confidence[i] >= 0.5;
	}
	if (v.known[VPN])
		v.vpn_type = vpn_type(v.evidence);
	if (v.likely[DOH])
		v.doh_kind = doh_kind(&v);
	v.opaque_known = proto == JJ_PROTO_TCP && s != NULL && s->opaque != JJ_OPAQUE_UNKNOWN && jj_app_start_known(app, 0);
	v.opaque = v.opaque_known && s->opaque == JJ_OPAQUE_YES;
	v.app = application_of(&v, f, s);

	for (int i = TOR; i <= DOH; i++)
	{
		static const jj_feature likely[] = {JJ_F_likely_tor, JJ_F_likely_vpn, JJ_F_likely_doh};
		static const jj_feature how[] = {JJ_F_tor_confidence, JJ_F_vpn_confidence, JJ_F_doh_confidence};

		if (!v.known[i])
			continue;
		jj_row_int(row, likely[i], v.likely[i]);
		jj_row_double(row, how[i], v.confidence[i]);
	}
	if (v.vpn_type != NULL)
		jj_row_text(row, JJ_F_vpn_type, v.vpn_type);
	if (v.opaque_known)
		jj_row_int(row, JJ_F_fully_encrypted, v.opaque);
	emit_app(&v, row);
	emit_evidence(&v, row);
	emit_traffic_type(&v, row);
	return true;
}

const jj_extractor jj_extract_fingerprint = {
	.group = JJ_G_fingerprint,
	.base = &jj_app_base,
	.emit = emit,
};
