/* SPDX-License-Identifier: MIT */
#include "nft/expr.h"

/* Words count from 0 here, from NFT_REG32_00 in the kernel. */
static void put_reg(struct writer *w, uint16_t type, unsigned int reg)
{
	nl_attr_put_be32(w, type, NFT_REG32_00 + reg);
}

struct expr {
	size_t element, data;
};

static struct expr begin(struct writer *w, const char *name)
{
	struct expr e = {.element = nl_nest_begin(w, NFTA_LIST_ELEM)};

	nl_attr_put_str(w, NFTA_EXPR_NAME, name);
	e.data = nl_nest_begin(w, NFTA_EXPR_DATA);
	return e;
}

static void end(struct writer *w, struct expr e)
{
	nl_nest_end(w, e.data);
	nl_nest_end(w, e.element);
}

static void put_value(struct writer *w, uint16_t type, const void *data, size_t len)
{
	size_t nest = nl_nest_begin(w, type);

	nl_attr_put(w, NFTA_DATA_VALUE, data, len);
	nl_nest_end(w, nest);
}

void nft_expr_meta(struct writer *w, enum nft_meta_keys key, unsigned int dreg)
{
	struct expr e = begin(w, "meta");

	nl_attr_put_be32(w, NFTA_META_KEY, key);
	put_reg(w, NFTA_META_DREG, dreg);
	end(w, e);
}

void nft_expr_set_meta(struct writer *w, enum nft_meta_keys key, unsigned int sreg)
{
	struct expr e = begin(w, "meta");

	nl_attr_put_be32(w, NFTA_META_KEY, key);
	put_reg(w, NFTA_META_SREG, sreg);
	end(w, e);
}

void nft_expr_counter(struct writer *w)
{
	end(w, begin(w, "counter"));
}

static struct expr begin_ct(struct writer *w, enum nft_ct_keys key, unsigned int dreg)
{
	struct expr e = begin(w, "ct");

	nl_attr_put_be32(w, NFTA_CT_KEY, key);
	put_reg(w, NFTA_CT_DREG, dreg);
	return e;
}

void nft_expr_ct(struct writer *w, enum nft_ct_keys key, unsigned int dreg)
{
	end(w, begin_ct(w, key, dreg));
}

/* Of `direction` IP_CT_DIR_ORIGINAL or IP_CT_DIR_REPLY (nf_conntrack_tuple_common.h). */
static void put_ct(struct writer *w, enum nft_ct_keys key, uint8_t direction, unsigned int dreg)
{
	struct expr e = begin_ct(w, key, dreg);

	nl_attr_put_u8(w, NFTA_CT_DIRECTION, direction);
	end(w, e);
}

void nft_expr_ct_original(struct writer *w, enum nft_ct_keys key, unsigned int dreg)
{
	put_ct(w, key, 0, dreg);
}

void nft_expr_ct_reply(struct writer *w, enum nft_ct_keys key, unsigned int dreg)
{
	put_ct(w, key, 1, dreg);
}

void nft_expr_payload(struct writer *w, enum nft_payload_bases base, unsigned int offset,
		      unsigned int len, unsigned int dreg)
{
	struct expr e = begin(w, "payload");

	put_reg(w, NFTA_PAYLOAD_DREG, dreg);
	nl_attr_put_be32(w, NFTA_PAYLOAD_BASE, base);
	nl_attr_put_be32(w, NFTA_PAYLOAD_OFFSET, offset);
	nl_attr_put_be32(w, NFTA_PAYLOAD_LEN, len);
	end(w, e);
}

static void compare(struct writer *w, enum nft_cmp_ops op, unsigned int sreg, const void *data,
		    size_t len)
{
	struct expr e = begin(w, "cmp");

	put_reg(w, NFTA_CMP_SREG, sreg);
	nl_attr_put_be32(w, NFTA_CMP_OP, op);
	put_value(w, NFTA_CMP_DATA, data, len);
	end(w, e);
}

