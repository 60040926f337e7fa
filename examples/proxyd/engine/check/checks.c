/* SPDX-License-Identifier: MIT */
/* Health: libhealth's engine checks, libsched learns what it found, the log says why. */
#include "engine/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <time.h>

#include <libhealth/tls.h>

#include "run.h"
#include "via.h"
#include "log.h"
#include "loop.h"
#include "engine/proxy_protocol.h"
#include "engine/tls_client.h"

/* Checks due within it start together: one wake-up for all. HAProxy's clock has steps of 1 ms. */
#define CHECK_SLACK_NS 20000000u

/* libhealth blames nobody for that; HAProxy takes the server down, and its clients could not reach it either. */
static bool cannot_bind(const struct health_result *r)
{
	return r->code == HEALTH_CODE_SOCKERR && !strncmp(r->text, "bind: ", 6);
}

int check_status(const struct server *s, struct health_check_status *ret)
{
	int e = s->check ? health_check_status(s->check, ret) : -ENOENT;

	if (e || !s->bind_error)
		return e;
	ret->verdict = HEALTH_FAIL;
	ret->code = HEALTH_CODE_L4CON;
	ret->error = s->bind_error;
	snprintf(ret->text, sizeof(ret->text), "Can't bind to source address (%s)", strerror(s->bind_error));
	return 0;
}

static uint16_t addr_port(const struct cfg_addr *a) /* both families have it in the same place */
{
	return ntohs(((const struct sockaddr_in *)(const void *)&a->storage)->sin_port);
}

/* The expression that tells its port, of the first connection, has another value now. */
static bool port_moved(const struct server *s)
{
	const struct backend *b = s->admin.backend;
	struct cfg_check_port port = b ? cfg_first_port(&b->proxy->set) : (struct cfg_check_port){0};

	if (!port.expr || !s->checked)
		return false;
	return check_run_port(&(struct check_of){s, b}, &port, NULL, loop_clock_ns()) != addr_port(&s->checked->target);
}

void checks_follow_ports(struct engine *e)
{
	struct server *s;
	struct pool *p;

	if (!e->check_ports)
		return;
	e->check_ports = false;
	LIST_FOREACH (p, &e->pools, entry)
		TAILQ_FOREACH (s, &p->servers, entry)
			if (s->check && port_moved(s))
				check_sync(e, s, s->admin.cfg, s->admin.backend);
}

static void on_result(struct health_check *check, const struct health_result *r, void *userdata)
{
	struct server *s = userdata;
	struct health_filter_status f = {.size = sizeof(f)};
	bool changed = s->last_code != r->code || s->last_error != r->error;

	if (check == s->agent) {
		agent_result(s, r);
		return;
	}
	check_via_next(s->check_via, 0, 0);
	if (r->phase != HEALTH_PHASE_PASSIVE)
		s->bind_error = cannot_bind(r) ? r->error : 0;
	if (cannot_bind(r)) { /* which comes back with it */
		health_check_report(check, HEALTH_FAIL, loop_clock_ns());
		return;
	}
	if (!health_check_filter_status(check, &f)) {
		unsigned level = health_state_is_up(f.checked) ? f.rise + f.left - 1 : f.rise - f.left;

		changed |= level != s->last_level;
		s->last_level = level;
	}
	s->last_code = r->code;
	s->last_error = r->error;
	s->last_ns = r->total_ns;
	s->admin.n_failed += s->up && (r->verdict == HEALTH_FAIL || r->verdict == HEALTH_FAIL_NOW);
	s->engine->check_ports |= port_moved(s);
	if (changed && s->log_checks)
		server_tell_check(s, r->verdict != HEALTH_FAIL && r->verdict != HEALTH_FAIL_NOW, r->code == HEALTH_CODE_L7OKC);
}

static void on_transition(struct health_check *check, const struct health_transition *t,
			  void *userdata)
{
	struct server *s = userdata;
	bool up = health_state_is_up(t->to), draining = t->to == HEALTH_STATE_DRAIN;
	char why[512] = "";

	/* what an agent said was taken with its result; what it took down stays down */
	if (check == s->agent || s->agent_down || (up == s->up && draining == s->draining))
		return;
	if (!s->log_checks) /* else that was told already */
		check_reason(s, why, sizeof(why));
	server_set_up(s->engine, s, up, draining, why);
}

