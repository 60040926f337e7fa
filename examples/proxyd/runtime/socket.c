/* SPDX-License-Identifier: MIT */
/* Stats sockets: opened, kept over a reload, accepting while there is room. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "engine/unix_socket.h"

#define BACKLOG 16
#define RETRY_NS UINT64_C(100000000) /* after EMFILE */

struct socket {
	LIST_ENTRY(socket) entry;
	struct runtime *runtime;
	char *text;
	int fd;
	enum cfg_stats_level level;
	enum cfg_severity severity;
	bool master, exposes, wanted, accepting;
	char *path; /* to be removed at the end; NULL: none */
	struct unix_file file;
	struct loop_source *source;
};

static void keep_spare(struct runtime *r)
{
	if (r->spare_fd < 0)
		r->spare_fd = eventfd(0, EFD_CLOEXEC);
}

/* Who comes waits in the queue. */
static void pause_accepting(struct socket *s)
{
	s->accepting = false;
	loop_set_events(s->source, 0);
}

static void resume_accepting(struct runtime *r)
{
	struct socket *s;

	LIST_FOREACH (s, &r->sockets, entry)
		if (s->source && !s->accepting) {
			s->accepting = true;
			loop_set_events(s->source, EPOLLIN);
		}
}

void runtime_conn_ended(struct runtime *r)
{
	keep_spare(r);
	resume_accepting(r);
}

