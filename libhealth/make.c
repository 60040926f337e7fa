/* SPDX-License-Identifier: MIT */
/* A check is made from its options, and unmade. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/sized.h"
#include "adaptive.h"
#include "engine.h"
#include "resolve.h"

static const struct hand *hand_of(const struct health_probe *p)
{
	if (p->ops.flags & PROBE_PROCESS)
		return &exec_hand;
	if (p->ops.flags & PROBE_FILE)
		return &file_hand;
	return &conn_hand;
}

/* ---- the options ---- */

/* Of a family known here, and of at least its length. */
static bool address_valid(const struct sockaddr *sa, socklen_t len)
{
	if (len < sizeof(sa->sa_family) || len > sizeof(struct sockaddr_storage))
		return false;
	switch (sa->sa_family) {
	case AF_INET:
		return len >= sizeof(struct sockaddr_in);
	case AF_INET6:
		return len >= sizeof(struct sockaddr_in6);
	case AF_UNIX:
		return len > offsetof(struct sockaddr_un, sun_path) &&
		       len <= sizeof(struct sockaddr_un);
	default:
		return false;
	}
}

/* An echo has no port; a program and a file have no address at all, unless it is of use to them. */
static bool wants_port(const struct health_check_opts *o)
{
	uint32_t flags = o->probe ? o->probe->ops.flags : 0;

	return !(flags & (HEALTH_PROBE_ICMP | PROBE_PROCESS | PROBE_FILE));
}

static bool wants_address(const struct health_check_opts *o)
{
	uint32_t flags = o->probe ? o->probe->ops.flags : 0;

	return !(o->flags & HEALTH_CHECK_FED || flags & (PROBE_PROCESS | PROBE_FILE));
}

static int destination_check(const struct health_check_opts *o)
{
	sa_family_t family;

	if (!o->destination && !o->host)
		return wants_address(o) ? -EINVAL : 0;
	if (o->host)
		return o->destination || !*o->host ||
			       strnlen(o->host, HEALTH_NAME_MAX + 1) > HEALTH_NAME_MAX ||
			       (!o->port && wants_port(o)) || !wants_address(o) ||
			       (o->family && o->family != AF_INET && o->family != AF_INET6)
			   ? -EINVAL
			   : 0;
	if (o->destination_len < sizeof(family))
		return -EINVAL;
	family = o->destination->sa_family;
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (!address_valid(o->destination, o->destination_len))
		return -EINVAL;
	if (family != AF_UNIX && wants_port(o) && !address_port(o->destination))
		return -EINVAL;
	if (o->probe && family == AF_UNIX &&
	    o->probe->ops.flags & (HEALTH_PROBE_ICMP | PROBE_RAW_TCP))
		return -EAFNOSUPPORT;
	if (o->source && o->source->sa_family != family)
		return -EINVAL;
	return 0;
}

static bool times_valid(const struct health_check_opts *o)
{
	const uint64_t time[] = {o->timeout_ns,		  o->connect_timeout_ns, o->start_within_ns,
				 o->name_timeout_ns,	  o->tls_timeout_ns,	 o->send_timeout_ns,
				 o->first_byte_timeout_ns, o->first_after_ns};

	for (size_t i = 0; i < sizeof(time) / sizeof(*time); i++)
		if (time[i] > HEALTH_TIME_MAX_NS)
			return false;
	return true;
}

static bool transport_valid(const struct health_transport *given)
{
	struct health_transport t;
	struct health_transport_ops ops;

	return sized_in(&t, sizeof(t), given) == 0 && sized_in(&ops, sizeof(ops), t.ops) == 0 &&
	       ops.size == sizeof(ops) && ops.name && ops.target_new && ops.target_free &&
	       ops.begin && ops.handshake && ops.receive && ops.send && ops.end;
}

