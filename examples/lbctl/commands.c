/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
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

/* ---- Names ---- */

struct namer {
	const char *kind, *method, *list, *inner;
};

static const struct namer namers[] = {{"instances", "show", "instances", NULL},
				      {"groups", "status", "groups", NULL},
				      {"virtual_servers", "show", "virtual_servers", NULL},
				      {"real_servers", "show", "virtual_servers", "real_servers"},
				      {"scripts", "show", "scripts", NULL}};
#define N_NAMERS (sizeof(namers) / sizeof(*namers))

static void take_names(const json_t *list, json_t *to)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		json_t *name = json_object_get(o, "name");

		if (json_is_string(name))
			json_array_append(to, name);
	}
}

/* Of a kind, or with NULL of all; NULL: vipd does not answer, `text` says why. */
static json_t *all_names(const struct request *r, const char *kind, char text[256])
{
	json_t *names = json_array();

	for (size_t i = 0; i < N_NAMERS; i++) {
		const struct namer *n = &namers[i];
		const json_t *o;
		json_t *answer;
		size_t k;
		int code;

		if (kind && strcmp(kind, n->kind) != 0)
			continue;
		answer = client_call(r->client, n->method, NULL, &code, text);
		if (!answer) {
			json_decref(names);
			return NULL;
		}
		if (!n->inner)
			take_names(json_object_get(answer, n->list), names);
		else
			json_array_foreach(json_object_get(answer, n->list), k, o)
			    take_names(json_object_get(o, n->inner), names);
		json_decref(answer);
	}
	return names;
}

/* With the nearest name that there is. */
static int no_such_name(const struct request *r, const char *kind)
{
	char text[256];
	json_t *names = all_names(r, kind, text), *o;
	const char **known = calloc(json_array_size(names) + 1, sizeof(*known)), *nearest = NULL;
	size_t i;

	json_array_foreach(names, i, o) if (known) known[i] = json_string_value(o);
	if (known)
		nearest = diag_nearest(r->argv[0], known, json_array_size(names));
	if (nearest)
		fprintf(stderr, "lbctl: there is no \"%s\": did you mean %s?\n", r->argv[0],
			nearest);
	else
		fprintf(stderr, "lbctl: there is no \"%s\": lbctl names%s%s lists what there is\n",
			r->argv[0], kind ? " " : "", kind ? kind : "");
	free(known);
	json_decref(names);
	return LBCTL_FAILED;
}

static int call(const struct request *r, const char *method, json_t *params,
		void (*print)(const json_t *))
{
	char text[256];
	int code;
	json_t *result = client_call(r->client, method, params, &code, text);

	return result ? show_result(r, result, print) : fail(text);
}

/* `params` name one of `kind`. */
static int order(const struct request *r, const char *kind, json_t *params)
{
	char text[256];
	int code;
	json_t *result = client_call(r->client, r->command, params, &code, text);

	if (result)
		return show_result(r, result, NULL);
	return code == NOT_FOUND && !r->in ? no_such_name(r, kind) : fail(text);
}

static int do_names(const struct request *r)
{
	const char *kind = r->argc ? r->argv[0] : NULL;
	char text[256];
	bool any = !kind;
	json_t *names, *o;
	size_t i;

	for (size_t n = 0; n < N_NAMERS; n++)
		any = any || !strcmp(namers[n].kind, kind);
	if (!any)
		return fail("names of what? Write instances, groups, virtual_servers, real_servers "
			    "or scripts");
	names = all_names(r, kind, text);
	if (!names)
		return fail(text);
	if (r->json)
		return show_result(r, names, NULL);
	json_array_foreach(names, i, o) puts(json_string_value(o));
	json_decref(names);
	return LBCTL_OK;
}

/* ---- Looking ---- */

#define TOLD_MAX 20 /* virtual servers of which status tells what is down */

/* Of virtual servers with some real servers down: what is, and why. */
static void show_down(const struct request *r, const json_t *list)
{
	const json_t *o;
	size_t i, told = 0, left = 0;
	char text[256];
	int code;

	json_array_foreach(list, i, o)
	{
		json_t *show;

		if (json_integer_value(json_object_get(o, "real_servers_up")) ==
		    json_integer_value(json_object_get(o, "real_servers_all")))
			continue;
		if (told++ >= TOLD_MAX) {
			left++;
			continue;
		}
		show = client_call(r->client, "show",
				   json_pack("{s:O}", "virtual_server", json_object_get(o, "name")),
				   &code, text);
		print_down(json_array_get(json_object_get(show, "virtual_servers"), 0));
		json_decref(show);
	}
	if (left)
		printf("and of %zu more virtual servers: lbctl show\n", left);
}

static int do_status(const struct request *r)
{
	char text[256];
	int code;
	json_t *status = client_call(r->client, "status", NULL, &code, text);

	if (!status)
		return fail(text);
	if (!r->json) {
		print_status(status);
		show_down(r, json_object_get(status, "virtual_servers"));
		json_decref(status);
		return LBCTL_OK;
	}
	return show_result(r, status, NULL);
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
	return code == NOT_FOUND ? no_such_name(r, NULL) : fail(text);
}

