/* SPDX-License-Identifier: MIT */
/* A configuration as the workers see it. */
#include "control.h"

#include "cfg/rules.h"
#include "rule_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t count(const struct cfg *cfg, struct set *s)
{
	const struct cfg_proxy *p;
	const struct cfg_bind *b;
	size_t n_binds = 0;

	/* at most: some may be disabled */
	s->n_servers = s->n_edits + cfg->n_servers;
	s->n_backends = cfg->n_proxies;
	STAILQ_FOREACH (p, &cfg->frontends, next_frontend) {
		s->n_frontends++;
		STAILQ_FOREACH (b, &p->binds, next)
			n_binds++;
	}
	return n_binds;
}

static struct gate *gate_get(struct engine *e, const char *name)
{
	struct gate *g;

	LIST_FOREACH (g, &e->gates, entry)
		if (!strcmp(g->name, name)) {
			g->refs++;
			return g;
		}
	g = aligned_alloc(CACHE_LINE, sizeof(*g));
	if (!g)
		return NULL;
	memset(g, 0, sizeof(*g));
	g->name = strdup(name);
	g->tally = tally_new(e->n_workers);
	if (!g->name || !g->tally) {
		free(g->name);
		tally_free(g->tally);
		free(g);
		return NULL;
	}
	g->refs = 1;
	LIST_INSERT_HEAD(&e->gates, g, entry);
	return g;
}

/* NULL: no memory. */
static struct tally *gate_tally(const struct engine *e, struct gate *g, const char *text)
{
	struct gate_listener *l;

	LIST_FOREACH (l, &g->listeners, entry)
		if (!strcmp(l->text, text))
			return l->tally;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->text = strdup(text);
	l->tally = tally_new(e->n_workers);
	if (!l->text || !l->tally) {
		tally_free(l->tally);
		free(l->text);
		free(l);
		return NULL;
	}
	LIST_INSERT_HEAD(&g->listeners, l, entry);
	return l->tally;
}

static void gate_put(struct gate *g)
{
	struct gate_listener *l;

	if (--g->refs)
		return;
	while ((l = LIST_FIRST(&g->listeners))) {
		LIST_REMOVE(l, entry);
		tally_free(l->tally);
		free(l->text);
		free(l);
	}
	LIST_REMOVE(g, entry);
	free(g->name);
	tally_free(g->tally);
	free(g);
}

static bool balance_reads_request(const char *algo)
{
	return !strcmp(algo, "uri") || !strcmp(algo, "url_param") || !strcmp(algo, "hdr");
}

/* Those that HAProxy counts as round robin when it redispatches. */
static bool rotates(const char *algo)
{
	return !strcmp(algo, "roundrobin") || !strcmp(algo, "static-rr") ||
	       !strcmp(algo, "leastconn") || !strcmp(algo, "first");
}

static bool was_removed(const struct set *s, const struct cfg_server *c)
{
	for (size_t i = 0; i < s->n_edits; i++)
		if (s->edit[i].line == c && !s->edit[i].memory)
			return true;
	return false;
}

/* False: no memory. */
static bool add_server(struct engine *e, struct set *s, struct backend *b, const struct cfg_server *c)
{
	struct server *server = server_get(e, b, c);

	if (!server)
		return false;
	s->server[s->n_servers] = server;
	s->back[s->n_servers] = cfg_server_back(c) ? tls_back_hold(cfg_server_back(c)) : NULL;
	s->line[s->n_servers++] = c;
	b->redirects |= c->redir != NULL;
	b->asks_names |= cfg_server_sni(c) != NULL;
	if (strcmp(c->name, CFG_NO_SERVER) != 0 && strlen(c->name) > b->name_max)
		b->name_max = (unsigned)strlen(c->name);
	name_index_add(&s->server_names, server_name_hash(b, text_of(server->name, strlen(server->name))), s->n_servers - 1);
	b->n_servers++;
	if (c->cookie)
		b->cookies[b->n_cookies++] = (struct backend_cookie){c->cookie, strlen(c->cookie), server};
	return true;
}

/* False: no memory. */
static bool add_uses(struct backend *b)
{
	const struct cfg_use *use;
	size_t n = 0;

	if (!b->proxy->rules || STAILQ_EMPTY(&b->proxy->rules->uses))
		return true;
	STAILQ_FOREACH (use, &b->proxy->rules->uses, next)
		n++;
	b->uses = calloc(n, sizeof(*b->uses));
	if (!b->uses)
		return false;
	STAILQ_FOREACH (use, &b->proxy->rules->uses, next) {
		const struct format *f = &use->name;
		bool known = format_is_constant(f) && f->n;

		b->uses[b->n_uses++] = (struct backend_use){use, known ? server_named(b, f->part[0].literal) : NULL};
	}
	return true;
}

