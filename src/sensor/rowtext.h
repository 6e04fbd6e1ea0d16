/*
 * Rows as lines of text: CSV and JSON.
 *
 * CSV is that of RFC 4180 with a header line, and what COPY ... WITH (FORMAT
 * csv, HEADER) reads into columns of jj_flow's types: NULL is an empty field,
 * an empty text is "", arrays are PostgreSQL's ({1,2}), times are UTC.
 *
 * JSON is an object a line (RFC 8259), without the columns that are NULL. The
 * values are those of PostgreSQL's to_json: arrays are arrays, times are ISO
 * 8601 in UTC, bytea is text that begins with \x. Integers are written as they
 * are, also beyond 2^53.
 *
 * Doubles have as many digits as make the same double when they are read.
 * Texts are valid UTF-8: other bytes, and zeros, become \xHH, as in the server.
 */
#ifndef JJ_ROWTEXT_H
#define JJ_ROWTEXT_H

#include "sensor/rowstream.h"

/* Append to what is to be sent; JJ_ERR_NOMEM leaves what is there as it was. */
extern jj_code jj_rowtext_csv_header(jj_rowstream_writer *w, const jj_feature_set *features, jj_error *err);
extern jj_code jj_rowtext_csv(jj_rowstream_writer *w, const jj_feature_set *features, const jj_row *row, jj_error *err);
extern jj_code jj_rowtext_json(jj_rowstream_writer *w, const jj_row *row, jj_error *err);

#endif
