/* SPDX-License-Identifier: MIT */
/* "get|set var": variables of the process. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cfg/rules.h"
#include "engine/objects.h"
#include "rules/map.h"
#include "runtime.h"

static void put_value(struct out *o, const struct sample *s)
{
	char text[INET6_ADDRSTRLEN] = "";

	switch (s->type) {
	case SAMPLE_BOOL:
	case SAMPLE_INT:
		out_printf(o, "%lld", (long long)s->number);
		break;
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		inet_ntop(s->type == SAMPLE_IPV4 ? AF_INET : AF_INET6, s->ip, text, sizeof(text));
		out_text(o, text);
		break;
	case SAMPLE_BIN:
		for (size_t i = 0; i < s->text.len; i++)
			out_printf(o, "%02X", (unsigned char)s->text.at[i]);
		break;
	default:
		out_put(o, s->text.at, s->text.len);
	}
}

void run_get_proc_var(struct call *c)
{
	static const char *const type[] = {
	    [SAMPLE_BOOL] = "bool", [SAMPLE_INT] = "sint", [SAMPLE_IPV4] = "ipv4",
	    [SAMPLE_IPV6] = "ipv6", [SAMPLE_STR] = "str",  [SAMPLE_BIN] = "bin",
	};
	const struct cfg *cfg = engine_set(c->e)->cfg;
	char scratch[RUN_SCRATCH];
	struct run run = {.client_fd = -1, .server_fd = -1, .scratch = {scratch, 0, sizeof(scratch)}};
	struct sample value;
	unsigned number;

	if (!*call_word(c, 0)) {
		call_say(c, "Missing process-wide variable identifier.\n");
		return;
	}
	if (cfg_find_proc_var(cfg, c->word[0], &number)) {
		run.proc = &cfg->shared->proc;
		if (run_var_get(&run, number, &value)) {
			out_printf(c->out, "%s: type=%s value=<", c->word[0], type[value.type]);
			put_value(c->out, &value);
			out_text(c->out, ">\n");
			return;
		}
	}
	call_say(c, "Variable not found.\n");
}

/* set var NAME [expr] EXPRESSION, set var NAME fmt TEXT: the words with a blank between. */
void run_set_proc_var(struct call *c)
{
	bool is_format = !strcmp(call_word(c, 1), "fmt");
	size_t first = is_format || !strcmp(call_word(c, 1), "expr") ? 2 : 1, n = 0;
	struct rule_error e = {""};
	char text[LINE_MAX_BYTES];
	unsigned number;

	for (size_t i = first; i < c->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i > first ? " " : "", c->word[i]);
	if (!*call_word(c, 0))
		call_say(c, "Missing process-wide variable identifier.\n");
	else if (strncmp(c->word[0], "proc.", 5) != 0)
		call_say(c, "'set var': cannot set variable '%s', only scope 'proc' is permitted here.\n", c->word[0]);
	else if (!n)
		call_say(c, "Missing either 'expr', 'fmt' or expression.\n");
	else if (!cfg_find_proc_var(engine_set(c->e)->cfg, c->word[0], &number))
		call_say(c, "'set var': nothing of the configuration mentions '%s'.\n", c->word[0]);
	else if (!cfg_set_proc_var(engine_set(c->e)->cfg, number, text, is_format, &e) || *e.text)
		call_say(c, "%s\n", e.text);
}
