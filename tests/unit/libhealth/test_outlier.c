/* SPDX-License-Identifier: MIT */
/* Envoy's figures, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include <libhealth/outlier.h>

#define S UINT64_C(1000000000)
#define T0 (1000 * S)
#define HOSTS 20

struct pool {
	struct health_outlier *outlier;
	struct health_outlier_host *host[HOSTS];
	uint64_t now_ns;
	unsigned int ejected, returned;
	enum health_ejection why; /* of the last */
	uint64_t until_ns;
	bool removes; /* a host that is ejected is removed in the callback */
};

static size_t index_of(const struct pool *p, const struct health_outlier_host *h)
{
	size_t i = 0;

	while (p->host[i] != h)
		i++;
	return i;
}

static void on_ejected(struct health_outlier_host *h, enum health_ejection why, uint64_t until_ns,
		       void *userdata)
{
	struct pool *p = userdata;

	p->ejected++;
	p->why = why;
	p->until_ns = until_ns;
	assert_true(health_outlier_is_ejected(h));
	assert_int_equal(health_outlier_tick(p->outlier, p->now_ns), -EBUSY);
	if (p->removes) {
		p->host[index_of(p, h)] = NULL;
		health_outlier_host_remove(h);
	}
}

static void on_returned(struct health_outlier_host *h, void *userdata)
{
	struct pool *p = userdata;

	assert_false(health_outlier_is_ejected(h));
	p->returned++;
}

static void open_pool(struct pool *p, const struct health_outlier_opts *given, size_t hosts)
{
	static const struct health_outlier_ops ops = {
	    .size = sizeof(ops), .ejected = on_ejected, .returned = on_returned};
	struct health_outlier_opts o = {0};

	if (given)
		o = *given;
	o.size = sizeof(o);
	*p = (struct pool){.now_ns = T0};
	assert_int_equal(health_outlier_new(&o, &ops, T0, &p->outlier), 0);
	for (size_t i = 0; i < hosts; i++)
		assert_int_equal(health_outlier_host_add(p->outlier, p, &p->host[i]), 0);
}

static void report(struct pool *p, size_t host, enum health_outcome outcome, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		health_outlier_report(p->host[host], outcome, p->now_ns);
}

/* Moves on, stopping at every deadline. */
static void pass(struct pool *p, uint64_t ns)
{
	uint64_t end = p->now_ns + ns;

	while (health_outlier_deadline(p->outlier) <= end) {
		p->now_ns = health_outlier_deadline(p->outlier);
		assert_int_equal(health_outlier_tick(p->outlier, p->now_ns), 0);
	}
	p->now_ns = end;
}

static void five_failures_in_a_row_are_out_for_half_a_minute(void **state)
{
	struct pool p;

	open_pool(&p, NULL, HOSTS);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 4);
	report(&p, 0, HEALTH_OUTCOME_OK, 1);
	report(&p, 0, HEALTH_OUTCOME_LOCAL, 2);
	report(&p, 0, HEALTH_OUTCOME_GATEWAY, 2);
	assert_int_equal(p.ejected, 0);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 1);
	assert_int_equal(p.ejected, 1);
	assert_int_equal(p.why, HEALTH_EJECTION_CONSECUTIVE);
	assert_int_equal(p.until_ns, T0 + 30 * S);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 9); /* what was under way: no second ejection */
	assert_int_equal(p.ejected, 1);
	pass(&p, 30 * S - 1);
	assert_int_equal(p.returned, 0);
	pass(&p, 1);
	assert_int_equal(p.returned, 1);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 4); /* counts anew */
	assert_int_equal(p.ejected, 1);
	health_outlier_free(p.outlier);
}

static void the_time_out_grows_to_a_ceiling_and_is_forgotten_by_and_by(void **state)
{
	static const unsigned int seconds[] = {30,  60,	 90,  120, 150, 180,
					       210, 240, 270, 300, 300, 300};
	struct health_outlier_status s = {.size = sizeof(s)};
	struct pool p;

	open_pool(&p, NULL, HOSTS);
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		report(&p, 3, HEALTH_OUTCOME_LOCAL, 5);
		assert_int_equal(p.until_ns - p.now_ns, seconds[i] * S);
		pass(&p, seconds[i] * S);
		assert_int_equal(p.returned, i + 1);
	}
	health_outlier_status(p.host[3], &s);
	assert_int_equal(s.ejections_in_a_row, 12);
	assert_int_equal(s.ejections, 12);
	pass(&p, 50 * S); /* the interval it came back in does not count */
	health_outlier_status(p.host[3], &s);
	assert_true(s.ejections_in_a_row >= 7 && s.ejections_in_a_row <= 8);
	pass(&p, 200 * S);
	report(&p, 3, HEALTH_OUTCOME_LOCAL, 5);
	assert_int_equal(p.until_ns - p.now_ns, 30 * S);
	health_outlier_free(p.outlier);
}

