/* SPDX-License-Identifier: MIT */
/* Rows as CSV, "typed" and JSON. */
#include <string.h>

#include "stat.h"

static bool is_signed(enum stat_type t)
{
	return t == STAT_S32;
}

static void put_number(struct out *o, enum stat_type type, uint64_t n)
{
	if (is_signed(type) && (int64_t)n < 0) {
		out_text(o, "-");
		n = -n;
	}
	out_number(o, n);
}

/* ---- CSV ---- */

static void csv_head(struct out *o)
{
	out_text(o, "# ");
	for (unsigned i = 0; i < STAT_COUNT_; i++) {
		if (i == STAT_FIRST_OF_MODULES)
			out_text(o, "-,");
		out_text(o, stat_fields[i].name);
		out_text(o, ",");
	}
	out_text(o, "\n");
}

static void csv_row(void *userdata, const struct stat_row *r)
{
	struct out *o = userdata;

	for (unsigned i = 0; i < STAT_COUNT_; i++) {
		if (i == STAT_FIRST_OF_MODULES)
			out_text(o, "-,");
		if (r->set[i] && stat_fields[i].type == STAT_STR)
			out_csv(o, r->v[i].text);
		else if (r->set[i])
			put_number(o, stat_fields[i].type, r->v[i].n);
		out_text(o, ",");
	}
	out_text(o, "\n");
}

/* ---- typed ---- */

static const char *const type_name[] = {"u32", "u64", "s32", "str"};

static const char *tags_of(const struct stat_row *r, unsigned field)
{
	const struct stat_field_info *f = &stat_fields[field];

	return r->kind == STAT_BACKEND && f->tags_backend ? f->tags_backend : f->tags;
}

static char letter_of(enum stat_kind kind)
{
	return "FBSL"[kind];
}

struct typed {
	struct out *o;
	bool desc;
};

static void typed_row(void *userdata, const struct stat_row *r)
{
	const struct typed *t = userdata;
	struct out *o = t->o;

	for (unsigned i = 0; i < STAT_COUNT_; i++) {
		if (!r->set[i])
			continue;
		out_printf(o, "%c.%u.%u.%u.%s.1:%s:%s:", letter_of(r->kind), r->iid, r->sid, i, stat_fields[i].name,
			   tags_of(r, i), type_name[stat_fields[i].type]);
		if (stat_fields[i].type == STAT_STR)
			out_text(o, r->v[i].text);
		else
			put_number(o, stat_fields[i].type, r->v[i].n);
		if (t->desc)
			out_printf(o, ":\"%s\"", stat_fields[i].desc);
		out_text(o, "\n");
	}
}

/* ---- JSON ---- */

static const char *word_of(char letter, const char *const *table)
{
	for (; *table; table++)
		if (**table == letter)
			return *table + 1;
	return "";
}

void stat_write_tags(struct out *o, const char *tags)
{
	static const char *const origin[] = {"MMetric", "SStatus", "KKey", "CConfig", "PProduct", NULL};
	static const char *const nature[] = {"GGauge", "LLimit", "mMin",   "MMax",   "RRate", "CCounter",
					     "DDuration", "AAge", "TTime", "NName", "OOutput", "aAvg",	NULL};
	static const char *const scope[] = {"CCluster", "PProcess", "SService", "HSystem", NULL};

	out_printf(o, "\"tags\":{\"origin\":\"%s\",\"nature\":\"%s\",\"scope\":\"%s\"}", word_of(tags[0], origin),
		   word_of(tags[1], nature), word_of(tags[2], scope));
}

struct json {
	struct out *o;
	bool comma;
};

static void json_row(void *userdata, const struct stat_row *r)
{
	static const char *const kind[] = {"Frontend", "Backend", "Server", "Listener"};
	struct json *j = userdata;
	struct out *o = j->o;
	bool comma = false;

	out_text(o, j->comma ? ",[" : "[");
	j->comma = true;
	for (unsigned i = 0; i < STAT_COUNT_; i++) {
		if (!r->set[i])
			continue;
		out_printf(o,
			   "%s{\"objType\":\"%s\",\"proxyId\":%u,\"id\":%u,\"field\":{\"pos\":%u,\"name\":\"%s\"},"
			   "\"processNum\":1,",
			   comma ? "," : "", kind[r->kind], r->iid, r->sid, i, stat_fields[i].name);
		stat_write_tags(o, tags_of(r, i));
		out_printf(o, ",\"value\":{\"type\":\"%s\",\"value\":", type_name[stat_fields[i].type]);
		if (stat_fields[i].type == STAT_STR) {
			out_text(o, "\"");
			out_json(o, r->v[i].text);
			out_text(o, "\"");
		} else {
			put_number(o, stat_fields[i].type, r->v[i].n);
		}
		out_text(o, "}}");
		comma = true;
	}
	out_text(o, "]");
}

void stat_write(const struct engine *e, uint64_t now_ns, const struct stat_filter *f, enum stat_format format, bool desc,
		struct out *o)
{
	struct typed t = {o, desc};
	struct json j = {o, false};

	switch (format) {
	case STAT_CSV:
		csv_head(o);
		stat_each(e, now_ns, f, csv_row, o);
		break;
	case STAT_TYPED:
		stat_each(e, now_ns, f, typed_row, &t);
		break;
	case STAT_JSON:
		out_text(o, "[");
		stat_each(e, now_ns, f, json_row, &j);
		out_text(o, "]");
	}
}
