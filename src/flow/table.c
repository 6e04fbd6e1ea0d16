/*
 * The flow table: an open-addressing index over flow records in slabs, lists
 * in order of use and of closing, and the start and end of flows.
 */
#include "flow/table.h"
#include "features/stats.h"
#include "flow/select.h"

#include <string.h>

int64_t
jj_time_diff(int64_t a, int64_t b)
{
	uint64_t	d;

	if (a >= b)
	{
		d = (uint64_t) a - (uint64_t) b;
		return d > JJ_STAT_MAX ? JJ_STAT_MAX : (int64_t) d;
	}
	d = (uint64_t) b - (uint64_t) a;
	return d > JJ_STAT_MAX ? -JJ_STAT_MAX : -(int64_t) d;
}

const char *
jj_end_reason_name(jj_end_reason reason)
{
	static const char *const name[JJ_END_REASONS] = {
		"open", "idle", "active", "tcp_close", "tcp_reset", "replaced", "end_of_capture", "evicted"
	};

	return name[reason];
}

int
jj_end_reason_ipfix(jj_end_reason reason)
{
	static const int code[JJ_END_REASONS] = {0, 1, 2, 3, 3, 3, 4, 5};

	return code[reason];
}

/* ---- lists */

void
jj_list_append(jj_list *l, jj_link *link, uint32_t i)
{
	link[i].prev = l->tail;
	link[i].next = JJ_NO_FLOW;
	if (l->tail != JJ_NO_FLOW)
		link[l->tail].next = i;
	else
		l->head = i;
	l->tail = i;
}

void
jj_list_remove(jj_list *l, jj_link *link, uint32_t i)
{
	uint32_t	prev = link[i].prev;
	uint32_t	next = link[i].next;

	if (prev != JJ_NO_FLOW)
		link[prev].next = next;
	else
		l->head = next;
	if (next != JJ_NO_FLOW)
		link[next].prev = prev;
	else
		l->tail = prev;
}

static inline jj_list *
list_of(jj_table *t, bool late)
{
	return late ? &t->late : &t->lru;
}

/* ---- index */

static bool
same_flow(const jj_table *t, const jj_flow *f, const jj_key *key, const jj_packet *p)
{
	const jj_encapsulation *e = f->encapsulation;

	if (!jj_same_key(&f->key, key))
		return false;
	if (JJ_LIKELY(key->encapsulation == 0))
		return true;
	return e != NULL && jj_same_encapsulation(e->n_vlans, e->vlans, e->n_tunnels, e->tunnels,
											  p->n_vlans, p->vlans, p->n_tunnels, p->tunnels, t->options.vlan_in_key);
}

static uint32_t
find(const jj_table *t, const jj_lookup *l, const jj_packet *p)
{
	if (l->likely != JJ_NO_FLOW)
	{
		const jj_flow *f = jj_table_flow(t, l->likely);

		if (f->live && same_flow(t, f, &l->key, p))
			return l->likely;
	}
	for (uint32_t b = l->hash & t->bucket_mask;; b = (b + 1) & t->bucket_mask)
	{
		const jj_bucket *s = &t->bucket[b];

		if (s->flow == JJ_NO_FLOW)
			return JJ_NO_FLOW;
		if (s->hash == l->hash && same_flow(t, jj_table_flow(t, s->flow), &l->key, p))
			return s->flow;
	}
}

static void
index_insert(jj_bucket *bucket, uint32_t mask, uint32_t hash, uint32_t flow)
{
	uint32_t	b = hash & mask;

	while (bucket[b].flow != JJ_NO_FLOW)
		b = (b + 1) & mask;
	bucket[b].hash = hash;
	bucket[b].flow = flow;
}

