/* SPDX-License-Identifier: MIT */
/* stick-table, and the lines that stick a client to a server by one. */
#include "cfg/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/read.h"
#include "rules/map.h"
#include "rules/table.h"

static void put_table(void *object)
{
	table_put(object);
}

/* "type ip", "type string len 64"; *i becomes the word behind it */
static bool read_type(struct reader *r, size_t *i, struct table_def *def)
{
	static const struct {
		const char *name;
		enum sample_type type;
	} types[] = {{"ip", SAMPLE_IPV4},
		     {"ipv6", SAMPLE_IPV6},
		     {"integer", SAMPLE_INT},
		     {"string", SAMPLE_STR},
		     {"binary", SAMPLE_BIN}};
	size_t n = 0;

	while (n < 5 && strcmp(types[n].name, word_at(r, *i)) != 0)
		n++;
	if (n == 5) {
		say(r, DIAG_ERROR, *i,
		    "\"%s\" is no type: write ip, ipv6, integer, string or binary", word_at(r, *i));
		return false;
	}
	def->type = types[n].type;
	def->key_len = def->type == SAMPLE_STR || def->type == SAMPLE_BIN ? 32 : 0; /* HAProxy's */
	++*i;
	if (strcmp(word_at(r, *i), "len") != 0)
		return true;
	*i += 2;
	return read_number(r, *i - 1, "len", 1, TABLE_KEY_MAX, &def->key_len);
}

/* What stands in parentheses: a period, a number of elements, or both. */
static bool read_arguments(struct reader *r, size_t i, enum table_data d, struct text t,
			   struct table_def *def)
{
	const char *comma = memchr(t.at, ',', t.len);
	size_t n = comma ? (size_t)(comma - t.at) : t.len;
	char number[32] = "", period[32] = "";

	if (!table_data_is_array(d))
		snprintf(period, sizeof(period), "%.*s", (int)t.len, t.at);
	else
		snprintf(number, sizeof(number), "%.*s", (int)n, t.at);
	if (table_data_is_array(d) && comma)
		snprintf(period, sizeof(period), "%.*s", (int)(t.len - n - 1), comma + 1);
	if (*number) {
		unsigned long value = number[strspn(number, "0123456789")] ? 0 : strtoul(number, NULL, 10);

		if (!value || value > TABLE_ARRAY_MAX) {
			say(r, DIAG_ERROR, i, "\"%s\" is no number of elements: write 1 to %d", number,
			    TABLE_ARRAY_MAX);
			return false;
		}
		def->n_elements[d] = (unsigned)value;
	}
	if (*period && !table_data_is_rate(d)) {
		say(r, DIAG_ERROR, i, "\"%s\" has no period: it is no rate", table_data_name(d));
		return false;
	}
	return !*period || read_time_text(r, i, table_data_name(d), period, &def->period_ns[d]);
}

/* "gpc0,conn_rate(10s),gpc(2),gpc_rate(2,10s)" */
static bool read_store(struct reader *r, size_t i, struct table_def *def)
{
	const char *p = word_at(r, i);

	while (*p) {
		size_t len = strcspn(p, ",("), arg = 0;
		int d = table_data_of(p, len);
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)len, p);
		if (!strcmp(name, "server_key")) { /* the name of what "stick" keeps: shown by it alone */
			p += len;
			p += *p == ',';
			continue;
		}
		if (d < 0) {
			say(r, DIAG_ERROR, i,
			    "\"%s\" is nothing that this version stores: gpc0, conn_rate(10s), "
			    "http_req_rate(10s) … are",
			    name);
			return false;
		}
		p += len;
		if (*p == '(') {
			arg = strcspn(++p, ")");
			if (!read_arguments(r, i, (enum table_data)d, text_of(p, arg), def))
				return false;
			p += arg + (p[arg] == ')');
		}
		if (table_data_is_array((enum table_data)d) && !def->n_elements[d]) {
			say(r, DIAG_ERROR, i, "\"%s\" needs the number of its elements: write %s(2%s)", name,
			    name, table_data_is_rate((enum table_data)d) ? ",10s" : "");
			return false;
		}
		if (table_data_is_rate((enum table_data)d) && !def->period_ns[d]) {
			say(r, DIAG_ERROR, i, "\"%s\" needs a period: write %s(10s)", name, name);
			return false;
		}
		def->stored |= 1u << d;
		p += *p == ',';
	}
	return true;
}

