/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool line_next(char **text, struct line_command *ret)
{
	char *from = *text, *to = from;
	bool in_word = false;

	ret->n = 0;
	if (!from)
		return false;
	for (; *from && *from != ';'; from++) {
		char c = *from;

		if (c == '\\' && !from[1]) /* nothing to take for what it is */
			continue;
		if (is_blank(c)) {
			if (in_word)
				*to++ = '\0';
			in_word = false;
			continue;
		}
		if (!in_word) {
			if (ret->n < LINE_WORDS_MAX)
				ret->word[ret->n] = to;
			if (ret->n <= LINE_WORDS_MAX)
				ret->n++;
			in_word = true;
		}
		*to++ = c == '\\' ? *++from : c;
	}
	*text = *from ? from + 1 : NULL;
	*to = '\0'; /* at `from` at the latest: what is behind it is the next command's */
	return true;
}

bool line_has_payload(char *line, char ret_end[LINE_PATTERN_MAX + 1])
{
	size_t len = strlen(line), at;

	while (len && is_blank(line[len - 1]))
		len--;
	for (at = len; at && !is_blank(line[at - 1]); at--)
		;
	if (len - at < 2 || len - at > 2 + LINE_PATTERN_MAX || line[at] != '<' || line[at + 1] != '<')
		return false;
	memcpy(ret_end, line + at + 2, len - at - 2);
	ret_end[len - at - 2] = '\0';
	line[at] = '\0';
	return true;
}
