/* SPDX-License-Identifier: MIT */
/* The SMTP probe: two answers, each of one line or more (RFC 5321 §4.2). */
#include <errno.h>
#include <string.h>

#include <libhealth/probe_smtp.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"
#include "line.h"

struct smtp_config {
	size_t hello_len;
	uint8_t hello[HEALTH_SMTP_HELO_MAX + 8]; /* "HELO " and CRLF */
};

struct smtp_state {
	bool greeted;	 /* the 220 is read, HELO is sent */
	uint16_t status; /* of the present answer; 0: its first line is not there yet */
	unsigned int lines;
};

static bool helo_valid(const char *s)
{
	size_t len = strnlen(s, HEALTH_SMTP_HELO_MAX + 1);

	if (!len || len > HEALTH_SMTP_HELO_MAX)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static void smtp_teardown(void *config)
{
	mem_free(config);
}

static int smtp_setup(const void *opts, void **ret_config)
{
	struct health_smtp_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct smtp_config *c;
	struct writer w;

	if (r < 0)
		return r;
	if (!o.helo)
		o.helo = "localhost";
	if (!helo_valid(o.helo))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	w = writer_of(c->hello, sizeof(c->hello));
	write_bytes(&w, o.ehlo ? "EHLO " : "HELO ", 5);
	write_bytes(&w, o.helo, strlen(o.helo));
	write_bytes(&w, "\r\n", 2);
	c->hello_len = writer_len(&w);
	*ret_config = c;
	return 0;
}

static enum health_step over(const struct smtp_state *s, enum health_verdict verdict,
			     enum health_code code, const char *text, struct health_probe_io *io)
{
	answer_set(io, verdict, code, text);
	io->status = s->status;
	return HEALTH_STEP_DONE;
}

/* The answer is whole. */
static enum health_step answered(struct smtp_state *s, const struct smtp_config *c,
				 const char *text, struct health_probe_io *io)
{
	static const char quit[] = "QUIT\r\n";

	if (s->status != (s->greeted ? 250 : 220))
		return over(s, HEALTH_FAIL, HEALTH_CODE_L7STS, text, io);
	if (s->greeted) {
		io->send = quit;
		io->send_len = sizeof(quit) - 1;
		return over(s, HEALTH_OK, HEALTH_CODE_L7OK, text, io);
	}
	io->send = c->hello;
	io->send_len = c->hello_len;
	*s = (struct smtp_state){.greeted = true};
	return HEALTH_STEP_MORE;
}

static enum health_step read_answer_line(struct smtp_state *s, const struct smtp_config *c,
					 struct reader *line, struct health_probe_io *io)
{
	char text[HEALTH_TEXT_MAX];
	uint16_t status;
	uint8_t after;

	line_excerpt(line, text, sizeof(text));
	status = read_status(line);
	after = reader_left(line) ? read_u8(line) : ' ';
	if (line->bad || status < 100 || (after != ' ' && after != '-') ||
	    (s->lines && status != s->status))
		return over(s, HEALTH_FAIL, HEALTH_CODE_L7RSP, text, io);
	s->status = status;
	if (after == ' ')
		return answered(s, c, text, io);
	if (++s->lines == HEALTH_SMTP_LINES_MAX)
		return over(s, HEALTH_FAIL, HEALTH_CODE_L7RSP, "answer of too many lines", io);
	return HEALTH_STEP_MORE;
}

/* One line at a time: what is left comes back at once. */
static enum health_step smtp_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), line;

	switch (line_take(&r, HEALTH_SMTP_LINE_MAX, &line)) {
	case LINE_NONE:
		break;
	case LINE_TOO_LONG:
		return over(state, HEALTH_FAIL, HEALTH_CODE_L7RSP, "line too long", io);
	case LINE_WHOLE:
		io->consumed = len - reader_left(&r);
		return read_answer_line(state, config, &line, io);
	}
	io->consumed = 0;
	return HEALTH_STEP_MORE;
}

const struct health_probe_ops *health_probe_smtp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "smtp",
	    .state_size = sizeof(struct smtp_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = smtp_setup,
	    .teardown = smtp_teardown,
	    .received = smtp_received,
	};

	return &ops;
}
