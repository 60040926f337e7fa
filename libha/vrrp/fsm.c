/* SPDX-License-Identifier: MIT */
/*
 * The state machine of RFC 9568 section 6.4 (RFC 3768 section 6.4 for version 2), to be laid beside
 * it: state, event, actions in order. Only an accepted advert that matters to the state reaches a
 * timer or a learned value. What the RFC does not know (Fault, sync groups, preempt delay) is
 * marked "local".
 */
#include "vrrp/object.h"

#include <assert.h>

static uint64_t interval_ns(const struct ha_vrrp *v)
{
	return v->active_interval_cs * VRRP_NS_PER_CS;
}

static uint64_t own_interval_ns(const struct ha_vrrp *v)
{
	return v->opts.advert_interval_cs * VRRP_NS_PER_CS;
}

/* RFC 9568 section 6.1: a share of the Active's interval. RFC 3768 section 6.1: a share of a
 * second. */
uint64_t vrrp_skew_ns(const struct ha_vrrp *v)
{
	uint64_t whole = v->opts.version == 2 ? VRRP_NS_PER_S : interval_ns(v);

	return (256u - v->priority) * whole / 256;
}

uint64_t vrrp_down_ns(const struct ha_vrrp *v)
{
	return v->opts.down_timer_adverts * interval_ns(v) + vrrp_skew_ns(v);
}

static void cancel_timer(struct ha_vrrp *v)
{
	v->timer = VRRP_TIMER_NONE;
	v->timer_ns = HA_VRRP_NEVER;
}

static void set_timer(struct ha_vrrp *v, enum vrrp_timer_kind kind, uint64_t start_ns,
		      uint64_t length_ns)
{
	v->timer = kind;
	v->timer_start_ns = start_ns;
	v->timer_ns = start_ns + length_ns;
}

static void set_down_timer(struct ha_vrrp *v)
{
	set_timer(v, VRRP_TIMER_DOWN, v->now_ns, vrrp_down_ns(v));
	v->relistened = false;
	v->heard_lower = false;
	v->ready = false;
}

void vrrp_retime(struct ha_vrrp *v)
{
	if (v->relistened || v->timer_ns <= v->now_ns)
		return; /* it has run out already */
	if (v->timer == VRRP_TIMER_DOWN)
		v->timer_ns = v->timer_start_ns + vrrp_down_ns(v);
	else if (v->timer == VRRP_TIMER_SKEW || v->timer == VRRP_TIMER_PEER)
		v->timer_ns = v->timer_start_ns + vrrp_skew_ns(v);
	if (v->timer_ns < v->now_ns)
		v->timer_ns = v->now_ns; /* due, not late */
}

static void send_advert(struct ha_vrrp *v, uint8_t priority)
{
	vrrp_push(v, VRRP_SEND)->priority = priority;
}

static void announce(struct ha_vrrp *v, uint8_t repeat)
{
	vrrp_push(v, VRRP_ANNOUNCE)->repeat = repeat;
}

static uint64_t after(uint64_t now_ns, uint64_t delay_ns)
{
	return delay_ns > HA_VRRP_NEVER - now_ns ? HA_VRRP_NEVER : now_ns + delay_ns;
}

/* A second time after a losing advert, unless neighbours are told sooner anyhow. */
static void announce_again(struct ha_vrrp *v)
{
	uint64_t at = after(v->now_ns, v->opts.garp_lower_delay_ns);

	if (!v->opts.garp_lower_delay_ns || at >= v->announce_ns)
		return;
	v->announce_second = false;
	v->announce_lower = true;
	v->announce_ns = at;
}

void vrrp_serve_announcements(struct ha_vrrp *v)
{
	const struct ha_vrrp_opts *o = &v->opts;

	if (v->now_ns >= v->reannounce_ns) {
		announce(v, o->garp_lower_repeat);
		v->reannounce_ns = HA_VRRP_NEVER;
		v->reannounced_ns = v->now_ns + VRRP_REANNOUNCE_GAP_NS;
		announce_again(v);
	}
	if (v->now_ns >= v->announce_ns) {
		announce(v, v->announce_second  ? o->garp_repeat
			    : v->announce_lower ? o->garp_lower_repeat
						: o->garp_refresh_repeat);
		v->announce_second = v->announce_lower = false;
		v->announce_ns =
		    o->garp_refresh_ns ? after(v->now_ns, o->garp_refresh_ns) : HA_VRRP_NEVER;
	}
}

