/* SPDX-License-Identifier: MIT */
/* What a request may ask for, who may be chosen, and what explain says about it; for every algorithm. */
#include "support.h"

static int pick(struct lb_picker *p, struct lb_request r, uint64_t *ret_id)
{
	r.size = sizeof(r);
	return lb_pick(p, &r, ret_id);
}

/* Runs a check for every algorithm on servers 1, 2, 3 of weight 1. */
static void for_each_algo(void (*check)(struct lb_group *g, struct lb_picker *p))
{
	for (size_t i = 0; lb_algo_name(i); i++) {
		struct lb_group *g = GROUP(lb_algo_name(i), 1, 1, 1);

		check(g, picker_of(g));
		lb_group_free(g);
	}
}

static void check_nobody(struct lb_group *g, struct lb_picker *p)
{
	for (uint64_t id = 1; id <= 3; id++)
		lb_server_set_up(g, id, false);
	commit(g);
	assert_picks(p, 2, "-ENOSR -ENOSR");
	lb_server_set_up(g, 2, true);
	commit(g);
	assert_picks(p, 2, "2 2");
	lb_server_set_weight(g, 2, 0);
	commit(g);
	assert_picks(p, 1, "-ENOSR");
}

static void nobody_up_is_enosr(void **state)
{
	for_each_algo(check_nobody);
}

static void check_states(struct lb_group *g, struct lb_picker *p)
{
	static const enum lb_state closed[] = {LB_STATE_DISABLED, LB_STATE_DRAINING,
					       LB_STATE_OFFLINE};

	for (size_t i = 0; i < 3; i++) {
		lb_server_set_state(g, 2, closed[i]);
		commit(g);
		assert_int_equal(tally_of(p, 12).of[2], 0);
	}
	lb_server_set_state(g, 2, LB_STATE_ENABLED);
	commit(g);
	if (spreads(g))
		assert_non_null(strstr(picks(p, 12, false), "2"));
}

static void who_is_not_enabled_gets_nothing_new(void **state)
{
	for_each_algo(check_states);
}

static void check_exclude(struct lb_group *g, struct lb_picker *p)
{
	const uint64_t not [] = {1, 3}, all[] = {3, 2, 1};
	struct lb_request r = {.exclude = not, .n_exclude = 2};
	uint64_t id;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(pick(p, r, &id), 0);
		assert_int_equal(id, 2);
		lb_done(p, id, NULL);
	}
	r.exclude = all;
	r.n_exclude = 3;
	assert_int_equal(pick(p, r, &id), -ENOSR);
	r.prefer = 2;
	assert_int_equal(pick(p, r, &id), -ENOSR);
	r.n_exclude = LB_EXCLUDE_MAX + 1;
	assert_int_equal(pick(p, r, &id), -EINVAL);
	r.exclude = NULL;
	r.n_exclude = 1;
	assert_int_equal(pick(p, r, &id), -EINVAL);
}

static void the_excluded_are_not_chosen(void **state)
{
	for_each_algo(check_exclude);
}

static void check_maxconn(struct lb_group *g, struct lb_picker *p)
{
	for (uint64_t id = 1; id <= 3; id++) {
		lb_server_set_maxconn(g, id, (uint32_t)id);
		lb_server_set_weight(g, id, 9); /* ovf: room for more */
	}
	commit(g);
	picks(p, 6, false);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(stats_of(g, id).active, id);
	assert_picks(p, 2, "-EAGAIN -EAGAIN");
	lb_done(p, 3, NULL);
	assert_picks_that_stay(p, 2, "3 -EAGAIN");
}

static void all_full_is_eagain_and_maxconn_holds(void **state)
{
	for_each_algo(check_maxconn);
}

static void check_prefer(struct lb_group *g, struct lb_picker *p)
{
	struct lb_request r = {.prefer = 2};
	uint64_t id;

	assert_int_equal(pick(p, r, &id), 0);
	assert_int_equal(id, 2);
	lb_server_set_state(g, 2, LB_STATE_DISABLED); /* only the persisted */
	lb_server_set_weight(g, 2, 0);
	commit(g);
	assert_int_equal(pick(p, r, &id), 0);
	assert_int_equal(id, 2);
	lb_server_set_state(g, 2, LB_STATE_DRAINING);
	commit(g);
	assert_int_equal(pick(p, r, &id), 0);
	assert_int_not_equal(id, 2);
	r.flags = LB_REQUEST_STRICT;
	assert_int_equal(pick(p, r, &id), -ENOENT);
	r.flags = LB_REQUEST_FORCE;
	lb_server_set_up(g, 2, false);
	commit(g);
	assert_int_equal(pick(p, r, &id), 0);
	assert_int_equal(id, 2);
}

