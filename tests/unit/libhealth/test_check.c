/* SPDX-License-Identifier: MIT */
/* What one check can besides running: many watchers, a history, a successor, phases, being fed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <libhealth/probe_expect.h>

#include "ping.h"
#include "rig.h"


/* ---- watchers ---- */

struct user {
	unsigned int results, transitions;
	struct health_watcher *watcher, *removes;
	bool removes_check;
};

static void user_result(struct health_check *c, const struct health_result *result, void *userdata)
{
	struct user *u = userdata;

	assert_int_equal(result->code, HEALTH_CODE_L4OK);
	u->results++;
	health_watcher_remove(u->removes);
	u->removes = NULL;
	if (u->removes_check)
		health_check_remove(c);
}

static void user_transition(struct health_check *c, const struct health_transition *t,
			    void *userdata)
{
	((struct user *)userdata)->transitions++;
}

static const struct health_engine_ops user_ops = {
    .size = sizeof(user_ops), .result = user_result, .transition = user_transition};

static void many_users_share_one_check_on_the_wire(void **state)
{
	const struct health_filter_opts f = {.size = sizeof(f), .start = HEALTH_START_DOWN};
	struct user user[3] = {0};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	for (int i = 0; i < 3; i++)
		assert_int_equal(health_check_watch(c, &user_ops, &user[i], &user[i].watcher), 0);
	rig_settle(&r, 1);
	assert_int_equal(rig_stats(&r).started, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(user[i].results, 1);
		assert_int_equal(user[i].transitions, 1);
	}
	health_watcher_remove(user[1].watcher);
	rig_pass(&r, 2 * S);
	assert_int_equal(user[0].results, 2);
	assert_int_equal(user[1].results, 1);
	rig_close(&r); /* the others go with the check */
}

static void watchers_may_go_in_their_callbacks(void **state)
{
	struct user user[3] = {0};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	c = rig_add(&r, &o);
	for (int i = 0; i < 3; i++)
		assert_int_equal(health_check_watch(c, &user_ops, &user[i], &user[i].watcher), 0);
	user[0].removes = user[1].watcher; /* the one behind it */
	user[2].removes = user[2].watcher; /* itself */
	rig_settle(&r, 1);
	assert_int_equal(user[0].results, 1);
	assert_int_equal(user[1].results, 0);
	assert_int_equal(user[2].results, 1);
	user[0].removes_check = true;
	rig_pass(&r, 2 * S);
	assert_int_equal(user[0].results, 2);
	assert_int_equal(user[2].results, 1);
	assert_int_equal(rig_stats(&r).checks, 0);
	assert_int_equal(health_check_watch(NULL, &user_ops, NULL, &user[0].watcher), -EINVAL);
	health_watcher_remove(NULL);
	rig_close(&r);
}

/* ---- history ---- */

static void the_last_results_are_remembered(void **state)
{
	struct health_past past[5];
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.flags |= HEALTH_CHECK_FED;
	o.history = 3;
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	assert_int_equal(health_check_history(c, past, 5), 0);
	for (unsigned int i = 0; i < 10; i++) {
		ssize_t n;

		health_check_report(c, i % 2 ? HEALTH_FAIL : HEALTH_OK, r.now_ns + i);
		n = health_check_history(c, past, 5);
		assert_int_equal(n, i + 1 < 3 ? i + 1 : 3);
		for (ssize_t k = 0; k < n; k++) {
			assert_int_equal(past[k].start_ns, r.now_ns + i - (uint64_t)k);
			assert_int_equal(past[k].verdict,
					 (i - (uint64_t)k) % 2 ? HEALTH_FAIL : HEALTH_OK);
		}
	}
	assert_int_equal(past[0].state, HEALTH_STATE_UP);
	assert_int_equal(past[0].phase, HEALTH_PHASE_PASSIVE);
	assert_int_equal(health_check_history(c, past, 1), 1);
	assert_int_equal(health_check_history(NULL, past, 1), -EINVAL);
	rig_close(&r);
}

/* ---- fed ---- */

