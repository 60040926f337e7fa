/* SPDX-License-Identifier: MIT */
/* A BFD session with one neighbour: prints what becomes of it. Says goodbye when ended. */
#include <libha/bfd_link.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t ended;

static void end(int sig)
{
	ended = sig;
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int on_send(struct ha_bfd *s, const void *pkt, size_t len, void *link)
{
	return ha_bfd_link_send(link, s, pkt, len);
}

static void on_change(struct ha_bfd *s, const struct ha_bfd_change *c, void *link)
{
	(void)s, (void)link;
	printf("%s: %s\n", ha_bfd_state_name(c->to), ha_bfd_reason_name(c->reason));
}

int main(int argc, char **argv)
{
	struct ha_bfd_ops ops = {sizeof(ops), on_send, on_change, NULL, NULL};
	struct ha_bfd_link_opts lo = {.size = sizeof(lo)};
	struct ha_bfd_opts o = {.size = sizeof(o)};
	struct ha_bfd_link *link;
	struct ha_bfd *s;
	int r;

	if (argc < 3 || ha_ip_parse(argv[2], &o.peer) < 0)
		return fprintf(stderr, "usage: bfd INTERFACE|- NEIGHBOUR [MS [MULT]]\n"), 2;
	o.multihop = lo.multihop = !strcmp(argv[1], "-"); /* any interface: several hops */
	lo.ifindex = if_nametoindex(argv[1]);
	o.family = lo.family = o.peer.family;
	o.desired_min_tx_us = argc > 3 ? (uint32_t)atoi(argv[3]) * 1000 : 0;
	o.required_min_rx_us = o.desired_min_tx_us;
	o.detect_mult = argc > 4 ? (uint8_t)atoi(argv[4]) : 0;
	r = ha_bfd_link_new(&lo, &link);
	if (!r)
		r = ha_bfd_link_draw(link, &o);
	if (!r && ha_bfd_check(&o))
		return fprintf(stderr, "%s\n", ha_bfd_check(&o)), 2;
	if (r < 0 || (r = ha_bfd_new(&o, &ops, link, &s)) < 0 || (r = ha_bfd_link_add(link, s)) < 0)
		return fprintf(stderr, "%s: %s\n", argv[1], strerror(-r)), 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, end), signal(SIGTERM, end);
	for (ha_bfd_start(s, now()); !ended; ha_bfd_link_dispatch(link, now())) {
		struct pollfd p = {.fd = ha_bfd_link_fd(link), .events = POLLIN};
		uint64_t t = now(), due = ha_bfd_link_deadline(link);
		uint64_t ms = due > t ? (due - t) / 1000000 + 1 : 0;

		poll(&p, 1, ms < 1000 ? (int)ms : 1000);
	}
	ha_bfd_stop(s, now());
	ha_bfd_link_free(link);
	ha_bfd_free(s);
}
