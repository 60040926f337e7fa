/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http_reason.h"
#include "http/client_io.h"
#include "log.h"

#define HEAD_MAX 1024

void exchange_answer(struct worker *w, struct exchange *x, unsigned status, const char *fields, const char *text,
		     size_t len)
{
	struct client *c = x->client;
	bool goes_on = x->client_keeps && x->up.done && !c->eof && !client_leaves(w, c);
	bool body = x->method != HTTP_METHOD_HEAD && len;
	char head[HEAD_MAX];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\ncache-control: no-cache\r\ncontent-length: %zu\r\n%s%s\r\n",
			 status, http_redirect_reason(status), len, fields ? fields : "",
			 connection_field(goes_on, x->minor));

	if (n < 0 || (size_t)n >= sizeof(head)) {
		exchange_fail(w, x, 500, 'P', 'R');
		return;
	}
	x->status = status;
	x->cause = (struct conn_end_cause){'L', x->seeker.server ? 'C' : 'R'}; /* a server's "redir", or our own */
	x->client_keeps = goes_on;
	x->link_keeps = false;
	x->down.done = true;
	x->bytes += (size_t)n + (body ? len : 0);
	if (client_give(w, c, head, (size_t)n, body ? MSG_MORE : 0) && (!body || client_give(w, c, text, len, 0)))
		exchange_finish(w, x);
	else
		exchange_fail(w, x, 0, 'R', 'D');
}

static void ask_free(struct ask *a)
{
	free(a->target);
	free(a->body);
	free(a->fields);
	free(a->text);
	free(a);
}

/* In the worker: the answer came back. */
static void finish(struct worker *w, void *arg)
{
	struct ask *a = arg;
	struct exchange *x = a->exchange;
	struct set *set = a->set;

	if (x) {
		struct client *c = x->client;

		x->ask = NULL;
		if (a->status)
			exchange_answer(w, x, a->status, a->fields, a->text, a->text_len);
		else
			exchange_fail(w, x, 500, 'R', 'R');
		client_run(w, c);
	}
	ask_free(a);
	atomic_fetch_sub(&w->engine->n_asks, 1);
	set_leave(w, set);
}

/* In the control thread. */
static void answer(void *arg)
{
	struct ask *a = arg;
	struct engine *e = a->worker->engine;

	if (e->ending) {
		ask_free(a);
		return;
	}
	if (e->opts.answer)
		e->opts.answer(e->opts.userdata, a);
	worker_post_own(a->worker, &a->way_back, finish, a);
}

/* All of the request is there. */
static void hand_over(struct worker *w, struct exchange *x)
{
	struct ask *a = x->ask;

	a->body[a->body_len] = '\0';
	a->handed = true;
	x->since_ns = w->now_ns;
	if (!engine_post(w->engine, answer, a))
		finish(w, a);
}

static bool take(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	struct ask *a = x->ask;

	if (len > ASK_BODY_MAX - a->body_len) {
		exchange_fail(w, x, 413, 'P', 'R');
		return false;
	}
	if (len)
		memcpy(a->body + a->body_len, data, len);
	a->body_len += len;
	return true;
}

/* Browsers say where a form comes from; what says nothing is no browser, and may. */
static bool is_foreign(const struct http_msg *m)
{
	const struct http_field *site = http_find(m, "sec-fetch-site", 14, 0);
	const struct http_field *origin = http_find(m, "origin", 6, 0);
	const struct http_field *host = http_find(m, "host", 4, 0);
	const char *at, *slashes;
	size_t len;

	if (site && !http_same_name(http_text(m, site->value), site->value.len, "same-origin", 11) &&
	    !http_same_name(http_text(m, site->value), site->value.len, "none", 4))
		return true;
	if (!origin)
		return false;
	at = http_text(m, origin->value);
	slashes = memmem(at, origin->value.len, "://", 3);
	if (!slashes || !host)
		return true;
	len = origin->value.len - (size_t)(slashes + 3 - at);
	return !http_same_name(slashes + 3, len, http_text(m, host->value), host->value.len);
}

void exchange_ask(struct worker *w, struct exchange *x, const struct http_msg *m, const struct cfg_stats *stats,
		  const char *proxy, bool admin)
{
	struct frontend *f = x->client->frontend;
	struct ask *a;

	if (m->framing == HTTP_BODY_CHUNKED) { /* no form comes that way */
		exchange_fail(w, x, 411, 'P', 'R');
		return;
	}
	if (atomic_fetch_add(&w->engine->n_asks, 1) >= ASKS_MAX) {
		atomic_fetch_sub(&w->engine->n_asks, 1);
		exchange_fail(w, x, 503, 'R', 'R');
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a) {
		a->target = strndup(http_text(m, m->target), m->target.len);
		a->body = malloc(ASK_BODY_MAX + 1);
	}
	if (!a || !a->target || !a->body) {
		if (a)
			ask_free(a);
		atomic_fetch_sub(&w->engine->n_asks, 1);
		exchange_fail(w, x, 500, 'R', 'R');
		return;
	}
	a->kind = stats ? ASK_STATS : ASK_METRICS;
	a->worker = w;
	a->exchange = x;
	a->set = f->set;
	a->stats = stats;
	a->proxy = proxy;
	a->admin = admin;
	a->is_post = m->method == HTTP_METHOD_POST;
	a->foreign = is_foreign(m);
	f->set->worker[w->index].sessions++;
	x->ask = a;
	x->own = stats ? "<STATS>" : "<PROMEX>";
	x->state = EXCHANGE_OWN;
	x->head = NULL;
	x->since_ns = w->now_ns;
	if (take(w, x, w->http->early, w->http->early_len) && x->up.done)
		hand_over(w, x);
}

bool exchange_ask_upload(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	ssize_t n;
	size_t taken;

	if (x->up.done || !c->readable || c->eof)
		return false;
	n = client_recv(c, w->scratch, sizeof(w->scratch));
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->readable = errno == EINTR;
		return true;
	}
	if (n <= 0) {
		c->eof = true;
		exchange_fail(w, x, 400, 'C', 'R');
		return true;
	}
	c->since_ns = w->now_ns;
	taken = h1_body_feed(&x->up, w->scratch, (size_t)n, NULL);
	x->bytes_in += taken;
	if (taken < (size_t)n && !exchange_keep_next(w, x, w->scratch + taken, (size_t)n - taken, 'R'))
		return true;
	if (take(w, x, w->scratch, taken) && x->up.done)
		hand_over(w, x);
	return true;
}

/* The exchange ends before its answer. Handed over already: who has it will free it. */
void exchange_ask_end(struct worker *w, struct exchange *x)
{
	struct ask *a = x->ask;
	struct set *set;

	if (!a)
		return;
	x->ask = NULL;
	a->exchange = NULL;
	if (a->handed)
		return;
	set = a->set;
	ask_free(a);
	atomic_fetch_sub(&w->engine->n_asks, 1);
	set_leave(w, set);
}
