/* SPDX-License-Identifier: MIT */
/* Which macvlans an instance has when all is read, what they are called, and which addresses are on them. */
#include <net/if.h>
#include <string.h>

#include "conf/words.h"

static bool has_mac(const struct conf_vmac *m)
{
	static const uint8_t none[6];

	return memcmp(m->mac, none, sizeof(none)) != 0;
}

static bool is_taken(struct conf_parse *p, const char *name)
{
	return conf_index_find_name(&p->vmacs, name);
}

/* keepalived's names: vrrp.51, for IPv6 then vrrp6.51, then vrrp1.51 and so on. `owner` is what has it. */
static const char *make_name(struct conf_parse *p, const struct conf_instance *i, uint8_t family,
			     const char *prefix, void *owner)
{
	const char *name = conf_printf(p->memory, "%s.%d", prefix, i->vrid);

	if (is_taken(p, name) && family == AF_INET6)
		name = conf_printf(p->memory, "%s6.%d", prefix, i->vrid);
	for (int n = 1; is_taken(p, name) && n < CONF_INSTANCES_MAX; n++)
		name = conf_printf(p->memory, "%s%d.%d", prefix, n, i->vrid);
	if (strlen(name) >= IFNAMSIZ) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": \"%s\" is too long for the name of an interface: "
			  "write a shorter vmac_prefix or vmac_addr_prefix. vrrp is taken",
			  i->name, name);
		return make_name(p, i, family, "vrrp", owner);
	}
	conf_index_add_name(p->scratch, &p->vmacs, name, owner);
	return name;
}

/* The same MAC address twice on an interface would take the other's packets. NULL: it is nobody's. */
static const struct conf_vmac *holder_of(struct conf_parse *p, const struct conf_instance *i,
					 const struct conf_vmac *m)
{
	const char *place = conf_printf(p->scratch, "%s/%d/%d", m->parent, m->family, i->vrid);

	if (has_mac(m))
		place = conf_printf(p->scratch, "%s/%02x%02x%02x%02x%02x%02x", m->parent, m->mac[0],
				    m->mac[1], m->mac[2], m->mac[3], m->mac[4], m->mac[5]);
	return conf_index_add_name(p->scratch, &p->vmac_places, place, (void *)(uintptr_t)m);
}

/* Names that were written are taken before names are made up. */
static void take_own(struct conf_parse *p, struct conf_instance *i)
{
	struct conf_vmac *m = i->vmac;

	if (i->vmac && i->ipvlan) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": use_ipvlan has no effect beside use_vmac",
			  i->name);
		i->ipvlan = NULL;
	}
	if (i->ipvlan && i->ipvlan->name &&
	    conf_index_add_name(p->scratch, &p->vmacs, i->ipvlan->name, i->ipvlan))
		i->ipvlan->name = NULL; /* another instance has it */
	if (!m)
		return;
	i->vmacs = m;
	m->parent = i->interface;
	m->family = i->family;
	if (i->vmac_vrid)
		m->mac[5] = (uint8_t)i->vrid;
	holder_of(p, i, m);
	if (!m->name || !conf_index_add_name(p->scratch, &p->vmacs, m->name, m))
		return;
	conf_warn(
	    p, &i->at,
	    "vrrp_instance \"%s\": another instance has use_vmac %s already: the default name "
	    "is taken",
	    i->name, m->name);
	m->name = NULL;
}

/* With a MAC address of its own an instance has one macvlan on an interface, for both families. */
static struct conf_vmac *find(const struct conf_instance *i, const char *parent, uint8_t family)
{
	for (struct conf_vmac *m = i->vmacs; m; m = m->next)
		if (!strcmp(m->parent, parent) && (m->family == family || has_mac(m)))
			return m;
	return NULL;
}

static const char *vmac_prefix(const struct conf_parse *p)
{
	return p->conf->globals.vmac_prefix ? p->conf->globals.vmac_prefix : "vrrp";
}

