/* SPDX-License-Identifier: MIT */
/*
 * Metrics for Prometheus under the names of HAProxy 2.6's own exporter, so that its dashboards and alerts go on
 * working. What they mean is what the fields of "show stat" and "show info" mean that they are made of.
 */
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "info.h"

#define FRONTENDS (1u << STAT_FRONTEND)
#define BACKENDS (1u << STAT_BACKEND)
#define SERVERS (1u << STAT_SERVER)
#define LISTENERS (1u << STAT_LISTENER)
#define PROCESS (1u << 8)

/* clang-format off */
static const struct metric {
	const char *name;
	enum stat_field field;
	unsigned kinds;
	bool counter, ms; /* ms: a time that is told in seconds */
} metrics[] = {
    {"current_sessions", STAT_SCUR, FRONTENDS | LISTENERS | BACKENDS | SERVERS, false, false},
    {"max_sessions", STAT_SMAX, FRONTENDS | LISTENERS | BACKENDS | SERVERS, false, false},
    {"limit_sessions", STAT_SLIM, FRONTENDS | LISTENERS | BACKENDS | SERVERS, false, false},
    {"sessions_total", STAT_STOT, FRONTENDS | LISTENERS | BACKENDS | SERVERS, true, false},
    {"bytes_in_total", STAT_BIN, FRONTENDS | LISTENERS | BACKENDS | SERVERS, true, false},
    {"bytes_out_total", STAT_BOUT, FRONTENDS | LISTENERS | BACKENDS | SERVERS, true, false},
    {"requests_denied_total", STAT_DREQ, FRONTENDS | LISTENERS | BACKENDS, true, false},
    {"responses_denied_total", STAT_DRESP, FRONTENDS | LISTENERS | BACKENDS | SERVERS, true, false},
    {"request_errors_total", STAT_EREQ, FRONTENDS | LISTENERS, true, false},
    {"limit_session_rate", STAT_RATE_LIM, FRONTENDS, false, false},
    {"max_session_rate", STAT_RATE_MAX, FRONTENDS | BACKENDS | SERVERS, false, false},
    {"http_requests_rate_max", STAT_REQ_RATE_MAX, FRONTENDS, false, false},
    {"http_requests_total", STAT_REQ_TOT, FRONTENDS | BACKENDS, true, false},
    {"http_comp_bytes_in_total", STAT_COMP_IN, FRONTENDS | BACKENDS, true, false},
    {"http_comp_bytes_out_total", STAT_COMP_OUT, FRONTENDS | BACKENDS, true, false},
    {"http_comp_bytes_bypassed_total", STAT_COMP_BYP, FRONTENDS | BACKENDS, true, false},
    {"http_comp_responses_total", STAT_COMP_RSP, FRONTENDS | BACKENDS, true, false},
    {"connections_rate_max", STAT_CONN_RATE_MAX, FRONTENDS, false, false},
    {"connections_total", STAT_CONN_TOT, FRONTENDS, true, false},
    {"intercepted_requests_total", STAT_INTERCEPTED, FRONTENDS, true, false},
    {"denied_connections_total", STAT_DCON, FRONTENDS | LISTENERS, true, false},
    {"denied_sessions_total", STAT_DSES, FRONTENDS | LISTENERS, true, false},
    {"failed_header_rewriting_total", STAT_WREW, FRONTENDS | LISTENERS | BACKENDS | SERVERS, true, false},
    {"http_cache_lookups_total", STAT_CACHE_LOOKUPS, FRONTENDS | BACKENDS, true, false},
    {"http_cache_hits_total", STAT_CACHE_HITS, FRONTENDS | BACKENDS, true, false},
    {"internal_errors_total", STAT_EINT, FRONTENDS | LISTENERS | BACKENDS | SERVERS, true, false},
    {"current_queue", STAT_QCUR, BACKENDS | SERVERS, false, false},
    {"max_queue", STAT_QMAX, BACKENDS | SERVERS, false, false},
    {"connection_errors_total", STAT_ECON, BACKENDS | SERVERS, true, false},
    {"response_errors_total", STAT_ERESP, BACKENDS | SERVERS, true, false},
    {"retry_warnings_total", STAT_WRETR, BACKENDS | SERVERS, true, false},
    {"redispatch_warnings_total", STAT_WREDIS, BACKENDS | SERVERS, true, false},
    {"weight", STAT_WEIGHT, BACKENDS | SERVERS, false, false},
    {"active_servers", STAT_ACT, BACKENDS, false, false},
    {"backup_servers", STAT_BCK, BACKENDS, false, false},
    {"check_up_down_total", STAT_CHKDOWN, BACKENDS | SERVERS, true, false},
    {"check_last_change_seconds", STAT_LASTCHG, BACKENDS | SERVERS, false, false},
    {"downtime_seconds_total", STAT_DOWNTIME, BACKENDS | SERVERS, true, false},
    {"loadbalanced_total", STAT_LBTOT, BACKENDS | SERVERS, true, false},
    {"client_aborts_total", STAT_CLI_ABRT, BACKENDS | SERVERS, true, false},
    {"server_aborts_total", STAT_SRV_ABRT, BACKENDS | SERVERS, true, false},
    {"last_session_seconds", STAT_LASTSESS, BACKENDS | SERVERS, false, false},
    {"queue_time_average_seconds", STAT_QTIME, BACKENDS | SERVERS, false, true},
    {"connect_time_average_seconds", STAT_CTIME, BACKENDS | SERVERS, false, true},
    {"response_time_average_seconds", STAT_RTIME, BACKENDS | SERVERS, false, true},
    {"total_time_average_seconds", STAT_TTIME, BACKENDS | SERVERS, false, true},
    {"connection_attempts_total", STAT_CONNECT, BACKENDS | SERVERS, true, false},
    {"connection_reuses_total", STAT_REUSE, BACKENDS | SERVERS, true, false},
    {"max_queue_time_seconds", STAT_QTIME_MAX, BACKENDS | SERVERS, false, true},
    {"max_connect_time_seconds", STAT_CTIME_MAX, BACKENDS | SERVERS, false, true},
    {"max_response_time_seconds", STAT_RTIME_MAX, BACKENDS | SERVERS, false, true},
    {"max_total_time_seconds", STAT_TTIME_MAX, BACKENDS | SERVERS, false, true},
    {"uweight", STAT_UWEIGHT, BACKENDS | SERVERS, false, false},
    {"check_failures_total", STAT_CHKFAIL, SERVERS, true, false},
    {"queue_limit", STAT_QLIMIT, SERVERS, false, false},
    {"current_throttle", STAT_THROTTLE, SERVERS, false, false},
    {"check_code", STAT_CHECK_CODE, SERVERS, false, false},
    {"check_duration_seconds", STAT_CHECK_DURATION, SERVERS, false, true},
    {"idle_connections_current", STAT_SRV_ICUR, SERVERS, false, false},
    {"idle_connections_limit", STAT_SRC_ILIM, SERVERS, false, false},
    {"unsafe_idle_connections_current", STAT_IDLE_CONN_CUR, SERVERS, false, false},
    {"safe_idle_connections_current", STAT_SAFE_CONN_CUR, SERVERS, false, false},
    {"used_connections_current", STAT_USED_CONN_CUR, SERVERS, false, false},
    {"need_connections_current", STAT_NEED_CONN_EST, SERVERS, false, false},
};
#define N_METRICS (sizeof(metrics) / sizeof(metrics[0]))

