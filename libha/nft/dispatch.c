/* SPDX-License-Identifier: MIT */
#include "nft/dispatch.h"

#include <linux/netlink.h>
#include <string.h>

#include "nft/expr.h"
#include "nft/sets.h"
#include "nft/shown.h"

/* The kernel's names of the places in the hooks' order (linux/netfilter_ipv4.h). */
#define PRIORITY_DSTNAT (-100)
#define PRIORITY_DSTNAT_AGAIN (-99)
#define PRIORITY_SRCNAT 100
#define PRIORITY_SRCNAT_AGAIN 101

/* Keys are in the registers from 0, counted in words. */
#define REG_KEY 0

/* Types as nft(8) numbers them; in a concatenation of several six bits each. */
#define ADDRESS_PROTOCOL_PORT(address) ((address) << 12 | NFT_TYPE_PROTOCOL << 6 | NFT_TYPE_PORT)
#define ADDRESS_PROTOCOL(address) ((address) << 6 | NFT_TYPE_PROTOCOL)

static const struct {
	const char *map;
	uint8_t family;
	bool mark, port;
	uint32_t type;
} kinds[NFT_N_KINDS] = {
    [NFT_KIND_MARK4] = {"mark-ipv4", NFPROTO_IPV4, true, false, NFT_TYPE_MARK},
    [NFT_KIND_MARK6] = {"mark-ipv6", NFPROTO_IPV6, true, false, NFT_TYPE_MARK},
    [NFT_KIND_PORT4] = {"port-ipv4", NFPROTO_IPV4, false, true,
			ADDRESS_PROTOCOL_PORT(NFT_TYPE_IPV4)},
    [NFT_KIND_PORT6] = {"port-ipv6", NFPROTO_IPV6, false, true,
			ADDRESS_PROTOCOL_PORT(NFT_TYPE_IPV6)},
    [NFT_KIND_ANY4] = {"any-ipv4", NFPROTO_IPV4, false, false, ADDRESS_PROTOCOL(NFT_TYPE_IPV4)},
    [NFT_KIND_ANY6] = {"any-ipv6", NFPROTO_IPV6, false, false, ADDRESS_PROTOCOL(NFT_TYPE_IPV6)},
};

/* ---- Keys ---- */

const char *nft_kind_map(enum nft_kind kind)
{
	return kinds[kind].map;
}

static enum nft_kind kind_of(const struct ha_service_opts *s)
{
	bool v6 = s->address.family == AF_INET6;

	if (s->fwmark)
		return v6 ? NFT_KIND_MARK6 : NFT_KIND_MARK4;
	if (s->port)
		return v6 ? NFT_KIND_PORT6 : NFT_KIND_PORT4;
	return v6 ? NFT_KIND_ANY6 : NFT_KIND_ANY4;
}

size_t nft_key(const struct ha_service_opts *s, uint8_t ret[NFT_KEY_MAX])
{
	struct writer w = writer_of(ret, NFT_KEY_MAX);

	if (s->fwmark) {
		write_host32(&w, s->fwmark);
		return writer_len(&w);
	}
	write_bytes(&w, s->address.bytes, ha_ip_len(&s->address));
	nft_key_field(&w, &s->protocol, 1);
	if (s->port)
		nft_key_port(&w, s->port);
	return writer_len(&w);
}

static size_t address_len(enum nft_kind kind)
{
	return kinds[kind].family == NFPROTO_IPV6 ? 16 : 4;
}

static size_t kind_key_len(enum nft_kind kind)
{
	return kinds[kind].mark ? 4 : address_len(kind) + (kinds[kind].port ? 8 : 4);
}

/* ---- Elements ---- */

void nft_put_dispatch(struct nft_ruleset *r, const struct ha_service_opts *s, const char *chain)
{
	struct nft_elements e = {.r = r,
				 .set = nft_kind_map(kind_of(s)),
				 .type = chain ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM};
	uint8_t key[NFT_KEY_MAX];

	nft_put_element(&e, key, nft_key(s, key), chain);
	nft_end_elements(&e);
}

/* ---- The table without services ---- */

