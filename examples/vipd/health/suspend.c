/* SPDX-License-Identifier: MIT */
/* ha_suspend: a virtual server is checked while one of its addresses is on this host. */
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include <libha/net.h>

#include "health/health.h"
#include "log.h"
#include "netlink_buffer.h"

struct suspend_address {
	struct ha_ip ip;
	uint32_t virtual;
};

struct suspend {
	struct health *health;
	struct ha_net_monitor *monitor;
	struct suspend_address *address; /* of all such virtual servers, sorted */
	size_t n;
	uint32_t *here; /* of each virtual server: how often an address of it is on this host */
};

static int compare(const void *a, const void *b)
{
	return ha_ip_compare(&((const struct suspend_address *)a)->ip,
			     &((const struct suspend_address *)b)->ip);
}

/* The first with this address, or behind all that are smaller. */
static size_t find(const struct suspend *s, const struct ha_ip *ip)
{
	size_t from = 0, to = s->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ha_ip_compare(&s->address[middle].ip, ip) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void count(struct suspend *s, const struct ha_ip *ip, int by)
{
	for (size_t i = find(s, ip); i < s->n && !ha_ip_compare(&s->address[i].ip, ip); i++) {
		uint32_t v = s->address[i].virtual, before = s->here[v];

		s->here[v] = before + (uint32_t)by;
		if (!before != !s->here[v])
			health_set_suspended(s->health, v, !s->here[v]);
	}
}

static void on_added(void *userdata, const struct ha_net_address *a)
{
	count(userdata, &a->ip, 1);
}

static void on_removed(void *userdata, const struct ha_net_address *a)
{
	count(userdata, &a->ip, -1);
}

static size_t list_addresses(const struct conf *c, struct suspend_address *ret)
{
	uint32_t index = 0;
	size_t n = 0;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next, index++) {
		for (size_t i = 0; v->ha_suspend && i < v->n_listen; i++) {
			if (v->listen[i].fwmark)
				continue;
			if (ret)
				ret[n] = (struct suspend_address){v->listen[i].ip, index};
			n++;
		}
		for (size_t i = 0; v->ha_suspend && i < v->n_marked; i++, n++)
			if (ret)
				ret[n] = (struct suspend_address){v->marked[i].ip, index};
	}
	return n;
}

LOOP_JOINS(ha_net_monitor)

static int watch(struct suspend *s)
{
	const struct ha_net_monitor_ops ops = {
	    .size = sizeof(ops), .address_added = on_added, .address_removed = on_removed};
	const struct ha_net_monitor_opts own = {
	    .size = sizeof(own),
	    .transport = s->health->has_suspend_socket ? &s->health->suspend_socket : NULL};
	int r = ha_net_monitor_new(&own, &ops, s, &s->monitor);

	if (r < 0)
		return r;
	return ha_net_monitor_join(s->monitor, "addresses", s->health->loop, NULL);
}

int health_suspend_prepare(struct health *h)
{
	const struct ha_nl_transport *opened;
	int r;

	if (!list_addresses(h->birth->conf, NULL))
		return 0;
	r = netlink_open(&h->birth->conf->globals.lvs_monitor, NETLINK_ROUTE, "lvs_netlink_monitor",
			 &h->suspend_socket, &opened);
	h->has_suspend_socket = opened;
	return r;
}

int health_suspend_start(struct health *h)
{
	const struct conf *c = h->birth->conf;
	size_t n = list_addresses(c, NULL);
	struct suspend *s;

	if (!n)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct suspend){.health = h,
			      .address = calloc(n, sizeof(*s->address)),
			      .n = n,
			      .here = calloc(c->n_virtuals, sizeof(*s->here))};
	if (!s->address || !s->here)
		return -ENOMEM; /* the process ends */
	list_addresses(c, s->address);
	qsort(s->address, n, sizeof(*s->address), compare);
	for (uint32_t i = 0; i < h->n_virtuals; i++)
		if (h->virtuals[i].conf->ha_suspend)
			health_set_suspended(h, i, true);
	return watch(s);
}
