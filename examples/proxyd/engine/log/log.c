/* SPDX-License-Identifier: MIT */
/* Log lines on their way out: to consoles, descriptors, UDP and unix sockets. */
#include "engine/control.h"
#include "head.h"
#include "ring.h"
#include "rules/log_json.h"
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

static void deliver(int fds[3], const struct cfg_log *log, char *head, size_t head_len, struct text text, bool is_json)
{
	const size_t room = log->len - 1 > head_len ? log->len - 1 - head_len : 0; /* one is its line end */
	char newline = '\n';
	const char *end = "";
	struct iovec v[4] = {{head, head_len}, [3] = {&newline, 1}};
	struct msghdr out = {.msg_iov = v, .msg_iovlen = 4}; /* datagrams end with it, too, as HAProxy's */

	if (is_json)
		text = log_json_cut(text, room, &end);
	v[1] = (struct iovec){(char *)(uintptr_t)text.at, text.len < room ? text.len : room};
	v[2] = (struct iovec){(char *)(uintptr_t)end, strlen(end)};
	if (log->kind == CFG_LOG_RING) {
		if (log->to)
			ring_write(log->to, v, 3);
		return;
	}
	/* A log that takes no more loses the line: it must not stop the traffic. */
	if (log->kind == CFG_LOG_SOCKET) {
		out.msg_name = (void *)&log->addr.storage;
		out.msg_namelen = log->addr.len;
		if (sendmsg(log_socket(fds, log->addr.sa.sa_family), &out, MSG_NOSIGNAL) < 0)
			return;
	} else if (writev(log->fd, v, 4) < 0) {
		return;
	}
}

/* One of ours. With the host's name, log-send-hostname, "local" becomes what has a place for it. */
static void write_to(int fds[3], const struct cfg_log *log, const struct log_message *m)
{
	enum cfg_log_format format = log->format == CFG_LOG_LOCAL && m->hostname && !log->format_given ? CFG_LOG_RFC3164 : log->format;
	char head[LOG_HEAD_SIZE], pid[12];
	struct syslog_line l = {.facility = -1, .level = m->level, .tag = text_of(m->tag, strlen(m->tag)), .sd = m->sd};

	if (m->level > log->level || !is_sampled(log))
		return;
	l.pid = text_of(pid, (size_t)snprintf(pid, sizeof(pid), "%d", (int)getpid()));
	if (m->hostname)
		l.host = text_of(m->hostname, strlen(m->hostname));
	deliver(fds, log, head, log_head(log, format, &l, head), m->line, m->is_json);
}

void log_pass_on(int fds[3], const struct cfg_logs *logs, const struct syslog_line *l, struct text whole)
{
	const struct cfg_log *log;
	char head[LOG_HEAD_SIZE];

	while (whole.len && strchr("\r\n", whole.at[whole.len - 1])) /* or a zero */
		whole.len--;
	STAILQ_FOREACH (log, logs, next) {
		if (l->level > log->level || !is_sampled(log))
			continue;
		if (!log->format_given && log->kind != CFG_LOG_RING) /* as it came */
			deliver(fds, log, head, 0, whole, false);
		else
			deliver(fds, log, head, log_head(log, log->format, l, head), l->text, false);
	}
}

void debug_write(const void *to, struct text line)
{
	int none[3] = {-1, -1, -1}; /* descriptors and rings alone */
	const struct syslog_line l = {.text = line};

	if (to)
		log_pass_on(none, to, &l, line);
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
