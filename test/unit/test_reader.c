/*
 * Reader: formats, byte orders, clocks, interfaces, sources, files that are no capture.
 */
#include "capture_bytes.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define SECOND INT64_C(1000000000)

static bool
is_frame(const outcome *o, size_t i, int64_t ts, uint64_t index, uint32_t caplen, uint32_t wirelen, uint32_t link, uint32_t iface,
		 uint32_t seed)
{
	const seen *s = &o->frames[i];
	bytes		b = {0};
	uint64_t	sum;

	if (i >= o->count)
		return false;
	put_payload(&b, seed, caplen);
	sum = payload_sum(b.p, caplen);
	free(b.p);
	return s->ts == ts && s->index == index && s->caplen == caplen && s->wirelen == wirelen && s->link == link && s->iface == iface &&
		s->sum == sum;
}

static void
test_pcap(uint32_t magic, bool big, const char *name)
{
	const int64_t tick = magic == 0xa1b23c4d ? 1 : 1000;
	bytes		b = {.big = big};
	outcome		o;

	pcap_header(&b, magic, 0x34000001); /* upper bits: frame check sequence of 4 bytes */
	pcap_record(&b, magic, 1700000000, 999999, 60, 60, 1);
	pcap_record(&b, magic, 1700000001, 5, 10, 1514, 2);
	pcap_record(&b, magic, 4294967295u, 4294967295u, 0, 0, 3);
	pcap_record(&b, magic, 0, 0, 20, 7, 4);
	for (int from_file = 0; from_file < 2; from_file++)
	{
		o = from_file ? read_file(b.p, b.size, 64) : read_bytes(b.p, b.size, 3);
		ok(o.code == JJ_OK && o.count == 4 && o.warnings == 0 && !o.info.truncated, "%s: four frames, no warning", name);
		ok(is_frame(&o, 0, 1700000000 * SECOND + 999999 * tick, 1, 60, 60, 1, 0, 1), "%s: whole frame", name);
		ok(is_frame(&o, 1, 1700000001 * SECOND + 5 * tick, 2, 10, 1514, 1, 0, 2), "%s: cut frame", name);
		ok(is_frame(&o, 2, 4294967295 * SECOND + 4294967295 * tick, 3, 0, 0, 1, 0, 3), "%s: empty frame, largest time", name);
		ok(is_frame(&o, 3, 0, 4, 20, 20, 1, 0, 4), "%s: wire length at least captured length", name);
		ok(o.info.format == (magic == 0xa1b2cd34 ? JJ_FORMAT_PCAP_MODIFIED : JJ_FORMAT_PCAP) && o.info.big_endian == big &&
		   o.info.compression == JJ_PLAIN, "%s: format", name);
		ok(o.info.iface_count == 1 && o.ifaces[0].link == 1 && o.ifaces[0].snaplen == 65535 && o.ifaces[0].packets == 4 &&
		   o.ifaces[0].section == 1 && o.ifaces[0].name[0] == '\0' && o.ifaces[0].ticks_per_second == (uint64_t) (SECOND / tick),
		   "%s: interface", name);
		ok(o.info.packets == 4 && o.info.unusable == 0 && o.info.sections == 1 && o.info.bytes_in == b.size && o.info.bytes_total == b.size,
		   "%s: counts", name);
		is_int((int64_t) o.memory.live_blocks, 0, "all memory returned");
		forget(&o);
	}
	free(b.p);
}

