/* SPDX-License-Identifier: MIT */
/*
 * lvs_sync_daemon and lvs_timeouts: what IPVS does besides services. Who copies connections follows the
 * instance that is named: its Master sends, others listen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libha/ipvs.h>

#include "kernel/kernel.h"
#include "log.h"

struct sync {
	struct ha_ipvs *ipvs;
	const struct conf_sync *conf;
};

static void say(const struct sync *s, const char *what, int r)
{
	if (r < 0)
		log_err("lvs_sync_daemon %s: cannot %s: %s", s->conf->interface, what,
			strerror(-r));
}

static bool is_same(const struct ha_ipvs_sync *have, const struct ha_ipvs_sync *want)
{
	return !strcmp(have->interface, want->interface) && have->sync_id == want->sync_id &&
	       (!want->port || have->port == want->port) &&
	       (!want->ttl || have->ttl == want->ttl) &&
	       (!want->max_len || have->max_len == want->max_len) &&
	       (!want->group.family || !ha_ip_compare(&have->group, &want->group));
}

/* One that runs as it should stays: it knows connections. */
static void start(struct sync *s, enum ha_ipvs_sync_role role)
{
	struct ha_ipvs_sync have = {.size = sizeof(have)}, want = {.size = sizeof(want)};
	int r;

	want.role = role;
	strncpy(want.interface, s->conf->interface, sizeof(want.interface) - 1);
	want.group = s->conf->group;
	want.max_len = s->conf->max_len;
	want.port = s->conf->port;
	want.ttl = s->conf->ttl;
	want.sync_id = (uint8_t)(s->conf->id == CONF_UNSET ? 0 : s->conf->id);
	r = ha_ipvs_sync_start(s->ipvs, &want);
	if (r == -EEXIST) {
		r = ha_ipvs_sync_get(s->ipvs, role, &have);
		if (r >= 0 && is_same(&have, &want))
			return;
		ha_ipvs_sync_stop(s->ipvs, role);
		r = ha_ipvs_sync_start(s->ipvs, &want);
	}
	say(s, role == HA_IPVS_SYNC_MASTER ? "send" : "listen", r);
}

static void stop(struct sync *s, enum ha_ipvs_sync_role role)
{
	int r = ha_ipvs_sync_stop(s->ipvs, role);

	say(s, "stop", r == -ESRCH ? 0 : r);
}

void sync_follow(struct kernel *k, uint32_t index, bool up)
{
	struct sync *s = k->sync;

	if (!s || !s->conf->interface || !s->conf->instance || index != s->conf->index)
		return;
	stop(s, up ? HA_IPVS_SYNC_BACKUP : HA_IPVS_SYNC_MASTER);
	start(s, up ? HA_IPVS_SYNC_MASTER : HA_IPVS_SYNC_BACKUP);
}

static void set_timeouts(struct sync *s, const struct conf_lvs_timeout *t)
{
	const struct ha_ipvs_timeouts want = {
	    .size = sizeof(want), .tcp_s = t->tcp_s, .tcp_fin_s = t->tcp_fin_s, .udp_s = t->udp_s};
	int r = ha_ipvs_timeouts_set(s->ipvs, &want);

	if (r < 0)
		log_err("lvs_timeouts: %s", strerror(-r));
}

int sync_new(struct kernel *k)
{
	const struct conf_globals *g = &k->conf->globals;
	const struct conf_lvs_timeout *t = &g->lvs_timeout;
	bool timeouts = t->tcp_s || t->tcp_fin_s || t->udp_s;
	struct sync *s;
	int r;

	if (!g->sync.interface && !timeouts)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->conf = &g->sync;
	r = ipvs_open(k, &s->ipvs);
	if (r < 0) {
		log_err("lvs_sync_daemon and lvs_timeouts have no effect: no IPVS (%s)",
			strerror(-r));
		free(s);
		return 0;
	}
	k->sync = s;
	if (timeouts)
		set_timeouts(s, t);
	if (s->conf->interface && !s->conf->instance) {
		start(s, HA_IPVS_SYNC_MASTER);
		start(s, HA_IPVS_SYNC_BACKUP);
	}
	return 0;
}

void sync_release(struct kernel *k)
{
	if (!k->sync || !k->sync->conf->interface)
		return;
	stop(k->sync, HA_IPVS_SYNC_MASTER);
	stop(k->sync, HA_IPVS_SYNC_BACKUP);
}
