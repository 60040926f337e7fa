/* SPDX-License-Identifier: MIT */
/* What lb_explain() says beside the verdict: whose a key is, and the figure that was compared. */
#include "support.h"

#include <string.h>

struct why {
	size_t n;
	uint64_t chosen;
	char note[8][128]; /* by id */
	bool has_score[8];
	double score[8];
};

static int row(const struct lb_explanation *e, void *userdata)
{
	struct why *w = userdata;

	assert_in_range(e->id, 1, 7);
	w->n++;
	if (e->verdict == LB_VERDICT_CHOSEN)
		w->chosen = e->id;
	snprintf(w->note[e->id], sizeof(w->note[0]), "%s", e->note ? e->note : "");
	w->has_score[e->id] = e->score_valid;
	w->score[e->id] = e->score;
	return 0;
}

static struct why explain(struct lb_picker *p, uint64_t key)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key};
	struct why w = {0};

	lb_explain(p, &r, row, &w);
	return w;
}

/* Key 0 is slot 0. */
static void a_key_has_an_owner_and_perhaps_one_who_stands_in(void **state)
{
	static const char *const algos[] = {"sh", "dh", "mh"};

	for (size_t i = 0; i < sizeof(algos) / sizeof(*algos); i++) {
		struct lb_group_opts o = {
		    .size = sizeof(o), .algo = algos[i], .flags = LB_GROUP_FALLBACK};
		struct lb_picker *p;
		struct lb_group *g;
		struct why w;
		uint64_t owner;

		assert_int_equal(lb_group_new(&o, &g), 0);
		p = picker_of(g);
		for (uint64_t id = 1; id <= 3; id++)
			add(g, id, 1);
		commit(g);
		w = explain(p, 0);
		owner = w.chosen;
		assert_int_equal(w.n, 3);
		for (uint64_t id = 1; id <= 3; id++)
			assert_non_null(
			    strstr(w.note[id], id == owner ? "is its own" : "is another's"));
		lb_server_set_maxconn(g, owner, 1);
		lb_count(p, owner, LB_COUNTER_ACTIVE, 1);
		commit(g);
		w = explain(p, 0);
		assert_true(w.chosen && w.chosen != owner);
		assert_non_null(strstr(w.note[w.chosen], "stands in"));
		lb_group_free(g);
	}
}

static void the_figure_that_is_compared_is_told(void **state)
{
	struct lb_group *lc = GROUP("lc", 1, 2), *wlc = GROUP("wlc", 1, 2);
	struct lb_picker *p = picker_of(lc), *q = picker_of(wlc);
	struct why w;

	lb_count(p, 1, LB_COUNTER_ACTIVE, 2);
	lb_count(p, 2, LB_COUNTER_ACTIVE, 4);
	w = explain(p, 0);
	assert_true(w.has_score[1] && w.has_score[2]);
	assert_true(w.score[1] > 0 && w.score[2] == 2 * w.score[1]);
	lb_count(q, 1, LB_COUNTER_ACTIVE, 2);
	lb_count(q, 2, LB_COUNTER_ACTIVE, 4);
	w = explain(q, 0);
	assert_true(w.score[1] > 0 && w.score[2] == w.score[1]);
	lb_group_free(lc);
	lb_group_free(wlc);
}

static void the_least_figure_is_chosen(void **state)
{
	static const char *const algos[] = {"lc", "wlc", "sed", "leastconn", "least_conn"};

	for (size_t i = 0; i < sizeof(algos) / sizeof(*algos); i++) {
		struct lb_group *g = GROUP(algos[i], 1, 4, 2, 3);
		struct lb_picker *p = picker_of(g);

		for (unsigned k = 0; k < 40; k++) {
			struct why w = explain(p, 0);
			uint64_t id;

			for (unsigned other = 1; other <= 4; other++) {
				assert_true(w.has_score[other]);
				assert_true(w.score[w.chosen] <= w.score[other]);
			}
			assert_int_equal(lb_pick(p, NULL, &id), 0);
			assert_int_equal(id, w.chosen);
		}
		lb_group_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_has_an_owner_and_perhaps_one_who_stands_in),
	    cmocka_unit_test(the_figure_that_is_compared_is_told),
	    cmocka_unit_test(the_least_figure_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
