/* SPDX-License-Identifier: MIT */
/* A client of a stats socket: its lines in, the answers out. */
#include "conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "engine/objects.h"

#define STOP_READS_MAX 16 /* of who sends to stop; what comes behind them is commands */
#define FOLLOW_NS UINT64_C(100000000)
#define UNSENT_MAX (1u << 20) /* bytes: a client that takes nothing is sent nothing more */

struct runtime_conn {
	LIST_ENTRY(runtime_conn) entry;
	struct runtime *runtime;
	uint64_t id;
	int fd;
	enum cfg_stats_level level;
	enum cfg_severity severity;
	bool timed, exposes;
	bool master, prompt, stays, eof, closing, waiting; /* stays: after a line, without a prompt too */
	bool had_line;
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

void conn_free(struct runtime_conn *c)
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
	runtime_conn_ended(r);
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

		runtime_run(&call, &command);
		if (!c->waiting && !c->closing)
			end_answer(c);
	}
	if (c->waiting)
		return;
	forget_line(c);
	c->had_line = true;
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

/* Without a prompt one line is run, and those that came with it, as HAProxy does. */
static bool ends_here(const struct runtime_conn *c)
{
	return c->had_line && !c->prompt && !c->stays && !c->waiting && !c->payload;
}

/* Whole lines of the input; at its end, the last one without an end too. */
static void take_lines(struct runtime_conn *c)
{
	size_t at = 0;

	while (!c->closing && !c->waiting && c->out.len - c->sent < UNSENT_MAX) {
		char *end = memchr(c->in + at, '\n', c->in_len - at);
		size_t len = end ? (size_t)(end - c->in) - at : c->in_len - at;
		size_t text = len && c->in[at + len - 1] == '\r' ? len - 1 : len;

		if (!end && (!(c->eof && len) || ends_here(c)))
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
	if (ends_here(c) && !memchr(c->in, '\n', c->in_len))
		c->closing = true;
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

int runtime_exposing_fd(const struct runtime_conn *c)
{
	return c->exposes ? c->fd : -1;
}

bool runtime_is_master(const struct runtime_conn *c)
{
	return c->master;
}

void runtime_reload(struct call *c)
{
	c->r->opts.reload(c->r->opts.userdata);
}

const char *runtime_level_name(enum cfg_stats_level level)
{
	static const char *const name[] = {"user", "operator", "admin"};

	return name[level];
}

/* ---- Its beginning ---- */

void conn_start(struct runtime *r, int fd, enum cfg_stats_level level, enum cfg_severity severity, bool exposes, bool master)
{
	struct runtime_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->runtime = r;
	c->id = ++r->last_id;
	c->fd = fd;
	c->level = level;
	c->severity = severity;
	c->exposes = exposes;
	c->master = master;
	c->timeout_ns = r->timeout_ns;
	c->events = EPOLLIN;
	LIST_INSERT_HEAD(&r->conns, c, entry);
	r->n_conns++;
	if (loop_add_timer(r->loop, on_timeout, c, &c->timer) < 0 ||
	    loop_add_fd(r->loop, fd, EPOLLIN, on_conn, c, &c->source) < 0) {
		conn_free(c);
		return;
	}
	watch(c);
}
