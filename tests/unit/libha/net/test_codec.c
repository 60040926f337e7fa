/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net/codec.h"

static struct ha_net_address address(const char *text)
{
	struct ha_net_address a = {.size = sizeof(a), .ifindex = 3};

	assert_int_equal(ha_ip_parse(text, &a.ip), 0);
	return a;
}

static struct nl_msg message(uint8_t *buf, struct writer *w)
{
	struct reader r;
	struct nl_msg msg;

	nl_msg_end(w, 0);
	assert_false(w->bad);
	r = reader_of(buf, writer_len(w));
	assert_true(nl_msg_next(&r, &msg));
	return msg;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void an_address_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    2,	  24, 0,  253, 3,    0,	  0,   0,	     /* ifaddrmsg */
	    8,	  0,  2,  0,   192,  0,	  2,   10,	     /* IFA_LOCAL */
	    8,	  0,  1,  0,   192,  0,	  2,   10,	     /* IFA_ADDRESS */
	    8,	  0,  4,  0,   192,  0,	  2,   255,	     /* IFA_BROADCAST */
	    8,	  0,  3,  0,   'e',  ':', 'v', 0,	     /* IFA_LABEL */
	    8,	  0,  8,  0,   0,    2,	  0,   0,	     /* IFA_FLAGS */
	    0x14, 0,  6,  0,   0x2c, 1,	  0,   0,   0x58, 2, /* IFA_CACHEINFO: 300, */
	    0,	  0,  0,  0,   0,    0,	  0,   0,   0,	  0, /* 600 seconds */
	    5,	  0,  11, 0,   112,  0,	  0,   0,	     /* IFA_PROTO */
	};
	struct ha_net_address a = address("192.0.2.10");
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	a.prefix_len = 24;
	a.scope = RT_SCOPE_LINK;
	a.proto = HA_NET_PROTO_VIP;
	/* The state of an address read before is not asked for again. */
	a.flags = IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT | IFA_F_SECONDARY;
	a.valid_lft_s = 600;
	a.preferred_lft_s = 300;
	strcpy(a.label, "e:v");
	ha_ip_parse("192.0.2.255", &a.broadcast);
	assert_int_equal(net_codec_check(&a), 0);
	net_codec_put_address(&w, &a);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_removal_names_the_address_only(void **state)
{
	static const uint8_t golden[] = {
	    10,	  128, 0, 0, 3,	   0,	 0,    0, /* ifaddrmsg */
	    0x14, 0,   2, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 0,
	    0,	  0,   0, 0, 0,	   0,	 0,    0,    0, 1, /* IFA_LOCAL */
	    0x14, 0,   1, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 0,
	    0,	  0,   0, 0, 0,	   0,	 0,    0,    0, 2, /* the peer */
	};
	struct ha_net_address a = address("2001:db8::1");
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	a.proto = HA_NET_PROTO_VIP;
	a.flags = IFA_F_NODAD;
	ha_ip_parse("2001:db8::2", &a.peer);
	net_codec_put_address_name(&w, &a);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_macvlan_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* ifinfomsg */
	    12, 0, 3, 0, 'v', 'r', 'r', 'p', '.', '5', '1', 0, /* IFLA_IFNAME */
	    8, 0, 5, 0, 3, 0, 0, 0, /* IFLA_LINK */
	    10, 0, 1, 0, 0, 0, 0x5e, 0, 1, 51, 0, 0, /* IFLA_ADDRESS */
	    28, 0, 18, 0x80, /* IFLA_LINKINFO */
	    12, 0, 1, 0, 'm', 'a', 'c', 'v', 'l', 'a', 'n', 0, /* its kind */
	    12, 0, 2, 0x80, 8, 0, 1, 0, 4, 0, 0, 0, /* bridge */
	};
	const struct ha_net_macvlan m = {.size = sizeof(m),
					 .parent = 3,
					 .mac = {0, 0, 0x5e, 0, 1, 51},
					 .name = "vrrp.51"};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	net_codec_put_macvlan(&w, &m);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_master_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    0, 0, 0,  0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* ifinfomsg */
	    8, 0, 10, 0, 9, 0, 0, 0,			     /* IFLA_MASTER */
	};
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));

	net_codec_put_link_master(&w, 7, 9);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_mode_of_addresses_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    0,	0, 0,  0,    7,	 0, 0,	0,    0, 0, 0, 0, 0, 0, 0, 0, /* ifinfomsg */
	    16, 0, 26, 0x80, 12, 0, 10, 0x80, 5, 0, 8, 0, 1, 0, 0, 0, /* AF_INET6: none */
	};
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));

	net_codec_put_link_addr_gen(&w, 7, IN6_ADDR_GEN_MODE_NONE);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void an_ipvlan_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    0,	0, 0,  0,    0,	  0,   0,   0,	 0,   0,   0,	0, 0, 0, 0, 0, /* ifinfomsg */
	    12, 0, 3,  0,    'v', 'r', 'r', 'p', '.', '5', '1', 0,	       /* IFLA_IFNAME */
	    8,	0, 5,  0,    3,	  0,   0,   0,				       /* IFLA_LINK */
	    36, 0, 18, 0x80,						       /* IFLA_LINKINFO */
	    11, 0, 1,  0,    'i', 'p', 'v', 'l', 'a', 'n', 0,	0,	       /* its kind */
	    20, 0, 2,  0x80, 6,	  0,   1,   0,	 0,   0,   0,	0, 6, 0, 2, 0,
	    2,	0, 0,  0, /* L2, VEPA */
	};
	const struct ha_net_ipvlan v = {
	    .size = sizeof(v), .parent = 3, .flags = IPVLAN_F_VEPA, .name = "vrrp.51"};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	net_codec_put_ipvlan(&w, &v);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}
