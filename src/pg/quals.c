/*
 * Conditions of a query that flows can be tested with before any feature is
 * computed. The plan tests them once more, on the rows: here they only spare
 * work, so what is not understood is left alone.
 */
#include "pg/scan.h"

#include <sys/socket.h>

#include "access/stratnum.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* A clause taken apart: column, comparison, value or array of values. */
typedef struct parts
{
	jj_select_column column;
	Oid			operator;		/* with the column on its left */
	Expr	   *value;
	Oid			type;			/* of the value, or of the array's elements */
	bool		array;
	bool		all;			/* of an array: the comparison must hold for all elements */
} parts;

typedef enum comparison
{
	LESS = BTLessStrategyNumber,
	LESS_EQUAL = BTLessEqualStrategyNumber,
	EQUAL = BTEqualStrategyNumber,
	GREATER_EQUAL = BTGreaterEqualStrategyNumber,
	GREATER = BTGreaterStrategyNumber,
	NOT_EQUAL = JJ_NOT_EQUAL,
	IN_NETWORK,					/* << */
	IN_NETWORK_OR_EQUAL,		/* <<=, and && for an address without netmask */
	UNKNOWN
} comparison;

static bool
selectable(int feature, jj_select_column *column)
{
	switch (feature)
	{
		case JJ_F_src_ip:
			*column = JJ_SELECT_SRC_IP;
			return true;
		case JJ_F_dst_ip:
			*column = JJ_SELECT_DST_IP;
			return true;
		case JJ_F_src_port:
			*column = JJ_SELECT_SRC_PORT;
			return true;
		case JJ_F_dst_port:
			*column = JJ_SELECT_DST_PORT;
			return true;
		case JJ_F_protocol:
			*column = JJ_SELECT_PROTOCOL;
			return true;
		case JJ_F_mac_vlan_id:
			*column = JJ_SELECT_MAC_VLAN_ID;
			return true;
		case JJ_F_start_time:
			*column = JJ_SELECT_START_TIME;
			return true;
		default:
			return false;
	}
}

static comparison
meaning(Oid operator, bool address)
{
	const Oid	family = address ? NETWORK_BTREE_FAM_OID : INTEGER_BTREE_FAM_OID;
	ListCell   *cell;

	if (address)
	{
		switch (operator)
		{
			case OID_INET_SUB_OP:
				return IN_NETWORK;
			case OID_INET_SUBEQ_OP:
			case OID_INET_OVERLAP_OP:
				return IN_NETWORK_OR_EQUAL;
			default:
				break;
		}
	}
	foreach(cell, jj_btree_interpretation(operator))
	{
		const jj_interpretation *x = lfirst(cell);

		if (x->opfamily_id == family || (x->oplefttype == TIMESTAMPTZOID && x->oprighttype == TIMESTAMPTZOID))
			return (comparison) jj_interpretation_strategy(x);
	}
	return UNKNOWN;
}

/* The column that an expression is, -1 if it is none of ours; features[] by attribute number. */
static int
column_of(const Expr *e, Index varno, const int *features, int natts)
{
	const Var  *var = (const Var *) e;

	while (e != NULL && IsA(e, RelabelType))
		e = ((const RelabelType *) e)->arg;
	var = (const Var *) e;
	if (e == NULL || !IsA(e, Var) || (Index) var->varno != varno || var->varlevelsup != 0 || var->varattno < 1 || var->varattno > natts)
		return -1;
	return features[var->varattno - 1];
}

static bool
take_apart(Expr *clause, Index varno, const int *features, int natts, parts *p)
{
	List	   *args;
	Expr	   *left;
	Expr	   *right;
	bool		swapped = false;

	memset(p, 0, sizeof(*p));
	if (IsA(clause, OpExpr))
	{
		args = ((OpExpr *) clause)->args;
		p->operator = ((OpExpr *) clause)->opno;
	}
	else if (IsA(clause, ScalarArrayOpExpr))
	{
		args = ((ScalarArrayOpExpr *) clause)->args;
		p->operator = ((ScalarArrayOpExpr *) clause)->opno;
		p->array = true;
		p->all = !((ScalarArrayOpExpr *) clause)->useOr;
	}
	else
		return false;
	if (list_length(args) != 2)
		return false;
	left = linitial(args);
	right = lsecond(args);
	if (!p->array && column_of(left, varno, features, natts) < 0)
	{
		Expr	   *x = left;

		left = right;
		right = x;
		swapped = true;
	}
	if (!selectable(column_of(left, varno, features, natts), &p->column))
		return false;
	if (swapped)
		p->operator = get_commutator(p->operator);
	p->value = right;
	p->type = getBaseType(exprType((Node *) right));
	if (p->array)
		p->type = getBaseType(get_element_type(p->type));
	return OidIsValid(p->operator) && OidIsValid(p->type);
}

