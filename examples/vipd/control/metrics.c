/* SPDX-License-Identifier: MIT */
#include "control/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "control/report.h"
#include "tracker.h"

/* One look at everything: a family's samples must stand together, so it is walked many times. */
struct look {
	const struct supervisor *s;
	FILE *to;
	struct live_router *router; /* of each instance */
};

static void family(const struct look *l, const char *name, const char *type, const char *help)
{
	fprintf(l->to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* , NAME="VALUE" with what the format wants to be escaped. */
static void label(const struct look *l, const char *name, const char *value)
{
	fprintf(l->to, "%s=\"", name);
	for (; value && *value; value++) {
		if (*value == '\n')
			fputs("\\n", l->to);
		else if (*value == '"' || *value == '\\')
			fprintf(l->to, "\\%c", *value);
		else
			fputc(*value, l->to);
	}
	fputc('"', l->to);
}

static void sample(const struct look *l, const char *name, double value)
{
	fprintf(l->to, "%s %.17g\n", name, value);
}

/* ---- Instances ---- */

static void instance_labels(const struct look *l, const char *name, const struct conf_instance *i)
{
	fprintf(l->to, "%s{", name);
	label(l, "iname", i->name);
	fputc(',', l->to);
	label(l, "intf", i->interface);
	fprintf(l->to, ",vrid=\"%d\"", i->vrid);
}

/* A series of this name is there already: an address on two interfaces. */
static bool is_said(const struct conf_instance *i, size_t a)
{
	const struct conf_address *list = i->addresses;

	for (size_t n = 0; n < a; n++)
		if (!ha_ip_compare(&list[n].ip, &list[a].ip) && list[n].prefix == list[a].prefix &&
		    list[n].advertised == list[a].advertised)
			return true;
	return false;
}

static void states(const struct look *l, const char *name, const char *help, bool advertised)
{
	size_t n = 0;

	family(l, name, "gauge", help);
	for (const struct conf_instance *i = l->s->conf->instances; i; i = i->next, n++) {
		for (size_t a = 0; a < i->n_addresses; a++) {
			char ip[HA_IP_TEXT_SIZE] = "";

			if (i->addresses[a].advertised != advertised || is_said(i, a))
				continue;
			ha_ip_format(&i->addresses[a].ip, ip, sizeof(ip));
			instance_labels(l, name, i);
			fprintf(l->to, ",ip_address=\"%s/%u\"} %d\n", ip, i->addresses[a].prefix,
				(int)l->s->instance[n].state);
		}
	}
}

/* Counters of both exporters: the second one's names have another prefix and no _total. */
static const struct {
	const char *name, *other;
	size_t offset; /* in struct live_counters */
	const char *help;
} counters[] = {
#define COUNTER(name, other, member, help)                             \
	{                                                              \
		"keepalived_" name "_total", "keepalived_vrrp_" other, \
		    offsetof(struct live_counters, member), help       \
	}
#define DROPPED(name, other, reason, help) \
	COUNTER(name, other, dropped[HA_VRRP_DROP_##reason], help)
    COUNTER("advertisements_received", "advert_rcvd", adverts_received, "Adverts accepted"),
    COUNTER("advertisements_sent", "advert_sent", adverts_sent, "Adverts sent"),
    COUNTER("become_master", "become_master", became_active, "Times it became MASTER"),
    COUNTER("release_master", "release_master", left_active, "Times it stopped being MASTER"),
    DROPPED("packet_length_errors", "packet_len_err", LENGTH, "Adverts of a wrong length"),
    DROPPED("advertisements_interval_errors", "advert_interval_err", ADVERT_INTERVAL,
	    "Adverts with another interval"),
    DROPPED("ip_ttl_errors", "ip_ttl_err", TTL, "Adverts that came over a router"),
    DROPPED("invalid_type_received", "invalid_type_rcvd", TYPE, "VRRP packets that are no adverts"),
    DROPPED("address_list_errors", "addr_list_err", ADDRESS_LIST, "Adverts with other addresses"),
    DROPPED("authentication_invalid", "invalid_authtype", AUTH_TYPE,
	    "Adverts with an unknown authentication"),
    DROPPED("authentication_mismatch", "authtype_mismatch", AUTH_MISMATCH,
	    "Adverts with another authentication than ours"),
    DROPPED("authentication_failure", "auth_failure", AUTH_FAILURE,
	    "Adverts with a wrong password"),
    COUNTER("priority_zero_received", "pri_zero_rcvd", priority_zero_received,
	    "Adverts of a MASTER that resigns"),
    COUNTER("priority_zero_sent", "pri_zero_sent", priority_zero_sent,
	    "Adverts that said that this node resigns"),
};

static void instance_counter(const struct look *l, const char *name, size_t offset,
			     const char *help)
{
	size_t n = 0;

	family(l, name, "counter", help);
	for (const struct conf_instance *i = l->s->conf->instances; i; i = i->next, n++) {
		uint64_t value;

		memcpy(&value, (const char *)&l->router[n].counters + offset, sizeof(value));
		instance_labels(l, name, i);
		fprintf(l->to, "} %" PRIu64 "\n", value);
	}
}

typedef double instance_fn(const struct look *l, const struct conf_instance *i, size_t n);

static double garp_delay(const struct look *l, const struct conf_instance *i, size_t n)
{
	return (double)i->garp.delay_ms / 1000;
}

static double priority(const struct look *l, const struct conf_instance *i, size_t n)
{
	return l->router[n].status.priority ? l->router[n].status.priority : i->priority;
}

static double since(const struct look *l, const struct conf_instance *i, size_t n)
{
	return l->s->instance[n].since;
}

static double held(const struct look *l, const struct conf_instance *i, size_t n)
{
	return l->s->orders->hold[n];
}

static void instance_gauge(const struct look *l, const char *name, instance_fn *fn,
			   const char *help)
{
	size_t n = 0;

	family(l, name, "gauge", help);
	for (const struct conf_instance *i = l->s->conf->instances; i; i = i->next, n++) {
		instance_labels(l, name, i);
		fprintf(l->to, "} %.17g\n", fn(l, i, n));
	}
}

/* What was dropped or remarked, by name; only what happened. */
static void by_name(const struct look *l, const char *name, const char *what, size_t offset,
		    int n_kinds, const char *(*name_of)(int), const char *help)
{
	size_t n = 0;

	family(l, name, "counter", help);
	for (const struct conf_instance *i = l->s->conf->instances; i; i = i->next, n++) {
		const uint64_t *count =
		    (const void *)((const char *)&l->router[n].counters + offset);

		for (int k = 0; k < n_kinds; k++) {
			if (!count[k])
				continue;
			instance_labels(l, name, i);
			fputc(',', l->to);
			label(l, what, name_of(k));
			fprintf(l->to, "} %" PRIu64 "\n", count[k]);
		}
	}
}

static const char *drop_name(int kind)
{
	return ha_vrrp_drop_name((enum ha_vrrp_drop)kind);
}

static const char *remark_name(int kind)
{
	return ha_vrrp_remark_name((enum ha_vrrp_remark)kind);
}

static void dual_master(const struct look *l)
{
	static const struct {
		const char *evidence;
		int remark;
	} all[] = {{"advert", HA_VRRP_REMARK_LOSING_ADVERT}, {"arp", HA_VRRP_REMARK_DUPLICATE}};
	const char *name = "hawser_vrrp_dual_master_evidence_total";
	size_t n = 0;

	family(l, name, "counter",
	       "Signs of a second MASTER: adverts of one, or ARP and ND that claim our addresses");
	for (const struct conf_instance *i = l->s->conf->instances; i; i = i->next, n++) {
		for (int e = 0; e < 2; e++) {
			instance_labels(l, name, i);
			fprintf(l->to, ",evidence=\"%s\"} %" PRIu64 "\n", all[e].evidence,
				l->router[n].counters.remarks[all[e].remark]);
		}
	}
}

typedef double sender_fn(const struct ha_vrrp_sender *o);

static double sender_adverts(const struct ha_vrrp_sender *o)
{
	return (double)o->adverts;
}

static double sender_missed(const struct ha_vrrp_sender *o)
{
	return (double)o->missed;
}

static double sender_last(const struct ha_vrrp_sender *o)
{
	return report_time(o->last_ns);
}

static double sender_priority(const struct ha_vrrp_sender *o)
{
	return o->priority;
}

static void senders(const struct look *l, const char *name, const char *type, sender_fn *fn,
		    const char *help)
{
	size_t n = 0;

	family(l, name, type, help);
	for (const struct conf_instance *i = l->s->conf->instances; i; i = i->next, n++) {
		for (uint32_t p = 0; p < l->router[n].n_senders; p++) {
			char ip[HA_IP_TEXT_SIZE] = "";

			ha_ip_format(&l->router[n].sender[p].address, ip, sizeof(ip));
			instance_labels(l, name, i);
			fprintf(l->to, ",peer=\"%s\"} %.17g\n", ip, fn(&l->router[n].sender[p]));
		}
	}
}

static void lateness(const struct look *l)
{
	const char *name = "hawser_vrrp_timer_lateness_seconds";
	const struct live_late *late = l->s->live->late;
	uint64_t sum = 0;

	family(l, name, "histogram", "How late the VRRP process served its timers");
	for (int i = 0; i < LIVE_LATE_BOUNDS; i++) {
		sum += atomic_load(&late->count[i]);
		fprintf(l->to, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
			(double)live_late_bound_ns[i] / 1e9, sum);
	}
	sum += atomic_load(&late->count[LIVE_LATE_BOUNDS]);
	fprintf(l->to, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9f\n%s_count %" PRIu64 "\n",
		name, sum, name, (double)atomic_load(&late->sum_ns) / 1e9, name, sum);
}

static void write_instances(const struct look *l)
{
	states(l, "keepalived_vrrp_state", "0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT", true);
	states(l, "keepalived_vrrp_excluded_state", "The same of virtual_ipaddress_excluded",
	       false);
	for (size_t c = 0; c < sizeof(counters) / sizeof(*counters); c++) {
		instance_counter(l, counters[c].name, counters[c].offset, counters[c].help);
		instance_counter(l, counters[c].other, counters[c].offset, counters[c].help);
	}
	instance_gauge(l, "keepalived_gratuitous_arp_delay_total", garp_delay,
		       "garp_master_delay in seconds; the name is that of the exporter");
	instance_gauge(l, "hawser_vrrp_effective_priority", priority, "With what trackers add");
	instance_gauge(l, "hawser_vrrp_state_since_seconds", since,
		       "UNIX time of the last transition");
	instance_gauge(l, "hawser_vrrp_held", held, "1: an administrator holds it");
	by_name(l, "hawser_vrrp_dropped_total", "reason", offsetof(struct live_counters, dropped),
		HA_VRRP_N_DROPS, drop_name, "Adverts that were dropped");
	by_name(l, "hawser_vrrp_remarks_total", "remark", offsetof(struct live_counters, remarks),
		HA_VRRP_N_REMARKS, remark_name, "What an administrator should know");
	dual_master(l);
	senders(l, "hawser_vrrp_peer_adverts_total", "counter", sender_adverts,
		"Adverts of another router");
	senders(l, "hawser_vrrp_peer_adverts_lost_total", "counter", sender_missed,
		"Adverts of another MASTER that did not come");
	senders(l, "hawser_vrrp_peer_priority", "gauge", sender_priority, "As heard last");
	senders(l, "hawser_vrrp_peer_last_heard_seconds", "gauge", sender_last,
		"UNIX time of its last advert");
	lateness(l);
}

static void write_scripts(const struct look *l)
{
	family(l, "keepalived_script_status", "gauge", "1: the vrrp_script succeeds");
	for (const struct conf_vrrp_script *t = l->s->conf->scripts; t; t = t->next) {
		fputs("keepalived_script_status{", l->to);
		label(l, "name", t->name);
		fprintf(l->to, "} %d\n", trackers_states(l->s->trackers)[t->index] == TRACK_OK);
	}
	family(l, "keepalived_script_state", "gauge", "0: idle, 1: it runs");
	for (const struct conf_vrrp_script *t = l->s->conf->scripts; t; t = t->next) {
		fputs("keepalived_script_state{", l->to);
		label(l, "name", t->name);
		fprintf(l->to, "} %d\n", trackers_runs(l->s->trackers, t->index));
	}
}

/* ---- Virtual and real servers ---- */

typedef double virtual_fn(const struct conf_virtual *v, const struct live_virtual *now);

static double virtual_up(const struct conf_virtual *v, const struct live_virtual *now)
{
	return atomic_load(&now->up) != 0;
}

static double virtual_weight(const struct conf_virtual *v, const struct live_virtual *now)
{
	return (double)atomic_load(&now->live_weight);
}

static double virtual_quorum(const struct conf_virtual *v, const struct live_virtual *now)
{
	return v->quorum;
}

static double virtual_sorry(const struct conf_virtual *v, const struct live_virtual *now)
{
	return atomic_load(&now->sorry_weight) >= 0;
}

static void virtual_gauge(const struct look *l, const char *name, virtual_fn *fn, const char *help)
{
	size_t n = 0;

	family(l, name, "gauge", help);
	for (const struct conf_virtual *v = l->s->conf->virtuals; v; v = v->next) {
		fprintf(l->to, "%s{", name);
		label(l, "virtual_server", v->name);
		fprintf(l->to, "} %.17g\n", fn(v, &l->s->live->virtual[n++]));
	}
}

typedef double real_fn(const struct look *l, size_t n);

static double real_up(const struct look *l, size_t n)
{
	return atomic_load(&l->s->live->real[n].alive) != 0;
}

static double real_weight(const struct look *l, size_t n)
{
	int32_t weight = atomic_load(&l->s->live->real[n].weight);

	return weight < 0 ? 0 : weight;
}

static double real_admin(const struct look *l, size_t n)
{
	return l->s->orders->real[n].admin;
}

static void real_labels(const struct look *l, const char *name, const struct conf_virtual *v,
			const struct conf_real *r)
{
	char real[CONF_REAL_NAME_SIZE];

	conf_real_name(r, real, sizeof(real));
	fprintf(l->to, "%s{", name);
	label(l, "virtual_server", v->name);
	fputc(',', l->to);
	label(l, "real_server", real);
}

static void real_gauge(const struct look *l, const char *name, real_fn *fn, const char *help)
{
	size_t n = 0;

	family(l, name, "gauge", help);
	for (const struct conf_virtual *v = l->s->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			real_labels(l, name, v, r);
			fprintf(l->to, "} %.17g\n", fn(l, n++));
		}
	}
}

typedef double check_fn(const struct health_check_status *c);

static double check_runs(const struct health_check_status *c)
{
	return (double)c->runs;
}

static double check_failures(const struct health_check_status *c)
{
	return (double)c->failures;
}

static double check_took(const struct health_check_status *c)
{
	return (double)c->last_total_ns / 1e9;
}

static void checks(const struct look *l, const char *name, const char *type, check_fn *fn,
		   const char *help)
{
	size_t n = 0;

	family(l, name, type, help);
	for (const struct conf_virtual *v = l->s->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			int number = 0;

			for (const struct conf_check *k = r->checks; k; k = k->next, n++) {
				struct health_check_status c;

				if (conf_check_is_told(k) || !live_read_check(l->s->live, n, &c))
					continue;
				real_labels(l, name, v, r);
				fprintf(l->to, ",check=\"%s\",number=\"%d\"} %.17g\n",
					report_check_kind(k), number++, fn(&c));
			}
		}
	}
}

/* Of a service or a real server: counters of the second exporter, and what there is now. */
static const struct {
	const char *name;
	size_t offset; /* in struct live_traffic */
	const char *help;
} traffic[] = {
    {"in_packets", offsetof(struct live_traffic, in_packets), "Packets of clients"},
    {"out_packets", offsetof(struct live_traffic, out_packets), "Packets to clients"},
    {"in_bytes", offsetof(struct live_traffic, in_bytes), "Bytes of clients"},
    {"out_bytes", offsetof(struct live_traffic, out_bytes), "Bytes to clients"},
    {"conn", offsetof(struct live_traffic, conns), "Connections"},
};

static void address_labels(const struct look *l, const char *name, const struct ha_ip *ip,
			   unsigned port, uint32_t fwmark, const struct conf_virtual *v)
{
	char text[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(ip, text, sizeof(text));
	if (fwmark)
		fprintf(l->to, "%s{addr=\"fwmark %u\",proto=\"", name, fwmark);
	else
		fprintf(l->to, "%s{addr=\"%s:%u\",proto=\"", name, text, port);
	fprintf(l->to, "%s\",",
		v->protocol == IPPROTO_TCP    ? "TCP"
		: v->protocol == IPPROTO_SCTP ? "SCTP"
					      : "UDP");
	label(l, "virtual_server", v->name);
}

static uint64_t traffic_value(const struct live_traffic *t, size_t offset)
{
	return atomic_load((const _Atomic uint64_t *)(const void *)((const char *)t + offset));
}

static void service_traffic(const struct look *l, const char *name, size_t offset, const char *help)
{
	const struct live_traffic *t = l->s->live->service;

	family(l, name, "counter", help);
	for (const struct conf_virtual *v = l->s->conf->virtuals; v; v = v->next) {
		for (size_t n = 0; n < v->n_listen; n++, t++) {
			const struct conf_listen *at = &v->listen[n];

			address_labels(l, name, &at->ip, at->port, at->fwmark, v);
			fprintf(l->to, "} %" PRIu64 "\n", traffic_value(t, offset));
		}
	}
}

static void real_traffic(const struct look *l, const char *name, size_t offset, const char *help)
{
	const struct live_traffic *t = l->s->live->dest;

	family(l, name, "counter", help);
	for (const struct conf_virtual *v = l->s->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next, t++) {
			address_labels(l, name, &r->ip, r->port, 0, v);
			fprintf(l->to, "} %" PRIu64 "\n", traffic_value(t, offset));
		}
	}
}

static double real_active(const struct look *l, size_t n)
{
	return atomic_load(&l->s->live->dest[n].active);
}

static double real_inactive(const struct look *l, size_t n)
{
	return atomic_load(&l->s->live->dest[n].inactive);
}

static void write_traffic(const struct look *l)
{
	char name[64];

	for (size_t i = 0; i < sizeof(traffic) / sizeof(*traffic); i++) {
		snprintf(name, sizeof(name), "keepalived_lvs_vip_%s", traffic[i].name);
		service_traffic(l, name, traffic[i].offset, traffic[i].help);
		snprintf(name, sizeof(name), "keepalived_lvs_rs_%s", traffic[i].name);
		real_traffic(l, name, traffic[i].offset, traffic[i].help);
	}
	real_gauge(l, "hawser_real_server_active_connections", real_active, "That exist now");
	real_gauge(l, "hawser_real_server_inactive_connections", real_inactive,
		   "That are ending, or idle");
}

static void write_virtuals(const struct look *l)
{
	virtual_gauge(l, "hawser_virtual_server_up", virtual_up, "1: it has its quorum");
	virtual_gauge(l, "hawser_virtual_server_live_weight", virtual_weight,
		      "Sum of the weights of the real servers that live");
	virtual_gauge(l, "hawser_virtual_server_quorum", virtual_quorum, "As configured");
	virtual_gauge(l, "hawser_virtual_server_sorry_in_use", virtual_sorry,
		      "1: the sorry server is in use");
	real_gauge(l, "hawser_real_server_up", real_up, "1: its checks pass");
	real_gauge(l, "hawser_real_server_weight", real_weight, "In use; 0: no new connections");
	real_gauge(l, "hawser_real_server_admin", real_admin, "0 ready, 1 drain, 2 disabled");
	checks(l, "hawser_check_runs_total", "counter", check_runs, "Checks that ended");
	checks(l, "hawser_check_failures_total", "counter", check_failures, "Of these, failed");
	checks(l, "hawser_check_duration_seconds", "gauge", check_took, "Of the last one");
	write_traffic(l);
}

/* ---- The daemon ---- */

static void write_daemon(const struct look *l)
{
	family(l, "keepalived_up", "gauge", "1: it runs");
	sample(l, "keepalived_up", 1);
	family(l, "hawser_vipd_info", "gauge", "The version");
	sample(l, "hawser_vipd_info{version=\"" VIPD_VERSION "\"}", 1);
	family(l, "hawser_vipd_start_time_seconds", "gauge", "UNIX time of the start");
	sample(l, "hawser_vipd_start_time_seconds", l->s->started);
	family(l, "hawser_vipd_config_load_time_seconds", "gauge",
	       "UNIX time at which the configuration in force was read");
	sample(l, "hawser_vipd_config_load_time_seconds", l->s->loaded);
	family(l, "hawser_vipd_last_reload_successful", "gauge", "0: the file was refused");
	sample(l, "hawser_vipd_last_reload_successful", !l->s->load_failed);
	family(l, "hawser_vipd_process_up", "gauge", "1: the process runs");
	for (int r = 0; r < N_ROLES; r++)
		if (l->s->child[r].wanted)
			fprintf(l->to, "hawser_vipd_process_up{process=\"%s\"} %d\n",
				role_name((enum role)r), l->s->child[r].pid != 0);
	family(l, "hawser_vipd_process_deaths_total", "counter", "Times the process died");
	for (int r = 0; r < N_ROLES; r++)
		if (l->s->child[r].wanted)
			fprintf(l->to, "hawser_vipd_process_deaths_total{process=\"%s\"} %u\n",
				role_name((enum role)r), l->s->child[r].deaths);
}

int metrics_write(const struct supervisor *s, FILE *to)
{
	struct look l = {
	    .s = s, .to = to, .router = calloc(s->conf->n_instances + 1, sizeof(*l.router))};

	if (!l.router)
		return -ENOMEM;
	for (size_t i = 0; i < s->conf->n_instances; i++)
		live_read_router(&s->live->router[i], &l.router[i]);
	write_daemon(&l);
	write_instances(&l);
	write_scripts(&l);
	write_virtuals(&l);
	free(l.router);
	return ferror(to) ? -ENOMEM : 0;
}
