/* SPDX-License-Identifier: MIT */
/* The door of the engine: objects, entry points, and the queue that tells after mutating. */
#include "bfd/object.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"

/* ---- the queue ---- */

struct bfd_action *bfd_push(struct ha_bfd *s, enum bfd_action_kind kind)
{
	struct bfd_action *a;

	assert(s->n_queue < BFD_QUEUE_SIZE); /* HA_BFD_MAX_ROUND sees to it */
	a = &s->queue[s->n_queue++];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	return a;
}

void bfd_push_remark(struct ha_bfd *s, enum ha_bfd_remark what)
{
	bfd_push(s, BFD_REMARK)->remark = what;
}

static void tell_remark(struct ha_bfd *s, enum ha_bfd_remark what)
{
	s->stats.remarks[what]++;
	if (s->ops.remark)
		s->ops.remark(s, what, s->userdata);
}

/* The latest state, whatever was queued when: RFC 5880 section 6.8.7. */
static void send_packet(struct ha_bfd *s, bool final)
{
	const struct bfd_packet p = {
	    .state = s->state,
	    .diag = s->diag,
	    .flags = (uint8_t)((final	  ? BFD_FINAL
				: s->poll ? BFD_POLL
					  : 0) |
			       (s->opts.independent ? BFD_INDEPENDENT : 0)),
	    .detect_mult = s->opts.detect_mult,
	    .my_discriminator = s->opts.discriminator,
	    .your_discriminator = s->remote.discriminator,
	    .desired_min_tx_us = s->desired_us,
	    .required_min_rx_us = s->required_us,
	};
	uint8_t buf[HA_BFD_PACKET_SIZE];
	ssize_t len = bfd_wire_encode(&p, buf, sizeof(buf));

	assert(len == HA_BFD_PACKET_SIZE);
	s->stats.sent++;
	if (p.flags & BFD_FINAL)
		s->stats.finals_sent++;
	if (p.flags & BFD_POLL) {
		s->stats.polls_sent++;
		s->poll_last_ns = s->now_ns;
		if (!s->poll_first_ns)
			s->poll_first_ns = s->now_ns;
	}
	if (s->ops.send(s, buf, (size_t)len, s->userdata) < 0) {
		s->stats.send_errors++;
		tell_remark(s, HA_BFD_REMARK_SEND_FAILED);
	}
}

static void tell(struct ha_bfd *s, const struct bfd_action *a)
{
	switch (a->kind) {
	case BFD_SEND:
		send_packet(s, a->final);
		break;
	case BFD_CHANGED:
		if (s->ops.changed)
			s->ops.changed(s, &a->change, s->userdata);
		break;
	case BFD_DROPPED:
		if (s->ops.dropped)
			s->ops.dropped(s, a->drop.reason, a->drop.meta, s->userdata);
		break;
	case BFD_REMARK:
		tell_remark(s, a->remark);
		break;
	}
}

static int enter(struct ha_bfd *s, uint64_t now_ns, bool in_callback)
{
	if (s->busy && (!in_callback || s->events > HA_BFD_MAX_ROUND))
		return -EBUSY;
	s->events++;
	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
	return 0;
}

/* The outermost call empties the queue; what callbacks cause is appended meanwhile. */
static int leave(struct ha_bfd *s)
{
	if (s->busy)
		return 0;
	s->busy = true;
	for (size_t i = 0; i < s->n_queue; i++)
		tell(s, &s->queue[i]);
	s->busy = false;
	s->n_queue = 0;
	s->events = 0;
	if (s->watcher)
		s->watcher(s->watcher_arg);
	return 0;
}

void bfd_watch(struct ha_bfd *s, void (*f)(void *arg), void *arg)
{
	s->watcher = f;
	s->watcher_arg = arg;
}

/* ---- making and freeing ---- */

int ha_bfd_new(const struct ha_bfd_opts *opts, const struct ha_bfd_ops *ops, void *userdata,
	       struct ha_bfd **ret)
{
	struct ha_bfd_opts own;
	struct ha_bfd_ops own_ops;
	struct ha_bfd *s;
	int r;

