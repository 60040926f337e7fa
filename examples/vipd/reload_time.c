/* SPDX-License-Identifier: MIT */
#include "reload_time.h"

#include <stdio.h>
#include <string.h>

/* Digits and signs as in `form`, whose digits stand for themselves' places. */
static bool has_form(const char *text, size_t len, const char *form)
{
	if (len != strlen(form))
		return false;
	for (size_t i = 0; i < len; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

static int two(const char *digits)
{
	return 10 * (digits[0] - '0') + digits[1] - '0';
}

static bool to_time(struct tm t, bool utc, time_t *ret)
{
	struct tm back = t;

	back.tm_isdst = -1;
	*ret = utc ? timegm(&back) : mktime(&back);
	/* The 30th of February, or 24:00:00, would have become another day. */
	return back.tm_mday == t.tm_mday && back.tm_mon == t.tm_mon && t.tm_hour < 24 &&
	       t.tm_min < 60 && t.tm_sec < 60;
}

bool reload_time_read(const char *text, size_t len, time_t now, time_t *ret)
{
	const char *end = memchr(text, '\n', len);
	const char *clock;
	bool utc, dated;
	struct tm t;

	len = end ? (size_t)(end - text) : len;
	utc = len && text[len - 1] == 'Z';
	len -= utc;
	dated =
	    has_form(text, len, "0000-00-00 00:00:00") || has_form(text, len, "00-00-00 00:00:00");
	if (!dated && !has_form(text, len, "00:00:00"))
		return false;
	if (!(utc ? gmtime_r(&now, &t) : localtime_r(&now, &t)))
		return false;
	clock = text + len - 8;
	t.tm_hour = two(clock);
	t.tm_min = two(clock + 3);
	t.tm_sec = two(clock + 6);
	if (dated) {
		t.tm_year = 100 + two(clock - 9);
		if (clock - text == 11)
			t.tm_year += 100 * two(text) - 2000;
		t.tm_mon = two(clock - 6) - 1;
		t.tm_mday = two(clock - 3);
	}
	if (!to_time(t, utc, ret))
		return false;
	if (dated || *ret > now)
		return true;
	t.tm_mday++; /* of a month that ends the next day is another one's first */
	t.tm_isdst = -1;
	*ret = utc ? timegm(&t) : mktime(&t);
	return true;
}
