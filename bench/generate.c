/*
 * A large capture that looks like an uplink's: classic pcap, Ethernet,
 * microseconds. The same arguments give the same bytes on every machine: one
 * seeded generator, integers only.
 *
 *     generate --out FILE [--packets N] [--flows N] [--seed N] [--snaplen N]
 *
 * A slot holds one flow after the other. A slot stays idle as long as a flow
 * table would still hold the flow (60 s, or 5 s behind a close), so --flows is
 * about the number of flows a table has open at once.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define SEC INT64_C(1000000000)
#define START (INT64_C(1700000000) * SEC)
#define IDLE_HOLD (60 * SEC)
#define CLOSE_HOLD (5 * SEC)
#define POOL_SIZE 65536
#define MAX_FRAME 1600
#define MAX_BUDGET 20000
#define BULK 200				/* flows of more packets move data, others talk */

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

enum kind
{
	TCP, SCAN, DNS, QUIC, MEDIA, PING
};

enum state
{
	OPEN, OPEN_ANSWER, OPEN_ACK, TALK, CLOSE, CLOSE_ANSWER, CLOSE_ACK, DONE
};

struct flow
{
	int64_t		rtt;			/* ns */
	uint32_t	client;			/* addresses are made of these */
	uint32_t	server;
	uint32_t	seq[2];			/* next sequence number of client, server */
	uint32_t	stamp[2];		/* last TCP timestamp of client, server */
	uint32_t	stamp_base;
	uint32_t	left;			/* packets to go in state TALK */
	uint16_t	port[2];
	uint16_t	ip_id[2];
	uint16_t	mss;
	uint16_t	burst;			/* segments to go in this burst */
	uint16_t	last_len;		/* payload of the last data segment */
	uint8_t		unacked;		/* segments since the last pure ACK */
	uint8_t		kind;
	uint8_t		state;
	uint8_t		dir;			/* of the burst: 0 client, 1 server */
	uint8_t		tries;
	bool		v6;
	bool		stamps;
	bool		bulk;
	bool		first;			/* next segment begins a message */
};

struct event
{
	int64_t		when;
	uint32_t	slot;
};

static uint64_t rng;
static uint8_t pool[POOL_SIZE + MAX_FRAME];
static uint8_t frame[MAX_FRAME];
static uint32_t snaplen = 262144;
static uint64_t written_bytes;
static uint64_t written_packets;
static uint64_t started_flows;
static FILE *out;

/* xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled") */
static uint32_t
roll(void)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (uint32_t) ((rng * UINT64_C(2685821657736338717)) >> 32);
}

/* Uniform in [low, high]. */
static int64_t
between(int64_t low, int64_t high)
{
	return low + (int64_t) (((uint64_t) roll() << 16 ^ roll()) % (uint64_t) (high - low + 1));
}

static bool
chance(uint32_t percent)
{
	return roll() % 100 < percent;
}

/* Pareto with exponent 1, so heavy that only the bound makes its mean finite. */
static int64_t
heavy(int64_t low, int64_t high)
{
	uint64_t	u = (uint64_t) (roll() >> 8) + 1;	/* 1 to 2^24 */
	uint64_t	v = ((uint64_t) low << 24) / u;

	return v > (uint64_t) high ? high : (int64_t) v;
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static void
put32le(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t) (v >> 8 * i);
}

static uint32_t
sum16(const uint8_t *p, uint32_t n, uint32_t sum)
{
	uint32_t	i;

	for (i = 0; i + 1 < n; i += 2)
		sum += (uint32_t) p[i] << 8 | p[i + 1];
	if (i < n)
		sum += (uint32_t) p[i] << 8;
	return sum;
}

static uint32_t
fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void
save(const void *bytes, size_t size)
{
	if (fwrite(bytes, 1, size, out) != size)
	{
		perror("generate: could not write");
		exit(1);
	}
	written_bytes += size;
}

static void
save_frame(int64_t now, uint32_t size)
{
	uint8_t		head[16];
	uint32_t	captured = size < snaplen ? size : snaplen;
	int64_t		t = START + now;

	put32le(head, (uint32_t) (t / SEC));
	put32le(head + 4, (uint32_t) (t % SEC / US));
	put32le(head + 8, captured);
	put32le(head + 12, size);
	save(head, sizeof(head));
	save(frame, captured);
	written_packets++;
}

