/* SPDX-License-Identifier: MIT */
/*
 * A run by a program: started without a shell, waited for through its pidfd, killed with all its group. A
 * program that outlives its check becomes an orphan: terminated, then killed, and reaped when it is dead.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine.h"
#include "program.h"

#define LAST_MOMENT_MS 100 /* an engine that is freed waits so long for those it has killed */

struct process {
	struct watch watch;  /* as an orphan */
	struct list orphans; /* engine.orphans, in the order of kill_at_ns */
	struct health_engine *engine;
	pid_t pid;
	int pidfd;
	int output; /* -1: closed */
	uint64_t kill_at_ns;
	size_t text_len;
	bool line_ended;
	char text[PROGRAM_OUTPUT_MAX]; /* the first line of the output */
};

/* ---- starting ---- */

static int spawn(const struct program *p, int output, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	r = posix_spawn_file_actions_init(&files);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&files);
		return -r;
	}
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
					    POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&files, output, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&files, output, 2);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (!r)
		r = posix_spawn(ret_pid, p->argv[0], &files, &attr, p->argv,
				p->envp ? p->envp : environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* Returns the pidfd or -errno. */
static int launch(struct health_engine *e, const struct program *p, int output, pid_t *ret_pid)
{
	const struct health_process_want want = {
	    .size = sizeof(want),
	    .argv = (const char *const *)p->argv,
	    .envp = (const char *const *)(p->envp ? p->envp : environ),
	    .output_fd = output,
	    .ret_pid = ret_pid,
	};
	int r;

	if (e->ops.open_process)
		return e->ops.open_process(&want, e->userdata);
	r = spawn(p, output, ret_pid);
	if (r < 0)
		return r;
	r = pidfd_open(*ret_pid, 0);
	if (r < 0) {
		r = -errno;
		kill(-*ret_pid, SIGKILL);
		waitpid(*ret_pid, NULL, 0);
	}
	return r;
}

static int watch_fd(struct health_engine *e, int op, int fd, struct watch *w)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};

	return epoll_ctl(e->epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

static void orphan(struct health_engine *e, struct process *p, uint64_t kill_at_ns);

/* The program is not there or may not be run: HAProxy counts that as a failure of the check. */
static bool is_programs_fault(int error)
{
	return error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR ||
	       error == EPERM || error == ELOOP;
}

static void finish_unstarted(struct health_check *c, int error, uint64_t now_ns)
{
	struct health_probe_io answer = {0};

	if (!is_programs_fault(error)) {
		check_finish_local(c, "program", error, now_ns);
		return;
	}
	answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_PROCERR, strerrordesc_np(error));
	check_finish(c, &answer, error, now_ns);
}

static int start_process(struct health_check *c, struct process *p)
{
	struct program *program = c->probe->config;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL,
	      O_NONBLOCK); /* ours; the program's end stays as programs expect it */
	program_refresh(program);
	r = launch(c->engine, program, ends[1], &p->pid);
	close(ends[1]);
	p->output = ends[0];
	if (r < 0)
		return r;
	p->pidfd = r;
	return 0;
}

static void exec_start(struct health_check *c, uint64_t now_ns)
{
	struct process *p = mem_zalloc(sizeof(*p));
	int r;

	c->condition = TALK;
	if (!p) {
		check_finish_local(c, "program", ENOMEM, now_ns);
		return;
	}
	p->engine = c->engine;
	p->pidfd = p->output = -1;
	list_init(&p->orphans);
	r = start_process(c, p);
	if (r < 0) {
		if (p->output >= 0)
			close(p->output);
		mem_free(p);
		finish_unstarted(c, -r, now_ns);
		return;
	}
	c->run->process = p; /* from here on exec_close takes care of it */
	r = watch_fd(c->engine, EPOLL_CTL_ADD, p->pidfd, &c->watch);
	if (r == 0)
		r = watch_fd(c->engine, EPOLL_CTL_ADD, p->output, &c->watch);
	if (r < 0) {
		check_finish_local(c, "epoll_ctl", -r, now_ns);
		return;
	}
	check_arm_phase(c, 0, now_ns);
}

/* ---- hearing ---- */

static void forget_output(struct process *p)
{
	if (p->output < 0)
		return;
	epoll_ctl(p->engine->epoll_fd, EPOLL_CTL_DEL, p->output, NULL);
	close(p->output);
	p->output = -1;
}

static void keep_text(struct process *p, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len && !p->line_ended; i++) {
		p->line_ended = data[i] == '\n' || p->text_len == sizeof(p->text) - 1;
		if (!p->line_ended)
			p->text[p->text_len++] = (char)data[i];
	}
}

