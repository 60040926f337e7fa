/* SPDX-License-Identifier: MIT */
/*
 * Virtual MAC addresses: the macvlans that addresses of an instance are on, which are up while it is
 * MASTER only.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <libha/vrrp_vmac.h>

#include "kernel/kernel.h"
#include "log.h"

static struct ha_vrrp_vmac_opts opts_of(struct kernel *k, const struct conf_instance *i,
					const struct conf_vmac *m)
{
	const struct watched *parent = watched_find(k, m->parent);
	struct ha_vrrp_vmac_opts o = {.size = sizeof(o),
				      .parent = parent ? parent->link.ifindex : 0,
				      .family = m->family,
				      .vrid = (uint8_t)i->vrid};

	memcpy(o.mac, m->mac, sizeof(o.mac));
	strncpy(o.name, m->name, sizeof(o.name) - 1);
	return o;
}

static int say_failure(struct kernel *k, const struct conf_instance *i, const struct conf_vmac *m,
		       const char *what, int error)
{
	const char *detail = ha_net_error_text(k->net);

	log_err("(%s) cannot %s the virtual MAC address (%s): %s%s%s", i->name, what, m->name,
		strerror(-error), *detail ? ": " : "", detail);
	return error;
}

/* One that somebody deleted took along what the settings of its interface were: this process knows it still. */
static void keep_alias(struct kernel *k, struct watched *w, uint32_t parent, struct ha_net_link *l)
{
	if (w->alias_parent == parent)
		ha_vrrp_vmac_remember(k->net, l, w->alias);
	memcpy(w->alias, l->alias, sizeof(w->alias));
	w->alias_parent = parent;
}

/* `text`: which setting /proc/sys did not let be written; "": none. */
static void say_lack(const struct conf_instance *i, struct watched *w, const char *text)
{
	if (*text && !w->lacks_settings)
		log_warn("(%s) %s: %s, /proc/sys cannot be written: its addresses are served, but neighbours may learn another MAC address "
			 "for them. Set it from outside",
			 i->name, w->name, text);
	w->lacks_settings = *text;
}

/* The view of all links follows a moment later: what the kernel said now counts until then. */
static int audit_one(struct kernel *k, const struct conf_instance *i, const struct conf_vmac *m)
{
	struct ha_net_link l = {.size = sizeof(l)};
	const struct ha_vrrp_vmac_opts o = opts_of(k, i, m);
	struct watched *w;
	int r;

	if (!o.parent)
		return 0; /* its interface is not there: vrrp is in FAULT */
	r = ha_vrrp_vmac_ensure(k->net, &o, &l);
	w = watched_find(k, m->name);
	if (r < 0 && w->error != r) /* it is tried at each event */
		say_failure(k, i, m, "make", r);
	w->error = r;
	if (r < 0)
		return r;
	if (w->right_ifindex && w->right_ifindex != l.ifindex && w->alias_parent == o.parent)
		log_warn("(%s) %s was deleted by somebody else: it is made again", i->name, m->name);
	say_lack(i, w, ha_net_error_text(k->net));
	keep_alias(k, w, o.parent, &l);
	w->link = l;
	w->right_ifindex = l.ifindex;
	return 0;
}

int vmac_audit(struct kernel *k, const struct conf_instance *i)
{
	int first = 0;

	for (const struct conf_vmac *m = i->vmacs; m; m = m->next) {
		int r = audit_one(k, i, m);

		if (!first)
			first = r;
	}
	return first;
}

static bool is_right(const struct watched *w)
{
	return w->link.ifindex && w->link.ifindex == w->right_ifindex;
}

/* What somebody else made of it is seen by the audit that vmac_set() makes then. */
void vmac_follow(struct watched *w, const struct ha_net_link *now, const struct ha_net_link *before)
{
	bool changed = now->mac_len != before->mac_len || memcmp(now->mac, before->mac, sizeof(now->mac)) ||
		       now->macvlan_mode != before->macvlan_mode;

	if (!w->is_vmac || now->ifindex != w->right_ifindex || before->ifindex != now->ifindex || !changed)
		return;
	log_warn("somebody else changed %s: it is made again", w->name);
	w->right_ifindex = 0;
}

