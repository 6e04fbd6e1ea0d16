/*
 * Errors and allocation helpers.
 */
#include "features/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jj_code
jj_fail(jj_error *err, jj_code code, const char *format,...)
{
	if (err != NULL)
	{
		va_list		args;

		err->code = code;
		err->sys_errno = 0;
		err->hint[0] = '\0';
		va_start(args, format);
		vsnprintf(err->message, sizeof(err->message), format, args);
		va_end(args);
	}
	return code;
}

void
jj_hint(jj_error *err, const char *format,...)
{
	if (err != NULL)
	{
		va_list		args;

		va_start(args, format);
		vsnprintf(err->hint, sizeof(err->hint), format, args);
		va_end(args);
	}
}

void *
jj_alloc_zero(const jj_allocator *a, size_t size)
{
	void	   *block = jj_alloc(a, size);

	if (block != NULL)
		memset(block, 0, size);
	return block;
}

void *
jj_regrow(const jj_allocator *a, void *block, size_t old_size, size_t new_size)
{
	void	   *grown = jj_alloc(a, new_size);

	if (grown == NULL)
		return NULL;
	if (block != NULL)
	{
		memcpy(grown, block, old_size < new_size ? old_size : new_size);
		jj_release(a, block);
	}
	return grown;
}

static void *
malloc_alloc(void *ctx, size_t size)
{
	(void) ctx;
	return malloc(size);
}

static void
malloc_release(void *ctx, void *block)
{
	(void) ctx;
	free(block);
}

jj_allocator
jj_malloc_allocator(void)
{
	jj_allocator a = {malloc_alloc, malloc_release, NULL};

	return a;
}
