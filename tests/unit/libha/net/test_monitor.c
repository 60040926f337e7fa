/* SPDX-License-Identifier: MIT */
/* The monitor over a scripted kernel with a few links and addresses; the real one is in tests/netns. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

#include <libha/route.h>

#include "net/neighbour_codec.h"
#include "net/route_codec.h"
#include "net/rule_codec.h"

#include "fake_nl.h"

#include "../service/fail.h"

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

static size_t link_bytes(struct writer *w, uint16_t type, uint16_t flags, uint8_t family,
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

static void push_link(struct place *p, uint16_t type, uint16_t flags, uint32_t seq, uint32_t port,
		      uint32_t ifindex, uint32_t iff)
{
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));

	link_bytes(&w, type, flags, AF_UNSPEC, ifindex, iff);
	fake_push_msg(p->f, &w, seq, port);
}

static void push_address(struct place *p, uint16_t type, uint16_t flags, uint32_t seq,
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

static void push_route(struct place *p, uint16_t type, uint16_t flags, uint32_t seq, uint32_t port,
		       uint8_t gateway)
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

static void push_rule(struct place *p, uint16_t type, uint16_t flags, uint32_t seq, uint32_t port)
{
	struct ha_net_rule r = {.size = sizeof(r), .family = AF_INET, .priority = 7, .table = 1000};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, type, flags);

	rule_codec_put(&w, &r);
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, seq, port);
}

static void push_neighbour(struct place *p, uint16_t type, uint8_t mac)
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
static void address_event(struct place *p, uint16_t type, uint32_t ifindex, uint8_t last)
{
	p->k.address[ifindex][last] = type == RTM_NEWADDR;
	push_address(p, type, 0, 1, FAKE_PORT + 1, ifindex, last, p->k.flags);
}

static void link_event(struct place *p, uint16_t type, uint32_t ifindex, uint32_t iff)
{
	p->k.link[ifindex] = type == RTM_NEWLINK;
	push_link(p, type, 0, 0, 0, ifindex, iff);
}

static void answer_dump(struct fake_nl *f, const void *buf, size_t len)
{
	struct place *p = f->userdata;
	struct kernel *k = &p->k;
	struct nl_msg ask = fake_sent(f, 0);
	uint16_t flags = NLM_F_MULTI;

	(void)buf, (void)len;
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

static void inside(struct place *p)
{
	p->dispatch_inside = ha_net_monitor_dispatch(p->m, p->now);
	if (p->free_inside)
		ha_net_monitor_free(p->m);
}

static void link_changed(void *u, const struct ha_net_link *now, const struct ha_net_link *before)
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

static void link_removed(void *u, const struct ha_net_link *l)
{
	struct place *p = u;
	struct ha_net_link none = {.size = sizeof(none)};

	p->went++;
	p->last_ifindex = l->ifindex;
	assert_int_equal(ha_net_monitor_link(p->m, l->ifindex, &none), -ENODEV);
	inside(p);
}

static void address_added(void *u, const struct ha_net_address *a)
{
	struct place *p = u;

	p->added++;
	p->last_ip = a->ip;
	assert_int_equal(ha_net_monitor_address(p->m, a->ifindex, &a->ip, NULL), 0);
	inside(p);
}

static void address_changed(void *u, const struct ha_net_address *now,
			    const struct ha_net_address *before)
{
	struct place *p = u;

	p->updated++;
	assert_int_not_equal(now->flags, before->flags);
	inside(p);
}

static void address_removed(void *u, const struct ha_net_address *a)
{
	struct place *p = u;

	p->removed++;
	p->last_ip = a->ip;
	assert_int_equal(ha_net_monitor_address(p->m, a->ifindex, &a->ip, NULL), -EADDRNOTAVAIL);
	inside(p);
}

static void neighbour_changed(void *u, const struct ha_net_neighbour *now,
			      const struct ha_net_neighbour *before)
{
	struct place *p = u;
	struct ha_net_neighbour a = {.size = sizeof(a)};

	(void)before;
	p->neighbours_changed++;
	assert_int_equal(ha_net_monitor_neighbour(p->m, 1, &now->ip, &a), 0);
	assert_int_equal(a.mac[5], now->mac[5]);
	inside(p);
}

static void neighbour_removed(void *u, const struct ha_net_neighbour *a)
{
	struct place *p = u;
	struct ha_net_neighbour none = {.size = sizeof(none)};

	p->neighbours_removed++;
	assert_int_equal(ha_net_monitor_neighbour(p->m, 1, &a->ip, &none), -ENOENT);
	inside(p);
}

static void rule_added(void *u, const struct ha_net_rule *r)
{
	struct place *p = u;

	assert_int_equal(r->priority, 7);
	p->rules_added++;
	inside(p);
}

static void rule_removed(void *u, const struct ha_net_rule *r)
{
	struct place *p = u;

	assert_int_equal(r->table, 1000);
	p->rules_removed++;
	inside(p);
}

static void route_added(void *u, const struct ha_net_route *r)
{
	struct place *p = u;

	p->routes_added++;
	p->last_ip = r->via;
	inside(p);
}

static void route_removed(void *u, const struct ha_net_route *r)
{
	struct place *p = u;

	p->routes_removed++;
	p->last_ip = r->via;
	inside(p);
}

static void resynced(void *u)
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

/* -- the tests ----------------------------------------------------------------------------------- */