static bool
is_address(jj_select_column column)
{
	return column == JJ_SELECT_SRC_IP || column == JJ_SELECT_DST_IP;
}

static bool
understood(const parts *p)
{
	comparison	c = meaning(p->operator, is_address(p->column));

	/* x <> ALL (array) is a set, x = ANY (array) too; other comparisons with arrays are rare */
	if (p->array && !(p->all ? c == NOT_EQUAL : c == EQUAL || c == IN_NETWORK || c == IN_NETWORK_OR_EQUAL))
		return false;
	if (is_address(p->column))
		return p->type == INETOID && (c == EQUAL || c == NOT_EQUAL || c == IN_NETWORK || c == IN_NETWORK_OR_EQUAL);
	if (p->column == JJ_SELECT_START_TIME)
		return p->type == TIMESTAMPTZOID && c != UNKNOWN;
	return (p->type == INT2OID || p->type == INT4OID || p->type == INT8OID) && c != UNKNOWN;
}

bool
jj_qual_selects(Expr *clause, Index varno, const int *features, int natts)
{
	parts		p;

	return take_apart(clause, varno, features, natts, &p) && understood(&p)
		&& !contain_var_clause((Node *) p.value) && !contain_volatile_functions((Node *) p.value) && !contain_subplans((Node *) p.value);
}

/* ---- execution: values */

/* One value to a range of what the engine compares; false if no value is in it. */
static bool
number_range(const parts *p, comparison c, Datum value, jj_range *r)
{
	int64		x;

	switch (p->type)
	{
		case INT2OID:
			x = DatumGetInt16(value);
			break;
		case INT4OID:
			x = DatumGetInt32(value);
			break;
		default:
			x = DatumGetInt64(value);	/* a timestamp in us, too */
			break;
	}
	r->low = PG_INT64_MIN;
	r->high = PG_INT64_MAX;
	if ((c == LESS && x == PG_INT64_MIN) || (c == GREATER && x == PG_INT64_MAX))
		return false;
	if (c == EQUAL || c == NOT_EQUAL || c == GREATER_EQUAL)
		r->low = x;
	if (c == GREATER)
		r->low = x + 1;
	if (c == EQUAL || c == NOT_EQUAL || c == LESS_EQUAL)
		r->high = x;
	if (c == LESS)
		r->high = x - 1;
	if (p->column == JJ_SELECT_START_TIME)
	{
		/* us since 2000 to ns since 1970; a row's time is cut to us */
		const int64 shift = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
		const int64 most = PG_INT64_MAX / 1000 - 1;

		r->low = r->low > most - shift ? PG_INT64_MAX : r->low < -most - shift ? PG_INT64_MIN : (r->low + shift) * 1000;
		r->high = r->high > most - shift ? PG_INT64_MAX : r->high < -most - shift ? PG_INT64_MIN : (r->high + shift) * 1000 + 999;
	}
	return true;
}

/* One address or network to a prefix; false if no host's address meets it. */
static bool
address_prefix(comparison c, Datum value, jj_prefix *x)
{
	const inet *i = DatumGetInetPP(value);
	const bool	v4 = ip_family(i) == PGSQL_AF_INET;

	memset(x, 0, sizeof(*x));
	x->version = v4 ? 4 : 6;
	x->bits = (uint8) ip_bits(i);
	if (v4)
		memset(x->address + 10, 0xff, 2);
	memcpy(x->address + (v4 ? 12 : 0), ip_addr(i), v4 ? 4 : 16);
	if (c == EQUAL || c == NOT_EQUAL)
		return ip_bits(i) == ip_maxbits(i);
	return c == IN_NETWORK_OR_EQUAL || ip_bits(i) < ip_maxbits(i);
}

