/* SPDX-License-Identifier: MIT */
#include "rules/pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libsched/lb_hash.h>

#include "rules/map.h"
#include "rules/pattern_memory.h"
#include "rules/regex.h"

static const char *const names[MATCH_N] = {"found", "bool", "int", "ip",  "bin", "len", "str",
					   "beg",   "sub",  "dir", "dom", "end", "reg"};

bool match_of(const char *name, enum match *ret)
{
	for (int i = 0; i < MATCH_N; i++)
		if (!strcmp(names[i], name)) {
			*ret = (enum match)i;
			return true;
		}
	return false;
}

const char *match_name(enum match m)
{
	return names[m];
}

enum match match_for(enum sample_type type)
{
	static const enum match by_type[SAMPLE_N_TYPES] = {
	    [SAMPLE_BOOL] = MATCH_BOOL, [SAMPLE_INT] = MATCH_INT, [SAMPLE_IPV4] = MATCH_IP,
	    [SAMPLE_IPV6] = MATCH_IP,	[SAMPLE_STR] = MATCH_STR, [SAMPLE_BIN] = MATCH_BIN,
	};

	return by_type[type];
}

/* ---- Reading ---- */

/* One end of a range, up to a colon or the end of the text. NULL: it is none; else what follows. */
typedef const char *read_end(const char *text, int64_t *ret);

/* "3.1" has 16 bits for each part, as HAProxy does it; "3" is 3.0. */
static const char *version_end(const char *text, int64_t *ret)
{
	unsigned major, minor = 0;
	int n = 0;

	if (!isdigit((unsigned char)*text) || sscanf(text, "%5u%n.%5u%n", &major, &n, &minor, &n) < 1 || major > 0xffff || minor > 0xffff)
		return NULL;
	*ret = (int64_t)major << 16 | minor;
	return text + n;
}

static const char *number_end(const char *text, int64_t *ret)
{
	size_t sign = *text == '+' || *text == '-', len = sign + strspn(text + sign, "0123456789");

	return text_to_int(text_of(text, len), ret) ? text + len : NULL;
}

/* "5", "5:10", ":10", "5:" */
static bool read_ends(struct pattern *p, const char *text, read_end *read)
{
	const char *at = text;

	if (*at != ':' && !(at = read(at, &p->low)))
		return false;
	if (!*at)
		p->high = p->low;
	else if (*at++ != ':' || (!*at && at - text == 1))
		return false;
	else if (*at)
		at = read(at, &p->high);
	return at && !*at;
}

static bool read_range(struct pattern *p, const char *text, const char *op, bool version, struct rule_error *e)
{
	int64_t value;

	p->low = INT64_MIN;
	p->high = INT64_MAX;
	if (!read_ends(p, text, version ? version_end : number_end))
		return rule_fail(e, version ? "\"%s\" is neither a version nor a range such as 3.1:3.3"
					    : "\"%s\" is neither a number nor a range such as 1:10", text);
	if (!op || !strcmp(op, "eq"))
		return p->low <= p->high ||
		       rule_fail(e, "the range \"%s\" has its ends the wrong way round", text);
	if (strchr(text, ':'))
		return rule_fail(e, "\"%s %s\": an operator takes a number, not a range", op, text);
	value = p->low;
	p->low = INT64_MIN;
	p->high = INT64_MAX;
	if (!strcmp(op, "gt") ? value == INT64_MAX : !strcmp(op, "lt") && value == INT64_MIN)
		return rule_fail(e, "\"%s %s\": there is no such number", op, text);
	if (!strcmp(op, "ge"))
		p->low = value;
	else if (!strcmp(op, "le"))
		p->high = value;
	else if (!strcmp(op, "gt"))
		p->low = value + 1;
	else
		p->high = value - 1;
	return true;
}

/* A line of a configuration may, unless it says -n; one of a file, which may come at run time, may not. */
static bool may_name_hosts(const struct patterns *all, const struct rule_memory *m)
{
	return !all->no_names && m->shared && m->shared->find_host;
}

static bool host_address(const struct patterns *all, struct text name, const struct rule_memory *m, struct sample *ret)
{
	char host[256];

	if (!may_name_hosts(all, m) || name.len >= sizeof(host))
		return false;
	memcpy(host, name.at, name.len);
	host[name.len] = '\0';
	return m->shared->find_host(host, ret);
}

