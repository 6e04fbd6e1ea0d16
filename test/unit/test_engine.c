/*
 * The engine's promises: the same rows whatever the batches and the hash seed,
 * bounded samples with a bounded error, an answer when memory is short, and
 * refusal of what is out of range.
 */
#include "failing.h"
#include "traffic.h"

static void
busy_traffic(void)
{
	uint32_t	x = 1;

	start();
	for (int i = 0; i < 1500; i++)
	{
		step = 0.02 * (x >> 28);
		x = x * 1664525 + 1013904223;
		switch (x >> 24 & 7)
		{
			case 0:
				tcp(1, S, x >> 30, 0, 0);
				break;
			case 1:
				tcp(2, S | A, 500, 101, 0);
				break;
			case 2:
				tcp(1 + (x >> 9 & 1), A, 101 + (x >> 20), 501, x >> 22);
				break;
			case 3:
				tcp(1 + (x >> 9 & 1), x >> 11 & 1 ? F | A : A, 101, 501, x >> 10 & 63);
				break;
			default:
				dgram((int) (x >> 17 & 127));
		}
	}
}

static char *
rows(const jj_options *o, uint32_t batch)
{
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;

	if (run_with(o, NULL, &a, batch, full, &err) != JJ_OK)
		snprintf(out, sizeof(out), "%s", err.message);
	return strdup(out);
}

static void
determinism(void)
{
	jj_options	o = defaults();
	char	   *want,
			   *got;
	static const uint32_t batches[] = {1, 2, 7, 63, 64};

	busy_traffic();
	for (int limited = 0; limited < 2; limited++)
	{
		o.max_concurrent_flows = limited ? 20 : 0;
		n_frames = limited ? 600 : 1200;
		want = rows(&o, JJ_BATCH);
		ok(strlen(want) > 10000, "some flows");
		for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
		{
			o.hash_seed = i * 7919;
			got = rows(&o, batches[i]);
			ok(strcmp(got, want) == 0, "the same rows in batches of %u with another hash seed%s", batches[i], limited ? ", with eviction" : "");
			free(got);
		}
		free(want);
	}
}

static void
sampling(void)
{
	jj_options	o = defaults();
	uint64_t	kept;
	char	   *want,
			   *got;

	start();
	step = 0.01;
	for (int i = 0; i < 3000; i++)
		dgram(i % 1000);
	o.sampling_rate = 0.25;
	run(&o);
	kept = counters.flows_started;
	ok(kept > 150 && kept < 350, "a quarter of 1000 flows: %d", (int) kept);
	ok(counters.decoded + counters.skipped[JJ_SKIP_SAMPLED] == 3000 && counters.decoded == 3 * kept, "whole flows; the others are counted");
	want = rows(&o, JJ_BATCH);
	o.hash_seed = 99;
	got = rows(&o, 1);
	ok(strcmp(want, got) == 0, "the same flows every time");
	o.sampling_seed = 5;
	free(got);
	got = rows(&o, JJ_BATCH);
	ok(strcmp(want, got) != 0, "others with another seed");
	free(got);
	free(want);
	o.sampling_rate = 1;
	run(&o);
	is_int((int64_t) counters.flows_started, 1000, "all flows with a rate of 1");
}

/* Flows shared out: each is of one engine, and the first counts what is sampled out of all. */
static void
shares(double rate)
{
	jj_options	o = defaults();
	uint64_t	flows = 0;
	uint64_t	decoded = 0;
	uint64_t	all;
	uint64_t	not_sampled;

	start();
	step = 0.01;
	for (int i = 0; i < 3000; i++)
		dgram(i % 1000);
	o.sampling_rate = rate;
	o.hash_seed = 1;
	run(&o);
	all = counters.flows_started;
	not_sampled = counters.skipped[JJ_SKIP_SAMPLED];
	o.hash_seed = 2;
	o.shares = 3;
	for (o.share = 0; o.share < o.shares; o.share++)
	{
		run(&o);
		ok(counters.flows_started > all / 4 && counters.flows_started < all / 2, "about a third of the flows: %d", (int) counters.flows_started);
		ok(o.share > 0 || counters.skipped[JJ_SKIP_SAMPLED] == not_sampled, "the first share counts all that are not sampled");
		flows += counters.flows_started;
		decoded += counters.decoded;
	}
	is_int((int64_t) flows, (int64_t) all, "all flows together");
	is_int((int64_t) decoded, (int64_t) (3000 - not_sampled), "and all their packets");
}

static uint64_t ticks;

static uint64_t
tick(void)
{
	return ++ticks;
}

