/* SPDX-License-Identifier: MIT */
/* Keywords of defaults, frontend, backend and listen sections. */
#include "cfg/read.h"
#include "cfg/rules.h"

#include <stdio.h>
#include <string.h>

#define MAXCONN_MAX 10000000u
#define DRAWS_MAX 64u
#define RETRIES_MAX 2147483647u

static void *setting(struct reader *r, const void *offset)
{
	return (char *)&r->proxy->set + *(const size_t *)offset;
}

static void kw_mode(struct reader *r, size_t first, const void *data)
{
	const char *mode = word_at(r, first);

	r->proxy->set.mode_at = place_at(r, first);
	if (!strcmp(mode, "tcp"))
		r->proxy->set.mode = CFG_MODE_TCP;
	else if (!strcmp(mode, "http"))
		r->proxy->set.mode = CFG_MODE_HTTP;
	else if (!strcmp(mode, "health") || !strcmp(mode, "log") || !strcmp(mode, "spop"))
		say(r, DIAG_ERROR, first,
		    "mode %s is known to HAProxy, not supported by this version: write mode tcp "
		    "or http",
		    mode);
	else
		say(r, DIAG_ERROR, first, "\"%s\" is no mode: write mode tcp or http", mode);
}

/* HAProxy's names; libsched has them under the same ones, or engine/algos.c does. */
static const char *const balances[] = {"roundrobin", "static-rr", "leastconn", "source",
				       "first",	     "uri",	  "url_param", "hdr",
				       "random",     "hash",	  "rdp-cookie"};
#define N_BALANCES (sizeof(balances) / sizeof(balances[0]))

/* "random", or "random(N)": of N servers the one with least to do. */
static void read_draws(struct reader *r, size_t i)
{
	const char *open = strchr(word_at(r, i), '(');
	unsigned draws = 2;
	char end;

	if (open && (sscanf(open, "(%u%c", &draws, &end) != 2 || end != ')' || !draws || draws > DRAWS_MAX))
		say(r, DIAG_ERROR, i, "\"%s\" is no number of servers to compare: write random(1) to random(%u)",
		    open, DRAWS_MAX);
	r->proxy->set.draws = draws;
}

/* "rdp-cookie", or "rdp-cookie(NAME)": what it stands for */
static const struct expr *read_rdp_cookie(struct reader *r, size_t i, const char *usual)
{
	const char *open = strchr(word_at(r, i), '(');
	char text[128];

	if (snprintf(text, sizeof(text), "req.rdp_cookie%s", open ? open : usual) >= (int)sizeof(text)) {
		say(r, DIAG_ERROR, i, "the name of this cookie is too long");
		return NULL;
	}
	return cfg_read_expr(r, i, text);
}

/* "persist rdp-cookie", or "persist rdp-cookie(NAME)" */
static void kw_persist(struct reader *r, size_t first, const void *data)
{
	static const char *const known[] = {"rdp-cookie", NULL};

	if (strncmp(word_at(r, first), "rdp-cookie", 10) != 0 ||
	    (word_at(r, first)[10] && word_at(r, first)[10] != '('))
		say_unknown(r, first, "persistence", known, NULL);
	else
		r->proxy->set.persist = read_rdp_cookie(r, first, "(msts)");
}

static void kw_hash_type(struct reader *r, size_t first, const void *data)
{
	static const char *const functions[] = {
	    [CFG_HASH_SDBM] = "sdbm", [CFG_HASH_CRC32] = "crc32", [CFG_HASH_DJB2] = "djb2",
	    [CFG_HASH_NONE] = "none", [CFG_HASH_WT6] = "wt6",
	};
	const char *method = word_at(r, first), *function = word_at(r, first + 1), *modifier = word_at(r, first + 2);
	struct cfg_hash_type t = {.consistent = !strcmp(method, "consistent")};
	int known = *function ? -1 : CFG_HASH_SDBM;

	if (!t.consistent && strcmp(method, "map-based") != 0)
		say(r, DIAG_ERROR, first, "\"%s\" is no type of hash: write map-based or consistent", method);
	/* without a function the points of a ring are looked for with a better mixed key */
	t.avalanche = *function ? !strcmp(modifier, "avalanche") : t.consistent;
	if (*modifier && !t.avalanche)
		say(r, DIAG_ERROR, first + 2, "\"%s\" is no modifier of a hash: write avalanche, or nothing", modifier);
	for (int i = 0; *function && i < (int)(sizeof(functions) / sizeof(*functions)); i++)
		if (!strcmp(functions[i], function))
			known = i;
	if (known < 0)
		say(r, DIAG_ERROR, first + 1, "\"%s\" is no hash function: write sdbm, djb2, wt6, crc32 or none",
		    function);
	else
		t.function = (enum cfg_hash_function)known;
	r->proxy->set.hash_type = t;
}