static void
address4(uint8_t *p, uint32_t id, bool server)
{
	put32(p, id);
	p[0] = server ? (uint8_t) (23 + id % 180) : 10;
}

static void
address6(uint8_t *p, uint32_t id, bool server)
{
	memset(p, 0, 16);
	put32(p, 0x20010db8);
	p[4] = server ? 0x80 : 0x10;
	put32(p + 8, id * UINT32_C(2654435761));
	put32(p + 12, id);
}

/*
 * Write one frame of f from end dir: transport header of header bytes already
 * at head, then payload bytes from body, or of the pool without one. The
 * checksum goes to check_at.
 */
static void
send(struct flow *f, int64_t now, int dir, uint8_t proto, const uint8_t *head, uint32_t header, uint32_t check_at,
	 const uint8_t *body, uint32_t payload)
{
	uint8_t    *ip = frame + 14;
	uint8_t    *l4 = ip + (f->v6 ? 40 : 20);
	uint32_t	length = header + payload;
	uint32_t	size = (uint32_t) (l4 - frame) + length;
	uint32_t	sum = length + proto;
	uint32_t	end[2] = {f->client, f->server};

	memcpy(frame, "\x02\x00\x5e\x00\x00\x01\x02\x00\x5e\x00\x00\x02", 12);
	frame[dir ? 11 : 5] = (uint8_t) f->client;
	put16(frame + 12, f->v6 ? 0x86dd : 0x0800);
	if (f->v6)
	{
		put32(ip, 0x60000000 | (f->client & 0xfffff));
		put16(ip + 4, length);
		ip[6] = proto;
		ip[7] = dir ? 57 : 64;
		address6(ip + 8, end[dir], dir);
		address6(ip + 24, end[!dir], !dir);
		sum = sum16(ip + 8, 32, sum);
	}
	else
	{
		memset(ip, 0, 20);
		ip[0] = 0x45;
		put16(ip + 2, 20 + length);
		put16(ip + 4, f->ip_id[dir]++);
		ip[6] = 0x40;
		ip[8] = dir ? 53 : 64;
		ip[9] = proto;
		address4(ip + 12, end[dir], dir);
		address4(ip + 16, end[!dir], !dir);
		put16(ip + 10, fold(sum16(ip, 20, 0)));
		sum = proto == 1 ? 0 : sum16(ip + 12, 8, sum);
	}
	memcpy(l4, head, header);
	memcpy(l4 + header, body != NULL ? body : pool + (roll() & (POOL_SIZE - 1)), payload);
	if (f->first && payload > 5 && f->port[1] == 443 && f->kind == TCP)
	{
		uint32_t	record = f->burst * (uint32_t) f->mss + payload - 5;	/* of TLS application data */

		memcpy(l4 + header, "\x17\x03\x03", 3);
		put16(l4 + header + 3, record < 16384 ? record : 16384);
	}
	put16(l4 + check_at, fold(sum16(l4, length, sum)));

	/* what comes from the wire is padded to the shortest frame */
	if (dir == 1 && size < 60)
	{
		memset(frame + size, 0, 60 - size);
		size = 60;
	}
	save_frame(now, size);
}

static void
send_tcp(struct flow *f, int64_t now, int dir, uint8_t flags, uint32_t payload)
{
	uint8_t		head[60] = {0};
	uint32_t	header = 20;

	put16(head, f->port[dir]);
	put16(head + 2, f->port[!dir]);
	put32(head + 4, f->seq[dir]);
	if (flags & ACK)
		put32(head + 8, f->seq[!dir]);
	head[13] = flags;
	put16(head + 14, flags & RST ? 0 : flags & SYN ? 64240 : 501 + (f->client & 127));
	if (flags & SYN)
	{
		put32(head + 20, 0x02040000 | f->mss);
		header += 4;
		if (f->stamps)
		{
			put16(head + 24, 0x0402);
			header += 2;
		}
		else
		{
			put32(head + 24, 0x01010402);
			header += 4;
		}
	}
	if (f->stamps && !(flags & RST))
	{
		uint32_t	at = header;

		f->stamp[dir] = f->stamp_base + (uint32_t) (now / MS) + (dir ? 77777 : 0);
		if (!(flags & SYN))
		{
			put16(head + at, 0x0101);
			at += 2;
		}
		put16(head + at, 0x080a);
		put32(head + at + 2, f->stamp[dir]);
		put32(head + at + 6, f->stamp[!dir]);
		header = at + 10;
	}
	if (flags & SYN)
	{
		put32(head + header, 0x01030307);
		header += 4;
	}
	head[12] = (uint8_t) (header << 2);
	send(f, now, dir, 6, head, header, 16, NULL, payload);
	f->seq[dir] += payload + ((flags & (SYN | FIN)) != 0);
}