/* Remove with backward shift, so that no tombstones are left. */
static void
index_remove(jj_table *t, const jj_flow *f, uint32_t flow)
{
	uint32_t	mask = t->bucket_mask;
	uint32_t	hole = f->hash & mask;

	while (t->bucket[hole].flow != flow)
		hole = (hole + 1) & mask;
	for (uint32_t b = (hole + 1) & mask; t->bucket[b].flow != JJ_NO_FLOW; b = (b + 1) & mask)
	{
		uint32_t	home = t->bucket[b].hash & mask;

		if (((b - home) & mask) >= ((b - hole) & mask))
		{
			t->bucket[hole] = t->bucket[b];
			hole = b;
		}
	}
	t->bucket[hole].flow = JJ_NO_FLOW;
}

static jj_bucket *
new_buckets(const jj_allocator *a, uint32_t n)
{
	jj_bucket  *bucket = jj_alloc(a, sizeof(jj_bucket) * n);

	if (bucket != NULL)
		memset(bucket, 0xff, sizeof(jj_bucket) * n);
	return bucket;
}

static void
note_memory(jj_table *t, int64_t change)
{
	t->counters->memory_flows += (uint64_t) change;
	if (t->counters->memory_flows > t->counters->memory_peak)
		t->counters->memory_peak = t->counters->memory_flows;
}

/* At most half of the buckets are in use. */
static bool
reserve_bucket(jj_table *t)
{
	uint32_t	size = t->bucket_mask + 1;
	jj_bucket  *bucket;

	if (t->live < size / 2)
		return true;
	if (size > UINT32_MAX / 4)
		return false;
	bucket = new_buckets(&t->allocator, size * 2);
	if (bucket == NULL)
		return false;
	for (uint32_t b = 0; b < size; b++)
		if (t->bucket[b].flow != JJ_NO_FLOW)
			index_insert(bucket, size * 2 - 1, t->bucket[b].hash, t->bucket[b].flow);
	jj_release(&t->allocator, t->bucket);
	t->bucket = bucket;
	t->bucket_mask = size * 2 - 1;
	note_memory(t, (int64_t) (sizeof(jj_bucket) * size));
	return true;
}

/* ---- records */

static bool
grow_links(jj_table *t, jj_link **link, uint32_t room)
{
	jj_link    *grown = jj_regrow(&t->allocator, *link, sizeof(*grown) * t->link_room, sizeof(*grown) * room);

	if (grown == NULL)
		return false;
	*link = grown;
	note_memory(t, (int64_t) (sizeof(*grown) * (room - t->link_room)));
	return true;
}

/* Links for as many flows as there are records. */
static bool
reserve_links(jj_table *t)
{
	uint32_t	room = t->link_room == 0 ? 4 * JJ_SLAB_FLOWS : t->link_room * 2;

	if (t->slabs * JJ_SLAB_FLOWS <= t->link_room)
		return true;
	if (!grow_links(t, &t->young_link, room) || !grow_links(t, &t->closed_link, room)
		|| (jj_table_keeps_lru(t) && !grow_links(t, &t->used_link, room)))
		return false;
	t->link_room = room;
	return true;
}

static bool
add_slab(jj_table *t)
{
	size_t		size = t->record_size * JJ_SLAB_FLOWS;
	uint8_t    *slab;

	if (t->slabs == t->slab_room)
	{
		uint32_t	room = t->slab_room == 0 ? 64 : t->slab_room * 2;
		uint8_t   **grown = jj_regrow(&t->allocator, t->slab, sizeof(*grown) * t->slabs, sizeof(*grown) * room);

		if (grown == NULL)
			return false;
		t->slab = grown;
		t->slab_room = room;
	}
	slab = jj_bulk_take(t->bulk, size);
	if (slab == NULL)
		return false;
	t->slab[t->slabs++] = slab;
	note_memory(t, (int64_t) size);
	return true;
}

/* The next new flow will find its record in the caches. */
static inline void
fetch_record(const jj_table *t, uint32_t i)
{
	const char *f = (const char *) jj_table_flow(t, i);

	for (size_t o = 0; o < t->record_size; o += 64)
		JJ_PREFETCH(f + o);
}

