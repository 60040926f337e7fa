/* SPDX-License-Identifier: MIT */
/*
 * The DNS probe over UDP: one question, and any answer without an error (keepalived's DNS_CHECK), or one
 * that holds what was expected (F5's dns monitor).
 *
 *	probe                                   server
 *	id, RD, question: . SOA         ──►
 *	                                ◄──     id, QR, rcode 0, …
 *
 * Unless `answer` or HEALTH_DNS_HAS_ANSWER asks for it the records are not looked at: an empty or
 * truncated answer is a success too, as in keepalived. A datagram that is no answer to this question (shorter than a header, another id, QR
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

#define HEALTH_DNS_ANSWER_MAX 255 /* characters of `answer` */
#define HEALTH_DNS_RECORDS_MAX 256 /* records of an answer that are looked at */

/* Bits of health_dns_opts.flags. */
#define HEALTH_DNS_ANY_RCODE 1u	 /* NXDOMAIN and REFUSED are signs of life, too (F5, accept-rcode) */
#define HEALTH_DNS_HAS_ANSWER 2u /* one record of the asked type at least; not with ANY_RCODE */

/* The number of a record type by its name ("A", "aaaa", "MX" …, or "TYPE65"); 0: none. Any thread. */
LIBHEALTH_API uint64_t health_dns_type(const char *name);

/* What health_probe_new takes with health_probe_dns(). All is copied. Zero: ". SOA". */
struct health_dns_opts {
	size_t size;
	/* The name asked for: labels of 1 to 63 bytes, 255 bytes on the wire (RFC 1035 §2.3.4), with
	 * or without the last dot; no escapes. NULL: ".". */
	const char *name;
	/* The record type (IANA, "DNS parameters": A 1, NS 2, AAAA 28 …), at most 65535; 0: SOA. */
	uint64_t type;
	/* A record of the asked type in the answer section must carry this: an address for A and AAAA, a
	 * name for NS, CNAME, PTR, MX and SRV (case does not count), a part of the text for TXT. Other
	 * types: -EINVAL. NULL: nothing. Not with ANY_RCODE. */
	const char *answer;
	uint64_t flags; /* HEALTH_DNS_… */
};

/*
 * The ops of the DNS probe, for health_probe_new with a health_dns_opts or NULL (the defaults).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG
 * for a field this library does not know, -ENOMEM. An rcode other than 0 fails with
 * HEALTH_CODE_L7STS, an answer without what was expected, or truncated before it, with
 * HEALTH_CODE_L7RSP, a port unreachable with HEALTH_CODE_L4CON; a result's `status` is the rcode, its
 * text the rcode's name. The id is no secret: it is derived from the time; the socket's port is
 * the kernel's choice. Sources: RFC 1035 §4.1; keepalived.conf(5), DNS_CHECK.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_dns(void);

#ifdef __cplusplus
}
#endif
#endif
