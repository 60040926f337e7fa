/* SPDX-License-Identifier: MIT */
/*
 * tcp-request and tcp-response rules. What a client or server has sent is looked at where it lies, in its
 * socket; so who is inspected needs no buffer, and what the rules let through is read as if nothing had been.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cfg/rules.h"
#include "count.h"
#include "engine/http/http.h"
#include "io.h"
#include "engine/log/facts.h"
#include "name_ask.h"
#include "rule_run.h"
#include "rule_store.h"
#include "rules/unique_id.h"

#define SCRATCH 8192 /* bytes for the values of one evaluation */

/* ---- Connections of either mode ---- */

/* For fc_src and its like. False: no memory. */
static bool keep_met(struct rule_store *store, const struct run *r)
{
	store->met = calloc(2, sizeof(*store->met));
	if (!store->met)
		return false;
	store->met[0] = r->source;
	store->met[1] = r->destination;
	return true;
}

/* False: it is not wanted; what rules change of its ends is in `ends`. */
static bool run_on_connection(struct worker *w, const struct connection_ends *ends,
			      enum rules_kind kind, bool *ret_greeting)
{
	const struct frontend *f = ends->frontend;
	const struct rules *rules = &f->rules->of[kind];
	struct verdict v = {.log_level = -1};
	char scratch[SCRATCH];
	struct run r;

