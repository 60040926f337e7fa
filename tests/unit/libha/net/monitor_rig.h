/* SPDX-License-Identifier: MIT */
/* The monitor over a scripted kernel with a few links and addresses; the real one is in tests/netns. */
#ifndef MONITOR_RIG_H
#define MONITOR_RIG_H

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libha/route.h>

#include "net/neighbour_codec.h"
#include "net/route_codec.h"
#include "net/rule_codec.h"

#include "fake_nl.h"

#define MS UINT64_C(1000000)
#define N 8

/* The scripted kernel: which links and addresses it has, and how its dumps go wrong. */
struct kernel {
	bool link[N];	    /* by ifindex */
	bool address[N][N]; /* by ifindex and last byte */
	uint32_t flags;	    /* of every address */
	int interrupt;	    /* so many dumps carry NLM_F_DUMP_INTR */
	int refuse;	    /* so many dumps are answered with -EBUSY */
	int silent;	    /* so many dumps are not answered */
	int crossing;	    /* so many address dumps are crossed by the going of 3's address 1 */
	uint8_t gateway;    /* last byte of the only route's; 0: there is no route */
	int rules;	    /* so many equal ones */
};

struct place {
	struct kernel k;
	struct fake_nl *f;
	struct ha_net_monitor *m;
	uint64_t now;
	unsigned int changed, came, went, added, removed, updated, resynced;
	unsigned int routes_added, routes_removed, neighbours_changed, neighbours_removed;
	unsigned int rules_added, rules_removed;
	int dispatch_inside; /* what dispatch answered inside a callback */
	bool free_inside;
	uint32_t last_ifindex;
	struct ha_ip last_ip;
};

/* -- messages ------------------------------------------------------------------------------------ */

static inline size_t link_bytes(struct writer *w, uint16_t type, uint16_t flags, uint8_t family,
				uint32_t ifindex, uint32_t iff)
{
	size_t m = nl_msg_begin(w, type, flags);

	write_u8(w, family);
	write_zero(w, 3);
	write_host32(w, ifindex);
	write_host32(w, iff);
	write_host32(w, 0);
	nl_attr_put_str(w, IFLA_IFNAME, "eth");
	nl_msg_end(w, m);
	return writer_len(w);
}

static inline void push_link(struct place *p, uint16_t type, uint16_t flags, uint32_t seq,
			     uint32_t port, uint32_t ifindex, uint32_t iff)
{
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));

	link_bytes(&w, type, flags, AF_UNSPEC, ifindex, iff);
	fake_push_msg(p->f, &w, seq, port);
}

static inline void push_address(struct place *p, uint16_t type, uint16_t flags, uint32_t seq,
				uint32_t port, uint32_t ifindex, uint8_t last, uint32_t ifa_flags)
{
	const uint8_t ip[4] = {10, 0, 0, last};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, type, flags);

	write_bytes(&w, "\2\40\0\0", 4);
	write_host32(&w, ifindex);
	nl_attr_put(&w, IFA_LOCAL, ip, sizeof(ip));
	nl_attr_put_u32(&w, IFA_FLAGS, ifa_flags);
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, seq, port);
}

static inline void push_route(struct place *p, uint16_t type, uint16_t flags, uint32_t seq,
			      uint32_t port, uint8_t gateway)
{
	struct ha_net_route r = {.size = sizeof(r),
				 .via = {.family = AF_INET, .bytes = {10, 0, 0, gateway}},
				 .type = RTN_UNICAST};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, type, flags);

	route_codec_put(&w, &r);
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, seq, port);
}

static inline void push_rule(struct place *p, uint16_t type, uint16_t flags, uint32_t seq,
			     uint32_t port)
{
	struct ha_net_rule r = {.size = sizeof(r), .family = AF_INET, .priority = 7, .table = 1000};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, type, flags);

	rule_codec_put(&w, &r);
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, seq, port);
}

static inline void push_neighbour(struct place *p, uint16_t type, uint8_t mac)
{
	struct ha_net_neighbour a = {.size = sizeof(a),
				     .ifindex = 1,
				     .ip = {.family = AF_INET, .bytes = {10, 0, 0, 9}},
				     .mac = {2, 0, 0, 0, 0, mac},
				     .mac_len = 6};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, type, 0);

	neighbour_codec_put(&w, &a);
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, 0, 0);
}

/* An event carries the sequence and port of whoever caused it. */
static inline void address_event(struct place *p, uint16_t type, uint32_t ifindex, uint8_t last)
{
	p->k.address[ifindex][last] = type == RTM_NEWADDR;
	push_address(p, type, 0, 1, FAKE_PORT + 1, ifindex, last, p->k.flags);
}

