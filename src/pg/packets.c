/*
 * jj_packets: captures to rows of jj_packet, one per packet record.
 */
#include "pg/pg.h"

#include "catalog/pg_type.h"
#include "features/anonymize.h"
#include "packet/tcp_options.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(jj_packets_path);
PG_FUNCTION_INFO_V1(jj_packets_paths);
PG_FUNCTION_INFO_V1(jj_packets_bytea);


#define FLAGS_TEXT 40

/*
 * Room for the values of a row that are no plain numbers: at most so many, each
 * with JJ_ROW_HEADROOM in front and aligned to 8.
 */
#define MADE_VALUES 12
#define ROOM (MADE_VALUES * (JJ_ROW_HEADROOM + 8) + JJ_LABELS_TEXT + JJ_TUNNELS_TEXT + FLAGS_TEXT + 4 * 16 + 2 * 6 + JJ_MAX_TCP_OPTIONS \
			  + JJ_MAX_VLANS * sizeof(int32) + JJ_MAX_EXT_HEADERS * sizeof(int16))

/* A text that many rows have, by its address. */
typedef struct shared_text
{
	const char *text;
	Datum		datum;
} shared_text;

struct jj_packet_rows
{
	jj_extraction *extraction;
	jj_cryptopan *cryptopan;	/* NULL: addresses are shown */
	const int  *attribute;		/* of each column, where its value goes; -1 if it isn't wanted */
	int			natts;
	Datum	   *values;
	bool	   *nulls;
	bool		inner_tunnels;
	uint64		last;			/* number of the record given last, of this source */
	uint32		done;			/* frames of the batch that are given */
	shared_text capture;
	shared_text flow_capture;
	shared_text skipped;
	Size		used;			/* bytes of the room */
	union
	{
		char		bytes[ROOM];
		int64		aligned;
	}			room;
};

static inline bool
wants(const jj_packet_rows *w, int c)
{
	return w->attribute[c] >= 0;
}

static void
put(jj_packet_rows *w, int c, Datum value)
{
	if (!wants(w, c))
		return;
	w->values[w->attribute[c]] = value;
	w->nulls[w->attribute[c]] = false;
}

/* A number that is NULL if it is negative. */
static void
put_int4(jj_packet_rows *w, int c, int32 value)
{
	if (value >= 0)
		put(w, c, Int32GetDatum(value));
}

static void
put_int2(jj_packet_rows *w, int c, int16 value)
{
	if (value >= 0)
		put(w, c, Int16GetDatum(value));
}

/* Where up to so many bytes of a value of this row go. */
static void *
place(jj_packet_rows *w, Size size)
{
	char	   *to = w->room.bytes + w->used + JJ_ROW_HEADROOM;

	w->used += JJ_ROW_HEADROOM + TYPEALIGN(8, size);
	if (w->used > ROOM)
		elog(ERROR, "values of a packet do not fit");
	return to;
}

/* A text that lives as long as the rows and is likely to come again. */
static void
put_shared(jj_packet_rows *w, int c, shared_text *shared, const char *text)
{
	if (!wants(w, c))
		return;
	if (shared->text != text)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(w));

		if (shared->text != NULL)
			pfree(DatumGetPointer(shared->datum));
		shared->datum = jj_text_datum(text, strlen(text));
		shared->text = text;
		MemoryContextSwitchTo(old);
	}
	put(w, c, shared->datum);
}

static void
put_address(jj_packet_rows *w, int c, const uint8 address[16], int version)
{
	const uint32 size = version == 4 ? 4 : 16;
	uint8		pseudonym[16];
	void	   *to;

	if (!wants(w, c))
		return;
	if (w->cryptopan != NULL)
	{
		jj_cryptopan_mapped(w->cryptopan, address, version, pseudonym);
		address = pseudonym;
	}
	to = place(w, size);
	memcpy(to, address + 16 - size, size);
	put(w, c, jj_inet_in_place(to, size));
}

static void
put_mac(jj_packet_rows *w, int c, const uint8 address[6])
{
	uint8	   *to;

	if (!wants(w, c))
		return;
	to = place(w, 6);
	if (w->cryptopan != NULL)
		jj_cryptopan_mac(w->cryptopan, address, to);
	else
		memcpy(to, address, 6);
	put(w, c, PointerGetDatum(to));
}