/* False: no memory. References are taken as they are stored, so that set_free gives them back. */
static bool add_backend(struct engine *e, struct set *s, const struct cfg_proxy *p)
{
	struct backend *b = &s->backend[s->n_backends];
	const struct cfg_timeouts *t = &p->set.timeout;
	const struct cfg_server *c;

	*b = (struct backend){
	    .set = s,
	    .proxy = p,
	    .pool = pool_get(e, p),
	    .retries = p->set.retries,
	    .redispatch = p->set.redispatch,
	    .retry_on = p->set.mode == CFG_MODE_HTTP && p->set.http.retry_on
			    ? p->set.http.retry_on
			    : CFG_RETRY_CONNECT,
	    .hashes_source = !strcmp(p->set.balance, "source"),
	    .hashes_request = balance_reads_request(p->set.balance),
	    .hash = p->set.hash,
	    .persist = p->set.persist,
	    .rotates = rotates(p->set.balance),
	    .timeout =
		{
		    .server_ns = t->server_ns,
		    .server_fin_ns = t->server_fin_ns,
		    .connect_ns = t->connect_ns,
		    .queue_ns = t->queue_ns,
		    .tunnel_ns = t->tunnel_ns,
		},
	    .http = p->set.mode == CFG_MODE_HTTP ? &p->set.http : NULL,
	    .number = p->id,
	    .fullconn = p->set.fullconn,
	    .stats = p->set.stats,
	};
	if (!b->pool)
		return false;
	name_index_add(&s->backend_names, fnv1a_text(p->name), s->n_backends++);
	b->cookies = calloc(p->n_servers + 1, sizeof(*b->cookies));
	if (!b->cookies)
		return false;
	if (check_probe(p, &b->probe) < 0)
		return false;
	b->servers = &s->server[s->n_servers];
	b->lines = &s->line[s->n_servers];
	STAILQ_FOREACH (c, &p->servers, next)
		if (!was_removed(s, c) && !add_server(e, s, b, c))
			return false;
	for (size_t i = 0; i < s->n_edits; i++)
		if (s->edit[i].proxy == p && s->edit[i].memory && !add_server(e, s, b, s->edit[i].line))
			return false;
	return add_uses(b);
}

static struct backend *find_backend(const struct set *s, const struct cfg_proxy *p)
{
	for (size_t i = 0; i < s->n_backends; i++)
		if (s->backend[i].proxy == p)
			return &s->backend[i];
	return NULL;
}

static bool add_switches(const struct set *s, struct frontend *f)
{
	const struct cfg_switch *sw;

	if (!f->rules)
		return true;
	STAILQ_FOREACH (sw, &f->rules->switches, next)
		f->n_switches++;
	f->switches = calloc(f->n_switches + 1, sizeof(*f->switches));
	if (!f->switches)
		return false;
	f->n_switches = 0;
	STAILQ_FOREACH (sw, &f->rules->switches, next)
		f->switches[f->n_switches++] =
		    (struct frontend_switch){sw, sw->backend ? find_backend(s, sw->backend) : NULL};
	return true;
}

static bool has_format(const struct cfg_proxy *p)
{
	return p->set.tcplog || p->set.http.log || p->set.log_format;
}

static bool logs(const struct cfg_proxy *p)
{
	return p->formats && has_format(p) && (p->set.logs || p->set.log_global);
}

static bool may_lead_to_http(const struct frontend *f)
{
	if ((f->backend && f->backend->http) || (f->rules && rules_may_switch(&f->rules->of[RULES_CONTENT])))
		return true;
	for (size_t i = 0; i < f->n_switches; i++)
		if (!f->switches[i].to || f->switches[i].to->http)
			return true;
	return false;
}

/* What clients have who are found to speak HTTP (see http/upgrade.c): it shares all but its mode. */
static bool add_as_http(struct frontend *f)
{
	if (f->http || !may_lead_to_http(f))
		return true;
	f->as_http = malloc(sizeof(*f->as_http));
	if (!f->as_http)
		return false;
	*f->as_http = *f;
	f->as_http->http = &f->proxy->set.http;
	f->as_http->httplog = f->tcplog;
	f->as_http->tcplog = false;
	f->as_http->stats = NULL;
	f->as_http->as_http = NULL;
	return true;
}

