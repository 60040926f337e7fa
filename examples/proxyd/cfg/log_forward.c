/* SPDX-License-Identifier: MIT */
/* Sections `log-forward`: log lines that come in over UDP, TCP and unix sockets, and where they go. */
#include "cfg/access.h"
#include "cfg/parameter.h"
#include "cfg/read.h"
#include "cfg/words.h"

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

static void take_value(struct reader *r, size_t i, void *target)
{
	struct cfg_forward_bind *b = target;
	const char *word = word_at(r, i);

	if (access_word(word))
		access_read(r, i + 1, word, &b->access);
	else if (*word == 'i')
		b->interface = keep_word(r, i + 1);
	else if (*word == 'm')
		read_number(r, i + 1, word, 1, CLIENTS_MAX, &b->maxconn);
}

static void take_flag(struct reader *r, size_t i, void *target)
{
	struct cfg_forward_bind *b = target;
	const char *word = word_at(r, i);

	if (*word == 'a')
		b->accept_proxy = true;
	else
		b->v4v6 = !strcmp(word, "v4v6");
}

static void take_tls(struct reader *r, size_t i, void *target)
{
	struct cfg_forward_bind *b = target;
	struct cfg_bind like = {.tls_words = b->tls};

	bind_tls(r, i, &like);
	b->tls = like.tls_words;
}

/* Of TCP; the others hold for datagrams, too. */
static const struct parameter stream_parameters[] = {
    {"accept-proxy", 0, take_flag}, {"gid", 1, take_value},  {"group", 1, take_value}, {"interface", 1, take_value},
    {"maxconn", 1, take_value},	    {"mode", 1, take_value}, {"name", 1, take_value},  {"uid", 1, take_value},
    {"user", 1, take_value},	    {"v4v6", 0, take_flag},  {"v6only", 0, take_flag},
    BIND_TLS_PARAMETERS(take_tls),  {NULL, 0, NULL},
};
static const struct parameter dgram_parameters[] = {
    {"gid", 1, take_value},  {"group", 1, take_value}, {"interface", 1, take_value}, {"mode", 1, take_value}, {"name", 1, take_value},
    {"uid", 1, take_value},  {"user", 1, take_value},  {"v4v6", 0, take_flag},	     {"v6only", 0, take_flag}, {NULL, 0, NULL},
};

/* bind, dgram-bind; `data` NULL: the latter */
void kw_forward_bind(struct reader *r, size_t first, const void *data)
{
	struct cfg_forward_bind read = {.access = CFG_ACCESS_DEFAULT, .is_stream = data, .at = place_at(r, first)};
	struct address a;

	if (!r->forward || !read_address(r, first, word_at(r, first), data ? ADDR_LISTEN : ADDR_LISTEN | ADDR_DATAGRAM, &a))
		return;
	if (a.fd >= 0) {
		say(r, DIAG_ERROR, first, "log lines are received at IPv4 and IPv6 addresses and unix sockets in this version");
		return;
	}
	read_parameters(r, first + 1, data ? "parameter of \"bind\"" : "parameter of \"dgram-bind\"", data ? stream_parameters : dgram_parameters,
			cfg_words_bind, &read);
	for (unsigned port = a.port; port <= a.port_end; port++) {
		struct cfg_forward_bind *b = keep_copy(r, &read, sizeof(read));

		if (!b)
			return;
		b->addr = a.addr;
		if (a.addr.sa.sa_family != AF_UNIX)
			addr_set_port(&b->addr, port);
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
