/*
 * BPF filters: one program for each link type met.
 */
#include "capture/filter.h"

#include <pcap/pcap.h>
#include <string.h>

#define LINKTYPE_RAW 101

typedef struct program
{
	struct program *next;
	uint32_t	link;
	struct bpf_program bpf;
} program;

struct jj_filter
{
	jj_allocator allocator;
	program    *programs;
	program    *last;			/* the one used last */
	char		expression[];
};

/* libpcap's number of a LINKTYPE_; of those that can be decoded only raw IP differs. */
static int
dlt_of(uint32_t link)
{
	return link == LINKTYPE_RAW ? DLT_RAW : (int) link;
}

/* Compile for a link type; the program is in f's list on success. */
static jj_code
compile(jj_filter *f, uint32_t link, jj_error *err)
{
	program    *p = jj_alloc_zero(&f->allocator, sizeof(*p));
	pcap_t	   *dead;
	const char *name = pcap_datalink_val_to_name(dlt_of(link));

	if (p == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	dead = pcap_open_dead(dlt_of(link), JJ_MAX_RECORD);
	if (dead == NULL)
	{
		jj_release(&f->allocator, p);
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	}
	if (pcap_compile(dead, &p->bpf, f->expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
	{
		jj_fail(err, JJ_ERR_FILTER, "filter \"%.100s\" can't be used on link type %u (%s): %.80s",
				f->expression, (unsigned) link, name == NULL ? "unknown" : name, pcap_geterr(dead));
		jj_hint(err, "See pcap-filter(7) for the syntax.");
		pcap_close(dead);
		jj_release(&f->allocator, p);
		return JJ_ERR_FILTER;
	}
	pcap_close(dead);
	p->link = link;
	p->next = f->programs;
	f->programs = f->last = p;
	return JJ_OK;
}

jj_code
jj_filter_open(jj_filter **out, const char *expression, const jj_allocator *a, jj_error *err)
{
	size_t		size = strlen(expression) + 1;
	jj_filter  *f = jj_alloc_zero(a, sizeof(*f) + size);
	jj_code		code;

	*out = NULL;
	if (f == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	f->allocator = *a;
	memcpy(f->expression, expression, size);
	code = compile(f, DLT_EN10MB, err);
	if (code != JJ_OK)
	{
		jj_filter_close(f);
		return code;
	}
	*out = f;
	return JJ_OK;
}

jj_code
jj_filter_frame(jj_filter *f, const jj_frame *frame, bool *pass, jj_error *err)
{
	struct pcap_pkthdr header;

	if (f->last->link != frame->link)
	{
		program    *p = f->programs;

		while (p != NULL && p->link != frame->link)
			p = p->next;
		if (p == NULL)
		{
			jj_code		code = compile(f, frame->link, err);

			if (code != JJ_OK)
				return code;
		}
		else
			f->last = p;
	}
	memset(&header, 0, sizeof(header));
	header.caplen = frame->caplen;
	header.len = frame->wirelen;
	*pass = pcap_offline_filter(&f->last->bpf, &header, frame->data) != 0;
	return JJ_OK;
}

void
jj_filter_close(jj_filter *f)
{
	jj_allocator a;

	if (f == NULL)
		return;
	a = f->allocator;
	while (f->programs != NULL)
	{
		program    *p = f->programs;

		f->programs = p->next;
		pcap_freecode(&p->bpf);
		jj_release(&a, p);
	}
	jj_release(&a, f);
}
