/* SPDX-License-Identifier: MIT */
/*
 * Sessions belong to workers: each is asked by a command, writes its part where only it writes, and the last one
 * tells the control thread, which sends all parts together.
 */
#include "runtime.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admin.h"
#include "engine/http/http.h"

#define SECOND_NS UINT64_C(1000000000)

enum question {
	LIST_ALL,
	LIST_ONE,
	END_ONE,
	END_OF_SERVER,
};

struct gather {
	struct runtime *r;
	struct engine *e;
	uint64_t conn;
	enum question what;
	uintptr_t id;	      /* of a session, by its address */
	bool details;
	struct server *server;
	_Atomic unsigned left; /* workers that have not answered */
	_Atomic unsigned hits;
	struct {
		struct out out;
		struct command question;
	} part[CFG_THREADS_MAX]; /* of each worker */
	struct message answer;
};

/* ---- In the worker ---- */

/* What both kinds of sessions show. */
struct seen {
	uintptr_t id;
	const struct endpoint *from;
	const struct frontend *frontend;
	const struct seeker *seeker; /* NULL: no request now */
	uint64_t began_ns;
	const char *proto, *state;
	uint64_t in, out;
	int client_fd, server_fd;
};

static const char *tcp_state_name(const struct session *s)
{
	switch (s->conn.state) {
	case CONN_CONNECTING:
		return "connecting";
	case CONN_RETRY:
		return "retry";
	case CONN_QUEUED:
		return "queued";
	case CONN_OPEN:
		return "open";
	default:
		return "closing";
	}
}

static const char *http_state_name(const struct client *c)
{
	static const char *const name[] = {
	    [EXCHANGE_TARPIT] = "tarpit",	  [EXCHANGE_BODY] = "body",   [EXCHANGE_PAUSED] = "paused", [EXCHANGE_OWN] = "own",
	    [EXCHANGE_QUEUED] = "queued",	  [EXCHANGE_CONNECTING] = "connecting", [EXCHANGE_RETRY] = "retry", [EXCHANGE_ASKED] = "asked",
	    [EXCHANGE_ANSWER_BODY] = "answer-body", [EXCHANGE_ANSWER_PAUSED] = "answer-paused", [EXCHANGE_ANSWER] = "answer",
	};

	return !c->exchange ? c->closing ? "closing" : "idle" : name[c->exchange->state];
}

static void put(struct gather *g, const struct worker *w, const struct seen *s)
{
	struct out *o = &g->part[w->index].out;
	const struct seeker *k = s->seeker;
	const char *back = k && k->backend ? k->backend->proxy->name : "<NONE>",
		   *server = k && k->server ? k->server->name : "<none>";
	char from[64];

	log_client(s->from, from, sizeof(from));
	out_printf(o, "0x%lx: proto=%s src=%s fe=%s be=%s srv=%s ts=%02x age=%llus state=%s", s->id,
		   s->from->family == AF_INET6 ? "tcpv6" : s->from->family == AF_INET ? "tcpv4" : "unix_stream", from,
		   s->frontend->name, back, server, w->index + 1,
		   (unsigned long long)((w->now_ns - s->began_ns) / SECOND_NS), s->state);
	if (g->details)
		out_printf(o, "\n  mode=%s worker=%u fd=%d/%d bytes=%llu/%llu retries=%u", s->proto, w->index,
			   s->client_fd, s->server_fd, (unsigned long long)s->in, (unsigned long long)s->out,
			   k ? (unsigned)k->attempts.failures : 0);
	out_text(o, "\n");
}

static struct seen see_session(const struct session *s)
{
	return (struct seen){
	    .id = (uintptr_t)s,
	    .from = &s->client,
	    .frontend = s->frontend,
	    .seeker = &s->seeker,
	    .began_ns = s->accepted_ns,
	    .proto = session_tunnel(s) ? "tunnel" : "tcp",
	    .state = tcp_state_name(s),
	    .in = s->conn.side[CONN_CLIENT].bytes,
	    .out = s->conn.side[CONN_SERVER].bytes,
	    .client_fd = s->handle[CONN_CLIENT].fd,
	    .server_fd = s->handle[CONN_SERVER].fd,
	};
}

static struct seen see_client(const struct client *c)
{
	const struct exchange *x = c->exchange;

