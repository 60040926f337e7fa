/* SPDX-License-Identifier: MIT */
/* The client of SMTP (RFC 5321) that takes mail to the server. It waits, and is alone in its process. */
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "mail/mail.h"

#define LINE_MAX_BYTES 1024 /* of an answer: 512 by RFC 5321 section 4.5.3.1.5 */
#define LINES_MAX 100	    /* of one answer */
#define COMMAND_MAX_BYTES 2048

struct talk {
	int fd;
	char in[LINE_MAX_BYTES];
	size_t have;		   /* bytes in `in` */
	char said[LINE_MAX_BYTES]; /* the last line of the answer, for people */
};

static int put(const struct talk *t, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(t->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A line, into t->said. Its length, or -errno. */
static int get_line(struct talk *t)
{
	for (;;) {
		char *end = memchr(t->in, '\n', t->have);
		size_t len = end ? (size_t)(end - t->in) : 0;
		ssize_t n;

		if (end) {
			memcpy(t->said, t->in, len);
			t->said[len && t->said[len - 1] == '\r' ? len - 1 : len] = 0;
			t->have -= len + 1;
			memmove(t->in, end + 1, t->have);
			return (int)len;
		}
		if (t->have == sizeof(t->in))
			return -EPROTO;
		n = recv(t->fd, t->in + t->have, sizeof(t->in) - t->have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return !n ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
		t->have += (size_t)n;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code of an answer, whose lines but the last have a '-' behind it (RFC 5321 section 4.2). */
static int get_answer(struct talk *t)
{
	for (int i = 0; i < LINES_MAX; i++) {
		int len = get_line(t);

		if (len < 0)
			return len;
		if (len < 3 || !is_digit(t->said[0]) || !is_digit(t->said[1]) ||
		    !is_digit(t->said[2]))
			return -EPROTO;
		if (t->said[3] != '-')
			return (t->said[0] - '0') * 100 + (t->said[1] - '0') * 10 +
			       (t->said[2] - '0');
	}
	return -EPROTO;
}

__attribute__((format(printf, 2, 3))) static int ask(struct talk *t, const char *format, ...)
{
	char line[COMMAND_MAX_BYTES];
	va_list args;
	int len, r;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || len >= (int)sizeof(line))
		return -EPROTO;
	r = put(t, line, (size_t)len);
	return r < 0 ? r : get_answer(t);
}

/* ---- One mail ---- */

/* RFC 5322 section 3.3, whatever the locale. */
static void date_of(double when, char *buf, size_t cap)
{
	static const char day[] = "SunMonTueWedThuFriSat",
			  month[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t whole = (time_t)when;
	struct tm t = {0};
	long east;

	localtime_r(&whole, &t);
	east = t.tm_gmtoff < 0 ? -t.tm_gmtoff / 60 : t.tm_gmtoff / 60;
	snprintf(buf, cap, "%.3s, %02d %.3s %d %02d:%02d:%02d %c%02ld%02ld", day + 3 * t.tm_wday,
		 t.tm_mday, month + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec,
		 t.tm_gmtoff < 0 ? '-' : '+', east / 60, east % 60);
}

/* keepalived's headers, in its order: filters of mail know them. */
static int put_text(struct talk *t, const struct conf_mail *c, const struct mail *m)
{
	char date[64], *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return -ENOMEM;
	date_of(m->when, date, sizeof(date));
	fprintf(f, "Date: %s\r\nFrom: %s\r\nSubject: %s\r\nX-Mailer: vipd\r\nTo: ", date, c->from,
		m->subject);
	for (size_t i = 0; i < c->n_to; i++)
		fprintf(f, "%s%s", i ? ",\r\n " : "", c->to[i]);
	fprintf(f, "\r\n\r\n%s\r\n\r\n", m->body);
	if (*m->why)
		fprintf(f, "%s%s\r\n", *m->why == '.' ? "." : "",
			m->why); /* RFC 5321 section 4.5.2 */
	fputs(".\r\n", f);
	r = fclose(f) ? -ENOMEM : put(t, text, len);
	free(text);
	return r < 0 ? r : get_answer(t);
}

static bool is_good(int code)
{
	return code >= 200 && code < 400;
}

/* The server's last word on a mail. One recipient that it takes is enough. */
static int deliver_one(struct talk *t, const struct conf_mail *c, const struct mail *m)
{
	int code = ask(t, "MAIL FROM:<%s>\r\n", c->from), refusal = 0;
	size_t taken = 0;

	for (size_t i = 0; i < c->n_to && is_good(code); i++) {
		int r = ask(t, "RCPT TO:<%s>\r\n", c->to[i]);

		if (r < 0 || r == 421)
			return r;
		taken += is_good(r);
		if (is_good(r))
			continue;
		refusal = r;
		log_warn("%s does not take mail for %s: %s", c->server, c->to[i], t->said);
	}
	if (!is_good(code) || !taken)
		return is_good(code) ? refusal : code;
	code = ask(t, "DATA\r\n");
	return code == 354 ? put_text(t, c, m) : code;
}

/* ---- The connection ---- */

static int connect_one(const struct addrinfo *a, int64_t timeout_ms)
{
	const struct timeval patience = {.tv_sec = timeout_ms / 1000,
					 .tv_usec = timeout_ms % 1000 * 1000};
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* connect, too */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	if (r >= 0)
		return fd;
	close(fd);
	return r;
}

static int connect_server(const struct conf_mail *c)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", (unsigned)c->port);
	r = getaddrinfo(c->server, port, &hints, &found);
	if (r) {
		log_warn("mail: smtp_server %s: %s", c->server, gai_strerror(r));
		return -EHOSTUNREACH;
	}
	r = -EHOSTUNREACH;
	for (const struct addrinfo *a = found; a && r < 0; a = a->ai_next)
		r = connect_one(a, c->timeout_ms);
	freeaddrinfo(found);
	if (r < 0)
		log_warn("mail: smtp_server %s port %u: %s", c->server, (unsigned)c->port,
			 strerror(-r));
	return r;
}

static int deliver_all(struct talk *t, const struct conf_mail *c, const struct mail *const *list,
		       size_t n, volatile uint32_t *delivered)
{
	int code = get_answer(t);

	if (is_good(code))
		code = ask(t, "HELO %s\r\n", c->helo);
	for (size_t i = 0; i < n && is_good(code); i++) {
		code = deliver_one(t, c, list[i]);
		if (code >= 500) { /* for good: no later attempt helps this one */
			log_err("%s refuses the mail \"%s\": %s", c->server, list[i]->subject,
				t->said);
			code = ask(t, "RSET\r\n");
		}
		if (is_good(code))
			++*delivered;
	}
	return code;
}

int mail_talk(int fd, const struct conf_mail *c, const struct mail *const *list, size_t n,
	      volatile uint32_t *delivered)
{
	struct talk t = {.fd = fd};
	int code = deliver_all(&t, c, list, n, delivered);

	if (is_good(code))
		ask(&t, "QUIT\r\n");
	else if (code < 0)
		log_warn("mail: smtp_server %s: %s", c->server,
			 code == -EPROTO ? "what answers does not speak SMTP" : strerror(-code));
	else
		log_warn("mail: smtp_server %s says: %s", c->server, t.said);
	return is_good(code) ? 0 : -EIO;
}

int mail_deliver(const struct conf_mail *c, const struct mail *const *list, size_t n,
		 volatile uint32_t *delivered)
{
	int fd = connect_server(c), r;

	if (fd < 0)
		return fd;
	r = mail_talk(fd, c, list, n, delivered);
	close(fd);
	return r;
}