/* The kernel neither raises its MTU with that of its interface, nor takes it along into a VRF: the audit does. */
void vmac_follow_parent(struct kernel *k, const struct ha_net_link *parent, const struct ha_net_link *before)
{
	bool moved = before && before->master != parent->master;

	for (const struct conf_instance *i = k->conf->instances; i; i = i->next)
		for (const struct conf_vmac *m = i->vmacs; m; m = m->next) {
			struct watched *w = strcmp(m->parent, parent->name) ? NULL : watched_find(k, m->name);

			if (w && (moved || w->link.mtu < parent->mtu))
				w->right_ifindex = 0;
		}
}

static int set_link_up(struct kernel *k, const struct watched *w, bool up)
{
	return w->link.ifindex ? ha_net_link_set_up(k->net, w->link.ifindex, up) : -ENODEV;
}

static int set_one(struct kernel *k, const struct conf_instance *i, const struct conf_vmac *m,
		   bool up)
{
	struct watched *w = watched_find(k, m->name);
	int r = 0;

	if (!w)
		return 0;
	/* A takeover does not look at twenty settings again. */
	if (!is_right(w))
		r = audit_one(k, i, m);
	if (r < 0)
		return up ? r : 0; /* what cannot be made is not there */
	r = set_link_up(k, w, up);
	if (r == -ENODEV && up && !audit_one(k, i, m)) /* it went just now: the view follows */
		r = set_link_up(k, w, up);
	if (r == -ENODEV && !up)
		return 0;
	if (r < 0 && (up || !w->failed)) /* it is asked again each second: again.c */
		say_failure(k, i, m, up ? "use" : "leave", r);
	w->failed = r < 0 && !up;
	if (r < 0)
		return r;
	w->link.flags = up ? w->link.flags | IFF_UP : w->link.flags & ~(uint32_t)IFF_UP;
	return 0;
}

int vmac_set(struct kernel *k, const struct conf_instance *i, bool up)
{
	int first = 0;

	for (const struct conf_vmac *m = i->vmacs; m; m = m->next) {
		int r = set_one(k, i, m, up);

		if (!first)
			first = r;
	}
	return first;
}

bool vmac_is_up(struct kernel *k, const struct conf_instance *i)
{
	for (const struct conf_vmac *m = i->vmacs; m; m = m->next) {
		const struct watched *w = watched_find(k, m->name);

		if (!is_right(w) || !(w->link.flags & IFF_UP))
			return false;
	}
	return true;
}

/* 0, HA_NET_ALREADY or -errno. */
static int remove_ours(struct kernel *k, const struct ha_vrrp_vmac_opts *o, struct watched *w)
{
	int r = ha_vrrp_vmac_remove(k->net, o);

	if (!r && w)
		w->right_ifindex = w->alias_parent = 0;
	return r;
}

/* One that somebody deleted is made again: it takes the settings of its interface back with it. */
static void remove_one(struct kernel *k, const struct conf_instance *i, const struct conf_vmac *m)
{
	const struct ha_vrrp_vmac_opts o = opts_of(k, i, m);
	struct watched *w = watched_find(k, m->name);
	int r = o.parent ? remove_ours(k, &o, w) : 0;

	if (r == HA_NET_ALREADY && w && w->alias_parent == o.parent && audit_one(k, i, m) >= 0)
		r = remove_ours(k, &o, w);
	if (r < 0)
		say_failure(k, i, m, "remove", r);
}

void vmac_remove(struct kernel *k, const struct conf_instance *i)
{
	for (const struct conf_vmac *m = i->vmacs; m; m = m->next)
		remove_one(k, i, m);
}

void vmac_leave(struct kernel *k, const struct conf_instance *i, const struct watched *parent)
{
	for (const struct conf_vmac *m = i->vmacs; m; m = m->next)
		if (!strcmp(m->parent, parent->name))
			remove_one(k, i, m);
}

static bool is_configured(const struct conf *c, const struct conf_instance *old,
			  const struct conf_vmac *o)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		for (const struct conf_vmac *m = i->vmacs; m; m = m->next)
			if (!strcmp(m->name, o->name) && !strcmp(m->parent, o->parent) &&
			    m->family == o->family && i->vrid == old->vrid &&
			    !memcmp(m->mac, o->mac, sizeof(m->mac)))
				return true;
	return false;
}

void vmac_remove_old(struct kernel *k, const struct conf_instance *old)
{
	for (const struct conf_vmac *m = old->vmacs; m; m = m->next)
		if (!is_configured(k->conf, old, m))
			remove_one(k, old, m);
}
