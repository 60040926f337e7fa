/* SPDX-License-Identifier: MIT */
/*
 * The probes of a network's own services: NTP, SNMP, RADIUS, SIP (F5's monitors of these names, but NTP).
 *
 *	NTP     mode 3, a cookie as transmit time       ──►
 *	                                                ◄──     mode 4, the cookie, stratum 1 to 15
 *	SNMP    GetRequest community, OID               ──►
 *	                                                ◄──     Response noError, the value
 *	RADIUS  Access-Request user, password           ──►
 *	                                                ◄──     Access-Accept
 *	SIP     OPTIONS uri SIP/2.0                     ──►
 *	                                                ◄──     [100 Trying] SIP/2.0 200 OK
 *
 * All but SIP over TCP are datagrams. What is no answer to this question (another id, cookie, Call-ID
 * or authenticator) is passed over, for it may be late or forged.
 */
#ifndef LIBHEALTH_PROBE_SERVICES_H
#define LIBHEALTH_PROBE_SERVICES_H

#include <libhealth/foreign.h>
#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What health_probe_new takes with health_probe_ntp(). */
struct health_ntp_opts {
	size_t size;
	uint64_t stratum_max; /* 1 to 15; 0: 15 */
};

/*
 * The ops of the NTP probe, for health_probe_new with a health_ntp_opts or NULL. A server that is not
 * synchronized, that is further from its clock than `stratum_max`, or that sends a kiss code (RATE, DENY
 * …) fails with HEALTH_CODE_L7STS; a result's `status` is the stratum. How right the time is is not
 * judged: a probe has no clock. Source: RFC 5905 §7.3, §7.4.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_ntp(void);

#define HEALTH_SNMP_WORD_MAX 255 /* characters of community, oid and value */

/* What health_probe_new takes with health_probe_snmp(). All is copied. */
struct health_snmp_opts {
	size_t size;
	const char *community; /* NULL: "public". Goes in clear text; wiped when freed */
	const char *oid;       /* "1.3.6.1.2.1.1.3.0" (sysUpTime), the default */
	/* The value must be this: a number in decimal, or a text; NULL: any. */
	const char *value;
	uint64_t v1; /* not 0: SNMPv1; else v2c */
};

/*
 * The ops of the SNMP probe, for health_probe_new with a health_snmp_opts or NULL. An error-status, and a
 * noSuchObject or noSuchInstance, fail with HEALTH_CODE_L7STS, another value with HEALTH_CODE_L7RSP; a
 * result's `status` is the error-status, its text the value. An agent is silent to a wrong community:
 * HEALTH_CODE_L7TOUT. Sources: RFC 1157 §4.1, RFC 3416 §4.2.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_snmp(void);

#define HEALTH_RADIUS_WORD_MAX 128 /* bytes of secret, user and password */

#define HEALTH_RADIUS_REJECT_OK 1u /* Access-Reject is a sign of life, too */

/* What health_probe_new takes with health_probe_radius(). All is copied, `crypto` apart. */
struct health_radius_opts {
	size_t size;
	const char *secret;   /* required; shared with the server. Wiped when freed */
	const char *user;     /* NULL: Status-Server (RFC 5997) instead of Access-Request */
	const char *password; /* with a user (PAP); NULL: "". Wiped when freed */
	const struct health_crypto *crypto; /* required; must outlive the probe */
	uint64_t flags;			    /* HEALTH_RADIUS_… */
};

/*
 * The ops of the RADIUS probe, for health_probe_new with a health_radius_opts. Every request carries a
 * Message-Authenticator, and an answer is believed when its authenticators are right; a wrong secret is
 * therefore silence, as the server hears none: HEALTH_CODE_L7TOUT. Access-Reject and
 * Access-Challenge fail with HEALTH_CODE_L7STS; a result's `status` is the answer's code, its text a
 * Reply-Message. Sources: RFC 2865 §3, §5.2; RFC 3579 §3.2; RFC 5997.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_radius(void);

#define HEALTH_SIP_URI_MAX 255 /* characters of a URI */
#define HEALTH_SIP_LINE_MAX 1024
#define HEALTH_SIP_LINES_MAX 100 /* of one answer, and of provisional ones before it */

#define HEALTH_SIP_ANY_STATUS 1u /* 4xx to 6xx are signs of life, too */

/* What health_probe_new takes with the two below. All is copied. */
struct health_sip_opts {
	size_t size;
	const char *uri;  /* "sip:pbx.example.com"; NULL: "sip:localhost" */
	const char *from; /* NULL: "sip:libhealth@localhost" */
	uint64_t flags;	  /* HEALTH_SIP_… */
};

/*
 * The ops of the SIP probes over TCP and UDP, for health_probe_new with a health_sip_opts or NULL.
 * Provisional answers (1xx) are waited through; 2xx and 3xx are successes, others fail with
 * HEALTH_CODE_L7STS; a result's `status` is the status code, its text the status line. Source: RFC 3261
 * §7, §11.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_sip(void);
LIBHEALTH_API const struct health_probe_ops *health_probe_sip_udp(void);

/*
 * For all of these: ops are static; any thread. health_probe_new returns -EINVAL for a value out of its
 * range above, -E2BIG for a field this library does not know, -ENOMEM. What is not the protocol fails with
 * HEALTH_CODE_L7RSP over TCP; a port unreachable is HEALTH_CODE_L4CON.
 */

#ifdef __cplusplus
}
#endif
#endif
