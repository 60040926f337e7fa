/* SPDX-License-Identifier: MIT */
/* Opening, and writing: a plan is one transaction, and then the flows that it makes stale are forgotten. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/netlink.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "nft/ask.h"
#include "nft/conntrack.h"
#include "nft/handle.h"
#include "nft/ruleset.h"

#define AFFINITY_DEFAULT 65536

/* Messages of a transaction that does something: between its begin and its end. */
#define TRANSACTION_MIN 3

/* ---- Opening ---- */

/* A kernel without it balances all the same; the caps say what is missing. */
static int probe_conntrack(struct ha_nft *n)
{
	int r = conntrack_probe(&n->channel, &n->batch);

	n->has_conntrack = !r;
	return r == -EOPNOTSUPP ? 0 : r;
}

int ha_nft_open(const struct ha_nft_opts *o, struct ha_nft **ret)
{
	struct ha_nft_opts own = {.size = sizeof(own)};
	struct ha_nft *n;
	int r;

	if (!ret)
		return -EINVAL;
	r = o ? sized_in(&own, sizeof(own), o) : 0;
	if (r < 0)
		return r;
	if (!own.table)
		own.table = "hawser";
	if (!own.affinity_max)
		own.affinity_max = AFFINITY_DEFAULT;
	if (!nft_table_name_ok(own.table) || own.affinity_max > HA_NFT_AFFINITY_LIMIT ||
	    !sized_unused(own.reserved, sizeof(own.reserved)))
		return -EINVAL;
	n = mem_zalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	memcpy(n->table, own.table, strlen(own.table));
	n->affinity_max = own.affinity_max;
	n->cut_removed = own.cut_removed;
	n->skip_connections = own.skip_connections;
	r = nl_channel_open(&n->channel, NETLINK_NETFILTER, own.transport, 0);
	if (r < 0) {
		mem_free(n);
		return r == -EPROTONOSUPPORT ? -EOPNOTSUPP : r;
	}
	r = nft_probe(&n->channel, &n->batch);
	if (!r)
		r = probe_conntrack(n);
	if (r < 0) {
		nl_channel_give_back(&n->channel);
		ha_nft_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void ha_nft_close(struct ha_nft *n)
{
	if (!n)
		return;
	assert(!n->busy);
	nl_batch_fini(&n->batch);
	nl_channel_close(&n->channel);
	mem_free(n);
}

/* ---- Writing ---- */

/* The steps of a plan for one service, and where their messages begin. */
struct group {
	size_t first_step, first_message;
};

struct apply {
	const struct ha_service_plan *plan;
	struct group *groups;
	size_t n_groups;
	size_t failed_step; /* SIZE_MAX: none, or not one step's fault */
	int error;
};

static int check_step(const struct service_step *step)
{
	const struct ha_service *s = step->service;

	if (step->kind == HA_STEP_REMOVE_SERVICE)
		return 0;
	if (s->o.flags & HA_SERVICE_SLOTS && ha_dest_count(s) && !s->slots.dests)
		return -EINVAL;
	if (step->kind == HA_STEP_REMOVE_DEST)
		return 0;
	return ha_nft_check(&step->service->o, step->dest ? &step->dest->o : NULL, NULL);
}

/* The first step that nftables cannot express stops all. */
static int check_steps(struct apply *a)
{
	for (size_t i = 0; i < a->plan->n; i++) {
		a->error = check_step(&a->plan->steps[i]);
		if (a->error < 0) {
			a->failed_step = i;
			return a->error;
		}
	}
	return 0;
}

static int put_group(struct nft_ruleset *r, const struct service_step *steps, size_t n)
{
	if (steps->kind == HA_STEP_REMOVE_SERVICE) {
		nft_put_remove(r, steps->service);
		return 0;
	}
	if (!steps->old_service)
		return nft_put_add(r, steps->service);
	return nft_put_change(r, steps->service, steps->old_service, steps, n);
}

static int put_groups(struct nft_ruleset *r, struct apply *a)
{
	const struct service_step *steps = a->plan->steps;

	for (size_t i = 0, n; i < a->plan->n; i += n) {
		int result;

		for (n = 1; i + n < a->plan->n && steps[i + n].service == steps[i].service; n++)
			;
		a->groups[a->n_groups++] = (struct group){i, r->batch->n};
		result = put_group(r, steps + i, n);
		if (result < 0)
			return result;
	}
	return 0;
}

static void note_failure(void *userdata, size_t index, int error, const char *text)
{
	struct apply *a = userdata;

	if (a->error)
		return; /* the first is the cause */
	a->error = error;
	for (size_t i = 0; i < a->n_groups && a->groups[i].first_message <= index; i++)
		a->failed_step = a->groups[i].first_step;
}

static int put_all(struct ha_nft *n, struct apply *a, bool there)
{
	struct nft_ruleset r = {
	    .batch = &n->batch, .table = n->table, .affinity_max = n->affinity_max};
	bool wanted = ha_service_table_count(a->plan->want) > 0;
	int result = 0;

	nl_batch_reset(&n->batch);
	nft_put_begin(&r);
	if (there && (n->damaged || !wanted))
		nft_put_delete_table(&r);
	if (wanted && (!there || n->damaged))
		nft_put_skeleton(&r);
	if (wanted)
		result = put_groups(&r, a);
	nft_put_end(&r);
	if (!result)
		result = n->batch.error;
	if (result < 0)
		return result;
	if (n->batch.n < TRANSACTION_MIN)
		return 0; /* nothing wanted, nothing there */
	result = nl_transaction(&n->channel, &n->batch, note_failure, a);
	return result > 0 ? a->error : result;
}

/* Whether a step can make flows stale: those of UDP stay with their server as long as the client goes on. */
static bool makes_stale(const struct ha_nft *n, const struct service_step *step)
{
	const struct ha_service_opts *o = &step->service->o;
	bool removes = step->kind == HA_STEP_REMOVE_SERVICE || step->kind == HA_STEP_REMOVE_DEST;

	if (o->fwmark || o->protocol == IPPROTO_UDP)
		return removes || step->kind == HA_STEP_ADD_SERVICE;
	return removes && n->cut_removed;
}

static int cut_stale(struct ha_nft *n, const struct ha_service_plan *p)
{
	for (size_t i = 0; n->has_conntrack && i < p->n; i++)
		if (makes_stale(n, &p->steps[i]))
			return conntrack_cut(&n->channel, &n->batch, p->want, p->have,
					     n->cut_removed);
	return 0;
}

/* After a transaction: the generation has grown by one, unless others changed something meanwhile. */
static void note_change(struct ha_nft *n, bool anew, uint32_t generation)
{
	n->audited = anew || (n->audited && n->generation == generation);
	n->generation = generation + 1;
	n->damaged = false;
}

static int apply(struct ha_nft *n, struct apply *a)
{
	struct nft_table table;
	uint32_t generation;
	bool anew;
	int r = check_steps(a);

	if (!r)
		r = nft_ask_generation(&n->channel, &n->batch, &generation);
	if (!r)
		r = nft_ask_table(&n->channel, &n->batch, NFPROTO_INET, n->table, &table);
	if (r < 0)
		return r;
	/* Gone since the dump: a plan of differences would make it without what did not differ. */
	if (!r && !n->damaged && ha_service_table_count(a->plan->have) &&
	    ha_service_table_count(a->plan->want))
		return -ENOENT;
	anew = n->damaged || !r;
	r = put_all(n, a, r > 0);
	if (!r && n->batch.n >= TRANSACTION_MIN)
		note_change(n, anew, generation);
	return r;
}

static void tell(struct ha_nft *n, const struct apply *a, int r,
		 const struct ha_service_apply_ops *ops, void *userdata)
{
	n->busy = true;
	for (size_t i = 0; i < a->plan->n; i++) {
		bool undone = r && a->failed_step != SIZE_MAX && i != a->failed_step;

		service_plan_tell(a->plan, i, undone ? -ECANCELED : r, ops, userdata);
	}
	n->busy = false;
}

int ha_nft_apply(struct ha_nft *n, const struct ha_service_plan *p,
		 const struct ha_service_apply_ops *ops, void *userdata)
{
	struct apply a = {.plan = p, .failed_step = SIZE_MAX};
	struct ha_service_apply_ops own;
	int r;

	if (!n || !p)
		return -EINVAL;
	if (n->busy)
		return -EBUSY;
	r = service_apply_ops_take(&own, ops);
	if (r < 0 || (!p->n && !n->damaged))
		return r;
	a.groups = mem_array(p->n + 1, sizeof(*a.groups));
	r = a.groups ? apply(n, &a) : -ENOMEM;
	mem_free(a.groups);
	tell(n, &a, r, &own, userdata);
	return r ? r : cut_stale(n, p);
}
