/*
 * Hash tables whose entries lie one behind the other, numbered from 0 in the
 * order in which they came, so that they can refer to each other by number.
 */
#ifndef JJ_DENSE_H
#define JJ_DENSE_H

#include "features/base.h"

#define JJ_DENSE_NONE UINT32_MAX

typedef struct jj_dense
{
	jj_allocator allocator;
	uint64_t	seed;
	uint32_t	key;			/* bytes at the start of each entry by which it is found, a multiple of 4 */
	uint32_t	width;			/* bytes of an entry, a multiple of 8 */
	uint32_t	count;
	uint32_t	room;
	uint8_t    *entry;
	uint32_t   *slot;			/* number of an entry and 1; 0 = empty. Open addressing, linear probing */
	uint32_t	slots;			/* 0 or a power of two */
} jj_dense;

/* An empty table, which holds no memory. The seed has no influence on numbers. */
extern void jj_dense_init(jj_dense *d, uint32_t key, uint32_t width, uint64_t seed, const jj_allocator *a);

/* Release the memory; the table is empty then. */
extern void jj_dense_free(jj_dense *d);

/* The number of the entry with the key, JJ_DENSE_NONE if there is none. */
extern uint32_t jj_dense_find(const jj_dense *d, const void *key);

/*
 * The same; if there is none it is added, with *added, and zero behind its
 * key. JJ_DENSE_NONE without memory. Entries may move.
 */
extern uint32_t jj_dense_add(jj_dense *d, const void *key, bool *added);

static inline void *
jj_dense_at(const jj_dense *d, uint32_t i)
{
	return d->entry + (size_t) d->width * i;
}

#endif
