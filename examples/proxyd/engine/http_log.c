/* SPDX-License-Identifier: MIT */
/*
 * One line per request in the format of HAProxy's "option httplog" (its manual, "HTTP log format"):
 *
 *	client:port [time] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes - - state
 *	actconn/feconn/beconn/srvconn/retries srv_queue/backend_queue "request"
 */
#include "http.h"

#include <netinet/in.h>
#include <stdio.h>

#define LINE_MAX_BYTES 2048

/* -1 when the phase was never reached, as HAProxy prints it. */
static long long ms(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns ? (long long)((to_ns - from_ns) / CFG_MS) : -1;
}

/* Quotes and control bytes as HAProxy writes them: # and two digits. */
static void escape(const char *text, char *buf, size_t cap)
{
	char *end = buf + cap - 4;

	for (; *text && buf < end; text++)
		if (*text == '"' || *text == '#' || (unsigned char)*text < 0x20 ||
		    (unsigned char)*text >= 0x7f)
			buf += snprintf(buf, 4, "#%02X", (unsigned char)*text);
		else
			*buf++ = *text;
	*buf = '\0';
}

void http_log(struct worker *w, const struct frontend *f, const struct endpoint *from,
	      const struct exchange *x, uint64_t bytes)
{
	const struct pool *p = x->seeker.backend ? x->seeker.backend->pool : NULL;
	const struct server *server = x->seeker.server;
	char line[LINE_MAX_BYTES], client[64], when[48], request[1280];
	uint64_t queued_at = x->asked_ns + x->seeker.queued_ns;
	bool asked = x->asked_ns;
	int n;

	log_client(from, client, sizeof(client));
	log_date(w->now_ns - x->began_ns, when, sizeof(when));
	escape(x->line ? x->line : "<BADREQ>", request, sizeof(request));
	n = snprintf(line, sizeof(line) - 1,
		     "%s [%s] %s %s/%s %lld/%lld/%lld/%lld/%lld %d %llu - - %c%c%c%c "
		     "%u/%u/%u/%u/%s%u 0/%u \"%s\"",
		     client, when, f->name, p ? p->name : f->name,
		     server ? server->name : "<NOSRV>", asked ? ms(x->began_ns, x->asked_ns) : -1LL,
		     server ? ms(x->asked_ns, queued_at) : -1LL, ms(queued_at, x->connected_ns),
		     ms(x->connected_ns, x->answered_ns), ms(x->began_ns, w->now_ns),
		     x->status ? (int)x->status : -1, (unsigned long long)bytes, x->cause.who,
		     x->cause.phase, x->cookie_in, x->cookie_out, atomic_load(&w->engine->gate.n),
		     atomic_load(&f->gate->n), p ? atomic_load(&p->n_sessions) : 0,
		     server ? atomic_load(&server->n_sessions) : 0,
		     x->seeker.attempts.redispatched ? "+" : "", x->seeker.attempts.failures,
		     p ? atomic_load(&p->n_queued) : 0, request);
	if (n > 0)
		log_line(w, f, line, (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2);
}
