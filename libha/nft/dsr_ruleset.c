/* SPDX-License-Identifier: MIT */
#include "nft/dsr_ruleset.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nft/dispatch.h"
#include "nft/expr.h"
#include "nft/shown.h"
#include "nft/slots.h"

#define TABLE_COMMENT "direct server return of hawser, format 2"

/* Before the firewalls that people write (their examples have 0 and -500). */
#define PRIORITY (-300)
#define PRIORITY_AGAIN (-299)

/* Registers, in words. */
#define REG_KEY 0
#define REG_NUMBER 8

#define ETHERNET_TO 0	/* where the destination address is */
#define ETHERNET_FROM 6 /* and the source address */

/* A destination and how it is reached; a service's are sorted by the first. */
struct server {
	const struct ha_dest *dest;
	const struct dsr_hop *hop;
};

struct service {
	const struct ha_service *s;
	struct server *servers;
	size_t n;
};

static int compare_servers(const void *a, const void *b)
{
	const struct server *p = a, *q = b;

	return (p->dest > q->dest) - (p->dest < q->dest);
}

static const struct dsr_hop *hop_of(const struct service *v, const struct ha_dest *d)
{
	const struct server key = {.dest = d};
	const struct server *found =
	    bsearch(&key, v->servers, v->n, sizeof(*v->servers), compare_servers);

	return found->hop;
}

static int service_init(struct service *v, const struct ha_service *s, const struct dsr_hop *hops)
{
	*v = (struct service){.s = s,
			      .servers = mem_array(ha_dest_count(s) + 1, sizeof(*v->servers))};
	if (!v->servers)
		return -ENOMEM;
	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d)); v->n++)
		v->servers[v->n] = (struct server){d, hops++};
	if (v->n)
		qsort(v->servers, v->n, sizeof(*v->servers), compare_servers);
	return 0;
}

static void put_server(struct nft_ruleset *r, const struct ha_service_opts *s,
		       const struct ha_dest_opts *d, const struct dsr_hop *hop)
{
	char chain[NFT_NAME_SIZE];
	struct writer *w;
	size_t list;

	nft_name_dest(s, d, chain);
	nft_put_chain(r, chain);
	w = nft_begin_rule(r, chain, NULL, &list);
	nft_match_ethernet(w); /* nft(8) then shows what is written */
	nft_expr_value(w, REG_KEY, hop->from, sizeof(hop->from));
	nft_expr_set_link_layer(w, REG_KEY, ETHERNET_FROM, sizeof(hop->from));
	nft_expr_value(w, REG_KEY, hop->to, sizeof(hop->to));
	nft_expr_set_link_layer(w, REG_KEY, ETHERNET_TO, sizeof(hop->to));
	nft_expr_value(w, REG_KEY, &hop->ifindex, sizeof(hop->ifindex));
	nft_expr_forward(w, REG_KEY);
	nft_end_rule(r, w, list);
}

/* A slot whose server is not known leads to the server of the next one that is: as every load balancer does. */
static const struct ha_dest *known_slot(const struct service *v, const struct ha_dest *const *slots,
					uint32_t n, uint32_t i)
{
	for (uint32_t tries = 0; tries < n; tries++, i = (i + 1) % n)
		if (hop_of(v, slots[i])->ifindex)
			return slots[i];
	return NULL;
}

/* False: no server is known, so there is no map. */
static bool put_slots(struct nft_ruleset *r, const struct service *v,
		      const struct ha_dest *const *slots, uint32_t n)
{
	char name[NFT_NAME_SIZE], chain[NFT_NAME_SIZE];
	struct nft_elements e = {.r = r, .set = name, .type = NFT_MSG_NEWSETELEM};
	struct writer *w;

	if (!n || !known_slot(v, slots, n, 0))
		return false;
	nft_name_slots(&v->s->o, name);
	w = nft_begin_set(r, name, NFT_SET_MAP, NFT_TYPE_INTEGER, sizeof(uint32_t));
	nft_put_set_verdicts(w);
	nft_put_set_size(w, n);
	nft_show_number_to_verdict(w, n);
	nft_end(r);
	for (uint32_t i = 0; i < n; i++) {
		nft_name_dest(&v->s->o, &known_slot(v, slots, n, i)->o, chain);
		nft_put_element(&e, &i, sizeof(i), chain);
	}
	nft_end_elements(&e);
	return true;
}

static void put_choice(struct nft_ruleset *r, const struct ha_service_opts *s, const char *chain,
		       uint32_t n)
{
	unsigned int len = (unsigned int)ha_ip_len(&s->address);
	bool port = s->flags & HA_SERVICE_SCHED_PORT;
	char name[NFT_NAME_SIZE];
	struct writer *w;
	size_t list;

	nft_name_slots(s, name);
	w = nft_begin_rule(r, chain, NULL, &list);
	nft_match_ethertype(w, s->address.family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, len == 16 ? 8 : 12, len, REG_KEY);
	if (port)
		nft_expr_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, REG_KEY + len / 4);
	nft_expr_hash(w, REG_KEY, port ? len + 4 : len, REG_NUMBER, n, NFT_HASH_SEED);
	nft_expr_lookup_verdict(w, name, REG_NUMBER);
	nft_end_rule(r, w, list);
}

/* A service without a known server is left to this host, which refuses it. */
static int put_service(struct nft_ruleset *r, const struct service *v)
{
	const struct ha_dest **slots = NULL;
	char chain[NFT_NAME_SIZE];
	uint32_t n;
	int result = nft_slots(v->s, &slots, &n);

	if (result < 0)
		return result;
	nft_name_chain(&v->s->o, chain);
	nft_put_chain(r, chain);
	for (size_t i = 0; i < v->n; i++)
		if (v->servers[i].hop->ifindex)
			put_server(r, &v->s->o, &v->servers[i].dest->o, v->servers[i].hop);
	if (put_slots(r, v, slots, n))
		put_choice(r, &v->s->o, chain, n);
	nft_put_dispatch(r, &v->s->o, chain);
	mem_free(slots);
	return 0;
}

static int put_services(struct nft_ruleset *r, const struct ha_service_table *t,
			const struct dsr_hop *hops)
{
	struct service v;
	int result = 0;

	for (const struct ha_service *s = NULL; !result && (s = ha_service_next(t, s));) {
		result = service_init(&v, s, hops);
		if (!result)
			result = put_service(r, &v);
		mem_free(v.servers);
		hops += ha_dest_count(s);
	}
	return result;
}

int dsr_put_table(struct nft_ruleset *r, const char *const *links, size_t n_links,
		  const struct ha_service_table *t, const struct dsr_hop *hops)
{
	int result;

	nft_put_table(r, TABLE_COMMENT);
	nft_put_ingress_chain(r, "incoming", links, n_links, PRIORITY);
	/* As that of NAT (nft/dispatch.c): for a packet that came in while the table was made anew. */
	nft_put_ingress_chain(r, "incoming-again", links, n_links, PRIORITY_AGAIN);
	nft_put_chain(r, "dispatch");
	for (int kind = NFT_KIND_PORT4; kind < NFT_N_KINDS; kind++)
		nft_put_dispatch_map(r, (enum nft_kind)kind);
	result = put_services(r, t, hops);
	nft_put_jump(r, "incoming", "dispatch");
	nft_put_jump(r, "incoming-again", "dispatch");
	return result;
}
