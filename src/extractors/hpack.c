/*
 * HPACK (RFC 7541), byte by byte. The dynamic table keeps sizes of its entries,
 * and values only of the few fields that become columns: what a block costs is
 * in proportion to its bytes, whatever it refers to and however long it is.
 */
#include "extractors/hpack.h"

#include <string.h>

/* ---- Huffman code (appendix B): canonical, so lengths and the order of the symbols say it all */

#define HUFFMAN_EOS 256

static const uint16_t huffman_symbol[257] = {
	48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61,
	65, 95, 98, 100, 102, 103, 104, 108, 109, 110, 112, 114, 117, 58, 66, 67, 68, 69, 70, 71, 72, 73,
	74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 106, 107, 113, 118, 119, 120, 121,
	122, 38, 42, 44, 59, 88, 90, 33, 34, 40, 41, 63, 39, 43, 124, 35, 62, 0, 36, 64, 91, 93, 126, 94,
	125, 60, 96, 123, 92, 195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161, 167, 172, 176,
	177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164,
	169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232, 233, 1, 135, 137, 138, 139,
	140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183,
	188, 191, 197, 231, 239, 9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234,
	235, 192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255, 203, 204, 211,
	212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254, 2, 3, 4, 5, 6, 7,
	8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10,
	13, 22, 256
};

/* Codes of one length: those below limit (as the upper bits of 32), counted from first; their symbols start at place. */
static const struct
{
	uint8_t		bits;
	uint8_t		place;
	uint32_t	first;
	uint32_t	limit;			/* 0: no code is longer */
}			huffman_length[] = {
	{5, 0, 0x00000000, 0x50000000}, {6, 10, 0x50000000, 0xb8000000}, {7, 36, 0xb8000000, 0xf8000000},
	{8, 68, 0xf8000000, 0xfe000000}, {10, 74, 0xfe000000, 0xff400000}, {11, 79, 0xff400000, 0xffa00000},
	{12, 82, 0xffa00000, 0xffc00000}, {13, 84, 0xffc00000, 0xfff00000}, {14, 90, 0xfff00000, 0xfff80000},
	{15, 92, 0xfff80000, 0xfffe0000}, {19, 95, 0xfffe0000, 0xfffe6000}, {20, 98, 0xfffe6000, 0xfffee000},
	{21, 106, 0xfffee000, 0xffff4800}, {22, 119, 0xffff4800, 0xffffb000}, {23, 145, 0xffffb000, 0xffffea00},
	{24, 174, 0xffffea00, 0xfffff600}, {25, 186, 0xfffff600, 0xfffff800}, {26, 190, 0xfffff800, 0xfffffbc0},
	{27, 205, 0xfffffbc0, 0xfffffe20}, {28, 224, 0xfffffe20, 0xfffffff0}, {30, 253, 0xfffffff0, 0}
};

/* The next symbol in the bits at hand; -1: more are needed. */
static int
next_symbol(jj_hpack *h)
{
	uint32_t	code = (uint32_t) (h->bits >> 32);
	unsigned	row = 0;
	int			symbol;

	if (h->n_bits < 32)
		code |= UINT32_MAX >> h->n_bits;
	while (huffman_length[row].limit != 0 && code >= huffman_length[row].limit)
		row++;
	if (huffman_length[row].bits > h->n_bits)
		return -1;
	symbol = huffman_symbol[huffman_length[row].place + ((code - huffman_length[row].first) >> (32 - huffman_length[row].bits))];
	h->bits <<= huffman_length[row].bits;
	h->n_bits -= huffman_length[row].bits;
	return symbol;
}

/* What is left at the end must be padding: less than 8 of the first bits of EOS, which are ones (5.2). */
static bool
is_padding(const jj_hpack *h)
{
	return h->n_bits <= 7 && h->bits >> 57 == (0x7fu & ~(0x7fu >> h->n_bits));
}

/* ---- names */

#define NAME_BYTES 10			/* the longest that is kept */

static const struct
{
	uint8_t		size;
	char		text[NAME_BYTES + 1];
	uint32_t	room;			/* bytes of the value that are kept */
}			kept_name[JJ_HPACK_NAMES] = {
	[JJ_HPACK_AUTHORITY] = {10, ":authority", JJ_HPACK_HOST_BYTES},
	[JJ_HPACK_METHOD] = {7, ":method", JJ_HPACK_METHOD_BYTES},
	[JJ_HPACK_STATUS] = {7, ":status", JJ_HPACK_STATUS_BYTES},
	[JJ_HPACK_HOST] = {4, "host", JJ_HPACK_HOST_BYTES},
	[JJ_HPACK_USER_AGENT] = {10, "user-agent", JJ_HPACK_AGENT_BYTES},
};

