/*
 * Where a capture's finished flows come from: the engine in the worker, reading
 * the interface itself (feed_direct.c), or the program jj-sensor, which does
 * the same and sends them through a pipe (feed_sensor.c).
 */
#ifndef JJ_FEED_H
#define JJ_FEED_H

#include "pg/capture.h"

typedef struct jj_feed jj_feed;

/* Takes a finished flow, which is valid during the call. */
typedef void (*jj_feed_taker) (void *arg, const jj_row *row);

/* Whether it is better to take the next one now than to leave it where it is for a while. */
typedef bool (*jj_feed_asker) (void *arg);

/* What to capture. Stays the caller's, as long as the feed. */
typedef struct jj_feed_request
{
	const char *source;
	const char *filter;			/* NULL: none */
	const jj_capture_options *options;	/* with the features to compute */
	jj_feed_taker take;
	jj_feed_asker has_room;
	void	   *arg;
} jj_feed_request;

struct jj_feed
{
	const jj_feed_request *request;
	const char *how;			/* worker or sensor */
	bool		ready;			/* the interface is open */
	int			fd;				/* becomes readable when there is something to pump */
	uint64		count[JJ_COUNTS];	/* since it was opened, what is known of the source and its flows; the others stay 0 */
	jj_error	error;			/* of the failure that ended it */
	char		warning[JJ_MESSAGE_SIZE];	/* what is not as it should be, for the caller to report and clear */

	/* read what is there, for at most ms; true: there is more. Never waits. After a failure, which is in error, only close makes sense. */
	bool		(*pump) (jj_feed *feed, int ms);

	/* bring count up to date, let time go on; to be called about once a second. Failures as those of pump. */
	void		(*tick) (jj_feed *feed);

	/* no more packets, after those that are there, for which ms are given: flows end; pump gives them until there are no more */
	void		(*finish) (jj_feed *feed, int ms);
	void		(*close) (jj_feed *feed);
};

/* What every loop that takes a while does at least each 100 ms. Cancelling is for statements, of which none runs then. */
static inline void
jj_check_interrupts(void)
{
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
}

/* NULL and *error filled in if the interface can't be opened, or the program not started. In the current memory context. */
extern jj_feed *jj_feed_direct(const jj_feed_request *request, jj_error *error);
extern jj_feed *jj_feed_sensor(const jj_feed_request *request, jj_error *error);

/* As the option isolation says. */
extern jj_feed *jj_feed_open(const jj_feed_request *request, jj_error *error);

#endif
