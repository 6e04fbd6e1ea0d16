/*
 * CALL jj_ingest(...).
 */
#include "pg/ingest.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"

PG_FUNCTION_INFO_V1(jj_ingest_call);

static void
null_argument(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", name)));
}

static void
commit(void)
{
	SPI_commit();
	/* from 15 on it has done that */
	SPI_start_transaction();
}

/* The order that the arguments give, in the current memory context. */
static jj_ingest_order
order_of(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"source", "target", NULL, "options", "commit_rows", "recursive"};
	jj_ingest_order order = {0};

	for (int i = 0; i < 6; i++)
		if (names[i] != NULL && PG_ARGISNULL(i))
			null_argument(names[i]);
	order.kind = "ingest";
	order.source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	order.target = PG_GETARG_OID(1);
	order.filter = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	jj_options_from_jsonb(&order.options, PG_GETARG_JSONB_P(3));
	order.commit_rows = PG_GETARG_INT64(4);
	order.commit = commit;
	if (order.commit_rows < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"commit_rows\" must not be negative"),
				 errhint("0 ingests each capture in one transaction.")));
	return order;
}

static void
add_count(StringInfo s, uint64 n, const char *what)
{
	if (n > 0)
		appendStringInfo(s, ", %s: " UINT64_FORMAT, what, n);
}

static void
summarize(const jj_ingest *in)
{
	StringInfoData others;

	initStringInfo(&others);
	add_count(&others, in->count[JJ_KNOWN], "in the table before");
	add_count(&others, in->count[JJ_DUPLICATE], "duplicates");
	add_count(&others, in->count[JJ_BUSY], "with another session");
	add_count(&others, in->count[JJ_CHANGED], "changed while read");
	add_count(&others, in->count[JJ_FAILED], "failed");
	ereport(NOTICE,
			(errmsg("captures ingested: " UINT64_FORMAT ", rows: " UINT64_FORMAT "%s", in->count[JJ_INGESTED], in->rows, others.data)));
}

Datum
jj_ingest_call(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	jj_ingest_order order;
	jj_ingest  *in;
	List	   *sources;
	ListCell   *cell;
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) || ((CallContext *) fcinfo->context)->atomic;

	if (atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("jj_ingest cannot be called in a transaction block, a function or a subtransaction"),
				 errdetail("It commits behind each capture."),
				 errhint("INSERT ... SELECT from jj_extract writes flows as a part of the transaction.")));
	PreventCommandIfReadOnly("jj_ingest");
	/* beyond the transactions, until the call ends */
	context = AllocSetContextCreate(PortalContext, "joyfuljay ingest", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	order = order_of(fcinfo);
	sources = PG_GETARG_BOOL(5) ? jj_sources_in_tree(order.source, NULL, true) : jj_sources_from_path(order.source);
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(context);
	in = jj_ingest_begin(&order);
	foreach(cell, sources)
		(void) jj_ingest_file(in, lfirst(cell));
	jj_ingest_end(in);
	SPI_finish();
	summarize(in);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