static void a_fed_check_asks_nobody_and_ages(void **state)
{
	const struct health_filter_opts f = {
	    .size = sizeof(f), .rise = 1, .fall = 1, .silence_ns = 10 * S};
	struct health_check_opts o = {.size = sizeof(o), .flags = HEALTH_CHECK_FED, .filter = &f};
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, NULL);
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	health_check_run_now(c);
	rig_pass(&r, 9 * S);
	assert_int_equal(rig_stats(&r).started, 0);
	health_check_report(c, HEALTH_OK, r.now_ns); /* a BFD session says it is up */
	rig_pass(&r, 9 * S);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UP);
	rig_pass(&r, S);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN); /* nobody spoke */
	assert_int_equal(r.transition.reason, HEALTH_REASON_SILENCE);
	health_check_report(c, HEALTH_OK, r.now_ns);
	health_check_report(c, HEALTH_FAIL_NOW, r.now_ns); /* the session went down */
	assert_int_equal(r.transition.reason, HEALTH_REASON_FAIL_NOW);
	health_check_set_paused(c, true);
	health_check_report(c, HEALTH_OK, r.now_ns);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	health_check_set_paused(c, false);
	rig_dispatch(&r);
	health_check_report(c, HEALTH_OK, r.now_ns);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UP);
	rig_close(&r);
}

/* ---- the successor ---- */

static void a_successor_goes_on_where_the_check_stood(void **state)
{
	const struct health_filter_opts f = {.size = sizeof(f), .interval_ns = 10 * S, .fall = 2};
	struct health_check_status before, after = {.size = sizeof(after)};
	uint8_t frozen[HEALTH_FREEZE_MAX];
	struct health_check_opts o;
	struct health_check *c;
	struct rig r, next;
	ssize_t len;

	rig_open(&r, NULL, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = S;
	c = rig_add(&r, &o);
	rig_pass(&r, 4 * S);
	before = rig_status(c);
	assert_int_equal(before.state, HEALTH_STATE_DOWN);
	assert_int_equal(before.failures, 1);
	len = health_check_freeze(c, r.now_ns, frozen, sizeof(frozen));
	assert_true(len > 0);
	assert_int_equal(health_check_freeze(c, r.now_ns, frozen, (size_t)len - 1), -ENOBUFS);
	assert_true(health_check_freeze(c, r.now_ns, frozen, sizeof(frozen)) == len);

	rig_open(&next, NULL, NULL);
	next.now_ns = 77 * S; /* another clock */
	o.flags = 0;
	c = rig_add(&next, &o);
	for (size_t cut = 0; cut < (size_t)len; cut++)
		assert_int_equal(health_check_thaw(c, next.now_ns, frozen, cut), -EBADMSG);
	assert_int_equal(health_check_thaw(c, next.now_ns, frozen, (size_t)len), 0);
	assert_int_equal(rig_status(c).next_ns - next.now_ns, before.next_ns - r.now_ns);
	rig_dispatch(&next);
	after = rig_status(c);
	assert_int_equal(after.state, HEALTH_STATE_DOWN);
	assert_int_equal(after.failures, 1);
	assert_int_equal(after.code, HEALTH_CODE_L4TOUT);
	assert_int_equal(after.last_total_ns, before.last_total_ns);
	assert_int_equal(next.now_ns - after.last_start_ns, r.now_ns - before.last_start_ns);
	assert_int_equal(after.error, before.error);
	assert_int_equal(after.phase, before.phase);
	assert_int_equal(after.next_ns - next.now_ns, before.next_ns - r.now_ns);
	assert_int_equal(next.transitions, 0);
	assert_int_equal(health_check_thaw(c, next.now_ns, frozen, (size_t)len), -EBUSY);

	/* Added paused, and let go an hour later: nothing of that hour is late, nor held against it. */
	o.flags = HEALTH_CHECK_PAUSED;
	c = rig_add(&next, &o);
	assert_int_equal(health_check_thaw(c, next.now_ns, frozen, (size_t)len), 0);
	next.now_ns += 3600 * S;
	health_check_set_paused(c, false);
	rig_dispatch(&next);
	after = rig_status(c);
	assert_int_equal(after.state, HEALTH_STATE_DOWN);
	assert_true(after.next_ns >= next.now_ns);
	rig_close(&next);
	rig_close(&r);
}

/* ---- an operator ---- */

static void an_override_is_told_and_the_check_goes_on(void **state)
{
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	c = rig_add(&r, &o);
	rig_settle(&r, 1);
	health_check_override(c, HEALTH_OVERRIDE_DOWN, r.now_ns);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(r.transition.to, HEALTH_STATE_DOWN);
	assert_int_equal(r.transition.reason, HEALTH_REASON_OPERATOR);
	rig_pass(&r, 4 * S);
	assert_int_equal(r.results, 3);
	assert_int_equal(r.transitions, 1);
	health_check_override(c, HEALTH_OVERRIDE_NONE, r.now_ns);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UP);
	assert_int_equal(r.transitions, 2);
	rig_close(&r);
}

