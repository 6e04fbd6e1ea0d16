/*
 * Where jj-sensor's rows go: a descriptor, in one of the formats.
 */
#ifndef JJ_OUTPUT_H
#define JJ_OUTPUT_H

#include "sensor/rowstream.h"

#include <signal.h>

typedef enum jj_output_format
{
	JJ_OUTPUT_JSONL,
	JJ_OUTPUT_CSV,
	JJ_OUTPUT_BINARY			/* a row stream */
} jj_output_format;

typedef struct jj_output
{
	jj_output_format format;
	int			fd;
	const char *name;			/* for messages */
	const jj_feature_set *features;
	jj_rowstream_writer writer;	/* what is not written yet */
	volatile sig_atomic_t *stop;			/* set to 2 by a signal handler: give up, even if that loses rows */
	uint64_t	rows;			/* written, with the buffer's */
	uint64_t	rows_flushed;	/* written to the descriptor */
	bool		reader_gone;	/* nobody reads the pipe or socket any more */
} jj_output;

/* features, name and stop stay the caller's. The descriptor is not closed. */
extern void jj_output_init(jj_output *o, jj_output_format format, int fd, const char *name, const jj_feature_set *features,
						   volatile sig_atomic_t *stop, const jj_allocator *a);

/*
 * The header, a row. What has gathered is written when it is much; these wait
 * while the other side does not read. JJ_ERR_IO: writing failed; with
 * reader_gone, since nobody reads any more, or with *stop 2.
 */
extern jj_code jj_output_header(jj_output *o, jj_error *err);
extern jj_code jj_output_row(jj_output *o, const jj_row *row, jj_error *err);

/* Write what there is. */
extern jj_code jj_output_flush(jj_output *o, jj_error *err);

extern void jj_output_free(jj_output *o);

#endif
