/*
 * From the registry: the install script (its template comes on standard input)
 * or FEATURES.md. A program of the build.
 *
 *     generate sql <sql/joyfuljay.sql.in >sql/joyfuljay--VERSION.sql
 *     generate markdown >FEATURES.md
 */
#include "features/row.h"

#include <stdio.h>
#include <string.h>

static bool
given(const char *text)
{
	return strcmp(text, "-") != 0;
}

/* A text of some columns, each letter in front of which there must be something else. */
static void
put_escaped(const char *text, const char *special, char escape)
{
	for (; *text != '\0'; text++)
	{
		if (strchr(special, *text) != NULL)
			putchar(escape);
		putchar(*text);
	}
}

static void
put_type(void)
{
	puts("CREATE TYPE jj_flow AS (");
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		printf("\t%s %s%s\n", jj_feature_table[f].name, jj_type_sql((jj_type) jj_feature_table[f].type), f + 1 < JJ_FEATURES ? "," : "");
	puts(");\n");
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_feature_info *i = &jj_feature_table[f];

		printf("COMMENT ON COLUMN jj_flow.%s IS '", i->name);
		put_escaped(i->definition, "'", '\'');
		if (given(i->unit))
		{
			printf(" Unit: ");
			put_escaped(i->unit, "'", '\'');
			putchar('.');
		}
		if (given(i->null_when))
		{
			printf(" NULL: ");
			put_escaped(i->null_when, "'", '\'');
			putchar('.');
		}
		puts("';");
	}
}

static const struct
{
	const char *name;
	jj_type		type;
	const char *definition;
}			packet_columns[] = {
#define JJ_COLUMN(name, type, definition) {#name, JJ_##type, definition},
#include "pg/packets.def"
#undef JJ_COLUMN
};

static void
put_packet_type(void)
{
	const size_t n = sizeof(packet_columns) / sizeof(packet_columns[0]);

	puts("CREATE TYPE jj_packet AS (");
	for (size_t i = 0; i < n; i++)
		printf("\t%s %s%s\n", packet_columns[i].name, jj_type_sql(packet_columns[i].type), i + 1 < n ? "," : "");
	puts(");\n");
	for (size_t i = 0; i < n; i++)
	{
		printf("COMMENT ON COLUMN jj_packet.%s IS '", packet_columns[i].name);
		put_escaped(packet_columns[i].definition, "'", '\'');
		puts("';");
	}
}

static int
put_sql(void)
{
	char		line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		if (strcmp(line, "@jj_flow@\n") == 0)
			put_type();
		else if (strcmp(line, "@jj_packet@\n") == 0)
			put_packet_type();
		else
			fputs(line, stdout);
	}
	return ferror(stdin) ? 1 : 0;
}

static void
put_cell(const char *text)
{
	printf(" | ");
	if (given(text))
		put_escaped(text, "|\\<*_", '\\');
}

static void
put_group(unsigned g)
{
	printf("\n## %s\n\n| Column | Type | Unit | Tier | Definition | NULL | jj_fill | Difference from the Python library |\n|---|---|---|---|---|---|---|---|\n",
		   jj_group_name[g]);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_feature_info *i = &jj_feature_table[f];

		if (i->group != g)
			continue;
		printf("| `%s` | %s", i->name, jj_type_sql((jj_type) i->type));
		put_cell(i->unit);
		printf(" | %s", jj_tier_name[i->tier]);
		put_cell(i->definition);
		put_cell(i->null_when);
		put_cell(i->fill);
		put_cell(i->deviation);
		puts(" |");
	}
}

static void
put_markdown(void)
{
	printf("# Features\n\n"
		   "The %d columns of jj_flow, by group; generated from src/features/features.def. In SQL: the view jj_features, which also says\n"
		   "which groups are built, and the comments on the columns of jj_flow (`\\d+ jj_flow`).\n\n"
		   "NULL means not applicable or not observed; an empty cell means never, as far as the group is built and asked for. Tiers\n"
		   "CORE, EXTENDED and EXPERIMENTAL are the profiles JJ-CORE, JJ-EXTENDED and JJ-EXPERIMENTAL of the Python library joyfuljay 0.1.6.1;\n"
		   "ADDED columns are new. The column jj_fill says what the function of that name puts in place of NULL, as that library does;\n"
		   "the last column where a value is meant to differ from that library's (\"upstream\").\n",
		   JJ_FEATURES);
	for (unsigned g = 0; g < JJ_GROUPS; g++)
		put_group(g);
}

int
main(int argc, char **argv)
{
	int			status = 0;

	if (argc == 2 && strcmp(argv[1], "sql") == 0)
		status = put_sql();
	else if (argc == 2 && strcmp(argv[1], "markdown") == 0)
		put_markdown();
	else
	{
		fputs("usage: generate sql|markdown\n", stderr);
		return 2;
	}
	return status != 0 || fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
