/* SPDX-License-Identifier: MIT */
/*
 * The loop of one worker. Every descriptor is put into epoll once, edge-triggered, for its whole
 * life; what an event says is remembered in the connection's state, and session_run acts on that.
 */
#include "count.h"
#include "engine/http/http.h"
#include "io.h"
#include "slice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "container_of.h"
#include "log.h"

#define EVENTS_PER_TURN 256
#define SECOND_NS UINT64_C(1000000000)
#define COUNT_NS SECOND_NS /* option contstats */

static _Thread_local struct worker *current;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int worker_watch(struct worker *w, struct handle *h, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = h};

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, h->fd, &e) < 0 ? -errno : 0;
}

int worker_rewatch(struct worker *w, struct handle *h, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = h};

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, h->fd, &e) < 0 ? -errno : 0;
}

void worker_unwatch(struct worker *w, struct handle *h)
{
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, h->fd, NULL);
}

/* ---- From other threads ---- */

void worker_ring(struct worker *w)
{
	uint64_t one = 1;

	/* It fails only when the counter is full: then the worker is about to wake anyway. */
	if (write(w->wake.fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err("cannot wake worker %u: %s", w->index, strerror(errno));
}

void worker_poke(struct worker *w, unsigned bits)
{
	unsigned before = atomic_fetch_or(&w->poke, bits);

	if (w != current && (before & bits) != bits)
		worker_ring(w);
}

static void post(struct worker *w, struct command *c)
{
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->commands, c, link);
	pthread_mutex_unlock(&w->lock);
	worker_ring(w);
}

int worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct command *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct command){.fn = fn, .arg = arg};
	post(w, c);
	return 0;
}

void worker_post_own(struct worker *w, struct command *c, void (*fn)(struct worker *w, void *arg), void *arg)
{
	*c = (struct command){.fn = fn, .arg = arg, .borrowed = true};
	post(w, c);
}

static struct command *next_command(struct worker *w)
{
	struct command *c;

	pthread_mutex_lock(&w->lock);
	c = STAILQ_FIRST(&w->commands);
	if (c)
		STAILQ_REMOVE_HEAD(&w->commands, link);
	pthread_mutex_unlock(&w->lock);
	return c;
}

static void run_commands(struct worker *w)
{
	uint64_t n;
	struct command *c;

	if (read(w->wake.fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_err("worker %u: %s", w->index, strerror(errno));
	while ((c = next_command(w))) {
		const struct command now = *c;

		if (!now.borrowed)
			free(c);
		now.fn(w, now.arg);
	}
	handover_take(w);
}

static void handle_pokes(struct worker *w)
{
	unsigned bits = atomic_exchange(&w->poke, 0);
	struct pool_worker *pw, *next;

	if (bits & POKE_GATE)
		listeners_resume(w);
	if (bits & POKE_QUEUE)
		for (pw = LIST_FIRST(&w->waiting); pw; pw = next) {
			next = LIST_NEXT(pw, entry); /* pw may leave the list, others do not */
			queue_run(w, pw->pool);
		}
}

/* ---- Commands ---- */

static void tell_drained(struct worker *w)
{
	if (!w->draining || w->n_sessions || w->engine->n_workers == 0)
		return;
	w->draining = false;
	atomic_fetch_add(&w->engine->n_drained, 1);
	engine_wake(w->engine);
}

static bool uses(const struct set *s, const struct listener *l)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		if (s->listener[i].listener == l)
			return true;
	return false;
}

void worker_adopt(struct worker *w, void *arg)
{
	struct set *set = arg, *last = w->set;

	w->set = set;
	w->count_ns = TIMER_NEVER;
	for (size_t i = 0; i < set->n_frontends; i++)
		if (set->frontend[i].proxy->set.contstats)
			w->count_ns = w->now_ns + COUNT_NS;
	w->head_max = set->cfg->global.bufsize - set->cfg->global.maxrewrite;
	w->fields_max = set->cfg->global.maxhdr;
	w->line_max = set->cfg->global.line_max;
	w->hands_over = w->engine->n_workers > 1 && set->cfg->global.multi_queue;
	for (size_t i = 0; i < set->n_listeners; i++) {
		const struct listener *l = set->listener[i].listener;

		if (!l->socket[w->index].retired) /* by an operator */
			listener_adopt(w, &set->listener[i]);
	}
	if (!last)
		return;
	for (size_t i = 0; i < last->n_listeners; i++)
		if (!uses(set, last->listener[i].listener))
			listener_retire(w, last->listener[i].listener);
	/* maxconn may be another now */
	worker_poke(w, POKE_GATE | POKE_QUEUE);
	if (w->http)
		http_adopt(w);
	last->worker[w->index].left_before = w->left;
	w->left = last;
}

static void let_go_of_left(struct worker *w)
{
	struct set *set;

	while ((set = w->left)) {
		w->left = set->worker[w->index].left_before;
		set_let_go(w, set);
	}
}

void worker_drain(struct worker *w, void *unused)
{
	handover_end(w);
	for (size_t i = 0; w->set && i < w->set->n_listeners; i++)
		listener_retire(w, w->set->listener[i].listener);
	w->draining = true;
	spent_drop(w);
	w->drain_ns = w->now_ns;
	if (w->http)
		http_drain(w);
	tell_drained(w);
}

void worker_quit(struct worker *w, void *unused)
{
	w->quit = true;
}

/* ---- The loop ---- */

/*
 * It says no more, and has no server yet. As in HAProxy one that has said something is waited for, unless there is
 * option abortonclose.
 */
static bool client_gave_up(const struct session *s)
{
	const struct handle *h = &s->handle[CONN_CLIENT];
	char byte;

	if (s->conn.state >= CONN_OPEN || !s->conn.side[CONN_CLIENT].hup ||
	    (s->conn.side[CONN_SERVER].pending && !s->seeker.backend->proxy->set.http.aborts_on_close))
		return false;
	return h->tls || recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static void shaking_event(struct worker *w, struct session *s, struct conn_side *side, uint32_t events)
{
	/* a FIN is announced once */
	side->hup |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	if (!session_begins_tls(s))
		session_shake(w, s);
	else if (s->on == SESSION_ON_NONE)
		session_list(w, s, SESSION_ON_AGAIN);
}

/* What epoll says, as the connection knows it. */
static void mark_events(struct conn_side *side, uint32_t events)
{
	if (events & EPOLLOUT && !side->shut)
		side->writable = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) && !side->eof)
		side->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		side->hup = true;
		side->fin |= (events & (EPOLLHUP | EPOLLERR)) == 0;
	}
}

