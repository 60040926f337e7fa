/* SPDX-License-Identifier: MIT */
/*
 * An address that the kernel refuses to remove stays where another node may have it, too, so it is asked again: EBUSY and EPERM pass, as
 * a want of memory does. Those of instances are in kernel.held; here are those of a configuration before.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/kernel.h"
#include "log.h"

#define AGAIN_NS UINT64_C(1000000000)

struct again {
	struct loop_source *timer;
	struct ha_net_address *old;
	size_t n;
};

static void on_again(struct loop *l, void *userdata)
{
	struct kernel *k = userdata;
	bool instances = addresses_give_up_again(k), old = again_old_gone(k);

	if (!instances || !old)
		again_soon(k);
}

int again_new(struct kernel *k)
{
	k->again = calloc(1, sizeof(*k->again));
	return k->again ? loop_add_timer(k->loop, on_again, k, &k->again->timer) : -ENOMEM;
}

void again_soon(struct kernel *k)
{
	loop_arm(k->again->timer, loop_clock_ns() + AGAIN_NS);
}

void again_old(struct kernel *k, const struct ha_net_address *a)
{
	struct again *g = k->again;
	struct ha_net_address *more = realloc(g->old, (g->n + 1) * sizeof(*more));

	if (!more) {
		log_err("an address of the configuration before stays on this host: out of memory");
		return;
	}
	g->old = more;
	g->old[g->n++] = *a;
	again_soon(k);
}

bool again_old_gone(struct kernel *k)
{
	struct again *g = k->again;
	size_t left = 0;

	for (size_t i = 0; i < g->n; i++) {
		int status = 0;

		if (ha_net_address_remove(k->net, &g->old[i], 1, &status) < 0)
			g->old[left++] = g->old[i];
	}
	if (g->n && !left)
		log_notice("the addresses of the configuration before have left this host after all");
	g->n = left;
	return !left;
}

void again_old_leave(struct kernel *k)
{
	const struct again *g = k->again;
	char ip[HA_IP_TEXT_SIZE];

	again_old_gone(k);
	for (size_t i = 0; i < g->n; i++) {
		*ip = '\0';
		ha_ip_format(&g->old[i].ip, ip, sizeof(ip));
		log_err("%s/%u of an earlier configuration stays on this host: remove it by hand (ip address), or another node has it, too", ip, g->old[i].prefix_len);
	}
}
