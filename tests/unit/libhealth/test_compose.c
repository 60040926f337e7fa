/* SPDX-License-Identifier: MIT */
/* One state of many, against F5's and keepalived's words and by chance against a plain reckoning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include <libhealth/compose.h>

#define UNKNOWN HEALTH_STATE_UNKNOWN
#define DOWN HEALTH_STATE_DOWN
#define DRAIN HEALTH_STATE_DRAIN
#define DEGRADED HEALTH_STATE_DEGRADED
#define UP HEALTH_STATE_UP

static struct health_compose made(enum health_rule rule, uint64_t need, uint64_t hysteresis,
				  bool starts_up)
{
	const struct health_compose_opts o = {.size = sizeof(o),
					      .rule = rule,
					      .need = need,
					      .hysteresis = hysteresis,
					      .starts_up = starts_up};
	struct health_compose c;

	assert_int_equal(health_compose_init(&c, &o), 0);
	return c;
}

static void all_of_is_as_good_as_the_worst(void **state)
{
	struct health_compose c = made(HEALTH_RULE_ALL, 0, 0, false);

	assert_int_equal(health_compose_state(&c), UNKNOWN);
	assert_true(health_compose_add(&c, UP, 1));
	assert_true(health_compose_add(&c, UNKNOWN, 1));
	assert_int_equal(health_compose_state(&c), UNKNOWN);
	assert_true(health_compose_change(&c, UNKNOWN, 1, DEGRADED, 1));
	assert_int_equal(health_compose_state(&c), DEGRADED);
	assert_true(health_compose_add(&c, DRAIN, 0));
	assert_int_equal(health_compose_state(&c), DRAIN);
	assert_true(health_compose_add(&c, DOWN, 1));
	assert_int_equal(health_compose_state(&c), DOWN);
	assert_true(health_compose_remove(&c, DOWN, 1));
	assert_true(health_compose_remove(&c, DRAIN, 0));
	assert_true(health_compose_change(&c, DEGRADED, 1, UP, 1));
	assert_int_equal(health_compose_state(&c), UP);
	assert_false(health_compose_remove(&c, UP, 1));
	assert_true(health_compose_remove(&c, UP, 1));
	assert_int_equal(health_compose_state(&c), UNKNOWN);
}

static void min_of_counts_the_best(void **state)
{
	struct health_compose c = made(HEALTH_RULE_MIN, 2, 0, false);

	assert_true(health_compose_add(&c, UP, 0)); /* one alone: down */
	assert_int_equal(health_compose_state(&c), DOWN);
	assert_true(health_compose_add(&c, UNKNOWN, 0));
	assert_int_equal(health_compose_state(&c), UNKNOWN);
	assert_true(health_compose_change(&c, UNKNOWN, 0, UP, 0));
	assert_int_equal(health_compose_state(&c), UP);
	assert_false(health_compose_add(&c, DOWN, 0));
	assert_true(health_compose_change(&c, UP, 0, DEGRADED, 0));
	assert_int_equal(health_compose_state(&c), DEGRADED);
	assert_false(health_compose_change(&c, DOWN, 0, DRAIN, 0));
	assert_true(health_compose_change(&c, UP, 0, DOWN, 0));
	assert_int_equal(health_compose_state(&c), DRAIN);
}

/* keepalived: quorum 10, hysteresis 3: lost below 7, gained at 13; taken as there at first. */
static void the_quorum_has_keepaliveds_hysteresis(void **state)
{
	struct health_compose c = made(HEALTH_RULE_WEIGHT, 10, 3, true);
	struct health_compose_status s = {.size = sizeof(s)};

	assert_int_equal(health_compose_state(&c), UP);
	assert_false(health_compose_add(&c, UP, 7)); /* 7 is not below 7 */
	assert_false(health_compose_add(&c, UP, 6));
	assert_false(health_compose_change(&c, UP, 6, DOWN, 6));
	assert_int_equal(health_compose_state(&c), UP);
	assert_true(health_compose_change(&c, UP, 7, UP, 6)); /* a script lowers the weight: lost */
	assert_int_equal(health_compose_state(&c), DOWN);
	assert_false(health_compose_change(&c, DOWN, 6, UP, 6)); /* 12: not yet */
	health_compose_status(&c, &s);
	assert_int_equal(s.have, 12);
	assert_int_equal(s.need, 13);
	assert_int_equal(s.up, 2);
	assert_int_equal(s.members, 2);
	assert_true(health_compose_change(&c, UP, 6, UP, 7));
	assert_int_equal(health_compose_state(&c), UP);
}