static const struct process_metric {
	const char *name;
	enum info_field field; /* INFO_COUNT_: always 0 */
	bool counter;
} process_metrics[] = {
    {"nbthread", INFO_NBTHREAD, false},
    {"nbproc", INFO_NBPROC, false},
    {"relative_process_id", INFO_PROCESS_NUM, false},
    {"uptime_seconds", INFO_UPTIME_SEC, false},
    {"pool_failures_total", INFO_POOL_FAILED, true},
    {"max_fds", INFO_ULIMIT_N, false},
    {"max_sockets", INFO_MAXSOCK, false},
    {"max_connections", INFO_MAXCONN, false},
    {"hard_max_connections", INFO_HARD_MAXCONN, false},
    {"current_connections", INFO_CURR_CONNS, false},
    {"connections_total", INFO_CUM_CONNS, true},
    {"requests_total", INFO_CUM_REQ, true},
    {"max_ssl_connections", INFO_MAX_SSL_CONNS, false},
    {"current_ssl_connections", INFO_CURR_SSL_CONNS, false},
    {"ssl_connections_total", INFO_CUM_SSL_CONNS, true},
    {"max_pipes", INFO_MAXPIPES, false},
    {"pipes_used_total", INFO_PIPES_USED, true},
    {"pipes_free_total", INFO_PIPES_FREE, true},
    {"current_connection_rate", INFO_CONN_RATE, false},
    {"limit_connection_rate", INFO_CONN_RATE_LIMIT, false},
    {"max_connection_rate", INFO_MAX_CONN_RATE, false},
    {"current_session_rate", INFO_SESS_RATE, false},
    {"limit_session_rate", INFO_SESS_RATE_LIMIT, false},
    {"max_session_rate", INFO_MAX_SESS_RATE, false},
    {"current_ssl_rate", INFO_SSL_RATE, false},
    {"limit_ssl_rate", INFO_SSL_RATE_LIMIT, false},
    {"max_ssl_rate", INFO_MAX_SSL_RATE, false},
    {"current_frontend_ssl_key_rate", INFO_SSL_FRONTEND_KEY_RATE, false},
    {"max_frontend_ssl_key_rate", INFO_SSL_FRONTEND_MAX_KEY_RATE, false},
    {"frontend_ssl_reuse", INFO_SSL_FRONTEND_SESSION_REUSE_PCT, false},
    {"current_backend_ssl_key_rate", INFO_SSL_BACKEND_KEY_RATE, false},
    {"max_backend_ssl_key_rate", INFO_SSL_BACKEND_MAX_KEY_RATE, false},
    {"ssl_cache_lookups_total", INFO_SSL_CACHE_LOOKUPS, true},
    {"ssl_cache_misses_total", INFO_SSL_CACHE_MISSES, true},
    {"http_comp_bytes_in_total", INFO_COMPRESS_BPS_IN, true},
    {"http_comp_bytes_out_total", INFO_COMPRESS_BPS_OUT, true},
    {"limit_http_comp", INFO_COMPRESS_BPS_RATE_LIM, false},
    {"current_zlib_memory", INFO_COUNT_, false},
    {"max_zlib_memory", INFO_COUNT_, false},
    {"current_tasks", INFO_TASKS, false},
    {"current_run_queue", INFO_RUN_QUEUE, false},
    {"idle_time_percent", INFO_IDLE_PCT, false},
    {"stopping", INFO_STOPPING, false},
    {"jobs", INFO_JOBS, false},
    {"unstoppable_jobs", INFO_UNSTOPPABLE_JOBS, false},
    {"listeners", INFO_LISTENERS, false},
    {"active_peers", INFO_ACTIVE_PEERS, false},
    {"connected_peers", INFO_CONNECTED_PEERS, false},
    {"dropped_logs_total", INFO_DROPPED_LOGS, true},
    {"busy_polling_enabled", INFO_BUSY_POLLING, false},
    {"failed_resolutions", INFO_FAILED_RESOLUTIONS, true},
    {"bytes_out_total", INFO_TOTAL_BYTES_OUT, true},
    {"spliced_bytes_out_total", INFO_TOTAL_SPLICDED_BYTES_OUT, true},
    {"bytes_out_rate", INFO_BYTES_OUT_RATE, false},
    {"recv_logs_total", INFO_CUM_RECV_LOGS, true},
    {"max_memory_bytes", INFO_MEMMAX_BYTES, false},
    {"pool_allocated_bytes", INFO_POOL_ALLOC_BYTES, false},
    {"pool_used_bytes", INFO_POOL_USED_BYTES, false},
    {"start_time_seconds", INFO_START_TIME_SEC, false},
};
/* clang-format on */

