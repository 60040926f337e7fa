/* SPDX-License-Identifier: MIT */
/* A virtual_server when all is read: defaults, inheritance, doubles, and whether the library takes it. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <libha/service.h>

#include "conf/words.h"
#include "model.h"

#define UNCHECKED_NAMED 3 /* real servers without a check; the others are counted */

/* A script beside those of vrrp_script, with a check's times. */
static void complete_misc(struct conf_parse *p, const struct conf_virtual *v,
			  const struct conf_real *r, struct conf_check *c, unsigned place)
{
	struct conf_vrrp_script *s = c->misc;
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	s->name =
	    conf_printf(p->memory, "MISC_CHECK %u of %s %u of %s", place, ip, r->port, v->name);
	s->interval_ms = c->common.delay_loop_ms;
	s->spread_ms = c->common.warmup_ms;
	conf_default_ms(&s->timeout_ms, CONF_UNSET, s->interval_ms);
	s->rise = 1;
	s->fall = c->common.retry + 1;
	s->retry_ms = c->common.delay_before_retry_ms;
	s->log_failures = c->log_all_failures == 1;
	if (!s->script.argv)
		conf_warn(p, &c->at, "MISC_CHECK lacks \"misc_path COMMAND\": it counts as failed");
}

/* A FILE_CHECK or BFD_CHECK of something that there is. */
static bool finds_its_watch(struct conf_parse *p, struct conf_check *c)
{
	struct conf_tracks one = {c->track, 1};

	if (c->kind != CONF_CHECK_FILE && c->kind != CONF_CHECK_BFD)
		return true;
	conf_find_watches(p, &one);
	if (one.n && c->kind == CONF_CHECK_BFD)
		c->track->watch->bfd.checked = true;
	return one.n;
}

static void drop_lost_checks(struct conf_parse *p, struct conf_real *r)
{
	struct conf_check **at = &r->checks;

	while (*at) {
		if (finds_its_watch(p, *at))
			at = &(*at)->next;
		else
			*at = (*at)->next;
	}
}

static void complete_real(struct conf_parse *p, const struct conf_virtual *v, struct conf_real *r)
{
	unsigned place = 0;

	drop_lost_checks(p, r);
	for (struct conf_check *c = r->checks; c; c = c->next) {
		conf_default_int(&c->log_all_failures, CONF_UNSET,
				 p->conf->globals.log_all_failures);
		if (c->misc)
			complete_misc(p, v, r, c, place);
		place++;
	}
}

static bool find_group(struct conf_parse *p, struct conf_virtual *v)
{
	const struct conf_virtual_group *g;

	if (!v->group_name)
		return true;
	g = conf_index_find_name(&p->virtual_groups, v->group_name);
	if (!g) {
		conf_warn(p, &v->at, "there is no virtual_server_group \"%s\": skipped",
			  v->group_name);
		return false;
	}
	v->listen = g->listen;
	v->n_listen = g->n_listen;
	if (!g->n_listen)
		conf_warn(p, &v->at, "virtual_server_group \"%s\" is empty: skipped", g->name);
	return g->n_listen;
}

/* ip_family says what a mark of its own does not; the lines of a group say it themselves. */
static void complete_family(struct conf_virtual *v)
{
	if (v->family && !v->group_name && v->n_listen && v->listen[0].fwmark)
		v->listen[0].ip.family = v->family;
}

/* What is not said is said, as keepalived does: it is seldom what was meant. */
static void warn_of_defaults(struct conf_parse *p, const struct conf_virtual *v)
{
	if (!v->scheduler)
		conf_warn(p, &v->at, "virtual_server %s has no lb_algo: wlc is taken", v->name);
	if (v->nat_is_taken)
		conf_warn(p, &v->at, "virtual_server %s has no lb_kind: NAT is taken", v->name);
}

static void complete_protocol(struct conf_parse *p, struct conf_virtual *v)
{
	bool needs = false;

	for (size_t i = 0; i < v->n_listen; i++)
		needs |= !v->listen[i].fwmark;
	if (!v->group_name && !needs && v->protocol != CONF_UNSET)
		conf_warn(
		    p, &v->at,
		    "virtual_server %s: a firewall mark has no protocol: the line has no effect",
		    v->name);
	if (needs && v->protocol == CONF_UNSET)
		conf_warn(p, &v->at,
			  "virtual_server %s has no protocol: UDP is taken, as keepalived does. "
			  "Write protocol TCP, UDP or SCTP",
			  v->name);
	conf_default_int(&v->protocol, CONF_UNSET, IPPROTO_UDP);
}

