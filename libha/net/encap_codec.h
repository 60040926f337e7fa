/* SPDX-License-Identifier: MIT */
/* A route's encapsulation (linux/lwtunnel.h, linux/mpls_iptunnel.h, linux/ila.h), pure. */
#ifndef LIBHA_NET_ENCAP_CODEC_H
#define LIBHA_NET_ENCAP_CODEC_H

#include <libha/route.h>

#include "nl/msg.h"

/* Can the kernel be asked for it at all? */
bool encap_codec_is_right(const struct ha_net_encap *e);

/* RTA_ENCAP_TYPE and RTA_ENCAP; nothing for none. */
void encap_codec_put(struct writer *w, const struct ha_net_encap *e);

/*
 * The two attributes may come in either order: keep them, then read. Of a type that is not known only the
 * type is told. False when malformed.
 */
struct encap_attrs {
	uint16_t type;
	struct reader data;
};
bool encap_codec_keep(const struct nl_attr *a, struct encap_attrs *kept);
bool encap_codec_read(const struct encap_attrs *kept, struct ha_net_encap *ret);

bool encap_codec_same(const struct ha_net_encap *a, const struct ha_net_encap *b);

#endif