void runtime_list_sockets(const struct runtime *r, struct out *o)
{
	const struct socket *s;

	LIST_FOREACH (s, &r->sockets, entry)
		if (!s->master)
			out_printf(o, "%s%s %s all\n", *s->text == '/' ? "unix@" : "", s->text,
				   runtime_level_name(s->level));
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static int accept_client(struct runtime *r, int fd)
{
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (client >= 0 || !is_shortage(errno) || r->spare_fd < 0)
		return client;
	close(r->spare_fd);
	r->spare_fd = -1;
	return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void on_retry(struct loop *l, void *userdata)
{
	(void)l;
	keep_spare(userdata);
	resume_accepting(userdata);
}

static void on_accept(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct socket *s = userdata;
	struct runtime *r = s->runtime;
	int client;

	if (r->n_conns >= r->max_conns) { /* until one has ended */
		pause_accepting(s);
		return;
	}
	client = accept_client(r, fd);
	if (client < 0) {
		if (is_shortage(errno)) {
			pause_accepting(s);
			loop_arm(r->retry, loop_now_ns(l) + RETRY_NS);
		}
		return;
	}
	conn_start(r, client, s->level, s->severity, s->exposes, s->master);
}

static int open_inet(const struct cfg_stats_socket *s)
{
	int fd = socket(s->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
	if (bind(fd, &s->addr.sa, s->addr.len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	e = -errno;
	close(fd);
	return e;
}

static int open_socket(const struct cfg_stats_socket *s)
{
	int fd;

	if (s->inherited_fd >= 0) {
		fd = fcntl(s->inherited_fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
			return -errno;
		return fd;
	}
	if (s->addr.sa.sa_family != AF_UNIX)
		return open_inet(s);
	unix_keep(s->addr.unix_path.sun_path);
	fd = unix_listen(&s->addr, &s->access, BACKLOG);
	if (fd < 0)
		unix_settle(s->addr.unix_path.sun_path);
	return fd;
}

static void socket_free(struct socket *s)
{
	LIST_REMOVE(s, entry);
	s->runtime->n_sockets--;
	loop_remove(s->source);
	if (s->fd >= 0)
		close(s->fd);
	if (s->path)
		unix_remove(s->path, &s->file);
	free(s->path);
	free(s->text);
	free(s);
}

static int join(struct runtime *r, struct socket *s)
{
	s->accepting = true;
	if (s->path)
		unix_settle(s->path);
	return loop_add_fd(r->loop, s->fd, EPOLLIN, on_accept, s, &s->source);
}

static bool add_socket(struct runtime *r, const struct cfg_stats_socket *c, bool master, char *ret_error, size_t cap)
{
	struct socket *s = r->n_sockets < RUNTIME_SOCKETS_MAX ? calloc(1, sizeof(*s)) : NULL;
	int e = s ? 0 : -ENOMEM;

	if (s) {
		s->runtime = r;
		s->level = c->level;
		s->severity = c->severity;
		s->exposes = c->exposes;
		s->master = master;
		s->wanted = true;
		s->text = strdup(c->text);
		s->fd = open_socket(c);
		if (c->inherited_fd < 0 && c->addr.sa.sa_family == AF_UNIX && s->fd >= 0)
			s->path = strdup(c->addr.unix_path.sun_path);
		if (s->path)
			unix_remember(s->path, &s->file);
		LIST_INSERT_HEAD(&r->sockets, s, entry);
		r->n_sockets++;
		e = s->fd < 0 ? s->fd : s->text ? 0 : -ENOMEM;
		if (!e && r->loop)
			e = join(r, s);
	}
	if (!e)
		return true;
	if (s)
		socket_free(s);
	snprintf(ret_error, cap, "%s:%u:%u: cannot open the stats socket %s: %s", c->at.file ? c->at.file : "-S",
		 c->at.line, c->at.column, c->text, strerror(-e));
	return false;
}

bool runtime_open_master(struct runtime *r, const char *address, char *ret_error, size_t cap)
{
	struct cfg_stats_socket s = {
	    .text = address,
	    .inherited_fd = -1,
	    .level = CFG_STATS_ADMIN,
	    .access = {.mode = 0600, .uid = -1, .gid = -1},
	};
	const char *path = !strncmp(address, "unix@", 5) ? address + 5 : address;
	size_t len = strcspn(path, ","); /* ",mode,600 …": ours is the strictest already */
	char *end;

	if (!strncmp(address, "fd@", 3)) {
		s.inherited_fd = (int)strtol(address + 3, &end, 10);
		if (end == address + 3 || (*end && *end != ',') || s.inherited_fd < 0)
			s.inherited_fd = -1;
	}
	if (s.inherited_fd < 0 && (*path != '/' || len >= sizeof(s.addr.unix_path.sun_path))) {
		snprintf(ret_error, cap, "-S %s: write the path of a unix socket, or fd@N", address);
		return false;
	}
	if (s.inherited_fd < 0) {
		s.addr.unix_path.sun_family = AF_UNIX;
		memcpy(s.addr.unix_path.sun_path, path, len);
		s.addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	}
	return add_socket(r, &s, true, ret_error, cap);
}

static struct socket *find(const struct runtime *r, const char *text)
{
	struct socket *s;

	LIST_FOREACH (s, &r->sockets, entry)
		if (!s->master && !strcmp(s->text, text))
			return s;
	return NULL;
}

bool runtime_apply(struct runtime *r, const struct cfg *cfg, char *ret_error, size_t cap)
{
	const struct cfg_stats_socket *c;
	struct socket *s, *next;
	bool ok = true;

	r->max_conns = cfg->global.stats_maxconn ? cfg->global.stats_maxconn : RUNTIME_CONNECTIONS;
	r->timeout_ns = cfg->global.stats_timeout_ns ? cfg->global.stats_timeout_ns : RUNTIME_TIMEOUT_NS;
	LIST_FOREACH (s, &r->sockets, entry)
		s->wanted = s->master;
	STAILQ_FOREACH (c, &cfg->global.stats_sockets, next) {
		s = find(r, c->text);
		if (s) {
			s->wanted = true;
			s->level = c->level;
			s->severity = c->severity;
			s->exposes = c->exposes;
		} else {
			ok &= add_socket(r, c, false, ret_error, cap);
		}
	}
	for (s = LIST_FIRST(&r->sockets); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (!s->wanted)
			socket_free(s);
	}
	return ok;
}

int runtime_join(struct runtime *r, struct loop *l)
{
	struct socket *s;
	int e;

	r->loop = l;
	keep_spare(r);
	e = loop_add_timer(l, on_retry, r, &r->retry);
	LIST_FOREACH (s, &r->sockets, entry)
		if (!e)
			e = join(r, s);
	return e;
}

int runtime_new(const struct runtime_opts *o, struct runtime **ret)
{
	struct runtime *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->opts = *o;
	r->max_conns = RUNTIME_CONNECTIONS;
	r->timeout_ns = RUNTIME_TIMEOUT_NS;
	r->spare_fd = -1;
	LIST_INIT(&r->sockets);
	LIST_INIT(&r->conns);
	*ret = r;
	return 0;
}

void runtime_free(struct runtime *r)
{
	if (!r)
		return;
	while (!LIST_EMPTY(&r->conns))
		conn_free(LIST_FIRST(&r->conns));
	while (!LIST_EMPTY(&r->sockets))
		socket_free(LIST_FIRST(&r->sockets));
	if (r->spare_fd >= 0)
		close(r->spare_fd);
	free(r);
}
