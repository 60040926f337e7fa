/* SPDX-License-Identifier: MIT */
/*
 * track_group: instances that need a static address or route are in FAULT while its interface is down or not there. The
 * address itself comes back when somebody removes it.
 */
#include <string.h>

#include "conf/words.h"

static const struct conf_keyword track_group_words[] = {
    {"group", conf_set_members, .block = &conf_list, .form = "{ INSTANCE ... }",
     .doc = "Its instances."},
    {0}};
const struct conf_block conf_block_track_group = {.name = "track_group",
						  .keyword = track_group_words};

void conf_track_group_new(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf *c = target;
	struct conf_group *g;
	const char *name = conf_block_name(p, n, c->n_track_groups);

	if (!name)
		return;
	g = conf_alloc(p->memory, sizeof(*g));
	*g = (struct conf_group){.next = c->track_groups, .name = name, .at = n->word->at};
	c->track_groups = g;
	c->n_track_groups++;
	conf_walk(p, n->child, k->block, g);
}

static void track(struct conf_parse *p, struct conf_instance *i, const char *interface)
{
	bool tracks = !strcmp(interface, i->interface) && !i->dont_track_primary;

	for (size_t t = 0; t < i->n_interfaces; t++)
		tracks |= !strcmp(i->interfaces[t].name, interface);
	if (tracks)
		return;
	i->interfaces =
	    conf_grow(p->memory, i->interfaces, i->n_interfaces, sizeof(*i->interfaces));
	i->interfaces[i->n_interfaces++] =
	    (struct conf_track_interface){.name = interface, .weight = CONF_NO_WEIGHT};
}

static const struct conf_group *find(struct conf_parse *p, const char *name,
				     const struct diag_place *at)
{
	const struct conf_group *g = p->conf->track_groups;

	while (g && strcmp(g->name, name) != 0)
		g = g->next;
	if (!g)
		conf_warn(p, at, "there is no track_group \"%s\": nothing tracks it", name);
	return g;
}

/* `name` NULL: it names no group. */
static void track_all(struct conf_parse *p, const char *name, const struct diag_place *at,
		      const char *interface)
{
	const struct conf_group *g = name ? find(p, name, at) : NULL;

	for (size_t m = 0; g && interface && m < g->n_members; m++) {
		struct conf_instance *i = conf_index_find_name(&p->instances, g->members[m]);

		if (i && i->usable)
			track(p, i, interface);
	}
}

static void say_lost_members(struct conf_parse *p, const struct conf_group *g)
{
	for (size_t m = 0; m < g->n_members; m++) {
		const struct conf_instance *i = conf_index_find_name(&p->instances, g->members[m]);

		if (!i || !i->usable)
			conf_warn(p, &g->member_at[m],
				  "there is no vrrp_instance \"%s\" that could be in the group",
				  g->members[m]);
	}
}

void conf_check_track_groups(struct conf_parse *p)
{
	const struct conf_instance *fixed = p->conf->fixed;

	for (const struct conf_group *g = p->conf->track_groups; g; g = g->next)
		say_lost_members(p, g);
	for (size_t a = 0; fixed && a < fixed->n_addresses; a++) {
		const struct conf_address *at = &fixed->addresses[a];

		track_all(p, at->track_group, &at->at, at->dev ? at->dev : fixed->interface);
	}
	for (size_t r = 0; fixed && r < fixed->n_routes; r++) {
		const struct conf_route *at = &fixed->routes[r];

		track_all(p, at->track_group, &at->at, at->dev);
		for (size_t h = 0; h < at->n_hops; h++)
			track_all(p, at->track_group, &at->at, at->hops[h].dev);
	}
}
