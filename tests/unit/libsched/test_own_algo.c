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

	assert_int_equal((uintptr_t)cursor % 64, 0);
	if (old)
		*c = *(const struct own_cursor *)old_cursor;
	c->came_from = old ? lb_snapshot_generation(old) : 0;
}

static ssize_t own_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	size_t n = lb_snapshot_count(s);

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
	return (ssize_t)lb_snapshot_count(s);
}

static ssize_t pick_the_first(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
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
	a.flags = 4;
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

	for (size_t i = 0; i < 20; i++)
		p = picker_of(g);
	assert_int_equal(picks_asked, 0);
	assert_int_equal(lb_pick(p, NULL, &id), 0);
	assert_int_equal(picks_asked, 1);
	lb_group_free(g);
}

static ssize_t pick_randomly(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return (ssize_t)(lb_query_random(q) % lb_snapshot_count(s));
}

static void its_random_numbers_depend_on_the_seed_and_the_picker(void **state)
{
	const struct lb_algo a = {.size = sizeof(a), .name = "draw", .pick = pick_randomly};
	struct lb_group *g = own_group(&a, NULL), *h = own_group(&a, NULL);
	char first[300], second[300];
	struct lb_picker *p;

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

static void a_seed_of_the_request_decides_alone(void **state)
{
	const struct lb_algo a = {.size = sizeof(a), .name = "draw", .pick = pick_randomly};
	struct lb_group *g = own_group(&a, NULL);
	struct lb_picker *p = picker_of(g), *other = picker_of(g);
	uint64_t id, same;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct lb_request r = {.size = sizeof(r), .seed = seed};

		assert_int_equal(lb_pick(p, &r, &id), 0);
		picks(other, seed % 3, true);
		assert_int_equal(lb_pick(other, &r, &same), 0);
		assert_int_equal(same, id);
	}
	lb_group_free(g);
}

/* Counts in its states what it is told, so that every picker and every snapshot sees it. */
struct shared_count {
	_Atomic uint32_t starts, counts, full;
};

static void shared_start(const struct lb_snapshot *s, void *cursor, size_t place,
			 const struct lb_request *r)
{
	struct shared_count *group = lb_snapshot_group_state(s);
	struct shared_count *server = lb_snapshot_server_state(s, place);

	assert_int_equal((uintptr_t)server % 64, 0);
	group->starts++;
	server->starts++;
}

static void shared_on_count(const struct lb_snapshot *s, void *cursor, size_t place,
			    enum lb_counter c)
{
	assert_int_equal(c, LB_COUNTER_QUEUED);
	((struct shared_count *)lb_snapshot_server_state(s, place))->counts++;
}

static void shared_on_full(const struct lb_snapshot *s, void *cursor, size_t place)
{
	((struct shared_count *)lb_snapshot_server_state(s, place))->full++;
}

static bool shared_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
			 size_t place, double *ret)
{
	const struct shared_count *group = lb_snapshot_group_state(s);
	const struct shared_count *server = lb_snapshot_server_state(s, place);

	*ret = server->starts + 10 * server->counts + 100 * group->starts + 1000.0 * server->full;
	return true;
}

static int only_multiples_of_7(const struct lb_group_opts *o)
{
	return o->points % 7 ? -EINVAL : 0;
}

static const struct lb_algo shared_algo = {
    .size = sizeof(shared_algo),
    .name = "shared",
    .pick = own_pick,
    .on_start = shared_start,
    .score = shared_score,
    .group_bytes = sizeof(struct shared_count),
    .server_bytes = sizeof(struct shared_count),
    .check = only_multiples_of_7,
    .on_count = shared_on_count,
    .on_full = shared_on_full,
};

static void its_states_outlive_commits_and_are_everyones(void **state)
{
	struct lb_group *g = own_group(&shared_algo, NULL);
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = &shared_algo, .points = 7};
	struct lb_request r = {.size = sizeof(r), .key64 = 4};
	struct lb_picker *p = picker_of(g), *other = picker_of(g);
	double score[5] = {0};
	uint64_t id;

	assert_int_equal(lb_pick(p, &r, &id), 0);
	assert_int_equal(lb_pick(other, &r, &id), 0);
	lb_count(other, id, LB_COUNTER_QUEUED, 1);
	add(g, 4, 1);
	commit(g);
	assert_int_equal(lb_explain(p, &r, scores, score), 0);
	assert_int_equal(score[1], 200);
	assert_int_equal(score[2], 212);
	assert_int_equal(score[4], 200);

	assert_int_equal(lb_group_configure(g, &o), 0); /* other options: a new beginning */
	commit(g);
	assert_int_equal(lb_explain(p, &r, scores, score), 0);
	assert_int_equal(score[2], 0);
	lb_group_free(g);
}

