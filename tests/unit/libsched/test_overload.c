/* SPDX-License-Identifier: MIT */
/* LB_GROUP_OVERLOAD: the kernel's thresholds, held against a model of one line for each of its rules. */
#include "support.h"

#define SERVERS 4

static struct lb_group *group_with(const char *algo, uint32_t upper, uint32_t lower)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo, .flags = LB_GROUP_OVERLOAD};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= SERVERS; id++) {
		struct lb_server_opts s = {
		    .size = sizeof(s), .id = id, .maxconn = upper, .lower = lower};

		assert_int_equal(lb_server_add(g, &s, NULL), 0);
	}
	commit(g);
	return g;
}

static void pick_from(struct lb_picker *p, uint64_t id, int expected)
{
	struct lb_request r = {.size = sizeof(r), .prefer = id, .flags = LB_REQUEST_STRICT};
	uint64_t got;

	assert_int_equal(lb_pick(p, &r, &got), expected);
}

static void one_that_is_full_waits_until_it_is_below_the_lower_threshold(void **state)
{
	struct lb_group *g = group_with("rr", 4, 2);
	struct lb_picker *p = picker_of(g);

	for (int i = 0; i < 4; i++)
		pick_from(p, 1, 0);
	for (int left = 3; left >= 2; left--) {
		pick_from(p, 1, -EAGAIN);
		lb_done(p, 1, NULL);
	}
	pick_from(p, 1, -EAGAIN); /* two are left: not below two */
	lb_done(p, 1, NULL);
	pick_from(p, 1, 0);
	lb_group_free(g);
}

static void without_a_lower_threshold_it_is_three_quarters(void **state)
{
	struct lb_group *g = group_with("rr", 5, 0);
	struct lb_picker *p = picker_of(g);

	for (int i = 0; i < 5; i++)
		pick_from(p, 1, 0);
	lb_done(p, 1, NULL); /* 4 of 5: 16 is not below 15 */
	pick_from(p, 1, -EAGAIN);
	lb_done(p, 1, NULL);
	pick_from(p, 1, 0);
	lb_group_free(g);
}

static void inactive_connections_count_and_a_higher_threshold_frees(void **state)
{
	struct lb_group *g = group_with("wlc", 3, 0);
	struct lb_picker *p = picker_of(g);
	const struct lb_outcome gone = {.size = sizeof(gone), .inactive = 1};

	for (int i = 0; i < 3; i++)
		pick_from(p, 1, 0);
	for (int i = 0; i < 3; i++) { /* closing, but there */
		lb_count(p, 1, LB_COUNTER_INACTIVE, 1);
		lb_count(p, 1, LB_COUNTER_ACTIVE, -1);
	}
	pick_from(p, 1, -EAGAIN);
	assert_int_equal(lb_server_set_maxconn(g, 1, 4), 0);
	commit(g);
	pick_from(p, 1, 0);
	pick_from(p, 1, -EAGAIN);
	assert_int_equal(lb_server_set_lower(g, 1, 4), 0);
	commit(g);
	lb_done(p, 1, &gone); /* three are left */
	pick_from(p, 1, 0);
	lb_group_free(g);
}

/* What the kernel does, in its words: binding, unbinding, choosing. */
struct model {
	uint32_t active, inactive, upper, lower;
	bool overloaded;
};

static void bind_one(struct model *m)
{
	m->active++;
	if (m->upper && m->active + m->inactive >= m->upper)
		m->overloaded = true;
}

static void unbind_one(struct model *m)
{
	m->inactive--;
	if (m->lower ? m->active + m->inactive < m->lower
		     : 4 * (m->active + m->inactive) < 3 * m->upper)
		m->overloaded = false;
}

/* wlc: the newest first, least overhead. */
static uint64_t model_choice(const struct model *m)
{
	uint64_t best = 0;

	for (uint64_t id = SERVERS; id >= 1; id--) {
		if (m[id].overloaded)
			continue;
		if (!best ||
		    m[id].active * 256 + m[id].inactive < m[best].active * 256 + m[best].inactive)
			best = id;
	}
	return best;
}