/* Appendix A; the value is needed only where it is kept. */
#define E(name, text, value) {JJ_HPACK_##name, sizeof(text) - 1, sizeof(value) - 1, value}
#define STATIC_ENTRIES 61

static const struct
{
	uint8_t		name;
	uint8_t		name_size;
	uint8_t		value_size;
	char		value[16];
}			static_table[STATIC_ENTRIES] = {
	E(AUTHORITY, ":authority", ""), E(METHOD, ":method", "GET"), E(METHOD, ":method", "POST"), E(OTHER, ":path", "/"),
	E(OTHER, ":path", "/index.html"), E(OTHER, ":scheme", "http"), E(OTHER, ":scheme", "https"), E(STATUS, ":status", "200"),
	E(STATUS, ":status", "204"), E(STATUS, ":status", "206"), E(STATUS, ":status", "304"), E(STATUS, ":status", "400"),
	E(STATUS, ":status", "404"), E(STATUS, ":status", "500"), E(OTHER, "accept-charset", ""),
	E(OTHER, "accept-encoding", "gzip, deflate"), E(OTHER, "accept-language", ""), E(OTHER, "accept-ranges", ""),
	E(OTHER, "accept", ""), E(OTHER, "access-control-allow-origin", ""), E(OTHER, "age", ""), E(OTHER, "allow", ""),
	E(OTHER, "authorization", ""), E(OTHER, "cache-control", ""), E(OTHER, "content-disposition", ""),
	E(OTHER, "content-encoding", ""), E(OTHER, "content-language", ""), E(OTHER, "content-length", ""),
	E(OTHER, "content-location", ""), E(OTHER, "content-range", ""), E(OTHER, "content-type", ""), E(OTHER, "cookie", ""),
	E(OTHER, "date", ""), E(OTHER, "etag", ""), E(OTHER, "expect", ""), E(OTHER, "expires", ""), E(OTHER, "from", ""),
	E(HOST, "host", ""), E(OTHER, "if-match", ""), E(OTHER, "if-modified-since", ""), E(OTHER, "if-none-match", ""),
	E(OTHER, "if-range", ""), E(OTHER, "if-unmodified-since", ""), E(OTHER, "last-modified", ""), E(OTHER, "link", ""),
	E(OTHER, "location", ""), E(OTHER, "max-forwards", ""), E(OTHER, "proxy-authenticate", ""),
	E(OTHER, "proxy-authorization", ""), E(OTHER, "range", ""), E(OTHER, "referer", ""), E(OTHER, "refresh", ""),
	E(OTHER, "retry-after", ""), E(OTHER, "server", ""), E(OTHER, "set-cookie", ""), E(OTHER, "strict-transport-security", ""),
	E(OTHER, "transfer-encoding", ""), E(USER_AGENT, "user-agent", ""), E(OTHER, "vary", ""), E(OTHER, "via", ""),
	E(OTHER, "www-authenticate", "")
};

#undef E

static uint8_t
name_of(const uint8_t *b, uint32_t n)
{
	for (uint8_t i = 0; i < JJ_HPACK_NAMES; i++)
		if (n == kept_name[i].size && memcmp(b, kept_name[i].text, n) == 0)
			return i;
	return JJ_HPACK_OTHER;
}

/* ---- fields */

/* A value of a name that is kept. */
static bool
keep_field(jj_hpack_fields *f, uint8_t name, const uint8_t *bytes, uint32_t n, const jj_allocator *a)
{
	if (f->of[name].has && name != JJ_HPACK_STATUS)
		return true;
	f->of[name].has = true;
	f->of[name].value.n = 0;
	return jj_buffer_add(&f->of[name].value, bytes, n, a);
}

void
jj_hpack_fields_free(jj_hpack_fields *f, const jj_allocator *a)
{
	for (int i = 0; i < JJ_HPACK_NAMES; i++)
		jj_buffer_free(&f->of[i].value, a);
	memset(f, 0, sizeof(*f));
}

/* ---- the dynamic table (2.3.2, 4) */

static void
evict(jj_hpack *h, uint64_t most, const jj_allocator *a)
{
	while (h->table_size > most)
	{
		jj_hpack_entry *e = &h->entry[(h->newest + h->n - 1) % h->room];

		h->table_size -= e->name_size + e->value_size + 32;
		jj_release(a, e->kept);
		e->kept = NULL;
		h->n--;
	}
}

