/* SPDX-License-Identifier: MIT */
/* rtnetlink's link and address messages (rtnetlink(7)), pure. */
#ifndef LIBHA_NET_CODEC_H
#define LIBHA_NET_CODEC_H

#include <libha/net.h>

#include "nl/msg.h"

/* Can the kernel be asked for it at all? 0 or -EINVAL. */
int net_codec_check(const struct ha_net_address *a);

/* The body of RTM_NEWADDR, and of RTM_DELADDR: only what names the address. */
void net_codec_put_address(struct writer *w, const struct ha_net_address *a);
void net_codec_put_address_name(struct writer *w, const struct ha_net_address *a);

/* The body of RTM_GETROUTE that asks where a packet to the address goes; whether it stays here. */
void net_codec_put_address_route(struct writer *w, const struct ha_net_address *a);
bool net_codec_read_is_local(const struct nl_msg *msg);

/* The body of RTM_GETADDR and RTM_GETLINK, for a dump; and of RTM_GETLINK for one link. */
void net_codec_put_address_dump(struct writer *w, int family, uint32_t ifindex);
void net_codec_put_link_dump(struct writer *w);
void net_codec_put_link_get(struct writer *w, uint32_t ifindex, const char *name);

/* The body of RTM_NEWLINK that makes a macvlan or an ipvlan, of those that change a link, and of RTM_DELLINK. */
void net_codec_put_macvlan(struct writer *w, const struct ha_net_macvlan *m);
void net_codec_put_link_master(struct writer *w, uint32_t ifindex, uint32_t master);
void net_codec_put_link_mtu(struct writer *w, uint32_t ifindex, uint32_t mtu);
void net_codec_put_link_addr_gen(struct writer *w, uint32_t ifindex, uint8_t mode);
void net_codec_put_ipvlan(struct writer *w, const struct ha_net_ipvlan *v);
void net_codec_put_link_flags(struct writer *w, uint32_t ifindex, uint32_t flags, uint32_t change);
void net_codec_put_link_alias(struct writer *w, uint32_t ifindex, const char *alias);
void net_codec_put_link_name(struct writer *w, uint32_t ifindex);

/*
 * RTM_NEWADDR and RTM_DELADDR; RTM_NEWLINK and RTM_DELLINK. 0; -ENOMSG: a message of those types that
 * speaks of something else (another family, a bridge port, half an event); -EBADMSG: malformed.
 */
int net_codec_read_address(const struct nl_msg *msg, struct ha_net_address *ret);
int net_codec_read_link(const struct nl_msg *msg, struct ha_net_link *ret);

/* An attribute that is an address, of `family`; false when it has another length. */
void net_codec_put_ip(struct writer *w, uint16_t type, const struct ha_ip *ip);
bool net_codec_read_ip(const struct nl_attr *attr, uint8_t family, struct ha_ip *ret);

/* The length of a prefix of a route or rule: 0 means all bits, but of the address 0.0.0.0 or ::. */
uint8_t net_codec_prefix(const struct ha_ip *ip, uint8_t len);

/* Are they equal in what is told of changes? */
bool net_codec_same_address(const struct ha_net_address *a, const struct ha_net_address *b);
bool net_codec_same_link(const struct ha_net_link *a, const struct ha_net_link *b);

#endif
