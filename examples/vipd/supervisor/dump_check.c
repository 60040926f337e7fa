/* SPDX-License-Identifier: MIT */
/* keepalived_check.data: groups, virtual and real servers under keepalived's headings. Its checks: supervisor/dump_checker.c */
#include <arpa/inet.h>
#include <libha/service.h>
#include <netinet/in.h>
#include <string.h>

#include "service_name.h"
#include "supervisor/state.h"

static const char *on_off(bool on)
{
	return on ? "ON" : "OFF";
}

static const char *enabled(bool on)
{
	return on ? "enabled" : "disabled";
}

/* In capitals, unlike in a server's name. */
static const char *protocol_title(const struct conf_virtual *v)
{
	const char *name = service_protocol(v);

	return !strcmp(name, "tcp")    ? "TCP"
	       : !strcmp(name, "udp")  ? "UDP"
	       : !strcmp(name, "sctp") ? "SCTP"
				       : name;
}

/* ---- Groups ---- */

static bool follows(const struct conf_listen *a, const struct conf_listen *b)
{
	size_t last = ha_ip_len(&a->ip) - 1;
	struct ha_ip next = a->ip;

	if (a->fwmark || b->fwmark || a->port != b->port || next.bytes[last] == 0xff)
		return false;
	next.bytes[last]++;
	return !ha_ip_compare(&next, &b->ip);
}

static void dump_group(FILE *f, const struct conf_virtual_group *g)
{
	bool four = false, six = false;

	for (size_t i = 0; i < g->n_listen; i++) {
		four |= g->listen[i].ip.family == AF_INET;
		six |= g->listen[i].ip.family == AF_INET6;
	}
	fprintf(f, " Virtual Server Group = %s, IPv4 = %s, IPv6 = %s\n", g->name,
		four ? "yes" : "no", six ? "yes" : "no");
	for (size_t i = 0, first; i < g->n_listen; i++) {
		char from[HA_IP_TEXT_SIZE] = "", to[HA_IP_TEXT_SIZE] = "";

		if (g->listen[i].fwmark) {
			fprintf(f, "   FWMARK = %u\n", g->listen[i].fwmark);
			continue;
		}
		for (first = i; i + 1 < g->n_listen && follows(&g->listen[i], &g->listen[i + 1]);)
			i++;
		ha_ip_format(&g->listen[first].ip, from, sizeof(from));
		ha_ip_format(&g->listen[i].ip, to, sizeof(to));
		if (first < i)
			fprintf(f, "   VIP Range = %s-%s", from, to);
		else
			fprintf(f, "   VIP = %s", from);
		fprintf(f, ", VPORT = %u\n", (unsigned)g->listen[i].port);
	}
}

/* ---- Virtual servers ---- */

static void put_method(FILE *f, const char *what, const struct conf_forward *forward)
{
	static const char *const tunnel[] = {
	    [HA_TUNNEL_IPIP] = "IPIP", [HA_TUNNEL_GUE] = "GUE", [HA_TUNNEL_GRE] = "GRE"};

	if (forward->method != HA_FORWARD_TUN) {
		fprintf(f, "%s = %s\n", what, forward->method == HA_FORWARD_DR ? "DR" : "NAT");
		return;
	}
	fprintf(f, "%s = TUN, type = %s", what, tunnel[forward->tunnel]);
	if (forward->tunnel == HA_TUNNEL_GUE)
		fprintf(f, ", port = %u", (unsigned)forward->tunnel_port);
	if (forward->tunnel != HA_TUNNEL_IPIP)
		fputs(forward->tunnel_flags & HA_TUNNEL_REMCSUM ? ", remote checksum"
		      : forward->tunnel_flags & HA_TUNNEL_CSUM	? ", checksum"
								: ", no checksum",
		      f);
	fputc('\n', f);
}

static void dump_script(FILE *f, const char *what, const struct conf_script *script)
{
	if (!script->argv)
		return;
	fprintf(f, "%s notify script =", what);
	dump_command(f, script);
}