static void the_preferred_is_used_while_it_may_be(void **state)
{
	for_each_algo(check_prefer);
}

static void a_preferred_standby_is_used(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 1, 1);
	struct lb_picker *p = picker_of(g);
	uint64_t id;

	lb_server_set_priority(g, 2, 1);
	commit(g);
	assert_picks(p, 2, "1 1");
	assert_int_equal(pick(p, (struct lb_request){.prefer = 2}, &id), 0);
	assert_int_equal(id, 2);
	lb_group_free(g);
}

static void a_preferred_full_one_is_left_or_waited_for(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 1, 1);
	struct lb_picker *p = picker_of(g);
	struct lb_request r = {.prefer = 2};
	uint64_t id;

	lb_server_set_maxconn(g, 2, 1);
	commit(g);
	assert_int_equal(pick(p, r, &id), 0);
	assert_int_equal(id, 2);
	assert_int_equal(pick(p, r, &id), 0);
	assert_int_equal(id, 1);
	r.flags = LB_REQUEST_STRICT;
	assert_int_equal(pick(p, r, &id), -EAGAIN);
	r.prefer = 77;
	assert_int_equal(pick(p, r, &id), -ENOENT);
	lb_group_free(g);
}

static void waiting_helps_when_only_the_preferred_is_left_and_full(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 1, 1);
	struct lb_picker *p = picker_of(g);
	struct lb_request r = {.prefer = 2};
	uint64_t id;

	lb_server_set_up(g, 1, false);
	lb_server_set_state(g, 2, LB_STATE_DISABLED);
	lb_server_set_maxconn(g, 2, 1);
	commit(g);
	assert_int_equal(pick(p, r, &id), 0);
	assert_int_equal(pick(p, r, &id), -EAGAIN);
	assert_int_equal(lb_done(p, 2, NULL), 0);
	assert_int_equal(pick(p, r, &id), 0);
	lb_group_free(g);
}

static void an_uncounted_pick_counts_nothing(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *p = picker_of(g);
	uint64_t id;

	assert_int_equal(pick(p, (struct lb_request){.flags = LB_REQUEST_UNCOUNTED}, &id), 0);
	assert_int_equal(stats_of(g, 1).active, 0);
	assert_int_equal(stats_of(g, 1).picks, 0);
	lb_group_free(g);
}

static void a_request_asks_for_what_is_known_or_is_refused(void **state)
{
	struct {
		struct lb_request r;
		uint64_t beyond;
	} r = {.r = {.size = sizeof(r)}};
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *p = picker_of(g);
	struct lb_outcome o = {.size = sizeof(o), .inactive = 2};
	uint64_t id;

	assert_int_equal(lb_pick(p, &r.r, &id), 0);
	r.beyond = 1;
	assert_int_equal(lb_pick(p, &r.r, &id), -E2BIG);
	r.r.size = offsetof(struct lb_request, prefer);
	r.r.prefer = 77;
	r.r.flags = LB_REQUEST_STRICT; /* beyond its size: not there */
	assert_int_equal(lb_pick(p, &r.r, &id), 0);
	r.r.size = 4;
	assert_int_equal(lb_pick(p, &r.r, &id), -EINVAL);
	assert_int_equal(pick(p, (struct lb_request){.flags = 1u << 31}, &id), -EINVAL);
	assert_int_equal(lb_pick(NULL, NULL, &id), -EINVAL);
	assert_int_equal(lb_pick(p, NULL, NULL), -EINVAL);
	assert_int_equal(lb_done(p, 1, &o), -EINVAL);
	assert_int_equal(lb_done(p, 2, NULL), -ENOENT);
	lb_group_free(g);
}

static void the_same_seed_and_calls_give_the_same_picks(void **state)
{
	for (size_t i = 0; lb_algo_name(i); i++) {
		struct lb_group *g = GROUP(lb_algo_name(i), 5, 3, 1),
				*h = GROUP(lb_algo_name(i), 5, 3, 1);
		char first[1024];

		snprintf(first, sizeof(first), "%s", picks(picker_of(g), 50, false));
		assert_picks_that_stay(picker_of(h), 50, first);
		lb_group_free(g);
		lb_group_free(h);
	}
}

/*
 * A request that wants nothing special takes the short way; one that excludes a server nobody has takes the long way, and
 * must get the same.
 */
