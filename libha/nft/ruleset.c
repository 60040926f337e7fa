/* SPDX-License-Identifier: MIT */
/*
 * What a service is as nf_tables messages (linux/netfilter/nf_tables.h): a chain, slots and elements in the sets of all;
 * with persistence a chain for each destination too.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "base/mem.h"
#include "nft/expr.h"
#include "nft/ruleset.h"
#include "nft/shown.h"
#include "nft/slots.h"

/* Registers, in words: keys, addresses and clients from 0, the number of a slot in 8. */
#define REG_KEY 0
#define REG_NUMBER 8

/* ---- A destination that persistence binds clients to ---- */

/* The client's address, cut to the persistence prefix when `cut`. With the family nft(8) knows that it is one. */
static void load_client(struct writer *w, const struct ha_service_opts *s, bool cut)
{
	size_t len = ha_ip_len(&s->address);
	uint8_t mask[16] = {0};

	nft_match_family(w, s->address.family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
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
	char chain[NFT_NAME_SIZE], clients[NFT_NAME_SIZE];
	const uint8_t port[2] = {(uint8_t)(d->port >> 8), (uint8_t)d->port};
	struct writer *w;
	size_t list;

	nft_name_dest(s, d, chain);
	nft_name_clients(s, d, clients);
	w = nft_begin_rule(r, chain, NULL, &list);
	load_client(w, s, true);
	nft_expr_update(w, clients, REG_KEY, UINT64_C(1000) * s->persistence_s);
	nft_end_rule(r, w, list);
	w = nft_begin_rule(r, chain, NULL, &list);
	if (s->port)
		nft_match_protocol(w, s->protocol); /* nft(8) takes no port without it */
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

static void put_dest(struct nft_ruleset *r, const struct ha_service_opts *s,
		     const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_dest(s, d, name);
	nft_put_chain(r, name);
	put_clients(r, s, d);
	put_dest_rules(r, s, d);
}

/* Nothing may lead to the destination any more. */
static void put_delete_dest(struct nft_ruleset *r, const struct ha_service_opts *s,
			    const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_dest(s, d, name);
	nft_put_flush(r, name);
	nft_put_delete_chain(r, name);
	nft_name_clients(s, d, name);
	nft_put_delete_set(r, name);
}

/* Its clients stay bound, but by the new prefix and for the new time. */
static void put_renewed_dest(struct nft_ruleset *r, const struct ha_service_opts *s,
			     const struct ha_dest_opts *d)
{
	char name[NFT_NAME_SIZE];

	nft_name_dest(s, d, name);
	nft_put_flush(r, name);
	put_dest_rules(r, s, d);
}

/* ---- A service ---- */

size_t nft_service_rules(const struct ha_service *s)
{
	return s->o.persistence_s ? 1 + 3 * ha_dest_count(s) : 1;
}

/* By what was asked for: of use where many addresses are one service, by a mark. */
static void hash_destination(struct writer *w, const struct ha_service_opts *s, uint32_t n)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);

	nft_match_family(w, len == 16 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, len == 16 ? 24 : 16, len, REG_KEY);
	nft_expr_hash(w, REG_KEY, len, REG_NUMBER, n, NFT_HASH_SEED);
}

static void hash_client(struct writer *w, const struct ha_service_opts *s, uint32_t n)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);
	bool port = s->flags & HA_SERVICE_SCHED_PORT;

	load_client(w, s, false);
	if (port)
		nft_expr_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, REG_KEY + len / 4);
	nft_expr_hash(w, REG_KEY, port ? len + 4 : len, REG_NUMBER, n, NFT_HASH_SEED);
}

/* The number of a slot. */
static void draw(struct writer *w, const struct ha_service_opts *s, uint32_t n)
{
	if (!strcmp(s->scheduler, "sh") || !strcmp(s->scheduler, "mh"))
		hash_client(w, s, n);
	else if (!strcmp(s->scheduler, "dh"))
		hash_destination(w, s, n);
	else if (!strcmp(s->scheduler, "random"))
		nft_expr_random(w, REG_NUMBER, n);
	else
		nft_expr_counting(w, REG_NUMBER, n);
}

