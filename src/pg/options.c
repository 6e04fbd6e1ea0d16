/*
 * The options of jj_extract and the settings joyfuljay.*, their defaults, from
 * one table.
 */
#include "pg/pg.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

typedef enum option_id
{
	FLOW_TIMEOUT,
	ACTIVE_TIMEOUT,
	FLOW_END,
	MAX_CONCURRENT_FLOWS,
	EVICTION,
	TUNNELS,
	VLAN_IN_KEY,
	DEFRAGMENT,
	BURST_THRESHOLD,
	MAX_SEQUENCE,
	MAX_SAMPLES,
	ENTROPY_SAMPLE,
	STREAM_BYTES,
	SAMPLING_RATE,
	SAMPLING_SEED,
	CONTINUE,
	FEATURES,
	OPTIONS
} option_id;

typedef enum option_kind
{
	KIND_DURATION,				/* setting is a string */
	KIND_MILLISECONDS,			/* setting is a real in ms */
	KIND_INT,
	KIND_UNSIGNED,				/* 64 bits; setting is a string */
	KIND_REAL,
	KIND_BOOL,
	KIND_ENUM,
	KIND_FEATURES				/* setting is a string */
} option_kind;

/* A value of an option; which member follows from the kind. */
typedef struct option_value
{
	int64		ns;
	uint64		u;				/* also of KIND_BOOL and KIND_ENUM */
	double		d;
	jj_feature_set set;
} option_value;

typedef struct option
{
	const char *name;
	option_kind kind;
	double		min;			/* of KIND_INT, KIND_REAL and KIND_MILLISECONDS */
	double		max;
	const struct config_enum_entry *labels;
	const char *unit;
	const char *meaning;
	GucStringCheckHook check;	/* of settings that are strings */
} option;

/* What the settings hold, and the values they start with. */
typedef struct setting
{
	char	   *text;
	int			number;
	double		real;
	bool		flag;
	char	   *initial;
} setting;