static bool has_every_port(const struct conf_virtual *v)
{
	for (size_t i = 0; i < v->n_listen; i++)
		if (!v->listen[i].fwmark && !v->listen[i].port)
			return true;
	return false;
}

/* What the kernel would refuse is put right as keepalived does it: a service less would be worse. */
static void complete_flags(struct conf_parse *p, struct conf_virtual *v)
{
	if (v->flags & HA_SERVICE_ONE_PACKET && v->protocol != IPPROTO_UDP) {
		conf_warn(p, &v->at, "virtual_server %s: ops is for UDP only: it has no effect",
			  v->name);
		v->flags &= ~HA_SERVICE_ONE_PACKET;
	}
	if (v->scheduler && (!strcmp(v->scheduler, "sh") || !strcmp(v->scheduler, "mh")))
		v->flags |= v->hash_flags;
	else if (v->hash_flags)
		conf_warn(p, &v->at, "virtual_server %s: only lb_algo sh and mh know a port and a fallback: they have no effect", v->name);
	if (!v->persistence_s && has_every_port(v)) {
		conf_warn(p, &v->at,
			  "virtual_server %s: port 0 (every port) needs persistence, which keeps a "
			  "client's ports together: persistence_timeout %d is taken",
			  v->name, CONF_PERSISTENCE_S);
		v->persistence_s = CONF_PERSISTENCE_S;
	}
	if (!v->persistence_s && v->persistence_prefix) {
		conf_note(p, &v->at,
			  "virtual_server %s: persistence_granularity without persistence_timeout: "
			  "%d seconds are taken",
			  v->name, CONF_PERSISTENCE_S);
		v->persistence_s = CONF_PERSISTENCE_S;
	}
	if (!v->persistence_s && v->persistence_engine) {
		conf_warn(
		    p, &v->at,
		    "virtual_server %s: persistence_engine needs persistence_timeout: it has no "
		    "effect",
		    v->name);
		v->persistence_engine = NULL;
	}
}

/* DR sends the packet as it is. */
static void check_ports(struct conf_parse *p, const struct conf_virtual *v,
			const struct conf_real *r)
{
	for (size_t i = 0; i < v->n_listen; i++) {
		const struct conf_listen *l = &v->listen[i];

		if (l->fwmark && r->port) {
			conf_warn(
			    p, &r->at,
			    "port %u is not used with fwmark %u: the server gets the port that the "
			    "client chose",
			    r->port, l->fwmark);
			return;
		}
		if (r->opts->forward.method != HA_FORWARD_NAT && !l->fwmark && l->port && r->port &&
		    l->port != r->port) {
			conf_warn(p, &r->at,
				  "port %u is not used: only NAT translates ports, the server gets "
				  "port %u",
				  r->port, l->port);
			return;
		}
	}
}

/* Whether the library has a name for it at all; a backend may still refuse it. */
static bool real_makes_sense(struct conf_parse *p, const struct conf_virtual *v, const struct conf_real *r, const char *what)
{
	struct ha_service_opts s;
	struct ha_dest_opts d;
	const char *why;
	bool good;

	model_service(v, &v->listen[0], &s);
	model_dest(r, r->weight, &d);
	good = ha_service_check(&s, &d, &why) >= 0;
	if (!good)
		conf_warn(p, &r->at, "this %s of %s: %s. Skipped", what, v->name, why);
	return good;
}

static bool service_makes_sense(struct conf_parse *p, struct conf_virtual *v)
{
	struct ha_service_opts s;
	const char *why;

	for (size_t i = 0; i < v->n_listen; i++) {
		model_service(v, &v->listen[i], &s);
		if (ha_service_check(&s, NULL, &why) < 0) {
			conf_warn(p, &v->listen[i].at, "virtual_server %s: %s. Skipped", v->name,
				  why);
			return false;
		}
	}
	for (struct conf_real **at = &v->reals; *at && v->n_listen;) {
		if (real_makes_sense(p, v, *at, "real_server")) {
			at = &(*at)->next;
		} else {
			*at = (*at)->next;
			v->n_reals--;
		}
	}
	if (v->sorry && v->n_listen && !real_makes_sense(p, v, v->sorry, "sorry_server"))
		v->sorry = NULL;
	return true;
}

