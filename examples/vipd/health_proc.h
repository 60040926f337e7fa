/* SPDX-License-Identifier: MIT */
/*
 * The health process: runs the checks of libhealth, judges the quorum, and tells the kernel process which
 * real servers are in. It reads what checked servers answer, and so has no capability and a user of its
 * own.
 */
#ifndef VIPD_HEALTH_PROC_H
#define VIPD_HEALTH_PROC_H

#include <stdint.h>

#include "conf.h"

enum health_known {
	HEALTH_KNOWN_NOTHING = 0,
	HEALTH_KNOWN_ALIVE,
	HEALTH_KNOWN_DEAD,
};

struct health_args {
	const struct conf *conf;
	int supervisor_fd, kernel_fd; /* channels, owned from now on */
	/*
	 * After a restart: what was known of each real server, as a running number over all virtual servers
	 * in the order of the file. A dead server is not sent clients until a check says otherwise. NULL:
	 * nothing.
	 */
	const uint8_t *known;
};

/* Runs until the supervisor says MSG_STOP or is gone. The exit code of the process. */
int health_run(const struct health_args *args);

#endif
