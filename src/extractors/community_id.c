/*
 * Community ID version 1.
 */
#include "extractors/crypto.h"

#include <openssl/evp.h>
#include <string.h>

bool
jj_community_id(const jj_flow *f, jj_work *w, char out[JJ_COMMUNITY_ID_SIZE])
{
	const uint8_t *src = f->first_dir ? jj_flow_responder(f) : jj_flow_initiator(f);
	const uint8_t *dst = f->first_dir ? jj_flow_initiator(f) : jj_flow_responder(f);
	int			size = jj_flow_version(f) == 4 ? 4 : 16;
	int			sport = f->first_dir ? f->dst_port : f->src_port;
	int			dport = f->first_dir ? f->src_port : f->dst_port;
	bool		ports = false;
	bool		one_way = false;
	int			order;
	uint8_t		bytes[2 + 32 + 2 + 4] = {0};	/* seed 0 in front */
	uint8_t    *b = bytes + 2;
	uint8_t		pseudonym[2][16];
	uint8_t		hash[JJ_SHA1_SIZE];

	switch (f->key.proto)
	{
		case JJ_PROTO_ICMP:
		case JJ_PROTO_ICMPV6:
			if (f->first_icmp_type < 0)
				return false;
			sport = f->first_icmp_type;
			dport = jj_icmp_counterpart(f->key.proto, sport);
			one_way = dport < 0;
			if (one_way)
				dport = f->first_icmp_code;
			ports = true;
			break;
		case JJ_PROTO_TCP:
		case JJ_PROTO_UDP:
		case JJ_PROTO_SCTP:
			if (sport < 0)
				return false;
			ports = true;
			break;
		default:
			sport = dport = 0;
	}
	if (w->cryptopan != NULL)
	{
		jj_cryptopan_mapped(w->cryptopan, src, jj_flow_version(f), pseudonym[0]);
		jj_cryptopan_mapped(w->cryptopan, dst, jj_flow_version(f), pseudonym[1]);
		src = pseudonym[0];
		dst = pseudonym[1];
	}
	order = memcmp(src, dst, 16);
	if (!one_way && (order > 0 || (order == 0 && sport > dport)))
	{
		const uint8_t *address = src;
		int			port = sport;

		src = dst;
		dst = address;
		sport = dport;
		dport = port;
	}
	memcpy(b, src + 16 - size, (size_t) size);
	b += size;
	memcpy(b, dst + 16 - size, (size_t) size);
	b += size;
	*b++ = f->key.proto;
	*b++ = 0;
	if (ports)
	{
		*b++ = (uint8_t) (sport >> 8);
		*b++ = (uint8_t) sport;
		*b++ = (uint8_t) (dport >> 8);
		*b++ = (uint8_t) dport;
	}
	if (!jj_digest(w, JJ_SHA1, bytes, (size_t) (b - bytes), hash))
		return false;
	out[0] = '1';
	out[1] = ':';
	EVP_EncodeBlock((unsigned char *) out + 2, hash, sizeof(hash));
	return true;
}
