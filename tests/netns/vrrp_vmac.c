/* SPDX-License-Identifier: MIT */
/* The virtual router MAC address: what a Backup and an Active do, frame by frame. */
#include "vmac_rig.h"

#include <sys/mount.h>

#include <libha/vrrp_ra.h>

/* ---- the device ---- */

static void it_is_made_as_keepalived_names_it_and_down(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	static const uint8_t mac4[6] = {0, 0, 0x5e, 0, 1, 51}, mac6[6] = {0, 0, 0x5e, 0, 2, 52};
	struct ha_net_link l = ensure(&four);

	assert_string_equal(l.name, "vrrp.51");
	assert_string_equal(l.kind, "macvlan");
	assert_int_equal(l.macvlan_mode, MACVLAN_MODE_BRIDGE);
	assert_int_equal(l.parent, here());
	assert_int_equal(l.flags & IFF_UP, 0);
	assert_memory_equal(l.mac, mac4, 6);
	l = ensure(&six);
	assert_string_equal(l.name, "vrrp.52");
	assert_memory_equal(l.mac, mac6, 6);
}

static void it_takes_a_name_and_a_mac(void **state)
{
	struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};

	memcpy(o.mac, mac, 6);
	memcpy(o.name, "gate", 5);
	assert_memory_equal(ensure(&o).mac, mac, 6);
	assert_true(if_nametoindex("gate") > 0);
}

/* A successor of a process that was Active: nothing moves. */
static void one_that_is_there_is_taken_as_it_is(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	uint32_t ifindex = ensure(&o).ifindex;
	struct ha_net_link l;

	assert_int_equal(ha_net_link_set_up(net, ifindex, true), 0);
	l = ensure(&o);
	assert_int_equal(l.ifindex, ifindex);
	assert_true(l.flags & IFF_UP);
}

static void a_strangers_device_is_refused_and_left_alone(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = {.size = sizeof(l)};

	run("ip link add vrrp.51 type veth peer name vm-z");
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EEXIST);
	assert_non_null(strstr(ha_net_error_text(net), "vrrp.51"));
	assert_non_null(strstr(ha_net_error_text(net), "00:00:5e:00:01:33"));
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), HA_NET_ALREADY);
	assert_true(if_nametoindex("vrrp.51") > 0);
	run("ip link del vrrp.51");
	/* Right but for the mode: in private mode another Active is not heard. */
	run("ip link add vrrp.51 link " HERE
	    " address 00:00:5e:00:01:33 type macvlan mode private");
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EEXIST);
}

static void ours_is_made_anew_when_somebody_changed_it(void **state)
{
	static const char *const changes[] = {
	    "ip link set vrrp.51 address 02:11:22:33:44:55",
	    "ip link set vrrp.51 type macvlan mode private",
	    "ip link set vrrp.51 down; ip link set vrrp.51 name vm-other && ip link set vm-other up",
	};
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct ha_net_link l = ensure(&o);

		assert_int_equal(ha_net_link_set_up(net, l.ifindex, true), 0);
		run(changes[i]);
		l = ensure(&o);
		assert_string_equal(l.name, "vrrp.51");
		assert_memory_equal(l.mac, "\x00\x00\x5e\x00\x01\x33", 6);
		assert_int_equal(l.macvlan_mode, MACVLAN_MODE_BRIDGE);
		assert_int_equal(ha_net_link_set_up(net, l.ifindex, true), 0); /* no other one has its MAC address */
		run(changes[i]);
		assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
		assert_int_equal(if_nametoindex("vrrp.51") + if_nametoindex("vm-other"), 0);
		assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 0);
	}
}

/* The kernel lowers it with the interface's, and takes IPv6 away below 1280. */
static void its_mtu_follows_the_interface_up_again(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 51);
	struct ha_net_link l = ensure(&o);

	run("ip link set " HERE " mtu 1000");
	l = ensure(&o);
	assert_int_equal(l.mtu, 1000);
	run("ip link set " HERE " mtu 1500");
	l = ensure(&o);
	assert_int_equal(l.mtu, 1500);
	assert_int_equal(ha_net_link_by_name(net, l.name, &l), 0);
	assert_int_equal(l.mtu, 1500);
	assert_int_equal(read_setting("ipv6", l.name, "accept_dad"), 0);
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
}