static uint32_t
new_record(jj_table *t)
{
	uint32_t	i = t->free_flow;

	if (i != JJ_NO_FLOW)
	{
		t->free_flow = t->young_link[i].next;
		if (t->free_flow != JJ_NO_FLOW)
		{
			JJ_PREFETCH(&t->young_link[t->free_flow]);
			fetch_record(t, t->free_flow);
		}
		return i;
	}
	i = t->next_flow;
	if (i / JJ_SLAB_FLOWS == t->slabs && (i >= JJ_NO_FLOW - JJ_SLAB_FLOWS || !add_slab(t)))
		return JJ_NO_FLOW;
	if (!reserve_links(t))
		return JJ_NO_FLOW;
	t->next_flow++;
	if (t->next_flow / JJ_SLAB_FLOWS < t->slabs)
		fetch_record(t, t->next_flow);
	return i;
}

/* ---- ends */

bool
jj_table_end_linked(jj_table *t, jj_flow *f, jj_end_reason reason, int64_t when)
{
	if (!jj_heap_reserve(&t->waiting, &t->allocator))
		return false;
	f->live = false;
	f->end_reason = (uint8_t) reason;
	t->live--;
	t->counters->flows_live = t->live;
	t->counters->flows_ended++;
	jj_heap_push(&t->waiting, jj_heap_item_of(f, when));
	return true;
}

bool
jj_table_end(jj_table *t, jj_flow *f, jj_end_reason reason, int64_t when)
{
	if (!jj_table_end_linked(t, f, reason, when))
		return false;
	index_remove(t, f, f->self);
	if (f->young)
		jj_list_remove(&t->young, t->young_link, f->self);
	if (f->closed)
		jj_list_remove(&t->closed, t->closed_link, f->self);
	if (jj_table_keeps_lru(t))
		jj_list_remove(list_of(t, f->late), t->used_link, f->self);
	return true;
}

void
jj_table_unlink_all(jj_table *t)
{
	memset(t->bucket, 0xff, sizeof(jj_bucket) * ((size_t) t->bucket_mask + 1));
	t->young.head = t->young.tail = t->closed.head = t->closed.tail = JJ_NO_FLOW;
	t->lru.head = t->lru.tail = t->late.head = t->late.tail = JJ_NO_FLOW;
	t->due.used = t->oldest.used = 0;
}

void
jj_table_clean_heap(jj_table *t, jj_heap *h)
{
	uint32_t	used = h->used;

	if (used <= 1024 || used / 2 <= t->live)
		return;
	h->used = 0;
	for (uint32_t k = 0; k < used; k++)
	{
		jj_heap_item x = h->item[k];

		if (jj_table_is_live(t, &x))
			jj_heap_push(h, x);
	}
}

static uint32_t
oldest_flow(jj_table *t)
{
	for (;;)
	{
		jj_heap_item item = jj_heap_pop(&t->oldest);

		if (jj_table_is_live(t, &item))
			return item.flow;
	}
}

static uint32_t
least_recently_used(const jj_table *t)
{
	const jj_flow *f;
	const jj_flow *late;
	int64_t		f_last;
	int64_t		late_last;

	if (t->late.head == JJ_NO_FLOW || t->lru.head == JJ_NO_FLOW)
		return t->late.head != JJ_NO_FLOW ? t->late.head : t->lru.head;
	f = jj_table_flow(t, t->lru.head);
	late = jj_table_flow(t, t->late.head);
	f_last = jj_time_add(f->start, f->clock);
	late_last = jj_time_add(late->start, late->clock);
	return late_last < f_last || (late_last == f_last && jj_flow_number(late) < jj_flow_number(f)) ? t->late.head : t->lru.head;
}

static bool
make_room(jj_table *t)
{
	uint32_t	i;
	jj_flow    *f;

	if (!jj_table_expire(t, t->now))
		return false;
	if (t->live < t->options.max_concurrent_flows)
		return true;
	i = t->options.eviction == JJ_EVICT_OLDEST ? oldest_flow(t) : least_recently_used(t);
	f = jj_table_flow(t, i);
	t->counters->flows_evicted++;
	return jj_table_end(t, f, f->closed ? (jj_end_reason) f->end_reason : JJ_END_EVICTED, t->now);
}

