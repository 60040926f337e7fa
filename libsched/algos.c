/* SPDX-License-Identifier: MIT */
/* Algorithms by name, and the options of a group. */
#include <errno.h>

#include "base/sized.h"
#include "libsched/algos.h"
#include "libsched/group.h"

#define OVERHEAD_MUL 256 /* Linux up to 6.1.176, include/net/ip_vs.h */
#define OVERHEAD_MUL_MAX 1024
#define DRAWS 2 /* HAProxy's default */

static const struct lb_algo *const algos[] = {
    &algo_roundrobin, &algo_leastconn, &algo_rr,    &algo_wrr,	  &algo_lc,   &algo_wlc,
    &algo_sed,	      &algo_nq,	       &algo_fo,    &algo_ovf,	  &algo_sh,   &algo_dh,
    &algo_mh,	      &algo_static_rr, &algo_first, &algo_random, &algo_twos, &algo_maglev,
};

#define N_ALGOS (sizeof(algos) / sizeof(algos[0]))

const char *lb_algo_name(size_t i)
{
	return i < N_ALGOS ? algos[i]->name : NULL;
}

const struct lb_algo *algo_find(const char *name)
{
	for (size_t i = 0; i < N_ALGOS; i++)
		if (!strcmp(algos[i]->name, name))
			return algos[i];
	return NULL;
}

/* A group's own algorithm, or the named one. */
static int find_ops(const struct lb_group_opts *o, struct lb_algo *ret)
{
	const struct lb_algo *builtin;

	if (o->own_algo) {
		if (o->algo)
			return -EINVAL;
		return sized_in(ret, sizeof(*ret), o->own_algo);
	}
	builtin = algo_find(o->algo ? o->algo : algo_roundrobin.name);
	if (!builtin)
		return -ENOENT;
	*ret = *builtin;
	return 0;
}

int algo_setup_of(const struct lb_group_opts *o, struct algo_setup *ret)
{
	struct lb_group_opts own;
	struct algo_setup setup = {0};
	size_t len;
	int r;

	r = sized_in(&own, sizeof(own), o);
	if (r < 0)
		return r;
	r = find_ops(&own, &setup.ops);
	if (r < 0)
		return r;
	if (!setup.ops.pick || !setup.ops.name || setup.ops.flags & ~(uint32_t)LB_ALGO_NEWEST_FIRST)
		return -EINVAL;
	len = strnlen(setup.ops.name, sizeof(setup.name));
	if (!len || len == sizeof(setup.name) || own.overhead_mul > OVERHEAD_MUL_MAX ||
	    own.flags & ~(uint32_t)LB_GROUP_FALLBACK || own.draws > LB_DRAWS_MAX)
		return -EINVAL;
	memcpy(setup.name, setup.ops.name, len);
	setup.ops.name = NULL; /* the host's string may go */
	setup.userdata = own.own_userdata;
	setup.seed = own.seed;
	setup.min_active = own.min_active ? own.min_active : 1;
	setup.overhead_mul = own.overhead_mul ? own.overhead_mul : OVERHEAD_MUL;
	setup.flags = own.flags;
	setup.draws = own.draws ? own.draws : DRAWS;
	*ret = setup;
	return 0;
}
