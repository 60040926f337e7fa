/* SPDX-License-Identifier: MIT */
/*
 * Hears from nf_tables that somebody else changed our table: `nft flush ruleset` is mended at once, not at the next audit. The kernel
 * filters what we wrote ourselves before it fills the socket: a start of 40,000 servers makes as many messages.
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

#define DATAGRAMS_PER_TURN 256
#define DATAGRAM_MAX 65536
#define OWN_TABLE \
	1 /* in every message about a thing of a table this attribute is its table's name */
#define MEND_AFTER_NS UINT64_C(20000000) /* what belongs together comes together */
#define MEND_GAP_NS UINT64_C(1000000000) /* two who undo each other's work do so once a second */

struct nft_watch {
	struct ha_nl_transport socket;
	struct loop_source *timer;
	char table[OPTIONS_TABLE_SIZE];
	nft_changed_fn *changed;
	void *userdata;
	bool armed;
	uint64_t not_before_ns;
};

/* Whoever asked for a change stands in each message of it (nlmsg_pid): not those of `port`. */
static int ignore(int fd, uint32_t port)
{
	struct sock_filter program[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1), /* loads are big-endian */
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = {.len = sizeof(program) / sizeof(*program),
					  .filter = program};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -errno
											 : 0;
}

/* Whether a message is about our table. `at` points to `len` whole bytes of it. */
static bool names_our_table(const struct nft_watch *w, const uint8_t *at, size_t len)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	size_t name = strlen(w->table) + 1;
	struct nlmsghdr h;
	struct nlattr a;

	memcpy(&h, at, sizeof(h));
	if (h.nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || (h.nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
	    len < head + sizeof(a))
		return false;
	memcpy(&a, at + head, sizeof(a));
	return a.nla_type == OWN_TABLE && a.nla_len == NLA_HDRLEN + name &&
	       len >= head + a.nla_len && !memcmp(at + head + NLA_HDRLEN, w->table, name);
}

static bool is_about_us(const struct nft_watch *w, const uint8_t *buf, size_t n)
{
	struct nlmsghdr h;

	for (size_t at = 0; n - at >= sizeof(h); at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, buf + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n - at)
			return true; /* no sense: look */
		if (names_our_table(w, buf + at, h.nlmsg_len))
			return true;
		if (NLMSG_ALIGN(h.nlmsg_len) >= n - at)
			return false;
	}
	return false;
}

static void on_socket(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct nft_watch *w = userdata;
	uint8_t buf[DATAGRAM_MAX];
	bool touched = false;
	uint64_t at = loop_now_ns(l) + MEND_AFTER_NS;

	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = w->socket.ops->recv(w->socket.userdata, buf, sizeof(buf));

		if (n == -ENOBUFS || n == -EMSGSIZE)
			touched = true; /* what was lost may have been about us */
		else if (n < 0)
			break;
		else
			touched |= is_about_us(w, buf, (size_t)n);
	}
	if (!touched || w->armed)
		return;
	w->armed = true;
	loop_arm(w->timer, at > w->not_before_ns ? at : w->not_before_ns);
}

static void on_timer(struct loop *l, void *userdata)
{
	struct nft_watch *w = userdata;

	w->armed = false;
	w->changed(w->userdata);
	w->not_before_ns = loop_clock_ns() + MEND_GAP_NS;
}

int nft_watch_new(struct loop *l, uint32_t port, const char *table, nft_changed_fn *changed,
		  void *userdata)
{
	struct nft_watch *w = calloc(1, sizeof(*w));
	int r = w ? ha_nl_mnl_open(NETLINK_NETFILTER, NULL, &w->socket) : -ENOMEM;

	if (r < 0) {
		free(w);
		return r;
	}
	snprintf(w->table, sizeof(w->table), "%s", table);
	w->changed = changed;
	w->userdata = userdata;
	r = ignore(w->socket.ops->fd(w->socket.userdata), port);
	if (r >= 0)
		r = w->socket.ops->join(w->socket.userdata, NFNLGRP_NFTABLES);
	if (r >= 0)
		r = loop_add_timer(l, on_timer, w, &w->timer);
	if (r >= 0)
		r = loop_add_fd(l, w->socket.ops->fd(w->socket.userdata), EPOLLIN, on_socket, w,
				NULL);
	if (r < 0) {
		w->socket.ops->close(w->socket.userdata);
		free(w); /* a timer that the loop has is never armed */
	}
	return r;
}
