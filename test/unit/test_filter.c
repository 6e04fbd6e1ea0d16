/*
 * BPF filters on frames of several link types.
 */
#include "capture/filter.h"
#include "capture_bytes.h"
#include "tap.h"

/* IPv4 with a TCP header, 192.0.2.1 port 1000 to 198.51.100.2 port 80. */
static const uint8_t ip_packet[40] =
{
	0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2,
	0x03, 0xe8, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0
};

typedef struct wrapped
{
	uint32_t	link;
	uint8_t		head[20];
	uint8_t		size;
} wrapped;

static const wrapped links[] =
{
	{1, {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, 14},
	{101, {0}, 0},
	{12, {0}, 0},
	{14, {0}, 0},
	{228, {0}, 0},
	{0, {2, 0, 0, 0}, 4},
	{108, {0, 0, 0, 2}, 4},
	{113, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, 16},
	{276, {8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, 20},
	{9, {0xff, 3, 0, 0x21}, 4},
	{50, {0xff, 3, 0, 0x21}, 4},
	{104, {0x0f, 0, 8, 0}, 4}
};

static uint8_t data[64];

static jj_frame
frame_of(const wrapped *w)
{
	jj_frame	f = {0};

	memcpy(data, w->head, w->size);
	memcpy(data + w->size, ip_packet, sizeof(ip_packet));
	f.data = data;
	f.caplen = f.wirelen = w->size + (uint32_t) sizeof(ip_packet);
	f.link = w->link;
	return f;
}

/* 1 passes, 0 doesn't, -1 fails. */
static int
try(jj_filter *f, const jj_frame *frame, jj_error *err)
{
	bool		pass;

	return jj_filter_frame(f, frame, &pass, err) == JJ_OK ? pass : -1;
}

int
main(void)
{
	counting	memory = {0};
	jj_allocator a = counting_allocator(&memory);
	jj_filter  *f;
	jj_error	err = {0};
	jj_frame	frame;
	char		long_expression[400];

	/* the same question to every link type, back and forth */
	ok(jj_filter_open(&f, "tcp dst port 80 and host 192.0.2.1", &a, &err) == JJ_OK, "an expression");
	for (int round = 0; round < 2; round++)
	{
		for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		{
			frame = frame_of(&links[i]);
			ok(try(f, &frame, &err) == 1, "link type %" PRIu32 ": passes", frame.link);
			data[links[i].size + 23] = 81;
			ok(try(f, &frame, &err) == 0, "link type %" PRIu32 ": another port doesn't", frame.link);
		}
	}

	frame = frame_of(&links[0]);
	frame.link = 147;			/* for private use */
	memset(&err, 0, sizeof(err));
	ok(try(f, &frame, &err) == -1 && err.code == JJ_ERR_FILTER, "a link type libpcap can't look into");
	ok(strstr(err.message, "147") != NULL && err.hint[0] != '\0', "is named: %s", err.message);
	frame = frame_of(&links[0]);
	ok(try(f, &frame, &err) == 1, "and does not spoil the others");
	jj_filter_close(f);
	is_int((int64_t) memory.live_blocks, 0, "all memory returned");

	/* more link types than are kept */
	ok(jj_filter_open(&f, "len > 50", &a, &err) == JJ_OK, "an expression for any link type");
	for (uint32_t link = 0; link < 60; link++)
	{
		const uint32_t known[] = {0, 1, 9, 12, 50, 51, 101, 104, 105, 108, 113, 117, 119, 127, 147, 148, 149, 150, 228, 229, 276};

		frame = frame_of(&links[0]);
		frame.link = known[link % (sizeof(known) / sizeof(known[0]))];
		if (try(f, &frame, &err) != 1)
			ok(false, "link type %" PRIu32 ": %s", frame.link, err.message);
	}
	frame = frame_of(&links[1]);
	ok(try(f, &frame, &err) == 0, "length 40");
	frame.wirelen = 60;
	ok(try(f, &frame, &err) == 1, "the length on the wire counts");
	jj_filter_close(f);

	/* bytes that are not captured match nothing */
	ok(jj_filter_open(&f, "tcp", &a, &err) == JJ_OK, "a protocol");
	for (uint32_t caplen = 0; caplen <= 54; caplen++)
	{
		uint8_t    *exact = malloc(caplen);
		int			want = caplen > 23;

		frame = frame_of(&links[0]);
		if (caplen > 0)
			memcpy(exact, frame.data, caplen);
		frame.data = exact;
		frame.caplen = caplen;
		if (try(f, &frame, &err) != want)
			ok(false, "%" PRIu32 " bytes captured", caplen);
		free(exact);
	}
	ok(true, "any captured length");
	jj_filter_close(f);

	ok(jj_filter_open(&f, "", &a, &err) == JJ_OK, "an empty expression");
	frame = frame_of(&links[0]);
	ok(try(f, &frame, &err) == 1, "passes everything");
	jj_filter_close(f);

	ok(jj_filter_open(&f, "ether host 02:00:00:00:00:01", &a, &err) == JJ_OK, "an expression for Ethernet");
	frame = frame_of(&links[0]);
	ok(try(f, &frame, &err) == 1, "passes there");
	frame = frame_of(&links[1]);
	memset(&err, 0, sizeof(err));
	ok(try(f, &frame, &err) == -1 && err.code == JJ_ERR_FILTER, "and fails on raw IP");
	ok(strstr(err.message, "101") != NULL && strstr(err.message, "RAW") != NULL, "which is named: %s", err.message);
	ok(try(f, &frame, NULL) == -1, "and again");
	jj_filter_close(f);

	ok(jj_filter_open(&f, "type mgt", &a, &err) == JJ_OK, "an expression for 802.11 alone");
	frame = frame_of(&links[0]);
	frame.link = 105;
	data[0] = 0x80;
	ok(try(f, &frame, &err) == 1, "passes where it can");
	data[0] = 0x08;
	ok(try(f, &frame, &err) == 0, "or doesn't");
	frame.link = 1;
	ok(try(f, &frame, &err) == -1 && err.code == JJ_ERR_FILTER, "and fails on Ethernet");
	jj_filter_close(f);

	ok(jj_filter_open(&f, "tcp port and and", &a, &err) == JJ_ERR_FILTER && f == NULL, "no expression at all");
	ok(strstr(err.message, "tcp port and and") != NULL && strstr(err.message, "syntax error") != NULL, "libpcap says why: %s", err.message);
	memset(long_expression, 0, sizeof(long_expression));
	for (size_t i = 0; i + 2 < sizeof(long_expression); i += 2)
		memcpy(long_expression + i, "\xc3\xa9", 2);
	ok(jj_filter_open(&f, long_expression, &a, &err) == JJ_ERR_FILTER && f == NULL, "a long one");
	ok(strstr(err.message, "\xc3\xa9...\"") != NULL, "is shortened between characters: %s", err.message);

	is_int((int64_t) memory.live_blocks, 0, "all memory returned");
	for (uint64_t k = 1; k <= 2; k++)
	{
		memory.calls = 0;
		memory.fail_at = k;
		ok(jj_filter_open(&f, "tcp", &a, &err) == JJ_ERR_NOMEM && f == NULL && memory.live_blocks == 0, "no memory");
	}
	jj_filter_close(NULL);
	return done_testing();
}
