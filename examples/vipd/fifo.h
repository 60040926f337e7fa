/* SPDX-License-Identifier: MIT */
/*
 * notify_fifo: each change as a line in keepalived's words, for a program that reads them. Nobody is waited
 * for: what does not fit into the pipe is lost, and said.
 */
#ifndef VIPD_FIFO_H
#define VIPD_FIFO_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "loop.h"
#include "script.h"

struct fifos;

enum fifo_kind { FIFO_VRRP, FIFO_LVS };

int fifos_new(struct loop *l, struct scripts *s, struct fifos **ret);
/* Ends their scripts; a FIFO that was made here goes. */
void fifos_free(struct fifos *f);

/* Opens those of the configuration and starts their scripts; what is as before stays. */
void fifos_configure(struct fifos *f, const struct conf *c);

/* The line ends with \n. */
__attribute__((format(printf, 3, 4))) void fifos_write(struct fifos *f, enum fifo_kind kind,
						       const char *format, ...);

/* A child ended: true when it was a script of a FIFO, which is started again. */
bool fifos_reap(struct fifos *f, pid_t pid, int status);

#endif
