/*
 * Reader: files that are cut, damaged, compressed, hostile; and no memory.
 */
#include "capture_bytes.h"
#include "tap.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

/* A small capture, and where each of its records or blocks ends and begins to count as a frame. */
typedef struct sample
{
	bytes		b;
	size_t		header;			/* less is no capture */
	size_t		ends[32];
	size_t		frames[32];		/* complete up to that end */
	size_t		n;
} sample;

static void
piece(sample *s, bool frame)
{
	s->ends[s->n] = s->b.size;
	s->frames[s->n] = (s->n > 0 ? s->frames[s->n - 1] : 0) + frame;
	s->n++;
}

static sample
pcap_sample(uint32_t magic, bool big)
{
	sample		s = {.b = {.big = big}, .header = 24};

	pcap_header(&s.b, magic, 1);
	piece(&s, false);
	for (uint32_t i = 0; i < 4; i++)
	{
		pcap_record(&s.b, magic, i, i, i * 11, 100, i);
		piece(&s, true);
	}
	return s;
}

static sample
pcapng_sample(bool big)
{
	sample		s = {.header = 12};
	size_t		start;

	section(&s.b, big);
	piece(&s, false);
	interface(&s.b, 1, 0);
	piece(&s, false);
	enhanced(&s.b, 0, 1, 13, 20, 1);
	piece(&s, true);
	start = block(&s.b, 0x1234);
	put_zeros(&s.b, 24);
	block_end(&s.b, start);
	piece(&s, false);
	simple(&s.b, 5, 5, 2);
	piece(&s, true);
	section(&s.b, !big);
	piece(&s, false);
	interface_clock(&s.b, 1, 9, 1);
	piece(&s, false);
	old_packet(&s.b, 0, 9, 6, 6, 3);
	piece(&s, true);
	return s;
}

/* Cut at every byte. */
static void
test_cuts(sample s, const char *name)
{
	outcome		whole = read_bytes(s.b.p, s.b.size, 64);
	bool		frames = true;
	bool		warnings = true;
	bool		errors = true;
	bool		files = true;

	ok(whole.count == s.frames[s.n - 1] && whole.warnings == 0, "%s: whole", name);
	for (size_t cut = 0; cut < s.b.size; cut++)
	{
		outcome		o = read_bytes(s.b.p, cut, 64);
		outcome		f = read_file(s.b.p, cut, 64);
		size_t		last = 0;	/* end of the last complete piece */
		size_t		count = 0;
		char		place[40];

		for (size_t i = 0; i < s.n && s.ends[i] <= cut; i++)
		{
			last = s.ends[i];
			count = s.frames[i];
		}
		snprintf(place, sizeof(place), " byte %zu", last);
		if (cut < s.header)
			errors &= o.code == JJ_ERR_FORMAT && !o.opened && o.memory.live_blocks == 0;
		else
		{
			frames &= o.code == JJ_OK && o.count == count && is_start_of(&o, &whole) && o.info.packets == count;
			warnings &= o.info.truncated == (cut != last) && o.warnings == (cut != last) && (cut == last || warned_of(&o, place));
		}
		files &= f.code == o.code && same_frames(&f, &o) && f.warnings == o.warnings &&
			(f.warnings == 0 || strcmp(f.warning[0], o.warning[0]) == 0) && f.memory.live_blocks == 0;
		forget(&o);
		forget(&f);
	}
	ok(errors, "%s: cut in the file header, an error", name);
	ok(frames, "%s: cut at any byte, all complete frames", name);
	ok(warnings, "%s: cut inside a record, a warning that names the byte", name);
	ok(files, "%s: cut, a file gives what memory gives", name);
	forget(&whole);
	free(s.b.p);
}

static void
expect_damage(bytes *b, size_t frames, const char *part, const char *name)
{
	for (int from_file = 0; from_file < 2; from_file++)
	{
		outcome		o = from_file ? read_file(b->p, b->size, 64) : read_bytes(b->p, b->size, 64);

		if (!ok(o.code == JJ_OK && o.count == frames && o.info.packets == frames && o.info.truncated && o.warnings == 1 &&
				strstr(o.warning[0], part) != NULL && o.memory.live_blocks == 0 && o.memory.peak_bytes < 600000, "%s", name))
			printf("# %zu frames, %" PRIu32 " warnings: %s\n", o.count, o.warnings, o.warning[0]);
		forget(&o);
	}
	free(b->p);
	memset(b, 0, sizeof(*b));
}

