/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64u << 20) /* the daemon's limit of an answer */
#define ANSWER_MS 10000

struct waiting {
	STAILQ_ENTRY(waiting) entry;
	json_t *event;
};

struct client {
	int fd;
	char *in;
	size_t len, cap;
	STAILQ_HEAD(, waiting) events; /* that came before an answer */
};

/* Sockets of other vipd on this host, by the names that pid files of theirs have. */
static void say_others(const char *path)
{
	static const char *const pattern[] = {"/run/keepalived*.sock", "/run/keepalived/*.sock",
					      "/run/vipd*.sock"};
	glob_t found = {0};
	const char *title = "lbctl: there is";

	for (size_t i = 0; i < sizeof(pattern) / sizeof(*pattern); i++)
		glob(pattern[i], i ? GLOB_APPEND : 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (strcmp(found.gl_pathv[i], path) != 0) {
			fprintf(stderr, "%s -s %s", title, found.gl_pathv[i]);
			title = ",";
		}
	if (*title == ',')
		fputc('\n', stderr);
	globfree(&found);
}

static void say_unreachable(const char *path, int error)
{
	const char *todo = "";

	if (error == EACCES)
		todo = ". The socket is root's: sudo lbctl";
	else if (error == ENOENT)
		todo = ". Does vipd run? systemctl status vipd tells. Its socket is beside its pid "
		       "file, "
		       "with .sock for .pid: name it with -s";
	else if (error == ECONNREFUSED)
		todo = ". The socket was left by a vipd that is dead: systemctl start vipd";
	fprintf(stderr, "lbctl: cannot connect to %s: %s%s\n", path, strerror(error), todo);
	if (error == ENOENT || error == ECONNREFUSED)
		say_others(path);
}

struct client *client_open(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct client *c = calloc(1, sizeof(*c));
	int error = 0;

	if (!c)
		return NULL;
	STAILQ_INIT(&c->events);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(path) >= sizeof(to.sun_path))
		error = ENAMETOOLONG;
	else
		strcpy(to.sun_path, path);
	if (!error && connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		error = errno;
	if (!error)
		return c;
	say_unreachable(path, error);
	client_close(c);
	return NULL;
}

void client_close(struct client *c)
{
	struct waiting *w;

	if (!c)
		return;
	while ((w = STAILQ_FIRST(&c->events))) {
		STAILQ_REMOVE_HEAD(&c->events, entry);
		json_decref(w->event);
		free(w);
	}
	if (c->fd >= 0)
		close(c->fd);
	free(c->in);
	free(c);
}

/* More bytes. 0: time is over; -1: the connection ended. */
static int read_more(struct client *c, int timeout_ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	ssize_t n;
	int r = poll(&p, 1, timeout_ms);

	if (r <= 0)
		return r < 0 && errno != EINTR ? -1 : 0;
	if (c->len == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 65536;
		char *in = cap <= 2 * LINE_MAX_BYTES ? realloc(c->in, cap) : NULL;

		if (!in)
			return -1;
		c->in = in;
		c->cap = cap;
	}
	n = recv(c->fd, c->in + c->len, c->cap - c->len, 0);
	if (n <= 0)
		return -1;
	c->len += (size_t)n;
	return 1;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static json_t *next_message(struct client *c, int timeout_ms, int *ret_ended)
{
	long until = now_ms() + timeout_ms;
	size_t seen = 0;

	*ret_ended = 0;
	for (;;) {
		char *end = c->len > seen ? memchr(c->in + seen, '\n', c->len - seen) : NULL;
		long left = until - now_ms();
		int r;

		if (end) {
			size_t len = (size_t)(end - c->in);
			json_t *m = json_loadb(c->in, len, 0, NULL);

			c->len -= len + 1;
			memmove(c->in, end + 1, c->len);
			*ret_ended = !m;
			return m;
		}
		seen = c->len;
		r = read_more(c, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
		*ret_ended = r < 0;
		if (r < 0 || (!r && timeout_ms >= 0))
			return NULL;
	}
}

static int send_all(struct client *c, const char *line)
{
	size_t len = strlen(line);

	while (len) {
		ssize_t n = send(c->fd, line, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		line += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(struct client *c, const char *method, json_t *params)
{
	json_t *o = json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", 1, "method", method);
	char *line;
	int r = -1;

	if (params)
		json_object_set_new(o, "params", params);
	line = json_dumps(o, JSON_COMPACT);
	if (line)
		r = send_all(c, line) < 0 ? -1 : send_all(c, "\n");
	free(line);
	json_decref(o);
	return r;
}

/* An event that comes before the answer waits for client_event. */
static void keep_event(struct client *c, json_t *message)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return;
	w->event = json_incref(json_object_get(message, "params"));
	STAILQ_INSERT_TAIL(&c->events, w, entry);
}

json_t *client_call(struct client *c, const char *method, json_t *params, int *ret_code,
		    char *ret_text)
{
	json_t *m = NULL, *result, *error;
	int ended = send_request(c, method, params) < 0;

	*ret_code = 0;
	snprintf(ret_text, 256, "vipd does not answer");
	while (!ended && (m = next_message(c, ANSWER_MS, &ended)) && json_object_get(m, "method")) {
		keep_event(c, m);
		json_decref(m);
		m = NULL;
	}
	result = json_incref(json_object_get(m, "result"));
	error = json_object_get(m, "error");
	if (error) {
		const char *text = json_string_value(json_object_get(error, "message"));

		*ret_code = (int)json_integer_value(json_object_get(error, "code"));
		snprintf(ret_text, 256, "%s", text ? text : "?");
	}
	json_decref(m);
	return result;
}

json_t *client_event(struct client *c, int timeout_ms, int *ret_ended)
{
	struct waiting *w = STAILQ_FIRST(&c->events);
	json_t *m, *event;

	*ret_ended = 0;
	if (w) {
		STAILQ_REMOVE_HEAD(&c->events, entry);
		event = w->event;
		free(w);
		return event;
	}
	m = next_message(c, timeout_ms, ret_ended);
	event = json_incref(json_object_get(m, "params"));
	json_decref(m);
	return event;
}
