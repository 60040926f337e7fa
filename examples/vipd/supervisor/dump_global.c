/* SPDX-License-Identifier: MIT */
/* Of keepalived.data, and the whole of keepalived_parent.data: global_defs and what never moves. */
#include <unistd.h>

#include "supervisor/state.h"

static const char *true_false(bool on)
{
	return on ? "true" : "false";
}

static const char *alert(int said)
{
	return said == CONF_UNSET ? "unset" : said ? "on" : "off";
}

static double seconds(int64_t ms, double unset)
{
	return ms == CONF_UNSET ? unset : (double)ms / 1000;
}

static int number(int said, int unset)
{
	return said == CONF_UNSET ? unset : said;
}

static void dump_mail(FILE *f, const struct conf_mail *m)
{
	if (m->server)
		fprintf(f,
			" Smtp server = %s\n Smtp server port = %u\n Smtp HELO name = %s\n"
			" Smtp server connection timeout = %g\n",
			m->server, (unsigned)m->port, m->helo ? m->helo : "",
			seconds(m->timeout_ms, 30));
	if (m->server || m->from || m->n_to)
		fprintf(f, " Email notification from = %s\n Email notification to:\n",
			m->from ? m->from : "");
	for (size_t i = 0; i < m->n_to; i++)
		fprintf(f, "   %s\n", m->to[i]);
	fprintf(f,
		" Default smtp_alert = %s\n Default smtp_alert_vrrp = %s\n"
		" Default smtp_alert_checker = %s\n",
		alert(m->all), alert(m->vrrp), alert(m->checker));
}

static void dump_fifo(FILE *f, const char *what, const struct conf_fifo *fifo)
{
	if (!fifo->path)
		return;
	fprintf(f, " %s notify fifo = %s\n", what, fifo->path);
	if (!fifo->script.argv)
		return;
	fprintf(f, " %s notify fifo script =", what);
	dump_command(f, &fifo->script);
}

static void dump_group(FILE *f, const char *family, const struct ha_ip *said, const char *unset)
{
	char ip[HA_IP_TEXT_SIZE] = "";

	fprintf(f, " VRRP %s mcast group = %s\n", family,
		said->family && ha_ip_format(said, ip, sizeof(ip)) > 0 ? ip : unset);
}

static void dump_announcements(FILE *f, const struct conf_globals *g)
{
	fprintf(f,
		" Gratuitous ARP delay = %g\n Gratuitous ARP repeat = %d\n"
		" Gratuitous ARP refresh timer = %g\n Gratuitous ARP refresh repeat = %d\n",
		seconds(g->garp.delay_ms, 0), g->garp.repeat, seconds(g->garp.refresh_ms, 0),
		g->garp.refresh_repeat);
	fprintf(f,
		" Gratuitous ARP lower priority delay = %g\n Gratuitous ARP lower priority repeat "
		"= %d\n"
		" Num adverts before down = %d\n",
		seconds(g->garp.lower_delay_ms, 0), g->garp.lower_repeat,
		number(g->down_timer_adverts, 3));
	fprintf(f, " Gratuitous ARP for each secondary %s = %gs\n",
		g->garp.extra_all == 1 ? "i/f" : "VMAC", seconds(g->garp.extra_ms, 0));
	fprintf(f,
		" Send advert after receive lower priority advert = %s\n"
		" Send advert after receive higher priority advert = %s\n",
		true_false(!g->no_reply), true_false(g->last_advert));
	fprintf(f, " Disable local IGMP = %s\n", g->no_local_igmp ? "yes" : "no");
	fprintf(f, " Max auto priority = %d\n Min auto priority delay = %d usecs\n",
		g->vrrp.auto_priority, g->vrrp.auto_delay_us);
	fprintf(f, " Gratuitous ARP interval = %f\n Gratuitous NA interval = %f\n",
		seconds(g->garp_interval_ms, 0), seconds(g->gna_interval_ms, 0));
}

static void dump_process(FILE *f, const char *what, const struct conf_schedule *p)
{
	fprintf(f, " %s process priority = %d\n %s realtime priority = %d\n", what, p->nice, what,
		number(p->rt_priority, 0));
	if (p->rttime_us)
		fprintf(f, " %s realtime limit = %d\n", what, p->rttime_us);
}

