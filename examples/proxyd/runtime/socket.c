/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/queue.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/objects.h"
#include "engine/unix_socket.h"
#include "log.h"

#define BACKLOG 16
#define STOP_READS_MAX 16 /* of who sends to stop; what comes behind them is commands */
#define FOLLOW_NS UINT64_C(100000000)
#define RETRY_NS UINT64_C(100000000) /* after EMFILE */
#define UNSENT_MAX (1u << 20) /* bytes: a client that takes nothing is sent nothing more */

struct socket {
	LIST_ENTRY(socket) entry;
	struct runtime *runtime;
	char *text;
	int fd;
	enum cfg_stats_level level;
	enum cfg_severity severity;
	bool master, wanted, accepting;
	char *path; /* to be removed at the end; NULL: none */
	struct unix_file file;
	struct loop_source *source;
};

struct runtime_conn {
	LIST_ENTRY(runtime_conn) entry;
	struct runtime *runtime;
	uint64_t id;
	int fd;
	enum cfg_stats_level level;
	enum cfg_severity severity;
	bool timed;
	bool master, prompt, stays, eof, closing, waiting; /* stays: after a line, without a prompt too */
	uint64_t timeout_ns;
	struct loop_source *source, *timer;
	uint32_t events; /* that the loop is asked for */
	char *rest;	 /* of the line at hand: commands not run yet, in `line` */
	char *line;	 /* NULL: none */
	size_t line_len;
	char *payload;	 /* what has come of it; NULL: none is awaited */
	char payload_end[LINE_PATTERN_MAX + 1]; /* the line that ends it */
	struct {
		runtime_more *more; /* NULL: the answer does not go on */
		void (*end)(void *arg);
		void *arg;
		uint64_t until_ns; /* 0: until the client sends something */
	} follow;
	size_t payload_len, payload_cap;
	struct out out;
	size_t sent;
	size_t in_len;
	char in[LINE_MAX_BYTES];
};

struct runtime {
	struct runtime_opts opts;
	struct loop *loop; /* NULL: not joined yet */
	LIST_HEAD(, socket) sockets;
	LIST_HEAD(, runtime_conn) conns;
	unsigned n_sockets, n_conns, max_conns;
	uint64_t timeout_ns, last_id;
	int spare_fd; /* given up when no other is left, so that an operator gets in; -1: in use */
	struct loop_source *retry;
};

/* ---- Sending ---- */

/* With its payload; there may be a private key in either. */
static void forget_line(struct runtime_conn *c)
{
	if (c->line)
		explicit_bzero(c->line, c->line_len);
	if (c->payload)
		explicit_bzero(c->payload, c->payload_cap);
	free(c->line);
	free(c->payload);
	c->line = c->rest = c->payload = NULL;
	c->payload_len = c->payload_cap = 0;
}

static void end_follow(struct runtime_conn *c)
{
	if (c->follow.more)
		c->follow.end(c->follow.arg);
	c->follow.more = NULL;
	c->follow.until_ns = 0;
}

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

static void conn_free(struct runtime_conn *c)
{
	struct runtime *r = c->runtime;

	end_follow(c);
	LIST_REMOVE(c, entry);
	r->n_conns--;
	loop_remove(c->source);
	loop_remove(c->timer);
	close(c->fd);
	forget_line(c);
	explicit_bzero(c->in, sizeof(c->in));
	out_free(&c->out);
	free(c);
	keep_spare(r);
	resume_accepting(r);
}

