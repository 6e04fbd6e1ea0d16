/*
 * Reading one side of an SSH connection.
 */
#include "extractors/ssh_side.h"

#include <string.h>

static inline uint32_t
get32(const uint8_t *b)
{
	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

/* ---- lines */

/* Whether a line of text may have the byte: printable ASCII, tab, or beyond ASCII. */
static inline bool
is_text(uint8_t c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* The first byte of [b, end) that no line of text has in it, CR and LF among them; end if there is none. */
static const uint8_t *
text_end(const uint8_t *b, const uint8_t *end)
{
	const uint64_t each = UINT64_C(0x0101010101010101);

	while (end - b >= 8)
	{
		uint64_t	x;
		uint64_t	del;

		/* eight bytes at a time: one of them is below 0x20, or 0x7f */
		memcpy(&x, b, 8);
		del = x ^ (each * 0x7f);
		if ((((x - each * 0x20) & ~x) | ((del - each) & ~del)) & (each * 0x80))
			break;
		b += 8;
	}
	while (b < end && is_text(*b))
		b++;
	return b;
}

jj_ssh_found
jj_ssh_find_line(jj_ssh_lines_at *at, const uint8_t *bytes, uint32_t n, uint32_t *used)
{
	const uint8_t *b = bytes;
	const uint8_t *end = bytes + n;

	while (b < end)
	{
		if (at->cr && *b != '\n')
			return JJ_SSH_NOT;
		if (!at->text)
		{
			if (*b == (uint8_t) "SSH-"[at->matched])
			{
				b++;
				if (++at->matched < 4)
					continue;
				*used = (uint32_t) (b - bytes);
				return JJ_SSH_LINE;
			}
			at->text = true;
		}
		b = text_end(b, end);
		if (b == end)
			break;
		if (*b == '\n')
		{
			memset(at, 0, sizeof(*at));
			at->banner = true;
		}
		else if (*b == '\r')
			at->cr = true;
		else
			return JJ_SSH_NOT;
		b++;
	}
	return JJ_SSH_MORE;
}

bool
jj_ssh_may_begin(const uint8_t *bytes, uint32_t n)
{
	jj_ssh_lines_at at = {0};
	uint32_t	used;

	return jj_ssh_find_line(&at, bytes, n, &used) != JJ_SSH_NOT;
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One number of a version: digits up to the end or stop; false if there are none, or more than a version has. */
static bool
read_number(const uint8_t *b, uint32_t n, uint32_t *o, uint32_t *value)
{
	uint32_t	start = *o;

	*value = 0;
	for (; *o < n && b[*o] >= '0' && b[*o] <= '9'; (*o)++)
	{
		if (*value >= 100000000)
			return false;
		*value = *value * 10 + (uint32_t) (b[*o] - '0');
	}
	return *o > start;
}

static bool
read_version(const uint8_t *b, uint32_t n, uint32_t version[2])
{
	uint32_t	o = 0;

	return read_number(b, n, &o, &version[0]) && o < n && b[o++] == '.' && read_number(b, n, &o, &version[1]) && o == n;
}

bool
jj_ssh_is_2(const jj_ssh_side *s)
{
	return s->has_version && (s->version[0] >= 2 || (s->version[0] == 1 && s->version[1] == 99));
}

/* The line behind "SSH-" is kept whole: protoversion, "-", softwareversion and comments. False without memory. */
static bool
end_line(jj_ssh_side *s, const jj_allocator *a)
{
	const uint8_t *b = s->kept.bytes;
	uint32_t	n = s->kept.n;
	uint32_t	dash = 0;

	s->step = JJ_SSH_STOPPED;
	if (n > 0 && b[n - 1] == '\r')
		n--;
	while (dash < n && b[dash] != '-' && !is_space(b[dash]))
		dash++;
	if (dash == 0 || dash == n || b[dash] != '-')
		return true;
	s->version_size = (uint8_t) (dash < JJ_SSH_SHOWN ? dash : JJ_SSH_SHOWN);
	s->software_size = (uint8_t) (n - dash - 1 < JJ_SSH_SHOWN ? n - dash - 1 : JJ_SSH_SHOWN);
	s->identification = jj_alloc(a, (size_t) s->version_size + s->software_size);
	if (s->identification == NULL)
		return false;
	memcpy(s->identification, b, s->version_size);
	memcpy(s->identification + s->version_size, b + dash + 1, s->software_size);
	s->has_version = read_version(b, dash, s->version);
	s->identified = true;
	if (jj_ssh_is_2(s))
		s->step = JJ_SSH_IN_PACKETS;
	return true;
}

/* Bytes taken of the identification line; *bad without memory. */
static uint32_t
read_line(jj_ssh_side *s, const uint8_t *b, uint32_t n, uint64_t offset, bool *bad, const jj_allocator *a)
{
	uint32_t	most = offset >= JJ_SSH_HEAD ? 0 : JJ_SSH_HEAD - (uint32_t) offset < n ? JJ_SSH_HEAD - (uint32_t) offset : n;
	const uint8_t *end = most > 0 ? memchr(b, '\n', most) : NULL;
	uint32_t	take = end != NULL ? (uint32_t) (end - b) : most;

	*bad = !jj_buffer_add(&s->kept, b, take, a);
	if (*bad)
		return 0;
	if (end == NULL)
	{
		if (offset + take >= JJ_SSH_HEAD)
			s->step = JJ_SSH_STOPPED;
		return take;
	}
	*bad = !end_line(s, a);
	s->kept.n = 0;
	return take + 1;
}

/* ---- packets */

bool
jj_ssh_name_lists(const uint8_t *payload, uint32_t n, jj_ssh_name list[JJ_SSH_LISTS])
{
	uint32_t	o = 1 + 16;		/* message number, cookie */

	for (unsigned i = 0; i < JJ_SSH_LISTS; i++)
	{
		if (n < o || n - o < 4 || n - o - 4 < get32(payload + o))
			return false;
		list[i].n = get32(payload + o);
		list[i].bytes = payload + o + 4;
		o += 4 + list[i].n;
	}
	return true;
}

/* A copy of exactly n > 0 bytes; false without memory. */
static bool
copy(uint8_t **out, uint32_t *size, const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	*out = jj_alloc(a, n);
	if (*out == NULL)
		return false;
	memcpy(*out, b, n);
	*size = n;
	return true;
}

/* The payload of a packet that was to be kept. False without memory. */
static bool
take_payload(jj_ssh_side *s, const jj_allocator *a)
{
	const uint8_t *b = s->kept.bytes;
	uint32_t	n = s->kept.n;
	jj_ssh_name list[JJ_SSH_LISTS];
	uint32_t	size;

	if (b[0] == JJ_SSH_KEXINIT)
		return !jj_ssh_name_lists(b, n, list) || copy(&s->kexinit, &s->kexinit_size, b, n, a);

	/* a reply begins with the string K_S */
	if (n < 5)
		return true;
	size = get32(b + 1);
	return size > n - 5 || !jj_ssh_is_key(b + 5, size) || copy(&s->host_key, &s->host_key_size, b + 5, size, a);
}

/* Whether the packet's payload is to be kept. */
static bool
is_kept(const jj_ssh_side *s, unsigned number, unsigned keep)
{
	if (number == JJ_SSH_KEXINIT)
		return (keep & JJ_SSH_KEEP_KEXINIT) && s->kexinit == NULL;
	return (number == JJ_SSH_KEXDH_REPLY || number == JJ_SSH_GEX_REPLY) && (keep & JJ_SSH_KEEP_HOST_KEY) && s->host_key == NULL;
}

/* The packet in head is complete, at this stream offset. False without memory. */
static bool
end_packet(jj_ssh_side *s, uint64_t offset, const jj_allocator *a)
{
	unsigned	number = s->head[5];

	if (s->kept.n > 0 && !take_payload(s, a))
		return false;
	s->kept.n = 0;
	s->head_size = 0;
	s->kex_packets += number >= 20 && number <= 49 && s->kex_packets < UINT32_MAX;
	s->client |= number == JJ_SSH_KEXDH_INIT || number == JJ_SSH_GEX_REQUEST;
	if (number == JJ_SSH_NEWKEYS)
	{
		s->newkeys = offset;
		s->step = JJ_SSH_KEYED;
	}
	return true;
}

/* Bytes taken of a packet; *bad without memory. */
static uint32_t
read_packet(jj_ssh_side *s, const uint8_t *b, uint32_t n, uint64_t offset, unsigned keep, bool *bad, const jj_allocator *a)
{
	uint32_t	length;
	uint32_t	take;

	if (s->head_size < sizeof(s->head))
	{
		s->head[s->head_size++] = *b;
		if (s->head_size < 5)
			return 1;
		length = get32(s->head);
		if (length > JJ_SSH_PACKET || length < (uint32_t) s->head[4] + 2)
			s->step = JJ_SSH_STOPPED;
		if (s->head_size < sizeof(s->head) || s->step == JJ_SSH_STOPPED)
			return 1;
		s->left = 4 + length - (uint32_t) sizeof(s->head);
		s->payload_left = 0;
		if (is_kept(s, *b, keep))
		{
			s->payload_left = length - s->head[4] - 2;
			*bad = !jj_buffer_add(&s->kept, b, 1, a);
		}
		if (s->left == 0 && !*bad)
			*bad = !end_packet(s, offset + 1, a);
		return 1;
	}
	take = n < s->left ? n : s->left;
	if (s->payload_left > 0)
	{
		uint32_t	part = take < s->payload_left ? take : s->payload_left;

		*bad = !jj_buffer_add(&s->kept, b, part, a);
		s->payload_left -= part;
	}
	s->left -= take;
	if (s->left == 0 && !*bad)
		*bad = !end_packet(s, offset + take, a);
	return take;
}

bool
jj_ssh_read(jj_ssh_side *s, const uint8_t *bytes, uint32_t n, uint64_t offset, unsigned keep, const jj_allocator *a)
{
	bool		bad = false;

	while (n > 0 && !bad && s->step < JJ_SSH_KEYED)
	{
		uint32_t	took = s->step == JJ_SSH_IN_LINE ? read_line(s, bytes, n, offset, &bad, a)
			: read_packet(s, bytes, n, offset, keep, &bad, a);

		bytes += took;
		n -= took;
		offset += took;
	}
	if (s->step >= JJ_SSH_KEYED)
		jj_buffer_free(&s->kept, a);
	return !bad;
}

void
jj_ssh_side_free(jj_ssh_side *s, const jj_allocator *a)
{
	jj_buffer_free(&s->kept, a);
	jj_release(a, s->identification);
	jj_release(a, s->kexinit);
	jj_release(a, s->host_key);
}
