/* SPDX-License-Identifier: MIT */
/* Stick tables and maps: bounds, ages, rates, and what a change does to every view. */
#include "rules_rig.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rules/map.h"
#include "rules/table.h"

#define SECOND UINT64_C(1000000000)

static struct scratch scratch_of(char *at, size_t cap)
{
	return (struct scratch){at, 0, cap};
}

static struct table_entry *hold(struct table *t, int64_t key, bool make, uint64_t now_ns)
{
	char buf[256];
	struct scratch s = scratch_of(buf, sizeof(buf));
	struct sample k = sample_int(key);

	return table_hold(t, &k, make, now_ns, &s);
}

static uint64_t read_of(struct table *t, int64_t key, enum table_data d, uint64_t now_ns)
{
	struct table_entry *e = hold(t, key, false, now_ns);
	uint64_t value = UINT64_MAX;

	if (!e)
		return value;
	assert_true(table_read(t, e, table_at(d), now_ns, &value));
	table_release(t, e);
	return value;
}

static struct table *table(unsigned size, bool nopurge)
{
	struct table_def def;

	memset(&def, 0, sizeof(def));
	def.type = SAMPLE_INT;
	def.size = size;
	def.expire_ns = 10 * SECOND;
	def.nopurge = nopurge;
	def.stored = 1u << TABLE_GPC0 | 1u << TABLE_GPC0_RATE;
	def.period_ns[TABLE_GPC0_RATE] = 10 * SECOND;
	return table_get("t", &def);
}

static void count(struct table *t, int64_t key, uint64_t now_ns)
{
	struct table_entry *e = hold(t, key, true, now_ns);

	if (e) {
		table_count(t, e, table_at(TABLE_GPC0), 1, now_ns);
		table_release(t, e);
	}
}

static void a_table_has_its_size_and_no_more(void **state)
{
	struct table *t = table(100, false), *full = table(3, true);

	for (int i = 0; i < 1000; i++)
		count(t, i, SECOND);
	assert_int_equal(table_used(t, 0), 100);
	assert_int_equal(read_of(t, 999, TABLE_GPC0, SECOND), 1);
	assert_int_equal(read_of(t, 899, TABLE_GPC0, SECOND), UINT64_MAX);
	for (int i = 0; i < 10; i++)
		count(full, i, SECOND);
	assert_int_equal(table_used(full, 0), 3);
	assert_int_equal(read_of(full, 0, TABLE_GPC0, SECOND), 1);
	assert_int_equal(read_of(full, 9, TABLE_GPC0, SECOND), UINT64_MAX);
	table_put(t);
	table_put(full);
}

static void who_is_held_makes_no_room(void **state)
{
	struct table *t = table(2, false);
	struct table_entry *e = hold(t, 1, true, SECOND);

	for (int i = 2; i < 50; i++)
		count(t, i, SECOND);
	table_count(t, e, table_at(TABLE_GPC0), 5, SECOND);
	assert_int_equal(read_of(t, 1, TABLE_GPC0, 100 * SECOND), 5); /* nor does it expire */
	table_release(t, e);
	assert_int_equal(read_of(t, 1, TABLE_GPC0, 100 * SECOND), UINT64_MAX);
	table_put(t);
}

static void a_rate_slides(void **state)
{
	struct table *t = table(10, false);

	for (int i = 0; i < 20; i++)
		count(t, 1, 100 * SECOND);
	assert_int_equal(read_of(t, 1, TABLE_GPC0_RATE, 101 * SECOND), 20);
	count(t, 1, 109 * SECOND);
	/* half of the next period is over: half of the last one counts */
	assert_in_range(read_of(t, 1, TABLE_GPC0_RATE, 115 * SECOND), 9, 11);
	count(t, 1, 118 * SECOND);
	assert_in_range(read_of(t, 1, TABLE_GPC0_RATE, 127 * SECOND), 0, 1);
	table_put(t);
}

static void an_equal_definition_is_the_same_table(void **state)
{
	struct table *a = table(10, false), *b, *c;

	count(a, 1, SECOND);
	b = table(10, false);
	c = table(11, false);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	table_put(a);
	assert_int_equal(read_of(b, 1, TABLE_GPC0, SECOND), 1);
	table_put(b);
	table_put(c);
}

static bool read_lines(void *userdata, const char *path,
		       bool (*add)(void *to, const char *line, struct rule_error *e), void *to,
		       struct rule_error *e)
{
	return add(to, "/a one", e) && add(to, "/a/b two", e) && add(to, "/c  three four", e);
}

static const char *value(struct map_view *v, const char *key, char *buf, size_t cap)
{
	struct scratch s = scratch_of(buf, cap - 1);
	struct sample k = sample_text(SAMPLE_STR, key, strlen(key));
	struct text t;

	if (!map_view_value(v, &k, &s, NULL, &t))
		return "-";
	buf[(size_t)(t.at - buf) + t.len] = '\0';
	return t.at;
}