#define BACKLOG_LEAST 1024u /* a small maxconn makes clients wait, not lose their SYN */

/* All whom it may have at once may come at once. */
static unsigned backlog_of(const struct cfg_proxy *p, unsigned maxconn)
{
	unsigned max = p->set.maxconn ? p->set.maxconn : maxconn;

	if (p->set.backlog)
		return p->set.backlog;
	return max > BACKLOG_LEAST ? max : BACKLOG_LEAST;
}

/* False: it cannot be opened, see ret_error, or no memory. */
static bool add_bind(struct engine *e, struct set *s, struct frontend *f, const struct cfg_bind *b, uint16_t number,
		     unsigned backlog, char *ret_error, size_t cap)
{
	bool stays_shut = engine_set(e) && engine_set(e)->cfg == s->cfg; /* by an operator: it is the same configuration */
	struct listener *l = listener_get(e, b, backlog, stays_shut, ret_error, cap);
	struct set_listener *to = &s->listener[s->n_listeners];

	if (!l)
		return false;
	*to = (struct set_listener){
	    .listener = l,
	    .frontend = f,
	    .tls = cfg_bind_front(b),
	    .accept_proxy = b->accept_proxy,
	    .defers = b->defer_accept,
	    .speaks_h2 = b->speaks_h2,
	    .cip_magic = b->cip_magic,
	    .tcp = &b->tcp,
	    .number = number,
	    .name = b->name,
	};
	s->n_listeners++;
	if (to->tls)
		tls_front_hold(to->tls);
	if (!f->proxy->set.socket_stats)
		return true;
	to->tally = gate_tally(e, f->gate, b->text);
	return to->tally;
}

static bool add_frontend(struct engine *e, struct set *s, const struct cfg_proxy *p, unsigned maxconn,
			 char *ret_error, size_t cap)
{
	struct frontend *f = &s->frontend[s->n_frontends];
	const struct cfg_logs *global = &s->cfg->global.logs;
	const struct cfg_bind *b;
	uint16_t number = 0;

	*f = (struct frontend){
	    .set = s,
	    .name = p->name,
	    .proxy = p,
	    .backend = p->backend ? find_backend(s, p->backend) : NULL,
	    .gate = gate_get(e, p->name),
	    .client_ns = p->set.timeout.client_ns,
	    .client_fin_ns = p->set.timeout.client_fin_ns,
	    .shake_ns = p->set.timeout.client_hs_ns,
	    .request_ns = p->set.timeout.http_request_ns,
	    .keep_alive_ns = p->set.timeout.http_keep_alive_ns,
	    .http = p->set.mode == CFG_MODE_HTTP ? &p->set.http : NULL,
	    .httplog = p->set.mode == CFG_MODE_HTTP && logs(p),
	    .tcplog = p->set.mode == CFG_MODE_TCP && logs(p),
	    .connectlog = !has_format(p) && (p->set.logs || (p->set.log_global && !STAILQ_EMPTY(global))),
	    .dontlognull = p->set.dontlognull,
	    .logs = {p->set.logs, p->set.log_global ? global : NULL},
	    .maxconn = p->set.maxconn,
	    .rules = p->rules,
	    .number = p->id,
	    .stats = p->set.stats,
	};
	if (!f->gate || !add_switches(s, f))
		return false;
	if (f->backend)
		f->timeout = f->backend->timeout;
	f->timeout.client_ns = f->client_ns;
	f->timeout.client_fin_ns = f->client_fin_ns;
	for (size_t i = 0; (f->tcplog || f->httplog || f->connectlog) && i < 2; i++)
		if (f->logs[i])
			session_log_prepare(f->logs[i]);
	s->n_frontends++;
	if (!add_as_http(f))
		return false;
	STAILQ_FOREACH (b, &p->binds, next)
		if (!add_bind(e, s, f, b, ++number, backlog_of(p, maxconn), ret_error, cap))
			return false;
	return true;
}

/* HAProxy's default of fullconn: a tenth of what may come from the frontends. */
static void add_fullconn(struct backend *to, const struct frontend *f, unsigned max)
{
	if (!to || to->proxy->set.fullconn || to->led_from == f) /* once, however many rules lead there */
		return;
	to->led_from = f;
	to->fullconn += max;
}

