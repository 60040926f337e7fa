/* SPDX-License-Identifier: MIT */
/* Keywords of the global section, and `log`, which proxies have too. */
#include "cfg/read.h"
#include "cfg/access.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static void kw_number(struct reader *r, size_t first, const void *data)
{
	const size_t *offset = data;
	bool threads = *offset == offsetof(struct cfg_global, nbthread) || *offset == offsetof(struct cfg_global, thread_limit);
	bool percent = *offset == offsetof(struct cfg_global, spread_checks);

	read_number(r, first, word_at(r, first - 1), 0,
		    threads   ? CFG_THREADS_MAX
		    : percent ? 50
			      : 100000000,
		    (unsigned *)((char *)&r->cfg->global + *offset));
}

static void kw_bytes(struct reader *r, size_t first, const void *data)
{
	const size_t *offset = data;
	unsigned *bytes = (unsigned *)((char *)&r->cfg->global + *offset);

	if (!read_size(r, first, word_at(r, first - 1), 1, INT32_MAX, bytes) || *bytes <= CFG_BUFSIZE_MAX)
		return;
	say(r, DIAG_WARNING, first, "%s is at most %u here, and taken as that: only heads of HTTP need it",
	    word_at(r, first - 1), CFG_BUFSIZE_MAX);
	*bytes = CFG_BUFSIZE_MAX;
}

static void kw_maxhdr(struct reader *r, size_t first, const void *data)
{
	unsigned *max = &r->cfg->global.maxhdr;

	if (!read_number(r, first, "tune.http.maxhdr", 1, 32767, max) || *max <= CFG_FIELDS_OF_HEAD_MAX)
		return;
	say(r, DIAG_WARNING, first, "tune.http.maxhdr is at most %u here, and taken as that", CFG_FIELDS_OF_HEAD_MAX);
	*max = CFG_FIELDS_OF_HEAD_MAX;
}

static void kw_line_max(struct reader *r, size_t first, const void *data)
{
	read_number(r, first, "tune.http.logurilen", 1, CFG_BUFSIZE_MAX, &r->cfg->global.line_max);
}

/* Within what RFC 9113 (section 6.5.2) and memory allow. */
static const struct h2_limit {
	size_t offset;
	unsigned least, most;
} h2_max_streams = {offsetof(struct cfg_h2, max_streams), 1, 100000},
  h2_window = {offsetof(struct cfg_h2, window), 0, INT32_MAX},
  h2_frame_size = {offsetof(struct cfg_h2, frame_size), 16384, 16777215},
  h2_table_size = {offsetof(struct cfg_h2, table_size), 0, 65535};

static void kw_h2(struct reader *r, size_t first, const void *data)
{
	const struct h2_limit *l = data;

	read_number(r, first, word_at(r, first - 1), l->least, l->most, (unsigned *)((char *)&r->cfg->global.h2 + l->offset));
}

static void kw_text(struct reader *r, size_t first, const void *data)
{
	const size_t *offset = data;

	*(const char **)((char *)&r->cfg->global + *offset) = keep_word(r, first);
}

static void kw_id(struct reader *r, size_t first, const void *data)
{
	const size_t *offset = data;
	const char *text = word_at(r, first), *word = word_at(r, first - 1);
	unsigned id;

	if (isalpha((unsigned char)*text)) /* as in HAProxy, which goes on without it */
		say(r, DIAG_WARNING, first, "%s needs a number: ignored; write %s %s if that is its name", word,
		    *word == 'g' ? "group" : "user", text);
	else if (read_number(r, first, word, 0, 2147483647, &id))
		*(long *)((char *)&r->cfg->global + *offset) = (long)id;
}

/* user and group by name: looked up now, so that a slip is found before the start. */
static void kw_owner(struct reader *r, size_t first, const void *data)
{
	const char *name = word_at(r, first);
	bool is_user = *(const size_t *)data == offsetof(struct cfg_global, uid);
	const struct passwd *user = is_user ? getpwnam(name) : NULL;
	const struct group *group = is_user ? NULL : getgrnam(name);

	if (user)
		r->cfg->global.uid = (long)user->pw_uid;
	else if (group)
		r->cfg->global.gid = (long)group->gr_gid;
	else
		say(r, DIAG_ERROR, first, "there is no %s \"%s\" on this machine",
		    is_user ? "user" : "group", name);
}

