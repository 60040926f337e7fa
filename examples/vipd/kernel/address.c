/* SPDX-License-Identifier: MIT */
/*
 * Virtual addresses and the interfaces they need. Only what the configuration names is ever touched:
 * vrrp says which instance, never which address.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libha/vrrp.h>

#include "kernel/kernel.h"
#include "log.h"

#define SECOND_NS UINT64_C(1000000000)
#define READY_PATIENCE_NS UINT64_C(20000000)
#define REST_US 1000 /* doubled from try to try */
#define REST_MAX_US 256000
#define RELEASE_REST_MAX_US 1024000 /* likewise, at the end: there is no later */

/* ---- Interfaces ---- */

struct watched *watched_find(struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->n_watched; i++)
		if (!strcmp(k->watched[i].name, name))
			return &k->watched[i];
	return NULL;
}

static void watch(struct kernel *k, const char *name)
{
	struct watched *w = &k->watched[k->n_watched];

	if (!name || watched_find(k, name))
		return;
	*w = (struct watched){0};
	strncpy(w->name, name, sizeof(w->name) - 1);
	k->n_watched++;
}

static size_t count_names(const struct conf *c)
{
	size_t n = 0;

	for (const struct conf_instance *i = c ? conf_holders(c) : NULL; i; i = i->next)
		n += 4 + 2 * i->n_addresses + i->n_interfaces;
	return n;
}

static void watch_all(struct kernel *k, const struct conf *c)
{
	for (const struct conf_instance *i = c ? conf_holders(c) : NULL; i; i = i->next) {
		watch(k, i->interface);
		watch(k, i->home);
		if (i->ipvlan)
			watch(k, i->ipvlan->name);
		for (const struct conf_vmac *m = i->vmacs; m; m = m->next) {
			watch(k, m->name);
			watched_find(k, m->name)->is_vmac = true;
		}
		for (size_t a = 0; a < i->n_addresses; a++)
			watch(k, i->addresses[a].dev);
		for (size_t t = 0; t < i->n_interfaces; t++)
			watch(k, i->interfaces[t].name);
	}
}

int addresses_init(struct kernel *k)
{
	size_t names = count_names(k->conf) + count_names(k->birth->old), n = 0;

	k->watched = calloc(names + 1, sizeof(*k->watched));
	k->vips = calloc(names + 1, sizeof(*k->vips));
	k->held = calloc(k->conf->n_instances + 1, 1);
	k->source_told = calloc(k->conf->n_instances + 1, 1);
	k->lines = calloc(k->conf->n_lines + 1, sizeof(*k->lines));
	if (!k->watched || !k->vips || !k->held || !k->lines || !k->source_told)
		return -ENOMEM;
	watch_all(k, k->conf);
	watch_all(k, k->birth->old);
	/* An owner's addresses are the node's own: adverts may leave from them. */
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next)
		for (size_t a = 0; a < i->n_addresses && i->priority != HA_VRRP_PRIORITY_OWNER; a++)
			k->vips[n++] = i->addresses[a].ip;
	k->n_vips = n;
	return 0;
}

static void fill_link(const struct kernel *k, const struct ha_net_link *l, struct msg_link *ret)
{
	ret->ifindex = l->ifindex;
	ret->mtu = l->mtu;
	ret->running = (l->flags & IFF_UP) && (l->flags & IFF_RUNNING);
	if (!l->ifindex)
		return;
	if (ha_vrrp_link_source(l->ifindex, AF_INET, k->vips, k->n_vips, &ret->source4) < 0)
		ret->source4 = (struct ha_ip){0};
	if (ha_vrrp_link_source(l->ifindex, AF_INET6, k->vips, k->n_vips, &ret->source6) < 0)
		ret->source6 = (struct ha_ip){0};
}

static void tell_link(struct kernel *k, struct watched *w)
{
	struct msg m = {.type = MSG_LINK};
	const struct ha_net_link *l = &w->link;

	memcpy(m.link.name, w->name, sizeof(m.link.name));
	if (!strcmp(w->name, CONF_BY_ROUTE)) {
		m.link.ifindex = MSG_LINK_BY_ROUTE;
		m.link.running = true;
	} else {
		fill_link(k, l, &m.link);
	}
	if (w->is_vmac)
		return;
	if (w->was_told && !memcmp(&w->told, &m.link, sizeof(m.link)))
		return;
	if (msg_send(k->birth->ends.vrrp, &m, -1) < 0) {
		loop_arm(k->settle, loop_now_ns(k->loop) + SECOND_NS);
		return;
	}
	w->told = m.link;
	w->was_told = true;
}

