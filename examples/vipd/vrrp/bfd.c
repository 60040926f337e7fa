/* SPDX-License-Identifier: MIT */
/*
 * bfd_instance: sessions with neighbours that instances track. Their sockets are plain UDP, which needs no
 * privilege. Over one hop a session lives while its interface is there.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "model.h"
#include "vrrp/vrrp.h"

#define SECOND_NS UINT64_C(1000000000)

/* The sessions over one hop of an interface and a family, or of several hops, share a receiver. */
struct bfd_hop {
	const char *interface;	/* NULL: several hops */
	char name[IF_NAMESIZE]; /* room for it, when the route said it */
	uint8_t family;
	uint32_t ifindex; /* for which `link` is open; 0: none */
	struct ha_bfd_link *link;
	struct loop_source *source;
};

struct bfd_session {
	struct bfds *all;
	const struct conf_watch *conf;
	struct bfd_hop *hop;   /* NULL: there is no route to the neighbour yet */
	struct ha_bfd *engine; /* NULL: its interface is missing, or it waits for `again` */
	int said;	       /* what kept it from running, said once */
};

struct bfds {
	struct vrrp *vrrp;
	struct bfd_session *session;
	size_t n;
	struct bfd_hop *hop;
	size_t n_hops;
	struct loop_source *again;
	struct shared_bfd *shared;
};

static void set(struct bfd_session *s, bool up)
{
	struct vrrp *v = s->all->vrrp;
	const struct msg m = {.type = MSG_WATCH, .index = s->conf->index, .value = up};

	if (v->watch[s->conf->index] == up)
		return;
	v->watch[s->conf->index] = up;
	if (s->conf->bfd.checked)
		msg_send(v->birth->ends.control, &m, -1);
	tracks_apply(v);
}

static int on_send(struct ha_bfd *e, const void *pkt, size_t len, void *userdata)
{
	struct bfd_session *s = userdata;

	return ha_bfd_link_send(s->hop->link, e, pkt, len);
}

/* RFC 5882 section 3.2: who switched BFD off did not say that the path is broken, but it watches no more either. */
static void on_changed(struct ha_bfd *e, const struct ha_bfd_change *c, void *userdata)
{
	struct bfd_session *s = userdata;

	log_notice("bfd_instance %s: %s: %s", s->conf->name, ha_bfd_state_name(c->to),
		   ha_bfd_reason_name(c->reason));
	set(s, c->to == HA_BFD_UP);
}

static const struct ha_bfd_ops ops = {.size = sizeof(ops), .send = on_send, .changed = on_changed};

/* A predecessor that ended in order wrote down where it stood. */
static bool thaw(struct bfd_session *s)
{
	const struct shared_bfd *kept = &s->all->shared[s->conf->index];

	return s->all->vrrp->birth->fresh && kept->len <= sizeof(kept->bytes) && kept->len &&
	       ha_bfd_thaw(s->engine, loop_clock_ns(), kept->bytes, kept->len) >= 0;
}

static int open_session(struct bfd_session *s)
{
	const struct shared_bfd *kept = &s->all->shared[s->conf->index];
	struct ha_bfd_opts o;
	bool goes_on;
	int r;

	model_bfd(s->conf, &o);
	if (s->all->vrrp->birth->fresh && kept->len) {
		o.source_port = kept->source_port;
		o.discriminator = kept->discriminator;
	}
	r = ha_bfd_link_draw(s->hop->link, &o);
	if (r >= 0)
		r = ha_bfd_new(&o, &ops, s, &s->engine);
	if (r < 0)
		return r;
	goes_on = thaw(s);
	r = ha_bfd_link_add(s->hop->link, s->engine);
	if (r >= 0 && !goes_on)
		r = ha_bfd_start(s->engine, loop_clock_ns());
	if (r < 0) {
		ha_bfd_link_remove(s->hop->link, s->engine);
		ha_bfd_free(s->engine);
		s->engine = NULL;
		return r;
	}
	set(s, ha_bfd_state(s->engine) == HA_BFD_UP);
	return 0;
}

