/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "duration.h"

static bool coloured;
static int columns; /* of the terminal; 0: a pipe, whose lines may be as long as they like */

void print_init(void)
{
	const char *no = getenv("NO_COLOR");
	bool terminal = isatty(STDOUT_FILENO);
	struct winsize size = {0};

	coloured = terminal && !(no && *no);
	if (terminal)
		columns =
		    !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
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

/* With its parts: what was a moment ago must not seem to come. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *ago(double when, char buf[DURATION_SIZE])
{
	return when > 0 ? duration_text(now() - when, false, buf) : "-";
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

/* The last words of a row that is `used` columns wide: on a line of their own where they would not fit. */
static void put_last(int used, const char *s)
{
	if (columns && used + (int)strlen(s) > columns)
		printf("\n    ");
	put_safe(s);
}

/* ---- status ---- */

static void print_instances(const json_t *list)
{
	int name = widest(list, "name", 8), interface = widest(list, "interface", 9);
	const json_t *o;
	char since[DURATION_SIZE], why[320];
	size_t i;

	if (!json_array_size(list))
		return;
	printf("\n%-*s  STATE   FOR      PRIO  VRID  %-*s  WHY\n", name, "INSTANCE", interface,
	       "INTERFACE");
	json_array_foreach(list, i, o)
	{
		printf("%-*s  ", name, text(o, "name"));
		put_state(text(o, "state"), 6);
		printf("  %-7s  %4.0f  %4.0f  %-*s  ", ago(number(o, "since"), since),
		       number(o, "effective_priority"), number(o, "vrid"), interface,
		       text(o, "interface"));
		snprintf(why, sizeof(why), "%s%s", text(o, "why"),
			 flag(o, "held") ? " (held)" : "");
		put_last(name + interface + 33, why);
		putchar('\n');
	}
}

static void print_groups(const json_t *list)
{
	const json_t *o, *member;
	char since[DURATION_SIZE];
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
		char up[DURATION_SIZE];

		snprintf(up, sizeof(up), "%.0f/%.0f", number(o, "real_servers_up"),
			 number(o, "real_servers_all"));
		printf("%-*s  ", name, text(o, "name"));
		put_state(flag(o, "up") ? "up" : "down", 5);
		printf("  %7s  %6.0f  %6.0f  %s", up, number(o, "live_weight"), number(o, "quorum"),
		       text(o, "scheduler"));
		if (flag(sorry, "in_use")) {
			char use[160];

			snprintf(use, sizeof(use), "  sorry server %s in use", text(sorry, "name"));
			put_last(name + 33 + (int)strlen(text(o, "scheduler")), use);
		}
		putchar('\n');
	}
}

/* The first check that fails; NULL: none, so a person or the configuration took it out. */
static const json_t *failing(const json_t *real)
{
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(real, "checks"), i, c)
	{
		if (strcmp(text(c, "state"), "up") != 0)
			return c;
	}
	return NULL;
}

#define DOWN_MAX 10 /* of a virtual server */

void print_down(const json_t *virtual)
{
	const json_t *list = json_object_get(virtual, "real_servers"), *o, *check;
	int name = widest(list, "name", 14);
	char why[320], since[DURATION_SIZE];
	size_t i, told = 0, left = 0;

	json_array_foreach(list, i, o)
	{
		const char *admin = text(o, "admin");
		bool ordered = strcmp(admin, "ready") != 0;

		if (!ordered && !strcmp(text(o, "state"), "up"))
			continue;
		if (told == DOWN_MAX) {
			left++;
			continue;
		}
		if (!told++)
			printf("\nNOT IN USE, of %s\n", text(virtual, "name"));
		check = failing(o);
		printf("  %-*s  ", name, text(o, "name"));
		put_state(ordered ? admin : text(o, "state"), 8);
		if (check && *text(check, "code"))
			snprintf(why, sizeof(why), "  %s %s, %s, %s ago", text(check, "type"),
				 text(check, "code"), text(check, "text"),
				 ago(number(check, "last"), since));
		else if (check && *text(check, "text")) /* a script has no code */
			snprintf(why, sizeof(why), "  %s %s, %s ago", text(check, "type"),
				 text(check, "text"), ago(number(check, "last"), since));
		else
			snprintf(why, sizeof(why), "  %s",
				 ordered ? "by an order of lbctl" : text(check, "type"));
		put_last(name + 12, why);
		putchar('\n');
	}
	if (left)
		printf("  and %zu more: lbctl show %s\n", left, text(virtual, "name"));
}

static void print_silent(const json_t *silent)
{
	const char *name;
	json_t *heard;
	char age[DURATION_SIZE];

	json_object_foreach((json_t *)silent, name, heard)
	{
		if (json_is_null(heard))
			printf("%s DOES NOT ANSWER: it never has\n", name);
		else
			printf("%s DOES NOT ANSWER: what is shown of it is %s old\n", name, ago(json_number_value(heard), age));
	}
}

void print_status(const json_t *s)
{
	char since[DURATION_SIZE];

	printf("vipd %s, process %.0f, runs for %s\n", text(s, "version"), number(s, "pid"),
	       ago(number(s, "started"), since));
	printf("configuration %s, read %s ago\n", text(s, "file"), ago(number(s, "loaded"), since));
	if (flag(s, "last_reload_refused"))
		puts("THE LAST RELOAD WAS REFUSED: vipd -t says why");
	print_silent(json_object_get(s, "silent"));
	print_instances(json_object_get(s, "instances"));
	print_groups(json_object_get(s, "groups"));
	print_virtuals(json_object_get(s, "virtual_servers"));
}

/* ---- show ---- */

static void print_value(const json_t *v, int indent);

static const char *stamp(double when, char buf[32])
{
	time_t whole = (time_t)when;
	char date[24] = "";
	struct tm t;

	if (localtime_r(&whole, &t))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &t);
	snprintf(buf, 32, "%s.%03d", date, (int)((when - (double)whole) * 1000));
	return buf;
}

/* Members that are moments. */
static bool is_moment(const char *key, const json_t *v)
{
	static const char *const known[] = {"since", "time", "timer", "last", "next"};
	bool is = false;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		is = is || !strcmp(known[i], key);
	return is && json_number_value(v) > 0;
}

static void print_moment(double when)
{
	double left = when - now();
	char date[32], when_ago[DURATION_SIZE];

	if (left > 0)
		printf("%s (in %.0f s)\n", stamp(when, date), left);
	else
		printf("%s (%s ago)\n", stamp(when, date), ago(when, when_ago));
}

static void print_member(const char *key, const json_t *v, int indent)
{
	printf("%*s%s:", indent, "", key);
	if (is_moment(key, v)) {
		putchar(' ');
		print_moment(json_number_value(v));
		return;
	}
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
			puts(i ? "" : "-");
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
	const char *key;
	char date[32];
	json_t *v;

	printf("%s  %s", stamp(number(e, "time"), date), text(e, "type"));
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
