/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/fail_memory.h"
#include "service/model.h"
#include "words.h"

static void services_come_back_in_the_order_they_were_added(void **state)
{
	struct ha_service_table *t =
	    table_of("tcp 192.0.2.2 80 rr\ntcp 192.0.2.1 80 rr\nfwmark 7 wlc");
	struct ha_service *s = ha_service_next(t, NULL);
	char text[HA_SERVICE_TEXT_SIZE];

	assert_int_equal(ha_service_table_count(t), 3);
	assert_true(ha_service_format(s, text, sizeof(text)) > 0);
	assert_string_equal(text, "tcp 192.0.2.2:80 rr");
	s = ha_service_next(t, s);
	assert_true(ha_service_format(s, text, sizeof(text)) > 0);
	assert_string_equal(text, "tcp 192.0.2.1:80 rr");
	s = ha_service_next(t, s);
	assert_true(ha_service_format(s, text, sizeof(text)) > 0);
	assert_string_equal(text, "fwmark 7 ipv4 wlc");
	assert_null(ha_service_next(t, s));
	ha_service_table_free(t);
}

static void a_key_is_there_once(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr");
	struct ha_service_opts same = service_of("tcp 192.0.2.1 80 wlc");
	struct ha_service_opts udp = service_of("udp 192.0.2.1 80 wlc");

	assert_int_equal(ha_service_add(t, &same, NULL), -EEXIST);
	assert_int_equal(ha_service_add(t, &udp, NULL), 0);
	assert_non_null(ha_service_find(t, &same));
	ha_service_remove(ha_service_find(t, &same));
	assert_null(ha_service_find(t, &same));
	assert_int_equal(ha_service_table_count(t), 1);
	ha_service_table_free(t);
}

static void a_destination_with_the_same_key_is_changed(void **state)
{
	struct ha_service_table *t =
	    table_of("tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1\n 10.0.0.1 8080 NAT 1");
	struct ha_service *s = ha_service_next(t, NULL);
	struct ha_dest_opts d = dest_of("10.0.0.1 80 NAT 5");
	struct ha_dest_opts got = {.size = sizeof(got)};
	struct ha_dest *ret;

	assert_int_equal(ha_dest_set(s, &d, &ret), 0);
	assert_int_equal(ha_dest_count(s), 2);
	assert_ptr_equal(ret, ha_dest_next(s, NULL));
	assert_int_equal(ha_dest_get(ret, &got), 0);
	assert_int_equal(got.weight, 5);
	ha_dest_remove(ret);
	assert_null(ha_dest_find(s, &d));
	assert_int_equal(ha_dest_count(s), 1);
	ha_service_table_free(t);
}

static void defaults_are_filled_in(void **state)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 rr 60"),
			       got = {.size = sizeof(got)};
	struct ha_dest_opts d = dest_of("10.0.0.1 0 NAT 1"), got_d = {.size = sizeof(got_d)};
	struct ha_service_table *t;
	struct ha_service *s;
	struct ha_dest *dest;

	o.scheduler = NULL;
	assert_int_equal(ha_service_table_new(&t), 0);
	assert_int_equal(ha_service_add(t, &o, &s), 0);
	assert_int_equal(ha_dest_set(s, &d, &dest), 0);
	assert_int_equal(ha_service_get(s, &got), 0);
	assert_string_equal(got.scheduler, "wlc");
	assert_int_equal(got.persistence_prefix, 32);
	assert_int_equal(ha_dest_get(dest, &got_d), 0);
	assert_int_equal(got_d.port, 80);
	ha_service_table_free(t);
}

static void setting_keeps_key_and_destinations(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1");
	struct ha_service *s = ha_service_next(t, NULL);
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 wrr 60/24"),
			       got = {.size = sizeof(got)};
	struct ha_service_opts other = service_of("tcp 192.0.2.1 81 wrr");

	assert_int_equal(ha_service_set(s, &other), -EINVAL);
	assert_int_equal(ha_service_set(s, &o), 0);
	assert_int_equal(ha_service_get(s, &got), 0);
	assert_string_equal(got.scheduler, "wrr");
	assert_int_equal(ha_service_set(s, &got), 0); /* its own strings */
	assert_string_equal(got.scheduler, "wrr");
	assert_int_equal(ha_dest_count(s), 1);
	ha_service_table_free(t);
}

static void a_copy_is_deep(void **state)
{
	struct ha_service_table *t = table_of(
				    "tcp 192.0.2.1 80 rr 60/24\n 10.0.0.1 80 NAT 7\nfwmark 3 sh"),
				*copy;
	struct ha_service_opts key = service_of("tcp 192.0.2.1 80 x");
	char text[HA_SERVICE_TEXT_SIZE];

	assert_int_equal(ha_service_table_copy(t, &copy), 0);
	ha_service_table_free(t);
	assert_int_equal(ha_service_table_count(copy), 2);
	assert_true(ha_service_format(ha_service_find(copy, &key), text, sizeof(text)) > 0);
	assert_string_equal(text, "tcp 192.0.2.1:80 rr persistent 60s/24");
	assert_true(ha_dest_format(ha_dest_next(ha_service_find(copy, &key), NULL), text,
				   sizeof(text)) > 0);
	assert_string_equal(text, "10.0.0.1:80 NAT weight 7");
	ha_service_table_free(copy);
}

#define SERVICE(...)                                                \
	{                                                           \
		.size = sizeof(struct ha_service_opts), __VA_ARGS__ \
	}
#define DEST(...)                                                \
	{                                                        \
		.size = sizeof(struct ha_dest_opts), __VA_ARGS__ \
	}
#define V4                           \
	{                            \
		AF_INET,             \
		{                    \
			192, 0, 2, 1 \
		}                    \
	}
