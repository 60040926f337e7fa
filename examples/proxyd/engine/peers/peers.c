/* SPDX-License-Identifier: MIT */
#include "engine/peers/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/worker.h"

#define SUCCESSOR_NS (5 * SECOND_NS)
#define GATHER_NS UINT64_C(10000000)	/* changes, before they are told */
#define FD_RETRY_NS UINT64_C(100000000) /* after EMFILE */
#define ACCEPTS 16

/* ---- Events ---- */

static void listen_from(struct section *s, uint64_t at_ns)
{
	if (s->fd >= 0)
		peers_watch(s->peers, s->fd, EPOLL_CTL_MOD, at_ns == NEVER ? EPOLLIN : 0, (uintptr_t)s | 1);
	s->accept_ns = at_ns;
}

static void accept_all(struct section *s, uint64_t now_ns)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				listen_from(s, now_ns + FD_RETRY_NS);
			return;
		}
		if (s->n_strangers == STRANGERS_MAX || !talk_new(s, fd, IS_GREETED, now_ns))
			close(fd);
		else
			s->n_strangers++;
	}
}

struct telling {
	const struct section *section;
	const struct share *share;
	uint64_t now_ns;
};

static void tell_all(void *userdata, struct table *table, const struct table_entry *e)
{
	const struct telling *of = userdata;
	struct talk *t;

	(void)table;
	LIST_FOREACH (t, &of->section->talks, entry)
		if (t->state == RUNS)
			link_tell(t->link, of->share, e, of->now_ns);
}

static void tell_changes(struct peers *ps, uint64_t now_ns)
{
	struct section *s;
	struct talk *t, *next;

	ps->tell_ns = NEVER;
	LIST_FOREACH (s, &ps->sections, entry) {
		for (size_t i = 0; i < s->shares.n; i++) {
			struct telling of = {s, &s->shares.share[i], now_ns};

			table_changes(s->shares.share[i].table, tell_all, &of);
		}
		for (t = LIST_FIRST(&s->talks); t; t = next) {
			next = LIST_NEXT(t, entry);
			talk_send(t, now_ns);
		}
	}
}

/* ---- Time ---- */

/* To others while it runs; then to its successor, which may know nothing yet. */
static bool connects(const struct peer *p)
{
	return !p->talk && !p->is_done && p->is_local == p->section->peers->is_draining;
}

static void section_time(struct section *s, uint64_t now_ns)
{
	struct talk *t, *next;
	struct peer *p;

	for (t = LIST_FIRST(&s->talks); t; t = next) {
		next = LIST_NEXT(t, entry);
		if (talk_deadline(t) <= now_ns)
			talk_time(t, now_ns);
	}
	LIST_FOREACH (p, &s->list, entry)
		if (p->connect_ns <= now_ns && connects(p))
			talk_to(p, now_ns);
	if (s->accept_ns <= now_ns)
		listen_from(s, NEVER);
	if (s->shares.learn_until_ns <= now_ns) {
		s->shares.learn_until_ns = NEVER;
		s->shares.knows_all = true;
	}
}

uint64_t peers_deadline(const struct peers *ps)
{
	uint64_t first = ps->is_draining && ps->gone_ns < ps->tell_ns ? ps->gone_ns : ps->tell_ns;
	const struct section *s;
	const struct talk *t;
	const struct peer *p;

	LIST_FOREACH (s, &ps->sections, entry) {
		first = s->shares.learn_until_ns < first ? s->shares.learn_until_ns : first;
		first = s->accept_ns < first ? s->accept_ns : first;
		LIST_FOREACH (t, &s->talks, entry)
			first = talk_deadline(t) < first ? talk_deadline(t) : first;
		LIST_FOREACH (p, &s->list, entry)
			if (connects(p))
				first = p->connect_ns < first ? p->connect_ns : first;
	}
	return first;
}

int peers_fd(const struct peers *ps)
{
	return ps->epoll_fd;
}

