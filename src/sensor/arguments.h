/*
 * jj-sensor's command line.
 */
#ifndef JJ_ARGUMENTS_H
#define JJ_ARGUMENTS_H

#include "capture/live.h"
#include "features/options.h"
#include "sensor/output.h"

/* Exit statuses. */
#define JJ_EXIT_OK 0			/* came to its end, or was told to end */
#define JJ_EXIT_FAILED 1		/* could not begin or go on */
#define JJ_EXIT_USAGE 2
#define JJ_EXIT_GONE 3			/* the interface has gone */
#define JJ_EXIT_READER 4		/* nobody reads the output any more; rows were not written */

typedef enum jj_action
{
	JJ_DO_LIVE,
	JJ_DO_FILES,
	JJ_DO_INTERFACES,
	JJ_DO_FEATURES,
	JJ_DO_OPTIONS,
	JJ_DO_VERSION,
	JJ_DO_HELP
} jj_action;

typedef struct jj_arguments
{
	jj_action	action;
	const char *program;		/* as it was called */
	const char *interface;
	char	  **files;			/* n_files of them; part of argv */
	int			n_files;
	const char *filter;			/* NULL: none */
	const char *output;			/* "-": standard output */
	jj_output_format format;
	bool		overwrite;
	const char *name;			/* for column capture; NULL: the file's or interface's */
	const char *key_file;		/* with the secret for option anonymize_ips; NULL: none */
	const char *user;			/* to change to, when started as root */
	bool		seccomp;
	bool		quiet;
	int64_t		duration;		/* ns; JJ_INFINITE: none */
	uint64_t	count;			/* packets to read; UINT64_MAX: no limit */
	jj_live_options live;
	jj_call_options options;
} jj_arguments;

/* False, after a message on standard error, if they make no sense. argv's texts are used; files is from malloc(3). */
extern bool jj_arguments_parse(jj_arguments *a, int argc, char **argv);

extern void jj_arguments_help(void);

#endif