static void kw_chroot(struct reader *r, size_t first, const void *data)
{
	say(r, DIAG_NOTICE, first - 1,
	    "\"chroot\" is accepted and not done: a reload reads the files again; use systemd's "
	    "ProtectSystem= and RootDirectory=");
}

/* For bind lines further down. */
static void kw_unix_bind(struct reader *r, size_t first, const void *data)
{
	static const char *const words[] = {"prefix", "mode", "user", "group", "uid", "gid", NULL};

	for (size_t i = first; i < r->line->n; i += 2) {
		const char *word = word_at(r, i);

		if (i + 1 == r->line->n)
			say(r, DIAG_ERROR, i, "\"%s\" needs a value", word);
		else if (access_word(word))
			access_read(r, i + 1, word, &r->cfg->global.unix_bind);
		else if (!strcmp(word, "prefix"))
			r->cfg->global.unix_prefix = keep_word(r, i + 1);
		else
			say_unknown(r, i, "parameter of \"unix-bind\"", words, NULL);
	}
}

static void kw_daemon(struct reader *r, size_t first, const void *data)
{
	r->cfg->global.daemon = !r->no;
}

static void kw_external(struct reader *r, size_t first, const void *data)
{
	r->cfg->global.external_check = !r->no;
	if (*word_at(r, first) && strcmp(word_at(r, first), "preserve-env") != 0)
		say(r, DIAG_ERROR, first, "\"%s\" is too much here: write external-check preserve-env",
		    word_at(r, first));
}

static void kw_hard_stop(struct reader *r, size_t first, const void *data)
{
	read_time(r, first, "hard-stop-after", &r->cfg->global.hard_stop_ns);
}

static void kw_max_spread(struct reader *r, size_t first, const void *data)
{
	read_time(r, first, "max-spread-checks", &r->cfg->global.max_spread_ns);
}

static void kw_close_spread(struct reader *r, size_t first, const void *data)
{
	if (!strcmp(word_at(r, first), "infinite"))
		r->cfg->global.close_spread_ns = UINT64_MAX;
	else
		read_time(r, first, "close-spread-time", &r->cfg->global.close_spread_ns);
}

static void kw_accepted(struct reader *r, size_t first, const void *data)
{
}

static void kw_description(struct reader *r, size_t first, const void *data)
{
	r->cfg->global.description = keep_rest(r, first);
}

static void kw_stats_timeout(struct reader *r, size_t first, const void *data)
{
	read_time(r, first, "stats timeout", &r->cfg->global.stats_timeout_ns);
}

static void kw_coalesce(struct reader *r, size_t first, const void *data)
{
	unsigned us;

	if (!strcmp(word_at(r, first), "auto"))
		r->cfg->global.nap_us = -1;
	else if (!strcmp(word_at(r, first), "off"))
		r->cfg->global.nap_us = 0;
	else if (read_number(r, first, "tune.coalesce-us (auto, off or microseconds)", 0, 1000,
			     &us))
		r->cfg->global.nap_us = (int)us;
}

static void kw_compression_level(struct reader *r, size_t first, const void *data)
{
	read_number(r, first, "tune.comp.maxlevel", 1, 9, &r->cfg->global.compression_level);
}

static void kw_nosplice(struct reader *r, size_t first, const void *data)
{
	r->cfg->global.no_splice = true;
}

/* Takes all names out of the environment but those on the line. */
static void kw_resetenv(struct reader *r, size_t first, const void *data)
{
	char **var = environ;

	while (*var) {
		size_t len = strcspn(*var, "="), i = first;
		char name[256];

		while (i < r->line->n && (strlen(word_at(r, i)) != len ||
					  strncmp(word_at(r, i), *var, len) != 0))
			i++;
		snprintf(name, sizeof(name), "%.*s", (int)len, *var);
		if (i < r->line->n || len >= sizeof(name) || unsetenv(name) < 0)
			var++; /* else the next one has moved here */
	}
}

