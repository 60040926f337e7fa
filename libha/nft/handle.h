/* SPDX-License-Identifier: MIT */
#ifndef LIBHA_NFT_HANDLE_H
#define LIBHA_NFT_HANDLE_H

#include <libha/nft.h>

#include "nft/names.h"
#include "nl/call.h"

struct ha_nft {
	struct nl_channel channel;
	struct nl_batch batch;
	char table[NFT_TABLE_NAME_SIZE];
	uint32_t affinity_max;
	bool has_conntrack; /* this kernel tells of connections */
	bool cut_removed, skip_connections;
	/* What nft_audit() looks at was as we leave it when nf_tables had this generation. */
	bool audited;
	uint32_t generation;
	bool damaged; /* the last dump found the table not as we leave it */
	bool busy;    /* in a callback */
};

#endif
