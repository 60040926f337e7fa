/* SPDX-License-Identifier: MIT */
/* Bytes that others wrote, as what they mean: the number in a track_file, an event of a process. Pure. */
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "watch/watch.h"

int watch_number(const char *text, size_t len, int32_t *ret)
{
	char copy[WATCH_NUMBER_BYTES + 1], *end;
	long v;

	if (len > WATCH_NUMBER_BYTES)
		len = WATCH_NUMBER_BYTES;
	memcpy(copy, text, len);
	copy[len] = 0;
	v = strtol(copy, &end, 0);
	if (end == copy)
		return -EINVAL;
	if (v > INT32_MAX || v < -INT32_MAX)
		return -ERANGE;
	*ret = (int32_t)v;
	return 0;
}

static enum watch_event event_of(const struct proc_event *e, pid_t *ret_pid)
{
	switch (e->what) {
	case PROC_EVENT_FORK: /* a thread has another process_tgid than pid */
		*ret_pid = e->event_data.fork.child_pid;
		return *ret_pid == e->event_data.fork.child_tgid ? WATCH_LOOK : WATCH_NOTHING;
	case PROC_EVENT_EXEC:
		*ret_pid = e->event_data.exec.process_tgid;
		return WATCH_LOOK;
	case PROC_EVENT_COMM:
		*ret_pid = e->event_data.comm.process_tgid;
		return WATCH_LOOK;
	case PROC_EVENT_EXIT:
		*ret_pid = e->event_data.exit.process_pid;
		return *ret_pid == e->event_data.exit.process_tgid ? WATCH_GONE : WATCH_NOTHING;
	default:
		return WATCH_NOTHING;
	}
}

/* One datagram holds one event; what is missing at its end is 0. */
enum watch_event watch_proc_event(const void *datagram, size_t len, pid_t *ret_pid)
{
	const uint8_t *at = datagram;
	struct cn_msg head;
	struct proc_event e;

	if (len < NLMSG_HDRLEN + sizeof(head) + offsetof(struct proc_event, event_data))
		return WATCH_NOTHING;
	memcpy(&head, at + NLMSG_HDRLEN, sizeof(head));
	if (head.id.idx != CN_IDX_PROC || head.id.val != CN_VAL_PROC)
		return WATCH_NOTHING;
	at += NLMSG_HDRLEN + sizeof(head);
	len -= NLMSG_HDRLEN + sizeof(head);
	memset(&e, 0, sizeof(e));
	memcpy(&e, at, len < sizeof(e) ? len : sizeof(e));
	return event_of(&e, ret_pid);
}
