/* SPDX-License-Identifier: MIT */
/*
 * What the host is told, after mutating and in the RFC's order. An event queues its actions; the outermost
 * call drains them, and what callbacks cause is appended meanwhile. Adverts are made when they leave.
 */
#include "vrrp/auth.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct vrrp_action *vrrp_push(struct ha_vrrp *v, enum vrrp_action_kind kind)
{
	struct vrrp_queue *q = v->queue;
	struct vrrp_action *a;

	assert(q->n < q->cap); /* VRRP_ACTIONS_PER_EVENT and HA_VRRP_MAX_ROUND see to it */
	a = &q->at[q->n++];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	a->v = v;
	return a;
}

void vrrp_push_remark(struct ha_vrrp *v, enum ha_vrrp_remark what, const struct ha_vrrp_meta *meta)
{
	struct vrrp_action *a = vrrp_push(v, VRRP_REMARK);

	a->note.what = (int)what;
	a->note.meta = meta;
}

int vrrp_queue_enter(struct vrrp_queue *q, struct vrrp_round *round, bool in_callback)
{
	if (q->busy && (!in_callback || q->events > HA_VRRP_MAX_ROUND))
		return -EBUSY;
	if (!q->busy && !q->lasting) {
		q->at = round->at;
		q->cap = VRRP_QUEUE_SIZE(1);
	}
	q->events++;
	return 0;
}

static void tell_remark(struct ha_vrrp *v, enum ha_vrrp_remark what, const struct ha_vrrp_meta *m)
{
	v->stats.remarks[what]++;
	if (v->ops.remark)
		v->ops.remark(v, what, m, v->userdata);
}

static int send_as(struct ha_vrrp *v, const struct vrrp_wire *wire, struct vrrp_wire_out *out,
		   const struct ha_ip *destination)
{
	uint8_t buf[HA_VRRP_MAX_ADVERT];
	size_t head = vrrp_auth_head(v);
	ssize_t len;
	int r;

	len = vrrp_wire_encode(wire, out, buf + head, sizeof(buf) - head);
	assert(len > 0);
	len = vrrp_auth_seal(v, out, buf, sizeof(buf), (size_t)len);
	r = (int)len;
	if (len >= 0)
		r = v->ops.send(v, destination, buf, (size_t)len, v->userdata);
	if (r < 0)
		v->stats.send_errors++;
	return r;
}

/* To a peer, or to the group (NULL). */
static int send_to(struct ha_vrrp *v, struct vrrp_wire_out *out, const struct ha_ip *peer)
{
	const struct ha_ip *destination = peer ? peer : &v->opts.group;
	int r;

	out->destination = *destination;
	out->checksum = vrrp_senders_checksum(v, peer);
	r = send_as(v, &v->wire, out, destination);
	if (v->opts.v2_too && send_as(v, &v->wire2, out, destination) < 0 && !r)
		r = -EIO;
	return r;
}

static void send_advert(struct ha_vrrp *v, uint8_t priority)
{
	const struct ha_vrrp_opts *o = &v->opts;
	struct vrrp_wire_out out = {
	    .priority = priority,
	    .interval_cs = o->advert_interval_cs,
	    .source = o->source,
	    .addresses = o->addresses,
	    .n_addresses = o->n_addresses,
	};
	bool failed = false;

	if (!o->source.family) {
		v->stats.send_errors++;
		tell_remark(v, HA_VRRP_REMARK_NO_SOURCE, NULL);
		return;
	}
	v->stats.adverts_sent++;
	if (priority == HA_VRRP_PRIORITY_RESIGN)
		v->stats.priority_zero_sent++;
	if (!o->n_peers)
		failed = send_to(v, &out, NULL) < 0;
	for (size_t i = 0; i < o->n_peers; i++)
		failed |= send_to(v, &out, &o->peers[i]) < 0;
	if (failed)
		tell_remark(v, HA_VRRP_REMARK_SEND_FAILED, NULL);
}

static void tell(const struct vrrp_action *a)
{
	struct ha_vrrp *v = a->v;
	bool accept = v->opts.priority == HA_VRRP_PRIORITY_OWNER || !v->opts.no_accept;

	switch (a->kind) {
	case VRRP_SEND:
		send_advert(v, a->priority);
		break;
	case VRRP_ADDRESSES:
		if (v->ops.addresses)
			v->ops.addresses(v, a->up, accept, v->userdata);
		break;
	case VRRP_ANNOUNCE:
		if (v->ops.announce)
			v->ops.announce(v, a->repeat, v->userdata);
		break;
	case VRRP_CHANGED:
		if (v->ops.changed)
			v->ops.changed(v, &a->change, v->userdata);
		break;
	case VRRP_DROPPED:
		if (v->ops.dropped)
			v->ops.dropped(v, a->note.what, a->note.meta, v->userdata);
		break;
	case VRRP_REMARK:
		tell_remark(v, a->note.what, a->note.meta);
		break;
	case VRRP_GROUP_CHANGED:
		vrrp_group_tell(a);
		break;
	}
}

void vrrp_queue_drain(struct vrrp_queue *q)
{
	if (q->busy)
		return;
	q->busy = true;
	for (size_t i = 0; i < q->n; i++)
		tell(&q->at[i]);
	q->busy = false;
	q->at = q->lasting;
	q->n = 0;
	q->events = 0;
}
