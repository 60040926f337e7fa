/* SPDX-License-Identifier: MIT */
/*
 * keepalived.data and .stats in the temporary directory (the others: supervisor/dump_*.c), in keepalived's headings and fields: exporters and scripts read them. Passwords are left
 * out.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/state.h"

/* keepalived.NAMESPACE_INSTANCE.data, if that is wanted and there are such. */
void dump_data_name(const struct supervisor *s, const char *base, char *buf, size_t cap)
{
	const struct conf_globals *g = &s->conf->globals;
	const char *space = g->data_use_instance ? s->options->name_space : NULL;
	const char *instance = g->data_use_instance ? g->instance : NULL;

	snprintf(buf, cap, "%s%s%s%s%s.data", base, space || instance ? "." : "",
		 space ? space : "", space && instance ? "_" : "", instance ? instance : "");
}

/* A file of its own, whatever lies at that name: a link there is not followed. */
FILE *dump_open(const char *said, const char *name, char *path, size_t cap)
{
	const char *folder = getenv("TMPDIR");
	FILE *f = NULL;
	int fd;

	if (said && *said == '/')
		snprintf(path, cap, "%s", said);
	else
		snprintf(path, cap, "%s/%s", folder && *folder == '/' ? folder : "/tmp",
			 said ? said : name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (!f)
		log_err("cannot write %s: %s", path, strerror(errno));
	return f;
}

void dump_close(FILE *f, const char *path)
{
	bool failed = ferror(f);

	if (fclose(f) || failed)
		log_err("cannot write %s: %s", path, strerror(errno));
	else
		log_info("wrote %s", path);
}

/* ---- keepalived.data ---- */

/* As "ip address" writes them, which is how keepalived does. */
void dump_address_text(const struct conf_instance *i, const struct conf_address *a, bool set,
		       char *buf, size_t cap)
{
	static const struct {
		uint8_t scope;
		const char *name;
	} known[] = {{0, "global"}, {200, "site"}, {253, "link"}, {254, "host"}, {255, "nowhere"}};
	const char *scope = "global";
	char ip[HA_IP_TEXT_SIZE] = "", prefix[8] = "", label[32] = "";

	ha_ip_format(&a->ip, ip, sizeof(ip));
	if (a->prefix < 8 * ha_ip_len(&a->ip))
		snprintf(prefix, sizeof(prefix), "/%u", a->prefix);
	if (a->label)
		snprintf(label, sizeof(label), " label %.15s", a->label);
	for (size_t n = 0; n < sizeof(known) / sizeof(*known); n++)
		if (known[n].scope == a->scope)
			scope = known[n].name;
	snprintf(buf, cap, "%s%s dev %s%s%s scope %s%s%s", ip, prefix, conf_address_device(i, a),
		 a->vmac ? "@" : "", a->vmac ? a->vmac->parent : "", scope, label,
		 set ? " set" : "");
}

static void dump_addresses(FILE *f, const struct conf_instance *i, bool set)
{
	char text[160];

	fprintf(f, "   Virtual IP (%zu):\n", i->n_advertised);
	for (size_t a = 0; a < i->n_addresses; a++) {
		if (a == i->n_advertised)
			fprintf(f, "   Virtual IP Excluded :\n");
		dump_address_text(i, &i->addresses[a], set, text, sizeof(text));
		fprintf(f, "     %s\n", text);
	}
}

static const char *instance_state(const struct heard *h)
{
	return h->state ? why_state((uint32_t)h->state) : "INIT";
}

int dump_effective_priority(const struct conf_instance *i, const struct live_router *r)
{
	return r->status.priority ? r->status.priority : i->priority;
}

static void dump_time(FILE *f, const char *what, double when)
{
	time_t whole = (time_t)when;
	int us = (int)((when - (double)whole) * 1e6);
	char text[64] = "", year[8] = "";
	struct tm t;

	if (localtime_r(&whole, &t)) {
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S", &t);
		strftime(year, sizeof(year), "%Y", &t);
	}
	fprintf(f, "   %s = %lld.%06d (%s.%06d %s)\n", what, (long long)whole, us, text, us, year);
}

static void dump_scripts_of(FILE *f, const struct conf_notify *n)
{
	const struct {
		const char *what;
		const struct conf_script *script;
	} all[] = {
	    {"Backup state transition", &n->backup},  {"Master state transition", &n->master},
	    {"Fault state transition", &n->fault},    {"Stop state transition", &n->stop},
	    {"Deleted state transition", n->deleted}, {"Generic state transition", &n->any},
	    {"Master rx lower pri state transition", n->rx_lower}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!all[i].script || !all[i].script->argv)
			continue;
		fprintf(f, "   %s script =", all[i].what);
		dump_command(f, all[i].script);
	}
}

