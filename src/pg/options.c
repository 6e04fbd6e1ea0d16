/*
 * The options of jj_extract and the settings joyfuljay.*, their defaults.
 */
#include "pg/pg.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* What the settings hold, and the values they start with. */
typedef struct setting
{
	char	   *text;
	int			number;
	double		real;
	bool		flag;
	char	   *initial;
} setting;

static bool check_flow_timeout(char **text, void **extra, GucSource source);
static bool check_active_timeout(char **text, void **extra, GucSource source);
static bool check_sampling_seed(char **text, void **extra, GucSource source);
static bool check_salt(char **text, void **extra, GucSource source);
static bool check_max_betweenness(char **text, void **extra, GucSource source);
static bool check_features(char **text, void **extra, GucSource source);

/* of settings that are strings */
static const GucStringCheckHook check_hook[JJ_OPTIONS] = {
	[JJ_O_FLOW_TIMEOUT] = check_flow_timeout,
	[JJ_O_ACTIVE_TIMEOUT] = check_active_timeout,
	[JJ_O_SAMPLING_SEED] = check_sampling_seed,
	[JJ_O_ANONYMIZATION_SALT] = check_salt,
	[JJ_O_CONNECTION_MAX_BETWEENNESS] = check_max_betweenness,
	[JJ_O_FEATURES] = check_features,
};

static setting settings[JJ_OPTIONS];

#define MILLISECOND (JJ_SECOND / 1000)

/* The same texts, palloc'd. */
static char *
initial_text(jj_option_id id)
{
	jj_option_text t;

	jj_option_initial(id, &t);
	return pstrdup(t.text);
}

static char *
range_text(const jj_option *o)
{
	jj_option_text t;

	jj_option_range(o, &t);
	return pstrdup(t.text);
}

static char *
value_hint(const jj_option *o)
{
	jj_option_text t;

	jj_option_hint(o, &t);
	return pstrdup(t.text);
}

static char *
features_hint(const char *unknown)
{
	jj_option_text t;

	jj_features_hint(unknown, "the view jj_features", &t);
	return pstrdup(t.text);
}

/* Columns by their names; otherwise false, and *unknown is the name that is none, palloc'd. */
static bool
parse_features(const char *text, jj_feature_set *set, char **unknown)
{
	const char *name;
	size_t		size;

	if (jj_features_parse(text, set, &name, &size))
		return true;
	*unknown = pnstrdup(name, size);
	return false;
}

/* ---- settings */

