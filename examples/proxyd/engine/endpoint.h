/* SPDX-License-Identifier: MIT */
/* One end of a connection. */
#ifndef PROXYD_ENGINE_ENDPOINT_H
#define PROXYD_ENGINE_ENDPOINT_H

#include <stdint.h>

/* An address without its family's padding. */
struct endpoint {
	uint16_t family;
	uint16_t port; /* network order */
	uint8_t addr[16];
};

#endif