void nft_expr_cmp(struct writer *w, unsigned int sreg, const void *data, size_t len)
{
	compare(w, NFT_CMP_EQ, sreg, data, len);
}

void nft_expr_cmp_not(struct writer *w, unsigned int sreg, const void *data, size_t len)
{
	compare(w, NFT_CMP_NEQ, sreg, data, len);
}

void nft_match_family(struct writer *w, uint8_t family)
{
	nft_expr_meta(w, NFT_META_NFPROTO, 0);
	nft_expr_cmp(w, 0, &family, sizeof(family));
}

void nft_match_protocol(struct writer *w, uint8_t protocol)
{
	nft_expr_meta(w, NFT_META_L4PROTO, 0);
	nft_expr_cmp(w, 0, &protocol, sizeof(protocol));
}

void nft_match_ethertype(struct writer *w, uint8_t family)
{
	static const uint8_t ipv4[2] = {0x08, 0x00}, ipv6[2] = {0x86, 0xdd};

	nft_expr_meta(w, NFT_META_PROTOCOL, 0);
	nft_expr_cmp(w, 0, family == NFPROTO_IPV6 ? ipv6 : ipv4, sizeof(ipv4));
}

void nft_match_ethernet(struct writer *w)
{
	static const uint16_t ether = 1; /* ARPHRD_ETHER, linux/if_arp.h */

	nft_expr_meta(w, NFT_META_IIFTYPE, 0);
	nft_expr_cmp(w, 0, &ether, sizeof(ether));
}

void nft_expr_mask(struct writer *w, unsigned int reg, const void *mask, size_t len)
{
	static const uint8_t zero[16];
	struct expr e = begin(w, "bitwise");

	put_reg(w, NFTA_BITWISE_SREG, reg);
	put_reg(w, NFTA_BITWISE_DREG, reg);
	nl_attr_put_be32(w, NFTA_BITWISE_LEN, (uint32_t)len);
	put_value(w, NFTA_BITWISE_MASK, mask, len);
	put_value(w, NFTA_BITWISE_XOR, zero, len);
	end(w, e);
}

void nft_expr_value(struct writer *w, unsigned int dreg, const void *data, size_t len)
{
	struct expr e = begin(w, "immediate");

	put_reg(w, NFTA_IMMEDIATE_DREG, dreg);
	put_value(w, NFTA_IMMEDIATE_DATA, data, len);
	end(w, e);
}

