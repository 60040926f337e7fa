/* SPDX-License-Identifier: MIT */
/* The line of a reload_time_file: when to reload. */
#ifndef VIPD_RELOAD_TIME_H
#define VIPD_RELOAD_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define RELOAD_TIME_BYTES 32 /* more of a file is not looked at; the longest line has 20 */

/*
 * HH:MM:SS, YY-MM-DD HH:MM:SS or YYYY-MM-DD HH:MM:SS, in this system's time zone, or with a Z behind it in UTC;
 * nothing else on the line. Without a date it is the next time of day after `now`. False: it is none of that.
 */
bool reload_time_read(const char *text, size_t len, time_t now, time_t *ret);

#endif
