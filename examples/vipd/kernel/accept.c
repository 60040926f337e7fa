/* SPDX-License-Identifier: MIT */
/*
 * no_accept: a packet filter drops what is sent to the addresses of such an instance. They stand in it
 * while another node is MASTER, too: then they are not local, and a takeover need not wait for nftables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libha/vrrp.h>
#include <libha/vrrp_accept.h>

#include "kernel/kernel.h"
#include "log.h"

struct filter {
	struct ha_vrrp_accept
	    *accept; /* NULL: this kernel has no nf_tables, or there is nothing to refuse */
	struct ha_vrrp_refused *refused, *next;
	size_t n;
	bool failed; /* said */
};

/* The owner of the addresses accepts always (RFC 9568 section 6.1). */
static bool refuses(const struct conf_instance *i)
{
	return i->no_accept && i->priority != HA_VRRP_PRIORITY_OWNER;
}

static size_t count(const struct conf *c)
{
	size_t n = 0;

	for (const struct conf_instance *i = c->instances; i; i = i->next)
		n += refuses(i) ? i->n_addresses : 0;
	return n;
}

/* Without any nothing is to be filtered, nor left from before; and to ask for nf_tables may load modules. */
static bool has_instances(const struct birth *b)
{
	return b->conf->n_instances || (b->old && b->old->n_instances);
}

static int open_table(const struct birth *b, const struct conf_globals *g,
		      const struct ha_nl_transport *transport, struct ha_vrrp_accept **ret)
{
	char name[OPTIONS_TABLE_SIZE];
	const struct ha_vrrp_accept_opts o = {.size = sizeof(o),
					      .table = table_name(b, &g->nft, "hawser-vrrp", name),
					      .priority = g->nft.priority,
					      .set_priority = g->nft.priority != CONF_NFT_PRIORITY,
					      .counters = g->nft_counters,
					      .transport = transport};

	return ha_vrrp_accept_open(&o, ret);
}

/* It had another name. */
static void remove_old(const struct birth *b)
{
	char was[OPTIONS_TABLE_SIZE], is[OPTIONS_TABLE_SIZE];
	struct ha_vrrp_accept *table;

	if (!b->old || !strcmp(table_name(b, &b->old->globals.nft, "hawser-vrrp", was),
			       table_name(b, &b->conf->globals.nft, "hawser-vrrp", is)))
		return;
	if (open_table(b, &b->old->globals, NULL, &table) < 0)
		return;
	ha_vrrp_accept_set(table, NULL, 0);
	ha_vrrp_accept_close(table);
}

static void on_changed(void *userdata)
{
	filter_settle(userdata, true);
}

static int open_with(const struct ha_nl_transport *socket, void *userdata)
{
	struct kernel *k = userdata;

	return open_table(k->birth, &k->conf->globals, socket, &k->filter->accept);
}

static int open_watched(struct kernel *k)
{
	char name[OPTIONS_TABLE_SIZE];

	return nft_open_watched(
	    k, table_name(k->birth, &k->conf->globals.nft, "hawser-vrrp", name), open_with,
	    on_changed, k);
}

int filter_new(struct kernel *k)
{
	struct filter *f = calloc(1, sizeof(*f));
	size_t n = count(k->conf) + 1;
	int r;

	if (!f)
		return -ENOMEM;
	k->filter = f;
	f->refused = calloc(n, sizeof(*f->refused));
	f->next = calloc(n, sizeof(*f->next));
	if (!f->refused || !f->next)
		return -ENOMEM;
	if (!k->birth->options->vrrp || !has_instances(k->birth))
		return 0;
	remove_old(k->birth);
	r = n > 1 ? open_watched(k) : open_table(k->birth, &k->conf->globals, NULL, &f->accept);
	if (r < 0 && n > 1)
		log_err("no_accept has no effect, packets to the addresses are accepted: nftables: "
			"%s",
			strerror(-r));
	return 0;
}

static size_t collect_instance(struct kernel *k, const struct conf_instance *i,
			       struct ha_vrrp_refused *ret)
{
	size_t n = 0;

	for (size_t a = 0; a < i->n_addresses; a++) {
		const struct ha_ip *ip = &i->addresses[a].ip;
		const struct watched *w = watched_find(k, conf_address_device(i, &i->addresses[a]));
		bool link_local = conf_is_link_local(ip);

		/* One whose interface is not there is nobody's. */
		if (!link_local || (w && w->link.ifindex))
			ret[n++] = (struct ha_vrrp_refused){*ip, link_local ? w->link.ifindex : 0};
	}
	return n;
}

static size_t collect(struct kernel *k, struct ha_vrrp_refused *ret)
{
	size_t n = 0;

	for (const struct conf_instance *i = k->conf->instances; i; i = i->next)
		if (refuses(i))
			n += collect_instance(k, i, ret + n);
	return n;
}

static bool is_same(const struct ha_vrrp_refused *a, const struct ha_vrrp_refused *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].ifindex != b[i].ifindex || ha_ip_compare(&a[i].ip, &b[i].ip) != 0)
			return false;
	return true;
}

void filter_settle(struct kernel *k, bool always)
{
	struct filter *f = k->filter;
	struct ha_vrrp_refused *old = f->refused;
	size_t n = collect(k, f->next);
	int r;

	if (!f->accept || (!always && n == f->n && is_same(f->next, old, n)))
		return;
	r = ha_vrrp_accept_set(f->accept, f->next, n);
	if (r < 0 && !f->failed)
		log_err("no_accept: packets to the addresses are accepted: nftables: %s%s",
			strerror(-r),
			r == -EEXIST
			    ? ": somebody else has a table inet of this name. Write another one: "
			      "nftables TABLE"
			    : "");
	f->failed = r < 0;
	f->refused = f->next;
	f->next = old;
	f->n = n;
}

void filter_release(struct kernel *k)
{
	if (k->filter->accept)
		ha_vrrp_accept_set(k->filter->accept, NULL, 0);
}
