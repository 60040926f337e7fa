/* SPDX-License-Identifier: MIT */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "base/mem.h"
#include "nft/expr.h"
#include "nft/ruleset.h"
#include "nft/slots.h"

/* The kernel's names of the places in the hooks' order (linux/netfilter_ipv4.h). */
#define PRIORITY_DSTNAT (-100)
#define PRIORITY_SRCNAT 100

/* The hashes of every load balancer must choose alike: one seed for all. */
#define HASH_SEED 0x68617773u

/* Registers, in words: keys, addresses and clients from 0, the number of a slot in 8. */
#define REG_KEY 0
#define REG_NUMBER 8

/* ---- Keys ---- */

static const struct {
	const char *map, *set;
	uint8_t family;
	bool mark, port;
	uint32_t type; /* nft(8)'s */
} kinds[NFT_N_KINDS] = {
    [NFT_KIND_MARK4] = {"mark-ipv4", "masquerade-mark-ipv4", NFPROTO_IPV4, true, false,
			NFT_TYPE_MARK},
    [NFT_KIND_MARK6] = {"mark-ipv6", "masquerade-mark-ipv6", NFPROTO_IPV6, true, false,
			NFT_TYPE_MARK},
    [NFT_KIND_PORT4] = {"port-ipv4", "masquerade-port-ipv4", NFPROTO_IPV4, false, true,
			NFT_TYPE_IPV4 << 12 | NFT_TYPE_PROTOCOL << 6 | NFT_TYPE_PORT},
    [NFT_KIND_PORT6] = {"port-ipv6", "masquerade-port-ipv6", NFPROTO_IPV6, false, true,
			NFT_TYPE_IPV6 << 12 | NFT_TYPE_PROTOCOL << 6 | NFT_TYPE_PORT},
    [NFT_KIND_ANY4] = {"any-ipv4", "masquerade-any-ipv4", NFPROTO_IPV4, false, false,
		       NFT_TYPE_IPV4 << 6 | NFT_TYPE_PROTOCOL},
    [NFT_KIND_ANY6] = {"any-ipv6", "masquerade-any-ipv6", NFPROTO_IPV6, false, false,
		       NFT_TYPE_IPV6 << 6 | NFT_TYPE_PROTOCOL},
};

const char *nft_kind_map(enum nft_kind kind)
{
	return kinds[kind].map;
}

enum nft_kind nft_kind_of(const struct ha_service_opts *s)
{
	bool v6 = s->address.family == AF_INET6;

	if (s->fwmark)
		return v6 ? NFT_KIND_MARK6 : NFT_KIND_MARK4;
	if (s->port)
		return v6 ? NFT_KIND_PORT6 : NFT_KIND_PORT4;
	return v6 ? NFT_KIND_ANY6 : NFT_KIND_ANY4;
}

/* Fields start at words, as in registers. */
static void put_padded(struct writer *w, const void *field, size_t len)
{
	write_bytes(w, field, len);
	write_zero(w, (4 - len % 4) % 4);
}

static void put_port(struct writer *w, uint16_t port)
{
	write_be16(w, port);
	write_zero(w, 2);
}

size_t nft_key(const struct ha_service_opts *s, uint8_t ret[NFT_KEY_MAX])
{
	struct writer w = writer_of(ret, NFT_KEY_MAX);

	if (s->fwmark) {
		write_host32(&w, s->fwmark);
		return writer_len(&w);
	}
	write_bytes(&w, s->address.bytes, ha_ip_len(&s->address));
	put_padded(&w, &s->protocol, 1);
	if (s->port)
		put_port(&w, s->port);
	return writer_len(&w);
}

static size_t kind_key_len(enum nft_kind kind)
{
	size_t address = kinds[kind].family == NFPROTO_IPV6 ? 16 : 4;

	return kinds[kind].mark ? 4 : address + (kinds[kind].port ? 8 : 4);
}

/* ---- Elements ---- */

