/*
 * The PostgreSQL face: what its files share.
 */
#ifndef JJ_PG_H
#define JJ_PG_H

#include "pg/compat.h"

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "features/options.h"

/* ---- options.c: options and settings */

extern void jj_settings_init(void);

/* The settings, changed by the given options (a jsonb object). Unknown options and bad values are errors. */
extern void jj_options_from_jsonb(jj_call_options *o, Jsonb *options);

/*
 * Options as a jsonb object that jj_options_from_jsonb reads, palloc'd: all of
 * them, or, with changed, those that change which rows there are or what is in
 * their columns and are not as the library has them by default (features is
 * none of these). Equal options give equal objects, however they were written.
 */
extern Jsonb *jj_options_to_jsonb(const jj_call_options *o, bool changed);

/* The strings of one line of jj_settings, palloc'd or static; false behind the last option. */
typedef struct jj_setting_line
{
	const char *name;
	const char *setting;
	const char *value;
	const char *initial;
	const char *range;
	const char *unit;			/* NULL if none */
	const char *meaning;
} jj_setting_line;

extern bool jj_setting_describe(int i, jj_setting_line *line);

/* Whether options and settings ask for anonymisation; never an error. */
extern bool jj_options_anonymize(Jsonb *options);

/* ---- privacy.c: anonymisation */

extern void jj_privacy_init(void);

/* The key for this salt. An error if there is none, or the current user may not use it. */
extern void jj_privacy_key(const char *salt, uint8 key[JJ_CRYPTOPAN_KEY]);

/* An error if pseudonyms could not be computed. */
extern void jj_privacy_check(const jj_cryptopan *c);

/* ---- source.c: paths to files */

typedef struct jj_source
{
	const char *path;			/* as the system takes it; NULL: a value */
	const char *label;			/* the path as messages show it, valid in the server's encoding */
	const char *name;			/* file name without folder, UTF-8 */
	int64		size;			/* bytes, as far as known before it is opened */
	const int  *fd;				/* of a file that is open already and stays the caller's; NULL: opened by path */
	const uint8 *bytes;			/* of a value */
} jj_source;

/* jj_source of each file that the path stands for: a file, a folder (its captures) or a glob. Checks the right to read files. */
extern List *jj_sources_from_path(const char *path);

/*
 * Captures in a folder and, if recursive, below it: regular files whose names
 * match the pattern (*, ?, [...]), or are those of captures if it is NULL.
 * Checks the right to read files. NIL is no error; a missing folder is.
 */
extern List *jj_sources_in_tree(const char *path, const char *pattern, bool recursive);

/* The same for an array of paths, without repetitions. */
extern List *jj_sources_from_array(ArrayType *paths);
extern List *jj_source_from_bytea(bytea *capture);

/* A file, not looked at. */
extern jj_source *jj_source_of_file(const char *path, int64 size);

/*
 * For estimates: add the files that the path stands for to *sources. False, and
 * never an error, if they are not known or the user may not read them.
 */
extern bool jj_sources_known(const char *path, List **sources);

/* ---- plan.c, scan.c: calls in FROM as custom scans */

extern void jj_plan_init(void);
extern void jj_scan_init(void);

/* ---- call.c: what an engine call holds, and releases however the call ends */

typedef struct jj_call
{
	MemoryContext context;		/* of the reader, filter and engine */
	jj_allocator allocator;
	jj_reader  *reader;
	jj_filter  *filter;
	jj_engine  *engine;
	jj_engine  *first;			/* of a first pass, while that lasts */
	int			fd;				/* -1 if none is open */
	const jj_source *source;	/* the one that is open */
	int			passes;			/* how often each source is read */
	int64		bytes_before;	/* size of the sources read so far */
	List	   *warnings;		/* of the sources closed so far: char *, in the server's encoding */
	bool		reports_progress;
	void		(*report) (int64 bytes);	/* instead, or NULL */
	MemoryContextCallback callback;
} jj_call;

/* Memory of a context; NULL where there is none, never an error. */
extern jj_allocator jj_context_allocator(MemoryContext context);

/* passes: how often each source will be read. */
extern jj_call *jj_call_begin(List *sources, int passes);
extern void jj_call_end(jj_call *call);

/* Open a source for reading. A file that can't be read or is no capture is an error. */
extern void jj_call_open(jj_call *call, const jj_source *source);

/* The next frames, 0 at the end; checks for interrupts and reports progress. */
extern uint32 jj_call_next(jj_call *call, jj_frame *frames, uint32 max);

/* Go back to the beginning of the open source, whatever has become of its path. */
extern void jj_call_rewind(jj_call *call);

/*
 * Show bytes to be read in pg_stat_progress_copy, as of a table or InvalidOid,
 * unless another command of this backend shows there: then false.
 */
extern bool jj_progress_begin(int64 bytes, Oid relid);

/* Show progress as that of a table. */
extern void jj_call_target(jj_call *call, List *sources, Oid relid);

