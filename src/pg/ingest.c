/*
 * One capture into a table, once.
 *
 * First a transaction for the ledger: which content is it, is it in the table, how
 * far did an earlier attempt get. Then, with an entry that says "running", one
 * transaction for each part of the flows, in which the entry is brought up to
 * date: whatever happens, the entry says which flows are in the table. The order
 * of flows does not change, so one that goes on leaves out as many as there are.
 * Session locks on path and content keep others from the same capture.
 *
 * Where a worker reads, and no entry has the path or a file of that size, the
 * digest is computed beside the first part: that part is written, but not
 * committed, before it is known which content it is. If it turns out to be one of
 * the ledger or of another session, the part is rolled back, and all begins
 * anew with the digest.
 */
#include "pg/ingest.h"
#include "pg/insert.h"
#include "pg/ledger.h"
#include "pg/provenance.h"
#include "pg/row_reader.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

/* Advisory locks of users have 1 or 2 here. */
#define LOCK_OF_PATH 0x6a01
#define LOCK_OF_CONTENT 0x6a02

/* One capture. */
typedef struct attempt
{
	jj_row_source rows;			/* must be first */
	jj_ingest  *in;
	jj_source	source;
	jj_held_file *file;
	jj_ledger_key key;
	bool		compressed;		/* set by find_compression */
	uint8		digest[JJ_SHA256];
	bool		digest_known;
	bool		claimed;		/* the lock of the content is held by claim_content */
	bool		known;			/* claim_content has found that the content is not this attempt's alone */
	int64		id;				/* entry of the ledger, 0: none yet */
	int64		committed;		/* flows */
	int64		limit;			/* flows of this part, 0 = no limit */

	jj_row_reader *reader;
	jj_shape	shape;			/* of the tuples, if it gives any */
	jj_writer  *writer;
	int64		skipped;		/* flows left out, as committed before */
	int64		given;			/* in this part */
	bool		ended;			/* there are no more */
	int64		part_rows;
	bool		fatal;			/* an error now would be one of all captures */
	bool		changed;		/* the file was written to while it was read */
} attempt;

/* ---- rows */

/* Whether there may be another row in this part, before which those that are in the table have been left out. */
static bool
begin_row(attempt *a)
{
	if (a->limit > 0 && a->given >= a->limit)
		return false;
	for (; a->skipped < a->committed; a->skipped++)
		if (!jj_row_reader_skip(a->reader))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("capture \"%s\" gives " INT64_FORMAT " flows, but " INT64_FORMAT " are in the table", a->source.label, a->skipped, a->committed)));
	return true;
}

static void
count_row(attempt *a, bool have)
{
	a->given += have;
	a->ended = !have;
}

static const jj_row *
next_row(jj_row_source *rows)
{
	attempt    *a = (attempt *) rows;
	const jj_row *row;

	if (!begin_row(a))
		return NULL;
	row = jj_row_reader_next(a->reader);
	count_row(a, row != NULL);
	return row;
}

static HeapTuple
next_tuple(jj_row_source *rows)
{
	attempt    *a = (attempt *) rows;
	HeapTuple	tuple;

	if (!begin_row(a))
		return NULL;
	tuple = jj_row_reader_tuple(a->reader);
	count_row(a, tuple != NULL);
	return tuple;
}

/* ---- errors that don't end the transaction */

typedef void (*step) (attempt *a);

/* Do something in a subtransaction. NULL, or the error that it ended with, in the memory of the capture. */
static ErrorData *
try(attempt *a, step what)
{
	const MemoryContext context = a->in->file_context;
	const ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		what(a);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_END_TRY();
	return error;
}

/* Whether the next capture would have the same error. */
static bool
concerns_all(const attempt *a, const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_TRANSACTION_STATE):
			return true;
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
			return error->sqlerrcode != ERRCODE_OUT_OF_MEMORY;
		default:
			return a->fatal;
	}
}

/* ---- locks of the session */

static uint64
path_hash(const attempt *a)
{
	return hash_bytes_extended((const unsigned char *) a->source.path, (int) strlen(a->source.path), 0);
}

static uint64
content_hash(const attempt *a)
{
	return hash_bytes_extended(a->digest, JJ_SHA256, 0);
}

static LOCKTAG
lock_tag(const attempt *a, uint16 kind, uint64 hash)
{
	LOCKTAG		tag;

	hash = hash_combine64(hash, hash_bytes_uint32_extended(a->key.target, 0));
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, kind);
	return tag;
}

