/* SPDX-License-Identifier: MIT */
#include <linux/ila.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/sized.h"
#include "net/codec.h"
#include "net/encap_codec.h"

/* An entry of a label stack (RFC 3032 2.1): label, class, bottom of stack, TTL. */
#define LABEL_BITS 20
#define LABEL_SHIFT 12
#define LABEL_BOTTOM (1u << 8)

/* LWTUNNEL_IP_* and LWTUNNEL_IP6_* have the same numbers. */
_Static_assert((int)LWTUNNEL_IP_ID == (int)LWTUNNEL_IP6_ID &&
		   (int)LWTUNNEL_IP_FLAGS == (int)LWTUNNEL_IP6_FLAGS,
	       "IP and IP6 are written and read by the same code");

static uint8_t family_of(uint16_t type)
{
	return type == LWTUNNEL_ENCAP_IP ? AF_INET : AF_INET6;
}

/* The kernel refuses ILA_ATYPE_IID, which is 0, and without a type takes this one. */
static uint8_t ident_type_of(const struct ha_net_encap *e)
{
	return e->u.ila.ident_type == ILA_ATYPE_IID ? ILA_ATYPE_USE_FORMAT : e->u.ila.ident_type;
}

/* -- building ------------------------------------------------------------------------------------ */

static bool labels_are_right(const struct ha_net_encap *e)
{
	if (!e->n_labels || e->n_labels > HA_NET_LABELS_MAX)
		return false;
	for (size_t i = 0; i < e->n_labels; i++)
		if (e->u.labels[i] >> LABEL_BITS)
			return false;
	return true;
}

static bool is_of(const struct ha_ip *ip, uint8_t family)
{
	return !ip->family || ip->family == family;
}

bool encap_codec_is_right(const struct ha_net_encap *e)
{
	uint8_t family = family_of(e->type);

	if (!sized_unused(e->reserved, sizeof(e->reserved)))
		return false;
	switch (e->type) {
	case LWTUNNEL_ENCAP_NONE:
		return !e->flags && !e->ttl && !e->tos && !e->n_labels;
	case LWTUNNEL_ENCAP_MPLS:
		return labels_are_right(e) && !e->flags && !e->tos;
	case LWTUNNEL_ENCAP_IP:
	case LWTUNNEL_ENCAP_IP6:
		return is_of(&e->u.ip.src, family) && is_of(&e->u.ip.dst, family) && !e->n_labels;
	case LWTUNNEL_ENCAP_ILA:
		return !e->flags && !e->ttl && !e->tos && !e->n_labels &&
		       sized_unused(e->u.ila.reserved, sizeof(e->u.ila.reserved));
	default:
		return false;
	}
}

static void put_labels(struct writer *w, const struct ha_net_encap *e)
{
	uint8_t stack[HA_NET_LABELS_MAX * 4];
	struct writer s = writer_of(stack, sizeof(stack));

	for (size_t i = 0; i < e->n_labels; i++)
		write_be32(&s, e->u.labels[i] << LABEL_SHIFT |
				   (i + 1 == e->n_labels ? LABEL_BOTTOM : 0));
	nl_attr_put(w, MPLS_IPTUNNEL_DST, stack, writer_len(&s));
	if (e->ttl)
		nl_attr_put_u8(w, MPLS_IPTUNNEL_TTL, e->ttl);
}

static void put_ip(struct writer *w, const struct ha_net_encap *e)
{
	if (e->u.ip.id)
		nl_attr_put_be64(w, LWTUNNEL_IP_ID, e->u.ip.id);
	if (e->u.ip.dst.family)
		net_codec_put_ip(w, LWTUNNEL_IP_DST, &e->u.ip.dst);
	if (e->u.ip.src.family)
		net_codec_put_ip(w, LWTUNNEL_IP_SRC, &e->u.ip.src);
	if (e->ttl)
		nl_attr_put_u8(w, LWTUNNEL_IP_TTL, e->ttl);
	if (e->tos)
		nl_attr_put_u8(w, LWTUNNEL_IP_TOS, e->tos);
	if (e->flags)
		nl_attr_put_be16(w, LWTUNNEL_IP_FLAGS, e->flags);
}

static void put_ila(struct writer *w, const struct ha_net_encap *e)
{
	nl_attr_put_be64(w, ILA_ATTR_LOCATOR, e->u.ila.locator);
	nl_attr_put_u8(w, ILA_ATTR_CSUM_MODE, e->u.ila.csum_mode);
	nl_attr_put_u8(w, ILA_ATTR_IDENT_TYPE, ident_type_of(e));
	nl_attr_put_u8(w, ILA_ATTR_HOOK_TYPE, e->u.ila.hook_type);
}

void encap_codec_put(struct writer *w, const struct ha_net_encap *e)
{
	size_t nest;

	if (e->type == LWTUNNEL_ENCAP_NONE)
		return;
	nl_attr_put_u16(w, RTA_ENCAP_TYPE, e->type);
	nest = nl_nest_begin(w, RTA_ENCAP);
	if (e->type == LWTUNNEL_ENCAP_MPLS)
		put_labels(w, e);
	else if (e->type == LWTUNNEL_ENCAP_ILA)
		put_ila(w, e);
	else
		put_ip(w, e);
	nl_nest_end(w, nest);
}

