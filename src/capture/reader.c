/*
 * Opening a capture, and what is common to its formats.
 */
#include "capture/reader_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void keep_warning(jj_reader *r, const char *format, va_list args)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 0)))
#endif
;

static void
keep_warning(jj_reader *r, const char *format, va_list args)
{
	if (r->warning_count < JJ_MAX_WARNINGS)
		vsnprintf(r->warnings[r->warning_count++], JJ_MESSAGE_SIZE, format, args);
}

void
jj_reader_warn(jj_reader *r, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	keep_warning(r, format, args);
	va_end(args);
}

void
jj_reader_stop(jj_reader *r, const char *format,...)
{
	va_list		args;

	r->finished = true;
	r->info.truncated = true;
	va_start(args, format);
	keep_warning(r, format, args);
	va_end(args);
}

void
jj_reader_finish(jj_reader *r)
{
	const char *damage = jj_input_damage(&r->in);

	r->finished = true;
	if (damage != NULL)
		jj_reader_stop(r, "%s; reading ends after %" PRIu64 " frames", damage, r->info.packets);
}

void
jj_reader_cut(jj_reader *r, const char *format,...)
{
	va_list		args;

	jj_reader_finish(r);
	if (r->info.truncated)
		return;
	r->info.truncated = true;
	va_start(args, format);
	keep_warning(r, format, args);
	va_end(args);
}

jj_place
jj_reader_place(const jj_reader *r)
{
	jj_place	place;

	snprintf(place.text, sizeof(place.text), "byte %" PRIu64 "%s", r->in.base + r->in.pos,
			 r->in.unpack != NULL ? " of the decompressed data" : "");
	return place;
}

jj_code
jj_reader_add_iface(jj_reader *r, uint32_t *number, jj_error *err)
{
	const uint32_t have = r->info.iface_count;

	if (have == r->iface_capacity)
	{
		uint32_t	capacity = have == 0 ? 4 : 2 * have;
		jj_iface   *ifaces = jj_alloc(&r->a, capacity * sizeof(jj_iface));
		jj_clock   *clocks = jj_alloc(&r->a, capacity * sizeof(jj_clock));

		if (ifaces == NULL || clocks == NULL)
		{
			jj_release(&r->a, ifaces);
			jj_release(&r->a, clocks);
			return jj_fail(err, JJ_ERR_NOMEM, "out of memory for %" PRIu32 " interfaces", capacity);
		}
		if (have > 0)
		{
			memcpy(ifaces, r->ifaces, have * sizeof(jj_iface));
			memcpy(clocks, r->clocks, have * sizeof(jj_clock));
		}
		jj_release(&r->a, r->ifaces);
		jj_release(&r->a, r->clocks);
		r->info.ifaces = r->ifaces = ifaces;
		r->clocks = clocks;
		r->iface_capacity = capacity;
	}
	memset(&r->ifaces[have], 0, sizeof(jj_iface));
	memset(&r->clocks[have], 0, sizeof(jj_clock));
	*number = have;
	r->info.iface_count++;
	return JJ_OK;
}

static bool
pcap_magic(jj_reader *r, const uint8_t *p)
{
	static const struct
	{
		uint32_t	magic;
		jj_format	format;
		uint32_t	tick;
	}			kinds[] =
	{
		{0xa1b2c3d4, JJ_FORMAT_PCAP, 1000},
		{0xa1b23c4d, JJ_FORMAT_PCAP, 1},
		{0xa1b2cd34, JJ_FORMAT_PCAP_MODIFIED, 1000}
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		r->info.big_endian = jj_get32(p, true) == kinds[i].magic;
		if (r->info.big_endian || jj_get32(p, false) == kinds[i].magic)
		{
			r->info.format = kinds[i].format;
			r->tick = kinds[i].tick;
			return true;
		}
	}
	return false;
}

/* Recognise the format by the first bytes and take in the file header. */
static jj_code
begin(jj_reader *r, jj_error *err)
{
	jj_input   *in = &r->in;
	jj_code		code = jj_input_need(in, JJ_PCAP_HEADER, err);
	const uint8_t *p = in->data + in->pos;
	size_t		have = in->end - in->pos;

	if (code != JJ_OK)
		return code;
	if (have >= JJ_PCAP_HEADER && pcap_magic(r, p))
		return jj_pcap_open(r, p, err);
	if (have >= JJ_SECTION_MINIMUM && jj_get32(p, true) == JJ_SECTION_TYPE)
	{
		r->info.big_endian = jj_get32(p + 8, true) == 0x1a2b3c4d;
		if (r->info.big_endian || jj_get32(p + 8, false) == 0x1a2b3c4d)
		{
			r->info.format = JJ_FORMAT_PCAPNG;
			return JJ_OK;
		}
	}
	return jj_not_a_capture(in, err);
}

static jj_code
open_source(jj_reader **out, int fd, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err)
{
	jj_reader  *r = jj_alloc_zero(a, sizeof(jj_reader));
	jj_code		code;

	*out = NULL;
	if (r == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a capture reader");
	r->a = *a;
	code = jj_input_open(&r->in, fd, bytes, size, a, err);
	if (code == JJ_OK)
		code = begin(r, err);
	if (code != JJ_OK)
	{
		jj_reader_close(r);
		return code;
	}
	r->info.compression = r->in.compression;
	r->info.bytes_total = r->in.total;
	r->info.bytes_in = jj_input_taken(&r->in);
	*out = r;
	return JJ_OK;
}

jj_code
jj_reader_open_fd(jj_reader **out, int fd, const jj_allocator *a, jj_error *err)
{
	*out = NULL;
	if (fd < 0)
		return jj_fail(err, JJ_ERR_ARGUMENT, "file descriptor %d is not valid", fd);
	return open_source(out, fd, NULL, 0, a, err);
}

jj_code
jj_reader_open_memory(jj_reader **out, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err)
{
	return open_source(out, -1, size > 0 ? bytes : (const uint8_t *) "", size, a, err);
}

jj_code
jj_reader_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err)
{
	jj_code		code;

	*count = 0;
	if (r->failure.code != JJ_OK)
	{
		if (err != NULL)
			*err = r->failure;
		return r->failure.code;
	}
	if (r->finished || max == 0)
		return JJ_OK;
	code = r->info.format == JJ_FORMAT_PCAPNG ? jj_pcapng_next(r, frames, max, count, &r->failure)
		: jj_pcap_next(r, frames, max, count, &r->failure);
	r->info.bytes_in = jj_input_taken(&r->in);
	if (code == JJ_OK || *count > 0)
		return JJ_OK;
	if (err != NULL)
		*err = r->failure;
	return code;
}

const jj_reader_info *
jj_reader_info_get(const jj_reader *r)
{
	return &r->info;
}

const char *
jj_reader_warning(const jj_reader *r, uint32_t i)
{
	return i < r->warning_count ? r->warnings[i] : NULL;
}

void
jj_reader_close(jj_reader *r)
{
	jj_allocator a;

	if (r == NULL)
		return;
	a = r->a;
	jj_input_close(&r->in);
	jj_release(&a, r->ifaces);
	jj_release(&a, r->clocks);
	jj_release(&a, r);
}
