/*
 * Parts of the flow table by themselves: heap, keys, fragments, times.
 */
#include "features/stats.h"
#include "flow/flow.h"
#include "flow/fragment.h"
#include "flow/heap.h"
#include "flow/key.h"
#include "tap.h"

#include <stdlib.h>

static void
test_heap(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_heap		h = {0};
	uint32_t	x = 12345;
	jj_heap_item last = {INT64_MIN, 0, 0};
	bool		sorted = true;
	bool		room = true;

	for (uint32_t i = 0; i < 5000; i++)
	{
		jj_heap_item item;

		x = x * 1664525 + 1013904223;
		item.when = x >> 24;
		item.number = i;
		item.flow = i;
		room = room && jj_heap_reserve(&h, &a);
		jj_heap_push(&h, item);
	}
	ok(room && h.used == 5000, "five thousand items");
	while (h.used > 0)
	{
		jj_heap_item item = jj_heap_pop(&h);

		sorted = sorted && (item.when > last.when || (item.when == last.when && item.number > last.number));
		last = item;
	}
	ok(sorted, "they come out by time, ties by number");
	jj_heap_free(&h, &a);
}

/* Sorting gives the order in which items are taken off, whatever the numbers are; times of flows that end with the capture are all the same. */
static void
test_heap_sort(void)
{
	static const uint64_t masks[] = {0, 0xff, 0xff00, UINT64_MAX};
	jj_allocator a = jj_malloc_allocator();
	uint64_t	x = 12345;
	bool		same = true;

	for (unsigned n = 0; n < 600; n += 1 + n / 3)
		for (unsigned m = 0; m < 16; m++)
		{
			jj_heap		sorted = {0};
			jj_heap		popped = {0};

			for (uint32_t i = 0; i < n; i++)
			{
				jj_heap_item item = {.flow = i};

				x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
				item.when = m / 4 == 0 ? INT64_MAX : (int64_t) ((x ^ x >> 29) & masks[m / 4]);
				item.number = (x * 31 & masks[m % 4] & ~(uint64_t) 0xfff) | i;	/* no two are the same */
				same = same && jj_heap_reserve(&sorted, &a) && jj_heap_reserve(&popped, &a);
				jj_heap_push(&sorted, item);
				jj_heap_push(&popped, item);
			}
			same = same && jj_heap_sort(&sorted, &a) && sorted.used == n;
			for (uint32_t i = 0; i < n; i++)
				same = same && jj_heap_pop(&popped).flow == sorted.item[i].flow;
			jj_heap_free(&sorted, &a);
			jj_heap_free(&popped, &a);
		}
	ok(same, "sorted items are in the order in which they are taken off");
}

static jj_packet *
packet(uint8_t src, uint8_t dst, uint8_t proto, int sport, int dport)
{
	jj_packet  *p = calloc(1, sizeof(*p));

	p->ip_version = 4;
	p->src[10] = p->src[11] = p->dst[10] = p->dst[11] = 0xff;
	p->src[15] = src;
	p->dst[15] = dst;
	p->proto = proto;
	p->sport = sport;
	p->dport = dport;
	p->icmp_id = p->icmp_seq = -1;
	p->icmp_type = p->icmp_code = -1;
	return p;
}

/* The key of a packet, and whether its source is the lower end. */
static bool
key_of(const jj_packet *p, jj_key *key, bool with_vlans)
{
	jj_key_ports ports = jj_packet_ports(p);

	return jj_key_make(key, p, &ports, with_vlans);
}

static void
test_keys(void)
{
	jj_packet  *there = packet(1, 2, JJ_PROTO_TCP, 1000, 80);
	jj_packet  *back = packet(2, 1, JJ_PROTO_TCP, 80, 1000);
	jj_key		a,
				b;

	ok(key_of(there, &a, true) && !key_of(back, &b, true), "the lower address is the lower end");
	ok(memcmp(&a, &b, sizeof(a)) == 0, "both directions have one key");
	is_int(jj_key_hash(&a, 7), jj_key_hash(&b, 7), "and one hash");
	ok(jj_key_hash(&a, 7) != jj_key_hash(&a, 8), "which depends on the seed");
	back->proto = JJ_PROTO_UDP;
	key_of(back, &b, true);
	ok(memcmp(&a, &b, sizeof(a)) != 0, "another protocol is another key");
	back->proto = JJ_PROTO_TCP;
	back->n_vlans = 1;
	back->vlans[0] = 5;
	key_of(back, &b, true);
	ok(a.encapsulation == 0 && b.encapsulation != 0, "a VLAN is in the key");
	key_of(back, &b, false);
	ok(memcmp(&a, &b, sizeof(a)) == 0, "unless it is not wanted there");
	free(there);
	free(back);

	there = packet(9, 9, JJ_PROTO_UDP, 5, 5);
	ok(key_of(there, &a, true), "equal ends: the source is the lower one");
	there->sport = 6;
	ok(!key_of(there, &a, true) && a.lo_port == 6 && a.hi_port == 7, "equal addresses: the lower port is the lower end");
	free(there);
}

