/* SPDX-License-Identifier: MIT */
/* Inside of kernel/service.c, service_table.c, service_drain.c and service_look.c: virtual servers in the kernel. */
#ifndef VIPD_KERNEL_SERVICE_H
#define VIPD_KERNEL_SERVICE_H

#include <libha/service.h>

#include "kernel/kernel.h"

/* A real server that the configuration no longer has, while its connections end. */
struct leaver {
	struct ha_service_opts service; /* its key */
	struct ha_dest_opts dest;
	uint64_t deadline_ns;
};

/* The service that is looked at next: a line of a virtual server, with the weights of that. */
struct look {
	const struct conf_virtual *virtual;
	size_t listen;
	const int32_t *weight;
};

struct services {
	const struct conf *conf;
	struct loop_source *look_timer;
	struct look look;
	uint64_t look_gap_ns;
	struct loop_source *drain_timer;
	struct leaver *leaver;
	size_t n_leavers;
	bool leavers_known; /* it was looked who they are */
	const struct options *options;
	struct ha_ipvs *ipvs;
	struct ha_nft *nft;
	struct weights *weights;
	int32_t *weight; /* weights->held: what is in use of which virtual server */
	int32_t *room;	 /* for one of them */
	/* The configuration of what was put there last: its services are ours. NULL: nothing was. */
	const struct conf *had;
	const int32_t *had_weight; /* likewise */
	const size_t *pair;	   /* conf_pairs.virtual, from `conf` to `had` when they are two */
	bool known;	     /* the kernel has what these say, unless somebody changed it since */
	bool refused_said;   /* what a backend cannot do is said once */
	bool tries;	     /* nothing is said of a failure: nothing was done, all will be tried */
	bool committed;	     /* health has spoken */
	bool flush;	     /* lvs_flush, the first time */
	uint64_t counted_ns; /* when what the kernel counts was read last */
	uint64_t audited_ns; /* when its table was compared last */
};

/* kernel/service_table.c: the table that is wanted. 0 or -errno. */

/* As the backend has it. */
void services_dest(const struct services *s, const struct conf_virtual *v,
		   const struct conf_real *r, int32_t weight, struct ha_dest_opts *ret);
/* One line of a virtual server; `weight`: of each of its real servers in turn, then of its sorry server (health/weights.h). */
int services_add(const struct services *s, const struct conf_virtual *v,
		 const struct conf_listen *l, const int32_t *weight, struct ha_service_table *t);
/* All its lines. */
int services_add_virtual(const struct services *s, const struct conf_virtual *v,
			 const int32_t *weight, struct ha_service_table *t);
/*
 * Virtual servers from *v on, with the weights of one after the other at *weight, until there are so many places of real servers; both
 * are moved behind them.
 */
int services_build_some(const struct services *s, const struct conf_virtual **v,
			const int32_t **weight, size_t places, struct ha_service_table **ret);
int services_build(const struct services *s, const struct conf *c, const int32_t *weight,
		   struct ha_service_table **ret);
/* The services of a configuration, which NULL has none of, without those in `but`. */
int services_list(const struct conf *c, const struct ha_service_table *but,
		  struct ha_service_table **ret);

/* kernel/service_drain.c: real servers on their way out. 0 or -errno. */

/* After a start or reload: what our services have in the kernel and the configuration has not. */
int services_find_leavers(struct services *s, const struct ha_service_table *have);
/* They stay in what is wanted until their connections have ended, or drain_timeout has passed. */
int services_keep_leavers(struct services *s, struct ha_service_table *want,
			  const struct ha_service_table *have);

/* kernel/service_look.c: from time to time, is IPVS as it was left? 0 or -errno. */
int services_look(struct loop *l, struct services *s);

#endif