/* Two sections of opposite byte order with all kinds of blocks. */
static void
test_pcapng(bool big)
{
	const char *name = big ? "pcapng, big endian first" : "pcapng, little endian first";
	bytes		b = {0};
	size_t		start;
	outcome		o;

	section(&b, big);
	start = block(&b, 1);		/* an interface with a name and options that don't matter */
	put16(&b, 1);
	put16(&b, 0);
	put32(&b, 50);
	put16(&b, 3);
	put16(&b, 5);
	put(&b, "about\0\0\0", 8);
	put16(&b, 2);
	put16(&b, 6);
	put(&b, "et\xc3\xa4h0\0\0", 8);
	put32(&b, 0);
	put16(&b, 9);				/* behind the end of the options */
	put16(&b, 1);
	put32(&b, 0);
	block_end(&b, start);
	interface_clock(&b, 101, 9, 0);
	simple(&b, 44, 44, 1);
	start = block(&b, 4);
	put_zeros(&b, 40);
	block_end(&b, start);
	enhanced(&b, 0, UINT64_C(1700000000000001), 33, 100, 2);
	enhanced(&b, 1, UINT64_C(1700000001000000002), 21, 5, 3);
	old_packet(&b, 1, UINT64_C(1700000002000000003), 8, 9, 4);
	simple(&b, 51, 51, 5);		/* cut by the snap length */
	simple(&b, 90, 12, 6);		/* cut by the end of the block */
	enhanced(&b, 2, 1, 4, 4, 7);	/* interface 2 is described in the next section only */
	section(&b, !big);
	enhanced(&b, 0, 1, 4, 4, 8);
	interface(&b, 113, 0);
	simple(&b, 70, 70, 9);
	enhanced(&b, 0, 5, 4, 4, 10);

	for (int from_file = 0; from_file < 2; from_file++)
	{
		o = from_file ? read_file(b.p, b.size, 64) : read_bytes(b.p, b.size, 1);
		ok(o.code == JJ_OK && o.count == 8 && o.warnings == 1 && !o.info.truncated, "%s: eight frames, one warning", name);
		ok(warned_of(&o, "frame 7 at byte ") && warned_of(&o, "interface 2"), "%s: the warning names frame and interface", name);
		ok(is_frame(&o, 0, 0, 1, 44, 44, 1, 0, 1), "%s: simple packet before any time", name);
		ok(is_frame(&o, 1, 1700000000000001000, 2, 33, 100, 1, 0, 2), "%s: enhanced packet", name);
		ok(is_frame(&o, 2, 1700000001000000002, 3, 21, 21, 101, 1, 3), "%s: nanoseconds", name);
		ok(is_frame(&o, 3, 1700000002000000003, 4, 8, 9, 101, 1, 4), "%s: packet of the old kind", name);
		ok(is_frame(&o, 4, 1700000002000000003, 5, 50, 51, 1, 0, 5), "%s: simple packet cut by the snap length", name);
		ok(is_frame(&o, 5, 1700000002000000003, 6, 12, 90, 1, 0, 6), "%s: simple packet cut by its block", name);
		ok(is_frame(&o, 6, 1700000002000000003, 9, 70, 70, 113, 2, 9), "%s: first interface of the second section", name);
		ok(is_frame(&o, 7, 5000, 10, 4, 4, 113, 2, 10), "%s: its clock is the default one", name);
		ok(o.info.sections == 2 && o.info.iface_count == 3 && o.info.packets == 10 && o.info.unusable == 2 &&
		   o.info.format == JJ_FORMAT_PCAPNG && o.info.big_endian == !big, "%s: counts", name);
		is_text(o.ifaces[0].name, "et??h0", "interface name in ASCII");
		ok(o.ifaces[0].packets == 4 && o.ifaces[1].packets == 2 && o.ifaces[2].packets == 2 && o.ifaces[2].section == 2 &&
		   o.ifaces[0].snaplen == 50 && o.ifaces[0].ticks_per_second == 1000000 && o.ifaces[1].ticks_per_second == 1000000000,
		   "%s: interfaces", name);
		forget(&o);
	}
	free(b.p);
}

