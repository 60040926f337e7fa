/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "msg.h"
#include "sandbox.h"

#define LAST_CAPABILITY 63
#define OVERFLOW_ID 65534 /* the kernel's own "nobody" */

static char *title;
static size_t title_size;

const char *role_name(enum role r)
{
	static const char *const name[] = {"vipd_kernel", "vipd_vrrp", "vipd_health"};

	return name[r];
}

const char *role_user(enum role r)
{
	static const char *const user[] = {"bin", "nobody", "daemon"};

	return user[r];
}

void process_title_init(int argc, char **argv)
{
	char *end = argv[0];

	/* The words lie one behind the other, but nobody promises it. */
	for (int i = 0; i < argc && argv[i] == end; i++)
		end += strlen(end) + 1;
	title = argv[0];
	title_size = (size_t)(end - title);
}

void process_rename(const char *name)
{
	if (!name)
		return;
	prctl(PR_SET_NAME, name);
	if (title_size < 2)
		return;
	memset(title, 0, title_size);
	strncpy(title, name, title_size - 1);
}

void process_say_left(const struct birth *b)
{
	msg_send(b->ends.control, &(struct msg){.type = MSG_LEFT}, -1);
}

static bool is_kept(int fd, const struct ends *keep)
{
	return fd == keep->control || fd == keep->kernel || fd == keep->vrrp || fd == keep->health;
}

/* Everything between and beyond the descriptors that stay. */
static void close_others(const struct ends *keep)
{
	int from = STDERR_FILENO + 1;
	int last = from - 1;

	for (int i = 0; i < 4; i++) {
		int fd = (const int[]){keep->control, keep->kernel, keep->vrrp, keep->health}[i];

		if (fd > last)
			last = fd;
	}
	for (; from <= last; from++)
		if (!is_kept(from, keep))
			close(from);
	syscall(SYS_close_range, (unsigned)last + 1, ~0u, 0);
}

void process_become(enum role r, const struct ends *keep)
{
	/* The supervisor has no handlers that would be left here. */
	const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGRTMIN + 2, SIGRTMAX - 1};
	sigset_t none;

	/*
	 * A terminal's SIGINT, a service manager's SIGTERM and pkill's SIGUSR1 go to all processes: only the supervisor
	 * decides, or nobody would resign and give the addresses back.
	 */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_others(keep);
	log_set_ident(role_name(r));
	process_rename(role_name(r));
}

/* ---- Capabilities ---- */

static int get_capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &head, data) < 0 ? -errno : 0;
}

static int set_capabilities(uint64_t set)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	data[0].effective = data[0].permitted = (uint32_t)set;
	data[1].effective = data[1].permitted = (uint32_t)(set >> 32);
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int process_enter_namespace(const char *name)
{
	char path[PATH_MAX];
	int fd, r = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		log_err(
		    "there is no network namespace \"%s\" (%s: %s): make it with ip netns add %s",
		    name, path, strerror(errno), name);
		return r;
	}
	if (setns(fd, CLONE_NEWNET) < 0) {
		r = -errno;
		log_err("cannot enter the network namespace \"%s\": %s. It needs CAP_SYS_ADMIN; a "
			"unit of systemd has NetworkNamespacePath=%s for it",
			name, strerror(errno), path);
	}
	close(fd);
	return r;
}

bool process_has_capabilities(uint64_t set)
{
	struct __user_cap_data_struct data[2] = {0};

	if (get_capabilities(data) < 0)
		return false;
	return ((data[0].effective | (uint64_t)data[1].effective << 32) & set) == set;
}

struct process_user process_user_find(const char *name)
{
	const struct passwd *p = getpwnam(name);

	/* A container may have no users. */
	return p ? (struct process_user){p->pw_uid, p->pw_gid}
		 : (struct process_user){OVERFLOW_ID, OVERFLOW_ID};
}

static int become_user(struct process_user u)
{
	if (setgroups(0, NULL) < 0 || setresgid(u.gid, u.gid, u.gid) < 0 ||
	    setresuid(u.uid, u.uid, u.uid) < 0)
		return -errno;
	return 0;
}

int process_drop(uint64_t keep, struct process_user user)
{
	struct __user_cap_data_struct have[2] = {0};
	int r;

	get_capabilities(have);
	for (int c = 0; c <= LAST_CAPABILITY; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			break; /* the kernel has no more of them, or lets us drop none */
	prctl(PR_SET_KEEPCAPS, keep != 0, 0, 0, 0);
	r = geteuid() ? 0 : become_user(user);
	if (r >= 0)
		r = set_capabilities(keep &
				     (have[0].permitted | (uint64_t)have[1].permitted << 32));
	if (r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	prctl(PR_SET_DUMPABLE, 0);
	if (r < 0) {
		log_err("cannot give up privileges: %s", strerror(-r));
		return r;
	}
	r = sandbox_enter();
	if (r < 0)
		log_debug("without a filter for system calls: %s", strerror(-r));
	return 0;
}