/* As FRR wants it: the administrator makes it, and it stays his. */
static void a_right_one_of_somebody_else_is_used_and_stays(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = {.size = sizeof(l)};

	run("ip link add vrrp.51 link " HERE " address 00:00:5e:00:01:33 type macvlan mode bridge");
	l = ensure(&o);
	assert_int_equal(read_setting("ipv4", "vrrp.51", "arp_ignore"), 1);
	assert_int_equal(ha_net_link_set_up(net, l.ifindex, true), 0);
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
	assert_int_equal(ha_net_link_by_name(net, "vrrp.51", &l), 0);
	assert_int_equal(l.flags & IFF_UP, 0);
}

static void the_interfaces_settings_come_back_with_the_last_one(void **state)
{
	const struct ha_vrrp_vmac_opts one = vmac_opts(AF_INET, 51), two = vmac_opts(AF_INET, 52);

	run("echo 1 >/proc/sys/net/ipv4/conf/" HERE "/arp_announce");
	ensure(&one);
	ensure(&two);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 1);
	assert_int_equal(read_setting("ipv4", HERE, "arp_announce"), 2);
	assert_int_equal(ha_vrrp_vmac_remove(net, &one), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 1);
	assert_int_equal(ha_vrrp_vmac_remove(net, &two), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_announce"), 1);
	assert_int_equal(if_nametoindex("vrrp.51") + if_nametoindex("vrrp.52"), 0);
	assert_int_equal(ha_vrrp_vmac_remove(net, &one), HA_NET_ALREADY);
}

/* Somebody deletes all of them, and what they knew is given back by who kept it. */
static void a_deleted_one_is_made_anew_with_what_it_knew(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = ensure(&o), others = {.size = sizeof(others)};
	char alias[HA_NET_ALIAS_SIZE];

	memcpy(alias, l.alias, sizeof(alias));
	assert_int_equal(ha_vrrp_vmac_remember(net, &l, alias), HA_NET_ALREADY);
	run("ip link del vrrp.51");
	l = ensure(&o);
	assert_string_not_equal(l.alias, alias); /* the settings are what the first one made of them */
	assert_int_equal(ha_vrrp_vmac_remember(net, &l, "somebody's"), HA_NET_ALREADY);
	assert_int_equal(ha_vrrp_vmac_remember(net, &l, ""), HA_NET_ALREADY);
	assert_int_equal(ha_vrrp_vmac_remember(net, &l, NULL), -EINVAL);
	assert_int_equal(ha_vrrp_vmac_remember(net, &l, alias), 0);
	assert_string_equal(l.alias, alias);
	assert_string_equal(ensure(&o).alias, alias);
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_announce"), 0);
	run("ip link add vrrp.51 link " HERE " address 00:00:5e:00:01:33 type macvlan mode bridge");
	others = ensure(&o);
	assert_int_equal(ha_vrrp_vmac_remember(net, &others, alias), HA_NET_ALREADY);
	run("ip link del vrrp.51");
	run("for s in arp_ignore arp_announce; do echo 0 >/proc/sys/net/ipv4/conf/" HERE "/$s; done");
}

static void set_read_only(bool yes)
{
	assert_int_equal(yes ? mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL) : umount("/proc/sys"), 0);
	if (yes)
		assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
}

static void a_read_only_proc_sys_is_told_and_no_obstacle(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	struct ha_net_link l = {.size = sizeof(l)};

	set_read_only(true);
	l = ensure(&four);
	assert_non_null(strstr(ha_net_error_text(net), "vrrp.51"));
	assert_string_equal(l.name, "vrrp.51");
	l = ensure(&six);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 0);
	set_read_only(false);
	/* What is right needs nobody who writes. */
	ensure(&four);
	assert_string_equal(ha_net_error_text(net), "");
	set_read_only(true);
	ensure(&four);
	assert_string_equal(ha_net_error_text(net), "");
	set_read_only(false);
	/* A strict filter would drop all that comes for its addresses. */
	assert_int_equal(ha_vrrp_vmac_remove(net, &four), 0);
	run("echo 1 >/proc/sys/net/ipv4/conf/default/rp_filter");
	set_read_only(true);
	assert_int_equal(ha_vrrp_vmac_ensure(net, &four, &l), -EROFS);
	assert_non_null(strstr(ha_net_error_text(net), "rp_filter"));
	assert_int_equal(if_nametoindex("vrrp.51"), 0);
	set_read_only(false);
	run("echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter");
	assert_int_equal(ha_vrrp_vmac_remove(net, &six), 0);
}

