/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2026-11-28T13:00:00.123456+00:00" (RFC 5424, section 6.2.3) */
static void iso_date(char *buf, size_t cap)
{
	struct timespec t;
	char zone[8] = "";
	struct tm tm;
	size_t n;

	*buf = '\0';
	clock_gettime(CLOCK_REALTIME, &t);
	if (!localtime_r(&t.tv_sec, &tm))
		return;
	n = strftime(buf, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(buf + n, cap - n, ".%06ld%.3s:%s", t.tv_nsec / 1000, zone, zone + 3);
}

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

#define DATE_LEN 19 /* "2003-10-11T22:14:15" */

/* With an end, which sscanf() needs: behind it lie others' bytes. */
static void date_of(const struct syslog_line *l, char buf[DATE_LEN + 1])
{
	snprintf(buf, DATE_LEN + 1, "%.*s", (int)l->date.len, l->date.at);
}

/* As RFC 3164 has it: "Oct  3 10:11:12"; without a date now. */
static void short_date(const struct syslog_line *l, char *buf, size_t cap)
{
	unsigned month, day, hour, minute, second;
	time_t now = time(NULL);
	char date[DATE_LEN + 1];
	struct tm tm;

	if (l->date.len)
		date_of(l, date);
	if (l->date.len && !l->is_5424)
		snprintf(buf, cap, "%.*s", (int)l->date.len, l->date.at);
	else if (l->date.len >= DATE_LEN && sscanf(date, "%*4d-%2u-%2uT%2u:%2u:%2u", &month, &day, &hour, &minute, &second) == 5 &&
		 month >= 1 && month <= 12)
		snprintf(buf, cap, "%s %2u %02u:%02u:%02u", months[month - 1], day, hour, minute, second);
	else if (!localtime_r(&now, &tm) || !strftime(buf, cap, "%b %e %H:%M:%S", &tm))
		*buf = '\0';
}

/* As RFC 5424 has it; RFC 3164 tells neither year nor zone: this year's, and "-00:00", as HAProxy. */
static void long_date(const struct syslog_line *l, char *buf, size_t cap)
{
	unsigned month = 0, day, hour, minute, second;
	time_t now = time(NULL);
	char date[DATE_LEN + 1];
	struct tm tm;

	if (l->date.len)
		date_of(l, date);
	if (l->date.len && l->is_5424) {
		snprintf(buf, cap, "%.*s", (int)l->date.len, l->date.at);
		return;
	}
	while (l->date.len && month < 12 && memcmp(date, months[month], 3) != 0)
		month++;
	if (l->date.len && month < 12 && localtime_r(&now, &tm) &&
	    sscanf(date + 4, "%2u %2u:%2u:%2u", &day, &hour, &minute, &second) == 4)
		snprintf(buf, cap, "%04d-%02u-%02uT%02u:%02u:%02u-00:00", tm.tm_year + 1900, month + 1, day, hour, minute, second);
	else
		iso_date(buf, cap);
}

/* "tag[pid]: ", as much of it as there is */
static void tag_of(const struct syslog_line *l, char *buf, size_t cap)
{
	*buf = '\0';
	if (l->tag.len)
		snprintf(buf, cap, "%.*s%s%.*s%s: ", (int)l->tag.len, l->tag.at, l->pid.len ? "[" : "", (int)l->pid.len, l->pid.at,
			 l->pid.len ? "]" : "");
}

#define FIELD(t, none) (int)((t).len ? (t).len : strlen(none)), (t).len ? (t).at : (none)

static int put_head(const struct cfg_log *log, enum cfg_log_format format, const struct syslog_line *l, char *buf, size_t cap)
{
	int level = l->level < log->least ? log->least : l->level;
	int priority = (l->facility < 0 ? log->facility : l->facility) | level;
	char date[64], tag[1024];

	switch (format) {
	case CFG_LOG_LOCAL:
		short_date(l, date, sizeof(date));
		tag_of(l, tag, sizeof(tag));
		return snprintf(buf, cap, "<%d>%s %s", priority, date, tag);
	case CFG_LOG_RFC3164:
		short_date(l, date, sizeof(date));
		tag_of(l, tag, sizeof(tag));
		return snprintf(buf, cap, "<%d>%s %.*s %s", priority, date, FIELD(l->host, "localhost"), tag);
	case CFG_LOG_RFC5424:
		long_date(l, date, sizeof(date));
		return snprintf(buf, cap, "<%d>1 %s %.*s %.*s %.*s %.*s %.*s ", priority, date, FIELD(l->host, "-"), FIELD(l->tag, "-"),
				FIELD(l->pid, "-"), FIELD(l->msgid, "-"), FIELD(l->sd, "-"));
	case CFG_LOG_PRIORITY:
		return snprintf(buf, cap, "<%d>", priority);
	case CFG_LOG_SHORT:
		return snprintf(buf, cap, "<%d>", level);
	case CFG_LOG_TIMED:
		long_date(l, date, sizeof(date));
		return snprintf(buf, cap, "<%d>%s ", level, date);
	case CFG_LOG_ISO:
		long_date(l, date, sizeof(date));
		return snprintf(buf, cap, "%s ", date);
	case CFG_LOG_RAW:
		break;
	}
	return 0;
}

size_t log_head(const struct cfg_log *log, enum cfg_log_format format, const struct syslog_line *l, char buf[LOG_HEAD_SIZE])
{
	int n = put_head(log, format, l, buf, LOG_HEAD_SIZE);

	return n < 0 ? 0 : n < LOG_HEAD_SIZE ? (size_t)n : LOG_HEAD_SIZE - 1;
}