/*
 * Whether a socket of this host can have the address, as one of keepalived must. It may be on any interface, be another
 * address of the host by a route of type local, or be in a VRF.
 */
static bool can_send_from(const struct ha_ip *source, const char *vrf)
{
	struct sockaddr_storage at;
	ssize_t len = ha_ip_to_sockaddr(source, 0, 0, &at);
	int fd = len < 0 ? -1 : socket(source->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool can;

	if (fd < 0)
		return true; /* nobody knows: sending will show it */
	if (vrf)
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, vrf, (socklen_t)strlen(vrf) + 1);
	can = !bind(fd, (struct sockaddr *)&at, (socklen_t)len) || errno != EADDRNOTAVAIL;
	close(fd);
	return can;
}

static bool has_source(struct kernel *k, const struct conf_instance *i)
{
	struct ha_net_address there = {.size = sizeof(there)};
	const struct watched *w = watched_find(k, i->interface);

	if (!strcmp(i->interface, CONF_BY_ROUTE))
		return can_send_from(&i->source, NULL);
	if (!i->track_source || i->vrf)
		return can_send_from(&i->source, i->interface);
	return w && w->link.ifindex &&
	       !ha_net_monitor_address(k->monitor, w->link.ifindex, &i->source, &there);
}

/* track_src_ip; unicast likewise, which would hear nobody without it, and be a second MASTER. */
static void tell_source(struct kernel *k, const struct conf_instance *i, uint32_t index)
{
	struct msg m = {.type = MSG_SOURCE, .index = index};

	if (!i->source.family || (!i->track_source && !i->n_peers))
		return;
	m.value = has_source(k, i);
	if (k->source_told[index] != 1 + m.value && msg_send(k->birth->ends.vrrp, &m, -1) >= 0)
		k->source_told[index] = (uint8_t)(1 + m.value);
}

/* ---- Addresses ---- */

static bool to_address(struct kernel *k, const struct conf_instance *i,
		       const struct conf_address *from, struct ha_net_address *ret)
{
	const struct watched *w = watched_find(k, conf_address_device(i, from));

	if (!w || !w->link.ifindex)
		return false;
	*ret = (struct ha_net_address){
	    .size = sizeof(*ret),
	    .ifindex = w->link.ifindex,
	    .ip = from->ip,
	    .broadcast = from->broadcast,
	    .prefix_len = from->prefix,
	    .scope = from->scope,
	    .proto = HA_NET_PROTO_VIP,
	};
	ret->peer = from->peer;
	ret->flags = from->flags;
	if (from->preferred_s > 0)
		ret->preferred_lft_s = (uint32_t)from->preferred_s;
	if (from->ip.family == AF_INET6) {
		if (!from->dad)
			ret->flags |= IFA_F_NODAD;
		ret->broadcast = (struct ha_ip){0};
	}
	/* keepalived's default of an IPv6 host address: it is no source of connections. */
	if (from->preferred_s == 0 || (from->preferred_s == CONF_UNSET && from->prefix == 128))
		ret->flags |= IFA_F_DEPRECATED;
	if (from->label)
		strncpy(ret->label, from->label, sizeof(ret->label) - 1);
	return true;
}

static bool is_there(struct kernel *k, const struct ha_net_address *a, struct ha_net_address *ret)
{
	ret->size = sizeof(*ret);
	return !ha_net_monitor_address(k->monitor, a->ifindex, &a->ip, ret);
}

static void say_failure(const struct conf_instance *i, const struct ha_net_address *a,
			const char *what, int error, const char *detail)
{
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&a->ip, ip, sizeof(ip));
	log_err("(%s) cannot %s %s/%u: %s%s%s", i->name, what, ip, a->prefix_len, strerror(-error),
		*detail ? ": " : "", detail);
}

/* An owner's address is the node's own: it is there before and stays behind. */
static bool is_ours(const struct conf_instance *i, const struct conf_address *from,
		    const struct ha_net_address *there)
{
	return i->priority != HA_VRRP_PRIORITY_OWNER ||
	       ha_net_address_is_marked(there, HA_NET_PROTO_VIP, from->label);
}

/*
 * An IPv6 address takes packets a moment after it was added: nobody shall be told of it before. A link
 * without carrier never finishes, so there is an end.
 */
static void wait_until_ready(struct kernel *k, const struct ha_net_address *a, size_t n)
{
	uint64_t until = loop_clock_ns() + READY_PATIENCE_NS;

	for (size_t i = 0; i < n; i++)
		while (!ha_net_address_is_ready(k->net, &a[i]) && loop_clock_ns() < until)
			usleep(200);
}