/* Every change of state goes through here. */
static void change_state(struct ha_vrrp *v, enum ha_vrrp_state to, enum ha_vrrp_reason reason,
			 const struct vrrp_heard *heard)
{
	struct ha_vrrp_change *c;

	assert(to != v->state);
	c = &vrrp_push(v, VRRP_CHANGED)->change;
	*c = (struct ha_vrrp_change){.from = v->state, .to = to, .reason = reason};
	if (heard) {
		c->peer = heard->meta->source;
		c->peer_priority = heard->advert.priority;
	}
	v->state = to;
	v->since_ns = v->now_ns;
	v->revision++;
}

/* RFC 9568 6.4.1 and 6.4.2: advert, ARP or NA, Adver_Timer, Active. */
static void become_active(struct ha_vrrp *v, enum ha_vrrp_reason reason)
{
	const struct ha_vrrp_opts *o = &v->opts;

	send_advert(v, v->priority);
	vrrp_push(v, VRRP_ADDRESSES)->up = true;
	announce(v, o->garp_repeat);
	v->announce_lower = false;
	v->announce_second = o->garp_delay_ns != HA_VRRP_NEVER;
	if (v->announce_second)
		v->announce_ns = after(v->now_ns, o->garp_delay_ns);
	else if (o->garp_refresh_ns)
		v->announce_ns = after(v->now_ns, o->garp_refresh_ns);
	if (v->heard_lower) /* the one that loses may have been announcing while we did (local) */
		v->reannounce_ns = after(v->now_ns, VRRP_REANNOUNCE_GAP_NS);
	v->active_interval_cs = o->advert_interval_cs; /* what was learned ends here */
	v->active = (struct ha_ip){0};
	v->active_priority = 0;
	v->ready = v->stands_by = v->relistened = false;
	v->preempt_ns = v->restore_ns = HA_VRRP_NEVER;
	v->tie_ns = v->handover_ns = 0;
	set_timer(v, VRRP_TIMER_ADVERT, v->now_ns, own_interval_ns(v));
	v->stats.became_active++;
	change_state(v, HA_VRRP_ACTIVE, reason, NULL);
}

/* Gives up the addresses before anything else (RFC 9568 6.4.3), and resigns if nobody made it. */
static void leave_active(struct ha_vrrp *v, bool resign)
{
	vrrp_push(v, VRRP_ADDRESSES)->up = false;
	if (resign)
		send_advert(v, HA_VRRP_PRIORITY_RESIGN);
	v->announce_ns = v->reannounce_ns = v->restore_ns = HA_VRRP_NEVER;
	v->handover_ns = 0;
	v->stats.left_active++;
}

static void become_backup(struct ha_vrrp *v, enum ha_vrrp_reason reason,
			  const struct vrrp_heard *heard)
{
	v->preempt_ns = HA_VRRP_NEVER;
	set_down_timer(v);
	change_state(v, HA_VRRP_BACKUP, reason, heard);
}

/* Nothing stands against it but, perhaps, its group (local). */
static void elect(struct ha_vrrp *v, enum ha_vrrp_reason reason)
{
	if (vrrp_group_permits(v)) {
		become_active(v, reason);
		return;
	}
	if (v->state != HA_VRRP_BACKUP)
		become_backup(v, reason, NULL);
	cancel_timer(v);
	v->ready = true;
}

/* RFC 9568 6.4.1: on Startup, and (local) when the last fault is gone. */
static void startup(struct ha_vrrp *v, enum ha_vrrp_reason reason)
{
	v->active_interval_cs = v->opts.advert_interval_cs;
	v->stands_by = false;
	cancel_timer(v);
	if (v->faults)
		change_state(v, HA_VRRP_FAULT, HA_VRRP_FAULTED, NULL);
	else if (v->priority == HA_VRRP_PRIORITY_OWNER)
		elect(v, HA_VRRP_OWNER);
	else
		become_backup(v, reason, NULL);
}

/* Takes the interval that an accepted Active advertises, within the configured bounds. */
static void learn(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	uint16_t cs = heard->advert.interval_cs;

	if (cs < v->opts.learn_min_cs)
		cs = v->opts.learn_min_cs;
	if (cs > v->opts.learn_max_cs)
		cs = v->opts.learn_max_cs;
	v->active_interval_cs = cs;
}

