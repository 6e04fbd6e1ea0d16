/*
 * Later fragments that come before their first: how they wait, within what
 * bounds, and which flow they go to.
 */
#include "failing.h"
#include "flow/early.h"
#include "traffic.h"

#define LIFE JJ_FRAGMENT_LIFE

/* ---- the store alone */

static jj_packet
packet(uint32_t id, int64_t ts, uint32_t offset)
{
	jj_packet	p = {.ts = ts, .ip_id = id, .proto = JJ_PROTO_UDP, .frag_proto = JJ_PROTO_UDP, .ip_version = 4, .fragment = true, .frag_offset = offset};
	static const uint8_t bytes[20000];

	p.src[15] = 1;
	p.dst[15] = 2;
	p.sport = p.dport = -1;
	p.payload = bytes;
	p.payload_len = p.payload_caplen = 100;
	return p;
}

static bool
put(jj_early *h, const jj_packet *p, uint32_t slot, const jj_allocator *a)
{
	jj_frame	frame = {.ts = p->ts, .index = p->frag_offset};
	jj_lookup	l = {.hash = p->proto};

	l.key.proto = p->proto;
	return jj_early_put(h, &frame, p, &l, 0, slot, 5, a);
}

/* "offset of each in the list due, j if it joins" */
static const char *
due(jj_early *h, const jj_allocator *a)
{
	out_used = 0;
	out[0] = '\0';
	for (jj_early_fragment *x = h->due.head; x != NULL; x = h->due.head)
	{
		say("%s%u%s@%u", out[0] ? " " : "", x->packet.frag_offset, x->joins ? "j" : "", x->slot);
		jj_early_added(h, true, a);
	}
	return out;
}

static void
store_of_fragments(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_early	h = {0};
	jj_packet	p;
	jj_packet	first = packet(7, 40, 0);
	jj_early_fragment *x;
	jj_lookup	l = {.hash = JJ_PROTO_UDP};
	bool		good = true;

	first.sport = 53;
	first.dport = 4000;
	jj_early_expire(&h, INT64_MAX, 0, 0);
	jj_early_release(&h, 0);
	ok(jj_early_due(&h, 9) == NULL && jj_early_settled(&h) == NULL && jj_early_oldest(&h) == INT64_MAX, "an empty store");
	for (uint32_t i = 1; i <= 6; i++)
	{
		p = packet(i % 3 == 0 ? 8 : 7, i * 10, i);
		good = good && put(&h, &p, 0, &a);
	}
	ok(good && h.count == 6 && jj_early_oldest(&h) == 10, "six fragments of two datagrams");
	jj_early_match(&h, &first, 20, 3, 5);
	is_int(h.count, 3, "those of its datagram leave with their first");
	ok(jj_early_due(&h, 9) == NULL && jj_early_joining(&h, 2) == NULL && jj_early_joining(&h, 3) != NULL, "they join it, no packet before it");
	x = jj_early_joining(&h, 3);
	ok(x->packet.sport == 53 && x->packet.dport == 4000 && memcmp(x->packet.payload, p.payload, 100) == 0 && x->packet.payload != p.payload, "with its ports and their bytes");
	x = jj_early_joining_next(x);
	ok(x != NULL && x->packet.frag_offset == 4 && (x = jj_early_joining_next(x)) != NULL && x->packet.frag_offset == 5 && jj_early_joining_next(x) == NULL,
	   "in order of capture, those that are too old apart");
	is_text(due(&h, &a), "2j@3 4j@3 5j@3", "the whole list");
	jj_early_expire(&h, 29, 15, 5);
	is_text(due(&h, &a), "1@5", "what has waited for long goes without its first");
	jj_early_match(&h, &first, 0, 6, 5);
	is_text(due(&h, &a), "", "a first that has no fragments here");
	l.key.proto = JJ_PROTO_UDP;
	p = packet(9, 70, 9);
	p.proto = p.frag_proto = JJ_PROTO_TCP;
	ok(put(&h, &p, 0, &a), "a fragment of another protocol");
	jj_early_release_key(&h, &l, 7);
	is_text(due(&h, &a), "3@7 6@7", "those of one key are released in order of capture");
	jj_early_release(&h, 8);
	is_text(due(&h, &a), "9@8", "and all");
	ok(h.count == 0 && h.bytes == 0 && h.waiting.head == NULL && h.waiting.tail == NULL, "none waits any more");
	for (uint32_t i = 0; (x = jj_early_settled(&h)) != NULL; i++)
	{
		static const uint32_t order[] = {2, 4, 5, 1, 3, 6, 9};

		good = good && i < 7 && x->settled.frame.index == order[i] && x->settled.frame.data == NULL;
		jj_release(&a, x);
	}
	ok(good, "and the caller sees them in the order in which they were added");
	jj_early_free(&h, &a);
}

