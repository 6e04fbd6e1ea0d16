/*
 * Packets to pcap files, by libpcap, the next file when one is large or old.
 */
#include "pg/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <time.h>
#include <unistd.h>

#define PAUSE 10000				/* ms after a failure */
#define RECORD_HEADER 16
#define FILE_HEADER 24

struct jj_saver
{
	char	   *prefix;
	int64		bytes;			/* of a file, at most */
	int64		interval;		/* ns */
	int			files;			/* kept, 0 = all */
	char	  **name;			/* of the last files, a ring of that many */
	uint64		number;			/* of files so far */
	pcap_t	   *pcap;			/* link type, precision */
	pcap_dumper_t *dumper;		/* NULL: no file is open */
	int64		written;		/* bytes in it */
	int64		begin;			/* time of its first packet */
	TimestampTz retry;			/* after a failure */
	char		error[512];
};

static void
fail(jj_saver *s, const char *what, const char *name)
{
	snprintf(s->error, sizeof(s->error), "could not %s \"%s\": %s", what, name, strerror(errno));
	s->retry = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PAUSE);
}

jj_saver *
jj_saver_open(const jj_capture_options *o, uint32 link)
{
	jj_saver   *s = palloc0(sizeof(jj_saver));
	const char *link_name = jj_link_name(link);
	int			dlt = link_name == NULL ? -1 : pcap_datalink_name_to_val(link_name);

	s->prefix = pstrdup(o->save_pcap);
	s->bytes = o->save_bytes;
	s->interval = o->save_interval;
	s->files = o->save_files;
	if (s->files > 0)
		s->name = palloc0(sizeof(char *) * (size_t) s->files);
	s->pcap = pcap_open_dead_with_tstamp_precision(dlt >= 0 ? dlt : (int) link, (int) o->live.snaplen, PCAP_TSTAMP_PRECISION_NANO);
	if (s->pcap == NULL)
	{
		errno = ENOMEM;
		fail(s, "save packets to", s->prefix);
	}
	return s;
}

static void
close_file(jj_saver *s)
{
	if (s->dumper != NULL)
		pcap_dump_close(s->dumper);
	s->dumper = NULL;
}

/* Begin the next file, for a packet at time ts; remove the oldest one if there are enough. */
static bool
next_file(jj_saver *s, int64 ts)
{
	time_t		seconds = (time_t) (ts / 1000000000);
	struct tm	tm;
	char		text[32];
	char	   *name;
	FILE	   *file;
	char	  **place = s->files > 0 ? &s->name[s->number % (uint64) s->files] : NULL;

	close_file(s);
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
	name = psprintf("%s-%s-%04llu.pcap", s->prefix, text, (unsigned long long) s->number + 1);

	/* a new file, never one that is there */
	file = fopen(name, "wxe");
	if (file == NULL)
	{
		fail(s, "create file", name);
		pfree(name);
		return false;
	}
	s->dumper = pcap_dump_fopen(s->pcap, file);
	if (s->dumper == NULL)
	{
		fail(s, "write to file", name);
		fclose(file);
		pfree(name);
		return false;
	}
	s->number++;
	s->written = FILE_HEADER;
	s->begin = ts;
	if (place != NULL)
	{
		if (*place != NULL)
		{
			if (unlink(*place) != 0 && errno != ENOENT)
				fail(s, "remove file", *place);
			pfree(*place);
		}
		*place = name;
	}
	else
		pfree(name);
	return true;
}

uint32
jj_saver_write(jj_saver *s, const jj_frame *frames, uint32 n)
{
	uint32		i;

	if (s->pcap == NULL)
		return 0;
	if (s->retry != 0)
	{
		if (GetCurrentTimestamp() < s->retry)
			return 0;
		s->retry = 0;
	}
	for (i = 0; i < n; i++)
	{
		const jj_frame *f = &frames[i];
		struct pcap_pkthdr h = {0};

		if (s->dumper == NULL || (s->written > FILE_HEADER && s->written + RECORD_HEADER + f->caplen > s->bytes) || f->ts - s->begin >= s->interval)
			if (!next_file(s, f->ts))
				return i;
		h.ts.tv_sec = (time_t) (f->ts / 1000000000);
		h.ts.tv_usec = (suseconds_t) (f->ts % 1000000000);
		h.caplen = f->caplen;
		h.len = f->wirelen;
		errno = 0;
		pcap_dump((u_char *) s->dumper, &h, f->data);
		if (ferror(pcap_dump_file(s->dumper)))
		{
			fail(s, "write to a file of", s->prefix);
			close_file(s);
			return i;
		}
		s->written += RECORD_HEADER + f->caplen;
	}
	return n;
}

void
jj_saver_flush(jj_saver *s)
{
	if (s->dumper == NULL || pcap_dump_flush(s->dumper) == 0)
		return;
	fail(s, "write to a file of", s->prefix);
	close_file(s);
}

const char *
jj_saver_error(jj_saver *s)
{
	static char last[sizeof(s->error)];

	if (s->error[0] == '\0')
		return NULL;
	strlcpy(last, s->error, sizeof(last));
	s->error[0] = '\0';
	return last;
}

void
jj_saver_close(jj_saver *s)
{
	close_file(s);
	if (s->pcap != NULL)
		pcap_close(s->pcap);
	s->pcap = NULL;
}
