/*
 * The options of a call by name: one table from which the faces (SQL options,
 * settings, jj-sensor's --option) take names, ranges, defaults and messages.
 */
#ifndef JJ_OPTIONS_H
#define JJ_OPTIONS_H

#include "analysis/connection.h"
#include "features/engine.h"

typedef enum jj_option_id
{
	JJ_O_FLOW_TIMEOUT,
	JJ_O_ACTIVE_TIMEOUT,
	JJ_O_FLOW_END,
	JJ_O_MAX_CONCURRENT_FLOWS,
	JJ_O_EVICTION,
	JJ_O_TUNNELS,
	JJ_O_VLAN_IN_KEY,
	JJ_O_DEFRAGMENT,
	JJ_O_BURST_THRESHOLD,
	JJ_O_MAX_SEQUENCE,
	JJ_O_MAX_SAMPLES,
	JJ_O_ENTROPY_SAMPLE,
	JJ_O_STREAM_BYTES,
	JJ_O_SAMPLING_RATE,
	JJ_O_SAMPLING_SEED,
	JJ_O_CONTINUE,
	JJ_O_ANONYMIZE_IPS,
	JJ_O_ANONYMIZATION_SALT,
	JJ_O_CONNECTION_USE_PORTS,
	JJ_O_CONNECTION_MAX_NODES,
	JJ_O_CONNECTION_MAX_EDGES,
	JJ_O_CONNECTION_MAX_BETWEENNESS,
	JJ_O_FEATURES,
	JJ_OPTIONS
} jj_option_id;

/* What an option's value is, and in which member of jj_option_value. */
typedef enum jj_option_kind
{
	JJ_KIND_DURATION,			/* ns; text without a unit is in seconds */
	JJ_KIND_MILLISECONDS,		/* ns; text without a unit, min and max are in ms */
	JJ_KIND_INT,				/* u */
	JJ_KIND_UNSIGNED,			/* u, all 64 bits */
	JJ_KIND_REAL,				/* d */
	JJ_KIND_BOOL,				/* u, 0 or 1 */
	JJ_KIND_ENUM,				/* u, value of a label */
	JJ_KIND_TEXT,				/* text, at most JJ_MAX_TEXT bytes */
	JJ_KIND_FEATURES			/* set */
} jj_option_kind;

typedef struct jj_option_label
{
	const char *name;			/* NULL behind the last one */
	int			value;
} jj_option_label;

typedef struct jj_option
{
	const char *name;
	jj_option_kind kind;
	double		min;			/* of JJ_KIND_INT, JJ_KIND_REAL and JJ_KIND_MILLISECONDS */
	double		max;
	const jj_option_label *labels;	/* of JJ_KIND_ENUM */
	const char *unit;			/* NULL if none */
	const char *meaning;
} jj_option;

extern const jj_option jj_option_table[JJ_OPTIONS];

#define JJ_MAX_TEXT 127

typedef struct jj_option_value
{
	int64_t		ns;
	uint64_t	u;
	double		d;
	const char *text;			/* by reference */
	jj_feature_set set;
} jj_option_value;

typedef struct jj_call_options
{
	jj_options	engine;
	bool		keep_flows;		/* option continue: flows go on in the next file */
	char		salt[JJ_MAX_TEXT + 1];	/* option anonymization_salt; with a secret it makes engine.anonymization_key */
	jj_connection_options connection;
} jj_call_options;

/* The engine's defaults. */
extern void jj_call_options_default(jj_call_options *c);

typedef enum jj_parsed
{
	JJ_PARSED,
	JJ_PARSED_NOT,				/* not of this form */
	JJ_PARSED_RANGE				/* too small or too large for the type or the option */
} jj_parsed;

/* A text to a value of the option, which is not JJ_KIND_FEATURES. */
extern jj_parsed jj_option_parse(const jj_option *o, const char *text, jj_option_value *v);

/*
 * Add columns, groups and profiles, separated by commas, to *set, or take those
 * with a - in front out of it (out of all, if it is empty); otherwise false, and the size bytes at *unknown, in text, are the name that is none.
 */
extern bool jj_features_parse(const char *text, jj_feature_set *set, const char **unknown, size_t *size);

extern void jj_option_apply(jj_call_options *c, jj_option_id id, const jj_option_value *v);

/* The reverse: what the option is set to. */
extern void jj_option_get(const jj_call_options *c, jj_option_id id, jj_option_value *v);

/* The option of this name, or NULL. */
extern const jj_option *jj_option_find(const char *name);

/* Texts for people, cut to JJ_OPTION_TEXT bytes with their terminator. */
#define JJ_OPTION_TEXT 2048
typedef struct jj_option_text
{
	char		text[JJ_OPTION_TEXT];
} jj_option_text;

/* Messages; all arguments are texts. */
#define JJ_OPTION_UNKNOWN "option \"%s\" does not exist"	/* name */
#define JJ_OPTION_INVALID "invalid value for option \"%s\": %s"	/* name, value */
#define JJ_OPTION_OUTSIDE "%s is outside the valid range for option \"%s\" (%s)"	/* value, name, range */
#define JJ_OPTION_NO_FEATURE "there is no column, group or profile \"%s\" for option \"features\""

extern void jj_option_show(const jj_option *o, const jj_option_value *v, jj_option_text *out);	/* a value as text that parses; empty for JJ_KIND_FEATURES */
extern void jj_option_initial(jj_option_id id, jj_option_text *out);	/* the default, as text that parses */
extern void jj_option_range(const jj_option *o, jj_option_text *out);	/* what values it takes */
extern void jj_option_hint(const jj_option *o, jj_option_text *out);	/* how to write a value */
extern void jj_option_unknown_hint(const char *name, jj_option_text *out);	/* which options there are */
extern void jj_features_hint(const char *unknown, const char *list, jj_option_text *out);	/* which groups and profiles there are, and that the list has the columns */

/* Set an option from text; otherwise false, and what is wrong with name or value. list: as for jj_features_hint. */
extern bool jj_option_set(jj_call_options *c, const char *name, const char *text, const char *list, jj_option_text *message,
						  jj_option_text *hint);

#endif