/* What IPVS tells services apart by. Of a mark all but the mark and the family is 0. */
struct service_key {
	uint8_t address[16];
	uint32_t fwmark;
	uint16_t port;
	uint8_t protocol, family;
};

static int take_key(struct conf_parse *p, struct conf_virtual *v, const struct conf_listen *l)
{
	struct service_key *k;

	if (p->services.n >= HA_SERVICES_MAX)
		return -E2BIG;
	k = conf_alloc(p->scratch, sizeof(*k));
	k->family = l->ip.family == AF_INET6 ? AF_INET6 : AF_INET;
	k->fwmark = l->fwmark;
	if (!l->fwmark) {
		memcpy(k->address, l->ip.bytes, sizeof(k->address));
		k->port = l->port;
		k->protocol = (uint8_t)v->protocol;
	}
	return conf_index_add(p->scratch, &p->services, k, sizeof(*k), v) ? -EEXIST : 0;
}

/* Each address, port and protocol belongs to one virtual server. */
static bool is_double_service(struct conf_parse *p, struct conf_virtual *v)
{
	int r = 0;

	for (size_t i = 0; i < v->n_listen && r >= 0; i++)
		r = take_key(p, v, &v->listen[i]);
	if (r == -EEXIST)
		conf_warn(p, &v->at,
			  "virtual_server %s has an address, port and protocol that another one "
			  "has already: skipped",
			  v->name);
	else if (r < 0)
		conf_warn(p, &v->at, "virtual_server %s: there are %d services already: skipped",
			  v->name, HA_SERVICES_MAX);
	return r < 0;
}

/* There must be an address to wait for. */
static void check_suspend(struct conf_parse *p, struct conf_virtual *v)
{
	bool any = false;

	for (size_t i = 0; i < v->n_listen; i++)
		any |= !v->listen[i].fwmark;
	if (!v->ha_suspend || any)
		return;
	conf_warn(p, &v->at, "virtual_server %s has no address: ha_suspend has no effect", v->name);
	v->ha_suspend = false;
}

static const struct diag_place *place_of_quorum(const struct conf_virtual *v)
{
	return v->quorum_at && v->quorum_at->quorum.line ? &v->quorum_at->quorum : &v->at;
}

static const struct diag_place *place_of_hysteresis(const struct conf_virtual *v)
{
	return v->quorum_at && v->quorum_at->hysteresis.line ? &v->quorum_at->hysteresis : place_of_quorum(v);
}

/* A quorum that all real servers together do not reach, or a hysteresis that is all of it, is made smaller: as keepalived does. */
static void complete_quorum(struct conf_parse *p, struct conf_virtual *v)
{
	int64_t all = 0;

	for (const struct conf_real *r = v->reals; r; r = r->next)
		all += r->weight;
	if (v->quorum > all && all) {
		conf_warn(p, place_of_quorum(v),
			  "virtual_server %s: quorum %d is more than its real servers weigh "
			  "together: %d is taken",
			  v->name, v->quorum, (int)all);
		v->quorum = (int)all;
	}
	if (v->hysteresis >= v->quorum) {
		conf_warn(p, place_of_hysteresis(v),
			  "virtual_server %s: hysteresis %d is not below quorum %d: %d is taken",
			  v->name, v->hysteresis, v->quorum, v->quorum - 1);
		v->hysteresis = v->quorum - 1;
	}
	if (all && (int64_t)v->quorum + v->hysteresis > all)
		conf_note(p, place_of_hysteresis(v),
			  "virtual_server %s: a quorum once lost does not come back: that takes "
			  "quorum %d and hysteresis %d, and its real servers weigh %lld together",
			  v->name, v->quorum, v->hysteresis, (long long)all);
	v->quorum_at = NULL;
}

static bool complete_virtual(struct conf_parse *p, struct conf_virtual *v)
{
	if (!find_group(p, v))
		return false;
	conf_default_int(&v->sorry_inhibit, CONF_UNSET, 0);
	check_suspend(p, v);
	complete_family(v);
	complete_protocol(p, v);
	complete_flags(p, v);
	warn_of_defaults(p, v);
	for (struct conf_real *r = v->reals; r; r = r->next) {
		complete_real(p, v, r);
		check_ports(p, v, r);
	}
	if (!v->n_reals && !v->sorry)
		conf_warn(p, &v->at, "virtual_server %s has no real_server", v->name);
	if (!service_makes_sense(p, v) || is_double_service(p, v))
		return false;
	complete_quorum(p, v);
	return true;
}