static int opts_check(const struct health_check_opts *o)
{
	const uint32_t known = HEALTH_CHECK_AT_ONCE | HEALTH_CHECK_FROM_END |
			       HEALTH_CHECK_REFUSED_NOW | HEALTH_CHECK_PAUSED | HEALTH_CHECK_FED |
			       HEALTH_CHECK_STARTTLS | HEALTH_CHECK_TRANSPARENT;
	int r = destination_check(o);

	if (r < 0)
		return r;
	if (o->source && !address_valid(o->source, o->source_len))
		return -EINVAL;
	if (o->device && strnlen(o->device, HEALTH_DEVICE_MAX + 1) > HEALTH_DEVICE_MAX)
		return -EINVAL;
	if (o->flags & ~known || o->jitter_percent > HEALTH_JITTER_MAX_PERCENT || o->tos > 255 ||
	    o->netns_fd < 0 || o->history > HEALTH_HISTORY_MAX)
		return -EINVAL;
	if (o->preamble_len > HEALTH_PREAMBLE_MAX || (o->preamble_len && !o->preamble))
		return -EINVAL;
	if (o->transport &&
	    (!transport_valid(o->transport) ||
	     (o->probe && o->probe->ops.flags & (HEALTH_PROBE_DATAGRAM | PROBE_PRIVATE))))
		return -EINVAL;
	if (o->flags & HEALTH_CHECK_STARTTLS && !o->transport)
		return -EINVAL;
	return times_valid(o) ? 0 : -EINVAL;
}

/* ---- making ---- */

/* The interval a filter of these options settles at while up. */
static uint64_t settled_interval(const struct health_filter_opts *given)
{
	struct health_filter_opts o = {0};

	if (given)
		sized_in(&o, sizeof(o), given);
	return o.interval_ns ? o.interval_ns : HEALTH_INTERVAL_DEFAULT_NS;
}

static int fill_times(struct health_check *c, const struct health_check_opts *o)
{
	uint64_t interval = settled_interval(o->filter);

	c->timeout_ns = o->timeout_ns ? o->timeout_ns : interval;
	c->connect_timeout_ns = c->timeout_ns;
	if (o->connect_timeout_ns && o->connect_timeout_ns < c->timeout_ns)
		c->connect_timeout_ns = o->connect_timeout_ns;
	c->start_within_ns = o->start_within_ns ? o->start_within_ns : interval;
	c->delayed = o->first_after_ns && !(o->flags & HEALTH_CHECK_PAUSED);
	if (c->delayed)
		c->planned_ns = o->first_after_ns;
	if (!o->name_timeout_ns && !o->tls_timeout_ns && !o->send_timeout_ns &&
	    !o->first_byte_timeout_ns)
		return 0;
	c->phases = mem_zalloc(sizeof(*c->phases));
	if (!c->phases)
		return -ENOMEM;
	*c->phases = (struct phases){o->name_timeout_ns, o->tls_timeout_ns, o->send_timeout_ns,
				     o->first_byte_timeout_ns};
	return 0;
}

static int fill_way(struct health_check *c, const struct health_check_opts *o)
{
	bool transparent = o->flags & HEALTH_CHECK_TRANSPARENT;
	struct way *w;

	if (!o->source && !(o->device && *o->device) && !o->fwmark && !o->tos && !o->netns_fd &&
	    !o->preamble_len && !transparent)
		return 0;
	w = c->way = mem_zalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	if (o->source) {
		memcpy(&w->source, o->source, o->source_len);
		w->source_len = o->source_len;
	}
	if (o->device)
		snprintf(w->device, sizeof(w->device), "%s", o->device);
	w->fwmark = o->fwmark;
	w->tos = o->tos;
	w->netns_fd = o->netns_fd;
	w->transparent = transparent;
	w->preamble_len = (uint16_t)o->preamble_len;
	if (o->preamble_len)
		memcpy(w->preamble, o->preamble, o->preamble_len);
	return 0;
}

/* An address in text is an address; anything else is a name. */
static socklen_t literal(const char *host, int family, in_port_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = port};

	if (family != AF_INET6 && inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	if (family != AF_INET && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	}
	return 0;
}

static int fill_destination(struct health_check *c, const struct health_check_opts *o)
{
	const struct sockaddr *to = o->destination;
	struct sockaddr_storage address;

	c->destination_len = to ? o->destination_len : 0;
	if (o->host) {
		c->name_port = htons(o->port);
		c->destination_len = literal(o->host, o->family, c->name_port, &address);
		to = (const struct sockaddr *)&address;
		if (!c->destination_len)
			return resolver_use(c->engine, o->host, o->family, &c->name);
	}
	if (!to)
		return 0;
	c->destination = mem_dup(to, c->destination_len);
	return c->destination ? 0 : -ENOMEM;
}

