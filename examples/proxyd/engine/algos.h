/* SPDX-License-Identifier: MIT */
/* What libsched has not under HAProxy's name, written with its public interface. */
#ifndef PROXYD_ENGINE_ALGOS_H
#define PROXYD_ENGINE_ALGOS_H

#include <libsched/lb_algo.h>

/* "source"; NULL: libsched's. Static. */
const struct lb_algo *own_algo_find(const char *name);

#endif
