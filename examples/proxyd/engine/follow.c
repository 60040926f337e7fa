/* SPDX-License-Identifier: MIT */
/* `track`: a server whose state is another one's, which is checked in its place. All in the control thread. */
#include "control.h"

#include "log.h"

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
	log_notice("server %s/%s: %s via %s/%s", s->pool->name, s->name,
		   maint   ? "maintenance"
		   : drain ? "drain"
			   : "ready",
		   of->pool->name, of->name);
	return true;
}

static void follow(struct engine *e, struct server *s)
{
	const struct server *of = s->tracked;
	bool up = of->up && !s->agent_down;
	bool changed = follow_admin(s, of);

	if (up != s->up || of->draining != s->draining) {
		log_msg(up ? LOG_NOTICE : LOG_ALERT, "%sserver %s/%s is %s via %s/%s", s->backup ? "backup " : "",
			s->pool->name, s->name,
			!up		? "DOWN"
			: of->draining	? "DRAINING"
					: "UP",
			of->pool->name, of->name);
		server_set_up(e, s, up, of->draining); /* and its trackers */
	} else if (changed) {
		server_publish(e, s);
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