static void a_stronger_setting_of_the_administrator_stays(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);

	run("echo 2 >/proc/sys/net/ipv4/conf/" HERE "/arp_ignore");
	ensure(&o);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 2);
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 2);
}

static void wrong_options_are_refused(void **state)
{
	struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = {.size = sizeof(l)};

	o.vrid = 0;
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EINVAL);
	o = vmac_opts(AF_UNIX, 51);
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EINVAL);
	o = vmac_opts(AF_INET, 51);
	o.parent = 4711;
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -ENODEV);
	o.parent = 1; /* lo */
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EINVAL);
	assert_non_null(strstr(ha_net_error_text(net), "Ethernet"));
}

/* ---- IPv4: who answers ---- */

static void R49_a_backup_answers_no_arp_on_either_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	for (int round = 0; round < 2; round++) {
		forget();
		put_arp_request(everybody, &address);
		put_arp_request(own_mac, &address);
		put_arp_request(l.mac, &address);
		assert_false(see(wire_fd, QUIET_MS, is_arp_reply, address.bytes, &f));
		become_active(l.ifindex, "10.9.0.100", 24); /* and the second time: after that */
		become_backup(l.ifindex, "10.9.0.100", 24);
	}
}

static void R60_R61_an_active_answers_arp_with_the_virtual_mac_only(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	become_active(l.ifindex, "10.9.0.100", 24);
	forget();
	put_arp_request(everybody, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_memory_equal(f.b + 22, l.mac, 6);
	put_arp_request(own_mac, &address); /* to the other MAC: the interface has no answer */
	assert_false(see(wire_fd, QUIET_MS, is_arp_reply, address.bytes, &f));
}

/* keepalived 2.2.7 answers with the MAC of its IPv6 router, too: that macvlan has arp_ignore 0. */
static void R61_nor_with_the_mac_of_another_virtual_router(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("10.9.0.100"), own = ip("10.9.0.1");
	struct ha_net_link l = ensure(&four), other = ensure(&six);
	struct frame f;

	become_active(l.ifindex, "10.9.0.100", 24);
	become_active(other.ifindex, "fe80::100", 64);
	forget();
	put_arp_request(everybody, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_false(see(wire_fd, QUIET_MS, is_arp_reply, address.bytes, &f));
	/* And the interface's own address has the interface's own MAC. */
	put_arp_request(everybody, &own);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, own.bytes, &f));
	assert_memory_equal(f.b + 6, own_mac, 6);
	assert_false(see(wire_fd, QUIET_MS, is_arp_reply, own.bytes, &f));
}

/* The test sees what it is there for: without the setting Linux answers from both. */
static void the_weak_host_model_would_break_R61(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	become_active(l.ifindex, "10.9.0.100", 24);
	run("echo 0 >/proc/sys/net/ipv4/conf/" HERE "/arp_ignore");
	forget();
	put_arp_request(everybody, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	ensure(&o); /* the next look puts it right */
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 1);
}

/* To answer from the address the host must ask where the client is. */
static void R79_no_arp_with_the_physical_mac_names_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100"), client = ip("10.9.0.9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	become_active(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_request, client.bytes, &f));
	if (!memcmp(f.b + 28, address.bytes, 4))
		assert_memory_equal(f.b + 22, l.mac, 6);
	else
		assert_memory_equal(f.b + 22, own_mac, 6);
}

static void R81_a_proxy_on_the_macvlan_answers_with_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip far = ip("10.8.0.9"), near = ip("10.9.0.77");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	become_active(l.ifindex, "10.9.0.100", 32);
	run("echo 1 >/proc/sys/net/ipv4/conf/vrrp.51/proxy_arp");
	run("echo 7 >/proc/sys/net/ipv4/conf/vrrp.51/medium_id");
	run("echo 7 >/proc/sys/net/ipv4/conf/" HERE "/medium_id");
	forget();
	put_arp_request(everybody, &far);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, far.bytes, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_memory_equal(f.b + 22, l.mac, 6);
	put_arp_request(everybody, &near); /* on the link itself: not our business */
	assert_false(see(wire_fd, QUIET_MS * 5, is_arp_reply, near.bytes, &f));
}