static void every_view_sees_a_change(void **state)
{
	struct rule_shared shared = {.read_file = read_lines};
	struct map *m = map_get(&shared, "f");
	struct map_view *str, *beg;
	struct rule_error e;
	char buf[256];

	assert_true(map_load(m, &shared, true, &e));
	str = map_view(m, MATCH_STR, false, &e);
	beg = map_view(m, MATCH_BEG, false, &e);
	assert_string_equal(value(str, "/c", buf, sizeof(buf)), "three four");
	assert_string_equal(value(beg, "/a/b/c", buf, sizeof(buf)), "two"); /* the longest */
	assert_int_equal(map_set(m, "/a/b", "new"), 1);
	assert_string_equal(value(beg, "/a/b/c", buf, sizeof(buf)), "new");
	assert_int_equal(map_del(m, "/a/b"), 1);
	assert_string_equal(value(beg, "/a/b/c", buf, sizeof(buf)), "one");
	for (int i = 0; i < 1000; i++) {
		snprintf(buf, sizeof(buf), "/k%d", i);
		assert_true(map_add(m, buf, "v", &e));
		if (i % 3)
			assert_int_equal(map_del(m, buf), 1);
	}
	assert_int_equal(map_count(m), 2 + 334);
	assert_string_equal(value(str, "/k999", buf, sizeof(buf)), "v");
	assert_string_equal(value(str, "/k998", buf, sizeof(buf)), "-");
	map_clear(m);
	assert_string_equal(value(beg, "/a", buf, sizeof(buf)), "-");
	assert_true(map_add(m, "/z", "again", &e));
	assert_string_equal(value(beg, "/zz", buf, sizeof(buf)), "again");
	maps_free(&shared);
}

/* As "set var" makes one while a version is prepared. */
static void a_view_may_be_younger_than_a_draft(void **state)
{
	struct rule_shared shared = {.read_file = read_lines};
	struct map *m = map_get(&shared, "f");
	struct map_view *str, *beg;
	struct rule_error e = {""};
	unsigned version;
	char buf[256];

	assert_true(map_load(m, &shared, true, &e));
	str = map_view(m, MATCH_STR, false, &e);
	version = map_prepare(m);
	assert_true(map_add(map_draft(m, version, true), "/d", "five", &e));
	beg = map_view(m, MATCH_BEG, false, &e);
	assert_string_equal(value(beg, "/a/b/c", buf, sizeof(buf)), "two");
	assert_true(map_commit(m, version, &e));
	assert_string_equal(value(beg, "/a/b/c", buf, sizeof(buf)), "-");
	assert_string_equal(value(beg, "/d/e", buf, sizeof(buf)), "five");
	assert_string_equal(value(str, "/d/e", buf, sizeof(buf)), "-");
	assert_string_equal(value(str, "/d", buf, sizeof(buf)), "five");
	assert_false(map_commit(m, version, &e));
	maps_free(&shared);
}

static void a_clock_that_lags_leaves_rates(void **state)
{
	struct table *t = table(10, false);
	struct table_entry *e = hold(t, 1, true, 100 * SECOND);

	table_count(t, e, table_at(TABLE_GPC0), 5, 100 * SECOND);
	table_count(t, e, table_at(TABLE_GPC0), 1, 100 * SECOND - 1000000); /* another thread */
	table_release(t, e);
	assert_int_equal(read_of(t, 1, TABLE_GPC0_RATE, 100 * SECOND), 6);
	assert_int_equal(read_of(t, 1, TABLE_GPC0_RATE, 99 * SECOND), 6);
	table_put(t);
}

static void count_change(void *userdata, struct table *t, const struct table_entry *e)
{
	++*(int *)userdata;
}

static void what_was_shared_is_shared_again(void **state)
{
	struct table *t = table(10, false);
	int fd = eventfd(0, EFD_NONBLOCK), n = 0;
	eventfd_t times;

	table_share(t, fd);
	table_release(t, hold(t, 1, true, SECOND));
	assert_int_equal(eventfd_read(fd, &times), 0);
	table_share(t, -1); /* and nobody has looked */
	table_release(t, hold(t, 2, true, SECOND));
	table_share(t, fd);
	assert_int_equal(eventfd_read(fd, &times), 0);
	table_changes(t, count_change, &n);
	assert_int_equal(n, 1);
	table_release(t, hold(t, 3, true, SECOND));
	assert_int_equal(eventfd_read(fd, &times), 0);
	table_changes(t, count_change, &n);
	assert_int_equal(n, 2);
	table_put(t);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_has_its_size_and_no_more),
	    cmocka_unit_test(who_is_held_makes_no_room),
	    cmocka_unit_test(a_rate_slides),
	    cmocka_unit_test(an_equal_definition_is_the_same_table),
	    cmocka_unit_test(every_view_sees_a_change),
	    cmocka_unit_test(a_view_may_be_younger_than_a_draft),
	    cmocka_unit_test(a_clock_that_lags_leaves_rates),
	    cmocka_unit_test(what_was_shared_is_shared_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