static void read_hash(struct reader *r, size_t i)
{
	const struct expr *x = cfg_read_expr(r, i, word_at(r, i));
	struct rule_error e = {""};

	if (x && !expr_may_stand(x->needs, EXPR_NOT_BEFORE_ANSWER, &e))
		say(r, DIAG_ERROR, i, "%s", e.text);
	r->proxy->set.hash = x;
}

static void kw_balance(struct reader *r, size_t first, const void *data)
{
	static const char *const others[] = {"sticky", "log-hash", NULL};
	const char *known[N_BALANCES + 1] = {NULL};
	char name[64];

	if (first == r->line->n) {
		say(r, DIAG_WARNING, 0, "\"balance\" without an algorithm is balance roundrobin");
		r->proxy->set.balance = "roundrobin";
		return;
	}
	snprintf(name, sizeof(name), "%s", word_at(r, first));
	name[strcspn(name, "(")] = '\0'; /* hdr(name), random(2) */
	r->proxy->set.balance_at = place_at(r, first);
	for (size_t i = 0; i < N_BALANCES; i++) {
		known[i] = balances[i];
		if (strcmp(balances[i], name) != 0)
			continue;
		r->proxy->set.balance = balances[i];
		r->proxy->set.hash = NULL;
		if (!strcmp(name, "random"))
			read_draws(r, first);
		else if (!strcmp(name, "hash"))
			read_hash(r, first + 1);
		else if (!strcmp(name, "rdp-cookie"))
			r->proxy->set.hash = read_rdp_cookie(r, first, "(mstshash)");
		else
			kw_balance_request(r, first);
		return;
	}
	for (size_t i = 0; others[i]; i++) {
		if (strcmp(others[i], name) != 0)
			continue;
		say(r, DIAG_ERROR, first,
		    "balance %s is known to HAProxy, not supported by this version: write "
		    "roundrobin, static-rr, leastconn, source, first, random, uri, url_param, hdr, hash or rdp-cookie",
		    name);
		return;
	}
	say_unknown(r, first, "algorithm", known, NULL);
}

static void kw_timeout(struct reader *r, size_t first, const void *data)
{
	char what[64];

	snprintf(what, sizeof(what), "timeout %s", word_at(r, first - 1));
	read_time(r, first, what, setting(r, data));
}

static void kw_number(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first - 1);

	read_number(r, first, word, 0, !strcmp(word, "retries") ? RETRIES_MAX : MAXCONN_MAX,
		    setting(r, data));
}

static void kw_balance_factor(struct reader *r, size_t first, const void *data)
{
	unsigned percent;

	if (!read_number(r, first, "hash-balance-factor", 0, 65535, &percent))
		return;
	if (percent && percent <= 100)
		say(r, DIAG_ERROR, first, "hash-balance-factor is 0 or more than 100 percent");
	else
		r->proxy->set.balance_factor = percent;
}

static void kw_option(struct reader *r, size_t first, const void *data)
{
	*(bool *)setting(r, data) = !r->no;
}

/* One that is on unless there is a `no` before it. */
static void kw_option_off(struct reader *r, size_t first, const void *data)
{
	*(bool *)setting(r, data) = r->no;
}

static void kw_option_tcpka(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.tcp_client.keepalive = r->proxy->set.tcp_server.keepalive = !r->no;
}

/* On close the peer gets a reset, and what was not sent is dropped. */
static void kw_option_nolinger(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.tcp_client.resets = r->proxy->set.tcp_server.resets = !r->no;
}

/* Of statistics, fetches and the runtime API. */
static void kw_proxy_id(struct reader *r, size_t first, const void *data)
{
	r->proxy->id_given = read_number(r, first, "id", 1, INT32_MAX, &r->proxy->id);
}