static uint32_t chance(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* The n-th best member's state, by sorting in the head. */
static enum health_state reckon(const enum health_state *m, const uint32_t *w, size_t n,
				enum health_rule rule, uint64_t need)
{
	static const enum health_state order[] = {UP, DEGRADED, DRAIN, UNKNOWN, DOWN};
	uint64_t have = 0, total = 0;

	for (size_t i = 0; i < n; i++)
		total += rule == HEALTH_RULE_WEIGHT ? w[i] : 1;
	if (rule == HEALTH_RULE_ALL)
		need = total;
	if (!total && rule == HEALTH_RULE_ALL)
		return UNKNOWN;
	for (size_t k = 0; k < 5; k++) {
		for (size_t i = 0; i < n; i++)
			if (m[i] == order[k])
				have += rule == HEALTH_RULE_WEIGHT ? w[i] : 1;
		if (have >= need)
			return order[k];
	}
	return DOWN;
}

static void it_is_what_a_plain_reckoning_says(void **state)
{
	uint64_t seed = 3;

	for (int run = 0; run < 500; run++) {
		enum health_rule rule = (enum health_rule)(chance(&seed) % 3);
		uint64_t need = rule == HEALTH_RULE_ALL ? 0 : 1 + chance(&seed) % 8;
		struct health_compose c = made(rule, need, 0, false);
		enum health_state m[8], before;
		uint32_t w[8];
		size_t n = 0;

		for (int i = 0; i < 40; i++) {
			enum health_state s = (enum health_state)(chance(&seed) % 5);
			uint32_t weight = chance(&seed) % 4;
			size_t at = n ? chance(&seed) % n : 0;
			bool told;

			before = health_compose_state(&c);
			if (n < 8 && (!n || chance(&seed) % 3 == 0)) {
				told = health_compose_add(&c, s, weight);
				m[n] = s;
				w[n++] = weight;
			} else if (chance(&seed) % 5) {
				told = health_compose_change(&c, m[at], w[at], s, weight);
				m[at] = s;
				w[at] = weight;
			} else {
				told = health_compose_remove(&c, m[at], w[at]);
				m[at] = m[--n];
				w[at] = w[n];
			}
			assert_int_equal(health_compose_state(&c), reckon(m, w, n, rule, need));
			assert_int_equal(told, health_compose_state(&c) != before);
		}
	}
}

static void wrong_words_do_nothing(void **state)
{
	const struct health_compose_opts bad[] = {
	    {.size = sizeof(bad[0]), .rule = (enum health_rule)3},
	    {.size = sizeof(bad[0]), .need = 1},
	    {.size = sizeof(bad[0]), .rule = HEALTH_RULE_MIN},
	    {.size = sizeof(bad[0]), .rule = HEALTH_RULE_WEIGHT, .need = 3, .hysteresis = 3},
	    {.size = 1},
	};
	struct health_compose c = made(HEALTH_RULE_MIN, 1, 0, false);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(health_compose_init(&c, &bad[i]), -EINVAL);
	assert_false(health_compose_remove(&c, UP, 0)); /* never came */
	assert_false(health_compose_change(&c, UP, 0, DOWN, 0));
	assert_false(health_compose_add(&c, (enum health_state)5, 0));
	assert_false(health_compose_add(&c, UP, HEALTH_COMPOSE_WEIGHT_MAX + 1));
	assert_int_equal(health_compose_state(&c), UNKNOWN);
	assert_int_equal(health_compose_status(&c, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_of_is_as_good_as_the_worst),
	    cmocka_unit_test(min_of_counts_the_best),
	    cmocka_unit_test(the_quorum_has_keepaliveds_hysteresis),
	    cmocka_unit_test(it_is_what_a_plain_reckoning_says),
	    cmocka_unit_test(wrong_words_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
