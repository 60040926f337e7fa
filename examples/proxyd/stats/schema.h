/* SPDX-License-Identifier: MIT */
/* "show schema json": the JSON schema of what "show info json" and "show stat json" print. */
#ifndef PROXYD_STATS_SCHEMA_H
#define PROXYD_STATS_SCHEMA_H

#include "out.h"

void schema_write(struct out *o);

#endif
