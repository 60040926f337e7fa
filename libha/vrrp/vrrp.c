/* SPDX-License-Identifier: MIT */
/* The door of the engine: objects and entry points. */
#include "vrrp/auth.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/sized.h"

/* For what may change nothing that is frozen. */
static int look_in(struct ha_vrrp *v, uint64_t now_ns, struct vrrp_round *round)
{
	int r = vrrp_queue_enter(v->queue, round, false);

	if (!r && now_ns > v->now_ns)
		v->now_ns = now_ns;
	return r;
}

static int enter(struct ha_vrrp *v, uint64_t now_ns, struct vrrp_round *round)
{
	int r = vrrp_queue_enter(v->queue, round, true);

	if (r < 0)
		return r;
	if (now_ns > v->now_ns)
		v->now_ns = now_ns;
	v->revision++;
	return 0;
}

static int leave(struct ha_vrrp *v)
{
	vrrp_group_settle(v);
	vrrp_queue_drain(v->queue);
	return 0;
}

/* ---- making and freeing ---- */

static void free_all(struct ha_vrrp *v)
{
	mem_free((void *)(uintptr_t)v->opts.addresses);
	mem_free((void *)(uintptr_t)v->opts.peers);
	mem_free((void *)(uintptr_t)v->opts.peer_ttls);
	mem_wipe_free(v->key, v->n_keys * sizeof(*v->key));
	mem_wipe_free(v, sizeof(*v));
}

static int copy_list(const struct ha_ip **list, size_t n)
{
	if (!n) {
		*list = NULL;
		return 0;
	}
	*list = mem_dup(*list, n * sizeof(**list));
	return *list ? 0 : -ENOMEM;
}

static int own_keys(struct ha_vrrp *v)
{
	struct ha_vrrp_opts *o = &v->opts;
	const struct ha_vrrp_key *keys = o->keys;
	size_t n = o->n_keys;

	o->keys = NULL;
	o->n_keys = 0;
	if (!n)
		return 0;
	v->key = mem_zalloc(n * sizeof(*v->key));
	if (!v->key)
		return -ENOMEM;
	for (v->n_keys = 0; v->n_keys < n; v->n_keys++) {
		struct vrrp_key *k = &v->key[v->n_keys];

		k->id = keys[v->n_keys].id;
		k->len = (uint8_t)keys[v->n_keys].len;
		memcpy(k->secret, keys[v->n_keys].secret, k->len);
	}
	return 0;
}

static int own_secrets(struct ha_vrrp *v)
{
	struct ha_vrrp_opts *o = &v->opts;

	if (o->auth_pass) {
		v->wire.auth_type = 1;
		memcpy(v->wire.auth, o->auth_pass, strlen(o->auth_pass));
		o->auth_pass = NULL;
	}
	if (o->auth == HA_VRRP_AUTH_AH)
		v->wire.auth_type = 2;
	return own_keys(v);
}

/* The caller's lists become ours; password and keys move to where they are needed. */
static int own_opts(struct ha_vrrp *v)
{
	struct ha_vrrp_opts *o = &v->opts;
	const struct ha_ip *addresses = o->addresses, *peers = o->peers;
	const struct ha_vrrp_ttls *ttls = o->n_peers ? o->peer_ttls : NULL;
	int r;

	o->addresses = o->peers = NULL; /* the caller's: never freed here */
	o->peer_ttls = NULL;
	v->wire = (struct vrrp_wire){
	    .family = o->family,
	    .version = o->version,
	    .vrid = o->vrid,
	    .checksum = o->checksum,
	    .group = o->group,
	};
	v->wire2 = (struct vrrp_wire){.family = o->family, .version = 2, .vrid = o->vrid};
	v->wire.empty = v->wire2.empty = !o->n_addresses;
	r = own_secrets(v);
	if (r < 0)
		return r;
	o->addresses = addresses;
	r = copy_list(&o->addresses, o->n_addresses);
	if (r < 0)
		return r;
	o->peers = peers;
	r = copy_list(&o->peers, o->n_peers);
	if (r < 0 || !ttls)
		return r;
	o->peer_ttls = mem_dup(ttls, o->n_peers * sizeof(*ttls));
	return o->peer_ttls ? 0 : -ENOMEM;
}