/* -- reading ------------------------------------------------------------------------------------- */

bool encap_codec_keep(const struct nl_attr *a, struct encap_attrs *kept)
{
	if (a->type == RTA_ENCAP_TYPE)
		return nl_attr_u16(a, &kept->type);
	kept->data = a->data;
	return true;
}

static bool read_labels(struct reader r, struct ha_net_encap *e)
{
	while (reader_left(&r)) {
		uint32_t entry = read_be32(&r);

		if (r.bad || e->n_labels == HA_NET_LABELS_MAX)
			return false;
		e->u.labels[e->n_labels++] = entry >> LABEL_SHIFT;
	}
	return e->n_labels;
}

static bool read_mpls_attr(const struct nl_attr *a, struct ha_net_encap *e)
{
	switch (a->type) {
	case MPLS_IPTUNNEL_DST:
		e->n_labels = 0;
		return read_labels(a->data, e);
	case MPLS_IPTUNNEL_TTL:
		return nl_attr_u8(a, &e->ttl);
	default:
		return true;
	}
}

/* The kernel says 0.0.0.0 or :: for an address that was not given. */
static bool read_address(const struct nl_attr *a, uint8_t family, struct ha_ip *ret)
{
	static const uint8_t zero[16];

	if (!net_codec_read_ip(a, family, ret))
		return false;
	if (!memcmp(ret->bytes, zero, sizeof(ret->bytes)))
		*ret = (struct ha_ip){0};
	return true;
}

static bool read_ip_attr(const struct nl_attr *a, struct ha_net_encap *e)
{
	switch (a->type) {
	case LWTUNNEL_IP_ID:
		return nl_attr_be64(a, &e->u.ip.id);
	case LWTUNNEL_IP_DST:
		return read_address(a, family_of(e->type), &e->u.ip.dst);
	case LWTUNNEL_IP_SRC:
		return read_address(a, family_of(e->type), &e->u.ip.src);
	case LWTUNNEL_IP_TTL:
		return nl_attr_u8(a, &e->ttl);
	case LWTUNNEL_IP_TOS:
		return nl_attr_u8(a, &e->tos);
	case LWTUNNEL_IP_FLAGS:
		return nl_attr_be16(a, &e->flags);
	default:
		return true;
	}
}

static bool read_ila_attr(const struct nl_attr *a, struct ha_net_encap *e)
{
	switch (a->type) {
	case ILA_ATTR_LOCATOR:
		return nl_attr_be64(a, &e->u.ila.locator);
	case ILA_ATTR_CSUM_MODE:
		return nl_attr_u8(a, &e->u.ila.csum_mode);
	case ILA_ATTR_IDENT_TYPE:
		return nl_attr_u8(a, &e->u.ila.ident_type);
	case ILA_ATTR_HOOK_TYPE:
		return nl_attr_u8(a, &e->u.ila.hook_type);
	default:
		return true;
	}
}

bool encap_codec_read(const struct encap_attrs *kept, struct ha_net_encap *ret)
{
	bool (*read)(const struct nl_attr *a, struct ha_net_encap *e) =
	    kept->type == LWTUNNEL_ENCAP_MPLS					  ? read_mpls_attr
	    : kept->type == LWTUNNEL_ENCAP_ILA					  ? read_ila_attr
	    : kept->type == LWTUNNEL_ENCAP_IP || kept->type == LWTUNNEL_ENCAP_IP6 ? read_ip_attr
										  : NULL;
	struct ha_net_encap e = {.type = kept->type};
	struct reader r = kept->data;
	struct nl_attr a;

	while (read && nl_attr_next(&r, &a))
		if (!read(&a, &e))
			return false;
	if (r.bad || (e.type == LWTUNNEL_ENCAP_MPLS && !e.n_labels))
		return false;
	*ret = e;
	return true;
}

/* -- comparing ----------------------------------------------------------------------------------- */

bool encap_codec_same(const struct ha_net_encap *a, const struct ha_net_encap *b)
{
	if (a->type != b->type || a->flags != b->flags || a->ttl != b->ttl || a->tos != b->tos ||
	    a->n_labels != b->n_labels)
		return false;
	switch (a->type) {
	case LWTUNNEL_ENCAP_MPLS:
		return !memcmp(a->u.labels, b->u.labels, a->n_labels * sizeof(*a->u.labels));
	case LWTUNNEL_ENCAP_IP:
	case LWTUNNEL_ENCAP_IP6:
		return a->u.ip.id == b->u.ip.id && !ha_ip_compare(&a->u.ip.src, &b->u.ip.src) &&
		       !ha_ip_compare(&a->u.ip.dst, &b->u.ip.dst);
	case LWTUNNEL_ENCAP_ILA:
		return a->u.ila.locator == b->u.ila.locator &&
		       a->u.ila.csum_mode == b->u.ila.csum_mode &&
		       ident_type_of(a) == ident_type_of(b) &&
		       a->u.ila.hook_type == b->u.ila.hook_type;
	default:
		return true;
	}
}