/* False: another session has it. */
static bool
lock(const LOCKTAG *tag)
{
	return LockAcquire(tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

static void
unlock(const LOCKTAG *tag)
{
	(void) LockRelease(tag, ExclusiveLock, true);
}

/* Do something with a lock, unless another session has it. */
static jj_outcome
with_lock(attempt *a, uint16 kind, uint64 hash, jj_outcome (*what) (attempt *a))
{
	const LOCKTAG tag = lock_tag(a, kind, hash);
	volatile jj_outcome outcome = JJ_BUSY;

	if (!lock(&tag))
	{
		ereport(NOTICE,
				(errmsg("capture \"%s\" is being ingested by another session", a->source.label)));
		a->in->order.commit();
		return outcome;
	}
	PG_TRY();
	{
		outcome = what(a);
	}
	PG_FINALLY();
	{
		unlock(&tag);
	}
	PG_END_TRY();
	return outcome;
}

/* ---- what is it */

/* The run begins with the first capture that is not known. */
static int64
run_number(jj_ingest *in)
{
	const jj_run run = {
		.kind = in->order.kind,
		.name = in->order.name,
		.source = in->order.source,
		.filter = in->order.filter,
		.options = jj_options_to_jsonb(&in->order.options, false),
		.target = in->target_name,
	};

	if (in->run == 0)
		in->run = jj_run_begin(&run);
	return in->run;
}

static void
open_file(attempt *a)
{
	a->file = jj_held_file_open(&a->source);
	a->source.fd = &a->file->fd;
	a->source.size = a->file->identity.size;
}

static void
digest_file(attempt *a)
{
	jj_held_file_digest(a->file, &a->source, a->digest);
	a->digest_known = true;
}

static void
check_resumable(const attempt *a, const jj_ledger_entry *e)
{
	if (e->flows > 0 && !e->same_version)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg(INT64_FORMAT " flows of capture \"%s\" were ingested by another version of the library, in run " INT64_FORMAT, e->flows, a->source.label, e->run),
				 errhint("Delete the rows of that run and capture, then call jj_ingest_forget, and ingest it again.")));
}

/* Another content, or other settings, of which a part is in the table, must be done away with first. */
static void
check_unfinished(attempt *a)
{
	const jj_ledger_entry e = jj_ledger_unfinished(&a->key, a->digest);

	if (e.id != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("capture \"%s\" or its settings have changed since run " INT64_FORMAT " ingested " INT64_FORMAT " flows of it, not all", a->source.label, e.run, e.flows),
				 errhint("Delete the rows of that run and capture, then call jj_ingest_forget, and ingest it again; or finish that run with its capture and settings.")));
}

/* ---- parts */

/* With an error, so that what this subtransaction did is undone. */
static void
refuse_changed(attempt *a)
{
	a->changed = true;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("capture \"%s\" was written to while it was read", a->source.label)));
}

/* What reads: another one if the table is no longer of the form that its tuples have. */
static void
prepare_reader(attempt *a, const jj_target *target)
{
	const jj_ingest *in = a->in;
	jj_call_options options = in->order.options;
	jj_shape	shape;
	const bool	shaped = jj_writer_shape(target, &shape);

	if (a->reader != NULL)
	{
		if (!jj_row_reader_gives_tuples(a->reader) || (shaped && memcmp(&shape, &a->shape, sizeof(shape)) == 0))
			return;
		jj_row_reader_end(a->reader);
		a->reader = NULL;
		a->skipped = 0;
	}
	if (shaped)
		a->shape = shape;
	jj_target_limit(target, &options.engine);
	a->reader = jj_row_reader_begin(&a->source, a->file, in->order.filter, &options, in->order.target, shaped ? &a->shape : NULL, in->run,
									!a->digest_known, in->order.check);
	a->rows.shape = jj_row_reader_gives_tuples(a->reader) ? &a->shape : NULL;
}

/* The target, and what reads and writes. */
static void
prepare_part(attempt *a)
{
	const jj_ingest *in = a->in;
	jj_target  *target;

	a->fatal = true;
	/* it may be dropped as long as it is not locked */
	LockRelationOid(in->order.target, RowExclusiveLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(in->order.target)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s has been dropped", in->target_name)));
	target = jj_target_open(in->order.target);
	a->fatal = false;
	if (a->writer == NULL)
		a->writer = jj_writer_begin(target);
	prepare_reader(a, target);
}

static void
check_deferred_constraints(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) < 0)
		elog(ERROR, "could not check deferred constraints");
	SPI_finish();
}

static void
release_content(attempt *a)
{
	const LOCKTAG tag = lock_tag(a, LOCK_OF_CONTENT, content_hash(a));

	if (a->claimed)
		unlock(&tag);
	a->claimed = false;
}

