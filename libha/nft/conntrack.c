/* SPDX-License-Identifier: MIT */
#include "nft/conntrack.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "nft/flow.h"

/* So many flows are forgotten before the others are looked for again: 16 MiB of messages. */
#define FLOWS_PER_ROUND 65536
/* 64 million flows; the kernel's table is full before. */
#define ROUNDS_MAX 1024

static bool take_flow(const struct nl_msg *msg, struct flow *ret)
{
	return msg->type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) &&
	       flow_read(msg->body, ret);
}

static int ignore(void *userdata, const struct nl_msg *msg)
{
	return 0;
}

int conntrack_probe(struct nl_channel *c, struct nl_batch *b)
{
	static const struct nl_query_ops ops = {.message = ignore};
	int r;

	nl_batch_reset(b);
	nl_nfgen_put(nl_batch_begin(b, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS, 0),
		     AF_UNSPEC, 0);
	nl_batch_end(b);
	r = nl_query(c, b, &ops, NULL);
	return r == -EINVAL || r == -ENOENT ? -EOPNOTSUPP : r;
}

/* ---- Counting ---- */

static void count_one(struct ha_service_stats *stats, bool active)
{
	uint32_t *n = active ? &stats->active_conns : &stats->inactive_conns;

	if (*n < UINT32_MAX)
		++*n;
}

static int count_flow(void *userdata, const struct nl_msg *msg)
{
	const struct flow_index *index = userdata;
	struct ha_dest *d;
	struct flow f;
	size_t at = 0;

	if (!take_flow(msg, &f))
		return -EBADMSG;
	while ((d = flow_dest(index, &f, &at))) {
		count_one(&d->stats, f.active);
		count_one(&d->service->stats, f.active);
	}
	return 0;
}

static void forget_counts(void *userdata)
{
	const struct flow_index *index = userdata;

	for (struct ha_service *s = NULL; (s = ha_service_next(index->table, s));) {
		s->stats.active_conns = s->stats.inactive_conns = 0;
		for (struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
			d->stats.active_conns = d->stats.inactive_conns = 0;
	}
}

int conntrack_count(struct nl_channel *c, struct nl_batch *b, struct ha_service_table *t)
{
	static const struct nl_query_ops ops = {count_flow, forget_counts};
	struct flow_index index;
	int r = flow_index_init(&index, t);

	if (r < 0)
		return r;
	nl_batch_reset(b);
	flow_put_dump(b, true);
	r = nl_query(c, b, &ops, &index);
	flow_index_fini(&index);
	return r;
}

/* ---- Forgetting ---- */

struct cut {
	struct flow_index want, have;
	bool all;
	struct nl_batch deletes;
	bool more; /* than a round takes */
	int error;
};

static bool leads_somewhere(const struct flow_index *i, const struct flow *f)
{
	size_t at = 0;

	return flow_dest(i, f, &at);
}

static bool is_stale(const struct cut *c, const struct flow *f)
{
	bool udp = f->protocol == IPPROTO_UDP;

	if (!udp && !c->all)
		return false;
	if (f->rewritten)
		return !leads_somewhere(&c->want, f) && leads_somewhere(&c->have, f);
	/* It is tracked as one that is not to be rewritten, and would be as long as the client goes on. */
	return udp && flow_is_asked_of(c->want.table, f) && !flow_is_asked_of(c->have.table, f);
}

static int collect_stale(void *userdata, const struct nl_msg *msg)
{
	struct cut *c = userdata;
	struct flow f;

	if (!take_flow(msg, &f))
		return -EBADMSG;
	if (!is_stale(c, &f))
		return 0;
	if (c->deletes.n < FLOWS_PER_ROUND)
		flow_put_delete(&c->deletes, &f);
	else
		c->more = true;
	return c->deletes.error;
}

static void forget_stale(void *userdata)
{
	struct cut *c = userdata;

	nl_batch_reset(&c->deletes);
	c->more = false;
}

static void note_failure(void *userdata, size_t index, int error, const char *text)
{
	struct cut *c = userdata;

	if (error != -ENOENT && !c->error) /* else it went by itself */
		c->error = error;
}

static int run_round(struct nl_channel *channel, struct nl_batch *b, struct cut *c)
{
	static const struct nl_query_ops ops = {collect_stale, forget_stale};
	int r;

	forget_stale(c);
	nl_batch_reset(b);
	flow_put_dump(b, false);
	r = nl_query(channel, b, &ops, c);
	if (!r)
		r = nl_call(channel, &c->deletes, note_failure, c);
	return r < 0 ? r : c->error;
}

int conntrack_cut(struct nl_channel *c, struct nl_batch *b, const struct ha_service_table *want,
		  const struct ha_service_table *have, bool all)
{
	struct cut cut = {.all = all};
	int r = flow_index_init(&cut.want, want);

	if (!r)
		r = flow_index_init(&cut.have, have);
	for (int i = 0; !r && i < ROUNDS_MAX && (!i || cut.more); i++)
		r = run_round(c, b, &cut);
	nl_batch_fini(&cut.deletes);
	flow_index_fini(&cut.want);
	flow_index_fini(&cut.have);
	return r;
}
