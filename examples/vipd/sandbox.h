/* SPDX-License-Identifier: MIT */
/* System calls that a process of vipd never makes: refused by the kernel from then on. */
#ifndef VIPD_SANDBOX_H
#define VIPD_SANDBOX_H

/*
 * Programs, processes, tracing, mounts, modules, namespaces and the like get -EPERM. Needs
 * no_new_privs. 0; -ENOSYS: not for this machine or kernel, which is no reason not to run.
 */
int sandbox_enter(void);

#endif
