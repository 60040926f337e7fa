/* SPDX-License-Identifier: MIT */
/*
 * The virtual router as its own files see it: vrrp.c (the door), queue.c (what is told), check.c (what is accepted), fsm.c
 * (the RFC's state machine), group.c (sync groups), senders.c (who else was heard), track.c
 * (priorities), freeze.c.
 *
 * An event mutates first and queues what is to be told; the outermost call then drains the queue.
 * The members of a group share its queue, so that one event of the group is told in one order.
 */
#ifndef VRRP_OBJECT_H
#define VRRP_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <libha/vrrp.h>

#include "base/list.h"
#include "net/ip_equal.h"
#include "vrrp/clock.h"
#include "vrrp/wire.h"

#define VRRP_NS_PER_CS UINT64_C(10000000)
#define VRRP_NS_PER_S UINT64_C(1000000000)
#define VRRP_REPLY_GAP_NS (10 * UINT64_C(1000000)) /* between answers to losing adverts */
#define VRRP_REANNOUNCE_GAP_NS VRRP_NS_PER_S	   /* between announcements after them */

/*
 * The queue: what receive and tick cause for one router (6 remarks, 4 actions, and room), and what the other
 * calls, which callbacks may make, cause for it: out of Fault and into Active is the longest way.
 */
#define VRRP_ACTIONS_PER_EVENT 12
#define VRRP_ACTIONS_PER_CALL 6
#define VRRP_QUEUE_SIZE(routers) \
	((size_t)(routers) *     \
	 (VRRP_ACTIONS_PER_EVENT + VRRP_ACTIONS_PER_CALL * (HA_VRRP_MAX_ROUND + 1)))

enum vrrp_action_kind {
	VRRP_SEND,
	VRRP_ADDRESSES,
	VRRP_ANNOUNCE,
	VRRP_CHANGED,
	VRRP_DROPPED,
	VRRP_REMARK,
	VRRP_GROUP_CHANGED,
};

struct vrrp_action {
	enum vrrp_action_kind kind;
	struct ha_vrrp *v;
	union {
		uint8_t priority; /* SEND */
		bool up;	  /* ADDRESSES */
		uint8_t repeat;	  /* ANNOUNCE */
		struct ha_vrrp_change change;
		struct {
			int what; /* enum ha_vrrp_drop or ha_vrrp_remark */
			const struct ha_vrrp_meta *meta;
		} note; /* DROPPED, REMARK */
		struct {
			struct ha_vrrp_group *g;
			enum ha_vrrp_state from, to;
		} group;
	};
};

/*
 * Room for a round of one router, on the stack of the outermost call: no action outlives it, and a thousand
 * routers need it one at a time.
 */
struct vrrp_round {
	struct vrrp_action at[VRRP_QUEUE_SIZE(1)];
};

struct vrrp_queue {
	struct vrrp_action *at;	     /* of the round that runs, or `lasting` */
	struct vrrp_action *lasting; /* a group's, which is longer; NULL: of the round */
	size_t n, cap;
	unsigned events; /* in this round */
	bool busy;	 /* draining: a callback may be running */
};

enum vrrp_timer_kind {
	VRRP_TIMER_NONE,
	VRRP_TIMER_ADVERT, /* Adver_Timer */
	VRRP_TIMER_DOWN,   /* Active_Down_Timer over Active_Down_Interval */
	VRRP_TIMER_SKEW,   /* the same over Skew_Time: the Active resigned */
	VRRP_TIMER_PEER,   /* the same over Skew_Time: ha_vrrp_peer_down */
	VRRP_TIMER_NOW,	   /* served at the next tick: something changed while no time was known */
};

struct vrrp_key {
	uint8_t id, len;
	uint8_t secret[HA_VRRP_MAX_SECRET];
};

/* Another router of this VRID: what its accepted adverts said. */
struct vrrp_sender {
	struct ha_ip address; /* family 0: a free place */
	uint8_t priority, version, missed_in_row;
	uint16_t interval_cs;
	enum ha_vrrp_checksum checksum;
	uint64_t first_ns, last_ns, adverts, missed, longest_ns;
	uint64_t sequence; /* with authentication; 0: none yet */
};

/* struct ha_vrrp_stats without the places it keeps for reasons to come. */
struct vrrp_stats {
	uint64_t became_active, left_active, adverts_sent, adverts_received, priority_zero_sent,
	    priority_zero_received, replies_sent, replies_withheld, send_errors, worst_late_ns;
	uint64_t dropped[HA_VRRP_N_DROPS], remarks[HA_VRRP_N_REMARKS], checksums[4];
};

struct ha_vrrp {
	struct ha_vrrp_opts opts; /* defaults filled in; pointers are ours */
	struct ha_vrrp_ops ops;
	void *userdata;
	struct vrrp_wire wire, wire2; /* wire2: of version 2 beside 3, opts.v2_too */
	struct vrrp_key *key;	      /* n_keys */
	size_t n_keys;
	uint64_t sequence; /* the last one sent; AH: or heard */
	struct vrrp_stats stats;

	struct vrrp_queue *queue; /* own_queue or the group's */
	struct vrrp_queue own_queue;
	struct ha_vrrp_group *group;
	struct list in_group;

	struct vrrp_clock *clock; /* of the link that serves it, or NULL: the host asks for deadlines */

	uint64_t now_ns;   /* the latest time seen */
	uint32_t revision; /* of what is frozen, see ha_vrrp_revision */
	enum ha_vrrp_state state;
	uint64_t since_ns;
	uint8_t priority; /* effective */
	uint32_t faults;

	enum vrrp_timer_kind timer;
	uint64_t timer_ns, timer_start_ns;
	bool relistened; /* a late timer was given one more interval, to listen */

