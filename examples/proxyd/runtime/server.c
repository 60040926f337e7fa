/* SPDX-License-Identifier: MIT */
/* Commands that change servers and frontends. */
#include "runtime.h"

#include <ctype.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine/admin.h"
#include "engine/control.h"

#define MAXCONN_MAX 10000000ul

/* "BACKEND/SERVER"; NULL: told. */
struct server *runtime_find_server(struct call *c, size_t i)
{
	const char *word = call_word(c, i), *slash = strchr(word, '/');
	char backend[CFG_NAME_MAX + 1];
	struct server *s;

	if (!slash || slash - word > CFG_NAME_MAX) {
		call_say(c, "Require 'backend/server'.\n");
		return NULL;
	}
	snprintf(backend, sizeof(backend), "%.*s", (int)(slash - word), word);
	if (!admin_backend(c->e, backend)) {
		call_say(c, "No such backend.\n");
		return NULL;
	}
	s = admin_server(c->e, backend, slash + 1);
	if (!s)
		call_say(c, "No such server.\n");
	return s;
}

static struct frontend *find_frontend(struct call *c, size_t i)
{
	struct frontend *f = admin_frontend(c->e, call_word(c, i));

	if (!f)
		call_say(c, "No such frontend.\n");
	return f;
}

static void say_result(struct call *c, int e)
{
	if (e == -ENOENT)
		call_say(c, "Health check was not configured on this server, cannot enable.\n");
	else if (e < 0)
		call_say(c, "It could not be done: %s.\n", strerror(-e));
}

static bool read_number(struct call *c, const char *word, unsigned long max, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (!isdigit((unsigned char)*word) || *end || n > max) {
		call_say(c, "\"%s\" is no number from 0 to %lu.\n", word, max);
		return false;
	}
	*ret = (unsigned)n;
	return true;
}

/* ---- Weight ---- */

void run_get_weight(struct call *c)
{
	const struct server *s = runtime_find_server(c, 0);

	if (s)
		call_note(c, CALL_TEXT, "%u (initial %u)\n", s->admin.weight, s->admin.cfg_weight);
}

/* "N", or "N%" of the configured one. */
static void set_weight(struct call *c, struct server *s, const char *word)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);
	bool relative = end != word && !strcmp(end, "%");

	if (end == word || *word == '-' || (*end && !relative)) {
		call_say(c, "\"%s\" is no weight: write 0 to %d, or a percentage such as 50%%.\n", word, CFG_WEIGHT_MAX);
		return;
	}
	if (relative && n <= 25600)
		n = n * s->admin.cfg_weight / 100;
	if (n > CFG_WEIGHT_MAX) {
		if (!relative) {
			call_say(c, "Absolute weight can only be between 0 and %d inclusive.\n", CFG_WEIGHT_MAX);
			return;
		}
		n = CFG_WEIGHT_MAX;
	}
	say_result(c, admin_set_weight(c->e, s, (unsigned)n));
}

void run_set_weight(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);

	if (s)
		set_weight(c, s, call_word(c, 1));
}

/* ---- set server ---- */

static void set_state(struct call *c, struct server *s, const char *word)
{
	static const char *const states[] = {"ready", "drain", "maint"};

	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(word, states[i])) {
			say_result(c, admin_set_state(c->e, s, (enum admin_state)i));
			return;
		}
	call_say(c, "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n");
}

static void set_health(struct call *c, struct server *s, const char *word)
{
	static const char *const health[] = {"up", "stopping", "down"};

	if (s->tracked) {
		call_say(c, "cannot change health on a tracking server.\n");
		return;
	}
	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(word, health[i])) {
			say_result(c, admin_set_health(c->e, s, (enum admin_health)i, c->now_ns));
			return;
		}
	call_say(c, "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n");
}

static void set_maxconn(struct call *c, struct server *s, const char *word)
{
	unsigned n;

	if (read_number(c, word, MAXCONN_MAX, &n))
		say_result(c, admin_set_maxconn(c->e, s, n));
}

static bool read_port(struct call *c, const char *word, unsigned *ret)
{
	return read_number(c, word, 65535, ret);
}

