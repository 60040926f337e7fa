/* SPDX-License-Identifier: MIT */
#include "nft/seal.h"

#include <inttypes.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "nft/ask.h"
#include "nft/expr.h"

void nft_seal_begin(struct nft_ruleset *r)
{
	nft_put_chain(r, NFT_SEAL_CHAIN);
}

static void write_comment(const struct nft_seal *s, char ret[NFT_COMMENT_SIZE])
{
	snprintf(ret, NFT_COMMENT_SIZE, "put %016" PRIx64 " shown %016" PRIx64, s->put, s->shown);
}

/* What does not come out the same when written again is not ours. */
static bool read_comment(const char *comment, struct nft_seal *ret)
{
	char again[NFT_COMMENT_SIZE];

	if (sscanf(comment, "put %" SCNx64 " shown %" SCNx64, &ret->put, &ret->shown) != 2)
		return false;
	write_comment(ret, again);
	return !strcmp(comment, again);
}

/* nft(8) takes no rule back that has nothing but a comment. */
void nft_seal_put(struct nft_ruleset *r, const struct nft_seal *s)
{
	char comment[NFT_COMMENT_SIZE];
	struct writer *w;
	size_t list;

	write_comment(s, comment);
	nft_put_flush(r, NFT_SEAL_CHAIN);
	w = nft_begin_rule(r, NFT_SEAL_CHAIN, comment, &list);
	nft_expr_counter(w);
	nft_end_rule(r, w, list);
}

struct found {
	struct nft_seal *seal;
	int n;
};

static int take_rule(void *userdata, const struct nl_msg *msg)
{
	char chain[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];
	struct found *f = userdata;

	if (nft_read_rule(msg->body, chain, comment) && !strcmp(chain, NFT_SEAL_CHAIN) && read_comment(comment, f->seal))
		f->n++;
	return 0;
}

static void forget(void *userdata)
{
	((struct found *)userdata)->n = 0;
}

int nft_seal_read(struct nl_channel *c, struct nl_batch *b, const char *table, struct nft_seal *ret)
{
	static const struct nl_query_ops ops = {take_rule, forget};
	struct found f = {.seal = ret};
	struct writer *w = nft_question(b, NFT_MSG_GETRULE, NLM_F_DUMP, NFPROTO_INET);
	int r;

	nl_attr_put_str(w, NFTA_RULE_TABLE, table);
	nl_attr_put_str(w, NFTA_RULE_CHAIN, NFT_SEAL_CHAIN);
	r = nft_ask(c, b, &ops, &f);
	return r < 0 ? r : f.n == 1;
}
