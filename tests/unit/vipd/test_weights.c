/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libha/service.h>

#include "health/weights.h"

/* Two virtual servers, of two real servers and of one. */
static struct weights *two(void)
{
	static struct conf_virtual v[2] = {{.next = &v[1], .n_reals = 2}, {.n_reals = 1}};
	static const struct conf c = {.virtuals = v, .n_virtuals = 2};
	struct weights *w;

	assert_int_equal(weights_places_max(&c), 3);
	assert_int_equal(weights_new(&c, &w), 0);
	assert_int_equal(w->n, 5);
	return w;
}

static void what_nobody_said_is_not_zero(void **state)
{
	struct weights *w = two();
	int32_t got[3];

	assert_int_equal(weights_read(w, 0, 0, got, 3), 0);
	weights_free(w);
}

static void what_is_wanted_is_read(void **state)
{
	struct weights *w = two();
	int32_t got[3];

	weights_want(w, 0, 0, (int32_t[]){5, 0, QUORUM_ABSENT}, 3);
	weights_want(w, 1, 3, (int32_t[]){HA_WEIGHT_MAX, 1}, 2);
	assert_int_equal(weights_read(w, 0, 0, got, 3), 1);
	assert_int_equal(got[0], 5);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], QUORUM_ABSENT);
	assert_int_equal(weights_read(w, 1, 3, got, 2), 1);
	assert_int_equal(got[0], HA_WEIGHT_MAX);
	assert_int_equal(got[1], 1);
	weights_free(w);
}

static void what_is_being_written_is_not_read(void **state)
{
	struct weights *w = two();
	int32_t got[2];

	atomic_store(&w->turn[1], 7); /* its writer died in the middle */
	assert_int_equal(weights_read(w, 1, 3, got, 2), 0);
	weights_want(w, 1, 3, (int32_t[]){3, QUORUM_ABSENT}, 2);
	assert_int_equal(weights_read(w, 1, 3, got, 2), 1);
	assert_int_equal(got[0], 3);
	atomic_store(&w->turn[1], UINT32_MAX);
	weights_want(w, 1, 3, (int32_t[]){4, QUORUM_ABSENT}, 2);
	assert_int_equal(weights_read(w, 1, 3, got, 2), 1); /* not "never written" */
	weights_free(w);
}

static void weights_that_there_are_not_are_refused(void **state)
{
	struct weights *w = two();
	int32_t got[3];

	weights_want(w, 0, 0, (int32_t[]){1, QUORUM_ABSENT - 1, 1}, 3);
	assert_int_equal(weights_read(w, 0, 0, got, 3), -EBADMSG);
	weights_free(w);
}

/* With what a check has to refute taken for true: keepalived adds such servers at once. */
static void the_beginning_is_what_health_will_say(void **state)
{
	struct conf_check up[] = {{.kind = CONF_CHECK_TCP}, {.kind = CONF_CHECK_MISC}};
	struct conf_check proves = {.kind = CONF_CHECK_TCP, .common = {.alpha = 1}};
	struct conf_check told = {.kind = CONF_CHECK_FILE};
	struct conf_real_opts plain = {.inhibit = 0}, inhibits = {.inhibit = 1};
	struct conf_real sorry = {.weight = 9, .opts = &plain};
	struct conf_real real[] = {
	    /* of the first, which begins with one */
	    {.weight = 5, .checks = &up[0], .opts = &plain},
	    {.weight = 6, .checks = &proves, .opts = &plain},
	    /* of the second, which begins without */
	    {.weight = 7, .checks = &proves, .opts = &inhibits},
	    /* of the third */
	    {.weight = 8, .checks = &told, .opts = &plain},
	};
	struct conf_virtual v[] = {
	    {.next = &v[1], .n_reals = 2, .reals = &real[0], .quorum = 1},
	    {.next = &v[2], .n_reals = 1, .reals = &real[2], .quorum = 1, .sorry = &sorry},
	    {.n_reals = 1, .reals = &real[3], .quorum = 1},
	};
	const struct conf c = {.virtuals = v, .n_virtuals = 3};
	struct weights *w;
	int32_t got[3];

	up[0].next = &up[1];
	real[0].next = &real[1];
	assert_int_equal(weights_new(&c, &w), 0);
	assert_int_equal(weights_begin(w, &c), 0);
	assert_int_equal(weights_read(w, 0, 0, got, 3), 1);
	assert_int_equal(got[0], 5);
	assert_int_equal(got[1], QUORUM_ABSENT);
	assert_int_equal(got[2], QUORUM_ABSENT);
	assert_int_equal(weights_read(w, 1, 3, got, 2), 1);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 9);
	assert_int_equal(weights_read(w, 2, 5, got, 2), 0);
	assert_false(weights_are_said(w)); /* of the third */
	weights_want(w, 2, 5, (int32_t[]){8, QUORUM_ABSENT}, 2);
	assert_true(weights_are_said(w));
	weights_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_nobody_said_is_not_zero),
	    cmocka_unit_test(what_is_wanted_is_read),
	    cmocka_unit_test(what_is_being_written_is_not_read),
	    cmocka_unit_test(weights_that_there_are_not_are_refused),
	    cmocka_unit_test(the_beginning_is_what_health_will_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
