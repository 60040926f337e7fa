/* SPDX-License-Identifier: MIT */
/*
 * HAProxy's peers protocol 2.1, by which stick tables are told to others: messages of a class, a type and, from type 128 on, a
 * length and data. Numbers are 1 to 10 bytes, the small ones 1. Facts: HAProxy's doc/peers-v2.0.txt, and what 2.6 sends. Pure.
 */
#ifndef PROXYD_ENGINE_PEERS_WIRE_H
#define PROXYD_ENGINE_PEERS_WIRE_H

#include <sys/types.h>

#include "rules/bytes.h"
#include "rules/table.h"

enum peers_class {
	PEERS_CONTROL = 0,
	PEERS_ERROR = 1,
	PEERS_TABLE = 10,
};

enum peers_control {
	PEERS_RESYNC_REQUEST,  /* tell all you know */
	PEERS_RESYNC_FINISHED, /* that was all, */
	PEERS_RESYNC_PARTIAL,  /* or what there is: the sender has not heard everything itself */
	PEERS_RESYNC_CONFIRM,
	PEERS_HEARTBEAT,
};

enum peers_error {
	PEERS_PROTOCOL_ERROR,
	PEERS_SIZE_ERROR,
};

enum peers_table_type {
	PEERS_UPDATE = 128,
	PEERS_UPDATE_NEXT, /* its number is one more than the last one's */
	PEERS_DEFINITION,  /* of the table that is told of from here on */
	PEERS_SWITCH,	   /* to a table that was defined */
	PEERS_ACK,
	PEERS_UPDATE_TIMED, /* with what is left of its time */
	PEERS_UPDATE_NEXT_TIMED,
};

#define PEERS_MESSAGE_MAX 16384 /* bytes: the greatest key, and arrays of 100 rates */
#define PEERS_N_DATA 25		/* kinds of data that have a number in the protocol */

void peers_put_int(struct output *w, uint64_t v);
/* Bad where there is none. */
uint64_t peers_get_int(struct input *r);

struct peers_message {
	uint8_t class, type;
	struct input data;
};

/* The message at the front: its length; 0: it is not whole yet; -EMSGSIZE: it is longer than PEERS_MESSAGE_MAX. */
ssize_t peers_next(const void *at, size_t len, struct peers_message *ret);
/* One without data. */
void peers_put_control(struct output *w, enum peers_class class, unsigned type);
/* One with what `data` holds. */
void peers_put_message(struct output *w, enum peers_table_type type, const struct output *data);

/* A table, as one side knows it. */
struct peers_table {
	uint64_t id; /* the sender's own */
	struct text name;
	enum sample_type type;
	unsigned key_len; /* of STR and BIN: bytes at most */
	uint32_t expire_ms;
	uint32_t data; /* a bit for each number of the protocol */
	uint32_t period_ms[PEERS_N_DATA];
	uint32_t n_elements[PEERS_N_DATA];
};

/* Whose number that is; -1: of nothing that is stored here (a server's name). */
int peers_data(unsigned number);
/* A table's definition as the protocol has it; `tells_server`: whom "stick" chose belongs to it. */
void peers_describe(const struct table_def *def, bool tells_server, struct peers_table *ret);

void peers_put_definition(struct output *w, const struct peers_table *t);
/* False: it is none. The name lies in the message. */
bool peers_get_definition(struct input *r, struct peers_table *ret);

/* The key and the data of an entry, as `t` tells them. The shard is locked. */
void peers_put_entry(struct output *w, const struct peers_table *t, const struct table *table, const struct table_entry *e,
		     uint64_t now_ns);

/* False: it is none of this type. */
bool peers_get_key(struct input *r, const struct peers_table *t, struct sample *ret);
/* What an update tells of one kind of data, or of an element of it; in the order of its numbers. */
typedef void peers_told_fn(void *userdata, struct table_place p, uint64_t value, const struct table_rate *rate);
/* False: it ends too early. `fn` is not called for what is not stored here. */
bool peers_get_data(struct input *r, const struct peers_table *t, uint64_t now_ns, peers_told_fn *fn, void *userdata);

#endif
