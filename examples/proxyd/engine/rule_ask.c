/* SPDX-License-Identifier: MIT */
/* What rules ask about proxies, servers and sockets. Any worker. */
#include "rule_run.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_named(const char *name, struct text t)
{
	return strlen(name) == t.len && !strncmp(name, t.at, t.len);
}

const struct backend *backend_named(const struct set *s, struct text name)
{
	uint32_t hash = fnv1a(name.at, name.len), at = hash;
	size_t i;

	while (name_index_next(&s->backend_names, hash, &at, &i))
		if (is_named(s->backend[i].proxy->name, name))
			return &s->backend[i];
	return NULL;
}

static const struct frontend *frontend_named(const struct set *s, struct text name)
{
	for (size_t i = 0; i < s->n_frontends; i++)
		if (is_named(s->frontend[i].name, name))
			return &s->frontend[i];
	return NULL;
}

struct server *server_named(const struct backend *b, struct text name)
{
	const struct set *s = b->set;
	uint32_t hash = server_name_hash(b, name), at = hash;
	size_t i;

	while (name_index_next(&s->server_names, hash, &at, &i))
		if (&s->server[i] >= b->servers && &s->server[i] < b->servers + b->n_servers && is_named(s->server[i]->name, name))
			return s->server[i];
	return NULL;
}

static bool count_frontend(const struct frontend *f, enum run_count what, uint64_t now_ns, int64_t *ret)
{
	if (!f)
		return false;
	if (what == RUN_FE_CLIENT_TIMEOUT) {
		*ret = (int64_t)(f->client_ns / CFG_MS);
		return true;
	}
	if (what == RUN_FE_CONN) {
		*ret = atomic_load_explicit(&f->gate->n, memory_order_relaxed);
		return true;
	}
	*ret = (int64_t)tally_rate(f->gate->tally, what == RUN_FE_REQ_RATE ? TALLY_REQUESTS : TALLY_SESSIONS, now_ns);
	return true;
}

/* How many more it may have; -1: there is no limit. */
static int64_t free_of(const struct server *s)
{
	int64_t max = atomic_load_explicit(&s->maxconn, memory_order_relaxed);
	int64_t n = atomic_load_explicit(&s->n_sessions, memory_order_relaxed);

	return !max ? -1 : max > n ? max - n : 0;
}

static bool is_up(const struct server *s)
{
	return atomic_load_explicit(&s->serves, memory_order_relaxed);
}

/* Those that new connections go to; of the backups all, or the first one. */
static int64_t n_usable(const struct backend *b)
{
	int64_t n_backup = atomic_load_explicit(&b->pool->n_up_backup, memory_order_relaxed);
	int64_t n = atomic_load_explicit(&b->pool->n_up, memory_order_relaxed);

	return n ? n : b->proxy->set.allbackups ? n_backup : n_backup > 0;
}

/* Of all its servers that new connections go to; -1: one has no limit. */
static int64_t free_of_all(const struct backend *b)
{
	bool backups = !atomic_load_explicit(&b->pool->n_up, memory_order_relaxed);
	int64_t sum = 0, left = n_usable(b);

	for (size_t i = 0; i < b->n_servers && left; i++) {
		const struct server *s = b->servers[i];
		int64_t n = free_of(s);

		if (!atomic_load_explicit(&s->balanced, memory_order_relaxed) || s->backup != backups)
			continue;
		if (n < 0)
			return -1;
		sum += n;
		left--;
	}
	return sum;
}

/* Connections and places in queues, of all its servers that are up; -1: one has no limit. */
static int64_t slots_of_all(const struct backend *b)
{
	int64_t sum = 0;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct server *s = b->servers[i];
		int64_t places = atomic_load_explicit(&s->maxqueue, memory_order_relaxed);
		int64_t queued = atomic_load_explicit(&s->n_queued, memory_order_relaxed);

		if (!is_up(s))
			continue;
		if (!places || free_of(s) < 0)
			return -1;
		sum += free_of(s) + (places > queued ? places - queued : 0);
	}
	return sum;
}

