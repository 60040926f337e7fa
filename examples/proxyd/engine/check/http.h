/* SPDX-License-Identifier: MIT */
/*
 * The http-check lines of a section whose requests are found out in each run (send-state, variables, formats), that
 * ask over several connections, or expect more than a status. The others are libhealth's HTTP probe.
 */
#ifndef PROXYD_ENGINE_CHECK_HTTP_H
#define PROXYD_ENGINE_CHECK_HTTP_H

#include <libhealth/probe_http.h>

#include "run.h"

/* What health_probe_new takes with it. The configuration outlives the probe. */
struct http_check_opts {
	struct check_of of;
	const struct cfg_httpchk *last; /* the others are before it */
};

const struct health_probe_ops *http_check_ops(void);

/* The probe's options for one of its requests, with what is written in it; `texts` holds what they point to. */
struct http_check_texts {
	struct health_http_range status[HEALTH_HTTP_STATUS_MAX];
	char host[HEALTH_HTTP_HOST_MAX + 1];
	char headers[HEALTH_HTTP_HEADERS_MAX + 1];
};
/* False: a header is too long. */
bool http_check_describe(const struct cfg_httpchk *c, struct http_check_texts *texts, struct health_http_opts *ret);

#endif