int ha_vrrp_new(const struct ha_vrrp_opts *opts, const struct ha_vrrp_ops *ops, void *userdata,
		struct ha_vrrp **ret)
{
	struct ha_vrrp_opts own;
	struct ha_vrrp_ops own_ops;
	struct ha_vrrp *v;
	int r;

	r = sized_in(&own, sizeof(own), opts);
	if (!r)
		r = sized_in(&own_ops, sizeof(own_ops), ops);
	if (r < 0)
		return r;
	vrrp_opts_default(&own);
	if (vrrp_opts_check(&own) || !own_ops.send || !ret || (own.auth && !own_ops.hmac))
		return -EINVAL;
	v = mem_zalloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->opts = own;
	v->ops = own_ops;
	v->userdata = userdata;
	v->priority = own.priority;
	v->active_interval_cs = own.advert_interval_cs;
	v->timer_ns = v->announce_ns = v->reannounce_ns = HA_VRRP_NEVER;
	v->preempt_ns = v->restore_ns = HA_VRRP_NEVER;
	list_init(&v->in_group);
	v->queue = &v->own_queue;
	r = own_opts(v);
	if (r < 0) {
		free_all(v);
		return -ENOMEM;
	}
	*ret = v;
	return 0;
}

void ha_vrrp_free(struct ha_vrrp *v)
{
	if (!v)
		return;
	assert(!v->queue->busy);
	vrrp_group_leave(v);
	free_all(v);
}

/* ---- events ---- */

/* An event without anything else to it, told when it is over. */
static int raise_event(struct ha_vrrp *v, uint64_t now_ns, enum vrrp_event event)
{
	struct vrrp_round round;
	int r = enter(v, now_ns, &round);

	if (r < 0)
		return r;
	vrrp_fsm(v, event, NULL);
	return leave(v);
}

int ha_vrrp_start(struct ha_vrrp *v, uint64_t now_ns)
{
	if (!v)
		return -EINVAL;
	if (v->state != HA_VRRP_INITIALIZE)
		return -EALREADY;
	return raise_event(v, now_ns, VRRP_EV_STARTUP);
}

int ha_vrrp_stop(struct ha_vrrp *v, uint64_t now_ns)
{
	if (!v)
		return -EINVAL;
	if (v->state == HA_VRRP_INITIALIZE)
		return -EALREADY;
	return raise_event(v, now_ns, VRRP_EV_SHUTDOWN);
}

int ha_vrrp_receive(struct ha_vrrp *v, uint64_t now_ns, const struct ha_vrrp_meta *m,
		    const void *pkt, size_t len)
{
	struct vrrp_round round;
	struct vrrp_heard heard;
	struct ha_vrrp_meta meta;
	enum ha_vrrp_drop drop;
	int r;

	if (!v || (!pkt && len) || sized_in(&meta, sizeof(meta), m) < 0)
		return -EINVAL;
	r = look_in(v, now_ns, &round);
	if (r < 0)
		return r;
	heard.meta = &meta;
	drop = vrrp_check(v, &meta, pkt, len, &heard);
	if (drop) {
		struct vrrp_action *a = vrrp_push(v, VRRP_DROPPED);

		a->note.what = (int)drop;
		a->note.meta = &meta;
		v->stats.dropped[drop]++;
		vrrp_queue_drain(
		    v->queue); /* nothing changed, so the group has nothing to settle */
		return (int)drop;
	}
	v->revision++;
	v->stats.adverts_received++;
	if (heard.advert.priority == HA_VRRP_PRIORITY_RESIGN)
		v->stats.priority_zero_received++;
	if (heard.advert.version == 3 && v->wire.family == AF_INET)
		v->stats.checksums[heard.advert.checksum]++;
	vrrp_senders_note(v, &heard);
	if (v->opts.auth == HA_VRRP_AUTH_AH && heard.sequence > v->sequence)
		v->sequence = heard.sequence; /* keepalived counts all senders of a VRID as one */
	vrrp_fsm(v, VRRP_EV_ADVERT, &heard);
	return leave(v);
}

uint64_t ha_vrrp_deadline(const struct ha_vrrp *v)
{
	uint64_t first;

	if (!v)
		return HA_VRRP_NEVER;
	first = v->timer_ns;
	if (v->announce_ns < first)
		first = v->announce_ns;
	if (v->restore_ns < first)
		first = v->restore_ns;
	return v->reannounce_ns < first ? v->reannounce_ns : first;
}

