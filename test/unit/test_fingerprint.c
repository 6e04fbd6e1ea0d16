/*
 * Group fingerprint as a whole: the columns of flows made for it, what is
 * wanted of a flow and for how long, and what happens without memory.
 */
#include "failing.h"
#include "payload.h"

#include "extractors/fp.h"

static const uint8_t wg_init[148] = {1, 0, 0, 0, 7, 7, 7, 7};
static const uint8_t wg_answer[92] = {2, 0, 0, 0, 9, 9, 9, 9, 7, 7, 7, 7};

static void
wanted(const char *name)
{
	memset(&o.features, 0, sizeof(o.features));
	if (!jj_set_add_name(&o.features, name))
		exit(2);
}

/* The handshake of a connection between the ports; sides start at 1000 and 5000. */
static void
open_tcp(void)
{
	segment(1, S, 1000, NULL, 0);
	segment(2, S | A, 5000, NULL, 0);
	segment(1, A, 1001, NULL, 0);
}

static void
confidences(void)
{
	between(40000, 51820);
	datagram(1, wg_init, 148);
	datagram(2, wg_answer, 92);
	rows();
	ok(n_rows == 1 && REAL(vpn_confidence, 0.99) && INT(likely_vpn, 1) && TEXT(vpn_type, "wireguard"), "a WireGuard handshake");
	ok(TEXT(app_protocol, "wireguard") && REAL(app_confidence, 0.9) && TEXT(traffic_type, "vpn:wireguard"), "its protocol has weight 0.9 at most");
	ok(REAL(tor_confidence, 0) && INT(likely_tor, 0) && REAL(doh_confidence, 0) && INT(likely_doh, 0), "no evidence is 0");
	TEXTS(app_evidence, "wg.handshake|", "the VPN code says it");
	ok(NIL(fully_encrypted), "UDP has no verdict on encryption");

	/* DISCO inside a WireGuard flow: two kinds of evidence */
	datagram(1, "TS\xf0\x9f\x92\xac" "x", 7);
	rows();
	TEXTS(app_evidence, "wg.handshake|tailscale|", "evidence is listed in order");
	ok(REAL(vpn_confidence, 1 - (1 - 0.99) * (1 - 0.95)) && TEXT(vpn_type, "wireguard") && TEXT(app_protocol, "wireguard"), "and multiplied; the heaviest is the type");

	between(40000, 41641);
	datagram(1, wg_init, 148);
	datagram(1, "TS\xf0\x9f\x92\xac" "x", 7);
	rows();
	ok(TEXT(vpn_type, "tailscale") && TEXT(app_protocol, "wireguard") && REAL(app_confidence, 0.7), "the heaviest type, and the first protocol");
}

static void
blind(void)
{
	uint8_t		b[200] = {0};

	between(40000, 53000);
	datagram_cut(1, b, 200, 0, 0);
	rows();
	ok(n_rows == 1 && NIL(likely_vpn) && NIL(vpn_confidence) && NIL(likely_doh) && NIL(doh_confidence), "payload of UDP of which nothing was captured: unknown");
	ok(INT(likely_tor, 0) && REAL(tor_confidence, 0), "but it is no Tor, which is TCP");
	ok(NIL(app_protocol) && NIL(app_evidence) && NIL(traffic_type) && NIL(vpn_type), "nothing else is known");

	between(40000, 22);
	open_tcp();
	segment(1, A, 1001, b, 200);
	for (uint32_t i = 0; i < n_frames; i++)
		frames[i].caplen = 40;
	rows();
	ok(NIL(likely_tor) && NIL(likely_vpn) && NIL(likely_doh) && NIL(fully_encrypted), "the same of TCP");
	ok(TEXT(app_protocol, "ssh") && REAL(app_confidence, 0.2) && NIL(traffic_type), "the port gives a name, and no traffic type");
	TEXTS(app_evidence, "port|", "and says so");

	start();
	ipv4(host[1], host[2], 50, b, 0, 60, 1, 0);
	rows();
	ok(REAL(vpn_confidence, 0.9) && TEXT(vpn_type, "ipsec-esp") && NIL(likely_doh), "ESP is known by its number");
	ok(TEXT(app_protocol, "esp") && REAL(app_confidence, 1) && TEXT(traffic_type, "vpn:ipsec-esp"), "and named");
	TEXTS(app_evidence, "esp|", "by its VPN code");
}

static void
authentication_header(void)
{
	uint8_t		ah[32] = {17, 4, 0, 0, 0, 0, 1, 0};
	uint8_t		udp_head[8] = {0x9c, 0x40, 0, 80, 0, 8};

	between(40000, 80);
	datagram(1, "x", 1);
	memcpy(ah + 24, udp_head, 8);
	ipv4(host[1], host[2], 51, ah, 32, 32, 1, 0);
	datagram(1, "x", 1);
	rows();
	ok(n_rows == 1 && TEXT(vpn_type, "ipsec-ah") && TEXT(app_protocol, "ah"), "AH in front of any packet of a flow");
}

