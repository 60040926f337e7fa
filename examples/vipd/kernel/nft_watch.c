/* SPDX-License-Identifier: MIT */
/*
 * Hears from nf_tables that somebody else changed one of our tables: `nft flush ruleset` is mended at once, not at the next audit. The
 * kernel filters what we wrote ourselves before it fills the socket: a start of 40,000 servers makes as many messages.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "kernel/kernel.h"
#include "log.h"

#define DATAGRAMS_PER_TURN 256
#define DATAGRAM_MAX 65536
#define OWN_TABLE \
	1 /* in every message about a thing of a table this attribute is its table's name */
#define MEND_AFTER_NS UINT64_C(20000000) /* what belongs together comes together */
#define MEND_GAP_NS UINT64_C(1000000000) /* two who undo each other's work do so once a second */

#define TABLES_MAX 3 /* of services, marks and no_accept */

struct table {
	char name[OPTIONS_TABLE_SIZE];
	uint32_t port; /* of the socket that we change it with */
	nft_changed_fn *changed;
	void *userdata;
	bool touched;
};

struct nft_watch {
	struct ha_nl_transport socket;
	struct loop_source *timer;
	struct table tables[TABLES_MAX];
	size_t n;
	bool armed;
	uint64_t not_before_ns;
};

/* Whoever asked for a change stands in each message of it (nlmsg_pid): not one of our own sockets. */
static int ignore_own(const struct nft_watch *w)
{
	struct sock_filter program[1 + 2 * TABLES_MAX + 1] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid))};
	struct sock_fprog filter = {.len = 1, .filter = program};
	int fd = w->socket.ops->fd(w->socket.userdata);

	for (size_t i = 0; i < w->n; i++) {
		program[filter.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								     htonl(w->tables[i].port), 0,
								     1); /* loads are big-endian */
		program[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	}
	program[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -errno
											 : 0;
}

/* Whether a message is about this table. `at` points to `len` whole bytes of it. */
static bool names(const struct table *t, const uint8_t *at, size_t len)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	size_t name = strlen(t->name) + 1;
	struct nlmsghdr h;
	struct nlattr a;

	memcpy(&h, at, sizeof(h));
	if (h.nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || (h.nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
	    len < head + sizeof(a))
		return false;
	memcpy(&a, at + head, sizeof(a));
	return a.nla_type == OWN_TABLE && a.nla_len == NLA_HDRLEN + name &&
	       len >= head + a.nla_len && !memcmp(at + head + NLA_HDRLEN, t->name, name);
}

static bool is_about(const struct table *t, const uint8_t *buf, size_t n)
{
	struct nlmsghdr h;

	for (size_t at = 0; n - at >= sizeof(h); at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, buf + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n - at)
			return true; /* no sense: look */
		if (names(t, buf + at, h.nlmsg_len))
			return true;
		if (NLMSG_ALIGN(h.nlmsg_len) >= n - at)
			return false;
	}
	return false;
}

static bool is_touched(const struct nft_watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->tables[i].touched)
			return true;
	return false;
}

static void on_socket(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct nft_watch *w = userdata;
	uint8_t buf[DATAGRAM_MAX];
	uint64_t at = loop_now_ns(l) + MEND_AFTER_NS;

	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = w->socket.ops->recv(w->socket.userdata, buf, sizeof(buf));
		bool lost = n == -ENOBUFS || n == -EMSGSIZE; /* that may have been about us */

		if (n < 0 && !lost)
			break;
		for (struct table *t = w->tables; t < w->tables + w->n; t++)
			t->touched |= lost || is_about(t, buf, (size_t)n);
	}
	if (w->armed || !is_touched(w))
		return;
	w->armed = true;
	loop_arm(w->timer, at > w->not_before_ns ? at : w->not_before_ns);
}

static void on_timer(struct loop *l, void *userdata)
{
	struct nft_watch *w = userdata;

	w->armed = false;
	for (struct table *t = w->tables; t < w->tables + w->n; t++) {
		if (t->touched)
			t->changed(t->userdata);
		t->touched = false;
	}
	w->not_before_ns = loop_clock_ns() + MEND_GAP_NS;
}

static int watch_new(struct loop *l, struct nft_watch **ret)
{
	struct nft_watch *w = calloc(1, sizeof(*w));
	int r = w ? ha_nl_mnl_open(NETLINK_NETFILTER, NULL, &w->socket) : -ENOMEM;

	if (r < 0) {
		free(w);
		return r;
	}
	r = w->socket.ops->join(w->socket.userdata, NFNLGRP_NFTABLES);
	if (r >= 0)
		r = loop_add_timer(l, on_timer, w, &w->timer);
	if (r >= 0)
		r = loop_add_fd(l, w->socket.ops->fd(w->socket.userdata), EPOLLIN, on_socket, w,
				NULL);
	if (r < 0) {
		w->socket.ops->close(w->socket.userdata);
		free(w); /* a timer that the loop has is never armed */
		return r;
	}
	*ret = w;
	return 0;
}

static void watch(struct kernel *k, uint32_t port, const char *table, nft_changed_fn *changed,
		  void *userdata)
{
	int r = k->nft_watch ? 0 : watch_new(k->loop, &k->nft_watch);
	struct nft_watch *w = k->nft_watch;
	struct table *t;

	if (r >= 0) {
		t = &w->tables[w->n++];
		*t = (struct table){.port = port, .changed = changed, .userdata = userdata};
		snprintf(t->name, sizeof(t->name), "%s", table);
		r = ignore_own(w);
	}
	if (r < 0)
		log_warn(
		    "nftables does not tell of changes to %s: they are found once a minute (%s)",
		    table, strerror(-r));
}

int nft_open_watched(struct kernel *k, const char *table, nft_open_fn *open,
		     nft_changed_fn *changed, void *userdata)
{
	struct ha_nl_transport socket;
	int r = ha_nl_mnl_open(NETLINK_NETFILTER, NULL, &socket);

	if (r < 0)
		return r;
	r = open(&socket, userdata);
	if (r < 0)
		socket.ops->close(socket.userdata);
	else
		watch(k, socket.ops->port(socket.userdata), table, changed, userdata);
	return r;
}