static void
test_bad_lengths(void)
{
	bytes		b = {0};
	size_t		start;

	pcap_header(&b, 0xa1b2c3d4, 1);
	pcap_record(&b, 0xa1b2c3d4, 1, 1, 10, 10, 1);
	put64(&b, 1);
	put32(&b, JJ_MAX_RECORD + 1);
	put32(&b, 1);
	put_zeros(&b, JJ_MAX_RECORD + 100);
	expect_damage(&b, 1, "frame 2 at byte 50 claims a length of 262145 bytes", "a record too long to be true");

	for (uint32_t length = 0; length < 16; length++)
	{
		char		part[80];

		if (length == 12)
			continue;
		section(&b, true);
		interface(&b, 1, 0);
		enhanced(&b, 0, 1, 4, 4, 1);
		put32(&b, 6);
		put32(&b, length);
		put_zeros(&b, 40);
		snprintf(part, sizeof(part), "byte 84 claims a length of %" PRIu32 " bytes, which is impossible", length);
		expect_damage(&b, 1, part, "a block of impossible length");
	}

	section(&b, false);
	interface(&b, 1, 0);
	start = b.size;
	enhanced(&b, 0, 1, 8, 8, 1);
	enhanced(&b, 0, 2, 8, 8, 1);
	b.p[start + 20] = 9;
	expect_damage(&b, 0, "frame 1 at byte 48 claims a length of 9 bytes, its block has room for 8", "a packet longer than its block");

	section(&b, false);
	interface(&b, 1, 0);
	enhanced(&b, 0, 1, 8, 8, 1);
	start = b.size;
	section(&b, false);
	b.p[start + 8] = 0;
	expect_damage(&b, 1, "the section header at byte 88 has no valid byte order mark", "a section without byte order");

	section(&b, false);
	interface(&b, 1, 0);
	put32(&b, 6);
	put32(&b, 16 * 1024 * 1024 + 4);
	put_zeros(&b, 64);
	expect_damage(&b, 0, "byte 48 claims a length of 16777220 bytes, more than", "a packet block too large to be true");

	section(&b, false);
	put32(&b, 0x5555);
	put32(&b, 0xfffffffc);
	put_zeros(&b, 1000);
	expect_damage(&b, 0, "the block at byte 28, after frame 0: 1008 of 4294967292 bytes are there", "an unknown block longer than the file");
}

static void
test_short_blocks(void)
{
	bytes		b = {0};
	outcome		o;
	const uint32_t types[] = {1, 2, 3, 6};

	section(&b, false);
	interface(&b, 1, 0);
	for (size_t i = 0; i < 4; i++)
		block_end(&b, block(&b, types[i]));
	enhanced(&b, 0, 1, 8, 8, 1);
	o = read_bytes(b.p, b.size, 64);
	ok(o.count == 1 && o.frames[0].index == 1 && o.info.iface_count == 1, "blocks too short for what they are hold nothing");
	ok(o.warnings == 1 && warned_of(&o, "the block of type 1 at byte 48 is too short with 12 bytes") && !o.info.truncated, "which gives one warning");
	forget(&o);

	/* the length behind a block is not needed, and programs get it wrong */
	b.p[b.size - 1] = 77;
	o = read_bytes(b.p, b.size, 64);
	ok(o.count == 1, "the length behind a block is not used");
	forget(&o);
	free(b.p);
}

