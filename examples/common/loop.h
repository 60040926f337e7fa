/* SPDX-License-Identifier: MIT */
/*
 * The daemons' event loop: file descriptors, timers and signals over one epoll and one signalfd.
 * Library objects join with their three calls fd, deadline, dispatch. Single-threaded.
 *
 * Order of a turn: timers and deadlines that are due, then ready descriptors, so that a flood of
 * input cannot starve a timer. A callback may remove any source, its own too.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>

struct loop;
struct loop_source;

#define LOOP_NEVER UINT64_MAX

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t loop_clock_ns(void);

/* 0 or -errno. */
int loop_new(struct loop **ret);
void loop_free(struct loop *l);

/*
 * After a turn that read descriptors they are looked at again no sooner than `ns` later, timers and
 * deadlines apart: in a burst of input many packets share one wake-up, alone it is handled at once. 0,
 * the default: at once.
 */
void loop_set_rest_ns(struct loop *l, uint64_t ns);

/*
 * Timers and deadlines may be served up to `ns` late, so that those which lie close together share a wake-up: what
 * the kernel's timer slack does, but not for a real-time process. 0, the default: each at its time.
 */
void loop_set_slack_ns(struct loop *l, uint64_t ns);

/* Called at the end of each turn: what was due when it began has been served. One per loop. */
typedef void loop_turn_fn(struct loop *l, void *userdata);
void loop_set_turn_end(struct loop *l, loop_turn_fn *fn, void *userdata);

/* Told for each timer and deadline that is served: how long after its time. NULL: nobody. */
void loop_watch_late(struct loop *l, void (*fn)(void *userdata, uint64_t late_ns), void *userdata);

/* The time this turn began: what callbacks hand to the libraries. */
uint64_t loop_now_ns(const struct loop *l);

/* A plain descriptor: `events` are EPOLLIN, EPOLLOUT …; `fn` gets those that are ready. */
typedef void loop_fd_fn(struct loop *l, int fd, uint32_t events, void *userdata);
int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *userdata,
		struct loop_source **ret);
int loop_set_events(struct loop_source *s, uint32_t events);

/* A timer; it starts unarmed, fires once per arming. */
typedef void loop_timer_fn(struct loop *l, void *userdata);
int loop_add_timer(struct loop *l, loop_timer_fn *fn, void *userdata, struct loop_source **ret);
void loop_arm(struct loop_source *s, uint64_t deadline_ns); /* absolute; LOOP_NEVER disarms */

/*
 * A library object. `fd` is constant for its life (-1: it has none); the deadline is asked every
 * turn; `dispatch` is called when the fd is readable or the deadline has passed. A negative return
 * of dispatch is logged by `name` (borrowed).
 */
struct loop_object {
	const char *name;
	int fd;
	uint64_t (*deadline)(const void *object); /* NULL: it has none */
	int (*dispatch)(void *object, uint64_t now_ns);
	void *object;
};
int loop_add_object(struct loop *l, const struct loop_object *o, struct loop_source **ret);

/*
 * Defines KIND_join(), which adds a `struct KIND` by its calls KIND_fd, KIND_deadline and KIND_dispatch. The two
 * wrappers are there because calling those through pointers of another type would be undefined.
 */
#define LOOP_JOINS(KIND)                                                                                         \
	static uint64_t KIND##_due(const void *object)                                                           \
	{                                                                                                        \
		return KIND##_deadline(object);                                                                  \
	}                                                                                                        \
	static int KIND##_turn(void *object, uint64_t now_ns)                                                    \
	{                                                                                                        \
		return KIND##_dispatch(object, now_ns);                                                          \
	}                                                                                                        \
	static int KIND##_join(struct KIND *object, const char *name, struct loop *l, struct loop_source **ret)  \
	{                                                                                                        \
		const struct loop_object o = {name, KIND##_fd(object), KIND##_due, KIND##_turn, object};         \
                                                                                                                 \
		return loop_add_object(l, &o, ret);                                                              \
	}

/* Signals of the set are blocked and handed to `fn` one by one. Once per loop. */
typedef void loop_signal_fn(struct loop *l, const struct signalfd_siginfo *info, void *userdata);
int loop_add_signals(struct loop *l, const sigset_t *set, loop_signal_fn *fn, void *userdata);

/* Removes and frees; NULL is fine. The descriptor of a plain source stays open. */
void loop_remove(struct loop_source *s);

/* Runs until loop_stop; returns what that was given, or -errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int result);

#endif