/* ---- IPv4: what is taken ---- */

static void R52_R53_a_backup_takes_nothing_for_the_mac_or_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100"), own = ip("10.9.0.1");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	become_active(l.ifindex, "10.9.0.100", 32);
	become_backup(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &own); /* R52 */
	put_ping(l.mac, &address);
	put_ping(own_mac, &address); /* R53 */
	assert_false(see(wire_fd, QUIET_MS, is_icmp, &echo_reply, &f));
	put_ping(own_mac, &own); /* the wire is well */
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp, &echo_reply, &f));
}

static void R66_an_active_takes_packets_for_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	become_active(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp, &echo_reply, &f));
}

static bool is_to_far(const struct frame *f, const void *address)
{
	return type_of(f) == 0x0800 && !memcmp(f->b + 30, address, 4);
}

static void R65_frames_to_the_virtual_mac_are_forwarded_by_the_active(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip far = ip("10.8.0.9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	run("echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"); /* strict everywhere but here */
	ensure(&o);
	run("ip neigh replace 10.8.0.9 lladdr 02:00:00:00:00:98 dev " ELSEWHERE);
	become_active(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &far);
	assert_true(see(beyond_fd, PATIENCE_MS, is_to_far, far.bytes, &f));
	become_backup(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &far); /* R52 */
	assert_false(see(beyond_fd, QUIET_MS, is_to_far, far.bytes, &f));
	run("echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter");
}

/* None is sent at all: section 8.1.1 allows that, and Linux would name another address. */
static void R84_no_redirect_tells_another_address_than_the_virtual_one(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip near = ip("10.9.0.77");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	run("ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:77 dev " HERE);
	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	become_active(l.ifindex, "10.9.0.100", 24);
	forget();
	put_ping(l.mac, &near);
	assert_true(see(wire_fd, PATIENCE_MS, is_to_far, near.bytes, &f)); /* it is forwarded */
	assert_false(see(wire_fd, QUIET_MS, is_icmp, &redirect, &f));
}

/* ---- IPv6 ---- */

static void R50_a_backup_answers_no_solicitation(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("fe80::100"), client = ip("fe80::9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	for (int round = 0; round < 2; round++) {
		forget();
		put_ns(&client, &address);
		assert_false(see(wire_fd, QUIET_MS, is_icmp6, &advertisement, &f));
		become_active(l.ifindex, "fe80::100", 64);
		become_backup(l.ifindex, "fe80::100", 64);
	}
}

static void R62_R63_an_active_answers_with_R_and_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("fe80::100"), client = ip("fe80::9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	become_active(l.ifindex, "fe80::100", 64);
	forget();
	put_ns(&client, &address); /* to the group: whoever answers is a member */
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp6, &advertisement, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_int_equal(f.b[58] & 0xe0, 0xe0); /* R S O */
	assert_memory_equal(f.b + 62, address.bytes, 16);
	assert_memory_equal(f.b + 78, ((const uint8_t[]){2, 1}), 2);
	assert_memory_equal(f.b + 80, l.mac, 6);
	assert_false(see(wire_fd, QUIET_MS, is_icmp6, &advertisement, &f));
}

/* By a worker of the kernel, a moment after the address was added: the host waits for that. */
static void R48_the_solicited_node_group_is_joined_when_the_address_is_ready(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	struct ha_net_link l = ensure(&o);
	struct ha_net_address a = vip(l.ifindex, "fe80::100", 64);

	assert_int_equal(ha_net_address_is_ready(net, &a), 0);
	for (int round = 0; round < 10; round++) {
		assert_int_not_equal(
		    system("grep -q 'vrrp.52 *ff0200000000000000000001ff000100' /proc/net/igmp6"),
		    0);
		become_active(l.ifindex, "fe80::100", 64);
		run("grep -q 'vrrp.52 *ff0200000000000000000001ff000100' /proc/net/igmp6");
		become_backup(l.ifindex, "fe80::100", 64);
	}
}

static void R80_solicitations_of_the_active_carry_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("2001:db8::100"), client = ip("2001:db8::9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	become_active(l.ifindex, "2001:db8::100", 64);
	forget();
	put_ping6(l.mac, &client, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp6, &solicitation, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_memory_equal(f.b + 22, address.bytes, 16);
	assert_memory_equal(f.b + 78, ((const uint8_t[]){1, 1}), 2); /* SLLA */
	assert_memory_equal(f.b + 80, l.mac, 6);
}

/* A router advertisement with a prefix to make addresses of, on a router that is Active. */
static void R83_no_address_is_ever_made_of_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip router = ip("fe80::9"), all = ip("ff02::1"), prefix = ip("2001:db8:1::");
	uint8_t ra[48] = {134,	    [4] = 64,  [6] = 7,	    [7] = 8,  [16] = 3,
			  [17] = 4, [18] = 64, [19] = 0xc0, [22] = 1, [26] = 1};
	struct ha_net_link l = ensure(&o);

	memcpy(ra + 32, prefix.bytes, 16);
	become_active(l.ifindex, "fe80::100", 64);
	put_icmp6((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, &router, &all, ra, sizeof(ra));
	usleep(QUIET_MS * 1000);
	/* The prefix was taken by nobody's macvlan, and the only address there is the virtual one. */
	run("test $(grep -c 'vrrp.52$' /proc/net/if_inet6) = 1");
	run("grep 'vrrp.52$' /proc/net/if_inet6 | grep -q ^fe800000000000000000000000000100");
}

static void R86_an_unsolicited_advertisement_is_believed(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip other = ip("fe80::77"), all = ip("ff02::1");
	uint8_t na[32] = {136, [4] = 0x20, [24] = 2, [25] = 1, [26] = 2, [31] = 0x78};

	memcpy(na + 8, other.bytes, 16);
	ensure(&o);
	run("ip -6 neigh replace fe80::77 lladdr 02:00:00:00:00:77 nud stale dev " HERE);
	put_icmp6((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, &other, &all, na, sizeof(na));
	usleep(QUIET_MS * 1000);
	run("ip -6 neigh show fe80::77 dev " HERE " | grep -q 02:00:00:00:00:78");
}

/* ---- both ---- */

/* Queries are what makes a host speak: the groups of the macvlan must not be reported. */
static void put_queries(void)
{
	const struct ha_ip all4 = ip("224.0.0.1"), all6 = ip("ff02::1"), querier = ip("fe80::9");

	put_ipv4((const uint8_t[]){1, 0, 0x5e, 0, 0, 1}, &all4, 2,
		 (const uint8_t[]){0x11, 1, 0xee, 0xfe, 0, 0, 0, 0}, 8);
	put_icmp6((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, &querier, &all6,
		  (const uint8_t[28]){130, [4] = 0, [5] = 1}, 28);
}

static void no_frame_of_a_backup_has_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	struct ha_net_link l4, l6;
	struct frame f;

	forget();
	l4 = ensure(&four);
	l6 = ensure(&six);
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l4.mac, &f));
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l6.mac, &f));
	become_active(l4.ifindex, "10.9.0.100", 24);
	become_active(l6.ifindex, "fe80::100", 64);
	assert_true(see(wire_fd, PATIENCE_MS, is_from, l6.mac, &f)); /* its MLD reports */
	usleep(QUIET_MS * 1000);
	become_backup(l4.ifindex, "10.9.0.100", 24);
	become_backup(l6.ifindex, "fe80::100", 64);
	forget();
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l6.mac, &f));
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l4.mac, &f));
}

