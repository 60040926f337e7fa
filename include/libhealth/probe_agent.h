/* SPDX-License-Identifier: MIT */
/*
 * HAProxy's agent check: a program beside the server says in one line how the server feels.
 *
 *	probe                                   agent
 *	[send]                          ──►
 *	                                ◄──     up ready 75% maxconn:100
 *
 * The line ends with CR, LF or the connection. Its words are separated by blanks or commas; case does
 * not count:
 *
 *	up                              HEALTH_OK
 *	down fail stopped [#reason]     HEALTH_FAIL, and the reason is the text; the result's status says which
 *	ready drain maint               advice.admin
 *	N% weight:N% weight:N           advice.weight, percent or absolute
 *	maxconn:N                       advice.maxconn
 *
 * Without a word about up or down the verdict is HEALTH_NEUTRAL: the filter stays where it is, and
 * the advice counts. So it is, too, when no agent answers: an agent that is away says nothing about
 * the server. What the advice is good for is the host's: HAProxy lets "up" and "ready" revert only
 * what the agent itself did.
 */
#ifndef LIBHEALTH_PROBE_AGENT_H
#define LIBHEALTH_PROBE_AGENT_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_AGENT_SEND_MAX 1024  /* bytes of `send` */
#define HEALTH_AGENT_LINE_MAX 1024  /* bytes of the agent's line; with more: L7RSP */
#define HEALTH_AGENT_WEIGHT_MAX 256 /* of weight:N */
#define HEALTH_AGENT_PERCENT_MAX 25600

/* The status of a result of HEALTH_FAIL, and of HEALTH_CODE_L7RSP. */
enum health_agent_word {
	HEALTH_AGENT_DOWN = 0,
	HEALTH_AGENT_FAIL = 1,
	HEALTH_AGENT_STOPPED = 2,
	HEALTH_AGENT_UNKNOWN = 3, /* nothing of up or down, and a word that is none: the text */
};

/* What health_probe_new takes with health_probe_agent(). All is copied. */
struct health_agent_opts {
	size_t size;
	const char *send; /* sent first (HAProxy's agent-send); NULL: nothing */
};

/*
 * The ops of the agent probe, for health_probe_new with a health_agent_opts or NULL. Static; any
 * thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG for a field this
 * library does not know, -ENOMEM. A word that is none of the above is passed over, and the
 * text if there is no reason; with nothing of up or down beside it: HEALTH_CODE_L7RSP. Source: the HAProxy manual, "agent-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_agent(void);

#ifdef __cplusplus
}
#endif
#endif
