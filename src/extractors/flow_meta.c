/*
 * Group flow_meta: who, when, how much, and how the flow was found and ended.
 */
#include "extractors/extractor.h"

#include <string.h>

/* In ascending order. */
static const struct
{
	uint16_t	port;
	const char *name;
}			port_names[] = {
	{20, "ftp-data"}, {21, "ftp"}, {22, "ssh"}, {23, "telnet"}, {25, "smtp"}, {53, "dns"}, {67, "dhcp"}, {68, "dhcp"},
	{69, "tftp"}, {80, "http"}, {110, "pop3"}, {119, "nntp"}, {123, "ntp"}, {143, "imap"}, {161, "snmp"},
	{162, "snmp-trap"}, {443, "https"}, {445, "smb"}, {465, "smtps"}, {514, "syslog"}, {587, "smtp-submission"},
	{636, "ldaps"}, {853, "dns-over-tls"}, {993, "imaps"}, {995, "pop3s"}, {1080, "socks"}, {1194, "openvpn"},
	{1433, "mssql"}, {1521, "oracle"}, {1723, "pptp"}, {3306, "mysql"}, {3389, "rdp"}, {5060, "sip"}, {5061, "sips"},
	{5222, "xmpp"}, {5432, "postgresql"}, {5900, "vnc"}, {6379, "redis"}, {6667, "irc"}, {8080, "http-alt"},
	{8443, "https-alt"}, {8888, "http-alt"}, {9000, "php-fpm"}, {9200, "elasticsearch"}, {27017, "mongodb"}
};

