/* SPDX-License-Identifier: MIT */
/* What log lines, and the variables of formats, tell of sessions and exchanges. */
#include "facts.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

#include "cfg/rules.h"
#include "engine/compress.h"
#include "engine/http/http.h"
#include "engine/rule_run.h"
#include "engine/rule_store.h"
#include "rules/unique_id.h"

#define SCRATCH 24576 /* bytes: a line, and the values of its expressions */
#define LOG_SILENT 8  /* set-log-level silent */

/* -1 when the phase was never reached, as HAProxy prints it. */
static int64_t ms(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns >= from_ns ? (int64_t)((to_ns - from_ns) / CFG_MS) : -1;
}

static struct text text_c(const char *t)
{
	return text_of(t, t ? strlen(t) : 0);
}

static struct timespec ago(const struct timespec *now, uint64_t ns)
{
	uint64_t at = (uint64_t)now->tv_sec * 1000000000u + (uint64_t)now->tv_nsec;

	at = at > ns ? at - ns : 0;
	return (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
}

static void own_end(int fd, struct run_end *ret)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (fd >= 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
		struct endpoint e = endpoint_of(&a);

		*ret = run_end_of(&e);
	}
}

static void counts(struct worker *w, const struct frontend *f, const struct seeker *k, bool early,
		   struct log_facts *ret)
{
	const struct pool *p = k->backend ? k->backend->pool : NULL;
	const struct server *s = k->server, *told = seeker_told(k);

	ret->frontend_name = text_c(f->name);
	ret->backend_name = text_c(p ? p->name : f->name);
	ret->server_name = text_c(told ? told->name : "<NOSRV>");
	ret->forwarded = s;
	ret->actconn = atomic_load(&w->engine->gate.n);
	ret->feconn = atomic_load(&f->gate->n);
	ret->n_lines = atomic_load_explicit(&f->gate->n_lines, memory_order_relaxed);
	/* as HAProxy: without this one, which is over; its place at a server is given back even earlier */
	ret->beconn = p ? pool_sessions(p) - (s && !early) : 0;
	ret->srvconn = told ? atomic_load(&told->n_sessions) - (s != NULL) : 0;
	ret->backend_queue = k->more ? k->more->pool_place : 0;
	ret->server_queue = k->more ? k->more->server_place : 0;
	ret->retries = k->attempts.failures;
	if (k->backend && ret->retries > k->backend->retries) /* the first attempt is none */
		ret->retries = k->backend->retries;
	ret->redispatched = k->attempts.redispatched;
	ret->n_captures[0] = f->proxy->slots ? f->proxy->slots->n[0] : 0;
	ret->n_captures[1] = f->proxy->slots ? f->proxy->slots->n[1] : 0;
	if (s && server_addr(s)->len) {
		struct endpoint e = endpoint_of(&server_addr(s)->storage);

		ret->server = run_end_of(&e);
	}
}

static void of_store(const struct rule_store *store, struct log_facts *ret)
{
	if (!store)
		return;
	ret->captures = store->captures;
	ret->unique_id = &store->unique_id;
	if (store->captures) {
		ret->cookie = text_c(store->captures->cookie[0]);
		ret->set_cookie = text_c(store->captures->cookie[1]);
	}
}

/* -1: none. */
static int64_t timeout(uint64_t ns)
{
	return ns ? (int64_t)(ns / CFG_MS) : -1;
}

static int64_t or_else(uint64_t ns, uint64_t otherwise_ns)
{
	return timeout(ns ? ns : otherwise_ns);
}

const struct set_listener *frontend_listener(const struct frontend *f, unsigned number)
{
	const struct set *s = f->set;

	for (size_t i = 0; i < s->n_listeners; i++)
		if (s->listener[i].frontend == f && s->listener[i].number == number)
			return &s->listener[i];
	return NULL;
}

/* `bind`: the number of the frontend's line; 0: not known. */
static void of_listener(const struct frontend *f, unsigned bind, struct log_facts *ret)
{
	const struct set_listener *l = frontend_listener(f, bind);

	ret->listener_id = bind;
	ret->listener_name = text_c(l ? l->name : NULL);
	/* without option socket-stats they are counted together */
	ret->listener_open = l && l->tally ? tally_open(l->tally) : (int64_t)atomic_load(&f->gate->n);
	ret->client_timeout = timeout(f->client_ns);
}

/* What only expressions ask. */
static void of_rules(const struct worker *w, const struct frontend *f, unsigned bind, const struct rule_store *store,
		     const struct seeker *k, struct log_facts *ret)
{
	if (!ret->asks_rare)
		return;
	of_listener(f, bind, ret);
	ret->stopping = w->draining;
	seeker_priority(k, &ret->priority_class, &ret->priority_offset);
	if (store && store->last_rule) {
		ret->rule_file = text_c(rule_file(store->last_rule));
		ret->rule_line = rule_line(store->last_rule);
	}
}

