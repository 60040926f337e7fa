/* SPDX-License-Identifier: MIT */
#include "nft/audit.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "nft/ask.h"
#include "nft/read.h"
#include "nft/sets.h"
#include "nft/slots.h"

struct audit {
	const struct ha_service *s; /* whose slots are read; NULL: a masquerade set */
	size_t n, before;	    /* elements, and those of sets before this one */
	bool wrong;
};

/* A slot leads to a destination that may get connections. */
static bool leads_right(const struct ha_service *s, const struct nft_element *e)
{
	const struct ha_service_opts *o = &s->o;
	struct reader r = reader_of(e->data, e->data_len);
	struct ha_dest_opts key = {.address.family = o->address.family};
	char chain[NFT_NAME_SIZE];
	const struct ha_dest *d;

	if (o->persistence_s) {
		nft_name_chain(o, chain);
		return !strncmp(e->chain, chain, strlen(chain));
	}
	read_copy(&r, key.address.bytes, ha_ip_len(&key.address));
	if (o->port)
		key.port = read_be16(&r);
	d = r.bad ? NULL : service_dest_find(s, &key);
	return d && (d->o.weight || o->flags & HA_SERVICE_SLOTS);
}

static int take_elements(void *userdata, const struct nl_msg *msg)
{
	struct audit *a = userdata;
	struct nft_element e;
	struct reader list;

	if (msg->type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM) ||
	    !nft_read_elements(msg->body, &list))
		return -EBADMSG;
	for (; nft_read_element(&list, &e); a->n++)
		a->wrong |= a->s && !leads_right(a->s, &e);
	return list.bad ? -EBADMSG : 0;
}

static void forget_elements(void *userdata)
{
	struct audit *a = userdata;

	a->n = a->before;
}

static int read_set(struct ha_nft *n, const char *set, struct audit *a)
{
	static const struct nl_query_ops ops = {take_elements, forget_elements};
	struct writer *w = nft_question(&n->batch, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET);
	int r;

	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_TABLE, n->table);
	nl_attr_put_str(w, NFTA_SET_ELEM_LIST_SET, set);
	a->before = a->n;
	r = nft_ask(&n->channel, &n->batch, &ops, a);
	a->wrong |= r == -ENOENT;
	return r == -ENOENT ? 0 : r;
}

static int audit_slots(struct ha_nft *n, const struct ha_service *s, bool *wrong)
{
	struct audit a = {.s = s};
	char name[NFT_NAME_SIZE];
	uint32_t slots;
	int r = nft_slots_count(s, &slots);

	if (r < 0 || !slots)
		return r;
	nft_name_slots(&s->o, name);
	r = read_set(n, name, &a);
	*wrong |= a.wrong || a.n != slots;
	return r;
}

static int audit_masquerade(struct ha_nft *n, const struct ha_service_table *t, bool *wrong)
{
	struct audit a = {0};
	size_t expected = 0;
	int r = 0;

	for (const struct ha_service *s = NULL; (s = ha_service_next(t, s));)
		expected += !!(s->o.flags & HA_SERVICE_MASQUERADE);
	for (unsigned int group = 0; !r && group < NFT_N_GROUPS; group++)
		r = read_set(n, nft_masquerade_set(group), &a);
	*wrong |= a.wrong || a.n != expected;
	return r;
}

int nft_audit(struct ha_nft *n, const struct ha_service_table *t)
{
	bool wrong = false;
	int r = audit_masquerade(n, t, &wrong);

	for (const struct ha_service *s = NULL; !r && !wrong && (s = ha_service_next(t, s));)
		r = audit_slots(n, s, &wrong);
	return r < 0 ? r : !wrong;
}
