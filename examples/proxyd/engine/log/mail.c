/* SPDX-License-Identifier: MIT */
#include "mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "smtp_client.h"

#define TEXT_MAX 900 /* bytes: with the subject's beginning in a line of RFC 5321, section 4.5.3.1.6 */
#define NEVER UINT64_MAX

struct mail {
	STAILQ_ENTRY(mail) next;
	char *order[SMTP_ORDERS];
	uint64_t timeout_ns;
};

/* A mailer, for as long as mail waits for it. The first one is on its way while fd >= 0. */
struct mailbox {
	LIST_ENTRY(mailbox) entry;
	struct mails *mails;
	char *name;
	struct cfg_addr addr;
	STAILQ_HEAD(, mail) waiting;
	unsigned n_waiting;
	bool is_full; /* that was told */
	int fd;
	uint64_t deadline_ns; /* the first one is given up; at once when it is to begin */
	struct smtp_client client;
	const char *say; /* not sent yet; NULL: all is */
};

struct mails {
	LIST_HEAD(, mailbox) boxes;
	int epoll_fd;
};

/* ---- A mail ---- */

static void mail_free(struct mail *m)
{
	for (unsigned i = 0; m && i < SMTP_ORDERS; i++)
		free(m->order[i]);
	free(m);
}

/* HAProxy's lines: without the stop at the end, and no byte that begins another line. */
static void copy_line(char *to, size_t cap, const char *text)
{
	size_t n = strlen(text);

	n -= n && text[n - 1] == '.';
	n = n < cap - 1 ? n : cap - 1;
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	to[n] = '\0';
}

/* NULL: no memory. */
static char *make_text(const struct cfg_email *to, const char *text)
{
	char line[TEXT_MAX], date[64], *ret;
	time_t now = time(NULL);
	struct tm tm = {0};

	copy_line(line, sizeof(line), text);
	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %T %z (%Z)", &tm); /* RFC 5322 section 3.3: the locale is "C" */
	return asprintf(&ret, "From: %s\r\nTo: %s\r\nDate: %s\r\nSubject: [HAProxy Alert] %s\r\n\r\n%s\r\n\r\n.\r\n", to->from,
			to->to, date, line, line) < 0
		   ? NULL
		   : ret;
}

static char *make_order(const char *format, const char *what)
{
	char *ret;

	return asprintf(&ret, "%s%s%s\r\n", format, what, strchr(format, '<') ? ">" : "") < 0 ? NULL : ret;
}

static struct mail *make_mail(const struct cfg_email *to, const char *text)
{
	struct mail *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->timeout_ns = to->mailers->timeout_ns;
	m->order[0] = make_order("HELO ", to->myhostname);
	m->order[1] = make_order("MAIL FROM:<", to->from);
	m->order[2] = make_order("RCPT TO:<", to->to);
	m->order[3] = make_order("DATA", "");
	m->order[4] = make_text(to, text);
	m->order[5] = make_order("QUIT", "");
	for (unsigned i = 0; i < SMTP_ORDERS; i++)
		if (!m->order[i]) {
			mail_free(m);
			return NULL;
		}
	return m;
}

/* ---- A mailer ---- */

static void box_free(struct mailbox *b)
{
	struct mail *m;

	while ((m = STAILQ_FIRST(&b->waiting))) {
		STAILQ_REMOVE_HEAD(&b->waiting, next);
		mail_free(m);
	}
	if (b->fd >= 0)
		close(b->fd);
	LIST_REMOVE(b, entry);
	free(b->name);
	free(b);
}

static struct mailbox *box_get(struct mails *ms, const struct cfg_mailer *c, uint64_t now_ns)
{
	struct mailbox *b;

	LIST_FOREACH (b, &ms->boxes, entry)
		if (b->addr.len == c->addr.len && !memcmp(&b->addr.storage, &c->addr.storage, c->addr.len))
			return b;
	b = calloc(1, sizeof(*b));
	if (b)
		b->name = strdup(c->name);
	if (!b || !b->name) {
		free(b);
		return NULL;
	}
	b->mails = ms;
	b->addr = c->addr;
	b->fd = -1;
	b->deadline_ns = now_ns;
	STAILQ_INIT(&b->waiting);
	LIST_INSERT_HEAD(&ms->boxes, b, entry);
	return b;
}

/* The first one is done with; `why` NULL: it was taken. */
static void finish(struct mailbox *b, const char *why, uint64_t now_ns)
{
	struct mail *m = STAILQ_FIRST(&b->waiting);

	if (why)
		log_warn("mailer %s does not take a mail: %s; it is not sent again", b->name, why);
	STAILQ_REMOVE_HEAD(&b->waiting, next);
	mail_free(m);
	b->n_waiting--;
	b->is_full = b->is_full && b->n_waiting;
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	b->deadline_ns = now_ns;
}