static struct rig r;
static struct ha_vrrp_link *l;

static void make_router(uint8_t family, uint8_t vrid, const struct ha_ip *address)
{
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo), .family = family, .ifindex = here()};
	struct ha_vrrp_opts o = rig_opts();

	memset(&r, 0, sizeof(r));
	o.vrid = vrid;
	o.family = family;
	o.addresses = address;
	assert_int_equal(ha_vrrp_link_source(here(), family, address, 1, &o.source), 0);
	assert_int_equal(ha_vrrp_link_new(&lo, &l), 0);
	assert_int_equal(ha_vrrp_new(&o, &rig_ops, &r, &r.v), 0);
	assert_int_equal(ha_vrrp_link_add(l, r.v), 0);
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
	assert_int_equal(ha_vrrp_link_dispatch(l, T0 + 4 * S), 0); /* Active */
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void free_router(void)
{
	ha_vrrp_link_free(l);
	rig_down(&r);
}

static bool is_advert(const struct frame *f, const void *unused)
{
	return (type_of(f) == 0x0800 && f->b[23] == 112) ||
	       (type_of(f) == 0x86dd && f->b[20] == 112);
}

/* But for the MAC it is the frame that the kernel makes. */
static void send_both_ways(const struct ha_ip *group, const uint8_t mac[6], struct frame *kernels,
			   struct frame *ours)
{
	forget();
	assert_int_equal(ha_vrrp_link_send(l, r.v, group, r.sent, r.sent_len), 0);
	assert_true(see(wire_fd, PATIENCE_MS, is_advert, NULL, kernels));
	assert_int_equal(ha_vrrp_link_send_from(l, r.v, mac, group, r.sent, r.sent_len), 0);
	assert_true(see(wire_fd, PATIENCE_MS, is_advert, NULL, ours));
	assert_memory_equal(kernels->b + 6, own_mac, 6);
	assert_memory_equal(ours->b + 6, mac, 6);
	memcpy(kernels->b + 6, mac, 6);
	assert_int_equal(kernels->len, ours->len);
}

