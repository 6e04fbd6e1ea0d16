/*
 * Finished flows straight into a plain table, many at a time, as COPY does. Only
 * where INSERT would have nothing to do but to write them.
 */
#include "pg/insert.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#define MOST_ROWS 256
#define ENOUGH_BYTES 65536

typedef struct bulk
{
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	BulkInsertState insertion;
	CommandId	command;
	MemoryContext memory;		/* of the rows that wait */
	TupleTableSlot *slot[MOST_ROWS];
	int			n;
	Size		bytes;
} bulk;

/* Whether nothing but indexes and constraints takes part in an INSERT of the current user. */
static bool
is_plain(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && !rel->rd_rel->relispartition
		&& rel->rd_tableam == GetHeapamTableAmRoutine() && !RELATION_IS_OTHER_TEMP(rel)
		&& rel->trigdesc == NULL && rel->rd_rules == NULL
		&& pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_INSERT) == ACLCHECK_OK
		&& check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED;
}

/* Where the target's columns lie in the table; false if it has others, or their values must be converted. */
static bool
map_columns(Relation rel, const jj_target *target, int column[JJ_FEATURES], int *run)
{
	const TupleDesc desc = RelationGetDescr(rel);
	int			found = 0;

	*run = -1;
	for (int f = 0; f < JJ_FEATURES; f++)
		column[f] = -1;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);
		Oid			type = InvalidOid;

		if (a->attisdropped)
			continue;
		if (target->has_run && strcmp(NameStr(a->attname), "run") == 0)
		{
			*run = i;
			type = INT8OID;
		}
		else if (found < target->n && strcmp(NameStr(a->attname), target->column[found]) == 0)
		{
			column[target->feature[found]] = i;
			type = jj_type_oid((jj_type) jj_feature_table[target->feature[found]].type);
			found++;
		}
		if (a->atttypid != type || a->atttypmod != -1 || a->attgenerated != '\0')
			return false;
	}
	return found == target->n && target->has_run == (*run >= 0);
}

static void
flush(bulk *b)
{
	MemoryContext old;

	if (b->n == 0)
		return;
	old = MemoryContextSwitchTo(b->memory);
	table_multi_insert(b->rel, b->slot, b->n, b->command, 0, b->insertion);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < b->n; i++)
	{
		if (b->result->ri_NumIndices > 0)
			list_free(jj_insert_index_tuples(b->result, b->slot[i], b->estate));
		ExecClearTuple(b->slot[i]);
		ResetPerTupleExprContext(b->estate);
	}
	b->n = 0;
	b->bytes = 0;
	MemoryContextReset(b->memory);
}

static void
add(bulk *b, HeapTuple tuple)
{
	TupleTableSlot *slot = b->slot[b->n];

	if (slot == NULL)
		slot = b->slot[b->n] = MakeSingleTupleTableSlot(RelationGetDescr(b->rel), &TTSOpsHeapTuple);
	tuple->t_tableOid = RelationGetRelid(b->rel);
	ExecStoreHeapTuple(tuple, slot, false);
	slot->tts_tableOid = tuple->t_tableOid;
	if (RelationGetDescr(b->rel)->constr != NULL)
		ExecConstraints(b->result, slot, b->estate);
	b->bytes += tuple->t_len;
	if (++b->n == MOST_ROWS || b->bytes >= ENOUGH_BYTES)
		flush(b);
}

static void
begin(bulk *b)
{
	b->estate = CreateExecutorState();
	b->result = makeNode(ResultRelInfo);
	InitResultRelInfo(b->result, b->rel, 0, NULL, 0);
	ExecOpenIndices(b->result, false);
	b->insertion = GetBulkInsertState();
	b->command = GetCurrentCommandId(true);
	b->memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay rows", ALLOCSET_DEFAULT_SIZES);
}

static void
end(bulk *b)
{
	flush(b);
	for (int i = 0; i < MOST_ROWS && b->slot[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(b->slot[i]);
	FreeBulkInsertState(b->insertion);
	ExecCloseIndices(b->result);
	FreeExecutorState(b->estate);
}

bool
jj_bulk_write(const jj_target *target, jj_row_source *source, int64 run, uint64 *rows)
{
	const Relation rel = try_relation_open(target->relid, RowExclusiveLock);
	MemoryContext memory;
	MemoryContext old;
	int			column[JJ_FEATURES];
	int			run_column;
	bulk		b = {.rel = rel};
	jj_row_plan *plan;

	if (rel == NULL)
		return false;
	if (!is_plain(rel) || !map_columns(rel, target, column, &run_column))
	{
		relation_close(rel, NoLock);
		return false;
	}
	memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay bulk", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	/* for functions of constraints and indexes */
	PushActiveSnapshot(GetTransactionSnapshot());
	begin(&b);
	plan = jj_row_plan_make(column, RelationGetDescr(rel));
	for (*rows = 0;; ++*rows)
	{
		const jj_row *row;
		HeapTuple	tuple;

		MemoryContextSwitchTo(b.memory);
		row = source->next(source);
		if (row == NULL)
			break;
		tuple = jj_row_tuple(plan, row, run_column, run);
		MemoryContextSwitchTo(memory);
		add(&b, tuple);
	}
	MemoryContextSwitchTo(memory);
	end(&b);
	PopActiveSnapshot();
	CommandCounterIncrement();
	relation_close(rel, NoLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	return true;
}