static void
test_many_interfaces(void)
{
	bytes		b = {0};
	outcome		o;

	section(&b, false);
	for (uint32_t i = 0; i < 65536; i++)
		interface(&b, i, 0);
	enhanced(&b, 65535, 1, 8, 8, 1);
	section(&b, false);
	enhanced(&b, 65535, 1, 8, 8, 1);
	o = read_bytes(b.p, b.size, 64);
	ok(o.count == 1 && o.frames[0].iface == 65535 && o.frames[0].link == 65535 && o.info.unusable == 1 && o.info.iface_count == 65536,
	   "65536 interfaces");
	forget(&o);
	interface(&b, 1, 0);
	enhanced(&b, 0, 1, 8, 8, 1);
	o = read_bytes(b.p, b.size, 64);
	ok(o.count == 1 && o.info.iface_count == 65536 && o.info.truncated && warned_of(&o, "another interface after 65536"), "one more is damage");
	forget(&o);
	free(b.p);
}

static void
gzip_member(bytes *to, const uint8_t *p, size_t size)
{
	size_t		room = compressBound(size) + 64;
	uint8_t    *out = malloc(room);
	z_stream	z = {.next_in = (Bytef *) (uintptr_t) p, .avail_in = (uInt) size, .next_out = out, .avail_out = (uInt) room};

	if (deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK || deflate(&z, Z_FINISH) != Z_STREAM_END)
		exit(2);
	put(to, out, z.total_out);
	deflateEnd(&z);
	free(out);
}

static void
zstd_frame(bytes *to, const uint8_t *p, size_t size)
{
	size_t		room = ZSTD_compressBound(size);
	uint8_t    *out = malloc(room);
	ZSTD_CCtx  *c = ZSTD_createCCtx();
	size_t		n;

	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(c, out, room, p, size);
	if (ZSTD_isError(n))
		exit(2);
	put(to, out, n);
	ZSTD_freeCCtx(c);
	free(out);
}

static void
lz4_frame(bytes *to, const uint8_t *p, size_t size)
{
	LZ4F_preferences_t preferences = {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled}};
	size_t		room = LZ4F_compressFrameBound(size, &preferences);
	uint8_t    *out = malloc(room);
	size_t		n = LZ4F_compressFrame(out, room, p, size, &preferences);

	if (LZ4F_isError(n))
		exit(2);
	put(to, out, n);
	free(out);
}

static void
skippable_frame(bytes *to)
{
	bytes		b = {0};

	put32(&b, 0x184d2a53);
	put32(&b, 5);
	put(&b, "skip!", 5);
	put(to, b.p, b.size);
	free(b.p);
}

static void
test_compressed(sample s, jj_compression compression, void (*pack) (bytes *, const uint8_t *, size_t), const char *name)
{
	bytes		c = {0};
	outcome		plain = read_bytes(s.b.p, s.b.size, 64);
	outcome		o;
	size_t		half = s.b.size / 2;
	bool		good = true;
	bool		told = true;

	/* several members, one of them empty, with frames to skip between them */
	if (compression != JJ_GZIP)
		skippable_frame(&c);
	pack(&c, s.b.p, half);
	pack(&c, s.b.p, 0);
	if (compression != JJ_GZIP)
		skippable_frame(&c);
	pack(&c, s.b.p + half, s.b.size - half);
	for (int from_file = 0; from_file < 2; from_file++)
	{
		o = from_file ? read_file(c.p, c.size, 64) : read_bytes(c.p, c.size, 2);
		ok(o.code == JJ_OK && same_frames(&o, &plain) && o.warnings == 0 && !o.info.truncated && o.info.compression == compression &&
		   o.info.bytes_in == c.size && o.info.bytes_total == c.size && o.memory.live_blocks == 0, "%s: the frames of the plain file", name);
		forget(&o);
	}

	/* cut at every byte: it may be between two members by chance */
	for (size_t cut = 0; cut < c.size; cut++)
	{
		char		place[60];

		snprintf(place, sizeof(place), " data are damaged at byte %zu: ", cut);
		o = read_bytes(c.p, cut, 64);
		good &= is_start_of(&o, &plain) && o.memory.live_blocks == 0 && (o.code == JJ_OK || (o.code == JJ_ERR_FORMAT && o.count == 0));
		if (o.opened)
			told &= o.info.truncated && o.warnings == 1 && (warned_of(&o, place) || warned_of(&o, "of the decompressed data"));
		forget(&o);
	}
	ok(good, "%s: cut at any byte, the frames before", name);
	ok(told, "%s: cut at any byte, a warning", name);

	good = told = true;
	for (size_t at = 0; at < c.size; at++)
	{
		for (unsigned bit = 0; bit < 8; bit++)
		{
			c.p[at] ^= 1u << bit;
			o = read_bytes(c.p, c.size, 64);
			good &= o.memory.live_blocks == 0;
			told &= o.code == JJ_ERR_FORMAT || same_frames(&o, &plain) || o.info.truncated;
			c.p[at] ^= 1u << bit;
			forget(&o);
		}
	}
	ok(good, "%s: any bit turned, nothing lost", name);
	ok(told, "%s: any bit turned, no other frames without a warning", name);

	/* what follows the last member */
	put_zeros(&c, 1000);
	if (compression == JJ_GZIP)
	{
		o = read_file(c.p, c.size, 64);
		ok(same_frames(&o, &plain) && o.warnings == 0, "%s: zeros behind the end", name);
		forget(&o);
	}
	put(&c, "garbage", 7);
	o = read_file(c.p, c.size, 64);
	ok(same_frames(&o, &plain) && o.warnings == 1 && warned_of(&o, "data are damaged at byte") && o.info.truncated, "%s: garbage behind the end", name);
	forget(&o);

	/* other things compressed */
	c.size = 0;
	pack(&c, (const uint8_t *) "just some text, no capture", 26);
	o = read_bytes(c.p, c.size, 64);
	ok(o.code == JJ_ERR_FORMAT && strstr(o.err.message, name) != NULL && strstr(o.err.message, " data that is text") != NULL && o.memory.live_blocks == 0,
	   "%s: text inside", name);
	c.size = 0;
	pack(&c, (const uint8_t *) "", 0);
	o = read_bytes(c.p, c.size, 64);
	ok(o.code == JJ_ERR_FORMAT && strstr(o.err.message, " data that is empty") != NULL, "%s: nothing inside", name);
	forget(&plain);
	free(c.p);
	free(s.b.p);
}

