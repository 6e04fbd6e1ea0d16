/*
 * The reader: recognises the format, and reads classic pcap.
 */
#include "capture/reader_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void
jj_reader_warn(jj_reader *r, const char *format,...)
{
	va_list		args;

	if (r->warnings == JJ_MAX_WARNINGS)
		return;
	va_start(args, format);
	vsnprintf(r->warning[r->warnings++], JJ_MESSAGE_SIZE, format, args);
	va_end(args);
}

void
jj_reader_cut(jj_reader *r, const char *what)
{
	r->ended = true;
	r->info.truncated = true;
	if (jj_input_damage(&r->in) != NULL)
		jj_reader_warn(r, "%s; read up to packet %" PRIu64, jj_input_damage(&r->in), r->info.packets);
	else
		jj_reader_warn(r, "capture is cut short at byte %" PRIu64 "%s, in %s after packet %" PRIu64,
					   jj_input_offset(&r->in) + jj_input_left(&r->in),
					   r->in.compression == JJ_PLAIN ? "" : " of the decompressed data", what, r->info.packets);
}

jj_iface *
jj_reader_new_iface(jj_reader *r)
{
	jj_iface   *i;

	if (r->info.iface_count == r->iface_room)
	{
		uint32_t	room = r->iface_room == 0 ? 4 : r->iface_room * 2;
		jj_iface   *grown = room < r->iface_room ? NULL : jj_regrow(&r->in.a, r->ifaces, sizeof(jj_iface) * r->info.iface_count,
																	 sizeof(jj_iface) * room);

		if (grown == NULL)
			return NULL;
		r->ifaces = grown;
		r->iface_room = room;
		r->info.ifaces = grown;
	}
	i = &r->ifaces[r->info.iface_count++];
	memset(i, 0, sizeof(*i));
	i->section = r->info.sections;
	return i;
}

/* What the first bytes of a source that is no capture look like. */
static void
describe(const uint8_t *b, size_t n, char *out, size_t size)
{
	static const struct
	{
		const char *magic;
		size_t		length;
		const char *name;
	}			known[] = {
		{"RTSS", 4, "a Microsoft Network Monitor 1 capture"},
		{"GMBU", 4, "a Microsoft Network Monitor 2 capture"},
		{"snoop\0\0\0", 8, "a snoop capture (RFC 1761)"},
		{"iptrace", 7, "an AIX iptrace capture"},
		{"\x54\x52\x00\x64", 4, "an HP-UX nettl capture"},
		{"TRSNIFF data", 12, "a Network General Sniffer capture"},
		{"XCP\0", 4, "a NetXRay capture"},
		{"\xfd" "7zXZ", 5, "xz data, a compression that is not supported"},
		{"BZh", 3, "bzip2 data, a compression that is not supported"},
		{"PK\x03\x04", 4, "a ZIP archive"},
		{"7z\xbc\xaf\x27\x1c", 6, "a 7-Zip archive"},
		{"%PDF", 4, "a PDF document"},
		{"\x7f" "ELF", 4, "an ELF program"},
	};
	bool		text = true;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (n >= known[i].length && memcmp(b, known[i].magic, known[i].length) == 0)
		{
			snprintf(out, size, "%s", known[i].name);
			return;
		}
	for (size_t i = 0; i < n && i < 64; i++)
		text = text && (b[i] == '\t' || b[i] == '\n' || b[i] == '\r' || (b[i] >= 0x20 && b[i] < 0x7f));
	if (n == 0)
		snprintf(out, size, "nothing");
	else if (text)
		snprintf(out, size, "text");
	else
	{
		size_t		used = (size_t) snprintf(out, size, "unknown data that begins with");

		for (size_t i = 0; i < n && i < 8; i++)
			used += (size_t) snprintf(out + used, size - used, " %02x", b[i]);
	}
}

