/* SPDX-License-Identifier: MIT */
/* The agent probe: the words of one line (the HAProxy manual, "agent-check"). */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <libhealth/probe_agent.h>

#include "agent.h"
#include "base/mem.h"
#include "base/sized.h"
#include "line.h"
#include "reply.h"

struct agent_config {
	size_t len;
	char send[HEALTH_AGENT_SEND_MAX];
};

struct agent_state {
	size_t len;
	char line[HEALTH_AGENT_LINE_MAX + 1];
};

static void agent_teardown(void *config)
{
	mem_free(config);
}

static int agent_setup(const void *opts, void **ret_config)
{
	struct health_agent_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct agent_config *c;
	size_t len;

	if (r < 0)
		return r;
	len = o.send ? strnlen(o.send, HEALTH_AGENT_SEND_MAX + 1) : 0;
	if (len > HEALTH_AGENT_SEND_MAX)
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->len = len;
	if (len)
		memcpy(c->send, o.send, len);
	*ret_config = c;
	return 0;
}

/* ---- words ---- */

/* What the words of a line come to. */
struct said {
	enum health_verdict verdict;
	enum health_agent_word word; /* of HEALTH_FAIL */
	struct health_advice advice;
	char unknown[HEALTH_TEXT_MAX]; /* the first word that is none */
};

/* Reads "N" or "N%": false when it is none, or N too large. */
static bool read_number(const char *s, int64_t max, bool *ret_percent, int64_t *ret)
{
	const char *first = s;
	int64_t n = 0;

	for (; is_digit((uint8_t)*s); s++)
		if (n <= max)
			n = n * 10 + *s - '0';
	*ret_percent = *s == '%';
	*ret = n;
	return s > first && !s[*ret_percent] && (*ret_percent || n <= max);
}

static bool take_weight(struct said *said, const char *s, bool plain)
{
	bool percent;
	int64_t n;

	if (!read_number(s, INT32_MAX, &percent, &n) || (plain && !percent) || (!percent && n > HEALTH_AGENT_WEIGHT_MAX))
		return false;
	if (n > HEALTH_AGENT_PERCENT_MAX)
		n = HEALTH_AGENT_PERCENT_MAX;
	said->advice.weight_kind = percent ? HEALTH_WEIGHT_PERCENT : HEALTH_WEIGHT_ABSOLUTE;
	said->advice.weight = (int32_t)n;
	return true;
}

static bool take_maxconn(struct said *said, const char *s)
{
	bool percent;
	int64_t n;

	if (!read_number(s, INT32_MAX, &percent, &n) || percent)
		return false;
	said->advice.has_maxconn = 1;
	said->advice.maxconn = (uint32_t)n;
	return true;
}

static bool take_word(struct said *said, const char *word)
{
	static const struct {
		const char *word;
		enum health_verdict verdict;
		enum health_agent_word fails;
		enum health_admin admin;
	} words[] = {
	    {"up", HEALTH_OK, 0, HEALTH_ADMIN_NONE},
	    {"down", HEALTH_FAIL, HEALTH_AGENT_DOWN, HEALTH_ADMIN_NONE},
	    {"fail", HEALTH_FAIL, HEALTH_AGENT_FAIL, HEALTH_ADMIN_NONE},
	    {"stopped", HEALTH_FAIL, HEALTH_AGENT_STOPPED, HEALTH_ADMIN_NONE},
	    {"ready", HEALTH_NEUTRAL, 0, HEALTH_ADMIN_READY},
	    {"drain", HEALTH_NEUTRAL, 0, HEALTH_ADMIN_DRAIN},
	    {"maint", HEALTH_NEUTRAL, 0, HEALTH_ADMIN_MAINT},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcasecmp(word, words[i].word) != 0)
			continue;
		if (words[i].verdict != HEALTH_NEUTRAL) {
			said->verdict = words[i].verdict;
			said->word = words[i].fails;
		}
		if (words[i].admin != HEALTH_ADMIN_NONE)
			said->advice.admin = words[i].admin;
		return true;
	}
	if (!strncasecmp(word, "weight:", 7))
		return take_weight(said, word + 7, false);
	if (!strncasecmp(word, "maxconn:", 8))
		return take_maxconn(said, word + 8);
	if (is_digit((uint8_t)*word) && strchr(word, '%')) /* of several weights the last one counts, if it is one */
		said->advice.weight_kind = HEALTH_WEIGHT_NONE;
	return take_weight(said, word, true);
}