/* What is there now; a program that never stops talking does not stop the others. */
static void read_output(struct process *p)
{
	struct health_engine *e = p->engine;

	for (int i = 0; i < 4 && p->output >= 0; i++) {
		ssize_t n = read(p->output, e->received, sizeof(e->received));

		if (n > 0)
			keep_text(p, e->received, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			forget_output(p);
		else
			return;
	}
}

/* Gives a dead process back. */
static void bury(struct process *p)
{
	forget_output(p);
	list_remove(&p->orphans);
	if (p->pidfd >= 0) {
		epoll_ctl(p->engine->epoll_fd, EPOLL_CTL_DEL, p->pidfd, NULL);
		close(p->pidfd);
	}
	mem_free(p);
}

/* 1: it is dead, and `info` tells how; 0: it lives; -errno: nobody can say. */
static int reap(const struct process *p, siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	if (waitid(P_PIDFD, (id_t)p->pidfd, info, WEXITED | WNOHANG) < 0)
		return -errno;
	return info->si_pid != 0;
}

static void exec_event(struct health_check *c, uint32_t events, uint64_t now_ns)
{
	struct process *p = c->run->process;
	struct health_probe_io answer;
	siginfo_t info;
	bool exited;
	int r;

	if (!p)
		return;
	r = reap(p, &info);
	read_output(p); /* after: all it wrote is there now */
	if (r == 0)
		return;
	c->run->process = NULL;
	exited = info.si_code == CLD_EXITED;
	if (r > 0)
		program_judge(c->probe->config, exited ? info.si_status : 0,
			      exited ? 0 : info.si_status, p->text, &answer);
	bury(p);
	if (r > 0)
		check_finish(c, &answer, 0, now_ns);
	else
		check_finish_local(c, "wait", -r, now_ns);
}

static void exec_timeout(struct health_check *c, uint64_t now_ns)
{
	struct process *p = c->run->process;
	struct health_probe_io answer = {0};

	exec_event(c, 0, now_ns); /* it may be done: the host was late */
	if (!check_in_flight(c))
		return;
	kill(-p->pid, SIGTERM);
	c->run->process = NULL;
	orphan(c->engine, p, now_ns + HEALTH_EXEC_TERM_NS);
	answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_PROCTOUT, "not done in time");
	check_finish(c, &answer, ETIMEDOUT, now_ns);
}

static void exec_close(struct health_check *c)
{
	struct process *p = c->run->process;

	c->run->process = NULL;
	if (!p)
		return;
	kill(-p->pid, SIGKILL);
	orphan(c->engine, p, HEAP_NEVER);
}

const struct hand exec_hand = {
    .start = exec_start,
    .event = exec_event,
    .timeout = exec_timeout,
    .close = exec_close,
};

/* ---- orphans ---- */

static void orphan_event(struct watch *w, uint32_t events, uint64_t now_ns)
{
	struct process *p = container_of(w, struct process, watch);
	siginfo_t info;

	kill(-p->pid, SIGKILL); /* the rest of its group, while its number is still its own */
	if (reap(p, &info) != 0)
		bury(p);
}

static void orphan(struct health_engine *e, struct process *p, uint64_t kill_at_ns)
{
	struct list *at = &e->orphans;

	forget_output(p);
	p->watch.event = orphan_event;
	p->kill_at_ns = kill_at_ns;
	while (at->prev != &e->orphans &&
	       container_of(at->prev, struct process, orphans)->kill_at_ns > kill_at_ns)
		at = at->prev;
	list_insert_before(at, &p->orphans);
	if (watch_fd(e, EPOLL_CTL_MOD, p->pidfd, &p->watch) < 0)
		watch_fd(e, EPOLL_CTL_ADD, p->pidfd, &p->watch); /* or orphans_free reaps it */
}

uint64_t orphans_deadline(const struct health_engine *e)
{
	if (list_empty(&e->orphans))
		return HEAP_NEVER;
	return container_of(e->orphans.next, struct process, orphans)->kill_at_ns;
}

void orphans_ring(struct health_engine *e, uint64_t now_ns)
{
	while (orphans_deadline(e) <= now_ns) {
		struct process *p = container_of(e->orphans.next, struct process, orphans);

		kill(-p->pid, SIGKILL);
		p->kill_at_ns = HEAP_NEVER;
		list_remove(&p->orphans);
		list_add_tail(&e->orphans, &p->orphans);
	}
}

void orphans_free(struct health_engine *e)
{
	while (!list_empty(&e->orphans)) {
		struct process *p = container_of(e->orphans.next, struct process, orphans);
		struct pollfd dead = {.fd = p->pidfd, .events = POLLIN};
		siginfo_t info;

		kill(-p->pid, SIGKILL);
		poll(&dead, 1, LAST_MOMENT_MS);
		reap(p, &info);
		bury(p);
	}
}
