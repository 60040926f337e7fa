/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include "commands.h"

static void put(struct commands *c, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(c->bytes) - c->used) {
		c->full = true;
		return;
	}
	memcpy(c->bytes + c->used, text, len);
	c->used += len;
}

void commands_add(struct commands *c, unsigned int kind, ...)
{
	struct command command = {.at = (uint16_t)c->used, .kind = (uint8_t)kind};
	const char *text;
	va_list all;

	if (c->n == COMMANDS_MAX) {
		c->full = true;
		return;
	}
	va_start(all, kind);
	while ((text = va_arg(all, const char *)))
		put(c, text);
	va_end(all);
	command.len = (uint16_t)(c->used - command.at);
	c->list[c->n++] = command;
}

void commands_then_tls(struct commands *c)
{
	c->list[c->n - 1].then_tls = true;
}

void commands_farewell(struct commands *c, const char *text)
{
	c->farewell = (struct command){.at = (uint16_t)c->used, .len = (uint16_t)strlen(text)};
	put(c, text);
}

bool commands_word(const char *s, bool blanks)
{
	size_t len = s ? strnlen(s, COMMANDS_WORD_MAX + 1) : 0;

	if (!len || len > COMMANDS_WORD_MAX)
		return false;
	for (; *s; s++)
		if (*s < (blanks ? ' ' : '!') || *s > '~')
			return false;
	return true;
}

bool commands_take(struct reader *line, const char *text)
{
	size_t len = strlen(text);

	if (reader_left(line) < len || memcmp(line->at, text, len) != 0)
		return false;
	read_bytes(line, len);
	return true;
}

static void say(const struct commands *c, const struct command *command, struct health_probe_io *io)
{
	io->send = c->bytes + command->at;
	io->send_len = command->len;
}

enum health_step commands_open(const struct commands_state *s, const struct commands *c,
			       struct health_probe_io *io)
{
	say(c, &c->list[s->at], io);
	return HEALTH_STEP_MORE;
}

/* The answer is whole and good: the next command, or the end. */
static enum health_step go_on(struct commands_state *s, const struct commands *c, const char *text,
			      struct health_probe_io *io)
{
	if ((size_t)s->at + 1 >= c->n) {
		say(c, &c->farewell, io);
		return reply_ok(io, s->status, text);
	}
	*s = (struct commands_state){.at = (uint8_t)(s->at + 1)};
	if (c->list[s->at - 1].then_tls)
		return HEALTH_STEP_TLS; /* the next one is said when it stands */
	say(c, &c->list[s->at], io);
	return HEALTH_STEP_MORE;
}

static enum health_step read_line(struct commands_state *s, const struct commands *c,
				  const void *config, commands_judge judge, struct reader line,
				  struct health_probe_io *io)
{
	char text[HEALTH_TEXT_MAX];

	line_excerpt(&line, text, sizeof(text));
	switch (judge(s, c->list[s->at].kind, config, line)) {
	case LINE_YES:
		return go_on(s, c, text, io);
	case LINE_NO:
		return reply_no(io, s->status, text);
	case LINE_ALIEN:
		return reply_broken(io, s->status, text);
	case LINE_FURTHER:
		break;
	}
	if (++s->lines == COMMANDS_LINES_MAX)
		return reply_broken(io, s->status, "answer of too many lines");
	return HEALTH_STEP_MORE;
}

/* One line at a time: what is left comes back at once. */
enum health_step commands_received(struct commands_state *s, const struct commands *c,
				   const void *config, commands_judge judge, const void *data,
				   size_t len, struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), line;

	switch (line_take(&r, COMMANDS_LINE_MAX, &line)) {
	case LINE_NONE:
		break;
	case LINE_TOO_LONG:
		return reply_broken(io, s->status, "line too long");
	case LINE_WHOLE:
		io->consumed = len - reader_left(&r);
		return read_line(s, c, config, judge, line, io);
	}
	io->consumed = 0;
	return HEALTH_STEP_MORE;
}
