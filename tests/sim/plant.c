/* SPDX-License-Identifier: MIT */
/*
 * The test of the test: a mistake planted into the simulated host must break the invariant that stands against
 * it, the failing run must shrink, and the small run must fail again, byte for byte the same.
 */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>

#define PLANT_SEEDS 400 /* within which the mistake must show */
#define PLANT_STEPS 6	/* faults that a shrunk run has at most */

enum plant planted;

static const struct {
	const char *what;
	enum invariant breaks, or ;
} plants[SIM_PLANTS] = {
    [PLANT_DEAF] = {"a node is deaf to priority 0", I3, I_MODEL},
    [PLANT_TWINS] = {"an Active hears nobody", I2, I1},
    [PLANT_IMPATIENT] = {"a clock runs twice too fast", I3, I8},
    [PLANT_KEEPS] = {"addresses are kept", I5, I5},
    [PLANT_TORN] = {"no group is made", I4, I4},
    [PLANT_SILENT] = {"the announcement comes before the advert", I6, I6},
    [PLANT_GULLIBLE] = {"a bad packet moves the priority", I7, I7},
    [PLANT_STARVED] = {"bad packets delay adverts", I8, I8},
    [PLANT_ALLOCATES] = {"memory is asked for on the way", I9, I9},
    [PLANT_MUTE] = {"no announcement leaves", I10, I10},
    [PLANT_FORGETS] = {"an upgrade begins anew", I11, I11},
    [PLANT_STALE] = {"an upgrade knows no beat", I11, I11},
    [PLANT_HASTY] = {"no preempt delay is kept", I12, I12},
    [PLANT_PREEMPTS] = {"an Active is displaced", I13, I13},
    [PLANT_MISCOUNTS] = {"one lost advert fewer is enough", I_MODEL, I3},
};

static int steps_of(const struct plan *p)
{
	return __builtin_popcountll(p->steps);
}

/* The first seed whose run breaks what the mistake must break. */
static bool find(enum plant plant, struct plan *ret, struct outcome *ret_outcome)
{
	for (uint64_t seed = 1; seed <= PLANT_SEEDS; seed++) {
		plan_draw(seed, ret);
		world_play(ret, false, ret_outcome);
		if (ret_outcome->failed == plants[plant].breaks ||
		    ret_outcome->failed == plants[plant].or)
			return true;
	}
	return false;
}

static bool check(enum plant plant)
{
	struct outcome first, again, third;
	struct plan p, small;
	unsigned runs;

	if (!find(plant, &p, &first)) {
		printf("%s: no run of %d noticed\n", plants[plant].what, PLANT_SEEDS);
		return false;
	}
	shrink(&p, &first, &small, &runs);
	world_play(&small, false, &again);
	world_play(&small, false, &third);
	printf("%s: %s: %s\n    %d steps became %d in %u runs: ", plants[plant].what,
	       invariant_name(first.failed), again.failure, steps_of(&p), steps_of(&small), runs);
	shrink_print_replay(&small);
	if (again.failed != first.failed || again.hash != third.hash) {
		printf("    but the small run is not the same run\n");
		return false;
	}
	return steps_of(&small) <= PLANT_STEPS;
}

/* How many mistakes were not found, or did not shrink. */
int plant_check(void)
{
	int wrong = 0;

	coverage_pause(true);
	for (int i = PLANT_NONE + 1; i < SIM_PLANTS; i++) {
		planted = (enum plant)i;
		wrong += !check(planted);
		coverage_pause(true);
	}
	planted = PLANT_NONE;
	coverage_pause(false);
	return wrong;
}
