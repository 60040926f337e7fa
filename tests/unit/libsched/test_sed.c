/* SPDX-License-Identifier: MIT */
#include "support.h"

/* (active + 1) / weight: 1/4 1/2 1/1, then 2/4 ties with 1/2 of the newer server. */
static void sed_prefers_a_heavy_server_to_an_idle_light_one(void **state)
{
	struct lb_group *g = GROUP("sed", 4, 2, 1);

	assert_picks_that_stay(picker_of(g), 7, "1 2 1 1 3 2 1");
	lb_group_free(g);
}

static void nq_takes_the_idle_first_newest_first(void **state)
{
	struct lb_group *g = GROUP("nq", 4, 2, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 5, "3 2 1 1 1");
	lb_done(p, 2, NULL);
	assert_picks_that_stay(p, 1, "2");
	lb_group_free(g);
}

static void inactive_connections_do_not_count(void **state)
{
	struct lb_group *g = GROUP("sed", 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_int_equal(lb_count(p, 2, LB_COUNTER_INACTIVE, 1000), 0);
	assert_picks(p, 2, "2 2");
	lb_group_free(g);
}

static int note_score(const struct lb_explanation *e, void *userdata)
{
	double *score = userdata;

	assert_int_equal(e->score_valid, 1);
	score[e->id] = e->score;
	return 0;
}

static void explain_shows_what_is_compared(void **state)
{
	struct lb_group *sed = GROUP("sed", 4, 1), *nq = GROUP("nq", 4, 1);
	struct lb_picker *p = picker_of(sed);
	double score[3];

	picks(p, 1, false);
	assert_int_equal(lb_explain(p, NULL, note_score, score), 0);
	assert_true(score[1] == 0.5 && score[2] == 1);
	p = picker_of(nq);
	picks(p, 1, false); /* server 2 */
	assert_int_equal(lb_explain(p, NULL, note_score, score), 0);
	assert_true(score[1] == 0 && score[2] == 2);
	lb_group_free(sed);
	lb_group_free(nq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sed_prefers_a_heavy_server_to_an_idle_light_one),
	    cmocka_unit_test(nq_takes_the_idle_first_newest_first),
	    cmocka_unit_test(inactive_connections_do_not_count),
	    cmocka_unit_test(explain_shows_what_is_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