	r = sized_in(&own, sizeof(own), opts);
	if (!r)
		r = sized_in(&own_ops, sizeof(own_ops), ops);
	if (r < 0)
		return r;
	bfd_opts_default(&own);
	if (bfd_opts_check(&own) || !own_ops.send || !ret)
		return -EINVAL;
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->opts = own;
	s->ops = own_ops;
	s->userdata = userdata;
	s->random = own.seed ^ own.discriminator;
	bfd_timers_reset(s);
	*ret = s;
	return 0;
}

void ha_bfd_free(struct ha_bfd *s)
{
	if (!s)
		return;
	assert(!s->busy);
	assert(!s->watcher);
	mem_free(s);
}

/* ---- events ---- */

int ha_bfd_start(struct ha_bfd *s, uint64_t now_ns)
{
	int r;

	if (!s)
		return -EINVAL;
	if (s->running)
		return -EALREADY;
	r = enter(s, now_ns, true);
	if (r < 0)
		return r;
	bfd_timers_reset(s);
	s->running = true;
	if (s->admin_down)
		bfd_enter(s, HA_BFD_ADMIN_DOWN, HA_BFD_STARTED, s->admin_diag);
	else
		bfd_enter(s, HA_BFD_DOWN, HA_BFD_STARTED, HA_BFD_DIAG_NONE);
	return leave(s);
}

int ha_bfd_stop(struct ha_bfd *s, uint64_t now_ns)
{
	int r;

	if (!s)
		return -EINVAL;
	if (!s->running)
		return -EALREADY;
	r = enter(s, now_ns, true);
	if (r < 0)
		return r;
	s->reply_ns = 0; /* the last word is not held back */
	bfd_enter(s, HA_BFD_ADMIN_DOWN, HA_BFD_STOPPED,
		  s->admin_down ? s->admin_diag : HA_BFD_DIAG_ADMIN_DOWN);
	s->running = s->poll = s->owes_final = s->owes_news = false;
	bfd_timers_recompute(s);
	return leave(s);
}

int ha_bfd_receive(struct ha_bfd *s, uint64_t now_ns, const struct ha_bfd_meta *m, const void *pkt,
		   size_t len)
{
	struct bfd_packet p;
	struct ha_bfd_meta meta;
	enum ha_bfd_drop drop;
	int r;

	if (!s || (!pkt && len) || sized_in(&meta, sizeof(meta), m) < 0)
		return -EINVAL;
	r = enter(s, now_ns, false);
	if (r < 0)
		return r;
	drop = bfd_check(s, &meta, pkt, len, &p);
	if (!drop)
		drop = bfd_hear(s, &p);
	if (drop) {
		struct bfd_action *a = bfd_push(s, BFD_DROPPED);

		a->drop.reason = drop;
		a->drop.meta = &meta;
		s->stats.dropped[drop]++;
	} else {
		s->stats.received++;
	}
	leave(s);
	return (int)drop;
}

uint64_t ha_bfd_deadline(const struct ha_bfd *s)
{
	return s ? bfd_timers_due(s) : HA_BFD_NEVER;
}

int ha_bfd_tick(struct ha_bfd *s, uint64_t now_ns)
{
	uint64_t due_ns;
	int r;

	if (!s)
		return -EINVAL;
	r = enter(s, now_ns, false);
	if (r < 0)
		return r;
	due_ns = bfd_timers_due(s);
	if (due_ns && s->now_ns > due_ns && s->now_ns - due_ns > s->stats.worst_late_ns)
		s->stats.worst_late_ns = s->now_ns - due_ns;
	if (s->now_ns >= s->detect_at_ns)
		bfd_detection_expired(s);
	bfd_timers_serve(s);
	return leave(s);
}

