/* SPDX-License-Identifier: MIT */
/*
 * The SMTP probe: a greeting and a word back (keepalived's SMTP_CHECK, HAProxy's `option smtpchk`).
 *
 *	probe                                   server
 *	                                ◄──     220 mail.example.com ESMTP
 *	HELO localhost                  ──►
 *	                                ◄──     250 mail.example.com
 *	QUIT                            ──►     and closes
 *
 * With `starttls`, after the greeting: EHLO, 250, STARTTLS, 220, the handshake, and then EHLO as above.
 *
 * Answers of several lines ("250-…") are read whole. The verdict stands with the 250; the QUIT is a
 * courtesy, its answer is not waited for. No mail is begun: MAIL, RCPT and DATA are never sent.
 * The LMTP probe is the same with LHLO (RFC 2033 §4.1).
 */
#ifndef LIBHEALTH_PROBE_SMTP_H
#define LIBHEALTH_PROBE_SMTP_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_SMTP_HELO_MAX 255  /* characters of `helo` */
#define HEALTH_SMTP_LINE_MAX 1024 /* bytes of a line; with more: L7RSP. RFC 5321 §4.5.3.1.5: 512 */
#define HEALTH_SMTP_LINES_MAX 100 /* lines of one answer; with more: L7RSP */

/* What health_probe_new takes with health_probe_smtp(). All is copied. */
struct health_smtp_opts {
	size_t size;
	/* The name of the checker: visible ASCII. NULL: "localhost". */
	const char *helo;
	/* Not 0: EHLO instead of HELO (RFC 5321 §4.1.1.1). */
	uint64_t ehlo;
	/* Not 0: EHLO, STARTTLS, and EHLO again over TLS (RFC 3207). The check needs a transport and
	 * HEALTH_CHECK_STARTTLS. */
	uint64_t starttls;
};

/*
 * The ops of the SMTP probe, for health_probe_new with a health_smtp_opts or NULL (the defaults).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG
 * for a field this library does not know, -ENOMEM. Another code than 220 and 250 fails with
 * HEALTH_CODE_L7STS, what is no answer with HEALTH_CODE_L7RSP; a result's `status` is the last code,
 * its text the server's line. Sources: RFC 5321 §4.2, §4.3; keepalived.conf(5), SMTP_CHECK.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_smtp(void);

/* The same for LMTP; `ehlo` must be 0. */
LIBHEALTH_API const struct health_probe_ops *health_probe_lmtp(void);

#ifdef __cplusplus
}
#endif
#endif
