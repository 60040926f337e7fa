/* SPDX-License-Identifier: MIT */
#include "forward.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "syslog_line.h"
#include "engine/io.h"
#include "engine/proxy_protocol.h"
#include "engine/unix_socket.h"
#include "engine/worker.h"
#include "tls/tls.h"

#define LINE_MAX_BYTES 16384u
#define PER_TURN 64 /* datagrams, or connections, of one socket */
#define READS 16    /* of one connection in a turn */
#define PEER_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define THREAD 0 /* of a front: nobody else makes connections with it */
#define FD_RETRY_NS UINT64_C(100000000) /* after EMFILE */
#define BAD_TOLD_NS UINT64_C(10000000000)
#define NEVER UINT64_MAX

struct source;
struct peer;

/* epoll points here. */
struct watched {
	struct source *source; /* one of both */
	struct peer *peer;
};

/* A section. Its logs are those of the configuration that runs. */
struct forward {
	LIST_ENTRY(forward) entry;
	char *name;
	const struct cfg_forward *cfg; /* NULL: it is none of that */
	LIST_HEAD(, source) sources;
	LIST_HEAD(, peer) peers;
	unsigned n_peers;
	uint64_t again_ns; /* there was no descriptor: when it is tried again; NEVER: there was */
	bool told;	   /* that there was none */
	uint64_t bad_told_ns; /* when a client that sends no syslog was told of; 0: never */
	unsigned n_bad_untold;
};

/* A socket of dgram-bind or bind. */
struct source {
	LIST_ENTRY(source) entry;
	struct watched watched;
	struct forward *forward;
	struct cfg_addr addr;
	char interface[IFNAMSIZ]; /* "": any */
	const struct cfg_tls *tls; /* of the configuration that runs; NULL: plain */
	bool is_stream, v4v6, wanted, fresh, paused;
	bool accept_proxy;
	unsigned maxconn, n_peers; /* of it; maxconn 0: no limit of its own */
	int fd;
};

/* A connection. */
struct peer {
	LIST_ENTRY(peer) entry;
	struct watched watched;
	struct forward *forward;
	struct source *source; /* it came in there; NULL: that is closed */
	struct handle h;
	struct tls_front *front; /* of its TLS; held */
	bool dead, greets; /* its PROXY header has not come yet */
	bool more, hup;	   /* there may be more to read; no more will come */
	uint64_t active_ns;
	size_t len;
	char in[LINE_MAX_BYTES + 16];
};

struct forwards {
	LIST_HEAD(, forward) list;
	int epoll_fd, log_fd[3];
	uint64_t n_lines;
	char datagram[65536];
};

static int watch(struct forwards *fs, int fd, struct watched *w, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(fs->epoll_fd, op, fd, &e);
}

/* ---- Lines ---- */

static void take_line(struct forwards *fs, const struct forward *f, const char *at, size_t len)
{
	struct syslog_line line;

	fs->n_lines++;
	syslog_parse(at, len, &line);
	log_pass_on(fs->log_fd, &f->cfg->logs, &line, text_of(at, len));
	if (f->cfg->global_logs)
		log_pass_on(fs->log_fd, f->cfg->global_logs, &line, text_of(at, len));
}

/* ---- UDP ---- */

static void receive_datagrams(struct forwards *fs, struct source *s)
{
	for (int i = 0; i < PER_TURN; i++) {
		ssize_t n = recv(s->fd, fs->datagram, sizeof(fs->datagram), MSG_DONTWAIT);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			take_line(fs, s->forward, fs->datagram, (size_t)n);
	}
}

/* ---- TCP ---- */

static void accept_again(struct forwards *fs, struct forward *f)
{
	struct source *s;

	LIST_FOREACH (s, &f->sources, entry)
		if (s->paused) {
			s->paused = false;
			watch(fs, s->fd, &s->watched, EPOLL_CTL_MOD, EPOLLIN);
		}
}

