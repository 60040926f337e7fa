/* SPDX-License-Identifier: MIT */
/* Log lines on their way out: to consoles, descriptors, UDP and unix sockets. */
#include "engine/control.h"
#include "ring.h"
#include "syslog_line.h"
#include "rules/sample.h"
#include "engine/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

void log_client(const struct endpoint *client, char *buf, size_t cap)
{
	char text[INET6_ADDRSTRLEN];

	if (client->family == AF_UNIX ||
	    !inet_ntop(client->family, client->addr, text, sizeof(text)))
		snprintf(text, sizeof(text), "unix");
	snprintf(buf, cap, "%s:%u", text, ntohs(client->port));
}

void log_date(uint64_t ago_ns, char *buf, size_t cap)
{
	struct timespec t;
	struct tm tm;
	uint64_t at;
	time_t seconds;
	size_t n = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	at = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - ago_ns;
	seconds = (time_t)(at / 1000000000u);
	if (localtime_r(&seconds, &tm))
		n = strftime(buf, cap, "%d/%b/%Y:%H:%M:%S", &tm);
	snprintf(buf + n, cap - n, ".%03u", (unsigned)(at / 1000000u % 1000u));
}

void session_log_prepare(const struct cfg_logs *logs)
{
	const struct cfg_log *log;

	STAILQ_FOREACH (log, logs, next)
		if (log->kind == CFG_LOG_FD)
			fcntl(log->fd, F_SETFL, fcntl(log->fd, F_GETFL) | O_NONBLOCK);
}

/* A datagram socket of the target's family, of this thread; -1: none to be had. */
static int log_socket(int fds[3], int family)
{
	int *fd = &fds[family == AF_INET ? 0 : family == AF_INET6 ? 1 : 2];

	if (*fd < 0)
		*fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return *fd;
}