static jj_code
not_a_capture(const jj_reader *r, jj_error *err)
{
	static const char *const compressed[] = {"", " in gzip data", " in zstd data", " in lz4 data"};
	char		found[128];
	size_t		n = jj_input_left(&r->in);

	if (jj_input_damage(&r->in) != NULL)
		return jj_fail(err, JJ_ERR_FORMAT, "not a capture: %s", jj_input_damage(&r->in));
	describe(r->in.data + r->in.pos, n, found, sizeof(found));
	if (n == 0)
		jj_fail(err, JJ_ERR_FORMAT, "not a capture: the source is empty%s", compressed[r->in.compression]);
	else
		jj_fail(err, JJ_ERR_FORMAT, "not a pcap or pcapng capture: found %s%s", found, compressed[r->in.compression]);
	jj_hint(err, "Other capture formats can be converted with \"editcap -F pcapng\".");
	return JJ_ERR_FORMAT;
}

/* The 24 bytes of a pcap file header; false if these are none. */
static bool
read_pcap_header(jj_reader *r)
{
	static const struct
	{
		uint8_t		magic[4];
		bool		big;
		uint32_t	fraction_ns;
		uint32_t	record_header;
	}			kinds[] = {
		{{0xd4, 0xc3, 0xb2, 0xa1}, false, 1000, 16}, {{0xa1, 0xb2, 0xc3, 0xd4}, true, 1000, 16},
		{{0x4d, 0x3c, 0xb2, 0xa1}, false, 1, 16}, {{0xa1, 0xb2, 0x3c, 0x4d}, true, 1, 16},
		{{0x34, 0xcd, 0xb2, 0xa1}, false, 1000, 24}, {{0xa1, 0xb2, 0xcd, 0x34}, true, 1000, 24},
	};
	static const uint16_t one = 1;
	bool		big_machine = *(const uint8_t *) &one == 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (memcmp(r->in.data + r->in.pos, kinds[i].magic, 4) == 0)
		{
			r->info.big_endian = kinds[i].big;
			r->swap = kinds[i].big != big_machine;
			r->fraction_ns = kinds[i].fraction_ns;
			r->record_header = kinds[i].record_header;
			r->info.format = kinds[i].record_header == 16 ? JJ_FORMAT_PCAP : JJ_FORMAT_PCAP_MODIFIED;
			return true;
		}
	return false;
}

