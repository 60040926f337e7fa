/* SPDX-License-Identifier: MIT */
/*
 * Choosing a server for each request or connection. examples/hello/sched.c is a whole program.
 *
 * A group (struct lb_group) is a pool of servers and the algorithm that chooses among them. It has
 * one editor: edits are staged, and lb_group_commit() builds a new immutable snapshot beside the
 * data path and publishes it at once. Each thread that balances owns a picker (struct lb_picker):
 * its place in the rotation, its random numbers and the snapshot it works on. lb_pick() takes no
 * lock, allocates nothing, makes no system call and reads no clock.
 *
 * Threads. The editor's calls, marked [editor], are made by one thread at a time; so are
 * lb_picker_new() and lb_picker_free(). Calls marked [picker] are made by the thread that owns the
 * picker at the time, at the same moment as the editor and the other pickers work. Pickers share
 * the snapshots, which nobody changes; each counts for itself, and reads what the others counted.
 *
 * Memory. A snapshot lives as long as one picker works on it. A picker moves to the newest by
 * itself, at its next pick; an idle one keeps the snapshot it has, one at most, and nobody waits
 * for it. The editor frees what is left behind at lb_group_commit() and lb_group_reclaim(). A
 * thread that will sleep long may call lb_picker_refresh() (moves on, keeps its place) or
 * lb_picker_offline() (lets go of all).
 *
 * Counters belong to the server, not to the snapshot: edits, re-weighting and a change of the
 * algorithm keep them. A removed server that still has connections is remembered until the last one
 * is done; when its id is added again before that, it comes back with its counters (as IPVS revives
 * a destination).
 *
 * Structs that begin with `size` grow at their end. Set it to sizeof the struct, and leave at 0
 * what you do not use: `struct lb_group_opts o = {.size = sizeof(o)};`. Fields that a caller's older struct does
 * not reach count as 0; what the library fills in ends where the caller's struct does. All that is
 * passed in is borrowed during the call, names and buffers too.
 *
 * Errors are 0 or -errno. Besides those named at each call: -EINVAL for NULL where an object is
 * needed and for values out of their range, -E2BIG for an option struct that asks for what this
 * library does not know, -ENOMEM, and -ESHUTDOWN from a picker whose group was closed. After an
 * error nothing was staged or counted, and nothing written through a pointer, unless the call says
 * otherwise.
 */
#ifndef LIBSCHED_LB_H
#define LIBSCHED_LB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libsched/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LB_SERVERS_MAX 65536 /* in one group, the removed ones with connections included */
#define LB_PICKERS_MAX 256   /* of one group */
#define LB_WEIGHT_MAX 65535  /* as ipvsadm; HAProxy's 0..256 lies within */
#define LB_EXCLUDE_MAX 16    /* servers one request may refuse */
#define LB_DRAWS_MAX 64	     /* of random, for one request */
#define LB_POINTS_MAX 4096   /* of a ring, for one unit of weight */
#define LB_ALGO_NAME_MAX 39  /* characters */
#define LB_PRIORITY_MAX 1023 /* the last priority group */

struct lb_algo; /* libsched/lb_algo.h: an algorithm of your own */
struct lb_group;
struct lb_picker;

/* ---- The group ---- */

enum lb_group_flag {
	/*
	 * sh, dh, mh: when the server of the key may not be chosen, look on in the table, as ipvsadm's
	 * sh-fallback and mh-fallback. Without it such a request fails, as in the kernel. HAProxy's
	 * hashes: when that server is full, take another; without it the pick fails with -EAGAIN, and
	 * the request is to wait, as in HAProxy. Others ignore it.
	 */
	LB_GROUP_FALLBACK = 1 << 0,
	/*
	 * source, uri, hdr, url_param, rdp-cookie, hash: HAProxy's `hash-type consistent` instead of
	 * `map-based`. Others ignore it.
	 */
	LB_GROUP_CONSISTENT = 1 << 1,
	/*
	 * maxconn and `lower` of the servers are the kernel's upper and lower thresholds (ipvsadm -x, -y),
	 * for all algorithms: a server whose active and inactive connections reach maxconn is overloaded,
	 * and passed over until a connection goes and fewer than `lower` (0: three quarters of maxconn)
	 * are left. Several pickers may go beyond by one connection each. Without it maxconn is a limit
	 * of the active connections, never exceeded.
	 */
	LB_GROUP_OVERLOAD = 1 << 2,
};

