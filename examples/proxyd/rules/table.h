/* SPDX-License-Identifier: MIT */
/*
 * Stick tables: what is counted of a key (an address, a name), for a while. Shared by all threads: a table is cut
 * into shards with a lock each, so that two keys seldom wait for each other.
 *
 * A table with the same definition goes on over a reload. It never has more than `size` entries; then the one
 * that was unused longest makes room.
 */
#ifndef PROXYD_RULES_TABLE_H
#define PROXYD_RULES_TABLE_H

#include "rules/expr.h"

#define TABLE_KEY_MAX 1024 /* bytes */
#define TABLE_SIZE_MAX (64u << 20)
#define TABLE_ARRAY_MAX 100 /* elements of gpt, gpc and gpc_rate; as HAProxy */

/* In the order of HAProxy's documentation of "store". */
enum table_data {
	TABLE_SERVER_ID,
	TABLE_GPT0,
	TABLE_GPC0,
	TABLE_GPC0_RATE,
	TABLE_GPC1,
	TABLE_GPC1_RATE,
	TABLE_CONN_CNT,
	TABLE_CONN_RATE,
	TABLE_CONN_CUR,
	TABLE_SESS_CNT,
	TABLE_SESS_RATE,
	TABLE_HTTP_REQ_CNT,
	TABLE_HTTP_REQ_RATE,
	TABLE_HTTP_ERR_CNT,
	TABLE_HTTP_ERR_RATE,
	TABLE_HTTP_FAIL_CNT,
	TABLE_HTTP_FAIL_RATE,
	TABLE_BYTES_IN_CNT,
	TABLE_BYTES_IN_RATE,
	TABLE_BYTES_OUT_CNT,
	TABLE_BYTES_OUT_RATE,
	TABLE_GPT, /* arrays: of each element its own */
	TABLE_GPC,
	TABLE_GPC_RATE,
	TABLE_N_DATA,
};

struct table_def {
	enum sample_type type;		  /* IPV4, IPV6, INT, STR, BIN */
	unsigned key_len;		  /* of STR and BIN: bytes at most */
	unsigned size;			  /* entries at most */
	uint64_t expire_ns;		  /* after its last use; 0: never */
	bool nopurge;			  /* full: nothing new, instead of the oldest's place */
	uint32_t stored;		  /* a bit for each table_data */
	uint64_t period_ns[TABLE_N_DATA]; /* of rates */
	unsigned n_elements[TABLE_N_DATA]; /* of arrays; others have 0 */
};

struct table;
struct table_entry;

/* What rules know of a table, which may be written below them: `table` is NULL until then. */
struct table_ref {
	struct table_ref *next;
	const char *name; /* of its proxy */
	struct table *table;
	bool tells_server; /* server_id is asked for by name, or by a line "stick" */
	bool is_wrong;	   /* its line is, and that was told */
	bool is_needed;	   /* not by disabled sections alone */
};

/* NULL: no memory. */
struct table_ref *table_ref(const struct rule_memory *m, const char *name);

/* "conn_rate" …; -1: no such data. */
int table_data_of(const char *name, size_t len);
const char *table_data_name(enum table_data d);
bool table_data_is_rate(enum table_data d);
bool table_data_is_array(enum table_data d);

/* What of an entry: `index` of an array, 0 else. gpc0, gpc1 and gpt0 that are not stored are elements of the arrays. */
struct table_place {
	enum table_data data;
	unsigned index;
};
static inline struct table_place table_at(enum table_data d)
{
	return (struct table_place){d, 0};
}
bool table_has(const struct table *t, struct table_place p);

/* The table of this name and definition, that is there or new. NULL: no memory. */
struct table *table_get(const char *name, const struct table_def *def);
void table_retain(struct table *t);
void table_put(struct table *t);
const struct table_def *table_def(const struct table *t);
const char *table_name(const struct table *t);
/* Entries, without those whose time is over. Any thread. */
unsigned table_used(struct table *t, uint64_t now_ns);

/* ---- Any thread; now_ns is CLOCK_MONOTONIC ---- */

/* The entry of a key, made when there is none and `make`; it stays until table_release. NULL: none. */
struct table_entry *table_hold(struct table *t, struct sample *key, bool make, uint64_t now_ns,
			       struct scratch *scratch);
