/* SPDX-License-Identifier: MIT */
/* "show tls-keys", "set ssl tls-key": keys of session tickets, of each file that "tls-ticket-keys" names. */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine/objects.h"
#include "tls_change.h"

static const char *file_of(const struct cfg_bind *b)
{
	return cfg_bind_front(b) ? tls_front_ticket_file(cfg_bind_front(b)) : NULL;
}

/* Has a line in front of it the same file? */
static bool came(const struct cfg *cfg, const struct cfg_bind *b)
{
	const struct cfg_proxy *p;
	const struct cfg_bind *other;

	STAILQ_FOREACH (p, &cfg->proxies, next)
		STAILQ_FOREACH (other, &p->binds, next) {
			if (other == b)
				return false;
			if (file_of(other) && !strcmp(file_of(other), file_of(b)))
				return true;
		}
	return false;
}

/* Calls fn for each file, until it says true. */
static bool each(const struct call *c, bool (*fn)(void *arg, unsigned id, const char *file, const struct tls_front *f), void *arg)
{
	const struct cfg *cfg = engine_set(c->e)->cfg;
	const struct cfg_proxy *p;
	const struct cfg_bind *b;
	unsigned id = 0;

	STAILQ_FOREACH (p, &cfg->proxies, next)
		STAILQ_FOREACH (b, &p->binds, next)
			if (file_of(b) && !came(cfg, b) && fn(arg, id++, file_of(b), cfg_bind_front(b)))
				return true;
	return false;
}

struct wanted {
	struct call *call;
	const char *word; /* a file, "#ID", or "*" */
	const char *file; /* found */
};

static bool is_meant(const char *word, unsigned id, const char *file)
{
	char *end;

	if (*word == '#')
		return word[1] && strtoul(word + 1, &end, 10) == id && !*end;
	return !strcmp(word, file);
}

static bool look(void *arg, unsigned id, const char *file, const struct tls_front *f)
{
	struct wanted *w = arg;

	if (is_meant(w->word, id, file))
		w->file = file;
	return w->file;
}

static bool put_file(void *arg, unsigned id, const char *file, const struct tls_front *f)
{
	out_printf(((struct call *)arg)->out, "%u (%s)\n", id, file);
	return false;
}

static bool put_keys(void *arg, unsigned id, const char *file, const struct tls_front *f)
{
	const struct wanted *w = arg;
	char text[TLS_TICKET_KEY_TEXT];

	if (strcmp(w->word, "*") != 0 && !is_meant(w->word, id, file))
		return false;
	out_printf(w->call->out, "# %u (%s)\n", id, file);
	for (unsigned i = 0; tls_front_ticket_key(f, i, text); i++)
		out_printf(w->call->out, "%u.%u %s\n", id, i, text);
	explicit_bzero(text, sizeof(text));
	return false;
}

void run_show_tls_keys(struct call *c)
{
	struct wanted w = {c, call_word(c, 0), NULL};

	if (!c->n) {
		out_text(c->out, "# id (file)\n");
		each(c, put_file, c);
		return;
	}
	if (strcmp(w.word, "*") != 0 && !each(c, look, &w)) {
		call_say(c, "'show tls-keys' unable to locate referenced filename\n");
		return;
	}
	out_text(c->out, "# id secret\n");
	each(c, put_keys, &w);
}

void run_set_tls_key(struct call *c)
{
	struct wanted w = {c, call_word(c, 0), NULL};

	if (c->n != 2)
		call_say(c, "'set ssl tls-key' expects a filename and the new TLS key in base64 encoding.\n");
	else if (!each(c, look, &w))
		call_say(c, "'set ssl tls-key' unable to locate referenced filename\n");
	else if (tls_change_run(c, &(struct tls_change){.ticket_file = w.file, .ticket_key = c->word[1]}) >= 0)
		call_note(c, LOG_INFO, "TLS ticket key updated!\n");
}
