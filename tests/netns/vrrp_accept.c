/* SPDX-License-Identifier: MIT */
/* Accept_Mode false: what an Active takes that does not accept packets to its addresses. */
#include "vmac_rig.h"

#include <libha/vrrp_accept.h>

static struct ha_vrrp_accept *accept_mode;
static struct ha_net_link four, six;

static struct ha_vrrp_refused refused(const char *text, uint32_t ifindex)
{
	return (struct ha_vrrp_refused){.ip = ip(text), .ifindex = ifindex};
}

/* Both families are Active, the neighbours known. */
static int make_active(void **state)
{
	struct ha_vrrp_vmac_opts o;

	make_wire(state);
	assert_int_equal(ha_vrrp_accept_open(NULL, &accept_mode), 0);
	o = vmac_opts(AF_INET, 51);
	four = ensure(&o);
	o = vmac_opts(AF_INET6, 52);
	six = ensure(&o);
	become_active(four.ifindex, "10.9.0.100", 32);
	become_active(six.ifindex, "fe80::100", 64);
	become_active(six.ifindex, "2001:db8::100", 64);
	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	run("ip -6 neigh replace fe80::9 lladdr 02:00:00:00:00:99 dev vrrp.52");
	run("ip -6 neigh replace 2001:db8::9 lladdr 02:00:00:00:00:99 dev vrrp.52");
	return 0;
}

static int end_active(void **state)
{
	ha_vrrp_accept_set(accept_mode, NULL, 0);
	ha_vrrp_accept_close(accept_mode);
	run("nft delete table inet hawser-vrrp 2>/dev/null || true");
	return cut_wire(state);
}

static bool answers4(const char *address)
{
	const struct ha_ip target = ip(address);
	struct frame f;

	forget();
	put_ping(four.mac, &target);
	return see(wire_fd, QUIET_MS, is_icmp, &echo_reply, &f);
}

static bool answers6(const char *source, const char *address)
{
	const struct ha_ip from = ip(source), target = ip(address);
	struct frame f;

	forget();
	put_ping6(six.mac, &from, &target);
	return see(wire_fd, QUIET_MS, is_icmp6, &echo_reply6, &f);
}

static void R67_packets_to_a_refused_address_are_dropped(void **state)
{
	const struct ha_vrrp_refused all[] = {refused("10.9.0.100", 0), refused("2001:db8::100", 0),
					      refused("fe80::100", six.ifindex)};

	assert_true(answers4("10.9.0.100")); /* R66 */
	assert_true(answers6("fe80::9", "fe80::100"));
	assert_true(answers6("2001:db8::9", "2001:db8::100"));
	assert_int_equal(ha_vrrp_accept_set(accept_mode, all, 3), 0);
	assert_false(answers4("10.9.0.100"));
	assert_false(answers6("fe80::9", "fe80::100"));
	assert_false(answers6("2001:db8::9", "2001:db8::100"));
	assert_true(answers4("10.9.0.1")); /* the host's own */
}

static void R68_neighbour_discovery_and_arp_are_not_dropped(void **state)
{
	const struct ha_vrrp_refused all[] = {refused("10.9.0.100", 0),
					      refused("fe80::100", six.ifindex)};
	const struct ha_ip address4 = ip("10.9.0.100"), address6 = ip("fe80::100"),
			   client = ip("fe80::9");
	uint8_t ns[32] = {135, [24] = 1, [25] = 1}, na[32] = {136, [4] = 0x60, [24] = 2, [25] = 1};
	struct frame f;

	assert_true(answers6("fe80::9", "fe80::100"));
	assert_int_equal(ha_vrrp_accept_set(accept_mode, all, 2), 0);
	forget();
	put_arp_request(everybody, &address4);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address4.bytes, &f));
	put_ns(&client, &address6);
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp6, &advertisement, &f));
	/* To the address itself, as a neighbour does that checks an entry. */
	memcpy(ns + 8, address6.bytes, 16);
	memcpy(ns + 26, client_mac, 6);
	put_icmp6(six.mac, &client, &address6, ns, sizeof(ns));
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp6, &advertisement, &f));
	/* An advertisement to the address changes what the host knows. */
	run("ip -6 neigh replace fe80::9 lladdr 02:00:00:00:00:99 nud stale dev vrrp.52");
	memcpy(na + 8, client.bytes, 16);
	memcpy(na + 26, (const uint8_t[]){2, 0, 0, 0, 0, 0x55}, 6);
	put_icmp6(six.mac, &client, &address6, na, sizeof(na));
	usleep(QUIET_MS * 1000);
	run("ip -6 neigh show fe80::9 dev vrrp.52 | grep -q 02:00:00:00:00:55");
}

