/* SPDX-License-Identifier: MIT */
/*
 * Sessions that are ended at once: on-marked-down shutdown-sessions, on-marked-up shutdown-backup-sessions, an
 * operator's word, and hard-stop-after for those of a configuration that a reload took the place of. The control thread tells the workers,
 * each ends its own. A session that was given the server just before sees that nothing is there, as ever.
 */
#include "engine/admin.h"
#include "engine/control.h"
#include "engine/http/http.h"
#include "log.h"
#include "engine/worker.h"

/* What the client gets, and the log: 502 if it waits for an answer with nothing left to say. */
static void end_exchange(struct worker *w, struct client *c, char who)
{
	struct exchange *x = c->exchange;
	bool waits = x->state >= EXCHANGE_ASKED && x->state < EXCHANGE_ANSWER && x->up.done;
	char phase = waits ? 'H' : x->state == EXCHANGE_ANSWER ? 'D' : '-';

	exchange_fail(w, x, waits ? 502 : 0, who, phase);
	if (waits)
		client_run(w, c);
	else
		client_close(w, c);
}

static void end_sessions(struct worker *w, const struct server *of, char who)
{
	struct session *s, *next_session;
	struct client *c, *next_client;

	for (s = LIST_FIRST(&w->sessions); s; s = next_session) {
		next_session = LIST_NEXT(s, entry);
		if (s->seeker.server != of)
			continue;
		conn_end(&s->conn, who, '-');
		session_close(w, s);
	}
	for (c = w->http ? LIST_FIRST(&w->http->clients) : NULL; c; c = next_client) {
		next_client = LIST_NEXT(c, entry);
		if (c->exchange && c->exchange->seeker.server == of)
			end_exchange(w, c, who);
	}
}

static void end_for_down(struct worker *w, void *server)
{
	end_sessions(w, server, 'D');
}

static void end_for_up(struct worker *w, void *backup)
{
	end_sessions(w, backup, 'U');
}

/* The server lives as long as a worker may run this: it is in a set that they have not left. */
static void tell_workers(struct engine *e, struct server *s, void (*fn)(struct worker *w, void *server))
{
	for (unsigned i = 0; i < e->n_workers; i++)
		if (worker_post(e->worker[i], fn, s) < 0)
			log_err("worker %u keeps sessions of %s/%s: out of memory", i, s->pool->name, s->name);
}

/* ---- An operator's word ---- */

void session_kill(struct worker *w, struct session *s)
{
	conn_end(&s->conn, 'K', 'D');
	session_close(w, s);
}

/*
 * As HAProxy does: who waits is told that there will be no answer. Only who has asked here before is not, once a server was
 * asked: without a word he may ask anew himself (RFC 9112, section 9.5).
 */
void client_kill(struct worker *w, struct client *c)
{
	struct exchange *x = c->exchange;
	bool waits = x && x->state >= EXCHANGE_QUEUED && x->state < EXCHANGE_ASKED;
	bool asked = x && x->state == EXCHANGE_ASKED && x->up.done && !c->not_first;

	if (waits)
		exchange_fail(w, x, 503, 'K', x->state == EXCHANGE_QUEUED ? 'Q' : 'C');
	else if (x)
		exchange_fail(w, x, asked ? 502 : 0, 'K', asked ? 'H' : 'D');
	if (waits || asked)
		client_run(w, c);
	else
		client_close(w, c);
}

void sessions_kill(struct worker *w, void *server)
{
	struct session *s, *next_session;
	struct client *c, *next_client;

	for (s = LIST_FIRST(&w->sessions); s; s = next_session) {
		next_session = LIST_NEXT(s, entry);
		if (s->seeker.server == server)
			session_kill(w, s);
	}
	for (c = w->http ? LIST_FIRST(&w->http->clients) : NULL; c; c = next_client) {
		next_client = LIST_NEXT(c, entry);
		if (c->exchange && c->exchange->seeker.server == server)
			client_kill(w, c);
	}
}

void admin_kill_sessions(struct engine *e, struct server *s)
{
	tell_workers(e, s, sessions_kill);
}

/* ---- hard-stop-after ---- */

/* Who rests between two requests is in the new set already: see http_adopt(). `number`: of the set, as a pointer. */
static void end_set(struct worker *w, void *number)
{
	const uint32_t set = (uint32_t)(uintptr_t)number;
	struct session *s, *next_session;
	struct client *c, *next_client;

	for (s = LIST_FIRST(&w->sessions); s; s = next_session) {
		next_session = LIST_NEXT(s, entry);
		if (s->frontend->set->number != set)
			continue;
		conn_end(&s->conn, 'K', 'D');
		session_close(w, s);
	}
	for (c = w->http ? LIST_FIRST(&w->http->clients) : NULL; c; c = next_client) {
		next_client = LIST_NEXT(c, entry);
		if (c->frontend->set->number != set)
			continue;
		if (c->exchange)
			exchange_fail(w, c->exchange, 0, 'K', 'D');
		client_close(w, c);
	}
}

void sets_superseded(struct engine *e, const struct cfg *by, uint64_t now_ns)
{
	struct set *s;

	STAILQ_FOREACH (s, &e->sets, entry)
		if (s->cfg != by && s->end_ns == UINT64_MAX && s->cfg->global.hard_stop_ns)
			s->end_ns = now_ns + s->cfg->global.hard_stop_ns;
}

uint64_t sets_deadline(const struct engine *e)
{
	uint64_t first = UINT64_MAX;
	const struct set *s;

	STAILQ_FOREACH (s, &e->sets, entry)
		first = s->end_ns < first ? s->end_ns : first;
	return first;
}

void sets_tick(struct engine *e, uint64_t now_ns)
{
	struct set *s;

	STAILQ_FOREACH (s, &e->sets, entry) {
		if (s->end_ns > now_ns)
			continue;
		s->end_ns = UINT64_MAX; /* when a worker cannot be told, its sessions end by themselves */
		log_warn("hard-stop-after: connections of an older configuration are closed");
		for (unsigned i = 0; i < e->n_workers; i++)
			if (worker_post(e->worker[i], end_set, (void *)(uintptr_t)s->number) < 0)
				log_err("worker %u keeps them: out of memory", i);
	}
}

/* ---- on-marked-down, on-marked-up ---- */

void server_marked(struct engine *e, struct server *s)
{
	const struct cfg_server *c = s->admin.cfg;
	struct server *other;

	if (!s->serves && c && c->ends_sessions)
		tell_workers(e, s, end_for_down);
	if (!s->serves || !c || !c->ends_backup_sessions || s->backup || !s->admin.weight)
		return;
	TAILQ_FOREACH (other, &s->pool->servers, entry)
		if (other->member && other->backup)
			tell_workers(e, other, end_for_up);
}
