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

#include "cfg_rules.h"

#define ANSWER_MAX (2 * HTTP_HEAD_MAX)

/* ---- What rules see ---- */

static struct run_end end_of(const struct endpoint *e)
{
	struct run_end end = {.address = sample_bool(false), .port = ntohs(e->port)};

	if (e->family != AF_INET && e->family != AF_INET6)
		return end;
	end.address.type = e->family == AF_INET ? SAMPLE_IPV4 : SAMPLE_IPV6;
	memcpy(end.address.ip, e->addr, e->family == AF_INET ? 4 : 16);
	return end;
}

/* Where the client connected to, unless a PROXY header told. */
static struct run_end destination_of(const struct endpoint *to, int fd)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct endpoint e = to ? *to : (struct endpoint){0};

	if (!e.family && getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		e = endpoint_of(&own);
	return end_of(&e);
}

static const struct backend *backend_named(const struct set *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n_backends; i++)
		if (strlen(s->backend[i].proxy->name) == len &&
		    !strncmp(s->backend[i].proxy->name, name, len))
			return &s->backend[i];
	return NULL;
}

static const struct frontend *frontend_named(const struct set *s, const char *name)
{
	for (size_t i = 0; i < s->n_frontends; i++)
		if (!strcmp(s->frontend[i].name, name))
			return &s->frontend[i];
	return NULL;
}

static bool count(void *userdata, enum run_count what, const char *proxy, int64_t *ret)
{
	const struct set *set = userdata;
	const struct backend *b = backend_named(set, proxy, strlen(proxy));
	const struct frontend *f;

	if (what == RUN_FE_CONN) {
		f = frontend_named(set, proxy);
		*ret = f ? atomic_load_explicit(&f->gate->n, memory_order_relaxed) : 0;
		return f;
	}
	if (!b)
		return false;
	switch (what) {
	case RUN_NBSRV:
		*ret = atomic_load_explicit(&b->pool->n_up, memory_order_relaxed);
		return true;
	case RUN_BE_CONN:
		*ret = atomic_load_explicit(&b->pool->n_sessions, memory_order_relaxed);
		return true;
	case RUN_QUEUE:
		*ret = atomic_load_explicit(&b->pool->n_queued, memory_order_relaxed);
		return true;
	default:
		return false;
	}
}

static void prepare(struct worker *w, const struct frontend *f, const struct backend *b,
		    struct run *r, struct scratch scratch)
{
	*r = (struct run){
	    .frontend = {f->name, f->number},
	    /* two runs of one turn must not roll the same */
	    .random_state = w->now_ns ^ (uint64_t)w->index << 56 ^ ++w->dice << 32,
	    .count = count,
	    .userdata = f->set,
	    .scratch = scratch,
	};
	if (b)
		r->backend = (struct run_proxy){b->proxy->name, b->number};
	clock_gettime(CLOCK_REALTIME, &r->wall);
}

static bool prepare_http(struct worker *w, struct exchange *x, struct run *r)
{
	const struct client *c = x->client;
	struct http_worker *h = w->http;

	if (!x->client->vars && c->frontend->set->cfg->vars)
		x->client->vars = calloc(1, sizeof(*c->vars));
	prepare(w, c->frontend, x->seeker.backend, r,
		(struct scratch){h->scratch, 0, sizeof(h->scratch)});
	r->source = end_of(&c->from);
	r->destination = destination_of(&c->to, c->h.fd);
	r->first_request = !c->not_first;
	r->ended = true;
	r->vars = c->vars;
	if (x->seeker.server)
		r->server.name = x->seeker.server->name;
	return c->vars || !c->frontend->set->cfg->vars;
}

/* ---- Answers of our own ---- */

struct reply {
	char *at;
	size_t len, cap;
	bool full;
};

static void put(struct reply *r, const char *at, size_t len)
{
	if (len > r->cap - r->len) {
		r->full = true;
		return;
	}
	if (len)
		memcpy(r->at + r->len, at, len);
	r->len += len;
}

