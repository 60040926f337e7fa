/* SPDX-License-Identifier: MIT */
/* keepalived_check.data: virtual servers, real servers and checks, under keepalived's headings. */
#include <inttypes.h>
#include <libha/service.h>
#include <netinet/in.h>

#include "report.h"
#include "supervisor_state.h"

static const char *on_off(bool on)
{
	return on ? "ON" : "OFF";
}

static const char *method_name(int method)
{
	return method == HA_FORWARD_DR ? "DR" : method == HA_FORWARD_TUN ? "TUN" : "NAT";
}

static void dump_listen(FILE *f, const struct conf_virtual *v)
{
	char ip[HA_IP_TEXT_SIZE] = "";

	if (v->group_name)
		fprintf(f, " VS GROUP = %s\n", v->group_name);
	for (size_t l = 0; l < v->n_listen; l++) {
		ha_ip_format(&v->listen[l].ip, ip, sizeof(ip));
		if (v->listen[l].fwmark)
			fprintf(f, " VS FWMARK = %u\n", v->listen[l].fwmark);
		else
			fprintf(f, " VS VIP = %s, VPORT = %u\n", ip, (unsigned)v->listen[l].port);
	}
}

static void dump_check(FILE *f, const struct conf_check *c, const struct live *l, size_t index)
{
	struct health_check_status now;

	fprintf(f, "     Keepalive method = %s\n", report_check_kind(c));
	if (!c->misc && live_read_check(l, index, &now))
		fprintf(f, "       Runs = %" PRIu64 ", failures = %" PRIu64 "\n", now.runs,
			now.failures);
	fprintf(f, "       Delay loop = %g\n       Retries = %d\n",
		(double)c->common.delay_loop_ms / 1000, c->common.retry);
}

static void dump_real(FILE *f, const struct conf_real *r, const struct live *l, size_t real,
		      size_t check)
{
	int32_t weight = atomic_load(&l->real[real].weight);
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	fprintf(f,
		"   ------< Real server >------\n   RIP = %s, RPORT = %u, WEIGHT = %d EFF WEIGHT = "
		"%d\n",
		ip, (unsigned)r->port, r->weight, weight < 0 ? 0 : weight);
	fprintf(f, "   forwarding method = %s\n   Alpha is %s\n", method_name(r->forward.method),
		on_off(r->common.alpha == 1));
	fprintf(f, "   connection limit range = %d -> %d\n   Delay loop = %g\n", r->lower, r->upper,
		(double)r->common.delay_loop_ms / 1000);
	fprintf(f, "   Inhibit on failure is %s\n   Using smtp notification = %s\n",
		on_off(r->inhibit == 1), r->smtp_alert == 1 ? "yes" : "no");
	fprintf(f,
		"   initial weight = %d\n   effective weight = %d\n   alive = %u\n   RS set = %d\n",
		r->weight, weight < 0 ? 0 : weight, atomic_load(&l->real[real].alive), weight >= 0);
	for (const struct conf_check *c = r->checks; c; c = c->next)
		dump_check(f, c, l, check++);
}

static void dump_virtual(FILE *f, const struct conf_virtual *v, const struct live_virtual *now)
{
	fprintf(f, " ------< Virtual server >------\n");
	dump_listen(f, v);
	fprintf(f, "   delay_loop = %g\n   lvs_sched = %s\n",
		(double)v->common.delay_loop_ms / 1000, v->scheduler ? v->scheduler : "wlc");
	if (v->persistence_s)
		fprintf(f, "   persistence timeout = %lld\n", (long long)v->persistence_s);
	fprintf(f, "   protocol = %s\n   alpha is %s\n   omega is %s\n",
		v->protocol == IPPROTO_TCP    ? "TCP"
		: v->protocol == IPPROTO_SCTP ? "SCTP"
					      : "UDP",
		on_off(v->common.alpha == 1), on_off(v->omega));
	fprintf(f, "   Inhibit on failure is %s\n   quorum = %d, hysteresis = %d\n",
		on_off(v->inhibit == 1), v->quorum, v->hysteresis);
	fprintf(f, "   Using smtp notification = %s\n   default forwarding method = %s\n",
		v->smtp_alert == 1 ? "yes" : "no", method_name(v->forward.method));
	fprintf(f, "   alive = %d\n   quorum_state_up = %u\n", atomic_load(&now->live_weight) > 0,
		atomic_load(&now->up));
	fprintf(f, "   sorry server in use = %s\n",
		atomic_load(&now->sorry_weight) >= 0 ? "yes" : "no");
}

void dump_check_data(struct supervisor *s)
{
	char path[4096], name[DUMP_NAME_SIZE];
	size_t virtual = 0, real = 0, check = 0;
	FILE *f;

	dump_data_name(s, "keepalived_check", name, sizeof(name));
	f = dump_open(NULL, name, path, sizeof(path));
	if (!f)
		return;
	fprintf(f, "------< LVS Topology >------\n");
	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		dump_virtual(f, v, &s->live->virtual[virtual ++]);
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			dump_real(f, r, s->live, real++, check);
			for (const struct conf_check *c = r->checks; c; c = c->next)
				check++;
		}
	}
	dump_close(f, path);
}
