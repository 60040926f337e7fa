/* SPDX-License-Identifier: MIT */
/* Golden frames, written down from RFC 791, RFC 8200, RFC 1112 and RFC 2464. */
#include "rig.h"

#include "vrrp/frame.h"

static const uint8_t mac[6] = {0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}, message[4] = {1, 2, 3, 4};

static void R6_an_ipv4_frame_comes_from_the_virtual_mac(void **state)
{
	static const uint8_t golden[38] = {
	    0x01, 0x00, 0x5e, 0x00, 0x00, 0x12,		    /* 224.0.0.18 */
	    0x00, 0x00, 0x5e, 0x00, 0x01, 0x33, 0x08, 0x00, /* from the virtual MAC; IPv4 */
	    0x45, 0xc0, 0,    24,   0,	  0,	0x40, 0,    /* 24 bytes, do not fragment */
	    255,  112,	0x90, 0x99, 10,	  9,	0,    1,    /* TTL, VRRP, checksum, source */
	    224,  0,	0,    18,   1,	  2,	3,    4,
	};
	const struct ha_ip source = ip("10.9.0.1"), group = ip("224.0.0.18");
	uint8_t frame[VRRP_FRAME_SIZE];

	assert_int_equal(slow_csum(golden + 14, 20, 0), 0);
	assert_int_equal(vrrp_frame(mac, &source, &group, NULL, message, 4, frame, sizeof(frame)),
			 38);
	assert_memory_equal(frame, golden, 38);
}

static void R6_an_ipv6_frame_comes_from_the_virtual_mac(void **state)
{
	static const uint8_t golden[58] = {
	    0x33,	 0x33, 0x00, 0x00, 0x00, 0x12, /* ff02::12 */
	    0x00,	 0x00, 0x5e, 0x00, 0x01, 0x33, 0x86, 0xdd,	  0x6c, 0,    0,
	    0,		 0,    4,    112,  255,	 0xfe, 0x80, [37] = 0x01, 0xff, 0x02, /* fe80::1 to ff02::12 */
	    [53] = 0x12, 1,    2,    3,	   4,
	};
	const struct ha_ip source = ip("fe80::1"), group = ip("ff02::12");
	uint8_t frame[VRRP_FRAME_SIZE];

	assert_int_equal(vrrp_frame(mac, &source, &group, NULL, message, 4, frame, sizeof(frame)),
			 58);
	assert_memory_equal(frame, golden, 58);
}

/* 23 bits of the group stand in the MAC address (RFC 1112 section 6.4). */
static void the_24th_bit_of_a_group_is_left_out(void **state)
{
	const struct ha_ip source = ip("10.9.0.1"), group = ip("239.129.2.3");
	static const uint8_t to[6] = {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};
	uint8_t frame[VRRP_FRAME_SIZE];

	assert_int_equal(vrrp_frame(mac, &source, &group, NULL, message, 4, frame, sizeof(frame)),
			 38);
	assert_memory_equal(frame, to, 6);
}

static void what_is_no_frame_is_refused(void **state)
{
	const struct ha_ip four = ip("10.9.0.1"), six = ip("fe80::1"), group = ip("224.0.0.18"),
			   none = {0};
	uint8_t frame[VRRP_FRAME_SIZE], big[1500] = {0};

	for (size_t cap = 0; cap < 38; cap++)
		assert_int_equal(vrrp_frame(mac, &four, &group, NULL, message, 4, frame, cap),
				 -ENOSPC);
	assert_int_equal(vrrp_frame(mac, &four, &four, NULL, message, 4, frame, sizeof(frame)),
			 -EINVAL);
	assert_int_equal(vrrp_frame(mac, &six, &six, NULL, message, 4, frame, sizeof(frame)),
			 -EINVAL);
	assert_int_equal(vrrp_frame(mac, &six, &group, NULL, message, 4, frame, sizeof(frame)),
			 -EINVAL);
	assert_int_equal(vrrp_frame(mac, &none, &none, NULL, message, 4, frame, sizeof(frame)),
			 -EINVAL);
	assert_int_equal(vrrp_frame(mac, &four, &group, NULL, big, 1480, frame, sizeof(frame)),
			 1514);
	assert_int_equal(vrrp_frame(mac, &four, &group, NULL, big, 1481, frame, sizeof(frame)),
			 -ENOSPC);
}

/* AH proves the header that leaves, whatever that is: only its checksum is made here. */
static void a_given_ip_header_is_used(void **state)
{
	uint8_t header[20] = {0x45, 0xc0, 0,  24, 0x12, 0x34, 0,   0, 255, 51,
			      0xff, 0xff, 10, 9,  0,	1,    224, 0, 0,   18};
	const struct ha_ip source = ip("10.9.0.1"), group = ip("224.0.0.18"), six = ip("ff02::12"),
			   from6 = ip("fe80::1");
	uint8_t frame[VRRP_FRAME_SIZE];

	assert_int_equal(vrrp_frame(mac, &source, &group, header, message, 4, frame, sizeof(frame)),
			 38);
	assert_memory_equal(frame + 14, header, 10);
	assert_memory_equal(frame + 26, header + 12, 8);
	assert_int_equal(slow_csum(frame + 14, 20, 0), 0);
	assert_int_equal(vrrp_frame(mac, &from6, &six, header, message, 4, frame, sizeof(frame)),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(R6_an_ipv4_frame_comes_from_the_virtual_mac),
	    cmocka_unit_test(R6_an_ipv6_frame_comes_from_the_virtual_mac),
	    cmocka_unit_test(the_24th_bit_of_a_group_is_left_out),
	    cmocka_unit_test(a_given_ip_header_is_used),
	    cmocka_unit_test(what_is_no_frame_is_refused),
	};

	return cmocka_run_group_tests_name("vrrp/frame", tests, NULL, NULL);
}
