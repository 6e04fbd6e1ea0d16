/*
 * pcapng: sections, interfaces and packet blocks.
 * Source: draft-ietf-opsawg-pcapng.
 */
#include "capture/reader_internal.h"
#include "features/stats.h"

#include <inttypes.h>

enum
{
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2,			/* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6
};

#define BLOCK_SECTION 0x0A0D0D0A
#define OPTION_NAME 2
#define OPTION_TSRESOL 9
#define OPTION_TSOFFSET 14

/* Longer blocks are passed over if they hold no packet, else taken for damage. */
#define MAX_BLOCK (16 * 1024 * 1024)

static uint64_t
power_of_ten(unsigned n)
{
	uint64_t	p = 1;

	while (n-- > 0)
		p *= 10;
	return p;
}

/* Ticks of an interface to ns since the epoch, rounded down, saturating. */
static int64_t
to_ns(const jj_iface *i, uint64_t ticks)
{
	unsigned	exponent = i->resolution & 0x7f;
	uint64_t	ns;
	int64_t		offset;

	if (i->resolution & 0x80)
	{
		jj_u128		p = jj_u128_mul(ticks, 1000000000);

		if (exponent >= 64)
			ns = exponent >= 128 ? 0 : p.hi >> (exponent - 64);
		else if (exponent == 0)
			ns = p.hi != 0 ? UINT64_MAX : p.lo;
		else
			ns = p.hi >> exponent != 0 ? UINT64_MAX : p.hi << (64 - exponent) | p.lo >> exponent;
	}
	else if (exponent <= 9)
	{
		uint64_t	factor = power_of_ten(9 - exponent);

		ns = ticks > UINT64_MAX / factor ? UINT64_MAX : ticks * factor;
	}
	else
		ns = exponent - 9 > 19 ? 0 : ticks / power_of_ten(exponent - 9);
	if (i->offset_seconds > INT64_MAX / 1000000000)
		return INT64_MAX;
	if (i->offset_seconds < INT64_MIN / 1000000000)
		offset = INT64_MIN;
	else
		offset = i->offset_seconds * 1000000000;
	if (offset >= 0)
		return ns > (uint64_t) (INT64_MAX - offset) ? INT64_MAX : (int64_t) ns + offset;
	/* offset + ns, which may exceed INT64_MAX only if ns does */
	if (ns > (uint64_t) INT64_MAX + (uint64_t) -(offset + 1) + 1)
		return INT64_MAX;
	return (int64_t) ((uint64_t) offset + ns);
}

/* An interface description block's body. */
static bool
read_interface(jj_reader *r, const uint8_t *b, size_t n)
{
	jj_iface   *i = jj_reader_new_iface(r);
	size_t		o = 8;

	if (i == NULL)
		return false;
	i->link = get16(r, b);
	i->snaplen = get32(r, b + 4);
	i->resolution = 6;
	while (o + 4 <= n)
	{
		uint16_t	code = get16(r, b + o);
		size_t		length = get16(r, b + o + 2);
		const uint8_t *value = b + o + 4;

		if (code == 0)
			break;
		if (length > n - o - 4)
			length = n - o - 4;
		if (code == OPTION_TSRESOL && length >= 1)
			i->resolution = value[0];
		else if (code == OPTION_TSOFFSET && length >= 8)
		{
			uint64_t	lo = get32(r, value + (r->info.big_endian ? 4 : 0));
			uint64_t	hi = get32(r, value + (r->info.big_endian ? 0 : 4));

			i->offset_seconds = (int64_t) (hi << 32 | lo);
		}
		else if (code == OPTION_NAME)
		{
			size_t		size = length < sizeof(i->name) ? length : sizeof(i->name) - 1;

			memcpy(i->name, value, size);
			i->name[size] = '\0';
		}
		o += 4 + (length + 3) / 4 * 4;
	}
	if (i->resolution & 0x80)
		i->ticks_per_second = (i->resolution & 0x7f) < 64 ? UINT64_C(1) << (i->resolution & 0x7f) : 0;
	else
		i->ticks_per_second = i->resolution <= 19 ? power_of_ten(i->resolution) : 0;
	return true;
}

/* Byte order from a section header at b; false if it has none. */
static bool
start_section(jj_reader *r, const uint8_t *b)
{
	static const uint16_t one = 1;
	bool		big_machine = *(const uint8_t *) &one == 0;

	if (memcmp(b + 8, "\x1a\x2b\x3c\x4d", 4) == 0)
		r->info.big_endian = true;
	else if (memcmp(b + 8, "\x4d\x3c\x2b\x1a", 4) == 0)
		r->info.big_endian = false;
	else
		return false;
	r->swap = r->info.big_endian != big_machine;
	r->section_first = r->info.iface_count;
	r->info.sections++;
	return true;
}

jj_code
jj_pcapng_open(jj_reader *r, jj_error *err)
{
	r->info.format = JJ_FORMAT_PCAPNG;
	if (!jj_reader_fill(r, 12))
	{
		if (r->failure.code == JJ_OK)
			return jj_fail(err, JJ_ERR_FORMAT, "not a capture: a pcapng section header is cut after %zu bytes",
						   jj_input_left(&r->in));
		if (err != NULL)
			*err = r->failure;
		return r->failure.code;
	}
	if (memcmp(r->in.data + r->in.pos + 8, "\x1a\x2b\x3c\x4d", 4) != 0
		&& memcmp(r->in.data + r->in.pos + 8, "\x4d\x3c\x2b\x1a", 4) != 0)
		return jj_fail(err, JJ_ERR_FORMAT, "not a capture: a pcapng section header without its byte-order magic");
	return JJ_OK;
}

static void
damaged(jj_reader *r, const char *what, uint64_t value)
{
	jj_reader_warn(r, "block at byte %" PRIu64 " has %s %" PRIu64 "; read up to packet %" PRIu64,
				   jj_input_offset(&r->in), what, value, r->info.packets);
	r->info.truncated = true;
	r->ended = true;
}

/* A packet block's body of n bytes; false if it gives no frame. */
static bool
read_packet(jj_reader *r, uint32_t type, const uint8_t *b, size_t n, jj_frame *f)
{
	uint32_t	number;
	uint64_t	ticks = 0;
	size_t		header = 20;
	jj_iface   *i;

	if (type == BLOCK_SIMPLE)
	{
		number = 0;
		header = 4;
		f->wirelen = get32(r, b);
		f->caplen = f->wirelen < n - 4 ? f->wirelen : (uint32_t) (n - 4);
	}
	else
	{
		number = type == BLOCK_ENHANCED ? get32(r, b) : get16(r, b);
		ticks = (uint64_t) get32(r, b + 4) << 32 | get32(r, b + 8);
		f->caplen = get32(r, b + 12);
		f->wirelen = get32(r, b + 16);
	}
	if (number >= r->info.iface_count - r->section_first)
	{
		f->index = ++r->info.packets;
		if (r->info.unusable++ == 0)
			jj_reader_warn(r, "packet %" PRIu64 " names interface %" PRIu32 ", which is not described", f->index, number);
		return false;
	}
	if (f->caplen > n - header)
	{
		damaged(r, "room for fewer bytes than its packet of", f->caplen);
		return false;
	}
	f->index = ++r->info.packets;
	f->iface = r->section_first + number;
	i = &r->ifaces[f->iface];
	if (type == BLOCK_SIMPLE)
	{
		if (i->snaplen != 0 && f->caplen > i->snaplen)
			f->caplen = i->snaplen;
	}
	else
	{
		r->last_ts = to_ns(i, ticks);
		if (f->wirelen < f->caplen)
			f->wirelen = f->caplen;
	}
	i->packets++;
	f->ts = r->last_ts;
	f->data = b + header;
	f->link = i->link;
	return true;
}

/* Pass over the rest of a long block. False if the source ends in it. */
static bool
pass_over(jj_reader *r)
{
	while (r->skip > 0)
	{
		size_t		step;

		if (jj_input_left(&r->in) == 0 && !jj_reader_fill(r, 1))
			return false;
		step = jj_input_left(&r->in);
		if (step > r->skip)
			step = (size_t) r->skip;
		r->in.pos += step;
		r->skip -= step;
	}
	return true;
}

jj_code
jj_pcapng_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err)
{
	uint32_t	n = 0;

	while (n < max && !r->ended)
	{
		const uint8_t *b;
		uint32_t	type;
		uint32_t	length;
		bool		section;

		/* the window moves only while the batch is empty */
		if (jj_input_left(&r->in) < 12 && (n > 0 || !jj_reader_fill(r, 12)))
		{
			if (n == 0 && r->failure.code == JJ_OK && (jj_input_left(&r->in) > 0 || jj_input_damage(&r->in) != NULL))
				jj_reader_cut(r, "a block header");
			break;
		}
		b = r->in.data + r->in.pos;
		section = memcmp(b, "\n\r\r\n", 4) == 0;
		if (section && n > 0)
			break;				/* a section begins a batch, as it may change the byte order */
		if (section && !start_section(r, b))
		{
			damaged(r, "no byte-order magic but", get32(r, b + 8));
			break;
		}
		type = section ? BLOCK_SECTION : get32(r, b);
		length = get32(r, b + 4);
		if (length < 12 || length % 4 != 0)
		{
			if (n == 0)
				damaged(r, "an impossible length of", length);
			break;
		}
		if (length > MAX_BLOCK)
		{
			if (n > 0)
				break;
			if (type == BLOCK_ENHANCED || type == BLOCK_PACKET || type == BLOCK_SIMPLE || type == BLOCK_INTERFACE)
			{
				damaged(r, "an incredible length of", length);
				break;
			}
			r->skip = length;
			if (!pass_over(r))
			{
				if (r->failure.code == JJ_OK)
					jj_reader_cut(r, "a block");
				break;
			}
			continue;
		}
		if (jj_input_left(&r->in) < length)
		{
			if (n > 0)
				break;
			if (!jj_reader_fill(r, length))
			{
				if (r->failure.code == JJ_OK)
					jj_reader_cut(r, "a block");
				break;
			}
			b = r->in.data + r->in.pos;
		}
		if (type == BLOCK_INTERFACE && length >= 20)
		{
			if (!read_interface(r, b + 8, length - 12))
				return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
		}
		else if (((type == BLOCK_ENHANCED || type == BLOCK_PACKET) && length >= 32) || (type == BLOCK_SIMPLE && length >= 16))
		{
			if (read_packet(r, type, b + 8, length - 12, &frames[n]))
				n++;
		}
		if (!r->ended)
			r->in.pos += length;
	}
	*count = n;
	return JJ_OK;
}