/* Sends what there is. False: the connection is gone. */
static bool flush(struct runtime_conn *c)
{
	ssize_t n = 0;

	while (c->sent < c->out.len) {
		n = send(c->fd, c->out.at + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_free(c);
		return false;
	}
	if (c->sent < c->out.len)
		return true;
	c->sent = c->out.len = 0;
	if (c->out.failed || (c->closing && !c->waiting)) {
		conn_free(c);
		return false;
	}
	return true;
}

/* Reads on only when the last line is answered: who sends faster than that waits. */
static void watch(struct runtime_conn *c)
{
	bool follows = c->follow.more && !c->follow.until_ns;
	bool reads = !c->eof && !c->closing && (!c->waiting || follows);
	uint32_t events = (c->out.len ? EPOLLOUT : 0) | (reads ? EPOLLIN : 0);
	uint64_t now_ns = loop_now_ns(c->runtime->loop), next_ns = now_ns + FOLLOW_NS;

	if (events != c->events)
		loop_set_events(c->source, events);
	c->events = events;
	if (c->follow.until_ns && c->follow.until_ns < next_ns)
		next_ns = c->follow.until_ns;
	loop_arm(c->timer, c->follow.more ? next_ns : c->waiting ? LOOP_NEVER : now_ns + c->timeout_ns);
}

/* ---- Running ---- */

static void end_answer(struct runtime_conn *c)
{
	uint64_t up_s = (loop_now_ns(c->runtime->loop) - c->runtime->opts.engine->started_ns) / 1000000000;

	if (c->prompt && c->timed)
		out_printf(&c->out, "\n%s[%llu:%02u:%02u:%02u]> ", c->master ? "master" : "", (unsigned long long)(up_s / 86400),
			   (unsigned)(up_s / 3600 % 24), (unsigned)(up_s / 60 % 60), (unsigned)(up_s % 60));
	else
		out_text(&c->out, c->prompt ? (c->master ? "\nmaster> " : "\n> ") : "\n");
}

/* The commands of the line at hand, until it is empty or one must wait. */
static void run_line(struct runtime_conn *c)
{
	struct line_command command;

	while (!c->waiting && !c->closing && line_next(&c->rest, &command)) {
		struct call call = {
		    .r = c->runtime,
		    .conn = c,
		    .e = c->runtime->opts.engine,
		    .payload = c->payload,
		    .level = c->level,
		    .now_ns = loop_now_ns(c->runtime->loop),
		    .out = &c->out,
		};

		if (!command.n && c->line[0] && !c->prompt)
			continue;
		runtime_run(&call, &command);
		if (!c->waiting)
			end_answer(c);
	}
	if (c->waiting)
		return;
	forget_line(c);
	if (!c->prompt && !c->stays)
		c->closing = true; /* one line is all that is run without a prompt */
}

/* Room for `more` bytes, a line end and the end of the text. False: no memory. */
static bool grow_payload(struct runtime_conn *c, size_t more)
{
	size_t cap = c->payload_cap ? c->payload_cap : 4096;
	char *bigger;

	while (cap < c->payload_len + more + 2)
		cap *= 2;
	if (cap == c->payload_cap)
		return true;
	bigger = calloc(1, cap);
	if (!bigger)
		return false;
	if (c->payload) {
		memcpy(bigger, c->payload, c->payload_len);
		explicit_bzero(c->payload, c->payload_cap);
		free(c->payload);
	}
	c->payload = bigger;
	c->payload_cap = cap;
	return true;
}

static void begin_line(struct runtime_conn *c, const char *text, size_t len)
{
	c->line = malloc(len + 1);
	if (!c->line) {
		c->closing = true;
		return;
	}
	memcpy(c->line, text, len);
	c->line[len] = '\0';
	c->line_len = len;
	c->rest = c->line;
	if (line_has_payload(c->line, c->payload_end)) {
		c->closing = !grow_payload(c, 0);
		return;
	}
	run_line(c);
}

/* A line of the payload, or the one that ends it. */
static void take_payload(struct runtime_conn *c, const char *text, size_t len)
{
	if (len == strlen(c->payload_end) && !memcmp(text, c->payload_end, len)) {
		run_line(c);
		return;
	}
	if (len + 1 > PAYLOAD_MAX_BYTES - c->payload_len) {
		out_printf(&c->out, "The payload is larger than %u bytes.\n\n", PAYLOAD_MAX_BYTES);
		c->closing = true;
		return;
	}
	if (!grow_payload(c, len)) {
		out_text(&c->out, "There is not memory enough.\n\n");
		c->closing = true;
		return;
	}
	memcpy(c->payload + c->payload_len, text, len);
	c->payload[c->payload_len + len] = '\n';
	c->payload_len += len + 1;
}

/* Whole lines of the input; at its end, the last one without an end too. */
static void take_lines(struct runtime_conn *c)
{
	size_t at = 0;

	while (!c->closing && !c->waiting && c->out.len - c->sent < UNSENT_MAX) {
		char *end = memchr(c->in + at, '\n', c->in_len - at);
		size_t len = end ? (size_t)(end - c->in) - at : c->in_len - at;
		size_t text = len && c->in[at + len - 1] == '\r' ? len - 1 : len;

		if (!end && !(c->eof && len))
			break;
		if (memchr(c->in + at, '\0', text)) { /* no command has one */
			c->closing = true;
			break;
		}
		if (c->payload)
			take_payload(c, c->in + at, text);
		else
			begin_line(c, c->in + at, text);
		at += len + (end != NULL);
		if (!end)
			break;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	if (c->in_len == sizeof(c->in)) {
		out_printf(&c->out, "The line is longer than %d bytes.\n\n", LINE_MAX_BYTES);
		c->closing = true;
	}
	if (c->eof && !c->waiting)
		c->closing = true;
}

static void go_on(struct runtime_conn *c)
{
	take_lines(c);
	if (flush(c))
		watch(c);
}

/* The client sent something, which is no command, or it has gone; or there is nothing to follow any more. */
static void stop_following(struct runtime_conn *c)
{
	char rest[4096];

	for (int i = 0; !c->follow.until_ns && i < STOP_READS_MAX && recv(c->fd, rest, sizeof(rest), 0) > 0; i++)
		;
	end_follow(c);
	c->waiting = false;
	end_answer(c);
	run_line(c);
	go_on(c);
}

static void on_conn(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct runtime_conn *c = userdata;
	ssize_t n;

	if (c->follow.more && events & ~(uint32_t)EPOLLOUT) {
		if (c->follow.until_ns) /* it has gone: what it wanted to be done later is not done now */
			conn_free(c);
		else
			stop_following(c);
		return;
	}
	if (!(events & ~(uint32_t)EPOLLOUT) && c->out.len) {
		go_on(c);
		return;
	}
	n = recv(fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n > 0)
		c->in_len += (size_t)n;
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR) {
		conn_free(c);
		return;
	}
	go_on(c);
}

static void on_timeout(struct loop *l, void *userdata)
{
	struct runtime_conn *c = userdata;

	if (!c->follow.more)
		conn_free(c);
	else if (c->out.len - c->sent < UNSENT_MAX && !c->follow.more(c->follow.arg, &c->out))
		stop_following(c);
	else if (flush(c))
		watch(c);
}

/* ---- What commands say ---- */

/* The first thing that is said tells how serious it is. */
__attribute__((format(printf, 3, 0))) static void say(struct call *c, int level, const char *format, va_list args)
{
	static const char *const name[] = {"emergency", "alert", "critical", "err", "warning", "notice", "info", "debug"};
	char text[2048];

	if (!c->ranked && level >= 0 && c->conn->severity == CFG_SEVERITY_NUMBER)
		out_printf(c->out, "[%d]: ", level);
	else if (!c->ranked && level >= 0 && c->conn->severity == CFG_SEVERITY_STRING)
		out_printf(c->out, "[%s]: ", name[level]);
	c->ranked = true;
	if (vsnprintf(text, sizeof(text), format, args) > 0)
		out_text(c->out, text);
}

void call_say(struct call *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, LOG_ERR, format, args);
	va_end(args);
}