/* Draws a slot and goes to its destination: to the chain that remembers the client, or there at once. */
static void choose(struct writer *w, const struct ha_service_opts *s, const char *slots, uint32_t n)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);

	if (s->persistence_s) {
		draw(w, s, n);
		nft_expr_lookup_verdict(w, slots, REG_NUMBER);
		return;
	}
	if (s->port)
		nft_match_protocol(w, s->protocol); /* nft(8) takes no port without it */
	draw(w, s, n);
	nft_expr_lookup_data(w, slots, REG_NUMBER, REG_KEY);
	nft_expr_dnat(w, s->address.family, REG_KEY, s->port, REG_KEY + len / 4);
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

static void put_slots_map(struct nft_ruleset *r, const struct ha_service_opts *s, const char *name,
			  uint32_t n)
{
	bool v6 = s->address.family == AF_INET6;
	uint32_t address = v6 ? NFT_TYPE_IPV6 : NFT_TYPE_IPV4;
	struct writer *w = nft_begin_set(r, name, NFT_SET_MAP, NFT_TYPE_INTEGER, sizeof(uint32_t));

	nft_put_set_size(w, n);
	if (s->persistence_s) {
		nft_put_set_verdicts(w);
		nft_show_number_to_verdict(w, n);
	} else {
		nft_put_set_data(w, s->port ? address << 6 | NFT_TYPE_PORT : address,
				 ha_ip_len(&s->address) + (s->port ? 4 : 0));
		nft_show_number_to_address(w, n, v6, s->port);
	}
	nft_end(r);
}

static void put_slot(struct nft_elements *e, const struct ha_service_opts *s, uint32_t number,
		     const struct ha_dest_opts *d)
{
	struct nft_item item = {.key = &number, .key_len = sizeof(number)};
	char chain[NFT_NAME_SIZE];
	uint8_t server[20];
	struct writer w = writer_of(server, sizeof(server));

	if (s->persistence_s) {
		nft_name_dest(s, d, chain);
		item.chain = chain;
	} else {
		write_bytes(&w, d->address.bytes, ha_ip_len(&d->address));
		if (s->port) {
			write_be16(&w, d->port);
			write_zero(&w, 2);
		}
		item.data = server;
		item.data_len = writer_len(&w);
	}
	nft_put_item(e, &item);
}

static void fill_slots(struct nft_ruleset *r, const struct ha_service_opts *s, const char *name,
		       const struct ha_dest *const *slots, uint32_t n)
{
	struct nft_elements e = {.r = r, .set = name, .type = NFT_MSG_NEWSETELEM};

	for (uint32_t i = 0; i < n; i++)
		put_slot(&e, s, i, &slots[i]->o);
	nft_end_elements(&e);
}

