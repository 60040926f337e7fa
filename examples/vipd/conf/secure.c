/* SPDX-License-Identifier: MIT */
/* Scripts before they run: are they there, and may others change them? */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/words.h"

/* ---- Is it there? ---- */

static const char *why_not_run(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? "is not there" : strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is no program";
	return st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH) ? NULL : "may not be executed: chmod +x";
}

/* As execvp() looks for it. NULL: it can be run, by somebody at least. */
static const char *why_missing(const char *program)
{
	const char *folders = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(program, '/'))
		return why_not_run(program);
	if (!folders)
		folders = "/bin:/usr/bin";
	for (size_t len; *folders; folders += len + (folders[len] == ':')) {
		len = strcspn(folders, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, folders, program);
		if (!why_not_run(path))
			return NULL;
	}
	return "is in no folder of PATH: write the whole path";
}

/* ---- May others change it? ---- */

/* Fills `why` when a part of the path belongs to somebody else or may be written by others. */
static bool path_is_unsafe(const char *path, char *why, size_t cap)
{
	char part[PATH_MAX];
	struct stat st;

	if (!realpath(path, part))
		return false; /* not there */
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
	const char *missing = s && s->argv ? why_missing(s->argv[0]) : NULL;
	char why[PATH_MAX + 64];

	if (missing)
		diag_add(d, DIAG_WARNING, &s->at, "script %s %s", s->argv[0], missing);
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

/* As in keepalived nobody waits for what cannot run: an instance would be in FAULT for ever. */
static bool is_missing(const struct conf_script *s, struct diag *d)
{
	const char *missing = s->argv ? why_missing(s->argv[0]) : NULL;

	if (missing)
		diag_add(d, DIAG_WARNING, &s->at,
			 "script %s %s. It is not run: what tracks or checks by it does without, "
			 "until a "
			 "reload finds it",
			 s->argv[0], missing);
	return missing;
}

/* Likewise of one that nobody can run. */
static bool lacks_its_user(const struct conf_script *s, struct diag *d)
{
	bool user = s->user && !getpwnam(s->user), group = s->group && !getgrnam(s->group);

	if (s->argv && (user || group))
		diag_add(d, DIAG_WARNING, &s->at,
			 "there is no %s \"%s\" to run script %s as. It is not run: what tracks or checks by it does without, until a reload finds one",
			 user ? "user" : "group", user ? s->user : s->group, s->argv[0]);
	return s->argv && (user || group);
}

/* Those that are run again and again: `off` is set of those that are not. */
static bool check_repeated(const struct conf *c, struct conf_vrrp_script *list, struct diag *d)
{
	bool any = false;

	for (struct conf_vrrp_script *s = list; s; s = s->next) {
		bool missing = is_missing(&s->script, d) || lacks_its_user(&s->script, d),
		     found = !missing && check_one(c, &s->script, d);

		s->off = missing || (found && c->globals.script_security);
		any |= found;
	}
	return any;
}

/* Nobody waits for a script that never runs. */
static void untrack(struct conf_instance *i)
{
	size_t n = 0;

	for (size_t t = 0; t < i->n_scripts; t++)
		if (!i->scripts[t].script->off)
			i->scripts[n++] = i->scripts[t];
	i->n_scripts = n;
}

static void uncheck(struct conf_real *r)
{
	struct conf_check **at = &r->checks;

	while (*at) {
		if ((*at)->misc && (*at)->misc->off)
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
			found |= check_up_down(c, r->opts->notify, d);
			uncheck(r);
		}
	}
	conf_collect_checks(c);
	return found;
}
