/* SPDX-License-Identifier: MIT */
/*
 * A small table that tells by its comment that it is ours. It is made anew as a whole, or changed in place by who knows how, as long as
 * nobody else changed it. While nothing is to be changed it is left alone: what it counts goes on.
 */
#ifndef LIBHA_NFT_WHOLE_H
#define LIBHA_NFT_WHOLE_H

#include <libha/nl_transport.h>

#include "nft/names.h"
#include "nft/put.h"
#include "nft/seal.h"

struct nft_whole {
	struct nl_channel channel;
	struct nl_batch batch;
	char table[NFT_TABLE_NAME_SIZE];
	const char *comment; /* static */
	bool known;	     /* the rest is; else the next nft_whole_set() asks the seal */
	bool adopted;	     /* it is another process's, of which the seal told */
	struct nft_seal seal;
	uint32_t generation; /* when that was so, and at each look since */
};

/* Changes nothing yet. 0 or -errno; when it fails, `transport` is left alone, and there is nothing to close. */
int nft_whole_open(struct nft_whole *w, const char *table, const char *comment,
		   const struct ha_nl_transport *transport);
void nft_whole_close(struct nft_whole *w);

/* What is in the table, with nft_put_table() first. */
typedef void nft_whole_put(struct nft_ruleset *r, const char *comment, const void *userdata);

/* What makes of what the last call left there what is wanted now. */
typedef void nft_whole_change(struct nft_ruleset *r, const void *userdata);

/*
 * Unless it is as wanted, in one transaction: what is there goes and what `put` puts comes; put == NULL: it only goes. When it is as the
 * last call left it, what `change` puts, unless NULL. Another one seals it. A table of this name that is not ours is left alone: -EEXIST, or 0 when there is
 * nothing to put. 0 or -errno.
 */
int nft_whole_set(struct nft_whole *w, nft_whole_put *put, nft_whole_change *change, const void *userdata);

#endif
