/* SPDX-License-Identifier: MIT */
/* The statistics page and the metrics, as answers to requests (engine/ask.h). Control thread. */
#ifndef PROXYD_STATS_HTTP_H
#define PROXYD_STATS_HTTP_H

#include "engine/ask.h"
#include "stat.h"

/* Sets status, fields and text of the request. */
void stats_answer(struct engine *e, struct ask *a, uint64_t now_ns);

/* What a request asks for, from what follows the page's URI. */
struct page_query {
	enum {
		PAGE_HTML,
		PAGE_CSV,
		PAGE_TYPED,
		PAGE_JSON,
		PAGE_SCHEMA,
		PAGE_INFO,
	} format;
	bool up, no_maint, no_refresh;
	char scope[64];	   /* only proxies whose name has this; "": all */
	char message[8];   /* of the change before: DONE … */
};

/* `rest`: ";csv;up", "?scope=web". Pure. */
void page_read_query(const char *rest, struct page_query *ret);

/* page.c */
void page_write(const struct engine *e, const struct ask *a, const struct page_query *q, const struct stat_filter *f,
		uint64_t now_ns, struct out *o);

/* form.c: what the page's form asks for. The word for `message`. */
const char *form_carry_out(struct engine *e, const struct ask *a, const struct stat_filter *f, uint64_t now_ns);

/* prometheus.c: `query` as behind the "?" of the target. */
void prometheus_write(const struct engine *e, const char *query, uint64_t now_ns, struct out *o);

#endif
