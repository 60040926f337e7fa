/* SPDX-License-Identifier: MIT */
/* Sample fetches of what a log line may tell: times, how it ended, the listener, what rules have said so far. */
#include <string.h>

#include "rules/action/action.h"
#include "rules/log_facts.h"

enum fact {
	FACT_ACCEPT_DATE,
	FACT_ALGORITHM,
	FACT_ANSWER_VERSION,
	FACT_BYTES_IN,
	FACT_BYTES_OUT,
	FACT_CLIENT_TIMEOUT,
	FACT_COMPRESSED,
	FACT_CONNECT_TIME,
	FACT_DATA_TIME,
	FACT_HANDSHAKE_TIME,
	FACT_HEAD_TIME,
	FACT_IDLE_TIME,
	FACT_LISTENER_ID,
	FACT_LISTENER_NAME,
	FACT_LISTENER_OPEN,
	FACT_PRIORITY_CLASS,
	FACT_PRIORITY_OFFSET,
	FACT_QUEUE_TIME,
	FACT_REQUEST_DATE,
	FACT_RESPONSE_TIME,
	FACT_RULE_FILE,
	FACT_RULE_LINE,
	FACT_SERVER_TIMEOUT,
	FACT_STOPPING,
	FACT_TOTAL_TIME,
	FACT_TUNNEL_TIMEOUT,
	FACT_USER_TIME,
};

/* A time that never came so far has no value. */
static bool give(int64_t value, struct sample *ret)
{
	*ret = sample_int(value);
	return value >= 0;
}

static bool give_text(struct text t, struct sample *ret)
{
	*ret = sample_text(SAMPLE_STR, t.at, t.len);
	return t.at;
}

static int64_t in_unit(const struct timespec *t, const struct expr_arg *arg, unsigned n_args)
{
	if (n_args && !strcmp(arg->text.at, "ms"))
		return t->tv_sec * INT64_C(1000) + t->tv_nsec / 1000000;
	if (n_args && !strcmp(arg->text.at, "us"))
		return t->tv_sec * INT64_C(1000000) + t->tv_nsec / 1000;
	return t->tv_sec;
}

/* What the rules that run say counts before what those before them said; none is 0. */
static bool give_timeout(uint64_t now_ns, int64_t before, struct sample *ret)
{
	*ret = sample_int(now_ns ? (int64_t)(now_ns / 1000000) : before < 0 ? 0 : before);
	return true;
}

static bool fact(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		 struct sample *ret)
{
	static const struct verdict nothing;
	const struct verdict *so_far = r->so_far ? r->so_far : &nothing;
	struct log_facts facts;

	run_facts(r, true, &facts);
	switch ((enum fact)f->data) {
	case FACT_ACCEPT_DATE:
		return give(in_unit(&facts.accepted, arg, n_args), ret);
	case FACT_REQUEST_DATE:
		return give(in_unit(&facts.began, arg, n_args), ret);
	case FACT_ALGORITHM:
		return give_text(facts.compression, ret);
	case FACT_COMPRESSED:
		*ret = sample_bool(facts.compression.at != NULL);
		return true;
	case FACT_ANSWER_VERSION:
		return give_text(facts.answer_version, ret);
	case FACT_BYTES_IN:
		return give((int64_t)facts.uploaded, ret);
	case FACT_BYTES_OUT:
		return give((int64_t)facts.bytes, ret);
	case FACT_CONNECT_TIME:
		return give(facts.connect, ret);
	case FACT_DATA_TIME:
		return give(facts.data, ret);
	case FACT_HANDSHAKE_TIME:
		return give(facts.handshake, ret);
	case FACT_HEAD_TIME:
		return give(facts.request, ret);
	case FACT_IDLE_TIME:
		return give(facts.idle, ret);
	case FACT_QUEUE_TIME:
		return give(facts.queue, ret);
	case FACT_RESPONSE_TIME:
		return give(facts.response, ret);
	case FACT_TOTAL_TIME:
		return give(facts.total, ret);
	case FACT_USER_TIME:
		return give(facts.user, ret);
	case FACT_LISTENER_ID:
		return give(facts.listener_id ? (int64_t)facts.listener_id : -1, ret);
	case FACT_LISTENER_NAME:
		return give_text(facts.listener_name, ret);
	case FACT_LISTENER_OPEN:
		return give(facts.listener_open, ret);
	case FACT_PRIORITY_CLASS:
		*ret = sample_int(so_far->has_class ? so_far->priority_class : facts.priority_class);
		return true;
	case FACT_PRIORITY_OFFSET:
		*ret = sample_int(so_far->has_offset ? so_far->priority_offset : facts.priority_offset);
		return true;
	case FACT_RULE_FILE:
		return give_text(facts.rule_file, ret);
	case FACT_RULE_LINE:
		return give(facts.rule_file.at ? (int64_t)facts.rule_line : -1, ret);
	case FACT_CLIENT_TIMEOUT:
		return give_timeout(0, facts.client_timeout, ret);
	case FACT_SERVER_TIMEOUT:
		return give_timeout(so_far->server_ns, facts.server_timeout, ret);
	case FACT_TUNNEL_TIMEOUT:
		return give_timeout(so_far->tunnel_ns, facts.tunnel_timeout, ret);
	case FACT_STOPPING:
		*ret = sample_bool(facts.stopping);
		return true;
	}
	return false;
}

