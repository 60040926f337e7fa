/* SPDX-License-Identifier: MIT */
/* What the filter's clock and the host do, what may be done in callbacks, misuse, and no memory. When checks start: test_plan.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "ping.h"

#include "rig.h"
#include "tests/support/fail_memory.h"

/* ---- what the filter's clock and the host do ---- */

static void silence_takes_down_without_a_result(void **state)
{
	struct health_filter_opts f = {.size = sizeof(f)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	assert_int_equal(health_filter_preset(HEALTH_SCHOOL_F5, &f), 0);
	rig_open(&r, NULL, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = 30 * S;
	c = rig_add(&r, &o);
	rig_pass(&r, 16 * S - 1);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UNKNOWN);
	rig_pass(&r, 1);
	assert_int_equal(r.results, 0);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(r.transition.reason, HEALTH_REASON_SILENCE);
	assert_int_equal(r.transition.code, HEALTH_CODE_INI);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	rig_close(&r);
}

static void a_pause_ends_the_run_and_forgives_the_silence(void **state)
{
	struct health_filter_opts f = {.size = sizeof(f)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	assert_int_equal(health_filter_preset(HEALTH_SCHOOL_F5, &f), 0);
	rig_open(&r, NULL, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = 30 * S;
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	assert_int_equal(rig_status(c).running, 1);
	health_check_set_paused(c, true);
	health_check_set_paused(c, true);
	assert_int_equal(rig_status(c).paused, 1);
	assert_int_equal(rig_status(c).next_ns, UINT64_MAX);
	assert_int_equal(rig_stats(&r).in_flight, 0);
	assert_int_equal(health_engine_deadline(r.engine), UINT64_MAX);
	health_check_run_now(c);
	health_check_report(c, HEALTH_FAIL_NOW, r.now_ns);
	rig_pass(&r, 100 * S);
	assert_int_equal(r.results + r.transitions, 0);
	health_check_set_paused(c, false);
	rig_pass(&r, 16 * S - 1);
	assert_int_equal(r.transitions, 0);
	rig_pass(&r, 1);
	assert_int_equal(r.transitions, 1);
	rig_close(&r);
}

static void traffic_counts_like_a_check_and_hastens_the_next(void **state)
{
	struct health_filter_opts f = rig_filter(10 * S);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	f.fast_ns = S; /* HAProxy: observe, on-error fastinter */
	f.fall = 2;
	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 10 * S);
	rig_pass(&r, 2 * S);
	health_check_report(c, HEALTH_FAIL, r.now_ns);
	assert_int_equal(r.results, 2);
	assert_int_equal(r.result.code, HEALTH_CODE_HANA);
	assert_int_equal(r.result.phase, HEALTH_PHASE_PASSIVE);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 3 * S);
	assert_int_equal(rig_status(c).runs, 1);
	health_check_report(c, (enum health_verdict)77, r.now_ns); /* counts as neutral */
	assert_int_equal(r.result.verdict, HEALTH_NEUTRAL);
	assert_int_equal(r.result.code, HEALTH_CODE_UNK);
	health_check_report(c, HEALTH_FAIL, r.now_ns);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	rig_close(&r);
}

static void the_operator_sets_and_resumes(void **state)
{
	struct health_filter_opts f = rig_filter(10 * S);
	struct health_filter_status fs = {.size = sizeof(fs)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	f.manual_resume = 1;
	f.rise = 1;
	f.down_ns = 60 * S;
	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	health_check_set(c, HEALTH_START_DOWN, r.now_ns);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(r.transition.reason, HEALTH_REASON_OPERATOR);
	health_check_set(c, HEALTH_START_DOWN, r.now_ns);
	assert_int_equal(r.transitions, 1);
	rig_settle(&r, 1);
	assert_int_equal(r.transitions, 2); /* the operator's down is not held */
	health_check_report(c, HEALTH_FAIL_NOW, r.now_ns);
	assert_int_equal(r.transitions, 3);
	health_check_run_now(c);
	rig_settle(&r, 3);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	assert_int_equal(health_check_filter_status(c, &fs), 0);
	assert_int_equal(fs.held, 1);
	assert_int_equal(rig_status(c).next_ns, r.now_ns + 60 * S);
	health_check_resume(c, r.now_ns);
	assert_int_equal(r.transitions, 4);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UP);
	assert_int_equal(rig_status(c).next_ns, r.now_ns + 10 * S); /* not as seldom as while down */
	rig_close(&r);
}

static void run_now_is_outside_the_plan(void **state)
{
	const struct health_filter_opts f = rig_filter(10 * S);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	o.flags = 0;
	c = rig_add(&r, &o);
	health_check_run_now(c); /* before it has a time at all */
	rig_settle(&r, 1);
	assert_int_equal(r.results, 1);
	rig_pass(&r, 4 * S);
	assert_int_equal(r.results, 1);
	health_check_run_now(c);
	assert_true(health_engine_deadline(r.engine) <= r.now_ns);
	rig_settle(&r, 2);
	assert_int_equal(r.results, 2);
	assert_int_equal(r.result.late_ns, 0);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 14 * S);
	rig_close(&r);
}

