/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>

#include "base/mem.h"
#include "nl/call.h"

static int make_room(struct nl_batch *b)
{
	size_t cap = b->cap ? b->cap : NL_BATCH_MSG_BYTES;
	uint8_t *buf;

	while (cap - b->len < NL_BATCH_MSG_BYTES)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	if (cap > NL_BATCH_BYTES_MAX)
		return -EMSGSIZE;
	buf = mem_regrow(b->buf, cap, 1);
	if (!buf)
		return -ENOMEM;
	b->buf = buf;
	b->cap = cap;
	return 0;
}

struct writer *nl_batch_begin(struct nl_batch *b, uint16_t type, uint16_t flags)
{
	if (!b->error)
		b->error = make_room(b);
	if (b->error)
		b->w = (struct writer){.bad = true};
	else
		b->w = writer_of(b->buf + b->len, NL_BATCH_MSG_BYTES);
	nl_msg_begin(&b->w, type, flags | NLM_F_REQUEST);
	return &b->w;
}

void nl_batch_end(struct nl_batch *b)
{
	nl_msg_end(&b->w, 0);
	if (b->w.bad) {
		if (!b->error)
			b->error = -EMSGSIZE;
		return;
	}
	b->len += writer_len(&b->w);
	b->n++;
}

void nl_batch_reset(struct nl_batch *b)
{
	b->len = b->n = 0;
	b->error = 0;
}

void nl_batch_fini(struct nl_batch *b)
{
	mem_free(b->buf);
	*b = (struct nl_batch){0};
}
