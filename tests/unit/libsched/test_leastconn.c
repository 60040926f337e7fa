/* SPDX-License-Identifier: MIT */
#include "support.h"

static void idle_servers_take_turns(void **state)
{
	struct lb_group *g = GROUP("leastconn", 3, 2, 1); /* as HAProxy 2.6.12 did */

	assert_picks(picker_of(g), 12, "1 2 3 1 2 3 1 2 3 1 2 3");
	lb_group_free(g);
}

/* Keys (n + 1) * 256 / weight: after one each 170 256 512; 1 has 256 with two and 341 with three. */
static void the_busy_fill_by_weight(void **state)
{
	struct lb_group *g = GROUP("leastconn", 3, 2, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 4, "1 2 3 1");
	assert_picks_that_stay(p, 2, "2 1");
	for (int i = 0; i < 594; i++)
		picks(p, 1, false);
	assert_in_range(stats_of(g, 1).active, 299, 301);
	assert_in_range(stats_of(g, 2).active, 199, 201);
	assert_in_range(stats_of(g, 3).active, 99, 101);
	lb_group_free(g);
}

static void queued_requests_count_too(void **state)
{
	struct lb_group *g = GROUP("leastconn", 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_int_equal(lb_count(p, 1, LB_COUNTER_QUEUED, 3), 0);
	assert_picks_that_stay(p, 4, "2 2 2 1");
	assert_int_equal(lb_count(p, 1, LB_COUNTER_QUEUED, -3), 0);
	assert_picks_that_stay(p, 2, "1 1");
	lb_group_free(g);
}

static void weights_above_haproxys_still_differ(void **state)
{
	struct lb_group *g = GROUP("leastconn", 60000, 30000);
	struct lb_picker *p = picker_of(g);

	for (int i = 0; i < 300; i++)
		picks(p, 1, false);
	assert_in_range(stats_of(g, 1).active, 199, 201);
	lb_group_free(g);
}

/* ---- The obvious way: a list; whose load changes goes to its end, the first with the least is chosen ---- */

#define SERVERS 10

struct model {
	uint64_t line[SERVERS]; /* ids */
	uint32_t weight[SERVERS + 1], busy[SERVERS + 1], load[SERVERS + 1];
	bool up[SERVERS + 1];
};

static void to_the_end(struct model *m, uint64_t id)
{
	size_t i = 0;

	while (m->line[i] != id)
		i++;
	memmove(&m->line[i], &m->line[i + 1], (SERVERS - 1 - i) * sizeof(m->line[0]));
	m->line[SERVERS - 1] = id;
}

static void load_may_have_changed(struct model *m, uint64_t id)
{
	uint32_t load = m->busy[id] ? (m->busy[id] + 1) * 256 / m->weight[id] : 0;

	if (load != m->load[id])
		to_the_end(m, id);
	m->load[id] = load;
}

static uint64_t model_pick(const struct model *m, uint64_t excluded)
{
	uint64_t best = 0;

	for (size_t i = 0; i < SERVERS; i++) {
		uint64_t id = m->line[i];

		if (m->up[id] && id != excluded && (!best || m->load[id] < m->load[best]))
			best = id;
	}
	return best;
}

static void same_as_the_model(uint32_t seed)
{
	struct lb_group *g = group_new("leastconn");
	struct lb_picker *p = picker_of(g);
	struct model m = {.up = {false}};
	uint32_t x = seed;

	for (uint64_t id = 1; id <= SERVERS; id++) {
		m.line[id - 1] = id;
		m.weight[id] = 1 + draw(&x, 256);
		m.up[id] = true;
		add(g, id, m.weight[id]);
	}
	commit(g);
	for (int i = 0; i < 20000; i++) {
		uint64_t id = 1 + draw(&x, SERVERS), excluded = draw(&x, 9) ? 0 : id, chosen;
		struct lb_request r = {.size = sizeof(r), .exclude = &excluded};

		if (!draw(&x, 40)) { /* who comes back stands behind the others */
			m.up[id] = !m.up[id];
			lb_server_set_up(g, id, m.up[id]);
			commit(g);
			lb_picker_refresh(p);
			if (m.up[id])
				to_the_end(&m, id);
		}
		id = 1 + draw(&x, SERVERS);
		if (m.busy[id] && m.up[id]) {
			lb_done(p, id, NULL);
			m.busy[id]--;
			load_may_have_changed(&m, id);
		}
		r.n_exclude = excluded != 0;
		id = model_pick(&m, excluded);
		assert_int_equal(lb_pick(p, &r, &chosen) == 0, id != 0);
		if (!id)
			continue;
		assert_int_equal(chosen, id);
		m.busy[id]++;
		load_may_have_changed(&m, id);
	}
	lb_group_free(g);
}

static void the_order_among_equals_is_haproxys(void **state)
{
	for (uint32_t seed = 1; seed <= 5; seed++)
		same_as_the_model(seed);
}

static void picks_that_are_not_counted_take_turns_too(void **state)
{
	struct lb_group *g = GROUP("leastconn", 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(key_pick(p, 0), 1 + i % 3);
	lb_group_free(g);
}

static void who_was_full_stands_behind_its_equals(void **state)
{
	struct lb_group *g = GROUP("leastconn", 1, 1, 1); /* as HAProxy 2.6.12 did */
	struct lb_picker *p;

	for (uint64_t id = 1; id <= 3; id++)
		lb_server_set_maxconn(g, id, 1);
	commit(g);
	p = picker_of(g);
	assert_picks_that_stay(p, 2, "1 2");
	assert_int_equal(lb_done(p, 2, NULL), 0);
	assert_picks_that_stay(p, 1, "3");
	assert_int_equal(lb_done(p, 3, NULL), 0);
	assert_int_equal(lb_done(p, 1, NULL), 0);
	assert_picks_that_stay(p, 4, "2 3 1 -EAGAIN");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(idle_servers_take_turns),
	    cmocka_unit_test(the_busy_fill_by_weight),
	    cmocka_unit_test(queued_requests_count_too),
	    cmocka_unit_test(weights_above_haproxys_still_differ),
	    cmocka_unit_test(the_order_among_equals_is_haproxys),
	    cmocka_unit_test(picks_that_are_not_counted_take_turns_too),
	    cmocka_unit_test(who_was_full_stands_behind_its_equals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
