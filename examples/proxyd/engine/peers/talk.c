/* SPDX-License-Identifier: MIT */
/* Connections to peers: the greeting, and bytes to and from a link. */
#include "engine/peers/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define RECONNECT_NS (5 * SECOND_NS) /* and up to two seconds more, so that two do not connect at once again and again */
#define GREETING_NS (5 * SECOND_NS)
#define HEARTBEAT_NS (3 * SECOND_NS)
#define SILENCE_NS (5 * SECOND_NS)
#define GREETING_MAX 1024
#define READS 16
#define WRITES 4

int peers_watch(struct peers *ps, int fd, int op, uint32_t events, uintptr_t who)
{
	struct epoll_event e = {.events = events, .data.u64 = who};

	return epoll_ctl(ps->epoll_fd, op, fd, &e);
}

static void watch_for_what_comes(struct talk *t)
{
	uint32_t events = EPOLLIN | EPOLLRDHUP;

	if (t->state == CONNECTS || t->state == LEAVES)
		events = EPOLLOUT;
	else if (t->link->out_len || t->link->walk.runs)
		events |= EPOLLOUT;
	if (events != t->events && peers_watch(t->section->peers, t->fd, EPOLL_CTL_MOD, events, (uintptr_t)t) == 0)
		t->events = events;
}

static uint64_t reconnect_at(uint64_t now_ns)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)now_ns;
	return now_ns + RECONNECT_NS + random % (2 * SECOND_NS);
}

/* The peer is without a connection. */
static void part(struct talk *t, uint64_t now_ns)
{
	struct peer *p = t->peer;

	if (t->state == IS_GREETED)
		t->section->n_strangers--;
	if (!p)
		return;
	p->n_told += t->link->n_told;
	p->n_learned += t->link->n_learned;
	if (t->link->shares) /* it ran; what was sent after its last word may be lost */
		p->lost_ns = t->link->walk.runs || t->link->behind_ns || t->link->out_len ? t->link->walk.since_ns : t->heard_ns;
	p->talk = NULL;
	p->is_done = p->is_local && t->section->peers->is_draining;
	p->connect_ns = reconnect_at(now_ns);
	t->peer = NULL;
}

void talk_close(struct talk *t, uint64_t now_ns)
{
	part(t, now_ns);
	LIST_REMOVE(t, entry);
	if (t->fd >= 0)
		close(t->fd);
	link_end(t->link);
	free(t);
}

void talk_leave(struct talk *t, uint64_t now_ns)
{
	part(t, now_ns);
	t->state = LEAVES;
	t->deadline_ns = now_ns + GREETING_NS;
	watch_for_what_comes(t);
}

struct talk *talk_new(struct section *s, int fd, enum state state, uint64_t now_ns)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->link = calloc(1, sizeof(*t->link));
	t->events = state == CONNECTS ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
	if (!t->link || peers_watch(s->peers, fd, EPOLL_CTL_ADD, t->events, (uintptr_t)t) < 0) {
		free(t->link);
		free(t);
		return NULL;
	}
	t->section = s;
	t->fd = fd;
	t->state = state;
	t->deadline_ns = now_ns + GREETING_NS;
	LIST_INSERT_HEAD(&s->talks, t, entry);
	return t;
}

/* No more than that at a time: checks and clients of the runtime API wait meanwhile. */
void talk_send(struct talk *t, uint64_t now_ns)
{
	struct link *l = t->link;

	for (int i = 0; i < WRITES; i++) {
		ssize_t n;

		if (t->state == RUNS)
			link_fill(l, now_ns);
		if (t->state == LEAVES && !l->out_len) {
			talk_close(t, now_ns);
			return;
		}
		if (t->state == RUNS && t->peer->is_local && !l->walk.runs && !l->out_len)
			t->peer->is_done = t->section->peers->is_draining;
		n = l->out_len ? send(t->fd, l->out, l->out_len, MSG_NOSIGNAL) : 0;
		if (n == 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
			watch_for_what_comes(t);
			return;
		}
		if (n < 0) {
			talk_close(t, now_ns);
			return;
		}
		t->said_ns = now_ns;
		l->out_len -= (size_t)n;
		memmove(l->out, l->out + n, l->out_len);
	}
	watch_for_what_comes(t);
}

