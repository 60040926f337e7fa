/* SPDX-License-Identifier: MIT */
/* What stands before the text of a log line, in each of HAProxy's formats: of our own lines, and of those passed on. */
#ifndef PROXYD_ENGINE_LOG_HEAD_H
#define PROXYD_ENGINE_LOG_HEAD_H

#include "cfg/cfg.h"
#include "syslog_line.h"

#define LOG_HEAD_SIZE 2048

/*
 * Writes what is told of `l` in that format; without a date it is of now, without a facility of the log's. The length, at most
 * LOG_HEAD_SIZE - 1.
 */
size_t log_head(const struct cfg_log *log, enum cfg_log_format format, const struct syslog_line *l, char buf[LOG_HEAD_SIZE]);

#endif
