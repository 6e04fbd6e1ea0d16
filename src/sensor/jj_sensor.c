/*
 * jj-sensor: flows of an interface or of capture files, without a server. It
 * opens what it is told, gives up every privilege, and runs the engine.
 */
#include "sensor/arguments.h"
#include "sensor/run.h"
#include "sensor/sandbox.h"

#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void) number;
	if (stop < 2)
		stop++;
}

static void
handle_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction handle = {.sa_handler = on_signal};	/* no SA_RESTART: waiting ends */
	sigset_t	none;

	sigemptyset(&handle.sa_mask);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
	{
		struct sigaction before;

		/* as under nohup(1) */
		if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN && ends[i] == SIGHUP)
			continue;
		(void) sigaction(ends[i], &handle, NULL);
	}
	(void) sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
print_addresses(const jj_interface *i)
{
	for (uint32_t k = 0; k < i->n_addresses; k++)
	{
		const jj_interface_address *x = &i->addresses[k];
		char		text[INET6_ADDRSTRLEN];

		if (inet_ntop(x->version == 4 ? AF_INET : AF_INET6, x->version == 4 ? x->address + 12 : x->address, text, sizeof(text)) != NULL)
			printf("%s%s/%u", k > 0 ? "," : "", text, x->prefix);
	}
}

static int
list_interfaces(void)
{
	const jj_allocator a = jj_malloc_allocator();
	jj_interface_list *list;
	const jj_interface *i;
	jj_error	err;
	uint32_t	n;

	if (jj_interfaces_open(&list, &a, &err) != JJ_OK)
	{
		jj_say_error(&err);
		return JJ_EXIT_FAILED;
	}
	i = jj_interfaces_get(list, &n);
	for (uint32_t k = 0; k < n; k++)
	{
		printf("%s\t%s%s\t", i[k].name, i[k].up ? i[k].running ? "running" : "up" : "down", i[k].loopback ? ",loopback" : "");
		print_addresses(&i[k]);
		printf("\t%s\n", i[k].description);
	}
	jj_interfaces_close(list);
	return JJ_EXIT_OK;
}

static void
list_features(void)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_feature_info *i = &jj_feature_table[f];

		printf("%s\t%s\t%s\t%s\t%s\n", i->name, jj_group_name[i->group], jj_type_sql((jj_type) i->type), jj_tier_name[i->tier], i->definition);
	}
}

static void
list_options(void)
{
	for (int i = 0; i < JJ_OPTIONS; i++)
	{
		jj_option_text initial;
		jj_option_text range;

		jj_option_initial((jj_option_id) i, &initial);
		jj_option_range(&jj_option_table[i], &range);
		printf("%s\t%s\t%s\t%s\n", jj_option_table[i].name, initial.text, range.text, jj_option_table[i].meaning);
	}
}

static void
print_version(void)
{
	printf("jj-sensor %s, %d columns, %s\n", JJ_VERSION, JJ_FEATURES, pcap_lib_version());
	printf("system calls are %s\n", jj_sandbox_filters() ? "limited by seccomp" : "not limited: built without libseccomp");
}

int
main(int argc, char **argv)
{
	jj_arguments a;
	int			status = JJ_EXIT_OK;

	if (!jj_arguments_parse(&a, argc, argv))
	{
		free(a.files);
		return JJ_EXIT_USAGE;
	}
	switch (a.action)
	{
		case JJ_DO_LIVE:
		case JJ_DO_FILES:
			handle_signals();
			status = jj_run(&a, &stop);
			break;
		case JJ_DO_INTERFACES:
			status = list_interfaces();
			break;
		case JJ_DO_FEATURES:
			list_features();
			break;
		case JJ_DO_OPTIONS:
			list_options();
			break;
		case JJ_DO_VERSION:
			print_version();
			break;
		case JJ_DO_HELP:
			jj_arguments_help();
			break;
	}
	free(a.files);
	if (a.action > JJ_DO_FILES && (fflush(stdout) != 0 || ferror(stdout)))
		return JJ_EXIT_FAILED;
	return status;
}