static bool
check_text(jj_option_id id, const char *text)
{
	const jj_option *o = &jj_option_table[id];
	jj_option_value v = {0};
	char	   *unknown;

	if (o->kind == JJ_KIND_FEATURES)
	{
		if (parse_features(text, &v.set, &unknown))
			return true;
		GUC_check_errdetail("There is no column, group or profile \"%s\".", unknown);
		GUC_check_errhint("%s", features_hint(unknown));
		return false;
	}
	switch (jj_option_parse(o, text, &v))
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

CHECK_HOOK(check_flow_timeout, JJ_O_FLOW_TIMEOUT)
CHECK_HOOK(check_active_timeout, JJ_O_ACTIVE_TIMEOUT)
CHECK_HOOK(check_sampling_seed, JJ_O_SAMPLING_SEED)
CHECK_HOOK(check_salt, JJ_O_ANONYMIZATION_SALT)
CHECK_HOOK(check_max_betweenness, JJ_O_CONNECTION_MAX_BETWEENNESS)
CHECK_HOOK(check_features, JJ_O_FEATURES)

/* The labels of an option as a setting wants them. */
static const struct config_enum_entry *
enum_entries(const jj_option *o)
{
	struct config_enum_entry *entries;
	int			n = 0;

	while (o->labels[n].name != NULL)
		n++;
	entries = palloc0(sizeof(*entries) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		entries[i].name = o->labels[i].name;
		entries[i].val = o->labels[i].value;
	}
	return entries;
}

static void
define_setting(jj_option_id id)
{
	const jj_option *o = &jj_option_table[id];
	setting    *s = &settings[id];
	char	   *name = psprintf("joyfuljay.%s", o->name);
	jj_option_value v = {0};

	s->initial = initial_text(id);
	if (o->kind != JJ_KIND_FEATURES && jj_option_parse(o, s->initial, &v) != JJ_PARSED)
		elog(ERROR, "the default of option \"%s\" is not valid", o->name);
	switch (o->kind)
	{
		case JJ_KIND_DURATION:
		case JJ_KIND_UNSIGNED:
		case JJ_KIND_TEXT:
		case JJ_KIND_FEATURES:
			DefineCustomStringVariable(name, o->meaning, NULL, &s->text, s->initial, PGC_USERSET, 0, check_hook[id], NULL, NULL);
			break;
		case JJ_KIND_MILLISECONDS:
			DefineCustomRealVariable(name, o->meaning, NULL, &s->real, (double) v.ns / MILLISECOND, o->min, o->max,
									 PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
			break;
		case JJ_KIND_INT:
			DefineCustomIntVariable(name, o->meaning, NULL, &s->number, (int) v.u, (int) o->min, (int) o->max,
									PGC_USERSET, 0, NULL, NULL, NULL);
			break;
		case JJ_KIND_REAL:
			DefineCustomRealVariable(name, o->meaning, NULL, &s->real, v.d, o->min, o->max, PGC_USERSET, 0, NULL, NULL, NULL);
			break;
		case JJ_KIND_BOOL:
			DefineCustomBoolVariable(name, o->meaning, NULL, &s->flag, v.u != 0, PGC_USERSET, 0, NULL, NULL, NULL);
			break;
		case JJ_KIND_ENUM:
			DefineCustomEnumVariable(name, o->meaning, NULL, &s->number, (int) v.u, enum_entries(o), PGC_USERSET, 0, NULL, NULL, NULL);
			break;
	}
}

void
jj_settings_init(void)
{
	/* names, labels and defaults are kept by reference */
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	for (int i = 0; i < JJ_OPTIONS; i++)
		define_setting((jj_option_id) i);
	MemoryContextSwitchTo(old);
	MarkGUCPrefixReserved("joyfuljay");
}

static void
from_settings(jj_call_options *c)
{
	jj_call_options_default(c);
	for (int i = 0; i < JJ_OPTIONS; i++)
	{
		const jj_option *o = &jj_option_table[i];
		const setting *s = &settings[i];
		jj_option_value v = {0};
		char	   *unknown;
		bool		good = true;

		switch (o->kind)
		{
			case JJ_KIND_DURATION:
			case JJ_KIND_UNSIGNED:
			case JJ_KIND_TEXT:
				good = jj_option_parse(o, s->text, &v) == JJ_PARSED;
				break;
			case JJ_KIND_FEATURES:
				good = parse_features(s->text, &v.set, &unknown);
				break;
			case JJ_KIND_MILLISECONDS:
				v.ns = (int64) (s->real * MILLISECOND + 0.5);
				break;
			case JJ_KIND_INT:
			case JJ_KIND_ENUM:
				v.u = (uint64) s->number;
				break;
			case JJ_KIND_REAL:
				v.d = s->real;
				break;
			case JJ_KIND_BOOL:
				v.u = s->flag;
				break;
		}
		if (!good)
			elog(ERROR, "setting \"joyfuljay.%s\" holds a value that its check refuses", o->name);
		jj_option_apply(c, (jj_option_id) i, &v);
	}
}

bool
jj_setting_describe(int i, jj_setting_line *line)
{
	if (i >= JJ_OPTIONS)
		return false;
	line->name = jj_option_table[i].name;
	line->setting = psprintf("joyfuljay.%s", jj_option_table[i].name);
	line->value = GetConfigOptionByName(line->setting, NULL, false);
	line->initial = jj_option_table[i].kind == JJ_KIND_MILLISECONDS ? psprintf("%sms", settings[i].initial) : settings[i].initial;
	line->range = range_text(&jj_option_table[i]);
	line->unit = jj_option_table[i].unit;
	line->meaning = jj_option_table[i].meaning;
	return true;
}

/* ---- options */

static const jj_option *
find_option(const char *name)
{
	const jj_option *o = jj_option_find(name);
	jj_option_text hint;

	if (o != NULL)
		return o;
	jj_option_unknown_hint(name, &hint);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg(JJ_OPTION_UNKNOWN, name),
			 errhint("%s", hint.text)));
}

static void
null_value(const jj_option *o)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("option \"%s\" must not be null", o->name),
			 errhint("Leave the option out to have the setting joyfuljay.%s.", o->name)));
}