static void peer_free(struct forwards *fs, struct peer *p)
{
	struct forward *f = p->forward;

	LIST_REMOVE(p, entry);
	handle_close(&p->h);
	tls_front_free(p->front);
	f->n_peers--;
	if (p->source)
		p->source->n_peers--;
	free(p);
	accept_again(fs, f);
}

/* The others wait in the queue. */
static void pause_source(struct forwards *fs, struct source *s)
{
	s->paused = true;
	watch(fs, s->fd, &s->watched, EPOLL_CTL_MOD, 0);
}

static void not_accepted(struct forwards *fs, struct source *s, int error, uint64_t now_ns)
{
	struct forward *f = s->forward;

	if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
		return;
	if (!f->told)
		log_warn("log-forward %s: clients wait: %s", f->name, strerror(error));
	f->told = true;
	f->again_ns = now_ns + FD_RETRY_NS;
	pause_source(fs, s);
}

static bool has_room(const struct source *s)
{
	return s->forward->n_peers < s->forward->cfg->maxconn && (!s->maxconn || s->n_peers < s->maxconn);
}

/* False: no memory. */
static bool speak(struct peer *p)
{
	struct ssl_ctx_st *ctx;

	if (!p->source->tls)
		return true;
	p->front = tls_front_hold(p->source->tls->front);
	ctx = tls_front_ctx(p->front, THREAD);
	p->h.tls = ctx ? tls_new(ctx, p->h.fd, true) : NULL;
	return p->h.tls;
}

static void accept_peers(struct forwards *fs, struct source *s, uint64_t now_ns)
{
	struct forward *f = s->forward;

	for (int i = 0; i < PER_TURN && has_room(s); i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct peer *p = fd >= 0 ? calloc(1, sizeof(*p)) : NULL;

		if (fd < 0) {
			not_accepted(fs, s, errno, now_ns);
			return;
		}
		f->told = false;
		if (p) {
			p->watched.peer = p;
			p->forward = f;
			p->source = s;
			p->greets = s->accept_proxy;
			p->h.fd = fd;
			p->active_ns = now_ns;
		}
		if (!p || !speak(p) || watch(fs, fd, &p->watched, EPOLL_CTL_ADD, PEER_EVENTS) < 0) {
			if (p) {
				handle_close(&p->h);
				tls_front_free(p->front);
			} else {
				close(fd);
			}
			free(p);
			return;
		}
		LIST_INSERT_HEAD(&f->peers, p, entry);
		f->n_peers++;
		s->n_peers++;
	}
	if (!has_room(s))
		pause_source(fs, s); /* until one has ended */
}

/* Some send line ends behind what they have counted, which may come later than that. */
static size_t skip_ends(const struct peer *p, size_t at)
{
	while (at < p->len && p->in[at] == '\n')
		at++;
	return at;
}

/* Its lines are passed on as they come: who sent them does not matter. 0: done; -EAGAIN, or -EPROTO: it is no PROXY header. */
static int take_greeting(struct peer *p)
{
	struct proxy_ends ends;
	ssize_t n = recv(p->h.fd, p->in, sizeof(p->in), MSG_PEEK), len;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPROTO;
	len = n ? proxy_parse(p->in, (size_t)n, &ends) : -1;
	if (len > 0)
		p->greets = recv(p->h.fd, p->in, (size_t)len, 0) != len;
	return len > 0 ? 0 : len < 0 || p->hup ? -EPROTO : -EAGAIN;
}

/* What comes before its lines. As take_greeting. */
static int begin(struct peer *p)
{
	int e = p->greets ? take_greeting(p) : 0;

	return !e && !handle_is_ready(&p->h) ? tls_handshake(p->h.tls) : e;
}