static void R6_an_ipv4_advert_leaves_from_the_virtual_mac(void **state)
{
	static const uint8_t mac[6] = {0, 0, 0x5e, 0, 1, 51};
	const struct ha_ip address = ip("10.9.0.100"), group = ip("224.0.0.18");
	struct frame kernels, ours;

	make_router(AF_INET, 51, &address);
	send_both_ways(&group, mac, &kernels, &ours);
	assert_int_equal(sum_of(ours.b + 14, 20, 0), 0);
	/* The kernel numbers its packets and does not forbid to cut them. */
	memset(kernels.b + 18, 0, 4), memset(kernels.b + 24, 0, 2);
	memset(ours.b + 18, 0, 4), memset(ours.b + 24, 0, 2);
	assert_memory_equal(kernels.b, ours.b, ours.len);
	assert_int_equal(ha_vrrp_link_send_from(l, r.v, mac, &address, r.sent, r.sent_len),
			 -EINVAL);
	free_router();
}

static void R6_an_ipv6_advert_leaves_from_the_virtual_mac(void **state)
{
	static const uint8_t mac[6] = {0, 0, 0x5e, 0, 2, 52};
	const struct ha_ip address = ip("fe80::100"), group = ip("ff02::12");
	struct frame kernels, ours;

	make_router(AF_INET6, 52, &address);
	send_both_ways(&group, mac, &kernels, &ours);
	kernels.b[15] &= 0xf0, kernels.b[16] = kernels.b[17] = 0; /* the flow label */
	assert_memory_equal(kernels.b, ours.b, ours.len);
	free_router();
}

/* The far end is a host for once, which takes its default router from the wire. */
static void R64_a_host_takes_the_virtual_router_from_the_advertisement(void **state)
{
	const struct ha_vrrp_ra_opts o = {
	    .size = sizeof(o), .address = ip("fe80::100"), .vrid = 52};
	const struct ha_ip address = ip("fe80::100");
	uint8_t buf[HA_VRRP_RA_FRAME_SIZE];
	struct ha_vrrp_ra *ra;
	struct frame f;
	ssize_t len;

	run("echo 1 >/proc/sys/net/ipv6/conf/" THERE "/accept_ra");
	make_router(AF_INET6, 52, &address);
	assert_int_equal(ha_vrrp_ra_new(&o, &ra), 0);
	ha_vrrp_ra_start(ra, T0);
	len = ha_vrrp_ra_tick(ra, T0, buf, sizeof(buf));
	forget();
	assert_int_equal(ha_vrrp_link_send_frame(l, buf, (size_t)len), 0);
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp6, &router_advertisement, &f));
	assert_memory_equal(f.b + 6, ((const uint8_t[]){0, 0, 0x5e, 0, 2, 52}), 6);
	run("for i in $(seq 100); do ip -6 route show default dev " THERE
	    " | grep -q 'via fe80::100' "
	    "&& exit 0; sleep 0.02; done; exit 1");
	run("ip -6 neigh show fe80::100 dev " THERE " | grep -q 00:00:5e:00:02:34");
	assert_int_equal(ha_vrrp_link_send_frame(l, buf, 13), -EINVAL);
	ha_vrrp_ra_free(ra);
	free_router();
}