/* The environment of this process, for the "$NAME" of the lines below. */
static void kw_env(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first - 1);

	if (!strcmp(word, "unsetenv")) {
		for (size_t i = first; i < r->line->n; i++)
			unsetenv(word_at(r, i));
		return;
	}
	if (r->line->n != first + 2)
		say(r, DIAG_ERROR, first, "\"%s\" needs a name and a value", word);
	else if (setenv(word_at(r, first), word_at(r, first + 1), !strcmp(word, "setenv")) < 0)
		say(r, DIAG_ERROR, first, "\"%s\" is no name of a variable", word_at(r, first));
}

/* ---- log ---- */

static const char *const facilities[] = {
    "kern",   "user",	"mail",	  "daemon", "auth",   "syslog", "lpr",	  "news",
    "uucp",   "cron",	"auth2",  "ftp",    "ntp",    "audit",	"alert",  "cron2",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
};
static const char *const levels[] = {
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

static int index_of(const char *const *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(table[i], name))
			return (int)i;
	return -1;
}

/* "1,3-5:10" */
static bool log_sample(struct reader *r, size_t i, struct cfg_log *log)
{
	const char *text = word_at(r, i), *colon = strrchr(text, ':');
	unsigned first, last, of;
	int n;

	if (!colon || sscanf(colon, ":%u%n", &of, &n) != 1 || colon[n] || !of ||
	    of > CFG_LOG_SAMPLE_MAX || colon == text)
		goto wrong;
	for (const char *p = text; p < colon; p += n + (p[n] == ',')) {
		if (sscanf(p, "%u%n-%u%n", &first, &n, &last, &n) < 2)
			last = first;
		if (n <= 0 || !first || first > last || last > of ||
		    (p[n] != ',' && p + n != colon))
			goto wrong;
		for (unsigned k = first - 1; k < last; k++) {
			if (log->sampled[k / 64] >> k % 64 & 1)
				goto wrong; /* ranges that overlap */
			log->sampled[k / 64] |= UINT64_C(1) << k % 64;
		}
	}
	log->sample_of = of;
	return true;
wrong:
	say(r, DIAG_ERROR, i,
	    "\"%s\" is no sample: write RANGES:SIZE such as 1,3-5:10, SIZE at most %d", text,
	    CFG_LOG_SAMPLE_MAX);
	return false;
}

bool cfg_log_format(struct reader *r, size_t i, enum cfg_log_format *ret)
{
	static const char *const formats[] = {
	    [CFG_LOG_LOCAL] = "local",	   [CFG_LOG_RFC3164] = "rfc3164",
	    [CFG_LOG_RFC5424] = "rfc5424", [CFG_LOG_PRIORITY] = "priority",
	    [CFG_LOG_SHORT] = "short",	   [CFG_LOG_TIMED] = "timed",
	    [CFG_LOG_ISO] = "iso",	   [CFG_LOG_RAW] = "raw",
	};
	int n = index_of(formats, sizeof(formats) / sizeof(*formats), word_at(r, i));

	if (n < 0) {
		say(r, DIAG_ERROR, i,
		    "\"%s\" is no format: write local, rfc3164, rfc5424, priority, short, timed, "
		    "iso or raw",
		    word_at(r, i));
		return false;
	}
	*ret = (enum cfg_log_format)n;
	return true;
}

bool cfg_log_level(struct reader *r, size_t i, int *ret)
{
	int level = index_of(levels, sizeof(levels) / sizeof(*levels), word_at(r, i));

	if (level < 0) {
		say(r, DIAG_ERROR, i, "\"%s\" is no level: write emerg, alert, crit, err, warning, notice, info or debug", word_at(r, i));
		return false;
	}
	*ret = level;
	return true;
}

/* The words between the target and the facility. Returns the place of the facility. */
static size_t log_options(struct reader *r, size_t i, struct cfg_log *log)
{
	for (; i + 1 < r->line->n; i += 2) {
		const char *name = word_at(r, i);

		if (!strcmp(name, "format"))
			log->format_given = cfg_log_format(r, i + 1, &log->format);
		else if (!strcmp(name, "sample"))
			log_sample(r, i + 1, log);
		else if (!strcmp(name, "len"))
			read_number(r, i + 1, "len", 80, 65535, &log->len);
		else if (!strcmp(name, "profile"))
			say(r, DIAG_WARNING, i,
			    "\"%s\" is known to HAProxy, not supported by this version: ignored",
			    name);
		else
			break;
	}
	return i;
}

