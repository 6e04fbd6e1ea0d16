/*
 * Finished flows that wait for being written: each a block with the row's
 * values that are not NULL, in a list.
 */
#include "pg/capture.h"

#include "port/pg_bitutils.h"

typedef struct waiting
{
	struct waiting *next;
	TimestampTz came;
	uint32		size;			/* of this block */
	uint32		values;
	uint32		bytes;			/* of the arena */
	jj_feature_set present;
	/* jj_value[values], arena */
} waiting;

#define HEAD MAXALIGN(sizeof(waiting))

struct jj_queue
{
	MemoryContext context;		/* of the rows */
	uint64		limit;
	uint64		used;
	uint64		rows;
	waiting    *first;
	waiting    *last;
	waiting    *read;			/* the next one to be read, NULL at the end */
	jj_row		row;			/* the one read last */
};

jj_queue *
jj_queue_create(int64 bytes)
{
	jj_queue   *q = palloc0(sizeof(jj_queue));

	q->context = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay queue", ALLOCSET_DEFAULT_SIZES);
	q->limit = (uint64) bytes;
	jj_set_all(&q->row.wanted);
	return q;
}

static uint32
count_values(const jj_feature_set *set)
{
	uint32		n = 0;

	for (size_t i = 0; i < lengthof(set->word); i++)
		n += (uint32) pg_popcount64(set->word[i]);
	return n;
}

/* For each feature f in the set, in order. */
#define FOR_EACH_VALUE(set, f) \
	for (size_t word_ = 0; word_ < lengthof((set)->word); word_++) \
		for (uint64 rest_ = (set)->word[word_], f; rest_ != 0 && (f = 64 * word_ + (uint64) pg_rightmost_one_pos64(rest_), true); rest_ &= rest_ - 1)

bool
jj_queue_add(jj_queue *q, const jj_row *row, TimestampTz now)
{
	uint32		n = count_values(&row->present);
	size_t		size = HEAD + sizeof(jj_value) * n + row->arena_used;
	jj_value   *value;
	waiting    *w;

	if (size > UINT32_MAX || q->used + size > q->limit)
		return false;
	w = MemoryContextAllocExtended(q->context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (w == NULL)
		return false;
	w->next = NULL;
	w->came = now;
	w->size = (uint32) size;
	w->values = n;
	w->bytes = row->arena_used;
	w->present = row->present;
	value = (jj_value *) ((char *) w + HEAD);
	FOR_EACH_VALUE(&row->present, f)
		*value++ = row->value[f];
	if (row->arena_used > 0)
		memcpy(value, row->arena, row->arena_used);
	if (q->last != NULL)
		q->last->next = w;
	else
		q->first = w;
	q->last = w;
	if (q->read == NULL)
		q->read = w;
	q->used += size;
	q->rows++;
	return true;
}

uint64
jj_queue_rows(const jj_queue *q)
{
	return q->rows;
}

uint64
jj_queue_bytes(const jj_queue *q)
{
	return q->used;
}

TimestampTz
jj_queue_oldest(const jj_queue *q)
{
	return q->first == NULL ? 0 : q->first->came;
}

const jj_row *
jj_queue_next(jj_queue *q)
{
	waiting    *w = q->read;
	const jj_value *value;

	if (w == NULL)
		return NULL;
	q->row.present = w->present;
	value = (const jj_value *) ((char *) w + HEAD);
	FOR_EACH_VALUE(&w->present, f)
		q->row.value[f] = *value++;
	q->row.arena = (uint8_t *) w + HEAD + sizeof(jj_value) * w->values;
	q->row.arena_used = q->row.arena_size = w->bytes;
	q->read = w->next;
	return &q->row;
}

void
jj_queue_rewind(jj_queue *q)
{
	q->read = q->first;
}

void
jj_queue_forget(jj_queue *q, uint64 n)
{
	while (n-- > 0 && q->first != NULL)
	{
		waiting    *w = q->first;

		q->first = w->next;
		q->used -= w->size;
		q->rows--;
		pfree(w);
	}
	if (q->first == NULL)
		q->last = NULL;
	jj_queue_rewind(q);
}
