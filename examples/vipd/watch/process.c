/* SPDX-License-Identifier: MIT */
/*
 * vrrp_track_process: the kernel tells of processes that begin, become another program and end (its proc
 * connector, for root in the first network namespace). Where it does not, and when it lost something, /proc
 * is read as a whole: then once a second.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "netlink_buffer.h"
#include "watch/watch.h"

#define MS_NS UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define EVENTS_PER_TURN 1024
#define FOUND_MAX 65536		/* processes that match */
#define COMMAND_MAX_BYTES 16384 /* of a command line: what is behind it is not compared */
#define RECEIVE_BUFFER (1 << 20)

struct found {
	pid_t pid;
	uint32_t tracker;
};

struct tracked_process {
	struct watch_processes *all;
	const struct conf_watch *conf;
	unsigned count;
	struct loop_source *timer; /* a delay runs */
	bool waits;
};

struct watch_processes {
	struct watches *all;
	struct tracked_process *tracker;
	uint32_t n;
	struct found *found;
	size_t n_found, cap;
	int fd; /* -1: /proc is read */
	bool told; /* the kernel tells of processes; else /proc is read, too, which was said: */
	bool said_silent;
	struct loop_source *source, *again;
};

/* ---- Does a process match? ---- */

struct command {
	char name[32]; /* as "ps -o comm" shows it: at most 15 characters */
	char line[COMMAND_MAX_BYTES];
	size_t len; /* of `line`; 0: not read, or a thread of the kernel */
};

static size_t read_all(pid_t pid, const char *what, char *buf, size_t cap)
{
	char path[64];
	size_t have = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && have < cap && (n = read(fd, buf + have, cap - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		close(fd);
	return have;
}

/* Between the outer brackets of "PID (NAME) STATE ..."; none of one that has ended and waits for its parent. */
static void read_name(pid_t pid, struct command *c)
{
	char stat[512];
	const char *begin, *end;

	stat[read_all(pid, "stat", stat, sizeof(stat) - 1)] = 0;
	begin = strchr(stat, '(');
	end = strrchr(stat, ')');
	*c->name = '\0';
	if (begin && end > begin && strncmp(end, ") Z", 3) != 0 && strncmp(end, ") X", 3) != 0)
		snprintf(c->name, sizeof(c->name), "%.*s", (int)(end - begin - 1), begin + 1);
}

/* The first word: a name alone stands for a program in any folder. */
static bool is_program(const char *want, const char *have)
{
	const char *slash = strrchr(have, '/');

	return !strcmp(want, have) || (!strchr(want, '/') && slash && !strcmp(want, slash + 1));
}

static bool line_matches(const struct conf_watch *w, const struct command *c)
{
	const char *at = c->line, *end = c->line + c->len;
	bool more_may_follow = w->process.match != CONF_MATCH_EXACT;

	for (size_t i = 0; i < w->process.n_argv; i++, at += strlen(at) + 1) {
		const char *want = w->process.argv[i];
		bool last = i && i + 1 == w->process.n_argv;

		if (at >= end)
			return false;
		if (last && w->process.match == CONF_MATCH_INITIAL
			? strncmp(want, at, strlen(want)) != 0
		    : i ? strcmp(want, at) != 0
			: !is_program(want, at))
			return false;
	}
	return at >= end || more_may_follow || w->process.n_argv == 1;
}

static bool matches(const struct conf_watch *w, const struct command *c)
{
	if (w->process.whole)
		return c->len && line_matches(w, c);
	return !strncmp(w->process.argv[0], c->name, 15) && strlen(c->name) <= 15;
}

/* ---- Counting ---- */

static bool is_right(const struct tracked_process *t)
{
	const struct conf_watch *w = t->conf;

	return t->count >= (unsigned)w->process.quorum &&
	       (w->process.quorum_max == CONF_UNSET || t->count <= (unsigned)w->process.quorum_max);
}

static void settle(struct tracked_process *t)
{
	bool right = is_right(t);

	t->waits = false;
	loop_arm(t->timer, LOOP_NEVER);
	if (t->all->all->value[t->conf->index] != right)
		log_notice("vrrp_track_process %s: %u run: %s", t->conf->name, t->count,
			   right ? "right" : "wrong");
	watches_set(t->all->all, t->conf->index, right);
}

static void on_delay(struct loop *l, void *userdata)
{
	settle(userdata);
}

/* The count changed: at once, or after its delay, which ends when it is as before again. */
static void reconsider(struct tracked_process *t)
{
	bool right = is_right(t);
	int64_t delay_ms = right ? t->conf->process.fork_ms : t->conf->process.terminate_ms;

	if (t->all->all->value[t->conf->index] == right || !delay_ms) {
		settle(t);
	} else if (!t->waits) {
		t->waits = true;
		loop_arm(t->timer, loop_now_ns(t->all->all->loop) + (uint64_t)delay_ms * MS_NS);
	}
}

static void forget(struct watch_processes *p, size_t i)
{
	p->tracker[p->found[i].tracker].count--;
	p->found[i] = p->found[--p->n_found];
}

static void note(struct watch_processes *p, pid_t pid, uint32_t tracker)
{
	if (p->n_found == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 64;
		struct found *more =
		    cap <= FOUND_MAX ? realloc(p->found, cap * sizeof(*more)) : NULL;

		if (!more)
			return;
		p->found = more;
		p->cap = cap;
	}
	p->found[p->n_found++] = (struct found){pid, tracker};
	p->tracker[tracker].count++;
}

static void leave(struct watch_processes *p, pid_t pid)
{
	for (size_t i = 0; i < p->n_found;) {
		if (p->found[i].pid == pid)
			forget(p, i);
		else
			i++;
	}
}

static void look_at(struct watch_processes *p, pid_t pid)
{
	static struct command c; /* too large for a stack that others may have made small */
	bool read_line = false;

	leave(p, pid);
	read_name(pid, &c);
	if (!*c.name)
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->tracker[i].conf->process.whole && !read_line) {
			c.len = read_all(pid, "cmdline", c.line, sizeof(c.line) - 1);
			c.line[c.len] = 0;
			read_line = true;
		}
		if (matches(p->tracker[i].conf, &c))
			note(p, pid, i);
	}
}