/* Don't show progress, but call this with the bytes read so far, whenever some have been. */
extern void jj_call_report(jj_call *call, void (*report) (int64 bytes));

/* Close the source. Its warnings are kept, and raised if loud. */
extern void jj_call_close(jj_call *call, bool loud);

/* Close a source that will be read again: its warnings come then. */
extern void jj_call_leave(jj_call *call);
extern void jj_call_rows(jj_call *call, int64 rows);

/* Raise an engine error, about a source or NULL. */
pg_noreturn extern void jj_raise(const jj_error *error, const jj_source *source);

/* "147 USER0", or the number alone if there is no name; palloc'd. */
extern char *jj_link_text(uint32 link);

/* Name of a LINKTYPE_ number, or NULL. */
extern const char *jj_link_name(uint32 link);

/* ---- text.c: encodings */

/* Bytes that should be UTF-8 to the server's encoding, palloc'd. What is invalid or has no equivalent is escaped, never an error. */
extern char *jj_from_utf8(const char *bytes, size_t size, size_t *result_size);

/* Whether bytes are valid UTF-8, without zeroes, and the same text in the server's encoding. */
extern bool jj_is_plain(const char *bytes, size_t size);

/* A name in the server's encoding (or in none, as file names may be) to UTF-8, palloc'd; invalid bytes become \xHH. */
extern char *jj_to_utf8(const char *text);

/* The same, but in the server's encoding: what a message can show. */
extern char *jj_shown(const char *text);

/* ---- extraction.c: captures through the engine, a step at a time */

typedef struct jj_extraction jj_extraction;

/* The frames of one step, and what became of them. */
typedef struct jj_batch
{
	const jj_source *source;
	uint32		n;				/* 0: none, or the source has come to its end */
	uint64		last;			/* number of the last packet record so far */
	jj_frame	frames[JJ_BATCH];
	jj_observation seen[JJ_BATCH];	/* if the extraction observes */
} jj_batch;

/* A random seed for the hashes of an engine or a graph; raises without randomness. */
extern uint64 jj_hash_seed(void);

/* The sources stay the caller's; filter is NULL for none. */
extern jj_extraction *jj_extraction_begin(List *sources, const char *filter, const jj_call_options *options, bool observe);

/*
 * Go on: open a source, feed a batch, close a source, or end all flows. False
 * once everything is done; then it has said which packets gave no flow.
 */
extern bool jj_extraction_step(jj_extraction *x);

/* The frames of the last step; valid until the next. */
extern const jj_batch *jj_extraction_batch(const jj_extraction *x);

/* The next frame that had to wait and is in its flow by now, NULL if there is none; of an extraction that observes. Valid until the next call. */
extern const jj_settled *jj_extraction_settled(jj_extraction *x);

/* The next flow that has ended, NULL if there is none at present. Valid until the next call. */
extern const jj_row *jj_extraction_row(jj_extraction *x);

/* A row that is no flow was made. */
extern void jj_extraction_count(jj_extraction *x);

extern const jj_counters *jj_extraction_counters(const jj_extraction *x);

/* Show progress as that of a table; or give it to a function, as jj_call_report does. */
extern void jj_extraction_target(jj_extraction *x, Oid relid);
extern void jj_extraction_report(jj_extraction *x, void (*report) (int64 bytes));

/* Of the sources read so far: packet records; how many gave no flow, by reason, as a jsonb object; warnings, as char *. */
extern uint64 jj_extraction_packets(const jj_extraction *x);
extern Jsonb *jj_extraction_skipped(const jj_extraction *x);
extern List *jj_extraction_warnings(const jj_extraction *x);

/* Packet records so far that name an interface that is not described; the counters' frames are without them. */
extern uint64 jj_extraction_unusable(const jj_extraction *x);

struct jj_first_pass_counts;

/* Whether there is a first pass (graph.h), and what it has done so far. */
extern bool jj_extraction_first_pass(const jj_extraction *x, struct jj_first_pass_counts *counts);

/* What an extraction has spent its time on, in ns. */
typedef struct jj_times
{
	uint64		first_pass;		/* with what is computed of the connection graph */
	uint64		reading;
	uint64		decoding;
	uint64		features;		/* with finding flows */
	uint64		forming;		/* of rows */
} jj_times;

/* Measure times from now on; without this no clock is read and they are 0. */
extern void jj_extraction_measure(jj_extraction *x);
extern jj_times jj_extraction_times(const jj_extraction *x);

/* Around the forming of a row: the clock, 0 if times are not measured; and the time since that is one of forming. */
extern uint64 jj_extraction_clock(const jj_extraction *x);
extern void jj_extraction_formed(jj_extraction *x, uint64 begin);

/* What makes pseudonyms, NULL unless rows are anonymised; valid until its end. */
extern jj_cryptopan *jj_extraction_cryptopan(const jj_extraction *x);
extern void jj_extraction_end(jj_extraction *x);

