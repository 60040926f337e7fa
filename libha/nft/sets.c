/* SPDX-License-Identifier: MIT */
#include "nft/sets.h"

#include <linux/netlink.h>
#include <string.h>

#include "nft/dispatch.h"
#include "nft/expr.h"
#include "nft/shown.h"

/* Keys are in the registers from 0, counted in words. */
#define REG_KEY 0

/* Types as nft(8) numbers them, six bits each in a concatenation. */
#define TYPES_2(a, b) ((a) << 6 | (b))
#define TYPES_3(a, b, c) ((a) << 12 | (b) << 6 | (c))
#define TYPES_4(a, b, c, d) ((a) << 18 | (b) << 12 | (c) << 6 | (d))

enum shape { MARK, PORT, ANY };

#define NAMES(suffix) "masquerade-" suffix, "destinations-" suffix, "counts-" suffix

static const struct group {
	const char *masquerade, *destinations, *counts;
	uint8_t family;
	enum shape shape;
	uint8_t protocol; /* of PORT */
} groups[NFT_N_GROUPS] = {
    {NAMES("mark-ipv4"), NFPROTO_IPV4, MARK, 0},
    {NAMES("tcp-ipv4"), NFPROTO_IPV4, PORT, IPPROTO_TCP},
    {NAMES("udp-ipv4"), NFPROTO_IPV4, PORT, IPPROTO_UDP},
    {NAMES("sctp-ipv4"), NFPROTO_IPV4, PORT, IPPROTO_SCTP},
    {NAMES("any-ipv4"), NFPROTO_IPV4, ANY, 0},
    {NAMES("mark-ipv6"), NFPROTO_IPV6, MARK, 0},
    {NAMES("tcp-ipv6"), NFPROTO_IPV6, PORT, IPPROTO_TCP},
    {NAMES("udp-ipv6"), NFPROTO_IPV6, PORT, IPPROTO_UDP},
    {NAMES("sctp-ipv6"), NFPROTO_IPV6, PORT, IPPROTO_SCTP},
    {NAMES("any-ipv6"), NFPROTO_IPV6, ANY, 0},
};

const char *nft_masquerade_set(unsigned int group)
{
	return groups[group].masquerade;
}

const char *nft_destinations_set(unsigned int group)
{
	return groups[group].destinations;
}

const char *nft_counts_set(unsigned int group)
{
	return groups[group].counts;
}

static const struct group *group_of(const struct ha_service_opts *s)
{
	uint8_t family = s->address.family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	enum shape shape = s->fwmark ? MARK : s->port ? PORT : ANY;
	const struct group *g = groups;

	while (g->family != family || g->shape != shape ||
	       (shape == PORT && g->protocol != s->protocol))
		g++;
	return g;
}

static size_t address_len(const struct group *g)
{
	return g->family == NFPROTO_IPV6 ? 16 : 4;
}

/* ---- Keys ---- */

static void put_service_key(struct writer *w, const struct group *g,
			    const struct ha_service_opts *s)
{
	if (g->shape == MARK) {
		write_host32(w, s->fwmark);
		return;
	}
	write_bytes(w, s->address.bytes, ha_ip_len(&s->address));
	if (g->shape == PORT)
		nft_key_port(w, s->port);
	else
		nft_key_field(w, &s->protocol, sizeof(s->protocol));
}

static void put_server_key(struct writer *w, const struct group *g, const struct ha_dest_opts *d)
{
	write_bytes(w, d->address.bytes, ha_ip_len(&d->address));
	if (g->shape == PORT)
		nft_key_port(w, d->port);
}

static size_t service_key_len(const struct group *g)
{
	return g->shape == MARK ? 4 : address_len(g) + 4;
}

static size_t server_key_len(const struct group *g)
{
	return address_len(g) + (g->shape == PORT ? 4 : 0);
}

static uint32_t service_type(const struct group *g)
{
	uint32_t address = g->family == NFPROTO_IPV6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;

	return g->shape == MARK	  ? NFT_TYPE_MARK
	       : g->shape == PORT ? TYPES_2(address, NFT_TYPE_PORT)
				  : TYPES_2(address, NFT_TYPE_PROTOCOL);
}

static uint32_t server_type(const struct group *g)
{
	uint32_t address = g->family == NFPROTO_IPV6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;

	return g->shape == MARK	  ? TYPES_2(NFT_TYPE_MARK, address)
	       : g->shape == PORT ? TYPES_4(address, NFT_TYPE_PORT, address, NFT_TYPE_PORT)
				  : TYPES_3(address, NFT_TYPE_PROTOCOL, address);
}

bool nft_read_group_key(const void *key, size_t len, unsigned int group,
			struct ha_service_opts *ret_service, struct ha_dest_opts *ret_dest)
{
	const struct group *g = &groups[group];
	struct reader r = reader_of(key, len);
	uint8_t family = g->family == NFPROTO_IPV6 ? AF_INET6 : AF_INET;

