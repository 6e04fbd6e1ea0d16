/*
 * The table of extractors: one line for each feature group.
 */
#include "extractors/crypto.h"
#include "extractors/tls_cert.h"

#include <string.h>

const jj_extractor *const jj_extractor_table[] = {
	&jj_extract_flow_meta,
	&jj_extract_timing,
	&jj_extract_size,
	&jj_extract_ip_extended,
	&jj_extract_tcp,
	&jj_extract_entropy,
	&jj_extract_padding,
	&jj_extract_tcp_sequence,
	&jj_extract_tcp_window,
	&jj_extract_tcp_options,
	&jj_extract_tcp_mptcp,
	&jj_extract_tcp_rtt,
	&jj_extract_tcp_fingerprint,
	&jj_extract_icmp,
	&jj_extract_mac,
	&jj_extract_ipv6_options,
	&jj_extract_quic,
	&jj_extract_tls,
	&jj_extract_ssh,
	&jj_extract_dns,
	&jj_extract_http2,
	&jj_extract_fingerprint,
	&jj_extract_connection,
};

const unsigned jj_extractor_count = sizeof(jj_extractor_table) / sizeof(jj_extractor_table[0]);

bool
jj_group_implemented(jj_group group)
{
	for (unsigned i = 0; i < jj_extractor_count; i++)
		if (jj_extractor_table[i]->group == group)
			return true;
	return false;
}

void
jj_work_prepare(jj_work *w)
{
	w->groups = 0;
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		if (jj_set_has(&w->options.features, f))
			w->groups |= UINT32_C(1) << jj_feature_table[f].group;
}

void
jj_work_free(jj_work *w)
{
	for (int d = 0; d < 3; d++)
		jj_release(&w->allocator, w->gap[d]);
	jj_tally_free(&w->lengths.tally, &w->allocator);
	jj_release(&w->allocator, w->sorted);
	jj_release(&w->allocator, w->sort_key);
	jj_release(&w->allocator, w->entropy_log);
	jj_cert_cache_free(w->certs, &w->allocator);
	jj_crypto_close(w->crypto, &w->allocator);
}
