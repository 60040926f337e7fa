/* SPDX-License-Identifier: MIT */
/*
 * Interfaces and sockets. The kernel process says what an interface is; when it is there, sockets
 * are asked for, and when they have come the engines on it begin to speak. Nothing here waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "vrrp/vrrp.h"

#define NS_PER_MS UINT64_C(1000000)

#define RECEIVE_BUFFER (1u << 20) /* 255 routers on a link may all speak at the same moment */

const struct device *device_find(const struct vrrp *v, const char *name)
{
	for (size_t i = 0; i < v->n_devices; i++)
		if (!strcmp(v->devices[i].name, name))
			return &v->devices[i];
	return NULL;
}

static void add_device(struct vrrp *v, const char *name)
{
	struct device *d = &v->devices[v->n_devices];

	if (!name || device_find(v, name))
		return;
	v->n_devices++;
	d->vrrp = v;
	strncpy(d->name, name, sizeof(d->name) - 1);
	for (d->delay = v->birth->conf->link_delays; d->delay; d->delay = d->delay->next)
		if (!strcmp(d->delay->interface, name))
			break;
}

static struct ha_ip group_of(const struct conf_instance *i)
{
	struct ha_ip group = i->group_address;

	if (i->n_peers)
		return (struct ha_ip){0};
	if (!group.family)
		ha_ip_parse(i->family == AF_INET ? "224.0.0.18" : "ff02::12", &group);
	return group;
}

static struct speaker *speaker_for(struct vrrp *v, const struct conf_instance *i)
{
	struct ha_ip group = group_of(i);
	struct speaker *s;

	for (size_t n = 0; n < v->n_speakers; n++) {
		s = &v->speakers[n];
		if (!s->sole && !i->is_second && !strcmp(s->interface, i->interface) &&
		    s->family == i->family && !ha_ip_compare(&s->group, &group))
			return s;
	}
	s = &v->speakers[v->n_speakers];
	*s = (struct speaker){.vrrp = v,
			      .interface = i->interface,
			      .family = i->family,
			      .group = group,
			      .sole = i->is_second,
			      .index = (uint32_t)v->n_speakers++};
	memset(s->fd, -1, sizeof(s->fd));
	return s;
}

int speakers_init(struct vrrp *v)
{
	const struct conf *c = v->birth->conf;
	size_t names = 1;

	for (const struct conf_instance *i = c->instances; i; i = i->next)
		names += 2 + i->n_addresses + i->n_interfaces;
	v->devices = calloc(names, sizeof(*v->devices));
	v->speakers = calloc(c->n_instances + 1, sizeof(*v->speakers));
	if (!v->devices || !v->speakers)
		return -ENOMEM;
	for (size_t r = 0; r < v->n_routers; r++) {
		const struct conf_instance *i = v->routers[r].conf;

		add_device(v, i->interface);
		add_device(v, i->home);
		for (size_t a = 0; a < i->n_addresses; a++)
			add_device(v, i->addresses[a].dev);
		for (size_t t = 0; t < i->n_interfaces; t++)
			add_device(v, i->interfaces[t].name);
		v->routers[r].speaker = speaker_for(v, i);
		v->routers[r].speaker->ah |= i->auth_ah && i->auth_pass;
		v->routers[r].speaker->shares_vrids |= i->shares_vrid;
	}
	return 0;
}

/* ---- Sockets ---- */

static void close_waiting(struct speaker *s)
{
	for (int i = 0; i < HA_VRRP_SOCKET_AH; i++) {
		if (s->fd[i] >= 0)
			close(s->fd[i]);
		s->fd[i] = -1;
	}
}

static void silence(struct speaker *s)
{
	for (size_t r = 0; r < s->vrrp->n_routers; r++)
		if (s->vrrp->routers[r].speaker == s)
			router_leave(&s->vrrp->routers[r]);
	loop_remove(s->source);
	s->source = NULL;
	ha_vrrp_link_free(s->link);
	s->link = NULL;
	s->ifindex = 0;
	close_waiting(s);
}

/* As the library has it. */
static uint32_t ifindex_of(uint32_t ifindex)
{
	return ifindex == MSG_LINK_BY_ROUTE ? 0 : ifindex;
}

static bool needs(const struct speaker *s, int kind)
{
	return kind != HA_VRRP_SOCKET_AH || s->ah;
}

/* Bytes of an advert, as they come from the socket. */
static unsigned advert_bytes(const struct conf_instance *i)
{
	if (i->family == AF_INET6)
		return 8 + 16 * (unsigned)i->n_advertised;
	return 20 + 8 + 4 * (unsigned)i->n_advertised + (i->version == 2 ? 8 : 0) +
	       (i->auth_ah ? 24 : 0);
}