/* Clients that send no syslog: the first is told of, and within BAD_TOLD_NS how many more. */
static void tell_bad(struct forward *f, uint64_t now_ns, const char *what, const char *why)
{
	char more[48] = "";

	if (f->bad_told_ns && now_ns - f->bad_told_ns < BAD_TOLD_NS) {
		f->n_bad_untold++;
		return;
	}
	if (f->n_bad_untold)
		snprintf(more, sizeof(more), "; %u more such clients before", f->n_bad_untold);
	log_warn("log-forward %s: %s%s: closed%s", f->name, what, why, more);
	f->bad_told_ns = now_ns;
	f->n_bad_untold = 0;
}

static void tell_no_begin(const struct peer *p, uint64_t now_ns)
{
	if (p->greets)
		tell_bad(p->forward, now_ns, "a client sends what is neither a PROXY header of version 1 nor of version 2", "");
	else
		tell_bad(p->forward, now_ns, "no TLS with a client: ", p->h.tls->reason ? p->h.tls->reason : "it went away");
}

/* False: what comes is no syslog. */
static bool take_lines(struct forwards *fs, struct peer *p)
{
	size_t at = skip_ends(p, 0);
	struct text line;
	ssize_t n;

	while ((n = syslog_frame(p->in + at, p->len - at, LINE_MAX_BYTES, &line)) > 0) {
		take_line(fs, p->forward, line.at, line.len);
		at = skip_ends(p, at + (size_t)n);
	}
	memmove(p->in, p->in + at, p->len - at);
	p->len -= at;
	return n == 0;
}

/* What is there now. True: there may be more. */
static bool receive_some(struct forwards *fs, struct peer *p, uint64_t now_ns)
{
	ssize_t n = handle_recv(&p->h, p->in + p->len, sizeof(p->in) - p->len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n > 0) {
		p->len += (size_t)n;
		p->active_ns = now_ns;
		if (take_lines(fs, p))
			return true;
		tell_bad(p->forward, now_ns, "a client sends what is neither a line nor a length", "");
	} else if (p->len && *p->in == '<') { /* its last line has no end */
		take_line(fs, p->forward, p->in, p->len);
	}
	p->dead = true;
	return false;
}

static void receive(struct forwards *fs, struct peer *p, uint64_t now_ns)
{
	int e = begin(p);

	p->more = false;
	if (e == -EAGAIN)
		return;
	if (e) {
		tell_no_begin(p, now_ns);
		p->dead = true;
		return;
	}
	for (int i = 0; i < READS; i++)
		if (!receive_some(fs, p, now_ns))
			return;
	p->more = true;
}

static void peer_event(struct forwards *fs, struct peer *p, uint32_t events, uint64_t now_ns)
{
	p->hup |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	if (p->h.tls)
		tls_events(p->h.tls, events);
	receive(fs, p, now_ns);
}

/* ---- The loop ---- */

static uint64_t deadline_of(const struct peer *p)
{
	return p->dead || p->more ? 0 : p->forward->cfg->client_ns ? p->active_ns + p->forward->cfg->client_ns : NEVER;
}

uint64_t forwards_deadline(const struct forwards *fs)
{
	const struct forward *f;
	const struct peer *p;
	uint64_t first = NEVER;

	LIST_FOREACH (f, &fs->list, entry) {
		first = f->again_ns < first ? f->again_ns : first;
		LIST_FOREACH (p, &f->peers, entry)
			if (deadline_of(p) < first)
				first = deadline_of(p);
	}
	return first;
}

int forwards_dispatch(struct forwards *fs, uint64_t now_ns)
{
	struct epoll_event event[32];
	int n = epoll_wait(fs->epoll_fd, event, 32, 0);
	struct peer *p, *next;
	struct forward *f;

	for (int i = 0; i < n; i++) {
		struct watched *w = event[i].data.ptr;

		if (w->peer)
			peer_event(fs, w->peer, event[i].events, now_ns);
		else if (w->source->is_stream)
			accept_peers(fs, w->source, now_ns);
		else
			receive_datagrams(fs, w->source);
	}
	LIST_FOREACH (f, &fs->list, entry) {
		for (p = LIST_FIRST(&f->peers); p; p = next) {
			next = LIST_NEXT(p, entry);
			if (p->more && !p->dead)
				receive(fs, p, now_ns);
			if (!p->more && deadline_of(p) <= now_ns)
				peer_free(fs, p);
		}
		if (f->again_ns <= now_ns) {
			f->again_ns = NEVER;
			accept_again(fs, f);
		}
	}
	return 0;
}