int peers_dispatch(struct peers *ps, uint64_t now_ns)
{
	struct epoll_event event[16];
	struct section *s;
	uint64_t count;
	/* one at a time: what one does may close another */
	int n = epoll_wait(ps->epoll_fd, event, 1, 0);

	if (n == 1 && event[0].data.u64 & 1)
		accept_all((struct section *)(uintptr_t)(event[0].data.u64 - 1), now_ns);
	else if (n == 1 && event[0].data.u64)
		talk_event((struct talk *)(uintptr_t)event[0].data.u64, now_ns);
	else if (n == 1 && read(ps->wake_fd, &count, sizeof(count)) > 0 && ps->tell_ns == NEVER)
		ps->tell_ns = now_ns + GATHER_NS;
	if (ps->tell_ns <= now_ns)
		tell_changes(ps, now_ns);
	if (ps->is_draining && ps->gone_ns <= now_ns)
		ps->gone_ns = NEVER;
	LIST_FOREACH (s, &ps->sections, entry)
		section_time(s, now_ns);
	return 0;
}

/* ---- Beginning and end ---- */

void peers_drain(struct peers *ps, uint64_t now_ns)
{
	struct section *s;
	struct talk *t, *next;
	struct peer *p;

	if (ps->is_draining)
		return;
	tell_changes(ps, now_ns);
	ps->gone_ns = now_ns + SUCCESSOR_NS;
	LIST_FOREACH (s, &ps->sections, entry) {
		close(s->fd);
		s->fd = -1;
		for (t = LIST_FIRST(&s->talks); t; t = next) {
			next = LIST_NEXT(t, entry);
			talk_leave(t, now_ns);
			talk_send(t, now_ns);
		}
		LIST_FOREACH (p, &s->list, entry)
			p->connect_ns = now_ns;
	}
	ps->is_draining = true; /* from here on the end of a connection to its successor is the end of telling it */
}

bool peers_are_busy(const struct peers *ps)
{
	const struct section *s;
	const struct peer *p;

	if (ps->gone_ns == NEVER)
		return false;
	LIST_FOREACH (s, &ps->sections, entry)
		LIST_FOREACH (p, &s->list, entry)
			if (p->is_local && !p->is_done)
				return true;
	return false;
}

int peers_new(struct peers **ret)
{
	struct peers *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	LIST_INIT(&ps->sections);
	ps->tell_ns = NEVER;
	ps->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ps->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ps->epoll_fd < 0 || ps->wake_fd < 0 || peers_watch(ps, ps->wake_fd, EPOLL_CTL_ADD, EPOLLIN, 0) < 0) {
		peers_free(ps);
		return -EMFILE;
	}
	*ret = ps;
	return 0;
}

void peers_free(struct peers *ps)
{
	if (!ps)
		return;
	peers_close_prepared(ps);
	while (!LIST_EMPTY(&ps->sections))
		section_free(LIST_FIRST(&ps->sections));
	if (ps->epoll_fd >= 0)
		close(ps->epoll_fd);
	if (ps->wake_fd >= 0)
		close(ps->wake_fd);
	free(ps);
}

/* ---- "show peers" ---- */

static const char *state_of(const struct peer *p)
{
	static const char *const states[] = {"connecting", "greeting", "greeted", "established", "leaving"};

	if (p->is_local)
		return "local";
	return p->talk ? states[p->talk->state] : "waiting";
}

void peers_each(const struct peers *ps, void (*fn)(void *userdata, const struct peer_status *s), void *userdata)
{
	const struct section *s;
	const struct peer *p;

	LIST_FOREACH (s, &ps->sections, entry)
		LIST_FOREACH (p, &s->list, entry) {
			const struct endpoint e = endpoint_of(&p->addr.storage);
			const struct link *l = p->talk ? p->talk->link : NULL;
			struct peer_status status = {.section = s->name, .name = p->name, .state = state_of(p),
						     .n_told = p->n_told + (l ? l->n_told : 0), .n_learned = p->n_learned + (l ? l->n_learned : 0)};

			log_client(&e, status.address, sizeof(status.address));
			fn(userdata, &status);
		}
}