/* Blocks of 20 MB that are skipped, of 1 MB that are read: memory stays small. */
static void
test_large_blocks(void)
{
	bytes		b = {0};
	outcome		o;
	size_t		start;
	bytes		packed = {0};

	section(&b, false);
	interface(&b, 1, 0);
	start = block(&b, 0x5555);
	put_zeros(&b, 20000000);
	block_end(&b, start);
	enhanced(&b, 0, 1, 8, 8, 1);
	o = read_file(b.p, b.size, 64);
	ok(o.count == 1 && o.warnings == 0 && o.memory.peak_bytes < 300000, "an unknown block of 20 MB in %zu bytes of memory", o.memory.peak_bytes);
	forget(&o);

	gzip_member(&packed, b.p, b.size);
	o = read_file(packed.p, packed.size, 64);
	ok(o.count == 1 && o.warnings == 0 && o.memory.peak_bytes < 700000, "the same from %zu bytes of gzip", packed.size);
	forget(&o);
	free(packed.p);
	b.size = 0;

	section(&b, false);
	interface(&b, 1, 0);
	enhanced(&b, 0, 1, 100, 100, 1);
	start = block(&b, 6);
	put32(&b, 0);
	put64(&b, 0);
	put32(&b, 5);
	put32(&b, 5);
	put_payload(&b, 2, 1000000);	/* options */
	block_end(&b, start);
	enhanced(&b, 0, 1, 100, 100, 3);
	o = read_file(b.p, b.size, 64);
	ok(o.count == 3 && o.frames[1].caplen == 5 && o.frames[1].wirelen == 5 && o.warnings == 0 && o.memory.peak_bytes < 1700000,
	   "a packet block of 1 MB");
	forget(&o);
	free(b.p);
}

