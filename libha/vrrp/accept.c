/* SPDX-License-Identifier: MIT */
/* Accept_Mode false as a table of nftables, made anew as a whole at each change. */
#include <libha/vrrp_accept.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "nft/expr.h"
#include "nft/whole.h"

#define TABLE "hawser-vrrp"
#define COMMENT "virtual addresses that accept nothing" /* the mark: the table is ours */

/* Before the filters of administrators (NF_IP_PRI_FILTER is 0), as keepalived's. */
#define PRIORITY (-1)

#define KEY_MAX 20 /* IPv6 address and interface */

struct ha_vrrp_accept {
	struct nft_whole whole;
	int32_t priority;
	bool counters;
};

int ha_vrrp_accept_open(const struct ha_vrrp_accept_opts *o, struct ha_vrrp_accept **ret)
{
	struct ha_vrrp_accept_opts own = {.size = sizeof(own)};
	struct ha_vrrp_accept *a;
	int r;

	if (!ret)
		return -EINVAL;
	r = o ? sized_in(&own, sizeof(own), o) : 0;
	if (!r && !sized_unused(own.reserved, sizeof(own.reserved)))
		r = -EINVAL;
	if (r < 0)
		return r;
	a = mem_zalloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->priority = own.set_priority ? own.priority : PRIORITY;
	a->counters = own.counters;
	r = nft_whole_open(&a->whole, own.table ? own.table : TABLE, COMMENT, own.transport);
	if (r < 0) {
		mem_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void ha_vrrp_accept_close(struct ha_vrrp_accept *a)
{
	if (!a)
		return;
	nft_whole_close(&a->whole);
	mem_free(a);
}

/* ---- The addresses ---- */

enum kind { IPV4, IPV6, LINK_LOCAL, N_KINDS };

static const struct {
	const char *set;
	uint8_t family;
	uint32_t type; /* nft(8)'s */
	unsigned int at, len;
} kinds[N_KINDS] = {
    [IPV4] = {"ipv4", NFPROTO_IPV4, NFT_TYPE_IPV4, 16, 4},
    [IPV6] = {"ipv6", NFPROTO_IPV6, NFT_TYPE_IPV6, 24, 16},
    [LINK_LOCAL] = {"link-local", NFPROTO_IPV6, NFT_TYPE_IPV6 << 6 | NFT_TYPE_IFINDEX, 24, 16},
};

static enum kind kind_of(const struct ha_vrrp_refused *f)
{
	if (f->ip.family == AF_INET)
		return IPV4;
	return f->ip.bytes[0] == 0xfe && (f->ip.bytes[1] & 0xc0) == 0x80 ? LINK_LOCAL : IPV6;
}

static size_t key_len(enum kind kind)
{
	return kinds[kind].len + (kind == LINK_LOCAL ? 4 : 0);
}

static int compare(const void *a, const void *b)
{
	const struct ha_vrrp_refused *x = a, *y = b;
	int r = ha_ip_compare(&x->ip, &y->ip);

	if (r || kind_of(x) != LINK_LOCAL)
		return r;
	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

/* A sorted copy; NULL when there is no memory. */
static struct ha_vrrp_refused *sort(const struct ha_vrrp_refused *given, size_t n)
{
	struct ha_vrrp_refused *own = mem_array(n + 1, sizeof(*own));

	if (own && n) {
		memcpy(own, given, n * sizeof(*own));
		qsort(own, n, sizeof(*own), compare);
	}
	return own;
}

/* ---- The table ---- */

static void put_elements(struct nft_ruleset *r, enum kind kind, const struct ha_vrrp_refused *f,
			 size_t n)
{
	struct nft_elements e = {.r = r, .set = kinds[kind].set, .type = NFT_MSG_NEWSETELEM};

	for (size_t i = 0; i < n; i++) {
		uint8_t key[KEY_MAX];
		struct writer w = writer_of(key, sizeof(key));

		if (kind_of(&f[i]) != kind || (i && !compare(&f[i - 1], &f[i])))
			continue;
		write_bytes(&w, f[i].ip.bytes, kinds[kind].len);
		if (kind == LINK_LOCAL)
			write_host32(&w, f[i].ifindex);
		nft_put_element(&e, key, key_len(kind), NULL);
	}
	nft_end_elements(&e);
}

/* RFC 9568 section 6.1: these must not be dropped. */
static void put_neighbour_discovery(struct nft_ruleset *r, uint8_t icmpv6_type)
{
	const uint8_t icmpv6 = IPPROTO_ICMPV6;
	size_t list;
	struct writer *w = nft_begin_rule(r, "input", NULL, &list);

	nft_match_family(w, NFPROTO_IPV6);
	nft_expr_meta(w, NFT_META_L4PROTO, 0);
	nft_expr_cmp(w, 0, &icmpv6, sizeof(icmpv6));
	nft_expr_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
	nft_expr_cmp(w, 0, &icmpv6_type, sizeof(icmpv6_type));
	nft_expr_accept(w);
	nft_end_rule(r, w, list);
}

static void put_kind(struct nft_ruleset *r, enum kind kind, bool counts)
{
	struct writer *w;
	size_t list;

	nft_begin_set(r, kinds[kind].set, 0, kinds[kind].type, key_len(kind));
	nft_end(r);
	w = nft_begin_rule(r, "input", NULL, &list);
	nft_match_family(w, kinds[kind].family);
	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, kinds[kind].at, kinds[kind].len, 0);
	if (kind == LINK_LOCAL)
		nft_expr_meta(w, NFT_META_IIF, kinds[kind].len / 4);
	nft_expr_lookup(w, kinds[kind].set, 0);
	if (counts)
		nft_expr_counter(w);
	nft_expr_drop(w);
	nft_end_rule(r, w, list);
}

struct wanted {
	const struct ha_vrrp_accept *a;
	const struct ha_vrrp_refused *sorted;
	size_t n;
};

static void put_table(struct nft_ruleset *r, const char *comment, const void *userdata)
{
	const struct wanted *want = userdata;
	const struct ha_vrrp_accept *a = want->a;

	nft_put_table(r, comment);
	nft_put_base_chain(r, "input", "filter", NF_INET_LOCAL_IN, a->priority);
	put_neighbour_discovery(r, 135);
	put_neighbour_discovery(r, 136);
	for (int kind = 0; kind < N_KINDS; kind++) {
		put_kind(r, (enum kind)kind, a->counters);
		put_elements(r, (enum kind)kind, want->sorted, want->n);
	}
}

int ha_vrrp_accept_set(struct ha_vrrp_accept *a, const struct ha_vrrp_refused *refused, size_t n)
{
	struct ha_vrrp_refused *sorted;
	int r;

	if (!a || (n && !refused))
		return -EINVAL;
	if (n > HA_VRRP_ACCEPT_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (!ha_ip_len(&refused[i].ip) ||
		    (kind_of(&refused[i]) == LINK_LOCAL && !refused[i].ifindex))
			return -EINVAL;
	sorted = sort(refused, n);
	if (!sorted)
		return -ENOMEM;
	r = nft_whole_set(&a->whole, n ? put_table : NULL, NULL, &(struct wanted){a, sorted, n});
	mem_free(sorted);
	return r;
}
