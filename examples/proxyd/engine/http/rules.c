/* SPDX-License-Identifier: MIT */
/*
 * Where rules meet requests and answers, in HAProxy's order: the frontend's rules, the choice of a
 * backend, its rules; on the way back the backend's, then the frontend's.
 */
#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cfg/rules.h"
#include "compose.h"
#include "engine/ask.h"
#include "engine/log/facts.h"
#include "engine/name_ask.h"
#include "engine/rule_run.h"
#include "engine/rule_store.h"
#include "rules/unique_id.h"

#define ANSWER_MAX (2 * HTTP_HEAD_MAX)

bool http_prepare_run(struct worker *w, struct exchange *x, struct exchange_view *v, struct run *r)
{
	struct client *c = x->client;
	struct http_worker *h = w->http;

	if (!client_store(c))
		return false;
	*v = (struct exchange_view){
	    w, x, c->frontend, c->store, c->h.tls, c->idle_ns, x->bytes, false,
	};
	if (c->frontend->proxy->slots)
		rule_store_captures(c->store, c->frontend->proxy->slots);
	exchange_run_facts(v, &c->from, &c->to, c->h.fd, r,
			   (struct scratch){h->scratch, 0, sizeof(h->scratch)});
	r->hints = (struct scratch){h->hints, 0, sizeof(h->hints) - 2};
	r->first_request = !c->not_first;
	r->is_h2 = client_is_stream(c);
	r->client_tls = c->h.tls;
	r->server_tls = x->link ? x->link->h.tls : NULL;
	return true;
}

int http_add_unique_id(const struct exchange *x, struct http_msg *m)
{
	const char *name = x->client->frontend->proxy->set.unique_id_header;
	const char *id = x->client->store ? x->client->store->unique_id : NULL;

	return name && id ? http_add(m, name, strlen(name), id, strlen(id)) : 0;
}

/* ---- Answers of our own ---- */

static bool has_after_rules(const struct cfg_rules *rules)
{
	return rules && rules->of[RULES_AFTER_RESPONSE].first;
}

/* A page may be of an older version than its client, and may want the connection closed. */
static int say_end(struct http_msg *m, size_t body_len, struct own_end *end)
{
	end->keeps &= !(m->options & HTTP_OPTION_CLOSE) && body_len == (m->framing == HTTP_BODY_LENGTH ? m->length : 0) &&
		      (m->framing == HTTP_BODY_LENGTH || m->framing == HTTP_BODY_NONE);
	if (end->keeps)
		return http_say_connection(m, end->minor && m->minor ? NULL : "keep-alive");
	return http_say_connection(m, m->minor ? "close" : NULL);
}

static bool run_after_rules(struct worker *w, struct client *c, const struct backend *b, struct http_msg *m)
{
	const struct cfg_rules *rules[2] = {b ? b->proxy->rules : NULL, c->frontend->rules};
	struct verdict v = {.log_level = -1};
	unsigned status = m->status;
	struct exchange_view view;
	struct run r;

	if ((!has_after_rules(rules[0]) && !has_after_rules(rules[1])) || !c->exchange)
		return true;
	if (!http_prepare_run(w, c->exchange, &view, &r))
		return false;
	r.response = m;
	for (int i = rules[0] == rules[1]; i < 2; i++)
		if (has_after_rules(rules[i]))
			rules_run(&rules[i]->of[RULES_AFTER_RESPONSE], &r, &v);
	if (m->status != status) /* as the client sees it */
		c->exchange->status = m->status;
	return v.kind != VERDICT_ERROR;
}

/* The head in the worker's buffer, as rules and the client's end make it. Its length in h->scratch, or -1. */
static ssize_t finish_head(struct worker *w, struct client *c, const struct backend *b, uint32_t head_len,
			   size_t body_len, struct own_end *end)
{
	struct http_worker *h = w->http;
	struct http_msg *m = &h->answer;

	http_begin(w, m, HTTP_ROOM);
	if (h1_response(m, HTTP_ROOM, head_len, HTTP_METHOD_GET, false) <= 0 ||
	    (end && say_end(m, body_len, end) < 0) || !run_after_rules(w, c, b, m))
		return -1;
	return http_write(m, h->scratch, sizeof(h->scratch));
}

