/*
 * The worker that reads a capture for jj_row_reader. It has a connection to the
 * database for its encoding alone: it executes nothing, sees no table, and the
 * right to read the file was checked before it was started.
 */
#include "pg/row_reader.h"

#include "access/xact.h"
#include "libpq/pqmq.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define PROGRESS_BYTES (1 << 20)	/* between two messages */
#define LOOK_EVERY 64			/* blocks of the digest, until it is looked whether anybody waits for it */

extern PGDLLEXPORT void jj_row_reader_main(Datum arg);

static shm_mq_handle *queue;
static int64 shown;				/* progress */

static shm_mq *
queue_of(jj_reading *shared)
{
	return (shm_mq *) ((char *) shared + shared->queue);
}

/* The digest that is asked for, of a descriptor of its own; NULL: none, or no longer. */
static struct
{
	jj_digest  *digest;
	jj_reading *to;
} hashing;

static void
put_digest(uint32 state)
{
	hashing.digest = NULL;
	pg_write_barrier();
	pg_atomic_write_u32(&hashing.to->digest_state, state);
	SetLatch(&shm_mq_get_receiver(queue_of(hashing.to))->procLatch);
}

/* Another block of the digest, whether there was something to do. Raises nothing and looks at no interrupts: it may be within a message. */
static bool
hash_block(void)
{
	jj_error	error = {0};
	bool		more = true;

	if (hashing.digest == NULL)
		return false;
	/* what is wrong the other process will find out */
	if (jj_digest_step(hashing.digest, &more, &error) != JJ_OK
		|| (!more && jj_digest_end(hashing.digest, hashing.to->digest, &error) != JJ_OK))
		put_digest(JJ_DIGEST_NONE);
	else if (!more)
		put_digest(JJ_DIGEST_DONE);
	return true;
}

