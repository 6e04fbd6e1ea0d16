/*
 * Options by name: the table, texts to values, messages.
 */
#include "features/parse.h"
#include "tap.h"

static jj_call_options c;
static jj_option_text message;
static jj_option_text hint;

static bool
set(const char *name, const char *text)
{
	return jj_option_set(&c, name, text, "jj-sensor --features", &message, &hint);
}

static void
test_table(void)
{
	jj_call_options from_defaults;
	bool		good = true;

	jj_call_options_default(&c);
	memset(&from_defaults, 0, sizeof(from_defaults));
	from_defaults = c;
	for (int i = 0; i < JJ_OPTIONS; i++)
	{
		jj_option_text text;

		jj_option_initial((jj_option_id) i, &text);
		if (!set(jj_option_table[i].name, text.text))
		{
			printf("# %s = %s: %s\n", jj_option_table[i].name, text.text, message.text);
			good = false;
		}
		jj_option_range(&jj_option_table[i], &text);
		good = good && text.text[0] != '\0' && jj_option_table[i].meaning != NULL;
	}
	ok(good, "every option has a range, a meaning, and a default that it takes");
	ok(memcmp(&c, &from_defaults, sizeof(c)) == 0, "the defaults change nothing");
}

static void
test_values(void)
{
	ok(set("flow_timeout", "1.5min") && c.engine.flow_timeout == 90 * JJ_SECOND, "a duration");
	ok(set("active_timeout", "INFINITY") && c.engine.active_timeout == JJ_INFINITE, "infinity");
	ok(set("burst_threshold_ms", "2") && c.engine.burst_threshold == 2000000, "milliseconds");
	ok(set("burst_threshold_ms", "2 us") && c.engine.burst_threshold == 2000, "with a unit");
	ok(set("max_concurrent_flows", "5000.0") && c.engine.max_concurrent_flows == 5000, "a whole number");
	ok(set("sampling_seed", "18446744073709551615") && c.engine.sampling_seed == UINT64_MAX, "64 bits");
	ok(set("sampling_rate", "2.5e-1") && c.engine.sampling_rate == 0.25, "a real number");
	ok(set("tunnels", "Outer") && !c.engine.inner_tunnels, "a word");
	ok(set("continue", "Y") && c.keep_flows && set("continue", "of") && !c.keep_flows, "truth");
	ok(set("features", " tls , src_ip") && jj_set_has(&c.engine.features, JJ_F_src_ip) && jj_set_has(&c.engine.features, JJ_F_ja4)
	   && !jj_set_has(&c.engine.features, JJ_F_dst_ip), "columns");
	ok(set("features", "all, -connection,-src_ip") && jj_set_has(&c.engine.features, JJ_F_ja4) && !jj_set_has(&c.engine.features, JJ_F_src_ip)
	   && !jj_set_has(&c.engine.features, JJ_F_conn_src_community), "all but some");
	ok(set("features", "-tls") && jj_set_has(&c.engine.features, JJ_F_src_ip) && !jj_set_has(&c.engine.features, JJ_F_ja4), "a list that begins with - begins with all");
	ok(set("connection_use_ports", "on") && c.connection.use_ports && set("connection_max_nodes", "7") && c.connection.max_nodes == 7
	   && set("connection_max_edges", "8") && c.connection.max_edges == 8 && set("connection_max_betweenness", "99999999999")
	   && c.connection.max_betweenness == UINT64_C(99999999999), "the connection graph");
}