/* A service in a dispatch map (`chain`) or in a set (NULL), or its removal (NULL). */
static void put_service_element(struct nft_ruleset *r, enum nf_tables_msg_types type,
				const char *set, const struct ha_service_opts *s, const char *chain)
{
	struct nft_elements e = {.r = r, .set = set, .type = type};
	uint8_t key[NFT_KEY_MAX];

	nft_put_element(&e, key, nft_key(s, key), chain);
	nft_end_elements(&e);
}

static void put_counter(struct nft_ruleset *r, enum nf_tables_msg_types type, const char *name)
{
	bool is_new = type == NFT_MSG_NEWOBJ;
	struct writer *w = nft_begin(r, type, is_new ? NLM_F_CREATE | NLM_F_EXCL : 0);

	nl_attr_put_str(w, NFTA_OBJ_TABLE, r->table);
	nl_attr_put_str(w, NFTA_OBJ_NAME, name);
	nl_attr_put_be32(w, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	if (is_new)
		nl_nest_end(w, nl_nest_begin(w, NFTA_OBJ_DATA));
	nft_end(r);
}

/* ---- The table without services ---- */

static void match_family(struct writer *w, uint8_t family)
{
	nft_expr_meta(w, NFT_META_NFPROTO, REG_KEY);
	nft_expr_cmp(w, REG_KEY, &family, sizeof(family));
}

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

/* The key its first packet had, when the packet is on its way out. */
static void load_original_key(struct writer *w, enum nft_kind kind)
{
	bool v6 = kinds[kind].family == NFPROTO_IPV6;
	unsigned int words = v6 ? 4 : 1;

	if (kinds[kind].mark) {
		nft_expr_meta(w, NFT_META_MARK, REG_KEY);
		return;
	}
	nft_expr_ct(w, v6 ? NFT_CT_DST_IP6 : NFT_CT_DST_IP, true, REG_KEY);
	nft_expr_ct(w, NFT_CT_PROTOCOL, true, REG_KEY + words);
	if (kinds[kind].port)
		nft_expr_ct(w, NFT_CT_PROTO_DST, true, REG_KEY + words + 1);
}

static void match_destination_rewritten(struct writer *w)
{
	const uint32_t dst_nat = 1u << 5, zero = 0; /* IPS_DST_NAT, nf_conntrack_common.h */

	nft_expr_ct(w, NFT_CT_STATUS, false, REG_KEY);
	nft_expr_mask(w, REG_KEY, &dst_nat, sizeof(dst_nat));
	nft_expr_cmp_not(w, REG_KEY, &zero, sizeof(zero));
}

static void put_kind(struct nft_ruleset *r, enum nft_kind kind)
{
	struct writer *w;
	size_t list;

	w = nft_begin_set(r, kinds[kind].map, NFT_SET_MAP, kinds[kind].type, kind_key_len(kind));
	nft_put_set_verdicts(w);
	nft_end(r);
	nft_begin_set(r, kinds[kind].set, 0, kinds[kind].type, kind_key_len(kind));
	nft_end(r);

	w = nft_begin_rule(r, "dispatch", NULL, &list);
	match_family(w, kinds[kind].family);
	load_key(w, kind);
	nft_expr_lookup_verdict(w, kinds[kind].map, REG_KEY);
	nft_end_rule(r, w, list);

	w = nft_begin_rule(r, "postrouting", NULL, &list);
	match_family(w, kinds[kind].family);
	match_destination_rewritten(w);
	load_original_key(w, kind);
	nft_expr_lookup(w, kinds[kind].set, REG_KEY);
	nft_expr_masquerade(w);
	nft_end_rule(r, w, list);
}

static void put_jump(struct nft_ruleset *r, const char *chain)
{
	struct writer *w;
	size_t list;

	w = nft_begin_rule(r, chain, NULL, &list);
	nft_expr_jump(w, "dispatch");
	nft_end_rule(r, w, list);
}

void nft_put_skeleton(struct nft_ruleset *r)
{
	nft_put_table(r, NFT_TABLE_COMMENT);
	nft_put_base_chain(r, "prerouting", "nat", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT);
	nft_put_base_chain(r, "output", "nat", NF_INET_LOCAL_OUT, PRIORITY_DSTNAT);
	nft_put_base_chain(r, "postrouting", "nat", NF_INET_POST_ROUTING, PRIORITY_SRCNAT);
	nft_put_chain(r, "dispatch");
	for (int kind = 0; kind < NFT_N_KINDS; kind++)
		put_kind(r, (enum nft_kind)kind);
	put_jump(r, "prerouting");
	put_jump(r, "output");
}

/* ---- A destination ---- */

/* The client's address, cut to the persistence prefix when `cut`. */
static void load_client(struct writer *w, const struct ha_service_opts *s, bool cut)
{
	size_t len = ha_ip_len(&s->address);
	uint8_t mask[16] = {0};

	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, len == 16 ? 8 : 12, (unsigned int)len,
			 REG_KEY);
	if (!cut || s->persistence_prefix >= len * 8)
		return;
	for (unsigned int bit = 0; bit < s->persistence_prefix; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	nft_expr_mask(w, REG_KEY, mask, len);
}

/*
 * Remembering the client is a rule of its own: when the set is full that rule ends early, and the next
 * sends the client on all the same.
 */
static void put_dest_rules(struct nft_ruleset *r, const struct ha_service_opts *s,
			   const struct ha_dest_opts *d)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);
	char chain[NFT_NAME_SIZE], clients[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];
	const uint8_t port[2] = {(uint8_t)(d->port >> 8), (uint8_t)d->port};
	struct writer *w;
	size_t list;

	nft_name_dest(s, d, chain);
	nft_name_clients(s, d, clients);
	nft_comment_dest(s, d, comment);
	if (s->persistence_s) {
		w = nft_begin_rule(r, chain, NULL, &list);
		load_client(w, s, true);
		nft_expr_update(w, clients, REG_KEY, UINT64_C(1000) * s->persistence_s);
		nft_end_rule(r, w, list);
	}
	w = nft_begin_rule(r, chain, comment, &list);
	nft_expr_counter(w, chain);
	nft_expr_value(w, REG_KEY, d->address.bytes, len);
	if (s->port)
		nft_expr_value(w, REG_KEY + len / 4, port, sizeof(port));
	nft_expr_dnat(w, s->address.family, REG_KEY, s->port, REG_KEY + len / 4);
	nft_end_rule(r, w, list);
}

