/* SPDX-License-Identifier: MIT */
/* What only the whole file shows: references, missing lines, lines that clash. */
#include "cfg/read.h"
#include "cfg/rules.h"

#include <search.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 512

static void say_no_backend(struct reader *r, const char *name, const struct diag_place *at)
{
	const char *candidate[NAMES_MAX], *nearest;
	const struct cfg_proxy *p;
	size_t n = 0;

	STAILQ_FOREACH (p, &r->cfg->proxies, next)
		if ((p->kind & CFG_BACKEND) && n < NAMES_MAX)
			candidate[n++] = p->name;
	nearest = diag_nearest(name, candidate, n);
	if (nearest)
		diag_add(r->diag, DIAG_ERROR, at,
			 "there is no backend \"%s\": did you mean \"%s\"?", name, nearest);
	else
		diag_add(r->diag, DIAG_ERROR, at,
			 "there is no backend \"%s\": add a section \"backend %s\"", name, name);
}

/*
 * A use_backend line without a condition leaves nothing to default_backend, and a frontend whose rules redirect
 * or return is likely meant to do no more.
 */
static bool may_need_no_default(const struct cfg_proxy *p)
{
	const struct cfg_switch *sw;

	if (!p->rules)
		return false;
	STAILQ_FOREACH (sw, &p->rules->switches, next)
		if (!sw->cond)
			return true;
	for (unsigned kind = 0; kind < RULES_N_KINDS; kind++)
		if (rules_may_answer(&p->rules->of[kind]))
			return true;
	return false;
}

static void check_frontend(struct reader *r, struct cfg_proxy *p)
{
	const char *name = p->use_backend ? p->use_backend : p->set.default_backend;
	const struct diag_place *at =
	    p->use_backend ? &p->use_backend_at : &p->set.default_backend_at;

	if (STAILQ_EMPTY(&p->binds))
		diag_add(r->diag, DIAG_WARNING, &p->at,
			 "\"%s\" has no bind line and never gets a connection: add one, or make it "
			 "a backend",
			 p->name);
	/* A listen section without a word of its own is its own backend. */
	if (name && p->kind == CFG_LISTEN && p->n_servers && !p->use_backend)
		p->backend = p;
	else if (name) {
		p->backend = cfg_find_backend(r->cfg, name);
		if (!p->backend)
			say_no_backend(r, name, at);
	} else if (p->kind == CFG_LISTEN) {
		p->backend = p;
	} else if (!may_need_no_default(p) && !p->set.stats) {
		diag_add(r->diag, DIAG_WARNING, &p->at,
			 "frontend \"%s\" has no default_backend: its %s", p->name,
			 p->set.mode == CFG_MODE_TCP ? "connections are closed at once"
						     : "requests are answered with 503");
	}
	if (p->backend && p->backend->set.disabled)
		diag_add(r->diag, DIAG_WARNING, at->file ? at : &p->at,
			 "backend \"%s\" is disabled: connections are closed at once",
			 p->backend->name);
}

/* Backends by conditions. */
static void check_switches(struct reader *r, const struct cfg_proxy *p)
{
	struct cfg_switch *sw = p->rules ? STAILQ_FIRST(&p->rules->switches) : NULL;

	for (; sw; sw = STAILQ_NEXT(sw, next)) {
		if (!format_is_constant(&sw->format))
			continue;
		sw->backend = cfg_find_backend(r->cfg, sw->name);
		if (!sw->backend)
			say_no_backend(r, sw->name, &sw->at);
		else if (sw->backend->set.mode == CFG_MODE_TCP && p->set.mode == CFG_MODE_HTTP)
			diag_add(
			    r->diag, DIAG_ERROR, &sw->at,
			    "\"%s\" runs another mode than its frontend: give both the same mode",
			    sw->name);
	}
}

static bool has_server(const struct cfg_proxy *p, const char *name)
{
	const struct cfg_server *s;

	STAILQ_FOREACH (s, &p->servers, next)
		if (!strcmp(s->name, name))
			return true;
	return false;
}

