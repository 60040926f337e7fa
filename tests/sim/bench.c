/* SPDX-License-Identifier: MIT */
/* How much simulated time a second of this machine holds: three routers, one second between adverts. */
#include "world.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define BENCH_SIMULATED (100000 * SECOND)

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int sim_bench(void)
{
	struct plan p = {.n_nodes = 3,
			 .n_links = 1,
			 .n_vrs = 1,
			 .delay_ns = MS,
			 .chaos_ns = BENCH_SIMULATED,
			 .nodes = UINT32_MAX,
			 .vrs = UINT32_MAX,
			 .steps = UINT64_MAX};
	struct vr_plan *vr = &p.vr[0];
	struct outcome o;
	double before, took;

	vr->family = AF_INET;
	vr->version = 3;
	vr->vrid = 7;
	vr->n_addresses = 1;
	vr->down_timer_adverts = 3;
	for (unsigned i = 0; i < SIM_NODES; i++)
		vr->part[i] = (struct part){.priority = (uint8_t)(100 + i), .interval_cs = 100};
	before = seconds();
	world_play(&p, false, &o);
	took = seconds() - before;
	printf("3 routers at 1 s: %.0f simulated seconds per second of CPU, with every invariant "
	       "held\n",
	       (double)o.simulated_ns / 1e9 / took);
	return o.failed ? 1 : 0;
}
