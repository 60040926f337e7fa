/* SPDX-License-Identifier: MIT */
#include "rules/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsched/lb_hash.h>

#include "rules/map_object.h"
#include "rules/regex.h"

/* What views allocated; goes as a whole. */
struct block {
	struct block *next;
	char data[];
};

struct end {
	struct end *next;
	void (*fn)(void *object);
	void *object;
};

/* ---- Memory of patterns ---- */

static void *block_alloc(void *owner, size_t size)
{
	struct map *m = owner;
	struct block *b = m->bytes + size <= MAP_BYTES_MAX ? calloc(1, sizeof(*b) + size) : NULL;

	if (!b)
		return NULL;
	m->bytes += size;
	b->next = m->blocks;
	m->blocks = b;
	return b->data;
}

static bool block_on_free(void *owner, void (*fn)(void *object), void *object)
{
	struct map *m = owner;
	struct end *e = malloc(sizeof(*e));

	if (!e) {
		fn(object);
		return false;
	}
	*e = (struct end){m->ends, fn, object};
	m->ends = e;
	return true;
}

static void free_patterns(struct map *m)
{
	for (struct end *e = m->ends, *next; e; e = next) {
		next = e->next;
		e->fn(e->object);
		free(e);
	}
	for (struct block *b = m->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	m->ends = NULL;
	m->blocks = NULL;
	m->bytes = 0;
	for (struct map_view *v = m->views; v; v = v->next)
		v->patterns = (struct patterns){
		    .match = v->patterns.match,
		    .ignore_case = v->patterns.ignore_case,
		    .versions = v->patterns.versions,
		    .no_names = v->patterns.no_names,
		};
}

static struct rule_memory memory_of(struct map *m)
{
	return (struct rule_memory){.alloc = block_alloc, .on_free = block_on_free, .owner = m};
}

/* ---- Maps by name ---- */

static struct map *map_find(struct rule_shared *s, const char *name)
{
	for (struct map *m = s->maps; m; m = m->next)
		if (!m->written && !strcmp(m->name, name))
			return m;
	return NULL;
}

struct map *map_get(struct rule_shared *s, const char *name)
{
	struct map *m = map_find(s, name);

	return m ? m : map_new(s, name);
}

struct map *map_new(struct rule_shared *s, const char *name)
{
	struct map *m = calloc(1, sizeof(*m));

	if (m)
		m->name = strdup(name);
	if (!m || !m->name) {
		free(m);
		return NULL;
	}
	m->id = s->last_map ? s->last_map->id + 1 : 0;
	m->next_id = 1;
	pthread_rwlock_init(&m->lock, NULL);
	*(s->last_map ? &s->last_map->next : &s->maps) = m;
	return s->last_map = m;
}

static void free_entries(struct map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->at[i].key);
		free(m->at[i].value);
	}
	m->n = m->n_dead = 0;
	if (m->bucket)
		memset(m->bucket, 0, m->n_buckets * sizeof(*m->bucket));
}

void map_free(struct map *m)
{
	for (struct map *draft = m->drafts, *next; draft; draft = next) {
		next = draft->next;
		map_free(draft);
	}
	free_patterns(m);
	free_entries(m);
	for (struct map_view *v = m->views, *after; v; v = after) {
		after = v->next;
		free(v);
	}
	pthread_rwlock_destroy(&m->lock);
	free(m->bucket);
	free(m->at);
	free(m->name);
	free(m->uses);
	free(m);
}

void maps_free(struct rule_shared *s)
{
	for (struct map *m = s->maps, *next; m; m = next) {
		next = m->next;
		map_free(m);
	}
	s->maps = s->last_map = s->given_maps = NULL;
}

struct map *map_next(const struct map *m)
{
	return m->next;
}

const char *map_name(const struct map *m)
{
	return m->name;
}

const char *map_uses(const struct map *m)
{
	return m->uses ? m->uses : m->has_values ? "map" : "acl";
}

unsigned map_id(const struct map *m)
{
	return m->id;
}

bool map_has_values(const struct map *m)
{
	return m->has_values;
}

size_t map_count(struct map *m)
{
	size_t n;

	if (map_is_as_written(m))
		return m->written->n;
	pthread_rwlock_rdlock(&m->lock);
	n = m->n - m->n_dead;
	pthread_rwlock_unlock(&m->lock);
	return n;
}

/* ---- Entries; the lock is held ---- */

static size_t bucket_of(const struct map *m, const char *key)
{
	return lb_hash_bytes(key, strlen(key), 0) & (m->n_buckets - 1);
}

