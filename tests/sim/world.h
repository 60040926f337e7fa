/* SPDX-License-Identifier: MIT */
/*
 * The world of a run, as its files share it: plan.c (what a seed decides), world.c (clock, events, the
 * acts), host.c (nodes; more of them in host.h), network.c (links, switches, clients), faults.c (what goes
 * wrong), hostile.c (bad packets), invariants.c, model.c, coverage.c, shrink.c, plant.c.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <libha/vrrp.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

#include "model.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define NS_PER_CS (10 * MS)

#define SIM_NODES 5
#define SIM_LINKS 3
#define SIM_VRS 5	 /* virtual routers, each of which every node takes part in */
#define SIM_STEPS 64	 /* faults in a run */
#define SIM_PACKETS 4096 /* on their way, over all links */
#define SIM_TRACKERS 3
#define SIM_QUEUE 64	    /* packets a node's sockets hold while it does not read */
#define SIM_PACKET_SIZE 192 /* bytes of an advert: three IPv6 addresses, and authentication */

/* ---- chance: nothing else decides anything ---- */

struct dice {
	uint64_t state;
};

/*
 * Dice for one purpose: what is left out of a run does not change how the rest falls. The numbers are part of
 * what a seed means.
 */
enum purpose {
	FOR_SHAPE,
	FOR_VR,
	FOR_FINALE = 100,
	FOR_LATENESS = 200,
	FOR_SEND_ERROR,
	FOR_RATE = 300,
	FOR_PACKET,
	FOR_ANNOUNCE,
};
struct dice dice_for(uint64_t seed, enum purpose purpose, uint64_t index);
uint64_t dice_throw(struct dice *d);
uint64_t dice_below(struct dice *d, uint64_t n); /* 0..n-1; 0 when n is 0 */
bool dice_of_1000(struct dice *d, unsigned n);

/* ---- what a seed decides (plan.c) ---- */

/* What can be wrong all the time. */
enum evil {
	EVIL_LOSS,
	EVIL_BURST,   /* losses that come together */
	EVIL_ONE_WAY, /* one node is heard less */
	EVIL_REORDER, /* delays differ, so packets overtake */
	EVIL_DUPLICATE,
	EVIL_FLIP,	   /* bits */
	EVIL_DRIFT,	   /* clocks run up to 500 ppm fast or slow */
	EVIL_LATE,	   /* timers are served late */
	EVIL_TIMERS_FIRST, /* a node that wakes serves timers before it reads */
	EVIL_SEND_ERRORS,  /* EAGAIN, ENOBUFS */
	EVIL_HALVES,	   /* of the announcements the switch sees one half */
	SIM_EVILS,
};

/* What goes wrong, or is done, at one moment. */
enum fault {
	FAULT_CUT,	 /* from one node to another, or both ways */
	FAULT_PARTITION, /* of a link into two sides, perhaps leaving one node in both */
	FAULT_WHOLE,	 /* a link is repaired */
	FAULT_DARK,	 /* a link loses all multicast, all unicast, or everything */
	FAULT_POWER_OFF,
	FAULT_CRASH, /* of the process: the kernel keeps the addresses */
	FAULT_BOOT,
	FAULT_STOP,
	FAULT_START,
	FAULT_STALL, /* the process, or the machine with its clock */
	FAULT_BIT,   /* of a router: its link, a script */
	FAULT_PRIORITY,
	FAULT_UPGRADE,
	FAULT_RECONFIGURE,
	FAULT_SOURCE,	/* the address to send from is gone, or another */
	FAULT_STRANGER, /* a router nobody knows, of the same VRID */
	FAULT_HOSTILE,	/* bad packets */
	FAULT_ANNOUNCE, /* the administrator asks for it */
	FAULT_HAND_OVER,
	FAULT_ADDRESSES, /* somebody removes them */
	FAULT_RESYNC,	 /* netlink is read anew: what was not told then is told now */
	FAULT_PEER_DOWN, /* BFD flaps */
	FAULT_SAW,	 /* ARP or ND of another machine */
	FAULT_TRACK,	 /* a tracker flaps */
	SIM_FAULTS,
};

struct step {
	uint64_t at_ns; /* after the start */
	enum fault fault;
	uint64_t dice; /* decides all details */
};

/* How one node takes part in a virtual router. */
struct part {
	uint8_t priority, version;
	uint16_t interval_cs;
	enum ha_vrrp_checksum checksum;
	bool no_preempt;
	bool more; /* one more address */
};

