/* SPDX-License-Identifier: MIT */
#include "engine/peers/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/endpoint.h"
#include "engine/peers/link.h"
#include "engine/unix_socket.h"
#include "engine/worker.h"
#include "log.h"

#define SECOND_NS UINT64_C(1000000000)
#define RECONNECT_NS (5 * SECOND_NS) /* and up to two seconds more, so that two do not connect at once again and again */
#define GREETING_NS (5 * SECOND_NS)
#define HEARTBEAT_NS (3 * SECOND_NS)
#define SILENCE_NS (5 * SECOND_NS)
#define LEARN_NS (10 * SECOND_NS)
#define SUCCESSOR_NS (5 * SECOND_NS)
#define GATHER_NS UINT64_C(10000000) /* changes, before they are told */
#define FD_RETRY_NS UINT64_C(100000000) /* after EMFILE */
#define STRANGERS_MAX 16	     /* connections that have not said who they are */
#define GREETING_MAX 1024
#define READS 16
#define WRITES 4
#define NEVER UINT64_MAX

struct section;

enum state {
	CONNECTS,  /* ours */
	ASKS,	   /* ours: the greeting is said */
	IS_GREETED, /* theirs: it has not come whole yet */
	RUNS,
	LEAVES, /* what waits is sent, and then it is closed */
};

/* A connection. */
struct talk {
	LIST_ENTRY(talk) entry; /* of its section */
	struct section *section;
	struct peer *peer; /* NULL: nobody knows yet, or no longer */
	enum state state;
	int fd;
	uint64_t deadline_ns; /* of connecting and greeting */
	uint64_t heard_ns, said_ns;
	uint32_t events; /* it is watched for */
	struct link *link;
};

struct peer {
	LIST_ENTRY(peer) entry;
	struct section *section;
	char *name;
	struct cfg_addr addr;
	struct talk *talk; /* NULL: none */
	uint64_t connect_ns, lost_ns; /* when to try; when the last connection that ran ended */
	uint64_t n_told, n_learned;   /* over those that are over */
	bool is_local;		      /* this process; or its successor, which is told all when it is to end, */
	bool is_done;		      /* and has been */
	bool wanted, told;	      /* told: that it refuses us */
};

struct section {
	LIST_ENTRY(section) entry;
	struct peers *peers;
	char *name, *local;
	struct cfg_addr addr; /* ours */
	int fd;
	struct shares shares;
	LIST_HEAD(, peer) list;
	LIST_HEAD(, talk) talks;
	unsigned n_strangers;
	uint64_t accept_ns; /* when the listener is watched again; NEVER: it is */
	bool wanted;
};

#define SECTIONS_MAX 32

/* A listener of a section to come. */
struct prepared {
	struct cfg_addr addr;
	int fd;
};

struct peers {
	LIST_HEAD(, section) sections;
	struct prepared prepared[SECTIONS_MAX];
	size_t n_prepared;
	int epoll_fd, wake_fd;
	uint64_t tell_ns; /* when changes are told; NEVER: there are none */
	uint64_t gone_ns; /* draining: until then the end of the process waits for a successor that is told; NEVER: no longer */
	bool is_draining;
};

/* ---- Connections ---- */

/* epoll points to a talk, or to a section, whose pointer is odd; to nothing for wake_fd. */
static int watch(struct peers *ps, int fd, int op, uint32_t events, uintptr_t who)
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
	if (events != t->events && watch(t->section->peers, t->fd, EPOLL_CTL_MOD, events, (uintptr_t)t) == 0)
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

static void close_talk(struct talk *t, uint64_t now_ns)
{
	part(t, now_ns);
	LIST_REMOVE(t, entry);
	if (t->fd >= 0)
		close(t->fd);
	link_end(t->link);
	free(t);
}

/* It is closed when what waits is sent. */
static void leave(struct talk *t, uint64_t now_ns)
{
	part(t, now_ns);
	t->state = LEAVES;
	t->deadline_ns = now_ns + GREETING_NS;
	watch_for_what_comes(t);
}

