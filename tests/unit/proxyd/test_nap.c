/* SPDX-License-Identifier: MIT */
/* Workers whose turns cost what the test says: which naps do they come to? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/nap.h"

#define US UINT64_C(1000)
#define SECOND_NS UINT64_C(1000000000)
#define AUTO (-1)
#define CONNECTIONS 32u
#define MANY 256u

/* A worker, its connections, and what its sleeps cost it. */
struct rig {
	struct nap nap;
	uint64_t now_ns, cpu_ns;
	unsigned connections, busy, next;
	uint8_t seen[MANY];
	uint64_t event_us;  /* one comes each */
	uint64_t answer_us; /* a server takes */
	uint64_t wake_us, nap_us,
	    late_us; /* CPU of a wake-up, of a nap; what 100 us of naps delay all others */
	int wanted;
	uint64_t naps, turns;
};

static void begin(struct rig *r, unsigned connections, uint64_t event_us)
{
	*r = (struct rig){.now_ns = 7 * SECOND_NS,
			  .connections = connections,
			  .busy = connections,
			  .event_us = event_us,
			  .answer_us = 1000,
			  .wake_us = 20,
			  .nap_us = 5,
			  .wanted = AUTO};
	nap_init(&r->nap, r->now_ns);
}

/* Sleeps, and has the events that came meanwhile. Its length. */
static int turn(struct rig *r)
{
	int length = nap_us(&r->nap, r->connections, r->wanted);
	unsigned n = 1 + (unsigned)((uint64_t)length / r->event_us);

	r->naps += length > 0;
	r->turns++;
	r->cpu_ns += ((length ? r->nap_us : r->wake_us) + n * 5) * US;
	r->now_ns += (n * r->event_us + (uint64_t)length * r->late_us / 100) * US;
	for (unsigned i = 0; i < n; i++) {
		unsigned who = r->next++ % r->busy;

		nap_saw(&r->nap, &r->seen[who]);
		nap_answered(&r->nap, r->answer_us * US);
	}
	if (r->connections >= NAP_CONNECTIONS && nap_turn(&r->nap, n, r->now_ns, r->now_ns))
		nap_measure(&r->nap, r->cpu_ns);
	return length;
}

/* The length that it has most of the time, after having looked for it. */
static int comes_to(struct rig *r)
{
	unsigned seen[1001] = {0};
	int most = 0;

	for (unsigned i = 0; i < 100000; i++)
		(void)turn(r);
	for (unsigned i = 0; i < 20000; i++)
		seen[turn(r)]++;
	for (int i = 0; i <= 1000; i++)
		most = seen[i] > seen[most] ? i : most;
	return most;
}

static void long_where_they_save(void **state)
{
	struct rig r;

	begin(&r, CONNECTIONS, 20);
	assert_int_equal(comes_to(&r), 200);
	begin(&r, MANY, 20);
	r.answer_us = 5000;
	assert_int_equal(comes_to(&r), 200);
}

static void none_where_they_cost(void **state)
{
	struct rig r;

	begin(&r, CONNECTIONS, 20);
	r.wake_us = 1;
	r.nap_us = 60;
	assert_int_equal(comes_to(&r), 0);
}

/* As a closed loop that waits for them. */
static void none_where_all_wait(void **state)
{
	struct rig r;

	begin(&r, CONNECTIONS, 20);
	r.wake_us = 5;
	r.late_us = 100;
	assert_int_equal(comes_to(&r), 0);
}

/* What was best is not for ever. */
static void hosts_change(void **state)
{
	struct rig r;

	begin(&r, CONNECTIONS, 20);
	assert_int_equal(comes_to(&r), 200);
	r.nap_us = 100;
	r.wake_us = 1;
	assert_int_equal(comes_to(&r), 0);
	r.nap_us = 5;
	r.wake_us = 20;
	assert_int_equal(comes_to(&r), 200);
}

/* Whose requests do not wait for answers: few of the connections wait for a server. */
static void none_for_those_who_ask_when_they_like(void **state)
{
	struct rig r;

	begin(&r, MANY, 20);
	r.answer_us = 100;
	assert_int_equal(comes_to(&r), 0);
}

static void as_configured(void **state)
{
	struct rig r;

	begin(&r, CONNECTIONS, 20);
	r.wanted = 70;
	assert_int_equal(comes_to(&r), 70);
	begin(&r, CONNECTIONS, 20);
	r.wanted = 0;
	assert_int_equal(comes_to(&r), 0);
	assert_int_equal(r.naps, 0);
}

static void never_for_few_or_slow_ones(void **state)
{
	struct rig r;

	begin(&r, 15, 20);
	assert_int_equal(comes_to(&r), 0);
	assert_int_equal(r.naps, 0);
	begin(&r, CONNECTIONS, 600);
	assert_int_equal(comes_to(&r), 0);
	assert_int_equal(r.naps, 0);
}

/* Other connections are open, but have nothing to do. */
static void idle_ones_do_not_count(void **state)
{
	struct rig r;

	begin(&r, NAP_CONNECTIONS, 20); /* but half of them have events */
	r.busy = 8;
	for (unsigned i = 0; i < 10000; i++) {
		(void)turn(&r);
		assert_int_equal(nap_us(&r.nap, 1000, AUTO), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(long_where_they_save),
	    cmocka_unit_test(none_where_they_cost),
	    cmocka_unit_test(none_where_all_wait),
	    cmocka_unit_test(hosts_change),
	    cmocka_unit_test(none_for_those_who_ask_when_they_like),
	    cmocka_unit_test(as_configured),
	    cmocka_unit_test(never_for_few_or_slow_ones),
	    cmocka_unit_test(idle_ones_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
