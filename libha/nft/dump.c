/* SPDX-License-Identifier: MIT */
/*
 * Reading our table back: it is taken apart into services. When anything in it is not as we leave it, it counts as
 * damaged: no service is there, and the next plan builds it anew.
 */
#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "base/mem.h"
#include "nft/ask.h"
#include "nft/conntrack.h"
#include "nft/handle.h"
#include "nft/read.h"
#include "nft/ruleset.h"

static uint16_t message_type(enum nf_tables_msg_types type)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
}

static struct writer *question(struct ha_nft *n, enum nf_tables_msg_types type, uint16_t flags)
{
	return nft_question(&n->batch, type, flags);
}

static int ask(struct ha_nft *n, const struct nl_query_ops *ops, void *userdata)
{
	return nft_ask(&n->channel, &n->batch, ops, userdata);
}

struct counter {
	char name[NFT_NAME_SIZE];
	uint64_t packets;
};

struct dump {
	struct ha_service_table *table;
	struct counter *counters; /* sorted by name when all are read */
	size_t n_counters, cap_counters;
	size_t n_jump, n_dispatch, n_postrouting, n_service_rules, n_dests;
	size_t n_dispatched[NFT_N_KINDS]; /* services that dispatch leads to */
	enum nft_kind kind;		  /* the dispatch map being read */
	bool damaged;
};

static void forget_all(void *userdata)
{
	struct dump *d = userdata;

	for (struct ha_service *s; (s = ha_service_next(d->table, NULL));)
		ha_service_remove(s);
	d->n_jump = d->n_dispatch = d->n_postrouting = d->n_service_rules = d->n_dests = 0;
}

static int take_described_service(struct dump *d, const char *chain, const char *comment)
{
	char scheduler[HA_SERVICE_NAME_SIZE], name[NFT_NAME_SIZE];
	struct service_slots slots;
	struct ha_service_opts o;
	struct ha_service *s;
	int r;

	if (!nft_comment_read_service(comment, &o, scheduler, &slots) ||
	    ha_nft_check(&o, NULL, NULL) < 0) {
		d->damaged = true;
		return 0;
	}
	nft_name_chain(&o, name);
	d->damaged |= strcmp(name, chain) != 0;
	r = service_add_unchecked(d->table, &o, true, &s);
	if (!r)
		s->slots = slots;
	if (r == -EEXIST)
		d->damaged = true;
	return r == -EEXIST ? 0 : r;
}

static int take_described_dest(struct dump *d, const char *chain, const char *comment)
{
	struct ha_service_opts key;
	struct ha_dest_opts o;
	struct ha_service *s = NULL;
	char name[NFT_NAME_SIZE];

	if (nft_comment_read_dest(comment, &key, &o))
		s = service_find(d->table, &key);
	if (!s || ha_nft_check(&s->o, &o, NULL) < 0 || service_dest_find(s, &o)) {
		d->damaged = true;
		return 0;
	}
	nft_name_dest(&s->o, &o, name);
	d->damaged |= strcmp(name, chain) != 0;
	d->n_dests++;
	return service_dest_set_unchecked(s, &o, NULL);
}

static int take_rule(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;
	char chain[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];

	if (msg->type != message_type(NFT_MSG_NEWRULE) || !nft_read_rule(msg->body, chain, comment))
		return -EBADMSG;
	if (!strcmp(chain, "prerouting") || !strcmp(chain, "output"))
		d->n_jump++;
	else if (!strcmp(chain, "dispatch"))
		d->n_dispatch++;
	else if (!strcmp(chain, "postrouting"))
		d->n_postrouting++;
	else
		d->n_service_rules++;
	if (!strncmp(comment, "service ", 8))
		return take_described_service(d, chain, comment);
	if (!strncmp(comment, "destination ", 12))
		return take_described_dest(d, chain, comment);
	return 0;
}

/* Each element must lead to a service that describes itself; all of them are counted. */
static int take_dispatch(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;
	struct nft_element e;
	struct reader list;

	if (msg->type != message_type(NFT_MSG_NEWSETELEM) || !nft_read_elements(msg->body, &list))
		return -EBADMSG;
	while (nft_read_element(&list, &e)) {
		char name[NFT_NAME_SIZE];
		struct ha_service_opts key;

		if (!nft_read_key(&e, d->kind, &key))
			return -EBADMSG;
		nft_name_chain(&key, name);
		if (!service_find(d->table, &key) || strcmp(name, e.chain) != 0)
			d->damaged = true;
		d->n_dispatched[d->kind]++;
	}
	return list.bad ? -EBADMSG : 0;
}