/* Names of the flags as the scheduler knows them. */
static void dump_flags(FILE *f, const struct conf_virtual *v)
{
	const char *own =
	    v->scheduler && (!strcmp(v->scheduler, "sh") || !strcmp(v->scheduler, "mh"))
		? v->scheduler
		: NULL;

	fprintf(f, "   Hashed = disabled\n");
	if (own)
		fprintf(f, "   %s-port = %s\n   %s-fallback = %s\n", own,
			enabled(v->flags & HA_SERVICE_SCHED_PORT), own,
			enabled(v->flags & HA_SERVICE_SCHED_FALLBACK));
	else
		fprintf(f, "   flag-1 = %s\n   flag-2 = %s\n   flag-3 = %s\n",
			enabled(v->flags & HA_SERVICE_SCHED_FALLBACK),
			enabled(v->flags & HA_SERVICE_SCHED_PORT),
			enabled(v->flags & HA_SERVICE_SCHED_3));
	fprintf(f, "   One packet scheduling = %s\n", enabled(v->flags & HA_SERVICE_ONE_PACKET));
}

static void dump_persistence(FILE *f, const struct conf_virtual *v, bool six)
{
	struct in_addr mask;
	char text[INET_ADDRSTRLEN] = "";

	if (!v->persistence_s)
		return;
	fprintf(f, "   persistence timeout = %lld\n", (long long)v->persistence_s);
	if (v->persistence_engine)
		fprintf(f, "   persistence engine = %s\n", v->persistence_engine);
	if (v->persistence_prefix <= 0 || v->persistence_prefix >= (six ? 128 : 32))
		return;
	mask.s_addr = htonl(six ? 0 : ~UINT32_C(0) << (32 - v->persistence_prefix));
	if (six)
		fprintf(f, "   persistence granularity = %d\n", v->persistence_prefix);
	else if (inet_ntop(AF_INET, &mask, text, sizeof(text)))
		fprintf(f, "   persistence granularity = %s\n", text);
}

static void dump_listen(FILE *f, const struct conf_virtual *v)
{
	const struct conf_listen *l = v->listen;
	char ip[HA_IP_TEXT_SIZE] = "";

	if (v->group_name)
		fprintf(f, " VS GROUP = [%s]:0\n", v->group_name);
	else if (v->n_listen && l->fwmark)
		fprintf(f, " VS FWMARK = %u\n", l->fwmark);
	else if (v->n_listen && ha_ip_format(&l->ip, ip, sizeof(ip)) > 0)
		fprintf(f, " VS VIP = %s, VPORT = %u\n", ip, (unsigned)l->port);
}

static void dump_common(FILE *f, const struct conf_check_common *c)
{
	if (c->retry != CONF_UNSET)
		fprintf(f, "   Retry count = %d\n", c->retry);
	if (c->delay_before_retry_ms != CONF_UNSET)
		fprintf(f, "   Retry delay = %f\n", (double)c->delay_before_retry_ms / 1000);
	if (c->warmup_ms != CONF_UNSET)
		fprintf(f, "   Warmup = %f\n", (double)c->warmup_ms / 1000);
}

static double seconds(int64_t ms, double otherwise)
{
	return ms == CONF_UNSET ? otherwise : (double)ms / 1000;
}

static void dump_virtual(FILE *f, const struct conf_virtual *v, const struct live_virtual *now)
{
	bool six = v->n_listen && v->listen[0].ip.family == AF_INET6;
	char name[SERVICE_NAME_SIZE];

	fprintf(f, " ------< Virtual server >------\n");
	dump_listen(f, v);
	if (v->host)
		fprintf(f, "   VirtualHost = %s\n", v->host);
	fprintf(f, "   Address family = %s\n   connection timeout = %f\n   delay_loop = %f\n",
		six ? "inet6" : "inet", seconds(v->common.connect_timeout_ms, 5),
		seconds(v->common.delay_loop_ms, 60));
	fprintf(f, "   lvs_sched = %s\n", v->scheduler ? v->scheduler : "wlc");
	dump_flags(f, v);
	dump_persistence(f, v, six);
	fprintf(f, "   protocol = %s\n   alpha is %s\n   omega is %s\n", protocol_title(v),
		on_off(v->common.alpha == 1), on_off(v->omega));
	dump_common(f, &v->common);
	fprintf(f, "   Inhibit on failure is %s\n   quorum = %d, hysteresis = %d\n",
		on_off(v->inhibit == 1), v->quorum, v->hysteresis);
	if (v->quorum_notify) {
		dump_script(f, "   Quorum up", &v->quorum_notify->up);
		dump_script(f, "   Quorum down", &v->quorum_notify->down);
	}
	if (v->ha_suspend)
		fprintf(f, "   Using HA suspend\n");
	fprintf(f, "   Using smtp notification = %s\n", v->smtp_alert == 1 ? "yes" : "no");
	put_method(f, "   default forwarding method", &v->forward);
	if (v->sorry) {
		fprintf(f, "   sorry server = %s\n", service_real_name(v, v->sorry, name));
		put_method(f, "     forwarding method", &v->sorry_forward);
		fprintf(f, "     Inhibit on failure is %s\n     In use = %s\n",
			on_off(v->sorry_inhibit == 1),
			atomic_load(&now->sorry_weight) >= 0 ? "yes" : "no");
	}
	/* It stays in the kernel's table, with servers or without. */
	fprintf(f, "   alive = 1\n   live weight = %lld\n   quorum_state_up = %u\n",
		(long long)atomic_load(&now->live_weight), atomic_load(&now->up));
}