/* What to tell of an accepted advert; no influence on anything. */
static void remark(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	const struct vrrp_advert *adv = &heard->advert;

	if (adv->interval_cs != v->opts.advert_interval_cs)
		vrrp_push_remark(v, HA_VRRP_REMARK_INTERVAL, heard->meta);
	if (adv->version == 3 && !vrrp_check_same_addresses(v, adv))
		vrrp_push_remark(v, HA_VRRP_REMARK_ADDRESS_LIST, heard->meta);
	if (adv->version == 3 && adv->checksum != v->wire.checksum)
		vrrp_push_remark(v, HA_VRRP_REMARK_CHECKSUM_FORM, heard->meta);
	if (adv->priority == v->priority)
		vrrp_push_remark(v,
				 adv->priority == HA_VRRP_PRIORITY_OWNER
				     ? HA_VRRP_REMARK_SECOND_OWNER
				     : HA_VRRP_REMARK_EQUAL_PRIORITY,
				 heard->meta);
}

/* Preempt_Mode is false for this Active: set so, or (local) still inside preempt_delay. */
static bool tolerates(struct ha_vrrp *v)
{
	if (v->priority == HA_VRRP_PRIORITY_OWNER)
		return false;
	if (v->opts.no_preempt || v->stands_by)
		return true;
	if (!v->opts.preempt_delay_ns)
		return false;
	if (v->preempt_ns == HA_VRRP_NEVER)
		v->preempt_ns = after(v->now_ns, v->opts.preempt_delay_ns);
	return v->now_ns < v->preempt_ns;
}

/* Skew_Time, but never later than the timer stands: a flood does not hold it. */
static void shorten_down_timer(struct ha_vrrp *v, enum vrrp_timer_kind kind)
{
	if (v->now_ns + vrrp_skew_ns(v) < v->timer_ns && !v->ready)
		set_timer(v, kind, v->now_ns, vrrp_skew_ns(v));
}

/* RFC 9568 6.4.2 */
static void backup_hears(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	uint8_t priority = heard->advert.priority;

	if (priority == HA_VRRP_PRIORITY_RESIGN) {
		shorten_down_timer(v, VRRP_TIMER_SKEW);
	} else if (priority >= v->priority || tolerates(v)) {
		if (priority >= v->priority)
			v->preempt_ns = HA_VRRP_NEVER;
		vrrp_senders_missed(v, heard);
		learn(v, heard);
		set_down_timer(v);
		v->active = heard->meta->source;
		v->active_priority = priority;
	} else {
		v->heard_lower = true; /* discarded; the timer runs on */
	}
}

static enum ha_vrrp_reason timer_reason(const struct ha_vrrp *v)
{
	if (v->priority == HA_VRRP_PRIORITY_OWNER)
		return HA_VRRP_OWNER;
	if (v->timer == VRRP_TIMER_SKEW)
		return HA_VRRP_RESIGNED;
	if (v->timer == VRRP_TIMER_PEER)
		return HA_VRRP_PEER_DOWN;
	return v->heard_lower ? HA_VRRP_PREEMPTED : HA_VRRP_TIMEOUT;
}

/*
 * Active_Down_Timer. If it was served late, the adverts that would have stopped it may still wait
 * to be read: listen for one more interval, once, instead of making a second Active (local).
 */
static void down_timer_fires(struct ha_vrrp *v)
{
	uint64_t late_ns = v->now_ns - v->timer_ns;

	if (late_ns > interval_ns(v) / 2 && !v->relistened && v->timer != VRRP_TIMER_NOW) {
		v->relistened = true;
		v->timer_ns = v->now_ns + interval_ns(v);
		vrrp_push_remark(v, HA_VRRP_REMARK_LATE, NULL);
		return;
	}
	elect(v, timer_reason(v));
}

/* Neighbours may have learned the other one: tell them again (local); what waits after a preemption is put off by that. */
void vrrp_reannounce(struct ha_vrrp *v)
{
	const bool waits = v->reannounce_ns != HA_VRRP_NEVER && v->now_ns < v->reannounce_ns;
	const uint64_t soon = v->now_ns > v->reannounced_ns ? v->now_ns : v->reannounced_ns;

	if (soon < v->reannounce_ns)
		v->reannounce_ns = soon;
	vrrp_serve_announcements(v);
	if (waits && v->reannounce_ns == HA_VRRP_NEVER)
		v->reannounce_ns = v->reannounced_ns;
}