static bool read_network(const struct patterns *all, struct pattern *p, const char *text, const struct rule_memory *m, struct rule_error *e)
{
	size_t len = strcspn(text, "/");
	struct scratch none = {0};
	int64_t bits, most;
	struct sample s, mask;

	if (!text_to_ip(text_of(text, len), &s) && !host_address(all, text_of(text, len), m, &s))
		return rule_fail(
		    e, "\"%s\" is no address%s: write 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32", text,
		    may_name_hosts(all, m) ? ", nor a name that has one" : ", and names are not looked up here");
	most = s.type == SAMPLE_IPV4 ? 32 : 128;
	bits = most;
	if (text[len]) {
		const char *written = text + len + 1;

		if (s.type == SAMPLE_IPV4 && text_to_ip(text_of(written, strlen(written)), &mask)) {
			for (bits = 0; bits < 32 && mask.ip[bits / 8] & (0x80 >> bits % 8); bits++)
				;
		} else if (!*written || written[strspn(written, "0123456789")] ||
			   !text_to_int(text_of(written, strlen(written)), &bits) || bits > most) {
			return rule_fail(e, "\"%s\" is no mask: write 0 to %d", written, (int)most);
		}
	}
	if (!sample_cast(&s, SAMPLE_IPV6, &none))
		return false;
	memcpy(p->ip, s.ip, sizeof(p->ip));
	p->bits = (uint8_t)(bits + 128 - most);
	return true;
}

static bool read_hex(struct pattern *p, const char *text, const struct rule_memory *m,
		     struct rule_error *e)
{
	size_t n = strlen(text) / 2;
	char *out = m->alloc(m->owner, n + 1);

	if (!out)
		return rule_fail(e, "%s", "");
	if (strlen(text) % 2 || text[strspn(text, "0123456789abcdefABCDEF")])
		return rule_fail(e, "\"%s\" is not hexadecimal", text);
	for (size_t i = 0; i < n; i++) {
		const char digits[3] = {text[2 * i], text[2 * i + 1]};

		out[i] = (char)strtoul(digits, NULL, 16);
	}
	p->text = text_of(out, n);
	return true;
}

static bool read_pattern(const struct patterns *all, struct pattern *p, const char *text,
			 const char *op, const struct rule_memory *m, struct rule_error *e)
{
	char *copy = m->alloc(m->owner, strlen(text) + 1);

	if (!copy)
		return rule_fail(e, "%s", "");
	p->text = text_of(strcpy(copy, text), strlen(text));
	switch (all->match) {
	case MATCH_INT:
	case MATCH_LEN:
		return read_range(p, text, op, all->versions, e);
	case MATCH_IP:
		return read_network(all, p, text, m, e);
	case MATCH_BIN:
		return read_hex(p, text, m, e);
	case MATCH_REG:
		p->regex = rule_regex(m, text, all->ignore_case, e);
		return p->regex;
	default:
		return true;
	}
}

static bool grow(struct patterns *p, const struct rule_memory *m, struct rule_error *e)
{
	unsigned cap = p->cap ? p->cap * 2 : 4;
	struct pattern *at = m->alloc(m->owner, cap * sizeof(*at));

	if (!at)
		return rule_fail(e, "%s", "");
	if (p->n)
		memcpy(at, p->at, p->n * sizeof(*at));
	p->at = at;
	p->number = pattern_memory_list();
	p->cap = cap;
	return true;
}

bool pattern_add(struct patterns *p, const char *text, const char *op, const struct rule_memory *m,
		 struct rule_error *e)
{
	if (p->n == PATTERNS_MAX)
		return rule_fail(e, "more than %d patterns", PATTERNS_MAX);
	if (p->n == p->cap && !grow(p, m, e))
		return false;
	if (!read_pattern(p, &p->at[p->n], text, op, m, e))
		return false;
	p->n++;
	return true;
}

/* ---- Slots ---- */

#define FEW 8 /* are as fast one after the other */

static bool is_hashed(enum match m)
{
	return m == MATCH_STR || m == MATCH_BIN || m == MATCH_BEG || m == MATCH_END || m == MATCH_IP;
}

/* What is hashed of it; all of what must be equal as a whole counts as 0. */
static unsigned length_of(const struct patterns *p, const struct pattern *one)
{
	if (p->match == MATCH_IP)
		return one->bits;
	if (p->match != MATCH_BEG && p->match != MATCH_END)
		return 0;
	return one->text.len < PATTERN_LENGTHS ? (unsigned)one->text.len : PATTERN_LENGTHS - 1;
}

static uint32_t slot_of_text(const struct patterns *p, struct text t)
{
	char small[256];

	if (p->ignore_case) {
		if (t.len > sizeof(small))
			t.len = sizeof(small);
		for (size_t i = 0; i < t.len; i++)
			small[i] = (char)tolower((unsigned char)t.at[i]);
		t.at = small;
	}
	return (uint32_t)lb_hash_bytes(t.at, t.len, 0) & (p->n_slots - 1);
}

