/* SPDX-License-Identifier: MIT */
/* Routes and routing rules of instances, and those that are always there. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include <libha/route.h>

#include "kernel/kernel.h"
#include "kernel/patience.h"
#include "log.h"

/* The number of an interface; 0, said: there is none. NULL is none, too, and no reason to say so. */
static bool index_of(struct kernel *k, const char *name, uint32_t *ret)
{
	struct ha_net_link link = {.size = sizeof(link)};

	*ret = 0;
	if (!name)
		return true;
	if (k->leaving && !strcmp(k->leaving->name, name)) {
		*ret = k->leaving->link.ifindex;
		return true;
	}
	if (ha_net_link_by_name(k->net, name, &link) < 0)
		return false;
	*ret = link.ifindex;
	return true;
}

/* The table of a VRF; false: there is none of this name. NULL changes nothing. */
static bool table_of(struct kernel *k, const char *vrf, uint32_t *ret)
{
	struct ha_net_link link = {.size = sizeof(link)};

	if (!vrf)
		return true;
	if (ha_net_link_by_name(k->net, vrf, &link) < 0 || !link.vrf_table)
		return false;
	*ret = link.vrf_table;
	return true;
}

/* The library's route, with the numbers that the interfaces have now. `hop` has room for all hops. */
static bool to_route(struct kernel *k, const struct conf_instance *i, const struct conf_route *from,
		     struct ha_net_nexthop *hop, struct ha_net_route *ret)
{
	const char *dev = from->dev;

	*ret = from->route;
	if (!table_of(k, from->vrf, &ret->table))
		return false;
	for (size_t h = 0; h < from->n_hops; h++) {
		hop[h] = from->hops[h].hop;
		if (!index_of(k, from->hops[h].dev ? from->hops[h].dev : dev, &hop[h].ifindex))
			return false;
	}
	if (from->n_hops) {
		ret->nexthops = hop;
		ret->n_nexthops = from->n_hops;
		return true;
	}
	if (conf_route_at_home(from))
		dev = conf_home_device(i);
	return index_of(k, dev, &ret->ifindex);
}

static int change_route(struct kernel *k, const struct conf_route *c, const struct ha_net_route *r,
			bool up)
{
	int status = 0;

	if (!up)
		ha_net_route_remove(k->net, r, 1, &status);
	else if (c->how == CONF_ROUTE_ADD)
		ha_net_route_add(k->net, r, 1, &status);
	else if (c->how == CONF_ROUTE_APPEND)
		ha_net_route_append(k->net, r, 1, &status);
	else
		ha_net_route_prepend(k->net, r, 1, &status);
	return status;
}

static void say_failure(struct kernel *k, const struct conf_instance *i, const char *what,
			const char *text, int status)
{
	const char *detail = ha_net_error_text(k->net);

	log_err("(%s) cannot %s %s: %s%s%s", i->name, what, text, strerror(-status),
		*detail ? ": " : "", detail);
}

/* A link that went took its routes along: vrrp says more about that. */
static bool is_of_down_link(struct kernel *k, const struct conf_instance *i, int status)
{
	const char *home = conf_home_device(i);
	const struct watched *w = home ? watched_find(k, home) : NULL;

	bool is_of_link = status == -ENETUNREACH || status == -EHOSTUNREACH || status == -ENETDOWN || status == -ENODEV;

	return is_of_link && w && !(w->link.flags & IFF_UP);
}

/* It is asked for again at each change of a link or address: the same refusal is said once. */
static void note(struct kernel *k, const struct conf_instance *i, const char *what,
		 const char *text, uint32_t index, int status)
{
	int *said = &k->lines[index].error;

	if (is_of_down_link(k, i, status))
		return;
	if (status < 0 && status != *said)
		say_failure(k, i, what, text, status);
	*said = status < 0 ? status : 0;
}

static int try_route(struct kernel *k, const struct conf_instance *i, const struct conf_route *c,
		     bool up)
{
	struct ha_net_nexthop *hop = calloc(c->n_hops + 1, sizeof(*hop));
	struct ha_net_route r;
	int status = -ENOMEM;

	if (hop)
		status = to_route(k, i, c, hop, &r) ? change_route(k, c, &r, up) : -ENODEV;
	free(hop);
	return status;
}

/* 0: it was not there; else as the library says. */
static int add_route(struct kernel *k, const struct conf_instance *i, const struct conf_route *c)
{
	int status = try_route(k, i, c, true);

	note(k, i, "add route", c->text, c->index, status);
	return status;
}

/* Without its link it is gone; and a kernel that cannot have it has none. */
static int remove_route(struct kernel *k, const struct conf_instance *i, const struct conf_route *c)
{
	int status = try_route(k, i, c, false);

	return status == -ENODEV || status == -EOPNOTSUPP ? 0 : status;
}

