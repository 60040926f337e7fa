/* SPDX-License-Identifier: MIT */
/* The names of the public enums. */
#include <libhealth/filter.h>
#include <libhealth/probe.h>

#define NAME_OF(table, i) \
	((size_t)(i) < sizeof(table) / sizeof((table)[0]) && (table)[i] ? (table)[i] : "?")

const char *health_verdict_name(enum health_verdict verdict)
{
	static const char *const name[] = {
	    [HEALTH_NEUTRAL] = "neutral",   [HEALTH_OK] = "ok",	    [HEALTH_OK_DRAIN] = "ok-drain",
	    [HEALTH_DEGRADED] = "degraded", [HEALTH_FAIL] = "fail", [HEALTH_FAIL_NOW] = "fail-now",
	};

	return NAME_OF(name, (unsigned int)verdict);
}

const char *health_state_name(enum health_state state)
{
	static const char *const name[] = {
	    [HEALTH_STATE_UNKNOWN] = "UNKNOWN", [HEALTH_STATE_DOWN] = "DOWN",
	    [HEALTH_STATE_DRAIN] = "DRAIN",	[HEALTH_STATE_DEGRADED] = "DEGRADED",
	    [HEALTH_STATE_UP] = "UP",
	};

	return NAME_OF(name, (unsigned int)state);
}

const char *health_reason_name(enum health_reason reason)
{
	static const char *const name[] = {
	    [HEALTH_REASON_START] = "start",	   [HEALTH_REASON_RISE] = "rise",
	    [HEALTH_REASON_SETTLED] = "settled",   [HEALTH_REASON_FALL] = "fall",
	    [HEALTH_REASON_FAIL_NOW] = "fail-now", [HEALTH_REASON_SILENCE] = "silence",
	    [HEALTH_REASON_SAYS_SO] = "says-so",   [HEALTH_REASON_OPERATOR] = "operator",
	    [HEALTH_REASON_DAMPED] = "damped",
	};

	return NAME_OF(name, (unsigned int)reason);
}

const char *health_code_name(enum health_code code)
{
	static const char *const name[] = {
	    [HEALTH_CODE_UNK] = "UNK",	       [HEALTH_CODE_INI] = "INI",
	    [HEALTH_CODE_SOCKERR] = "SOCKERR", [HEALTH_CODE_L4OK] = "L4OK",
	    [HEALTH_CODE_L4TOUT] = "L4TOUT",   [HEALTH_CODE_L4CON] = "L4CON",
	    [HEALTH_CODE_L6OK] = "L6OK",       [HEALTH_CODE_L6TOUT] = "L6TOUT",
	    [HEALTH_CODE_L6RSP] = "L6RSP",     [HEALTH_CODE_L7OK] = "L7OK",
	    [HEALTH_CODE_L7OKC] = "L7OKC",     [HEALTH_CODE_L7TOUT] = "L7TOUT",
	    [HEALTH_CODE_L7RSP] = "L7RSP",     [HEALTH_CODE_L7STS] = "L7STS",
	    [HEALTH_CODE_PROCERR] = "PROCERR", [HEALTH_CODE_PROCTOUT] = "PROCTOUT",
	    [HEALTH_CODE_PROCOK] = "PROCOK",   [HEALTH_CODE_HANA] = "HANA",
	};

	return NAME_OF(name, (unsigned int)code);
}

const char *health_phase_name(enum health_phase phase)
{
	static const char *const name[] = {
	    [HEALTH_PHASE_SOCKET] = "socket",	[HEALTH_PHASE_CONNECT] = "connect",
	    [HEALTH_PHASE_TLS] = "tls",		[HEALTH_PHASE_TALK] = "talk",
	    [HEALTH_PHASE_PASSIVE] = "passive", [HEALTH_PHASE_NAME] = "name",
	};

	return NAME_OF(name, (unsigned int)phase);
}