/* A wrong checksum at the end of many blocks: what was read before stays. */
static void
test_late_damage(void (*pack) (bytes *, const uint8_t *, size_t), size_t behind, const char *name)
{
	bytes		b = {0};
	bytes		c = {0};
	uint32_t	noise = 1;
	outcome		plain;

	pcap_header(&b, 0xa1b2c3d4, 1);
	while (b.size < 1500000)
	{
		pcap_record(&b, 0xa1b2c3d4, 1, 1, 1000, 1000, 1);
		for (size_t i = b.size - 1000; i < b.size; i++)
		{
			noise = noise * 1664525 + 1013904223;
			b.p[i] = (uint8_t) (noise >> 24);
		}
	}
	plain = read_bytes(b.p, b.size, 64);
	pack(&c, b.p, b.size);
	c.p[c.size - behind] ^= 1;
	for (int from_file = 0; from_file < 2; from_file++)
	{
		outcome		o = from_file ? read_file(c.p, c.size, 64) : read_bytes(c.p, c.size, 64);

		ok(same_frames(&o, &plain) && o.warnings == 1 && o.info.truncated && warned_of(&o, "data are damaged at byte"),
		   "%s: all frames before a wrong checksum: %s", name, o.warning[0]);
		forget(&o);
	}
	forget(&plain);
	free(b.p);
	free(c.p);
}

/* Fail at each allocation in turn. */
static void
sweep(const uint8_t *p, size_t size, bool file, const char *name)
{
	outcome		whole = file ? read_file(p, size, 64) : read_bytes(p, size, 64);
	uint64_t	k;
	bool		good = true;

	ok(whole.code == JJ_OK && whole.warnings == 0 && whole.count > 0, "%s with memory", name);
	for (k = 1; k <= whole.memory.calls; k++)
	{
		int			fd = file ? file_of(p, size) : -1;
		outcome		o = read_source(fd, p, size, 64, k);

		good &= o.code == JJ_ERR_NOMEM && o.err.code == JJ_ERR_NOMEM && o.memory.live_blocks == 0 && is_start_of(&o, &whole) &&
			strstr(o.err.message, "out of memory") != NULL;
		if (fd >= 0)
			close(fd);
		forget(&o);
	}
	ok(good, "%s without memory at each of %" PRIu64 " places", name, whole.memory.calls);
	forget(&whole);
}

static void
test_no_memory(void)
{
	bytes		b = {0};
	bytes		c = {0};
	size_t		start;

	section(&b, false);
	for (uint32_t i = 0; i < 3; i++)
		interface(&b, 1, 0);
	for (uint32_t i = 0; i < 20; i++)
	{
		interface(&b, 1, 0);
		enhanced(&b, i, i, 30, 30, i);
	}
	sweep(b.p, b.size, false, "pcapng from memory");
	gzip_member(&c, b.p, b.size);
	sweep(c.p, c.size, true, "gzip");
	c.size = 0;
	zstd_frame(&c, b.p, b.size);
	sweep(c.p, c.size, true, "zstd");
	c.size = 0;
	lz4_frame(&c, b.p, b.size);
	sweep(c.p, c.size, true, "lz4");
	start = block(&b, 6);
	put_zeros(&b, 1000000);
	block_end(&b, start);
	sweep(b.p, b.size, true, "pcapng with a large block");
	b.size = 0;
	pcap_header(&b, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < 3; i++)
		pcap_record(&b, 0xa1b2c3d4, i, i, 262144, 262144, i);
	sweep(b.p, b.size, true, "pcap");
	free(b.p);
	free(c.p);
}

int
main(void)
{
	test_cuts(pcap_sample(0xa1b2c3d4, false), "pcap");
	test_cuts(pcap_sample(0xa1b23c4d, true), "pcap, big endian");
	test_cuts(pcap_sample(0xa1b2cd34, false), "modified pcap");
	test_cuts(pcapng_sample(false), "pcapng");
	test_cuts(pcapng_sample(true), "pcapng, big endian");
	test_bad_lengths();
	test_short_blocks();
	test_many_interfaces();
	test_large_blocks();
	test_compressed(pcap_sample(0xa1b2c3d4, false), JJ_GZIP, gzip_member, "gzip");
	test_compressed(pcapng_sample(true), JJ_ZSTD, zstd_frame, "zstd");
	test_compressed(pcap_sample(0xa1b23c4d, true), JJ_LZ4, lz4_frame, "lz4");
	test_late_damage(gzip_member, 8, "gzip");
	test_late_damage(zstd_frame, 1, "zstd");
	test_late_damage(lz4_frame, 1, "lz4");
	test_no_memory();
	return done_testing();
}
