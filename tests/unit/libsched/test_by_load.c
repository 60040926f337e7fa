/* SPDX-License-Identifier: MIT */
/* p2c, jiq, peak-ewma, prequal. */
#include "support.h"

#define PICKS 20000
#define MS 1000000u

static void end(struct lb_picker *p, uint64_t id, uint64_t now_ns, uint64_t latency_ns,
		enum lb_result result)
{
	const struct lb_outcome o = {
	    .size = sizeof(o), .now_ns = now_ns, .latency_ns = latency_ns, .result = result};

	assert_int_equal(lb_done(p, id, &o), 0);
}

static uint64_t begin(struct lb_picker *p, uint64_t now_ns)
{
	struct lb_request r = {.size = sizeof(r), .now_ns = now_ns};
	uint64_t id;

	assert_int_equal(lb_pick(p, &r, &id), 0);
	return id;
}

#define assert_near(a, b, far) assert_true((a) - (b) <= (far) && (b) - (a) <= (far))

/* ---- All ---- */

static void idle_servers_share_by_weight(void **state)
{
	static const char *const algos[] = {"p2c", "random"};

	for (size_t a = 0; a < 2; a++) {
		struct lb_group_opts o = {
		    .size = sizeof(o), .algo = algos[a], .seed = 3, .draws = 1};
		struct lb_group *g;
		struct tally t;

		assert_int_equal(lb_group_new(&o, &g), 0);
		for (uint32_t id = 1; id <= 9; id++)
			add(g, id, id == 5 ? 0 : id);
		commit(g);
		t = tally_of(picker_of(g), PICKS);
		assert_int_equal(t.of[5], 0);
		for (size_t id = 1; id <= 9 && a == 1; id++) /* one draw: by weight alone */
			assert_in_range(t.of[id], id == 5 ? 0 : PICKS * id / 40 * 85 / 100,
					PICKS * id / 40 * 115 / 100);
		for (size_t id = 2; id <= 9 && a == 0; id++)
			assert_true(id == 5 || id == 6 || t.of[id] > t.of[id - 1]);
		lb_group_free(g);
	}
}

/* Requests that stay: the loads over the weights come out nearly equal. */
static void what_stays_is_spread_by_weight(void **state)
{
	static const char *const algos[] = {"p2c", "jiq", "peak-ewma"};

	for (size_t a = 0; a < 3; a += 2) {
		struct lb_group *g = GROUP(algos[a], 1, 2, 3, 4);
		struct lb_picker *p = picker_of(g);

		for (int i = 0; i < 1000; i++)
			begin(p, 1);
		for (uint32_t id = 1; id <= 4; id++)
			assert_in_range(stats_of(g, id).active, 93 * id, 107 * id);
		lb_group_free(g);
	}
}

static void the_same_seed_is_the_same_sequence(void **state)
{
	static const char *const algos[] = {"p2c", "jiq", "peak-ewma", "prequal"};

	for (size_t a = 0; a < 4; a++) {
		struct lb_group *g = GROUP(algos[a], 3, 2, 4, 1), *h = GROUP(algos[a], 3, 2, 4, 1);
		struct lb_picker *p = picker_of(g), *q = picker_of(h);

		for (uint64_t i = 1; i < 2000; i++) {
			uint64_t id = begin(p, i * MS);

			assert_int_equal(begin(q, i * MS), id);
			if (i % 3 == 0)
				continue;
			end(p, id, i * MS, id * MS, LB_RESULT_OK);
			end(q, id, i * MS, id * MS, LB_RESULT_OK);
		}
		lb_group_free(g);
		lb_group_free(h);
	}
}

/* ---- What other pickers count ---- */

#define MANY 67

static void leave(struct lb_group *g, uint64_t id)
{
	assert_int_equal(lb_server_remove(g, id), 0);
	commit(g);
	lb_group_reclaim(g);
}

/* Members whose counters stand in a row, backwards in one, anywhere, and some that are left over. */
static struct lb_group *group_in_disorder(const char *algo)
{
	struct lb_group *g = group_new(algo);

