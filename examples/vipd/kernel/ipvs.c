/* SPDX-License-Identifier: MIT */
/*
 * net_namespace_ipvs: IPVS of another network namespace than the one of addresses and checks. To go there needs more
 * than this process keeps, so its sockets are made first thing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libha/ipvs.h>

#include "kernel/kernel.h"
#include "log.h"
#include "netlink_buffer.h"

/* Of the namespace of this name; "": the first one, where init runs. */
static int open_namespace(const char *name)
{
	char path[PATH_MAX];

	if (*name)
		snprintf(path, sizeof(path), "/run/netns/%s", name);
	else
		snprintf(path, sizeof(path), "/proc/1/ns/net");
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int make_sockets(struct kernel *k)
{
	int r = 0;

	while (r >= 0 && k->n_ipvs < KERNEL_IPVS_SOCKETS) {
		r = ha_nl_mnl_open(NETLINK_GENERIC, NULL, &k->ipvs[k->n_ipvs]);
		if (r >= 0 && k->conf->globals.lvs_command.bytes)
			netlink_set_buffer(k->ipvs[k->n_ipvs].ops->fd(k->ipvs[k->n_ipvs].userdata),
					   &k->conf->globals.lvs_command, "lvs_netlink_cmd");
		k->n_ipvs += r >= 0;
	}
	return r;
}

/* Goes there and comes back. 0, or -errno: it is in the wrong place. */
static int make_sockets_in(struct kernel *k, int there, int home)
{
	if (setns(there, CLONE_NEWNET) < 0) {
		k->no_ipvs = -errno;
		return 0;
	}
	k->no_ipvs = make_sockets(k);
	return setns(home, CLONE_NEWNET) < 0 ? -errno : 0;
}

int ipvs_prepare(struct kernel *k)
{
	const char *name = k->birth->options->ipvs_name_space;
	int home, there, r = 0;

	if (!name)
		return 0;
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open_namespace(name);
	if (home < 0 || there < 0)
		k->no_ipvs = -errno;
	else
		r = make_sockets_in(k, there, home);
	if (k->no_ipvs < 0)
		log_err("net_namespace_ipvs %s: virtual servers are not served: %s. Make it with "
			"ip netns add, and let vipd have CAP_SYS_ADMIN",
			name, strerror(-k->no_ipvs));
	if (home >= 0)
		close(home);
	if (there >= 0)
		close(there);
	return r;
}

int ipvs_open(struct kernel *k, struct ha_ipvs **ret)
{
	struct ha_ipvs_opts o = {.size = sizeof(o)};
	struct ha_nl_transport t;
	int r;

	if (!k->birth->options->ipvs_name_space) {
		r = netlink_open(&k->conf->globals.lvs_command, NETLINK_GENERIC, "lvs_netlink_cmd",
				 &t, &o.transport);
		return r < 0 ? r : ha_ipvs_open(&o, ret);
	}
	if (k->no_ipvs < 0 || !k->n_ipvs)
		return k->no_ipvs < 0 ? k->no_ipvs : -ENOENT;
	o.transport = &k->ipvs[--k->n_ipvs];
	return ha_ipvs_open(&o, ret);
}
