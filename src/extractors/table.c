/*
 * The table of extractors: one line for each feature group.
 */
#include "extractors/crypto.h"

#include <string.h>

const jj_extractor *const jj_extractor_table[] = {
	&jj_extract_flow_meta,
	&jj_extract_timing,
	&jj_extract_size,
	&jj_extract_padding,
	&jj_extract_ip_extended,
	&jj_extract_ipv6_options,
	&jj_extract_tcp,
	&jj_extract_icmp,
	&jj_extract_entropy,
	&jj_extract_mac,
	&jj_extract_tcp_sequence,
	&jj_extract_tcp_window,
	&jj_extract_tcp_options,
	&jj_extract_tcp_mptcp,
	&jj_extract_tcp_rtt,
	&jj_extract_tcp_fingerprint,
	&jj_extract_quic,
	&jj_extract_tls,
	&jj_extract_ssh,
	&jj_extract_dns,
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

bool
jj_head_keep(jj_head *h, const jj_sample *s, uint32_t n, uint32_t max, bool whole, const jj_allocator *a)
{
	h->n = n < max ? n : max;
	h->sample = s;
	if (whole || max == 0)
		return true;
	h->sample = h->own = jj_alloc(a, sizeof(jj_sample) * h->n);
	if (h->own == NULL)
		return false;
	memcpy(h->own, s, sizeof(jj_sample) * h->n);
	return true;
}

bool
jj_lengths_add(jj_lengths *l, const jj_sample *s, uint32_t n, bool whole, jj_work *w)
{
	l->tally = whole ? &w->tally : &l->own;
	if (whole && w->tallied)
		return true;
	if (whole)
		jj_tally_clear(&w->tally);
	for (uint32_t i = 0; i < n; i++)
		if (!jj_tally_add(l->tally, s[i].ip_len, (unsigned) (s[i].t_dir & 1), &w->allocator))
			return false;
	w->tallied = whole;
	return true;
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
	jj_tally_free(&w->tally, &w->allocator);
	jj_release(&w->allocator, w->entry);
	jj_release(&w->allocator, w->entropy_rise);
	jj_crypto_close(w->crypto, &w->allocator);
}
