/* SPDX-License-Identifier: MIT */
#include "rules/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <libsched/lb_hash.h>

#include "rules/map.h"

#define SHARDS_MAX 16
#define SHARD_AT 4096 /* entries: a smaller table is one shard */
#define MS UINT64_C(1000000)

struct table_entry {
	TAILQ_ENTRY(table_entry) age;
	struct table_entry *next; /* of its bucket */
	uint64_t hash, used_ns;
	uint32_t holders;
	uint16_t key_len;
	bool changed; /* peers are to hear of it */
	bool is_own;  /* the last change was made here, while it was shared */
	uint64_t data[]; /* of what is stored, then the key */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	TAILQ_HEAD(ages, table_entry) ages; /* unused longest first */
	size_t n_changed;
	struct table_entry **bucket;
	size_t n_buckets, n; /* a power of 2 */
};

struct table {
	struct table *next;
	char *name;
	unsigned n_shards;
	_Atomic unsigned refs;
	struct table_def def;
	uint16_t at[TABLE_N_DATA]; /* words in an entry's data */
	unsigned n_words;
	uint64_t seed;
	_Atomic unsigned used;
	_Atomic int wake_fd; /* -1: it is not shared */
	_Atomic bool has_woken;
	struct shard shard[SHARDS_MAX];
};

static const char *const names[TABLE_N_DATA] = {
    "server_id",      "gpt0",		"gpc0",		 "gpc0_rate",	  "gpc1",
    "gpc1_rate",      "conn_cnt",	"conn_rate",	 "conn_cur",	  "sess_cnt",
    "sess_rate",      "http_req_cnt",	"http_req_rate", "http_err_cnt",  "http_err_rate",
    "http_fail_cnt",  "http_fail_rate", "bytes_in_cnt",	 "bytes_in_rate", "bytes_out_cnt",
    "bytes_out_rate", "gpt",		"gpc",		 "gpc_rate",
};

int table_data_of(const char *name, size_t len)
{
	for (int i = 0; i < TABLE_N_DATA; i++)
		if (strlen(names[i]) == len && !strncmp(names[i], name, len))
			return i;
	return -1;
}

const char *table_data_name(enum table_data d)
{
	return names[d];
}

bool table_data_is_rate(enum table_data d)
{
	size_t len = strlen(names[d]);

	return len > 5 && !strcmp(names[d] + len - 5, "_rate");
}

bool table_data_is_array(enum table_data d)
{
	return d >= TABLE_GPT;
}

static bool is_stored(const struct table *t, enum table_data d)
{
	return t->def.stored >> d & 1;
}

/* ---- Tables by name: they outlive configurations ---- */

static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;
static struct table *tables;

static struct table *table_new(const char *name, const struct table_def *def)
{
	struct table *t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->name = strdup(name);
	t->def = *def;
	t->wake_fd = -1;
	t->n_shards = def->size < SHARD_AT ? 1 : SHARDS_MAX;
	for (int d = 0; d < TABLE_N_DATA; d++)
		if (is_stored(t, d)) {
			unsigned n = table_data_is_array(d) ? def->n_elements[d] : 1;

			t->at[d] = (uint16_t)t->n_words;
			t->n_words += n * (table_data_is_rate(d) ? 2 : 1);
		}
	if (getrandom(&t->seed, sizeof(t->seed), 0) < 0)
		t->seed = (uintptr_t)t;
	for (unsigned i = 0; i < t->n_shards; i++) {
		pthread_mutex_init(&t->shard[i].lock, NULL);
		TAILQ_INIT(&t->shard[i].ages);
	}
	if (!t->name) {
		free(t);
		return NULL;
	}
	return t;
}

