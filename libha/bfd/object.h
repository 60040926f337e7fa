/* SPDX-License-Identifier: MIT */
/*
 * The session as its own files see it: bfd.c (the door), check.c (what is accepted), fsm.c (the
 * RFC's state machine), timers.c (intervals, Poll Sequences, what is due), freeze.c.
 *
 * An event mutates first and queues what is to be told; the outermost call then drains the queue.
 */
#ifndef BFD_OBJECT_H
#define BFD_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include <libha/bfd.h>

#include "bfd/wire.h"

#define BFD_NS_PER_US UINT64_C(1000)
#define BFD_REPLY_GAP_US 10000 /* between packets that do not wait for their turn, in the mean */
#define BFD_REPLY_BURST 4      /* so many may leave at once */

/* One event queues at most a send, a change, three remarks and a drop, and there is room. */
#define BFD_ACTIONS_PER_EVENT 8
#define BFD_QUEUE_SIZE (BFD_ACTIONS_PER_EVENT * (HA_BFD_MAX_ROUND + 2))

enum bfd_action_kind {
	BFD_SEND,
	BFD_CHANGED,
	BFD_DROPPED,
	BFD_REMARK,
};

struct bfd_action {
	enum bfd_action_kind kind;
	union {
		bool final; /* SEND */
		struct ha_bfd_change change;
		enum ha_bfd_remark remark;
		struct {
			enum ha_bfd_drop reason;
			const struct ha_bfd_meta *meta;
		} drop;
	};
};

/* What the neighbour said last; the initial values when it was not heard for a Detection Time. */
struct bfd_remote {
	uint32_t discriminator;	     /* bfd.RemoteDiscr; 0: not known */
	enum ha_bfd_state state;     /* bfd.RemoteSessionState */
	bool demand;		     /* bfd.RemoteDemandMode */
	uint8_t diag, detect_mult;   /* mult 0: nothing was heard */
	uint32_t required_min_rx_us; /* bfd.RemoteMinRxInterval; 1: nothing was heard */
	uint32_t desired_min_tx_us;
};

struct ha_bfd {
	struct ha_bfd_opts opts; /* defaults filled in; the intervals are those that are wanted */
	struct ha_bfd_ops ops;
	void *userdata;
	struct ha_bfd_stats stats;

	uint64_t now_ns; /* the latest time seen */
	bool running, admin_down;
	uint8_t admin_diag;
	enum ha_bfd_state state; /* bfd.SessionState */
	uint8_t diag;		 /* bfd.LocalDiag */
	uint64_t since_ns;
	struct bfd_remote remote;

	/* What we say (bfd.DesiredMinTxInterval, RequiredMinRxInterval), and what is in force. */
	uint32_t desired_us, required_us;
	uint32_t tx_in_use_us, rx_in_use_us;

	/* Sending. */
	uint64_t sent_ns;	 /* the last periodic packet, or news; 0: none yet */
	uint64_t tx_interval_ns; /* that tx_ns was drawn from */
	uint64_t tx_ns;		 /* the next periodic packet; NEVER */
	uint64_t random;	 /* state of the jitter's generator */
	bool owes_final;	 /* a Poll waits for its answer */
	bool owes_news;		 /* the neighbour does not know our state yet */
	uint64_t reply_ns;	 /* when the rate of replies has come down to nothing */

	/* The Poll Sequence of our own. */
	bool poll;
	uint64_t poll_first_ns, poll_last_ns; /* packets with P; first 0: none left yet */
	uint64_t poll_quiet_ns;		      /* before that a new one would be ambiguous */

	/* Detection. */
	uint64_t heard_ns, detect_ns;
	uint64_t detect_at_ns; /* NEVER: nothing to forget */

	/* Whoever keeps a timer for it: called when the deadline may have changed. */
	void (*watcher)(void *arg);
	void *watcher_arg;

	struct bfd_action queue[BFD_QUEUE_SIZE];
	size_t n_queue;
	unsigned events; /* in this round */
	bool busy;	 /* draining: a callback may be running */
};

/* fsm.c: the one state machine. */
void bfd_enter(struct ha_bfd *s, enum ha_bfd_state to, enum ha_bfd_reason reason, uint8_t diag);
enum ha_bfd_drop bfd_hear(struct ha_bfd *s, const struct bfd_packet *p);
void bfd_detection_expired(struct ha_bfd *s);

/* timers.c: what is sent when, and until when the neighbour may be silent. */
void bfd_timers_reset(struct ha_bfd *s);   /* as before the first packet */
void bfd_remote_forget(struct ha_bfd *s);  /* the neighbour is unknown again */
void bfd_timers_take_up(struct ha_bfd *s); /* what is said and what is used become what is wanted */
void bfd_poll_ends(struct ha_bfd *s);	   /* the F bit was heard */
void bfd_timers_recompute(struct ha_bfd *s); /* after any change of intervals or of the neighbour */
void bfd_timers_serve(struct ha_bfd *s);     /* queues the packets that are due */
uint64_t bfd_timers_due(const struct ha_bfd *s);
bool bfd_remote_demands(const struct ha_bfd *s); /* Demand mode is active on the remote system */

/* check.c: what is accepted. */
enum ha_bfd_drop bfd_check(const struct ha_bfd *s, const struct ha_bfd_meta *m, const void *pkt,
			   size_t len, struct bfd_packet *ret);

/* opts.c: defaults and ranges. */
void bfd_opts_default(struct ha_bfd_opts *o);
const char *bfd_opts_check(const struct ha_bfd_opts *o);
bool bfd_interval_is_right(uint32_t us);

/* bfd.c */
struct bfd_action *bfd_push(struct ha_bfd *s, enum bfd_action_kind kind);
void bfd_push_remark(struct ha_bfd *s, enum ha_bfd_remark what);
/* From now on f(arg) is called when the deadline may have changed; NULL: no longer. */
void bfd_watch(struct ha_bfd *s, void (*f)(void *arg), void *arg);

#endif
