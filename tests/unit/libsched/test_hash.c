/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <libsched/lb_hash.h>

static void an_ipv4_address_counts_in_host_order_plus_the_port(void **state)
{
	const uint8_t addr[] = {192, 0, 2, 1};
	uint64_t key = 0;

	(void)state;
	assert_int_equal(lb_hash_ipvs(addr, 4, 0, &key), 0);
	assert_int_equal(key, 0xc0000201);
	assert_int_equal(lb_hash_ipvs(addr, 4, 443, &key), 0);
	assert_int_equal(key, 0xc0000201 + 443);
}

static void an_ipv6_address_is_folded_by_words(void **state)
{
	const uint8_t addr[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 7};
	uint64_t key = 0;

	(void)state;
	assert_int_equal(lb_hash_ipvs(addr, 16, 0, &key), 0);
	assert_int_equal(key, 0x20010db8 ^ 1 ^ 0x10000007);
}

static void the_sum_wraps_at_32_bits(void **state)
{
	const uint8_t addr[] = {255, 255, 255, 255};
	uint64_t key = 0;

	(void)state;
	assert_int_equal(lb_hash_ipvs(addr, 4, 3, &key), 0);
	assert_int_equal(key, 2);
}

static void other_lengths_are_refused(void **state)
{
	const uint8_t addr[16] = {0};
	uint64_t key = 5;

	(void)state;
	assert_int_equal(lb_hash_ipvs(addr, 8, 0, &key), -EINVAL);
	assert_int_equal(lb_hash_ipvs(NULL, 4, 0, &key), -EINVAL);
	assert_int_equal(lb_hash_ipvs(addr, 4, 0, NULL), -EINVAL);
	assert_int_equal(key, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_ipv4_address_counts_in_host_order_plus_the_port),
	    cmocka_unit_test(an_ipv6_address_is_folded_by_words),
	    cmocka_unit_test(the_sum_wraps_at_32_bits),
	    cmocka_unit_test(other_lengths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