static void not_more_than_a_tenth_is_out_but_one_always_may(void **state)
{
	struct health_outlier_status s = {.size = sizeof(s)};
	struct pool p;

	open_pool(&p, NULL, HOSTS);
	for (size_t i = 0; i < 5; i++)
		report(&p, i, HEALTH_OUTCOME_SERVER, 5);
	assert_int_equal(p.ejected, 2);
	health_outlier_status(p.host[4], &s);
	assert_int_equal(s.spared, 1);
	health_outlier_free(p.outlier);
	open_pool(&p, NULL, 2);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 5);
	report(&p, 1, HEALTH_OUTCOME_SERVER, 5);
	assert_int_equal(p.ejected, 1);
	health_outlier_free(p.outlier);
}

static void gateway_and_local_failures_have_counters_of_their_own(void **state)
{
	struct pool p;

	open_pool(&p,
		  &(struct health_outlier_opts){.flags = HEALTH_OUTLIER_NO_CONSECUTIVE |
							 HEALTH_OUTLIER_GATEWAY},
		  HOSTS);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 50);
	report(&p, 0, HEALTH_OUTCOME_GATEWAY, 4);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 1);
	report(&p, 0, HEALTH_OUTCOME_GATEWAY, 4);
	assert_int_equal(p.ejected, 0);
	report(&p, 0, HEALTH_OUTCOME_LOCAL, 1);
	assert_int_equal(p.why, HEALTH_EJECTION_CONSECUTIVE_GATEWAY);
	health_outlier_free(p.outlier);

	open_pool(&p, &(struct health_outlier_opts){.flags = HEALTH_OUTLIER_SPLIT_LOCAL}, HOSTS);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 4);
	report(&p, 0, HEALTH_OUTCOME_LOCAL, 4);
	assert_int_equal(p.ejected, 0);
	report(&p, 0, HEALTH_OUTCOME_LOCAL, 1);
	assert_int_equal(p.why, HEALTH_EJECTION_CONSECUTIVE_LOCAL);
	health_outlier_free(p.outlier);
}

/* Ten hosts, 100 requests each; all but the last succeed with `rest` failures. */
static void interval(struct pool *p, unsigned int requests, unsigned int rest, unsigned int last)
{
	for (size_t i = 0; i < 10; i++) {
		unsigned int failures = i == 9 ? last : rest;

		for (unsigned int k = 0; k < requests;
		     k++) { /* spread: none five in a row by chance */
			bool fails = failures && k % (requests / failures) == 0 &&
				     k / (requests / failures) < failures;

			report(p, i, fails ? HEALTH_OUTCOME_SERVER : HEALTH_OUTCOME_OK, 1);
		}
	}
	pass(p, 10 * S);
}

/*
 * Nine hosts at 98 %, one at x: the mean is 98 - d/10, the deviation 3d/10 with d = 98 - x; below the
 * mean by 0.9 d, and 1.9 deviations are 0.57 d. So any host alone behind the others is an outlier, however
 * little: Envoy's arithmetic. With three behind it is none.
 */
static void a_host_far_below_the_mean_is_out(void **state)
{
	struct health_outlier_status s = {.size = sizeof(s)};
	struct pool p;

	open_pool(&p, NULL, 10);
	interval(&p, 100, 2, 2);
	assert_int_equal(p.ejected, 0);
	interval(&p, 99, 1, 33); /* too few requests */
	assert_int_equal(p.ejected, 0);
	interval(&p, 100, 2, 25);
	assert_int_equal(p.ejected, 1);
	assert_int_equal(p.why, HEALTH_EJECTION_SUCCESS_RATE);
	assert_true(health_outlier_is_ejected(p.host[9]));
	health_outlier_status(p.host[9], &s);
	assert_int_equal(s.success_permille, 750);
	assert_int_equal(s.requests, 0);	  /* of the new interval */
	health_outlier_pass(p.host[9], p.now_ns); /* an active check found it well */
	assert_int_equal(p.returned, 1);
	health_outlier_free(p.outlier);

	open_pool(&p, &(struct health_outlier_opts){.flags = HEALTH_OUTLIER_NO_SUCCESS_RATE}, 10);
	interval(&p, 100, 2, 25);
	assert_int_equal(p.ejected, 0);
	health_outlier_free(p.outlier);
	open_pool(&p, &(struct health_outlier_opts){.min_hosts = 11}, 10);
	interval(&p, 100, 2, 25);
	assert_int_equal(p.ejected, 0);
	health_outlier_free(p.outlier);
}