static void put_text(struct reply *r, const char *text)
{
	put(r, text, strlen(text));
}

static void put_field(struct reply *r, const char *name, struct text value)
{
	if (!value.len || memchr(value.at, '\r', value.len) || memchr(value.at, '\n', value.len))
		return;
	put_text(r, name);
	put_text(r, ": ");
	put(r, value.at, value.len);
	put_text(r, "\r\n");
}

static void put_answer_fields(struct reply *to, const struct answer *a, struct run *r)
{
	for (unsigned i = 0; a && i < a->n_headers; i++) {
		struct text value;

		if (format_write(&a->header[i].value, r, &value))
			put_field(to, a->header[i].name, value);
	}
	if (a && a->content_type)
		put_field(to, "Content-Type", text_of(a->content_type, strlen(a->content_type)));
}

/* Whole, with its body. */
static void compose(struct reply *to, const struct verdict *v, struct run *r, bool goes_on,
		    bool has_body)
{
	struct text content = {"", 0};
	char line[96];

	if (v->answer && v->answer->content.n && !format_write(&v->answer->content, r, &content))
		to->full = true;
	snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\n", v->status,
		 http_reason(v->status), content.len);
	put_text(to, line);
	if (v->kind == VERDICT_REDIRECT) {
		put_field(to, "Location", v->location);
		put_text(to, "Cache-Control: no-cache\r\n");
		put_field(to, "Set-Cookie", v->cookie);
	}
	put_answer_fields(to, v->answer, r);
	if (!goes_on)
		put_text(to, "Connection: close\r\n");
	put_text(to, "\r\n");
	if (has_body)
		put(to, content.at, content.len);
}

/* Answers, and lets the client go on if its request is whole. */
static void reply(struct worker *w, struct exchange *x, const struct verdict *v, struct run *r)
{
	struct client *c = x->client;
	bool goes_on = x->client_keeps && x->up.done && !c->eof && !w->draining;
	struct reply to = {.at = w->http->written, .cap = sizeof(w->http->written)};

	compose(&to, v, r, goes_on, x->method != HTTP_METHOD_HEAD);
	if (to.full) {
		exchange_fail(w, x, 500, 'P', 'R');
		return;
	}
	x->status = v->status;
	x->cause = (struct conn_end_cause){'L', 'R'};
	x->client_keeps = goes_on;
	x->link_keeps = false;
	x->bytes += to.len;
	x->down.done = true;
	x->answered_ns = 0;
	if (client_give(w, c, to.at, to.len, 0))
		exchange_finish(w, x);
	else
		exchange_fail(w, x, 0, 'R', 'D');
}

/* The client is not told that its connection ends: what could say so does not reach it. */
static void hide_end(int fd)
{
	setsockopt(fd, IPPROTO_IP, IP_TTL, &(int){1}, sizeof(int));
	setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
}

/* True: the message goes on. */
static bool obey(struct worker *w, struct exchange *x, const struct verdict *v, struct run *r,
		 char phase)
{
	if (v->log_level >= 0)
		x->log_level = (int8_t)v->log_level;
	switch (v->kind) {
	case VERDICT_GO_ON:
	case VERDICT_ALLOW:
		return true;
	case VERDICT_DENY:
		if (v->answer)
			reply(w, x, v, r);
		else
			exchange_fail(w, x, v->status, 'P', phase);
		return false;
	case VERDICT_TARPIT:
		exchange_tarpit(w, x, v->status);
		return false;
	case VERDICT_SILENT_DROP:
		hide_end(x->client->h.fd);
		exchange_fail(w, x, 0, 'P', phase);
		return false;
	case VERDICT_REJECT:
		exchange_fail(w, x, 0, 'P', phase);
		return false;
	case VERDICT_REDIRECT:
	case VERDICT_RETURN:
		reply(w, x, v, r);
		return false;
	case VERDICT_ERROR:
		break;
	}
	exchange_fail(w, x, phase == 'R' ? 500 : 502, 'P', phase);
	return false;
}