/* Add the field that was read. */
static bool
add_entry(jj_hpack *h, const jj_allocator *a)
{
	uint64_t	size = h->name_size + h->size + 32;
	jj_hpack_entry e = {.name = h->name};

	evict(h, size > h->table_max ? 0 : h->table_max - size, a);
	if (size > h->table_max)
		return true;			/* an entry larger than the table empties it (4.4) */
	e.name_size = (uint32_t) h->name_size;
	e.value_size = (uint32_t) h->size;
	if (h->n == h->room)
	{
		uint32_t	room = h->room == 0 ? 16 : 2 * h->room;
		jj_hpack_entry *ring = jj_alloc(a, room * sizeof(*ring));

		if (ring == NULL)
			return false;
		for (uint32_t i = 0; i < h->n; i++)
			ring[i] = h->entry[(h->newest + i) % h->room];
		jj_release(a, h->entry);
		h->entry = ring;
		h->room = room;
		h->newest = 0;
	}
	if (h->value.n > 0)
	{
		e.n_kept = h->value.n;
		e.kept = jj_alloc(a, e.n_kept);
		if (e.kept == NULL)
			return false;
		memcpy(e.kept, h->value.bytes, e.n_kept);
	}
	h->newest = (h->newest + h->room - 1) % h->room;
	h->entry[h->newest] = e;
	h->n++;
	h->table_size += (uint32_t) size;
	return true;
}

/* The entry with an index above those of the static table; NULL if there is none. */
static const jj_hpack_entry *
dynamic_entry(const jj_hpack *h, uint64_t index)
{
	if (index - STATIC_ENTRIES - 1 >= h->n)
		return NULL;
	return &h->entry[(h->newest + (index - STATIC_ENTRIES - 1)) % h->room];
}

void
jj_hpack_free(jj_hpack *h, const jj_allocator *a)
{
	evict(h, 0, a);
	jj_release(a, h->entry);
	h->entry = NULL;
	h->room = 0;
	jj_buffer_free(&h->value, a);
}

/* ---- field representations (6) */

/* Steps; a zeroed decoder is between two fields. */
enum
{
	AT_FIELD,
	IN_NUMBER,
	AT_STRING,
	IN_STRING
};

/* Goals of a number or a string. */
enum
{
	INDEX,						/* of a field */
	NAME_INDEX,
	TABLE_SIZE,
	NAME,
	VALUE
};

static jj_hpack_result
take_index(jj_hpack *h, jj_hpack_fields *out, const jj_allocator *a)
{
	const jj_hpack_entry *e;

	h->step = AT_FIELD;
	if (h->number >= 1 && h->number <= STATIC_ENTRIES)
	{
		uint8_t		name = static_table[h->number - 1].name;

		if (name == JJ_HPACK_OTHER || keep_field(out, name, (const uint8_t *) static_table[h->number - 1].value, static_table[h->number - 1].value_size, a))
			return JJ_HPACK_OK;
		return JJ_HPACK_MEMORY;
	}
	e = dynamic_entry(h, h->number);
	if (e == NULL)
		return JJ_HPACK_BAD;
	return e->name == JJ_HPACK_OTHER || keep_field(out, e->name, e->kept, e->n_kept, a) ? JJ_HPACK_OK : JJ_HPACK_MEMORY;
}

static jj_hpack_result
take_name_index(jj_hpack *h)
{
	h->step = AT_STRING;
	h->goal = VALUE;
	if (h->number == 0)
		h->goal = NAME;
	else if (h->number <= STATIC_ENTRIES)
	{
		h->name = static_table[h->number - 1].name;
		h->name_size = static_table[h->number - 1].name_size;
	}
	else
	{
		const jj_hpack_entry *e = dynamic_entry(h, h->number);

		if (e == NULL)
			return JJ_HPACK_BAD;
		h->name = e->name;
		h->name_size = e->name_size;
	}
	return JJ_HPACK_OK;
}

/* A string literal (5.2) is complete. */
static jj_hpack_result
end_string(jj_hpack *h, jj_hpack_fields *out, const jj_allocator *a)
{
	if (h->huffman && !is_padding(h))
		return JJ_HPACK_BAD;
	if (h->goal == NAME)
	{
		h->name = h->size <= NAME_BYTES ? name_of(h->text, (uint32_t) h->size) : JJ_HPACK_OTHER;
		h->name_size = h->size;
		h->step = AT_STRING;
		h->goal = VALUE;
		return JJ_HPACK_OK;
	}
	h->step = AT_FIELD;
	if (h->name != JJ_HPACK_OTHER)
	{
		if (h->size > JJ_HPACK_HOST_BYTES && kept_name[h->name].room == JJ_HPACK_HOST_BYTES)
			h->value.n = 0;
		if (!keep_field(out, h->name, h->value.bytes, h->value.n, a))
			return JJ_HPACK_MEMORY;
	}
	return !h->add || add_entry(h, a) ? JJ_HPACK_OK : JJ_HPACK_MEMORY;
}