static int new_monitor(struct place *p)
{
	struct ha_nl_transport t = fake_transport(p->f);
	struct ha_net_monitor_opts o = {.size = sizeof(o), .transport = &t};

	return ha_net_monitor_new(&o, &ops, p, &p->m);
}

static struct place *new_place(void)
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

static void free_place(struct place *p)
{
	ha_net_monitor_free(p->m);
	fake_free(p->f);
	free(p);
}

static int set_up(void **state)
{
	struct place *p = new_place();

	*state = p;
	return new_monitor(p);
}

static int tear_down(void **state)
{
	struct place *p = *state;

	free_place(p);
	return 0;
}

/* What a host's loop does, with a clock that jumps to the next deadline; at most for `ms`. */
static int run(struct place *p, uint64_t ms)
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

static void forget(struct place *p)
{
	p->changed = p->came = p->went = p->added = p->removed = p->updated = p->resynced = 0;
	p->routes_added = p->routes_removed = p->neighbours_changed = p->neighbours_removed = 0;
}

static struct ha_net_monitor_stats stats(struct place *p)
{
	struct ha_net_monitor_stats s = {.size = sizeof(s)};

	assert_int_equal(ha_net_monitor_stats(p->m, &s), 0);
	return s;
}

static int check_address(void *userdata, const struct ha_net_address *a)
{
	struct kernel *k = userdata;

	assert_true(a->ifindex < N && a->ip.bytes[3] < N);
	assert_true(k->address[a->ifindex][a->ip.bytes[3]]);
	return 0;
}

static int check_link(void *userdata, const struct ha_net_link *l)
{
	assert_true(l->ifindex < N && ((struct kernel *)userdata)->link[l->ifindex]);
	return 0;
}

/* Nothing too much, and the numbers are equal: so the sets are. */
static void the_view_is_the_kernels(struct place *p)
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

static void the_start_tells_everything_once(void **state)
{
	struct place *p = *state;

	assert_int_equal(p->f->n_joined, 3);
	assert_int_equal(p->f->joined[0], RTNLGRP_LINK);
	assert_int_equal(p->f->joined[1], RTNLGRP_IPV4_IFADDR);
	assert_int_equal(p->f->joined[2], RTNLGRP_IPV6_IFADDR);
	assert_int_equal(ha_net_monitor_fd(p->m), p->f->fd);
	assert_int_equal(ha_net_monitor_deadline(p->m), 0);
	assert_false(ha_net_monitor_is_synced(p->m));
	assert_int_equal(p->f->n_sends, 0);
	assert_int_equal(run(p, 1000), 0);
	assert_int_equal(p->came, 3);
	assert_int_equal(p->added, 6);
	assert_int_equal(p->resynced, 1);
	assert_true(ha_net_monitor_is_synced(p->m));
	assert_true(ha_net_monitor_deadline(p->m) == UINT64_MAX);
	the_view_is_the_kernels(p);
}