static void
bounds(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_early	h = {0};
	jj_packet	p;
	uint32_t	n;
	bool		good = true;

	for (uint32_t i = 0; i < JJ_EARLY_ROOM + 3; i++)
	{
		p = packet(i, i, i);
		good = good && put(&h, &p, i, &a);
	}
	ok(good && h.count == JJ_EARLY_ROOM, "no more than %d wait", JJ_EARLY_ROOM);
	is_text(due(&h, &a), "0@1024 1@1025 2@1026", "the oldest go");
	p = packet(0, 0, 5000);
	p.payload_caplen = 20000;
	for (n = 0; good && n < 3000; n++)
		good = put(&h, &p, 0, &a) && h.bytes <= JJ_EARLY_BYTES;
	ok(good && h.bytes > JJ_EARLY_BYTES - sizeof(jj_early_fragment) - 20000 && h.count < JJ_EARLY_BYTES / 20000, "nor more than 4 MB of large ones");
	jj_early_free(&h, &a);
	ok(h.count == 0 && jj_early_due(&h, 0) == NULL, "all is released");
}

static void
which_wait(void)
{
	jj_packet	p = packet(1, 1, 8);
	static const uint8_t yes4[] = {1, 6, 17, 33, 51, 58, 132, 136};
	static const uint8_t no4[] = {0, 2, 4, 41, 43, 47, 50, 60, 89, 135, 253};
	static const uint8_t yes6[] = {0, 6, 17, 43, 51, 58, 60, 135, 139, 140};
	bool		good = true;

	for (size_t i = 0; i < sizeof(yes4); i++)
		p.proto = yes4[i], good = good && jj_fragment_waits(&p);
	for (size_t i = 0; i < sizeof(no4); i++)
		p.proto = no4[i], good = good && !jj_fragment_waits(&p);
	ok(good, "IPv4: fragments whose flow depends on ports wait");
	p.ip_version = 6;
	for (size_t i = 0; i < sizeof(yes6); i++)
		p.proto = yes6[i], good = good && jj_fragment_waits(&p);
	p.proto = 47;
	ok(good && !jj_fragment_waits(&p), "IPv6: those whose protocol is named in the first, too");
}

/* ---- in flows */

