/*
 * Options of live captures, beside those of jj_extract.
 */
#include "pg/capture.h"

#include <limits.h>
#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define MEGABYTE (INT64CONST(1) << 20)
#define LIVE_ACTIVE_TIMEOUT (1800 * JJ_SECOND)

typedef enum kind
{
	KIND_BOOL,					/* bool */
	KIND_INT,					/* int */
	KIND_MEGABYTES,				/* int64, bytes */
	KIND_DURATION,				/* int64, ns */
	KIND_ISOLATION,				/* int */
	KIND_PATH					/* char * */
} kind;

typedef struct option
{
	const char *name;
	kind		kind;
	size_t		offset;			/* in jj_capture_options */
	double		min;			/* of numbers, in the unit in which they are given */
	double		max;
	const char *initial;		/* NULL: none */
} option;

#define FIELD(f) offsetof(jj_capture_options, f)

static const option table[] = {
	{"isolation", KIND_ISOLATION, FIELD(isolation), 0, 0, "auto"},
	{"snaplen", KIND_INT, FIELD(live.snaplen), JJ_LIVE_MIN_SNAPLEN, JJ_MAX_RECORD, "262144"},
	{"promiscuous", KIND_BOOL, FIELD(live.promiscuous), 0, 0, "true"},
	{"immediate", KIND_BOOL, FIELD(live.immediate), 0, 0, "false"},
	{"buffer_mb", KIND_MEGABYTES, FIELD(live.buffer_size), JJ_LIVE_MIN_BUFFER / MEGABYTE, JJ_LIVE_MAX_BUFFER / MEGABYTE, "64"},
	{"batch_rows", KIND_INT, FIELD(batch_rows), 1, 100000, "1000"},
	{"batch_interval", KIND_DURATION, FIELD(batch_interval), 0.1, 3600, "1s"},
	{"queue_mb", KIND_MEGABYTES, FIELD(queue_bytes), 1, 65536, "64"},
	{"save_pcap", KIND_PATH, FIELD(save_pcap), 0, 0, NULL},
	{"save_pcap_mb", KIND_MEGABYTES, FIELD(save_bytes), 1, 1048576, "100"},
	{"save_pcap_interval", KIND_DURATION, FIELD(save_interval), 1, 864000, "1h"},
	{"save_pcap_files", KIND_INT, FIELD(save_files), 0, 100000, "0"},
};

static const char *const isolation_name[] = {"auto", "worker", "sensor"};

/* ---- values */

pg_noreturn static void
invalid_value(const option *o, const char *text)
{
	const char *hint = NULL;

	switch (o->kind)
	{
		case KIND_BOOL:
			hint = "Give true or false.";
			break;
		case KIND_INT:
			hint = psprintf("Give a whole number (%.0f .. %.0f).", o->min, o->max);
			break;
		case KIND_MEGABYTES:
			hint = psprintf("Give a whole number of megabytes (%.0f .. %.0f).", o->min, o->max);
			break;
		case KIND_DURATION:
			hint = psprintf("Give a number of seconds, or a number with a unit (ns, us, ms, s, min, h, d), from %g s to %g s.", o->min, o->max);
			break;
		case KIND_ISOLATION:
			hint = "Available values: auto, worker, sensor.";
			break;
		case KIND_PATH:
			hint = "Give the beginning of the files' names, with the absolute path of a folder that is there.";
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": %s", o->name, text),
			 errhint("%s", hint)));
}

/* Whoever has the server write files must be allowed to. */
static void
check_path(const option *o, const char *path)
{
	char	   *folder = pstrdup(path);
	struct stat st;

	if (!is_absolute_path(path) || path[strlen(path) - 1] == '/' || strlen(path) > MAXPGPATH - 64)
		invalid_value(o, psprintf("\"%s\"", path));
	if (!has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to save packets to a file"),
				 errdetail("Only roles with privileges of the \"%s\" role may save packets to files of the server.", "pg_write_server_files")));
	get_parent_directory(folder);
	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("folder \"%s\" of option \"%s\" does not exist", folder, o->name)));
}

