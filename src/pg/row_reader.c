/*
 * The flows of a capture, from a worker of its own or read here.
 */
#include "pg/row_reader.h"

#include "access/htup_details.h"
#include "commands/progress.h"
#include "libpq/pqmq.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "pg/graph.h"
#include "storage/dsm.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#define QUEUE_SIZE ((Size) 1 << 20)
#define WAIT_MS 100				/* until check is called again */

struct jj_row_reader
{
	void		(*check) (void);
	jj_extraction *extraction;	/* NULL: a worker reads */
	jj_reading_totals totals;

	/* of a worker */
	MemoryContext context;
	MemoryContextCallback callback;
	dsm_segment *segment;		/* NULL: none, or no longer */
	BackgroundWorkerHandle *handle;
	shm_mq_handle *queue;
	bool		tuples;			/* what it gives */
	bool		shows_progress;
	bool		done;
	int64		rows;
	jj_row		row;
};

static void
detach(void *arg)
{
	jj_row_reader *r = arg;

	if (r->segment != NULL)
		dsm_detach(r->segment);
	r->segment = NULL;
}

/* ---- start of a worker */

bool
jj_row_reader_wants_worker(const jj_source *source)
{
	return IsUnderPostmaster && max_parallel_workers_per_gather > 0 && max_parallel_workers > 0
		&& source->size / BLCKSZ >= min_parallel_table_scan_size;
}

/* Put a text into the memory, and its offset into *at. */
static void
put_text(jj_reading *shared, Size *at, const char *text, Size *used)
{
	if (text == NULL)
		return;
	*at = *used;
	strcpy((char *) shared + *used, text);
	*used += strlen(text) + 1;
}

static Size
text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

/* Shared memory with what the worker needs, options and shape excepted; NULL if there are too many segments of it. */
static jj_reading *
make_shared(jj_row_reader *r, const jj_source *source, const jj_held_file *file, const char *filter)
{
	const Size	queue = BUFFERALIGN(sizeof(jj_reading) + text_size(source->path) + text_size(source->label) + text_size(source->name) + text_size(filter));
	Size		used = sizeof(jj_reading);
	jj_reading *shared;

	r->segment = dsm_create(queue + QUEUE_SIZE, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (r->segment == NULL)
		return NULL;
	/* beyond this transaction */
	dsm_pin_mapping(r->segment);
	shared = dsm_segment_address(r->segment);
	memset(shared, 0, sizeof(*shared));
	shared->database = MyDatabaseId;
	shared->size = file->identity.size;
	shared->inode = file->identity.inode;
	shared->modified_ns = file->modified_ns;
	put_text(shared, &shared->path, source->path, &used);
	put_text(shared, &shared->label, source->label, &used);
	put_text(shared, &shared->name, source->name, &used);
	put_text(shared, &shared->filter, filter, &used);
	shared->queue = queue;
	pg_atomic_init_u32(&shared->digest_state, JJ_DIGEST_AWAITED);
	return shared;
}

static BackgroundWorkerHandle *
register_worker(const jj_row_reader *r)
{
	BackgroundWorker w;
	BackgroundWorkerHandle *handle;

	memset(&w, 0, sizeof(w));
	strlcpy(w.bgw_name, "joyfuljay reader", BGW_MAXLEN);
	strlcpy(w.bgw_type, "joyfuljay reader", BGW_MAXLEN);
	w.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION | BGWORKER_CLASS_PARALLEL;
	w.bgw_start_time = BgWorkerStart_ConsistentState;
	w.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(w.bgw_library_name, "joyfuljay", sizeof(w.bgw_library_name));
	strlcpy(w.bgw_function_name, "jj_row_reader_main", BGW_MAXLEN);
	w.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(r->segment));
	w.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&w, &handle) ? handle : NULL;
}

static void
wait_for_worker(const jj_row_reader *r)
{
	if (r->check != NULL)
		r->check();
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

/* The next message from the worker, NULL if it is gone. */
static const char *
receive(jj_row_reader *r, Size *size)
{
	void	   *message;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		switch (shm_mq_receive(r->queue, size, &message, true))
		{
			case SHM_MQ_SUCCESS:
				return message;
			case SHM_MQ_DETACHED:
				return NULL;
			case SHM_MQ_WOULD_BLOCK:
				break;
		}
		wait_for_worker(r);
	}
}