static void dump_routing(FILE *f, const struct conf_instance *i)
{
	if (i->n_routes)
		fprintf(f, "   Virtual Routes :\n");
	for (size_t r = 0; r < i->n_routes; r++)
		fprintf(f, "     %s\n", i->routes[r].text);
	if (i->n_rules)
		fprintf(f, "   Virtual Rules :\n");
	for (size_t r = 0; r < i->n_rules; r++)
		fprintf(f, "     %s\n", i->rules[r].text);
}

static void dump_way(FILE *f, const struct conf_instance *i)
{
	char ip[HA_IP_TEXT_SIZE] = "";

	if (i->vmac)
		fprintf(f,
			"   Use VMAC, i/f name %s, xmit_base = %s\n   Interface = %s, vmac on %s%s\n",
			i->vmac->name, i->vmac_xmit_base ? "true" : "false", i->vmac->name,
			i->interface, i->vmac_xmit_base ? ", xmit base i/f" : "");
	else
		fprintf(f, "   Interface = %s\n", i->interface);
	if (i->dont_track_primary)
		fprintf(f, "   VRRP interface tracking disabled\n");
	if (i->any_addresses)
		fprintf(f, "   Skip checking advert IP addresses\n");
	if (i->strict)
		fprintf(f, "   Enforcing strict VRRP compliance\n");
	if (i->source.family && ha_ip_format(&i->source, ip, sizeof(ip)) > 0)
		fprintf(f, "   Using src_ip = %s (from configuration)\n", ip);
	if (i->n_peers)
		return;
	fprintf(f, "   Multicast address %s",
		i->group_address.family && ha_ip_format(&i->group_address, ip, sizeof(ip)) > 0 ? ip
		: i->family == AF_INET							       ? "224.0.0.18"
												 : "ff02::12");
	if (i->family == AF_INET6)
		fprintf(f, ", ifindex %u", if_nametoindex(i->interface));
	fputc('\n', f);
}

static void dump_peers(FILE *f, const struct conf_instance *i)
{
	char ip[HA_IP_TEXT_SIZE] = "";

	if (!i->n_peers)
		return;
	fprintf(f, "   Unicast TTL = %u\n   Check unicast src : yes\n   Unicast Peer :\n",
		i->unicast_ttl ? i->unicast_ttl : 255u);
	for (size_t p = 0; p < i->n_peers; p++)
		if (ha_ip_format(&i->peers[p], ip, sizeof(ip)) > 0)
			fprintf(f, "     %s min_ttl %u max_ttl %u\n", ip, i->peer_ttls[p].least,
				i->peer_ttls[p].most ? i->peer_ttls[p].most : 255u);
}

/* All zero: nobody was heard yet. */
static void dump_master(FILE *f, const struct conf_instance *i, const struct ha_vrrp_status *s)
{
	struct ha_ip master = s->active;
	char ip[HA_IP_TEXT_SIZE] = "";

	master.family = i->family;
	ha_ip_format(&master, ip, sizeof(ip));
	fprintf(f, "   Master router = %s\n   Master priority = %u\n", ip, s->active_priority);
	if (i->version == 3)
		fprintf(f, "   Master advert int = %.2f sec\n", s->active_interval_cs / 100.0);
}

