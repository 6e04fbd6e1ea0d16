/*
 * BPF filters for frames of any link type, compiled by libpcap (pcap-filter(7)).
 */
#ifndef JJ_FILTER_H
#define JJ_FILTER_H

#include "capture/reader.h"

typedef struct jj_filter jj_filter;

/*
 * Check the expression (copied) by compiling it for Ethernet or, where that
 * fails, 802.11 or Linux cooked capture. It is compiled for other link types
 * when their first frame comes. An empty one passes everything. JJ_ERR_FILTER
 * carries libpcap's text. libpcap's own memory comes from malloc(3) and is returned by
 * jj_filter_close.
 */
extern jj_code jj_filter_open(jj_filter **out, const char *expression, const jj_allocator *a, jj_error *err);

/*
 * Sets *pass to whether the frame matches. An expression that can't be
 * compiled for the frame's link type ("ether host" on raw IP) fails with
 * JJ_ERR_FILTER, whose message names the link type.
 */
extern jj_code jj_filter_frame(jj_filter *f, const jj_frame *frame, bool *pass, jj_error *err);

extern void jj_filter_close(jj_filter *f);

/* LINKTYPE_ number, as files have it, of libpcap's own DLT_ number. */
extern uint32_t jj_link_of_dlt(int dlt);

/* JJ_ERR_FILTER: the expression does not compile for a link type, and what libpcap says of it. */
extern jj_code jj_filter_refused(jj_error *err, const char *expression, uint32_t link, const char *text);

#endif
