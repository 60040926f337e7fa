/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "control/live.h"

static int no_send(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		   void *u)
{
	return 0;
}

static struct ha_vrrp *owner(void)
{
	const struct ha_vrrp_ops ops = {.size = sizeof(ops), .send = no_send};
	struct ha_ip address, source;
	struct ha_vrrp_opts o = {.size = sizeof(o),
				 .vrid = 1,
				 .family = AF_INET,
				 .priority = 255,
				 .addresses = &address,
				 .n_addresses = 1};
	struct ha_vrrp *v;

	ha_ip_parse("10.0.0.100", &address);
	ha_ip_parse("10.0.0.1", &source);
	o.source = source;
	assert_int_equal(ha_vrrp_new(&o, &ops, NULL, &v), 0);
	assert_int_equal(ha_vrrp_start(v, 1000), 0);
	return v;
}

static void what_was_written_is_read(void **state)
{
	struct live_counters base = {.adverts_sent = 40};
	struct live_router slot = {0}, got;
	struct ha_vrrp *v = owner();

	assert_false(live_read_router(&slot, &got)); /* nothing yet */
	live_write_router(&slot, v, &base);
	assert_true(live_read_router(&slot, &got));
	assert_int_equal(got.status.state, HA_VRRP_ACTIVE);
	assert_int_equal(got.counters.adverts_sent, 41);
	ha_vrrp_free(v);
}

static void a_successor_counts_on_and_clearing_begins_at_0(void **state)
{
	struct live_router slot = {0}, got;
	struct live_counters base;
	struct ha_vrrp *v = owner();

	assert_false(live_base(&slot, &base));
	live_write_router(&slot, v, NULL);
	assert_true(live_base(&slot, &base));
	assert_int_equal(base.adverts_sent, 1);
	live_clear(v, &base);
	live_write_router(&slot, v, &base);
	assert_true(live_read_router(&slot, &got));
	assert_int_equal(got.counters.adverts_sent, 0);
	assert_int_equal(got.counters.became_active, 0);
	ha_vrrp_free(v);
}

static void what_a_crash_left_half_written_is_not_read_and_then_written_anew(void **state)
{
	struct live_counters base = {0};
	struct live_router slot = {0}, got;
	struct ha_vrrp *v = owner();

	live_write_router(&slot, v, &base);
	atomic_fetch_add(&slot.turn, 1); /* it died in the middle */
	assert_false(live_read_router(&slot, &got));
	assert_int_equal(got.n_senders, 0);
	live_write_router(&slot, v, &base);
	assert_true(live_read_router(&slot, &got));
	ha_vrrp_free(v);
}

static void a_writer_that_lies_harms_nobody(void **state)
{
	struct live_router slot = {0}, got;
	struct live_check check = {.has_text = 1};
	char text[1][HEALTH_TEXT_MAX];
	const struct live l = {.n_checks = 1, .check = &check, .text = text};
	struct health_check_status status;

	atomic_store(&slot.turn, 2);
	slot.n_senders = UINT32_MAX;
	assert_true(live_read_router(&slot, &got));
	assert_int_equal(got.n_senders, LIVE_SENDERS);
	memset(check.status, 'x', sizeof(check.status));
	memset(text, 'x', sizeof(text));
	atomic_store(&check.turn, 2);
	assert_true(live_read_check(&l, 0, &status));
	assert_int_equal(strlen(status.text), sizeof(status.text) - 1);
}

static void lateness_is_counted_by_its_bounds(void **state)
{
	struct live_late late = {0};

	live_add_late(&late, 0);
	live_add_late(&late, live_late_bound_ns[0]);
	live_add_late(&late, live_late_bound_ns[0] + 1);
	live_add_late(&late, UINT64_C(5000000000));
	assert_int_equal(late.count[0], 2);
	assert_int_equal(late.count[1], 1);
	assert_int_equal(late.count[LIVE_LATE_BOUNDS], 1);
}

static void counters_come_along_by_key(void **state)
{
	struct conf_instance i[2] = {{.next = &i[1]}, {0}}, j = {0};
	struct conf one = {.instances = i, .n_instances = 2},
		    two = {.instances = &j, .n_instances = 1};
	struct shared_router key[2] = {{.id = {"a"}}, {.id = {"b"}}}, new_key[1] = {{.id = {"b"}}};
	struct shared keys = {.n_routers = 2, .router = key};
	struct shared new_keys = {.n_routers = 1, .router = new_key};
	const struct live_counters base = {.adverts_received = 7};
	struct live *old, *l;
	struct live_counters got;
	struct ha_vrrp *v = owner();

	assert_int_equal(live_new(&one, &keys, NULL, NULL, NULL, &old), 0);
	live_write_router(&old->router[1], v, &base);
	assert_int_equal(live_new(&two, &new_keys, old, &keys, &(struct conf_pairs){0}, &l), 0);
	assert_true(live_base(&l->router[0], &got));
	assert_int_equal(got.adverts_received, 7);
	live_free(l);
	live_free(old);
	ha_vrrp_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_written_is_read),
	    cmocka_unit_test(a_successor_counts_on_and_clearing_begins_at_0),
	    cmocka_unit_test(what_a_crash_left_half_written_is_not_read_and_then_written_anew),
	    cmocka_unit_test(a_writer_that_lies_harms_nobody),
	    cmocka_unit_test(lateness_is_counted_by_its_bounds),
	    cmocka_unit_test(counters_come_along_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