const char *
jj_port_name(int32_t port)
{
	size_t		lo = 0;
	size_t		hi = sizeof(port_names) / sizeof(port_names[0]);

	while (lo < hi)
	{
		size_t		mid = (lo + hi) / 2;

		if (port_names[mid].port < port)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < sizeof(port_names) / sizeof(port_names[0]) && port_names[lo].port == port ? port_names[lo].name : NULL;
}

static void
emit_port_class(int32_t port, jj_row *row)
{
	static const char *const range[] = {"system", "registered", "dynamic"};
	int			class = port < 1024 ? 1 : port < 49152 ? 2 : 3;
	const char *name = jj_port_name(port);

	jj_row_text(row, JJ_F_dst_port_class, name != NULL ? name : range[class - 1]);
	jj_row_int(row, JJ_F_dst_port_class_num, class);
}

/* Few sequences of headers come again and again: the text of the flow before is kept. */
static void
emit_headers(const jj_flow *f, jj_work *w, jj_row *row)
{
	jj_headers_text *h = &w->headers;
	unsigned	n = f->n_labels < JJ_MAX_LABELS ? f->n_labels : JJ_MAX_LABELS;

	jj_row_int(row, JJ_F_num_hdrs, n);
	if (!jj_row_wants(row, JJ_F_hdr_desc))
		return;
	if (h->n != n || h->proto != f->key.proto || memcmp(h->labels, f->labels, n) != 0)
	{
		h->n = (uint8_t) n;
		h->proto = f->key.proto;
		memcpy(h->labels, f->labels, n);
		h->size = (uint8_t) jj_labels_text(h->text, f->labels, n, f->key.proto);
	}
	jj_row_put(row, JJ_F_hdr_desc, h->text, h->size);
}

static void
emit_encapsulation(const jj_encapsulation *e, jj_row *row)
{
	if (e->n_vlans > 0)
	{
		int32_t    *ids = jj_row_reserve(row, JJ_F_vlan_ids, sizeof(int32_t) * e->n_vlans);

		for (unsigned i = 0; ids != NULL && i < e->n_vlans; i++)
			ids[i] = e->vlans[i];
	}
	if (e->n_tunnels > 0)
	{
		char		text[JJ_TUNNELS_TEXT];

		jj_row_put(row, JJ_F_tunnel, text, jj_tunnels_text(text, e->tunnels, e->n_tunnels));
		jj_row_inet(row, JJ_F_tunnel_src_ip, e->outer_src, e->outer_version);
		jj_row_inet(row, JJ_F_tunnel_dst_ip, e->outer_dst, e->outer_version);
	}
}

static void
emit_flow_stat(const jj_flow *f, jj_row *row)
{
	int			stat = f->seen & (JJ_SEEN_SYN | JJ_SEEN_SYNACK | JJ_SEEN_FIN_FWD | JJ_SEEN_FIN_BWD | JJ_SEEN_RST);

	if (f->key.proto != JJ_PROTO_TCP || !(f->seen & JJ_SEEN_TCP))
		return;
	if ((stat & 15) == 15)
		stat |= 64;
	jj_row_int(row, JJ_F_flow_stat, stat);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	uint64_t	packets = f->packets[0] + f->packets[1];
	uint64_t	bytes = f->bytes[0] + f->bytes[1];
	double		duration = (double) f->clock / 1e9;
	int64_t		end = jj_time_add(f->start, f->clock);
	int			version = jj_flow_version(f);

	(void) state;
	(void) fold;
	jj_row_inet(row, JJ_F_src_ip, jj_flow_initiator(f), version);
	jj_row_inet(row, JJ_F_dst_ip, jj_flow_responder(f), version);
	if (f->src_port >= 0)
		jj_row_int(row, JJ_F_src_port, f->src_port);
	if (f->dst_port >= 0)
	{
		jj_row_int(row, JJ_F_dst_port, f->dst_port);
		emit_port_class(f->dst_port, row);
	}
	jj_row_int(row, JJ_F_protocol, f->key.proto);
	jj_row_time(row, JJ_F_start_time, f->start);
	jj_row_time(row, JJ_F_time_first, f->start);
	jj_row_time(row, JJ_F_end_time, end);
	jj_row_time(row, JJ_F_time_last, end);
	jj_row_int(row, JJ_F_start_ns, f->start);
	jj_row_double(row, JJ_F_duration, duration);
	jj_row_int(row, JJ_F_total_packets, (int64_t) packets);
	jj_row_int(row, JJ_F_packets_fwd, (int64_t) f->packets[0]);
	jj_row_int(row, JJ_F_packets_bwd, (int64_t) f->packets[1]);
	jj_row_int(row, JJ_F_total_bytes, (int64_t) bytes);
	jj_row_int(row, JJ_F_bytes_fwd, (int64_t) f->bytes[0]);
	jj_row_int(row, JJ_F_bytes_bwd, (int64_t) f->bytes[1]);
	jj_row_int(row, JJ_F_payload_bytes_fwd, (int64_t) f->payload[0]);
	jj_row_int(row, JJ_F_payload_bytes_bwd, (int64_t) f->payload[1]);
	jj_row_int(row, JJ_F_payload_bytes_total, (int64_t) (f->payload[0] + f->payload[1]));
	if (f->packets[1] > 0)
		jj_row_double(row, JJ_F_packets_ratio, (double) f->packets[0] / (double) f->packets[1]);
	if (f->bytes[1] > 0)
		jj_row_double(row, JJ_F_bytes_ratio, (double) f->bytes[0] / (double) f->bytes[1]);
	if (f->clock > 0)
	{
		jj_row_double(row, JJ_F_packets_per_second, (double) packets / duration);
		jj_row_double(row, JJ_F_bytes_per_second, (double) bytes / duration);
	}
	jj_row_double(row, JJ_F_avg_packet_size, (double) bytes / (double) packets);
	emit_flow_stat(f, row);
	emit_headers(f, w, row);
	jj_row_text(row, JJ_F_end_reason, jj_end_reason_name(f->end_reason));
	jj_row_int(row, JJ_F_flow_end_code, jj_end_reason_ipfix(f->end_reason));
	if (jj_row_wants(row, JJ_F_community_id))
	{
		char		id[JJ_COMMUNITY_ID_SIZE];

		if (jj_community_id(f, w, id))
			jj_row_text(row, JJ_F_community_id, id);
	}
	jj_row_text(row, JJ_F_capture, w->capture);
	jj_row_int(row, JJ_F_first_frame, (int64_t) f->first_frame);
	if (f->encapsulation != NULL)
		emit_encapsulation(f->encapsulation, row);
	jj_row_int(row, JJ_F_fragment_count, f->fragments);
	jj_row_int(row, JJ_F_truncated_count, f->truncated);
	return true;
}

const jj_extractor jj_extract_flow_meta = {
	.group = JJ_G_flow_meta,
	.emit = emit,
};