/* Of a list those that are called so. Steals nothing. */
static json_t *named(const json_t *list, const char *name)
{
	json_t *o, *found = json_array();
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *own = json_string_value(json_object_get(o, "name"));

		if (own && !strcmp(own, name))
			json_array_append(found, o);
	}
	return found;
}

/* A script, or a real server in each virtual server that has it; of all that `show` tells. NULL: there is none. */
static json_t *show_part(const json_t *all, const char *name)
{
	json_t *virtuals = json_array(), *scripts = named(json_object_get(all, "scripts"), name);
	const json_t *o;
	size_t i, n;

	json_array_foreach(json_object_get(all, "virtual_servers"), i, o)
	{
		json_t *reals = named(json_object_get(o, "real_servers"), name);

		if (json_array_size(reals))
			json_array_append_new(virtuals, json_pack("{s:O, s:O}", "name",
								  json_object_get(o, "name"),
								  "real_servers", reals));
		json_decref(reals);
	}
	n = json_array_size(virtuals) + json_array_size(scripts);
	if (n)
		return json_pack("{s:[], s:o, s:o}", "instances", "virtual_servers", virtuals,
				 "scripts", scripts);
	json_decref(virtuals);
	json_decref(scripts);
	return NULL;
}

static int do_show(const struct request *r)
{
	static const char *const kinds[] = {"instance", "virtual_server", NULL};
	char text[256];
	json_t *result = NULL, *all;
	int code = NOT_FOUND;

	if (!r->argc)
		return call(r, "show", NULL, print_show);
	for (size_t i = 0; kinds[i] && !result && code == NOT_FOUND; i++)
		result = client_call(r->client, "show", json_pack("{s:s}", kinds[i], r->argv[0]),
				     &code, text);
	if (!result && code == NOT_FOUND) {
		all = client_call(r->client, "show", NULL, &code, text);
		result = all ? show_part(all, r->argv[0]) : NULL;
		json_decref(all);
		if (all && !result)
			return no_such_name(r, NULL);
	}
	return result ? show_result(r, result, print_show) : fail(text);
}

static void print_explanation(const json_t *result)
{
	print_sentences(json_object_get(result, "sentences"));
}

static int do_explain(const struct request *r)
{
	static const char *const kinds[] = {"instance",	   "group",  "virtual_server",
					    "real_server", "script", NULL};

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
		return code == NOT_FOUND ? no_such_name(r, "instances") : fail(text);
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
	return master ? order_and_wait(r, params) : order(r, "instances", params);
}

static int order_instance(const struct request *r)
{
	return order(r, "instances", json_pack("{s:s}", "instance", r->argv[0]));
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
	return order(r, "real_servers", server_params(r));
}

static int do_weight(const struct request *r)
{
	bool as_configured = !strcmp(r->argv[1], "default");
	json_t *params;
	char *end;
	long weight = strtol(r->argv[1], &end, 10);

	if (!as_configured && (end == r->argv[1] || *end)) {
		fprintf(stderr, "lbctl: a weight is a number, or default\n");
		return LBCTL_USAGE;
	}
	params = server_params(r);
	json_object_set_new(params, "weight", as_configured ? json_null() : json_integer(weight));
	return order(r, "real_servers", params);
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

	if (r->argc > 1 && !params) {
		fprintf(stderr, "lbctl: %s is no JSON, in column %d: %s\n", r->argv[1], e.column,
			e.text);
		return LBCTL_USAGE;
	}
	as_json.json = true;
	return call(&as_json, r->argv[0], params, NULL);
}

/* ---- The table ---- */

#define SERVER "ADDRESS:PORT [--in NAME]"
#define ABOUT_SERVERS                                                                          \
	"A real server is written ADDRESS:PORT or [IPV6]:PORT, as status and show write it.\n" \
	"It applies to all virtual servers that have it; with --in NAME to that one.\n"

