/* SPDX-License-Identifier: MIT */
/* The worker's side of the statistics page: is this request for it, and may this client see it? */
#include "http.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine/ask.h"
#include "rules/acl.h"

/* "Authorization: Basic …" with one of the page's users, of which the base64 text is kept. */
static bool is_known(const struct http_msg *m, const struct cfg_stats *s)
{
	const struct http_field *f = http_find(m, "authorization", 13, 0);
	const char *at = f ? http_text(m, f->value) : "";
	size_t len = f ? f->value.len : 0, skip = 6;
	unsigned hits = 0;

	if (len < 6 || strncasecmp(at, "basic ", 6) != 0)
		return false;
	while (skip < len && at[skip] == ' ')
		skip++;
	for (unsigned i = 0; i < s->n_users; i++) {
		size_t want = strlen(s->users[i]);

		/* all are compared, each in full: the time tells nothing */
		hits += want == len - skip && !CRYPTO_memcmp(s->users[i], at + skip, want);
	}
	return hits;
}

static void ask_for_user(struct worker *w, struct exchange *x, const char *realm)
{
	char fields[512], page[512];
	size_t len = http_page_body(401, page, sizeof(page));

	snprintf(fields, sizeof(fields), "www-authenticate: Basic realm=\"%.300s\"\r\ncontent-type: text/html\r\n", realm);
	exchange_answer(w, x, 401, fields, page, len);
}

/* HAProxy's order: the rules as written, then the users. False: it is answered. */
static bool may_see(struct worker *w, struct exchange *x, const struct http_msg *m, const struct cfg_stats *s,
		    struct run *r)
{
	bool known = is_known(m, s);

	for (unsigned i = 0; i < s->n_rules; i++) {
		const struct cfg_stats_rule *rule = &s->rules[i];

		r->scratch.used = 0;
		if (rule->action == CFG_STATS_ADMIN_IF || (rule->cond && !cond_eval(rule->cond, r)))
			continue;
		if (rule->action == CFG_STATS_ALLOW)
			return true;
		if (rule->action == CFG_STATS_DENY) {
			exchange_fail(w, x, 403, 'P', 'R');
			return false;
		}
		if (!known) {
			ask_for_user(w, x, rule->realm ? rule->realm : s->realm);
			return false;
		}
	}
	if (s->n_users && !known) {
		ask_for_user(w, x, s->realm);
		return false;
	}
	return true;
}

static bool may_change(const struct cfg_stats *s, struct run *r)
{
	for (unsigned i = 0; i < s->n_rules; i++) {
		r->scratch.used = 0;
		if (s->rules[i].action == CFG_STATS_ADMIN_IF && (!s->rules[i].cond || cond_eval(s->rules[i].cond, r)))
			return true;
	}
	return false;
}

bool http_stats(struct worker *w, struct exchange *x, const struct http_msg *m, const struct cfg_stats *s,
		const char *proxy, struct run *r)
{
	struct http_span path = http_path(m);
	size_t len = strlen(s->uri), have = m->target.at + m->target.len - path.at;

	if (have < len || strncmp(http_text(m, path), s->uri, len) != 0)
		return false;
	if (m->method != HTTP_METHOD_GET && m->method != HTTP_METHOD_HEAD && m->method != HTTP_METHOD_POST)
		return false;
	x->own = "<STATS>"; /* who may not see them is told so by them */
	if (may_see(w, x, m, s, r))
		exchange_ask(w, x, m, s, proxy, may_change(s, r));
	return true;
}
