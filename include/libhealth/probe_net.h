/* SPDX-License-Identifier: MIT */
/*
 * Probes below the protocols: is the machine there, is the port open?
 *
 *	icmp, any family                        half-open
 *	echo request       ──►                  SYN      ──►
 *	                   ◄──  echo reply               ◄──  SYN-ACK: up, RST: down
 *	                                        RST      ──►
 *
 * icmp uses an echo socket of the kernel (icmp(7)), which needs the group in net.ipv4.ping_group_range; where
 * that is forbidden a raw socket, which needs CAP_NET_RAW. half-open needs CAP_NET_RAW. Neither retransmits: a
 * lost packet is a failed check, repeating is the filter's.
 */
#ifndef LIBHEALTH_PROBE_NET_H
#define LIBHEALTH_PROBE_NET_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_ICMP_PAYLOAD_DEFAULT 56 /* as ping(8) */
#define HEALTH_ICMP_PAYLOAD_MAX 1400

/* What health_probe_new takes with health_probe_icmp(). Zero: ping's 56 bytes. */
struct health_icmp_opts {
	size_t size;
	uint64_t payload_bytes; /* 8 to HEALTH_ICMP_PAYLOAD_MAX; 0: HEALTH_ICMP_PAYLOAD_DEFAULT */
};

/*
 * The ops of the ICMP and ICMPv6 probe: the family is the destination's, its port is ignored. An answer is one that
 * brings back the bytes sent, random for each check; all others are passed over. Static; any thread. Sources: RFC 792, RFC
 * 4443 §4; keepalived.conf(5), PING_CHECK.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_icmp(void);

/*
 * The ops of the half-open TCP probe; it takes no options. The server's application never sees it, and the
 * kernel here, which knows of no connection, answers the SYN-ACK with RST. A refusal is HEALTH_CODE_L4CON (and
 * HEALTH_FAIL_NOW with HEALTH_CHECK_REFUSED_NOW), silence HEALTH_CODE_L4TOUT. Static; any thread. Sources: RFC
 * 9293 §3.5; F5 LTM monitor reference, tcp_half_open.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_half_open(void);

#ifdef __cplusplus
}
#endif
#endif
