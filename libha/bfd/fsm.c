/* SPDX-License-Identifier: MIT */
/* The state machine: RFC 5880 sections 6.2, 6.8.4, 6.8.6. */
#include "bfd/object.h"

void bfd_enter(struct ha_bfd *s, enum ha_bfd_state to, enum ha_bfd_reason reason, uint8_t diag)
{
	enum ha_bfd_state from = s->state;
	struct ha_bfd_change *c;

	s->state = to;
	s->diag = diag;
	s->since_ns = s->now_ns;
	if (from == HA_BFD_UP)
		s->stats.left_up++;
	if (to == HA_BFD_UP)
		s->stats.became_up++;
	s->owes_news = true;
	bfd_timers_take_up(s);
	bfd_timers_recompute(s);
	bfd_timers_serve(s);
	c = &bfd_push(s, BFD_CHANGED)->change;
	c->from = from;
	c->to = to;
	c->reason = reason;
	c->remote_state = s->remote.state;
	c->diag = diag;
	c->remote_diag = s->remote.diag;
}

/* The table of section 6.8.6; AdminDown of our own was seen to before. */
static void advance(struct ha_bfd *s, enum ha_bfd_state received)
{
	switch (s->state) {
	case HA_BFD_DOWN:
		if (received == HA_BFD_DOWN)
			bfd_enter(s, HA_BFD_INIT, HA_BFD_HANDSHAKE, s->diag);
		else if (received == HA_BFD_INIT)
			bfd_enter(s, HA_BFD_UP, HA_BFD_HANDSHAKE, HA_BFD_DIAG_NONE);
		break;
	case HA_BFD_INIT:
		if (received == HA_BFD_INIT || received == HA_BFD_UP)
			bfd_enter(s, HA_BFD_UP, HA_BFD_HANDSHAKE, HA_BFD_DIAG_NONE);
		else if (received == HA_BFD_ADMIN_DOWN)
			bfd_enter(s, HA_BFD_DOWN, HA_BFD_NEIGHBOR_ADMIN_DOWN,
				  HA_BFD_DIAG_NEIGHBOR_DOWN);
		break;
	case HA_BFD_UP:
		if (received == HA_BFD_DOWN)
			bfd_enter(s, HA_BFD_DOWN, HA_BFD_NEIGHBOR_DOWN, HA_BFD_DIAG_NEIGHBOR_DOWN);
		else if (received == HA_BFD_ADMIN_DOWN)
			bfd_enter(s, HA_BFD_DOWN, HA_BFD_NEIGHBOR_ADMIN_DOWN,
				  HA_BFD_DIAG_NEIGHBOR_DOWN);
		break;
	case HA_BFD_ADMIN_DOWN:
		break;
	}
}

static void note_remote(struct ha_bfd *s, const struct bfd_packet *p)
{
	if (s->remote.discriminator && s->remote.discriminator != p->my_discriminator)
		bfd_push_remark(s, HA_BFD_REMARK_DISCRIMINATOR);
	if (s->state == HA_BFD_UP && s->now_ns - s->heard_ns > s->stats.longest_gap_ns)
		s->stats.longest_gap_ns = s->now_ns - s->heard_ns;
	s->heard_ns = s->now_ns;
	s->remote = (struct bfd_remote){
	    .discriminator = p->my_discriminator,
	    .state = p->state,
	    .demand = p->flags & BFD_DEMAND,
	    .diag = p->diag,
	    .detect_mult = p->detect_mult,
	    .required_min_rx_us = p->required_min_rx_us,
	    .desired_min_tx_us = p->desired_min_tx_us,
	};
}

/* A packet that passed bfd_check, in the order of section 6.8.6. */
enum ha_bfd_drop bfd_hear(struct ha_bfd *s, const struct bfd_packet *p)
{
	uint64_t tx_interval_ns = s->tx_interval_ns, detect_ns = s->detect_ns;

	note_remote(s, p);
	if (p->flags & BFD_FINAL)
		bfd_poll_ends(s);
	else if (!bfd_remote_demands(s))
		s->poll_quiet_ns = 0; /* no Final of the last Poll Sequence is on its way (6.8.3) */
	bfd_timers_recompute(s);
	if (s->state == HA_BFD_ADMIN_DOWN)
		return HA_BFD_DROP_ADMIN_DOWN;
	if (p->flags & BFD_POLL)
		s->owes_final = true; /* the packet that tells a new state may be the answer */
	advance(s, p->state);
	bfd_timers_recompute(s); /* the neighbour's Demand mode may have become active */
	if (s->state == HA_BFD_UP &&
	    (s->tx_interval_ns != tx_interval_ns || s->detect_ns != detect_ns))
		bfd_push_remark(s, HA_BFD_REMARK_TIMERS);
	bfd_timers_serve(s);
	return HA_BFD_DROP_NONE;
}

/* Section 6.8.4; what was known of the neighbour is void with it (bfd.RemoteDiscr, 6.8.1). */
void bfd_detection_expired(struct ha_bfd *s)
{
	bfd_remote_forget(s);
	if (s->state == HA_BFD_INIT || s->state == HA_BFD_UP)
		bfd_enter(s, HA_BFD_DOWN, HA_BFD_TIMEOUT, HA_BFD_DIAG_TIME_EXPIRED);
	else
		bfd_timers_recompute(s);
}
