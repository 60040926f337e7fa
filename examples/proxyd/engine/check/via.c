/* SPDX-License-Identifier: MIT */
#include "via.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/socks.h"

struct hop {
	char header[PROXY_HEADER_MAX];
	size_t header_len;
	struct health_tls *tls; /* NULL: none */
};

struct check_via {
	struct health_transport transport;
	bool socks;
	struct cfg_addr target; /* behind the proxy */
	unsigned next;	 /* the hop that begins next */
	uint16_t port;	 /* of that; 0: the target's */
	struct cfg_addr other; /* likewise; without a length: none */
	unsigned n;
	struct hop *hop;
};

struct target {
	struct check_via *via;
	void *tls[]; /* of each hop */
};

struct channel {
	const struct target *target;
	const struct hop *hop;
	const struct health_transport_ops *tls_ops; /* NULL: none */
	void *tls_target;
	int fd;
	struct cfg_addr to;
	uint8_t step; /* of socks_connect() */
	bool through; /* the proxy said yes, and the header is sent */
	void *tls;    /* NULL: none, or not begun */
};

static void target_free(void *target)
{
	struct target *t = target;

	for (unsigned i = 0; i < t->via->n; i++)
		if (t->tls[i])
			health_tls_transport(t->via->hop[i].tls)->ops->target_free(t->tls[i]);
	free(t);
}

static int target_new(void *config, void **ret)
{
	struct check_via *v = config;
	struct target *t = calloc(1, sizeof(*t) + v->n * sizeof(t->tls[0]));
	int e = t ? 0 : -ENOMEM;

	if (t)
		t->via = v;
	for (unsigned i = 0; !e && i < v->n; i++) {
		const struct health_transport *tls = v->hop[i].tls ? health_tls_transport(v->hop[i].tls) : NULL;

		if (tls)
			e = tls->ops->target_new(tls->config, &t->tls[i]);
	}
	if (!e)
		*ret = t;
	else if (t)
		target_free(t);
	return e;
}

/* Those behind the last are like it. */
static unsigned place_of(const struct check_via *v, unsigned hop)
{
	return hop < v->n ? hop : v->n - 1;
}

static int begin(void *target, int fd, void **ret)
{
	const struct target *t = target;
	const struct check_via *v = t->via;
	unsigned at = place_of(v, v->next);
	struct channel *c = calloc(1, sizeof(*c));
	in_port_t port = htons(v->port);

	if (!c)
		return -ENOMEM;
	c->target = t;
	c->hop = &v->hop[at];
	c->tls_ops = c->hop->tls ? health_tls_transport(c->hop->tls)->ops : NULL;
	c->tls_target = t->tls[at];
	c->fd = fd;
	c->to = v->other.len ? v->other : v->target;
	if (port) /* both families have it in the same place */
		memcpy((char *)&c->to.storage + offsetof(struct sockaddr_in, sin_port), &port, sizeof(port));
	*ret = c;
	return 0;
}

/* To the proxy, and what stands in front of all else. */
static int pass_proxy(struct channel *c, struct health_transport_report *ret)
{
	const struct hop *h = c->hop;
	bool socks = c->target->via->socks;
	int e = socks ? socks_connect(c->fd, &c->to.sa, &c->step) : 0;

	if (!e && h->header_len && send(c->fd, h->header, h->header_len, MSG_NOSIGNAL) != (ssize_t)h->header_len)
		e = -EPIPE;
	c->through = !e;
	if (!e || e == -EAGAIN)
		return e;
	if (!socks) {
		ret->code = HEALTH_CODE_L4CON;
		return e;
	}
	ret->code = HEALTH_CODE_SOCKERR;
	snprintf(ret->text, sizeof(ret->text), "%s", e == -ECONNREFUSED ? "SOCKS4 Proxy deny the request" /* HAProxy's words */
							 : e == -EAFNOSUPPORT ? "SOCKS4 leads to IPv4 addresses only"
									      : "SOCKS4 Proxy: no answer");
	return e;
}

static int handshake(void *channel, struct health_transport_report *ret)
{
	struct channel *c = channel;
	const struct health_transport_ops *tls = c->tls_ops;
	int e = c->through ? 0 : pass_proxy(c, ret);

	ret->plain = !tls;
	if (e || !tls)
		return e;
	e = c->tls ? 0 : tls->begin(c->tls_target, c->fd, &c->tls);
	return e ? e : tls->handshake(c->tls, ret);
}

static ssize_t receive(void *channel, void *data, size_t len)
{
	struct channel *c = channel;
	ssize_t n;

	if (c->tls)
		return c->tls_ops->receive(c->tls, data, len);
	n = recv(c->fd, data, len, 0);
	return n < 0 ? -errno : n;
}

static ssize_t send_bytes(void *channel, const void *data, size_t len)
{
	struct channel *c = channel;
	ssize_t n;

	if (c->tls)
		return c->tls_ops->send(c->tls, data, len);
	n = send(c->fd, data, len, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static void end(void *channel, bool polite)
{
	struct channel *c = channel;

	if (c->tls)
		c->tls_ops->end(c->tls, polite);
	free(c);
}

static const struct health_transport_ops ops = {
    .size = sizeof(ops),
    .name = "via",
    .target_new = target_new,
    .target_free = target_free,
    .begin = begin,
    .handshake = handshake,
    .receive = receive,
    .send = send_bytes,
    .end = end,
};

struct check_via *check_via_new(const struct cfg_addr *target)
{
	struct check_via *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->transport = (struct health_transport){.size = sizeof(v->transport), .ops = &ops, .config = v};
	v->socks = target;
	if (target)
		v->target = *target;
	return v;
}

int check_via_add(struct check_via *v, const char *header, size_t header_len, struct health_tls *tls)
{
	struct hop *hop = realloc(v->hop, (v->n + 1) * sizeof(*hop));

	if (!hop) {
		health_tls_free(tls);
		return -ENOMEM;
	}
	v->hop = hop;
	hop += v->n++;
	memcpy(hop->header, header, header_len);
	hop->header_len = header_len;
	hop->tls = tls;
	return 0;
}

void check_via_free(struct check_via *v)
{
	for (unsigned i = 0; v && i < v->n; i++)
		health_tls_free(v->hop[i].tls);
	if (v)
		free(v->hop);
	free(v);
}

uint16_t check_via_next(struct check_via *v, unsigned hop, uint16_t port)
{
	if (!v)
		return port;
	v->next = hop;
	v->port = port;
	v->other.len = 0;
	return v->socks ? 0 : port;
}

bool check_via_next_to(struct check_via *v, unsigned hop, const struct cfg_addr *target)
{
	check_via_next(v, hop, 0);
	if (!v || !v->socks)
		return false;
	v->other = *target;
	return true;
}

bool check_via_has_tls(const struct check_via *v, unsigned hop)
{
	return v->hop[place_of(v, hop)].tls;
}

const struct health_transport *check_via_transport(const struct check_via *v)
{
	return &v->transport;
}
