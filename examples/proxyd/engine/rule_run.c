/* SPDX-License-Identifier: MIT */
#include "rule_run.h"

#include "balance_key.h"

#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cfg/rules.h"
#include "rule_store.h"
#include "tls/info.h"

/* ---- What rules see ---- */

struct run_end run_end_of(const struct endpoint *e)
{
	struct run_end end = {.address = sample_bool(false), .port = ntohs(e->port)};

	if (e->family != AF_INET && e->family != AF_INET6)
		return end;
	end.address.type = e->family == AF_INET ? SAMPLE_IPV4 : SAMPLE_IPV6;
	memcpy(end.address.ip, e->addr, e->family == AF_INET ? 4 : 16);
	return end;
}

/* Where the client connected to, unless a PROXY header told. */
struct run_end run_destination(const struct endpoint *to, int fd)
{
	struct endpoint e = client_target(to, fd);

	return run_end_of(&e);
}

void run_prepare(struct worker *w, const struct frontend *f, const struct backend *b, struct run *r,
		 struct scratch scratch)
{
	*r = (struct run){
	    .frontend = {f->name, f->number},
	    .default_backend = f->proxy->set.default_backend,
	    /* two runs of one turn must not roll the same */
	    .random_state = w->now_ns ^ (uint64_t)w->index << 56 ^ ++w->dice << 32,
	    .count = run_ask_count,
	    .ask_socket = run_ask_socket,
	    .is_own = run_is_own,
	    .debug = debug_write,
	    .client_fd = -1,
	    .server_fd = -1,
	    .thread = w->index,
	    .tls_info = tls_info,
	    .userdata = f->set,
	    .proc = f->set->cfg->shared ? &f->set->cfg->shared->proc : NULL,
	    .now_ns = w->now_ns,
	    .scratch = scratch,
	};
	if (f->proxy->formats && f->proxy->formats->has_id)
		r->id_format = &f->proxy->formats->id;
	if (b)
		r->backend = (struct run_proxy){b->proxy->name, b->number};
	clock_gettime(CLOCK_REALTIME, &r->wall);
}

void run_know_client(struct run *r, struct rule_store *store)
{
	if (!store)
		return;
	r->vars = &store->vars;
	r->track = store->track;
	r->greeted = store->greeted;
	r->pp_authority = store->pp_authority;
	r->pp_unique_id = store->pp_unique_id;
	r->met = store->met;
	r->unique_id = &store->unique_id;
}

void run_prepare_connection(struct worker *w, const struct connection_ends *ends, struct run *r, struct scratch scratch)
{
	run_prepare(w, ends->frontend, NULL, r, scratch);
	r->source = run_end_of(ends->from);
	r->destination = run_destination(ends->to, ends->fd);
	r->ended = true;
	run_know_client(r, *ends->store);
	r->client_fd = ends->fd;
}

/* Back from what rules changed. */
struct endpoint run_endpoint(const struct run_end *end)
{
	struct endpoint e = {.family = AF_UNSPEC, .port = htons(end->port)};

	if (end->address.type == SAMPLE_IPV4 || end->address.type == SAMPLE_IPV6) {
		e.family = end->address.type == SAMPLE_IPV4 ? AF_INET : AF_INET6;
		memcpy(e.addr, end->address.ip, e.family == AF_INET ? 4 : 16);
	}
	return e;
}

void run_mark_socket(int fd, const struct verdict *v)
{
	int tos = v->tos;

	if (v->has_mark)
		setsockopt(fd, SOL_SOCKET, SO_MARK, &v->mark, sizeof(v->mark));
	if (v->has_tos) {
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	}
}

/* The client is not told that its connection ends: what could say so does not reach it. */
void run_hide_end(int fd)
{
	/* what has come is acknowledged: what came again would be answered with a reset */
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
	/* a socket under repair goes without a word; it takes CAP_NET_ADMIN */
	if (!setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &(int){1}, sizeof(int)))
		return;
	setsockopt(fd, IPPROTO_IP, IP_TTL, &(int){1}, sizeof(int));
	setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
}