/* Of its key it is the first now. */
static void link_entry(struct map *m, size_t place)
{
	size_t b = bucket_of(m, m->at[place].key);

	m->at[place].next = m->bucket[b];
	m->bucket[b] = (uint32_t)place + 1;
}

static bool grow(struct map *m)
{
	size_t cap = m->cap ? 2 * m->cap : 16;
	struct map_entry *at;
	uint32_t *bucket;

	if (m->n == PATTERNS_MAX)
		return false;
	at = realloc(m->at, cap * sizeof(*at));
	if (!at)
		return false;
	m->at = at;
	bucket = calloc(cap, sizeof(*bucket));
	if (!bucket)
		return false;
	free(m->bucket);
	m->bucket = bucket;
	m->n_buckets = m->cap = cap;
	for (size_t i = 0; i < m->n; i++)
		link_entry(m, i);
	return true;
}

/* The next entry of this key behind `after` (0: the first) : 1 + its place; 0: none. */
static uint32_t next_entry(const struct map *m, const char *key, uint32_t after)
{
	uint32_t i = after	    ? m->at[after - 1].next
		     : m->n_buckets ? m->bucket[bucket_of(m, key)]
				    : 0;

	while (i && (m->at[i - 1].dead || strcmp(m->at[i - 1].key, key) != 0))
		i = m->at[i - 1].next;
	return i;
}

static const char *pattern_text(const struct map_entry *x)
{
	return x->apart ? x->key + strlen(x->key) + 1 : x->key;
}

static bool add_to_view(struct map_view *v, size_t place, struct rule_error *e)
{
	struct rule_memory memory = memory_of(v->map);

	if (!pattern_add(&v->patterns, pattern_text(&v->map->at[place]), NULL, &memory, e))
		return false;
	v->patterns.at[v->patterns.n - 1].entry = (uint32_t)place;
	return patterns_grow(&v->patterns, &memory, e);
}

/* Views anew, without the dead. */
static void compact(struct map *m)
{
	struct rule_error e;
	size_t n = 0;

	free_patterns(m);
	for (size_t i = 0; i < m->n; i++) {
		if (!m->at[i].dead) {
			m->at[n++] = m->at[i];
			continue;
		}
		free(m->at[i].key);
		free(m->at[i].value);
	}
	m->n = n;
	m->n_dead = 0;
	memset(m->bucket, 0, m->n_buckets * sizeof(*m->bucket));
	for (size_t i = 0; i < m->n; i++) {
		link_entry(m, i);
		for (struct map_view *v = m->views; v; v = v->next)
			add_to_view(v, i, &e); /* it fitted before */
	}
}

/* NULL: no memory. */
static char *copy_key(const char *key, const char *pattern)
{
	size_t len = strlen(key) + 1, more = pattern ? strlen(pattern) + 1 : 0;
	char *copy = malloc(len + more);

	if (!copy)
		return NULL;
	memcpy(copy, key, len);
	if (pattern)
		memcpy(copy + len, pattern, more);
	return copy;
}

/* `pattern` NULL: the key is it. */
static bool add(struct map *m, const char *key, const char *pattern, const char *value, struct rule_error *e)
{
	struct map_entry *x;

	if (m->n == m->cap && !grow(m))
		return rule_fail(e,
				 m->n == PATTERNS_MAX ? "more than 1000000 entries" : "no memory");
	x = &m->at[m->n];
	*x = (struct map_entry){.id = m->next_id++, .key = copy_key(key, pattern), .value = value ? strdup(value) : NULL, .apart = pattern};
	if (!x->key || (value && !x->value)) {
		free(x->key);
		free(x->value);
		return rule_fail(e, "no memory");
	}
	link_entry(m, m->n++);
	for (struct map_view *v = m->views; v; v = v->next)
		if (!add_to_view(v, m->n - 1, e)) {
			m->at[m->n - 1].dead = true; /* for all of them */
			m->n_dead++;
			return false;
		}
	return true;
}

static void kill_entry(struct map *m, size_t place)
{
	m->at[place].dead = true;
	m->n_dead++;
	if (m->n_dead > 64 && m->n_dead > m->n / 2)
		compact(m);
}

static bool set_value(struct map_entry *x, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return false;
	free(x->value);
	x->value = copy;
	return true;
}

/* ---- Changes ---- */

bool map_add(struct map *m, const char *key, const char *value, struct rule_error *e)
{
	bool ok;

	pthread_rwlock_wrlock(&m->lock);
	ok = add(m, key, NULL, value, e);
	pthread_rwlock_unlock(&m->lock);
	return ok;
}

