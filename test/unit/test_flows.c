/*
 * How flows begin and end, which packets they get, and in which order they
 * come out.
 */
#include "traffic.h"

static void
tcp_life(void)
{
	jj_options	o = defaults();

	start(), whole();
	FLOWS("1 7 tcp_close", "closed by both sides");
	n_frames--;
	FLOWS("1 6 end_of_capture", "the last FIN is not acknowledged");
	start(), whole(), now = 11, tcp(2, A, 502, 102, 0);
	FLOWS("1 8 tcp_close", "a straggler exactly 5 s after the close");
	start(), whole(), now = 11.000000001, tcp(2, A, 502, 102, 0);
	FLOWS("1 7 tcp_close; 2 1 end_of_capture", "a straggler a nanosecond later");
	start(), whole(), tcp(1, S, 9000, 0, 0);
	FLOWS("1 7 tcp_close; 1 1 end_of_capture", "a new SYN within 5 s of the close");
	start(), whole(), tcp(1, S, 100, 0, 0);
	FLOWS("1 8 tcp_close", "the old SYN again within 5 s");
	start(), handshake(), tcp(1, S, 9000, 0, 0);
	FLOWS("1 3 replaced; 1 1 end_of_capture", "a new SYN in an open flow");
	start(), handshake(), tcp(2, S, 9000, 0, 0);
	FLOWS("1 3 replaced; 2 1 end_of_capture", "a new SYN from the other side");
	start(), tcp(1, S, 100, 0, 0), tcp(1, S, 100, 0, 0), tcp(2, S | A, 500, 101, 0);
	FLOWS("1 3 end_of_capture", "the SYN is repeated");
	start(), tcp(2, S | A, 500, 101, 0), tcp(1, A, 101, 501, 0);
	FLOWS("1 2 end_of_capture", "a SYN-ACK first: its receiver is the initiator");
	ask(JJ_F_packets_bwd, &o);
	is_int(got_int, 1, "and it counts as backward");
	start(), tcp(1, A, 101, 501, 0), tcp(1, S, 100, 0, 0);
	FLOWS("1 2 end_of_capture", "an ACK before its own SYN");
	start(), tcp(1, A, 7777, 501, 0), tcp(1, S, 100, 0, 0);
	FLOWS("1 1 replaced; 1 1 end_of_capture", "a SYN after old traffic");
	start(), handshake(), tcp(2, R, 501, 0, 0), tcp(1, A, 101, 501, 0);
	FLOWS("1 5 tcp_reset", "reset, and a segment after it");
	start(), whole(), tcp(2, R, 502, 0, 0);
	FLOWS("1 8 tcp_close", "an RST after the close changes nothing");
	start(), handshake(), tcp(1, R, 101, 0, 0), tcp(1, S, 9000, 0, 0), tcp(2, R | A, 0, 9001, 0);
	FLOWS("1 4 tcp_reset; 1 2 tcp_reset", "reset, then another attempt that is refused");
	start(), tcp(1, S, 0xfffffffe, 0, 0), tcp(2, S | A, 0xffffffff, 0xffffffff, 0), tcp(1, F | A, 0xffffffff, 0, 3), tcp(2, F | A, 0, 3, 1), tcp(1, A, 3, 2, 0);
	FLOWS("1 5 tcp_close", "sequence numbers wrap");
	start(), handshake(), tcp(1, F | A, 101, 501, 0), tcp(2, A, 501, 102, 9), tcp(2, A, 510, 102, 9), tcp(1, A, 102, 519, 0), tcp(2, F | A, 519, 102, 0), tcp(1, A, 102, 520, 0);
	FLOWS("1 9 tcp_close", "half closed, data after the first FIN");
	start(), handshake(), tcp(1, F | A, 101, 501, 10), tcp(2, F | A, 501, 101, 0), tcp(1, A, 112, 502, 0);
	FLOWS("1 6 end_of_capture", "a FIN whose data is not acknowledged is open");
	start(), tcp(1, F, 1, 0, 0);
	FLOWS("1 1 end_of_capture", "a lone FIN");
	start(), tcp(1, R, 1, 0, 0);
	FLOWS("1 1 tcp_reset", "a lone RST");

	start(), whole();
	ask(JJ_F_flow_end_code, &o);
	is_int(got_int, 3, "IPFIX end reason of a close");
	ask(JJ_F_tcp_complete_handshake, &o);
	is_int(got_int, 1, "the handshake is complete");
	ask(JJ_F_duration, &o);
	ok(got_double == 6, "duration of the whole connection");
}

