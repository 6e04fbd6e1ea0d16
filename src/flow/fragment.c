/*
 * First fragments, in a bounded hash table.
 */
#include "flow/fragment.h"

#include <string.h>

#define NONE UINT16_MAX

uint32_t
jj_fragment_hash(const jj_packet *p, uint64_t encapsulation, uint64_t seed)
{
	uint64_t	word[4];
	uint64_t	h = seed ^ encapsulation ^ ((uint64_t) p->frag_proto << 32 | p->ip_id) * UINT64_C(0x9e3779b97f4a7c15);

	memcpy(word, p->src, 16);
	memcpy(word + 2, p->dst, 16);
	for (int i = 0; i < 4; i++)
	{
		h = (h ^ word[i]) * UINT64_C(0x9fb21c651e98df25);
		h ^= h >> 32;
	}
	return (uint32_t) (h >> 20);
}

static bool
same_datagram(const jj_fragment *s, const jj_packet *p, uint64_t encapsulation)
{
	return s->used && s->ip_id == p->ip_id && s->proto == p->frag_proto && s->ip_version == p->ip_version
		&& s->encapsulation == encapsulation && memcmp(s->src, p->src, 16) == 0 && memcmp(s->dst, p->dst, 16) == 0;
}

static jj_fragment *
find(const jj_fragments *f, const jj_packet *p, uint64_t encapsulation)
{
	for (uint16_t i = f->bucket[jj_fragment_hash(p, encapsulation, f->seed) % JJ_FRAGMENT_ROOM]; i != NONE; i = f->slot[i].next)
		if (same_datagram(&f->slot[i], p, encapsulation))
			return &f->slot[i];
	return NULL;
}

/* Take the slot out of its chain; it is the last one of it, being the oldest. */
static void
unlink_slot(jj_fragments *f, uint16_t slot)
{
	jj_fragment *s = &f->slot[slot];
	jj_packet	p;
	uint16_t   *link;

	memcpy(p.src, s->src, 16);
	memcpy(p.dst, s->dst, 16);
	p.ip_id = s->ip_id;
	p.frag_proto = s->proto;
	for (link = &f->bucket[jj_fragment_hash(&p, s->encapsulation, f->seed) % JJ_FRAGMENT_ROOM]; *link != NONE; link = &f->slot[*link].next)
		if (*link == slot)
		{
			*link = s->next;
			break;
		}
	s->used = false;
}

bool
jj_fragment_remember(jj_fragments *f, const jj_packet *p, const jj_key_ports *ports, const jj_allocator *a)
{
	uint64_t	encapsulation = jj_encapsulation_hash(p, true);
	jj_fragment *s;

	if (f->slot == NULL)
	{
		jj_fragment *slot = jj_alloc_zero(a, sizeof(jj_fragment) * JJ_FRAGMENT_ROOM);
		uint16_t   *bucket = jj_alloc(a, sizeof(uint16_t) * JJ_FRAGMENT_ROOM);

		if (slot == NULL || bucket == NULL)
		{
			jj_release(a, slot);
			jj_release(a, bucket);
			return false;
		}
		memset(bucket, 0xff, sizeof(uint16_t) * JJ_FRAGMENT_ROOM);
		f->slot = slot;
		f->bucket = bucket;
	}
	s = find(f, p, encapsulation);
	if (s == NULL)
	{
		uint16_t	i = (uint16_t) (f->next++ % JJ_FRAGMENT_ROOM);
		uint32_t	b = jj_fragment_hash(p, encapsulation, f->seed) % JJ_FRAGMENT_ROOM;

		s = &f->slot[i];
		if (s->used)
			unlink_slot(f, i);
		memcpy(s->src, p->src, 16);
		memcpy(s->dst, p->dst, 16);
		s->encapsulation = encapsulation;
		s->ip_id = p->ip_id;
		s->proto = p->frag_proto;
		s->ip_version = p->ip_version;
		s->used = true;
		s->next = f->bucket[b];
		f->bucket[b] = i;
	}
	s->upper_proto = p->proto;
	s->sport = p->sport;
	s->dport = p->dport;
	s->ports = *ports;
	s->ts = p->ts;
	return true;
}

bool
jj_fragment_attach(const jj_fragments *f, jj_packet *p, jj_key_ports *ports)
{
	const jj_fragment *s;

	if (f->slot == NULL)
		return false;
	s = find(f, p, jj_encapsulation_hash(p, true));
	if (s == NULL || (p->ts > s->ts && (uint64_t) p->ts - (uint64_t) s->ts > JJ_FRAGMENT_LIFE))
		return false;
	jj_fragment_complete(p, s->upper_proto, s->sport, s->dport);
	*ports = s->ports;
	return true;
}

void
jj_fragment_complete(jj_packet *p, uint8_t proto, int32_t sport, int32_t dport)
{
	p->proto = proto;
	p->sport = sport;
	p->dport = dport;
	if (p->n_labels >= 1 && p->n_labels <= JJ_MAX_LABELS)
		p->labels[p->n_labels - 1] = (uint8_t) jj_protocol_label(proto);
}

bool
jj_fragment_waits(const jj_packet *p)
{
	switch (p->proto)
	{
		case JJ_PROTO_ICMP:
		case JJ_PROTO_TCP:
		case JJ_PROTO_UDP:
		case JJ_PROTO_DCCP:
		case JJ_PROTO_ICMPV6:
		case JJ_PROTO_SCTP:
		case JJ_PROTO_UDPLITE:
			return true;
		case 0:					/* hop-by-hop options, routing, AH, destination options, mobility, HIP, shim6 */
		case 43:
		case 60:
		case 135:
		case 139:
		case 140:
			return p->ip_version == 6;
		case 51:
			return true;
		default:
			return false;
	}
}

void
jj_fragments_free(jj_fragments *f, const jj_allocator *a)
{
	jj_release(a, f->slot);
	jj_release(a, f->bucket);
	f->slot = NULL;
	f->bucket = NULL;
	f->next = 0;
}