bool map_add_apart(struct map *m, const char *key, const char *pattern, struct rule_error *e)
{
	bool ok;

	pthread_rwlock_wrlock(&m->lock);
	ok = add(m, key, pattern, NULL, e);
	pthread_rwlock_unlock(&m->lock);
	return ok;
}

size_t map_set(struct map *m, const char *key, const char *value)
{
	size_t n = 0;

	pthread_rwlock_wrlock(&m->lock);
	for (uint32_t i = next_entry(m, key, 0); i; i = next_entry(m, key, i))
		n += set_value(&m->at[i - 1], value);
	pthread_rwlock_unlock(&m->lock);
	return n;
}

size_t map_del(struct map *m, const char *key)
{
	size_t n = 0;

	pthread_rwlock_wrlock(&m->lock);
	for (uint32_t i; (i = next_entry(m, key, 0)); n++)
		kill_entry(m, i - 1);
	pthread_rwlock_unlock(&m->lock);
	return n;
}

/* 1 + its place; entries stand in the order of their numbers. */
static size_t place_of(const struct map *m, uint64_t id)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (m->at[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->n && m->at[low].id == id && !m->at[low].dead ? low + 1 : 0;
}

bool map_del_id(struct map *m, uint64_t id)
{
	size_t place;

	pthread_rwlock_wrlock(&m->lock);
	place = place_of(m, id);
	if (place)
		kill_entry(m, place - 1);
	pthread_rwlock_unlock(&m->lock);
	return place;
}

bool map_set_id(struct map *m, uint64_t id, const char *value)
{
	size_t place;
	bool ok;

	pthread_rwlock_wrlock(&m->lock);
	place = place_of(m, id);
	ok = place && set_value(&m->at[place - 1], value);
	pthread_rwlock_unlock(&m->lock);
	return ok;
}

void map_clear(struct map *m)
{
	pthread_rwlock_wrlock(&m->lock);
	free_patterns(m);
	free_entries(m);
	pthread_rwlock_unlock(&m->lock);
}

void map_each(struct map *m,
	      bool (*fn)(void *userdata, uint64_t id, const char *key, const char *value),
	      void *userdata)
{
	if (map_is_as_written(m)) {
		map_each_written(m, fn, userdata);
		return;
	}
	pthread_rwlock_rdlock(&m->lock);
	for (size_t i = 0; i < m->n; i++)
		if (!m->at[i].dead && !fn(userdata, m->at[i].id, m->at[i].key, m->at[i].value))
			break;
	pthread_rwlock_unlock(&m->lock);
}

/* ---- Files ---- */

struct loading {
	struct map *map;
	bool values;
};

static bool add_line(void *to, const char *line, struct rule_error *e)
{
	const struct loading *l = to;
	size_t len = strcspn(line, " \t");
	char *key, *value;
	bool ok;

	if (!l->values)
		return add(l->map, line, NULL, NULL, e);
	key = strndup(line, len);
	line += len;
	line += strspn(line, " \t");
	len = strlen(line);
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	value = strndup(line, len);
	ok = key && value ? add(l->map, key, NULL, value, e) : rule_fail(e, "%s", "");
	free(key);
	free(value);
	return ok;
}

/* Those that do not fit are not told of. */
static bool add_use(struct map *m, const struct rule_shared *s, bool values)
{
	size_t had = m->uses ? strlen(m->uses) : 0;
	char use[512], *longer;
	int len = snprintf(use, sizeof(use), "%s%s at file '%s' line %u", had ? ", by " : "", values ? "map" : "acl", s->file, s->line);

	if (len < 0 || (size_t)len >= sizeof(use) || had + (size_t)len >= MAP_USES_MAX)
		return true;
	longer = realloc(m->uses, had + (size_t)len + 1);
	if (!longer)
		return false;
	m->uses = strcpy(longer + had, use) - had;
	return true;
}

bool map_load(struct map *m, struct rule_shared *s, bool values, struct rule_error *e)
{
	struct loading l = {m, values};

	if (s->file && !add_use(m, s, values))
		return rule_fail(e, "%s", "");
	if (m->is_loaded)
		return m->has_values || !values ||
		       rule_fail(e,
				 "%.150s is read as patterns elsewhere: a map has lines of its own",
				 m->name);
	m->is_loaded = true;
	m->has_values = values;
	return s->read_file(s->userdata, m->name, add_line, &l, e);
}

/* ---- Views ---- */

struct map_view *map_view_of(const struct map *m, enum match match, bool ignore_case)
{
	struct map_view *v;

	for (v = m->views; v; v = v->next)
		if (v->patterns.match == match && v->patterns.ignore_case == ignore_case)
			break;
	return v;
}

/* Behind what is wrong with one of its keys, which the message shows. */
static void name_file(const struct map *m, struct rule_error *e)
{
	size_t len = strlen(e->text);

	if (m->is_loaded && len)
		snprintf(e->text + len, sizeof(e->text) - len, "; a line of %.150s", m->name);
}

struct map_view *map_view(struct map *m, enum match match, bool ignore_case, struct rule_error *e)
{
	struct map_view *v = map_view_of(m, match, ignore_case), **tail = &m->views;

	if (v)
		return v;
	v = calloc(1, sizeof(*v));
	if (!v) {
		rule_fail(e, "%s", "");
		return NULL;
	}
	*v = (struct map_view){.map = m, .patterns = {.match = match, .ignore_case = ignore_case}};
	for (size_t i = 0; i < m->n; i++)
		if (!m->at[i].dead && !add_to_view(v, i, e)) {
			name_file(m, e);
			free(v); /* its patterns are the map's */
			return NULL;
		}
	while (*tail) /* in the order of their uses */
		tail = &(*tail)->next;
	return *tail = v;
}

/* The lock is held. The best one that lives; NULL: none. */
static const struct map_entry *find(struct map_view *v, struct sample *s, struct scratch *scratch,
				    const struct pattern **ret_pattern)
{
	const struct patterns *all = &v->patterns;
	const struct map_entry *at = v->map->at, *best = NULL;
	bool longest = all->match == MATCH_BEG || all->match == MATCH_IP;
	struct pattern_walk walk;
	const struct pattern *p;

	if (!patterns_walk(all, s, scratch, &walk))
		return NULL;
	while ((p = patterns_next(all, s, &walk))) {
		if (at[p->entry].dead)
			continue;
		if (!best || (all->match == MATCH_IP ? p->bits > (*ret_pattern)->bits
						     : p->text.len > (*ret_pattern)->text.len)) {
			best = &at[p->entry];
			*ret_pattern = p;
		}
		if (!longest)
			break;
	}
	return best;
}

bool map_view_has(struct map_view *v, struct sample *s, struct scratch *scratch)
{
	const struct pattern *p;
	bool found;

	pthread_rwlock_rdlock(&v->map->lock);
	found = find(v, s, scratch, &p);
	pthread_rwlock_unlock(&v->map->lock);
	return found;
}

static bool copy_pattern(struct text text, struct scratch *scratch, struct text *ret)
{
	char *copy = scratch_take(scratch, text.len);

	if (copy) {
		memcpy(copy, text.at, text.len);
		*ret = text_of(copy, text.len);
	}
	return copy;
}

static bool copy_text(const char *text, struct scratch *scratch, struct text *ret)
{
	return copy_pattern(text_of(text, strlen(text)), scratch, ret);
}

bool map_view_value(struct map_view *v, struct sample *s, struct scratch *scratch,
		    struct text *groups, struct text *ret)
{
	const struct map_entry *x;
	const struct pattern *p;
	bool ok;

	pthread_rwlock_rdlock(&v->map->lock);
	x = find(v, s, scratch, &p);
	ok = x && x->value && copy_text(x->value, scratch, ret);
	if (ok && groups && p->regex)
		regex_match(p->regex, s->text, groups);
	pthread_rwlock_unlock(&v->map->lock);
	return ok;
}

struct map *map_of_view(const struct map_view *v)
{
	return v->map;
}

struct map_view *map_next_view(const struct map *m, const struct map_view *v)
{
	return v ? v->next : m->views;
}

void map_view_fills(struct map_view *v)
{
	v->fills = true;
}

const char *map_view_type(const struct map_view *v)
{
	return v->fills ? "regm" : match_name(v->patterns.match);
}

enum match map_view_match(const struct map_view *v, bool *ret_ignore_case)
{
	*ret_ignore_case = v->patterns.ignore_case;
	return v->patterns.match;
}

bool map_view_entry(struct map_view *v, const char *text, struct scratch *scratch, struct text *ret_key, struct text *ret_value)
{
	struct sample s = sample_text(SAMPLE_STR, text, strlen(text));
	const struct map_entry *x;
	const struct pattern *p;
	bool ok;

	*ret_value = (struct text){0};
	if (map_is_as_written(v->map)) {
		p = patterns_find(v->map->written, &s, scratch);
		return p && copy_pattern(p->text, scratch, ret_key);
	}
	pthread_rwlock_rdlock(&v->map->lock);
	x = find(v, &s, scratch, &p);
	ok = x && copy_text(x->key, scratch, ret_key) && (!x->value || copy_text(x->value, scratch, ret_value));
	pthread_rwlock_unlock(&v->map->lock);
	return ok;
}