/* R85: not accepted, and not passed on to anybody either, though this host is a router. */
static bool is_to(const struct frame *f, const void *address)
{
	return type_of(f) == 0x0800 && !memcmp(f->b + 30, address, 4);
}

static void R85_packets_to_the_address_are_not_forwarded(void **state)
{
	const struct ha_vrrp_refused all[] = {refused("10.9.0.100", 0)};
	const struct ha_ip address = ip("10.9.0.100");
	struct frame f;

	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	assert_int_equal(ha_vrrp_accept_set(accept_mode, all, 1), 0);
	forget();
	put_ping(four.mac, &address);
	put_ping(own_mac, &address);
	assert_false(see(wire_fd, QUIET_MS, is_to, address.bytes, &f));
	assert_false(see(beyond_fd, QUIET_MS, is_to, address.bytes, &f));
}

/* One link-local address may be another router's on another link. */
static void a_link_local_address_is_refused_where_it_is(void **state)
{
	const struct ha_vrrp_refused elsewhere[] = {
	    refused("fe80::100", if_nametoindex(ELSEWHERE))};

	assert_int_equal(ha_vrrp_accept_set(accept_mode, elsewhere, 1), 0);
	assert_true(answers6("fe80::9", "fe80::100"));
}

static void a_new_list_replaces_the_old_one_and_none_removes_the_table(void **state)
{
	const struct ha_vrrp_refused one[] = {refused("10.9.0.100", 0), refused("10.9.0.100", 7)},
				     other[] = {refused("10.9.0.101", 0)};

	assert_int_equal(ha_vrrp_accept_set(accept_mode, one, 2), 0); /* twice the same: once */
	assert_int_equal(ha_vrrp_accept_set(accept_mode, one, 2), 0);
	assert_false(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_set(accept_mode, other, 1), 0);
	assert_true(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_set(accept_mode, NULL, 0), 0);
	run("! nft list table inet hawser-vrrp 2>/dev/null");
	assert_int_equal(ha_vrrp_accept_set(accept_mode, NULL, 0), 0);
}

/* A process was killed: its successor takes the table over. */
static void a_predecessors_table_is_adopted(void **state)
{
	const struct ha_vrrp_refused one[] = {refused("10.9.0.100", 0)};
	struct ha_vrrp_accept *successor;

	assert_int_equal(ha_vrrp_accept_set(accept_mode, one, 1), 0);
	run("nft flush chain inet hawser-vrrp input");
	assert_true(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_open(NULL, &successor), 0);
	assert_int_equal(ha_vrrp_accept_set(successor, one, 1), 0);
	assert_false(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_set(successor, NULL, 0), 0);
	assert_true(answers4("10.9.0.100"));
	ha_vrrp_accept_close(successor);
}

