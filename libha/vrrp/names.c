/* SPDX-License-Identifier: MIT */
/* The words for enum values. */
#include <libha/vrrp.h>

#define NAME_OF(table, i) ((unsigned)(i) < sizeof(table) / sizeof(*(table)) ? (table)[i] : "?")

const char *ha_vrrp_state_name(enum ha_vrrp_state state)
{
	static const char *const name[] = {"initialize", "backup", "active", "fault"};

	return NAME_OF(name, state);
}

const char *ha_vrrp_reason_name(enum ha_vrrp_reason reason)
{
	static const char *const name[] = {
	    [HA_VRRP_STARTED] = "started",
	    [HA_VRRP_STOPPED] = "stopped",
	    [HA_VRRP_OWNER] = "owner of the addresses",
	    [HA_VRRP_TIMEOUT] = "no advert heard",
	    [HA_VRRP_RESIGNED] = "the active resigned",
	    [HA_VRRP_PREEMPTED] = "preempts a lower priority",
	    [HA_VRRP_HIGHER_PRIORITY] = "a higher priority was heard",
	    [HA_VRRP_HIGHER_ADDRESS] = "the same priority was heard from a higher address",
	    [HA_VRRP_FAULTED] = "fault",
	    [HA_VRRP_RECOVERED] = "fault is gone",
	    [HA_VRRP_FOLLOWED] = "follows its group",
	    [HA_VRRP_HANDED_OVER] = "handed over",
	    [HA_VRRP_PEER_DOWN] = "the active was found dead",
	    [HA_VRRP_OVERSLEPT] = "was away for too long",
	};

	return NAME_OF(name, reason);
}

const char *ha_vrrp_drop_name(enum ha_vrrp_drop drop)
{
	static const char *const name[] = {
	    [HA_VRRP_DROP_NONE] = "accepted",
	    [HA_VRRP_DROP_NOT_RUNNING] = "not running",
	    [HA_VRRP_DROP_SOURCE] = "source address",
	    [HA_VRRP_DROP_DESTINATION] = "destination address",
	    [HA_VRRP_DROP_OWN_ADDRESS] = "own address",
	    [HA_VRRP_DROP_TTL] = "ttl",
	    [HA_VRRP_DROP_LENGTH] = "length",
	    [HA_VRRP_DROP_VERSION] = "version",
	    [HA_VRRP_DROP_TYPE] = "type",
	    [HA_VRRP_DROP_VRID] = "vrid",
	    [HA_VRRP_DROP_CHECKSUM] = "checksum",
	    [HA_VRRP_DROP_AUTH_TYPE] = "auth type",
	    [HA_VRRP_DROP_AUTH_MISMATCH] = "auth mismatch",
	    [HA_VRRP_DROP_AUTH_FAILURE] = "auth failure",
	    [HA_VRRP_DROP_ADVERT_INTERVAL] = "advert interval",
	    [HA_VRRP_DROP_ADDRESS_LIST] = "address list",
	    [HA_VRRP_DROP_REPLAY] = "replay",
	    [HA_VRRP_DROP_OTHER_VERSION] = "its version 3 is heard",
	    [HA_VRRP_DROP_IGNORED] = "an owner that hears nobody",
	};

	return NAME_OF(name, drop);
}

const char *ha_vrrp_remark_name(enum ha_vrrp_remark remark)
{
	static const char *const name[] = {
	    [HA_VRRP_REMARK_INTERVAL] = "advert interval differs",
	    [HA_VRRP_REMARK_ADDRESS_LIST] = "address list differs",
	    [HA_VRRP_REMARK_EQUAL_PRIORITY] = "equal priority",
	    [HA_VRRP_REMARK_SECOND_OWNER] = "second owner",
	    [HA_VRRP_REMARK_LOSING_ADVERT] = "losing advert heard",
	    [HA_VRRP_REMARK_CHECKSUM_FORM] = "checksum form differs",
	    [HA_VRRP_REMARK_LATE] = "timer served late",
	    [HA_VRRP_REMARK_NO_SOURCE] = "no source address",
	    [HA_VRRP_REMARK_SEND_FAILED] = "sending failed",
	    [HA_VRRP_REMARK_MISSED] = "adverts missed",
	    [HA_VRRP_REMARK_DUPLICATE] = "address claimed by another",
	    [HA_VRRP_REMARK_ADDRESS_LOST] = "addresses lost",
	    [HA_VRRP_REMARK_NO_HEIR] = "nobody took over",
	};

	return NAME_OF(name, remark);
}
