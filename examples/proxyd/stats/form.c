/* SPDX-License-Identifier: MIT */
/* The form of the statistics page: "s=one&s=two&action=maint&b=web". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admin.h"
#include "http.h"

#define FORM_SERVERS_MAX 1024u

/* %XX and + in place. */
static void decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		char hex[3] = {0};

		if (*text == '%' && text[1] && text[2]) {
			hex[0] = text[1];
			hex[1] = text[2];
			*to++ = (char)strtoul(hex, NULL, 16);
			text += 2;
		} else {
			*to++ = *text == '+' ? ' ' : *text;
		}
	}
	*to = '\0';
}

/* HAProxy's words for actions. 0: done; -ENOENT: there is nothing it would change; else an error. */
static int act(struct engine *e, struct server *s, const char *action, uint64_t now_ns)
{
	if (!strcmp(action, "ready") || !strcmp(action, "enable"))
		return admin_set_state(e, s, ADMIN_READY);
	if (!strcmp(action, "drain"))
		return admin_set_state(e, s, ADMIN_DRAIN);
	if (!strcmp(action, "maint") || !strcmp(action, "disable"))
		return admin_set_state(e, s, ADMIN_MAINT);
	if (!strcmp(action, "stop")) /* in maintenance it is stopped anyhow */
		return s->admin.drain ? -ENOENT : s->admin.maint ? 0 : admin_set_state(e, s, ADMIN_DRAIN);
	if (!strcmp(action, "start"))
		return s->admin.drain ? admin_set_state(e, s, ADMIN_READY) : -ENOENT;
	if (!strcmp(action, "dhlth"))
		return admin_set_checks(s, false);
	if (!strcmp(action, "ehlth"))
		return admin_set_checks(s, true);
	if (!strcmp(action, "hrunn"))
		return admin_set_health(e, s, ADMIN_HEALTH_UP, now_ns);
	if (!strcmp(action, "hnolb"))
		return admin_set_health(e, s, ADMIN_HEALTH_STOPPING, now_ns);
	if (!strcmp(action, "hdown"))
		return admin_set_health(e, s, ADMIN_HEALTH_DOWN, now_ns);
	if (!strcmp(action, "dagent"))
		return admin_enable_agent(s, false);
	if (!strcmp(action, "eagent"))
		return admin_enable_agent(s, true);
	if (!strcmp(action, "arunn"))
		return admin_set_agent_verdict(s, true);
	if (!strcmp(action, "adown"))
		return admin_set_agent_verdict(s, false);
	if (!strcmp(action, "shutdown")) {
		admin_kill_sessions(e, s);
		return 0;
	}
	return -1000;
}

/* By name, or "#number". NULL: none, or not to be seen on this page. */
static const struct backend *backend_of(const struct engine *e, const char *name, const struct stat_filter *f)
{
	const struct set *set = engine_set(e);

	for (size_t i = 0; i < set->n_backends; i++) {
		const struct cfg_proxy *p = set->backend[i].proxy;

		if (*name == '#' ? p->id == strtoul(name + 1, NULL, 10) : !strcmp(p->name, name))
			return f->in_scope(f->userdata, p->name) ? &set->backend[i] : NULL;
	}
	return NULL;
}

struct form {
	const char *action, *backend;
	const char *server[FORM_SERVERS_MAX];
	unsigned n_servers;
	bool too_many;
};

static void read_form(char *body, struct form *ret)
{
	char *save = NULL;

	*ret = (struct form){"", "", {NULL}, 0, false};
	for (char *pair = strtok_r(body, "&", &save); pair; pair = strtok_r(NULL, "&", &save)) {
		char *value = strchr(pair, '=');

		if (!value)
			continue;
		*value++ = '\0';
		decode(value);
		if (!strcmp(pair, "action"))
			ret->action = value;
		else if (!strcmp(pair, "b"))
			ret->backend = value;
		else if (!strcmp(pair, "s") && ret->n_servers < FORM_SERVERS_MAX)
			ret->server[ret->n_servers++] = value;
		else if (!strcmp(pair, "s"))
			ret->too_many = true;
	}
}

const char *form_carry_out(struct engine *e, const struct ask *a, const struct stat_filter *f, uint64_t now_ns)
{
	const struct backend *b;
	unsigned done = 0, failed = 0;
	struct form form;

	if (!a->admin || a->foreign)
		return "DENY";
	read_form(a->body, &form);
	if (form.too_many)
		return "EXCD";
	b = backend_of(e, form.backend, f);
	if (!*form.backend || !*form.action)
		return "NONE";
	if (!b)
		return "ERRP";
	for (unsigned i = 0; i < form.n_servers; i++) {
		struct server *s = admin_server(e, b->proxy->name, form.server[i]);
		int r = s ? act(e, s, form.action, now_ns) : -1000;

		done += r == 0;
		failed += r != 0 && r != -ENOENT;
	}
	return !done && !failed ? "NONE" : !failed ? "DONE" : done ? "PART" : "ERRP";
}
