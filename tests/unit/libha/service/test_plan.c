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

#define WEB "tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 NAT 1\n"

/* Each row: what is wanted, what is there, the steps as text. All in `have` is ours. */
static const struct {
	const char *want, *have, *steps;
} rows[] = {
    {"", "", ""},
    {WEB, WEB, ""},
    {WEB, "",
     "add service tcp 192.0.2.1:80 wrr\n"
     "add destination 10.0.0.1:80 NAT weight 1 to tcp 192.0.2.1:80\n"
     "add destination 10.0.0.2:80 NAT weight 1 to tcp 192.0.2.1:80\n"},
    {"", WEB, "remove service tcp 192.0.2.1:80\n"},
    {"tcp 192.0.2.1 80 wlc 300/24\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 NAT 1", WEB,
     "edit service tcp 192.0.2.1:80 wlc persistent 300s/24 (was tcp 192.0.2.1:80 wrr)\n"},
    /* Make before break: additions, changes, and only then removals. */
    {"tcp 192.0.2.1 80 wrr\n 10.0.0.3 80 NAT 1\n 10.0.0.2 80 NAT 5", WEB,
     "add destination 10.0.0.3:80 NAT weight 1 to tcp 192.0.2.1:80\n"
     "edit destination 10.0.0.2:80 NAT weight 5 of tcp 192.0.2.1:80 (was NAT weight 1)\n"
     "remove destination 10.0.0.1:80 from tcp 192.0.2.1:80\n"},
    {"tcp 192.0.2.1 80 wrr\n 10.0.0.2 80 DR 1\n 10.0.0.1 80 NAT 1", WEB,
     "edit destination 10.0.0.2:80 DR weight 1 of tcp 192.0.2.1:80 (was NAT weight 1)\n"},
    /* A service moves to a mark: the old one goes when the new one is whole. */
    {"fwmark 7 rr\n 10.0.0.1 0 DR 1", WEB,
     "add service fwmark 7 ipv4 rr\n"
     "add destination 10.0.0.1:0 DR weight 1 to fwmark 7 ipv4\n"
     "remove service tcp 192.0.2.1:80\n"},
    {"tcp 2001:db8::1 80 rr\n 2001:db8::2 80 TUN 1", "tcp 2001:db8::1 80 rr",
     "add destination [2001:db8::2]:80 TUN IPIP weight 1 to tcp [2001:db8::1]:80\n"},
};

static void steps_text(const struct ha_service_plan *p, char *ret, size_t cap)
{
	size_t len = 0;

	*ret = '\0';
	for (size_t i = 0; i < ha_service_plan_count(p); i++) {
		struct ha_service_step step = {.size = sizeof(step)};
		char line[HA_SERVICE_TEXT_SIZE];

		assert_int_equal(ha_service_plan_step(p, i, &step), 0);
		assert_int_equal(step.index, i);
		assert_true(ha_service_step_format(&step, line, sizeof(line)) > 0);
		len += (size_t)snprintf(ret + len, cap - len, "%s\n", line);
		assert_true(len < cap);
	}
}

static void a_plan_is_the_difference(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ha_service_table *want = table_of(rows[i].want),
					*have = table_of(rows[i].have);
		struct ha_service_plan *p;
		char text[2048];

		assert_int_equal(ha_service_plan(want, have, &p), 0);
		steps_text(p, text, sizeof(text));
		assert_string_equal(text, rows[i].steps);
		ha_service_plan_free(p);
		ha_service_table_free(want);
		ha_service_table_free(have);
	}
}

static size_t count_steps(const struct ha_service_table *want, const struct ha_service_table *have)
{
	struct ha_service_plan *p;
	size_t n;

	assert_int_equal(ha_service_plan(want, have, &p), 0);
	n = ha_service_plan_count(p);
	ha_service_plan_free(p);
	return n;
}

/* As ha_ipvs_dump() gives it: nobody's. */
static struct ha_service_table *strangers(void)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 wrr"),
			       other = service_of("tcp 192.0.2.9 80 wrr");
	struct ha_service_table *t;

	assert_int_equal(ha_service_table_new(&t), 0);
	assert_int_equal(service_add_unchecked(t, &o, false, NULL), 0);
	assert_int_equal(service_add_unchecked(t, &other, false, NULL), 0);
	return t;
}

static void what_was_not_claimed_is_not_removed(void **state)
{
	struct ha_service_table *want = table_of(""), *have = strangers();
	struct ha_service_table *previous = table_of("tcp 192.0.2.1 80 rr");

	assert_int_equal(count_steps(want, have), 0);
	assert_int_equal(ha_service_claim(have, previous), 0);
	assert_int_equal(count_steps(want, have), 1);
	assert_int_equal(ha_service_claim(have, NULL), 0);
	assert_int_equal(count_steps(want, have), 2);
	ha_service_table_free(previous);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static void a_strangers_service_that_is_wanted_is_adopted(void **state)
{
	struct ha_service_table *want = table_of("tcp 192.0.2.1 80 wrr"), *have = strangers();

	assert_int_equal(count_steps(want, have), 0);
	ha_service_table_free(want);
	want = table_of("tcp 192.0.2.1 80 rr");
	assert_int_equal(count_steps(want, have), 1);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static void an_odd_netmask_is_put_right(void **state)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 wrr 300/24");
	struct ha_service_table *want = table_of("tcp 192.0.2.1 80 wrr 300/24"), *have;

	o.persistence_prefix = SERVICE_PREFIX_ODD;
	assert_int_equal(ha_service_table_new(&have), 0);
	assert_int_equal(service_add_unchecked(have, &o, false, NULL), 0);
	assert_int_equal(count_steps(want, have), 1);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static void steps_beyond_the_plan_do_not_exist(void **state)
{
	struct ha_service_table *want = table_of(WEB), *have = table_of("");
	struct ha_service_step step = {.size = sizeof(step)};
	struct ha_service_plan *p;

	assert_int_equal(ha_service_plan(want, have, &p), 0);
	assert_int_equal(ha_service_plan_step(p, 2, &step), 0);
	assert_int_equal(ha_service_plan_step(p, 3, &step), -EINVAL);
	assert_int_equal(ha_service_plan_count(NULL), 0);
	ha_service_plan_free(p);
	ha_service_plan_free(NULL);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static void memory_failure_is_an_error(void **state)
{
	struct ha_service_table *want = table_of(WEB), *have = table_of("");
	struct ha_service_plan *p;

	for (long n = 0; n < 2; n++) { /* the plan, its steps */
		fail_in = n;
		assert_int_equal(ha_service_plan(want, have, &p), -ENOMEM);
		fail_in = -1;
	}
	ha_service_table_free(want);
	ha_service_table_free(have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plan_is_the_difference),
	    cmocka_unit_test(what_was_not_claimed_is_not_removed),
	    cmocka_unit_test(a_strangers_service_that_is_wanted_is_adopted),
	    cmocka_unit_test(an_odd_netmask_is_put_right),
	    cmocka_unit_test(steps_beyond_the_plan_do_not_exist),
	    cmocka_unit_test(memory_failure_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
