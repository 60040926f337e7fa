/* SPDX-License-Identifier: MIT */
#include "mail/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes_json.h"
#include "log.h"
#include "process.h"

#define SECOND_NS UINT64_C(1000000000)
#define AGAIN_FIRST_S 10u
#define AGAIN_MAX_S 300u
#define QUIET_NS (60 * SECOND_NS)
#define CHILD_MAX_S 600u /* whatever the server does */
#define CHILD_USER "sys" /* of no other process here */

struct mails {
	struct loop *loop;
	struct loop_source *again;
	const struct conf_mail *conf; /* of the configuration in force; NULL: no mail */
	const char *router_id;
	struct mail *waiting[MAIL_QUEUE_MAX]; /* a ring */
	size_t first, n;
	pid_t pid; /* 0: nobody delivers */
	unsigned attempts;
	int fd;			      /* of a memfd */
	volatile uint32_t *delivered; /* in it: shared with that process */
	uint64_t quiet_until_ns;
};

static struct mail **at(struct mails *m, size_t i)
{
	return &m->waiting[(m->first + i) % MAIL_QUEUE_MAX];
}

static void free_mail(struct mail *x)
{
	if (x) {
		free(x->subject);
		free(x->body);
		free(x->why);
	}
	free(x);
}

static void drop_first(struct mails *m, size_t n)
{
	for (; n && m->n; n--) {
		free_mail(*at(m, 0));
		m->first = (m->first + 1) % MAIL_QUEUE_MAX;
		m->n--;
	}
}

/* ---- How many were delivered ---- */

static void unshare_count(struct mails *m)
{
	if (!m->delivered)
		return;
	munmap((void *)(uintptr_t)m->delivered, sizeof(*m->delivered));
	close(m->fd);
}

/* From here on the count is in that file, which is taken. */
static int share(struct mails *m, int fd)
{
	void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*m->delivered), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (shared == MAP_FAILED) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	unshare_count(m);
	m->fd = fd;
	m->delivered = shared;
	return 0;
}

/* ---- The process that delivers ---- */

