/* SPDX-License-Identifier: MIT */
#ifndef PROXYD_ENGINE_SLICE_H
#define PROXYD_ENGINE_SLICE_H

/* The calling thread gets its CPU sooner when it wakes beside others. Best effort: a kernel that cannot do it changes nothing. */
void slice_shorten(void);

#endif