static void dump_netlink_buffers(FILE *f, const struct conf_globals *g)
{
	const struct {
		const char *name;
		const struct conf_netlink_buffer *buffer;
	} all[] = {{"vrrp_netlink_cmd", &g->vrrp_command},
		   {"vrrp_netlink_monitor", &g->vrrp_monitor},
		   {"process_monitor", &g->processes},
		   {"lvs_netlink_cmd", &g->lvs_command},
		   {"lvs_netlink_monitor", &g->lvs_monitor}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		fprintf(f, " %s_rcv_bufs = %d\n %s_rcv_bufs_force = %d\n", all[i].name,
			all[i].buffer->bytes, all[i].name, all[i].buffer->force);
}

static void dump_advert_buffers(FILE *f, const struct conf_globals *g)
{
	if (g->rx_policy == CONF_RX_MTU)
		fprintf(f, " rx_bufs_policy = MTU\n");
	if (g->rx_policy == CONF_RX_ADVERT)
		fprintf(f, " rx_bufs_policy = ADVERT\n");
	if (g->rx_policy == CONF_RX_BYTES)
		fprintf(f, " rx_bufs_size = %d\n", g->rx_bytes);
	fprintf(f, " rx_bufs_multiples = %d\n", g->rx_multiplier);
}

static const char *ipvs_name_space(const char *name)
{
	if (!name)
		return "(main namespace)";
	return *name ? name : "(default)";
}

void dump_globals(FILE *f, const struct supervisor *s)
{
	const struct conf_globals *g = &s->conf->globals;
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	fprintf(f, "------< Global definitions >------\n Network namespace = %s\n",
		s->options->name_space ? s->options->name_space : "(default)");
	fprintf(f, " Network namespace ipvs = %s\n", ipvs_name_space(g->ipvs_name_space));
	if (g->instance)
		fprintf(f, " Instance = %s\n", g->instance);
	fprintf(f, " Router ID = %s\n", g->router_id ? g->router_id : host);
	dump_mail(f, &g->mail);
	fprintf(f, " Checkers log all failures = %s\n Dynamic interfaces = true\n",
		true_false(g->log_all_failures));
	fprintf(f, " Default interface = %s\n", g->default_interface ? g->default_interface : "eth0");
	fprintf(f, " LVS flush = %s\n LVS flush on stop = %s\n", true_false(g->flush),
		g->flush_on_stop ? "full" : "disabled");
	dump_fifo(f, "Global", &g->fifo);
	dump_fifo(f, "VRRP", &g->vrrp_fifo);
	dump_fifo(f, "LVS", &g->lvs_fifo);
	fprintf(f, " FIFO write vrrp states on reload = %s\n VRRP notify priority changes = %s\n",
		true_false(g->fifo_on_reload), true_false(g->priority_changes));
	dump_group(f, "IPv4", &g->group4, "224.0.0.18");
	dump_group(f, "IPv6", &g->group6, "ff02::12");
	dump_announcements(f, g);
	fprintf(f, " VRRP default protocol version = %d\n VRRP skip check advert addresses = %s\n",
		number(g->version, 2), true_false(g->any_addresses));
	fprintf(f, " VRRP strict mode = %s\n", true_false(g->strict));
	if (g->startup_delay_ms > 0)
		fprintf(f, " vrrp_startup_delay = %g\n", (double)g->startup_delay_ms / 1000);
	if (g->log_unknown_vrids)
		fprintf(f, " log_unknown_vrids\n");
	dump_process(f, "VRRP", &g->vrrp);
	dump_process(f, "Checker", &g->checker);
	fprintf(f, " rs_init_notifies = %d\n no_checker_emails = %d\n", g->init_notifies,
		g->mail.no_checker);
	fprintf(f, " Script security %s\n", g->script_security ? "enabled" : "disabled");
	dump_netlink_buffers(f, g);
	dump_advert_buffers(f, g);
	if (g->umask != CONF_UNSET)
		fprintf(f, " umask = 0%o\n", (unsigned)g->umask);
}

void dump_static(FILE *f, const struct conf_instance *fixed)
{
	char text[160];

	if (fixed && fixed->n_addresses)
		fprintf(f, "------< Static Addresses >------\n");
	for (size_t i = 0; fixed && i < fixed->n_addresses; i++) {
		dump_address_text(fixed, &fixed->addresses[i], true, text, sizeof(text));
		fprintf(f, "     %s\n", text);
	}
	if (fixed && fixed->n_routes)
		fprintf(f, "------< Static Routes >------\n");
	for (size_t i = 0; fixed && i < fixed->n_routes; i++)
		fprintf(f, "     %s\n", fixed->routes[i].text);
	if (fixed && fixed->n_rules)
		fprintf(f, "------< Static Rules >------\n");
	for (size_t i = 0; fixed && i < fixed->n_rules; i++)
		fprintf(f, "     %s\n", fixed->rules[i].text);
}

void dump_parent_data(struct supervisor *s)
{
	char path[4096], name[DUMP_NAME_SIZE];
	FILE *f;

	dump_data_name(s, "keepalived_parent", name, sizeof(name));
	f = dump_open(NULL, name, path, sizeof(path));
	if (!f)
		return;
	dump_globals(f, s);
	dump_close(f, path);
}