/* Of the answer that rules see; in a line of a log of what was sent. */
static bool status(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		   struct sample *ret)
{
	struct log_facts facts;

	if (r->response)
		return give(r->response->status, ret);
	if (!r->is_logged)
		return false;
	run_facts(r, true, &facts);
	return give(facts.status, ret);
}

/* txn.sess_term_state: HAProxy's two letters */
static bool ending(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		   struct sample *ret)
{
	struct log_facts facts;
	struct text t;

	run_facts(r, true, &facts);
	t = text_of(r->scratch.at + r->scratch.used, 2);
	*ret = sample_text(SAMPLE_STR, t.at, t.len);
	return scratch_put(&r->scratch, text_of(facts.state, 2));
}

/* Of the cache, which this version has not. */
static bool cache(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		  struct sample *ret)
{
	*ret = sample_bool(false);
	return f->out == SAMPLE_BOOL;
}

static bool check_unit(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return !n || !strcmp(arg->text.at, "s") || !strcmp(arg->text.at, "ms") || !strcmp(arg->text.at, "us") ||
	       rule_fail(e, "\"%.20s\" is no unit: write s, ms or us", arg->text.at);
}

/* clang-format off */
#define NUMBER(name, fact_) {name, "", SAMPLE_INT, 0, fact, fact_, NULL}
#define TEXT(name, fact_) {name, "", SAMPLE_STR, 0, fact, fact_, NULL}
const struct fetch fetches_facts[] = {
    {"accept_date", "S", SAMPLE_INT, 0, fact, FACT_ACCEPT_DATE, check_unit},
    NUMBER("bc.timer.connect", FACT_CONNECT_TIME),
    NUMBER("bytes_in", FACT_BYTES_IN),
    NUMBER("bytes_out", FACT_BYTES_OUT),
    TEXT("capture.res.ver", FACT_ANSWER_VERSION),
    {"cur_client_timeout", "", SAMPLE_INT, EXPR_BACKEND, fact, FACT_CLIENT_TIMEOUT, NULL},
    {"cur_server_timeout", "", SAMPLE_INT, EXPR_BACKEND, fact, FACT_SERVER_TIMEOUT, NULL},
    {"cur_tunnel_timeout", "", SAMPLE_INT, EXPR_BACKEND, fact, FACT_TUNNEL_TIMEOUT, NULL},
    NUMBER("dst_conn", FACT_LISTENER_OPEN),
    NUMBER("fc.timer.handshake", FACT_HANDSHAKE_TIME),
    NUMBER("fc.timer.total", FACT_TOTAL_TIME),
    TEXT("last_rule_file", FACT_RULE_FILE),
    NUMBER("last_rule_line", FACT_RULE_LINE),
    NUMBER("prio_class", FACT_PRIORITY_CLASS),
    NUMBER("prio_offset", FACT_PRIORITY_OFFSET),
    NUMBER("req.timer.hdr", FACT_HEAD_TIME),
    NUMBER("req.timer.idle", FACT_IDLE_TIME),
    NUMBER("req.timer.queue", FACT_QUEUE_TIME),
    {"request_date", "S", SAMPLE_INT, 0, fact, FACT_REQUEST_DATE, check_unit},
    {"res.cache_hit", "", SAMPLE_BOOL, EXPR_SERVER, cache, 0, NULL},
    {"res.cache_name", "", SAMPLE_STR, EXPR_SERVER, cache, 0, NULL},
    {"res.comp", "", SAMPLE_BOOL, EXPR_SERVER, fact, FACT_COMPRESSED, NULL},
    {"res.comp_algo", "", SAMPLE_STR, EXPR_SERVER, fact, FACT_ALGORITHM, NULL},
    NUMBER("res.timer.data", FACT_DATA_TIME),
    NUMBER("res.timer.hdr", FACT_RESPONSE_TIME),
    {"so_id", "", SAMPLE_INT, EXPR_CLIENT, fact, FACT_LISTENER_ID, NULL},
    {"so_name", "", SAMPLE_STR, EXPR_CLIENT, fact, FACT_LISTENER_NAME, NULL},
    {"status", "", SAMPLE_INT, EXPR_ANSWERED, status, 0, NULL},
    {"stopping", "", SAMPLE_BOOL, 0, fact, FACT_STOPPING, NULL},
    {"txn.status", "", SAMPLE_INT, EXPR_ANSWERED, status, 0, NULL},
    {"txn.sess_term_state", "", SAMPLE_STR, 0, ending, 0, NULL},
    NUMBER("txn.timer.total", FACT_TOTAL_TIME),
    NUMBER("txn.timer.user", FACT_USER_TIME),
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
