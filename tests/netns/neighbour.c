/* SPDX-License-Identifier: MIT */
/* Neighbours: the entries of ARP and ND. */
#include "route_rig.h"

#include <linux/neighbour.h>

struct kept_neighbour {
	struct ha_net_neighbour a, want;
	size_t n;
};

static int keep_neighbour(void *userdata, const struct ha_net_neighbour *a)
{
	struct kept_neighbour *k = userdata;

	if (ha_ip_compare(&a->ip, &k->want.ip))
		return 0;
	k->a = *a;
	k->n++;
	return 0;
}

static struct kept_neighbour known(struct place *p, const struct ha_net_neighbour *want)
{
	struct kept_neighbour k = {.want = *want};

	assert_int_equal(
	    ha_net_neighbour_list(p->n, want->ifindex, want->ip.family, keep_neighbour, &k), 0);
	return k;
}

static void neighbours_look_as_those_of_iproute2(void **state)
{
	static const char *const texts[] = {"192.0.2.9", "2001:db8:1::9"};
	struct place *p = *state;

	for (int i = 0; i < 2; i++) {
		struct ha_net_neighbour a = {
		    .size = sizeof(a), .ifindex = p->a, .ip = ip(texts[i])};
		char command[256], show[128], *theirs, *ours;
		struct kept_neighbour k;
		int status = 77;

		a.mac_len = 6;
		memcpy(a.mac, "\2\0\0\0\0\7", 6);
		snprintf(show, sizeof(show), "ip -N -d neigh show %s", texts[i]);
		snprintf(command, sizeof(command),
			 "ip neigh add %s lladdr 02:00:00:00:00:07 dev " LINK " protocol 112",
			 texts[i]);
		assert_int_equal(run(command), 0);
		theirs = output(show);
		assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, &status), 0);
		assert_int_equal(status, HA_NET_ALREADY);
		assert_int_equal(ha_net_neighbour_remove(p->n, &a, 1, &status), 0);
		assert_int_equal(status, 0);
		assert_int_equal(ha_net_neighbour_remove(p->n, &a, 1, &status), 0);
		assert_int_equal(status, HA_NET_ALREADY);
		assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, &status), 0);
		assert_int_equal(status, 0);
		ours = output(show);
		assert_string_equal(ours, theirs);
		a.mac[5] = 8;
		assert_int_equal(ha_net_neighbour_set(p->n, &a, 1, &status), 0);
		k = known(p, &a);
		assert_int_equal(k.n, 1);
		assert_memory_equal(k.a.mac, a.mac, 6);
		assert_true(ha_net_neighbour_is_valid(&k.a));
		free(ours);
		free(theirs);
	}
}

static void the_kernel_asks_for_a_mac(void **state)
{
	struct place *p = *state;
	struct ha_net_neighbour a = {
	    .size = sizeof(a), .ifindex = p->a, .ip = ip("192.0.2.77"), .flags = NTF_USE};
	struct kept_neighbour k;

	assert_int_equal(known(p, &a).n, 0);
	assert_int_equal(ha_net_neighbour_set(p->n, &a, 1, NULL), 0);
	k = known(p, &a);
	assert_int_equal(k.n, 1);
	assert_int_equal(k.a.state, NUD_INCOMPLETE);
	assert_false(ha_net_neighbour_is_valid(&k.a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(neighbours_look_as_those_of_iproute2),
	    T(the_kernel_asks_for_a_mac),
	};

	enter_a_namespace();
	return cmocka_run_group_tests_name("netns/neighbour", tests, NULL, NULL);
}
