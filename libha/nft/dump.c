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
#include "nft/audit.h"
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
	return nft_question(&n->batch, type, flags, NFPROTO_INET);
}

static int ask(struct ha_nft *n, const struct nl_query_ops *ops, void *userdata)
{
	return nft_ask(&n->channel, &n->batch, ops, userdata);
}

/* An element of the sets that know the destinations. */
struct known {
	struct ha_service_opts service; /* its key */
	struct ha_dest_opts dest;	/* its key, and its weight */
	uint64_t conns;
};

struct known_list {
	struct known *at;
	size_t n, cap;
	size_t of_others; /* sets before the one being read */
};

struct dump {
	struct ha_service_table *table;
	struct known_list destinations, counts;
	size_t n_skeleton, n_service_rules, n_dispatched;
	size_t dispatched_before; /* by the maps before the one being read */
	enum nft_kind kind;	  /* the dispatch map being read */
	unsigned int group;	  /* the group of sets being read */
	bool damaged;
};

static void forget_all(void *userdata)
{
	struct dump *d = userdata;

	for (struct ha_service *s; (s = ha_service_next(d->table, NULL));)
		ha_service_remove(s);
	d->n_skeleton = d->n_service_rules = 0;
}

/* ---- Rules ---- */

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

static bool is_skeleton(const char *chain)
{
	static const char *const names[] = {
	    "prerouting",	 "prerouting-again", "output",	 "output-again", "input", "postrouting",
	    "postrouting-again", "dispatch",	     "counting", "masquerading"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(chain, names[i]))
			return true;
	return false;
}

static int take_rule(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;
	char chain[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];

	if (msg->type != message_type(NFT_MSG_NEWRULE) || !nft_read_rule(msg->body, chain, comment))
		return -EBADMSG;
	if (is_skeleton(chain))
		d->n_skeleton++;
	else
		d->n_service_rules++;
	if (!strncmp(comment, "service ", 8))
		return take_described_service(d, chain, comment);
	return 0;
}

static int ask_rules(struct ha_nft *n, struct dump *d)
{
	static const struct nl_query_ops ops = {take_rule, forget_all};

	nl_attr_put_str(question(n, NFT_MSG_GETRULE, NLM_F_DUMP), NFTA_RULE_TABLE, n->table);
	return ask(n, &ops, d);
}

/* Whether the rules are as many as we leave: when the destinations are known too. */
static bool rules_complete(const struct dump *d)
{
	size_t n = 0;

	for (const struct ha_service *s = NULL; (s = ha_service_next(d->table, s));)
		n += nft_service_rules(s);
	return d->n_skeleton == NFT_RULES_SKELETON && d->n_service_rules == n;
}

/* ---- Dispatch ---- */

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
		d->n_dispatched++;
	}
	return list.bad ? -EBADMSG : 0;
}

static void forget_dispatch(void *userdata)
{
	struct dump *d = userdata;

	d->n_dispatched = d->dispatched_before;
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
	int r = 0;

	for (int kind = 0; !r && kind < NFT_N_KINDS; kind++) {
		d->kind = (enum nft_kind)kind;
		d->dispatched_before = d->n_dispatched;
		r = ask_elements(n, nft_kind_map(d->kind), &ops, d);
	}
	d->damaged |= d->n_dispatched != ha_service_table_count(d->table);
	return r;
}

/* ---- Destinations ---- */

static int keep(struct known_list *list, const struct known *k)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		struct known *more = mem_regrow(list->at, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->at = more;
		list->cap = cap;
	}
	list->at[list->n++] = *k;
	return 0;
}

static int take_known(struct dump *d, struct known_list *list, const struct nl_msg *msg,
		      bool described)
{
	struct nft_element e;
	struct reader elements;
	int r = 0;

	if (msg->type != message_type(NFT_MSG_NEWSETELEM) ||
	    !nft_read_elements(msg->body, &elements))
		return -EBADMSG;
	while (!r && nft_read_element(&elements, &e)) {
		struct known k = {.conns = e.packets};

		if (!nft_read_group_key(e.key, e.key_len, d->group, &k.service, &k.dest))
			return -EBADMSG;
		if (described && !nft_comment_read_weight(e.comment, &k.dest.weight))
			d->damaged = true;
		r = keep(list, &k);
	}
	return r < 0 ? r : elements.bad ? -EBADMSG : 0;
}