struct vr_plan {
	unsigned link, group; /* group 0: none */
	uint8_t family, version, vrid, n_addresses, down_timer_adverts;
	bool unicast, no_preempt, no_reply, last_advert, vmac, any_first_address;
	bool learn_checksum, migrates; /* from version 2 to 3: some nodes send both, the others 2 */
	enum ha_vrrp_auth auth;
	const char *password;
	uint64_t preempt_delay_ns, garp_delay_ns, garp_refresh_ns;
	struct part part[SIM_NODES];
};

struct plan {
	uint64_t seed;
	unsigned n_nodes, n_links, n_vrs, n_steps;
	uint64_t delay_ns, chaos_ns;
	uint32_t evils;	 /* bits of enum evil */
	uint32_t faults; /* bits of enum fault that occur */
	bool crossed;	 /* on odd links addresses stand in the other order */
	bool modelled;	 /* no option the naive model does not know */
	struct vr_plan vr[SIM_VRS];
	struct step step[SIM_STEPS];

	/* What a shrunk run leaves out; all of a drawn plan is in. */
	uint32_t nodes, vrs; /* bits */
	uint64_t steps;	     /* bits */
};

extern const char *const evil_names[SIM_EVILS];
extern const char *const fault_names[SIM_FAULTS];

void plan_draw(uint64_t seed, struct plan *ret);
bool plan_has(const struct plan *p, enum evil e);

/* ---- a run ---- */

enum event_kind { EVENT_PACKET, EVENT_TIMER, EVENT_STEP, EVENT_WAKE, EVENT_BEAT };

struct event {
	struct heap_node due;
	enum event_kind kind;
};

struct world;
struct node;

/* One node's part in one virtual router, as its host knows it. */
struct router {
	struct event timer;
	struct ha_vrrp *v;
	struct node *node;
	unsigned vr, index;
	struct part part; /* as it is now */
	struct ha_ip source;
	struct model model;

	bool holds;	/* the kernel: the addresses are there */
	uint64_t sends; /* so far: a number for dice */
	/* The call that runs: its callbacks in order (0: not yet), and the adverts it sent. */
	unsigned calls, sent_at, resigned_at, up_at, down_at, announced_at, changed_at, heirless_at;
	enum ha_vrrp_state state_before;
	int sent[MODEL_SENDS]; /* priorities; -1: it had no source address */
	unsigned n_sent;

	/* Local time of what the invariants ask for; 0: never. */
	uint64_t last_sent_ns, backup_ns, last_heard_ns, resigned_ns, first_lower_ns;
	uint64_t last_reply_ns;
	uint64_t late_ns,
	    was_late_ns;	 /* the timer that runs will be; those since the last advert were */
	bool reconfigured;	 /* in this state: what was promised before does not bind */
	bool handing, stands_by; /* it hands over; it did, and leaves the heir in peace */

	/* Addresses that somebody removed: not told yet, or told at told_ns; perhaps again and again. */
	bool lost, stubborn;
	uint64_t told_ns, peer_down_ns;
	int weight[SIM_TRACKERS]; /* as it counts now */
	struct packet *captured;  /* by somebody who wants to play it again */

	/* What survives a crash: frozen when it was news, and when it was last served. */
	uint8_t kept[HA_VRRP_FREEZE_SIZE];
	ssize_t kept_len;
	uint32_t kept_revision;
	uint64_t served_ns;
};

struct node {
	struct event wake;
	struct world *w;
	unsigned id;
	bool alive, stalled, suspended;
	uint64_t stall_ns; /* true time */
	int64_t drift_ppm, shift_ns;
	struct router router[SIM_VRS];
	struct ha_vrrp_group *group[SIM_VRS + 1]; /* by number; 0 is none */
	struct packet *queue[SIM_QUEUE];
	unsigned queued;
};

enum packet_mark {
	PACKET_GOOD,	/* must be accepted, unless configurations differ */
	PACKET_FLIPPED, /* must be dropped */
	PACKET_STRANGE, /* either */
};

struct packet {
	struct event arrival;
	struct packet *next_free;
	struct router *to;
	enum packet_mark mark;
	int expect; /* an enum ha_vrrp_drop, or -1: any */
	struct ha_vrrp_meta meta;
	size_t len;
	uint8_t bytes[SIM_PACKET_SIZE], header[20]; /* IPv4's, for AH */
};

/* Somebody with a VRID of ours: sends good adverts until he has sent enough. */
struct stranger {
	struct event beat;
	unsigned vr, left;
	uint8_t priority;
	uint16_t interval_cs;
};

/* A learning switch and a client on each link, for one virtual router. */
struct client {
	int arp;  /* the MAC address it has: a node's, CLIENT_VIRTUAL or CLIENT_NONE */
	int port; /* where the switch saw the virtual MAC address last, or CLIENT_NONE */
};
#define CLIENT_NONE (-1)
#define CLIENT_VIRTUAL SIM_NODES