static void
test_icmp(void)
{
	jj_packet  *p = packet(2, 1, JJ_PROTO_ICMP, -1, -1);
	jj_key_ports ports;

	p->icmp_type = 8;
	p->icmp_id = 77;
	ports = jj_packet_ports(p);
	ok(ports.src == 78 && ports.dst == 78 && !ports.one_way, "echo: the identifier");
	p->icmp_type = 3;
	p->icmp_code = 1;
	p->icmp_id = -1;
	ports = jj_packet_ports(p);
	ok(ports.src == 4 && ports.dst == 2 && ports.one_way, "unreachable: type and code, one way");
	p->icmp_type = 10;
	ports = jj_packet_ports(p);
	ok(ports.src == 11 && ports.dst == 10 && !ports.one_way, "router solicitation: type and answering type");
	p->icmp_type = 8;
	ports = jj_packet_ports(p);
	ok(ports.src == 0 && ports.dst == 0, "echo cut before its identifier: none");
	is_int(jj_icmp_counterpart(JJ_PROTO_ICMP, 0), 8, "echo reply answers echo");
	is_int(jj_icmp_counterpart(JJ_PROTO_ICMPV6, 135), 136, "neighbour advertisement answers solicitation");
	is_int(jj_icmp_counterpart(JJ_PROTO_ICMP, 11), -1, "time exceeded has no answer");
	free(p);
}

static void
test_encapsulation(void)
{
	static const uint16_t v1[] = {1, 2};
	static const uint16_t v2[] = {1, 3};
	jj_tunnel	gre1 = {JJ_T_GRE, true, true, 1};
	jj_tunnel	gre2 = {JJ_T_GRE, true, true, 2};
	jj_tunnel	gtp1 = {JJ_T_GTPU, true, false, 1};
	jj_tunnel	gtp2 = {JJ_T_GTPU, true, false, 2};

	ok(jj_same_encapsulation(2, v1, 0, NULL, 2, v1, 0, NULL, true), "the same VLANs");
	ok(!jj_same_encapsulation(2, v1, 0, NULL, 2, v2, 0, NULL, true), "another inner VLAN");
	ok(jj_same_encapsulation(2, v1, 0, NULL, 1, v2, 0, NULL, false), "VLANs are not looked at");
	ok(!jj_same_encapsulation(0, NULL, 1, &gre1, 0, NULL, 1, &gre2, true), "another GRE key");
	ok(jj_same_encapsulation(0, NULL, 1, &gtp1, 0, NULL, 1, &gtp2, true), "a TEID belongs to one direction");
	ok(!jj_same_encapsulation(0, NULL, 1, &gtp1, 0, NULL, 0, NULL, true), "in a tunnel and not");
}

static void
test_fragments(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_fragments f = {0};
	jj_packet  *first = packet(1, 2, JJ_PROTO_UDP, 53, 4000);
	jj_packet  *later = packet(1, 2, JJ_PROTO_UDP, -1, -1);
	jj_key_ports ports = jj_packet_ports(first);
	jj_key_ports got = {0};

	first->frag_proto = later->frag_proto = JJ_PROTO_UDP;
	first->ip_id = later->ip_id = 4711;
	first->ts = 1000;
	later->ts = 1000 + JJ_FRAGMENT_LIFE;
	ok(!jj_fragment_attach(&f, later, &got), "nothing is known at first");
	ok(jj_fragment_remember(&f, first, &ports, &a), "a first fragment");
	ok(jj_fragment_attach(&f, later, &got) && later->sport == 53 && later->dport == 4000 && got.src == ports.src, "gives its ports, 30 s later");
	later->ts++;
	ok(!jj_fragment_attach(&f, later, &got), "but not after that");
	later->ts = 1000;
	later->ip_id = 4712;
	ok(!jj_fragment_attach(&f, later, &got), "another datagram");
	for (uint32_t i = 0; i < 3 * JJ_FRAGMENT_ROOM; i++)
	{
		first->ip_id = 100000 + i;
		if (!jj_fragment_remember(&f, first, &ports, &a))
			break;
	}
	later->ip_id = 4711;
	ok(!jj_fragment_attach(&f, later, &got), "a flood of first fragments makes the oldest forgotten");
	later->ip_id = 100000 + 3 * JJ_FRAGMENT_ROOM - 1;
	ok(jj_fragment_attach(&f, later, &got), "and the latest is known");
	later->ip_id = 100000 + 2 * JJ_FRAGMENT_ROOM;
	ok(jj_fragment_attach(&f, later, &got), "as is the last one within bounds");
	later->ip_id--;
	ok(!jj_fragment_attach(&f, later, &got), "but not the one before");
	jj_fragments_free(&f, &a);
	free(first);
	free(later);
}

static void
test_times(void)
{
	is_int(jj_time_diff(5, 3), 2, "difference");
	is_int(jj_time_diff(3, 5), -2, "negative difference");
	is_int(jj_time_diff(INT64_MAX, INT64_MIN), JJ_STAT_MAX, "saturates above");
	is_int(jj_time_diff(INT64_MIN, INT64_MAX), -JJ_STAT_MAX, "saturates below");
	is_int(jj_time_add(INT64_MAX - 1, 5), INT64_MAX, "sum saturates");
	is_text(jj_end_reason_name(JJ_END_TCP_CLOSE), "tcp_close", "name of an end reason");
	is_int(jj_end_reason_ipfix(JJ_END_EVICTED), 5, "lack of resources");
	is_int(jj_end_reason_ipfix(JJ_END_REPLACED), 3, "end of flow detected");
}

int
main(void)
{
	test_heap();
	test_heap_sort();
	test_keys();
	test_icmp();
	test_encapsulation();
	test_fragments();
	test_times();
	return done_testing();
}