static void reconsider_all(struct watch_processes *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		reconsider(&p->tracker[i]);
}

static void read_proc(struct watch_processes *p)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;

	while (p->n_found)
		forget(p, p->n_found - 1);
	while (d && (e = readdir(d)))
		if (*e->d_name >= '1' && *e->d_name <= '9')
			look_at(p, (pid_t)atoi(e->d_name));
	if (d)
		closedir(d);
}

static void on_again(struct loop *l, void *userdata)
{
	struct watch_processes *p = userdata;

	read_proc(p);
	reconsider_all(p);
	if (p->told)
		return;
	if (p->fd >= 0 && !p->said_silent) {
		log_notice("vrrp_track_process: /proc is read once a second: this kernel does not tell of processes (CONFIG_PROC_EVENTS)");
		p->said_silent = true;
	}
	loop_arm(p->again, loop_now_ns(l) + SECOND_NS);
}

/* ---- The kernel's events ---- */

/* What is not from the kernel is none. */
static bool take_event(struct watch_processes *p)
{
	_Alignas(struct nlmsghdr) char buf[512];
	struct sockaddr_nl from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(p->fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &from_len);
	pid_t pid;

	if (len < 0 && errno == ENOBUFS) { /* some were lost */
		loop_arm(p->again, loop_now_ns(p->all->loop));
		return true;
	}
	if (len <= 0)
		return false;
	if (from.nl_pid)
		return true;
	p->told = true;
	switch (watch_proc_event(buf, (size_t)len, &pid)) {
	case WATCH_LOOK:
		look_at(p, pid);
		break;
	case WATCH_GONE:
		leave(p, pid);
		break;
	case WATCH_NOTHING:
		break;
	}
	return true;
}

