/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

#define MAXCONN_MIN 100u /* whatever the limits say: better to try */
#define MAXCONN_MAX 1000000u

unsigned process_maxconn(const struct cfg_global *g, unsigned wanted, size_t other_descriptors)
{
	struct rlimit l = {0};
	rlim_t need = g->ulimit_n ? g->ulimit_n : (rlim_t)wanted * 2 + other_descriptors, room;

	getrlimit(RLIMIT_NOFILE, &l);
	if (!wanted && !g->ulimit_n)
		need = g->fd_limit && g->fd_limit < l.rlim_max ? g->fd_limit : l.rlim_max;
	if (need > l.rlim_max) {
		struct rlimit higher = {need, need};

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			l = higher;
	}
	l.rlim_cur = need > l.rlim_cur ? (need < l.rlim_max ? need : l.rlim_max) : l.rlim_cur;
	if (!wanted && !g->ulimit_n && g->fd_limit)
		l.rlim_cur = need;
	setrlimit(RLIMIT_NOFILE, &l);
	room = l.rlim_cur > other_descriptors ? (l.rlim_cur - other_descriptors) / 2 : 0;
	if (room > MAXCONN_MAX)
		room = MAXCONN_MAX;
	if (room < MAXCONN_MIN)
		room = MAXCONN_MIN;
	if (!wanted)
		return (unsigned)room;
	if (room < wanted)
		cli_say(g->strict_limits ? LOG_ERR : LOG_WARNING,
			"maxconn %u needs %llu file descriptors and the limit is %llu: raise it "
			"(systemd: LimitNOFILE=), or at most %llu connections will be taken",
			wanted, (unsigned long long)need, (unsigned long long)l.rlim_cur,
			(unsigned long long)room);
	return room < wanted && g->strict_limits ? 0 : wanted;
}

void process_add_descriptors(size_t n)
{
	struct rlimit l = {0};

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = n < l.rlim_max - l.rlim_cur ? l.rlim_cur + n : l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* Ports below 1024 may appear in a reload, when root is gone. */
static int keep_capabilities(bool usesrc, bool netns)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{0}};

	d[0].effective = d[0].permitted = 1u << CAP_NET_BIND_SERVICE | (usesrc ? 1u << CAP_NET_RAW : 0) |
					  (netns ? 1u << CAP_SYS_ADMIN : 0);
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

int process_drop_root(const struct cfg_global *g)
{
	if (geteuid() != 0 || (g->uid < 0 && g->gid < 0))
		return 0;
	if (g->gid >= 0 && (setgroups(0, NULL) < 0 || setgid((gid_t)g->gid) < 0))
		return -errno;
	if (g->uid <= 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1L) < 0 || setuid((uid_t)g->uid) < 0)
		return -errno;
	return keep_capabilities(g->usesrc, g->netns);
}

void process_allow_dump(void)
{
	const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_CORE, &any) < 0)
		cli_say(LOG_WARNING, "set-dumpable: the limit of core files stays: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 1L) < 0)
		cli_say(LOG_WARNING, "set-dumpable: %s", strerror(errno));
}

int process_daemonize(int *ret_ready)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	close(ready[pid ? 1 : 0]);
	if (pid) /* until the child runs, or has ended without a word */
		_exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
	*ret_ready = ready[1];
	return setsid() < 0 ? -errno : 0;
}

int process_detach(int ready)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	close(fd);
	if (write(ready, "", 1) != 1)
		return -errno;
	close(ready);
	return 0;
}

int process_write_pid(const char *path)
{
	int fd =
	    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); /* whatever the umask */
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return -errno;
	fprintf(f, "%d\n", (int)getpid()); /* buffered: fclose says whether it went well */
	return fclose(f) ? -errno : 0;
}

unsigned process_cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return n < 1 ? 1 : n > CFG_THREADS_MAX ? CFG_THREADS_MAX : (unsigned)n;
}
