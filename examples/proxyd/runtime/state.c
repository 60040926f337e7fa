/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/admin.h"
#include "log.h"

#define STATE_LINES_MAX 1000000u
#define STATE_WORDS 20u /* that are looked at; a line has more */

/* srv_admin_state: an operator's maintenance, the configuration's, drain; srv_check_state. */
#define STATE_MAINT 1u
#define STATE_CONFIGURED_MAINT 4u
#define STATE_DRAIN 8u
#define STATE_MAX 3u
#define STATE_CHECK_CONFIGURED 2u
#define STATE_CHECK_ENABLED 4u

/* srv_op_state: down, warming up, running, stopping. As in HAProxy its checks count from the beginning. */
static const enum admin_health health[STATE_MAX + 1] = {ADMIN_HEALTH_DOWN, ADMIN_HEALTH_UP, ADMIN_HEALTH_UP, ADMIN_HEALTH_STOPPING};

enum { /* places of words in a line */
	BE_NAME = 1,
	SRV_NAME = 3,
	SRV_OP_STATE = 5,
	SRV_ADMIN_STATE = 6,
	SRV_UWEIGHT = 7,
	SRV_IWEIGHT = 8,
	SRV_SINCE = 9,
	SRV_CHECK_STATE = 13,
	SRV_PORT = 18,
};

static bool number(const char *word, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	*ret = (unsigned)n;
	return end != word && !*end && n <= max;
}

static void apply_port(struct engine *e, struct server *s, const char *word)
{
	struct cfg_addr a = *server_addr(s);
	in_port_t wire, old;
	unsigned port;

	if (!s->usable || !a.len || a.sa.sa_family == AF_UNIX || !number(word, UINT16_MAX, &port) || !port)
		return;
	wire = htons((in_port_t)port); /* it lies at the same place in both families */
	memcpy(&old, (const char *)&a.storage + offsetof(struct sockaddr_in, sin_port), sizeof(old));
	memcpy((char *)&a.storage + offsetof(struct sockaddr_in, sin_port), &wire, sizeof(wire));
	if (wire != old && admin_set_addr(e, s, &a) < 0)
		log_warn("server %s/%s: no memory for its port in the state file", s->pool->name, s->name);
}

/* When it changed, and whether it is checked; both are left as they are when the line does not say. */
static void apply_rest(struct server *s, char *const *word, size_t n, uint64_t now_ns)
{
	unsigned since_s, check;

	if (n > SRV_SINCE && number(word[SRV_SINCE], UINT32_MAX, &since_s) && since_s * UINT64_C(1000000000) < now_ns)
		s->admin.changed_ns = now_ns - since_s * UINT64_C(1000000000);
	if (n > SRV_CHECK_STATE && number(word[SRV_CHECK_STATE], 0xff, &check) && s->check && check & STATE_CHECK_CONFIGURED &&
	    !(check & STATE_CHECK_ENABLED))
		admin_set_checks(s, false);
}

/* False: the line has not what it must have. */
static bool apply(struct engine *e, const struct backend *b, char *const *word, size_t n, uint64_t now_ns)
{
	struct server *s = admin_server(e, b->proxy->name, word[SRV_NAME]);
	unsigned op, admin, weight, configured;

	if (!number(word[SRV_OP_STATE], STATE_MAX, &op) || !number(word[SRV_ADMIN_STATE], 0xffff, &admin) ||
	    !number(word[SRV_UWEIGHT], CFG_WEIGHT_MAX, &weight) || !number(word[SRV_IWEIGHT], CFG_WEIGHT_MAX, &configured))
		return false;
	if (!s) /* it is gone from the configuration */
		return true;
	if (configured == s->admin.cfg_weight && weight != s->admin.weight)
		admin_set_weight(e, s, weight);
	if (admin & (STATE_MAINT | STATE_DRAIN))
		admin_set_state(e, s, admin & STATE_MAINT ? ADMIN_MAINT : ADMIN_DRAIN);
	else if (admin & STATE_CONFIGURED_MAINT && s->admin.maint) /* an operator had enabled it */
		admin_set_state(e, s, ADMIN_READY);
	if (s->check && !server_in_maint(s))
		admin_set_health(e, s, health[op], now_ns);
	if (n > SRV_PORT)
		apply_port(e, s, word[SRV_PORT]);
	apply_rest(s, word, n, now_ns);
	return true;
}

/* Lines of this file that are about the backend, or about all that read the global one (`only` NULL). */
static void load(struct engine *e, const char *path, const struct backend *only, uint64_t now_ns)
{
	FILE *f = fopen(path, "re");
	char line[2048];
	unsigned n = 0;

	if (!f) {
		log_warn("state of servers is not taken from %s: %s", path, strerror(errno));
		return;
	}
	while (n++ < STATE_LINES_MAX && fgets(line, sizeof(line), f)) {
		char *word[STATE_WORDS], *save = NULL;
		const struct backend *b;
		size_t words = 0;

		if (n == 1 && strcmp(line, "1\n") != 0) {
			log_warn("state of servers is not taken from %s: its first line is not version 1", path);
			break;
		}
		for (char *w = strtok_r(line, " \r\n", &save); w && words < STATE_WORDS; w = strtok_r(NULL, " \r\n", &save))
			word[words++] = w;
		if (n == 1 || !words || *word[0] == '#')
			continue;
		b = words > SRV_IWEIGHT ? admin_backend(e, word[BE_NAME]) : NULL;
		if (words <= SRV_IWEIGHT ||
		    (b && (only ? b == only : b->proxy->set.state_from == CFG_STATE_GLOBAL) && !apply(e, b, word, words, now_ns)))
			log_warn("%s:%u: no state of a server", path, n);
	}
	fclose(f);
}

/* In the folder of "server-state-base", unless it begins with a "/". */
static void join(const struct cfg_global *g, const char *name, char *buf, size_t cap)
{
	if (*name == '/' || !g->state_base)
		snprintf(buf, cap, "%s", name);
	else
		snprintf(buf, cap, "%s/%s", g->state_base, name);
}

void state_load(struct engine *e, uint64_t now_ns)
{
	const struct set *set = engine_set(e);
	const struct cfg_global *g = &set->cfg->global;
	char path[4096];
	bool global = false;

	for (size_t i = 0; i < set->n_backends; i++) {
		const struct cfg_proxy *p = set->backend[i].proxy;

		global |= p->set.state_from == CFG_STATE_GLOBAL;
		if (p->set.state_from != CFG_STATE_LOCAL)
			continue;
		join(g, p->set.state_file ? p->set.state_file : p->name, path, sizeof(path));
		load(e, path, &set->backend[i], now_ns);
	}
	if (global && g->state_file) {
		join(g, g->state_file, path, sizeof(path));
		load(e, path, NULL, now_ns);
	}
}