static jj_code
open_pcap(jj_reader *r, jj_error *err)
{
	const uint8_t *b;
	jj_iface   *i;

	if (!jj_reader_fill(r, 24))
	{
		if (r->failure.code != JJ_OK)
			goto failed;
		return jj_fail(err, JJ_ERR_FORMAT, "not a capture: a pcap header is 24 bytes long, found %zu", jj_input_left(&r->in));
	}
	b = r->in.data + r->in.pos;
	r->info.sections = 1;
	i = jj_reader_new_iface(r);
	if (i == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	i->snaplen = get32(r, b + 16);
	i->link = r->link = get32(r, b + 20) & 0xffff;	/* the upper half tells about the FCS */
	i->ticks_per_second = r->fraction_ns == 1 ? 1000000000 : 1000000;
	r->in.pos += 24;
	return JJ_OK;
failed:
	if (err != NULL)
		*err = r->failure;
	return r->failure.code;
}

static jj_code
open_reader(jj_reader **out, int fd, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err)
{
	jj_reader  *r = jj_alloc_zero(a, sizeof(*r));
	jj_code		code;

	*out = NULL;
	if (r == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	code = jj_input_open(&r->in, fd, bytes, size, a, err);
	if (code == JJ_OK)
	{
		bool		enough = jj_reader_fill(r, 4);

		if (!enough && r->failure.code != JJ_OK)
		{
			code = r->failure.code;
			if (err != NULL)
				*err = r->failure;
		}
		else if (enough && memcmp(r->in.data + r->in.pos, "\n\r\r\n", 4) == 0)
			code = jj_pcapng_open(r, err);
		else if (enough && read_pcap_header(r))
			code = open_pcap(r, err);
		else
			code = not_a_capture(r, err);
	}
	if (code != JJ_OK)
	{
		jj_reader_close(r);
		return code;
	}
	*out = r;
	return JJ_OK;
}

jj_code
jj_reader_open_fd(jj_reader **out, int fd, const jj_allocator *a, jj_error *err)
{
	return open_reader(out, fd, NULL, 0, a, err);
}

jj_code
jj_reader_open_memory(jj_reader **out, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err)
{
	return open_reader(out, -1, bytes, size, a, err);
}

/*
 * Records that lie whole in the window; the window moves only while the batch
 * is empty.
 */
static void
next_pcap(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count)
{
	const uint32_t header = r->record_header;
	uint32_t	n = 0;

	while (n < max)
	{
		const uint8_t *b;
		uint32_t	caplen;
		uint32_t	wirelen;
		jj_frame   *f = &frames[n];

		if (jj_input_left(&r->in) < header && (n > 0 || !jj_reader_fill(r, header)))
		{
			if (n == 0 && jj_input_left(&r->in) > 0)
				jj_reader_cut(r, "a record header");
			else if (n == 0 && jj_input_damage(&r->in) != NULL)
				jj_reader_cut(r, "");
			break;
		}
		b = r->in.data + r->in.pos;
		caplen = get32(r, b + 8);
		wirelen = get32(r, b + 12);
		if (caplen > JJ_MAX_RECORD)
		{
			if (n > 0)
				break;
			jj_reader_warn(r, "record at byte %" PRIu64 " has a length of %" PRIu32 ", which is not credible; read up to packet %" PRIu64,
						   jj_input_offset(&r->in), caplen, r->info.packets);
			r->info.truncated = true;
			r->ended = true;
			break;
		}
		if (jj_input_left(&r->in) < (size_t) header + caplen)
		{
			if (n > 0)
				break;
			if (!jj_reader_fill(r, (size_t) header + caplen))
			{
				if (r->failure.code == JJ_OK)
					jj_reader_cut(r, "a record");
				break;
			}
			b = r->in.data + r->in.pos;
		}
		f->ts = (int64_t) get32(r, b) * 1000000000 + (int64_t) get32(r, b + 4) * r->fraction_ns;
		f->index = ++r->info.packets;
		f->data = b + header;
		f->caplen = caplen;
		f->wirelen = wirelen > caplen ? wirelen : caplen;
		f->link = r->link;
		f->iface = 0;
		r->in.pos += (size_t) header + caplen;
		n++;
	}
	r->ifaces[0].packets += n;
	*count = n;
}

jj_code
jj_reader_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err)
{
	jj_code		code = JJ_OK;

	*count = 0;
	if (!r->ended)
	{
		if (r->info.format == JJ_FORMAT_PCAPNG)
			code = jj_pcapng_next(r, frames, max, count, err);
		else
			next_pcap(r, frames, max, count);
	}
	if (code == JJ_OK && *count == 0)
	{
		r->ended = true;
		if (r->failure.code != JJ_OK)
		{
			code = r->failure.code;
			if (err != NULL)
				*err = r->failure;
		}
	}
	r->info.bytes_in = jj_input_taken(&r->in);
	return code;
}

const jj_reader_info *
jj_reader_info_get(const jj_reader *r)
{
	jj_reader_info *info = (jj_reader_info *) &r->info;

	info->compression = r->in.compression;
	info->bytes_total = r->in.total;
	return info;
}

const char *
jj_reader_warning(const jj_reader *r, uint32_t i)
{
	return i < r->warnings ? r->warning[i] : NULL;
}

void
jj_reader_close(jj_reader *r)
{
	jj_allocator a;

	if (r == NULL)
		return;
	a = r->in.a;
	jj_input_close(&r->in);
	jj_release(&a, r->ifaces);
	jj_release(&a, r);
}
