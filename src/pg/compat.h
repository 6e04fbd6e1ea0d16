/*
 * PostgreSQL 14 to 18: every difference between versions is here.
 */
#ifndef JJ_PG_COMPAT_H
#define JJ_PG_COMPAT_H

#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#if PG_VERSION_NUM < 140000
#error "joyfuljay needs PostgreSQL 14 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn _Noreturn
#endif

#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* how files of modules end; a symbol of all code since 15 */
#ifndef DLSUFFIX
#ifdef __APPLE__
#define DLSUFFIX ".dylib"
#else
#define DLSUFFIX ".so"
#endif
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)

/* Set the function's result up as a tuplestore of its declared row type. */
static inline void
InitMaterializedSRF(FunctionCallInfo fcinfo, bits32 flags pg_attribute_unused())
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;

	Assert(flags == 0);
	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (!(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("materialize mode required, but it is not allowed in this context")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	rsinfo->setDesc = desc;
	MemoryContextSwitchTo(old);
}
#endif

/* Memory of a setting's extra value; NULL if there is none. */
#if PG_VERSION_NUM >= 160000
#define jj_guc_malloc(size) guc_malloc(LOG, size)
#else
#define jj_guc_malloc(size) malloc(size)
#endif

/* What a comparison operator means: the strategy numbers of B-trees, and one for <>. */
#define JJ_NOT_EQUAL 6
#if PG_VERSION_NUM >= 180000
#define jj_interpretation OpIndexInterpretation
#define jj_btree_interpretation(operator) get_op_index_interpretation(operator)
#define jj_interpretation_strategy(x) ((int) (x)->cmptype)
#else
#define jj_interpretation OpBtreeInterpretation
#define jj_btree_interpretation(operator) get_op_btree_interpretation(operator)
#define jj_interpretation_strategy(x) ((x)->strategy)
#endif

#if PG_VERSION_NUM >= 160000
#define jj_function_aclcheck(function, role) object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#else
#define jj_function_aclcheck(function, role) pg_proc_aclcheck(function, role, ACL_EXECUTE)
#endif

/* A worker may have the rights of a role that may not log in, from 17 on. */
#ifdef BGWORKER_BYPASS_ROLELOGINCHECK
#define jj_bypass_login_check BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define jj_bypass_login_check 0
#endif

/* Wait events that live as long as a memory context. */
#if PG_VERSION_NUM >= 170000
#define jj_create_wait_event_set(context, n) CreateWaitEventSet(NULL, n)
#else
#define jj_create_wait_event_set(context, n) CreateWaitEventSet(context, n)
#endif

/* "schema.table", quoted where needed, to its parts. */
#if PG_VERSION_NUM >= 160000
#define jj_qualified_name(text) stringToQualifiedNameList(text, NULL)
#else
#define jj_qualified_name(text) stringToQualifiedNameList(text)
#endif

/* Index entries of a new row. */
#if PG_VERSION_NUM >= 160000
#define jj_insert_index_tuples(result, slot, estate) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false)
#else
#define jj_insert_index_tuples(result, slot, estate) ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#endif

/* Send without waiting; flush: the receiver learns of it at once. Before 15 it always does. */
#if PG_VERSION_NUM >= 150000
#define jj_shm_mq_sendv(queue, parts, n, flush) shm_mq_sendv(queue, parts, n, true, flush)
#else
#define jj_shm_mq_sendv(queue, parts, n, flush) ((void) (flush), shm_mq_sendv(queue, parts, n, true))
#endif

/* The transaction that begins now may last as long as it likes. */
#if PG_VERSION_NUM >= 170000
#define jj_no_transaction_timeout() SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE)
#else
#define jj_no_transaction_timeout() ((void) 0)
#endif

/* After a change of a row type's attribute. */
#if PG_VERSION_NUM >= 180000
#define jj_attribute_changed(desc, i) populate_compact_attribute(desc, i)
#else
#define jj_attribute_changed(desc, i) ((void) 0)
#endif

/* A timeout that fires again and again; on 14 its handler calls jj_timeout_again. */
#if PG_VERSION_NUM >= 150000
#define jj_enable_timeout_every(id, ms) enable_timeout_every(id, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms), ms)
#define jj_timeout_again(id, ms) ((void) 0)
#else
#define jj_enable_timeout_every(id, ms) enable_timeout_after(id, ms)
#define jj_timeout_again(id, ms) enable_timeout_after(id, ms)
#endif

/* The parts of a name as in SQL: dots, double quotes. */
#if PG_VERSION_NUM >= 160000
#define jj_qualified_name(text) stringToQualifiedNameList(text, NULL)
#else
#define jj_qualified_name(text) stringToQualifiedNameList(text)
#endif

#endif