static void an_event_is_told_when_it_changes_something(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	address_event(p, RTM_NEWADDR, 1, 5);
	address_event(p, RTM_NEWADDR, 1, 5); /* the same again */
	run(p, 1000);
	assert_int_equal(p->added, 1);
	assert_int_equal(p->last_ip.bytes[3], 5);
	p->k.flags = IFA_F_DEPRECATED;
	address_event(p, RTM_NEWADDR, 1, 5);
	run(p, 1000);
	assert_int_equal(p->updated, 1);
	address_event(p, RTM_DELADDR, 1, 5);
	address_event(p, RTM_DELADDR, 1, 5);
	run(p, 1000);
	assert_int_equal(p->removed, 1);
	link_event(p, RTM_NEWLINK, 2, IFF_UP);
	link_event(p, RTM_NEWLINK, 2, 0);
	link_event(p, RTM_NEWLINK, 5, 0);
	run(p, 1000);
	assert_int_equal(p->changed, 1);
	assert_int_equal(p->came, 1);
	assert_int_equal(p->added + p->removed + p->updated, 3);
	assert_int_equal(p->f->n_sends, 2); /* no dump but the first two */
	the_view_is_the_kernels(p);
}

static void a_link_takes_its_addresses_along(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.address[2][1] = p->k.address[2][2] = false; /* no event of theirs */
	link_event(p, RTM_DELLINK, 2, 0);
	run(p, 1000);
	assert_int_equal(p->went, 1);
	assert_int_equal(p->removed, 2);
	the_view_is_the_kernels(p);
}

static void a_bridge_port_that_leaves_is_still_a_link(void **state)
{
	struct place *p = *state;
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));

	run(p, 1000);
	link_bytes(&w, RTM_DELLINK, 0, AF_BRIDGE, 2, 0);
	fake_push_msg(p->f, &w, 0, 0);
	run(p, 1000);
	assert_int_equal(p->went, 0);
	the_view_is_the_kernels(p);
}

static void lost_events_are_made_up_for(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.address[1][1] = false;
	p->k.address[1][6] = true;
	p->k.link[3] = p->k.address[3][1] = p->k.address[3][2] = false;
	p->k.link[6] = true;
	fake_push(p->f, NULL, 0, -ENOBUFS);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
	assert_false(ha_net_monitor_is_synced(p->m));
	assert_int_equal(run(p, 0), 0); /* at once */
	assert_int_equal(p->added, 1);
	assert_int_equal(p->removed, 3);
	assert_int_equal(p->came, 1);
	assert_int_equal(p->went, 1);
	assert_int_equal(p->changed + p->updated, 0);
	assert_int_equal(p->resynced, 1);
	assert_int_equal(stats(p).overruns, 1);
	assert_int_equal(stats(p).resyncs, 2);
	assert_true(ha_net_monitor_is_synced(p->m));
	the_view_is_the_kernels(p);
}

static void a_datagram_that_was_too_long_is_a_lost_event(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	p->k.address[1][1] = false;
	fake_push(p->f, NULL, 0, -EMSGSIZE);
	run(p, 1000);
	assert_int_equal(p->removed, 1);
	the_view_is_the_kernels(p);
}

