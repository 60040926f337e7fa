/* SPDX-License-Identifier: MIT */
/*
 * TLS for checks, by OpenSSL 3: the side package libhealth-tls (pkg-config libhealth-tls), so that libhealth
 * itself needs no cryptography. It makes a transport (libhealth/transport.h) for health_check_opts.transport:
 *
 *	health_tls_new(&tls_opts, why, sizeof(why), &tls);
 *	check_opts.transport = health_tls_transport(tls);
 *	check_opts.probe = http;                        // https
 *	check_opts.probe = NULL;                        // the handshake alone: HEALTH_CODE_L6OK
 *	check_opts.flags |= HEALTH_CHECK_STARTTLS;      // where the probe asks for it
 *
 * Every check keeps the session of its server and takes it up again, which halves the cost of a check. The
 * certificate is known from the session then; that it has not expired is looked at each time, and with
 * HEALTH_TLS_VERIFY or expiry_warn_s the server has to show it anew when that is HEALTH_TLS_SHOWN_S ago.
 *
 * A handshake that fails is HEALTH_FAIL, HEALTH_CODE_L6RSP, with the reason as text: an alert by its name, a
 * certificate by what is wrong with it. One that is not done in time is HEALTH_CODE_L6TOUT.
 *
 * One struct health_tls serves any number of checks of engines in one thread.
 */
#ifndef LIBHEALTH_TLS_H
#define LIBHEALTH_TLS_H

#include <stddef.h>
#include <stdint.h>

#include <libhealth/transport.h>

#define LIBHEALTH_TLS_API LIBHEALTH_API

#ifdef __cplusplus
extern "C" {
#endif

struct health_tls;

#define HEALTH_TLS_ALPN_MAX 255 /* bytes of `alpn` on the wire */
#define HEALTH_TLS_SHOWN_S 300	/* seconds for which a certificate once shown is the server's */

/* TLS versions, as they stand on the wire (RFC 8446 §4.2.1). */
#define HEALTH_TLS_1_0 0x0301u
#define HEALTH_TLS_1_1 0x0302u
#define HEALTH_TLS_1_2 0x0303u
#define HEALTH_TLS_1_3 0x0304u

/* Bits of health_tls_opts.flags. */
#define HEALTH_TLS_VERIFY 1u	    /* the chain has to lead to a trusted certificate */
#define HEALTH_TLS_NO_RESUMPTION 2u /* a full handshake each time */
/* Each connection ends with close_notify (RFC 8446 §6.1), also where it is closed without a word by default. */
#define HEALTH_TLS_CLOSE_NOTIFY 4u

/*
 * All is copied, files are read once. Zero: no verification, as HAProxy's `verify none` and keepalived: a check
 * asks whether the server works; add HEALTH_TLS_VERIFY to ask whether clients will trust it.
 */
struct health_tls_opts {
	size_t size;
	uint32_t flags; /* HEALTH_TLS_…; an unknown bit is -EINVAL */
	/* HEALTH_TLS_1_…; 0: what OpenSSL and its configuration allow. */
	uint32_t min_version, max_version;
	/* What a success becomes when the certificate expires soon (expiry_warn_s). 0: HEALTH_DEGRADED;
	 * HEALTH_OK: it stays one, with the text. */
	enum health_verdict expiry_verdict;
	/* The name asked for (RFC 6066 §3); not an address. NULL: none. */
	const char *sni;
	/* With HEALTH_TLS_VERIFY, the name or address the certificate has to be of (RFC 6125); NULL: `sni`, and
	 * without either the name is not looked at. */
	const char *verify_name;
	/* Protocols in order of preference, "h2,http/1.1" (RFC 7301); NULL: no ALPN. */
	const char *alpn;
	/* PEM; NULL, both: the system's. Without HEALTH_TLS_VERIFY they only complete the chain of cert_file. A folder: its files that end with .pem, .crt or .cer, or hashed by c_rehash(1). */
	const char *ca_file, *ca_dir;
	const char *crl_file;	      /* PEM; checked for the whole chain. NULL: none */
	const char *cert_file;	      /* our own, with its chain, PEM; NULL: none */
	const char *key_file;	      /* its key, PEM; NULL: in cert_file */
	const char *ciphers;	      /* up to TLS 1.2, as ciphers(1); NULL: OpenSSL's */
	/* TLS 1.3, as ciphers(1); NULL: OpenSSL's, TLS_AES_128_GCM_SHA256 first: it costs a check the least. */
	const char *ciphersuites;
	/* A success with a server certificate that expires within so many seconds becomes expiry_verdict,
	 * with the day as its text; 0: no warning. An expired one fails the check only with HEALTH_TLS_VERIFY. */
	uint64_t expiry_warn_s;
	const char *key_password; /* opens the key; NULL: it has none */
	/* In place of ca_file (and ca_dir), crl_file, cert_file with its key: what would be in it. NULL: the file. */
	const char *ca_pem, *crl_pem, *cert_pem;
};

/*
 * Makes a context. 0; -EINVAL: a value out of its range, or one OpenSSL does not know (a cipher, say); -ENOENT,
 * -EACCES …: a file; -EBADMSG: a file that is not what it should be; -E2BIG; -ENOMEM. With an error, `ret_why`
 * (may be NULL) tells a person what is wrong with which option, ended by 0.
 */
LIBHEALTH_TLS_API int health_tls_new(const struct health_tls_opts *o, char *ret_why,
				     size_t why_size, struct health_tls **ret);

/* Gives it up. Checks that use it keep it until they are removed. NULL is fine. */
LIBHEALTH_TLS_API void health_tls_free(struct health_tls *tls);

/* For health_check_opts.transport; lives as long as `tls`. */
LIBHEALTH_TLS_API const struct health_transport *health_tls_transport(const struct health_tls *tls);

/* Sums over all checks. */
struct health_tls_stats {
	size_t size;
	uint64_t handshakes; /* that came to stand */
	uint64_t resumed;    /* of these, by an earlier session */
	uint64_t failed;
};

/* Copies out. 0; -EINVAL: an argument is NULL, or ret is too small for its size field. */
LIBHEALTH_TLS_API int health_tls_stats(const struct health_tls *tls, struct health_tls_stats *ret);

#ifdef __cplusplus
}
#endif
#endif