/* What it counts goes on while nothing changes, whoever changes other tables; what somebody changes in it is put right. */
static void a_table_as_wanted_is_left_alone(void **state)
{
	const struct ha_vrrp_accept_opts counting = {
	    .size = sizeof(counting), .table = "counting", .counters = true};
	const struct ha_vrrp_refused both[] = {refused("10.9.0.100", 0),
					       refused("fe80::100", if_nametoindex(ELSEWHERE))};
	struct ha_vrrp_accept *a;

	assert_int_equal(ha_vrrp_accept_open(&counting, &a), 0);
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	assert_false(answers4("10.9.0.100"));
#define COUNTED \
	"nft list table inet counting | grep -Eq 'counter packets [1-9][0-9]* bytes [0-9]+ drop'"
	run(COUNTED);
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	run(COUNTED);
	run("nft add table inet other && nft delete table inet other");
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	run(COUNTED);
	ha_vrrp_accept_close(a); /* a successor */
	assert_int_equal(ha_vrrp_accept_open(&counting, &a), 0);
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	run(COUNTED);
	run("nft delete element inet counting ipv4 '{ 10.9.0.100 }'");
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	run("! " COUNTED);
	assert_false(answers4("10.9.0.100"));
	run("nft insert rule inet counting input ip daddr 10.9.0.100 accept");
	assert_true(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	assert_false(answers4("10.9.0.100"));
	run("nft chain inet counting input '{ policy drop; }'");
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	run("nft list table inet counting | grep -q 'policy accept'");
	run("nft add table inet counting '{ flags dormant; }'");
	assert_true(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_set(a, both, 2), 0);
	assert_false(answers4("10.9.0.100"));
	assert_int_equal(ha_vrrp_accept_set(a, both, 1), 0);
	run("! nft list table inet counting | grep -q fe80::100");
	assert_int_equal(ha_vrrp_accept_set(a, NULL, 0), 0);
	ha_vrrp_accept_close(a);
#undef COUNTED
}

static void a_strangers_table_is_refused_and_left_alone(void **state)
{
	const struct ha_vrrp_refused one[] = {refused("10.9.0.100", 0)};

	run("nft add table inet hawser-vrrp");
	assert_int_equal(ha_vrrp_accept_set(accept_mode, one, 1), -EEXIST);
	assert_int_equal(ha_vrrp_accept_set(accept_mode, NULL, 0), 0);
	run("nft list table inet hawser-vrrp >/dev/null");
	assert_true(answers4("10.9.0.100"));
}

static void a_thousand_addresses_are_one_transaction(void **state)
{
	struct ha_vrrp_refused all[2000];

	for (size_t i = 0; i < 2000; i++) {
		all[i] = refused(i < 1000 ? "10.200.0.0" : "2001:db8:9::", 0);
		all[i].ip.bytes[i < 1000 ? 2 : 14] = (uint8_t)(i % 1000 >> 8);
		all[i].ip.bytes[i < 1000 ? 3 : 15] = (uint8_t)(i % 1000);
	}
	assert_int_equal(ha_vrrp_accept_set(accept_mode, all, 2000), 0);
	run("test $(nft list set inet hawser-vrrp ipv4 | grep -o '10\\.200\\.' | wc -l) = 1000");
	run("test $(nft list set inet hawser-vrrp ipv6 | grep -o '2001:db8:9:' | wc -l) = 1000");
}

static void wrong_addresses_are_refused(void **state)
{
	const struct ha_vrrp_refused none[1] = {{.ifindex = 1}},
				     nowhere[] = {refused("fe80::100", 0)};
	const struct ha_vrrp_accept_opts wrong = {.size = sizeof(wrong), .table = "a table"};
	struct ha_vrrp_accept *never = NULL;

	assert_int_equal(ha_vrrp_accept_set(accept_mode, none, 1), -EINVAL);
	assert_int_equal(ha_vrrp_accept_set(accept_mode, nowhere, 1), -EINVAL);
	assert_int_equal(ha_vrrp_accept_set(accept_mode, NULL, 1), -EINVAL);
	assert_int_equal(ha_vrrp_accept_set(accept_mode, none, HA_VRRP_ACCEPT_MAX + 1), -E2BIG);
	assert_int_equal(ha_vrrp_accept_set(NULL, none, 1), -EINVAL);
	assert_int_equal(ha_vrrp_accept_open(&wrong, &never), -EINVAL);
	assert_null(never);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_active, end_active)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(R67_packets_to_a_refused_address_are_dropped),
	    T(R68_neighbour_discovery_and_arp_are_not_dropped),
	    T(R85_packets_to_the_address_are_not_forwarded),
	    T(a_link_local_address_is_refused_where_it_is),
	    T(a_new_list_replaces_the_old_one_and_none_removes_the_table),
	    T(a_predecessors_table_is_adopted),
	    T(a_table_as_wanted_is_left_alone),
	    T(a_strangers_table_is_refused_and_left_alone),
	    T(a_thousand_addresses_are_one_transaction),
	    T(wrong_addresses_are_refused),
	};
	struct ha_vrrp_accept *a;
	int e;

	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: needs root to make a network namespace: %s\n", strerror(errno));
		return 77;
	}
	e = ha_vrrp_accept_open(NULL, &a);
	if (e == -EOPNOTSUPP || system("command -v nft >/dev/null")) {
		printf("skipped: needs nf_tables and nft\n");
		return 77;
	}
	ha_vrrp_accept_close(e ? NULL : a);
	run("ip link set lo up");
	return cmocka_run_group_tests_name("vrrp/accept", tests, NULL, NULL);
}
