/* SPDX-License-Identifier: MIT */
/*
 * Settings of the kernel's network as they were before vipd changed them. Memory that the supervisor makes and only the kernel
 * process has: one that was killed leaves to its successor what is to be put back at the end.
 */
#ifndef VIPD_KERNEL_SETTING_H
#define VIPD_KERNEL_SETTING_H

#include <net/if.h>
#include <stdint.h>

#define SETTINGS_LINKS 256 /* of more interfaces a crash takes the knowledge away */

struct settings_before {
	char igmp; /* igmp_link_local_mcast_reports; 0: not changed */
	uint32_t n;
	struct settings_link {
		char name[IF_NAMESIZE];
		uint32_t ifindex;
		char promotion; /* promote_secondaries; 0: not changed */
	} link[SETTINGS_LINKS];
};

int settings_new(struct settings_before **ret); /* 0 or -ENOMEM */
/* In a process that has nothing to do with it. NULL is fine. */
void settings_leave(struct settings_before *b);

#endif
