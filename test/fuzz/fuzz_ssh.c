/*
 * Fuzz target: both sides of an SSH connection, and the columns of the flow.
 *
 * Input: a byte (1 = with SYN, 2 = with SYN-ACK), then segments: a byte of bits
 * (1 = from the responder, 2 = a step follows, 4 = the last ten bytes are not
 * captured, 8 = without PSH, 16 = with RST), a length (2 bytes, big endian),
 * with the step its two bytes (signed, from the end of the direction's segment
 * before), and the payload.
 *
 * If no segment has bits 2 to 16, the columns must be the same for both streams
 * in one segment each.
 */
#include "app_flow.h"

#include "extractors/ssh_side.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STREAM 60000

static void
begin_connection(app_flow *f, unsigned bits)
{
	jj_packet	syn = {.has_tcp = true, .tcp_flags = JJ_TCP_SYN, .seq = 99};
	jj_packet	syn_ack = {.has_tcp = true, .tcp_flags = JJ_TCP_SYN | JJ_TCP_ACK, .seq = UINT32_MAX - 1000};

	open_flow(f, "ssh", JJ_PROTO_TCP, 40000, 22);
	if (bits & 1)
		give_packet(f, &syn, 0, NULL, 0, 0);
	if (bits & 2)
		give_packet(f, &syn_ack, 1, NULL, 0, 0);
}

static void
check_row(const app_flow *f, const jj_row *row)
{
	bool		ssh = jj_row_has(row, JJ_F_ssh_detected) && row->value[JJ_F_ssh_detected].i == 1;
	bool		client = jj_row_has(row, JJ_F_ssh_client_version);
	bool		server = jj_row_has(row, JJ_F_ssh_server_version);
	uint32_t	size;

	CHECK(ssh == (client || server));
	CHECK(client == jj_row_has(row, JJ_F_ssh_client_software) && server == jj_row_has(row, JJ_F_ssh_server_software));
	CHECK(jj_row_has(row, JJ_F_ssh_hassh) == jj_row_has(row, JJ_F_ssh_client_kexinit));
	CHECK(jj_row_has(row, JJ_F_ssh_hassh_server) == jj_row_has(row, JJ_F_ssh_server_kexinit));
	CHECK(jj_row_has(row, JJ_F_ssh_negotiated) == (jj_row_has(row, JJ_F_ssh_hassh) && jj_row_has(row, JJ_F_ssh_hassh_server)));
	CHECK(ssh || (!jj_row_has(row, JJ_F_ssh_kex_packets) && !jj_row_has(row, JJ_F_ssh_encrypted_packets)));
	if (jj_row_has(row, JJ_F_ssh_client_kexinit))
		CHECK(client && check_value(row, JJ_F_ssh_client_kexinit) == JJ_SSH_LISTS);
	if (jj_row_has(row, JJ_F_ssh_server_kexinit))
		CHECK(server && check_value(row, JJ_F_ssh_server_kexinit) == JJ_SSH_LISTS);
	if (jj_row_has(row, JJ_F_ssh_negotiated))
		CHECK(check_value(row, JJ_F_ssh_negotiated) == JJ_SSH_ALGORITHMS);
	if (jj_row_has(row, JJ_F_ssh_encrypted_packets))
		CHECK((uint64_t) row->value[JJ_F_ssh_encrypted_packets].i <= f->packets);
	if (jj_row_has(row, JJ_F_ssh_hassh))
	{
		(void) jj_row_bytes(row, JJ_F_ssh_hassh, &size);
		CHECK(size == 32);
	}
	if (jj_row_has(row, JJ_F_ssh_host_key_sha256))
	{
		(void) jj_row_bytes(row, JJ_F_ssh_host_key_sha256, &size);
		CHECK(server && size == 32);
	}
}

static void
check_same(const jj_row *a, const jj_row *b)
{
	for (unsigned i = 0; i < JJ_FEATURES; i++)
	{
		uint32_t	n;
		uint32_t	m;
		const uint8_t *x;
		const uint8_t *y;

		if (i == JJ_F_ssh_encrypted_packets)
			continue;
		CHECK(jj_row_has(a, i) == jj_row_has(b, i));
		if (!jj_row_has(a, i))
			continue;
		if (jj_feature_table[i].type == JJ_BOOL || jj_feature_table[i].type == JJ_INT4)
		{
			CHECK(a->value[i].i == b->value[i].i);
			continue;
		}
		x = jj_row_bytes(a, i, &n);
		y = jj_row_bytes(b, i, &m);
		CHECK(n == m && memcmp(x, y, n) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[2][MAX_STREAM];
	app_flow	f;
	uint32_t	used[2] = {0, 0};
	uint32_t	seq[2] = {100, UINT32_MAX - 999};
	unsigned	begin;
	bool		plain = true;

	if (size == 0)
		return 0;
	begin = data[0];
	begin_connection(&f, begin);
	data++;
	size--;
	while (size >= 5)
	{
		jj_packet	p = {.has_tcp = true, .tcp_flags = JJ_TCP_ACK};
		unsigned	bits = data[0];
		unsigned	dir = bits & 1;
		uint32_t	n = (uint32_t) data[1] << 8 | data[2];
		uint32_t	head = bits & 2 ? 5 : 3;

		if (n > size - head)
			n = (uint32_t) size - head;
		p.tcp_flags |= (bits & 8 ? 0 : JJ_TCP_PSH) | (bits & 16 ? JJ_TCP_RST : 0);
		if (bits & 2)
			seq[dir] += ((uint32_t) data[3] << 8 | data[4]) - (data[3] & 0x80 ? 0x10000 : 0);
		p.seq = seq[dir];
		seq[dir] += n;
		plain = plain && !(bits & 30) && used[dir] + n <= MAX_STREAM;
		if (plain && n > 0)
			memcpy(whole[dir] + used[dir], data + head, n);
		used[dir] += n;
		give_packet(&f, &p, dir, data + head, n, (bits & 4) && n >= 10 ? n - 10 : n);
		data += head + n;
		size -= head + n;
	}
	check_row(&f, emit_flow(&f, &jj_extract_ssh));
	if (plain && used[0] + used[1] > 0)
	{
		app_flow	g;

		begin_connection(&g, begin);
		for (unsigned d = 0; d < 2; d++)
		{
			jj_packet	p = {.has_tcp = true, .tcp_flags = JJ_TCP_ACK | JJ_TCP_PSH, .seq = d ? UINT32_MAX - 999 : 100};

			give_packet(&g, &p, d, whole[d], used[d], used[d]);
		}
		check_same(&f.row, emit_flow(&g, &jj_extract_ssh));
		close_flow(&g);
	}
	close_flow(&f);
	return 0;
}