static void an_interrupted_dump_removes_nothing_and_is_repeated(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.interrupt = 1;
	p->k.address[1][1] = false;
	ha_net_monitor_resync(p->m);
	assert_int_equal(ha_net_monitor_deadline(p->m), 0);
	assert_int_equal(run(p, 0), 0);
	assert_int_equal(p->removed + p->resynced, 0);
	assert_int_equal(stats(p).interrupted, 1);
	assert_true(ha_net_monitor_deadline(p->m) == p->now + 20 * MS);
	run(p, 1000);
	assert_int_equal(p->removed, 1);
	assert_int_equal(p->resynced, 1);
	the_view_is_the_kernels(p);
}

static void events_lost_during_a_dump_begin_it_again(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	ha_net_monitor_resync(p->m);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0); /* asks for the links */
	fake_push(p->f, NULL, 0, -ENOBUFS);
	p->k.address[1][1] = false;
	run(p, 0);
	assert_int_equal(p->resynced, 0);
	run(p, 1000);
	assert_int_equal(p->resynced, 1);
	assert_true(ha_net_monitor_is_synced(p->m));
	the_view_is_the_kernels(p);
}

static void what_goes_while_it_is_read_does_not_stay(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.crossing = 1;
	ha_net_monitor_resync(p->m);
	run(p, 0);
	/* Heard to go, then read as present: believed for the moment only. */
	assert_int_equal(p->removed, 1);
	assert_int_equal(p->added, 1);
	run(p, 1000);
	assert_int_equal(p->removed, 2);
	assert_int_equal(p->resynced, 2);
	assert_true(ha_net_monitor_deadline(p->m) == UINT64_MAX);
	the_view_is_the_kernels(p);
}

static void a_refused_dump_is_asked_again_later_and_later(void **state)
{
	static const uint64_t waits[] = {20, 40, 80, 160, 320, 500, 500};
	struct place *p = *state;

	p->k.refuse = 7;
	run(p, 0);
	for (size_t i = 0; i < 7; i++) {
		assert_true(ha_net_monitor_deadline(p->m) == p->now + waits[i] * MS);
		p->now = ha_net_monitor_deadline(p->m);
		run(p, 0);
	}
	assert_int_equal(p->resynced, 1);
	/* And the next trouble finds its patience fresh. */
	p->k.refuse = 1;
	ha_net_monitor_resync(p->m);
	run(p, 0);
	assert_true(ha_net_monitor_deadline(p->m) == p->now + 20 * MS);
}

static void a_storm_does_not_take_the_pauses_away(void **state)
{
	struct place *p = *state;
	uint64_t deadline;

	p->k.refuse = 4;
	run(p, 200);
	deadline = ha_net_monitor_deadline(p->m);
	assert_true(deadline > p->now && deadline < UINT64_MAX);
	for (int i = 0; i < 100; i++) {
		fake_push(p->f, NULL, 0, -ENOBUFS);
		assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
	}
	assert_true(ha_net_monitor_deadline(p->m) == deadline);
	run(p, 1000);
	the_view_is_the_kernels(p);
}

static void a_dump_without_answer_is_given_up(void **state)
{
	struct place *p = *state;

	p->k.silent = 1;
	run(p, 0);
	assert_true(ha_net_monitor_deadline(p->m) == p->now + 5000 * MS);
	run(p, 6000);
	assert_int_equal(p->resynced, 1);
	the_view_is_the_kernels(p);
}

static void answers_to_a_dump_given_up_are_not_believed(void **state)
{
	struct place *p = *state;
	uint32_t seq;

	run(p, 1000);
	seq = fake_sent(p->f, 0).seq;
	forget(p);
	for (int reading = 0; reading < 2; reading++) {
		if (reading) {
			p->k.silent = 1;
			ha_net_monitor_resync(p->m);
			run(p, 0);
			assert_int_not_equal(fake_sent(p->f, 0).seq, seq);
		}
		push_address(p, RTM_NEWADDR, NLM_F_MULTI, seq, FAKE_PORT, 1, 7, 0);
		fake_push_error(p->f, NLMSG_DONE, seq, 0, 0, NULL);
		run(p, 0);
		assert_int_equal(p->added, 0);
		assert_int_equal(stats(p).interrupted, 0);
	}
	run(p, 6000);
	assert_int_equal(p->resynced, 1);
	the_view_is_the_kernels(p);
	assert_int_equal(stats(p).events, 0);
}