/* In the order in which they are told. Sections end where another begins. */
static const struct command commands[] = {
    {"status", do_status, 0, 0, "", LBCTL_LOOKING,
     "everything in short: who is MASTER, which servers are down",
     "Real servers that are not in use are listed with the reason.\n", "lbctl status"},
    {"show", do_show, 0, 1, "[NAME]", LBCTL_LOOKING, "all that is known, about one or about all",
     "NAME is a VRRP instance, a virtual server, a real server or a vrrp_script: timers,\n"
     "trackers, peers and their lost adverts, counters, the last transitions; real servers and\n"
     "their checks.\n",
     "lbctl show VI_1"},
    {"explain", do_explain, 1, 1, "NAME", LBCTL_LOOKING,
     "in sentences: why it is so, and what to do",
     "NAME is a VRRP instance, a vrrp_sync_group, a virtual server, a real server or a\n"
     "vrrp_script.\n",
     "lbctl explain 10.0.0.5:80"},
    {"events", do_events, 0, 0, "[-f] [-n N]", LBCTL_LOOKING,
     "the last N (20) events; -f: and those that follow",
     "512 are kept. With --json each is a line of JSON.\n", "lbctl events -f"},
    {"names", do_names, 0, 1, "[KIND]", LBCTL_LOOKING,
     "names, one a line, for scripts and completion",
     "KIND is instances, groups, virtual_servers, real_servers or scripts; without it, all.\n",
     "for i in $(lbctl names instances); do lbctl explain $i; done"},

    {"failover", do_failover, 1, 1, "INSTANCE [--wait S]", LBCTL_VRRP, "hand over to another node",
     "The other node has the addresses before this one lets go, and keeps them until it fails\n"
     "or hands over. A sync group moves as a whole. Waits up to S seconds (15) and says what\n"
     "became of it; without another node it stays MASTER.\n",
     "lbctl failover VI_1"},
    {"hold", do_hold, 1, 1, "INSTANCE [--force]", LBCTL_VRRP,
     "hand over and stay out of it, for maintenance",
     "In FAULT until release. Waits like failover. Without another node it stays MASTER,\n"
     "unless --force is given: then nobody has the addresses.\n",
     "lbctl hold VI_1 && apt upgrade && lbctl release VI_1"},
    {"release", order_instance, 1, 1, "INSTANCE", LBCTL_VRRP, "take part again after hold",
     "With preempt and the higher priority it becomes MASTER again.\n", "lbctl release VI_1"},
    {"announce", order_instance, 1, 1, "INSTANCE", LBCTL_VRRP,
     "send gratuitous ARP or neighbour advertisements again",
     "For a switch or a host that still has the old machine's Ethernet address.\n",
     "lbctl announce VI_1"},

    {"drain", order_server, 1, 1, SERVER, LBCTL_SERVERS, "no new connections; those it has go on",
     "Its weight is 0 until enable. Clients that persistence_timeout binds to it still come.\n" ABOUT_SERVERS,
     "lbctl drain 10.0.0.5:80"},
    {"disable", order_server, 1, 1, SERVER, LBCTL_SERVERS, "out of use, as if it were down",
     "Its connections break. drain is the gentle way.\n" ABOUT_SERVERS,
     "lbctl disable 10.0.0.5:80 --in 10.0.0.100:80"},
    {"enable", order_server, 1, 1, SERVER, LBCTL_SERVERS, "undo drain and disable", ABOUT_SERVERS,
     "lbctl enable 10.0.0.5:80"},
    {"weight", do_weight, 2, 2, "ADDRESS:PORT N|default [--in NAME]", LBCTL_SERVERS,
     "set another weight", "N is 0 to 2147483647; default: that of the configuration.\n" ABOUT_SERVERS,
     "lbctl weight 10.0.0.5:80 20"},
    {"check", do_check, 1, 1, "SCRIPT|ADDRESS:PORT", LBCTL_SERVERS,
     "run its checks, or a vrrp_script, now",
     "Does not wait: lbctl explain tells the result.\n" ABOUT_SERVERS, "lbctl check 10.0.0.5:80"},

    {"reload", do_plain, 0, 0, "", LBCTL_DAEMON, "read the configuration again",
     "Fails when the file is refused: vipd goes on with the old one, and vipd -t says why.\n",
     "vipd -t && lbctl reload"},
    {"clear", do_plain, 0, 0, "", LBCTL_DAEMON, "counters begin at 0", "As SIGRTMAX-1 to vipd.\n",
     "lbctl clear"},
    {"call", do_call, 1, 2, "METHOD [JSON]", LBCTL_DAEMON, "any method of the socket",
     "The answer is JSON. \"lbctl call help\" lists the methods.\n",
     "lbctl call show '{\"instance\":\"VI_1\"}'"},
};

const struct command *command_at(size_t i)
{
	return i < sizeof(commands) / sizeof(*commands) ? &commands[i] : NULL;
}

const struct command *command_named(const char *name)
{
	const char *names[sizeof(commands) / sizeof(*commands)], *nearest;
	const struct command *c;
	size_t n = 0;

	for (; (c = command_at(n)); names[n++] = c->name)
		if (!strcmp(c->name, name))
			return c;
	nearest = diag_nearest(name, names, n);
	for (size_t i = 0; !nearest && *name && i < n; i++) /* its beginning */
		nearest = strncmp(names[i], name, strlen(name)) ? NULL : names[i];
	if (nearest)
		fprintf(stderr, "lbctl: there is no command \"%s\": did you mean %s?\n", name,
			nearest);
	else
		fprintf(stderr, "lbctl: there is no command \"%s\": lbctl --help lists them\n",
			name);
	return NULL;
}

const struct command *command_find(const struct request *r)
{
	const struct command *c = command_named(r->command);

	if (c && (r->argc < c->least || r->argc > c->most)) {
		fprintf(stderr, "lbctl: write lbctl %s%s%s\nlbctl %s --help tells more\n", c->name,
			*c->words ? " " : "", c->words, c->name);
		return NULL;
	}
	return c;
}
