/* SPDX-License-Identifier: MIT */
/* `track BACKEND/SERVER`: who tracks whom, once all sections are read. */
#include "cfg/names.h"
#include "cfg/read.h"

#include <stdio.h>
#include <string.h>

static bool drains_404(const struct cfg_proxy *p)
{
	return p->set.httpchk && p->set.httpchk->drain_404;
}

/* False: told. */
static bool find_tracked(struct reader *r, const struct cfg_proxy *p, struct cfg_server *s)
{
	const char *slash = strrchr(s->track, '/'), *name = slash ? slash + 1 : s->track;
	char section[CFG_NAME_MAX + 1];
	const struct cfg *all = r->running ? r->running : r->cfg;
	const struct cfg_proxy *in = p;

	if (slash) {
		snprintf(section, sizeof(section), "%.*s", (int)(slash - s->track), s->track);
		in = cfg_find_backend(all, section);
	}
	s->tracked_in = in;
	s->tracked = in ? cfg_names_find(all, in, name) : NULL;
	if (!in)
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\" tracks one of \"%s\", and there is no such backend", s->name, section);
	else if (!s->tracked)
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\" tracks \"%s\", and \"%s\" has no such server: write track BACKEND/SERVER",
			 s->name, name, in->name);
	return s->tracked;
}

/* Each one is looked at by itself: a loop is told for all that are in it. */
static void check_chain(struct reader *r, const struct cfg_proxy *p, const struct cfg_server *s)
{
	const struct cfg_server *t = s->tracked;
	unsigned n = 1;

	if (s->check) {
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\" has check and track: its state is its own or another's, leave out one", s->name);
		return;
	}
	if (!t->check && !t->agent_check && !t->track)
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\" tracks \"%s\", which nobody checks: add check to that one", s->name, s->track);
	if (drains_404(s->tracked_in) != drains_404(p))
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\" tracks \"%s\", and only one of the two backends has http-check disable-on-404",
			 s->name, s->track);
	for (; t && t != s && n <= CFG_TRACK_CHAIN_MAX; t = t->tracked)
		n++;
	if (t == s)
		diag_add(r->diag, DIAG_ERROR, &s->at, "server \"%s\" tracks itself, by way of \"%s\"", s->name, s->track);
	else if (t)
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\" tracks a chain of more than %d servers, or a loop: track the one that is checked",
			 s->name, CFG_TRACK_CHAIN_MAX);
}

void cfg_track_server(struct reader *r, const struct cfg_proxy *p, struct cfg_server *s)
{
	if (find_tracked(r, p, s))
		check_chain(r, p, s);
}

bool cfg_track_find(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_server *s;
	bool any = false;

	STAILQ_FOREACH (s, &p->servers, next)
		any |= s->track && find_tracked(r, p, s);
	return any;
}

void cfg_track_check(struct reader *r)
{
	const struct cfg_proxy *p;
	const struct cfg_server *s;

	STAILQ_FOREACH (p, &r->cfg->proxies, next)
		STAILQ_FOREACH (s, &p->servers, next)
			if (s->tracked)
				check_chain(r, p, s);
}