static void
other_rules(void)
{
	jj_options	o = defaults();

	o.flow_end = JJ_FLOW_END_FIN_RST;
	start(), whole();
	FLOWS("1 4 tcp_close; 2 2 tcp_close; 1 1 end_of_capture", "fin_rst: the first FIN ends a flow");
	start(), handshake(), tcp(2, R, 501, 0, 0);
	FLOWS("1 4 tcp_reset", "fin_rst: an RST too");
	start(), tcp(1, F | A, 101, 501, 0), tcp(1, A, 101, 501, 0);
	FLOWS("1 2 end_of_capture", "fin_rst: not the FIN that begins a flow");
	o.flow_end = JJ_FLOW_END_TIMEOUT;
	start(), whole(), tcp(1, S, 9000, 0, 0);
	FLOWS("1 8 end_of_capture", "timeout: neither FIN nor SYN ends a flow");
	start(), handshake(), tcp(2, R, 501, 0, 0), now = 64, tcp(1, A, 101, 501, 0);
	FLOWS("1 4 idle; 1 1 end_of_capture", "timeout: only time does");

	o = defaults();
	start(), now = 0, dgram(1), now = 60, dgram(1);
	FLOWS("1 2 end_of_capture", "idle for exactly 60 s");
	start(), now = 0, dgram(1), now = 60.000000001, dgram(1);
	FLOWS("1 1 idle; 1 1 end_of_capture", "idle for a nanosecond more");
	start(), dgram(1), now = 30, dgram(2), now = 61, dgram(3);
	FLOWS("1 1 idle; 2 1 end_of_capture; 3 1 end_of_capture", "other packets let time pass");
	start(), dgram(1), now = 61, add(101, (const uint8_t *) "\x70", 1);
	FLOWS("1 1 idle", "so do frames without a packet");
	o.flow_timeout = JJ_INFINITE;
	start(), now = 0, dgram(1), now = 1e6, dgram(1);
	FLOWS("1 2 end_of_capture", "no idle timeout");
	o.flow_timeout = 0;
	start(), step = 0, dgram(1), dgram(1), now = 1, dgram(1);
	FLOWS("1 2 idle; 1 1 end_of_capture", "idle timeout of 0");
	o = defaults();
	o.active_timeout = 10 * JJ_SECOND;
	start(), now = 0, dgram(1), now = 10, dgram(1), now = 11, dgram(1);
	FLOWS("1 2 active; 1 1 end_of_capture", "active timeout: longer than 10 s");
	start(), now = 0, dgram(1), now = 5, dgram(1), now = 3, dgram(1);
	FLOWS("1 3 end_of_capture", "active timeout: the flow clock counts");
	o.active_timeout = 0;
	start(), step = 0, dgram(1), dgram(1);
	FLOWS("1 2 end_of_capture", "active timeout of 0: packets of one instant");

	o = defaults();
	start(), now = 10, dgram(1), now = 0, dgram(1), now = 5, dgram(1);
	FLOWS("1 3 end_of_capture", "times run backwards: one flow");
	ask(JJ_F_duration, &o);
	ok(got_double == 0, "its clock stands still");
	ask(JJ_F_start_ns, &o);
	is_int(got_int, T0 + 10 * JJ_SECOND, "it begins at the first packet's time");
	ask(JJ_F_iat_max, &o);
	ok(got_double == 0, "no gap is negative");
	start(), udp(1, 7, 1, 7, 3), udp(1, 7, 1, 7, 3);
	FLOWS("1 2 end_of_capture", "both ends equal");
	ask(JJ_F_packets_bwd, &o);
	is_int(got_int, 0, "all its packets are forward");
	start(), udp(2, 9, 1, 9, 1), udp(1, 9, 2, 9, 1);
	FLOWS("2 2 end_of_capture", "the first sender is the initiator, whatever the addresses");
}

static void
order(void)
{
	jj_options	o = defaults();

	start(), step = 0, dgram(3), dgram(1), dgram(2);
	FLOWS("3 1 end_of_capture; 1 1 end_of_capture; 2 1 end_of_capture", "flows that end together: by first packet");
	start(), dgram(1), dgram(2), dgram(1), now = 63, dgram(3);
	FLOWS("2 1 idle; 1 2 idle; 3 1 end_of_capture", "the flow that was idle first ends first");
	start(), step = 0, dgram(2), dgram(1), now = 61, dgram(3);
	FLOWS("2 1 idle; 1 1 idle; 3 1 end_of_capture", "two idle at the same time: by first packet");
	start(), dgram(1), now = 55, whole(), now = 70, dgram(3);
	FLOWS("1 1 idle; 1 7 tcp_close; 3 1 end_of_capture", "idle at 60 s, close at 61 s with its linger");
	start(), now = 0.5, dgram(1), now = 0, dgram(2), now = 100, dgram(3);
	FLOWS("2 1 idle; 1 1 idle; 3 1 end_of_capture", "the clock of each flow counts, not the order in the file");
}

