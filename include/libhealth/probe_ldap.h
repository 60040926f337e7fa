/* SPDX-License-Identifier: MIT */
/*
 * The LDAP probe: a simple bind, and if asked for an entry that must be there (HAProxy's `option
 * ldap-check`, F5's ldap monitor).
 *
 *	probe                                   server
 *	[extendedRequest StartTLS       ──►                     (with `starttls`: RFC 4511 §4.14)
 *	                                ◄──     extendedResponse success, the handshake]
 *	bindRequest v3, DN, password    ──►                     (anonymous without a DN)
 *	                                ◄──     bindResponse success
 *	searchRequest base              ──►                     (with a base)
 *	                                ◄──     searchResultEntry, searchResultDone success
 *	unbindRequest                   ──►     and closes
 */
#ifndef LIBHEALTH_PROBE_LDAP_H
#define LIBHEALTH_PROBE_LDAP_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_LDAP_WORD_MAX 512      /* bytes of each of the options */
#define HEALTH_LDAP_MESSAGE_MAX 16000 /* bytes of a message of the server; with more: L7RSP */
#define HEALTH_LDAP_MESSAGES_MAX 16   /* messages before the answer is whole; with more: L7RSP */

/* What health_probe_new takes with health_probe_ldap(). All is copied; UTF-8. */
struct health_ldap_opts {
	size_t size;
	const char *bind_dn;  /* "cn=probe,dc=example,dc=com"; NULL: anonymous */
	const char *password; /* required with bind_dn: a server takes a DN without one for
				 anonymous (RFC 4513 §5.1.2). Wiped when freed */
	const char *base;     /* this entry is read, without its attributes; NULL: none */
	/* Not 0: StartTLS before the bind. The check needs a transport and HEALTH_CHECK_STARTTLS. */
	uint64_t starttls;
};

/*
 * The ops of the LDAP probe, for health_probe_new with a health_ldap_opts or NULL (an anonymous
 * bind). Static; any thread. health_probe_new returns -EINVAL for a value out of its range above,
 * -E2BIG for a field this library does not know, -ENOMEM. A resultCode other than success, and a
 * base that is not there, fail with HEALTH_CODE_L7STS, what is no answer with HEALTH_CODE_L7RSP; a
 * result's `status` is the resultCode, its text the server's diagnosticMessage or the code's name.
 * Sources: RFC 4511 §4.1.9, §4.2, §4.5; the HAProxy manual, "option ldap-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_ldap(void);

#ifdef __cplusplus
}
#endif
#endif
