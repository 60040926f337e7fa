/* SPDX-License-Identifier: MIT */
/* "wait": the rest of a line comes later, or when something is so. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#include "engine/admin.h"
#include "rules/action/action.h"

#define WAIT_MAX_NS UINT64_C(86400000000000)

struct wait {
	struct engine *e;
	struct loop *loop;
	uint64_t until_ns;
	char backend[CFG_NAME_MAX + 1], server[CFG_NAME_MAX + 1]; /* backend "": for the time alone */
};

/* A server that "del server" would take. False: that was told, or its time is over. */
static bool wait_on(void *arg, struct out *o)
{
	const struct wait *w = arg;
	bool is_over = loop_now_ns(w->loop) >= w->until_ns, may_come = true;
	const struct server *s = *w->backend ? admin_server(w->e, w->backend, w->server) : NULL;
	const char *why = !*w->backend ? NULL : s ? admin_keeps_server(s, &may_come) : "No such server.";

	if (!*w->backend) {
		if (is_over)
			out_text(o, "Done.\n");
		return !is_over;
	}
	if (!s || (why && !may_come))
		out_printf(o, "%s\n", why);
	else if (!why)
		out_text(o, "Done.\n");
	else if (is_over)
		out_printf(o, "Wait delay expired. %s\n", why);
	return s && why && may_come && !is_over;
}

/* "wait TIME [srv-removable BACKEND/SERVER]" */
void run_wait(struct call *c)
{
	const char *slash = strchr(call_word(c, 2), '/');
	uint64_t ns;
	struct wait *w;

	if (!time_from_text(call_word(c, 0), &ns) || ns > WAIT_MAX_NS) {
		call_say(c, "Expects a time such as 500ms or 10s, of a day at most.\n");
		return;
	}
	if (c->n > 1 && strcmp(c->word[1], "srv-removable") != 0) {
		call_say(c, "Unknown condition \"%s\": write srv-removable BACKEND/SERVER.\n", c->word[1]);
		return;
	}
	if (c->n > 1 && !runtime_find_server(c, 2))
		return;
	w = calloc(1, sizeof(*w));
	if (!w) {
		call_say(c, "There is not memory enough.\n");
		return;
	}
	w->e = c->e;
	w->until_ns = c->now_ns + ns;
	if (slash) {
		memcpy(w->backend, call_word(c, 2), (size_t)(slash - call_word(c, 2)));
		strncpy(w->server, slash + 1, CFG_NAME_MAX);
	}
	w->loop = runtime_wait(c, w->until_ns, wait_on, free, w);
}
