/*
 * Hash tables with entries that lie one behind the other.
 */
#include "analysis/dense.h"

#include <string.h>

#define FIRST_ROOM 64
#define LARGEST (UINT32_C(1) << 30)

void
jj_dense_init(jj_dense *d, uint32_t key, uint32_t width, uint64_t seed, const jj_allocator *a)
{
	memset(d, 0, sizeof(*d));
	d->allocator = *a;
	d->seed = seed;
	d->key = key;
	d->width = width;
}

void
jj_dense_free(jj_dense *d)
{
	jj_release(&d->allocator, d->entry);
	jj_release(&d->allocator, d->slot);
	d->entry = NULL;
	d->slot = NULL;
	d->count = d->room = d->slots = 0;
}

static uint32_t
hash(const jj_dense *d, const uint8_t *key)
{
	uint64_t	h = d->seed ^ UINT64_C(0x9e3779b97f4a7c15);

	for (uint32_t i = 0; i < d->key; i += 4)
	{
		uint32_t	word;

		memcpy(&word, key + i, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 32;
	}
	return (uint32_t) (h >> 24);
}

/* The slot with the key, or the empty one where it belongs; there is an empty one. */
static uint32_t
probe(const jj_dense *d, const void *key)
{
	uint32_t	mask = d->slots - 1;
	uint32_t	s = hash(d, key) & mask;

	while (d->slot[s] != 0 && memcmp(jj_dense_at(d, d->slot[s] - 1), key, d->key) != 0)
		s = (s + 1) & mask;
	return s;
}

uint32_t
jj_dense_find(const jj_dense *d, const void *key)
{
	return d->slots == 0 ? JJ_DENSE_NONE : d->slot[probe(d, key)] - 1;
}

/* Twice the slots. */
static bool
grow_slots(jj_dense *d)
{
	uint32_t	slots = d->slots == 0 ? 2 * FIRST_ROOM : 2 * d->slots;
	uint32_t   *grown = slots > 2 * LARGEST ? NULL : jj_alloc_zero(&d->allocator, sizeof(*grown) * slots);

	if (grown == NULL)
		return false;
	jj_release(&d->allocator, d->slot);
	d->slot = grown;
	d->slots = slots;
	for (uint32_t i = 0; i < d->count; i++)
		d->slot[probe(d, jj_dense_at(d, i))] = i + 1;
	return true;
}

static bool
grow_entries(jj_dense *d)
{
	uint32_t	room = d->room == 0 ? FIRST_ROOM : d->room + d->room / 2;
	uint8_t    *grown = room > LARGEST ? NULL : jj_regrow(&d->allocator, d->entry, (size_t) d->width * d->count, (size_t) d->width * room);

	if (grown == NULL)
		return false;
	d->entry = grown;
	d->room = room;
	return true;
}

uint32_t
jj_dense_add(jj_dense *d, const void *key, bool *added)
{
	uint32_t	found = jj_dense_find(d, key);
	uint8_t    *entry;

	*added = false;
	if (found != JJ_DENSE_NONE)
		return found;
	/* at most two thirds of the slots are used */
	if (d->count + 1 > d->slots / 3 * 2 && !grow_slots(d))
		return JJ_DENSE_NONE;
	if (d->count == d->room && !grow_entries(d))
		return JJ_DENSE_NONE;
	entry = jj_dense_at(d, d->count);
	memcpy(entry, key, d->key);
	memset(entry + d->key, 0, d->width - d->key);
	d->slot[probe(d, key)] = d->count + 1;
	*added = true;
	return d->count++;
}
