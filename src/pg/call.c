/*
 * Reader, filter and engine of one call: their memory, their end, progress,
 * and errors.
 */
#include "pg/pg.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/progress.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"

#define LINKTYPE_USER0 147

static void *
context_alloc(void *context, size_t size)
{
	/* more than this is an error even with MCXT_ALLOC_NO_OOM */
	if (!AllocHugeSizeIsValid(size))
		return NULL;
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
context_release(void *context pg_attribute_unused(), void *block)
{
	pfree(block);
}

jj_allocator
jj_context_allocator(MemoryContext context)
{
	return (jj_allocator) {context_alloc, context_release, context};
}

/* What is not in the context's memory: libpcap's programs, the decompressors' state. */
static void
close_all(void *arg)
{
	jj_call    *call = arg;

	jj_engine_close(call->engine);
	jj_engine_close(call->first);
	jj_filter_close(call->filter);
	jj_reader_close(call->reader);
	call->engine = NULL;
	call->first = NULL;
	call->filter = NULL;
	call->reader = NULL;
}

static void
show_progress(int64 bytes, Oid relid)
{
	static const int index[] = {PROGRESS_COPY_COMMAND, PROGRESS_COPY_TYPE, PROGRESS_COPY_BYTES_TOTAL};
	const int64 values[] = {PROGRESS_COPY_COMMAND_FROM, PROGRESS_COPY_TYPE_CALLBACK, bytes};

	pgstat_progress_start_command(PROGRESS_COMMAND_COPY, relid);
	pgstat_progress_update_multi_param(lengthof(index), index, values);
}

bool
jj_progress_begin(int64 bytes, Oid relid)
{
	if (MyBEEntry == NULL || MyBEEntry->st_progress_command != PROGRESS_COMMAND_INVALID)
		return false;
	show_progress(bytes, relid);
	return true;
}

/* Bytes to be read of all sources. */
static int64
total_bytes(const jj_call *call, List *sources)
{
	int64		bytes = 0;
	ListCell   *cell;

	foreach(cell, sources)
		bytes += ((const jj_source *) lfirst(cell))->size * call->passes;
	return bytes;
}

void
jj_call_target(jj_call *call, List *sources, Oid relid)
{
	if (call->reports_progress)
		show_progress(total_bytes(call, sources), relid);
}

void
jj_call_report(jj_call *call, void (*report) (int64 bytes))
{
	if (call->reports_progress)
		pgstat_progress_end_command();
	call->reports_progress = false;
	call->report = report;
}

jj_call *
jj_call_begin(List *sources, int passes)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay call", ALLOCSET_DEFAULT_SIZES);
	jj_call    *call = MemoryContextAllocZero(context, sizeof(jj_call));

	call->context = context;
	call->allocator = jj_context_allocator(context);
	call->fd = -1;
	call->callback.func = close_all;
	call->callback.arg = call;
	MemoryContextRegisterResetCallback(context, &call->callback);
	call->passes = passes;
	call->reports_progress = jj_progress_begin(total_bytes(call, sources), InvalidOid);
	return call;
}

void
jj_call_end(jj_call *call)
{
	if (call->reports_progress)
		pgstat_progress_end_command();
	if (call->fd >= 0)
		CloseTransientFile(call->fd);
	MemoryContextDelete(call->context);
}

void
jj_raise(const jj_error *error, const jj_source *source)
{
	int			code = ERRCODE_INTERNAL_ERROR;

	switch (error->code)
	{
		case JJ_OK:
			break;
		case JJ_ERR_NOMEM:
			code = ERRCODE_OUT_OF_MEMORY;
			break;
		case JJ_ERR_IO:
			code = ERRCODE_IO_ERROR;
			break;
		case JJ_ERR_FORMAT:
			code = ERRCODE_INVALID_BINARY_REPRESENTATION;
			break;
		case JJ_ERR_LINK:
			code = ERRCODE_FEATURE_NOT_SUPPORTED;
			break;
		case JJ_ERR_FILTER:
			code = ERRCODE_SYNTAX_ERROR;
			break;
		case JJ_ERR_ARGUMENT:
			code = ERRCODE_INVALID_PARAMETER_VALUE;
			break;
		case JJ_ERR_PERMISSION:
			code = ERRCODE_INSUFFICIENT_PRIVILEGE;
			break;
		case JJ_ERR_DEVICE:
			code = ERRCODE_UNDEFINED_OBJECT;
			break;
		case JJ_ERR_DOWN:
			code = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
			break;
		case JJ_ERR_STOPPED:
			code = ERRCODE_QUERY_CANCELED;
			break;
		case JJ_ERR_LIMIT:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			break;
		case JJ_ERR_LIBRARY:
			code = ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
			break;
	}
	errno = error->sys_errno;
	ereport(ERROR,
			(error->sys_errno != 0 ? errcode_for_file_access() : errcode(code),
			 source != NULL && error->code != JJ_ERR_FILTER ? errmsg("capture \"%s\": %s", source->label, jj_shown(error->message)) : errmsg("%s", jj_shown(error->message)),
			 error->hint[0] != '\0' ? errhint("%s", error->hint) : 0));
}