#endif

static void an_ipvlan_is_read_back(void **state)
{
	const struct ha_net_ipvlan v = {.size = sizeof(v),
					.parent = 3,
					.mode = IPVLAN_MODE_L3,
					.flags = IPVLAN_F_PRIVATE,
					.name = "vrrp.51"};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	struct ha_net_link l, other;
	struct nl_msg msg = {.type = RTM_NEWLINK};

	net_codec_put_ipvlan(&w, &v);
	buf[4] = 7; /* the index the kernel chose */
	msg.body = reader_of(buf, writer_len(&w));
	assert_int_equal(net_codec_read_link(&msg, &l), 0);
	assert_string_equal(l.kind, "ipvlan");
	assert_int_equal(l.parent, 3);
	assert_int_equal(l.ipvlan_mode, IPVLAN_MODE_L3);
	assert_int_equal(l.ipvlan_flags, IPVLAN_F_PRIVATE);
	other = l;
	other.ipvlan_flags = 0;
	assert_false(net_codec_same_link(&l, &other));
}

static void an_address_is_ready_when_its_route_ends_here(void **state)
{
	struct ha_net_address a = address("fe80::100");
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	struct nl_msg msg = {.type = RTM_NEWROUTE};

	net_codec_put_address_route(&w, &a);
	assert_int_equal(writer_len(&w), 12 + 20 + 8); /* rtmsg, RTA_DST, RTA_OIF */
	assert_int_equal(buf[0], 10);		       /* AF_INET6 */
	assert_int_equal(buf[1], 128);
	assert_memory_equal(buf + 16, a.ip.bytes, 16);
	msg.body = reader_of(buf, writer_len(&w));
	assert_false(net_codec_read_is_local(&msg));
	buf[7] = RTN_LOCAL;
	assert_true(net_codec_read_is_local(&msg));
	msg.body = reader_of(buf, 7); /* cut short */
	assert_false(net_codec_read_is_local(&msg));
}