/* "2026-11-28T13:00:00.123456+00:00" (RFC 5424, section 6.2.3) */
static void iso_date(char *buf, size_t cap)
{
	struct timespec t;
	char zone[8] = "";
	struct tm tm;
	size_t n;

	*buf = '\0';
	clock_gettime(CLOCK_REALTIME, &t);
	if (!localtime_r(&t.tv_sec, &tm))
		return;
	n = strftime(buf, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(buf + n, cap - n, ".%06ld%.3s:%s", t.tv_nsec / 1000, zone, zone + 3);
}

/* What stands before the text, as HAProxy writes it: "local" has no host's name, "rfc3164" has. */
static int header(const struct cfg_log *log, int level, const char *tag, const char *hostname,
		  struct text sd, char *buf, size_t cap)
{
	int priority = log->facility | level, pid = (int)getpid();
	const char *host = hostname ? hostname : "localhost"; /* as HAProxy */
	char when[64] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	switch (log->format == CFG_LOG_LOCAL && hostname && !log->format_given ? CFG_LOG_RFC3164 : log->format) {
	case CFG_LOG_LOCAL:
		return snprintf(buf, cap, "<%d>%s %s[%d]: ", priority, when, tag, pid);
	case CFG_LOG_RFC3164:
		return snprintf(buf, cap, "<%d>%s %s %s[%d]: ", priority, when, host, tag, pid);
	case CFG_LOG_RFC5424:
		iso_date(when, sizeof(when));
		return snprintf(buf, cap, "<%d>1 %s %s %s %d - %.*s ", priority, when,
				hostname ? hostname : "-", tag, pid, (int)sd.len, sd.at);
	case CFG_LOG_PRIORITY:
		return snprintf(buf, cap, "<%d>", priority);
	case CFG_LOG_SHORT:
		return snprintf(buf, cap, "<%d>", level);
	case CFG_LOG_TIMED:
		iso_date(when, sizeof(when));
		return snprintf(buf, cap, "<%d>%s ", level, when);
	case CFG_LOG_ISO:
		iso_date(when, sizeof(when));
		return snprintf(buf, cap, "%s ", when);
	case CFG_LOG_RAW:
		break;
	}
	return 0;
}

/* "sample 1,3-5:10": is it one of those? */
static bool is_sampled(const struct cfg_log *log)
{
	unsigned n;

	if (!log->sample_of)
		return true;
	n = atomic_fetch_add_explicit((_Atomic unsigned *)(uintptr_t)&log->sample_at, 1,
				      memory_order_relaxed) %
	    log->sample_of;
	return log->sampled[n / 64] >> n % 64 & 1;
}

/* `head` has room for `cap` bytes, and `n` of them were to be written. */
static void deliver(int fds[3], const struct cfg_log *log, char *head, size_t cap, int n, struct text text)
{
	char newline = '\n';
	struct iovec v[3] = {
	    {head, n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1}, {(char *)(uintptr_t)text.at, text.len}, {&newline, 1}};
	struct msghdr out = {.msg_iov = v, .msg_iovlen = 3}; /* datagrams end with it, too, as HAProxy's */

	if (v[0].iov_len + v[1].iov_len >= log->len) /* one is its line end */
		v[1].iov_len = log->len - 1 > v[0].iov_len ? log->len - 1 - v[0].iov_len : 0;
	if (log->kind == CFG_LOG_RING) {
		if (log->to)
			ring_write(log->to, v, 2);
		return;
	}
	/* A log that takes no more loses the line: it must not stop the traffic. */
	if (log->kind == CFG_LOG_SOCKET) {
		out.msg_name = (void *)&log->addr.storage;
		out.msg_namelen = log->addr.len;
		if (sendmsg(log_socket(fds, log->addr.sa.sa_family), &out, MSG_NOSIGNAL) < 0)
			return;
	} else if (writev(log->fd, v, 3) < 0) {
		return;
	}
}

static void write_to(int fds[3], const struct cfg_log *log, const struct log_message *m)
{
	int level = m->level < log->least ? log->least : m->level;
	char head[1024];

	if (m->level <= log->level && is_sampled(log))
		deliver(fds, log, head, sizeof(head),
			header(log, level, m->tag, m->hostname, m->sd.len ? m->sd : text_of("-", 1), head, sizeof(head)), m->line);
}

/* ---- Lines of others ---- */

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

#define DATE_LEN 19 /* "2003-10-11T22:14:15" */

/* With an end, which sscanf() needs: behind it lie others' bytes. */
static void date_of(const struct syslog_line *l, char buf[DATE_LEN + 1])
{
	snprintf(buf, DATE_LEN + 1, "%.*s", (int)l->date.len, l->date.at);
}

/* As RFC 3164 has it: "Oct  3 10:11:12"; without a date now. */
static void short_date(const struct syslog_line *l, char *buf, size_t cap)
{
	unsigned month, day, hour, minute, second;
	time_t now = time(NULL);
	char date[DATE_LEN + 1];
	struct tm tm;

	date_of(l, date);
	if (l->date.len && !l->is_5424)
		snprintf(buf, cap, "%.*s", (int)l->date.len, l->date.at);
	else if (l->date.len >= DATE_LEN && sscanf(date, "%*4d-%2u-%2uT%2u:%2u:%2u", &month, &day, &hour, &minute, &second) == 5 &&
		 month >= 1 && month <= 12)
		snprintf(buf, cap, "%s %2u %02u:%02u:%02u", months[month - 1], day, hour, minute, second);
	else if (!localtime_r(&now, &tm) || !strftime(buf, cap, "%b %e %H:%M:%S", &tm))
		*buf = '\0';
}

/* As RFC 5424 has it; RFC 3164 tells neither year nor zone: this year's, and "-00:00", as HAProxy. */
static void long_date(const struct syslog_line *l, char *buf, size_t cap)
{
	unsigned month = 0, day, hour, minute, second;
	time_t now = time(NULL);
	char date[DATE_LEN + 1];
	struct tm tm;

	date_of(l, date);
	if (l->date.len && l->is_5424) {
		snprintf(buf, cap, "%.*s", (int)l->date.len, l->date.at);
		return;
	}
	while (l->date.len && month < 12 && memcmp(date, months[month], 3) != 0)
		month++;
	if (l->date.len && month < 12 && localtime_r(&now, &tm) &&
	    sscanf(date + 4, "%2u %2u:%2u:%2u", &day, &hour, &minute, &second) == 4)
		snprintf(buf, cap, "%04d-%02u-%02uT%02u:%02u:%02u-00:00", tm.tm_year + 1900, month + 1, day, hour, minute, second);
	else
		iso_date(buf, cap);
}

/* "tag[pid]: ", as much of it as there is */
static void tag_of(const struct syslog_line *l, char *buf, size_t cap)
{
	*buf = '\0';
	if (l->tag.len)
		snprintf(buf, cap, "%.*s%s%.*s%s: ", (int)l->tag.len, l->tag.at, l->pid.len ? "[" : "", (int)l->pid.len, l->pid.at,
			 l->pid.len ? "]" : "");
}

#define FIELD(t, none) (int)((t).len ? (t).len : strlen(none)), (t).len ? (t).at : (none)

static int head_of_other(const struct cfg_log *log, int level, const struct syslog_line *l, char *buf, size_t cap)
{
	int priority = (l->facility < 0 ? log->facility : l->facility) | level;
	char date[64], recent[64], tag[256];

	short_date(l, date, sizeof(date));
	long_date(l, recent, sizeof(recent));
	tag_of(l, tag, sizeof(tag));
	switch (log->format) {
	case CFG_LOG_LOCAL:
		return snprintf(buf, cap, "<%d>%s %s", priority, date, tag);
	case CFG_LOG_RFC3164:
		return snprintf(buf, cap, "<%d>%s %.*s %s", priority, date, FIELD(l->host, "localhost"), tag);
	case CFG_LOG_RFC5424:
		return snprintf(buf, cap, "<%d>1 %s %.*s %.*s %.*s %.*s %.*s ", priority, recent, FIELD(l->host, "-"), FIELD(l->tag, "-"),
				FIELD(l->pid, "-"), FIELD(l->msgid, "-"), FIELD(l->sd, "-"));
	case CFG_LOG_PRIORITY:
		return snprintf(buf, cap, "<%d>", priority);
	case CFG_LOG_SHORT:
		return snprintf(buf, cap, "<%d>", level);
	case CFG_LOG_TIMED:
		return snprintf(buf, cap, "<%d>%s ", level, recent);
	case CFG_LOG_ISO:
		return snprintf(buf, cap, "%s ", recent);
	case CFG_LOG_RAW:
		break;
	}
	return 0;
}

void log_pass_on(int fds[3], const struct cfg_logs *logs, const struct syslog_line *l, struct text whole)
{
	const struct cfg_log *log;
	char head[2048];

	while (whole.len && strchr("\r\n", whole.at[whole.len - 1])) /* or a zero */
		whole.len--;
	STAILQ_FOREACH (log, logs, next) {
		int level = l->level < log->least ? log->least : l->level;

		if (l->level > log->level || !is_sampled(log))
			continue;
		if (!log->format_given && log->kind != CFG_LOG_RING) /* as it came */
			deliver(fds, log, head, sizeof(head), 0, whole);
		else
			deliver(fds, log, head, sizeof(head), head_of_other(log, level, l, head, sizeof(head)), l->text);
	}
}

void log_to_all(int fds[3], const struct cfg_proxy *p, const struct cfg *cfg, const struct cfg_logs *const logs[2],
		const struct log_message *m)
{
	const char *tag = p->set.log_tag ? p->set.log_tag : cfg->global.log_tag;
	struct log_message tagged = *m;

	tagged.tag = tag ? tag : "proxyd";
	tagged.hostname = cfg->global.log_hostname;
	for (size_t i = 0; i < 2; i++) {
		const struct cfg_log *log;

		if (logs[i])
			STAILQ_FOREACH (log, logs[i], next)
				write_to(fds, log, &tagged);
	}
}

void log_message(struct worker *w, const struct frontend *f, const struct log_message *m)
{
	log_to_all(w->log_fd, f->proxy, f->set->cfg, f->logs, m);
}

void log_line(struct worker *w, const struct frontend *f, const char *line, size_t len)
{
	log_message(w, f, &(struct log_message){.level = LOG_INFO, .line = text_of(line, len)});
}

static struct endpoint own_address(int fd)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(a);

	getsockname(fd, (struct sockaddr *)&a, &len);
	return endpoint_of(&a);
}

void log_connect(struct worker *w, const struct frontend *f, const struct endpoint *from, const struct endpoint *to,
		 int fd)
{
	const struct endpoint at = to && to->family ? *to : own_address(fd);
	const char *mode = frontend_is_written_tcp(f) ? "TCP" : "HTTP";
	char client[64], here[64], line[512];

	log_client(from, client, sizeof(client));
	log_client(&at, here, sizeof(here));
	if (from->family == AF_UNIX)
		snprintf(line, sizeof(line), "Connect to %s (%s/%s)", client, f->name, mode);
	else
		snprintf(line, sizeof(line), "Connect from %s to %s (%s/%s)", client, here, f->name, mode);
	log_line(w, f, line, strlen(line));
}
