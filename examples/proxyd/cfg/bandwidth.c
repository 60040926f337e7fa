/* SPDX-License-Identifier: MIT */
/* filter bwlim-in, filter bwlim-out */
#include <limits.h>
#include <string.h>

#include "cfg/read.h"
#include "cfg/rules.h"
#include "rules/bandwidth.h"

/* What has no default: two words of a stream's own limit, or two of a shared one. */
static void check_whole(struct reader *r, size_t first, struct bandwidth *b,
			const struct rule_memory *m)
{
	if (b->key && !b->table)
		b->table = table_ref(m, r->proxy->name);
	if (b->bytes && (b->key ? !b->ns : b->ns > 0))
		return;
	say(r, DIAG_ERROR, first,
	    "a limit has a size and a period or a key: write default-limit SIZE default-period "
	    "TIME for each stream, or limit SIZE key "
	    "EXPRESSION for all together");
}

static bool read_bytes(struct reader *r, size_t i, const char *what, unsigned min, uint64_t *ret)
{
	unsigned n;

	if (!read_size(r, i, what, min, INT_MAX, &n))
		return false;
	*ret = n;
	return true;
}

/* Word i and its value. False: told. */
static bool read_word(struct reader *r, size_t i, const struct rule_memory *m, struct bandwidth *b)
{
	const char *word = word_at(r, i), *value = word_at(r, i + 1);

	if (i + 1 >= r->line->n) {
		say(r, DIAG_ERROR, i, "\"%s\" needs a value, or is too much here", word);
		return false;
	}
	if (!strcmp(word, "default-limit") || !strcmp(word, "limit"))
		return read_bytes(r, i + 1, word, 1, &b->bytes);
	if (!strcmp(word, "min-size"))
		return read_bytes(r, i + 1, word, 0, &b->min_bytes);
	if (!strcmp(word, "default-period"))
		return read_time(r, i + 1, word, &b->ns);
	if (!strcmp(word, "key"))
		return (b->key = cfg_read_expr(r, i + 1, value));
	if (!strcmp(word, "table"))
		return (b->table = table_ref(m, value));
	say(r, DIAG_ERROR, i,
	    "\"%s\" is unknown here: a bandwidth limit takes default-limit, "
	    "default-period, limit, key, table, min-size",
	    word);
	return false;
}

void kw_bandwidth(struct reader *r, size_t first, const void *data)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct cfg_rules *rules = cfg_rules_of(r);
	struct bandwidth *b =
	    m && rules ? bandwidth_named(&rules->bandwidths, word_at(r, first), m) : NULL;

	if (!b)
		return;
	if (r->proxy->kind == CFG_DEFAULTS) {
		say(r, DIAG_ERROR, first,
		    "a filter is of one section: write it in a frontend, listen or backend");
		return;
	}
	if (b->is_defined) {
		say(r, DIAG_ERROR, first,
		    "there is a filter \"%s\" above: give each a name of its own", b->name);
		return;
	}
	b->is_defined = true;
	b->file = place_at(r, first).file;
	b->line = place_at(r, first).line;
	b->is_out = *(const bool *)data;
	for (size_t i = first + 1; i < r->line->n; i += 2)
		if (!read_word(r, i, m, b))
			return;
	check_whole(r, first, b, m);
}

static void check(struct reader *r, const struct bandwidth *b)
{
	const struct diag_place at = {.file = b->file, .line = b->line},
				changed = {.file = b->changed_file, .line = b->changed_line};

	if (!b->is_defined)
		diag_add(r->diag, DIAG_ERROR, &at,
			 "there is no filter \"%s\" in this section: write filter bwlim-out %s "
			 "default-limit SIZE default-period TIME",
			 b->name, b->name);
	else if (b->key && b->changed_line)
		diag_add(r->diag, DIAG_ERROR, &changed,
			 "the limit \"%s\" is of all together: remove limit and period here",
			 b->name);
	else if (b->key && b->table && b->table->table &&
		 !table_has(b->table->table, table_at(bandwidth_rate(b))))
		diag_add(r->diag, DIAG_ERROR, &at,
			 "the limit \"%s\" needs a table with %s(1s): add it to the stick-table of "
			 "\"%s\"",
			 b->name, table_data_name(bandwidth_rate(b)), b->table->name);
}

void cfg_bandwidth_check(struct reader *r, struct cfg_proxy *p)
{
	for (const struct bandwidth *b = p->rules ? p->rules->bandwidths : NULL; b; b = b->next)
		check(r, b);
}
