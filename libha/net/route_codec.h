/* SPDX-License-Identifier: MIT */
/* rtnetlink's route messages (rtnetlink(7), linux/rtnetlink.h), pure. */
#ifndef LIBHA_NET_ROUTE_CODEC_H
#define LIBHA_NET_ROUTE_CODEC_H

#include <libha/route.h>

#include "nl/msg.h"

/* Can the kernel be asked for it at all? 0 or -EINVAL. */
int route_codec_check(const struct ha_net_route *r);

/* The body of RTM_NEWROUTE, and of RTM_DELROUTE: only what names the route. Both want a checked one. */
void route_codec_put(struct writer *w, const struct ha_net_route *r);
void route_codec_put_name(struct writer *w, const struct ha_net_route *r);

/* The body of RTM_GETROUTE for a dump; zero: all. */
void route_codec_put_dump(struct writer *w, uint8_t family, uint32_t table, uint8_t protocol);

/*
 * RTM_NEWROUTE and RTM_DELROUTE. Several next hops go to `room` of HA_NET_NEXTHOPS_MAX, where
 * ret->nexthops points. 0; -ENOMSG: of another family, or a cached clone; -EOVERFLOW: too many next hops;
 * -EBADMSG: malformed.
 */
int route_codec_read(const struct nl_msg *msg, struct ha_net_nexthop *room,
		     struct ha_net_route *ret);

/* Do they have the same table, destination, tos and priority: is one in the other's place? */
bool route_codec_same_place(const struct ha_net_route *a, const struct ha_net_route *b);

/* Do they have the same next hops, whatever the state of these? */
bool route_codec_same_ways(const struct ha_net_route *a, const struct ha_net_route *b);

/* Are they equal, but for what time takes away (expires_s)? */
bool route_codec_same(const struct ha_net_route *a, const struct ha_net_route *b);

#endif
