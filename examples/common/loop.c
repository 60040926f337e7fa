/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define EVENTS_PER_TURN 64
#define SIGNALS_PER_TURN 16

enum source_kind {
	SOURCE_FD,
	SOURCE_TIMER,
	SOURCE_OBJECT,
	SOURCE_SIGNALS,
};

struct loop_source {
	LIST_ENTRY(loop_source) entry;
	struct loop *loop;
	enum source_kind kind;
	int fd;
	bool dead; /* removed; freed at the end of the turn */
	union {
		loop_fd_fn *on_fd;
		loop_timer_fn *on_timer;
		loop_signal_fn *on_signal;
	};
	struct loop_object object;
	uint64_t deadline_ns;
	void *userdata;
};

/* A daemon has tens of sources: walking them for the next deadline is cheaper than keeping them
 * sorted. */
struct loop {
	LIST_HEAD(, loop_source) sources;
	int epoll_fd;
	uint64_t now_ns;
	uint64_t rest_ns, rests_until_ns, slack_ns;
	loop_turn_fn *on_turn_end;
	void *turn_userdata;
	bool stopped, has_dead;
	int result;
	void (*on_late)(void *userdata, uint64_t late_ns);
	void *late_userdata;
};

uint64_t loop_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	LIST_INIT(&l->sources);
	l->now_ns = loop_clock_ns();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return -errno;
	}
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	struct loop_source *s;

	if (!l)
		return;
	while ((s = LIST_FIRST(&l->sources))) {
		LIST_REMOVE(s, entry);
		if (s->kind == SOURCE_SIGNALS)
			close(s->fd);
		free(s);
	}
	close(l->epoll_fd);
	free(l);
}

uint64_t loop_now_ns(const struct loop *l)
{
	return l->now_ns;
}

static int add_source(struct loop *l, const struct loop_source *template, uint32_t events,
		      struct loop_source **ret)
{
	struct loop_source *s = malloc(sizeof(*s));
	struct epoll_event e = {.events = events, .data.ptr = s};

	if (!s)
		return -ENOMEM;
	*s = *template;
	s->loop = l;
	if (s->fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, s->fd, &e) < 0) {
		free(s);
		return -errno;
	}
	LIST_INSERT_HEAD(&l->sources, s, entry);
	if (ret)
		*ret = s;
	return 0;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *userdata,
		struct loop_source **ret)
{
	const struct loop_source s = {.kind = SOURCE_FD,
				      .fd = fd,
				      .deadline_ns = LOOP_NEVER,
				      .on_fd = fn,
				      .userdata = userdata};

	return add_source(l, &s, events, ret);
}

int loop_set_events(struct loop_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_MOD, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add_timer(struct loop *l, loop_timer_fn *fn, void *userdata, struct loop_source **ret)
{
	const struct loop_source s = {.kind = SOURCE_TIMER,
				      .fd = -1,
				      .deadline_ns = LOOP_NEVER,
				      .on_timer = fn,
				      .userdata = userdata};

	return add_source(l, &s, 0, ret);
}

void loop_arm(struct loop_source *s, uint64_t deadline_ns)
{
	s->deadline_ns = deadline_ns;
}

int loop_add_object(struct loop *l, const struct loop_object *o, struct loop_source **ret)
{
	const struct loop_source s = {
	    .kind = SOURCE_OBJECT, .fd = o->fd, .deadline_ns = LOOP_NEVER, .object = *o};

	return add_source(l, &s, EPOLLIN, ret);
}

int loop_add_signals(struct loop *l, const sigset_t *set, loop_signal_fn *fn, void *userdata)
{
	struct loop_source s = {.kind = SOURCE_SIGNALS,
				.deadline_ns = LOOP_NEVER,
				.on_signal = fn,
				.userdata = userdata};
	int r;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	s.fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s.fd < 0)
		return -errno;
	r = add_source(l, &s, EPOLLIN, NULL);
	if (r < 0)
		close(s.fd);
	return r;
}

void loop_remove(struct loop_source *s)
{
	if (!s || s->dead)
		return;
	if (s->fd >= 0)
		epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	s->dead = true;
	s->loop->has_dead = true;
}

static void bury(struct loop *l)
{
	struct loop_source *s, *next;

	if (!l->has_dead)
		return;
	l->has_dead = false;
	for (s = LIST_FIRST(&l->sources); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (s->dead) {
			LIST_REMOVE(s, entry);
			free(s);
		}
	}
}

static void dispatch_object(struct loop_source *s)
{
	int r = s->object.dispatch(s->object.object, s->loop->now_ns);

	if (r < 0)
		log_err("%s: %s", s->object.name, strerror(-r));
}

