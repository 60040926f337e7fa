/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/netscaler_cip.h"

#define MAGIC 0x4e530001u
#define TCP "\x30\x39\x01\xbb\0\0\0\0\0\0\0\0\x50\x02\0\0\0\0\0\0" /* 12345 to 443 */
#define IPV4 "\x45\0\0\x28\0\0\0\0\x40\x06\0\0\xc0\0\x02\x01\xc6\x33\x64\x07" TCP
#define IPV6 "\x60\0\0\0\0\x14\x06\x40\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" TCP
#define NUMBER "\x4e\x53\0\x01"

static const char v4[] = NUMBER "\0\0\0\x28" IPV4, v6[] = NUMBER "\0\0\0\x3c" IPV6, typed[] = NUMBER "\0\0\0\x34\0\x01\0\x28" IPV4;

static void assert_v4(const struct proxy_ends *e)
{
	const struct sockaddr_in *from = (const void *)&e->from, *to = (const void *)&e->to;

	assert_int_equal(from->sin_family, AF_INET);
	assert_int_equal(ntohl(from->sin_addr.s_addr), 0xc0000201);
	assert_int_equal(ntohl(to->sin_addr.s_addr), 0xc6336407);
	assert_int_equal(ntohs(from->sin_port), 12345);
	assert_int_equal(ntohs(to->sin_port), 443);
}

static void both_forms_are_read(void **state)
{
	struct proxy_ends e;

	assert_int_equal(netscaler_cip_parse(v4, sizeof(v4) - 1, MAGIC, &e), 48);
	assert_v4(&e);
	assert_int_equal(netscaler_cip_parse(typed, sizeof(typed) - 1, MAGIC, &e), 52);
	assert_v4(&e);
	assert_int_equal(netscaler_cip_parse(v6, sizeof(v6) - 1, MAGIC, &e), 68);
	assert_int_equal(e.from.ss_family, AF_INET6);
	assert_int_equal(ntohs(((const struct sockaddr_in6 *)(const void *)&e.to)->sin6_port), 443);
}

static void a_part_of_it_asks_for_more(void **state)
{
	struct proxy_ends e;

	for (size_t n = 0; n < sizeof(v4) - 1; n++)
		assert_int_equal(netscaler_cip_parse(v4, n, MAGIC, &e), 0);
	for (size_t n = 0; n < sizeof(v6) - 1; n++)
		assert_int_equal(netscaler_cip_parse(v6, n, MAGIC, &e), 0);
	for (size_t n = 0; n < sizeof(typed) - 1; n++)
		assert_int_equal(netscaler_cip_parse(typed, n, MAGIC, &e), 0);
}

/* One byte of the older form is another one. */
static ssize_t with(size_t at, unsigned char byte)
{
	char copy[sizeof(v4)];
	struct proxy_ends e;
	ssize_t n;

	memcpy(copy, v4, sizeof(v4));
	copy[at] = (char)byte;
	n = netscaler_cip_parse(copy, sizeof(v4) - 1, MAGIC, &e);
	if (n < 0)
		assert_int_equal(e.from.ss_family, AF_UNSPEC);
	return n;
}

static void what_is_none_is_refused(void **state)
{
	assert_int_equal(with(3, 2), -EPROTO);		/* another number */
	assert_int_equal(with(8, 0x55), -EPROTONOSUPPORT); /* IP version 5 */
	assert_int_equal(with(8, 0x44), -EPROTONOSUPPORT); /* a head of 16 bytes */
	assert_int_equal(with(8, 0x46), -EPROTONOSUPPORT); /* of 24: no room for TCP's */
	assert_int_equal(with(17, 17), -EPROTONOSUPPORT);  /* UDP */
	assert_int_equal(with(7, 39), -EPROTONOSUPPORT);   /* too short for both */
	assert_int_equal(with(7, 0), -EPROTONOSUPPORT);
	assert_int_equal(with(4, 0xff), -EPROTONOSUPPORT); /* too long for anything */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_forms_are_read),
	    cmocka_unit_test(a_part_of_it_asks_for_more),
	    cmocka_unit_test(what_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
