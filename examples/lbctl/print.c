/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool coloured;

void print_init(void)
{
	const char *no = getenv("NO_COLOR");

	coloured = isatty(STDOUT_FILENO) && !(no && *no);
}

/* ---- Parts ---- */

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static const char *colour_of(const char *state)
{
	static const struct {
		const char *state, *colour;
	} known[] = {{"MASTER", "\033[32m"}, {"up", "\033[32m"},       {"FAULT", "\033[31m"},
		     {"down", "\033[31m"},   {"lost", "\033[31m"},     {"gained", "\033[32m"},
		     {"drain", "\033[33m"},  {"disabled", "\033[33m"}, {"waiting", "\033[33m"},
		     {"BACKUP", "\033[36m"}, {"STOP", "\033[33m"}};

	for (size_t i = 0; coloured && i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i].state, state))
			return known[i].colour;
	return "";
}

/* A state in its colour, with blanks up to `width`. */
static void put_state(const char *state, int width)
{
	const char *colour = colour_of(state);

	printf("%s%s%s%*s", colour, state, *colour ? "\033[0m" : "",
	       width > (int)strlen(state) ? width - (int)strlen(state) : 0, "");
}

/* What a server or another program chose may not steer the terminal. */
static void put_safe(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static const char *ago(double when, char buf[32])
{
	double s = (double)time(NULL) - when;

	if (when <= 0)
		return "-";
	if (s < 120)
		snprintf(buf, 32, "%.0f s", s < 0 ? 0 : s);
	else if (s < 7200)
		snprintf(buf, 32, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(buf, 32, "%.0f h", s / 3600);
	else
		snprintf(buf, 32, "%.0f d", s / 86400);
	return buf;
}

static int widest(const json_t *list, const char *key, int least)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		int n = (int)strlen(text(o, key));

		least = n > least ? n : least;
	}
	return least;
}

/* ---- status ---- */

static void print_instances(const json_t *list)
{
	int name = widest(list, "name", 8), interface = widest(list, "interface", 9);
	const json_t *o;
	char since[32];
	size_t i;

	if (!json_array_size(list))
		return;
	printf("\n%-*s  STATE   FOR      PRIO  %-*s  VRID  WHY\n", name, "INSTANCE", interface,
	       "INTERFACE");
	json_array_foreach(list, i, o)
	{
		printf("%-*s  ", name, text(o, "name"));
		put_state(text(o, "state"), 6);
		printf("  %-7s  %4.0f  %-*s  %4.0f  ", ago(number(o, "since"), since),
		       number(o, "effective_priority"), interface, text(o, "interface"),
		       number(o, "vrid"));
		put_safe(text(o, "why"));
		puts(flag(o, "held") ? " (held)" : "");
	}
}

static void print_groups(const json_t *list)
{
	const json_t *o, *member;
	char since[32];
	size_t i, m;

	if (!json_array_size(list))
		return;
	printf("\n%-*s  STATE   FOR      MEMBERS\n", widest(list, "name", 8), "GROUP");
	json_array_foreach(list, i, o)
	{
		printf("%-*s  ", widest(list, "name", 8), text(o, "name"));
		put_state(text(o, "state"), 6);
		printf("  %-7s ", ago(number(o, "since"), since));
		json_array_foreach(json_object_get(o, "members"), m, member)
		    printf(" %s", json_string_value(member));
		putchar('\n');
	}
}

static void print_virtuals(const json_t *list)
{
	int name = widest(list, "name", 14);
	const json_t *o;
	size_t i;

	if (!json_array_size(list))
		return;
	printf("\n%-*s  STATE  SERVERS  WEIGHT  QUORUM  SCHEDULER\n", name, "VIRTUAL SERVER");
	json_array_foreach(list, i, o)
	{
		const json_t *sorry = json_object_get(o, "sorry_server");
		char up[32];

		snprintf(up, sizeof(up), "%.0f/%.0f", number(o, "real_servers_up"),
			 number(o, "real_servers_all"));
		printf("%-*s  ", name, text(o, "name"));
		put_state(flag(o, "up") ? "up" : "down", 5);
		printf("  %7s  %6.0f  %6.0f  %s", up, number(o, "live_weight"), number(o, "quorum"),
		       text(o, "scheduler"));
		if (flag(sorry, "in_use"))
			printf("  sorry server %s in use", text(sorry, "name"));
		putchar('\n');
	}
}

