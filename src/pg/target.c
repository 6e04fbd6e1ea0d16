/*
 * Tables that flows are written to: which columns, and whether the user may.
 */
#include "pg/target.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static Relation
open_relation(Oid relid)
{
	Relation	r = try_relation_open(relid, RowExclusiveLock);

	if (r == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", relid)));
	switch (r->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
			return r;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("cannot insert flows into \"%s\"", RelationGetRelationName(r)),
					 errhint("The target is a table, partitioned table, foreign table or view.")));
	}
}

static void
check_insert(Relation r, AttrNumber column)
{
	const Oid	relid = RelationGetRelid(r);

	if (pg_class_aclcheck(relid, GetUserId(), ACL_INSERT) == ACLCHECK_OK || pg_attribute_aclcheck(relid, column, GetUserId(), ACL_INSERT) == ACLCHECK_OK)
		return;
	aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(r->rd_rel->relkind), RelationGetRelationName(r));
}

static void
check_type(Relation r, Form_pg_attribute a, Oid from)
{
	if (can_coerce_type(1, &from, &a->atttypid, COERCION_ASSIGNMENT))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of \"%s\" is of type %s, which takes no %s", NameStr(a->attname), RelationGetRelationName(r),
					format_type_be(a->atttypid), format_type_be(from)),
			 errhint("Columns with names of the columns of jj_flow get their values; jj_create_table makes tables that fit.")));
}

/* A column without a value must be able to do without. */
static void
check_unfilled(Relation r, Form_pg_attribute a)
{
	/* what triggers and rules do is their affair; defaults of views, foreign tables and partitions show when rows are inserted */
	if (!a->attnotnull || a->atthasdef || a->attidentity != '\0' || r->rd_rel->relkind != RELKIND_RELATION || r->trigdesc != NULL || r->rd_rules != NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("column \"%s\" of \"%s\" must not be null, and flows have no such column", NameStr(a->attname), RelationGetRelationName(r)),
			 errhint("Give the column a default, or drop its NOT NULL constraint.")));
}

jj_target *
jj_target_open(Oid relid)
{
	Relation	r = open_relation(relid);
	const TupleDesc desc = RelationGetDescr(r);
	jj_target  *t = palloc0(sizeof(jj_target));

	t->relid = relid;
	t->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(r)), RelationGetRelationName(r));
	t->column = palloc(sizeof(char *) * (size_t) Max(desc->natts, 1));
	t->feature = palloc(sizeof(int) * (size_t) Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);
		int			feature;

		if (a->attisdropped || a->attgenerated != '\0')
			continue;
		feature = a->attidentity == ATTRIBUTE_IDENTITY_ALWAYS ? -1 : jj_feature_named(NameStr(a->attname));
		if (feature >= 0)
		{
			check_type(r, a, jj_type_oid((jj_type) jj_feature_table[feature].type));
			jj_set_add(&t->features, (unsigned) feature);
			t->column[t->n] = pstrdup(NameStr(a->attname));
			t->feature[t->n++] = feature;
		}
		else if (strcmp(NameStr(a->attname), "run") == 0 && a->attidentity != ATTRIBUTE_IDENTITY_ALWAYS)
		{
			check_type(r, a, INT8OID);
			t->has_run = true;
		}
		else
		{
			check_unfilled(r, a);
			continue;
		}
		check_insert(r, a->attnum);
	}
	if (t->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" has no column of jj_flow", RelationGetRelationName(r)),
				 errhint("Columns are matched by name; the view jj_features lists them, and jj_create_table makes a table of them.")));
	relation_close(r, NoLock);
	return t;
}

void
jj_target_limit(const jj_target *target, jj_options *options)
{
	static const jj_feature identity[] = {
		JJ_F_src_ip, JJ_F_src_port, JJ_F_dst_ip, JJ_F_dst_port, JJ_F_protocol, JJ_F_start_time, JJ_F_first_frame, JJ_F_capture
	};

	for (size_t i = 0; i < lengthof(identity); i++)
		jj_set_add(&options->features, identity[i]);
	for (size_t i = 0; i < lengthof(options->features.word); i++)
		options->features.word[i] &= target->features.word[i];
}
