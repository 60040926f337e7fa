/* SPDX-License-Identifier: MIT */
/*
 * What waits at a listening socket when that is closed, handshakes and connections that nobody has accepted, is reset by the
 * kernel; or, since Linux 5.14, goes to another socket of that address, if a program of SO_REUSEPORT says so. Ours says
 * so and nothing else: the choice, as that for new connections, is left to the kernel's hash.
 */
#include "control.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

int requeue_open(void)
{
	static const struct bpf_insn leave_it[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = SK_PASS},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr a;
	int fd;

	memset(&a, 0, sizeof(a)); /* with what lies between its fields */
	a.prog_type = BPF_PROG_TYPE_SK_REUSEPORT;
	a.expected_attach_type = BPF_SK_REUSEPORT_SELECT_OR_MIGRATE;
	a.insns = (uintptr_t)leave_it;
	a.insn_cnt = sizeof(leave_it) / sizeof(leave_it[0]);
	a.license = (uintptr_t)"MIT";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a)); /* it is close-on-exec */
	return fd < 0 ? -errno : fd;
}

bool requeue_attach(int program, int fd)
{
	return program >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program));
}
