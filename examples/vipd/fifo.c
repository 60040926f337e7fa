/* SPDX-License-Identifier: MIT */
#include "fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define SECOND_NS UINT64_C(1000000000)
#define QUIET_NS (60 * SECOND_NS)
#define AGAIN_MAX_S 60u

/* notify_fifo, which gets all; vrrp_notify_fifo, lvs_notify_fifo. */
enum { FIFO_ALL, FIFO_OF_VRRP, FIFO_OF_LVS, N_FIFOS };

struct fifo {
	struct fifos *all;
	char *path; /* NULL: none */
	bool made;  /* here */
	int fd;
	struct conf_script script; /* of the configuration in force */
	pid_t pid;
	struct loop_source *again; /* starts the script again */
	unsigned wait_s;
	uint64_t started_ns, quiet_until_ns;
};

struct fifos {
	struct loop *loop;
	struct scripts *scripts;
	struct fifo fifo[N_FIFOS];
};

/* ---- The script that reads it ---- */

static void start_script(struct fifo *f)
{
	const char *const extra[SCRIPT_EXTRA_MAX] = {f->path, NULL};

	if (!f->script.argv)
		return;
	f->started_ns = loop_clock_ns();
	f->pid = scripts_spawn_with(f->all->scripts, &f->script, extra);
	if (f->pid < 0) {
		log_err("cannot run %s: %s", f->script.argv[0], strerror((int)-f->pid));
		f->pid = 0;
	}
}

static void on_again(struct loop *l, void *userdata)
{
	struct fifo *f = userdata;

	if (!f->pid && f->path)
		start_script(f);
}

static void stop_script(struct fifo *f)
{
	loop_arm(f->again, LOOP_NEVER);
	if (f->pid > 0)
		scripts_let_go(f->all->scripts, f->pid);
	f->pid = 0;
}

bool fifos_reap(struct fifos *all, pid_t pid, int status)
{
	for (int i = 0; i < N_FIFOS; i++) {
		struct fifo *f = &all->fifo[i];
		uint64_t now = loop_clock_ns();

		if (f->pid != pid)
			continue;
		if (now - f->started_ns > 60 * SECOND_NS)
			f->wait_s = 1;
		log_warn("%s ended (status %d): nobody reads %s until it is started again, in %u s",
			 f->script.argv[0], status, f->path, f->wait_s);
		f->pid = 0;
		loop_arm(f->again, now + f->wait_s * SECOND_NS);
		f->wait_s = f->wait_s * 2 < AGAIN_MAX_S ? f->wait_s * 2 : AGAIN_MAX_S;
		return true;
	}
	return false;
}

/* ---- The FIFO ---- */

static void give_to(const struct fifo *f, const char *user, const char *group)
{
	const struct passwd *p = user ? getpwnam(user) : NULL;
	const struct group *g = group ? getgrnam(group) : NULL;

	if (user && (!p || fchown(f->fd, p->pw_uid, g ? g->gr_gid : p->pw_gid) < 0))
		log_warn("cannot give %s to %s: %s", f->path, user,
			 p ? strerror(errno) : "no such user");
}

/* Both ends, so that writing works before anybody reads. No link is followed, nothing else taken. */
static int open_fifo(struct fifo *f, const struct conf_fifo *c)
{
	struct stat st;

	f->made = !mkfifo(f->path, 0600);
	if (!f->made && errno != EEXIST)
		return -errno;
	f->fd = open(f->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		close(f->fd);
		f->fd = -1;
		return -EEXIST;
	}
	if (f->made)
		give_to(f, c->user, c->group);
	return 0;
}

static void close_fifo(struct fifo *f)
{
	stop_script(f);
	if (f->fd >= 0)
		close(f->fd);
	if (f->made && f->path)
		unlink(f->path);
	free(f->path);
	f->path = NULL;
	f->fd = -1;
	f->made = false;
}

static bool same_script(const struct conf_script *a, const struct conf_script *b)
{
	size_t i = 0;

	if (!a->argv || !b->argv)
		return a->argv == b->argv;
	while (a->argv[i] && b->argv[i] && !strcmp(a->argv[i], b->argv[i]))
		i++;
	return !a->argv[i] && !b->argv[i];
}

static void configure(struct fifo *f, const struct conf_fifo *c)
{
	bool same =
	    f->path && c->path && !strcmp(f->path, c->path) && same_script(&f->script, &c->script);
	int r;

	if (!same)
		close_fifo(f);
	f->script = c->script; /* the old one's memory goes with its configuration */
	if (same || !c->path)
		return;
	f->wait_s = 1;
	f->path = strdup(c->path);
	r = f->path ? open_fifo(f, c) : -ENOMEM;
	if (r < 0) {
		log_err("%s: %s", c->path,
			r == -EEXIST ? "there is something else than a FIFO" : strerror(-r));
		close_fifo(f);
		return;
	}
	start_script(f);
}

void fifos_configure(struct fifos *all, const struct conf *c)
{
	configure(&all->fifo[FIFO_ALL], &c->globals.fifo);
	configure(&all->fifo[FIFO_OF_VRRP], &c->globals.vrrp_fifo);
	configure(&all->fifo[FIFO_OF_LVS], &c->globals.lvs_fifo);
}

static void write_to(struct fifo *f, const char *line, size_t len)
{
	uint64_t now = loop_clock_ns();

	if (f->fd < 0 || write(f->fd, line, len) == (ssize_t)len || now < f->quiet_until_ns)
		return;
	f->quiet_until_ns = now + QUIET_NS;
	log_warn("%s is full: nobody reads it, and lines are lost (said once a minute)", f->path);
}

void fifos_write(struct fifos *all, enum fifo_kind kind, const char *format, ...)
{
	char line[1024]; /* below PIPE_BUF: a line is written as a whole or not at all */
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len <= 0 || len >= (int)sizeof(line))
		return;
	write_to(&all->fifo[FIFO_ALL], line, (size_t)len);
	write_to(&all->fifo[kind == FIFO_VRRP ? FIFO_OF_VRRP : FIFO_OF_LVS], line, (size_t)len);
}

/* ---- Life ---- */

int fifos_new(struct loop *l, struct scripts *s, struct fifos **ret)
{
	struct fifos *all = calloc(1, sizeof(*all));
	int r = 0;

	if (!all)
		return -ENOMEM;
	all->loop = l;
	all->scripts = s;
	for (int i = 0; i < N_FIFOS && r >= 0; i++) {
		all->fifo[i].all = all;
		all->fifo[i].fd = -1;
		r = loop_add_timer(l, on_again, &all->fifo[i], &all->fifo[i].again);
	}
	if (r < 0) {
		free(all);
		return r;
	}
	*ret = all;
	return 0;
}

void fifos_free(struct fifos *all)
{
	if (!all)
		return;
	for (int i = 0; i < N_FIFOS; i++) {
		close_fifo(&all->fifo[i]);
		loop_remove(all->fifo[i].again);
	}
	free(all);
}