static void
test_clocks(void)
{
	static const struct
	{
		unsigned	resolution;
		int64_t		offset;
		uint64_t	ticks;
		int64_t		ts;
		uint64_t	per_second;
	}			cases[] =
	{
		{6, 0, 0, 0, 1000000},
		{6, 0, UINT64_C(9223372036854775), INT64_C(9223372036854775000), 1000000},
		{6, 0, UINT64_C(9223372036854776), INT64_MAX, 1000000},
		{6, 0, UINT64_MAX, INT64_MAX, 1000000},
		{9, 0, INT64_MAX, INT64_MAX, 1000000000},
		{9, 0, UINT64_C(1) << 63, INT64_MAX, 1000000000},
		{0, 0, 1700000000, 1700000000 * SECOND, 1},
		{3, 0, 1700000000123, INT64_C(1700000000123000000), 1000},
		{7, 0, UINT64_C(17000000001234567), INT64_C(1700000000123456700), 10000000},
		{12, 0, UINT64_C(1700000000999999999), INT64_C(1700000000999999), UINT64_C(1000000000000)},
		{19, 0, UINT64_MAX, 1844674407, UINT64_C(10000000000000000000)},
		{20, 0, UINT64_MAX, 184467440, 0},
		{28, 0, UINT64_MAX, 1, 0},
		{29, 0, UINT64_MAX, 0, 0},
		{127, 0, UINT64_MAX, 0, 0},
		{0x80, 0, 5, 5 * SECOND, 1},
		{0x81, 0, 3, 1500000000, 2},
		{0x80 | 10, 0, 1024 * 7 + 1, 7 * SECOND + 976562, 1024},
		{0x80 | 32, 0, UINT64_C(1700000000) << 32 | 0x80000000, INT64_C(1700000000500000000), UINT64_C(1) << 32},
		{0x80 | 32, 0, UINT64_MAX, INT64_C(4294967295999999999), UINT64_C(1) << 32},
		{0x80 | 63, 0, UINT64_MAX, 1999999999, UINT64_C(1) << 63},
		{0x80 | 64, 0, UINT64_MAX, 999999999, 0},
		{0x80 | 93, 0, UINT64_MAX, 1, 0},
		{0x80 | 94, 0, UINT64_MAX, 0, 0},
		{0xff, 0, UINT64_MAX, 0, 0},
		{6, 1000, 5, 1000 * SECOND + 5000, 1000000},
		{6, -1000, 5, -1000 * SECOND + 5000, 1000000},
		{9, INT64_MAX, 1, INT64_MAX, 1000000000},
		{9, INT64_MIN, 1, INT64_MIN, 1000000000},
		{0, INT64_MIN, UINT64_C(1) << 63, 0, 1},
		{0, INT64_MIN, (UINT64_C(1) << 63) + 5, 5 * SECOND, 1},
		{0, INT64_MIN, UINT64_MAX, INT64_MAX, 1},
		{0, -1, UINT64_MAX, INT64_MAX, 1},
		{9, 9223372036, 854775807, INT64_MAX, 1000000000},
		{9, 9223372036, 854775806, INT64_MAX - 1, 1000000000},
		{9, 9223372036, 854775808, INT64_MAX, 1000000000},
		{9, -9223372037, 145224192, INT64_MIN, 1000000000},
		{9, -9223372037, 145224193, INT64_MIN + 1, 1000000000},
		{9, -9223372037, 145224191, INT64_MIN, 1000000000},
		{9, -9223372038, 999999999, INT64_MIN, 1000000000}
	};

	for (int big = 0; big < 2; big++)
	{
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		{
			bytes		b = {0};
			outcome		o;

			section(&b, big);
			interface_clock(&b, 1, cases[i].resolution, cases[i].offset);
			enhanced(&b, 0, cases[i].ticks, 1, 1, 0);
			o = read_bytes(b.p, b.size, 64);
			if (!ok(o.count == 1 && o.frames[0].ts == cases[i].ts && o.ifaces[0].ticks_per_second == cases[i].per_second &&
					o.ifaces[0].offset_seconds == cases[i].offset,
					"clock %02x, offset %" PRId64 ", %" PRIu64 " ticks", cases[i].resolution, cases[i].offset, cases[i].ticks))
				printf("# got %" PRId64 ", expected %" PRId64 "\n", o.count == 1 ? o.frames[0].ts : -1, cases[i].ts);
			forget(&o);
			free(b.p);
		}
	}
}

/* Records of all sizes, so that each block of the file ends somewhere else inside one. */
static bytes
long_capture(bool pcapng)
{
	bytes		b = {0};
	uint32_t	size = 1;

	if (pcapng)
	{
		section(&b, false);
		interface(&b, 1, 0);
	}
	else
		pcap_header(&b, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; b.size < 3000000; i++)
	{
		size = (size * 1103515245 + 12345) & 0x7fffffff;
		if (pcapng)
			enhanced(&b, 0, i, i % 500 == 7 ? 300000 : size % 1600, 2000, i);
		else
			pcap_record(&b, 0xa1b2c3d4, i, 0, i % 500 == 7 ? JJ_MAX_RECORD : size % 1600, 2000, i);
		if (pcapng && i % 100 == 0)
		{
			size_t		start = block(&b, 0x7777);

			put_zeros(&b, 1000 * (i % 7));
			block_end(&b, start);
		}
	}
	return b;
}

static void
test_block_ends(bool pcapng)
{
	bytes		b = long_capture(pcapng);
	outcome		memory = read_bytes(b.p, b.size, 64);
	const uint32_t batches[] = {1, 5, 64};

	ok(memory.count > 1000 && memory.warnings == 0 && memory.memory.peak_bytes < 16384, "%s from memory: no copies", pcapng ? "pcapng" : "pcap");
	for (size_t i = 0; i < 3; i++)
	{
		outcome		file = read_file(b.p, b.size, batches[i]);

		ok(same_frames(&file, &memory) && file.warnings == 0 && file.info.bytes_in == b.size,
		   "%s from a file, %" PRIu32 " at a time: the same frames", pcapng ? "pcapng" : "pcap", batches[i]);
		ok(file.memory.peak_bytes < 1200000, "bounded memory");
		forget(&file);
	}
	forget(&memory);
	free(b.p);
}

