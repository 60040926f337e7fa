/* SPDX-License-Identifier: MIT */
#include "addresses.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libha/net.h>

#include "log.h"

struct addresses {
	struct ha_net *net;
	const struct conf_instance *
	    *instance; /* in the order of the file: messages name them by number */
	uint32_t n;
};

int addresses_open(const struct conf *conf, struct addresses **ret)
{
	struct addresses *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->instance = calloc(conf->n_instances + 1, sizeof(struct conf_instance *));
	if (!a->instance) {
		free(a);
		return -ENOMEM;
	}
	for (const struct conf_instance *i = conf->instances; i && a->n < conf->n_instances;
	     i = i->next)
		a->instance[a->n++] = i;
	r = ha_net_new(NULL, &a->net);
	if (r < 0)
		addresses_free(a);
	else
		*ret = a;
	return r;
}

void addresses_free(struct addresses *a)
{
	if (!a)
		return;
	ha_net_free(a->net);
	free(a->instance);
	free(a);
}

const struct conf_instance *addresses_instance(const struct addresses *a, uint32_t instance)
{
	return instance < a->n ? a->instance[instance] : NULL;
}

static int ifindex_of(const struct addresses *a, const char *name)
{
	struct ha_net_link l = {.size = sizeof(l)};
	int r = ha_net_link_by_name(a->net, name, &l);

	return r < 0 ? r : (int)l.ifindex;
}

int addresses_ifindex(const struct addresses *a, uint32_t instance)
{
	const struct conf_instance *i = addresses_instance(a, instance);

	return i ? ifindex_of(a, i->interface) : -EINVAL;
}

static struct ha_net_address wanted(const struct conf_address *c, uint32_t ifindex)
{
	struct ha_net_address w = {
	    .size = sizeof(w),
	    .ifindex = ifindex,
	    .ip = c->ip,
	    .broadcast = c->broadcast,
	    .prefix_len = c->prefix,
	    .scope = c->scope,
	    .proto = HA_NET_PROTO_VIP,
	};

	/*
	 * Two routers hold the address one after the other: duplicate address detection would only
	 * delay it. A host address of IPv6 must not become the source of what the host itself sends.
	 */
	if (c->ip.family == AF_INET6)
		w.flags = IFA_F_NODAD | (c->prefix == 128 ? IFA_F_DEPRECATED : 0);
	if (c->label)
		snprintf(w.label, sizeof(w.label), "%s", c->label);
	return w;
}

int addresses_set(struct addresses *a, uint32_t instance, uint32_t address, bool hold)
{
	const struct conf_instance *i = addresses_instance(a, instance);
	const struct conf_address *c;
	struct ha_net_address w;
	char text[HA_IP_TEXT_SIZE] = "";
	int r;

	if (!i || address >= i->n_addresses)
		return -EINVAL;
	c = &i->addresses[address];
	r = ifindex_of(a, c->dev ? c->dev : i->interface);
	if (r == -ENODEV && !hold)
		return 0; /* gone with its interface */
	if (r >= 0) {
		w = wanted(c, (uint32_t)r);
		r = hold ? ha_net_address_add(a->net, &w, 1, NULL)
			 : ha_net_address_remove(a->net, &w, 1, NULL);
	}
	if (r >= 0)
		return 0;
	ha_ip_format(&c->ip, text, sizeof(text));
	log_err("(%s) cannot %s %s/%u %s %s: %s %s", i->name, hold ? "add" : "remove", text,
		c->prefix, hold ? "to" : "from", c->dev ? c->dev : i->interface, strerror(-r),
		ha_net_error_text(a->net));
	return r;
}
