/* SPDX-License-Identifier: MIT */
/* Which interfaces a configuration names that are not on this host: mostly a slip of the pen, but they may come. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

#define NAMED_MAX 20 /* a machine that only tests files has none of them */

struct search {
	const struct conf *conf;
	struct diag *diag;
	const char *said[NAMED_MAX];
	size_t n;
};

/* vipd itself makes it, when the instance begins. */
static bool is_made(const struct conf *c, const char *name)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next) {
		if (i->ipvlan && !strcmp(i->ipvlan->name, name))
			return true;
		for (const struct conf_vmac *m = i->vmacs; m; m = m->next)
			if (!strcmp(m->name, name))
				return true;
	}
	return false;
}

static void look(struct search *s, const char *name, const struct diag_place *at)
{
	if (!name || !strcmp(name, CONF_BY_ROUTE) || s->n == NAMED_MAX || if_nametoindex(name))
		return;
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->said[i], name))
			return;
	if (is_made(s->conf, name))
		return;
	s->said[s->n++] = name;
	diag_add(
	    s->diag, DIAG_NOTICE, at,
	    "there is no interface \"%s\" on this host: what needs it waits, an instance in FAULT, "
	    "until it comes",
	    name);
}

static void look_at_routes(struct search *s, const struct conf_instance *i)
{
	for (size_t n = 0; n < i->n_routes; n++) {
		const struct conf_route *r = &i->routes[n];

		look(s, r->dev, &r->at);
		for (size_t h = 0; h < r->n_hops; h++)
			look(s, r->hops[h].dev, &r->at);
	}
}

static void look_at_tracked(struct search *s, const struct conf_track_interface *list, size_t n,
			    const struct diag_place *at)
{
	for (size_t i = 0; i < n; i++)
		look(s, list[i].name, at);
}

void conf_note_interfaces(const struct conf *c, struct diag *d)
{
	struct search s = {.conf = c, .diag = d};

	for (const struct conf_instance *i = conf_holders(c); i; i = i->next) {
		if (i != c->fixed)
			look(&s, i->interface, i->interface_at.line ? &i->interface_at : &i->at);
		for (size_t n = 0; n < i->n_addresses; n++)
			look(&s, i->addresses[n].dev, &i->addresses[n].at);
		look_at_routes(&s, i);
		look_at_tracked(&s, i->interfaces, i->n_interfaces, &i->at);
	}
	for (const struct conf_group *g = c->groups; g; g = g->next)
		look_at_tracked(&s, g->interfaces, g->n_interfaces, &g->at);
}
