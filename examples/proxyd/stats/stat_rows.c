/* SPDX-License-Identifier: MIT */
/* Rows of "show stat": which fields a frontend, listener, server or backend has, and their values. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/control.h"
#include "stat.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static void set(struct stat_row *r, enum stat_field f, uint64_t n)
{
	r->v[f].n = n;
	r->set[f] = true;
}

static void set_text(struct stat_row *r, enum stat_field f, const char *text)
{
	r->v[f].text = text ? text : "";
	r->set[f] = text && *text;
}

static void set_zero(struct stat_row *r, const enum stat_field *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set(r, f[i], 0);
}
#define SET_ZERO(r, ...)                                                                          \
	set_zero(r, (const enum stat_field[]){__VA_ARGS__},                                        \
		 sizeof((const enum stat_field[]){__VA_ARGS__}) / sizeof(enum stat_field))

static const char *mode_name(enum cfg_mode mode)
{
	return mode == CFG_MODE_HTTP ? "http" : "tcp";
}

static void begin(struct stat_row *r, enum stat_kind kind, const struct cfg_proxy *p, const char *name,
		  unsigned sid)
{
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->iid = p->id;
	r->sid = sid;
	set_text(r, STAT_PXNAME, p->name);
	set_text(r, STAT_SVNAME, name);
	set(r, STAT_PID, 1);
	set(r, STAT_IID, p->id);
	set(r, STAT_SID, sid);
	set(r, STAT_TYPE, kind);
	set_text(r, STAT_MODE, mode_name(p->set.became_http ? CFG_MODE_TCP : p->set.mode));
	SET_ZERO(r, STAT_WREW, STAT_SSL_SESS, STAT_SSL_REUSED_SESS, STAT_SSL_FAILED_HANDSHAKE);
}

static void set_tls(struct stat_row *r, const struct tally_sum *s)
{
	set(r, STAT_SSL_SESS, s->n[COUNT_TLS_SESSIONS]);
	set(r, STAT_SSL_REUSED_SESS, s->n[COUNT_TLS_REUSED]);
	set(r, STAT_SSL_FAILED_HANDSHAKE, s->n[COUNT_TLS_FAILED]);
}

static void set_compression(struct stat_row *r, const struct tally_sum *s)
{
	set(r, STAT_COMP_IN, s->n[COUNT_COMPRESS_IN]);
	set(r, STAT_COMP_OUT, s->n[COUNT_COMPRESS_OUT]);
	set(r, STAT_COMP_BYP, 0);
	set(r, STAT_COMP_RSP, s->n[COUNT_COMPRESSED]);
}

static void set_statuses(struct stat_row *r, const struct tally_sum *s)
{
	for (unsigned i = 0; i < 5; i++)
		set(r, STAT_HRSP_1XX + i, s->n[COUNT_STATUS_1XX + i]);
	set(r, STAT_HRSP_OTHER, s->n[COUNT_STATUS_OTHER]);
}

static void set_bytes(struct stat_row *r, const struct tally_sum *s)
{
	set(r, STAT_BIN, s->n[COUNT_BYTES_IN]);
	set(r, STAT_BOUT, s->n[COUNT_BYTES_OUT]);
}

/* Workers count on meanwhile: a part may be ahead of the whole. */
static uint64_t without(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

/* What began and is not over yet; both are counted while they are read. */
static uint64_t still_open(uint64_t begun, uint64_t over)
{
	int64_t n = (int64_t)(begun - over);

	return n > 0 ? (uint64_t)n : 0;
}

/* What modules of HAProxy count of HTTP/2 and HTTP/1. */
static void set_modules(struct stat_row *r, bool http, const struct tally_sum *s, uint64_t connections,
			uint64_t open)
{
	static const struct {
		enum stat_field field;
		enum counted what;
	} h2[] = {
	    {STAT_H2_HEADERS_RCVD, COUNT_H2_HEADERS},
	    {STAT_H2_DATA_RCVD, COUNT_H2_DATA},
	    {STAT_H2_SETTINGS_RCVD, COUNT_H2_SETTINGS},
	    {STAT_H2_RST_STREAM_RCVD, COUNT_H2_RST_STREAM},
	    {STAT_H2_GOAWAY_RCVD, COUNT_H2_GOAWAY},
	    {STAT_H2_DETECTED_CONN_PROTOCOL_ERRORS, COUNT_H2_CONNECTION_ERRORS},
	    {STAT_H2_DETECTED_STRM_PROTOCOL_ERRORS, COUNT_H2_STREAM_ERRORS},
	    {STAT_H2_RST_STREAM_RESP, COUNT_H2_RST_STREAM_SENT},
	    {STAT_H2_GOAWAY_RESP, COUNT_H2_GOAWAY_SENT},
	    {STAT_H2_TOTAL_CONNECTIONS, COUNT_H2_CONNECTIONS},
	    {STAT_H2_BACKEND_TOTAL_STREAMS, COUNT_H2_STREAMS},
	};
	const uint64_t *n = s->n;
	uint64_t h2_open = still_open(n[COUNT_H2_CONNECTIONS], n[COUNT_H2_CONNECTIONS_OVER]);

	for (unsigned f = STAT_H2_HEADERS_RCVD; f <= STAT_H1_SPLICED_BYTES_OUT; f++)
		set(r, f, 0);
	if (!http)
		return;
	for (size_t i = 0; i < sizeof(h2) / sizeof(h2[0]); i++)
		set(r, h2[i].field, n[h2[i].what]);
	set(r, STAT_H2_OPEN_CONNECTIONS, h2_open);
	set(r, STAT_H2_BACKEND_OPEN_STREAMS, still_open(n[COUNT_H2_STREAMS], n[COUNT_H2_STREAMS_OVER]));
	set(r, STAT_H1_OPEN_CONNECTIONS, without(open, h2_open));
	set(r, STAT_H1_TOTAL_CONNECTIONS, without(connections, n[COUNT_H2_CONNECTIONS]));
	set(r, STAT_H1_TOTAL_STREAMS, without(n[COUNT_REQUESTS], n[COUNT_H2_STREAMS]));
	set(r, STAT_H1_BYTES_IN, without(n[COUNT_BYTES_IN], n[COUNT_H2_BYTES_IN]));
	set(r, STAT_H1_BYTES_OUT, without(n[COUNT_BYTES_OUT], n[COUNT_H2_BYTES_OUT]));
}

static void write_addr(const struct cfg_addr *a, char *buf, size_t cap)
{
	char ip[INET6_ADDRSTRLEN] = "";

	switch (a->len ? a->sa.sa_family : AF_UNSPEC) {
	case AF_INET: {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(buf, cap, "%s:%u", ip, ntohs(in->sin_port));
		break;
	}
	case AF_INET6: {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(buf, cap, "[%s]:%u", ip, ntohs(in6->sin6_port));
		break;
	}
	case AF_UNIX:
		snprintf(buf, cap, "unix");
		break;
	default:
		*buf = '\0';
	}
}

/* ---- Frontends and listeners ---- */

static void frontend_row(const struct frontend *f, const struct cfg_proxy *p, uint64_t now_ns, struct stat_row *r)
{
	const struct gate *g = f->gate;
	struct tally_sum s;
	uint32_t max = atomic_load_explicit(&g->max, memory_order_relaxed);
	uint64_t open = atomic_load_explicit(&g->n, memory_order_relaxed);

	tally_read(g->tally, now_ns, &s);
	begin(r, STAT_FRONTEND, p, "FRONTEND", 0);
	set_text(r, STAT_STATUS, g->shut ? "STOP" : g->paused ? "PAUSED" : "OPEN");
	r->up = true;
	r->no_maint = true;
	set(r, STAT_SCUR, open);
	set(r, STAT_SMAX, s.sessions_max);
	set(r, STAT_SLIM, g->paused ? g->max_before_pause : max);
	set(r, STAT_STOT, s.n[COUNT_SESSIONS]);
	set_bytes(r, &s);
	set(r, STAT_DREQ, s.n[COUNT_DENIED_REQUESTS]);
	set(r, STAT_DRESP, s.n[COUNT_DENIED_RESPONSES]);
	set(r, STAT_EREQ, s.n[COUNT_REQUEST_ERRORS]);
	set(r, STAT_RATE, s.session_rate);
	set(r, STAT_RATE_LIM, atomic_load_explicit(&g->rate_max, memory_order_relaxed));
	set(r, STAT_RATE_MAX, s.session_rate_max);
	set(r, STAT_REQ_RATE, s.request_rate);
	set(r, STAT_REQ_RATE_MAX, s.request_rate_max);
	set(r, STAT_REQ_TOT, s.n[COUNT_REQUESTS]);
	set(r, STAT_CONN_RATE, s.connection_rate);
	set(r, STAT_CONN_RATE_MAX, s.connection_rate_max);
	set(r, STAT_CONN_TOT, s.n[COUNT_CONNECTIONS]);
	set(r, STAT_EINT, s.n[COUNT_INTERNAL_ERRORS]);
	set_compression(r, &s);
	set(r, STAT_DCON, s.n[COUNT_DENIED_CONNECTIONS]);
	set(r, STAT_DSES, s.n[COUNT_DENIED_SESSIONS]);
	if (f->http && !p->set.became_http) {
		set_statuses(r, &s);
		set(r, STAT_INTERCEPTED, s.n[COUNT_INTERCEPTED]);
		SET_ZERO(r, STAT_CACHE_LOOKUPS, STAT_CACHE_HITS);
	}
	set_tls(r, &s);
	set_modules(r, f->http, &s, s.n[COUNT_CONNECTIONS], open);
}

static void listener_row(const struct set_listener *l, const struct cfg_bind *b, const struct cfg_proxy *p, unsigned sid,
			 uint64_t now_ns, bool legends, struct stat_row *r)
{
	struct tally_sum s;

	tally_read(l->tally, now_ns, &s);
	begin(r, STAT_LISTENER, p, b->name, sid);
	if (!b->name) {
		snprintf(r->sname, sizeof(r->sname), "sock-%u", sid);
		set_text(r, STAT_SVNAME, r->sname);
	}
	set_text(r, STAT_STATUS, "OPEN");
	r->up = r->no_maint = true;
	set(r, STAT_SLIM, b->maxconn);
	set(r, STAT_SCUR, s.open);
	set(r, STAT_SMAX, s.sessions_max > s.open ? s.sessions_max : s.open);
	set(r, STAT_STOT, s.n[COUNT_SESSIONS]);
	set(r, STAT_BIN, s.n[COUNT_BYTES_IN]);
	set(r, STAT_BOUT, s.n[COUNT_BYTES_OUT]);
	set(r, STAT_DREQ, s.n[COUNT_DENIED_REQUESTS]);
	set(r, STAT_DRESP, s.n[COUNT_DENIED_RESPONSES]);
	set(r, STAT_EREQ, s.n[COUNT_REQUEST_ERRORS]);
	set(r, STAT_EINT, s.n[COUNT_INTERNAL_ERRORS]);
	SET_ZERO(r, STAT_DCON, STAT_DSES);
	if (!legends)
		return;
	write_addr(&b->addr, r->addr, sizeof(r->addr));
	set_text(r, STAT_ADDR, r->addr);
}

/* ---- Servers ---- */

struct health_seen {
	bool checked; /* it, or the one it tracks */
	struct health_filter_status filter;
	struct health_check_status check;
};

static void look(const struct server *s, struct health_seen *h)
{
	*h = (struct health_seen){.filter.size = sizeof(h->filter), .check.size = sizeof(h->check)};
	while (s->tracked)
		s = s->tracked;
	h->checked = s->check && !s->admin.maint && !s->admin.no_checks &&
		     health_check_filter_status(s->check, &h->filter) == 0 &&
		     check_status(s, &h->check) == 0;
}

/* HAProxy's scale: 0 … rise-1 is down, up to rise+fall-1 is up. */
static unsigned health_number(const struct server *s, const struct health_seen *h)
{
	const struct health_filter_status *f = &h->filter;

	if (!h->checked)
		return 0;
	return s->up ? f->rise + f->left - 1 : f->rise - (f->left < f->rise ? f->left : f->rise);
}

static void write_status(const struct server *s, const struct health_seen *h, char *buf, size_t cap)
{
	const struct health_filter_status *f = &h->filter;
	const char *drain = s->agent && !s->admin.no_agent ? "DRAIN (agent)" : "DRAIN";
	const char *up = server_in_drain(s) ? drain : s->draining ? "NOLB" : "UP";

	if (!s->usable)
		snprintf(buf, cap, "MAINT (resolution)");
	else if (s->admin.maint)
		snprintf(buf, cap, "MAINT");
	else if (s->admin.via_maint)
		snprintf(buf, cap, "MAINT (via %s/%s)", s->tracked->pool->name, s->tracked->name);
	else if (!s->up && s->agent_down)
		snprintf(buf, cap, "DOWN (agent)");
	else if (!s->up && h->checked && f->left < f->rise)
		snprintf(buf, cap, "DOWN %u/%u", f->rise - f->left, f->rise);
	else if (!s->up)
		snprintf(buf, cap, "DOWN");
	else if (h->checked && f->left < f->fall)
		snprintf(buf, cap, "%s %u/%u", up, f->left, f->fall);
	else if (!h->checked && !server_in_drain(s) && !s->draining)
		snprintf(buf, cap, "no check");
	else
		snprintf(buf, cap, "%s", up);
}

static void set_check(const struct server *s, const struct health_seen *h, struct stat_row *r)
{
	const struct health_check_status *c = &h->check;

	if (!h->checked || s->tracked)
		return;
	snprintf(r->check_status, sizeof(r->check_status), "%s%s", c->running ? "* " : "", health_code_name(c->code));
	set_text(r, STAT_CHECK_STATUS, r->check_status);
	if (c->runs && (c->code == HEALTH_CODE_L7OK || c->code == HEALTH_CODE_L7OKC || c->code == HEALTH_CODE_L7STS))
		set(r, STAT_CHECK_CODE, c->status);
	if (c->runs && c->code != HEALTH_CODE_HANA)
		set(r, STAT_CHECK_DURATION, c->last_total_ns / MS);
	set_text(r, STAT_CHECK_DESC, check_code_text(c->code));
	check_info(s, c, r->last_check, sizeof(r->last_check));
	set_text(r, STAT_LAST_CHK, r->last_check);
	r->set[STAT_LAST_CHK] = true; /* HAProxy has it empty, too */
	set(r, STAT_CHECK_RISE, h->filter.rise);
	set(r, STAT_CHECK_FALL, h->filter.fall);
	set(r, STAT_CHECK_HEALTH, health_number(s, h));
}

/* What an agent said, or why it said nothing. */
static void write_agent(const struct health_check_status *c, bool away, char *buf, size_t cap)
{
	if (!away)
		agent_tell(c->verdict, c->status, c->text, buf, cap);
	else
		snprintf(buf, cap, "%s", c->code == HEALTH_CODE_L4CON && c->error ? strerror(c->error) : "");
}

static void set_agent(const struct server *s, struct stat_row *r)
{
	struct health_check_status c = {.size = sizeof(c)};
	struct health_filter_status f = {.size = sizeof(f)};
	bool away, silent;

	if (!s->agent || s->admin.no_agent || health_check_status(s->agent, &c) < 0 || health_check_filter_status(s->agent, &f) < 0)
		return;
	away = !c.runs || agent_is_away(c.verdict, c.code, c.status);
	silent = !away && c.verdict == HEALTH_NEUTRAL; /* of weights or the like it may have spoken */
	snprintf(r->agent_status, sizeof(r->agent_status), "%s%s", c.running ? "* " : "", silent ? "CHECKED" : health_code_name(c.code));
	write_agent(&c, away, r->last_agent, sizeof(r->last_agent));
	set_text(r, STAT_AGENT_STATUS, r->agent_status);
	set_text(r, STAT_AGENT_DESC, silent ? "No status change" : check_code_text(c.code));
	set_text(r, STAT_LAST_AGT, r->last_agent);
	if (!away && !silent)
		set(r, STAT_AGENT_CODE, 0);
	set(r, STAT_AGENT_DURATION, c.last_total_ns / MS);
	set(r, STAT_AGENT_RISE, f.rise);
	set(r, STAT_AGENT_FALL, f.fall);
	set(r, STAT_AGENT_HEALTH, !s->agent_down);
}

static uint64_t age_s(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns > since_ns ? (now_ns - since_ns) / SECOND_NS : 0;
}

/* s32: -1 is "never" */
static void set_last(struct stat_row *r, const struct tally_sum *s, uint64_t now_ns)
{
	set(r, STAT_LASTSESS, s->last_ns ? age_s(s->last_ns, now_ns) : (uint64_t)-1);
}

static void set_shared(struct stat_row *r, const struct tally_sum *s)
{
	static const struct {
		enum stat_field to;
		enum counted from;
	} same[] = {
	    {STAT_STOT, COUNT_SESSIONS},	 {STAT_DRESP, COUNT_DENIED_RESPONSES},
	    {STAT_ECON, COUNT_CONNECT_ERRORS},	 {STAT_ERESP, COUNT_RESPONSE_ERRORS},
	    {STAT_WRETR, COUNT_RETRIES},	 {STAT_WREDIS, COUNT_REDISPATCHES},
	    {STAT_LBTOT, COUNT_PICKED},		 {STAT_CLI_ABRT, COUNT_CLIENT_ABORTS},
	    {STAT_SRV_ABRT, COUNT_SERVER_ABORTS}, {STAT_CONNECT, COUNT_CONNECTS},
	    {STAT_REUSE, COUNT_REUSES},		 {STAT_EINT, COUNT_INTERNAL_ERRORS},
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		set(r, same[i].to, s->n[same[i].from]);
	set_bytes(r, s);
	set(r, STAT_SMAX, s->sessions_max);
	set(r, STAT_QMAX, s->queue_max);
	set(r, STAT_RATE, s->session_rate);
	set(r, STAT_RATE_MAX, s->session_rate_max);
	for (unsigned i = 0; i < TIME_COUNT_; i++) {
		set(r, STAT_QTIME + i, tally_average(s, i));
		set(r, STAT_QTIME_MAX + i, s->time_max[i]);
	}
}

/* Connections that wait for the next request. */
static uint64_t idle_of(const struct server *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; s->http && i < s->tally->n_workers; i++)
		n += atomic_load_explicit(&s->worker[i].n_idle, memory_order_relaxed);
	return n;
}

static uint64_t need_of(const struct server *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; s->http && i < s->tally->n_workers; i++)
		n += atomic_load_explicit(&s->worker[i].need, memory_order_relaxed);
	return n;
}