static const struct config_enum_entry flow_end_labels[] = {
	{"tcp_close", JJ_FLOW_END_TCP_CLOSE, false},
	{"fin_rst", JJ_FLOW_END_FIN_RST, false},
	{"timeout", JJ_FLOW_END_TIMEOUT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry eviction_labels[] = {
	{"lru", JJ_EVICT_LRU, false},
	{"oldest", JJ_EVICT_OLDEST, false},
	{NULL, 0, false}
};

static const struct config_enum_entry tunnel_labels[] = {
	{"inner", true, false},
	{"outer", false, false},
	{NULL, 0, false}
};

static bool check_flow_timeout(char **text, void **extra, GucSource source);
static bool check_active_timeout(char **text, void **extra, GucSource source);
static bool check_sampling_seed(char **text, void **extra, GucSource source);
static bool check_features(char **text, void **extra, GucSource source);

static const option table[OPTIONS] = {
	[FLOW_TIMEOUT] = {"flow_timeout", KIND_DURATION, .unit = "s", .check = check_flow_timeout,
	.meaning = "Idle time after which a flow has ended; a later packet starts a new one."},
	[ACTIVE_TIMEOUT] = {"active_timeout", KIND_DURATION, .unit = "s", .check = check_active_timeout,
	.meaning = "Age at which a flow is cut, however busy."},
	[FLOW_END] = {"flow_end", KIND_ENUM, .labels = flow_end_labels,
	.meaning = "What ends a TCP flow: tcp_close = both FINs acknowledged, or RST, and 5 s for stragglers; fin_rst = the first FIN or RST; timeout = timeouts alone."},
	[MAX_CONCURRENT_FLOWS] = {"max_concurrent_flows", KIND_INT, 0, INT_MAX, .unit = "flows",
	.meaning = "Most flows open at a time; 0 = no limit. Beyond it a flow is evicted for each new one."},
	[EVICTION] = {"flow_eviction_strategy", KIND_ENUM, .labels = eviction_labels,
	.meaning = "Which flow is evicted: lru = the one idle for longest, oldest = the one that began first."},
	[TUNNELS] = {"tunnels", KIND_ENUM, .labels = tunnel_labels,
	.meaning = "Flows of the innermost or of the outermost IP packet."},
	[VLAN_IN_KEY] = {"vlan_in_key", KIND_BOOL,
	.meaning = "Whether packets of different VLANs are of different flows."},
	[DEFRAGMENT] = {"defragment", KIND_BOOL,
	.meaning = "Whether later IP fragments join the flow of their first fragment."},
	[BURST_THRESHOLD] = {"burst_threshold_ms", KIND_MILLISECONDS, 0.001, 3600000, .unit = "ms",
	.meaning = "Gap between packets that ends a burst."},
	[MAX_SEQUENCE] = {"max_sequence_length", KIND_INT, 0, JJ_MAX_SEQUENCE, .unit = "packets",
	.meaning = "Most packets in the sequence columns; 0 = these columns are NULL."},
	[MAX_SAMPLES] = {"max_samples_per_flow", KIND_INT, JJ_MIN_SAMPLES, JJ_MAX_SAMPLES, .unit = "packets",
	.meaning = "Packets per flow up to which quantiles are exact; beyond, those of times come from a sketch (error at most 1/128)."},
	[ENTROPY_SAMPLE] = {"entropy_sample_bytes", KIND_INT, 1, JJ_MAX_ENTROPY_SAMPLE, .unit = "bytes",
	.meaning = "Payload bytes of each direction from which the entropy columns are computed."},
	[STREAM_BYTES] = {"stream_bytes", KIND_INT, 0, JJ_MAX_STREAM, .unit = "bytes",
	.meaning = "Payload bytes of each direction of a TCP flow that are held behind a gap until it is filled."},
	[SAMPLING_RATE] = {"sampling_rate", KIND_REAL, 1e-9, 1,
	.meaning = "Share of flows to keep, chosen by a hash of the flow's key."},
	[SAMPLING_SEED] = {"sampling_seed", KIND_UNSIGNED, .check = check_sampling_seed,
	.meaning = "Another seed keeps other flows; the same seed always the same."},
	[CONTINUE] = {"continue", KIND_BOOL,
	.meaning = "Whether flows go on from one file to the next of the same call."},
	[FEATURES] = {"features", KIND_FEATURES, .check = check_features,
	.meaning = "Columns to compute, as names of columns, groups or profiles; the others are NULL and cost nothing."},
};

static setting settings[OPTIONS];

#define MILLISECOND (JJ_SECOND / 1000)

/* The default of an option as text, by the engine's defaults. */
static char *
initial_text(option_id id)
{
	jj_options	o;

	jj_options_default(&o);
	switch (id)
	{
		case FLOW_TIMEOUT:
			return psprintf(INT64_FORMAT "s", (int64) (o.flow_timeout / JJ_SECOND));
		case ACTIVE_TIMEOUT:
			return o.active_timeout == JJ_INFINITE ? pstrdup("infinity") : psprintf(INT64_FORMAT "s", (int64) (o.active_timeout / JJ_SECOND));
		case FLOW_END:
			return pstrdup(flow_end_labels[o.flow_end].name);
		case MAX_CONCURRENT_FLOWS:
			return psprintf("%u", o.max_concurrent_flows);
		case EVICTION:
			return pstrdup(eviction_labels[o.eviction].name);
		case TUNNELS:
			return pstrdup(o.inner_tunnels ? "inner" : "outer");
		case VLAN_IN_KEY:
			return pstrdup(o.vlan_in_key ? "on" : "off");
		case DEFRAGMENT:
			return pstrdup(o.defragment ? "on" : "off");
		case BURST_THRESHOLD:
			return psprintf("%g", (double) o.burst_threshold / MILLISECOND);
		case MAX_SEQUENCE:
			return psprintf("%u", o.max_sequence_length);
		case MAX_SAMPLES:
			return psprintf("%u", o.max_samples);
		case ENTROPY_SAMPLE:
			return psprintf("%u", o.entropy_sample_bytes);
		case STREAM_BYTES:
			return psprintf("%u", o.stream_bytes);
		case SAMPLING_RATE:
			return psprintf("%g", o.sampling_rate);
		case SAMPLING_SEED:
			return psprintf(UINT64_FORMAT, (uint64) o.sampling_seed);
		case CONTINUE:
			return pstrdup("off");
		case FEATURES:
			return pstrdup("all");
		case OPTIONS:
			break;
	}
	pg_unreachable();
}

/* What values an option takes, as text. */
static char *
range_text(const option *o)
{
	StringInfoData labels;

	switch (o->kind)
	{
		case KIND_DURATION:
			return pstrdup("0 .. infinity");
		case KIND_INT:
		case KIND_REAL:
		case KIND_MILLISECONDS:
			return psprintf("%.10g .. %.10g", o->min, o->max);
		case KIND_UNSIGNED:
			return psprintf("0 .. " UINT64_FORMAT, PG_UINT64_MAX);
		case KIND_BOOL:
			return pstrdup("on, off");
		case KIND_FEATURES:
			return pstrdup("columns, groups, profiles (JJ-CORE, JJ-EXTENDED, JJ-EXPERIMENTAL), all");
		case KIND_ENUM:
			break;
	}
	initStringInfo(&labels);
	for (const struct config_enum_entry *e = o->labels; e->name != NULL; e++)
		appendStringInfo(&labels, "%s%s", e == o->labels ? "" : ", ", e->name);
	return labels.data;
}

/* How to write a value of an option. */
static char *
value_hint(const option *o)
{
	switch (o->kind)
	{
		case KIND_DURATION:
			return pstrdup(JJ_DURATION_HINT);
		case KIND_MILLISECONDS:
			return pstrdup("Give a number of milliseconds, or a number with a unit (ns, us, ms, s, min, h).");
		case KIND_INT:
		case KIND_UNSIGNED:
			return psprintf("Give a whole number (%s).", range_text(o));
		case KIND_REAL:
			return psprintf("Give a number (%s).", range_text(o));
		case KIND_BOOL:
			return pstrdup("Give true or false.");
		case KIND_ENUM:
			return psprintf("Available values: %s.", range_text(o));
		case KIND_FEATURES:
			return pstrdup("Give a list of columns, groups or profiles.");
	}
	pg_unreachable();
}

static bool
in_range(const option *o, double value)
{
	return value >= o->min && value <= o->max;
}

/* A text to a value of the option. */
static jj_parsed
parse_value(const option *o, const char *text, option_value *v)
{
	jj_parsed	result;
	bool		flag;

	switch (o->kind)
	{
		case KIND_DURATION:
			return jj_parse_duration(text, (double) JJ_SECOND, &v->ns);
		case KIND_MILLISECONDS:
			result = jj_parse_duration(text, (double) MILLISECOND, &v->ns);
			return result == JJ_PARSED && !in_range(o, (double) v->ns / MILLISECOND) ? JJ_PARSED_RANGE : result;
		case KIND_INT:
			result = jj_parse_unsigned(text, &v->u);
			return result == JJ_PARSED && !in_range(o, (double) v->u) ? JJ_PARSED_RANGE : result;
		case KIND_UNSIGNED:
			return jj_parse_unsigned(text, &v->u);
		case KIND_REAL:
			result = jj_parse_double(text, &v->d);
			return result == JJ_PARSED && !in_range(o, v->d) ? JJ_PARSED_RANGE : result;
		case KIND_BOOL:
			if (!parse_bool(text, &flag))
				return JJ_PARSED_NOT;
			v->u = flag;
			return JJ_PARSED;
		case KIND_ENUM:
			for (const struct config_enum_entry *e = o->labels; e->name != NULL; e++)
			{
				if (pg_strcasecmp(text, e->name) == 0)
				{
					v->u = (uint64) e->val;
					return JJ_PARSED;
				}
			}
			return JJ_PARSED_NOT;
		case KIND_FEATURES:
			break;
	}
	elog(ERROR, "option \"%s\" has no single value", o->name);
}

static void
apply(jj_call_options *c, option_id id, const option_value *v)
{
	jj_options *o = &c->engine;

	switch (id)
	{
		case FLOW_TIMEOUT:
			o->flow_timeout = v->ns;
			break;
		case ACTIVE_TIMEOUT:
			o->active_timeout = v->ns;
			break;
		case FLOW_END:
			o->flow_end = (jj_flow_end) v->u;
			break;
		case MAX_CONCURRENT_FLOWS:
			o->max_concurrent_flows = (uint32) v->u;
			break;
		case EVICTION:
			o->eviction = (jj_eviction) v->u;
			break;
		case TUNNELS:
			o->inner_tunnels = v->u != 0;
			break;
		case VLAN_IN_KEY:
			o->vlan_in_key = v->u != 0;
			break;
		case DEFRAGMENT:
			o->defragment = v->u != 0;
			break;
		case BURST_THRESHOLD:
			o->burst_threshold = v->ns;
			break;
		case MAX_SEQUENCE:
			o->max_sequence_length = (uint32) v->u;
			break;
		case MAX_SAMPLES:
			o->max_samples = (uint32) v->u;
			break;
		case ENTROPY_SAMPLE:
			o->entropy_sample_bytes = (uint32) v->u;
			break;
		case STREAM_BYTES:
			o->stream_bytes = (uint32) v->u;
			break;
		case SAMPLING_RATE:
			o->sampling_rate = v->d;
			break;
		case SAMPLING_SEED:
			o->sampling_seed = v->u;
			break;
		case CONTINUE:
			c->keep_flows = v->u != 0;
			break;
		case FEATURES:
			o->features = v->set;
			break;
		case OPTIONS:
			break;
	}
}

/* ---- settings */

static bool
check_text(option_id id, const char *text)
{
	const option *o = &table[id];
	option_value v = {0};
	const char *unknown;

	if (o->kind == KIND_FEATURES)
	{
		if (jj_parse_features(text, &v.set, &unknown))
			return true;
		GUC_check_errdetail("There is no column, group or profile \"%s\".", unknown);
		GUC_check_errhint("%s", jj_features_hint(unknown));
		return false;
	}
	switch (parse_value(o, text, &v))
	{
		case JJ_PARSED:
			return true;
		case JJ_PARSED_RANGE:
			GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
			GUC_check_errmsg("%s is outside the valid range for parameter \"joyfuljay.%s\" (%s)", text, o->name, range_text(o));
			return false;
		case JJ_PARSED_NOT:
			break;
	}
	GUC_check_errhint("%s", value_hint(o));
	return false;
}

#define CHECK_HOOK(name, id) \
static bool \
name(char **text, void **extra pg_attribute_unused(), GucSource source pg_attribute_unused()) \
{ \
	return check_text(id, *text); \
}

CHECK_HOOK(check_flow_timeout, FLOW_TIMEOUT)
CHECK_HOOK(check_active_timeout, ACTIVE_TIMEOUT)
CHECK_HOOK(check_sampling_seed, SAMPLING_SEED)
CHECK_HOOK(check_features, FEATURES)

static void
define_setting(option_id id)
{
	const option *o = &table[id];
	setting    *s = &settings[id];
	char	   *name = psprintf("joyfuljay.%s", o->name);
	option_value v = {0};

	s->initial = initial_text(id);
	if (o->kind != KIND_FEATURES && parse_value(o, s->initial, &v) != JJ_PARSED)
		elog(ERROR, "the default of option \"%s\" is not valid", o->name);
	switch (o->kind)
	{
		case KIND_DURATION:
		case KIND_UNSIGNED:
		case KIND_FEATURES:
			DefineCustomStringVariable(name, o->meaning, NULL, &s->text, s->initial, PGC_USERSET, 0, o->check, NULL, NULL);
			break;
		case KIND_MILLISECONDS:
			DefineCustomRealVariable(name, o->meaning, NULL, &s->real, (double) v.ns / MILLISECOND, o->min, o->max,
									 PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
			break;
		case KIND_INT:
			DefineCustomIntVariable(name, o->meaning, NULL, &s->number, (int) v.u, (int) o->min, (int) o->max,
									PGC_USERSET, 0, NULL, NULL, NULL);
			break;
		case KIND_REAL:
			DefineCustomRealVariable(name, o->meaning, NULL, &s->real, v.d, o->min, o->max, PGC_USERSET, 0, NULL, NULL, NULL);
			break;
		case KIND_BOOL:
			DefineCustomBoolVariable(name, o->meaning, NULL, &s->flag, v.u != 0, PGC_USERSET, 0, NULL, NULL, NULL);
			break;
		case KIND_ENUM:
			DefineCustomEnumVariable(name, o->meaning, NULL, &s->number, (int) v.u, o->labels, PGC_USERSET, 0, NULL, NULL, NULL);
			break;
	}
}

void
jj_settings_init(void)
{
	/* names and defaults are kept by reference */
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	for (int i = 0; i < OPTIONS; i++)
		define_setting((option_id) i);
	MemoryContextSwitchTo(old);
	MarkGUCPrefixReserved("joyfuljay");
}

static void
from_settings(jj_call_options *c)
{
	memset(c, 0, sizeof(*c));
	jj_options_default(&c->engine);
	for (int i = 0; i < OPTIONS; i++)
	{
		const option *o = &table[i];
		const setting *s = &settings[i];
		option_value v = {0};
		const char *unknown;
		bool		good = true;

		switch (o->kind)
		{
			case KIND_DURATION:
			case KIND_UNSIGNED:
				good = parse_value(o, s->text, &v) == JJ_PARSED;
				break;
			case KIND_FEATURES:
				good = jj_parse_features(s->text, &v.set, &unknown);
				break;
			case KIND_MILLISECONDS:
				v.ns = (int64) (s->real * MILLISECOND + 0.5);
				break;
			case KIND_INT:
			case KIND_ENUM:
				v.u = (uint64) s->number;
				break;
			case KIND_REAL:
				v.d = s->real;
				break;
			case KIND_BOOL:
				v.u = s->flag;
				break;
		}
		if (!good)
			elog(ERROR, "setting \"joyfuljay.%s\" holds a value that its check refuses", o->name);
		apply(c, (option_id) i, &v);
	}
}

bool
jj_setting_describe(int i, jj_setting_line *line)
{
	if (i >= OPTIONS)
		return false;
	line->name = table[i].name;
	line->setting = psprintf("joyfuljay.%s", table[i].name);
	line->value = GetConfigOptionByName(line->setting, NULL, false);
	line->initial = table[i].kind == KIND_MILLISECONDS ? psprintf("%sms", settings[i].initial) : settings[i].initial;
	line->range = range_text(&table[i]);
	line->unit = table[i].unit;
	line->meaning = table[i].meaning;
	return true;
}

/* ---- options */

static const option *
find_option(const char *name)
{
	const char *names[OPTIONS];
	const char *nearest;
	StringInfoData hint;

	for (int i = 0; i < OPTIONS; i++)
	{
		if (strcmp(name, table[i].name) == 0)
			return &table[i];
		names[i] = table[i].name;
	}
	nearest = jj_nearest(name, names, OPTIONS);
	initStringInfo(&hint);
	if (nearest != NULL)
		appendStringInfo(&hint, "Perhaps you meant \"%s\". ", nearest);
	appendStringInfoString(&hint, "Valid options are ");
	for (int i = 0; i < OPTIONS; i++)
		appendStringInfo(&hint, "%s%s", i > 0 ? ", " : "", names[i]);
	appendStringInfoChar(&hint, '.');
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("option \"%s\" does not exist", name),
			 errhint("%s", hint.data)));
}

static void
null_value(const option *o)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("option \"%s\" must not be null", o->name),
			 errhint("Leave the option out to have the setting joyfuljay.%s.", o->name)));
}