struct lb_group_opts {
	size_t size; /* sizeof(struct lb_group_opts) */
	/*
	 * The algorithm by name; NULL: "roundrobin". docs/algorithms.md has a card for each;
	 * lb_algo_name() lists them. A server of weight 0 gets only requests that prefer it.
	 *   roundrobin  HAProxy's: by weight, evenly interleaved (3,2,1: 1 2 1 3 1 2)
	 *   leastconn   HAProxy's: least (active + queued + 1) / weight, in turn among equals
	 *   static-rr   HAProxy's: by weight, through a map made beforehand
	 *   first       HAProxy's: the first server with room takes all
	 *   random      HAProxy's: of `draws` drawn by weight the one with least active / weight
	 *   twos        the kernel's: of two drawn by weight the one with least overhead / weight
	 *   maglev      consistent hash of lb_request.key64 over 65537 slots
	 *   rr wrr lc wlc sed nq fo ovf   the kernel's (IPVS), to the pick: the server added last
	 *               comes first
	 *   lblc lblcr  the kernel's for caches: lb_request.key64 goes where it went before
	 *   sh dh mh    the kernel's hashes of lb_request.key64: see <libsched/lb_hash.h>
	 *   source uri hdr url_param rdp-cookie hash   HAProxy's hashes of key64; the names differ in what
	 *               the host makes the key of, and run the same
	 *   smooth-wrr least_conn ip_hash nginx-hash ketama   nginx's: round robin, least_conn, ip_hash,
	 *               hash, hash … consistent
	 *   bounded     consistent hash that never fills a server above balance_factor
	 *   p2c jiq peak-ewma prequal   by load: of two, an idle one, by latency, by both
	 *   anchor dx jump   consistent hashes that move no key without need
	 *   round-robin ratio-* dynamic-ratio-* least-connections-* ratio-least-connections-*
	 *   weighted-least-connections-* observed-* predictive-* fastest-app-response fastest-node
	 *   least-sessions   F5's load-balancing-mode
	 */
	const char *algo;
	/* Your own algorithm instead of a name (then `algo` is NULL); copied, its functions must stay. */
	const struct lb_algo *own_algo;
	void *own_userdata; /* for own_algo; never touched by the library */
	/* Random draws and hash tables: same seed, edits and picks give the same choices. */
	uint64_t seed;
	/*
	 * A priority group is opened when fewer than this many servers of the groups before it are
	 * usable (F5 min-active-members): those at their maxconn are not. 0: as HAProxy's `backup`, when
	 * none is, and those at their maxconn are, unless LB_GROUP_OVERLOAD: who finds all full waits.
	 */
	uint32_t min_active;
	/*
	 * lc and wlc weigh an active connection this many times an inactive one, plus the inactive
	 * ones: 256 (0 is the same) as Linux up to 6.1.176, 257 from 6.1.187 on. 1..1024. Others
	 * ignore it.
	 */
	uint32_t overhead_mul;
	uint32_t flags; /* enum lb_group_flag, or-ed */
	uint32_t draws; /* random: servers to compare, 1..LB_DRAWS_MAX; 0: 2. Others ignore it */
	/*
	 * Bounded load (HAProxy's hash-balance-factor), for `bounded` and those of
	 * LB_GROUP_CONSISTENT: no server gets more than this percentage of its share of all active
	 * connections; the next on the ring takes what is above. 101..65535; 0: 125 for `bounded`,
	 * else no bound. Others ignore it.
	 */
	uint32_t balance_factor;
	/*
	 * Algorithms with a ring: points for each unit of weight, 1..LB_POINTS_MAX; more are more even.
	 * 0: as the original, 160 for ketama and bounded, 16 for those of HAProxy.
	 */
	uint32_t points;
	/*
	 * peak-ewma, prequal: after this time without news a latency counts for a third (1/e) of what
	 * it did. 0: 10 s. Others ignore it.
	 */
	uint64_t decay_ns;
	/*
	 * A server that comes up, is enabled or is added begins with a small share, which grows to the
	 * whole in this time (F5 slow-ramp-time, HAProxy slowstart): see lb_group_tick(). static-rr,
	 * fo, ovf, lblc, lblcr and the hashes keep their weights, but for maglev, bounded and those of
	 * LB_GROUP_CONSISTENT; rr knows none. 0: none.
	 */
	uint64_t slow_start_ns;
	/*
	 * prequal: a server is hot that has more requests in flight than this percentage of those
	 * looked at. 1..100; 0: 80. Others ignore it.
	 */
	uint32_t hot_percent;
	/*
	 * anchor, dx: how many buckets there are, which is how many members the group can grow to; at
	 * most LB_SERVERS_MAX. 0, or too few: a power of two, at least 16 and twice the members; when
	 * it changes, most keys move. Others ignore it.
	 */
	uint32_t capacity;
};