void call_note(struct call *c, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, level, format, args);
	va_end(args);
}

const char *call_word(const struct call *c, size_t i)
{
	return i < c->n ? c->word[i] : "";
}

void call_wait(struct call *c)
{
	c->conn->waiting = true;
}

uint64_t call_id(const struct call *c)
{
	return c->conn->id;
}

void runtime_follow(struct call *c, runtime_more *more, void (*end)(void *arg), void *arg)
{
	c->conn->follow.more = more;
	c->conn->follow.end = end;
	c->conn->follow.arg = arg;
	c->conn->waiting = true;
}

struct loop *runtime_wait(struct call *c, uint64_t until_ns, runtime_more *more, void (*end)(void *arg), void *arg)
{
	runtime_follow(c, more, end, arg);
	c->conn->follow.until_ns = until_ns;
	return c->r->loop;
}

void runtime_resume(struct runtime *r, uint64_t id, const char *text, size_t len)
{
	struct runtime_conn *c;

	LIST_FOREACH (c, &r->conns, entry)
		if (c->id == id)
			break;
	if (!c)
		return;
	out_put(&c->out, text, len);
	c->waiting = false;
	end_answer(c);
	run_line(c);
	go_on(c);
}

void runtime_set_level(struct runtime_conn *c, enum cfg_stats_level level)
{
	c->level = level;
}

void runtime_set_severity(struct runtime_conn *c, enum cfg_severity severity)
{
	c->severity = severity;
}

void runtime_set_timed(struct runtime_conn *c, bool timed)
{
	c->timed = timed;
}

bool runtime_is_timed(const struct runtime_conn *c)
{
	return c->timed;
}

void runtime_set_prompt(struct runtime_conn *c, bool prompt)
{
	c->prompt = c->stays = prompt;
}

bool runtime_has_prompt(const struct runtime_conn *c)
{
	return c->prompt;
}

void runtime_set_interactive(struct runtime_conn *c, bool interactive)
{
	c->stays = interactive;
}

const char *runtime_startup_logs(const struct call *c)
{
	return c->r->opts.startup_logs ? c->r->opts.startup_logs() : "";
}

void runtime_quit(struct runtime_conn *c)
{
	c->closing = true;
}

void runtime_set_timeout(struct runtime_conn *c, uint64_t timeout_ns)
{
	c->timeout_ns = timeout_ns;
}

bool runtime_is_master(const struct runtime_conn *c)
{
	return c->master;
}

const char *runtime_level_name(enum cfg_stats_level level)
{
	static const char *const name[] = {"user", "operator", "admin"};

	return name[level];
}

void runtime_list_sockets(const struct runtime *r, struct out *o)
{
	const struct socket *s;

	LIST_FOREACH (s, &r->sockets, entry)
		if (!s->master)
			out_printf(o, "%s%s %s all\n", *s->text == '/' ? "unix@" : "", s->text,
				   runtime_level_name(s->level));
}

/* ---- Sockets ---- */

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
	struct runtime_conn *c;
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
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(client);
		return;
	}
	c->runtime = r;
	c->id = ++r->last_id;
	c->fd = client;
	c->level = s->level;
	c->severity = s->severity;
	c->master = s->master;
	c->timeout_ns = r->timeout_ns;
	c->events = EPOLLIN;
	LIST_INSERT_HEAD(&r->conns, c, entry);
	r->n_conns++;
	if (loop_add_timer(l, on_timeout, c, &c->timer) < 0 ||
	    loop_add_fd(l, client, EPOLLIN, on_conn, c, &c->source) < 0) {
		conn_free(c);
		return;
	}
	watch(c);
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

void runtime_reload(struct call *c)
{
	c->r->opts.reload(c->r->opts.userdata);
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
