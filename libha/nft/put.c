/* SPDX-License-Identifier: MIT */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "nft/names.h"
#include "nft/put.h"

/* Of an element list's message; netlink attributes end at 64 KiB. An element has at most 300 bytes. */
#define ELEMENTS_PER_MESSAGE 128

/* ---- Messages ---- */

static struct writer *begin_at(struct nft_ruleset *r, uint16_t type, uint16_t flags, uint8_t family,
			       uint16_t resource)
{
	struct writer *w = nl_batch_begin(r->batch, type, flags);

	nl_nfgen_put(w, family, resource);
	return w;
}

struct writer *nft_begin(struct nft_ruleset *r, enum nf_tables_msg_types type, uint16_t flags)
{
	return begin_at(r, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
			r->family ? r->family : NFPROTO_INET, 0);
}

void nft_end(struct nft_ruleset *r)
{
	nl_batch_end(r->batch);
}

void nft_put_begin(struct nft_ruleset *r)
{
	begin_at(r, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nft_end(r);
}

void nft_put_end(struct nft_ruleset *r)
{
	begin_at(r, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nft_end(r);
}

void nft_put_delete_table(struct nft_ruleset *r)
{
	nl_attr_put_str(nft_begin(r, NFT_MSG_DELTABLE, 0), NFTA_TABLE_NAME, r->table);
	nft_end(r);
}

void nft_put_table(struct nft_ruleset *r, const char *comment)
{
	struct writer *w = nft_begin(r, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

	nl_attr_put_str(w, NFTA_TABLE_NAME, r->table);
	nl_attr_put_be32(w, NFTA_TABLE_FLAGS, 0);
	nft_comment_put(w, NFTA_TABLE_USERDATA, comment);
	nft_end(r);
}

static struct writer *begin_chain(struct nft_ruleset *r, const char *name)
{
	struct writer *w = nft_begin(r, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);

	nl_attr_put_str(w, NFTA_CHAIN_TABLE, r->table);
	nl_attr_put_str(w, NFTA_CHAIN_NAME, name);
	return w;
}

void nft_put_chain(struct nft_ruleset *r, const char *name)
{
	begin_chain(r, name);
	nft_end(r);
}

void nft_put_base_chain(struct nft_ruleset *r, const char *name, const char *type, uint32_t hook,
			int priority)
{
	struct writer *w = begin_chain(r, name);
	size_t nest = nl_nest_begin(w, NFTA_CHAIN_HOOK);

	nl_attr_put_be32(w, NFTA_HOOK_HOOKNUM, hook);
	nl_attr_put_be32(w, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nl_nest_end(w, nest);
	nl_attr_put_be32(w, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_attr_put_str(w, NFTA_CHAIN_TYPE, type);
	nft_end(r);
}

void nft_put_ingress_chain(struct nft_ruleset *r, const char *name, const char *const *links,
			   size_t n_links, int priority)
{
	struct writer *w = begin_chain(r, name);
	size_t hook = nl_nest_begin(w, NFTA_CHAIN_HOOK), list;

	nl_attr_put_be32(w, NFTA_HOOK_HOOKNUM, NF_NETDEV_INGRESS);
	nl_attr_put_be32(w, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	list = nl_nest_begin(w, NFTA_HOOK_DEVS);
	for (size_t i = 0; i < n_links; i++)
		nl_attr_put_str(w, NFTA_DEVICE_NAME, links[i]);
	nl_nest_end(w, list);
	nl_nest_end(w, hook);
	nl_attr_put_be32(w, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_attr_put_str(w, NFTA_CHAIN_TYPE, "filter");
	nft_end(r);
}

void nft_put_delete_chain(struct nft_ruleset *r, const char *name)
{
	struct writer *w = nft_begin(r, NFT_MSG_DELCHAIN, 0);

	nl_attr_put_str(w, NFTA_CHAIN_TABLE, r->table);
	nl_attr_put_str(w, NFTA_CHAIN_NAME, name);
	nft_end(r);
}

void nft_put_flush(struct nft_ruleset *r, const char *chain)
{
	struct writer *w = nft_begin(r, NFT_MSG_DELRULE, 0);

	nl_attr_put_str(w, NFTA_RULE_TABLE, r->table);
	nl_attr_put_str(w, NFTA_RULE_CHAIN, chain);
	nft_end(r);
}

struct writer *nft_begin_rule(struct nft_ruleset *r, const char *chain, const char *comment,
			      size_t *ret_list)
{
	struct writer *w = nft_begin(r, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	nl_attr_put_str(w, NFTA_RULE_TABLE, r->table);
	nl_attr_put_str(w, NFTA_RULE_CHAIN, chain);
	if (comment)
		nft_comment_put(w, NFTA_RULE_USERDATA, comment);
	*ret_list = nl_nest_begin(w, NFTA_RULE_EXPRESSIONS);
	return w;
}

void nft_end_rule(struct nft_ruleset *r, struct writer *w, size_t list)
{
	nl_nest_end(w, list);
	nft_end(r);
}

struct writer *nft_begin_set(struct nft_ruleset *r, const char *name, uint32_t flags,
			     uint32_t key_type, size_t key_len)
{
	struct writer *w = nft_begin(r, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);

	nl_attr_put_str(w, NFTA_SET_TABLE, r->table);
	nl_attr_put_str(w, NFTA_SET_NAME, name);
	nl_attr_put_be32(w, NFTA_SET_ID, ++r->next_set_id);
	nl_attr_put_be32(w, NFTA_SET_FLAGS, flags);
	nl_attr_put_be32(w, NFTA_SET_KEY_TYPE, key_type);
	nl_attr_put_be32(w, NFTA_SET_KEY_LEN, (uint32_t)key_len);
	return w;
}

void nft_put_set_verdicts(struct writer *w)
{
	nl_attr_put_be32(w, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
	nl_attr_put_be32(w, NFTA_SET_DATA_LEN, 0);
}

void nft_put_set_data(struct writer *w, uint32_t type, size_t len)
{
	nl_attr_put_be32(w, NFTA_SET_DATA_TYPE, type);
	nl_attr_put_be32(w, NFTA_SET_DATA_LEN, (uint32_t)len);
}

void nft_put_set_counters(struct writer *w)
{
	size_t nest = nl_nest_begin(w, NFTA_SET_EXPR);

	nl_attr_put_str(w, NFTA_EXPR_NAME, "counter");
	nl_nest_end(w, nl_nest_begin(w, NFTA_EXPR_DATA));
	nl_nest_end(w, nest);
}

void nft_put_set_size(struct writer *w, uint32_t size)
{
	size_t nest = nl_nest_begin(w, NFTA_SET_DESC);

	nl_attr_put_be32(w, NFTA_SET_DESC_SIZE, size);
	nl_nest_end(w, nest);
}

void nft_put_delete_set(struct nft_ruleset *r, const char *name)
{
	struct writer *w = nft_begin(r, NFT_MSG_DELSET, 0);

	nl_attr_put_str(w, NFTA_SET_TABLE, r->table);
	nl_attr_put_str(w, NFTA_SET_NAME, name);
	nft_end(r);
}

void nft_put_flush_set(struct nft_ruleset *r, const char *name)
{
	struct writer *w = nft_begin(r, NFT_MSG_DELSETELEM, 0);

	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_TABLE, r->table);
	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_SET, name);
	nft_end(r);
}

/* ---- Elements ---- */

void nft_key_field(struct writer *w, const void *field, size_t len)
{
	write_bytes(w, field, len);
	write_zero(w, (4 - len % 4) % 4);
}

void nft_key_port(struct writer *w, uint16_t port)
{
	write_be16(w, port);
	write_zero(w, 2);
}

void nft_end_elements(struct nft_elements *e)
{
	if (e->n) {
		nl_nest_end(e->w, e->list);
		nft_end(e->r);
		e->n = 0;
	}
}

static void begin_elements(struct nft_elements *e)
{
	bool adds = e->type == NFT_MSG_NEWSETELEM;

	e->w = nft_begin(e->r, e->type, adds ? NLM_F_CREATE | NLM_F_EXCL : 0);
	nl_attr_put_str(e->w, NFTA_SET_ELEM_LIST_TABLE, e->r->table);
	nl_attr_put_str(e->w, NFTA_SET_ELEM_LIST_SET, e->set);
	e->list = nl_nest_begin(e->w, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void put_bytes(struct writer *w, uint16_t type, const void *bytes, size_t len)
{
	size_t nest = nl_nest_begin(w, type);

	nl_attr_put(w, NFTA_DATA_VALUE, bytes, len);
	nl_nest_end(w, nest);
}

static void put_verdict(struct writer *w, const char *chain)
{
	size_t nest = nl_nest_begin(w, NFTA_SET_ELEM_DATA);
	size_t verdict = nl_nest_begin(w, NFTA_DATA_VERDICT);

	nl_attr_put_be32(w, NFTA_VERDICT_CODE, (uint32_t)NFT_GOTO);
	nl_attr_put_str(w, NFTA_VERDICT_CHAIN, chain);
	nl_nest_end(w, verdict);
	nl_nest_end(w, nest);
}

void nft_put_item(struct nft_elements *e, const struct nft_item *item)
{
	size_t element;

	if (e->n == ELEMENTS_PER_MESSAGE)
		nft_end_elements(e);
	if (!e->n++)
		begin_elements(e);
	element = nl_nest_begin(e->w, NFTA_LIST_ELEM);
	put_bytes(e->w, NFTA_SET_ELEM_KEY, item->key, item->key_len);
	if (item->chain)
		put_verdict(e->w, item->chain);
	if (item->data)
		put_bytes(e->w, NFTA_SET_ELEM_DATA, item->data, item->data_len);
	if (item->comment)
		nft_comment_put(e->w, NFTA_SET_ELEM_USERDATA, item->comment);
	nl_nest_end(e->w, element);
}

void nft_put_element(struct nft_elements *e, const void *key, size_t len, const char *chain)
{
	const struct nft_item item = {.key = key, .key_len = len, .chain = chain};

	nft_put_item(e, &item);
}
