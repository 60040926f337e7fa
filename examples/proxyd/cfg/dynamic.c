/* SPDX-License-Identifier: MIT */
/* A `server` line that comes while the configuration runs: "add server" of the runtime API. */
#include "cfg/dynamic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/names.h"
#include "cfg/read.h"

#define LINE_MAX_BYTES 16384

/* As in a file: what means something there is escaped. False: too long. */
static bool write_line(const char *const *word, size_t n, char *buf, size_t cap)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		for (const char *p = word[i]; *p; p++) {
			if (used + 4 > cap)
				return false;
			if (strchr(" \t\\\"'#$", *p))
				buf[used++] = '\\';
			buf[used++] = *p;
		}
		buf[used++] = i + 1 < n ? ' ' : '\n';
	}
	buf[used] = '\0';
	return true;
}

/* Those of HAProxy's server names; 0: all are. */
static char bad_character(const char *name)
{
	for (; *name; name++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:", *name))
			return *name;
	return 0;
}

/* What cfg_check does with the servers of a file. */
static void check_server(struct reader *r, const struct cfg_proxy *p, struct cfg_server *s)
{
	struct cfg_proxy alone = *p;

	STAILQ_INIT(&alone.servers);
	STAILQ_INSERT_TAIL(&alone.servers, s, next);
	alone.kind = CFG_BACKEND;
	if (s->tls_words && s->tls_words->sni && strncmp(s->tls_words->sni, "str(", 4) != 0)
		diag_add(r->diag, DIAG_ERROR, &s->at, "sni of a server that is added is a constant in this version: str(NAME)");
	else
		cfg_tls_check(r, &alone);
	cfg_source_check(r, &alone);
	cfg_tcp_check(r, &alone);
	if (alone.source_header != p->source_header)
		diag_add(r->diag, DIAG_ERROR, &s->at, "usesrc hdr_ip is for the servers of the file in this version");
	if (s->track)
		cfg_track_server(r, p, s);
}

static void read_line(struct reader *r, const struct cfg_proxy *p, struct cfg_server **ret)
{
	struct cfg_proxy section = *p;
	struct cfg_server server = cfg_server_default; /* as HAProxy starts it: default-server is not for it */
	struct lex_line line;

	server.disabled = server.dynamic = true;
	section.set.server = &server;
	if (!lex_next(r->lex, &line))
		return;
	r->line = &line;
	r->proxy = &section;
	r->dynamic = true;
	*ret = cfg_server_read(r);
	if (*ret && !r->diag->count[DIAG_ERROR])
		check_server(r, p, *ret);
}

/* The findings of this level, each with its line. */
static void tell(const struct diag *d, enum diag_level level, char *text, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n && n < cap; i++)
		if (d->message[i].level == level)
			n += (size_t)snprintf(text + n, cap - n, "%s%s", n ? "\n" : "", d->message[i].text);
}

int cfg_read_dynamic(const struct cfg *c, const struct cfg_proxy *p, const char *const *word, size_t n,
		     struct cfg **ret_memory, struct cfg_server **ret, char *error, size_t cap)
{
	static const struct cfg_load_opts opts;
	struct cfg *own = malloc(sizeof(*own));
	struct diag d = {0};
	struct reader r = {.opts = &opts, .cfg = own, .running = c, .diag = &d};
	char text[LINE_MAX_BYTES];
	struct cfg_server *s = NULL;
	int e = -ENOMEM;

	snprintf(error, cap, "out of memory");
	if (!own)
		return -ENOMEM;
	/* it looks up what is there, and what it makes is its own */
	*own = *c;
	cfg_memory_apart(own);
	own->names = NULL;
	if (bad_character(word[0]))
		snprintf(error, cap, "character '%c' is not permitted in server name '%s'.", bad_character(word[0]), word[0]);
	else if (!write_line(word, n, text, sizeof(text)))
		snprintf(error, cap, "the line is too long");
	else if (lex_open_text("the runtime API", text, strlen(text), &cfg_dialect, &d, &r.lex) == 0)
		read_line(&r, p, &s);
	if (s && !r.no_memory && !d.count[DIAG_ERROR]) {
		e = 0;
		*error = '\0';
	}
	tell(&d, e ? DIAG_ERROR : DIAG_WARNING, error, cap);
	lex_free(r.lex);
	diag_fini(&d);
	if (e < 0) {
		cfg_free(own);
		return -EINVAL;
	}
	*ret_memory = own;
	*ret = s;
	return 0;
}
