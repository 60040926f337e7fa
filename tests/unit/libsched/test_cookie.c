/* SPDX-License-Identifier: MIT */
/* Cookies of HAProxy and of F5, both ways. F5's values are those of its own documents. */
#include <arpa/inet.h>
#include <stdlib.h>

#include <libsched/lb_persist.h>

#include "support.h"

static const struct {
	const char *value, *addr;
	uint16_t port, domain;
	uint32_t in_domain;
} f5[] = {
    {"1677787402.36895.0000", "10.1.1.100", 8080, 0, 0},
    {"110536896.20480.0000", "192.168.150.6", 80, 0, 0},
    {"vi20010112000000000000000000000030.20480", "2001:112::30", 80, 0, 0},
    {"rd5o00000000000000000000ffffc0000201o80", "192.0.2.1", 80, 5, 1},
    {"rd3o20010112000000000000000000000033o80", "2001:112::33", 80, 3, 1},
    {"rd0o00000000000000000000ffff0a000001o443", "10.0.0.1", 443, 0, 1},
    {"4294967295.65535.0000", "255.255.255.255", 65535, 0, 0},
    {"0.0.0000", "0.0.0.0", 0, 0, 0},
};

static void f5_cookies_go_both_ways(void **state)
{
	for (size_t i = 0; i < sizeof(f5) / sizeof(f5[0]); i++) {
		struct lb_cookie_f5 c;
		char text[INET6_ADDRSTRLEN], value[64];

		assert_int_equal(lb_cookie_f5_read(f5[i].value, strlen(f5[i].value), &c), 0);
		assert_non_null(
		    inet_ntop(c.addr_len == 4 ? AF_INET : AF_INET6, c.addr, text, sizeof(text)));
		assert_string_equal(text, f5[i].addr);
		assert_int_equal(c.port, f5[i].port);
		assert_int_equal(c.route_domain, f5[i].domain);
		assert_int_equal(c.in_domain, f5[i].in_domain);
		assert_int_equal(lb_cookie_f5_write(&c, value, sizeof(value)), strlen(f5[i].value));
		assert_string_equal(value, f5[i].value);
		assert_int_equal(lb_cookie_f5_write(&c, value, strlen(f5[i].value)), -ENOSPC);
	}
}

static void what_is_no_f5_cookie_is_ebadmsg(void **state)
{
	static const char *const bad[] = {
	    "",
	    "1677787402",
	    "1677787402.36895",
	    "1677787402.36895.0001",
	    "1677787402.36895.00000",
	    "4294967296.36895.0000",
	    "1677787402.65536.0000",
	    "-1.80.0000",
	    " 1.80.0000",
	    "1..0000",
	    "99999999999999999999999999.1.0000",
	    "vi2001011200000000000000000000003.20480",
	    "vi200101120000000000000000000000300.20480",
	    "vi2001011200000000000000000000003g.20480",
	    "vi20010112000000000000000000000030",
	    "rd5o00000000000000000000ffffc0000201",
	    "rd65535o00000000000000000000ffffc0000201o80",
	    "rdo00000000000000000000ffffc0000201o80",
	    "rd5o00000000000000000000ffffc0000201o80 ",
	    "!Tm90IGVuY3J5cHRlZA==",
	};
	struct lb_cookie_f5 c = {.addr_len = 7};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(lb_cookie_f5_read(bad[i], strlen(bad[i]), &c), -EBADMSG);
	for (size_t i = 0; i < sizeof(f5) / sizeof(f5[0]); i++) /* cut off, at the end of memory */
		for (size_t len = 0; len + 1 < strlen(f5[i].value); len++) {
			char *copy = malloc(len + 1);
			int r;

			memcpy(copy, f5[i].value, len);
			r = lb_cookie_f5_read(copy, len, &c);
			assert_true(r == -EBADMSG || f5[i].value[0] == 'v' ||
				    f5[i].value[0] == 'r'); /* a shorter port is a port */
			free(copy);
		}
	assert_int_equal(lb_cookie_f5_read(NULL, 0, &c), -EINVAL);
	assert_int_equal(lb_cookie_f5_write(NULL, NULL, 0), -EINVAL);
	c = (struct lb_cookie_f5){.addr_len = 5};
	assert_int_equal(lb_cookie_f5_write(&c, NULL, 0), -EINVAL);
}