static void
put_options(jj_packet_rows *w, const uint8 *options, uint32 size)
{
	uint8	   *to;

	if (!wants(w, JJ_PACKET_tcp_options))
		return;
	to = place(w, size);
	memcpy(to, options, size);
	if (w->cryptopan != NULL)
		jj_anonymize_tcp_options(w->cryptopan, to, size);
	put(w, JJ_PACKET_tcp_options, jj_varlena_in_place(to, size));
}

static void
put_link(jj_packet_rows *w, const jj_packet *p)
{
	if (p->n_labels > 0 && wants(w, JJ_PACKET_hdr_desc))
	{
		char	   *text = place(w, JJ_LABELS_TEXT);

		put(w, JJ_PACKET_hdr_desc, jj_text_in_place(text, (uint32) jj_labels_text(text, p->labels, p->n_labels, p->proto)));
	}
	if (p->has_src_mac)
		put_mac(w, JJ_PACKET_mac_src, p->src_mac);
	if (p->has_dst_mac)
		put_mac(w, JJ_PACKET_mac_dst, p->dst_mac);
	put_int4(w, JJ_PACKET_eth_type, p->eth_type);
	if (p->n_vlans > 0 && wants(w, JJ_PACKET_vlan_ids))
	{
		int32	   *ids = place(w, sizeof(int32) * p->n_vlans);

		for (int i = 0; i < p->n_vlans; i++)
			ids[i] = p->vlans[i];
		put(w, JJ_PACKET_vlan_ids, jj_array_in_place(ids, (uint32) (sizeof(int32) * p->n_vlans), sizeof(int32), INT4OID));
	}
}

static void
put_tunnel(jj_packet_rows *w, const jj_packet *p)
{
	if (p->n_tunnels == 0)
		return;
	if (wants(w, JJ_PACKET_tunnel))
	{
		char	   *text = place(w, JJ_TUNNELS_TEXT);

		put(w, JJ_PACKET_tunnel, jj_text_in_place(text, (uint32) jj_tunnels_text(text, p->tunnels, p->n_tunnels)));
	}
	put_address(w, JJ_PACKET_tunnel_src_ip, p->outer_src, p->outer_version);
	put_address(w, JJ_PACKET_tunnel_dst_ip, p->outer_dst, p->outer_version);
}

static void
put_ip(jj_packet_rows *w, const jj_packet *p)
{
	bool		has_id = p->ip_version == 4;

	for (int i = 0; i < p->n_ext_headers; i++)
		has_id |= p->ext_headers[i] == 44;
	put(w, JJ_PACKET_ip_version, Int16GetDatum(p->ip_version));
	put_address(w, JJ_PACKET_src_ip, p->src, p->ip_version);
	put_address(w, JJ_PACKET_dst_ip, p->dst, p->ip_version);
	put_int4(w, JJ_PACKET_src_port, p->sport);
	put_int4(w, JJ_PACKET_dst_port, p->dport);
	put(w, JJ_PACKET_protocol, Int16GetDatum(p->proto));
	put(w, JJ_PACKET_ip_len, Int64GetDatum(p->ip_len));
	put(w, JJ_PACKET_payload_len, Int64GetDatum(p->payload_len));
	put(w, JJ_PACKET_truncated, BoolGetDatum(p->truncated));
	put(w, JJ_PACKET_ttl, Int16GetDatum(p->ttl));
	put(w, JJ_PACKET_tos, Int16GetDatum(p->tos));
	put(w, JJ_PACKET_dscp, Int16GetDatum(p->tos >> 2));
	put(w, JJ_PACKET_ecn, Int16GetDatum(p->tos & 3));
	if (has_id)
		put(w, JJ_PACKET_ip_id, Int64GetDatum(p->ip_id));
	if (p->ip_version == 4)
		put(w, JJ_PACKET_ip_flags, Int16GetDatum(p->ip_flags));
	else
		put(w, JJ_PACKET_flow_label, Int32GetDatum((int32) p->flow_label));
	put(w, JJ_PACKET_fragment, BoolGetDatum(p->fragment));
	if (p->fragment)
		put(w, JJ_PACKET_frag_offset, Int32GetDatum((int32) p->frag_offset));
	if (p->n_ext_headers > 0 && wants(w, JJ_PACKET_ext_headers))
	{
		int16	   *headers = place(w, sizeof(int16) * p->n_ext_headers);

		for (int i = 0; i < p->n_ext_headers; i++)
			headers[i] = p->ext_headers[i];
		put(w, JJ_PACKET_ext_headers, jj_array_in_place(headers, (uint32) (sizeof(int16) * p->n_ext_headers), sizeof(int16), INT2OID));
	}
	put_int2(w, JJ_PACKET_icmp_type, p->icmp_type);
	put_int2(w, JJ_PACKET_icmp_code, p->icmp_code);
	put_int4(w, JJ_PACKET_icmp_id, p->icmp_id);
	put_int4(w, JJ_PACKET_icmp_seq, p->icmp_seq);
}

