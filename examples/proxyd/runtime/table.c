/* SPDX-License-Identifier: MIT */
/* Stick tables: "show table", "set table", "clear table". What workers count goes on meanwhile. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/rules.h"
#include "engine/objects.h"
#include "rules/map.h"
#include "rules/table.h"
#include "runtime.h"

#define FILTERS_MAX 4 /* HAProxy's */
#define BATCH 256     /* keys that are taken out at once */
#define KEY_SCRATCH 2048
#define MS UINT64_C(1000000)

/* The order in which HAProxy prints data. */
static const enum table_data order[TABLE_N_DATA] = {
    TABLE_SERVER_ID,	TABLE_GPT0,	     TABLE_GPC0,	  TABLE_GPC0_RATE,	TABLE_CONN_CNT,	    TABLE_CONN_RATE,
    TABLE_CONN_CUR,	TABLE_SESS_CNT,	     TABLE_SESS_RATE,	  TABLE_HTTP_REQ_CNT,	TABLE_HTTP_REQ_RATE, TABLE_HTTP_ERR_CNT,
    TABLE_HTTP_ERR_RATE, TABLE_BYTES_IN_CNT, TABLE_BYTES_IN_RATE, TABLE_BYTES_OUT_CNT,	TABLE_BYTES_OUT_RATE, TABLE_GPC1,
    TABLE_GPC1_RATE,	TABLE_HTTP_FAIL_CNT, TABLE_HTTP_FAIL_RATE, TABLE_GPT, TABLE_GPC,	TABLE_GPC_RATE,
};

#define SERVER_KEY_BEFORE TABLE_HTTP_FAIL_CNT

struct filter {
	enum table_data data;
	char op[3];
	int64_t value;
};

struct walk {
	struct call *call;
	const struct backend *sticks; /* whose clients it keeps at their servers; NULL: nobody's */
	struct table_def def; /* without server_id where nobody asks for it */
	struct filter filter[FILTERS_MAX];
	unsigned n_filters;
	unsigned long shown;
	/* clear: keys that match, copied */
	struct sample key[BATCH];
	unsigned n_keys;
};

/* ---- Words ---- */

/* "data.NAME"; -1: told. `nth` counts filters from 1; 0: there is none. */
static int read_data(struct call *c, const struct table_def *def, const char *word, unsigned nth)
{
	int d = strncmp(word, "data.", 5) != 0 ? -1 : table_data_of(word + 5, strlen(word + 5));
	char where[32] = "";

	if (nth)
		snprintf(where, sizeof(where), "Filter entry #%u: ", nth);
	if (d < 0)
		call_say(c, "%sUnknown data type\n", where);
	else if (!(def->stored >> d & 1u))
		call_say(c, "%sData type not stored in this table\n", where);
	return d >= 0 && def->stored >> d & 1u ? d : -1;
}

/* `nth` as for read_data. */
static bool read_value(struct call *c, const char *word, unsigned nth, int64_t *ret)
{
	char *end;

	*ret = strtoll(word, &end, 10);
	if (*word && !*end)
		return true;
	if (nth)
		call_say(c, "Filter entry #%u: Require a valid integer value to compare against\n", nth);
	else
		call_say(c, "Require a valid integer value to store\n");
	return false;
}

/* "data.NAME OPERATOR VALUE" from word `i` on. False: told. */
static bool read_filters(struct call *c, struct walk *w, size_t i)
{
	for (; i < c->n; i += 3) {
		struct filter *f = &w->filter[w->n_filters];
		const char *op = call_word(c, i + 1);
		int d;

		if (strncmp(c->word[i], "data.", 5) != 0) {
			call_say(c, "Optional argument only supports \"data.<store_data_type>\" <operator> <value> and key <key>\n");
			return false;
		}
		if (w->n_filters == FILTERS_MAX) {
			call_say(c, "At most %d filters\n", FILTERS_MAX);
			return false;
		}
		d = read_data(c, &w->def, c->word[i], w->n_filters + 1);
		if (d < 0)
			return false;
		f->data = (enum table_data)d;
		if (strlen(op) != 2 || !strstr("eq ne le ge lt gt", op)) {
			call_say(c, "Filter entry #%u: Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", \"gt\"\n",
				 w->n_filters + 1);
			return false;
		}
		memcpy(f->op, op, 3);
		if (!read_value(c, call_word(c, i + 2), w->n_filters + 1, &f->value))
			return false;
		w->n_filters++;
	}
	return true;
}