static const char *const server_states[] = {"DOWN", "UP", "MAINT", "DRAIN", "NOLB", NULL};
static const char *const proxy_states[] = {"DOWN", "UP", NULL};
static const char *const listener_states[] = {"WAITING", "OPEN", "FULL", NULL};
static const char *const check_states[] = {"HANA",   "SOCKERR", "L4OK",	 "L4TOUT", "L4CON", "L6OK",    "L6TOUT",
					   "L6RSP",  "L7TOUT",	"L7RSP", "L7OK",   "L7OKC", "L7STS",   "PROCERR",
					   "PROCTOUT", "PROCOK", NULL};

/* Families are written side by side, since the rows are gone through once: a part of the text each. */
enum {
	PART_STATUS = N_METRICS,
	PART_RESPONSES,
	PART_CHECK,
	PART_AGGREGATE, /* three */
	N_PARTS = PART_AGGREGATE + 3,
};

struct writer {
	enum stat_kind kind; /* that is told of; a backend's servers are only counted */
	const char *prefix;
	bool no_maint;
	unsigned servers_in[5], checks_in[16]; /* of the backend at hand, by state */
	struct out part[N_PARTS];
};

static void put_label(struct out *o, const char *name, const char *value)
{
	out_printf(o, "%s=\"", name);
	for (; *value; value++)
		if (*value == '"' || *value == '\\')
			out_printf(o, "\\%c", *value);
		else
			out_put(o, value, 1);
	out_text(o, "\"");
}

