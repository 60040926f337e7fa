/* SPDX-License-Identifier: MIT */
/* keepalived_bfd.data: bfd_instances and how their sessions stand, in keepalived's headings and fields. */
#include <inttypes.h>

#include "supervisor/state.h"

static void dump_asked(FILE *f, const struct supervisor *s, const struct conf_watch *w)
{
	char ip[HA_IP_TEXT_SIZE] = "";
	bool tracked = false;

	for (const struct conf_instance *i = s->conf->instances; i && !tracked; i = i->next)
		for (size_t n = 0; n < i->watches.n; n++)
			tracked |= i->watches.at[n].watch == w;
	ha_ip_format(&w->bfd.peer, ip, sizeof(ip));
	fprintf(f, " BFD Instance = %s\n   Neighbor IP = %s\n", w->name, ip);
	if (w->bfd.local.family && ha_ip_format(&w->bfd.local, ip, sizeof(ip)) > 0)
		fprintf(f, "   Source IP = %s\n", ip);
	fprintf(f,
		"   Required min RX interval = %u us\n   Desired min TX interval = %u us\n"
		"   Desired idle TX interval = %u us\n   Detection multiplier = %d\n",
		w->bfd.rx_us, w->bfd.tx_us, w->bfd.idle_us, w->bfd.multiplier);
	fprintf(
	    f,
	    "   TTL = 255\n   max_hops = %d\n   passive = %s\n   send event to VRRP process = %s\n"
	    "   send event to checker process = %s\n",
	    w->bfd.max_hops, w->bfd.passive ? "true" : "false", tracked ? "Yes" : "No",
	    w->bfd.checked ? "Yes" : "No");
}

/* Their names in keepalived's file. */
static const char *state_name(enum ha_bfd_state state)
{
	static const char *const name[] = {"AdminDown", "Down", "Init", "Up"};

	return (size_t)state < sizeof(name) / sizeof(*name) ? name[state] : "?";
}

static const char *diag_name(uint8_t diag)
{
	return diag ? ha_bfd_diag_name(diag) : "No Diagnostic";
}

static void dump_session(FILE *f, const struct live_bfd *b, int multiplier)
{
	const struct ha_bfd_status *now = &b->status;
	uint64_t detect_us = now->detect_ns / 1000;

	fprintf(f, "   local state = %s\n   remote state = %s\n", state_name(now->state),
		state_name(now->remote_state));
	fprintf(f, "   local discriminator = 0x%x\n   remote discriminator = 0x%x\n",
		b->discriminator, now->remote_discriminator);
	fprintf(f, "   local diag = %s\n   remote diag = %s\n", diag_name(now->diag),
		diag_name(now->remote_diag));
	fprintf(f, "   remote min tx intv = %u us\n   remote min rx intv = %u us\n",
		now->remote_desired_min_tx_us, now->remote_required_min_rx_us);
	fprintf(f, "   local demand = 0\n   remote demand = %d\n   remote detect multiplier = %u\n",
		now->remote_demand, (unsigned)now->remote_detect_mult);
	fprintf(f, "   %spoll\n", now->polling ? "" : "!");
	fprintf(f,
		"   local tx intv = %" PRIu64 " us\n   remote tx intv = %" PRIu64 " us\n"
		"   local detection time = %" PRIu64 " us\n"
		"   remote detection time = %" PRIu64 " us\n",
		now->tx_interval_ns / 1000,
		now->remote_detect_mult ? detect_us / now->remote_detect_mult : 0, detect_us,
		now->remote_detect_mult ? (uint64_t)multiplier * now->tx_interval_ns / 1000 : 0);
}

void dump_bfd_data(struct supervisor *s)
{
	char path[4096], name[DUMP_NAME_SIZE];
	struct live_bfd now;
	FILE *f;

	dump_data_name(s, "keepalived_bfd", name, sizeof(name));
	f = dump_open(NULL, name, path, sizeof(path));
	if (!f)
		return;
	dump_globals(f, s);
	fprintf(f, "------< BFD Topology >------\n");
	for (const struct conf_watch *w = s->conf->watches; w; w = w->next) {
		if (w->kind != CONF_WATCH_BFD)
			continue;
		dump_asked(f, s, w);
		if (live_read_bfd(&s->live->bfd[w->index], &now))
			dump_session(f, &now, w->bfd.multiplier);
		else
			fprintf(
			    f,
			    "   session = not open: no interface or no route to the neighbour\n");
	}
	dump_close(f, path);
}