static _Noreturn void child(struct mails *m)
{
	const struct mail *list[MAIL_BATCH_MAX];
	sigset_t none;
	size_t n = m->n < MAIL_BATCH_MAX ? m->n : MAIL_BATCH_MAX;

	for (int s = 1; s < NSIG; s++)
		signal(s, s == SIGPIPE ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	syscall(SYS_close_range, (unsigned)STDERR_FILENO + 1, ~0u, 0);
	log_set_ident("vipd_mail");
	alarm(CHILD_MAX_S);
	for (size_t i = 0; i < n; i++)
		list[i] = *at(m, i);
	if (process_drop(0, process_user_find(CHILD_USER)) < 0)
		_exit(1);
	_exit(mail_deliver(m->conf, list, n, m->delivered) < 0);
}

static void start(struct mails *m)
{
	if (!m->n || m->pid || !m->conf)
		return;
	*m->delivered = 0;
	m->pid = fork();
	if (!m->pid)
		child(m);
	if (m->pid > 0)
		return;
	log_err("cannot send mail: %s", strerror(errno));
	m->pid = 0;
	loop_arm(m->again, loop_clock_ns() + AGAIN_FIRST_S * SECOND_NS);
}

static void on_again(struct loop *l, void *userdata)
{
	start(userdata);
}

static void try_later(struct mails *m)
{
	unsigned wait_s = AGAIN_FIRST_S << (m->attempts < 5 ? m->attempts : 5);

	if (wait_s > AGAIN_MAX_S)
		wait_s = AGAIN_MAX_S;
	if (++m->attempts == MAIL_ATTEMPTS_MAX) {
		log_err("%zu mails are given up: %s did not take them in %d attempts", m->n,
			m->conf ? m->conf->server : "the server", MAIL_ATTEMPTS_MAX);
		drop_first(m, m->n);
		m->attempts = 0;
		return;
	}
	log_warn("%zu mails wait; the next attempt is in %u s", m->n, wait_s);
	loop_arm(m->again, loop_clock_ns() + wait_s * SECOND_NS);
}

bool mails_reap(struct mails *m, pid_t pid, int status)
{
	uint32_t done = *m->delivered;

	if (!m->pid || m->pid != pid)
		return false;
	m->pid = 0;
	drop_first(m, done);
	if (done)
		m->attempts = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		start(m);
	else if (m->n)
		try_later(m);
	return true;
}

/* ---- The queue ---- */

/* No line of a header may end early. */
static char *one_line(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return copy;
}

static struct mail *make(const char *subject, const char *body, const char *why)
{
	struct mail *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	*x = (struct mail){
	    .subject = one_line(subject), .body = one_line(body), .why = one_line(why)};
	if (x->subject && x->body && x->why)
		return x;
	free_mail(x);
	return NULL;
}

void mails_send(struct mails *m, const char *body, const char *why, const char *subject, ...)
{
	char text[512], whole[600];
	struct timespec now;
	struct mail *x;
	va_list args;

	if (!m->conf)
		return;
	va_start(args, subject);
	vsnprintf(text, sizeof(text), subject, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "[%.64s] %s", m->router_id, text);
	x = m->n < MAIL_QUEUE_MAX ? make(whole, body, why) : NULL;
	if (!x) {
		if (loop_clock_ns() < m->quiet_until_ns)
			return;
		m->quiet_until_ns = loop_clock_ns() + QUIET_NS;
		log_err("no mail about \"%s\": %s (said once a minute)", text,
			m->n < MAIL_QUEUE_MAX ? "out of memory" : "too many wait");
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	x->when = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	*at(m, m->n++) = x;
	/* What happens in one turn goes over one connection. */
	if (!m->pid && !m->attempts)
		loop_arm(m->again, loop_clock_ns());
}

bool mails_idle(const struct mails *m)
{
	return !m->pid && (!m->n || m->attempts);
}

/* ---- Another program takes the process over ---- */

/* NULL: out of memory. */
static json_t *freeze_mail(const struct mail *x)
{
	return json_pack("{s:f, s:o, s:o, s:o}", "when", x->when, "subject", bytes_to_json(x->subject), "body", bytes_to_json(x->body), "why",
			 bytes_to_json(x->why));
}

/* The count goes along, for who delivers goes on counting. Nobody else is executed with that descriptor. */
json_t *mails_freeze(struct mails *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n; i++)
		json_array_append_new(list, freeze_mail(*at(m, i)));
	fcntl(m->fd, F_SETFD, 0);
	return json_pack("{s:i, s:i, s:o}", "pid", (int)m->pid, "fd", m->fd, "waiting", list);
}

static struct mail *thaw_mail(const json_t *from)
{
	struct mail *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	*x = (struct mail){.when = json_real_value(json_object_get(from, "when")),
			   .subject = bytes_from_json(json_object_get(from, "subject")),
			   .body = bytes_from_json(json_object_get(from, "body")),
			   .why = bytes_from_json(json_object_get(from, "why"))};
	if (x->subject && x->body && x->why)
		return x;
	free_mail(x);
	return NULL;
}

/* It begins at once, as after a reload. */
void mails_thaw(struct mails *m, const json_t *frozen)
{
	int fd = (int)json_integer_value(json_object_get(frozen, "fd"));
	json_t *one;
	size_t i;

	if (fd <= STDERR_FILENO || fcntl(fd, F_GET_SEALS) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return;
	if (share(m, fd) >= 0)
		m->pid = (pid_t)json_integer_value(json_object_get(frozen, "pid"));
	json_array_foreach(json_object_get(frozen, "waiting"), i, one)
	{
		struct mail *x = m->conf && m->n < MAIL_QUEUE_MAX ? thaw_mail(one) : NULL;

		if (x)
			*at(m, m->n++) = x;
	}
	if (m->n && !m->pid)
		loop_arm(m->again, loop_clock_ns());
}

/* ---- Life ---- */

void mails_configure(struct mails *m, const struct conf *c)
{
	m->conf = c->globals.mail.server ? &c->globals.mail : NULL;
	m->router_id = c->globals.router_id ? c->globals.router_id : c->globals.mail.helo;
	if (!m->conf) {
		drop_first(m, m->n);
		if (m->pid)
			kill(m->pid, SIGTERM);
		m->pid = 0;
	}
	m->attempts = 0; /* perhaps another server */
	if (m->n && !m->pid)
		loop_arm(m->again, loop_clock_ns());
}

int mails_new(struct loop *l, struct mails **ret)
{
	struct mails *m = calloc(1, sizeof(*m));
	int r = m ? loop_add_timer(l, on_again, m, &m->again) : -ENOMEM, fd;

	if (r < 0) {
		free(m);
		return r;
	}
	fd = memfd_create("vipd-mail", MFD_CLOEXEC);
	r = fd >= 0 && ftruncate(fd, sizeof(*m->delivered)) < 0 ? -errno : share(m, fd);
	if (r < 0) {
		mails_free(m);
		return r;
	}
	m->loop = l;
	*ret = m;
	return 0;
}

void mails_free(struct mails *m)
{
	if (!m)
		return;
	if (m->pid)
		kill(m->pid, SIGTERM);
	drop_first(m, m->n);
	loop_remove(m->again);
	unshare_count(m);
	free(m);
}