int checks_new(struct engine *e)
{
	static const struct health_engine_ops ops = {
	    .size = sizeof(ops),
	    .result = on_result,
	    .transition = on_transition,
	};
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	/* Another seed in each run, so that two balancers do not knock together. */
	return health_engine_new(
	    &(struct health_engine_opts){
		.size = sizeof(struct health_engine_opts),
		.ops = &ops,
		.seed = (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 32,
		.slack_ns = CHECK_SLACK_NS,
	    },
	    &e->health);
}

void check_end(struct server *s)
{
	health_check_remove(s->check);
	s->check = NULL;
	s->bind_error = 0;
	check_via_free(s->check_via);
	s->check_via = NULL;
	health_tls_free(s->check_tls);
	s->check_tls = NULL;
}

void check_rest(struct server *s)
{
	bool rests = s->admin.maint || s->admin.no_checks || !s->usable;

	if (!s->check)
		return;
	health_check_set_paused(s->check, rests);
	if (rests) /* on_result() is not told of a run that was cut off */
		check_via_next(s->check_via, 0, 0);
}

/* init-state */
static enum health_start start_of(const struct cfg_server *c)
{
	static const enum health_start start[] = {
	    [CFG_START_UP] = HEALTH_START_UP,
	    [CFG_START_FULLY_UP] = HEALTH_START_FULLY_UP,
	    [CFG_START_DOWN] = HEALTH_START_DOWN,
	    [CFG_START_FULLY_DOWN] = HEALTH_START_FULLY_DOWN,
	};

	return start[c->init_state];
}

static bool begins_up(const struct cfg_server *c)
{
	return c->init_state == CFG_START_UP || c->init_state == CFG_START_FULLY_UP;
}

void check_start_up(struct server *s)
{
	const struct cfg_server *c = s->admin.cfg ? s->admin.cfg : &cfg_server_default;

	if (!s->check || s->up == begins_up(c))
		return;
	s->change_why = "";
	health_check_set(s->check, start_of(c), loop_clock_ns());
	s->change_why = NULL;
}

/* The configuration with what an operator changed of it. */
static struct cfg_server as_is_now(const struct server *s, const struct cfg_server *configured)
{
	struct cfg_server c = *configured;

	c.addr = *server_addr(s);
	if (!c.source)
		c.source = s->admin.backend ? s->admin.backend->proxy->set.source : NULL;
	if (s->admin.check_port)
		c.check_port = s->admin.check_port;
	if (s->admin.check_addr)
		c.check_addr = s->admin.check_addr;
	return c;
}

int addr_keep(struct cfg_addr **to, const struct cfg_addr *addr)
{
	if (!*to)
		*to = malloc(sizeof(**to));
	if (!*to)
		return -ENOMEM;
	**to = *addr;
	return 0;
}

void check_made_free(struct check_made *m)
{
	if (m)
		free(m->text);
	free(m);
}

/* 0 or -ENOMEM. */
int check_made_set(struct check_made **made, const struct health_check_opts *o, const struct cfg_netns *netns, const struct cfg_addr *via, const char *text)
{
	struct check_made *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	memcpy(&m->target.storage, o->destination, o->destination_len);
	m->target.len = o->destination_len;
	if (o->source)
		memcpy(&m->source.storage, o->source, o->source_len);
	m->source.len = o->source ? o->source_len : 0;
	if (via)
		m->via = *via;
	m->bound = o->device;
	m->netns = netns;
	m->preamble_len = o->preamble_len;
	m->rise = o->filter->rise;
	m->fall = o->filter->fall;
	m->interval_ns = o->filter->interval_ns;
	m->fast_ns = o->filter->fast_ns;
	m->down_ns = o->filter->down_ns;
	m->timeout_ns = o->timeout_ns;
	m->first_byte_timeout_ns = o->first_byte_timeout_ns;
	m->text = text ? strdup(text) : NULL;
	check_made_free(*made);
	*made = m;
	return text && !m->text ? -ENOMEM : 0;
}

static bool same_addr(const struct cfg_addr *a, const struct sockaddr *b, socklen_t len)
{
	return a->len == (b ? len : 0) && (!b || !memcmp(&a->storage, b, len));
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool check_made_is(const struct check_made *m, const struct health_check_opts *o, const struct cfg_netns *netns, const struct cfg_addr *via, const char *text)
{
	const struct health_filter_opts *f = o->filter;

	return m && same_addr(&m->target, o->destination, o->destination_len) && same_addr(&m->source, o->source, o->source_len) &&
	       same_addr(&m->via, via ? &via->sa : NULL, via ? via->len : 0) &&
	       !m->bound && !o->device && m->netns == netns && /* a reload opens it again */
	       m->preamble_len == o->preamble_len && m->rise == f->rise && m->fall == f->fall && m->interval_ns == f->interval_ns &&
	       m->fast_ns == f->fast_ns && m->down_ns == f->down_ns && m->timeout_ns == o->timeout_ns &&
	       m->first_byte_timeout_ns == o->first_byte_timeout_ns && same_text(m->text, text);
}

/*
 * As HAProxy: a check may take its interval; with "timeout check" so long from the connection on, which has the shorter
 * of the interval and "timeout connect". An answer that comes bit by bit has what the connection left over, too.
 */
void check_set_timeouts(uint64_t inter_ns, const struct cfg_timeouts *t, struct health_check_opts *o)
{
	uint64_t inter = inter_ns ? inter_ns : HEALTH_INTERVAL_DEFAULT_NS;

	o->timeout_ns = inter;
	if (!t->check_ns)
		return;
	o->connect_timeout_ns = t->connect_ns && t->connect_ns < inter ? t->connect_ns : inter;
	o->first_byte_timeout_ns = t->check_ns;
	o->timeout_ns = o->connect_timeout_ns + t->check_ns;
	if (o->timeout_ns > HEALTH_TIME_MAX_NS)
		o->timeout_ns = HEALTH_TIME_MAX_NS;
}

static struct cfg_addr target_of(const struct cfg_server *c, const struct server *s, const struct backend *b)
{
	const struct cfg_proxy *p = b->proxy;
	const struct cfg_check_port of_steps = cfg_first_port(&p->set);
	const struct cfg_addr *own = p->set.check.connect.addr ? p->set.check.connect.addr : c->check_addr;
	struct cfg_addr a = own ? *own : c->addr;
	in_port_t port = 0;

	if (a.sa.sa_family == AF_UNIX)
		return a;
	if (own) /* the server's port, unless the check has its own */
		memcpy(&port,
		       (const char *)&c->addr.storage + offsetof(struct sockaddr_in, sin_port),
		       sizeof(port));
	if (c->check_port)
		port = htons((in_port_t)c->check_port);
	if (of_steps.number || of_steps.expr)
		port = htons(check_run_port(&(struct check_of){s, b}, &of_steps, NULL, loop_clock_ns()));
	if (port)
		memcpy((char *)&a.storage + offsetof(struct sockaddr_in, sin_port), &port,
		       sizeof(port));
	return a;
}

/* The PROXY header of its check, which tells of nobody (its specification, section 2). The length; 0: none. */
static size_t introduction(const struct cfg_server *c, const struct cfg_check_connect *how, char buf[PROXY_HEADER_MAX])
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	/* without an address of its own a check goes where the traffic goes */
	bool usual = c->check_proxy ||
		     (c->send_proxy && !c->no_check_proxy && !c->check_port && !c->check_addr);

	if (how->given && !how->usual ? !how->send_proxy : !usual && !how->send_proxy)
		return 0;
	return proxy_header(buf, c->send_proxy ? c->send_proxy : 1, &nobody, &nobody);
}

/* As HAProxy: what the steps say counts, else the server's line. */
static bool goes_via(const struct cfg_server *c, const struct cfg_check_connect *how)
{
	return c->socks && (how->via_socks || (c->check_via_socks && (!how->given || how->usual)));
}

/* Its check speaks TLS as the traffic does, but for the name and the protocol. 0 or -errno. */
static int use_tls(const struct server *s, const struct cfg_server *c, const struct cfg_check_connect *how, const struct tls_store *store,
		   struct health_tls **ret)
{
	const struct cfg_tls *t = c->tls_words;
	char why[256];
	int e = tls_client_new(t, store, how->sni ? how->sni : t->check_sni, how->alpn ? how->alpn : t->check_alpn, why, sizeof(why),
			       ret);

	if (e < 0)
		log_err("server %s/%s: TLS of its check: %s", s->pool->name, s->name, why);
	return e;
}

static void addr_clear_port(struct cfg_addr *a)
{
	memset((char *)&a->storage + offsetof(struct sockaddr_in, sin_port), 0, sizeof(in_port_t));
}

/* As HAProxy: from the address of the section or the server, but not as a client. */
static void set_source(const struct cfg_server *c, const struct cfg_addr *target, struct cfg_addr *source, struct health_check_opts *o)
{
	const struct cfg_source *from = c->source;

	if (!from)
		return;
	o->device = from->interface;
	if (!from->addr.len || from->as != CFG_SOURCE_OWN || from->addr.sa.sa_family != target->sa.sa_family)
		return;
	*source = from->addr;
	addr_clear_port(source);
	o->source = &source->sa;
	o->source_len = source->len;
}

/*
 * Through the server's SOCKS proxy, or not each connection in the same way. `header` is that of all connections, if it is.
 * 0 or -errno.
 */
static int go_via(struct server *s, const struct cfg_server *c, const struct backend *b, bool socks, const struct cfg_addr *target,
		  struct health_check_opts *o)
{
	const struct cfg_settings *set = &b->proxy->set;
	const struct cfg_check_connect *how;

	s->check_via = check_via_new(socks ? target : NULL);
	if (!s->check_via)
		return -ENOMEM;
	for (unsigned n = 0; (how = set->check.mixed ? cfg_check_hop(set, n) : n ? NULL : &set->check.connect); n++) {
		struct health_tls *tls = NULL;
		char header[PROXY_HEADER_MAX];
		size_t len = introduction(c, how, header);
		int e = cfg_hop_speaks_tls(c, how) && c->tls_words ? use_tls(s, c, how, b->set->cfg->tls_store, &tls) : 0;

		if (!e)
			e = check_via_add(s->check_via, header, len, tls);
		if (e < 0)
			return e;
	}
	if (socks) {
		o->destination = &c->socks->sa;
		o->destination_len = c->socks->len;
	}
	o->preamble_len = 0;
	o->transport = check_via_transport(s->check_via);
	return 0;
}

/* 0 or -errno. */
static int check_begin(struct server *s, const struct cfg_server *c, const struct backend *b,
		       const struct cfg_addr *via, const struct cfg_addr *target,
		       struct health_check_opts *o)
{
	const struct cfg_check *check = &b->proxy->set.check;
	struct health_probe *own = NULL;
	int r = 0;

	if (s->admin.maint || s->admin.no_checks)
		o->flags |= HEALTH_CHECK_PAUSED;
	if (via || check->mixed) {
		r = go_via(s, c, b, via, target, o);
	} else if (c->check_tls) {
		r = use_tls(s, c, &check->connect, b->set->cfg->tls_store, &s->check_tls);
		if (!r)
			o->transport = health_tls_transport(s->check_tls);
	}
	if (r < 0)
		return r;
	r = check_probe_of_server(b, s, c, target, &own);
	if (r < 0)
		return r;
	if (own)
		o->probe = own;
	r = health_check_add(s->engine->health, o, s, &s->check);
	health_probe_free(own); /* the check keeps it */
	return r;
}

/* Before the first check, and without any, the configuration says whether the server is up. */
static enum health_start begin_state(struct server *s, const struct cfg_server *c)
{
	if (s->checked)
		return s->up ? HEALTH_START_UP : HEALTH_START_DOWN;
	if (c->check)
		s->up = begins_up(c);
	return start_of(c);
}

int check_sync(struct engine *e, struct server *s, const struct cfg_server *configured,
	       const struct backend *b)
{
	const struct cfg_server now = as_is_now(s, configured), *c = &now;
	const struct cfg_proxy *p = b->proxy;
	const char *text = p->set.check.text;
	const struct cfg_addr *via = goes_via(c, &p->set.check.connect) ? c->socks : NULL;
	bool wanted = c->check && c->addr.len; /* resolve.c comes back when it has one */
	struct cfg_addr target = target_of(c, s, b), source;
	struct health_filter_opts filter = {
	    .size = sizeof(filter),
	    .rise = c->rise,
	    .fall = c->fall,
	    .interval_ns = c->inter_ns,
	    .fast_ns = c->fastinter_ns,
	    .down_ns = c->downinter_ns,
	};
	struct health_check_opts o = {
	    .size = sizeof(o),
	    .destination = &target.sa,
	    .destination_len = target.len,
	    .filter = &filter,
	    .probe = b->probe,
	    .jitter_percent = e->spread_checks,
	    .netns_fd = c->netns ? c->netns->fd : 0,
	};
	char header[PROXY_HEADER_MAX], past[HEALTH_FREEZE_MAX];
	ssize_t past_len = 0;
	bool is_new;
	int r;

	filter.start = begin_state(s, c);
	check_set_timeouts(c->inter_ns, &p->set.timeout, &o);
	set_source(c, via ? via : &target, &source, &o);
	o.preamble = header;
	o.preamble_len = introduction(c, &p->set.check.connect, header);
	s->engine = e;
	s->log_checks = p->set.log_health_checks;
	if (s->check && wanted && check_made_is(s->checked, &o, c->netns, via, text)) {
		/* with TLS it is made anew: certificates may be others now; and what is live looks into the older set */
		if (!s->check_tls && !c->check_tls && !p->set.check.is_live)
			return 0;
		past_len = health_check_freeze(s->check, loop_clock_ns(), past, sizeof(past));
	}
	is_new = !s->check;
	check_end(s);
	if (!wanted && !c->tracked) {
		s->up = true; /* nobody says otherwise */
		s->draining = false;
	}
	if (!wanted)
		return 0;
	if (p->set.check.kind != CFG_CHECK_EXTERNAL && target.sa.sa_family != AF_UNIX && !addr_port(&target)) {
		if (s->up) /* of a name, which is let pass */
			server_set_up(e, s, false, false, ", reason: no port to check is written");
		return 0;
	}
	first_check_plan(e, is_new, &o);
	r = check_made_set(&s->checked, &o, c->netns, via, text);
	if (!r)
		r = check_begin(s, c, b, via, &target, &o);
	if (!r && past_len > 0) /* it stays what it was: so do its rhythm and what it knows */
		health_check_thaw(s->check, loop_clock_ns(), past, (size_t)past_len);
	return r;
}
