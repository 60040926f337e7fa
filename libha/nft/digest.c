/* SPDX-License-Identifier: MIT */
#include "nft/digest.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "nft/ask.h"
#include "nft/seal.h"

#define SETS_MAX 8

struct digest {
	const char *table;
	uint64_t sum, before; /* of the messages so far; of those of former questions */
	char set[SETS_MAX][NFT_NAME_SIZE];
	size_t n_sets;
	bool too_many;
};

uint64_t nft_digest_bytes(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len--)
		h = (h ^ *at++) * UINT64_C(1099511628211);
	return h;
}

static uint64_t add(uint64_t h, const struct nl_attr *a)
{
	h = nft_digest_bytes(h, &a->type, sizeof(a->type));
	return nft_digest_bytes(h, a->data.at, reader_left(&a->data));
}

/* Of an expression that counts only its name, not what it counted. */
static uint64_t add_expression(uint64_t h, struct reader expression)
{
	char name[NFT_NAME_SIZE] = "";
	struct nl_attr a;

	while (nl_attr_next(&expression, &a)) {
		if (a.type == NFTA_EXPR_NAME && !nl_attr_str(&a, name, sizeof(name)))
			*name = '\0';
		if (a.type != NFTA_EXPR_DATA || strcmp(name, "counter") != 0)
			h = add(h, &a);
	}
	return h;
}

static uint64_t add_expressions(uint64_t h, struct reader list)
{
	struct nl_attr a;

	while (nl_attr_next(&list, &a))
		h = add_expression(h, a.data);
	return h;
}

/* ---- Messages; false: it is of another table ---- */

static bool is_of(const struct digest *d, const struct nl_attr *a)
{
	char table[NFT_TABLE_NAME_SIZE];

	return nl_attr_str(a, table, sizeof(table)) && !strcmp(table, d->table);
}

static bool is_seal(const struct nl_attr *a)
{
	char chain[NFT_NAME_SIZE];

	return nl_attr_str(a, chain, sizeof(chain)) && !strcmp(chain, NFT_SEAL_CHAIN);
}

/* NFTA_CHAIN_TABLE, NFTA_SET_TABLE and NFTA_RULE_TABLE are all 1. `chain`: the attribute with the chain's name, or 0. */
static bool take_body(struct digest *d, struct reader body, uint16_t chain, uint16_t left_out, uint16_t expressions,
		      uint64_t *ret)
{
	struct nl_nfgen header;
	struct nl_attr a;
	bool ours = false, seal = false;

	*ret = NFT_DIGEST_BEGIN;
	if (!nl_nfgen_take(&body, &header))
		return false;
	while (nl_attr_next(&body, &a)) {
		ours |= a.type == NFTA_RULE_TABLE && is_of(d, &a);
		seal |= chain && a.type == chain && is_seal(&a);
		if (expressions && a.type == expressions)
			*ret = add_expressions(*ret, a.data);
		else if (!left_out || a.type != left_out)
			*ret = add(*ret, &a);
	}
	return ours && !seal;
}

static int take_chain(void *userdata, const struct nl_msg *msg)
{
	struct digest *d = userdata;
	uint64_t h;

	if (take_body(d, msg->body, NFTA_CHAIN_NAME, NFTA_CHAIN_COUNTERS, 0, &h))
		d->sum += h;
	return 0;
}

static int take_rule(void *userdata, const struct nl_msg *msg)
{
	struct digest *d = userdata;
	uint64_t h;

	if (take_body(d, msg->body, NFTA_RULE_CHAIN, 0, NFTA_RULE_EXPRESSIONS, &h))
		d->sum += h;
	return 0;
}

static int take_set(void *userdata, const struct nl_msg *msg)
{
	struct digest *d = userdata;
	struct reader body = msg->body;
	struct nl_nfgen header;
	struct nl_attr a;
	uint64_t h;

	if (!take_body(d, msg->body, 0, 0, 0, &h))
		return 0;
	d->sum += h;
	if (d->n_sets == SETS_MAX) {
		d->too_many = true;
		return 0;
	}
	nl_nfgen_take(&body, &header);
	while (nl_attr_next(&body, &a))
		if (a.type == NFTA_SET_NAME && nl_attr_str(&a, d->set[d->n_sets], NFT_NAME_SIZE))
			d->n_sets++;
	return 0;
}

static int take_elements(void *userdata, const struct nl_msg *msg)
{
	struct digest *d = userdata;
	struct reader body = msg->body;
	struct nl_nfgen header;
	struct nl_attr a, element;

	if (!nl_nfgen_take(&body, &header))
		return -EBADMSG;
	while (nl_attr_next(&body, &a))
		while (a.type == NFTA_SET_ELEM_LIST_ELEMENTS && nl_attr_next(&a.data, &element))
			d->sum += add(NFT_DIGEST_BEGIN, &element);
	return 0;
}

static void forget_sets(void *userdata)
{
	struct digest *d = userdata;

	d->sum = d->before;
	d->n_sets = 0;
}

static void count_again(void *userdata)
{
	struct digest *d = userdata;

	d->sum = d->before;
}

/* ---- Questions ---- */

static int ask_elements(struct nl_channel *c, struct nl_batch *b, uint8_t family, const char *set,
			struct digest *d)
{
	static const struct nl_query_ops ops = {take_elements, count_again};
	struct writer *w = nft_question(b, NFT_MSG_GETSETELEM, NLM_F_DUMP, family);

	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_TABLE, d->table);
	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_SET, set);
	d->before = d->sum = nft_digest_bytes(d->sum, set, strlen(set));
	return nft_ask(c, b, &ops, d);
}

int nft_digest_table(struct nl_channel *c, struct nl_batch *b, uint8_t family, const char *table,
		     uint64_t *ret)
{
	static const struct {
		enum nf_tables_msg_types type;
		struct nl_query_ops ops;
	} question[] = {{NFT_MSG_GETCHAIN, {take_chain, count_again}},
			{NFT_MSG_GETRULE, {take_rule, count_again}},
			{NFT_MSG_GETSET, {take_set, forget_sets}}};
	struct digest d = {.table = table};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(question) / sizeof(*question); i++) {
		d.before = d.sum;
		/* The kernel leaves out other tables where it can: not with chains. */
		nl_attr_put_str(nft_question(b, question[i].type, NLM_F_DUMP, family),
				NFTA_RULE_TABLE, table);
		r = nft_ask(c, b, &question[i].ops, &d);
	}
	for (size_t i = 0; !r && i < d.n_sets; i++)
		r = ask_elements(c, b, family, d.set[i], &d);
	*ret = d.sum;
	return r ? r : d.too_many ? -E2BIG : 0;
}
