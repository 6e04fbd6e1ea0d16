/*
 * Classic pcap files (draft-ietf-opsawg-pcap).
 */
#include "capture/reader_internal.h"

#include <inttypes.h>

#define RECORD_HEADER 16
#define MODIFIED_RECORD_HEADER 24	/* interface index, protocol and packet type follow the lengths */

/* header has JJ_PCAP_HEADER bytes whose magic number is set in r->info and r->tick already. */
jj_code
jj_pcap_open(jj_reader *r, const uint8_t *header, jj_error *err)
{
	uint32_t	number;
	jj_code		code = jj_reader_add_iface(r, &number, err);

	if (code != JJ_OK)
		return code;
	r->ifaces[number].snaplen = jj_get32(header + 16, r->info.big_endian);
	/* the upper half tells of frame check sequences */
	r->ifaces[number].link = jj_get32(header + 20, r->info.big_endian) & 0xffff;
	r->ifaces[number].ticks_per_second = 1000000000 / r->tick;
	r->ifaces[number].section = 1;
	r->info.sections = 1;
	r->in.pos += JJ_PCAP_HEADER;
	return JJ_OK;
}

/* Complete records in the window. big and header are constants wherever this is called. */
static inline uint32_t
walk(jj_reader *r, jj_frame *frames, uint32_t max, bool big, size_t header)
{
	const uint8_t *p = r->in.data + r->in.pos;
	const uint8_t *end = r->in.data + r->in.end;
	const uint32_t link = r->ifaces[0].link;
	const int64_t tick = r->tick;
	const uint64_t index = r->info.packets + 1;
	uint32_t	n = 0;

	while (n < max && (size_t) (end - p) >= header)
	{
		uint32_t	caplen = jj_get32(p + 8, big);
		uint32_t	wirelen = jj_get32(p + 12, big);
		jj_frame   *f = &frames[n];

		if (JJ_UNLIKELY(caplen > JJ_MAX_RECORD || caplen > (size_t) (end - p) - header))
			break;
		f->ts = (int64_t) jj_get32(p, big) * 1000000000 + (int64_t) jj_get32(p + 4, big) * tick;
		f->index = index + n;
		f->data = p + header;
		f->caplen = caplen;
		f->wirelen = wirelen > caplen ? wirelen : caplen;
		f->link = link;
		f->iface = 0;
		JJ_PREFETCH(p + header + 63);	/* most headers end there */
		p += header + caplen;
		n++;
	}
	r->in.pos = (size_t) (p - r->in.data);
	r->info.packets += n;
	r->ifaces[0].packets += n;
	return n;
}

/* Bring the next record into the window, or end the reading. */
static jj_code
advance(jj_reader *r, size_t header, jj_error *err)
{
	jj_input   *in = &r->in;
	const uint64_t frame = r->info.packets + 1;
	jj_place	place;
	uint32_t	caplen;
	jj_code		code;

	code = jj_input_need(in, header, err);
	if (code != JJ_OK)
		return code;
	if (in->end == in->pos)
	{
		jj_reader_finish(r);
		return JJ_OK;
	}
	place = jj_reader_place(r);
	if (in->end - in->pos < header)
	{
		jj_reader_cut(r, "the file ends inside the header of frame %" PRIu64 ", which begins at %s", frame, place.text);
		return JJ_OK;
	}
	caplen = jj_get32(in->data + in->pos + 8, r->info.big_endian);
	if (caplen > JJ_MAX_RECORD)
	{
		jj_reader_stop(r, "frame %" PRIu64 " at %s claims a length of %" PRIu32 " bytes, more than the %d that are possible; reading ends there",
					   frame, place.text, caplen, JJ_MAX_RECORD);
		return JJ_OK;
	}
	code = jj_input_need(in, header + caplen, err);
	if (code != JJ_OK)
		return code;
	if (in->end - in->pos < header + caplen)
		jj_reader_cut(r, "the file ends inside frame %" PRIu64 ", which begins at %s: %zu of %" PRIu32 " bytes are there",
					   frame, place.text, in->end - in->pos - header, caplen);
	return JJ_OK;
}

jj_code
jj_pcap_next(jj_reader *r, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err)
{
	const bool	modified = r->info.format == JJ_FORMAT_PCAP_MODIFIED;

	for (;;)
	{
		jj_code		code;

		if (r->info.big_endian)
			*count = modified ? walk(r, frames, max, true, MODIFIED_RECORD_HEADER) : walk(r, frames, max, true, RECORD_HEADER);
		else
			*count = modified ? walk(r, frames, max, false, MODIFIED_RECORD_HEADER) : walk(r, frames, max, false, RECORD_HEADER);
		if (*count > 0)
			return JJ_OK;
		code = advance(r, modified ? MODIFIED_RECORD_HEADER : RECORD_HEADER, err);
		if (code != JJ_OK || r->finished)
			return code;
	}
}
