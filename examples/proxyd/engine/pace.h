/* SPDX-License-Identifier: MIT */
/*
 * The pace of a stream under bandwidth limits. Asked before each read how many bytes may be read now; when there are
 * none, its owner reads on at pace_until(). Bytes are counted by its owner: a pace knows how many had moved when its
 * period began.
 *
 * Bytes that come with a head are read before rules have seen it: they pass, count, and what follows waits longer.
 */
#ifndef PROXYD_ENGINE_PACE_H
#define PROXYD_ENGINE_PACE_H

#include "rules/bandwidth.h"

struct pace_way {
	uint64_t bytes; /* 0: no limit */
	uint64_t ns;	/* of a period; 0: the entry's rate says */
	uint64_t min_bytes;
	uint64_t mark; /* bytes that had moved when the period began, or that the entry knows of */
	uint64_t until_ns; /* end of the period, or when to ask again */
	bool is_held;	   /* nothing is read until then */
	bool is_out;
	struct table *table; /* of a shared limit */
	struct table_entry *entry;
};

/* By direction: from the client, from the server. */
struct pace {
	struct pace_way way[2];
};

/*
 * What rules ask for; `moved` bytes until now. What is asked for already goes on as it is. Takes the entries of the
 * orders. Without memory, or with p NULL, there is no limit.
 */
void pace_set(struct pace **p, struct bandwidth_order order[2], const uint64_t moved[2],
	      uint64_t now_ns);

/* At most so many bytes may be read now from that side. 0: none, it is held. */
size_t pace_room(struct pace *p, int from, uint64_t moved, uint64_t now_ns);

/* When something that is held goes on; UINT64_MAX: nothing is. */
uint64_t pace_until(const struct pace *p);

/* It is time: nothing is held now. False: it is not, or nothing was. */
bool pace_wake(struct pace *p, uint64_t now_ns);

/* Its owner begins to count anew. */
void pace_restart(struct pace *p, const uint64_t moved[2], uint64_t now_ns);

/* NULL is none. */
void pace_free(struct pace **p, const uint64_t moved[2], uint64_t now_ns);

#endif
