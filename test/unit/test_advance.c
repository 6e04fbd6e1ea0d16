/*
 * Time that goes on without frames, as on a quiet link.
 */
#include "traffic.h"

/* A fragment of a datagram from 10.0.0.1 port 5 to 10.0.0.2 port 6. */
static void
fragment(unsigned ident, bool first)
{
	uint8_t		b[16] = {0, 5, 0, 6, 0, 24};

	ipv4(host[1], host[2], 17, b, sizeof(b), sizeof(b), ident, first ? 0x2000 : 0x0002);
}

static jj_allocator memory;
static jj_engine *engine;
static jj_error err;

static void
take_rows(row_writer writer)
{
	const jj_row *row;
	bool		have;

	while (jj_engine_next(engine, &row, &have, &err) == JJ_OK && have)
		writer(row);
}

static void
open_engine(const jj_options *o)
{
	memory = jj_malloc_allocator();
	out_used = 0;
	out[0] = '\0';
	if (jj_engine_open(&engine, o, NULL, &memory, &err) != JJ_OK)
		printf("# %s\n", err.message);
}

/* The rows once the frames are fed and time has come to seconds after T0. */
static const char *
rows_at(double seconds)
{
	int64_t		time = T0 + (int64_t) llround(seconds * 1e9);

	out_used = 0;
	out[0] = '\0';
	if (jj_engine_advance(engine, time, &err) != JJ_OK)
		return err.message;
	take_rows(brief);
	return out;
}

static void
feed(void)
{
	if (jj_engine_feed(engine, frames, n_frames, &err) != JJ_OK)
		printf("# %s\n", err.message);
}

static void
timeouts(void)
{
	jj_options	o = defaults();

	open_engine(&o);
	is_text(rows_at(1000), "", "no frame yet");
	jj_engine_close(engine);

	open_engine(&o);
	start(), dgram(1), now = 20, dgram(2), feed();
	is_text(rows_at(60), "", "idle for exactly 60 s");
	is_text(rows_at(60.000000001), "1 1 idle", "idle for a nanosecond more");
	is_int((int64_t) jj_engine_counters(engine)->flows_live, 1, "one flow is left");
	is_text(rows_at(30), "", "time doesn't go back");
	start(), now = 79, dgram(2), feed();
	is_text(rows_at(85), "", "a packet keeps a flow");
	is_text(rows_at(500), "2 2 idle", "until nothing comes any more");
	start(), now = 501, dgram(2), feed();
	is_text(rows_at(502), "", "then another begins");
	is_int((int64_t) jj_engine_counters(engine)->flows_started, 3, "three flows in all");
	jj_engine_close(engine);

	open_engine(&o);
	start(), whole(), feed();
	is_text(rows_at(11), "", "a closed connection lingers for 5 s");
	is_text(rows_at(11.000000001), "1 7 tcp_close", "and no longer");
	jj_engine_close(engine);

	o.flow_timeout = JJ_INFINITE;
	open_engine(&o);
	start(), dgram(1), feed();
	is_text(rows_at(1e6), "", "no idle timeout");
	jj_engine_close(engine);
}

static void
fragments(void)
{
	jj_options	o = defaults();

	open_engine(&o);
	start(), fragment(7, false), feed();
	is_text(rows_at(30), "", "a fragment waits for its first");
	is_int((int64_t) jj_engine_counters(engine)->decoded, 0, "and is of no flow");
	rows_at(30.000000001);
	is_int((int64_t) jj_engine_counters(engine)->decoded, 1, "it has waited for 30 s");
	is_text(rows_at(61), "1 1 idle", "its flow ends by its own time");
	jj_engine_close(engine);

	open_engine(&o);
	start(), dgram(3), now = 50, fragment(7, false), feed();
	is_text(rows_at(70), "", "flows end no earlier than what waits");
	start(), now = 72, fragment(7, true), feed();
	is_text(rows_at(73), "3 1 idle", "its first has come");
	is_text(rows_at(200), "1 2 idle", "both are of one flow");
	jj_engine_close(engine);
}

/* Every row in full, with time told before each frame or not at all. */
static char *
full_rows(const jj_options *o, bool advance)
{
	bool		good = true;

	open_engine(o);
	for (uint32_t i = 0; i < n_frames; i++)
	{
		if (advance)
			good = good && jj_engine_advance(engine, frames[i].ts - JJ_SECOND / 100, &err) == JJ_OK;
		good = good && jj_engine_feed(engine, &frames[i], 1, &err) == JJ_OK;
		take_rows(full);
	}
	ok(good && (out_used > 0) == advance, "%s", advance ? "rows come while the capture goes on" : "without, none is due so soon");
	good = jj_engine_finish(engine, &err) == JJ_OK;
	take_rows(full);
	ok(good && jj_engine_counters(engine)->flows_ended > 50, "many flows");
	jj_engine_close(engine);
	return strdup(out);
}

static void
same_rows(void)
{
	jj_options	o = defaults();
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
				tcp(1 + (x >> 9 & 1), x >> 11 & 1 ? F | A : A, 101, 501, x >> 10 & 63);
				break;
			case 2:
				fragment(x >> 20 & 31, x >> 19 & 1);
				break;
			default:
				dgram((int) (x >> 17 & 127));
		}
	}
	for (int active = 0; active < 2; active++)
	{
		char	   *want,
				   *got;

		o.active_timeout = active ? 20 * JJ_SECOND : JJ_INFINITE;
		want = full_rows(&o, false);
		got = full_rows(&o, true);
		ok(strcmp(want, got) == 0, "the same rows in the same order%s", active ? ", with an active timeout" : "");
		free(want);
		free(got);
	}
}

int
main(void)
{
	timeouts();
	fragments();
	same_rows();
	return done_testing();
}