static void put_head(struct out *o, const char *prefix, const char *name, bool counter, const char *made_of)
{
	out_printf(o, "# HELP haproxy_%s_%s %s\n# TYPE haproxy_%s_%s %s\n", prefix, name, made_of, prefix, name,
		   counter ? "counter" : "gauge");
}

static void put_labels(struct out *o, const char *prefix, const char *name, const struct stat_row *r)
{
	out_printf(o, "haproxy_%s_%s{", prefix, name);
	put_label(o, "proxy", r->v[STAT_PXNAME].text);
	if (r->kind == STAT_SERVER || r->kind == STAT_LISTENER) {
		out_text(o, ",");
		put_label(o, r->kind == STAT_SERVER ? "server" : "listener", r->v[STAT_SVNAME].text);
	}
}

/* The part of a family, with its head. */
static struct out *part_of(struct writer *w, unsigned part, const char *name, bool counter, const char *made_of)
{
	struct out *o = &w->part[part];

	if (!o->len)
		put_head(o, w->prefix, name, counter, made_of);
	return o;
}

static void put_number(struct writer *w, unsigned i, const struct stat_row *r)
{
	const struct metric *m = &metrics[i];
	uint64_t n = r->v[m->field].n;
	struct out *o = part_of(w, i, m->name, m->counter, stat_fields[m->field].name);

	put_labels(o, w->prefix, m->name, r);
	out_text(o, "} ");
	if (!r->set[m->field] && m->field != STAT_CHECK_CODE && m->field != STAT_CHECK_DURATION)
		out_text(o, "NaN");
	else if (m->ms)
		out_printf(o, "%llu.%03llu", (unsigned long long)n / 1000, (unsigned long long)n % 1000);
	else if ((int64_t)n < 0)
		out_text(o, "-1");
	else
		out_number(o, n);
	out_text(o, "\n");
}