static void put_clients(struct nft_ruleset *r, const struct ha_service_opts *s,
			const struct ha_dest_opts *d)
{
	uint32_t type = s->address.family == AF_INET6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;
	char name[NFT_NAME_SIZE];
	struct writer *w;

	nft_name_clients(s, d, name);
	w = nft_begin_set(r, name, NFT_SET_TIMEOUT | NFT_SET_EVAL, type, ha_ip_len(&s->address));
	nft_put_set_size(w, r->affinity_max);
	nft_end(r);
}

static void put_delete_clients(struct nft_ruleset *r, const struct ha_service_opts *s,
			       const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_clients(s, d, name);
	nft_put_delete_set(r, name);
}

static void put_dest(struct nft_ruleset *r, const struct ha_service_opts *s,
		     const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_dest(s, d, name);
	nft_put_chain(r, name);
	put_counter(r, NFT_MSG_NEWOBJ, name);
	if (s->persistence_s)
		put_clients(r, s, d);
	put_dest_rules(r, s, d);
}

/* `s` as it was. Nothing may lead to the destination any more. */
static void put_delete_dest(struct nft_ruleset *r, const struct ha_service_opts *s,
			    const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_dest(s, d, name);
	nft_put_flush(r, name);
	if (s->persistence_s)
		put_delete_clients(r, s, d);
	put_counter(r, NFT_MSG_DELOBJ, name);
	nft_put_delete_chain(r, name);
}

/* The counter stays, and the clients as long as there is persistence. */
static void put_renewed_dest(struct nft_ruleset *r, const struct ha_service_opts *s,
			     const struct ha_service_opts *old, const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_dest(s, d, name);
	nft_put_flush(r, name);
	if (old->persistence_s && !s->persistence_s)
		put_delete_clients(r, s, d);
	if (!old->persistence_s && s->persistence_s)
		put_clients(r, s, d);
	put_dest_rules(r, s, d);
}