	if (!rules->first)
		return true;
	if (!rule_store_get(ends->store))
		return false;
	run_prepare_connection(w, ends, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	r.facts = connection_facts;
	r.facts_of = ends;
	rules_run(rules, &r, &v);
	if (r.moved && kind == RULES_CONNECTION && !keep_met(*ends->store, &r))
		return false;
	if (r.moved) {
		*ends->from = run_endpoint(&r.source);
		*ends->to = run_endpoint(&r.destination);
	}
	run_mark_socket(ends->fd, &v);
	(*ends->store)->proxy_follows |= (*ends->store)->expects_cip ? v.expect_proxy : v.expect_cip && (*ret_greeting || v.expect_proxy);
	(*ends->store)->expects_cip |= v.expect_cip;
	*ret_greeting |= v.expect_proxy || v.expect_cip;
	if (v.kind == VERDICT_GO_ON || v.kind == VERDICT_ALLOW)
		return true;
	if (v.kind == VERDICT_SILENT_DROP)
		run_hide_end(ends->fd);
	count_not_admitted(w, f, ends->listener,
			   v.kind == VERDICT_SILENT_DROP ? COUNT_DENIED_REQUESTS
			   : kind == RULES_CONNECTION	 ? COUNT_DENIED_CONNECTIONS
							 : COUNT_DENIED_SESSIONS);
	return false;
}

bool connection_admit(struct worker *w, const struct connection_ends *ends, bool *ret_greeting)
{
	return !ends->frontend->rules || run_on_connection(w, ends, RULES_CONNECTION, ret_greeting);
}

bool connection_known(struct worker *w, const struct connection_ends *ends)
{
	bool unused;

	if (ends->frontend->rules && !run_on_connection(w, ends, RULES_SESSION, &unused))
		return false;
	count_admitted(w, ends->frontend, ends->listener);
	return true;
}

/* ---- Sessions ---- */

/* `v` lives as long as *r. */
static void prepare(struct worker *w, struct session *s, struct session_view *v, struct run *r, struct scratch scratch)
{
	*v = (struct session_view){w, s, false};
	run_prepare(w, s->frontend, s->seeker.backend, r, scratch);
	r->source = run_end_of(&s->client);
	r->destination = run_destination(session_target(s), s->handle[CONN_CLIENT].fd);
	r->client_tls = s->handle[CONN_CLIENT].tls;
	r->server_tls = s->handle[CONN_SERVER].tls;
	run_know_client(r, s->store);
	r->client_fd = s->handle[CONN_CLIENT].fd;
	r->server_fd = s->handle[CONN_SERVER].fd;
	if (s->store) {
		r->slots = s->frontend->proxy->slots;
		r->captures = rule_store_captures(s->store, r->slots);
	}
	r->facts = session_facts;
	r->facts_of = v;
	if (s->seeker.server)
		r->server.name = s->seeker.server->name;
}

static bool keep_ends(struct session *s, const struct run *r)
{
	struct endpoint to = run_endpoint(&r->destination);

	if (!r->moved)
		return true;
	s->client = run_endpoint(&r->source);
	return session_set_target(s, &to);
}

static enum inspection over(struct worker *w, struct session *s, char who, char phase)
{
	conn_end(&s->conn, who, phase);
	session_close(w, s);
	return INSPECT_OVER;
}

/* What the rules have seen has come, and goes nowhere. */
static enum inspection refuse(struct worker *w, struct session *s, const struct run *r, char who, char phase)
{
	s->conn.side[CONN_CLIENT].bytes += r->payload[0].len;
	s->conn.side[CONN_SERVER].bytes += r->payload[1].len;
	if (!s->store->switched)
		s->seeker.backend = NULL; /* none has been chosen */
	return over(w, s, who, phase);
}

static void limit(struct worker *w, struct session *s, struct verdict *v)
{
	struct session_more *more = session_more(s);

	pace_set(
	    more ? &more->pace : NULL, v->bandwidth,
	    (const uint64_t[]){s->conn.side[CONN_CLIENT].bytes, s->conn.side[CONN_SERVER].bytes},
	    w->now_ns);
}

/* Runs them, from behind a do-resolve that is done, and does what they say but for the verdict itself. */
static void run_rules(struct worker *w, struct session *s, const struct rules *rules, struct run *r, struct verdict *v)
{
	r->scratch.used = 0;
	if (s->store->resolved)
		rules_run_on(s->store->resolved, r, v);
	else
		rules_run(rules, r, v);
	if (v->bandwidth[0].filter || v->bandwidth[1].filter)
		limit(w, s, v);
	seeker_prioritize(&s->seeker, v);
	if (v->log_level >= 0)
		s->store->log_level = (int8_t)(v->log_level + 1);
	run_mark_socket(s->handle[CONN_CLIENT].fd, v);
}

/* What one section's rules say. */
static enum inspection inspect(struct worker *w, struct session *s, const struct rules *rules,
			       uint64_t delay_ns, uint64_t *since_ns, struct run *r, bool ended)
{
	struct verdict v = {.log_level = -1};
	int fd = s->handle[CONN_CLIENT].fd;

	if (!rules->first)
		return INSPECT_DONE;
	if (!*since_ns)
		*since_ns = w->now_ns;
	r->ended = ended || w->now_ns - *since_ns >= delay_ns;
	run_rules(w, s, rules, r, &v);
	while (v.kind == VERDICT_RESOLVE) {
		s->store->resolved = v.rule;
		if (session_ask_name(w, s, &v))
			return keep_ends(s, r) ? INSPECT_WAIT : over(w, s, 'R', 'R');
		run_rules(w, s, rules, r, &v);
	}
	if (v.kind != VERDICT_GO_ON && v.kind != VERDICT_WAIT)
		s->store->last_rule = v.rule;
	switch (v.kind) {
	case VERDICT_GO_ON:
	case VERDICT_ALLOW:
		s->store->resolved = NULL; /* the next section's rules begin */
		s->store->to_http |= v.to_http;
		return keep_ends(s, r) ? INSPECT_DONE : over(w, s, 'R', 'R');
	case VERDICT_WAIT:
		return INSPECT_WAIT;
	case VERDICT_SILENT_DROP:
		run_hide_end(fd);
		return refuse(w, s, r, 'P', 'R');
	case VERDICT_CLOSE:
		handle_abort(&s->handle[CONN_SERVER]);
		return refuse(w, s, r, '-', '-');
	default:
		break;
	}
	return refuse(w, s, r, 'P', s->conn.state == CONN_OPEN ? 'D' : 'R');
}

static const struct cfg_rules *rules_of(const struct backend *b)
{
	return b ? b->proxy->rules : NULL;
}

/* What lies in the socket of one end. False: the connection failed. */
static bool peek(struct worker *w, struct session *s, enum conn_end end, struct run *r,
		 bool *ret_ended)
{
	ssize_t n = handle_peek(&s->handle[end], w->scratch, sizeof(w->scratch));

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	*ret_ended = n == 0 || s->conn.side[end].hup || n == (ssize_t)sizeof(w->scratch);
	r->payload[end == CONN_SERVER] = text_of(w->scratch, n > 0 ? (size_t)n : 0);
	return true;
}

/* The fetches of HTTP hold in mode tcp, too, as far as the client has sent a head. */
static void find_request(struct run *r)
{
	struct worker *w = r->finder;
	size_t len = r->payload[0].len < HTTP_RECEIVE ? r->payload[0].len : HTTP_RECEIVE;
	struct http_msg *m;
	ssize_t head;

	if (!w->http)
		w->http = http_worker_new();
	if (!w->http || !len) {
		r->may_change = !r->ended;
		return;
	}
	m = &w->http->request;
	memcpy(w->http->buffer + HTTP_ROOM, r->payload[0].at, len);
	http_begin(w, m, HTTP_ROOM);
	head = h1_request(m, HTTP_ROOM, (uint32_t)len);
	if (head > 0)
		r->request = m;
	else if (head == 0)
		r->may_change = !r->ended;
}

enum inspection session_inspect(struct worker *w, struct session *s)
{
	const struct cfg_rules *front = s->frontend->rules, *back = rules_of(s->seeker.backend);
	enum inspection i = INSPECT_DONE;
	char scratch[SCRATCH];
	struct session_view view;
	struct run r;
	bool ended;

