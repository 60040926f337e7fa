/* SPDX-License-Identifier: MIT */
/* A span of time for people: "12 s", "3 min", "5 h", "2 d". Pure. */
#ifndef COMMON_DURATION_H
#define COMMON_DURATION_H

#include <stdbool.h>
#include <stdio.h>

#define DURATION_SIZE 32

/* `tenths`: below 10 s there is one digit more. Less than nothing is 0. Returns buf. */
static inline const char *duration_text(double s, bool tenths, char buf[DURATION_SIZE])
{
	if (s < 120)
		snprintf(buf, DURATION_SIZE, "%.*f s", tenths && s < 10, s < 0 ? 0 : s);
	else if (s < 7200)
		snprintf(buf, DURATION_SIZE, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(buf, DURATION_SIZE, "%.0f h", s / 3600);
	else
		snprintf(buf, DURATION_SIZE, "%.0f d", s / 86400);
	return buf;
}

#endif