	*ret_service =
	    (struct ha_service_opts){.size = sizeof(*ret_service), .address.family = family};
	*ret_dest = (struct ha_dest_opts){.size = sizeof(*ret_dest), .address.family = family};
	if (g->shape == MARK) {
		ret_service->fwmark = read_host32(&r);
	} else {
		read_copy(&r, ret_service->address.bytes, address_len(g));
		ret_service->protocol = g->protocol;
		if (g->shape == PORT)
			ret_service->port = read_be16(&r);
		else
			ret_service->protocol = read_u8(&r);
		read_bytes(&r, g->shape == PORT ? 2 : 3);
	}
	read_copy(&r, ret_dest->address.bytes, address_len(g));
	if (g->shape == PORT) {
		ret_dest->port = read_be16(&r);
		read_bytes(&r, 2);
	}
	return !r.bad && !reader_left(&r);
}

/* ---- Rules ---- */

/* The service's key as the first packet of the connection had it; the words it takes. */
static unsigned int load_service_key(struct writer *w, const struct group *g)
{
	bool v6 = g->family == NFPROTO_IPV6;
	unsigned int words = v6 ? 4 : 1;

	if (g->shape == MARK) {
		nft_expr_meta(w, NFT_META_MARK, REG_KEY);
		return 1;
	}
	nft_expr_ct_original(w, v6 ? NFT_CT_DST_IP6 : NFT_CT_DST_IP, REG_KEY);
	nft_expr_ct_original(w, g->shape == PORT ? NFT_CT_PROTO_DST : NFT_CT_PROTOCOL,
			     REG_KEY + words);
	return words + 1;
}

/* The server is who the answer comes from. */
static void load_server_key(struct writer *w, const struct group *g, unsigned int at)
{
	bool v6 = g->family == NFPROTO_IPV6;

	nft_expr_ct_reply(w, v6 ? NFT_CT_SRC_IP6 : NFT_CT_SRC_IP, REG_KEY + at);
	if (g->shape == PORT)
		nft_expr_ct_reply(w, NFT_CT_PROTO_SRC, REG_KEY + at + (v6 ? 4 : 1));
}

static struct writer *begin_group_rule(struct nft_ruleset *r, const struct group *g,
				       const char *chain, size_t *ret_list)
{
	struct writer *w = nft_begin_rule(r, chain, NULL, ret_list);

	nft_match_family(w, g->family);
	if (g->shape == PORT)
		nft_match_protocol(w, g->protocol);
	return w;
}

static void put_group(struct nft_ruleset *r, const struct group *g)
{
	size_t len = service_key_len(g) + server_key_len(g), list;
	struct writer *w;

	w = nft_begin_set(r, g->masquerade, 0, service_type(g), service_key_len(g));
	if (g->shape == MARK)
		nft_show_host_order(w);
	nft_end(r);
	nft_begin_set(r, g->destinations, 0, server_type(g), len);
	nft_end(r);
	nft_put_set_counters(nft_begin_set(r, g->counts, 0, server_type(g), len));
	nft_end(r);

	w = begin_group_rule(r, g, "counting", &list);
	load_server_key(w, g, load_service_key(w, g));
	nft_expr_lookup(w, g->counts, REG_KEY);
	nft_end_rule(r, w, list);
	w = begin_group_rule(r, g, "masquerading", &list);
	load_service_key(w, g);
	nft_expr_lookup(w, g->masquerade, REG_KEY);
	nft_expr_masquerade(w);
	nft_end_rule(r, w, list);
}

void nft_put_sets(struct nft_ruleset *r)
{
	for (size_t i = 0; i < NFT_N_GROUPS; i++)
		put_group(r, &groups[i]);
}

/* ---- Elements ---- */

void nft_put_masquerade(struct nft_ruleset *r, const struct ha_service_opts *s, bool add)
{
	const struct group *g = group_of(s);
	struct nft_elements e = {
	    .r = r, .set = g->masquerade, .type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM};
	uint8_t key[NFT_GROUP_KEY_MAX];
	struct writer w = writer_of(key, sizeof(key));

	put_service_key(&w, g, s);
	nft_put_element(&e, key, writer_len(&w), NULL);
	nft_end_elements(&e);
}

struct nft_elements nft_begin_known(struct nft_ruleset *r, const struct ha_service_opts *s,
				    enum nft_known what, bool add)
{
	const struct group *g = group_of(s);

	return (struct nft_elements){.r = r,
				     .set = what == NFT_COUNTS ? g->counts : g->destinations,
				     .type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM};
}

void nft_put_known(struct nft_elements *e, const struct ha_service_opts *s,
		   const struct ha_dest_opts *d)
{
	const struct group *g = group_of(s);
	bool describes = e->set == g->destinations && e->type == NFT_MSG_NEWSETELEM;
	char weight[NFT_COMMENT_SIZE];
	uint8_t key[NFT_GROUP_KEY_MAX];
	struct writer w = writer_of(key, sizeof(key));
	struct nft_item item = {.key = key, .comment = describes ? weight : NULL};

	put_service_key(&w, g, s);
	put_server_key(&w, g, d);
	item.key_len = writer_len(&w);
	nft_comment_weight(d->weight, weight);
	nft_put_item(e, &item);
}
