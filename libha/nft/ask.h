/* SPDX-License-Identifier: MIT */
/* Questions to nf_tables that more than one table needs answered. */
#ifndef LIBHA_NFT_ASK_H
#define LIBHA_NFT_ASK_H

#include "nft/names.h"
#include "nft/put.h"
#include "nft/read.h"

/* At most 31 of [A-Za-z0-9_.-], a letter first. */
bool nft_table_name_ok(const char *name);

/* Begins a question: attributes are put after. nft_ask() ends and asks it; -EAGAIN: changed meanwhile. */
struct writer *nft_question(struct nl_batch *b, enum nf_tables_msg_types type, uint16_t flags,
			    uint8_t family);
int nft_ask(struct nl_channel *c, struct nl_batch *b, const struct nl_query_ops *ops,
	    void *userdata);

/* The number of the last change of anything in nf_tables; it grows by one. */
int nft_ask_generation(struct nl_channel *c, struct nl_batch *b, uint32_t *ret);

/* Whether there is an nf_tables and we may use it: 0, -EOPNOTSUPP, -EPERM, ... */
int nft_probe(struct nl_channel *c, struct nl_batch *b);

/* 1: it is there; 0: it is not, and *ret is empty; -errno. */
int nft_ask_table(struct nl_channel *c, struct nl_batch *b, uint8_t family, const char *table,
		  struct nft_table *ret);

#endif
