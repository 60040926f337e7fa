/* SPDX-License-Identifier: MIT */
#include "engine/log/syslog_line.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#define PRIORITY_DIGITS 3 /* RFC 5424, section 6.2.1 */
#define DATE_3164 15	  /* "Oct 11 22:14:15" */
#define DATE_5424 19	  /* "2003-10-11T22:14:15" */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to the space, which is taken; all that is left without one. */
static struct text take_word(struct text *rest)
{
	const char *space = rest->len ? memchr(rest->at, ' ', rest->len) : NULL;
	struct text word = {rest->at, space ? (size_t)(space - rest->at) : rest->len};

	rest->at += word.len + (space != NULL);
	rest->len -= word.len + (space != NULL);
	return word;
}

/* "-" is nothing (RFC 5424, section 6). */
static struct text take_field(struct text *rest)
{
	struct text word = take_word(rest);

	if (word.len == 1 && *word.at == '-')
		word.len = 0;
	return word;
}

/* "<13>" */
static bool take_priority(struct text *rest, struct syslog_line *ret)
{
	unsigned value = 0;
	size_t n = 1;

	if (rest->len < 3 || *rest->at != '<')
		return false;
	while (n <= PRIORITY_DIGITS && n < rest->len && is_digit(rest->at[n]))
		value = value * 10 + (unsigned)(rest->at[n++] - '0');
	if (n == 1 || n >= rest->len || rest->at[n] != '>' || value > (LOG_FACMASK | LOG_PRIMASK))
		return false;
	ret->facility = (int)(value & LOG_FACMASK);
	ret->level = (int)(value & LOG_PRIMASK);
	rest->at += n + 1;
	rest->len -= n + 1;
	return true;
}

/* "[id a=\"b\"][…]": a quote or bracket may be escaped. False: it has no end. */
static bool take_structured(struct text *rest, struct text *ret)
{
	bool quoted = false, open = false;
	size_t n = 0;

	for (; n < rest->len; n++) {
		char c = rest->at[n];

		if (quoted && c == '\\')
			n++;
		else if (c == '"')
			quoted = open && !quoted;
		else if (!quoted && c == '[')
			open = true;
		else if (!quoted && c == ']')
			open = false;
		else if (!quoted && !open)
			break;
	}
	if (quoted || open || n > rest->len)
		return false;
	*ret = (struct text){rest->at, n};
	n += n < rest->len;
	rest->at += n;
	rest->len -= n;
	return true;
}

/* "2003-10-11T22:14:15", and more of it; "-" is none. As HAProxy, which looks at no digit. */
static bool begins_5424(struct text rest)
{
	static const char form[DATE_5424 + 1] = "    -  -  T  :  :  ";
	struct text date = take_word(&rest);

	if (date.len == 1 && *date.at == '-')
		return true;
	for (size_t i = 0; date.len >= DATE_5424 && i < DATE_5424; i++)
		if (form[i] != ' ' && form[i] != date.at[i])
			return false;
	return date.len >= DATE_5424;
}

static void read_5424(struct text rest, struct syslog_line *ret)
{
	ret->is_5424 = true;
	ret->date = take_field(&rest);
	ret->host = take_field(&rest);
	ret->tag = take_field(&rest);
	ret->pid = take_field(&rest);
	ret->msgid = take_field(&rest);
	if (!rest.len || *rest.at != '[' || !take_structured(&rest, &ret->sd))
		take_field(&rest);
	if (rest.len >= 3 && !memcmp(rest.at, "\xef\xbb\xbf", 3)) { /* a byte order mark */
		rest.at += 3;
		rest.len -= 3;
	}
	ret->text = rest;
}

static bool is_month(const char *at)
{
	static const char all[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";

	for (size_t i = 0; i < sizeof(all) - 1; i += 4)
		if (!memcmp(at, all + i, 3))
			return true;
	return false;
}

static bool is_date(const char *at)
{
	static const char form[DATE_3164 + 1] = "Aaa d0 00:00:00"; /* d: a digit or a space */

	for (size_t i = 0; i < DATE_3164; i++) {
		char c = at[i], f = form[i];
		bool fits = f == 'A' || f == 'a' ? (c | 32) >= 'a' && (c | 32) <= 'z'
			    : f == 'd'		 ? is_digit(c) || c == ' '
			    : f == '0'		 ? is_digit(c)
						 : c == f;

		if (!fits)
			return false;
	}
	return is_month(at);
}

/* "tag[pid]:", and a space */
static void take_tag(struct text *rest, struct syslog_line *ret)
{
	struct text left = *rest, word = take_word(&left);
	const char *bracket;

	if (word.len < 2 || word.at[word.len - 1] != ':')
		return;
	*rest = left;
	ret->tag = text_of(word.at, word.len - 1);
	bracket = memchr(ret->tag.at, '[', ret->tag.len);
	if (!bracket || ret->tag.at[ret->tag.len - 1] != ']')
		return;
	ret->pid = text_of(bracket + 1, (size_t)(ret->tag.at + ret->tag.len - 1 - (bracket + 1)));
	ret->tag.len = (size_t)(bracket - ret->tag.at);
}

/* Without a date all of it is the message, as for HAProxy. */
static void read_3164(struct text rest, struct syslog_line *ret)
{
	ret->text = rest;
	if (rest.len <= DATE_3164 || !is_date(rest.at) || rest.at[DATE_3164] != ' ')
		return;
	ret->date = text_of(rest.at, DATE_3164);
	rest.at += DATE_3164 + 1;
	rest.len -= DATE_3164 + 1;
	ret->host = take_word(&rest);
	take_tag(&rest, ret);
	ret->text = rest;
}

void syslog_parse(const char *at, size_t len, struct syslog_line *ret)
{
	struct text rest = {at, len};

	*ret = (struct syslog_line){.facility = -1, .level = LOG_EMERG};
	while (rest.len && (rest.at[rest.len - 1] == '\n' || rest.at[rest.len - 1] == '\r' || !rest.at[rest.len - 1]))
		rest.len--;
	if (!take_priority(&rest, ret)) {
		ret->text = rest;
		return;
	}
	if (rest.len > 2 && rest.at[0] == '1' && rest.at[1] == ' ' && begins_5424((struct text){rest.at + 2, rest.len - 2}))
		read_5424((struct text){rest.at + 2, rest.len - 2}, ret);
	else
		read_3164(rest, ret);
}

ssize_t syslog_frame(const char *at, size_t len, size_t max, struct text *ret)
{
	const char *end;
	size_t n = 0, digits = 0;

	if (!len)
		return 0;
	if (*at == '<') {
		end = memchr(at, '\n', len);
		if (!end)
			return len > max ? -EMSGSIZE : 0;
		*ret = text_of(at, (size_t)(end - at));
		return ret->len > max ? -EMSGSIZE : end + 1 - at;
	}
	for (; digits < len && is_digit(at[digits]); digits++) {
		n = n * 10 + (size_t)(at[digits] - '0');
		if (n > max)
			return -EMSGSIZE;
	}
	if (!digits || digits > 6 || (!n && digits < len))
		return -EBADMSG;
	if (digits == len)
		return 0;
	if (at[digits] != ' ')
		return -EBADMSG;
	if (len - digits - 1 < n)
		return 0;
	*ret = text_of(at + digits + 1, n);
	return (ssize_t)(digits + 1 + n);
}