int ha_bfd_set_timers(struct ha_bfd *s, uint64_t now_ns, const struct ha_bfd_timers *t)
{
	struct ha_bfd_timers own;
	int r = sized_in(&own, sizeof(own), t);

	if (r < 0 || !s)
		return s ? r : -EINVAL;
	if (!own.desired_min_tx_us)
		own.desired_min_tx_us = s->opts.desired_min_tx_us;
	if (!own.required_min_rx_us)
		own.required_min_rx_us = s->opts.required_min_rx_us;
	if (!own.detect_mult)
		own.detect_mult = s->opts.detect_mult;
	if (!bfd_interval_is_right(own.desired_min_tx_us) ||
	    !bfd_interval_is_right(own.required_min_rx_us))
		return -EINVAL;
	r = enter(s, now_ns, true);
	if (r < 0)
		return r;
	/* In Demand mode every change is polled, for no regular packet would carry it (6.6). */
	if (own.detect_mult != s->opts.detect_mult && bfd_remote_demands(s) && !s->poll) {
		s->poll = true;
		s->poll_first_ns = 0;
	}
	s->opts.desired_min_tx_us = own.desired_min_tx_us;
	s->opts.required_min_rx_us = own.required_min_rx_us;
	s->opts.detect_mult = own.detect_mult;
	if (s->running) {
		bfd_timers_take_up(s);
		bfd_timers_recompute(s);
		bfd_timers_serve(s);
	} else {
		bfd_timers_reset(s);
	}
	return leave(s);
}

int ha_bfd_set_admin_down(struct ha_bfd *s, uint64_t now_ns, bool down, uint8_t diag)
{
	int r;

	if (!s || diag >= HA_BFD_N_DIAGS)
		return -EINVAL;
	r = enter(s, now_ns, true);
	if (r < 0)
		return r;
	s->admin_diag = diag ? diag : HA_BFD_DIAG_ADMIN_DOWN;
	/* A new diagnostic is news, too. */
	if (s->admin_down != down || (s->running && down && s->diag != s->admin_diag)) {
		s->admin_down = down;
		if (s->running && down)
			bfd_enter(s, HA_BFD_ADMIN_DOWN, HA_BFD_ADMIN, s->admin_diag);
		else if (s->running)
			bfd_enter(s, HA_BFD_DOWN, HA_BFD_ADMIN, HA_BFD_DIAG_NONE);
	}
	return leave(s);
}

int ha_bfd_reset(struct ha_bfd *s, uint64_t now_ns)
{
	int r;

	if (!s)
		return -EINVAL;
	r = enter(s, now_ns, true);
	if (r < 0)
		return r;
	if (s->state == HA_BFD_INIT || s->state == HA_BFD_UP)
		bfd_enter(s, HA_BFD_DOWN, HA_BFD_FORWARDING_RESET, HA_BFD_DIAG_FORWARDING_RESET);
	return leave(s);
}

/* ---- asking ---- */

enum ha_bfd_state ha_bfd_state(const struct ha_bfd *s)
{
	return s->state;
}

void *ha_bfd_userdata(const struct ha_bfd *s)
{
	return s->userdata;
}

const struct ha_bfd_opts *ha_bfd_opts(const struct ha_bfd *s)
{
	return &s->opts;
}

int ha_bfd_status(const struct ha_bfd *s, struct ha_bfd_status *ret)
{
	struct ha_bfd_status st;

	if (!s)
		return -EINVAL;
	memset(&st, 0, sizeof(st));
	st.state = s->state;
	st.running = s->running;
	st.polling = s->poll;
	st.remote_demand = s->remote.demand;
	st.diag = s->diag;
	st.since_ns = s->since_ns;
	st.remote_state = s->remote.state;
	st.remote_diag = s->remote.diag;
	st.remote_detect_mult = s->remote.detect_mult;
	st.remote_discriminator = s->remote.discriminator;
	st.remote_desired_min_tx_us = s->remote.desired_min_tx_us;
	st.remote_required_min_rx_us = s->remote.detect_mult ? s->remote.required_min_rx_us : 0;
	st.desired_min_tx_us = s->desired_us;
	st.required_min_rx_us = s->required_us;
	st.tx_interval_ns = s->tx_interval_ns;
	st.detect_ns = s->detect_ns;
	st.detect_at_ns = s->detect_at_ns;
	return sized_out(ret, &st, sizeof(st));
}

int ha_bfd_stats(const struct ha_bfd *s, struct ha_bfd_stats *ret)
{
	return s ? sized_out(ret, &s->stats, sizeof(s->stats)) : -EINVAL;
}