static void of_tls(const struct tls *tls, struct log_facts *ret)
{
	if (!tls)
		return;
	ret->tls = true;
	ret->tls_version = text_c(tls_version(tls));
	ret->tls_cipher = text_c(tls_cipher(tls));
}

/* Do its lines say where the client connected to? */
static bool asks_destination(const struct frontend *f)
{
	const struct cfg_formats *formats = f->proxy->formats;

	return formats->line.asks_destination || formats->sd.asks_destination || formats->error.asks_destination;
}

/* ---- Connections, before they are sessions or ask for anything ---- */

void connection_facts(const void *of, struct log_facts *f)
{
	const struct connection_ends *ends = of;

	of_listener(ends->frontend, ends->bind, f);
	f->backend_name = f->frontend_name;
	f->server_name = text_c("<NOSRV>");
	f->idle = f->handshake = 0;
	f->request = f->queue = f->connect = f->response = f->data = f->total = f->active = f->user = -1;
	f->status = -1;
	f->feconn = atomic_load(&ends->frontend->gate->n);
}

/* It failed: as HAProxy tells of it. */
static void failed_facts(const void *of, struct log_facts *f)
{
	const struct connection_ends *ends = of;

	connection_facts(ends, f);
	of_tls(ends->tls, f);
	f->state[0] = 'P';
	f->state[1] = 'R';
	f->active = f->status = 0;
}

/* ---- Sessions ---- */

void session_facts(const void *of, struct log_facts *f)
{
	const struct session_view *v = of;
	const struct session *s = v->s;
	struct worker *w = v->w;
	uint64_t queued_at = session_queued_until_ns(s), connected_ns = session_connected_ns(s);

	counts(w, s->frontend, &s->seeker, v->early, f);
	of_store(s->store, f);
	of_tls(s->handle[CONN_CLIENT].tls, f);
	of_rules(w, s->frontend, s->bind, s->store, &s->seeker, f);
	if (f->asks_rare && s->seeker.backend) {
		f->server_timeout = timeout(s->seeker.backend->timeout.server_ns);
		f->tunnel_timeout = or_else(session_tunnel(s) ? session_tunnel(s)->tunnel_ns : 0,
					    s->seeker.backend->timeout.tunnel_ns);
	}
	f->accepted = f->began = ago(&f->accepted, w->now_ns - s->accepted_ns);
	f->logasap = s->frontend->proxy->set.logasap;
	f->handshake = f->idle = 0;
	f->request = f->response = -1;
	f->queue = s->seeker.server || seeker_queued_ns(&s->seeker) ? ms(s->accepted_ns, queued_at) : -1;
	f->connect = connected_ns ? ms(queued_at, connected_ns) : -1;
	f->data = connected_ns ? ms(connected_ns, w->now_ns) : -1;
	f->total = f->active = f->user = ms(s->accepted_ns, w->now_ns);
	f->bytes = s->conn.side[CONN_SERVER].bytes;
	f->uploaded = s->conn.side[CONN_CLIENT].bytes;
	f->state[0] = s->conn.cause.who;
	f->state[1] = s->conn.cause.phase;
	f->backend_fd = s->handle[CONN_SERVER].fd;
	f->own_end = f->backend_fd >= 0 ? own_end : NULL;
	f->count = (uint32_t)(uintptr_t)s->accepted_ns;
}

static void session_run_facts(struct worker *w, struct session *s, bool early,
			      struct session_view *v, struct run *r, struct scratch scratch)
{
	*v = (struct session_view){w, s, early};
	run_prepare(w, s->frontend, s->seeker.backend, r, scratch);
	r->source = run_end_of(&s->client);
	if (asks_destination(s->frontend)) /* it costs a call */
		r->destination = run_destination(session_target(s), s->handle[CONN_CLIENT].fd);
	r->ended = true;
	run_know_client(r, s->store);
	r->client_fd = s->handle[CONN_CLIENT].fd;
	r->server_fd = s->handle[CONN_SERVER].fd;
	r->client_tls = s->handle[CONN_CLIENT].tls;
	r->server_tls = s->handle[CONN_SERVER].tls;
	r->captures = s->store ? s->store->captures : NULL;
	r->facts = session_facts;
	r->facts_of = v;
}

/* As HAProxy: a cookie that is left alone is followed, and not told of. */
static bool shows_cookie(const struct exchange *x)
{
	const struct cfg_cookie *c = x->seeker.backend && x->seeker.backend->http ? x->seeker.backend->http->cookie : NULL;

	return c && (c->mode != CFG_COOKIE_PASSIVE || c->indirect);
}

/* N also of what a rule has answered before cookies were looked at. */
static char cookie_state(const struct exchange *x, char state)
{
	return !shows_cookie(x) ? '-' : state == '-' ? 'N' : state;
}