/* A word and its value, which stands at *i. False: told. */
static bool read_word(struct reader *r, const char *word, size_t *i, const struct table_ref *ref, struct table_def *def)
{
	size_t value = *i;

	if (!strcmp(word, "nopurge")) {
		def->nopurge = true;
		return true;
	}
	if (!strcmp(word, "type"))
		return read_type(r, i, def);
	++*i;
	if (!strcmp(word, "size"))
		return read_size(r, value, "size", 1, TABLE_SIZE_MAX, &def->size);
	if (!strcmp(word, "expire"))
		return read_time(r, value, "expire", &def->expire_ns);
	if (!strcmp(word, "store"))
		return read_store(r, value, def);
	if (!strcmp(word, "peers") && !r->proxy) {
		say(r, DIAG_ERROR, value - 1, "a table in a section \"peers\" is shared by that section: leave \"peers\" out");
		return false;
	}
	if (!strcmp(word, "peers")) {
		cfg_peers_use(r, value, keep_word(r, value), ref);
		return true;
	}
	if (!strcmp(word, "srvkey") || !strcmp(word, "write-to")) {
		say(r, DIAG_WARNING, value - 1, "\"%s\" has no effect: %s", word,
		    *word == 's' ? "peers are told the number of a server, which is the same where the lines are"
				 : "what peers tell goes into the table itself");
		return true;
	}
	say(r, DIAG_ERROR, value - 1, "\"%s\" is not known here: type, size, expire, nopurge, store and peers are", word);
	return false;
}

static bool read_table(struct reader *r, size_t i, const char *what, const struct table_ref *ref, struct table_def *def)
{
	bool has_type = false;

	while (i < r->line->n) {
		const char *word = word_at(r, i++);

		if (!read_word(r, word, &i, ref, def))
			return false;
		has_type |= !strcmp(word, "type");
	}
	if (!has_type || !def->size)
		say(r, DIAG_ERROR, 0, "a table needs both: write %s type ip size 100k", what);
	return has_type && def->size;
}

void cfg_define_table(struct reader *r, size_t i, const char *what, const char *name)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct table_ref *ref = m ? table_ref(m, name) : NULL;
	struct table_def def;

	memset(&def, 0, sizeof(def)); /* definitions are compared as bytes */
	if (!ref)
		return;
	ref->is_wrong = !read_table(r, i, what, ref, &def);
	if (ref->is_wrong)
		return;
	if (ref->table) {
		say(r, DIAG_ERROR, i - 1, "\"%s\" has a stick-table already", name);
		return;
	}
	ref->tells_server |= def.stored >> TABLE_SERVER_ID & 1u;
	def.stored |= 1u << TABLE_SERVER_ID; /* a line "stick" may be anywhere below */
	ref->table = table_get(name, &def);
	if (!ref->table || !cfg_at_end(r->cfg, put_table, ref->table))
		r->no_memory = true;
}

void kw_stick_table(struct reader *r, size_t first, const void *data)
{
	cfg_define_table(r, first, "stick-table", r->proxy->name);
}

/* stick on|match|store-request|store-response EXPRESSION [table NAME] [if CONDITION] */
void kw_stick(struct reader *r, size_t first, const void *data)
{
	struct cfg_stick *s = keep(r, sizeof(*s));
	const struct rule_memory *m = cfg_rule_memory(r);
	struct cfg_rules *rules = cfg_rules_of(r);
	struct table_ref *table;
	struct rule_error e = {""};
	size_t i = first + 1;
	const char *rest;

	if (!s || !m || !rules)
		return;
	s->does = *(const unsigned *)data;
	if (!expr_parse(word_at(r, first), m, &s->key, &rest, &e) || *rest ||
	    !expr_may_stand(s->key.needs, s->does & STICK_STORE_RESPONSE ? EXPR_NOT_BEHIND_REQUEST : EXPR_NOT_BEFORE_ANSWER, &e)) {
		say(r, DIAG_ERROR, first, "%s", *e.text ? e.text : "this is no expression");
		return;
	}
	if (!strcmp(word_at(r, i), "table")) {
		table = table_ref(m, word_at(r, i + 1));
		i += 2;
	} else {
		table = table_ref(m, r->proxy->name);
	}
	if (i < r->line->n) {
		s->cond = cfg_read_condition(r, i);
		if (!s->cond)
			return;
	}
	s->table = table;
	if (table) {
		table->tells_server = true;
		STAILQ_INSERT_TAIL(&rules->sticks, s, next);
	}
}

void cfg_check_tables(struct reader *r)
{
	const struct cfg_proxy *first = STAILQ_FIRST(&r->cfg->proxies), *p;

	for (const struct table_ref *t = r->cfg->shared ? r->cfg->shared->tables : NULL; t;
	     t = t->next) {
		if (t->table || t->is_wrong || !t->is_needed || !first)
			continue;
		STAILQ_FOREACH (p, &r->cfg->proxies, next)
			if (!strcmp(p->name, t->name))
				break;
		diag_add(
		    r->diag, DIAG_ERROR, p ? &p->at : &first->at,
		    "\"%s\" has no stick-table, and a rule counts there: add \"stick-table type "
		    "ip size 100k\" to it",
		    t->name);
	}
}