static uint64_t deadline_of(const struct loop_source *s)
{
	if (s->dead)
		return LOOP_NEVER;
	if (s->kind == SOURCE_OBJECT)
		return s->object.deadline ? s->object.deadline(s->object.object) : LOOP_NEVER;
	return s->deadline_ns;
}

/* Sources added meanwhile stand at the head, behind the walk: they wait for the next turn. */
static void run_due(struct loop *l)
{
	struct loop_source *s;

	LIST_FOREACH (s, &l->sources, entry) {
		uint64_t deadline_ns = deadline_of(s);

		if (deadline_ns > l->now_ns)
			continue;
		if (l->on_late && deadline_ns) /* 0 is "at once", not a time */
			l->on_late(l->late_userdata, l->now_ns - deadline_ns);
		if (s->kind == SOURCE_OBJECT) {
			dispatch_object(s);
		} else {
			s->deadline_ns = LOOP_NEVER;
			s->on_timer(l, s->userdata);
		}
	}
}

static void read_signals(struct loop_source *s)
{
	struct signalfd_siginfo info;

	for (int i = 0; i < SIGNALS_PER_TURN && !s->dead; i++) {
		if (read(s->fd, &info, sizeof(info)) != sizeof(info))
			return;
		s->on_signal(s->loop, &info, s->userdata);
	}
}

void loop_set_rest_ns(struct loop *l, uint64_t ns)
{
	l->rest_ns = ns;
}

void loop_set_slack_ns(struct loop *l, uint64_t ns)
{
	l->slack_ns = ns;
}

void loop_set_turn_end(struct loop *l, loop_turn_fn *fn, void *userdata)
{
	l->on_turn_end = fn;
	l->turn_userdata = userdata;
}

void loop_watch_late(struct loop *l, void (*fn)(void *userdata, uint64_t late_ns), void *userdata)
{
	l->on_late = fn;
	l->late_userdata = userdata;
}

static uint64_t next_deadline(const struct loop *l)
{
	uint64_t first = LOOP_NEVER;
	const struct loop_source *s;

	LIST_FOREACH (s, &l->sources, entry) {
		uint64_t d = deadline_of(s);

		if (d < first)
			first = d;
	}
	return first;
}

/* Rounded up: never before it is due. */
static int to_ms(uint64_t first, const struct timespec *t)
{
	if (first == LOOP_NEVER)
		return -1;
	return t->tv_sec > 3600 ? 3600000
				: (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000);
}

static uint64_t wake_time(const struct loop *l)
{
	uint64_t first = next_deadline(l);

	return first < LOOP_NEVER - l->slack_ns ? first + l->slack_ns : LOOP_NEVER;
}

/* Sleeps until something is ready or due: how many events, or -1. */
static int sleep_until_due(const struct loop *l, struct epoll_event *event)
{
	uint64_t first = wake_time(l),
		 now = first == LOOP_NEVER && !l->rests_until_ns ? 0 : loop_clock_ns();
	uint64_t until = l->rests_until_ns < first ? l->rests_until_ns : first;
	struct timespec t;
	int n;

	if (until > now && l->rests_until_ns > now) {
		t = (struct timespec){.tv_sec = (time_t)(until / 1000000000u),
				      .tv_nsec = (long)(until % 1000000000u)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		now = until;
	}
	t = (struct timespec){0};
	if (first > now) {
		t.tv_sec = (time_t)((first - now) / 1000000000u);
		t.tv_nsec = (long)((first - now) % 1000000000u);
	}
	n = epoll_pwait2(l->epoll_fd, event, EVENTS_PER_TURN, first == LOOP_NEVER ? NULL : &t, NULL);
	if (n >= 0 || errno != ENOSYS)
		return n;
	/* before Linux 5.11, and under valgrind */
	return epoll_wait(l->epoll_fd, event, EVENTS_PER_TURN, to_ms(first, &t));
}

static int turn(struct loop *l)
{
	struct epoll_event event[EVENTS_PER_TURN];
	int n = sleep_until_due(l, event);

	if (n < 0 && errno != EINTR)
		return -errno;
	l->now_ns = loop_clock_ns();
	l->rests_until_ns = n > 0 && l->rest_ns ? l->now_ns + l->rest_ns : 0;
	run_due(l);
	for (int i = 0; i < n && !l->stopped; i++) {
		struct loop_source *s = event[i].data.ptr;

		if (s->dead)
			continue;
		if (s->kind == SOURCE_FD)
			s->on_fd(l, s->fd, event[i].events, s->userdata);
		else if (s->kind == SOURCE_OBJECT)
			dispatch_object(s);
		else
			read_signals(s);
	}
	bury(l);
	if (l->on_turn_end)
		l->on_turn_end(l, l->turn_userdata);
	return 0;
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		int r = turn(l);

		if (r < 0)
			return r;
	}
	return l->result;
}

void loop_stop(struct loop *l, int result)
{
	l->stopped = true;
	l->result = result;
}