/* ---- phases ---- */

static struct health_probe *ping(void)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(&ping_ops, NULL, &p), 0);
	return p;
}

static void the_first_byte_has_its_own_limit(void **state)
{
	static const struct peer_script script[] = {
	    {.listen_for = 6},
	    {.listen_for = 6, .reply = "wait\n", .reply_len = 5},
	};

	for (int answers = 0; answers < 2; answers++) {
		struct health_check_opts o;
		struct rig r;

		rig_open(&r, NULL, &script[answers]);
		o = rig_opts(&r);
		o.probe = ping();
		o.timeout_ns = 10 * S;
		o.first_byte_timeout_ns = S;
		rig_add(&r, &o);
		health_probe_free(o.probe);
		rig_settle(&r, 1);
		rig_pass(&r, answers ? 10 * S - 1 : S - 1);
		assert_int_equal(r.results, 0);
		rig_pass(&r, 1);
		assert_int_equal(r.results, 1);
		assert_int_equal(r.result.code, HEALTH_CODE_L7TOUT);
		assert_int_equal(r.result.total_ns, answers ? 10 * S : S);
		assert_int_equal(r.result.first_byte_ns > 0, answers);
		rig_close(&r);
	}
}

static enum health_step flood_open(void *state, const void *config, struct health_probe_io *io)
{
	io->send = config;
	io->send_len = 32 << 20;
	return HEALTH_STEP_MORE;
}

static int flood_setup(const void *opts, void **ret_config)
{
	*ret_config = calloc(32, 1 << 20);
	return *ret_config ? 0 : -ENOMEM;
}

static void sending_has_its_own_limit(void **state)
{
	const struct health_probe_ops ops = {.size = sizeof(ops),
					     .name = "flood",
					     .setup = flood_setup,
					     .teardown = free,
					     .open = flood_open};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &(struct peer_script){.hold = UINT32_MAX}); /* never reads */
	o = rig_opts(&r);
	assert_int_equal(health_probe_new(&ops, NULL, &o.probe), 0);
	o.timeout_ns = 10 * S;
	o.send_timeout_ns = S;
	rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_settle(&r, 1);
	assert_int_equal(r.results, 0);
	rig_pass(&r, S);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L7TOUT);
	assert_int_equal(r.result.total_ns, S);
	rig_close(&r);
}

/* ---- the way ---- */

static void a_preamble_comes_before_all_else(void **state)
{
	static const char proxy[] = "PROXY UNKNOWN\r\n";
	static const struct peer_script script = {
	    .listen_for = sizeof(proxy) - 1 + 6, .reply = "pong\n", .reply_len = 5};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &script);
	o = rig_opts(&r);
	o.probe = ping();
	o.preamble = proxy;
	o.preamble_len = sizeof(proxy) - 1;
	rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_settle(&r, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L7OK);
	assert_memory_equal(r.peer.received, "PROXY UNKNOWN\r\nping\r\n", 21);
	rig_close(&r);
}