static bool passes(const struct filter *f, int64_t have)
{
	bool equal = have == f->value, less = have < f->value;

	switch (f->op[0]) {
	case 'e':
		return equal;
	case 'n':
		return !equal;
	case 'l':
		return less || (f->op[1] == 'e' && equal);
	default:
		return f->op[1] == 'e' ? !less : !less && !equal;
	}
}

static bool matches(const struct walk *w, const struct table_row *row)
{
	for (unsigned i = 0; i < w->n_filters; i++)
		if (!passes(&w->filter[i], (int64_t)row->value[w->filter[i].data]))
			return false;
	return true;
}

/* The key in word `i` as the table has keys. False: told. */
static bool read_key(struct call *c, const struct table_def *def, size_t i, struct sample *ret)
{
	struct text t = text_of(call_word(c, i), strlen(call_word(c, i)));
	int64_t number;

	if (!t.len) {
		call_say(c, "Key value expected\n");
		return false;
	}
	*ret = sample_text(SAMPLE_STR, t.at, t.len);
	if ((def->type == SAMPLE_IPV4 || def->type == SAMPLE_IPV6) && !text_to_ip(t, ret)) {
		call_say(c, "Invalid key\n");
		return false;
	}
	if (def->type == SAMPLE_INT && (!isdigit((unsigned char)t.at[0]) || !text_to_int(t, &number) || number > UINT32_MAX)) {
		call_say(c, "Invalid key\n");
		return false;
	}
	return true;
}

/* The table that is named first, and what it is known to store. NULL: told. */
static struct table *find(struct call *c, struct table_def *ret_def)
{
	const struct rule_shared *s = engine_set(c->e)->cfg->shared;
	const struct table_ref *ref = s ? s->tables : NULL;

	while (ref && (!ref->table || strcmp(ref->name, call_word(c, 0)) != 0))
		ref = ref->next;
	if (!ref) {
		call_say(c, "No such table\n");
		return NULL;
	}
	*ret_def = *table_def(ref->table);
	if (!ref->tells_server)
		ret_def->stored &= ~(1u << TABLE_SERVER_ID);
	return ref->table;
}

/* The first one with a line "stick" that means this table; NULL: none has. */
static const struct backend *sticks_to(const struct set *set, struct table *t)
{
	const struct cfg_stick *stick;

	for (size_t i = 0; i < set->n_backends; i++)
		if (set->backend[i].proxy->rules)
			STAILQ_FOREACH (stick, &set->backend[i].proxy->rules->sticks, next)
				if (stick->table->table == t)
					return &set->backend[i];
	return NULL;
}

static const char *server_of_id(const struct backend *b, uint64_t id)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->lines[i]->id == id)
			return b->servers[i]->name;
	return "-";
}

/* Of the table that is named first, to go through it; the caller frees it. NULL: told. */
static struct walk *open_walk(struct call *c, struct table **ret)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w) {
		call_say(c, "Out of memory\n");
		return NULL;
	}
	w->call = c;
	*ret = find(c, &w->def);
	if (*ret) {
		w->sticks = sticks_to(engine_set(c->e), *ret);
		return w;
	}
	free(w);
	return NULL;
}

/* ---- show ---- */

static const char *type_name(enum sample_type type)
{
	return type == SAMPLE_IPV4 ? "ip" : type == SAMPLE_IPV6 ? "ipv6" : sample_type_name(type);
}

static void show_head(struct call *c, struct table *t)
{
	const struct table_def *def = table_def(t);

	out_printf(c->out, "# table: %s, type: %s, size:%u, used:%u\n", table_name(t), type_name(def->type), def->size,
		   table_used(t, c->now_ns));
}

/* What would break the line, or make two words of one, is written as "\ " or \xHH. */
static void show_text(struct out *o, struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char byte = (unsigned char)t.at[i];

		if (byte == ' ' || byte == '=' || byte == '\\')
			out_printf(o, "\\%c", byte);
		else if (isgraph(byte))
			out_put(o, (const char *)&byte, 1);
		else
			out_printf(o, "\\x%02x", byte);
	}
}