	if (!front && !back)
		return INSPECT_DONE;
	if (!rule_store_get(&s->store))
		return over(w, s, 'R', 'R');
	if (s->store->name_ask)
		return INSPECT_WAIT;
	prepare(w, s, &view, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	if (!peek(w, s, CONN_CLIENT, &r, &ended))
		return over(w, s, 'C', 'R');
	r.find_request = find_request;
	r.finder = w;
	if (!s->store->switched) {
		if (front)
			i = inspect(w, s, &front->of[RULES_CONTENT], front->inspect_ns,
				    &s->store->inspected_ns[0], &r, ended);
		if (i != INSPECT_DONE) /* over: the session has no store any more */
			return i;
		if (s->store->to_http) {
			s->seeker.backend = NULL; /* its first request chooses */
			return i;
		}
		r.ended = true;
		s->seeker.backend = frontend_switch(s->frontend, &r);
		s->store->switched = true;
		if (s->seeker.backend && !s->seeker.backend->http)
			count_given(w, s->seeker.backend);
	}
	back = rules_of(s->seeker.backend);
	if (!back || s->seeker.backend->http) /* that one's are for each request */
		return INSPECT_DONE;
	r.backend = (struct run_proxy){s->seeker.backend->proxy->name, s->seeker.backend->number};
	if (back != front) /* a listen section has its rules once */
		i = inspect(w, s, &back->of[RULES_CONTENT], back->inspect_ns,
			    &s->store->inspected_ns[1], &r, ended);
	if (i == INSPECT_DONE) {
		r.ended = true;
		enum persistence how = backend_persistence(s->seeker.backend, &r);

		s->store->forces = how == PERSISTENCE_FORCED;
		s->store->wanted = backend_wanted(s->seeker.backend, &r);
		if (!s->store->wanted && how != PERSISTENCE_IGNORED)
			s->store->wanted = backend_stick(s->seeker.backend, &r, s->store);
	}
	return i;
}

struct server *session_key(struct worker *w, struct session *s, const char *early, size_t len)
{
	const struct backend *b = s->seeker.backend;
	char scratch[SCRATCH];
	struct session_view view;
	struct run r;

	prepare(w, s, &view, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	r.payload[0] = text_of(early, len);
	r.ended = true;
	if (b->hash && !run_hash_key(b, &r, &s->seeker.key))
		seeker_without_key(&s->seeker);
	return backend_persist(b, &r);
}

bool session_sni(struct worker *w, struct session *s, char name[TLS_NAME_SIZE])
{
	const struct expr *sni = backend_sni(s->seeker.backend, s->seeker.server);
	char scratch[1024];
	struct session_view view;
	struct run r;

	if (!sni)
		return false;
	prepare(w, s, &view, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	return run_sni(sni, &r, name);
}

const char *session_unique_id(struct worker *w, struct session *s)
{
	char scratch[SCRATCH];
	struct session_view view;
	struct run r;

	if (!rule_store_get(&s->store))
		return NULL;
	prepare(w, s, &view, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	r.ended = true;
	return run_unique_id(&r).at;
}

/* ---- The server's first bytes ---- */

bool session_inspects_answer(const struct session *s)
{
	const struct cfg_rules *rules = rules_of(s->seeker.backend);

	return rules && (rules->of[RULES_TCP_RESPONSE].first || backend_sticks_answers(s->seeker.backend));
}

enum inspection session_inspect_answer(struct worker *w, struct session *s)
{
	const struct cfg_rules *rules = rules_of(s->seeker.backend);
	char scratch[SCRATCH];
	enum inspection i;
	struct session_view view;
	struct run r;
	bool ended;

	if (!rule_store_get(&s->store))
		return over(w, s, 'R', 'D');
	prepare(w, s, &view, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	if (!peek(w, s, CONN_SERVER, &r, &ended))
		ended = true;
	i = inspect(w, s, &rules->of[RULES_TCP_RESPONSE], rules->inspect_answer_ns,
		    &s->store->inspected_ns[2], &r, ended);
	s->inspects_answer = i == INSPECT_WAIT;
	if (i == INSPECT_DONE) {
		r.ended = true;
		backend_stick_response(s->seeker.backend, &r, s->seeker.server);
	}
	return i;
}

static uint64_t end_of_delay(uint64_t since_ns, uint64_t delay_ns)
{
	return since_ns ? since_ns + delay_ns : CONN_NEVER;
}

uint64_t session_inspect_deadline(const struct session *s)
{
	const struct cfg_rules *front = s->frontend->rules, *back = rules_of(s->seeker.backend);

	if (!s->store || s->store->name_ask)
		return CONN_NEVER;
	if (s->inspects_answer)
		return end_of_delay(s->store->inspected_ns[2], back->inspect_answer_ns);
	if (s->phase != SESSION_INSPECTING)
		return CONN_NEVER;
	if (!s->store->switched)
		return end_of_delay(s->store->inspected_ns[0], front->inspect_ns);
	return end_of_delay(s->store->inspected_ns[1], back->inspect_ns);
}
