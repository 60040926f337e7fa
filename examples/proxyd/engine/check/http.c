/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/http/h1.h"
#include "expect.h"
#include "rules/format.h"
#include "rules/vars.h"

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
	static const struct health_http_range good = {200, 399};
	const struct cfg_expect *x = c->n_expects ? c->expect[0] : NULL; /* of the status; else the check is live */
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
	for (unsigned i = 0; x && i < x->n_status; i++)
		t->status[i] = (struct health_http_range){x->status[i].first, x->status[i].last};
	*ret = (struct health_http_opts){
	    .size = sizeof(*ret),
	    .method = method_of(c->method),
	    .version = c->version_1_1 ? HEALTH_HTTP_1_1 : HEALTH_HTTP_1_0,
	    .path = c->uri,
	    .host = *t->host ? t->host : NULL,
	    .status = x ? t->status : &good,
	    .n_status = x ? x->n_status : 1,
	    .headers = len ? t->headers : NULL,
	    .content = c->body,
	    .content_len = c->body ? strlen(c->body) : 0,
	    .flags = c->drain_404 ? HEALTH_HTTP_404_DRAINS : 0,
	};
	return true;
}

/* ---- Requests that are written, and answers that are judged, in each run ---- */

#define ANSWER_MAX 65536 /* bytes that are looked at */

/* What came over this connection. */
struct reply {
	struct http_msg msg; /* once its head is whole; of `bytes` */
	char *bytes;
	size_t len, cap;
	size_t head; /* its bytes; 0: not whole yet */
	struct h1_body body;
	size_t fed; /* bytes of the body's that were read */
	char *payload; /* of chunks, without their framing; else NULL */
	size_t payload_len;
};

struct http_check {
	struct check_of of;
	unsigned n;
	const struct cfg_httpchk *round[CFG_HTTPCHK_ROUNDS_MAX];
};

struct state {
	struct vars vars;
	unsigned at;	 /* the round */
	unsigned expect; /* the line of it that is waited for */
	char *request;	 /* as it was sent */
	struct reply *reply;
	struct cfg_addr to; /* of a connection that goes to another address than the check's */
};

static int setup(const void *opts, void **ret)
{
	const struct http_check_opts *o = opts;
	struct http_check *c = calloc(1, sizeof(*c));
	unsigned n;

	if (!c)
		return -ENOMEM;
	c->of = o->of;
	for (const struct cfg_httpchk *is = o->last; is; is = is->before)
		c->n++;
	n = c->n;
	for (const struct cfg_httpchk *is = o->last; is; is = is->before)
		c->round[--n] = is;
	*ret = c;
	return 0;
}

static void teardown(void *config)
{
	free(config);
}

