/* SPDX-License-Identifier: MIT */
/*
 * Sections `log-forward`: lines of others come in over UDP and TCP, and go to the section's logs. The control thread's; it joins
 * a loop.
 */
#ifndef PROXYD_ENGINE_LOG_FORWARD_H
#define PROXYD_ENGINE_LOG_FORWARD_H

#include "cfg/cfg.h"

struct forwards;

/* 0 or -errno. */
int forwards_new(struct forwards **ret);
void forwards_free(struct forwards *fs);

/* Opens what the configuration says and is not open yet, and closes what it does not. False: *error; the rest is as it was. */
bool forwards_sync(struct forwards *fs, const struct cfg *cfg, char *error, size_t cap);

/* Takes what waits at its addresses and leaves them to a successor; connections that stand go on. */
void forwards_drain(struct forwards *fs, uint64_t now_ns);

int forwards_fd(const struct forwards *fs);
uint64_t forwards_deadline(const struct forwards *fs);
int forwards_dispatch(struct forwards *fs, uint64_t now_ns);

/* Lines that have come. */
uint64_t forwards_count(const struct forwards *fs);

#endif