static void new_options_are_checked(void **state)
{
	struct health_check_opts good, o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	good = rig_opts(&r);
#define REFUSED(field, value) \
	o = good;             \
	o.field = (value);    \
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL)
	REFUSED(host, "127.0.0.1"); /* and a destination */
	REFUSED(tos, 256);
	REFUSED(netns_fd, -1);
	REFUSED(history, HEALTH_HISTORY_MAX + 1);
	REFUSED(preamble_len, 1);
	REFUSED(preamble_len, HEALTH_PREAMBLE_MAX + 1);
	REFUSED(tls_timeout_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(flags, HEALTH_CHECK_STARTTLS);
	REFUSED(transport, (&(struct health_transport){.size = sizeof(struct health_transport)}));
	o = good;
	o.destination = NULL;
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	rig_close(&r);
}

/* ---- slower than usual ---- */

/* One check of a server that takes so long. */
static void run_for(struct rig *r, struct health_check *c, uint64_t ns)
{
	unsigned int before = r->results;

	health_check_run_now(c);
	rig_dispatch(r); /* connects */
	r->now_ns += ns;
	for (int i = 0; i < 100 && r->results == before; i++) {
		peer_step(&r->peer);
		rig_dispatch(r);
	}
	assert_int_equal(r->results, before + 1);
}

static void an_answer_much_slower_than_usual_is_a_failure(void **state)
{
	const struct health_adaptive_opts adaptive = {
	    .size = sizeof(adaptive), .percent = 50, .limit_ns = 300 * MS, .window_ns = 80 * S};
	const struct health_filter_opts f = {.size = sizeof(f), .interval_ns = 1000 * S};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.flags = 0;
	o.filter = &f;
	o.adaptive = &adaptive;
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	run_for(&r, c, 301 * MS); /* the hard limit holds from the first one on */
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_int_equal(r.result.code, HEALTH_CODE_L4TOUT);
	assert_string_equal(r.text, "took 301.0 ms, more than 300.0 ms");
	r.now_ns += 100 * S; /* forgotten by now */
	for (int i = 0; i < HEALTH_ADAPTIVE_LEAST; i++) {
		run_for(&r, c, i % 2 ? 80 * MS : 120 * MS); /* no mean yet: anything is usual */
		assert_int_equal(r.result.verdict, HEALTH_OK);
	}
	run_for(&r, c, 150 * MS);
	assert_int_equal(r.result.verdict, HEALTH_OK);
	run_for(&r, c, 170 * MS);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_non_null(strstr(r.text, "took 170.0 ms, more than 158."));
	for (int i = 0; i < 20; i++) { /* slower for good: in the end that is the usual */
		r.now_ns += 10 * S;
		run_for(&r, c, 170 * MS);
	}
	assert_int_equal(r.result.verdict, HEALTH_OK);
	rig_close(&r);
}

static void limits_of_time_are_checked(void **state)
{
	const struct health_adaptive_opts wrong[] = {{.percent = 10, .over_ns = 1},
						     {.percent = HEALTH_ADAPTIVE_PERCENT_MAX + 1},
						     {.window_ns = 1},
						     {.reserved = 1},
						     {.limit_ns = HEALTH_TIME_MAX_NS + 1}};
	struct health_adaptive_opts a;
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.adaptive = &a;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		a = wrong[i];
		a.size = sizeof(a);
		assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_users_share_one_check_on_the_wire),
	    cmocka_unit_test(watchers_may_go_in_their_callbacks),
	    cmocka_unit_test(the_last_results_are_remembered),
	    cmocka_unit_test(a_fed_check_asks_nobody_and_ages),
	    cmocka_unit_test(a_successor_goes_on_where_the_check_stood),
	    cmocka_unit_test(an_override_is_told_and_the_check_goes_on),
	    cmocka_unit_test(the_first_byte_has_its_own_limit),
	    cmocka_unit_test(sending_has_its_own_limit),
	    cmocka_unit_test(a_preamble_comes_before_all_else),
	    cmocka_unit_test(new_options_are_checked),
	    cmocka_unit_test(an_answer_much_slower_than_usual_is_a_failure),
	    cmocka_unit_test(limits_of_time_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