const char *
jj_link_name(uint32 link)
{
	const char *name;
	uint32		number;

	for (uint32 i = 0; (name = jj_link_supported_name(i, &number)) != NULL; i++)
		if (number == link)
			return name;
	/* for private use; libpcap has no names for these */
	if (link >= LINKTYPE_USER0 && link < LINKTYPE_USER0 + 16)
		return psprintf("USER%u", link - LINKTYPE_USER0);
	return link <= INT_MAX ? pcap_datalink_val_to_name((int) link) : NULL;
}

char *
jj_link_text(uint32 link)
{
	const char *name = jj_link_name(link);

	return name != NULL ? psprintf("%u %s", link, name) : psprintf("%u", link);
}

/* Open a regular file, for reading. */
static int
open_file(const jj_source *source)
{
	struct stat st;

	/* O_NONBLOCK: a FIFO put there since it was looked at doesn't hold us up */
	int			fd = OpenTransientFile(source->path, O_RDONLY | PG_BINARY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open capture \"%s\": %m", source->label),
				 errhint("The server's account must be able to read the file.")));
	if (fstat(fd, &st) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat capture \"%s\": %m", source->label)));
	if (!S_ISREG(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a regular file", source->label),
				 errhint("Captures are read from regular files, not from pipes, sockets or devices.")));
	return fd;
}

/* Of the source's file, which is the caller's or open for the call; -1 if it has none. */
static int
descriptor(const jj_call *call)
{
	return call->source->fd != NULL ? *call->source->fd : call->fd;
}

/* To the beginning of the source's file. */
static void
seek_start(const jj_call *call)
{
	if (descriptor(call) >= 0 && lseek(descriptor(call), 0, SEEK_SET) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in capture \"%s\": %m", call->source->label)));
}

/* Begin to read the source, whose file is open. */
static void
open_reader(jj_call *call)
{
	const jj_source *source = call->source;
	jj_error	error = {0};
	jj_code		code;

	if (source->bytes != NULL)
		code = jj_reader_open_memory(&call->reader, source->bytes, (size_t) source->size, &call->allocator, &error);
	else
		code = jj_reader_open_fd(&call->reader, descriptor(call), &call->allocator, &error);
	if (code != JJ_OK)
		jj_raise(&error, source);
}

void
jj_call_open(jj_call *call, const jj_source *source)
{
	CHECK_FOR_INTERRUPTS();
	call->source = source;
	if (source->fd != NULL)
		seek_start(call);
	else if (source->bytes == NULL)
		call->fd = open_file(source);
	open_reader(call);
}

void
jj_call_rewind(jj_call *call)
{
	jj_reader_close(call->reader);
	call->reader = NULL;
	call->bytes_before += call->source->size;
	seek_start(call);
	open_reader(call);
}

uint32
jj_call_next(jj_call *call, jj_frame *frames, uint32 max)
{
	jj_error	error = {0};
	uint32		n;

	CHECK_FOR_INTERRUPTS();
	if (jj_reader_next(call->reader, frames, max, &n, &error) != JJ_OK)
		jj_raise(&error, call->source);
	if (call->reports_progress)
		pgstat_progress_update_param(PROGRESS_COPY_BYTES_PROCESSED,
									 call->bytes_before + (int64) jj_reader_info_get(call->reader)->bytes_in);
	else if (call->report != NULL)
		call->report(call->bytes_before + (int64) jj_reader_info_get(call->reader)->bytes_in);
	return n;
}

void
jj_call_close(jj_call *call, bool loud)
{
	const char *warning;

	for (uint32 i = 0; (warning = jj_reader_warning(call->reader, i)) != NULL; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(call->context);
		char	   *shown = jj_shown(warning);

		call->warnings = lappend(call->warnings, shown);
		MemoryContextSwitchTo(old);
		if (loud)
			ereport(WARNING,
					(errcode(ERRCODE_WARNING),
					 errmsg("capture \"%s\": %s", call->source->label, shown)));
	}
	jj_call_leave(call);
}

void
jj_call_leave(jj_call *call)
{
	call->bytes_before += (int64) jj_reader_info_get(call->reader)->bytes_in;
	jj_reader_close(call->reader);
	call->reader = NULL;
	if (call->fd >= 0)
		CloseTransientFile(call->fd);
	call->fd = -1;
}

void
jj_call_rows(jj_call *call, int64 rows)
{
	if (call->reports_progress)
		pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, rows);
}