static void put_responses(struct writer *w, const struct stat_row *r)
{
	static const char *const code[] = {"1xx", "2xx", "3xx", "4xx", "5xx", "other"};
	struct out *o = part_of(w, PART_RESPONSES, "http_responses_total", true, "hrsp_1xx to hrsp_other");

	for (unsigned i = 0; i < 6; i++) {
		put_labels(o, w->prefix, "http_responses_total", r);
		out_printf(o, ",code=\"%s\"} %llu\n", code[i], (unsigned long long)r->v[STAT_HRSP_1XX + i].n);
	}
}

/* ---- States: a sample each ---- */

static const char *state_of(const struct stat_row *r)
{
	const char *status = r->v[STAT_STATUS].text;

	if (r->kind == STAT_FRONTEND)
		return strcmp(status, "STOP") ? "UP" : "DOWN";
	return !strcmp(status, "no check") ? "UP" : status;
}

static const char *check_state_of(const struct stat_row *r)
{
	const char *status = r->set[STAT_CHECK_STATUS] ? r->v[STAT_CHECK_STATUS].text : "";

	return !strncmp(status, "* ", 2) ? status + 2 : status;
}

/* "UP 1/3" is UP. */
static bool is_state(const char *status, const char *state)
{
	size_t len = strlen(state);

	return !strncmp(status, state, len) && (!status[len] || status[len] == ' ');
}

/* `counts` NULL: 1 for the one that `status` is. */
static void put_states(struct out *o, const struct writer *w, const struct stat_row *r, const char *name,
		       const char *const *states, const char *status, const unsigned *counts)
{
	for (unsigned i = 0; states[i]; i++) {
		put_labels(o, w->prefix, name, r);
		out_printf(o, ",state=\"%s\"} %u\n", states[i], counts ? counts[i] : is_state(status, states[i]));
	}
}

static void put_aggregates(struct writer *w, const struct stat_row *r)
{
	static const char *const name[] = {"agg_server_status", "agg_server_check_status", "agg_check_status"};

	for (unsigned i = 0; i < 3; i++) {
		struct out *o = part_of(w, PART_AGGREGATE + i, name[i], false,
					i == 2 ? "servers by check_status" : "servers by status");

		put_states(o, w, r, name[i], i == 2 ? check_states : server_states, NULL,
			   i == 2 ? w->checks_in : w->servers_in);
	}
	memset(w->servers_in, 0, sizeof(w->servers_in));
	memset(w->checks_in, 0, sizeof(w->checks_in));
}

static void count_server(struct writer *w, const struct stat_row *r)
{
	for (unsigned i = 0; server_states[i]; i++)
		w->servers_in[i] += is_state(state_of(r), server_states[i]);
	for (unsigned i = 0; check_states[i]; i++)
		w->checks_in[i] += is_state(check_state_of(r), check_states[i]);
}

/* HAProxy tells what servers and backends do not have as NaN, and leaves checks out where there are none. */
static bool is_told(const struct metric *m, const struct stat_row *r)
{
	if (!strncmp(m->name, "http_", 5) && !r->set[STAT_HRSP_1XX])
		return false;
	if (r->set[m->field])
		return true;
	if (m->field == STAT_CHECK_CODE || m->field == STAT_CHECK_DURATION)
		return r->set[STAT_CHECK_STATUS];
	return r->kind == STAT_SERVER || m->field == STAT_DOWNTIME;
}

static void write_row(void *userdata, const struct stat_row *r)
{
	struct writer *w = userdata;

	if (r->kind != w->kind) {
		count_server(w, r);
		return;
	}
	if (w->no_maint && !r->no_maint)
		return;
	for (unsigned i = 0; i < N_METRICS; i++)
		if (metrics[i].kinds >> r->kind & 1 && is_told(&metrics[i], r))
			put_number(w, i, r);
	put_states(part_of(w, PART_STATUS, "status", false, "status"), w, r, "status",
		   r->kind == STAT_SERVER     ? server_states
		   : r->kind == STAT_LISTENER ? listener_states
					      : proxy_states,
		   state_of(r), NULL);
	if (r->set[STAT_HRSP_1XX] && r->kind != STAT_LISTENER)
		put_responses(w, r);
	if (r->kind == STAT_SERVER && r->set[STAT_CHECK_STATUS])
		put_states(part_of(w, PART_CHECK, "check_status", false, "check_status"), w, r, "check_status",
			   check_states, check_state_of(r), NULL);
	if (r->kind == STAT_BACKEND)
		put_aggregates(w, r);
}

