/* SPDX-License-Identifier: MIT */
#include "nft/whole.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "nft/ask.h"

int nft_whole_open(struct nft_whole *w, const char *table, const char *comment,
		   const struct ha_nl_transport *transport)
{
	int r;

	if (!nft_table_name_ok(table))
		return -EINVAL;
	*w = (struct nft_whole){.comment = comment};
	memcpy(w->table, table, strlen(table));
	r = nl_channel_open(&w->channel, NETLINK_NETFILTER, transport, 0);
	if (r < 0)
		return r == -EPROTONOSUPPORT ? -EOPNOTSUPP : r;
	r = nft_probe(&w->channel, &w->batch);
	if (r < 0) {
		if (transport)
			w->channel.ops.close = NULL; /* still the caller's */
		nft_whole_close(w);
	}
	return r;
}

void nft_whole_close(struct nft_whole *w)
{
	nl_batch_fini(&w->batch);
	nl_channel_close(&w->channel);
}

static void keep_error(void *userdata, size_t index, int error, const char *text)
{
	int *ret = userdata;

	if (!*ret)
		*ret = error;
}

static int replace(struct nft_whole *w, bool there, nft_whole_put *put, const void *userdata)
{
	struct nft_ruleset r = {.batch = &w->batch, .table = w->table};
	int error = 0, result;

	nl_batch_reset(&w->batch);
	nft_put_begin(&r);
	if (there)
		nft_put_delete_table(&r);
	if (put)
		put(&r, w->comment, userdata);
	nft_put_end(&r);
	result = nl_transaction(&w->channel, &w->batch, keep_error, &error);
	return result > 0 ? error : result;
}

int nft_whole_set(struct nft_whole *w, nft_whole_put *put, const void *userdata)
{
	char comment[NFT_COMMENT_SIZE];
	int there = nft_ask_table(&w->channel, &w->batch, NFPROTO_INET, w->table, comment);

	if (there < 0 || (!there && !put))
		return there;
	if (there && strcmp(comment, w->comment) != 0)
		return put ? -EEXIST : 0;
	return replace(w, there, put, userdata);
}