static void kw_keep_alive_queue(struct reader *r, size_t first, const void *data)
{
	struct cfg_http *h = &r->proxy->set.http;

	h->limits_last = strcmp(word_at(r, first), "-1") != 0 &&
			 read_number(r, first, "max-keep-alive-queue", 0, MAXCONN_MAX, &h->last_queue_max);
}

static void kw_option_redispatch(struct reader *r, size_t first, const void *data)
{
	const char *text = word_at(r, first);
	int n = -1;
	char rest;

	if (*text && (sscanf(text, "%d%c", &n, &rest) != 1 || n == 0 || n > 100 || n < -100)) {
		say(r, DIAG_ERROR, first,
		    "option redispatch takes a number other than 0: N means at every N-th retry, "
		    "-N "
		    "means N before the last");
		return;
	}
	r->proxy->set.redispatch = r->no ? 0 : n;
}

static void kw_accepted(struct reader *r, size_t first, const void *data)
{
}

static void kw_flag(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.disabled = !strcmp(word_at(r, first - 1), "disabled");
}

static void kw_default_backend(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.default_backend = r->no ? NULL : keep_word(r, first);
	r->proxy->set.default_backend_at = place_at(r, first);
}

struct log_text {
	size_t text, at;
};

/* log-format, log-format-sd, unique-id-format: compiled when all is read */
static void kw_log_format(struct reader *r, size_t first, const void *data)
{
	const struct log_text *where = data;
	char *set = (char *)&r->proxy->set;

	*(const char **)(set + where->text) = r->no ? NULL : keep_word(r, first);
	*(struct diag_place *)(set + where->at) = place_at(r, first);
}

static void kw_log_tag(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.log_tag = keep_word(r, first);
}

static void kw_unique_id_header(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.unique_id_header = keep_word(r, first);
}

