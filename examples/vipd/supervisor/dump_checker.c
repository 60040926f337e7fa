/* SPDX-License-Identifier: MIT */
/* Of keepalived_check.data: the checks, and the files and BFD sessions that check, under keepalived's headings. */
#include <inttypes.h>
#include <string.h>

#include "regex.h"
#include "control/report.h"
#include "service_name.h"
#include "supervisor/state.h"

static const char *yes_no(bool on)
{
	return on ? "yes" : "no";
}

bool dump_check_is_up(const struct supervisor *s, const struct conf_check *c, size_t index)
{
	struct health_check_status now;

	if (c->misc)
		return trackers_states(s->trackers)[c->misc->index] != TRACK_FAILED;
	if (conf_check_is_told(c))
		return atomic_load(&s->shared->check[index].alive) != SHARED_ALIVE_DOWN;
	return !live_read_check(s->live, index, &now) || health_state_is_up(now.state);
}

/* ---- What each kind has ---- */

static void dump_url(FILE *f, const struct conf_url *u)
{
	fprintf(f, "   Checked url = %s\n", u->path);
	if (u->digest)
		fprintf(f, "     digest = %s\n", u->digest);
	fprintf(f, "     HTTP Status Code(s)\n");
	if (!u->n_status)
		fprintf(f, "       200-299\n");
	for (size_t i = 0; i < u->n_status; i++)
		if (u->status[i].first == u->status[i].last)
			fprintf(f, "       %u\n", (unsigned)u->status[i].first);
		else
			fprintf(f, "       %u-%u\n", (unsigned)u->status[i].first,
				(unsigned)u->status[i].last);
	if (u->host)
		fprintf(f, "     Virtual host = %s\n", u->host);
	if (u->regex)
		fprintf(f, "     Regex = \"%s\"%s\n", u->regex + REGEX_OPTIONS_LEN,
			u->regex_no_match ? " (no match)" : "");
	if (u->regex_min || u->regex_max)
		fprintf(f, "     Regex min offset = %d, max_offset = %d\n", u->regex_min,
			u->regex_max);
}

static void dump_http(FILE *f, const struct conf_http *h)
{
	fprintf(f, ", http protocol %s\n", h->version_1_1 ? "1.1" : "1.0");
	if (h->host)
		fprintf(f, "   Virtual host = %s\n", h->host);
	fprintf(f, "   Enable SNI %s\n", h->sni ? "set" : "unset");
	if (h->sni_name)
		fprintf(f, "   SNI name %s\n", h->sni_name);
	fprintf(f, "   Fast recovery unset\n");
	for (const struct conf_url *u = h->urls; u; u = u->next)
		dump_url(f, u);
}

/* Some digit of the reply may be any. */
static bool has_mask(const struct conf_udp *u)
{
	for (size_t i = 0; u->reply_mask && i < u->reply_len; i++)
		if (u->reply_mask[i] != 0xff)
			return true;
	return false;
}

static void dump_udp(FILE *f, const struct conf_udp *u)
{
	if (u->payload)
		fprintf(f, "   Payload len = %zu\n", u->payload_len);
	else
		fprintf(f, "   Payload specified = no\n");
	fprintf(f, "   Require reply = %s\n", yes_no(u->require_reply));
	if (!u->require_reply)
		return;
	fprintf(
	    f,
	    "     Min reply length = %d\n     Max reply length = %d\n     Reply data len = %zu\n",
	    u->reply_min, u->reply_max, u->reply_len);
	if (u->reply_len)
		fprintf(f, "     Reply data mask = %s\n", yes_no(has_mask(u)));
}

static void dump_misc(FILE *f, const struct supervisor *s, const struct conf_vrrp_script *m)
{
	fprintf(f, "   script =");
	dump_command(f, &m->script);
	fprintf(f, "   timeout = %" PRId64 "\n   dynamic = %s\n   Last status = %u\n",
		m->timeout_ms / 1000, m->dynamic ? "YES" : "NO",
		(unsigned)trackers_exits(s->trackers)[m->index]);
}