static void both_ways_of_a_pick_choose_alike(void **state)
{
	const uint64_t nobody = 999;

	for (size_t i = 0; lb_algo_name(i); i++) {
		struct lb_group *g = GROUP(lb_algo_name(i), 5, 3, 1, 3, 2, 9),
				*h = GROUP(lb_algo_name(i), 5, 3, 1, 3, 2, 9);
		struct lb_picker *p = picker_of(g), *q = picker_of(h);
		uint64_t id, same;
		uint32_t x = 1;

		for (uint64_t k = 0; k < 3000; k++) {
			struct lb_request r = {.size = sizeof(r), .key64 = k, .now_ns = k * 1000};
			int found;

			id = same = 0; /* ovf and sh find nobody at times */
			found = lb_pick(p, &r, &id);
			r.exclude = &nobody;
			r.n_exclude = 1;
			assert_int_equal(lb_pick(q, &r, &same), found);
			assert_int_equal(id, same);
			id = draw(&x, 3) ? id : 1 + draw(&x, 6);
			assert_int_equal(lb_done(p, id, NULL), lb_done(q, id, NULL));
			if (k % 100 == 50) {
				lb_server_set_up(g, 1 + k % 6, k % 200 == 50);
				lb_server_set_up(h, 1 + k % 6, k % 200 == 50);
				commit(g);
				commit(h);
			}
		}
		lb_group_free(g);
		lb_group_free(h);
	}
}

/* ---- Explain ---- */

struct told {
	struct lb_explanation row[16];
	size_t n;
	struct lb_picker *picker; /* used inside the callback, when set */
};

static int keep_row(const struct lb_explanation *e, void *userdata)
{
	struct told *t = userdata;
	uint64_t id;

	assert_int_equal(e->size, sizeof(*e));
	t->row[t->n++] = *e;
	if (t->picker) {
		assert_int_equal(lb_pick(t->picker, NULL, &id), 0);
		assert_int_equal(lb_picker_offline(t->picker), -EBUSY);
		assert_int_equal(lb_explain(t->picker, NULL, keep_row, t), -EBUSY);
	}
	return 0;
}

static struct told explain(struct lb_picker *p, struct lb_request r, int expected)
{
	struct told t = {.n = 0};

	r.size = sizeof(r);
	assert_int_equal(lb_explain(p, &r, keep_row, &t), expected);
	return t;
}

static uint64_t chosen_of(const struct told *t)
{
	uint64_t id = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->row[i].verdict == LB_VERDICT_CHOSEN)
			id = t->row[i].id;
	return id;
}

static enum lb_verdict verdict_of(const struct told *t, uint64_t id)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->row[i].id == id)
			return t->row[i].verdict;
	fail();
	return LB_VERDICT_CHOSEN;
}

static void explain_agrees_with_the_pick_and_moves_nothing(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		struct lb_group *g = GROUP(lb_algo_name(a), 7, 5, 3, 0, 1);
		struct lb_picker *p = picker_of(g);
		uint32_t seed = (uint32_t)a;

		for (int i = 0; i < 500; i++) {
			struct lb_request r = {.seed = i % 3 ? 0 : (uint64_t)i + 1};
			struct told t = explain(p, r, 0), again;
			uint64_t id;

			again = explain(p, r, 0);
			assert_int_equal(t.n, 5);
			assert_int_equal(chosen_of(&t), chosen_of(&again));
			assert_int_equal(pick(p, r, &id), 0);
			assert_int_equal(id, chosen_of(&t));
			if (draw(&seed, 2) || algo_is(g, "ovf")) /* which fills up */
				lb_done(p, id, NULL);
		}
		lb_group_free(g);
	}
}

static void the_chosen_has_the_least_score(void **state)
{
	static const char *const scored[] = {"lc", "wlc", "leastconn", "sed", "nq"};

	for (size_t a = 0; a < sizeof(scored) / sizeof(scored[0]); a++) {
		struct lb_group *g = GROUP(scored[a], 7, 5, 3, 2, 1);
		struct lb_picker *p = picker_of(g);

		for (int i = 0; i < 100; i++) {
			struct told t = explain(p, (struct lb_request){0}, 0);
			double best = -1;

			for (size_t k = 0; k < t.n; k++)
				if (t.row[k].id == chosen_of(&t))
					best = t.row[k].score;
			for (size_t k = 0; k < t.n; k++) {
				assert_int_equal(t.row[k].score_valid, 1);
				assert_true(best <= t.row[k].score);
			}
			picks(p, 1, false);
		}
		lb_group_free(g);
	}
}

