/* SPDX-License-Identifier: MIT */
/* "add server", "del server". */
#include "runtime.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "engine/admin.h"

void run_add_server(struct call *c)
{
	const char *slash = strchr(call_word(c, 0), '/');
	const char *word[LINE_WORDS_MAX];
	char backend[CFG_NAME_MAX + 1], text[2048];
	const struct backend *b;
	int e;

	if (!slash || !slash[1] || slash - c->word[0] > CFG_NAME_MAX) {
		call_say(c, "Require 'backend/server'.");
		return;
	}
	snprintf(backend, sizeof(backend), "%.*s", (int)(slash - c->word[0]), c->word[0]);
	b = admin_backend(c->e, backend);
	if (!b) {
		call_say(c, "No such backend.");
		return;
	}
	if (admin_server(c->e, backend, slash + 1)) {
		call_say(c, "Already exists a server with the same name in backend.\n");
		return;
	}
	if (c->n < 2) {
		call_say(c, "'server' expects <name> and <addr>[:<port>] as arguments.\n");
		return;
	}
	word[0] = slash + 1;
	for (size_t i = 1; i < c->n; i++)
		word[i] = c->word[i];
	e = admin_add_server(c->e, b, word, c->n, text, sizeof(text));
	if (*text)
		call_say(c, "%s\n", text);
	if (!e)
		call_note(c, LOG_INFO, "New server registered.\n");
}

void run_del_server(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);
	char text[512];

	if (!s)
		return;
	if (admin_del_server(c->e, s, text, sizeof(text)) < 0)
		call_say(c, "%s", text);
	else
		call_note(c, LOG_INFO, "Server deleted.");
}
