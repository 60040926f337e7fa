/* SPDX-License-Identifier: MIT */
/* An algorithm of one's own, through installed headers alone, and the promises of lb_algo.h. */
#include "support.h"

/* Draws by key among the eligible; keeps in its cursor what the hooks said. */
struct own_cursor {
	uint32_t starts, done;
	uint64_t came_from; /* generation */
};

struct own_table {
	uint64_t built, before; /* generations */
	uint32_t total, set_total;
};

static size_t own_table_size(const struct lb_snapshot *s)
{
	(void)s;
	return sizeof(struct own_table);
}

static int own_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct own_table *t = table;
	const int *fails = lb_snapshot_userdata(s);

	if (fails && *fails)
		return *fails;
	assert_int_equal((uintptr_t)table % 64, 0);
	t->built = lb_snapshot_generation(s);
	t->before = old ? ((const struct own_table *)lb_snapshot_table(old))->built : 0;
	for (size_t i = 0; i < lb_snapshot_count(s); i++) {
		t->total += lb_snapshot_weight(s, i);
		t->set_total += lb_snapshot_configured_weight(s, i);
	}
	return 0;
}

static size_t own_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct own_cursor) + lb_snapshot_count(s);
}

static void own_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		      const void *old_cursor)
{
	struct own_cursor *c = cursor;

	(void)s;
	assert_int_equal((uintptr_t)cursor % 64, 0);
	if (old)
		*c = *(const struct own_cursor *)old_cursor;
	c->came_from = old ? lb_snapshot_generation(old) : 0;
}

static ssize_t own_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	size_t n = lb_snapshot_count(s);

	(void)cursor;
	for (size_t i = 0; i < n; i++) {
		size_t place = (size_t)(lb_query_request(q)->key64 + i) % n;

		if (lb_query_eligible(q, place))
			return (ssize_t)place;
	}
	return -1;
}

static void own_start(const struct lb_snapshot *s, void *cursor, size_t place,
		      const struct lb_request *r)
{
	(void)r;
	assert_in_range(lb_snapshot_counter(s, place, LB_COUNTER_ACTIVE), 1, 100);
	((struct own_cursor *)cursor)->starts++;
}

static void own_done(const struct lb_snapshot *s, void *cursor, size_t place,
		     const struct lb_outcome *o)
{
	assert_in_range(place, 0, lb_snapshot_count(s) - 1);
	((struct own_cursor *)cursor)->done += (uint32_t)o->bytes;
}

static bool own_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	const struct own_cursor *c = cursor;

	(void)q;
	*ret = 1000 * c->starts + 10 * c->done + (double)lb_snapshot_id(s, place);
	return place != 0;
}

static const struct lb_algo own = {
    .size = sizeof(own),
    .name = "own",
    .table_size = own_table_size,
    .build = own_build,
    .cursor_size = own_cursor_size,
    .adopt = own_adopt,
    .pick = own_pick,
    .on_start = own_start,
    .on_done = own_done,
    .score = own_score,
};

static struct lb_group *own_group(const struct lb_algo *algo, void *userdata)
{
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = algo, .own_userdata = userdata};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= 3; id++)
		add(g, id, (uint32_t)id);
	commit(g);
	return g;
}

static int scores(const struct lb_explanation *e, void *userdata)
{
	double *score = userdata;

	score[e->id] = e->score_valid ? e->score : -1;
	return 0;
}

static void it_chooses_by_the_key_and_its_hooks_are_called(void **state)
{
	struct lb_group *g = own_group(&own, NULL);
	struct lb_picker *p;
	struct lb_request r = {.size = sizeof(r), .key64 = 4};
	struct lb_outcome o = {.size = sizeof(o), .bytes = 3};
	double score[4] = {0};
	uint64_t id;

	(void)state;
	assert_int_equal(lb_picker_new(g, &p), 0);
	assert_int_equal(lb_pick(p, &r, &id), 0);
	assert_int_equal(id, 2);
	r.key64 = 5;
	assert_int_equal(lb_pick(p, &r, &id), 0);
	assert_int_equal(id, 3);
	assert_int_equal(lb_done(p, 3, &o), 0);
	assert_int_equal(lb_explain(p, &r, scores, score), 0);
	assert_true(score[1] < 0); /* it has none for the first place */
	assert_true(score[3] > 2032 && score[3] < 2034);
	lb_server_set_weight(g, 1, 9);
	commit(g); /* the cursor comes along */
	assert_int_equal(lb_explain(p, &r, scores, score), 0);
	assert_true(score[2] > 2031 && score[2] < 2033);
	lb_group_free(g);
}