static void
send_udp(struct flow *f, int64_t now, int dir, const uint8_t *body, uint32_t payload)
{
	uint8_t		head[8];

	put16(head, f->port[dir]);
	put16(head + 2, f->port[!dir]);
	put16(head + 4, 8 + payload);
	put16(head + 6, 0);
	send(f, now, dir, 17, head, 8, 6, body, payload);
}

/* The query for one A record (dir 0), or its answer with up to 16 of them; the names are as long as hosts are. */
static void
send_dns(struct flow *f, int64_t now, int dir)
{
	uint8_t		body[512] = {0};
	uint32_t	label = 3 + f->server % 5 + f->client % 17;
	uint32_t	answers = dir ? (uint32_t) heavy(1, 16) : 0;
	uint8_t    *p = body + 12;

	put16(body, f->seq[0]);
	put16(body + 2, dir ? 0x8180 : 0x0100);
	put16(body + 4, 1);
	put16(body + 6, answers);
	*p++ = (uint8_t) label;
	for (uint32_t i = 0; i < label; i++)
		*p++ = (uint8_t) ('a' + (f->client >> i % 8) % 26);
	memcpy(p, "\7example\3com\0\0\1\0\1", 17);
	p += 17;
	for (uint32_t i = 0; i < answers; i++, p += 16)
	{
		memcpy(p, "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4", 12);
		address4(p + 12, f->client + i, true);
	}
	send_udp(f, now, dir, body, (uint32_t) (p - body));
}

static void
send_ping(struct flow *f, int64_t now, int dir)
{
	uint8_t		head[8] = {0};

	if (f->v6)
		head[0] = dir ? 129 : 128;
	else
		head[0] = dir ? 0 : 8;
	put16(head + 4, f->port[0]);
	put16(head + 6, f->seq[0] & 0xffff);
	send(f, now, dir, f->v6 ? 58 : 1, head, 8, 2, NULL, 56);
}

/* A new flow in the slot; running flows began before the capture. */
static void
start(struct flow *f, bool running)
{
	static const uint16_t ports[] = {443, 443, 443, 443, 443, 80, 80, 22, 25, 993, 5432, 8080};
	uint32_t	r = roll() % 100;

	memset(f, 0, sizeof(*f));
	f->kind = r < 52 ? TCP : r < 58 ? SCAN : r < 80 ? DNS : r < 90 ? QUIC : r < 95 ? MEDIA : PING;
	f->client = roll() & 0x3fff;
	f->server = f->kind == DNS ? roll() & 7 : (uint32_t) heavy(1, 0xffffff);
	f->port[0] = (uint16_t) between(32768, 60999);
	f->port[1] = ports[roll() % (sizeof(ports) / sizeof(ports[0]))];
	if (f->kind == DNS)
		f->port[1] = 53;
	if (f->kind == QUIC)
		f->port[1] = 443;
	if (f->kind == MEDIA)
		f->port[1] = (uint16_t) between(10000, 20000);
	if (f->kind == SCAN)
		f->port[1] = (uint16_t) between(1, 10000);
	f->v6 = chance(18);
	f->stamps = chance(70);
	f->mss = chance(25) ? 536 : f->v6 ? 1440 : 1460;
	f->rtt = heavy(4 * MS, 400 * MS);
	f->seq[0] = roll();
	f->seq[1] = roll();
	f->stamp_base = roll();
	f->ip_id[0] = (uint16_t) roll();
	f->ip_id[1] = (uint16_t) roll();
	f->left = 2 + (uint32_t) heavy(2, MAX_BUDGET);
	if (f->kind == DNS)
		f->left = chance(92) ? 2 : 4;
	f->bulk = f->left > BULK;
	f->dir = 1;					/* so that the client begins */
	f->state = f->kind == TCP && !running ? OPEN : TALK;
	started_flows++;
}

static uint32_t
pause_between(const struct flow *f)
{
	return (uint32_t) ((f->bulk ? heavy(20 * MS, 20 * SEC) : heavy(SEC, 55 * SEC)) / US);
}