static void
encrypted(void)
{
	uint8_t		b[300];

	memset(b, 0x8e, sizeof(b));
	between(40000, 8388);
	open_tcp();
	segment(1, A, 1001, b, 300);
	rows();
	ok(INT(fully_encrypted, 1) && TEXT(traffic_type, "opaque") && NIL(app_protocol), "a first segment that looks like nothing");
	ok(INT(likely_vpn, 0), "is no evidence of a VPN");

	between(40000, 8388);
	segment(1, A, 1001, b, 300);
	rows();
	ok(NIL(fully_encrypted) && NIL(traffic_type), "the start of the stream is not known");

	between(40000, 8388);
	segment(2, S | A, 5000, NULL, 0);
	put32((uint8_t *) frames[0].data + 28, 1001);
	segment(1, A, 1001, b, 300);
	rows();
	ok(INT(fully_encrypted, 1), "the other side's SYN-ACK tells the start");

	between(40000, 8388);
	open_tcp();
	segment(2, A, 5001, b, 300);
	rows();
	ok(NIL(fully_encrypted), "the client sent nothing");

	between(40000, 8388);
	open_tcp();
	segment(1, A, 1001, b, 300);
	frames[3].caplen -= 1;
	rows();
	ok(NIL(fully_encrypted), "the segment is cut");

	between(40000, 8388);
	open_tcp();
	segment(1, A, 1101, b + 100, 200);
	segment(1, A, 1001, "printable text", 14);
	rows();
	ok(INT(fully_encrypted, 0), "the segment with the first byte counts, not the first that comes");

	wanted("vpn_type");
	rows();
	ok(NIL(fully_encrypted) && NIL(traffic_type), "columns that nobody wants");
	o = defaults();
}

/* What is looked at: every datagram, but only captured first fragments. */
static void
datagrams(void)
{
	uint8_t		stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};

	between(40000, 3478);
	for (int i = 0; i < 50; i++)
		datagram(1 + i % 2, "nothing", 7);
	datagram(1, stun, 20);
	rows();
	ok(TEXT(app_protocol, "stun") && TEXT(traffic_type, "cleartext"), "STUN in the 51st datagram");

	between(40000, 123);
	datagram(1, "x", 1);
	datagram_cut(1, "\x23\x02", 48, 2, 0);
	rows();
	ok(TEXT(app_protocol, "ntp") && REAL(app_confidence, 0.2), "NTP only in a direction's first datagram");

	between(40000, 123);
	datagram(1, "", 0);
	datagram_cut(1, "\x23\x02", 48, 2, 0);
	rows();
	ok(REAL(app_confidence, 0.9), "an empty datagram is not the first");

	between(40000, 3478);
	datagram_cut(1, "nothing", 7, 7, 100);
	datagram_cut(1, stun, 20, 20, 100);
	rows();
	ok(NIL(app_protocol), "later fragments have no messages");
}

static void
generic_encapsulation(void)
{
	o.inner_tunnels = false;
	start();
	ipv4(host[1], host[2], 47, (const uint8_t *) "\x00\x00\x08\x00" "data", 8, 8, 1, 0);
	rows();
	ok(TEXT(app_protocol, "gre") && REAL(app_confidence, 1) && INT(likely_vpn, 0), "GRE that carries IP");
	ipv4(host[2], host[1], 47, (const uint8_t *) "\x30\x81\x88\x0b" "data", 8, 8, 1, 0);
	rows();
	ok(TEXT(vpn_type, "pptp") && TEXT(app_protocol, "pptp") && REAL(vpn_confidence, 0.8), "GRE of PPTP");
	TEXTS(app_evidence, "gre.pptp|", "its code");
	o = defaults();
}

static void
forget_row(const jj_row *row)
{
	(void) row;
}

/* Flows with every kind of state, in pieces. */
static void
make_traffic(void)
{
	static const uint8_t esp[2][8] = {{0, 0, 1, 0, 0, 0, 0, 1}, {0, 0, 1, 0, 0, 0, 0, 2}};
	static uint8_t text[600];

	between(40000, 51820);
	datagram(1, wg_init, 148);
	datagram(2, wg_answer, 92);
	port[1] = 40001;
	port[2] = 4500;
	datagram(1, esp[0], 8);
	datagram(1, esp[1], 8);
	port[1] = 40002;
	port[2] = 5060;
	memset(text, 'a', sizeof(text));
	memcpy(text, "INVITE ", 7);
	open_tcp();
	for (uint32_t i = 0; i < 6; i++)
		segment(1, A, 1001 + 100 * i, text + 100 * i, 100);
	segment(2, A, 5001, "220 x", 5);
}

static void
no_memory(void)
{
	failing		f = {0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_error	err;
	uint64_t	calls;
	bool		good;

	make_traffic();
	wanted("fingerprint");
	good = run_with(&o, NULL, &a, 1, forget_row, &err) == JJ_OK;
	calls = f.calls;
	ok(good && f.live == 0 && calls > 10, "memory is given back");
	for (uint64_t i = 1; i <= calls; i++)
	{
		f = (failing) {.fail_at = i};
		good = good && run_with(&o, NULL, &a, 1, forget_row, &err) == JJ_ERR_NOMEM && f.live == 0;
	}
	ok(good, "and when any one of %d allocations fails, too", (int) calls);
	o = defaults();
}

int
main(void)
{
	o = defaults();
	confidences();
	blind();
	authentication_header();
	encrypted();
	datagrams();
	generic_encapsulation();
	no_memory();
	return done_testing();
}