static void it_judges_its_options(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = &shared_algo, .points = 6};
	struct lb_algo greedy = shared_algo;
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	greedy.server_bytes = LB_ALGO_STATE_MAX + 1;
	o = (struct lb_group_opts){.size = sizeof(o), .own_algo = &greedy};
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
}

static ssize_t pick_the_first_full_or_not(const struct lb_snapshot *s, void *cursor,
					  const struct lb_query *q)
{
	return (ssize_t)(((struct shared_count *)lb_snapshot_server_state(s, 0))->full ? 1 : 0);
}

static void it_learns_that_its_choice_is_full(void **state)
{
	struct lb_algo algo = shared_algo;
	struct lb_group *g;
	struct lb_picker *p;
	uint64_t id;

	algo.pick = pick_the_first_full_or_not;
	g = own_group(&algo, NULL);
	lb_server_set_maxconn(g, 1, 1);
	commit(g);
	p = picker_of(g);
	assert_int_equal(lb_pick(p, NULL, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(lb_pick(p, NULL, &id), 0);
	assert_int_equal(id, 2);
	lb_group_free(g);
}

static void say_the_place(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
			  size_t place, ssize_t chosen, char *buf, size_t cap)
{
	snprintf(buf, cap, place == 0 ? "" : "place %zu, not %zd", place, chosen);
}

static int notes(const struct lb_explanation *e, void *userdata)
{
	char(*note)[64] = userdata;

	snprintf(note[e->id], sizeof(note[0]), "%s", e->note ? e->note : "NULL");
	return 0;
}

static void it_says_why(void **state)
{
	const struct lb_algo silent = {.size = sizeof(silent), .name = "silent", .pick = own_pick};
	struct lb_algo algo = silent;
	struct lb_request r = {.size = sizeof(r), .key64 = 4};
	struct lb_group *g;
	char note[4][64];

	algo.note = say_the_place;
	g = own_group(&algo, NULL);
	lb_server_set_up(g, 3, false);
	commit(g);
	assert_int_equal(lb_explain(picker_of(g), &r, notes, note), 0);
	assert_string_equal(note[1], "NULL");
	assert_string_equal(note[2], "place 1, not 1");
	assert_string_equal(note[3], "NULL"); /* the verdict says it */
	r.prefer = 1;
	assert_int_equal(lb_explain(picker_of(g), &r, notes, note), 0);
	assert_string_equal(note[1], "the request prefers it");
	assert_string_equal(note[2], "the request prefers another");
	lb_group_free(g);

	g = own_group(&silent, NULL);
	assert_int_equal(lb_explain(picker_of(g), &r, notes, note), 0);
	lb_group_free(g);

	algo = shared_algo;
	g = own_group(&algo, NULL);
	r = (struct lb_request){.size = sizeof(r), .key64 = 4};
	assert_int_equal(lb_explain(picker_of(g), &r, notes, note), 0);
	assert_string_equal(note[1], "as good as the chosen one, which comes first");
	assert_string_equal(note[2], "no score is below its 0");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_seed_of_the_request_decides_alone),
	    cmocka_unit_test(its_states_outlive_commits_and_are_everyones),
	    cmocka_unit_test(it_judges_its_options),
	    cmocka_unit_test(it_learns_that_its_choice_is_full),
	    cmocka_unit_test(it_says_why),
	    cmocka_unit_test(it_chooses_by_the_key_and_its_hooks_are_called),
	    cmocka_unit_test(its_build_may_refuse_a_commit),
	    cmocka_unit_test(a_place_that_may_not_be_chosen_is_eproto),
	    cmocka_unit_test(it_has_a_name_a_pick_and_no_unknown_flag),
	    cmocka_unit_test(its_random_numbers_depend_on_the_seed_and_the_picker),
	    cmocka_unit_test(who_keeps_no_cursor_has_no_rotation_to_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
