/* SPDX-License-Identifier: MIT */
/* smooth-wrr and least_conn; nginx itself is asked in tests/interop/sched_nginx.py. */
#include "support.h"

static void the_sequences_are_nginxs(void **state)
{
	struct lb_group *g = GROUP("smooth-wrr", 5, 1, 1);

	assert_picks(picker_of(g), 14, "1 1 2 1 3 1 1 1 1 2 1 3 1 1");
	lb_group_free(g);
	g = GROUP("smooth-wrr", 3, 2, 1);
	assert_picks(picker_of(g), 12, "1 2 1 3 2 1 1 2 1 3 2 1");
	lb_group_free(g);
	g = GROUP("smooth-wrr", 4, 3, 2);
	assert_picks(picker_of(g), 9, "1 2 3 1 2 1 3 2 1");
	lb_group_free(g);
}

static void in_a_cycle_each_has_exactly_its_weight(void **state)
{
	struct lb_group *g = GROUP("smooth-wrr", 13, 0, 7, 65, 1, 7);
	struct tally t = tally_of(picker_of(g), 93 * 3);

	assert_int_equal(t.of[1], 13 * 3);
	assert_int_equal(t.of[2], 0);
	assert_int_equal(t.of[3], 7 * 3);
	assert_int_equal(t.of[4], 65 * 3);
	assert_int_equal(t.of[5], 3);
	assert_int_equal(t.of[6], 7 * 3);
	lb_group_free(g);
}

/* ---- The obvious way, with servers that are full, down, excluded ---- */

#define SERVERS_MAX 70

struct model {
	uint32_t n;
	long gained[SERVERS_MAX + 1], weight[SERVERS_MAX + 1];
	uint32_t active[SERVERS_MAX + 1];
	bool up[SERVERS_MAX + 1];
	uint64_t excluded;
	uint32_t limit;
};

static bool may(const struct model *m, uint64_t id)
{
	return m->up[id] && m->weight[id] && id != m->excluded &&
	       (!m->limit || m->active[id] < m->limit);
}

static uint64_t model_smooth(struct model *m, bool least, double ratio)
{
	uint64_t best = 0;
	long total = 0;

	for (uint64_t id = 1; id <= m->n; id++) {
		if (!may(m, id) || (least && m->active[id] != ratio * (double)m->weight[id]))
			continue;
		m->gained[id] += m->weight[id];
		total += m->weight[id];
		if (!best || m->gained[id] > m->gained[best])
			best = id;
	}
	m->gained[best] -= total;
	return best;
}

/* Alone with its ratio it is chosen without a step. */
static uint64_t model_least(struct model *m)
{
	uint64_t best = 0;
	double least = 0;
	int n = 0;

	for (uint64_t id = 1; id <= m->n; id++) {
		double ratio = (double)m->active[id] / (double)m->weight[id];

		if (!may(m, id))
			continue;
		n = !best || ratio < least ? 1 : n + (ratio == least);
		if (!best || ratio < least) {
			best = id;
			least = ratio;
		}
	}
	return n > 1 ? model_smooth(m, true, least) : best;
}

/*
 * limit: most of a server; 0 for none, and then requests exclude rarely. calm: so many times rarer are edits and
 * exclusions, so that the rotation repeats itself in between.
 */
static void same_as_the_model(const char *algo, uint32_t n, uint32_t seed, uint32_t limit,
			      uint32_t calm)
{
	struct lb_group *g = group_new(algo);
	struct lb_picker *p;
	struct model m = {.n = n, .limit = limit};
	uint32_t x = seed;

	for (uint64_t id = 1; id <= n; id++) {
		m.weight[id] = 1 << draw(&x, 4); /* ratios of them are exact */
		m.up[id] = true;
		add(g, id, (uint32_t)m.weight[id]);
		lb_server_set_maxconn(g, id, limit);
	}
	commit(g);
	p = picker_of(g);
	for (int i = 0; i < 20000; i++) {
		struct lb_request r = {.size = sizeof(r)};
		uint64_t id = 1 + draw(&x, n), expected;

		if (!draw(&x, 50 * calm)) {
			m.up[id] = !m.up[id];
			lb_server_set_up(g, id, m.up[id]);
			m.weight[id] = limit ? m.weight[id] : 1 << draw(&x, 4);
			lb_server_set_weight(g, id, (uint32_t)m.weight[id]);
			commit(g);
		}
		if (m.active[id]) {
			m.active[id]--;
			lb_done(p, id, NULL);
		}
		m.excluded = draw(&x, limit ? 10 : 100 * calm) ? 0 : 1 + draw(&x, n);
		r.exclude = &m.excluded;
		r.n_exclude = m.excluded != 0;
		expected = algo[0] == 'l' ? model_least(&m) : model_smooth(&m, false, 0);
		assert_int_equal(lb_pick(p, &r, &id) == 0, expected != 0);
		if (!expected)
			continue;
		assert_int_equal(id, expected);
		m.active[id]++;
	}
	lb_group_free(g);
}

static void smooth_wrr_is_the_models(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		for (uint32_t limit = 0; limit <= 6; limit += 6)
			same_as_the_model("smooth-wrr", 20, seed, limit, 1);
}

static void smooth_wrr_is_the_models_when_it_repeats_itself(void **state)
{
	for (uint32_t seed = 1; seed <= 10; seed++)
		same_as_the_model("smooth-wrr", 20, seed, 0, 15);
}

static void least_conn_is_the_models(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		for (uint32_t limit = 0; limit <= 6; limit += 3)
			same_as_the_model("least_conn", seed % 2 ? 20 : SERVERS_MAX, seed, limit,
					  1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_sequences_are_nginxs),
	    cmocka_unit_test(in_a_cycle_each_has_exactly_its_weight),
	    cmocka_unit_test(smooth_wrr_is_the_models),
	    cmocka_unit_test(smooth_wrr_is_the_models_when_it_repeats_itself),
	    cmocka_unit_test(least_conn_is_the_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