/* ---- Exchanges ---- */

static void exchange_facts(const void *of, struct log_facts *f)
{
	const struct exchange_view *v = of;
	const struct exchange *x = v->x;
	struct worker *w = v->w;
	uint64_t queued_at = x->asked_ns + seeker_queued_ns(&x->seeker);
	bool asked = x->asked_ns, reached = x->seeker.server != NULL;

	counts(w, v->frontend, &x->seeker, v->early, f);
	if (!x->routed) /* the default backend is none yet */
		f->backend_name = f->frontend_name;
	of_store(v->store, f);
	of_tls(v->tls, f);
	of_rules(w, v->frontend, x->client ? x->client->bind : 0, v->store, &x->seeker, f);
	if (f->asks_rare && x->seeker.backend) {
		f->server_timeout = or_else(x->server_ns, x->seeker.backend->timeout.server_ns);
		f->tunnel_timeout = or_else(x->tunnel_ns, x->seeker.backend->timeout.tunnel_ns);
	}
	if (x->deflater && x->encoding != CFG_IDENTITY)
		f->compression = text_c(coding_name((enum cfg_encoding)x->encoding));
	f->answer_version = text_c(x->answer_version == 2 ? "HTTP/1.1" : x->answer_version ? "HTTP/1.0" : NULL);
	f->accepted = ago(&f->accepted, w->now_ns - v->idle_ns);
	f->began = ago(&f->began, w->now_ns - x->began_ns);
	f->logasap = v->frontend->proxy->set.logasap;
	f->handshake = 0;
	f->idle = ms(v->idle_ns, x->began_ns);
	f->idle = f->idle < 0 ? 0 : f->idle;
	f->request = asked ? ms(x->began_ns, x->asked_ns) : -1;
	f->queue = reached || seeker_queued_ns(&x->seeker) ? ms(x->asked_ns, queued_at) : -1;
	f->connect = x->connected_ns ? ms(queued_at, x->connected_ns) : -1;
	f->response = x->connected_ns && x->answered_ns ? ms(x->connected_ns, x->answered_ns) : -1;
	f->data = x->answered_ns ? ms(x->answered_ns, w->now_ns) : -1;
	f->active = ms(x->began_ns, w->now_ns);
	f->user = f->active;
	f->total = f->active + f->idle;
	f->own = x->own;
	if (x->cause.phase == 'T') { /* a tarpit is, as in HAProxy, no request, and all its time a queue's */
		f->request = -1;
		f->queue = f->total + 1;
	} else if (x->own) { /* as HAProxy tells of them: a server of its own that is there at once */
		f->server_name = text_c(x->own);
		f->queue = f->connect = 0;
		f->response = x->status == 401 || x->status == 403 ? -1 : 0; /* refused before it was asked */
		f->data = f->active;
	} else if (!x->seeker.backend && x->cause.who == 'S') { /* nowhere to go: it counts as not asked */
		f->request = -1;
	} else if (!x->status && x->cause.who == 'P' &&
		   x->cause.phase == 'R') { /* reject: the same */
		f->request = -1;
	}
	f->status = x->status ? (int)x->status : -1;
	f->bytes = v->bytes;
	f->uploaded = v->early ? 0 : x->bytes_in; /* as HAProxy, which counts them at the end */
	f->line = text_c(x->line);
	if (!asked && !x->line) /* it was no request */
		f->n_captures[0] = f->n_captures[1] = 0;
	f->state[0] = x->cause.who;
	f->state[1] = x->cause.phase;
	f->state[2] = cookie_state(x, x->cookie_in);
	f->state[3] = cookie_state(x, x->cookie_out);
	f->backend_fd = x->link ? x->link->h.fd : -1;
	f->own_end = f->backend_fd >= 0 ? own_end : NULL;
	f->count = x->count;
}

void exchange_run_facts(struct exchange_view *v, const struct endpoint *from,
			const struct endpoint *to, int fd, struct run *r, struct scratch scratch)
{
	run_prepare(v->w, v->frontend, v->x->seeker.backend, r, scratch);
	r->source = run_end_of(from);
	if (fd >= 0)
		r->destination = run_destination(to, fd);
	r->ended = true;
	r->first_request = v->x->client && !v->x->client->not_first;
	r->is_h2 = v->x->client && client_is_stream(v->x->client);
	run_know_client(r, v->store);
	if (v->x->client)
		r->client_fd = v->x->client->h.fd;
	if (v->x->link)
		r->server_fd = v->x->link->h.fd;
	r->captures = v->store ? v->store->captures : NULL;
	r->slots = v->frontend->proxy->slots;
	r->was_asked = v->x->asked_ns;
	r->method = v->x->method;
	r->request_line = text_c(v->x->line);
	if (!v->x->asked_ns && !v->x->line)
		r->id_format = NULL; /* it was no request */
	if (v->x->seeker.server)
		r->server.name = v->x->seeker.server->name;
	r->client_tls = v->tls;
	r->facts = exchange_facts;
	r->facts_of = v;
}