struct backend *frontend_switch(const struct frontend *f, struct run *r)
{
	for (size_t i = 0; i < f->n_switches; i++) {
		const struct cfg_switch *sw = f->switches[i].on;
		const struct backend *b;
		struct text name;

		r->scratch.used = 0;
		if (sw->cond && !cond_eval(sw->cond, r))
			continue;
		if (f->switches[i].to)
			return f->switches[i].to;
		b = format_write(&sw->format, r, &name) ? backend_named(f->set, name) : NULL;
		if (b && (b->http ? f->http || f->as_http : !f->http))
			return (struct backend *)(uintptr_t)b;
		break; /* the first one that holds decides: a name of none is the default */
	}
	return f->backend;
}

struct server *backend_wanted(const struct backend *b, struct run *r)
{
	for (size_t i = 0; i < b->n_uses; i++) {
		const struct cfg_use *use = b->uses[i].on;
		struct text name;

		r->scratch.used = 0;
		if (use->cond && !cond_eval(use->cond, r))
			continue;
		if (b->uses[i].to || format_is_constant(&use->name))
			return b->uses[i].to;
		if (format_write(&use->name, r, &name))
			return server_named(b, name);
	}
	return NULL;
}

bool run_hash_key(const struct backend *b, struct run *r, uint64_t *ret)
{
	struct sample s;

	r->scratch.used = 0;
	if (!expr_eval(b->hash, r, NULL, &s) || !sample_cast(&s, SAMPLE_BIN, &r->scratch))
		return false;
	*ret = balance_hash(&b->proxy->set.hash_type, s.text.at, s.text.len);
	return true;
}

/* "ADDRESS.PORT.0000", each a decimal of the bytes in network order as a little-endian number */
static bool read_rdp(struct text t, struct sockaddr_in *ret)
{
	int64_t address, port;
	const char *dot = memchr(t.at, '.', t.len), *end;

	if (!dot || !text_to_int(text_of(t.at, (size_t)(dot - t.at)), &address) || address < 0 ||
	    address > UINT32_MAX)
		return false;
	t = text_of(dot + 1, t.len - (size_t)(dot + 1 - t.at));
	end = memchr(t.at, '.', t.len);
	if (!end || !text_to_int(text_of(t.at, (size_t)(end - t.at)), &port) || port < 0 || port > 65535)
		return false;
	ret->sin_addr.s_addr = htole32((uint32_t)address);
	ret->sin_port = htole16((uint16_t)port);
	return true;
}

struct server *backend_persist(const struct backend *b, struct run *r)
{
	struct sockaddr_in wanted, own;
	struct text t;

	r->scratch.used = 0;
	if (!b->persist || !expr_eval_text(b->persist, r, &t) || !read_rdp(t, &wanted))
		return NULL;
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct cfg_addr *a = server_addr(b->servers[i]);

		if (a->len != sizeof(own) || a->sa.sa_family != AF_INET)
			continue;
		memcpy(&own, &a->sa, sizeof(own));
		if (own.sin_addr.s_addr == wanted.sin_addr.s_addr && own.sin_port == wanted.sin_port)
			return b->servers[i];
	}
	return NULL;
}

enum persistence backend_persistence(const struct backend *b, struct run *r)
{
	const struct cfg_persist *p;

	if (b->proxy->rules)
		STAILQ_FOREACH (p, &b->proxy->rules->persists, next) {
			r->scratch.used = 0;
			if (cond_eval(p->cond, r))
				return p->force ? PERSISTENCE_FORCED : PERSISTENCE_IGNORED;
		}
	return b->proxy->set.persists ? PERSISTENCE_FORCED : PERSISTENCE_USUAL;
}

/* ---- Sticking ---- */

const struct cfg_server *backend_line(const struct backend *b, const struct server *server)
{
	const struct set *s = b->set;
	uint32_t hash = server_name_hash(b, text_of(server->name, strlen(server->name))), at = hash;
	size_t i;

	while (name_index_next(&s->server_names, hash, &at, &i))
		if (s->server[i] == server)
			return s->line[i];
	return NULL;
}