static jj_hpack_result
take_number(jj_hpack *h, jj_hpack_fields *out, const jj_allocator *a)
{
	switch (h->goal)
	{
		case INDEX:
			return take_index(h, out, a);
		case NAME_INDEX:
			return take_name_index(h);
		case TABLE_SIZE:
			h->step = AT_FIELD;
			if (h->number > JJ_HPACK_MAX_TABLE)
				return JJ_HPACK_BAD;
			h->table_max = (uint32_t) h->number;
			evict(h, h->number, a);
			return JJ_HPACK_OK;
		default:				/* the length of a string */
			h->left = h->number;
			h->size = 0;
			h->bits = 0;
			h->n_bits = 0;
			h->value.n = 0;
			h->step = IN_STRING;
			return h->left > 0 ? JJ_HPACK_OK : end_string(h, out, a);
	}
}

/* The first byte of an integer, with a prefix of so many bits (5.1). */
static jj_hpack_result
begin_number(jj_hpack *h, uint8_t byte, unsigned bits, uint8_t goal, jj_hpack_fields *out, const jj_allocator *a)
{
	unsigned	most = (1u << bits) - 1;

	h->goal = goal;
	h->number = byte & most;
	h->shift = 0;
	h->step = IN_NUMBER;
	return h->number < most ? take_number(h, out, a) : JJ_HPACK_OK;
}

/* At most five bytes follow the prefix. */
static jj_hpack_result
continue_number(jj_hpack *h, uint8_t byte, jj_hpack_fields *out, const jj_allocator *a)
{
	h->number += (uint64_t) (byte & 127) << h->shift;
	h->shift += 7;
	if (!(byte & 128))
		return take_number(h, out, a);
	return h->shift <= 28 ? JJ_HPACK_OK : JJ_HPACK_BAD;
}

/* Decoded bytes of a string: keep what is needed. */
static bool
add_text(jj_hpack *h, const uint8_t *bytes, uint32_t n, const jj_allocator *a)
{
	uint64_t	room = h->goal == NAME ? NAME_BYTES : h->name == JJ_HPACK_OTHER ? 0 : kept_name[h->name].room;
	uint64_t	kept = h->size < room ? room - h->size : 0;

	if (kept > n)
		kept = n;
	if (h->goal == VALUE)
	{
		if (!jj_buffer_add(&h->value, bytes, (uint32_t) kept, a))
			return false;
	}
	else if (kept > 0)
		memcpy(h->text + h->size, bytes, kept);
	h->size += n;
	return true;
}

/* Bytes of a string; not more than are left of it. */
static jj_hpack_result
take_string(jj_hpack *h, const uint8_t *bytes, uint32_t n, jj_hpack_fields *out, const jj_allocator *a)
{
	h->left -= n;
	if (!h->huffman)
	{
		if (!add_text(h, bytes, n, a))
			return JJ_HPACK_MEMORY;
	}
	else
	{
		uint8_t		text[64];
		uint32_t	used = 0;
		int			symbol;

		for (;;)
		{
			while (h->n_bits <= 56 && n > 0)
			{
				h->bits |= (uint64_t) *bytes++ << (56 - h->n_bits);
				h->n_bits += 8;
				n--;
			}
			symbol = next_symbol(h);
			if (symbol == HUFFMAN_EOS)
				return JJ_HPACK_BAD;
			if (symbol >= 0)
				text[used++] = (uint8_t) symbol;
			if (symbol < 0 || used == sizeof(text))
			{
				if (!add_text(h, text, used, a))
					return JJ_HPACK_MEMORY;
				used = 0;
			}
			if (symbol < 0)
				break;
		}
	}
	return h->left > 0 ? JJ_HPACK_OK : end_string(h, out, a);
}

jj_hpack_result
jj_hpack_decode(jj_hpack *h, const uint8_t *bytes, uint32_t n, jj_hpack_fields *out, const jj_allocator *a)
{
	jj_hpack_result r = JJ_HPACK_OK;

	while (n > 0 && r == JJ_HPACK_OK)
	{
		uint8_t		b = *bytes;
		uint32_t	take = 1;

		switch (h->step)
		{
			case AT_FIELD:
				if (b & 0x80)
					r = begin_number(h, b, 7, INDEX, out, a);
				else if ((b & 0xe0) == 0x20)
					r = begin_number(h, b, 5, TABLE_SIZE, out, a);
				else
				{
					h->add = b & 0x40;
					r = begin_number(h, b, h->add ? 6 : 4, NAME_INDEX, out, a);
				}
				break;
			case IN_NUMBER:
				r = continue_number(h, b, out, a);
				break;
			case AT_STRING:
				h->huffman = b & 0x80;
				r = begin_number(h, b, 7, h->goal, out, a);
				break;
			default:			/* IN_STRING */
				take = h->left < n ? (uint32_t) h->left : n;
				r = take_string(h, bytes, take, out, a);
		}
		bytes += take;
		n -= take;
	}
	return r;
}

bool
jj_hpack_complete(const jj_hpack *h)
{
	return h->step == AT_FIELD;
}