static inline void link_event(struct place *p, uint16_t type, uint32_t ifindex, uint32_t iff)
{
	p->k.link[ifindex] = type == RTM_NEWLINK;
	push_link(p, type, 0, 0, 0, ifindex, iff);
}

static inline void answer_dump(struct fake_nl *f, const void *buf, size_t len)
{
	struct place *p = f->userdata;
	struct kernel *k = &p->k;
	struct nl_msg ask = fake_sent(f, 0);
	uint16_t flags = NLM_F_MULTI;

	assert_int_equal(ask.flags, NLM_F_REQUEST | NLM_F_DUMP);
	if (k->silent > 0 && k->silent--)
		return;
	if (k->refuse > 0 && k->refuse--) {
		fake_push_error(f, NLMSG_ERROR, ask.seq, -EBUSY, 0, NULL);
		return;
	}
	if (k->interrupt > 0 && k->interrupt--)
		flags |= NLM_F_DUMP_INTR;
	for (uint32_t i = 1; i < N; i++) {
		if (ask.type == RTM_GETLINK && k->link[i])
			push_link(p, RTM_NEWLINK, flags, ask.seq, FAKE_PORT, i, IFF_UP);
		for (uint8_t j = 1; ask.type == RTM_GETADDR && j < N; j++) {
			if (!k->address[i][j])
				continue;
			if (i == 3 && j == 1 && k->crossing > 0 && k->crossing--) {
				/* Read by the dump, then removed, and that is heard first. */
				address_event(p, RTM_DELADDR, 3, 1);
			}
			push_address(p, RTM_NEWADDR, flags, ask.seq, FAKE_PORT, i, j, k->flags);
		}
	}
	if (ask.type == RTM_GETROUTE && k->gateway)
		push_route(p, RTM_NEWROUTE, flags, ask.seq, FAKE_PORT, k->gateway);
	for (int i = 0; ask.type == RTM_GETRULE && i < k->rules; i++)
		push_rule(p, RTM_NEWRULE, flags, ask.seq, FAKE_PORT);
	fake_push_error(f, NLMSG_DONE, ask.seq, 0, flags, NULL);
}

/* -- what is told -------------------------------------------------------------------------------- */

static inline void inside(struct place *p)
{
	p->dispatch_inside = ha_net_monitor_dispatch(p->m, p->now);
	if (p->free_inside)
		ha_net_monitor_free(p->m);
}

static inline void link_changed(void *u, const struct ha_net_link *now,
				const struct ha_net_link *before)
{
	struct place *p = u;
	struct ha_net_link l = {.size = sizeof(l)};

	p->changed += before != NULL;
	p->came += before == NULL;
	p->last_ifindex = now->ifindex;
	/* The view has changed already. */
	assert_int_equal(ha_net_monitor_link(p->m, now->ifindex, &l), 0);
	assert_int_equal(l.flags, now->flags);
	inside(p);
}

static inline void link_removed(void *u, const struct ha_net_link *l)
{
	struct place *p = u;
	struct ha_net_link none = {.size = sizeof(none)};

	p->went++;
	p->last_ifindex = l->ifindex;
	assert_int_equal(ha_net_monitor_link(p->m, l->ifindex, &none), -ENODEV);
	inside(p);
}

static inline void address_added(void *u, const struct ha_net_address *a)
{
	struct place *p = u;

	p->added++;
	p->last_ip = a->ip;
	assert_int_equal(ha_net_monitor_address(p->m, a->ifindex, &a->ip, NULL), 0);
	inside(p);
}

static inline void address_changed(void *u, const struct ha_net_address *now,
				   const struct ha_net_address *before)
{
	struct place *p = u;

	p->updated++;
	assert_int_not_equal(now->flags, before->flags);
	inside(p);
}

static inline void address_removed(void *u, const struct ha_net_address *a)
{
	struct place *p = u;

	p->removed++;
	p->last_ip = a->ip;
	assert_int_equal(ha_net_monitor_address(p->m, a->ifindex, &a->ip, NULL), -EADDRNOTAVAIL);
	inside(p);
}

static inline void neighbour_changed(void *u, const struct ha_net_neighbour *now,
				     const struct ha_net_neighbour *before)
{
	struct place *p = u;
	struct ha_net_neighbour a = {.size = sizeof(a)};

	p->neighbours_changed++;
	assert_int_equal(ha_net_monitor_neighbour(p->m, 1, &now->ip, &a), 0);
	assert_int_equal(a.mac[5], now->mac[5]);
	inside(p);
}

static inline void neighbour_removed(void *u, const struct ha_net_neighbour *a)
{
	struct place *p = u;
	struct ha_net_neighbour none = {.size = sizeof(none)};

	p->neighbours_removed++;
	assert_int_equal(ha_net_monitor_neighbour(p->m, 1, &a->ip, &none), -ENOENT);
	inside(p);
}