unsigned backend_server_id(const struct backend *b, const struct server *server)
{
	const struct cfg_server *line = backend_line(b, server);

	return line ? line->id : 0;
}

const struct expr *backend_sni(const struct backend *b, const struct server *server)
{
	const struct cfg_server *line = b->asks_names ? backend_line(b, server) : NULL;

	return line ? cfg_server_sni(line) : NULL;
}

bool run_sni(const struct expr *sni, struct run *r, char name[TLS_NAME_SIZE])
{
	struct text value;

	if (!expr_eval_text(sni, r, &value) || !value.len || value.len >= TLS_NAME_SIZE)
		return false;
	memcpy(name, value.at, value.len);
	name[value.len] = '\0';
	return true;
}

unsigned backend_stick_id(const struct backend *b, const struct server *server)
{
	return server->non_stick ? 0 : backend_server_id(b, server);
}

/* It stands at its number, unless servers came or went at run time. NULL: none. */
static struct server *server_of_id(const struct backend *b, uint64_t id)
{
	if (id && id <= b->n_servers && b->lines[id - 1]->id == id)
		return b->servers[id - 1];
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->lines[i]->id == id)
			return b->servers[i];
	return NULL;
}

/* The line's key; false: none, or the line does not apply. */
static bool key_of(const struct cfg_stick *stick, struct run *r, struct sample *ret)
{
	r->scratch.used = 0;
	return stick->table->table && (!stick->cond || cond_eval(stick->cond, r)) && expr_eval(&stick->key, r, NULL, ret);
}

/* The entry of the line's key; NULL: none. */
static struct table_entry *hold(const struct cfg_stick *stick, struct run *r, bool make)
{
	struct sample key;

	return key_of(stick, r, &key) ? table_hold(stick->table->table, &key, make, r->now_ns, &r->scratch) : NULL;
}

static void will_store(const struct cfg_stick *stick, struct run *r, struct rule_store *store)
{
	struct table *t = stick->table->table;
	struct table_entry *e = NULL;
	struct sample key;
	bool made;

	if (store->n_sticks < STICKS_MAX && key_of(stick, r, &key))
		e = table_hold_made(t, &key, r->now_ns, &r->scratch, &made);
	if (!e)
		return;
	table_retain(t);
	store->stick[store->n_sticks++] = (struct stick_hold){t, e, made ? r->now_ns : 0};
}

struct server *backend_stick(const struct backend *b, struct run *r, struct rule_store *store)
{
	const struct cfg_stick *stick;
	struct server *to = NULL;

	if (!b->proxy->rules)
		return NULL;
	STAILQ_FOREACH (stick, &b->proxy->rules->sticks, next) {
		struct table_entry *e;
		uint64_t id = 0;

		if ((stick->does & STICK_MATCH) && !to && (e = hold(stick, r, false))) {
			table_read(stick->table->table, e, table_at(TABLE_SERVER_ID), r->now_ns, &id);
			table_release(stick->table->table, e);
			to = server_of_id(b, id);
		}
		if (stick->does & STICK_STORE)
			will_store(stick, r, store);
	}
	return to;
}

bool backend_sticks_answers(const struct backend *b)
{
	const struct cfg_stick *stick;

	STAILQ_FOREACH (stick, &b->proxy->rules->sticks, next)
		if (stick->does & STICK_STORE_RESPONSE)
			return true;
	return false;
}

void backend_stick_response(const struct backend *b, struct run *r, const struct server *server)
{
	const struct cfg_stick *stick;

	if (!b->proxy->rules || server->non_stick)
		return;
	STAILQ_FOREACH (stick, &b->proxy->rules->sticks, next) {
		struct table_entry *e =
		    stick->does & STICK_STORE_RESPONSE ? hold(stick, r, true) : NULL;

		if (!e)
			continue;
		table_set(stick->table->table, e, table_at(TABLE_SERVER_ID), backend_server_id(b, server), r->now_ns);
		table_release(stick->table->table, e);
	}
}