static void tell_running(struct talk *t)
{
	struct peer *p = t->peer;

	t->state = RUNS;
	t->deadline_ns = NEVER;
	if (p->told)
		log_notice("peers %s: \"%s\" is there again", t->section->name, p->name);
	p->told = false;
}

/* ---- Greetings ---- */

void talk_to(struct peer *p, uint64_t now_ns)
{
	struct section *s = p->section;
	int fd = socket(p->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	p->connect_ns = reconnect_at(now_ns);
	p->is_done = p->is_local; /* unless there is one */
	if (fd < 0)
		return;
	if (connect(fd, &p->addr.sa, p->addr.len) == 0 || errno == EINPROGRESS)
		p->talk = talk_new(s, fd, CONNECTS, now_ns);
	if (!p->talk) {
		close(fd);
		return;
	}
	p->talk->peer = p;
	p->connect_ns = NEVER;
	p->is_done = false;
}

static void say_hello(struct talk *t)
{
	char text[GREETING_MAX];
	int n = snprintf(text, sizeof(text), "HAProxyS 2.1\n%s\n%s %d 1\n", t->peer->name, t->section->local, (int)getpid());

	if (n > 0 && n < (int)sizeof(text) && link_put(t->link, text, (size_t)n))
		t->state = ASKS;
}

/* The first lines that have come: where each begins, with a zero behind it. False: there are not so many. */
static bool take_lines(struct link *l, unsigned n, char *line[])
{
	uint8_t *at = l->in, *end = l->in + l->in_len;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

		if (!stop)
			return false;
		line[i] = (char *)at;
		at = stop + 1;
	}
	for (unsigned i = 0; i < n; i++)
		*(char *)memchr(line[i], '\n', (size_t)((char *)end - line[i])) = '\0';
	return true;
}

static void drop_lines(struct link *l, const char *last)
{
	size_t n = (size_t)((const uint8_t *)last - l->in) + strlen(last) + 1;

	l->in_len -= n;
	memmove(l->in, l->in + n, l->in_len);
}

struct peer *section_peer(const struct section *s, const char *name, size_t len)
{
	struct peer *p;

	LIST_FOREACH (p, &s->list, entry)
		if (strlen(p->name) == len && !memcmp(p->name, name, len))
			return p;
	return NULL;
}

/* Both connected at once: the one whose name comes first in order keeps its own. */
static bool is_ours_to_keep(const struct section *s, const struct peer *p)
{
	return p->talk && (p->talk->state == CONNECTS || p->talk->state == ASKS) && strcmp(s->local, p->name) < 0;
}

/* "HAProxyS 2.1", our name, its name and process: HAProxy's number for the answer. */
static unsigned judge_hello(struct section *s, char *line[3], struct peer **ret)
{
	char *version = strchr(line[0], ' ');
	unsigned major, minor;

	*ret = NULL;
	if (!version || strncmp(line[0], "HAProxyS ", 9) != 0)
		return 501;
	if (sscanf(version, " %u.%u", &major, &minor) != 2 || major != 2)
		return 502;
	if (strcmp(line[1], s->local) != 0)
		return 503;
	*ret = section_peer(s, line[2], strcspn(line[2], " "));
	if (!*ret)
		return 504;
	return is_ours_to_keep(s, *ret) ? 300 : 200;
}

