/*
 * Allocation, results and errors: what every part of the engine shares.
 *
 * The engine is plain C11. It never aborts, never jumps and keeps no global
 * state: each function that can fail says so in its result.
 */
#ifndef JJ_BASE_H
#define JJ_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where the engine's memory comes from. alloc returns NULL when there is no
 * more (it must not jump); release takes back one block and ignores NULL.
 * Blocks are aligned for any type.
 */
typedef struct jj_allocator
{
	void	   *(*alloc) (void *ctx, size_t size);
	void		(*release) (void *ctx, void *block);
	void	   *ctx;
} jj_allocator;

typedef enum jj_code
{
	JJ_OK = 0,
	JJ_ERR_NOMEM,				/* the allocator gave NULL */
	JJ_ERR_IO,					/* read(2) or a decompressor's input failed */
	JJ_ERR_FORMAT,				/* not a capture, or a header that can't be used */
	JJ_ERR_LINK,				/* link type not supported */
	JJ_ERR_FILTER,				/* BPF expression does not compile */
	JJ_ERR_ARGUMENT,			/* a value out of its range */
	JJ_ERR_PERMISSION,			/* the system does not allow it */
	JJ_ERR_DEVICE,				/* there is no such interface, or not any more */
	JJ_ERR_DOWN,				/* the interface is down */
	JJ_ERR_STOPPED,				/* the caller asked for it */
	JJ_ERR_LIMIT,				/* more work than is allowed */
	JJ_ERR_LIBRARY				/* a library failed; the message is its own */
} jj_code;

#define JJ_MESSAGE_SIZE 256

/* What went wrong, in PostgreSQL's message style; sys_errno is 0 if no system call failed. */
typedef struct jj_error
{
	jj_code		code;
	int			sys_errno;
	char		message[JJ_MESSAGE_SIZE];
	char		hint[JJ_MESSAGE_SIZE];
} jj_error;

/* Fill *err (may be NULL) with a printf-style message, empty hint; returns code, so that callers can return it. */
extern jj_code jj_fail(jj_error *err, jj_code code, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 3, 4)))
#endif
;

/* Set the hint of *err (may be NULL), printf-style. */
extern void jj_hint(jj_error *err, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

static inline void *
jj_alloc(const jj_allocator *a, size_t size)
{
	return a->alloc(a->ctx, size);
}

static inline void
jj_release(const jj_allocator *a, void *block)
{
	if (block != NULL)
		a->release(a->ctx, block);
}

/* alloc, zeroed; NULL without memory. */
extern void *jj_alloc_zero(const jj_allocator *a, size_t size);

/*
 * A new block of new_size bytes that begins with the old_size bytes of block,
 * which is released. On failure NULL, and block is as it was.
 */
extern void *jj_regrow(const jj_allocator *a, void *block, size_t old_size, size_t new_size);

/* An allocator over malloc(3) and free(3), for programs outside the server. */
extern jj_allocator jj_malloc_allocator(void);

#if defined(__GNUC__)
#define JJ_LIKELY(x) __builtin_expect(!!(x), 1)
#define JJ_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define JJ_PREFETCH(p) __builtin_prefetch(p)
#define JJ_NOINLINE __attribute__((noinline))	/* rare work, which would slow down what is frequent around it */
#else
#define JJ_LIKELY(x) (x)
#define JJ_UNLIKELY(x) (x)
#define JJ_PREFETCH(p) ((void) (p))
#define JJ_NOINLINE
#endif

#endif
