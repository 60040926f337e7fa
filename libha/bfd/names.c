/* SPDX-License-Identifier: MIT */
/* The words for enum values. */
#include <libha/bfd.h>

#define NAME_OF(table, i) ((unsigned)(i) < sizeof(table) / sizeof(*(table)) ? (table)[i] : "?")

const char *ha_bfd_state_name(enum ha_bfd_state state)
{
	static const char *const name[] = {"admin down", "down", "init", "up"};

	return NAME_OF(name, state);
}

const char *ha_bfd_diag_name(uint8_t diag)
{
	static const char *const name[] = {
	    [HA_BFD_DIAG_NONE] = "none",
	    [HA_BFD_DIAG_TIME_EXPIRED] = "control detection time expired",
	    [HA_BFD_DIAG_ECHO_FAILED] = "echo function failed",
	    [HA_BFD_DIAG_NEIGHBOR_DOWN] = "neighbor signaled session down",
	    [HA_BFD_DIAG_FORWARDING_RESET] = "forwarding plane reset",
	    [HA_BFD_DIAG_PATH_DOWN] = "path down",
	    [HA_BFD_DIAG_CONCATENATED_PATH_DOWN] = "concatenated path down",
	    [HA_BFD_DIAG_ADMIN_DOWN] = "administratively down",
	    [HA_BFD_DIAG_REVERSE_CONCATENATED_PATH_DOWN] = "reverse concatenated path down",
	};

	return NAME_OF(name, diag);
}

const char *ha_bfd_reason_name(enum ha_bfd_reason reason)
{
	static const char *const name[] = {
	    [HA_BFD_STARTED] = "started",
	    [HA_BFD_STOPPED] = "stopped",
	    [HA_BFD_HANDSHAKE] = "the neighbor answers",
	    [HA_BFD_TIMEOUT] = "nothing heard",
	    [HA_BFD_NEIGHBOR_DOWN] = "the neighbor says down",
	    [HA_BFD_NEIGHBOR_ADMIN_DOWN] = "the neighbor was switched off",
	    [HA_BFD_ADMIN] = "administrator",
	    [HA_BFD_FORWARDING_RESET] = "forwarding plane reset",
	};

	return NAME_OF(name, reason);
}

const char *ha_bfd_drop_name(enum ha_bfd_drop drop)
{
	static const char *const name[] = {
	    [HA_BFD_DROP_NONE] = "accepted",
	    [HA_BFD_DROP_NOT_RUNNING] = "not running",
	    [HA_BFD_DROP_TTL] = "ttl",
	    [HA_BFD_DROP_VERSION] = "version",
	    [HA_BFD_DROP_LENGTH] = "length",
	    [HA_BFD_DROP_DETECT_MULT] = "detect mult",
	    [HA_BFD_DROP_MULTIPOINT] = "multipoint",
	    [HA_BFD_DROP_MY_DISCRIMINATOR] = "my discriminator",
	    [HA_BFD_DROP_YOUR_DISCRIMINATOR] = "your discriminator",
	    [HA_BFD_DROP_STATE] = "state",
	    [HA_BFD_DROP_ADDRESS] = "address",
	    [HA_BFD_DROP_AUTH] = "authentication",
	    [HA_BFD_DROP_ADMIN_DOWN] = "admin down",
	};

	return NAME_OF(name, drop);
}

const char *ha_bfd_remark_name(enum ha_bfd_remark remark)
{
	static const char *const name[] = {
	    [HA_BFD_REMARK_TIMERS] = "timers changed",
	    [HA_BFD_REMARK_DISCRIMINATOR] = "the neighbor has another discriminator",
	    [HA_BFD_REMARK_SEND_FAILED] = "sending failed",
	};

	return NAME_OF(name, remark);
}