/* With the first part written: its content, locked and entered. An error, so that this subtransaction is undone, if the content is known. */
static void
claim_content(attempt *a)
{
	LOCKTAG		tag;

	if (jj_row_reader_digest(a->reader, a->digest))
		a->digest_known = true;
	else
		digest_file(a);
	if (jj_held_file_written(a->file, &a->source))
		refuse_changed(a);
	tag = lock_tag(a, LOCK_OF_CONTENT, content_hash(a));
	a->claimed = lock(&tag);
	/* each query sees what the last holder of the lock has committed: this is READ COMMITTED */
	if (!a->claimed || jj_ledger_content(&a->key, a->digest).id != 0)
	{
		release_content(a);
		a->known = true;
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("content of capture \"%s\" is not new", a->source.label)));
	}
	jj_ledger_set_content(a->id, a->digest);
}

static void
write_part(attempt *a)
{
	prepare_part(a);
	a->given = 0;
	a->part_rows = (int64) jj_writer_write(a->writer, &a->rows, a->in->run);
	/* what would fail at commit fails here, where it can be put into the ledger */
	check_deferred_constraints();
	if (!a->digest_known)
		claim_content(a);
	else if (jj_held_file_written(a->file, &a->source))
		refuse_changed(a);
	jj_ledger_part(a->id, a->given, a->part_rows);
	if (a->ended)
	{
		const jj_reading_totals t = jj_row_reader_totals(a->reader);

		jj_ledger_done(a->id, t.packets, t.skipped, t.warnings);
	}
}

/* ---- outcomes */

static jj_outcome
failed(attempt *a, ErrorData *error)
{
	jj_ingest  *in = a->in;
	/* what else went wrong may have come of it */
	const bool	changed = a->changed || (a->file != NULL && jj_held_file_written(a->file, &a->source));

	if (a->id == 0)
		a->id = jj_ledger_begin(&a->key, 0, run_number(in), a->file != NULL ? &a->file->identity : NULL, NULL);
	jj_ledger_failed(a->id, changed, error->message);
	in->order.commit();
	if (concerns_all(a, error))
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 strstr(error->message, a->source.label) != NULL ? errmsg("%s", error->message) : errmsg("capture \"%s\": %s", a->source.label, error->message),
			 error->detail != NULL ? errdetail("%s", error->detail) : 0,
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
	return changed ? JJ_CHANGED : JJ_FAILED;
}

/* With an entry of its own, and the content locked if its digest is known. */
static jj_outcome
ingest_parts(attempt *a)
{
	while (!a->ended)
	{
		ErrorData  *error = try(a, write_part);

		if (error != NULL && a->known)
			return JJ_KNOWN;
		if (error != NULL)
			return failed(a, error);
		a->committed += a->given;
		a->skipped += a->given;
		a->in->rows += (uint64) a->part_rows;
		a->in->order.commit();
	}
	jj_row_reader_end(a->reader);
	return JJ_INGESTED;
}

static void
make_entry(attempt *a)
{
	jj_ledger_entry e = jj_ledger_content(&a->key, a->digest);
	int64		earlier;

	check_resumable(a, &e);
	check_unfinished(a);
	earlier = jj_ledger_earlier_flows(&a->key, a->digest);
	if (earlier > 0)
		ereport(NOTICE,
				(errmsg("capture \"%s\" has changed since " INT64_FORMAT " flows of it were ingested, and is ingested again, all of it", a->source.label, earlier)));
	if (e.flows > 0)
		ereport(NOTICE,
				(errmsg("going on with capture \"%s\" behind its first " INT64_FORMAT " flows", a->source.label, e.flows)));
	a->committed = e.flows;
	a->id = jj_ledger_begin(&a->key, e.id, a->in->run, &a->file->identity, a->digest);
}

static jj_outcome
ingest_content(attempt *a)
{
	jj_ingest  *in = a->in;
	jj_ledger_entry e;
	ErrorData  *error;

	/* what the last holder of the lock has committed is to be seen */
	in->order.commit();
	e = jj_ledger_content(&a->key, a->digest);
	if (e.done && e.same_path)
	{
		jj_ledger_touch(e.id, &a->file->identity);
		in->order.commit();
		return JJ_KNOWN;
	}
	if (e.done)
	{
		jj_ledger_duplicate(&a->key, e.id, run_number(in), &a->file->identity, a->digest);
		in->order.commit();
		return JJ_DUPLICATE;
	}
	/* not in the subtransaction, since it goes on behind an error */
	(void) run_number(in);
	error = try(a, make_entry);
	if (error != NULL)
		return failed(a, error);
	in->order.commit();
	return ingest_parts(a);
}

/* With the digest. */
static jj_outcome
ingest_digested(attempt *a)
{
	return with_lock(a, LOCK_OF_CONTENT, content_hash(a), ingest_content);
}

static void
make_entry_without_digest(attempt *a)
{
	a->id = jj_ledger_begin(&a->key, 0, a->in->run, &a->file->identity, NULL);
}