size_t http_after_own(struct worker *w, struct client *c, const struct backend *b, char *text,
		      size_t len, size_t cap, struct own_end *end)
{
	const char *body = memmem(text, len, "\r\n\r\n", 4);
	size_t head_len = body ? (size_t)(body + 4 - text) : 0, body_len = len - head_len;
	ssize_t new_len = -1;

	if (!end && !has_after_rules(b ? b->proxy->rules : NULL) && !has_after_rules(c->frontend->rules))
		return len;
	if (head_len && head_len <= w->head_max) {
		memcpy(w->http->buffer + HTTP_ROOM, text, head_len);
		new_len = finish_head(w, c, b, (uint32_t)head_len, body_len, end);
	}
	if (end && end->headless)
		body_len = 0;
	if (new_len < 0 || (size_t)new_len + body_len > cap) {
		if (end)
			end->keeps = false;
		return head_len + body_len;
	}
	memmove(text + new_len, text + head_len, body_len);
	memcpy(text, w->http->scratch, (size_t)new_len);
	return (size_t)new_len + body_len;
}

/* The page of a rule; the status in the log is the rule's, whatever the page says. */
static void put_page(struct worker *w, struct exchange *x, const struct answer *a, struct run *r, struct reply *to)
{
	if (a->kind == ANSWER_STANDARD)
		to->len = http_error(w, x, a->status, HTTP_PAGE_KEEPS, r, to->at, to->cap);
	else
		reply_put(to, a->page.at, a->page.len);
	reply_add_fields(to, a, r);
}

/* A rule's answer, in w->http->written. False: it has no room. */
static bool write_reply(struct worker *w, struct exchange *x, const struct verdict *v, struct run *r, bool keeps,
			struct text *ret)
{
	struct own_end end = {.minor = x->minor, .headless = x->method == HTTP_METHOD_HEAD, .keeps = keeps};
	struct reply to = {.at = w->http->written, .cap = sizeof(w->http->written)};
	bool is_page = v->answer && v->answer->kind != ANSWER_COMPOSED;

	x->status = v->status;
	if (is_page)
		put_page(w, x, v->answer, r, &to);
	else
		reply_compose(&to, v, r, &end);
	if (to.full)
		return false;
	to.len = http_after_own(w, x->client, x->seeker.backend, to.at, to.len, to.cap, is_page ? &end : NULL);
	x->client_keeps = end.keeps;
	*ret = text_of(to.at, to.len);
	return true;
}

static void send_reply(struct worker *w, struct exchange *x, struct text t)
{
	x->link_keeps = false;
	x->bytes += t.len;
	x->down.done = true;
	x->answered_ns = 0;
	if (client_give(w, x->client, t.at, t.len, 0))
		exchange_finish(w, x);
	else
		exchange_fail(w, x, 0, 'R', 'D');
}

/* May the client ask again when it is answered? */
static bool goes_on(const struct worker *w, const struct exchange *x)
{
	return x->client_keeps && x->up.done && !x->client->eof && !client_leaves(w, x->client);
}

/* Answers, and lets the client go on if its request is whole. */
static void reply(struct worker *w, struct exchange *x, const struct verdict *v, struct run *r)
{
	struct text t;

	if (!write_reply(w, x, v, r, goes_on(w, x), &t)) {
		exchange_fail(w, x, 500, 'P', 'R');
		return;
	}
	x->cause = (struct conn_end_cause){v->kind == VERDICT_DENY ? 'P' : 'L', r->response ? 'H' : 'R'};
	send_reply(w, x, t);
}