void table_retain(struct table *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

struct table *table_get(const char *name, const struct table_def *def)
{
	struct table *t;

	pthread_mutex_lock(&tables_lock);
	for (t = tables; t; t = t->next)
		if (!strcmp(t->name, name) && !memcmp(&t->def, def, sizeof(*def)))
			break;
	if (!t) {
		t = table_new(name, def);
		if (t) {
			t->next = tables;
			tables = t;
		}
	}
	if (t)
		table_retain(t);
	pthread_mutex_unlock(&tables_lock);
	return t;
}

void table_put(struct table *t)
{
	unsigned refs = atomic_load(&t->refs);
	struct table **p;

	while (refs > 1) /* the last one is given back under the lock, against table_get */
		if (atomic_compare_exchange_weak(&t->refs, &refs, refs - 1))
			return;
	pthread_mutex_lock(&tables_lock);
	if (atomic_fetch_sub(&t->refs, 1) > 1) {
		pthread_mutex_unlock(&tables_lock);
		return;
	}
	for (p = &tables; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	pthread_mutex_unlock(&tables_lock);
	for (unsigned i = 0; i < t->n_shards; i++) {
		struct table_entry *e;

		while ((e = TAILQ_FIRST(&t->shard[i].ages))) {
			TAILQ_REMOVE(&t->shard[i].ages, e, age);
			free(e);
		}
		free(t->shard[i].bucket);
		pthread_mutex_destroy(&t->shard[i].lock);
	}
	free(t->name);
	free(t);
}

struct table_ref *table_ref(const struct rule_memory *m, const char *name)
{
	struct table_ref *r;
	char *copy;

	for (r = m->shared->tables; r; r = r->next)
		if (!strcmp(r->name, name)) {
			r->is_needed |= !m->shared->rests;
			return r;
		}
	r = m->alloc(m->owner, sizeof(*r));
	copy = m->alloc(m->owner, strlen(name) + 1);
	if (!r || !copy)
		return NULL;
	r->name = strcpy(copy, name);
	r->is_needed = !m->shared->rests;
	r->next = m->shared->tables;
	m->shared->tables = r;
	return r;
}

const struct table_def *table_def(const struct table *t)
{
	return &t->def;
}

const char *table_name(const struct table *t)
{
	return t->name;
}

static size_t entry_bytes(const struct table *t, size_t key_len)
{
	return sizeof(struct table_entry) + t->n_words * sizeof(uint64_t) + key_len;
}

/* ---- Keys ---- */

struct key {
	char at[TABLE_KEY_MAX];
	size_t len;
	uint64_t hash;
};

/* False: `s` is no key of this table. */
static bool make_key(const struct table *t, struct sample *s, struct scratch *scratch,
		     struct key *ret)
{
	uint32_t number;

	if (!sample_cast(s, t->def.type, scratch))
		return false;
	switch (t->def.type) {
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		ret->len = t->def.type == SAMPLE_IPV4 ? 4 : 16;
		memcpy(ret->at, s->ip, ret->len);
		break;
	case SAMPLE_INT:
		number = (uint32_t)s->number;
		ret->len = sizeof(number);
		memcpy(ret->at, &number, sizeof(number));
		break;
	default: /* cut, and binary filled up, as HAProxy does */
		ret->len = s->text.len > t->def.key_len ? t->def.key_len : s->text.len;
		memcpy(ret->at, s->text.at, ret->len);
		if (t->def.type == SAMPLE_BIN) {
			memset(ret->at + ret->len, 0, t->def.key_len - ret->len);
			ret->len = t->def.key_len;
		}
	}
	ret->hash = lb_hash_bytes(ret->at, ret->len, t->seed);
	return true;
}

static char *key_of(const struct table *t, const struct table_entry *e)
{
	return (char *)(uintptr_t)(e->data + t->n_words);
}

struct sample table_key(const struct table *t, const struct table_entry *e)
{
	struct sample s = {.type = t->def.type};
	uint32_t number;

	switch (t->def.type) {
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		memcpy(s.ip, key_of(t, e), e->key_len);
		break;
	case SAMPLE_INT:
		memcpy(&number, key_of(t, e), sizeof(number));
		s.number = number;
		break;
	default:
		s.text = text_of(key_of(t, e), e->key_len);
	}
	return s;
}

/* ---- Entries; the shard is locked ---- */

static struct shard *shard_of(struct table *t, uint64_t hash)
{
	return &t->shard[(hash >> 32) % t->n_shards];
}

static bool has_expired(const struct table *t, const struct table_entry *e, uint64_t now_ns)
{
	return t->def.expire_ns && !e->holders && now_ns > e->used_ns &&
	       now_ns - e->used_ns >= t->def.expire_ns;
}

static void drop(struct table *t, struct shard *s, struct table_entry *e)
{
	struct table_entry **p = &s->bucket[e->hash & (s->n_buckets - 1)];

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	TAILQ_REMOVE(&s->ages, e, age);
	s->n--;
	s->n_changed -= e->changed;
	atomic_fetch_sub_explicit(&t->used, 1, memory_order_relaxed);
	free(e);
}

/* The oldest go when their time is over, so many at most. */
static void drop_expired(struct table *t, struct shard *s, uint64_t now_ns, unsigned max)
{
	struct table_entry *e;

	for (unsigned i = 0; i < max && (e = TAILQ_FIRST(&s->ages)) && has_expired(t, e, now_ns); i++)
		drop(t, s, e);
}

unsigned table_used(struct table *t, uint64_t now_ns)
{
	for (unsigned i = 0; i < t->n_shards; i++) {
		pthread_mutex_lock(&t->shard[i].lock);
		drop_expired(t, &t->shard[i], now_ns, t->def.size);
		pthread_mutex_unlock(&t->shard[i].lock);
	}
	return atomic_load_explicit(&t->used, memory_order_relaxed);
}

static struct table_entry *find(struct table *t, const struct shard *s, const struct key *k)
{
	struct table_entry *e = s->n_buckets ? s->bucket[k->hash & (s->n_buckets - 1)] : NULL;

	while (e && (e->hash != k->hash || e->key_len != k->len ||
		     memcmp(key_of(t, e), k->at, k->len) != 0))
		e = e->next;
	return e;
}

static bool grow(struct shard *s)
{
	size_t n = s->n_buckets ? 2 * s->n_buckets : 64;
	struct table_entry **bucket = calloc(n, sizeof(struct table_entry *)), *e;

	if (!bucket)
		return s->n_buckets;
	TAILQ_FOREACH (e, &s->ages, age) {
		e->next = bucket[e->hash & (n - 1)];
		bucket[e->hash & (n - 1)] = e;
	}
	free(s->bucket);
	s->bucket = bucket;
	s->n_buckets = n;
	return true;
}

/* The one of this shard that was unused longest and nobody holds. */
static bool drop_oldest(struct table *t, struct shard *s)
{
	struct table_entry *e = TAILQ_FIRST(&s->ages);

	for (int i = 0; e && e->holders && i < 100; i++)
		e = TAILQ_NEXT(e, age);
	if (!e || e->holders)
		return false;
	drop(t, s, e);
	return true;
}

/* A place in the table's count. */
static bool take_place(struct table *t, struct shard *own)
{
	if (atomic_fetch_add_explicit(&t->used, 1, memory_order_relaxed) < t->def.size)
		return true;
	if (!t->def.nopurge && drop_oldest(t, own))
		return true;
	for (unsigned i = 0; !t->def.nopurge && i < t->n_shards; i++) {
		struct shard *s = &t->shard[i];
		bool ok;

		if (s == own || pthread_mutex_trylock(&s->lock) != 0)
			continue;
		ok = drop_oldest(t, s);
		pthread_mutex_unlock(&s->lock);
		if (ok)
			return true;
	}
	atomic_fetch_sub_explicit(&t->used, 1, memory_order_relaxed);
	return false;
}

static struct table_entry *make(struct table *t, struct shard *s, const struct key *k)
{
	struct table_entry *e;

	if (s->n >= s->n_buckets && !grow(s))
		return NULL;
	if (!take_place(t, s))
		return NULL;
	e = calloc(1, entry_bytes(t, k->len));
	if (!e) {
		atomic_fetch_sub_explicit(&t->used, 1, memory_order_relaxed);
		return NULL;
	}
	e->hash = k->hash;
	e->key_len = (uint16_t)k->len;
	memcpy(key_of(t, e), k->at, k->len);
	e->next = s->bucket[k->hash & (s->n_buckets - 1)];
	s->bucket[k->hash & (s->n_buckets - 1)] = e;
	TAILQ_INSERT_TAIL(&s->ages, e, age);
	s->n++;
	return e;
}

static void note_change(struct table *t, struct shard *s, struct table_entry *e)
{
	int wake_fd = atomic_load_explicit(&t->wake_fd, memory_order_relaxed);

	if (wake_fd < 0 || e->changed)
		return;
	e->changed = e->is_own = true;
	s->n_changed++;
	if (!atomic_exchange(&t->has_woken, true))
		eventfd_write(wake_fd, 1);
}

/* It is used, and changes. Those that changed stand last, but for what is learned meanwhile. */
static void use(struct table *t, struct shard *s, struct table_entry *e, uint64_t now_ns)
{
	if (now_ns > e->used_ns || !e->changed) {
		e->used_ns = now_ns > e->used_ns ? now_ns : e->used_ns;
		TAILQ_REMOVE(&s->ages, e, age);
		TAILQ_INSERT_TAIL(&s->ages, e, age);
	}
	note_change(t, s, e);
}

static struct table_entry *take(struct table *t, struct sample *key, bool may_make, uint64_t now_ns,
				struct scratch *scratch, bool *ret_made)
{
	struct table_entry *e;
	struct shard *s;
	struct key k;

	if (!make_key(t, key, scratch, &k))
		return NULL;
	s = shard_of(t, k.hash);
	pthread_mutex_lock(&s->lock);
	e = find(t, s, &k);
	if (e && has_expired(t, e, now_ns)) {
		drop(t, s, e);
		e = NULL;
	}
	if (may_make) /* a few at a time */
		drop_expired(t, s, now_ns, 4);
	*ret_made = !e && may_make;
	if (*ret_made)
		e = make(t, s, &k);
	if (e)
		e->holders++;
	if (e && may_make)
		use(t, s, e, now_ns);
	pthread_mutex_unlock(&s->lock);
	return e;
}

struct table_entry *table_hold(struct table *t, struct sample *key, bool may_make, uint64_t now_ns,
			       struct scratch *scratch)
{
	bool made;

	return take(t, key, may_make, now_ns, scratch, &made);
}

struct table_entry *table_hold_made(struct table *t, struct sample *key, uint64_t now_ns, struct scratch *scratch, bool *ret_made)
{
	return take(t, key, true, now_ns, scratch, ret_made);
}

void table_forget(struct table *t, struct table_entry *e, uint64_t made_ns)
{
	struct shard *s = shard_of(t, e->hash);

	pthread_mutex_lock(&s->lock);
	e->holders--;
	if (!e->holders && e->used_ns == made_ns)
		drop(t, s, e);
	pthread_mutex_unlock(&s->lock);
}

void table_hold_again(struct table *t, struct table_entry *e)
{
	struct shard *s = shard_of(t, e->hash);

	pthread_mutex_lock(&s->lock);
	e->holders++;
	pthread_mutex_unlock(&s->lock);
}

void table_release(struct table *t, struct table_entry *e)
{
	struct shard *s = shard_of(t, e->hash);

	pthread_mutex_lock(&s->lock);
	e->holders--;
	pthread_mutex_unlock(&s->lock);
}

unsigned table_holders(struct table *t, struct table_entry *e)
{
	struct shard *s = shard_of(t, e->hash);
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = e->holders;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* ---- Counting; the shard is locked ---- */

/* Where it is; false: it is not stored. */
static bool resolve(const struct table *t, struct table_place *p)
{
	static const struct {
		enum table_data alone;
		struct table_place element;
	} also[] = {
	    {TABLE_GPT0, {TABLE_GPT, 0}},	   {TABLE_GPC0, {TABLE_GPC, 0}},
	    {TABLE_GPC1, {TABLE_GPC, 1}},	   {TABLE_GPC0_RATE, {TABLE_GPC_RATE, 0}},
	    {TABLE_GPC1_RATE, {TABLE_GPC_RATE, 1}},
	};

	for (unsigned i = 0; !is_stored(t, p->data) && i < sizeof(also) / sizeof(also[0]); i++)
		if (also[i].alone == p->data)
			*p = also[i].element;
	return is_stored(t, p->data) &&
	       (!table_data_is_array(p->data) || p->index < t->def.n_elements[p->data]);
}

bool table_has(const struct table *t, struct table_place p)
{
	return resolve(t, &p);
}

static uint64_t *word_of(const struct table *t, struct table_entry *e, struct table_place p)
{
	return &e->data[t->at[p.data] + p.index * (table_data_is_rate(p.data) ? 2 : 1)];
}

static struct table_rate *rate_of(const struct table *t, struct table_entry *e, struct table_place p)
{
	return (struct table_rate *)(void *)word_of(t, e, p);
}

/* Clocks of threads lag by their turns: its period may have begun later than now. */
static void turn(struct table_rate *r, uint64_t period_ms, uint64_t now_ms)
{
	if (now_ms < r->since_ms || now_ms - r->since_ms < period_ms)
		return;
	r->before = now_ms - r->since_ms < 2 * period_ms ? r->now : 0;
	r->now = 0;
	r->since_ms = r->since_ms && r->before ? r->since_ms + period_ms : now_ms;
}

static uint64_t rate_read(const struct table_rate *given, uint64_t period_ms, uint64_t now_ms)
{
	struct table_rate r = *given;
	uint64_t remain;

	turn(&r, period_ms, now_ms);
	if (r.before <= 1 && !r.now) /* so slow a rate would flap */
		return r.before;
	remain = r.since_ms + period_ms > now_ms ? r.since_ms + period_ms - now_ms : 0;
	return r.now + r.before * remain / period_ms;
}

static uint64_t period_ms(const struct table *t, enum table_data d)
{
	return t->def.period_ns[d] / MS ? t->def.period_ns[d] / MS : 1;
}

static uint64_t read_data(struct table *t, struct table_entry *e, struct table_place p,
			  uint64_t now_ns)
{
	return table_data_is_rate(p.data)
		   ? rate_read(rate_of(t, e, p), period_ms(t, p.data), now_ns / MS)
		   : *word_of(t, e, p);
}

bool table_read(struct table *t, struct table_entry *e, struct table_place p, uint64_t now_ns,
		uint64_t *ret)
{
	struct shard *s = shard_of(t, e->hash);

	if (!resolve(t, &p))
		return false;
	pthread_mutex_lock(&s->lock);
	*ret = read_data(t, e, p, now_ns);
	pthread_mutex_unlock(&s->lock);
	return true;
}

/* As HAProxy: of all but bytes 32 bits are kept. */
static void keep(uint64_t *word, enum table_data d, uint64_t value)
{
	*word = d == TABLE_BYTES_IN_CNT || d == TABLE_BYTES_OUT_CNT ? value : (uint32_t)value;
}

/* The rate that goes with a counter; TABLE_N_DATA: none. */
static enum table_data rate_with(enum table_data d)
{
	return d != TABLE_CONN_CUR && d + 1 < TABLE_N_DATA && table_data_is_rate(d + 1)
		   ? d + 1
		   : TABLE_N_DATA;
}

void table_count(struct table *t, struct table_entry *e, struct table_place p, int64_t n,
		 uint64_t now_ns)
{
	struct table_place rate = {rate_with(p.data), p.index};
	struct shard *s = shard_of(t, e->hash);
	bool stored = resolve(t, &p), rated = rate.data != TABLE_N_DATA && resolve(t, &rate);

	if (!stored && !rated)
		return;
	pthread_mutex_lock(&s->lock);
	use(t, s, e, now_ns);
	if (stored && (n >= 0 || *word_of(t, e, p)))
		keep(word_of(t, e, p), p.data, *word_of(t, e, p) + (uint64_t)n);
	if (rated) {
		struct table_rate *r = rate_of(t, e, rate);

		turn(r, period_ms(t, rate.data), now_ns / MS);
		r->now += (uint32_t)n;
	}
	pthread_mutex_unlock(&s->lock);
}

void table_set(struct table *t, struct table_entry *e, struct table_place p, uint64_t value, uint64_t now_ns)
{
	struct shard *s = shard_of(t, e->hash);

	if (table_data_is_rate(p.data) || !resolve(t, &p))
		return;
	pthread_mutex_lock(&s->lock);
	use(t, s, e, now_ns);
	keep(word_of(t, e, p), p.data, value);
	pthread_mutex_unlock(&s->lock);
}

void table_set_rate(struct table *t, struct table_entry *e, struct table_place p, uint64_t value, uint64_t now_ns)
{
	struct shard *s = shard_of(t, e->hash);

	if (!table_data_is_rate(p.data) || !resolve(t, &p))
		return;
	pthread_mutex_lock(&s->lock);
	use(t, s, e, now_ns);
	*rate_of(t, e, p) = (struct table_rate){.since_ms = now_ns / MS, .now = (uint32_t)value};
	pthread_mutex_unlock(&s->lock);
}

/* The shard is locked. */
static void read_row(struct table *t, struct table_entry *e, uint64_t now_ns, struct table_row *row)
{
	for (int d = 0; d < TABLE_N_DATA; d++) {
		if (is_stored(t, d) && !table_data_is_array(d))
			row->value[d] = read_data(t, e, table_at(d), now_ns);
		for (unsigned i = 0; is_stored(t, d) && i < t->def.n_elements[d]; i++)
			row->element[d - TABLE_GPT][i] =
			    read_data(t, e, (struct table_place){d, i}, now_ns);
	}
}

/* ---- Peers ---- */

void table_share(struct table *t, int wake_fd)
{
	atomic_store(&t->wake_fd, wake_fd);
	if (wake_fd < 0)
		return;
	atomic_store(&t->has_woken, true); /* for what changed while nobody asked */
	eventfd_write(wake_fd, 1);
}

struct text table_key_bytes(const struct table *t, const struct table_entry *e)
{
	return text_of(key_of(t, e), e->key_len);
}

uint64_t table_peek(const struct table *t, const struct table_entry *e, struct table_place p)
{
	return *word_of(t, (struct table_entry *)(uintptr_t)e, p);
}

struct table_rate table_peek_rate(const struct table *t, const struct table_entry *e, struct table_place p)
{
	return *rate_of(t, (struct table_entry *)(uintptr_t)e, p);
}

uint32_t table_left_ms(const struct table *t, const struct table_entry *e, uint64_t now_ns)
{
	uint64_t end_ns = e->used_ns + t->def.expire_ns;

	return end_ns > now_ns ? (uint32_t)((end_ns - now_ns) / MS) : 0;
}

bool table_changed_since(const struct table_entry *e, uint64_t since_ns)
{
	return e->is_own && e->used_ns >= since_ns;
}

void table_changes(struct table *t, table_fn *fn, void *userdata)
{
	atomic_store(&t->has_woken, false); /* before it is looked: who comes later wakes again */
	for (unsigned i = 0; i < t->n_shards; i++) {
		struct shard *s = &t->shard[i];
		struct table_entry *e;

		pthread_mutex_lock(&s->lock);
		for (e = TAILQ_LAST(&s->ages, ages); e && s->n_changed; e = TAILQ_PREV(e, ages, age)) {
			if (!e->changed)
				continue;
			e->changed = false;
			s->n_changed--;
			fn(userdata, t, e);
		}
		pthread_mutex_unlock(&s->lock);
	}
}

#define WALK 256 /* buckets: so long others wait for the shard */

bool table_walk(struct table *t, struct table_cursor *at, uint64_t now_ns, table_fn *fn, void *userdata)
{
	struct shard *s = &t->shard[at->shard];

	if (at->shard >= t->n_shards)
		return false;
	pthread_mutex_lock(&s->lock);
	/* where the shard grew meanwhile, what was in buckets behind is in buckets behind */
	for (unsigned i = 0; i < WALK && at->bucket < s->n_buckets; i++, at->bucket++)
		for (struct table_entry *e = s->bucket[at->bucket]; e; e = e->next)
			if (!has_expired(t, e, now_ns))
				fn(userdata, t, e);
	if (at->bucket >= s->n_buckets)
		*at = (struct table_cursor){at->shard + 1, 0};
	pthread_mutex_unlock(&s->lock);
	return true;
}

struct table_entry *table_hold_learned(struct table *t, struct sample *key, uint64_t used_ns, struct scratch *scratch)
{
	struct table_entry *e;
	struct shard *s;
	struct key k;

	if (!make_key(t, key, scratch, &k))
		return NULL;
	s = shard_of(t, k.hash);
	pthread_mutex_lock(&s->lock);
	e = find(t, s, &k);
	if (!e)
		e = make(t, s, &k);
	if (e) {
		e->holders++;
		e->is_own = false;
		e->used_ns = used_ns;
		TAILQ_REMOVE(&s->ages, e, age);
		TAILQ_INSERT_TAIL(&s->ages, e, age);
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

void table_learn(struct table *t, struct table_entry *e, struct table_place p, uint64_t value)
{
	struct shard *s = shard_of(t, e->hash);

	if (table_data_is_rate(p.data) || !resolve(t, &p))
		return;
	pthread_mutex_lock(&s->lock);
	*word_of(t, e, p) = value;
	pthread_mutex_unlock(&s->lock);
}

void table_learn_rate(struct table *t, struct table_entry *e, struct table_place p, struct table_rate rate)
{
	struct shard *s = shard_of(t, e->hash);

	if (!table_data_is_rate(p.data) || !resolve(t, &p))
		return;
	pthread_mutex_lock(&s->lock);
	*rate_of(t, e, p) = rate;
	pthread_mutex_unlock(&s->lock);
}

/* ---- The runtime API ---- */

void table_read_row(struct table *t, struct table_entry *e, uint64_t now_ns, struct table_row *row)
{
	struct shard *s = shard_of(t, e->hash);

	pthread_mutex_lock(&s->lock);
	read_row(t, e, now_ns, row);
	pthread_mutex_unlock(&s->lock);
}

uint64_t table_idle_ns(struct table *t, const struct table_entry *e, uint64_t now_ns)
{
	struct shard *s = shard_of(t, e->hash);
	uint64_t used_ns;

	pthread_mutex_lock(&s->lock);
	used_ns = e->used_ns;
	pthread_mutex_unlock(&s->lock);
	return now_ns > used_ns ? now_ns - used_ns : 0;
}

void table_each(struct table *t, uint64_t now_ns,
		bool (*fn)(void *userdata, const struct table_row *row), void *userdata)
{
	bool go_on = true;

	for (unsigned i = 0; i < t->n_shards && go_on; i++) {
		struct shard *s = &t->shard[i];
		struct table_entry *e;

		pthread_mutex_lock(&s->lock);
		TAILQ_FOREACH (e, &s->ages, age) {
			struct table_row row = {.key = table_key(t, e), .holders = e->holders};
			uint64_t age = now_ns > e->used_ns ? now_ns - e->used_ns : 0;

			if (has_expired(t, e, now_ns))
				continue;
			if (t->def.expire_ns)
				row.expires_ns =
				    age < t->def.expire_ns ? t->def.expire_ns - age : 1;
			read_row(t, e, now_ns, &row);
			go_on = fn(userdata, &row);
			if (!go_on)
				break;
		}
		pthread_mutex_unlock(&s->lock);
	}
}

bool table_remove(struct table *t, struct sample *key, struct scratch *scratch)
{
	struct table_entry *e;
	struct shard *s;
	struct key k;
	bool ok;

	if (!make_key(t, key, scratch, &k))
		return false;
	s = shard_of(t, k.hash);
	pthread_mutex_lock(&s->lock);
	e = find(t, s, &k);
	ok = e && !e->holders;
	if (ok)
		drop(t, s, e);
	pthread_mutex_unlock(&s->lock);
	return ok;
}

void table_clear(struct table *t)
{
	for (unsigned i = 0; i < t->n_shards; i++) {
		struct shard *s = &t->shard[i];
		struct table_entry *e, *next;

		pthread_mutex_lock(&s->lock);
		for (e = TAILQ_FIRST(&s->ages); e; e = next) {
			next = TAILQ_NEXT(e, age);
			if (!e->holders)
				drop(t, s, e);
		}
		pthread_mutex_unlock(&s->lock);
	}
}