static unsigned share_of(unsigned weight, unsigned percent)
{
	return (weight * percent + 99) / 100;
}

static void server_row(const struct server *sv, const struct cfg_proxy *p, unsigned sid, uint64_t now_ns, bool legends,
		       struct stat_row *r)
{
	const struct server_admin *a = &sv->admin;
	uint64_t used = atomic_load_explicit(&sv->n_sessions, memory_order_relaxed);
	bool up = sv->up && !server_in_maint(sv);
	unsigned share = server_share(sv, now_ns), max_queue = atomic_load_explicit(&sv->maxqueue, memory_order_relaxed);
	struct health_seen h;
	struct tally_sum s;

	tally_read(sv->tally, now_ns, &s);
	look(sv, &h);
	begin(r, STAT_SERVER, p, sv->name, sid);
	set_shared(r, &s);
	write_status(sv, &h, r->status, sizeof(r->status));
	set_text(r, STAT_STATUS, r->status);
	r->no_maint = !server_in_maint(sv);
	r->up = up;
	r->draining = up && (server_in_drain(sv) || sv->draining || !a->weight);
	r->is_backup = sv->backup;
	set(r, STAT_QCUR, atomic_load_explicit(&sv->n_queued, memory_order_relaxed));
	if (max_queue)
		set(r, STAT_QLIMIT, max_queue);
	set(r, STAT_SCUR, used);
	if (a->maxconn)
		set(r, STAT_SLIM, a->maxconn);
	set(r, STAT_WEIGHT, share_of(a->weight, share));
	set(r, STAT_UWEIGHT, a->weight);
	if (share < 100)
		set(r, STAT_THROTTLE, share);
	set(r, STAT_ACT, !sv->backup);
	set(r, STAT_BCK, sv->backup);
	set(r, STAT_LASTCHG, age_s(a->changed_ns, now_ns));
	if (a->cfg && a->cfg->check && !a->no_checks) {
		set(r, STAT_CHKFAIL, a->n_failed);
		if (a->cfg->observe)
			set(r, STAT_HANAFAIL, a->n_observed);
		set(r, STAT_CHKDOWN, a->n_down);
		set(r, STAT_DOWNTIME, a->down_ns / SECOND_NS + (up ? 0 : age_s(a->changed_ns, now_ns)));
	}
	if (sv->tracked) {
		snprintf(r->tracked, sizeof(r->tracked), "%s/%s", sv->tracked->pool->name, sv->tracked->name);
		set_text(r, STAT_TRACKED, r->tracked);
	}
	set_last(r, &s, now_ns);
	set_tls(r, &s);
	set_check(sv, &h, r);
	set_agent(sv, r);
	SET_ZERO(r, STAT_IDLE_CONN_CUR, STAT_NEED_CONN_EST);
	set(r, STAT_SRV_ICUR, idle_of(sv));
	set(r, STAT_SAFE_CONN_CUR, idle_of(sv));
	set(r, STAT_USED_CONN_CUR, used);
	set(r, STAT_NEED_CONN_EST, need_of(sv));
	if (p->set.mode == CFG_MODE_HTTP) {
		set_statuses(r, &s);
		set(r, STAT_REQ_TOT, s.n[COUNT_REQUESTS]);
	}
	if (!legends)
		return;
	write_addr(server_addr(sv), r->addr, sizeof(r->addr));
	set_text(r, STAT_ADDR, r->addr);
	set_text(r, STAT_COOKIE, a->cfg ? a->cfg->cookie : NULL);
}

