/*
 * Finished flows straight into a plain table, many at a time, as COPY does. Only
 * where INSERT would have nothing to do but to write them.
 */
#include "pg/insert.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
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
	int			n_not_null;
	AttrNumber *not_null;		/* columns that are NOT NULL */
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
find_shape(Relation rel, const jj_target *target, jj_shape *shape)
{
	const TupleDesc desc = RelationGetDescr(rel);
	int			found = 0;

	memset(shape, 0, sizeof(*shape));
	shape->natts = desc->natts;
	shape->run = -1;
	for (int f = 0; f < JJ_FEATURES; f++)
		shape->column[f] = -1;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);
		Oid			type = InvalidOid;

		shape->storage[i] = a->attstorage;
		if (a->attisdropped)
			continue;
		if (target->has_run && strcmp(NameStr(a->attname), "run") == 0)
		{
			shape->run = i;
			type = INT8OID;
		}
		else if (found < target->n && strcmp(NameStr(a->attname), target->column[found]) == 0)
		{
			shape->column[target->feature[found]] = i;
			type = jj_type_oid((jj_type) jj_feature_table[target->feature[found]].type);
			found++;
		}
		if (a->atttypid != type || a->atttypmod != -1 || a->attgenerated != '\0')
			return false;
	}
	return found == target->n && target->has_run == (shape->run >= 0);
}

bool
jj_writer_shape(const jj_target *target, jj_shape *shape)
{
	const Relation rel = try_relation_open(target->relid, NoLock);
	const bool	plain = rel != NULL && is_plain(rel) && find_shape(rel, target, shape);

	if (rel != NULL)
		relation_close(rel, NoLock);
	return plain;
}

jj_row_plan *
jj_shape_plan(const jj_shape *shape)
{
	TupleDesc	desc = CreateTemplateTupleDesc(shape->natts);

	/* what is no column is NULL: any type will do */
	for (int i = 0; i < shape->natts; i++)
		TupleDescInitEntry(desc, (AttrNumber) (i + 1), NULL, INT8OID, -1, 0);
	for (int f = 0; f < JJ_FEATURES; f++)
		if (shape->column[f] >= 0)
			TupleDescInitEntry(desc, (AttrNumber) (shape->column[f] + 1), NULL, jj_type_oid((jj_type) jj_feature_table[f].type), -1, 0);
	for (int i = 0; i < shape->natts; i++)
	{
		TupleDescAttr(desc, i)->attstorage = shape->storage[i];
		jj_attribute_changed(desc, i);
	}
	return jj_row_plan_make(shape->column, desc);
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

/* Whether there is something to find out for ExecConstraints, which looks at each of the columns. */
static bool
needs_check(const bulk *b, HeapTuple tuple)
{
	const TupleConstr *constr = RelationGetDescr(b->rel)->constr;

	if (constr == NULL)
		return false;
	if (constr->num_check > 0)
		return true;
	for (int i = 0; i < b->n_not_null; i++)
		if (heap_attisnull(tuple, b->not_null[i], RelationGetDescr(b->rel)))
			return true;
	return false;
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
	if (needs_check(b, tuple))
		ExecConstraints(b->result, slot, b->estate);
	b->bytes += tuple->t_len;
	if (++b->n == MOST_ROWS || b->bytes >= ENOUGH_BYTES)
		flush(b);
}

static void
begin(bulk *b)
{
	const TupleDesc desc = RelationGetDescr(b->rel);

	b->not_null = palloc(sizeof(AttrNumber) * (size_t) desc->natts);
	for (int i = 0; i < desc->natts; i++)
		if (TupleDescAttr(desc, i)->attnotnull)
			b->not_null[b->n_not_null++] = (AttrNumber) (i + 1);
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

/* The next row's tuple, in the current memory context; NULL behind the last. */
static HeapTuple
next_tuple(jj_row_source *source, jj_row_plan *plan, const jj_shape *shape, int64 run)
{
	const jj_row *row;

	if (plan == NULL)
		return source->next_tuple(source);
	row = source->next(source);
	return row == NULL ? NULL : jj_row_tuple(plan, row, shape->run, run);
}

bool
jj_bulk_write(const jj_target *target, jj_row_source *source, int64 run, uint64 *rows)
{
	const Relation rel = try_relation_open(target->relid, RowExclusiveLock);
	MemoryContext memory;
	MemoryContext old;
	jj_shape	shape;
	bulk		b = {.rel = rel};
	jj_row_plan *plan = NULL;

	if (rel == NULL)
		return false;
	if (!is_plain(rel) || !find_shape(rel, target, &shape))
	{
		relation_close(rel, NoLock);
		return false;
	}
	memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay bulk", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	/* for functions of constraints and indexes */
	PushActiveSnapshot(GetTransactionSnapshot());
	begin(&b);
	if (source->shape == NULL)
		plan = jj_row_plan_make(shape.column, RelationGetDescr(rel));
	else if (memcmp(source->shape, &shape, sizeof(shape)) != 0)
		elog(ERROR, "rows are not of the shape of table %s", target->name);
	for (*rows = 0;; ++*rows)
	{
		HeapTuple	tuple;

		MemoryContextSwitchTo(b.memory);
		tuple = next_tuple(source, plan, &shape, run);
		if (tuple == NULL)
			break;
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