static void show_key(struct out *o, const struct sample *key)
{
	char ip[INET6_ADDRSTRLEN];

	switch (key->type) {
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		inet_ntop(key->type == SAMPLE_IPV4 ? AF_INET : AF_INET6, key->ip, ip, sizeof(ip));
		out_text(o, ip);
		break;
	case SAMPLE_INT:
		out_printf(o, "%lld", (long long)key->number);
		break;
	case SAMPLE_BIN:
		for (size_t i = 0; i < key->text.len; i++)
			out_printf(o, "%02X", (unsigned char)key->text.at[i]);
		break;
	default:
		show_text(o, key->text);
	}
}

/* "gpc1=7", "gpc1_rate(10000)=7" */
static void show_element(struct walk *w, const struct table_row *row, enum table_data d, unsigned k)
{
	struct out *o = w->call->out;

	out_printf(o, " %.3s%u", table_data_name(d), k);
	if (table_data_is_rate(d))
		out_printf(o, "_rate(%llu)", (unsigned long long)(w->def.period_ns[d] / MS));
	out_printf(o, "=%llu", (unsigned long long)row->element[d - TABLE_GPT][k]);
}

static void show_row(struct walk *w, const struct table_row *row)
{
	struct out *o = w->call->out;

	out_printf(o, "0x%lx: key=", ++w->shown);
	show_key(o, &row->key);
	out_printf(o, " use=%u exp=%llu", row->holders, (unsigned long long)(row->expires_ns / MS));
	for (unsigned i = 0; i < TABLE_N_DATA; i++) {
		enum table_data d = order[i];

		if (d == SERVER_KEY_BEFORE && w->sticks)
			out_printf(o, " server_key=%s", server_of_id(w->sticks, row->value[TABLE_SERVER_ID]));
		if (!(w->def.stored >> d & 1u))
			continue;
		for (unsigned k = 0; k < w->def.n_elements[d]; k++)
			show_element(w, row, d, k);
		if (table_data_is_array(d))
			continue;
		out_printf(o, " %s", table_data_name(d));
		if (table_data_is_rate(d))
			out_printf(o, "(%llu)", (unsigned long long)(w->def.period_ns[d] / MS));
		out_printf(o, "=%llu", (unsigned long long)row->value[d]);
	}
	out_text(o, "\n");
}

static bool show_matching(void *userdata, const struct table_row *row)
{
	struct walk *w = userdata;

	if (matches(w, row))
		show_row(w, row);
	return !w->call->out->failed;
}

static void show_one_key(struct call *c, struct table *t, struct walk *w)
{
	char bytes[KEY_SCRATCH];
	struct scratch scratch = {bytes, 0, sizeof(bytes)};
	struct table_row row = {0};
	struct table_entry *e;
	struct sample key;

	if (!read_key(c, &w->def, 2, &key))
		return;
	e = table_hold(t, &key, false, c->now_ns, &scratch);
	if (!e)
		return;
	show_head(c, t);
	row.key = table_key(t, e);
	row.holders = table_holders(t, e) - 1; /* not counting us */
	if (w->def.expire_ns)
		row.expires_ns = w->def.expire_ns - table_idle_ns(t, e, c->now_ns);
	table_read_row(t, e, c->now_ns, &row);
	show_row(w, &row);
	table_release(t, e);
}

void run_show_table(struct call *c)
{
	const struct rule_shared *s = engine_set(c->e)->cfg->shared;
	struct table *t;
	struct walk *w;

	if (!c->n) {
		for (const struct table_ref *r = s ? s->tables : NULL; r; r = r->next)
			if (r->table)
				show_head(c, r->table);
		return;
	}
	w = open_walk(c, &t);
	if (!w)
		return;
	if (!strcmp(call_word(c, 1), "key")) {
		show_one_key(c, t, w);
	} else if (read_filters(c, w, 1)) {
		show_head(c, t);
		table_each(t, c->now_ns, show_matching, w);
	}
	free(w);
}

/* ---- clear ---- */

static void drop_keys(struct walk *w)
{
	while (w->n_keys)
		switch (w->key[--w->n_keys].type) {
		case SAMPLE_STR:
		case SAMPLE_BIN:
			free((char *)w->key[w->n_keys].text.at);
			break;
		default:
			break;
		}
}