static void
put_flags(jj_packet_rows *w, unsigned flags)
{
	static const char name[][4] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"};
	char	   *text;
	uint32		size = 0;

	StaticAssertStmt(sizeof(name) <= FLAGS_TEXT, "names and commas must fit");
	put(w, JJ_PACKET_tcp_flags, Int16GetDatum((int16) flags));
	if (!wants(w, JJ_PACKET_tcp_flags_text))
		return;
	text = place(w, FLAGS_TEXT);
	for (size_t i = 0; i < lengthof(name); i++)
	{
		if (!(flags >> i & 1))
			continue;
		if (size > 0)
			text[size++] = ',';
		for (const char *c = name[i]; *c != '\0'; c++)
			text[size++] = *c;
	}
	put(w, JJ_PACKET_tcp_flags_text, jj_varlena_in_place(text, size));
}

static void
put_tcp(jj_packet_rows *w, const jj_packet *p)
{
	if (!p->has_tcp)
		return;
	put_flags(w, p->tcp_flags);
	put(w, JJ_PACKET_tcp_seq, Int64GetDatum(p->seq));
	put(w, JJ_PACKET_tcp_ack, Int64GetDatum(p->ack));
	put(w, JJ_PACKET_tcp_window, Int32GetDatum(p->window));
	put(w, JJ_PACKET_tcp_urgent, Int32GetDatum(p->urgent));
	put(w, JJ_PACKET_tcp_header_len, Int16GetDatum(p->tcp_header_len));
	put_options(w, p->options, p->options_len);
}

static void
put_frame(jj_packet_rows *w, const jj_frame *f, const jj_observation *o)
{
	const jj_packet *p = o->packet;
	jj_packet	own = {0};

	put(w, JJ_PACKET_time, TimestampTzGetDatum(jj_timestamp(f->ts)));
	put(w, JJ_PACKET_ts_ns, Int64GetDatum(f->ts));
	put(w, JJ_PACKET_caplen, Int32GetDatum((int32) f->caplen));
	put(w, JJ_PACKET_wirelen, Int64GetDatum(f->wirelen));
	put(w, JJ_PACKET_link_type, Int32GetDatum((int32) f->link));
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
	put(w, JJ_PACKET_flow, Int64GetDatum((int64) o->first_frame));
	put(w, JJ_PACKET_flow_packet, Int64GetDatum((int64) o->number));
	put_shared(w, JJ_PACKET_flow_capture, &w->flow_capture, o->capture);
	put(w, JJ_PACKET_direction, Int16GetDatum(p->dir ? -1 : 1));
	put(w, JJ_PACKET_t_ns, Int64GetDatum(p->t));
}

