/* SPDX-License-Identifier: MIT */
/* Memory that the processes of vipd share, as it is mapped before the fork. */
#ifndef VIPD_MAP_SHARED_H
#define VIPD_MAP_SHARED_H

#include <stddef.h>
#include <sys/mman.h>

/* Zeros. NULL: there is no memory. munmap() takes it back, in each process for itself. */
static inline void *map_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

#endif