static void put_slots(struct nft_ruleset *r, const struct ha_service_opts *s,
		      const struct ha_dest *const *slots, uint32_t n)
{
	char name[NFT_NAME_SIZE];

	if (!n)
		return;
	nft_name_slots(s, name);
	put_slots_map(r, s, name, n);
	fill_slots(r, s, name, slots, n);
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

/* All destinations of a service into one of the sets, or out of it. */
static void put_all_known(struct nft_ruleset *r, const struct ha_service *s, enum nft_known what,
			  bool add)
{
	struct nft_elements e = nft_begin_known(r, &s->o, what, add);

	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
		nft_put_known(&e, &s->o, &d->o);
	nft_end_elements(&e);
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
	for (const struct ha_dest *d = NULL; s->o.persistence_s && (d = ha_dest_next(s, d));)
		put_dest(r, &s->o, &d->o);
	put_all_known(r, s, NFT_DESTINATIONS, true);
	put_all_known(r, s, NFT_COUNTS, true);
	put_slots(r, &s->o, slots, n);
	put_service_rules(r, s, n);
	nft_put_dispatch(r, &s->o, chain);
	if (s->o.flags & HA_SERVICE_MASQUERADE)
		nft_put_masquerade(r, &s->o, true);
	mem_free(slots);
	return 0;
}

void nft_put_remove(struct nft_ruleset *r, const struct ha_service *s)
{
	char chain[NFT_NAME_SIZE];

	nft_name_chain(&s->o, chain);
	nft_put_dispatch(r, &s->o, NULL);
	if (s->o.flags & HA_SERVICE_MASQUERADE)
		nft_put_masquerade(r, &s->o, false);
	nft_put_flush(r, chain);
	put_delete_slots(r, s);
	put_all_known(r, s, NFT_DESTINATIONS, false);
	put_all_known(r, s, NFT_COUNTS, false);
	for (const struct ha_dest *d = NULL; s->o.persistence_s && (d = ha_dest_next(s, d));)
		put_delete_dest(r, &s->o, &d->o);
	nft_put_delete_chain(r, chain);
}

/* What a plan's steps take out of one of the sets, or put into it: an edited one is described anew. */
static void put_known_changes(struct nft_ruleset *r, const struct ha_service *s,
			      enum nft_known what, bool add, const struct service_step *steps,
			      size_t n)
{
	struct nft_elements e = nft_begin_known(r, &s->o, what, add);

	for (size_t i = 0; i < n; i++) {
		const struct service_step *step = &steps[i];

		if (step->kind == (add ? HA_STEP_ADD_DEST : HA_STEP_REMOVE_DEST) ||
		    (step->kind == HA_STEP_EDIT_DEST && what == NFT_DESTINATIONS))
			nft_put_known(&e, &s->o, &step->dest->o);
	}
	nft_end_elements(&e);
}

/* Chains of destinations: those that stay are renewed when the service is edited. */
static void put_dest_changes(struct nft_ruleset *r, const struct ha_service *s,
			     const struct ha_service *old, bool edited)
{
	bool persists = s->o.persistence_s, persisted = old->o.persistence_s;

	for (const struct ha_dest *d = NULL; persisted && (d = ha_dest_next(old, d));)
		if (!persists || !service_dest_find(s, &d->o))
			put_delete_dest(r, &old->o, &d->o);
	for (const struct ha_dest *d = NULL; persists && (d = ha_dest_next(s, d));) {
		bool stays = persisted && service_dest_find(old, &d->o);

		if (!stays)
			put_dest(r, &s->o, &d->o);
		else if (edited)
			put_renewed_dest(r, &s->o, &d->o);
	}
}

/*
 * When all that changes is which server each of as many slots is, the rules stay, and a turn goes on where it was. For
 * the kernel that is also far less work: a new rule or a verdict makes it walk through all chains of the table.
 */
static void refill_slots(struct nft_ruleset *r, const struct ha_service_opts *s,
			 const struct ha_dest *const *slots, uint32_t n)
{
	char name[NFT_NAME_SIZE];

	nft_name_slots(s, name);
	nft_put_flush_set(r, name);
	fill_slots(r, s, name, slots, n);
}

static void put_rules_changes(struct nft_ruleset *r, const struct ha_service *s,
			      const struct ha_service *old, bool edited,
			      const struct ha_dest *const *slots, uint32_t n_slots)
{
	char chain[NFT_NAME_SIZE];

	nft_name_chain(&s->o, chain);
	nft_put_flush(r, chain);
	put_delete_slots(r, old);
	put_dest_changes(r, s, old, edited);
	put_slots(r, &s->o, slots, n_slots);
	put_service_rules(r, s, n_slots);
}

int nft_put_change(struct nft_ruleset *r, const struct ha_service *s, const struct ha_service *old,
		   const struct service_step *steps, size_t n)
{
	bool masquerades = s->o.flags & HA_SERVICE_MASQUERADE;
	bool masqueraded = old->o.flags & HA_SERVICE_MASQUERADE;
	bool edited = steps->kind == HA_STEP_EDIT_SERVICE;
	const struct ha_dest **slots = NULL;
	uint32_t n_slots, n_old = 0;
	int result = nft_slots(s, &slots, &n_slots);

	if (!result)
		result = nft_slots_count(old, &n_old);
	if (result < 0) {
		mem_free(slots);
		return result;
	}
	if (!edited && !s->o.persistence_s && n_slots && n_slots == n_old)
		refill_slots(r, &s->o, slots, n_slots);
	else
		put_rules_changes(r, s, old, edited, slots, n_slots);
	for (int add = 0; add <= 1; add++) {
		put_known_changes(r, s, NFT_DESTINATIONS, add, steps, n);
		put_known_changes(r, s, NFT_COUNTS, add, steps, n);
	}
	if (masquerades != masqueraded)
		nft_put_masquerade(r, &s->o, masquerades);
	mem_free(slots);
	return 0;
}