/*
 * A flow that begins far in the future, one that lives on, one that begins
 * before those that came before it, and thousands of short ones.
 */
static void
expiry(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_options	o = defaults();
	jj_engine  *e;
	jj_error	err;
	const jj_row *row;
	bool		have;
	bool		good;
	bool		ordered = true;
	int64_t		last = 0;
	int64_t		rows = 0;

	start();
	now = 1e6, dgram(1), now = 0;
	for (int i = 1; i < 5900; i++)
	{
		double		t = now;

		if (i % 1000 == 500)
			now -= 30;
		dgram(i % 50 == 0 ? 2 : 1000 + i);
		now = t + 1;
	}
	good = jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK && jj_engine_source(e, "", true, &err) == JJ_OK;
	for (uint32_t i = 0; good && i < n_frames; i += 50)
	{
		good = jj_engine_feed(e, frames + i, 50, &err) == JJ_OK;
		while (good && jj_engine_next(e, &row, &have, &err) == JJ_OK && have)
		{
			int64_t		end = row->value[JJ_F_start_ns].i + llround(row->value[JJ_F_duration].d * 1e9);

			ordered = ordered && end >= last;
			last = end;
			rows++;
		}
	}
	ok(good && rows > 500, "flows end while packets come, and one that begins in the future holds up no other");
	ok(ordered, "in the order of their ends");
	jj_engine_close(e);
}

static void
eviction(void)
{
	jj_options	o = defaults();

	o.max_concurrent_flows = 2;
	start(), dgram(1), dgram(2), dgram(1), dgram(3);
	FLOWS("2 1 evicted; 1 2 end_of_capture; 3 1 end_of_capture", "the least recently used flow is evicted");
	ok(counters.flows_evicted == 1 && counters.flows_started == 3 && counters.flows_ended == 3 && counters.flows_live == 0, "and counted");
	o.eviction = JJ_EVICT_OLDEST;
	FLOWS("1 2 evicted; 2 1 end_of_capture; 3 1 end_of_capture", "the oldest flow is evicted");
	start(), now = 5, dgram(1), now = 0, dgram(2), now = 6, dgram(3);
	FLOWS("2 1 evicted; 1 1 end_of_capture; 3 1 end_of_capture", "the oldest is that of the smallest start time");
	o.eviction = JJ_EVICT_LRU;
	start(), dgram(1), now = 50, dgram(2), now = 61, dgram(3);
	FLOWS("1 1 idle; 2 1 end_of_capture; 3 1 end_of_capture", "what is idle makes room first");
	is_int((int64_t) counters.flows_evicted, 0, "then nothing is evicted");
	o.flow_timeout = JJ_SECOND;
	start(), tcp(1, R, 1, 0, 0), dgram(7), now = 3, dgram(8);
	FLOWS("7 1 idle; 1 1 tcp_reset; 8 1 end_of_capture", "also behind a closed flow that lingers");
	o.flow_timeout = 60 * JJ_SECOND;
	o.max_concurrent_flows = 1;
	start(), whole(), dgram(9);
	FLOWS("1 7 tcp_close; 9 1 end_of_capture", "a closed flow keeps its reason");
	start(), dgram(1), dgram(2), dgram(1), dgram(2);
	FLOWS("1 1 evicted; 2 1 evicted; 1 1 evicted; 2 1 end_of_capture", "room for one flow");
	o.max_concurrent_flows = 100;
	start();
	step = 0.001;
	for (int i = 0; i < 1000; i++)
		dgram(i % 200);
	run(&o);
	ok(counters.flows_evicted == 900 && counters.flows_started == 1000, "200 flows in turn in 100 places");
}

/* Ethernet around the raw IP frame last added. */
static void
tag_last(const uint16_t *tags, int n)
{
	jj_frame   *f = &frames[n_frames - 1];
	uint8_t    *b = store[n_frames - 1];
	uint32_t	head = 14 + 4 * (uint32_t) n;

	memmove(b + head, b, f->caplen);
	memset(b, 2, 12);
	for (int i = 0; i < n; i++)
	{
		put16(b + 12 + 4 * i, 0x8100);
		put16(b + 14 + 4 * i, tags[i]);
	}
	put16(b + head - 2, 0x0800);
	f->caplen += head;
	f->wirelen += head;
	f->link = 1;
}

