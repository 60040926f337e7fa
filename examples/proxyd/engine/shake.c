/* SPDX-License-Identifier: MIT */
/* TLS handshakes with clients and with servers. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>

#include "count.h"
#include "engine/log/facts.h"
#include "log.h"
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

/* HAProxy's words; *ret_more: there is more to be told. */
static const char *words_of(enum tls_failure failure, bool *ret_more)
{
	*ret_more = failure >= TLS_CA_REFUSED;
	switch (failure) {
	case TLS_CLOSED:
		return "Connection closed during SSL handshake";
	case TLS_BROKEN:
		return "Connection error during SSL handshake";
	case TLS_TOO_LATE:
		return "Timeout during SSL handshake";
	case TLS_CA_REFUSED:
		return "SSL client CA chain cannot be verified";
	case TLS_CERT_REFUSED:
		return "SSL client certificate not trusted";
	case TLS_FAILED:
		break;
	}
	return "SSL handshake failure";
}

void shake_failed(struct worker *w, const struct connection_ends *c)
{
	struct tls *tls = c->tls;
	const char *words;
	char why[160];
	bool more;

	if (!tls->failed)
		tls_too_late(tls);
	count_handshake(w, c->frontend, tls, false);
	words = words_of(tls->failure, &more);
	snprintf(why, sizeof(why), more ? "%s (%s)" : "%s", words, tls->reason);
	log_failed_connection(w, c, tls->heard, tls->failure, words, why);
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
