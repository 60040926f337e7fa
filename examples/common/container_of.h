/* SPDX-License-Identifier: MIT */
#ifndef COMMON_CONTAINER_OF_H
#define COMMON_CONTAINER_OF_H

#include <stddef.h>
#include <stdint.h>

/* The `type` whose `member` the pointer points to. */
#define container_of(pointer, type, member) ((type *)(void *)((char *)(uintptr_t)(pointer) - offsetof(type, member)))

#endif
