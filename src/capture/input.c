/*
 * Source bytes: read(2) in large blocks, or memory, through a decompressor if
 * the data ask for one.
 */
#include "capture/input.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SKIPPABLE_HEADER 8		/* magic number and size, shared by zstd and lz4 (RFC 8878 section 3.1.2) */

const char *
jj_compression_name(jj_compression compression)
{
	switch (compression)
	{
		case JJ_PLAIN:
			break;
		case JJ_GZIP:
			return "gzip";
		case JJ_ZSTD:
			return "zstd";
		case JJ_LZ4:
			return "lz4";
	}
	return NULL;
}

jj_code
jj_read_fully(int fd, uint8_t *to, size_t size, uint64_t offset, size_t *got, jj_error *err)
{
	*got = 0;
	while (*got < size)
	{
		ssize_t		n = read(fd, to + *got, size - *got);

		if (n == 0)
			break;
		if (n < 0)
		{
			int			problem = errno;

			if (problem == EINTR)
				continue;
			jj_fail(err, JJ_ERR_IO, "could not read the capture at byte %" PRIu64 ": %s", offset + *got, strerror(problem));
			if (err != NULL)
				err->sys_errno = problem;
			return JJ_ERR_IO;
		}
		*got += (size_t) n;
	}
	return JJ_OK;
}

jj_code
jj_input_need(jj_input *in, size_t size, jj_error *err)
{
	size_t		have = in->end - in->pos;
	size_t		got;
	jj_code		code;

	if (have >= size || in->ended)
		return JJ_OK;

	if (size > in->capacity)
	{
		size_t		capacity = size + JJ_BLOCK_SIZE;
		uint8_t    *grown = jj_alloc(&in->a, capacity);

		if (grown == NULL)
			return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a read buffer of %zu bytes", capacity);
		memcpy(grown, in->data + in->pos, have);
		jj_release(&in->a, in->buffer);
		in->buffer = grown;
		in->capacity = capacity;
	}
	else if (in->pos > 0)
		memmove(in->buffer, in->buffer + in->pos, have);
	in->data = in->buffer;
	in->base += in->pos;
	in->pos = 0;
	in->end = have;

	if (in->unpack != NULL)
		code = jj_unpack_read(in->unpack, in->buffer + have, in->capacity - have, &got, err);
	else
		code = jj_read_fully(in->fd, in->buffer + have, in->capacity - have, in->base + have, &got, err);
	in->end += got;
	if (got < in->capacity - have)
		in->ended = true;
	return code;
}

jj_code
jj_input_skip(jj_input *in, uint64_t size, uint64_t *skipped, jj_error *err)
{
	*skipped = 0;
	for (;;)
	{
		size_t		have = in->end - in->pos;
		jj_code		code;

		if (have > size - *skipped)
			have = (size_t) (size - *skipped);
		in->pos += have;
		*skipped += have;
		if (*skipped == size || in->ended)
			return JJ_OK;
		code = jj_input_need(in, 1, err);
		if (code != JJ_OK)
			return code;
	}
}

uint64_t
jj_input_taken(const jj_input *in)
{
	return in->unpack != NULL ? jj_unpack_taken(in->unpack) : in->base + in->pos;
}

const char *
jj_input_damage(const jj_input *in)
{
	return in->unpack != NULL ? jj_unpack_damage(in->unpack) : NULL;
}

/*
 * Compression of the bytes at pos. A skippable frame, which zstd and lz4
 * share, says nothing: the frame behind it does. If that is neither's, zstd will
 * say what is wrong with it.
 */
static jj_code
recognise(jj_input *in, jj_compression *compression, jj_error *err)
{
	bool		skippable = false;

	*compression = JJ_PLAIN;
	for (;;)
	{
		const uint8_t *p;
		jj_code		code = jj_input_need(in, SKIPPABLE_HEADER, err);
		uint64_t	size;
		uint64_t	skipped;

		if (code != JJ_OK)
			return code;
		if (skippable)
			*compression = JJ_ZSTD;
		if (in->end - in->pos < 4)
			return JJ_OK;
		p = in->data + in->pos;
		if (p[0] == 0x1f && p[1] == 0x8b)
			*compression = JJ_GZIP;
		else if (memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
			*compression = JJ_ZSTD;
		else if (memcmp(p, "\x04\x22\x4d\x18", 4) == 0)
			*compression = JJ_LZ4;
		if (in->end - in->pos < SKIPPABLE_HEADER || (p[0] & 0xf0) != 0x50 || memcmp(p + 1, "\x2a\x4d\x18", 3) != 0)
			return JJ_OK;
		skippable = true;
		size = p[4] | (uint32_t) p[5] << 8 | (uint32_t) p[6] << 16 | (uint32_t) p[7] << 24;
		code = jj_input_skip(in, size + SKIPPABLE_HEADER, &skipped, err);
		if (code != JJ_OK)
			return code;
	}
}

jj_code
jj_input_open(jj_input *in, int fd, const uint8_t *bytes, size_t size, const jj_allocator *a, jj_error *err)
{
	jj_packed	packed;
	jj_code		code;
	uint8_t    *buffer;

	memset(in, 0, sizeof(*in));
	in->a = *a;
	in->fd = fd;
	if (fd < 0)
	{
		in->data = bytes;
		in->end = size;
		in->total = size;
		in->ended = true;
	}
	else
	{
		struct stat st;

		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
			in->total = (uint64_t) st.st_size;
		in->buffer = jj_alloc(a, JJ_BLOCK_SIZE);
		if (in->buffer == NULL)
			return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a read buffer of %d bytes", JJ_BLOCK_SIZE);
		in->capacity = JJ_BLOCK_SIZE;
		in->data = in->buffer;
	}

	code = recognise(in, &in->compression, err);
	if (code != JJ_OK || in->compression == JJ_PLAIN)
		return code;

	/* the window so far becomes the decompressor's input, a new one its output */
	buffer = jj_alloc(a, JJ_BLOCK_SIZE);
	if (buffer == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a read buffer of %d bytes", JJ_BLOCK_SIZE);
	packed.fd = fd;
	packed.data = in->data;
	packed.pos = in->pos;
	packed.end = in->end;
	packed.base = in->base;
	packed.buffer = in->buffer;
	packed.capacity = in->capacity;
	code = jj_unpack_open(&in->unpack, in->compression, &packed, a, err);
	if (code != JJ_OK)
	{
		jj_release(a, buffer);
		return code;
	}
	in->buffer = buffer;
	in->capacity = JJ_BLOCK_SIZE;
	in->data = buffer;
	in->pos = in->end = 0;
	in->base = 0;
	in->ended = false;
	return JJ_OK;
}

void
jj_input_close(jj_input *in)
{
	jj_unpack_close(in->unpack);
	in->unpack = NULL;
	jj_release(&in->a, in->buffer);
	in->buffer = NULL;
}