static void
set_value(jj_capture_options *c, const option *o, const char *text, const char *shown)
{
	char	   *field = (char *) c + o->offset;
	uint64		number;
	int64		ns;
	bool		flag;

	switch (o->kind)
	{
		case KIND_BOOL:
			if (!parse_bool(text, &flag))
				invalid_value(o, shown);
			*(bool *) field = flag;
			return;
		case KIND_INT:
		case KIND_MEGABYTES:
			if (jj_parse_unsigned(text, &number) != JJ_PARSED || (double) number < o->min || (double) number > o->max)
				invalid_value(o, shown);
			if (o->kind == KIND_INT)
				*(int *) field = (int) number;
			else
				*(int64 *) field = (int64) number * MEGABYTE;
			return;
		case KIND_DURATION:
			if (jj_parse_duration(text, (double) JJ_SECOND, &ns) != JJ_PARSED || (double) ns < o->min * JJ_SECOND || (double) ns > o->max * JJ_SECOND)
				invalid_value(o, shown);
			*(int64 *) field = ns;
			return;
		case KIND_ISOLATION:
			for (size_t i = 0; i < lengthof(isolation_name); i++)
			{
				if (strcmp(text, isolation_name[i]) == 0)
				{
					*(int *) field = (int) i;
					return;
				}
			}
			invalid_value(o, shown);
		case KIND_PATH:
			check_path(o, text);
			*(char **) field = pstrdup(text);
			return;
	}
}

static void
set_from_jsonb(jj_capture_options *c, const option *o, const JsonbValue *v)
{
	char	   *text;

	switch (v->type)
	{
		case jbvString:
			text = pnstrdup(v->val.string.val, v->val.string.len);
			set_value(c, o, text, psprintf("\"%s\"", text));
			break;
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
			if (o->kind == KIND_PATH)
				invalid_value(o, text);
			set_value(c, o, text, text);
			break;
		case jbvBool:
			text = v->val.boolean ? "true" : "false";
			if (o->kind != KIND_BOOL)
				invalid_value(o, text);
			set_value(c, o, text, text);
			break;
		default:
			invalid_value(o, v->type == jbvNull ? "null" : JsonbToCString(NULL, v->val.binary.data, v->val.binary.len));
	}
}

/* ---- all of them */

/* Every name in the rest must be an option of jj_extract. */
static void
check_names(Jsonb *rest)
{
	JsonbIterator *it = JsonbIteratorInit(&rest->root);
	JsonbIteratorToken token;
	JsonbValue	key;
	jj_setting_line line;

	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		const char *names[100];
		const char *nearest;
		char	   *name;
		int			n = 0;
		bool		found = false;
		StringInfoData hint;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		for (size_t i = 0; i < lengthof(table); i++)
			names[n++] = table[i].name;
		for (int i = 0; jj_setting_describe(i, &line) && n < (int) lengthof(names); i++)
		{
			/* of files */
			if (strcmp(line.name, "continue") == 0)
				continue;
			found = found || strcmp(line.name, name) == 0;
			names[n++] = line.name;
		}
		if (found)
			continue;
		nearest = jj_nearest(name, names, n);
		initStringInfo(&hint);
		if (nearest != NULL)
			appendStringInfo(&hint, "Perhaps you meant \"%s\". ", nearest);
		appendStringInfoString(&hint, "Valid options are ");
		for (int i = 0; i < n; i++)
			appendStringInfo(&hint, "%s%s", i > 0 ? ", " : "", names[i]);
		appendStringInfoChar(&hint, '.');
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("option \"%s\" of a capture does not exist", name),
				 errhint("%s", hint.data)));
	}
}

const char *
jj_capture_needs_worker(const jj_capture_options *o)
{
	return o->save_pcap != NULL ? "save_pcap" : o->call.engine.anonymize ? "anonymize_ips" : NULL;
}

void
jj_capture_options_from_jsonb(jj_capture_options *c, Jsonb *options)
{
	JsonbValue	value;

	memset(c, 0, sizeof(*c));
	jj_live_options_default(&c->live);
	c->rest = options;
	for (size_t i = 0; i < lengthof(table); i++)
	{
		const option *o = &table[i];
		const JsonbValue *v = NULL;

		if (o->initial != NULL)
			set_value(c, o, o->initial, o->initial);
		if (JB_ROOT_IS_OBJECT(options))
			v = getKeyJsonValueFromContainer(&options->root, o->name, (int) strlen(o->name), &value);
		if (v == NULL)
			continue;
		set_from_jsonb(c, o, v);
		c->rest = DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(c->rest), CStringGetTextDatum(o->name)));
	}
	if (JB_ROOT_IS_OBJECT(c->rest))
		check_names(c->rest);
	jj_options_from_jsonb(&c->call, c->rest);
	if (c->call.engine.active_timeout == JJ_INFINITE
		&& getKeyJsonValueFromContainer(&c->rest->root, "active_timeout", (int) strlen("active_timeout"), &value) == NULL)
		c->call.engine.active_timeout = LIVE_ACTIVE_TIMEOUT;
	if (c->isolation == JJ_ISOLATION_SENSOR && jj_capture_needs_worker(c) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"%s\" does not work with isolation \"sensor\"", jj_capture_needs_worker(c)),
				 errdetail("Files and keys are the worker's, and the sensor has none of its privileges.")));
}