static void dump_kind(FILE *f, const struct supervisor *s, const struct conf_check *c)
{
	fprintf(f, "   Keepalive method = %s", report_check_kind(c));
	if (c->kind == CONF_CHECK_HTTP) {
		dump_http(f, c->http);
		return;
	}
	fputc('\n', f);
	if (c->kind == CONF_CHECK_SMTP)
		fprintf(f, "   helo = %s\n", c->helo ? c->helo : "localhost");
	else if (c->kind == CONF_CHECK_DNS)
		fprintf(f, "   Type = %s\n   Name = %s\n", conf_dns_type_name(c->dns->type),
			c->dns->name ? c->dns->name : "");
	else if (c->kind == CONF_CHECK_UDP)
		dump_udp(f, c->udp);
	else if (c->kind == CONF_CHECK_MISC)
		dump_misc(f, s, c->misc);
	else if (c->kind == CONF_CHECK_FILE)
		fprintf(f, "     Tracked file = %s\n", c->track->name);
	else if (c->kind == CONF_CHECK_BFD)
		fprintf(f, "   Name = %s\n   Alpha is %s\n", c->track->name,
			c->common.alpha == 1 ? "ON" : "OFF");
}

/* ---- What all have ---- */

static void dump_connection(FILE *f, const struct conf_check *c, const struct conf_real *r)
{
	const struct conf_way *w = c->way ? c->way : &conf_way_default;
	const struct ha_ip *to = w->connect_ip.family ? &w->connect_ip : &r->ip;
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(to, ip, sizeof(ip));
	fprintf(f, "   Connection\n     Dest = [%s]:%d\n", ip,
		w->connect_port != CONF_UNSET ? w->connect_port : r->port);
	if (w->bind_ip.family && ha_ip_format(&w->bind_ip, ip, sizeof(ip)) > 0)
		fprintf(f, "     Bind to = [%s]:%d\n", ip,
			w->bind_port != CONF_UNSET ? w->bind_port : 0);
	if (w->bind_device)
		fprintf(f, "     Bind i/f = %s\n", w->bind_device);
	if (w->fwmark)
		fprintf(f, "     Mark = %u\n", w->fwmark);
	fprintf(f, "     Timeout = %f\n", (double)c->common.connect_timeout_ms / 1000);
}

/* A file and BFD tell their changes themselves: there is no rhythm. */
static void dump_rhythm(FILE *f, const struct conf_check *check)
{
	const struct conf_check_common *c = &check->common;

	if (check->kind == CONF_CHECK_FILE)
		return;
	fprintf(f, "   Alpha = %s\n", yes_no(c->alpha == 1));
	if (check->kind == CONF_CHECK_BFD)
		return;
	fprintf(f, "   Delay loop = %" PRId64 " us\n   Warmup = %" PRId64 " us\n   Retries = %d\n",
		(int64_t)c->delay_loop_ms * 1000, (int64_t)c->warmup_ms * 1000, c->retry);
	if (c->retry)
		fprintf(f, "   Delay before retry = %" PRId64 " us\n",
			(int64_t)c->delay_before_retry_ms * 1000);
}

/* Beyond keepalived: how it went last. */
static void dump_result(FILE *f, const struct health_check_status *now)
{
	fprintf(f, "   Runs = %" PRIu64 ", failures = %" PRIu64 "\n", now->runs, now->failures);
	if (now->runs)
		fprintf(f, "   Last result = %s%s%s\n", health_code_name(now->code),
			*now->text ? ", " : "", now->text);
}