/*
 * Makes an empty group; its first picks fail with -ENOSR. -ENOENT: no algorithm of that name. The
 * caller owns the group and frees it with lb_group_free(). Any thread; groups know nothing of each other.
 */
LIBSCHED_API int lb_group_new(const struct lb_group_opts *o, struct lb_group **ret);

/*
 * [editor] Stages other options, all of them, the algorithm too: servers and counters stay, the pickers
 * start the rotation anew. Errors as lb_group_new().
 */
LIBSCHED_API int lb_group_configure(struct lb_group *g, const struct lb_group_opts *o);

/*
 * [editor] Frees the group with all its servers, snapshots and those pickers that still exist: no
 * thread may be inside one or use one again. NULL is fine.
 */
LIBSCHED_API void lb_group_free(struct lb_group *g);

/*
 * [editor] As lb_group_free(), but pickers that still exist live on, without a group: every call with one
 * returns -ESHUTDOWN, and the caller frees each with lb_picker_free(), one thread at a time. No thread
 * may be inside a call meanwhile. NULL is fine.
 */
LIBSCHED_API void lb_group_close(struct lb_group *g);

/*
 * [editor] Publishes what was staged since the last commit, all at once; cost O(n) and the
 * algorithm's table. Nothing staged: nothing published. -ENOMEM: nothing changed for the pickers,
 * what was staged stays so and the call may be repeated. Own algorithms may fail with an error of
 * their own, likewise.
 */
LIBSCHED_API int lb_group_commit(struct lb_group *g);

/*
 * [editor] Frees snapshots and removed servers nobody needs any more; every commit does so too.
 * Returns how many superseded snapshots pickers still hold, or -EINVAL.
 */
LIBSCHED_API int lb_group_reclaim(struct lb_group *g);

/*
 * [editor] Stages what changes without an edit: weights in slow start, and priority groups, because
 * servers reached their maxconn or have room again (with min_active or LB_GROUP_OVERLOAD). now_ns is
 * CLOCK_MONOTONIC; slow start begins at the first tick after a server came. Returns 1: something was
 * staged, so commit; 0: nothing was; -EINVAL. Call it at lb_group_deadline(), and, if priorities and limits meet,
 * every second or when a pick said -EAGAIN. O(n).
 */
LIBSCHED_API int lb_group_tick(struct lb_group *g, uint64_t now_ns);

/*
 * [editor] When slow start wants the next tick, CLOCK_MONOTONIC; 0: now; UINT64_MAX: not at all.
 */
LIBSCHED_API uint64_t lb_group_deadline(const struct lb_group *g);

/* What is published, not what is staged. The caller sets `size`. */
struct lb_group_stats {
	size_t size;
	uint64_t generation; /* counts the published snapshots, from 1 (the empty one) */
	uint32_t servers;    /* members */
	uint32_t usable;     /* members that may be chosen, full ones included */
	uint32_t removed;    /* removed, but with connections not yet done */
	uint32_t pickers;    /* that exist */
	uint32_t snapshots;  /* in memory, the current one included */
	uint32_t staged;     /* 1: edits wait for a commit */
	char algo[LB_ALGO_NAME_MAX + 1]; /* its name, NUL-terminated */
};

/* [editor] Copies out how the group stands. */
LIBSCHED_API int lb_group_stats(const struct lb_group *g, struct lb_group_stats *ret);

/*
 * [editor] Copies the ids of the members, staged edits included, in the order they were added, up
 * to `cap` of them; ret_ids may be NULL when cap is 0. Returns how many there are (maybe more than
 * cap), or -EINVAL.
 */
LIBSCHED_API ssize_t lb_group_servers(const struct lb_group *g, uint64_t *ret_ids, size_t cap);

