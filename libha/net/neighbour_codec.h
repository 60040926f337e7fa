/* SPDX-License-Identifier: MIT */
/* rtnetlink's messages of neighbours (linux/neighbour.h), pure. */
#ifndef LIBHA_NET_NEIGHBOUR_CODEC_H
#define LIBHA_NET_NEIGHBOUR_CODEC_H

#include <libha/route.h>

#include "nl/msg.h"

/* Can the kernel be asked for it at all? 0 or -EINVAL. */
int neighbour_codec_check(const struct ha_net_neighbour *a);

/* The body of RTM_NEWNEIGH, and of RTM_DELNEIGH: only what names the neighbour. */
void neighbour_codec_put(struct writer *w, const struct ha_net_neighbour *a);
void neighbour_codec_put_name(struct writer *w, const struct ha_net_neighbour *a);

/* The body of RTM_GETNEIGH for a dump; zero: all. */
void neighbour_codec_put_dump(struct writer *w, int family, uint32_t ifindex);

/*
 * RTM_NEWNEIGH and RTM_DELNEIGH. 0; -ENOMSG: of another family (a bridge's table) or a proxy; -EBADMSG:
 * malformed.
 */
int neighbour_codec_read(const struct nl_msg *msg, struct ha_net_neighbour *ret);

/* Are they equal in what is told of changes: who it is, the mac, and whether it is valid? */
bool neighbour_codec_same(const struct ha_net_neighbour *a, const struct ha_net_neighbour *b);

#endif
