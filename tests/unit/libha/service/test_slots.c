/* SPDX-License-Identifier: MIT */
/* The caller's own table of slots. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/fail_memory.h"
#include "service/plan.h"
#include "words.h"

/* A service with a table, of 10.0.0.1 and 10.0.0.2 in the order of adding. */
static struct ha_service *service_with(struct ha_service_table *t, const char *first,
				       const char *second, const uint16_t *dests, size_t n)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 mh");
	struct ha_dest_opts a = dest_of(first), b = dest_of(second);
	struct ha_service *s;

	o.flags = HA_SERVICE_SLOTS;
	assert_int_equal(ha_service_add(t, &o, &s), 0);
	assert_int_equal(ha_dest_set(s, &a, NULL), 0);
	assert_int_equal(ha_dest_set(s, &b, NULL), 0);
	assert_int_equal(ha_service_set_slots(s, dests, n), 0);
	return s;
}

#define A "10.0.0.1 80 NAT 1"
#define B "10.0.0.2 80 NAT 1"

static const uint16_t aab[] = {0, 0, 1}, abb[] = {0, 1, 1}, bba[] = {1, 1, 0};

static size_t steps_between(const uint16_t *want, const char *first, const char *second,
			    const uint16_t *have)
{
	struct ha_service_table *w = table_of(""), *h = table_of("");
	struct ha_service_plan *p;
	size_t n;

	service_with(w, first, second, want, 3);
	service_with(h, A, B, have, 3);
	assert_int_equal(ha_service_plan(w, h, &p), 0);
	n = ha_service_plan_count(p);
	ha_service_plan_free(p);
	ha_service_table_free(w);
	ha_service_table_free(h);
	return n;
}

static void another_table_is_an_edit(void **state)
{
	assert_int_equal(steps_between(aab, A, B, aab), 0);
	assert_int_equal(steps_between(abb, A, B, aab), 1);
	assert_int_equal(steps_between(bba, B, A, aab), 0); /* the same under other numbers */
}

static void other_destinations_forget_the_table(void **state)
{
	struct ha_service_table *t = table_of("");
	struct ha_service *s = service_with(t, A, B, aab, 3);
	struct ha_dest_opts more = dest_of("10.0.0.3 80 NAT 1"),
			    same = dest_of("10.0.0.2 80 NAT 9");
	struct ha_service_opts o;

	assert_int_equal(ha_dest_set(s, &same, NULL), 0);
	assert_int_equal(s->slots.n, 3); /* a weight is not another destination */
	assert_int_equal(ha_dest_set(s, &more, NULL), 0);
	assert_int_equal(s->slots.n, 0);
	assert_int_equal(ha_service_set_slots(s, aab, 3), 0);
	ha_dest_remove(ha_dest_next(s, NULL));
	assert_int_equal(s->slots.n, 0);
	assert_int_equal(ha_service_set_slots(s, aab, 3), 0);
	o = s->o;
	o.flags = 0;
	assert_int_equal(ha_service_set(s, &o), 0);
	assert_int_equal(s->slots.n, 0);
	assert_int_equal(ha_service_set_slots(s, aab, 3), -EINVAL); /* it is to have none */
	ha_service_table_free(t);
}

static void senseless_tables_are_refused(void **state)
{
	static const uint16_t beyond[] = {0, 2};
	static uint16_t many[HA_SLOTS_MAX + 1];
	struct ha_service_table *t = table_of("");
	struct ha_service *s = service_with(t, A, B, aab, 3);

	assert_int_equal(ha_service_set_slots(s, beyond, 2), -EINVAL);
	assert_int_equal(ha_service_set_slots(s, aab, 0), -EINVAL);
	assert_int_equal(ha_service_set_slots(s, NULL, 3), -EINVAL);
	assert_int_equal(ha_service_set_slots(NULL, aab, 3), -EINVAL);
	assert_int_equal(ha_service_set_slots(s, many, HA_SLOTS_MAX + 1), -EINVAL);
	assert_int_equal(s->slots.n, 3); /* the old one stays */
	assert_int_equal(ha_service_set_slots(s, many, HA_SLOTS_MAX), 0);
	ha_service_table_free(t);
}

static void a_copy_has_the_table_too(void **state)
{
	struct ha_service_table *t = table_of(""), *copy = NULL;
	const struct ha_service *s = service_with(t, A, B, aab, 3), *twin;
	long n = 0;
	int r;

	do {
		fail_in = n++;
		r = ha_service_table_copy(t, &copy);
		fail_in = -1;
		assert_true(r == 0 || r == -ENOMEM);
	} while (r && n < 100);
	twin = ha_service_next(copy, NULL);
	assert_int_equal(twin->slots.digest, s->slots.digest);
	assert_memory_equal(twin->slots.dests, aab, sizeof(aab));
	assert_ptr_not_equal(twin->slots.dests, s->slots.dests);
	ha_service_table_free(copy);
	ha_service_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_table_is_an_edit),
	    cmocka_unit_test(other_destinations_forget_the_table),
	    cmocka_unit_test(senseless_tables_are_refused),
	    cmocka_unit_test(a_copy_has_the_table_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