/* The losing advert is discarded and answered at once: RFC 9568 6.4.3, new there. */
static void assert_active(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	vrrp_push_remark(v, HA_VRRP_REMARK_LOSING_ADVERT, heard->meta);
	if (!v->opts.no_reply && v->restore_ns == HA_VRRP_NEVER) {
		if (v->now_ns >= v->replied_ns) {
			send_advert(v, v->priority);
			v->replied_ns = v->now_ns + VRRP_REPLY_GAP_NS;
			v->stats.replies_sent++;
		} else {
			v->stats.replies_withheld++;
		}
	}
	vrrp_reannounce(v);
}

/* RFC 9568 6.4.3: a higher priority wins, and among equal ones the higher address. */
static bool wins(const struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	if (heard->advert.priority != v->priority)
		return heard->advert.priority > v->priority;
	return ha_ip_compare(&heard->meta->source, &v->opts.source) > 0;
}

/*
 * Two groups of one priority would each lose on one link, and fall for ever, if the addresses stand the
 * other way round there. So the first link decides such a tie for all (local); only when it has not for a
 * whole Active_Down_Interval, as it may be cut, each link decides its own.
 */
static bool first_link_decides(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	uint64_t down_ns = vrrp_down_ns(v);

	if (heard->advert.priority != v->priority || !v->group || vrrp_group_is_first(v))
		return false;
	if (v->now_ns >= after(v->tie_ns, 2 * down_ns))
		v->tie_ns = v->now_ns;
	return v->now_ns < after(v->tie_ns, down_ns);
}

/* The Active of another router: this one yields to it. */
static void yield_to(struct ha_vrrp *v, enum ha_vrrp_reason reason, const struct vrrp_heard *heard)
{
	leave_active(v, false);
	learn(v, heard);
	v->active = heard->meta->source;
	v->active_priority = heard->advert.priority;
	become_backup(v, reason, heard);
}

/* Nobody came: Active as before; without the addresses it is silent until they are there. */
static void find_no_heir(struct ha_vrrp *v)
{
	v->handover_ns = 0;
	vrrp_push_remark(v, HA_VRRP_REMARK_NO_HEIR, NULL);
	if (v->restore_ns == HA_VRRP_NEVER)
		send_advert(v, v->priority);
}

/*
 * Handing over, any other router is the heir; one that resigns is none. Two that hand over to each other
 * would wait in vain: the one with the higher address goes on (local).
 */
static void heir_is_heard(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	if (heard->advert.priority == HA_VRRP_PRIORITY_RESIGN) {
		if (ha_ip_compare(&heard->meta->source, &v->opts.source) < 0)
			find_no_heir(v);
		return;
	}
	v->stands_by = true;
	yield_to(v, HA_VRRP_HANDED_OVER, heard);
}

/*
 * RFC 9568 6.4.3: an advert, and the timer anew. The other one was Active and may have announced after we did,
 * so the neighbours are told again, as after any losing advert (local).
 */
static void rival_resigns(struct ha_vrrp *v)
{
	bool bare = v->restore_ns != HA_VRRP_NEVER; /* without its addresses it is silent */

	if (v->now_ns < v->replied_ns || bare) {
		v->stats.replies_withheld++;
	} else {
		send_advert(v, v->priority);
		v->replied_ns = v->now_ns + VRRP_REPLY_GAP_NS;
		set_timer(v, VRRP_TIMER_ADVERT, v->now_ns, own_interval_ns(v));
	}
	if (!bare)
		vrrp_reannounce(v);
}

/* RFC 9568 6.4.3 */
static void active_hears(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	if (v->handover_ns) {
		heir_is_heard(v, heard);
	} else if (heard->advert.priority == HA_VRRP_PRIORITY_RESIGN) {
		rival_resigns(v);
	} else if (!wins(v, heard)) {
		assert_active(v, heard);
	} else if (first_link_decides(v, heard)) {
		vrrp_reannounce(v);
	} else {
		if (v->opts.last_advert && v->restore_ns == HA_VRRP_NEVER)
			send_advert(v, v->priority);
		yield_to(v,
			 heard->advert.priority > v->priority ? HA_VRRP_HIGHER_PRIORITY
							      : HA_VRRP_HIGHER_ADDRESS,
			 heard);
	}
}

