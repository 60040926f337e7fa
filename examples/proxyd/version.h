/* SPDX-License-Identifier: MIT */
/* What we call ourselves, and what tools that know HAProxy's versions are told. */
#ifndef PROXYD_VERSION_H
#define PROXYD_VERSION_H

#include "cfg/if.h"

#define PROXYD_VERSION "0.1.0"
#define PROXYD_VERSION_AS_HAPROXY CFG_CLAIMED_VERSION "-proxyd-" PROXYD_VERSION
#define PROXYD_RELEASE_DATE "2026/11/28"

#endif