	for (uint64_t id = 1; id <= 64; id++)
		add(g, id, 1 + (uint32_t)id % 3);
	commit(g);
	for (uint64_t id = 9; id <= 24; id++)
		leave(g, id);
	for (uint64_t id = 9; id <= 24; id++)
		add(g, id, 1 + (uint32_t)id % 3); /* in the counters of who left last */
	for (uint64_t i = 0; i < 8; i++)
		leave(g, 33 + i * 3 % 8);
	for (uint64_t id = 33; id <= 40; id++)
		add(g, id, 1 + (uint32_t)id % 3); /* in the counters of who left last */
	for (uint64_t id = 65; id <= MANY; id++)
		add(g, id, 1);
	commit(g);
	return g;
}

static void pick_some(struct lb_picker *p, size_t n)
{
	while (n--)
		key_pick(p, 0);
}

static int has_the_score_of_its_load(const struct lb_explanation *e, void *userdata)
{
	assert_true(e->score_valid);
	assert_true(e->score == (e->active + 1.0) / e->weight);
	++*(size_t *)userdata;
	return 0;
}

static void p2c_sees_each_server_once_in_as_many_picks(void **state)
{
	for (size_t others = 1; others <= 3; others++) {
		struct lb_group *g = group_in_disorder("p2c");
		struct lb_picker *p = picker_of(g), *other[3];
		size_t seen = 0;

		for (size_t i = 0; i < others; i++)
			other[i] = picker_of(g);
		pick_some(p, 1);
		for (uint64_t id = 1; id <= MANY; id++)
			for (size_t i = 0; i < others; i++)
				lb_count(other[i], id, LB_COUNTER_ACTIVE,
					 (int64_t)(id + i) * 7 % 5);
		pick_some(p, 64 + MANY); /* an only picker looks at times whether it still is one */
		assert_int_equal(lb_explain(p, NULL, has_the_score_of_its_load, &seen), 0);
		assert_int_equal(seen, MANY);
		lb_group_free(g);
	}
}

static void the_least_is_found_in_as_many_picks(void **state)
{
	static const char *const algos[] = {"wlc", "leastconn", "least_conn",
					    "least-connections-member"};

	for (size_t a = 0; a < 4; a++) {
		struct lb_group *g = group_in_disorder(algos[a]);
		struct lb_picker *p = picker_of(g), *other = picker_of(g);

		for (uint64_t id = 1; id <= MANY; id++)
			lb_count(other, id, LB_COUNTER_ACTIVE, 9);
		for (uint64_t id = 1; id <= MANY; id++) {
			lb_count(other, id, LB_COUNTER_ACTIVE, -9);
			pick_some(p, MANY);
			assert_int_equal(key_pick(p, 0), id);
			lb_count(other, id, LB_COUNTER_ACTIVE, 9);
		}
		lb_group_free(g);
	}
}

/* ---- p2c ---- */

