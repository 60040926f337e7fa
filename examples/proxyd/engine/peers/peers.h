/* SPDX-License-Identifier: MIT */
/*
 * Stick tables shared with others, HAProxy or proxyd, by sections `peers`: each connects to each, tells what changes, and who
 * begins empty asks one for all it knows. Runs in the control thread; sections live over reloads, by name.
 */
#ifndef PROXYD_ENGINE_PEERS_PEERS_H
#define PROXYD_ENGINE_PEERS_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cfg/cfg.h"

struct peers;

/* 0 or -errno. */
int peers_new(struct peers **ret);
void peers_free(struct peers *ps);

/* Opens what peers_sync() will need, or peers_close_prepared() closes. False: an address cannot be had. */
bool peers_prepare(struct peers *ps, const struct cfg *cfg, char *error, size_t cap);
/* Where they are files, what was there before comes back. */
void peers_close_prepared(struct peers *ps);
/* Makes them what the configuration says. What there is no memory for is told, and not shared. */
void peers_sync(struct peers *ps, const struct cfg *cfg, uint64_t now_ns);
/* The process is to end: no more connections; what has changed is told. */
void peers_drain(struct peers *ps, uint64_t now_ns);
/* Then: a successor is being told, for some seconds at most. */
bool peers_are_busy(const struct peers *ps);

/* Joins a loop. */
int peers_fd(const struct peers *ps);
uint64_t peers_deadline(const struct peers *ps);
int peers_dispatch(struct peers *ps, uint64_t now_ns);

/* For "show peers". */
struct peer_status {
	const char *section, *name, *state; /* "local", "connecting", "established" … */
	char address[64];
	uint64_t n_told, n_learned; /* entries, over all connections */
};
void peers_each(const struct peers *ps, void (*fn)(void *userdata, const struct peer_status *s), void *userdata);

#endif