static struct conf_vmac *add(struct conf_parse *p, struct conf_instance *i,
			     const struct conf_address *a, const char *parent)
{
	const struct conf_globals *g = &p->conf->globals;
	struct conf_vmac *m = conf_alloc(p->memory, sizeof(*m)), **end = &i->vmacs;

	m->parent = parent;
	m->family = a->ip.family;
	if (i->vmac)
		memcpy(m->mac, i->vmac->mac, sizeof(m->mac));
	if (holder_of(p, i, m)) {
		conf_warn(p, &a->at,
			  "another instance has its virtual MAC address on %s already: the address "
			  "is held on %s itself. Write another virtual_router_id",
			  parent, parent);
		return NULL;
	}
	m->name = make_name(p, i, m->family,
			    g->vmac_addr_prefix ? g->vmac_addr_prefix : vmac_prefix(p), m);
	while (*end)
		end = &(*end)->next;
	return *end = m;
}

static void place(struct conf_parse *p, struct conf_instance *i, struct conf_address *a)
{
	const char *parent = a->dev ? a->dev : i->home;
	bool at_home = !strcmp(parent, i->home) && a->ip.family == i->family;
	struct conf_vmac *m;

	if (at_home && i->vmac) {
		a->vmac = i->vmac;
		return;
	}
	if (!a->use_vmac && (at_home || !i->vmac_addresses))
		return;
	m = find(i, parent, a->ip.family);
	a->vmac = m ? m : add(p, i, a, parent);
}

/* The kernel says of an ipvlan that it runs when the interface below is down. */
static void track_parent(struct conf_parse *p, struct conf_instance *i)
{
	const struct conf_track_interface parent = {.name = i->ipvlan->parent,
						    .weight = CONF_NO_WEIGHT};

	for (size_t t = 0; t < i->n_interfaces; t++)
		if (!strcmp(i->interfaces[t].name, parent.name))
			return;
	i->interfaces = conf_grow(p->memory, i->interfaces, i->n_interfaces, sizeof(parent));
	i->interfaces[i->n_interfaces++] = parent;
}

/* From here on the ipvlan is the instance's interface, but for its addresses. */
static void complete_ipvlan(struct conf_parse *p, struct conf_instance *i)
{
	struct conf_ipvlan *v = i->ipvlan;

	if (!v->name)
		v->name = make_name(p, i, i->family, vmac_prefix(p), v);
	v->parent = i->interface;
	if (v->ip.family && v->ip.family != i->family) {
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\": the address of use_ipvlan is of another family than "
		    "its own: skipped",
		    i->name);
		v->ip = (struct ha_ip){0};
	}
	if (v->ip.family == AF_INET6 && !i->n_peers && !conf_is_link_local(&v->ip)) {
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\": IPv6 adverts leave from a link-local address: that of "
		    "use_ipvlan is skipped",
		    i->name);
		v->ip = (struct ha_ip){0};
	}
	if (!v->ip.family && i->family == AF_INET)
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": use_ipvlan needs an address for IPv4, or the "
			  "instance is in FAULT: write use_ipvlan ADDRESS/PREFIX",
			  i->name);
	if (v->ip.family)
		i->source = v->ip;
	if (i->vmac_xmit_base)
		return;
	i->interface = v->name;
	if (!i->dont_track_primary)
		track_parent(p, i);
}

void conf_check_vmacs(struct conf_parse *p)
{
	for (struct conf_instance *i = p->conf->instances; i; i = i->next)
		take_own(p, i);
	for (struct conf_instance *i = p->conf->instances; i; i = i->next) {
		if (i->ipvlan)
			complete_ipvlan(p, i);
		if (i->vmac && !i->vmac->name)
			i->vmac->name = make_name(p, i, i->family, vmac_prefix(p), i->vmac);
		for (size_t a = 0; a < i->n_addresses; a++)
			place(p, i, &i->addresses[a]);
		if (i->vmac && i->n_peers && !i->vmac_xmit_base)
			conf_note(
			    p, &i->at,
			    "vrrp_instance \"%s\": unicast adverts leave from the interface's "
			    "own MAC address, as with vmac_xmit_base",
			    i->name);
	}
}
