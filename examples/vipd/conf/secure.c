/* SPDX-License-Identifier: MIT */
/* Scripts that run with privileges must not be changeable by others: each part of the path. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/words.h"

/* Fills `why` when a part of the path belongs to somebody else or may be written by others. */
static bool path_is_unsafe(const char *path, char *why, size_t cap)
{
	char part[PATH_MAX];
	struct stat st;

	if (!realpath(path, part))
		return false; /* not there: running it will say so */
	for (;;) {
		char *slash = strrchr(part, '/');

		if (!stat(*part ? part : "/", &st) &&
		    (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH) &&
					!(S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX)))) {
			snprintf(why, cap, "%s (owner %u, mode %04o)", *part ? part : "/",
				 (unsigned)st.st_uid, (unsigned)st.st_mode & 07777u);
			return true;
		}
		if (!slash || !*part)
			return false;
		*slash = '\0';
	}
}

/* True: others may change it. With enable_script_security it is not run then, as keepalived does. */
static bool check_one(const struct conf *c, struct conf_script *s, struct diag *d)
{
	bool off = c->globals.script_security;
	char why[PATH_MAX + 64];

	if (!s || !s->argv || s->argv[0][0] != '/' || !path_is_unsafe(s->argv[0], why, sizeof(why)))
		return false;
	diag_add(
	    d, DIAG_WARNING, &s->at,
	    "script %s may be changed by others than root: %s. %sUse chown root and chmod go-w",
	    s->argv[0], why, off ? "It is not run, as enable_script_security says. " : "");
	if (off)
		s->argv = NULL;
	return true;
}

static bool check_notify(const struct conf *c, struct conf_notify *n, struct diag *d)
{
	bool found = check_one(c, &n->master, d);

	found |= check_one(c, &n->backup, d);
	found |= check_one(c, &n->fault, d);
	found |= check_one(c, &n->stop, d);
	found |= check_one(c, &n->any, d);
	found |= check_one(c, n->deleted, d);
	found |= check_one(c, n->rx_lower, d);
	return found;
}

static bool check_globals(struct conf *c, struct diag *d)
{
	bool found = check_one(c, &c->globals.fifo.script, d);

	found |= check_one(c, &c->globals.vrrp_fifo.script, d);
	found |= check_one(c, &c->globals.lvs_fifo.script, d);
	found |= check_one(c, &c->globals.startup.script, d);
	found |= check_one(c, &c->globals.shutdown.script, d);
	return found;
}

/* Those that are run again and again: `insecure` is set of those that are not. */
static bool check_repeated(const struct conf *c, struct conf_vrrp_script *list, struct diag *d)
{
	bool any = false;

	for (struct conf_vrrp_script *s = list; s; s = s->next) {
		bool found = check_one(c, &s->script, d);

		s->insecure = found && c->globals.script_security;
		any |= found;
	}
	return any;
}

/* Nobody waits for a script that never runs. */
static void untrack(struct conf_instance *i)
{
	size_t n = 0;

	for (size_t t = 0; t < i->n_scripts; t++)
		if (!i->scripts[t].script->insecure)
			i->scripts[n++] = i->scripts[t];
	i->n_scripts = n;
}

static void uncheck(struct conf_real *r)
{
	struct conf_check **at = &r->checks;

	while (*at) {
		if ((*at)->misc && (*at)->misc->insecure)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
}

static bool check_up_down(const struct conf *c, struct conf_up_down *s, struct diag *d)
{
	bool found;

	if (!s)
		return false;
	found = check_one(c, &s->up, d);
	return check_one(c, &s->down, d) || found;
}

bool conf_scripts_insecure(struct conf *c, struct diag *d)
{
	bool found = check_globals(c, d);

	found |= check_repeated(c, c->scripts, d);
	found |= check_repeated(c, c->misc, d);
	for (struct conf_instance *i = c->instances; i; i = i->next) {
		found |= check_notify(c, &i->notify, d);
		untrack(i);
	}
	for (struct conf_group *g = c->groups; g; g = g->next)
		found |= check_notify(c, &g->notify, d);
	for (struct conf_virtual *v = c->virtuals; v; v = v->next) {
		found |= check_up_down(c, v->quorum_notify, d);
		for (struct conf_real *r = v->reals; r; r = r->next) {
			found |= check_up_down(c, r->notify, d);
			uncheck(r);
		}
	}
	conf_collect_checks(c);
	return found;
}