static void write_ip(const struct cfg_addr *a, char buf[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;

	if (!a->len || !inet_ntop(a->sa.sa_family, a->sa.sa_family == AF_INET6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, buf, INET6_ADDRSTRLEN))
		strcpy(buf, "(none)");
}

/* In HAProxy's words. `ports`: one was given. */
static void tell_move(struct call *c, const struct cfg_addr *from, const struct cfg_addr *to, in_port_t old_port, bool ports)
{
	char was[INET6_ADDRSTRLEN], is[INET6_ADDRSTRLEN], addr[128], port[64] = "";
	in_port_t new_port;

	memcpy(&new_port, (const char *)&to->storage + offsetof(struct sockaddr_in, sin_port), sizeof(new_port));
	write_ip(from, was);
	write_ip(to, is);
	if (strcmp(was, is) != 0)
		snprintf(addr, sizeof(addr), "IP changed from '%s' to '%s'", was, is);
	else
		snprintf(addr, sizeof(addr), "no need to change the addr");
	if (ports && old_port != new_port)
		snprintf(port, sizeof(port), ", port changed from '%u' to '%u'", ntohs(old_port), ntohs(new_port));
	else if (ports)
		snprintf(port, sizeof(port), ", no need to change the port");
	call_note(c, LOG_WARNING, "%s%s by 'stats socket command'\n", addr, port);
}

/* "addr IP [port N]" */
static void set_addr(struct call *c, struct server *s)
{
	const struct cfg_addr *old = server_addr(s);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	const char *ip = call_word(c, 2);
	struct cfg_addr a = {0};
	in_port_t port = 0, old_port;
	bool ports = !strcmp(call_word(c, 3), "port");
	unsigned n;

	/* the port lies at the same place in both families */
	if (old->len && old->sa.sa_family != AF_UNIX)
		memcpy(&port, (const char *)&old->storage + offsetof(struct sockaddr_in, sin_port), sizeof(port));
	old_port = port;
	if (ports) {
		if (!read_port(c, call_word(c, 4), &n))
			return;
		port = htons((in_port_t)n);
	}
	in.sin_port = in6.sin6_port = port;
	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1) {
		memcpy(&a.storage, &in, sizeof(in));
		a.len = sizeof(in);
	} else if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1) {
		memcpy(&a.storage, &in6, sizeof(in6));
		a.len = sizeof(in6);
	} else {
		call_say(c, "\"%s\" is no address: write set server BACKEND/SERVER addr IP [port N].\n", ip);
		return;
	}
	tell_move(c, old, &a, old_port, ports);
	if (a.len != old->len || memcmp(&a.storage, &old->storage, a.len) != 0)
		say_result(c, admin_set_addr(c->e, s, &a));
}

static void set_name(struct call *c, struct server *s, const char *name)
{
	int r = -EINVAL;

	if (!*name || strlen(name) > 255)
		call_say(c, "set server <b>/<s> fqdn requires a FQDN.\n");
	else if ((r = resolve_rename(c->e, s, name)) == -ENOENT)
		call_say(c, "set server <b>/<s> fqdn failed because no resolution is configured.\n");
	else if (r < 0)
		say_result(c, r);
	else
		call_note(c, LOG_WARNING, "%s/%s: the name that is asked for is %s, by 'stats socket command'\n", s->pool->name, s->name, name);
}

void run_set_server(struct call *c)
{
	const char *what = call_word(c, 1), *value = call_word(c, 2);
	struct server *s = runtime_find_server(c, 0);

	if (!s)
		return;
	if (!strcmp(what, "state"))
		set_state(c, s, value);
	else if (!strcmp(what, "weight"))
		set_weight(c, s, value);
	else if (!strcmp(what, "health"))
		set_health(c, s, value);
	else if (!strcmp(what, "maxconn"))
		set_maxconn(c, s, value);
	else if (!strcmp(what, "addr"))
		set_addr(c, s);
	else if (!strcmp(what, "check-addr") || !strcmp(what, "check-port"))
		set_server_check(c, s, what, value);
	else if (!strcmp(what, "agent") || !strcmp(what, "agent-addr") || !strcmp(what, "agent-port") ||
		 !strcmp(what, "agent-send"))
		set_server_agent(c, s, what, value);
	else if (!strcmp(what, "fqdn"))
		set_name(c, s, value);
	else if (!strcmp(what, "ssl"))
		call_say(c, "\"set server … %s\" is known to HAProxy, not supported by this version: change the file "
			    "and reload, connections stay.\n",
			 what);
	else
		call_say(c, "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | "
			    "check-port | fqdn | health | ssl | state | weight\n");
}

void run_enable_server(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);

	if (s && s->admin.maint) /* a drain stays */
		say_result(c, admin_set_state(c->e, s, s->admin.drain ? ADMIN_DRAIN : ADMIN_READY));
}

void run_disable_server(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);

	if (s)
		say_result(c, admin_set_state(c->e, s, ADMIN_MAINT));
}

void run_enable_health(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);

	if (s)
		say_result(c, admin_set_checks(s, true));
}

void run_disable_health(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);

	if (s)
		admin_set_checks(s, false); /* one that has none is silent in HAProxy, too */
}

