/* SPDX-License-Identifier: MIT */
/*
 * Intervals and what is due: RFC 5880 sections 6.5 (Poll Sequence), 6.8.2 to 6.8.4 (timers), 6.8.7
 * (transmitting).
 *
 * Three values of an interval: what is wanted (opts), what we say (desired_us, required_us) and
 * what is in force (tx_in_use_us, rx_in_use_us). While Up they may differ for the length of a Poll
 * Sequence: the neighbour must know of a slower beat before it begins and must have taken up a
 * faster one before it is relied on.
 */
#include "bfd/object.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* ---- the neighbour's part ---- */

void bfd_remote_forget(struct ha_bfd *s)
{
	s->remote = (struct bfd_remote){.state = HA_BFD_DOWN, .required_min_rx_us = 1};
}

bool bfd_remote_demands(const struct ha_bfd *s)
{
	return s->remote.demand && s->state == HA_BFD_UP && s->remote.state == HA_BFD_UP;
}

static bool may_send(const struct ha_bfd *s)
{
	return s->running && (!s->opts.passive || s->remote.discriminator);
}

static bool sends_regularly(const struct ha_bfd *s)
{
	return may_send(s) && s->remote.required_min_rx_us && (!bfd_remote_demands(s) || s->poll);
}

/* ---- jitter ---- */

/* SplitMix64: small, and its whole state is frozen with the session. */
static uint64_t draw(struct ha_bfd *s, uint64_t n)
{
	uint64_t x = s->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % n;
}

/* 75 to 100 % of the interval; with a multiplier of 1 at most 90 %, for it has no other slack. */
static uint64_t jittered(struct ha_bfd *s, uint64_t ns)
{
	uint64_t longest = s->opts.detect_mult == 1 ? ns - ns / 10 : ns;

	return longest - draw(s, longest - (ns - ns / 4) + 1);
}

static void draw_next(struct ha_bfd *s)
{
	s->tx_ns = s->sent_ns ? s->sent_ns + jittered(s, s->tx_interval_ns) : s->now_ns;
	if (s->tx_ns < s->now_ns)
		s->tx_ns = s->now_ns;
}

/* ---- what is wanted, said and in force ---- */

static uint32_t wanted_tx(const struct ha_bfd *s)
{
	uint32_t us = s->opts.desired_min_tx_us;

	return s->state == HA_BFD_UP ? us : larger(us, s->opts.idle_tx_us);
}

static bool says_something_else(const struct ha_bfd *s)
{
	return s->desired_us != wanted_tx(s) || s->required_us != s->opts.required_min_rx_us;
}

void bfd_timers_reset(struct ha_bfd *s)
{
	bfd_remote_forget(s);
	s->desired_us = s->tx_in_use_us = larger(s->opts.desired_min_tx_us, s->opts.idle_tx_us);
	s->required_us = s->rx_in_use_us = s->opts.required_min_rx_us;
	s->sent_ns = s->tx_interval_ns = s->heard_ns = s->detect_ns = 0;
	s->tx_ns = s->detect_at_ns = HA_BFD_NEVER;
	s->owes_final = s->owes_news = s->poll = false;
	s->poll_first_ns = s->poll_last_ns = s->poll_quiet_ns = s->reply_ns = 0;
}

void bfd_timers_take_up(struct ha_bfd *s)
{
	bool up = s->state == HA_BFD_UP;

	if (says_something_else(s)) {
		/* Two changes in one Poll Sequence: whose end would the F bit be? (6.8.3) */
		if (up && (s->poll || s->now_ns < s->poll_quiet_ns))
			return;
		s->desired_us = wanted_tx(s);
		s->required_us = s->opts.required_min_rx_us;
		s->poll = true;
		s->poll_first_ns = 0;
	}
	if (!up || s->desired_us < s->tx_in_use_us)
		s->tx_in_use_us = s->desired_us;
	if (!up || s->required_us > s->rx_in_use_us)
		s->rx_in_use_us = s->required_us;
}