int forwards_fd(const struct forwards *fs)
{
	return fs->epoll_fd;
}

uint64_t forwards_count(const struct forwards *fs)
{
	return fs->n_lines;
}

/* ---- Making them ---- */

static void source_free(struct source *s)
{
	struct peer *p;

	LIST_FOREACH (p, &s->forward->peers, entry)
		if (p->source == s)
			p->source = NULL;
	LIST_REMOVE(s, entry);
	close(s->fd);
	free(s);
}

static void forward_free(struct forwards *fs, struct forward *f)
{
	while (!LIST_EMPTY(&f->sources))
		source_free(LIST_FIRST(&f->sources));
	while (!LIST_EMPTY(&f->peers))
		peer_free(fs, LIST_FIRST(&f->peers));
	LIST_REMOVE(f, entry);
	free(f->name);
	free(f);
}

/* False: errno says why. */
static bool place_socket(int fd, const struct cfg_forward_bind *b, unsigned backlog)
{
	if (b->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, b->interface, (socklen_t)strlen(b->interface) + 1) < 0)
		return false;
	return bind(fd, &b->addr.sa, b->addr.len) == 0 && (!b->is_stream || listen(fd, (int)backlog) == 0);
}

/* The socket, or -errno. */
static int open_socket(const struct cfg_forward_bind *b, unsigned backlog)
{
	int family = b->addr.sa.sa_family, fd, e;

	if (family == AF_UNIX)
		return b->is_stream ? unix_listen(&b->addr, &b->access, (int)backlog) : unix_receive(&b->addr, &b->access);
	fd = socket(family, (b->is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (b->is_stream)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)); /* a successor opens it, too */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){!b->v4v6}, sizeof(int));
	if (place_socket(fd, b, backlog))
		return fd;
	e = -errno;
	close(fd);
	return e;
}

static bool is_of(const struct source *s, const struct cfg_forward_bind *b)
{
	return s->is_stream == b->is_stream && s->v4v6 == b->v4v6 && !strcmp(s->interface, b->interface ? b->interface : "") &&
	       s->addr.len == b->addr.len && !memcmp(&s->addr.storage, &b->addr.storage, b->addr.len);
}

static struct source *find_source(const struct forward *f, const struct cfg_forward_bind *b)
{
	struct source *s;

	LIST_FOREACH (s, &f->sources, entry)
		if (is_of(s, b))
			return s;
	return NULL;
}

static int add_source(struct forwards *fs, struct forward *f, const struct cfg_forward *c, const struct cfg_forward_bind *b)
{
	struct source *s = calloc(1, sizeof(*s));
	int e;

	if (!s)
		return -ENOMEM;
	s->watched.source = s;
	s->forward = f;
	s->addr = b->addr;
	s->is_stream = b->is_stream;
	s->tls = b->tls;
	s->v4v6 = b->v4v6;
	snprintf(s->interface, sizeof(s->interface), "%s", b->interface ? b->interface : "");
	s->fresh = true;
	s->fd = open_socket(b, c->backlog);
	e = s->fd < 0 ? s->fd : watch(fs, s->fd, &s->watched, EPOLL_CTL_ADD, EPOLLIN) < 0 ? -errno : 0;
	LIST_INSERT_HEAD(&f->sources, s, entry);
	if (s->fd < 0) {
		LIST_REMOVE(s, entry);
		free(s);
	} else if (e) {
		source_free(s);
	}
	return e;
}

static struct forward *get_forward(struct forwards *fs, const char *name)
{
	struct forward *f;

