/* SPDX-License-Identifier: MIT */
/* The SMTP and LMTP probes: two answers, each of one line or more (RFC 5321 §4.2, RFC 2033 §4.1). */
#include <errno.h>

#include <libhealth/probe_smtp.h>

#include "base/mem.h"
#include "base/sized.h"
#include "commands.h"

enum { GREETING, HELLO, STARTTLS };

static void smtp_teardown(void *config)
{
	mem_free(config);
}

static int compile(const char *verb, const struct health_smtp_opts *o, void **ret_config)
{
	const char *helo = o->helo ? o->helo : "localhost";
	struct commands *c;

	if (!commands_word(helo, false))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	commands_add(c, GREETING, NULL);
	if (o->starttls) {
		commands_add(c, HELLO, verb, helo, "\r\n", NULL);
		commands_add(c, STARTTLS, "STARTTLS\r\n", NULL);
		commands_then_tls(c);
	}
	commands_add(c, HELLO, verb, helo, "\r\n", NULL);
	commands_farewell(c, "QUIT\r\n");
	*ret_config = c;
	return 0;
}

static int smtp_setup(const void *opts, void **ret_config)
{
	struct health_smtp_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;

	/* STARTTLS belongs to EHLO (RFC 3207 §4) */
	return r < 0 ? r : compile(o.ehlo || o.starttls ? "EHLO " : "HELO ", &o, ret_config);
}

static int lmtp_setup(const void *opts, void **ret_config)
{
	struct health_smtp_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;

	if (r < 0)
		return r;
	return o.ehlo ? -EINVAL : compile("LHLO ", &o, ret_config);
}

static enum verdict_of_line judge(struct commands_state *s, uint8_t kind, const void *config,
				  struct reader line)
{
	uint16_t status = read_status(&line);
	uint8_t after = reader_left(&line) ? read_u8(&line) : ' ';

	if (line.bad || status < 100 || (after != ' ' && after != '-') ||
	    (s->lines && status != s->status))
		return LINE_ALIEN;
	s->status = status;
	if (after == '-')
		return LINE_FURTHER;
	return status == (kind == HELLO ? 250 : 220) ? LINE_YES : LINE_NO;
}

/* The server speaks first; over TLS it waits. */
static enum health_step smtp_open(void *state, const void *config, struct health_probe_io *io)
{
	return commands_open(state, config, io);
}

static enum health_step smtp_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	return commands_received(state, config, config, judge, data, len, io);
}

const struct health_probe_ops *health_probe_smtp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "smtp",
	    .state_size = sizeof(struct commands_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = smtp_setup,
	    .teardown = smtp_teardown,
	    .open = smtp_open,
	    .received = smtp_received,
	};

	return &ops;
}

const struct health_probe_ops *health_probe_lmtp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "lmtp",
	    .state_size = sizeof(struct commands_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = lmtp_setup,
	    .teardown = smtp_teardown,
	    .open = smtp_open,
	    .received = smtp_received,
	};

	return &ops;
}
