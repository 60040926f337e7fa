/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cfg/rules.h"
#include "engine/rule_run.h"
#include "rules/log_facts.h"
#include "rules/map.h"
#include "rules/rule.h"

/* Where the check goes to; of a unix socket nothing. */
static struct run_end target_end(const struct server *s)
{
	const struct cfg_addr *a = s->checked ? &s->checked->target : server_addr(s);
	struct endpoint e = endpoint_of(&a->storage);

	return run_end_of(&e);
}

/* Nobody is in front of a check. */
static void check_facts(const void *of, struct log_facts *f)
{
	const struct check_of *check = of;

	f->is_check = true;
	f->server = target_end(check->server);
}

void check_run_prepare(const struct check_of *of, struct vars *vars, uint64_t now_ns, struct scratch scratch, struct run *r)
{
	const struct backend *b = of->backend;

	*r = (struct run){
	    .frontend = {"CHECKS-FE", 0}, /* HAProxy's name of what is behind them */
	    .backend = {b->proxy->name, b->number},
	    .server = {of->server->name, backend_server_id(b, of->server)},
	    .random_state = now_ns ^ (uint64_t)(uintptr_t)of->server,
	    .count = run_ask_count,
	    .is_own = run_is_own,
	    .debug = debug_write,
	    .client_fd = -1,
	    .server_fd = -1,
	    .userdata = b->set,
	    .facts = check_facts,
	    .facts_of = of,
	    .vars = vars,
	    .proc = b->set->cfg->shared ? &b->set->cfg->shared->proc : NULL,
	    .now_ns = now_ns,
	    .ended = true,
	    .scratch = scratch,
	};
	clock_gettime(CLOCK_REALTIME, &r->wall);
}

void check_run_rules(const struct rule *first, struct run *r)
{
	for (const struct rule *rule = first; rule; rule = rule->next) {
		r->scratch.used = 0;
		rule->run(rule, r, NULL);
	}
}

/* 0: it finds none. */
static uint16_t found_port(const struct check_of *of, const struct expr *x, struct vars *vars, uint64_t now_ns)
{
	char scratch[RUN_SCRATCH];
	struct sample s;
	struct run r;

	check_run_prepare(of, vars, now_ns, (struct scratch){scratch, 0, sizeof(scratch)}, &r);
	if (!expr_eval(x, &r, NULL, &s) || !sample_cast(&s, SAMPLE_INT, &r.scratch) || s.number < 1 || s.number > UINT16_MAX)
		return 0;
	return (uint16_t)s.number;
}

static uint16_t own_port(const struct check_of *of)
{
	const struct server_admin *a = of->server ? &of->server->admin : NULL;
	const struct cfg_addr *addr = of->server ? server_addr(of->server) : NULL;
	unsigned written = a && a->cfg ? a->cfg->check_port : 0;

	if (!a || addr->sa.sa_family == AF_UNIX)
		return 0;
	if (a->check_port || written)
		return (uint16_t)(a->check_port ? a->check_port : written);
	return ntohs(((const struct sockaddr_in *)(const void *)&addr->storage)->sin_port);
}

uint16_t check_run_port(const struct check_of *of, const struct cfg_check_port *step, struct vars *vars, uint64_t now_ns)
{
	uint16_t port = step->expr && of->server ? found_port(of, step->expr, vars, now_ns) : (uint16_t)step->number;

	return port ? port : own_port(of);
}

static const struct cfg_addr *own_addr(const struct server *s)
{
	const struct server_admin *a = &s->admin;

	if (a->check_addr)
		return a->check_addr;
	return a->cfg && a->cfg->check_addr ? a->cfg->check_addr : server_addr(s);
}

void check_run_connect(const struct check_of *of, const struct cfg_check_connect *how, const struct cfg_check_port *port, unsigned hop,
		       struct vars *vars, struct cfg_addr *to, struct health_probe_io *io)
{
	struct check_via *via = of->server ? of->server->check_via : NULL;
	uint16_t number = check_run_port(of, port, vars, io->now_ns);

	if (!of->server || !of->backend->proxy->set.check.roams) {
		io->port = check_via_next(via, hop, number);
		return;
	}
	*to = how && how->addr ? *how->addr : *own_addr(of->server);
	if (to->sa.sa_family != AF_UNIX && number) /* both families have it in the same place */
		((struct sockaddr_in *)(void *)&to->storage)->sin_port = htons(number);
	if (check_via_next_to(via, hop, to))
		return;
	io->to = &to->sa;
	io->to_len = to->len;
}

/* "UP 2/3": so many more failures take it down; "DOWN 1/2": so many of the successes it needs are there. */
static void write_health(const struct server *s, char *buf, size_t cap)
{
	struct health_filter_status f = {.size = sizeof(f)};
	const char *word = !s->up ? "DOWN" : s->draining ? "NOLB" : "UP";
	unsigned of, level;

	if (health_check_filter_status(s->check, &f) < 0) {
		snprintf(buf, cap, "%s", word);
		return;
	}
	of = s->up ? f.fall : f.rise;
	level = s->up ? f.left : f.rise - f.left;
	if (s->up ? level == of : !level)
		snprintf(buf, cap, "%s", word);
	else
		snprintf(buf, cap, "%s %u/%u", word, level, of);
}

static void write_address(const struct cfg_addr *a, char *buf, size_t cap)
{
	char host[INET6_ADDRSTRLEN];
	bool six = a->sa.sa_family == AF_INET6;
	const void *in = six ? (const void *)&((const struct sockaddr_in6 *)(const void *)&a->storage)->sin6_addr
			     : &((const struct sockaddr_in *)(const void *)&a->storage)->sin_addr;

	if (a->sa.sa_family == AF_UNIX || !inet_ntop(a->sa.sa_family, in, host, sizeof(host)))
		snprintf(buf, cap, "unix; port=");
	else
		snprintf(buf, cap, "%s; port=%u", host, ntohs(((const struct sockaddr_in *)(const void *)&a->storage)->sin_port));
}

/* Of those that new connections go to; of the backups that is the first one, without "option allbackups". */
static unsigned total_weight(const struct backend *b)
{
	unsigned active = 0, backup = 0;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct server *s = b->servers[i];

		if (!atomic_load(&s->balanced))
			continue;
		if (!s->backup)
			active += atomic_load(&s->admin.weight);
		else if (!backup || b->proxy->set.allbackups)
			backup += atomic_load(&s->admin.weight);
	}
	return active ? active : backup;
}

size_t check_run_state(const struct check_of *of, char *buf, size_t cap)
{
	const struct server *s = of->server;
	const struct backend *b = of->backend;
	const char *node = b->set->cfg->global.node;
	char health[32], address[INET6_ADDRSTRLEN + 16], host[256] = "";
	int n;

	if (!node && !gethostname(host, sizeof(host) - 1))
		node = host;
	write_health(s, health, sizeof(health));
	write_address(server_addr(s), address, sizeof(address));
	n = snprintf(buf, cap, "%s; address=%s; name=%s/%s; node=%s; weight=%u/%u; scur=%u/%u; qcur=%u", health, address, b->proxy->name, s->name,
		     node ? node : "", (unsigned)atomic_load(&s->admin.weight), total_weight(b), (unsigned)atomic_load(&s->n_sessions),
		     (unsigned)atomic_load(&b->pool->n_sessions), (unsigned)atomic_load(&s->n_queued));
	return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}