static struct talk *new_talk(struct section *s, int fd, enum state state, uint64_t now_ns)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->link = calloc(1, sizeof(*t->link));
	t->events = state == CONNECTS ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
	if (!t->link || watch(s->peers, fd, EPOLL_CTL_ADD, t->events, (uintptr_t)t) < 0) {
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
static void send_on(struct talk *t, uint64_t now_ns)
{
	struct link *l = t->link;

	for (int i = 0; i < WRITES; i++) {
		ssize_t n;

		if (t->state == RUNS)
			link_fill(l, now_ns);
		if (t->state == LEAVES && !l->out_len) {
			close_talk(t, now_ns);
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
			close_talk(t, now_ns);
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

static void connect_to(struct peer *p, uint64_t now_ns)
{
	struct section *s = p->section;
	int fd = socket(p->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	p->connect_ns = reconnect_at(now_ns);
	p->is_done = p->is_local; /* unless there is one */
	if (fd < 0)
		return;
	if (connect(fd, &p->addr.sa, p->addr.len) == 0 || errno == EINPROGRESS)
		p->talk = new_talk(s, fd, CONNECTS, now_ns);
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

static struct peer *find_peer(const struct section *s, const char *name, size_t len)
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
	*ret = find_peer(s, line[2], strcspn(line[2], " "));
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
			leave(t, now_ns);
		return;
	}
	code = judge_hello(s, line, &p);
	link_put(t->link, answer, (size_t)snprintf(answer, sizeof(answer), "%u\n", code));
	drop_lines(t->link, line[2]);
	if (code == 200 && p->talk)
		close_talk(p->talk, now_ns); /* it has begun anew */
	if (code != 200 || link_begin(t->link, &s->shares, p->lost_ns) < 0) {
		leave(t, now_ns);
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
			leave(t, now_ns);
		return;
	}
	if (strcmp(line[0], "200") != 0) {
		if (!p->told && strcmp(line[0], "300") != 0)
			log_warn("peers %s: \"%s\" refuses this process (%.16s): the names of both must be those of its configuration",
				 t->section->name, p->name, line[0]);
		p->told |= strcmp(line[0], "300") != 0;
		leave(t, now_ns);
		return;
	}
	drop_lines(t->link, line[0]);
	if (link_begin(t->link, &t->section->shares, p->is_local ? LINK_ALL : p->lost_ns) < 0)
		leave(t, now_ns);
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
		leave(t, now_ns);
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

static void on_talk(struct talk *t, uint64_t now_ns)
{
	int e = 0;

	if (t->state == CONNECTS) {
		getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){sizeof(e)});
		if (e) {
			close_talk(t, now_ns);
			return;
		}
		say_hello(t);
		if (t->state == CONNECTS) {
			close_talk(t, now_ns);
			return;
		}
	}
	if (t->state != LEAVES && !read_on(t, now_ns)) {
		close_talk(t, now_ns);
		return;
	}
	send_on(t, now_ns);
}

static void listen_from(struct section *s, uint64_t at_ns)
{
	if (s->fd >= 0)
		watch(s->peers, s->fd, EPOLL_CTL_MOD, at_ns == NEVER ? EPOLLIN : 0, (uintptr_t)s | 1);
	s->accept_ns = at_ns;
}

static void accept_all(struct section *s, uint64_t now_ns)
{
	for (int i = 0; i < READS; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				listen_from(s, now_ns + FD_RETRY_NS);
			return;
		}
		if (s->n_strangers == STRANGERS_MAX || !new_talk(s, fd, IS_GREETED, now_ns))
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
			send_on(t, now_ns);
		}
	}
}

/* ---- Time ---- */

static uint64_t talk_deadline(const struct talk *t)
{
	uint64_t silent_ns = t->heard_ns + SILENCE_NS, heartbeat_ns = t->said_ns + HEARTBEAT_NS;

	if (t->state != RUNS)
		return t->deadline_ns;
	return silent_ns < heartbeat_ns ? silent_ns : heartbeat_ns;
}

static void on_time(struct talk *t, uint64_t now_ns)
{
	if (t->state != RUNS || t->heard_ns + SILENCE_NS <= now_ns) {
		close_talk(t, now_ns);
		return;
	}
	t->said_ns = now_ns;
	if (!t->link->out_len)
		link_say(t->link, PEERS_CONTROL, PEERS_HEARTBEAT);
	send_on(t, now_ns);
}

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
			on_time(t, now_ns);
	}
	LIST_FOREACH (p, &s->list, entry)
		if (p->connect_ns <= now_ns && connects(p))
			connect_to(p, now_ns);
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
		on_talk((struct talk *)(uintptr_t)event[0].data.u64, now_ns);
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

/* ---- Making them ---- */

static void peer_free(struct peer *p, uint64_t now_ns)
{
	if (p->talk)
		close_talk(p->talk, now_ns);
	LIST_REMOVE(p, entry);
	free(p->name);
	free(p);
}