#define V6                                           \
	{                                            \
		AF_INET6,                            \
		{                                    \
			0x20, 1, 0xd, 0xb8, [15] = 1 \
		}                                    \
	}
#define TCP80 .address = V4, .protocol = IPPROTO_TCP, .port = 80

static void senseless_services_are_refused_with_a_reason(void **state)
{
	static const struct ha_service_opts bad[] = {
	    SERVICE(.protocol = IPPROTO_TCP, .port = 80),
	    SERVICE(.address = {AF_INET, {0}}, .protocol = IPPROTO_TCP, .port = 80),
	    SERVICE(.address = V4, .port = 80),
	    SERVICE(.address = V4, .protocol = IPPROTO_ICMP, .port = 80),
	    SERVICE(.address = V4, .protocol = IPPROTO_TCP),
	    SERVICE(TCP80, .fwmark = 1),
	    SERVICE(TCP80, .flags = HA_SERVICE_ONE_PACKET),
	    SERVICE(TCP80, .flags = 0x80),
	    SERVICE(TCP80, .scheduler = ""),
	    SERVICE(TCP80, .scheduler = "sixteencharacter"),
	    SERVICE(TCP80, .scheduler = "w r"),
	    SERVICE(TCP80, .persistence_prefix = 24),
	    SERVICE(TCP80, .persistence_s = 1, .persistence_prefix = 33),
	    SERVICE(TCP80, .persistence_s = HA_PERSISTENCE_MAX_S + 1),
	    SERVICE(TCP80, .persistence_engine = "sip"),
	};
	struct ha_service_table *t;

	assert_int_equal(ha_service_table_new(&t), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *reason = NULL;

		assert_int_equal(ha_service_check(&bad[i], NULL, &reason), -EINVAL);
		assert_non_null(reason);
		assert_int_equal(ha_service_add(t, &bad[i], NULL), -EINVAL);
	}
	assert_int_equal(ha_service_table_count(t), 0);
	ha_service_table_free(t);
}

static void senseless_destinations_are_refused_with_a_reason(void **state)
{
	static const struct ha_service_opts service = SERVICE(TCP80);
	static const struct ha_dest_opts bad[] = {
	    DEST(.weight = 1),
	    DEST(.address = V6),
	    DEST(.address = V4, .weight = (uint32_t)HA_WEIGHT_MAX + 1),
	    DEST(.address = V4, .forward = HA_FORWARD_LOCAL),
	    DEST(.address = V4, .upper_threshold = 5, .lower_threshold = 6),
	    DEST(.address = V4, .tunnel = HA_TUNNEL_GRE),
	    DEST(.address = V4, .forward = HA_FORWARD_TUN, .tunnel = HA_TUNNEL_GUE),
	    DEST(.address = V4, .forward = HA_FORWARD_TUN, .tunnel_flags = HA_TUNNEL_CSUM),
	    DEST(.address = V4, .forward = HA_FORWARD_TUN, .tunnel = HA_TUNNEL_GRE,
		 .tunnel_port = 1),
	};
	static const struct ha_dest_opts mixed = DEST(.address = V6, .forward = HA_FORWARD_TUN);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *reason = NULL;

		assert_int_equal(ha_service_check(&service, &bad[i], &reason), -EINVAL);
		assert_non_null(reason);
	}
	assert_int_equal(ha_service_check(&service, &mixed, NULL), 0);
}

static void options_of_the_future_are_refused(void **state)
{
	struct {
		struct ha_service_opts o;
		uint64_t news;
	} o = {SERVICE(TCP80), 0};
	const char *reason = NULL;

	o.o.size = sizeof(o);
	assert_int_equal(ha_service_check(&o.o, NULL, &reason), 0);
	o.news = 1;
	assert_int_equal(ha_service_check(&o.o, NULL, &reason), -E2BIG);
	assert_non_null(reason);
	o.o.size = 0;
	assert_int_equal(ha_service_check(&o.o, NULL, &reason), -EINVAL);
}

static void texts_say_when_they_do_not_fit(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr");
	char text[20];

	assert_int_equal(ha_service_format(ha_service_next(t, NULL), text, 19), -ENOSPC);
	assert_int_equal(ha_service_format(ha_service_next(t, NULL), text, 20), 19);
	ha_service_table_free(t);
}

static void every_failed_allocation_is_an_error_and_leaks_nothing(void **state)
{
	long n = 0;
	int r;

	do {
		struct ha_service_table *t = NULL, *copy = NULL;

		fail_in = n++;
		r = ha_service_table_new(&t);
		if (!r)
			r = table_fill(t, "tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 "
					  "NAT 1\nfwmark 7 rr");
		if (!r)
			r = ha_service_table_copy(t, &copy);
		fail_in = -1;
		if (r)
			assert_int_equal(r, -ENOMEM);
		ha_service_table_free(t);
		ha_service_table_free(copy);
	} while (r && n < 100);
	assert_int_equal(r, 0);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(services_come_back_in_the_order_they_were_added),
	    cmocka_unit_test(a_key_is_there_once),
	    cmocka_unit_test(a_destination_with_the_same_key_is_changed),
	    cmocka_unit_test(defaults_are_filled_in),
	    cmocka_unit_test(setting_keeps_key_and_destinations),
	    cmocka_unit_test(a_copy_is_deep),
	    cmocka_unit_test(senseless_services_are_refused_with_a_reason),
	    cmocka_unit_test(senseless_destinations_are_refused_with_a_reason),
	    cmocka_unit_test(options_of_the_future_are_refused),
	    cmocka_unit_test(texts_say_when_they_do_not_fit),
	    cmocka_unit_test(every_failed_allocation_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