static int add_rule(struct kernel *k, const struct conf_instance *i, const struct conf_rule *c)
{
	int status = 0;

	ha_net_rule_add(k->net, &c->rule, 1, &status);
	note(k, i, "add rule", c->text, c->index, status);
	return status;
}

static int remove_rule(struct kernel *k, const struct conf_rule *c)
{
	int status = 0;

	ha_net_rule_remove(k->net, &c->rule, 1, &status);
	return status;
}

static void add_all(struct kernel *k, const struct conf_instance *i)
{
	for (size_t n = 0; n < i->n_routes; n++)
		add_route(k, i, &i->routes[n]);
	for (size_t n = 0; n < i->n_rules; n++)
		add_rule(k, i, &i->rules[n]);
}

/* 0 or the first error. The next time that those which are gone are wanted, a refusal is said again. */
static int remove_all(struct kernel *k, const struct conf_instance *i)
{
	int err = 0, r;

	for (size_t n = i->n_rules; n-- > 0;) {
		const struct conf_rule *c = &i->rules[n];

		r = remove_rule(k, c);
		note(k, i, "remove rule", c->text, c->index, r);
		err = err < 0 ? err : r;
	}
	for (size_t n = 0; n < i->n_routes; n++) {
		const struct conf_route *c = &i->routes[n];

		r = remove_route(k, i, c);
		note(k, i, "remove route", c->text, c->index, r);
		err = err < 0 ? err : r;
	}
	return err < 0 ? err : 0;
}

int routes_set(struct kernel *k, const struct conf_instance *i, bool up)
{
	if (!up)
		return remove_all(k, i);
	add_all(k, i);
	return 0;
}

static bool is_on(const struct conf_instance *i, const struct conf_route *c, const char *name)
{
	const char *dev = c->dev ? c->dev : conf_home_device(i);
	bool is = dev && !strcmp(dev, name);

	for (size_t h = 0; h < c->n_hops && !is; h++)
		is = c->hops[h].dev && !strcmp(c->hops[h].dev, name);
	return is;
}

void routes_leave(struct kernel *k, const struct conf_instance *i, const struct watched *w)
{
	k->leaving = w;
	for (size_t n = 0; n < i->n_routes; n++)
		if (is_on(i, &i->routes[n], w->name))
			try_route(k, i, &i->routes[n], false);
	k->leaving = NULL;
}

/* It is back. Of one that somebody removes again and again route_watch tells. */
static void say_restored(struct kernel *k, const struct conf_instance *i, const char *what, const char *text, uint32_t index)
{
	struct line *line = &k->lines[index];
	uint64_t now_ns = loop_clock_ns();

	if (patience_is_calm(line->restored_ns, now_ns)) {
		log_warn("(%s) %s %s was gone: added again", i->name, what, text);
	} else {
		k->undone = text;
		k->undone_ns = now_ns;
	}
	line->restored_ns = now_ns;
}

/* What is there stays as it is: the kernel says so. */
void routes_restore(struct kernel *k, const struct conf_instance *i)
{
	for (size_t n = 0; n < i->n_routes; n++) {
		const struct conf_route *c = &i->routes[n];

		if (!c->no_track && !add_route(k, i, c))
			say_restored(k, i, "route", c->text, c->index);
	}
	for (size_t n = 0; n < i->n_rules; n++) {
		const struct conf_rule *c = &i->rules[n];

		if (!c->no_track && !add_rule(k, i, c))
			say_restored(k, i, "rule", c->text, c->index);
	}
}

static bool has_route(const struct conf *c, const char *text)
{
	for (const struct conf_instance *i = conf_holders(c); i; i = i->next)
		for (size_t n = 0; n < i->n_routes; n++)
			if (!strcmp(i->routes[n].text, text))
				return true;
	return false;
}

static bool has_rule(const struct conf *c, const char *text)
{
	for (const struct conf_instance *i = conf_holders(c); i; i = i->next)
		for (size_t n = 0; n < i->n_rules; n++)
			if (!strcmp(i->rules[n].text, text))
				return true;
	return false;
}

void routes_remove_old(struct kernel *k, const struct conf_instance *old)
{
	for (size_t n = 0; n < old->n_rules; n++) {
		int r = has_rule(k->conf, old->rules[n].text) ? 0 : remove_rule(k, &old->rules[n]);

		if (r < 0)
			say_failure(k, old, "remove rule", old->rules[n].text, r);
	}
	for (size_t n = 0; n < old->n_routes; n++) {
		int r = has_route(k->conf, old->routes[n].text) ? 0 : remove_route(k, old, &old->routes[n]);

		if (r < 0)
			say_failure(k, old, "remove route", old->routes[n].text, r);
	}
}