/* ---- packets */

bool
jj_table_lookup(jj_table *t, jj_packet *p, jj_lookup *l)
{
	l->clock = t->clock;
	l->ports = jj_packet_ports(p);
	l->waits = false;
	if (p->fragment && t->options.defragment)
	{
		if (p->frag_offset != 0)
			l->waits = !jj_fragment_attach(&t->fragments, p, &l->ports) && jj_fragment_waits(p);
		else if (!jj_fragment_remember(&t->fragments, p, &l->ports, &t->allocator))
			return false;
	}
	l->src_is_lo = jj_key_make(&l->key, p, &l->ports, t->options.vlan_in_key);
	l->hash = jj_key_index(&l->key, t->options.hash_seed);
	l->likely = JJ_NO_FLOW;
	return true;
}

void
jj_table_prefetch_flow(const jj_table *t, jj_lookup *l)
{
	for (uint32_t b = l->hash & t->bucket_mask; t->bucket[b].flow != JJ_NO_FLOW; b = (b + 1) & t->bucket_mask)
		if (t->bucket[b].hash == l->hash)
		{
			const char *f = (const char *) jj_table_flow(t, t->bucket[b].flow);

			for (size_t o = 0; o < JJ_FLOW_HOT; o += 64)
				JJ_PREFETCH(f + o);
			for (size_t o = JJ_FLOW_BYTES; o < t->record_size; o += 64)
				JJ_PREFETCH(f + o);
			l->likely = t->bucket[b].flow;
			return;
		}
}

void
jj_table_prefetch_rest(const jj_table *t, const jj_lookup *l)
{
	const jj_flow *f;

	if (l->likely == JJ_NO_FLOW)
		return;
	f = jj_table_flow(t, l->likely);
	if (f->sample != NULL)
		JJ_PREFETCH(f->sample + f->n_samples);
}

/* Fill a new record; the extractor states behind it are zero. The first packet is the one ahead, if there is one. */
static jj_flow *
start_flow(jj_table *t, const jj_packet *p, const jj_lookup *l, uint32_t capture, const jj_early_fragment *ahead)
{
	const jj_packet *first = ahead != NULL ? &ahead->packet : p;
	bool		synack = p->has_tcp && (p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_ACK)) == (JJ_TCP_SYN | JJ_TCP_ACK);
	bool		same_ends;
	jj_encapsulation *e = NULL;
	uint32_t	i;
	jj_flow    *f;

	if (t->options.max_concurrent_flows != 0 && t->live >= t->options.max_concurrent_flows && !make_room(t))
		return NULL;
	if (!reserve_bucket(t))
		return NULL;
	if (t->options.eviction == JJ_EVICT_OLDEST && !jj_heap_reserve(&t->oldest, &t->allocator))
		return NULL;
	if (!jj_table_reserve_watch(t, first->ts))
		return NULL;
	if (first->n_vlans != 0 || first->n_tunnels != 0)
	{
		e = jj_alloc(&t->allocator, sizeof(*e));
		if (e == NULL)
			return NULL;
		e->n_vlans = first->n_vlans;
		e->n_tunnels = first->n_tunnels;
		memcpy(e->vlans, first->vlans, sizeof(e->vlans[0]) * first->n_vlans);
		memcpy(e->tunnels, first->tunnels, sizeof(e->tunnels[0]) * first->n_tunnels);
		if (first->n_tunnels != 0)
		{
			e->outer_version = first->outer_version;
			memcpy(e->outer_src, first->outer_src, 16);
			memcpy(e->outer_dst, first->outer_dst, 16);
		}
	}
	i = new_record(t);
	if (i == JJ_NO_FLOW)
	{
		jj_release(&t->allocator, e);
		return NULL;
	}
	f = jj_table_flow(t, i);
	memset(f, 0, t->record_size);
	f->self = i;
	f->used = true;
	f->key = l->key;
	f->hash = l->hash;
	same_ends = l->key.lo_port == l->key.hi_port && memcmp(l->key.lo, l->key.hi, 16) == 0;
	f->init_is_lo = same_ends || l->src_is_lo != synack;
	f->first_dir = synack && !same_ends;
	f->live = true;
	f->start = first->ts;
	f->encapsulation = e;
	f->first_frame = first->index;
	f->capture = ahead != NULL ? ahead->capture : capture;
	f->first_icmp_type = p->icmp_type;
	f->first_icmp_code = p->icmp_code;
	f->src_port = f->first_dir ? p->dport : p->sport;
	f->dst_port = f->first_dir ? p->sport : p->dport;
	f->n_labels = first->n_labels;
	memcpy(f->labels, first->labels, first->n_labels < JJ_MAX_LABELS ? first->n_labels : JJ_MAX_LABELS);
	f->unwanted = t->options.select != NULL && !jj_selection_has(t->options.select, f);
	index_insert(t->bucket, t->bucket_mask, l->hash, i);
	jj_table_watch(t, f);
	f->late = l->waits;
	if (jj_table_keeps_lru(t))
		jj_list_append(list_of(t, f->late), t->used_link, i);
	t->live++;
	t->counters->flows_live = t->live;
	t->counters->flows_started++;
	if (t->options.eviction == JJ_EVICT_OLDEST)
	{
		jj_table_clean_heap(t, &t->oldest);
		jj_heap_push(&t->oldest, jj_heap_item_of(f, f->start));
	}
	return f;
}

