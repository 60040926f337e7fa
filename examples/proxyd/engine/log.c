/* SPDX-License-Identifier: MIT */
/* Log lines on their way out: to consoles, descriptors, UDP and unix sockets. */
#include "control.h"
#include "ring.h"
#include "rules/sample.h"
#include "worker.h"

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
	switch (log->format == CFG_LOG_LOCAL && hostname ? CFG_LOG_RFC3164 : log->format) {
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

static void write_to(int fds[3], const struct cfg_log *log, const struct log_message *m)
{
	int level = m->level < log->least ? log->least : m->level, n;
	char head[1024];
	char newline = '\n';
	struct iovec v[3] = {
	    {head, 0}, {(char *)(uintptr_t)m->line.at, m->line.len}, {&newline, 1}};
	struct msghdr out = {.msg_iov = v, .msg_iovlen = 2};

	if (m->level > log->level || !is_sampled(log))
		return;
	n = header(log, level, m->tag, m->hostname, m->sd.len ? m->sd : text_of("-", 1), head,
		   sizeof(head));
	v[0].iov_len = n < 0 ? 0 : (size_t)n < sizeof(head) ? (size_t)n : sizeof(head) - 1;
	if (v[0].iov_len + v[1].iov_len >= log->len) /* one is its line end */
		v[1].iov_len = log->len - 1 > v[0].iov_len ? log->len - 1 - v[0].iov_len : 0;
	if (log->kind == CFG_LOG_RING) {
		if (log->to)
			ring_write(log->to, v, 2);
		return;
	}
	/* A log that takes no more loses the line: it must not stop the traffic. */
	if (log->kind == CFG_LOG_SOCKET) { /* a datagram needs no newline */
		out.msg_name = (void *)&log->addr.storage;
		out.msg_namelen = log->addr.len;
		if (sendmsg(log_socket(fds, log->addr.sa.sa_family), &out, MSG_NOSIGNAL) < 0)
			return;
	} else if (writev(log->fd, v, 3) < 0) {
		return;
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
	const char *mode = f->http ? "HTTP" : "TCP";
	char client[64], here[64], line[512];

	log_client(from, client, sizeof(client));
	log_client(&at, here, sizeof(here));
	if (from->family == AF_UNIX)
		snprintf(line, sizeof(line), "Connect to %s (%s/%s)", client, f->name, mode);
	else
		snprintf(line, sizeof(line), "Connect from %s to %s (%s/%s)", client, here, f->name, mode);
	log_line(w, f, line, strlen(line));
}