/* Whatever the picker drew before, or ahead: the first pick after a commit as any other. */
static void a_seed_alone_says_who_is_drawn(void **state)
{
	struct lb_group *g = GROUP("p2c", 1, 1, 1, 1, 1, 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	for (uint32_t i = 1; i <= 100; i++) {
		struct lb_request r = {.size = sizeof(r), .flags = LB_REQUEST_UNCOUNTED};
		uint64_t first, another, second;

		assert_int_equal(lb_server_set_weight(g, 8, 1 + i % 2), 0);
		commit(g);
		r.seed = i;
		assert_int_equal(lb_pick(p, &r, &first), 0);
		r.seed = 0;
		assert_int_equal(lb_pick(p, &r, &another), 0);
		r.seed = i;
		assert_int_equal(lb_pick(p, &r, &second), 0);
		assert_int_equal(first, second);
	}
	lb_group_free(g);
}

/* With n requests held on n servers, one choice leaves ln n / ln ln n on the fullest; two far less. */
static void two_choices_avoid_the_busiest(void **state)
{
	struct lb_group *g = group_new("p2c");
	struct lb_picker *p = picker_of(g);

	for (uint64_t id = 1; id <= 1000; id++)
		add(g, id, 1);
	commit(g);
	for (int i = 0; i < 1000; i++)
		begin(p, 0);
	for (uint64_t id = 1; id <= 1000; id++)
		assert_in_range(stats_of(g, id).active, 0, 4);
	lb_group_free(g);
}

/* ---- jiq ---- */

static void jiq_takes_an_idle_one_while_there_is_one(void **state)
{
	struct lb_group *g = group_new("jiq");
	struct lb_picker *p = picker_of(g);
	uint32_t x = 1;

	for (uint64_t id = 1; id <= 20; id++)
		add(g, id, 1 + (uint32_t)id % 3);
	commit(g);
	for (int i = 0; i < 5000; i++) {
		uint64_t id;
		uint32_t idle = 0;

		for (uint64_t k = 1; k <= 20; k++)
			idle += !stats_of(g, k).active && stats_of(g, k).up;
		id = begin(p, 0);
		assert_true(!idle || stats_of(g, id).active == 1);
		for (uint32_t n = draw(&x, 4); n; n--) {
			id = 1 + draw(&x, 20);
			if (stats_of(g, id).active)
				end(p, id, 0, 0, LB_RESULT_OK);
		}
		if (i % 100 == 50) {
			lb_server_set_up(g, 1 + draw(&x, 20), draw(&x, 2));
			commit(g);
		}
	}
	lb_group_free(g);
}

/* ---- peak-ewma ---- */

/* Two servers: each draw sees both, but for the few that draw one three times. */
static void the_slow_one_gets_little(void **state)
{
	struct lb_group *g = GROUP("peak-ewma", 1, 1);
	struct lb_picker *p = picker_of(g);
	size_t slow = 0;

	for (uint64_t i = 1; i <= 1000; i++) {
		uint64_t id = begin(p, i * MS);

		slow += id == 2;
		end(p, id, i * MS, id == 2 ? 50 * MS : 5 * MS, LB_RESULT_OK);
	}
	assert_in_range(slow, 1, 200);
	lb_group_free(g);
}

static double score_2;

static int note_score(const struct lb_explanation *e, void *userdata)
{
	if (e->id == 2)
		score_2 = e->score_valid ? e->score : -1;
	return 0;
}

static double score_at(struct lb_picker *p, uint64_t now_ns)
{
	const struct lb_request r = {.size = sizeof(r), .now_ns = now_ns};

	assert_int_equal(lb_explain(p, &r, note_score, NULL), 0);
	return score_2;
}

static void a_peak_counts_at_once_and_sinks_by_the_clock(void **state)
{
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = "peak-ewma", .decay_ns = 1000 * (uint64_t)MS};
	const struct lb_request to_2 = {.size = sizeof(to_2), .prefer = 2};
	struct lb_group *g;
	struct lb_picker *p;
	uint64_t id, now = 1000 * (uint64_t)MS;

	assert_int_equal(lb_group_new(&o, &g), 0);
	add(g, 1, 1);
	add(g, 2, 1);
	commit(g);
	p = picker_of(g);
	lb_pick(p, &to_2, &id);
	end(p, 2, now, 10 * MS, LB_RESULT_OK);
	assert_near(score_at(p, now), 10e6, 1);
	lb_pick(p, &to_2, &id);
	end(p, 2, now, 90 * MS, LB_RESULT_OK);
	assert_near(score_at(p, now), 90e6, 1);
	/* after one decay time a third is left, after seven a thousandth */
	assert_near(score_at(p, now + 1000 * (uint64_t)MS), 90e6 / 2.718281828, 90e6 / 500);
	assert_near(score_at(p, now + 7000 * (uint64_t)MS), 90e6 / 1096.63, 90e6 / 500000);
	assert_near(score_at(p, now + 70000 * (uint64_t)MS), 0, 1);
	/* a lower one is mixed in by the time since */
	lb_pick(p, &to_2, &id);
	end(p, 2, now + 1000 * (uint64_t)MS, 10 * MS, LB_RESULT_OK);
	assert_near(score_at(p, now + 1000 * (uint64_t)MS),
		    90e6 / 2.718281828 + 10e6 * (1 - 1 / 2.718281828), 90e6 / 500);
	/* a clock that stands or goes back takes nothing */
	assert_near(score_at(p, 0), score_at(p, now + 1000 * (uint64_t)MS), 1);
	lb_group_free(g);
}

static void failing_fast_is_not_fast(void **state)
{
	struct lb_group *g = GROUP("peak-ewma", 1, 1);
	struct lb_picker *p = picker_of(g);
	const struct lb_request to_2 = {.size = sizeof(to_2), .prefer = 2};
	uint64_t id, now = 5000 * (uint64_t)MS;

	lb_pick(p, &to_2, &id);
	end(p, 2, now, 20 * MS, LB_RESULT_OK);
	lb_pick(p, &to_2, &id);
	end(p, 2, now, 1, LB_RESULT_SERVER);
	assert_near(score_at(p, now), 20e6, 1);
	lb_pick(p, &to_2, &id);
	end(p, 2, now, 500 * MS, LB_RESULT_ABORTED);
	assert_near(score_at(p, now), 20e6, 1);
	lb_pick(p, &to_2, &id);
	end(p, 2, now, 30 * MS, LB_RESULT_CONNECT);
	assert_near(score_at(p, now), 30e6, 1);
	lb_group_free(g);
}

