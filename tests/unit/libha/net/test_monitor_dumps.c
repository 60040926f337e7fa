/* SPDX-License-Identifier: MIT */
/* What the monitor does when events are lost and dumps go wrong: its view is the kernel's in the end. */
#include "monitor_rig.h"

static void lost_events_are_made_up_for(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.address[1][1] = false;
	p->k.address[1][6] = true;
	p->k.link[3] = p->k.address[3][1] = p->k.address[3][2] = false;
	p->k.link[6] = true;
	fake_push(p->f, NULL, 0, -ENOBUFS);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
	assert_false(ha_net_monitor_is_synced(p->m));
	assert_int_equal(run(p, 0), 0); /* at once */
	assert_int_equal(p->added, 1);
	assert_int_equal(p->removed, 3);
	assert_int_equal(p->came, 1);
	assert_int_equal(p->went, 1);
	assert_int_equal(p->changed + p->updated, 0);
	assert_int_equal(p->resynced, 1);
	assert_int_equal(stats(p).overruns, 1);
	assert_int_equal(stats(p).resyncs, 2);
	assert_true(ha_net_monitor_is_synced(p->m));
	the_view_is_the_kernels(p);
}

static void a_datagram_that_was_too_long_is_a_lost_event(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	p->k.address[1][1] = false;
	fake_push(p->f, NULL, 0, -EMSGSIZE);
	run(p, 1000);
	assert_int_equal(p->removed, 1);
	the_view_is_the_kernels(p);
}

static void an_interrupted_dump_removes_nothing_and_is_repeated(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.interrupt = 1;
	p->k.address[1][1] = false;
	ha_net_monitor_resync(p->m);
	assert_int_equal(ha_net_monitor_deadline(p->m), 0);
	assert_int_equal(run(p, 0), 0);
	assert_int_equal(p->removed + p->resynced, 0);
	assert_int_equal(stats(p).interrupted, 1);
	assert_true(ha_net_monitor_deadline(p->m) == p->now + 20 * MS);
	run(p, 1000);
	assert_int_equal(p->removed, 1);
	assert_int_equal(p->resynced, 1);
	the_view_is_the_kernels(p);
}

static void events_lost_during_a_dump_begin_it_again(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	ha_net_monitor_resync(p->m);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0); /* asks for the links */
	fake_push(p->f, NULL, 0, -ENOBUFS);
	p->k.address[1][1] = false;
	run(p, 0);
	assert_int_equal(p->resynced, 0);
	run(p, 1000);
	assert_int_equal(p->resynced, 1);
	assert_true(ha_net_monitor_is_synced(p->m));
	the_view_is_the_kernels(p);
}

static void what_goes_while_it_is_read_does_not_stay(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.crossing = 1;
	ha_net_monitor_resync(p->m);
	run(p, 0);
	/* Heard to go, then read as present: believed for the moment only. */
	assert_int_equal(p->removed, 1);
	assert_int_equal(p->added, 1);
	run(p, 1000);
	assert_int_equal(p->removed, 2);
	assert_int_equal(p->resynced, 2);
	assert_true(ha_net_monitor_deadline(p->m) == UINT64_MAX);
	the_view_is_the_kernels(p);
}

static void a_refused_dump_is_asked_again_later_and_later(void **state)
{
	static const uint64_t waits[] = {20, 40, 80, 160, 320, 500, 500};
	struct place *p = *state;

	p->k.refuse = 7;
	run(p, 0);
	for (size_t i = 0; i < 7; i++) {
		assert_true(ha_net_monitor_deadline(p->m) == p->now + waits[i] * MS);
		p->now = ha_net_monitor_deadline(p->m);
		run(p, 0);
	}
	assert_int_equal(p->resynced, 1);
	/* And the next trouble finds its patience fresh. */
	p->k.refuse = 1;
	ha_net_monitor_resync(p->m);
	run(p, 0);
	assert_true(ha_net_monitor_deadline(p->m) == p->now + 20 * MS);
}

static void a_storm_does_not_take_the_pauses_away(void **state)
{
	struct place *p = *state;
	uint64_t deadline;

	p->k.refuse = 4;
	run(p, 200);
	deadline = ha_net_monitor_deadline(p->m);
	assert_true(deadline > p->now && deadline < UINT64_MAX);
	for (int i = 0; i < 100; i++) {
		fake_push(p->f, NULL, 0, -ENOBUFS);
		assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
	}
	assert_true(ha_net_monitor_deadline(p->m) == deadline);
	run(p, 1000);
	the_view_is_the_kernels(p);
}

static void a_dump_without_answer_is_given_up(void **state)
{
	struct place *p = *state;

	p->k.silent = 1;
	run(p, 0);
	assert_true(ha_net_monitor_deadline(p->m) == p->now + 5000 * MS);
	run(p, 6000);
	assert_int_equal(p->resynced, 1);
	the_view_is_the_kernels(p);
}

static void answers_to_a_dump_given_up_are_not_believed(void **state)
{
	struct place *p = *state;
	uint32_t seq;

	run(p, 1000);
	seq = fake_sent(p->f, 0).seq;
	forget(p);
	for (int reading = 0; reading < 2; reading++) {
		if (reading) {
			p->k.silent = 1;
			ha_net_monitor_resync(p->m);
			run(p, 0);
			assert_int_not_equal(fake_sent(p->f, 0).seq, seq);
		}
		push_address(p, RTM_NEWADDR, NLM_F_MULTI, seq, FAKE_PORT, 1, 7, 0);
		fake_push_error(p->f, NLMSG_DONE, seq, 0, 0, NULL);
		run(p, 0);
		assert_int_equal(p->added, 0);
		assert_int_equal(stats(p).interrupted, 0);
	}
	run(p, 6000);
	assert_int_equal(p->resynced, 1);
	the_view_is_the_kernels(p);
	assert_int_equal(stats(p).events, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(lost_events_are_made_up_for),
	    T(a_datagram_that_was_too_long_is_a_lost_event),
	    T(an_interrupted_dump_removes_nothing_and_is_repeated),
	    T(events_lost_during_a_dump_begin_it_again),
	    T(what_goes_while_it_is_read_does_not_stay),
	    T(a_refused_dump_is_asked_again_later_and_later),
	    T(a_storm_does_not_take_the_pauses_away),
	    T(a_dump_without_answer_is_given_up),
	    T(answers_to_a_dump_given_up_are_not_believed),
	};

	return cmocka_run_group_tests_name("libha/net/monitor_dumps", tests, NULL, NULL);
}