static uint32_t slot_of_network(const struct patterns *p, const uint8_t ip[16], unsigned bits)
{
	uint8_t network[16] = {0};
	unsigned whole = bits / 8;

	memcpy(network, ip, whole);
	if (bits % 8)
		network[whole] = (uint8_t)(ip[whole] & 0xff00 >> bits % 8);
	return (uint32_t)lb_hash_bytes(network, sizeof(network), bits) & (p->n_slots - 1);
}

/* Where patterns of this length stand that could fit. */
static uint32_t slot_of(const struct patterns *p, struct text t, const uint8_t ip[16], unsigned length)
{
	if (p->match == MATCH_IP)
		return slot_of_network(p, ip, length);
	if (p->match == MATCH_END)
		t.at += t.len - length;
	if (p->match == MATCH_BEG || p->match == MATCH_END)
		t.len = length;
	return slot_of_text(p, t);
}

static void put_in_slot(struct patterns *p, unsigned i)
{
	const struct pattern *one = &p->at[i];
	unsigned length = length_of(p, one);
	uint32_t at = slot_of(p, one->text, one->ip, length);

	while (p->slot[at])
		at = (at + 1) & (p->n_slots - 1);
	p->slot[at] = i + 1;
	p->lengths[length / 64] |= UINT64_C(1) << length % 64;
}

bool patterns_grow(struct patterns *p, const struct rule_memory *m, struct rule_error *e)
{
	if (!is_hashed(p->match) || p->n < FEW)
		return true;
	if (!p->slot || p->n * 2 > p->n_slots)
		return patterns_finish(p, m, e);
	put_in_slot(p, p->n - 1);
	return true;
}

bool patterns_finish(struct patterns *p, const struct rule_memory *m, struct rule_error *e)
{
	if (!is_hashed(p->match) || p->n < FEW)
		return true;
	for (p->n_slots = 16; p->n_slots < p->n * 4; p->n_slots *= 2)
		;
	p->slot = m->alloc(m->owner, p->n_slots * sizeof(*p->slot));
	if (!p->slot)
		return rule_fail(e, "%s", "");
	for (unsigned i = 0; i < p->n; i++)
		put_in_slot(p, i);
	return true;
}

/* The greatest length below `n` that some have; -1: there is none. */
static int length_below(const struct patterns *p, int n)
{
	for (int word = (n - 1) / 64; n > 0 && word >= 0; word--) {
		uint64_t bits = p->lengths[word];

		if (word == (n - 1) / 64 && n % 64)
			bits &= (UINT64_C(1) << n % 64) - 1;
		if (bits)
			return word * 64 + 63 - __builtin_clzll(bits);
	}
	return -1;
}

/* ---- Finding ---- */

static bool same(const struct patterns *p, const char *a, const char *b, size_t len)
{
	return !len || !(p->ignore_case ? strncasecmp(a, b, len) : memcmp(a, b, len));
}

static bool contains(const struct patterns *p, struct text t, struct text what)
{
	if (!p->ignore_case && what.len)
		return t.len >= what.len && memmem(t.at, t.len, what.at, what.len);
	for (size_t i = 0; i + what.len <= t.len; i++)
		if (same(p, t.at + i, what.at, what.len))
			return true;
	return false;
}

/* The pattern stands between two separators, or the ends of the text. */
static bool between(const struct patterns *p, struct text t, struct text what,
		    const char *separators)
{
	while (what.len && strchr(separators, *what.at))
		what.at++, what.len--;
	while (what.len && strchr(separators, what.at[what.len - 1]))
		what.len--;
	if (!what.len)
		return false;
	for (size_t i = 0; i + what.len <= t.len; i++) {
		bool begins = !i || (t.at[i - 1] && strchr(separators, t.at[i - 1]));
		size_t end = i + what.len;

		if (begins && (end == t.len || (t.at[end] && strchr(separators, t.at[end]))) &&
		    same(p, t.at + i, what.at, what.len))
			return true;
	}
	return false;
}

static bool in_network(const struct pattern *p, const uint8_t ip[16])
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	return !memcmp(p->ip, ip, whole) &&
	       (!rest || !((p->ip[whole] ^ ip[whole]) & (0xff00 >> rest & 0xff)));
}

