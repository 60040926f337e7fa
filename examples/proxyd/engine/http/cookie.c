/* SPDX-License-Identifier: MIT */
/*
 * Persistence by cookie (HAProxy's "cookie NAME …"): the client brings the name of its server.
 *
 *	insert   the cookie is ours: we set it; indirect: servers do not see it
 *	rewrite  the server sets it, we put the name of the server into it
 *	prefix   the server sets it, we put the name of the server and "~" before its value
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libsched/lb_persist.h>

#include "cacheable.h"
#include "engine/rule_run.h"

/* A cookie of a Cookie field: its value in the buffer, and what goes with it when it is taken out. */
struct found {
	unsigned field;
	struct http_span value, whole; /* whole: with the separator, of the field's value */
};

struct place {
	unsigned field;
	uint32_t offset;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next pair "name=value" from *at of the field's value on. A word alone has no name. */
static bool next_pair(const struct http_msg *m, struct http_span list, uint32_t *at,
		      struct http_span *name, struct http_span *value)
{
	const char *text = http_text(m, list);
	uint32_t begin = *at, end, equals, name_end;

	while (begin < list.len && (is_blank(text[begin]) || http_ends_cookie(text[begin])))
		begin++;
	if (begin >= list.len)
		return false;
	*at = end = begin + (uint32_t)http_cookie_len(text + begin, list.len - begin);
	for (equals = begin; equals < end && text[equals] != '='; equals++)
		;
	for (name_end = equals < end ? equals : begin; name_end > begin && is_blank(text[name_end - 1]);)
		name_end--;
	*name = (struct http_span){list.at + begin, name_end - begin};
	if (equals < end)
		equals++;
	while (equals < end && is_blank(text[equals]))
		equals++;
	while (end > equals && is_blank(text[end - 1]))
		end--;
	*value = (struct http_span){list.at + equals, end - equals};
	return true;
}

static bool is_named(const struct http_msg *m, struct http_span name, const char *wanted)
{
	return name.len == strlen(wanted) && !memcmp(http_text(m, name), wanted, name.len);
}

/*
 * The next one of this name in the fields of that name; `at` says where the search goes on, and begins with
 * zeroes.
 */
static bool find(const struct http_msg *m, const char *field, const char *name, struct place *at,
		 struct found *ret)
{
	for (; at->field < m->n_fields; at->field++, at->offset = 0) {
		const struct http_field *f = &m->field[at->field];
		uint32_t before = at->offset;
		struct http_span pair;

		if (!http_same_name(http_text(m, f->name), f->name.len, field, strlen(field)))
			continue;
		while (next_pair(m, f->value, &at->offset, &pair, &ret->value)) {
			if (is_named(m, pair, name)) {
				ret->field = at->field;
				ret->whole = (struct http_span){before, at->offset - before};
				return true;
			}
			before = at->offset;
			if (m->is_response) /* what follows are attributes */
				break;
		}
	}
	return false;
}

/* The field's value with `span` of it replaced. 0 or -ENOSPC. */
static int replace(struct http_msg *m, unsigned field, struct http_span span, const char *text,
		   size_t len)
{
	struct http_span old = m->field[field].value;
	char value[HTTP_HEAD_MAX];
	size_t n = span.at, tail = old.len - span.at - span.len;

	memcpy(value, http_text(m, old), n);
	memcpy(value + n, text, len);
	memcpy(value + n + len, http_text(m, old) + span.at + span.len, tail);
	n += len + tail;
	for (len = 0; !span.at && len < n && (http_ends_cookie(value[len]) || is_blank(value[len])); len++)
		;
	if (len == n) {
		http_remove_at(m, field);
		return 0;
	}
	return http_set_value(m, field, value + len, n - len);
}

/* Takes it out; the search goes on behind it. 0 or -ENOSPC. */
static int take_out(struct http_msg *m, const struct found *f, struct place *at)
{
	unsigned n = m->n_fields;
	int e;

	if (m->is_response) { /* with its attributes */
		http_remove_at(m, f->field);
		at->offset = 0;
		return 0;
	}
	e = replace(m, f->field, f->whole, "", 0);
	at->offset = m->n_fields == n ? f->whole.at : 0;
	return e;
}

/* ---- Names of servers ---- */

/* As a BIG-IP tells of a server; false: it has no such address. */
static bool member_of(const struct server *s, struct lb_cookie_f5 *ret)
{
	const struct endpoint e = endpoint_of(&server_addr(s)->storage);

	*ret = (struct lb_cookie_f5){.addr_len = e.family == AF_INET ? 4 : 16, .port = ntohs(e.port)};
	memcpy(ret->addr, e.addr, ret->addr_len);
	return e.family == AF_INET || e.family == AF_INET6;
}

/* NULL: it has none. */
static const char *cookie_of(const struct backend *b, const struct server *s, char made[LB_COOKIE_MAX])
{
	struct lb_cookie_f5 member;
	uint64_t hash;

	for (size_t i = 0; i < b->n_cookies; i++)
		if (b->cookies[i].server == s)
			return b->cookies[i].value;
	if (!s)
		return NULL;
	hash = atomic_load_explicit(&s->cookie_hash, memory_order_relaxed);
	if (hash)
		snprintf(made, LB_COOKIE_MAX, "%016llx", (unsigned long long)hash);
	else if (!b->http->cookie->bigip || !member_of(s, &member) || lb_cookie_f5_write(&member, made, LB_COOKIE_MAX) < 0)
		return NULL;
	return made;
}

/* Several may share one: the first that serves, or may be asked nonetheless, else the first of all. */
static struct server *prefer(const struct exchange *x, struct server *found, struct server *s)
{
	if (!found)
		return s;
	if (x->persistence == PERSISTENCE_FORCED || atomic_load_explicit(&found->serves, memory_order_relaxed))
		return found;
	return atomic_load_explicit(&s->serves, memory_order_relaxed) ? s : found;
}

static struct server *of_own(const struct exchange *x, const char *text, size_t len)
{
	const struct backend *b = x->seeker.backend;
	struct server *found = NULL;

