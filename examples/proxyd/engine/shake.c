/* SPDX-License-Identifier: MIT */
/* TLS handshakes of both ends: begun, and told about when they fail. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "tls/tls.h"

#define TLS_WARN_NS UINT64_C(10000000000) /* say so at most every ten seconds */

struct tls *shake_begin(struct worker *w, struct tls_front *f, int fd)
{
	struct ssl_ctx_st *ctx = tls_front_ctx(f, w->index);

	return ctx ? tls_new(ctx, fd, true) : NULL;
}

void shake_failed(struct worker *w, const struct frontend *f, const struct endpoint *from,
		  const struct tls *tls)
{
	char client[64], date[32], line[256];
	int len;

	if ((!f->tcplog && !f->httplog) || (f->dontlognull && !tls->heard))
		return;
	log_client(from, client, sizeof(client));
	log_date(0, date, sizeof(date));
	len = snprintf(line, sizeof(line) - 1, "%s [%s] %s: SSL handshake failure (%s)", client,
		       date, f->name, tls->reason ? tls->reason : "it took too long");
	log_line(w, f, line, len < (int)sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2);
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

	if (!h->tls)
		h->tls = tls_back_connect(atomic_load(&server->tls), w->index, h->fd, name);
	if (!h->tls)
		return failed(w, server, "no memory, or no such name", -ENOMEM);
	r = tls_handshake(h->tls);
	return r && r != -EAGAIN ? failed(w, server, h->tls->reason, r) : r;
}
