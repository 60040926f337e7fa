/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "libsched/crc32.h"
#include <libsched/lb_hash.h>

static void an_ipv4_address_counts_in_host_order_plus_the_port(void **state)
{
	const uint8_t addr[] = {192, 0, 2, 1};
	uint64_t key = 0;

	assert_int_equal(lb_hash_ipvs(addr, 4, 0, &key), 0);
	assert_int_equal(key, 0xc0000201);
	assert_int_equal(lb_hash_ipvs(addr, 4, 443, &key), 0);
	assert_int_equal(key, 0xc0000201 + 443);
}

static void an_ipv6_address_is_folded_by_words(void **state)
{
	const uint8_t addr[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 7};
	uint64_t key = 0;

	assert_int_equal(lb_hash_ipvs(addr, 16, 0, &key), 0);
	assert_int_equal(key, 0x20010db8 ^ 1 ^ 0x10000007);
}

static void the_sum_wraps_at_32_bits(void **state)
{
	const uint8_t addr[] = {255, 255, 255, 255};
	uint64_t key = 0;

	assert_int_equal(lb_hash_ipvs(addr, 4, 3, &key), 0);
	assert_int_equal(key, 2);
}

static void other_lengths_are_refused(void **state)
{
	const uint8_t addr[16] = {0};
	uint64_t key = 5;

	assert_int_equal(lb_hash_ipvs(addr, 8, 0, &key), -EINVAL);
	assert_int_equal(lb_hash_ipvs(NULL, 4, 0, &key), -EINVAL);
	assert_int_equal(lb_hash_ipvs(addr, 4, 0, NULL), -EINVAL);
	assert_int_equal(key, 5);
}

/* XXH64's own check: lengths around each block size, bytes of its generator, with and without a seed. */
static void xxh64_is_the_published_one(void **state)
{
	assert_int_equal(lb_hash_bytes(NULL, 0, 0), 0xef46db3751d8e999);
	assert_int_equal(lb_hash_bytes("a", 1, 0), 0xd24ec4f1a98c6e5b);
	assert_int_equal(lb_hash_bytes("abc", 3, 0), 0x44bc2cf5ad770999);
	assert_int_equal(lb_hash_bytes("Nobody inspects the spammish repetition", 39, 0),
			 0xfbcea83c8a378bf1);
	assert_int_not_equal(lb_hash_bytes("abc", 3, 1), lb_hash_bytes("abc", 3, 0));
}

/* The check value of the CRC catalogue, and the join of all splits. */
static void crc32_is_zlibs(void **state)
{
	const char text[] = "123456789";

	assert_int_equal(lb_hash_crc32(text, 9), 0xcbf43926);
	assert_int_equal(lb_hash_crc32(NULL, 0), 0);
	for (uint32_t i = 0; i <= 9; i++)
		assert_int_equal(
		    crc32_join(lb_hash_crc32(text, i), lb_hash_crc32(text + i, 9 - i), 9 - i),
		    0xcbf43926);
}

/* The obvious way, byte by byte; HAProxy itself is asked in tests/interop/sched_haproxy.py. */
static void sdbm_and_djb2_are_the_textbooks(void **state)
{
	const char text[] = "/index.html?\xff";
	uint32_t sdbm = 0, djb2 = 5381;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		uint8_t c = (uint8_t)text[i];

		sdbm = c + (sdbm << 6) + (sdbm << 16) - sdbm;
		djb2 = (djb2 << 5) + djb2 + c;
	}
	assert_int_equal(lb_hash_sdbm(text, sizeof(text) - 1), sdbm);
	assert_int_equal(lb_hash_djb2(text, sizeof(text) - 1), djb2);
	assert_int_equal(lb_hash_wt6(NULL, 0), 0xa53c965a ^ 0x5ca6953a);
}

/* Numbers that differ in few bits come apart. */
static void avalanche_spreads_neighbours(void **state)
{
	static uint8_t seen[1 << 16];
	size_t most = 0;

	for (uint32_t i = 0; i < 1 << 20; i++) { /* 16 a slot, were it chance */
		uint8_t *slot = &seen[lb_hash_avalanche(i) >> 16];

		if (*slot < UINT8_MAX)
			++*slot;
		most = *slot > most ? *slot : most;
	}
	assert_in_range(most, 16, 50);
	assert_int_not_equal(lb_hash_avalanche(0), lb_hash_avalanche(1));
}

/* The loop of nginx over the bytes, twice, is the affine step of the key twice. */
static void an_address_for_ip_hash_is_one_step(void **state)
{
	const uint8_t addr[16] = {0x20, 0x01, 0x0d, 0xb8, 9,	8, 7, 1,
				  255,	254,  3,    0,	  0x10, 0, 0, 7};

	for (size_t len = 4; len <= 16; len += 12) {
		uint32_t theirs = 89, mine = 89;
		uint64_t key = 0;

		assert_int_equal(lb_hash_nginx_ip(addr, len, &key), 0);
		for (int try = 0; try < 5; try++) {
			for (size_t i = 0; i < (len == 4 ? 3 : 16); i++)
				theirs = (theirs * 113 + addr[i]) % 6271;
			mine = (uint32_t)((mine * (key >> 32) + (uint32_t)key) % 6271);
			assert_int_equal(mine, theirs);
		}
	}
	assert_int_equal(lb_hash_nginx_ip(addr, 8, &(uint64_t){0}), -EINVAL);
	assert_int_equal(lb_hash_nginx_ip(NULL, 4, &(uint64_t){0}), -EINVAL);
}

static void a_server_of_ketama_is_host_nul_port(void **state)
{
	assert_int_equal(lb_hash_ketama_server("192.0.2.1:80"),
			 lb_hash_crc32("192.0.2.1\00080", 12));
	assert_int_equal(lb_hash_ketama_server("www"), lb_hash_crc32("www", 4));
	assert_int_equal(lb_hash_ketama_server("www:"), lb_hash_crc32("www", 4));
	assert_int_equal(lb_hash_ketama_server("www80"), lb_hash_crc32("www80", 6));
	assert_int_equal(lb_hash_ketama_server("[2001:db8::1]"),
			 lb_hash_crc32("[2001:db8::1]", 14));
	assert_int_equal(lb_hash_ketama_server("unix:/run/a:80"), lb_hash_crc32("/run/a:80", 10));
	assert_int_equal(lb_hash_ketama_server(""), lb_hash_crc32("", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_ipv4_address_counts_in_host_order_plus_the_port),
	    cmocka_unit_test(an_ipv6_address_is_folded_by_words),
	    cmocka_unit_test(the_sum_wraps_at_32_bits),
	    cmocka_unit_test(other_lengths_are_refused),
	    cmocka_unit_test(xxh64_is_the_published_one),
	    cmocka_unit_test(crc32_is_zlibs),
	    cmocka_unit_test(sdbm_and_djb2_are_the_textbooks),
	    cmocka_unit_test(avalanche_spreads_neighbours),
	    cmocka_unit_test(an_address_for_ip_hash_is_one_step),
	    cmocka_unit_test(a_server_of_ketama_is_host_nul_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