void bfd_poll_ends(struct ha_bfd *s)
{
	uint64_t took_ns = s->now_ns - s->poll_first_ns;

	if (!s->poll || !s->poll_first_ns)
		return;
	s->poll = false;
	s->tx_in_use_us = s->desired_us;
	s->rx_in_use_us = s->required_us;
	/*
	 * A round trip after its last packet, of which answers may still come: no more than the
	 * whole took, and less than a Detection Time, else it could not have succeeded (6.5).
	 */
	if (took_ns > s->detect_ns)
		took_ns = s->detect_ns;
	s->poll_quiet_ns = s->poll_last_ns + took_ns;
	bfd_timers_take_up(s);
}

void bfd_timers_recompute(struct ha_bfd *s)
{
	uint64_t interval_ns = 0;

	if (sends_regularly(s))
		interval_ns = larger(s->tx_in_use_us, s->remote.required_min_rx_us) * BFD_NS_PER_US;
	if (interval_ns != s->tx_interval_ns) {
		s->tx_interval_ns = interval_ns;
		if (interval_ns)
			draw_next(s);
		else
			s->tx_ns = HA_BFD_NEVER;
	}
	s->detect_ns = s->remote.detect_mult *
		       (larger(s->rx_in_use_us, s->remote.desired_min_tx_us) * BFD_NS_PER_US);
	s->detect_at_ns = s->running && s->detect_ns ? s->heard_ns + s->detect_ns : HA_BFD_NEVER;
}

/* ---- what is due ---- */

/*
 * A Final and a new state do not wait for their turn, but a neighbour that asks without end gets
 * BFD_REPLY_BURST answers and then one in 10 ms, or in bfd.DesiredMinTxInterval when that is
 * shorter (section 6.8.7). The others are merged, not lost.
 */
static uint64_t reply_gap_ns(const struct ha_bfd *s)
{
	uint32_t us = s->desired_us < BFD_REPLY_GAP_US ? s->desired_us : BFD_REPLY_GAP_US;

	return us * BFD_NS_PER_US;
}

static uint64_t reply_due(const struct ha_bfd *s)
{
	uint64_t slack_ns = (BFD_REPLY_BURST - 1) * reply_gap_ns(s);

	if (!may_send(s) || !(s->owes_final || s->owes_news))
		return HA_BFD_NEVER;
	return s->reply_ns > slack_ns ? s->reply_ns - slack_ns : 0;
}

static uint64_t change_due(const struct ha_bfd *s)
{
	return s->running && !s->poll && says_something_else(s) ? s->poll_quiet_ns : HA_BFD_NEVER;
}

uint64_t bfd_timers_due(const struct ha_bfd *s)
{
	uint64_t due = s->tx_ns, reply_ns = reply_due(s), change_ns = change_due(s);

	if (s->detect_at_ns < due)
		due = s->detect_at_ns;
	if (reply_ns < due)
		due = reply_ns;
	return change_ns < due ? change_ns : due;
}

/* Sent beside the beat, it begins the beat anew: what follows a packet never comes too soon. */
static void send_state(struct ha_bfd *s, bool final)
{
	bfd_push(s, BFD_SEND)->final = final;
	s->owes_news = false;
	s->sent_ns = s->now_ns;
	if (s->tx_interval_ns)
		draw_next(s);
}

void bfd_timers_serve(struct ha_bfd *s)
{
	if (s->now_ns >= change_due(s)) {
		bfd_timers_take_up(s);
		bfd_timers_recompute(s);
	}
	if (s->now_ns >= s->tx_ns)
		send_state(s, false);
	if (s->now_ns >= reply_due(s)) {
		if (s->reply_ns < s->now_ns)
			s->reply_ns = s->now_ns;
		s->reply_ns += reply_gap_ns(s);
		if (s->owes_news)
			send_state(s, s->owes_final);
		else
			bfd_push(s, BFD_SEND)->final = true;
		s->owes_final = false;
	}
}
