/* SPDX-License-Identifier: MIT */
/*
 * Names of servers at run time: which address of an answer each of them takes, and what becomes of one whose name has
 * none any more: it is in maintenance until there is one. A template of an SRV record takes a name and a port from
 * that first, then asks for that name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin.h"
#include "control.h"
#include "dns.h"
#include "container_of.h"
#include "log.h"
#include "loop.h"

struct server_name {
	struct engine *engine;
	struct server *server;
	struct dns_watch host, srv;
	char *section;
	int prefer;   /* a family */
	char *name;   /* that is asked for; NULL: the SRV record has none for it */
	unsigned port;
};

static struct server_name *of_host(const struct dns_watch *w)
{
	return container_of(w, struct server_name, host);
}

static struct server_name *of_srv(const struct dns_watch *w)
{
	return container_of(w, struct server_name, srv);
}

/* ---- Into maintenance and back: HAProxy's words, which people search their logs for ---- */

static void leave(struct server_name *n, const char *why)
{
	struct server *s = n->server;
	bool was_up = s->up && !s->admin.maint;

	if (!s->usable)
		return;
	s->usable = false;
	check_rest(s);
	if (s->up)
		server_changed(s, false);
	server_publish(n->engine, s);
	if (was_up) {
		char what[200];

		snprintf(what, sizeof(what), "is going DOWN for maintenance (%s)", why);
		server_tell_left(s, SERVER_LEAVES, what);
	} else {
		server_tell(s, LOG_NOTICE, "was DOWN and now enters maintenance (%s).", why);
	}
	trackers_follow(n->engine, s);
}

static void come_back(struct server_name *n)
{
	struct server *s = n->server;

	if (s->usable)
		return;
	s->usable = true;
	check_rest(s);
	check_start_up(s);
	if (s->up)
		server_changed(s, true);
	server_publish(n->engine, s);
	server_tell(s, LOG_NOTICE, "('%s') is UP/READY (resolves again).", n->name);
	server_tell(s, LOG_NOTICE, "administratively READY thanks to valid DNS answer.");
	trackers_follow(n->engine, s);
}

/* The answer is not the one that was hoped for: does an older one still count? */
static const char *expired(const struct dns_question *q, uint64_t now_ns)
{
	static const char *const why[CFG_HOLDS] = {
	    [CFG_HOLD_NX] = "DNS NX status",
	    [CFG_HOLD_REFUSED] = "DNS refused status",
	    [CFG_HOLD_TIMEOUT] = "DNS timeout status",
	    [CFG_HOLD_OTHER] = "unspecified DNS error",
	};

	return now_ns >= q->good_ns + dns_hold_ns(q, (enum cfg_hold)q->status) ? why[q->status] : NULL;
}

/* ---- Addresses ---- */

static const uint8_t *ip_of(const struct cfg_addr *a)
{
	return (const uint8_t *)&a->storage + (a->sa.sa_family == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
									 : offsetof(struct sockaddr_in6, sin6_addr));
}

static bool is_in(const struct dns_answer *a, const struct cfg_resolve_net *net)
{
	unsigned whole = net->prefix_bits / 8, rest = net->prefix_bits % 8;
	const uint8_t *ip = ip_of(&net->addr);

	return a->family == net->addr.sa.sa_family && !memcmp(a->addr, ip, whole) &&
	       (!rest || !((a->addr[whole] ^ ip[whole]) >> (8 - rest)));
}

/* The answer that the server has now; -1: none. */
static int current(const struct server *s, const struct dns_question *q)
{
	const struct cfg_addr *a = server_addr(s);

	for (unsigned i = 0; a->len && i < q->n_answers; i++)
		if (q->answer[i].family == a->sa.sa_family &&
		    !memcmp(q->answer[i].addr, ip_of(a), a->sa.sa_family == AF_INET ? 4 : 16))
			return (int)i;
	return -1;
}

/* The best answer for it, by HAProxy's order: family, network, one that no other has, the one it has. -1: none. */
static int choose(const struct server_name *n, const struct dns_question *q, const unsigned *taken, int now)
{
	const struct cfg_resolve *how = &n->server->admin.cfg->resolve;
	int best = -1, best_score = -1;

	for (int i = 0; i < (int)q->n_answers; i++) {
		const struct dns_answer *a = &q->answer[i];
		bool has = i == now && n->server->usable; /* what it has, nobody takes from it */
		unsigned others = taken[i] - has;
		int score = (a->family == n->prefer ? 8 : 0) + (i == now);

		if (others && !how->dup_ip && !has)
			continue;
		for (unsigned k = 0; k < how->n_nets; k++)
			if (is_in(a, &how->net[k])) {
				score += 4;
				break;
			}
		score += others ? 0 : 2;
		if (score > best_score) {
			best_score = score;
			best = i;
		}
	}
	return best;
}

static void address_text(const struct cfg_addr *a, char *buf, size_t cap)
{
	snprintf(buf, cap, "(none)");
	if (a->len)
		inet_ntop(a->sa.sa_family, ip_of(a), buf, (socklen_t)cap);
}

