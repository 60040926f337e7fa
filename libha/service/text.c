/* SPDX-License-Identifier: MIT */
/* Services, destinations and steps as text for people. */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/sized.h"
#include "service/plan.h"

struct text {
	char *buf;
	size_t cap, len;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->full)
		return;
	va_start(args, format);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->full = true;
	else
		t->len += (size_t)n;
}

static ssize_t finish(const struct text *t)
{
	return t->full ? -ENOSPC : (ssize_t)t->len;
}

static void add_endpoint(struct text *t, const struct ha_ip *ip, uint16_t port)
{
	char address[HA_IP_TEXT_SIZE];

	if (ha_ip_format(ip, address, sizeof(address)) < 0)
		add(t, "(no address)");
	else if (ip->family == AF_INET6)
		add(t, "[%s]:%u", address, port);
	else
		add(t, "%s:%u", address, port);
}

static void add_key(struct text *t, const struct ha_service_opts *o)
{
	if (o->fwmark) {
		add(t, "fwmark %u %s", o->fwmark, o->address.family == AF_INET6 ? "ipv6" : "ipv4");
		return;
	}
	add(t, "%s ",
	    o->protocol == IPPROTO_TCP	 ? "tcp"
	    : o->protocol == IPPROTO_UDP ? "udp"
					 : "sctp");
	add_endpoint(t, &o->address, o->port);
}

static void add_service(struct text *t, const struct ha_service_opts *o)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} flags[] = {
	    {HA_SERVICE_ONE_PACKET, "one-packet"}, {HA_SERVICE_SCHED_FALLBACK, "fallback"},
	    {HA_SERVICE_SCHED_PORT, "port"},	   {HA_SERVICE_SCHED_3, "flag-3"},
	    {HA_SERVICE_MASQUERADE, "masquerade"}, {HA_SERVICE_SLOTS, "slots"},
	};

	add_key(t, o);
	add(t, " %s", o->scheduler);
	if (o->persistence_s)
		add(t, " persistent %us/%u", o->persistence_s, o->persistence_prefix);
	if (o->persistence_engine)
		add(t, " engine %s", o->persistence_engine);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (o->flags & flags[i].bit)
			add(t, " %s", flags[i].name);
}

static void add_dest_details(struct text *t, const struct ha_dest_opts *o)
{
	static const char *const forward[] = {"NAT", "local", "TUN", "DR", "bypass"};
	static const char *const tunnel[] = {"IPIP", "GUE", "GRE"};

	add(t, "%s", (unsigned int)o->forward < 5 ? forward[o->forward] : "(unknown)");
	if (o->forward == HA_FORWARD_TUN) {
		add(t, " %s", (unsigned int)o->tunnel < 3 ? tunnel[o->tunnel] : "(unknown)");
		if (o->tunnel_port)
			add(t, " port %u", o->tunnel_port);
		if (o->tunnel_flags)
			add(t, " flags 0x%x", o->tunnel_flags);
	}
	add(t, " weight %u", o->weight);
	if (o->upper_threshold)
		add(t, " limit %u-%u", o->lower_threshold, o->upper_threshold);
}

static void add_dest(struct text *t, const struct ha_dest_opts *o)
{
	add_endpoint(t, &o->address, o->port);
	add(t, " ");
	add_dest_details(t, o);
}

static struct text text_of(char *buf, size_t cap)
{
	return (struct text){.buf = buf, .cap = cap};
}

ssize_t ha_service_format(const struct ha_service *s, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	if (!s || !buf)
		return -EINVAL;
	add_service(&t, &s->o);
	return finish(&t);
}

ssize_t ha_dest_format(const struct ha_dest *d, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	if (!d || !buf)
		return -EINVAL;
	add_dest(&t, &d->o);
	return finish(&t);
}

static void add_dest_step(struct text *t, const struct ha_service_step *step)
{
	bool edits = step->kind == HA_STEP_EDIT_DEST, adds = step->kind == HA_STEP_ADD_DEST;

	add(t, "%s destination ", adds ? "add" : edits ? "edit" : "remove");
	if (adds || edits)
		add_dest(t, &step->dest->o);
	else
		add_endpoint(t, &step->dest->o.address, step->dest->o.port);
	add(t, adds ? " to " : edits ? " of " : " from ");
	add_key(t, &step->service->o);
	if (edits && step->old_dest) {
		add(t, " (was ");
		add_dest_details(t, &step->old_dest->o);
		add(t, ")");
	}
}

static void add_service_step(struct text *t, const struct ha_service_step *step)
{
	bool edits = step->kind == HA_STEP_EDIT_SERVICE, adds = step->kind == HA_STEP_ADD_SERVICE;

	add(t, "%s service ", adds ? "add" : edits ? "edit" : "remove");
	if (adds || edits)
		add_service(t, &step->service->o);
	else
		add_key(t, &step->service->o);
	if (edits && step->old_service && service_equal(&step->service->o, &step->old_service->o)) {
		add(t, " (other slots)");
	} else if (edits && step->old_service) {
		add(t, " (was ");
		add_service(t, &step->old_service->o);
		add(t, ")");
	}
}

ssize_t ha_service_step_format(const struct ha_service_step *step, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	struct ha_service_step own;

	if (!buf || sized_in(&own, sizeof(own), step) < 0 || !own.service)
		return -EINVAL;
	if (own.kind < HA_STEP_ADD_SERVICE || own.kind > HA_STEP_REMOVE_DEST)
		return -EINVAL;
	if (own.kind >= HA_STEP_ADD_DEST && !own.dest)
		return -EINVAL;
	if (own.kind >= HA_STEP_ADD_DEST)
		add_dest_step(&t, &own);
	else
		add_service_step(&t, &own);
	return finish(&t);
}
