/*
 * Pieces of memory.
 */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif

#include "features/bulk.h"

#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LARGE_PAGE (2 * 1024 * 1024)

/* Ask for large pages; a system without them goes on as it was. */
static void
prefer_large_pages(char *piece, size_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
	size_t		skip = (LARGE_PAGE - (uintptr_t) piece % LARGE_PAGE) % LARGE_PAGE;

	if (size >= skip + LARGE_PAGE)
		(void) madvise(piece + skip, (size - skip) / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#else
	(void) piece;
	(void) size;
#endif
}

static bool
add_piece(jj_bulk *b, size_t least)
{
	size_t		size = b->total / 2;
	char	   *piece;

	if (least > SIZE_MAX - sizeof(void *) - JJ_BULK_LINE)
		return false;
	least += sizeof(void *) + JJ_BULK_LINE;
	if (size > JJ_BULK_LARGEST)
		size = JJ_BULK_LARGEST;
	if (size < JJ_BULK_FIRST)
		size = JJ_BULK_FIRST;
	if (size < least)
		size = least;
	piece = jj_alloc(&b->under, size);
	if (piece == NULL)
		return false;
	prefer_large_pages(piece, size);
	memcpy(piece, &b->pieces, sizeof(void *));
	b->pieces = piece;
	b->total += size;
	b->next = piece + sizeof(void *);
	b->next += (JJ_BULK_LINE - (uintptr_t) b->next % JJ_BULK_LINE) % JJ_BULK_LINE;
	b->left = (size_t) (piece + size - b->next);
	return true;
}

void *
jj_bulk_take(jj_bulk *b, size_t size)
{
	char	   *taken;

	if (size > SIZE_MAX - JJ_BULK_LINE)
		return NULL;
	size = (size + JJ_BULK_LINE - 1) / JJ_BULK_LINE * JJ_BULK_LINE;
	if (size > b->left && !add_piece(b, size))
		return NULL;
	taken = b->next;
	b->next += size;
	b->left -= size;
	return taken;
}

void
jj_bulk_init(jj_bulk *b, const jj_allocator *under)
{
	memset(b, 0, sizeof(*b));
	b->under = *under;
}

void
jj_bulk_free(jj_bulk *b)
{
	while (b->pieces != NULL)
	{
		void	   *piece = b->pieces;

		memcpy(&b->pieces, piece, sizeof(void *));
		jj_release(&b->under, piece);
	}
	b->next = NULL;
	b->left = b->total = 0;
}
