/* SPDX-License-Identifier: MIT */
/*
 * NetScaler's "client IP insertion": the IP and TCP headers of a client's SYN as the first bytes of a connection,
 * behind a number that both sides know. Pure.
 *
 * All in network order: that number (4 bytes), and then either the length of the headers (4 bytes), or the length of
 * all (4), a type below 256 (2) and the length of the headers (2). Which of both the byte behind tells: an IP version,
 * or the type's first byte, 0.
 */
#ifndef PROXYD_ENGINE_NETSCALER_CIP_H
#define PROXYD_ENGINE_NETSCALER_CIP_H

#include <stdint.h>

#include "proxy_protocol.h"

/*
 * Reads it at the beginning of `data`, as proxy_parse. 0: more bytes are needed. -EPROTO: another number;
 * -EPROTONOSUPPORT: of neither form, not of TCP, or headers that are too short for what they say or too long.
 */
ssize_t netscaler_cip_parse(const void *data, size_t len, uint32_t magic, struct proxy_ends *ret);

#endif