static void session_event(struct worker *w, struct session *s, enum conn_end end, uint32_t events)
{
	struct conn_side *side = &s->conn.side[end];

	nap_saw(&w->nap, &s->seen);
	if (s->on >= SESSION_ON_DEAD ||
	    (end == CONN_SERVER && s->handle[end].fd < 0)) { /* it may be spent */
		spent_event(w, s);
		return;
	}
	if (events & EPOLLPRI)
		side->urgent = true;
	if (s->phase != SESSION_SERVING) {
		session_begin_event(w, s, events);
		return;
	}
	if (s->shaking) {
		shaking_event(w, s, side, events);
		return;
	}
	if (end == CONN_SERVER && s->conn.state == CONN_CONNECTING) {
		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && !s->handle[end].tls)
			return;
		session_connect_event(w, s, events);
		if (s->conn.state != CONN_OPEN) {
			session_run(w, s);
			return;
		}
	} else if (end == CONN_SERVER && s->conn.state != CONN_OPEN) {
		return; /* of a socket that was closed in this turn */
	}
	mark_events(side, events);
	if (end == CONN_CLIENT && events & EPOLLERR && s->conn.state < CONN_OPEN) /* reset: nobody waits for the server */
		conn_end(&s->conn, 'C', 'D');
	else if (end == CONN_CLIENT && client_gave_up(s))
		conn_end(&s->conn, 'C', s->conn.state == CONN_QUEUED ? 'Q' : 'C');
	if (!s->bulk)
		session_run(w, s);
	else if (s->on == SESSION_ON_NONE) /* behind all who want less */
		session_list(w, s, SESSION_ON_BULK);
}

static void dispatch(struct worker *w, const struct epoll_event *e)
{
	struct handle *h = e->data.ptr;
	uint32_t events = h->tls ? tls_events(h->tls, e->events) : e->events;

	switch (h->kind) {
	case HANDLE_WAKE:
		run_commands(w);
		break;
	case HANDLE_ALARM:
		w->alarm_ns = TIMER_NEVER;
		break;
	case HANDLE_LISTENER:
		if (((struct socket_handle *)h)->added && !((struct socket_handle *)h)->paused)
			listener_event(w, (struct socket_handle *)h);
		break;
	case HANDLE_CLIENT:
		session_event(w, container_of(h, struct session, handle[CONN_CLIENT]), CONN_CLIENT, events);
		break;
	case HANDLE_SERVER:
		session_event(w, container_of(h, struct session, handle[CONN_SERVER]), CONN_SERVER, events);
		break;
	case HANDLE_HTTP_CLIENT:
		client_event(w, container_of(h, struct client, h), events);
		break;
	case HANDLE_HTTP_STREAM: /* it is not in epoll */
		break;
	case HANDLE_LINK:
		link_event(w, container_of(h, struct link, h), events);
		break;
	case HANDLE_GONE:
		break;
	}
}

