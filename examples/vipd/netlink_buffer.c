/* SPDX-License-Identifier: MIT */
#include "netlink_buffer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

void netlink_set_buffer(int fd, const struct conf_netlink_buffer *b, const char *word)
{
	int how = b->force ? SO_RCVBUFFORCE : SO_RCVBUF;

	if (setsockopt(fd, SOL_SOCKET, how, &b->bytes, sizeof(b->bytes)) < 0)
		log_warn("%s_rcv_bufs: %s", word, strerror(errno));
}

int netlink_open(const struct conf_netlink_buffer *b, int protocol, const char *word,
		 struct ha_nl_transport *room, const struct ha_nl_transport **ret)
{
	int r;

	*ret = NULL;
	if (!b->bytes)
		return 0;
	r = ha_nl_mnl_open(protocol, NULL, room);
	if (r < 0)
		return r;
	netlink_set_buffer(room->ops->fd(room->userdata), b, word);
	*ret = room;
	return 0;
}