static void close_session(struct bfd_session *s)
{
	if (!s->engine)
		return;
	ha_bfd_link_remove(s->hop->link, s->engine);
	ha_bfd_free(s->engine);
	s->engine = NULL;
	set(s, false);
}

static void close_hop(struct bfds *b, struct bfd_hop *h)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->session[i].hop == h)
			close_session(&b->session[i]);
	loop_remove(h->source);
	ha_bfd_link_free(h->link);
	h->source = NULL;
	h->link = NULL;
	h->ifindex = 0;
}

LOOP_JOINS(ha_bfd_link)

static int open_hop(struct bfds *b, struct bfd_hop *h, uint32_t ifindex)
{
	const struct ha_bfd_link_opts o = {
	    .size = sizeof(o), .family = h->family, .multihop = !h->interface, .ifindex = ifindex};
	int r = ha_bfd_link_new(&o, &h->link);

	if (r < 0)
		return r;
	h->ifindex = ifindex;
	r = ha_bfd_link_join(h->link, "BFD", b->vrrp->loop, &h->source);
	if (r < 0)
		close_hop(b, h);
	return r;
}

static uint32_t ifindex_of(const struct bfds *b, const struct bfd_hop *h)
{
	const struct device *d = h->interface ? device_find(b->vrrp, h->interface) : NULL;

	return d ? d->link.ifindex : h->interface ? if_nametoindex(h->interface) : 0;
}

/* The name of the interface that has this address; false: none. */
static bool interface_of(const struct ha_ip *ip, char ret[IF_NAMESIZE])
{
	struct ifaddrs *all, *a;
	struct ha_ip own;

	if (getifaddrs(&all) < 0)
		return false;
	for (a = all; a; a = a->ifa_next)
		if (a->ifa_addr &&
		    ha_ip_from_sockaddr(a->ifa_addr, sizeof(struct sockaddr_in6), &own) >= 0 &&
		    !ha_ip_compare(&own, ip))
			break;
	if (a)
		snprintf(ret, IF_NAMESIZE, "%s", a->ifa_name);
	freeifaddrs(all);
	return a;
}