/* False: no memory, and it stays where it was. */
static bool move_to(struct server_name *n, const struct dns_answer *a, const char *by)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((in_port_t)n->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)n->port)};
	char old[INET6_ADDRSTRLEN], new[INET6_ADDRSTRLEN];
	struct server *s = n->server;
	struct cfg_addr to = {0};
	int r;

	memcpy(&in.sin_addr, a->addr, 4);
	memcpy(&in6.sin6_addr, a->addr, 16);
	to.len = a->family == AF_INET ? sizeof(in) : sizeof(in6);
	memcpy(&to.storage, a->family == AF_INET ? (const void *)&in : (const void *)&in6, to.len);
	address_text(s->usable ? server_addr(s) : &(struct cfg_addr){0}, old, sizeof(old));
	address_text(&to, new, sizeof(new));
	r = server_move(n->engine, s, &to);
	if (r < 0)
		log_err("server %s/%s cannot move to %s: %s", s->pool->name, s->name, new, strerror(-r));
	else
		server_note(s, LOG_NOTICE, "%s/%s changed its IP from %s to %s by %s.", s->pool->name, s->name, old, new, by);
	return r >= 0;
}

/* Has the port that the record says now? */
static bool port_is(const struct server_name *n)
{
	in_port_t port;

	memcpy(&port, (const char *)&server_addr(n->server)->storage + offsetof(struct sockaddr_in, sin_port), sizeof(port));
	return ntohs(port) == n->port;
}

/* Which answers the servers of a backend have, from `w` on. */
static void count_taken(const struct dns_question *q, const struct dns_watch *w, unsigned *taken)
{
	const struct pool *p = of_host(w)->server->pool;

	memset(taken, 0, q->n_answers * sizeof(*taken));
	TAILQ_FOREACH (w, &q->watches, entry) {
		const struct server *s = of_host(w)->server;
		int i = s->pool == p && s->usable ? current(s, q) : -1;

		if (i >= 0)
			taken[i]++;
	}
}

static void take_addresses(struct dns_question *q)
{
	unsigned *taken = calloc(q->n_answers + 1, sizeof(*taken));
	const struct pool *counted = NULL;
	const char *by = q->by;
	struct dns_watch *w;
	char full[512];

	if (!taken)
		return; /* the next answer comes soon */
	TAILQ_FOREACH (w, &q->watches, entry) {
		struct server_name *n = of_host(w);
		int now = current(n->server, q), best;

		if (n->server->pool != counted)
			count_taken(q, w, taken);
		counted = n->server->pool;
		best = choose(n, q, taken, now);
		if (best < 0) {
			leave(n, "No IP for server ");
			continue;
		}
		if (now >= 0 && n->server->usable)
			taken[now]--;
		taken[best]++;
		snprintf(full, sizeof(full), "%s/%s", n->section, by);
		if ((best == now && port_is(n)) || move_to(n, &q->answer[best], strcmp(by, "DNS cache") ? full : by)) {
			if (best != now)
				by = "DNS cache"; /* the first one was told who said so */
			come_back(n);
		}
	}
	free(taken);
}

static void host_answered(struct dns_question *q, uint64_t now_ns)
{
	const char *why = q->status == CFG_HOLD_VALID ? NULL : expired(q, now_ns);
	struct dns_watch *w;

	if (q->status == CFG_HOLD_VALID)
		take_addresses(q);
	else if (why)
		TAILQ_FOREACH (w, &q->watches, entry)
			leave(of_host(w), why);
}

/* ---- SRV records ---- */

static int watch_host(struct server_name *n, const char *name)
{
	char *copy = strdup(name);
	int r;

	if (!copy)
		return -ENOMEM;
	dns_unwatch(&n->host);
	free(n->name);
	n->name = copy;
	r = dns_watch(n->engine->dns, n->section, name, false, n->prefer, &n->host);
	if (r < 0)
		log_err("server %s/%s: its name %s cannot be asked for: %s", n->server->pool->name, n->server->name, name,
			strerror(-r));
	return r;
}

static void forget_host(struct server_name *n)
{
	dns_unwatch(&n->host);
	free(n->name);
	n->name = NULL;
}

/* The record that the server has; -1: it is not there any more. */
static int record_of(const struct server_name *n, const struct dns_question *q)
{
	for (unsigned i = 0; n->name && i < q->n_answers; i++)
		if (q->answer[i].port == n->port && !strcasecmp(q->answer[i].target, n->name))
			return (int)i;
	return -1;
}

static void take_weight(struct server_name *n, const struct dns_answer *a)
{
	unsigned weight = (a->weight + 255U) / 256; /* HAProxy's */

	if (!n->server->admin.cfg->resolve.ignore_weight && n->server->admin.weight != weight)
		admin_set_weight(n->engine, n->server, weight);
}

static void take_record(struct server_name *n, const struct dns_answer *a)
{
	const struct server *s = n->server;

	n->port = a->port;
	if (watch_host(n, a->target) < 0)
		return;
	log_msg(LOG_NOTICE, "%s/%s changed its FQDN from (null) to %s by 'SRV record'", s->pool->name, s->name, a->target);
	take_weight(n, a);
}