/* The address of a server that lines go to over a connection? */
static bool is_stream(const char *text)
{
	static const char *const protocols[] = {"tcp@", "tcp4@", "tcp6@", "uxst@", "stream+"};

	for (size_t k = 0; k < sizeof(protocols) / sizeof(protocols[0]); k++)
		if (!strncmp(text, protocols[k], strlen(protocols[k])))
			return true;
	return false;
}

static bool log_target(struct reader *r, size_t first, struct cfg_log *log)
{
	const char *target = word_at(r, first);
	struct address a;

	log->kind = CFG_LOG_FD;
	log->len = 1024; /* HAProxy's */
	log->fd = -1;
	log->at = place_at(r, first);
	if (!strcmp(target, "stdout")) {
		log->fd = STDOUT_FILENO;
	} else if (!strcmp(target, "stderr")) {
		log->fd = STDERR_FILENO;
	} else if (!strncmp(target, "fd@", 3)) {
		char rest;

		if (sscanf(target + 3, "%9d%c", &log->fd, &rest) != 1 || log->fd < 0) {
			say(r, DIAG_ERROR, first, "\"%s\" is no descriptor: write fd@2", target);
			return false;
		}
	} else if (!strncmp(target, "ring@", 5)) {
		log->kind = CFG_LOG_RING;
		log->ring_name = keep_text(r, target + 5);
	} else if (is_stream(target)) {
		log->kind = CFG_LOG_RING;
		log->ring_name = cfg_ring_of_address(r, first, target);
		if (!log->ring_name)
			return false;
	} else {
		log->kind = CFG_LOG_SOCKET;
		if (!read_address(
			r, first, target,
			ADDR_DATAGRAM | (r->opts->ignore_unresolved ? ADDR_UNRESOLVED : 0), &a))
			return false;
		log->addr = a.addr;
	}
	return true;
}

static void drop_logs(struct reader *r)
{
	if (r->section == SECTION_GLOBAL) {
		STAILQ_INIT(&r->cfg->global.logs);
	} else if (r->section == SECTION_OTHER) {
		STAILQ_INIT(&r->forward->logs);
		r->forward->global_logs = NULL;
	} else {
		r->proxy->set.logs = NULL;
		r->proxy->set.log_global = false;
	}
}

void kw_log(struct reader *r, size_t first, const void *data)
{
	struct cfg_log *log;
	size_t i;

	if (r->section == SECTION_OTHER && !r->forward)
		return;
	if (r->no) {
		drop_logs(r);
		return;
	}
	if (r->section != SECTION_GLOBAL && !strcmp(word_at(r, first), "global")) {
		if (r->section == SECTION_PROXY)
			r->proxy->set.log_global = true;
		else
			r->forward->global_logs = &r->cfg->global.logs;
		return;
	}
	log = keep(r, sizeof(*log));
	if (!log || !log_target(r, first, log))
		return;
	i = log_options(r, first + 1, log);
	log->facility = index_of(facilities, 24, word_at(r, i)) * 8; /* as LOG_LOCAL0 is 16 << 3 */
	if (log->facility < 0) {
		say(r, DIAG_ERROR, i,
		    "\"%s\" is no syslog facility: write log ADDRESS FACILITY, for example local0",
		    word_at(r, i));
		return;
	}
	log->level = LOG_DEBUG;
	log->least = LOG_EMERG;
	if (i + 1 < r->line->n)
		cfg_log_level(r, i + 1, &log->level);
	if (i + 2 < r->line->n)
		cfg_log_level(r, i + 2, &log->least);
	if (log->kind == CFG_LOG_SOCKET && !log->addr.len)
		return; /* -dr: the name did not resolve */
	if (r->section != SECTION_PROXY) {
		STAILQ_INSERT_TAIL(r->section == SECTION_GLOBAL ? &r->cfg->global.logs : &r->forward->logs, log, next);
		return;
	}
	if (!r->proxy->set.logs) {
		r->proxy->set.logs = keep(r, sizeof(*r->proxy->set.logs));
		if (!r->proxy->set.logs)
			return;
		STAILQ_INIT(r->proxy->set.logs);
	}
	STAILQ_INSERT_TAIL(r->proxy->set.logs, log, next);
}

