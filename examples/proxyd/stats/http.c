/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"
#include "schema.h"

/* ---- The query ---- */

static bool is_safe(const char *text, size_t len)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";

	for (size_t i = 0; i < len; i++)
		if (!strchr(safe, text[i]) || !text[i])
			return false;
	return true;
}

static void copy(char *to, size_t cap, const char *text, size_t len)
{
	if (len < cap && is_safe(text, len)) {
		memcpy(to, text, len);
		to[len] = '\0';
	}
}

void page_read_query(const char *rest, struct page_query *ret)
{
	static const struct {
		const char *name;
		int format;
	} formats[] = {
	    {"csv", PAGE_CSV},	      {"typed", PAGE_TYPED}, {"json", PAGE_JSON},
	    {"json-schema", PAGE_SCHEMA}, {"info", PAGE_INFO},
	};

	memset(ret, 0, sizeof(*ret));
	while (*rest) {
		size_t len;

		rest += strspn(rest, ";?&");
		len = strcspn(rest, ";?&");
		for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
			if (strlen(formats[i].name) == len && !strncmp(formats[i].name, rest, len))
				ret->format = formats[i].format;
		ret->up |= len == 2 && !strncmp(rest, "up", 2);
		ret->no_maint |= len == 8 && !strncmp(rest, "no-maint", 8);
		ret->no_refresh |= len == 9 && !strncmp(rest, "norefresh", 9);
		if (!strncmp(rest, "scope=", 6))
			copy(ret->scope, sizeof(ret->scope), rest + 6, len - 6);
		else if (!strncmp(rest, "st=", 3))
			copy(ret->message, sizeof(ret->message), rest + 3, len - 3);
		rest += len;
	}
}

/* ---- What may be seen ---- */

struct scope {
	const struct ask *ask;
	const struct page_query *query;
};

static bool in_scope(const void *userdata, const char *proxy)
{
	const struct scope *s = userdata;
	const struct cfg_stats *c = s->ask->stats;
	bool ok = !c->n_scopes;

	for (unsigned i = 0; i < c->n_scopes; i++)
		ok |= !strcmp(proxy, strcmp(c->scopes[i], ".") != 0 ? c->scopes[i] : s->ask->proxy);
	return ok && (!*s->query->scope || strstr(proxy, s->query->scope));
}

/* ---- Answers ---- */

static void give(struct ask *a, unsigned status, const char *type, struct out *o)
{
	char fields[96];

	if (o->failed) {
		out_free(o);
		a->status = 0;
		return;
	}
	snprintf(fields, sizeof(fields), "content-type: %s\r\n", type);
	a->status = status;
	free(a->fields);
	a->fields = strdup(fields);
	a->text = o->at;
	a->text_len = o->len;
}

/* What follows the page's URI in the target. */
static const char *rest_of(const struct ask *a)
{
	const char *at = strstr(a->target, a->stats->uri);

	return at ? at + strlen(a->stats->uri) : "";
}

/* Back to the page by GET, so that a reload of it does not send the form again. */
static void send_back(struct ask *a, const char *message)
{
	char fields[700];

	snprintf(fields, sizeof(fields), "location: %.600s;st=%s\r\n", a->stats->uri, message);
	a->fields = strdup(fields);
	a->status = a->fields ? 303 : 0;
}

static void add_refresh(struct ask *a)
{
	char *fields;

	if (a->fields && asprintf(&fields, "%sRefresh: %u\r\n", a->fields, a->stats->refresh_s) > 0) {
		free(a->fields);
		a->fields = fields;
	}
}

static void answer_page(struct engine *e, struct ask *a, uint64_t now_ns)
{
	static const char *const type[] = {"text/html; charset=utf-8", "text/plain", "text/plain",
					   "application/json", "application/json", "text/plain"};
	struct page_query q;
	struct scope scope = {a, &q};
	struct stat_filter f = {.iid = STAT_ALL, .sid = STAT_ALL, .legends = a->stats->legends, .in_scope = in_scope,
				.userdata = &scope};
	struct out o = {0};

	page_read_query(rest_of(a), &q);
	if (a->is_post) {
		send_back(a, form_carry_out(e, a, &f, now_ns));
		return;
	}
	f.up = q.up;
	f.no_maint = q.no_maint;
	if (q.format == PAGE_HTML)
		page_write(e, a, &q, &f, now_ns, &o);
	else if (q.format == PAGE_SCHEMA)
		schema_write(&o);
	else if (q.format == PAGE_INFO)
		info_write(e, now_ns, STAT_CSV, 0, &o);
	else
		stat_write(e, now_ns, &f, q.format == PAGE_CSV ? STAT_CSV : q.format == PAGE_JSON ? STAT_JSON : STAT_TYPED,
			   false, &o);
	give(a, 200, type[q.format], &o);
	if (a->status && q.format == PAGE_HTML && a->stats->refresh_s && !q.no_refresh)
		add_refresh(a);
}

void stats_answer(struct engine *e, struct ask *a, uint64_t now_ns)
{
	const char *query = strchr(a->target, '?');
	struct out o = {0};

	if (a->kind == ASK_STATS) {
		answer_page(e, a, now_ns);
		return;
	}
	prometheus_write(e, query ? query + 1 : "", now_ns, &o);
	give(a, 200, "text/plain; version=0.0.4", &o);
}