static bool count_server(const struct backend *b, struct server *s, enum run_count what,
			 uint64_t now_ns, int64_t *ret)
{
	if (!s)
		return false;
	switch (what) {
	case RUN_SRV_CONN:
		*ret = atomic_load_explicit(&s->n_sessions, memory_order_relaxed);
		return true;
	case RUN_SRV_CONN_FREE:
		*ret = free_of(s);
		return true;
	case RUN_SRV_ID:
		*ret = backend_server_id(b, s);
		return true;
	case RUN_SRV_IS_UP:
		*ret = is_up(s);
		return true;
	case RUN_SRV_IWEIGHT:
		*ret = atomic_load_explicit(&s->admin.cfg_weight, memory_order_relaxed);
		return true;
	case RUN_SRV_UWEIGHT:
		*ret = atomic_load_explicit(&s->admin.weight, memory_order_relaxed);
		return true;
	case RUN_SRV_QUEUE: /* for it and no other */
		*ret = atomic_load_explicit(&s->n_queued, memory_order_relaxed);
		return true;
	default:
		*ret = (int64_t)tally_rate(s->tally, TALLY_SESSIONS, now_ns);
		return true;
	}
}

static bool count_backend(const struct backend *b, enum run_count what, uint64_t now_ns, int64_t *ret)
{
	int64_t usable = n_usable(b);
	int64_t queued = atomic_load_explicit(&b->pool->n_queued, memory_order_relaxed);
	switch (what) {
	case RUN_NBSRV:
		*ret = usable;
		return true;
	case RUN_BE_CONN:
		*ret = pool_sessions(b->pool);
		return true;
	case RUN_QUEUE:
		*ret = queued;
		return true;
	case RUN_AVG_QUEUE: /* without a server: the double, as HAProxy */
		*ret = usable ? (queued + usable - 1) / usable : queued * 2;
		return true;
	case RUN_BE_SERVER_TIMEOUT:
		*ret = (int64_t)(b->timeout.server_ns / CFG_MS);
		return true;
	case RUN_BE_TUNNEL_TIMEOUT:
		*ret = (int64_t)(b->timeout.tunnel_ns / CFG_MS);
		return true;
	case RUN_CONNSLOTS:
		*ret = slots_of_all(b);
		return true;
	case RUN_BE_CONN_FREE:
		*ret = free_of_all(b);
		return true;
	default:
		*ret = (int64_t)tally_rate(b->pool->tally, TALLY_SESSIONS, now_ns);
		return true;
	}
}

bool run_ask_count(const struct run *r, enum run_count what, struct text proxy, struct text server,
	       int64_t *ret)
{
	const struct set *set = r->userdata;
	const struct backend *b;

	if (run_asks_frontend(what))
		return count_frontend(frontend_named(set, proxy), what, r->now_ns, ret);
	b = backend_named(set, proxy);
	if (!b)
		return false;
	if (what >= RUN_SRV_CONN)
		return count_server(b, server_named(b, server), what, r->now_ns, ret);
	return count_backend(b, what, r->now_ns, ret);
}

static int64_t of_tcp(const struct tcp_info *i, enum run_socket what)
{
	switch (what) {
	case RUN_RTT: return i->tcpi_rtt;
	case RUN_RTT_VARIANCE: return i->tcpi_rttvar;
	case RUN_TCP_FACKETS: return i->tcpi_fackets;
	case RUN_TCP_LOST: return i->tcpi_lost;
	case RUN_TCP_REORDERING: return i->tcpi_reordering;
	case RUN_TCP_RETRANS: return i->tcpi_retrans;
	case RUN_TCP_SACKED: return i->tcpi_sacked;
	case RUN_TCP_UNACKED: return i->tcpi_unacked;
	default: return 0;
	}
}

bool run_ask_socket(int fd, enum run_socket what, struct run_end *ret, int64_t *ret_us)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	struct tcp_info info;
	struct endpoint e;

	if (what < RUN_OWN_ADDRESS) {
		len = sizeof(info);
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
			return false;
		*ret_us = of_tcp(&info, what);
		return true;
	}
	if ((what == RUN_OWN_ADDRESS ? getsockname(fd, (struct sockaddr *)&a, &len)
				     : getpeername(fd, (struct sockaddr *)&a, &len)) < 0 ||
	    (a.ss_family != AF_INET && a.ss_family != AF_INET6))
		return false;
	e = endpoint_of(&a);
	*ret = run_end_of(&e);
	return true;
}

/* The kernel knows best: it lets a socket be bound to its own addresses alone. */
bool run_is_own(const struct run_end *end)
{
	bool six = end->address.type == SAMPLE_IPV6;
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -1;

	if (fd < 0)
		return false;
	memcpy(&in.sin_addr, end->address.ip, sizeof(in.sin_addr));
	memcpy(&in6.sin6_addr, end->address.ip, sizeof(in6.sin6_addr));
	r = six ? bind(fd, (struct sockaddr *)&in6, sizeof(in6)) : bind(fd, (struct sockaddr *)&in, sizeof(in));
	close(fd);
	return r == 0;
}
