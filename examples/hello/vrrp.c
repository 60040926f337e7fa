/* SPDX-License-Identifier: MIT */
/* A VRRP router: takes part in an election, prints what happens, tells the neighbours. Sets no address. */
#include <libha/vrrp_link.h>
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

static int on_send(struct ha_vrrp *v, const struct ha_ip *to, const void *ad, size_t len,
		   void *link)
{
	return ha_vrrp_link_send(link, v, to, ad, len);
}

static void on_announce(struct ha_vrrp *v, unsigned repeat, void *link)
{
	ha_vrrp_link_announce_all(link, v, repeat);
}

static void on_change(struct ha_vrrp *v, const struct ha_vrrp_change *c, void *link)
{
	(void)v, (void)link;
	printf("%s: %s\n", ha_vrrp_state_name(c->to), ha_vrrp_reason_name(c->reason));
}

int main(int argc, char **argv)
{
	struct ha_vrrp_ops ops = {.size = sizeof(ops), .send = on_send, .changed = on_change,
				  .announce = on_announce};
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo)};
	struct ha_vrrp_opts o = {.size = sizeof(o), .n_addresses = 1, .any_first_address = true};
	struct ha_vrrp_link *link;
	struct ha_vrrp *v;
	struct ha_ip vip;
	int r;

	if (argc < 4 || ha_ip_parse(argv[3], &vip) < 0)
		return fprintf(stderr, "usage: vrrp INTERFACE VRID ADDRESS [PRIORITY [CS]]\n"), 2;
	lo.ifindex = if_nametoindex(argv[1]);
	o.vrid = (uint8_t)atoi(argv[2]);
	o.family = lo.family = vip.family;
	o.addresses = &vip;
	o.priority = argc > 4 ? (uint8_t)atoi(argv[4]) : 0;
	o.advert_interval_cs = argc > 5 ? (uint16_t)atoi(argv[5]) : 0;
	r = ha_vrrp_link_source(lo.ifindex, o.family, &vip, 1, &o.source);
	if (!r && ha_vrrp_check(&o))
		return fprintf(stderr, "%s\n", ha_vrrp_check(&o)), 2;
	if (r < 0 || (r = ha_vrrp_link_new(&lo, &link)) < 0 ||
	    (r = ha_vrrp_new(&o, &ops, link, &v)) < 0)
		return fprintf(stderr, "%s: %s\n", argv[1], strerror(-r)), 1;
	setvbuf(stdout, NULL, _IOLBF, 0), signal(SIGINT, end), signal(SIGTERM, end);
	ha_vrrp_link_add(link, v);
	for (ha_vrrp_start(v, now()); !ended; ha_vrrp_link_dispatch(link, now())) {
		struct pollfd p = {.fd = ha_vrrp_link_fd(link), .events = POLLIN};
		uint64_t t = now(), due = ha_vrrp_link_deadline(link);
		uint64_t ms = due > t ? (due - t) / 1000000 + 1 : 0;

		poll(&p, 1, ms < 1000 ? (int)ms : 1000);
	}
	ha_vrrp_stop(v, now());
	ha_vrrp_link_free(link);
	ha_vrrp_free(v);
}