/* What a rule says is written now, while the request is there; it lies where a request would that goes on. */
static void tarpit(struct worker *w, struct exchange *x, const struct verdict *v, struct run *r)
{
	struct text t;

	if (!v->answer) {
		exchange_tarpit(w, x, v->status);
		return;
	}
	chunk_free(&x->request);
	if (write_reply(w, x, v, r, goes_on(w, x), &t) && chunk_append(&x->request, t.at, t.len))
		exchange_tarpit(w, x, x->status);
	else
		exchange_fail(w, x, 500, 'P', 'R');
}

void http_tarpit_over(struct worker *w, struct exchange *x)
{
	struct chunk *answer = x->request;

	if (!answer) {
		exchange_fail(w, x, x->status, 'P', 'T');
		return;
	}
	x->request = NULL; /* there is nothing to be sent to a server */
	x->cause = (struct conn_end_cause){'P', 'T'};
	send_reply(w, x, text_of(answer->data, answer->len));
	free(answer);
}

/* As HAProxy: of what goes on or is denied, not of what a rule answers in another way. */
static void keep_cookie(struct exchange *x, struct run *r)
{
	const struct capture_slots *slots = x->client->frontend->proxy->slots;

	if (slots && r->captures)
		capture_cookie(r->captures, slots, CAPTURE_REQUEST, r->request);
}

static void count_in_tables(struct worker *w, const struct exchange *x, enum table_data what)
{
	if (x->client->store)
		track_count(x->client->store->track, what, 1, w->now_ns);
}

void http_count_status(struct worker *w, const struct exchange *x, unsigned status)
{
	if (status >= 400 && status < 500)
		count_in_tables(w, x, TABLE_HTTP_ERR_CNT);
	else if (status >= 500 && status != 501 && status != 505)
		count_in_tables(w, x, TABLE_HTTP_FAIL_CNT);
}

/* True: the message goes on. */
static bool obey(struct worker *w, struct exchange *x, const struct verdict *v, struct run *r,
		 char phase)
{
	if (v->log_level >= 0)
		x->log_level = (int8_t)v->log_level;
	x->no_retry |= v->no_retry;
	if (v->server_ns)
		x->server_ns = v->server_ns;
	if (v->tunnel_ns)
		x->tunnel_ns = v->tunnel_ns;
	seeker_prioritize(&x->seeker, v);
	if (v->kind != VERDICT_GO_ON && x->client->store)
		x->client->store->last_rule = v->rule;
	switch (v->kind) {
	case VERDICT_GO_ON:
	case VERDICT_ALLOW:
		return true;
	case VERDICT_DENY:
		if (phase == 'R') {
			keep_cookie(x, r);
			count_in_tables(w, x, TABLE_HTTP_ERR_CNT);
		}
		if (v->answer)
			reply(w, x, v, r);
		else
			exchange_fail(w, x, v->status, 'P', phase);
		return false;
	case VERDICT_TARPIT:
		keep_cookie(x, r);
		count_in_tables(w, x, TABLE_HTTP_ERR_CNT);
		tarpit(w, x, v, r);
		return false;
	case VERDICT_SILENT_DROP:
	case VERDICT_REJECT:
		if (client_is_stream(x->client))
			h2_end_with(x->client, v->kind == VERDICT_SILENT_DROP);
		if (v->kind == VERDICT_SILENT_DROP)
			run_hide_end(x->client->h.fd);
		/* fall through */
	case VERDICT_CLOSE:
		exchange_fail(w, x, 0, 'P', phase);
		return false;
	case VERDICT_REDIRECT:
	case VERDICT_RETURN:
		if (v->answer && v->answer->asks_name)
			count_in_tables(w, x, TABLE_HTTP_ERR_CNT);
		reply(w, x, v, r);
		return false;
	case VERDICT_METRICS:
		exchange_ask(w, x, r->request, NULL, x->client->frontend->name, false);
		return false;
	case VERDICT_WAIT_BODY: /* see run_stage() */
	case VERDICT_PAUSE:
	case VERDICT_RESOLVE:
	case VERDICT_WAIT: /* all of a head is there */
	case VERDICT_ERROR:
		break;
	}
	exchange_fail(w, x, phase == 'R' ? 500 : 502, 'P', phase);
	return false;
}

