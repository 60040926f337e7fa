/* SPDX-License-Identifier: MIT */
/* Scripts that run with privileges must not be changeable by others: each part of the path. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"

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

static bool check_one(const struct conf_script *s, struct diag *d)
{
	char why[PATH_MAX + 64];

	if (!s || !s->argv || s->argv[0][0] != '/' || !path_is_unsafe(s->argv[0], why, sizeof(why)))
		return false;
	diag_add(d, DIAG_WARNING, &s->at,
		 "script %s may be changed by others than root: %s. Use chown root and chmod go-w",
		 s->argv[0], why);
	return true;
}

static bool check_notify(const struct conf_notify *n, struct diag *d)
{
	bool found = check_one(&n->master, d);

	found |= check_one(&n->backup, d);
	found |= check_one(&n->fault, d);
	found |= check_one(&n->stop, d);
	found |= check_one(&n->any, d);
	found |= check_one(n->deleted, d);
	found |= check_one(n->rx_lower, d);
	return found;
}

bool conf_scripts_insecure(const struct conf *c, struct diag *d)
{
	bool found = check_one(&c->globals.fifo.script, d);

	found |= check_one(&c->globals.startup.script, d);
	found |= check_one(&c->globals.shutdown.script, d);
	found |= check_one(&c->globals.vrrp_fifo.script, d);
	found |= check_one(&c->globals.lvs_fifo.script, d);
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		found |= check_notify(&i->notify, d);
	for (const struct conf_group *g = c->groups; g; g = g->next)
		found |= check_notify(&g->notify, d);
	for (const struct conf_vrrp_script *s = c->scripts; s; s = s->next)
		found |= check_one(&s->script, d);
	for (const struct conf_vrrp_script *s = c->misc; s; s = s->next)
		found |= check_one(&s->script, d);
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		found |= check_one(&v->quorum_up, d);
		found |= check_one(&v->quorum_down, d);
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			found |= check_one(&r->notify_up, d);
			found |= check_one(&r->notify_down, d);
		}
	}
	if (found && c->globals.script_security)
		diag_add(d, DIAG_ERROR, NULL,
			 "enable_script_security is set, and others than root may change a script");
	return found;
}