/* End the flow that a packet met if its time is over or the packet begins another one; *f is NULL then. */
static bool
end_before(jj_table *t, jj_flow **flow, const jj_packet *p, const jj_lookup *l)
{
	jj_flow    *f = *flow;
	int64_t		t_rel = jj_time_diff(p->ts, f->start);
	int64_t		span = t_rel > f->clock ? t_rel : f->clock;
	jj_end_reason reason = JJ_END_NONE;
	int64_t		when = t->now;

	if (f->closed && t_rel - f->closed_at > JJ_LINGER)
	{
		reason = (jj_end_reason) f->end_reason;
		when = jj_time_add(jj_time_add(f->start, f->closed_at), JJ_LINGER + 1);
	}
	else if (t->options.flow_timeout != JJ_INFINITE && t_rel - f->clock > t->options.flow_timeout)
	{
		reason = JJ_END_IDLE;
		when = jj_time_add(jj_time_add(jj_time_add(f->start, f->clock), t->options.flow_timeout), 1);
	}
	else if (t->options.active_timeout != JJ_INFINITE && span > t->options.active_timeout)
		reason = JJ_END_ACTIVE;
	else if (t->options.flow_end == JJ_FLOW_END_TCP_CLOSE && p->has_tcp
			 && (p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_ACK)) == JJ_TCP_SYN
			 && jj_tcp_is_new(f, p, l->src_is_lo != f->init_is_lo))
		reason = f->closed ? (jj_end_reason) f->end_reason : JJ_END_REPLACED;
	if (reason == JJ_END_NONE)
		return true;
	*flow = NULL;
	return jj_table_end(t, f, reason, when);
}

/* Count a packet whose time is t_rel after the flow's start, and set its clock and direction. */
static inline void
count(jj_flow *f, jj_packet *p, int64_t t_rel, bool src_is_lo)
{
	if (t_rel > f->clock)
		f->clock = t_rel;
	p->t = f->clock;
	p->dir = src_is_lo != f->init_is_lo;
	f->packets[p->dir]++;
	f->bytes[p->dir] += p->ip_len;
	f->payload[p->dir] += p->payload_len;
	f->fragments += p->fragment;
	f->truncated += p->truncated;
}

/* The packet has a flow: now it is the most recently used one. */
static inline void
touch(jj_table *t, jj_flow *f, bool late)
{
	jj_list    *to = list_of(t, late);

	if (to->tail == f->self)
		return;
	jj_list_remove(list_of(t, f->late), t->used_link, f->self);
	jj_list_append(to, t->used_link, f->self);
	f->late = late;
}

