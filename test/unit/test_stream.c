/*
 * Reassembly of TCP streams: segments made by hand, and many at random against
 * a model that follows the rules byte by byte.
 */
#include "failing.h"
#include "stream_model.h"
#include "tap.h"

#include "extractors/app.h"

#define PSH JJ_TCP_PSH
#define SYN JJ_TCP_SYN
#define RST JJ_TCP_RST

static jj_stream s;
static jj_hold hold;
static char got[65536];			/* what was passed on: its bytes, and '|' behind each piece */
static size_t got_used;
static uint64_t carriers;		/* decimal digits: the carrier of each piece */
static uint32_t limit;
static uint64_t serial;
static jj_want answer;

static jj_want
collect(void *context, const jj_chunk *c)
{
	(void) context;
	memcpy(got + got_used, c->bytes, c->n);
	got_used += c->n;
	got[got_used++] = '|';
	got[got_used] = '\0';
	carriers = carriers * 10 + c->carrier;
	return answer;
}

static void
fresh(void)
{
	jj_allocator a = jj_malloc_allocator();

	jj_stream_drop(&s, &hold, &a);
	memset(&s, 0, sizeof(s));
	memset(&hold, 0, sizeof(hold));
	hold.limit = JJ_STREAM_TOTAL;
	got_used = 0;
	got[0] = '\0';
	carriers = 0;
	limit = 16384;
	serial = 0;
	answer = JJ_WANT_MORE;
}

/* A segment of which cut bytes are not captured, from memory of exactly that size. */
static jj_want
segment_cut(unsigned flags, uint32_t seq, const void *bytes, uint32_t n, uint32_t cut)
{
	jj_allocator a = jj_malloc_allocator();
	uint8_t    *exact = malloc(n - cut + 1);
	jj_packet	p = {.has_tcp = true, .proto = 6, .tcp_flags = (uint16_t) flags, .seq = seq};
	jj_want		want;

	if (exact == NULL)
		exit(2);
	memcpy(exact + 1, bytes, n - cut);
	p.payload = exact + 1;
	p.payload_len = n;
	p.payload_caplen = n - cut;
	p.index = ++serial;
	want = jj_stream_add(&s, &p, limit, &hold, &a, collect, NULL);
	free(exact);
	return want;
}

static jj_want
segment(unsigned flags, uint32_t seq, const char *text)
{
	return segment_cut(flags, seq, text, (uint32_t) strlen(text), 0);
}

static void
test_order(void)
{
	fresh();
	segment(SYN, 99, "");
	ok(s.started && s.start_seen && s.start == 100 && s.next == 0, "a SYN gives the start");
	segment(PSH, 100, "hello ");
	segment(PSH, 106, "world");
	is_text(got, "hello |world|", "two segments in order");
	ok(s.n_held == 0 && hold.bytes == 0 && s.next == 11 && !jj_stream_gap(&s), "nothing is held, no gap");
	segment(PSH, 106, "WORLD");
	segment(PSH, 100, "HELLO WORLD!");
	is_text(got, "hello |world|!|", "only the new byte of a retransmission comes through");
	is_int((int64_t) carriers, 235, "with the packet that brought it");

	fresh();
	segment(PSH, 500, "no SYN");
	ok(!s.start_seen && s.start == 500, "without a SYN the first payload is the start");
	segment(PSH, 498, "--");
	segment(PSH, 496, "----no SYN at all");
	is_text(got, "no SYN| at all|", "what lies before it is left out");

	fresh();
	segment(SYN, 0xfffffffc, "");
	segment(PSH, 0xfffffffd, "abcde");
	segment(PSH, 7, "klm");
	segment(PSH, 2, "fghij");
	is_text(got, "abcde|fghij|klm|", "sequence numbers wrap");
}