static void dump_check(FILE *f, const struct supervisor *s, const struct conf_real *r,
		       const struct conf_check *c, size_t index)
{
	struct health_check_status now = {0};
	bool asks = !conf_check_is_told(c) && live_read_check(s->live, index, &now);
	bool ran = c->misc ? trackers_states(s->trackers)[c->misc->index] != TRACK_INIT
			   : conf_check_is_told(c) || now.runs;

	fprintf(f, "   Enabled = %s\n   Up = %s\n   Has run = %s\n", yes_no(!now.paused),
		yes_no(dump_check_is_up(s, c, index)), yes_no(ran));
	dump_rhythm(f, c);
	fprintf(f, "   Log all failures = %s\n",
		yes_no(c->log_all_failures == CONF_UNSET ? s->conf->globals.log_all_failures
							 : c->log_all_failures));
	if (!conf_check_is_told(c))
		dump_connection(f, c, r);
	dump_kind(f, s, c);
	if (asks)
		dump_result(f, &now);
}

/* ---- Files and BFD sessions ---- */

void dump_tracked_by_real(FILE *f, const struct conf_real *r)
{
	static const struct {
		enum conf_check_kind kind;
		const char *title;
	} all[] = {{CONF_CHECK_FILE, "Tracked Files"}, {CONF_CHECK_BFD, "Tracked BFDs"}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		bool any = false;

		for (const struct conf_check *c = r->checks; c; c = c->next) {
			if (c->kind != all[i].kind)
				continue;
			if (!any)
				fprintf(f, "   %s\n", all[i].title);
			any = true;
			fprintf(f, "     %s", c->track->name);
			if (c->kind == CONF_CHECK_FILE)
				fprintf(f, ", weight %d%s", c->track->weight,
					c->track->reverse ? " reverse" : "");
			fputc('\n', f);
		}
	}
}

/* The checks by this file or session. */
static void dump_users(FILE *f, const struct supervisor *s, const struct conf_watch *w)
{
	char from[SERVICE_NAME_SIZE], to[SERVICE_NAME_SIZE];

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *c = r->checks; c; c = c->next) {
				if ((c->kind != CONF_CHECK_FILE && c->kind != CONF_CHECK_BFD) ||
				    c->track->watch != w)
					continue;
				if (c->kind == CONF_CHECK_BFD)
					fprintf(f, "   %s\n", service_real_name(v, r, to));
				else
					fprintf(f, "     %s -> %s, weight %d\n",
						service_virtual_name(v, from),
						service_real_name(v, r, to), c->track->weight);
			}
}

static bool checks(const struct conf *c, const struct conf_watch *w)
{
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *k = r->checks; k; k = k->next)
				if ((k->kind == CONF_CHECK_FILE || k->kind == CONF_CHECK_BFD) &&
				    k->track->watch == w)
					return true;
	return false;
}

static void dump_watches(FILE *f, const struct supervisor *s, enum conf_watch_kind kind,
			 const char *title)
{
	bool any = false;

	for (const struct conf_watch *w = s->conf->watches; w; w = w->next) {
		if (w->kind != kind || !checks(s->conf, w))
			continue;
		if (!any)
			fprintf(f, "------< Checker track %s >------\n", title);
		any = true;
		if (kind == CONF_WATCH_FILE)
			fprintf(f,
				" Track file = %s\n   File = %s\n   Status = %d\n   Weight = %d\n"
				"   Tracking instances :\n",
				w->name, w->file.path, watches_values(s->watches)[w->index],
				w->weight);
		else
			fprintf(f, " Checker Track BFD = %s\n   Tracking RS :\n", w->name);
		dump_users(f, s, w);
	}
}

void dump_checkers(FILE *f, const struct supervisor *s)
{
	char from[SERVICE_NAME_SIZE], to[SERVICE_NAME_SIZE];
	size_t index = 0;

	fprintf(f, "------< Health checkers >------\n");
	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *c = r->checks; c; c = c->next) {
				fprintf(f, " %s -> %s\n", service_virtual_name(v, from),
					service_real_name(v, r, to));
				dump_check(f, s, r, c, index++);
			}
	dump_watches(f, s, CONF_WATCH_FILE, "files");
	dump_watches(f, s, CONF_WATCH_BFD, "BFDs");
}
