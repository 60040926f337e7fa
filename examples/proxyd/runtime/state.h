/* SPDX-License-Identifier: MIT */
/* State of servers from a file, as "show servers state" prints it: what an operator set outlives a restart. */
#ifndef PROXYD_RUNTIME_STATE_H
#define PROXYD_RUNTIME_STATE_H

#include "engine/engine.h"

/*
 * Applies to each server of a proxy with "load-server-state-from-file" what the file says of it: maintenance,
 * drain, weight, and down if it is checked and was down. Once, after the first engine_apply. A file that is not
 * there, or a line that means nothing here, is told and changes nothing.
 */
void state_load(struct engine *e, uint64_t now_ns);

#endif
