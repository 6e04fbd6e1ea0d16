/*
 * Later fragments that came before their first. Their ports, and so their
 * flow, are not known yet: copies of them wait, in bounds, until the first
 * comes or their time is over.
 */
#ifndef JJ_EARLY_H
#define JJ_EARLY_H

#include "features/engine.h"
#include "flow/fragment.h"

#define JJ_EARLY_ROOM 1024		/* fragments that wait; the oldest goes without its first */
#define JJ_EARLY_BYTES (4 * 1024 * 1024)	/* of memory for them */
#define JJ_EARLY_BUCKETS 1024

struct jj_early_fragment;

typedef struct jj_early_link
{
	struct jj_early_fragment *prev;
	struct jj_early_fragment *next;
} jj_early_link;

/* The kinds of lists; a fragment that waits is in one of each. */
enum
{
	JJ_EARLY_ORDER,				/* in order of capture, or as it is due */
	JJ_EARLY_DATAGRAM,			/* a bucket by datagram */
	JJ_EARLY_KEY,				/* a bucket by the key that its flow has without its first */
	JJ_EARLY_LISTS
};

typedef struct jj_early_fragment
{
	jj_early_link link[JJ_EARLY_LISTS];
	uint32_t	bucket[JJ_EARLY_LISTS];
	uint64_t	encapsulation;	/* jj_encapsulation_hash with VLANs */
	size_t		size;			/* of this block */
	uint32_t	slot;			/* once due: the packet of the batch that it goes before */
	bool		joins;			/* into that packet's flow */
	uint32_t	capture;		/* index of its source's name */
	jj_packet	packet;			/* its payload is in this block, too */
	jj_lookup	lookup;			/* without ports */
	jj_settled	settled;
} jj_early_fragment;

typedef struct jj_early_list
{
	jj_early_fragment *head;
	jj_early_fragment *tail;
} jj_early_list;

/* All zero at the start; memory is taken with the first fragment that waits. */
typedef struct jj_early
{
	jj_early_list waiting;		/* in order of capture */
	jj_early_list due;			/* no longer waiting, to be added to a flow: by slot, those that join last */
	jj_early_list settled;		/* added, to be seen by the caller */
	jj_early_list *bucket[JJ_EARLY_LISTS];	/* JJ_EARLY_BUCKETS each but for JJ_EARLY_ORDER, in order of capture */
	uint32_t	count;			/* that wait */
	size_t		bytes;			/* of those */
} jj_early;

/*
 * Copy a packet that has to wait, and its frame without data. The oldest ones
 * become due before slot where there is no room. False without memory.
 */
extern bool jj_early_put(jj_early *h, const jj_frame *frame, const jj_packet *p, const jj_lookup *l, uint32_t capture, uint32_t slot, uint64_t seed,
						const jj_allocator *a);

/* Fragments whose first is the packet in slot, at most life (ns) younger, get its protocol and ports and become due to join it. */
extern void jj_early_match(jj_early *h, const jj_packet *first, int64_t life, uint32_t slot, uint64_t seed);

/* Those that would share the portless flow of this key become due before slot. */
extern void jj_early_release_key(jj_early *h, const jj_lookup *l, uint32_t slot);

/* Whether clock is more than life past a packet's time. */
extern bool jj_early_is_over(const jj_packet *p, int64_t clock, int64_t life);

/* What has waited for more than life becomes due before slot, without its first. */
extern void jj_early_expire(jj_early *h, int64_t clock, int64_t life, uint32_t slot);

/* All of it becomes due before slot. */
extern void jj_early_release(jj_early *h, uint32_t slot);

/* The next one that is due before the packet in slot without joining it, NULL if none is. It stays where it is. */
static inline jj_early_fragment *
jj_early_due(const jj_early *h, uint32_t slot)
{
	jj_early_fragment *x = h->due.head;

	return x != NULL && !x->joins && x->slot <= slot ? x : NULL;
}

/* When none of those is left: the first that joins the packet in slot, NULL if none does. */
static inline jj_early_fragment *
jj_early_joining(const jj_early *h, uint32_t slot)
{
	jj_early_fragment *x = h->due.head;

	return x != NULL && x->joins && x->slot == slot ? x : NULL;
}

/* The next one that joins the same packet, NULL if x is the last. */
static inline jj_early_fragment *
jj_early_joining_next(const jj_early_fragment *x)
{
	jj_early_fragment *next = x->link[JJ_EARLY_ORDER].next;

	return next != NULL && next->joins && next->slot == x->slot ? next : NULL;
}

/* The first in the list due has been added: keep it for the caller, or release it. */
extern void jj_early_added(jj_early *h, bool keep, const jj_allocator *a);

/* Take the first in the list settled, to be released by jj_release; NULL if there is none. */
extern jj_early_fragment *jj_early_settled(jj_early *h);

/* Smallest time of a packet that is not in its flow yet, INT64_MAX if there is none. */
extern int64_t jj_early_oldest(const jj_early *h);

extern void jj_early_free(jj_early *h, const jj_allocator *a);

#endif
