/* SPDX-License-Identifier: MIT */
/* TLS handshakes with clients and with servers. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>

#include "count.h"
#include "engine/log/facts.h"
#include "log.h"
#include "tls/tls.h"

#define CLIENT_ERROR_HANDSHAKE 34 /* HAProxy's number, which fc_err gives */
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

void shake_failed(struct worker *w, const struct connection_ends *c, const struct tls *tls)
{
	char why[160];

	count_handshake(w, c->frontend, tls, false);
	snprintf(why, sizeof(why), "SSL handshake failure (%s)",
		 tls->reason ? tls->reason : "it took too long");
	log_failed_connection(w, c, tls->heard, CLIENT_ERROR_HANDSHAKE, "SSL handshake failure", why);
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
