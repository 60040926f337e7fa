/* SPDX-License-Identifier: MIT */
/* unique-id-format: the number of a request, or of a connection in mode tcp. */
#ifndef PROXYD_RULES_UNIQUE_ID_H
#define PROXYD_RULES_UNIQUE_ID_H

#include "rules/run.h"

/* It is made when it is first asked for, cut where it is too long, and then stays. At NULL: there is none, or no room for it. */
struct text run_unique_id(struct run *r);

#endif
