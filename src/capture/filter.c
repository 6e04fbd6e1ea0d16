/*
 * BPF filters, compiled by libpcap for each link type that is met.
 */
#include "capture/filter.h"

#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 16				/* compiled programs kept; files with more link types are rare */
#define SHOWN 60				/* bytes of the expression in a message */

typedef struct program
{
	bool		compiled;
	uint32_t	link;
	struct bpf_program code;
} program;

struct jj_filter
{
	jj_allocator a;
	char	   *expression;
	program    *last;			/* of the frame before */
	uint32_t	next;			/* slot that is given up next */
	program		slots[SLOTS];
};

/* LINKTYPE_ numbers of files whose DLT_ number, libpcap's own, differs or may be another system's. */
static int
link_to_dlt(uint32_t link)
{
	switch (link)
	{
		case 12:				/* DLT_RAW of most systems */
		case 14:				/* that of OpenBSD */
		case 101:				/* LINKTYPE_RAW */
			return DLT_RAW;
		case 100:
			return DLT_ATM_RFC1483;
		case 102:
			return DLT_SLIP_BSDOS;
		case 103:
			return DLT_PPP_BSDOS;
#ifdef DLT_ATM_CLIP
		case 106:
			return DLT_ATM_CLIP;
#endif
		default:
			return (int) link;
	}
}

uint32_t
jj_link_of_dlt(int dlt)
{
	switch (dlt)
	{
		case DLT_RAW:
			return 101;
		case DLT_ATM_RFC1483:
			return 100;
		case DLT_SLIP_BSDOS:
			return 102;
		case DLT_PPP_BSDOS:
			return 103;
#ifdef DLT_ATM_CLIP
		case DLT_ATM_CLIP:
			return 106;
#endif
		default:
			return (uint32_t) dlt;
	}
}

/* Bytes of a text that fit in a message, without half a UTF-8 character at the end. */
static int
fitting(const char *text, size_t room)
{
	size_t		n = strlen(text);

	if (n > room)
		for (n = room; n > 0 && ((unsigned char) text[n] & 0xc0) == 0x80; n--)
			;
	return (int) n;
}

jj_code
jj_filter_refused(jj_error *err, const char *expression, uint32_t link, const char *text)
{
	const char *name = pcap_datalink_val_to_name(link_to_dlt(link));
	const int	shown = fitting(expression, SHOWN);

	jj_fail(err, JJ_ERR_FILTER, "filter \"%.*s%s\" does not compile for link type %" PRIu32 "%s%s%s: %.*s",
			shown, expression, expression[shown] != '\0' ? "..." : "", link,
			name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "",
			fitting(text, 110), text);
	jj_hint(err, "The manual page pcap-filter(7) describes the expressions.");
	return JJ_ERR_FILTER;
}

static jj_code
compile(jj_filter *f, uint32_t link, program *p, jj_error *err)
{
	pcap_t	   *pcap = pcap_open_dead(link_to_dlt(link), JJ_MAX_RECORD);

	if (pcap == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a filter");
	p->compiled = pcap_compile(pcap, &p->code, f->expression, 1, PCAP_NETMASK_UNKNOWN) == 0;
	p->link = link;
	if (!p->compiled)
		jj_filter_refused(err, f->expression, link, pcap_geterr(pcap));
	pcap_close(pcap);
	return p->compiled ? JJ_OK : JJ_ERR_FILTER;
}

/* The program for a link type, compiled on its first use. */
static jj_code
program_for(jj_filter *f, uint32_t link, jj_error *err)
{
	program    *p;

	for (uint32_t i = 0; i < SLOTS; i++)
	{
		if (f->slots[i].compiled && f->slots[i].link == link)
		{
			f->last = &f->slots[i];
			return JJ_OK;
		}
	}
	p = &f->slots[f->next];
	f->next = (f->next + 1) % SLOTS;
	if (p->compiled)
		pcap_freecode(&p->code);
	p->compiled = false;
	f->last = p;
	return compile(f, link, p, err);
}

jj_code
jj_filter_open(jj_filter **out, const char *expression, const jj_allocator *a, jj_error *err)
{
	static const uint32_t others[] = {105, 113, 276};
	const size_t size = strlen(expression) + 1;
	jj_filter  *f = jj_alloc_zero(a, sizeof(jj_filter));
	jj_code		code;

	*out = NULL;
	if (f == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a filter");
	f->a = *a;
	f->expression = jj_alloc(a, size);
	if (f->expression == NULL)
	{
		jj_filter_close(f);
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory for a filter of %zu bytes", size);
	}
	memcpy(f->expression, expression, size);

	/* what is only known of wireless networks, or of packets' directions, is right for some files, too */
	code = program_for(f, 1, err);
	for (size_t i = 0; code == JJ_ERR_FILTER && i < sizeof(others) / sizeof(others[0]); i++)
		if (program_for(f, others[i], NULL) == JJ_OK)
			code = JJ_OK;
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

	*pass = false;
	if (JJ_UNLIKELY(!f->last->compiled || f->last->link != frame->link))
	{
		jj_code		code = program_for(f, frame->link, err);

		if (code != JJ_OK)
			return code;
	}
	memset(&header, 0, sizeof(header));
	header.caplen = frame->caplen;
	header.len = frame->wirelen;
	*pass = pcap_offline_filter(&f->last->code, &header, frame->data) != 0;
	return JJ_OK;
}

void
jj_filter_close(jj_filter *f)
{
	jj_allocator a;

	if (f == NULL)
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		if (f->slots[i].compiled)
			pcap_freecode(&f->slots[i].code);
	a = f->a;
	jj_release(&a, f->expression);
	jj_release(&a, f);
}