/*
 * [editor] Copies out the published table of maglev, mh, sh or dh, or of an own algorithm that has one, for
 * a data path that keeps tables of its own (a map of nftables, of eBPF): the id of each slot, 0 where there
 * is nobody, up to `cap` of them; ret_ids may be NULL when cap is 0. Returns how many slots there are (maybe
 * more than cap); -EOPNOTSUPP: this algorithm has none; -EINVAL. Servers that are full keep their slots. The
 * data path hashes as it likes (for h of 32 bits, slot h * slots / 2^32): shares are those of lb_pick() and few keys
 * move at a change, but lb_pick() has a hash of its own and may send a key elsewhere.
 */
LIBSCHED_API ssize_t lb_group_slots(const struct lb_group *g, uint64_t *ret_ids, size_t cap);

/*
 * The name of the i-th built-in algorithm, or NULL past the last: for messages such as "unknown
 * algorithm, one of …". Static; any thread.
 */
LIBSCHED_API const char *lb_algo_name(size_t i);

/* ---- Servers ---- */

/* What the administrator wants of a server; whether it answers is lb_server_set_up()'s business. */
enum lb_state {
	/* Takes what the algorithm gives it. */
	LB_STATE_ENABLED = 0,
	/* Only requests that prefer it: F5 "disabled", HAProxy "drain", IPVS weight 0. */
	LB_STATE_DISABLED = 1,
	/* Nothing new, preferred or not; what runs may finish: F5 "forced offline". */
	LB_STATE_DRAINING = 2,
	/* The same to a picker; the host may end what runs: HAProxy "maint". */
	LB_STATE_OFFLINE = 3,
};

struct lb_server_opts {
	size_t size; /* sizeof(struct lb_server_opts) */
	/*
	 * Any number but 0 that means this server to the caller, the same after a reload of his
	 * configuration; the address of his own struct will do. 0: the library chooses the next
	 * free one.
	 */
	uint64_t id;
	/* 1..LB_WEIGHT_MAX; 0 means 1: for a weight of 0 call lb_server_set_weight() after adding. */
	uint32_t weight;
	/* Most active connections; a server at its limit is passed over. 0: no limit. */
	uint32_t maxconn;
	/*
	 * Priority group, 0..LB_PRIORITY_MAX: 0 is used first, see min_active. For HAProxy's `backup`
	 * give 1, 2, … (one backup at a time) or 1 to all of them (`option allbackups`). F5 counts the
	 * other way round: its greatest number is used first.
	 */
	uint32_t priority;
	uint32_t state; /* enum lb_state */
	bool down;	/* starts as not answering */
	uint8_t reserved[7]; /* an older struct's padding: never looked at */
	/*
	 * mh, maglev: what its place in the table comes from, the same on every node that should
	 * agree; the kernel's mh has lb_hash_ipvs() of its address and port. 0: the id. Others ignore it.
	 */
	uint64_t key64;
	uint32_t lower;	    /* LB_GROUP_OVERLOAD: the lower threshold. Others ignore it */
	uint32_t reserved2; /* 0 */
};

/*
 * [editor] Stages a new server at the end of the list; `o` may be NULL for defaults, ret_id may be
 * NULL. -EEXIST: the id is a member's; -ENOSPC: LB_SERVERS_MAX reached.
 */
LIBSCHED_API int lb_server_add(struct lb_group *g, const struct lb_server_opts *o,
			       uint64_t *ret_id);

/* [editor] Stages its removal. -ENOENT: no such member. */
LIBSCHED_API int lb_server_remove(struct lb_group *g, uint64_t id);

/*
 * [editor] Stage one change each, for the next commit; ranges and meaning as in struct lb_server_opts.
 * -ENOENT: no such member; -EINVAL: out of range. Weights count relative to each other,
 * 0..LB_WEIGHT_MAX; weight 0 leaves the server to requests that prefer it. `up`: whether it answers, as
 * a health check knows it; what runs on it is the host's to end.
 */
LIBSCHED_API int lb_server_set_weight(struct lb_group *g, uint64_t id, uint32_t weight);
LIBSCHED_API int lb_server_set_maxconn(struct lb_group *g, uint64_t id, uint32_t maxconn);
LIBSCHED_API int lb_server_set_lower(struct lb_group *g, uint64_t id, uint32_t lower);
LIBSCHED_API int lb_server_set_priority(struct lb_group *g, uint64_t id, uint32_t priority);
LIBSCHED_API int lb_server_set_state(struct lb_group *g, uint64_t id, enum lb_state state);
LIBSCHED_API int lb_server_set_up(struct lb_group *g, uint64_t id, bool up);

