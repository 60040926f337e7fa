/* SPDX-License-Identifier: MIT */
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "nft/read.h"

/* Skips the header every message has. */
static bool skip_header(struct reader *body)
{
	struct nl_nfgen header;

	return nl_nfgen_take(body, &header);
}

/* A name that is longer than any of ours is none of ours: "". */
static void take_name(const struct nl_attr *a, char ret[NFT_NAME_SIZE])
{
	if (!nl_attr_str(a, ret, NFT_NAME_SIZE))
		*ret = '\0';
}

static void take_comment(const struct nl_attr *a, char ret[NFT_COMMENT_SIZE])
{
	if (!nft_comment_take(a->data, ret))
		*ret = '\0';
}

bool nft_read_generation(struct reader body, uint32_t *ret)
{
	struct nl_attr a;
	bool ok = false;

	if (!skip_header(&body))
		return false;
	while (nl_attr_next(&body, &a))
		if (a.type == NFTA_GEN_ID)
			ok = nl_attr_be32(&a, ret);
	return ok && !body.bad;
}

bool nft_read_table(struct reader body, struct nft_table *ret)
{
	struct nl_attr a;
	uint32_t flags = 0;

	*ret = (struct nft_table){0};
	if (!skip_header(&body))
		return false;
	while (nl_attr_next(&body, &a)) {
		if (a.type == NFTA_TABLE_USERDATA)
			take_comment(&a, ret->comment);
		else if (a.type == NFTA_TABLE_FLAGS && !nl_attr_be32(&a, &flags))
			return false;
	}
	ret->dormant = flags & NFT_TABLE_F_DORMANT;
	return !body.bad;
}

bool nft_read_rule(struct reader body, char ret_chain[NFT_NAME_SIZE],
		   char ret_comment[NFT_COMMENT_SIZE])
{
	struct nl_attr a;

	*ret_chain = *ret_comment = '\0';
	if (!skip_header(&body))
		return false;
	while (nl_attr_next(&body, &a)) {
		if (a.type == NFTA_RULE_CHAIN)
			take_name(&a, ret_chain);
		else if (a.type == NFTA_RULE_USERDATA)
			take_comment(&a, ret_comment);
	}
	return !body.bad;
}

static bool read_packets(struct reader data, uint64_t *ret)
{
	struct nl_attr a;

	while (nl_attr_next(&data, &a))
		if (a.type == NFTA_COUNTER_PACKETS && !nl_attr_be64(&a, ret))
			return false;
	return !data.bad;
}

/* An expression that is no counter is none of ours. */
static bool read_counter(struct reader expr, uint64_t *ret)
{
	struct nl_attr a;
	char name[16] = "";
	bool ok = true;

	while (nl_attr_next(&expr, &a)) {
		if (a.type == NFTA_EXPR_NAME && !nl_attr_str(&a, name, sizeof(name)))
			*name = '\0';
		else if (a.type == NFTA_EXPR_DATA && !strcmp(name, "counter"))
			ok &= read_packets(a.data, ret);
	}
	return ok && !expr.bad;
}

bool nft_read_elements(struct reader body, struct reader *ret_list)
{
	struct nl_attr a;

	*ret_list = (struct reader){0};
	if (!skip_header(&body))
		return false;
	while (nl_attr_next(&body, &a))
		if (a.type == NFTA_SET_ELEM_LIST_ELEMENTS)
			*ret_list = a.data;
	return !body.bad;
}

static bool read_bytes_of(struct reader value, uint8_t ret[NFT_ELEMENT_KEY_MAX], size_t *ret_len)
{
	*ret_len = reader_left(&value);
	if (*ret_len > NFT_ELEMENT_KEY_MAX)
		return false;
	read_copy(&value, ret, *ret_len);
	return true;
}

/* The nest inside a key or data: bytes as they are, or a verdict. */
static bool read_data(struct reader nest, struct nft_element *e, bool is_key)
{
	struct nl_attr a, inner;

	while (nl_attr_next(&nest, &a)) {
		if (a.type == NFTA_DATA_VALUE) {
			if (!(is_key ? read_bytes_of(a.data, e->key, &e->key_len)
				     : read_bytes_of(a.data, e->data, &e->data_len)))
				return false;
		} else if (!is_key && a.type == NFTA_DATA_VERDICT) {
			while (nl_attr_next(&a.data, &inner))
				if (inner.type == NFTA_VERDICT_CHAIN)
					take_name(&inner, e->chain);
			if (a.data.bad)
				return false;
		}
	}
	return !nest.bad;
}

bool nft_read_element(struct reader *list, struct nft_element *ret)
{
	struct nl_attr element, a;
	bool ok = true;

	memset(ret, 0, sizeof(*ret));
	if (!nl_attr_next(list, &element))
		return false;
	while (nl_attr_next(&element.data, &a)) {
		switch (a.type) {
		case NFTA_SET_ELEM_KEY:
			ok &= read_data(a.data, ret, true);
			break;
		case NFTA_SET_ELEM_DATA:
			ok &= read_data(a.data, ret, false);
			break;
		case NFTA_SET_ELEM_USERDATA:
			take_comment(&a, ret->comment);
			break;
		case NFTA_SET_ELEM_EXPR:
			ok &= read_counter(a.data, &ret->packets);
			break;
		default:
			break;
		}
	}
	list->bad |= element.data.bad || !ok || !ret->key_len;
	return !list->bad;
}

bool nft_read_key(const struct nft_element *e, enum nft_kind kind, struct ha_service_opts *ret)
{
	bool v6 = kind == NFT_KIND_MARK6 || kind == NFT_KIND_PORT6 || kind == NFT_KIND_ANY6;
	struct reader r = reader_of(e->key, e->key_len);

	*ret = (struct ha_service_opts){.size = sizeof(*ret)};
	ret->address.family = v6 ? AF_INET6 : AF_INET;
	if (kind == NFT_KIND_MARK4 || kind == NFT_KIND_MARK6) {
		ret->fwmark = read_host32(&r);
	} else {
		read_copy(&r, ret->address.bytes, v6 ? 16 : 4);
		ret->protocol = read_u8(&r);
		read_bytes(&r, 3);
		if (kind == NFT_KIND_PORT4 || kind == NFT_KIND_PORT6) {
			ret->port = read_be16(&r);
			read_bytes(&r, 2);
		}
	}
	return !r.bad && !reader_left(&r);
}
