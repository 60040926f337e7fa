/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"

#define NOT_FOUND 1 /* CONTROL_NOT_FOUND of vipd */

static int fail(const char *text)
{
	fprintf(stderr, "lbctl: %s\n", text);
	return LBCTL_FAILED;
}

static void print_json(const json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(14));
	putchar('\n');
}

/* Prints the result by `print`, or as JSON. Steals it. */
static int show_result(const struct request *r, json_t *result, void (*print)(const json_t *))
{
	if (r->json)
		print_json(result);
	else if (print)
		print(result);
	json_decref(result);
	return LBCTL_OK;
}

static int call(const struct request *r, const char *method, json_t *params,
		void (*print)(const json_t *))
{
	char text[256];
	int code;
	json_t *result = client_call(r->client, method, params, &code, text);

	return result ? show_result(r, result, print) : fail(text);
}

/* ---- Looking ---- */

static int do_status(const struct request *r)
{
	return call(r, "status", NULL, print_status);
}

/* A name may be that of each of `kinds`: the first that knows it answers. */
static int call_named(const struct request *r, const char *method, const char *const *kinds,
		      void (*print)(const json_t *))
{
	char text[256] = "";
	int code = NOT_FOUND;

	for (; *kinds && code == NOT_FOUND; kinds++) {
		json_t *params = json_pack("{s:s}", *kinds, r->argv[0]);
		json_t *result;

		if (r->in && !strcmp(*kinds, "real_server"))
			json_object_set_new(params, "virtual_server", json_string(r->in));
		result = client_call(r->client, method, params, &code, text);
		if (result)
			return show_result(r, result, print);
	}
	if (code != NOT_FOUND)
		return fail(text);
	fprintf(stderr, "lbctl: there is no \"%s\": lbctl show lists the names\n", r->argv[0]);
	return LBCTL_FAILED;
}

static int do_show(const struct request *r)
{
	static const char *const kinds[] = {"instance", "virtual_server", NULL};

	if (!r->argc)
		return call(r, "show", NULL, print_show);
	return call_named(r, "show", kinds, print_show);
}

static void print_explanation(const json_t *result)
{
	print_sentences(json_object_get(result, "sentences"));
}

static int do_explain(const struct request *r)
{
	static const char *const kinds[] = {"instance", "virtual_server", "real_server", NULL};

	return call_named(r, "explain", kinds, print_explanation);
}

static void print_one_event(const struct request *r, const json_t *event)
{
	if (r->json) {
		json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(14));
		putchar('\n');
		fflush(stdout);
	} else {
		print_event(event);
	}
}

/* JSON a line, like those that follow. */
static int do_events(const struct request *r)
{
	json_t *params = r->limit >= 0 ? json_pack("{s:i}", "limit", r->limit) : NULL;
	json_t *result, *event;
	int code, ended = 0;
	char text[256];
	size_t i;

	if (r->follow) { /* first, so that nothing falls between */
		json_decref(client_call(r->client, "subscribe", NULL, &code, text));
		if (code)
			return fail(text);
	}
	result = client_call(r->client, "events", params, &code, text);
	if (!result)
		return fail(text);
	json_array_foreach(json_object_get(result, "events"), i, event) print_one_event(r, event);
	json_decref(result);
	while (r->follow && !ended) {
		event = client_event(r->client, -1, &ended);
		if (event)
			print_one_event(r, event);
		json_decref(event);
	}
	return r->follow ? fail("vipd closed the connection: it stopped, or we were too slow")
			 : LBCTL_OK;
}

/* ---- Ordering ---- */

/* The event that tells how a failover or a hold ended: 1 done, -1 nobody came, 0 another one. */
static int is_the_end(const json_t *event, const char *instance)
{
	const char *name = json_string_value(json_object_get(event, "instance"));
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *from = json_string_value(json_object_get(event, "from"));

	if (!name || !type || strcmp(name, instance) != 0)
		return 0;
	if (!strcmp(type, "transition") && from && !strcmp(from, "MASTER"))
		return 1;
	return !strcmp(type, "remark") &&
		       !strcmp(json_string_value(json_object_get(event, "remark")),
			       "nobody took over")
		   ? -1
		   : 0;
}

/* Orders it and waits for what becomes of it. */
static int order_and_wait(const struct request *r, json_t *params)
{
	char text[256];
	json_t *event;
	int code, ended, end = 0;

	json_decref(client_call(r->client, "subscribe", NULL, &code, text));
	json_decref(client_call(r->client, r->command, params, &code, text));
	if (code)
		return fail(text);
	while (!end && (event = client_event(r->client, r->wait_s * 1000, &ended))) {
		end = is_the_end(event, r->argv[0]);
		if (end)
			print_one_event(r, event);
		json_decref(event);
	}
	if (end > 0)
		return LBCTL_OK;
	return fail(end ? "no other node took over: it stays MASTER here"
			: "nothing was heard of it in time: lbctl status shows where it stands");
}

