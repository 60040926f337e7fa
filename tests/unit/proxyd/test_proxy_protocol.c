/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <cmocka.h>

#include "engine/proxy_protocol.h"

static struct sockaddr_in v4(const char *text, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
	return a;
}

static struct sockaddr_in6 v6(const char *text, unsigned port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static void assert_header(unsigned version, const void *from, const void *to, const void *want,
			  size_t len)
{
	char buf[PROXY_HEADER_MAX];

	assert_int_equal(proxy_header(buf, version, from, to), len);
	assert_memory_equal(buf, want, len);
}

static void version_1_is_a_line(void **state)
{
	struct sockaddr_in a = v4("192.0.2.1", 56324), b = v4("198.51.100.7", 443);
	struct sockaddr_in6 c = v6("2001:db8::1", 65535), d = v6("2001:db8::2", 1);
	static const char four[] = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
			  six[] = "PROXY TCP6 2001:db8::1 2001:db8::2 65535 1\r\n";

	(void)state;
	assert_header(1, &a, &b, four, sizeof(four) - 1);
	assert_header(1, &c, &d, six, sizeof(six) - 1);
}

static void version_2_is_binary(void **state)
{
	struct sockaddr_in a = v4("192.0.2.1", 0x1234), b = v4("198.51.100.7", 443);
	struct sockaddr_in6 c = v6("2001:db8::1", 0xffff), d = v6("2001:db8::2", 1);
	static const char four[] =
	    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07"
	    "\x12\x34\x01\xbb",
			  six[] = "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"
				  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
				  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xff\xff\0\x01";

	(void)state;
	assert_header(2, &a, &b, four, sizeof(four) - 1);
	assert_header(2, &c, &d, six, sizeof(six) - 1);
}

static void other_families_are_unknown(void **state)
{
	struct sockaddr_in a = v4("192.0.2.1", 1);
	struct sockaddr_in6 b = v6("::1", 1);
	struct sockaddr none = {.sa_family = AF_UNIX};
	static const char one[] = "PROXY UNKNOWN\r\n", two[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

	(void)state;
	assert_header(1, &a, &b, one, sizeof(one) - 1);
	assert_header(1, &none, &none, one, sizeof(one) - 1);
	assert_header(2, &none, &a, two, 16);
}

static void the_longest_line_fits(void **state)
{
	struct sockaddr_in6 a = v6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	char buf[PROXY_HEADER_MAX];

	(void)state;
	assert_true(proxy_header(buf, 1, (void *)&a, (void *)&a) < sizeof(buf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(version_1_is_a_line),
	    cmocka_unit_test(version_2_is_binary),
	    cmocka_unit_test(other_families_are_unknown),
	    cmocka_unit_test(the_longest_line_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