static int fill_adaptive(struct health_check *c, const struct health_check_opts *o)
{
	if (!o->adaptive)
		return 0;
	c->adaptive = mem_zalloc(sizeof(*c->adaptive));
	return c->adaptive ? adaptive_init(c->adaptive, o->adaptive) : -ENOMEM;
}

static int fill(struct health_check *c, const struct health_check_opts *o)
{
	int r = health_filter_init(&c->filter, o->filter, 0);

	if (r == 0)
		r = fill_times(c, o);
	if (r == 0)
		r = fill_adaptive(c, o);
	if (r == 0)
		r = fill_way(c, o);
	if (r == 0)
		r = fill_destination(c, o);
	c->flags = o->flags;
	c->jitter_percent = o->jitter_percent;
	if (r == 0 && o->history) {
		c->history =
		    mem_zalloc(sizeof(*c->history) + o->history * sizeof(struct health_past));
		if (!c->history)
			return -ENOMEM;
		c->history->cap = o->history;
	}
	if (r == 0 && o->transport) {
		r = o->transport->ops->target_new(o->transport->config, &c->target);
		if (r == 0)
			c->transport = o->transport->ops;
	}
	return r;
}

/* Room in both heaps, so that arming a timer never fails later. */
static int reserve_timers(struct health_engine *e)
{
	int r;

	if (e->stats.checks >= HEALTH_CHECKS_MAX)
		return -ENOSPC;
	r = heap_reserve(&e->timers, e->stats.checks + 1);
	return r < 0 ? r : heap_reserve(&e->filters, e->stats.checks + 1);
}

static void check_event(struct watch *w, uint32_t events, uint64_t now_ns)
{
	struct health_check *c = container_of(w, struct health_check, watch);

	if (check_in_flight(c)) /* else closed by an earlier callback of this round */
		c->hand->event(c, events, now_ns);
}

int health_check_add(struct health_engine *e, const struct health_check_opts *opts, void *userdata,
		     struct health_check **ret)
{
	struct health_check_opts o;
	struct health_probe *probe;
	struct health_check *c;
	int r;

	if (!e || !ret)
		return -EINVAL;
	r = sized_in(&o, sizeof(o), opts);
	if (r == 0)
		r = opts_check(&o);
	if (r == 0)
		r = reserve_timers(e);
	if (r < 0)
		return r;
	probe = o.probe ? o.probe : e->tcp;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->watch.event = check_event;
	c->engine = e;
	c->userdata = userdata;
	c->probe = probe_use(probe);
	c->hand = hand_of(probe);
	list_init(&c->queue);
	list_init(&c->all);
	list_init(&c->watchers);
	r = fill(c, &o);
	if (r < 0) {
		check_free(c);
		return r;
	}
	c->id = o.id ? o.id : ++e->next_id;
	c->last.code = HEALTH_CODE_INI;
	list_add_tail(&e->checks, &c->all);
	e->stats.checks++;
	if (!(o.flags & HEALTH_CHECK_PAUSED))
		check_refresh(c, o.flags & HEALTH_CHECK_AT_ONCE);
	*ret = c;
	return 0;
}

/* ---- unmaking ---- */

void check_free(struct health_check *c)
{
	list_remove(&c->all);
	while (!list_empty(&c->watchers))
		watcher_free(container_of(c->watchers.next, struct health_watcher, node));
	if (c->transport)
		c->transport->target_free(c->target);
	resolver_drop(c->name);
	health_probe_free(c->probe);
	mem_free(c->destination);
	mem_free(c->way);
	mem_free(c->phases);
	mem_free(c->adaptive);
	mem_free(c->text);
	mem_free(c->history);
	mem_free(c);
}

void health_check_remove(struct health_check *c)
{
	struct health_engine *e;

	if (!c || c->removed)
		return;
	e = c->engine;
	check_halt(c);
	check_demand(c, 0);
	c->removed = true;
	e->stats.checks--;
	list_remove(&c->all);
	if (e->depth)
		list_add_tail(&e->graves, &c->all);
	else
		check_free(c);
}