static void nonsense_is_counted_and_changes_nothing(void **state)
{
	struct place *p = *state;
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, RTM_NEWLINK, 0);

	run(p, 1000);
	forget(p);
	write_zero(&w, 4);
	write_host32(&w, 5);
	write_zero(&w, 8);
	nl_attr_put(&w, IFLA_ADDRESS, buf, 33); /* longer than any link-layer address */
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, 0, 0);
	fake_push(p->f, "nonsense", 8, 0);
	fake_push(p->f, "", 0, 0);
	assert_int_equal(run(p, 1000), 0);
	assert_int_equal(stats(p).malformed, 2);
	assert_int_equal(p->came, 0);
	the_view_is_the_kernels(p);
}

static void one_dispatch_does_bounded_work(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	for (int i = 0; i < 200; i++)
		address_event(p, i % 2 ? RTM_DELADDR : RTM_NEWADDR, 1, 5);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
	assert_int_equal(p->f->n, 200 - 64);
}

static void more_links_than_the_limit_are_counted_and_left_out(void **state)
{
	static uint8_t buf[60000];
	struct place *p = *state;
	uint32_t ifindex = 100;

	run(p, 1000);
	while (ifindex < 100 + HA_NET_LINKS_MAX) {
		struct writer w = writer_of(buf, sizeof(buf));

		for (int i = 0; i < 1024; i++)
			link_bytes(&w, RTM_NEWLINK, 0, AF_UNSPEC, ifindex++, 0);
		assert_false(w.bad);
		fake_push(p->f, buf, writer_len(&w), 0);
	}
	assert_int_equal(run(p, 1000), 0);
	assert_int_equal(stats(p).links, HA_NET_LINKS_MAX);
	assert_int_equal(stats(p).over_limit, 3);
}

/* In place of the monitor that set_up made. */
static void follow_more(struct place *p)
{
	struct ha_nl_transport t = fake_transport(p->f);
	struct ha_net_monitor_opts o = {
	    .size = sizeof(o), .transport = &t, .neighbours = true, .routes = true, .rules = true};

	ha_net_monitor_free(p->m);
	p->f->n_joined = 0;
	p->k.gateway = 5;
	assert_int_equal(ha_net_monitor_new(&o, &ops, p, &p->m), 0);
	assert_int_equal(p->f->n_joined, 8);
	assert_int_equal(run(p, 1000), 0);
	forget(p);
}

static void what_was_not_asked_for_is_not_told(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	push_route(p, RTM_NEWROUTE, 0, 0, 0, 5);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	push_rule(p, RTM_NEWRULE, 0, 0, 0);
	run(p, 1000);
	assert_int_equal(p->routes_added + p->neighbours_changed + p->rules_added, 0);
	assert_int_equal(stats(p).routes + stats(p).neighbours + stats(p).rules, 0);
}

static void a_neighbours_mac_is_followed(void **state)
{
	struct place *p = *state;

	follow_more(p);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	run(p, 0);
	assert_int_equal(p->neighbours_changed, 1);
	push_neighbour(p, RTM_NEWNEIGH, 8);
	run(p, 0);
	assert_int_equal(p->neighbours_changed, 2);
	push_neighbour(p, RTM_DELNEIGH, 8);
	run(p, 0);
	assert_int_equal(p->neighbours_removed, 1);
	/* Of a link that goes they go too, and one the dump does not know. */
	push_neighbour(p, RTM_NEWNEIGH, 7);
	link_event(p, RTM_DELLINK, 1, 0);
	run(p, 0);
	assert_int_equal(p->neighbours_removed, 2);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	run(p, 0);
	ha_net_monitor_resync(p->m);
	run(p, 1000);
	assert_int_equal(p->neighbours_removed, 3);
}