static void a_share_of_failures_is_enough_when_asked(void **state)
{
	struct health_outlier_opts o = {.flags = HEALTH_OUTLIER_NO_SUCCESS_RATE |
						 HEALTH_OUTLIER_NO_CONSECUTIVE |
						 HEALTH_OUTLIER_FAILURE_PERCENTAGE};
	struct pool p;

	open_pool(&p, &o, 10);
	for (size_t i = 0; i < 10; i++)
		report(&p, i, HEALTH_OUTCOME_OK, 50);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 283); /* 283 of 333: 84.98 % */
	pass(&p, 10 * S);
	assert_int_equal(p.ejected, 0);
	for (size_t i = 0; i < 10; i++)
		report(&p, i, HEALTH_OUTCOME_OK, 50);
	report(&p, 0, HEALTH_OUTCOME_SERVER, 284);
	pass(&p, 10 * S);
	assert_int_equal(p.ejected, 1);
	assert_int_equal(p.why, HEALTH_EJECTION_FAILURE_PERCENTAGE);
	health_outlier_free(p.outlier);
}

static void hosts_may_be_removed_in_their_callbacks(void **state)
{
	struct pool p;

	open_pool(&p,
		  &(struct health_outlier_opts){.max_ejection_percent = 100,
						.flags = HEALTH_OUTLIER_NO_CONSECUTIVE |
							 HEALTH_OUTLIER_NO_SUCCESS_RATE |
							 HEALTH_OUTLIER_FAILURE_PERCENTAGE},
		  10);
	p.removes = true;
	for (size_t i = 0; i < 10; i++)
		report(&p, i, HEALTH_OUTCOME_SERVER, 100);
	pass(&p, 10 * S);
	assert_int_equal(p.ejected, 10);
	assert_int_equal(health_outlier_deadline(p.outlier), UINT64_MAX);
	health_outlier_free(p.outlier);
}

static void panic_is_below_half(void **state)
{
	assert_true(health_panic(4, 9, HEALTH_PANIC_DEFAULT_PERCENT));
	assert_false(health_panic(5, 10, HEALTH_PANIC_DEFAULT_PERCENT));
	assert_false(health_panic(0, 10, 0));
	assert_false(health_panic(0, 0, 50));
}

static void options_are_checked(void **state)
{
	const struct health_outlier_opts bad[] = {
	    {.flags = 1u << 20},	 {.max_ejection_percent = 101},
	    {.failure_percent = 101},	 {.base_ejection_ns = 10 * S, .max_ejection_ns = 5 * S},
	    {.interval_ns = UINT64_MAX},
	};
	struct health_outlier *p = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct health_outlier_opts o = bad[i];

		o.size = sizeof(o);
		assert_int_equal(health_outlier_new(&o, NULL, T0, &p), -EINVAL);
	}
	assert_null(p);
	assert_int_equal(health_outlier_tick(NULL, T0), -EINVAL);
	assert_string_equal(health_ejection_name(HEALTH_EJECTION_SUCCESS_RATE), "success-rate");
	assert_string_equal(health_ejection_name((enum health_ejection)6), "?");
	health_outlier_free(NULL);
	health_outlier_host_remove(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(five_failures_in_a_row_are_out_for_half_a_minute),
	    cmocka_unit_test(the_time_out_grows_to_a_ceiling_and_is_forgotten_by_and_by),
	    cmocka_unit_test(not_more_than_a_tenth_is_out_but_one_always_may),
	    cmocka_unit_test(gateway_and_local_failures_have_counters_of_their_own),
	    cmocka_unit_test(a_host_far_below_the_mean_is_out),
	    cmocka_unit_test(a_share_of_failures_is_enough_when_asked),
	    cmocka_unit_test(hosts_may_be_removed_in_their_callbacks),
	    cmocka_unit_test(panic_is_below_half),
	    cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
