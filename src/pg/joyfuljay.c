/*
 * The module: loading.
 */
#include "pg/capture.h"
#include "pg/insert.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "joyfuljay", .version = JJ_VERSION);
#else
PG_MODULE_MAGIC;
#endif

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	jj_privacy_init();
	jj_launcher_init();
	jj_capture_init();
	jj_settings_init();
	jj_scan_init();
	jj_plan_init();
	jj_insert_scan_init();
}
