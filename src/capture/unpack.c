/*
 * Decompression of capture files.
 *
 * zstd and lz4 get no more input at a time than they ask for, about one block:
 * a call that fails gives none of its output, so that what came before a
 * damaged block isn't lost, and the byte named is that of the block.
 */
#include "capture/unpack.h"
#include "capture/input.h"

#include <inttypes.h>
#include <limits.h>
#include <lz4frame.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define GZIP_WINDOW_BITS (15 + 16)	/* largest window, gzip header alone */
#define LZ4_FIRST_HINT 7		/* smallest lz4 frame header */

struct jj_unpack
{
	jj_allocator a;
	jj_compression compression;
	jj_packed	in;
	bool		started;		/* inside a member or frame */
	bool		any;			/* one was complete */
	bool		ended;
	bool		gzip_ready;
	z_stream	gzip;
	ZSTD_DStream *zstd;
	LZ4F_dctx  *lz4;
	size_t		hint;			/* input the library asks for */
	char		damage[160];
};

static voidpf
gzip_alloc(voidpf opaque, uInt items, uInt size)
{
	const jj_allocator *a = opaque;

	if (size != 0 && items > SIZE_MAX / size)
		return Z_NULL;
	return jj_alloc(a, (size_t) items * size);
}

static void
gzip_release(voidpf opaque, voidpf block)
{
	jj_release((const jj_allocator *) opaque, block);
}

static jj_code
out_of_memory(const jj_unpack *u, jj_error *err)
{
	return jj_fail(err, JJ_ERR_NOMEM, "out of memory for decompressing %s data", jj_compression_name(u->compression));
}