static void dump_interval(FILE *f, const struct conf_instance *i, bool backup, const struct ha_vrrp_status *s)
{
	if (i->version == 2)
		fprintf(f, "   Advert interval = %lld sec\n", (long long)i->advert_ms / 1000);
	else
		fprintf(f, "   Advert interval = %lld milli-sec\n", (long long)i->advert_ms);
	if (i->version == 3 && backup)
		fprintf(f, "   Master advert interval = %u milli-sec\n", s->active_interval_cs * 10u);
}

static const char *authentication(const struct conf_instance *i)
{
	if (!i->auth_pass)
		return "none";
	return i->auth_ah ? "IPSEC_AH" : "SIMPLE_PASSWORD";
}

static void dump_instance(FILE *f, const struct conf_instance *i, const struct heard *h,
			  const struct live_router *r)
{
	fprintf(f, " VRRP Instance = %s\n", i->name);
	fprintf(f, "   VRRP Version = %d\n", i->version);
	if (i->group)
		fprintf(f, "   Sync group = %s\n", i->group->name);
	if (i->family == AF_INET6)
		fprintf(f, "   Using Native IPv6\n");
	fprintf(f, "   State = %s\n", instance_state(h));
	if (h->state == HA_VRRP_BACKUP)
		dump_master(f, i, &r->status);
	fprintf(f, "   Wantstate = %s\n", instance_state(h));
	dump_time(f, "Last transition", h->since);
	fprintf(f, "   Master down timer = %" PRIu64 " usecs\n", r->status.down_ns / 1000);
	dump_way(f, i);
	fprintf(f, "   Gratuitous ARP delay = %g\n", (double)i->garp.delay_ms / 1000);
	fprintf(f, "   Gratuitous ARP repeat = %d\n", i->garp.repeat);
	fprintf(f, "   Gratuitous ARP refresh = %g\n", (double)i->garp.refresh_ms / 1000);
	fprintf(f, "   Gratuitous ARP refresh repeat = %d\n", i->garp.refresh_repeat);
	fprintf(f, "   Gratuitous ARP lower priority delay = %g\n",
		(double)i->garp.lower_delay_ms / 1000);
	fprintf(f, "   Gratuitous ARP lower priority repeat = %d\n", i->garp.lower_repeat);
	fprintf(f, "   Down timer adverts = %d\n", i->down_timer_adverts);
	fprintf(f, "   Send advert after receive lower priority advert = %s\n",
		i->no_reply ? "false" : "true");
	fprintf(f, "   Send advert after receive higher priority advert = %s\n",
		i->last_advert ? "true" : "false");
	fprintf(f, "   Promote_secondaries = %s\n",
		i->promote_secondaries ? "enabled" : "disabled");
	fprintf(f, "   Virtual Router ID = %d\n", i->vrid);
	fprintf(f, "   Priority = %d\n", i->priority);
	fprintf(f, "   Effective priority = %d\n", dump_effective_priority(i, r));
	fprintf(f, "   Total priority = %d\n", dump_effective_priority(i, r));
	dump_interval(f, i, h->state == HA_VRRP_BACKUP, &r->status);
	fprintf(f, "   Accept = %s\n", i->no_accept ? "disabled" : "enabled");
	fprintf(f, "   Preempt = %s\n", i->no_preempt ? "disabled" : "enabled");
	if (i->preempt_delay_ms)
		fprintf(f, "   Preempt delay = %g secs\n", (double)i->preempt_delay_ms / 1000);
	if (i->version == 2)
		fprintf(f, "   Authentication type = %s\n", authentication(i));
	dump_addresses(f, i, h->state == HA_VRRP_ACTIVE);
	dump_peers(f, i);
	dump_routing(f, i);
	dump_trackers(f, i);
	fprintf(f, "   Using smtp notification = %s\n", i->smtp_alert == 1 ? "yes" : "no");
	fprintf(f, "   Notify deleted = %s\n", i->tell_deleted ? "Deleted" : "Fault");
	dump_scripts_of(f, &i->notify);
	fprintf(f, "   Notify priority changes = %s\n", i->priority_changes ? "true" : "false");
}