/*
 * A host or an interface without IPv6 from the start, which an administrator may want: the instance does without this address, as in
 * keepalived. One that loses it is ill: another node may have it still.
 */
static bool does_without(struct kernel *k, const struct conf_instance *i, const struct ha_net_address *a, int error)
{
	bool lacks = error == -EACCES || error == -EOPNOTSUPP || error == -EAFNOSUPPORT;
	struct watched *w = NULL;

	for (size_t n = 0; a->ip.family == AF_INET6 && n < k->n_watched && !w; n++)
		w = k->watched[n].link.ifindex == a->ifindex ? &k->watched[n] : NULL;
	if (!w)
		return false;
	w->had_ipv6 |= error >= 0;
	if (!lacks || w->had_ipv6)
		return false;
	if (!w->lacks_ipv6)
		log_warn("(%s) %s has no IPv6: it goes without its IPv6 addresses there", i->name, w->name);
	return w->lacks_ipv6 = true;
}

/* Of ours or of the kernel's: there may be some in a moment. */
static bool is_short_of_memory(int error)
{
	return error == -ENOMEM || error == -ENOBUFS;
}

/* What of failures is said; refusals: not a want of memory, which is waited for. */
enum saying { SAY_NOTHING, SAY_REFUSALS, SAY_ALL };

static bool is_said(enum saying say, int error)
{
	return say == SAY_ALL || (say == SAY_REFUSALS && !is_short_of_memory(error));
}

/* Those that it goes without are taken out; how many stay, and in *r the first error of these. */
static size_t leave_out(struct kernel *k, const struct conf_instance *i, struct ha_net_address *a, int *status, size_t n, int *r)
{
	size_t kept = 0;
	int first = 0;

	for (size_t j = 0; j < n; j++) {
		if (does_without(k, i, &a[j], status[j]))
			continue;
		a[kept] = a[j];
		status[kept] = status[j];
		first = !first && status[kept] < 0 ? status[kept] : first;
		kept++;
	}
	if (kept < n)
		*r = first;
	return kept;
}

static int try_change(struct kernel *k, const struct conf_instance *i, bool up, uint32_t *ret_changed, enum saying say)
{
	struct ha_net_address *a = calloc(i->n_addresses + 1, sizeof(*a)), there;
	int *status = calloc(i->n_addresses + 1, sizeof(*status)), r = -ENOMEM;
	size_t n = 0;

	if (!a || !status)
		goto out;
	for (size_t from = 0; from < i->n_addresses; from++) {
		const struct conf_address *c = &i->addresses[from];

		if (!to_address(k, i, c, &a[n]))
			continue;
		if (!up && is_there(k, &a[n], &there) && !is_ours(i, c, &there))
			continue;
		n++;
	}
	r = up ? ha_net_address_add(k->net, a, n, status)
	       : ha_net_address_remove(k->net, a, n, status);
	if (up)
		n = leave_out(k, i, a, status, n, &r);
	for (size_t j = 0; j < n; j++) {
		if (status[j] < 0 && is_said(say, status[j]))
			say_failure(i, &a[j], up ? "add" : "remove", status[j],
				    ha_net_error_text(k->net));
		else if (!status[j] && ret_changed)
			++*ret_changed;
	}
	if (up)
		wait_until_ready(k, a, n);
out:
	if (say == SAY_ALL && (!a || !status))
		log_err("(%s) cannot %s its addresses: out of memory", i->name, up ? "add" : "remove");
	free(a);
	free(status);
	return r;
}

/*
 * Adds all of an instance, or removes them: as few system calls as can be. 0 or the first error;
 * *ret_changed (may be NULL): how many were not so before. An address that stays where it should go is two nodes' at once, so
 * a want of memory is waited for. `again`: it failed before, which was said.
 */
static int change(struct kernel *k, const struct conf_instance *i, bool up, bool again, uint32_t *ret_changed)
{
	if (again)
		return try_change(k, i, up, ret_changed, SAY_NOTHING);
	for (unsigned rest_us = REST_US;; rest_us *= 2) {
		bool last = rest_us > REST_MAX_US;
		int r = try_change(k, i, up, ret_changed, last ? SAY_ALL : SAY_REFUSALS);

		if (last || !is_short_of_memory(r))
			return r;
		usleep(rest_us);
	}
}

static const struct conf_instance *instance_at(const struct kernel *k, uint32_t index)
{
	const struct conf_instance *i = k->conf->instances;

	while (i && index--)
		i = i->next;
	return i;
}