int ha_vrrp_tick(struct ha_vrrp *v, uint64_t now_ns)
{
	struct vrrp_round round;
	int r;

	if (!v)
		return -EINVAL;
	r = look_in(v, now_ns, &round);
	if (r < 0)
		return r;
	if (!vrrp_keeps_beat(v))
		v->revision++;
	if (v->now_ns >= v->timer_ns) {
		uint64_t late_ns = v->now_ns - v->timer_ns;

		if (late_ns > v->stats.worst_late_ns && v->timer != VRRP_TIMER_NOW)
			v->stats.worst_late_ns = late_ns;
		/* Faults that were set before a thaw come first. */
		if (v->faults && v->state != HA_VRRP_FAULT)
			vrrp_fsm(v, VRRP_EV_FAULT, NULL);
		else
			vrrp_fsm(v, VRRP_EV_TIMER, NULL);
	}
	if (v->state == HA_VRRP_ACTIVE)
		vrrp_serve_announcements(v);
	if (v->now_ns >= v->restore_ns) {
		v->faults |= HA_VRRP_FAULT_ADDRESS;
		vrrp_fsm(v, VRRP_EV_FAULT, NULL);
	}
	return leave(v);
}

int ha_vrrp_set_priority(struct ha_vrrp *v, uint64_t now_ns, unsigned priority)
{
	struct vrrp_round round;
	int r;

	if (!v || !priority || priority >= HA_VRRP_PRIORITY_OWNER ||
	    v->opts.priority == HA_VRRP_PRIORITY_OWNER)
		return -EINVAL;
	r = enter(v, now_ns, &round);
	if (r < 0)
		return r;
	v->priority = (uint8_t)priority;
	vrrp_retime(v);
	return leave(v);
}

int ha_vrrp_set_fault(struct ha_vrrp *v, uint64_t now_ns, uint32_t bits, bool on)
{
	struct vrrp_round round;
	bool before, after;
	int r;

	if (!v || !bits || (bits & HA_VRRP_FAULT_GROUP))
		return -EINVAL;
	r = enter(v, now_ns, &round);
	if (r < 0)
		return r;
	before = v->faults != 0;
	v->faults = on ? v->faults | bits : v->faults & ~bits;
	after = v->faults != 0;
	if (before != after)
		vrrp_fsm(v, after ? VRRP_EV_FAULT : VRRP_EV_RECOVER, NULL);
	return leave(v);
}

int ha_vrrp_set_source(struct ha_vrrp *v, const struct ha_ip *source)
{
	if (!v || !source)
		return -EINVAL;
	if (source->family && source->family != v->opts.family)
		return -EINVAL;
	if (source->family == AF_INET6 && !v->opts.n_peers && !vrrp_ip_is_link_local(source))
		return -EINVAL;
	v->opts.source = *source;
	return 0;
}

int ha_vrrp_set_realtime_offset(struct ha_vrrp *v, uint64_t offset_ns)
{
	if (!v)
		return -EINVAL;
	v->opts.realtime_offset_ns = offset_ns;
	return 0;
}

int ha_vrrp_announce(struct ha_vrrp *v, uint64_t now_ns)
{
	struct vrrp_round round;
	int r;

	if (!v)
		return -EINVAL;
	r = enter(v, now_ns, &round);
	if (r < 0)
		return r;
	if (v->state == HA_VRRP_ACTIVE)
		vrrp_push(v, VRRP_ANNOUNCE)->repeat = v->opts.garp_repeat;
	return leave(v);
}

int ha_vrrp_set_held(struct ha_vrrp *v, uint64_t now_ns, bool held)
{
	struct vrrp_round round;
	int r;

	if (!v)
		return -EINVAL;
	r = enter(v, now_ns, &round);
	if (r < 0)
		return r;
	vrrp_held(v, held);
	return leave(v);
}

int ha_vrrp_hand_over(struct ha_vrrp *v, uint64_t now_ns)
{
	if (!v)
		return -EINVAL;
	if (v->state != HA_VRRP_ACTIVE || v->handover_ns)
		return -EALREADY;
	return raise_event(v, now_ns, VRRP_EV_HAND_OVER);
}

