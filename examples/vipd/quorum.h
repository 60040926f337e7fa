/* SPDX-License-Identifier: MIT */
/*
 * Which real servers a virtual server has, from which of them are alive: quorum, hysteresis, sorry server,
 * inhibit_on_failure. Pure.
 */
#ifndef VIPD_QUORUM_H
#define VIPD_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quorum_real {
	uint32_t weight;
	bool alive;
	bool inhibit; /* out means weight 0, not removal */
};

struct quorum {
	struct quorum_real *real;
	size_t n;
	uint32_t quorum, hysteresis;
	bool has_sorry, sorry_inhibit;
	uint32_t sorry_weight;
	bool up; /* enough weight is alive */
};

/* What is to stand in the kernel for one server. */
struct quorum_dest {
	bool present;
	uint32_t weight;
};

/* The first judgement: up, unless the weight alive says otherwise. */
void quorum_start(struct quorum *q);

/*
 * Judges again after real[].alive changed: lost below quorum - hysteresis or without any weight, gained
 * from quorum + hysteresis on. True: `up` changed.
 */
bool quorum_judge(struct quorum *q);

/*
 * A real server's place: its own when the quorum is up. When it is lost the sorry server stands in for
 * all; without one, those alive carry on.
 */
struct quorum_dest quorum_real_dest(const struct quorum *q, size_t i);
struct quorum_dest quorum_sorry_dest(const struct quorum *q);

#endif