/* 0, or why not all addresses are there; how many were set just now. */
static void tell_held(struct kernel *k, uint32_t index, int error, uint32_t changed)
{
	const struct msg m = {.type = MSG_HELD, .index = index, .index2 = changed, .extra = error};

	if (msg_send(k->birth->ends.vrrp, &m, -1) < 0)
		log_debug("instance %u: vrrp does not listen", index);
}

/*
 * On the way up the macvlan first, since the addresses need it; on the way down, too: from then on
 * nothing leaves from its MAC address, not even that the groups of its addresses are left.
 */
static int hold(struct kernel *k, const struct conf_instance *i, bool up, uint32_t *ret_changed)
{
	int r, e, routes = up ? 0 : routes_set(k, i, false);

	r = vmac_set(k, i, up);
	e = change(k, i, up, false, ret_changed);
	if (up)
		routes_set(k, i, true);
	if (r >= 0)
		r = e;
	return r < 0 ? r : routes;
}

void addresses_hold(struct kernel *k, uint32_t index, bool up)
{
	const struct conf_instance *i = instance_at(k, index);
	uint32_t changed = 0;
	int e;

	if (!i)
		return;
	e = hold(k, i, up, &changed);
	k->held[index] = up ? HELD_UP : e < 0 ? HELD_STUCK : HELD_DOWN;
	if (k->held[index] == HELD_STUCK)
		again_soon(k);
	sync_follow(k, index, up);
	if (up)
		tell_held(k, index, e, changed);
}

/* Another node has them, perhaps. True: all are gone from here. */
static bool give_up_again(struct kernel *k, const struct conf_instance *i, uint32_t index)
{
	int routes = routes_set(k, i, false), r = vmac_set(k, i, false), e = change(k, i, false, true, NULL);

	if (routes < 0 || r < 0 || e < 0)
		return false;
	k->held[index] = HELD_DOWN;
	log_notice("(%s) all that it held has left this host after all", i->name);
	return true;
}

bool addresses_give_up_again(struct kernel *k)
{
	uint32_t index = 0;
	bool all = true;

	for (const struct conf_instance *i = k->conf->instances; i; i = i->next, index++)
		if (k->held[index] == HELD_STUCK)
			all &= give_up_again(k, i, index);
	return all;
}

/* Held, but gone: somebody else removed it, or the interface came back. */
static void restore(struct kernel *k, const struct conf_instance *i, uint32_t index)
{
	struct ha_net_address a, there;
	int r = vmac_is_up(k, i) ? 0 : vmac_set(k, i, true);

	if (r < 0)
		tell_held(k, index, r, 0);
	for (size_t n = 0; n < i->n_addresses; n++) {
		char ip[HA_IP_TEXT_SIZE] = "";
		int status = 0;

		if (i->addresses[n].no_track || !to_address(k, i, &i->addresses[n], &a) ||
		    is_there(k, &a, &there))
			continue;
		/* The view may lag behind our own change: the kernel knows. */
		ha_net_address_add(k->net, &a, 1, &status);
		if (does_without(k, i, &a, status))
			continue;
		if (status < 0) {
			say_failure(i, &a, "add", status, ha_net_error_text(k->net));
			tell_held(k, index, status, 0);
		} else if (!status) {
			ha_ip_format(&a.ip, ip, sizeof(ip));
			log_warn("(%s) address %s was removed by somebody else: added again",
				 i->name, ip);
		}
	}
	routes_restore(k, i);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The kernel changes no scope, label or broadcast of an address that is there: it is another one. */
static bool is_same(const struct conf_address *a, const struct conf_address *b)
{
	return !ha_ip_compare(&a->ip, &b->ip) && a->prefix == b->prefix && a->scope == b->scope &&
	       a->flags == b->flags && a->preferred_s == b->preferred_s &&
	       !ha_ip_compare(&a->broadcast, &b->broadcast) && !ha_ip_compare(&a->peer, &b->peer) &&
	       is_same_text(a->label, b->label);
}

static bool is_configured(const struct conf *c, const char *device, const struct conf_address *a)
{
	for (const struct conf_instance *i = conf_holders(c); i; i = i->next)
		for (size_t n = 0; n < i->n_addresses; n++)
			if (is_same(&i->addresses[n], a) &&
			    !strcmp(conf_address_device(i, &i->addresses[n]), device))
				return true;
	return false;
}

static int remove_patiently(struct kernel *k, const struct ha_net_address *a, int *status)
{
	int r = ha_net_address_remove(k->net, a, 1, status);

	for (unsigned rest_us = REST_US; is_short_of_memory(r) && rest_us <= REST_MAX_US; rest_us *= 2) {
		usleep(rest_us);
		r = ha_net_address_remove(k->net, a, 1, status);
	}
	return r;
}

static void leave(struct kernel *k, const struct conf_instance *i, const struct conf_address *from)
{
	struct ha_net_address a, there;
	int status = 0;

	if (!to_address(k, i, from, &a) || !is_there(k, &a, &there) ||
	    !ha_net_address_is_marked(&there, HA_NET_PROTO_VIP, from->label))
		return;
	if (remove_patiently(k, &a, &status) < 0 && status != -ENODEV) {
		say_failure(i, &a, "remove", status, ha_net_error_text(k->net));
		again_old(k, &a);
	}
}

void addresses_leave(struct kernel *k, const struct watched *w)
{
	if (!k->birth->options->vrrp)
		return; /* -C: they are another vipd's */
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next) {
		routes_leave(k, i, w);
		for (size_t n = 0; n < i->n_addresses; n++)
			if (!strcmp(conf_address_device(i, &i->addresses[n]), w->name))
				leave(k, i, &i->addresses[n]);
		vmac_leave(k, i, w);
	}
}