/* ---- Backends ---- */

struct backend_sum {
	unsigned active, backup;
	struct weights {
		unsigned whole, shares; /* shares: in hundredths, as they are now */
	} active_weight, backup_weight;
	bool any;
};

static void add_weight(struct weights *w, const struct server *s, uint64_t now_ns)
{
	w->whole += s->admin.weight;
	w->shares += s->admin.weight * server_share(s, now_ns);
}

static void sum_servers(const struct backend *b, uint64_t now_ns, struct backend_sum *sum)
{
	const struct server *s;

	*sum = (struct backend_sum){.any = b->n_servers};
	TAILQ_FOREACH (s, &b->pool->servers, entry) {
		if (!s->member || !s->balanced)
			continue;
		if (s->backup) {
			sum->backup++;
			if (!sum->backup_weight.whole || b->proxy->set.allbackups) /* else one of them is used */
				add_weight(&sum->backup_weight, s, now_ns);
		} else {
			sum->active++;
			add_weight(&sum->active_weight, s, now_ns);
		}
	}
}

static void backend_row(const struct backend *b, const struct cfg_proxy *p, uint64_t now_ns, const struct stat_filter *f,
			struct stat_row *r)
{
	const struct pool *pool = b->pool;
	struct backend_sum sum;
	struct weights weight;
	struct tally_sum s;