static void shares_free(struct shares *shares)
{
	for (size_t i = 0; i < shares->n; i++) {
		if (shares->share[i].table)
			table_put(shares->share[i].table);
		free(shares->share[i].name);
	}
	free(shares->share);
	*shares = (struct shares){0};
}

static void set_shared(const struct section *s, int wake_fd)
{
	for (size_t i = 0; i < s->shares.n; i++)
		table_share(s->shares.share[i].table, wake_fd);
}

static void section_free(struct section *s)
{
	struct peer *p;

	while (!LIST_EMPTY(&s->talks))
		close_talk(LIST_FIRST(&s->talks), 0);
	while ((p = LIST_FIRST(&s->list)))
		peer_free(p, 0);
	set_shared(s, -1);
	shares_free(&s->shares);
	if (s->fd >= 0)
		close(s->fd);
	LIST_REMOVE(s, entry);
	free(s->name);
	free(s->local);
	free(s);
}

static struct section *find_section(const struct peers *ps, const char *name)
{
	struct section *s;

	LIST_FOREACH (s, &ps->sections, entry)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static bool same_addr(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a->len == b->len && !memcmp(&a->storage, &b->storage, a->len);
}

/* -1: errno says why. */
static int open_listener(const struct cfg_addr *a)
{
	int fd, on = 1;

	if (a->sa.sa_family == AF_UNIX) { /* in the place of what the process before has there */
		fd = unix_listen(a, &(struct cfg_access){-1, -1, -1}, STRANGERS_MAX);
		errno = fd < 0 ? -fd : errno;
		return fd < 0 ? -1 : fd;
	}
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)); /* beside the process before */
	if (bind(fd, &a->sa, a->len) < 0 || listen(fd, STRANGERS_MAX) < 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

/* The tables that name the section. False: no memory. */
static bool shares_of(const struct cfg *cfg, const char *name, struct shares *ret)
{
	const struct cfg_peers_use *use;
	size_t n = 0;

	STAILQ_FOREACH (use, &cfg->peers_uses, next)
		n += use->ref && use->ref->table && !strcmp(use->name, name);
	*ret = (struct shares){.share = calloc(n + 1, sizeof(*ret->share))};
	if (!ret->share)
		return false;
	STAILQ_FOREACH (use, &cfg->peers_uses, next) {
		struct share *s = &ret->share[ret->n];
		const char *slash;

		if (!use->ref || !use->ref->table || strcmp(use->name, name) != 0)
			continue;
		slash = strchr(use->ref->name, '/'); /* of a table of the section: "/NAME", as HAProxy's */
		s->table = use->ref->table;
		table_retain(s->table);
		s->tells_server = use->ref->tells_server;
		s->name = strdup(slash ? slash : use->ref->name);
		ret->n++;
		if (!s->name) {
			shares_free(ret);
			return false;
		}
	}
	return true;
}

static bool same_shares(const struct shares *a, const struct shares *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->share[i].table != b->share[i].table || a->share[i].tells_server != b->share[i].tells_server)
			return false;
	return true;
}

/* Others begin anew: what they defined is not what we have. */
static void take_shares(struct section *s, struct shares *shares, uint64_t now_ns)
{
	if (same_shares(&s->shares, shares)) {
		shares_free(shares);
		return;
	}
	while (!LIST_EMPTY(&s->talks))
		close_talk(LIST_FIRST(&s->talks), now_ns);
	set_shared(s, -1);
	shares->knows_all = s->shares.knows_all;
	shares->learn_until_ns = s->shares.learn_until_ns;
	shares_free(&s->shares);
	s->shares = *shares;
}

/* False: no memory. */
static bool take_peer(struct section *s, const struct cfg_peer *c, uint64_t now_ns)
{
	struct peer *p = find_peer(s, c->name, strlen(c->name));

	if (p && same_addr(&p->addr, &c->addr)) {
		p->wanted = true;
		return true;
	}
	if (p)
		peer_free(p, now_ns);
	p = calloc(1, sizeof(*p));
	if (!p)
		return false;
	p->name = strdup(c->name);
	if (!p->name) {
		free(p);
		return false;
	}
	p->section = s;
	p->addr = c->addr;
	p->is_local = !strcmp(c->name, s->local);
	p->connect_ns = now_ns;
	p->wanted = true;
	LIST_INSERT_HEAD(&s->list, p, entry);
	return true;
}