/* Start a worker with what is in the shared memory; whether it has begun to read the file. */
static bool
start_worker(jj_row_reader *r, jj_reading *shared)
{
	shm_mq	   *queue = shm_mq_create((char *) shared + shared->queue, QUEUE_SIZE);
	const char *message = NULL;
	Size		size;

	shm_mq_set_receiver(queue, MyProc);
	r->handle = register_worker(r);
	if (r->handle != NULL)
	{
		r->queue = shm_mq_attach(queue, r->segment, r->handle);
		message = receive(r, &size);
	}
	if (message != NULL && size == 1 && message[0] == JJ_READING_BEGUN)
		return true;
	/* whatever is wrong: if it is not the worker's alone, it will happen here as well */
	detach(r);
	return false;
}

static void
show_progress(jj_row_reader *r, const jj_source *source, const jj_call_options *options, Oid target)
{
	r->shows_progress = jj_progress_begin(source->size * (jj_first_pass_needed(&options->engine.features) ? 2 : 1), target);
}

jj_row_reader *
jj_row_reader_begin(jj_source *source, const jj_held_file *file, const char *filter, const jj_call_options *options, Oid target,
					const jj_shape *shape, int64 run, bool digest, void (*check) (void))
{
	jj_row_reader *r = palloc0(sizeof(jj_row_reader));
	const jj_allocator allocator = jj_context_allocator(CurrentMemoryContext);

	r->check = check;
	r->context = CurrentMemoryContext;
	r->callback.func = detach;
	r->callback.arg = r;
	MemoryContextRegisterResetCallback(r->context, &r->callback);
	if (jj_row_reader_wants_worker(source))
	{
		jj_reading *shared = make_shared(r, source, file, filter);

		r->tuples = shape != NULL;
		if (shared != NULL)
		{
			shared->options = *options;
			shared->tuples = shape != NULL;
			if (shape != NULL)
				shared->shape = *shape;
			shared->run = run;
			shared->digests = digest;
		}
		if (shared != NULL && start_worker(r, shared))
		{
			jj_row_init(&r->row, &options->engine.features, &allocator);
			show_progress(r, source, options, target);
			return r;
		}
	}
	r->extraction = jj_extraction_begin(list_make1(source), filter, options, false);
	jj_extraction_target(r->extraction, target);
	return r;
}

/* ---- messages */

static void
malformed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("malformed message of the process that reads a capture")));
}

static void
count_row(jj_row_reader *r)
{
	if (++r->rows % 1024 != 0)
		return;
	if (r->shows_progress)
		pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, r->rows);
	/* as long as there are rows, nothing else does */
	if (r->check != NULL)
		r->check();
}

static void
take_row(jj_row_reader *r, const char *message, Size size)
{
	jj_reading_row head;

	if (size < sizeof(head) + sizeof(r->row.value))
		malformed();
	memcpy(&head, message, sizeof(head));
	message += sizeof(head);
	if (size != sizeof(head) + sizeof(r->row.value) + head.arena_used)
		malformed();
	if (head.arena_used > r->row.arena_size && !jj_row_grow(&r->row, head.arena_used))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed on a row of %u bytes.", head.arena_used)));
	r->row.present = head.present;
	memcpy(r->row.value, message, sizeof(r->row.value));
	r->row.arena_used = head.arena_used;
	if (head.arena_used > 0)
		memcpy(r->row.arena, message + sizeof(r->row.value), head.arena_used);
}

static HeapTuple
take_tuple(const char *message, Size size)
{
	jj_reading_tuple head;
	HeapTuple	tuple;

	if (size < sizeof(head) + SizeofHeapTupleHeader)
		malformed();
	memcpy(&head, message, sizeof(head));
	if (size != sizeof(head) + head.size)
		malformed();
	tuple = palloc(HEAPTUPLESIZE + head.size);
	tuple->t_len = head.size;
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
	memcpy(tuple->t_data, message + sizeof(head), head.size);
	return tuple;
}

static void
take_progress(const jj_row_reader *r, const char *message, Size size)
{
	jj_reading_progress p;

	if (size != sizeof(p))
		malformed();
	memcpy(&p, message, sizeof(p));
	if (r->shows_progress)
		pgstat_progress_update_param(PROGRESS_COPY_BYTES_PROCESSED, p.bytes);
}

