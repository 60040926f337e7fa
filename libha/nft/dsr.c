/* SPDX-License-Identifier: MIT */
/* Direct server return: following the servers' Ethernet addresses, and replacing the table. */
#include <errno.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <linux/netlink.h>
#include <string.h>

#include <libha/dsr.h>
#include <libha/route.h>

#include "base/mem.h"
#include "base/sized.h"
#include "nft/ask.h"
#include "nft/dsr_ruleset.h"

struct ha_dsr {
	struct nl_channel channel;
	struct nl_batch batch;
	struct ha_net_monitor *monitor;
	struct ha_service_table *want;
	struct dsr_hop *hops; /* what the kernel's table was made of; NULL: it has to be made */
	size_t n_hops, n_unknown;
	uint32_t generation; /* of nf_tables after our last change */
	size_t n_links;
	const char *link[HA_DSR_LINKS_MAX];
	char link_name[HA_DSR_LINKS_MAX][HA_NET_NAME_SIZE];
	char table[NFT_TABLE_NAME_SIZE];
};

/* ---- Opening ---- */

static int take_links(struct ha_dsr *d, const struct ha_dsr_opts *o)
{
	if (!o->links || !o->n_links || o->n_links > HA_DSR_LINKS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < o->n_links; i++) {
		size_t len = o->links[i] ? strnlen(o->links[i], HA_NET_NAME_SIZE) : 0;

		if (!len || len == HA_NET_NAME_SIZE)
			return -EINVAL;
		memcpy(d->link_name[i], o->links[i], len);
		d->link[i] = d->link_name[i];
	}
	d->n_links = o->n_links;
	return 0;
}

static int open_with(struct ha_dsr *d, const struct ha_dsr_opts *o)
{
	int r = ha_service_table_new(&d->want);

	if (r < 0)
		return r;
	r = nl_channel_open(&d->channel, NETLINK_NETFILTER, o->transport, 0);
	if (r < 0)
		return r == -EPROTONOSUPPORT ? -EOPNOTSUPP : r;
	r = nft_probe(&d->channel, &d->batch);
	if (r < 0)
		nl_channel_give_back(&d->channel);
	return r;
}

int ha_dsr_open(const struct ha_dsr_opts *o, struct ha_dsr **ret)
{
	struct ha_dsr_opts own;
	struct ha_dsr *d;
	int r = ret ? sized_in(&own, sizeof(own), o) : -EINVAL;

	if (r < 0)
		return r;
	if (!own.table)
		own.table = "hawser-dsr";
	if (!own.monitor || !nft_table_name_ok(own.table))
		return -EINVAL;
	d = mem_zalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	memcpy(d->table, own.table, strlen(own.table));
	d->monitor = own.monitor;
	r = take_links(d, &own);
	if (!r)
		r = open_with(d, &own);
	if (r < 0) {
		ha_dsr_close(d);
		return r;
	}
	*ret = d;
	return 0;
}

void ha_dsr_close(struct ha_dsr *d)
{
	if (!d)
		return;
	nl_batch_fini(&d->batch);
	nl_channel_close(&d->channel);
	ha_service_table_free(d->want);
	mem_free(d->hops);
	mem_free(d);
}

/* ---- Neighbours ---- */

struct found {
	struct ha_ip ip;
	uint32_t ifindex;
	uint8_t mac[6];
};

struct search {
	struct ha_net_monitor *monitor;
	struct found *at; /* sorted by address when all are found */
	size_t n, cap;
};

static int keep_neighbour(void *userdata, const struct ha_net_neighbour *a)
{
	struct search *s = userdata;

	if (a->mac_len != sizeof(s->at->mac) || !ha_net_neighbour_is_valid(a))
		return 0;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct found *more = mem_regrow(s->at, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->at = more;
		s->cap = cap;
	}
	s->at[s->n] = (struct found){.ip = a->ip, .ifindex = a->ifindex};
	memcpy(s->at[s->n++].mac, a->mac, sizeof(s->at->mac));
	return 0;
}

/* One address may be known on several links: the first link counts, so that the choice stays. */
static int compare_found(const void *a, const void *b)
{
	const struct found *p = a, *q = b;
	int r = ha_ip_compare(&p->ip, &q->ip);

	return r ? r : (p->ifindex > q->ifindex) - (p->ifindex < q->ifindex);
}

static const struct found *find(const struct search *s, const struct ha_ip *ip)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ha_ip_compare(&s->at[middle].ip, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && !ha_ip_compare(&s->at[low].ip, ip) ? &s->at[low] : NULL;
}

/* Zero when the server, or the link to it, is not known or no Ethernet. */
static struct dsr_hop hop_to(const struct search *s, const struct ha_ip *ip)
{
	struct ha_net_link link = {.size = sizeof(link)};
	const struct found *f = find(s, ip);
	struct dsr_hop hop = {0};

	if (!f || ha_net_monitor_link(s->monitor, f->ifindex, &link) < 0 ||
	    link.type != ARPHRD_ETHER || link.mac_len != sizeof(hop.from))
		return hop;
	hop.ifindex = f->ifindex;
	memcpy(hop.from, link.mac, sizeof(hop.from));
	memcpy(hop.to, f->mac, sizeof(hop.to));
	return hop;
}

