/* SPDX-License-Identifier: MIT */
/*
 * The script of tcp-check, as a dialogue of libhealth: bytes in, bytes out, a verdict. What an `expect`
 * looks at is all that came since the last `send`.
 */
#ifndef PROXYD_ENGINE_CHECK_TCP_H
#define PROXYD_ENGINE_CHECK_TCP_H

#include <libhealth/probe.h>

#include "run.h"

/* What health_probe_new takes with it; copied. */
struct tcp_check_opts {
	const struct cfg_step *step;
	unsigned n;
	struct check_of of; /* server NULL: no step has variables or formats */
};

const struct health_probe_ops *tcp_check_ops(void);

#endif
