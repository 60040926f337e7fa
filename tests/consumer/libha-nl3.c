/* SPDX-License-Identifier: MIT */
/* A stranger's program, C11 and C++17 alike: libha over a socket that libnl made. */
#include <libha/net.h>
#include <libha/nl3.h>

#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#undef NDEBUG
#include <assert.h>

static int find_loopback(void *userdata, const struct ha_net_link *l)
{
	*(int *)userdata += !strcmp(l->name, "lo");
	return 0;
}

int main(void)
{
	struct nl_sock *sk = nl_socket_alloc();
	struct ha_nl_transport t;
	struct ha_net_opts o;
	struct ha_net *n;
	int found = 0;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.transport = &t;
	assert(sk && nl_connect(sk, NETLINK_ROUTE) == 0);
	assert(ha_nl3_transport(sk, &t) == 0);
	assert(ha_net_new(&o, &n) == 0);
	assert(ha_net_link_list(n, find_loopback, &found) == 0 && found == 1);
	ha_net_free(n);
	nl_socket_free(sk);
	return 0;
}