/*
 * What lb_server_stats() tells; `size` is set by the caller. Settings are those staged last;
 * counters are those of this moment, each exact, together not one instant's.
 */
struct lb_server_stats {
	size_t size;
	uint64_t id;
	uint32_t weight, maxconn, priority;
	uint32_t state;		 /* enum lb_state */
	uint32_t up;		 /* 1: answering */
	uint32_t removed;	 /* 1: no member any more, but its connections are not all done */
	uint32_t active;	 /* picked and not yet done */
	uint32_t inactive;	 /* IPVS: closing or otherwise idle; see lb_count() */
	uint32_t queued;	 /* waiting for this server; see lb_count() */
	uint64_t picks;		 /* ever */
	uint64_t done[4];	 /* by enum lb_result */
	uint64_t bytes;		 /* sum of the outcomes */
	uint64_t latency_sum_ns; /* sum of the outcomes that knew it */
	uint32_t elsewhere;	 /* see LB_COUNTER_ELSEWHERE */
	uint32_t sessions;	 /* see LB_COUNTER_SESSIONS */
	uint32_t lower;		 /* the lower threshold, see LB_GROUP_OVERLOAD */
	uint32_t overloaded; /* 1: beyond its upper threshold, and not yet below the lower one */
};

/* [editor] Copies out one server. -ENOENT: neither a member nor a removed one with connections. */
LIBSCHED_API int lb_server_stats(const struct lb_group *g, uint64_t id,
				 struct lb_server_stats *ret);

/* ---- State for the next process, or a peer ---- */

enum lb_thaw_flag {
	/*
	 * The connections go on in this process (hitless reload): their counts are put in force, and the
	 * figures of finished requests. Not for a peer, which has connections of its own.
	 */
	LB_THAW_COUNTERS = 1 << 0,
	/* Members only: the configuration says who is one; others in the buffer are left out. */
	LB_THAW_MEMBERS = 1 << 1,
};

/*
 * [editor] Writes the servers as they are staged: settings, state, up or down, slow start, counters, the
 * removed ones with connections too. Returns the bytes it takes; if that is more than cap, nothing is
 * written (buf may be NULL when cap is 0). The format has a version and is the same on every machine;
 * it holds no name, address or secret. -EINVAL.
 */
LIBSCHED_API ssize_t lb_group_freeze(const struct lb_group *g, void *buf, size_t cap);

/*
 * [editor] Stages what such a buffer holds, from whomever it came: servers the group has not are added in
 * its order, those it has get its settings; commit follows. Options of the group stay. Call
 * lb_group_tick() first where servers are in slow start.
 *
 * -EBADMSG: not such a buffer, or cut off; -EPROTONOSUPPORT: of a later version; then nothing was staged.
 * -ENOMEM, -ENOSPC: some of it was.
 */
LIBSCHED_API int lb_group_thaw(struct lb_group *g, const void *buf, size_t len, uint32_t flags);

/* ---- Picking ---- */

/*
 * [editor] Makes a picker, for one thread to own. Those of one group do not march in step: the k-th
 * (from 0) starts k picks into the rotation. -ENOSPC: LB_PICKERS_MAX reached. Freed by
 * lb_picker_free() or with the group.
 */
LIBSCHED_API int lb_picker_new(struct lb_group *g, struct lb_picker **ret);

/* [editor] Frees a picker no thread uses any more. NULL is fine. */
LIBSCHED_API void lb_picker_free(struct lb_picker *p);

enum lb_request_flag {
	/* The preferred server or none; -EAGAIN while it is full. No meaning without one. */
	LB_REQUEST_STRICT = 1 << 0,
	/* Prefer it also when it is down, and in any state: HAProxy force-persist. */
	LB_REQUEST_FORCE = 1 << 1,
	/* Choose only: no counter moves, and lb_done() must not follow. */
	LB_REQUEST_UNCOUNTED = 1 << 2,
	/*
	 * There is no key (no such header, no such parameter): the hashes of HAProxy and nginx go
	 * round instead, as those do. Others ignore it.
	 */
	LB_REQUEST_KEYLESS = 1 << 3,
};