static void begin(struct mailbox *b, uint64_t now_ns)
{
	const struct mail *m = STAILQ_FIRST(&b->waiting);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = b};

	memset(&b->client, 0, sizeof(b->client));
	for (unsigned i = 0; i < SMTP_ORDERS; i++)
		b->client.order[i] = m->order[i];
	b->say = NULL;
	b->deadline_ns = now_ns + m->timeout_ns;
	b->fd = socket(b->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (b->fd < 0 || (connect(b->fd, &b->addr.sa, b->addr.len) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(b->mails->epoll_fd, EPOLL_CTL_ADD, b->fd, &e) < 0)
		finish(b, strerror(errno), now_ns);
}

/* False: the connection failed, with errno. */
static bool send_rest(struct mailbox *b)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = b};

	if (b->say) {
		ssize_t n = send(b->fd, b->say, strlen(b->say), MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN)
			return false;
		b->say += n > 0 ? n : 0;
		if (!*b->say)
			b->say = NULL;
	}
	if (b->say)
		e.events |= EPOLLOUT;
	return epoll_ctl(b->mails->epoll_fd, EPOLL_CTL_MOD, b->fd, &e) == 0;
}

/* True: the first mail is on its way still. */
static bool hear(struct mailbox *b, const char *data, size_t len, uint64_t now_ns)
{
	while (len) {
		const char *say = NULL;
		size_t used;
		enum smtp_state state = smtp_receive(&b->client, data, len, &used, &say);

		data += used;
		len -= used;
		if (state == SMTP_WAITS)
			return true;
		if (state == SMTP_SAYS && !b->say) {
			b->say = say;
			if (send_rest(b))
				continue;
			finish(b, strerror(errno), now_ns);
			return false;
		}
		if (state == SMTP_TAKEN)
			send(b->fd, say, strlen(say), MSG_NOSIGNAL); /* out of politeness */
		finish(b,
		       state == SMTP_TAKEN     ? NULL
		       : state == SMTP_REFUSED ? b->client.line
					       : "what answers does not speak SMTP", now_ns);
		return false;
	}
	return true;
}

static void on_event(struct mailbox *b, uint64_t now_ns)
{
	char data[2048];
	ssize_t n;

	if (!send_rest(b)) {
		finish(b, strerror(errno), now_ns);
		return;
	}
	n = recv(b->fd, data, sizeof(data), 0);
	if (n > 0)
		hear(b, data, (size_t)n, now_ns);
	else if (!n)
		finish(b, "it closed the connection", now_ns);
	else if (errno != EAGAIN && errno != EINTR)
		finish(b, strerror(errno), now_ns);
}

/* ---- All of them ---- */

void mails_send(struct mails *ms, const struct cfg_email *to, int level, const char *text, uint64_t now_ns)
{
	const struct cfg_mailer *c;

	if (!to->mailers || level > to->level)
		return;
	STAILQ_FOREACH (c, &to->mailers->list, next) {
		struct mailbox *b = box_get(ms, c, now_ns);
		bool full = b && b->n_waiting == MAIL_QUEUE_MAX;
		struct mail *m = b && !full ? make_mail(to, text) : NULL;

		if (m) {
			STAILQ_INSERT_TAIL(&b->waiting, m, next);
			b->n_waiting++;
			continue;
		}
		if (!full || !b->is_full)
			log_err("mailer %s: %s", c->name,
				full ? "too many mails wait for it: the next ones are not sent" : "a mail is not sent: out of memory");
		if (full)
			b->is_full = true;
	}
}

int mails_dispatch(struct mails *ms, uint64_t now_ns)
{
	struct epoll_event event[16];
	int n = epoll_wait(ms->epoll_fd, event, 16, 0);
	struct mailbox *b, *next;

	for (int i = 0; i < n; i++)
		on_event(event[i].data.ptr, now_ns); /* each has one descriptor, and none is freed here */
	for (b = LIST_FIRST(&ms->boxes); b; b = next) {
		next = LIST_NEXT(b, entry);
		if (b->fd >= 0 && b->deadline_ns <= now_ns)
			finish(b, "it did not in time", now_ns);
		if (b->fd < 0 && b->n_waiting)
			begin(b, now_ns);
		if (!b->n_waiting)
			box_free(b);
	}
	return 0;
}

uint64_t mails_deadline(const struct mails *ms)
{
	const struct mailbox *b;
	uint64_t first = NEVER;

	LIST_FOREACH (b, &ms->boxes, entry)
		if (b->deadline_ns < first)
			first = b->deadline_ns;
	return first;
}

int mails_fd(const struct mails *ms)
{
	return ms->epoll_fd;
}

int mails_new(struct mails **ret)
{
	struct mails *ms = calloc(1, sizeof(*ms));

	if (!ms)
		return -ENOMEM;
	LIST_INIT(&ms->boxes);
	ms->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ms->epoll_fd < 0) {
		free(ms);
		return -errno;
	}
	*ret = ms;
	return 0;
}

void mails_free(struct mails *ms)
{
	if (!ms)
		return;
	while (!LIST_EMPTY(&ms->boxes))
		box_free(LIST_FIRST(&ms->boxes));
	close(ms->epoll_fd);
	free(ms);
}
