/* SPDX-License-Identifier: MIT */
/* What vrrp and health may not call is refused, under each of its names; what they live on goes on. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sandbox.h"

/* Calls without sense: EPERM comes before any other error. */
static const long denied[] = {
	SYS_execve, SYS_clone, SYS_ptrace, SYS_mount, SYS_unshare, SYS_setns, SYS_bpf, SYS_io_uring_setup, SYS_userfaultfd, SYS_keyctl,
	SYS_open_tree, SYS_fsopen, SYS_kexec_file_load, SYS_clock_adjtime, SYS_fanotify_init, SYS_personality, SYS_shmget, SYS_semget,
	SYS_msgget, SYS_mq_open, SYS_fchmod, SYS_fchmodat, 452 /* fchmodat2 */, SYS_fchown, SYS_fchownat, SYS_linkat, SYS_symlinkat, SYS_mknodat,
#ifdef __x86_64__
	SYS_fork, SYS_vfork, SYS_chmod, SYS_chown, SYS_lchown, SYS_modify_ldt,
#endif
};

#define N_DENIED (sizeof(denied) / sizeof(*denied))

/* Of those that live in it: 0, or 1 + the place of the first one that is not refused; 200 and more: what must go on does not. */
static int live(void)
{
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_enter() < 0)
		return 200;
	for (size_t i = 0; i < N_DENIED; i++)
		if (syscall(denied[i], -1L, 0L, 0L, 0L, 0L, 0L) != -1 || errno != EPERM)
			return 1 + (int)i;
	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || close(fd) < 0)
		return 201;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || close(fd) < 0)
		return 202;
	free(malloc(10 << 20));
	return 0;
}

static void what_is_of_no_use_is_refused(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(live());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_of_no_use_is_refused)};

#if !defined(__x86_64__) && !defined(__aarch64__)
	return 77; /* sandbox.c knows no numbers of this machine */
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
