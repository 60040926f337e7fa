/* SPDX-License-Identifier: MIT */
#include "nft/flow.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which brings its own without it */
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- Reading ---- */

/* One direction of a connection. */
struct tuple {
	struct ha_ip src, dst;
	uint16_t src_port, dst_port;
	uint8_t protocol;
};

static bool read_ip(const struct nl_attr *a, uint8_t family, struct ha_ip *ret)
{
	*ret = (struct ha_ip){.family = family};
	return nl_attr_bytes(a, ret->bytes, ha_ip_len(ret));
}

static bool read_addresses(struct reader nest, struct tuple *t)
{
	struct nl_attr a;
	bool ok = true;

	while (nl_attr_next(&nest, &a)) {
		if (a.type == CTA_IP_V4_SRC || a.type == CTA_IP_V6_SRC)
			ok &= read_ip(&a, a.type == CTA_IP_V4_SRC ? AF_INET : AF_INET6, &t->src);
		else if (a.type == CTA_IP_V4_DST || a.type == CTA_IP_V6_DST)
			ok &= read_ip(&a, a.type == CTA_IP_V4_DST ? AF_INET : AF_INET6, &t->dst);
	}
	return ok && !nest.bad;
}

static bool read_ports(struct reader nest, struct tuple *t)
{
	struct nl_attr a;
	bool ok = true;

	while (nl_attr_next(&nest, &a)) {
		if (a.type == CTA_PROTO_NUM)
			ok &= nl_attr_u8(&a, &t->protocol);
		else if (a.type == CTA_PROTO_SRC_PORT)
			ok &= nl_attr_be16(&a, &t->src_port);
		else if (a.type == CTA_PROTO_DST_PORT)
			ok &= nl_attr_be16(&a, &t->dst_port);
	}
	return ok && !nest.bad;
}

static bool read_tuple(struct reader nest, struct tuple *ret)
{
	struct nl_attr a;
	bool ok = true;

	*ret = (struct tuple){0};
	while (nl_attr_next(&nest, &a)) {
		if (a.type == CTA_TUPLE_IP)
			ok &= read_addresses(a.data, ret);
		else if (a.type == CTA_TUPLE_PROTO)
			ok &= read_ports(a.data, ret);
	}
	return ok && !nest.bad && ret->src.family && ret->src.family == ret->dst.family;
}

/*
 * As IPVS counts: a TCP connection is active from its SYN to the first FIN, one of SCTP while it is established.
 */
static bool is_active(uint16_t info, uint8_t state)
{
	if (info == CTA_PROTOINFO_SCTP)
		return state == SCTP_CONNTRACK_ESTABLISHED;
	return state == TCP_CONNTRACK_SYN_SENT || state == TCP_CONNTRACK_SYN_SENT2 ||
	       state == TCP_CONNTRACK_SYN_RECV || state == TCP_CONNTRACK_ESTABLISHED;
}

static bool read_state(struct reader nest, struct flow *f)
{
	struct nl_attr info, a;
	uint8_t state;

	while (nl_attr_next(&nest, &info)) {
		uint16_t wanted = info.type == CTA_PROTOINFO_TCP    ? CTA_PROTOINFO_TCP_STATE
				  : info.type == CTA_PROTOINFO_SCTP ? CTA_PROTOINFO_SCTP_STATE
								    : 0;

		while (wanted && nl_attr_next(&info.data, &a)) {
			if (a.type != wanted)
				continue;
			if (!nl_attr_u8(&a, &state))
				return false;
			f->active = is_active(info.type, state);
		}
		if (info.data.bad)
			return false;
	}
	return !nest.bad;
}

static bool read_attribute(const struct nl_attr *a, struct flow *f, struct tuple *original,
			   struct tuple *reply)
{
	uint32_t status;

	switch (a->type) {
	case CTA_TUPLE_ORIG:
		f->tuple = a->data;
		return read_tuple(a->data, original);
	case CTA_TUPLE_REPLY:
		return read_tuple(a->data, reply);
	case CTA_PROTOINFO:
		return read_state(a->data, f);
	case CTA_STATUS:
		if (!nl_attr_be32(a, &status))
			return false;
		f->rewritten = status & IPS_DST_NAT;
		return true;
	case CTA_ID:
		return nl_attr_be32(a, &f->id);
	case CTA_ZONE:
		return nl_attr_be16(a, &f->zone);
	default:
		return true;
	}
}