	LIST_FOREACH (f, &fs->list, entry)
		if (!strcmp(f->name, name))
			return f;
	f = calloc(1, sizeof(*f));
	if (!f || !(f->name = strdup(name))) {
		free(f);
		return NULL;
	}
	f->again_ns = NEVER;
	LIST_INSERT_HEAD(&fs->list, f, entry);
	return f;
}

static int set_access(const struct cfg_forward_bind *b)
{
	return b->addr.sa.sa_family == AF_UNIX ? unix_set_access(&b->addr, &b->access) : 0;
}

/* Opens what is missing. */
static bool open_one(struct forwards *fs, const struct cfg_forward *c, char *error, size_t cap)
{
	struct forward *f = get_forward(fs, c->name);
	const struct cfg_forward_bind *b;

	STAILQ_FOREACH (b, &c->binds, next) {
		int e = !f ? -ENOMEM : find_source(f, b) ? set_access(b) : add_source(fs, f, c, b);

		if (!e)
			continue;
		snprintf(error, cap, "%s:%u:%u: cannot receive at this address: %s", b->at.file ? b->at.file : "", b->at.line, b->at.column,
			 strerror(-e));
		return false;
	}
	return true;
}

/* Closes what is not wanted, or what was opened in vain. */
static void prune(struct forwards *fs, bool only_fresh)
{
	struct forward *f, *next_f;
	struct source *s, *next;

	for (f = LIST_FIRST(&fs->list); f; f = next_f) {
		next_f = LIST_NEXT(f, entry);
		for (s = LIST_FIRST(&f->sources); s; s = next) {
			next = LIST_NEXT(s, entry);
			if (only_fresh ? s->fresh : !s->wanted)
				source_free(s);
		}
		if (!f->cfg)
			forward_free(fs, f);
	}
}

bool forwards_sync(struct forwards *fs, const struct cfg *cfg, char *error, size_t cap)
{
	const struct cfg_forward_bind *b;
	const struct cfg_forward *c;
	struct forward *f;
	struct source *s;

	STAILQ_FOREACH (c, &cfg->forwards, next)
		if (!open_one(fs, c, error, cap)) {
			prune(fs, true);
			return false;
		}
	LIST_FOREACH (f, &fs->list, entry) {
		f->cfg = NULL;
		LIST_FOREACH (s, &f->sources, entry)
			s->wanted = s->fresh = false;
	}
	STAILQ_FOREACH (c, &cfg->forwards, next) {
		f = get_forward(fs, c->name);
		if (!f)
			continue; /* it has no address, and there is no memory */
		f->cfg = c;
		accept_again(fs, f); /* maxconn may be another */
		STAILQ_FOREACH (b, &c->binds, next)
			if ((s = find_source(f, b))) {
				s->wanted = true;
				s->tls = b->tls;
				s->accept_proxy = b->accept_proxy;
				s->maxconn = b->maxconn;
			}
	}
	prune(fs, false);
	return true;
}

void forwards_drain(struct forwards *fs, uint64_t now_ns)
{
	struct forward *f;

	LIST_FOREACH (f, &fs->list, entry)
		while (!LIST_EMPTY(&f->sources)) {
			struct source *s = LIST_FIRST(&f->sources);

			if (s->is_stream)
				accept_peers(fs, s, now_ns);
			else
				receive_datagrams(fs, s);
			source_free(s);
		}
}

int forwards_new(struct forwards **ret)
{
	struct forwards *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	LIST_INIT(&fs->list);
	for (int i = 0; i < 3; i++)
		fs->log_fd[i] = -1;
	fs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (fs->epoll_fd < 0) {
		free(fs);
		return -EMFILE;
	}
	*ret = fs;
	return 0;
}

void forwards_free(struct forwards *fs)
{
	if (!fs)
		return;
	while (!LIST_EMPTY(&fs->list))
		forward_free(fs, LIST_FIRST(&fs->list));
	for (int i = 0; i < 3; i++)
		if (fs->log_fd[i] >= 0)
			close(fs->log_fd[i]);
	close(fs->epoll_fd);
	free(fs);
}