static void
invalid_value(const jj_option *o, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg(JJ_OPTION_INVALID, o->name, text),
			 errhint("%s", value_hint(o))));
}

static void
add_features(const char *text, jj_feature_set *set)
{
	char	   *unknown;

	if (!parse_features(text, set, &unknown))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg(JJ_OPTION_NO_FEATURE, unknown),
				 errhint("%s", features_hint(unknown))));
}

/* Columns named by a string or an array of strings. */
static void
features_from_jsonb(const jj_option *o, JsonbValue *value, jj_feature_set *set)
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
option_from_jsonb(jj_call_options *c, const jj_option *o, JsonbValue *value)
{
	jj_option_value v = {0};
	char	   *text = NULL;

	if (value->type == jbvNull)
		null_value(o);
	if (o->kind == JJ_KIND_FEATURES)
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
		if (o->kind == JJ_KIND_TEXT && value->type != jbvString)
			invalid_value(o, text);
		switch (jj_option_parse(o, text, &v))
		{
			case JJ_PARSED:
				break;
			case JJ_PARSED_RANGE:
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg(JJ_OPTION_OUTSIDE, text, o->name, range_text(o)),
						 errhint("%s", value_hint(o))));
				break;
			case JJ_PARSED_NOT:
				invalid_value(o, value->type == jbvString ? psprintf("\"%s\"", text) : text);
		}
	}
	jj_option_apply(c, (jj_option_id) (o - jj_option_table), &v);
}

void
jj_options_from_jsonb(jj_call_options *c, Jsonb *options)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	const jj_option *o = NULL;

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
	if (c->engine.anonymize)
		jj_privacy_key(c->salt, c->engine.anonymization_key);
}

bool
jj_options_anonymize(Jsonb *options)
{
	const char *name = jj_option_table[JJ_O_ANONYMIZE_IPS].name;
	JsonbValue *value = NULL;
	bool		flag = settings[JJ_O_ANONYMIZE_IPS].flag;

	if (JB_ROOT_IS_OBJECT(options))
		value = getKeyJsonValueFromContainer(&options->root, name, (int) strlen(name), NULL);
	if (value != NULL && value->type == jbvBool)
		flag = value->val.boolean;
	if (value != NULL && value->type == jbvString)
		(void) parse_bool(pnstrdup(value->val.string.val, value->val.string.len), &flag);
	return flag;
}

/* ---- options in force */

/* Columns as the shortest list: "all", or their names. */
static char *
features_text(const jj_feature_set *set)
{
	StringInfoData names;
	bool		all = true;

	initStringInfo(&names);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		if (!jj_set_has(set, f))
			all = false;
		else
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", jj_feature_table[f].name);
	}
	return all ? pstrdup("all") : names.data;
}

static void
push_value(JsonbParseState **state, const jj_option *o, const jj_option_value *v, const char *text)
{
	JsonbValue	value;

	switch (o->kind)
	{
		case JJ_KIND_BOOL:
			value.type = jbvBool;
			value.val.boolean = v->u != 0;
			break;
		case JJ_KIND_MILLISECONDS:
		case JJ_KIND_INT:
		case JJ_KIND_UNSIGNED:
		case JJ_KIND_REAL:
			value.type = jbvNumeric;
			value.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
			break;
		case JJ_KIND_DURATION:
		case JJ_KIND_ENUM:
		case JJ_KIND_TEXT:
		case JJ_KIND_FEATURES:
			value.type = jbvString;
			value.val.string.val = pstrdup(text);
			value.val.string.len = (int) strlen(text);
			break;
	}
	pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb *
jj_options_to_jsonb(const jj_call_options *c, bool changed)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < JJ_OPTIONS; i++)
	{
		const jj_option *o = &jj_option_table[i];
		JsonbValue	key = {.type = jbvString};
		jj_option_value v;
		jj_option_text text;

		jj_option_get(c, (jj_option_id) i, &v);
		jj_option_show(o, &v, &text);
		if (changed && (o->kind == JJ_KIND_FEATURES || strcmp(text.text, settings[i].initial) == 0))
			continue;
		key.val.string.val = unconstify(char *, o->name);
		key.val.string.len = (int) strlen(o->name);
		pushJsonbValue(&state, WJB_KEY, &key);
		push_value(&state, o, &v, o->kind == JJ_KIND_FEATURES ? features_text(&v.set) : text.text);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