/* ---- inside callbacks ---- */

static struct health_check *other;

static void removes_itself_and_another(struct rig *r, struct health_check *c)
{
	health_check_remove(c);
	health_check_remove(other);
	health_check_remove(other); /* twice is harmless inside the callback */
}

static void checks_may_be_removed_in_a_callback(void **state)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	close(
	    r.peer.listener); /* refused: a result and a transition, which must not come any more */
	r.has_peer = false;
	o = rig_opts(&r);
	rig_add(&r, &o);
	other = rig_add(&r, &o);
	r.on_result = removes_itself_and_another;
	rig_settle(&r, 1);
	rig_settle(&r, 2); /* nothing more comes */
	assert_int_equal(r.results, 1);
	assert_int_equal(r.transitions, 0);
	assert_int_equal(rig_stats(&r).checks, 0);
	assert_int_equal(rig_stats(&r).in_flight, 0);
	assert_int_equal(health_engine_deadline(r.engine), UINT64_MAX);
	rig_close(&r);
}

static void adds_another(struct rig *r, struct health_check *c)
{
	struct health_check_opts o = rig_opts(r);

	if (r->results < 5)
		rig_add(r, &o);
}

static void checks_may_be_added_in_a_callback(void **state)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	r.on_result = adds_another;
	rig_add(&r, &o);
	rig_settle(&r, 5);
	assert_int_equal(r.results, 5);
	assert_int_equal(rig_stats(&r).checks, 5);
	rig_close(&r);
}

static int dispatched;

static void dispatches(struct rig *r, struct health_check *c)
{
	dispatched = health_engine_dispatch(r->engine, r->now_ns);
}

static void dispatch_in_a_callback_is_busy(void **state)
{
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	r.on_result = dispatches;
	c = rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_int_equal(dispatched, -EBUSY);
	dispatched = 0;
	health_check_report(c, HEALTH_OK, r.now_ns); /* outside of a dispatch: the same */
	assert_int_equal(dispatched, -EBUSY);
	rig_dispatch(&r);
	rig_close(&r);
}

static void frees(struct rig *r, struct health_check *c)
{
	health_engine_free(r->engine);
}

