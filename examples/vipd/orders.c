/* SPDX-License-Identifier: MIT */
#include "orders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

const char *order_admin_name(unsigned admin)
{
	static const char *const name[] = {"ready", "drain", "disabled"};

	return admin < N_ORDER_ADMIN ? name[admin] : "?";
}

void conf_real_name(const struct conf_real *r, char *buf, size_t cap)
{
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	snprintf(buf, cap, r->ip.family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, (unsigned)r->port);
}

/* The number of a virtual server's first real server in arrays of all. */
static size_t first_real(const struct conf *c, uint32_t virtual)
{
	const struct conf_virtual *v = c->virtuals;
	size_t n = 0;

	for (uint32_t i = 0; v && i < virtual; i++, v = v->next)
		n += v->n_reals;
	return n;
}

/* The same by name: an administrator names it so. */
static void keep_hold(struct orders *o, const struct conf *c, const char *name)
{
	size_t n = 0;

	for (const struct conf_instance *i = c->instances; i; i = i->next, n++)
		if (!strcmp(i->name, name))
			o->hold[n] = true;
}

static void keep_real(struct orders *o, const struct conf *c, const struct conf_virtual *was_in,
		      const struct conf_real *was, const struct order_real *order)
{
	size_t n = 0;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		bool same = v->protocol == was_in->protocol && !strcmp(v->name, was_in->name);

		for (const struct conf_real *r = v->reals; r; r = r->next, n++)
			if (same && r->port == was->port && !ha_ip_compare(&r->ip, &was->ip))
				o->real[n] = *order;
	}
}

/* Few are ever ordered about: each is searched in the new configuration. */
static void keep(struct orders *o, const struct conf *c, const struct orders *old,
		 const struct conf *old_conf)
{
	size_t n = 0;

	for (const struct conf_instance *i = old_conf->instances; i; i = i->next, n++)
		if (old->hold[n])
			keep_hold(o, c, i->name);
	n = 0;
	for (const struct conf_virtual *v = old_conf->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next, n++)
			if (old->real[n].admin != ORDER_READY ||
			    old->real[n].weight != ORDER_NO_WEIGHT)
				keep_real(o, c, v, r, &old->real[n]);
}

int orders_new(const struct conf *c, const struct orders *old, const struct conf *old_conf,
	       struct orders **ret)
{
	struct orders *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->n_instances = c->n_instances;
	o->n_reals = first_real(c, UINT32_MAX);
	o->hold = calloc(o->n_instances + 1, sizeof(*o->hold));
	o->real = calloc(o->n_reals + 1, sizeof(*o->real));
	if (!o->hold || !o->real) {
		orders_free(o);
		return -ENOMEM;
	}
	for (size_t i = 0; i < o->n_reals; i++)
		o->real[i].weight = ORDER_NO_WEIGHT;
	if (old)
		keep(o, c, old, old_conf);
	*ret = o;
	return 0;
}

void orders_free(struct orders *o)
{
	if (!o)
		return;
	free(o->hold);
	free(o->real);
	free(o);
}