/* A clock that counts its readings. */
static void
measuring(void)
{
	jj_options	o = defaults();
	jj_allocator a = jj_malloc_allocator();
	const jj_row *row;
	jj_engine  *e;
	jj_error	err;
	bool		have;
	uint64_t	fed;

	busy_traffic();
	for (int measured = 0; measured < 2; measured++)
	{
		const jj_counters *c;

		ticks = 0;
		ok(jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK, "an engine");
		jj_engine_clock(e, measured ? tick : NULL);
		for (uint32_t i = 0; i < n_frames; i += JJ_BATCH)
			if (jj_engine_feed(e, frames + i, n_frames - i < JJ_BATCH ? n_frames - i : JJ_BATCH, &err) != JJ_OK)
				break;
		c = jj_engine_counters(e);
		fed = ticks;
		ok(measured ? fed > 0 && fed <= 3 * (n_frames / JJ_BATCH + 1) : fed == 0, "the clock is read %d times for %d frames", (int) fed, (int) n_frames);
		ok((c->decoding_ns > 0) == measured && (c->features_ns > 0) == measured, "times %s", measured ? "measured" : "0");
		ok(jj_engine_finish(e, &err) == JJ_OK && jj_engine_next(e, &row, &have, &err) == JJ_OK && have, "a row");
		ok(ticks - fed == (measured ? 4 : 0), "it is read %d times for the end and a row", (int) (ticks - fed));
		jj_engine_close(e);
	}
}

/* Quantile columns and what they are of. */
static const jj_feature quantiles[] = {
	JJ_F_iat_median, JJ_F_iat_p25, JJ_F_iat_p75, JJ_F_iat_p90, JJ_F_iat_p99, JJ_F_iat_fwd_median, JJ_F_iat_bwd_median,
	JJ_F_pkt_len_median, JJ_F_pkt_len_p25, JJ_F_pkt_len_p75, JJ_F_pkt_len_p90, JJ_F_pkt_len_fwd_median, JJ_F_pkt_len_bwd_median
};
#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

static double values[JJ_FEATURES];
static jj_feature_set present;

static void
keep_values(const jj_row *row)
{
	present = row->present;
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		values[f] = jj_feature_table[f].type == JJ_FLOAT8 ? row->value[f].d : (double) row->value[f].i;
}

static void
bounded_samples(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_options	o = defaults();
	jj_error	err;
	double		exact[JJ_FEATURES];
	jj_feature_set exact_present;
	uint32_t	x = 1;
	bool		same = true;

	start();
	for (int i = 0; i < 5000; i++)
	{
		x = x * 1664525 + 1013904223;
		step = 1e-6 * (1 + (x >> 12 & 0xffff));
		udp(1 + (x >> 9 & 1), x >> 9 & 1 ? 6 : 5, 2 - (x >> 9 & 1), x >> 9 & 1 ? 5 : 6, x >> 21);
	}
	o.max_samples = JJ_MAX_SAMPLES;
	ok(run_with(&o, NULL, &a, JJ_BATCH, keep_values, &err) == JJ_OK, "5000 packets, exact quantiles");
	memcpy(exact, values, sizeof(exact));
	exact_present = present;
	o.max_samples = JJ_MIN_SAMPLES;
	ok(run_with(&o, NULL, &a, JJ_BATCH, keep_values, &err) == JJ_OK, "the same with a bound of 64 samples");
	for (size_t i = 0; i < QUANTILES; i++)
	{
		jj_feature	f = quantiles[i];

		/* an interpolated value lies between two, each off by at most 1/128 */
		ok(jj_set_has(&present, f) && fabs(values[f] - exact[f]) <= exact[f] / 128 + 1e-12,
		   "%s: %.9g for %.9g", jj_feature_table[f].name, values[f], exact[f]);
		exact[f] = values[f];
	}
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		if (jj_feature_table[f].type <= JJ_TIMESTAMPTZ
			&& (jj_set_has(&present, f) != jj_set_has(&exact_present, f) || (jj_set_has(&present, f) && values[f] != exact[f])))
		{
			same = false;
			printf("# %s differs\n", jj_feature_table[f].name);
		}
	ok(same, "all other columns are the same");
	n_frames = 64;
	ok(run_with(&o, NULL, &a, JJ_BATCH, keep_values, &err) == JJ_OK, "64 packets");
	memcpy(exact, values, sizeof(exact));
	o.max_samples = JJ_MAX_SAMPLES;
	ok(run_with(&o, NULL, &a, JJ_BATCH, keep_values, &err) == JJ_OK && memcmp(exact, values, sizeof(exact)) == 0,
	   "up to the bound quantiles are exact");
}

/* ---- short memory */

