/* SPDX-License-Identifier: MIT */
/* Algorithms by name, and the options of a group. */
#include <errno.h>

#include "base/sized.h"
#include "libsched/algos.h"
#include "libsched/group.h"

#define OVERHEAD_MUL 256 /* Linux up to 6.1.176, include/net/ip_vs.h */
#define OVERHEAD_MUL_MAX 1024
#define DRAWS 2 /* HAProxy's default */
#define BALANCE_FACTOR_MAX 65535
#define DECAY_NS 10000000000u /* Finagle's */
#define HOT_PERCENT 80	      /* within what Prequal's paper found good, 60 to 90 */

/* A name, what it runs, and its usual way, if it has one. Several names of one line of programs may run the same. */
static const struct {
	const char *name;
	const struct lb_algo *ops;
	const struct usual *usual;
} algos[] = {
    /* HAProxy */
    {"roundrobin", &algo_roundrobin, &usual_roundrobin},
    {"leastconn", &algo_leastconn, &usual_leastconn},
    {"static-rr", &algo_static_rr, NULL},
    {"first", &algo_first, NULL},
    {"random", &algo_random, NULL},
    {"source", &algo_hash, NULL},
    {"uri", &algo_hash, NULL},
    {"hdr", &algo_hash, NULL},
    {"url_param", &algo_hash, NULL},
    {"rdp-cookie", &algo_hash, NULL},
    {"hash", &algo_hash, NULL},
    /* IPVS */
    {"rr", &algo_rr, &usual_rr},
    {"wrr", &algo_wrr, &usual_wrr},
    {"lc", &algo_lc, &usual_lc},
    {"wlc", &algo_wlc, &usual_wlc},
    {"sed", &algo_sed, &usual_sed},
    {"nq", &algo_nq, &usual_nq},
    {"fo", &algo_fo, &usual_fo},
    {"ovf", &algo_ovf, &usual_ovf},
    {"sh", &algo_sh, NULL},
    {"dh", &algo_dh, NULL},
    {"mh", &algo_mh, NULL},
    {"lblc", &algo_lblc, NULL},
    {"lblcr", &algo_lblcr, NULL},
    {"twos", &algo_twos, NULL},
    /* nginx */
    {"smooth-wrr", &algo_smooth_wrr, &usual_smooth_wrr},
    {"least_conn", &algo_least_conn, &usual_least_conn},
    {"ip_hash", &algo_ip_hash, NULL},
    {"nginx-hash", &algo_nginx_hash, NULL},
    {"ketama", &algo_ketama, NULL},
    /* published */
    {"maglev", &algo_maglev, &usual_maglev},
    {"bounded", &algo_bounded, NULL},
    {"p2c", &algo_p2c, &usual_p2c},
    {"jiq", &algo_jiq, NULL},
    {"peak-ewma", &algo_peak_ewma, NULL},
    {"prequal", &algo_prequal, NULL},
    {"anchor", &algo_anchor, NULL},
    {"dx", &algo_dx, NULL},
    {"jump", &algo_jump, NULL},
    /* F5 */
    {"round-robin", &algo_f5_round_robin, NULL},
    {"ratio-member", &algo_roundrobin, &usual_roundrobin},
    {"ratio-node", &algo_roundrobin, &usual_roundrobin},
    {"ratio-session", &algo_roundrobin, &usual_roundrobin},
    {"dynamic-ratio-member", &algo_roundrobin, &usual_roundrobin},
    {"dynamic-ratio-node", &algo_roundrobin, &usual_roundrobin},
    {"least-connections-member", &algo_f5_least_member, &usual_least_member},
    {"least-connections-node", &algo_f5_least_node, &usual_least_node},
    {"ratio-least-connections-member", &algo_f5_ratio_least_member, &usual_ratio_least_member},
    {"ratio-least-connections-node", &algo_f5_ratio_least_node, &usual_ratio_least_node},
    {"weighted-least-connections-member", &algo_f5_weighted_least_member,
     &usual_weighted_least_member},
    {"weighted-least-connections-node", &algo_f5_weighted_least_node, &usual_weighted_least_node},
    {"fastest-app-response", &algo_f5_least_member, &usual_least_member},
    {"fastest-node", &algo_f5_least_node, &usual_least_node},
    {"least-sessions", &algo_f5_least_sessions, &usual_least_sessions},
    {"observed-member", &algo_f5_observed_member, NULL},
    {"observed-node", &algo_f5_observed_node, NULL},
    {"predictive-member", &algo_f5_predictive_member, NULL},
    {"predictive-node", &algo_f5_predictive_node, NULL},
};

