/*
 * pcapng files (draft-ietf-opsawg-pcapng).
 *
 * A block is read when it is there as a whole; one that isn't needed is
 * stepped over and never held as a whole.
 */
#include "capture/reader_internal.h"

#include <inttypes.h>
#include <string.h>

#define BLOCK_HEADER 8			/* type and length; the length stands at the end, too */
#define BLOCK_MINIMUM 12
#define INTERFACE_FIXED 8
#define PACKET_FIXED 20

#define BLOCK_INTERFACE 1
#define BLOCK_OLD_PACKET 2
#define BLOCK_SIMPLE 3
#define BLOCK_ENHANCED 6

#define OPTION_END 0
#define OPTION_IF_NAME 2
#define OPTION_IF_TSRESOL 9
#define OPTION_IF_TSOFFSET 14

#define DEFAULT_RESOLUTION 6	/* microseconds */

/* Printable ASCII only: what can go into any message and any database. */
static void
copy_name(char *to, size_t room, const uint8_t *from, size_t size)
{
	size_t		n = 0;

	while (n < size && n + 1 < room && from[n] != '\0')
	{
		to[n] = from[n] >= ' ' && from[n] <= '~' ? (char) from[n] : '?';
		n++;
	}
	to[n] = '\0';
}

static jj_code
add_interface(jj_reader *r, const uint8_t *body, size_t size, jj_error *err)
{
	const bool	big = r->info.big_endian;
	uint8_t		resolution = DEFAULT_RESOLUTION;
	int64_t		offset = 0;
	size_t		at = INTERFACE_FIXED;
	uint32_t	number;
	jj_iface   *iface;
	jj_code		code = jj_reader_add_iface(r, &number, err);

	if (code != JJ_OK)
		return code;
	iface = &r->ifaces[number];
	iface->link = jj_get16(body, big);
	iface->snaplen = jj_get32(body + 4, big);
	iface->section = r->info.sections;

	while (size - at >= 4)
	{
		uint16_t	option = jj_get16(body + at, big);
		size_t		length = jj_get16(body + at + 2, big);
		size_t		padded = (length + 3) & ~(size_t) 3;
		const uint8_t *value = body + at + 4;

		if (option == OPTION_END)
			break;
		at += 4;
		if (length > size - at)
			length = size - at;
		if (option == OPTION_IF_NAME)
			copy_name(iface->name, sizeof(iface->name), value, length);
		else if (option == OPTION_IF_TSRESOL && length >= 1)
			resolution = value[0];
		else if (option == OPTION_IF_TSOFFSET && length >= 8)
		{
			uint64_t	bits = big ? (uint64_t) jj_get32(value, big) << 32 | jj_get32(value + 4, big)
				: (uint64_t) jj_get32(value + 4, big) << 32 | jj_get32(value, big);

			offset = bits > INT64_MAX ? -(int64_t) (UINT64_MAX - bits) - 1 : (int64_t) bits;
		}
		at += padded < size - at ? padded : size - at;
	}
	jj_clock_set(&r->clocks[number], resolution, offset);
	iface->ticks_per_second = r->clocks[number].per_second;
	iface->offset_seconds = offset;
	return JJ_OK;
}

/* Whether the packet's interface is described. If not, the packet counts and is left out. */
static bool
usable(jj_reader *r, uint32_t iface)
{
	if (JJ_LIKELY(iface < r->info.iface_count - r->section_first))
		return true;
	r->info.unusable++;
	if (!r->told_unusable)
	{
		r->told_unusable = true;
		jj_reader_warn(r, "frame %" PRIu64 " at %s belongs to interface %" PRIu32 ", which its section does not describe; such frames are left out",
					   r->info.packets, jj_reader_place(r).text, iface);
	}
	return false;
}

