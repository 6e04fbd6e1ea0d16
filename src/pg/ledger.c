/*
 * The ledger of captures.
 */
#include "pg/ledger.h"
#include "pg/provenance.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(jj_ingest_forget);

#define SAME_PATH "target = $2 AND hashtextextended(path, 0) = hashtextextended($1, 0) AND path = $1"
#define SAME_SETTINGS "hashtextextended(settings::text, 0) = hashtextextended($3::text, 0) AND settings = $3"

/* Parameters: $1 path, $2 target, $3 settings, $4 SHA-256, $5 to $8 size, modified, changed and inode, $9 and $10 two numbers. */
#define PARAMETERS 10

typedef struct parameters
{
	Datum		values[PARAMETERS];
	bool		nulls[PARAMETERS];
} parameters;

static const Oid parameter_types[PARAMETERS] = {
	TEXTOID, REGCLASSOID, JSONBOID, BYTEAOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID
};

static void
set(parameters *p, int number, Datum value)
{
	p->values[number - 1] = value;
	p->nulls[number - 1] = false;
}

static parameters
parameters_of(const jj_ledger_key *key, const jj_file_identity *identity, const uint8 *digest)
{
	parameters	p;

	memset(&p, 0, sizeof(p));
	memset(p.nulls, true, sizeof(p.nulls));
	set(&p, 1, CStringGetTextDatum(key->path));
	set(&p, 2, ObjectIdGetDatum(key->target));
	set(&p, 3, JsonbPGetDatum(key->settings));
	if (digest != NULL)
		set(&p, 4, jj_bytea_datum(digest, JJ_SHA256));
	if (identity != NULL)
	{
		set(&p, 5, Int64GetDatum(identity->size));
		set(&p, 6, TimestampTzGetDatum(identity->modified));
		set(&p, 7, TimestampTzGetDatum(identity->changed));
		set(&p, 8, Int64GetDatum(identity->inode));
	}
	return p;
}

static bool
query(const char *sql, const parameters *p, int columns, int64 *result)
{
	return jj_owner_query(sql, PARAMETERS, parameter_types, p->values, p->nulls, columns, result);
}

bool
jj_ledger_knows(const jj_ledger_key *key, const jj_file_identity *identity)
{
	const parameters p = parameters_of(key, identity, NULL);

	return query("SELECT ingest FROM joyfuljay.ingest WHERE " SAME_PATH " AND " SAME_SETTINGS
				 " AND status IN ('done', 'duplicate') AND size = $5 AND modified = $6 AND changed = $7 AND inode = $8 LIMIT 1", &p, 0, NULL);
}

bool
jj_ledger_may_know(const jj_ledger_key *key, const jj_file_identity *identity)
{
	const parameters p = parameters_of(key, identity, NULL);

	return query("SELECT ingest FROM joyfuljay.ingest WHERE " SAME_PATH " AND sha256 IS NOT NULL "
				 "UNION ALL SELECT ingest FROM joyfuljay.ingest WHERE target = $2 AND size = $5 AND sha256 IS NOT NULL LIMIT 1", &p, 0, NULL);
}

jj_ledger_entry
jj_ledger_content(const jj_ledger_key *key, const uint8 *digest)
{
	const parameters p = parameters_of(key, NULL, digest);
	jj_ledger_entry e = {0};
	int64		v[6];

	if (!query("SELECT i.ingest, i.run, (status = 'done')::int::bigint, flows, (path = $1)::int::bigint, (version = '" JJ_VERSION "')::int::bigint "
			   "FROM joyfuljay.ingest i JOIN joyfuljay.run r ON r.run = i.run "
			   "WHERE i.target = $2 AND sha256 = $4 AND hashtextextended(i.settings::text, 0) = hashtextextended($3::text, 0) "
			   "AND i.settings = $3 AND status NOT IN ('duplicate', 'changed')", &p, lengthof(v), v))
		return e;
	e.id = v[0];
	e.run = v[1];
	e.done = v[2] != 0;
	e.flows = v[3];
	e.same_path = v[4] != 0;
	e.same_version = v[5] != 0;
	return e;
}