/* ---- The way there ---- */

/* What follows once rules have changed what they see of the connection. */
static void follow(struct worker *w, struct exchange *x, const struct run *r, struct verdict *v)
{
	/* What has come of the request's body is here, and moves on after this: it counts. */
	uint64_t in = x->bytes_in - (r->response ? 0 : w->http->early_len);

	pace_set(&x->pace, v->bandwidth, (const uint64_t[]){in, x->bytes}, r->now_ns);
	if (r->moved) {
		x->client->from = run_endpoint(&r->source);
		x->client->to = run_endpoint(&r->destination);
	}
	run_mark_socket(x->client->h.fd, v);
}

static bool run_rules(struct worker *w, struct exchange *x, const struct rules *rules,
		      struct run *r, char phase)
{
	struct verdict v = {.log_level = -1};

	if (!rules->first)
		return true;
	r->scratch.used = 0;
	rules_run(rules, r, &v);
	follow(w, x, r, &v);
	return obey(w, x, &v, r, phase);
}

/* In the order of a request and its answer; what waited for its body goes on where it stood. */
enum stage {
	STAGE_FRONT_BODY,
	STAGE_FRONT_CONTENT,
	STAGE_FRONT,
	STAGE_SWITCH,
	STAGE_BACK_BODY,
	STAGE_BACK_CONTENT,
	STAGE_BACK,
	STAGE_ANSWER_BACK,
	STAGE_ANSWER_FRONT,
};

/* The phase of the log's state. */
static char phase_of(enum stage stage)
{
	return stage < STAGE_ANSWER_BACK ? 'R' : 'H';
}

/* Waits for all of the body, once. True: it is there, or as much as there is room for. */
static bool have_body(struct worker *w, struct exchange *x, struct http_msg *m, enum stage stage,
		      uint64_t wait_ns)
{
	if (x->stage >= stage + 1)
		return true;
	x->stage = (uint8_t)(stage + 1);
	x->wait_ns = wait_ns;
	x->wait_bytes = 0;
	return exchange_has_body(w, x, m);
}

/* The hints of rules, in one answer that is not the last (RFC 8297); a client of HTTP/1.0 knows none. */
static bool give_hints(struct worker *w, struct exchange *x, struct run *r)
{
	static const char line[] = "HTTP/1.1 103 Early Hints\r\n";
	size_t len = r->hints.used;

	r->hints.used = 0;
	if (!len || !x->minor)
		return true;
	memcpy(r->hints.at + len, "\r\n", 2); /* there is room for it: see prepare_http() */
	if (client_give(w, x->client, line, sizeof(line) - 1, MSG_MORE) && client_give(w, x->client, r->hints.at, len + 2, 0))
		return true;
	exchange_fail(w, x, 500, 'R', 'R');
	return false;
}

/* A rule of the answer wants to wait; true: there is nothing to wait for. */
static bool rest_answer(struct worker *w, struct exchange *x, enum verdict_kind kind, struct http_msg *m)
{
	if (kind == VERDICT_WAIT_BODY && !exchange_can_hold(w, x, m))
		return true;
	exchange_hold(w, x, m, kind == VERDICT_WAIT_BODY ? EXCHANGE_ANSWER_BODY : EXCHANGE_ANSWER_PAUSED);
	return false;
}

/* A rule wants to wait; true: there is nothing to wait for. */
static bool rest(struct worker *w, struct exchange *x, struct verdict *v, struct run *r, char phase)
{
	enum verdict_kind kind = v->kind;

	x->resume = v->rule;
	x->wait_ns = v->wait_ns;
	x->wait_bytes = v->wait_bytes;
	v->kind = VERDICT_GO_ON;
	obey(w, x, v, r, phase);
	if (phase == 'H')
		return rest_answer(w, x, kind, r->response);
	if (kind == VERDICT_WAIT_BODY)
		return exchange_has_body(w, x, r->request);
	if (kind == VERDICT_RESOLVE && !exchange_ask_name(w, x, v))
		return true;
	exchange_pause(w, x, r->request);
	return false;
}

