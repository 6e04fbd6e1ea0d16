/*
 * The table of options, and what follows from it.
 */
#include "features/options.h"
#include "features/parse.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MILLISECOND (JJ_SECOND / 1000)

static const jj_option_label flow_end_labels[] = {
	{"tcp_close", JJ_FLOW_END_TCP_CLOSE},
	{"fin_rst", JJ_FLOW_END_FIN_RST},
	{"timeout", JJ_FLOW_END_TIMEOUT},
	{NULL, 0}
};

static const jj_option_label eviction_labels[] = {
	{"lru", JJ_EVICT_LRU},
	{"oldest", JJ_EVICT_OLDEST},
	{NULL, 0}
};

static const jj_option_label tunnel_labels[] = {
	{"inner", true},
	{"outer", false},
	{NULL, 0}
};

const jj_option jj_option_table[JJ_OPTIONS] = {
	[JJ_O_FLOW_TIMEOUT] = {"flow_timeout", JJ_KIND_DURATION, .unit = "s",
	.meaning = "Idle time after which a flow has ended; a later packet starts a new one."},
	[JJ_O_ACTIVE_TIMEOUT] = {"active_timeout", JJ_KIND_DURATION, .unit = "s",
	.meaning = "Age at which a flow is cut, however busy."},
	[JJ_O_FLOW_END] = {"flow_end", JJ_KIND_ENUM, .labels = flow_end_labels,
	.meaning = "What ends a TCP flow: tcp_close = both FINs acknowledged, or RST, and 5 s for stragglers; fin_rst = the first FIN or RST; timeout = timeouts alone."},
	[JJ_O_MAX_CONCURRENT_FLOWS] = {"max_concurrent_flows", JJ_KIND_INT, 0, INT_MAX, .unit = "flows",
	.meaning = "Most flows open at a time; 0 = no limit. Beyond it a flow is evicted for each new one."},
	[JJ_O_EVICTION] = {"flow_eviction_strategy", JJ_KIND_ENUM, .labels = eviction_labels,
	.meaning = "Which flow is evicted: lru = the one idle for longest, oldest = the one that began first."},
	[JJ_O_TUNNELS] = {"tunnels", JJ_KIND_ENUM, .labels = tunnel_labels,
	.meaning = "Flows of the innermost or of the outermost IP packet."},
	[JJ_O_VLAN_IN_KEY] = {"vlan_in_key", JJ_KIND_BOOL,
	.meaning = "Whether packets of different VLANs are of different flows."},
	[JJ_O_DEFRAGMENT] = {"defragment", JJ_KIND_BOOL,
	.meaning = "Whether later IP fragments join the flow of their first fragment."},
	[JJ_O_BURST_THRESHOLD] = {"burst_threshold_ms", JJ_KIND_MILLISECONDS, 0.001, 3600000, .unit = "ms",
	.meaning = "Gap between packets that ends a burst."},
	[JJ_O_MAX_SEQUENCE] = {"max_sequence_length", JJ_KIND_INT, 0, JJ_MAX_SEQUENCE, .unit = "packets",
	.meaning = "Most packets in the sequence columns; 0 = these columns are NULL."},
	[JJ_O_MAX_SAMPLES] = {"max_samples_per_flow", JJ_KIND_INT, JJ_MIN_SAMPLES, JJ_MAX_SAMPLES, .unit = "packets",
	.meaning = "Packets per flow up to which quantiles are exact; beyond, those of times come from a sketch (error at most 1/128)."},
	[JJ_O_ENTROPY_SAMPLE] = {"entropy_sample_bytes", JJ_KIND_INT, 1, JJ_MAX_ENTROPY_SAMPLE, .unit = "bytes",
	.meaning = "Payload bytes of each direction from which the entropy columns are computed."},
	[JJ_O_STREAM_BYTES] = {"stream_bytes", JJ_KIND_INT, 0, JJ_MAX_STREAM, .unit = "bytes",
	.meaning = "Payload bytes of each direction of a TCP flow that are held behind a gap until it is filled."},
	[JJ_O_SAMPLING_RATE] = {"sampling_rate", JJ_KIND_REAL, 1e-9, 1,
	.meaning = "Share of flows to keep, chosen by a hash of the flow's key."},
	[JJ_O_SAMPLING_SEED] = {"sampling_seed", JJ_KIND_UNSIGNED,
	.meaning = "Another seed keeps other flows; the same seed always the same."},
	[JJ_O_CONTINUE] = {"continue", JJ_KIND_BOOL,
	.meaning = "Whether flows go on from one file to the next of the same call."},
	[JJ_O_ANONYMIZE_IPS] = {"anonymize_ips", JJ_KIND_BOOL,
	.meaning = "Whether IP and hardware addresses become pseudonyms that keep prefixes, by the key in joyfuljay.anonymization_key; jj_privacy says what becomes of each column."},
	[JJ_O_ANONYMIZATION_SALT] = {"anonymization_salt", JJ_KIND_TEXT,
	.meaning = "Another salt gives other pseudonyms with the same key; it is no secret."},
	[JJ_O_CONNECTION_USE_PORTS] = {"connection_use_ports", JJ_KIND_BOOL,
	.meaning = "Whether the nodes of the connection graph are addresses with ports, not addresses."},
	[JJ_O_CONNECTION_MAX_NODES] = {"connection_max_nodes", JJ_KIND_INT, 1, JJ_CONNECTION_MAX, .unit = "nodes",
	.meaning = "Most nodes of a connection graph; above, all columns of group connection are NULL."},
	[JJ_O_CONNECTION_MAX_EDGES] = {"connection_max_edges", JJ_KIND_INT, 1, JJ_CONNECTION_MAX, .unit = "edges",
	.meaning = "Most edges of a connection graph; above, all columns of group connection are NULL."},
	[JJ_O_CONNECTION_MAX_BETWEENNESS] = {"connection_max_betweenness", JJ_KIND_UNSIGNED,
	.meaning = "Most nodes times edges of a connection graph for which betweenness is computed; above, it is NULL."},
	[JJ_O_FEATURES] = {"features", JJ_KIND_FEATURES,
	.meaning = "Columns to compute, as names of columns, groups or profiles, with - in front all but these; the others are NULL and cost nothing."},
};

