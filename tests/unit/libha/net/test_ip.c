/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <libha/ip.h>

static struct ha_ip ip_of(const char *text)
{
	struct ha_ip ip;

	assert_int_equal(ha_ip_parse(text, &ip), 0);
	return ip;
}

static void text_survives_the_way_there_and_back(void **state)
{
	static const char *const texts[] = {"0.0.0.0", "192.0.2.1", "255.255.255.255",
					    "::",      "fe80::1",   "2001:db8::a:0:0:1"};
	char buf[HA_IP_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ha_ip ip = ip_of(texts[i]);

		assert_int_equal(ha_ip_format(&ip, buf, sizeof(buf)), strlen(texts[i]));
		assert_string_equal(buf, texts[i]);
	}
}

static void what_is_no_address_is_refused_and_leaves_the_output_alone(void **state)
{
	static const char *const texts[] = {"",		  "1.2.3",    "1.2.3.4/24", "256.0.0.1",
					    "fe80::1%lo", "1.2.3.4 ", "::1::"};
	struct ha_ip ip = {.family = 77};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(ha_ip_parse(texts[i], &ip), -EINVAL);
	assert_int_equal(ha_ip_parse(NULL, &ip), -EINVAL);
	assert_int_equal(ip.family, 77);
}

static void a_short_buffer_is_told_and_not_overrun(void **state)
{
	struct ha_ip ip = ip_of("192.0.2.1"), none = {0};
	char buf[10] = "xxxxxxxxx";

	assert_int_equal(ha_ip_format(&ip, buf, 9), -ENOSPC);
	assert_string_equal(buf, "xxxxxxxxx");
	assert_int_equal(ha_ip_format(&ip, buf, 10), 9);
	assert_int_equal(ha_ip_format(&none, buf, 10), -EINVAL);
}

static void order_is_family_then_unsigned_value(void **state)
{
	struct ha_ip a = ip_of("10.0.0.1"), b = ip_of("200.0.0.1"), c = ip_of("::");

	assert_true(ha_ip_compare(&a, &b) < 0);
	assert_true(ha_ip_compare(&b, &a) > 0);
	assert_int_equal(ha_ip_compare(&a, &a), 0);
	assert_true(ha_ip_compare(&b, &c) < 0);
}

static void a_sockaddr_carries_the_same_address(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "fe80::2"};
	struct sockaddr_storage ss;
	struct sockaddr_in6 in6;

	for (size_t i = 0; i < 2; i++) {
		struct ha_ip ip = ip_of(texts[i]), back;
		ssize_t len = ha_ip_to_sockaddr(&ip, 112, 3, &ss);

		assert_true(len > 0);
		assert_int_equal(ha_ip_from_sockaddr((struct sockaddr *)&ss, (socklen_t)len, &back),
				 0);
		assert_memory_equal(&ip, &back, sizeof(ip));
		assert_int_equal(
		    ha_ip_from_sockaddr((struct sockaddr *)&ss, (socklen_t)len - 1, &back),
		    -EINVAL);
	}
	memcpy(&in6, &ss, sizeof(in6));
	assert_int_equal(in6.sin6_scope_id, 3);
	assert_int_equal(in6.sin6_port, htons(112));
	ss.ss_family = AF_UNIX;
	assert_int_equal(
	    ha_ip_from_sockaddr((struct sockaddr *)&ss, sizeof(ss), &(struct ha_ip){0}),
	    -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_survives_the_way_there_and_back),
	    cmocka_unit_test(what_is_no_address_is_refused_and_leaves_the_output_alone),
	    cmocka_unit_test(a_short_buffer_is_told_and_not_overrun),
	    cmocka_unit_test(order_is_family_then_unsigned_value),
	    cmocka_unit_test(a_sockaddr_carries_the_same_address),
	};

	return cmocka_run_group_tests_name("libha/net/ip", tests, NULL, NULL);
}