static size_t count_dests(const struct ha_service_table *t)
{
	size_t n = 0;

	for (const struct ha_service *s = NULL; (s = ha_service_next(t, s));)
		n += ha_dest_count(s);
	return n;
}

/* How all destinations are reached now, in the order of the table. */
static int find_hops(struct ha_dsr *d, struct dsr_hop **ret, size_t *ret_unknown)
{
	struct search search = {.monitor = d->monitor};
	struct dsr_hop *hops = mem_array(count_dests(d->want) + 1, sizeof(*hops)), *hop = hops;
	int r = hops ? ha_net_monitor_neighbours(d->monitor, keep_neighbour, &search) : -ENOMEM;

	*ret_unknown = 0;
	if (!r && search.n)
		qsort(search.at, search.n, sizeof(*search.at), compare_found);
	for (const struct ha_service *s = NULL; !r && (s = ha_service_next(d->want, s));) {
		for (const struct ha_dest *to = NULL; (to = ha_dest_next(s, to)); hop++) {
			*hop = hop_to(&search, &to->o.address);
			*ret_unknown += !hop->ifindex && to->o.weight;
		}
	}
	mem_free(search.at);
	if (r < 0)
		mem_free(hops);
	else
		*ret = hops;
	return r;
}

/* ---- The table ---- */

static void note_error(void *userdata, size_t index, int error, const char *text)
{
	int *first = userdata;

	if (!*first)
		*first = error;
}

static int replace(struct ha_dsr *d, const struct dsr_hop *hops)
{
	struct nft_ruleset r = {.batch = &d->batch, .table = d->table, .family = NFPROTO_NETDEV};
	struct nft_table table;
	bool wanted = ha_service_table_count(d->want) > 0;
	int there = nft_ask_table(&d->channel, &d->batch, NFPROTO_NETDEV, d->table, &table);
	int result = 0, error = 0;

	if (there < 0 || (!there && !wanted))
		return there;
	nl_batch_reset(&d->batch);
	nft_put_begin(&r);
	if (there)
		nft_put_delete_table(&r);
	if (wanted)
		result = dsr_put_table(&r, d->link, d->n_links, d->want, hops);
	nft_put_end(&r);
	if (!result)
		result = d->batch.error;
	if (result < 0)
		return result;
	result = nl_transaction(&d->channel, &d->batch, note_error, &error);
	return result > 0 ? error : result;
}

/* Nobody else changed anything in between when the generation has grown by one. */
static int replace_and_note(struct ha_dsr *d, uint32_t generation, struct dsr_hop *hops,
			    size_t n_hops)
{
	int r = replace(d, hops);

	mem_free(d->hops);
	d->hops = NULL;
	if (r < 0) {
		mem_free(hops);
		return r;
	}
	d->hops = hops;
	d->n_hops = n_hops;
	d->generation = generation + 1;
	return 1;
}

int ha_dsr_update(struct ha_dsr *d)
{
	size_t n = d ? count_dests(d->want) : 0;
	struct dsr_hop *hops = NULL;
	uint32_t generation;
	int r;

	if (!d)
		return -EINVAL;
	if (!ha_net_monitor_is_synced(d->monitor))
		return -EAGAIN;
	r = find_hops(d, &hops, &d->n_unknown);
	if (r < 0)
		return r;
	r = nft_ask_generation(&d->channel, &d->batch, &generation);
	if (r < 0 || (d->hops && n == d->n_hops && generation == d->generation &&
		      !memcmp(hops, d->hops, n * sizeof(*hops)))) {
		mem_free(hops);
		return r;
	}
	return replace_and_note(d, generation, hops, n);
}

static int check_service(const struct ha_service *s)
{
	int r = ha_dsr_check(&s->o, NULL, NULL);

	for (const struct ha_dest *d = NULL; !r && (d = ha_dest_next(s, d));)
		r = ha_dsr_check(&s->o, &d->o, NULL);
	if (!r && s->o.flags & HA_SERVICE_SLOTS && ha_dest_count(s) && !s->slots.dests)
		return -EINVAL;
	return r;
}

int ha_dsr_set(struct ha_dsr *d, const struct ha_service_table *want,
	       const struct ha_service **ret_refused)
{
	struct ha_service_table *own;
	int r;

	if (!d || !want)
		return -EINVAL;
	for (const struct ha_service *s = NULL; (s = ha_service_next(want, s));) {
		r = check_service(s);
		if (r < 0) {
			if (ret_refused)
				*ret_refused = s;
			return r;
		}
	}
	r = ha_service_table_copy(want, &own);
	if (r < 0)
		return r;
	ha_service_table_free(d->want);
	d->want = own;
	mem_free(d->hops);
	d->hops = NULL;
	return ha_dsr_update(d);
}

size_t ha_dsr_unknown(const struct ha_dsr *d)
{
	return d ? d->n_unknown : 0;
}