	tally_read(pool->tally, now_ns, &s);
	sum_servers(b, now_ns, &sum);
	for (size_t i = 0; i < b->n_servers; i++) {
		struct tally_sum of_server;

		tally_read(b->servers[i]->tally, now_ns, &of_server);
		tally_add_times(&s, &of_server);
		for (unsigned k = COUNT_TLS_SESSIONS; k <= COUNT_TLS_FAILED; k++)
			s.n[k] += of_server.n[k];
	}
	weight = sum.active_weight.whole ? sum.active_weight : sum.backup_weight;
	begin(r, STAT_BACKEND, p, "BACKEND", 0);
	set_shared(r, &s);
	r->up = weight.whole || !sum.any;
	r->no_maint = true;
	if (f->up || f->no_maint) /* the servers that are not shown are at least counted */
		snprintf(r->status, sizeof(r->status), "%s (%u/%zu)", r->up ? "UP" : "DOWN", sum.active + sum.backup,
			 b->n_servers);
	else
		snprintf(r->status, sizeof(r->status), "%s", r->up ? "UP" : "DOWN");
	set_text(r, STAT_STATUS, r->status);
	set(r, STAT_QCUR, pool_queue(pool));
	set(r, STAT_SCUR, pool_sessions(pool));
	set(r, STAT_SLIM, b->fullconn);
	set(r, STAT_DREQ, s.n[COUNT_DENIED_REQUESTS]);
	set(r, STAT_WEIGHT, (weight.shares + 99) / 100);
	set(r, STAT_UWEIGHT, weight.whole);
	set(r, STAT_ACT, sum.active);
	set(r, STAT_BCK, sum.backup);
	set(r, STAT_CHKDOWN, pool->n_down);
	set(r, STAT_LASTCHG, age_s(pool->changed_ns, now_ns));
	if (sum.any)
		set(r, STAT_DOWNTIME, pool->down_ns / SECOND_NS + (r->up ? 0 : age_s(pool->changed_ns, now_ns)));
	set_last(r, &s, now_ns);
	set_compression(r, &s);
	SET_ZERO(r, STAT_AGG_SERVER_STATUS, STAT_AGG_SERVER_CHECK_STATUS, STAT_AGG_CHECK_STATUS);
	if (b->http) {
		set_statuses(r, &s);
		set(r, STAT_REQ_TOT, s.n[COUNT_REQUESTS]);
		SET_ZERO(r, STAT_CACHE_LOOKUPS, STAT_CACHE_HITS);
	}
	set_tls(r, &s);
	set_modules(r, b->http, &s, s.n[COUNT_CONNECTS], 0);
	if (!f->legends)
		return;
	set_text(r, STAT_ALGO, p->set.balance);
	set_text(r, STAT_COOKIE, p->set.http.cookie ? p->set.http.cookie->name : NULL);
}

