/* SPDX-License-Identifier: MIT */
/*
 * Every probe by its name, written as a URL:
 *
 *	http://192.0.2.7:8080/health#status=200-399&body=ok
 *	pgsql://probe:secret@db.example.com
 *	dns://192.0.2.53/www.example.com#type=aaaa
 *	expect://192.0.2.9:7000#send=PING%0a&expect=PONG
 *
 *	scheme://[user[:password]@]host[:port][/path][#option=value[&option=value…]]
 *
 * The scheme names the probe; user, password and path are what the probe makes of them; what a probe can
 * be told beyond stands behind "#", which no protocol sends. docs/probes.md lists schemes, ports and
 * options. Everywhere but in the path of http, %xx is a byte. A part the probe has no use for and an
 * option it does not know are errors, not silence. Schemes with TLS have more options, for the caller's TLS:
 * `sni` (the host without, unless it is an address), `verify`, `alpn` and `expires` (warn so many days before the
 * certificate does). Those whose protocol can change to TLS on the way have them with `starttls`.
 *
 * This is for command lines and tools; a host that has its own configuration calls health_probe_new.
 */
#ifndef LIBHEALTH_URL_H
#define LIBHEALTH_URL_H

#include <stddef.h>
#include <stdint.h>

#include <libhealth/foreign.h>
#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_URL_MAX 4096	/* characters of a URL */
#define HEALTH_URL_HOST_MAX 255 /* characters of its host */
#define HEALTH_URL_OPTIONS_MAX 32

/* What probes may borrow; each may be NULL, and NULL instead of this struct is the same. */
struct health_url_opts {
	size_t size;
	const struct health_crypto *crypto; /* for passwords of mysql, pgsql, radius; for digests */
	const struct health_regex *regex;
	/* health_probe_h2 and health_probe_grpc of libhealth/h2.h, for who links libhealth-h2. */
	const struct health_probe_ops *(*h2)(void);
	const struct health_probe_ops *(*grpc)(void);
};

struct health_url {
	size_t size;
	struct health_probe *probe; /* the caller's: health_probe_free */
	uint32_t port;		    /* the URL's or the scheme's */
	uint32_t tls;		    /* not 0: a transport is needed (https, imaps …) */
	uint32_t verify;	    /* not 0: the certificate is to be verified */
	uint32_t starttls;	    /* not 0: so is HEALTH_CHECK_STARTTLS */
	char host[HEALTH_URL_HOST_MAX +
		  1]; /* a name or an address, without brackets; "": none needed */
	char sni[HEALTH_URL_HOST_MAX + 1]; /* to ask for in TLS; "": nothing */
	char alpn[32];			   /* likewise: "h2", or "" */
	uint64_t expiry_warn_s;		   /* for health_tls_opts; 0: no warning */
};

/*
 * Makes the probe a URL describes. 0: `ret`, whose size is set, is filled; -EINVAL: the URL is wrong, and
 * `ret_error` (HEALTH_TEXT_MAX bytes, or NULL) says what and where in words; -ENOMEM. Any thread.
 */
LIBHEALTH_API int health_url_parse(const char *url, const struct health_url_opts *o,
				   struct health_url *ret, char *ret_error);

/* The name of the scheme of this number, in alphabetical order from 0; NULL: there are no more. */
LIBHEALTH_API const char *health_url_scheme(size_t number);

#ifdef __cplusplus
}
#endif
#endif