static void check_uses(struct reader *r, const struct cfg_proxy *p)
{
	const struct cfg_use *use;

	STAILQ_FOREACH (use, &p->rules->uses, next) {
		struct text name = use->name.n ? use->name.part[0].literal : text_of("", 0);

		if (format_is_constant(&use->name) && !has_server(p, name.at))
			diag_add(
			    r->diag, DIAG_ERROR, &use->at,
			    "\"%s\" has no server \"%.*s\": write the name of one of its server "
			    "lines",
			    p->name, (int)name.len, name.at);
	}
}

/* Who goes to such a backend is one who speaks HTTP in the frontend, too. */
static bool may_lead_to_http(const struct cfg_proxy *p)
{
	const struct cfg_switch *sw;

	if (p->backend && p->backend->set.mode == CFG_MODE_HTTP)
		return true;
	if (p->rules && rules_may_switch(&p->rules->of[RULES_CONTENT]))
		return true;
	if (p->rules)
		STAILQ_FOREACH (sw, &p->rules->switches, next)
			if (!sw->backend || sw->backend->set.mode == CFG_MODE_HTTP)
				return true;
	return false;
}

static void check_rules(struct reader *r, const struct cfg_proxy *p)
{
	const struct cfg_rules *rules = p->rules;

	check_switches(r, p);
	if (rules)
		check_uses(r, p);
	if (rules && !(p->kind & CFG_FRONTEND) && p->kind != CFG_DEFAULTS && rules_may_switch(&rules->of[RULES_CONTENT]))
		diag_add(r->diag, DIAG_ERROR, &p->at,
			 "tcp-request content switch-mode stands in \"%s\", which has no clients: write it in a frontend", p->name);
	if (rules && p->set.mode == CFG_MODE_TCP && !may_lead_to_http(p) &&
	    (rules->of[RULES_REQUEST].first || rules->of[RULES_RESPONSE].first ||
	     rules->of[RULES_AFTER_RESPONSE].first))
		diag_add(
		    r->diag, DIAG_WARNING, &p->at,
		    "\"%s\" has HTTP rules and runs mode tcp: they have no effect; write mode http",
		    p->name);
}

static void check_timeouts(struct reader *r, const struct cfg_proxy *p)
{
	const struct cfg_timeouts *t = &p->set.timeout;
	bool client = (p->kind & CFG_FRONTEND) && !t->client_ns && !STAILQ_EMPTY(&p->binds);
	bool back = (p->kind & CFG_BACKEND) && p->n_servers;
	bool connect = back && !t->connect_ns, server = back && !t->server_ns;
	const char *also = connect && server ? ", \"timeout server\"" : "";

	/* A line that was refused is not missing. */
	if ((client || connect || server) && !r->diag->count[DIAG_ERROR])
		diag_add(r->diag, DIAG_WARNING, &p->at,
			 "\"%s\" has no %s%s%s%s: a silent peer keeps its connection for ever; set "
			 "%s to a time such as 30s",
			 p->name, client ? "\"timeout client\"" : "",
			 client && (connect || server) ? ", " : "",
			 connect  ? "\"timeout connect\""
			 : server ? "\"timeout server\""
				  : "",
			 also, (int)client + connect + server > 1 ? "them" : "it");
}

/* The section that binds this address before `b` does; NULL: none. */
static const struct cfg_proxy *bound_before(const struct reader *r, const struct cfg_bind *b,
					    unsigned *ret_line)
{
	const struct cfg_bind *other;
	const struct cfg_proxy *q;

	STAILQ_FOREACH (q, &r->cfg->frontends, next_frontend)
		STAILQ_FOREACH (other, &q->binds, next) {
			if (other == b)
				return NULL;
			if (strcmp(other->text, b->text) != 0 || q->set.disabled)
				continue;
			*ret_line = other->at.line;
			return q;
		}
	return NULL;
}