/* The key of a packet on its way in. */
static void load_key(struct writer *w, enum nft_kind kind)
{
	bool v6 = kinds[kind].family == NFPROTO_IPV6;
	unsigned int words = v6 ? 4 : 1;

	if (kinds[kind].mark) {
		nft_expr_meta(w, NFT_META_MARK, REG_KEY);
		return;
	}
	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, v6 ? 24 : 16, words * 4, REG_KEY);
	nft_expr_meta(w, NFT_META_L4PROTO, REG_KEY + words);
	if (kinds[kind].port)
		nft_expr_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, REG_KEY + words + 1);
}

void nft_put_dispatch_map(struct nft_ruleset *r, enum nft_kind kind)
{
	struct writer *w;
	size_t list;

	w = nft_begin_set(r, kinds[kind].map, NFT_SET_MAP, kinds[kind].type, kind_key_len(kind));
	nft_put_set_verdicts(w);
	if (kinds[kind].mark)
		nft_show_host_order(w);
	nft_end(r);
	w = nft_begin_rule(r, "dispatch", NULL, &list);
	if (r->family == NFPROTO_NETDEV)
		nft_match_ethertype(w, kinds[kind].family);
	else
		nft_match_family(w, kinds[kind].family);
	load_key(w, kind);
	nft_expr_lookup_verdict(w, kinds[kind].map, REG_KEY);
	nft_end_rule(r, w, list);
}

void nft_put_jump(struct nft_ruleset *r, const char *from, const char *to)
{
	size_t list;
	struct writer *w = nft_begin_rule(r, from, NULL, &list);

	nft_expr_jump(w, to);
	nft_end_rule(r, w, list);
}

/* For connections whose destination was rewritten, by us or others. */
static void put_jump_rewritten(struct nft_ruleset *r, const char *from, const char *to)
{
	const uint32_t dst_nat = 1u << 5, zero = 0; /* IPS_DST_NAT, nf_conntrack_common.h */
	size_t list;
	struct writer *w = nft_begin_rule(r, from, NULL, &list);

	nft_expr_ct(w, NFT_CT_STATUS, REG_KEY);
	nft_expr_mask(w, REG_KEY, &dst_nat, sizeof(dst_nat));
	nft_expr_cmp_not(w, REG_KEY, &zero, sizeof(zero));
	nft_expr_jump(w, to);
	nft_end_rule(r, w, list);
}

/*
 * The kernel takes the generation of rules when a packet comes into a base chain and that of elements at each lookup:
 * when it changes in between, old rules ask a map that has nothing for them any more. The packet is then not
 * translated, and comes to the base chains "again", which begin anew; one that was translated does not. While the table is
 * made anew it may pass an old chain and a new one of the same hook when neither has rules, also behind routing.
 */
void nft_put_skeleton(struct nft_ruleset *r)
{
	nft_put_table(r, NFT_TABLE_COMMENT);
	nft_put_base_chain(r, "prerouting", "nat", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT);
	nft_put_base_chain(r, "output", "nat", NF_INET_LOCAL_OUT, PRIORITY_DSTNAT);
	nft_put_base_chain(r, "prerouting-again", "nat", NF_INET_PRE_ROUTING,
			   PRIORITY_DSTNAT_AGAIN);
	nft_put_base_chain(r, "output-again", "nat", NF_INET_LOCAL_OUT, PRIORITY_DSTNAT_AGAIN);
	nft_put_base_chain(r, "input", "nat", NF_INET_LOCAL_IN, PRIORITY_SRCNAT);
	nft_put_base_chain(r, "postrouting", "nat", NF_INET_POST_ROUTING, PRIORITY_SRCNAT);
	nft_put_base_chain(r, "postrouting-again", "nat", NF_INET_POST_ROUTING,
			   PRIORITY_SRCNAT_AGAIN);
	nft_put_chain(r, "dispatch");
	nft_put_chain(r, "counting");
	nft_put_chain(r, "masquerading");
	for (int kind = 0; kind < NFT_N_KINDS; kind++)
		nft_put_dispatch_map(r, (enum nft_kind)kind);
	nft_put_sets(r);
	nft_put_jump(r, "prerouting", "dispatch");
	nft_put_jump(r, "output", "dispatch");
	nft_put_jump(r, "prerouting-again", "dispatch");
	nft_put_jump(r, "output-again", "dispatch");
	put_jump_rewritten(r, "input", "counting"); /* servers on this host */
	put_jump_rewritten(r, "postrouting", "counting");
	put_jump_rewritten(r, "postrouting", "masquerading");
	put_jump_rewritten(r, "postrouting-again", "masquerading");
}