static void a_macvlan_is_read_back(void **state)
{
	const struct ha_net_macvlan m = {.size = sizeof(m),
					 .parent = 3,
					 .mode = MACVLAN_MODE_PRIVATE,
					 .mac = {0, 0, 0x5e, 0, 1, 51},
					 .name = "vrrp.51"};
	static const char note[] = "a note that is longer than the room there is, by some of its words";
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	struct ha_net_link l;
	struct nl_msg msg = {.type = RTM_NEWLINK};

	net_codec_put_macvlan(&w, &m);
	nl_attr_put(&w, IFLA_IFALIAS, note, strlen(note)); /* without a NUL, as the kernel has it */
	buf[4] = 7;					   /* the index the kernel chose */
	msg.body = reader_of(buf, writer_len(&w));
	assert_int_equal(net_codec_read_link(&msg, &l), 0);
	assert_string_equal(l.kind, "macvlan");
	assert_int_equal(l.macvlan_mode, MACVLAN_MODE_PRIVATE);
	assert_int_equal(l.parent, 3);
	assert_memory_equal(l.mac, m.mac, 6);
	assert_int_equal(strlen(l.alias), HA_NET_ALIAS_SIZE - 1);
	assert_memory_equal(l.alias, note, HA_NET_ALIAS_SIZE - 1);
}

static void what_was_asked_for_is_read_back(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
	static const char *const peers[] = {"192.0.2.2", "2001:db8::2"};
	uint8_t buf[256];

	for (int i = 0; i < 4; i++) {
		struct ha_net_address a = address(texts[i % 2]), back;
		struct writer w = writer_of(buf, sizeof(buf));
		struct nl_msg msg;

		a.prefix_len = 20;
		a.flags = IFA_F_NODAD | IFA_F_MCAUTOJOIN;
		a.proto = 112;
		a.valid_lft_s = a.preferred_lft_s = (uint32_t)i;
		if (i > 1)
			ha_ip_parse(peers[i % 2], &a.peer);
		if (a.ip.family == AF_INET)
			strcpy(a.label, "123456789012345");
		nl_msg_begin(&w, RTM_NEWADDR, 0);
		net_codec_put_address(&w, &a);
		msg = message(buf, &w);
		assert_int_equal(net_codec_read_address(&msg, &back), 0);
		assert_true(net_codec_same_address(&a, &back));
		assert_int_equal(back.valid_lft_s, i);
		assert_int_equal(back.preferred_lft_s, i);
	}
}

static void a_deprecated_address_has_no_preferred_lifetime(void **state)
{
	struct ha_net_address a = address("2001:db8::1");
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	struct ifa_cacheinfo info = {.ifa_prefered = 77};
	struct nl_msg msg;
	struct nl_attr attr;

	a.flags = IFA_F_DEPRECATED;
	nl_msg_begin(&w, RTM_NEWADDR, 0);
	net_codec_put_address(&w, &a);
	msg = message(buf, &w);
	read_bytes(&msg.body, 8);
	while (nl_attr_next(&msg.body, &attr))
		if (attr.type == IFA_CACHEINFO)
			assert_true(nl_attr_bytes(&attr, &info, sizeof(info)));
	assert_int_equal(info.ifa_prefered, 0);
	assert_int_equal(info.ifa_valid, UINT32_MAX);
}

static void an_address_in_its_last_second_is_not_there_for_ever(void **state)
{
	struct ha_net_address a = address("192.0.2.1"), back;
	struct ifa_cacheinfo info = {0};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	struct nl_msg msg;

	nl_msg_begin(&w, RTM_NEWADDR, 0);
	net_codec_put_address(&w, &a);
	nl_attr_put(&w, IFA_CACHEINFO, &info, sizeof(info));
	msg = message(buf, &w);
	assert_int_equal(net_codec_read_address(&msg, &back), 0);
	assert_int_equal(back.valid_lft_s, 1);
}

