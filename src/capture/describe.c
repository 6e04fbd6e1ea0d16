/*
 * Words for files that are no capture.
 */
#include "capture/reader_internal.h"

#include <stdio.h>
#include <string.h>

#define HINT_CONVERT "\"editcap -F pcap\" can convert such a file."
#define HINT_DECOMPRESS "Decompress the file first."
#define HINT_FORMATS "A capture is a pcap or pcapng file, as it is or compressed with gzip, zstd or lz4."

static const struct
{
	const char *magic;
	size_t		size;
	const char *what;
	const char *hint;
}			known[] =
{
	{"RTSS", 4, "is a Microsoft Network Monitor 1 capture, which is not supported", HINT_CONVERT},
	{"GMBU", 4, "is a Microsoft Network Monitor 2 capture, which is not supported", HINT_CONVERT},
	{"snoop\0\0\0", 8, "is a snoop capture (RFC 1761), which is not supported", HINT_CONVERT},
	{"iptrace ", 8, "is an AIX iptrace capture, which is not supported", HINT_CONVERT},
	{"TR\0d\0", 5, "is an HP-UX nettl capture, which is not supported", HINT_CONVERT},
	{"TRSNIFF data", 12, "is a Sniffer capture, which is not supported", HINT_CONVERT},
	{"XCP\0", 4, "is a NetXRay capture, which is not supported", HINT_CONVERT},
	{"\005VNF", 4, "is a Visual Networks capture, which is not supported", HINT_CONVERT},
	{"\xfd" "7zXZ\0", 6, "is compressed with xz, which is not supported", HINT_DECOMPRESS},
	{"BZh", 3, "is compressed with bzip2, which is not supported", HINT_DECOMPRESS},
	{"\x02\x21\x4c\x18", 4, "is compressed in the legacy format of lz4, which is not supported", HINT_DECOMPRESS},
	{"\x1f\x9d", 2, "is compressed with compress, which is not supported", HINT_DECOMPRESS},
	{"\x1f\x8b", 2, "is compressed with gzip once more", HINT_DECOMPRESS},
	{"\x28\xb5\x2f\xfd", 4, "is compressed with zstd once more", HINT_DECOMPRESS},
	{"\x04\x22\x4d\x18", 4, "is compressed with lz4 once more", HINT_DECOMPRESS},
	{"PK\003\004", 4, "is a ZIP archive", "Extract the capture from the archive first."},
	{"7z\xbc\xaf\x27\x1c", 6, "is a 7-Zip archive", "Extract the capture from the archive first."},
	{"Rar!\x1a\x07", 6, "is a RAR archive", "Extract the capture from the archive first."},
	{"\x7f" "ELF", 4, "is an ELF program", HINT_FORMATS},
	{"%PDF-", 5, "is a PDF document", HINT_FORMATS},
	{"SQLite format 3", 15, "is an SQLite database", HINT_FORMATS},
	{"\x89PNG", 4, "is a PNG image", HINT_FORMATS}
};

#define TAR_MAGIC 257			/* where a tar archive says "ustar" */
#define SHOWN 24				/* characters of a text */
#define SHOWN_BYTES 8

static bool
is_text(const uint8_t *p, size_t size)
{
	if (size > 64)
		size = 64;
	for (size_t i = 0; i < size; i++)
		if ((p[i] < ' ' || p[i] > '~') && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			return false;
	return true;
}

/* The beginning of the first line; bytes and quotes that could confuse become '?'. */
static void
quote(char *to, const uint8_t *p, size_t size)
{
	size_t		n = 0;

	while (n < size && n < SHOWN && p[n] != '\r' && p[n] != '\n')
	{
		to[n] = p[n] >= ' ' && p[n] <= '~' && p[n] != '"' ? (char) p[n] : '?';
		n++;
	}
	to[n] = '\0';
}

/* A text of "is ..." or "begins with ...". */
static const char *
describe(const uint8_t *p, size_t size, char *what, size_t room)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		if (size >= known[i].size && memcmp(p, known[i].magic, known[i].size) == 0)
		{
			snprintf(what, room, "%s", known[i].what);
			return known[i].hint;
		}
	}

	if (size == 0)
		snprintf(what, room, "is empty");
	else if (size >= TAR_MAGIC + 5 && memcmp(p + TAR_MAGIC, "ustar", 5) == 0)
	{
		snprintf(what, room, "is a tar archive");
		return "Extract the capture from the archive first.";
	}
	else if (size >= 4 && jj_get32(p, true) == JJ_SECTION_TYPE)
	{
		if (size < JJ_SECTION_MINIMUM)
			snprintf(what, room, "looks like pcapng, but ends after %zu bytes", size);
		else
			snprintf(what, room, "looks like pcapng, but its byte order mark is %02x %02x %02x %02x", p[8], p[9], p[10], p[11]);
	}
	else if (size >= 4 && size < JJ_PCAP_HEADER &&
			 (memcmp(p, "\xa1\xb2", 2) == 0 || memcmp(p + 2, "\xb2\xa1", 2) == 0))
		snprintf(what, room, "looks like pcap, but ends after %zu of the %d bytes of a file header", size, JJ_PCAP_HEADER);
	else if (size < 4)
		snprintf(what, room, "is too short, with %zu byte%s", size, size == 1 ? "" : "s");
	else if (is_text(p, size))
	{
		char		start[SHOWN + 1];

		quote(start, p, size);
		snprintf(what, room, "is text that begins with \"%s\"", start);
	}
	else
	{
		size_t		used = (size_t) snprintf(what, room, "begins with");

		for (size_t i = 0; i < size && i < SHOWN_BYTES && used < room; i++)
			used += (size_t) snprintf(what + used, room - used, " %02x", p[i]);
	}
	return HINT_FORMATS;
}

jj_code
jj_not_a_capture(const jj_input *in, jj_error *err)
{
	char		what[128];
	const char *damage = jj_input_damage(in);
	const char *hint = describe(in->data + in->pos, in->end - in->pos, what, sizeof(what));
	const char *compression = jj_compression_name(in->compression);

	/* too little came out to tell, because the compressed data are damaged */
	if (damage != NULL && in->end - in->pos < JJ_PCAP_HEADER)
		jj_fail(err, JJ_ERR_FORMAT, "not a capture file: %s", damage);
	else if (compression != NULL)
		jj_fail(err, JJ_ERR_FORMAT, "not a capture file: %s data that %s", compression, what);
	else
		jj_fail(err, JJ_ERR_FORMAT, "not a capture file: it %s", what);
	jj_hint(err, "%s", hint);
	return JJ_ERR_FORMAT;
}
