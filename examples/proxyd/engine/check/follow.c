/* SPDX-License-Identifier: MIT */
/* `track`: a server whose state is another one's, which is checked in its place. All in the control thread. */
#include "engine/control.h"

#include <stdio.h>
#include <syslog.h>

void server_track(struct server *s, struct server *tracked)
{
	if (s->tracked)
		LIST_REMOVE(s, tracks);
	s->tracked = tracked;
	if (tracked)
		LIST_INSERT_HEAD(&tracked->trackers, s, tracks);
	else
		s->admin.via_maint = s->admin.via_drain = false;
}

/* An operator's word reaches it through `of`. True: it is in another state than before. */
static bool follow_admin(struct server *s, const struct server *of)
{
	bool was_maint = server_in_maint(s), was_drain = server_in_drain(s), maint, drain;

	s->admin.via_maint = server_in_maint(of);
	s->admin.via_drain = server_in_drain(of);
	maint = server_in_maint(s);
	drain = server_in_drain(s);
	if (maint == was_maint && drain == was_drain)
		return false;
	if (maint != was_maint && s->up) /* else it was down before, and a change to up is told */
		server_changed(s, !maint);
	return true;
}

static void tell_admin(const struct server *s, const struct server *of, bool was_maint, bool was_drain)
{
	bool maint = server_in_maint(s), drain = server_in_drain(s);
	char what[2 * CFG_NAME_MAX + 64];

	if (maint && !was_maint && s->up) {
		snprintf(what, sizeof(what), "is going DOWN for maintenance via %s/%s", of->pool->name, of->name);
		server_tell_left(s, SERVER_LEAVES, what);
	} else if (maint && !was_maint) {
		server_tell(s, LOG_NOTICE, "was DOWN and now enters maintenance via %s/%s.", of->pool->name, of->name);
	} else if (!maint && was_maint) {
		server_tell(s, LOG_NOTICE, "is %s/%s (leaving maintenance).", s->up ? "UP" : "DOWN", drain ? "DRAIN" : "READY");
	} else if (drain && !was_drain) {
		snprintf(what, sizeof(what), "enters drain state via %s/%s", of->pool->name, of->name);
		server_tell_left(s, SERVER_DRAINS, what);
	} else if (!drain && was_drain) {
		server_tell(s, LOG_NOTICE, "is %s (leaving forced drain).", s->up ? "UP" : "DOWN");
	}
}

static void follow(struct engine *e, struct server *s)
{
	const struct server *of = s->tracked;
	bool up = of->up && !s->agent_down;
	bool was_maint = server_in_maint(s), was_drain = server_in_drain(s);
	bool changed = follow_admin(s, of);
	char via[2 * CFG_NAME_MAX + 16];

	if (up != s->up || of->draining != s->draining) {
		snprintf(via, sizeof(via), " via %s/%s", of->pool->name, of->name);
		server_set_up(e, s, up, of->draining, via); /* and its trackers */
	} else if (changed) {
		server_publish(e, s);
		tell_admin(s, of, was_maint, was_drain);
		trackers_follow(e, s);
	}
}

/* Not deep: see CFG_TRACK_CHAIN_MAX. */
void trackers_follow(struct engine *e, const struct server *s)
{
	struct server *t;

	LIST_FOREACH (t, &s->trackers, tracks)
		follow(e, t);
}

void tracks_sync(struct engine *e, const struct set *set)
{
	for (size_t i = 0; i < set->n_servers; i++) {
		struct server *s = set->server[i];
		const struct cfg_server *c = s->admin.cfg;
		bool via = s->admin.via_maint || s->admin.via_drain;

		server_track(s, c->tracked ? server_find(e, set, c->tracked_in, c->tracked) : NULL);
		if (via && !s->tracked)
			server_publish(e, s);
	}
	for (size_t i = 0; i < set->n_servers; i++)
		if (!set->server[i]->tracked)
			trackers_follow(e, set->server[i]);
}
