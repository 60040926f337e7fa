/* SPDX-License-Identifier: MIT */
/*
 * The nf_tables messages that tables, chains, sets and rules are made of, each appended to a batch. Pure.
 * All are of one family.
 */
#ifndef LIBHA_NFT_PUT_H
#define LIBHA_NFT_PUT_H

#include <netinet/in.h> /* before linux/netfilter.h, which brings its own without it */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "nl/call.h"

/* nft(8)'s numbers of data types, six bits each in a concatenation: only for its eyes. */
#define NFT_TYPE_INTEGER 4u
#define NFT_TYPE_IPV4 7u
#define NFT_TYPE_IPV6 8u
#define NFT_TYPE_PROTOCOL 12u
#define NFT_TYPE_PORT 13u
#define NFT_TYPE_MARK 19u
#define NFT_TYPE_IFINDEX 20u

struct nft_ruleset {
	struct nl_batch *batch;
	const char *table;
	uint8_t family; /* of the table: NFPROTO_*; 0: NFPROTO_INET */
	uint32_t affinity_max;
	uint32_t next_set_id; /* sets are numbered within a batch */
};

/* The transaction around all others. */
void nft_put_begin(struct nft_ruleset *r);
void nft_put_end(struct nft_ruleset *r);

/* Any message: its attributes are put between. */
struct writer *nft_begin(struct nft_ruleset *r, enum nf_tables_msg_types type, uint16_t flags);
void nft_end(struct nft_ruleset *r);

/* The table must not exist. */
void nft_put_table(struct nft_ruleset *r, const char *comment);
void nft_put_delete_table(struct nft_ruleset *r);

void nft_put_chain(struct nft_ruleset *r, const char *name);
/* One that the kernel calls: `type` is "nat" or "filter", `hook` NF_INET_*; it accepts at its end. */
void nft_put_base_chain(struct nft_ruleset *r, const char *name, const char *type, uint32_t hook,
			int priority);
/* One that sees what comes in on links, before anything else of this host does. The table's family is NFPROTO_NETDEV. */
void nft_put_ingress_chain(struct nft_ruleset *r, const char *name, const char *const *links,
			   size_t n_links, int priority);
void nft_put_delete_chain(struct nft_ruleset *r, const char *name);
/* All rules of a chain go. */
void nft_put_flush(struct nft_ruleset *r, const char *chain);

/* A rule: its expressions are put between. `comment` may be NULL. */
struct writer *nft_begin_rule(struct nft_ruleset *r, const char *chain, const char *comment,
			      size_t *ret_list);
void nft_end_rule(struct nft_ruleset *r, struct writer *w, size_t list);

/* Fields of a key start at words, as in registers. */
void nft_key_field(struct writer *w, const void *field, size_t len);
void nft_key_port(struct writer *w, uint16_t port);

/* A set or map; its size, data or objects are put after, then nft_end(). */
struct writer *nft_begin_set(struct nft_ruleset *r, const char *name, uint32_t flags,
			     uint32_t key_type, size_t key_len);
void nft_put_set_verdicts(struct writer *w); /* a map to verdicts */
void nft_put_set_data(struct writer *w, uint32_t type, size_t len);
void nft_put_set_counters(struct writer *w); /* each element counts who finds it */
void nft_put_set_size(struct writer *w, uint32_t size);
void nft_put_delete_set(struct nft_ruleset *r, const char *name);
/* All elements of a set go. */
void nft_put_flush_set(struct nft_ruleset *r, const char *name);

/* A list of elements that opens a new message when one is full. */
struct nft_elements {
	struct nft_ruleset *r;
	const char *set;
	enum nf_tables_msg_types type; /* NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM */
	struct writer *w;
	size_t list, n;
};

/* An element: a key, and in a map a verdict (goto `chain`) or bytes. NULL: none. */
struct nft_item {
	const void *key, *data;
	size_t key_len, data_len;
	const char *chain, *comment;
};

void nft_put_item(struct nft_elements *e, const struct nft_item *item);
/* One with a key, and with a verdict when `chain` is not NULL. */
void nft_put_element(struct nft_elements *e, const void *key, size_t len, const char *chain);
void nft_end_elements(struct nft_elements *e);

#endif