static int do_failover(const struct request *r)
{
	return order_and_wait(r, json_pack("{s:s}", "instance", r->argv[0]));
}

/* A MASTER hands over first, which takes its time; any other is held at once. */
static int do_hold(const struct request *r)
{
	json_t *params = json_pack("{s:s, s:b}", "instance", r->argv[0], "force", r->force);
	char text[256];
	int code;
	json_t *show =
	    client_call(r->client, "show", json_pack("{s:s}", "instance", r->argv[0]), &code, text);
	const json_t *now = json_array_get(json_object_get(show, "instances"), 0);
	const char *state = json_string_value(json_object_get(now, "state"));
	bool master = state && !strcmp(state, "MASTER");

	json_decref(show);
	return master ? order_and_wait(r, params) : call(r, "hold", params, NULL);
}

static int order_instance(const struct request *r)
{
	return call(r, r->command, json_pack("{s:s}", "instance", r->argv[0]), NULL);
}

static json_t *server_params(const struct request *r)
{
	json_t *params = json_pack("{s:s}", "real_server", r->argv[0]);

	if (r->in)
		json_object_set_new(params, "virtual_server", json_string(r->in));
	return params;
}

static int order_server(const struct request *r)
{
	return call(r, r->command, server_params(r), NULL);
}

static int do_weight(const struct request *r)
{
	json_t *params = server_params(r);
	char *end;
	long weight = strtol(r->argv[1], &end, 10);

	if (!strcmp(r->argv[1], "default"))
		json_object_set_new(params, "weight", json_null());
	else if (*r->argv[1] && !*end)
		json_object_set_new(params, "weight", json_integer(weight));
	else
		json_object_set_new(params, "weight", json_string(r->argv[1]));
	return call(r, "weight", params, NULL);
}

static int do_check(const struct request *r)
{
	static const char *const kinds[] = {"script", "real_server", NULL};

	return call_named(r, "check", kinds, NULL);
}

static int do_plain(const struct request *r)
{
	return call(r, r->command, NULL, NULL);
}

static int do_call(const struct request *r)
{
	json_error_t e;
	json_t *params = r->argc > 1 ? json_loads(r->argv[1], 0, &e) : NULL;
	struct request as_json = *r;

	if (r->argc > 1 && !params)
		return fail(e.text);
	as_json.json = true;
	return call(&as_json, r->argv[0], params, NULL);
}

static const struct command {
	const char *name;
	int (*fn)(const struct request *r);
	int least, most; /* words behind it */
	const char *words;
} commands[] = {
    {"status", do_status, 0, 0, ""},
    {"show", do_show, 0, 1, "[NAME]"},
    {"explain", do_explain, 1, 1, "NAME"},
    {"events", do_events, 0, 0, "[-f] [-n N]"},
    {"failover", do_failover, 1, 1, "INSTANCE"},
    {"hold", do_hold, 1, 1, "INSTANCE [--force]"},
    {"release", order_instance, 1, 1, "INSTANCE"},
    {"announce", order_instance, 1, 1, "INSTANCE"},
    {"drain", order_server, 1, 1, "ADDRESS:PORT [--in VIRTUAL_SERVER]"},
    {"disable", order_server, 1, 1, "ADDRESS:PORT [--in VIRTUAL_SERVER]"},
    {"enable", order_server, 1, 1, "ADDRESS:PORT [--in VIRTUAL_SERVER]"},
    {"weight", do_weight, 2, 2, "ADDRESS:PORT N|default [--in VIRTUAL_SERVER]"},
    {"check", do_check, 1, 1, "SCRIPT|ADDRESS:PORT"},
    {"reload", do_plain, 0, 0, ""},
    {"clear", do_plain, 0, 0, ""},
    {"call", do_call, 1, 2, "METHOD [JSON]"},
};

const struct command *command_find(const struct request *r)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, r->command) != 0)
			continue;
		if (r->argc >= c->least && r->argc <= c->most)
			return c;
		fprintf(stderr, "lbctl: write lbctl %s %s\n", c->name, c->words);
		return NULL;
	}
	fprintf(stderr, "lbctl: there is no command \"%s\": lbctl --help lists them\n", r->command);
	return NULL;
}

int command_run(const struct command *c, const struct request *r)
{
	return c->fn(r);
}
