/* SPDX-License-Identifier: MIT */
/*
 * What all runs together have met: every state with every event and every reason of a change, every drop
 * and every remark. The tables have the size of the library's enums, so a new value is a new demand. A cell
 * is met, or it is impossible and a rule says why; met though impossible is a failure, too.
 */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>

#define STATES (HA_VRRP_FAULT + 1)
#define STAYS HA_VRRP_N_REASONS
#define REASONS (HA_VRRP_N_REASONS + 1)
#define ANY (-1)

static uint64_t changes[STATES][SIM_CAUSES][REASONS];
static uint64_t drops[STATES][HA_VRRP_N_DROPS], remarks[STATES][HA_VRRP_N_REMARKS];
static uint64_t faults[SIM_FAULTS], evils[SIM_EVILS];
static bool paused;

void coverage_pause(bool pause)
{
	paused = pause;
}

void coverage_change(const struct router *r, const struct ha_vrrp_change *c, enum cause cause)
{
	changes[c->from][cause][c->reason] += !paused;
}

void coverage_stay(const struct router *r, enum ha_vrrp_state state, enum cause cause)
{
	changes[state][cause][STAYS] += !paused;
}

void coverage_drop(enum ha_vrrp_state state, enum ha_vrrp_drop drop)
{
	drops[state][drop] += !paused;
}

void coverage_remark(enum ha_vrrp_state state, enum ha_vrrp_remark remark)
{
	remarks[state][remark] += !paused;
}

void coverage_fault(enum fault f)
{
	faults[f] += !paused;
}

void coverage_evil(enum evil e)
{
	evils[e] += !paused;
}

/* ---- what can be, and why nothing else ---- */

struct cell {
	int state, cause;
};
#define CELL(state, cause)                     \
	{                                      \
		HA_VRRP_##state, CAUSE_##cause \
	}
#define END              \
	{                \
		ANY, ANY \
	}
#define CELLS 8

/* Each reason and where it may be given; anywhere else it is impossible, because: */
static const struct {
	const char *because;
	struct cell at[CELLS];
} may[HA_VRRP_N_REASONS] = {
    [HA_VRRP_STARTED] = {"only a start says so", {CELL(INITIALIZE, STARTUP), END}},
    [HA_VRRP_STOPPED] = {"only a stop says so",
			 {CELL(BACKUP, SHUTDOWN), CELL(ACTIVE, SHUTDOWN), CELL(FAULT, SHUTDOWN),
			  END}},
    [HA_VRRP_OWNER] = {"an owner is Active when it starts, recovers, or its timer fires",
		       {CELL(INITIALIZE, STARTUP), CELL(BACKUP, TIMER), CELL(FAULT, RECOVER),
			CELL(FAULT, GROUP), CELL(FAULT, TIMER), END}},
    [HA_VRRP_TIMEOUT] = {"only Active_Down_Timer says so", {CELL(BACKUP, TIMER), END}},
    [HA_VRRP_RESIGNED] = {"only Active_Down_Timer says so", {CELL(BACKUP, TIMER), END}},
    [HA_VRRP_PREEMPTED] = {"only Active_Down_Timer says so", {CELL(BACKUP, TIMER), END}},
    [HA_VRRP_PEER_DOWN] = {"only Active_Down_Timer says so", {CELL(BACKUP, TIMER), END}},
    [HA_VRRP_OVERSLEPT] = {"no plan has rival_priority", {END}},
    [HA_VRRP_HIGHER_PRIORITY] = {"only an Active loses, to an advert", {CELL(ACTIVE, ADVERT), END}},
    [HA_VRRP_HIGHER_ADDRESS] = {"only an Active loses, to an advert", {CELL(ACTIVE, ADVERT), END}},
    [HA_VRRP_HANDED_OVER] = {"only an Active has an heir, and hears it",
			     {CELL(ACTIVE, ADVERT), END}},
    [HA_VRRP_FAULTED] = {"a fault is set before the start, while it runs, or is there at a thaw; "
			 "the members of a group know of one before they start",
			 {CELL(INITIALIZE, STARTUP), CELL(BACKUP, FAULT), CELL(ACTIVE, FAULT),
			  CELL(BACKUP, GROUP), CELL(ACTIVE, GROUP), CELL(BACKUP, TIMER),
			  CELL(ACTIVE, TIMER), END}},
    [HA_VRRP_RECOVERED] = {"only Fault ends so: by the host, the group, or found at a thaw",
			   {CELL(FAULT, RECOVER), CELL(FAULT, GROUP), CELL(FAULT, TIMER), END}},
    [HA_VRRP_FOLLOWED] = {"a member follows another one's event, owners their common start, "
			  "recovery, or that which a thaw found",
			  {CELL(BACKUP, GROUP), CELL(ACTIVE, GROUP), CELL(BACKUP, STARTUP),
			   CELL(BACKUP, TIMER), CELL(BACKUP, RECOVER), END}},
};

