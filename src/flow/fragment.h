/*
 * First fragments of IP datagrams, which give later fragments their ports.
 */
#ifndef JJ_FRAGMENT_H
#define JJ_FRAGMENT_H

#include "flow/key.h"

#define JJ_FRAGMENT_ROOM 4096	/* datagrams remembered; the oldest is forgotten */
#define JJ_FRAGMENT_LIFE (INT64_C(30) * 1000000000)	/* ns, RFC 1122 3.3.2 names 60 to 120 s, systems use 30 s */

typedef struct jj_fragment
{
	uint8_t		src[16];
	uint8_t		dst[16];
	uint64_t	encapsulation;	/* jj_encapsulation_hash with VLANs */
	uint32_t	ip_id;
	uint8_t		proto;			/* that identifies the datagram */
	uint8_t		ip_version;
	uint8_t		upper_proto;
	bool		used;
	int32_t		sport;
	int32_t		dport;
	jj_key_ports ports;
	int64_t		ts;
	uint16_t	next;			/* in the chain of the bucket */
} jj_fragment;

/* All zero but the seed at the start; memory is taken with the first fragment. */
typedef struct jj_fragments
{
	jj_fragment *slot;			/* a ring of JJ_FRAGMENT_ROOM */
	uint16_t   *bucket;
	uint32_t	next;
	uint64_t	seed;			/* of its hash; has no influence on any result */
} jj_fragments;

/* Remember a first fragment and the ports that key it. False without memory. */
extern bool jj_fragment_remember(jj_fragments *f, const jj_packet *p, const jj_key_ports *ports, const jj_allocator *a);

/*
 * Give a later fragment the protocol and ports of its first, if that came at
 * most JJ_FRAGMENT_LIFE earlier; *ports is what keys it. False if it is not known.
 */
extern bool jj_fragment_attach(const jj_fragments *f, jj_packet *p, jj_key_ports *ports);

/* Give a later fragment what its first says. */
extern void jj_fragment_complete(jj_packet *p, uint8_t proto, int32_t sport, int32_t dport);

/* 32-bit hash of what identifies a fragment's datagram; encapsulation is jj_encapsulation_hash with VLANs. */
extern uint32_t jj_fragment_hash(const jj_packet *p, uint64_t encapsulation, uint64_t seed);

/* Whether the flow of a later fragment depends on its first: on ports, ICMP fields, or a protocol named by a header in the first. */
extern bool jj_fragment_waits(const jj_packet *p);

/* Forget all; the seed stays. */
extern void jj_fragments_free(jj_fragments *f, const jj_allocator *a);

#endif