/* The servers of one backend, which stand one behind the other, from `w` on; returns the next one's. */
static struct dns_watch *take_records(struct dns_question *q, struct dns_watch *first, bool *taken)
{
	const struct pool *p = of_srv(first)->server->pool;
	struct dns_watch *w;
	unsigned i = 0;

	memset(taken, 0, q->n_answers * sizeof(*taken));
	for (w = first; w && of_srv(w)->server->pool == p; w = TAILQ_NEXT(w, entry)) {
		struct server_name *n = of_srv(w);
		int now = record_of(n, q);

		if (now >= 0) {
			taken[now] = true;
			take_weight(n, &q->answer[now]);
		} else if (n->name) {
			forget_host(n);
			leave(n, "entry removed from SRV record");
		}
	}
	for (w = first; w && of_srv(w)->server->pool == p; w = TAILQ_NEXT(w, entry)) {
		while (i < q->n_answers && taken[i])
			i++;
		if (!of_srv(w)->name && i < q->n_answers)
			take_record(of_srv(w), &q->answer[i++]);
	}
	return w;
}

static void srv_answered(struct dns_question *q, uint64_t now_ns)
{
	const char *why = q->status == CFG_HOLD_VALID ? NULL : expired(q, now_ns);
	bool *taken = calloc(q->n_answers + 1, sizeof(*taken));
	struct dns_watch *w = TAILQ_FIRST(&q->watches);

	while (w && taken && q->status == CFG_HOLD_VALID)
		w = take_records(q, w, taken);
	for (; w && why; w = TAILQ_NEXT(w, entry))
		if (of_srv(w)->name) { /* else it stays where init-addr put it */
			forget_host(of_srv(w));
			leave(of_srv(w), why);
		}
	free(taken);
}

static void on_answered(void *userdata, struct dns_question *q, uint64_t now_ns)
{
	if (q->is_srv)
		srv_answered(q, now_ns);
	else
		host_answered(q, now_ns);
}

/* ---- With the configuration ---- */

static struct server_name *new_name(struct engine *e, struct server *s, const struct cfg_server *c)
{
	struct server_name *n = calloc(1, sizeof(*n));

	if (!n || !(n->section = strdup(c->resolve.section))) {
		free(n);
		return NULL;
	}
	n->engine = e;
	n->server = s;
	n->prefer = c->resolve.prefer_ipv4 ? AF_INET : AF_INET6;
	n->port = c->port;
	s->named = n;
	return n;
}

/* What is asked already, and is to be asked now. */
static bool same_name(const struct server_name *n, const struct cfg_server *c)
{
	return !strcmp(n->section, c->resolve.section) && (n->prefer == AF_INET) == c->resolve.prefer_ipv4 &&
	       (n->srv.question != NULL) == c->is_srv && (c->is_srv || (n->host.question && n->port == c->port));
}

static int sync_name(struct engine *e, struct server *s)
{
	const struct cfg_server *c = s->admin.cfg;
	struct server_name *n = s->named;

	if (!s->host) /* as in server_get: it has no name, or nobody asks */
		return 0;
	if (n && same_name(n, c))
		return 0;
	resolve_end(s);
	n = new_name(e, s, c);
	if (!n)
		return -ENOMEM;
	return c->is_srv ? dns_watch(e->dns, n->section, c->host, true, n->prefer, &n->srv) : watch_host(n, c->host);
}

void resolve_sync(struct engine *e, const struct set *set)
{
	int r = dns_configure(e->dns, &set->cfg->resolvers);

	if (r < 0)
		log_err("resolvers: %s; names that need them are not asked for", strerror(-r));
	for (size_t i = 0; i < set->n_servers; i++) {
		struct server *s = set->server[i];

		r = sync_name(e, s);
		if (r < 0)
			log_err("server %s/%s stays where it is: its name cannot be asked for: %s", s->pool->name, s->name,
				strerror(-r));
		if (s->named)
			check_rest(s); /* checks_sync knows nothing of names */
	}
}

void resolve_end(struct server *s)
{
	struct server_name *n = s->named;

	if (!n)
		return;
	dns_unwatch(&n->host);
	dns_unwatch(&n->srv);
	free(n->name);
	free(n->section);
	free(n);
	s->named = NULL;
}

int resolve_rename(struct engine *e, struct server *s, const char *name)
{
	struct server_name *n = s->named;
	int r;

	if (!n || n->srv.question)
		return -ENOENT;
	log_msg(LOG_NOTICE, "%s/%s changed its FQDN from %s to %s by 'stats socket command'", s->pool->name, s->name,
		n->name ? n->name : "(null)", name);
	r = watch_host(n, name);
	return r;
}

const char *resolve_name(const struct server *s)
{
	return s->named ? s->named->name : NULL;
}

const char *resolve_srv(const struct server *s)
{
	return s->named && s->named->srv.question ? s->named->srv.question->name : NULL;
}

int resolve_new(struct engine *e)
{
	return dns_new(&(struct dns_opts){.answered = on_answered, .userdata = e}, &e->dns);
}

void resolve_free(struct engine *e)
{
	dns_free(e->dns);
}