/* ---- The way there ---- */

static bool run_rules(struct worker *w, struct exchange *x, const struct rules *rules,
		      struct run *r, char phase)
{
	struct verdict v = {.log_level = -1};

	if (!rules->first)
		return true;
	r->scratch.used = 0;
	rules_run(rules, r, &v);
	return obey(w, x, &v, r, phase);
}

struct backend *frontend_switch(const struct frontend *f, struct run *r)
{
	for (size_t i = 0; i < f->n_switches; i++) {
		const struct cfg_switch *sw = f->switches[i].on;
		const struct backend *b;
		struct text name;

		r->scratch.used = 0;
		if (sw->cond && !cond_eval(sw->cond, r))
			continue;
		if (f->switches[i].to)
			return f->switches[i].to;
		if (!format_write(&sw->format, r, &name))
			continue;
		b = backend_named(f->set, name.at, name.len);
		if (b && !b->http == !f->http)
			return (struct backend *)(uintptr_t)b;
	}
	return f->backend;
}

void frontend_switch_session(struct worker *w, struct session *s, int fd)
{
	char scratch[4096];
	struct run r;

	if (!s->frontend->n_switches)
		return;
	prepare(w, s->frontend, NULL, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	r.source = end_of(&s->client);
	r.destination = destination_of(s->target, fd);
	r.ended = true;
	s->seeker.backend = frontend_switch(s->frontend, &r);
}

bool http_request_rules(struct worker *w, struct exchange *x, struct http_msg *m)
{
	const struct frontend *f = x->client->frontend;
	const struct cfg_rules *front = f->rules, *back;
	struct run r;

	if (!front && !(x->seeker.backend && x->seeker.backend->proxy->rules))
		return true;
	if (!prepare_http(w, x, &r)) {
		exchange_fail(w, x, 500, 'R', 'R');
		return false;
	}
	r.request = m;
	if (front && !run_rules(w, x, &front->request, &r, 'R'))
		return false;
	if (front)
		x->seeker.backend = frontend_switch(f, &r);
	back = x->seeker.backend ? x->seeker.backend->proxy->rules : NULL;
	if (!back || back == front) /* a listen section has its rules once */
		return true;
	r.backend = (struct run_proxy){x->seeker.backend->proxy->name, x->seeker.backend->number};
	return run_rules(w, x, &back->request, &r, 'R');
}

/* ---- The way back ---- */

bool http_response_rules(struct worker *w, struct exchange *x, struct http_msg *m)
{
	const struct cfg_rules *front = x->client->frontend->rules,
			       *back = x->seeker.backend->proxy->rules;
	struct run r;

	if (!front && !back)
		return true;
	if (!prepare_http(w, x, &r)) {
		exchange_fail(w, x, 502, 'R', 'H');
		return false;
	}
	r.response = m;
	if (r.vars)
		vars_end(r.vars, x->client->frontend->set->cfg->vars, VAR_REQ);
	if (back && !run_rules(w, x, &back->response, &r, 'H'))
		return false;
	if (front && front != back && !run_rules(w, x, &front->response, &r, 'H'))
		return false;
	if (back && !run_rules(w, x, &back->after_response, &r, 'H'))
		return false;
	return !front || front == back || run_rules(w, x, &front->after_response, &r, 'H');
}

/* Variables live as long as what they are of. */
void http_rules_end(struct client *c)
{
	const struct var_names *names = c->frontend->set->cfg->vars;

	if (!c->vars || !names)
		return;
	vars_end(c->vars, names, VAR_TXN);
	vars_end(c->vars, names, VAR_REQ);
	vars_end(c->vars, names, VAR_RES);
}

void http_rules_forget(struct client *c)
{
	if (c->vars)
		vars_clear(c->vars);
	free(c->vars);
	c->vars = NULL;
}