/* Handing over, the beat says priority 0 until the heir is heard or nobody has come (local). */
static void hand_over_fires(struct ha_vrrp *v)
{
	if (v->now_ns < v->handover_ns) {
		send_advert(v, HA_VRRP_PRIORITY_RESIGN);
		return;
	}
	find_no_heir(v);
}

/*
 * Since its last advert any other router's Active_Down_Timer may have run out: if this process slept,
 * somebody else may be Active and would be asserted against. One interval to listen, once (local).
 */
static bool slept_too_long(const struct ha_vrrp *v, uint64_t late_ns)
{
	unsigned beats = v->opts.down_timer_adverts > 1 ? v->opts.down_timer_adverts - 1u : 1;

	return late_ns > beats * own_interval_ns(v) && !v->relistened;
}

/*
 * keepalived's timer_expired_backup (local): who may not preempt does not come back as Active either, when a
 * Backup of rival_priority has not heard it for its whole Active_Down_Interval.
 */
static bool overslept(const struct ha_vrrp *v)
{
	const struct ha_vrrp_opts *o = &v->opts;
	uint64_t whole = o->version == 2 ? VRRP_NS_PER_S : own_interval_ns(v);
	uint64_t down_ns =
	    o->down_timer_adverts * own_interval_ns(v) + (256u - o->rival_priority) * whole / 256;

	return o->rival_priority && o->no_preempt && v->priority != HA_VRRP_PRIORITY_OWNER &&
	       v->timer == VRRP_TIMER_ADVERT && !v->handover_ns &&
	       v->now_ns - v->timer_start_ns > down_ns;
}

static void give_up(struct ha_vrrp *v)
{
	vrrp_push_remark(v, HA_VRRP_REMARK_LATE, NULL);
	leave_active(v, false);
	v->relistened = false;
	become_backup(v, HA_VRRP_OVERSLEPT, NULL);
}

bool vrrp_keeps_beat(const struct ha_vrrp *v)
{
	bool late = v->now_ns >= v->timer_ns && v->now_ns - v->timer_ns >= own_interval_ns(v);
	bool announces = v->now_ns >= v->announce_ns || v->now_ns >= v->reannounce_ns;

	return v->state == HA_VRRP_ACTIVE && v->timer == VRRP_TIMER_ADVERT && !late && !announces &&
	       !v->relistened && !v->handover_ns && v->restore_ns == HA_VRRP_NEVER &&
	       !v->opts.auth;
}

/* Adver_Timer: keeps its beat, unless it fell a whole interval behind. */
static void advert_timer_fires(struct ha_vrrp *v)
{
	uint64_t late_ns = v->now_ns - v->timer_ns;

	if (late_ns >= own_interval_ns(v))
		vrrp_push_remark(v, HA_VRRP_REMARK_LATE, NULL);
	if (slept_too_long(v, late_ns)) {
		v->relistened = true;
		set_timer(v, VRRP_TIMER_ADVERT, v->now_ns, own_interval_ns(v));
		return;
	}
	if (v->handover_ns)
		hand_over_fires(v);
	else if (v->restore_ns == HA_VRRP_NEVER)
		send_advert(v, v->priority);
	if (v->relistened) /* somebody may have taken the addresses and given them back */
		announce(v, v->opts.garp_repeat);
	v->relistened = false;
	set_timer(v, VRRP_TIMER_ADVERT, late_ns >= own_interval_ns(v) ? v->now_ns : v->timer_ns,
		  own_interval_ns(v));
}

/* Make before break (local): resign, but keep the addresses until somebody else is heard. */
static void hand_over(struct ha_vrrp *v)
{
	v->handover_ns = v->now_ns + vrrp_down_ns(v);
	send_advert(v, HA_VRRP_PRIORITY_RESIGN);
	set_timer(v, VRRP_TIMER_ADVERT, v->now_ns, own_interval_ns(v));
}

/*
 * No advert without the addresses (local): they are asked for once more; ha_vrrp_tick resigns when they
 * do not come. Once they are there, an advert and the announcement make up for those that did not leave.
 */