jj_code
jj_unpack_open(jj_unpack **out, jj_compression compression, const jj_packed *packed, const jj_allocator *a, jj_error *err)
{
	jj_unpack  *u = jj_alloc_zero(a, sizeof(jj_unpack));
	bool		ready = false;

	*out = NULL;
	if (u == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory for decompressing %s data", jj_compression_name(compression));
	u->a = *a;
	u->compression = compression;
	switch (compression)
	{
		case JJ_PLAIN:
			break;
		case JJ_GZIP:
			u->gzip.zalloc = gzip_alloc;
			u->gzip.zfree = gzip_release;
			u->gzip.opaque = &u->a;
			ready = u->gzip_ready = inflateInit2(&u->gzip, GZIP_WINDOW_BITS) == Z_OK;
			break;
		case JJ_ZSTD:
			u->zstd = ZSTD_createDStream();
			if (u->zstd != NULL)
			{
				u->hint = ZSTD_initDStream(u->zstd);
				ready = !ZSTD_isError(u->hint);
			}
			break;
		case JJ_LZ4:
			ready = !LZ4F_isError(LZ4F_createDecompressionContext(&u->lz4, LZ4F_VERSION));
			u->hint = LZ4_FIRST_HINT;
			break;
	}
	if (!ready)
	{
		jj_code		code = out_of_memory(u, err);

		jj_unpack_close(u);
		return code;
	}
	u->in = *packed;
	*out = u;
	return JJ_OK;
}

/* Have unused input, unless there is no more. */
static jj_code
refill(jj_unpack *u, jj_error *err)
{
	jj_packed  *in = &u->in;
	size_t		got;
	jj_code		code;

	if (in->pos < in->end || in->buffer == NULL)
		return JJ_OK;
	in->base += in->end;
	in->pos = in->end = 0;
	code = jj_read_fully(in->fd, in->buffer, in->capacity, in->base, &got, err);
	in->end = got;
	return code;
}

static void
damaged(jj_unpack *u, const char *what)
{
	snprintf(u->damage, sizeof(u->damage), "%s data are damaged at byte %" PRIu64 ": %s",
			 jj_compression_name(u->compression), jj_unpack_taken(u), what);
	u->ended = true;
}

/*
 * What stands behind a complete gzip member: another one, zeros (tape blocks
 * padded by old tools), nothing, or what doesn't belong there.
 */
static jj_code
gzip_between(jj_unpack *u, jj_error *err)
{
	jj_packed  *in = &u->in;
	jj_code		code;

	for (;;)
	{
		code = refill(u, err);
		if (code != JJ_OK)
			return code;
		if (in->pos == in->end)
		{
			u->ended = true;
			return JJ_OK;
		}
		if (in->data[in->pos] != 0)
			break;
		in->pos++;
	}
	if (in->data[in->pos] != 0x1f)
		damaged(u, "what follows is no gzip member");
	return JJ_OK;
}

static jj_code
gzip_step(jj_unpack *u, uint8_t *to, size_t size, size_t *made, jj_error *err)
{
	jj_packed  *in = &u->in;
	size_t		given = in->end - in->pos;
	size_t		room = size;
	int			status;

	if (given > UINT_MAX)
		given = UINT_MAX;
	if (room > UINT_MAX)
		room = UINT_MAX;
	u->gzip.next_in = (z_const Bytef *) (uintptr_t) (in->data + in->pos);
	u->gzip.avail_in = (uInt) given;
	u->gzip.next_out = to;
	u->gzip.avail_out = (uInt) room;
	status = inflate(&u->gzip, Z_NO_FLUSH);
	in->pos += given - u->gzip.avail_in;
	*made = room - u->gzip.avail_out;

	if (status == Z_STREAM_END)
	{
		u->started = false;
		u->any = true;
		if (inflateReset(&u->gzip) != Z_OK)
			damaged(u, "the decompressor can't go on");
	}
	else if (status == Z_MEM_ERROR)
		return out_of_memory(u, err);
	else if (status != Z_OK && status != Z_BUF_ERROR)
		damaged(u, u->gzip.msg != NULL ? u->gzip.msg : "unknown error");
	return JJ_OK;
}

static jj_code
zstd_step(jj_unpack *u, uint8_t *to, size_t size, size_t *made, jj_error *err)
{
	jj_packed  *in = &u->in;
	size_t		given = in->end - in->pos;
	ZSTD_inBuffer from;
	ZSTD_outBuffer into = {to, size, 0};
	size_t		status;

	from.src = in->data + in->pos;
	from.size = given < u->hint ? given : u->hint;
	from.pos = 0;
	status = ZSTD_decompressStream(u->zstd, &into, &from);
	if (ZSTD_isError(status))
	{
		if (ZSTD_getErrorCode(status) == ZSTD_error_memory_allocation)
			return out_of_memory(u, err);
		damaged(u, ZSTD_getErrorName(status));
		return JJ_OK;
	}
	in->pos += from.pos;
	*made = into.pos;
	u->started = status != 0;
	u->any |= status == 0;
	u->hint = status != 0 ? status : ZSTD_initDStream(u->zstd);
	return JJ_OK;
}

static jj_code
lz4_step(jj_unpack *u, uint8_t *to, size_t size, size_t *made, jj_error *err)
{
	jj_packed  *in = &u->in;
	size_t		given = in->end - in->pos;
	size_t		room = size;
	size_t		status;

	if (given > u->hint)
		given = u->hint;
	status = LZ4F_decompress(u->lz4, to, &room, in->data + in->pos, &given, NULL);
	if (LZ4F_isError(status))
	{
		const char *name = LZ4F_getErrorName(status);

		if (strcmp(name, "ERROR_allocation_failed") == 0)
			return out_of_memory(u, err);
		damaged(u, name);
		return JJ_OK;
	}
	in->pos += given;
	*made = room;
	u->started = status != 0;
	u->any |= status == 0;
	u->hint = status != 0 ? status : LZ4_FIRST_HINT;
	return JJ_OK;
}

jj_code
jj_unpack_read(jj_unpack *u, uint8_t *to, size_t size, size_t *got, jj_error *err)
{
	*got = 0;
	while (*got < size && !u->ended)
	{
		size_t		made = 0;
		size_t		before;
		jj_code		code;

		if (u->compression == JJ_GZIP && !u->started && u->any)
		{
			code = gzip_between(u, err);
			if (code != JJ_OK)
				return code;
			if (u->ended)
				break;
		}
		code = refill(u, err);
		if (code != JJ_OK)
			return code;
		if (u->in.pos == u->in.end && !u->started && u->any)
		{
			u->ended = true;
			break;
		}

		/* without input there may still be output held back */
		u->started = true;
		before = u->in.pos;
		if (u->compression == JJ_GZIP)
			code = gzip_step(u, to + *got, size - *got, &made, err);
		else if (u->compression == JJ_ZSTD)
			code = zstd_step(u, to + *got, size - *got, &made, err);
		else
			code = lz4_step(u, to + *got, size - *got, &made, err);
		if (code != JJ_OK)
			return code;
		*got += made;
		if (made == 0 && u->in.pos == before && u->started && !u->ended)
			damaged(u, before == u->in.end ? "the end is missing" : "the decompressor can't go on");
	}
	return JJ_OK;
}

uint64_t
jj_unpack_taken(const jj_unpack *u)
{
	return u->in.base + u->in.pos;
}

const char *
jj_unpack_damage(const jj_unpack *u)
{
	return u->damage[0] != '\0' ? u->damage : NULL;
}

void
jj_unpack_close(jj_unpack *u)
{
	jj_allocator a;

	if (u == NULL)
		return;
	if (u->gzip_ready)
		inflateEnd(&u->gzip);
	ZSTD_freeDStream(u->zstd);
	LZ4F_freeDecompressionContext(u->lz4);
	a = u->a;
	jj_release(&a, u->in.buffer);
	jj_release(&a, u);
}
