/* SPDX-License-Identifier: MIT */
/* A request: how it begins, what is changed in its head, and how it ends. */
#include "client_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ask.h"
#include "engine/balance_key.h"
#include "engine/compress.h"
#include "engine/count.h"
#include "engine/log/facts.h"
#include "engine/name_ask.h"

#define SPARES_MAX 1024

/* ---- Life ---- */

static struct exchange *exchange_new(struct worker *w, struct client *c)
{
	struct exchange *x = TAILQ_FIRST(&w->http->spares);

	if (x) {
		TAILQ_REMOVE(&w->http->spares, x, spare);
		w->http->n_spares--;
	} else {
		x = malloc(sizeof(*x));
	}
	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->client = c;
	x->cause = (struct conn_end_cause){'-', '-'};
	x->began_ns = c->since_ns;
	x->asked_ns = x->since_ns = w->now_ns;
	x->seeker.backend = c->frontend->backend;
	x->seeker.is_http = true;
	x->log_level = -1;
	x->cookie_in = x->cookie_out = '-';
	c->exchange = x;
	return x;
}

void exchange_free(struct worker *w, struct exchange *x)
{
	exchange_ask_end(w, x);
	exchange_ask_name_end(x);
	deflater_free(x->deflater);
	if (x->pace)
		pace_free(&x->pace, (const uint64_t[]){x->bytes_in, x->bytes}, w->now_ns);
	chunk_free(&x->request);
	chunk_free(&x->part);
	seeker_fini(&x->seeker);
	free(x->line);
	if (w->http->n_spares == SPARES_MAX) {
		free(x);
		return;
	}
	TAILQ_INSERT_HEAD(&w->http->spares, x, spare);
	w->http->n_spares++;
}

static void set_cause(struct exchange *x, char who, char phase)
{
	if (x->cause.who == '-')
		x->cause = (struct conn_end_cause){who, phase};
}

/* Gives back all that it holds, tells the log, and leaves its client alone. */
static void end(struct worker *w, struct exchange *x, bool keep_link)
{
	struct client *c = x->client;

	seeker_leave_queue(w, &x->seeker);
	exchange_log(w, x, false);
	link_release(w, x, keep_link);
	count_exchange(w, c->frontend, c->listener, x);
	c->idle_ns = w->now_ns;
	http_rules_end(w, c, x);
	seeker_drop_server(w, &x->seeker,
			   x->cause.who == 'S' || x->cause.who == 's' ? LB_RESULT_CONNECT
			   : x->cause.who == '-'		      ? LB_RESULT_OK
								      : LB_RESULT_ABORTED,
			   x->bytes);
	c->exchange = NULL;
	exchange_free(w, x);
}

/* The exchange is over: the next request of its client, if one may come. */
static void next_request(struct worker *w, struct client *c, bool may_come)
{
	c->not_first = true;
	c->since_ns = w->now_ns;
	c->closing = !may_come;
	if (may_come && c->frontend->set != w->set)
		c->closing = !client_migrate(w, c);
}

/* An error page. True: the client may ask again on this connection. */
static bool give_page(struct worker *w, struct exchange *x, unsigned status)
{
	struct client *c = x->client;
	struct http_worker *h = w->http;
	struct own_end end = {
	    .minor = x->minor,
	    .headless = x->method == HTTP_METHOD_HEAD,
	    .keeps = x->client_keeps && x->up.done && !x->up.fault && !c->eof && !client_leaves(w, c),
	};
	size_t len = http_error(w, x, status, end.keeps ? HTTP_PAGE_KEEPS : HTTP_PAGE_CLOSES, NULL, h->written, sizeof(h->written));

	if (len)
		len = http_after_own(w, c, x->seeker.backend, h->written, len, sizeof(h->written), &end);
	c->closing = !end.keeps || !len;
	x->bytes += len;
	client_page(w, c, len);
	return !c->closing;
}

/* Why there was no answer. */
static enum observed observed(const struct exchange *x, char who)
{
	if (who == 's')
		return OBSERVED_TIMEOUT;
	if (who == 'S')
		return x->server_broke ? OBSERVED_READ_ERROR : OBSERVED_CLOSE;
	return OBSERVED_BAD_ANSWER;
}

