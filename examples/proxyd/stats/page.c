/* SPDX-License-Identifier: MIT */
/*
 * The statistics page: one file without scripts and without anything from elsewhere. A proxy is a section with a
 * table; on a phone the table scrolls, its first column stays. Colours follow the reader's light or dark scheme.
 */
#include <stdio.h>
#include <string.h>

#include "http.h"
#include "info.h"
#include "version.h"

static const char style[] =
    ":root{--bg:#f6f7f9;--fg:#1c2330;--dim:#667085;--card:#fff;--line:#e3e7ee;--up:#12805c;--down:#c6322b;"
    "--warn:#a86400;--rest:#5b6b84;--row:#fafbfd;--link:#1c5fc7}"
    "@media(prefers-color-scheme:dark){:root{--bg:#11151c;--fg:#e4e8ef;--dim:#93a0b4;--card:#191f29;--line:#2a3341;"
    "--up:#3ecf9a;--down:#ff7369;--warn:#f0b14a;--rest:#93a0b4;--row:#1d2430;--link:#7db2ff}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}"
    "header,main{max-width:1500px;margin:0 auto;padding:12px 16px}h1{font-size:20px;margin:0}"
    "h1 small,h2 small{font-weight:400;color:var(--dim);font-size:13px}a{color:var(--link);text-decoration:none}"
    "a:hover{text-decoration:underline}dl{display:flex;flex-wrap:wrap;gap:6px 22px;margin:10px 0 0}dl div{display:flex;"
    "gap:6px}dt{color:var(--dim)}dd{margin:0;font-variant-numeric:tabular-nums}nav{margin-top:10px;display:flex;"
    "flex-wrap:wrap;gap:4px 14px}section{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "margin:0 0 16px;overflow:hidden}h2{font-size:15px;margin:0;padding:10px 14px;border-bottom:1px solid var(--line)}"
    ".t{overflow-x:auto}table{border-collapse:collapse;width:100%;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "th,td{padding:4px 9px;text-align:right;border-bottom:1px solid var(--line)}thead th{color:var(--dim);"
    "font-weight:500;font-size:12px}th.g{text-align:center;border-left:1px solid var(--line)}tbody tr:hover td,"
    "tbody tr:hover th{background:var(--row)}tbody th{position:sticky;left:0;background:var(--card);text-align:left;"
    "font-weight:600}td.s{text-align:left}tr.b th,tr.b td{font-weight:600;border-bottom:0}.up{color:var(--up)}"
    ".down{color:var(--down)}.warn{color:var(--warn)}.rest{color:var(--rest)}i{font-style:normal;color:var(--dim)}"
    "p.m{margin:10px 0 0;padding:8px 12px;border-radius:8px;border:1px solid var(--line);background:var(--card)}"
    "fieldset{border:0;margin:0;padding:8px 14px;display:flex;gap:8px;align-items:center}select,button{font:inherit;"
    "padding:4px 10px;border-radius:6px;border:1px solid var(--line);background:var(--bg);color:var(--fg)}";

struct page {
	struct out *o;
	const struct ask *ask;
	unsigned iid;  /* of the open section; 0: none */
	bool has_form; /* its servers can be changed */
};

/* ---- Head ---- */

static void item(struct out *o, const char *name, const char *value)
{
	out_printf(o, "<div><dt>%s</dt><dd>", name);
	out_html(o, value);
	out_text(o, "</dd></div>");
}

static void number_item(struct out *o, const char *name, uint64_t n)
{
	out_printf(o, "<div><dt>%s</dt><dd>%llu</dd></div>", name, (unsigned long long)n);
}

static const char *message_text(const char *code)
{
	static const char *const texts[][2] = {
	    {"DONE", "Done."},
	    {"NONE", "Nothing was changed: no server was chosen."},
	    {"ERRP", "Nothing was changed: the form names something that is not there."},
	    {"PART", "Some were changed, some could not be."},
	    {"DENY", "Nothing was changed: this page may not, or the form came from another site."},
	    {"EXCD", "Nothing was changed: too many servers at once."},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(code, texts[i][0]))
			return texts[i][1];
	return NULL;
}

static void link_to(struct out *o, const char *uri, const char *option, const char *text)
{
	out_text(o, "<a href=\"");
	out_html(o, uri);
	out_printf(o, "%s\">%s</a>", option, text);
}

static void write_head(const struct engine *e, const struct ask *a, const struct page_query *q, uint64_t now_ns,
		       struct out *o)
{
	const struct cfg_stats *s = a->stats;
	const char *message = message_text(q->message);
	struct info i;

	info_read(e, now_ns, &i);
	out_text(o, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		    "content=\"width=device-width,initial-scale=1\"><title>Statistics");
	if (s->show_node) {
		out_text(o, " of ");
		out_html(o, s->node ? s->node : i.text[INFO_NODE]);
	}
	out_printf(o, "</title><style>%s</style></head><body><header><h1>proxyd", style);
	if (!s->hide_version)
		out_printf(o, " <small>%s</small>", PROXYD_VERSION);
	if (s->show_node) {
		out_text(o, " <small>on ");
		out_html(o, s->node ? s->node : i.text[INFO_NODE]);
		out_text(o, "</small>");
	}
	if (s->show_desc && (s->desc || i.text[INFO_DESCRIPTION])) {
		out_text(o, " <small>");
		out_html(o, s->desc ? s->desc : i.text[INFO_DESCRIPTION]);
		out_text(o, "</small>");
	}
	out_text(o, "</h1><dl>");
	item(o, "up", i.uptime);
	number_item(o, "process", i.n[INFO_PID]);
	number_item(o, "threads", i.n[INFO_NBTHREAD]);
	number_item(o, "connections", i.n[INFO_CURR_CONNS]);
	number_item(o, "of at most", i.n[INFO_MAXCONN]);
	number_item(o, "new per second", i.n[INFO_CONN_RATE]);
	number_item(o, "requests so far", i.n[INFO_CUM_REQ]);
	out_text(o, "</dl><nav>");
	link_to(o, s->uri, q->up ? "" : ";up", q->up ? "all servers" : "only servers that are up");
	if (s->refresh_s)
		link_to(o, s->uri, q->no_refresh ? "" : ";norefresh", q->no_refresh ? "refresh" : "do not refresh");
	link_to(o, s->uri, "", "now");
	link_to(o, s->uri, ";csv", "CSV");
	link_to(o, s->uri, ";json", "JSON");
	out_text(o, "</nav>");
	if (message)
		out_printf(o, "<p class=\"m\" role=\"status\">%s</p>", message);
	out_text(o, "</header><main>");
}

/* ---- A proxy ---- */

static void end_section(struct page *p)
{
	struct out *o = p->o;

	if (!p->iid)
		return;
	out_text(o, "</tbody></table></div>");
	if (p->has_form)
		out_text(o, "<fieldset><label>Chosen servers <select name=\"action\"><option value=\"\">…</option>"
			    "<option value=\"ready\">ready</option><option value=\"drain\">drain: nothing new</option>"
			    "<option value=\"maint\">maintenance</option><option value=\"dhlth\">do not check</option>"
			    "<option value=\"ehlth\">check</option><option value=\"hrunn\">count as up</option>"
			    "<option value=\"hnolb\">count as stopping</option><option value=\"hdown\">count as down"
			    "</option><option value=\"shutdown\">end sessions</option></select></label><button>Apply</button></fieldset></form>");
	out_text(o, "</section>");
}

static void begin_section(struct page *p, const struct stat_row *r)
{
	struct out *o = p->o;
	const char *name = r->v[STAT_PXNAME].text;

	end_section(p);
	p->iid = r->iid;
	p->has_form = p->ask->admin && r->has_servers;
	out_text(o, "<section id=\"");
	out_html(o, name);
	out_text(o, "\"><h2><a href=\"#");
	out_html(o, name);
	out_text(o, "\">");
	out_html(o, name);
	out_printf(o, "</a> <small>%s</small></h2>", r->v[STAT_MODE].text);
	if (p->has_form) {
		out_text(o, "<form method=\"post\" action=\"");
		out_html(o, p->ask->stats->uri);
		out_text(o, "\"><input type=\"hidden\" name=\"b\" value=\"");
		out_html(o, name);
		out_text(o, "\">");
	}
	out_text(o, "<div class=\"t\"><table><thead><tr><th></th><th></th><th class=\"g\" colspan=\"2\">Queue</th>"
		    "<th class=\"g\" colspan=\"2\">Per second</th><th class=\"g\" colspan=\"4\">Sessions</th>"
		    "<th class=\"g\" colspan=\"2\">Bytes</th><th class=\"g\" colspan=\"3\">HTTP</th>"
		    "<th class=\"g\" colspan=\"2\">Denied</th><th class=\"g\" colspan=\"3\">Errors</th>"
		    "<th class=\"g\" colspan=\"2\">Tried again</th><th class=\"g\" colspan=\"3\">ms</th>"
		    "<th class=\"g\" colspan=\"6\">Server</th></tr><tr><th></th><th>State</th>"
		    "<th>now</th><th>max</th><th>now</th><th>max</th><th>now</th><th>max</th><th>limit</th><th>all</th>"
		    "<th>in</th><th>out</th><th>2xx</th><th>4xx</th><th>5xx</th><th>req</th><th>resp</th><th>req</th>"
		    "<th>conn</th><th>resp</th><th>retry</th><th>other</th><th>connect</th><th>answer</th><th>total</th>"
		    "<th>check</th><th>weight</th><th>role</th><th>failed</th><th>downs</th><th>down for</th></tr></thead>"
		    "<tbody>");
}

static const char *class_of(const struct stat_row *r)
{
	const char *status = r->v[STAT_STATUS].text;

	if (!strncmp(status, "MAINT", 5) || !strcmp(status, "PAUSED") || !strcmp(status, "STOP"))
		return "rest";
	if (!strncmp(status, "DOWN", 4))
		return "down";
	if (r->draining || strchr(status, '/'))
		return "warn";
	return strcmp(status, "no check") ? "up" : "rest";
}

static void cell(struct page *p, const struct stat_row *r, enum stat_field f)
{
	out_text(p->o, "<td>");
	if (r->set[f] && r->v[f].n) /* zeros are many and say nothing */
		out_number(p->o, r->v[f].n);
	else if (r->set[f])
		out_text(p->o, "<i>0</i>");
	out_text(p->o, "</td>");
}

/* 12.3M */
static void bytes_cell(struct page *p, const struct stat_row *r, enum stat_field f)
{
	static const char unit[] = " kMGTP";
	uint64_t n = r->v[f].n, rest = 0;
	unsigned i = 0;

	for (; n >= 1000 && i < 5; i++) {
		rest = n % 1000 / 100;
		n /= 1000;
	}
	if (!r->set[f])
		out_text(p->o, "<td></td>");
	else if (!i)
		out_printf(p->o, "<td>%llu</td>", (unsigned long long)n);
	else
		out_printf(p->o, "<td title=\"%llu\">%llu.%llu%c</td>", (unsigned long long)r->v[f].n,
			   (unsigned long long)n, (unsigned long long)rest, unit[i]);
}

/* 3d4h, 5m20s */
static void age(uint64_t s, char *buf, size_t cap)
{
	if (s >= 86400)
		snprintf(buf, cap, "%ud%uh", (unsigned)(s / 86400), (unsigned)(s / 3600 % 24));
	else if (s >= 3600)
		snprintf(buf, cap, "%uh%um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
	else if (s >= 60)
		snprintf(buf, cap, "%um%us", (unsigned)(s / 60), (unsigned)(s % 60));
	else
		snprintf(buf, cap, "%us", (unsigned)s);
}

static void state_cell(struct page *p, const struct stat_row *r)
{
	char since[32] = "";

	if (r->set[STAT_LASTCHG])
		age(r->v[STAT_LASTCHG].n, since, sizeof(since));
	out_printf(p->o, "<td class=\"s %s\">%s <i>%s</i></td>", class_of(r), r->v[STAT_STATUS].text, since);
}

static void name_cell(struct page *p, const struct stat_row *r)
{
	struct out *o = p->o;

	out_text(o, "<th scope=\"row\">");
	if (r->kind == STAT_SERVER && p->has_form) {
		out_text(o, "<label><input type=\"checkbox\" name=\"s\" value=\"");
		out_html(o, r->v[STAT_SVNAME].text);
		out_text(o, "\"> ");
	}
	out_html(o, r->kind == STAT_FRONTEND ? "Frontend" : r->kind == STAT_BACKEND ? "Backend" : r->v[STAT_SVNAME].text);
	if (r->kind == STAT_SERVER && p->has_form)
		out_text(o, "</label>");
	if (r->set[STAT_ADDR]) {
		out_text(o, " <i>");
		out_html(o, r->v[STAT_ADDR].text);
		out_text(o, "</i>");
	}
	out_text(o, "</th>");
}

static void server_cells(struct page *p, const struct stat_row *r)
{
	struct out *o = p->o;
	char down[32] = "";

	out_text(o, "<td class=\"s\"");
	if (r->set[STAT_CHECK_STATUS]) {
		out_text(o, " title=\"");
		out_html(o, r->set[STAT_LAST_CHK] ? r->v[STAT_LAST_CHK].text
			    : r->set[STAT_CHECK_DESC] ? r->v[STAT_CHECK_DESC].text : "");
		out_printf(o, "\">%s", r->v[STAT_CHECK_STATUS].text);
		if (r->set[STAT_CHECK_CODE])
			out_printf(o, "/%llu", (unsigned long long)r->v[STAT_CHECK_CODE].n);
		if (r->set[STAT_CHECK_DURATION])
			out_printf(o, " <i>%llu ms</i>", (unsigned long long)r->v[STAT_CHECK_DURATION].n);
	} else {
		out_text(o, ">");
	}
	out_text(o, "</td>");
	if (r->set[STAT_THROTTLE])
		out_printf(o, "<td>%llu <i>%llu %%</i></td>", (unsigned long long)r->v[STAT_WEIGHT].n,
			   (unsigned long long)r->v[STAT_THROTTLE].n);
	else
		cell(p, r, STAT_WEIGHT);
	if (r->kind == STAT_SERVER)
		out_printf(o, "<td>%s</td>", r->is_backup ? "backup" : "active");
	else if (r->kind == STAT_BACKEND)
		out_printf(o, "<td>%llu + %llu</td>", (unsigned long long)r->v[STAT_ACT].n,
			   (unsigned long long)r->v[STAT_BCK].n);
	else
		out_text(o, "<td></td>");
	cell(p, r, STAT_CHKFAIL);
	cell(p, r, STAT_CHKDOWN);
	if (r->set[STAT_DOWNTIME])
		age(r->v[STAT_DOWNTIME].n, down, sizeof(down));
	out_printf(o, "<td>%s</td>", down);
}

static void write_row(void *userdata, const struct stat_row *r)
{
	static const enum stat_field before[] = {STAT_QCUR, STAT_QMAX, STAT_RATE, STAT_RATE_MAX,
						 STAT_SCUR, STAT_SMAX, STAT_SLIM, STAT_STOT},
				     after[] = {STAT_HRSP_2XX, STAT_HRSP_4XX, STAT_HRSP_5XX, STAT_DREQ, STAT_DRESP,
						STAT_EREQ,     STAT_ECON,     STAT_ERESP,    STAT_WRETR, STAT_WREDIS,
						STAT_CTIME,    STAT_RTIME,    STAT_TTIME};
	struct page *p = userdata;

	if (r->iid != p->iid)
		begin_section(p, r);
	out_text(p->o, r->kind == STAT_BACKEND ? "<tr class=\"b\">" : "<tr>");
	name_cell(p, r);
	state_cell(p, r);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		cell(p, r, before[i]);
	bytes_cell(p, r, STAT_BIN);
	bytes_cell(p, r, STAT_BOUT);
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
		cell(p, r, after[i]);
	server_cells(p, r);
	out_text(p->o, "</tr>\n");
}

void page_write(const struct engine *e, const struct ask *a, const struct page_query *q, const struct stat_filter *f,
		uint64_t now_ns, struct out *o)
{
	struct page p = {.o = o, .ask = a};

	write_head(e, a, q, now_ns, o);
	stat_each(e, now_ns, f, write_row, &p);
	end_section(&p);
	out_text(o, "</main></body></html>\n");
}