static void on_readable(struct loop *l, int fd, uint32_t events, void *userdata)
{
	for (int i = 0; i < EVENTS_PER_TURN && take_event(userdata); i++)
		;
	reconsider_all(userdata);
}

static int subscribe(const struct conf_netlink_buffer *buffer)
{
	struct sockaddr_nl me = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	const int bytes = RECEIVE_BUFFER;
	const struct nlmsghdr head = {.nlmsg_len =
					  NLMSG_HDRLEN + sizeof(struct cn_msg) + sizeof(uint32_t),
				      .nlmsg_type = NLMSG_DONE};
	const struct cn_msg to = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(uint32_t)};
	const uint32_t listen = PROC_CN_MCAST_LISTEN;
	char m[NLMSG_HDRLEN + sizeof(to) + sizeof(listen)];
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR),
	    r;

	if (fd < 0)
		return -errno;
	memcpy(m, &head, sizeof(head));
	memcpy(m + NLMSG_HDRLEN, &to, sizeof(to));
	memcpy(m + NLMSG_HDRLEN + sizeof(to), &listen, sizeof(listen));
	if (buffer->bytes)
		netlink_set_buffer(fd, buffer, "process_monitor");
	else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (!bind(fd, (void *)&me, sizeof(me)) && send(fd, m, sizeof(m), 0) == sizeof(m))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* ---- Life ---- */

static int add_trackers(struct watch_processes *p)
{
	int r = 0;

	for (const struct conf_watch *w = p->all->conf->watches; w && r >= 0; w = w->next) {
		struct tracked_process *t = &p->tracker[p->n];

		if (w->kind != CONF_WATCH_PROCESS)
			continue;
		*t = (struct tracked_process){.all = p, .conf = w};
		p->n++;
		r = loop_add_timer(p->all->loop, on_delay, t, &t->timer);
	}
	return r;
}

int watch_processes_new(struct watches *all)
{
	struct watch_processes *p;
	uint32_t n = 0;
	int r;

	for (const struct conf_watch *w = all->conf->watches; w; w = w->next)
		n += w->kind == CONF_WATCH_PROCESS;
	if (!n)
		return 0;
	p = all->processes = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->all = all;
	p->fd = subscribe(
	    &all->conf->globals.processes); /* before /proc is read: nothing falls between */
	if (p->fd < 0)
		log_notice(
		    "vrrp_track_process: /proc is read once a second: the kernel does not tell of "
		    "processes here: %s",
		    strerror(-p->fd));
	p->tracker = calloc(n, sizeof(*p->tracker));
	r = p->tracker ? loop_add_timer(all->loop, on_again, p, &p->again) : -ENOMEM;
	if (r >= 0 && p->fd >= 0)
		r = loop_add_fd(all->loop, p->fd, EPOLLIN, on_readable, p, &p->source);
	if (r >= 0)
		r = add_trackers(p);
	if (r < 0)
		return r;
	if (access("/proc/1", F_OK) < 0)
		log_warn(
		    "vrrp_track_process: /proc hides processes of others (hidepid): in the unit of "
		    "systemd write ProtectProc=default");
	read_proc(p);
	for (uint32_t i = 0; i < p->n; i++)
		settle(&p->tracker[i]);
	loop_arm(p->again, loop_clock_ns() + SECOND_NS); /* the kernel answers at once that it tells, or nothing */
	return 0;
}

unsigned watches_processes(const struct watches *w, uint32_t index)
{
	for (uint32_t i = 0; w->processes && i < w->processes->n; i++)
		if (w->processes->tracker[i].conf->index == index)
			return w->processes->tracker[i].count;
	return 0;
}

void watch_processes_free(struct watch_processes *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n; i++)
		loop_remove(p->tracker[i].timer);
	loop_remove(p->source);
	loop_remove(p->again);
	if (p->fd >= 0)
		close(p->fd);
	free(p->tracker);
	free(p->found);
	free(p);
}
