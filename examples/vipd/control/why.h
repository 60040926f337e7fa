/* SPDX-License-Identifier: MIT */
/* Why an instance changed its state, as numbers between processes and as words for people. Pure. */
#ifndef VIPD_WHY_H
#define VIPD_WHY_H

#include <stddef.h>
#include <stdint.h>

#include <libha/vrrp.h>

/* Why an instance is in FAULT: bits of ha_vrrp_set_fault. */
#define FAULT_INTERFACE 1u /* its interface is missing or down */
#define FAULT_SOURCE 2u	   /* the interface has no address to send from */
#define FAULT_SOCKET 4u	   /* there are no sockets (yet) */
#define FAULT_TRACK 8u	   /* a tracked interface is down */
#define FAULT_SCRIPT 16u   /* a tracked script failed */
#define FAULT_ADMIN 32u	   /* held by an administrator */
#define FAULT_FILE 64u	   /* a track_file says so */
#define FAULT_PROCESS 128u /* of a vrrp_track_process too few or too many run */
#define FAULT_BFD 256u	   /* the neighbour of a bfd_instance is lost, or never came */
#define FAULT_PEER 512u	   /* unicast_fault_no_peer, and there is none */

/* Without holes: it goes from one process to another as it is. */
struct why {
	uint32_t from, to; /* enum ha_vrrp_state */
	uint32_t reason;   /* enum ha_vrrp_reason */
	uint32_t faults;
	uint32_t priority, peer_priority;
	uint64_t down_ns;  /* Active_Down_Interval */
	struct ha_ip peer; /* none: no other router caused it */
	uint8_t unused[7];
};
_Static_assert(sizeof(struct why) == 6 * 4 + 8 + sizeof(struct ha_ip) + 7, "struct why has holes");

/* keepalived's words: STOP, BACKUP, MASTER, FAULT. */
const char *why_state(uint32_t state);

#define WHY_FAULTS 12
/* The fault bits as sentences; their number, at most WHY_FAULTS. */
size_t why_faults(uint32_t faults, const char *ret[WHY_FAULTS]);

/* In words an administrator can act on, without a full stop. */
void why_text(const struct why *w, char *buf, size_t cap);

/* What is worth telling of a remark; NULL: of no use to an administrator. */
const char *why_remark(uint32_t remark);

/* What to do about an enum ha_vrrp_drop; NULL: nothing, its name says all. */
const char *why_dropped(uint32_t drop);

#endif
