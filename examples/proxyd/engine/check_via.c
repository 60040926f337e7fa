/* SPDX-License-Identifier: MIT */
#include "check_via.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy_protocol.h"
#include "socks.h"

struct check_via {
	struct health_transport transport;
	struct cfg_addr target;
	char header[PROXY_HEADER_MAX];
	size_t header_len;
	struct health_transport tls; /* ops NULL: none */
};

struct target {
	const struct check_via *via;
	void *tls;
};

struct channel {
	const struct target *target;
	int fd;
	uint8_t step; /* of socks_connect() */
	bool through; /* the proxy said yes, and the header is sent */
	void *tls;    /* NULL: none, or not begun */
};

static int target_new(void *config, void **ret)
{
	const struct check_via *v = config;
	struct target *t = calloc(1, sizeof(*t));
	int e = t ? 0 : -ENOMEM;

	if (!e) {
		t->via = v;
		if (v->tls.ops)
			e = v->tls.ops->target_new(v->tls.config, &t->tls);
	}
	if (!e)
		*ret = t;
	else
		free(t);
	return e;
}

static void target_free(void *target)
{
	struct target *t = target;

	if (t->via->tls.ops)
		t->via->tls.ops->target_free(t->tls);
	free(t);
}

static int begin(void *target, int fd, void **ret)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->target = target;
	c->fd = fd;
	*ret = c;
	return 0;
}

/* To the proxy, and what stands in front of all else. */
static int pass_proxy(struct channel *c, struct health_transport_report *ret)
{
	const struct check_via *v = c->target->via;
	int e = socks_connect(c->fd, &v->target.sa, &c->step);

	if (!e && v->header_len && send(c->fd, v->header, v->header_len, MSG_NOSIGNAL) != (ssize_t)v->header_len)
		e = -EPIPE;
	c->through = !e;
	if (!e || e == -EAGAIN)
		return e;
	ret->code = HEALTH_CODE_SOCKERR;
	snprintf(ret->text, sizeof(ret->text), "%s", e == -ECONNREFUSED ? "SOCKS4 Proxy deny the request" /* HAProxy's words */
							 : e == -EAFNOSUPPORT ? "SOCKS4 leads to IPv4 addresses only"
									      : "SOCKS4 Proxy: no answer");
	return e;
}

static int handshake(void *channel, struct health_transport_report *ret)
{
	struct channel *c = channel;
	const struct target *t = c->target;
	const struct health_transport_ops *tls = t->via->tls.ops;
	int e = c->through ? 0 : pass_proxy(c, ret);

	ret->plain = !tls;
	if (e || !tls)
		return e;
	e = c->tls ? 0 : tls->begin(t->tls, c->fd, &c->tls);
	return e ? e : tls->handshake(c->tls, ret);
}

static ssize_t receive(void *channel, void *data, size_t len)
{
	struct channel *c = channel;
	ssize_t n;

	if (c->tls)
		return c->target->via->tls.ops->receive(c->tls, data, len);
	n = recv(c->fd, data, len, 0);
	return n < 0 ? -errno : n;
}

static ssize_t send_bytes(void *channel, const void *data, size_t len)
{
	struct channel *c = channel;
	ssize_t n;

	if (c->tls)
		return c->target->via->tls.ops->send(c->tls, data, len);
	n = send(c->fd, data, len, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static void end(void *channel, bool polite)
{
	struct channel *c = channel;

	if (c->tls)
		c->target->via->tls.ops->end(c->tls, polite);
	free(c);
}

static const struct health_transport_ops ops = {
    .size = sizeof(ops),
    .name = "socks4",
    .target_new = target_new,
    .target_free = target_free,
    .begin = begin,
    .handshake = handshake,
    .receive = receive,
    .send = send_bytes,
    .end = end,
};

struct check_via *check_via_new(const struct cfg_addr *target, const char *header, size_t header_len, const struct health_transport *tls)
{
	struct check_via *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->transport = (struct health_transport){.size = sizeof(v->transport), .ops = &ops, .config = v};
	v->target = *target;
	memcpy(v->header, header, header_len);
	v->header_len = header_len;
	if (tls)
		v->tls = *tls;
	return v;
}

void check_via_free(struct check_via *v)
{
	free(v);
}

const struct health_transport *check_via_transport(const struct check_via *v)
{
	return &v->transport;
}