static bool run_stage(struct worker *w, struct exchange *x, enum stage stage, const struct rules *rules,
		      struct run *r)
{
	struct verdict v = {.log_level = -1};

	if (x->stage > stage || !rules->first)
		return true;
	x->stage = (uint8_t)stage;
	for (;;) {
		r->scratch.used = 0;
		if (x->resume)
			rules_run_on(x->resume, r, &v);
		else
			rules_run(rules, r, &v);
		follow(w, x, r, &v);
		if (!give_hints(w, x, r))
			return false;
		if (v.kind != VERDICT_WAIT_BODY && v.kind != VERDICT_PAUSE && v.kind != VERDICT_RESOLVE) {
			x->resume = NULL;
			x->stage = (uint8_t)(stage + 1);
			return obey(w, x, &v, r, phase_of(stage));
		}
		if (!rest(w, x, &v, r, phase_of(stage)))
			return false;
	}
}

/* The request as it is on its way to a server, `len` bytes from its head on. NULL: it is none that can be read. */
static struct http_msg *written_request(struct worker *w, char *head, size_t len, size_t *ret_head_len)
{
	struct http_msg *m = &w->http->request;
	ssize_t n;

	h1_begin(m, head, 0, 0);
	m->lenient = true;
	m->head_max = UINT32_MAX;
	m->fields_max = HTTP_FIELDS_MAX + HTTP_FIELDS_ADDED_MAX; /* what rules added */
	n = h1_request(m, 0, (uint32_t)len);
	*ret_head_len = n > 0 ? (size_t)n : 0;
	return n > 0 ? m : NULL;
}

void http_sni(struct worker *w, struct exchange *x, char *head, size_t len, char name[TLS_NAME_SIZE])
{
	const struct expr *sni = backend_sni(x->seeker.backend, x->seeker.server);
	struct exchange_view view;
	size_t head_len = 0;
	struct run r;

	*name = '\0';
	if (!sni || !http_prepare_run(w, x, &view, &r))
		return;
	if (sni->needs & (EXPR_REQUEST | EXPR_MESSAGE | EXPR_ASKED))
		r.request = written_request(w, head, len, &head_len);
	r.body = text_of(head + head_len, len - head_len);
	if (!run_sni(sni, &r, name))
		*name = '\0';
}

bool http_hash_key(struct worker *w, struct exchange *x, struct http_msg *m)
{
	struct exchange_view view;
	struct run r;

	if (!http_prepare_run(w, x, &view, &r))
		return false;
	r.request = m;
	r.body = text_of(w->http->early, w->http->early_len);
	return run_hash_key(x->seeker.backend, &r, &x->seeker.key);
}

static bool is_monitor(const struct frontend *f, const struct http_msg *m)
{
	const char *uri = f->http->monitor_uri;
	struct http_span target = m->target, path = http_path(m);

	if (m->is_h2 && path.len) /* it is said as it came of HTTP/1.1: without scheme and authority */
		target = (struct http_span){path.at, target.at + target.len - path.at};
	return uri && target.len == strlen(uri) && !memcmp(m->base + target.at, uri, target.len);
}

/* How long a backend's option http-buffer-request waits. */
static uint64_t body_ns(const struct exchange *x)
{
	const struct cfg_timeouts *t = &x->seeker.backend->proxy->set.timeout;

	return t->http_request_ns ? t->http_request_ns : x->client->frontend->client_ns;
}

/* In mode tcp the frontend's rules have led here. */
static struct backend *chosen_before(struct exchange *x)
{
	struct rule_store *store = x->client->store;
	struct backend *b = store ? store->chosen : NULL;

	if (b)
		store->chosen = NULL;
	return b;
}