static void rules_are_followed_and_a_twin_is_not_lost(void **state)
{
	struct place *p = *state;

	follow_more(p);
	p->k.rules = 2;
	push_rule(p, RTM_NEWRULE, 0, 0, 0);
	push_rule(p, RTM_NEWRULE, 0, 0, 0);
	run(p, 0);
	assert_int_equal(p->rules_added, 1);
	assert_int_equal(stats(p).rules, 1);
	p->k.rules = 1;
	push_rule(p, RTM_DELRULE, 0, 0, 0);
	run(p, 0);
	assert_int_equal(p->rules_removed, 1);
	run(p, 1000); /* a later reading finds the other one */
	assert_int_equal(p->rules_added, 2);
	assert_int_equal(stats(p).rules, 1);
	p->k.rules = 0;
	push_rule(p, RTM_DELRULE, 0, 0, 0);
	run(p, 1000);
	assert_int_equal(p->rules_removed, 2);
	assert_int_equal(stats(p).rules, 0);
	assert_true(ha_net_monitor_is_synced(p->m));
}

static void what_a_replaced_route_leaves_is_made_up_for(void **state)
{
	struct place *p = *state;

	follow_more(p);
	assert_int_equal(stats(p).routes, 1);
	p->k.gateway = 6;
	push_route(p, RTM_NEWROUTE, NLM_F_REPLACE, 0, 0, 6);
	run(p, 0);
	assert_int_equal(p->routes_added, 1);
	assert_false(ha_net_monitor_is_synced(p->m));
	run(p, 1000);
	assert_int_equal(p->routes_removed, 1);
	assert_int_equal(p->last_ip.bytes[3], 5);
	assert_int_equal(stats(p).routes, 1);
	assert_true(ha_net_monitor_is_synced(p->m));
}

/* IPv4's routes go with their link or address without a word. */
static void routes_that_go_silently_are_missed(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 4; i++) {
		follow_more(p);
		p->k.gateway = 0;
		if (i == 0)
			link_event(p, RTM_NEWLINK, 1, 0);
		if (i == 1)
			address_event(p, RTM_DELADDR, 1, 1);
		if (i == 2)
			link_event(p, RTM_DELLINK, 2, 0);
		if (i == 3)
			push_route(p, RTM_DELROUTE, 0, 0, 0, 9); /* one that was not known */
		run(p, 1000);
		assert_int_equal(p->routes_removed, 1);
		assert_int_equal(stats(p).routes, 0);
	}
}

static void dispatch_inside_a_callback_is_refused(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	assert_int_equal(p->dispatch_inside, -EBUSY);
}

static int dispatch_inside_walk(void *userdata, const struct ha_net_link *l)
{
	struct place *p = userdata;

	(void)l;
	return ha_net_monitor_dispatch(p->m, p->now);
}

static int dispatch_inside_address_walk(void *userdata, const struct ha_net_address *a)
{
	struct place *p = userdata;

	(void)a;
	return ha_net_monitor_dispatch(p->m, p->now);
}

static void dispatch_inside_a_walk_of_the_view_is_refused(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	assert_int_equal(ha_net_monitor_links(p->m, dispatch_inside_walk, p), -EBUSY);
	assert_int_equal(ha_net_monitor_addresses(p->m, dispatch_inside_address_walk, p), -EBUSY);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
}