/* Splits the line at blanks and commas. A word that begins with "#" is, with all behind it, a reason for people. */
static const char *read_words(struct said *said, char *line)
{
	static const char between[] = " \t,";

	while (*(line += strspn(line, between)) && *line != '#') {
		char *word = line;

		while (*line && !strchr(between, *line))
			line++;
		if (*line)
			*line++ = '\0';
		if (!take_word(said, word) && !said->unknown[0])
			snprintf(said->unknown, sizeof(said->unknown), "%.95s", word);
	}
	return *line ? line + 1 + strspn(line + 1, " \t") : "";
}

void agent_judge(char *line, struct health_probe_io *io)
{
	static const enum health_code code[] = {
	    [HEALTH_NEUTRAL] = HEALTH_CODE_L7OK,
	    [HEALTH_OK] = HEALTH_CODE_L7OK,
	    [HEALTH_FAIL] = HEALTH_CODE_L7STS,
	};
	struct said said = {.verdict = HEALTH_NEUTRAL};
	const char *reason = read_words(&said, line);
	char text[HEALTH_TEXT_MAX];

	/* A word that is none takes nothing from a verdict beside it (HAProxy: "down tired" is down), and is told where no reason is. */
	snprintf(text, sizeof(text), "%.95s", said.verdict == HEALTH_FAIL && *reason ? reason : *said.unknown ? said.unknown : reason);
	io->advice = said.advice;
	if (*said.unknown && said.verdict == HEALTH_NEUTRAL)
		reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_L7RSP, HEALTH_AGENT_UNKNOWN, text);
	else
		reply_over(io, said.verdict, code[said.verdict], said.word, text);
}

/* ---- the dialogue ---- */

static enum health_step agent_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct agent_config *c = config;

	return reply_send(io, c->send, c->len);
}

static enum health_step agent_received(void *state, const void *config, const void *data,
				       size_t len, struct health_probe_io *io)
{
	struct reader r = reader_of(data, len);
	struct agent_state *s = state;

	while (reader_left(&r)) {
		uint8_t c = read_u8(&r);

		if (c == '\r' || c == '\n') {
			agent_judge(s->line, io);
			return HEALTH_STEP_DONE;
		}
		if (s->len == HEALTH_AGENT_LINE_MAX)
			return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_L7RSP, 0,
					  "line too long");
		s->line[s->len++] = (char)(c ? c : ' ');
	}
	return HEALTH_STEP_MORE;
}

static enum health_step agent_closed(void *state, const void *config, int error,
				     struct health_probe_io *io)
{
	struct agent_state *s = state;

	if (!error && s->len) {
		agent_judge(s->line, io);
		return HEALTH_STEP_DONE;
	}
	return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_L7RSP, 0, "the agent said nothing");
}

static enum health_step agent_timeout(void *state, const void *config, struct health_probe_io *io)
{
	return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_L7TOUT, 0, "no word in time");
}

const struct health_probe_ops *health_probe_agent(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "agent",
	    .state_size = sizeof(struct agent_state),
	    .flags = HEALTH_PROBE_OPTIONAL,
	    .setup = agent_setup,
	    .teardown = agent_teardown,
	    .open = agent_open,
	    .received = agent_received,
	    .closed = agent_closed,
	    .timeout = agent_timeout,
	};

	return &ops;
}