void exchange_fail(struct worker *w, struct exchange *x, unsigned status, char who, char phase)
{
	struct client *c = x->client;
	bool answers = x->state != EXCHANGE_ANSWER && status, goes_on = false;

	if (x->state == EXCHANGE_ANSWER && client_is_stream(c))
		h2_cut(c);
	if (x->state == EXCHANGE_ASKED && phase == 'H' &&
	    (who == 'S' || who == 's' || (who == 'P' && x->fault && !x->up.fault)))
		observe(w, x->seeker.server, observed(x, who));
	if (x->state != EXCHANGE_ANSWER) {
		x->status = status;
		x->answered_ns = 0; /* rules held it, and it was not passed on */
	}
	c->linger = answers && !x->up.done; /* without an answer the client must see that */
	if (answers)
		goes_on = give_page(w, x, status);
	set_cause(x, who, phase); /* the page does not tell it, as in HAProxy */
	if (x->fault)
		http_count_refused(w, c, x->up.fault ? NULL : x->seeker.backend, x->fault);
	end(w, x, false);
	if (goes_on)
		next_request(w, c, true);
	else
		c->closing = true;
}

bool exchange_keep_next(struct worker *w, struct exchange *x, const char *data, size_t len, char phase)
{
	x->client->unparsed = chunk_append(&x->client->in, data, len);
	if (x->client->unparsed)
		return true;
	x->client_keeps = false; /* what is lost may end within a request: what comes then would pass for one */
	exchange_fail(w, x, 500, 'R', phase);
	return false;
}

void exchange_tarpit(struct worker *w, struct exchange *x, unsigned status)
{
	x->status = status;
	exchange_set_state(w, x, EXCHANGE_TARPIT);
}

void exchange_finish(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	bool asked = exchange_is_asked(x);
	bool go_on = x->client_keeps && asked && !c->eof && !client_leaves(w, c);

	c->linger = !x->up.done;
	if (c->gone)
		set_cause(x, 'C', 'D');
	end(w, x, x->link_keeps && asked);
	next_request(w, c, go_on);
}

/* ---- Its head ---- */

static const char *wanted_connection(const struct exchange *x, const struct http_msg *m)
{
	const struct frontend *f = x->client->frontend;
	enum cfg_closing back = x->seeker.backend->http->closing, front = f->http->closing;

	if ((front == CFG_KEEP_ALIVE && back == CFG_KEEP_ALIVE) || x->seeker.backend->http->pretends_keep_alive)
		return x->minor ? NULL : "keep-alive";
	return x->minor && !m->upgrade ? "close" : NULL; /* some servers know no close beside an upgrade */
}

/* A request of HTTP/2 said scheme and authority of itself, not to a proxy. 0 or -ENOSPC. */
static int to_origin_form(struct http_msg *m)
{
	struct http_span path = http_path(m);

	if (!path.len || path.at == m->target.at)
		return 0;
	return http_set_target(m, http_text(m, path), m->target.at + m->target.len - path.at);
}

/* Connection is the last field, as in HAProxy. 0 or -ENOSPC. */
static int edit_request(struct exchange *x, struct http_msg *m)
{
	const struct client *c = x->client;
	const struct cfg_forwardfor *front = &c->frontend->http->forwardfor, *back = &x->seeker.backend->http->forwardfor;
	int e = 0;

	if (client_is_stream(c))
		e = to_origin_form(m);
	if (!e && !m->upgrade && http_find_id(m, HTTP_ID_UPGRADE))
		e = http_drop_upgrade(m);
	if (!e)
		e = http_add_forwarded_for(m, front->on ? front : back, c->from.family, c->from.addr);
	return e ? e : http_say_connection(m, wanted_connection(x, m));
}

/*
 * The head as it goes on, right in front of what follows it in the buffer. Its place, or NULL: it
 * has no room.
 */
static char *place_head(struct worker *w, const struct http_msg *m, char *body)
{
	struct http_worker *h = w->http;
	ssize_t len = http_write(m, h->written, sizeof(h->written));

	if (len < 0 || len > body - h->buffer)
		return NULL;
	return memcpy(body - len, h->written, (size_t)len);
}

/* As it is logged, at most `max` bytes of it. NULL: no memory. */
static char *request_line(const struct http_msg *m, uint32_t max)
{
	uint32_t target = m->target.len > max ? max : m->target.len;
	char *line;
	int len = asprintf(&line, "%.*s %.*s HTTP/%s", (int)m->method_text.len, http_text(m, m->method_text), (int)target,
			   http_text(m, m->target), http_version_text(m));

	if (len < 0)
		return NULL;
	if ((uint32_t)len > max)
		line[max] = '\0';
	return line;
}

static void remember(struct worker *w, struct exchange *x, const struct http_msg *m)
{
	const struct frontend *f = x->client->frontend;

	x->method = m->method;
	x->minor = m->minor;
	x->keep_alive = m->keep_alive;
	x->client_keeps = m->keep_alive && f->http->closing != CFG_CLOSE && !client_is_stream(x->client);
	x->count = http_next_number(w);
	if (f->httplog || f->rules || f->proxy->formats || f->set->cfg->composes)
		x->line = request_line(m, w->line_max);
}