/* kernel_rx_buf_size, or else vrrp_rx_bufs_policy; 0: neither. */
static uint64_t share_of_buffer(const struct conf_instance *i, const struct conf_globals *g,
				unsigned mtu)
{
	if (i->rx_buffer_bytes)
		return (uint64_t)i->rx_buffer_bytes;
	switch (g->rx_policy) {
	case CONF_RX_BYTES:
		return (uint64_t)g->rx_bytes;
	case CONF_RX_MTU:
		return (uint64_t)mtu * (unsigned)g->rx_multiplier;
	case CONF_RX_ADVERT:
		return (uint64_t)advert_bytes(i) * (unsigned)g->rx_multiplier;
	case CONF_RX_ROOMY:
		break;
	}
	return 0;
}

static uint32_t receive_buffer(const struct speaker *s)
{
	const struct vrrp *v = s->vrrp;
	const struct device *d = device_find(v, s->interface);
	uint64_t bytes = 0;

	for (size_t r = 0; r < v->n_routers; r++)
		if (v->routers[r].speaker == s)
			bytes += share_of_buffer(v->routers[r].conf, &v->birth->conf->globals,
						 d ? d->link.mtu : 0);
	return !bytes ? RECEIVE_BUFFER : bytes > INT32_MAX ? INT32_MAX : (uint32_t)bytes;
}

static void ask(struct speaker *s, uint32_t ifindex)
{
	struct msg m = {.type = MSG_OPEN,
			.index = s->index,
			.socket = {.size = sizeof(m.socket),
				   .family = s->family,
				   .ifindex = ifindex_of(ifindex),
				   .group = s->group,
				   .receive_buffer_bytes = receive_buffer(s)}};
	int r = 0;

	for (int kind = HA_VRRP_SOCKET_ADVERT; kind <= HA_VRRP_SOCKET_AH && r >= 0; kind++) {
		m.socket.kind = (uint32_t)kind;
		if (needs(s, kind))
			r = msg_send(s->vrrp->birth->ends.kernel, &m, -1);
	}
	s->refused = r < 0;
	if (r < 0)
		log_err("%s: cannot ask for sockets: %s", s->interface, strerror(-r));
	else
		s->ifindex = ifindex;
}

void speakers_ask_again(struct vrrp *v)
{
	for (size_t i = 0; i < v->n_speakers; i++) {
		struct speaker *s = &v->speakers[i];

		if (s->ifindex && !s->link)
			ask(s, s->ifindex);
	}
}

/* What ha_vrrp_link_new asks for has come already. */
static int take_socket(const struct ha_vrrp_socket *want, void *userdata)
{
	struct speaker *s = userdata;
	int fd;

	if (want->kind < 1 || want->kind > HA_VRRP_SOCKET_AH)
		return -EINVAL;
	fd = s->fd[want->kind - 1];
	s->fd[want->kind - 1] = -1;
	return fd >= 0 ? fd : -ENOENT;
}

static bool has_vrid(const struct speaker *s, uint8_t vrid)
{
	for (const struct conf_instance *i = s->vrrp->birth->conf->instances; i; i = i->next)
		if (i->vrid == vrid && i->family == s->family &&
		    !strcmp(i->interface, s->interface))
			return true;
	return false;
}

/* log_unknown_vrids: each once a minute. */
static void on_unknown_vrid(uint8_t vrid, const struct ha_ip *source, void *userdata)
{
	struct speaker *s = userdata;
	uint64_t now = loop_now_ns(s->vrrp->loop);
	uint8_t bit = (uint8_t)(1u << vrid % 8);
	char from[HA_IP_TEXT_SIZE] = "?";

	if (now >= s->unknown_until_ns) {
		memset(s->unknown, 0, sizeof(s->unknown));
		s->unknown_until_ns = now + 60000 * NS_PER_MS;
	}
	if (s->unknown[vrid / 8] & bit || has_vrid(s, vrid))
		return;
	s->unknown[vrid / 8] |= bit;
	ha_ip_format(source, from, sizeof(from));
	log_notice(
	    "%s: %s sends adverts of virtual_router_id %u, which no instance has there (said "
	    "once a minute)",
	    s->interface, from, vrid);
}

LOOP_JOINS(ha_vrrp_link)

static int speak(struct speaker *s)
{
	int64_t garp_ms, gna_ms;
	struct ha_vrrp_link_opts o = {
	    .size = sizeof(o),
	    .ifindex = ifindex_of(s->ifindex),
	    .family = s->family,
	    .group = s->group,
	    .unicast_only = !s->group.family,
	    .ah = s->ah,
	    .open_socket = take_socket,
	    .userdata = s,
	    .no_filter = s->vrrp->birth->conf->globals.log_unknown_vrids,
	    .unknown_vrid = on_unknown_vrid,
	    .shares_vrids = s->shares_vrids,
	};
	int r;

	conf_garp_intervals(s->vrrp->birth->conf, s->interface, &garp_ms, &gna_ms);
	o.garp_interval_ns = (uint64_t)garp_ms * NS_PER_MS;
	o.gna_interval_ns = (uint64_t)gna_ms * NS_PER_MS;
	r = ha_vrrp_link_new(&o, &s->link);
	if (r < 0)
		return r;
	return ha_vrrp_link_join(s->link, s->interface, s->vrrp->loop, &s->source);
}

