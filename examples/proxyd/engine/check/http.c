/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/format.h"
#include "rules/regex.h"
#include "rules/vars.h"

/* ---- Regular expressions for libhealth ---- */

static int compile(const char *pattern, void **ret)
{
	struct rule_error e = {""};
	struct regex *re = regex_new(pattern, false, &e);

	if (!re)
		return *e.text ? -EINVAL : -ENOMEM;
	*ret = re;
	return 0;
}

static int search(const void *re, const void *data, size_t len, size_t start, size_t *ret_from,
		  size_t *ret_to)
{
	const char *from = (const char *)data + start;
	struct text group[REGEX_GROUPS];

	if (!regex_match(re, text_of(from, len - start), group))
		return 0;
	*ret_from = (size_t)(group[0].at - (const char *)data);
	*ret_to = *ret_from + group[0].len;
	return 1;
}

static void free_regex(void *re)
{
	regex_free(re);
}

static const struct health_regex regex_ops = {
    .size = sizeof(regex_ops),
    .compile = compile,
    .search = search,
    .free = free_regex,
};

/* ---- A request, as libhealth takes it ---- */

static enum health_http_method method_of(const char *name)
{
	static const char *const names[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT"};

	for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return (enum health_http_method)i;
	return HEALTH_HTTP_OPTIONS;
}

bool http_check_describe(const struct cfg_httpchk *c, struct http_check_texts *t, struct health_http_opts *ret)
{
	static const struct health_http_range good = {200, 399}, any = {100, 999};
	bool expects_other = c->string || c->n_fields; /* then the code does not count, unless a line says so */
	size_t len = 0;

	snprintf(t->host, sizeof(t->host), "%s", c->version_1_1 ? "localhost" : "");
	for (unsigned i = 0; i < c->n_headers; i++) {
		const struct cfg_httpchk_header *h = &c->header[i];
		bool host = !strcasecmp(h->name, "host");
		char *to = host ? t->host : t->headers + len;
		size_t left = host ? sizeof(t->host) : sizeof(t->headers) - len;
		int n = snprintf(to, left, host ? "%s%s" : "%s: %s\r\n", host ? "" : h->name, h->text);

		if (n < 0 || (size_t)n >= left)
			return false;
		len += host ? 0 : (size_t)n;
	}
	for (unsigned i = 0; i < c->n_status; i++)
		t->status[i] = (struct health_http_range){c->status[i].first, c->status[i].last};
	for (unsigned i = 0; i < c->n_fields; i++)
		t->field[i] = (struct health_http_field){c->field[i].name, c->field[i].value, (enum health_http_match)c->field[i].match};
	*ret = (struct health_http_opts){
	    .size = sizeof(*ret),
	    .method = method_of(c->method),
	    .version = c->version_1_1 ? HEALTH_HTTP_1_1 : HEALTH_HTTP_1_0,
	    .path = c->uri,
	    .host = *t->host ? t->host : NULL,
	    .status = c->n_status ? t->status : expects_other ? &any : &good,
	    .n_status = c->n_status ? c->n_status : 1,
	    .body = c->is_regex ? NULL : c->string,
	    .regex = c->is_regex ? c->string : NULL,
	    .regex_ops = &regex_ops,
	    .fields = c->n_fields ? t->field : NULL,
	    .n_fields = c->n_fields,
	    .headers = len ? t->headers : NULL,
	    .content = c->body,
	    .content_len = c->body ? strlen(c->body) : 0,
	    .flags = (c->drain_404 ? HEALTH_HTTP_404_DRAINS : 0) | (c->not_string ? HEALTH_HTTP_NOT_BODY : 0),
	};
	return true;
}

/* ---- Requests that are written in each run ---- */

struct round {
	const struct cfg_httpchk *is;
	void *answer; /* libhealth's probe, which reads what comes */
};

struct http_check {
	struct check_of of;
	unsigned n;
	struct round round[CFG_HTTPCHK_ROUNDS_MAX];
};

struct state {
	struct vars vars;
	unsigned at;   /* the round */
	char *request; /* as it was sent */
	_Alignas(max_align_t) char answer[];
};

static void teardown(void *config)
{
	struct http_check *c = config;

	for (unsigned i = 0; i < c->n; i++) /* without memory some are NULL */
		health_probe_http()->teardown(c->round[i].answer);
	free(c);
}

/* The answer's probe sends nothing itself: it has a request of the same method. */
static int begin_round(struct round *round, const struct cfg_httpchk *is)
{
	struct cfg_httpchk plain = *is;
	struct http_check_texts texts;
	struct health_http_opts o;

	plain.uri = NULL;
	plain.n_headers = 0;
	if (!http_check_describe(&plain, &texts, &o))
		return -EINVAL;
	round->is = is;
	return health_probe_http()->setup(&o, &round->answer);
}

static int setup(const void *opts, void **ret)
{
	const struct http_check_opts *o = opts;
	struct http_check *c = calloc(1, sizeof(*c));
	unsigned n = 0;
	int e = c ? 0 : -ENOMEM;

	for (const struct cfg_httpchk *is = o->last; is; is = is->before)
		n++;
	if (!e) {
		c->of = o->of;
		c->n = n;
	}
	for (const struct cfg_httpchk *is = o->last; !e && is; is = is->before)
		e = begin_round(&c->round[--n], is);
	if (!e)
		*ret = c;
	else if (c)
		teardown(c);
	return e;
}

#define REQUEST_MAX 12288 /* bytes */

struct request {
	char *at;
	size_t len;
	bool bad; /* too long, or a value has a line end */
};

static void put(struct request *q, struct text t)
{
	if (t.len > REQUEST_MAX - q->len) {
		q->bad = true;
		return;
	}
	if (t.len)
		memcpy(q->at + q->len, t.at, t.len);
	q->len += t.len;
}

static void put_word(struct request *q, const char *word)
{
	put(q, text_of(word, strlen(word)));
}

static struct text written(struct request *q, const struct format *f, const char *as_is, struct run *r)
{
	struct text t = {as_is, as_is ? strlen(as_is) : 0};

