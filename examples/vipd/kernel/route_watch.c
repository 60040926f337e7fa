/* SPDX-License-Identifier: MIT */
/*
 * Hears from the kernel that somebody removed a route or rule that may be ours. It filters the rest before it fills the socket: a router
 * with the routes of the whole Internet removes many of others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <libha/net.h>

#include "kernel/kernel.h"
#include "kernel/patience.h"
#include "log.h"

#define DATAGRAMS_PER_TURN 256
#define DATAGRAM_MAX 8192
#define MEND_AFTER_NS UINT64_C(20000000) /* what belongs together comes together */
#define PROTOCOLS_MAX 8			 /* owners' marks of routes; of more all routes count */

struct route_watch {
	struct kernel *kernel;
	struct ha_nl_transport socket;
	struct loop_source *timer;
	uint8_t protocol[PROTOCOLS_MAX];
	size_t n;
	bool all, armed;
	uint64_t gap_ns, not_before_ns;
};

/* ---- Which ones ---- */

static void add_protocol(struct route_watch *w, uint8_t protocol)
{
	uint8_t mark = protocol ? protocol : HA_NET_PROTO_VIP;

	if (w->n && memchr(w->protocol, mark, w->n))
		return;
	if (w->n == PROTOCOLS_MAX)
		w->all = true;
	else
		w->protocol[w->n++] = mark;
}

/* False: there are neither routes nor rules. */
static bool collect(struct route_watch *w, const struct conf *c)
{
	bool any = false;

	for (const struct conf_instance *i = conf_holders(c); i; i = i->next) {
		any |= i->n_routes || i->n_rules;
		for (size_t n = 0; n < i->n_routes; n++)
			add_protocol(w, i->routes[n].route.protocol);
	}
	return any;
}

static struct sock_filter load(uint16_t size, uint32_t at)
{
	return (struct sock_filter)BPF_STMT((uint16_t)(BPF_LD | size | BPF_ABS), at);
}

/* To the next statement when it is so, else behind that. */
static struct sock_filter if_equal(uint32_t value)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
}

/* Rules are few: all that go. */
static int filter(const struct route_watch *w)
{
	static const struct sock_filter take = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), leave = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_filter program[7 + 2 * PROTOCOLS_MAX];
	struct sock_fprog f = {.filter = program};
	int fd = w->socket.ops->fd(w->socket.userdata);

	program[f.len++] = load(BPF_H, offsetof(struct nlmsghdr, nlmsg_type));
	program[f.len++] = if_equal(htons(RTM_DELRULE)); /* loads are big-endian */
	program[f.len++] = take;
	program[f.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 1, 0);
	program[f.len++] = leave;
	program[f.len++] = load(BPF_B, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol));
	for (size_t i = 0; i < w->n && !w->all; i++) {
		program[f.len++] = if_equal(w->protocol[i]);
		program[f.len++] = take;
	}
	program[f.len++] = w->all ? take : leave;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)) < 0 ? -errno : 0;
}

/* ---- Events ---- */

/* What is there is known by asking for it: what was lost does not matter. */
static void on_socket(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct route_watch *w = userdata;
	uint64_t at = loop_now_ns(l) + MEND_AFTER_NS;
	uint8_t buf[DATAGRAM_MAX];
	ssize_t n = 0;

	for (int i = 0; i < DATAGRAMS_PER_TURN && n != -EAGAIN; i++)
		n = w->socket.ops->recv(w->socket.userdata, buf, sizeof(buf));
	if (w->armed)
		return;
	w->armed = true;
	loop_arm(w->timer, at > w->not_before_ns ? at : w->not_before_ns);
}

/* Two who undo each other's work do so ever more seldom. What a change of a link or address took along comes back with that change. */
static void give_way(struct route_watch *w, uint64_t now_ns)
{
	const struct kernel *k = w->kernel;
	uint64_t before_ns = w->gap_ns;

	w->gap_ns = patience_next(w->gap_ns, k->undone, patience_is_calm(k->undone_ns, now_ns));
	w->not_before_ns = now_ns + w->gap_ns;
	if (k->undone && w->gap_ns != before_ns)
		log_warn("somebody removes %s again and again: from now on routes and rules that others remove come back after %" PRIu64 " s",
			 k->undone, w->gap_ns / PATIENCE_GAP_NS);
}

static void on_timer(struct loop *l, void *userdata)
{
	struct route_watch *w = userdata;

	w->armed = false;
	w->kernel->undone = NULL;
	addresses_settle(w->kernel);
	give_way(w, loop_clock_ns());
}

static int open_watch(struct route_watch *w)
{
	static const unsigned groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE};
	struct loop *l = w->kernel->loop;
	int r = filter(w);

	for (size_t i = 0; r >= 0 && i < sizeof(groups) / sizeof(*groups); i++)
		r = w->socket.ops->join(w->socket.userdata, groups[i]);
	if (r >= 0)
		r = loop_add_timer(l, on_timer, w, &w->timer);
	if (r >= 0)
		r = loop_add_fd(l, w->socket.ops->fd(w->socket.userdata), EPOLLIN, on_socket, w, NULL);
	return r;
}

int routes_watch(struct kernel *k)
{
	struct route_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->kernel = k;
	w->gap_ns = PATIENCE_GAP_NS;
	if (!collect(w, k->conf) || !k->birth->options->vrrp) {
		free(w);
		return 0;
	}
	r = ha_nl_mnl_open(NETLINK_ROUTE, NULL, &w->socket);
	if (r >= 0) {
		r = open_watch(w);
		if (r < 0)
			w->socket.ops->close(w->socket.userdata);
	}
	if (r < 0) {
		log_warn("the kernel does not tell which routes and rules others remove: they are added again once a minute (%s)", strerror(-r));
		free(w); /* a timer that the loop has is never armed */
	}
	return 0;
}
