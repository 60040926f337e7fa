/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* A program has one log: the only mutable global of the daemons. */
static struct log_opts the_log = {.ident = "hawser", .console = true, .no_syslog = true};

void log_open(const struct log_opts *o)
{
	the_log = *o;
	if (!the_log.facility)
		the_log.facility = LOG_DAEMON;
	if (!the_log.no_syslog)
		openlog(the_log.ident, LOG_PID | LOG_NDELAY, the_log.facility);
}

void log_set_ident(const char *ident)
{
	the_log.ident = ident;
	if (!the_log.no_syslog) {
		closelog();
		openlog(ident, LOG_PID | LOG_NDELAY, the_log.facility);
	}
}

/* One write per line, so that the lines of several processes do not mix. */
static void to_console(const char *text)
{
	char line[LINE_MAX_BYTES + 128], when[32] = "";
	struct timespec now;
	struct tm local;
	int len;

	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	len = snprintf(line, sizeof(line), "%s.%03ld %s[%d]: %s\n", when, now.tv_nsec / 1000000,
		       the_log.ident, (int)getpid(), text);
	if (len >= (int)sizeof(line)) {
		len = (int)sizeof(line) - 1;
		line[len - 1] = '\n';
	}
	if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
		return; /* nobody listens: there is nowhere left to say so */
}

void log_msg(int level, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	if (level == LOG_DEBUG && !the_log.detail)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!the_log.no_syslog)
		syslog(level, "%s", text);
	if (the_log.console)
		to_console(text);
}