static void
test_errors(void)
{
	static const char *const bad[][2] = {
		{"flow_timeout", "soon"}, {"flow_timeout", ""}, {"flow_timeout", "0x10"}, {"flow_timeout", " 1"}, {"flow_timeout", "1 year"},
		{"flow_timeout", "nan"}, {"max_concurrent_flows", "1.5"}, {"max_concurrent_flows", "many"}, {"sampling_seed", "1e3"},
		{"sampling_rate", "half"}, {"defragment", "o"}, {"defragment", "truer"}, {"defragment", ""}, {"tunnels", "inne"}
	};
	static const char *const outside[][2] = {
		{"flow_timeout", "-1"}, {"flow_timeout", "1e300"}, {"max_concurrent_flows", "2147483648"}, {"entropy_sample_bytes", "0"},
		{"sampling_seed", "18446744073709551616"}, {"sampling_seed", "-1"}, {"sampling_rate", "0"}, {"sampling_rate", "1.01"},
		{"burst_threshold_ms", "2h"}
	};
	const jj_call_options before = c;
	char		name[300];
	bool		good = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		good = !set(bad[i][0], bad[i][1]) && strncmp(message.text, "invalid value", 13) == 0 && hint.text[0] != '\0' && good;
	ok(good, "values that are none");
	good = true;
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		good = !set(outside[i][0], outside[i][1]) && strstr(message.text, "outside the valid range") != NULL && good;
	ok(good, "values out of range");

	ok(!set("flow_timeout", "soon"), "a message");
	is_text(message.text, "invalid value for option \"flow_timeout\": soon", "says what is wrong");
	is_text(hint.text, "Give a number of seconds, a number with a unit (ns, us, ms, s, min, h, d), or \"infinity\".", "and what is right");
	ok(!set("entropy_sample_bytes", "0"), "another");
	is_text(message.text, "0 is outside the valid range for option \"entropy_sample_bytes\" (1 .. 65535)", "says what is wrong");
	ok(!set("flow_timout", "1"), "an option that does not exist");
	is_text(message.text, "option \"flow_timout\" does not exist", "is named");
	ok(strncmp(hint.text, "Perhaps you meant \"flow_timeout\". Valid options are flow_timeout, ", 66) == 0, "with the one that is near");
	ok(!set("xyzzy", "1") && strncmp(hint.text, "Valid options are ", 18) == 0, "or none");
	ok(!set("features", "tls,,ssh"), "an empty name of a column");
	is_text(message.text, "there is no column, group or profile \"\" for option \"features\"", "is named");
	ok(!set("features", "all,-src_ipp"), "a column that does not exist can't be left out");
	is_text(message.text, "there is no column, group or profile \"-src_ipp\" for option \"features\"", "and is named");
	ok(!set("connection_max_nodes", "0") && !set("connection_max_edges", "1000000001"), "limits of the connection graph have limits");
	ok(!set("features", "src_ipp"), "a column that does not exist");
	ok(strncmp(hint.text, "Perhaps you meant \"src_ip\". Profiles are all, ", 46) == 0
	   && strstr(hint.text, "; jj-sensor --features lists the columns.") != NULL, "with the one that is near");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ok(!set("features", name) && !set(name, name) && !set("flow_timeout", name), "long words");
	ok(memcmp(&c, &before, sizeof(c)) == 0, "errors change nothing");
}

/* What is set comes back, as text that sets it again. */
static void
test_shown(void)
{
	static const char *const set_to[][3] = {
		{"flow_timeout", "1500ms", "1500000000ns"},
		{"flow_timeout", "2min", "120s"},
		{"active_timeout", "infinity", "infinity"},
		{"flow_end", "FIN_RST", "fin_rst"},
		{"tunnels", "outer", "outer"},
		{"max_concurrent_flows", "2147483647", "2147483647"},
		{"vlan_in_key", "no", "off"},
		{"burst_threshold_ms", "0.125", "0.125"},
		{"sampling_rate", "0.1", "0.1"},
		{"sampling_rate", "0.30000000000000004", "0.30000000000000004"},
		{"sampling_seed", "18446744073709551615", "18446744073709551615"},
		{"continue", "true", "on"},
	};

	for (size_t i = 0; i < sizeof(set_to) / sizeof(set_to[0]); i++)
	{
		const jj_option *o = jj_option_find(set_to[i][0]);
		jj_option_value v;
		jj_option_value again;
		jj_option_text text;

		(void) set(set_to[i][0], set_to[i][1]);
		jj_option_get(&c, (jj_option_id) (o - jj_option_table), &v);
		jj_option_show(o, &v, &text);
		is_text(text.text, set_to[i][2], set_to[i][0]);
		memset(&again, 0, sizeof(again));
		ok(jj_option_parse(o, text.text, &again) == JJ_PARSED && memcmp(&v, &again, sizeof(v)) == 0, "and the same again");
	}
}

static void
test_nearest(void)
{
	static const char *const names[] = {"kitten", "sitting", "lawn", ""};

	is_text(jj_nearest("sittin", names, 4), "sitting", "one letter left out");
	is_text(jj_nearest("kitsen", names, 4), "kitten", "one letter changed");
	is_text(jj_nearest("flaw", names, 4) == NULL ? "none" : jj_nearest("flaw", names, 4), "none", "two letters of four are too many");
	ok(jj_nearest("", names, 4) == NULL, "nothing is near to nothing");
}

int
main(void)
{
	test_table();
	test_values();
	test_errors();
	test_shown();
	test_nearest();
	return done_testing();
}