/* ---- A service ---- */

size_t nft_service_rules(const struct ha_service *s)
{
	size_t n = ha_dest_count(s);

	return s->o.persistence_s ? 1 + 3 * n : 1 + n;
}

/* By what was asked for: of use where many addresses are one service, by a mark. */
static void hash_destination(struct writer *w, const struct ha_service_opts *s, uint32_t n)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);

	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, len == 16 ? 24 : 16, len, REG_KEY);
	nft_expr_hash(w, REG_KEY, len, REG_NUMBER, n, HASH_SEED);
}

static void hash_client(struct writer *w, const struct ha_service_opts *s, uint32_t n)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);
	bool port = s->flags & HA_SERVICE_SCHED_PORT;

	load_client(w, s, false);
	if (port)
		nft_expr_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, REG_KEY + len / 4);
	nft_expr_hash(w, REG_KEY, port ? len + 4 : len, REG_NUMBER, n, HASH_SEED);
}

/* Draws a slot and goes to its destination. */
static void choose(struct writer *w, const struct ha_service_opts *s, const char *slots, uint32_t n)
{
	if (!strcmp(s->scheduler, "sh") || !strcmp(s->scheduler, "mh"))
		hash_client(w, s, n);
	else if (!strcmp(s->scheduler, "dh"))
		hash_destination(w, s, n);
	else if (!strcmp(s->scheduler, "random"))
		nft_expr_random(w, REG_NUMBER, n);
	else
		nft_expr_counting(w, REG_NUMBER, n);
	nft_expr_lookup_verdict(w, slots, REG_NUMBER);
}

/* Clients that persistence knows go where they were; the others draw a slot. */
static void put_service_rules(struct nft_ruleset *r, const struct ha_service *s, uint32_t n_slots)
{
	char chain[NFT_NAME_SIZE], name[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];
	const struct ha_service_opts *o = &s->o;
	struct writer *w;
	size_t list;

	nft_name_chain(o, chain);
	for (const struct ha_dest *d = NULL; o->persistence_s && (d = ha_dest_next(s, d));) {
		w = nft_begin_rule(r, chain, NULL, &list);
		load_client(w, o, true);
		nft_name_clients(o, &d->o, name);
		nft_expr_lookup(w, name, REG_KEY);
		nft_name_dest(o, &d->o, name);
		nft_expr_goto(w, name);
		nft_end_rule(r, w, list);
	}
	nft_comment_service(o, &s->slots, comment);
	w = nft_begin_rule(r, chain, comment, &list);
	nft_name_slots(o, name);
	if (n_slots)
		choose(w, o, name, n_slots);
	else
		nft_expr_reject(w);
	nft_end_rule(r, w, list);
}

static void put_slots(struct nft_ruleset *r, const struct ha_service_opts *s,
		      const struct ha_dest *const *slots, uint32_t n)
{
	/* The numbers are in host order; nft(8) shows them rightly when told so (type 0, host 1). */
	static const uint8_t userdata[] = {0, 4, 1, 0, 0, 0};
	char name[NFT_NAME_SIZE], chain[NFT_NAME_SIZE];
	struct nft_elements e = {.r = r, .set = name, .type = NFT_MSG_NEWSETELEM};
	struct writer *w;

	if (!n)
		return;
	nft_name_slots(s, name);
	w = nft_begin_set(r, name, NFT_SET_MAP, NFT_TYPE_INTEGER, sizeof(uint32_t));
	nft_put_set_verdicts(w);
	nft_put_set_size(w, n);
	nl_attr_put(w, NFTA_SET_USERDATA, userdata, sizeof(userdata));
	nft_end(r);
	for (uint32_t i = 0; i < n; i++) {
		nft_name_dest(s, &slots[i]->o, chain);
		nft_put_element(&e, &i, sizeof(i), chain);
	}
	nft_end_elements(&e);
}

static bool has_slots(const struct ha_service *s)
{
	const struct ha_dest *d = NULL;

	if (s->o.flags & HA_SERVICE_SLOTS)
		return s->slots.n > 0;
	while ((d = ha_dest_next(s, d)) && !d->o.weight)
		;
	return d;
}