static void run_timers(struct worker *w)
{
	struct timer *t;

	while ((t = timers_first(&w->timers)) && t->deadline_ns <= w->now_ns)
		if (t->owner == TIMER_CLIENT)
			client_expired(w, container_of(t, struct client, timer));
		else
			session_expired(w, container_of(t, struct session, timer));
	if (w->accept_retry_ns <= w->now_ns)
		listeners_resume(w);
	if (w->defer_check_ns <= w->now_ns)
		defer_check(w);
	if (w->spent_drop_ns <= w->now_ns)
		spent_drop(w);
	if (w->count_ns <= w->now_ns) {
		count_continuously(w);
		w->count_ns = w->now_ns + COUNT_NS;
	}
	if (http_deadline(w) <= w->now_ns)
		links_purge(w);
}

/* Those who are new, and those whose turn was cut short, once each. */
static void run_again(struct worker *w)
{
	struct session *last = TAILQ_LAST(&w->again, session_queue), *s;
	bool shook = false;

	while (last && (s = TAILQ_FIRST(&w->again))) {
		bool begins = session_begins_tls(s);

		session_unlist(w, s);
		if (begins && shook)
			session_list(w, s, SESSION_ON_AGAIN);
		else if (s->phase == SESSION_FRESH)
			session_first_look(w, s);
		else if (s->shaking)
			session_shake(w, s);
		else
			session_run(w, s);
		shook |= begins;
		if (s == last)
			break;
	}
	if (w->http && !TAILQ_EMPTY(&w->http->again))
		http_run_again(w);
}

/*
 * Large transfers, behind all others, once each. They share what one of them may move, or so much as takes the time of
 * the `n` events that others had.
 */
static void run_bulk(struct worker *w, unsigned n)
{
	struct session *last = TAILQ_LAST(&w->bulk, session_queue), *s;
	size_t room = TURN_BYTES + n * EVENT_BYTES, moved = 0;

	if (w->http) /* their answers wait for it */
		client_close_done(w->http);
	while (last && moved < room && (s = TAILQ_FIRST(&w->bulk))) {
		session_unlist(w, s);
		session_run(w, s);
		moved += w->moved;
		if (s == last)
			break;
	}
	if (w->http && !TAILQ_EMPTY(&w->http->bulk))
		http_run_bulk(w, room);
}

static void free_session(struct session *s)
{
	if (s->spent >= 0)
		call_close(s->spent);
	free(s);
}

static void free_dead(struct worker *w)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&w->dead))) {
		TAILQ_REMOVE(&w->dead, s, link);
		if (!spent_keep(w, s))
			free_session(s);
	}
	if (w->http && !(TAILQ_EMPTY(&w->http->dead) && TAILQ_EMPTY(&w->http->dead_links)))
		http_free_dead(w);
	tell_drained(w);
}

/* Somebody has more to do. */
static bool has_more(const struct worker *w)
{
	const struct http_worker *h = w->http;

	return !TAILQ_EMPTY(&w->again) || !TAILQ_EMPTY(&w->bulk) || (h && !(TAILQ_EMPTY(&h->again) && TAILQ_EMPTY(&h->bulk) && TAILQ_EMPTY(&h->senders)));
}

static void maybe_nap(struct worker *w)
{
	struct timespec t = {0};

	if (!w->crowded && !has_more(w))
		t.tv_nsec = nap_us(&w->nap, w->n_sessions, w->engine->opts.nap_us) * 1000L;
	if (t.tv_nsec)
		nanosleep(&t, NULL);
}

/* Of `n` events, for the naps. */
static void count_turn(struct worker *w, unsigned n)
{
	if (nap_turn(&w->nap, n, w->now_ns, clock_ns(CLOCK_MONOTONIC)))
		nap_measure(&w->nap, clock_ns(CLOCK_THREAD_CPUTIME_ID));
}

static uint64_t next_deadline(const struct worker *w)
{
	const struct timer *first = timers_first(&w->timers);
	uint64_t at = http_deadline(w);

	if (first && first->deadline_ns < at)
		at = first->deadline_ns;

	if (w->accept_retry_ns < at)
		at = w->accept_retry_ns;
	if (w->defer_check_ns < at)
		at = w->defer_check_ns;
	if (w->spent_drop_ns < at)
		at = w->spent_drop_ns;
	return w->count_ns < at ? w->count_ns : at;
}

/*
 * epoll_wait with a timeout sets and ends a timer of the kernel each time it sleeps. This one stays set over many sleeps:
 * what rings too early finds nothing to do, and the next one is set.
 */
static void set_alarm(struct worker *w, uint64_t at)
{
	struct itimerspec t = {.it_interval = {0, 0}};

	if (at >= w->alarm_ns)
		return;
	t.it_value = (struct timespec){(time_t)(at / SECOND_NS), (long)(at % SECOND_NS)};
	/* with a valid time it does not fail */
	timerfd_settime(w->alarm.fd, TFD_TIMER_ABSTIME, &t, NULL);
	w->alarm_ns = at;
}