/* A content that seems to be new, its digest computed beside the first part. */
static jj_outcome
ingest_undigested(attempt *a)
{
	volatile jj_outcome outcome = JJ_FAILED;
	ErrorData  *error;

	(void) run_number(a->in);
	error = try(a, make_entry_without_digest);
	if (error != NULL)
		return failed(a, error);
	a->in->order.commit();
	PG_TRY();
	{
		outcome = ingest_parts(a);
	}
	PG_FINALLY();
	{
		release_content(a);
	}
	PG_END_TRY();
	if (!a->known)
		return outcome;
	a->known = false;
	jj_row_reader_end(a->reader);
	a->reader = NULL;
	a->ended = false;
	jj_ledger_withdraw(a->id);
	a->id = 0;
	return ingest_digested(a);
}

static void
find_compression(attempt *a)
{
	a->compressed = jj_held_file_compressed(a->file, &a->source);
}

/* With the path locked. */
static jj_outcome
ingest_path(attempt *a)
{
	ErrorData  *error = try(a, open_file);

	if (error != NULL)
		return failed(a, error);
	if (jj_ledger_knows(&a->key, &a->file->identity))
	{
		a->in->order.commit();
		return JJ_KNOWN;
	}
	if (jj_row_reader_wants_worker(&a->source) && !IsolationUsesXactSnapshot() && !jj_ledger_may_know(&a->key, &a->file->identity))
	{
		error = try(a, find_compression);
		if (error != NULL)
			return failed(a, error);
		if (!a->compressed)
			return ingest_undigested(a);
	}
	error = try(a, digest_file);
	if (error == NULL && jj_held_file_written(a->file, &a->source))
		error = try(a, refuse_changed);
	if (error != NULL)
		return failed(a, error);
	return ingest_digested(a);
}

jj_outcome
jj_ingest_file(jj_ingest *in, const jj_source *source)
{
	const MemoryContext old = MemoryContextSwitchTo(in->file_context);
	attempt    *a;
	jj_outcome	outcome;

	CHECK_FOR_INTERRUPTS();
	a = palloc0(sizeof(attempt));
	a->rows.next = next_row;
	a->rows.next_tuple = next_tuple;
	a->in = in;
	a->source = *source;
	a->key.path = source->label;
	a->key.target = in->order.target;
	a->key.settings = in->settings;
	a->limit = in->order.commit_rows;
	outcome = with_lock(a, LOCK_OF_PATH, path_hash(a), ingest_path);
	in->count[outcome]++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(in->file_context);
	return outcome;
}

/* ---- begin and end */

/* Key of the ledger: the filter, and the options that make other rows. */
static Jsonb *
settings_of(const jj_ingest_order *order)
{
	Jsonb	   *options = jj_options_to_jsonb(&order->options, true);
	JsonbParseState *state = NULL;
	JsonbValue	key = {.type = jbvString};
	JsonbValue	value = {.type = jbvString};
	JsonbValue	options_value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (order->filter != NULL)
	{
		key.val.string.val = pstrdup("filter");
		key.val.string.len = (int) strlen("filter");
		pushJsonbValue(&state, WJB_KEY, &key);
		value.val.string.val = unconstify(char *, order->filter);
		value.val.string.len = (int) strlen(order->filter);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	if (JB_ROOT_COUNT(options) > 0)
	{
		key.val.string.val = pstrdup("options");
		key.val.string.len = (int) strlen("options");
		pushJsonbValue(&state, WJB_KEY, &key);
		options_value.type = jbvBinary;
		options_value.val.binary.data = &options->root;
		options_value.val.binary.len = VARSIZE(options) - VARHDRSZ;
		pushJsonbValue(&state, WJB_VALUE, &options_value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

jj_ingest *
jj_ingest_begin(const jj_ingest_order *order)
{
	jj_ingest  *in = palloc0(sizeof(jj_ingest));
	jj_target  *target;
	jj_call_options filter_only;

	if (order->options.keep_flows)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"continue\" must be off, since each capture is ingested by itself"),
				 errhint("INSERT ... SELECT from jj_extract with an array of captures lets flows go on from one to the next.")));
	in->order = *order;
	in->context = CurrentMemoryContext;
	target = jj_target_open(order->target);
	in->target_name = target->name;
	/* which columns are computed is no matter of rows, but of the table */
	jj_target_limit(target, &in->order.options.engine);
	in->settings = settings_of(order);
	/* the filter's errors; what a capture's columns give rise to is said of each capture */
	filter_only = in->order.options;
	memset(&filter_only.engine.features, 0, sizeof(filter_only.engine.features));
	jj_extraction_end(jj_extraction_begin(NIL, order->filter, &filter_only, false));
	in->file_context = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay capture", ALLOCSET_DEFAULT_SIZES);
	return in;
}

void
jj_ingest_end(jj_ingest *in)
{
	if (in->run != 0)
		jj_run_finish(in->run);
}