/* ---- All ---- */

struct walk {
	const struct set *set;
	uint64_t now_ns;
	const struct stat_filter *f;
	stat_visit_fn *fn;
	void *userdata;
	bool has_servers; /* the proxy */
	struct stat_row row;
};

static bool wanted(const struct walk *w, enum stat_kind kind, unsigned sid)
{
	return (!w->f->kinds || w->f->kinds >> kind & 1) && (w->f->sid == STAT_ALL || w->f->sid == sid);
}

static void tell(struct walk *w)
{
	if (w->row.kind == STAT_SERVER &&
	    ((w->f->up && !w->row.up) || (w->f->no_maint && !w->row.no_maint)))
		return;
	w->row.has_servers = w->has_servers;
	w->fn(w->userdata, &w->row);
}

static void walk_frontend(struct walk *w, const struct frontend *f, const struct cfg_proxy *p)
{
	const struct cfg_bind *b = STAILQ_FIRST(&p->binds);
	unsigned sid = 0;

	if (wanted(w, STAT_FRONTEND, 0)) {
		frontend_row(f, p, w->now_ns, &w->row);
		tell(w);
	}
	if (!p->set.socket_stats)
		return;
	for (size_t i = 0; b && i < w->set->n_listeners; i++) {
		if (w->set->listener[i].frontend != f)
			continue;
		sid++;
		if (wanted(w, STAT_LISTENER, sid)) {
			listener_row(&w->set->listener[i], b, p, sid, w->now_ns, w->f->legends, &w->row);
			tell(w);
		}
		b = STAILQ_NEXT(b, next);
	}
}