/* The kernel would spread its connections over both sections, which nobody means. */
static void check_addresses(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_bind *b = STAILQ_FIRST(&p->binds), *after;

	for (; b; b = after) {
		unsigned line = 0;
		const struct cfg_proxy *q = bound_before(r, b, &line);

		after = STAILQ_NEXT(b, next);
		if (!q)
			continue;
		diag_add(r->diag, DIAG_WARNING, &b->at,
			 "%s is bound by \"%s\" at line %u already, which gets its connections: "
			 "this address is left out",
			 b->text, q->name, line);
		STAILQ_REMOVE(&p->binds, b, cfg_bind, next);
	}
}

static void check_log(struct reader *r, const struct cfg_proxy *p)
{
	if ((p->kind & CFG_FRONTEND) && p->set.log_global && STAILQ_EMPTY(&r->cfg->global.logs) &&
	    (p->set.tcplog || p->set.http.log || p->set.log_format) && !p->set.logs)
		diag_add(r->diag, DIAG_WARNING, &p->at,
			 "\"%s\" logs to the global section, which has no log line: nothing is "
			 "logged; add \"log stdout format raw daemon\" there",
			 p->name);
}

/*
 * A connection of mode tcp that goes to a backend of mode http is read as HTTP from then on: at once, when there is
 * no other place it could go to.
 */
static void become_http(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_switch *sw;
	const struct cfg_proxy *to = p->backend;

	if (p->set.mode == CFG_MODE_HTTP || (to && to->set.mode == CFG_MODE_TCP) ||
	    (p->rules && rules_may_switch(&p->rules->of[RULES_CONTENT]))) /* which says when */
		return;
	if (p->rules)
		STAILQ_FOREACH (sw, &p->rules->switches, next) {
			to = cfg_find_backend(r->cfg, sw->name);
			if (!to || to->set.mode == CFG_MODE_TCP)
				return;
		}
	if (!to)
		return;
	diag_add(r->diag, DIAG_WARNING, &p->at,
		 "\"%s\" runs mode tcp and its backend \"%s\" mode http: taken as mode http",
		 p->name, to->name);
	p->set.mode = CFG_MODE_HTTP;
	p->set.became_http = true;
}

static void check_observe(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_server *s;

	STAILQ_FOREACH (s, &p->servers, next)
		if (s->observe == CFG_OBSERVE_LAYER7 && p->set.mode == CFG_MODE_TCP) {
			diag_add(r->diag, DIAG_WARNING, &s->at,
				 "server \"%s\" has observe layer7 and mode tcp, which shows no answers: nothing is "
				 "observed; write observe layer4",
				 s->name);
			s->observe = CFG_OBSERVE_NONE; /* as HAProxy */
		}
}

/* What would be wrong in one mode only. */
static void check_mode(struct reader *r, struct cfg_proxy *p)
{
	bool tcp = p->set.mode == CFG_MODE_TCP;
	if (p->backend && !tcp && p->backend->set.mode == CFG_MODE_TCP)
		diag_add(r->diag, DIAG_ERROR, &p->at,
			 "\"%s\" runs mode http and its backend \"%s\" mode tcp: give both the same mode", p->name,
			 p->backend->name);
	if (tcp && (p->kind & CFG_BACKEND) &&
	    (!strcmp(p->set.balance, "uri") || !strcmp(p->set.balance, "url_param") ||
	     !strcmp(p->set.balance, "hdr") ||
	     (p->set.hash && (p->set.hash->needs & (EXPR_REQUEST | EXPR_MESSAGE)))))
		diag_add(r->diag, DIAG_ERROR, &p->set.balance_at,
			 "balance %s reads HTTP requests: write mode http, or another algorithm",
			 p->set.balance);
	if (tcp && (p->kind & CFG_FRONTEND) && p->set.http.log && !p->set.tcplog) {
		p->set.tcplog = true; /* HAProxy does so, too */
		p->set.log_format = NULL;
		diag_add(r->diag, DIAG_WARNING, &p->at,
			 "\"%s\" has option httplog and mode tcp: taken as option tcplog", p->name);
	}
}