void addresses_remove_old(struct kernel *k)
{
	const struct conf *old = k->birth->options->vrrp ? k->birth->old : NULL; /* -C: they are another vipd's */
	struct ha_net_address a, there;

	for (const struct conf_instance *i = old ? conf_holders(old) : NULL; i; i = i->next) {
		routes_remove_old(k, i);
		for (size_t n = 0; n < i->n_addresses; n++) {
			const struct conf_address *from = &i->addresses[n];
			int status = 0;

			if (is_configured(k->conf, conf_address_device(i, from), from) ||
			    !to_address(k, i, from, &a) || !is_there(k, &a, &there) ||
			    !ha_net_address_is_marked(&there, HA_NET_PROTO_VIP, from->label))
				continue;
			if (remove_patiently(k, &a, &status) < 0) {
				say_failure(i, &a, "remove", status, ha_net_error_text(k->net));
				again_old(k, &a);
			}
		}
		vmac_remove_old(k, i);
		ipvlan_remove_old(k, i);
	}
}

void addresses_set_fixed(struct kernel *k)
{
	if (k->conf->fixed && k->birth->options->vrrp)
		hold(k, k->conf->fixed, true, NULL);
}

void addresses_audit(struct kernel *k)
{
	if (!k->birth->options->vrrp)
		return; /* -C: they are another vipd's */
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next)
		vmac_audit(k, i);
	filter_settle(k, true);
}

void addresses_tell_again(struct kernel *k)
{
	for (size_t w = 0; w < k->n_watched; w++)
		k->watched[w].was_told = false;
	memset(k->source_told, 0, k->conf->n_instances);
}

void addresses_settle(struct kernel *k)
{
	uint32_t index = 0;

	if (!ha_net_monitor_is_synced(k->monitor))
		return;
	for (const struct conf_instance *i = k->conf->instances; i && k->birth->options->vrrp;
	     i = i->next)
		ipvlan_settle(k, i);
	if (k->birth->options->vrrp)
		settings_settle(k);
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next)
		tell_source(k, i, index++); /* before the link: an instance on it may begin then */
	for (size_t i = 0; i < k->n_watched; i++)
		tell_link(k, &k->watched[i]);
	index = 0;
	filter_settle(k, false);
	if (k->conf->fixed && k->birth->options->vrrp)
		restore(k, k->conf->fixed, UINT32_MAX);
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next, index++)
		if (k->held[index] == HELD_UP)
			restore(k, i, index);
}

void addresses_release(struct kernel *k)
{
	uint32_t index = 0;
	bool all = true;

	if (!k->birth->options->vrrp)
		return; /* -C: they are another vipd's */
	/* Unknown: held by a predecessor, perhaps. */
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next, index++) {
		if (k->held[index] != HELD_DOWN && k->held[index] != HELD_STUCK)
			k->held[index] = hold(k, i, false, NULL) < 0 ? HELD_STUCK : HELD_DOWN;
		all &= k->held[index] == HELD_DOWN;
	}
	all &= again_old_gone(k);
	for (unsigned rest_us = REST_US; !all && rest_us <= RELEASE_REST_MAX_US; rest_us *= 2) {
		usleep(rest_us);
		all = addresses_give_up_again(k) & again_old_gone(k);
	}
	if (!all)
		log_err("addresses or routes stay on this host: remove them by hand (ip address), or another node has them, too");
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next) {
		vmac_remove(k, i);
		ipvlan_remove(k, i);
	}
	if (k->conf->fixed)
		hold(k, k->conf->fixed, false, NULL);
	filter_release(k);
}