static void an_unknown_busy_one_waits_for_its_first_answer(void **state)
{
	struct lb_group *g = GROUP("peak-ewma", 1, 1);
	struct lb_picker *p = picker_of(g);
	const struct lb_request to_1 = {.size = sizeof(to_1), .prefer = 1};
	const struct lb_request to_2 = {.size = sizeof(to_2), .prefer = 2};
	uint64_t id;
	size_t second = 0;

	lb_pick(p, &to_1, &id);
	end(p, 1, MS, 800 * MS, LB_RESULT_OK);
	lb_pick(p, &to_2, &id); /* and no answer yet */
	for (int i = 0; i < 100; i++)
		second += begin(p, MS) == 2;
	assert_in_range(second, 0, 30); /* drawn three times in a row: an eighth */
	lb_group_free(g);
}

/* ---- prequal ---- */

static void the_fast_cold_ones_are_taken_the_hot_are_not(void **state)
{
	struct lb_group *g = group_new("prequal");
	struct lb_picker *p = picker_of(g);
	size_t of[11] = {0};

	for (uint64_t id = 1; id <= 10; id++)
		add(g, id, 1);
	commit(g);
	for (uint64_t id = 1; id <= 10; id++) { /* all known: server 1 the fastest */
		const struct lb_request r = {.size = sizeof(r), .prefer = id};
		uint64_t chosen;

		lb_pick(p, &r, &chosen);
		end(p, id, MS, id * MS, LB_RESULT_OK);
	}
	for (int i = 0; i < 1000; i++) {
		uint64_t id = begin(p, 2 * MS);

		of[id]++;
		end(p, id, 2 * MS, id * MS, LB_RESULT_OK);
	}
	/* one is drawn by one request in four, and then taken at once */
	assert_true(of[1] > 200 && of[1] + of[2] + of[3] > 700 && of[3] > of[5]);
	assert_int_equal(of[9] + of[10], 0);
	lb_count(p, 1, LB_COUNTER_ACTIVE, 50); /* hot: the fastest, but who could wait that long */
	for (int i = 0; i < 100; i++) {
		uint64_t id = begin(p, 3 * MS);

		assert_int_not_equal(id, 1);
		end(p, id, 3 * MS, id * MS, LB_RESULT_OK);
	}
	lb_group_free(g);
}

static void without_latencies_prequal_goes_by_what_is_in_flight(void **state)
{
	struct lb_group *g = GROUP("prequal", 1, 1, 2, 1, 1);
	struct lb_picker *p = picker_of(g);

	for (int i = 0; i < 600; i++)
		begin(p, 0);
	for (uint32_t id = 1; id <= 5; id++)
		assert_in_range(stats_of(g, id).active, id == 3 ? 180 : 90, id == 3 ? 220 : 110);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(idle_servers_share_by_weight),
	    cmocka_unit_test(what_stays_is_spread_by_weight),
	    cmocka_unit_test(the_same_seed_is_the_same_sequence),
	    cmocka_unit_test(p2c_sees_each_server_once_in_as_many_picks),
	    cmocka_unit_test(the_least_is_found_in_as_many_picks),
	    cmocka_unit_test(a_seed_alone_says_who_is_drawn),
	    cmocka_unit_test(two_choices_avoid_the_busiest),
	    cmocka_unit_test(jiq_takes_an_idle_one_while_there_is_one),
	    cmocka_unit_test(the_slow_one_gets_little),
	    cmocka_unit_test(a_peak_counts_at_once_and_sinks_by_the_clock),
	    cmocka_unit_test(failing_fast_is_not_fast),
	    cmocka_unit_test(an_unknown_busy_one_waits_for_its_first_answer),
	    cmocka_unit_test(the_fast_cold_ones_are_taken_the_hot_are_not),
	    cmocka_unit_test(without_latencies_prequal_goes_by_what_is_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