	for (size_t i = 0; i < b->n_cookies; i++)
		if (b->cookies[i].len == len && !memcmp(b->cookies[i].value, text, len))
			found = prefer(x, found, b->cookies[i].server);
	return found;
}

/* 0: it is no hash. */
static uint64_t read_hash(const char *text, size_t len)
{
	uint64_t hash = 0;

	for (size_t i = 0; len == 16 && i < len; i++) {
		const char *digit = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;

		if (!digit)
			return 0;
		hash = hash << 4 | (uint64_t)(digit - "0123456789abcdef");
	}
	return hash;
}

static struct server *of_hash(const struct exchange *x, const char *text, size_t len)
{
	const uint64_t hash = read_hash(text, len);
	const struct backend *b = x->seeker.backend;
	struct server *found = NULL;

	for (size_t i = 0; hash && i < b->n_servers; i++)
		if (atomic_load_explicit(&b->servers[i]->cookie_hash, memory_order_relaxed) == hash)
			found = prefer(x, found, b->servers[i]);
	return found;
}

static struct server *of_member(const struct exchange *x, const char *text, size_t len)
{
	const struct backend *b = x->seeker.backend;
	struct lb_cookie_f5 told, member;
	struct server *found = NULL;

	if (!b->http->cookie->bigip || lb_cookie_f5_read(text, len, &told) < 0)
		return NULL;
	for (size_t i = 0; i < b->n_servers; i++)
		if (member_of(b->servers[i], &member) && member.addr_len == told.addr_len && member.port == told.port &&
		    !memcmp(member.addr, told.addr, told.addr_len))
			found = prefer(x, found, b->servers[i]);
	return found;
}

static struct server *server_of(const struct exchange *x, const char *text, size_t len)
{
	struct server *found = len ? of_own(x, text, len) : NULL;