/* One segment or ACK of the exchange; the gap to the next packet in *gap. */
static void
talk_tcp(struct flow *f, int64_t now, int64_t *gap)
{
	if (f->unacked >= 2 || (f->burst == 0 && f->unacked > 0))
	{
		send_tcp(f, now, !f->dir, ACK, 0);
		f->unacked = 0;
		*gap = f->burst > 0 ? heavy(15 * US, f->rtt) : chance(40) ? heavy(30 * US, f->rtt) : pause_between(f) * US;
		return;
	}
	if (f->burst == 0)
	{
		f->dir = !f->dir;
		f->first = true;
		f->burst = (uint16_t) (f->dir == 1 && chance(f->bulk ? 70 : 35) ? heavy(2, 60) : 1);
	}
	if (f->last_len > 0 && !f->first && roll() % 1000 < 8)
	{
		f->seq[f->dir] -= f->last_len;	/* lost: again */
		send_tcp(f, now, f->dir, ACK | PSH, f->last_len);
		*gap = f->rtt;
		return;
	}
	f->last_len = (uint16_t) (f->mss - (f->stamps ? 12 : 0));
	if (--f->burst == 0)
		f->last_len = (uint16_t) (chance(60) ? between(1, 120) : between(1, f->last_len));
	send_tcp(f, now, f->dir, f->burst == 0 ? ACK | PSH : ACK, f->last_len);
	f->first = false;
	f->unacked++;
	*gap = f->burst > 0 ? heavy(12 * US, 2 * MS) : heavy(f->rtt / 4 + 1, f->rtt);
}

/* One packet of f; false when the flow has ended, with *gap the time its slot rests. */
static bool
step(struct flow *f, int64_t now, int64_t *gap)
{
	switch ((enum state) f->state)
	{
		case OPEN:
			send_tcp(f, now, 0, SYN, 0);
			f->state = OPEN_ANSWER;
			*gap = f->rtt;
			return true;
		case OPEN_ANSWER:
			send_tcp(f, now, 1, SYN | ACK, 0);
			f->state = OPEN_ACK;
			*gap = between(20 * US, 300 * US);
			return true;
		case OPEN_ACK:
			send_tcp(f, now, 0, ACK, 0);
			f->state = TALK;
			*gap = heavy(50 * US, 200 * MS);
			return true;
		case CLOSE:
			f->dir = chance(60);
			send_tcp(f, now, f->dir, FIN | ACK, 0);
			f->state = CLOSE_ANSWER;
			*gap = f->rtt;
			return true;
		case CLOSE_ANSWER:
			send_tcp(f, now, !f->dir, FIN | ACK, 0);
			f->state = CLOSE_ACK;
			*gap = between(20 * US, 300 * US);
			return true;
		case CLOSE_ACK:
			send_tcp(f, now, f->dir, ACK, 0);
			*gap = CLOSE_HOLD;
			return false;
		case TALK:
		case DONE:
			break;
	}

	*gap = IDLE_HOLD;
	switch ((enum kind) f->kind)
	{
		case TCP:
			talk_tcp(f, now, gap);
			break;
		case SCAN:
			if (f->tries > 0 && chance(50))
			{
				send_tcp(f, now, 1, RST | ACK, 0);
				*gap = CLOSE_HOLD;
				return false;
			}
			f->seq[0] -= f->tries > 0;	/* the same SYN again */
			send_tcp(f, now, 0, SYN, 0);
			*gap = f->tries < 3 ? SEC << f->tries : IDLE_HOLD;
			return f->tries++ < 3;
		case DNS:
			f->dir = !f->dir;
			send_dns(f, now, f->dir);
			*gap = f->dir ? pause_between(f) * US : f->rtt;
			break;
		case QUIC:
			if (f->burst == 0)
			{
				f->dir = !f->dir;
				f->burst = (uint16_t) heavy(1, f->dir ? 40 : 3);
			}
			f->burst--;
			send_udp(f, now, f->dir, NULL, f->dir || chance(15) ? (chance(70) ? 1250 : (uint32_t) between(30, 1200)) : (uint32_t) between(25, 60));
			*gap = f->burst > 0 ? heavy(15 * US, 3 * MS) : chance(60) ? f->rtt : pause_between(f) * US;
			break;
		case MEDIA:
			f->dir = chance(50);
			send_udp(f, now, f->dir, NULL, (uint32_t) between(40, 180));
			*gap = heavy(20 * MS, 2 * SEC);
			break;
		case PING:
			f->dir = !f->dir;
			f->seq[0] += f->dir == 0;
			send_ping(f, now, f->dir);
			*gap = f->dir ? SEC : f->rtt;
			break;
	}
	if (f->left-- > 1)
		return true;
	if (f->kind != TCP)
	{
		*gap = IDLE_HOLD;
		return false;
	}
	if (chance(80))
	{
		f->state = CLOSE;
		return true;
	}
	if (chance(50))
	{
		send_tcp(f, now, chance(70), RST | ACK, 0);
		*gap = CLOSE_HOLD;
		return false;
	}
	*gap = IDLE_HOLD;			/* gone without a word */
	return false;
}

