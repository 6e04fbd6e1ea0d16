/*
 * jj_packets: captures to rows of jj_packet, one per packet record.
 */
#include "pg/pg.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(jj_packets_path);
PG_FUNCTION_INFO_V1(jj_packets_paths);
PG_FUNCTION_INFO_V1(jj_packets_bytea);

typedef enum column
{
#define JJ_COLUMN(name, type, definition) C_##name,
#include "pg/packets.def"
#undef JJ_COLUMN
	COLUMNS
} column;

typedef struct packet_writer
{
	Tuplestorestate *store;
	TupleDesc	desc;
	int			attribute[COLUMNS];
	Datum	   *values;
	bool	   *nulls;
	MemoryContext memory;		/* of one row's values */
	bool		inner_tunnels;
	uint64		last;			/* number of the record written last */
	jj_observation seen[JJ_BATCH];
} packet_writer;

static void
put(packet_writer *w, column c, Datum value)
{
	if (w->attribute[c] < 0)
		return;
	w->values[w->attribute[c]] = value;
	w->nulls[w->attribute[c]] = false;
}

/* A number that is NULL if it is negative. */
static void
put_int4(packet_writer *w, column c, int32 value)
{
	if (value >= 0)
		put(w, c, Int32GetDatum(value));
}

static void
put_int2(packet_writer *w, column c, int16 value)
{
	if (value >= 0)
		put(w, c, Int16GetDatum(value));
}

static void
put_text(packet_writer *w, column c, const char *text, size_t size)
{
	put(w, c, jj_text_datum(text, size));
}

static void
put_address(packet_writer *w, column c, const uint8 address[16], int version)
{
	put(w, c, version == 4 ? jj_inet_datum(address + 12, 4) : jj_inet_datum(address, 16));
}

static void
put_link(packet_writer *w, const jj_packet *p)
{
	char		text[JJ_LABELS_TEXT];

	if (p->n_labels > 0)
		put_text(w, C_hdr_desc, text, jj_labels_text(text, p->labels, p->n_labels, p->proto));
	if (p->has_src_mac)
		put(w, C_mac_src, jj_mac_datum(p->src_mac));
	if (p->has_dst_mac)
		put(w, C_mac_dst, jj_mac_datum(p->dst_mac));
	put_int4(w, C_eth_type, p->eth_type);
	if (p->n_vlans > 0)
	{
		int32		ids[JJ_MAX_VLANS];

		for (int i = 0; i < p->n_vlans; i++)
			ids[i] = p->vlans[i];
		put(w, C_vlan_ids, jj_plain_array(ids, (uint32) (sizeof(int32) * p->n_vlans), sizeof(int32), INT4OID));
	}
}

static void
put_tunnel(packet_writer *w, const jj_packet *p)
{
	char		text[JJ_TUNNELS_TEXT];

	if (p->n_tunnels == 0)
		return;
	put_text(w, C_tunnel, text, jj_tunnels_text(text, p->tunnels, p->n_tunnels));
	put_address(w, C_tunnel_src_ip, p->outer_src, p->outer_version);
	put_address(w, C_tunnel_dst_ip, p->outer_dst, p->outer_version);
}

static void
put_ip(packet_writer *w, const jj_packet *p)
{
	bool		has_id = p->ip_version == 4;
	int16		headers[JJ_MAX_EXT_HEADERS];

	for (int i = 0; i < p->n_ext_headers; i++)
	{
		headers[i] = p->ext_headers[i];
		has_id |= p->ext_headers[i] == 44;
	}
	put(w, C_ip_version, Int16GetDatum(p->ip_version));
	put_address(w, C_src_ip, p->src, p->ip_version);
	put_address(w, C_dst_ip, p->dst, p->ip_version);
	put_int4(w, C_src_port, p->sport);
	put_int4(w, C_dst_port, p->dport);
	put(w, C_protocol, Int16GetDatum(p->proto));
	put(w, C_ip_len, Int64GetDatum(p->ip_len));
	put(w, C_payload_len, Int64GetDatum(p->payload_len));
	put(w, C_truncated, BoolGetDatum(p->truncated));
	put(w, C_ttl, Int16GetDatum(p->ttl));
	put(w, C_tos, Int16GetDatum(p->tos));
	put(w, C_dscp, Int16GetDatum(p->tos >> 2));
	put(w, C_ecn, Int16GetDatum(p->tos & 3));
	if (has_id)
		put(w, C_ip_id, Int64GetDatum(p->ip_id));
	if (p->ip_version == 4)
		put(w, C_ip_flags, Int16GetDatum(p->ip_flags));
	else
		put(w, C_flow_label, Int32GetDatum((int32) p->flow_label));
	put(w, C_fragment, BoolGetDatum(p->fragment));
	if (p->fragment)
		put(w, C_frag_offset, Int32GetDatum((int32) p->frag_offset));
	if (p->n_ext_headers > 0)
		put(w, C_ext_headers, jj_plain_array(headers, (uint32) (sizeof(int16) * p->n_ext_headers), sizeof(int16), INT2OID));
	put_int2(w, C_icmp_type, p->icmp_type);
	put_int2(w, C_icmp_code, p->icmp_code);
	put_int4(w, C_icmp_id, p->icmp_id);
	put_int4(w, C_icmp_seq, p->icmp_seq);
}

