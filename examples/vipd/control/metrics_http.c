/* SPDX-License-Identifier: MIT */
/* Just enough HTTP for one resource: a request is read, answered, and the connection closed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen_unix.h"
#include "log.h"
#include "control/metrics.h"

#define CLIENTS_MAX 8
#define REQUEST_MAX 2048
#define PATIENCE_NS UINT64_C(10000000000) /* for request and answer together */

struct client {
	LIST_ENTRY(client) entry;
	struct metrics_server *server;
	struct loop_source *source, *timer;
	int fd;
	bool asked;
	char in[REQUEST_MAX];
	size_t in_len;
	char *out;
	size_t out_len, out_at;
};

struct metrics_server {
	struct supervisor *s;
	LIST_HEAD(, client) clients;
	size_t n;
	struct loop_source *source;
	int fd;
	char *path; /* of a unix socket */
};

static void drop(struct client *c)
{
	fresh_forget(c->server->s, c);
	LIST_REMOVE(c, entry);
	c->server->n--;
	loop_remove(c->source);
	loop_remove(c->timer);
	close(c->fd);
	free(c->out);
	free(c);
}

static void flush(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			loop_set_events(c->source, EPOLLOUT);
			return;
		}
		if (n < 0)
			break;
		c->out_at += (size_t)n;
	}
	drop(c);
}

/* `status` with a text, or the metrics for "200 OK". */
static void respond(struct client *c, const char *status, const char *text)
{
	char *body = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&body, &len);
	int r = f ? 0 : -ENOMEM;

	if (f && text)
		fputs(text, f);
	else if (f)
		r = metrics_write(c->server->s, f);
	if (f && fclose(f))
		r = -ENOMEM;
	f = r < 0 ? NULL : open_memstream(&c->out, &c->out_len);
	if (f) {
		fprintf(f,
			"HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
			"Content-Length: %zu\r\nConnection: close\r\n\r\n",
			status, len);
		fwrite(body, 1, len, f);
	}
	free(body);
	if (!f || fclose(f)) {
		log_err("metrics: out of memory");
		drop(c);
		return;
	}
	flush(c);
}

static void on_fresh(struct supervisor *s, void *userdata)
{
	respond(userdata, "200 OK", NULL);
}

static void take(struct client *c)
{
	size_t path;

	c->asked = true;
	loop_set_events(c->source, 0);
	if (strncmp(c->in, "GET ", 4) != 0) {
		respond(c, "405 Method Not Allowed", "GET /metrics\n");
		return;
	}
	path = strcspn(c->in + 4, " ?\r\n");
	if (path == strlen("/metrics") && !strncmp(c->in + 4, "/metrics", path))
		fresh_ask(c->server->s, on_fresh, c);
	else
		respond(c, "404 Not Found", "GET /metrics\n");
}

static void on_client(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct client *c = userdata;
	ssize_t n;

	if (c->out) {
		flush(c);
		return;
	}
	if (c->asked || events & (EPOLLHUP | EPOLLERR)) {
		drop(c);
		return;
	}
	n = recv(fd, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->in_len += (size_t)n;
	c->in[c->in_len] = '\0';
	if (strstr(c->in, "\r\n\r\n") || strstr(c->in, "\n\n"))
		take(c);
	else if (c->in_len == sizeof(c->in) - 1)
		respond(c, "431 Request Header Fields Too Large", "");
}

static void on_timer(struct loop *l, void *userdata)
{
	drop(userdata);
}

static void on_connect(struct loop *l, int fd, uint32_t events, void *userdata)
{
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct metrics_server *m = userdata;
	struct client *c;

	if (client < 0)
		return;
	c = m->n < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(client);
		return;
	}
	c->server = m;
	c->fd = client;
	if (loop_add_fd(l, client, EPOLLIN, on_client, c, &c->source) < 0 ||
	    loop_add_timer(l, on_timer, c, &c->timer) < 0) {
		loop_remove(c->source);
		close(client);
		free(c);
		return;
	}
	loop_arm(c->timer, loop_now_ns(l) + PATIENCE_NS);
	LIST_INSERT_HEAD(&m->clients, c, entry);
	m->n++;
}

/* ---- The socket ---- */

/* ADDRESS:PORT or [IPV6]:PORT, of the loopback only. */
static int read_address(const char *where, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(where, ':');
	struct ha_ip ip;
	char text[64] = "";
	char *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;
	bool loopback;
	ssize_t r;

	if (!colon || port < 1 || port > 65535 || *end || colon - where >= (long)sizeof(text))
		return -EINVAL;
	memcpy(text, where, (size_t)(colon - where));
	if (text[0] == '[' && text[strlen(text) - 1] == ']') {
		memmove(text, text + 1, strlen(text));
		text[strlen(text) - 1] = '\0';
	}
	if (ha_ip_parse(text, &ip) < 0)
		return -EINVAL;
	r = ha_ip_to_sockaddr(&ip, (uint16_t)port, 0, ret);
	if (r < 0)
		return (int)r;
	*ret_len = (socklen_t)r;
	loopback = ip.family == AF_INET
		       ? (ntohl(((struct sockaddr_in *)ret)->sin_addr.s_addr) >> 24) == 127
		       : IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)ret)->sin6_addr);
	return loopback ? 0 : -EACCES;
}

static int listen_tcp(const char *where)
{
	struct sockaddr_storage at;
	const int on = 1;
	socklen_t len = 0;
	int fd, r = read_address(where, &at, &len);

	if (r < 0)
		return r;
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&at, len) < 0 || listen(fd, CLIENTS_MAX) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int metrics_serve(struct supervisor *s, const char *where, struct metrics_server **ret)
{
	bool is_path = strchr(where, '/') != NULL;
	int r = is_path ? listen_unix(where, CLIENTS_MAX) : listen_tcp(where);
	struct metrics_server *m = r < 0 ? NULL : calloc(1, sizeof(*m));

	if (m) {
		LIST_INIT(&m->clients);
		m->s = s;
		m->fd = r;
		m->path = is_path ? strdup(where) : NULL;
		r = loop_add_fd(s->loop, m->fd, EPOLLIN, on_connect, m, &m->source);
	}
	if (m && r >= 0) {
		*ret = m;
		return 0;
	}
	log_warn("no metrics at %s: %s. Write --metrics=127.0.0.1:9650, another address of the "
		 "loopback, or the path of a socket",
		 where, r == -EACCES ? "only the loopback is served" : strerror(-r));
	free(m);
	return r;
}

void metrics_server_free(struct metrics_server *m)
{
	if (!m)
		return;
	while (!LIST_EMPTY(&m->clients))
		drop(LIST_FIRST(&m->clients));
	loop_remove(m->source);
	close(m->fd);
	if (m->path)
		unlink(m->path);
	free(m->path);
	free(m);
}
