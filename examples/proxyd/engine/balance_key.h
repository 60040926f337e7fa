/* SPDX-License-Identifier: MIT */
/* What algorithms that hash go by: the key of a client or a request. Pure. */
#ifndef PROXYD_ENGINE_BALANCE_KEY_H
#define PROXYD_ENGINE_BALANCE_KEY_H

#include "cfg/cfg.h"
#include "engine/http/msg.h"

/* The key of a text, as hash-type says. */
uint32_t balance_hash(const struct cfg_hash_type *t, const char *text, size_t len);

/* The key of "balance source": the words of the address, exclusive-ored; an IPv4 one is padded with zeroes. */
uint32_t balance_hash_source(const struct cfg_hash_type *t, const uint8_t addr[16]);

/*
 * The key of "balance uri", "url_param" and "hdr". False: the request has none, and the servers take
 * turns.
 */
bool http_balance_key(const struct http_msg *m, const struct cfg_settings *set, uint64_t *ret);

#endif