	r->scratch.used = 0;
	if (f && !format_write(f, r, &t))
		q->bad = true;
	return t;
}

/* Nothing makes two lines of one (RFC 9110, section 5.5). */
static void put_line_part(struct request *q, struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (((unsigned char)t.at[i] < ' ' && t.at[i] != '\t') || t.at[i] == 0x7f)
			q->bad = true;
	put(q, t);
}

static void put_header(struct request *q, const char *name, struct text value)
{
	put_word(q, name);
	put_word(q, ": ");
	put_line_part(q, value);
	put_word(q, "\r\n");
}

/* One word, or it is no target. */
static void put_target(struct request *q, struct text t)
{
	if (!t.len || memchr(t.at, ' ', t.len) || memchr(t.at, '\t', t.len))
		q->bad = true;
	put_line_part(q, t);
}

static void write_request(struct request *q, const struct http_check *c, const struct cfg_httpchk *is, struct run *r)
{
	bool host = false;
	char text[1024], body[CFG_STEP_BYTES_MAX];
	struct text t = written(q, is->body_format, is->body, r);

	q->bad |= t.len > sizeof(body);
	if (!q->bad && t.len)
		memcpy(body, t.at, t.len); /* the next one is written there, too */
	t.at = body;
	put_word(q, is->method ? is->method : "OPTIONS");
	put_word(q, " ");
	put_target(q, written(q, is->uri_format, is->uri ? is->uri : "/", r));
	put_word(q, is->version_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
	for (unsigned i = 0; i < is->n_headers; i++) {
		host |= !strcasecmp(is->header[i].name, "host");
		put_header(q, is->header[i].name, written(q, is->header[i].value, is->header[i].text, r));
	}
	if (is->version_1_1 && !host)
		put_word(q, "Host: localhost\r\n");
	if (is->send_state)
		put_header(q, "X-Haproxy-Server-State", text_of(text, check_run_state(&c->of, text, sizeof(text))));
	if (is->body) {
		snprintf(text, sizeof(text), "Content-Length: %zu\r\n", q->bad ? 0 : t.len);
		put_word(q, text);
	}
	put_word(q, "Connection: close\r\n\r\n");
	if (!q->bad)
		put(q, t);
}

static enum health_step on_open(void *state, const void *config, struct health_probe_io *io)
{
	struct state *st = state;
	const struct http_check *c = config;
	const struct round *round = &c->round[st->at];
	struct request q = {.at = malloc(REQUEST_MAX)};
	char scratch[RUN_SCRATCH];
	struct run run;

	free(st->request);
	st->request = q.at;
	if (!q.at) {
		io->verdict = HEALTH_NEUTRAL;
		io->code = HEALTH_CODE_SOCKERR;
		return HEALTH_STEP_DONE;
	}
	check_run_prepare(&c->of, &st->vars, io->now_ns, (struct scratch){scratch, 0, sizeof(scratch)}, &run);
	check_run_rules(round->is->set, &run);
	write_request(&q, c, round->is, &run);
	if (q.bad) {
		io->verdict = HEALTH_FAIL;
		io->code = HEALTH_CODE_L7RSP;
		snprintf(io->text, sizeof(io->text), "what http-check send writes is no request");
		return HEALTH_STEP_DONE;
	}
	health_probe_http()->open(st->answer, round->answer, io);
	io->send = st->request;
	io->send_len = q.len;
	return HEALTH_STEP_MORE;
}

/* What the answer was worth: it is the verdict, or the next round begins. */
static enum health_step go_on(struct state *st, const struct http_check *c, enum health_step step, struct health_probe_io *io)
{
	const struct round *round = &c->round[st->at];
	char scratch[RUN_SCRATCH];
	struct run run;

	if (step != HEALTH_STEP_DONE || (io->verdict != HEALTH_OK && io->verdict != HEALTH_OK_DRAIN))
		return step;
	if (round->is->set_after) {
		check_run_prepare(&c->of, &st->vars, io->now_ns, (struct scratch){scratch, 0, sizeof(scratch)}, &run);
		check_run_rules(round->is->set_after, &run);
	}
	if (st->at + 1 == c->n || io->verdict != HEALTH_OK)
		return step;
	health_probe_http()->end(st->answer, round->answer);
	memset(st->answer, 0, health_probe_http()->state_size);
	st->at++;
	io->port = check_via_next(c->of.server->check_via, st->at, c->round[st->at].is->port ? (uint16_t)c->round[st->at].is->port : check_run_port(&c->of));
	return HEALTH_STEP_RECONNECT;
}

static enum health_step on_received(void *state, const void *config, const void *data, size_t len, struct health_probe_io *io)
{
	struct state *st = state;
	const struct http_check *c = config;

	return go_on(st, c, health_probe_http()->received(st->answer, c->round[st->at].answer, data, len, io), io);
}

static enum health_step on_closed(void *state, const void *config, int error, struct health_probe_io *io)
{
	struct state *st = state;
	const struct http_check *c = config;

	return go_on(st, c, health_probe_http()->closed(st->answer, c->round[st->at].answer, error, io), io);
}

static void on_end(void *state, const void *config)
{
	struct state *st = state;
	const struct http_check *c = config;

	health_probe_http()->end(st->answer, c->round[st->at].answer);
	vars_clear(&st->vars);
	free(st->request);
}

struct health_probe_ops http_check_ops(void)
{
	return (struct health_probe_ops){
	    .size = sizeof(struct health_probe_ops),
	    .name = "http-check",
	    .flags = HEALTH_PROBE_FIRST,
	    .state_size = sizeof(struct state) + health_probe_http()->state_size,
	    .setup = setup,
	    .teardown = teardown,
	    .open = on_open,
	    .received = on_received,
	    .closed = on_closed,
	    .end = on_end,
	};
}
