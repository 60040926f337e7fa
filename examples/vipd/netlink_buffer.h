/* SPDX-License-Identifier: MIT */
/* Receive buffers of netlink sockets, as global_defs has them: *_rcv_bufs and *_rcv_bufs_force. */
#ifndef VIPD_NETLINK_BUFFER_H
#define VIPD_NETLINK_BUFFER_H

#include <libha/nl_transport.h>

#include "conf/conf.h"

/* What is refused is said and left. `word`: what the keyword begins with. */
void netlink_set_buffer(int fd, const struct conf_netlink_buffer *b, const char *word);

/*
 * A socket of `protocol` with such a buffer in *room; *ret points to it, or is NULL: the file does not say, and the
 * library opens its own. Who takes it closes it. 0 or -errno.
 */
int netlink_open(const struct conf_netlink_buffer *b, int protocol, const char *word,
		 struct ha_nl_transport *room, const struct ha_nl_transport **ret);

#endif