	return (struct seen){
	    .id = (uintptr_t)c,
	    .from = &c->from,
	    .frontend = c->frontend,
	    .seeker = x ? &x->seeker : NULL,
	    .began_ns = c->accepted_ns,
	    .proto = "http",
	    .state = http_state_name(c),
	    .in = x ? x->bytes_in : 0,
	    .out = x ? x->bytes : 0,
	    .client_fd = c->h.fd,
	    .server_fd = x && x->link ? x->link->h.fd : -1,
	};
}

/* True: it is one of those that are asked for. */
static bool is_meant(const struct gather *g, const struct seen *s)
{
	switch (g->what) {
	case LIST_ALL:
		return true;
	case LIST_ONE:
	case END_ONE:
		return s->id == g->id;
	case END_OF_SERVER: /* sessions_kill() finds them */
		break;
	}
	return false;
}

static void look_at_sessions(struct worker *w, struct gather *g)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&w->sessions); s; s = next) {
		struct seen seen = see_session(s);

		next = LIST_NEXT(s, entry);
		if (!is_meant(g, &seen))
			continue;
		atomic_fetch_add(&g->hits, 1);
		if (g->what == LIST_ALL || g->what == LIST_ONE) {
			put(g, w, &seen);
		} else {
			session_kill(w, s);
		}
	}
}

static void look_at_clients(struct worker *w, struct gather *g)
{
	struct client *c, *next;

	for (c = w->http ? LIST_FIRST(&w->http->clients) : NULL; c; c = next) {
		struct seen seen = see_client(c);

		next = LIST_NEXT(c, entry);
		if (!is_meant(g, &seen))
			continue;
		atomic_fetch_add(&g->hits, 1);
		if (g->what == LIST_ALL || g->what == LIST_ONE) {
			put(g, w, &seen);
			continue;
		}
		client_kill(w, c);
	}
}

static void gathered(void *arg);

static void ask(struct worker *w, void *arg)
{
	struct gather *g = arg;

	if (g->what == END_OF_SERVER) {
		sessions_kill(w, g->server);
	} else {
		look_at_sessions(w, g);
		look_at_clients(w, g);
	}
	if (atomic_fetch_sub(&g->left, 1) == 1)
		engine_post_own(g->e, &g->answer, gathered, g);
}

/* ---- In the control thread ---- */

static void gathered(void *arg)
{
	const char *not_found = ((struct gather *)arg)->what == LIST_ONE ? "Session not found.\n" : "No such session (use 'show sess').\n";
	struct gather *g = arg;
	struct out all = {0};

	for (unsigned i = 0; i < g->e->n_workers; i++) {
		struct out *part = &g->part[i].out;

		out_put(&all, part->at, part->len);
		all.failed |= part->failed;
		out_free(part);
	}
	if ((g->what == LIST_ONE || g->what == END_ONE) && !atomic_load(&g->hits))
		out_text(&all, not_found);
	if (all.failed)
		runtime_resume(g->r, g->conn, "Too many for the memory.\n", 25);
	else
		runtime_resume(g->r, g->conn, all.at, all.len);
	out_free(&all);
	free(g);
}

static void begin(struct call *c, struct gather question)
{
	struct gather *g = malloc(sizeof(*g));

	if (!g) {
		call_say(c, "Out of memory.\n");
		return;
	}
	*g = question;
	g->r = c->r;
	g->e = c->e;
	g->conn = call_id(c);
	atomic_store(&g->left, c->e->n_workers);
	call_wait(c);
	for (unsigned i = 0; i < c->e->n_workers; i++)
		worker_post_own(c->e->worker[i], &g->part[i].question, ask, g);
}

/* Of a session, as "show sess" prints it. False: told. */
static bool read_id(struct call *c, uintptr_t *ret)
{
	const char *word = call_word(c, 0);
	char *end;

	*ret = (uintptr_t)strtoull(word, &end, 16);
	if (end != word && !*end)
		return true;
	call_say(c, "Session pointer expected (use 'show sess').\n");
	return false;
}

void run_show_sess(struct call *c)
{
	struct gather g = {.what = LIST_ALL, .details = !strcmp(call_word(c, 0), "all")};

	if (c->n && !g.details) {
		g.what = LIST_ONE;
		g.details = true;
		if (!read_id(c, &g.id))
			return;
	}
	begin(c, g);
}

void run_shutdown_session(struct call *c)
{
	struct gather g = {.what = END_ONE};

	if (read_id(c, &g.id))
		begin(c, g);
}

void run_shutdown_sessions(struct call *c)
{
	struct gather g = {.what = END_OF_SERVER, .server = runtime_find_server(c, 0)};

	if (g.server)
		begin(c, g);
}