static void set_fullconn(struct set *s, unsigned maxconn)
{
	for (size_t i = 0; i < s->n_frontends; i++) {
		const struct frontend *f = &s->frontend[i];
		unsigned max = f->maxconn ? f->maxconn : maxconn;

		add_fullconn(f->backend, f, max);
		for (size_t k = 0; k < f->n_switches; k++)
			add_fullconn(f->switches[k].to, f, max);
	}
	for (size_t i = 0; i < s->n_backends; i++) {
		struct backend *b = &s->backend[i];

		if (!b->proxy->set.fullconn)
			b->fullconn = b->fullconn < 10 ? 1 : (b->fullconn + 9) / 10;
	}
}

static bool fill(struct engine *e, struct set *s, unsigned maxconn, char *ret_error, size_t cap)
{
	const struct cfg_proxy *p;

	/* backends first: frontends point to them */
	STAILQ_FOREACH (p, &s->cfg->proxies, next)
		if (!p->set.disabled && (p->kind & CFG_BACKEND) && !add_backend(e, s, p))
			return false;
	STAILQ_FOREACH (p, &s->cfg->frontends, next_frontend)
		if (!p->set.disabled && !add_frontend(e, s, p, maxconn, ret_error, cap))
			return false;
	set_fullconn(s, maxconn);
	return true;
}

/* False: no memory. */
static bool take_edits(struct set *s, const struct set_edit *edit, size_t n)
{
	s->edit = calloc(n + 1, sizeof(*s->edit));
	if (!s->edit)
		return false;
	for (; s->n_edits < n; s->n_edits++) {
		s->edit[s->n_edits] = edit[s->n_edits];
		if (edit[s->n_edits].memory)
			cfg_hold(edit[s->n_edits].memory);
	}
	return true;
}

struct set *set_new(struct engine *e, struct cfg *cfg, const struct set_edit *edit, size_t n_edits, unsigned maxconn,
		    char *ret_error, size_t cap)
{
	struct set *s = calloc(1, sizeof(*s));
	size_t n_binds;
	bool ok;

	snprintf(ret_error, cap, "out of memory");
	if (!s)
		return NULL;
	s->engine = e;
	s->number = ++e->n_sets;
	s->end_ns = UINT64_MAX;
	s->cfg = cfg;
	ok = take_edits(s, edit, n_edits);
	n_binds = count(cfg, s);
	s->backend = calloc(s->n_backends + 1, sizeof(*s->backend));
	s->frontend = calloc(s->n_frontends + 1, sizeof(*s->frontend));
	s->server = calloc(s->n_servers + 1, sizeof(struct server *));
	s->line = calloc(s->n_servers + 1, sizeof(struct cfg_server *));
	s->back = calloc(s->n_servers + 1, sizeof(struct tls_back *));
	s->listener = calloc(n_binds + 1, sizeof(*s->listener));
	s->worker = aligned_alloc(CACHE_LINE, e->n_workers * sizeof(*s->worker));
	ok &= name_index_init(&s->backend_names, s->n_backends) && name_index_init(&s->server_names, s->n_servers);
	s->n_backends = s->n_frontends = s->n_servers = 0; /* they count what is filled in */
	atomic_init(&s->holders, e->n_workers);
	ok = ok && pools_make_room(e, cfg->n_proxies) && s->backend && s->frontend && s->server && s->line && s->back && s->listener && s->worker;
	if (ok)
		memset(s->worker, 0, e->n_workers * sizeof(*s->worker));
	if (ok && fill(e, s, maxconn, ret_error, cap))
		return s;
	set_free(s, true);
	return NULL;
}

void set_free(struct set *s, bool keep_cfg)
{
	for (size_t i = 0; i < s->n_servers; i++) {
		server_put(s->server[i]);
		tls_back_free(s->back[i]);
	}
	for (size_t i = 0; i < s->n_backends; i++) {
		health_probe_free(s->backend[i].probe);
		pool_put(s->engine, s->backend[i].pool);
		free(s->backend[i].cookies);
		free(s->backend[i].uses);
	}
	for (size_t i = 0; i < s->n_frontends; i++) {
		free(s->frontend[i].as_http);
		free(s->frontend[i].switches);
		gate_put(s->frontend[i].gate);
	}
	for (size_t i = 0; i < s->n_listeners; i++) {
		listener_put(s->engine, s->listener[i].listener);
		tls_front_free(s->listener[i].tls);
	}
	name_index_fini(&s->backend_names);
	name_index_fini(&s->server_names);
	free(s->backend);
	free(s->frontend);
	free(s->server);
	free(s->line);
	free(s->back);
	for (size_t i = 0; i < s->n_edits; i++)
		cfg_free(s->edit[i].memory);
	free(s->edit);
	free(s->listener);
	free(s->worker);
	if (!keep_cfg)
		cfg_free(s->cfg);
	free(s);
}