static void walk_backend(struct walk *w, const struct backend *b, const struct cfg_proxy *p)
{
	struct server *s;
	unsigned sid;

	for (size_t i = 0; i < b->n_servers; i++) {
		s = b->servers[i];
		sid = b->lines[i]->id;
		if (wanted(w, STAT_SERVER, sid)) {
			server_row(s, p, sid, w->now_ns, w->f->legends, &w->row);
			tell(w);
		}
	}
	if (wanted(w, STAT_BACKEND, 0)) {
		backend_row(b, p, w->now_ns, w->f, &w->row);
		tell(w);
	}
}

void stat_each(const struct engine *e, uint64_t now_ns, const struct stat_filter *f, stat_visit_fn *fn, void *userdata)
{
	const struct set *set = engine_set(e);
	struct walk w = {.set = set, .now_ns = now_ns, .f = f, .fn = fn, .userdata = userdata};
	size_t front = 0, back = 0;
	const struct cfg_proxy *p;

	if (!set)
		return;
	/* frontends and backends of a set stand in the order of the file */
	STAILQ_FOREACH (p, &set->cfg->proxies, next) {
		const struct frontend *fe = NULL;
		const struct backend *be = NULL;

		if (p->set.disabled)
			continue;
		if (p->kind & CFG_FRONTEND)
			fe = &set->frontend[front++];
		if (p->kind & CFG_BACKEND)
			be = &set->backend[back++];
		if ((f->iid != STAT_ALL && f->iid != p->id) || (f->in_scope && !f->in_scope(f->userdata, p->name)))
			continue;
		w.has_servers = be && be->n_servers;
		if (fe)
			walk_frontend(&w, fe, p);
		if (be)
			walk_backend(&w, be, p);
	}
}
