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
#include "engine/log/facts.h"
#include "proxy_protocol.h"
#include "rule_store.h"
#include "tls/tls.h"

/* HAProxy's numbers, which fc_err gives */
#define CLIENT_ERROR_CUT_GREETING 14
#define CLIENT_ERROR_NO_GREETING 15
#define CLIENT_ERROR_BAD_GREETING 16
#define CLIENT_ERROR_GREETING_FAMILY 17
#define CLIENT_ERROR_CUT_CIP 21
#define CLIENT_ERROR_CIP_MAGIC 22
#define CLIENT_ERROR_CIP_PROTOCOL 23
#define CLIENT_ERROR_HANDSHAKE 34
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
static void beginning_failed(struct worker *w, const struct connection_ends *c, bool heard, unsigned code, const char *words,
			     const char *why)
{
	const struct frontend *f = c->frontend;
	char client[64], date[32], label[64], line[320];
	int len;

	if ((!f->tcplog && !f->httplog) || (f->dontlognull && !heard) || connection_error_log(w, c, code, words))
		return;
	log_client(c->from, client, sizeof(client));
	log_date(0, date, sizeof(date));
	bind_label(f, c->fd, label, sizeof(label));
	len = snprintf(line, sizeof(line) - 1, "%s [%s] %s/%s: %s", client, date, f->name, label,
		       why);
	log_line(w, f, line, len < (int)sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2);
}

void shake_failed(struct worker *w, const struct connection_ends *c, const struct tls *tls)
{
	char why[160];

	count_handshake(w, c->frontend, tls, false);
	snprintf(why, sizeof(why), "SSL handshake failure (%s)",
		 tls->reason ? tls->reason : "it took too long");
	beginning_failed(w, c, tls->heard, CLIENT_ERROR_HANDSHAKE, "SSL handshake failure", why);
}

/* Why it is no PROXY header. */
static unsigned what_came(const char *at, size_t len)
{
	static const char *const families[] = {"TCP4 ", "TCP6 ", "UNKNOWN"};
	static const char begin[2][7] = {"PROXY ", "\r\n\r\n\0\r"};
	size_t n = len < 6 ? len : 6;

	if (!memcmp(at, begin[1], n))
		return CLIENT_ERROR_BAD_GREETING;
	if (memcmp(at, begin[0], n) != 0)
		return CLIENT_ERROR_NO_GREETING;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (len < 6 + strlen(families[i]) || !memcmp(at + 6, families[i], strlen(families[i])))
			return CLIENT_ERROR_BAD_GREETING;
	return CLIENT_ERROR_GREETING_FAMILY;
}

void greeting_failed(struct worker *w, const struct connection_ends *c)
{
	struct proxy_ends ends;
	ssize_t n = recv(c->fd, w->scratch, PROXY_READ_MAX, MSG_PEEK | MSG_DONTWAIT);
	bool cip = *c->store && (*c->store)->expects_cip;
	ssize_t e = n > 0 ? greeting_parse(*c->store, w->scratch, (size_t)n, &ends) : 0;
	unsigned code = cip ? (e == -EPROTO ? CLIENT_ERROR_CIP_MAGIC : e < 0 ? CLIENT_ERROR_CIP_PROTOCOL : CLIENT_ERROR_CUT_CIP)
			: e < 0 ? what_came(w->scratch, (size_t)n)
				: CLIENT_ERROR_CUT_GREETING;
	const char *words = code == CLIENT_ERROR_CUT_CIP        ? "Truncated NetScaler Client IP header received"
			    : code == CLIENT_ERROR_CIP_MAGIC    ? "Received an invalid NetScaler Client IP magic number"
			    : code == CLIENT_ERROR_CIP_PROTOCOL ? "Received an unhandled protocol in the NetScaler Client IP header"
			    : code == CLIENT_ERROR_CUT_GREETING ? "Truncated PROXY protocol header received"
			    : code == CLIENT_ERROR_NO_GREETING
				? "Received something which does not look like a PROXY protocol header"
			    : code == CLIENT_ERROR_GREETING_FAMILY ? "Received an unhandled protocol in the PROXY protocol header"
								   : "Received an invalid PROXY protocol header";

	count_greeting_failed(w, c->frontend);
	beginning_failed(w, c, n > 0, code, words, words);
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