/* A message; the end of this process if nobody wants it any more, or it shall end: then the message is not whole, and no other can follow. */
static void
send_message(shm_mq_iovec *parts, int n, bool flush)
{
	for (;;)
	{
		shm_mq_result result;

		/* or the message of an interrupt would come into the middle of this one */
		HOLD_INTERRUPTS();
		result = jj_shm_mq_sendv(queue, parts, n, flush);
		RESUME_INTERRUPTS();
		if (result == SHM_MQ_SUCCESS)
			return;
		if (result == SHM_MQ_DETACHED)
			proc_exit(0);
		if (ProcDiePending)
			proc_exit(1);
		/* the time of waiting */
		if (hash_block())
			continue;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

static void
send_row(const jj_row *row)
{
	jj_reading_row head;
	shm_mq_iovec parts[] = {
		{(const char *) &head, sizeof(head)},
		{(const char *) row->value, sizeof(row->value)},
		{(const char *) row->arena, row->arena_used},
	};

	memset(&head, 0, sizeof(head));
	head.kind = JJ_READING_ROW;
	head.arena_used = row->arena_used;
	head.present = row->present;
	send_message(parts, row->arena_used > 0 ? 3 : 2, false);
}

static void
send_tuple(HeapTuple tuple)
{
	jj_reading_tuple head;
	shm_mq_iovec parts[] = {
		{(const char *) &head, sizeof(head)},
		{(const char *) tuple->t_data, tuple->t_len},
	};

	memset(&head, 0, sizeof(head));
	head.kind = JJ_READING_TUPLE;
	head.size = tuple->t_len;
	send_message(parts, 2, false);
}

/* Also what finds out, while there are no rows, that nobody waits for them. */
static void
show_progress(void)
{
	jj_reading_progress p;
	shm_mq_iovec part = {(const char *) &p, sizeof(p)};

	if (!PostmasterIsAlive())
		proc_exit(1);
	memset(&p, 0, sizeof(p));
	p.kind = JJ_READING_PROGRESS;
	p.bytes = shown;
	send_message(&part, 1, false);
}

static void
send_progress(int64 bytes)
{
	if (shown > 0 && bytes - shown < PROGRESS_BYTES)
		return;
	shown = bytes;
	show_progress();
}

/* What is left of the digest behind the last flow. */
static void
finish_digest(void)
{
	for (int n = 1; hash_block(); n++)
	{
		CHECK_FOR_INTERRUPTS();
		if (n % LOOK_EVERY == 0)
			show_progress();
	}
}

static void
send_done(const jj_extraction *x)
{
	const Jsonb *skipped = jj_extraction_skipped(x);
	const List *warnings = jj_extraction_warnings(x);
	jj_reading_done head;
	StringInfoData texts;
	shm_mq_iovec parts[] = {
		{(const char *) &head, sizeof(head)},
		{(const char *) skipped, VARSIZE(skipped)},
		{NULL, 0},
	};
	ListCell   *cell;

	memset(&head, 0, sizeof(head));
	head.kind = JJ_READING_DONE;
	head.packets = jj_extraction_packets(x);
	initStringInfo(&texts);
	foreach(cell, warnings)
		appendBinaryStringInfo(&texts, lfirst(cell), (int) strlen(lfirst(cell)) + 1);
	parts[2].data = texts.data;
	parts[2].len = (Size) texts.len;
	send_message(parts, texts.len > 0 ? 3 : 2, true);
}

static const char *
text_of(const jj_reading *shared, Size offset)
{
	return offset == 0 ? NULL : (const char *) shared + offset;
}

static bool
is_same_file(const jj_held_file *file, const jj_reading *shared)
{
	return file->identity.size == shared->size && file->identity.inode == shared->inode && file->modified_ns == shared->modified_ns;
}

/* False: there is another file by now. */
static bool
begin_digest(jj_reading *shared, const jj_source *source)
{
	const jj_held_file *file = jj_held_file_open(source);

	if (!is_same_file(file, shared))
		return false;
	hashing.to = shared;
	hashing.digest = jj_digest_begin(file, source);
	return true;
}

/* All flows that have ended. */
static void
send_flows(jj_extraction *x, const jj_reading *shared, jj_row_plan *plan, MemoryContext memory)
{
	const jj_row *row;

	while ((row = jj_extraction_row(x)) != NULL)
	{
		MemoryContext old;

		if (plan == NULL)
		{
			send_row(row);
			continue;
		}
		old = MemoryContextSwitchTo(memory);
		send_tuple(jj_row_tuple(plan, row, shared->shape.run, shared->run));
		MemoryContextSwitchTo(old);
		MemoryContextReset(memory);
	}
}

static void
read_capture(jj_reading *shared)
{
	const MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay tuple", ALLOCSET_DEFAULT_SIZES);
	jj_row_plan *plan = NULL;
	char		begun[] = {JJ_READING_BEGUN};
	shm_mq_iovec part = {begun, 1};
	jj_source	source = {
		.path = text_of(shared, shared->path),
		.label = text_of(shared, shared->label),
		.name = text_of(shared, shared->name),
		.size = shared->size,
	};
	const jj_held_file *file = jj_held_file_open(&source);
	jj_extraction *x;

	if (!is_same_file(file, shared) || (shared->digests && !begin_digest(shared, &source)))
		return;
	source.fd = &file->fd;
	send_message(&part, 1, true);
	pgstat_report_activity(STATE_RUNNING, psprintf("reading capture \"%s\"", source.label));
	x = jj_extraction_begin(list_make1(&source), text_of(shared, shared->filter), &shared->options, false);
	jj_extraction_report(x, send_progress);
	if (shared->tuples)
		plan = jj_shape_plan(&shared->shape);
	/* what planning has looked up holds no vacuum up */
	InvalidateCatalogSnapshotConditionally();
	do
		send_flows(x, shared, plan, memory);
	while (jj_extraction_step(x));
	send_done(x);
	finish_digest();
	jj_extraction_end(x);
}

void
jj_row_reader_main(Datum arg)
{
	dsm_segment *segment;
	jj_reading *shared;
	shm_mq	   *memory;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);
	shared = dsm_segment_address(segment);
	memory = queue_of(shared);
	shm_mq_set_sender(memory, MyProc);
	queue = shm_mq_attach(memory, segment, NULL);
	BackgroundWorkerInitializeConnectionByOid(shared->database, InvalidOid, 0);
	/* messages go to the process that waits for rows, which logs them */
	pq_redirect_to_shm_mq(segment, queue);
	jj_no_transaction_timeout();
	SetConfigOption("client_min_messages", "notice", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("log_min_messages", "fatal", PGC_SUSET, PGC_S_OVERRIDE);
	StartTransactionCommand();
	PG_TRY();
	{
		read_capture(shared);
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	/* the other process has yet to read what is in the queue: it goes with this process */
}
