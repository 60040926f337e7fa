/* SPDX-License-Identifier: MIT */
/*
 * Marks by destination: two maps for each family, with and without a port, looked up by two chains. What differs is changed in the
 * maps: a packet that meets a table which is just made anew may pass the old chains and the new ones while neither has rules.
 */
#include <libha/nft_mark.h>

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "nft/expr.h"
#include "nft/shown.h"
#include "nft/whole.h"

#define TABLE "hawser-marks"
#define COMMENT "marks by destination" /* the table is ours */
#define PRIORITY (-150)		       /* NF_IP_PRI_MANGLE: before NAT of destinations */

#define REG_MARK 8 /* behind the longest key: address, protocol, port */
#define KEY_MAX 24

/* Sorted by destination, each once. */
struct marks {
	struct ha_nft_mark *at;
	size_t n;
};

struct ha_nft_marks {
	struct nft_whole whole;
	struct marks have; /* as the last ha_nft_marks_set() left them there */
	int32_t priority;
	bool counters;
};

int ha_nft_marks_open(const struct ha_nft_marks_opts *o, struct ha_nft_marks **ret)
{
	struct ha_nft_marks_opts own = {.size = sizeof(own)};
	struct ha_nft_marks *m;
	int r;

	if (!ret)
		return -EINVAL;
	r = o ? sized_in(&own, sizeof(own), o) : 0;
	if (!r && !sized_unused(own.reserved, sizeof(own.reserved)))
		r = -EINVAL;
	if (r < 0)
		return r;
	m = mem_zalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->priority = own.set_priority ? own.priority : PRIORITY;
	m->counters = own.counters;
	r = nft_whole_open(&m->whole, own.table ? own.table : TABLE, COMMENT, own.transport);
	if (r < 0) {
		mem_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void ha_nft_marks_close(struct ha_nft_marks *m)
{
	if (!m)
		return;
	nft_whole_close(&m->whole);
	mem_free(m->have.at);
	mem_free(m);
}

/* ---- Marks in order ---- */

static int compare(const void *a, const void *b)
{
	const struct ha_nft_mark *x = a, *y = b;
	int r = ha_ip_compare(&x->ip, &y->ip);

	if (!r)
		r = (int)x->protocol - (int)y->protocol;
	return r ? r : (int)x->port - (int)y->port;
}

/* 0, -ENOMEM, or -EEXIST: a destination twice. */
static int sort(const struct ha_nft_mark *marks, size_t n, struct marks *ret)
{
	struct ha_nft_mark *own = mem_array(n + 1, sizeof(*own));

	if (!own)
		return -ENOMEM;
	if (n) {
		memcpy(own, marks, n * sizeof(*own));
		qsort(own, n, sizeof(*own), compare);
	}
	for (size_t i = 1; i < n; i++)
		if (!compare(&own[i - 1], &own[i])) {
			mem_free(own);
			return -EEXIST;
		}
	*ret = (struct marks){own, n};
	return 0;
}

/* ---- The maps ---- */

enum kind { IPV4_PORT, IPV4_ANY, IPV6_PORT, IPV6_ANY, N_KINDS };

static const struct {
	const char *map;
	uint8_t family;
	bool port;
	unsigned int at, len; /* of the destination in the header */
	uint32_t type;	      /* nft(8)'s, of the address */
} kinds[N_KINDS] = {
    [IPV4_PORT] = {"ipv4", NFPROTO_IPV4, true, 16, 4, NFT_TYPE_IPV4},
    [IPV4_ANY] = {"ipv4-any-port", NFPROTO_IPV4, false, 16, 4, NFT_TYPE_IPV4},
    [IPV6_PORT] = {"ipv6", NFPROTO_IPV6, true, 24, 16, NFT_TYPE_IPV6},
    [IPV6_ANY] = {"ipv6-any-port", NFPROTO_IPV6, false, 24, 16, NFT_TYPE_IPV6},
};

static bool is_of(const struct ha_nft_mark *m, enum kind kind)
{
	return ha_ip_len(&m->ip) == kinds[kind].len && (m->port != 0) == kinds[kind].port;
}

/* Parts of a concatenation fill words of four bytes. */
static size_t put_key(uint8_t key[KEY_MAX], const struct ha_nft_mark *m)
{
	struct writer w = writer_of(key, KEY_MAX);
	size_t len = ha_ip_len(&m->ip);

	memset(key, 0, KEY_MAX);
	write_bytes(&w, m->ip.bytes, len);
	write_u8(&w, m->protocol);
	if (!m->port)
		return len + 4;
	key[len + 4] = (uint8_t)(m->port >> 8);
	key[len + 5] = (uint8_t)m->port;
	return len + 8;
}

static void put_mark(struct nft_elements *e, const struct ha_nft_mark *m)
{
	bool adds = e->type == NFT_MSG_NEWSETELEM;
	uint8_t key[KEY_MAX];
	const struct nft_item item = {.key = key,
				      .key_len = put_key(key, m),
				      .data = adds ? &m->mark : NULL,
				      .data_len = sizeof(m->mark)};

	nft_put_item(e, &item);
}

/* Into a map, or out of it, those of its kind that `other` does not have with the same mark. */
static void put_difference(struct nft_ruleset *r, enum kind kind, bool add, const struct marks *marks, const struct marks *other)
{
	struct nft_elements e = {.r = r, .set = kinds[kind].map, .type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM};

	for (size_t i = 0, o = 0; i < marks->n; i++) {
		const struct ha_nft_mark *m = &marks->at[i];

		while (o < other->n && compare(&other->at[o], m) < 0)
			o++;
		if (is_of(m, kind) && !(o < other->n && !compare(&other->at[o], m) && other->at[o].mark == m->mark))
			put_mark(&e, m);
	}
	nft_end_elements(&e);
}

static void put_map(struct nft_ruleset *r, enum kind kind)
{
	uint32_t type = kinds[kind].type << 6 | NFT_TYPE_PROTOCOL;
	struct writer *w;

	if (kinds[kind].port)
		type = type << 6 | NFT_TYPE_PORT;
	w = nft_begin_set(r, kinds[kind].map, NFT_SET_MAP, type,
			  kinds[kind].len + (kinds[kind].port ? 8 : 4));
	nft_put_set_data(w, NFT_TYPE_MARK, sizeof(uint32_t));
	nft_show_values_in_host_order(w);
	nft_end(r);
}

static void put_rule(struct nft_ruleset *r, const char *chain, enum kind kind, bool counts)
{
	unsigned int words = kinds[kind].len / 4;
	size_t list;
	struct writer *w = nft_begin_rule(r, chain, NULL, &list);

	nft_match_family(w, kinds[kind].family);
	nft_expr_payload(w, NFT_PAYLOAD_NETWORK_HEADER, kinds[kind].at, kinds[kind].len, 0);
	nft_expr_meta(w, NFT_META_L4PROTO, words);
	if (kinds[kind].port) /* TCP, UDP and SCTP have it at the same place */
		nft_expr_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, words + 1);
	nft_expr_lookup_data(w, kinds[kind].map, 0, REG_MARK);
	nft_expr_set_meta(w, NFT_META_MARK, REG_MARK);
	if (counts)
		nft_expr_counter(w);
	nft_expr_accept(w);
	nft_end_rule(r, w, list);
}

struct wanted {
	const struct ha_nft_marks *m;
	struct marks marks;
};

static void put_table(struct nft_ruleset *r, const char *comment, const void *userdata)
{
	const struct wanted *want = userdata;
	const struct ha_nft_marks *m = want->m;

	nft_put_table(r, comment);
	nft_put_base_chain(r, "prerouting", "filter", NF_INET_PRE_ROUTING, m->priority);
	nft_put_base_chain(r, "output", "filter", NF_INET_LOCAL_OUT, m->priority);
	for (int kind = 0; kind < N_KINDS; kind++) {
		put_map(r, (enum kind)kind);
		put_difference(r, (enum kind)kind, true, &want->marks, &(struct marks){0});
		put_rule(r, "prerouting", (enum kind)kind, m->counters);
		put_rule(r, "output", (enum kind)kind, m->counters);
	}
}

static void put_change(struct nft_ruleset *r, const void *userdata)
{
	const struct wanted *want = userdata;

	for (int kind = 0; kind < N_KINDS; kind++) {
		put_difference(r, (enum kind)kind, false, &want->m->have, &want->marks);
		put_difference(r, (enum kind)kind, true, &want->marks, &want->m->have);
	}
}

int ha_nft_marks_set(struct ha_nft_marks *m, const struct ha_nft_mark *marks, size_t n)
{
	struct wanted want = {.m = m};
	int r;

	if (!m || (n && !marks))
		return -EINVAL;
	if (n > HA_NFT_MARKS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (!ha_ip_len(&marks[i].ip) || !marks[i].protocol)
			return -EINVAL;
	r = sort(marks, n, &want.marks);
	if (r < 0)
		return r;
	r = nft_whole_set(&m->whole, n ? put_table : NULL, put_change, &want);
	if (r < 0) {
		mem_free(want.marks.at); /* whatever is there, the next one makes it anew */
		return r;
	}
	mem_free(m->have.at);
	m->have = want.marks;
	return 0;
}
