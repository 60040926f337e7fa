/* SPDX-License-Identifier: MIT */
/*
 * What an engine's timers cost: the binary heap of base/ beside a hierarchical wheel (four levels of 256 slots, a tick of
 * a millisecond), under the load of N checks, one a second each: its start falls due, its timeout is armed, cancelled,
 * and the next start is armed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/heap.h"
#include "base/list.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define LEVELS 4
#define SLOTS 256
#define CHECKS_RUN 3000000u /* of each measurement */

struct check {
	struct heap_node node;
	struct list slot;
	uint64_t deadline_ns;
	char rest[880]; /* as far apart as real ones: the cache feels it */
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

/* ---- the wheel ---- */

static struct list wheel[LEVELS][SLOTS];
static uint64_t tick;

static void wheel_arm(struct check *c, uint64_t deadline_ns)
{
	uint64_t at = deadline_ns / MS, ahead = at > tick ? at - tick : 0;
	int level = 0;

	while (level < LEVELS - 1 && ahead >> (8 * (level + 1)))
		level++;
	c->deadline_ns = deadline_ns;
	list_add_tail(&wheel[level][at >> (8 * level) & (SLOTS - 1)], &c->slot);
}

static void cascade(int level)
{
	struct list moved, *slot = &wheel[level][tick >> (8 * level) & (SLOTS - 1)];

	list_init(&moved);
	while (!list_empty(slot)) {
		struct list *first = slot->next;

		list_remove(first);
		list_add_tail(&moved, first);
	}
	while (!list_empty(&moved)) {
		struct check *c = container_of(moved.next, struct check, slot);

		list_remove(&c->slot);
		wheel_arm(c, c->deadline_ns);
	}
}

/* The next check of this millisecond, or NULL when the wheel has turned to the next. */
static struct check *wheel_pop(void)
{
	struct list *slot = &wheel[0][tick & (SLOTS - 1)];
	struct check *c;

	if (list_empty(slot)) {
		tick++;
		for (int level = 1; level < LEVELS && !(tick & ((UINT64_C(1) << (8 * level)) - 1));
		     level++)
			cascade(level);
		return NULL;
	}
	c = container_of(slot->next, struct check, slot);
	list_remove(&c->slot);
	return c;
}

static double run_wheel(struct check *checks, uint32_t n)
{
	uint64_t began;
	uint32_t done = 0;

	tick = 0;
	for (int level = 0; level < LEVELS; level++)
		for (int i = 0; i < SLOTS; i++)
			list_init(&wheel[level][i]);
	for (uint32_t i = 0; i < n; i++)
		wheel_arm(&checks[i], (uint64_t)i * S / n);
	began = now();
	while (done < CHECKS_RUN) {
		struct check *c = wheel_pop();
		uint64_t planned;

		if (!c)
			continue;
		planned = c->deadline_ns;
		wheel_arm(c, planned + 2 * S);
		list_remove(&c->slot);
		wheel_arm(c, planned + S);
		done++;
	}
	return (double)(now() - began) / CHECKS_RUN;
}

/* ---- the heap ---- */

static double run_heap(struct check *checks, uint32_t n)
{
	struct heap h;
	uint64_t began, took;

	heap_init(&h);
	if (heap_reserve(&h, n) < 0)
		exit(1);
	for (uint32_t i = 0; i < n; i++)
		heap_arm(&h, &checks[i].node, (uint64_t)i * S / n);
	began = now();
	for (uint32_t done = 0; done < CHECKS_RUN; done++) {
		uint64_t planned = heap_deadline(&h);
		struct check *c = container_of(heap_pop_due(&h, planned), struct check, node);

		heap_arm(&h, &c->node, planned + 2 * S);
		heap_disarm(&h, &c->node);
		heap_arm(&h, &c->node, planned + S);
	}
	took = now() - began;
	heap_fini(&h);
	return (double)took / CHECKS_RUN;
}

int main(void)
{
	printf("%8s %14s %14s\n", "checks", "heap ns/check", "wheel ns/check");
	for (uint32_t n = 100; n <= 100000; n *= 10) {
		struct check *checks = calloc(n, sizeof(*checks));

		if (!checks)
			return 1;
		printf("%8u %14.0f", n, run_heap(checks, n));
		for (uint32_t i = 0; i < n; i++)
			checks[i] = (struct check){0};
		printf(" %14.0f\n", run_wheel(checks, n));
		free(checks);
	}
	return 0;
}
