/* SPDX-License-Identifier: MIT */
/*
 * The probes of servers people log in to by lines: FTP, POP3, IMAP (F5's monitors of these names).
 *
 *	FTP                     server          POP3            server          IMAP                    server
 *	            ◄── 220 hello                   ◄── +OK hello                   ◄── * OK hello
 *	USER u      ──►                 USER u      ──►                 h LOGIN "u" "p" ──►
 *	            ◄── 331 password?               ◄── +OK                         ◄── h OK
 *	PASS p      ──►                 PASS p      ──►                 h EXAMINE "f"   ──►
 *	            ◄── 230 in                      ◄── +OK                         ◄── * …, h OK
 *	TYPE I, SIZE f ──►              QUIT        ──►                 h LOGOUT        ──►
 *	            ◄── 200, 213 42
 *	QUIT        ──►
 *
 * With `starttls` the login goes over TLS, which begins after the greeting:
 *
 *	AUTH TLS    ──►                 STLS        ──►                 h STARTTLS      ──►
 *	            ◄── 234                         ◄── +OK                             ◄── h OK
 *
 * Without a user the greeting alone is the success, and over TLS the answer to QUIT, or to IMAP's NOOP.
 * Nothing is changed on the server: IMAP's EXAMINE opens a mailbox read-only, FTP's SIZE opens no data
 * connection. The password goes as it is: in clear text unless the check uses TLS, from the first byte or by
 * `starttls`. Many servers slow down or lock out who fails to log in: a wrong password in a probe is felt by
 * others who use the account.
 */
#ifndef LIBHEALTH_PROBE_LOGIN_H
#define LIBHEALTH_PROBE_LOGIN_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_LOGIN_WORD_MAX 255  /* characters of each of the options */
#define HEALTH_LOGIN_LINE_MAX 1024 /* bytes of a line of the server; with more: L7RSP */
#define HEALTH_LOGIN_LINES_MAX 100 /* lines of one answer; with more: L7RSP */

/* What health_probe_new takes with the three below. All is copied; printable ASCII. */
struct health_login_opts {
	size_t size;
	const char *user;     /* NULL: no login */
	const char *password; /* only with a user; NULL or "": an empty one. Wiped when freed */
	/* FTP: a file that must be there. IMAP: a mailbox that must be ("INBOX"). Only with a user;
	 * NULL: none. POP3 has no such thing: must be NULL. */
	const char *path;
	/* Not 0: TLS after the greeting (FTP: AUTH TLS, RFC 4217; POP3: STLS, RFC 2595; IMAP: STARTTLS).
	 * The check needs a transport and HEALTH_CHECK_STARTTLS. */
	uint64_t starttls;
};

/*
 * The ops, for health_probe_new with a health_login_opts or NULL (the greeting alone). Static; any
 * thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG for a field
 * this library does not know, -ENOMEM. A refusal (4xx and 5xx, -ERR, NO, BAD, BYE) fails with
 * HEALTH_CODE_L7STS, what is no answer with HEALTH_CODE_L7RSP; a result's text is the server's line,
 * its `status` FTP's code and 0 for the others. Sources: RFC 959 §4.2, §5.4; RFC 3659 §4; RFC 1939
 * §3, §7; RFC 3501 §6, §7.1; F5 LTM monitor reference, ftp, pop3, imap.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_ftp(void);
LIBHEALTH_API const struct health_probe_ops *health_probe_pop3(void);
LIBHEALTH_API const struct health_probe_ops *health_probe_imap(void);

#ifdef __cplusplus
}
#endif
#endif