static int take_destinations(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;

	return take_known(d, &d->destinations, msg, true);
}

static int take_counts(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;

	return take_known(d, &d->counts, msg, false);
}

static void forget_destinations(void *userdata)
{
	struct dump *d = userdata;

	d->destinations.n = d->destinations.of_others;
}

static void forget_counts(void *userdata)
{
	struct dump *d = userdata;

	d->counts.n = d->counts.of_others;
}

static int ask_known(struct ha_nft *n, struct dump *d)
{
	static const struct nl_query_ops destinations = {take_destinations, forget_destinations},
					 counts = {take_counts, forget_counts};
	int r = 0;

	for (d->group = 0; !r && d->group < NFT_N_GROUPS; d->group++) {
		d->destinations.of_others = d->destinations.n;
		d->counts.of_others = d->counts.n;
		r = ask_elements(n, nft_destinations_set(d->group), &destinations, d);
		if (!r)
			r = ask_elements(n, nft_counts_set(d->group), &counts, d);
	}
	return r;
}

/* The kernel's sets have no order; by address people find things again. */
static int compare_known(const void *a, const void *b)
{
	const struct ha_dest_opts *p = &((const struct known *)a)->dest;
	const struct ha_dest_opts *q = &((const struct known *)b)->dest;
	int r = ha_ip_compare(&p->address, &q->address);

	return r ? r : (int)p->port - (int)q->port;
}

static int add_destinations(struct dump *d)
{
	struct known_list *list = &d->destinations;
	int r = 0;

	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), compare_known);
	for (size_t i = 0; !r && i < list->n; i++) {
		const struct known *k = &list->at[i];
		struct ha_service *s = service_find(d->table, &k->service);

		if (!s || ha_nft_check(&s->o, &k->dest, NULL) < 0)
			d->damaged = true;
		else
			r = service_dest_set_unchecked(s, &k->dest, NULL);
	}
	return r;
}

/* Every destination has its count, and every count its destination. */
static void add_counts(struct dump *d)
{
	d->damaged |= d->counts.n != d->destinations.n;
	for (size_t i = 0; i < d->counts.n; i++) {
		const struct known *k = &d->counts.at[i];
		struct ha_service *s = service_find(d->table, &k->service);
		struct ha_dest *dest = s ? service_dest_find(s, &k->dest) : NULL;

		if (!dest) {
			d->damaged = true;
			continue;
		}
		dest->stats.conns = k->conns;
		s->stats.conns += k->conns;
	}
}

/* ---- All of it ---- */

/* Only when somebody changed something since. */
static int audit(struct ha_nft *n, struct dump *d, uint32_t generation)
{
	int r;

	if (n->audited && generation == n->generation)
		return 0;
	r = nft_audit(n, d->table);
	n->audited = r > 0;
	n->generation = generation;
	d->damaged = !r;
	return r < 0 ? r : 0;
}

static int read_all(struct ha_nft *n, struct dump *d)
{
	struct nft_table table;
	uint32_t generation;
	int r = nft_ask_generation(&n->channel, &n->batch, &generation);

	if (!r)
		r = nft_ask_table(&n->channel, &n->batch, NFPROTO_INET, n->table, &table);
	if (r <= 0)
		return r;
	d->damaged = table.dormant || strcmp(table.comment, NFT_TABLE_COMMENT) != 0;
	if (d->damaged)
		return 0;
	r = ask_rules(n, d);
	if (!r)
		r = ask_dispatch(n, d);
	if (!r)
		r = ask_known(n, d);
	if (!r)
		r = add_destinations(d);
	if (r)
		return r == -EINTR ? -EAGAIN : r;
	add_counts(d);
	d->damaged |= !rules_complete(d);
	if (!d->damaged)
		r = audit(n, d, generation);
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
	mem_free(d.destinations.at);
	mem_free(d.counts.at);
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