static bool fits(const struct patterns *all, const struct pattern *p, const struct sample *s)
{
	struct text t = s->text;

	switch (all->match) {
	case MATCH_INT:
		return s->number >= p->low && s->number <= p->high;
	case MATCH_LEN:
		return (int64_t)t.len >= p->low && (int64_t)t.len <= p->high;
	case MATCH_IP:
		return in_network(p, s->ip);
	case MATCH_BIN:
		return t.len == p->text.len && (!t.len || !memcmp(t.at, p->text.at, t.len));
	case MATCH_STR:
		return t.len == p->text.len && same(all, t.at, p->text.at, t.len);
	case MATCH_BEG:
		return t.len >= p->text.len && same(all, t.at, p->text.at, p->text.len);
	case MATCH_END:
		return t.len >= p->text.len &&
		       same(all, t.at + t.len - p->text.len, p->text.at, p->text.len);
	case MATCH_SUB:
		return contains(all, t, p->text);
	case MATCH_DIR:
		return between(all, t, p->text, "/?");
	case MATCH_DOM:
		return between(all, t, p->text, "/?.:");
	case MATCH_REG:
		return regex_match(p->regex, t, NULL);
	default:
		return false;
	}
}

static enum sample_type type_for(enum match m)
{
	switch (m) {
	case MATCH_BOOL:
		return SAMPLE_BOOL;
	case MATCH_INT:
		return SAMPLE_INT;
	case MATCH_IP:
		return SAMPLE_IPV6;
	case MATCH_BIN:
		return SAMPLE_BIN;
	default:
		return SAMPLE_STR;
	}
}

/* On to patterns of a smaller length. */
static void next_length(const struct patterns *p, const struct sample *s, struct pattern_walk *w)
{
	w->length = length_below(p, w->length);
	if (w->length >= 0)
		w->at = slot_of(p, s->text, s->ip, (unsigned)w->length);
}

#define SLOW 64 /* patterns that take longer than to remember a text */

/* To hold a text against all of them takes so long that it is remembered. */
static bool is_slow(const struct patterns *p)
{
	return p->match == MATCH_REG ? p->n >= SLOW / 8
				     : (p->match == MATCH_SUB || p->match == MATCH_DIR || p->match == MATCH_DOM) && p->n >= SLOW;
}

static void remember(const struct patterns *p, const struct sample *s, struct pattern_walk *w, uint32_t in_vain)
{
	if (w->remembers && in_vain != w->from)
		pattern_memory_put(p->number, s->text, in_vain);
	w->remembers = false;
}

bool patterns_walk(const struct patterns *p, struct sample *s, struct scratch *scratch,
		   struct pattern_walk *ret)
{
	if (!sample_cast(s, type_for(p->match), scratch))
		return false;
	*ret = (struct pattern_walk){.length = PATTERN_LENGTHS};
	if ((p->match == MATCH_BEG || p->match == MATCH_END) && s->text.len < PATTERN_LENGTHS)
		ret->length = (int)s->text.len + 1;
	if (p->slot)
		next_length(p, s, ret);
	ret->remembers = is_slow(p);
	if (ret->remembers)
		ret->at = ret->from = pattern_memory_get(p->number, s->text);
	return true;
}

/* Of the length at hand. NULL: there are no more. */
static const struct pattern *next_of_length(const struct patterns *p, const struct sample *s, struct pattern_walk *w)
{
	while (p->slot[w->at]) {
		const struct pattern *one = &p->at[p->slot[w->at] - 1];

		w->at = (w->at + 1) & (p->n_slots - 1);
		if (length_of(p, one) == (unsigned)w->length && fits(p, one, s))
			return one;
	}
	return NULL;
}

const struct pattern *patterns_next(const struct patterns *p, const struct sample *s,
				    struct pattern_walk *w)
{
	const struct pattern *one;

	while (p->slot && w->length >= 0) {
		one = next_of_length(p, s, w);
		if (one)
			return one;
		next_length(p, s, w);
	}
	while (!p->slot && w->at < p->n) {
		one = &p->at[w->at++];
		if (!fits(p, one, s))
			continue;
		remember(p, s, w, w->at - 1);
		return one;
	}
	remember(p, s, w, p->n);
	return NULL;
}

const struct pattern *patterns_find(const struct patterns *p, struct sample *s,
				    struct scratch *scratch)
{
	static const struct pattern yes;
	struct pattern_walk walk;

	if (p->match == MATCH_FOUND)
		return &yes;
	if (!patterns_walk(p, s, scratch, &walk))
		return NULL;
	if (p->match == MATCH_BOOL)
		return s->number ? &yes : NULL;
	return patterns_next(p, s, &walk);
}