static int
by_low(const void *a, const void *b)
{
	const jj_range *x = a;
	const jj_range *y = b;

	return x->low < y->low ? -1 : x->low > y->low ? 1 : 0;
}

/* Ascending, and apart from each other. */
static uint32
join_ranges(jj_range *r, uint32 n)
{
	uint32		kept = 0;

	qsort(r, n, sizeof(*r), by_low);
	for (uint32 i = 0; i < n; i++)
	{
		if (kept > 0 && r[i].low <= r[kept - 1].high)
			r[kept - 1].high = Max(r[kept - 1].high, r[i].high);
		else
			r[kept++] = r[i];
	}
	return kept;
}

/* Fill in the condition; false if everything meets it, NULL too. */
static bool
make_condition(const parts *p, Datum *values, const bool *nulls, int n, jj_condition *condition)
{
	const comparison c = meaning(p->operator, is_address(p->column));
	jj_range   *range = palloc(sizeof(jj_range) * (size_t) Max(n, 1));
	jj_prefix  *prefix = palloc(sizeof(jj_prefix) * (size_t) Max(n, 1));
	uint32		used = 0;

	if (p->all && n == 0)
		return false;
	memset(condition, 0, sizeof(*condition));
	condition->column = (uint8) p->column;
	condition->negated = c == NOT_EQUAL;
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
		{
			/* never true for x <> NULL and all of an array with it, nor by this element for x = ANY */
			if (c != NOT_EQUAL && p->array)
				continue;
			condition->negated = false;
			used = 0;
			break;
		}
		if (is_address(p->column))
			used += address_prefix(c, values[i], &prefix[used]);
		else
			used += number_range(p, c, values[i], &range[used]);
	}
	condition->range = range;
	condition->prefix = prefix;
	condition->n = is_address(p->column) ? used : join_ranges(range, used);
	return true;
}

static bool
condition_of(const parts *p, ExprState *state, ExprContext *context, jj_condition *condition)
{
	bool		null;
	Datum		value = ExecEvalExpr(state, context, &null);
	Datum	   *values = &value;
	bool	   *nulls = &null;
	int			n = 1;

	if (p->array && !null)
	{
		int16		length;
		bool		by_value;
		char		alignment;

		get_typlenbyvalalign(p->type, &length, &by_value, &alignment);
		deconstruct_array(DatumGetArrayTypeP(value), p->type, length, by_value, alignment, &values, &nulls, &n);
	}
	else if (p->array)
	{
		/* x = ANY (NULL) is never true */
		memset(condition, 0, sizeof(*condition));
		condition->column = (uint8) p->column;
		return true;
	}
	return make_condition(p, values, nulls, n, condition);
}

List *
jj_quals_prepare(List *clauses, Index varno, const int *features, int natts, PlanState *parent)
{
	List	   *states = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
	{
		parts		p;

		if (!take_apart(lfirst(cell), varno, features, natts, &p))
			elog(ERROR, "a condition of the plan is not understood");
		states = lappend(states, ExecInitExpr(p.value, parent));
	}
	return states;
}

bool
jj_qual_on_address(Expr *clause, Index varno, const int *features, int natts)
{
	parts		p;

	return take_apart(clause, varno, features, natts, &p) && is_address(p.column);
}

const jj_selection *
jj_quals_select(List *clauses, List *states, Index varno, const int *features, int natts, bool addresses, ExprContext *context)
{
	jj_selection *selection;
	jj_condition *condition;
	ListCell   *clause;
	ListCell   *state;

	if (clauses == NIL)
		return NULL;
	selection = palloc0(sizeof(jj_selection));
	condition = palloc(sizeof(jj_condition) * (size_t) list_length(clauses));
	forboth(clause, clauses, state, states)
	{
		parts		p;

		take_apart(lfirst(clause), varno, features, natts, &p);
		if (addresses || !is_address(p.column))
			selection->n += condition_of(&p, lfirst(state), context, &condition[selection->n]);
	}
	selection->condition = condition;
	return selection;
}
