/* SPDX-License-Identifier: MIT */
/*
 * The probes over HTTP/2, by nghttp2: the side package libhealth-h2 (pkg-config libhealth-h2), so that libhealth
 * itself needs none.
 *
 *	probe                                           server
 *	preface, SETTINGS, HEADERS GET /health          ──►
 *	                                                ◄──     SETTINGS, HEADERS :status 200
 *	GOAWAY                                          ──►
 *
 *	preface, SETTINGS, HEADERS POST /grpc.health.v1.Health/Check, DATA service      ──►
 *	                                                ◄──     HEADERS 200, DATA SERVING, HEADERS grpc-status 0
 *	GOAWAY                                          ──►
 *
 * Without TLS the server has to speak HTTP/2 at once ("prior knowledge", RFC 9113 §3.3); with TLS, ask for
 * "h2" by ALPN (health_tls_opts.alpn): a server that chose another protocol fails.
 */
#ifndef LIBHEALTH_H2_H
#define LIBHEALTH_H2_H

#include <libhealth/probe.h>
#include <libhealth/probe_http.h>

#define LIBHEALTH_H2_API LIBHEALTH_API

#ifdef __cplusplus
extern "C" {
#endif

/* What health_probe_new takes with health_probe_h2(). All is copied. Zero: GET https://localhost/. */
struct health_h2_opts {
	size_t size;
	const char *path; /* as health_http_opts.path; NULL: "/" */
	const char *
	    authority; /* the host, with its port if it is not the default one; NULL: "localhost" */
	/* As in health_http_opts: NULL and 0: 200-299. */
	const struct health_http_range *status;
	size_t n_status;
};

/*
 * The ops of the HTTP/2 probe, for health_probe_new with a health_h2_opts or NULL. Static; any thread.
 * health_probe_new returns -EINVAL for a value out of its range, -E2BIG for a field this library does not
 * know, -ENOMEM. Another status fails with HEALTH_CODE_L7STS, a stream that was reset or what is not HTTP/2
 * with HEALTH_CODE_L7RSP; a result's `status` is the HTTP status. Source: RFC 9113.
 */
LIBHEALTH_H2_API const struct health_probe_ops *health_probe_h2(void);

#define HEALTH_GRPC_SERVICE_MAX 255 /* bytes of a service's name */

/* What health_probe_new takes with health_probe_grpc(). All is copied. */
struct health_grpc_opts {
	size_t size;
	const char
	    *service; /* whose health is asked for; NULL: "", that of the server as a whole */
	const char *authority; /* as above */
};

/*
 * The ops of the gRPC health probe (Envoy's grpc_health_check), for health_probe_new with a health_grpc_opts or
 * NULL. The errors are those above. Another serving status than SERVING, and another grpc-status than 0 (an
 * unknown service is 5, a server without health checking 12), fail with HEALTH_CODE_L7STS; a result's `status`
 * is the grpc-status, or the HTTP status if it is not 200. Sources: the gRPC documents "GRPC Health Checking
 * Protocol" and "gRPC over HTTP2".
 */
LIBHEALTH_H2_API const struct health_probe_ops *health_probe_grpc(void);

#ifdef __cplusplus
}
#endif
#endif