void print_status(const json_t *s)
{
	char since[32];

	printf("vipd %s, process %.0f, runs for %s, configuration %s", text(s, "version"),
	       number(s, "pid"), ago(number(s, "started"), since), text(s, "file"));
	printf(", read %s ago%s\n", ago(number(s, "loaded"), since),
	       flag(s, "last_reload_refused") ? "; the last reload was refused: vipd -t says why"
					      : "");
	print_instances(json_object_get(s, "instances"));
	print_groups(json_object_get(s, "groups"));
	print_virtuals(json_object_get(s, "virtual_servers"));
}

/* ---- show ---- */

static void print_value(const json_t *v, int indent);

static void print_member(const char *key, const json_t *v, int indent)
{
	printf("%*s%s:", indent, "", key);
	if (json_is_object(v) || (json_is_array(v) && json_is_object(json_array_get(v, 0))))
		putchar('\n');
	else
		putchar(' ');
	print_value(v, indent + 2);
}

/* As it comes, so that nothing is left out: names and members are those of the JSON. */
static void print_value(const json_t *v, int indent)
{
	const char *key;
	json_t *part;
	size_t i;

	if (json_is_object(v)) {
		json_object_foreach((json_t *)(uintptr_t)v, key, part)
		    print_member(key, part, indent);
		return;
	}
	if (json_is_array(v)) {
		bool objects = json_is_object(json_array_get(v, 0));

		json_array_foreach(v, i, part)
		{
			printf("%s", i && objects ? "\n" : i ? ", " : "");
			if (json_is_string(part))
				put_safe(json_string_value(part));
			else
				print_value(part, indent);
		}
		if (!objects)
			putchar('\n');
		return;
	}
	if (json_is_string(v))
		put_safe(json_string_value(v));
	else if (json_is_real(v))
		printf("%.*f", json_real_value(v) > 1e9 ? 3 : 6, json_real_value(v));
	else if (json_is_integer(v))
		printf("%lld", (long long)json_integer_value(v));
	else
		fputs(json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-", stdout);
	putchar('\n');
}

static void print_all(const json_t *list, const char *what)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		printf("%s%s\n", what, text(o, "name"));
		print_value(o, 2);
		putchar('\n');
	}
}

void print_show(const json_t *show)
{
	print_all(json_object_get(show, "instances"), "instance ");
	print_all(json_object_get(show, "virtual_servers"), "virtual server ");
	print_all(json_object_get(show, "scripts"), "script ");
}

/* ---- events, explain ---- */

void print_event(const json_t *e)
{
	double when = number(e, "time");
	time_t whole = (time_t)when;
	char stamp[32] = "";
	struct tm t;
	const char *key;
	json_t *v;

	if (localtime_r(&whole, &t))
		strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &t);
	printf("%s.%03d  %s", stamp, (int)((when - (double)whole) * 1000), text(e, "type"));
	json_object_foreach((json_t *)(uintptr_t)e, key, v)
	{
		if (!strcmp(key, "number") || !strcmp(key, "time") || !strcmp(key, "type"))
			continue;
		printf("  %s ", key);
		if (!strcmp(key, "to"))
			put_state(json_string_value(v), 0);
		else if (json_is_string(v))
			put_safe(json_string_value(v));
		else if (json_is_integer(v))
			printf("%lld", (long long)json_integer_value(v));
		else
			fputs(json_is_true(v) ? "yes" : "no", stdout);
	}
	putchar('\n');
	fflush(stdout);
}

void print_sentences(const json_t *list)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
	{
		put_safe(json_string_value(s));
		putchar('\n');
	}
}
