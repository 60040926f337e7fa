/* SPDX-License-Identifier: MIT */
/* The plan from the inside, for the backends. */
#ifndef LIBHA_SERVICE_PLAN_H
#define LIBHA_SERVICE_PLAN_H

#include "service/model.h"

/* A step as it is kept; `ha_service_step` is made of it on demand. */
struct service_step {
	enum ha_service_step_kind kind;
	const struct ha_service *service, *old_service;
	const struct ha_dest *dest, *old_dest;
};

struct ha_service_plan {
	const struct ha_service_table *want, *have;
	struct service_step *steps;
	size_t n, cap;
};

/* Takes in a caller's ops (NULL: none). 0, -EINVAL, -E2BIG. */
int service_apply_ops_take(struct ha_service_apply_ops *own,
			   const struct ha_service_apply_ops *given);

/* Tells the caller of step `i`. */
void service_plan_tell(const struct ha_service_plan *p, size_t i, int error,
		       const struct ha_service_apply_ops *ops, void *userdata);

#endif