static void
keys(void)
{
	jj_options	o = defaults();

	start();
	udp(1, 5, 2, 6, 1), tag_last((const uint16_t[]) {10}, 1);
	udp(1, 5, 2, 6, 1), tag_last((const uint16_t[]) {11}, 1);
	udp(1, 5, 2, 6, 1), tag_last((const uint16_t[]) {10, 11}, 2);
	udp(2, 6, 1, 5, 1), tag_last((const uint16_t[]) {10}, 1);
	udp(1, 5, 2, 6, 1), tag_last(NULL, 0);
	FLOWS("1 2 end_of_capture; 1 1 end_of_capture; 1 1 end_of_capture; 1 1 end_of_capture", "each VLAN has its own flow");
	o.vlan_in_key = false;
	FLOWS("1 5 end_of_capture", "unless VLANs are left out of the key");
	ask(JJ_F_mac_vlan_count, &o);
	is_int(got_int, 2, "then their number shows");
	o = defaults();
	start(), udp(1, 5, 2, 6, 1), tcp(1, A, 1, 1, 0), udp(1, 6, 2, 5, 1), udp(1, 5, 2, 7, 1);
	FLOWS("1 1 end_of_capture; 1 1 end_of_capture; 1 1 end_of_capture; 1 1 end_of_capture", "protocol and each port make a flow");

	start();
	ipv4(host[1], host[2], 1, (const uint8_t *) "\x08\0\0\0\0\5\0\1", 8, 8, 1, 0);
	ipv4(host[2], host[1], 1, (const uint8_t *) "\0\0\0\0\0\5\0\1", 8, 8, 1, 0);
	ipv4(host[1], host[2], 1, (const uint8_t *) "\x08\0\0\0\0\6\0\1", 8, 8, 1, 0);
	ipv4(host[2], host[1], 1, (const uint8_t *) "\3\1\0\0\0\0\0\0", 8, 8, 1, 0);
	ipv4(host[1], host[2], 1, (const uint8_t *) "\3\1\0\0\0\0\0\0", 8, 8, 1, 0);
	ipv4(host[1], host[2], 1, (const uint8_t *) "\x0a\0\0\0\0\0\0\0", 8, 8, 1, 0);
	ipv4(host[2], host[1], 1, (const uint8_t *) "\x09\0\0\0\0\0\0\0", 8, 8, 1, 0);
	FLOWS("1 2 end_of_capture; 1 1 end_of_capture; 2 1 end_of_capture; 1 1 end_of_capture; 1 2 end_of_capture",
		  "ICMP: by identifier, by type and its answer, one way for errors");

	start();
	ipv4(host[1], host[2], 17, (const uint8_t *) "\0\5\0\6\0\x30\0\0", 8, 32, 77, 0x2000);
	ipv4(host[1], host[2], 17, (const uint8_t *) "12345678", 8, 16, 77, 0x2004);
	ipv4(host[2], host[1], 17, (const uint8_t *) "12345678", 8, 16, 77, 0x0004);
	ipv4(host[1], host[2], 17, (const uint8_t *) "12345678", 8, 8, 78, 0x0004);
	now = 31, ipv4(host[1], host[2], 17, (const uint8_t *) "12345678", 8, 8, 77, 0x0006);
	now = 32, udp(1, 5, 2, 6, 1);
	FLOWS("1 3 end_of_capture; 2 3 end_of_capture", "fragments join the flow of their first for 30 s");
	o.defragment = false;
	FLOWS("1 2 end_of_capture; 1 4 end_of_capture", "defragment off: later fragments are a flow without ports");
}