static void what_the_kernel_could_not_be_asked_for_is_refused(void **state)
{
	struct ha_net_address v4 = address("192.0.2.1"), v6 = address("2001:db8::1"), a;

	assert_int_equal(net_codec_check(&v4) | net_codec_check(&v6), 0);
	a = v4, a.ifindex = 0;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v4, a.ifindex = 0x80000000;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v4, a.ip.family = AF_UNSPEC;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v4, a.prefix_len = 33;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v6, a.prefix_len = 129;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v4, a.peer = v6.ip;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v6, a.broadcast = v4.ip;
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v6, strcpy(a.label, "eth0:v");
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v4, memset(a.label, 'x', sizeof(a.label));
	assert_int_equal(net_codec_check(&a), -EINVAL);
	a = v4, a.valid_lft_s = 5, a.preferred_lft_s = 6;
	assert_int_equal(net_codec_check(&a), -EINVAL);
}

static void an_attribute_of_an_address_with_a_wrong_length_is_malformed(void **state)
{
	static const struct {
		uint16_t type;
		size_t right;
	} attrs[] = {{IFA_LOCAL, 4}, {IFA_ADDRESS, 4},	  {IFA_BROADCAST, 4},
		     {IFA_FLAGS, 4}, {IFA_CACHEINFO, 16}, {IFA_PROTO, 1}};
	static const uint8_t zero[64];
	uint8_t buf[256];

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		for (size_t len = 0; len <= sizeof(zero); len++) {
			struct writer w = writer_of(buf, sizeof(buf));
			struct ha_net_address back;
			struct nl_msg msg;

			nl_msg_begin(&w, RTM_NEWADDR, 0);
			write_bytes(&w, "\2\40\0\0\1\0\0\1", 8);
			nl_attr_put(&w, IFA_LOCAL, "\300\0\2\1", 4);
			nl_attr_put(&w, attrs[i].type, zero, len);
			msg = message(buf, &w);
			assert_int_equal(net_codec_read_address(&msg, &back),
					 len == attrs[i].right ? 0 : -EBADMSG);
		}
	}
}

static void a_message_cut_anywhere_is_not_overrun(void **state)
{
	struct ha_net_address a = address("192.0.2.1"), back;
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	struct ha_net_link l;
	size_t len;

	a.proto = 1;
	net_codec_put_address(&w, &a);
	len = writer_len(&w);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		struct nl_msg msg;
		int r;

		memcpy(exact, buf, cut);
		msg = (struct nl_msg){.type = RTM_NEWADDR, .body = reader_of(exact, cut)};
		r = net_codec_read_address(&msg, &back);
		/* Between two attributes it is whole again, and only its padding is dispensable. */
		if (cut < 16)
			assert_int_equal(r, -EBADMSG);
		net_codec_read_link(&msg, &l);
		free(exact);
	}
}

static size_t link_message(uint8_t *buf, size_t cap, uint8_t family, size_t mac_len, uint16_t extra)
{
	static const uint8_t mac[128] = {2, 0, 0, 0, 0, 1};
	struct writer w = writer_of(buf, cap);
	size_t m = nl_msg_begin(&w, RTM_NEWLINK, 0);

	write_u8(&w, family);
	write_u8(&w, 0);
	write_host16(&w, 1); /* ARPHRD_ETHER */
	write_host32(&w, 7);
	write_host32(&w, 0x10043);
	write_host32(&w, 0);
	nl_attr_put_str(&w, IFLA_IFNAME, "eth0");
	nl_attr_put_u32(&w, IFLA_MTU, 9000);
	nl_attr_put_u8(&w, IFLA_OPERSTATE, 6);
	nl_attr_put_u32(&w, IFLA_LINK, 5);
	nl_attr_put_u32(&w, IFLA_MASTER, 4);
	nl_attr_put(&w, IFLA_ADDRESS, mac, mac_len);
	if (extra)
		nl_attr_put(&w, extra, mac, 12);
	nl_msg_end(&w, m);
	assert_false(w.bad);
	return writer_len(&w);
}

static int read_link(uint8_t family, size_t mac_len, uint16_t extra, struct ha_net_link *ret)
{
	uint8_t buf[512];
	struct reader r = reader_of(buf, link_message(buf, sizeof(buf), family, mac_len, extra));
	struct nl_msg msg;

	assert_true(nl_msg_next(&r, &msg));
	return net_codec_read_link(&msg, ret);
}

