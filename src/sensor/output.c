/*
 * Rows to a descriptor.
 */
#include "sensor/output.h"
#include "sensor/rowtext.h"

#include <errno.h>
#include <unistd.h>

#define ENOUGH 65536			/* bytes to be written at once */

void
jj_output_init(jj_output *o, jj_output_format format, int fd, const char *name, const jj_feature_set *features,
			   volatile sig_atomic_t *stop, const jj_allocator *a)
{
	memset(o, 0, sizeof(*o));
	o->format = format;
	o->fd = fd;
	o->name = name;
	o->features = features;
	o->stop = stop;
	jj_rowstream_writer_init(&o->writer, a);
}

void
jj_output_free(jj_output *o)
{
	jj_rowstream_writer_free(&o->writer);
}

static jj_code
reader_gone(const jj_output *o, jj_error *err)
{
	return jj_fail(err, JJ_ERR_IO, "nobody reads output \"%.150s\" any more", o->name);
}

jj_code
jj_output_flush(jj_output *o, jj_error *err)
{
	jj_rowstream_writer *w = &o->writer;
	size_t		done = 0;
	jj_code		code = JJ_OK;

	if (o->reader_gone)
		return reader_gone(o, err);
	while (code == JJ_OK && done < w->used)
	{
		const ssize_t n = *o->stop < 2 ? write(o->fd, w->bytes + done, w->used - done) : -1;
		const int	problem = errno;

		if (n >= 0)
			done += (size_t) n;
		else if (*o->stop >= 2)
			code = jj_fail(err, JJ_ERR_IO, "interrupted while writing output \"%.150s\"", o->name);
		else if (problem == EPIPE || problem == ECONNRESET)
		{
			o->reader_gone = true;
			code = reader_gone(o, err);
		}
		else if (problem != EINTR)
		{
			code = jj_fail(err, JJ_ERR_IO, "could not write output \"%.150s\": %s", o->name, strerror(problem));
			if (err != NULL)
				err->sys_errno = problem;
		}
	}
	/* what is written is so, also before a failure */
	jj_rowstream_sent(w, done);
	if (code == JJ_OK)
		o->rows_flushed = o->rows;
	return code;
}

jj_code
jj_output_header(jj_output *o, jj_error *err)
{
	switch (o->format)
	{
		case JJ_OUTPUT_CSV:
			return jj_rowtext_csv_header(&o->writer, o->features, err);
		case JJ_OUTPUT_BINARY:
			return jj_rowstream_header(&o->writer, o->features, err);
		case JJ_OUTPUT_JSONL:
			break;
	}
	return JJ_OK;
}

jj_code
jj_output_row(jj_output *o, const jj_row *row, jj_error *err)
{
	jj_code		code = JJ_OK;

	switch (o->format)
	{
		case JJ_OUTPUT_CSV:
			code = jj_rowtext_csv(&o->writer, o->features, row, err);
			break;
		case JJ_OUTPUT_BINARY:
			code = jj_rowstream_row(&o->writer, row, err);
			break;
		case JJ_OUTPUT_JSONL:
			code = jj_rowtext_json(&o->writer, row, err);
			break;
	}
	if (code != JJ_OK)
		return code;
	o->rows++;
	return o->writer.used >= ENOUGH ? jj_output_flush(o, err) : JJ_OK;
}
