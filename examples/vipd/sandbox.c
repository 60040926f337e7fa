/* SPDX-License-Identifier: MIT */
/*
 * A list of what is refused, not of what is allowed: the C library and the host's libraries choose
 * their system calls, and a daemon must not die of an update. What stays is reading, writing, memory,
 * time and the sockets that a process without capabilities may have.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#ifdef MACHINE

#ifndef SYS_fchmodat2 /* Linux 6.6 */
#define SYS_fchmodat2 452
#endif

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
/* Not this one: over the next statement. */
#define IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)
#define DENY(name) IF(SYS_##name), REFUSE

int sandbox_enter(void)
{
	static struct sock_filter program[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
		REFUSE, /* another ABI has other numbers */
		LOAD(nr),
#if defined(__x86_64__)
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
		REFUSE,
		DENY(fork),
		DENY(vfork),
		DENY(mknod),
		DENY(chmod),
		DENY(chown),
		DENY(lchown),
		DENY(modify_ldt),
		DENY(symlink),
		DENY(link),
#endif
		/* programs and processes */
		DENY(execve),
		DENY(execveat),
		DENY(clone),
		DENY(clone3),
		DENY(ptrace),
		DENY(process_vm_readv),
		DENY(process_vm_writev),
		DENY(pidfd_getfd),
		DENY(kcmp),
		/* what the machine is made of */
		DENY(mount),
		DENY(umount2),
		DENY(pivot_root),
		DENY(chroot),
		DENY(setns),
		DENY(unshare),
		DENY(init_module),
		DENY(finit_module),
		DENY(delete_module),
		DENY(open_tree),
		DENY(move_mount),
		DENY(fsopen),
		DENY(fspick),
		DENY(kexec_load),
		DENY(kexec_file_load),
		DENY(reboot),
		DENY(swapon),
		DENY(swapoff),
		DENY(settimeofday),
		DENY(clock_settime),
		DENY(adjtimex),
		DENY(clock_adjtime),
		/* large parts of the kernel that are of no use here */
		DENY(bpf),
		DENY(perf_event_open),
		DENY(userfaultfd),
		DENY(io_uring_setup),
		DENY(keyctl),
		DENY(add_key),
		DENY(request_key),
		DENY(open_by_handle_at),
		DENY(fanotify_init),
		DENY(personality),
		DENY(shmget),
		DENY(semget),
		DENY(msgget),
		DENY(mq_open),
		/* files of others */
		DENY(mknodat),
		DENY(fchmod),
		DENY(fchmodat),
		DENY(fchmodat2),
		DENY(fchown),
		DENY(fchownat),
		DENY(symlinkat),
		DENY(linkat),
		RETURN(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {.len = sizeof(program) / sizeof(*program),
					  .filter = program};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 ? -errno : 0;
}

#else

int sandbox_enter(void)
{
	return -ENOSYS;
}

#endif