static void
nothing(int signal_number)
{
	(void) signal_number;
}

/* A descriptor that gives a few bytes at a time, and signals in between. */
static void
test_short_reads(void)
{
	bytes		b = {.big = true};
	outcome		memory;
	outcome		o;
	int			ends[2];
	pid_t		parent = getpid();
	pid_t		child;
	struct sigaction act = {.sa_handler = nothing};

	pcap_header(&b, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < 50; i++)
		pcap_record(&b, 0xa1b2c3d4, i, 0, 20 + i, 20 + i, i);
	sigaction(SIGUSR1, &act, NULL);
	if (pipe(ends) != 0 || (child = fork()) < 0)
		exit(2);
	if (child == 0)
	{
		close(ends[0]);
		for (size_t at = 0; at < b.size;)
		{
			size_t		n = at < 300 ? 1 : 1 + at % 13;

			if (n > b.size - at)
				n = b.size - at;
			if (write(ends[1], b.p + at, n) != (ssize_t) n)
				_exit(1);
			at += n;
			if (at % 64 == 0)
				usleep(2000);	/* the reader waits by then, and the signal finds it so */
			kill(parent, SIGUSR1);
		}
		_exit(0);
	}
	close(ends[1]);
	o = read_source(ends[0], NULL, 0, 64, 0);
	close(ends[0]);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	memory = read_bytes(b.p, b.size, 64);
	ok(o.count == 50 && same_frames(&o, &memory) && o.warnings == 0 && o.info.bytes_total == 0, "short reads and signals");
	forget(&o);
	forget(&memory);
	free(b.p);
}

static void
test_read_errors(void)
{
	bytes		b = long_capture(false);
	int			directory = open("/tmp", O_RDONLY);
	int			fd = file_of(b.p, b.size);
	outcome		o = read_source(directory, NULL, 0, 64, 0);
	jj_allocator a = counting_allocator(&o.memory);
	jj_reader  *r;
	jj_frame	frames[64];
	uint32_t	n;
	jj_error	err;
	uint64_t	count = 0;
	jj_code		code;

	ok(o.code == JJ_ERR_IO && o.err.sys_errno == EISDIR && o.memory.live_blocks == 0, "a directory");
	ok(jj_reader_open_fd(&r, fd, &a, &err) == JJ_OK, "a file");
	ok(dup2(directory, fd) == fd, "which turns bad");
	while ((code = jj_reader_next(r, frames, 64, &n, &err)) == JJ_OK && n > 0)
		count += n;
	ok(code == JJ_ERR_IO && err.sys_errno == EISDIR && count == 7 && n == 0, "the frames before a failed read come, then the failure");
	ok(strstr(err.message, " at byte ") != NULL, "which names the byte: %s", err.message);
	ok(jj_reader_next(r, frames, 64, &n, NULL) == JJ_ERR_IO && n == 0, "and again");
	jj_reader_close(r);
	close(fd);
	close(directory);

	ok(jj_reader_open_fd(&r, -1, &a, &err) == JJ_ERR_ARGUMENT && r == NULL, "no descriptor");
	jj_reader_close(NULL);
	is_int((int64_t) o.memory.live_blocks, 0, "all memory returned");
	free(b.p);
}