/* ---- Real servers ---- */

static unsigned failed_checks(const struct supervisor *s, const struct conf_real *r, size_t check)
{
	unsigned failed = 0;

	for (const struct conf_check *c = r->checks; c; c = c->next)
		failed += !dump_check_is_up(s, c, check++);
	return failed;
}

/* A server that is out, or makes way for the sorry server, keeps the weight that it will have, as keepalived tells it. */
static void dump_real(FILE *f, const struct supervisor *s, const struct conf_virtual *v,
		      const struct conf_real *r, size_t real, size_t check)
{
	const struct live_real *now = &s->live->real[real];
	int32_t in_table = atomic_load(&now->weight);
	bool alive = atomic_load(&now->alive);
	int32_t weight = alive && in_table > 0 ? in_table : r->weight;
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	fprintf(f,
		"   ------< Real server >------\n   RIP = %s, RPORT = %u, WEIGHT = %d EFF WEIGHT = "
		"%d\n",
		ip, service_port(v, r), r->weight, weight);
	put_method(f, "   forwarding method", &r->opts->forward);
	fprintf(f, "   Alpha is %s\n   connection timeout = %f\n", on_off(r->opts->common.alpha == 1),
		seconds(r->opts->common.connect_timeout_ms, 5));
	fprintf(f, "   connection limit range = %d -> %d\n   Delay loop = %f\n", r->opts->lower, r->opts->upper,
		seconds(r->opts->common.delay_loop_ms, 60));
	dump_common(f, &r->opts->common);
	fprintf(f, "   Inhibit on failure is %s\n", on_off(r->opts->inhibit == 1));
	if (r->opts->notify) {
		dump_script(f, "     RS up", &r->opts->notify->up);
		dump_script(f, "     RS down", &r->opts->notify->down);
	}
	if (r->opts->host)
		fprintf(f, "    VirtualHost = '%s'\n", r->opts->host);
	fprintf(f, "   Using smtp notification = %s\n", r->opts->smtp_alert == 1 ? "yes" : "no");
	fprintf(f,
		"   initial weight = %d\n   effective weight = %d\n   alive = %d\n"
		"   num failed checkers = %u\n   RS set = %d\n",
		r->weight, weight, alive, failed_checks(s, r, check), in_table >= 0);
	dump_tracked_by_real(f, r);
}

static void dump_ssl(FILE *f, const struct conf_globals *g)
{
	if (!g->ssl_certificate && !g->ssl_key)
		return;
	fprintf(f, "------< SSL definitions >------\n");
	if (g->ssl_certificate)
		fprintf(f, " Certificate file : %s\n", g->ssl_certificate);
	if (g->ssl_key)
		fprintf(f, " Key file : %s\n", g->ssl_key);
}

static void dump_topology(FILE *f, const struct supervisor *s)
{
	size_t virtual = 0, real = 0, check = 0;

	fprintf(f, "------< LVS Topology >------\n");
	if (s->conf->virtual_groups)
		fprintf(f, " ------< Virtual server group >------\n");
	for (const struct conf_virtual_group *g = s->conf->virtual_groups; g; g = g->next)
		dump_group(f, g);
	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		dump_virtual(f, v, &s->live->virtual[virtual ++]);
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			dump_real(f, s, v, r, real++, check);
			for (const struct conf_check *c = r->checks; c; c = c->next)
				check++;
		}
	}
}

void dump_check_to(FILE *f, const struct supervisor *s)
{
	dump_globals(f, s);
	dump_ssl(f, &s->conf->globals);
	dump_topology(f, s);
	dump_checkers(f, s);
}

void dump_check_data(struct supervisor *s)
{
	char path[4096], name[DUMP_NAME_SIZE];
	FILE *f;

	dump_data_name(s, "keepalived_check", name, sizeof(name));
	f = dump_open(NULL, name, path, sizeof(path));
	if (!f)
		return;
	dump_check_to(f, s);
	dump_close(f, path);
}
