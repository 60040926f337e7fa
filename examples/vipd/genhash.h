/* SPDX-License-Identifier: MIT */
/* keepalived's genhash: asks a web server once and prints what "digest" of HTTP_GET wants. */
#ifndef VIPD_GENHASH_H
#define VIPD_GENHASH_H

#include <stdbool.h>

/* Is the program called so: by its own name, or with --genhash or -T as its first option? */
bool genhash_wanted(int argc, char **argv);

/* The exit code: 0, or 1 when there is no hash. */
int genhash_main(int argc, char **argv);

#endif