/* As epoll_wait wants it, in ms. `at`: the next deadline. */
static int timeout(struct worker *w, uint64_t at)
{
	if (has_more(w) || at <= w->now_ns || atomic_load(&w->poke) || w->engine->opts.busy)
		return 0;
	set_alarm(w, at);
	return -1;
}

static void *loop(void *arg)
{
	struct worker *w = arg;
	struct epoll_event events[EVENTS_PER_TURN];
	char name[16];

	current = w;
	snprintf(name, sizeof(name), "worker %u", w->index);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_TIMERSLACK, 1UL); /* a nap of 100 us shall not last 150 */
	slice_shorten();
	w->now_ns = clock_ns(CLOCK_MONOTONIC);
	nap_init(&w->nap, w->now_ns);
	while (!w->quit) {
		uint64_t due;
		int n;

		if (atomic_load_explicit(&w->poke, memory_order_relaxed))
			handle_pokes(w);
		maybe_nap(w);
		due = next_deadline(w);
		n = call_epoll_wait(w->epoll_fd, events, EVENTS_PER_TURN, timeout(w, due));
		w->now_ns = clock_ns(CLOCK_MONOTONIC);
		counter_add(&w->n_loops, 1);
		counter_add(&w->n_events, n > 0 ? (uint64_t)n : 0);
		w->crowded = false;
		for (int i = 0; i < n; i++)
			dispatch(w, &events[i]);
		run_again(w);
		run_bulk(w, n > 0 ? (unsigned)n : 0);
		if (due <= w->now_ns)
			run_timers(w);
		if (w->http && !TAILQ_EMPTY(&w->http->senders))
			h2_flush(w);
		free_dead(w);
		let_go_of_left(w);
		if (w->n_sessions >= NAP_CONNECTIONS)
			count_turn(w, n > 0 ? (unsigned)n : 0);
	}
	return NULL;
}

/* ---- Life ---- */

int worker_new(struct engine *e, unsigned index, struct worker **ret)
{
	struct worker *w = aligned_alloc(CACHE_LINE, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	memset(w, 0, offsetof(struct worker, scratch));
	w->engine = e;
	w->index = index;
	w->accept_retry_ns = w->defer_check_ns = w->spent_drop_ns = w->count_ns = w->alarm_ns = TIMER_NEVER;
	w->pipe[0] = w->pipe[1] = -1;
	w->log_fd[0] = w->log_fd[1] = w->log_fd[2] = -1;
	TAILQ_INIT(&w->again);
	TAILQ_INIT(&w->bulk);
	TAILQ_INIT(&w->dead);
	spent_init(w);
	LIST_INIT(&w->sessions);
	LIST_INIT(&w->paused);
	LIST_INIT(&w->deferring);
	LIST_INIT(&w->waiting);
	STAILQ_INIT(&w->commands);
	pthread_mutex_init(&w->lock, NULL);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake = (struct handle){HANDLE_WAKE, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), NULL};
	r = w->epoll_fd < 0 || w->wake.fd < 0 ? -errno : worker_watch(w, &w->wake, EPOLLIN);
	w->alarm = (struct handle){
	    HANDLE_ALARM, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), NULL};
	if (!r) /* edge-triggered: it need not be read */
		r = w->alarm.fd < 0 ? -errno : worker_watch(w, &w->alarm, EPOLLIN | EPOLLET);
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

int worker_start(struct worker *w)
{
	int r = pthread_create(&w->thread, NULL, loop, w);

	w->started = !r;
	return -r;
}

void worker_join(struct worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	w->started = false;
}

void worker_close_sessions(struct worker *w)
{
	struct session *s;

	while ((s = LIST_FIRST(&w->sessions))) {
		conn_end(&s->conn, 'K', 'D');
		session_close(w, s);
	}
	if (w->http)
		http_close_all(w);
}

void worker_free(struct worker *w)
{
	struct session *s;
	struct command *c;

	if (!w)
		return;
	spent_drop(w);
	while ((s = TAILQ_FIRST(&w->dead))) {
		TAILQ_REMOVE(&w->dead, s, link);
		free_session(s);
	}
	handover_drop(w);
	http_worker_free(w);
	while ((c = next_command(w)))
		if (!c->borrowed)
			free(c);
	for (size_t i = 0; i < sizeof(w->log_fd) / sizeof(w->log_fd[0]); i++)
		if (w->log_fd[i] >= 0)
			close(w->log_fd[i]);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->wake.fd >= 0)
		close(w->wake.fd);
	if (w->alarm.fd >= 0)
		close(w->alarm.fd);
	timers_fini(&w->timers);
	pthread_mutex_destroy(&w->lock);
	pipe_close(w);
	free(w->large);
	free(w);
}
