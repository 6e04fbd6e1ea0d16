/*
 * What a feature group provides, and the table of all of them.
 *
 * A group has a state in every flow record (update, once a packet), or works
 * on the flow's samples (fold, in batches, into an accumulator), or both, or
 * needs nothing but the flow itself. emit sets its columns when the flow ends.
 */
#ifndef JJ_EXTRACTOR_H
#define JJ_EXTRACTOR_H

#include "extractors/samples.h"
#include "features/engine.h"

#define JJ_ENTROPY_LOGS 513		/* up to twice the default of entropy_sample_bytes */

typedef struct jj_crypto jj_crypto;
typedef struct jj_cert_cache jj_cert_cache;
struct jj_hold;

/* A text of jj_labels_text, and what it is made of. */
typedef struct jj_headers_text
{
	uint8_t		n;
	uint8_t		proto;
	uint8_t		size;
	uint8_t		labels[JJ_MAX_LABELS];
	char		text[JJ_LABELS_TEXT];
} jj_headers_text;

/* Scratch memory of one engine, shared by the extractors while a flow ends. */
typedef struct jj_work
{
	jj_options	options;
	jj_allocator allocator;
	uint32_t	groups;			/* bits of the jj_groups of which a column is wanted */
	struct jj_hold *hold;		/* what the engine's streams hold, stream.h */
	const char *capture;		/* name of the source in which the flow began */

	/* samples.c; has_ of the flow that is ending */
	int64_t    *gap[3];			/* room for max_samples values each, NULL until needed */
	jj_gaps		gaps;
	jj_lengths	lengths;		/* the tally's memory stays between flows */
	bool		has_gaps;
	bool		has_lengths;
	jj_tally_entry *sorted;		/* room for sorted_room entries */
	uint64_t   *sort_key;		/* and for twice as many keys */
	uint32_t	sorted_room;

	jj_headers_text headers;	/* of the flow before */
	int64_t    *entropy_log;	/* JJ_ENTROPY_LOGS values of entropy.c, NULL until needed */
	jj_crypto  *crypto;			/* crypto.h; NULL: no digests */
	jj_cryptopan *cryptopan;	/* NULL: rows are not anonymised */
	jj_cert_cache *certs;		/* the last certificates, tls_cert.h; NULL until needed */
} jj_work;

static inline bool
jj_work_wants(const jj_work *w, jj_group group)
{
	return w->groups >> group & 1;
}

/* Kinds of flows, by protocol and version of IP; bits of jj_extractor.kinds. */
#define JJ_FOR_TCP 0x11
#define JJ_FOR_ICMP 0x22
#define JJ_FOR_OTHER 0xcc
#define JJ_FOR_IPV6 0xf0
#define JJ_KINDS 8

/* The number of a flow's kind. */
static inline unsigned
jj_kind_of(const jj_key *key)
{
	unsigned	v6 = key->flags & JJ_KEY_IPV6 ? 4 : 0;

	if (key->proto == JJ_PROTO_TCP)
		return v6;
	return v6 + (key->proto == JJ_PROTO_ICMP || key->proto == JJ_PROTO_ICMPV6 ? 1 : 2);
}

typedef struct jj_extractor
{
	jj_group	group;			/* JJ_GROUPS: no group, but the base of some */

	/* another extractor, whose state this one reads; it has none of its own then */
	const struct jj_extractor *base;

	/* bytes behind each flow record, zero when the flow starts */
	size_t		state_size;

	/* Kinds of flows (JJ_FOR_) whose packets it needs to see; 0 = all. */
	uint8_t		kinds;

	/* Begin to load what an update for a packet, probably of this direction, will touch beyond the state; optional. */
	void		(*fetch) (const void *state, const jj_packet *p, int dir);

	/* One packet of the flow; p->t and p->dir are set. False without memory. */
	bool		(*update) (void *state, const jj_packet *p, const jj_work *w);

	/* The same of all that emit and free_state will touch beyond it, and then of what that points to; both optional. */
	void		(*fetch_all) (const void *state);
	void		(*fetch_more) (const void *state);

	/* Bytes of the accumulator, zero before the first fold; 0 = the group needs no samples. */
	size_t		fold_size;

	/*
	 * Take the next n samples of a flow. With whole, they are all of them,
	 * there until emit, and what samples.h makes of whole flows may be used.
	 * False without memory.
	 */
	bool		(*fold) (void *fold, const jj_sample *s, uint32_t n, bool whole, jj_work *w);

	/* Set the group's columns; fold is NULL if fold_size is 0. False without memory (a row notes its own). */
	bool		(*emit) (const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row);

	/* Release what state or fold own; both optional. */
	void		(*free_state) (void *state, const jj_allocator *a);
	void		(*free_fold) (void *fold, const jj_allocator *a);
} jj_extractor;

extern const jj_extractor jj_extract_flow_meta;
extern const jj_extractor jj_extract_timing;
extern const jj_extractor jj_extract_size;
extern const jj_extractor jj_extract_tcp;
extern const jj_extractor jj_extract_mac;
extern const jj_extractor jj_extract_tcp_sequence;
extern const jj_extractor jj_extract_tcp_window;
extern const jj_extractor jj_extract_tcp_options;
extern const jj_extractor jj_extract_tcp_mptcp;
extern const jj_extractor jj_extract_tcp_rtt;
extern const jj_extractor jj_extract_tcp_fingerprint;
extern const jj_extractor jj_extract_ip_extended;
extern const jj_extractor jj_extract_ipv6_options;
extern const jj_extractor jj_extract_icmp;
extern const jj_extractor jj_extract_padding;
extern const jj_extractor jj_extract_entropy;
extern const jj_extractor jj_extract_quic;
extern const jj_extractor jj_extract_tls;
extern const jj_extractor jj_extract_ssh;
extern const jj_extractor jj_extract_dns;
extern const jj_extractor jj_extract_http2;
extern const jj_extractor jj_extract_fingerprint;
extern const jj_extractor jj_extract_connection;

/* All groups, in the order in which packets touch their states. */
extern const jj_extractor *const jj_extractor_table[];
extern const unsigned jj_extractor_count;

/* Set what follows from w->options. */
extern void jj_work_prepare(jj_work *w);
extern void jj_work_free(jj_work *w);

/* The service that has this port, as dst_port_class says it; NULL if it is none of the table's. */
extern const char *jj_port_name(int32_t port);

/*
 * Community ID version 1 of the flow's first packet (seed 0), of its
 * pseudonyms if rows are anonymised: 30 characters and a terminator. False if
 * its ports or ICMP type are not known.
 * Source: https://github.com/corelight/community-id-spec
 */
#define JJ_COMMUNITY_ID_SIZE 31
extern bool jj_community_id(const jj_flow *f, jj_work *w, char out[JJ_COMMUNITY_ID_SIZE]);

#endif
