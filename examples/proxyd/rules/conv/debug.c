/* SPDX-License-Identifier: MIT */
/* debug([PREFIX[,DESTINATION]]): the value passes, and a line that shows it goes to the destination. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "rules/expr.h"
#include "rules/map.h"

#define DESTINATION "buf0" /* HAProxy's */
#define LINE_MAX_BYTES 8192

static const char *type_of(const struct sample *s)
{
	static const char *const name[SAMPLE_N_TYPES] = {"bool", "sint", "ipv4", "ipv6", "str", "bin"}; /* as HAProxy */

	return s->type < SAMPLE_N_TYPES ? name[s->type] : "?";
}

/* Up to a NUL, as text ends there; what cannot be printed is a dot. */
static size_t print(struct text t, char *to, size_t cap)
{
	size_t n = 0;

	for (; n < t.len && n < cap && t.at[n]; n++)
		to[n] = isprint((unsigned char)t.at[n]) ? t.at[n] : '.';
	return n;
}

static bool show(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	size_t used = r->scratch.used;
	char line[LINE_MAX_BYTES];
	struct sample as = *s;
	int n;

	if (!r->debug)
		return true;
	n = snprintf(line, sizeof(line) / 2, "[debug] %.*s: type=%s <", n_args ? (int)arg[0].text.len : 0, n_args ? arg[0].text.at : "",
		     type_of(s));
	if (n < 0 || n >= (int)sizeof(line) / 2)
		n = 0;
	if (s->type == SAMPLE_BIN || sample_cast(&as, SAMPLE_STR, &r->scratch))
		n += (int)print(as.text, line + n, sizeof(line) - (size_t)n - 1);
	line[n++] = '>';
	r->scratch.used = used; /* the value is what it was */
	r->debug(arg[1].object, text_of(line, (size_t)n));
	return true;
}

static bool find_destination(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	const char *name = n > 1 && arg[1].text.len ? arg[1].text.at : DESTINATION;

	if (!m->shared || !m->shared->debug_to) /* what is only looked at */
		return true;
	arg[1].object = m->shared->debug_to(m->shared->userdata, name);
	return arg[1].object || rule_fail(e, "\"%s\" is no destination of debug: write stderr, stdout, " DESTINATION " or the name of a section \"ring\" above",
					  name);
}

const struct conv convs_debug[] = {
    {"debug", "SS", SAMPLE_STR, SAMPLE_STR, show, 0, find_destination, true},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
