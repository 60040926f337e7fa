/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/fail_memory.h"
#include "service/model.h"
#include "words.h"

#define SORRY "10.0.0.9 80 NAT 1"

struct place {
	struct ha_service_table *t;
	struct ha_service *s;
	struct ha_dest_opts sorry;
	struct ha_service_sorry o;
	bool in_use;
};

/* Three servers of the weights given. */
static void weigh(struct place *p, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t weight[] = {a, b, c};

	ha_service_table_free(p->t);
	p->t = table_of("tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 0\n 10.0.0.2 80 NAT 0\n "
			"10.0.0.3 80 NAT 0");
	p->s = ha_service_next(p->t, NULL);
	for (struct ha_dest *d = ha_dest_next(p->s, NULL); d; d = ha_dest_next(p->s, d))
		d->o.weight = weight[d->o.address.bytes[3] - 1];
}

static void begin(struct place *p, uint32_t quorum, uint32_t hysteresis)
{
	*p = (struct place){.sorry = dest_of(SORRY)};
	p->o = (struct ha_service_sorry){
	    .size = sizeof(p->o), .quorum = quorum, .hysteresis = hysteresis};
}

/* Is the sorry server in after a round with these weights? How many others are? */
static bool round_of(struct place *p, uint32_t a, uint32_t b, uint32_t c, size_t *ret_others)
{
	bool found;

	weigh(p, a, b, c);
	p->o.dest = &p->sorry;
	assert_int_equal(ha_service_sorry(p->s, &p->o, &p->in_use), 0);
	found = ha_dest_find(p->s, &p->sorry);
	assert_int_equal(found, p->in_use);
	*ret_others = ha_dest_count(p->s) - found;
	return found;
}

static void it_comes_when_nobody_else_is_there(void **state)
{
	struct place p;
	size_t n;

	begin(&p, 0, 0);
	assert_false(round_of(&p, 0, 0, 1, &n));
	assert_int_equal(n, 3);
	assert_true(round_of(&p, 0, 0, 0, &n));
	assert_int_equal(n, 0);
	assert_false(round_of(&p, 0, 1, 0, &n));
	assert_int_equal(n, 3);
	ha_service_table_free(p.t);
}

static void quorum_and_hysteresis_are_keepaliveds(void **state)
{
	struct place p;
	size_t n;

	begin(&p, 5, 2);
	assert_false(round_of(&p, 1, 1, 1, &n)); /* 3 = 5 - 2: still */
	assert_true(round_of(&p, 1, 1, 0, &n));
	assert_true(round_of(&p, 2, 2, 2, &n)); /* 6 < 5 + 2: not yet again */
	assert_false(round_of(&p, 2, 2, 3, &n));
	ha_service_table_free(p.t);
	/* Nothing is never enough. */
	begin(&p, 5, 4);
	assert_false(round_of(&p, 1, 0, 0, &n));
	assert_true(round_of(&p, 0, 0, 0, &n));
	ha_service_table_free(p.t);
}

static void others_may_keep_their_connections(void **state)
{
	struct place p;
	size_t n;

	begin(&p, 4, 0);
	p.o.keep = true;
	assert_true(round_of(&p, 1, 1, 1, &n));
	assert_int_equal(n, 3);
	for (struct ha_dest *d = ha_dest_next(p.s, NULL); d; d = ha_dest_next(p.s, d))
		assert_int_equal(d->o.weight, d->o.address.bytes[3] == 9);
	ha_service_table_free(p.t);
}

static void who_drains_is_left_alone(void **state)
{
	struct place p;

	begin(&p, 2, 0);
	p.o.dest = &p.sorry;
	weigh(&p, 1, 1, 0);
	assert_int_equal(ha_dest_drain(ha_dest_next(p.s, NULL), 1000), 0);
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), 0);
	assert_true(p.in_use);
	assert_int_equal(ha_dest_count(p.s), 2);
	assert_true(ha_dest_is_draining(ha_dest_next(p.s, NULL)));
	ha_service_table_free(p.t);
}

static void it_does_not_count_itself(void **state)
{
	struct place p;

	begin(&p, 1, 0);
	p.o.dest = &p.sorry;
	weigh(&p, 0, 0, 0);
	for (int i = 0; i < 2; i++) { /* the table of the round before, again */
		assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), 0);
		assert_true(p.in_use);
		assert_int_equal(ha_dest_count(p.s), 1);
	}
	ha_service_table_free(p.t);
}

static void misuse_is_refused_and_changes_nothing(void **state)
{
	struct place p;

	begin(&p, 0, 0);
	weigh(&p, 0, 0, 0);
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), -EINVAL); /* no dest */
	p.o.dest = &p.sorry;
	assert_int_equal(ha_service_sorry(NULL, &p.o, &p.in_use), -EINVAL);
	assert_int_equal(ha_service_sorry(p.s, NULL, &p.in_use), -EINVAL);
	assert_int_equal(ha_service_sorry(p.s, &p.o, NULL), -EINVAL);
	p.o.hysteresis = 1; /* not less than the quorum of 1 */
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), -EINVAL);
	p.o.hysteresis = 0;
	p.o.reserved[6] = 1;
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), -EINVAL);
	p.o.reserved[6] = 0;
	p.sorry.weight = 0;
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), -EINVAL);
	p.sorry.weight = 1;
	p.sorry.address.family = AF_INET6; /* of the other family */
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), -EINVAL);
	p.sorry.address.family = AF_INET;
	fail_in = 0;
	assert_int_equal(ha_service_sorry(p.s, &p.o, &p.in_use), -ENOMEM);
	fail_in = -1;
	assert_int_equal(ha_dest_count(p.s), 3);
	assert_false(p.in_use);
	ha_service_table_free(p.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_when_nobody_else_is_there),
	    cmocka_unit_test(quorum_and_hysteresis_are_keepaliveds),
	    cmocka_unit_test(others_may_keep_their_connections),
	    cmocka_unit_test(who_drains_is_left_alone),
	    cmocka_unit_test(it_does_not_count_itself),
	    cmocka_unit_test(misuse_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