static void
no_memory(void)
{
	jj_options	o = defaults();
	uint64_t	total,
				wrong = 0,
				leaks = 0,
				step_by;
	failing		f = {.fail_at = UINT64_MAX};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_error	err;
	jj_code		code;

	busy_traffic();
	n_frames = 400;
	for (uint32_t i = 0; i < 100; i++)	/* enough for the sketch of one flow */
		udp(1, 5, 2, 6, i);
	now = 0;
	o.max_samples = JJ_MIN_SAMPLES;
	code = run_with(&o, NULL, &a, JJ_BATCH, brief, &err);
	total = f.calls;
	ok(code == JJ_OK && f.live == 0 && total > 20, "%d allocations, all released", (int) total);
	step_by = 1;
	for (uint64_t k = 1; k <= total; k += step_by)
	{
		f.calls = 0;
		f.fail_at = k;
		err.code = JJ_OK;
		code = run_with(&o, NULL, &a, JJ_BATCH, brief, &err);
		if (code != JJ_ERR_NOMEM || err.code != JJ_ERR_NOMEM || err.message[0] == '\0')
		{
			printf("# allocation %d of %d fails: result %d\n", (int) k, (int) total, (int) code);
			wrong++;
		}
		leaks += f.live != 0;
		f.live = 0;
		if (k > 300)
			step_by = 1 + total / 500;
	}
	is_int((int64_t) wrong, 0, "whichever allocation fails, the result says so");
	is_int((int64_t) leaks, 0, "and nothing leaks");
}

/* ---- arguments */

static void
bad_option(const char *name, const jj_options *o)
{
	jj_allocator a = jj_malloc_allocator();
	jj_error	err = {JJ_OK, 0, "", ""};
	jj_engine  *e = NULL;
	jj_code		code = jj_engine_open(&e, o, NULL, &a, &err);

	if (!ok(code == JJ_ERR_ARGUMENT && err.code == code && strstr(err.message, name) != NULL, "%s out of range is refused by name", name))
		printf("# result %d, message: %s\n", (int) code, err.message);
	jj_engine_close(code == JJ_OK ? e : NULL);
}

#define BAD(field, value) (o = defaults(), o.field = (value), bad_option(#field, &o))

static void
arguments(void)
{
	jj_options	o = defaults();

	ok(o.flow_timeout == 60 * JJ_SECOND && o.active_timeout == JJ_INFINITE && o.flow_end == JJ_FLOW_END_TCP_CLOSE && o.max_concurrent_flows == 0
	   && o.eviction == JJ_EVICT_LRU && o.inner_tunnels && o.vlan_in_key && o.defragment && o.burst_threshold == JJ_SECOND / 20
	   && o.max_sequence_length == 50 && o.entropy_sample_bytes == 256 && o.stream_bytes == 16384 && o.sampling_rate == 1, "defaults");
	BAD(flow_timeout, -1);
	BAD(active_timeout, -1);
	BAD(burst_threshold, 0);
	BAD(max_sequence_length, JJ_MAX_SEQUENCE + 1);
	BAD(max_samples, JJ_MIN_SAMPLES - 1);
	BAD(max_samples, JJ_MAX_SAMPLES + 1);
	BAD(entropy_sample_bytes, 0);
	BAD(entropy_sample_bytes, JJ_MAX_ENTROPY_SAMPLE + 1);
	BAD(stream_bytes, JJ_MAX_STREAM + 1);
	BAD(sampling_rate, 0);
	BAD(sampling_rate, 1.5);
	BAD(sampling_rate, NAN);
	ok(jj_group_implemented(JJ_G_flow_meta) && jj_group_implemented(JJ_G_tcp), "groups that are there");
	o = defaults();
	ok(jj_engine_flow_bytes(&o) >= 64, "bytes of a flow record: %d", (int) jj_engine_flow_bytes(&o));
}