/*
 * Two routers that are Active at a time have one MAC address. The frame of the other one must reach
 * our socket, else neither gives way.
 */
static void another_active_with_the_same_mac_is_heard(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);
	struct ha_net_link device = ensure(&o);
	struct frame f = {.len = 34 + 12};
	struct pollfd readable;
	uint16_t sum;

	become_active(device.ifindex, "10.9.0.100", 24);
	make_router(AF_INET, 51, &address);
	memcpy(f.b, (const uint8_t[]){1, 0, 0x5e, 0, 0, 0x12}, 6);
	memcpy(f.b + 6, device.mac, 6);
	memcpy(f.b + 12, (const uint8_t[]){8, 0, 0x45, 0xc0, 0, 32, 0, 0, 0x40, 0, 255, 112}, 12);
	memcpy(f.b + 26, p.meta.source.bytes, 4);
	memcpy(f.b + 30, p.meta.destination.bytes, 4);
	sum = sum_of(f.b + 14, 20, 0);
	f.b[24] = (uint8_t)(sum >> 8);
	f.b[25] = (uint8_t)sum;
	peer_sum(&p);
	memcpy(f.b + 34, p.pkt, 12);
	put(&f);
	readable = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
	assert_int_equal(ha_vrrp_link_dispatch(l, T0 + 4 * S + 1), 0);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
	free_router();
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_wire, cut_wire)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(it_is_made_as_keepalived_names_it_and_down),
	    T(it_takes_a_name_and_a_mac),
	    T(one_that_is_there_is_taken_as_it_is),
	    T(a_strangers_device_is_refused_and_left_alone),
	T(ours_is_made_anew_when_somebody_changed_it),
	T(its_mtu_follows_the_interface_up_again),
	    T(a_right_one_of_somebody_else_is_used_and_stays),
	    T(the_interfaces_settings_come_back_with_the_last_one),
	    T(a_deleted_one_is_made_anew_with_what_it_knew),
	    T(a_read_only_proc_sys_is_told_and_no_obstacle),
	    T(a_stronger_setting_of_the_administrator_stays),
	    T(wrong_options_are_refused),
	    T(R49_a_backup_answers_no_arp_on_either_mac),
	    T(R60_R61_an_active_answers_arp_with_the_virtual_mac_only),
	    T(R61_nor_with_the_mac_of_another_virtual_router),
	    T(the_weak_host_model_would_break_R61),
	    T(R79_no_arp_with_the_physical_mac_names_the_address),
	    T(R81_a_proxy_on_the_macvlan_answers_with_the_virtual_mac),
	    T(R52_R53_a_backup_takes_nothing_for_the_mac_or_the_address),
	    T(R66_an_active_takes_packets_for_the_address),
	    T(R65_frames_to_the_virtual_mac_are_forwarded_by_the_active),
	    T(R84_no_redirect_tells_another_address_than_the_virtual_one),
	    T(R50_a_backup_answers_no_solicitation),
	    T(R62_R63_an_active_answers_with_R_and_the_virtual_mac),
	    T(R48_the_solicited_node_group_is_joined_when_the_address_is_ready),
	    T(R80_solicitations_of_the_active_carry_the_virtual_mac),
	    T(R83_no_address_is_ever_made_of_the_virtual_mac),
	    T(R86_an_unsolicited_advertisement_is_believed),
	    T(no_frame_of_a_backup_has_the_virtual_mac),
	    T(R6_an_ipv4_advert_leaves_from_the_virtual_mac),
	    T(R6_an_ipv6_advert_leaves_from_the_virtual_mac),
	    T(R64_a_host_takes_the_virtual_router_from_the_advertisement),
	    T(another_active_with_the_same_mac_is_heard),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("skipped: needs root to make a network namespace: %s\n", strerror(errno));
		return 77;
	}
	run("ip link set lo up");
	return cmocka_run_group_tests_name("vrrp/vmac", tests, NULL, NULL);
}