/* Append to a text, cut where it is full. */
static void
add(jj_option_text *t, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

static void
add(jj_option_text *t, const char *format,...)
{
	const size_t used = strlen(t->text);
	va_list		args;

	va_start(args, format);
	(void) vsnprintf(t->text + used, sizeof(t->text) - used, format, args);
	va_end(args);
}

void
jj_call_options_default(jj_call_options *c)
{
	memset(c, 0, sizeof(*c));
	jj_options_default(&c->engine);
	jj_connection_options_default(&c->connection);
}

void
jj_option_show(const jj_option *o, const jj_option_value *v, jj_option_text *out)
{
	out->text[0] = '\0';
	switch (o->kind)
	{
		case JJ_KIND_DURATION:
			if (v->ns == JJ_INFINITE)
				add(out, "infinity");
			else if (v->ns % JJ_SECOND != 0)
				add(out, "%" PRId64 "ns", v->ns);
			else
				add(out, "%" PRId64 "s", v->ns / JJ_SECOND);
			break;
		case JJ_KIND_MILLISECONDS:
			add(out, "%.10g", (double) v->ns / MILLISECOND);
			break;
		case JJ_KIND_INT:
		case JJ_KIND_UNSIGNED:
			add(out, "%" PRIu64, v->u);
			break;
		case JJ_KIND_REAL:
			/* as short as it can be */
			for (int digits = 1; digits <= 17; digits++)
			{
				out->text[0] = '\0';
				add(out, "%.*g", digits, v->d);
				if (strtod(out->text, NULL) == v->d)
					break;
			}
			break;
		case JJ_KIND_BOOL:
			add(out, v->u != 0 ? "on" : "off");
			break;
		case JJ_KIND_ENUM:
			for (const jj_option_label *l = o->labels; l->name != NULL; l++)
				if ((uint64_t) l->value == v->u)
					add(out, "%s", l->name);
			break;
		case JJ_KIND_TEXT:
			add(out, "%s", v->text);
			break;
		case JJ_KIND_FEATURES:
			break;
	}
}

void
jj_option_initial(jj_option_id id, jj_option_text *out)
{
	jj_call_options c;
	jj_option_value v;

	jj_call_options_default(&c);
	jj_option_get(&c, id, &v);
	jj_option_show(&jj_option_table[id], &v, out);
	if (id == JJ_O_FEATURES)
		add(out, "all");
}

void
jj_option_range(const jj_option *o, jj_option_text *out)
{
	out->text[0] = '\0';
	switch (o->kind)
	{
		case JJ_KIND_DURATION:
			add(out, "0 .. infinity");
			break;
		case JJ_KIND_INT:
		case JJ_KIND_REAL:
		case JJ_KIND_MILLISECONDS:
			add(out, "%.10g .. %.10g", o->min, o->max);
			break;
		case JJ_KIND_UNSIGNED:
			add(out, "0 .. %" PRIu64, UINT64_MAX);
			break;
		case JJ_KIND_BOOL:
			add(out, "on, off");
			break;
		case JJ_KIND_TEXT:
			add(out, "at most %d bytes", JJ_MAX_TEXT);
			break;
		case JJ_KIND_FEATURES:
			add(out, "columns, groups, profiles (JJ-CORE, JJ-EXTENDED, JJ-EXPERIMENTAL), all");
			break;
		case JJ_KIND_ENUM:
			for (const jj_option_label *l = o->labels; l->name != NULL; l++)
				add(out, "%s%s", l == o->labels ? "" : ", ", l->name);
			break;
	}
}

void
jj_option_hint(const jj_option *o, jj_option_text *out)
{
	jj_option_text range;

	jj_option_range(o, &range);
	out->text[0] = '\0';
	switch (o->kind)
	{
		case JJ_KIND_DURATION:
			add(out, "Give a number of seconds, a number with a unit (ns, us, ms, s, min, h, d), or \"infinity\".");
			break;
		case JJ_KIND_MILLISECONDS:
			add(out, "Give a number of milliseconds, or a number with a unit (ns, us, ms, s, min, h).");
			break;
		case JJ_KIND_INT:
		case JJ_KIND_UNSIGNED:
			add(out, "Give a whole number (%s).", range.text);
			break;
		case JJ_KIND_REAL:
			add(out, "Give a number (%s).", range.text);
			break;
		case JJ_KIND_BOOL:
			add(out, "Give true or false.");
			break;
		case JJ_KIND_ENUM:
			add(out, "Available values: %s.", range.text);
			break;
		case JJ_KIND_TEXT:
			add(out, "Give a string.");
			break;
		case JJ_KIND_FEATURES:
			add(out, "Give a list of columns, groups or profiles.");
			break;
	}
}

const jj_option *
jj_option_find(const char *name)
{
	for (int i = 0; i < JJ_OPTIONS; i++)
		if (strcmp(name, jj_option_table[i].name) == 0)
			return &jj_option_table[i];
	return NULL;
}

void
jj_option_unknown_hint(const char *name, jj_option_text *out)
{
	const char *names[JJ_OPTIONS];
	const char *nearest;

	for (int i = 0; i < JJ_OPTIONS; i++)
		names[i] = jj_option_table[i].name;
	nearest = jj_nearest(name, names, JJ_OPTIONS);
	out->text[0] = '\0';
	if (nearest != NULL)
		add(out, "Perhaps you meant \"%s\". ", nearest);
	add(out, "Valid options are ");
	for (int i = 0; i < JJ_OPTIONS; i++)
		add(out, "%s%s", i > 0 ? ", " : "", names[i]);
	add(out, ".");
}

void
jj_features_hint(const char *unknown, const char *list, jj_option_text *out)
{
	static const char *const profiles[] = {"all", "JJ-CORE", "JJ-EXTENDED", "JJ-EXPERIMENTAL"};
	const char *names[JJ_FEATURES + JJ_GROUPS + sizeof(profiles) / sizeof(profiles[0])];
	const char *nearest;
	int			n = 0;

	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		names[n++] = profiles[i];
	for (int i = 0; i < JJ_GROUPS; i++)
		names[n++] = jj_group_name[i];
	for (int i = 0; i < JJ_FEATURES; i++)
		names[n++] = jj_feature_table[i].name;
	nearest = jj_nearest(unknown, names, n);

	out->text[0] = '\0';
	if (nearest != NULL)
		add(out, "Perhaps you meant \"%s\". ", nearest);
	add(out, "Profiles are all, JJ-CORE, JJ-EXTENDED and JJ-EXPERIMENTAL; groups are ");
	for (int i = 0; i < JJ_GROUPS; i++)
		add(out, "%s%s", i > 0 ? ", " : "", jj_group_name[i]);
	add(out, "; %s lists the columns.", list);
}

static bool
in_range(const jj_option *o, double value)
{
	return value >= o->min && value <= o->max;
}

jj_parsed
jj_option_parse(const jj_option *o, const char *text, jj_option_value *v)
{
	jj_parsed	result = JJ_PARSED_NOT;
	bool		flag;

	switch (o->kind)
	{
		case JJ_KIND_DURATION:
			return jj_parse_duration(text, (double) JJ_SECOND, &v->ns);
		case JJ_KIND_MILLISECONDS:
			result = jj_parse_duration(text, (double) MILLISECOND, &v->ns);
			return result == JJ_PARSED && !in_range(o, (double) v->ns / MILLISECOND) ? JJ_PARSED_RANGE : result;
		case JJ_KIND_INT:
			result = jj_parse_unsigned(text, &v->u);
			return result == JJ_PARSED && !in_range(o, (double) v->u) ? JJ_PARSED_RANGE : result;
		case JJ_KIND_UNSIGNED:
			return jj_parse_unsigned(text, &v->u);
		case JJ_KIND_REAL:
			result = jj_parse_double(text, &v->d);
			return result == JJ_PARSED && !in_range(o, v->d) ? JJ_PARSED_RANGE : result;
		case JJ_KIND_BOOL:
			result = jj_parse_bool(text, &flag);
			v->u = result == JJ_PARSED && flag;
			return result;
		case JJ_KIND_ENUM:
			for (const jj_option_label *l = o->labels; l->name != NULL; l++)
			{
				if (jj_same_word(text, l->name))
				{
					v->u = (uint64_t) l->value;
					return JJ_PARSED;
				}
			}
			break;
		case JJ_KIND_TEXT:
			v->text = text;
			return strlen(text) > JJ_MAX_TEXT ? JJ_PARSED_RANGE : JJ_PARSED;
		case JJ_KIND_FEATURES:
			break;
	}
	return result;
}

void
jj_option_apply(jj_call_options *c, jj_option_id id, const jj_option_value *v)
{
	jj_options *o = &c->engine;

	switch (id)
	{
		case JJ_O_FLOW_TIMEOUT:
			o->flow_timeout = v->ns;
			break;
		case JJ_O_ACTIVE_TIMEOUT:
			o->active_timeout = v->ns;
			break;
		case JJ_O_FLOW_END:
			o->flow_end = (jj_flow_end) v->u;
			break;
		case JJ_O_MAX_CONCURRENT_FLOWS:
			o->max_concurrent_flows = (uint32_t) v->u;
			break;
		case JJ_O_EVICTION:
			o->eviction = (jj_eviction) v->u;
			break;
		case JJ_O_TUNNELS:
			o->inner_tunnels = v->u != 0;
			break;
		case JJ_O_VLAN_IN_KEY:
			o->vlan_in_key = v->u != 0;
			break;
		case JJ_O_DEFRAGMENT:
			o->defragment = v->u != 0;
			break;
		case JJ_O_BURST_THRESHOLD:
			o->burst_threshold = v->ns;
			break;
		case JJ_O_MAX_SEQUENCE:
			o->max_sequence_length = (uint32_t) v->u;
			break;
		case JJ_O_MAX_SAMPLES:
			o->max_samples = (uint32_t) v->u;
			break;
		case JJ_O_ENTROPY_SAMPLE:
			o->entropy_sample_bytes = (uint32_t) v->u;
			break;
		case JJ_O_STREAM_BYTES:
			o->stream_bytes = (uint32_t) v->u;
			break;
		case JJ_O_SAMPLING_RATE:
			o->sampling_rate = v->d;
			break;
		case JJ_O_SAMPLING_SEED:
			o->sampling_seed = v->u;
			break;
		case JJ_O_CONTINUE:
			c->keep_flows = v->u != 0;
			break;
		case JJ_O_ANONYMIZE_IPS:
			o->anonymize = v->u != 0;
			break;
		case JJ_O_ANONYMIZATION_SALT:
			memset(c->salt, 0, sizeof(c->salt));
			memcpy(c->salt, v->text, strlen(v->text));
			break;
		case JJ_O_CONNECTION_USE_PORTS:
			c->connection.use_ports = v->u != 0;
			break;
		case JJ_O_CONNECTION_MAX_NODES:
			c->connection.max_nodes = (uint32_t) v->u;
			break;
		case JJ_O_CONNECTION_MAX_EDGES:
			c->connection.max_edges = (uint32_t) v->u;
			break;
		case JJ_O_CONNECTION_MAX_BETWEENNESS:
			c->connection.max_betweenness = v->u;
			break;
		case JJ_O_FEATURES:
			o->features = v->set;
			break;
		case JJ_OPTIONS:
			break;
	}
}

void
jj_option_get(const jj_call_options *c, jj_option_id id, jj_option_value *v)
{
	const jj_options *o = &c->engine;

	memset(v, 0, sizeof(*v));
	switch (id)
	{
		case JJ_O_FLOW_TIMEOUT:
			v->ns = o->flow_timeout;
			break;
		case JJ_O_ACTIVE_TIMEOUT:
			v->ns = o->active_timeout;
			break;
		case JJ_O_FLOW_END:
			v->u = (uint64_t) o->flow_end;
			break;
		case JJ_O_MAX_CONCURRENT_FLOWS:
			v->u = o->max_concurrent_flows;
			break;
		case JJ_O_EVICTION:
			v->u = (uint64_t) o->eviction;
			break;
		case JJ_O_TUNNELS:
			v->u = o->inner_tunnels;
			break;
		case JJ_O_VLAN_IN_KEY:
			v->u = o->vlan_in_key;
			break;
		case JJ_O_DEFRAGMENT:
			v->u = o->defragment;
			break;
		case JJ_O_BURST_THRESHOLD:
			v->ns = o->burst_threshold;
			break;
		case JJ_O_MAX_SEQUENCE:
			v->u = o->max_sequence_length;
			break;
		case JJ_O_MAX_SAMPLES:
			v->u = o->max_samples;
			break;
		case JJ_O_ENTROPY_SAMPLE:
			v->u = o->entropy_sample_bytes;
			break;
		case JJ_O_STREAM_BYTES:
			v->u = o->stream_bytes;
			break;
		case JJ_O_SAMPLING_RATE:
			v->d = o->sampling_rate;
			break;
		case JJ_O_SAMPLING_SEED:
			v->u = o->sampling_seed;
			break;
		case JJ_O_CONTINUE:
			v->u = c->keep_flows;
			break;
		case JJ_O_ANONYMIZE_IPS:
			v->u = o->anonymize;
			break;
		case JJ_O_ANONYMIZATION_SALT:
			v->text = c->salt;
			break;
		case JJ_O_CONNECTION_USE_PORTS:
			v->u = c->connection.use_ports;
			break;
		case JJ_O_CONNECTION_MAX_NODES:
			v->u = c->connection.max_nodes;
			break;
		case JJ_O_CONNECTION_MAX_EDGES:
			v->u = c->connection.max_edges;
			break;
		case JJ_O_CONNECTION_MAX_BETWEENNESS:
			v->u = c->connection.max_betweenness;
			break;
		case JJ_O_FEATURES:
			v->set = o->features;
			break;
		case JJ_OPTIONS:
			break;
	}
}

bool
jj_option_set(jj_call_options *c, const char *name, const char *text, const char *list, jj_option_text *message,
			  jj_option_text *hint)
{
	const jj_option *o = jj_option_find(name);
	jj_option_value v;
	jj_option_text range;
	jj_parsed	result;
	const char *unknown;
	size_t		size;

	message->text[0] = hint->text[0] = '\0';
	memset(&v, 0, sizeof(v));
	if (o == NULL)
	{
		add(message, JJ_OPTION_UNKNOWN, name);
		jj_option_unknown_hint(name, hint);
		return false;
	}
	if (o->kind == JJ_KIND_FEATURES)
	{
		if (!jj_features_parse(text, &v.set, &unknown, &size))
		{
			jj_option_text word = {""};

			add(&word, "%.*s", (int) (size < 200 ? size : 200), unknown);
			add(message, JJ_OPTION_NO_FEATURE, word.text);
			jj_features_hint(word.text, list, hint);
			return false;
		}
	}
	else if ((result = jj_option_parse(o, text, &v)) != JJ_PARSED)
	{
		jj_option_range(o, &range);
		if (result == JJ_PARSED_RANGE)
			add(message, JJ_OPTION_OUTSIDE, text, o->name, range.text);
		else
			add(message, JJ_OPTION_INVALID, o->name, text);
		jj_option_hint(o, hint);
		return false;
	}
	jj_option_apply(c, (jj_option_id) (o - jj_option_table), &v);
	return true;
}