/* One request. NULL in place of it is one with every default. */
struct lb_request {
	size_t size; /* sizeof(struct lb_request) */
	/*
	 * What hash algorithms go by: the caller's hash of an address, a URI, … sh, dh and mh look at
	 * its lower 32 bits; for the kernel's choice see lb_hash_ipvs().
	 */
	uint64_t key64;
	/* CLOCK_MONOTONIC, for algorithms that age what they know; others ignore it. */
	uint64_t now_ns;
	/* Persistence: the server to use when it may be used at all. 0: none. */
	uint64_t prefer;
	/* Redispatch: servers that must not be chosen; borrowed during the call. */
	const uint64_t *exclude;
	size_t n_exclude;  /* 0..LB_EXCLUDE_MAX */
	uint32_t flags;	   /* enum lb_request_flag, or-ed */
	uint32_t reserved; /* 0 */
	/* Where chance is asked, it comes from this number alone. 0: the picker's own sequence. */
	uint64_t seed;
};

/*
 * [picker] Chooses a server and counts the request as active on it; lb_done() ends that.
 *
 * The preferred server comes first, if it is up, ENABLED or DISABLED, not full and not excluded; its
 * weight and its priority do not matter. Else, unless LB_REQUEST_STRICT is set, the algorithm
 * chooses among the members that are up, ENABLED, of a weight above 0, of an open priority group,
 * not full and not excluded.
 *
 * maxconn holds across all pickers: of two that race for the last connection one gets it.
 *
 * `r` NULL: every default. *ret_id is written on success alone.
 *
 * - -EAGAIN: those that could be chosen are full, or have no room left in the algorithm's eyes
 *   (ovf), or are not those of the key (sh, dh, mh without LB_GROUP_FALLBACK). Queue the request, or
 *   try later.
 * - -ENOSR: waiting does not help. Nobody is up and enabled, or all of them are excluded.
 * - -ENOENT: LB_REQUEST_STRICT, and the preferred server is unknown or may not be used.
 * - -EPROTO: an own algorithm returned a place that may not be chosen.
 *
 * Cost: the algorithm's, see docs/algorithms.md, and O(1); O(n) when it fails.
 */
LIBSCHED_API int lb_pick(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id);

/*
 * [picker] Chooses for n requests at once, as n calls of lb_pick() in this order would: each is `r` (NULL: every
 * default) with key64[i] for its key (key64 NULL: all have r->key64). ret_ids[i] is the server, to be ended by
 * lb_done(), or 0 where lb_pick() would have failed: ask it for that one to learn why, or try later. Returns
 * how many got one (n may be 0), or a negative error with nothing chosen. key64 and ret_ids may be the same
 * memory.
 *
 * One look at the newest snapshot serves all. Where no server has a maxconn, and the request prefers and excludes
 * nobody and brings no seed, the common algorithms (docs/algorithms.md says which) go through a burst in one
 * go, for less than as many calls; anything else costs what these cost.
 */
LIBSCHED_API ssize_t lb_pick_many(struct lb_picker *p, const struct lb_request *r,
				  const uint64_t *key64, size_t n, uint64_t *ret_ids);

/* How a request ended. */
enum lb_result {
	LB_RESULT_OK = 0,
	LB_RESULT_ABORTED = 1, /* our side gave up: says nothing about the server */
	LB_RESULT_CONNECT = 2, /* no connection, or it broke */
	LB_RESULT_SERVER = 3,  /* the server answered with an error of its own: HTTP 5xx */
};

/* What the caller saw of it. NULL in place of it is an OK without figures. */
struct lb_outcome {
	size_t size;	     /* sizeof(struct lb_outcome) */
	uint64_t now_ns;     /* as in struct lb_request */
	uint64_t latency_ns; /* request to first byte, or what the caller compares. 0: unknown */
	uint64_t bytes;	     /* sent, received or both: added up for lb_server_stats(), no more */
	uint32_t result;   /* enum lb_result */
	uint32_t inactive; /* 1: it was counted inactive when it ended (IPVS), not active */
};

/*
 * [picker] Ends what lb_pick() began, through any picker of the group: the thread that finishes
 * need not be the one that picked. `o` may be NULL. -ENOENT: unknown id. A count never goes below 0. O(1),
 * and what the algorithm has to do.
 */
LIBSCHED_API int lb_done(struct lb_picker *p, uint64_t id, const struct lb_outcome *o);