static void
test_gaps(void)
{
	fresh();
	segment(PSH, 0, "ab");
	segment(PSH, 6, "gh");
	segment(PSH, 10, "kl");
	ok(jj_stream_gap(&s) && s.n_held == 2 && hold.bytes > 0, "segments behind a gap are held");
	segment(PSH, 4, "EFGHIJ");
	is_text(got, "ab|", "and not passed on");
	ok(s.n_held == 4, "of a segment that overlaps them only the rest");
	segment(PSH, 2, "cd");
	is_text(got, "ab|cd|EF|gh|IJ|kl|", "until the gap is filled; the first copy of a byte wins");
	is_int((int64_t) carriers, 154243, "each piece with its packet");
	ok(!jj_stream_gap(&s) && s.n_held == 0 && hold.bytes == 0, "and then nothing is held");

	fresh();
	segment(PSH, 0, "ab");
	segment(PSH, 4, "ef");
	segment(PSH, 8, "ij");
	segment(PSH, 1, "BCDEFGHIJK");
	is_text(got, "ab|CD|ef|GH|ij|K|", "a segment over the gap and beyond gives what was missing");
	is_int((int64_t) carriers, 142434, "from itself and from those held");

	fresh();
	segment_cut(PSH, 0, "abcdef", 6, 2);
	is_text(got, "abcd|", "captured bytes of a cut segment");
	ok(jj_stream_gap(&s), "the rest of it is a gap");
	segment(PSH, 6, "gh");
	segment_cut(PSH, 0, "xxxxef", 6, 0);
	is_text(got, "abcd|ef|gh|", "that a later copy fills");
	ok(!jj_stream_gap(&s), "no gap any more");
	segment_cut(PSH, 8, "ij", 2, 2);
	ok(jj_stream_gap(&s) && s.next == 8, "a segment without any captured byte is a gap");

	fresh();
	segment(PSH, 1000, "ab");
	segment(PSH, 1002 + (1u << 30), "far away");
	ok(!jj_stream_gap(&s), "payload a gigabyte ahead is of another stream");
}

static void
test_limit(void)
{
	fresh();
	limit = 8;
	segment(PSH, 0, "ab");
	segment(PSH, 6, "ghijklmn");
	segment(PSH, 12, "xy");
	segment(PSH, 2, "cdef");
	is_text(got, "ab|cdef|ghij|", "behind a gap only stream_bytes from the next byte are held");
	ok(jj_stream_gap(&s), "what was dropped is a gap");
	segment(PSH, 10, "klmnopqrstuvwxyz");
	is_text(got, "ab|cdef|ghij|klmnopqrstuvwxyz|", "a segment with the next byte is taken whole");

	fresh();
	limit = 0;
	segment(PSH, 0, "ab");
	segment(PSH, 4, "ef");
	segment(PSH, 2, "cd");
	is_text(got, "ab|cd|", "a limit of 0 holds nothing");

	fresh();
	hold.limit = 192;
	segment(PSH, 0, "ab");
	for (uint32_t i = 0; i < 8; i++)
		segment(PSH, 4 + 2 * i, "x");
	ok(hold.bytes <= 192 && hold.bytes > 0 && hold.refused + s.n_held == 8, "the limit of all streams refuses bytes and counts them");
	segment(PSH, 2, "cd");
	ok(hold.bytes == 0 || s.n_held > 0, "what is passed on makes room");

	fresh();
	limit = 3200;
	segment(PSH, 0, "ab");
	for (uint32_t i = 0; i < 1000; i++)
		segment(PSH, 4 + 2 * i, "x");
	ok(s.n_held < 200, "many tiny segments behind a gap: only so many are held");

	fresh();
	segment(PSH, 0, "ab");
	segment(PSH, 4, "ef");
	answer = JJ_WANT_NONE;
	ok(segment(PSH, 2, "cd") == JJ_WANT_NONE && s.first != NULL, "nothing is passed on behind a piece after which no more is wanted");
	is_text(got, "ab|cd|", "not even what was held");
}

static void
test_special(void)
{
	fresh();
	segment(SYN, 99, "");
	segment(SYN, 199, "");
	segment(SYN, 299, "");
	segment(PSH, 200, "second");
	is_text(got, "second|", "of several SYNs the one that fits the first payload counts");
	ok(s.start == 200, "and gives the start");
	segment(SYN, 399, "");
	segment(PSH, 206, " more");
	is_text(got, "second| more|", "a SYN behind the first byte changes nothing");

	fresh();
	segment(SYN, 99, "");
	segment(SYN, 199, "");
	segment(PSH, 210, "held");
	segment(SYN, 299, "");
	ok(s.n_held == 0 && s.start == 300 && !jj_stream_gap(&s), "another SYN drops what is held");
	segment(PSH, 250, "before all SYNs but none fits");
	segment(PSH, 300, "third");
	is_text(got, "third|", "without one that fits, the last one counts");

	fresh();
	segment(SYN, 99, "fast open");
	segment(PSH, 109, " and on");
	is_text(got, "fast open| and on|", "data on a SYN");

	fresh();
	segment(SYN, 99, "");
	segment_cut(JJ_TCP_ACK, 100, "\0\0\0\0\0\0", 6, 0);
	segment_cut(JJ_TCP_FIN | JJ_TCP_ACK, 100, "\0", 1, 0);
	ok(s.next == 0 && !jj_stream_gap(&s), "a few zero bytes without PSH are padding");
	segment_cut(PSH, 100, "\0\0\0", 3, 0);
	is_int((int64_t) s.next, 3, "with PSH they are data");
	segment_cut(JJ_TCP_ACK, 103, "\0\0\0\0\0\0\0", 7, 0);
	is_int((int64_t) s.next, 10, "seven are data");
	segment_cut(JJ_TCP_ACK, 110, "\0\0a", 3, 0);
	is_int((int64_t) s.next, 13, "and others than zero");
	segment_cut(JJ_TCP_ACK, 113, "ab", 2, 2);
	ok(!jj_stream_gap(&s), "bytes that might be padding, not captured, are no gap");

	fresh();
	segment(PSH, 0, "ab");
	segment(RST, 2, "reset by some firewall");
	segment(RST | JJ_TCP_ACK, 20, "x");
	is_text(got, "ab|", "RST segments bring nothing");
	ok(!jj_stream_gap(&s), "and are no gap");
}

