/*
 * Live captures: what the SQL functions (capture.c) and the worker (worker.c)
 * share.
 */
#ifndef JJ_CAPTURE_H
#define JJ_CAPTURE_H

#include "pg/pg.h"
#include "pg/workers.h"

#include "capture/live.h"
#include "features/parse.h"

typedef enum jj_isolation
{
	JJ_ISOLATION_AUTO,			/* in the worker where it may open the interface, else by jj-sensor */
	JJ_ISOLATION_WORKER,
	JJ_ISOLATION_SENSOR
} jj_isolation;

/* Options of a capture, those of jj_extract in call. */
typedef struct jj_capture_options
{
	jj_live_options live;
	int			isolation;		/* jj_isolation */
	int			batch_rows;		/* rows in one INSERT, at most */
	int64		batch_interval; /* ns that a finished flow waits for others */
	int64		queue_bytes;	/* of finished flows that wait */
	char	   *save_pcap;		/* beginning of file names, absolute; NULL: packets are not saved */
	int64		save_bytes;		/* of a file */
	int64		save_interval;	/* ns of packets in a file */
	int			save_files;		/* kept, 0 = all */
	jj_call_options call;
	Jsonb	   *rest;			/* the options of jj_extract as they were given */
} jj_capture_options;

/* The settings, changed by the given options (a jsonb object). Errors as jj_options_from_jsonb. */
extern void jj_capture_options_from_jsonb(jj_capture_options *o, Jsonb *options);

/* The option for which packets must be handled in the worker, NULL if there is none. */
extern const char *jj_capture_needs_worker(const jj_capture_options *o);

/* A row of joyfuljay.capture; palloc'd strings in the server's encoding. */
typedef struct jj_capture_row
{
	char	   *name;
	char	   *source;
	char	   *target;			/* with schema, quoted where needed */
	char	   *filter;			/* NULL: none */
	Jsonb	   *options;
	char	   *owner;
	bool		enabled;
	TimestampTz ends;			/* DT_NOEND: never */
} jj_capture_row;

/* Read the row; false if there is none. Needs a transaction. */
extern bool jj_capture_read(const char *name, jj_capture_row *row);

/* Set column enabled to false. Needs a transaction. */
extern void jj_capture_disable(const char *name);

/* Path of the program jj-sensor: the setting, or beside the server's programs. */
extern const char *jj_sensor_program(void);

extern void jj_capture_init(void);

/* ---- save.c: packets to pcap files */

typedef struct jj_saver jj_saver;

/*
 * Files PREFIX-YYYYMMDDThhmmssZ-NNNN.pcap (time in UTC of their first packet, nanoseconds), in the
 * current memory context; the next one is begun when save_bytes are written or
 * save_interval has passed since the file's first packet. Never an error: jj_saver_error says what went wrong.
 */
extern jj_saver *jj_saver_open(const jj_capture_options *o, uint32 link);

/* How many of the frames have been saved. After a failure none are, for ten seconds; then it tries again. */
extern uint32 jj_saver_write(jj_saver *s, const jj_frame *frames, uint32 n);

/* What is buffered goes to the file. */
extern void jj_saver_flush(jj_saver *s);

/* What went wrong since the last call, NULL if nothing. */
extern const char *jj_saver_error(jj_saver *s);
extern void jj_saver_close(jj_saver *s);

/* ---- queue.c: finished flows that wait for being written */

typedef struct jj_queue jj_queue;

/* At most so many bytes, in the current memory context. */
extern jj_queue *jj_queue_create(int64 bytes);

/* Add a copy of the row, which came at time now; false if there is no room. */
extern bool jj_queue_add(jj_queue *q, const jj_row *row, TimestampTz now);

extern uint64 jj_queue_rows(const jj_queue *q);
extern uint64 jj_queue_bytes(const jj_queue *q);

/* When the oldest row came, 0 if there is none. */
extern TimestampTz jj_queue_oldest(const jj_queue *q);

/* Read from the oldest row on, again after jj_queue_rewind. NULL: that was the last one. Valid until the next call of any of these. */
extern const jj_row *jj_queue_next(jj_queue *q);
extern void jj_queue_rewind(jj_queue *q);

/* Forget the n oldest rows, and rewind. */
extern void jj_queue_forget(jj_queue *q, uint64 n);

#endif