static void its_build_may_refuse_a_commit(void **state)
{
	int fails = 0;
	struct lb_group *g = own_group(&own, &fails);
	struct lb_group_stats s = {.size = sizeof(s)};

	(void)state;
	fails = -EDOM;
	lb_server_set_weight(g, 1, 9);
	assert_int_equal(lb_group_commit(g), -EDOM);
	lb_group_stats(g, &s);
	assert_int_equal(s.staged, 1);
	fails = 0;
	commit(g);
	lb_group_free(g);
}

static ssize_t pick_past_the_end(const struct lb_snapshot *s, void *cursor,
				 const struct lb_query *q)
{
	(void)cursor;
	(void)q;
	return (ssize_t)lb_snapshot_count(s);
}

static ssize_t pick_the_first(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)s;
	(void)cursor;
	(void)q;
	return 0;
}

static void a_place_that_may_not_be_chosen_is_eproto(void **state)
{
	const struct lb_algo past = {
	    .size = sizeof(past), .name = "past", .pick = pick_past_the_end};
	const struct lb_algo first = {
	    .size = sizeof(first), .name = "first", .pick = pick_the_first};
	struct lb_group *g = own_group(&past, NULL);
	struct lb_picker *p;
	uint64_t id;

	(void)state;
	assert_int_equal(lb_picker_new(g, &p), 0);
	assert_int_equal(lb_pick(p, NULL, &id), -EPROTO);
	lb_group_free(g);

	g = own_group(&first, NULL);
	assert_int_equal(lb_picker_new(g, &p), 0);
	assert_int_equal(lb_pick(p, NULL, &id), 0);
	lb_server_set_up(g, 1, false);
	commit(g);
	assert_int_equal(lb_pick(p, NULL, &id), -EPROTO);
	lb_server_set_up(g, 1, true);
	lb_server_set_maxconn(g, 1, 1); /* full: the one above is on it */
	commit(g);
	assert_int_equal(lb_pick(p, NULL, &id), -EAGAIN);
	lb_group_free(g);
}

static void it_has_a_name_a_pick_and_no_unknown_flag(void **state)
{
	struct lb_algo a = own;
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = &a};
	struct lb_group *g;

	(void)state;
	a.name = "a name that is longer than the library keeps";
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	a.name = "";
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	a.name = NULL;
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	a = own;
	a.pick = NULL;
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	a = own;
	a.flags = 2;
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	o.algo = "rr"; /* one or the other */
	a = own;
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
}

static size_t picks_asked;

static ssize_t pick_and_count(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	picks_asked++;
	return own_pick(s, cursor, q);
}

static void who_keeps_no_cursor_has_no_rotation_to_start(void **state)
{
	const struct lb_algo algo = {.size = sizeof(algo), .name = "still", .pick = pick_and_count};
	struct lb_group *g = own_group(&algo, NULL);
	struct lb_picker *p = NULL;
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < 20; i++)
		p = picker_of(g);
	assert_int_equal(picks_asked, 0);
	assert_int_equal(lb_pick(p, NULL, &id), 0);
	assert_int_equal(picks_asked, 1);
	lb_group_free(g);
}

static ssize_t pick_randomly(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)cursor;
	return (ssize_t)(lb_query_random(q) % lb_snapshot_count(s));
}

static void its_random_numbers_depend_on_the_seed_and_the_picker(void **state)
{
	const struct lb_algo a = {.size = sizeof(a), .name = "draw", .pick = pick_randomly};
	struct lb_group *g = own_group(&a, NULL), *h = own_group(&a, NULL);
	char first[300], second[300];
	struct lb_picker *p;

	(void)state;
	assert_int_equal(lb_picker_new(g, &p), 0);
	snprintf(first, sizeof(first), "%s", picks(p, 60, true));
	assert_int_equal(lb_picker_new(g, &p), 0);
	snprintf(second, sizeof(second), "%s", picks(p, 60, true));
	assert_string_not_equal(first, second);
	assert_int_equal(lb_picker_new(h, &p), 0);
	assert_picks(p, 60, first);
	lb_group_free(g);
	lb_group_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_chooses_by_the_key_and_its_hooks_are_called),
	    cmocka_unit_test(its_build_may_refuse_a_commit),
	    cmocka_unit_test(a_place_that_may_not_be_chosen_is_eproto),
	    cmocka_unit_test(it_has_a_name_a_pick_and_no_unknown_flag),
	    cmocka_unit_test(its_random_numbers_depend_on_the_seed_and_the_picker),
	    cmocka_unit_test(who_keeps_no_cursor_has_no_rotation_to_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