static void dump_group(FILE *f, const struct conf_group *g, const struct heard *h)
{
	const struct conf_instance as = {.interfaces = g->interfaces,
					 .n_interfaces = g->n_interfaces,
					 .scripts = g->scripts,
					 .n_scripts = g->n_scripts,
					 .watches = g->watches};

	fprintf(f, " VRRP Sync Group = %s, %s\n   VRRP member instances :\n", g->name,
		instance_state(h));
	for (size_t i = 0; i < g->n_members; i++)
		fprintf(f, "     %s\n", g->members[i]);
	if (g->tracking_weight)
		fprintf(f, "   sync group tracking weight set\n");
	fprintf(f, "   Using smtp notification = %s\n", g->smtp_alert == 1 ? "yes" : "no");
	dump_trackers(f, &as);
	dump_scripts_of(f, &g->notify);
}

void dump_vrrp_to(FILE *f, const struct supervisor *s)
{
	struct live_router r;
	size_t n = 0;

	dump_globals(f, s);
	dump_static(f, s->conf->fixed);
	fprintf(f, "------< VRRP Topology >------\n");
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, n++) {
		live_read_router(&s->live->router[n], &r);
		dump_instance(f, i, &s->instance[n], &r);
	}
	dump_sockets(f, s->conf);
	n = 0;
	if (s->conf->groups)
		fprintf(f, "------< VRRP Sync groups >------\n");
	for (const struct conf_group *g = s->conf->groups; g; g = g->next)
		dump_group(f, g, &s->group[n++]);
	dump_tracked(f, s);
	dump_interfaces(f, s->conf);
}

void dump_data(struct supervisor *s, void *userdata)
{
	char path[4096], name[DUMP_NAME_SIZE];
	bool bfd = false;
	FILE *f;

	dump_data_name(s, "keepalived", name, sizeof(name));
	f = dump_open(s->conf->globals.state_dump, name, path, sizeof(path));
	if (!f)
		return;
	dump_vrrp_to(f, s);
	dump_close(f, path);
	if (s->conf->n_virtuals)
		dump_check_data(s);
	for (const struct conf_watch *w = s->conf->watches; w && !bfd; w = w->next)
		bfd = w->kind == CONF_WATCH_BFD;
	if (bfd)
		dump_bfd_data(s);
	dump_parent_data(s);
}

/* ---- keepalived.stats ---- */

void dump_stats(struct supervisor *s, void *userdata)
{
	char path[4096];
	FILE *f = dump_open(s->conf->globals.stats_dump, "keepalived.stats", path, sizeof(path));
	struct live_router r;
	size_t n = 0;

	if (!f)
		return;
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next) {
		const struct live_counters *c = &r.counters;

		live_read_router(&s->live->router[n++], &r);
		fprintf(f,
			"VRRP Instance: %s\n  Advertisements:\n    Received: %" PRIu64
			"\n    Sent: %" PRIu64 "\n",
			i->name, c->adverts_received, c->adverts_sent);
		fprintf(f, "  Became master: %" PRIu64 "\n  Released master: %" PRIu64 "\n",
			c->became_active, c->left_active);
		fprintf(f,
			"  Packet Errors:\n    Length: %" PRIu64 "\n    TTL: %" PRIu64
			"\n    Invalid Type: %" PRIu64 "\n    Advertisement Interval: %" PRIu64
			"\n    Address List: %" PRIu64 "\n",
			c->DUMP_DROPPED(LENGTH), c->DUMP_DROPPED(TTL), c->DUMP_DROPPED(TYPE),
			c->DUMP_DROPPED(ADVERT_INTERVAL), c->DUMP_DROPPED(ADDRESS_LIST));
		fprintf(f,
			"  Authentication Errors:\n    Invalid Type: %" PRIu64
			"\n    Type Mismatch: %" PRIu64 "\n    Failure: %" PRIu64 "\n",
			c->DUMP_DROPPED(AUTH_TYPE), c->DUMP_DROPPED(AUTH_MISMATCH),
			c->DUMP_DROPPED(AUTH_FAILURE));
		fprintf(f, "  Priority Zero:\n    Received: %" PRIu64 "\n    Sent: %" PRIu64 "\n",
			c->priority_zero_received, c->priority_zero_sent);
	}
	dump_close(f, path);
}
