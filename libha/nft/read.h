/* SPDX-License-Identifier: MIT */
/* What the kernel tells of our table, taken from message bodies (after nfgenmsg is read). Pure. */
#ifndef LIBHA_NFT_READ_H
#define LIBHA_NFT_READ_H

#include "nft/names.h"
#include "nft/ruleset.h"

/* All: false when the message is cut short or an attribute has a wrong length. */

/* The ruleset's generation. */
bool nft_read_generation(struct reader body, uint32_t *ret);

struct nft_table {
	char comment[NFT_COMMENT_SIZE]; /* "" without one */
	bool dormant;			/* nothing in it has an effect */
};
bool nft_read_table(struct reader body, struct nft_table *ret);

/* A rule's chain and comment, "" without one; "" too for a chain with a name longer than ours. */
bool nft_read_rule(struct reader body, char ret_chain[NFT_NAME_SIZE],
		   char ret_comment[NFT_COMMENT_SIZE]);

#define NFT_ELEMENT_KEY_MAX 64 /* bytes; the kernel's limit */

struct nft_element {
	uint8_t key[NFT_ELEMENT_KEY_MAX];
	uint8_t data[NFT_ELEMENT_KEY_MAX]; /* of a map that has no verdicts */
	size_t key_len, data_len;
	char chain[NFT_NAME_SIZE];	/* where the verdict goes, or "" */
	char comment[NFT_COMMENT_SIZE]; /* or "" */
	uint64_t packets;		/* its counter's, or 0 */
};

/* Elements one by one: open the list once, then take until false; the reader is bad at an error. */
bool nft_read_elements(struct reader body, struct reader *ret_list);
bool nft_read_element(struct reader *list, struct nft_element *ret);

/* A key of a dispatch map as a service's key. False when it has another length. */
bool nft_read_key(const struct nft_element *e, enum nft_kind kind, struct ha_service_opts *ret);
#endif
