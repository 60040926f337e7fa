/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/sized.h"
#include "net/handle.h"

/* Outcomes of a batch on their way into the caller's array of states. */
struct outcome {
	struct ha_net *n;
	bool (*is_already)(int error);
	int *status;	 /* the caller's, or NULL */
	size_t at;	 /* the element of message `message` */
	size_t message;	 /* elements that could not be sent have no message */
	int first;	 /* the first error that is one, */
	size_t first_at; /* and its message */
};

/* The place in the caller's array of the message `index`; they are asked for in ascending order. */
static int *status_of(struct outcome *o, size_t index)
{
	for (;; o->at++) {
		if (o->status[o->at] == -EINVAL)
			continue;
		if (o->message == index)
			return &o->status[o->at];
		o->message++;
	}
}

static void take_failure(void *userdata, size_t index, int error, const char *text)
{
	struct outcome *o = userdata;
	bool already = o->is_already(error);
	int *status = o->status ? status_of(o, index) : NULL;

	if (status) {
		*status = already ? HA_NET_ALREADY : error;
		o->at++;
		o->message++;
	}
	if (already || o->first)
		return;
	o->first = error;
	o->first_at = index;
	memcpy(o->n->text, text, strlen(text) + 1);
}

/* The place of the first element that cannot be asked for, or SIZE_MAX. */
static size_t build(struct ha_net *n, const struct net_change *how, const void *a, size_t stride,
		    size_t count, int *status)
{
	_Alignas(max_align_t) uint8_t own[NET_ITEM_BYTES];
	size_t invalid = SIZE_MAX;

	nl_batch_reset(&n->b);
	for (size_t i = 0; i < count; i++) {
		const void *given = (const uint8_t *)a + i * stride;
		size_t size;
		int r;

		memcpy(&size, given, sizeof(size));
		r = size == stride ? sized_in(own, how->bytes, given) : -EINVAL;
		if (!r)
			r = how->check(own);
		if (status)
			status[i] = r ? -EINVAL : 0;
		if (r) {
			invalid = invalid < i ? invalid : i;
			continue;
		}
		how->put(nl_batch_begin(&n->b, how->type, how->flags), own);
		nl_batch_end(&n->b);
	}
	return invalid;
}

int net_change(struct ha_net *n, const struct net_change *how, const void *a, size_t count,
	       int *ret_status)
{
	struct outcome o = {.n = n, .is_already = how->is_already, .status = ret_status};
	size_t invalid, stride;
	int r;

	if (!n || (count && !a) || count > HA_NET_BATCH_MAX)
		return -EINVAL;
	n->text[0] = 0;
	if (!count)
		return 0;
	memcpy(&stride, a, sizeof(stride));
	if (stride < sizeof(stride))
		return -EINVAL;
	invalid = build(n, how, a, stride, count, ret_status);
	r = nl_call(&n->c, &n->b, take_failure, &o);
	if (r < 0) {
		for (size_t i = 0; ret_status && i < count; i++)
			ret_status[i] = r;
		return r;
	}
	/* Before the first invalid element each has its message: their places are the same. */
	if (invalid == SIZE_MAX || (o.first && o.first_at < invalid))
		return o.first;
	n->text[0] = 0;
	return -EINVAL;
}