static void a_link_is_read(void **state)
{
	struct ha_net_link l;

	assert_int_equal(read_link(AF_UNSPEC, 6, 0, &l), 0);
	assert_int_equal(l.ifindex, 7);
	assert_int_equal(l.flags, 0x10043);
	assert_int_equal(l.type, 1);
	assert_int_equal(l.mtu, 9000);
	assert_int_equal(l.operstate, 6);
	assert_int_equal(l.parent, 5);
	assert_int_equal(l.master, 4);
	assert_string_equal(l.name, "eth0");
	assert_int_equal(l.mac_len, 6);
	assert_memory_equal(l.mac, "\2\0\0\0\0\1", 6);
}

static void a_parent_in_another_namespace_is_none_of_ours(void **state)
{
	struct ha_net_link l;

	assert_int_equal(read_link(AF_UNSPEC, 6, IFLA_LINK_NETNSID, &l), 0);
	assert_int_equal(l.parent, 0);
	assert_int_equal(l.master, 4);
}

static void a_link_layer_address_of_any_length_stays_in_its_room(void **state)
{
	struct ha_net_link l;

	for (size_t len = 0; len <= 128; len++) {
		int r = read_link(AF_UNSPEC, len, 0, &l);

		assert_int_equal(r, len <= HA_NET_MAC_BYTES ? 0 : -EBADMSG);
		if (!r)
			assert_int_equal(l.mac_len, len);
	}
}

static void what_only_looks_like_link_news_is_ignored(void **state)
{
	struct ha_net_link l;

	assert_int_equal(read_link(AF_BRIDGE, 6, 0, &l), -ENOMSG);
	assert_int_equal(read_link(AF_UNSPEC, 6, IFLA_WIRELESS, &l), -ENOMSG);
}

static void the_mark_counts_before_the_label(void **state)
{
	struct ha_net_address a = {.proto = 112, .label = "eth0:vip"};

	assert_true(ha_net_address_is_marked(&a, 112, NULL));
	assert_false(ha_net_address_is_marked(&a, 113, "eth0:vip"));
	a.proto = 0; /* a kernel that keeps no marks */
	assert_true(ha_net_address_is_marked(&a, 112, "eth0:vip"));
	assert_false(ha_net_address_is_marked(&a, 112, "eth0"));
	assert_false(ha_net_address_is_marked(&a, 112, NULL));
	a.label[0] = 0;
	assert_false(ha_net_address_is_marked(&a, 112, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		cmocka_unit_test(an_address_has_these_bytes),
		cmocka_unit_test(a_removal_names_the_address_only),
		cmocka_unit_test(a_macvlan_has_these_bytes),
		cmocka_unit_test(an_ipvlan_has_these_bytes),
		cmocka_unit_test(a_master_has_these_bytes),
		cmocka_unit_test(a_mode_of_addresses_has_these_bytes),
#endif
		cmocka_unit_test(an_address_is_ready_when_its_route_ends_here),
		cmocka_unit_test(a_macvlan_is_read_back),
		cmocka_unit_test(an_ipvlan_is_read_back),
		cmocka_unit_test(what_was_asked_for_is_read_back),
		cmocka_unit_test(a_deprecated_address_has_no_preferred_lifetime),
		cmocka_unit_test(an_address_in_its_last_second_is_not_there_for_ever),
		cmocka_unit_test(what_the_kernel_could_not_be_asked_for_is_refused),
		cmocka_unit_test(an_attribute_of_an_address_with_a_wrong_length_is_malformed),
		cmocka_unit_test(a_message_cut_anywhere_is_not_overrun),
		cmocka_unit_test(a_link_is_read),
		cmocka_unit_test(a_parent_in_another_namespace_is_none_of_ours),
		cmocka_unit_test(a_link_layer_address_of_any_length_stays_in_its_room),
		cmocka_unit_test(what_only_looks_like_link_news_is_ignored),
		cmocka_unit_test(the_mark_counts_before_the_label),
	};

	return cmocka_run_group_tests_name("libha/net/codec", tests, NULL, NULL);
}
