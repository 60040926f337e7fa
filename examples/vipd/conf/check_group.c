/* SPDX-License-Identifier: MIT */
/* A vrrp_sync_group when all is read: who is in it, and what its members track because of it. */
#include <string.h>

#include "conf/words.h"

static struct conf_instance *find_instance(struct conf_parse *p, const char *name)
{
	struct conf_instance *i = conf_index_find_name(&p->instances, name);

	return i && i->usable ? i : NULL;
}

static void warn_of_weight(struct conf_parse *p, const struct conf_group *g,
			   const struct diag_place *at, const char *name, const char *what)
{
	conf_warn(p, at,
		  "\"%s\" has a weight, and one member's count in vrrp_sync_group \"%s\" with "
		  "sync_group_tracking_weight only: %s. Write that, or track it in the group",
		  name, g->name, what);
}

/* A number counts as it is, or not at all: no other weight than 1 can be left out of it. */
static bool stays(struct conf_parse *p, const struct conf_group *g, struct conf_track_watch *t)
{
	if (!t->weight || t->kind == CONF_WATCH_PROCESS)
		return true;
	if (t->kind == CONF_WATCH_FILE && t->weight == 1) {
		warn_of_weight(p, g, &t->at, t->name, "any number but 0 is a fault");
		t->weight = 0;
		return true;
	}
	warn_of_weight(p, g, &t->at, t->name, "not tracked");
	return false;
}

/* In a group all must have the same priority on the node that shall win. As in keepalived, which lets those of interfaces and processes count. */
static void drop_weights(struct conf_parse *p, const struct conf_group *g, struct conf_instance *i)
{
	size_t n = 0;

	for (size_t t = 0; t < i->n_scripts; t++) {
		if (i->scripts[t].weight == CONF_NO_WEIGHT)
			i->scripts[n++] = i->scripts[t];
		else
			warn_of_weight(p, g, &i->scripts[t].at, i->scripts[t].name, "not tracked");
	}
	i->n_scripts = n;
	n = 0;
	for (size_t t = 0; t < i->watches.n; t++)
		if (stays(p, g, &i->watches.at[t]))
			i->watches.at[n++] = i->watches.at[t];
	i->watches.n = n;
}

static void say_twice(struct conf_parse *p, const struct conf_instance *i, const char *name)
{
	conf_note(p, &i->at,
		  "vrrp_instance \"%s\" and its vrrp_sync_group both track \"%s\": it counts once, "
		  "as the group says, but a fault of the instance stays one. Leave it out of the "
		  "instance",
		  i->name, name);
}

static void add_script(struct conf_parse *p, struct conf_instance *i,
		       const struct conf_track_script *k)
{
	for (size_t t = 0; t < i->n_scripts; t++) {
		if (i->scripts[t].script != k->script)
			continue;
		say_twice(p, i, k->name);
		if (i->scripts[t].weight != CONF_NO_WEIGHT)
			i->scripts[t] = *k;
		return;
	}
	i->scripts = conf_grow(p->memory, i->scripts, i->n_scripts, sizeof(*i->scripts));
	i->scripts[i->n_scripts++] = *k;
}

static void add_watch(struct conf_parse *p, struct conf_instance *i,
		      const struct conf_track_watch *k)
{
	struct conf_tracks *own = &i->watches;

	for (size_t t = 0; t < own->n; t++) {
		if (own->at[t].watch != k->watch)
			continue;
		say_twice(p, i, k->name);
		if (own->at[t].weight)
			own->at[t] = *k;
		return;
	}
	own->at = conf_grow(p->memory, own->at, own->n, sizeof(*own->at));
	own->at[own->n++] = *k;
}

static void add_interface(struct conf_parse *p, struct conf_instance *i,
			  const struct conf_track_interface *k)
{
	for (size_t t = 0; t < i->n_interfaces; t++) {
		if (strcmp(i->interfaces[t].name, k->name) != 0)
			continue;
		say_twice(p, i, k->name);
		if (i->interfaces[t].weight != CONF_NO_WEIGHT)
			i->interfaces[t] = *k;
		return;
	}
	i->interfaces =
	    conf_grow(p->memory, i->interfaces, i->n_interfaces, sizeof(*i->interfaces));
	i->interfaces[i->n_interfaces++] = *k;
}

/* What the group tracks, each member does; what it tracked itself with a weight counts as the group says, as in keepalived. */
static void add_trackers(struct conf_parse *p, const struct conf_group *g, struct conf_instance *i)
{
	if (!g->tracking_weight)
		drop_weights(p, g, i);
	for (size_t t = 0; t < g->n_scripts; t++)
		add_script(p, i, &g->scripts[t]);
	for (size_t t = 0; t < g->watches.n; t++)
		add_watch(p, i, &g->watches.at[t]);
	for (size_t t = 0; t < g->n_interfaces; t++)
		add_interface(p, i, &g->interfaces[t]);
}

void conf_check_group(struct conf_parse *p, struct conf_group *g)
{
	size_t n = 0;

	g->n_interfaces = conf_find_interfaces(p, g->interfaces, g->n_interfaces, NULL);
	g->n_scripts = conf_find_scripts(p, g->scripts, g->n_scripts);
	conf_find_watches(p, &g->watches);
	for (size_t m = 0; m < g->n_members; m++) {
		struct conf_instance *i = find_instance(p, g->members[m]);

		if (!i) {
			conf_warn(p, &g->member_at[m],
				  "there is no vrrp_instance \"%s\" that could be in the group",
				  g->members[m]);
		} else if (i->group) {
			conf_warn(p, &g->member_at[m],
				  "vrrp_instance \"%s\" is in group \"%s\" "
				  "already",
				  i->name, i->group->name);
		} else {
			i->group = g;
			i->priority_changes |= g->priority_changes;
			add_trackers(p, g, i);
			n++;
		}
	}
	if (n == 1)
		conf_note(p, &g->at,
			  "vrrp_sync_group \"%s\" has one member: a group ties several instances "
			  "of this node together",
			  g->name);
}