/* The frontend's rules, its page of statistics, use_backend. False: the exchange is over, or waits. */
static bool choose_backend(struct worker *w, struct exchange *x, struct http_msg *m, struct run *r)
{
	const struct frontend *f = x->client->frontend;
	const struct cfg_rules *front = f->rules;
	const struct cfg_proxy *p = f->proxy;
	struct backend *chosen = chosen_before(x);
	struct rule_store *store = x->client->store;
	bool again = x->stage > STAGE_FRONT_CONTENT || x->resume;
	bool passed = chosen || (store && store->to_http); /* mode tcp's rules have seen it */

	if (passed && store)
		store->to_http = false;

	x->seeker.backend = NULL; /* none is chosen */
	if (p->slots && r->captures && !again)
		capture_fields(r->captures, p->slots, CAPTURE_REQUEST, m);
	if (is_monitor(f, m)) { /* its rules end with an answer */
		run_rules(w, x, &front->monitor, r, 'R');
		return false;
	}
	if (front && !passed && !run_stage(w, x, STAGE_FRONT_CONTENT, &front->of[RULES_CONTENT], r))
		return false;
	if (!again)
		track_count(r->track, TABLE_HTTP_REQ_CNT, 1, w->now_ns);
	if (front && !run_stage(w, x, STAGE_FRONT, &front->of[RULES_REQUEST], r))
		return false;
	if (f->stats && http_stats(w, x, m, f->stats, f->name, r))
		return false;
	x->seeker.backend = chosen ? chosen : frontend_switch(f, r);
	exchange_routed(w, x);
	x->stage = STAGE_BACK_BODY;
	if (x->seeker.backend && !x->seeker.backend->http) { /* of mode tcp, and this connection is one of HTTP now */
		exchange_fail(w, x, 0, 'I', 'R');
		return false;
	}
	return true;
}

bool http_restrict_names(struct worker *w, struct exchange *x, struct http_msg *m, enum cfg_header_names how)
{
	for (unsigned i = 0; how && (i = http_find_odd_name(m, i)) < m->n_fields;) {
		if (how == CFG_NAMES_REJECT) {
			exchange_fail(w, x, 403, 'P', 'R');
			return false;
		}
		http_remove_at(m, i);
	}
	return true;
}

/* Those of the backend, and where it goes in there. */
static bool backend_rules(struct worker *w, struct exchange *x, struct http_msg *m, struct run *r)
{
	const struct frontend *f = x->client->frontend;
	struct backend *b = x->seeker.backend;
	const struct cfg_rules *front = f->rules, *back = b->proxy->rules;

	if (b->http->buffers_request && !f->http->buffers_request &&
	    !have_body(w, x, m, STAGE_BACK_BODY, body_ns(x)))
		return false;
	x->persistence = b->proxy->set.persists ? PERSISTENCE_FORCED : PERSISTENCE_USUAL;
	if (!back && !b->stats)
		return true;
	r->backend = (struct run_proxy){b->proxy->name, b->number};
	if (back && back != front && /* a listen section has its rules once */
	    (!run_stage(w, x, STAGE_BACK_CONTENT, &back->of[RULES_CONTENT], r) ||
	     !run_stage(w, x, STAGE_BACK, &back->of[RULES_REQUEST], r)))
		return false;
	if (b->stats && b->stats != f->stats && http_stats(w, x, m, b->stats, b->proxy->name, r))
		return false;
	x->persistence = (uint8_t)backend_persistence(b, r);
	x->wanted = back ? backend_wanted(b, r) : NULL;
	x->wanted_by_rule = x->wanted;
	if (back && !x->wanted && x->persistence != PERSISTENCE_IGNORED)
		x->wanted = backend_stick(b, r, x->client->store);
	return true;
}