static inline void rule_added(void *u, const struct ha_net_rule *r)
{
	struct place *p = u;

	assert_int_equal(r->priority, 7);
	p->rules_added++;
	inside(p);
}

static inline void rule_removed(void *u, const struct ha_net_rule *r)
{
	struct place *p = u;

	assert_int_equal(r->table, 1000);
	p->rules_removed++;
	inside(p);
}

static inline void route_added(void *u, const struct ha_net_route *r)
{
	struct place *p = u;

	p->routes_added++;
	p->last_ip = r->via;
	inside(p);
}

static inline void route_removed(void *u, const struct ha_net_route *r)
{
	struct place *p = u;

	p->routes_removed++;
	p->last_ip = r->via;
	inside(p);
}

static inline void resynced(void *u)
{
	struct place *p = u;

	p->resynced++;
	inside(p);
}

static const struct ha_net_monitor_ops ops = {
    .size = sizeof(ops),
    .link_changed = link_changed,
    .link_removed = link_removed,
    .address_added = address_added,
    .address_changed = address_changed,
    .address_removed = address_removed,
    .resynced = resynced,
    .neighbour_changed = neighbour_changed,
    .neighbour_removed = neighbour_removed,
    .route_added = route_added,
    .rule_added = rule_added,
    .rule_removed = rule_removed,
    .route_removed = route_removed,
};

/* -- a monitor in its place ---------------------------------------------------------------------- */

static inline int new_monitor(struct place *p)
{
	struct ha_nl_transport t = fake_transport(p->f);
	struct ha_net_monitor_opts o = {.size = sizeof(o), .transport = &t};

	return ha_net_monitor_new(&o, &ops, p, &p->m);
}

static inline struct place *new_place(void)
{
	struct place *p = calloc(1, sizeof(*p));

	p->f = fake_new();
	p->f->userdata = p;
	p->f->on_send = answer_dump;
	p->now = 1000 * MS;
	for (uint32_t i = 1; i <= 3; i++)
		p->k.link[i] = p->k.address[i][1] = p->k.address[i][2] = true;
	return p;
}

static inline void free_place(struct place *p)
{
	ha_net_monitor_free(p->m);
	fake_free(p->f);
	free(p);
}

static inline int set_up(void **state)
{
	struct place *p = new_place();

	*state = p;
	return new_monitor(p);
}

static inline int tear_down(void **state)
{
	struct place *p = *state;

	free_place(p);
	return 0;
}

/* What a host's loop does, with a clock that jumps to the next deadline; at most for `ms`. */
static inline int run(struct place *p, uint64_t ms)
{
	uint64_t until = p->now + ms * MS;
	int first = 0;

	for (int i = 0; i < 10000; i++) {
		uint64_t deadline = ha_net_monitor_deadline(p->m);
		int r;

		if (!p->f->n && deadline > p->now) {
			if (deadline > until)
				return first;
			p->now = deadline;
		}
		r = ha_net_monitor_dispatch(p->m, p->now);
		if (!first)
			first = r;
	}
	fail_msg("the monitor is never done");
	return first;
}

static inline void forget(struct place *p)
{
	p->changed = p->came = p->went = p->added = p->removed = p->updated = p->resynced = 0;
	p->routes_added = p->routes_removed = p->neighbours_changed = p->neighbours_removed = 0;
}

static inline struct ha_net_monitor_stats stats(struct place *p)
{
	struct ha_net_monitor_stats s = {.size = sizeof(s)};

	assert_int_equal(ha_net_monitor_stats(p->m, &s), 0);
	return s;
}

static inline int check_address(void *userdata, const struct ha_net_address *a)
{
	struct kernel *k = userdata;

	assert_true(a->ifindex < N && a->ip.bytes[3] < N);
	assert_true(k->address[a->ifindex][a->ip.bytes[3]]);
	return 0;
}

static inline int check_link(void *userdata, const struct ha_net_link *l)
{
	assert_true(l->ifindex < N && ((struct kernel *)userdata)->link[l->ifindex]);
	return 0;
}

/* Nothing too much, and the numbers are equal: so the sets are. */
static inline void the_view_is_the_kernels(struct place *p)
{
	size_t links = 0, addresses = 0;

	for (uint32_t i = 0; i < N; i++) {
		links += p->k.link[i];
		for (uint32_t j = 0; j < N; j++)
			addresses += p->k.address[i][j];
	}
	assert_int_equal(ha_net_monitor_links(p->m, check_link, &p->k), 0);
	assert_int_equal(ha_net_monitor_addresses(p->m, check_address, &p->k), 0);
	assert_int_equal(stats(p).links, links);
	assert_int_equal(stats(p).addresses, addresses);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