/* ---- All ---- */

struct exporter {
	const struct engine *e;
	uint64_t now_ns;
	struct out *o;
	bool no_maint;
};

static void write_kind(const struct exporter *x, enum stat_kind kind, const char *prefix)
{
	struct stat_filter f = {.iid = STAT_ALL,
				.sid = STAT_ALL,
				.kinds = 1u << kind | (kind == STAT_BACKEND ? SERVERS : 0)};
	struct writer w = {.kind = kind, .prefix = prefix, .no_maint = x->no_maint};

	stat_each(x->e, x->now_ns, &f, write_row, &w);
	for (unsigned i = 0; i < N_PARTS; i++) {
		out_put(x->o, w.part[i].at, w.part[i].len);
		x->o->failed |= w.part[i].failed;
		out_free(&w.part[i]);
	}
}

static void write_process(const struct exporter *x)
{
	struct info i;

	info_read(x->e, x->now_ns, &i);
	for (size_t k = 0; k < sizeof(process_metrics) / sizeof(process_metrics[0]); k++) {
		const struct process_metric *m = &process_metrics[k];
		bool known = m->field != INFO_COUNT_;

		put_head(x->o, "process", m->name, m->counter, known ? info_fields[m->field].name : "always 0 here");
		out_printf(x->o, "haproxy_process_%s %llu\n", m->name, known ? (unsigned long long)i.n[m->field] : 0ull);
	}
	put_head(x->o, "process", "build_info", false, "Version");
	out_text(x->o, "haproxy_process_build_info{");
	put_label(x->o, "version", i.text[INFO_VERSION]);
	out_text(x->o, "} 1\n");
}

/* "scope=global&scope=server&no-maint": which parts; without any scope, all. */
static unsigned read_scopes(const char *query, bool *no_maint)
{
	static const struct {
		const char *name;
		unsigned kinds;
	} scopes[] = {
	    {"*", ~0u},		      {"global", PROCESS},     {"frontend", FRONTENDS},
	    {"backend", BACKENDS}, {"server", SERVERS}, {"listener", LISTENERS},
	};
	unsigned kinds = 0;
	bool any = false;

	while (*query) {
		size_t len;

		query += strspn(query, "&");
		len = strcspn(query, "&");
		*no_maint |= len == 8 && !strncmp(query, "no-maint", 8);
		any |= !strncmp(query, "scope=", 6);
		for (size_t i = 0; !strncmp(query, "scope=", 6) && i < sizeof(scopes) / sizeof(scopes[0]); i++)
			if (strlen(scopes[i].name) == len - 6 && !strncmp(scopes[i].name, query + 6, len - 6))
				kinds |= scopes[i].kinds;
		query += len;
	}
	return any ? kinds : ~0u;
}

void prometheus_write(const struct engine *e, const char *query, uint64_t now_ns, struct out *o)
{
	struct exporter x = {.e = e, .now_ns = now_ns, .o = o};
	unsigned kinds = read_scopes(query, &x.no_maint);

	if (kinds & PROCESS)
		write_process(&x);
	if (kinds & FRONTENDS)
		write_kind(&x, STAT_FRONTEND, "frontend");
	if (kinds & LISTENERS)
		write_kind(&x, STAT_LISTENER, "listener");
	if (kinds & BACKENDS)
		write_kind(&x, STAT_BACKEND, "backend");
	if (kinds & SERVERS)
		write_kind(&x, STAT_SERVER, "server");
}