/* Nobody names an interface: the way that packets to the neighbour take. */
static bool interface_to(const struct conf_watch *w, char ret[IF_NAMESIZE])
{
	struct sockaddr_storage to, from;
	socklen_t len = sizeof(from);
	struct ha_ip own;
	int fd = socket(w->bfd.peer.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	if (fd < 0)
		return false;
	found =
	    connect(fd, (void *)&to, (socklen_t)ha_ip_to_sockaddr(&w->bfd.peer, 1, 0, &to)) >= 0 &&
	    getsockname(fd, (void *)&from, &len) >= 0 &&
	    ha_ip_from_sockaddr((void *)&from, len, &own) >= 0 && interface_of(&own, ret);
	close(fd);
	return found;
}

/* NULL: there is no route to the neighbour. */
static struct bfd_hop *hop_of(struct bfds *b, const struct conf_watch *w)
{
	const char *interface = w->bfd.multihop ? NULL : w->bfd.interface;
	struct bfd_hop *h = b->hop;
	char name[IF_NAMESIZE];

	if (!interface && !w->bfd.multihop) {
		if (!interface_to(w, name))
			return NULL;
		interface = name;
	}
	for (size_t i = 0; i < b->n_hops; i++, h++)
		if (h->family == w->bfd.peer.family &&
		    (interface ? h->interface && !strcmp(h->interface, interface) : !h->interface))
			return h;
	*h = (struct bfd_hop){.interface = interface, .family = w->bfd.peer.family};
	if (interface == name)
		h->interface = strcpy(h->name, name);
	b->n_hops++;
	return h;
}

static void say_once(struct bfd_session *s, int err)
{
	if (err != s->said)
		log_warn("bfd_instance %s: %s: tried again each second", s->conf->name,
			 strerror(-err));
	s->said = err;
}

/* Opens what can be opened; the rest later. */
static void open_all(struct bfds *b)
{
	bool all = true;

	for (size_t i = 0; i < b->n; i++) {
		struct bfd_session *s = &b->session[i];
		uint32_t ifindex;
		int r = 0;

		if (!s->hop)
			s->hop = hop_of(b, s->conf);
		if (!s->hop) {
			all = false;
			continue;
		}
		ifindex = ifindex_of(b, s->hop);
		if (s->engine || (s->hop->interface && !ifindex))
			continue;
		if (!s->hop->link)
			r = open_hop(b, s->hop, ifindex);
		if (r >= 0)
			r = open_session(s);
		if (r < 0)
			say_once(s, r);
		else
			s->said = 0;
		all &= r >= 0;
	}
	if (!all)
		loop_arm(b->again, loop_clock_ns() + SECOND_NS);
}

static void on_again(struct loop *l, void *userdata)
{
	open_all(userdata);
}

void bfds_on_link(struct vrrp *v)
{
	struct bfds *b = v->bfds;

	if (!b)
		return;
	for (size_t i = 0; i < b->n_hops; i++)
		if (b->hop[i].link && b->hop[i].interface &&
		    b->hop[i].ifindex != ifindex_of(b, &b->hop[i]))
			close_hop(b, &b->hop[i]);
	open_all(b);
}

void bfds_publish(struct vrrp *v)
{
	struct bfds *b = v->bfds;

	for (size_t i = 0; b && i < b->n; i++)
		live_write_bfd(&v->birth->live->bfd[b->session[i].conf->index],
			       b->session[i].engine);
}

/* What a successor needs to go on without the neighbour noticing; else the neighbour is told. */
void bfds_end(struct vrrp *v, enum msg_stop how)
{
	struct bfds *b = v->bfds;

	for (size_t i = 0; b && i < b->n; i++) {
		struct bfd_session *s = &b->session[i];
		struct shared_bfd *kept = &b->shared[s->conf->index];
		ssize_t len = 0;

		kept->len = 0;
		if (!s->engine)
			continue;
		if (how == MSG_STOP_RELOAD && kept->goes_on &&
		    !ha_bfd_link_source_port(s->hop->link, s->engine, &kept->source_port))
			len = ha_bfd_freeze(s->engine, kept->bytes, sizeof(kept->bytes));
		kept->discriminator = ha_bfd_opts(s->engine)->discriminator;
		kept->len = len > 0 ? (uint32_t)len : 0;
		if (!kept->len)
			ha_bfd_stop(s->engine, loop_clock_ns());
	}
}

static bool is_wanted(const struct conf_watch *w)
{
	return w->kind == CONF_WATCH_BFD && (w->bfd.interface || w->bfd.checked);
}

int bfds_init(struct vrrp *v)
{
	const struct conf *c = v->birth->conf;
	struct bfds *b;
	size_t n = 0;
	int r;

	for (const struct conf_watch *w = c->watches; w; w = w->next)
		n += is_wanted(w);
	if (!n)
		return 0;
	b = v->bfds = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->vrrp = v;
	b->shared = v->birth->shared->bfd;
	b->session = calloc(n, sizeof(*b->session));
	b->hop = calloc(n, sizeof(*b->hop));
	if (!b->session || !b->hop)
		return -ENOMEM;
	for (const struct conf_watch *w = c->watches; w; w = w->next)
		if (is_wanted(w))
			b->session[b->n++] = (struct bfd_session){.all = b, .conf = w};
	r = loop_add_timer(v->loop, on_again, b, &b->again);
	if (r >= 0)
		loop_arm(b->again, loop_clock_ns());
	return r;
}