bool flow_read(struct reader body, struct flow *ret)
{
	struct tuple original = {0}, reply = {0};
	struct nl_nfgen header;
	struct nl_attr a;

	*ret = (struct flow){0};
	if (!nl_nfgen_take(&body, &header))
		return false;
	while (nl_attr_next(&body, &a))
		if (!read_attribute(&a, ret, &original, &reply))
			return false;
	if (body.bad || !original.src.family || !reply.src.family)
		return false;
	ret->family = header.family;
	ret->protocol = original.protocol;
	ret->asked = original.dst;
	ret->asked_port = original.dst_port;
	ret->server = reply.src;
	ret->server_port = reply.src_port;
	return true;
}

/* ---- Asking ---- */

static struct writer *begin(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family)
{
	struct writer *w = nl_batch_begin(b, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags);

	nl_nfgen_put(w, family, 0);
	return w;
}

void flow_put_dump(struct nl_batch *b, bool rewritten)
{
	struct writer *w = begin(b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);

	if (rewritten) {
		nl_attr_put_be32(w, CTA_STATUS, IPS_DST_NAT);
		nl_attr_put_be32(w, CTA_STATUS_MASK, IPS_DST_NAT);
	}
	nl_batch_end(b);
}

/* The id keeps it from meeting a newer connection with the same addresses and ports. */
void flow_put_delete(struct nl_batch *b, const struct flow *f)
{
	struct writer *w = begin(b, IPCTNL_MSG_CT_DELETE, 0, f->family);
	struct reader tuple = f->tuple;
	size_t len = reader_left(&tuple), nest = nl_nest_begin(w, CTA_TUPLE_ORIG);

	write_bytes(w, read_bytes(&tuple, len), len);
	nl_nest_end(w, nest);
	nl_attr_put_be32(w, CTA_ID, f->id);
	if (f->zone)
		nl_attr_put_be16(w, CTA_ZONE, f->zone);
	nl_batch_end(b);
}

/* ---- Whose it is ---- */

static int compare_address(const void *a, const void *b)
{
	const struct ha_dest *const *p = a, *const *q = b;

	return ha_ip_compare(&(*p)->o.address, &(*q)->o.address);
}

int flow_index_init(struct flow_index *i, const struct ha_service_table *t)
{
	size_t n = 0;

	*i = (struct flow_index){.table = t};
	for (const struct ha_service *s = NULL; (s = ha_service_next(t, s));)
		n += s->o.fwmark ? ha_dest_count(s) : 0;
	if (!n)
		return 0;
	i->marked = mem_array(n, sizeof(*i->marked));
	if (!i->marked)
		return -ENOMEM;
	for (const struct ha_service *s = NULL; (s = ha_service_next(t, s));)
		for (struct ha_dest *d = NULL; s->o.fwmark && (d = ha_dest_next(s, d));)
			i->marked[i->n_marked++] = d;
	qsort(i->marked, n, sizeof(*i->marked), compare_address);
	return 0;
}

void flow_index_fini(struct flow_index *i)
{
	mem_free(i->marked);
	*i = (struct flow_index){0};
}

static struct ha_service_opts key_of(const struct flow *f, uint16_t port)
{
	return (struct ha_service_opts){.address = f->asked, .protocol = f->protocol, .port = port};
}

static struct ha_dest *of_address(const struct flow_index *i, const struct flow *f)
{
	struct ha_service_opts key = key_of(f, f->asked_port);
	struct ha_dest_opts server = {.address = f->server, .port = f->server_port};
	const struct ha_service *s = service_find(i->table, &key);
	struct ha_dest *d = s ? service_dest_find(s, &server) : NULL;

	if (d)
		return d;
	key.port = server.port = 0; /* every port: the client's stays */
	s = service_find(i->table, &key);
	return s ? service_dest_find(s, &server) : NULL;
}

/* The place of the first marked destination with this address, or where it would be. */
static size_t first_marked(const struct flow_index *i, const struct ha_ip *address)
{
	size_t low = 0, high = i->n_marked;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ha_ip_compare(&i->marked[middle]->o.address, address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* *at: 0 at the beginning, else one more than the place in `marked` of the next; SIZE_MAX at the end. */
struct ha_dest *flow_dest(const struct flow_index *i, const struct flow *f, size_t *at)
{
	struct ha_dest *d = NULL;

	if (*at == SIZE_MAX || !f->rewritten)
		return NULL;
	if (!*at) {
		d = of_address(i, f);
		*at = d ? SIZE_MAX : first_marked(i, &f->server) + 1;
		if (d)
			return d;
	}
	if (*at - 1 < i->n_marked && !ha_ip_compare(&i->marked[*at - 1]->o.address, &f->server))
		return i->marked[(*at)++ - 1];
	*at = SIZE_MAX;
	return NULL;
}

bool flow_is_asked_of(const struct ha_service_table *t, const struct flow *f)
{
	struct ha_service_opts exact = key_of(f, f->asked_port), any = key_of(f, 0);

	return service_find(t, &exact) || service_find(t, &any);
}
