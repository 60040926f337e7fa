/* SPDX-License-Identifier: MIT */
/*
 * What the kernel shows of a small table but for its seal, as one number: the same as long as nobody changes it, whatever its rules
 * count. Elements may come in any order; a rule that was replaced by its like has another handle, and so another number.
 */
#ifndef LIBHA_NFT_DIGEST_H
#define LIBHA_NFT_DIGEST_H

#include "nft/put.h"

#define NFT_DIGEST_BEGIN UINT64_C(14695981039346656037)
/* FNV-1a, which goes on from `h`. */
uint64_t nft_digest_bytes(uint64_t h, const void *bytes, size_t len);

/* 0, -E2BIG: it has more than a few sets; or as nl_query(): -EAGAIN when it changed meanwhile. */
int nft_digest_table(struct nl_channel *c, struct nl_batch *b, uint8_t family, const char *table,
		     uint64_t *ret);

#endif