static bool take_peers(struct section *s, const struct cfg_peers *c, uint64_t now_ns)
{
	const struct cfg_peer *cp;
	struct peer *p, *next;

	LIST_FOREACH (p, &s->list, entry)
		p->wanted = false;
	STAILQ_FOREACH (cp, &c->list, next)
		if (!take_peer(s, cp, now_ns))
			return false;
	for (p = LIST_FIRST(&s->list); p; p = next) {
		next = LIST_NEXT(p, entry);
		if (!p->wanted)
			peer_free(p, now_ns);
	}
	return true;
}

static struct section *new_section(struct peers *ps, const struct cfg_peers *c, uint64_t now_ns)
{
	struct section *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->peers = ps;
	s->fd = -1;
	s->accept_ns = NEVER;
	s->name = strdup(c->name);
	s->local = strdup(c->local);
	s->shares.learn_until_ns = now_ns + LEARN_NS;
	LIST_INSERT_HEAD(&ps->sections, s, entry);
	if (s->name && s->local)
		return s;
	section_free(s);
	return NULL;
}

/* Was it opened for this one, or is it open? */
static bool is_open(const struct peers *ps, const struct cfg_peers *c)
{
	const struct section *s = find_section(ps, c->name);

	return s && s->fd >= 0 && !strcmp(s->local, c->local) && same_addr(&s->addr, &c->addr);
}

static void close_prepared(struct peers *ps)
{
	while (ps->n_prepared)
		close(ps->prepared[--ps->n_prepared].fd);
}

bool peers_prepare(struct peers *ps, const struct cfg *cfg, char *error, size_t cap)
{
	const struct cfg_peers *c;

	close_prepared(ps);
	STAILQ_FOREACH (c, &cfg->peers, next) {
		struct prepared *p = &ps->prepared[ps->n_prepared];

		if (!c->local || is_open(ps, c))
			continue;
		if (ps->n_prepared == SECTIONS_MAX) {
			snprintf(error, cap, "more than %d new sections peers", SECTIONS_MAX);
			return false;
		}
		*p = (struct prepared){c->addr, open_listener(&c->addr)};
		if (p->fd < 0) {
			snprintf(error, cap, "peers %s: the address of \"%s\", which is this process: %s", c->name, c->local, strerror(errno));
			close_prepared(ps);
			return false;
		}
		ps->n_prepared++;
	}
	return true;
}

/* -1: there is none. */
static int take_prepared(struct peers *ps, const struct cfg_addr *a)
{
	for (size_t i = 0; i < ps->n_prepared; i++)
		if (same_addr(&ps->prepared[i].addr, a)) {
			int fd = ps->prepared[i].fd;

			ps->prepared[i] = ps->prepared[--ps->n_prepared];
			return fd;
		}
	return -1;
}

/* False: there is no memory. */
static bool take_section(struct peers *ps, const struct cfg *cfg, const struct cfg_peers *c, uint64_t now_ns)
{
	const bool was_open = is_open(ps, c);
	struct section *s = find_section(ps, c->name);
	struct shares shares = {0};

	if (s && strcmp(s->local, c->local) != 0) {
		section_free(s);
		s = NULL;
	}
	if (!s)
		s = new_section(ps, c, now_ns);
	if (!s)
		return false;
	s->wanted = true;
	if (!was_open) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = take_prepared(ps, &c->addr);
		s->addr = c->addr;
		if (s->fd >= 0 && watch(ps, s->fd, EPOLL_CTL_ADD, EPOLLIN, (uintptr_t)s | 1) < 0)
			return false;
	}
	if (!shares_of(cfg, c->name, &shares))
		return false;
	take_shares(s, &shares, now_ns);
	return take_peers(s, c, now_ns);
}

void peers_sync(struct peers *ps, const struct cfg *cfg, uint64_t now_ns)
{
	const struct cfg_peers *c;
	struct section *s, *next;

	LIST_FOREACH (s, &ps->sections, entry)
		s->wanted = false;
	STAILQ_FOREACH (c, &cfg->peers, next)
		if (c->local && !take_section(ps, cfg, c, now_ns))
			log_err("peers %s: out of memory: not all of its tables are shared with all", c->name);
	for (s = LIST_FIRST(&ps->sections); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (!s->wanted)
			section_free(s);
	}
	LIST_FOREACH (s, &ps->sections, entry) /* last: a table may have gone from one to another */
		set_shared(s, ps->wake_fd);
	close_prepared(ps);
}

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
			leave(t, now_ns);
			send_on(t, now_ns);
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
	if (ps->epoll_fd < 0 || ps->wake_fd < 0 || watch(ps, ps->wake_fd, EPOLL_CTL_ADD, EPOLLIN, 0) < 0) {
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
	close_prepared(ps);
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