/* The next mark that no virtual server has. 0: there is none left. */
static uint32_t next_mark(struct conf_parse *p, struct conf_virtual *v, uint8_t family)
{
	struct conf_listen l = {.ip = {.family = family}};
	int r;

	do {
		l.fwmark = p->conf->globals.first_mark++;
		r = take_key(p, v, &l);
	} while (r == -EEXIST && l.fwmark < INT32_MAX);
	return r < 0 ? 0 : l.fwmark;
}

static void append(struct conf_parse *p, struct conf_listen **list, size_t *n, struct conf_listen l)
{
	*list = conf_grow(p->memory, *list, *n, sizeof(l));
	(*list)[(*n)++] = l;
}

/*
 * nftables_ipvs: what goes to its addresses gets a mark, and the mark, of each family, is the service. What the file
 * gives a mark already stays a service of its own.
 */
static void mark_group(struct conf_parse *p, struct conf_virtual *v)
{
	struct conf_listen *left = NULL, *marked = NULL;
	size_t n_left = 0, n_marked = 0;
	uint32_t mark[2] = {0, 0};

	if (!v->group_name || !p->conf->globals.nft_marks.wanted)
		return;
	if (p->conf->globals.ipvs_name_space) {
		conf_warn(p, &v->at,
			  "virtual_server %s: nftables_ipvs has no effect with "
			  "net_namespace_ipvs: each line of the group is a service",
			  v->name);
		return;
	}
	for (size_t i = 0; i < v->n_listen; i++) {
		struct conf_listen l = v->listen[i];
		uint32_t *m = &mark[l.ip.family == AF_INET6];

		if (l.fwmark) {
			append(p, &left, &n_left, l);
			continue;
		}
		if (!*m)
			*m = next_mark(p, v, l.ip.family);
		if (!*m)
			return; /* none is left: its lines stay services */
		l.fwmark = *m;
		append(p, &marked, &n_marked, l);
	}
	for (int six = 0; six < 2; six++)
		if (mark[six])
			append(p, &left, &n_left,
			       (struct conf_listen){.ip = {.family = six ? AF_INET6 : AF_INET},
						    .fwmark = mark[six],
						    .at = v->at});
	v->listen = left;
	v->n_listen = n_left;
	v->marked = marked;
	v->n_marked = n_marked;
}

static void note_unchecked_one(struct conf_parse *p, const struct conf_real *r)
{
	conf_note(p, &r->at, "this real_server has no check: it is always taken as alive");
}

/* Thousands without a check must not fill the log at each reload: the first are named, the rest counted. */
static void note_unchecked(struct conf_parse *p)
{
	const struct conf_real *next = NULL;
	size_t n = 0;

	for (const struct conf_virtual *v = p->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			if (r->checks)
				continue;
			if (++n <= UNCHECKED_NAMED)
				note_unchecked_one(p, r);
			else if (n == UNCHECKED_NAMED + 1)
				next = r;
		}
	}
	if (n == UNCHECKED_NAMED + 1)
		note_unchecked_one(p, next);
	else if (next)
		conf_note(p, &next->at,
			  "this real_server and %zu more below have no check either: they are "
			  "always taken as alive",
			  n - UNCHECKED_NAMED - 1);
}

void conf_collect_checks(struct conf *c)
{
	struct conf_vrrp_script **end = &c->misc;

	c->n_misc = c->n_reals = c->n_checks = 0;
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			c->n_reals++;
			for (const struct conf_check *k = r->checks; k; k = k->next) {
				c->n_checks++;
				if (!k->misc)
					continue;
				k->misc->index = (unsigned)(c->n_scripts + c->n_misc++);
				*end = k->misc;
				end = &k->misc->next;
			}
		}
	}
	*end = NULL;
}

void conf_check_virtuals(struct conf_parse *p)
{
	struct conf_virtual **at = &p->conf->virtuals;

	conf_index_reserve(p->scratch, &p->services, p->conf->n_virtuals + p->n_listen);
	while (*at) {
		if (complete_virtual(p, *at)) {
			at = &(*at)->next;
		} else {
			*at = (*at)->next;
			p->conf->n_virtuals--;
		}
	}
	for (struct conf_virtual *v = p->conf->virtuals; v; v = v->next)
		mark_group(p, v); /* when all other marks are known */
	note_unchecked(p);
	conf_collect_checks(p->conf);
}