static void put_delete_slots(struct nft_ruleset *r, const struct ha_service *s)
{
	char name[NFT_NAME_SIZE];

	if (!has_slots(s))
		return;
	nft_name_slots(&s->o, name);
	nft_put_delete_set(r, name);
}

static const char *masquerade_set(const struct ha_service_opts *s)
{
	return kinds[nft_kind_of(s)].set;
}

int nft_put_add(struct nft_ruleset *r, const struct ha_service *s)
{
	const struct ha_dest **slots = NULL;
	char chain[NFT_NAME_SIZE];
	uint32_t n;
	int result = nft_slots(s, &slots, &n);

	if (result < 0)
		return result;
	nft_name_chain(&s->o, chain);
	nft_put_chain(r, chain);
	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
		put_dest(r, &s->o, &d->o);
	put_slots(r, &s->o, slots, n);
	put_service_rules(r, s, n);
	put_service_element(r, NFT_MSG_NEWSETELEM, nft_kind_map(nft_kind_of(&s->o)), &s->o, chain);
	if (s->o.flags & HA_SERVICE_MASQUERADE)
		put_service_element(r, NFT_MSG_NEWSETELEM, masquerade_set(&s->o), &s->o, NULL);
	mem_free(slots);
	return 0;
}

void nft_put_remove(struct nft_ruleset *r, const struct ha_service *s)
{
	char chain[NFT_NAME_SIZE];

	nft_name_chain(&s->o, chain);
	put_service_element(r, NFT_MSG_DELSETELEM, nft_kind_map(nft_kind_of(&s->o)), &s->o, NULL);
	if (s->o.flags & HA_SERVICE_MASQUERADE)
		put_service_element(r, NFT_MSG_DELSETELEM, masquerade_set(&s->o), &s->o, NULL);
	nft_put_flush(r, chain);
	put_delete_slots(r, s);
	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
		put_delete_dest(r, &s->o, &d->o);
	nft_put_delete_chain(r, chain);
}

/* An edited service renews all destinations that stay, an edited destination itself. */
static void put_dest_changes(struct nft_ruleset *r, const struct ha_service *s,
			     const struct ha_service *old, const struct service_step *steps,
			     size_t n)
{
	bool all = steps->kind == HA_STEP_EDIT_SERVICE;
	const struct ha_dest *d = NULL;

	while (all && (d = ha_dest_next(s, d)))
		if (service_dest_find(old, &d->o))
			put_renewed_dest(r, &s->o, &old->o, &d->o);
	for (size_t i = 0; i < n; i++) {
		if (steps[i].kind == HA_STEP_ADD_DEST)
			put_dest(r, &s->o, &steps[i].dest->o);
		else if (steps[i].kind == HA_STEP_EDIT_DEST && !all)
			put_renewed_dest(r, &s->o, &old->o, &steps[i].dest->o);
		else if (steps[i].kind == HA_STEP_REMOVE_DEST)
			put_delete_dest(r, &old->o, &steps[i].dest->o);
	}
}

int nft_put_change(struct nft_ruleset *r, const struct ha_service *s, const struct ha_service *old,
		   const struct service_step *steps, size_t n)
{
	bool masquerades = s->o.flags & HA_SERVICE_MASQUERADE;
	bool masqueraded = old->o.flags & HA_SERVICE_MASQUERADE;
	const struct ha_dest **slots = NULL;
	char chain[NFT_NAME_SIZE];
	uint32_t n_slots;
	int result = nft_slots(s, &slots, &n_slots);

	if (result < 0)
		return result;
	nft_name_chain(&s->o, chain);
	nft_put_flush(r, chain);
	put_delete_slots(r, old);
	put_dest_changes(r, s, old, steps, n);
	put_slots(r, &s->o, slots, n_slots);
	put_service_rules(r, s, n_slots);
	if (masquerades != masqueraded)
		put_service_element(r, masquerades ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				    masquerade_set(&s->o), &s->o, NULL);
	mem_free(slots);
	return 0;
}
