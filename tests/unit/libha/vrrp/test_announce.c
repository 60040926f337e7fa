/* SPDX-License-Identifier: MIT */
/* Golden frames, written down from RFC 826 and RFC 4861. */
#include "rig.h"

#include "vrrp/announce.h"

static const uint8_t mac[6] = {0x00, 0x00, 0x5e, 0x00, 0x01, 0x33};

static void R46_gratuitous_arp_names_the_address_twice(void **state)
{
	static const uint8_t golden[42] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,			    /* to all */
	    0x00, 0x00, 0x5e, 0x00, 0x01, 0x33, 0x08, 0x06,	    /* from the virtual MAC; ARP */
	    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,	    /* Ethernet, IPv4, request */
	    0x00, 0x00, 0x5e, 0x00, 0x01, 0x33, 10,   9,    0, 100, /* sender */
	    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 10,   9,    0, 100, /* target */
	};
	struct ha_ip address = ip("10.9.0.100");
	uint8_t frame[VRRP_ANNOUNCE_FRAME_SIZE];

	assert_int_equal(vrrp_announce_frame(&address, mac, true, frame, sizeof(frame)), 42);
	assert_memory_equal(frame, golden, 42);
}

static void R47_unsolicited_na_has_r_1_s_0_o_1(void **state)
{
	static const uint8_t golden[86] = {
	    0x33, 0x33, 0x00,	     0x00, 0x00, 0x01, /* all nodes */
	    0x00, 0x00, 0x5e,	     0x00, 0x01, 0x33,
	    0x86, 0xdd, /* from the virtual MAC; IPv6 */
	    0x60, 0x00, 0x00,	     0x00, 0x00, 0x20,
	    58,	  255,				       /* 32 bytes of ICMPv6, hop limit */
	    0xfe, 0x80, [36] = 0x01, 0x00,	       /* fe80::100 */
	    0xff, 0x02, [53] = 0x01,		       /* ff02::1 */
	    136,  0,	[58] = 0xa0, 0x00, 0x00, 0x00, /* NA; R and O */
	    0xfe, 0x80, [76] = 0x01, 0x00,	       /* target */
	    2,	  1,	0x00,	     0x00, 0x5e, 0x00,
	    0x01, 0x33, /* its link-layer address */
	};
	struct ha_ip address = ip("fe80::100"), all = ip("ff02::1");
	uint8_t frame[VRRP_ANNOUNCE_FRAME_SIZE];
	uint32_t pseudo = slow_pseudo(&address, &all, 32) - HA_VRRP_PROTOCOL + 58;
	uint16_t sum;

	assert_int_equal(vrrp_announce_frame(&address, mac, true, frame, sizeof(frame)), 86);
	sum = (uint16_t)(frame[56] << 8 | frame[57]);
	frame[56] = frame[57] = 0;
	assert_memory_equal(frame, golden, 86);
	assert_int_equal(sum, slow_csum(golden + 54, 32, pseudo));
	vrrp_announce_frame(&address, mac, false, frame, sizeof(frame));
	assert_int_equal(frame[58], 0x20);
}

static void a_short_buffer_and_no_address_are_refused(void **state)
{
	struct ha_ip address = ip("10.9.0.100"), none = {0};
	uint8_t frame[VRRP_ANNOUNCE_FRAME_SIZE];

	assert_int_equal(vrrp_announce_frame(&address, mac, true, frame, 41), -ENOSPC);
	address = ip("fe80::100");
	for (size_t cap = 0; cap < 86; cap++)
		assert_int_equal(vrrp_announce_frame(&address, mac, true, frame, cap), -ENOSPC);
	assert_int_equal(vrrp_announce_frame(&none, mac, true, frame, sizeof(frame)), -EINVAL);
}

static void what_is_written_is_read_again(void **state)
{
	static const char *const text[] = {"10.9.0.100", "fe80::100"};
	struct ha_vrrp_sighting s = {.size = sizeof(s)};
	uint8_t frame[VRRP_ANNOUNCE_FRAME_SIZE];

	for (size_t i = 0; i < 2; i++) {
		struct ha_ip address = ip(text[i]);
		ssize_t len = vrrp_announce_frame(&address, mac, true, frame, sizeof(frame));

		assert_int_equal(vrrp_announce_read(frame, (size_t)len, &s), 0);
		assert_int_equal(ha_ip_compare(&s.address, &address), 0);
		assert_memory_equal(s.mac, mac, 6);
		/* Cut anywhere it claims nothing, but for the NA's option, which need not be there. */
		for (size_t cut = 0; cut < (i ? 78u : 32u); cut++)
			assert_int_equal(vrrp_announce_read(frame, cut, &s), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(R46_gratuitous_arp_names_the_address_twice),
	    cmocka_unit_test(R47_unsolicited_na_has_r_1_s_0_o_1),
	    cmocka_unit_test(a_short_buffer_and_no_address_are_refused),
	    cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests_name("vrrp/announce", tests, NULL, NULL);
}
