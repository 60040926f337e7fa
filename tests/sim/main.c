/* SPDX-License-Identifier: MIT */
/*
 * Deterministic simulation of VRRP: nodes with some virtual routers each, links, switches and clients, a virtual
 * clock for every node, and one seed that decides everything. A run has three acts: chaos (what goes wrong is
 * drawn before it begins), calm (the election must settle), and the end of an Active.
 *
 *	sim_vrrp                      the first half of the suite: its seeds meet everything; and the planted mistakes
 *	sim_vrrp --seed N [--trace]   one run; with --steps, --evils, --nodes, --vrs a part of it
 *	sim_vrrp --from N --to M      a range
 *	sim_vrrp --plants             only the planted mistakes: what must be found is found
 *	sim_vrrp --bench              simulated seconds per second
 *
 * A failure names the invariant (invariants.c lists them), is made small (shrink.c), and prints its trace and the
 * command that replays it. The same command is the same run, byte for byte.
 *
 *	plan.c what a seed decides      world.c time, acts             host.c a node and its process
 *	clock.c a node's clocks         call.c into the engine         callback.c and out of it
 *	hear.c packets that arrive      network.c links, clients       faults.c, hostile.c evil
 *	invariants.c I1 .. I13          model.c the naive model        lockstep.c beside the engine
 *	coverage.c what was met         shrink.c small failures        plant.c mistakes to be found
 *	alloc.c counts allocations      upgrade.c the next process
 */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 6000
#define MOST_FAILURES 3

static void tell_failure(const struct plan *p, const struct outcome *o)
{
	struct outcome again;
	struct plan small;
	unsigned runs;

	printf("seed %" PRIu64 " at %.3f ms: %s: %s\n", p->seed, (double)o->at_ns / (double)MS,
	       invariant_name(o->failed), o->failure);
	shrink(p, o, &small, &runs);
	coverage_pause(true);
	world_play(&small, true, &again);
	coverage_pause(false);
	printf("made small in %u runs; replay it with:\n    ", runs);
	shrink_print_replay(&small);
}

/* Plays a range; every hundredth run twice, to see that it is the same. */
static int play_range(uint64_t from, uint64_t to)
{
	struct outcome o, again;
	int failures = 0;
	double simulated = 0;
	uint64_t seed;

	for (seed = from; seed <= to && failures < MOST_FAILURES; seed++) {
		struct plan p;

		plan_draw(seed, &p);
		world_play(&p, false, &o);
		simulated += (double)o.simulated_ns / 1e9;
		if (o.failed) {
			failures++;
			tell_failure(&p, &o);
		} else if (seed % 100 == 0) {
			world_play(&p, false, &again);
			if (again.hash != o.hash && ++failures)
				printf("seed %" PRIu64 ": a second run differs\n", seed);
		}
		if (seed % 2000 == 0)
			printf("seed %" PRIu64 "\n", seed);
		fflush(stdout);
	}
	printf("%" PRIu64 " seeds, %.0f simulated seconds, %d failures\n", seed - from, simulated,
	       failures);
	return failures;
}

static int play_one(const struct plan *p, bool trace)
{
	struct outcome o;

	world_play(p, trace, &o);
	if (o.failed && !trace)
		tell_failure(p, &o);
	printf("seed %" PRIu64 ": %s, hash %016" PRIx64 "\n", p->seed, o.failed ? "failed" : "held",
	       o.hash);
	return o.failed != I_NONE;
}

struct request {
	bool one, trace, plants, bench, range;
	uint64_t from, to;
	struct plan plan;
};

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static bool read_value(struct request *q, const char *name, const char *value)
{
	if (!strcmp(name, "--seed")) {
		q->one = true;
		plan_draw(number(value), &q->plan);
	} else if (!strcmp(name, "--steps")) {
		q->plan.steps = number(value);
	} else if (!strcmp(name, "--evils")) {
		q->plan.evils = (uint32_t)number(value);
	} else if (!strcmp(name, "--nodes")) {
		q->plan.nodes = (uint32_t)number(value);
	} else if (!strcmp(name, "--vrs")) {
		q->plan.vrs = (uint32_t)number(value);
	} else if (!strcmp(name, "--plant")) {
		planted = (enum plant)(number(value) % SIM_PLANTS);
	} else if (!strcmp(name, "--from") || !strcmp(name, "--to")) {
		q->range = true;
		*(name[2] == 'f' ? &q->from : &q->to) = number(value);
	} else {
		return false;
	}
	return true;
}

static bool read_arguments(struct request *q, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--trace"))
			q->trace = true;
		else if (!strcmp(argv[i], "--plants"))
			q->plants = true;
		else if (!strcmp(argv[i], "--bench"))
			q->bench = true;
		else if (i + 1 == argc || !read_value(q, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct request q = {.from = 1, .to = SEEDS};
	int wrong;

	if (!read_arguments(&q, argc, argv)) {
		fprintf(stderr, "usage: the head of tests/sim/main.c\n");
		return 2;
	}
	if (q.bench)
		return sim_bench();
	if (q.plants)
		return plant_check() != 0;
	if (q.one)
		return play_one(&q.plan, q.trace);
	wrong = play_range(q.from, q.to);
	if (!q.range) {
		wrong += coverage_report(true);
		wrong += plant_check();
	}
	return wrong != 0;
}