static void reply_free(struct reply *a)
{
	if (!a)
		return;
	free(a->bytes);
	free(a->payload);
	free(a);
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

static enum health_step out_of_memory(struct health_probe_io *io)
{
	io->verdict = HEALTH_NEUTRAL;
	io->code = HEALTH_CODE_SOCKERR;
	snprintf(io->text, sizeof(io->text), "out of memory");
	return HEALTH_STEP_DONE;
}

static enum health_step broken(struct health_probe_io *io, const char *text)
{
	io->verdict = HEALTH_FAIL;
	io->code = HEALTH_CODE_L7RSP;
	snprintf(io->text, sizeof(io->text), "%s", text);
	return HEALTH_STEP_DONE;
}

static enum health_step on_open(void *state, const void *config, struct health_probe_io *io)
{
	struct state *st = state;
	const struct http_check *c = config;
	const struct cfg_httpchk *round = c->round[st->at];
	struct request q = {.at = malloc(REQUEST_MAX)};
	char scratch[RUN_SCRATCH];
	struct run run;

	free(st->request);
	reply_free(st->reply);
	st->request = q.at;
	st->reply = calloc(1, sizeof(*st->reply));
	st->expect = 0;
	if (!q.at || !st->reply)
		return out_of_memory(io);
	check_run_prepare(&c->of, &st->vars, io->now_ns, (struct scratch){scratch, 0, sizeof(scratch)}, &run);
	check_run_rules(round->set, &run);
	write_request(&q, c, round, &run);
	if (q.bad)
		return broken(io, "what http-check send writes is no request");
	io->send = st->request;
	io->send_len = q.len;
	return HEALTH_STEP_MORE;
}

/* ---- Reading the answer ---- */

static bool keep_bytes(struct reply *a, const void *data, size_t len)
{
	size_t room = ANSWER_MAX - a->len, take = len < room ? len : room, cap = a->cap ? a->cap : 2048;

	while (cap < a->len + take)
		cap *= 2;
	if (cap > a->cap) {
		char *bytes = realloc(a->bytes, cap);

		if (!bytes)
			return false;
		a->msg.base = a->bytes = bytes;
		a->cap = cap;
	}
	memcpy(a->bytes + a->len, data, take);
	a->len += take;
	return true;
}

/* The head, without interim answers before it. A fault is negative. */
static ssize_t read_head(struct reply *a, const struct cfg_httpchk *round)
{
	const char *method = round->method ? round->method : "OPTIONS";
	ssize_t n;

	for (;;) {
		h1_begin(&a->msg, a->bytes, 0, 0);
		a->msg.head_max = HTTP_HEAD_MAX;
		a->msg.fields_max = HTTP_FIELDS_MAX;
		a->msg.lenient = true;
		n = h1_response(&a->msg, 0, (uint32_t)a->len, http_method_of(method, strlen(method)), false);
		if (n <= 0 || a->msg.status >= 200 || a->msg.status == 101)
			break;
		a->len -= (size_t)n;
		memmove(a->bytes, a->bytes + n, a->len);
	}
	if (n > 0) {
		a->head = (size_t)n;
		h1_body_begin(&a->body, &a->msg);
	}
	return n;
}

/* False: no memory, or what came is no body; the fault tells. */
static bool read_body(struct reply *a)
{
	const char *from = a->bytes + a->head;
	size_t len = a->len - a->head;

	if (a->msg.framing == HTTP_BODY_CHUNKED && !a->payload)
		a->payload = malloc(ANSWER_MAX);
	if (a->msg.framing == HTTP_BODY_CHUNKED && !a->payload)
		return false;
	while (a->fed < len && !a->body.done) {
		struct http_span piece = {0, 0};
		size_t fed = h1_body_feed(&a->body, from + a->fed, len - a->fed, &piece);

		if (a->payload && piece.len)
			memcpy(a->payload + a->payload_len, from + a->fed + piece.at, piece.len);
		a->payload_len += piece.len;
		a->fed += fed;
		if (a->body.fault)
			return false;
		if (!fed)
			break;
	}
	return true;
}

static struct text payload_of(const struct reply *a)
{
	return text_of(a->payload ? a->payload : a->bytes + a->head, a->payload_len);
}

/* ---- Judging it ---- */

/* One call of the dialogue, once there is a head. */
struct turn {
	struct state *st;
	const struct http_check *c;
	bool last; /* no more of the body comes */
	struct health_probe_io *io;
	struct run run;
};

static void begin_turn(struct turn *t, char scratch[RUN_SCRATCH])
{
	struct reply *a = t->st->reply;

	check_run_prepare(&t->c->of, &t->st->vars, t->io->now_ns, (struct scratch){scratch, 0, RUN_SCRATCH}, &t->run);
	if (!a->head)
		return;
	t->run.response = &a->msg;
	t->run.body = text_of(a->bytes + a->head, a->len - a->head);
	t->io->status = a->msg.status;
}

static enum expect_found judge(struct turn *t, const struct cfg_expect *x)
{
	struct reply *a = t->st->reply;
	const char *text = x->not ? "HTTP check matched unwanted content" : "HTTP content check did not match";
	char reason[HEALTH_TEXT_MAX];
	enum expect_found answer;

	answer = x->what == CFG_EXPECT_BYTES ? expect_in(x, &t->run, payload_of(a), t->last)
					     : expect_of_head(x, &t->run);
	if (answer == ANSWER_NO_TEXT) {
		expect_failed(x, &t->run, HEALTH_CODE_L7RSP, EXPECT_NO_TEXT, t->io);
	} else if (answer == ANSWER_FAIL && x->what == CFG_EXPECT_BYTES) {
		expect_failed(x, &t->run, HEALTH_CODE_L7RSP,
			      a->payload_len ? text
					     : "HTTP content check could not find a response body",
			      t->io);
	} else if (answer == ANSWER_FAIL) {
		snprintf(reason, sizeof(reason), "%.*s", (int)(a->msg.reason.len < sizeof(reason) ? a->msg.reason.len : sizeof(reason) - 1),
			 http_text(&a->msg, a->msg.reason));
		expect_failed(x, &t->run, HEALTH_CODE_L7STS, reason, t->io);
	}
	return answer;
}

/* All of it is well: that is the verdict, or the next round begins. */
static enum health_step go_on(struct turn *t)
{
	struct state *st = t->st;
	const struct http_check *c = t->c;
	const struct cfg_httpchk *round = c->round[st->at];

	check_run_rules(round->set_after, &t->run);
	if (st->at + 1 == c->n) {
		expect_passed(round->n_expects ? round->expect[round->n_expects - 1] : NULL, &t->run, HEALTH_CODE_L7OK, "", t->io);
		return HEALTH_STEP_DONE;
	}
	st->at++;
	round = c->round[st->at];
	check_run_connect(&c->of, &round->connect, &round->port, st->at, &st->vars, &st->to, t->io);
	return HEALTH_STEP_RECONNECT;
}

static enum health_step judge_all(struct turn *t)
{
	static const struct cfg_status_range good = {200, 399};
	static const struct cfg_expect usual = {.what = CFG_EXPECT_STATUS, .status = &good, .n_status = 1};
	const struct cfg_httpchk *round = t->c->round[t->st->at];

	if (round->drain_404 && t->run.response->status == 404) {
		t->io->verdict = HEALTH_OK_DRAIN;
		t->io->code = HEALTH_CODE_L7OKC;
		return HEALTH_STEP_DONE;
	}
	if (!round->n_expects && judge(t, &usual) == ANSWER_FAIL)
		return HEALTH_STEP_DONE;
	for (; t->st->expect < round->n_expects; t->st->expect++) {
		enum expect_found answer = judge(t, round->expect[t->st->expect]);

		if (answer != ANSWER_NEXT)
			return answer == ANSWER_WAIT ? HEALTH_STEP_MORE : HEALTH_STEP_DONE;
	}
	return go_on(t);
}

static enum health_step on_received(void *state, const void *config, const void *data, size_t len, struct health_probe_io *io)
{
	struct state *st = state;
	const struct http_check *c = config;
	struct reply *a = st->reply;
	struct turn t = {.st = st, .c = c, .io = io};
	char scratch[RUN_SCRATCH];
	ssize_t n;

	if (!keep_bytes(a, data, len))
		return out_of_memory(io);
	n = a->head ? 1 : read_head(a, c->round[st->at]);
	if (n < 0)
		return broken(io, h1_fault_text((enum h1_fault)-n));
	if (!n)
		return a->len == ANSWER_MAX ? broken(io, "head of the answer too long") : HEALTH_STEP_MORE;
	if (!read_body(a))
		return a->body.fault ? broken(io, h1_fault_text(a->body.fault)) : out_of_memory(io);
	t.last = a->body.done || a->len == ANSWER_MAX;
	begin_turn(&t, scratch);
	return judge_all(&t);
}

/* Without a length the end of the connection is the end of the body (RFC 9112, section 6.3). */
static enum health_step on_closed(void *state, const void *config, int error, struct health_probe_io *io)
{
	struct state *st = state;
	const struct http_check *c = config;
	const struct cfg_httpchk *round = c->round[st->at];
	struct turn t = {.st = st, .c = c, .last = true, .io = io};
	char scratch[RUN_SCRATCH];

	if (error || (st->reply->head && !h1_body_ended(&st->reply->body)))
		return HEALTH_STEP_MORE;
	begin_turn(&t, scratch);
	if (st->reply->head)
		return judge_all(&t);
	if (!round->n_expects)
		return broken(io, "");
	expect_failed(round->expect[0], &t.run, HEALTH_CODE_L7RSP, "", io);
	return HEALTH_STEP_DONE;
}

static enum health_step on_timeout(void *state, const void *config, struct health_probe_io *io)
{
	const struct state *st = state;
	const struct http_check *c = config;
	const struct cfg_httpchk *round = c->round[st->at];

	expect_late(st->expect < round->n_expects ? round->expect[st->expect] : NULL, "", io);
	return HEALTH_STEP_DONE;
}

static void on_end(void *state, const void *config)
{
	struct state *st = state;

	reply_free(st->reply);
	vars_clear(&st->vars);
	free(st->request);
}

static const struct health_probe_ops ops = {
    .size = sizeof(ops),
    .name = "http-check",
    .flags = HEALTH_PROBE_FIRST,
    .state_size = sizeof(struct state),
    .setup = setup,
    .teardown = teardown,
    .open = on_open,
    .received = on_received,
    .closed = on_closed,
    .timeout = on_timeout,
    .end = on_end,
};

const struct health_probe_ops *http_check_ops(void)
{
	return &ops;
}