	if (!found)
		found = of_hash(x, text, len);
	return found ? found : of_member(x, text, len);
}

/* ---- Dates: maxidle and maxlife ---- */

/* "|" and five digits in base64 of a time in units of four seconds, as HAProxy writes it. */
#define DATE_LEN 6
#define SKEW_S 86400 /* a date that is further in the future counts as too old */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_date(char *text, uint32_t seconds)
{
	uint32_t units = seconds >> 2;

	text[0] = '|';
	for (int i = DATE_LEN - 1; i > 0; i--, units >>= 6)
		text[i] = digits[units & 63];
}

/* 0: there is none. */
static uint32_t read_date(const char *text, size_t len)
{
	uint32_t units = 0;

	for (size_t i = 1; i < DATE_LEN; i++) {
		const char *digit = i < len && text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return 0;
		units = units << 6 | (uint32_t)(digit - digits);
	}
	return units << 2;
}

static uint32_t wall_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint32_t)t.tv_sec;
}

static bool is_too_old(uint32_t date, uint32_t max_s)
{
	int32_t age = (int32_t)(wall_seconds() - date);

	return date && max_s && (age > (int64_t)max_s || -(int64_t)age > SKEW_S);
}

/* What stands before the dates of an inserted cookie: its length, 0 when it is too old. */
static size_t read_dates(struct exchange *x, const struct cfg_cookie *c, const char *text, size_t len)
{
	const char *first = memchr(text, '|', len), *end = text + len, *second;

	if (!first)
		return len;
	x->cookie_last_s = read_date(first, (size_t)(end - first));
	second = memchr(first + 1, '|', (size_t)(end - first - 1));
	if (second)
		x->cookie_first_s = read_date(second, (size_t)(end - second));
	if (is_too_old(x->cookie_first_s, c->maxlife_s))
		x->cookie_in = 'O';
	else if (is_too_old(x->cookie_last_s, c->maxidle_s))
		x->cookie_in = 'E';
	else
		return (size_t)(first - text);
	x->cookie_first_s = x->cookie_last_s = 0;
	return 0;
}

/* ---- The request ---- */

/* What one cookie says: 'V' when it is its turn. Sets x->wanted. */
static void judge(struct exchange *x, const char *text, size_t len)
{
	struct server *to;
	bool unused = x->persistence == PERSISTENCE_IGNORED || x->wanted_by_rule || x->cookie_in == 'V';

	to = unused ? NULL : server_of(x, text, len);
	if (to) {
		x->wanted = to;
		x->cookie_in = atomic_load_explicit(&to->serves, memory_order_relaxed) ? 'V' : 'D';
	} else if (x->cookie_in == 'N') {
		x->cookie_in = unused ? 'U' : 'I';
	}
}

int http_cookie_take(struct exchange *x, struct http_msg *m)
{
	const struct cfg_cookie *c = x->seeker.backend->http->cookie;
	struct place at = {0, 0};
	const char *text, *tilde;
	struct found f;
	size_t len;
	int e = 0;

	if (!c)
		return 0;
	x->cookie_in = x->cookie_out = 'N';
	while (!e && find(m, "cookie", c->name, &at, &f)) {
		text = http_text(m, f.value);
		len = f.value.len;
		if (c->mode == CFG_COOKIE_PREFIX) {
			tilde = memchr(text, '~', len);
			if (tilde)
				len = (size_t)(tilde - text);
			judge(x, text, len);
			if (!tilde) /* of before there was a proxy, or ours alone */
				continue;
			e = replace(m, f.field,
				    (struct http_span){f.value.at - m->field[f.field].value.at, (uint32_t)len + 1}, "", 0);
			at.offset -= (uint32_t)len + 1;
			continue;
		}
		judge(x, text, read_dates(x, c, text, len));
		if (c->indirect && c->mode == CFG_COOKIE_INSERT)
			e = take_out(m, &f, &at);
	}
	return e;
}

/* ---- The answer ---- */

/* Is the cookie that the client has without the dates it should have, or with what it should not? */
static bool has_stale_dates(const struct exchange *x, const struct cfg_cookie *c)
{
	bool last = c->maxidle_s || x->cookie_last_s;

	return (last && (!x->cookie_last_s || (int32_t)(x->cookie_last_s - wall_seconds()) < 0)) ||
	       !c->maxlife_s == !!x->cookie_first_s;
}