/* What happened to a router, for coverage and invariants. */
enum cause {
	CAUSE_STARTUP,
	CAUSE_SHUTDOWN,
	CAUSE_TIMER,
	CAUSE_ADVERT, /* an accepted one */
	CAUSE_BAD,    /* a dropped one */
	CAUSE_PRIORITY,
	CAUSE_FAULT,
	CAUSE_RECOVER,
	CAUSE_THAW,
	CAUSE_ANNOUNCE,
	CAUSE_HAND_OVER,
	CAUSE_HELD,
	CAUSE_PEER_DOWN,
	CAUSE_SAW,
	CAUSE_GROUP, /* something happened to another member of its group */
	SIM_CAUSES,
};

enum invariant {
	I_NONE,
	I1,
	I2,
	I3,
	I4,
	I5,
	I6,
	I7,
	I8,
	I9,
	I10,
	I11,
	I12,
	I13,
	I_MODEL,     /* the naive model and the engine differ */
	I_SIMULATOR, /* the simulator itself is at its end */
};

struct world {
	struct plan plan;
	uint64_t now_ns, start_ns, hash, calm_ns;
	bool trace, chaos, inconsistent;
	enum invariant failed;
	char failure[256];

	struct heap events;
	struct node node[SIM_NODES];
	struct event step[SIM_STEPS];
	struct stranger stranger[SIM_VRS];
	struct client client[SIM_VRS];
	bool cut[SIM_LINKS][SIM_NODES][SIM_NODES]; /* from, to */
	uint8_t dark[SIM_LINKS];		   /* DARK_ bits */
	bool burst[SIM_LINKS];
	uint64_t packets_sent; /* a number for dice */
	struct packet packet[SIM_PACKETS];
	struct packet *free_packet;
	unsigned packets; /* of them were ever used */

	/* The call into the engine that runs, and what was before it. */
	struct router *target; /* NULL: a whole group */
	enum cause cause;
	struct ha_vrrp_status before; /* of the target, where somebody asks */
	uint64_t allocations;

	uint64_t duel_ns[SIM_VRS]; /* since when there are two Actives, in calm */
	unsigned actives[SIM_VRS];
};

enum { DARK_MULTICAST = 1, DARK_UNICAST = 2 };