static void
in_tunnels(void)
{
	jj_options	o = defaults();
	uint8_t		inner[64];

	start();
	for (int i = 0; i < 4; i++)
	{
		uint8_t		gtp[100] = {0x08, 0x68, 0x08, 0x68, 0, 0, 0, 0, 0x30, 0xff, 0, 29, 0, 0, 0, (uint8_t) (i + 1)};

		udp(1 + i % 2, i % 2 ? 6 : 5, 2 - i % 2, i % 2 ? 5 : 6, 1);
		n_frames--;
		memcpy(inner, store[n_frames], 28);
		memcpy(gtp + 16, inner, 28);
		ipv4(host[3], host[4], 17, gtp, 44, 45, 1, 0);
	}
	FLOWS("1 4 end_of_capture", "GTP-U: each direction has its TEID, it is one flow");
	ask(JJ_F_tunnel, &o);
	is_text(got_text, "gtp-u:1", "the column names the first packet's");
	o.inner_tunnels = false;
	FLOWS("3 4 end_of_capture", "the outer packets' flow");
	o = defaults();
	start();
	for (int i = 0; i < 4; i++)
	{
		uint8_t		gre[64] = {0x20, 0, 0x08, 0, 0, 0, 0, (uint8_t) (7 + i / 2)};

		udp(1, 5, 2, 6, 1);
		n_frames--;
		memcpy(gre + 8, store[n_frames], 28);
		ipv4(host[3], host[4], 47, gre, 36, 37, 1, 0);
	}
	FLOWS("1 2 end_of_capture; 1 2 end_of_capture", "GRE: the key is part of the flow's");
}

static void
sources(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_options	o = defaults();

	for (int fresh = 0; fresh < 2; fresh++)
	{
		jj_engine  *e;
		jj_error	err;
		const jj_row *row;
		bool		have;
		bool		good;

		start(), dgram(1), dgram(2), dgram(1);
		out_used = 0;
		out[0] = '\0';
		good = jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK && jj_engine_source(e, "first", true, &err) == JJ_OK
			&& jj_engine_feed(e, frames, 2, &err) == JJ_OK && jj_engine_source(e, "second", fresh, &err) == JJ_OK
			&& jj_engine_feed(e, frames + 2, 1, &err) == JJ_OK && jj_engine_finish(e, &err) == JJ_OK;
		asked = JJ_F_capture;
		while (good && jj_engine_next(e, &row, &have, &err) == JJ_OK && have)
		{
			brief(row);
			take(row);
			say(" of %s", got_text);
		}
		ok(good, "two sources");
		is_text(out, fresh ? "1 1 end_of_capture of first; 2 1 end_of_capture of first; 1 1 end_of_capture of second"
				: "1 2 end_of_capture of first; 2 1 end_of_capture of first",
				fresh ? "flows do not continue in the next source" : "unless asked to");
		jj_engine_close(e);
	}
	jj_engine_close(NULL);
}

/* Vectors of the Community ID specification (github.com/corelight/community-id-spec). */
static void
community_id(void)
{
	jj_options	o = defaults();
	static const struct
	{
		uint8_t		src[4],
					dst[4];
		uint8_t		proto;
		uint8_t		head[8];
		const char *want;
	}			v[] = {
		{{128, 232, 110, 120}, {66, 35, 250, 204}, 6, {0x88, 0x27, 0, 80}, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{{66, 35, 250, 204}, {128, 232, 110, 120}, 6, {0, 80, 0x88, 0x27}, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{{192, 168, 1, 52}, {8, 8, 8, 8}, 17, {0xd5, 0x39, 0, 53, 0, 8}, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{{8, 8, 8, 8}, {192, 168, 1, 52}, 17, {0, 53, 0xd5, 0x39, 0, 8}, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{{192, 168, 170, 8}, {192, 168, 170, 56}, 132, {0, 7, 0, 80}, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
		{{192, 168, 170, 56}, {192, 168, 170, 8}, 132, {0, 80, 0, 7}, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
		{{192, 168, 0, 89}, {192, 168, 0, 1}, 1, {8, 0, 0, 0, 0, 5, 0, 1}, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{{192, 168, 0, 1}, {192, 168, 0, 89}, 1, {0, 0, 0, 0, 0, 5, 0, 1}, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{{192, 168, 0, 89}, {192, 168, 0, 1}, 1, {20, 0, 0, 0}, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="},
		{{10, 1, 24, 4}, {10, 1, 12, 1}, 46, {0}, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="}
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
	{
		char		name[100];

		start();
		ipv4(v[i].src, v[i].dst, v[i].proto, v[i].head, 8, 8, 1, 0);
		ask(JJ_F_community_id, &o);
		snprintf(name, sizeof(name), "community id, protocol %d%s", v[i].proto, i % 2 && i < 8 ? ", the other direction" : "");
		is_text(got_text, v[i].want, name);
	}
	start();
	ipv4(host[1], host[2], 17, (const uint8_t *) "", 0, 8, 1, 0);
	ask(JJ_F_community_id, &o);
	is_text(got_text, "NULL", "community id of a flow whose ports were not captured");
}

int
main(void)
{
	tcp_life();
	other_rules();
	order();
	expiry();
	eviction();
	keys();
	in_tunnels();
	sources();
	community_id();
	return done_testing();
}