void run_set_maxconn_server(struct call *c)
{
	struct server *s = runtime_find_server(c, 0);

	if (s)
		set_maxconn(c, s, call_word(c, 1));
}

/* ---- Frontends and the process ---- */

void run_set_maxconn_frontend(struct call *c)
{
	const struct frontend *f = find_frontend(c, 0);
	unsigned n;

	if (f && read_number(c, call_word(c, 1), MAXCONN_MAX, &n))
		admin_set_frontend_maxconn(c->e, f, n);
}

void run_set_maxconn_global(struct call *c)
{
	unsigned n;

	if (!read_number(c, call_word(c, 0), UINT32_MAX, &n))
		return;
	if (n > c->e->maxconn) /* what the process was started with is the most */
		call_say(c, "Value out of range.\n");
	else
		admin_set_global_maxconn(c->e, n);
}

void run_set_rate_limit(struct call *c)
{
	struct engine_limits *m = &c->e->limits;
	const struct {
		const char *name;
		_Atomic uint32_t *limit;
		unsigned unit;
	} all[] = {{"connections", &m->connection_rate, 1},
		   {"sessions", &m->session_rate, 1},
		   {"ssl-sessions", &m->tls_rate, 1},
		   {"http-compression", &m->compression_rate, 1024}};
	unsigned n;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(call_word(c, 0), all[i].name) && !strcmp(call_word(c, 1), "global")) {
			if (read_number(c, call_word(c, 2), UINT32_MAX / all[i].unit, &n))
				atomic_store(all[i].limit, n * all[i].unit);
			return;
		}
	call_say(c, "'set rate-limit' only supports :\n"
		    "   - 'connections global' to set the per-process maximum connection rate\n"
		    "   - 'sessions global' to set the per-process maximum session rate\n"
		    "   - 'ssl-sessions global' to set the per-process maximum SSL session rate\n"
		    "   - 'http-compression global' to set a per-process maximum compression speed in kB/s\n");
}

/* The backend at word 0. NULL: told. */
static const struct backend *find_backend(struct call *c)
{
	const struct backend *b = NULL;

	if (!*call_word(c, 0))
		call_say(c, "A backend name is expected.\n");
	else if (!(b = admin_backend(c->e, c->word[0])))
		call_say(c, "No such backend.\n");
	return b;
}

void run_dynamic_cookie(struct call *c)
{
	const struct backend *b = find_backend(c);

	if (b)
		admin_set_dynamic_cookie(b, !strcmp(c->word[-3], "enable"));
}

void run_set_cookie_key(struct call *c)
{
	const struct backend *b = find_backend(c);

	if (!b)
		return;
	if (!*call_word(c, 1))
		call_say(c, "String value expected.\n");
	else if (strlen(c->word[1]) > CFG_COOKIE_KEY_MAX)
		call_say(c, "The key is longer than %d bytes.\n", CFG_COOKIE_KEY_MAX);
	else if (admin_set_cookie_key(b, c->word[1]) < 0)
		call_say(c, "There is not memory enough.\n");
}

void run_enable_frontend(struct call *c)
{
	const struct frontend *f = find_frontend(c, 0);

	if (!f)
		return;
	if (f->gate->shut)
		call_say(c, "Frontend was previously shut down, cannot enable.\n");
	else if (!f->gate->paused)
		call_say(c, "Frontend is already enabled.\n");
	else
		admin_pause(c->e, f, false);
}

void run_disable_frontend(struct call *c)
{
	const struct frontend *f = find_frontend(c, 0);

	if (!f)
		return;
	if (f->gate->shut)
		call_say(c, "Frontend was previously shut down, cannot disable.\n");
	else if (f->gate->paused)
		call_say(c, "Frontend is already disabled.\n");
	else
		admin_pause(c->e, f, true);
}

void run_shutdown_frontend(struct call *c)
{
	const struct frontend *f = find_frontend(c, 0);

	if (!f)
		return;
	if (f->gate->shut)
		call_say(c, "Frontend was already shut down.\n");
	else
		say_result(c, admin_shut(c->e, f));
}

void run_set_timeout(struct call *c)
{
	unsigned n;
	const char *word = call_word(c, 0);
	char text[16], *end;

	snprintf(text, sizeof(text), "%s", word);
	if (*text && text[strlen(text) - 1] == 's')
		text[strlen(text) - 1] = '\0';
	n = (unsigned)strtoul(text, &end, 10);
	if (!*text || *end || *text == '-' || !n || n > 86400)
		call_say(c, "Invalid timeout value.\n");
	else
		runtime_set_timeout(c->conn, n * UINT64_C(1000000000));
}