static void kw_log_hostname(struct reader *r, size_t first, const void *data)
{
	char own[65] = "";

	gethostname(own, sizeof(own) - 1);
	r->cfg->global.log_hostname = *word_at(r, first) ? keep_word(r, first) : keep_text(r, own);
}

#define OFFSET(field) (&(const size_t){offsetof(struct cfg_global, field)})

const struct keyword cfg_keywords_global[] = {
    {"busy-polling", 0, 0, 0, kw_global_flag, OFFSET(busy_polling), ""},
    {"ca-base", 0, 1, 1, kw_tls_base, NULL, "FOLDER"},
    {"chroot", 0, 1, 1, kw_chroot, NULL, "DIRECTORY"},
    {"close-spread-time", 0, 1, 1, kw_close_spread, NULL, "TIME|infinite"},
    {"cpu-map", 0, 2, READER_ANY, kw_cpu_map, NULL, "[auto:]1/THREADS CPUS"},
    {"crt-base", 0, 1, 1, kw_tls_base, NULL, "FOLDER"},
    {"daemon", 0, 0, 0, kw_daemon, NULL, ""},
    {"default-path", 0, 1, 2, kw_default_path, NULL, "current|config|parent|origin FOLDER"},
    {"description", 0, 1, READER_ANY, kw_description, NULL, "TEXT"},
    {"external-check", 0, 0, 1, kw_external, NULL, "[preserve-env]"},
    {"fd-hard-limit", 0, 1, 1, kw_number, OFFSET(fd_limit), "NUMBER"},
    {"gid", 0, 1, 1, kw_id, OFFSET(gid), "NUMBER"},
    {"grace", 0, 1, 1, kw_grace, NULL, "TIME"},
    {"group", 0, 1, 1, kw_owner, OFFSET(gid), "NAME"},
    {"h1-case-adjust", 0, 2, 2, kw_case, NULL, "NAME NAME"},
    {"h1-case-adjust-file", 0, 1, 1, kw_case_file, NULL, "FILE"},
    {"hard-stop-after", 0, 1, 1, kw_hard_stop, NULL, "TIME"},
    {"issuers-chain-path", 0, 1, 1, kw_tls_issuers, NULL, "FOLDER"},
    {"localpeer", 0, 1, 1, kw_localpeer, NULL, "NAME"},
    {"log", 0, 1, READER_ANY, kw_log, NULL, "ADDRESS [len N] [format NAME] FACILITY [LEVEL [MIN]]"},
    {"log-send-hostname", 0, 0, 1, kw_log_hostname, NULL, "[NAME]"},
    {"log-tag", 0, 1, 1, kw_text, OFFSET(log_tag), "NAME"},
    {"master-worker", 0, 0, 1, kw_accepted, NULL, ""},
    {"max-spread-checks", 0, 1, 1, kw_max_spread, NULL, "TIME"},
    {"maxcomprate", 0, 1, 1, kw_number, OFFSET(maxcomprate), "NUMBER"},
    {"maxconn", 0, 1, 1, kw_number, OFFSET(maxconn), "NUMBER"},
    {"maxconnrate", 0, 1, 1, kw_number, OFFSET(maxconnrate), "NUMBER"},
    {"maxsessrate", 0, 1, 1, kw_number, OFFSET(maxsessrate), "NUMBER"},
    {"maxsslconn", 0, 1, 1, kw_number, OFFSET(maxsslconn), "NUMBER"},
    {"maxsslrate", 0, 1, 1, kw_number, OFFSET(maxsslrate), "NUMBER"},
    {"nbthread", 0, 1, 1, kw_number, OFFSET(nbthread), "NUMBER"},
    {"node", 0, 1, 1, kw_text, OFFSET(node), "NAME"},
    {"nosplice", 0, 0, 0, kw_nosplice, NULL, ""},
    {"pidfile", 0, 1, 1, kw_text, OFFSET(pidfile), "FILE"},
    {"presetenv", 0, 2, 2, kw_env, NULL, "NAME VALUE"},
    {"quiet", 0, 0, 0, kw_accepted, NULL, ""},
    {"resetenv", 0, 0, READER_ANY, kw_resetenv, NULL, "[NAME ...]"},
    {"server-state-base", 0, 1, 1, kw_text, OFFSET(state_base), "FOLDER"},
    {"server-state-file", 0, 1, 1, kw_text, OFFSET(state_file), "FILE"},
    {"set-var", 0, 2, 2, kw_proc_var, &(const bool){false}, "proc.NAME EXPRESSION"},
    {"set-var-fmt", 0, 2, 2, kw_proc_var, &(const bool){true}, "proc.NAME TEXT"},
    {"set-dumpable", 0, 0, 1, kw_global_flag, OFFSET(dumpable), "[on|off]"},
    {"setenv", 0, 2, 2, kw_env, NULL, "NAME VALUE"},
    {"spread-checks", 0, 1, 1, kw_number, OFFSET(spread_checks), "PERCENT"},
    {"ssl-default-bind-ciphers", 0, 1, 1, kw_tls_default, NULL, "CIPHERS"},
    {"ssl-default-bind-ciphersuites", 0, 1, 1, kw_tls_default, NULL, "CIPHERSUITES"},
    {"ssl-default-bind-curves", 0, 1, 1, kw_tls_default, NULL, "CURVES"},
    {"ssl-default-bind-options", 0, 1, READER_ANY, kw_tls_default, NULL, "OPTION ..."},
    {"ssl-default-server-ciphers", 0, 1, 1, kw_tls_default, NULL, "CIPHERS"},
    {"ssl-default-server-ciphersuites", 0, 1, 1, kw_tls_default, NULL, "CIPHERSUITES"},
    {"ssl-default-server-curves", 0, 1, 1, kw_tls_default, NULL, "CURVES"},
    {"ssl-default-server-options", 0, 1, READER_ANY, kw_tls_default, NULL, "OPTION ..."},
    {"ssl-dh-param-file", 0, 1, 1, kw_tls_dh, NULL, "FILE"},
    {"ssl-load-extra-del-ext", 0, 0, 0, kw_tls_extra, NULL, ""},
    {"ssl-load-extra-files", 0, 1, READER_ANY, kw_tls_extra_files, NULL, "none|all|bundle|issuer|key|ocsp|sctl ..."},
    {"ssl-propquery", 0, 1, 1, kw_tls_provider, NULL, "PROPERTIES"},
    {"ssl-provider", 0, 1, 1, kw_tls_provider, NULL, "NAME"},
    {"ssl-provider-path", 0, 1, 1, kw_tls_provider, NULL, "FOLDER"},
    {"ssl-server-verify", 0, 1, 1, kw_tls_server_verify, NULL, "none|required"},
    {"ssl-skip-self-issued-ca", 0, 0, 0, kw_tls_extra, NULL, ""},
    {"stats maxconn", 0, 1, 1, kw_number, OFFSET(stats_maxconn), "NUMBER"},
    {"stats socket", 0, 1, READER_ANY, kw_stats_socket, NULL, "PATH [mode MODE] [level LEVEL]"},
    {"stats timeout", 0, 1, 1, kw_stats_timeout, NULL, "TIME"},
    {"strict-limits", 0, 0, 0, kw_global_flag, OFFSET(strict_limits), ""},
    {"thread-hard-limit", 0, 1, 1, kw_number, OFFSET(thread_limit), "NUMBER"},
    {"tune.bufsize", 0, 1, 1, kw_bytes, OFFSET(bufsize), "BYTES"},
    {"tune.coalesce-us", 0, 1, 1, kw_coalesce, NULL, "auto|off|MICROSECONDS"},
    {"tune.comp.maxlevel", 0, 1, 1, kw_compression_level, NULL, "LEVEL"},
    {"tune.h2.fe.initial-window-size", 0, 1, 1, kw_h2, &h2_window, "BYTES"},
    {"tune.h2.fe.max-concurrent-streams", 0, 1, 1, kw_h2, &h2_max_streams, "NUMBER"},
    {"tune.h2.header-table-size", 0, 1, 1, kw_h2, &h2_table_size, "BYTES"},
    {"tune.h2.initial-window-size", 0, 1, 1, kw_h2, &h2_window, "BYTES"},
    {"tune.h2.max-concurrent-streams", 0, 1, 1, kw_h2, &h2_max_streams, "NUMBER"},
    {"tune.h2.max-frame-size", 0, 1, 1, kw_h2, &h2_frame_size, "BYTES"},
    {"tune.http.logurilen", 0, 1, 1, kw_line_max, NULL, "BYTES"},
    {"tune.http.maxhdr", 0, 1, 1, kw_maxhdr, NULL, "NUMBER"},
    {"tune.listener.multi-queue", 0, 1, 1, kw_global_flag, OFFSET(multi_queue), "on|off"},
    {"tune.maxrewrite", 0, 1, 1, kw_bytes, OFFSET(maxrewrite), "BYTES"},
    {"tune.pattern.cache-size", 0, 1, 1, kw_number, OFFSET(pattern_memory), "TEXTS"},
    {"tune.pipesize", 0, 1, 1, kw_tcp_buffer, OFFSET(pipe_size), "BYTES"},
    {"tune.rcvbuf.client", 0, 1, 1, kw_tcp_buffer, OFFSET(tcp_client.receive_buffer), "BYTES"},
    {"tune.rcvbuf.server", 0, 1, 1, kw_tcp_buffer, OFFSET(tcp_server.receive_buffer), "BYTES"},
    {"tune.sndbuf.client", 0, 1, 1, kw_tcp_buffer, OFFSET(tcp_client.send_buffer), "BYTES"},
    {"tune.sndbuf.server", 0, 1, 1, kw_tcp_buffer, OFFSET(tcp_server.send_buffer), "BYTES"},
    {"tune.ssl.capture-buffer-size", 0, 1, 1, kw_tls_number, NULL, "BYTES"},
    {"tune.ssl.capture-cipherlist-size", 0, 1, 1, kw_tls_number, NULL, "BYTES"},
    {"tune.ssl.keylog", 0, 1, 1, kw_tls_keylog, NULL, "on|off"},
    {"tune.ssl.cachesize", 0, 1, 1, kw_tls_number, NULL, "SESSIONS"},
    {"tune.ssl.default-dh-param", 0, 1, 1, kw_tls_number, NULL, "BITS"},
    {"tune.ssl.hard-maxrecord", 0, 1, 1, kw_tls_number, NULL, "BYTES"},
    {"tune.ssl.lifetime", 0, 1, 1, kw_tls_number, NULL, "SECONDS"},
    {"tune.ssl.maxrecord", 0, 1, 1, kw_tls_number, NULL, "BYTES"},
    {"tune.ssl.ssl-ctx-cache-size", 0, 1, 1, kw_tls_number, NULL, "CERTIFICATES"},
    {"tune.vars.check-max-size", 0, 1, 1, kw_vars_max, NULL, "BYTES"},
    {"tune.vars.global-max-size", 0, 1, 1, kw_vars_max, NULL, "BYTES"},
    {"tune.vars.proc-max-size", 0, 1, 1, kw_vars_max, NULL, "BYTES"},
    {"tune.vars.reqres-max-size", 0, 1, 1, kw_vars_max, NULL, "BYTES"},
    {"tune.vars.sess-max-size", 0, 1, 1, kw_vars_max, NULL, "BYTES"},
    {"tune.vars.txn-max-size", 0, 1, 1, kw_vars_max, NULL, "BYTES"},
    {"uid", 0, 1, 1, kw_id, OFFSET(uid), "NUMBER"},
    {"ulimit-n", 0, 1, 1, kw_number, OFFSET(ulimit_n), "NUMBER"},
    {"unix-bind", 0, 1, READER_ANY, kw_unix_bind, NULL, "[prefix TEXT] [mode MODE] [user NAME] [group NAME]"},
    {"unsetenv", 0, 1, READER_ANY, kw_env, NULL, "NAME ..."},
    {"user", 0, 1, 1, kw_owner, OFFSET(uid), "NAME"},
    {"zero-warning", 0, 0, 0, kw_global_flag, OFFSET(zero_warning), ""},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};
