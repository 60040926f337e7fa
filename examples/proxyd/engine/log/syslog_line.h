/* SPDX-License-Identifier: MIT */
/*
 * A line that somebody else logged (RFC 3164, RFC 5424), taken apart as far as it keeps to either, and how lines follow one
 * another over TCP (RFC 6587). Pure.
 */
#ifndef PROXYD_ENGINE_LOG_SYSLOG_LINE_H
#define PROXYD_ENGINE_LOG_SYSLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "rules/sample.h"

struct syslog_line {
	int facility; /* as in <syslog.h>, shifted; -1: it says none */
	int level;
	bool is_5424; /* so is `date` */
	/* each "" where there is none */
	struct text date, host, tag, pid, msgid, sd;
	struct text text; /* the message */
};

/* Points into the bytes. */
void syslog_parse(const char *at, size_t len, struct syslog_line *ret);

/*
 * The first line of a stream: "LENGTH LINE", or "<…" up to a line end. The bytes that it takes, its own in *ret; 0: more must
 * come; -EBADMSG: it is neither; -EMSGSIZE: it has more than `max` bytes.
 */
ssize_t syslog_frame(const char *at, size_t len, size_t max, struct text *ret);

#endif