/* The cookie that says `value`, or that there is none any more. Its length; 0: too long. */
static size_t write_cookie(const struct exchange *x, const struct cfg_cookie *c, const char *value, char *text,
			   size_t cap)
{
	char dates[2 * DATE_LEN + 1] = "";
	uint32_t now = c->maxidle_s || c->maxlife_s ? wall_seconds() + 3 : 0;
	int n;

	if (now)
		write_date(dates, now);
	if (c->maxlife_s)
		write_date(dates + DATE_LEN, x->cookie_first_s ? x->cookie_first_s : now);
	if (value)
		n = snprintf(text, cap, "%s=%s%s; path=/%s", c->name, value, dates, c->attributes);
	else
		n = snprintf(text, cap, "%s=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/%s", c->name, c->attributes);
	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

static int insert(struct exchange *x, struct http_msg *m, const char *value, bool is_direct)
{
	const struct cfg_cookie *c = x->seeker.backend->http->cookie;
	char text[2048];
	size_t len;
	int e;

	if ((is_direct && !has_stale_dates(x, c)) || (c->postonly && x->method != HTTP_METHOD_POST))
		return 0;
	len = write_cookie(x, c, value, text, sizeof(text));
	if (!len)
		return -ENOSPC;
	e = http_add(m, "Set-Cookie", 10, text, len);
	if (!e && c->nocache && http_cacheable(m, x->method))
		e = http_add(m, "Cache-Control", 13, "private", 7);
	x->cookie_out = value && is_direct ? 'U' : 'I';
	return e;
}

/* What the server set: taken out, or with the server's name in it. */
static int change(struct exchange *x, struct http_msg *m, const struct found *f, struct place *at,
		  const char *value, bool is_direct)
{
	const struct cfg_cookie *c = x->seeker.backend->http->cookie;
	struct http_span place = {f->value.at - m->field[f->field].value.at, f->value.len};
	char text[256];
	int n;

	x->cookie_out = 'P';
	at->field++;
	at->offset = 0;
	if (c->preserve)
		return 0;
	if (c->mode == CFG_COOKIE_INSERT || (c->indirect && is_direct)) {
		x->cookie_out = 'D';
		at->field--;
		return take_out(m, f, at);
	}
	if (!value || c->mode == CFG_COOKIE_PASSIVE)
		return 0;
	if (c->mode == CFG_COOKIE_PREFIX)
		place.len = 0;
	n = snprintf(text, sizeof(text), "%s%s", value, c->mode == CFG_COOKIE_PREFIX ? "~" : "");
	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENOSPC;
	x->cookie_out = 'R';
	return replace(m, f->field, place, text, (size_t)n);
}

/* option checkcache: a cookie of one client, kept for all. */
static bool would_share_cookies(const struct exchange *x, const struct http_msg *m)
{
	return (http_find(m, "set-cookie", 10, 0) || http_find(m, "set-cookie2", 11, 0)) &&
	       http_cacheable(m, x->method) & HTTP_CACHEABLE_COOKIES;
}

int http_cookie_give(struct exchange *x, struct http_msg *m)
{
	const struct backend *b = x->seeker.backend;
	const struct cfg_cookie *c = b->http->cookie;
	struct place at = {0, 0};
	char made[LB_COOKIE_MAX];
	const char *value;
	struct found f;
	bool is_direct;
	int e = 0;

	if (b->http->checks_cache && would_share_cookies(x, m))
		return -EPERM;
	if (!c)
		return 0;
	value = cookie_of(b, x->seeker.server, made);
	is_direct = x->wanted && x->wanted == x->seeker.server;
	x->cookie_out = 'N';
	if (x->cookie_in == 'V' && !is_direct)
		x->cookie_in = 'D'; /* it went down, or was full */
	if (x->persistence == PERSISTENCE_IGNORED)
		return 0;
	while (!e && find(m, "set-cookie", c->name, &at, &f))
		e = change(x, m, &f, &at, value, is_direct);
	if (!e && c->mode == CFG_COOKIE_INSERT && x->cookie_out != 'P')
		e = insert(x, m, value, is_direct);
	return e;
}
