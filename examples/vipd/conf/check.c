/* SPDX-License-Identifier: MIT */
/*
 * What can only be judged when all is read: defaults, inheritance, names that point elsewhere, and
 * whether the libraries would take it. What cannot run is taken out of the model, said once.
 */
#include <string.h>

#include <libha/vrrp.h>

#include "conf/words.h"

/* lvs_sync_daemon follows an instance, which is told by its place. */
static void find_sync_instance(struct conf_parse *p)
{
	struct conf_sync *s = &p->conf->globals.sync;
	const struct conf_instance *i;

	if (!s->interface || !s->instance)
		return;
	for (i = p->conf->instances; i && strcmp(i->name, s->instance); i = i->next)
		s->index++;
	if (i) {
		conf_default_int(&s->id, CONF_UNSET, i->vrid);
		return;
	}
	conf_warn(p, &s->at,
		  "lvs_sync_daemon: there is no vrrp_instance \"%s\": no connections are copied",
		  s->instance);
	s->interface = NULL;
}

/* Over one hop a neighbour is on one link: that of the instance. */
static void find_bfd_interfaces(struct conf *c)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		for (size_t t = 0; t < i->watches.n; t++)
			if (!i->watches.at[t].watch->bfd.interface &&
			    strcmp(i->interface, CONF_BY_ROUTE) != 0)
				i->watches.at[t].watch->bfd.interface = i->interface;
}

/* keepalived's default of their interface is eth0, too. */
static void complete_fixed(struct conf *c)
{
	if (!c->fixed)
		return;
	c->fixed->interface = c->globals.default_interface ? c->globals.default_interface : "eth0";
	c->fixed->home = c->fixed->interface;
	c->fixed->next = c->instances;
	/* Like an owner's: what was there before vipd stays behind. */
	c->fixed->priority = HA_VRRP_PRIORITY_OWNER;
}

/* One table each: the one would take the rules of the other away. */
static void check_tables(struct conf_parse *p)
{
	struct conf_nft *own = &p->conf->globals.nft, *marks = &p->conf->globals.nft_marks;

	if (!own->name || !marks->name || strcmp(own->name, marks->name) != 0)
		return;
	conf_warn(p, NULL,
		  "nftables and nftables_ipvs name the same table \"%s\": \"keepalived_ipvs\" is "
		  "taken for the latter",
		  own->name);
	marks->named = false;
	marks->name = "keepalived_ipvs";
}

void conf_check(struct conf_parse *p)
{
	check_tables(p);
	conf_check_scripts(p);
	conf_check_instances(p);
	complete_fixed(p->conf);
	conf_check_track_groups(p);
	for (struct conf_group *g = p->conf->groups; g; g = g->next)
		conf_check_group(p, g);
	conf_note_unused_scripts(p);
	conf_check_virtuals(p);
	find_bfd_interfaces(p->conf);
	conf_complete_mail(p);
	find_sync_instance(p);
}