/* ---- packets.c: one row per packet record */

enum
{
#define JJ_COLUMN(name, type, definition) JJ_PACKET_##name,
#include "pg/packets.def"
#undef JJ_COLUMN
	JJ_PACKET_COLUMNS
};

typedef struct jj_packet_rows jj_packet_rows;

/* Where the columns lie in the row type jj_packet, by jj_map_columns. */
extern void jj_packet_rows_map(TupleDesc desc, int column[JJ_PACKET_COLUMNS]);

/* Rows go to natts values, each column to its column[], -1 = nowhere; all three arrays and the sources stay the caller's. */
extern jj_packet_rows *jj_packet_rows_begin(List *sources, const char *filter, const jj_call_options *options, const int *column,
											int natts, Datum *values, bool *nulls);

/* Fill in the next row, whose values are valid until the one after it; false behind the last. */
extern bool jj_packet_rows_next(jj_packet_rows *w);

extern jj_extraction *jj_packet_rows_extraction(const jj_packet_rows *w);

/* ---- extract.c: arguments */

/* Of the arguments filter (NULL for none) and options, values[1] and [2]. */
extern void jj_arguments_options(const Datum values[3], const bool nulls[3], const char **filter, jj_call_options *options);

/* Of the argument path (text), paths (text[]) or capture (bytea). */
extern List *jj_arguments_sources(Oid type, Datum value, bool null);

/* A set-returning function of a first argument of that type, filter and options. */
typedef Datum (*jj_capture_function) (FunctionCallInfo fcinfo, List *sources, const char *filter, const jj_call_options *options);

extern Datum jj_call_function(FunctionCallInfo fcinfo, Oid type, jj_capture_function function);

/* ---- row.c: rows to tuples */

/* The OID of a column's type. */
extern Oid jj_type_oid(jj_type type);

/* Where the columns lie in the row type jj_flow, by jj_map_columns. */
extern void jj_row_map(TupleDesc desc, int column[JJ_FEATURES]);

/*
 * How rows become tuples, palloc'd: column[] says which attribute of a row type
 * each column goes to, -1 = none. The row type stays the caller's.
 */
typedef struct jj_row_plan jj_row_plan;

extern jj_row_plan *jj_row_plan_make(const int column[JJ_FEATURES], TupleDesc desc);

/*
 * A row's values, one for each attribute of the row type; those that are no
 * column are NULL. What is no plain number lies in the row, whose headroom is
 * used, or is palloc'd: it is valid until the row changes. An integer that
 * doesn't fit its column is an error.
 */
extern void jj_row_fill(const jj_row_plan *plan, const jj_row *row, Datum *values, bool *nulls);

/* A row as one value of the row type, valid until the next of this plan. */
extern Datum jj_row_composite(jj_row_plan *plan, const jj_row *row);

/*
 * A row as a tuple of the row type, palloc'd. A bigint attribute, unless it is
 * -1, gets the number; other attributes that are no column are NULL.
 */
extern HeapTuple jj_row_tuple(jj_row_plan *plan, const jj_row *row, int number_attribute, int64 number);

/*
 * Where the n columns, of these names and types, lie in a row type: column[i]
 * is an attribute's index, -1 if it has none. They match one by one unless the
 * extension's SQL is of another version than the library; an attribute that is
 * no column is an error.
 */
extern void jj_map_columns(TupleDesc desc, const char *type, const char *const *names, const jj_type *types, int n, int *column);

/* ---- values.c: values to datums */

/* from 1970 to 2000, in microseconds */
#define JJ_EPOCH_SHIFT ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* Capture time in ns to a timestamp, cut to microseconds. */
extern TimestampTz jj_timestamp(int64 ns);

/* Copies, palloc'd. Texts are UTF-8, addresses of 4 or 16 bytes. */
extern Datum jj_text_datum(const char *bytes, size_t size);
extern Datum jj_bytea_datum(const uint8 *bytes, uint32 size);
extern Datum jj_inet_datum(const uint8 *bytes, uint32 size);
extern Datum jj_mac_datum(const uint8 *bytes);
extern Datum jj_jsonb_datum(const char *bytes, size_t size);

/* The same of values as rows have them (jj_type). */
extern Datum jj_text_array(const uint8 *bytes, uint32 size);
extern Datum jj_inet_array(const uint8 *bytes, uint32 size);

/*
 * The same without a copy, unless a text needs another encoding: what a datum
 * has more than its bytes is written in front of them, where there must be
 * JJ_ROW_HEADROOM for it. The bytes are aligned to 8. An array's elements lie
 * without gaps; size and width are bytes.
 */
extern Datum jj_varlena_in_place(void *bytes, uint32 size);
extern Datum jj_text_in_place(void *bytes, uint32 size);
extern Datum jj_inet_in_place(void *bytes, uint32 size);
extern Datum jj_array_in_place(void *bytes, uint32 size, uint32 width, Oid type);

#endif
