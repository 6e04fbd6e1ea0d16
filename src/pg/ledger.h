/*
 * The ledger of captures, joyfuljay.ingest. All functions need a transaction and
 * are part of it. Who calls them has checked what the user may.
 */
#ifndef JJ_LEDGER_H
#define JJ_LEDGER_H

#include "pg/held_file.h"

/* What is ingested, beside its content: path NULL = whichever. */
typedef struct jj_ledger_key
{
	const char *path;			/* as messages show it */
	Oid			target;
	Jsonb	   *settings;		/* {"filter": ..., option: ...}, what changes rows */
} jj_ledger_key;

typedef struct jj_ledger_entry
{
	int64		id;				/* 0: there is none */
	int64		run;
	bool		done;			/* otherwise it is to be gone on with */
	int64		flows;			/* committed */
	bool		same_path;
	bool		same_version;	/* its run was of this library version */
} jj_ledger_entry;

/* Whether this very file, unchanged, is done with (status done or duplicate). */
extern bool jj_ledger_knows(const jj_ledger_key *key, const jj_file_identity *identity);

/* False: for certain no entry has the content of this file, which is not compressed, unless one of a file that is; and none is of its path. */
extern bool jj_ledger_may_know(const jj_ledger_key *key, const jj_file_identity *identity);

/* The entry of this content, whatever its path; digests are JJ_SHA256 bytes. */
extern jj_ledger_entry jj_ledger_content(const jj_ledger_key *key, const uint8 *digest);

/* An entry of the path that is unfinished, with flows, and of other content or settings. */
extern jj_ledger_entry jj_ledger_unfinished(const jj_ledger_key *key, const uint8 *digest);

/* Flows that are in the table from earlier content of the path, with the same settings. */
extern int64 jj_ledger_earlier_flows(const jj_ledger_key *key, const uint8 *digest);

/*
 * An entry for an attempt, status running; id: entry to be used again, 0 = that
 * of the last fruitless attempt of the path, or a new one. identity and digest
 * may be NULL. Returns its number.
 */
extern int64 jj_ledger_begin(const jj_ledger_key *key, int64 id, int64 run, const jj_file_identity *identity, const uint8 *digest);

/* The content of an entry that was begun without a digest. */
extern void jj_ledger_set_content(int64 id, const uint8 digest[JJ_SHA256]);

/* Remove an entry without flows. */
extern void jj_ledger_withdraw(int64 id);

/* A part of so many flows, which made so many rows, goes to the table in this transaction. An error if the entry was removed meanwhile. */
extern void jj_ledger_part(int64 id, int64 flows, int64 rows);

/* All parts are there; warnings are char *. */
extern void jj_ledger_done(int64 id, uint64 packets, Jsonb *skipped, List *warnings);

/* Nothing more of the attempt will be; with changed because the file was written to. */
extern void jj_ledger_failed(int64 id, bool changed, const char *error);

/* The path has the content of entry first. */
extern void jj_ledger_duplicate(const jj_ledger_key *key, int64 first, int64 run, const jj_file_identity *identity, const uint8 digest[JJ_SHA256]);

/* The file of an entry has another identity by now, though the same content. */
extern void jj_ledger_touch(int64 id, const jj_file_identity *identity);

#endif