/* world.c */
struct outcome {
	enum invariant failed;
	char failure[256];
	uint64_t at_ns, hash, simulated_ns;
};
void world_play(const struct plan *p, bool trace, struct outcome *ret);
void world_run(struct world *w, uint64_t until_ns);
void world_arm(struct world *w, struct event *e, uint64_t at_ns);
bool world_has_node(const struct world *w, unsigned node);
bool world_has_vr(const struct world *w, unsigned vr);
void broken(struct world *w, enum invariant i, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *invariant_name(enum invariant i);

/* Every note goes into the hash of the run; with a trace it is printed too. */
enum note {
	NOTE_SEND,
	NOTE_SEND_FAILS,
	NOTE_CHANGE,
	NOTE_ADDRESSES,
	NOTE_ANNOUNCE,
	NOTE_HEARD,
	NOTE_DROP,
	NOTE_LOST,
	NOTE_FAULT,
	NOTE_NODE,
	NOTE_ACT,
};
/* NOTE_NODE tells one of these. */
enum {
	NODE_DIES,
	NODE_BOOTS,
	NODE_STALLS,
	NODE_WAKES,
	NODE_CRASHES,
	NODE_UPGRADED,
	NODE_STOPS,
	NODE_STARTS
};
void note(struct world *w, enum note what, const struct router *r, uint64_t a, uint64_t b);

/* host.c: the node and its process */
void host_make(struct node *n); /* its objects, without a word on the wire */
void host_boot(struct node *n);
void host_free(struct node *n);
void host_power_off(struct node *n);
void host_crash(struct node *n);
void host_start(struct node *n);
void host_stop(struct node *n);
void host_stall(struct node *n, uint64_t length_ns, bool suspended);
void host_wake(struct node *n);
struct ha_ip host_source(const struct plan *p, unsigned vr, unsigned node);
struct ha_ip host_address(const struct plan *p, unsigned vr, unsigned i);

/* clock.c */
uint64_t local_ns(const struct node *n, uint64_t true_ns);

/* call.c: what the process tells the engine */
void host_arm(struct router *r); /* its timer, as the engine asks */
void host_punctual(struct world *w);
void host_serve(struct router *r);
void host_set_fault(struct router *r, uint32_t bit, bool on);
void host_set_priority(struct node *n, unsigned group, unsigned vr, unsigned priority);
void host_set_source(struct router *r, const struct ha_ip *source);
void host_announce(struct router *r);
void host_hand_over(struct router *r);
void host_lose_addresses(struct router *r, bool told, bool stubborn);
void host_resync(struct node *n);
void host_peer_down(struct router *r, const struct ha_ip *peer);
void host_saw(struct router *r, const struct ha_vrrp_sighting *s);
void host_track(struct node *n, unsigned group, unsigned vr, unsigned tracker, int weight, bool up);

/* hear.c */
void host_hears(struct packet *p);
int host_receive(struct router *r, const struct packet *p);

/* upgrade.c */
void host_upgrade(struct node *n, bool reconfigured);

/* network.c */
void network_init(struct world *w);
void network_send(struct router *r, const struct ha_ip *to, const void *advert, size_t len);
void network_announce(struct router *r);
void network_beat(struct world *w, struct stranger *s);
int network_client_reaches(const struct world *w, unsigned vr);
struct packet *packet_new(struct world *w);
void packet_free(struct world *w, struct packet *p);

/* An advert as the RFC draws it, without its checksum; the length. Not made by the engine. */
size_t network_advert(const struct world *w, unsigned vr, const struct part *part, uint8_t priority,
		      uint8_t *ret);
void network_sum(const struct vr_plan *vr, enum ha_vrrp_checksum form, const struct ha_vrrp_meta *m,
		 uint8_t *bytes, size_t len);
const uint8_t *network_message(const struct world *w, unsigned vr, const struct packet *p);
struct ha_vrrp_meta network_meta(const struct ha_ip *source, const struct ha_ip *destination);
bool network_is_multicast(const struct ha_ip *ip);
struct ha_ip network_group(uint8_t family);
struct ha_ip network_stranger(const struct plan *p, unsigned vr);

/* faults.c, hostile.c */
void faults_init(struct world *w);
void faults_step(struct world *w, const struct step *s);
void faults_mend(struct world *w);
void hostile_replay(struct world *w, struct router *r, struct dice *d);
void hostile_packet(struct world *w, struct router *r, struct dice *d);

/* lockstep.c: the model beside the engine */
void lockstep_init(struct router *r);
void lockstep(struct router *r, enum cause cause, const struct packet *p);

/* invariants.c: hooks of call.c, callback.c and hear.c, and what holds in an act of world.c */
void invariants_after(struct router *r);
void invariants_sent(struct router *r, uint8_t priority);
void invariants_changed(struct router *r, const struct ha_vrrp_change *c);
void invariants_heard(struct router *r, const struct packet *p);
void invariants_calm(struct world *w);
uint64_t invariants_down_ns(const struct world *w, unsigned vr, unsigned priority,
			    uint16_t interval_cs);
uint64_t invariants_slack_ns(const struct world *w,
			     uint64_t length_ns); /* what drift does to a wait */

/* alloc.c: the allocations of the process so far. */
extern uint64_t allocations;

/* coverage.c: over all runs of the process */
void coverage_change(const struct router *r, const struct ha_vrrp_change *c, enum cause cause);
void coverage_stay(const struct router *r, enum ha_vrrp_state state, enum cause cause);
void coverage_drop(enum ha_vrrp_state state, enum ha_vrrp_drop drop);
void coverage_remark(enum ha_vrrp_state state, enum ha_vrrp_remark remark);
void coverage_fault(enum fault f);
void coverage_evil(enum evil e);
void coverage_pause(bool pause); /* replays and plants do not count */
int coverage_report(bool whole);

/* plant.c: mistakes that a run must find */
enum plant {
	PLANT_NONE,
	PLANT_DEAF,	 /* a node that ignores priority 0 */
	PLANT_TWINS,	 /* an Active that does not hear others */
	PLANT_IMPATIENT, /* a clock that runs twice too fast */
	PLANT_KEEPS,	 /* the host keeps the addresses */
	PLANT_TORN,	 /* of a group one member is alone */
	PLANT_SILENT,	 /* a host that sends only after it announced */
	PLANT_GULLIBLE,	 /* a bad packet moves the priority */
	PLANT_STARVED,	 /* a bad packet delays the timer, as in other engines */
	PLANT_ALLOCATES, /* memory while it runs */
	PLANT_MUTE,	 /* no announcement leaves */
	PLANT_FORGETS,	 /* an upgrade that begins anew */
	PLANT_STALE,	 /* an upgrade that knows not how long the beat went on */
	PLANT_HASTY,	 /* no preempt delay where one is promised */
	PLANT_PREEMPTS,	 /* preemption where none is promised */
	PLANT_MISCOUNTS, /* two lost adverts are enough */
	SIM_PLANTS,
};
extern enum plant planted;

/* shrink.c */
void shrink(const struct plan *p, const struct outcome *o, struct plan *ret, unsigned *ret_runs);
void shrink_print_replay(const struct plan *p);
int plant_check(void);
int sim_bench(void);

#endif