static void wlc_agrees_with_the_model(void **state)
{
	struct lb_group *g = group_with("wlc", 9, 5);
	struct lb_picker *p = picker_of(g);
	const struct lb_outcome gone = {.size = sizeof(gone), .inactive = 1};
	struct model m[SERVERS + 1] = {{0}};
	uint32_t x = 3, refused = 0;

	for (uint64_t id = 1; id <= SERVERS; id++)
		m[id] = (struct model){.upper = 9, .lower = 5};
	for (int step = 0; step < 20000; step++) {
		uint64_t who = 1 + draw(&x, SERVERS), expected = model_choice(m), id = 0;

		/* Ebb and flow, so that all are overloaded at times. */
		if (draw(&x, 100) < (step / 500 % 2 ? 60u : 30u)) {
			assert_int_equal(lb_pick(p, NULL, &id), expected ? 0 : -EAGAIN);
			assert_int_equal(id, expected);
			if (expected)
				bind_one(&m[expected]);
			refused += !expected;
		} else if (m[who].active && draw(&x, 2)) {
			lb_count(p, who, LB_COUNTER_INACTIVE, 1);
			lb_count(p, who, LB_COUNTER_ACTIVE, -1);
			m[who].active--;
			m[who].inactive++;
		} else if (m[who].inactive) {
			lb_done(p, who, &gone);
			unbind_one(&m[who]);
		}
	}
	assert_true(refused > 100);
	lb_group_free(g);
}

static void explain_and_priorities_see_it_too(void **state)
{
	struct lb_group *g = group_with("rr", 2, 1);
	struct lb_picker *p = picker_of(g);

	for (uint64_t id = 2; id <= SERVERS; id++)
		assert_int_equal(lb_server_set_priority(g, id, 1), 0);
	commit(g);
	pick_from(p, 1, 0);
	pick_from(p, 1, 0);
	assert_int_equal(lb_group_tick(g, 1), 1); /* the next group is to be opened */
	commit(g);
	assert_picks(p, 3, "4 3 2");
	lb_done(p, 1, NULL);
	assert_int_equal(lb_group_tick(g, 2), 0); /* one is left: not below one */
	lb_done(p, 1, NULL);
	assert_int_equal(lb_group_tick(g, 3), 1);
	commit(g);
	assert_picks(p, 1, "1");
	lb_group_free(g);
}

static void the_next_process_goes_on_where_this_one_was(void **state)
{
	struct lb_group *g = group_with("rr", 4, 2), *h = group_with("rr", 9, 0);
	struct lb_picker *p = picker_of(g), *q = picker_of(h);
	uint8_t buf[2048];
	ssize_t n;

	for (int i = 0; i < 4; i++)
		pick_from(p, 1, 0);
	lb_done(p, 1, NULL);
	n = lb_group_freeze(g, buf, sizeof(buf));
	assert_in_range(n, 1, sizeof(buf));
	assert_int_equal(lb_group_thaw(h, buf, (size_t)n, LB_THAW_COUNTERS), 0);
	commit(h);
	assert_int_equal(stats_of(h, 1).lower, 2);
	assert_int_equal(stats_of(h, 1).overloaded, 1);
	pick_from(q, 1, -EAGAIN); /* three are left, as there */
	lb_done(q, 1, NULL);
	lb_done(q, 1, NULL);
	pick_from(q, 1, 0);
	lb_group_free(g);
	lb_group_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_that_is_full_waits_until_it_is_below_the_lower_threshold),
	    cmocka_unit_test(without_a_lower_threshold_it_is_three_quarters),
	    cmocka_unit_test(inactive_connections_count_and_a_higher_threshold_frees),
	    cmocka_unit_test(wlc_agrees_with_the_model),
	    cmocka_unit_test(explain_and_priorities_see_it_too),
	    cmocka_unit_test(the_next_process_goes_on_where_this_one_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