static void
invalid_value(const option *o, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": %s", o->name, text),
			 errhint("%s", value_hint(o))));
}

static void
add_features(const char *text, jj_feature_set *set)
{
	const char *unknown;

	if (!jj_parse_features(text, set, &unknown))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no column, group or profile \"%s\" for option \"features\"", unknown),
				 errhint("%s", jj_features_hint(unknown))));
}

/* Columns named by a string or an array of strings. */
static void
features_from_jsonb(const option *o, JsonbValue *value, jj_feature_set *set)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	element;
	bool		empty = true;

	if (value->type == jbvString)
	{
		add_features(pnstrdup(value->val.string.val, value->val.string.len), set);
		return;
	}
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		invalid_value(o, JsonbToCString(NULL, &JsonbValueToJsonb(value)->root, 0));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (element.type == jbvNull)
			null_value(o);
		if (element.type != jbvString)
			invalid_value(o, JsonbToCString(NULL, &JsonbValueToJsonb(value)->root, 0));
		add_features(pnstrdup(element.val.string.val, element.val.string.len), set);
		empty = false;
	}
	if (empty)
		invalid_value(o, "[]");
}

static void
option_from_jsonb(jj_call_options *c, const option *o, JsonbValue *value)
{
	option_value v = {0};
	char	   *text = NULL;

	if (value->type == jbvNull)
		null_value(o);
	if (o->kind == KIND_FEATURES)
		features_from_jsonb(o, value, &v.set);
	else
	{
		switch (value->type)
		{
			case jbvString:
				text = pnstrdup(value->val.string.val, value->val.string.len);
				break;
			case jbvNumeric:
				text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
				break;
			case jbvBool:
				/* a word that no number is */
				text = pstrdup(value->val.boolean ? "true" : "false");
				break;
			default:
				invalid_value(o, JsonbToCString(NULL, &JsonbValueToJsonb(value)->root, 0));
		}
		switch (parse_value(o, text, &v))
		{
			case JJ_PARSED:
				break;
			case JJ_PARSED_RANGE:
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("%s is outside the valid range for option \"%s\" (%s)", text, o->name, range_text(o)),
						 errhint("%s", value_hint(o))));
				break;
			case JJ_PARSED_NOT:
				invalid_value(o, value->type == jbvString ? psprintf("\"%s\"", text) : text);
		}
	}
	apply(c, (option_id) (o - table), &v);
}

void
jj_options_from_jsonb(jj_call_options *c, Jsonb *options)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	const option *o = NULL;

	from_settings(c);
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a JSON object, not %s", JsonbToCString(NULL, &options->root, VARSIZE(options))),
				 errhint("For example: '{\"flow_timeout\": \"30s\"}'.")));
	it = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			o = find_option(pnstrdup(value.val.string.val, value.val.string.len));
		else if (token == WJB_VALUE)
			option_from_jsonb(c, o, &value);
	}
}