static void each_who_is_passed_over_has_its_reason(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 1, 1, 1, 1, 1, 0, 1, 1, 1);
	struct lb_picker *p = picker_of(g);
	const uint64_t not [] = {8};
	struct lb_request r = {.exclude = not, .n_exclude = 1, .prefer = 9};
	struct told t;
	uint64_t id;

	lb_server_set_state(g, 2, LB_STATE_OFFLINE);
	lb_server_set_state(g, 3, LB_STATE_DRAINING);
	lb_server_set_up(g, 4, false);
	lb_server_set_state(g, 5, LB_STATE_DISABLED);
	lb_server_set_priority(g, 7, 1);
	lb_server_set_maxconn(g, 9, 1);
	commit(g);
	assert_int_equal(pick(p, r, &id), 0);
	t = explain(p, r, 0);
	assert_int_equal(verdict_of(&t, 1), LB_VERDICT_CHOSEN);
	assert_int_equal(verdict_of(&t, 2), LB_VERDICT_OFFLINE);
	assert_int_equal(verdict_of(&t, 3), LB_VERDICT_DRAINING);
	assert_int_equal(verdict_of(&t, 4), LB_VERDICT_DOWN);
	assert_int_equal(verdict_of(&t, 5), LB_VERDICT_DISABLED);
	assert_int_equal(verdict_of(&t, 6), LB_VERDICT_WEIGHT);
	assert_int_equal(verdict_of(&t, 7), LB_VERDICT_STANDBY);
	assert_int_equal(verdict_of(&t, 8), LB_VERDICT_EXCLUDED);
	assert_int_equal(verdict_of(&t, 9), LB_VERDICT_FULL);
	assert_int_equal(t.row[8].preferred, 1);
	assert_int_equal(t.row[8].active, 1);
	for (int v = 0; v <= LB_VERDICT_FULL; v++)
		assert_string_not_equal(lb_verdict_string((enum lb_verdict)v), "unknown");
	assert_string_equal(lb_verdict_string((enum lb_verdict)99), "unknown");
	r = (struct lb_request){.prefer = 5};
	t = explain(p, r, 0);
	assert_int_equal(chosen_of(&t), 5);
	lb_server_set_up(g, 1, false);
	lb_server_set_up(g, 7, false);
	lb_server_set_up(g, 8, false);
	commit(g);
	explain(p, (struct lb_request){0}, -EAGAIN);
	lb_group_free(g);
}

static int stop(const struct lb_explanation *e, void *userdata)
{
	++*(int *)userdata;
	return e->id == 2 ? 42 : 0;
}

static void a_row_may_stop_the_telling(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 1, 1, 1);
	int n = 0;

	assert_int_equal(lb_explain(picker_of(g), NULL, stop, &n), 42);
	assert_int_equal(n, 2);
	lb_group_free(g);
}

static void picking_inside_a_row_is_fine(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 1, 1, 1);
	struct told t = {.picker = picker_of(g)};

	assert_int_equal(lb_explain(t.picker, NULL, keep_row, &t), 0);
	assert_int_equal(t.n, 3);
	assert_int_equal(chosen_of(&t), 1);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_up_is_enosr),
	    cmocka_unit_test(who_is_not_enabled_gets_nothing_new),
	    cmocka_unit_test(the_excluded_are_not_chosen),
	    cmocka_unit_test(all_full_is_eagain_and_maxconn_holds),
	    cmocka_unit_test(the_preferred_is_used_while_it_may_be),
	    cmocka_unit_test(a_preferred_standby_is_used),
	    cmocka_unit_test(a_preferred_full_one_is_left_or_waited_for),
	    cmocka_unit_test(waiting_helps_when_only_the_preferred_is_left_and_full),
	    cmocka_unit_test(an_uncounted_pick_counts_nothing),
	    cmocka_unit_test(a_request_asks_for_what_is_known_or_is_refused),
	    cmocka_unit_test(the_same_seed_and_calls_give_the_same_picks),
	    cmocka_unit_test(both_ways_of_a_pick_choose_alike),
	    cmocka_unit_test(explain_agrees_with_the_pick_and_moves_nothing),
	    cmocka_unit_test(the_chosen_has_the_least_score),
	    cmocka_unit_test(each_who_is_passed_over_has_its_reason),
	    cmocka_unit_test(a_row_may_stop_the_telling),
	    cmocka_unit_test(picking_inside_a_row_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
