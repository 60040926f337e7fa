/* SPDX-License-Identifier: MIT */
/* Sections `log-forward`: log lines that come in over UDP, TCP and unix sockets, and where they go. */
#include "cfg/access.h"
#include "cfg/read.h"

#include <string.h>

#define CLIENTS 10 /* HAProxy's */
#define CLIENTS_MAX 1000
#define BACKLOG_MAX 65535

void begin_log_forward(struct reader *r)
{
	struct cfg_forward *f, *other;

	r->forward = NULL;
	STAILQ_FOREACH (other, &r->cfg->forwards, next)
		if (!strcmp(other->name, word_at(r, 1))) {
			say(r, DIAG_ERROR, 1, "the section log-forward \"%s\" is there already, in line %u", other->name, other->at.line);
			return;
		}
	f = keep(r, sizeof(*f));
	if (!f)
		return;
	f->at = place_at(r, 0);
	f->name = keep_word(r, 1);
	f->maxconn = CLIENTS;
	f->backlog = CLIENTS;
	STAILQ_INIT(&f->logs);
	STAILQ_INIT(&f->binds);
	STAILQ_INSERT_TAIL(&r->cfg->forwards, f, next);
	r->forward = f;
}

/* bind, dgram-bind; `data` NULL: the latter */
void kw_forward_bind(struct reader *r, size_t first, const void *data)
{
	struct cfg_access access = CFG_ACCESS_DEFAULT;
	struct address a;

	if (!r->forward || !read_address(r, first, word_at(r, first), ADDR_LISTEN, &a))
		return;
	if (a.fd >= 0) {
		say(r, DIAG_ERROR, first, "log lines are received at IPv4 and IPv6 addresses and unix sockets in this version");
		return;
	}
	for (size_t i = first + 1; i < r->line->n; i += 2) {
		const char *word = word_at(r, i);

		if (access_word(word) ? !access_read(r, i + 1, word, &access) : strcmp(word, "name") != 0) {
			if (!access_word(word))
				say(r, DIAG_ERROR, i,
				    "\"%s\" is unknown here, or not supported by this version: behind the address stands name NAME, "
				    "and of a unix socket mode, user, group, uid and gid",
				    word);
			return;
		}
	}
	for (unsigned port = a.port; port <= a.port_end; port++) {
		struct cfg_forward_bind *b = keep(r, sizeof(*b));

		if (!b)
			return;
		b->at = place_at(r, first);
		b->addr = a.addr;
		if (a.addr.sa.sa_family != AF_UNIX)
			addr_set_port(&b->addr, port);
		b->access = access;
		b->is_stream = data;
		STAILQ_INSERT_TAIL(&r->forward->binds, b, next);
	}
}

/* maxconn, backlog; `data` NULL: the former */
void kw_forward_number(struct reader *r, size_t first, const void *data)
{
	if (r->forward)
		read_number(r, first, word_at(r, first - 1), 1, data ? BACKLOG_MAX : CLIENTS_MAX, data ? &r->forward->backlog : &r->forward->maxconn);
}

void kw_forward_timeout(struct reader *r, size_t first, const void *data)
{
	if (r->forward)
		read_time(r, first, "timeout client", &r->forward->client_ns);
}
