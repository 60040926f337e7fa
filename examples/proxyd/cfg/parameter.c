/* SPDX-License-Identifier: MIT */
#include "cfg/parameter.h"

#include <string.h>

/* Words of `server` that HAProxy, too, takes in a file alone. */
static bool is_static(const char *word)
{
	static const char *const list[] = {
	    "cookie", "init-addr", "log-proto", "max-reuse", "namespace", "no-agent-check", "no-check",
	    "no-check-send-proxy", "no-check-ssl", "no-ssl", "non-stick", "redir", "resolve-net", "resolve-opts",
	    "resolve-prefer", "resolvers", "socks4", "stick",
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (!strcmp(list[i], word))
			return true;
	return false;
}

static void say_unknown_parameter(struct reader *r, size_t i, const char *what, const struct parameter *ours,
				  const struct cfg_word *known)
{
	const char *name[128];
	size_t n = 0;

	for (const struct parameter *p = ours; p->name && n < 127; p++)
		name[n++] = p->name;
	name[n] = NULL;
	say_unknown(r, i, what, name, known);
}

void read_parameters(struct reader *r, size_t i, const char *what, const struct parameter *ours, const struct cfg_word *known,
		     void *target)
{
	while (i < r->line->n) {
		const struct parameter *p = ours;
		const struct cfg_word *w;
		struct diag_place at;

		while (p->name && strcmp(p->name, word_at(r, i)) != 0)
			p++;
		if (r->dynamic && is_static(word_at(r, i))) {
			say(r, DIAG_ERROR, i, "'%s' option is not accepted for dynamic server", word_at(r, i));
			return;
		}
		if (p->name) {
			if (i + p->arguments >= r->line->n) {
				say(r, DIAG_ERROR, i, "\"%s\" needs a value", p->name);
				return;
			}
			p->fn(r, i, target);
			i += 1 + p->arguments;
			continue;
		}
		w = find_word(known, word_at(r, i));
		if (!w) {
			say_unknown_parameter(r, i, what, ours, known);
			return;
		}
		at = place_at(r, i);
		say_known(r, &at, w);
		i += 1 + w->arguments;
	}
}

/* What is so anyway: HTTP/1 is spoken, each thread has a socket, and level and the like are for the runtime API. */
void parameter_accepted(struct reader *r, size_t i, void *target)
{
	const char *word = word_at(r, i), *value = word_at(r, i + 1);

	if ((!strcmp(word, "proto") || !strcmp(word, "check-proto") || !strcmp(word, "ws")) && strcmp(value, "h1") != 0 &&
	    (*word != 'w' || strcmp(value, "auto") != 0))
		say(r, DIAG_ERROR, i + 1, "%s %s is known to HAProxy, not supported by this version: write %s h1", word, value, word);
}
