/* SPDX-License-Identifier: MIT */
/* Algorithms of HAProxy that libsched has not under that name, written with its public interface. */
#ifndef PROXYD_ENGINE_ALGOS_H
#define PROXYD_ENGINE_ALGOS_H

#include <libsched/lb_algo.h>

/* "source", "first"; NULL: none of ours. Static. */
const struct lb_algo *own_algo_find(const char *name);

#endif
