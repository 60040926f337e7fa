/* SPDX-License-Identifier: MIT */
/*
 * A second virtual router, written from the tables of RFC 9568 section 6 and RFC 3768 section 6 and from
 * nothing else: naive, without packets, groups or callbacks. It runs beside the engine on the same accepted
 * events and must agree in state, timer and adverts sent, after each of them.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_NEVER UINT64_MAX
#define MODEL_SENDS 4

enum model_state { MODEL_INITIALIZE, MODEL_BACKUP, MODEL_ACTIVE, MODEL_FAULT };

struct model {
	bool on; /* false: an event came that the model does not know */

	/* Configuration */
	int version;
	bool preempt, last_advert, reply;
	uint64_t interval_ns, adverts; /* Advertisement_Interval; how many may be missed */

	/* Variables */
	enum model_state state;
	int priority;
	bool faulty;
	uint64_t active_interval_ns; /* Active_Adver_Interval */
	uint64_t adver_timer, active_down_timer;
	bool waited;	      /* the down timer was late, and was given one more interval */
	uint64_t quiet_until; /* answers to others are no closer than 10 ms */

	/* Output of the last event: priorities of the adverts sent. */
	int sent[MODEL_SENDS];
	int n_sent;
};

/* An accepted advert. `from_higher`: its source address is above our own. */
struct model_advert {
	int priority;
	uint64_t interval_ns;
	bool from_higher;
};

void model_startup(struct model *m, uint64_t now);
void model_shutdown(struct model *m);
void model_hears(struct model *m, uint64_t now, const struct model_advert *a);
void model_timer(struct model *m, uint64_t now);
void model_priority(struct model *m, uint64_t now, int priority);
void model_fault(struct model *m, uint64_t now, bool faulty);
uint64_t model_deadline(const struct model *m); /* of either timer */

#endif
