/*
 * libFuzzer target for the capture reader.
 *
 * Input: one byte that gives the number of frames per call (1 to 64), then the
 * file. It is read from memory; if it is small, also from a pipe, which
 * must give the same.
 */
#include "capture/reader.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

#define LARGEST_BATCH 64
#define PIPE_ROOM 4096			/* what any pipe takes without a reader */
#define MAX_FRAMES 200000		/* enough of a decompression bomb */
#define MAX_BYTES (16 * 1024 * 1024)

/* Gives up beyond a sum that no input of reasonable size should need. */
typedef struct limited
{
	size_t		blocks;
	size_t		bytes;
} limited;

#define LIMIT (40 * 1024 * 1024)
#define HEADER 16

static void *
limited_alloc(void *ctx, size_t size)
{
	limited    *l = ctx;
	uint8_t    *p = malloc(size + HEADER);

	CHECK(p != NULL);
	memcpy(p, &size, sizeof(size));
	l->blocks++;
	l->bytes += size;
	CHECK(l->bytes < LIMIT);
	return p + HEADER;
}

static void
limited_release(void *ctx, void *block)
{
	limited    *l = ctx;
	uint8_t    *p = (uint8_t *) block - HEADER;
	size_t		size;

	memcpy(&size, p, sizeof(size));
	l->blocks--;
	l->bytes -= size;
	free(p);
}

static void
check_text(const char *text)
{
	size_t		n = strlen(text);

	CHECK(n > 0 && n < JJ_MESSAGE_SIZE);
	for (size_t i = 0; i < n; i++)
		CHECK(text[i] >= ' ' && text[i] <= '~');
}

static uint64_t
mix(uint64_t sum, uint64_t v)
{
	return (sum ^ v) * 1099511628211u;
}

/* Everything the reader says of the source, in one number. */
static uint64_t
read_all(jj_reader *r, uint32_t batch)
{
	const jj_reader_info *info = jj_reader_info_get(r);
	jj_frame	frames[LARGEST_BATCH];
	uint64_t	sum = 1;
	uint64_t	count = 0;
	uint64_t	bytes = 0;
	uint64_t	index = 0;
	uint64_t	of_ifaces = 0;
	uint32_t	n;
	uint32_t	warnings = 0;
	jj_error	err;

	for (;;)
	{
		CHECK(jj_reader_next(r, frames, batch, &n, &err) == JJ_OK);
		CHECK(n <= batch);
		if (n == 0)
			break;
		for (uint32_t i = 0; i < n; i++)
		{
			const jj_frame *f = &frames[i];

			CHECK(f->index > index && f->index <= info->packets);
			index = f->index;
			CHECK(f->iface < info->iface_count);
			CHECK(f->link == info->ifaces[f->iface].link && f->link <= 0xffff);
			CHECK(f->wirelen >= f->caplen);
			CHECK(info->format == JJ_FORMAT_PCAPNG || (f->caplen <= JJ_MAX_RECORD && f->iface == 0 && f->ts >= 0));
			sum = mix(mix(mix(mix(sum, (uint64_t) f->ts), f->index), (uint64_t) f->caplen << 32 | f->wirelen), f->iface);
			for (uint32_t k = 0; k < f->caplen; k++)
				sum = mix(sum, f->data[k]);
			bytes += f->caplen;
		}
		count += n;
		if (count > MAX_FRAMES || bytes > MAX_BYTES)
			return 0;
	}
	CHECK(jj_reader_next(r, frames, batch, &n, &err) == JJ_OK && n == 0);
	CHECK(info->packets == count + info->unusable);
	CHECK(info->bytes_total == 0 || info->bytes_in <= info->bytes_total);
	for (uint32_t i = 0; i < info->iface_count; i++)
	{
		const jj_iface *iface = &info->ifaces[i];

		of_ifaces += iface->packets;
		CHECK(iface->section >= 1 && iface->section <= info->sections);
		CHECK(memchr(iface->name, '\0', sizeof(iface->name)) != NULL);
		if (iface->name[0] != '\0')
			check_text(iface->name);
	}
	CHECK(of_ifaces == count);
	for (const char *w; (w = jj_reader_warning(r, warnings)) != NULL; warnings++)
	{
		check_text(w);
		for (size_t i = 0; w[i] != '\0'; i++)
			sum = mix(sum, (uint8_t) w[i]);
	}
	CHECK(warnings <= JJ_MAX_WARNINGS);
	CHECK(warnings > 0 || (!info->truncated && info->unusable == 0));
	return mix(mix(mix(sum, info->bytes_in), info->truncated), info->iface_count);
}

static void
check_failure(jj_code code, const jj_reader *r, const jj_error *err)
{
	CHECK(r == NULL && code == JJ_ERR_FORMAT && err->code == code);
	check_text(err->message);
	check_text(err->hint);
}

static uint64_t
from_pipe(const uint8_t *data, size_t size, uint32_t batch, const jj_allocator *a)
{
	int			ends[2];
	jj_reader  *r;
	jj_error	err;
	jj_code		code;
	uint64_t	sum = 0;

	CHECK(pipe(ends) == 0);
	CHECK(write(ends[1], data, size) == (ssize_t) size);
	close(ends[1]);
	code = jj_reader_open_fd(&r, ends[0], a, &err);
	if (code == JJ_OK)
		sum = read_all(r, batch);
	else
		check_failure(code, r, &err);
	jj_reader_close(r);
	close(ends[0]);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	limited		memory = {0};
	jj_allocator a = {limited_alloc, limited_release, &memory};
	jj_reader  *r;
	jj_error	err;
	jj_code		code;
	uint32_t	batch;
	uint64_t	sum = 0;

	if (size == 0)
		return 0;
	batch = data[0] % LARGEST_BATCH + 1;
	data++;
	size--;
	code = jj_reader_open_memory(&r, data, size, &a, &err);
	if (code == JJ_OK)
		sum = read_all(r, batch);
	else
		check_failure(code, r, &err);
	jj_reader_close(r);
	CHECK(memory.blocks == 0);
	if (size > 0 && size <= PIPE_ROOM)
		CHECK(from_pipe(data, size, LARGEST_BATCH - batch + 1, &a) == sum);
	CHECK(memory.blocks == 0);
	return 0;
}
