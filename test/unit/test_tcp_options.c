/*
 * The TCP option parser, and how the TCP groups read what it finds.
 */
#include "extractors/tcp_analysis.h"
#include "tap.h"

#define PARSE(o, ...) \
	do { \
		static const uint8_t bytes[] = {__VA_ARGS__}; \
\
		jj_tcp_options_parse(&o, bytes, sizeof(bytes), sizeof(bytes)); \
	} while (0)

int
main(void)
{
	jj_tcp_options o;
	uint8_t		many[JJ_MAX_TCP_OPTIONS + 20];

	jj_tcp_options_parse(&o, NULL, 0, 0);
	ok(o.n_options == 0 && !o.bad && !o.cut && o.padding == -1, "no options");

	PARSE(o, 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7);
	ok(o.has_mss && o.mss == 1460, "MSS");
	ok(o.sack_permitted, "SACK permitted");
	ok(o.has_ts && o.tsval == 7 && o.tsecr == 9, "timestamps");
	ok(o.has_ws && o.ws == 7, "window scale");
	ok(o.n_options == 5 && o.kind[0] == 2 && o.kind[3] == 1 && o.kind[4] == 3, "kinds in order");

	PARSE(o, 2, 4, 1, 0, 2, 4, 2, 0);
	is_int(o.mss, 256, "the first MSS counts");
	PARSE(o, 2, 3, 1, 3, 4, 1, 1);
	ok(!o.has_mss && !o.has_ws && !o.bad && o.n_options == 2, "an option of another length is listed, not read");

	PARSE(o, 1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4);
	ok(o.n_sack == 2 && o.sack[0][0] == 1 && o.sack[0][1] == 2 && o.sack[1][1] == 4, "two SACK blocks");
	PARSE(o, 5, 9, 0, 0, 0, 1, 0, 0, 0);
	is_int(o.n_sack, 0, "half a SACK block is none");

	PARSE(o, 30, 4, 0x01, 0, 30, 3, 0x20);
	ok(o.n_mptcp == 2 && o.mptcp[0] == 0x01 && o.mptcp[1] == 0x20, "two MPTCP options");

	PARSE(o, 1, 0, 0, 5);
	ok(o.padding == 2 && o.n_options == 1 && !o.bad, "what follows EOL is padding");

	/* lengths that lie */
	PARSE(o, 2, 0, 5, 0xb4);
	ok(o.bad && o.n_options == 0, "length 0");
	PARSE(o, 1, 2, 1);
	ok(o.bad && o.n_options == 1, "length 1");
	PARSE(o, 3, 3, 7, 8, 40, 1, 1);
	ok(o.bad && o.has_ws && o.n_options == 1, "a length beyond the end keeps what came before");
	PARSE(o, 3);
	ok(o.bad, "a kind without its length");

	{
		static const uint8_t start[] = {2, 4, 5, 0xb4, 8, 10, 0};

		jj_tcp_options_parse(&o, start, sizeof(start), 20);
		ok(o.cut && o.has_mss && o.bad, "options cut by the capture");
	}
	memset(many, 1, sizeof(many));
	jj_tcp_options_parse(&o, many, sizeof(many), sizeof(many));
	is_int(o.n_options, JJ_MAX_TCP_OPTIONS, "no more options than fit a header");
	for (unsigned i = 0; i < sizeof(many); i += 3)
	{
		many[i] = 30;
		if (i + 2 < sizeof(many))
		{
			many[i + 1] = 3;
			many[i + 2] = 0x10;
		}
	}
	jj_tcp_options_parse(&o, many, JJ_MAX_TCP_OPTIONS - 1, JJ_MAX_TCP_OPTIONS - 1);
	is_int(o.n_mptcp, 13, "as many MPTCP options as fit");

	is_int(jj_seq_diff(5, 3), 2, "sequence numbers: ahead");
	is_int(jj_seq_diff(3, 5), -2, "behind");
	is_int(jj_seq_diff(1, 0xffffffff), 2, "ahead over the wrap");
	is_int(jj_seq_diff(0xffffffff, 1), -2, "behind over the wrap");
	is_int(jj_seq_diff(0x80000000, 0), INT32_MIN, "half the space is behind");
	return done_testing();
}
