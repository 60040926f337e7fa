/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop.h"

struct trace {
	char steps[32];
	struct loop_source *fd, *timer;
};

static void note(struct trace *t, char c)
{
	t->steps[strlen(t->steps)] = c;
}

static void on_timer(struct loop *l, void *userdata)
{
	note(userdata, 't');
}

static void on_fd(struct loop *l, int fd, uint32_t events, void *userdata)
{
	uint64_t n;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	note(userdata, 'f');
	loop_stop(l, 7);
}

static void a_due_timer_runs_before_a_ready_descriptor(void **state)
{
	struct trace t = {0};
	struct loop *l;
	int fd = eventfd(1, EFD_NONBLOCK);

	assert_int_equal(loop_new(&l), 0);
	assert_int_equal(loop_add_fd(l, fd, EPOLLIN, on_fd, &t, NULL), 0);
	assert_int_equal(loop_add_timer(l, on_timer, &t, &t.timer), 0);
	loop_arm(t.timer, 0);
	assert_int_equal(loop_run(l), 7);
	assert_string_equal(t.steps, "tf");
	loop_free(l);
	close(fd);
}

static uint64_t object_deadline(const void *object)
{
	return 0;
}

struct object {
	struct loop *loop;
	struct loop_source *source;
	int n;
};

static int object_dispatch(void *object, uint64_t now_ns)
{
	struct object *o = object;

	assert_true(now_ns > 0);
	if (++o->n == 3) {
		loop_remove(o->source);
		loop_stop(o->loop, 0);
	}
	return 0;
}

static void an_object_is_dispatched_by_its_deadline_and_may_remove_itself(void **state)
{
	struct object o = {0};
	struct loop_object lo = {.name = "o",
				 .fd = -1,
				 .deadline = object_deadline,
				 .dispatch = object_dispatch,
				 .object = &o};

	assert_int_equal(loop_new(&o.loop), 0);
	assert_int_equal(loop_add_object(o.loop, &lo, &o.source), 0);
	assert_int_equal(loop_run(o.loop), 0);
	assert_int_equal(o.n, 3);
	loop_free(o.loop);
}

static void on_signal(struct loop *l, const struct signalfd_siginfo *info, void *userdata)
{
	*(uint32_t *)userdata = info->ssi_signo;
	loop_stop(l, 0);
}

static void a_signal_arrives_as_an_event(void **state)
{
	struct loop *l;
	sigset_t set;
	uint32_t got = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(loop_new(&l), 0);
	assert_int_equal(loop_add_signals(l, &set, on_signal, &got), 0);
	raise(SIGUSR1);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(got, SIGUSR1);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_due_timer_runs_before_a_ready_descriptor),
	    cmocka_unit_test(an_object_is_dispatched_by_its_deadline_and_may_remove_itself),
	    cmocka_unit_test(a_signal_arrives_as_an_event),
	};

	return cmocka_run_group_tests_name("common/loop", tests, NULL, NULL);
}