/* A fragment of a UDP datagram from 10.0.0.<from> port 5 to 10.0.0.<to> port 6. */
static void
piece(int from, int to, unsigned id, unsigned offset, bool more, uint32_t size)
{
	static const uint8_t head[16] = {0, 5, 0, 6, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t		src[4] = {10, 0, (uint8_t) (from >> 8), (uint8_t) from};
	uint8_t		dst[4] = {10, 0, (uint8_t) (to >> 8), (uint8_t) to};

	ipv4(src, dst, 17, offset == 0 ? head : head + 8, 8, size, id, (more ? 0x2000 : 0) | offset / 8);
}

#define FIRST(from, to, id) piece(from, to, id, 0, true, 64)
#define MIDDLE(from, to, id) piece(from, to, id, 64, true, 64)
#define LAST(from, to, id) piece(from, to, id, 128, false, 24)

static void
joining(void)
{
	jj_options	o = defaults();

	start(), LAST(1, 2, 7), MIDDLE(1, 2, 7), FIRST(1, 2, 7);
	FLOWS("1 3 end_of_capture", "the last fragment first: one flow");
	ask(JJ_F_src_port, &o);
	is_int(got_int, 5, "it has ports");
	ask(JJ_F_first_frame, &o);
	is_int(got_int, 1, "begins with the packet captured first");
	ask(JJ_F_duration, &o);
	ok(got_double == 2, "and lasts as long as it did");
	ask(JJ_F_iat_min, &o);
	ok(got_double == 1, "each packet at its own time");
	ask(JJ_F_fragment_count, &o);
	is_int(got_int, 3, "its fragments are counted");
	ask(JJ_F_payload_bytes_fwd, &o);
	is_int(got_int, 56 + 64 + 24, "with their payload");
	is_int((int64_t) counters.decoded, 3, "and the packets");
	start(), LAST(1, 2, 7), udp(1, 5, 2, 6, 1), FIRST(1, 2, 7);
	FLOWS("1 3 end_of_capture", "a packet of the flow between");
	ask(JJ_F_first_frame, &o);
	is_int(got_int, 2, "then that one begins it");
	ask(JJ_F_iat_sum, &o);
	ok(got_double == 1, "and its clock does not run backwards");
	start(), udp(2, 6, 1, 5, 1), LAST(1, 2, 7), FIRST(1, 2, 7), LAST(1, 2, 7);
	FLOWS("2 4 end_of_capture", "in the middle of a flow, by the responder");
	ask(JJ_F_packets_bwd, &o);
	is_int(got_int, 3, "which they are counted for");
	start(), LAST(1, 2, 7), LAST(2, 1, 7), LAST(1, 2, 8), FIRST(1, 2, 7);
	FLOWS("1 2 end_of_capture; 2 2 end_of_capture", "another sender or id is another datagram");
	start(), LAST(1, 2, 7), now = 30, FIRST(1, 2, 7);
	FLOWS("1 2 end_of_capture", "a first 30 s later");
	start(), LAST(1, 2, 7), now = 30.000000001, FIRST(1, 2, 7);
	FLOWS("1 1 end_of_capture; 1 1 end_of_capture", "and a nanosecond more");
	start(), LAST(1, 2, 7), now = 30, FIRST(1, 2, 7), now = 31, dgram(9), now = 32, LAST(1, 2, 7);
	FLOWS("1 3 end_of_capture; 9 1 end_of_capture", "later ones follow");
	start(), udp(1, 5, 2, 6, 1), now = 50, LAST(1, 2, 7), now = 60.5, FIRST(1, 2, 7);
	FLOWS("1 1 idle; 1 2 end_of_capture", "they go where their first goes");
	start(), now = 100, LAST(1, 2, 7), now = 50, FIRST(1, 2, 7), now = 105, udp(1, 5, 2, 6, 1);
	FLOWS("1 3 end_of_capture", "a clock that runs back meanwhile");
	ask(JJ_F_duration, &o);
	ok(got_double == 5, "counts from the packet captured first");
	start(), now = 1000, dgram(9), now = 0, LAST(1, 2, 7), FIRST(1, 2, 7);
	FLOWS("1 1 idle; 1 1 idle; 9 1 end_of_capture", "behind a clock that has run ahead none waits");
	start(), LAST(1, 2, 7), ipv4(host[2], host[1], 17, (const uint8_t *) "", 0, 8, 1, 0), FIRST(1, 2, 7);
	FLOWS("1 2 end_of_capture; 1 1 end_of_capture", "nor for a flow without ports that goes on");
	start(), LAST(1, 2, 8), LAST(1, 2, 7), ipv4(host[1], host[2], 17, (const uint8_t *) "", 0, 64, 7, 0x2000);
	FLOWS("1 3 end_of_capture", "a first whose ports were not captured has the flow without ports");
	ask(JJ_F_first_frame, &o);
	is_int(got_int, 1, "with all that waited for it, in order");
	start(), LAST(1, 2, 7), ipv4(host[3], host[1], 17, (const uint8_t *) "", 0, 8, 1, 0), FIRST(1, 2, 7);
	FLOWS("1 2 end_of_capture; 3 1 end_of_capture", "but for another");

	o.flow_timeout = 10 * JJ_SECOND;
	start(), LAST(1, 2, 7), now = 10, FIRST(1, 2, 7), now = 30, LAST(1, 2, 8), now = 40.5, FIRST(1, 2, 8);
	FLOWS("1 2 idle; 1 1 idle; 1 1 end_of_capture", "they wait no longer than a flow");
	o = defaults();
	o.active_timeout = 10 * JJ_SECOND;
	start(), LAST(1, 2, 7), now = 10, FIRST(1, 2, 7), now = 10.5, LAST(1, 2, 8), FIRST(1, 2, 8), now = 30, LAST(1, 2, 9), now = 40.5, FIRST(1, 2, 9);
	FLOWS("1 2 active; 1 2 active; 1 1 end_of_capture; 1 1 end_of_capture", "nor than it may last");
	o = defaults();
	o.flow_timeout = 0;
	start(), step = 0, LAST(1, 2, 7), FIRST(1, 2, 7), now = 1, LAST(1, 2, 8), now = 2, FIRST(1, 2, 8);
	FLOWS("1 2 idle; 1 1 idle; 1 1 end_of_capture", "a flow_timeout of 0");
	o = defaults();
	o.defragment = false;
	start(), LAST(1, 2, 7), FIRST(1, 2, 7);
	FLOWS("1 1 end_of_capture; 1 1 end_of_capture", "defragment off");
	o = defaults();
	o.sampling_rate = 1e-9;
	start(), LAST(1, 2, 7), FIRST(1, 2, 7), LAST(1, 2, 8);
	FLOWS("", "a flow that is not in the sample");
	ok(counters.skipped[JJ_SKIP_SAMPLED] == 3 && counters.decoded == 0, "its fragments are not either");
	start(), piece(1, 2, 1, 64, false, 8), n_frames--, ipv4(host[1], host[2], 47, (const uint8_t *) "12345678", 8, 8, 7, 8);
	o = defaults();
	FLOWS("1 1 end_of_capture", "GRE has no ports to wait for");
}

/* A segment of host 1 with a FIN in two fragments, the later one first. */
static void
tcp_joining(void)
{
	jj_options	o = defaults();
	uint8_t		b[24] = {0x04, 0x57, 0, 80, 0, 0, 0, 101, 0, 0, 1, 0xf5, 0x50, F | A};

	start(), handshake();
	ipv4(host[1], host[2], 6, (const uint8_t *) "12345678", 8, 8, 7, 3);
	ipv4(host[1], host[2], 6, b, 24, 24, 7, 0x2000);
	tcp(2, A, 501, 114, 0), tcp(2, F | A, 501, 114, 0), tcp(1, A, 114, 502, 0);
	FLOWS("1 8 tcp_close", "a FIN in a fragment");
	ask(JJ_F_tcp_seq_fwd_bytes_sent, &o);
	is_int(got_int, 12, "the segment is as long as its fragments, in whatever order they come");
	ask(JJ_F_tcp_fin_count, &o);
	is_int(got_int, 2, "and its header counts once");
	o.flow_end = JJ_FLOW_END_FIN_RST;
	FLOWS("1 5 tcp_close; 2 2 tcp_close; 1 1 end_of_capture", "fin_rst: what waited for the FIN is in its flow");
}

/* ---- fragments without a first change nothing: rows are those of defragment = false */

static char *
rows(const jj_options *o, uint32_t batch)
{
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;

	if (run_with(o, NULL, &a, batch, full, &err) != JJ_OK)
		snprintf(out, sizeof(out), "%s", err.message);
	return strdup(out);
}

static void
traffic(bool with_firsts, double mean)
{
	uint32_t	x = 9;

	start();
	for (int i = 0; i < 5900; i++)
	{
		int			from = (int) (x >> 9 & 15);

		step = mean / 2 * (x >> 24) / 128;
		x = x * 1664525 + 1013904223;
		switch (x >> 27)
		{
			case 0:
			case 1:
				piece(from, 2, x >> 22 & 7, 64, true, 16);
				break;
			case 2:
				piece(300 + from, 2, x >> 20 & 3, 72, false, 16);
				break;
			case 3:
				if (with_firsts)
					piece(from, 2, x >> 22 & 7, 0, true, 16);
				break;
			case 4:
				ipv4((const uint8_t[]) {10, 0, 0, (uint8_t) from}, host[2], 17, (const uint8_t *) "", 0, 8, 1, 0);
				break;
			case 5:
				tcp(1 + (from & 1), S, x >> 30, 0, 0);
				break;
			default:
				dgram((int) (x >> 17 & 63));
		}
	}
}

static void
nothing_else_changes(void)
{
	static const double mean[] = {0.001, 0.02, 0.2, 3};
	jj_options	o = defaults();
	char	   *on;
	char	   *off;

	for (size_t i = 0; i < sizeof(mean) / sizeof(mean[0]); i++)
		for (int k = 0; k < 3; k++)
		{
			o = defaults();
			if (k == 1)
				o.flow_timeout = 5 * JJ_SECOND;
			else if (k == 2)
				o.active_timeout = 20 * JJ_SECOND;
			traffic(false, mean[i]);
			on = rows(&o, JJ_BATCH);
			o.defragment = false;
			off = rows(&o, JJ_BATCH);
			ok(strlen(on) > 10000 && strcmp(on, off) == 0, "no first comes, %g s a packet%s: rows and their order as without defragment", mean[i],
			   k == 1 ? ", flow_timeout 5 s" : k == 2 ? ", active_timeout 20 s" : "");
			free(on);
			free(off);
		}
	o = defaults();
	for (size_t i = 0; i < sizeof(mean) / sizeof(mean[0]); i++)
	{
		char	   *all;
		static const uint32_t batch[] = {1, 7, JJ_BATCH};

		traffic(true, mean[i]);
		o.hash_seed = 0;
		all = rows(&o, 64);
		for (int k = 0; k < 3; k++)
		{
			o.hash_seed += UINT64_C(0x123456789abcdef1);
			on = rows(&o, batch[k]);
			ok(strcmp(all, on) == 0, "firsts come, %g s a packet: the same rows in batches of %u", mean[i], batch[k]);
			free(on);
		}
		free(all);
	}
}

static void
eviction(void)
{
	jj_options	o = defaults();

	o.max_concurrent_flows = 2;
	start(), LAST(1, 2, 7), now = 20, dgram(8), now = 31, dgram(9), dgram(10);
	FLOWS("1 1 evicted; 8 1 evicted; 9 1 end_of_capture; 10 1 end_of_capture", "a fragment that came late is used as long ago as it was captured");
	start(), LAST(1, 2, 7), now = 5, dgram(8), now = 10, LAST(1, 2, 8), now = 41, dgram(9);
	FLOWS("8 1 evicted; 1 2 end_of_capture; 9 1 end_of_capture", "and again when another one comes");
	start(), LAST(1, 2, 7), now = 31, dgram(8), now = 61, dgram(9);
	FLOWS("1 1 idle; 8 1 end_of_capture; 9 1 end_of_capture", "it is idle before others");
	o.eviction = JJ_EVICT_OLDEST;
	start(), dgram(8), LAST(1, 2, 7), now = 2, dgram(9);
	FLOWS("8 1 evicted; 1 1 end_of_capture; 9 1 end_of_capture", "the oldest, once it is in its flow");
}

/* ---- memory */

typedef struct meter
{
	int64_t		live;
	int64_t		peak;
} meter;

static void *
meter_alloc(void *ctx, size_t size)
{
	meter	   *m = ctx;
	size_t	   *p = malloc(size + 16);

	if (p == NULL)
		return NULL;
	*p = size;
	m->live += (int64_t) size;
	m->peak = m->live > m->peak ? m->live : m->peak;
	return p + 2;
}

static void
meter_release(void *ctx, void *block)
{
	size_t	   *p = (size_t *) block - 2;

	((meter *) ctx)->live -= (int64_t) *p;
	free(p);
}

static void
nobody(const jj_row *row)
{
	(void) row;
}

/* Bytes at the most while 100,000 frames made by change(i, frame) are fed. */
static int64_t
flood(void (*change) (uint32_t i, uint8_t *b))
{
	meter		m = {0, 0};
	jj_allocator a = {meter_alloc, meter_release, &m};
	jj_options	o = defaults();
	jj_engine  *e = NULL;
	jj_error	err;
	const jj_row *row;
	bool		have = true;
	jj_code		code;

	start();
	step = 0.00001;
	for (int i = 0; i < JJ_BATCH; i++)
		piece(1, 2, 7, 64, true, 16);
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add_name(&o.features, "total_packets");
	code = jj_engine_open(&e, &o, NULL, &a, &err);
	for (uint32_t i = 0; code == JJ_OK && i < 100000; i += JJ_BATCH)
	{
		for (uint32_t k = 0; k < JJ_BATCH; k++)
		{
			change(i + k, store[k]);
			frames[k].index = i + k + 1;
			frames[k].ts = T0 + (int64_t) (i + k) * 10000;
		}
		code = jj_engine_feed(e, frames, JJ_BATCH, &err);
		while (code == JJ_OK && (code = jj_engine_next(e, &row, &have, &err)) == JJ_OK && have)
			nobody(row);
	}
	jj_engine_close(e);
	return code == JJ_OK && m.live == 0 ? m.peak : -1;
}

static void
one_id(uint32_t i, uint8_t *b)
{
	put16(b + 6, 0x2000 | (1 + i % 8000));
}

static void
many_ids(uint32_t i, uint8_t *b)
{
	put16(b + 4, i & 0xffff);
}

static void
overlapping(uint32_t i, uint8_t *b)
{
	put16(b + 4, i >> 12);
	put16(b + 6, 0x2000 | (1 + i % 3));
}

static void
tiny_firsts(uint32_t i, uint8_t *b)
{
	put16(b + 4, i >> 1 & 0xffff);
	put16(b + 6, i % 2 ? 0x2000 : 0x2001);
}

static void
floods(void)
{
	static const struct
	{
		void		(*change) (uint32_t i, uint8_t *b);
		const char *name;
	}			kind[] = {{one_id, "one id at all offsets"}, {many_ids, "many ids"}, {overlapping, "overlapping"}, {tiny_firsts, "later one, first one, in turn"}};

	for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++)
	{
		int64_t		peak = flood(kind[i].change);

		ok(peak > 0 && peak < 3 * 1024 * 1024, "100,000 fragments, %s: %" PRId64 " bytes at the most", kind[i].name, peak);
	}
}