#define N_ALGOS (sizeof(algos) / sizeof(algos[0]))

const char *lb_algo_name(size_t i)
{
	return i < N_ALGOS ? algos[i].name : NULL;
}

/* Fills in the ops of a built-in one. 0 or -ENOENT. */
static int find_builtin(const char *name, struct algo_setup *ret)
{
	for (size_t i = 0; i < N_ALGOS; i++) {
		if (strcmp(algos[i].name, name))
			continue;
		ret->ops = *algos[i].ops;
		ret->ops.name = algos[i].name;
		ret->usual = algos[i].usual;
		return 0;
	}
	return -ENOENT;
}

/* A group's own algorithm, or the named one. */
static int find_ops(const struct lb_group_opts *o, struct algo_setup *ret)
{
	if (o->own_algo) {
		if (o->algo)
			return -EINVAL;
		return sized_in(&ret->ops, sizeof(ret->ops), o->own_algo);
	}
	return find_builtin(o->algo ? o->algo : algo_roundrobin.name, ret);
}

/* The ranges that are no algorithm's own business. */
static bool opts_in_range(const struct lb_group_opts *o)
{
	return o->overhead_mul <= OVERHEAD_MUL_MAX && o->draws <= LB_DRAWS_MAX &&
	       o->points <= LB_POINTS_MAX && o->hot_percent <= 100 &&
	       (!o->balance_factor ||
		(o->balance_factor > 100 && o->balance_factor <= BALANCE_FACTOR_MAX)) &&
	       !(o->flags &
		 ~(uint32_t)(LB_GROUP_FALLBACK | LB_GROUP_CONSISTENT | LB_GROUP_OVERLOAD)) &&
	       o->capacity <= LB_SERVERS_MAX;
}

static void fill_in(struct lb_group_opts *o)
{
	o->overhead_mul = o->overhead_mul ? o->overhead_mul : OVERHEAD_MUL;
	o->draws = o->draws ? o->draws : DRAWS;
	o->decay_ns = o->decay_ns ? o->decay_ns : DECAY_NS;
	o->hot_percent = o->hot_percent ? o->hot_percent : HOT_PERCENT;
}

/* The host's strings and structs may go after the call. */
static void let_go(struct algo_setup *setup)
{
	setup->ops.name = NULL;
	setup->opts.algo = NULL;
	setup->opts.own_algo = NULL;
}

int algo_setup_of(const struct lb_group_opts *o, struct algo_setup *ret)
{
	struct algo_setup setup = {0};
	const struct lb_algo *ops = &setup.ops;
	size_t len;
	int r;

	r = sized_in(&setup.opts, sizeof(setup.opts), o);
	if (r < 0)
		return r;
	r = find_ops(&setup.opts, &setup);
	if (r < 0)
		return r;
	if (!opts_in_range(&setup.opts) || !ops->pick || !ops->name || ops->reserved ||
	    ops->flags & ~(uint32_t)(LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS) ||
	    ops->server_bytes > LB_ALGO_STATE_MAX || ops->group_bytes > LB_ALGO_STATE_MAX)
		return -EINVAL;
	len = strnlen(ops->name, sizeof(setup.name));
	if (!len || len == sizeof(setup.name))
		return -EINVAL;
	memcpy(setup.name, ops->name, len);
	fill_in(&setup.opts);
	r = ops->check ? ops->check(&setup.opts) : 0;
	let_go(&setup);
	if (r < 0)
		return r;
	*ret = setup;
	return 0;
}