/* Put heap[0] where it belongs; ties by slot, so that the order is one. */
static void
sift(struct event *heap, uint32_t n)
{
	struct event e = heap[0];
	uint32_t	i = 0;

	for (;;)
	{
		uint32_t	c = 2 * i + 1;

		if (c >= n)
			break;
		if (c + 1 < n && (heap[c + 1].when < heap[c].when || (heap[c + 1].when == heap[c].when && heap[c + 1].slot < heap[c].slot)))
			c++;
		if (e.when < heap[c].when || (e.when == heap[c].when && e.slot < heap[c].slot))
			break;
		heap[i] = heap[c];
		i = c;
	}
	heap[i] = e;
}

static int
compare_events(const void *a, const void *b)
{
	const struct event *x = a;
	const struct event *y = b;

	if (x->when != y->when)
		return x->when < y->when ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static uint64_t
number(const char *name, const char *text, uint64_t low, uint64_t high)
{
	char	   *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < low || v > high)
	{
		fprintf(stderr, "generate: %s must be a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"\n", name, low, high, text);
		exit(2);
	}
	return v;
}

int
main(int argc, char **argv)
{
	uint64_t	packets = 2000000;
	uint32_t	flows = 60000;
	uint64_t	seed = 1;
	const char *path = NULL;
	struct flow *flow;
	struct event *heap;
	uint8_t		head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0};
	int64_t		now = 0;

	for (int i = 1; i < argc; i += 2)
	{
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--packets") == 0)
			packets = number("--packets", value, 1, UINT64_C(10000000000));
		else if (strcmp(argv[i], "--flows") == 0)
			flows = (uint32_t) number("--flows", value, 1, 50000000);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = number("--seed", value, 1, UINT64_MAX);
		else if (strcmp(argv[i], "--snaplen") == 0)
			snaplen = (uint32_t) number("--snaplen", value, 64, 262144);
		else if (strcmp(argv[i], "--out") == 0 && *value != '\0')
			path = value;
		else
		{
			fprintf(stderr, "usage: generate --out FILE [--packets N] [--flows N] [--seed N] [--snaplen N]\n");
			return 2;
		}
	}
	if (path == NULL)
	{
		fprintf(stderr, "generate: --out FILE is missing\n");
		return 2;
	}
	rng = seed;
	flow = calloc(flows, sizeof(*flow));
	heap = calloc(flows, sizeof(*heap));
	out = fopen(path, "wb");
	if (flow == NULL || heap == NULL || out == NULL)
	{
		perror("generate: could not start");
		return 1;
	}
	setvbuf(out, NULL, _IOFBF, 1 << 20);
	for (size_t i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t) roll();
	put32le(head + 16, snaplen);
	put32le(head + 20, 1);
	save(head, sizeof(head));

	for (uint32_t i = 0; i < flows; i++)
	{
		start(&flow[i], chance(30));
		heap[i].when = between(0, 10 * SEC);
		heap[i].slot = i;
	}
	qsort(heap, flows, sizeof(*heap), compare_events);

	while (written_packets < packets)
	{
		struct flow *f = &flow[heap[0].slot];
		int64_t		gap;

		now = heap[0].when;
		if (f->state == DONE)
		{
			start(f, false);
			gap = 0;
		}
		else if (!step(f, now, &gap))
			f->state = DONE;
		heap[0].when += gap < US ? US : gap;
		sift(heap, flows);
	}
	if (fclose(out) != 0)
	{
		perror("generate: could not write");
		return 1;
	}
	printf("%s: %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu64 " flows started, %.1f s, %" PRIu64 " bytes a record on average\n",
		   path, written_packets, written_bytes, started_flows, (double) now / 1e9, (written_bytes - 24) / written_packets);
	free(flow);
	free(heap);
	return 0;
}
