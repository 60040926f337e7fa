/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
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

	assert_header(2, &a, &b, four, sizeof(four) - 1);
	assert_header(2, &c, &d, six, sizeof(six) - 1);
}

static void two_families_are_ipv6(void **state)
{
	struct sockaddr_in a = v4("192.0.2.1", 0x1234);
	struct sockaddr_in6 b = v6("2001:db8::2", 1);
	static const char one[] = "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 4660 1\r\n",
			  two[] = "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"
				  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
				  "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\0\x01\x12\x34";

	assert_header(1, &a, &b, one, sizeof(one) - 1);
	assert_header(2, &b, &a, two, sizeof(two) - 1);
}

static void other_families_are_unknown(void **state)
{
	struct sockaddr_in a = v4("192.0.2.1", 1);
	struct sockaddr none = {.sa_family = AF_UNIX};
	static const char one[] = "PROXY UNKNOWN\r\n", two[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

	assert_header(1, &none, &none, one, sizeof(one) - 1);
	assert_header(2, &none, &a, two, 16);
}

static void the_longest_line_fits(void **state)
{
	struct sockaddr_in6 a = v6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	char buf[PROXY_HEADER_MAX];

	assert_true(proxy_header(buf, 1, (void *)&a, (void *)&a) < sizeof(buf));
}

static void reads_what_it_writes(void **state)
{
	struct sockaddr_in a = v4("192.0.2.1", 56324), b = v4("198.51.100.7", 443);
	struct sockaddr_in6 c = v6("2001:db8::1", 65535), d = v6("2001:db8::2", 0);
	struct sockaddr none = {.sa_family = AF_UNIX};
	struct proxy_ends ends;
	char buf[PROXY_HEADER_MAX];

	for (unsigned version = 1; version <= 2; version++) {
		size_t len = proxy_header(buf, version, (void *)&a, (void *)&b);

		/* each part of it needs more; with more behind it, it ends where it ends */
		for (size_t i = 0; i < len; i++)
			assert_int_equal(proxy_parse(buf, i, &ends), 0);
		assert_int_equal(proxy_parse(buf, sizeof(buf), &ends), len);
		assert_memory_equal(&ends.from, &a, sizeof(a));
		assert_memory_equal(&ends.to, &b, sizeof(b));
		len = proxy_header(buf, version, (void *)&c, (void *)&d);
		assert_int_equal(proxy_parse(buf, len, &ends), len);
		assert_memory_equal(&ends.from, &c, sizeof(c));
		assert_memory_equal(&ends.to, &d, sizeof(d));
		len = proxy_header(buf, version, (void *)&a, (void *)&none);
		assert_int_equal(proxy_parse(buf, len, &ends), len);
		assert_int_equal(ends.from.ss_family, AF_UNSPEC);
	}
}

static void tells_more(void **state)
{
	static const struct proxy_tls tls = {.in_use = true, .version = "TLSv1.3", .cipher = "C", .key = "RSA2048", .signature = "S"};
	struct proxy_extra extra = {
	    .crc32c = true, .authority = "a.example", .authority_len = 9, .unique_id = "id", .unique_id_len = 2, .tls = &tls,
	};
	struct sockaddr_in a = v4("192.0.2.1", 1), b = v4("192.0.2.2", 2);
	char buf[PROXY_HEADER_MAX + PROXY_EXTRA_MAX], longest[PROXY_VALUE_MAX + 1] = {0};
	struct proxy_ends ends;
	size_t len = proxy_header_extra(buf, proxy_header(buf, 2, (void *)&a, (void *)&b), &extra);

	assert_int_equal(proxy_parse(buf, len, &ends), len); /* the sum is right, too */
	assert_int_equal(ends.authority_len, 9);
	assert_memory_equal(ends.authority, "a.example", 9);
	assert_int_equal(ends.unique_id_len, 2);
	buf[len - 1] ^= 1;
	assert_int_equal(proxy_parse(buf, len, &ends), -EPROTO);
	/* the longest that is told, in all places, and one more */
	extra.alpn = extra.authority = extra.unique_id = longest;
	extra.alpn_len = extra.authority_len = PROXY_VALUE_MAX;
	extra.unique_id_len = PROXY_UNIQUE_ID_MAX;
	len = proxy_header_extra(buf, proxy_header(buf, 2, (void *)&a, (void *)&b), &extra);
	assert_int_equal(proxy_parse(buf, len, &ends), len);
	assert_int_equal(ends.unique_id_len, PROXY_UNIQUE_ID_MAX);
	extra.unique_id_len++;
	len = proxy_header_extra(buf, proxy_header(buf, 2, (void *)&a, (void *)&b), &extra);
	assert_int_equal(proxy_parse(buf, len, &ends), len);
	assert_null(ends.unique_id);
}

static void refuses_what_is_no_header(void **state)
{
	static const char *const wrong[] = {
	    "GET / HTTP/1.1\r\n",
	    "PROXY\r\n",
	    "PROXY \r\n",
	    "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
	    "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
	    "PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
	    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
	    "PROXY TCP4 11111111111111111111111111111111111111111111111111111111111111111111111111"
	    "11111111111111111111111111111111111111111111111111111",
	};
	char v2[16 + 12] = "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c";
	struct proxy_ends ends;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(proxy_parse(wrong[i], strlen(wrong[i]), &ends), -EPROTO);
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), -EPROTO); /* version 3 */
	v2[12] = 0x22;						       /* an unknown command */
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), -EPROTO);
	v2[12] = 0x21;
	v2[13] = 0x41; /* an unknown family */
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), -EPROTO);
	v2[13] = 0x13; /* an unknown protocol */
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), -EPROTO);
	v2[13] = 0x12; /* known, and none of ours */
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), sizeof(v2));
	assert_int_equal(ends.from.ss_family, AF_UNSPEC);
	v2[13] = 0x11;
	v2[15] = 11; /* too short for two addresses */
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), -EPROTO);
	v2[14] = 0x7f; /* longer than we read */
	assert_int_equal(proxy_parse(v2, sizeof(v2), &ends), -EPROTO);
}

static void extras_have_an_end(void **state)
{
	char data[64] = "\r\n\r\n\0\r\nQUIT\n\x21\x11";
	struct proxy_ends ends;

	data[15] = 12 + 7 + 5;
	memcpy(data + 28, "\x02\0\4host", 7);
	memcpy(data + 35, "\x05\0\2id", 5);
	assert_int_equal(proxy_parse(data, sizeof(data), &ends), 40);
	assert_int_equal(ends.authority_len, 4);
	assert_memory_equal(ends.authority, "host", 4);
	assert_int_equal(ends.unique_id_len, 2);
	assert_memory_equal(ends.unique_id, "id", 2);
	data[37] = 3; /* longer than the header */
	assert_int_equal(proxy_parse(data, sizeof(data), &ends), -EPROTO);
	data[15] = 12 + 2; /* no room for a length */
	assert_int_equal(proxy_parse(data, sizeof(data), &ends), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(version_1_is_a_line),
	    cmocka_unit_test(version_2_is_binary),
	    cmocka_unit_test(two_families_are_ipv6),
	    cmocka_unit_test(other_families_are_unknown),
	    cmocka_unit_test(the_longest_line_fits),
	    cmocka_unit_test(reads_what_it_writes),
	    cmocka_unit_test(tells_more),
	    cmocka_unit_test(extras_have_an_end),
	    cmocka_unit_test(refuses_what_is_no_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