static void
no_memory(void)
{
	jj_options	o = defaults();
	uint64_t	total;
	unsigned	wrong = 0,
				leaks = 0;
	failing		f = {.fail_at = UINT64_MAX};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_error	err;
	jj_code		code;

	start(), LAST(1, 2, 7), LAST(1, 2, 8), dgram(5), MIDDLE(1, 2, 7), FIRST(1, 2, 7), LAST(3, 2, 7), now = 40, dgram(5), LAST(4, 2, 9);
	code = run_with(&o, NULL, &a, 3, brief, &err);
	total = f.calls;
	is_text(out, "1 3 end_of_capture; 1 1 end_of_capture; 5 2 end_of_capture; 3 1 end_of_capture; 4 1 end_of_capture", "flows, with memory");
	for (uint64_t k = 1; k <= total; k++)
	{
		f.calls = 0;
		f.fail_at = k;
		code = run_with(&o, NULL, &a, 3, brief, &err);
		wrong += code != JJ_ERR_NOMEM;
		leaks += f.live != 0;
		f.live = 0;
	}
	ok(total > 20 && wrong == 0 && leaks == 0, "whichever of %d allocations fails, the result says so and nothing leaks", (int) total);
}

/* ---- sources and observation */

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

		start(), LAST(1, 2, 7), FIRST(1, 2, 7);
		frames[1].index = 1;
		out_used = 0;
		out[0] = '\0';
		good = jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK && jj_engine_source(e, "a", true, &err) == JJ_OK
			&& jj_engine_feed(e, frames, 1, &err) == JJ_OK && jj_engine_source(e, "b", fresh, &err) == JJ_OK
			&& jj_engine_feed(e, frames + 1, 1, &err) == JJ_OK && jj_engine_finish(e, &err) == JJ_OK;
		asked = JJ_F_capture;
		while (good && jj_engine_next(e, &row, &have, &err) == JJ_OK && have)
		{
			brief(row);
			take(row);
			say(" of %s", got_text);
		}
		ok(good, "a fragment in one source, its first in the next");
		is_text(out, fresh ? "1 1 end_of_capture of a; 1 1 end_of_capture of b" : "1 2 end_of_capture of a",
				fresh ? "none waits beyond its source" : "unless flows go on");
		jj_engine_close(e);
	}
}