static int take_counter(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;
	struct counter c;

	if (msg->type != message_type(NFT_MSG_NEWOBJ) ||
	    !nft_read_counter(msg->body, c.name, &c.packets))
		return -EBADMSG;
	if (d->n_counters == d->cap_counters) {
		size_t cap = d->cap_counters ? d->cap_counters * 2 : 64;
		struct counter *more = mem_regrow(d->counters, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		d->counters = more;
		d->cap_counters = cap;
	}
	d->counters[d->n_counters++] = c;
	return 0;
}

static void forget_counters(void *userdata)
{
	((struct dump *)userdata)->n_counters = 0;
}

static int compare_counters(const void *a, const void *b)
{
	return strcmp(((const struct counter *)a)->name, ((const struct counter *)b)->name);
}

/* Every destination has its counter, and every counter its destination. */
static void take_counts(struct dump *d)
{
	d->damaged |= d->n_counters != d->n_dests;
	for (struct ha_service *s = NULL; (s = ha_service_next(d->table, s));) {
		for (struct ha_dest *dest = NULL; (dest = ha_dest_next(s, dest));) {
			struct counter key;
			const struct counter *c = NULL;

			nft_name_dest(&s->o, &dest->o, key.name);
			if (d->n_counters)
				c = bsearch(&key, d->counters, d->n_counters, sizeof(*c),
					    compare_counters);
			d->damaged |= !c;
			dest->stats.conns = c ? c->packets : 0;
			s->stats.conns += dest->stats.conns;
		}
	}
}

static void forget_dispatch(void *userdata)
{
	struct dump *d = userdata;

	d->n_dispatched[d->kind] = 0;
}

static int ask_rules(struct ha_nft *n, struct dump *d)
{
	static const struct nl_query_ops ops = {take_rule, forget_all};

	nl_attr_put_str(question(n, NFT_MSG_GETRULE, NLM_F_DUMP), NFTA_RULE_TABLE, n->table);
	return ask(n, &ops, d);
}

static int ask_counters(struct ha_nft *n, struct dump *d)
{
	static const struct nl_query_ops ops = {take_counter, forget_counters};
	struct writer *w = question(n, NFT_MSG_GETOBJ, NLM_F_DUMP);
	int r;

	nl_attr_put_str(w, NFTA_OBJ_TABLE, n->table);
	nl_attr_put_be32(w, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	r = ask(n, &ops, d);
	if (r < 0)
		return r;
	if (d->n_counters)
		qsort(d->counters, d->n_counters, sizeof(*d->counters), compare_counters);
	take_counts(d);
	return 0;
}

/* A map that is missing is damage. */
static int ask_elements(struct ha_nft *n, const char *set, const struct nl_query_ops *ops,
			struct dump *d)
{
	struct writer *w = question(n, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	int r;

	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_TABLE, n->table);
	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_SET, set);
	r = ask(n, ops, d);
	if (r == -ENOENT)
		d->damaged = true;
	return r == -ENOENT ? 0 : r;
}

static int ask_dispatch(struct ha_nft *n, struct dump *d)
{
	static const struct nl_query_ops ops = {take_dispatch, forget_dispatch};
	size_t sum = 0;
	int r = 0;

	for (int kind = 0; !r && kind < NFT_N_KINDS; kind++) {
		d->kind = (enum nft_kind)kind;
		r = ask_elements(n, nft_kind_map(d->kind), &ops, d);
		sum += d->n_dispatched[kind];
	}
	d->damaged |= sum != ha_service_table_count(d->table);
	return r;
}

/* Whether the rules are as many as we leave. */
static bool rules_complete(const struct dump *d)
{
	size_t n = 0;

	for (const struct ha_service *s = NULL; (s = ha_service_next(d->table, s));)
		n += nft_service_rules(s);
	return d->n_jump == 2 * NFT_RULES_JUMP && d->n_dispatch == NFT_RULES_DISPATCH &&
	       d->n_postrouting == NFT_RULES_POSTROUTING && d->n_service_rules == n;
}

static int read_all(struct ha_nft *n, struct dump *d)
{
	char comment[NFT_COMMENT_SIZE];
	int r = nft_ask_table(&n->channel, &n->batch, n->table, comment);

	if (r <= 0)
		return r;
	d->damaged = strcmp(comment, NFT_TABLE_COMMENT) != 0;
	if (d->damaged)
		return 0;
	r = ask_rules(n, d);
	d->damaged |= !rules_complete(d);
	if (!r)
		r = ask_dispatch(n, d);
	if (!r)
		r = ask_counters(n, d);
	if (!r && !d->damaged && n->has_conntrack && !n->skip_connections)
		r = conntrack_count(&n->channel, &n->batch, d->table);
	return r == -EINTR ? -EAGAIN : r;
}

int ha_nft_dump(struct ha_nft *n, struct ha_service_table **ret)
{
	struct dump d = {0};
	int r;

	if (!n || !ret)
		return -EINVAL;
	if (n->busy)
		return -EBUSY;
	r = ha_service_table_new(&d.table);
	if (r < 0)
		return r;
	r = read_all(n, &d);
	mem_free(d.counters);
	if (r < 0) {
		ha_service_table_free(d.table);
		return r;
	}
	n->damaged = d.damaged;
	if (d.damaged)
		forget_all(&d);
	*ret = d.table;
	return 0;
}
