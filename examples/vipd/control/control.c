/* SPDX-License-Identifier: MIT */
#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen_unix.h"
#include "log.h"

#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(14))

struct client {
	LIST_ENTRY(client) entry;
	struct control *control;
	struct loop_source *source;
	int fd;
	struct ucred who;
	bool subscribed, waits, ends; /* waits: for vrrp, before its first line is worked on */
	char in[CONTROL_REQUEST_MAX];
	size_t in_len;
	char *out; /* what is still to be written */
	size_t out_len, out_at;
};

struct control {
	struct supervisor *s;
	LIST_HEAD(, client) clients;
	size_t n;
	struct loop_source *source;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void work(struct client *c);

/* ---- Writing ---- */

static void drop(struct client *c)
{
	fresh_forget(c->control->s, c);
	LIST_REMOVE(c, entry);
	c->control->n--;
	loop_remove(c->source);
	close(c->fd);
	free(c->out);
	free(c);
}

/* Writes what the client takes. False: it is gone. */
static bool flush(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			drop(c);
			return false;
		}
		c->out_at += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_at = 0;
	if (!c->ends)
		return true;
	drop(c);
	return false;
}

/* A line behind what waits; false when that would be more than `limit`. */
static bool append(struct client *c, const char *line, size_t limit)
{
	size_t len = strlen(line), left = c->out_len - c->out_at;
	char *out;

	if (left + len + 1 > limit)
		return false;
	out = malloc(left + len + 1);
	if (!out)
		return false;
	if (left)
		memcpy(out, c->out + c->out_at, left);
	memcpy(out + left, line, len);
	out[left + len] = '\n';
	free(c->out);
	c->out = out;
	c->out_at = 0;
	c->out_len = left + len + 1;
	return true;
}

/* ---- Answers ---- */

void control_fail(struct control_call *c, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
	c->error = error;
}

/* Steals both. */
static void answer(struct client *c, json_t *id, const char *member, json_t *what)
{
	json_t *o = json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", id ? id : json_null(),
			      member, what);
	char *line = o ? json_dumps(o, DUMP_FLAGS) : NULL;

	json_decref(o);
	if (!line || !append(c, line, CONTROL_ANSWER_MAX)) {
		log_err("control socket: an answer is too long, or out of memory");
		c->ends = true;
	}
	free(line);
}

static void answer_error(struct client *c, json_t *id, int code, const char *text)
{
	answer(c, id, "error", json_pack("{s:i, s:s}", "code", code, "message", text));
}

static const char *unknown_param(const struct control_method *m, const json_t *params)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)params, key, value)
	{
		bool known = false;

		for (size_t i = 0; m->params[i] && !known; i++)
			known = !strcmp(key, m->params[i]);
		if (!known)
			return key;
	}
	return NULL;
}

static void call(struct client *c, const struct control_method *m, const json_t *request)
{
	const json_t *params = json_object_get(request, "params");
	json_t *none = params ? NULL : json_object(), *id = json_object_get(request, "id");
	struct control_call k = {
	    .s = c->control->s, .params = params ? params : none, .who = c->who};
	const char *unknown = unknown_param(m, k.params);

	if (!json_is_object(k.params))
		control_fail(&k, CONTROL_NO_PARAMS, "params must be an object");
	else if (unknown)
		control_fail(
		    &k, CONTROL_NO_PARAMS,
		    "%s does not know the parameter \"%.60s\": {\"method\":\"help\"} lists "
		    "what it knows",
		    m->name, unknown);
	else
		m->fn(&k);
	json_decref(none);
	if (!k.error && !k.result)
		control_fail(&k, CONTROL_INTERNAL, "out of memory");
	if (k.error) {
		json_decref(k.result);
		answer_error(c, json_incref(id), k.error, k.text);
	} else {
		answer(c, json_incref(id), "result", k.result);
		c->subscribed |= k.subscribe;
	}
}

static void on_fresh(struct supervisor *s, void *userdata)
{
	work(userdata);
}