#define OFFSET(field) (&(const size_t){offsetof(struct cfg_settings, field)})
#define STICK(does) (&(const unsigned){does})
#define SIDE(side) (&(const enum capture_side){side})
#define LOG_TEXT(field)                                                 \
	(&(const struct log_text){offsetof(struct cfg_settings, field), \
				  offsetof(struct cfg_settings, field##_at)})
#define UNIQUE_ID                                                                  \
	(&(const struct log_text){offsetof(struct cfg_settings, unique_id_format), \
				  offsetof(struct cfg_settings, unique_id_at)})
#define DELAY(field) (&(const size_t){offsetof(struct cfg_rules, field)})
#define KIND(kind) (&(const enum rules_kind){kind})
#define FRONT (CFG_FRONTEND | CFG_DEFAULTS)
#define BACK (CFG_BACKEND | CFG_DEFAULTS)

const struct keyword cfg_keywords_proxy[] = {
    {"acl", 0, 2, READER_ANY, kw_acl, NULL, "NAME CRITERION [FLAGS] [VALUES]"},
    {"backlog", FRONT, 1, 1, kw_number, OFFSET(backlog), "NUMBER"},
    {"balance", BACK, 0, READER_ANY, kw_balance, NULL, "ALGORITHM"},
    {"bind", CFG_FRONTEND, 1, READER_ANY, kw_bind, NULL, "ADDRESS:PORT [PARAMETERS]"},
    {"capture cookie", CFG_FRONTEND, 3, 3, kw_capture_cookie, NULL, "NAME len NUMBER"},
    {"capture request", CFG_FRONTEND, 4, 4, kw_capture, SIDE(CAPTURE_REQUEST),
     "header NAME len NUMBER"},
    {"capture response", CFG_FRONTEND, 4, 4, kw_capture, SIDE(CAPTURE_RESPONSE),
     "header NAME len NUMBER"},
    {"clitcpka-cnt", FRONT, 1, 1, kw_tcp_probes, OFFSET(tcp_client.keep_count), "NUMBER"},
    {"clitcpka-idle", FRONT, 1, 1, kw_tcp_probes, OFFSET(tcp_client.keep_idle_s), "SECONDS"},
    {"clitcpka-intvl", FRONT, 1, 1, kw_tcp_probes, OFFSET(tcp_client.keep_interval_s), "SECONDS"},
    {"compression algo", 0, 1, READER_ANY, kw_compression_algo, NULL, "identity|gzip|deflate|raw-deflate …"},
    {"compression direction", 0, 1, 1, kw_compression_direction, NULL, "response"},
    {"compression minsize-req", 0, 1, 1, kw_compression_minsize, NULL, "BYTES"},
    {"compression minsize-res", 0, 1, 1, kw_compression_minsize, NULL, "BYTES"},
    {"compression offload", 0, 0, 0, kw_compression_offload, NULL, ""},
    {"compression type", 0, 1, READER_ANY, kw_compression_type, NULL, "MIME-TYPE …"},
    {"cookie", BACK, 1, READER_ANY, kw_cookie, NULL, "NAME insert [indirect] [nocache] …"},
    {"declare capture", CFG_FRONTEND, 3, 3, kw_capture, SIDE(CAPTURE_REQUEST),
     "request|response len NUMBER"},
    {"default-server", BACK, 1, READER_ANY, kw_default_server, NULL, "PARAMETERS"},
    {"default_backend", FRONT, 1, 1, kw_default_backend, NULL, "NAME"},
    {"description", 0, 1, READER_ANY, kw_accepted, NULL, "TEXT"},
    {"disabled", 0, 0, 0, kw_flag, NULL, ""},
    {"enabled", 0, 0, 0, kw_flag, NULL, ""},
    {"dispatch", CFG_BACKEND, 1, 1, kw_dispatch, NULL, "ADDRESS:PORT"},
    {"dynamic-cookie-key", BACK, 1, 1, kw_dynamic_cookie_key, NULL, "KEY"},
    {"email-alert from", 0, 1, 1, kw_email_alert, NULL, "ADDRESS"},
    {"email-alert level", 0, 1, 1, kw_email_alert, NULL, "alert|notice|info …"},
    {"email-alert mailers", 0, 1, 1, kw_email_alert, NULL, "NAME"},
    {"email-alert myhostname", 0, 1, 1, kw_email_alert, NULL, "NAME"},
    {"email-alert to", 0, 1, 1, kw_email_alert, NULL, "ADDRESS"},
    {"errorfile", 0, 2, 2, kw_errorfile, NULL, "STATUS FILE"},
    {"errorfiles", 0, 1, READER_ANY, kw_errorfiles, NULL, "NAME [STATUS ...]"},
    {"errorloc", 0, 2, 2, kw_errorloc, &(const bool){false}, "STATUS URL"},
    {"errorloc302", 0, 2, 2, kw_errorloc, &(const bool){false}, "STATUS URL"},
    {"errorloc303", 0, 2, 2, kw_errorloc, &(const bool){true}, "STATUS URL"},
    {"external-check command", BACK, 1, 1, kw_external_check, &(const bool){true}, "FILE"},
    {"external-check path", BACK, 1, 1, kw_external_check, &(const bool){false}, "DIRECTORIES"},
    {"filter bwlim-in", 0, 3, READER_ANY, kw_bandwidth, &(const bool){false}, "NAME default-limit SIZE default-period TIME | limit SIZE key EXPRESSION [table NAME]"},
    {"filter bwlim-out", 0, 3, READER_ANY, kw_bandwidth, &(const bool){true}, "NAME default-limit SIZE default-period TIME | limit SIZE key EXPRESSION [table NAME]"},
    {"filter compression", 0, 0, 0, kw_filter_compression, NULL, ""},
    {"force-persist", BACK, 2, READER_ANY, kw_persist_rule, &(const bool){true}, "if CONDITION"},
    {"fullconn", BACK, 1, 1, kw_number, OFFSET(fullconn), "NUMBER"},
    {"hash-balance-factor", BACK, 1, 1, kw_balance_factor, NULL, "PERCENT"},
    {"hash-type", BACK, 1, 3, kw_hash_type, NULL, "map-based|consistent [FUNCTION [avalanche]]"},
    {"http-check comment", BACK, 1, READER_ANY, kw_accepted, NULL, "TEXT"},
    {"http-check connect", BACK, 0, READER_ANY, kw_http_check_connect, NULL, "[port NUMBER]"},
    {"http-check disable-on-404", BACK, 0, 0, kw_http_check_404, NULL, ""},
    {"http-check expect", BACK, 2, READER_ANY, kw_http_check_expect, NULL,
     "[!] status CODES, or [!] string TEXT"},
    {"http-check send-state", BACK, 0, 0, kw_http_check_state, NULL, ""},
    {"http-check set-var", BACK, 1, READER_ANY, kw_http_check_set, NULL, "(check.NAME) EXPRESSION"},
    {"http-check set-var-fmt", BACK, 1, READER_ANY, kw_http_check_set, NULL, "(check.NAME) TEXT"},
    {"http-check unset-var", BACK, 0, READER_ANY, kw_http_check_set, NULL, "(check.NAME)"},
    {"http-check send", BACK, 1, READER_ANY, kw_http_check_send, NULL,
     "[meth METHOD] [uri URI] [ver VERSION] [hdr NAME VALUE] [body TEXT]"},
    {"http-error", 0, 2, READER_ANY, kw_http_error, NULL, "status STATUS [content-type TYPE lf-string TEXT] [hdr NAME VALUE]"},
    {"http-reuse", BACK, 1, 1, kw_http_reuse, NULL, "never, safe, aggressive or always"},
    {"http-send-name-header", BACK, 1, READER_ANY, kw_name_header, NULL, "NAME"},
    {"http-after-response", 0, 1, READER_ANY, kw_rules, KIND(RULES_AFTER_RESPONSE),
     "ACTION [if CONDITION]"},
    {"http-request", 0, 1, READER_ANY, kw_rules, KIND(RULES_REQUEST), "ACTION [if CONDITION]"},
    {"http-response", 0, 1, READER_ANY, kw_rules, KIND(RULES_RESPONSE), "ACTION [if CONDITION]"},
    {"id", CFG_LISTEN, 1, 1, kw_proxy_id, NULL, "NUMBER"},
    {"load-server-state-from-file", BACK, 1, 1, kw_state_from, NULL, "global|local|none"},
    {"ignore-persist", BACK, 2, READER_ANY, kw_persist_rule, &(const bool){false}, "if CONDITION"},
    {"log", 0, 0, READER_ANY, kw_log, NULL, "global, or ADDRESS FACILITY [LEVEL]"},
    {"error-log-format", FRONT, 1, 1, kw_log_format, LOG_TEXT(error_log_format), "TEXT"},
    {"log-format", FRONT, 1, 1, kw_log_format, LOG_TEXT(log_format), "TEXT"},
    {"log-format-sd", FRONT, 1, 1, kw_log_format, LOG_TEXT(log_format_sd), "TEXT"},
    {"log-tag", 0, 1, 1, kw_log_tag, NULL, "NAME"},
    {"maxconn", FRONT, 1, 1, kw_number, OFFSET(maxconn), "NUMBER"},
    {"max-keep-alive-queue", BACK, 1, 1, kw_keep_alive_queue, NULL, "NUMBER"},
    {"mode", 0, 1, 1, kw_mode, NULL, "tcp or http"},
    {"monitor fail", CFG_FRONTEND, 2, READER_ANY, kw_monitor_fail, NULL, "if CONDITION"},
    {"monitor-uri", FRONT, 1, 1, kw_monitor_uri, NULL, "URI"},
    {"option abortonclose", BACK, 0, 0, kw_option, OFFSET(http.aborts_on_close), ""},
    {"option allbackups", BACK, 0, 0, kw_option, OFFSET(allbackups), ""},
    {"option checkcache", BACK, 0, 0, kw_option, OFFSET(http.checks_cache), ""},
    {"option clitcpka", FRONT, 0, 0, kw_option, OFFSET(tcp_client.keepalive), ""},
    {"option independent-streams", 0, 0, 0, kw_option, OFFSET(independent), ""},
    {"option contstats", FRONT, 0, 0, kw_option, OFFSET(contstats), ""},
    {"option dontlog-normal", FRONT, 0, 0, kw_option, OFFSET(dontlog_normal), ""},
    {"option dontlognull", FRONT, 0, 0, kw_option, OFFSET(dontlognull), ""},
    {"option external-check", BACK, 0, 0, kw_check_kind,
     &(const enum cfg_check_kind){CFG_CHECK_EXTERNAL}, ""},
    {"option forwarded", BACK, 0, READER_ANY, kw_forwarded, NULL, "[proto] [host] [by [by_port]] [for [for_port]]"},
    {"option forwardfor", 0, 0, READER_ANY, kw_forwardfor, &(const bool){false},
     "[except NETWORK] [header NAME] [if-none]"},
    {"option h1-case-adjust-bogus-client", FRONT, 0, 0, kw_adjust_case, &(const bool){false}, ""},
    {"option h1-case-adjust-bogus-server", BACK, 0, 0, kw_adjust_case, &(const bool){true}, ""},
    {"option disable-h2-upgrade", FRONT, 0, 0, kw_option, OFFSET(http.keeps_to_h1), ""},
    {"option http-ignore-probes", FRONT, 0, 0, kw_option, OFFSET(http.ignores_probes), ""},
    {"option http-keep-alive", 0, 0, 0, kw_closing, &(const enum cfg_closing){CFG_KEEP_ALIVE}, ""},
    {"option http-no-delay", 0, 0, 0, kw_option, OFFSET(http.no_delay), ""},
    {"option http-pretend-keepalive", BACK, 0, 0, kw_option, OFFSET(http.pretends_keep_alive), ""},
    {"option accept-invalid-http-request", FRONT, 0, 0, kw_option, OFFSET(http.lenient_request), ""},
    {"option accept-invalid-http-response", BACK, 0, 0, kw_option, OFFSET(http.lenient_response), ""},
    {"option http-buffer-request", 0, 0, 0, kw_option, OFFSET(http.buffers_request), ""},
    {"option http-server-close", 0, 0, 0, kw_closing, &(const enum cfg_closing){CFG_SERVER_CLOSE},
     ""},
    {"option http-restrict-req-hdr-names", 0, 1, 1, kw_header_names, NULL, "preserve|delete|reject"},
    {"option httpchk", BACK, 0, 3, kw_httpchk, NULL, "[METHOD] [URI] [VERSION]"},
    {"option httpclose", 0, 0, 0, kw_closing, &(const enum cfg_closing){CFG_CLOSE}, ""},
    {"option httplog", FRONT, 0, 1, kw_log_option, "httplog", "[clf|json]"},
    {"option httpslog", FRONT, 0, 0, kw_log_option, "httpslog", ""},
    {"option idle-close-on-response", FRONT, 0, 0, kw_option, OFFSET(http.stays_when_stopping), ""},
    {"option ldap-check", BACK, 0, 0, kw_check_kind, &(const enum cfg_check_kind){CFG_CHECK_LDAP},
     ""},
    {"option log-health-checks", BACK, 0, 0, kw_option, OFFSET(log_health_checks), ""},
    {"option log-separate-errors", FRONT, 0, 0, kw_option, OFFSET(log_separate_errors), ""},
    {"option logasap", FRONT, 0, 0, kw_option, OFFSET(logasap), ""},
    {"option mysql-check", BACK, 0, 3, kw_check_kind, &(const enum cfg_check_kind){CFG_CHECK_MYSQL},
     "[user NAME [post-41|pre-41]]"},
    {"option nolinger", 0, 0, 0, kw_option_nolinger, NULL, ""},
    {"option originalto", 0, 0, READER_ANY, kw_forwardfor, &(const bool){true}, "[except NETWORK] [header NAME]"},
    {"option persist", BACK, 0, 0, kw_option, OFFSET(persists), ""},
    {"option pgsql-check", BACK, 0, 2, kw_check_kind, &(const enum cfg_check_kind){CFG_CHECK_PGSQL},
     "user NAME"},
    {"option prefer-last-server", BACK, 0, 0, kw_option, OFFSET(http.prefers_last), ""},
    {"option redis-check", BACK, 0, 0, kw_check_kind, &(const enum cfg_check_kind){CFG_CHECK_REDIS},
     ""},
    {"option redispatch", BACK, 0, 1, kw_option_redispatch, NULL, "[NUMBER]"},
    {"option smtpchk", BACK, 0, 2, kw_check_kind, &(const enum cfg_check_kind){CFG_CHECK_SMTP},
     "[HELO|EHLO NAME]"},
    {"option socket-stats", FRONT, 0, 0, kw_option, OFFSET(socket_stats), ""},
    {"option splice-auto", 0, 0, 0, kw_accepted, NULL, ""},
    {"option splice-request", 0, 0, 0, kw_accepted, NULL, ""},
    {"option splice-response", 0, 0, 0, kw_accepted, NULL, ""},
    {"option spop-check", BACK, 0, 0, kw_check_kind,
     &(const enum cfg_check_kind){CFG_CHECK_CONNECT}, ""},
    {"option srvtcpka", BACK, 0, 0, kw_option, OFFSET(tcp_server.keepalive), ""},
    {"option ssl-hello-chk", BACK, 0, 0, kw_check_kind,
     &(const enum cfg_check_kind){CFG_CHECK_SSL_HELLO}, ""},
    {"option tcp-check", BACK, 0, 0, kw_check_kind, &(const enum cfg_check_kind){CFG_CHECK_SCRIPT},
     ""},
    {"option tcp-smart-accept", 0, 0, 0, kw_option_off, OFFSET(no_smart_accept), ""},
    {"option tcp-smart-connect", 0, 0, 0, kw_accepted, NULL, ""},
    {"option tcpka", 0, 0, 0, kw_option_tcpka, NULL, ""},
    {"option tcplog", FRONT, 0, 1, kw_log_option, "tcplog", "[json]"},
    {"option transparent", BACK, 0, 0, kw_option, OFFSET(transparent), ""},
    {"persist", BACK, 1, 1, kw_persist, NULL, "rdp-cookie[(NAME)]"},
    {"rate-limit sessions", FRONT, 1, 1, kw_number, OFFSET(rate_limit), "NUMBER"},
    {"redirect", 0, 2, READER_ANY, kw_redirect, NULL,
     "scheme|location|prefix WHERE [if CONDITION]"},
    {"retries", BACK, 1, 1, kw_number, OFFSET(retries), "NUMBER"},
    {"retry-on", BACK, 1, READER_ANY, kw_retry_on, NULL, "none, or what is asked again on"},
    {"server-state-file-name", BACK, 0, 1, kw_state_file, NULL, "[FILE]"},
    {"source", BACK, 1, 5, kw_source, NULL, "ADDRESS[:PORT] [usesrc …] [interface NAME]"},
    {"server", CFG_BACKEND, 2, READER_ANY, kw_server, NULL, "NAME ADDRESS[:PORT] [PARAMETERS]"},
    {"server-template", CFG_BACKEND, 3, READER_ANY, kw_server_template, NULL,
     "PREFIX NUMBER NAME:PORT [PARAMETERS]"},
    {"srvtcpka-cnt", BACK, 1, 1, kw_tcp_probes, OFFSET(tcp_server.keep_count), "NUMBER"},
    {"srvtcpka-idle", BACK, 1, 1, kw_tcp_probes, OFFSET(tcp_server.keep_idle_s), "SECONDS"},
    {"srvtcpka-intvl", BACK, 1, 1, kw_tcp_probes, OFFSET(tcp_server.keep_interval_s), "SECONDS"},
    {"tcp-check", BACK, 1, READER_ANY, kw_tcp_check, NULL,
     "connect|send|send-binary|expect|comment ..."},
    {"stick match", CFG_BACKEND, 1, READER_ANY, kw_stick, STICK(STICK_MATCH),
     "EXPRESSION [table NAME] [if CONDITION]"},
    {"stick on", CFG_BACKEND, 1, READER_ANY, kw_stick, STICK(STICK_MATCH | STICK_STORE),
     "EXPRESSION [table NAME] [if CONDITION]"},
    {"stick store-request", CFG_BACKEND, 1, READER_ANY, kw_stick, STICK(STICK_STORE),
     "EXPRESSION [table NAME] [if CONDITION]"},
    {"stick store-response", CFG_BACKEND, 1, READER_ANY, kw_stick, STICK(STICK_STORE_RESPONSE),
     "EXPRESSION [table NAME] [if CONDITION]"},
    {"stick-table", CFG_LISTEN, 4, READER_ANY, kw_stick_table, NULL,
     "type TYPE size SIZE [expire TIME] [store DATA]"},
    {"tcp-request connection", CFG_FRONTEND, 1, READER_ANY, kw_rules, KIND(RULES_CONNECTION),
     "ACTION [if CONDITION]"},
    {"tcp-request content", 0, 1, READER_ANY, kw_rules, KIND(RULES_CONTENT),
     "ACTION [if CONDITION]"},
    {"tcp-request inspect-delay", 0, 1, 1, kw_inspect_delay, DELAY(inspect_ns), "TIME"},
    {"tcp-request session", CFG_FRONTEND, 1, READER_ANY, kw_rules, KIND(RULES_SESSION),
     "ACTION [if CONDITION]"},
    {"tcp-response content", BACK, 1, READER_ANY, kw_rules, KIND(RULES_TCP_RESPONSE),
     "ACTION [if CONDITION]"},
    {"tcp-response inspect-delay", BACK, 1, 1, kw_inspect_delay, DELAY(inspect_answer_ns), "TIME"},
    {"stats admin", 0, 2, READER_ANY, kw_stats, NULL, "if CONDITION"},
    {"stats auth", 0, 1, 1, kw_stats, NULL, "USER:PASSWORD"},
    {"stats enable", 0, 0, 0, kw_stats, NULL, ""},
    {"stats hide-version", 0, 0, 0, kw_stats, NULL, ""},
    {"stats http-request", 0, 1, READER_ANY, kw_stats, NULL,
     "allow|deny|auth [realm TEXT] [if CONDITION]"},
    {"stats realm", 0, 1, 1, kw_stats, NULL, "TEXT"},
    {"stats refresh", 0, 1, 1, kw_stats, NULL, "TIME"},
    {"stats scope", 0, 1, 1, kw_stats, NULL, "NAME, or . for this section"},
    {"stats show-desc", 0, 0, READER_ANY, kw_stats, NULL, "[TEXT]"},
    {"stats show-legends", 0, 0, 0, kw_stats, NULL, ""},
    {"stats show-modules", 0, 0, 0, kw_stats, NULL, ""},
    {"stats show-node", 0, 0, 1, kw_stats, NULL, "[NAME]"},
    {"stats uri", 0, 1, 1, kw_stats, NULL, "PREFIX"},
    {"timeout check", BACK, 1, 1, kw_timeout, OFFSET(timeout.check_ns), "TIME"},
    {"timeout client", FRONT, 1, 1, kw_timeout, OFFSET(timeout.client_ns), "TIME"},
    {"timeout client-hs", FRONT, 1, 1, kw_timeout, OFFSET(timeout.client_hs_ns), "TIME"},
    {"timeout client-fin", FRONT, 1, 1, kw_timeout, OFFSET(timeout.client_fin_ns), "TIME"},
    {"timeout connect", BACK, 1, 1, kw_timeout, OFFSET(timeout.connect_ns), "TIME"},
    {"timeout http-keep-alive", FRONT, 1, 1, kw_timeout, OFFSET(timeout.http_keep_alive_ns),
     "TIME"},
    {"timeout http-request", FRONT, 1, 1, kw_timeout, OFFSET(timeout.http_request_ns), "TIME"},
    {"timeout queue", BACK, 1, 1, kw_timeout, OFFSET(timeout.queue_ns), "TIME"},
    {"timeout server", BACK, 1, 1, kw_timeout, OFFSET(timeout.server_ns), "TIME"},
    {"timeout server-fin", BACK, 1, 1, kw_timeout, OFFSET(timeout.server_fin_ns), "TIME"},
    {"timeout tarpit", 0, 1, 1, kw_timeout, OFFSET(timeout.tarpit_ns), "TIME"},
    {"timeout tunnel", BACK, 1, 1, kw_timeout, OFFSET(timeout.tunnel_ns), "TIME"},
    {"use_backend", CFG_FRONTEND, 1, READER_ANY, kw_use_backend, NULL, "NAME [if CONDITION]"},
    {"unique-id-format", FRONT, 1, 1, kw_log_format, UNIQUE_ID, "TEXT"},
    {"unique-id-header", FRONT, 1, 1, kw_unique_id_header, NULL, "NAME"},
    {"use-server", BACK, 1, READER_ANY, kw_use_server, NULL, "NAME [if CONDITION]"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};