static uint64_t rng;

static uint32_t
roll(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (rng >> 33) % below;
}

/* Segments at random around the front of a stream, with losses, copies, overlaps, cuts and SYNs. */
static const char *
random_stream(uint64_t seed, const jj_allocator *a, bool *memory)
{
	static model m;
	static uint8_t payload[64];
	jj_stream	t = {.next = 0};
	jj_hold		h = {.limit = JJ_STREAM_TOTAL};
	model_check k = {.m = &m};
	uint32_t	isn = (uint32_t) seed * 2654435761u;
	const char *wrong = NULL;

	rng = seed;
	memset(&m, 0, sizeof(m));
	m.limit = roll(3) == 0 ? 16 : 48;
	*memory = true;
	for (unsigned i = 0; i < 400 && wrong == NULL && *memory; i++)
	{
		jj_packet	p = {.has_tcp = true, .index = i, .dir = seed & 1};
		uint32_t	near = roll(4);

		p.payload_len = roll(8) == 0 ? 0 : roll(24);
		p.payload_caplen = roll(12) == 0 ? roll(p.payload_len + 1) : p.payload_len;
		p.tcp_flags = roll(3) == 0 ? 0 : JJ_TCP_PSH;
		if (roll(i < 5 ? 3 : 60) == 0)
			p.tcp_flags |= JJ_TCP_SYN;
		if (roll(50) == 0)
			p.tcp_flags |= JJ_TCP_RST;
		p.seq = isn + (uint32_t) k.taken + (near == 0 ? 0 : near == 1 ? roll(70) : roll(30) - 12);
		if ((p.tcp_flags & JJ_TCP_SYN) && roll(2) == 0)
			p.seq = isn - 1;
		memset(payload, 0, sizeof(payload));
		if (roll(6) != 0)
			for (uint32_t j = 0; j < p.payload_caplen; j++)
				payload[j] = (uint8_t) roll(256);
		p.payload = payload;
		k.now = &p;
		if (!model_add(&m, &p))
			break;
		*memory = jj_stream_add(&t, &p, m.limit, &h, a, model_sink, &k) != JJ_WANT_MEMORY;
		if (*memory)
			wrong = model_compare(&m, &t, &h, &k);
	}
	jj_stream_drop(&t, &h, a);
	if (wrong == NULL && h.bytes != 0)
		wrong = "bytes that are counted as held";
	return wrong;
}

static void
test_random(void)
{
	jj_allocator a = jj_malloc_allocator();
	unsigned	bad = 0;
	bool		memory;

	for (uint64_t seed = 1; seed <= 3000; seed++)
	{
		const char *wrong = random_stream(seed, &a, &memory);

		if (wrong != NULL && bad++ < 5)
			printf("# seed %" PRIu64 ": %s\n", seed, wrong);
	}
	is_int(bad, 0, "3000 streams at random are what the model says");
}

static void
test_memory(void)
{
	failing		f = {.live = 0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	unsigned	failures = 0;
	bool		memory;

	for (f.fail_at = 1; f.fail_at < 40; f.fail_at++)
	{
		f.calls = 0;
		random_stream(7, &a, &memory);
		failures += !memory;
	}
	ok(failures == 39 && f.live == 0, "without memory it says so, and nothing is lost");
}

static void
test_buffer(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_buffer	b = {.n = 0};
	uint8_t		bytes[1000];
	bool		same = true;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) (i * 7);
	for (unsigned i = 0; i < 40; i++)
		same = same && jj_buffer_add(&b, bytes, i * 25, &a) && b.n <= b.room;
	ok(same && b.n == 25 * 39 * 40 / 2, "a buffer grows as needed");
	for (uint32_t i = 0, at = 0; i < 40; at += i++ * 25)
		same = same && memcmp(b.bytes + at, bytes, i * 25) == 0;
	ok(same, "and keeps what was added");
	jj_buffer_free(&b, &a);
	ok(b.bytes == NULL && b.n == 0 && b.room == 0, "freed, it is empty");
}

int
main(void)
{
	test_order();
	test_gaps();
	test_limit();
	test_special();
	test_random();
	test_memory();
	test_buffer();
	fresh();
	return done_testing();
}
