/* SPDX-License-Identifier: MIT */
/* How a server is asked: commands about its agent, and where its check goes. */
#include "runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/read.h"
#include "engine/admin.h"

static void say_agent(struct call *c, int e)
{
	if (e == -ENOENT)
		call_say(c, "agent checks are not enabled on this server.\n");
	else if (e < 0)
		call_say(c, "It could not be done: %s.\n", strerror(-e));
}

static bool read_addr(struct call *c, const char *word, struct cfg_addr *ret)
{
	if (cfg_numeric_address(word, ret))
		return true;
	call_say(c, "invalid addr '%s'", word);
	return false;
}

static bool read_port(struct call *c, const char *word, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (!*word || *end || *word == '-' || *word == '+') {
		call_say(c, "provided port is not an integer");
		return false;
	}
	if (!n || n > 65535) {
		call_say(c, "provided port is invalid");
		return false;
	}
	*ret = (unsigned)n;
	return true;
}

void set_server_agent(struct call *c, struct server *s, const char *what, const char *value)
{
	struct cfg_addr addr;
	unsigned port = 0;

	if (!s->agent || s->admin.no_agent) {
		say_agent(c, -ENOENT);
		return;
	}
	if (!strcmp(what, "agent")) {
		if (!strcmp(value, "up") || !strcmp(value, "down"))
			say_agent(c, admin_set_agent_verdict(s, *value == 'u'));
		else
			call_say(c, "'set server <srv> agent' expects 'up' or 'down'.\n");
	} else if (!strcmp(what, "agent-send")) {
		if (*value)
			say_agent(c, admin_set_agent(c->e, s, NULL, 0, value));
		else
			call_say(c, "'set server <srv> agent-send' expects a text.\n");
	} else if (!strcmp(what, "agent-port")) {
		if (read_port(c, value, &port))
			say_agent(c, admin_set_agent(c->e, s, NULL, port, NULL));
	} else if (read_addr(c, value, &addr) &&
		   (strcmp(call_word(c, 3), "port") != 0 || read_port(c, call_word(c, 4), &port))) {
		say_agent(c, admin_set_agent(c->e, s, &addr, port, NULL));
	}
}

void set_server_check(struct call *c, struct server *s, const char *what, const char *value)
{
	struct cfg_addr addr;
	unsigned port = 0;
	int e = 0;

	if (!s->check) {
		call_say(c, "health checks are not enabled on this server");
		return;
	}
	if (!strcmp(what, "check-port")) {
		if (read_port(c, value, &port))
			e = admin_set_check_port(c->e, s, port);
	} else if (read_addr(c, value, &addr) &&
		   (strcmp(call_word(c, 3), "port") != 0 || read_port(c, call_word(c, 4), &port))) {
		e = admin_set_check_addr(c->e, s, &addr);
		if (!e && port)
			e = admin_set_check_port(c->e, s, port);
	}
	say_agent(c, e);
}

void run_agent(struct call *c)
{
	bool on = !strcmp(c->word[-2], "enable");
	struct server *s = runtime_find_server(c, 0);

	if (s && admin_enable_agent(s, on) < 0 && on) /* HAProxy, too, is silent when there is none to be stopped */
		call_say(c, "Agent was not configured on this server, cannot enable.\n");
}
