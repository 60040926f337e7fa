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
	(void)r;
	changes[c->from][cause][c->reason] += !paused;
}

void coverage_stay(const struct router *r, enum ha_vrrp_state state, enum cause cause)
{
	(void)r;
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

/* ---- what cannot be ---- */

struct rule {
	int state, cause, reason;
	const char *why;
};

static const struct rule impossible[] = {
    {HA_VRRP_INITIALIZE, CAUSE_TIMER, ANY, "no timer runs"},
};

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

static const struct rule *rule_for(int state, int cause, int reason)
{
	for (size_t i = 0; i < sizeof(impossible) / sizeof(*impossible); i++) {
		const struct rule *r = &impossible[i];

		if ((r->state == ANY || r->state == state) &&
		    (r->cause == ANY || r->cause == cause) &&
		    (r->reason == ANY || r->reason == reason))
			return r;
	}
	return NULL;
}

static int report_changes(void)
{
	unsigned met = 0, excused = 0;
	int wrong = 0;

	for (int s = 0; s < STATES; s++)
		for (int c = 0; c < SIM_CAUSES; c++)
			for (int r = 0; r < REASONS; r++) {
				const struct rule *rule = rule_for(s, c, r);
				uint64_t n = changes[s][c][r];

				met += n != 0;
				excused += !n && rule;
				if (!!n == !rule)
					continue;
				wrong++;
				printf("coverage: %s, %s, %s: %s%s\n",
				       ha_vrrp_state_name((enum ha_vrrp_state)s), cause_names[c],
				       reason_name(r), n ? "met, but impossible: " : "never met",
				       n ? rule->why : "");
			}
	printf("%u of %d cells of state, event and reason met, %u impossible\n", met,
	       STATES * SIM_CAUSES * REASONS, excused);
	return wrong;
}

/* A running router drops for every reason but one, and one that does not run for that one only. */
static int report_drops(void)
{
	int wrong = 0;

	for (int s = 0; s < STATES; s++)
		for (int d = 1; d < HA_VRRP_N_DROPS; d++) {
			bool runs = s == HA_VRRP_BACKUP || s == HA_VRRP_ACTIVE;
			bool want = runs != (d == HA_VRRP_DROP_NOT_RUNNING);

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
