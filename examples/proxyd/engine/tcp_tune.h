/* SPDX-License-Identifier: MIT */
#ifndef PROXYD_ENGINE_TCP_TUNE_H
#define PROXYD_ENGINE_TCP_TUNE_H

#include "cfg/cfg.h"

/* All but fast_open, which is of the moment. 0 or -errno. */
int tcp_tune(int fd, int family, const struct cfg_tcp *t);

#endif