/* One line. False: it waits for vrrp, and is worked on again then. */
static bool take(struct client *c, const char *line, size_t len)
{
	const struct control_method *m;
	json_error_t e;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	const char *name = json_string_value(json_object_get(request, "method"));
	bool taken = true;

	m = name ? control_method_find(name) : NULL;
	if (!request) {
		char text[256];

		snprintf(text, sizeof(text), "not JSON, at column %d: %.150s", e.column, e.text);
		answer_error(c, NULL, CONTROL_NO_JSON, text);
	} else if (!name) {
		answer_error(c, NULL, CONTROL_NO_REQUEST,
			     "a request is an object like {\"method\":\"status\"}");
	} else if (!m) {
		answer_error(c, json_incref(json_object_get(request, "id")), CONTROL_NO_METHOD,
			     "no such method: {\"method\":\"help\"} lists them");
	} else if (m->fresh && !c->waits) {
		c->waits = true;
		taken = false;
	} else {
		c->waits = false;
		call(c, m, request);
	}
	json_decref(request);
	return taken;
}

/* Line by line; who does not read its answers, and who waits, is not listened to meanwhile. */
static void work(struct client *c)
{
	for (;;) {
		char *end;
		size_t len;

		if (c->out && !flush(c))
			return;
		end = c->out ? NULL : memchr(c->in, '\n', c->in_len);
		if (!end)
			break;
		len = (size_t)(end - c->in);
		if (!take(c, c->in, len)) {
			loop_set_events(c->source, 0);
			fresh_ask(c->control->s, on_fresh, c); /* may come back here at once */
			return;
		}
		c->in_len -= len + 1;
		memmove(c->in, end + 1, c->in_len);
	}
	if (!c->out && c->in_len == sizeof(c->in)) {
		answer_error(c, NULL, CONTROL_NO_REQUEST, "a request is longer than 4096 bytes");
		c->ends = true;
		if (!flush(c))
			return;
	}
	loop_set_events(c->source, c->out ? EPOLLOUT : EPOLLIN);
}

/* ---- Clients ---- */

static void on_client(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct client *c = userdata;
	ssize_t n = 0;

	if (!(events & (EPOLLHUP | EPOLLERR))) {
		if (c->waits)
			return;
		if (c->out) {
			work(c);
			return;
		}
		n = recv(fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
	}
	if (n <= 0) {
		drop(c);
		return;
	}
	c->in_len += (size_t)n;
	work(c);
}

static void refuse(int fd)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":2,"
				   "\"message\":\"too many clients: close one\"}}\n";

	if (send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control socket: %s", strerror(errno));
	close(fd);
}

static void on_connect(struct loop *l, int fd, uint32_t events, void *userdata)
{
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct control *control = userdata;
	struct client *c;

	if (client < 0)
		return;
	c = control->n < CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		refuse(client);
		return;
	}
	c->control = control;
	c->fd = client;
	getsockopt(client, SOL_SOCKET, SO_PEERCRED, &c->who, &(socklen_t){sizeof(c->who)});
	if (loop_add_fd(l, client, EPOLLIN, on_client, c, &c->source) < 0) {
		close(client);
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&control->clients, c, entry);
	control->n++;
}

/*
 * Who does not keep up is cut off. Nothing is written and nobody dropped here: an event may come from
 * inside a client's own call.
 */
static void on_event(void *userdata, const char *event)
{
	struct control *control = userdata;
	struct client *c;
	char *line = NULL;

	LIST_FOREACH (c, &control->clients, entry) {
		if (!c->subscribed)
			continue;
		if (!line &&
		    asprintf(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":%s}",
			     event) < 0)
			return;
		if (!append(c, line, CONTROL_BACKLOG_MAX))
			shutdown(c->fd, SHUT_RDWR);
		else if (!c->waits)
			loop_set_events(c->source, EPOLLOUT);
	}
	free(line);
}

/* ---- The socket ---- */

int control_open(struct supervisor *s, const char *path, struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	LIST_INIT(&c->clients);
	c->s = s;
	r = listen_unix(path, CONTROL_CLIENTS_MAX);
	if (r >= 0) {
		strcpy(c->path, path);
		c->fd = r;
		r = loop_add_fd(s->loop, c->fd, EPOLLIN, on_connect, c, &c->source);
	}
	if (r < 0) {
		log_warn("cannot open the control socket %s: %s. Name another one with "
			 "--control=FILE, or none with --control=none",
			 path, strerror(-r));
		free(c);
		return r;
	}
	s->events.fn = on_event;
	s->events.userdata = c;
	*ret = c;
	return 0;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	c->s->events.fn = NULL;
	while (!LIST_EMPTY(&c->clients))
		drop(LIST_FIRST(&c->clients));
	loop_remove(c->source);
	close(c->fd);
	unlink(c->path);
	free(c);
}
