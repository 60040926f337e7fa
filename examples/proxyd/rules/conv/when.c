/* SPDX-License-Identifier: MIT */
/* The converter "when": a sample goes on if something holds of its request or connection, else there is none. */
#include <string.h>

#include "rules/expr.h"
#include "rules/log_facts.h"

enum condition {
	WHEN_ERROR,
	WHEN_FORWARDED,
	WHEN_NORMAL,
	WHEN_PROCESSED,
	WHEN_STOPPING,
	WHEN_TOAPPLET,
	WHEN_COUNT_,
};

static const char *const names[WHEN_COUNT_] = {"error", "forwarded", "normal", "processed", "stopping", "toapplet"};

static bool check_condition(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	if (n > 1)
		return rule_fail(e, "\"%.20s\" takes nothing behind it", arg->text.at);
	for (int i = 0; i < WHEN_COUNT_; i++)
		if (!strcmp(names[i], arg->text.at)) {
			arg->number = i;
			return true;
		}
	return rule_fail(e, "\"%.20s\" is no condition: write error, forwarded, normal, processed, stopping or toapplet",
			 arg->text.at);
}

/* What option dontlog-normal logs. */
static bool is_error(const struct log_facts *f)
{
	return (f->state[0] && f->state[0] != '-' && f->state[0] != 'L') || f->retries || f->redispatched || f->status >= 500;
}

static bool when(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct log_facts facts;

	run_facts(r, true, &facts);
	switch ((enum condition)arg->number) {
	case WHEN_ERROR:
		return is_error(&facts);
	case WHEN_NORMAL:
		return !is_error(&facts);
	case WHEN_FORWARDED:
		return facts.forwarded;
	case WHEN_TOAPPLET:
		return facts.own;
	case WHEN_PROCESSED:
		return facts.forwarded || facts.own;
	case WHEN_STOPPING:
		return facts.stopping;
	case WHEN_COUNT_:
		break;
	}
	return false;
}

const struct conv convs_when[] = {
    {"when", "sS*", SAMPLE_STR, SAMPLE_STR, when, 0, check_condition, true},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
