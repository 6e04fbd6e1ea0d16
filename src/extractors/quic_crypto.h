/*
 * Initial packets decrypted, Retry packets verified: what needs no secret.
 *
 * Sources: RFC 9001 5.2, 5.4, 5.8; RFC 9369 3.3; the drafts for their salts.
 */
#ifndef JJ_QUIC_CRYPTO_H
#define JJ_QUIC_CRYPTO_H

#include "extractors/quic_packet.h"

/* Keys of one direction. */
typedef struct jj_quic_keys
{
	uint8_t		key[16];
	uint8_t		iv[12];
	uint8_t		hp[16];
} jj_quic_keys;

/*
 * Keys of Initial packets from the server (or the client) for the client's
 * first destination ID. jj_quic_is_ietf(version) holds. False without libcrypto's help.
 */
extern bool jj_quic_initial_keys(jj_quic_keys *k, uint32_t version, const uint8_t *dcid, unsigned dcid_len, bool server,
								 const jj_work *w);

/*
 * Take protection off an Initial that is captured whole: its payload, valid
 * until the scratch memory of jj_crypto is used again, and the length of its packet
 * number. NULL if the tag is wrong (or without memory).
 */
extern const uint8_t *jj_quic_open(const jj_quic_packet *p, const jj_quic_keys *k, uint32_t *size, unsigned *number_len,
								   const jj_work *w);

/* Whether a Retry has the tag for that destination ID of the client's; true where the version has no tag (before draft 25). */
extern bool jj_quic_retry_valid(const jj_quic_packet *p, const uint8_t *dcid, unsigned dcid_len, const jj_work *w);

#endif