jj_flow *
jj_table_add(jj_table *t, jj_packet *p, const jj_lookup *l, uint32_t capture, jj_early_fragment *ahead, bool *ends)
{
	uint32_t	i = find(t, l, p);
	jj_flow    *f = NULL;
	bool		existing;
	int64_t		t_rel;

	*ends = false;
	t->now = l->clock;
	if (i != JJ_NO_FLOW)
	{
		f = jj_table_flow(t, i);
		if (!end_before(t, &f, p, l))
			return NULL;
	}
	existing = f != NULL;
	if (existing)
	{
		if (JJ_UNLIKELY(jj_table_keeps_lru(t)))
			touch(t, f, l->waits);
	}
	else
	{
		f = start_flow(t, p, l, capture, ahead);
		if (f == NULL)
			return NULL;
	}
	t_rel = jj_time_diff(p->ts, f->start);
	for (jj_early_fragment *x = ahead; x != NULL; x = jj_early_joining_next(x))
	{
		int64_t		own = jj_time_diff(x->packet.ts, f->start);

		/* the first's time has been held against the timeouts */
		count(f, &x->packet, own < t_rel ? own : t_rel, l->src_is_lo);
	}
	count(f, p, t_rel, l->src_is_lo);
	if (p->has_tcp)
	{
		bool		closed = f->closed;

		f->seen |= JJ_SEEN_TCP;
		if (p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_FIN | JJ_TCP_RST))
		{
			if (p->tcp_flags & JJ_TCP_SYN)
				f->seen |= p->tcp_flags & JJ_TCP_ACK ? JJ_SEEN_SYNACK : JJ_SEEN_SYN;
			if (p->tcp_flags & JJ_TCP_FIN)
				f->seen |= p->dir ? JJ_SEEN_FIN_BWD : JJ_SEEN_FIN_FWD;
			if (p->tcp_flags & JJ_TCP_RST)
				f->seen |= JJ_SEEN_RST;
		}
		*ends = jj_tcp_follow(f, p, t->options.flow_end, existing);
		if (f->closed && !closed)
			jj_list_append(&t->closed, t->closed_link, f->self);
	}
	return f;
}

void
jj_table_forget(jj_table *t, jj_flow *f)
{
	jj_release(&t->allocator, f->encapsulation);
	f->used = false;
	t->young_link[f->self].next = t->free_flow;
	t->free_flow = f->self;
}

bool
jj_table_init(jj_table *t, const jj_options *o, size_t record_size, const jj_allocator *a, jj_bulk *bulk, jj_counters *c)
{
	memset(t, 0, sizeof(*t));
	t->options = *o;
	t->allocator = *a;
	t->counters = c;
	t->bulk = bulk;
	t->record_size = (record_size + 63) / 64 * 64;
	t->young.head = t->young.tail = t->closed.head = t->closed.tail = JJ_NO_FLOW;
	t->lru.head = t->lru.tail = t->late.head = t->late.tail = JJ_NO_FLOW;
	t->free_flow = JJ_NO_FLOW;
	t->fragments.seed = o->hash_seed;
	t->early_life = JJ_FRAGMENT_LIFE;
	if (t->early_life > o->flow_timeout)
		t->early_life = o->flow_timeout;
	if (t->early_life > o->active_timeout)
		t->early_life = o->active_timeout;
	t->bucket_mask = 1023;
	t->bucket = new_buckets(a, t->bucket_mask + 1);
	note_memory(t, (int64_t) (sizeof(jj_bucket) * (t->bucket_mask + 1)));
	return t->bucket != NULL;
}

void
jj_table_free(jj_table *t)
{
	const jj_allocator *a = &t->allocator;

	jj_release(a, t->slab);
	jj_release(a, t->bucket);
	jj_release(a, t->young_link);
	jj_release(a, t->closed_link);
	jj_release(a, t->used_link);
	jj_release(a, t->ready);
	jj_heap_free(&t->due, a);
	jj_heap_free(&t->oldest, a);
	jj_heap_free(&t->waiting, a);
	jj_fragments_free(&t->fragments, a);
	jj_early_free(&t->early, a);
}
