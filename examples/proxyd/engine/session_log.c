/* SPDX-License-Identifier: MIT */
/*
 * One line per session in the format of HAProxy's "option tcplog" (its manual, "TCP log format"):
 *
 *	client:port [time] frontend backend/server Tw/Tc/Tt bytes state
 *	actconn/feconn/beconn/srvconn/retries srv_queue/backend_queue
 */
#include "control.h"
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

#define LINE_MAX_BYTES 1024

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

/* -1 when the phase was never reached, as HAProxy prints it. */
static long long ms(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns ? (long long)((to_ns - from_ns) / CFG_MS) : -1;
}

static int format(struct worker *w, const struct session *s, char *line, size_t cap)
{
	const struct pool *p = s->seeker.backend ? s->seeker.backend->pool : NULL;
	const struct engine *e = w->engine;
	char client[INET6_ADDRSTRLEN + 8], when[48];
	uint64_t queued_at = s->accepted_ns + s->seeker.queued_ns;
	bool reached = s->seeker.server != NULL;

	log_client(&s->client, client, sizeof(client));
	log_date(w->now_ns - s->accepted_ns, when, sizeof(when));
	return snprintf(line, cap,
			"%s [%s] %s %s/%s %lld/%lld/%lld %llu %c%c "
			"%u/%u/%u/%u/%s%u 0/%u",
			client, when, s->frontend->name, p ? p->name : s->frontend->name,
			reached ? s->seeker.server->name : "<NOSRV>",
			reached ? ms(s->accepted_ns, queued_at) : -1LL,
			ms(queued_at, s->connected_ns), ms(s->accepted_ns, w->now_ns),
			(unsigned long long)s->conn.side[CONN_SERVER].bytes, s->conn.cause.who,
			s->conn.cause.phase, atomic_load(&e->gate.n),
			atomic_load(&s->frontend->gate->n), p ? atomic_load(&p->n_sessions) : 0,
			reached ? atomic_load(&s->seeker.server->n_sessions) : 0,
			s->seeker.attempts.redispatched ? "+" : "", s->seeker.attempts.failures,
			p ? atomic_load(&p->n_queued) : 0);
}

static int console(const struct cfg_log *log)
{
	return log->kind == CFG_LOG_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
}

void session_log_prepare(const struct cfg_logs *logs)
{
	const struct cfg_log *log;

	STAILQ_FOREACH (log, logs, next)
		if (log->kind != CFG_LOG_SOCKET)
			fcntl(console(log), F_SETFL, fcntl(console(log), F_GETFL) | O_NONBLOCK);
}

/* A datagram socket of the target's family, of this worker; -1: none to be had. */
static int log_socket(struct worker *w, int family)
{
	int *fd = &w->log_fd[family == AF_INET ? 0 : family == AF_INET6 ? 1 : 2];

	if (*fd < 0)
		*fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return *fd;
}

/* Syslog's header (RFC 3164, section 4.1); HAProxy, too, leaves out the host's name. */
static int header(const struct cfg_log *log, const char *tag, char *buf, size_t cap)
{
	char when[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	return snprintf(buf, cap, "<%d>%s %s[%d]: ", log->facility | LOG_INFO, when, tag,
			(int)getpid());
}

static void write_to(struct worker *w, const struct cfg_log *log, const char *tag, char *line,
		     size_t len)
{
	char head[160];
	struct iovec v[2] = {{head, 0}, {line, len}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	int n;

	if (log->level < LOG_INFO)
		return;
	if (!log->raw) {
		n = header(log, tag, head, sizeof(head));
		v[0].iov_len = n < 0 ? 0 : (size_t)n < sizeof(head) ? (size_t)n : sizeof(head) - 1;
	}
	/* A log that takes no more loses the line: it must not stop the traffic. */
	if (log->kind == CFG_LOG_SOCKET) {
		m.msg_name = (void *)&log->addr.storage;
		m.msg_namelen = log->addr.len;
		v[1].iov_len--; /* a datagram needs no newline */
		if (sendmsg(log_socket(w, log->addr.sa.sa_family), &m, MSG_NOSIGNAL) < 0)
			return;
	} else if (writev(console(log), v, 2) < 0) {
		return;
	}
}

void log_line(struct worker *w, const struct frontend *f, char *line, size_t len)
{
	const struct cfg_global *global = &f->set->cfg->global;

	line[len++] = '\n';
	for (size_t i = 0; i < 2; i++) {
		const struct cfg_log *log;

		if (f->logs[i])
			STAILQ_FOREACH (log, f->logs[i], next)
				write_to(w, log, global->log_tag ? global->log_tag : "proxyd", line,
					 len);
	}
}

void session_log(struct worker *w, const struct session *s)
{
	char line[LINE_MAX_BYTES];
	int len;

	if (s->frontend->dontlognull && !s->conn.side[CONN_CLIENT].bytes &&
	    !s->conn.side[CONN_SERVER].bytes && s->conn.cause.who != 'S')
		return;
	len = format(w, s, line, sizeof(line) - 1);
	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	log_line(w, s->frontend, line, (size_t)len);
}
