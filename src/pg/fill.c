/*
 * jj_fill: what the Python library says where a value does not apply.
 */
#include "pg/pg.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(jj_fill);

/* What is made of another column's value, which may be NULL. */
typedef Datum (*derivation) (Datum v, bool *null);

static Datum
as_double(Datum v, bool *null)
{
	return *null ? (Datum) 0 : Float8GetDatum((double) DatumGetInt64(v));
}

static Datum
is_above_one(Datum v, bool *null)
{
	return BoolGetDatum(!*null && DatumGetInt64(v) > 1);
}

static Datum
infinite_if_positive(Datum v, bool *null)
{
	const bool	positive = !*null && DatumGetFloat8(v) > 0;

	*null = false;
	return Float8GetDatum(positive ? get_float8_infinity() : 0);
}

/* The fills of the registry that are no literals. */
static const struct
{
	jj_feature	feature;
	jj_feature	source;
	derivation	derive;
}			derived[] = {
	{JJ_F_packets_ratio, JJ_F_packets_fwd, as_double},
	{JJ_F_bytes_ratio, JJ_F_bytes_fwd, as_double},
	{JJ_F_packets_per_second, JJ_F_total_packets, as_double},
	{JJ_F_bytes_per_second, JJ_F_total_bytes, as_double},
	{JJ_F_is_constant_rate, JJ_F_total_packets, is_above_one},
	{JJ_F_entropy_ratio, JJ_F_entropy_initiator, infinite_if_positive},
};

typedef struct filler
{
	int			attribute;		/* from 0 */
	int			source;			/* attribute from 0; of a literal -1 */
	derivation	derive;
	Datum		literal;
} filler;

typedef struct fillers
{
	Oid			type;
	int32		typmod;
	int			n;
	filler	   *filler;
} fillers;

/* The number of a row's column that has the name and type of a feature, -1 if there is none. */
static int
find_attribute(TupleDesc desc, jj_feature feature)
{
	const jj_feature_info *f = &jj_feature_table[feature];

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);

		if (!a->attisdropped && strcmp(NameStr(a->attname), f->name) == 0)
			return a->atttypid == jj_type_oid((jj_type) f->type) ? i : -1;
	}
	return -1;
}

/* Of a fill that is a number, a boolean or a quoted string without quotes in it. */
static Datum
literal_of(const char *text, Oid type)
{
	char	   *bare = pstrdup(text);
	const size_t size = strlen(bare);
	Oid			input;
	Oid			io_parameter;

	if (bare[0] == '\'')
	{
		bare[size - 1] = '\0';
		bare++;
	}
	getTypeInputInfo(type, &input, &io_parameter);
	return OidInputFunctionCall(input, bare, io_parameter, -1);
}

static void
add_filler(fillers *all, TupleDesc desc, jj_feature feature)
{
	const jj_feature_info *f = &jj_feature_table[feature];
	filler		x = {find_attribute(desc, feature), -1, NULL, (Datum) 0};

	if (x.attribute < 0)
		return;
	for (size_t k = 0; k < lengthof(derived); k++)
		if (derived[k].feature == feature)
		{
			x.source = find_attribute(desc, derived[k].source);
			x.derive = derived[k].derive;
			if (x.source < 0)
				return;
		}
	if (x.derive == NULL)
		x.literal = literal_of(f->fill, jj_type_oid((jj_type) f->type));
	all->filler[all->n++] = x;
}

static fillers *
make_fillers(TupleDesc desc, Oid type, int32 typmod, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	fillers    *all = palloc0(sizeof(*all));

	all->filler = palloc(sizeof(filler) * JJ_FEATURES);
	for (int f = 0; f < JJ_FEATURES; f++)
		if (strcmp(jj_feature_table[f].fill, "-") != 0)
			add_filler(all, desc, (jj_feature) f);
	all->type = type;
	all->typmod = typmod;
	MemoryContextSwitchTo(before);
	return all;
}

/*
 * The row with the fill of jj_features in place of NULL, in each column that
 * has the name and type of one of jj_flow's; any row type.
 */
Datum
jj_fill(PG_FUNCTION_ARGS)
{
	fillers    *all = fcinfo->flinfo->fn_extra;
	HeapTupleHeader row;
	HeapTupleData tuple;
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	Oid			type;
	int32		typmod;

	if (!type_is_rowtype(get_fn_expr_argtype(fcinfo->flinfo, 0)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("jj_fill takes a row of flows, not a value of type %s", format_type_be(get_fn_expr_argtype(fcinfo->flinfo, 0))),
				 errhint("For example SELECT filled.* FROM flows f, jj_fill(f) filled.")));
	row = PG_GETARG_HEAPTUPLEHEADER(0);
	type = HeapTupleHeaderGetTypeId(row);
	typmod = HeapTupleHeaderGetTypMod(row);
	desc = lookup_rowtype_tupdesc(type, typmod);
	if (all == NULL || all->type != type || all->typmod != typmod)
		fcinfo->flinfo->fn_extra = all = make_fillers(desc, type, typmod, fcinfo->flinfo->fn_mcxt);

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	values = palloc(sizeof(Datum) * (size_t) Max(desc->natts, 1));
	nulls = palloc(sizeof(bool) * (size_t) Max(desc->natts, 1));
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (int i = 0; i < all->n; i++)
	{
		const filler *x = &all->filler[i];

		if (!nulls[x->attribute])
			continue;
		if (x->derive == NULL)
		{
			values[x->attribute] = x->literal;
			nulls[x->attribute] = false;
		}
		else
		{
			bool		null = nulls[x->source];

			values[x->attribute] = x->derive(values[x->source], &null);
			nulls[x->attribute] = null;
		}
	}
	tuple = *heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	PG_RETURN_DATUM(HeapTupleGetDatum(&tuple));
}