/* The same, made when there is none; ret_made: it was. */
struct table_entry *table_hold_made(struct table *t, struct sample *key, uint64_t now_ns, struct scratch *scratch, bool *ret_made);
/* One that is held, once more. */
void table_hold_again(struct table *t, struct table_entry *e);
void table_release(struct table *t, struct table_entry *e);
/* The same, of one that was made at made_ns for nothing: it goes, unless it was used since. */
void table_forget(struct table *t, struct table_entry *e, uint64_t made_ns);
/* False: it is not stored. */
bool table_read(struct table *t, struct table_entry *e, struct table_place p, uint64_t now_ns,
		uint64_t *ret);
/* A counter, and the rate that goes with it, by `n`; what is not stored is left out. */
void table_count(struct table *t, struct table_entry *e, struct table_place p, int64_t n,
		 uint64_t now_ns);
void table_set(struct table *t, struct table_entry *e, struct table_place p, uint64_t value, uint64_t now_ns);
/* A rate, as if so much had come at this moment. */
void table_set_rate(struct table *t, struct table_entry *e, struct table_place p, uint64_t value, uint64_t now_ns);
unsigned table_holders(struct table *t, struct table_entry *e);
/* The key as a sample of the table's type; text is the entry's. */
struct sample table_key(const struct table *t, const struct table_entry *e);

/* ---- Peers (engine/peers): what changes here is told, and what others tell is learned ---- */

/* From now on changes are noted; `wake_fd`, an eventfd, is told of the first since table_changes(). -1: no longer. */
void table_share(struct table *t, int wake_fd);

/* A rate as it is counted: events of the period since then, and of the one before. */
struct table_rate {
	uint64_t since_ms;
	uint32_t now, before;
};

/* Its shard is locked: it may look at this entry by the five functions below, and no more. */
typedef void table_fn(void *userdata, struct table *t, const struct table_entry *e);
struct text table_key_bytes(const struct table *t, const struct table_entry *e);
uint64_t table_peek(const struct table *t, const struct table_entry *e, struct table_place p);
struct table_rate table_peek_rate(const struct table *t, const struct table_entry *e, struct table_place p);
/* Of a table whose entries expire: when this one does. */
uint32_t table_left_ms(const struct table *t, const struct table_entry *e, uint64_t now_ns);
/* It changed here last, not by learning, and since then. */
bool table_changed_since(const struct table_entry *e, uint64_t since_ns);

/* Each that changed here since the last call. */
void table_changes(struct table *t, table_fn *fn, void *userdata);

/* Goes on over all entries that have not expired, a part of a shard at a time; some may come twice. False: that was all. */
struct table_cursor {
	unsigned shard;
	size_t bucket;
};
bool table_walk(struct table *t, struct table_cursor *at, uint64_t now_ns, table_fn *fn, void *userdata);

/* The entry of a key that was used then, there or made; until table_release(). NULL: no key of this table, or no place. */
struct table_entry *table_hold_learned(struct table *t, struct sample *key, uint64_t used_ns, struct scratch *scratch);
void table_learn(struct table *t, struct table_entry *e, struct table_place p, uint64_t value);
void table_learn_rate(struct table *t, struct table_entry *e, struct table_place p, struct table_rate rate);

/* ---- The runtime API: "show table", "clear table" ---- */

/* How long an entry that is held was not used. */
uint64_t table_idle_ns(struct table *t, const struct table_entry *e, uint64_t now_ns);
/* Calls `fn` for each living entry, under the lock of its shard: it may read its own arguments only. */
struct table_row {
	struct sample key;
	uint64_t expires_ns; /* from now; 0: never */
	unsigned holders;
	uint64_t value[TABLE_N_DATA]; /* of what is stored */
	uint64_t element[3][TABLE_ARRAY_MAX]; /* of TABLE_GPT, TABLE_GPC, TABLE_GPC_RATE */
};
void table_each(struct table *t, uint64_t now_ns,
		bool (*fn)(void *userdata, const struct table_row *row), void *userdata);
/* Its data, of an entry that is held. */
void table_read_row(struct table *t, struct table_entry *e, uint64_t now_ns, struct table_row *row);
/* Takes the entry of a key out, unless it is held. False: it is not there, or held. */
bool table_remove(struct table *t, struct sample *key, struct scratch *scratch);
void table_clear(struct table *t);

#endif