static void hear_hello(struct talk *t, uint64_t now_ns)
{
	struct section *s = t->section;
	char *line[3], answer[8];
	struct peer *p;
	unsigned code;

	if (!take_lines(t->link, 3, line)) {
		if (t->link->in_len > GREETING_MAX)
			talk_leave(t, now_ns);
		return;
	}
	code = judge_hello(s, line, &p);
	link_put(t->link, answer, (size_t)snprintf(answer, sizeof(answer), "%u\n", code));
	drop_lines(t->link, line[2]);
	if (code == 200 && p->talk)
		talk_close(p->talk, now_ns); /* it has begun anew */
	if (code != 200 || link_begin(t->link, &s->shares, p->lost_ns) < 0) {
		talk_leave(t, now_ns);
		return;
	}
	s->n_strangers--;
	t->peer = p;
	p->talk = t;
	p->connect_ns = NEVER;
	tell_running(t);
}

static void hear_answer(struct talk *t, uint64_t now_ns)
{
	struct peer *p = t->peer;
	char *line[1];

	if (!take_lines(t->link, 1, line)) {
		if (t->link->in_len > 3)
			talk_leave(t, now_ns);
		return;
	}
	if (strcmp(line[0], "200") != 0) {
		if (!p->told && strcmp(line[0], "300") != 0)
			log_warn("peers %s: \"%s\" refuses this process (%.16s): the names of both must be those of its configuration",
				 t->section->name, p->name, line[0]);
		p->told |= strcmp(line[0], "300") != 0;
		talk_leave(t, now_ns);
		return;
	}
	drop_lines(t->link, line[0]);
	if (link_begin(t->link, &t->section->shares, p->is_local ? LINK_ALL : p->lost_ns) < 0)
		talk_leave(t, now_ns);
	else
		tell_running(t);
}

/* ---- Events ---- */

static void hear(struct talk *t, uint64_t now_ns)
{
	if (t->state == IS_GREETED)
		hear_hello(t, now_ns);
	else if (t->state == ASKS)
		hear_answer(t, now_ns);
	if (t->state == RUNS && link_take(t->link, now_ns) < 0)
		talk_leave(t, now_ns);
}

/* False: the connection is over. */
static bool read_on(struct talk *t, uint64_t now_ns)
{
	struct link *l = t->link;

	for (int i = 0; i < READS; i++) {
		ssize_t n = recv(t->fd, l->in + l->in_len, sizeof(l->in) - l->in_len, 0);

		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		t->heard_ns = now_ns;
		l->in_len += (size_t)n;
		hear(t, now_ns);
		if (t->state == LEAVES)
			return true;
		if (l->in_len == sizeof(l->in)) /* a greeting without an end */
			return false;
	}
	return true;
}

void talk_event(struct talk *t, uint64_t now_ns)
{
	int e = 0;

	if (t->state == CONNECTS) {
		getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){sizeof(e)});
		if (e) {
			talk_close(t, now_ns);
			return;
		}
		say_hello(t);
		if (t->state == CONNECTS) {
			talk_close(t, now_ns);
			return;
		}
	}
	if (t->state != LEAVES && !read_on(t, now_ns)) {
		talk_close(t, now_ns);
		return;
	}
	talk_send(t, now_ns);
}

/* ---- Time ---- */

uint64_t talk_deadline(const struct talk *t)
{
	uint64_t silent_ns = t->heard_ns + SILENCE_NS, heartbeat_ns = t->said_ns + HEARTBEAT_NS;

	if (t->state != RUNS)
		return t->deadline_ns;
	return silent_ns < heartbeat_ns ? silent_ns : heartbeat_ns;
}

void talk_time(struct talk *t, uint64_t now_ns)
{
	if (t->state != RUNS || t->heard_ns + SILENCE_NS <= now_ns) {
		talk_close(t, now_ns);
		return;
	}
	t->said_ns = now_ns;
	if (!t->link->out_len)
		link_say(t->link, PEERS_CONTROL, PEERS_HEARTBEAT);
	talk_send(t, now_ns);
}
