/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "peer.h"

#define READS_PER_STEP 64

static int stream_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A backlog of 0 holds one connection; the kernel drops the SYNs of all others. */
static void fill_backlog(struct peer *p)
{
	for (size_t i = 0; i < 4; i++) {
		p->filler[i] = stream_socket();
		if (connect(p->filler[i], (struct sockaddr *)&p->address, sizeof(p->address)) < 0)
			assert_int_equal(errno, EINPROGRESS);
	}
}

void peer_open(struct peer *p, const struct peer_script *script)
{
	socklen_t len = sizeof(p->address);

	*p = (struct peer){.script = *script};
	for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
		p->connection[i].fd = -1;
	for (size_t i = 0; i < 4; i++)
		p->filler[i] = -1;
	p->address = (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	p->listener = stream_socket();
	assert_int_equal(bind(p->listener, (struct sockaddr *)&p->address, len), 0);
	assert_int_equal(listen(p->listener, script->deaf ? 0 : 1024), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&p->address, &len), 0);
	if (script->deaf)
		fill_backlog(p);
}

static void hang_up(struct peer_connection *c, bool reset)
{
	const struct linger rst = {.l_onoff = 1};

	if (c->fd < 0)
		return;
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	close(c->fd);
	c->fd = -1;
}

static void accept_all(struct peer *p)
{
	for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++) {
		socklen_t len = sizeof(p->last_client);
		struct peer_connection *c = &p->connection[i];

		if (c->fd >= 0)
			continue;
		c->fd =
		    accept4(p->listener, (struct sockaddr *)&p->last_client, &len, SOCK_NONBLOCK);
		if (c->fd < 0)
			return;
		assert_int_equal(
		    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
		c->received = c->sent = 0;
		p->accepted++;
	}
}

static void hear(struct peer *p, struct peer_connection *c)
{
	for (int i = 0; i < READS_PER_STEP; i++) {
		ssize_t n = recv(c->fd, p->received, sizeof(p->received), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			hang_up(c, false);
			return;
		}
		p->received_len = (size_t)n;
		c->received += (size_t)n;
	}
}

static void answer(const struct peer_script *s, struct peer_connection *c)
{
	size_t len = s->reply_len - c->sent;

	if (c->received < s->listen_for)
		return;
	if (s->chunk && len > s->chunk)
		len = s->chunk;
	if (len) {
		ssize_t n = send(c->fd, (const uint8_t *)s->reply + c->sent, len, MSG_NOSIGNAL);

		if (n > 0)
			c->sent += (size_t)n;
	} else if (s->end != PEER_STAYS) {
		hang_up(c, s->end == PEER_RESETS);
	}
}

void peer_step(struct peer *p)
{
	if (p->script.deaf || p->steps++ < p->script.hold)
		return;
	accept_all(p);
	for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++) {
		struct peer_connection *c = &p->connection[i];

		if (c->fd >= 0)
			hear(p, c);
		if (c->fd >= 0)
			answer(&p->script, c);
	}
}

void peer_close(struct peer *p)
{
	for (size_t i = 0; i < PEER_CONNECTIONS_MAX; i++)
		hang_up(&p->connection[i], true);
	for (size_t i = 0; i < 4; i++)
		if (p->filler[i] >= 0)
			close(p->filler[i]);
	close(p->listener);
}