/* HAProxy's defaults, and its limit for the one by the other. */
static void check_buffers(struct cfg_global *g)
{
	if (!g->maxhdr)
		g->maxhdr = 101; /* HAProxy's */
	if (!g->line_max)
		g->line_max = 1023;
	if (!g->bufsize)
		g->bufsize = 16384;
	if (!g->maxrewrite)
		g->maxrewrite = 1024;
	if (g->maxrewrite > g->bufsize / 2)
		g->maxrewrite = g->bufsize / 2;
}

static int by_id(const void *a, const void *b)
{
	const struct cfg_proxy *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void keep_proxy(void *proxy)
{
}

/* Those that are written, each once; the others have what they leave, and the first number is that of stats sockets. */
static void number_proxies(struct reader *r)
{
	struct cfg_proxy *p, key = {.id = STAILQ_EMPTY(&r->cfg->global.stats_sockets) ? 1 : 2};
	void *given = NULL; /* by id; see tsearch(3) */

	STAILQ_FOREACH (p, &r->cfg->proxies, next) {
		struct cfg_proxy *const *at = p->id_given ? tsearch(p, &given, by_id) : NULL;

		if (p->id_given && !at)
			r->no_memory = true;
		else if (at && *at != p)
			diag_add(r->diag, DIAG_ERROR, &p->at, "\"%s\" has the id %u of \"%s\": each has its own", p->name,
				 p->id, (*at)->name);
	}
	STAILQ_FOREACH (p, &r->cfg->proxies, next) { /* each takes a number, also one that has its own */
		while (!p->id_given && given && tfind(&key, &given, by_id))
			key.id++;
		p->id = p->id_given ? p->id : key.id;
		key.id++;
	}
	tdestroy(given, keep_proxy);
}

static void check_proxy(struct reader *r, struct cfg_proxy *p)
{
	if (p->kind & CFG_FRONTEND)
		check_frontend(r, p);
	become_http(r, p);
	check_mode(r, p);
	check_observe(r, p);
	cfg_nameless_check(r, p);
	cfg_server_ids(r, p);
	cfg_compile_formats(r, p);
	cfg_errors_check(r, p);
	if (p->set.mode == CFG_MODE_HTTP || may_lead_to_http(p))
		cfg_monitor_check(r, p);
	if (p->kind & CFG_BACKEND)
		cfg_probe_check(r, p);
	check_rules(r, p);
	cfg_source_check(r, p);
	cfg_tcp_check(r, p);
	cfg_tls_check(r, p);
	check_timeouts(r, p);
	check_log(r, p);
	check_addresses(r, p);
}

void cfg_check(struct reader *r)
{
	struct cfg_proxy *p;
	bool tracks = false;

	number_proxies(r);
	cfg_tls_extra(r); /* before certificates are read */
	STAILQ_FOREACH (p, &r->cfg->proxies, next) { /* once: of tens of thousands none is in the caches */
		if (p->set.disabled)
			continue; /* what it names may be missing, as in HAProxy */
		check_proxy(r, p);
		tracks |= cfg_track_find(r, p);
		cfg_email_check(r, p);
		cfg_logs_check(r, p);
		cfg_resolves_check(r, p);
		cfg_bandwidth_check(r, p);
		r->cfg->n_servers += p->n_servers;
	}
	check_buffers(&r->cfg->global);
	if (tracks)
		cfg_track_check(r);
	cfg_mailers_check(r);
	cfg_rings_check(r);
	cfg_resolvers_check(r);
	cfg_check_userlists(r);
	if (r->cfg->shared)
		maps_number(r->cfg->shared);
	cfg_check_tables(r);
	cfg_peers_check(r);
	cfg_vars_check(r);
}