static void free_in_a_callback_asserts(void **state)
{
	const struct rlimit no_core = {0};
	struct health_check_opts o;
	struct rig r;
	int status = 0;
	pid_t child;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	rig_add(&r, &o);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		r.on_result = frees;
		rig_settle(&r, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	rig_close(&r);
}

/* ---- misuse ---- */

static void engine_options_are_checked(void **state)
{
	struct health_engine_opts o;
	struct health_engine *e = NULL;
	struct {
		struct health_engine_opts o;
		uint64_t later;
	} grown = {.o = {.size = sizeof(grown)}, .later = 1};

	assert_int_equal(health_engine_new(NULL, NULL), -EINVAL);
	assert_int_equal(health_engine_new(&grown.o, &e), -E2BIG);
	o = (struct health_engine_opts){.size = sizeof(o), .rate = UINT32_MAX};
	assert_int_equal(health_engine_new(&o, &e), -EINVAL);
	o = (struct health_engine_opts){.size = sizeof(o), .batch = HEALTH_BATCH_MAX + 1};
	assert_int_equal(health_engine_new(&o, &e), -EINVAL);
	o = (struct health_engine_opts){.size = sizeof(o), .slack_ns = HEALTH_SLACK_MAX_NS + 1};
	assert_int_equal(health_engine_new(&o, &e), -EINVAL);
	assert_null(e);
	assert_int_equal(health_engine_new(NULL, &e), 0);
	assert_true(health_engine_fd(e) >= 0);
	assert_int_equal(health_engine_dispatch(e, 1), 0);
	assert_int_equal(health_engine_stats(e, NULL), -EINVAL);
	health_engine_free(e);
	health_engine_free(NULL);
	assert_int_equal(health_engine_dispatch(NULL, 1), -EINVAL);
	health_check_remove(NULL);
}

static void check_options_are_checked(void **state)
{
	struct health_filter_opts bad_filter = rig_filter(1);
	struct sockaddr_in portless = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = 1};
	const struct sockaddr strange = {.sa_family = AF_INET + 100};
	struct health_check_opts o;
	struct health_check *c = NULL;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	assert_int_equal(health_check_add(r.engine, NULL, NULL, &c), -EINVAL);
	o = rig_opts(&r);
	assert_int_equal(health_check_add(NULL, &o, NULL, &c), -EINVAL);
	assert_int_equal(health_check_add(r.engine, &o, NULL, NULL), -EINVAL);
#define REFUSED(error, field, value) \
	o = rig_opts(&r);            \
	o.field = (value);           \
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), (error))
	REFUSED(-EINVAL, size, 3);
	REFUSED(-EINVAL, destination, NULL);
	REFUSED(-EINVAL, destination_len, 1);
	REFUSED(-EINVAL, destination_len, sizeof(struct sockaddr_in) - 1);
	REFUSED(-EINVAL, destination_len, 1000);
	REFUSED(-EINVAL, destination, (struct sockaddr *)&portless);
	REFUSED(-EAFNOSUPPORT, destination, &strange);
	REFUSED(-EINVAL, device, "a-name-too-long-for-linux");
	REFUSED(-EINVAL, flags, 1u << 20);
	REFUSED(-EINVAL, jitter_percent, HEALTH_JITTER_MAX_PERCENT + 1);
	REFUSED(-EINVAL, timeout_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(-EINVAL, connect_timeout_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(-EINVAL, start_within_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(-EINVAL, filter, &bad_filter);
	o = rig_opts(&r);
	o.source = (struct sockaddr *)&six;
	o.source_len = sizeof(six);
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	assert_null(c);
	assert_int_equal(rig_stats(&r).checks, 0);
	o = rig_opts(&r);
	c = rig_add(&r, &o);
	assert_ptr_equal(health_check_userdata(c), &r);
	assert_int_equal(rig_status(c).code, HEALTH_CODE_INI);
	assert_int_equal(health_check_status(c, NULL), -EINVAL);
	rig_close(&r);
}

/* ---- memory ---- */

/* Everything that allocates, once. The first error, or 0. */
static int whole_life(struct rig *r)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	struct health_check_opts o = rig_opts(r);
	struct health_check *c;
	int e = health_engine_new(NULL, &r->engine);

	if (e < 0)
		return e;
	e = health_probe_new(&ping_ops, NULL, &o.probe);
	o.source = (struct sockaddr *)&source;
	o.source_len = sizeof(source);
	if (e == 0)
		e = health_check_add(r->engine, &o, NULL, &c);
	health_probe_free(o.probe);
	if (e == 0) {
		rig_settle(r, 1);
		if (rig_status(c).code == HEALTH_CODE_SOCKERR)
			e = -ENOMEM; /* in the middle of the run: no verdict about the server */
		assert_int_equal(rig_status(c).verdict, e ? HEALTH_NEUTRAL : HEALTH_OK);
	}
	health_engine_free(r->engine);
	return e;
}

static void every_allocation_may_fail(void **state)
{
	const struct peer_script script = {
	    .listen_for = 6, .reply = "pong\n", .reply_len = 5, .chunk = 2};
	long n;
	int e = -ENOMEM;

	for (n = 0; e == -ENOMEM; n++) {
		struct rig r = {.now_ns = RIG_T0, .has_peer = true};
		size_t fds = rig_open_fds();

		peer_open(&r.peer, &script);
		fail_in = n;
		e = whole_life(&r);
		fail_in = -1;
		peer_close(&r.peer);
		assert_int_equal(rig_open_fds(), fds);
	}
	assert_int_equal(e, 0);
	assert_true(n > 7); /* engine, probe, check, two heaps, source, unread bytes */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(silence_takes_down_without_a_result),
	    cmocka_unit_test(a_pause_ends_the_run_and_forgives_the_silence),
	    cmocka_unit_test(traffic_counts_like_a_check_and_hastens_the_next),
	    cmocka_unit_test(the_operator_sets_and_resumes),
	    cmocka_unit_test(run_now_is_outside_the_plan),
	    cmocka_unit_test(checks_may_be_removed_in_a_callback),
	    cmocka_unit_test(checks_may_be_added_in_a_callback),
	    cmocka_unit_test(dispatch_in_a_callback_is_busy),
	    cmocka_unit_test(free_in_a_callback_asserts),
	    cmocka_unit_test(engine_options_are_checked),
	    cmocka_unit_test(check_options_are_checked),
	    cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