bool http_request_rules(struct worker *w, struct exchange *x, struct http_msg *m)
{
	const struct frontend *f = x->client->frontend;
	const struct cfg_proxy *p = f->proxy;
	struct exchange_view view;
	struct run r;

	if (f->http->buffers_request &&
	    !have_body(w, x, m, STAGE_FRONT_BODY, f->request_ns ? f->request_ns : f->client_ns))
		return false;
	if (!f->rules && !p->slots && !(p->formats && p->formats->has_id) && !f->stats &&
	    !f->http->names &&
	    !(x->seeker.backend && (x->seeker.backend->proxy->rules || x->seeker.backend->stats ||
				    x->seeker.backend->http->buffers_request)))
		return true;
	if (!http_prepare_run(w, x, &view, &r)) {
		exchange_fail(w, x, 500, 'R', 'R');
		return false;
	}
	r.request = m;
	r.body = text_of(w->http->early, w->http->early_len);
	if (x->stage <= STAGE_SWITCH && !choose_backend(w, x, m, &r))
		return false;
	if (!http_restrict_names(w, x, m, f->http->names))
		return false;
	if (x->seeker.backend && !backend_rules(w, x, m, &r))
		return false;
	r.scratch.used = 0;
	if (r.id_format && !run_unique_id(&r).at) {
		exchange_fail(w, x, 500, 'R', 'R');
		return false;
	}
	if (p->slots &&
	    r.captures) /* as HAProxy: of what goes on, not of what a rule has answered */
		capture_cookie(r.captures, p->slots, CAPTURE_REQUEST, m);
	return true;
}

/* ---- The way back ---- */

/* What is done with an answer once, before its rules. */
static void begin_answer(struct exchange *x, struct http_msg *m, struct run *r)
{
	const struct frontend *f = x->client->frontend;

	rule_store_stick(x->client->store, backend_stick_id(x->seeker.backend, x->seeker.server), r->now_ns);
	backend_stick_response(x->seeker.backend, r, x->seeker.server);
	if (f->proxy->slots && r->captures) {
		capture_fields(r->captures, f->proxy->slots, CAPTURE_RESPONSE, m);
		capture_cookie(r->captures, f->proxy->slots, CAPTURE_RESPONSE, m);
	}
	if (r->vars)
		vars_end(r->vars, VAR_REQ);
}

bool http_response_rules(struct worker *w, struct exchange *x, struct http_msg *m)
{
	const struct cfg_rules *front = x->client->frontend->rules,
			       *back = x->seeker.backend->proxy->rules;
	const struct capture_slots *slots = x->client->frontend->proxy->slots;
	struct exchange_view view;
	struct run r;

	if (!front && !back && !slots)
		return true;
	if (!http_prepare_run(w, x, &view, &r)) {
		exchange_fail(w, x, 502, 'R', 'H');
		return false;
	}
	r.response = m;
	r.body = text_of(w->http->early, w->http->early_len);
	if (!x->resume)
		begin_answer(x, m, &r);
	if (back && !run_stage(w, x, STAGE_ANSWER_BACK, &back->of[RULES_RESPONSE], &r))
		return false;
	if (front && front != back && !run_stage(w, x, STAGE_ANSWER_FRONT, &front->of[RULES_RESPONSE], &r))
		return false;
	if (back && !run_rules(w, x, &back->of[RULES_AFTER_RESPONSE], &r, 'H'))
		return false;
	return !front || front == back ||
	       run_rules(w, x, &front->of[RULES_AFTER_RESPONSE], &r, 'H');
}

/* Variables live as long as what they are of. */
void http_rules_end(struct worker *w, struct client *c, const struct exchange *x)
{
	struct track *track = c->store ? c->store->track : NULL;

	if (track) {
		track_count(track, TABLE_BYTES_IN_CNT, (int64_t)x->bytes_in, w->now_ns);
		track_count(track, TABLE_BYTES_OUT_CNT, (int64_t)x->bytes, w->now_ns);
		if (x->cause.phase == 'H' && !x->was_answered && strchr("SsP", x->cause.who)) /* no answer, or none that can be read */
			track_count(track, TABLE_HTTP_FAIL_CNT, 1, w->now_ns);
	}
	if (c->store)
		rule_store_end(c->store);
}

void http_rules_forget(struct client *c)
{
	rule_store_free(c->store);
	c->store = NULL;
}