/* `chain` may be NULL. */
static void go(struct writer *w, int how, const char *chain)
{
	struct expr e = begin(w, "immediate");
	size_t data, verdict;

	nl_attr_put_be32(w, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nl_nest_begin(w, NFTA_IMMEDIATE_DATA);
	verdict = nl_nest_begin(w, NFTA_DATA_VERDICT);
	nl_attr_put_be32(w, NFTA_VERDICT_CODE, (uint32_t)how);
	if (chain)
		nl_attr_put_str(w, NFTA_VERDICT_CHAIN, chain);
	nl_nest_end(w, verdict);
	nl_nest_end(w, data);
	end(w, e);
}

void nft_expr_accept(struct writer *w)
{
	go(w, NF_ACCEPT, NULL);
}

void nft_expr_drop(struct writer *w)
{
	go(w, NF_DROP, NULL);
}

void nft_expr_jump(struct writer *w, const char *chain)
{
	go(w, NFT_JUMP, chain);
}

void nft_expr_goto(struct writer *w, const char *chain)
{
	go(w, NFT_GOTO, chain);
}

static struct expr begin_lookup(struct writer *w, const char *set, unsigned int sreg)
{
	struct expr e = begin(w, "lookup");

	nl_attr_put_str(w, NFTA_LOOKUP_SET, set);
	put_reg(w, NFTA_LOOKUP_SREG, sreg);
	return e;
}

void nft_expr_lookup(struct writer *w, const char *set, unsigned int sreg)
{
	end(w, begin_lookup(w, set, sreg));
}

void nft_expr_lookup_verdict(struct writer *w, const char *map, unsigned int sreg)
{
	struct expr e = begin_lookup(w, map, sreg);

	nl_attr_put_be32(w, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	end(w, e);
}

void nft_expr_lookup_data(struct writer *w, const char *map, unsigned int sreg, unsigned int dreg)
{
	struct expr e = begin_lookup(w, map, sreg);

	put_reg(w, NFTA_LOOKUP_DREG, dreg);
	end(w, e);
}

void nft_expr_update(struct writer *w, const char *set, unsigned int sreg, uint64_t timeout_ms)
{
	struct expr e = begin(w, "dynset");

	nl_attr_put_str(w, NFTA_DYNSET_SET_NAME, set);
	nl_attr_put_be32(w, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	put_reg(w, NFTA_DYNSET_SREG_KEY, sreg);
	nl_attr_put_be64(w, NFTA_DYNSET_TIMEOUT, timeout_ms);
	end(w, e);
}

static void generate(struct writer *w, unsigned int dreg, uint32_t modulus, enum nft_ng_types type)
{
	struct expr e = begin(w, "numgen");

	put_reg(w, NFTA_NG_DREG, dreg);
	nl_attr_put_be32(w, NFTA_NG_MODULUS, modulus);
	nl_attr_put_be32(w, NFTA_NG_TYPE, type);
	end(w, e);
}

void nft_expr_counting(struct writer *w, unsigned int dreg, uint32_t modulus)
{
	generate(w, dreg, modulus, NFT_NG_INCREMENTAL);
}

void nft_expr_random(struct writer *w, unsigned int dreg, uint32_t modulus)
{
	generate(w, dreg, modulus, NFT_NG_RANDOM);
}

void nft_expr_hash(struct writer *w, unsigned int sreg, unsigned int len, unsigned int dreg,
		   uint32_t modulus, uint32_t seed)
{
	struct expr e = begin(w, "hash");

	put_reg(w, NFTA_HASH_SREG, sreg);
	put_reg(w, NFTA_HASH_DREG, dreg);
	nl_attr_put_be32(w, NFTA_HASH_LEN, len);
	nl_attr_put_be32(w, NFTA_HASH_MODULUS, modulus);
	nl_attr_put_be32(w, NFTA_HASH_SEED, seed);
	nl_attr_put_be32(w, NFTA_HASH_TYPE, NFT_HASH_JENKINS);
	end(w, e);
}

void nft_expr_dnat(struct writer *w, uint8_t family, unsigned int reg_address, bool with_port,
		   unsigned int reg_port)
{
	struct expr e = begin(w, "nat");

	nl_attr_put_be32(w, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nl_attr_put_be32(w, NFTA_NAT_FAMILY, family);
	put_reg(w, NFTA_NAT_REG_ADDR_MIN, reg_address);
	if (with_port)
		put_reg(w, NFTA_NAT_REG_PROTO_MIN, reg_port);
	end(w, e);
}

void nft_expr_set_link_layer(struct writer *w, unsigned int sreg, unsigned int offset,
			     unsigned int len)
{
	struct expr e = begin(w, "payload");

	put_reg(w, NFTA_PAYLOAD_SREG, sreg);
	nl_attr_put_be32(w, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
	nl_attr_put_be32(w, NFTA_PAYLOAD_OFFSET, offset);
	nl_attr_put_be32(w, NFTA_PAYLOAD_LEN, len);
	nl_attr_put_be32(w, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE);
	end(w, e);
}

void nft_expr_forward(struct writer *w, unsigned int sreg)
{
	struct expr e = begin(w, "fwd");

	put_reg(w, NFTA_FWD_SREG_DEV, sreg);
	end(w, e);
}

void nft_expr_masquerade(struct writer *w)
{
	end(w, begin(w, "masq"));
}

void nft_expr_reject(struct writer *w)
{
	struct expr e = begin(w, "reject");

	nl_attr_put_be32(w, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nl_attr_put_u8(w, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
	end(w, e);
}
