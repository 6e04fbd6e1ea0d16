/*
 * What the DNS parser knows of a flow, for the groups dns and fingerprint.
 */
#ifndef JJ_DNS_H
#define JJ_DNS_H

#include "extractors/app.h"

typedef enum jj_dns_kind
{
	JJ_DNS_NONE,
	JJ_DNS_UNICAST,				/* port 53 (RFC 1035 4.2) */
	JJ_DNS_MULTICAST,			/* 5353 (RFC 6762) */
	JJ_DNS_LLMNR				/* 5355 (RFC 4795) */
} jj_dns_kind;

typedef struct jj_dns jj_dns;

/* By a flow's ports (-1 = none); the protocol is TCP or UDP. */
extern jj_dns_kind jj_dns_by_ports(int32_t a, int32_t b);

/* Whether a flow has a DNS message; app may be NULL. */
extern bool jj_dns_detected(const jj_app *app);

#endif