void vrrp_held(struct ha_vrrp *v, bool held)
{
	if (v->state != HA_VRRP_ACTIVE || held == (v->restore_ns == HA_VRRP_NEVER))
		return;
	if (!held) {
		v->restore_ns = v->now_ns + HA_VRRP_RESTORE_NS;
		vrrp_push_remark(v, HA_VRRP_REMARK_ADDRESS_LOST, NULL);
		vrrp_push(v, VRRP_ADDRESSES)->up = true;
		return;
	}
	v->restore_ns = HA_VRRP_NEVER;
	if (!v->handover_ns)
		send_advert(v, v->priority);
	announce(v, v->opts.garp_repeat);
}

static void in_initialize(struct ha_vrrp *v, enum vrrp_event event)
{
	if (event == VRRP_EV_STARTUP)
		startup(v, HA_VRRP_STARTED);
}

static void in_backup(struct ha_vrrp *v, enum vrrp_event event, const struct vrrp_heard *heard)
{
	switch (event) {
	case VRRP_EV_SHUTDOWN:
		cancel_timer(v);
		change_state(v, HA_VRRP_INITIALIZE, HA_VRRP_STOPPED, NULL);
		break;
	case VRRP_EV_TIMER:
		down_timer_fires(v);
		break;
	case VRRP_EV_ADVERT:
		remark(v, heard);
		backup_hears(v, heard);
		break;
	case VRRP_EV_FAULT:
		cancel_timer(v);
		change_state(v, HA_VRRP_FAULT, HA_VRRP_FAULTED, NULL);
		break;
	case VRRP_EV_GROUP_ACTIVE:
		become_active(v, HA_VRRP_FOLLOWED);
		break;
	case VRRP_EV_PEER_DOWN:
		shorten_down_timer(v, VRRP_TIMER_PEER);
		break;
	case VRRP_EV_STARTUP:
	case VRRP_EV_RECOVER:
	case VRRP_EV_GROUP_BACKUP:
	case VRRP_EV_HAND_OVER:
		break;
	}
	if (v->state != HA_VRRP_BACKUP) {
		v->ready = false;
		v->active = (struct ha_ip){0};
		v->active_priority = 0;
	}
}

static void in_active(struct ha_vrrp *v, enum vrrp_event event, const struct vrrp_heard *heard)
{
	switch (event) {
	case VRRP_EV_SHUTDOWN:
		cancel_timer(v);
		leave_active(v, true);
		change_state(v, HA_VRRP_INITIALIZE, HA_VRRP_STOPPED, NULL);
		break;
	case VRRP_EV_TIMER:
		if (overslept(v))
			give_up(v);
		else
			advert_timer_fires(v);
		break;
	case VRRP_EV_ADVERT:
		remark(v, heard);
		if (overslept(v)) {
			give_up(v);
			backup_hears(v, heard);
		} else {
			active_hears(v, heard);
		}
		break;
	case VRRP_EV_FAULT:
		cancel_timer(v);
		leave_active(v, true);
		change_state(v, HA_VRRP_FAULT, HA_VRRP_FAULTED, NULL);
		break;
	case VRRP_EV_GROUP_BACKUP:
		v->stands_by = v->handover_ns != 0;
		leave_active(v, true);
		become_backup(v, HA_VRRP_FOLLOWED, NULL);
		break;
	case VRRP_EV_HAND_OVER:
		hand_over(v);
		break;
	case VRRP_EV_STARTUP:
	case VRRP_EV_RECOVER:
	case VRRP_EV_GROUP_ACTIVE:
	case VRRP_EV_PEER_DOWN:
		break;
	}
}

static void in_fault(struct ha_vrrp *v, enum vrrp_event event)
{
	switch (event) {
	case VRRP_EV_SHUTDOWN:
		cancel_timer(v);
		change_state(v, HA_VRRP_INITIALIZE, HA_VRRP_STOPPED, NULL);
		break;
	case VRRP_EV_TIMER:
	case VRRP_EV_RECOVER:
		if (v->faults)
			cancel_timer(v);
		else
			startup(v, HA_VRRP_RECOVERED);
		break;
	default:
		break;
	}
}

void vrrp_fsm(struct ha_vrrp *v, enum vrrp_event event, const struct vrrp_heard *heard)
{
	switch (v->state) {
	case HA_VRRP_INITIALIZE:
		in_initialize(v, event);
		break;
	case HA_VRRP_BACKUP:
		in_backup(v, event, heard);
		break;
	case HA_VRRP_ACTIVE:
		in_active(v, event, heard);
		break;
	case HA_VRRP_FAULT:
		in_fault(v, event);
		break;
	}
}