/* An enhanced or old packet block. *got says whether it gave a frame; a packet that doesn't fit ends the reading. */
static void
packet_block(jj_reader *r, const uint8_t *body, size_t size, bool enhanced, jj_frame *f, bool *got)
{
	const bool	big = r->info.big_endian;
	uint32_t	iface = enhanced ? jj_get32(body, big) : jj_get16(body, big);
	uint64_t	ticks = (uint64_t) jj_get32(body + 4, big) << 32 | jj_get32(body + 8, big);
	uint32_t	caplen = jj_get32(body + 12, big);
	uint32_t	wirelen = jj_get32(body + 16, big);

	*got = false;
	r->info.packets++;
	if (!usable(r, iface))
		return;
	if (caplen > size - PACKET_FIXED)
	{
		jj_reader_stop(r, "frame %" PRIu64 " at %s claims a length of %" PRIu32 " bytes, its block has room for %zu; reading ends there",
					   r->info.packets, jj_reader_place(r).text, caplen, size - PACKET_FIXED);
		r->info.packets--;
		return;
	}
	iface += r->section_first;
	r->last_ts = jj_clock_ns(&r->clocks[iface], ticks);
	r->ifaces[iface].packets++;
	f->ts = r->last_ts;
	f->index = r->info.packets;
	f->data = body + PACKET_FIXED;
	f->caplen = caplen;
	f->wirelen = wirelen > caplen ? wirelen : caplen;
	f->link = r->ifaces[iface].link;
	f->iface = iface;
	*got = true;
}

/* A simple packet block: no time, no captured length, interface 0. */
static void
simple_block(jj_reader *r, const uint8_t *body, size_t size, jj_frame *f, bool *got)
{
	const jj_iface *iface;

	*got = false;
	r->info.packets++;
	if (!usable(r, 0))
		return;
	iface = &r->ifaces[r->section_first];
	r->ifaces[r->section_first].packets++;
	f->ts = r->last_ts;
	f->index = r->info.packets;
	f->data = body + 4;
	f->wirelen = jj_get32(body, r->info.big_endian);
	f->caplen = f->wirelen < size - 4 ? f->wirelen : (uint32_t) (size - 4);
	if (iface->snaplen != 0 && f->caplen > iface->snaplen)
		f->caplen = iface->snaplen;
	f->link = iface->link;
	f->iface = r->section_first;
	*got = true;
}

/* The next block's type and length. false if the reading ends here. */
static bool
block_header(jj_reader *r, uint32_t *type, uint32_t *length)
{
	const jj_input *in = &r->in;
	const uint8_t *p = in->data + in->pos;
	const uint64_t frames = r->info.packets;

	if (in->end - in->pos < BLOCK_MINIMUM)
	{
		if (in->end == in->pos)
			jj_reader_finish(r);
		else
			jj_reader_cut(r, "the file ends inside the header of the block at %s, after frame %" PRIu64,
						   jj_reader_place(r).text, frames);
		return false;
	}
	*type = jj_get32(p, r->info.big_endian);
	if (JJ_UNLIKELY(*type == JJ_SECTION_TYPE))	/* reads the same in both byte orders */
	{
		if (memcmp(p + 8, "\x1a\x2b\x3c\x4d", 4) == 0)
			r->info.big_endian = true;
		else if (memcmp(p + 8, "\x4d\x3c\x2b\x1a", 4) == 0)
			r->info.big_endian = false;
		else
		{
			jj_reader_stop(r, "the section header at %s has no valid byte order mark; reading ends after %" PRIu64 " frames",
						   jj_reader_place(r).text, frames);
			return false;
		}
	}
	*length = jj_get32(p + 4, r->info.big_endian);
	if (JJ_UNLIKELY(*length < BLOCK_MINIMUM || *length % 4 != 0))
	{
		jj_reader_stop(r, "the block at %s claims a length of %" PRIu32 " bytes, which is impossible; reading ends after %" PRIu64 " frames",
					   jj_reader_place(r).text, *length, frames);
		return false;
	}
	return true;
}

static void
cut_block(jj_reader *r, jj_place place, uint32_t length, uint64_t have)
{
	jj_reader_cut(r, "the file ends inside the block at %s, after frame %" PRIu64 ": %" PRIu64 " of %" PRIu32 " bytes are there",
				   place.text, r->info.packets, have, length);
}

