/*
 * What makes measure.c a module that PostgreSQL loads.
 */
#include "postgres.h"

#include "fmgr.h"

#include "analysis/graph.h"
#include "features/engine.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = JJ_GRAPH_MODULE, .version = JJ_VERSION);
#else
PG_MODULE_MAGIC;
#endif