static void free_inside_a_callback_asserts(void **state)
{
	struct place *p = *state;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		close(STDERR_FILENO); /* the assertion is expected */
		signal(SIGABRT, SIG_DFL);
		p->free_inside = true;
		run(p, 1000);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_transport_that_cannot_join_is_refused_and_stays_the_callers(void **state)
{
	struct place *p = *state;
	struct ha_nl_transport_ops deaf = fake_ops;
	struct ha_nl_transport t = {.ops = &deaf, .userdata = p->f};
	struct ha_net_monitor_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_monitor *m;

	deaf.join = NULL;
	assert_int_equal(ha_net_monitor_new(&o, &ops, p, &m), -EOPNOTSUPP);
	assert_int_equal(ha_net_monitor_new(&o, NULL, p, &m), -EINVAL);
	assert_int_equal(p->f->n_closes, 0);
	ha_net_monitor_free(NULL);
}

static void getters_fill_up_to_the_callers_size(void **state)
{
	struct place *p = *state;
	struct ha_net_link l = {.size = offsetof(struct ha_net_link, flags), .flags = 77};
	struct ha_net_address a = {.size = sizeof(a)};
	struct ha_ip ip = {.family = AF_INET, .bytes = {10, 0, 0, 2}}, none = {0};

	run(p, 1000);
	assert_int_equal(ha_net_monitor_link(p->m, 2, &l), 0);
	assert_int_equal(l.ifindex, 2);
	assert_int_equal(l.flags, 77);
	assert_int_equal(ha_net_monitor_address(p->m, 2, &ip, &a), 0);
	assert_int_equal(a.prefix_len, 32);
	assert_int_equal(ha_net_monitor_address(p->m, 2, &none, &a), -EINVAL);
	assert_int_equal(ha_net_monitor_address(p->m, 7, &ip, &a), -EADDRNOTAVAIL);
}

static void any_allocation_may_fail_and_the_view_recovers(void **state)
{
	bool done = false;

	(void)state;
	for (long nth = 0; !done; nth++) {
		struct place *p = new_place();
		int r;

		assert_true(nth < 100);
		fail_in = nth;
		r = new_monitor(p);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(p->f->n_closes, 0);
		} else {
			r = run(p, 2000);
			address_event(p, RTM_NEWADDR, 1, 6);
			link_event(p, RTM_NEWLINK, 6, 0);
			r = run(p, 2000) | r;
			assert_true(ha_net_monitor_is_synced(p->m));
			the_view_is_the_kernels(p);
			assert_int_equal(p->came - p->went, 4);
			assert_int_equal(p->added - p->removed, 7);
		}
		done = fail_in >= 0;
		fail_in = -1;
		assert_int_equal(r, done ? 0 : -ENOMEM);
		free_place(p);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_start_tells_everything_once),
	    T(an_event_is_told_when_it_changes_something),
	    T(a_link_takes_its_addresses_along),
	    T(a_bridge_port_that_leaves_is_still_a_link),
	    T(lost_events_are_made_up_for),
	    T(a_datagram_that_was_too_long_is_a_lost_event),
	    T(an_interrupted_dump_removes_nothing_and_is_repeated),
	    T(events_lost_during_a_dump_begin_it_again),
	    T(what_goes_while_it_is_read_does_not_stay),
	    T(a_refused_dump_is_asked_again_later_and_later),
	    T(a_storm_does_not_take_the_pauses_away),
	    T(a_dump_without_answer_is_given_up),
	    T(answers_to_a_dump_given_up_are_not_believed),
	    T(nonsense_is_counted_and_changes_nothing),
	    T(one_dispatch_does_bounded_work),
	    T(more_links_than_the_limit_are_counted_and_left_out),
	    T(what_was_not_asked_for_is_not_told),
	    T(a_neighbours_mac_is_followed),
	    T(rules_are_followed_and_a_twin_is_not_lost),
	    T(what_a_replaced_route_leaves_is_made_up_for),
	    T(routes_that_go_silently_are_missed),
	    T(dispatch_inside_a_callback_is_refused),
	    T(dispatch_inside_a_walk_of_the_view_is_refused),
	    T(free_inside_a_callback_asserts),
	    T(a_transport_that_cannot_join_is_refused_and_stays_the_callers),
	    T(getters_fill_up_to_the_callers_size),
	    cmocka_unit_test(any_allocation_may_fail_and_the_view_recovers),
	};

	return cmocka_run_group_tests_name("libha/net/monitor", tests, NULL, NULL);
}