/* ---- Lines ---- */

static bool is_error(struct conn_end_cause cause, const struct conn_attempts *a, unsigned status)
{
	return (cause.who != '-' && cause.who != 'L') || a->failures || status >= 500;
}

static void write_line(struct worker *w, const struct frontend *f, const struct format *format, struct run *r,
		       bool error, int wanted_level)
{
	const struct cfg_formats *formats = f->proxy->formats;
	struct log_message m = {.level = LOG_INFO, .is_json = format->is_json};

	r->is_logged = true;
	run_unique_id(r); /* as HAProxy: what is logged has one */
	if (wanted_level == LOG_SILENT || (f->proxy->set.dontlog_normal && !error))
		return;
	if (f->proxy->set.log_separate_errors && error)
		m.level = LOG_ERR;
	if (wanted_level >= 0)
		m.level = wanted_level;
	if (!format_write(format, r, &m.line))
		return;
	if (formats->has_sd && !format_write(&formats->sd, r, &m.sd))
		m.sd.len = 0;
	atomic_fetch_add_explicit(&f->gate->n_lines, 1, memory_order_relaxed);
	log_message(w, f, &m);
}

/* As error-log-format says, or in JSON as all lines are. False: neither is so. */
static bool write_error_format(struct worker *w, const struct connection_ends *ends, unsigned code, const char *words)
{
	const struct frontend *f = ends->frontend;
	const struct cfg_formats *formats = f->proxy->formats;
	char scratch[SCRATCH];
	struct run r;

	if (!formats || (!formats->has_error && !formats->line.is_json))
		return false;
	run_prepare_connection(w, ends, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	r.client_tls = ends->tls;
	r.client_error = code;
	r.client_error_text = words;
	r.facts = failed_facts;
	r.facts_of = ends;
	write_line(w, f, formats->has_error ? &formats->error : &formats->line, &r, true, -1);
	return true;
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
void log_failed_connection(struct worker *w, const struct connection_ends *c, bool heard, unsigned code, const char *words,
			   const char *why)
{
	const struct frontend *f = c->frontend;
	char client[64], date[32], label[64], line[320];
	int len;

	if ((!f->tcplog && !f->httplog) || (f->dontlognull && !heard) || write_error_format(w, c, code, words))
		return;
	log_client(c->from, client, sizeof(client));
	log_date(0, date, sizeof(date));
	bind_label(f, c->fd, label, sizeof(label));
	len = snprintf(line, sizeof(line) - 1, "%s [%s] %s/%s: %s", client, date, f->name, label,
		       why);
	log_line(w, f, line, len < (int)sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2);
}

void session_log(struct worker *w, struct session *s, bool early)
{
	const struct frontend *f = s->frontend;
	char scratch[SCRATCH];
	struct session_view v;
	struct run r;

	if (f->dontlognull && !s->conn.side[CONN_CLIENT].bytes && !early)
		return;
	if (f->proxy->formats->has_id) /* without memory it has none */
		rule_store_get(&s->store);
	session_run_facts(w, s, early, &v, &r, (struct scratch){scratch, 0, sizeof(scratch)});
	write_line(w, f, &f->proxy->formats->line, &r, is_error(s->conn.cause, &s->seeker.attempts, 0),
		   s->store ? s->store->log_level - 1 : -1);
}

void http_log(const struct exchange_view *view, const struct endpoint *from,
	      const struct endpoint *to, int fd)
{
	const struct cfg_formats *formats = view->frontend->proxy->formats;
	struct exchange_view v = *view;
	char scratch[SCRATCH];
	struct run r;

	exchange_run_facts(&v, from, to, asks_destination(v.frontend) ? fd : -1, &r,
			   (struct scratch){scratch, 0, sizeof(scratch)});
	/* what is no request is an error of its connection, as in HAProxy */
	write_line(v.w, v.frontend, formats->has_error && !v.x->asked_ns ? &formats->error : &formats->line, &r, is_error(v.x->cause, &v.x->seeker.attempts, v.x->status),
		   v.x->log_level);
}

void exchange_log(struct worker *w, struct exchange *x, bool early)
{
	const struct client *c = x->client;
	const struct exchange_view v = {
	    w, x, c->frontend, c->store, c->h.tls, c->idle_ns, x->bytes, early,
	};

	if (!x->logged && c->frontend->httplog)
		http_log(&v, &c->from, &c->to, c->h.fd);
	/* what dontlog-normal leaves out may still end badly */
	x->logged |= early && (!c->frontend->proxy->set.dontlog_normal || is_error(x->cause, &x->seeker.attempts, x->status));
}
