/*
 * Fragments that wait for their first: a list in order of capture, and hash
 * tables by datagram and by the key of the flow they join without it.
 */
#include "flow/early.h"

#include <string.h>

static void
append(jj_early_list *l, int kind, jj_early_fragment *x)
{
	x->link[kind].prev = l->tail;
	x->link[kind].next = NULL;
	if (l->tail != NULL)
		l->tail->link[kind].next = x;
	else
		l->head = x;
	l->tail = x;
}

static void
take_out(jj_early_list *l, int kind, const jj_early_fragment *x)
{
	const jj_early_link *link = &x->link[kind];

	if (link->prev != NULL)
		link->prev->link[kind].next = link->next;
	else
		l->head = link->next;
	if (link->next != NULL)
		link->next->link[kind].prev = link->prev;
	else
		l->tail = link->prev;
}

/* x waits no longer; it goes to the end of the list due. */
static void
make_due(jj_early *h, jj_early_fragment *x, uint32_t slot, bool joins)
{
	take_out(&h->waiting, JJ_EARLY_ORDER, x);
	for (int kind = JJ_EARLY_DATAGRAM; kind < JJ_EARLY_LISTS; kind++)
		take_out(&h->bucket[kind][x->bucket[kind]], kind, x);
	h->count--;
	h->bytes -= x->size;
	x->slot = slot;
	x->joins = joins;
	append(&h->due, JJ_EARLY_ORDER, x);
}

static bool
make_buckets(jj_early *h, const jj_allocator *a)
{
	for (int kind = JJ_EARLY_DATAGRAM; kind < JJ_EARLY_LISTS; kind++)
		if (h->bucket[kind] == NULL && (h->bucket[kind] = jj_alloc_zero(a, sizeof(jj_early_list) * JJ_EARLY_BUCKETS)) == NULL)
			return false;
	return true;
}

bool
jj_early_put(jj_early *h, const jj_frame *frame, const jj_packet *p, const jj_lookup *l, uint32_t capture, uint32_t slot, uint64_t seed,
			const jj_allocator *a)
{
	size_t		size = sizeof(jj_early_fragment) + p->payload_caplen;
	jj_early_fragment *x;

	if (!make_buckets(h, a))
		return false;
	while (h->count > 0 && (h->count == JJ_EARLY_ROOM || h->bytes + size > JJ_EARLY_BYTES))
		make_due(h, h->waiting.head, slot, false);
	x = jj_alloc(a, size);
	if (x == NULL)
		return false;
	memset(x, 0, sizeof(*x));
	x->encapsulation = jj_encapsulation_hash(p, true);
	x->bucket[JJ_EARLY_DATAGRAM] = jj_fragment_hash(p, x->encapsulation, seed) % JJ_EARLY_BUCKETS;
	x->bucket[JJ_EARLY_KEY] = l->hash % JJ_EARLY_BUCKETS;
	x->size = size;
	x->capture = capture;
	x->packet = *p;
	if (p->payload_caplen > 0)
		memcpy(x + 1, p->payload, p->payload_caplen);
	x->packet.payload = (const uint8_t *) (x + 1);
	x->packet.options = NULL;
	x->packet.options_len = 0;
	x->lookup = *l;
	x->settled.frame = *frame;
	x->settled.frame.data = NULL;
	x->settled.seen.packet = &x->packet;
	append(&h->waiting, JJ_EARLY_ORDER, x);
	for (int kind = JJ_EARLY_DATAGRAM; kind < JJ_EARLY_LISTS; kind++)
		append(&h->bucket[kind][x->bucket[kind]], kind, x);
	h->count++;
	h->bytes += size;
	return true;
}

static bool
same_datagram(const jj_early_fragment *x, const jj_packet *p, uint64_t encapsulation)
{
	const jj_packet *q = &x->packet;

	return q->ip_id == p->ip_id && q->frag_proto == p->frag_proto && q->ip_version == p->ip_version && x->encapsulation == encapsulation
		&& memcmp(q->src, p->src, 16) == 0 && memcmp(q->dst, p->dst, 16) == 0;
}

bool
jj_early_is_over(const jj_packet *p, int64_t clock, int64_t life)
{
	return clock > p->ts && (uint64_t) clock - (uint64_t) p->ts > (uint64_t) life;
}

void
jj_early_match(jj_early *h, const jj_packet *first, int64_t life, uint32_t slot, uint64_t seed)
{
	uint64_t	encapsulation = jj_encapsulation_hash(first, true);
	jj_early_fragment *next;

	for (jj_early_fragment *x = h->bucket[JJ_EARLY_DATAGRAM][jj_fragment_hash(first, encapsulation, seed) % JJ_EARLY_BUCKETS].head; x != NULL; x = next)
	{
		next = x->link[JJ_EARLY_DATAGRAM].next;
		if (!same_datagram(x, first, encapsulation) || jj_early_is_over(&x->packet, first->ts, life))
			continue;
		jj_fragment_complete(&x->packet, first->proto, first->sport, first->dport);
		make_due(h, x, slot, true);
	}
}

void
jj_early_release_key(jj_early *h, const jj_lookup *l, uint32_t slot)
{
	jj_early_fragment *next;

	for (jj_early_fragment *x = h->bucket[JJ_EARLY_KEY][l->hash % JJ_EARLY_BUCKETS].head; x != NULL; x = next)
	{
		next = x->link[JJ_EARLY_KEY].next;
		if (memcmp(&x->lookup.key, &l->key, sizeof(l->key)) == 0)
			make_due(h, x, slot, false);
	}
}

void
jj_early_expire(jj_early *h, int64_t clock, int64_t life, uint32_t slot)
{
	while (h->count > 0 && jj_early_is_over(&h->waiting.head->packet, clock, life))
		make_due(h, h->waiting.head, slot, false);
}

void
jj_early_release(jj_early *h, uint32_t slot)
{
	while (h->count > 0)
		make_due(h, h->waiting.head, slot, false);
}

void
jj_early_added(jj_early *h, bool keep, const jj_allocator *a)
{
	jj_early_fragment *x = h->due.head;

	take_out(&h->due, JJ_EARLY_ORDER, x);
	if (keep)
		append(&h->settled, JJ_EARLY_ORDER, x);
	else
		jj_release(a, x);
}

jj_early_fragment *
jj_early_settled(jj_early *h)
{
	jj_early_fragment *x = h->settled.head;

	if (x != NULL)
		take_out(&h->settled, JJ_EARLY_ORDER, x);
	return x;
}

static int64_t
oldest_in(const jj_early_list *l, int64_t oldest)
{
	for (const jj_early_fragment *x = l->head; x != NULL; x = x->link[JJ_EARLY_ORDER].next)
		if (x->packet.ts < oldest)
			oldest = x->packet.ts;
	return oldest;
}

int64_t
jj_early_oldest(const jj_early *h)
{
	return oldest_in(&h->due, oldest_in(&h->waiting, INT64_MAX));
}

static void
free_list(jj_early_list *l, const jj_allocator *a)
{
	for (jj_early_fragment *x = l->head, *next; x != NULL; x = next)
	{
		next = x->link[JJ_EARLY_ORDER].next;
		jj_release(a, x);
	}
}

void
jj_early_free(jj_early *h, const jj_allocator *a)
{
	free_list(&h->waiting, a);
	free_list(&h->due, a);
	free_list(&h->settled, a);
	for (int kind = JJ_EARLY_DATAGRAM; kind < JJ_EARLY_LISTS; kind++)
		jj_release(a, h->bucket[kind]);
	memset(h, 0, sizeof(*h));
}