jj_ledger_entry
jj_ledger_unfinished(const jj_ledger_key *key, const uint8 *digest)
{
	const parameters p = parameters_of(key, NULL, digest);
	jj_ledger_entry e = {0};
	int64		v[3];

	if (!query("SELECT ingest, run, flows FROM joyfuljay.ingest WHERE " SAME_PATH " AND status IN ('running', 'error') AND flows > 0 "
			   "AND (sha256 <> $4 OR settings <> $3) ORDER BY ingest DESC LIMIT 1", &p, lengthof(v), v))
		return e;
	e.id = v[0];
	e.run = v[1];
	e.flows = v[2];
	return e;
}

int64
jj_ledger_earlier_flows(const jj_ledger_key *key, const uint8 *digest)
{
	const parameters p = parameters_of(key, NULL, digest);
	int64		flows = 0;

	(void) query("SELECT sum(flows)::bigint FROM joyfuljay.ingest WHERE " SAME_PATH " AND " SAME_SETTINGS " AND status = 'done' AND sha256 <> $4",
				 &p, 1, &flows);
	return flows;
}

int64
jj_ledger_begin(const jj_ledger_key *key, int64 id, int64 run, const jj_file_identity *identity, const uint8 *digest)
{
	parameters	p = parameters_of(key, identity, digest);

	if (id == 0)
		(void) query("SELECT ingest FROM joyfuljay.ingest WHERE " SAME_PATH " AND " SAME_SETTINGS
					 " AND status NOT IN ('done', 'duplicate') AND flows = 0 ORDER BY ingest DESC LIMIT 1", &p, 1, &id);
	set(&p, 9, Int64GetDatum(run));
	if (id != 0)
	{
		set(&p, 10, Int64GetDatum(id));
		(void) query("UPDATE joyfuljay.ingest SET run = $9, path = $1, size = $5, modified = $6, changed = $7, inode = $8, sha256 = $4, "
					 "status = 'running', error = NULL, packets = NULL, skipped = NULL, warnings = NULL, started = clock_timestamp(), finished = NULL "
					 "WHERE ingest = $10", &p, 0, NULL);
		return id;
	}
	if (!query("INSERT INTO joyfuljay.ingest (run, path, size, modified, changed, inode, sha256, target, settings, status) "
			   "VALUES ($9, $1, $5, $6, $7, $8, $4, $2, $3, 'running') RETURNING ingest", &p, 1, &id))
		elog(ERROR, "could not make an entry in joyfuljay.ingest");
	return id;
}

void
jj_ledger_part(int64 id, int64 flows, int64 rows)
{
	const Oid	types[] = {INT8OID, INT8OID, INT8OID};
	const Datum values[] = {Int64GetDatum(id), Int64GetDatum(flows), Int64GetDatum(rows)};

	int64		same;

	if (!jj_owner_query("UPDATE joyfuljay.ingest SET flows = flows + $2, rows = rows + $3, parts = parts + 1 WHERE ingest = $1 RETURNING ingest",
						lengthof(types), types, values, NULL, 1, &same))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("entry " INT64_FORMAT " of joyfuljay.ingest has been removed", id)));
}

void
jj_ledger_set_content(int64 id, const uint8 digest[JJ_SHA256])
{
	const Oid	types[] = {INT8OID, BYTEAOID};
	const Datum values[] = {Int64GetDatum(id), jj_bytea_datum(digest, JJ_SHA256)};

	(void) jj_owner_query("UPDATE joyfuljay.ingest SET sha256 = $2 WHERE ingest = $1", lengthof(types), types, values, NULL, 0, NULL);
}

void
jj_ledger_withdraw(int64 id)
{
	const Oid	types[] = {INT8OID};
	const Datum values[] = {Int64GetDatum(id)};

	(void) jj_owner_query("DELETE FROM joyfuljay.ingest WHERE ingest = $1", lengthof(types), types, values, NULL, 0, NULL);
}

