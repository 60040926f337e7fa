/* SPDX-License-Identifier: MIT */
/*
 * The rules of structs that begin with `size_t size`, so that they can grow without breaking a caller.
 * In: what the caller's struct does not reach is zero (the default); what it has beyond ours must be
 * zero, else it asks for something this library does not know. Out: filled up to the caller's size.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

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
	for (size_t i = own_size; i < given; i++)
		if (((const unsigned char *)src)[i])
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
