/* SPDX-License-Identifier: MIT */
/* What there is to show, as JSON: the answers of the control socket. docs/control-socket.md. */
#ifndef VIPD_REPORT_H
#define VIPD_REPORT_H

#include <jansson.h>

#include "supervisor/state.h"

/* All return a new reference, NULL when memory is short. */
json_t *report_status(const struct supervisor *s);
json_t *report_instance(const struct supervisor *s, const struct conf_instance *i, size_t index,
			bool brief);
/* Where a virtual server's parts lie in arrays of all; from {0}, in the order of the configuration. */
struct report_at {
	uint32_t index;
	size_t real, check;
};
void report_next(const struct conf_virtual *v, struct report_at *at);

json_t *report_virtual(const struct supervisor *s, const struct conf_virtual *v,
		       const struct report_at *at, bool brief);
json_t *report_script(const struct supervisor *s, const struct conf_vrrp_script *t);

const char *report_check_kind(const struct conf_check *k);

/* Is the result of a vrrp_script or MISC_CHECK that it is well? "waiting", "up" or "down". */
const char *report_track(const struct supervisor *s, uint32_t index);

/* CLOCK_MONOTONIC as UNIX seconds. */
double report_time(uint64_t mono_ns);

#endif