static Datum
text_array(List *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * (size_t) list_length(texts));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, texts)
		elements[n++] = CStringGetTextDatum((const char *) lfirst(cell));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

void
jj_ledger_done(int64 id, uint64 packets, Jsonb *skipped, List *warnings)
{
	const Oid	types[] = {INT8OID, INT8OID, JSONBOID, TEXTARRAYOID};
	const bool	nulls[] = {false, false, false, warnings == NIL};
	const Datum values[] = {Int64GetDatum(id), Int64GetDatum((int64) packets), JsonbPGetDatum(skipped), warnings == NIL ? (Datum) 0 : text_array(warnings)};

	(void) jj_owner_query("UPDATE joyfuljay.ingest SET status = 'done', error = NULL, packets = $2, skipped = $3, warnings = $4, finished = clock_timestamp() "
						  "WHERE ingest = $1", lengthof(types), types, values, nulls, 0, NULL);
}

void
jj_ledger_failed(int64 id, bool changed, const char *error)
{
	const Oid	types[] = {INT8OID, TEXTOID, TEXTOID};
	const Datum values[] = {Int64GetDatum(id), CStringGetTextDatum(changed ? "changed" : "error"), CStringGetTextDatum(error)};

	/* an entry with flows stays one of its content */
	(void) jj_owner_query("UPDATE joyfuljay.ingest SET status = CASE WHEN flows > 0 THEN 'error' ELSE $2 END, error = $3, finished = clock_timestamp() "
						  "WHERE ingest = $1", lengthof(types), types, values, NULL, 0, NULL);
}

void
jj_ledger_duplicate(const jj_ledger_key *key, int64 first, int64 run, const jj_file_identity *identity, const uint8 digest[JJ_SHA256])
{
	parameters	p = parameters_of(key, identity, digest);

	set(&p, 9, Int64GetDatum(run));
	set(&p, 10, Int64GetDatum(first));
	/* also instead of a fruitless attempt or an earlier duplicate */
	(void) query("DELETE FROM joyfuljay.ingest WHERE " SAME_PATH " AND " SAME_SETTINGS
				 " AND (status = 'duplicate' OR status <> 'done' AND flows = 0) AND ingest <> $10", &p, 0, NULL);
	(void) query("INSERT INTO joyfuljay.ingest (run, path, size, modified, changed, inode, sha256, target, settings, status, duplicate_of, finished) "
				 "VALUES ($9, $1, $5, $6, $7, $8, $4, $2, $3, 'duplicate', $10, clock_timestamp())", &p, 0, NULL);
}

void
jj_ledger_touch(int64 id, const jj_file_identity *identity)
{
	const Oid	types[] = {INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID};
	const Datum values[] = {Int64GetDatum(id), Int64GetDatum(identity->size), TimestampTzGetDatum(identity->modified),
	TimestampTzGetDatum(identity->changed), Int64GetDatum(identity->inode)};

	(void) jj_owner_query("UPDATE joyfuljay.ingest SET size = $2, modified = $3, changed = $4, inode = $5 WHERE ingest = $1",
						  lengthof(types), types, values, NULL, 0, NULL);
}

Datum
jj_ingest_forget(PG_FUNCTION_ARGS)
{
	const Oid	target = PG_GETARG_OID(1);
	const Oid	types[] = {TEXTOID, REGCLASSOID};
	const Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	char	   *name = get_rel_name(target);
	int64		n = 0;

	PreventCommandIfReadOnly("jj_ingest_forget");
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", target)));
	if (pg_class_aclcheck(target, GetUserId(), ACL_DELETE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(target)), name);
	(void) jj_owner_query("WITH gone AS (DELETE FROM joyfuljay.ingest WHERE " SAME_PATH " OR duplicate_of IN "
						  "(SELECT ingest FROM joyfuljay.ingest WHERE " SAME_PATH ") RETURNING 1) SELECT count(*) FROM gone",
						  lengthof(types), types, values, NULL, 1, &n);
	PG_RETURN_INT64(n);
}
