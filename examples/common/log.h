/* SPDX-License-Identifier: MIT */
/*
 * What the daemons say to people: syslog, the console, or both. One process, one log; it is opened
 * once at start. Levels are those of <syslog.h>.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <syslog.h>

struct log_opts {
	const char *ident; /* borrowed: program or process name */
	int facility;	   /* LOG_DAEMON, LOG_LOCAL0 …; 0: LOG_DAEMON */
	bool console;	   /* write to stderr too */
	bool no_syslog;
	bool detail; /* let LOG_DEBUG through */
};

void log_open(const struct log_opts *o);

/* After a fork: the lines of this process carry another name. Borrowed. */
void log_set_ident(const char *ident);

__attribute__((format(printf, 2, 3))) void log_msg(int level, const char *format, ...);

#define log_err(...) log_msg(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
