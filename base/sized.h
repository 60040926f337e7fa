/* SPDX-License-Identifier: MIT */
/*
 * The rules of structs that begin with `size_t size`, so that they can grow without breaking a caller.
 * In: what the caller's struct does not reach is zero (the default); what it has beyond ours must be
 * zero, else it asks for something this library does not know. What is reserved
 * within must be zero as well: see sized_unused(). Out: filled up to the caller's size.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Of an unknown tail, or of a `reserved` member: nothing is asked for there. */
static inline bool sized_unused(const void *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)at)[i])
			return false;
	return true;
}

/*
 * Copies the caller's `src` into our `own` of `own_size` bytes and sets own's size to own_size.
 * -EINVAL: src is NULL or its size cannot hold the size field; -E2BIG: an unknown tail is not zero.
 */
static inline int sized_in(void *own, size_t own_size, const void *src)
{
	size_t given;

	if (!src)
		return -EINVAL;
	memcpy(&given, src, sizeof(given));
	if (given < sizeof(given))
		return -EINVAL;
	if (given > own_size && !sized_unused((const char *)src + own_size, given - own_size))
		return -E2BIG;
	memset(own, 0, own_size);
	memcpy(own, src, given < own_size ? given : own_size);
	memcpy(own, &own_size, sizeof(own_size));
	return 0;
}

/*
 * Fills the caller's `dst`, whose size field is set, from our `own`. The caller's size stays as it is;
 * bytes it has beyond ours become zero. -EINVAL: dst is NULL or too small for its size field.
 */
static inline int sized_out(void *dst, const void *own, size_t own_size)
{
	size_t given;

	if (!dst)
		return -EINVAL;
	memcpy(&given, dst, sizeof(given));
	if (given < sizeof(given))
		return -EINVAL;
	memset((char *)dst + sizeof(given), 0, given - sizeof(given));
	if (own_size > given)
		own_size = given;
	if (own_size > sizeof(given))
		memcpy((char *)dst + sizeof(given), (const char *)own + sizeof(given),
		       own_size - sizeof(given));
	return 0;
}

#endif
