/* SPDX-License-Identifier: MIT */
/* -t: what is wrong with a configuration, for people or as JSON. */
#ifndef VIPD_CONFIG_TEST_H
#define VIPD_CONFIG_TEST_H

#include "options.h"

/* The exit code. */
int config_test(const struct options *o);

#endif