/* Under the lock of the table: only copies. */
static bool note_key(void *userdata, const struct table_row *row)
{
	struct walk *w = userdata;
	struct sample *key = &w->key[w->n_keys];

	if (row->holders || !matches(w, row))
		return true;
	*key = row->key;
	if (key->type == SAMPLE_STR || key->type == SAMPLE_BIN) {
		char *copy = malloc(key->text.len + 1);

		if (!copy)
			return false;
		memcpy(copy, key->text.at, key->text.len);
		key->text.at = copy;
	}
	return ++w->n_keys < BATCH;
}

static bool remove_key(struct table *t, struct sample *key)
{
	char bytes[KEY_SCRATCH];
	struct scratch scratch = {bytes, 0, sizeof(bytes)};

	return table_remove(t, key, &scratch);
}

static void clear_matching(struct call *c, struct table *t, struct walk *w)
{
	bool more = true;

	/* each round takes out all it has found, so that it ends; new keys may come meanwhile */
	for (unsigned round = 0; more && round <= w->def.size / BATCH; round++) {
		table_each(t, c->now_ns, note_key, w);
		more = w->n_keys == BATCH;
		for (unsigned i = 0; i < w->n_keys; i++) {
			struct sample key = w->key[i];

			remove_key(t, &key);
		}
		drop_keys(w);
	}
}

static void clear_one_key(struct call *c, struct table *t)
{
	char bytes[KEY_SCRATCH];
	struct scratch scratch = {bytes, 0, sizeof(bytes)};
	struct sample key, again;
	struct table_entry *e;

	if (!read_key(c, table_def(t), 2, &key))
		return;
	again = key;
	e = table_hold(t, &key, false, c->now_ns, &scratch);
	if (!e)
		return;
	table_release(t, e);
	if (!remove_key(t, &again))
		call_say(c, "Entry currently in use, cannot remove\n");
}

void run_clear_table(struct call *c)
{
	struct table *t;
	struct walk *w;

	if (!c->n) {
		call_say(c, "Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key>\n");
		return;
	}
	w = open_walk(c, &t);
	if (!w)
		return;
	if (c->n == 1)
		table_clear(t);
	else if (!strcmp(c->word[1], "key"))
		clear_one_key(c, t);
	else if (read_filters(c, w, 1))
		clear_matching(c, t, w);
	free(w);
}

/* ---- set ---- */

/* All words are looked at before anything is changed. */
static bool check_set(struct call *c, const struct table_def *def)
{
	int64_t value;
	int d;

	for (size_t i = 3; i < c->n; i += 2) {
		d = read_data(c, def, c->word[i], 0);
		if (d < 0 || !read_value(c, call_word(c, i + 1), 0, &value))
			return false;
	}
	return true;
}

static void set_one(struct table *t, struct table_entry *e, enum table_data d, uint64_t value, uint64_t now_ns)
{
	if (table_data_is_rate(d))
		table_set_rate(t, e, table_at(d), value, now_ns);
	else
		table_set(t, e, table_at(d), value, now_ns);
}

void run_set_table(struct call *c)
{
	char bytes[KEY_SCRATCH];
	struct scratch scratch = {bytes, 0, sizeof(bytes)};
	struct table_entry *e;
	struct table_def def;
	struct table *t;
	struct sample key;

	if (!c->n) {
		call_say(c, "Required arguments: <table> key <key> [data.<store_data_type> <value>]*\n");
		return;
	}
	t = find(c, &def);
	if (!t)
		return;
	if (strcmp(call_word(c, 1), "key") != 0) {
		call_say(c, "content-based lookup is only supported with the \"show\" and \"clear\" actions\n");
		return;
	}
	if (!read_key(c, &def, 2, &key) || !check_set(c, &def))
		return;
	e = table_hold(t, &key, true, c->now_ns, &scratch);
	if (!e) {
		call_say(c, "Unable to allocate a new entry\n");
		return;
	}
	for (size_t i = 3; i + 1 < c->n; i += 2)
		set_one(t, e, (enum table_data)table_data_of(c->word[i] + 5, strlen(c->word[i] + 5)), strtoull(c->word[i + 1], NULL, 10),
			c->now_ns);
	table_release(t, e);
}
