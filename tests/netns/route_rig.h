/* SPDX-License-Identifier: MIT */
/*
 * Two links in a network namespace of its own, for tests of libha's routes, rules and neighbours against a real
 * kernel, with iproute2 as the judge: what the library adds must look to `ip` as what `ip` adds itself.
 */
#ifndef NETNS_ROUTE_RIG_H
#define NETNS_ROUTE_RIG_H

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libha/route.h>

#define LINK "net-a"
#define PEER "net-b"
#define TABLE 1000

/* So many routes or rules are one plan. */
#define MANY 5000

static inline int run(const char *command)
{
	int r = system(command);

	if (r)
		print_error("failed: %s\n", command);
	return r;
}

/* What a command prints; the caller frees it. */
static inline char *output(const char *command)
{
	FILE *f = popen(command, "r");
	char *text = calloc(1, 65536);

	assert_non_null(f);
	fread(text, 1, 65535, f);
	assert_int_equal(pclose(f), 0);
	return text;
}

static inline struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	assert_int_equal(ha_ip_parse(text, &a), 0);
	return a;
}

struct place {
	struct ha_net *n;
	uint32_t a, b; /* the links */
};

static inline int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_int_equal(run("ip link add " LINK " type veth peer name " PEER
			     " && ip link set " LINK " up && ip link set " PEER
			     " up && ip addr add 192.0.2.1/24 dev " LINK
			     " && ip addr add 198.51.100.1/24 dev " PEER
			     " && ip addr add 2001:db8:1::1/64 dev " LINK " nodad && "
			     "ip addr add 2001:db8:2::1/64 dev " PEER " nodad"),
			 0);
	p->a = if_nametoindex(LINK);
	p->b = if_nametoindex(PEER);
	assert_int_equal(ha_net_new(NULL, &p->n), 0);
	*state = p;
	return 0;
}

static inline int tear_down(void **state)
{
	struct place *p = *state;

	ha_net_free(p->n);
	free(p);
	return run("ip link del " LINK " 2>/dev/null || ! ip link show " LINK " 2>/dev/null");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* From here on in a namespace of this process's own, which ends with it; or the test is skipped. */
static inline void enter_a_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace needs root: %s\n", strerror(errno));
		exit(77);
	}
	if (system("ip link set lo up && ip link add net-t type veth peer name net-u && ip link "
		   "del net-t && ip rule add priority 499 table 9 && ip rule del priority 499")) {
		printf("skipped: iproute2, veth or policy rules are missing\n");
		exit(77);
	}
}

#endif