static void
test_not_a_capture(void)
{
	static const struct
	{
		const char *start;
		size_t		size;
		const char *part;
	}			cases[] =
	{
		{"", 0, "it is empty"},
		{"\x01", 1, "too short, with 1 byte"},
		{"abc", 3, "too short, with 3 bytes"},
		{"RTSS\1\0\0\0\0\0\0\0\0\0", 14, "Network Monitor 1"},
		{"GMBU\0\2\0\0\0\0\0\0\0\0", 14, "Network Monitor 2"},
		{"snoop\0\0\0\0\0\0\2\0\0\0\4", 16, "snoop"},
		{"iptrace 2.0\0\0", 13, "iptrace"},
		{"TR\0d\0\0\0\0", 8, "nettl"},
		{"TRSNIFF data    \x1a", 17, "Sniffer"},
		{"XCP\0" "002.001\0", 12, "NetXRay"},
		{"\005VNF\0\0\0\0", 8, "Visual Networks"},
		{"\xfd" "7zXZ\0\0\4", 8, "compressed with xz"},
		{"BZh91AY&SY", 10, "compressed with bzip2"},
		{"\x02\x21\x4c\x18\0\0\0\0", 8, "legacy format of lz4"},
		{"\x1f\x9d\x90\0\0", 5, "compressed with compress"},
		{"PK\003\004\024\0\0\0", 8, "ZIP"},
		{"7z\xbc\xaf\x27\x1c\0\4", 8, "7-Zip"},
		{"Rar!\x1a\7\1\0", 8, "RAR"},
		{"\x7f" "ELF\2\1\1\0", 8, "ELF"},
		{"%PDF-1.4\n%\xe2\xe3", 12, "PDF"},
		{"SQLite format 3\0", 16, "SQLite"},
		{"\x89PNG\r\n\x1a\n", 8, "PNG"},
		{"time,\"src\"\tdst\nthen more", 24, "text that begins with \"time,?src??dst\""},
		{"\xc3\xa9 is not ASCII", 15, "it begins with c3 a9 20 69 73 20 6e 6f"},
		{"\0\1\2\3\4", 5, "it begins with 00 01 02 03 04"},
		{"\xd4\xc3\xb2\xa1\2\0\4\0", 8, "ends after 8 of the 24 bytes"},
		{"\xa1\xb2\x3c\x4d\0\2\0\4", 8, "ends after 8 of the 24 bytes"},
		{"\x0a\x0d\x0d\x0a\x1c\0\0\0", 8, "looks like pcapng, but ends after 8 bytes"},
		{"\x0a\x0d\x0d\x0a\x1c\0\0\0\1\2\3\4", 12, "byte order mark is 01 02 03 04"},
		{"\x1f\x8b\x08\0\0\0\0\0\0\3", 10, "gzip data are damaged at byte 10: the end is missing"},
		{"\x1f\x8b\x07\0\0\0\0\0\0\3", 10, "gzip data are damaged"},
		{"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff", 12, "zstd data are damaged"},
		{"\x04\x22\x4d\x18\xff\xff\xff\xff\xff\xff\xff\xff", 12, "lz4 data are damaged"},
		{"\x50\x2a\x4d\x18\1\0\0\0xabcdefg", 16, "zstd data are damaged at byte 9"},
		{"\x50\x2a\x4d\x18\xff\xff\0\0x", 9, "damaged at byte 9"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		for (int from_file = 0; from_file < 2; from_file++)
		{
			const uint8_t *p = (const uint8_t *) cases[i].start;
			outcome		o = from_file ? read_file(p, cases[i].size, 64) : read_bytes(p, cases[i].size, 64);
			bool		ascii = true;

			for (const char *c = o.err.message; *c != '\0'; c++)
				ascii &= *c >= ' ' && *c <= '~';
			if (!ok(!o.opened && o.code == JJ_ERR_FORMAT && o.err.code == JJ_ERR_FORMAT && o.memory.live_blocks == 0 && ascii &&
					strncmp(o.err.message, "not a capture file: ", 20) == 0 && strstr(o.err.message, cases[i].part) != NULL &&
					o.err.hint[0] != '\0', "no capture: %s", cases[i].part))
				printf("# got: %s (%s)\n", o.err.message, o.err.hint);
		}
	}
}

static void
test_tar(void)
{
	bytes		b = {0};
	outcome		o;

	put(&b, "\1\2\3", 3);
	put_zeros(&b, 254);
	put(&b, "ustar", 5);
	o = read_bytes(b.p, b.size, 64);
	ok(o.code == JJ_ERR_FORMAT && strstr(o.err.message, "tar archive") != NULL, "no capture: tar archive");
	free(b.p);
}

int
main(void)
{
	test_pcap(0xa1b2c3d4, false, "pcap, little endian, us");
	test_pcap(0xa1b2c3d4, true, "pcap, big endian, us");
	test_pcap(0xa1b23c4d, false, "pcap, little endian, ns");
	test_pcap(0xa1b23c4d, true, "pcap, big endian, ns");
	test_pcap(0xa1b2cd34, false, "modified pcap, little endian");
	test_pcap(0xa1b2cd34, true, "modified pcap, big endian");
	test_pcapng(false);
	test_pcapng(true);
	test_clocks();
	test_block_ends(false);
	test_block_ends(true);
	test_short_reads();
	test_read_errors();
	test_not_a_capture();
	test_tar();
	return done_testing();
}
