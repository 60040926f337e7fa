/* SPDX-License-Identifier: MIT */
#include "smtp_client.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A whole line: "250 text", or "250-text" when more of them follow (RFC 5321 section 4.2.1). */
static enum smtp_state read_line(struct smtp_client *c, const char **ret_say)
{
	static const char expected[SMTP_ORDERS][4] = {"220", "250", "250", "250", "354", "250"};
	char *l = c->line;

	for (char *b = l; *b; b++) /* it may come to stand in a log */
		*b = (unsigned char)*b < ' ' || *b == 0x7f ? ' ' : *b;
	if (!is_digit(l[0]) || !is_digit(l[1]) || !is_digit(l[2]) || !strchr(" -", l[3])) /* or it ends there */
		return SMTP_FOREIGN;
	if (l[3] == '-')
		return ++c->n_lines < SMTP_LINES_MAX ? SMTP_WAITS : SMTP_FOREIGN;
	c->n_lines = 0;
	if (memcmp(l, expected[c->n_said], 3) != 0)
		return SMTP_REFUSED;
	*ret_say = c->order[c->n_said++];
	return c->n_said == SMTP_ORDERS ? SMTP_TAKEN : SMTP_SAYS;
}

enum smtp_state smtp_receive(struct smtp_client *c, const char *data, size_t len, size_t *ret_used, const char **ret_say)
{
	enum smtp_state state = SMTP_WAITS;
	size_t used = 0;

	while (used < len && state == SMTP_WAITS) {
		const char *end = memchr(data + used, '\n', len - used);
		size_t n = (end ? (size_t)(end - data) : len) - used;

		if (c->len + n >= sizeof(c->line)) {
			state = SMTP_FOREIGN;
			break;
		}
		memcpy(c->line + c->len, data + used, n);
		c->len += n;
		used += n + (end != NULL);
		if (!end)
			break;
		if (c->len && c->line[c->len - 1] == '\r')
			c->len--;
		c->line[c->len] = '\0';
		c->len = 0;
		state = read_line(c, ret_say);
	}
	*ret_used = used;
	return state;
}