	/* Backup */
	uint16_t active_interval_cs; /* Active_Adver_Interval */
	struct ha_ip active;
	uint8_t active_priority;
	bool ready;	     /* would be Active if its group could */
	bool heard_lower;    /* since the timer was started */
	uint64_t preempt_ns; /* when a lower Active may be displaced; NEVER: none was heard */
	bool stands_by;	     /* handed over: the heir is left in peace */

	/* Active */
	uint64_t announce_ns;		     /* the next regular announcement */
	bool announce_second;		     /* it is the burst after garp_delay */
	bool announce_lower;		     /* or the one after garp_lower_delay */
	uint64_t reannounce_ns;		     /* the next one because of a losing advert */
	uint64_t reannounced_ns, replied_ns; /* the last ones, plus their gap: not before */
	uint64_t tie_ns;      /* when the tie began that the group's first link shall decide */
	uint64_t handover_ns; /* until then an heir is awaited; 0: none is */
	uint64_t
	    restore_ns; /* the addresses are gone, and must be back by then; NEVER: they are there */

	struct vrrp_sender sender[HA_VRRP_MAX_SENDERS];
	int16_t weight[HA_VRRP_MAX_TRACKERS]; /* what each tracker adds now */
};

/* Tells the link when the router is due, after whatever may have moved that. */
static inline void vrrp_rearm(struct ha_vrrp *v)
{
	if (v->clock)
		v->clock->at_ns[v->opts.vrid] = ha_vrrp_deadline(v);
}

/* The events of RFC 9568 section 6.4, and those that the RFC does not know. */
enum vrrp_event {
	VRRP_EV_STARTUP,
	VRRP_EV_SHUTDOWN,
	VRRP_EV_TIMER,
	VRRP_EV_ADVERT,
	VRRP_EV_FAULT,	      /* a first fault bit */
	VRRP_EV_RECOVER,      /* the last one is gone */
	VRRP_EV_GROUP_ACTIVE, /* every member can be Active */
	VRRP_EV_GROUP_BACKUP, /* some member cannot */
	VRRP_EV_HAND_OVER,    /* an Active shall be succeeded */
	VRRP_EV_PEER_DOWN,    /* the Active of this Backup is dead */
};

/* The accepted advert of an event, or NULL. */
struct vrrp_heard {
	struct vrrp_advert advert;
	uint64_t sequence; /* with authentication */
	const struct ha_vrrp_meta *meta;
};

static inline bool vrrp_ip_is_multicast(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 ? ip->bytes[0] == 0xff : (ip->bytes[0] & 0xf0) == 0xe0;
}

static inline bool vrrp_ip_is_link_local(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* fsm.c: the one state machine. */
void vrrp_fsm(struct ha_vrrp *v, enum vrrp_event event, const struct vrrp_heard *heard);
uint64_t vrrp_skew_ns(const struct ha_vrrp *v);
uint64_t vrrp_down_ns(const struct ha_vrrp *v);
void vrrp_retime(struct ha_vrrp *v); /* the priority changed while a timer ran */
void vrrp_serve_announcements(struct ha_vrrp *v);
void vrrp_reannounce(struct ha_vrrp *v); /* neighbours may have learned another one */
void vrrp_held(struct ha_vrrp *v, bool held);
bool vrrp_keeps_beat(const struct ha_vrrp *v); /* a tick of now sends an advert on time at most */

/* check.c: what is accepted. Pure of side effects but the remarks queued for an accepted one. */
enum ha_vrrp_drop vrrp_check(const struct ha_vrrp *v, const struct ha_vrrp_meta *m, const void *pkt,
			     size_t len, struct vrrp_heard *ret);
bool vrrp_check_same_addresses(const struct ha_vrrp *v, const struct vrrp_advert *adv);

/* senders.c */
void vrrp_senders_note(struct ha_vrrp *v, const struct vrrp_heard *heard);
void vrrp_senders_missed(struct ha_vrrp *v, const struct vrrp_heard *heard);
bool vrrp_senders_speaks3(const struct ha_vrrp *v, const struct ha_ip *address);
uint64_t vrrp_senders_sequence(const struct ha_vrrp *v, const struct ha_ip *address);
void vrrp_senders_restore(struct ha_vrrp *v, const struct ha_ip *address, uint64_t sequence);
enum ha_vrrp_checksum vrrp_senders_checksum(const struct ha_vrrp *v, const struct ha_ip *peer);

/* opts.c: defaults, ranges, copies. */
void vrrp_opts_default(struct ha_vrrp_opts *o);
const char *vrrp_opts_check(const struct ha_vrrp_opts *o);

/* queue.c: what the host is told. */
struct vrrp_action *vrrp_push(struct ha_vrrp *v, enum vrrp_action_kind kind);
void vrrp_push_remark(struct ha_vrrp *v, enum ha_vrrp_remark what, const struct ha_vrrp_meta *meta);
/* `round` is used when this is the outermost call; it lives until vrrp_queue_drain. */
int vrrp_queue_enter(struct vrrp_queue *q, struct vrrp_round *round, bool in_callback);
void vrrp_queue_drain(struct vrrp_queue *q);

/* group.c */
bool vrrp_group_permits(const struct ha_vrrp *v);  /* all others are Active or ready */
bool vrrp_group_is_first(const struct ha_vrrp *v); /* of a group: by its first virtual address */
void vrrp_group_settle(struct ha_vrrp *v); /* after every event of a member; no group: nothing */
void vrrp_group_note(struct ha_vrrp *v);   /* its state as it is now is no news */
void vrrp_group_leave(struct ha_vrrp *v);
void vrrp_group_tell(const struct vrrp_action *a);

#endif