/* What hashes needs a key; without one it is the turn of the next. */
static void set_key(struct worker *w, struct exchange *x, struct http_msg *m)
{
	const struct backend *b = x->seeker.backend;

	if (b->hashes_source)
		x->seeker.key = balance_hash_source(&b->proxy->set.hash_type, x->client->from.addr);
	else if (b->hash && !http_hash_key(w, x, m))
		seeker_without_key(&x->seeker);
	else if (b->hashes_request &&
		 !http_balance_key(m, &b->proxy->set, &x->seeker.key))
		seeker_without_key(&x->seeker);
}

/* Rules have changed it and chosen its backend. */
static void settle(struct exchange *x, const struct http_msg *m)
{
	x->method = m->method;
	x->asked_upgrade = m->upgrade;
}

static bool is_idempotent(enum http_method m)
{
	return m == HTTP_METHOD_GET || m == HTTP_METHOD_HEAD || m == HTTP_METHOD_PUT ||
	       m == HTTP_METHOD_DELETE || m == HTTP_METHOD_OPTIONS || m == HTTP_METHOD_TRACE;
}

enum h1_fault exchange_begin(struct worker *w, struct client *c, uint32_t head_len, uint32_t total)
{
	struct http_msg *m = &w->http->request;
	char *body = w->http->buffer + HTTP_ROOM + head_len;
	struct exchange *x = exchange_new(w, c);
	size_t n;

	if (!x) {
		count_starved(w);
		client_reply(w, c, &(struct exchange){.client = c, .status = 500}, 500);
		return H1_FAULT_NONE;
	}
	h1_body_begin(&x->up, m);
	n = h1_body_feed(&x->up, body, total - head_len, NULL);
	if (x->up.fault) {
		enum h1_fault fault = x->up.fault;

		c->exchange = NULL;
		exchange_free(w, x);
		return fault;
	}
	count_request(w, c->frontend);
	remember(w, x, m);
	if (c->frontend->connectlog && !client_was_told(c))
		log_connect(w, c->frontend, &c->from, &c->to, c->h.fd);
	x->bytes_in = head_len + n;
	if (n < total - head_len && !exchange_keep_next(w, x, body + n, total - head_len - n, 'R'))
		return H1_FAULT_NONE;
	if (!x->up.done)
		client_hurry(c);
	exchange_route(w, x, head_len, n);
	return H1_FAULT_NONE;
}

void exchange_routed(struct worker *w, struct exchange *x)
{
	if (!x->routed && x->seeker.backend)
		count_given(w, x->seeker.backend);
	x->routed = true;
}

void exchange_route(struct worker *w, struct exchange *x, uint32_t head_len, size_t n)
{
	struct http_msg *m = &w->http->request;
	char *at = w->http->buffer + HTTP_ROOM, *body = at + head_len;
	int e;

	w->http->early = body;
	w->http->early_len = n;
	x->head = m;
	if (!http_request_rules(w, x, m))
		return;
	exchange_routed(w, x);
	if (!x->seeker.backend) {
		exchange_fail(w, x, 503, 'S', 'C');
		return;
	}
	if (x->seeker.backend->http->late_edits && !http_restrict_names(w, x, m, x->seeker.backend->http->names))
		return;
	settle(x, m);
	e = http_add_unique_id(x, m);
	if (!e)
		e = http_cookie_take(x, m);
	if (x->seeker.backend->http->compression || x->client->frontend->http->compression)
		compress_choose(x, m);
	if (!e)
		e = edit_request(x, m);
	if (!e && (x->client->frontend->http->late_edits | x->seeker.backend->http->late_edits))
		e = http_edit_late(w, x, m);
	/* what reads the message comes first: an edited head is written over the one that came */
	http_source(x, m);
	set_key(w, x, m);
	x->head = NULL;
	at = e || m->edited ? place_head(w, m, body) : at + (m->method_text.at - HTTP_ROOM);
	if (e || !at) {
		exchange_fail(w, x, 500, 'P', 'R');
		return;
	}
	/* it is all here, and asking twice does no harm (RFC 9110, section 9.2.2) */
	x->repeatable = x->up.done && is_idempotent(x->method);
	x->retryable = x->up.done && !x->no_retry &&
		       x->seeker.backend->retry_on & ~(CFG_RETRY_NOTHING | CFG_RETRY_CONNECT);
	exchange_send(w, x, at, (size_t)(body - at) + n);
}
