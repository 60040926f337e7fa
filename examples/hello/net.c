/* SPDX-License-Identifier: MIT */
/* Prints the links and addresses of this machine, then what changes. --once: stops before the latter. */
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libha/net.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void link_changed(void *userdata, const struct ha_net_link *l,
			 const struct ha_net_link *before)
{
	(void)userdata;
	printf("%s link %u %s: %s, mtu %u\n", before ? "=" : "+", l->ifindex, l->name,
	       l->flags & IFF_RUNNING ? "running" : "not running", l->mtu);
}

static void link_removed(void *userdata, const struct ha_net_link *l)
{
	(void)userdata;
	printf("- link %u %s\n", l->ifindex, l->name);
}

static void print_address(const char *sign, const struct ha_net_address *a)
{
	char text[HA_IP_TEXT_SIZE];

	if (ha_ip_format(&a->ip, text, sizeof(text)) > 0)
		printf("%s address %s/%u on link %u%s\n", sign, text, a->prefix_len, a->ifindex,
		       ha_net_address_is_marked(a, HA_NET_PROTO_VIP, NULL) ? ", a VIP" : "");
}

static void address_added(void *userdata, const struct ha_net_address *a)
{
	(void)userdata;
	print_address("+", a);
}

static void address_removed(void *userdata, const struct ha_net_address *a)
{
	(void)userdata;
	print_address("-", a);
}

int main(int argc, char **argv)
{
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops),
					       .link_changed = link_changed,
					       .link_removed = link_removed,
					       .address_added = address_added,
					       .address_removed = address_removed};
	int once = argc > 1 && !strcmp(argv[1], "--once"), timeout, r;
	struct ha_net_monitor *m = NULL;

	r = ha_net_monitor_new(NULL, &ops, NULL, &m);
	while (!r && !(once && ha_net_monitor_is_synced(m))) {
		struct pollfd p = {.fd = ha_net_monitor_fd(m), .events = POLLIN};
		uint64_t deadline = ha_net_monitor_deadline(m), now = now_ns();

		timeout = deadline == UINT64_MAX ? -1
			  : deadline <= now	 ? 0
						 : (int)((deadline - now) / 1000000 + 1);
		poll(&p, 1, timeout);
		r = ha_net_monitor_dispatch(m, now_ns());
	}
	if (r)
		fprintf(stderr, "hello_net: netlink: %s\n", strerror(-r));
	ha_net_monitor_free(m);
	return r ? 1 : 0;
}