static void
put_tcp(packet_writer *w, const jj_packet *p)
{
	static const char *const name[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"};
	char		text[lengthof(name) * 4] = "";

	if (!p->has_tcp)
		return;
	for (size_t i = 0; i < lengthof(name); i++)
	{
		if (!(p->tcp_flags >> i & 1))
			continue;
		if (text[0] != '\0')
			strlcat(text, ",", sizeof(text));
		strlcat(text, name[i], sizeof(text));
	}
	put(w, C_tcp_flags, Int16GetDatum((int16) p->tcp_flags));
	put_text(w, C_tcp_flags_text, text, strlen(text));
	put(w, C_tcp_seq, Int64GetDatum(p->seq));
	put(w, C_tcp_ack, Int64GetDatum(p->ack));
	put(w, C_tcp_window, Int32GetDatum(p->window));
	put(w, C_tcp_urgent, Int32GetDatum(p->urgent));
	put(w, C_tcp_header_len, Int16GetDatum(p->tcp_header_len));
	put(w, C_tcp_options, jj_bytea_datum(p->options, p->options_len));
}

static void
put_frame(packet_writer *w, const jj_frame *f, const jj_observation *o)
{
	const jj_packet *p = o->packet;
	jj_packet	own = {0};

	put(w, C_time, TimestampTzGetDatum(jj_timestamp(f->ts)));
	put(w, C_ts_ns, Int64GetDatum(f->ts));
	put(w, C_caplen, Int32GetDatum((int32) f->caplen));
	put(w, C_wirelen, Int64GetDatum(f->wirelen));
	put(w, C_link_type, Int32GetDatum((int32) f->link));
	if (p == NULL)
	{
		bool		whole = jj_decode(f, w->inner_tunnels, &own) == JJ_SKIP_NONE;

		put_link(w, &own);
		if (!whole)
			return;
		p = &own;
	}
	else
		put_link(w, p);
	put_tunnel(w, p);
	put_ip(w, p);
	put_tcp(w, p);
	if (o->skip != JJ_SKIP_NONE)
		return;
	put(w, C_flow, Int64GetDatum((int64) o->first_frame));
	put_text(w, C_flow_capture, o->capture, strlen(o->capture));
	put(w, C_flow_packet, Int64GetDatum((int64) o->number));
	put(w, C_direction, Int16GetDatum(p->dir ? -1 : 1));
	put(w, C_t_ns, Int64GetDatum(p->t));
}

/* One row; frame is NULL for a record that names an interface that is not described. */
static void
write_packet(jj_sink *sink, const char *capture, uint64 number, const jj_frame *frame, const jj_observation *o)
{
	packet_writer *w = sink->state;
	MemoryContext old = MemoryContextSwitchTo(w->memory);
	const char *reason = frame == NULL ? "unknown_interface" : jj_skip_name[o->skip];

	memset(w->nulls, true, sizeof(bool) * (size_t) w->desc->natts);
	put_text(w, C_capture, capture, strlen(capture));
	put(w, C_frame, Int64GetDatum((int64) number));
	if (frame == NULL || o->skip != JJ_SKIP_NONE)
		put_text(w, C_skipped, reason, strlen(reason));
	if (frame != NULL)
		put_frame(w, frame, o);
	tuplestore_putvalues(w->store, w->desc, w->values, w->nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->memory);
	sink->rows++;
}

static void
write_packets(jj_sink *sink, const jj_source *source, const jj_frame *frames, uint32 n, uint64 last)
{
	packet_writer *w = sink->state;

	for (uint32 i = 0; i < n; i++)
	{
		while (w->last + 1 < frames[i].index)
			write_packet(sink, source->name, ++w->last, NULL, NULL);
		if (!w->seen[i].waits)
			write_packet(sink, source->name, frames[i].index, &frames[i], &w->seen[i]);
		w->last = frames[i].index;
	}
	while (w->last < last)
		write_packet(sink, source->name, ++w->last, NULL, NULL);
	if (n == 0)
		w->last = 0;
}

static void
write_settled(jj_sink *sink, const jj_settled *s)
{
	write_packet(sink, s->capture, s->frame.index, &s->frame, &s->seen);
}

static packet_writer *
create_writer(const ReturnSetInfo *rsinfo)
{
	static const char *const names[] = {
#define JJ_COLUMN(name, type, definition) #name,
#include "pg/packets.def"
#undef JJ_COLUMN
	};
	static const jj_type types[] = {
#define JJ_COLUMN(name, type, definition) JJ_##type,
#include "pg/packets.def"
#undef JJ_COLUMN
	};
	packet_writer *w = palloc0(sizeof(packet_writer));

	w->store = rsinfo->setResult;
	w->desc = rsinfo->setDesc;
	w->values = palloc0(sizeof(Datum) * (size_t) w->desc->natts);
	w->nulls = palloc(sizeof(bool) * (size_t) w->desc->natts);
	w->memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay row", ALLOCSET_DEFAULT_SIZES);
	jj_map_columns(w->desc, "jj_packet", names, types, COLUMNS, w->attribute);
	return w;
}

static Datum
packets(FunctionCallInfo fcinfo, List *sources, const char *filter, const jj_call_options *options)
{
	jj_call_options own = *options;
	jj_sink		sink = {0};
	packet_writer *w;

	InitMaterializedSRF(fcinfo, 0);
	w = create_writer((ReturnSetInfo *) fcinfo->resultinfo);
	w->inner_tunnels = own.engine.inner_tunnels;
	/* flows are assembled, their columns not computed */
	memset(&own.engine.features, 0, sizeof(own.engine.features));
	sink.state = w;
	sink.seen = w->seen;
	sink.packets = write_packets;
	sink.settled = write_settled;
	jj_run(sources, filter, &own, &sink);
	return (Datum) 0;
}

Datum
jj_packets_path(PG_FUNCTION_ARGS)
{
	return jj_call_path(fcinfo, packets);
}

Datum
jj_packets_paths(PG_FUNCTION_ARGS)
{
	return jj_call_paths(fcinfo, packets);
}

Datum
jj_packets_bytea(PG_FUNCTION_ARGS)
{
	return jj_call_bytea(fcinfo, packets);
}
