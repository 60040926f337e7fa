/* SPDX-License-Identifier: MIT */
/* Pid files. The first one is locked while the daemon lives: a stale one stops nobody. */
#ifndef VIPD_PIDFILE_H
#define VIPD_PIDFILE_H

#include <sys/types.h>

/*
 * Opens and locks; the descriptor stays open. -EEXIST, said, when a daemon holds it, or its pid is that of a
 * keepalived; other errors are said, too, and are no reason not to run.
 */
int pidfile_lock(const char *path);
/* Writes the pid into a locked file, or (fd -1) makes one. What fails is said. */
void pidfile_write(const char *path, int fd, pid_t pid);
/* Makes an empty file there, which only says that it is there. */
void pidfile_empty(const char *path);
void pidfile_remove(const char *path);

#endif
