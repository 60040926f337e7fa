/* SPDX-License-Identifier: MIT */
#include "nft/ask.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "nft/read.h"

bool nft_table_name_ok(const char *name)
{
	size_t len = strnlen(name, NFT_TABLE_NAME_SIZE);

	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool other = (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';

		if (!letter && (!i || !other))
			return false;
	}
	return len > 0 && len < NFT_TABLE_NAME_SIZE;
}

struct writer *nft_question(struct nl_batch *b, enum nf_tables_msg_types type, uint16_t flags,
			    uint8_t family)
{
	struct writer *w;

	nl_batch_reset(b);
	w = nl_batch_begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags);
	nl_nfgen_put(w, family, 0);
	return w;
}

int nft_ask(struct nl_channel *c, struct nl_batch *b, const struct nl_query_ops *ops,
	    void *userdata)
{
	int r;

	nl_batch_end(b);
	r = nl_query(c, b, ops, userdata);
	return r == -EINTR ? -EAGAIN : r;
}

static int take_generation(void *userdata, const struct nl_msg *msg)
{
	return nft_read_generation(msg->body, userdata) ? 0 : -EBADMSG;
}

int nft_ask_generation(struct nl_channel *c, struct nl_batch *b, uint32_t *ret)
{
	static const struct nl_query_ops ops = {.message = take_generation};

	*ret = 0;
	nft_question(b, NFT_MSG_GETGEN, 0, NFPROTO_INET);
	return nft_ask(c, b, &ops, ret);
}

int nft_probe(struct nl_channel *c, struct nl_batch *b)
{
	uint32_t generation;
	int r = nft_ask_generation(c, b, &generation);

	return r == -EINVAL || r == -ENOENT ? -EOPNOTSUPP : r;
}

static int take_table(void *userdata, const struct nl_msg *msg)
{
	if (msg->type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE) ||
	    !nft_read_table(msg->body, userdata))
		return -EBADMSG;
	return 0;
}

int nft_ask_table(struct nl_channel *c, struct nl_batch *b, uint8_t family, const char *table,
		  struct nft_table *ret)
{
	static const struct nl_query_ops ops = {.message = take_table};
	int r;

	*ret = (struct nft_table){0};
	nl_attr_put_str(nft_question(b, NFT_MSG_GETTABLE, 0, family), NFTA_TABLE_NAME, table);
	r = nft_ask(c, b, &ops, ret);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : 1;
}