void speakers_on_socket(struct vrrp *v, const struct msg *m, int fd)
{
	struct speaker *s = m->index < v->n_speakers ? &v->speakers[m->index] : NULL;
	int i = (int)m->index2 - 1, r;

	if (fd < 0 || !s || s->link || i < 0 || i >= HA_VRRP_SOCKET_AH) {
		if (fd >= 0) {
			close(fd);
		} else if (s && s->ifindex) {
			s->refused = true;
			log_err("%s: cannot open a socket: %s", s->interface, strerror(-m->extra));
		}
		return;
	}
	if (s->fd[i] >= 0)
		close(s->fd[i]);
	s->fd[i] = fd;
	for (int kind = HA_VRRP_SOCKET_ADVERT; kind <= HA_VRRP_SOCKET_AH; kind++)
		if (needs(s, kind) && s->fd[kind - 1] < 0)
			return;
	r = speak(s);
	if (r < 0) {
		s->refused = true;
		log_err("%s: %s", s->interface, strerror(-r));
		silence(s);
		return;
	}
	for (size_t n = 0; n < v->n_routers; n++)
		if (v->routers[n].speaker == s)
			router_join(&v->routers[n]);
}

/* ---- Interfaces ---- */

static const struct ha_ip *source_of(const struct msg_link *l, uint8_t family)
{
	return family == AF_INET ? &l->source4 : &l->source6;
}

static void update_router(struct router *r, const struct msg_link *l)
{
	uint64_t now = loop_now_ns(r->vrrp->loop);
	const struct conf_instance *i = r->conf;
	bool down = !l->ifindex || (!l->running && !i->dont_track_primary);
	const struct ha_ip *source = i->source.family ? &i->source : source_of(l, i->family);

	ha_vrrp_set_source(r->engine, source);
	ha_vrrp_set_fault(r->engine, now, FAULT_SOURCE, !source->family || r->no_source);
	ha_vrrp_set_fault(r->engine, now, FAULT_INTERFACE, down);
}

void routers_on_source(struct vrrp *v, const struct msg *m)
{
	struct router *r = m->index < v->n_routers ? &v->routers[m->index] : NULL;
	const struct device *d = r ? device_find(v, r->conf->interface) : NULL;
	char ip[HA_IP_TEXT_SIZE];

	if (!r)
		return;
	if (!r->no_source && m->value != 1 && ha_ip_format(&r->conf->source, ip, sizeof(ip)) > 0)
		log_warn("(%s) %s is not there, which its adverts are to leave from", r->conf->name,
			 ip);
	r->no_source = m->value != 1;
	if (d && d->link.name[0]) /* else it is looked at when the link is known */
		update_router(r, &d->link);
}

static void take_link(struct device *d, const struct msg_link *l)
{
	struct vrrp *v = d->vrrp;

	if (l->ifindex != MSG_LINK_BY_ROUTE &&
	    (!d->link.name[0] || l->ifindex != d->link.ifindex || l->running != d->link.running))
		log_info("interface %s: %s", d->name,
			 !l->ifindex  ? "is not there"
			 : l->running ? "up"
				      : "down");
	d->link = *l;
	for (size_t i = 0; i < v->n_speakers; i++) {
		struct speaker *s = &v->speakers[i];

		if (strcmp(s->interface, d->name))
			continue;
		if (s->ifindex && s->ifindex != l->ifindex)
			silence(s);
		if (l->ifindex && !s->ifindex)
			ask(s, l->ifindex);
	}
	for (size_t r = 0; r < v->n_routers; r++)
		if (!strcmp(v->routers[r].conf->interface, d->name))
			update_router(&v->routers[r], l);
	bfds_on_link(v);
	tracks_apply(v);
}

static void on_lasted(struct loop *l, void *userdata)
{
	struct device *d = userdata;

	d->waits = false;
	take_link(d, &d->next);
}

/* Up or down has to last; that it comes, or goes, counts at once. */
static bool has_to_last(struct device *d, const struct msg_link *l)
{
	int64_t ms = !d->delay ? 0 : l->running ? d->delay->up_ms : d->delay->down_ms;
	bool flips = l->ifindex == d->link.ifindex && l->running != d->link.running;

	if (!flips || !ms) {
		if (d->waits)
			loop_arm(d->lasts, LOOP_NEVER);
		d->waits = false;
		return false;
	}
	if (!d->lasts && loop_add_timer(d->vrrp->loop, on_lasted, d, &d->lasts) < 0)
		return false;
	d->next = *l;
	if (!d->waits)
		loop_arm(d->lasts, loop_now_ns(d->vrrp->loop) + (uint64_t)ms * NS_PER_MS);
	d->waits = true;
	return true;
}

void speakers_on_link(struct vrrp *v, const struct msg_link *l)
{
	for (size_t i = 0; i < v->n_devices; i++)
		if (!strncmp(v->devices[i].name, l->name, sizeof(l->name)) &&
		    !has_to_last(&v->devices[i], l))
			take_link(&v->devices[i], l);
}
