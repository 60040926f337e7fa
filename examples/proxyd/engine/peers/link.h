/* SPDX-License-Identifier: MIT */
/* What is said over a connection to a peer, once both know who they are. No I/O: bytes in, bytes out, and the tables. */
#ifndef PROXYD_ENGINE_PEERS_LINK_H
#define PROXYD_ENGINE_PEERS_LINK_H

#include "engine/peers/wire.h"

/* A table of a section. */
struct share {
	struct table *table;
	char *name; /* as peers know it */
	bool tells_server;
};

struct shares {
	struct share *share;
	size_t n;
	bool knows_all;		 /* somebody has told all he knows, or there was nobody */
	uint64_t learn_until_ns; /* then there was nobody */
};

#define LINK_TABLES_MAX 256	/* that a peer may define */
#define LINK_OUT_ENOUGH 65536u	/* bytes that wait: no more are made */
#define LINK_OUT_MAX 1048576u	/* what changes meanwhile is looked for again later */

#define LINK_OUT_LIMIT (2 * LINK_OUT_MAX) /* it asks, and takes no answers */

/* A table as the peer defined it. */
struct known {
	struct peers_table as;
	const struct share *share; /* ours; NULL: there is none like it */
	uint32_t last;		   /* number of the last update */
	bool ack_due;
};

struct link {
	struct shares *shares;
	uint8_t in[PEERS_MESSAGE_MAX + 16];
	size_t in_len;
	uint8_t *out;
	size_t out_len, out_cap;
	struct known *known; /* LINK_TABLES_MAX */
	size_t n_known;
	struct known *current; /* what the peer tells of; NULL: nothing */
	const struct share *told; /* what we told of last */
	uint32_t *number;	  /* of the last update, of each share */
	struct link_walk {	  /* over all entries */
		bool runs, all;	  /* all: the peer asked; else what changed here since then */
		uint64_t since_ns;
		size_t share;
		struct table_cursor at;
	} walk;
	uint64_t behind_ns;	   /* since when changes were not told, as too much waited; 0: all were */
	bool has_asked, wants_all; /* it was asked for all it knows; it asks, when this walk is over */
	uint64_t n_told, n_learned;
};

/* From the greeting on, of a zeroed one: tells what has changed since then, or all. 0 or -ENOMEM. */
#define LINK_ALL UINT64_MAX
int link_begin(struct link *l, struct shares *shares, uint64_t since_ns);
/* Frees it. */
void link_end(struct link *l);
/* Bytes to be sent before, or besides, messages. False: no memory. */
bool link_put(struct link *l, const void *at, size_t len);

/* What stands in l->in. 0; -errno: the connection is to end, once what waits is sent. */
int link_take(struct link *l, uint64_t now_ns);
/* An entry has changed. */
void link_tell(struct link *l, const struct share *share, const struct table_entry *e, uint64_t now_ns);
/* More of what is to be told, until enough waits. */
void link_fill(struct link *l, uint64_t now_ns);
void link_say(struct link *l, enum peers_class class, unsigned type);

#endif