/* Events after which no state stays, or that the state does not get. */
static const struct {
	const char *because;
	struct cell at[CELLS];
} moves[] = {
    {"a start always leaves Initialize", {CELL(INITIALIZE, STARTUP), END}},
    {"a stop always ends in Initialize",
     {CELL(BACKUP, SHUTDOWN), CELL(ACTIVE, SHUTDOWN), CELL(FAULT, SHUTDOWN), END}},
    {"a fault always ends in Fault", {CELL(BACKUP, FAULT), CELL(ACTIVE, FAULT), END}},
    {"who does not run accepts no advert", {CELL(INITIALIZE, ADVERT), CELL(FAULT, ADVERT), END}},
    {"counted for the member whose event it is",
     {CELL(INITIALIZE, GROUP), CELL(BACKUP, GROUP), CELL(ACTIVE, GROUP), CELL(FAULT, GROUP), END}},
};

static bool is_among(const struct cell *at, int state, int cause)
{
	for (; at->state != ANY; at++)
		if (at->state == state && at->cause == cause)
			return true;
	return false;
}

/* NULL: the cell must be met. */
static const char *impossible(int state, int cause, int reason)
{
	if (reason != STAYS)
		return is_among(may[reason].at, state, cause) ? NULL : may[reason].because;
	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++)
		if (is_among(moves[i].at, state, cause))
			return moves[i].because;
	return NULL;
}

static const char *const cause_names[SIM_CAUSES] = {
    [CAUSE_STARTUP] = "startup",
    [CAUSE_SHUTDOWN] = "shutdown",
    [CAUSE_TIMER] = "timer",
    [CAUSE_ADVERT] = "advert",
    [CAUSE_BAD] = "bad packet",
    [CAUSE_PRIORITY] = "priority",
    [CAUSE_FAULT] = "fault",
    [CAUSE_RECOVER] = "recover",
    [CAUSE_THAW] = "thaw",
    [CAUSE_ANNOUNCE] = "announce",
    [CAUSE_HAND_OVER] = "hand over",
    [CAUSE_HELD] = "held",
    [CAUSE_PEER_DOWN] = "peer down",
    [CAUSE_SAW] = "saw",
    [CAUSE_GROUP] = "another member",
};

static const char *reason_name(int reason)
{
	return reason == STAYS ? "stays" : ha_vrrp_reason_name((enum ha_vrrp_reason)reason);
}

static int report_changes(void)
{
	unsigned met = 0, excused = 0;
	int wrong = 0;

	for (int s = 0; s < STATES; s++)
		for (int c = 0; c < SIM_CAUSES; c++)
			for (int r = 0; r < REASONS; r++) {
				const char *why = impossible(s, c, r);
				uint64_t n = changes[s][c][r];

				met += n != 0;
				excused += !n && why;
				if (!!n == !why)
					continue;
				wrong++;
				printf("coverage: %s, %s, %s: %s%s\n",
				       ha_vrrp_state_name((enum ha_vrrp_state)s), cause_names[c],
				       reason_name(r), n ? "met, but impossible: " : "never met",
				       n ? why : "");
			}
	printf("%u of %d cells of state, event and reason met, %u impossible\n", met,
	       STATES * SIM_CAUSES * REASONS, excused);
	return wrong;
}

/* A running router drops for every reason but one (no plan has deaf_owner), and one that does not run for that one only. */
static int report_drops(void)
{
	int wrong = 0;

	for (int s = 0; s < STATES; s++)
		for (int d = 1; d < HA_VRRP_N_DROPS; d++) {
			bool runs = s == HA_VRRP_BACKUP || s == HA_VRRP_ACTIVE;
			bool want =
			    d != HA_VRRP_DROP_IGNORED && runs != (d == HA_VRRP_DROP_NOT_RUNNING);

			if (!!drops[s][d] == want)
				continue;
			wrong++;
			printf("coverage: %s drops for \"%s\": %s\n",
			       ha_vrrp_state_name((enum ha_vrrp_state)s),
			       ha_vrrp_drop_name((enum ha_vrrp_drop)d), want ? "never met" : "met");
		}
	return wrong;
}

static int report_remarks(void)
{
	int wrong = 0;

	for (int r = 0; r < HA_VRRP_N_REMARKS; r++) {
		uint64_t n = 0;

		for (int s = 0; s < STATES; s++)
			n += remarks[s][r];
		if (n)
			continue;
		wrong++;
		printf("coverage: remark \"%s\": never met\n",
		       ha_vrrp_remark_name((enum ha_vrrp_remark)r));
	}
	return wrong;
}

static int report_generator(void)
{
	int wrong = 0;

	for (int i = 0; i < SIM_FAULTS; i++)
		if (!faults[i] && ++wrong)
			printf("coverage: fault %s: never made\n", fault_names[i]);
	for (int i = 0; i < SIM_EVILS; i++)
		if (!evils[i] && ++wrong)
			printf("coverage: evil %s: never made\n", evil_names[i]);
	return wrong;
}

/* How many demands are not met; all of them are printed. */
int coverage_report(bool whole)
{
	int wrong = report_changes() + report_drops() + report_remarks() + report_generator();

	if (!whole)
		return 0;
	for (int s = 0; s < STATES; s++)
		for (int d = 0; d < HA_VRRP_N_DROPS; d++)
			if (drops[s][d])
				printf("%10" PRIu64 " %s drops: %s\n", drops[s][d],
				       ha_vrrp_state_name((enum ha_vrrp_state)s),
				       ha_vrrp_drop_name((enum ha_vrrp_drop)d));
	return wrong;
}