enum lb_counter {
	LB_COUNTER_ACTIVE = 0,
	LB_COUNTER_INACTIVE = 1,
	LB_COUNTER_QUEUED = 2,
	/*
	 * Connections to the same machine that are not this server's: those of other pools, of other
	 * ports. The F5 algorithms whose names end with -node count them. Only the host moves it.
	 */
	LB_COUNTER_ELSEWHERE = 3,
	/* Persistence records that point to it, for least-sessions. Only the host moves it. */
	LB_COUNTER_SESSIONS = 4,
};

/*
 * [picker] Adds `delta` to a counter that lb_pick() and lb_done() do not know about: a request
 * queued for this server (+1, later -1), a connection that went from active to inactive (+1 here,
 * then -1 there: a removed server without any is forgotten), a difference read from the kernel. The
 * value stays within 0..UINT32_MAX, active and inactive within 0..INT32_MAX. -ENOENT: unknown id.
 */
LIBSCHED_API int lb_count(struct lb_picker *p, uint64_t id, enum lb_counter c, int64_t delta);

/* [picker] Moves to the newest snapshot, as the next pick would; for a thread that picks rarely. */
LIBSCHED_API int lb_picker_refresh(struct lb_picker *p);

/*
 * [picker] Where it is in its rotation and its random numbers, as bytes; lb_picker_freeze() returns as
 * lb_group_freeze() does. Thaw it into a picker of a group with the same servers, after their commit:
 * servers that are not there are passed over. What cannot be carried (rotations that keep a place for
 * each server) starts anew. -EBADMSG, -EPROTONOSUPPORT as lb_group_thaw(); -ENOENT: of another algorithm.
 */
LIBSCHED_API ssize_t lb_picker_freeze(struct lb_picker *p, void *buf, size_t cap);
LIBSCHED_API int lb_picker_thaw(struct lb_picker *p, const void *buf, size_t len);

/* [picker] Lets go of the snapshot. The next call comes back by itself, at the start of the
 * rotation. */
LIBSCHED_API int lb_picker_offline(struct lb_picker *p);

/* ---- Explaining ---- */

/* Why a server is or is not the choice; the first that applies, in this order from
 * LB_VERDICT_OFFLINE. */
enum lb_verdict {
	LB_VERDICT_CHOSEN = 0,	  /* lb_pick() would return this one now */
	LB_VERDICT_CANDIDATE = 1, /* could have been chosen */
	LB_VERDICT_OFFLINE = 2,
	LB_VERDICT_DRAINING = 3,
	LB_VERDICT_DOWN = 4,
	LB_VERDICT_DISABLED = 5,
	LB_VERDICT_WEIGHT = 6,	 /* weight 0 */
	LB_VERDICT_STANDBY = 7,	 /* its priority group is closed */
	LB_VERDICT_EXCLUDED = 8, /* by the request */
	LB_VERDICT_FULL = 9,	 /* at its maxconn */
};

/* One member, as lb_explain() shows it. Grows at its end; the library sets `size`. */
struct lb_explanation {
	size_t size;
	uint64_t id;
	enum lb_verdict verdict;
	uint32_t preferred; /* 1: the request prefers it */
	uint32_t weight, maxconn, active;
	/*
	 * What the algorithm compares, for a candidate; lower is better, equal is the rotation's
	 * business. score_valid 0: the algorithm has no such figure, or the server was no
	 * candidate.
	 */
	uint32_t score_valid;
	double score;
	/*
	 * For the chosen server and for candidates, why this one or why not, in words: "its score 3.5
	 * is the least", "the key belongs to another". NULL: nothing to add to the verdict. Valid
	 * until `row` returns.
	 */
	const char *note;
};

/*
 * [picker] Tells for each member, in the order of the algorithm, why lb_pick() would choose it or
 * not. Nothing moves: neither counters nor the rotation. The only [picker] call that allocates.
 * `row` is called once a member; other than 0 from it stops and is returned. Inside it no call with
 * this picker. Otherwise returns what lb_pick() would have, 0 or -EAGAIN, -ENOSR, …; or -ENOMEM
 * before any row.
 */
LIBSCHED_API int lb_explain(struct lb_picker *p, const struct lb_request *r,
			    int (*row)(const struct lb_explanation *e, void *userdata),
			    void *userdata);

/* In words: "chosen", "down", "at its maxconn", …; "unknown" for other numbers. Static; any thread. */
LIBSCHED_API const char *lb_verdict_string(enum lb_verdict v);

#ifdef __cplusplus
}
#endif
#endif
