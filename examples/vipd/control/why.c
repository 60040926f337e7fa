/* SPDX-License-Identifier: MIT */
#include "control/why.h"

#include <stdio.h>

const char *why_state(uint32_t s)
{
	static const char *const word[] = {"STOP", "BACKUP", "MASTER", "FAULT"};

	return s < 4 ? word[s] : "?";
}

size_t why_faults(uint32_t faults, const char *ret[WHY_FAULTS])
{
	static const struct {
		uint32_t bit;
		const char *text;
	} known[WHY_FAULTS] = {
	    {FAULT_ADMIN, "an administrator holds it"},
	    {FAULT_INTERFACE, "its interface is missing or down"},
	    {FAULT_SOURCE, "the address that adverts leave from is not there"},
	    {FAULT_SOCKET, "it has no sockets"},
	    {FAULT_TRACK, "a tracked interface is down"},
	    {FAULT_SCRIPT, "a tracked script failed"},
	    {FAULT_FILE, "a tracked file says so"},
	    {FAULT_PROCESS, "of a tracked process too few or too many run"},
	    {FAULT_BFD, "BFD does not hear a tracked neighbour"},
	    {FAULT_PEER, "it has no unicast_peer"},
	    {HA_VRRP_FAULT_ADDRESS, "its virtual addresses cannot be set"},
	    {HA_VRRP_FAULT_GROUP, "another member of its group is in FAULT"},
	};
	size_t n = 0;

	for (size_t i = 0; i < WHY_FAULTS; i++)
		/* Who has a fault of its own puts its group into FAULT, and hears of that, too. */
		if (faults & known[i].bit && (known[i].bit != HA_VRRP_FAULT_GROUP || !n))
			ret[n++] = known[i].text;
	return n;
}

static void join_faults(uint32_t faults, char *buf, size_t cap)
{
	const char *fault[WHY_FAULTS];
	size_t n = why_faults(faults, fault), len = 0;

	*buf = '\0';
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", i ? ", " : "", fault[i]);
}

void why_text(const struct why *w, char *buf, size_t cap)
{
	char peer[HA_IP_TEXT_SIZE] = "the other node";

	ha_ip_format(&w->peer, peer, sizeof(peer));
	if (w->to == HA_VRRP_FAULT)
		join_faults(w->faults, buf, cap);
	else if (w->reason == HA_VRRP_TIMEOUT)
		snprintf(buf, cap, "no adverts were heard for %.2f s", (double)w->down_ns / 1e9);
	else if (w->reason == HA_VRRP_RESIGNED)
		snprintf(buf, cap, "%s resigned", peer);
	else if (w->reason == HA_VRRP_HIGHER_PRIORITY)
		snprintf(buf, cap, "%s has priority %u, ours is %u", peer, w->peer_priority,
			 w->priority);
	else if (w->reason == HA_VRRP_HIGHER_ADDRESS)
		snprintf(buf, cap, "%s has the same priority %u and the higher address", peer,
			 w->peer_priority);
	else
		snprintf(buf, cap, "%s", ha_vrrp_reason_name((enum ha_vrrp_reason)w->reason));
}

const char *why_remark(uint32_t what)
{
	switch (what) {
	case HA_VRRP_REMARK_INTERVAL:
		return "another advert_int than ours: make them equal";
	case HA_VRRP_REMARK_ADDRESS_LIST:
		return "other virtual addresses than ours: make them equal";
	case HA_VRRP_REMARK_EQUAL_PRIORITY:
		return "the same priority as ours: give each node its own";
	case HA_VRRP_REMARK_SECOND_OWNER:
		return "priority 255 as we have: only the owner of the addresses may";
	case HA_VRRP_REMARK_LOSING_ADVERT:
		return "an advert with lower priority while we are MASTER: answered";
	case HA_VRRP_REMARK_LATE:
		return "a timer was served late: this process did not get the CPU";
	case HA_VRRP_REMARK_NO_SOURCE:
		return "there is no address to send adverts from";
	case HA_VRRP_REMARK_MISSED:
		return "two or more adverts in a row did not come: loss on the link, or a busy "
		       "MASTER";
	case HA_VRRP_REMARK_DUPLICATE:
		return "another machine claims this address of ours: a second MASTER, or a "
		       "stranger";
	case HA_VRRP_REMARK_ADDRESS_LOST:
		return "its virtual addresses are not there: no advert until they are";
	case HA_VRRP_REMARK_SEND_FAILED:
		return "an advert could not be sent";
	case HA_VRRP_REMARK_NO_HEIR:
		return "handed over, but no other node came: goes on as MASTER";
	default:
		return NULL;
	}
}

const char *why_dropped(uint32_t drop)
{
	switch (drop) {
	case HA_VRRP_DROP_SOURCE:
		return "its sender is no unicast_peer here, or has one of the virtual addresses";
	case HA_VRRP_DROP_DESTINATION:
		return "write unicast_peer on all nodes, or on none";
	case HA_VRRP_DROP_OWN_ADDRESS:
		return "a loop in the network, or another machine with this node's address";
	case HA_VRRP_DROP_TTL:
		return "it came through a router, or min_ttl and max_ttl do not allow its TTL";
	case HA_VRRP_DROP_VERSION:
		return "make the version equal on all nodes";
	case HA_VRRP_DROP_AUTH_TYPE:
	case HA_VRRP_DROP_AUTH_MISMATCH:
		return "make auth_type equal on all nodes";
	case HA_VRRP_DROP_AUTH_FAILURE:
		return "make auth_pass equal on all nodes";
	case HA_VRRP_DROP_ADVERT_INTERVAL:
		return "make advert_int equal on all nodes";
	case HA_VRRP_DROP_ADDRESS_LIST:
		return "make virtual_ipaddress equal on all nodes";
	default:
		return NULL;
	}
}
