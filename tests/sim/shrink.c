/* SPDX-License-Identifier: MIT */
/*
 * Makes a failing run small: leaves out steps, evils, nodes and virtual routers as long as the same invariant
 * breaks. Dice do not depend on what else happens, so the rest of the run stays much as it was.
 */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>

#define SHRINK_RUNS 3000 /* at most */

struct shrinking {
	struct plan *best;
	enum invariant wanted;
	unsigned runs;
};

static bool still_fails(struct shrinking *s, const struct plan *p)
{
	struct outcome o;

	if (s->runs >= SHRINK_RUNS)
		return false;
	s->runs++;
	world_play(p, false, &o);
	return o.failed == s->wanted;
}

static bool try(struct shrinking *s, const struct plan *p)
{
	if (!still_fails(s, p))
		return false;
	*s->best = *p;
	return true;
}

/* Clears runs of bits, long ones first: halves, quarters, single ones. */
static bool clear_bits(struct shrinking *s, uint64_t (*get)(const struct plan *),
		       void (*set)(struct plan *, uint64_t), unsigned n)
{
	bool better = false;

	for (unsigned width = n; width; width /= 2)
		for (unsigned at = 0; at < n; at += width) {
			struct plan p = *s->best;
			uint64_t bits = width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX;
			uint64_t left = get(&p) & ~(bits << at);

			if (left == get(&p))
				continue;
			set(&p, left);
			better |= try(s, &p);
		}
	return better;
}

static uint64_t get_steps(const struct plan *p)
{
	return p->steps;
}

static void set_steps(struct plan *p, uint64_t bits)
{
	p->steps = bits;
}

static uint64_t get_evils(const struct plan *p)
{
	return p->evils;
}

static void set_evils(struct plan *p, uint64_t bits)
{
	p->evils = (uint32_t)bits;
}

static uint64_t get_nodes(const struct plan *p)
{
	return p->nodes;
}

static void set_nodes(struct plan *p, uint64_t bits)
{
	p->nodes = (uint32_t)bits;
}

static uint64_t get_vrs(const struct plan *p)
{
	return p->vrs;
}

static void set_vrs(struct plan *p, uint64_t bits)
{
	p->vrs = (uint32_t)bits;
}

void shrink(const struct plan *p, const struct outcome *o, struct plan *ret, unsigned *ret_runs)
{
	struct shrinking s = {ret, o->failed, 0};
	bool better = true;

	*ret = *p;
	coverage_pause(true);
	while (better && s.runs < SHRINK_RUNS) {
		better = clear_bits(&s, get_vrs, set_vrs, p->n_vrs);
		better |= clear_bits(&s, get_nodes, set_nodes, p->n_nodes);
		better |= clear_bits(&s, get_evils, set_evils, SIM_EVILS);
		better |= clear_bits(&s, get_steps, set_steps, p->n_steps);
	}
	coverage_pause(false);
	*ret_runs = s.runs;
}

void shrink_print_replay(const struct plan *p)
{
	printf("sim_vrrp --seed %" PRIu64 " --steps 0x%" PRIx64
	       " --evils 0x%x --nodes 0x%x --vrs 0x%x",
	       p->seed, p->steps, (unsigned)p->evils, (unsigned)p->nodes, (unsigned)p->vrs);
	if (planted)
		printf(" --plant %u", (unsigned)planted);
	printf("\n");
}