static void
take_totals(jj_row_reader *r, const char *message, Size size)
{
	const char *const end = message + size;
	jj_reading_done head;
	uint32		skipped;
	MemoryContext old;

	if (size < sizeof(head) + VARHDRSZ)
		malformed();
	memcpy(&head, message, sizeof(head));
	message += sizeof(head);
	memcpy(&skipped, message, sizeof(skipped));
	skipped = (uint32) VARSIZE(&skipped);
	if (skipped < VARHDRSZ || skipped > (Size) (end - message))
		malformed();
	old = MemoryContextSwitchTo(r->context);
	r->totals.packets = head.packets;
	r->totals.skipped = memcpy(palloc(skipped), message, skipped);
	for (message += skipped; message < end; message += strlen(message) + 1)
	{
		if (memchr(message, '\0', (Size) (end - message)) == NULL)
			malformed();
		r->totals.warnings = lappend(r->totals.warnings, pstrdup(message));
	}
	MemoryContextSwitchTo(old);
	r->done = true;
}

/* Raise what the worker has. */
static void
take_report(const char *message, Size size)
{
	StringInfoData text;
	ErrorData	report;

	initStringInfo(&text);
	appendBinaryStringInfo(&text, message + 1, (int) size - 1);
	pq_parse_errornotice(&text, &report);
	/* an end of the worker is none of this process */
	report.elevel = Min(report.elevel, ERROR);
	ThrowErrorData(&report);
	pfree(text.data);
}

/* The worker's message with the next flow, NULL behind the last. */
static const char *
next_of_worker(jj_row_reader *r, Size *size)
{
	while (!r->done)
	{
		const char *message = receive(r, size);

		if (message == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the process that reads a capture has ended"),
					 errhint("The server's log may say why.")));
		switch (message[0])
		{
			case JJ_READING_ROW:
			case JJ_READING_TUPLE:
				if ((message[0] == JJ_READING_TUPLE) != r->tuples)
					malformed();
				count_row(r);
				return message;
			case JJ_READING_PROGRESS:
				take_progress(r, message, *size);
				break;
			case JJ_READING_DONE:
				take_totals(r, message, *size);
				break;
			case 'E':
			case 'N':
				take_report(message, *size);
				break;
			default:
				malformed();
		}
	}
	return NULL;
}

static const jj_row *
next_read_here(jj_row_reader *r)
{
	const jj_row *row;

	while ((row = jj_extraction_row(r->extraction)) == NULL)
	{
		if (r->done || !jj_extraction_step(r->extraction))
		{
			r->done = true;
			return NULL;
		}
		if (r->check != NULL)
			r->check();
	}
	return row;
}

const jj_row *
jj_row_reader_next(jj_row_reader *r)
{
	const char *message;
	Size		size;

	if (r->extraction != NULL)
		return next_read_here(r);
	message = next_of_worker(r, &size);
	if (message == NULL)
		return NULL;
	take_row(r, message, size);
	return &r->row;
}

HeapTuple
jj_row_reader_tuple(jj_row_reader *r)
{
	Size		size;
	const char *message = next_of_worker(r, &size);

	return message == NULL ? NULL : take_tuple(message, size);
}

bool
jj_row_reader_skip(jj_row_reader *r)
{
	Size		size;

	return r->extraction != NULL ? next_read_here(r) != NULL : next_of_worker(r, &size) != NULL;
}

bool
jj_row_reader_gives_tuples(const jj_row_reader *r)
{
	return r->extraction == NULL && r->tuples;
}

bool
jj_row_reader_digest(jj_row_reader *r, uint8 digest[JJ_SHA256])
{
	jj_reading *shared;

	if (r->segment == NULL)
		return false;
	shared = dsm_segment_address(r->segment);
	while (shared->digests)
	{
		pid_t		pid;
		/* before the state, or it might have been set by one that has ended since */
		const bool	ended = GetBackgroundWorkerPid(r->handle, &pid) != BGWH_STARTED;
		const uint32 state = pg_atomic_read_u32(&shared->digest_state);

		CHECK_FOR_INTERRUPTS();
		if (state == JJ_DIGEST_DONE)
		{
			pg_read_barrier();
			memcpy(digest, shared->digest, JJ_SHA256);
			return true;
		}
		if (state == JJ_DIGEST_NONE || ended)
			return false;
		wait_for_worker(r);
	}
	return false;
}

jj_reading_totals
jj_row_reader_totals(const jj_row_reader *r)
{
	if (r->extraction == NULL)
		return r->totals;
	return (jj_reading_totals) {
		jj_extraction_packets(r->extraction), jj_extraction_skipped(r->extraction), jj_extraction_warnings(r->extraction)
	};
}

void
jj_row_reader_end(jj_row_reader *r)
{
	if (r->extraction != NULL)
		jj_extraction_end(r->extraction);
	else
	{
		if (r->shows_progress)
			pgstat_progress_end_command();
		jj_row_free(&r->row);
	}
	detach(r);
}