static void
tell(jj_engine *e)
{
	const jj_settled *s;

	while ((s = jj_engine_settled(e)) != NULL)
		say(" %d:%s", (int) s->frame.index, s->capture);
}

static void
observation(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_options	o = defaults();
	jj_engine  *e;
	jj_error	err;
	jj_observation seen[JJ_BATCH];
	const jj_settled *s;

	start(), LAST(1, 2, 7), MIDDLE(1, 2, 7), dgram(5), FIRST(1, 2, 7), LAST(3, 2, 7), now = 40, dgram(5), LAST(4, 2, 7);
	ok(jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK && jj_engine_source(e, "a", true, &err) == JJ_OK, "an engine");
	jj_engine_observe(e, seen);
	memset(seen, 0xff, sizeof(seen));
	ok(jj_engine_feed(e, frames, 5, &err) == JJ_OK, "frames");
	ok(seen[0].waits && seen[1].waits && seen[4].waits && seen[0].packet == NULL && seen[0].skip == JJ_SKIP_NONE, "fragments wait");
	ok(!seen[2].waits && seen[2].number == 1 && seen[2].first_frame == 3 && !seen[3].waits && seen[3].number == 3 && seen[3].first_frame == 1
	   && seen[3].packet->t == 3 * JJ_SECOND, "others do not");
	s = jj_engine_settled(e);
	ok(s != NULL && s->frame.index == 1 && s->frame.ts == T0 && s->frame.data == NULL && strcmp(s->capture, "a") == 0 && s->seen.first_frame == 1
	   && s->seen.number == 1 && s->seen.packet->t == 0 && s->seen.packet->sport == 5 && s->seen.packet->frag_offset == 128, "then the first that waited has its flow");
	s = jj_engine_settled(e);
	ok(s != NULL && s->frame.index == 2 && s->seen.number == 2 && s->seen.packet->t == JJ_SECOND && strcmp(s->seen.capture, "a") == 0, "and the next");
	ok(jj_engine_settled(e) == NULL && jj_engine_settled(e) == NULL, "there are no more");
	ok(jj_engine_feed(e, frames + 5, 2, &err) == JJ_OK && (s = jj_engine_settled(e)) != NULL && s->frame.index == 5 && s->seen.first_frame == 5
	   && s->seen.packet->sport == -1 && jj_engine_settled(e) == NULL, "one whose first never came");
	out_used = 0;
	out[0] = '\0';
	ok(jj_engine_source(e, "b", true, &err) == JJ_OK, "another source");
	tell(e);
	frames[6].index = 1;
	ok(jj_engine_feed(e, frames + 6, 1, &err) == JJ_OK && jj_engine_finish(e, &err) == JJ_OK, "and the end");
	tell(e);
	is_text(out, " 7:a 1:b", "end the wait");
	o.sampling_rate = 1e-9;
	jj_engine_close(e);
	ok(jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK, "an engine that takes no flow");
	jj_engine_observe(e, seen);
	ok(jj_engine_feed(e, frames, 5, &err) == JJ_OK && (s = jj_engine_settled(e)) != NULL && s->seen.skip == JJ_SKIP_SAMPLED && s->seen.packet != NULL, "says so");
	jj_engine_close(e);
}

int
main(void)
{
	store_of_fragments();
	bounds();
	which_wait();
	joining();
	tcp_joining();
	nothing_else_changes();
	eviction();
	floods();
	no_memory();
	sources();
	observation();
	return done_testing();
}