/* One row; frame is NULL for a record that names an interface that is not described. */
static void
put_packet(jj_packet_rows *w, const char *capture, uint64 number, const jj_frame *frame, const jj_observation *o)
{
	const char *reason = frame == NULL ? "unknown_interface" : jj_skip_name[o->skip];
	const uint64 begin = jj_extraction_clock(w->extraction);

	memset(w->nulls, true, sizeof(bool) * (size_t) w->natts);
	w->used = 0;
	put_shared(w, JJ_PACKET_capture, &w->capture, capture);
	put(w, JJ_PACKET_frame, Int64GetDatum((int64) number));
	if (frame == NULL || o->skip != JJ_SKIP_NONE)
		put_shared(w, JJ_PACKET_skipped, &w->skipped, reason);
	if (frame != NULL)
		put_frame(w, frame, o);
	if (w->cryptopan != NULL)
		jj_privacy_check(w->cryptopan);
	jj_extraction_formed(w->extraction, begin);
	jj_extraction_count(w->extraction);
}

bool
jj_packet_rows_next(jj_packet_rows *w)
{
	const jj_batch *b = jj_extraction_batch(w->extraction);

	for (;;)
	{
		const bool	more = w->done < b->n;
		const jj_settled *late;

		if (b->source != NULL && w->last < (more ? b->frames[w->done].index - 1 : b->last))
		{
			put_packet(w, b->source->name, ++w->last, NULL, NULL);
			return true;
		}
		if (more)
		{
			uint32		i = w->done++;

			w->last = b->frames[i].index;
			if (b->seen[i].waits)
				continue;
			put_packet(w, b->source->name, w->last, &b->frames[i], &b->seen[i]);
			return true;
		}
		late = jj_extraction_settled(w->extraction);
		if (late != NULL)
		{
			put_packet(w, late->capture, late->frame.index, &late->frame, &late->seen);
			return true;
		}
		/* its end */
		if (b->n == 0)
			w->last = 0;
		w->done = 0;
		if (!jj_extraction_step(w->extraction))
			return false;
		while (jj_extraction_row(w->extraction) != NULL)
			;
	}
}

void
jj_packet_rows_map(TupleDesc desc, int column[JJ_PACKET_COLUMNS])
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

	jj_map_columns(desc, "jj_packet", names, types, JJ_PACKET_COLUMNS, column);
}

jj_packet_rows *
jj_packet_rows_begin(List *sources, const char *filter, const jj_call_options *options, const int *column, int natts, Datum *values, bool *nulls)
{
	jj_call_options own = *options;
	jj_packet_rows *w = palloc0(sizeof(jj_packet_rows));

	w->attribute = column;
	w->natts = natts;
	w->values = values;
	w->nulls = nulls;
	w->inner_tunnels = own.engine.inner_tunnels;
	/* flows are assembled, their columns not computed */
	memset(&own.engine.features, 0, sizeof(own.engine.features));
	w->extraction = jj_extraction_begin(sources, filter, &own, true);
	w->cryptopan = jj_extraction_cryptopan(w->extraction);
	return w;
}

jj_extraction *
jj_packet_rows_extraction(const jj_packet_rows *w)
{
	return w->extraction;
}

static Datum
packets(FunctionCallInfo fcinfo, List *sources, const char *filter, const jj_call_options *options)
{
	ReturnSetInfo *rsinfo;
	TupleDesc	desc;
	jj_packet_rows *w;
	MemoryContext row;
	MemoryContext old;
	int			column[JJ_PACKET_COLUMNS];

	InitMaterializedSRF(fcinfo, 0);
	rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	desc = rsinfo->setDesc;
	jj_packet_rows_map(desc, column);
	w = jj_packet_rows_begin(sources, filter, options, column, desc->natts,
							 palloc0(sizeof(Datum) * (size_t) desc->natts), palloc(sizeof(bool) * (size_t) desc->natts));
	row = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay row", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(row);
	while (jj_packet_rows_next(w))
	{
		tuplestore_putvalues(rsinfo->setResult, desc, w->values, w->nulls);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(old);
	jj_extraction_end(w->extraction);
	return (Datum) 0;
}

Datum
jj_packets_path(PG_FUNCTION_ARGS)
{
	return jj_call_function(fcinfo, TEXTOID, packets);
}

Datum
jj_packets_paths(PG_FUNCTION_ARGS)
{
	return jj_call_function(fcinfo, TEXTARRAYOID, packets);
}

Datum
jj_packets_bytea(PG_FUNCTION_ARGS)
{
	return jj_call_function(fcinfo, BYTEAOID, packets);
}