int ha_vrrp_peer_down(struct ha_vrrp *v, uint64_t now_ns, const struct ha_ip *peer)
{
	if (!v || !peer)
		return -EINVAL;
	if (!v->active.family || !ip_equal(&v->active, peer))
		return 0;
	return raise_event(v, now_ns, VRRP_EV_PEER_DOWN);
}

static bool claims_ours(const struct ha_vrrp *v, const struct ha_vrrp_sighting *s)
{
	uint8_t virtual_mac[6];

	ha_vrrp_mac(v->opts.family, v->opts.vrid, virtual_mac);
	if (!memcmp(s->mac, s->own_mac, sizeof(s->mac)) ||
	    !memcmp(s->mac, virtual_mac, sizeof(s->mac)))
		return false;
	for (size_t i = 0; i < v->opts.n_addresses; i++)
		if (ip_equal(&v->opts.addresses[i], &s->address))
			return true;
	return false;
}

int ha_vrrp_saw(struct ha_vrrp *v, uint64_t now_ns, const struct ha_vrrp_sighting *sighting)
{
	struct vrrp_round round;
	struct ha_vrrp_meta meta = {.size = sizeof(meta)};
	struct ha_vrrp_sighting s;
	int r = sized_in(&s, sizeof(s), sighting);

	if (r < 0 || !v)
		return v ? r : -EINVAL;
	r = look_in(v, now_ns, &round); /* not in a callback: the remark would outlive `meta` */
	if (r < 0)
		return r;
	if (v->state == HA_VRRP_ACTIVE && claims_ours(v, &s)) {
		v->revision++;
		meta.source = s.address;
		memcpy(meta.mac, s.mac, sizeof(meta.mac));
		vrrp_push_remark(v, HA_VRRP_REMARK_DUPLICATE, &meta);
		vrrp_reannounce(v);
	}
	return leave(v);
}

/* ---- asking ---- */

enum ha_vrrp_state ha_vrrp_state(const struct ha_vrrp *v)
{
	return v->state;
}

uint32_t ha_vrrp_revision(const struct ha_vrrp *v)
{
	return v->revision;
}

void *ha_vrrp_userdata(const struct ha_vrrp *v)
{
	return v->userdata;
}

const struct ha_vrrp_opts *ha_vrrp_opts(const struct ha_vrrp *v)
{
	return &v->opts;
}

int ha_vrrp_status(const struct ha_vrrp *v, struct ha_vrrp_status *ret)
{
	struct ha_vrrp_status s = {.state = HA_VRRP_INITIALIZE};

	if (!v)
		return -EINVAL;
	s.state = v->state;
	s.priority = v->priority;
	s.since_ns = v->since_ns;
	s.faults = v->faults;
	s.active = v->active;
	s.active_priority = v->active_priority;
	s.active_interval_cs = v->active_interval_cs;
	s.skew_ns = vrrp_skew_ns(v);
	s.down_ns = vrrp_down_ns(v);
	s.timer_ns = v->timer_ns;
	s.waits_for_group = v->ready;
	return sized_out(ret, &s, sizeof(s));
}

int ha_vrrp_stats(const struct ha_vrrp *v, struct ha_vrrp_stats *ret)
{
	struct ha_vrrp_stats all = {.size = sizeof(all)};
	const struct vrrp_stats *s;

	if (!v)
		return -EINVAL;
	s = &v->stats;
	all.became_active = s->became_active;
	all.left_active = s->left_active;
	all.adverts_sent = s->adverts_sent;
	all.adverts_received = s->adverts_received;
	all.priority_zero_sent = s->priority_zero_sent;
	all.priority_zero_received = s->priority_zero_received;
	all.replies_sent = s->replies_sent;
	all.replies_withheld = s->replies_withheld;
	all.send_errors = s->send_errors;
	all.worst_late_ns = s->worst_late_ns;
	memcpy(all.dropped, s->dropped, sizeof(s->dropped));
	memcpy(all.remarks, s->remarks, sizeof(s->remarks));
	memcpy(all.checksums, s->checksums, sizeof(s->checksums));
	return sized_out(ret, &all, sizeof(all));
}

void ha_vrrp_mac(uint8_t family, uint8_t vrid, uint8_t ret[6])
{
	const uint8_t mac[6] = {0, 0, 0x5e, 0, family == AF_INET6 ? 2 : 1, vrid};

	memcpy(ret, mac, sizeof(mac));
}
