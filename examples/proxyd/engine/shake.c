/* SPDX-License-Identifier: MIT */
/* TLS handshakes of both ends; what the log says when a connection fails before it has said anything. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "count.h"
#include "log.h"
#include "proxy_protocol.h"
#include "tls/tls.h"

#define TLS_WARN_NS UINT64_C(10000000000) /* say so at most every ten seconds */

/* maxsslconn */
static bool tls_is_full(const struct engine *e)
{
	uint32_t max = atomic_load_explicit(&e->limits.tls_open, memory_order_relaxed);

	return max && tls_open() >= max;
}

struct tls *shake_begin(struct worker *w, struct tls_front *f, int fd)
{
	struct ssl_ctx_st *ctx = tls_is_full(w->engine) ? NULL : tls_front_ctx(f, w->index);

	count_tls_begun(w, true);
	return ctx ? tls_new(ctx, fd, true) : NULL;
}

/* The name of the bind line that a connection came over, else its number, from 1. */
static void bind_label(const struct frontend *f, int fd, char *buf, size_t cap)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	in_port_t port = 0;
	const struct cfg_bind *b;
	unsigned n = 0;

	if (getsockname(fd, (struct sockaddr *)&to, &len) == 0)
		port = ((struct sockaddr_in *)&to)->sin_port; /* where sockaddr_in6 has it, too */
	STAILQ_FOREACH (b, &f->proxy->binds, next) {
		n++;
		if (((const struct sockaddr_in *)&b->addr.storage)->sin_port == port)
			break;
	}
	if (b && b->name)
		snprintf(buf, cap, "%s", b->name);
	else
		snprintf(buf, cap, "%u", b ? n : 1);
}

/* HAProxy's "error log format". */
static void beginning_failed(struct worker *w, const struct frontend *f,
			     const struct endpoint *from, int fd, bool heard, const char *why)
{
	char client[64], date[32], label[64], line[320];
	int len;

	if ((!f->tcplog && !f->httplog) || (f->dontlognull && !heard))
		return;
	log_client(from, client, sizeof(client));
	log_date(0, date, sizeof(date));
	bind_label(f, fd, label, sizeof(label));
	len = snprintf(line, sizeof(line) - 1, "%s [%s] %s/%s: %s", client, date, f->name, label,
		       why);
	log_line(w, f, line, len < (int)sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2);
}

void shake_failed(struct worker *w, const struct frontend *f, const struct endpoint *from, int fd,
		  const struct tls *tls)
{
	char why[160];

	count_handshake(w, f, tls, false);
	snprintf(why, sizeof(why), "SSL handshake failure (%s)",
		 tls->reason ? tls->reason : "it took too long");
	beginning_failed(w, f, from, fd, tls->heard, why);
}

void greeting_failed(struct worker *w, const struct connection_ends *c)
{
	struct proxy_ends ends;
	ssize_t n = recv(c->fd, w->scratch, PROXY_READ_MAX, MSG_PEEK | MSG_DONTWAIT);
	bool wrong = n > 0 && proxy_parse(w->scratch, (size_t)n, &ends) < 0;

	count_greeting_failed(w, c->frontend);
	beginning_failed(w, c->frontend, c->from, c->fd, n > 0,
			 wrong ? "Received an invalid PROXY protocol header"
			       : "Truncated PROXY protocol header received");
}

static int failed(struct worker *w, const struct server *s, const char *why, int error)
{
	if (!w->tls_warned_ns || w->now_ns - w->tls_warned_ns > TLS_WARN_NS) {
		w->tls_warned_ns = w->now_ns;
		log_warn("server %s/%s: TLS handshake failed: %s", s->pool->name, s->name, why);
	}
	return error;
}

int shake_server(struct worker *w, struct handle *h, const struct server *server, const char *name)
{
	int r;

	if (!h->tls && tls_is_full(w->engine))
		return failed(w, server, "maxsslconn is reached", -EBUSY);
	if (!h->tls) {
		count_tls_begun(w, false);
		h->tls = tls_back_connect(atomic_load(&server->tls), w->index, h->fd, name);
	}
	if (!h->tls)
		return failed(w, server, "no memory, or no such name", -ENOMEM);
	r = tls_handshake(h->tls);
	if (r != -EAGAIN)
		count_server_handshake(w, server, h->tls, !r);
	return r && r != -EAGAIN ? failed(w, server, h->tls->reason, r) : r;
}