static ssize_t write_haproxy(const char *word, uint64_t last_s, uint64_t first_s, char *buf)
{
	const struct lb_cookie_haproxy c = {word, strlen(word), last_s, first_s};

	return lb_cookie_haproxy_write(&c, buf, 300);
}

static void haproxy_cookies_go_both_ways(void **state)
{
	struct lb_cookie_haproxy c;
	char value[300];
	ssize_t n;

	assert_int_equal(write_haproxy("s1", 0, 0, value), 2);
	assert_string_equal(value, "s1");
	assert_int_equal(lb_cookie_haproxy_read(value, 2, &c), 0);
	assert_int_equal(c.word_len, 2);
	assert_int_equal(c.last_s, 0);

	assert_int_equal(write_haproxy("s1", 4, 0, value), 8);
	assert_string_equal(value, "s1|AAAAB");
	n = write_haproxy("web-2", 1700000000, 1699999997, value);
	assert_int_equal(n, 17);
	assert_int_equal(lb_cookie_haproxy_read(value, (size_t)n, &c), 0);
	assert_memory_equal(c.word, "web-2", 5);
	assert_int_equal(c.word_len, 5);
	assert_int_equal(c.last_s, 1700000000);
	assert_int_equal(c.first_s, 1700000000); /* in fours, rounded up */
}

static void dates_that_cannot_be_read_are_none(void **state)
{
	static const char *const bad[] = {"s1|", "s1|AAAA", "s1|AA AB", "s1|\xff\xff\xff\xff\xff"};
	struct lb_cookie_haproxy c;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(lb_cookie_haproxy_read(bad[i], strlen(bad[i]), &c), 0);
		assert_int_equal(c.word_len, 2);
		assert_int_equal(c.last_s, 0);
	}
	assert_int_equal(lb_cookie_haproxy_read("s1|AAAAB|x", 10, &c), 0);
	assert_int_equal(c.last_s, 4);
	assert_int_equal(c.first_s, 0);
}

static void what_is_no_word_is_refused(void **state)
{
	char value[300], longest[LB_COOKIE_MAX + 2];
	struct lb_cookie_haproxy c;

	memset(longest, 'a', sizeof(longest));
	longest[LB_COOKIE_MAX + 1] = '\0';
	assert_int_equal(write_haproxy("", 0, 0, value), -EINVAL);
	assert_int_equal(write_haproxy("a b", 0, 0, value), -EINVAL);
	assert_int_equal(write_haproxy("a|b", 0, 0, value), -EINVAL);
	assert_int_equal(write_haproxy("a\r\nSet-Cookie: x", 0, 0, value), -EINVAL);
	assert_int_equal(write_haproxy("a", 0, 5, value), -EINVAL);
	assert_int_equal(write_haproxy("a", UINT64_MAX, 0, value), -EINVAL);
	assert_int_equal(write_haproxy(longest, 0, 0, value), -EINVAL);
	assert_int_equal(lb_cookie_haproxy_read("", 0, &c), -EBADMSG);
	assert_int_equal(lb_cookie_haproxy_read("|AAAAB", 6, &c), -EBADMSG);
	assert_int_equal(lb_cookie_haproxy_read("a;b", 3, &c), -EBADMSG);
	assert_int_equal(lb_cookie_haproxy_read("a\0b", 3, &c), -EBADMSG);
	assert_int_equal(lb_cookie_haproxy_read(longest, sizeof(longest) - 1, &c), -EBADMSG);
	assert_int_equal(lb_cookie_haproxy_read(NULL, 0, &c), -EINVAL);
	assert_int_equal(lb_cookie_haproxy_write(NULL, value, 300), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(f5_cookies_go_both_ways),
	    cmocka_unit_test(what_is_no_f5_cookie_is_ebadmsg),
	    cmocka_unit_test(haproxy_cookies_go_both_ways),
	    cmocka_unit_test(dates_that_cannot_be_read_are_none),
	    cmocka_unit_test(what_is_no_word_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
