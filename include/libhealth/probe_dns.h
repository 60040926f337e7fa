/* SPDX-License-Identifier: MIT */
/*
 * The DNS probe over UDP: one question, and any answer without an error (keepalived's DNS_CHECK).
 *
 *	probe                                   server
 *	id, RD, question: . SOA         ──►
 *	                                ◄──     id, QR, rcode 0, …
 *
 * The answer's records are not looked at: an empty or truncated one is a success too, as in
 * keepalived. A datagram that is no answer to this question (shorter than a header, another id, QR
 * not set) is passed over, for it may be late or forged; the right one may still come until the
 * timeout. A lost datagram is a failed check: repeating is the filter's (keepalived: `retry 3`).
 */
#ifndef LIBHEALTH_PROBE_DNS_H
#define LIBHEALTH_PROBE_DNS_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_DNS_TYPE_SOA 6 /* the default of `type` */

/* What health_probe_new takes with health_probe_dns(). All is copied. Zero: ". SOA". */
struct health_dns_opts {
	size_t size;
	/* The name asked for: labels of 1 to 63 bytes, 255 bytes on the wire (RFC 1035 §2.3.4), with
	 * or without the last dot; no escapes. NULL: ".". */
	const char *name;
	/* The record type (IANA, "DNS parameters": A 1, NS 2, AAAA 28 …), at most 65535; 0: SOA. */
	uint64_t type;
};

/*
 * The ops of the DNS probe, for health_probe_new with a health_dns_opts or NULL (the defaults).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG
 * for a field this library does not know, -ENOMEM. An rcode other than 0 fails with
 * HEALTH_CODE_L7STS, a port unreachable with HEALTH_CODE_L4CON; a result's `status` is the rcode, its
 * text the rcode's name. The id is no secret: it is derived from the time; the socket's port is
 * the kernel's choice. Sources: RFC 1035 §4.1; keepalived.conf(5), DNS_CHECK.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_dns(void);

#ifdef __cplusplus
}
#endif
#endif