static void
columns(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_options	o = defaults();
	jj_error	err;
	jj_filter  *filter;
	unsigned	n = 0;
	size_t		all = jj_engine_flow_bytes(&o);

	start(), whole();
	memset(&o.features, 0, sizeof(o.features));
	ok(jj_set_add_name(&o.features, "src_ip") && jj_set_add_name(&o.features, "total_packets") && jj_set_add_name(&o.features, "iat_max")
	   && !jj_set_add_name(&o.features, "no_such"), "columns by name");
	ok(run_with(&o, NULL, &a, JJ_BATCH, keep_values, &err) == JJ_OK, "three columns");
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		n += jj_set_has(&present, f);
	ok(n == 3 && jj_set_has(&present, JJ_F_iat_max) && values[JJ_F_total_packets] == 7, "are set, and no other");
	ok(jj_engine_flow_bytes(&o) < all, "a flow needs less memory with fewer groups");
	o = defaults();
	o.max_sequence_length = 0;
	run_with(&o, NULL, &a, JJ_BATCH, keep_values, &err);
	ok(!jj_set_has(&present, JJ_F_iat_sequence) && !jj_set_has(&present, JJ_F_pkt_len_sequence), "sequence length 0: NULL");

	o = defaults();
	start(), whole(), dgram(1);
	ok(jj_filter_open(&filter, "tcp port 80", &a, &err) == JJ_OK, "a filter");
	ok(run_with(&o, filter, &a, JJ_BATCH, brief, &err) == JJ_OK, "an engine with a filter");
	is_text(out, "1 7 tcp_close", "takes what passes");
	ok(counters.frames == 8 && counters.decoded == 7 && counters.skipped[JJ_SKIP_FILTERED] == 1, "and counts the rest");
	jj_filter_close(filter);
	start(), dgram(1), add(101, (const uint8_t *) "\x70", 1), add(147, (const uint8_t *) "\x45", 1), add(1, (const uint8_t *) "0123456789ab\x08\x06", 14),
		add(1, (const uint8_t *) "0123", 4);
	run(&o);
	ok(counters.frames == 5 && counters.decoded == 1 && counters.skipped[JJ_SKIP_MALFORMED] == 1 && counters.skipped[JJ_SKIP_LINK_TYPE] == 1
	   && counters.unsupported_link == 147 && counters.skipped[JJ_SKIP_NON_IP] == 1 && counters.skipped[JJ_SKIP_TRUNCATED] == 1,
	   "every frame without a packet is counted by reason");
	ok(counters.captured_bytes == 28 + 1 + 1 + 14 + 4 && counters.wire_bytes == 29 + 1 + 1 + 14 + 4 && counters.truncated == 1, "bytes are counted");
	start();
	is_text(run(&o), "", "no frame, no row");
}

/* What the engine says of each frame, against what it says of the flows. */
static void
observation(void)
{
	jj_options	o = defaults();
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;
	jj_engine  *e;
	jj_filter  *filter;
	jj_observation seen[JJ_BATCH];
	const jj_row *row;
	bool		have;
	unsigned	sampled = 0;

	start(), whole(), dgram(1), add(1, (const uint8_t *) "0123456789ab\x08\x06", 14);
	now += 100, tcp(1, S, 9000, 0, 0);
	ok(jj_filter_open(&filter, "not udp", &a, &err) == JJ_OK && jj_engine_open(&e, &o, filter, &a, &err) == JJ_OK
	   && jj_engine_source(e, "seen", true, &err) == JJ_OK, "an engine");
	jj_engine_observe(e, seen);
	for (uint32_t i = 0; i < n_frames; i += 3)
	{
		uint32_t	n = n_frames - i < 3 ? n_frames - i : 3;

		memset(seen, 0xff, sizeof(seen));
		ok(jj_engine_feed(e, frames + i, n, &err) == JJ_OK, "frames from %u", i);
		for (uint32_t k = 0; k < n; k++)
		{
			const jj_observation *s = &seen[k];

			if (i + k == 7 || i + k == 8)
				ok(s->packet == NULL && s->skip == (i + k == 7 ? JJ_SKIP_FILTERED : JJ_SKIP_NON_IP), "frame %u gives no flow", i + k);
			else
				ok(s->skip == JJ_SKIP_NONE && s->packet->index == i + k + 1 && strcmp(s->capture, "seen") == 0 && s->first_frame == (i + k < 7 ? 1U : 10U)
				   && s->packet->t == frames[i + k].ts - frames[s->first_frame - 1].ts && s->packet->dir == (memcmp(s->packet->src + 12, host[1], 4) != 0),
				   "frame %u: flow, clock and direction", i + k);
		}
		while (jj_engine_next(e, &row, &have, &err) == JJ_OK && have)
			;
	}
	jj_engine_observe(e, NULL);
	memset(seen, 0xff, sizeof(seen));
	ok(jj_engine_feed(e, frames, 1, &err) == JJ_OK && seen[0].first_frame == UINT64_MAX, "nothing is said any more");
	jj_engine_close(e);
	jj_filter_close(filter);

	start();
	for (int i = 0; i < 60; i++)
		dgram(i);
	o.sampling_rate = 0.5;
	ok(jj_engine_open(&e, &o, NULL, &a, &err) == JJ_OK, "an engine that samples");
	jj_engine_observe(e, seen);
	ok(jj_engine_feed(e, frames, n_frames, &err) == JJ_OK, "60 flows");
	for (uint32_t i = 0; i < n_frames; i++)
		sampled += seen[i].packet != NULL && seen[i].skip == JJ_SKIP_SAMPLED && seen[i].capture == NULL;
	ok(sampled > 0 && sampled == jj_engine_counters(e)->skipped[JJ_SKIP_SAMPLED] && sampled < n_frames, "%u not in the sample", sampled);
	jj_engine_close(e);
}

int
main(void)
{
	determinism();
	sampling();
	shares(1);
	shares(0.5);
	measuring();
	bounded_samples();
	no_memory();
	arguments();
	columns();
	observation();
	return done_testing();
}