/* A block without use for us: step over it. */
static jj_code
skip_block(jj_reader *r, uint32_t type, uint32_t length, jj_error *err)
{
	jj_place	place = jj_reader_place(r);
	uint64_t	skipped;
	jj_code		code = jj_input_skip(&r->in, length, &skipped, err);

	if (code != JJ_OK)
		return code;
	if (skipped < length)
		cut_block(r, place, length, skipped);
	else if (type == JJ_SECTION_TYPE)
	{
		r->info.sections++;
		r->section_first = r->info.iface_count;
	}
	return JJ_OK;
}

/* A block that is in the window as a whole. */
static jj_code
use_block(jj_reader *r, uint32_t type, uint32_t length, jj_frame *f, bool *got, jj_error *err)
{
	const uint8_t *body = r->in.data + r->in.pos + BLOCK_HEADER;
	const size_t size = length - BLOCK_MINIMUM;
	const size_t least = type == BLOCK_INTERFACE ? INTERFACE_FIXED : type == BLOCK_SIMPLE ? 4 : PACKET_FIXED;
	jj_code		code = JJ_OK;

	*got = false;
	if (size < least)
	{
		if (!r->told_short)
		{
			r->told_short = true;
			jj_reader_warn(r, "the block of type %" PRIu32 " at %s is too short with %" PRIu32 " bytes; such blocks are left out",
						   type, jj_reader_place(r).text, length);
		}
	}
	else if (type == BLOCK_ENHANCED || type == BLOCK_OLD_PACKET)
		packet_block(r, body, size, type == BLOCK_ENHANCED, f, got);
	else if (type == BLOCK_SIMPLE)
		simple_block(r, body, size, f, got);
	else if (r->info.iface_count == JJ_MAX_IFACES)
		jj_reader_stop(r, "the block at %s describes another interface after %d of them; reading ends after %" PRIu64 " frames",
					   jj_reader_place(r).text, JJ_MAX_IFACES, r->info.packets);
	else
		code = add_interface(r, body, size, err);
	if (code == JJ_OK && !r->finished)
		r->in.pos += length;
	return code;
}

jj_code
jj_pcapng_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err)
{
	jj_input   *in = &r->in;

	*count = 0;
	while (*count < max)
	{
		uint32_t	type;
		uint32_t	length;
		bool		got;
		jj_code		code;

		if (JJ_UNLIKELY(in->end - in->pos < BLOCK_MINIMUM))
		{
			/* frames given so far must stay where they are */
			if (*count > 0)
				return JJ_OK;
			code = jj_input_need(in, BLOCK_MINIMUM, err);
			if (code != JJ_OK)
				return code;
		}
		if (!block_header(r, &type, &length))
			return JJ_OK;

		if (type != BLOCK_ENHANCED && type != BLOCK_SIMPLE && type != BLOCK_OLD_PACKET && type != BLOCK_INTERFACE)
		{
			if (*count > 0 && in->end - in->pos < length)
				return JJ_OK;
			code = skip_block(r, type, length, err);
			if (code != JJ_OK || r->finished)
				return code;
			continue;
		}

		if (JJ_UNLIKELY(length > JJ_MAX_BLOCK))
		{
			jj_reader_stop(r, "the block at %s claims a length of %" PRIu32 " bytes, more than the %d that are possible; reading ends after %" PRIu64 " frames",
						   jj_reader_place(r).text, length, JJ_MAX_BLOCK, r->info.packets);
			return JJ_OK;
		}
		if (JJ_UNLIKELY(in->end - in->pos < length))
		{
			if (*count > 0)
				return JJ_OK;
			code = jj_input_need(in, length, err);
			if (code != JJ_OK)
				return code;
			if (in->end - in->pos < length)
			{
				cut_block(r, jj_reader_place(r), length, in->end - in->pos);
				return JJ_OK;
			}
		}
		code = use_block(r, type, length, &frames[*count], &got, err);
		if (code != JJ_OK || r->finished)
			return code;
		*count += got;
	}
	return JJ_OK;
}
